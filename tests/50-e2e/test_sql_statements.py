# SPDX-License-Identifier: Apache-2.0
"""Statement Execution as users see it: states, waiting, cancel, formats, links, limits, sessions, history."""

import base64
import csv
import io
import json
import time

import pytest
import requests
from databricks.sdk import errors
from databricks.sdk.service import sql

S, SESSIONS = "/api/2.0/sql/statements", "/api/2.0/sql/sessions"
OVER = ("SUCCEEDED", "FAILED", "CANCELED", "CLOSED")
# Runs for minutes unless it is ended.
LONG = "SELECT max(a.id * b.id % 7 + c.id) FROM range(100000) a, range(100000) b, range(1000) c"


@pytest.fixture(scope="module")
def wh(platform):
    return platform.connect["DATABRICKS_WAREHOUSE_ID"]


@pytest.fixture
def run(platform, wh):
    """Executes; the answer as JSON."""
    def execute(statement, status=200, token=None, **more):
        r = platform.request("POST", S, {"statement": statement, "warehouse_id": wh, **more}, token=token)
        assert r.status_code == status, r.text
        return r.json()
    return execute


def get(platform, statement, status=200, token=None):
    r = platform.request("GET", f"{S}/{statement}", token=token)
    assert r.status_code == status, r.text
    return r.json()


def until_over(platform, statement, token=None):
    deadline = time.monotonic() + 60
    while (got := get(platform, statement, token=token))["status"]["state"] not in OVER:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return got


# ---- answers ----

def test_a_whole_answer(run):
    got = run("SELECT 1 AS a")
    assert got["status"] == {"state": "SUCCEEDED"}
    assert got["manifest"]["schema"] == {"column_count": 1, "columns": [{"name": "a", "type_text": "INT", "type_name": "INT", "position": 0}]}
    assert (got["manifest"]["format"], got["manifest"]["total_row_count"], got["manifest"]["total_chunk_count"], got["manifest"]["truncated"]) == (
        "JSON_ARRAY", 1, 1, False)
    assert got["result"] == {"chunk_index": 0, "row_offset": 0, "row_count": 1, "data_array": [["1"]]}


def test_types(run):
    got = run("SELECT CAST(1 AS TINYINT) a, 2S b, 3L c, CAST(1.5 AS FLOAT) d, 2.5D e, CAST(1.25 AS DECIMAL(10,2)) f, 's' g, X'41' h, DATE'2024-01-02' i,"
              " TIMESTAMP_NTZ'2024-01-02 03:04:05' j, true k, array(1, 2) l, map('k', 1) m, named_struct('Ab', 1, 'c', 'x') n, NULL o,"
              " INTERVAL '1' DAY p, INTERVAL '2' MONTH q")
    cols = {c["name"]: c for c in got["manifest"]["schema"]["columns"]}
    assert {n: c["type_name"] for n, c in cols.items()} == {
        "a": "BYTE", "b": "SHORT", "c": "LONG", "d": "FLOAT", "e": "DOUBLE", "f": "DECIMAL", "g": "STRING", "h": "BINARY", "i": "DATE",
        "j": "TIMESTAMP_NTZ", "k": "BOOLEAN", "l": "ARRAY", "m": "MAP", "n": "STRUCT", "o": "NULL", "p": "INTERVAL", "q": "INTERVAL"}
    assert cols["f"]["type_precision"] == 10 and cols["f"]["type_scale"] == 2 and cols["f"]["type_text"] == "DECIMAL(10,2)"
    assert cols["c"]["type_text"] == "BIGINT" and cols["l"]["type_text"] == "ARRAY<INT>" and cols["m"]["type_text"] == "MAP<STRING, INT>"
    assert cols["n"]["type_text"] == "STRUCT<Ab: INT, c: STRING>" and cols["p"]["type_interval_type"] == "DAY"
    row, = got["result"]["data_array"]
    assert row[:7] == ["1", "2", "3", "1.5", "2.5", "1.25", "s"] and row[8] == "2024-01-02" and row[10] == "true" and row[14] is None


