# SPDX-License-Identifier: Apache-2.0
"""SQL and Delta on an S3 server: storage credentials, external locations, tables, files, grants; beside delta-rs."""

import json
import threading
import time
import urllib.parse
import uuid

import pytest
import s3_store
from statements import Sql

S = "/api/2.0/sql/statements"
UC = "/api/2.1/unity-catalog"


@pytest.fixture(scope="module")
def s3():
    with s3_store.store() as store:
        yield store


def keys_of(store):
    return {"access_key_id": store.key, "secret_access_key": store.secret, "endpoint": store.url}


def open_location(platform, store, name, prefix):
    """A storage credential and an external location on the store's bucket."""
    for path, body in (("storage-credentials", {"name": name, "s3_keys": keys_of(store)}),
                       ("external-locations", {"name": name, "url": f"s3://bucket/{prefix}", "credential_name": name})):
        r = platform.request("POST", f"{UC}/{path}", body)
        assert r.status_code == 200, r.text


@pytest.fixture(scope="module")
def p(s3, tmp_path_factory):
    """A platform whose own storage is local, with an external location on the store."""
    from boathouse import Platform
    with Platform(tmp_path_factory.mktemp("s3sql") / "data", settings={"egress.allow": f"127.0.0.1:{s3.port}"}) as platform:
        open_location(platform, s3, "loc", "ext")
        yield platform


@pytest.fixture(scope="module")
def sql(p):
    return Sql(p)


@pytest.fixture(scope="module")
def schema(sql):
    name = f"main.s_{uuid.uuid4().hex[:8]}"
    sql(f"CREATE SCHEMA {name}")
    yield name
    sql(f"DROP SCHEMA {name} CASCADE")


def test_a_table_on_s3(sql, schema, s3, u):
    t = f"{schema}.first"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING) LOCATION 's3://bucket/ext/{u}/first'")
    assert sql(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')") == [["2", "2"]]
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "a"], ["2", "b"]]
    keys = s3.objects(f"ext/{u}/first/")
    assert sum(k.endswith(".parquet") for k in keys) == 1
    assert {k for k in keys if "_delta_log/" in k} == {f"ext/{u}/first/_delta_log/{v:020}.json" for v in (0, 1)}


@pytest.fixture(scope="module")
def bob(p):
    """(name, Sql) of an identity that may use the warehouse and holds nothing else."""
    name, client = p.another("s3")
    wh = p.connect["DATABRICKS_WAREHOUSE_ID"]
    r = p.request("PATCH", f"/api/2.0/permissions/warehouses/{wh}",
                  {"access_control_list": [{"service_principal_name": name, "permission_level": "CAN_USE"}]})
    assert r.status_code == 200, r.text
    return name, Sql(p, client.config.authenticate()["Authorization"].split()[1])


def test_keys_are_never_shown(p, sql, s3):
    texts = [p.request("GET", f"{UC}/storage-credentials/loc").text, p.request("GET", f"{UC}/storage-credentials").text,
             p.request("GET", f"{UC}/external-locations/loc").text, json.dumps(sql.run("DESCRIBE STORAGE CREDENTIAL loc")),
             json.dumps(sql.run("SHOW STORAGE CREDENTIALS")), p.log()]
    shown = json.loads(texts[0])["s3_keys"]
    assert shown == {"access_key_id": s3.key, "endpoint": s3.url, "path_style": True}
    assert not [t for t in texts if s3.secret in t]
    for f in p.data.rglob("*"):
        if f.is_file() and f.suffix in (".db", ".db-wal", ".log", ".toml"):
            assert s3.secret.encode() not in f.read_bytes(), f


