# SPDX-License-Identifier: Apache-2.0
"""Delta tables of Apache Spark with delta-spark read by us, ours by it, and tables that both write in turn: for each script of
tests/harness/delta_cases.py (a feature, a type, a kind of checkpoint, a statement) on local disk.

    tools/setup --with spark
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import delta_side  # noqa: E402
from delta_cases import CASES  # noqa: E402
from delta_side import Ours, Spark, bag, latest, make, step  # noqa: E402

if not (delta_side.SPARK_PYTHON.exists() and delta_side.DELTA_JARS.exists()):
    pytest.skip("Spark is not here; tools/setup --with spark gets it", allow_module_level=True)

# What a version holds differs where Spark takes more commits for one statement than we do (or the reverse); the last one counts.
OTHER_VERSIONS = {"row_tracking_late", "row_tracking_plain"}
# VACUUM with no retention takes files that the other's cached snapshot names.
NOT_IN_TURN = {"vacuum_default"}
# Expected files keep variants inside structs, arrays and maps in Spark's own form; Spark compares them below.
NESTED_VARIANTS = {"variants"}


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    s = Spark(tmp_path_factory.mktemp("spark"))
    assert s.ready.get("ready"), "Spark did not start"
    yield s
    s.close()


def deltacheck(folder, name):
    done = subprocess.run([delta_side.BUILD / "tests/harness/deltacheck", folder, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def same(spark, want, table):
    got = spark.read(table)
    assert "error" not in got, got
    assert got["columns"] == want["columns"] and got["types"] == want["types"]
    assert bag(got) == bag(want)


@pytest.mark.parametrize("name", CASES)
def test_read_write_and_both_in_turn(spark, tmp_path, name):
    assert make(spark, tmp_path / "corpus", name, CASES[name]) is None
    theirs = tmp_path / "corpus" / name
    if name not in NESTED_VARIANTS:
        deltacheck(tmp_path / "corpus", name)
    want = spark.read(theirs / "delta")
    # Ours alone: read by us at every version, by Spark at the last.
    ours = Ours(tmp_path / "made")
    try:
        for sql, conf in map(step, CASES[name]):
            got = ours.run(sql, tmp_path / "made" / name, conf)
            assert "error" not in got, (sql, got)
    finally:
        ours.close()
    same(spark, want, tmp_path / "made" / name)
    if name not in OTHER_VERSIONS | NESTED_VARIANTS:
        beside = tmp_path / "beside" / name
        shutil.copytree(theirs / "expected", beside / "expected")
        shutil.copy(theirs / "case.json", beside)
        shutil.copytree(tmp_path / "made" / name, beside / "delta")
        assert latest(beside / "delta") == latest(theirs / "delta")
        deltacheck(tmp_path / "beside", name)
    if name in NOT_IN_TURN:
        return
    for first in (0, 1):
        turns(spark, tmp_path / f"turns{first}", name, first)
        same(spark, want, tmp_path / f"turns{first}" / name)


def turns(spark, root, name, first):
    """Every second statement by Spark, the others by us."""
    ours = Ours(root)
    try:
        for i, (sql, conf) in enumerate(map(step, CASES[name])):
            who = spark if i % 2 == first else ours
            got = who.run(sql, root / name, conf)
            assert "error" not in got, (i, "Spark" if who is spark else "Boathouse", sql, json.dumps(got)[:500])
    finally:
        ours.close()
