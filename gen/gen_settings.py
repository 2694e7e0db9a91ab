#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/settings.json -> src/sys/gen_settings.{h,c}, docs/generated/settings.md"""
from common import Out, cstr, table

t = table("tables/settings.json")
rows = t["settings"]
assert [r["name"] for r in rows] == sorted(r["name"] for r in rows), "settings are sorted by name"
h = "#ifndef BH_SYS_GEN_SETTINGS_H\n#define BH_SYS_GEN_SETTINGS_H\n\nenum setting_id {\n"
for r in rows:
    h += "    SET_%s,\n" % r["name"].upper().replace(".", "_")
h += "    SETTING_COUNT\n};\n\n#endif\n"
c = '#include "sys/settings.h"\n\nconst struct setting_row setting_rows[SETTING_COUNT] = {\n'
for r in rows:
    vals = "|".join(r.get("values", [])) or None
    roles = " ".join(r.get("roles", [])) or None
    c += "    {%s, SETTING_%s, %s, %dll, %dll, %s, %s, %s, %s, %s},\n" % (
        cstr(r["name"]), r["type"].upper(), cstr(r["default"]), r.get("min", 0), r.get("max", 0),
        str(r["reload"]).lower(), str(r.get("secret", False)).lower(), cstr(vals), cstr(roles), cstr(r["help"]))
c += "};\n"
out = Out("gen_settings.py", "tables/settings.json")
out.c("src/sys/gen_settings.h", h)
out.c("src/sys/gen_settings.c", c)
md = "# Settings\n\nGenerated from tables/settings.json.\n\n%s\n\n| name | type | default | reload | what |\n|---|---|---|---|---|\n" % t["doc"]
for r in rows:
    md += "| %s | %s%s | %s | %s | %s |\n" % (r["name"], r["type"], " (secret)" if r.get("secret") else "", r["default"] or "(empty)", "yes" if r["reload"] else "restart", r["help"] + (" One of: " + ", ".join(r["values"]) + "." if r.get("values") else ""))
out.raw("docs/generated/settings.md", md)
out.finish()
