# SPDX-License-Identifier: Apache-2.0
"""Files of managed volumes in SQL: read_files, direct queries, COPY INTO; with the storage root on the local disk and on S3 alike."""

import base64
import contextlib
import gzip
import io
import json

import connector
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3_store
from boathouse import Platform
from databricks.sdk import errors
from statements import Sql, another

V = "/Volumes/main/default/files"


@pytest.fixture(scope="module", params=["local", "s3"])
def platform(request, tmp_path_factory):
    data = tmp_path_factory.mktemp(request.param) / "data"
    outside = tmp_path_factory.mktemp("outside")
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(s3_store.store()) if request.param == "s3" else None
        p = stack.enter_context(store.platform(data, "a/prefix") if store else Platform(data, settings={"storage.local_roots": str(outside)}))
        p.store, p.outside = store, outside
        yield p


@pytest.fixture(scope="module")
def sql(platform):
    s = Sql(platform)
    s("CREATE VOLUME IF NOT EXISTS main.default.files")
    return s


@pytest.fixture
def put(platform, sql):
    def put(path, body):
        platform.sdk().files.upload(f"{V}/{path}", io.BytesIO(body), overwrite=True)
    return put


@pytest.fixture(scope="module")
def external(platform, sql):
    """(URL of an external location with the volume main.default.ext, what puts a file there)."""
    if platform.store:
        url, keys = "s3://bucket/ext", {"access_key_id": platform.store.key, "secret_access_key": platform.store.secret, "endpoint": platform.store.url}
        for path, body in (("storage-credentials", {"name": "ext", "s3_keys": keys}), ("external-locations", {"name": "ext", "url": url, "credential_name": "ext"})):
            r = platform.request("POST", f"/api/2.1/unity-catalog/{path}", body)
            assert r.status_code == 200, r.text
    else:
        url = f"file://{platform.outside}/ext"
        (platform.outside / "ext").mkdir()
        sql(f"CREATE EXTERNAL LOCATION ext URL '{url}' WITH (CREDENTIAL local)")
    sql(f"CREATE EXTERNAL VOLUME main.default.ext LOCATION '{url}/vol'")

    def put(path, body):
        if platform.store:
            platform.store.s3.put_object(Bucket="bucket", Key=f"ext/{path}", Body=body)
            return
        (platform.outside / "ext" / path).parent.mkdir(parents=True, exist_ok=True)
        (platform.outside / "ext" / path).write_bytes(body)
    return url, put


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def paths(sql, folder):
    """All files below a folder, by LIST alone."""
    out = []
    quoted = folder.replace("'", "\\'")
    for path, name, *_ in sql(f"LIST '{quoted}'"):
        out += paths(sql, path) if name.endswith("/") else [path]
    return sorted(out)


def test_every_format(sql, put):
    put("csv/a.csv", b"id,name,at\n1,x,2020-01-01\n2,\"y, z\",2020-01-02\n")
    put("json/a.json", b'{"a":1,"b":{"c":[1,2]}}\n{"a":2,"b":null}\n')
    put("text/a.txt", "erste\nzwölfte\n".encode())
    put("bin/a.bin", b"\x00\x01\xff")
    put("gz/a.csv.gz", gzip.compress(b"id\n7\n8\n"))
    put("parquet/k=1/a.parquet", parquet(i=[1, 2], s=["a", None]))
    put("parquet/k=2/b.parquet", parquet(i=[3], s=["c"]))
    assert sql(f"SELECT * EXCEPT (_rescued_data) FROM read_files('{V}/csv/a.csv', header => true) ORDER BY id") == \
        [["1", "x", "2020-01-01"], ["2", "y, z", "2020-01-02"]]
    assert sql(f"SELECT typeof(id), typeof(name), typeof(at) FROM read_files('dbfs:{V}/csv', header => true) LIMIT 1") == [["bigint", "string", "date"]]
    assert sql(f"SELECT * FROM read_files('{V}/csv/', format => 'csv', header => true, schema => 'id INT, name STRING, at STRING') WHERE id = 2") == \
        [["2", "y, z", "2020-01-02"]]
    assert sql(f"SELECT _c1 FROM csv.`{V}/csv/a.csv` ORDER BY 1") == [["name"], ["x"], ["y, z"]]
    assert sql(f"SELECT a, b.c[1] FROM json.`{V}/json` ORDER BY a") == [["1", "2"], ["2", None]]
    assert sql(f"SELECT * FROM text.`dbfs:{V}/text/a.txt`") == [["erste"], ["zwölfte"]]
    assert sql(f"SELECT path, length, content FROM binaryFile.`{V}/bin`") == [[f"dbfs:{V}/bin/a.bin", "3", "0001FF"]]
    assert sql(f"SELECT sum(id) FROM read_files('{V}/gz/a.csv.gz', format => 'csv', header => true)") == [["15"]]
    assert sql(f"SELECT * FROM parquet.`{V}/parquet` ORDER BY i") == [["1", "a", "1"], ["2", None, "1"], ["3", "c", "2"]]
    assert sql(f"SELECT i FROM read_files('{V}/parquet') WHERE k = 2") == [["3"]]