def test_parameters(platform, run):
    given = [{"name": "i", "value": "7", "type": "INT"}, {"name": "s", "value": "it's"}, {"name": "n", "type": "DATE"},
             {"name": "d", "value": "2024-01-02", "type": "DATE"}]
    got = run("SELECT :i + 1 AS i, :s AS s, :n AS n, :d AS d", parameters=given)
    assert got["result"]["data_array"] == [["8", "it's", None, "2024-01-02"]]
    assert [c["type_name"] for c in got["manifest"]["schema"]["columns"]] == ["INT", "STRING", "DATE", "DATE"]
    bad = run("SELECT :missing")
    assert bad["status"]["state"] == "FAILED" and "UNBOUND_SQL_PARAMETER" in bad["status"]["error"]["message"]


def test_errors_are_answers(run):
    for text, part in (("SELEC 1", "PARSE_SYNTAX_ERROR"), ("SELECT nope", "UNRESOLVED_COLUMN"), ("SELECT 1/0", "DIVIDE_BY_ZERO"),
                       ("SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT")):
        got = run(text)
        assert got["status"]["state"] == "FAILED" and got["status"]["error"]["error_code"] == "BAD_REQUEST", got
        assert part in got["status"]["error"]["message"] and f"SQLSTATE: {got['status']['sql_state']}" in got["status"]["error"]["message"]
        assert "manifest" not in got and "result" not in got


def test_wrong_requests(platform, wh, run):
    for more, part in (({"wait_timeout": "3s"}, "wait_timeout"), ({"wait_timeout": "51s"}, "wait_timeout"), ({"wait_timeout": "x"}, "wait_timeout"),
                       ({"format": "ARROW_STREAM"}, "JSON_ARRAY"), ({"format": "XML"}, "format"), ({"row_limit": -1}, "row_limit"),
                       ({"byte_limit": -1}, "byte_limit"), ({"parameters": [{"name": "a", "value": [1]}]}, "parameter"), ({"statement": "  "}, "statement")):
        got = run(more.pop("statement", "SELECT 1"), status=400, **more)
        assert got["error_code"] == "INVALID_PARAMETER_VALUE" and part in got["message"], got
    assert platform.request("POST", S, {"statement": "SELECT 1", "warehouse_id": "0" * 16}).status_code == 404
    assert platform.request("POST", S, {"statement": "SELECT 1"}).status_code == 400
    assert platform.request("POST", S, {"statement": "SELECT 1 --" + "x" * (16 << 20), "warehouse_id": wh}).status_code == 400
    for method, path in (("GET", f"{S}/no-such"), ("POST", f"{S}/no-such/cancel"), ("DELETE", f"{S}/no-such"), ("GET", f"{S}/no-such/result/chunks/0")):
        r = platform.request(method, path)
        assert r.status_code == 404 and r.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST", r.text


# ---- waiting, cancel ----

def test_asynchronous(platform, run):
    got = run("SELECT id FROM range(10)", wait_timeout="0s")
    assert got["status"]["state"] in ("PENDING", "RUNNING", "SUCCEEDED")
    got = until_over(platform, got["statement_id"])
    assert [r[0] for r in got["result"]["data_array"]] == [str(i) for i in range(10)]


def test_cancel(platform, run):
    got = run(LONG, wait_timeout="0s")
    assert platform.request("POST", f"{S}/{got['statement_id']}/cancel", {}).json() == {}
    done = until_over(platform, got["statement_id"])
    assert done["status"]["state"] == "CANCELED" and "result" not in done
    assert platform.request("POST", f"{S}/{got['statement_id']}/cancel", {}).status_code == 200  # again: no matter


def test_cancel_when_the_wait_is_over(run):
    began = time.monotonic()
    got = run(LONG, wait_timeout="5s", on_wait_timeout="CANCEL")
    assert got["status"]["state"] == "CANCELED" and time.monotonic() - began >= 5


def test_continue_when_the_wait_is_over(platform, run):
    got = run(LONG, wait_timeout="5s")
    assert got["status"]["state"] == "RUNNING"
    assert platform.request("DELETE", f"{S}/{got['statement_id']}").json() == {}  # closing cancels
    assert until_over(platform, got["statement_id"])["status"]["state"] == "CANCELED"


def test_statement_timeout(platform, sdk, run, u):
    wh = sdk.warehouses.create_and_wait(name=f"short-{u}", cluster_size="2X-Small", statement_timeout=1).id
    got = run(LONG, warehouse_id=wh, wait_timeout="50s")
    assert got["status"]["state"] == "FAILED" and got["status"]["error"]["error_code"] == "DEADLINE_EXCEEDED", got
    assert "time" in got["status"]["error"]["message"]
    sdk.warehouses.delete(wh)


