# SPDX-License-Identifier: Apache-2.0
"""The Python SQL connector in breadth, over TLS: values, types, metadata, cursors, limits, cancelling, in each of its ways to speak.

docs/sql-clients.md says which of these answers to which case of the connector's own suite.
"""

import datetime
import decimal
import json
import threading
import time
import zoneinfo

import numpy
import pyarrow
import pytest

from connector import MODES

UTC = datetime.timezone.utc
D = decimal.Decimal


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture
def cursor(secure):
    with secure.cursor() as c:
        yield c


def rows(cursor, text, parameters=None):
    return [list(r) for r in cursor.execute(text, parameters).fetchall()]


# ---- values and their types ----

VALUES = [("TRUE", "boolean", True), ("CAST(1 AS TINYINT)", "tinyint", 1), ("CAST(1000 AS SMALLINT)", "smallint", 1000), ("100000", "int", 100000),
          ("10000000000000", "bigint", 10000000000000), ("CAST(100.001 AS DECIMAL(6, 3))", "decimal", D("100.001")), ("1.5D", "double", 1.5),
          ("DATE'2020-02-20'", "date", datetime.date(2020, 2, 20)), ("unhex('f000')", "binary", b"\xf0\x00"), ("'foo'", "string", "foo"),
          ("'数据砖 \U0001f9f1'", "string", "数据砖 \U0001f9f1"), ("CAST(NULL AS DOUBLE)", "double", None), ("NULL", "string", None),
          ("TIMESTAMP'2021-09-30 11:27:35.123'", "timestamp", datetime.datetime(2021, 9, 30, 11, 27, 35, 123000, UTC)),
          ("struct(1 AS a, 2 AS b)", "struct", {"a": 1, "b": 2}), ("map(1, 2, 3, 4)", "map", [(1, 2), (3, 4)])]


def test_values_alone_and_beside_many_rows(secure):
    from databricks import sql

    with secure.cursor() as c:
        for text, kind, value in VALUES:
            c.execute(f"SELECT {text}")
            got = c.fetchone()[0]
            assert (c.description[0][1], got, type(got)) == (kind, value, type(value)), text
            c.execute(f"SELECT {text}, id FROM range(5000)")
            assert c.description[0][1] == kind
            seen = 0
            while page := c.fetchmany(1000):
                seen += len(page)
                assert all(r[0] == value for r in page), text
            assert seen == 5000
        c.execute("SELECT array(1, 2, 3)")
        got = c.fetchone()[0]
        assert c.description[0][1] == "array" and isinstance(got, numpy.ndarray) and got.tolist() == [1, 2, 3]
        assert c.execute("SELECT NULL UNION (SELECT 1) ORDER BY 1").fetchone()[0] is None
        assert (c.description[0][1], c.description[0][1] == sql.NUMBER) == ("int", True)


DECIMALS = [("100.001 AS DECIMAL(6, 3)", D("100.001"), (6, 3)), ("1000000.0000 AS DECIMAL(11, 4)", D("1000000.0000"), (11, 4)),
            ("-10.2343 AS DECIMAL(10, 6)", D("-10.234300"), (10, 6)), ("NULL AS DECIMAL(1, 1)", None, (1, 1)), ("1 AS DECIMAL(1, 0)", D(1), (1, 0)),
            ("0.00000 AS DECIMAL(5, 3)", D("0.000"), (5, 3)), ("1e-3 AS DECIMAL(38, 3)", D("0.001"), (38, 3))]


def test_decimals_are_arrows_own(cursor):
    for text, value, size in DECIMALS:
        table = cursor.execute(f"SELECT CAST({text})").fetchmany_arrow(1)
        assert (table.field(0).type, table.column(0)[0].as_py()) == (pyarrow.decimal128(*size), value), text
    table = cursor.execute("SELECT * FROM ((SELECT CAST(1 AS DECIMAL(6, 3))) UNION (SELECT CAST(100.001 AS DECIMAL(6, 3))) UNION "
                           "(SELECT CAST(NULL AS DECIMAL(6, 3)))) ORDER BY 1 NULLS LAST").fetchall_arrow()
    assert (table.field(0).type, table.column(0).to_pylist()) == (pyarrow.decimal128(6, 3), [D("1.000"), D("100.001"), None])
    table = cursor.execute("SELECT * FROM ((SELECT CAST(1 AS DECIMAL(6, 3))) UNION (SELECT CAST(2 AS DECIMAL(5, 2)))) ORDER BY 1").fetchall_arrow()
    assert (table.field(0).type, table.column(0).to_pylist()) == (pyarrow.decimal128(6, 3), [D("1.000"), D("2.000")])
    assert pyarrow.types.is_decimal(cursor.execute("SELECT 5E3BD").fetchall_arrow().field(0).type)


