# SPDX-License-Identifier: Apache-2.0
"""Small INSERTs (files made without DuckDB's COPY), many writers, and what two sessions may do to one table at once."""

import json
import os
import shutil
import threading
import time
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from statements import Sql


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


SLOW = "(SELECT sum(sqrt(a.id + b.id)) * 0 FROM range(20000) a CROSS JOIN range(20000) b)"


def while_it_runs(sql, slow, quick):
    """The slow statement's answer; True where the quick one was committed after the slow one had read the table and before it
    was. A quick one that came too late conflicts itself."""
    answer = []
    t = threading.Thread(target=lambda: answer.append(Sql(sql.platform).run(slow)["status"]))
    t.start()
    t.join(0.7)
    beside = sql.run(quick)["status"]["state"] == "SUCCEEDED" and t.is_alive()
    t.join()
    return answer[0], beside


def conflict(sql, table, slow, quick, name):
    """The slow statement ends with that conflict (a busy machine may let it begin too late: then once more)."""
    for attempt in range(8):
        status, beside = while_it_runs(sql, slow.replace("{n}", str(attempt)), quick.replace("{n}", str(attempt)))
        if status["state"] == "FAILED":
            assert f"[{name}]" in status["error"]["message"], status
            return
        assert name is None or not beside or attempt < 7, "no conflict"
        if name is None and beside:
            return


def fresh(sql, schema, vectors):
    t = f"{schema}.w_{uuid.uuid4().hex[:8]}"
    sql(f"CREATE TABLE {t} (id INT, p INT, v DOUBLE) PARTITIONED BY (p) TBLPROPERTIES ('delta.enableDeletionVectors'='{vectors}')")
    for p in (1, 2):
        sql(f"INSERT INTO {t} SELECT id, {p}, 0 FROM range(10)")
    return t


def test_conflicts_have_their_names(sql, schema):
    t = fresh(sql, schema, "false")
    for k in range(8):
        sql(f"INSERT INTO {t} VALUES ({101 + 2 * k}, 1, 0)")
    update = f"UPDATE {t} SET v = v + 1 + {SLOW} WHERE p = 1 AND id % 2 = 0"
    conflict(sql, t, update, f"UPDATE {t} SET v = v + 10 WHERE p = 1 AND id = 9", "DELTA_CONCURRENT_APPEND")
    conflict(sql, t, update, f"DELETE FROM {t} WHERE id = 101 + 2 * {{n}}", "DELTA_CONCURRENT_DELETE_READ")
    conflict(sql, t, update, f"ALTER TABLE {t} SET TBLPROPERTIES ('x' = '{{n}}')", "DELTA_METADATA_CHANGED")


def test_other_partitions_and_appends_do_not_conflict(sql, schema):
    t = fresh(sql, schema, "false")
    update = f"UPDATE {t} SET v = v + 1 + {SLOW} WHERE p = 1"
    conflict(sql, t, update, f"DELETE FROM {t} WHERE p = 2 AND id = {{n}}", None)
    conflict(sql, t, update, f"INSERT INTO {t} VALUES (100, 1, 0)", None)
    conflict(sql, t, f"MERGE INTO {t} t USING (SELECT 3 AS id, {SLOW} AS x) s ON t.id = s.id AND t.p = 1 WHEN MATCHED THEN UPDATE SET v = -7 + x",
             f"UPDATE {t} SET v = 5 WHERE p = 2", None)
    assert sql(f"SELECT DISTINCT v FROM {t} WHERE p = 2") == [["5.0"]]
    assert sql(f"SELECT v FROM {t} WHERE p = 1 AND id = 3") == [["-7.0"]]