def test_stop_ends_what_runs(platform, sdk, run, u):
    wh = sdk.warehouses.create_and_wait(name=f"stopped-{u}", cluster_size="2X-Small").id
    got = run(LONG, warehouse_id=wh, wait_timeout="0s")
    sdk.warehouses.stop(wh)
    done = until_over(platform, got["statement_id"])
    assert done["status"]["state"] == "FAILED" and "was stopped" in done["status"]["error"]["message"]
    sdk.warehouses.delete(wh)


def test_queue(make_platform):
    """One statement at a time, one waiting place: the third is refused, the second waits its turn."""
    p = make_platform(settings={"sql.cluster_statements": "1", "sql.queue_limit": "1"}).start()
    wh = p.connect["DATABRICKS_WAREHOUSE_ID"]

    def send(text):
        return p.request("POST", S, {"statement": text, "warehouse_id": wh, "wait_timeout": "0s"})
    first, second = send(LONG).json()["statement_id"], send("SELECT 2").json()["statement_id"]
    refused = send("SELECT 3")
    assert refused.status_code == 429 and "queued statements" in refused.json()["message"]
    assert get(p, second)["status"]["state"] == "PENDING"
    p.request("POST", f"{S}/{first}/cancel", {})
    assert until_over(p, second)["result"]["data_array"] == [["2"]]


# ---- results ----

def fetch(link):
    """As clients do: without Authorization."""
    r = requests.get(link, timeout=60)
    assert r.status_code == 200, r.text
    return r.content


def all_chunks(platform, got):
    """Contents of all chunks: an answer has the links of several, the last one's next_chunk_internal_link those behind it."""
    part, out = got["result"], []
    while True:
        for link in part["external_links"]:
            assert link["chunk_index"] == len(out)
            out.append(fetch(link["external_link"]))
        if "next_chunk_index" not in link:
            assert len(out) == got["manifest"]["total_chunk_count"]
            return out
        part = platform.request("GET", link["next_chunk_internal_link"]).json()


def test_links(platform, run):
    got = run("SELECT id, concat('r', id) AS r FROM range(1000000)", disposition="EXTERNAL_LINKS")
    rows = [row for part in all_chunks(platform, got) for row in json.loads(part)]
    assert len(rows) == got["manifest"]["total_row_count"] == 1000000 and rows[0] == ["0", "r0"] and rows[-1] == ["999999", "r999999"]
    assert sum(c["row_count"] for c in got["manifest"]["chunks"]) == 1000000
    got = run("SELECT id, 'a,b' AS r, CAST(NULL AS INT) AS n FROM range(3)", disposition="EXTERNAL_LINKS", format="CSV")
    assert list(csv.reader(io.StringIO(b"".join(all_chunks(platform, got)).decode()))) == [
        ["id", "r", "n"], ["0", "a,b", "null"], ["1", "a,b", "null"], ["2", "a,b", "null"]]


def test_arrow(platform, run):
    pa, lz4 = pytest.importorskip("pyarrow"), pytest.importorskip("lz4.frame")
    for more in ({}, {"result_compression": "LZ4_FRAME"}):
        got = run("SELECT id, concat('r', id) AS r FROM range(2000000)", disposition="EXTERNAL_LINKS", format="ARROW_STREAM", **more)
        assert got["manifest"].get("result_compression") == more.get("result_compression")
        parts = all_chunks(platform, got)
        assert len(parts) == got["manifest"]["total_chunk_count"] > 1
        tables = [pa.ipc.open_stream(lz4.decompress(p) if more else p).read_all() for p in parts]
        assert [t.num_rows for t in tables] == [c["row_count"] for c in got["manifest"]["chunks"]]
        ids = pa.concat_tables(tables).column("id")
        assert len(ids) == 2000000 and sum(ids.to_numpy()) == sum(range(2000000))


