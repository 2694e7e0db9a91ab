# SPDX-License-Identifier: Apache-2.0
"""Delta tables of Apache Spark with delta-spark read by us, ours by it, and tables that both write in turn: for each script of
tests/harness/delta_cases.py (a feature, a type, a kind of checkpoint, a statement) on local disk. Those and the scripts of
delta_cases_more.py through a warehouse: Spark reads what comes of them, both refuse the same, and feeds and row ids are equal.

    tools/setup --with spark
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import delta_cases_more  # noqa: E402
import delta_side  # noqa: E402
from boathouse import Platform  # noqa: E402
from delta_cases import CASES  # noqa: E402
from delta_side import Ours, Spark, bag, first, latest, make, more, step  # noqa: E402

if not (delta_side.SPARK_PYTHON.exists() and delta_side.DELTA_JARS.exists()):
    pytest.skip("Spark is not here; tools/setup --with spark gets it", allow_module_level=True)

# What a version holds differs where Spark takes more commits for one statement than we do (or the reverse); the last one counts.
OTHER_VERSIONS = {"row_tracking_late", "row_tracking_plain"}
ALL = CASES | delta_cases_more.CASES
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


@pytest.fixture(scope="module")
def theirs(spark, tmp_path_factory):
    """A script's table as Spark makes it, once."""
    root, done = tmp_path_factory.mktemp("theirs"), set()

    def get(name):
        if name not in done:
            assert make(spark, root, name, ALL[name]) is None
            done.add(name)
        return root / name
    return get


def same(spark, want, table):
    got = spark.read(table)
    assert "error" not in got, got
    assert got["columns"] == want["columns"] and got["types"] == want["types"]
    assert bag(got) == bag(want)


@pytest.mark.parametrize("name", CASES)
def test_read_write_and_both_in_turn(spark, theirs, tmp_path, name):
    theirs = theirs(name)
    if name not in NESTED_VARIANTS:
        deltacheck(theirs.parent, name)
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


class Warehouse:
    """Statements of one session; a table's name is that of its script."""

    def __init__(self, platform):
        self.platform, self.warehouse = platform, platform.connect["DATABRICKS_WAREHOUSE_ID"]
        self.session = platform.request("POST", "/api/2.0/sql/sessions", {"warehouse_id": self.warehouse}).json()["session_id"]
        self.ask("CREATE SCHEMA main.scripts")

    def ask(self, sql):
        got = self.platform.request("POST", "/api/2.0/sql/statements", {"warehouse_id": self.warehouse, "session_id": self.session, "statement": sql,
                                                                        "wait_timeout": "50s"}).json()
        if got["status"]["state"] != "SUCCEEDED":
            return {"error": got["status"]["error"]["message"]}
        return {"columns": [c["name"] for c in got["manifest"]["schema"].get("columns", [])], "rows": (got.get("result") or {}).get("data_array") or []}

    def run(self, sql, name, conf):
        for k, v in conf.items():
            assert "error" not in self.ask(f"SET {k} = {v}"), k
        got = self.ask(sql.replace("{t}", f"main.scripts.`{name}`"))
        for k in conf:
            self.ask(f"RESET {k}")
        return got

    def place(self, name):
        got = self.ask(f"DESCRIBE DETAIL main.scripts.`{name}`")
        return Path(got["rows"][0][got["columns"].index("location")].removeprefix("file://"))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("warehouse") / "data") as p:
        yield Warehouse(p)


def equal(warehouse, want, source, ids=False):
    """The same texts of the same rows. Row ids are fields of a hidden column here; which number a new row gets is each side's own affair."""
    texts = [t.replace("`row_", "_metadata.`row_") if ids else t for t in want["texts"]]
    got = warehouse.ask(f"SELECT {', '.join(texts)} FROM {source}")
    assert "error" not in got, got
    if ids:
        assert len({r[-2] for r in got["rows"]}) == len(got["rows"])
        got, want = ({"rows": [r[:-2] + r[-1:] for r in side["rows"]]} for side in (got, want))
    assert bag(got) == bag(want), source


@pytest.mark.parametrize("name", ALL)
def test_scripts_through_a_warehouse(spark, theirs, warehouse, name, tmp_path):
    case = theirs(name)
    if name in delta_cases_more.CASES:
        deltacheck(case.parent, name)
    for s in json.loads((case / "case.json").read_text())["steps"]:
        got = warehouse.run(s["sql"], name, s.get("conf") or {})
        if "class" in s:
            assert s["class"] in got.get("error", "nothing"), (s, got)
        else:
            assert "error" not in got, (s["sql"], got)
    want = spark.read(case / "delta")
    # Copied: Spark leaves files of its own beside a log.
    shutil.copytree(warehouse.place(name), tmp_path / "made")
    same(spark, want, tmp_path / "made")
    equal(warehouse, want, f"main.scripts.`{name}`")
    end = latest(case / "delta")
    if name in OTHER_VERSIONS or latest(tmp_path / "made") != end:
        return
    told = more(spark, case / "delta", range(first(case / "delta"), end + 1))
    for v, feed in told["feeds"].items():
        if "error" in feed:
            assert feed["error"] in warehouse.ask(f"SELECT * FROM table_changes('main.scripts.{name}', {v}, {v})").get("error", "nothing"), (v, feed)
        else:
            equal(warehouse, feed, f"table_changes('main.scripts.{name}', {v}, {v})")
    if told["ids"] and "error" not in told["ids"]:
        equal(warehouse, told["ids"], f"main.scripts.`{name}`", True)
