# SPDX-License-Identifier: Apache-2.0
"""Every door of the platform, from its own route table: what tests that must hold for all routes go through."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

# Doors of the gateway itself, which are in no route table: it scores without asking control.
GATEWAY = [("POST", "/serving-endpoints/{name}/invocations"), ("POST", "/serving-endpoints/{name}/served-models/{served}/invocations")]
PARAM = re.compile(r"\{(\w+)\*?\}")


def rows():
    """Rows of the route tables: (service, row) by (method, path), further paths too."""
    found = {}
    for f in sorted(ROOT.glob("src/api/*/routes.json")):
        for row in json.loads(f.read_text(encoding="utf-8"))["routes"]:
            for path in [row["path"], *row.get("also", [])]:
                found[row["method"], path] = (f.parent.name, row)
    return found


ROWS = rows()


class Door(NamedTuple):
    method: str
    path: str
    who: str  # user, none, admin or "account admin"

    @property
    def scim(self):
        return "/scim/" in self.path

    @property
    def fields(self):
        """Names of the fields that query and body may have."""
        _, row = ROWS.get((self.method, self.path), (None, {}))
        return {name.rstrip("!") for name in row.get("request") or {}} - set(PARAM.findall(self.path))

    def url(self, values=None, default="1"):
        """The path with its parameters filled in; a value may be a function of the door."""
        return PARAM.sub(lambda m: str((values or {}).get(m[1], default)), self.path)


def all_doors(binary):
    out = subprocess.run([str(binary), "routes"], capture_output=True, text=True, timeout=60, check=True).stdout
    doors = []
    for line in out.splitlines():
        m = re.match(r"(\S+)\s+(\S+)\s+(account admin|admin|user|none)\s", line)
        assert m, line
        doors.append(Door(*m.groups()))
    assert len(doors) > 200
    return doors + [Door(method, path, "user") for method, path in GATEWAY]