def test_attachment(run):
    pa = pytest.importorskip("pyarrow")
    ask = {"disposition": "INLINE_OR_EXTERNAL_LINKS", "format": "ARROW_STREAM"}
    got = run("SELECT id FROM range(5)", **ask)
    assert pa.ipc.open_stream(base64.b64decode(got["result"]["attachment"])).read_all().column("id").to_pylist() == [0, 1, 2, 3, 4]
    assert run("SELECT id FROM range(1000000)", **ask)["result"]["external_links"]
    got = run("SELECT id FROM range(5) WHERE id > 9", **ask)
    assert got["result"] == {} and got["manifest"]["total_chunk_count"] == 0 and got["manifest"]["chunks"] == []


def test_large_inline(run):
    got = run("SELECT id, repeat('x', 90) AS x FROM range(100000)")
    rows = got["result"]["data_array"]
    assert len(rows) == 100000 == got["manifest"]["total_row_count"] and rows[99999] == ["99999", "x" * 90]


def test_limits(run):
    got = run("SELECT repeat('x', 1000) FROM range(40000)")  # 40 MB
    assert got["status"]["state"] == "FAILED" and "26214400" in got["status"]["error"]["message"], got["status"]
    got = run("SELECT id FROM range(100)", row_limit=7)
    assert len(got["result"]["data_array"]) == 7 and got["manifest"]["truncated"] and got["manifest"]["total_row_count"] == 7
    got = run("SELECT id FROM range(7)", row_limit=7)
    assert not got["manifest"]["truncated"]
    got = run("SELECT repeat('x', 1000) FROM range(100000)", byte_limit=100000)
    assert got["status"]["state"] == "SUCCEEDED" and got["manifest"]["truncated"] and 0 < got["manifest"]["total_row_count"] < 5000


def test_links_are_bound_and_expire(make_platform):
    p = make_platform(args=["--test-clock"]).start()
    wh = p.connect["DATABRICKS_WAREHOUSE_ID"]

    def later(minutes):
        p.request("POST", "/api/boathouse/test/clock", {"advance_ms": minutes * 60_000})
    got = p.request("POST", S, {"statement": "SELECT 1", "warehouse_id": wh, "disposition": "EXTERNAL_LINKS"}).json()
    link, id = got["result"]["external_links"][0]["external_link"], got["statement_id"]
    assert fetch(link) == b'[["1"]]'
    head, token = link.rsplit("/", 1)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for at in (0, 15, 16, len(raw) - 1):
        bad = bytearray(raw)
        bad[at] ^= 1
        assert requests.get(f"{head}/{base64.urlsafe_b64encode(bytes(bad)).decode().rstrip('=')}", timeout=30).status_code == 403
    later(16)
    old = requests.get(link, timeout=30)
    assert old.status_code == 403 and "Request has expired" in old.text
    fresh = p.request("GET", f"{S}/{id}/result/chunks/0").json()["external_links"][0]["external_link"]
    assert fetch(fresh) == b'[["1"]]'
    later(60)  # results are kept for an hour, their outcome for longer
    deadline = time.monotonic() + 30
    while get(p, id)["status"]["state"] != "CLOSED":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert p.request("GET", f"{S}/{id}/result/chunks/0").status_code == 404
    later(13 * 60)
    get(p, id, status=404)


def test_close(platform, run):
    got = run("SELECT 1", disposition="EXTERNAL_LINKS")
    link = got["result"]["external_links"][0]["external_link"]
    assert platform.request("DELETE", f"{S}/{got['statement_id']}").json() == {}
    assert requests.get(link, timeout=30).status_code == 404
    assert get(platform, got["statement_id"]) == {"statement_id": got["statement_id"], "status": {"state": "CLOSED"}}


# ---- sessions ----

