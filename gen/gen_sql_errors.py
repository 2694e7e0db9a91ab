#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/sql_errors.json, tables/sql_conditions.json -> src/sql/gen_sql_errors.c (rows sorted by name, for a binary search), docs/generated/sql_errors.md"""
from common import Out, cstr, table

FORMS = {"syntax": "SQL_FORM_SYNTAX", "statement": "SQL_FORM_STATEMENT", "analysis": "SQL_FORM_ANALYSIS",
         "context": "SQL_FORM_CONTEXT"}

rows = sorted(table("tables/sql_errors.json")["errors"], key=lambda r: r["name"])
out = Out("gen_sql_errors.py", "tables/sql_errors.json")
c = '#include "sql/error_int.h"\n\nconst struct sql_error_row sql_error_rows[] = {\n'
for r in rows:
    always = [x for pair in r.get("always", {}).items() for x in pair]
    assert len(always) <= 4, r["name"]
    c += "    {%s, %s, %s,\n     %s, {%s}},\n" % (cstr(r["name"]), cstr(r.get("sqlstate", "")), FORMS[r.get("form", "analysis")],
                                               cstr(r["message"]), ", ".join(map(cstr, always)) or "NULL")
c += "};\nconst size_t sql_n_error_rows = ARRAY_LEN(sql_error_rows);\n"
c += "\nconst struct sql_condition_row sql_condition_rows[] = {\n"
for r in sorted(table("tables/sql_conditions.json")["conditions"], key=lambda r: r["name"]):
    c += "    {%s, %s},\n" % (cstr(r["name"]), cstr(r.get("sqlstate", "")))
c += "};\nconst size_t sql_n_condition_rows = ARRAY_LEN(sql_condition_rows);\n"
out.c("src/sql/gen_sql_errors.c", c)
md = "# Error classes of SQL\n\nGenerated from tables/sql_errors.json.\n\n| class | SQLSTATE | message |\n|---|---|---|\n"
for r in rows:
    text = r["message"].replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")
    md += "| %s | %s | %s |\n" % (r["name"], r.get("sqlstate", ""), text)
out.raw("docs/generated/sql_errors.md", md)
out.finish()