def test_locations_are_tried(p, s3, u):
    def post(what, **body):
        return p.request("POST", f"{UC}/{what}", body)
    wrong = {**keys_of(s3), "secret_access_key": "wrong" * 8}
    assert post("storage-credentials", name=f"w{u}", s3_keys=wrong).status_code == 200
    r = post("external-locations", name=f"w{u}", url=f"s3://bucket/w{u}", credential_name=f"w{u}")
    assert r.status_code == 400 and "cannot be read with its storage credential" in r.text and "wrongwrong" not in r.text
    assert post("external-locations", name=f"w{u}", url=f"s3://bucket/w{u}", credential_name=f"w{u}", skip_validation=True).status_code == 200
    # Keys are changed in place, and the next statement has the new ones.
    assert p.request("PATCH", f"{UC}/storage-credentials/w{u}", {"s3_keys": keys_of(s3)}).status_code == 200
    assert p.request("PATCH", f"{UC}/external-locations/w{u}", {"url": f"s3://bucket/w{u}/x"}).status_code == 200
    for url in ("s3://bucket/ext/inner", "s3://bucket", "s3://b", "s3://bucket/a/../b", "s3://bucket//x", "s3:/bucket/x"):
        r = post("external-locations", name=f"x{u}", url=url, credential_name="loc")
        assert r.status_code == 400, (url, r.text)
    r = post("external-locations", name=f"x{u}", url=f"s3://bucket/y{u}", credential_name="local")
    assert r.status_code == 400 and "needs a storage credential" in r.text
    # Egress rules hold for credentials' endpoints as for any other: this machine is not to be reached but where it is allowed.
    inside = {**keys_of(s3), "endpoint": f"http://127.0.0.1:{p.http_port}"}
    assert post("storage-credentials", name=f"i{u}", s3_keys=inside).status_code == 200
    assert post("external-locations", name=f"i{u}", url=f"s3://bucket/i{u}", credential_name=f"i{u}").status_code == 400


def test_grants_at_every_path(sql, bob, schema, s3, u):
    name, theirs = bob
    t, at = f"{schema}.held", f"ext/{u}/held"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING) LOCATION 's3://bucket/{at}'")
    sql(f"INSERT INTO {t} VALUES (1, 'secret')")
    s3.s3.put_object(Bucket="bucket", Key=f"ext/{u}/free/a.csv", Body=b"1,secret\n")
    for text in (f"SELECT * FROM {t}", f"SELECT * FROM delta.`s3://bucket/{at}`", f"SELECT * FROM csv.`s3://bucket/ext/{u}/free`",
                 f"SELECT * FROM read_files('s3://bucket/ext/{u}/free')", f"INSERT INTO {t} VALUES (2, 'x')", f"DELETE FROM {t}",
                 f"SELECT * FROM table_changes('{t}', 0)", f"DESCRIBE HISTORY {t}", f"OPTIMIZE {t}", f"VACUUM {t}",
                 f"COPY INTO {t} FROM 's3://bucket/ext/{u}/free' FILEFORMAT = CSV", f"SELECT * FROM {t} VERSION AS OF 0"):
        got = theirs.run(text)
        assert got["status"]["state"] == "FAILED" and "secret" not in json.dumps(got), (text, got)
    sql(f"GRANT USE SCHEMA ON SCHEMA {schema} TO `{name}`")
    sql(f"GRANT SELECT ON TABLE {t} TO `{name}`")
    assert theirs(f"SELECT * FROM {t}") == [["1", "secret"]]
    theirs.fails(f"INSERT INTO {t} VALUES (2, 'x')", "MODIFY")
    theirs.fails(f"SELECT * FROM csv.`s3://bucket/ext/{u}/free`", "READ_FILES")
    sql(f"GRANT READ FILES ON EXTERNAL LOCATION loc TO `{name}`")
    assert theirs(f"SELECT * FROM csv.`s3://bucket/ext/{u}/free`") == [["1", "secret"]]
    sql(f"REVOKE SELECT ON TABLE {t} FROM `{name}`")
    sql(f"REVOKE READ FILES ON EXTERNAL LOCATION loc FROM `{name}`")
    # What this engine keeps of the objects is no way around.
    theirs.fails(f"SELECT * FROM {t}", "SELECT")
    theirs.fails(f"SELECT * FROM csv.`s3://bucket/ext/{u}/free`", "READ_FILES")


