# SPDX-License-Identifier: Apache-2.0
"""Size caps: a file has at most 1,500 lines; a C function at most 100, and above 80 it is named as a warning.

Generated files (gen_*) are left out: nobody reads them to change them. The count is of lines from the
brace that opens a function to the one that closes it, both included.
"""

import re
import sys

from sources import blank, files, line_of, read, report

FILE_CAP = 1500
FUNCTION_CAP = 100
FUNCTION_WARN = 80
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def functions(text):
    """(name, first line, line count) of each function body in blanked C text."""
    # Preprocessor lines may hold unbalanced braces; continued ones go as well.
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.M)
    depth, start, head, found = 0, 0, 0, []
    for match in re.finditer(r"[{};]", text):
        char, at = match[0], match.start()
        if char == "{":
            if depth == 0:
                start = at
            depth += 1
        elif char == "}":
            depth = max(0, depth - 1)
            if depth == 0:
                signature = text[head:start]
                names = [n for n in NAME.findall(signature) if n != "__attribute__"]
                if names and "=" not in signature and not re.search(r"\b(struct|enum|union)\s+\w*\s*$", signature):
                    first = line_of(text, start)
                    found.append((names[0], first, line_of(text, at) - first + 1))
                head = at + 1
        elif depth == 0:
            head = at + 1
    return found


def main():
    problems, warnings = [], []
    sources = [p for p in files("*.c", "*.h", "*.py", "*.ts", "*.tsx", "*.cmake") if not p.name.startswith("gen_")
               or p.parts[0] == "gen"]
    for path in sources:
        text = read(path)
        lines = text.count("\n")
        if lines > FILE_CAP:
            problems.append(f"{path}: {lines} lines; a file has at most {FILE_CAP}")
        if path.suffix in (".c", ".h"):
            for name, first, count in functions(blank(text)):
                if count > FUNCTION_CAP:
                    problems.append(f"{path}:{first}: {name}() has {count} lines; a function has at most {FUNCTION_CAP}")
                elif count > FUNCTION_WARN:
                    warnings.append(f"warning: {path}:{first}: {name}() has {count} lines (aim: {FUNCTION_WARN})")
    for warning in warnings:
        print(warning)
    return report("check_sizes", problems, len(sources))


if __name__ == "__main__":
    sys.exit(main())
