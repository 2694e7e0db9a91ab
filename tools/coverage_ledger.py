#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which operations of databricks-sdk are served: recordings of the end-to-end tests -> docs/coverage.md.

    tools/coverage_ledger.py [--print] RECORDING…

Operations are the public methods of the services of WorkspaceClient and AccountClient as the installed package
has them, without the waiting twins (*_and_wait, wait_*) and what is composed of others. One counts as served when a recorded exchange of a
route row with its name (`sdk`) succeeded and
  - a reading one answered with something, and not always with the same;
  - a changing one has a step that writes (the row's lane), and answered with success.
One whose every recorded answer is empty or the same counts as not done and is listed."""

import argparse
import inspect
import json
import sys
import typing
from collections import defaultdict
from pathlib import Path

from record_check import exchanges

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/coverage.md"
# One route row serves the permissions of every type of object; the package has operations of its own for each.
PERMISSIONS_OF = {"serving-endpoints": "serving_endpoints", "experiments": "experiments", "registered-models": "model_registry",
                  "warehouses": "warehouses", "authorization": "token_management"}
PERMISSION_VERBS = {"permissions.get": "get_permissions", "permissions.set": "set_permissions", "permissions.update": "update_permissions",
                    "permissions.get_permission_levels": "get_permission_levels"}
# What is the same each time because it is: who asks, what there is one of, what a type of object can be granted.
SAME_BY_NATURE = (".me", ".current", ".summary", ".get_permission_levels", "metastores.get", "metastores.list")
NOT_SERVICES = {"config", "api_client", "dbutils", "get_workspace_client", "get_workspace_id"}


def services(cls, prefix=""):
    """(name, class) of each service property of a client class, nested ones too."""
    for name, prop in inspect.getmembers(cls, lambda m: isinstance(m, property)):
        if name.startswith("_") or name in NOT_SERVICES:
            continue
        module = sys.modules[prop.fget.__module__]
        kind = typing.get_type_hints(prop.fget, vars(module)).get("return")
        if inspect.isclass(kind) and kind.__module__.startswith("databricks.sdk"):
            yield prefix + name, kind
            yield from services(kind, f"{prefix}{name}.")


def operations():
    """{"workspace users.list", "account workspaces.get", …} of the installed package."""
    from databricks.sdk import AccountClient, WorkspaceClient
    found = set()
    for client, cls in (("workspace", WorkspaceClient), ("account", AccountClient)):
        for service, kind in services(cls):
            # What the package adds to the generated services is made of their operations.
            generated = {n for c in kind.__mro__ if c.__module__.startswith("databricks.sdk.service.") for n in vars(c)}
            for name, _ in inspect.getmembers(kind, inspect.isfunction):
                if name in generated and not name.startswith(("_", "wait_")) and not name.endswith("_and_wait"):
                    found.add(f"{client} {service}.{name}")
    return found


def rows():
    """{operation id: row} of the route tables."""
    found = {}
    for f in sorted(ROOT.glob("src/api/*/routes.json")):
        for row in json.loads(f.read_text(encoding="utf-8"))["routes"]:
            found[f"{f.parent.name}.{row['name']}"] = row
    return found


def writes(row):
    lanes = {s["lane"] for s in row.get("steps", [])} or {row.get("lane", "read")}
    return bool(lanes & {"write", "take", "loop", "work"})


def empty(text):
    """An answer that says nothing: no field, or only empty lists and zeros."""
    if not text:
        return True
    try:
        body = json.loads(text)
    except ValueError:
        return False
    if isinstance(body, dict):
        body = [v for k, v in body.items() if k not in ("schemas", "totalResults", "startIndex", "itemsPerPage")]
    return not any(v not in ([], {}, "", 0, None) for v in body) if isinstance(body, list) else body in ("", None)


class Ledger:
    def __init__(self, known, table):
        self.known, self.table = known, table
        self.answers, self.named = defaultdict(set), set()
        for op, row in table.items():
            if not row.get("sdk"):
                continue
            for path in [row["path"], *row.get("also", [])]:
                self.named |= self.names(row, path, PERMISSIONS_OF) & known

    @staticmethod
    def names(row, path, types):
        """The package's names of a row on one of its paths; types: of the objects, where it is a row of permissions."""
        found = {("account " if path.startswith("/api/2.0/accounts/{account_id}") else "workspace ") + row["sdk"]}
        if row["sdk"] in PERMISSION_VERBS:
            found |= {f"workspace {PERMISSIONS_OF[t]}.{PERMISSION_VERBS[row['sdk']]}" for t in types if t in PERMISSIONS_OF}
        if row["sdk"].startswith("service_principal_secrets.") and path.startswith("/api/2.0/accounts/servicePrincipals/"):
            found = {"workspace " + row["sdk"].replace("secrets.", "secrets_proxy.")}
        return found

    def add(self, x):
        row = self.table.get(x["operation"])
        if row and row.get("sdk") and x["status"] < 400:
            streamed = bool(row.get("steps")) and x["type"] == "application/octet-stream"
            for name in self.names(row, x["route"], x["path"].split("/")):
                self.answers[name, x["operation"]].add((x["response"], streamed))

    def served(self):
        done, same = set(), set()
        for (name, op), told in self.answers.items():
            row = self.table[op]
            changing = row["method"] not in ("GET", "HEAD")
            if changing and writes(row):
                good = True
            else:
                good = (len(told) > 1 or "." not in name or name.endswith(SAME_BY_NATURE)) and any(
                    streamed or not empty(text) for text, streamed in told)
            (done if good else same).add(name)
        return done & self.known, (same - done) & self.known


def page(known, named, done, same, version):
    per = defaultdict(lambda: [0, 0])
    for name in known:
        service = name.rpartition(".")[0]
        per[service][1] += 1
        per[service][0] += name in done
    out = ["# What of databricks-sdk is served", "",
           "Made by `tools/coverage_ledger.py` from recordings of the end-to-end tests; how an operation comes to count is said there.", "",
           f"**{len(done)} of {len(known)} operations** of databricks-sdk {version}, in {sum(1 for a, _ in per.values() if a)} of {len(per)} services.", "",
           "| service | served | of | missing |", "|---|---|---|---|"]
    for service in sorted(per, key=lambda s: (-per[s][0] / per[s][1], s)):
        n, of = per[service]
        if n:
            missing = sorted(k.rpartition(".")[2] for k in known - done if k.rpartition(".")[0] == service)
            out.append(f"| {service} | {n} | {of} | {', '.join(missing)} |")
    none = sorted(s for s, (n, _) in per.items() if not n)
    out += ["", f"Services of which nothing is served yet ({len(none)}): " + ", ".join(none) + ".", "", "## Not counted", "",
            "Answered, but with nothing or always with the same in the recordings: " + (", ".join(sorted(same)) or "none") + ".", "",
            "Named by a route row, but never answered in the recordings: " + (", ".join(sorted(named - done - same)) or "none") + ".", "",
            "Answered by the gateway, whose exchanges are not recorded: workspace serving_endpoints.query (tests/50-e2e/test_serving_flow.py).", ""]
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--print", action="store_true", help="to the standard output instead of docs/coverage.md")
    p.add_argument("recording", nargs="+")
    a = p.parse_args()
    from databricks.sdk.version import __version__ as version
    ledger = Ledger(operations(), rows())
    for _, x in exchanges(a.recording):
        ledger.add(x)
    done, same = ledger.served()
    text = page(ledger.known, ledger.named, done, same, version)
    if a.print:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{len(done)} of {len(ledger.known)} operations; {PAGE.relative_to(ROOT)} written")
    unknown = sorted(f"{op}: {row['sdk']}" for op, row in ledger.table.items() if row.get("sdk") and not any(
        ledger.names(row, path, ()) & ledger.known for path in [row["path"], *row.get("also", [])]))
    for line in unknown:
        print(f"no such operation in databricks-sdk: {line}", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
