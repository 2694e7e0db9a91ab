# SPDX-License-Identifier: Apache-2.0
"""CLONE, shallow and deep, between tables on an S3 server, on local disk, managed and external: what each reads, what it leaves alone, who may."""

import json
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import s3_store  # noqa: E402
import s3_writers  # noqa: E402
from boathouse import Platform  # noqa: E402
from statements import Sql, another  # noqa: E402

UC = "/api/2.1/unity-catalog"
PLACES = ("managed", "local", "s3", "managed_s3")


@pytest.fixture(scope="module")
def s3():
    with s3_store.store() as store:
        yield store


@pytest.fixture(scope="module")
def p(s3, tmp_path_factory):
    top = tmp_path_factory.mktemp("clones")
    (top / "root").mkdir()
    with Platform(top / "data", settings={"egress.allow": f"127.0.0.1:{s3.port}", "storage.local_roots": str(top / "root")}) as platform:
        s3_writers.open_location(platform, s3, "store", "c")
        made = platform.request("POST", f"{UC}/external-locations", {"name": "disk", "url": f"file://{top}/root", "credential_name": "local"})
        assert made.status_code == 200, made.text
        platform.root = top / "root"
        yield platform


@pytest.fixture(scope="module")
def sql(p):
    s = Sql(p)
    s("CREATE SCHEMA main.c")
    s("CREATE CATALOG far MANAGED LOCATION 's3://bucket/c/far'")
    s("CREATE SCHEMA far.c")
    return s


def name_of(p, place, name):
    """(the table's name, its LOCATION clause)"""
    if place == "managed_s3":
        return f"far.c.{name}", ""
    at = {"managed": "", "local": f"LOCATION 'file://{p.root}/{name}'", "s3": f"LOCATION 's3://bucket/c/{name}'"}[place]
    return f"main.c.{name}", at


def ids(sql, t):
    return [int(r[0]) for r in sql(f"SELECT id FROM {t} ORDER BY id")]


def first_row(sql, text):
    row = sql(text)[0]
    return dict(zip(sql.columns, row))


@pytest.mark.parametrize("source", PLACES)
@pytest.mark.parametrize("target", PLACES)
def test_shallow_clones_from_anywhere_to_anywhere(p, sql, s3, u, source, target):
    a, at_a = name_of(p, source, f"a_{u}")
    b, at_b = name_of(p, target, f"b_{u}")
    sql(f"CREATE TABLE {a} (id BIGINT, p INT) PARTITIONED BY (p) {at_a} TBLPROPERTIES ('delta.enableDeletionVectors'='true')")
    sql(f"INSERT INTO {a} SELECT id, id % 2 FROM range(6)")
    sql(f"DELETE FROM {a} WHERE id = 2")
    assert sql(f"CREATE TABLE {b} SHALLOW CLONE {a} {at_b}")[0][3] == "0"
    assert ids(sql, b) == [0, 1, 3, 4, 5]
    # It is changed alone, files of the source get vectors of its own.
    sql(f"INSERT INTO {b} VALUES (10, 0)")
    sql(f"DELETE FROM {b} WHERE id = 4")
    sql(f"UPDATE {b} SET id = 33 WHERE id = 3")
    assert ids(sql, b) == [0, 1, 5, 10, 33] and ids(sql, a) == [0, 1, 3, 4, 5]
    sql(f"OPTIMIZE {b}")
    assert ids(sql, b) == [0, 1, 5, 10, 33] and ids(sql, f"{b} VERSION AS OF 0") == [0, 1, 3, 4, 5]
    sql(f"RESTORE {b} TO VERSION AS OF 1")
    assert ids(sql, b) == [0, 1, 3, 4, 5, 10]
    # Neither VACUUM nor DROP of the clone touches the source.
    sql(f"ALTER TABLE {b} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration'='interval 0 hours')")
    sql(f"VACUUM {b}")
    assert ids(sql, b) == [0, 1, 3, 4, 5, 10] and ids(sql, a) == [0, 1, 3, 4, 5]
    sql(f"DROP TABLE {b}")
    assert ids(sql, a) == [0, 1, 3, 4, 5]


def by_delta_rs(s3, key, n, mode="append"):
    """A table that no engine has seen the files of."""
    write_deltalake(f"s3://bucket/{key}", pa.table({"id": pa.array(range(n), pa.int64()), "v": [f"value {i}" for i in range(n)]}), mode=mode,
                    storage_options=s3_writers.storage_options(s3))