def test_sessions(platform, wh, run):
    def open_session(**more):
        r = platform.request("POST", SESSIONS, {"warehouse_id": wh, **more})
        assert r.status_code == 200, r.text
        return r.json()["session_id"]
    one, two = open_session(session_confs={"TIMEZONE": "Europe/Berlin"}), open_session(schema="other")
    ask = "SELECT current_catalog() AS c, current_schema() AS s, current_timezone() AS z"
    assert run(ask, session_id=one)["result"]["data_array"] == [["main", "default", "Europe/Berlin"]]
    assert run(ask, session_id=two)["result"]["data_array"][0][1] == "other"
    run("SET TIME ZONE 'Asia/Tokyo'", session_id=one)
    assert run(ask, session_id=one)["result"]["data_array"][0][2] == "Asia/Tokyo"
    assert run(ask)["result"]["data_array"][0][2] in ("UTC", "Etc/UTC")  # no session of one's own
    assert platform.request("DELETE", f"{SESSIONS}/{one}", {"warehouse_id": wh, "session_id": one}).json() == {}
    gone = run(ask, status=404, session_id=one)
    assert "Session" in gone["message"] and one in gone["message"]
    # JDBC's way in and out.
    made = platform.request("POST", f"/api/2.0/sql/warehouses/{wh}/sessions", {"schema": "default", "execution_mode": "FAST"}).json()["session_id"]
    assert platform.request("POST", f"{S}/", {"statement": "SELECT 1", "warehouse_id": wh, "session_id": made}).json()["status"]["state"] == "SUCCEEDED"
    assert platform.request("DELETE", f"{SESSIONS}/{made}?warehouse_id={wh}").status_code == 200
    assert platform.request("POST", SESSIONS, {"warehouse_id": "0" * 16}).status_code == 404


def test_a_stopped_warehouse_keeps_sessions_settings(platform, sdk, run, u):
    wh = sdk.warehouses.create_and_wait(name=f"again-{u}", cluster_size="2X-Small").id
    session = platform.request("POST", SESSIONS, {"warehouse_id": wh}).json()["session_id"]
    run("SET TIME ZONE 'Asia/Tokyo'", warehouse_id=wh, session_id=session)
    sdk.warehouses.stop_and_wait(wh)
    assert run("SELECT current_timezone()", warehouse_id=wh, session_id=session)["result"]["data_array"] == [["Asia/Tokyo"]]
    sdk.warehouses.delete(wh)


def test_sessions_begin_with_the_workspaces_settings_and_end_when_idle(make_platform):
    p = make_platform(args=["--test-clock"]).start()
    wh = p.connect["DATABRICKS_WAREHOUSE_ID"]
    pairs = {"configuration_pairs": [{"key": "TIMEZONE", "value": "Asia/Tokyo"}]}
    assert p.request("PUT", "/api/2.0/sql/config/warehouses", {"sql_configuration_parameters": pairs}).status_code == 200

    def zone(**more):
        return p.request("POST", S, {"statement": "SELECT current_timezone()", "warehouse_id": wh, **more})
    assert zone().json()["result"]["data_array"] == [["Asia/Tokyo"]]
    made = {name: p.request("POST", SESSIONS, {"warehouse_id": wh, **more}).json()["session_id"]
            for name, more in (("plain", {}), ("own", {"session_confs": {"timezone": "Europe/Berlin"}}), ("idle", {}))}
    assert zone(session_id=made["plain"]).json()["result"]["data_array"] == [["Asia/Tokyo"]]
    assert zone(session_id=made["own"]).json()["result"]["data_array"] == [["Europe/Berlin"]]
    p.restart()
    assert zone().json()["result"]["data_array"] == [["Asia/Tokyo"]]
    session = p.request("POST", SESSIONS, {"warehouse_id": wh}).json()["session_id"]
    for hours, status in ((7, 200), (7, 200), (13, 404)):  # sql.session_idle is 12 hours
        p.request("POST", "/api/boathouse/test/clock", {"advance_ms": hours * 3600_000})
        time.sleep(1.5)  # the sweep's second
        assert zone(session_id=session).status_code == status, hours


# ---- who ----

def test_statements_are_their_users(platform, sdk, wh, run, u):
    name, theirs = platform.another(f"reader-{u}")
    mine = run("SELECT 1", disposition="EXTERNAL_LINKS")["statement_id"]
    for call in (lambda: theirs.statement_execution.get_statement(mine), lambda: theirs.statement_execution.get_statement_result_chunk_n(mine, 0),
                 lambda: theirs.statement_execution.cancel_execution(mine)):
        with pytest.raises(errors.NotFound):
            call()
    long = theirs.statement_execution.execute_statement(LONG, wh, wait_timeout="0s").statement_id
    get(platform, long, status=404)  # not even an admin reads another's results …
    assert platform.request("POST", f"{S}/{long}/cancel", {}).status_code == 200  # … but may end them
    deadline = time.monotonic() + 60
    while theirs.statement_execution.get_statement(long).status.state != sql.StatementState.CANCELED:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ---- history ----

