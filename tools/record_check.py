#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks recordings of the server (setting test.record: a JSON line per exchange) against the route tables:
every answer must have the shape that its route declares. Lists the routes that no exchange hit.

    tools/record_check.py [--all-hit] RECORDING…

Needs jsonschema (the environment of tests has it). Exit 1 when an answer is wrong, or with --all-hit when a
route was never hit."""

import argparse
import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[1]
SCIM_ERROR = {"type": "object", "required": ["schemas", "detail", "status"], "additionalProperties": False,
              "properties": {"schemas": {"const": ["urn:ietf:params:scim:api:messages:2.0:Error"]}, "detail": {"type": "string", "minLength": 1},
                             "status": {"type": "string"}, "scimType": {"type": "string"}}}
DELTA_ERROR = {"type": "object", "required": ["error"], "additionalProperties": False, "properties": {"error": {
    "type": "object", "required": ["message", "type", "code"], "additionalProperties": False,
    "properties": {"message": {"type": "string", "minLength": 1}, "type": {"type": "string", "pattern": "Exception$"}, "code": {"type": "integer"},
                   "stack": {}}}}}
OAUTH_ERROR = {"type": "object", "required": ["error", "error_description"],
               "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}}}
MAX_SHOWN = 40


def exchanges(files):
    """(where, exchange) of every complete line."""
    for f in files:
        with open(f, encoding="utf-8") as lines:
            for n, line in enumerate(lines, 1):
                if line.endswith("\n"):  # a killed process leaves half a line
                    yield f"{f}:{n}", json.loads(line)


class Shapes:
    """The validators of the API description, by operation."""

    def __init__(self, spec):
        self.ok, self.all = {}, {}
        for path, methods in spec["paths"].items():
            for method, op in methods.items():
                self.all[op["operationId"]] = f"{method.upper()} {path}"
                answer = op["responses"]["200"].get("content", {}).get("application/json")
                self.ok[op["operationId"]] = Draft202012Validator(answer["schema"]) if answer else None
        self.error = Draft202012Validator(spec["components"]["responses"]["error"]["content"]["application/json"]["schema"])
        self.scim, self.oauth, self.delta = (Draft202012Validator(s) for s in (SCIM_ERROR, OAUTH_ERROR, DELTA_ERROR))

    def validator(self, x):
        """What the answer must be; None: anything."""
        if x["status"] < 400:
            return self.ok.get(x["operation"])
        if "scim" in x["type"]:
            return self.scim
        if x["operation"].startswith("delta.") and "/delta/v1/" in x.get("route", ""):
            return self.delta
        return self.oauth if x["operation"].startswith("identity.oauth_") and '"error":' in x["response"] else self.error


def mistake(shapes, x):
    """What is wrong with an exchange, or None."""
    if x["operation"] not in shapes.all:
        # No such route: the answer must say so in the common form.
        if x["status"] < 400:
            return f"{x['operation']} is in no route table"
    kind = x["type"].split(";")[0]
    if x["status"] in (204, 304) or 300 <= x["status"] < 400:
        return "a body" if x["response"] else None
    if not kind.endswith("json"):
        return None if kind.startswith(("text/", "application/")) else f"content type {kind}"
    if not x["response"]:
        return None  # streamed, or too large to be recorded
    try:
        body = json.loads(x["response"])
    except ValueError as e:
        return f"no JSON: {e}"
    check = shapes.validator(x)
    for e in check.iter_errors(body) if check else ():
        return f"{'.'.join(map(str, e.absolute_path)) or 'the body'}: {e.message[:200]}"
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--all-hit", action="store_true", help="a route that was never hit is a failure")
    p.add_argument("--quiet", action="store_true", help="only failures")
    p.add_argument("recording", nargs="+")
    a = p.parse_args()
    shapes = Shapes(json.loads((ROOT / "docs/generated/openapi.json").read_text(encoding="utf-8")))
    hit, wrong, n = set(), [], 0
    for where, x in exchanges(a.recording):
        n += 1
        if x["status"] < 400:
            hit.add(x["operation"])
        if why := mistake(shapes, x):
            wrong.append(f"{where}: {x['method']} {x['path']} -> {x['status']}: {why}")
    never = sorted(set(shapes.all) - hit)
    for line in wrong[:MAX_SHOWN]:
        print(line)
    if not a.quiet or a.all_hit:
        print(f"{n} exchanges, {len(wrong)} wrong; {len(hit & set(shapes.all))} of {len(shapes.all)} routes answered")
        for op in never:
            print(f"  never answered: {op}  {shapes.all[op]}")
    return 1 if wrong or (a.all_hit and never) else 0


if __name__ == "__main__":
    sys.exit(main())
