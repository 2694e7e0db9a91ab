# SPDX-License-Identifier: Apache-2.0
"""Parquet files of other writers, by their path, by read_files and as Delta tables: codecs, encodings, pages, old types and lists."""

import datetime
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402
from statements import Sql  # noqa: E402

N = 3000
DAY = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.timezone.utc)
TABLE = pa.table({
    "id": pa.array(range(N), pa.int64()),
    "small": pa.array([i % 100 for i in range(N)], pa.int8()),
    "text": [f"value {i % 50}" if i % 7 else None for i in range(N)],
    "d": pa.array([Decimal(i) / 8 for i in range(N)], pa.decimal128(12, 3)),
    "day": pa.array([datetime.date(2024, 1, 1) + datetime.timedelta(i % 300) for i in range(N)]),
    "at": pa.array([DAY + datetime.timedelta(seconds=i) for i in range(N)], pa.timestamp("us", tz="UTC")),
    "x": pa.array([i / 4 for i in range(N)], pa.float64()),
    "list": pa.array([[i, None, i + 1] if i % 3 else None for i in range(N)], pa.list_(pa.int32())),
    "map": pa.array([[("k", i), ("n", None)] for i in range(N)], pa.map_(pa.string(), pa.int64())),
    "deep": pa.array([{"a": i, "b": [{"c": str(i)}]} for i in range(N)], pa.struct([("a", pa.int32()), ("b", pa.list_(pa.struct([("c", pa.string())])))])),
})
QUERY = ("SELECT count(*), sum(id), sum(small), count(text), max(text), sum(d), max(day), max(at), sum(x), sum(list[0]), count(list), sum(map['k']), sum(deep.a), "
         "max(deep.b[0].c) FROM ")
ANSWER = ["3000", "4498500", "148500", "2571", "value 9", "562312.500", "2024-10-26", "2024-05-06T07:58:08.123456Z", "1124625.0", "3000000", "2000", "4498500",
          "4498500", "999"]
WRITTEN = {
    "snappy": {"compression": "snappy"}, "gzip": {"compression": "gzip"}, "brotli": {"compression": "brotli"}, "zstd": {"compression": "zstd"},
    "lz4_raw": {"compression": "lz4"}, "uncompressed": {"compression": "none"},
    "pages_v2": {"data_page_version": "2.0"}, "version_1": {"version": "1.0"}, "int96": {"use_deprecated_int96_timestamps": True},
    "lists_of_item": {"use_compliant_nested_type": False}, "no_statistics": {"write_statistics": False}, "small_pages": {"data_page_size": 512, "row_group_size": 100},
    "plain": {"use_dictionary": False},
    "deltas": {"use_dictionary": False, "column_encoding": {"id": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY", "x": "BYTE_STREAM_SPLIT"}},
    "lengths": {"use_dictionary": False, "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"}},
    "page_index": {"write_page_index": True}, "decimals_of_integers": {"store_decimal_as_integer": True},
}


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    top = tmp_path_factory.mktemp("parquet")
    (top / "root").mkdir()
    with Platform(top / "data", settings={"storage.local_roots": str(top / "root")}) as p:
        made = p.request("POST", "/api/2.1/unity-catalog/external-locations", {"name": "files", "url": f"file://{top}/root", "credential_name": "local"})
        assert made.status_code == 200, made.text
        s = Sql(p)
        s.root = top / "root"
        yield s


@pytest.mark.parametrize("name", WRITTEN)
def test_files_of_another_writer(sql, name):
    folder = sql.root / name
    folder.mkdir()
    pq.write_table(TABLE, folder / "part.parquet", **WRITTEN[name])
    assert sql(QUERY + f"parquet.`{folder}`") == [ANSWER]
    assert sql(QUERY + f"read_files('file://{folder}', format => 'parquet')") == [ANSWER]
    sql(f"CONVERT TO DELTA parquet.`{folder}`")
    assert sql(QUERY + f"delta.`{folder}`") == [ANSWER]
    assert sql(f"SELECT count(*) FROM delta.`{folder}` WHERE id >= 10 AND id < 20") == [["10"]]


def test_a_codec_that_is_not_read_is_named(sql):
    """LZ4 in the framing that Hadoop once gave it: told apart from LZ4_RAW by its number in the footer alone."""
    folder = sql.root / "hadoop"
    folder.mkdir()
    pq.write_table(TABLE.select(["id"]), folder / "part.parquet", compression="lz4")
    file = (folder / "part.parquet").read_bytes()
    footer = len(file) - 8 - int.from_bytes(file[-8:-4], "little")
    raw, old = b"\x15\x0e", b"\x15\x0a"
    assert raw in file[footer:]
    (folder / "part.parquet").write_bytes(file[:footer] + file[footer:].replace(raw, old))
    said = sql.fails(f"SELECT * FROM parquet.`{folder}`", "[FAILED_READ_FILE.NO_HINT]")
    assert f"file://{folder}/part.parquet" in said and '"LZ4"' in said


def test_what_is_no_parquet_file(sql):
    folder = sql.root / "wrong"
    folder.mkdir()
    (folder / "part.parquet").write_bytes(b"PAR1" + b"x" * 100)
    sql.fails(f"SELECT * FROM parquet.`{folder}`", "[FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER]")
    pq.write_table(TABLE, folder / "part.parquet", compression="zstd")
    whole = (folder / "part.parquet").read_bytes()
    (folder / "part.parquet").write_bytes(whole[:4] + b"\xff" * 2000 + whole[2004:])
    sql.fails(f"SELECT id FROM parquet.`{folder}`", "[FAILED_READ_FILE.NO_HINT]")
