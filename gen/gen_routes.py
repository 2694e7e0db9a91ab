#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""src/api/*/routes.json -> src/api/gen_routes.{h,c}, src/gateway/gen_doors.{h,c},
src/api/gen_openapi.c, docs/generated/routes.md, docs/generated/openapi.json.

A row: name, method, path (with {param}, last segment {param*} takes the rest), also (further
paths), lane (read|write|loop|work) or steps, file (meta|mlflow|history), auth
(user|none|admin|account_admin), scope (workspace|account|any), request, response (short schemas),
limit, stream, sdk, doc.

Short schema: {"field": type}; "field!" is required; type is string|int64|double|bool|any|object|
enum(A,B), [type], {fields}, or {"*": type} for a map."""
import glob, json, os, re
from common import ROOT, Out, cstr, table

out = Out("gen_routes.py", "the routes.json files below src/api")
KEYS = {"name", "method", "path", "also", "lane", "steps", "file", "auth", "scope", "request", "response", "limit", "stream", "scim", "sdk", "doc"}
rows = []
for f in sorted(glob.glob(os.path.join(ROOT, "src/api/*/routes.json"))):
    service = os.path.basename(os.path.dirname(f))
    if not glob.glob(os.path.join(os.path.dirname(f), "*.c")):
        continue  # a service is served once it has handlers
    t = json.load(open(f, encoding="utf-8"))
    for r in t["routes"]:
        bad = set(r) - KEYS
        assert not bad, "%s: %s: unknown keys %s" % (service, r["name"], bad)
        assert r.get("doc"), "%s: %s has no doc" % (service, r["name"])
        r["service"] = service
        rows.append(r)

schemas, decls = {}, []
T = {"string": "STRING", "int64": "INT64", "double": "DOUBLE", "bool": "BOOL", "any": "ANY", "object": "OBJECT"}


def field(name, ty):
    req = name.endswith("!")
    name = name.rstrip("!")
    values, sub, kind = None, "NULL", None
    if isinstance(ty, str):
        m = re.match(r"enum\((.*)\)$", ty)
        if m:
            kind, values = "ENUM", "|".join(x.strip() for x in m.group(1).split(","))
        else:
            kind = T[ty]
    elif isinstance(ty, list):
        kind, sub = "LIST", "&" + schema({"": ty[0]})
    elif isinstance(ty, dict) and set(ty) == {"*"}:
        kind, sub = "MAP", "&" + schema({"": ty["*"]})
    else:
        kind, sub = "OBJECT", "&" + schema(ty) if ty else "NULL"
    return "{%s, SCHEMA_%s, %s, %s, %s}" % (cstr(name), kind, "true" if req else "false", cstr(values), sub)


def schema(s):
    key = json.dumps(s, sort_keys=True)
    if key not in schemas:
        fs = [field(k, v) for k, v in s.items()]
        n = len(schemas)
        schemas[key] = "schema_%d" % n
        decls.append("static const struct schema_field fields_%d[] = {\n    %s};\nstatic const struct schema schema_%d = {fields_%d, %d};\n" % (
            n, ",\n    ".join(fs), n, n, len(fs)))
    return schemas[key]


fns, body = [], []
LANES = {"read": "READ", "write": "WRITE", "loop": "LOOP", "work": "WORK", "take": "TAKE"}
for r in rows:
    steps = r.get("steps") or [{"lane": r.get("lane", "read"), "fn": r["name"]}]
    cs = []
    for s in steps:
        if s["lane"] == "take":
            cs.append("{LANE_TAKE, NULL}")
        else:
            fn = "api_%s_%s" % (r["service"], s["fn"])
            if fn not in fns:
                fns.append(fn)
            cs.append("{LANE_%s, %s}" % (LANES[s["lane"]], fn))
    assert len(cs) <= 6, r["name"]
    for path in [r["path"]] + r.get("also", []):
        body.append("    {%s, %s, %s, %s, AUTH_%s, SCOPE_%s, STORE_%s, %d, %s, %s, %s, %s,\n     {%s}, %s,\n     %s},\n" % (
            cstr(r["service"]), cstr(r["name"]), cstr(r["method"]), cstr(path), r.get("auth", "user").upper(),
            r.get("scope", "workspace").upper(), r.get("file", "meta").upper(), r.get("limit", 0),
            "true" if r.get("stream") else "false", "true" if r.get("scim") else "false",
            "&" + schema(r["request"]) if r.get("request") else "NULL",
            "&" + schema(r["response"]) if r.get("response") else "NULL", ", ".join(cs), cstr(r.get("sdk")), cstr(r["doc"])))

h = "#ifndef BH_API_GEN_ROUTES_H\n#define BH_API_GEN_ROUTES_H\n\n#include \"rest/req.h\"\n\nextern const struct route_row route_rows[];\nextern const size_t route_rows_n;\n\n"
h += "".join("err *%s(struct req *r) BH_CHECK;\n" % f for f in fns) + "\n#endif\n"
out.c("src/api/gen_routes.h", h)
weak = "/* A row whose handler is not linked is not served; tests/00-unit/api_rows.c fails on one. */\n" + "".join("#pragma weak %s\n" % f for f in fns) + "\n"
out.c("src/api/gen_routes.c", '#include "api/gen_routes.h"\n\n' + weak + "\n".join(decls) + "\nconst struct route_row route_rows[] = {\n" + "".join(body) + "};\n\nconst size_t route_rows_n = sizeof(route_rows) / sizeof(route_rows[0]);\n")

doors = []
for r in rows:
    for path in [r["path"]] + r.get("also", []):
        if r.get("stream") or r.get("limit"):
            doors.append("    {%s, %s, %d, %s},\n" % (cstr(r["method"]), cstr(path), r.get("limit", 0), "true" if r.get("stream") else "false"))
out.c("src/gateway/gen_doors.h", """#ifndef BH_GATEWAY_GEN_DOORS_H
#define BH_GATEWAY_GEN_DOORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Routes whose bodies the gateway treats in another way than the default. */
struct door_row {
    const char *method, *path;
    int64_t limit; /* 0: the default */
    bool streamed;
};
extern const struct door_row door_rows[];
extern const size_t door_rows_n;

