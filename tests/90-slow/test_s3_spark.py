# SPDX-License-Identifier: Apache-2.0
"""Delta tables on an S3 server, written by us and by Apache Spark with delta-spark in turns: each reads what the other wrote.

Takes the set "spark" (tools/setup --with spark)."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

import delta_side  # noqa: E402
import s3_store  # noqa: E402
import s3_writers  # noqa: E402

pytestmark = pytest.mark.skipif(not delta_side.S3_JARS.exists(), reason="tools/setup --with spark")

# name: columns, properties, partitions, statements that either side runs with {t} as the table
FEATURES = {
    "plain": ("id BIGINT, v STRING", "", ""),
    "partitioned": ("id BIGINT, v STRING", "", "PARTITIONED BY (v)"),
    "vectors": ("id BIGINT, v STRING", "'delta.enableDeletionVectors'='true'", ""),
    "feed": ("id BIGINT, v STRING", "'delta.enableChangeDataFeed'='true'", ""),
    "mapped": ("id BIGINT, v STRING", "'delta.columnMapping.mode'='name'", ""),
    "v2": ("id BIGINT, v STRING", "'delta.checkpointPolicy'='v2', 'delta.checkpointInterval'='3'", ""),
    "tracked": ("id BIGINT, v STRING", "'delta.enableRowTracking'='true'", ""),
    "times": ("id BIGINT, v STRING", "'delta.enableInCommitTimestamps'='true'", ""),
    "checked": ("id BIGINT, v STRING", "'delta.constraints.positive'='id > 0'", ""),
}


@pytest.fixture(scope="module")
def s3():
    with s3_store.store() as store:
        yield store


@pytest.fixture(scope="module")
def spark(s3, tmp_path_factory):
    peer = delta_side.Spark(tmp_path_factory.mktemp("spark"), s3=s3)
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def ours(s3, tmp_path_factory):
    w = s3_writers.Writer(tmp_path_factory.mktemp("ours") / "data", s3, 1)
    with w.platform:
        s3_writers.open_location(w.platform, s3, "loc", "spark")
        yield w


def content(ours, spark, name, url):
    """The table's rows, the same on both sides."""
    mine = ours.must(f"SELECT id, v FROM main.default.{name} ORDER BY id, v")
    theirs = spark.read(url)
    assert "error" not in theirs, theirs
    at = [theirs["columns"].index(c) for c in ("id", "v")]
    assert sorted(json.dumps(r) for r in mine) == sorted(json.dumps([r[i] for i in at]) for r in theirs["rows"])
    return len(mine)


def by_spark(spark, url, sql):
    got = spark.run(sql, url)
    assert "error" not in got, got


@pytest.mark.parametrize("name", FEATURES)
def test_in_turns(ours, spark, name):
    columns, properties, partitions = FEATURES[name]
    properties = f"TBLPROPERTIES ({properties})" if properties else ""
    for who in ("o", "s"):
        t, url = f"{name}_{who}", f"s3://bucket/spark/{name}_{who}"
        if who == "o":
            ours.must(f"CREATE TABLE main.default.{t} ({columns}) {partitions} LOCATION '{url}' {properties}")
        else:
            by_spark(spark, url, f"CREATE TABLE {{t}} ({columns}) USING delta {partitions} {properties}")
            ours.must(f"CREATE TABLE main.default.{t} LOCATION '{url}'")
        ours.must(f"INSERT INTO main.default.{t} SELECT id + 1, 'o' || id % 3 FROM range(20)")
        assert content(ours, spark, t, url) == 20
        by_spark(spark, url, "INSERT INTO {t} SELECT id + 100, concat('s', id % 2) FROM range(10)")
        assert content(ours, spark, t, url) == 30
        ours.must(f"DELETE FROM main.default.{t} WHERE id = 3")
        ours.must(f"UPDATE main.default.{t} SET v = 'changed' WHERE id = 4")
        assert content(ours, spark, t, url) == 29
        by_spark(spark, url, "DELETE FROM {t} WHERE id = 101")
        by_spark(spark, url, "MERGE INTO {t} t USING (SELECT 5L AS id, 'm' AS v UNION ALL SELECT 999L, 'n') s ON t.id = s.id WHEN MATCHED THEN "
                             "UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *")
        assert content(ours, spark, t, url) == 29
        ours.must(f"OPTIMIZE main.default.{t}")
        assert content(ours, spark, t, url) == 29