def test_metadata_tells_the_file(sql, put):
    body = parquet(i=[1])
    put("meta/x y/ü.parquet", body)
    (path, name, size, start, length, age), = sql(
        "SELECT _metadata.file_path, _metadata.file_name, _metadata.file_size, _metadata.file_block_start, _metadata.file_block_length, "
        f"timestampdiff(MINUTE, _metadata.file_modification_time, now()) FROM parquet.`{V}/meta`")
    assert (path, name, size, start, length) == (f"dbfs:{V}/meta/x y/ü.parquet", "ü.parquet", str(len(body)), "0", str(len(body)))
    assert 0 <= int(age) < 10


def test_metadata_in_every_format(sql, put, external, u):
    url, put_there = external
    files = {"a.csv": b"id\n1\n2\n", "b.json": b'{"id":1}\n{"id":2}\n', "c.txt": b"1\n2\n", "d.bin": b"12"}
    for name, body in files.items():
        put(f"{u}/{name}", body)
        put_there(f"vol/{u}/{name}", body)
    for folder, shown in ((f"{V}/{u}", f"dbfs:{V}/{u}"), (f"/Volumes/main/default/ext/{u}", f"{url}/vol/{u}"), (f"{url}/vol/{u}", f"{url}/vol/{u}")):
        for format, name in (("csv", "a.csv"), ("json", "b.json"), ("text", "c.txt"), ("binaryFile", "d.bin")):
            got = sql(f"SELECT DISTINCT _metadata.file_path, _metadata.file_name, _metadata.file_size, _metadata.file_block_length, "
                      f"abs(timestampdiff(MINUTE, _metadata.file_modification_time, now())) < 10 FROM read_files('{folder}/{name}', format => '{format}')")
            assert got == [[f"{shown}/{name}", name, str(len(files[name])), str(len(files[name])), "true"]], (folder, format, got)
        assert sql(f"SELECT path FROM binaryFile.`{folder}/d.bin`") == [[f"{shown}/d.bin"]]
        assert sql(f"SELECT id FROM read_files('{folder}/a.csv', header => true) WHERE _metadata.file_size = 7 AND id > 1") == [["2"]]
        assert sql(f"SELECT count(*) FROM read_files('{folder}/a.csv', header => true) WHERE _metadata.file_name LIKE 'b%'") == [["0"]]