def test_history(platform, sdk, wh, run, u):
    name, theirs = platform.another(f"historian-{u}")
    good = run(f"SELECT 'good {u}' FROM range(3)", query_tags=[{"key": "team", "value": "x"}, {"key": "only"}])["statement_id"]
    bad = run(f"SELEC '{u}'")["statement_id"]
    live = run(LONG, wait_timeout="0s")["statement_id"]
    other = theirs.statement_execution.execute_statement(f"SELECT 'theirs {u}'", wh).statement_id
    ids = [good, bad, live, other]

    def asked(client, **by):
        return {q.query_id: q for q in client.query_history.list(filter_by=sql.QueryFilter(**by), include_metrics=True).res}
    seen = asked(sdk, statement_ids=ids)
    assert set(seen) == set(ids)
    q = seen[good]
    assert q.status.value == "FINISHED" and q.rows_produced == 3 and q.query_text == f"SELECT 'good {u}' FROM range(3)" and q.is_final
    assert q.user_name == "admin" and q.warehouse_id == wh and q.statement_type.value == "SELECT"
    assert q.query_start_time_ms <= q.query_end_time_ms and q.metrics.total_time_ms >= 0 and q.metrics.rows_produced_count == 3
    assert [(t.key, t.value) for t in q.query_tags] == [("team", "x"), ("only", None)]
    assert seen[bad].status.value == "FAILED" and "PARSE_SYNTAX_ERROR" in seen[bad].error_message
    assert seen[live].status.value == "RUNNING" and not seen[live].is_final
    assert seen[other].user_name == name
    # By status, user, warehouse, time.
    status = sql.QueryStatus
    assert set(asked(sdk, statement_ids=ids, statuses=[status.FAILED])) == {bad}
    assert set(asked(sdk, statement_ids=ids, statuses=[status.FAILED, status.RUNNING])) == {bad, live}
    assert set(asked(sdk, statement_ids=ids, user_ids=[seen[other].user_id])) == {other}
    assert set(asked(sdk, statement_ids=ids, warehouse_ids=["0" * 16])) == set()
    between = sql.TimeRange(start_time_ms=seen[bad].query_start_time_ms, end_time_ms=seen[bad].query_start_time_ms)
    assert bad in asked(sdk, statement_ids=ids, query_start_time_range=between)
    past = sql.TimeRange(start_time_ms=1, end_time_ms=seen[good].query_start_time_ms - 1)
    assert not asked(sdk, statement_ids=ids, query_start_time_range=past)
    # Others' queries only with CAN_MONITOR.
    assert set(asked(theirs, statement_ids=ids)) == {other}
    entry = sql.WarehouseAccessControlRequest(service_principal_name=name, permission_level=sql.WarehousePermissionLevel.CAN_MONITOR)
    sdk.warehouses.update_permissions(wh, access_control_list=[entry])
    assert set(asked(theirs, statement_ids=ids)) == set(ids)
    sdk.statement_execution.cancel_execution(live)


def test_history_pages(platform, sdk, run, u):
    made = [run(f"SELECT {i}, '{u}'")["statement_id"] for i in range(5)]
    seen, token, pages = [], None, 0
    while True:
        params = [("max_results", 2), *(("filter_by.statement_ids", i) for i in made)] + ([("page_token", token)] if token else [])
        page = platform.request("GET", "/api/2.0/sql/history/queries", params=params).json()
        seen += [q["query_id"] for q in page["res"]]
        pages += 1
        assert page["has_next_page"] == ("next_page_token" in page)
        if not page["has_next_page"]:
            break
        token = page["next_page_token"]
    assert seen == made[::-1] and pages == 3  # newest first
    r = platform.request("GET", "/api/2.0/sql/history/queries", params={"page_token": token, "max_results": 2})
    assert r.status_code == 400  # of another filter
    assert platform.request("GET", "/api/2.0/sql/history/queries", params={"max_results": 1001}).status_code == 400