def test_every_kind_of_change(sql, schema, s3, u):
    t, at = f"{schema}.changes", f"ext/{u}/changes/"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING, p INT) PARTITIONED BY (p) LOCATION 's3://bucket/{at}' "
        "TBLPROPERTIES ('delta.enableChangeDataFeed'='true', 'delta.enableDeletionVectors'='true', 'delta.checkpointInterval'='4')")
    assert sql(f"INSERT INTO {t} SELECT id, 'v' || id, id % 3 FROM range(3000)") == [["3000", "3000"]]
    assert sql(f"UPDATE {t} SET v = 'z' WHERE id = 2") == [["1"]]
    assert sql(f"DELETE FROM {t} WHERE id = 1") == [["1"]]
    assert any(k.startswith(at + "deletion_vector_") for k in s3.objects(at)), "vectors are objects too"
    assert sql(f"MERGE INTO {t} t USING VALUES (2, 'm', 7), (9000, 'n', 8) AS s(id, v, p) ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
               "WHEN NOT MATCHED THEN INSERT *") == [["2", "1", "0", "1"]]
    assert sql(f"SELECT count(*), sum(id), min(v), max(p) FROM {t}") == [["3000", str(sum(range(3000)) - 1 + 9000), "m", "8"]]
    assert sql(f"SELECT count(*) FROM {t} VERSION AS OF 1") == [["3000"]]
    feed = sql(f"SELECT _change_type, count(*) FROM table_changes('{t}', 2, 4) GROUP BY 1 ORDER BY 1")
    assert feed == [["delete", "1"], ["insert", "1"], ["update_postimage", "2"], ["update_preimage", "2"]]
    assert any("/_change_data/" in k for k in s3.objects(at))
    sql(f"OPTIMIZE {t}")
    sql(f"RESTORE TABLE {t} TO VERSION AS OF 1")
    assert sql(f"SELECT count(*), sum(id) FROM {t}") == [["3000", str(sum(range(3000)))]]
    log = [k for k in s3.objects(at) if "_delta_log/" in k]
    assert at + "_delta_log/_last_checkpoint" in log and any(k.endswith(".checkpoint.parquet") for k in log)
    assert not [k for k in s3.objects(at) if "_bh_tmp" in k], "nothing temporary stays"
    assert not s3.unfinished()