def test_temporary_views(sql, put, external, u):
    """CREATE TEMPORARY VIEW … USING, over all kinds of places. A view goes with its session: one script for each."""
    url, put_there = external
    files = {"a.csv": b"id;name\n1;007\n2;\n", "p.parquet": parquet(i=[1, 2], s=["a", "b"]), "j.json": b'{"b":"x","a":1}\n', "t.txt": b"line\n"}
    for name, body in files.items():
        put(f"{u}/{name}", body)
        put_there(f"vol/{u}/{name}", body)

    def view(definition, query):
        return sql(f"BEGIN CREATE OR REPLACE TEMPORARY VIEW v {definition}; {query}; END")
    for at in (f"{V}/{u}", f"dbfs:{V}/{u}", f"/Volumes/main/default/ext/{u}", f"{url}/vol/{u}"):
        csv = f"USING csv OPTIONS (path '{at}/a.csv', header true, sep = ';')"
        assert view(csv, "SELECT * FROM v ORDER BY id") == [["1", "007"], ["2", None]]
        assert sql.columns == ["id", "name"]
        assert view(csv, "SELECT typeof(id) FROM v LIMIT 1") == [["string"]]
        assert view(csv.replace("header true", "header 'true', inferSchema 'true'"), "SELECT typeof(id), sum(id) FROM v GROUP BY 1") == [["bigint", "3"]]
        assert view(f"(id INT, name STRING) {csv}", "SELECT id + 1, name FROM v ORDER BY id") == [["2", "007"], ["3", None]]
        assert view(f"USING parquet OPTIONS ('path' '{at}/p.parquet')", "SELECT i, s FROM v ORDER BY i") == [["1", "a"], ["2", "b"]]
        assert view(f"(i STRING) USING PARQUET OPTIONS (path '{at}/p.parquet')", "SELECT typeof(i), i FROM v ORDER BY i") == [["string", "1"], ["string", "2"]]
        assert view(f"USING json OPTIONS (path '{at}/j.json')", "SELECT a, b FROM v") == [["1", "x"]]
        assert view(f"(a BIGINT, b STRING) USING json OPTIONS (path '{at}/j.json')", "SELECT * FROM v") == [["1", "x"]]
        assert view(f"USING text OPTIONS (path '{at}/t.txt')", "SELECT * FROM v") == [["line"]]
        assert view(f"USING binaryFile OPTIONS (path '{at}/t.txt')", "SELECT length FROM v") == [["5"]]
    sql.fails("CREATE TEMPORARY VIEW v USING csv OPTIONS (header true)", "UNABLE_TO_INFER_SCHEMA")
    sql.fails(f"CREATE TEMPORARY VIEW v USING nosuch OPTIONS (path '{V}')", "DATA_SOURCE_NOT_FOUND")
    sql.fails(f"CREATE TEMPORARY VIEW v USING csv OPTIONS (path '{V}/{u}/none')", "PATH_NOT_FOUND")


def test_a_schema_for_json_goes_by_names(sql, put, u):
    put(f"{u}/s.json", b'{"z":{"q":1},"a":"5","at":"2020-01-02"}\n{"a":"6"}\n')
    assert sql(f"SELECT * FROM read_files('{V}/{u}/s.json', format => 'json', schema => 'a STRING, at DATE, z STRUCT<q: INT>, more INT') ORDER BY a") == \
        [["5", "2020-01-02", '{"q":1}', None], ["6", None, None, None]]


def test_a_delta_table_in_a_volume(platform, sql, put, tmp_path, u):
    """Read by its path: its log, its checkpoint, older versions. Statements do not write there."""
    import deltalake

    table = tmp_path / "t"
    deltalake.write_deltalake(str(table), pa.table({"id": [1, 2], "k": ["a", "b"]}), partition_by=["k"])
    deltalake.write_deltalake(str(table), pa.table({"id": [3], "k": ["ü b"]}), mode="append")
    dt = deltalake.DeltaTable(str(table))
    dt.create_checkpoint()
    dt.delete("id = 1")

    def upload():
        for f in table.rglob("*"):
            if f.is_file():
                put(f"{u}/t/{f.relative_to(table)}", f.read_bytes())
    upload()
    at = f"delta.`{V}/{u}/t`"
    assert sql(f"SELECT id, k FROM {at} ORDER BY id") == [["2", "b"], ["3", "ü b"]]
    assert sql(f"SELECT count(*) FROM {at} VERSION AS OF 0") == [["2"]]
    (path,), = sql(f"SELECT _metadata.file_path FROM {at} WHERE k = 'b'")
    assert path.startswith(f"dbfs:{V}/{u}/t/k=b/") and path.endswith(".parquet")
    assert sql(f"BEGIN CREATE TEMPORARY VIEW v USING delta OPTIONS (path '{V}/{u}/t'); SELECT sum(id) FROM v; END") == [["5"]]
    sql(f"CREATE TABLE main.default.clone_{u} DEEP CLONE {at}")
    assert sql(f"SELECT sum(id) FROM main.default.clone_{u}") == [["5"]]
    for text in (f"INSERT INTO {at} VALUES (9, 'z')", f"DELETE FROM {at}", f"OPTIMIZE {at}", f"VACUUM {at}"):
        sql.fails(text, "UNSUPPORTED_FEATURE.CATALOG_OPERATION")
    # Another table in its place is another table.
    for f in sorted(table.rglob("*"), reverse=True):
        if f.is_file():
            platform.sdk().files.delete(f"{V}/{u}/t/{f.relative_to(table)}")
    sql.fails(f"SELECT * FROM {at}", "DELTA_TABLE_NOT_FOUND")
    table = tmp_path / "t2"
    deltalake.write_deltalake(str(table), pa.table({"other": ["x"]}))
    upload()
    assert sql(f"SELECT * FROM {at}") == [["x"]]


