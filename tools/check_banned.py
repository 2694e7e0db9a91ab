# SPDX-License-Identifier: Apache-2.0
"""Calls that are not used in C here, and text that does not belong into the repository.

A line may say `banned-ok: <reason>` where a rule truly does not fit; the reason is part of the line.
"""

import re
import sys

from sources import ROOT, blank, files, line_of, read, report

# call -> what to use
CALLS = {
    "strcpy": "snprintf or a buf", "strcat": "a buf", "sprintf": "snprintf", "vsprintf": "vsnprintf",
    "gets": "fgets", "alloca": "an arena", "strtok": "strtok_r or str functions", "atoi": "a checked parser",
    "atol": "a checked parser", "atoll": "a checked parser", "atof": "a checked parser",
    "rand": "sys/rand.h", "srand": "sys/rand.h", "random": "sys/rand.h", "drand48": "sys/rand.h",
    "localtime": "gmtime_r or base/time.h", "gmtime": "gmtime_r or base/time.h", "ctime": "base/time.h",
    "asctime": "base/time.h", "system": "sys/spawn.h",
    "popen": "sys/spawn.h", "mktemp": "mkostemp", "tmpnam": "mkostemp", "setjmp": "error values",
    "longjmp": "error values", "sigsetjmp": "error values", "siglongjmp": "error values",
    "vfork": "sys/spawn.h",
}
# Single-threaded programs by design: tests, benches, and the replay of fuzz inputs.
TEST_MAY = {"rand", "srand", "random", "atoi", "system"}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(CALLS) + r")\s*\(")
HEADER = re.compile(r"^[ \t]*#[ \t]*include[ \t]+<(setjmp|alloca)\.h>", re.M)

# Paths of somebody's machine. Written in pieces so that this file passes its own check.
MACHINE = re.compile(r"(?<![\w.\-/}])/" + r"(?:work|root|home/[a-z_][\w-]*|Users/\w+)" + r"/[\w.]")
TEXT = {".c", ".h", ".py", ".md", ".json", ".cmake", ".txt", ".sh", ".toml", ".yml", ".ts", ".tsx", ".js",
        ".service", ".in", ".lock", ""}
SPDX = "SPDX-License-Identifier: Apache-2.0"
ALLOWED = "banned-ok:"


def exempt(text, offset):
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return ALLOWED in text[start:end if end >= 0 else len(text)]


def check_c(path, text):
    problems = []
    code = blank(text)
    in_tests = path.parts[0] in ("tests", "bench")
    for match in CALL.finditer(code):
        # cmocka.h needs setjmp.h before it, so tests include that header; calls are refused there too.
        if (in_tests and match[1] in TEST_MAY) or exempt(text, match.start()):
            continue
        problems.append(f"{path}:{line_of(text, match.start())}: {match[1]}() is not used here; use {CALLS[match[1]]}")
    if not in_tests:
        for match in HEADER.finditer(code):
            problems.append(f"{path}:{line_of(text, match.start())}: <{match[1]}.h> is not used here")
    if SPDX not in text.split("\n", 1)[0]:
        problems.append(f"{path}:1: the first line is not /* {SPDX} */")
    return problems


def main():
    problems = []
    checked = [p for p in files() if p.suffix in TEXT and "corpus" not in p.parts and "regression" not in p.parts]
    for path in checked:
        if (ROOT / path).stat().st_size > 4 << 20:
            continue
        text = read(path)
        if path.suffix in (".c", ".h"):
            problems += check_c(path, text)
        elif path.suffix == ".py" and SPDX not in "".join(text.splitlines(True)[:2]):
            problems.append(f"{path}:1: no line # {SPDX}")
        for match in MACHINE.finditer(text):
            if not exempt(text, match.start()):
                problems.append(f"{path}:{line_of(text, match.start())}: path of one machine: {match[0]}…")
    return report("check_banned", problems, len(checked))


if __name__ == "__main__":
    sys.exit(main())