def test_a_look_at_a_known_log_is_one_request(sql, schema, s3, u):
    """Nothing new: one listing that begins at the version known. What others wrote, and a table that they made anew, is seen at once."""
    t = f"{schema}.looks"
    sql(f"CREATE TABLE {t} (id BIGINT) LOCATION 's3://bucket/ext/{u}/looks'")
    for k in range(4):
        sql(f"INSERT INTO {t} VALUES ({k})")
    assert sql(f"SELECT count(*) FROM {t}") == [["4"]]
    begin = len(s3.requests())
    assert sql(f"SELECT max(id) FROM {t}") == [["3"]]
    asked = [r for r in s3.requests(begin) if "_delta_log" in urllib.parse.unquote(r)]
    assert len(asked) == 1 and "list-type=2" in asked[0], asked
    log = f"ext/{u}/looks/_delta_log"
    assert f"start-after={log}/{3:020d}" in urllib.parse.unquote(asked[0]), asked

    def objects():
        return {k: s3.s3.get_object(Bucket="bucket", Key=k)["Body"].read() for k in s3.objects(log + "/")}
    lines = [json.loads(x) for x in objects()[f"{log}/{4:020d}.json"].splitlines()]
    path = next(x["add"]["path"] for x in lines if "add" in x)
    gone = {"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1}}
    s3.s3.put_object(Bucket="bucket", Key=f"{log}/{5:020d}.json", Body=json.dumps(gone).encode())
    assert sql(f"SELECT max(id) FROM {t}") == [["2"]]
    old = objects()
    s3.s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": k} for k in old]})
    time.sleep(1.1)  # times of objects may be whole seconds
    first = old[f"{log}/{0:020d}.json"]
    for v in range(6):
        s3.s3.put_object(Bucket="bucket", Key=f"{log}/{v:020d}.json", Body=first if v == 0 else b'{"commitInfo":{"operation":"x","timestamp":1}}\n')
    assert sql(f"SELECT count(*) FROM {t}") == [["0"]]


def test_vacuum_removes_objects(sql, schema, s3, u):
    t, at = f"{schema}.swept", f"ext/{u}/swept/"
    sql(f"CREATE TABLE {t} (id BIGINT) LOCATION 's3://bucket/{at}'")
    for i in range(3):
        sql(f"INSERT INTO {t} SELECT id FROM range({i * 1000}, {i * 1000 + 1000})")
    sql(f"OPTIMIZE {t}")
    data = [k for k in s3.objects(at) if k.endswith(".parquet")]
    assert len(data) == 4
    s3.s3.put_object(Bucket="bucket", Key=at + "stray.parquet", Body=b"of nobody")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 seconds')")
    sql(f"VACUUM {t} RETAIN 0 HOURS")
    assert len([k for k in s3.objects(at) if k.endswith(".parquet")]) == 1
    assert sql(f"SELECT count(*), sum(id) FROM {t}") == [["3000", str(sum(range(3000)))]]


def test_delta_rs_reads_and_appends_ours_and_we_theirs(sql, schema, s3, u):
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake
    options = {"AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret, "AWS_ENDPOINT_URL": s3.url, "AWS_REGION": "us-east-1",
               "AWS_ALLOW_HTTP": "true", "AWS_CONDITIONAL_PUT": "etag", "aws_conditional_put": "etag"}
    url = f"s3://bucket/ext/{u}/ours"
    t = f"{schema}.ours"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING) LOCATION '{url}'")
    sql(f"INSERT INTO {t} VALUES (1, 'ours'), (2, 'ours')")
    rows = DeltaTable(url, storage_options=options).to_pyarrow_table().sort_by("id").to_pylist()
    assert rows == [{"id": 1, "v": "ours"}, {"id": 2, "v": "ours"}]
    write_deltalake(url, pa.table({"id": pa.array([3], pa.int64()), "v": ["theirs"]}), mode="append", storage_options=options)
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "ours"], ["2", "ours"], ["3", "theirs"]]
    sql(f"INSERT INTO {t} VALUES (4, 'again')")
    assert DeltaTable(url, storage_options=options).to_pyarrow_table().num_rows == 4
    theirs = f"s3://bucket/ext/{u}/theirs"
    write_deltalake(theirs, pa.table({"id": pa.array(range(10), pa.int64()), "p": ["a", "b"] * 5}), partition_by=["p"], storage_options=options)
    assert sql(f"SELECT p, count(*), sum(id) FROM delta.`{theirs}` GROUP BY p ORDER BY p") == [["a", "5", "20"], ["b", "5", "25"]]
    sql(f"CREATE TABLE {schema}.theirs LOCATION '{theirs}'")
    assert sql(f"INSERT INTO {schema}.theirs VALUES (100, 'a')") == [["1", "1"]]
    assert DeltaTable(theirs, storage_options=options).to_pyarrow_table().num_rows == 11


