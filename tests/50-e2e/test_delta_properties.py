# SPDX-License-Identifier: Apache-2.0
"""Properties of Delta tables: names and values that are taken, and refused by their classes."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from boathouse import Platform
from statements import Sql


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("properties") / "data") as p:
        s = Sql(p)
        s("CREATE TABLE main.default.t (id BIGINT)")
        yield s


REQUIRED = "INVALID_CONF_VALUE.REQUIREMENT"
WRONG = {
    "delta.checkpointInterval": [("-5", REQUIRED), ("0", REQUIRED), ("ten", REQUIRED), ("3000000000", REQUIRED), ("", REQUIRED)],
    "delta.appendOnly": [("yes", REQUIRED), ("1", REQUIRED)],
    "delta.enableDeletionVectors": [("maybe", REQUIRED)],
    "delta.dataSkippingNumIndexedCols": [("-2", REQUIRED)],
    "delta.randomPrefixLength": [("0", REQUIRED)],
    "delta.logRetentionDuration": [("interval 1 month", REQUIRED), ("-1 days", REQUIRED), ("soon", "DELTA_INVALID_INTERVAL"), (" ", "DELTA_INVALID_CALENDAR_INTERVAL_EMPTY")],
    "delta.deletedFileRetentionDuration": [("2 years", REQUIRED), ("7", "DELTA_INVALID_INTERVAL")],
    "delta.isolationLevel": [("SnapshotIsolation", "DELTA_INVALID_ISOLATION_LEVEL"), ("x", "DELTA_INVALID_ISOLATION_LEVEL")],
    "delta.checkpointPolicy": [("v3", REQUIRED)],
    "delta.columnMapping.mode": [("position", REQUIRED)],
    "delta.minReaderVersion": [("4", REQUIRED)],
    "delta.minWriterVersion": [("0", REQUIRED), ("8", REQUIRED)],
    "delta.autoOptimize.autoCompact": [("often", "DELTA_INVALID_AUTO_COMPACT_TYPE")],
    "delta.parquet.compression.codec": [("zip", REQUIRED)],
    "delta.targetFileSize": [("big", REQUIRED), ("-1", REQUIRED)],
    "delta.universalFormat.enabledFormats": [("paimon", REQUIRED), ("hudi,hudi", REQUIRED)],
    "delta.checkpointIntervall": [("5", "DELTA_UNKNOWN_CONFIGURATION")],
    "delta.enableFoo": [("true", "DELTA_UNKNOWN_CONFIGURATION")],
    "delta.autoOptimize.often": [("true", "DELTA_UNKNOWN_CONFIGURATION")],
    "delta.feature.bogus": [("supported", "DELTA_UNSUPPORTED_FEATURES_IN_CONFIG")],
}


@pytest.mark.parametrize("name", WRONG)
def test_values_that_are_refused(sql, name):
    for value, error in WRONG[name]:
        sql.fails(f"ALTER TABLE main.default.t SET TBLPROPERTIES ('{name}'='{value}')", f"[{error}]")
        sql.fails(f"CREATE TABLE main.default.never (id INT) TBLPROPERTIES ('{name}'='{value}')", f"[{error}]")
    shown = dict(sql("SHOW TBLPROPERTIES main.default.t"))
    assert name not in shown


def test_values_that_are_taken(sql):
    taken = {"delta.checkpointInterval": "7", "delta.dataSkippingNumIndexedCols": "-1", "delta.logRetentionDuration": "interval 2 weeks",
             "delta.deletedFileRetentionDuration": "36 hours", "delta.isolationLevel": "WriteSerializable", "delta.autoOptimize.autoCompact": "auto",
             "delta.targetFileSize": "64mb", "delta.parquet.compression.codec": "snappy", "delta.tuneFileSizesForRewrites": "false", "own": "anything"}
    sql("CREATE TABLE main.default.taken (id INT) TBLPROPERTIES (" + ", ".join(f"'{k}'='{v}'" for k, v in taken.items()) + ")")
    row = sql("DESCRIBE DETAIL main.default.taken")[0]
    assert json.loads(dict(zip(sql.columns, row))["properties"]) == taken
    # Names are known in any case, and kept as they are published.
    sql("ALTER TABLE main.default.taken SET TBLPROPERTIES ('DELTA.APPENDONLY'='true')")
    assert dict(sql("SHOW TBLPROPERTIES main.default.taken"))["delta.appendOnly"] == "true"
    sql("INSERT INTO main.default.taken VALUES (1)")
    sql.fails("DELETE FROM main.default.taken", "[DELTA_CANNOT_MODIFY_APPEND_ONLY]")


@pytest.mark.parametrize("codec", ["none", "uncompressed", "snappy", "gzip", "lz4", "lz4_raw", "zstd", "brotli"])
def test_codecs_that_are_written(sql, codec):
    t = f"main.default.c_{codec}"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING) TBLPROPERTIES ('delta.parquet.compression.codec'='{codec}')")
    sql(f"INSERT INTO {t} SELECT id, 'value ' || id FROM range(5000)")
    assert sql(f"SELECT count(*), sum(id), max(v) FROM {t}") == [["5000", "12497500", "value 999"]]
    row = sql(f"DESCRIBE DETAIL {t}")[0]
    (file,) = Path(dict(zip(sql.columns, row))["location"].removeprefix("file://")).glob("*.parquet")
    want = {"none": "UNCOMPRESSED", "lz4": "LZ4", "lz4_raw": "LZ4"}.get(codec, codec.upper())
    assert pq.ParquetFile(file).metadata.row_group(0).column(1).compression == want
