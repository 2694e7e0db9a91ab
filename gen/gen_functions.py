#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/sql_functions/*.json -> src/sql/gen_functions.c, docs/generated/sql_functions.md"""
import glob, os, sys
from common import Out, ROOT, cstr, table

KEYS = {"name", "aliases", "kind", "args", "returns", "emit", "caption", "defaults", "null", "nondeterministic",
        "ansi_error", "strict", "common", "names", "shown", "doc"}
KINDS = {"scalar": "FN_SCALAR", "aggregate": "FN_AGGREGATE", "window": "FN_WINDOW", "generator": "FN_GENERATOR",
         "table": "FN_TABLE"}
NULLS = {"any": "FN_NULL_ANY", "never": "FN_NULL_NEVER", "always": "FN_NULL_ALWAYS"}

rows = []
for path in sorted(glob.glob(os.path.join(ROOT, "tables/sql_functions/*.json"))):
    area = os.path.basename(path)[:-5]
    for i, r in enumerate(table("tables/sql_functions/%s.json" % area)["functions"]):
        bad = set(r) - KEYS
        if bad or "name" not in r or "returns" not in r or "emit" not in r:
            sys.exit("%s.json row %d (%s): %s" % (area, i, r.get("name"), bad or "name, returns and emit are needed"))
        for n in [r["name"]] + r.get("aliases", []):
            rows.append((n, area, len(rows), r))
rows.sort(key=lambda x: (x[0].encode(), x[2]))

out = Out("gen_functions.py", "the tables in tables/sql_functions")
c = '#include "sql/func.h"\n\n'
arrays, seen = "", {}
body = ""
for name, area, _, r in rows:
    d = r.get("defaults")
    dn = "NULL"
    if d:
        key = tuple(d)
        if key not in seen:
            seen[key] = "defaults_%d" % len(seen)
            arrays += "static const char *const %s[] = {%s, NULL};\n" % (seen[key], ", ".join(cstr(x) for x in d))
        dn = seen[key]
    body += "    {%s, %s, %s,\n     %s,\n     %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s},\n" % (
        cstr(name), cstr(r.get("args", "")), cstr(r["returns"]), cstr(r["emit"]), cstr(r.get("caption")), dn,
        cstr(r.get("names")), cstr(r.get("shown")), KINDS[r.get("kind", "scalar")], NULLS[r.get("null", "any")],
        "true" if r.get("nondeterministic") else "false", "true" if r.get("ansi_error") else "false", {"wide": "0", "no text": "1", "tight": "2"}[r.get("common", "wide")], "true" if r.get("strict") else "false",
        cstr(r.get("doc", "")))
c += arrays + "\nconst struct sql_func sql_functions[] = {\n" + body + "};\nconst size_t sql_functions_n = %d;\n" % len(rows)
out.c("src/sql/gen_functions.c", c)
md = "# SQL functions\n\nGenerated from tables/sql_functions.\n\n| function | arguments | returns | kind | what |\n|---|---|---|---|---|\n"
for name, area, _, r in rows:
    md += "| %s | %s | %s | %s | %s |\n" % (name.replace("|", "\\|"), r.get("args", "").replace("|", "\\|"), r["returns"],
                                          r.get("kind", "scalar"), r.get("doc", "").replace("|", "\\|"))
out.raw("docs/generated/sql_functions.md", md)
out.finish()