def test_files_of_other_formats(sql, schema, s3, u):
    at = f"ext/{u}/files"
    for i in range(3):
        s3.s3.put_object(Bucket="bucket", Key=f"{at}/csv/part{i}.csv", Body="".join(f"{i},{k}\n" for k in range(10)).encode())
    s3.s3.put_object(Bucket="bucket", Key=f"{at}/csv/_hidden.csv", Body=b"9,9\n")
    s3.s3.put_object(Bucket="bucket", Key=f"{at}/json/a.json", Body=b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n')
    s3.s3.put_object(Bucket="bucket", Key=f"{at}/text/a.txt", Body=b"one\ntwo\n")
    url = f"s3://bucket/{at}"
    assert sql(f"SELECT count(*), sum(CAST(_c1 AS INT)) FROM csv.`{url}/csv`") == [["30", "135"]]
    assert sql(f"SELECT count(*) FROM csv.`{url}/csv/part*.csv`") == [["30"]]
    assert sql(f"SELECT count(*) FROM csv.`{url}/csv/part1.csv`") == [["10"]]
    assert sql(f"SELECT sum(a) FROM json.`{url}/json`") == [["3"]]
    assert sql(f"SELECT * FROM text.`{url}/text/a.txt` ORDER BY 1") == [["one"], ["two"]]
    assert sql(f"SELECT path, length FROM binaryFile.`{url}/text`") == [[f"{url}/text/a.txt", "8"]]
    assert sql(f"SELECT count(*) FROM read_files('{url}/csv', format => 'csv', header => false)") == [["30"]]
    # An object that is replaced is a new one.
    s3.s3.put_object(Bucket="bucket", Key=f"{at}/json/a.json", Body=b'{"a":5,"b":"x"}\n{"a":7,"b":"y"}\n')
    assert sql(f"SELECT sum(a) FROM json.`{url}/json`") == [["12"]]
    sql(f"CREATE TABLE {schema}.copied (i INT, k INT)")
    assert sql(f"COPY INTO {schema}.copied FROM (SELECT CAST(_c0 AS INT) i, CAST(_c1 AS INT) k FROM '{url}/csv') FILEFORMAT = CSV") == [["30", "30", "0"]]
    assert sql(f"COPY INTO {schema}.copied FROM (SELECT CAST(_c0 AS INT) i, CAST(_c1 AS INT) k FROM '{url}/csv') FILEFORMAT = CSV") == [["0", "0", "0"]]
    assert sql(f"SELECT count(*) FROM {schema}.copied") == [["30"]]
    sql.fails(f"SELECT * FROM csv.`{url}/nothing`", "PATH_NOT_FOUND")


def test_nothing_outside_the_location(p, sql, schema, s3, u):
    s3.s3.put_object(Bucket="bucket", Key=f"extra/{u}.csv", Body=b"secret\n")
    s3.s3.put_object(Bucket="bucket", Key=f"{u}.csv", Body=b"secret\n")
    for url in (f"s3://bucket/extra/{u}.csv", f"s3://bucket/{u}.csv", f"s3://bucket/ext/../{u}.csv", f"s3://other/ext/{u}.csv",
                f"s3a://bucket/{u}.csv", "s3://bucket", "s3://169.254.169.254/x"):
        got = sql.run(f"SELECT * FROM text.`{url}`")
        assert got["status"]["state"] == "FAILED" and "secret" not in json.dumps(got), url
    sql.fails(f"CREATE TABLE {schema}.out (i INT) LOCATION 's3://bucket/extra/{u}'", "CREATE_EXTERNAL_TABLE")
    # A log that names files elsewhere is refused: of the store outside of the location, and of the engine's own disk.
    at = f"ext/{u}/hostile"
    sql(f"CREATE TABLE {schema}.mine (s STRING)")
    sql(f"INSERT INTO {schema}.mine VALUES ('mine')")
    mine = p.request("GET", f"{UC}/tables/{schema}.mine").json()["storage_location"].removeprefix("file://")
    meta = ('{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},'
            '"schemaString":"{\\"type\\":\\"struct\\",\\"fields\\":[{\\"name\\":\\"s\\",\\"type\\":\\"string\\",\\"nullable\\":true,\\"metadata\\":{}}]}",'
            '"partitionColumns":[],"configuration":{}}}\n')
    for path in (f"s3://bucket/{u}.csv", f"file://{mine}/x.parquet", "file:///data/tables/x.parquet", "/spill/own/s3/bucket/x.parquet"):
        add = json.dumps({"add": {"path": path, "partitionValues": {}, "size": 7, "modificationTime": 1, "dataChange": True}})
        s3.s3.put_object(Bucket="bucket", Key=f"{at}/_delta_log/{0:020}.json", Body=(meta + add + "\n").encode())
        sql.fails(f"SELECT * FROM delta.`s3://bucket/{at}`", "DELTA_LOG_FILE_MALFORMED")
        s3.s3.delete_object(Bucket="bucket", Key=f"{at}/_delta_log/{0:020}.json")
        at += "x"


def test_managed_locations(sql, s3, u):
    cat = f"m_{u}"
    sql(f"CREATE CATALOG {cat} MANAGED LOCATION 's3://bucket/ext/{u}/cat'")
    sql(f"CREATE SCHEMA {cat}.a")
    sql(f"CREATE SCHEMA {cat}.b MANAGED LOCATION 's3://bucket/ext/{u}/own'")
    for schema, at in (("a", "cat"), ("b", "own")):
        sql(f"CREATE TABLE {cat}.{schema}.t AS SELECT id FROM range(100)")
        assert sql(f"SELECT sum(id) FROM {cat}.{schema}.t") == [["4950"]]
        assert any(k.endswith(".parquet") for k in s3.objects(f"ext/{u}/{at}/tables/"))
        sql(f"INSERT INTO {cat}.{schema}.t VALUES (1000)")
        assert sql(f"SELECT count(*) FROM {cat}.{schema}.t") == [["101"]]
    sql(f"CREATE OR REPLACE TABLE {cat}.a.t AS SELECT 'x' AS v")
    assert sql(f"SELECT * FROM {cat}.a.t") == [["x"]]
    assert sql(f"SELECT count(*) FROM {cat}.a.t VERSION AS OF 0") == [["100"]]
    sql(f"CREATE TABLE {cat}.a.copy DEEP CLONE {cat}.b.t")
    assert sql(f"SELECT count(*) FROM {cat}.a.copy") == [["101"]]
    sql(f"DROP CATALOG {cat} CASCADE")


def test_the_platforms_own_root_on_s3(s3, tmp_path, u):
    """Managed tables lie where storage.root is."""
    with s3.platform(tmp_path / "data", f"root-{u}") as platform:
        sql = Sql(platform)
        sql("CREATE TABLE main.default.t (id BIGINT, v STRING)")
        sql("INSERT INTO main.default.t SELECT id, 'v' || id FROM range(1000)")
        sql("DELETE FROM main.default.t WHERE id % 2 = 0")
        assert sql("SELECT count(*), sum(id) FROM main.default.t") == [["500", "250000"]]
        assert sql("DESCRIBE DETAIL main.default.t")
        t = platform.request("GET", f"{UC}/tables/main.default.t").json()
        assert t["storage_location"].startswith(f"s3://bucket/root-{u}/tables/")
        assert any(k.endswith(".parquet") for k in s3.objects(f"root-{u}/tables/"))
        assert not [f for f in (platform.data / "tables").rglob("*.parquet")]
        # Nobody opens the platform's own files as a location.
        platform.request("POST", f"{UC}/storage-credentials", {"name": "c", "s3_keys": keys_of(s3)})
        r = platform.request("POST", f"{UC}/external-locations", {"name": "l", "url": f"s3://bucket/root-{u}/blobs", "credential_name": "c"})
        assert r.status_code == 400 and "overlaps with the platform's own storage" in r.text
        platform.kill9("courier")
        assert sql("SELECT count(*) FROM main.default.t") == [["500"]]
        platform.kill9("engine")
        assert Sql(platform).run("SELECT 1") and sql("SELECT count(*) FROM main.default.t") == [["500"]]
        platform.restart()
        assert Sql(platform)("SELECT count(*) FROM main.default.t") == [["500"]]


def test_what_nobody_needs_is_swept_on_s3(s3, tmp_path, u):
    """A dropped table's objects, a folder of a table that never came to be, what a killed statement left; all else is spared."""
    with s3.platform(tmp_path / "data", f"swept{u}", settings={"tables.sweep_every": "1s", "tables.keep_dropped": "6s"}) as p:
        sql = Sql(p)
        for t in ("gone", "stays"):
            sql(f"CREATE TABLE main.default.{t} AS SELECT 1 AS id")
        tables = {t: sql(f"DESCRIBE DETAIL main.default.{t}")[0][4].split("s3://bucket/", 1)[1] for t in ("gone", "stays")}
        root = tables["stays"].rsplit("/", 1)[0]
        never, left, other = f"{root}/{uuid.uuid4()}", f"{tables['stays']}/_bh_tmp-x.parquet", f"{root}/not-a-table/x"
        for key in (f"{never}/part-0.parquet", f"{never}/_delta_log/x", left, other):
            s3.s3.put_object(Bucket="bucket", Key=key, Body=b"x")
        sql("DROP TABLE main.default.gone")
        assert s3.objects(tables["gone"] + "/") and s3.objects(never + "/")
        deadline = time.monotonic() + 90
        while (s3.objects(tables["gone"] + "/") or s3.objects(never + "/") or s3.objects(left)) and time.monotonic() < deadline:
            s3.s3.put_object(Bucket="bucket", Key=f"{root}/{'0' * 8}-0000-0000-0000-{'0' * 12}/young", Body=b"x")  # one that is being written
            time.sleep(0.5)
        assert not s3.objects(tables["gone"] + "/") and not s3.objects(never + "/") and not s3.objects(left)
        assert s3.objects(other) and s3.objects(f"{root}/00000000-") and sql("SELECT * FROM main.default.stays") == [["1"]]


def test_writers_of_several_processes(s3, tmp_path):
    import s3_writers
    assert s3_writers.run(tmp_path, s3, 12) > 10


def test_an_engine_killed_while_it_uploads(p, sql, schema, s3, u):
    t, at = f"{schema}.killed", f"ext/{u}/killed/"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING) LOCATION 's3://bucket/{at}'")
    sql(f"INSERT INTO {t} VALUES (1, 'kept')")
    before, outcome = s3.objects(at), []
    big = f"INSERT INTO {t} SELECT id, sha2(CAST(id AS STRING), 256) || sha2(CAST(-id AS STRING), 256) FROM range(400000)"
    worker = threading.Thread(target=lambda: outcome.append(sql.run(big)))
    worker.start()
    deadline = time.monotonic() + 60
    while not s3.unfinished() and time.monotonic() < deadline and worker.is_alive():
        time.sleep(0.005)
    assert s3.unfinished(), "the upload was not seen"
    p.kill9("engine")
    worker.join()
    assert outcome[0]["status"]["state"] == "FAILED" and "ENGINE_LOST" in outcome[0]["status"]["error"]["message"]
    assert sql(f"SELECT * FROM {t}") == [["1", "kept"]]
    while s3.unfinished() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not s3.unfinished() and s3.objects(at) == before, "nothing of it is there"
    assert sql(f"INSERT INTO {t} VALUES (2, 'again')") == [["1", "1"]]


