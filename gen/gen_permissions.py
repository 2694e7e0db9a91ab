#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/permissions.json -> src/policy/gen_permissions.{h,c}, docs/generated/permissions.md"""
from common import Out, cstr, table

t = table("tables/permissions.json")
out = Out("gen_permissions.py", "tables/permissions.json")
U = lambda s: s.upper().replace("-", "_")
h = "#ifndef BH_POLICY_GEN_PERMISSIONS_H\n#define BH_POLICY_GEN_PERMISSIONS_H\n\nenum perm_type {\n"
for o in t["objects"]:
    h += "    PERM_%s,\n" % U(o["type"])
h += "    PERM_TYPE_COUNT\n};\n\n"
for o in t["objects"]:
    h += "enum perm_level_%s {\n" % U(o["type"]).lower()
    for i, l in enumerate(o["levels"]):
        h += "    %s_%s = %d,\n" % (U(o["type"]), l, i + 1)
    h += "};\n"
h += "\n/* Bits of a set of privileges. */\n"
for i, p in enumerate(t["privileges"]):
    h += "#define PRIV_%s (1ull << %d) /* %s */\n" % (p["name"], i, p["doc"])
on = sorted({o for p in t["privileges"] for o in p["on"]})
for o in on:
    bits = sum(1 << i for i, p in enumerate(t["privileges"]) if o in p["on"])
    h += "#define PRIVS_ON_%s 0x%xull /* all that may be granted on one */\n" % (U(o), bits)
h += "#define PRIV_COUNT %d\n\n#endif\n" % len(t["privileges"])
c = '#include "policy/policy.h"\n\n'
for o in t["objects"]:
    c += "static const char *const levels_%s[] = {%s, 0};\n" % (U(o["type"]).lower(), ", ".join(cstr(l) for l in o["levels"]))
c += "\nconst struct perm_row perm_rows[PERM_TYPE_COUNT] = {\n"
for o in t["objects"]:
    c += "    {%s, %s, %s, %s, levels_%s, %d, %s},\n" % (
        cstr(o["type"]), cstr(o["object_type"]), cstr(o.get("prefix", "")), cstr(o.get("owner")), U(o["type"]).lower(), len(o["levels"]), cstr(o["doc"]))
c += "};\n\nconst struct priv_row priv_rows[PRIV_COUNT] = {\n"
for p in t["privileges"]:
    c += "    {%s, %s, %s},\n" % (cstr(p["name"]), cstr(" ".join(p["on"])), cstr(p["doc"]))
c += "};\n"
out.c("src/policy/gen_permissions.h", h)
out.c("src/policy/gen_permissions.c", c)
md = "# Permissions\n\nGenerated from tables/permissions.json.\n\n| object | levels (rising) | what |\n|---|---|---|\n"
for o in t["objects"]:
    md += "| %s | %s | %s |\n" % (o["type"], ", ".join(o["levels"]), o["doc"])
md += "\n| privilege | on | what |\n|---|---|---|\n"
for p in t["privileges"]:
    md += "| %s | %s | %s |\n" % (p["name"], ", ".join(p["on"]), p["doc"])
out.raw("docs/generated/permissions.md", md)
out.finish()