def test_list_and_read_files_agree(sql, put):
    names = ["a.txt", "b/c.txt", "b/d/e.txt", "b/d/ f.txt", "b'q/\"x\".txt", "k=1/z%20y.txt", "ü/ä.txt", "b.txt", "b-/c.txt", "w/a[1].txt", "w/a*.txt", "w/what?.txt", "w/{x}.txt"]
    for n in names:
        put(f"tree/{n}", n.encode())
    put("tree/_tmp/no.txt", b"hidden")
    put("tree/.crc", b"hidden")
    seen = sql(f"SELECT path, CAST(content AS STRING) FROM read_files('{V}/tree', format => 'binaryFile') ORDER BY path")
    assert sorted(c for _, c in seen) == sorted(names)
    assert [p for p, _ in seen] == [f"dbfs:{p}" for p in paths(sql, f"{V}/tree") if "_tmp" not in p and ".crc" not in p]
    assert sql(f"SELECT count(*) FROM text.`{V}/tree/`") == [[str(len(names))]]


def test_patterns(sql, put):
    for n in ("p/2024-01/a.csv", "p/2024-02/b.csv", "p/2023-12/c.csv", "p/2024-01/a.txt"):
        put(n, f"{n}\n".encode())

    def found(pattern):
        return [r[0] for r in sql(f"SELECT _c0 FROM csv.`{V}/{pattern}` ORDER BY 1")]
    assert found("p/2024-0?/*.csv") == ["p/2024-01/a.csv", "p/2024-02/b.csv"]
    assert found("p/*/c.csv") == ["p/2023-12/c.csv"]
    assert found("p/2024*") == ["p/2024-01/a.csv", "p/2024-01/a.txt", "p/2024-02/b.csv"]
    assert found("p/2024-0[2-9]/*.csv") == ["p/2024-02/b.csv"]
    assert found("p/{2023-12,2024-02}/[!a].csv") == ["p/2023-12/c.csv", "p/2024-02/b.csv"]
    for option in ("fileNamePattern", "pathGlobFilter"):
        assert sql(f"SELECT _c0 FROM read_files('{V}/p', format => 'csv', {option} => '[ab].csv') ORDER BY 1") == [["p/2024-01/a.csv"], ["p/2024-02/b.csv"]]
    sql.fails(f"SELECT * FROM csv.`{V}/p/1999*/x.csv`", "PATH_NOT_FOUND")


def test_many_files(platform, sql, put):
    """More than a page of them."""
    one = io.BytesIO(b"1\n")
    files = platform.sdk().files
    for i in range(60):
        one.seek(0)
        files.upload(f"{V}/many/{i % 7}/f{i:04}.csv", one, overwrite=True)
    assert sql(f"SELECT count(*), count(DISTINCT _c0), sum(CAST(_c0 AS INT)) FROM csv.`{V}/many`") == [["60", "1", "60"]]


