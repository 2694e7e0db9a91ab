# SPDX-License-Identifier: Apache-2.0
"""Statements that are too large, too deep or too many: each is refused or served, and what control keeps of them is bounded."""

import os
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from boathouse import Platform
from statements import S, Sql


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("crowds") / "data") as p:
        yield p


@pytest.fixture(scope="module")
def admin(platform):
    sql = Sql(platform)
    sql("CREATE SCHEMA main.c")
    return sql


TOO_LARGE = "FAILED_TO_PARSE_TOO_COMPLEX"


def test_short_texts_that_become_large_are_refused(platform, admin):
    """What doubles with each step ends in an error of the statement, not in that of the warehouse's process."""
    engine = {p.pid for p in platform.processes("engine")}
    admin("CREATE VIEW main.c.v0 AS SELECT 1 AS a")
    admin("CREATE FUNCTION main.c.f0(x BIGINT) RETURNS BIGINT RETURN x")
    doubled = "CREATE VIEW main.c.v{} AS SELECT a FROM main.c.v{} UNION ALL SELECT a FROM main.c.v{}"
    made = 0
    while admin.run(doubled.format(made + 1, made, made))["status"]["state"] == "SUCCEEDED":
        made += 1
    assert 8 < made < 16
    admin.fails(doubled.format("x", made, made), TOO_LARGE)
    for i in range(1, 18):
        admin(f"CREATE FUNCTION main.c.f{i}(x BIGINT) RETURNS BIGINT RETURN main.c.f{i - 1}(x) + main.c.f{i - 1}(x)")
    assert admin("SELECT count(*) FROM main.c.v6") == [["64"]] and admin("SELECT main.c.f6(1)") == [["64"]]
    admin.fails("SELECT main.c.f17(1)", TOO_LARGE)
    admin("CREATE FUNCTION main.c.twice(x BIGINT) RETURNS BIGINT RETURN x + x")
    assert admin("SELECT " + "main.c.twice(" * 8 + "1" + ")" * 8) == [["256"]]
    admin.fails("SELECT " + "main.c.twice(" * 30 + "1" + ")" * 30, TOO_LARGE)
    admin.fails("SELECT 1L AS a0, " + ", ".join(f"a{i - 1} + a{i - 1} AS a{i}" for i in range(1, 40)), TOO_LARGE)
    assert admin("SELECT 1") == [["1"]] and engine <= {p.pid for p in platform.processes("engine")}


def test_large_texts_are_served(admin):
    assert admin("SELECT count(*) FROM range(10) WHERE id IN (" + ",".join(map(str, range(5, 100005))) + ")") == [["5"]]
    assert len(admin("SELECT " + ",".join(f"{i} AS c{i}" for i in range(3000)))[0]) == 3000
    assert admin("SELECT length('" + "x" * 2_000_000 + "') AS n") == [["2000000"]]
    for text in ("(" * 5000 + "1" + ")" * 5000, "NOT " * 20000 + "true", "1 + " * 20000 + "1"):
        admin.fails("SELECT " + text, TOO_LARGE)


def test_control_does_not_keep_texts_of_what_ended(platform, admin):
    """Statements that nobody closes: the history has their texts, cut; memory has not."""
    control = platform.processes("control")[0]
    admin("SELECT 1 /* " + "x" * 8_000_000 + " */")
    before = control.memory_info().rss
    for _ in range(12):
        admin("SELECT 1 /* " + "x" * 8_000_000 + " */")
    admin("SELECT 1")
    assert os.environ.get("BH_FLAVOUR") != "release" or control.memory_info().rss - before < 64 << 20


