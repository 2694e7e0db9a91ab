# SPDX-License-Identifier: Apache-2.0
"""Remakes tools/py-*.lock and tools/py-licences.json from tools/py-*.in; run by hand to take newer packages.

The client environment is resolved first and bounds the base environment, so that a package which
both hold has one version: a model is logged by the one and loaded by the other. The environments dbt,
kernel and spark stand alone.

    tools/setup && python3.11 tools/update_locks.py [--upgrade] && tools/setup --with spark
    python3.11 tools/update_locks.py --licences        after that set-up: reads what was installed

tools/node/package-lock.json is remade by this command, in a copy of tools/node:

    npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import setup_deps  # noqa: E402  (one place knows where uv and its settings are)

ROOT = setup_deps.ROOT
ALONE = ("dbt", "kernel", "spark")
ALL = ("base", "client", *ALONE)
# Said in the package's licence file only.
KNOWN_LICENCES = {"huey": "MIT", "skops": "MIT"}
HEAD = "# Made by tools/update_locks.py from {}; do not edit.\n"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def compile_lock(name, bounds, upgrade):
    source = ROOT / "tools" / f"py-{name}.in"
    lock = ROOT / "tools" / f"py-{name}.lock"
    argv = [setup_deps.DEPS / "bin" / "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate",
            "--generate-hashes", "--python", setup_deps.PYTHON]
    argv += ["--upgrade"] if upgrade else []
    for bound in bounds:
        argv += ["--constraint", bound]
    # The old lock keeps its pins unless --upgrade is given.
    setup_deps.run(argv + ["--output-file", lock, source], f"uv pip compile of {source.name}", env=setup_deps.uv_env())
    text = lock.read_text()
    head = HEAD.format(source.name)
    lock.write_text(text if text.startswith(head) else head + text)
    return lock


def licence_of(metadata):
    """The licence as the package itself says it: expression, else short text, else classifier."""
    head = metadata.split("\n\n", 1)[0]
    fields = re.findall(r"^([A-Za-z-]+): (.*)$", head, re.M)
    values = {}
    for key, value in fields:
        values.setdefault(key.lower(), []).append(value.strip())
    if "license-expression" in values:
        return values["license-expression"][0]
    short = values.get("license", [""])[0]
    # Some packages put their whole licence text there; its first line says nothing.
    if short and len(short) < 60 and not re.match(r"UNKNOWN|Copyright|Dual|License agreement|=", short, re.I):
        return short
    names = [v.split("::")[-1].strip() for v in values.get("classifier", []) if v.startswith("License ::")]
    return " and ".join(n for n in names if n != "OSI Approved") or "see the package"


def write_licences():
    path = ROOT / "tools" / "py-licences.json"
    before = json.loads(path.read_text())
    rows = {}
    for name in ALL:
        if not (ROOT / ".deps" / "py" / name).is_dir():  # an optional one that is not here keeps its rows
            for package, row in before.items():
                if name in row["in"]:
                    rows.setdefault(package, {**row, "in": []})["in"].append(name)
            continue
        for meta in (ROOT / ".deps" / "py" / name).glob("lib/python3*/site-packages/*.dist-info/METADATA"):
            text = meta.read_text(errors="replace")
            package = normal(re.search(r"^Name: (.*)$", text, re.M)[1].strip())
            row = rows.setdefault(package, {"version": re.search(r"^Version: (.*)$", text, re.M)[1].strip(),
                                            "licence": KNOWN_LICENCES.get(package) or licence_of(text), "in": []})
            row["in"].append(name)
    lines = [f'  "{k}": {json.dumps(rows[k], ensure_ascii=False)}' for k in sorted(rows)]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--upgrade", action="store_true")
    parser.add_argument("--licences", action="store_true")
    args = parser.parse_args()
    if args.licences:
        write_licences()
        return
    client = compile_lock("client", [], args.upgrade)
    compile_lock("base", [client], args.upgrade)
    for name in ALONE:
        compile_lock(name, [], args.upgrade)


if __name__ == "__main__":
    main()
