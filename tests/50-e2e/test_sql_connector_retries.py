# SPDX-License-Identifier: Apache-2.0
"""What the Python SQL connector does when the way to us fails: a door before the platform answers for it. Telemetry and its circuit breaker."""

import threading
import time

import pytest
from databricks.sql.exc import Error
from urllib3.exceptions import MaxRetryError

from connector import MODES, Doorman

FAILED = (Error, MaxRetryError)
POLICY = {"_retry_delay_min": 0.05, "_retry_delay_max": 0.2, "_retry_stop_after_attempts_count": 2, "_retry_stop_after_attempts_duration": 30,
          "_retry_delay_default": 0.1}


@pytest.fixture(scope="module")
def door(secure):
    with Doorman(secure) as d:
        yield d


@pytest.fixture(params=["thrift", "sea"])
def connect(request, secure, door):
    def open_one(**more):
        return secure.connect(port=door.port, **{**MODES[request.param], **POLICY, **more})
    return open_one


def one(db, text="SELECT 1"):
    with db.cursor() as c:
        return c.execute(text).fetchall()[0][0]


def test_a_busy_server_is_asked_again(door, connect):
    with door.failing((429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})) as seen:
        db = connect()
        assert len(seen) == 3
    with door.failing((503, {"Retry-After": "0"}), (429, {"Retry-After": "0"})):
        assert one(db) == 1
    db.close()


def test_the_number_of_tries_ends(door, connect):
    with door.failing(always=(429, {"Retry-After": "0"})) as seen, pytest.raises(FAILED):
        connect()
    assert len(seen) == 3


def test_a_lost_connection_is_tried_again(door, connect):
    with door.failing("drop", "drop") as seen:
        connect().close()
        assert len(seen) >= 3
    with door.failing(always="drop") as seen, pytest.raises(FAILED):
        connect()
    assert len(seen) == 3


def test_the_time_for_tries_ends(door, connect):
    with door.failing(always=(429, {"Retry-After": "60"})) as seen, pytest.raises(Error):
        connect(_retry_stop_after_attempts_duration=1)
    assert len(seen) == 1


def test_a_named_wait_is_kept(door, connect):
    with door.failing((429, {"Retry-After": "2"})):
        began = time.monotonic()
        connect().close()
        assert time.monotonic() - began >= 2


@pytest.mark.parametrize("status", [501, 401, 403, 404, 302])
def test_final_answers_are_not_asked_for_again(door, connect, status):
    with door.failing(always=(status, {})) as seen, pytest.raises(Error) as e:
        connect(_retry_max_redirects=1)
    assert len(seen) == 1 and "too many redirects" not in str(e.value)


def test_a_statement_is_sent_once_unless_told(door, connect):
    with connect() as db, db.cursor() as c:
        for status in (502, 504):
            with door.failing(always=(status, {})) as seen, pytest.raises(FAILED):
                c.execute("SELECT 'never'")
            assert len(seen) == 1
        with door.failing((429, {"Retry-After": "0"}), (503, {})) as seen:
            assert c.execute("SELECT 'comes'").fetchall()[0][0] == "comes"
            assert len([s for s in seen if s.startswith("POST")]) >= 3
    with connect(_retry_dangerous_codes=[502, 504], _retry_stop_after_attempts_count=1) as db, db.cursor() as c:
        for status in (502, 504):
            with door.failing(always=(status, {})) as seen, pytest.raises(FAILED):
                c.execute("SELECT 'never'")
            assert len(seen) == 2


def test_closing_what_is_gone(door, connect):
    db = connect()
    c = db.cursor()
    c.execute_async("SELECT 1")
    with door.failing((404, {})):
        c.close()
    with door.failing((404, {})):
        db.close()
    assert not db.open


def test_settings_that_make_no_sense_are_said(door, connect, caplog):
    connect(_retry_max_redirects=100, _retry_stop_after_attempts_count=1).close()
    assert "it will have no affect!" in caplog.text


def test_the_old_way_to_try_again(door, secure, caplog):
    with secure.connect(port=door.port, _enable_v3_retries=False, **POLICY) as db:
        assert one(db) == 1
    assert "Legacy retry behavior is enabled" in caplog.text


# ---- telemetry ----

@pytest.fixture
def telemetry(monkeypatch):
    """Events that the connector sends, and the answers that it gets. Its client is one for the whole process: made anew."""
    from databricks.sql.common import feature_flag
    from databricks.sql.telemetry.telemetry_client import TelemetryClient, TelemetryClientFactory as F

    def clear():
        if F._executor:
            F._executor.shutdown(wait=True)
        F._executor = None
        F._stop_flush_thread()
        F._flush_event.clear()
        F._clients.clear()
        F._initialized = False
        feature_flag.FeatureFlagsContextFactory._context_map.clear()

    events, answers, lock = [], [], threading.Lock()
    export, callback = TelemetryClient._export_event, TelemetryClient._telemetry_request_callback

    def on_export(self, event):
        with lock:
            events.append(event.entry.sql_driver_log)
        return export(self, event)

    def on_answer(self, future, sent_count):
        with lock:
            answers.append(future)
        return callback(self, future, sent_count)
    clear()
    monkeypatch.setattr(TelemetryClient, "_export_event", on_export)
    monkeypatch.setattr(TelemetryClient, "_telemetry_request_callback", on_answer)
    yield events, answers
    clear()