def test_copy_into_takes_each_file_once(sql, put, u):
    t = f"main.default.copied_{u}"
    sql(f"CREATE TABLE {t} (id INT, name STRING)")
    put(f"{u}/in/a.csv", b"id,name\n1,a\n")
    put(f"{u}/in/b.csv", b"id,name\n2,b\n")
    put(f"{u}/in/skip.dat", b"id,name\n9,no\n")
    copy = f"COPY INTO {t} FROM '{V}/{u}/in' FILEFORMAT = CSV PATTERN = '*.csv' FORMAT_OPTIONS ('header' = 'true')"
    assert sql(copy) == [["2", "2", "0"]]
    assert sql(copy) == [["0", "0", "0"]]
    put(f"{u}/in/c.csv", b"id,name\n3,007\n")
    put(f"{u}/in/a.csv", b"id,name\n4,again\n")  # another file under the same name
    assert sql(copy) == [["2", "2", "0"]]
    assert sql(f"COPY INTO {t} FROM 'dbfs:{V}/{u}/in' FILEFORMAT = CSV FILES = ('skip.dat') FORMAT_OPTIONS ('header' = 'true')") == [["1", "1", "0"]]
    assert sql(f"COPY INTO {t} FROM '{V}/{u}/in/' FILEFORMAT = CSV FILES = ('b.csv') FORMAT_OPTIONS ('header' = 'true')") == [["0", "0", "0"]]
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "a"], ["2", "b"], ["3", "007"], ["4", "again"], ["9", "no"]]
    put(f"{u}/sub/a/x.csv", b"20,s\n"), put(f"{u}/sub/a/xx.csv", b"21,s\n"), put(f"{u}/sub/b/x.csv", b"22,s\n")
    assert sql(f"COPY INTO {t} FROM '{V}/{u}/sub' FILEFORMAT = CSV FILES = ('a/x.csv')") == [["1", "1", "0"]]
    assert sql(f"COPY INTO {t} FROM '{V}/{u}/sub' FILEFORMAT = CSV PATTERN = '[b-z]/x*.{{csv,txt}}'") == [["1", "1", "0"]]
    assert sql(f"SELECT id FROM {t} WHERE name = 's' ORDER BY id") == [["20"], ["22"]]
    put(f"{u}/pq/x.parquet", parquet(id=pa.array([5], pa.int32()), name=["p"]))
    assert sql(f"COPY INTO {t} FROM (SELECT id + 1 AS id, upper(name) AS name FROM '{V}/{u}/pq') FILEFORMAT = PARQUET") == [["1", "1", "0"]]
    assert sql(f"SELECT name FROM {t} WHERE id = 6") == [["P"]]


def test_files_that_sql_put(platform, sql, tmp_path, u):
    local = tmp_path / "local.json"
    local.write_text(json.dumps({"who": "put"}) + "\n")
    with connector.plain(platform)(staging_allowed_local_path=str(tmp_path)) as db, db.cursor() as c:
        c.execute(f"PUT '{local}' INTO '{V}/{u}/put.json' OVERWRITE")
        c.execute(f"SELECT who FROM json.`{V}/{u}/put.json`")
        assert [list(r) for r in c.fetchall()] == [["put"]]
        local.write_text(json.dumps({"who": "put again"}) + "\n")
        c.execute(f"PUT '{local}' INTO '{V}/{u}/put.json' OVERWRITE")
        c.execute(f"SELECT who FROM json.`{V}/{u}/put.json`")
        assert [list(r) for r in c.fetchall()] == [["put again"]]
        c.execute(f"REMOVE '{V}/{u}/put.json'")
    sql.fails(f"SELECT who FROM json.`{V}/{u}/put.json`", "PATH_NOT_FOUND")


def test_names_that_look_like_patterns(sql, put, external, u):
    url, put_there = external
    for n in ("a[1].parquet", "a*.parquet", "a1.parquet", "what?.parquet"):
        put(f"{u}/w/{n}", parquet(n=[n]))
        put_there(f"vol/{u}/w/{n}", parquet(n=[n]))
    for at in (f"{V}/{u}/w", f"{url}/vol/{u}/w"):
        assert sql(f"SELECT n, _metadata.file_name FROM parquet.`{at}` ORDER BY n") == \
            [[n, n] for n in ("a*.parquet", "a1.parquet", "a[1].parquet", "what?.parquet")]


def test_dbfs_is_another_place(platform, sql, u):
    r = platform.request("POST", "/api/2.0/dbfs/put", {"path": f"{V}/{u}/d.csv", "contents": base64.b64encode(b"by dbfs\n").decode(), "overwrite": True})
    assert r.status_code == 400 and "Files API" in r.json()["message"], r.text


