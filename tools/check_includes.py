# SPDX-License-Identifier: Apache-2.0
"""The include law: every #include "folder/x.h" of src/ follows cmake/law.txt, and every folder has a README."""

import re
import sys

from sources import ROOT, files, line_of, read, report

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)

# Headers of libraries that belong to one part of the source.
RESERVED = {"sqlite3.h": {"store"}, "duckdb.h": {"engine"}, "llhttp.h": {"net"}}
GENERATED = {"bh_version.h"}


def load_law():
    """folder -> the set of folders that it may include."""
    may, left = {}, set()
    for line in read("cmake/law.txt").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        kind, names = words[0], words[1:]
        if kind == "level":
            for name in names:
                may[name] = left | {name}
            left = left | set(names)
        elif kind == "only":
            may[names[0]] = set(names)
            left = left | {names[0]}
        else:
            raise SystemExit(f"cmake/law.txt: unknown word '{kind}'")
    return may


def check_file(path, may):
    problems = []
    folder = path.parts[1]
    text = read(path)
    for match in INCLUDE.finditer(text):
        where = f"{path}:{line_of(text, match.start())}"
        quote, target = match[1], match[2]
        name = target.rsplit("/", 1)[-1]
        if name in RESERVED and (quote == "<" or "/" not in target) and folder not in RESERVED[name]:
            problems.append(f"{where}: <{name}> is for src/{', src/'.join(sorted(RESERVED[name]))} only")
        if quote == "<" or target in GENERATED or name in RESERVED:
            continue
        if "/" not in target or not (ROOT / "src" / target).is_file():
            problems.append(f'{where}: "{target}" is not a path from src/ to a file')
            continue
        other = target.split("/", 1)[0]
        if other not in may[folder]:
            allowed = " ".join(sorted(may[folder] - {folder})) or "nothing"
            problems.append(f"{where}: src/{folder} may not include src/{other} (it may use: {allowed})")
    return problems


def main():
    may = load_law()
    problems = []
    sources = files("src/**/*.c", "src/**/*.h", "src/*/*.c", "src/*/*.h")
    for path in sources:
        if path.parts[1] in may:
            problems += check_file(path, may)
    for folder in sorted({p.parts[1] for p in sources}):
        if folder not in may:
            problems.append(f"src/{folder}: has no place in cmake/law.txt")
        if not (ROOT / "src" / folder / "README.md").is_file():
            problems.append(f"src/{folder}: has no README.md")
    return report("check_includes", problems, len(sources))


if __name__ == "__main__":
    sys.exit(main())
