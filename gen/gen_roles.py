#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/roles.json -> src/supervisor/gen_roles.{h,c}, docs/generated/roles.md"""
from common import Out, cstr, table

t = table("tables/roles.json")
msgs = {m["name"]: m["type"] for m in table("tables/messages.json")["messages"]}
rows = t["roles"]
out = Out("gen_roles.py", "tables/roles.json")
h = "#ifndef BH_SUPERVISOR_GEN_ROLES_H\n#define BH_SUPERVISOR_GEN_ROLES_H\n\nenum role_id {\n"
h += "".join("    ROLE_%s,\n" % r["name"].upper() for r in rows) + "    ROLE_COUNT\n};\n\n#endif\n"
c = '#include "supervisor/roles.h"\n\n'
for r in rows:
    n = r["name"]
    c += "static const uint16_t accepts_%s[] = {%s0};\n" % (n, "".join("%d, " % msgs[m] for m in r["accepts"]))
    c += "static const struct role_root roots_%s[] = {\n" % n
    for x in r.get("roots", []):
        inside, outside, mode = x.split(":")
        c += "    {%s, %s, %s},\n" % (cstr(inside), cstr(outside), "true" if mode == "rw" else "false")
    c += "    {0, 0, false}};\n"
c += "\nconst struct role_row role_rows[ROLE_COUNT] = {\n"
for r in rows:
    c += "    {%s, %s, %s, %s, %d, %s, %s, %s, %s, roots_%s, accepts_%s, %s},\n" % (
        cstr(r["name"]), cstr(r["sandbox"]), "true" if r["restart"] == "always" else "false", "true" if r["start"] else "false",
        r["drain_ms"], cstr(r.get("peer")), cstr(r.get("python")), cstr(r.get("program")),
        "true" if r.get("local_roots") else "false", r["name"], r["name"], cstr(r["doc"]))
c += "};\n"
out.c("src/supervisor/gen_roles.h", h)
out.c("src/supervisor/gen_roles.c", c)
md = "# Roles\n\nGenerated from tables/roles.json.\n\n| role | sandbox | restart | what |\n|---|---|---|---|\n"
md += "".join("| %s | %s | %s | %s |\n" % (r["name"], r["sandbox"], r["restart"], r["doc"]) for r in rows)
out.raw("docs/generated/roles.md", md)
out.finish()
