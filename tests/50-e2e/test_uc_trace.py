# SPDX-License-Identifier: Apache-2.0
"""The calls that Spark's Unity Catalog connector made of Unity Catalog OSS, made of us: every one is answered with the recorded status and
with the recorded fields, and what they changed is seen through the other doors (SQL, the catalog's own REST, the log).

The recorded calls name ids, places and times of the server that was recorded: those of ours take their place. The commits that
Spark wrote beside its calls are written here, as files of Delta's log."""

import json
import os
import re
import uuid
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
TRACE = ROOT.parent / "shared/oracle/uc_spark_connector_trace.jsonl"
B = "/api/2.1/unity-catalog"
# Fields whose value is the server's own.
ERRORS_DIFFER = {"error_code", "message", "details"}


def shape(recorded, ours, where="answer"):
    """What of the recorded answer ours lacks. What is null there may be absent."""
    if recorded is None:
        return []
    if isinstance(recorded, dict):
        if not isinstance(ours, dict):
            return [f"{where}: {type(ours).__name__} instead of an object"]
        wrong = []
        for k, v in recorded.items():
            if where.endswith(("properties", "config")):  # maps: their keys are data
                continue
            if v is not None and k not in ours:
                wrong.append(f"{where}.{k} is missing")
            elif v is not None:
                wrong += shape(v, ours[k], f"{where}.{k}")
        return wrong
    if isinstance(recorded, list):
        if not isinstance(ours, list):
            return [f"{where}: no list"]
        return shape(recorded[0], ours[0], f"{where}[0]") if recorded and ours else [f"{where} is empty"] if recorded else []
    kinds = {bool: bool, int: int, float: (int, float), str: str}
    return [] if isinstance(ours, kinds[type(recorded)]) else [f"{where}: {ours!r} is no {type(recorded).__name__}"]


class Replay:
    """Sends recorded requests with our names, ids and places; writes the files that Spark wrote."""

    def __init__(self, platform, catalog, root):
        self.p, self.catalog, self.root = platform, catalog, root
        self.ids, self.places, self.skipped, self.sent = {}, {}, [], 0
        self.columns = {}

    def text(self, s):
        for old, new in {**self.places, **self.ids}.items():
            s = s.replace(old, new)
        s = s.replace("/@ROOT@/", f"{self.root}/")
        s = re.sub(r'(catalogs/|catalog_name=|schemas/|tables/|"catalog_name": ")unity\b', rf"\g<1>{self.catalog}", s)
        return s

    def request(self, x):
        body = self.text(json.dumps(x["body"])) if x["body"] else None
        return self.p.request(x["method"], self.text(x["path"]), json.loads(body) if body else None), json.loads(body) if body else {}

    # -- what Spark did beside its calls --

    def folder(self, url):
        return Path(re.sub("^file:/+", "/", url))

    def write(self, folder, name, actions):
        path = folder / "_delta_log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(a) + "\n" for a in actions))
        return path

    def first_version(self, location, schema, protocol, properties, at):
        self.columns[self.folder(location)] = schema
        self.write(self.folder(location), f"{0:020}.json", [
            {"commitInfo": {"inCommitTimestamp": at, "timestamp": at, "operation": "CREATE TABLE", "txnId": str(uuid.uuid4())}}, {"protocol": protocol},
            {"metaData": {"id": str(uuid.uuid4()), "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps(schema),
                          "partitionColumns": [], "configuration": properties, "createdTime": at}}])

    def staged(self, location, commit, actions, dash):
        """The staged file of a commit, and the version before it published, as Spark publishes."""
        folder = self.folder(location)
        log = folder / "_delta_log"
        for f in sorted((log / "_staged_commits").glob("*.json")) if (log / "_staged_commits").exists() else []:
            target = log / (f.name[:20] + ".json")
            if not target.exists():
                target.write_bytes(f.read_bytes())
        self.write(folder, f"_staged_commits/{commit['file-name' if dash else 'file_name']}",
                   [{"commitInfo": {"inCommitTimestamp": commit["timestamp"], "timestamp": commit["timestamp"], "operation": "WRITE",
                                    "txnId": str(uuid.uuid4())}}, *actions])


