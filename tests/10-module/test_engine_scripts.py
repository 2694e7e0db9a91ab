# SPDX-License-Identifier: Apache-2.0
"""Scripts (BEGIN … END) in the engine by itself: tests/golden/sql_scripts.jsonl, one session from its first line to its last, has what
Spark answers to scripts, and what we answer where Spark has nothing (SIGNAL, GET DIAGNOSTICS). Then what a script may use up."""
import json, sys, time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "harness"))
from engine_peer import MIB, Engine, Failed  # noqa: E402


def answer(op, o):
    return {"relations": [None] * len(o["names"]), "seq": 1} if op == "resolve" else {"function": None} if op == "function" else {}


@pytest.fixture(scope="module")
def engine():
    with Engine(answer=answer) as e:
        e.session(conf={"timezone": "UTC"})
        yield e


def told(engine, sql, **more):
    s = engine.exec(sql, **more)
    try:
        rows = s.rows(60)
    except Failed as f:
        return {"class": f.cls, "state": f.error["sqlState"], "params": f.error.get("params", {})}
    return {"schema": "struct<%s>" % ",".join(f"{c['name']}:{c['type']}" for c in s.schema or []), "rows": rows}


def test_golden(engine):
    wrong, n = [], 0
    for line in (TESTS / "golden/sql_scripts.jsonl").read_text().splitlines():
        want = json.loads(line)
        sql = want.pop("sql")
        got = told(engine, sql)
        n += 1
        if got != want:
            wrong.append((sql, got, want))
    assert not wrong and n > 200, wrong[:5]


def test_errors_name_their_place(engine):
    s = engine.exec("BEGIN\n  DECLARE x INT DEFAULT 1;\n  SELECT x,\n    nowhere;\nEND")
    with pytest.raises(Failed) as f:
        s.wait()
    assert (f.value.cls, f.value.error["line"], f.value.error["pos"]) == ("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", 4, 4)


def test_the_last_query_is_the_result(engine):
    # A long result gives way to a short one, and a short one to a long one.
    assert engine.rows("BEGIN SELECT id, repeat('a', 100) FROM range(100000); SELECT id FROM range(3); END", spool_room=1 << 30) == [["0"], ["1"], ["2"]]
    assert len(engine.rows("BEGIN SELECT 'x'; SELECT id, repeat('a', 100) FROM range(100000); END")) == 100000
    s = engine.exec("BEGIN SELECT id, repeat('a', 100) FROM range(200000); SELECT 1 AS one; END", format="arrow", chunk_rows=1000)
    assert s.table().to_pydict() == {"one": [1]} and [x for _, x in s.states] == ["finished"]


def test_parameters_by_name(engine):
    params = [{"name": "n", "type": "INT", "value": "3"}]
    assert engine.rows("BEGIN DECLARE s INT DEFAULT 0; WHILE s < :n DO SET s = s + 1; END WHILE; SELECT s, :n; END", params=params) == [["3", "3"]]


def test_no_loop_is_without_end(engine):
    endless = "BEGIN DECLARE i BIGINT DEFAULT 0; LOOP SET i = i + 1; SELECT i, repeat('x', 10000); END LOOP; END"
    s = engine.exec(endless)
    time.sleep(1)
    before = engine.uss()
    time.sleep(2)
    assert engine.uss() < before + 64 * MIB  # rounds leave nothing behind
    engine.cancel(s)
    with pytest.raises(Failed) as f:
        s.wait(20)
    assert (f.value.state, f.value.cls) == ("canceled", "OPERATION_CANCELED")
    # Handlers catch neither a cancel nor the timeout.
    catcher = "BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; LOOP SELECT 1 / 0; END LOOP; END"
    with pytest.raises(Failed) as f:
        engine.exec(catcher, timeout_ms=1000).wait(30)
    assert f.value.cls == "STATEMENT_TIMEOUT"
    s = engine.exec("BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SELECT 'caught'; SELECT count(*) FROM range(100000000000) a JOIN range(1000) b ON a.id % 7 = b.id; END")
    time.sleep(0.5)
    engine.cancel(s)
    with pytest.raises(Failed) as f:
        s.wait(20)
    assert f.value.state == "canceled"
    assert engine.rows("SELECT 1") == [["1"]]


def nested(n, open_, close):
    return "BEGIN " + "".join(open_ % {"i": i} for i in range(n)) + "SELECT 1; " + close * n + "END"


def test_depth_is_bounded(engine):
    assert told(engine, nested(100, "BEGIN ", "END; "))["rows"] == [["1"]]
    assert told(engine, nested(200, "BEGIN ", "END; "))["class"] == "FAILED_TO_PARSE_TOO_COMPLEX"
    assert told(engine, nested(9, "FOR r%(i)d AS SELECT %(i)d AS c DO ", "END FOR; "))["rows"] == [["1"]]
    assert told(engine, nested(12, "FOR r%(i)d AS SELECT %(i)d AS c DO ", "END FOR; "))["class"] == "SQL_SCRIPT_TOO_MANY_OPEN_QUERIES"
    assert told(engine, "BEGIN " + "".join(f"DECLARE c{i} CURSOR FOR SELECT {i}; " for i in range(12)) + "".join(f"OPEN c{i}; " for i in range(12)) + "END")["class"] == "SQL_SCRIPT_TOO_MANY_OPEN_QUERIES"
    assert engine.rows("SELECT 2") == [["2"]]