def test_rows_apart_in_one_file_do_not_conflict_with_deletion_vectors(sql, schema):
    t = fresh(sql, schema, "true")
    conflict(sql, t, f"UPDATE {t} SET v = v + 1 + {SLOW} WHERE p = 1 AND id < 5", f"DELETE FROM {t} WHERE p = 1 AND id = 9 - {{n}}", None)
    wrong = []

    def change(k):
        for _ in range(5):
            got = Sql(sql.platform).run(f"UPDATE {t} SET v = v + 1 WHERE p = 2 AND id = {k}")["status"]
            if got["state"] != "SUCCEEDED":
                wrong.append(got)
    threads = [threading.Thread(target=change, args=(k,)) for k in range(4)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    assert not wrong
    assert sql(f"SELECT id, v FROM {t} WHERE p = 2 AND id < 5 ORDER BY id") == [[str(k), "5.0" if k < 4 else "0.0"] for k in range(5)]


def replayed(path, version):
    """Files and bytes of a version, protocol and metadata, by the commits alone."""
    files, last = {}, {}
    for v in range(version + 1):
        for line in (path / f"_delta_log/{v:020d}.json").read_text().splitlines():
            (kind, a), = json.loads(line).items()
            if kind == "remove":
                files.pop((a["path"], json.dumps(a.get("deletionVector", {}).get("pathOrInlineDv"))), None)
            elif kind == "add":
                files[a["path"], json.dumps(a.get("deletionVector", {}).get("pathOrInlineDv"))] = a["size"]
            elif kind in ("protocol", "metaData"):
                last[kind] = a
    return len(files), sum(files.values()), last


def test_checksums(platform, sql, schema):
    t = f"{schema}.summed"
    sql(f"CREATE TABLE {t} (id INT, p INT) PARTITIONED BY (p) TBLPROPERTIES ('delta.enableDeletionVectors'='true', 'delta.enableRowTracking'='true', "
        "'delta.enableInCommitTimestamps'='true')")
    for k in range(3):
        sql(f"INSERT INTO {t} VALUES ({k}, 1), ({k}, 2)")
    sql(f"DELETE FROM {t} WHERE id = 1 AND p = 1")
    sql(f"UPDATE {t} SET id = 9 WHERE id = 2")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('some' = 'thing')")
    sql(f"OPTIMIZE {t}")
    sql(f"INSERT OVERWRITE {t} VALUES (7, 7)")
    path = folder(platform, sql, t)
    sums = sorted(path.glob("_delta_log/*.crc"))
    assert len(sums) == 9
    for f in sums:
        got = json.loads(f.read_text())
        files, size, last = replayed(path, int(f.stem))
        assert (got["numFiles"], got["tableSizeBytes"]) == (files, size), f.name
        assert got["protocol"] == last["protocol"] and got["metadata"] == last["metaData"]
        assert [d["domain"] for d in got["domainMetadata"]] == (["delta.rowTracking"] if int(f.stem) else [])
        assert got["inCommitTimestampOpt"] > 0 and got["setTransactions"] == []
    # A version whose files are not those of its checksum is not read.
    assert len(sql(f"SELECT * FROM {t} VERSION AS OF 3")) == 6
    wrong = json.loads(sums[3].read_text())
    sums[3].write_text(json.dumps({**wrong, "numFiles": wrong["numFiles"] + 1}))
    got = sql.run(f"SELECT * FROM {t} VERSION AS OF 3")["status"]
    assert got["state"] == "FAILED" and "[DELTA_TXN_LOG_FAILED_INTEGRITY]" in got["error"]["message"], got
    sums[3].write_text("{\"numFiles\":")
    assert len(sql(f"SELECT * FROM {t} VERSION AS OF 3")) == 6


def fresh_engine(platform, sql):
    """One that remembers no table."""
    platform.kill9("engine")
    for _ in range(200):
        if sql.run("SELECT 1")["status"]["state"] == "SUCCEEDED":
            return
        time.sleep(0.05)
    raise AssertionError("no engine after a kill")


def test_checkpoints_in_the_second_form(platform, sql, schema):
    t = f"{schema}.second"
    sql(f"CREATE TABLE {t} (id INT, p INT) PARTITIONED BY (p) TBLPROPERTIES ('delta.checkpointPolicy'='v2', 'delta.checkpointInterval'='3')")
    for k in range(7):
        sql(f"INSERT INTO {t} VALUES ({k}, {k % 2})")
    sql(f"DELETE FROM {t} WHERE id = 5")
    path = folder(platform, sql, t)
    log = path / "_delta_log"
    manifests = sorted(log.glob("*.checkpoint.*.json"))
    assert [int(f.name[:20]) for f in manifests] == [3, 6] and not list(log.glob("*.checkpoint.parquet"))
    lines = [json.loads(x) for x in manifests[1].read_text().splitlines()]
    assert lines[0] == {"checkpointMetadata": {"version": 6}}
    assert [k for x in lines for k in x] == ["checkpointMetadata", "protocol", "metaData", "sidecar"]
    sidecar = log / "_sidecars" / lines[-1]["sidecar"]["path"]
    assert sidecar.stat().st_size == lines[-1]["sidecar"]["sizeInBytes"]
    assert len([r for r in pq.read_table(sidecar)["add"].to_pylist() if r]) == 6
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 6
    # Without the older commits everything comes from the checkpoint.
    for v in range(6):
        (log / f"{v:020d}.json").unlink()
    fresh_engine(platform, sql)
    assert sql(f"SELECT id, p FROM {t} ORDER BY id") == [[str(k), str(k % 2)] for k in range(7) if k != 5]


def test_the_log_is_cleaned_up_to_a_checkpoint(platform, sql, schema):
    t = f"{schema}.cleaned"
    sql(f"CREATE TABLE {t} (id INT) TBLPROPERTIES ('delta.checkpointInterval'='3', 'delta.logRetentionDuration'='interval 1 days')")
    for k in range(8):
        sql(f"INSERT INTO {t} VALUES ({k})")
    path = folder(platform, sql, t)
    log, old = path / "_delta_log", time.time() - 3 * 86400
    for f in log.iterdir():
        if int(f.name[:20] if f.name[:20].isdigit() else 99) <= 7:
            os.utime(f, (old, old))
    sql(f"INSERT INTO {t} VALUES (8)")
    kept = sorted(f.name for f in log.iterdir() if f.name[:20].isdigit())
    assert [f for f in kept if f.endswith(".json")] == [f"{v:020d}.json" for v in range(6, 10)]
    assert [f for f in kept if f.endswith(".crc")] == [f"{v:020d}.crc" for v in range(6, 10)]
    assert [f for f in kept if "checkpoint" in f] == [f"{v:020d}.checkpoint.parquet" for v in (6, 9)]
    fresh_engine(platform, sql)
    for v in range(6, 10):
        assert sql(f"SELECT count(*), sum(id) FROM {t} VERSION AS OF {v}") == [[str(v), str(v * (v - 1) // 2)]]
    assert sql.run(f"SELECT * FROM {t} VERSION AS OF 5")["status"]["state"] == "FAILED"
    sql(f"INSERT INTO {t} VALUES (9)")
    assert sql(f"SELECT count(*) FROM {t}") == [["10"]]


def test_sidecars_go_with_their_checkpoints(platform, sql, schema):
    t = f"{schema}.sidecars"
    sql(f"CREATE TABLE {t} (id INT) TBLPROPERTIES ('delta.checkpointPolicy'='v2', 'delta.checkpointInterval'='3', 'delta.logRetentionDuration'='interval 1 days')")
    for k in range(8):
        sql(f"INSERT INTO {t} VALUES ({k})")
    path = folder(platform, sql, t)
    log, old = path / "_delta_log", time.time() - 3 * 86400
    first = {f.name for f in (log / "_sidecars").iterdir()}
    (log / "_sidecars/young.parquet").write_bytes(b"x")
    (log / "_sidecars/of-nobody.parquet").write_bytes(b"x")
    for f in [*log.iterdir(), *(log / "_sidecars" / n for n in first), log / "_sidecars/of-nobody.parquet"]:
        if not f.name[:20].isdigit() or int(f.name[:20]) <= 7:
            os.utime(f, (old, old))
    sql(f"INSERT INTO {t} VALUES (8)")
    left = {json.loads(x)["sidecar"]["path"] for f in log.glob("*.checkpoint.*.json") for x in f.read_text().splitlines() if "sidecar" in json.loads(x)}
    assert len(first) == 2 and len(left) == 2 and {f.name for f in (log / "_sidecars").iterdir()} == left | {"young.parquet"}
    fresh_engine(platform, sql)
    assert sql(f"SELECT count(*), sum(id) FROM {t} VERSION AS OF 6") == [["6", "15"]] and sql(f"SELECT count(*) FROM {t}") == [["9"]]


def test_vacuum_lite_goes_by_the_log(platform, sql, schema):
    t = f"{schema}.lite"
    sql(f"CREATE TABLE {t} (id INT) TBLPROPERTIES ('delta.enableDeletionVectors'='true', 'delta.enableChangeDataFeed'='true', "
        "'delta.deletedFileRetentionDuration'='interval 0 seconds', 'delta.checkpointInterval'='4')")
    for k in range(3):
        sql(f"INSERT INTO {t} SELECT CAST(id AS INT) FROM range({k * 100}, {k * 100 + 100})")
    sql(f"DELETE FROM {t} WHERE id % 10 = 3")
    sql(f"UPDATE {t} SET id = -id WHERE id = 5")
    sql(f"OPTIMIZE {t}")
    want = sql(f"SELECT count(*), sum(id) FROM {t}")
    path = folder(platform, sql, t)
    stray = path / "part-of-nobody.parquet"
    stray.write_bytes(b"x")
    os.utime(stray, (time.time() - 3600,) * 2)
    time.sleep(1.1)
    actions = [json.loads(x) for f in path.glob("_delta_log/*.json") for x in f.read_text().splitlines()]
    removed = {a["remove"]["path"] for a in actions if "remove" in a} | {a["cdc"]["path"] for a in actions if "cdc" in a}
    live = {f.name for f in path.glob("*.parquet")} - removed - {stray.name}
    assert len(removed) > 3 and len(live) == 1
    dry = {r[0].rsplit(f"{path.name}/", 1)[1] for r in sql(f"VACUUM {t} LITE DRY RUN")}
    assert removed <= dry and all(f in removed or "deletion_vector" in f for f in dry) and all((path / f).exists() for f in dry)
    sql(f"VACUUM {t} LITE")
    assert not [f for f in dry if (path / f).exists()] and stray.exists() and {f.name for f in path.glob("*.parquet")} == live | {stray.name}
    assert sql(f"SELECT count(*), sum(id) FROM {t}") == want and sql(f"VACUUM {t} LITE DRY RUN") == []
    # A log that begins later: what went before is known to be removed, by the run above, for as long as the log tells of it.
    assert (path / "_delta_log/00000000000000000004.checkpoint.parquet").exists()
    for v in range(4):
        (path / f"_delta_log/{v:020d}.json").unlink()
    fresh_engine(platform, sql)
    assert sql(f"VACUUM {t} LITE DRY RUN") == [] and sql(f"SELECT count(*), sum(id) FROM {t}") == want
    for f in sorted(path.glob("_delta_log/*.json")):
        f.write_text("\n".join(x for x in f.read_text().splitlines() if '"VACUUM' not in x) + "\n")
    fresh_engine(platform, sql)
    assert "DELTA_CANNOT_VACUUM_LITE" in sql.run(f"VACUUM {t} LITE")["status"]["error"]["message"]
    sql(f"VACUUM {t}")
    assert not stray.exists() and sql(f"VACUUM {t} LITE DRY RUN") == [] and sql(f"SELECT count(*), sum(id) FROM {t}") == want


def test_what_nobody_needs_is_swept(make_platform):
    p = make_platform("swept", settings={"tables.sweep_every": "1s", "tables.keep_dropped": "4s"})
    with p:
        sql = Sql(p)
        for t in ("gone", "stays"):
            sql(f"CREATE TABLE main.default.{t} (id INT)")
            sql(f"INSERT INTO main.default.{t} VALUES (1)")
        gone, stays = folder(p, sql, "main.default.gone"), folder(p, sql, "main.default.stays")
        never = stays.parent / str(uuid.uuid4())
        shutil.copytree(stays, never)
        old = time.time() - 3600
        left = [stays / "_bh_tmp-x", stays / "_delta_log/.commit.1.ab.tmp", never]
        spared = [stays / "_bh_tmp-y", stays / "_delta_log/.commit.2.ab.tmp", stays / "_other", stays.parent / "not-a-uuid"]
        for f in left[:2] + spared:
            f.write_text("x")
        for f in spared[:2]:
            os.utime(f, (old + 7200, old + 7200))
        for f in left[:2] + spared[2:]:
            os.utime(f, (old, old))
        for f in [*never.rglob("*"), never]:
            os.utime(f, (old, old))
        sql("DROP TABLE main.default.gone")
        assert sql.run("SELECT * FROM main.default.gone")["status"]["state"] == "FAILED"
        deadline = time.monotonic() + 60
        while (gone.exists() or any(f.exists() for f in left)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not gone.exists() and not [f for f in left if f.exists()] and not [f for f in spared if not f.exists()]
        assert sql("SELECT * FROM main.default.stays") == [["1"]]
        assert sql.run("UNDROP TABLE main.default.gone")["status"]["state"] == "FAILED"


def test_a_dropped_schema_goes_with_all_that_is_in_it(make_platform):
    """Rows, folders of tables, files of volumes; a schema that still may come back stays as it is."""
    p = make_platform("swept-schemas", settings={"tables.sweep_every": "1s", "tables.keep_dropped": "5s"})
    with p:
        sql = Sql(p)
        for schema in ("old", "living"):
            sql(f"CREATE SCHEMA main.{schema}")
            sql(f"CREATE TABLE main.{schema}.t AS SELECT 1 AS id")
            sql(f"CREATE TABLE main.{schema}.dropped AS SELECT 2 AS id")
            sql(f"CREATE VIEW main.{schema}.v AS SELECT 1 AS a")
            sql(f"CREATE FUNCTION main.{schema}.f(x INT) RETURNS INT RETURN x + 1")
            sql(f"CREATE VOLUME main.{schema}.files")
            assert p.request("PUT", f"/api/2.0/fs/files/Volumes/main/{schema}/files/a.txt", data=b"text of a file").status_code < 300
        gone = [folder(p, sql, f"main.old.{t}") for t in ("t", "dropped")]
        stays = folder(p, sql, "main.living.t")
        sql("DROP TABLE main.old.dropped")
        sql("DROP SCHEMA main.old CASCADE")
        assert any("old" in r for r in sql("SHOW SCHEMAS DROPPED IN main"))
        sql("UNDROP SCHEMA main.old")  # within its time it comes back whole
        assert sql("SELECT main.old.f(id), v.a FROM main.old.t, main.old.v v") == [["2", "1"]]
        sql("DROP SCHEMA main.old CASCADE")
        deadline = time.monotonic() + 60
        while (any(f.exists() for f in gone) or sql("SHOW SCHEMAS DROPPED IN main")) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not [f for f in gone if f.exists()] and sql("SHOW SCHEMAS DROPPED IN main") == []
        assert "SCHEMA_NOT_FOUND" in sql.run("UNDROP SCHEMA main.old")["status"]["error"]["message"]
        assert stays.exists() and sql("SELECT main.living.f(id) FROM main.living.t") == [["2"]]
        assert p.request("GET", "/api/2.0/fs/files/Volumes/main/living/files/a.txt").content == b"text of a file"
        sql("CREATE SCHEMA main.old")  # nothing of the first is left in the second
        assert sql("SHOW TABLES IN main.old") == [] and sql("SHOW VOLUMES IN main.old") == []