def test_drivers_metadata(platform, run, u):
    """SHOW in the forms that drivers alone send; history has what they sent."""
    made = run(f"CREATE TABLE main.default.meta_{u} (Id BIGINT COMMENT 'key', d DECIMAL(9,2))")
    assert made["status"]["state"] == "SUCCEEDED" and made["manifest"]["schema"] == {"column_count": 0}, made
    for text in (f"SHOW TABLES IN CATALOG main SCHEMA LIKE 'default' LIKE 'meta_{u}'", f"show tables in all catalogs LIKE 'META*{u}'",
                 f"SHOW TABLES IN CATALOG `main` SCHEMA LIKE 'def%' LIKE '%{u}' ;"):
        got = run(text)
        assert [c["name"] for c in got["manifest"]["schema"]["columns"]] == [
            "namespace", "tableName", "isTemporary", "information", "catalogName", "tableType", "remarks"], got
        assert got["result"]["data_array"] == [["default", f"meta_{u}", "false", None, "main", "TABLE", ""]]
    got = run(f"SHOW COLUMNS IN CATALOG main SCHEMA LIKE 'default' TABLE LIKE 'meta_{u}' LIKE '%'")
    names = [c["name"] for c in got["manifest"]["schema"]["columns"]]
    rows = [dict(zip(names, r)) for r in got["result"]["data_array"]]
    assert [(r["col_name"].lower(), r["columnType"], r["namespace"], r["tableName"]) for r in rows] == [
        ("id", "BIGINT", "default", f"meta_{u}"), ("d", "DECIMAL(9,2)", "default", f"meta_{u}")]
    q, = platform.sdk().query_history.list(filter_by=sql.QueryFilter(statement_ids=[got["statement_id"]]), include_metrics=True).res
    assert q.query_text.startswith("SHOW COLUMNS IN CATALOG main") and q.metrics.compilation_time_ms is not None
    run(f"DROP TABLE main.default.meta_{u}")


# ---- sudden deaths ----

def test_killed_control(make_platform):
    """What ran then is FAILED with a reason, sessions are gone with a reason, the warehouse goes on."""
    p = make_platform().start()
    wh = p.connect["DATABRICKS_WAREHOUSE_ID"]
    session = p.request("POST", SESSIONS, {"warehouse_id": wh}).json()["session_id"]
    done = p.request("POST", S, {"statement": "SELECT 1", "warehouse_id": wh, "session_id": session}).json()["statement_id"]
    live = p.request("POST", S, {"statement": LONG, "warehouse_id": wh, "wait_timeout": "0s"}).json()["statement_id"]
    get(p, live)
    p.kill9("control")
    got = get(p, live)
    assert got["status"]["state"] == "FAILED" and "restarted" in got["status"]["error"]["message"]
    assert p.request("POST", S, {"statement": "SELECT 1", "warehouse_id": wh, "session_id": session}).status_code == 404
    again = p.request("POST", S, {"statement": "SELECT 1", "warehouse_id": wh}).json()
    assert again["status"]["state"] == "SUCCEEDED"
    history = {q.query_id: q.status.value for q in p.sdk().query_history.list().res}
    assert history[live] == "FAILED" and history[again["statement_id"]] == "FINISHED" and history.get(done, "FINISHED") == "FINISHED"


def test_killed_engine(platform, run):
    got = run(LONG, wait_timeout="0s")
    deadline = time.monotonic() + 60
    while get(platform, got["statement_id"])["status"]["state"] != "RUNNING":
        assert time.monotonic() < deadline
    platform.kill9("engine")
    done = until_over(platform, got["statement_id"])
    assert done["status"]["state"] == "FAILED" and done["status"]["error"]["error_code"] == "ABORTED"
    assert "ENGINE_LOST" in done["status"]["error"]["message"]
    while (again := run("SELECT 1"))["status"]["state"] != "SUCCEEDED":
        assert again["status"]["error"]["error_code"] == "ABORTED" and time.monotonic() < deadline


# ---- what drivers ask besides ----

def test_flags_and_telemetry(platform):
    assert platform.request("GET", "/api/2.0/connector-service/feature-flags/PYTHON/4.9.0").json() == {"flags": [], "ttl_seconds": 900}
    assert platform.request("GET", "/api/2.0/connector-service/feature-flags/PYTHON/4.9.0", token="").status_code == 401
    logs = {"uploadTime": 1, "items": [], "protoLogs": ["{}", "{}"]}
    for path, token in (("/telemetry-ext", None), ("/telemetry-unauth", "")):
        assert platform.request("POST", path, logs, token=token).json() == {"errors": [], "numSuccess": 0, "numProtoSuccess": 2, "numRealtimeSuccess": 0}
    assert platform.request("POST", "/telemetry-ext", logs, token="").status_code == 401