#endif
""")
out.c("src/gateway/gen_doors.c", '#include "gateway/gen_doors.h"\n\nconst struct door_row door_rows[] = {\n' + "".join(doors) + "    {0, 0, 0, false},\n};\n\nconst size_t door_rows_n = sizeof(door_rows) / sizeof(door_rows[0]) - 1;\n")


def oa(ty):
    """Short schema -> JSON schema."""
    if isinstance(ty, str):
        m = re.match(r"enum\((.*)\)$", ty)
        if m:
            return {"type": "string", "enum": [x.strip() for x in m.group(1).split(",")]}
        return {"string": {"type": "string"}, "int64": {"type": ["integer", "string"]}, "double": {"type": ["number", "string"]},
                "bool": {"type": "boolean"}, "any": {}, "object": {"type": "object"}}[ty]
    if isinstance(ty, list):
        return {"type": "array", "items": oa(ty[0])}
    if set(ty) == {"*"}:
        return {"type": "object", "additionalProperties": oa(ty["*"])}
    o = {"type": "object", "properties": {k.rstrip("!"): oa(v) for k, v in ty.items()}}
    req = [k.rstrip("!") for k in ty if k.endswith("!")]
    if req:
        o["required"] = req
    return o


paths = {}
for r in rows:
    p = re.sub(r"\{(\w+)\*\}", r"{\1}", r["path"])
    names = re.findall(r"\{(\w+)\}", p)
    op = {"operationId": "%s.%s" % (r["service"], r["name"]), "summary": r["doc"], "tags": [r["service"]],
          "parameters": [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names],
          "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": oa(r["response"])}}} if r.get("response") else {"description": "ok"},
                        "default": {"$ref": "#/components/responses/error"}}}
    if r.get("auth") == "none":
        op["security"] = []
    props = {k: v for k, v in (r.get("request") or {}).items() if k.rstrip("!") not in names}
    if props and r["method"] in ("GET", "HEAD", "DELETE"):
        op["parameters"] += [{"name": k.rstrip("!"), "in": "query", "required": k.endswith("!"), "schema": oa(v)} for k, v in props.items()]
    elif props:
        op["requestBody"] = {"content": {"application/json": {"schema": oa(props)}}}
    paths.setdefault(p, {})[r["method"].lower()] = op
doc = {"openapi": "3.1.0", "info": {"title": "Boathouse", "version": open(os.path.join(ROOT, "VERSION")).read().strip()},
       "security": [{"bearer": []}], "paths": paths,
       "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                      "responses": {"error": {"description": "An error", "content": {"application/json": {"schema": {
                          "type": "object", "required": ["error_code", "message"], "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}, "details": {"type": "array"}}}}}}}}}
text = json.dumps(doc, separators=(",", ":"), sort_keys=True)
out.raw("docs/generated/openapi.json", json.dumps(doc, indent=1, sort_keys=True) + "\n")
chunks = [text[i:i + 90] for i in range(0, len(text), 90)]
out.c("src/api/gen_openapi.c", '#include <stddef.h>\n\nextern const char openapi_text[];\nextern const size_t openapi_size;\n\n/* An array of characters: a string literal of this size is beyond what C promises. */\nconst char openapi_text[] = {\n' +
      "".join("    " + ",".join(str(b) for b in c.encode()) + ",\n" for c in chunks) + "    0};\nconst size_t openapi_size = sizeof(openapi_text) - 1;\n")
md = "# Routes\n\nGenerated from src/api/*/routes.json: %d routes.\n" % len(rows)
last = None
for r in rows:
    if r["service"] != last:
        last = r["service"]
        md += "\n## %s\n\n| method | path | who | what |\n|---|---|---|---|\n" % last
    md += "| %s | `%s` | %s | %s |\n" % (r["method"], r["path"], r.get("auth", "user"), r["doc"])
out.raw("docs/generated/routes.md", md)
out.finish()
