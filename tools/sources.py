# SPDX-License-Identifier: Apache-2.0
"""Shared by the checks: which files belong to the project, and C text without comments and strings."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def files(*patterns):
    """Files of the checkout that git knows or would add, filtered by glob patterns on the path."""
    out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         capture_output=True, check=True).stdout.decode()
    paths = sorted({Path(p) for p in out.split("\0") if p})
    wanted = [p for p in paths if not patterns or any(p.match(pattern) for pattern in patterns)]
    return [p for p in wanted if (ROOT / p).is_file()]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def blank(text):
    """C text with comments and the insides of literals replaced by spaces; lines stay where they are."""
    def cover(match):
        word = match[0]
        kept = re.sub(r"[^\n]", " ", word)
        return word[0] + kept[1:-1] + word[-1] if word[0] in "\"'" else kept
    return _TOKEN.sub(cover, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def report(name, problems, checked):
    """Prints the problems, one to a line, and returns the exit status."""
    for problem in problems:
        print(problem)
    print(f"{name}: {checked} checked, {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0
