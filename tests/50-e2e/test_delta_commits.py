# SPDX-License-Identifier: Apache-2.0
"""Small INSERTs (files made without DuckDB's COPY), many writers, and what two sessions may do to one table at once."""

import json
import threading
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest

S = "/api/2.0/sql/statements"


class Sql:
    def __init__(self, platform):
        self.platform, self.wh = platform, platform.connect["DATABRICKS_WAREHOUSE_ID"]

    def run(self, text):
        r = self.platform.request("POST", S, {"statement": text, "warehouse_id": self.wh, "wait_timeout": "50s"})
        assert r.status_code == 200, r.text
        return r.json()

    def __call__(self, text):
        got = self.run(text)
        assert got["status"]["state"] == "SUCCEEDED", (text, got["status"])
        return got.get("result", {}).get("data_array", [])


@pytest.fixture(scope="module")
def sql(platform):
    return Sql(platform)


@pytest.fixture(scope="module")
def schema(sql):
    name = f"main.c_{uuid.uuid4().hex[:8]}"
    sql(f"CREATE SCHEMA {name}")
    yield name
    sql(f"DROP SCHEMA {name} CASCADE")


def folder(platform, sql, table):
    """Where the table lies on disk: found by its id, below the platform's data."""
    ident = dict((r[0], r[1]) for r in sql(f"DESCRIBE TABLE EXTENDED {table}") if r[0]).get("Location", "")
    found = [p for p in Path(platform.data).rglob("_delta_log") if p.parent.name == ident.rstrip("/").rsplit("/", 1)[-1]]
    assert len(found) == 1, (ident, found)
    return found[0].parent


def adds(path):
    out = []
    for f in sorted((path / "_delta_log").glob("*.json")):
        out += [a["add"] for a in map(json.loads, f.read_text().splitlines()) if "add" in a]
    return out


TYPES = [
    ("b", "BOOLEAN", ["true", "NULL", "false"]),
    ("t", "TINYINT", ["-128", "127", "NULL"]),
    ("s", "SMALLINT", ["NULL", "-7", "300"]),
    ("i", "INT", ["-2147483648", "0", "2147483647"]),
    ("l", "BIGINT", ["-9223372036854775808", "NULL", "5"]),
    ("f", "FLOAT", ["1.5", "-0.25", "NULL"]),
    ("d", "DOUBLE", ["double('NaN')", "1e300", "-2.5"]),
    ("d4", "DECIMAL(4,2)", ["-0.05", "12.34", "NULL"]),
    ("d9", "DECIMAL(9,0)", ["-123456789", "1", "2"]),
    ("d18", "DECIMAL(18,6)", ["NULL", "-1.000001", "999999999999.999999"]),
    ("d38", "DECIMAL(38,10)", ["-1234567890123456789012345678.0123456789", "0", "0.0000000001"]),
    ("x", "STRING", ["'äöü€𝄞'", "''", "NULL"]),
    ("y", "BINARY", ["x'00ff10'", "NULL", "x''"]),
    ("day", "DATE", ["date'0001-01-01'", "date'1969-12-31'", "date'2024-02-29'"]),
    ("ts", "TIMESTAMP", ["timestamp'1969-12-31 23:59:59.999999 UTC'", "NULL", "timestamp'2024-01-02 03:04:05 UTC'"]),
    ("tn", "TIMESTAMP_NTZ", ["NULL", "timestamp_ntz'2024-01-02 03:04:05.678901'", "timestamp_ntz'1900-01-01 00:00:00'"]),
]


def test_few_rows_of_every_type(platform, sql, schema):
    t = f"{schema}.types"
    sql(f"CREATE TABLE {t} (k INT, {', '.join(f'{n} {ty}' for n, ty, _ in TYPES)})")
    rows = ", ".join(f"({k}, {', '.join(v[k] for _, _, v in TYPES)})" for k in range(3))
    assert sql(f"INSERT INTO {t} VALUES {rows}") == [["3", "3"]]
    # The same rows by COPY must be the same: files' types and the log's statistics.
    sql(f"CREATE TABLE {t}_copy AS SELECT * FROM {t}")
    want = [sql(f"SELECT {k}, {', '.join(f'CAST({v[k]} AS {ty})' for _, ty, v in TYPES)}")[0] for k in range(3)]
    assert sql(f"SELECT * FROM {t} ORDER BY k") == want
    assert sql(f"SELECT * FROM {t}_copy ORDER BY k") == want
    assert sql(f"SELECT k FROM {t} WHERE d38 < 0 AND tn IS NULL AND x > 'a'") == [["0"]]
    ours, copy = folder(platform, sql, t), folder(platform, sql, t + "_copy")
    a, c = adds(ours), adds(copy)
    assert len(a) == len(c) == 1
    assert json.loads(a[0]["stats"]) == json.loads(c[0]["stats"])
    x, y = pq.read_table(ours / a[0]["path"]), pq.read_table(copy / c[0]["path"])
    assert x.schema.types == y.schema.types and x.schema.names == y.schema.names
    assert str(x.to_pylist()) == str(y.to_pylist())


def test_few_rows_by_partition_and_name(platform, sql, schema):
    t = f"{schema}.parted"
    sql(f"CREATE TABLE {t} (id INT, p STRING, q DATE) PARTITIONED BY (p, q) TBLPROPERTIES ('delta.columnMapping.mode'='name')")
    sql(f"INSERT INTO {t} VALUES (1, 'a', date'2024-01-01'), (2, NULL, NULL), (3, 'a', date'2024-01-01'), (4, 'b/ö', NULL)")
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "a", "2024-01-01"], ["2", None, None], ["3", "a", "2024-01-01"], ["4", "b/ö", None]]
    assert len(adds(folder(platform, sql, t))) == 3
    many = ", ".join(f"({k}, 'p{k}', NULL)" for k in range(40))
    sql(f"INSERT INTO {t} VALUES {many}")
    assert sql(f"SELECT count(*), count(DISTINCT p) FROM {t} WHERE p LIKE 'p%'") == [["40", "40"]]


def test_sixteen_writers_and_readers(sql, schema):
    t = f"{schema}.crowd"
    sql(f"CREATE TABLE {t} (writer INT, n INT)")
    wrong, seen = [], []

    def write(k):
        try:
            for n in range(8):
                Sql(sql.platform)(f"INSERT INTO {t} VALUES ({k}, {n})")
        except AssertionError as e:
            wrong.append(e)

    def read():
        last = 0
        while any(x.is_alive() for x in threads):
            n = int(sql(f"SELECT count(*) FROM {t}")[0][0])
            if n < last:
                wrong.append((last, n))
            last = n
            seen.append(n)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(16)]
    for x in threads:
        x.start()
    read()
    for x in threads:
        x.join()
    assert not wrong and seen
    assert sql(f"SELECT count(*), count(DISTINCT writer * 10 + n) FROM {t}") == [["128", "128"]]
    assert [r[0] for r in sql(f"DESCRIBE HISTORY {t}")] == [str(v) for v in range(128, -1, -1)]
