# SPDX-License-Identifier: Apache-2.0
"""Memory and spill of a warehouse come with its size: what a small one refuses a larger one does; others do not notice. And what runs
too long, waits in too long a queue, or does not heed a cancel is ended."""
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402

SMALL, LARGE = "2X-Small", "Medium"  # 128 MiB and 32 MiB of spill; eight times as much
LONG = "SELECT max(a.id * b.id % 7 + c.id) FROM range(100000) a, range(100000) b, range(1000) c"
KINDS = {
    "sort": ("SELECT sum(n * (k % 7)) > 0 FROM (SELECT k, row_number() OVER (ORDER BY s, k) n FROM (SELECT id k, concat(sha1(CAST(id AS STRING)), "
             "repeat('x', 40)) s FROM range(1500000)))"),
    "hash join": ("SELECT count(*) > 0 FROM (SELECT id, concat(sha1(CAST(id AS STRING)), repeat('a', 60)) s FROM range(1200000)) a JOIN (SELECT id, "
                  "concat(sha1(CAST(id AS STRING)), repeat('b', 60)) s FROM range(1200000)) b ON a.id = b.id WHERE a.s < b.s OR a.s > b.s"),
    "list aggregate": "SELECT size(collect_list(concat(CAST(id AS STRING), repeat('x', 200)))) > 0 FROM range(1000000)",
    "wide string": "SELECT max(length(repeat(repeat(CAST(id AS STRING), 100000), 300))) > 0 FROM range(4)",
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("limits") / "data", settings={"sql.memory_base": "128MiB", "sql.spill_base": "32MiB"}) as p:
        yield p


def call(p, method, path, body=None):
    r = p.request(method, path, body)
    assert r.status_code == 200, r.text
    return r.json()


def warehouse(p, size, **more):
    return call(p, "POST", "/api/2.0/sql/warehouses", {"name": f"limits {size} {time.monotonic_ns()}", "cluster_size": size, "max_num_clusters": 1,
                                                      "enable_serverless_compute": True, **more})["id"]


def run(p, w, sql, wait="50s"):
    return call(p, "POST", "/api/2.0/sql/statements", {"warehouse_id": w, "statement": sql, "wait_timeout": wait})


def ended(p, id, seconds=120):
    end = time.monotonic() + seconds
    while (r := call(p, "GET", f"/api/2.0/sql/statements/{id}"))["status"]["state"] in ("PENDING", "RUNNING"):
        assert time.monotonic() < end, r
        time.sleep(0.02)
    return r


@pytest.fixture(scope="module")
def sizes(platform):
    return warehouse(platform, SMALL), warehouse(platform, LARGE), warehouse(platform, SMALL)


@pytest.mark.skipif(os.environ.get("BH_FLAVOUR", "release") != "release", reason="sanitizers need many times the memory")
@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_the_size_s(platform, sizes, kind):
    small, large, neighbour = sizes
    eats = run(platform, small, KINDS[kind], "0s")["statement_id"]
    answers = [run(platform, neighbour, "SELECT sum(id) FROM range(1000)")["result"]["data_array"] for _ in range(5)]
    assert answers == [[["499500"]]] * 5
    r = ended(platform, eats)
    assert r["status"]["state"] == "FAILED", (kind, r)
    message = r["status"]["error"]["message"]
    assert "[OUT_OF_MEMORY]" in message or "[SPILL_LIMIT_EXCEEDED]" in message, message
    assert run(platform, small, "SELECT 1")["result"]["data_array"] == [["1"]]
    r = ended(platform, run(platform, large, KINDS[kind], "0s")["statement_id"])
    assert r["status"]["state"] == "SUCCEEDED" and r["result"]["data_array"] == [["true"]], (kind, r)


# ---- what runs for ever, recurses, or has to wait ----

def state_of(p, w):
    return call(p, "GET", f"/api/2.0/sql/warehouses/{w}")


def until(p, w, **want):
    end = time.monotonic() + 60
    while any((seen := state_of(p, w)).get(k) != v for k, v in want.items()):
        assert time.monotonic() < end, (want, seen["state"], seen["num_clusters"])
        time.sleep(0.05)


def cancel(p, ids):
    for id in ids:
        call(p, "POST", f"/api/2.0/sql/statements/{id}/cancel", {})
    assert all(ended(p, id)["status"]["state"] == "CANCELED" for id in ids)


def later(p, minutes):
    call(p, "POST", "/api/boathouse/test/clock", {"advance_ms": int(minutes * 60_000)})


def test_a_recursion_without_end_is_reported(platform, sizes):
    r = run(platform, sizes[0], "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t")
    assert r["status"]["state"] == "FAILED" and "[RECURSION_LEVEL_LIMIT_EXCEEDED]" in r["status"]["error"]["message"], r
    deep = "(" * 5000 + "1" + ")" * 5000
    r = run(platform, sizes[0], f"SELECT {deep}")
    assert r["status"]["state"] == "FAILED", r
    assert run(platform, sizes[0], "SELECT 1")["result"]["data_array"] == [["1"]]


