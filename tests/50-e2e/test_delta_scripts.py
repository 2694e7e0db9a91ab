# SPDX-License-Identifier: Apache-2.0
"""Scripts over one Delta table through a warehouse. tests/golden/delta_scripts.jsonl has them with what Apache Spark with delta-spark made of
each: which steps it refused with which class, the latest version's number, its columns and rows as text, what its change feed holds."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[1] / "golden/delta_scripts.jsonl"
SCRIPTS = {s["name"]: s for s in map(json.loads, GOLDEN.read_text().splitlines())}


class Session:
    def __init__(self, platform):
        self.platform, self.warehouse = platform, platform.connect["DATABRICKS_WAREHOUSE_ID"]
        self.id = platform.request("POST", "/api/2.0/sql/sessions", {"warehouse_id": self.warehouse}).json()["session_id"]

    def __call__(self, sql):
        """(rows, message of the error or None)"""
        got = self.platform.request("POST", "/api/2.0/sql/statements", {"warehouse_id": self.warehouse, "session_id": self.id, "statement": sql,
                                                                        "wait_timeout": "50s"}).json()
        if got["status"]["state"] != "SUCCEEDED":
            return [], got["status"]["error"]["message"]
        self.columns = [c["name"] for c in got["manifest"]["schema"].get("columns", [])]
        return (got.get("result") or {}).get("data_array") or [], None


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("scripts") / "data") as p:
        s = Session(p)
        assert s("CREATE SCHEMA main.scripts")[1] is None
        yield s


def bag(rows):
    return sorted(json.dumps(r) for r in rows)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_ends_as_in_spark(session, name):
    script, table = SCRIPTS[name], f"main.scripts.`{name}`"
    for step in script["steps"]:
        for key, value in step.get("conf", {}).items():
            assert session(f"SET {key} = {value}")[1] is None
        rows, error = session(step["sql"].replace("{t}", table))
        for key in step.get("conf", {}):
            session(f"RESET {key}")
        assert (step["class"] in (error or "")) if "class" in step else error is None, (step, error)
        if "rows" in step:
            assert bag(rows) == bag(step["rows"]), step
    assert session(f"DESCRIBE HISTORY {table} LIMIT 1")[0][0][0] == str(script["latest"])
    rows, error = session(f"SELECT {', '.join(script['texts'])} FROM {table}")
    assert error is None and bag(rows) == bag(script["rows"])
    session(f"SELECT * FROM {table} LIMIT 0")
    assert session.columns == script["columns"]
    if "feed" in script:
        rows, error = session(f"SELECT {', '.join(script['feed']['texts'])} FROM table_changes('{table}', 0)")
        assert error is None and bag(rows) == bag(script["feed"]["rows"])
