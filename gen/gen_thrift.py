#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/thrift.json -> src/thrift/gen_tcli.{h,c}: a struct and a description of each structure, and the calls."""
from common import Out, cstr, table

t = table("tables/thrift.json")
structs, calls = t["structs"], t["calls"]
names = {s["name"] for s in structs}
SCALAR = {"bool": ("bool", "TF_BOOL"), "i8": ("int8_t", "TF_I8"), "i16": ("int16_t", "TF_I16"),
          "i32": ("int32_t", "TF_I32"), "i64": ("int64_t", "TF_I64"), "double": ("double", "TF_DOUBLE"),
          "str": ("str", "TF_STR"), "raw": ("str", "TF_RAW")}


def member(name, kind):
    """Declaration of one field."""
    if kind in SCALAR:
        return "    %s %s;\n" % (SCALAR[kind][0], name)
    if kind in names:
        return "    struct t_%s *%s;\n" % (kind, name)
    if kind.startswith("list<"):
        inner = kind[5:-1]
        c = SCALAR[inner][0] if inner in SCALAR else "struct t_" + inner
        return "    struct { %s *p; size_t n; } %s;\n" % (c, name)
    if kind == "map":
        return "    struct { struct thrift_pair *p; size_t n; } %s;\n" % name
    if kind.startswith("map<"):
        return "    struct { struct t_%s_pair *p; size_t n; } %s;\n" % (kind[4:-1], name)
    raise SystemExit("unknown type " + kind)


def row(struct, at, field):
    """Description of one field."""
    ident, name, kind = field
    base = "{%d, %s, %s, %s, offsetof(struct t_%s, %s), %d, %s, %s},\n"
    one = lambda what, elem, sub, size: "    " + base % (ident, cstr(name), what, elem, struct, name, at, sub, size)
    if kind in SCALAR:
        return one(SCALAR[kind][1], "0", "NULL", "0")
    if kind in names:
        return one("TF_STRUCT", "0", "&t_%s_desc" % kind, "0")
    if kind.startswith("list<"):
        inner = kind[5:-1]
        if inner in SCALAR:
            return one("TF_LIST", SCALAR[inner][1], "NULL", "sizeof(%s)" % SCALAR[inner][0])
        return one("TF_LIST", "TF_STRUCT", "&t_%s_desc" % inner, "sizeof(struct t_%s)" % inner)
    if kind == "map":
        return one("TF_MAP", "TF_STR", "NULL", "sizeof(struct thrift_pair)")
    return one("TF_MAP", "TF_STRUCT", "&t_%s_desc" % kind[4:-1], "sizeof(struct t_%s_pair)" % kind[4:-1])


h = """#ifndef BH_THRIFT_GEN_TCLI_H
#define BH_THRIFT_GEN_TCLI_H

#include "thrift/thrift.h"

/* `has` has bit i for field i of the struct's row in the table. An absent text has p NULL, an absent structure is
 * NULL, an absent list or map has p NULL. */
"""
maps = {f[2][4:-1] for s in structs for f in s["fields"] if f[2].startswith("map<")}
for s in structs:
    h += "struct t_%s;\n" % s["name"]
for s in structs:
    h += "\n"
    if s.get("doc"):
        h += "/* %s */\n" % s["doc"]
    h += "struct t_%s {\n    uint32_t has;\n" % s["name"]
    h += "".join(member(f[1], f[2]) for f in s["fields"]) + "};\n"
    for i, f in enumerate(s["fields"]):
        h += "#define T_%s_%s (1u << %d)\n" % (s["name"].upper(), f[1].upper(), i)
    if s["name"] in maps:
        h += "struct t_%s_pair {\n    str key;\n    struct t_%s value;\n};\n" % (s["name"], s["name"])
    h += "extern const struct thrift_struct t_%s_desc;\n" % s["name"]
h += "\nenum thrift_call {\n" + "".join("    CALL_%s,\n" % c[0] for c in calls) + "    CALL_COUNT\n};\n\n"
h += """struct thrift_call_row {
    const char *name;
    const struct thrift_struct *request, *response;
};
extern const struct thrift_call_row thrift_calls[CALL_COUNT];

#endif
"""
c = """#include "thrift/gen_tcli.h"

#include <stddef.h>

"""
for s in structs:
    n = len(s["fields"])
    if n:
        c += "static const struct thrift_field %s_fields[] = {\n" % s["name"]
        c += "".join(row(s["name"], i, f) for i, f in enumerate(s["fields"])) + "};\n"
    c += "const struct thrift_struct t_%s_desc = {%s, %s, %d, sizeof(struct t_%s), %s};\n\n" % (
        s["name"], cstr(s["name"]), s["name"] + "_fields" if n else "NULL", n, s["name"],
        "true" if s.get("union") else "false")
c += "const struct thrift_call_row thrift_calls[CALL_COUNT] = {\n"
c += "".join('    {%s, &t_%s_desc, &t_%s_desc},\n' % (cstr(x[0]), x[1], x[2]) for x in calls) + "};\n"
out = Out("gen_thrift.py", "tables/thrift.json")
out.c("src/thrift/gen_tcli.h", h)
out.c("src/thrift/gen_tcli.c", c)
out.finish()