def test_a_session_s_own_timeout(platform, sizes):
    session = call(platform, "POST", "/api/2.0/sql/sessions", {"warehouse_id": sizes[2]})["session_id"]

    def ask(sql):
        return call(platform, "POST", "/api/2.0/sql/statements", {"warehouse_id": sizes[2], "session_id": session, "statement": sql, "wait_timeout": "50s"})
    assert ask("SET STATEMENT_TIMEOUT = 1")["status"]["state"] == "SUCCEEDED"
    r = ask(LONG)
    assert r["status"]["state"] == "FAILED" and r["status"]["error"]["error_code"] == "DEADLINE_EXCEEDED", r
    assert ask("SELECT 1")["result"]["data_array"] == [["1"]]


def test_an_engine_that_heeds_no_timeout_is_killed(platform):
    """Interrupted, then killed: both by control's own clock, since the engine stands still."""
    p, w = platform, warehouse(platform, SMALL, statement_timeout=1)
    assert run(p, w, "SELECT 1")["status"]["state"] == "SUCCEEDED"
    id = run(p, w, LONG, "0s")["statement_id"]
    stuck = [x for x in p.processes("engine") if " /spill/own " in Path(f"/proc/{x.pid}/mountinfo").read_text()]
    for x in stuck:
        x.send_signal(signal.SIGSTOP)
    assert ended(p, id)["status"]["state"] in ("FAILED", "CANCELED")
    assert run(p, w, "SELECT 2")["result"]["data_array"] == [["2"]]
    assert any(not x.is_running() or x.status() == psutil.STATUS_ZOMBIE for x in stuck)
    for x in stuck:
        if x.is_running():
            x.send_signal(signal.SIGCONT)


@pytest.fixture
def clocked(tmp_path):
    """One statement to a cluster, a quota of three 2X-Small clusters (4 DBU an hour each), a clock of our own."""
    with Platform(tmp_path / "data", args=["--test-clock"], settings={"sql.cluster_statements": "1", "sql.serverless_quota": "12"}) as p:
        yield p


def test_clusters_grow_to_the_most_and_shrink_to_the_least(clocked):
    p = clocked
    w = warehouse(p, SMALL, auto_stop_mins=0)
    call(p, "POST", f"/api/2.0/sql/warehouses/{w}/edit", {"max_num_clusters": 2, "min_num_clusters": 1})
    ids = [run(p, w, LONG, "0s")["statement_id"] for _ in range(4)]
    until(p, w, num_clusters=2)
    states = [call(p, "GET", f"/api/2.0/sql/statements/{i}")["status"]["state"] for i in ids]
    assert states[2:] == ["PENDING", "PENDING"]
    cancel(p, ids[:1])  # the third takes its place, in its turn
    end = time.monotonic() + 60
    while call(p, "GET", f"/api/2.0/sql/statements/{ids[2]}")["status"]["state"] != "RUNNING":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert call(p, "GET", f"/api/2.0/sql/statements/{ids[3]}")["status"]["state"] == "PENDING"
    cancel(p, ids[1:])
    later(p, 16)
    until(p, w, num_clusters=1, state="RUNNING")
    later(p, 24 * 60)
    assert state_of(p, w)["state"] == "RUNNING"  # auto_stop_mins 0: never


def test_growing_stops_at_the_quota_and_running_work_goes_on(clocked):
    p = clocked
    a, b = warehouse(p, SMALL), warehouse(p, SMALL)
    for w in (a, b):
        call(p, "POST", f"/api/2.0/sql/warehouses/{w}/edit", {"max_num_clusters": 4})
    first = [run(p, a, LONG, "0s")["statement_id"] for _ in range(2)]
    until(p, a, num_clusters=2)
    second = [run(p, b, LONG, "0s")["statement_id"] for _ in range(3)]
    until(p, b, num_clusters=1)
    assert [call(p, "GET", f"/api/2.0/sql/statements/{i}")["status"]["state"] for i in second] == ["RUNNING", "PENDING", "PENDING"]
    assert all(call(p, "GET", f"/api/2.0/sql/statements/{i}")["status"]["state"] == "RUNNING" for i in first)
    assert state_of(p, b)["num_clusters"] == 1
    call(p, "POST", f"/api/2.0/sql/warehouses/{a}/stop", {})
    cancel(p, second[:1])
    until(p, b, num_clusters=2)  # there is room now: one takes the place that became free, one a new cluster
    cancel(p, second[1:])


def test_a_statement_keeps_its_warehouse_awake(clocked):
    p = clocked
    w = warehouse(p, SMALL, auto_stop_mins=5)
    id = run(p, w, LONG, "0s")["statement_id"]
    until(p, w, state="RUNNING", num_clusters=1)
    later(p, 60)
    assert call(p, "GET", f"/api/2.0/sql/statements/{id}")["status"]["state"] == "RUNNING"
    assert state_of(p, w)["state"] == "RUNNING"
    cancel(p, [id])
    later(p, 6)
    until(p, w, state="STOPPED", num_clusters=0)
    from databricks import sql
    with sql.connect(server_hostname=p.url, http_path=f"/sql/1.0/warehouses/{w}", access_token=p.token, enable_telemetry=False,
                     _connection_uri=f"{p.url}/sql/1.0/warehouses/{w}") as c, c.cursor() as cursor:
        assert cursor.execute("SELECT 'awake'").fetchall() == [("awake",)]
    assert state_of(p, w)["state"] == "RUNNING"
