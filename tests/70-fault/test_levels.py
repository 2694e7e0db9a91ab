# SPDX-License-Identifier: Apache-2.0
"""The whole platform at every sandbox level, as root and as an ordinary user: it works, it is healed,
and its status says which level it is."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

from boathouse import BINARY, Platform  # noqa: E402

ORDINARY = 4242  # any uid that is not root's; nobody needs to have it


def exercise(p, level):
    status = p.request("GET", "/api/boathouse/status").json()
    assert status["sandbox_level"] == level
    assert p.request("POST", "/api/2.0/mlflow/experiments/create", {"name": f"/{level}"}).status_code == 200
    for role in ("control", "gateway", "courier"):
        assert p.kill9(role) == 1
        end = time.monotonic() + 20
        while True:
            try:
                if p.request("GET", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name=/{level}").status_code == 200:
                    break
            except OSError:
                pass
            assert time.monotonic() < end, p.log_tail()
            time.sleep(0.05)
    w = p.request("GET", "/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
    for n in (1, 2):
        r = p.request("POST", "/api/2.0/sql/statements", {"warehouse_id": w, "statement": f"SELECT {n} + count(*) FROM range(5)", "wait_timeout": "50s"}).json()
        assert r.get("result", {}).get("data_array") == [[str(n + 5)]], r
    connect = p.connect_path.read_text()
    assert "/data/tls" in connect and str(p.data) in connect
    p.cli("backup", "one")


@pytest.mark.parametrize("level", ["full", "user", "reduced"])
def test_level(tmp_path, level):
    if level == "full" and os.geteuid() != 0:
        pytest.skip("level full needs root")
    with Platform(tmp_path / "data", https=True, settings={"sandbox.level": level}) as p:
        exercise(p, level)
        owners = {f.stat().st_uid for f in p.data.rglob("*")}
        assert owners == {os.geteuid()}  # nothing on disk belongs to a sandbox's number


def test_full_is_refused_to_an_ordinary_user():
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        program = shutil.copy(BINARY, folder)
        done = subprocess.run([program, "serve", "--data", folder + "/d", "--http", "127.0.0.1:0", "--https", "off", "--set", "sandbox.level=full"],
                              capture_output=True, text=True, timeout=60, cwd="/", user=ORDINARY, group=ORDINARY, extra_groups=[])
        assert done.returncode == 2
        assert "sandbox level full does not work here" in done.stderr and "sandbox.level=user" in done.stderr


def test_as_ordinary_user():
    if os.geteuid() != 0:
        pytest.skip("runs as an ordinary user already")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, ORDINARY, ORDINARY)
        os.chmod(folder, 0o755)
        program = shutil.copy(BINARY, folder)
        for copy in (program, shutil.copy(str(BINARY) + "-engine", folder)):
            os.chmod(copy, 0o755)
        p = Platform(Path(folder) / "data", https=True, binary=program)
        command = p.command
        p.command = lambda: ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", *command()]
        p.data.mkdir()
        os.chown(p.data, ORDINARY, ORDINARY)
        with p:
            exercise(p, "user")
            assert {x.uids().effective for kind in p.processes().values() for x in kind} == {ORDINARY}
            assert {f.stat().st_uid for f in p.data.rglob("*") if "backups" not in f.parts} == {ORDINARY}