STAMPS = [("2021-09-30 11:27:35.123+04:00", (2021, 9, 30, 7, 27, 35, 123000)), ("2021-09-30 11:27:35+04:00", (2021, 9, 30, 7, 27, 35)),
          ("2021-09-30 11:27:35.123", (2021, 9, 30, 11, 27, 35, 123000)), ("2021-09-30 11:27", (2021, 9, 30, 11, 27)), ("2021-09-30", (2021, 9, 30)),
          ("2021-09", (2021, 9, 1)), ("2021", (2021, 1, 1)), ("9999-12-31T15:59:59", (9999, 12, 31, 15, 59, 59)), ("9999-99-31T15:59:59", None)]


def stamp(parts):
    return parts and datetime.datetime(*parts, tzinfo=UTC)


def test_timestamps_and_dates_without_ansi(secure):
    with secure.cursor({"session_configuration": {"ansi_mode": False}}) as c:
        for text, parts in STAMPS:
            assert c.execute(f"SELECT TIMESTAMP('{text}')").fetchone()[0] == stamp(parts), text
            table = c.execute(f"SELECT TIMESTAMP('{text}')").fetchmany_arrow(1)
            assert table.field(0).type == pyarrow.timestamp("us", tz="Etc/UTC")
            assert table.column(0)[0].value == (stamp(parts) and int(stamp(parts).timestamp()) * 1000000 + stamp(parts).microsecond)
        for text, day in [("2021-09-30", (2021, 9, 30)), ("2021-09", (2021, 9, 1)), ("2021", (2021, 1, 1)), ("9999-12-31", (9999, 12, 31)), ("9999-99-31", None)]:
            assert c.execute(f"SELECT DATE('{text}')").fetchone()[0] == (day and datetime.date(*day)), text


def test_many_timestamps_in_each_way(secure, mode):
    one = "SELECT " + ", ".join(f"TIMESTAMP('{text}')" for text, _ in STAMPS)
    with secure.cursor({"session_configuration": {"ansi_mode": False, "query_tags": "test:stamps,driver:python"}, **mode}) as c:
        assert rows(c, " UNION ALL ".join([one] * 10)) == [[stamp(parts) for _, parts in STAMPS]] * 10
        table = c.execute(" UNION ALL ".join([one] * 10)).fetchall_arrow()
        assert [[column[i].as_py() for column in table.columns] for i in range(10)] == [[stamp(parts) for _, parts in STAMPS]] * 10


def test_a_sessions_time_zone(cursor):
    cursor.execute("SET TIME ZONE 'Europe/Amsterdam'")
    wanted = datetime.datetime(2022, 3, 2, 12, 54, 56, tzinfo=zoneinfo.ZoneInfo("Europe/Amsterdam"))
    assert cursor.execute("SELECT CAST('2022-03-02 12:54:56' AS TIMESTAMP)").fetchone()[0] == wanted
    table = cursor.execute("SELECT CAST('2022-03-02 12:54:56' AS TIMESTAMP)").fetchmany_arrow(1)
    assert table.field(0).type == pyarrow.timestamp("us", tz="Europe/Amsterdam")
    assert table.column(0)[0].value == int(wanted.timestamp()) * 1000000


def test_complex_values_as_arrow_and_as_text(secure, u):
    with secure.cursor() as c:
        c.execute(f"CREATE TABLE c_{u} (a ARRAY<STRING>, m MAP<STRING, INT>, s STRUCT<x: STRING, y: INT>, aa ARRAY<ARRAY<STRING>>, am ARRAY<MAP<STRING, INT>>, "
                  "ma MAP<STRING, ARRAY<STRING>>) USING DELTA")
        c.execute(f"INSERT INTO c_{u} VALUES (array('a', 'b'), map('a', 1, 'b', 2), named_struct('x', 'a', 'y', 1), array(array('a', 'b')), "
                  "array(map('a', 1)), map('a', array('b', 'c')))")
        got = c.execute(f"SELECT * FROM c_{u}").fetchone()
        assert got.a.tolist() == ["a", "b"] and got.m == [("a", 1), ("b", 2)] and got.s == {"x": "a", "y": 1}
        assert [x.tolist() for x in got.aa] == [["a", "b"]] and list(got.am) == [[("a", 1)]]
        assert got.ma[0][0] == "a" and list(got.ma[0][1]) == ["b", "c"]
        table = c.execute(f"SELECT a, s FROM c_{u}").fetchall_arrow()
        assert pyarrow.types.is_list(table.field(0).type) and pyarrow.types.is_struct(table.field(1).type)
    with secure.cursor({"_use_arrow_native_complex_types": False}) as c:
        got = c.execute(f"SELECT * FROM c_{u}").fetchone()
        assert list(got) == ['["a","b"]', '{"a":1,"b":2}', '{"x":"a","y":1}', '[["a","b"]]', '[{"a":1}]', '{"a":["b","c"]}']
        c.execute(f"DROP TABLE c_{u}")


