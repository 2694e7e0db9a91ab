# SPDX-License-Identifier: Apache-2.0
"""Parameters of the Python SQL connector: every type, by name, by place and written into the text; arrays and maps, nested."""

import datetime
import decimal

import numpy
import pytest

UTC = datetime.timezone.utc
AT = datetime.datetime(2023, 9, 6, 3, 14, 27, 843)
D = decimal.Decimal

# value, its class, what comes back
VALUES = [(None, "VoidParameter", None), (True, "BooleanParameter", True), (50, "IntegerParameter", 50), (2147483648, "BigIntegerParameter", 2147483648),
          ("it's :x ? %(y)s", "StringParameter", "it's :x ? %(y)s"), (D("1234.56"), "DecimalParameter", D("1234.56")),
          (datetime.date(2023, 9, 6), "DateParameter", datetime.date(2023, 9, 6)), (AT.replace(tzinfo=UTC), "TimestampParameter", AT.replace(tzinfo=UTC)),
          (3.14, "DoubleParameter", 3.14), (["a", "b", "c"], "ArrayParameter", ["a", "b", "c"]), ({"a": 1, "b": 2}, "MapParameter", [("a", 1), ("b", 2)])]
TOLD = [(3.5, "FloatParameter", 3.5), (51, "SmallIntParameter", 51), (20, "TinyIntParameter", 20), (AT, "TimestampNTZParameter", AT)]
NESTED = [[{"a": 1, "b": 2}, {"c": 3, "d": 4}], {1: ["a", "b"], 2: ["c", "d"]}, [[1, 2, 3], [4]], [[[1, 2], [3]], [[4, 5]]],
          {"a": {"b": "c", "d": "e"}, "f": {"g": "h"}}]


def plain(v):
    """Arrays as lists, maps as lists of pairs, all the way down."""
    if isinstance(v, numpy.ndarray):
        v = list(v)
    if isinstance(v, dict):
        v = list(v.items())
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v.item() if isinstance(v, numpy.generic) else v


@pytest.fixture
def one(secure):
    with secure.cursor() as c:
        yield lambda text, parameters=None: c.execute(text, parameters).fetchone()


@pytest.mark.parametrize("value,cls,wanted", VALUES, ids=[v[1] for v in VALUES])
def test_a_value_of_each_type(one, value, cls, wanted):
    for text, parameters in [("SELECT :p AS col", {"p": value}), ("SELECT %(p)s AS col", {"p": value}), ("SELECT ? AS col", [value])]:
        assert plain(one(text, parameters).col) == plain(wanted), text


@pytest.mark.parametrize("value,cls,wanted", VALUES + TOLD, ids=[v[1] for v in VALUES + TOLD])
def test_a_value_whose_type_is_told(one, value, cls, wanted):
    from databricks.sql.parameters import native

    make = getattr(native, cls)
    assert plain(one("SELECT :p AS col", [make(value=value, name="p")]).col) == plain(wanted)
    assert plain(one("SELECT ? AS col", [make(value=value)]).col) == plain(wanted)


def test_the_types_arrive(secure):
    from databricks.sql.parameters import native

    with secure.cursor() as c:
        for make, value, kind in [(native.TinyIntParameter, 1, "tinyint"), (native.SmallIntParameter, 1, "smallint"), (native.IntegerParameter, 1, "int"),
                                  (native.BigIntegerParameter, 1, "bigint"), (native.FloatParameter, 1.5, "float"), (native.DoubleParameter, 1.5, "double"),
                                  (native.DecimalParameter, D("1.50"), "decimal(3,2)"), (native.ArrayParameter, [1, None], "array<int>"),
                                  (native.MapParameter, {"k": [1]}, "map<string,array<int>>"), (native.ArrayParameter, [], "array<void>"),
                                  (native.TimestampNTZParameter, AT, "timestamp_ntz")]:
            assert c.execute("SELECT typeof(?)", [make(value=value)]).fetchone()[0] == kind


@pytest.mark.parametrize("value", NESTED, ids=str)
def test_nested_values(one, value):
    for text, parameters in [("SELECT :p AS col", {"p": value}), ("SELECT %(p)s AS col", {"p": value}), ("SELECT ? AS col", [value])]:
        assert plain(one(text, parameters).col) == plain(value), text


def test_complex_parameters_in_expressions(secure, u):
    with secure.cursor() as c:
        assert c.execute("SELECT count(*) FROM range(10) WHERE array_contains(:ids, CAST(id AS INT))", {"ids": [1, 3, 99]}).fetchone()[0] == 2
        assert c.execute("SELECT element_at(?, 'b') + size(?)", [{"a": 1, "b": 2}, [7, 8, 9]]).fetchone()[0] == 5
        c.execute(f"CREATE TABLE p_{u} (a ARRAY<BIGINT>, m MAP<STRING, DOUBLE>)")
        c.execute(f"INSERT INTO p_{u} VALUES (?, ?)", [[1, 2], {"x": 1.5}])
        assert plain(tuple(c.execute(f"SELECT * FROM p_{u}").fetchone())) == [[1, 2], [["x", 1.5]]]
        c.execute(f"DROP TABLE p_{u}")


