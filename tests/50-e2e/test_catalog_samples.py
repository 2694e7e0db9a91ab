# SPDX-License-Identifier: Apache-2.0
"""The catalog `samples`, which all may read and nobody change, and the legacy catalog hive_metastore with its names of two parts."""

import pytest
from databricks import sql as connector

TABLES = {"nyctaxi": {"trips": 21932},
          "tpch": {"region": 5, "nation": 25, "supplier": 500, "customer": 7500, "part": 10000, "partsupp": 40000, "orders": 75000, "lineitem": 300000}}


@pytest.fixture(scope="module")
def connect(platform):
    path = platform.connect["DATABRICKS_HTTP_PATH"]

    def make(token=None):
        return connector.connect("localhost", path, token or platform.token, _connection_uri=platform.url + path, enable_telemetry=False)
    return make


@pytest.fixture(scope="module")
def reader(platform, connect):
    """A connection of one who was granted nothing."""
    name, client = platform.another("samples")
    wh = platform.connect["DATABRICKS_WAREHOUSE_ID"]
    r = platform.request("PATCH", f"/api/2.0/permissions/warehouses/{wh}",
                         {"access_control_list": [{"service_principal_name": name, "permission_level": "CAN_USE"}]})
    assert r.status_code == 200, r.text
    with connect(client.config.authenticate()["Authorization"].split()[1]) as c:
        yield c


def rows(con, text):
    with con.cursor() as cur:
        return [tuple(r) for r in cur.execute(text).fetchall()]


def fails(con, text):
    with pytest.raises(connector.exc.Error) as e:
        rows(con, text)
    return str(e.value)


def test_everyone_reads_the_samples(reader):
    assert {r[0] for r in rows(reader, "SHOW SCHEMAS IN samples")} == {*TABLES, "information_schema"}
    for schema, tables in TABLES.items():
        assert {r[1] for r in rows(reader, f"SHOW TABLES IN samples.{schema}")} == set(tables)
        for name, n in tables.items():
            assert rows(reader, f"SELECT count(*) FROM samples.{schema}.{name}") == [(n,)]
    assert rows(reader, "SELECT n_name, r_name FROM samples.tpch.nation JOIN samples.tpch.region ON n_regionkey = r_regionkey WHERE n_nationkey = 7") == [("GERMANY", "EUROPE")]


def test_keys_fit_and_values_stay(reader):
    for child, parent in (("lineitem l", "orders o ON l_orderkey = o_orderkey"), ("lineitem l", "partsupp p ON l_partkey = ps_partkey AND l_suppkey = ps_suppkey"),
                          ("orders o", "customer c ON o_custkey = c_custkey"), ("partsupp x", "part p ON ps_partkey = p_partkey"),
                          ("partsupp x", "supplier s ON ps_suppkey = s_suppkey"), ("customer c", "nation n ON c_nationkey = n_nationkey")):
        assert rows(reader, f"SELECT count(*) FROM samples.tpch.{child} LEFT ANTI JOIN samples.tpch.{parent}") == [(0,)], child
    assert rows(reader, "SELECT count(DISTINCT ps_partkey, ps_suppkey) FROM samples.tpch.partsupp") == [(40000,)]
    assert rows(reader, "SELECT count(*) FROM samples.tpch.lineitem l JOIN samples.tpch.orders o ON l_orderkey = o_orderkey WHERE l_shipdate <= o_orderdate") == [(0,)]
    assert rows(reader, "SELECT trip_distance, fare_amount, pickup_zip FROM samples.nyctaxi.trips ORDER BY tpep_pickup_datetime, pickup_zip LIMIT 1") == \
        rows(reader, "SELECT trip_distance, fare_amount, pickup_zip FROM samples.nyctaxi.trips ORDER BY tpep_pickup_datetime, pickup_zip LIMIT 1")
    types = dict(r[:2] for r in rows(reader, "DESCRIBE TABLE samples.tpch.lineitem"))
    assert types["l_quantity"] == "decimal(18,2)" and types["l_shipdate"] == "date" and types["l_orderkey"] == "bigint" and types["l_linenumber"] == "int"


def test_nobody_changes_the_samples(connect, sdk):
    with connect() as admin:
        for text in ("DROP CATALOG samples CASCADE", "DROP SCHEMA samples.tpch CASCADE", "DROP VIEW samples.tpch.nation", "CREATE SCHEMA samples.mine",
                     "CREATE TABLE samples.tpch.mine (a INT)", "CREATE OR REPLACE VIEW samples.tpch.nation AS SELECT 1 AS a",
                     "ALTER VIEW samples.tpch.nation SET TBLPROPERTIES (a = 'b')", "GRANT MANAGE ON CATALOG samples TO admin", "COMMENT ON CATALOG samples IS 'x'",
                     "ALTER CATALOG samples SET OWNER TO admin"):
            assert "INSUFFICIENT_PERMISSIONS" in fails(admin, text), text
        assert rows(admin, "SELECT count(*) FROM samples.tpch.nation") == [(25,)]
    assert "samples" in [c.name for c in sdk.catalogs.list()]


def test_names_of_two_parts_in_hive_metastore(connect, reader):
    with connect() as admin:
        assert ("hive_metastore",) in rows(admin, "SHOW CATALOGS")
        rows(admin, "USE CATALOG hive_metastore")
        assert rows(admin, "SELECT current_catalog(), current_schema()") == [("hive_metastore", "default")]
        rows(admin, "CREATE TABLE default.legacy (id INT, name STRING)")
        rows(admin, "INSERT INTO default.legacy VALUES (1, 'a'), (2, 'b')")
        assert rows(admin, "SELECT name FROM legacy WHERE id = 2") == [("b",)]
        assert rows(admin, "SELECT count(*) FROM hive_metastore.default.legacy") == [(2,)]
        assert rows(admin, "SELECT count(*) FROM spark_catalog.default.legacy") == [(2,)]
        assert rows(admin, "SHOW TABLES IN default") == [("default", "legacy", False)]
        rows(admin, "CREATE DATABASE old")
        rows(admin, "CREATE VIEW old.v AS SELECT * FROM default.legacy")
        assert rows(admin, "SELECT count(*) FROM old.v") == [(2,)]
        assert "information_schema" not in {r[0] for r in rows(admin, "SHOW SCHEMAS")}
        assert "NOT_FOUND" in fails(admin, "SELECT * FROM hive_metastore.information_schema.tables")
        assert "UNSUPPORTED_FEATURE" in fails(admin, "CREATE VOLUME default.vol")
        assert "SELECT on Table" in fails(reader, "SELECT * FROM hive_metastore.default.legacy")
        rows(admin, "DROP VIEW old.v")
        rows(admin, "DROP DATABASE old")
        rows(admin, "DROP TABLE legacy")