def test_variants_are_named_and_read_as_json(secure, u):
    with secure.cursor() as c:
        c.execute(f"CREATE TABLE v_{u} (id INT, v VARIANT, s STRING)")
        c.execute(f"INSERT INTO v_{u} VALUES (1, parse_json('{{\"name\": \"John\", \"age\": 30}}'), 'x'), (2, parse_json('[1, 2, 3, 4]'), 'y')")
        c.execute(f"SELECT * FROM v_{u} LIMIT 0")
        assert [d[1] for d in c.description] == ["int", "variant", "string"]
        got = c.execute(f"SELECT * FROM v_{u} ORDER BY id").fetchall()
        assert isinstance(got[0].v, str) and json.loads(got[0].v) == {"name": "John", "age": 30} and json.loads(got[1].v) == [1, 2, 3, 4]
        c.execute(f"DROP TABLE v_{u}")


# ---- errors ----

def test_errors_name_what_is_wrong(cursor):
    from databricks.sql.exc import DatabaseError

    for text, part in [("^ FOO BAR", "FOO BAR"), ("USE foo234823498", "foo234823498"), ("CREATE TABLE IF NOT EXISTS TABLE table_234", "table_234")]:
        with pytest.raises(DatabaseError) as e:
            cursor.execute(text)
        assert part in str(e.value)


def test_a_cursor_goes_on_after_failure_and_success(secure, mode):
    from databricks.sql.exc import DatabaseError

    with secure.cursor(mode) as c:
        with pytest.raises(DatabaseError) as e:
            c.execute("this is no statement")
        assert "PARSE_SYNTAX_ERROR" in str(e.value)
        assert rows(c, "SELECT 1;") == [[1]]
        c.execute("SELECT 1;")
        assert rows(c, "SELECT 2;") == [[2]]


# ---- statements ----

def test_making_a_table_gives_no_rows(secure, mode, u):
    with secure.cursor(mode) as c:
        assert rows(c, f"CREATE TABLE IF NOT EXISTS n_{u} AS (SELECT 1 AS col_1, '2' AS col_2)") == []
        assert rows(c, f"SELECT * FROM n_{u}") == [[1, "2"]]
        c.execute(f"DROP TABLE n_{u}")


def test_counts_of_changed_rows(cursor, u):
    cursor.execute(f"CREATE TABLE r_{u} (n INT)")
    for text, count in [(f"INSERT INTO r_{u} VALUES (1), (2), (3)", 3), (f"UPDATE r_{u} SET n = n + 1 WHERE n >= 2", 2), (f"DELETE FROM r_{u} WHERE n = 1", 1),
                        (f"SELECT * FROM r_{u}", -1)]:
        cursor.execute(text)
        assert cursor.rowcount == count, text
    assert sorted(r[0] for r in cursor.fetchall()) == [3, 4]
    cursor.executemany(f"INSERT INTO r_{u} VALUES (%(v)s)", seq_of_parameters=[{"v": 10}, {"v": 20}, {"v": 30}])
    assert cursor.rowcount == 3
    cursor.execute(f"DROP TABLE r_{u}")


def test_quotes_in_texts(cursor, u):
    cursor.execute(f"CREATE TABLE q_{u} AS (SELECT 'you\\'re' AS col_1)")
    assert rows(cursor, f"SELECT * FROM q_{u} WHERE col_1 LIKE 'you\\'re'") == [["you're"]]
    assert rows(cursor, f"SELECT * FROM q_{u} WHERE q_{u}.col_1 LIKE %(var)s", {"var": "you're"}) == [["you're"]]
    cursor.execute(f"DROP TABLE q_{u}")