@pytest.fixture(scope="module")
def trace():
    if not TRACE.exists():
        pytest.skip(f"no {TRACE}")
    return [json.loads(x) for x in TRACE.read_text().splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("uc")


@pytest.fixture(scope="module")
def platform(tmp_path_factory, place):
    from boathouse import Platform

    with Platform(tmp_path_factory.mktemp("uc-platform") / "data", settings={"storage.local_roots": str(place)}) as p:
        yield p


@pytest.fixture(scope="module")
def sql(platform):
    from test_delta_sql import Sql

    return Sql(platform)


@pytest.fixture(scope="module")
def catalog(platform, sql, place):
    name = f"unity_{uuid.uuid4().hex[:6]}"
    me = platform.request("GET", "/api/2.0/preview/scim/v2/Me").json()["userName"]
    sql(f"CREATE CATALOG {name}")
    sql(f"CREATE SCHEMA IF NOT EXISTS {name}.default")
    sql(f"GRANT EXTERNAL USE SCHEMA ON CATALOG {name} TO `{me}`")
    for body in ({"name": f"c{name}", "aws_iam_role": None},):
        assert platform.request("POST", f"{B}/storage-credentials", {k: v for k, v in body.items() if v}).status_code == 200
    r = platform.request("POST", f"{B}/external-locations", {"name": f"l{name}", "url": f"file://{place}/ext", "credential_name": f"c{name}"})
    assert r.status_code == 200, r.text
    return name


def remember(replay, x, got, body):
    """Ids and places of ours for those that were recorded."""
    was = x["response"] if isinstance(x["response"], dict) else {}
    for key in ("table_id", "table-id", "id", "schema_id"):
        if isinstance(was.get(key), str) and isinstance(got.get(key), str):
            replay.ids[was[key]] = got[key]
    for key in ("location", "staging_location"):
        if isinstance(was.get(key), str):
            replay.places[was[key]] = got[key]
            replay.places[was[key].replace("file:///", "file:/")] = got[key].replace("file:///", "file:/")


def before(replay, x):
    """The files that a call speaks of are there before it."""
    body = x["body"] or {}
    if x["path"].endswith("/schemas/default/tables") and x["method"] == "POST":
        b = json.loads(replay.text(json.dumps(body)))
        p = b["protocol"]
        replay.first_version(b["location"], b["columns"], {"minReaderVersion": p["min-reader-version"], "minWriterVersion": p["min-writer-version"],
                             "readerFeatures": p["reader-features"], "writerFeatures": p["writer-features"]}, b["properties"], b["last-commit-timestamp-ms"])
    elif x["path"].endswith("unity-catalog/tables") and body.get("table_type") == "MANAGED":
        b = json.loads(replay.text(json.dumps(body)))
        features = [k[14:] for k in b["properties"] if k.startswith("delta.feature.")]
        reader = [f for f in features if f in ("catalogManaged", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors", "columnMapping")]
        replay.first_version(b["storage_location"], {"type": "struct", "fields": [json.loads(c["type_json"]) for c in b["columns"]]},
                             {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": features},
                             {k: v for k, v in b["properties"].items() if not re.match(r"delta\.(feature|min|last)", k)}, int(b["properties"]["delta.lastCommitTimestamp"]))
    elif "updates" in body:
        commit = next(a["commit"] for a in body["updates"] if a["action"] == "add-commit")
        replay.staged(replay.location, commit, replay.actions(body), True)
    elif "commit_info" in body:
        replay.staged(replay.location, body["commit_info"], replay.actions(body), False)


@pytest.mark.parametrize("mode", ["delta", "legacy"])
def test_recorded_calls(platform, sql, catalog, place, trace, mode):
    replay = Replay(platform, catalog, place)
    wrong, statement, answered = [], "", 0

    def actions(body):
        """What the statement did, as actions: a row file for INSERT, metadata for ALTER."""
        if statement.startswith("INSERT"):
            sql(f"CREATE OR REPLACE TABLE {catalog}.default.rows_of_spark (id BIGINT)")
            return []
        schema = replay.columns[replay.folder(replay.location)]
        if "ADD COLUMN" in statement:
            new = next((a["columns"] for a in body.get("updates", []) if a["action"] == "set-columns"), None)
            schema = new or {"type": "struct", "fields": schema["fields"] + [{"name": "z", "type": "integer", "nullable": True, "metadata": {}}]}
            replay.columns[replay.folder(replay.location)] = schema
        log = replay.folder(replay.location) / "_delta_log" / f"{0:020}.json"
        meta = next(json.loads(line) for line in log.read_text().splitlines() if '"metaData"' in line)
        meta["metaData"]["schemaString"] = json.dumps(schema)
        meta["metaData"]["configuration"]["a"] = "b"
        return [meta]
    replay.actions = actions
    for x in trace:
        if x.get("mode", mode) != mode:
            statement = None if "sql" in x else statement
            continue
        if "sql" in x:
            statement = x["sql"]
            continue
        if "header" in x or statement is None:
            continue
        if "s3://" in json.dumps(x["body"]) or "s3t" in x["path"]:
            # The recorded server had no bucket configured here; the calls of the mode "s3" need one.
            r, _ = replay.request(x)
            assert r.status_code in (x["status"], 403, 404), (x["path"], r.status_code, r.text)
            continue
        before(replay, x)
        r, body = replay.request(x)
        answered += 1
        where = f"{statement[:60]}: {x['method']} {x['path'][:110]}"
        if r.status_code != x["status"]:
            wrong.append(f"{where}: {r.status_code} instead of {x['status']}: {r.text[:300]}")
            continue
        if isinstance(x["response"], dict):
            ours = r.json()
            wrong += [f"{where}: {w}" for w in shape(x["response"], ours)]
            remember(replay, x, ours, body)
            if "location" in ours and "table-id" in ours:
                replay.location = ours["location"]
            if "staging_location" in ours:
                replay.location = ours["staging_location"]
        check_state(sql, catalog, statement, x, mode)
    assert not wrong, "\n".join(wrong)
    assert answered > 60


def check_state(sql, catalog, statement, x, mode):
    """What a call changed, through SQL."""
    if x["method"] == "POST" and x["path"].endswith("/schemas") and isinstance(x["response"], dict):
        assert [f"{x['response']['name']}"] in sql(f"SHOW SCHEMAS IN {catalog}")
    if x["method"] == "DELETE" and "/tables/" in x["path"]:
        name = x["path"].rsplit(".", 1)[1]
        assert name not in [r[1] for r in sql(f"SHOW TABLES IN {catalog}.default")]
    if x["method"] == "POST" and "man1" in json.dumps(x["body"] or "") + x["path"] and ("updates" in (x["body"] or {}) or "commit_info" in (x["body"] or {})):
        columns = [r[0] for r in sql(f"SELECT column_name FROM {catalog}.information_schema.columns WHERE table_name = 'man1' ORDER BY ordinal_position")]
        assert columns == (["id", "z"] if "ADD COLUMN" in statement and mode == "delta" else ["id"])
        versions = [int(r[0]) for r in sql(f"DESCRIBE HISTORY {catalog}.default.man1")]
        assert versions[0] == (x["body"].get("commit_info") or next(a["commit"] for a in x["body"]["updates"] if a["action"] == "add-commit"))["version"]
    if x["path"].endswith("/tables") and (x["body"] or {}).get("table_type") == "VIEW":
        assert sql(f"SELECT * FROM {catalog}.default.v1") == [["1"]]


# ---- an outside client of our own: what the recorded calls do not try ----

V1 = f"{B}/delta/v1"


class Client:
    """Makes a catalog-managed table and commits to it as Delta's writers do: files, staged commit, then the catalog."""

    def __init__(self, platform, catalog, name, token=None):
        self.p, self.token, self.catalog, self.name = platform, token, catalog, name
        self.schema = f"{V1}/catalogs/{catalog}/schemas/default"
        self.table = f"{self.schema}/tables/{name}"

    def call(self, method, path, body=None):
        return self.p.request(method, path, body, token=self.token)

    def make(self, replay):
        staging = self.call("POST", f"{self.schema}/staging-tables", {"name": self.name}).json()
        self.uuid, self.place = staging["table-id"], Path(staging["location"][7:])
        p = staging["required-protocol"]
        properties = dict(staging["required-properties"])
        self.columns = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}},
                                                     {"name": "l", "type": {"type": "array", "elementType": "string", "containsNull": True}, "nullable": True, "metadata": {}}]}
        replay.first_version(staging["location"], self.columns, {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": p["reader-features"],
                             "writerFeatures": p["writer-features"]}, properties, 1700000000000)
        dashed = json.loads(json.dumps(self.columns).replace("elementType", "element-type").replace("containsNull", "contains-null"))
        r = self.call("POST", f"{self.schema}/tables", {"name": self.name, "location": staging["location"], "table-type": "MANAGED", "columns": dashed,
                      "partition-columns": [], "protocol": p, "properties": properties, "last-commit-timestamp-ms": 1700000000000})
        assert r.status_code == 200, r.text
        assert r.json()["metadata"]["columns"] == dashed
        return r.json()

    def rows(self, ids):
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = f"part-00000-{uuid.uuid4()}.parquet"
        pq.write_table(pa.table({"id": pa.array(ids, pa.int64()), "l": pa.array([["a"]] * len(ids), pa.list_(pa.string()))}), self.place / name)
        return {"add": {"path": name, "partitionValues": {}, "size": (self.place / name).stat().st_size, "modificationTime": 1, "dataChange": True,
                        "stats": json.dumps({"numRecords": len(ids)})}}

    def stage(self, version, actions, at=None):
        at = at or 1700000000000 + version
        name = f"{version:020}.{uuid.uuid4()}.json"
        path = self.place / "_delta_log/_staged_commits" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(a) + "\n" for a in [{"commitInfo": {"inCommitTimestamp": at, "timestamp": at, "txnId": str(uuid.uuid4())}}, *actions]))
        return {"version": version, "timestamp": at, "file-name": name, "file-size": path.stat().st_size, "file-modification-timestamp": at}

    def update(self, *updates, require=None):
        return self.call("POST", self.table, {"requirements": [{"type": "assert-table-uuid", "uuid": self.uuid}, *(require or [])], "updates": list(updates)})

    def commit(self, staged, *more):
        return self.update({"action": "add-commit", "commit": staged}, *more)

    def load(self):
        return self.call("GET", self.table).json()


