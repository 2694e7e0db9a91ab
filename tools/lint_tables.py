# SPDX-License-Identifier: Apache-2.0
"""Tables of declared data: tables/*.json and src/api/*/routes.json.

Every table is one JSON object without duplicate keys, with a "doc" that says what a row is and at least
one list of rows. Rows of one list have a unique key and the columns that RULES names for their table;
a table may also say so itself: {"sorted": true, "required": ["name", …]}.
The error classes of SQL are those that something raises.
"""

import json
import re
import sys

from sources import files, read, report

# table -> (columns that make a row's key, columns that every row has); the default is the name alone
RULES = {
    "errors.json": (("name",), ("name", "status", "doc")),
    "settings.json": (("name",), ("name", "type", "help")),
    "routes.json": (("method", "path"), ("method", "path", "doc")),
}


def no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    twice = sorted({k for k in keys if keys.count(k) > 1})
    if twice:
        raise ValueError(f"key '{twice[0]}' occurs twice in one object")
    return dict(pairs)


def check_rows(path, listname, rows, key, required, in_order):
    problems, seen, last = [], {}, None
    for i, row in enumerate(rows):
        where = f"{path}: {listname}[{i}]"
        for column in dict.fromkeys((*required, *(c for c in key if c in row))):
            if row.get(column) in (None, "") or (isinstance(row[column], str) and row[column] != row[column].strip()):
                problems.append(f"{where}: column '{column}' is missing, empty or has outer spaces")
        value = tuple(row.get(column) for column in key)
        if any(v is None for v in value):
            continue
        if value in seen:
            problems.append(f"{where}: {' '.join(map(str, value))} stands at [{seen[value]}] already")
        seen[value] = i
        if in_order and last is not None and value < last:
            problems.append(f"{where}: {' '.join(map(str, value))} is not in sorted order")
        last = value
    return problems


def check_table(path):
    try:
        table = json.loads(read(path), object_pairs_hook=no_duplicates)
    except ValueError as e:
        return [f"{path}: {e}"]
    if not isinstance(table, dict) or not isinstance(table.get("doc"), str) or not table["doc"].strip():
        return [f"{path}: a table is an object with a \"doc\" that says what a row is"]
    # A function may have several signatures.
    key, required = RULES.get(path.name, (("name", "args"), ("name", "returns", "emit")) if path.parent.name == "sql_functions"
                              else (("name",), ()))
    required = tuple(required) + tuple(table.get("required", ()))
    lists = {k: v for k, v in table.items() if isinstance(v, list) and v and all(isinstance(r, dict) for r in v)}
    problems = [] if lists or any(isinstance(v, dict) for v in table.values()) else [f"{path}: holds no rows"]
    main_list = max(lists, key=lambda k: len(lists[k]), default=None)
    for name, rows in lists.items():
        # A second list of a table has columns of its own; its key still is unique.
        problems += check_rows(path, name, rows, key, required if name == main_list else (), bool(table.get("sorted")))
    return problems


def check_error_classes():
    """Each class of tables/sql_errors.json is raised by something, and each that sql_error() or fn_fail() names has its row."""
    tables = files("tables/sql_errors.json")
    if not tables:
        return []
    rows = {r["name"] for r in json.loads(read(tables[0]))["errors"]}
    text = "\n".join(read(p) for p in files()
                     if p.parts[0] in ("src", "tables") and p.suffix in (".c", ".h", ".json") and p.name not in ("sql_errors.json", "gen_sql_errors.c"))
    named = set(re.findall(r"[A-Z_][A-Z0-9_]+(?:\.[A-Z0-9_]+)?", text))
    raised = set(re.findall(r'\b(?:sql_error|fn_fail|fn_fail_with)\((?:c, )?(?:[^";]{0,40}\? )?"([A-Z]+_[A-Z_0-9.]+)"', text))
    return ([f"tables/sql_errors.json: nothing raises {name}" for name in sorted(rows - named)]
            + [f"tables/sql_errors.json: {name} is raised and has no row" for name in sorted(raised - rows)])


def main():
    problems = check_error_classes()
    tables = files("tables/*.json", "src/api/*/routes.json")
    for path in tables:
        problems += check_table(path)
    return report("lint_tables", problems, len(tables))


if __name__ == "__main__":
    sys.exit(main())
