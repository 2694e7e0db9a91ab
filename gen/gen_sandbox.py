#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/sandbox.json -> src/sys/gen_sandbox.{h,c}, docs/generated/sandbox.md"""
from common import Out, cstr, table

t = table("tables/sandbox.json")
rows, filters = t["profiles"], {f["name"]: f for f in t["filters"]}
NS = {"user": "USER", "pid": "PID", "mount": "MOUNT", "net": "NET", "ipc": "IPC", "uts": "UTS", "cgroup": "CGROUP"}
RLIMITS = ["as_mb", "cpu_s", "nofile", "nproc", "fsize_mb"]
KNOWN = {"name", "doc", "namespaces", "root", "ro", "dirs", "tmpfs", "uid", "init", "loopback", "caps", "filter", "landlock",
         "deny_tcp", "confine", "rlimits", "memory_mb", "pids", "cpu_percent", "cpu_weight"}


def calls(f):
    """Its calls and those of the lists it includes, sorted."""
    names = set(f["calls"])
    for i in f.get("include", []):
        names |= calls(filters[i])
    return names


def filter_id(name):
    return "FILTER_" + name.upper() if name else "FILTER_COUNT"


def strings(name, values):
    return "static const char *const %s[] = {%s};\n" % (name, ", ".join([cstr(v) for v in values] + ["NULL"]))


def rules(name, values):
    if values is None:
        return ""
    out = "static const struct sandbox_rule %s[] = {\n" % name
    for v in values:
        path, rights = v.split(":")
        assert path.startswith("/") and rights and set(rights) <= set("rwx"), v
        out += "    {%s, %s},\n" % (cstr(path), " | ".join("SANDBOX_" + {"r": "READ", "w": "WRITE", "x": "EXEC"}[c] for c in rights))
    return out + "    {NULL, 0}};\n"


def tcp(values):
    return " | ".join({"bind": "SANDBOX_NO_BIND", "connect": "SANDBOX_NO_CONNECT"}[v] for v in values) or "0"


def profile(r):
    assert set(r) <= KNOWN, "unknown columns in %s: %s" % (r["name"], set(r) - KNOWN)
    n, confine, lim = r["name"], r.get("confine", {}), r["rlimits"]
    assert set(lim) <= set(RLIMITS), n
    pre = ""
    if r.get("ro"):
        pre += strings("ro_" + n, r["ro"])
    if r.get("dirs"):
        pre += strings("dirs_" + n, r["dirs"])
    if r.get("tmpfs"):
        pre += "static const struct sandbox_tmpfs tmpfs_%s[] = {\n" % n
        for x in r["tmpfs"]:
            path, mb, *ex = x.split(":")
            pre += "    {%s, %d, %s},\n" % (cstr(path), int(mb), "true" if ex == ["exec"] else "false")
        pre += "    {NULL, 0, false}};\n"
    pre += rules("rules_" + n, r["landlock"]) + rules("confine_" + n, confine.get("landlock"))
    uid, _, number = r["uid"].partition(":")
    caps = " | ".join("1ull << CAP_" + c.upper() for c in r.get("caps", [])) or "0"
    f = {
        "name": cstr(n), "doc": cstr(r["doc"]),
        "namespaces": " | ".join("SANDBOX_NS_" + NS[x] for x in r["namespaces"]) or "0",
        "root": "SANDBOX_ROOT_" + r["root"].upper(), "init": str(r.get("init", False)).lower(),
        "loopback": str(r.get("loopback", False)).lower(),
        "ro": "ro_" + n if r.get("ro") else "none", "dirs": "dirs_" + n if r.get("dirs") else "none",
        "tmpfs": "tmpfs_" + n if r.get("tmpfs") else "NULL",
        "uid_rule": "SANDBOX_UID_" + uid.upper(), "uid_number": str(int(number or 0)), "caps": caps,
        "filter": filter_id(r["filter"]), "confine_filter": filter_id(confine.get("filter")),
        "rules": "rules_" + n if r["landlock"] is not None else "NULL",
        "confine_rules": "confine_" + n if confine.get("landlock") is not None else "NULL",
        "deny_tcp": tcp(r.get("deny_tcp", [])), "confine_deny_tcp": tcp(confine.get("deny_tcp", [])),
        "memory_mb": str(r["memory_mb"]), "pids": str(r["pids"]), "cpu_percent": str(r.get("cpu_percent", 0)),
        "cpu_weight": str(r.get("cpu_weight", 0)),
    }
    for k in RLIMITS:
        f["rlimit_" + k] = str(lim.get(k, 0))
    row = "    {\n" + "".join("        .%s = %s,\n" % kv for kv in f.items()) + "    },\n"
    return pre, row


h = "#ifndef BH_SYS_GEN_SANDBOX_H\n#define BH_SYS_GEN_SANDBOX_H\n\nenum sandbox_id {\n"
h += "".join("    SANDBOX_%s,\n" % r["name"].upper() for r in rows) + "    SANDBOX_COUNT\n};\n\nenum filter_id {\n"
h += "".join("    FILTER_%s,\n" % n.upper() for n in filters) + "    FILTER_COUNT /* also: no filter */\n};\n\n"
h += "#define SANDBOX_UID_BASE %du\n\n#endif\n" % t["uid_base"]
c = '#include <errno.h>\n#include <linux/capability.h>\n#include <stddef.h>\n\n#include "sys/filter.h"\n#include "sys/sandbox.h"\n\n'
c += "static const char *const none[] = {NULL};\n"
body = ""
for r in rows:
    pre, row = profile(r)
    c += pre
    body += row
c += "\nconst struct sandbox_row sandbox_rows[SANDBOX_COUNT] = {\n" + body + "};\n\n"
for n, f in filters.items():
    names = sorted(calls(f))
    c += "static const char *const calls_%s[] = {\n" % n
    for i in range(0, len(names), 6):
        c += "    " + " ".join(cstr(x) + "," for x in names[i:i + 6]) + "\n"
    c += "    NULL};\n"
c += "\nconst struct filter_row filter_rows[FILTER_COUNT] = {\n"
for n, f in filters.items():
    c += "    {%s, FILTER_DEFAULT_%s, %s, calls_%s, %s},\n" % (
        cstr(n), f["default"].upper(), f["refuse"], n, " | ".join("FILTER_" + x.upper() for x in f["rules"]) or "0")
c += "};\n"
out = Out("gen_sandbox.py", "tables/sandbox.json")
out.c("src/sys/gen_sandbox.h", h)
out.c("src/sys/gen_sandbox.c", c)
md = "# Sandbox profiles\n\nGenerated from tables/sandbox.json.\n\n| profile | what | namespaces | root | user | seccomp | memory, processes |\n|---|---|---|---|---|---|---|\n"
for r in rows:
    md += "| %s | %s | %s | %s | %s | %s | %s |\n" % (
        r["name"], r["doc"], " ".join(r["namespaces"]) or "–", r["root"], r["uid"],
        ", then ".join(x for x in (r["filter"], r.get("confine", {}).get("filter")) if x) or "–",
        "%s MB, %s" % (r["memory_mb"] or "no limit of", r["pids"] or "no limit of"))
md += "\n## Seccomp lists\n\n| list | what | default | calls |\n|---|---|---|---|\n"
for n, f in filters.items():
    md += "| %s | %s | %s | %d |\n" % (n, f["doc"], {"allow": "allowed; the calls named get " + f["refuse"], "refuse": f["refuse"], "kill": "the process is killed"}[f["default"]], len(calls(f)))
out.raw("docs/generated/sandbox.md", md)
out.finish()