def error(r, status, kind):
    assert r.status_code == status and r.json()["error"]["type"] == kind and r.json()["error"]["code"] == status, r.text


def test_commits_of_an_outside_client(platform, sql, catalog, place):
    replay = Replay(platform, catalog, place)
    c = Client(platform, catalog, "outside")
    t = f"{catalog}.default.outside"
    made = c.make(replay)
    assert made["latest-table-version"] == 0 and made["commits"] == []
    one = c.stage(1, [c.rows([1, 2])])
    assert sql(f"SELECT count(*) FROM {t}") == [["0"]]  # staged is not committed
    r = c.commit(one)
    assert r.status_code == 200 and r.json()["latest-table-version"] == 1, r.text
    assert [x["file-name"] for x in r.json()["commits"]] == [one["file-name"]]
    assert sql(f"SELECT id, l FROM {t} ORDER BY id") == [["1", '["a"]'], ["2", '["a"]']]
    assert c.commit(one).status_code == 200  # a lost answer: asked again
    error(c.commit(c.stage(1, [c.rows([9])])), 409, "CommitVersionConflictException")
    error(c.commit(c.stage(3, [c.rows([9])])), 409, "CommitVersionConflictException")
    # Our SQL commits upon it, and publishes what the client did not.
    sql(f"INSERT INTO {t} VALUES (3, array('b'))")
    loaded = c.load()
    assert loaded["latest-table-version"] == 2 and [x["version"] for x in loaded["commits"]] == [2]
    assert (c.place / "_delta_log" / f"{1:020}.json").read_bytes() == (c.place / "_delta_log/_staged_commits" / one["file-name"]).read_bytes()
    # What is wrong with a commit is said, and nothing is changed.
    error(c.commit({**c.stage(3, [c.rows([9])]), "file-name": f"{3:020}.{uuid.uuid4()}.json"}), 400, "InvalidParameterValueException")
    error(c.commit({**c.stage(3, [c.rows([9])]), "timestamp": 5}), 400, "InvalidParameterValueException")
    error(c.commit({**c.stage(3, [c.rows([9])]), "file-name": "../../x.json"}), 400, "InvalidParameterValueException")
    for path in ("../other/part.parquet", "/etc/passwd", "file:///etc/passwd"):
        bad = c.rows([9])
        bad["add"]["path"] = path
        assert c.commit(c.stage(3, [bad])).status_code == 400
    (c.place / "_delta_log/_staged_commits" / (torn := c.stage(3, []))["file-name"]).write_text('{"commitInfo": {"inComm')
    assert c.commit(torn).status_code == 400
    error(c.update({"action": "set-properties", "updates": {"k": "v"}}, require=[{"type": "assert-etag", "etag": "etag-1"}]), 409,
          "UpdateRequirementConflictException")
    error(c.update({"action": "no-such"}), 400, "BadRequestException")
    assert c.load()["latest-table-version"] == 2 and sql(f"SELECT count(*) FROM {t}") == [["3"]]
    # A transaction of ours meets a commit of the client's.
    session = platform.request("POST", "/api/2.0/sql/sessions", {"warehouse_id": sql.wh}).json()["session_id"]

    def run(text):
        return platform.request("POST", "/api/2.0/sql/statements", {"statement": text, "warehouse_id": sql.wh, "wait_timeout": "50s", "session_id": session}).json()
    for text in ("BEGIN TRANSACTION", f"DELETE FROM {t} WHERE id = 1"):
        assert run(text)["status"]["state"] == "SUCCEEDED"
    removed = json.loads((c.place / "_delta_log" / f"{1:020}.json").read_text().splitlines()[1])["add"]
    r = c.commit(c.stage(3, [{"remove": {"path": removed["path"], "deletionTimestamp": 1700000000003, "dataChange": True}}]),
                 {"action": "set-latest-backfilled-version", "latest-published-version": 2}, {"action": "set-properties", "updates": {"k": "v"}})
    assert r.status_code == 200 and r.json()["metadata"]["properties"]["k"] == "v" and r.json()["metadata"]["last-commit-version"] == 3, r.text
    assert "DELTA_CONCURRENT_DELETE" in run("COMMIT")["status"]["error"]["message"]
    assert run("ROLLBACK")["status"]["state"] == "SUCCEEDED"
    assert sql(f"SELECT id FROM {t}") == [["3"]]
    # "Published" is believed of what lies there.
    assert c.commit(c.stage(4, [])).status_code == 200
    r = c.update({"action": "set-latest-backfilled-version", "latest-published-version": 4})
    assert [x["version"] for x in r.json()["commits"]] == [4]