def test_a_temporary_view_is_the_sessions(secure, u):
    with secure.cursor() as c:
        c.execute(f"CREATE TEMPORARY VIEW t_{u} AS SELECT * FROM range(10)")
        assert c.execute(f"SELECT sum(id) FROM t_{u}").fetchone()[0] == 45
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        secure.rows(f"SELECT * FROM t_{u}")


def test_settings_are_passed_on(secure):
    for ansi in (True, False):
        with secure.cursor({"session_configuration": {"ansi_mode": ansi}}) as c:
            assert rows(c, "SET ansi_mode") == [["ansi_mode", str(ansi)]]
            assert rows(c, "SELECT try_cast('x' AS INT)") == [[None]]


def test_the_namespace_that_a_session_opens_with(secure, u):
    from databricks.sql.exc import Error

    secure.rows(f"CREATE SCHEMA main.s_{u}")
    with secure.cursor({"catalog": "main", "schema": f"s_{u}"}) as c:
        assert rows(c, "SELECT current_catalog(), current_database()") == [["main", f"s_{u}"]]
    with pytest.raises(Error, match="NO_SUCH_CATALOG_EXCEPTION.*nowhere_" + u):
        secure.connect(catalog=f"nowhere_{u}")
    with pytest.raises(Error):
        secure.connect(catalog=f"nowhere_{u}", use_sea=True)
    answer = secure.platform.request("POST", "/api/2.0/sql/sessions", {"warehouse_id": secure.warehouse, "catalog": f"nowhere_{u}"})
    assert answer.status_code == 400 and "NO_SUCH_CATALOG_EXCEPTION" in answer.json()["message"]
    # A schema may be named before it is there: dbt makes it in that very session.
    with secure.cursor({"catalog": "main", "schema": f"late_{u}"}) as c:
        c.execute(f"CREATE SCHEMA late_{u}")
        c.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert rows(c, f"SELECT a FROM main.late_{u}.t") == [[1]]
    secure.rows(f"DROP SCHEMA main.late_{u} CASCADE")
    secure.rows(f"DROP SCHEMA main.s_{u}")


# ---- fetching ----

def test_every_way_to_fetch(secure, mode):
    with secure.cursor(mode) as c:
        c.execute("SELECT * FROM range(3);")
        assert [c.fetchone()[0] for _ in range(3)] == [0, 1, 2] and c.fetchone() is None
        c.execute("SELECT * FROM range(3);")
        assert [r[0] for r in c.fetchall()] == [0, 1, 2] and c.fetchone() is None
        c.execute("SELECT * FROM range(4)")
        assert [[r[0] for r in c.fetchmany(2)] for _ in range(2)] == [[0, 1], [2, 3]]
        c.execute("SELECT * FROM range(4)")
        assert [[r[0] for r in c.fetchmany(3)] for _ in range(2)] == [[0, 1, 2], [3]]
        c.execute("SELECT * FROM range(4)")
        assert [r[0] for r in c] == [0, 1, 2, 3]
        c.execute("SELECT * FROM range(10)")
        assert c.fetchmany_arrow(1).to_pydict() == {"id": [0]} and c.fetchall_arrow().to_pydict() == {"id": list(range(1, 10))}
        assert c.execute("SELECT '数据砖'").fetchone()[0] == "数据砖"


def test_compression_can_be_turned_off(cursor):
    cursor.execute("SELECT array(1, 2)").fetchall()
    assert cursor.active_result_set.lz4_compressed
    cursor.connection.lz4_compression = False
    cursor.execute("SELECT array(1, 2)").fetchall()
    assert not cursor.active_result_set.lz4_compressed


def test_a_cursors_row_limit(secure):
    for limit, there in [(1000, 2000), (100, 50), (0, 10)]:
        with secure.cursor(row_limit=limit) as c:
            assert len(c.execute(f"SELECT * FROM range({there})").fetchall()) == min(limit, there)
            assert c.execute(f"SELECT * FROM range({there})").fetchall_arrow().num_rows == min(limit, there)