def test_many_clients_make_and_drop_one_table(platform, admin):
    """DDL and DML of one name from all sides: each statement ends, with rows or with an error that says why."""
    kinds = ("CREATE OR REPLACE TABLE main.c.t AS SELECT 1L AS id, 'a' AS name", "INSERT INTO main.c.t VALUES (1, 'x')", "DROP TABLE IF EXISTS main.c.t",
             "SELECT count(*) FROM main.c.t", "UPDATE main.c.t SET name = 'z' WHERE id = 1", "ALTER TABLE main.c.t RENAME TO main.c.u", "UNDROP TABLE main.c.t",
             "ALTER TABLE main.c.u RENAME TO main.c.t", "OPTIMIZE main.c.t", "MERGE INTO main.c.t USING (SELECT 1L AS k) ON k = id WHEN MATCHED THEN DELETE")
    allowed = ("TABLE_OR_VIEW_NOT_FOUND", "TABLE_OR_VIEW_ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST", "DELTA_", "INSERT_COLUMN_ARITY_MISMATCH")

    def work(seed):
        draw, wrong = random.Random(seed), []
        for _ in range(15):
            got = Sql(platform).run(draw.choice(kinds))["status"]
            if got["state"] != "SUCCEEDED" and not any(f"[{k}" in got["error"]["message"] for k in allowed):
                wrong.append(got)
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert [w for w in pool.map(work, range(8)) if w] == []
    admin("CREATE OR REPLACE TABLE main.c.t AS SELECT 5 AS five")
    assert admin("SELECT * FROM main.c.t") == [["5"]]


def test_clients_that_vanish_and_cancel(platform, admin):
    """Half a request, an answer that nobody reads, cancels by the dozen: the next statement is served."""
    head = f"POST {S} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {platform.token}\r\nContent-Type: application/json\r\nContent-Length: "
    text = f'{{"statement": "SELECT id, repeat(\'x\', 100) FROM range(20000)", "warehouse_id": "{admin.wh}", "wait_timeout": "50s"}}'
    left = [socket.create_connection(("127.0.0.1", platform.http_port)) for _ in range(300)]
    for i, s in enumerate(left):
        if i % 3 == 1:
            s.sendall((head + "1000\r\n\r\n{").encode())
        if i % 3 == 2 and i < 60:
            s.sendall((head + f"{len(text)}\r\n\r\n" + text).encode())
    assert admin("SELECT 1") == [["1"]]
    for s in left:
        s.close()

    def one(_):
        body = {"statement": "SELECT count(*) FROM range(100000000000)", "warehouse_id": admin.wh, "wait_timeout": "0s"}
        ident = platform.request("POST", S, body).json()["statement_id"]
        for _ in range(3):
            assert platform.request("POST", f"{S}/{ident}/cancel").status_code == 200
        end = time.monotonic() + 30
        while (state := platform.request("GET", f"{S}/{ident}").json()["status"]["state"]) in ("PENDING", "RUNNING") and time.monotonic() < end:
            time.sleep(0.05)
        return state

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(30))) <= {"CANCELED", "CLOSED"}
    assert admin("SELECT 2") == [["2"]]


def test_texts_that_are_no_text(platform, admin, monkeypatch):
    """Bytes that are no UTF-8, through Thrift and in a header, are refused or left out: they stay in no list that is asked for later."""
    import requests
    from connector import plain
    from thrift.protocol import TProtocol

    control = platform.processes("control")[0].pid
    monkeypatch.setattr(TProtocol.TProtocolBase, "writeString", lambda self, s: self.writeBinary(s if isinstance(s, bytes) else s.encode("utf-8", "surrogateescape")))
    with plain(platform)() as db:
        for text in ("SELECT 'r\udce8' AS x", "SELECT 1 AS `b\udce8`", "CREATE TABLE main.c.`t\udcff` (a INT)", "SELECT 1 -- \udce8"):
            with db.cursor() as cur, pytest.raises(Exception, match="not UTF-8"):
                cur.execute(text)
        with db.cursor() as cur:
            assert [tuple(r) for r in cur.execute("SELECT 1").fetchall()] == [(1,)]
    body = {"statement": "SELECT 'by bytes'", "warehouse_id": admin.wh, "wait_timeout": "50s"}
    requests.post(platform.url + S, json=body, headers={"Authorization": f"Bearer {platform.token}", "User-Agent": b"agent\xe8\xff"}, timeout=100)
    got = platform.request("GET", "/api/2.0/sql/history/queries?max_results=20")
    assert got.status_code == 200 and any("by bytes" in q["query_text"] for q in got.json()["res"])
    assert platform.processes("control")[0].pid == control
