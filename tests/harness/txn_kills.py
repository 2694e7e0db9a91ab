# SPDX-License-Identifier: Apache-2.0
"""Random kill -9 of engines and of control during transactions over two catalog-managed tables: each transaction is in both tables or in
none, none that was acknowledged is lost, and what is not published is read all the same."""
import random, threading, time

import requests

from boathouse import Platform

WRITERS, ANSWER_S = 3, 20
MANAGED = "TBLPROPERTIES ('delta.feature.catalogManaged' = 'supported')"


class Writer:
    """One session: transactions that put a key into both tables, now and then one that is rolled back."""

    def __init__(self, p, warehouse, number):
        self.p, self.w, self.number, self.session = p, warehouse, number, None
        self.acknowledged, self.unknown, self.gone, self.wrong = set(), set(), set(), []

    def post(self, path, body):
        return requests.post(self.p.url + path, timeout=60, headers={"Authorization": "Bearer " + self.p.token}, json=body)

    def run(self, text):
        body = {"warehouse_id": self.w, "statement": text, "wait_timeout": "50s"}
        r = self.post("/api/2.0/sql/statements", {**body, "session_id": self.session} if self.session else body)
        return r.json() if r.status_code == 200 else {"status": {"state": "REFUSED", "error": {"message": r.text}}}

    def ok(self, text):
        return self.run(text)["status"]["state"] == "SUCCEEDED"

    def open(self):
        r = self.post("/api/2.0/sql/sessions", {"warehouse_id": self.w})
        self.session = r.json().get("session_id") if r.status_code == 200 else None
        return bool(self.session)

    def once(self, key):
        """True, False (not committed), None (not known)."""
        if not self.session and not self.open():
            return False
        if not self.ok("BEGIN TRANSACTION"):
            self.ok("ROLLBACK")
            self.session = None
            return False
        for t in ("a", "b"):
            if not self.ok(f"INSERT INTO main.k.{t} VALUES ({key}, 1), ({key}, 2)"):
                self.ok("ROLLBACK")
                return False
        if key % 7 == 0:
            return False if self.ok("ROLLBACK") else None
        committed = self.run("COMMIT")["status"]
        if committed["state"] == "SUCCEEDED":
            return True
        self.ok("ROLLBACK")
        return None

    def work(self, stop):
        k = 0
        while not stop.is_set():
            k += 1
            key = self.number * 1000000 + k
            try:
                done = self.once(key)
            except (requests.RequestException, ValueError, KeyError):
                self.session, done = None, None
            (self.acknowledged if done else self.unknown if done is None else self.gone).add(key)
            if not done:
                time.sleep(0.02)


def read(w, stop, wrong, reads):
    """One query sees both tables as of one instant."""
    while not stop.is_set():
        try:
            r = w.run("SELECT (SELECT count(*) FROM main.k.a), (SELECT count(*) FROM main.k.b), (SELECT sum(id) FROM main.k.a), (SELECT sum(id) FROM main.k.b)")
        except (requests.RequestException, ValueError):
            continue
        if r["status"]["state"] == "SUCCEEDED":
            n, m, s, t = r["result"]["data_array"][0]
            reads.append(n)
            if n != m or s != t or int(n) % 2:
                wrong.append((n, m, s, t))
        time.sleep(0.01)


def answers_again(w):
    began = time.monotonic()
    while True:
        try:
            if w.ok("SELECT 1"):
                return
        except (requests.RequestException, ValueError):
            pass
        assert time.monotonic() - began < ANSWER_S, f"no answer {ANSWER_S} s after a kill\n{w.p.log_tail()}"
        time.sleep(0.01)


def keys(w, table):
    found, chunk = [], w.run(f"SELECT id FROM main.k.{table}")
    assert chunk["status"]["state"] == "SUCCEEDED", chunk
    statement, result = chunk["statement_id"], chunk["result"]
    while True:
        found += [int(r[0]) for r in result.get("data_array") or []]
        if result.get("next_chunk_index") is None:
            return found
        result = w.p.request("GET", f"/api/2.0/sql/statements/{statement}/result/chunks/{result['next_chunk_index']}").json()


def run(folder, kills, seed=1):
    rnd = random.Random(seed)
    with Platform(folder / "data") as p:
        warehouse = p.request("GET", "/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
        plain = Writer(p, warehouse, 0)
        for text in ("CREATE SCHEMA main.k", f"CREATE TABLE main.k.a (id BIGINT, half INT) {MANAGED}", f"CREATE TABLE main.k.b (id BIGINT, half INT) {MANAGED}"):
            assert plain.ok(text), text
        stop, wrong, reads = threading.Event(), [], []
        writers = [Writer(p, warehouse, k + 1) for k in range(WRITERS)]
        threads = [threading.Thread(target=w.work, args=(stop,)) for w in writers] + [threading.Thread(target=read, args=(plain, stop, wrong, reads))]
        for t in threads:
            t.start()
        try:
            for _ in range(kills):
                time.sleep(rnd.uniform(0.1, 0.8))
                p.kill9(rnd.choice(["engine", "control"]))
                answers_again(Writer(p, warehouse, 0))
            time.sleep(0.5)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not wrong, wrong
        a, b = keys(plain, "a"), keys(plain, "b")
        assert sorted(a) == sorted(b)
        assert all(a.count(k) == 2 for k in set(a))
        acknowledged, unknown = set().union(*(w.acknowledged for w in writers)), set().union(*(w.unknown for w in writers))
        assert acknowledged <= set(a) <= acknowledged | unknown, (sorted(acknowledged - set(a))[:5], sorted(set(a) - acknowledged - unknown)[:5])
        assert acknowledged and reads
        # Everybody goes on, and what was left unpublished is published by it.
        assert plain.ok("INSERT INTO main.k.a VALUES (1, 1)") and plain.ok("OPTIMIZE main.k.a")
        print(f"{len(acknowledged)} committed, {len(unknown)} unknown, {len(reads)} reads, {kills} kills")