@pytest.mark.parametrize("how", ["thrift", "thrift_plain", "sea"])
def test_wide_and_narrow_large_results(secure, how):
    more = {"thrift_plain": {"enable_query_result_lz4_compression": False}, **MODES}[how]
    with secure.cursor(more, arraysize=10000000) as c:
        columns = ", ".join(f"uuid() u{i}" for i in range(100))
        table = c.execute(f"SELECT id, {columns} FROM range(10000)").fetchall_arrow()
        assert table.num_rows == 10000 and table.num_columns == 101 and sorted(table.column(0).to_pylist()) == list(range(10000))
        assert {len(x) for x in table.column(100).to_pylist()} == {36}
        c.execute("SELECT * FROM range(4000000)")
        seen, total = 0, 0
        while (page := c.fetchmany_arrow(700001)).num_rows:
            seen += page.num_rows
            total += pyarrow.compute.sum(page.column(0)).as_py()
        assert (seen, total) == (4000000, 4000000 * 3999999 // 2)


def test_one_answer_has_the_links_of_many_chunks(secure):
    """The client downloads in parallel what one answer names, and asks again only when it has all of it."""
    with secure.cursor() as c:
        c.execute("SELECT id, repeat('x', 1000) AS s FROM range(130000)")
        links = c.active_result_set.results.result_links
        assert len(links) >= 8 and [x.startRowOffset for x in links] == [sum(y.rowCount for y in links[:i]) for i in range(len(links))]
        assert sum(x.rowCount for x in links) == 130000 and not c.active_result_set.has_more_rows
        table = c.fetchall_arrow()
        assert table.column(0).to_pylist() == list(range(130000)) and set(table.column(1).to_pylist()) == {"x" * 1000}


def test_rows_that_do_not_get_smaller_come_as_they_are(secure):
    with secure.cursor() as c:
        c.execute("SELECT id, xxhash64(id, 1) AS a, xxhash64(id, 2) AS b, xxhash64(id, 3) AS c, uuid() AS u FROM range(100000)")
        assert c.active_result_set.lz4_compressed and sorted(c.fetchall_arrow().column(0).to_pylist()) == list(range(100000))
        c.execute(f"SELECT {', '.join(f'xxhash64(id, {i}) AS c{i}' for i in range(8))} FROM range(400000)")
        assert not c.active_result_set.lz4_compressed and len(c.active_result_set.results.result_links) == 2
        table = c.fetchall_arrow()
        assert table.num_rows == 400000
        c.execute("SELECT bit_xor(xxhash64(id, 5)) FROM range(400000)")
        assert c.fetchone()[0] == int(numpy.bitwise_xor.reduce(table.column(5).to_numpy()))


# ---- asynchronous execution, cancelling ----

def test_asynchronous_execution(secure, mode):
    with secure.cursor(mode) as c:
        for text, wanted in [("SELECT 1 AS one", [[1]]),
                             ("SELECT count(*) FROM range(20000) x JOIN range(100) y ON from_unixtime(x.id * y.id, 'yyyy-MM-dd') LIKE '%not%a%date%'", [[0]])]:
            c.execute_async(text)
            while c.is_query_pending():
                time.sleep(0.05)
            c.get_async_execution_result()
            assert [list(r) for r in c.fetchall()] == wanted
        c.execute_async("SELECT x.id AS x, y.id AS y, from_unixtime(x.id * y.id, 'yyyy-MM-dd') AS d FROM range(500) x JOIN range(500) y")
        while c.is_query_pending():
            time.sleep(0.05)
        c.get_async_execution_result()
        got = c.fetchall()
        assert len(got) == 250000 and max(r.d for r in got) == "1970-01-03"


def test_cancel_while_it_executes(secure):
    from databricks.sql.exc import Error

    with secure.cursor() as c:
        said = []

        def long():
            try:
                c.execute("SELECT sum(a.id - b.id) FROM range(1000000000) a CROSS JOIN range(100000000) b GROUP BY (a.id - b.id)")
            except Error as e:
                said.append(str(e))
        thread = threading.Thread(target=long)
        thread.start()
        while not c.active_command_id:
            time.sleep(0.05)
        c.cancel()
        thread.join(60)
        assert not thread.is_alive()
        with pytest.raises(Error):
            c.fetchall()
        assert rows(c, "SELECT * FROM range(3)") == [[0], [1], [2]]


# ---- metadata ----

def described(cursor):
    return [d[:2] for d in cursor.description]


TABLES = [(n, "string") for n in ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS", "TYPE_CAT", "TYPE_SCHEM", "TYPE_NAME",
                                  "SELF_REFERENCING_COL_NAME", "REF_GENERATION")]
