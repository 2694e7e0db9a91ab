# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile tables: each gives a named error (or is read as if the damage were not there), nothing outside of the table is
touched, and the same process goes on to read a sound table."""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import delta_side  # noqa: E402

if not (delta_side.BUILD / "tests/harness/deltasql").exists():
    pytest.skip("the harness of statements is not built", allow_module_level=True)

SOUND = [["1", "a", "1"], ["2", "b", "2"], ["3", "c", "1"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    (root.parent / "secret.parquet").write_bytes(b"PAR1 not yours PAR1")
    ours = delta_side.Ours(root)
    yield ours, root
    ours.close()
    assert ours.process.returncode == 0


def run(ours, table, sql):
    return ours.run(sql, table)


@pytest.fixture(scope="module")
def sound(world):
    ours, root = world
    for sql in ("CREATE TABLE {t} (id INT, v STRING, p INT) USING delta PARTITIONED BY (p) TBLPROPERTIES('delta.checkpointInterval'='1000', "
                "'delta.enableDeletionVectors'='true')",
                "INSERT INTO {t} VALUES (1, 'a', 1), (9, 'x', 1)", "INSERT INTO {t} VALUES (2, 'b', 2)", "INSERT INTO {t} VALUES (3, 'c', 1)",
                "DELETE FROM {t} WHERE id = 9"):
        got = run(ours, root / "sound", sql)
        assert "error" not in got, got
    return root / "sound"


NUMBERS = itertools.count()


@pytest.fixture
def table(sound):
    to = sound.parent / f"t{next(NUMBERS)}"
    shutil.copytree(sound, to)
    yield to
    shutil.rmtree(to)


def log(table, version):
    return table / "_delta_log" / f"{version:020d}.json"


def actions(table, version):
    return [json.loads(x) for x in log(table, version).read_text().splitlines()]


def rewrite(table, version, change):
    """change(kind, body) for each action; what it returns stands instead (None: the action goes)."""
    out = []
    for a in actions(table, version):
        (kind, body), = a.items()
        got = change(kind, body)
        if got is not None:
            out.append(json.dumps({kind: got}))
    log(table, version).write_text("\n".join(out) + "\n")


def of(kind, **fields):
    return lambda k, b: {**b, **fields} if k == kind else b


def read(world, table, where=""):
    return run(world[0], table, "SELECT id, v, p FROM {t} %s ORDER BY id" % where)


def refused(got, *classes):
    assert got.get("error", "none").startswith(classes), got


def still_sound(world, sound):
    assert read(world, sound)["rows"] == SOUND


def data_file(table, version=2):
    return table / next(a["add"]["path"] for a in actions(table, version) if "add" in a)


def test_a_data_file_that_is_cut(world, sound, table):
    f = data_file(table)
    f.write_bytes(f.read_bytes()[:-20])
    refused(read(world, table), "FAILED_READ_FILE")
    still_sound(world, sound)


def test_a_data_file_whose_middle_is_noise(world, sound, table):
    f = data_file(table)
    raw = bytearray(f.read_bytes())
    raw[4:60] = os.urandom(56)
    f.write_bytes(raw)
    got = read(world, table)
    assert "error" in got or len(got["rows"]) == 3
    still_sound(world, sound)


def test_a_data_file_that_is_gone(world, table):
    data_file(table).unlink()
    refused(read(world, table), "FAILED_READ_FILE.FILE_NOT_EXIST")


def test_a_gap_in_the_log(world, table):
    log(table, 2).unlink()
    refused(read(world, table), "DELTA_VERSIONS_NOT_CONTIGUOUS")


def test_a_log_without_its_beginning(world, table):
    log(table, 0).unlink()
    refused(read(world, table), "DELTA_LOG_FILE_NOT_FOUND", "DELTA_TRUNCATED_TRANSACTION_LOG", "DELTA_STATE_RECOVER_ERROR", "DELTA_VERSIONS_NOT_CONTIGUOUS")


@pytest.mark.parametrize("text", ["{", "[]\n", '{"add":5}\n', '{"add":{}}\n', '{"metaData":{"id":1}}\n', '{"protocol":"x"}\n', "\0\0\0\n", '{"add":null\n',
                                  '{"remove":{"path":7}}\n'])
def test_a_commit_that_is_no_log(world, sound, table, text):
    log(table, 3).write_text(text)
    got = read(world, table)
    named = ("DELTA_LOG_FILE_MALFORMED", "DELTA_STATE_RECOVER_ERROR", "DELTA_TXN_LOG_FAILED_INTEGRITY")
    assert got.get("error", "").startswith(named) or "rows" in got, got
    still_sound(world, sound)


@pytest.mark.parametrize("path", ["../secret.parquet", "../../secret.parquet", "%2e%2e/secret.parquet", "a/..%2f..%2fsecret.parquet", "/etc/passwd",
                                  "file:///etc/passwd", "file:/etc/shadow", "s3://bucket/x.parquet", "http://127.0.0.1:9/x.parquet", "", "%zz", "a%00b",
                                  "https://x/y", "hf://datasets/x"])
def test_a_path_that_leads_away(world, sound, table, path):
    rewrite(table, 2, of("add", path=path))
    got = read(world, table)
    assert got.get("error", "").split(".")[0] in ("DELTA_LOG_FILE_MALFORMED", "PATH_NOT_FOUND", "FAILED_READ_FILE", "DELTA_FILE_NOT_FOUND"), got
    assert "not yours" not in json.dumps(got)
    for change in ("DELETE FROM {t} WHERE id = 2", "UPDATE {t} SET v = 'z'"):
        assert "error" in run(world[0], table, change)
    assert (table.parent.parent / "secret.parquet").exists()
    still_sound(world, sound)


def test_vacuum_stays_in_its_folder(world, table):
    outside = table.parent / "beside.parquet"
    outside.write_bytes(b"x")
    os.utime(outside, (1, 1))
    os.symlink(table.parent, table / "out")
    rewrite(table, 3, lambda k, b: b)
    log(table, 5).write_text(json.dumps({"remove": {"path": "../beside.parquet", "deletionTimestamp": 1, "dataChange": True}}) + "\n")
    run(world[0], table, "VACUUM {t}")
    world[0].ask(sql=f"VACUUM `{table.name}` RETAIN 0 HOURS", conf={"spark.databricks.delta.retentionDurationCheck.enabled": "false"})
    assert outside.exists()


@pytest.mark.parametrize("dv", [{"cardinality": 1 << 60}, {"cardinality": -1}, {"sizeInBytes": 1 << 31}, {"sizeInBytes": -5}, {"offset": 1 << 40},
                                {"storageType": "x"}, {"storageType": "i", "pathOrInlineDv": "@@@@"}, {"pathOrInlineDv": "short"},
                                {"storageType": "p", "pathOrInlineDv": "/etc/passwd"}, {"storageType": "p", "pathOrInlineDv": "../../x"},
                                {"pathOrInlineDv": "../../" + "a" * 20}], ids=lambda d: "_".join(map(str, d.values()))[:24])
def test_vectors_that_lie(world, sound, table, dv):
    rewrite(table, 4, lambda k, b: {**b, "deletionVector": {**b["deletionVector"], **dv}} if k == "add" else b)
    refused(read(world, table), "DELTA_", "PATH_NOT_FOUND")
    still_sound(world, sound)


def test_a_vector_with_a_wrong_checksum(world, table):
    f, = table.glob("deletion_vector_*.bin")
    raw = bytearray(f.read_bytes())
    raw[-1] ^= 255
    f.write_bytes(raw)
    refused(read(world, table), "DELTA_DELETION_VECTOR_CHECKSUM_MISMATCH")


@pytest.mark.parametrize("stats", ["{", "[]", "5", '{"numRecords":"x"}', '{"numRecords":-4}', '{"numRecords":99999999999999999999}', '{"minValues":5}',
                                   '{"minValues":{"id":"abc"},"maxValues":{"id":[1]}}', '{"numRecords":1,"nullCount":{"id":{"x":1}}}',
                                   '{"minValues":{"id":1e999},"maxValues":{"id":-1e999}}', '{"minValues":' + '{"a":' * 500 + "1" + "}" * 501])
def test_statistics_that_say_nothing(world, sound, table, stats):
    rewrite(table, 2, of("add", stats=stats))
    got = read(world, table, "WHERE id >= 2")
    assert got.get("rows") == SOUND[1:] or "error" in got, got
    still_sound(world, sound)


@pytest.mark.parametrize("change", [{"schemaString": "x"}, {"schemaString": "5"}, {"schemaString": '{"type":"struct"}'}, {"partitionColumns": ["nope"]},
                                    {"partitionColumns": "p"}, {"configuration": []}, {"configuration": {"delta.columnMapping.mode": "name"}},
                                    {"configuration": {"delta.columnMapping.mode": "wrong"}},
                                    {"schemaString": '{"type":"struct","fields":[{"name":"id","type":"nonsense","nullable":true,"metadata":{}}]}'},
                                    {"schemaString": '{"type":"struct","fields":[{"name":"id","type":' + '{"type":"array","containsNull":true,"elementType":' * 3000 +
                                     '"long"' + "}" * 3000 + ',"nullable":true,"metadata":{}}]}'},
                                    {"schemaString": '{"type":"struct","fields":[{"name":"id","type":"decimal(99,200)","nullable":true,"metadata":{}}]}'}],
                         ids=range(11))
def test_metadata_of_wrong_types(world, sound, table, change):
    rewrite(table, 0, of("metaData", **change))
    got = read(world, table)
    assert "error" in got or "rows" in got
    assert got.get("error") != "INTERNAL_ERROR", got
    still_sound(world, sound)


@pytest.mark.parametrize("protocol", [{"minReaderVersion": 99, "minWriterVersion": 99}, {"minReaderVersion": -1, "minWriterVersion": 0},
                                      {"minReaderVersion": 3, "minWriterVersion": 7}, {"minReaderVersion": "x", "minWriterVersion": 2},
                                      {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["madeUp"], "writerFeatures": ["madeUp"]}], ids=range(5))
def test_protocols_that_nobody_knows(world, table, protocol):
    rewrite(table, 0, lambda k, b: protocol if k == "protocol" else b)
    refused(read(world, table), "DELTA_INVALID_PROTOCOL_VERSION", "DELTA_LOG_FILE_MALFORMED", "DELTA_UNSUPPORTED_FEATURES_FOR_READ")


@pytest.mark.parametrize("value", ["abc", "99999999999", "1.5", "\u0000"])
def test_partition_values_of_another_type(world, sound, table, value):
    rewrite(table, 2, of("add", partitionValues={"p": value}))
    got = read(world, table)
    assert "error" in got or [r[:2] for r in got["rows"]] == [r[:2] for r in SOUND], got
    assert got.get("error") != "INTERNAL_ERROR", got
    still_sound(world, sound)


def test_two_metadata_in_one_commit(world, table):
    text = log(table, 0).read_text()
    meta = next(x for x in text.splitlines() if x.startswith('{"metaData"'))
    log(table, 0).write_text(text + meta + "\n")
    got = read(world, table)
    refused(got, "DELTA_DUPLICATE_ACTIONS_FOUND", "DELTA_LOG_FILE_MALFORMED", "DELTA_STATE_RECOVER_ERROR")


@pytest.mark.parametrize("hint", ["", "{", "[]", '{"version":-3}', '{"version":99999}', '{"version":"x"}', '{"version":2,"parts":1000000000}', '{"version":2,"size":-1}'])
def test_a_hint_that_misleads(world, table, hint):
    (table / "_delta_log/_last_checkpoint").write_text(hint)
    assert read(world, table)["rows"] == SOUND


@pytest.mark.parametrize("name", ["00000000000000000003.checkpoint.parquet", "00000000000000000003.checkpoint.0000000001.0000000002.parquet",
                                  "00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet",
                                  "00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", "00000000000000000001.00000000000000000003.compacted.json"])
def test_checkpoints_and_compactions_of_noise(world, table, name):
    """The commits are all there: they are what counts."""
    (table / "_delta_log" / name).write_bytes(os.urandom(200))
    (table / "_delta_log/_last_checkpoint").write_text('{"version":3,"size":5}')
    got = read(world, table)
    assert got.get("rows") == SOUND or got["error"].startswith(("DELTA_", "FAILED_READ_FILE")), got