def test_the_other_operations(platform, sql, catalog, place):
    c = Client(platform, catalog, "others")
    c.make(Replay(platform, catalog, place))
    got = c.call("GET", f"{V1}/config?catalog={catalog}&protocol-versions=1.0").json()
    assert got["protocol-version"] == "1.0" and any("staging-tables" in e for e in got["endpoints"])
    credentials = c.call("GET", c.table + "/credentials?operation=READ").json()["storage-credentials"]
    assert credentials[0]["prefix"] == f"file://{c.place}" and credentials[0]["operation"] == "READ"
    assert c.call("HEAD", c.table).status_code == 200
    assert c.call("POST", c.table + "/rename", {"new-name": "renamed"}).status_code == 204
    error(c.call("GET", c.table), 404, "NoSuchTableException")
    assert sql(f"SELECT count(*) FROM {catalog}.default.renamed") == [["0"]]
    c = Client(platform, catalog, "renamed")
    error(c.call("POST", c.table + "/metrics", {"table-id": str(uuid.uuid4())}), 400, "InvalidParameterValueException")
    assert c.call("DELETE", c.table).status_code == 204
    assert ["renamed"] not in [r[1:2] for r in sql(f"SHOW TABLES IN {catalog}.default")]
    error(c.call("POST", f"{c.schema}/tables", {"name": "x", "location": f"file://{place}/elsewhere", "table-type": "MANAGED", "columns": {"type": "struct", "fields": []},
          "protocol": {"min-reader-version": 3, "min-writer-version": 7}, "properties": {}}), 400, "InvalidParameterValueException")


