# SPDX-License-Identifier: Apache-2.0
"""The gateway answers from facts alone: nothing that it is linked from knows a store. Seen in the objects: whatever
src/gateway needs, it and what that needs in turn, is found in libraries other than the store's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import BINARY  # noqa: E402


def symbols(library):
    """(defined, needed) names of all members."""
    out = subprocess.run(["nm", "-P", "-g", library], capture_output=True, text=True, check=True).stdout
    found = [m.groups() for m in re.finditer(r"^(\S+) ([A-Za-z])", out, re.M)]
    defined = {name for name, kind in found if kind not in "Uvw"}
    return defined, {name for name, kind in found if kind == "U"} - defined


def test_gateway_is_linked_without_a_store():
    libraries = {p.stem[3:]: symbols(p) for p in BINARY.parent.glob("libbh_*.a")}
    if "bh_gateway" not in libraries:
        pytest.skip("there are no libraries beside the program")
    owner = {name: lib for lib, (defined, _) in libraries.items() for name in defined}
    reached, queue, outside = {"bh_gateway": "itself"}, ["bh_gateway"], set()
    while queue:
        lib = queue.pop()
        for name in libraries[lib][1]:
            other = owner.get(name)
            if not other:
                outside.add(name)
            elif other not in reached:
                reached[other] = f"{name} of {lib}"
                queue.append(other)
    above = {"bh_store", "bh_rest", "bh_identity", "bh_catalog", "bh_files", "bh_mlflow", "bh_serving", "bh_api", "bh_main", "bh_supervisor"}
    assert not above & set(reached), {k: v for k, v in reached.items() if k in above}
    assert {"bh_policy", "bh_plan", "bh_net", "bh_ipc", "bh_base"} <= set(reached)
    assert not [n for n in outside if n.startswith(("sqlite3_", "sqlcipher", "store_", "ent_"))]
