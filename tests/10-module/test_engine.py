# SPDX-License-Identifier: Apache-2.0
"""The program boathouse-engine by itself: statements, results in every form, limits, ends. This test plays control."""
import json, os, signal, struct, sys, threading, time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from engine_peer import MIB, Engine, Failed  # noqa: E402

SLOW = "SELECT count(*) FROM range(100000000000) a JOIN range(1000) b ON a.id % 7 = b.id"


@pytest.fixture(scope="module")
def engine():
    with Engine() as e:
        e.session()
        yield e


def fails(engine, sql, **more):
    with pytest.raises(Failed) as x:
        engine.exec(sql, **more).wait(120)
    return x.value


# ---- results ----

def test_a_query(engine):
    s = engine.exec("SELECT 1 AS a, 'x' AS b, CAST(NULL AS INT) AS c")
    assert s.rows() == [["1", "x", None]]
    assert [(c["name"], c["type"], c["nullable"]) for c in s.schema] == [("a", "int", False), ("b", "string", False), ("c", "int", True)]
    assert s.last[1]["statement_type"] == "SELECT" and not s.last[1]["truncated"]


TYPES = """SELECT true AS bo, 1Y AS ti, 2S AS si, 3 AS i, 4L AS l, CAST(1.5 AS FLOAT) AS f, 2.5D AS d, 12.34BD AS de,
CAST(123456789012345678901234.5 AS DECIMAL(30,1)) AS de2, 'é' AS s, X'00FF' AS bin, DATE'2024-02-29' AS dt,
TIMESTAMP'2024-02-29 12:34:56.789' AS ts, TIMESTAMP_NTZ'2024-02-29 12:34:56.789' AS n, array(1, NULL, 3) AS a,
map('k', 1) AS m, named_struct('x', 1, 'y', 'z') AS st, NULL AS nu"""


def test_arrow_has_sparks_types(engine):
    import datetime, decimal
    t = engine.exec(TYPES, format="arrow", native=7).table()
    types = {f.name: str(f.type) for f in t.schema}
    assert types == {"bo": "bool", "ti": "int8", "si": "int16", "i": "int32", "l": "int64", "f": "float", "d": "double",
                     "de": "decimal128(4, 2)", "de2": "decimal128(30, 1)", "s": "string", "bin": "binary", "dt": "date32[day]",
                     "ts": "timestamp[us, tz=Etc/UTC]", "n": "timestamp[us]", "a": "list<element: int32>", "m": "map<string, int32>",
                     "st": "struct<x: int32 not null, y: string not null>", "nu": "string"}
    row = {k: v[0] for k, v in t.to_pydict().items()}
    assert row["de"] == decimal.Decimal("12.34") and row["de2"] == decimal.Decimal("123456789012345678901234.5")
    assert (row["bo"], row["ti"], row["si"], row["i"], row["l"], row["f"], row["d"]) == (True, 1, 2, 3, 4, 1.5, 2.5)
    assert (row["s"], row["bin"], row["dt"]) == ("é", b"\x00\xff", datetime.date(2024, 2, 29))
    assert row["ts"] == datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=datetime.timezone.utc)
    assert row["n"] == datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
    assert (row["a"], row["m"], row["st"], row["nu"]) == ([1, None, 3], [("k", 1)], {"x": 1, "y": "z"}, None)
    assert t.schema.field("de").metadata[b"Spark:DataType:SqlName"] == b"DECIMAL(4,2)"


def test_arrow_as_strings_where_not_native(engine):
    t = engine.exec(TYPES, format="arrow", native=0).table()
    types = {f.name: str(f.type) for f in t.schema}
    assert {types[k] for k in ("de", "ts", "n", "a", "m", "st")} == {"string"} and types["dt"] == "date32[day]"
    row = {k: v[0] for k, v in t.to_pydict().items()}
    assert (row["de"], row["a"], json.loads(row["st"]), json.loads(row["m"])) == ("12.34", "[1,null,3]", {"x": 1, "y": "z"}, {"k": 1})


def test_a_session_zone_is_the_arrow_type_s(engine):
    engine.session("zone", conf={"timezone": "Europe/Berlin"})
    t = engine.exec("SELECT TIMESTAMP'2024-07-01 12:00:00' AS t", session="zone", format="arrow").table()
    assert str(t.schema.field("t").type) == "timestamp[us, tz=Europe/Berlin]"
    assert t.column(0)[0].as_py().isoformat() == "2024-07-01T12:00:00+02:00"
    assert engine.rows("SELECT CAST(TIMESTAMP'2024-07-01 12:00:00' AS STRING)", session="zone") == [["2024-07-01 12:00:00"]]


