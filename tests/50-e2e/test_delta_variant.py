# SPDX-License-Identifier: Apache-2.0
"""Variants in tables: what they are not used for, and what does not fit, by Spark's classes."""

import pytest
from boathouse import Platform
from statements import Sql


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("variant") / "data") as p:
        s = Sql(p)
        s("CREATE TABLE main.default.v (id INT, x VARIANT)")
        s("""INSERT INTO main.default.v SELECT 1, parse_json('{"a":1}')""")
        yield s


V = "main.default.v"
REFUSED = {
    f"SELECT x, count(*) FROM {V} GROUP BY x": "GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE",
    f"SELECT array(x), count(*) FROM {V} GROUP BY 1": "GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE",
    f"SELECT x, count(*) FROM {V} GROUP BY ALL": "GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE",
    f"SELECT DISTINCT x FROM {V}": "UNSUPPORTED_FEATURE.SET_OPERATION_ON_VARIANT_TYPE",
    f"SELECT x FROM {V} UNION SELECT x FROM {V}": "UNSUPPORTED_FEATURE.SET_OPERATION_ON_VARIANT_TYPE",
    f"SELECT * FROM {V} ORDER BY x": "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    f"SELECT x = x FROM {V}": "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    f"SELECT x IN (x) FROM {V}": "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    f"SELECT row_number() OVER (PARTITION BY x ORDER BY id) FROM {V}": "EXPRESSION_TYPE_IS_NOT_ORDERABLE",
    f"SELECT row_number() OVER (ORDER BY x) FROM {V}": "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    f"MERGE INTO {V} t USING {V} s ON t.x = s.x WHEN MATCHED THEN DELETE": "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    f"SELECT CAST(x AS INTERVAL DAY) FROM {V}": "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
    "CREATE TABLE main.default.no (id INT, x VARIANT) PARTITIONED BY (x)": "INVALID_PARTITION_COLUMN_DATA_TYPE",
    f"CREATE TABLE main.default.no PARTITIONED BY (x) AS SELECT * FROM {V}": "INVALID_PARTITION_COLUMN_DATA_TYPE",
    "CREATE TABLE main.default.no (id INT, x VARIANT) CLUSTER BY (x)": "DELTA_CLUSTERING_COLUMNS_DATATYPE_NOT_SUPPORTED",
    f"ALTER TABLE {V} CLUSTER BY (x)": "DELTA_CLUSTERING_COLUMNS_DATATYPE_NOT_SUPPORTED",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_variants_are_not_used_for(sql, text):
    sql.fails(text, f"[{REFUSED[text]}]")


@pytest.mark.parametrize("value,to,shown", [('{"a":1}', "INT", '"INT"'), ('{"a":1}', "DATE", '"DATE"'), ('{"a":1}', "BINARY", '"BINARY"'), ('"abc"', "INT", '"INT"'),
                                            ("300", "TINYINT", '"TINYINT"'), ('"2020-13-01"', "DATE", '"DATE"'), ("[1]", "DECIMAL(5,2)", '"DECIMAL(5,2)"')])
def test_casts_that_do_not_fit(sql, value, to, shown):
    for source in (f"SELECT CAST(parse_json('{value}') AS {to})", f"SELECT CAST(parse_json(t) AS {to}) FROM VALUES ('{value}') s(t)"):
        said = sql.fails(source, "[INVALID_VARIANT_CAST]")
        assert value in said and shown in said
    assert sql(f"SELECT try_cast(parse_json('{value}') AS {to})") == [[None]]


@pytest.mark.parametrize("type_", ["BOOLEAN", "BINARY", "ARRAY<INT>", "MAP<STRING, INT>", "STRUCT<q: INT>"])
def test_types_that_tables_are_not_clustered_by(sql, type_):
    said = sql.fails(f"CREATE TABLE main.default.no (id INT, x {type_}) CLUSTER BY (x)", "[DELTA_CLUSTERING_COLUMNS_DATATYPE_NOT_SUPPORTED]")
    assert f"x : {type_}" in said
    if type_ not in ("BOOLEAN", "BINARY"):
        assert f'"{type_}"' in sql.fails(f"CREATE TABLE main.default.no (id INT, x {type_}) PARTITIONED BY (x)", "[INVALID_PARTITION_COLUMN_DATA_TYPE]")


def test_fields_of_structs_cluster(sql):
    sql("CREATE TABLE main.default.nested (id INT, s STRUCT<q: INT, b: BOOLEAN>) CLUSTER BY (s.q)")
    assert "s.b : BOOLEAN" in sql.fails("CREATE TABLE main.default.no (id INT, s STRUCT<q: INT, b: BOOLEAN>) CLUSTER BY (s.b)", "DELTA_CLUSTERING_COLUMNS_DATATYPE_NOT_SUPPORTED")