@pytest.mark.parametrize("target", PLACES)
def test_deep_clones_of_files_that_nobody_read_yet(p, sql, s3, u, target):
    by_delta_rs(s3, f"c/cold_{u}", 20000)
    b, at = name_of(p, target, f"warm_{u}")
    sql(f"CREATE TABLE {b} DEEP CLONE delta.`s3://bucket/c/cold_{u}` {at}")
    assert sql(f"SELECT count(*), sum(id), max(v) FROM {b}") == [["20000", "199990000", "value 9999"]]


@pytest.mark.parametrize("place", PLACES)
def test_a_clone_again_copies_what_is_new(p, sql, u, place):
    a, at_a = name_of(p, place, f"again_a_{u}")
    b, at_b = name_of(p, place, f"again_b_{u}")
    sql(f"CREATE TABLE {a} (id BIGINT COMMENT 'the id', p INT, CONSTRAINT small CHECK (id < 100)) PARTITIONED BY (p) {at_a} COMMENT 'of numbers' "
        "TBLPROPERTIES ('delta.enableDeletionVectors'='true', 'own'='yes')")
    sql(f"INSERT INTO {a} VALUES (1, 1), (2, 1)")
    sql(f"INSERT INTO {a} VALUES (3, 2)")
    first = sql(f"CREATE OR REPLACE TABLE {b} CLONE {a} {at_b}")
    assert sql.columns == ["source_table_size", "source_num_of_files", "num_removed_files", "num_copied_files", "removed_files_size", "copied_files_size"]
    size = first[0][0]
    assert first == [[size, "2", "0", "2", "0", size]] and int(size) > 100
    assert sql(f"CREATE OR REPLACE TABLE {b} DEEP CLONE {a} {at_b}") == [[size, "2", "0", "0", "0", "0"]]
    sql(f"INSERT INTO {a} VALUES (4, 2)")
    sql(f"DELETE FROM {a} WHERE id = 1")
    sql(f"INSERT INTO {b} VALUES (77, 1)")
    again = sql(f"CREATE OR REPLACE TABLE {b} CLONE {a} {at_b}")[0]
    # The new file; a vector for one that stays; what the clone itself had is gone.
    assert again[1] == "3" and again[2] == "2" and again[3] == "1" and 0 < int(again[5]) < int(size)
    assert ids(sql, b) == ids(sql, a) == [2, 3, 4]
    assert ids(sql, f"{b} VERSION AS OF 0") == [1, 2, 3]
    sql.fails(f"INSERT INTO {b} VALUES (100, 1)", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES")
    detail = first_row(sql, f"DESCRIBE DETAIL {b}")
    assert json.loads(detail["partitionColumns"]) == ["p"] and json.loads(detail["properties"])["own"] == "yes" and detail["description"] == "of numbers"
    assert [r for r in sql(f"DESCRIBE TABLE {b}") if r[0] == "id"][0] == ["id", "bigint", "the id"]
    history = first_row(sql, f"DESCRIBE HISTORY {b} LIMIT 1")
    assert history["operation"] == "CLONE"
    assert json.loads(history["operationParameters"]) == {"source": a, "sourceVersion": "4", "isShallow": "false"}
    assert json.loads(history["operationMetrics"]) == {"sourceTableSize": again[0], "sourceNumOfFiles": "3", "numRemovedFiles": "2", "numCopiedFiles": "1",
                                                       "removedFilesSize": again[4], "copiedFilesSize": again[5]}
    # Of a version; properties of its own.
    c, at_c = name_of(p, place, f"again_c_{u}")
    sql(f"CREATE TABLE {c} DEEP CLONE {a} VERSION AS OF 1 TBLPROPERTIES ('own'='other') {at_c}")
    assert ids(sql, c) == [1, 2]
    assert json.loads(first_row(sql, f"DESCRIBE DETAIL {c}")["properties"])["own"] == "other"


def test_a_shallow_clone_again_names_what_is_new(sql, s3, u):
    a, b = f"main.c.sa_{u}", f"main.c.sb_{u}"
    sql(f"CREATE TABLE {a} (id BIGINT) LOCATION 's3://bucket/c/sa_{u}'")
    sql(f"INSERT INTO {a} VALUES (1)")
    sql(f"CREATE TABLE {b} SHALLOW CLONE {a} LOCATION 's3://bucket/c/sb_{u}'")
    sql(f"INSERT INTO {a} VALUES (2)")
    got = sql(f"CREATE OR REPLACE TABLE {b} SHALLOW CLONE {a} LOCATION 's3://bucket/c/sb_{u}'")[0]
    assert got[1:4] == ["2", "0", "0"] and ids(sql, b) == [1, 2]
    log = s3.s3.get_object(Bucket="bucket", Key=f"c/sb_{u}/_delta_log/00000000000000000001.json")["Body"].read().decode()
    adds = [json.loads(x)["add"]["path"] for x in log.splitlines() if x.startswith('{"add"')]
    assert len(adds) == 1 and adds[0].startswith(f"s3://bucket/c/sa_{u}/") and '"remove"' not in log


@pytest.fixture(scope="module")
def bob(p, sql):
    """(name, Sql) of an identity that may use the warehouse and what is granted to it here."""
    who, client, theirs = another(p, "clones")
    for what in ("USE CATALOG ON CATALOG main", "USE SCHEMA ON SCHEMA main.c"):
        sql(f"GRANT {what} TO `{who}`")
    theirs.client = client
    return who, theirs


def test_a_grant_on_the_clone_reads_it(p, sql, s3, bob, u):
    who, theirs = bob
    a, b = f"main.c.ga_{u}", f"main.c.gb_{u}"
    sql(f"CREATE TABLE {a} (id BIGINT) LOCATION 's3://bucket/c/ga_{u}'")
    sql(f"INSERT INTO {a} VALUES (1), (2)")
    # To make one takes SELECT on the source.
    sql(f"GRANT CREATE TABLE ON SCHEMA main.c TO `{who}`")
    theirs.fails(f"CREATE TABLE main.c.mine_{u} SHALLOW CLONE {a}", "INSUFFICIENT_PERMISSIONS")
    sql(f"GRANT SELECT ON TABLE {a} TO `{who}`")
    theirs(f"CREATE TABLE main.c.mine_{u} SHALLOW CLONE {a}")
    sql(f"CREATE TABLE {b} SHALLOW CLONE {a} LOCATION 's3://bucket/c/gb_{u}'")
    sql(f"REVOKE SELECT ON TABLE {a} FROM `{who}`")
    assert ids(theirs, f"main.c.mine_{u}") == [1, 2]
    theirs.fails(f"SELECT * FROM {b}", "INSUFFICIENT_PERMISSIONS")
    sql(f"GRANT SELECT ON TABLE {b} TO `{who}`")
    assert ids(theirs, b) == [1, 2]
    theirs.fails(f"SELECT * FROM {a}", "INSUFFICIENT_PERMISSIONS")
    theirs.fails(f"CREATE OR REPLACE TABLE main.c.mine_{u} SHALLOW CLONE {a}", "INSUFFICIENT_PERMISSIONS")
    # A clone's log is written by the platform alone.
    sql(f"GRANT MODIFY ON TABLE {b} TO `{who}`")
    sql(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA main.c TO `{who}`")
    token = theirs.client.config.authenticate()["Authorization"].split()[1]
    uuid_of = p.request("GET", f"{UC}/tables/{b}", token=token).json()["table_id"]
    for operation, status in (("READ", 200), ("READ_WRITE", 403)):
        r = p.request("POST", f"{UC}/temporary-table-credentials", {"table_id": uuid_of, "operation": operation}, token=token)
        assert r.status_code == status, r.text
    assert theirs(f"INSERT INTO {b} VALUES (3)") and ids(sql, b) == [1, 2, 3]
    theirs(f"DELETE FROM {b} WHERE id = 1")
    assert ids(sql, b) == [2, 3] and ids(sql, a) == [1, 2]
    sql.fails(f"INSERT INTO delta.`s3://bucket/c/gb_{u}` VALUES (9)", "is changed by its name only")


def test_what_a_hostile_log_names_is_not_read(sql, s3, bob, u):
    """Not even where the same statement may read that place for another table."""
    who, theirs = bob

    def table(name):
        sql(f"CREATE TABLE main.c.{name}_{u} (id BIGINT) LOCATION 's3://bucket/c/{name}_{u}'")
        sql(f"INSERT INTO main.c.{name}_{u} VALUES (1)")
        return f"main.c.{name}_{u}"
    secret, source, bad = table("secret"), table("source"), table("bad")
    clone, view = f"main.c.clone_{u}", f"main.c.view_{u}"
    sql(f"CREATE TABLE {clone} SHALLOW CLONE {source} LOCATION 's3://bucket/c/clone_{u}'")
    sql(f"CREATE VIEW {view} AS SELECT id FROM {secret} WHERE id < 10")
    for t in (bad, clone, view):
        sql(f"GRANT SELECT ON TABLE {t} TO `{who}`")
    assert ids(theirs, clone) == ids(theirs, bad) == ids(theirs, view) == [1]
    inside = next(k for k in s3.objects(f"c/secret_{u}/") if k.endswith(".parquet"))
    for t in ("bad", "clone"):
        versions = [k for k in s3.objects(f"c/{t}_{u}/_delta_log/") if k.endswith(".json")]
        add = {"add": {"path": f"s3://bucket/{inside}", "partitionValues": {}, "size": s3.objects(inside)[inside], "modificationTime": 1, "dataChange": True}}
        s3.s3.put_object(Bucket="bucket", Key=f"c/{t}_{u}/_delta_log/{len(versions):020}.json", Body=json.dumps(add).encode())
        for text in (f"SELECT * FROM main.c.{t}_{u}", f"SELECT t.id FROM {view}, main.c.{t}_{u} t", f"SELECT * FROM main.c.{t}_{u} WHERE id IN (SELECT id FROM {view})"):
            theirs.fails(text, "DELTA_LOG_FILE_MALFORMED")


def test_a_source_that_is_gone_or_another(sql, bob, u):
    who, theirs = bob
    a, b = f"main.c.va_{u}", f"main.c.vb_{u}"
    sql(f"CREATE TABLE {a} (id BIGINT) LOCATION 's3://bucket/c/va_{u}' TBLPROPERTIES ('delta.deletedFileRetentionDuration'='interval 0 hours')")
    sql(f"INSERT INTO {a} VALUES (1)")
    sql(f"CREATE TABLE {b} SHALLOW CLONE {a} LOCATION 's3://bucket/c/vb_{u}'")
    sql(f"GRANT SELECT ON TABLE {b} TO `{who}`")
    # Dropped: external files stay.
    sql(f"DROP TABLE {a}")
    assert ids(theirs, b) == [1]
    # Another table in its place is not what was cloned.
    sql(f"CREATE TABLE {a}2 LOCATION 's3://bucket/c/va_{u}'")
    theirs.fails(f"SELECT * FROM {b}", "DELTA_LOG_FILE_MALFORMED")
    sql(f"DROP TABLE {a}2")
    sql(f"UNDROP TABLE {a}")
    assert ids(theirs, b) == [1]
    # What VACUUM removes from the source is missing in the clone, and said by the file's name.
    m, n = f"main.c.vm_{u}", f"main.c.vn_{u}"
    sql(f"CREATE TABLE {m} (id BIGINT) TBLPROPERTIES ('delta.deletedFileRetentionDuration'='interval 0 hours')")
    sql(f"INSERT INTO {m} VALUES (1)")
    sql(f"CREATE TABLE {n} SHALLOW CLONE {m}")
    for source, clone in ((a, b), (m, n)):
        sql(f"DELETE FROM {source}")
        sql(f"VACUUM {source}")
        for text in (f"SELECT * FROM {clone}", f"CREATE TABLE main.c.no_{u} DEEP CLONE {clone}", f"UPDATE {clone} SET id = id + 5"):
            assert ".parquet cannot be read: it does not exist" in sql.fails(text, "[FAILED_READ_FILE.FILE_NOT_EXIST]")
    assert "s3://bucket/c/va_" in sql.fails(f"SELECT * FROM {b}")


def test_clones_read_by_delta_rs(sql, s3, u):
    """Of shallow ones those whose files are in the same store."""
    options = s3_writers.storage_options(s3)
    sql(f"CREATE TABLE main.c.ra_{u} (id BIGINT) LOCATION 's3://bucket/c/ra_{u}'")
    sql(f"INSERT INTO main.c.ra_{u} VALUES (1), (2)")
    for name, kind in (("rd", "DEEP"), ("rs", "SHALLOW")):
        sql(f"CREATE TABLE main.c.{name}_{u} {kind} CLONE main.c.ra_{u} LOCATION 's3://bucket/c/{name}_{u}'")
        rows = QueryBuilder().register("t", DeltaTable(f"s3://bucket/c/{name}_{u}", storage_options=options)).execute("SELECT id FROM t ORDER BY id")
        assert pa.table(rows).to_pydict() == {"id": [1, 2]}