def test_json_has_times_with_their_offset_and_bytes_as_hexadecimal(engine):
    q = "SELECT TIMESTAMP'2024-07-01 12:00:00' AS a, TIMESTAMP'2024-01-01 00:00:00.123456' AS b, TIMESTAMP_NTZ'2024-01-01 00:00:00.5' AS c, X'00ff' AS d, DATE'2024-01-02' AS e"
    engine.session("iso", conf={"timezone": "Europe/Berlin"})
    assert engine.rows(q, session="iso") == [["2024-07-01T12:00:00.000+02:00", "2024-01-01T00:00:00.123456+01:00", "2024-01-01T00:00:00.500", "00FF", "2024-01-02"]]
    assert engine.rows(q)[0][:2] == ["2024-07-01T12:00:00.000Z", "2024-01-01T00:00:00.123456Z"]


def test_batches_streams_and_auto(engine):
    import pyarrow as pa
    q = "SELECT id, CAST(id AS STRING) AS s FROM range(300000)"
    want = list(range(300000))
    s = engine.exec(q, format="arrow", form="batches", chunk_rows=50000)
    o = s.wait()
    assert o["form"] == "batches" and [c[2] for c in s.chunks] == [50000] * 6 and [c[3] for c in s.chunks] == list(range(0, 300000, 50000))
    data = s.arrow_schema + b"".join(s.bytes(i) for i in range(len(s.chunks)))
    assert pa.ipc.open_stream(data + b"\xff\xff\xff\xff\0\0\0\0").read_all().column(0).to_pylist() == want
    s = engine.exec(q, format="arrow", form="auto", inline_bytes=1 << 30)
    assert s.wait()["form"] == "batches"
    s = engine.exec(q, format="arrow", form="auto", inline_bytes=1 << 20, chunk_bytes=1 << 19)
    assert s.table().column(0).to_pylist() == want and s.last[1]["form"] == "streams"


def test_lz4_frames(engine):
    import pyarrow as pa
    s = engine.exec("SELECT id, 'a' AS s FROM range(200000)", format="arrow", form="streams", lz4=True)
    s.wait()
    rows = 0
    for i, c in enumerate(s.chunks):
        assert c[1] < c[4]
        raw = pa.input_stream(pa.BufferReader(s.bytes(i)), compression="lz4").read()
        assert len(raw) == c[4]
        rows += pa.ipc.open_stream(raw).read_all().num_rows
    assert rows == 200000