def test_temporary_credentials(p, sql, bob, schema, s3, u):
    import boto3
    name, theirs = bob
    t, at = f"{schema}.lent", f"ext/{u}/lent"
    sql(f"CREATE TABLE {t} (id BIGINT) LOCATION 's3://bucket/{at}'")
    sql(f"INSERT INTO {t} VALUES (1)")
    table = p.request("GET", f"{UC}/tables/{t}").json()["table_id"]

    def ask(what, token=None, **body):
        return p.request("POST", f"{UC}/temporary-{what}-credentials", body, token=token)
    assert ask("table", table_id=table, operation="READ").status_code == 403, "owners too are granted it"
    sql(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA {schema} TO `admin`")
    sql("GRANT EXTERNAL USE LOCATION ON EXTERNAL LOCATION loc TO `admin`")
    r = ask("table", table_id=table, operation="READ")
    assert r.status_code == 200, r.text
    got = r.json()
    assert got["url"] == f"s3://bucket/{at}" and time.time() * 1000 < got["expiration_time"] < time.time() * 1000 + 3700_000
    keys = got["aws_temp_credentials"]
    assert set(keys) == {"access_key_id", "secret_access_key", "session_token"} and keys["access_key_id"] != s3.key
    assert s3.secret not in r.text and keys["secret_access_key"] not in p.log()
    boto3.client("s3", endpoint_url=s3.url, region_name="us-east-1", aws_access_key_id=keys["access_key_id"],
                 aws_secret_access_key=keys["secret_access_key"], aws_session_token=keys["session_token"])
    r = ask("path", url=f"s3://bucket/{at}", operation="PATH_READ")
    assert r.status_code == 200 and r.json()["aws_temp_credentials"]["session_token"]
    for body in ({"what": "table", "table_id": table, "operation": "READ"}, {"what": "path", "url": f"s3://bucket/{at}", "operation": "PATH_READ"},
                 {"what": "path", "url": "s3://bucket/extra", "operation": "PATH_READ"}):
        r = ask(body.pop("what"), token=theirs.token, **body)
        assert r.status_code in (403, 404) and "aws_temp" not in r.text, r.text


def test_external_volumes(p, sql, bob, schema, s3, u, tmp_path):
    import io
    from databricks.sdk import errors
    name, theirs = bob
    sql(f"CREATE EXTERNAL VOLUME {schema}.vol LOCATION 's3://bucket/ext/{u}/vol'")
    root, files = f"/Volumes/{schema.replace('.', '/')}/vol", p.sdk().files
    files.upload(f"{root}/a/one.csv", io.BytesIO(b"1,x\n2,y\n"))
    assert s3.objects(f"ext/{u}/vol/") == {f"ext/{u}/vol/a/one.csv": 8}
    assert files.download(f"{root}/a/one.csv").contents.read() == b"1,x\n2,y\n"
    with pytest.raises(errors.AlreadyExists):
        files.upload(f"{root}/a/one.csv", io.BytesIO(b"no"), overwrite=False)
    files.upload(f"{root}/a/one.csv", io.BytesIO(b"1,x\n2,y\n3,z\n"), overwrite=True)
    r = p.request("GET", f"/api/2.0/fs/files{root}/a/one.csv", headers={"Range": "bytes=4-6"})
    assert (r.status_code, r.content, r.headers["Content-Range"]) == (206, b"2,y", "bytes 4-6/12")
    assert files.get_metadata(f"{root}/a/one.csv").content_length == 12
    big = bytes(range(256)) * 90000  # more than one part
    files.upload(f"{root}/big.bin", io.BytesIO(big))
    assert files.download(f"{root}/big.bin").contents.read() == big and not s3.unfinished()
    large = tmp_path / "large.bin"
    large.write_bytes(big * 3)  # the SDK would send parts
    files.upload_from(f"{root}/big.bin", str(large), overwrite=True)
    assert s3.objects(f"ext/{u}/vol/")[f"ext/{u}/vol/big.bin"] == 3 * len(big) and not s3.unfinished()
    assert sorted((x.name, x.is_directory) for x in files.list_directory_contents(root)) == [("a", True), ("big.bin", False)]
    files.create_directory(f"{root}/empty")
    with pytest.raises(Exception, match="not empty"):
        files.delete_directory(f"{root}/a")
    files.delete_directory(f"{root}/empty")
    for missing in (lambda: files.download(f"{root}/none"), lambda: files.delete(f"{root}/none"), lambda: list(files.list_directory_contents(f"{root}/none"))):
        with pytest.raises(errors.NotFound):
            missing()
    # SQL reads them by their paths, and its staging goes through signed URLs.
    assert sql(f"SELECT count(*), sum(CAST(_c0 AS INT)) FROM csv.`{root}/a`") == [["3", "6"]]
    assert sorted(r[1] for r in sql(f"LIST '{root}'")) == ["a/", "big.bin"]
    put = p.request("POST", S, {"statement": f"PUT '/tmp/x' INTO '{root}/staged.txt'", "warehouse_id": sql.wh, "wait_timeout": "50s"}).json()
    import requests
    assert requests.put(put["result"]["data_array"][0][1], data=b"staged", timeout=30).status_code == 200
    assert requests.put(put["result"]["data_array"][0][1], data=b"again", timeout=30).status_code in (400, 409), "without OVERWRITE"
    got = sql(f"GET '{root}/staged.txt' TO '/tmp/y'")
    assert requests.get(got[0][1], timeout=30).content == b"staged"
    gone = sql(f"REMOVE '{root}/staged.txt'")
    assert requests.delete(gone[0][1], timeout=30).status_code == 204 and f"ext/{u}/vol/staged.txt" not in s3.objects(f"ext/{u}/vol/")
    # Grants.
    other = p.request("GET", f"/api/2.0/fs/files{root}/a/one.csv", token=theirs.token)
    assert other.status_code in (403, 404)
    sql(f"GRANT USE SCHEMA ON SCHEMA {schema} TO `{name}`")
    sql(f"GRANT READ VOLUME ON VOLUME {schema}.vol TO `{name}`")
    assert p.request("GET", f"/api/2.0/fs/files{root}/a/one.csv", token=theirs.token).content == b"1,x\n2,y\n3,z\n"
    assert theirs(f"SELECT count(*) FROM csv.`{root}/a`") == [["3"]]
    assert p.request("DELETE", f"/api/2.0/fs/files{root}/a/one.csv", token=theirs.token).status_code == 403
    for path in (f"{root}/../../../x", f"{root}/a//b"):
        assert p.request("GET", f"/api/2.0/fs/files{path}").status_code in (400, 404)
    files.delete(f"{root}/a/one.csv")
    assert list(s3.objects(f"ext/{u}/vol/")) == [f"ext/{u}/vol/big.bin"]