def at_port(secure, **more):
    """Telemetry goes where the host's name says, port and all."""
    from databricks import sql

    host = f"localhost:{secure.platform.https_port}"
    return sql.connect(server_hostname=host, http_path=secure.path, access_token=secure.platform.token, _tls_trusted_ca_file=secure.ca,
                       _connection_uri=f"https://{host}{secure.path}", telemetry_batch_size=1, **more)




def test_the_server_decides_about_telemetry(make_platform, telemetry, tmp_path):
    """sql.driver_telemetry: off, drivers send nothing; on, they do."""
    from connector import Server

    events, _ = telemetry
    with Server(tmp_path / "t", settings={"sql.driver_telemetry": "true"}) as s:
        for asked, wanted in [({"enable_telemetry": True}, 2), ({}, 2), ({"enable_telemetry": False}, 0),
                              ({"enable_telemetry": False, "force_enable_telemetry": True}, 2)]:
            events.clear()
            with at_port(s, **asked) as db:
                assert one(db) == 1
            assert len(events) == wanted, asked


def test_without_its_flag_no_telemetry(secure, telemetry):
    events, _ = telemetry
    with at_port(secure) as db:
        assert one(db) == 1
    assert not events


def test_what_telemetry_says(secure, telemetry):
    events, answers = telemetry
    with at_port(secure, force_enable_telemetry=True) as db:
        assert one(db, "SELECT 100") == 100
        with pytest.raises(Exception):
            one(db, "SELECT * FROM WHERE INVALID SYNTAX 12345")
        with db.cursor() as c:
            assert c.catalogs().fetchall()
        for n in (1, 2):
            with db.cursor() as c:
                assert len(c.execute("SELECT * FROM range(1000)").fetchall()) == 1000
    assert all(e.system_configuration.driver_name == "Databricks SQL Python Connector" for e in events)
    assert all(e.driver_connection_params.http_path == secure.path for e in events)
    assert [e.error_info.error_name for e in events if e.error_info] == ["ServerOperationError"]
    assert [e for e in events if e.sql_operation and e.operation_latency_ms is not None and e.sql_statement_id]
    assert answers


def test_telemetry_of_many_at_once(secure, telemetry):
    events, answers = telemetry
    ids, lock = [], threading.Lock()

    def work(n):
        with at_port(secure, force_enable_telemetry=True) as db, db.cursor() as c:
            assert c.execute(f"SELECT {n}").fetchall()[0][0] == n
            with lock:
                ids.append((db.get_session_id_hex(), c.query_id))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {e.session_id for e in events} == {s for s, _ in ids} and len(ids) == 10
    assert {e.sql_statement_id for e in events if e.sql_statement_id} == {s for _, s in ids}
    for future in answers:
        got = future.result(timeout=60)
        assert got.status == 200 and b'"errors":[]' in got.data


def test_the_servers_answer_to_telemetry(secure):
    for path, token in (("/telemetry-ext", None), ("/telemetry-unauth", "")):
        answer = secure.platform.request("POST", path, {"uploadTime": 1, "items": [], "protoLogs": ["{}", "{}"]}, token=token)
        assert answer.status_code == 200 and answer.json() == {"errors": [], "numSuccess": 0, "numProtoSuccess": 2, "numRealtimeSuccess": 0}


@pytest.mark.parametrize("status,opens", [(429, True), (503, True), (500, False)])
def test_the_circuit_breaker_of_telemetry(secure, telemetry, monkeypatch, status, opens):
    """Two refusals open it, and nothing more is sent; other errors do not."""
    import pybreaker
    from databricks.sql.telemetry import circuit_breaker_manager as manager
    from databricks.sql.telemetry.telemetry_push_client import TelemetryPushClient
    from urllib3 import HTTPResponse

    answered = {"status": status, "count": 0}

    def refuse(*_, **__):
        answered["count"] += 1
        return HTTPResponse(body=b"{}", status=answered["status"])
    monkeypatch.setattr(manager, "MINIMUM_CALLS", 2)
    monkeypatch.setattr(manager, "RESET_TIMEOUT", 1)
    monkeypatch.setattr(TelemetryPushClient, "request", refuse)
    manager.CircuitBreakerManager._instances.clear()
    host = f"localhost:{secure.platform.https_port}"

    def until(what):
        for _ in range(300):
            if what():
                return True
            time.sleep(0.05)
        return False
    with at_port(secure, force_enable_telemetry=True, _telemetry_circuit_breaker_enabled=True) as db:
        breaker = manager.CircuitBreakerManager.get_circuit_breaker(host)
        assert breaker.current_state == pybreaker.STATE_CLOSED
        for n in range(4):
            one(db, f"SELECT {n}")
            assert until(lambda: answered["count"] > n or breaker.current_state == pybreaker.STATE_OPEN)
        assert (breaker.current_state == pybreaker.STATE_OPEN) == opens
        if opens:
            answered["status"] = 200
            time.sleep(1.5)
            one(db, "SELECT 5")
            one(db, "SELECT 6")
            assert until(lambda: breaker.current_state in (pybreaker.STATE_HALF_OPEN, pybreaker.STATE_CLOSED))
    manager.CircuitBreakerManager._instances.clear()
    answered.update(status=429, count=0)
    with at_port(secure, force_enable_telemetry=True, _telemetry_circuit_breaker_enabled=False) as db:
        for n in range(4):
            one(db, f"SELECT {n}")
        assert until(lambda: answered["count"] >= 5)