@pytest.mark.parametrize("lz4", [False, True])
def test_batches_keep_nothing_of_the_one_before(engine, lz4):
    """The memory of a batch is used again: NULLs, texts, elements and bits of one must not show in the next."""
    import pyarrow as pa
    s = engine.exec("SELECT IF(id DIV 20000 = 1 AND id % 3 = 0, NULL, id) AS n, IF(id < 20000, id % 2 = 0, id % 5 = 0) AS b, "
                    "IF(id >= 60000, NULL, repeat('x', CAST(id % 7 AS INT))) AS s, IF(id % 40000 = 1, NULL, CAST(id AS DECIMAL(20, 1))) AS d, "
                    "IF(id DIV 20000 = 2, NULL, array(id, NULL)) AS a, named_struct('k', IF(id DIV 20000 = 1, NULL, id)) AS k, CAST(NULL AS STRING) AS z "
                    "FROM range(80000)", format="arrow", chunk_rows=20000, native=7 | 16, lz4=lz4)
    s.wait()
    assert [c[2] for c in s.chunks] == [20000] * 4
    raw = [pa.input_stream(pa.BufferReader(s.bytes(i)), compression="lz4").read() if lz4 else s.bytes(i) for i in range(4)]
    assert [len(x) for x in raw] == [c[4] for c in s.chunks]
    tables = [pa.ipc.open_stream(x).read_all() for x in raw]
    for t in tables:
        t.validate(full=True)
    got = pa.concat_tables(tables).to_pydict()
    ids = range(80000)
    assert got["n"] == [None if i // 20000 == 1 and i % 3 == 0 else i for i in ids]
    assert got["b"] == [i % 2 == 0 if i < 20000 else i % 5 == 0 for i in ids]
    assert got["s"] == [None if i >= 60000 else "x" * (i % 7) for i in ids]
    assert got["d"] == [None if i % 40000 == 1 else i for i in ids]
    assert got["a"] == [None if i // 20000 == 2 else [i, None] for i in ids]
    assert got["k"] == [{"k": None if i // 20000 == 1 else i} for i in ids]
    assert got["z"] == [None] * 80000


@pytest.mark.parametrize("how", ["plain", "lz4", "lz4_if_smaller"])
def test_a_chunk_of_many_blocks_moves_to_a_larger_spool(engine, how):
    """Random bytes do not get smaller: a chunk of 4 MiB is written in pieces, and the spool's room ends in the middle of one."""
    import pyarrow as pa
    q, before = "SELECT id * 7919 % 500009 AS id, xxhash64(id, 1) AS h, xxhash64(id, 2) AS i FROM range(500000)", len(engine.asked)
    s = engine.exec(q, format="arrow", chunk_bytes=4 << 20, chunk_rows=1 << 30, lz4=how != "plain", lz4_if_smaller=how == "lz4_if_smaller", spool_room=3 << 19)
    assert "plain" not in s.wait()
    assert [op for op, _ in engine.asked[before:]] == ["spool"]
    assert len(s.chunks) == 3 and [c[0] for c in s.chunks] == [0, s.chunks[0][1], s.chunks[0][1] + s.chunks[1][1]]
    raw = [s.bytes(i) if how == "plain" else pa.input_stream(pa.BufferReader(s.bytes(i)), compression="lz4").read() for i in range(3)]
    assert [len(x) for x in raw] == [c[4] for c in s.chunks]
    t = pa.concat_tables(pa.ipc.open_stream(x).read_all() for x in raw)
    assert t.column(0).to_pylist() == [i * 7919 % 500009 for i in range(500000)]
    h = t.column(1).to_pylist()
    assert [list(map(int, r)) for r in engine.rows(f"SELECT sum(h % 1000003), max(h), min(h) FROM ({q})")] == [
        [sum(x % 1000003 if x >= 0 else -(-x % 1000003) for x in h), max(h), min(h)]]


@pytest.mark.parametrize("if_smaller", [False, True])
def test_frames_that_are_no_smaller_are_given_up_where_the_client_leaves_it(engine, if_smaller):
    import pyarrow as pa
    before = len(engine.asked)
    s = engine.exec("SELECT xxhash64(id, 1) AS h, xxhash64(id, 2) AS i FROM range(500000)", format="arrow", chunk_bytes=4 << 20, chunk_rows=1 << 30, lz4=True,
                    lz4_if_smaller=if_smaller, spool_room=3 << 19)
    assert s.wait().get("plain", False) is if_smaller and [op for op, _ in engine.asked[before:]] == ["spool"]
    assert [c[1] == c[4] for c in s.chunks] == [if_smaller] * 2 and s.chunks[1][0] == s.chunks[0][1]
    raw = [s.bytes(i) if if_smaller else pa.input_stream(pa.BufferReader(s.bytes(i)), compression="lz4").read() for i in range(2)]
    t = pa.concat_tables(pa.ipc.open_stream(x).read_all() for x in raw)
    assert t.num_rows == 500000 and [t.column(0)[i].as_py() for i in (0, 499999)] == [int(r[0]) for r in engine.rows("SELECT xxhash64(id, 1) FROM range(500000) WHERE id IN (0, 499999) ORDER BY id")]


def test_csv(engine):
    s = engine.exec("SELECT concat('id-', id) AS strCol, id AS intCol, CAST(NULL AS STRING) AS nullCol, 'a\"b,c' AS q, 'null' AS w "
                    "FROM range(3)", format="csv", chunk_rows=2)
    s.wait()
    assert [s.bytes(i).decode() for i in range(2)] == [
        'strCol,intCol,nullCol,q,w\r\nid-0,0,null,"a""b,c","null"\r\nid-1,1,null,"a""b,c","null"\r\n',
        'id-2,2,null,"a""b,c","null"\r\n']


def test_column_sets(engine):
    s = engine.exec("SELECT CAST(id AS INT) AS i, IF(id = 1, NULL, 'x') AS s, CAST(0.1 AS FLOAT) AS f FROM range(3)", format="columns")
    s.wait()
    i32 = struct.pack(">bi", 12, 3)
    want = i32
    want += b"\x0c\x00\x04\x0f\x00\x01\x08" + struct.pack(">i3i", 3, 0, 1, 2) + b"\x0b\x00\x02\x00\x00\x00\x01\x00\x00\x00"
    want += b"\x0c\x00\x07\x0f\x00\x01\x0b" + struct.pack(">i", 3) + b"\0\0\0\x01x" + b"\0\0\0\0" + b"\0\0\0\x01x" + b"\x0b\x00\x02\x00\x00\x00\x01\x02\x00\x00"
    want += b"\x0c\x00\x06\x0f\x00\x01\x04" + struct.pack(">i3d", 3, 0.1, 0.1, 0.1) + b"\x0b\x00\x02\x00\x00\x00\x01\x00\x00\x00"
    assert s.bytes(0) == want


def test_no_rows_is_a_schema_without_chunks(engine):
    s = engine.exec("SELECT 1 AS a WHERE false", format="arrow")
    assert s.table().num_rows == 0 and s.chunks == [] and s.last[1]["has_result"]


def test_row_and_byte_limits(engine):
    s = engine.exec("SELECT id FROM range(100000)", row_limit=10)
    assert len(s.rows()) == 10 and s.last[1]["truncated"]
    s = engine.exec("SELECT id FROM range(10)", row_limit=10)
    assert len(s.rows()) == 10 and not s.last[1]["truncated"]
    s = engine.exec("SELECT repeat('x', 1000) FROM range(100000)", byte_limit=1 << 20, chunk_bytes=1 << 18)
    assert 0 < len(s.rows()) < 2000 and s.last[1]["truncated"] and s.last[1]["bytes"] <= 1 << 20
    assert fails(engine, "SELECT repeat('x', 1000) FROM range(100000)", byte_limit=1 << 20, byte_limit_fails=True).cls == "INLINE_BYTE_LIMIT_EXCEEDED"


def test_first_rows_before_the_last_is_computed(engine):
    s = engine.exec("SELECT id, repeat('x', 100) FROM range(3000000)", format="arrow", chunk_bytes=1 << 20)
    s.wait(120)
    kinds = [k for _, k in s.states]
    assert kinds[0] == "running" and kinds[-1] == "finished" and len(kinds) > 3


# ---- parameters, settings, session ----

def test_parameters(engine):
    p = [{"name": "a", "type": "INT", "value": "5"}, {"name": "d", "type": "DECIMAL(5,2)", "value": "1.50"}, {"name": "n", "type": "", "value": None}]
    s = engine.exec("SELECT :a + 1 AS x, :d AS d, :n AS n", params=p)
    assert s.rows() == [["6", "1.50", None]] and [c["type"] for c in s.schema][:2] == ["int", "decimal(5,2)"]
    assert engine.rows("SELECT ? || ?", params=[{"name": "", "type": "STRING", "value": "a'"}, {"name": "", "type": "STRING", "value": "b"}]) == [["a'b"]]


def test_settings_of_a_session_and_of_one_statement(engine):
    engine.session("set")
    assert engine.rows("SET TIME ZONE 'Asia/Tokyo'", session="set")[0][1] == "Asia/Tokyo"
    assert engine.rows("SELECT current_timezone()", session="set") == [["Asia/Tokyo"]]
    assert engine.rows("SELECT current_timezone()", session="set", conf={"timezone": "UTC"}) == [["UTC"]]
    assert engine.rows("SELECT current_timezone()") == [["Etc/UTC"]]
    assert fails(engine, "SET TIME ZONE 'Nowhere/Land'", session="set").cls == "INVALID_CONF_VALUE.TIME_ZONE"
    s = engine.exec("SET spark.some.key = a b", session="set")
    assert s.rows() == [["spark.some.key", "a b"]] and s.last[1]["session"]["conf"]["spark.some.key"] == "a b"
    engine.exec("RESET", session="set").wait()
    assert engine.rows("SELECT current_timezone()", session="set") == [["Etc/UTC"]]


def test_variables_and_execute_immediate(engine):
    engine.session("var")
    run = lambda q: engine.exec(q, session="var").wait()
    run("DECLARE VARIABLE x INT DEFAULT 2 + 3")
    assert engine.rows("SELECT x * 2, session.x", session="var") == [["10", "5"]]
    run("SET VAR x = x + 1")
    assert engine.rows("SELECT x", session="var") == [["6"]]
    assert engine.rows("EXECUTE IMMEDIATE 'SELECT :a + 1' USING 41 AS a", session="var") == [["42"]]
    run("EXECUTE IMMEDIATE 'SELECT 7' INTO x")
    assert engine.rows("SELECT x", session="var") == [["7"]]
    assert fails(engine, "DECLARE VARIABLE x INT", session="var").cls == "VARIABLE_ALREADY_EXISTS"
    run("DROP TEMPORARY VARIABLE x")
    assert fails(engine, "SET VAR x = 1", session="var").cls == "UNRESOLVED_VARIABLE"


def test_temporary_views_belong_to_a_session(engine):
    engine.session("v1")
    engine.session("v2")
    engine.exec("CREATE TEMPORARY VIEW v (n) AS SELECT id FROM range(3)", session="v1").wait()
    assert engine.rows("SELECT sum(n) FROM v", session="v1") == [["3"]]
    assert fails(engine, "CREATE TEMP VIEW v AS SELECT 1", session="v1").cls == "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS"
    engine.exec("CREATE OR REPLACE TEMP VIEW v AS SELECT 9 AS n", session="v1").wait()
    assert engine.rows("SELECT n FROM v", session="v1") == [["9"]]
    engine.answer = lambda op, o: {"relations": [None for _ in o.get("names", [])]}
    try:
        assert fails(engine, "SELECT * FROM v", session="v2").cls == "TABLE_OR_VIEW_NOT_FOUND"
    finally:
        engine.answer = lambda op, o: {}
    engine.exec("DROP VIEW v", session="v1").wait()


def test_a_temporary_view_describes_itself(engine):
    engine.session("vd")
    run = lambda q: engine.rows(q, session="vd")
    asked = len(engine.asked)
    engine.exec("CREATE TEMP VIEW `a``v` AS SELECT 1 AS n, CAST(NULL AS DECIMAL(5,2)) AS d, map('k', array(TIMESTAMP'2024-01-01 00:00:00')) AS m, "
                "named_struct('x', CAST('y' AS STRING)) AS s", session="vd").wait()
    want = [["n", "int", None], ["d", "decimal(5,2)", None], ["m", "map<string,array<timestamp>>", None], ["s", "struct<x:string>", None]]
    assert run("DESCRIBE TABLE `a``v`") == run("DESC EXTENDED `a``v`") == run("DESCRIBE TABLE session.`A``V`") == want
    assert run("SHOW COLUMNS IN `a``v`") == [["n"], ["d"], ["m"], ["s"]]
    assert run("DESCRIBE TABLE `a``v` D") == [["col_name", "d"], ["data_type", "decimal(5,2)"], ["comment", "NULL"]]
    assert fails(engine, "DESCRIBE TABLE `a``v` zz", session="vd").cls == "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION"
    s = engine.exec("DESCRIBE TABLE EXTENDED `a``v` AS JSON", session="vd")
    o = json.loads(s.rows()[0][0])
    assert [c["name"] for c in s.schema] == ["json_metadata"] and o["table_name"] == "a`v" and o["type"] == "VIEW"
    text = {"name": "string", "collation": "UTF8_BINARY"}
    assert [(c["name"], c["type"], c["nullable"]) for c in o["columns"]] == [
        ("n", {"name": "int"}, False), ("d", {"name": "decimal", "precision": 5, "scale": 2}, True),
        ("m", {"name": "map", "key_type": text, "value_nullable": False, "value_type":
               {"name": "array", "element_type": {"name": "timestamp_ltz"}, "element_nullable": False}}, False),
        ("s", {"name": "struct", "fields": [{"name": "x", "type": text, "nullable": False}]}, False)]
    assert len(engine.asked) == asked  # control was not asked: it knows no such view
    engine.exec("DROP VIEW `a``v`", session="vd").wait()
    engine.exec("DESCRIBE TABLE `a``v`", session="vd").wait()
    assert engine.asked[-1][1]["command"] == "describe_table"


def test_describe_and_explain(engine):
    s = engine.exec("DESCRIBE QUERY SELECT 1 AS a, array('x') AS b")
    assert s.rows() == [["a", "int", None], ["b", "array<string>", None]] and [c["name"] for c in s.schema] == ["col_name", "data_type", "comment"]
    assert engine.rows("EXPLAIN SELECT 1")[0][0].startswith("== Physical Plan ==")


# ---- control's answers ----

def test_commands_go_to_control_with_their_slots(engine):
    engine.answer = lambda op, o: {"columns": [{"name": "n", "type": "bigint"}, {"name": "t", "type": "string"}], "rows": [[5, "x"], ["6", None]]}
    try:
        s = engine.exec("CREATE SCHEMA IF NOT EXISTS c.`s 1` COMMENT 'hi'")
        assert s.rows() == [["5", "x"], ["6", None]] and [c["type"] for c in s.schema] == ["bigint", "string"]
        op, o = engine.asked[-1]
        assert op == "command" and o["command"] == "create_schema" and o["name"] == ["c", "s 1"] and o["if_not_exists"] and o["comment"] == "hi"
        assert o["current_catalog"] == "main" and o["current_schema"] == "default"
    finally:
        engine.answer = lambda op, o: {}
    s = engine.exec("CREATE SCHEMA c.s2")
    assert not s.wait()["has_result"]
    engine.answer = lambda op, o: {"error": {"code": "PERMISSION_DENIED", "class": "INSUFFICIENT_PERMISSIONS", "sqlState": "42501", "message": "[INSUFFICIENT_PERMISSIONS] no"}}
    try:
        x = fails(engine, "CREATE SCHEMA c.s3")
        assert (x.cls, x.error["sqlState"], x.error["message"]) == ("INSUFFICIENT_PERMISSIONS", "42501", "[INSUFFICIENT_PERMISSIONS] no")
    finally:
        engine.answer = lambda op, o: {}


def test_names_are_asked_in_one_question(engine):
    col = lambda n, t: {"name": n, "type_json": t, "nullable": True}

    def answer(op, o):
        assert op == "resolve"
        rel = {"kind": "rows", "catalog": "system", "schema": "information_schema", "columns": [col("a", "long"), col("b", "string"), col("t", "timestamp")]}
        return {"relations": [dict(rel, name=n["parts"][-1], rows=[[1, "it's", 0], [2, None, 1000000]]) for n in o["names"]]}
    engine.answer = answer
    before = len(engine.asked)
    try:
        assert engine.rows("SELECT x.a, y.b, CAST(y.t AS STRING) FROM system.information_schema.t1 x JOIN t2 y ON x.a = y.a ORDER BY 1") == [
            ["1", "it's", "1970-01-01 00:00:00"], ["2", None, "1970-01-01 00:00:01"]]
        assert len(engine.asked) == before + 1
        assert [n["parts"] for n in engine.asked[-1][1]["names"]] == [["system", "information_schema", "t1"], ["t2"]]
    finally:
        engine.answer = lambda op, o: {}


def test_a_statement_that_waits_for_an_answer_is_canceled(engine):
    engine.answer = lambda op, o: None
    try:
        s = engine.exec("CREATE SCHEMA never")
        time.sleep(0.2)
        engine.cancel(s)
        with pytest.raises(Failed) as x:
            s.wait(10)
        assert x.value.state == "canceled"
    finally:
        engine.answer = lambda op, o: {}


# ---- ends ----

def test_errors_say_class_state_and_place(engine):
    x = fails(engine, "SELECT 1 +\n nope")
    assert x.cls == "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION" and x.error["sqlState"] == "42703" and x.error["line"] == 2
    assert fails(engine, "SELEC 1").cls == "PARSE_SYNTAX_ERROR"
    assert fails(engine, "SELECT 1/0").cls == "DIVIDE_BY_ZERO"
    assert fails(engine, "SELECT 1; SELECT 2").cls == "PARSE_SYNTAX_ERROR"
    assert fails(engine, "SELECT 1", session="gone").cls == "INTERNAL_ERROR"


def test_cancel_in_the_middle(engine):
    s = engine.exec(SLOW)
    time.sleep(0.3)
    engine.cancel(s)
    with pytest.raises(Failed) as x:
        s.wait(20)
    assert (x.value.state, x.value.cls) == ("canceled", "OPERATION_CANCELED")
    assert engine.rows("SELECT 1") == [["1"]]


def test_timeout(engine):
    s = engine.exec(SLOW, timeout_ms=300)
    with pytest.raises(Failed) as x:
        s.wait(20)
    assert (x.value.state, x.value.cls) == ("failed", "STATEMENT_TIMEOUT") and s.last[1]["timed_out"]


def test_statements_wait_for_a_place(engine):
    with Engine(running=2) as e:
        e.session()
        slow = [e.exec(SLOW) for _ in range(2)]
        third = e.exec("SELECT 3")
        time.sleep(0.3)
        assert not third.done.is_set()
        for s in slow:
            e.cancel(s)
        assert third.rows(20) == [["3"]]


def test_killed_in_the_middle():
    e = Engine()
    e.session()
    s = e.exec(SLOW)
    time.sleep(0.2)
    os.kill(e.process.pid, signal.SIGKILL)
    with pytest.raises(Failed) as x:
        s.wait(10)
    assert x.value.state == "lost"
    e.close()


def test_ends_with_control():
    e = Engine()
    e.session()
    e.exec(SLOW)
    e.sock.shutdown(2)
    assert e.process.wait(10) == 0
    e.close()


# ---- limits ----

EATERS = {
    "sort": "SELECT id, sha2(CAST(id AS STRING), 256) AS h FROM range(20000000) ORDER BY h",
    "hash join": "SELECT count(*) FROM (SELECT sha2(CAST(id AS STRING), 256) AS h FROM range(20000000)) a JOIN "
                 "(SELECT sha2(CAST(id AS STRING), 256) AS h FROM range(20000000)) b USING (h)",
    "list aggregate": "SELECT collect_list(concat(CAST(id AS STRING), repeat('x', 100)))[5] FROM range(30000000)",
    "wide string": "SELECT max(length(repeat(repeat(CAST(id AS STRING), 1000), 60000))) FROM range(1000)",
    "distinct": "SELECT count(DISTINCT sha2(CAST(id AS STRING), 256)) FROM range(30000000)",
}


@pytest.mark.skipif(os.environ.get("BH_FLAVOUR", "release") != "release", reason="sanitizers need many times the memory")
def test_eaters_are_contained():
    with Engine(memory=256 * MIB, spill=64 * MIB) as e:
        e.session()
        for name, sql in EATERS.items():
            with pytest.raises(Failed) as x:
                e.exec(sql).wait(300)
            assert x.value.cls in ("OUT_OF_MEMORY", "SPILL_LIMIT_EXCEEDED"), (name, x.value)
            assert e.rows("SELECT 1") == [["1"]], name
        assert e.process.poll() is None


@pytest.mark.skipif(os.environ.get("BH_FLAVOUR", "release") != "release", reason="sanitizers need many times the memory")
def test_spills_within_its_quota():
    with Engine(memory=256 * MIB, spill=2048 * MIB) as e:
        e.session()
        assert e.exec("SELECT id FROM (SELECT id, sha2(CAST(id AS STRING), 256) AS h FROM range(3000000)) ORDER BY h", row_limit=10).wait(300)["rows"] == 10
        until = time.monotonic() + 10
        def spilled():
            return [f for f in (e.dir / "spill").rglob("*") if f.is_file()]
        while spilled() and time.monotonic() < until:
            time.sleep(0.05)
        assert not spilled()


@pytest.mark.skipif(os.environ.get("BH_FLAVOUR", "release") != "release", reason="sanitizers need many times the memory")
def test_spilling_leaves_the_reserve_free():
    """The engine's own limit would allow it, the disk would not."""
    with Engine(memory=256 * MIB, spill=4096 * MIB, reserve=1 << 60) as e:
        e.session()
        with pytest.raises(Failed) as x:
            e.exec(EATERS["sort"]).wait(300)
        assert x.value.cls == "SPILL_LIMIT_EXCEEDED", x.value
        assert e.rows("SELECT 1") == [["1"]]


def test_two_engines_side_by_side():
    with Engine() as a, Engine() as b:
        a.session()
        b.session()
        a.exec("CREATE TEMP VIEW v AS SELECT 1 AS x").wait()
        b.exec("CREATE TEMP VIEW v AS SELECT 2 AS x").wait()
        assert a.rows("SELECT x FROM v") == [["1"]] and b.rows("SELECT x FROM v") == [["2"]]


def test_many_at_once(engine):
    out = []
    ids = ["many%d" % i for i in range(8)]
    for i in ids:
        engine.session(i)
    statements = [(k, engine.exec("SELECT %d + count(*) FROM range(1000)" % k, session=ids[k % 8])) for k in range(200)]
    for k, s in statements:
        out.append(s.rows() == [[str(k + 1000)]])
    assert all(out)