COLUMNS = [("TABLE_CAT", "string"), ("TABLE_SCHEM", "string"), ("TABLE_NAME", "string"), ("COLUMN_NAME", "string"), ("DATA_TYPE", "int"), ("TYPE_NAME", "string"),
           ("COLUMN_SIZE", "int"), ("BUFFER_LENGTH", "tinyint"), ("DECIMAL_DIGITS", "int"), ("NUM_PREC_RADIX", "int"), ("NULLABLE", "int"), ("REMARKS", "string"),
           ("COLUMN_DEF", "string"), ("SQL_DATA_TYPE", "int"), ("SQL_DATETIME_SUB", "int"), ("CHAR_OCTET_LENGTH", "int"), ("ORDINAL_POSITION", "int"),
           ("IS_NULLABLE", "string"), ("SCOPE_CATALOG", "string"), ("SCOPE_SCHEMA", "string"), ("SCOPE_TABLE", "string"), ("SOURCE_DATA_TYPE", "smallint"),
           ("IS_AUTO_INCREMENT", "string")]


def test_metadata_has_its_names_types_and_rows(secure, u):
    with secure.cursor() as c:
        c.execute(f"CREATE SCHEMA md_{u}")
        for n in (1, 2):
            c.execute(f"CREATE TABLE md_{u}.t_{n} AS (SELECT 1 AS col_1, '2' AS col_2, named_struct('Name', 'a', 'age', 28) AS col_3, map('i', 45) AS col_4, "
                      "array('x') AS col_5, CAST(1 AS DECIMAL(7, 2)) AS col_6)")
        c.execute(f"CREATE VIEW md_{u}.w AS SELECT 1 AS one")
        got = c.catalogs().fetchall()
        assert described(c) == [("TABLE_CAT", "string")] and {"main", "system"} <= {r[0] for r in got}
        assert isinstance(c.catalogs().fetchall_arrow(), pyarrow.Table)
        assert [tuple(r) for r in c.schemas(schema_name=f"md\\_{u}").fetchall()] == [(f"md_{u}", "main")]
        assert described(c) == [("TABLE_SCHEM", "string"), ("TABLE_CATALOG", "string")]
        assert [tuple(r)[:4] for r in c.tables(schema_name=f"md_{u[:6]}%").fetchall()] == [
            ("main", f"md_{u}", "t_1", "TABLE"), ("main", f"md_{u}", "t_2", "TABLE"), ("main", f"md_{u}", "w", "VIEW")]
        assert described(c) == TABLES
        assert [r.TABLE_NAME for r in c.tables(catalog_name="main", schema_name=f"md_{u}", table_types=["VIEW"]).fetchall()] == ["w"]
        got = [list(r)[1:6] for r in c.columns(schema_name=f"md_{u}", table_name="t_%").fetchall()]
        assert got == [[f"md_{u}", f"t_{n}", *column] for n in (1, 2) for column in (
            ("col_1", 4, "INT"), ("col_2", 12, "STRING"), ("col_3", 2002, "STRUCT<Name: STRING, age: INT>"), ("col_4", 2000, "MAP<STRING, INT>"),
            ("col_5", 2003, "ARRAY<STRING>"), ("col_6", 3, "DECIMAL(7,2)"))]
        assert described(c) == COLUMNS
        got = c.tables(catalog_name="system", schema_name="information_schema").fetchall()
        assert {"tables", "columns", "schemata"} <= {r.TABLE_NAME for r in got} and {r.TABLE_TYPE for r in got} == {"SYSTEM TABLE"}
        assert len(c.columns(catalog_name="system", schema_name="information_schema", table_name="schemata").fetchall()) == 8
        c.execute(f"DROP SCHEMA md_{u} CASCADE")


def test_metadata_by_statements(secure, u):
    """What use_sea=True asks for by SHOW."""
    secure.rows(f"CREATE SCHEMA ms_{u}")
    secure.rows(f"CREATE TABLE ms_{u}.t (a INT, s STRUCT<X: INT>)")
    with secure.cursor({"use_sea": True}) as c:
        assert {"main", "system"} <= {r[0] for r in c.catalogs().fetchall()}
        assert f"ms_{u}" in {r[0] for r in c.schemas(catalog_name="main").fetchall()}

        def named(got, *names):
            at = [[d[0] for d in c.description].index(n) for n in names]
            return [tuple(r[i] for i in at) for r in got]
        got = c.tables(catalog_name="main", schema_name=f"ms_{u}").fetchall()
        assert named(got, "namespace", "tableName", "tableType") == [(f"ms_{u}", "t", "TABLE")]
        got = c.columns(catalog_name="main", schema_name=f"ms_{u}", table_name="t").fetchall()
        assert named(got, "col_name", "columnType") == [("a", "INT"), ("s", "STRUCT<X: INT>")]
    secure.rows(f"DROP SCHEMA ms_{u} CASCADE")
