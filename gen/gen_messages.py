#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/messages.json -> src/ipc/gen_messages.{h,c}: enum, structs, encoders and decoders."""
from common import Out, cstr, table

t = table("tables/messages.json")
msgs = t["messages"]
CT = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "i64": "int64_t",
      "bool": "bool", "str": "str", "pairs": "struct msg_pairs"}
h = """#ifndef BH_IPC_GEN_MESSAGES_H
#define BH_IPC_GEN_MESSAGES_H

#include "base/arena.h"
#include "base/buf.h"

#define MSG_VERSION %d

struct msg_pair {
    str name, value;
};
struct msg_pairs {
    struct msg_pair *p;
    uint32_t n;
};

enum msg_type {
""" % t["version"]
for m in msgs:
    h += "    MSG_%s = %d, /* %s */\n" % (m["name"].upper(), m["type"], m["doc"])
h += "};\n\n" + "".join("#define MSG_TYPE_%s MSG_%s\n" % (m["name"], m["name"].upper()) for m in msgs) + "\n/* Name of a type, \"?\" if unknown. */\nconst char *msg_name(uint16_t type);\n"
h += "/* Descriptors that may travel with a type: 0 or 1; -1 for an unknown type. */\nint msg_fds(uint16_t type);\n\n"
c = """#include "ipc/gen_messages.h"

#include "ipc/wire.h"

const char *msg_name(uint16_t type) {
    switch (type) {
"""
for m in msgs:
    c += "    case MSG_%s: return %s;\n" % (m["name"].upper(), cstr(m["name"]))
c += "    default: return \"?\";\n    }\n}\n\nint msg_fds(uint16_t type) {\n    switch (type) {\n"
for m in msgs:
    c += "    case MSG_%s: return %d;\n" % (m["name"].upper(), m["fds"])
c += "    default: return -1;\n    }\n}\n"
for m in msgs:
    n = m["name"]
    h += "struct msg_%s {\n" % n
    for f, ty in m["fields"].items():
        h += "    %s %s;\n" % (CT[ty], f)
    if not m["fields"]:
        h += "    char none;\n"
    h += "};\n"
    h += "void msg_%s_encode(const struct msg_%s *m, buf *out);\n" % (n, n)
    h += "/* Slices point into payload. False: malformed. */\nbool msg_%s_decode(arena *a, str payload, struct msg_%s *ret) BH_CHECK;\n\n" % (n, n)
    c += "\nvoid msg_%s_encode(const struct msg_%s *m, buf *out) {\n" % (n, n)
    if not m["fields"]:
        c += "    (void)m;\n    (void)out;\n"
    for f, ty in m["fields"].items():
        c += "    wire_put_%s(out, m->%s);\n" % (ty, f)
    c += "}\n\nbool msg_%s_decode(arena *a, str payload, struct msg_%s *ret) {\n    struct wire_in in = {payload, true};\n    (void)a;\n" % (n, n)
    if not m["fields"]:
        c += "    ret->none = 0;\n"
    for f, ty in m["fields"].items():
        c += "    ret->%s = wire_get_%s(&in%s);\n" % (f, ty, ", a" if ty == "pairs" else "")
    c += "    return in.ok && in.rest.n == 0;\n}\n"
h += "#endif\n"
out = Out("gen_messages.py", "tables/messages.json")
out.c("src/ipc/gen_messages.h", h)
out.c("src/ipc/gen_messages.c", c)
md = "# Frames between the processes\n\nGenerated from tables/messages.json.\n\n%s\n\n| type | name | fields | descriptors | what |\n|---|---|---|---|---|\n" % t["doc"]
for m in msgs:
    md += "| %d | %s | %s | %d | %s |\n" % (m["type"], m["name"], ", ".join("%s %s" % (ty, f) for f, ty in m["fields"].items()), m["fds"], m["doc"])
out.raw("docs/generated/messages.md", md)
out.finish()