def test_files_that_make_no_sense(sql, put, u):
    """Errors name the file as people know it."""
    put(f"{u}/bad.json", b'{"a": 1}\n{"a": ')
    put(f"{u}/bad.csv", b"id\n1\nx\n")
    put(f"{u}/bad.parquet", b"not at all")
    for text, name in ((f"SELECT * FROM json.`{V}/{u}/bad.json`", "bad.json"), (f"SELECT * FROM parquet.`{V}/{u}/bad.parquet`", "bad.parquet"),
                       (f"SELECT id FROM read_files('{V}/{u}/bad.csv', format => 'csv', header => true, schema => 'id INT')", "bad.csv")):
        assert f"dbfs:{V}/{u}/{name}" in sql.fails(text, "FAILED_READ_FILE."), text


def test_a_replaced_file_is_the_new_one_at_once(sql, put, u):
    for n in range(5):  # sizes that are alike: only the content differs
        put(f"{u}/same.csv", f"{n}{n}{n}\n".encode())
        assert sql(f"SELECT * FROM csv.`{V}/{u}/same.csv`") == [[f"{n}{n}{n}"]]
        put(f"{u}/same.parquet", parquet(**({"a": [n]} if n % 2 else {"b": [n]})))
        assert sql(f"SELECT * FROM parquet.`{V}/{u}/same.parquet`") == [[str(n)]]
        assert sql.columns == ["a" if n % 2 else "b"]


def test_a_file_replaced_under_a_statement(platform, sql, put, u):
    """What a query reads is one content or none: rows of two never stand beside each other, as little as damaged ones."""
    from concurrent.futures import ThreadPoolExecutor

    rows = 60_000

    def body(n):
        return b"".join(b"%d,%d,%s\n" % (n, i, b"x" * (20 + 3 * n)) for i in range(rows))
    put(f"{u}/turning.csv", body(0))

    def turn():
        for n in range(1, 6):
            put(f"{u}/turning.csv", body(n))
    with ThreadPoolExecutor(1) as pool:
        turning = pool.submit(turn)
        seen = 0
        while not turning.done() or seen < 2:
            got = sql.run(f"SELECT min(_c0), max(_c0), count(*), sum(CAST(_c1 AS BIGINT)), min(length(_c2)), max(length(_c2)) FROM csv.`{V}/{u}/turning.csv`")
            if got["status"]["state"] == "SUCCEEDED":
                low, high, n, total, short, long = (int(x) for x in got["result"]["data_array"][0])
                assert low == high and n == rows and total == rows * (rows - 1) // 2 and short == long == 20 + 3 * low
                seen += 1
            else:
                assert "FAILED_READ_FILE.FILE_NOT_EXIST" in got["status"]["error"]["message"], got["status"]
                assert f"dbfs:{V}/{u}/turning.csv" in got["status"]["error"]["message"]
        turning.result()


def test_paths_lead_nowhere_else(sql, put):
    put("in/a.csv", b"1\n")
    sql("CREATE VOLUME IF NOT EXISTS main.default.secret")
    for path in (f"{V}/../secret/x", f"{V}/in/../../secret", f"{V}/./in", f"{V}//in", "/Volumes/main/default", "/Volumes/main", "/Volumes/"):
        sql.fails(f"SELECT * FROM csv.`{path}`", "INVALID_PARAMETER_VALUE")
    for path in (f"{V}/%2e%2e/secret", f"{V}/in/a.csv/b", f"{V}/in/a.cs", f"{V}/i", f"{V}/nothing"):
        sql.fails(f"SELECT * FROM csv.`{path}`", "PATH_NOT_FOUND")
    sql.fails("SELECT * FROM csv.`/Volumes/main/default/nosuch/a.csv`", "does not exist")
    sql.fails("SELECT * FROM csv.`/Volumes/main/default/file/../files/in`", "INVALID_PARAMETER_VALUE")