def test_who_has_no_grant_is_refused(platform, sql, catalog, place):
    mine = Client(platform, catalog, "guarded")
    mine.make(Replay(platform, catalog, place))
    name, workspace = platform.another("outsider")
    other = Client(platform, catalog, "guarded", token=workspace.config.authenticate()["Authorization"].split()[1])
    other.uuid, other.place = mine.uuid, mine.place
    staged = mine.stage(1, [mine.rows([1])])
    calls = [lambda: other.call("GET", other.table), lambda: other.commit(staged), lambda: other.call("DELETE", other.table),
             lambda: other.call("POST", other.table + "/rename", {"new-name": "y"}), lambda: other.call("GET", other.table + "/credentials?operation=READ"),
             lambda: other.call("POST", other.table + "/metrics", {"table-id": mine.uuid}),
             lambda: other.call("POST", f"{other.schema}/staging-tables", {"name": "z"}),
             lambda: other.call("GET", f"{B}/delta/preview/commits", {"table_id": mine.uuid, "table_uri": "x", "start_version": 0}),
             lambda: other.call("POST", f"{B}/delta/preview/commits", {"table_id": mine.uuid, "table_uri": "x", "commit_info": {
                 k.replace("-", "_"): v for k, v in staged.items()}}),
             lambda: other.call("POST", f"{B}/staging-tables", {"name": "z", "catalog_name": catalog, "schema_name": "default"}),
             lambda: other.call("GET", f"{V1}/temporary-path-credentials?location=file://{place}/ext/x&operation=READ"),
             lambda: other.call("POST", f"{B}/temporary-table-credentials", {"table_id": mine.uuid, "operation": "READ"})]
    for call in calls:
        r = call()
        assert r.status_code in (403, 404), r.text
    assert mine.load()["latest-table-version"] == 0
    # MODIFY alone commits nothing from outside: EXTERNAL USE SCHEMA is asked too.
    for grant in (f"USE CATALOG ON CATALOG {catalog}", f"USE SCHEMA ON SCHEMA {catalog}.default", f"MODIFY ON TABLE {catalog}.default.guarded",
                  f"SELECT ON TABLE {catalog}.default.guarded"):
        sql(f"GRANT {grant} TO `{name}`")
    assert other.call("GET", other.table).status_code == 200
    error(other.commit(staged), 403, "PermissionDeniedException")
    sql(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA {catalog}.default TO `{name}`")
    assert other.commit(staged).status_code == 200
    assert sql(f"SELECT count(*) FROM {catalog}.default.guarded") == [["1"]]