def test_several_by_place_and_by_name(one):
    got = one("SELECT ? `foo`, ? `bar`, ? `baz`", ["foo", "bar", "baz"])
    assert (got.foo, got.bar, got.baz) == ("foo", "bar", "baz")
    assert one("SELECT ? col", [1]).col == 1
    assert one("SELECT :a AS a, :b AS b, :a AS c", {"a": 1, "b": "x"}).asDict() == {"a": 1, "b": "x", "c": 1}


def test_parameters_beside_rows(secure):
    with secure.cursor() as c:
        got = c.execute("SELECT :param `p`, * FROM range(10)", {"param": "foo"}).fetchall()
        assert len(got) == 10 and {r.p for r in got} == {"foo"} and [r.id for r in got] == list(range(10))


def test_marks_in_texts_are_no_parameters(one):
    got = one("SELECT 'samsonite', ? WHERE 'samsonite' LIKE '%sonite'", ["luggage"])
    assert (got.samsonite, got.luggage) == ("samsonite", "luggage")
    assert one("SELECT 1 `col` WHERE 'foo' LIKE '%'", {"param": "bar"}).col == 1


def test_what_is_not_bound_is_an_error(one):
    from databricks.sql.exc import ServerOperationError

    with pytest.raises(ServerOperationError, match="UNBOUND_SQL_PARAMETER"):
        one("SELECT :nobody", {"somebody": 1})


# ---- written into the text by the connector ----

def test_written_into_the_text(secure, u, caplog):
    with secure.cursor({"use_inline_params": True}) as c:
        columns = {"int_col": ("INT", 50), "big_col": ("BIGINT", 2147483648), "double_col": ("DOUBLE", 3.14), "dec_col": ("DECIMAL(10, 2)", D("1234.56")),
                   "text_col": ("STRING", "it's"), "bool_col": ("BOOLEAN", True), "date_col": ("DATE", datetime.date(2023, 9, 6)),
                   "ts_col": ("TIMESTAMP", AT.replace(tzinfo=UTC)), "list_col": ("ARRAY<STRING>", ["a", "b"]), "map_col": ("MAP<STRING, INT>", {"a": 1}),
                   "maps_col": ("ARRAY<MAP<STRING, INT>>", NESTED[0]), "lists_col": ("MAP<INT, ARRAY<STRING>>", NESTED[1]), "null_col": ("INT", None)}
        c.execute(f"CREATE TABLE i_{u} ({', '.join(f'{n} {t}' for n, (t, _) in columns.items())})")
        c.execute(f"INSERT INTO i_{u} VALUES ({', '.join(f'%({n})s' for n in columns)})", {n: v for n, (_, v) in columns.items()})
        got = c.execute(f"SELECT * FROM i_{u}").fetchone()
        assert {n: plain(got[n]) for n in columns} == {n: plain(v) for n, (_, v) in columns.items()}
        c.execute(f"DROP TABLE i_{u}")
        got = c.execute("SELECT %(foo)s foo, %(bar)s bar", {"foo": 1, "bar": 2}).fetchone()
        assert (got.foo, got.bar) == (1, 2)
        got = c.execute("SELECT %s foo, %s bar", (1, 2)).fetchone()
        assert (got.foo, got.bar) == (1, 2)
        with pytest.raises(TypeError, match="not enough arguments"):
            c.execute("SELECT 'samsonite', %s WHERE 'samsonite' LIKE '%sonite'", ["luggage"])
        with pytest.raises(ValueError, match="unsupported format character"):
            c.execute("SELECT 1 `col` WHERE 'foo' LIKE '%'", {"param": "bar"})
        assert c.execute("WITH base AS (SELECT 'x(one)sonite' AS `a`) SELECT a FROM base WHERE a LIKE concat(%(one)s, 'onite')", {"one": "%(one)s"}).fetchall()
    assert "Consider using native parameters." in caplog.text
    caplog.clear()
    for quiet in ({}, {"use_inline_params": "silent"}, {"use_inline_params": False}):
        with secure.cursor(quiet) as c:
            c.execute("SELECT %(p)s", {"p": 1})
    assert "Consider using native parameters." not in caplog.text


# ---- Statement Execution ----

def test_by_statement_execution(secure):
    with secure.cursor({"use_sea": True}) as c:
        got = c.execute("SELECT :i AS i, :s AS s, :d AS d, :n AS n, :t AS t", {"i": 5, "s": "x", "d": D("1.25"), "n": None, "t": datetime.date(2024, 1, 2)}).fetchone()
        assert tuple(got) == (5, "x", D("1.25"), None, datetime.date(2024, 1, 2))
    ask = {"warehouse_id": secure.warehouse, "statement": "SELECT :p", "parameters": [{"name": "p", "value": "[1]", "type": "ARRAY<INT>"}]}
    answer = secure.platform.request("POST", "/api/2.0/sql/statements", ask).json()
    assert answer["status"]["state"] == "FAILED" and "DATATYPE_MISMATCH" in answer["status"]["error"]["message"]