def test_rights(platform, sql, put, u):
    put(f"{u}/a.csv", b"7\n")
    who, client, bob = another(platform, f"bob-{u}")
    forms = [f"SELECT * FROM read_files('{V}/{u}/a.csv', format => 'csv')", f"SELECT * FROM csv.`dbfs:{V}/{u}`", f"SELECT * FROM text.`{V}/{u}/no-such-file`",
             f"COPY INTO main.default.mine_{u} FROM '{V}/{u}' FILEFORMAT = CSV"]
    bob(f"CREATE TABLE main.default.mine_{u} (a INT)")
    absent = {text: bob.fails(text.replace("/files/", "/nosuch/"), "does not exist").replace(".nosuch", ".files") for text in forms}
    for text in forms:  # he is not told that there is such a volume
        assert bob.fails(text) == absent[text]
    sql(f"CREATE VIEW main.default.over_{u} AS SELECT a.*, b.* FROM csv.`{V}/{u}/a.csv` a, read_files('{V}/{u}/a.csv', format => 'csv') b (x, y)")
    sql(f"GRANT SELECT ON VIEW main.default.over_{u} TO `{who}`")
    assert bob(f"SELECT * FROM main.default.over_{u}") == [["7", "7", None]]  # by the rights of its owner
    bob.fails(forms[0], "does not exist")
    sql(f"GRANT WRITE VOLUME ON VOLUME main.default.files TO `{who}`")
    for text in forms:
        bob.fails(text, "READ VOLUME on Volume 'main.default.files'")
    sql(f"GRANT READ VOLUME ON VOLUME main.default.files TO `{who}`")
    assert bob(forms[0]) == [["7", None]]
    assert bob(forms[3]) == [["1", "1", "0"]]
    sql(f"REVOKE READ VOLUME ON VOLUME main.default.files FROM `{who}`")
    for text in forms:
        bob.fails(text, "READ VOLUME on Volume 'main.default.files'")
    bob.fails(f"CREATE VIEW main.default.mine_{u}_v AS SELECT * FROM csv.`{V}/{u}`", "READ VOLUME")
    for text in (f"INSERT OVERWRITE DIRECTORY '{V}/{u}/out' USING parquet SELECT 1 AS a", f"CREATE TABLE main.default.t_{u} (a INT) LOCATION '{V}/{u}/t'",
                 f"CREATE TABLE delta.`{V}/{u}/t` (a INT)"):
        sql.fails(text)
    with pytest.raises(errors.NotFound):
        platform.sdk().files.get_directory_metadata(f"{V}/{u}/out")


def test_a_renamed_and_a_dropped_volume(platform, sql, u):
    sql(f"CREATE VOLUME main.default.old_{u}")
    platform.sdk().files.upload(f"/Volumes/main/default/old_{u}/a.csv", io.BytesIO(b"1\n"))
    assert sql(f"SELECT * FROM csv.`/Volumes/main/default/old_{u}/a.csv`") == [["1"]]
    assert sql(f"SELECT * FROM csv.`/Volumes/MAIN/Default/OLD_{u.upper()}/a.csv`") == [["1"]]
    sql(f"ALTER VOLUME main.default.old_{u} RENAME TO main.default.new_{u}")
    sql.fails(f"SELECT * FROM csv.`/Volumes/main/default/old_{u}/a.csv`", "does not exist")
    assert sql(f"SELECT path FROM binaryFile.`/Volumes/main/default/new_{u}`") == [[f"dbfs:/Volumes/main/default/new_{u}/a.csv"]]
    sql(f"DROP VOLUME main.default.new_{u}")
    sql(f"CREATE VOLUME main.default.new_{u}")
    sql.fails(f"SELECT * FROM csv.`/Volumes/main/default/new_{u}/a.csv`", "PATH_NOT_FOUND")


def test_a_large_file_is_read_by_ranges(platform, sql, u):
    """Columns that nobody asks for are not fetched, nor is the file held in memory."""
    rows = 400_000
    big = io.BytesIO()
    words = pa.array([f"{i * 7919 % 1000003:09}" * 6 for i in range(rows)])
    pq.write_table(pa.table({"i": list(range(rows)), "w": words}), big, compression="none", use_dictionary=False, row_group_size=50_000)
    assert big.tell() > 20_000_000
    big.seek(0)
    platform.sdk().files.upload(f"{V}/{u}/big.parquet", big)
    before = len(platform.store.requests()) if platform.store else 0
    assert sql(f"SELECT count(*) FROM parquet.`{V}/{u}/big.parquet`") == [[str(rows)]]
    if platform.store:
        asked = [r for r in platform.store.requests(before) if r.startswith("GET")]
        assert 1 <= len(asked) <= 6, asked
    assert sql(f"SELECT max(i), sum(length(w)) FROM parquet.`{V}/{u}/big.parquet`") == [[str(rows - 1), str(rows * 54)]]
