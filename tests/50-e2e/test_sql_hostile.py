# SPDX-License-Identifier: Apache-2.0
"""An engine that has been taken over: what it tells of results, and asks for, is bounded by control; the statement fails, the engine is
killed, the warehouse goes on. The program is tests/harness/hostile; what it does is in the statement's text."""
import io
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from databricks.sdk.service import catalog

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import boathouse  # noqa: E402
from statements import another  # noqa: E402

BUILD = Path(os.environ.get("BOATHOUSE_BUILD") or boathouse.ROOT / "build/release")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    top = tmp_path_factory.mktemp("hostile")
    program = BUILD / "tests/harness/hostile_engine"
    if not program.exists():
        pytest.skip("the program hostile_engine is not built")
    shutil.copy2(boathouse.BINARY, top / "boathouse")
    shutil.copy2(program, top / "boathouse-engine")
    with boathouse.Platform(top / "data", binary=top / "boathouse", settings={"sql.spool_limit": "1GiB"}) as p:
        yield p


def run(p, text, token=None):
    r = p.request("POST", "/api/2.0/sql/statements", {"warehouse_id": p.connect["DATABRICKS_WAREHOUSE_ID"], "statement": text, "wait_timeout": "50s"}, token=token)
    assert r.status_code == 200, r.text
    return r.json()


def goes_on(p):
    assert run(p, "honest")["result"]["data_array"] == [["honest"]]


def descriptors(p):
    return len(list(Path(f"/proc/{p.processes('control')[0].pid}/fd").iterdir()))


def test_the_program_is_an_engine(platform):
    goes_on(platform)


@pytest.mark.parametrize("act,said", [("files", "a second file for one result"), ("huge", "chunks of a result"), ("beyond", "chunks of a result"),
                                      ("twice", "chunks of a result"), ("rows apart", "chunks of a result"), ("empty", "chunks of a result"),
                                      ("progress", "chunks of a result"), ("greedy", "chunks of a result"), ("questions", "more questions"), ("untold", "tells nothing of")])
def test_what_it_may_not_do(platform, act, said):
    p = platform
    goes_on(p)
    before, at = descriptors(p), len(p.log())
    r = run(p, act)
    assert r["status"]["state"] == "FAILED" and "[ENGINE_LOST]" in r["status"]["error"]["message"], r
    end = time.monotonic() + 30
    while said not in p.log()[at:] and time.monotonic() < end:
        time.sleep(0.05)
    assert said in p.log()[at:]
    goes_on(p)
    while descriptors(p) > before + 4 and time.monotonic() < end:
        time.sleep(0.05)
    assert descriptors(p) <= before + 4
    # Nothing of it counts against the space for results: what it claimed was never there.
    assert run(p, "honest")["status"]["state"] == "SUCCEEDED"


@pytest.mark.parametrize("act,answer", [("memory", "it did not grow"), ("name", "not named")])
def test_what_it_cannot_do(platform, act, answer):
    assert run(platform, act)["result"]["data_array"] == [[answer]]


def test_bytes_of_volumes(platform):
    """One blob at a time, of what the principal may read, and nothing but reading."""
    p, sdk = platform, platform.sdk()
    for name, body in (("mine", b"my bytes"), ("theirs", b"their bytes")):
        sdk.volumes.create("main", "default", name, catalog.VolumeType.MANAGED)
        sdk.files.upload(f"/Volumes/main/default/{name}/f", io.BytesIO(body))
    who, client, _ = another(p, "hostile")
    token = client.config.authenticate()["Authorization"].split()[1]
    sdk.grants.update("volume", "main.default.mine", changes=[catalog.PermissionsChange(add=[catalog.Privilege.READ_VOLUME], principal=who)])

    def blob(what):
        return run(p, f"blob {what}", token)["result"]["data_array"]
    mine, theirs = "/Volumes/main/default/mine/f", "/Volumes/main/default/theirs/f"
    assert blob(mine) == [["my bytes"]]
    assert sdk.files.download(mine).contents.read() == b"my bytes"
    for other in (theirs, theirs + " as " + theirs, "/Volumes/main/default/mine/../theirs/f", "/Volumes/.id/2/f"):
        assert blob(other) == [["refused"]], other
    assert blob(f"{theirs} as {mine}") == [["listed and refused"]]
    assert blob(f"{mine} as {theirs}") == [["refused"]]  # it knows no id of the content
    sdk.files.upload("/Volumes/main/default/mine/g", io.BytesIO(b"other"))
    assert blob("/Volumes/main/default/mine/g as " + mine) == [["listed and refused"]]
