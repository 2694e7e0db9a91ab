# SPDX-License-Identifier: Apache-2.0
"""Random kill -9 of engines and of control during reads and writes of Delta tables (INSERT, MERGE, OPTIMIZE, VACUUM): no
acknowledged commit is lost, no partial one is seen (each INSERT has two rows, each MERGE counts two rows up), the warehouse answers
again; delta-rs reads the table after every kill and finds the same, and at the end so does Spark where it is asked for."""
import collections
import os
import random
import statistics
import threading
import time
from pathlib import Path

import requests

from boathouse import Platform

WRITERS, KEYS, ANSWER_S, RETENTION_S = 3, 5, 20, 10
SLOW_S = 0.7  # a recovery that is looked at
LISTINGS = ("newer than log segment", "Gap between", "found gap")


class Load:
    def __init__(self, p, warehouse):
        self.p, self.w, self.stop = p, warehouse, threading.Event()
        self.acknowledged, self.unknown, self.wrong, self.reads = set(), set(), [], 0
        self.merged, self.maybe_merged, self.kept = collections.Counter(), collections.Counter(), collections.Counter()
        self.go, self.pauses = threading.Event(), 0
        self.go.set()
        self.now, self.hit = {}, collections.Counter()  # which statement each thread waits for; how often a kill met it

    def run(self, sql):
        r = requests.post(self.p.url + "/api/2.0/sql/statements", timeout=120, headers={"Authorization": "Bearer " + self.p.token},
                          json={"warehouse_id": self.w, "statement": sql, "wait_timeout": "50s"})
        return r.json() if r.status_code == 200 else {"status": {"state": "REFUSED", "text": r.text}}

    def quiet(self, sql):
        """The answer, or None when the connection broke."""
        if threading.current_thread() is not threading.main_thread():
            self.go.wait()
        self.now[threading.get_ident()] = sql.split()[0]
        try:
            return self.run(sql)
        except (requests.RequestException, ValueError):
            return None
        finally:
            del self.now[threading.get_ident()]

    def write(self, who):
        k = 0
        while not self.stop.is_set():
            k += 1
            key = who * 1000000 + k
            r = self.quiet(f"INSERT INTO main.k.t VALUES ({key}, 1), ({key}, 2)")
            if r and r["status"]["state"] == "SUCCEEDED":
                self.acknowledged.add(key)
            else:
                self.unknown.add(key)
                time.sleep(0.02)

    def read(self):
        while not self.stop.is_set():
            r = self.quiet("SELECT count(*), count(DISTINCT id), sum(half) FROM main.k.t")
            if r and r["status"]["state"] == "SUCCEEDED":
                rows, keys, halves = (int(x or 0) for x in r["result"]["data_array"][0])
                self.reads += 1
                if rows != 2 * keys or halves != 3 * keys:
                    self.wrong.append((rows, keys, halves))
            time.sleep(0.01)
            r = self.quiet("SELECT count(*), count(DISTINCT id), count(DISTINCT id, n) FROM main.k.m")
            if r and r["status"]["state"] == "SUCCEEDED" and len(set(self.numbers(r)[1:])) + (self.numbers(r)[0] != 2 * self.numbers(r)[1]) > 1:
                self.wrong.append(r["result"]["data_array"])

    @staticmethod
    def numbers(r):
        return [int(x or 0) for x in r["result"]["data_array"][0]]

    def merge(self):
        k = 0
        while not self.stop.is_set():
            k = (k + 1) % KEYS
            r = self.quiet(f"MERGE INTO main.k.m t USING (VALUES ({k}, 1), ({k}, 2)) s(id, half) ON t.id = s.id AND t.half = s.half "
                           "WHEN MATCHED THEN UPDATE SET n = t.n + 1 WHEN NOT MATCHED THEN INSERT (id, half, n) VALUES (s.id, s.half, 1)")
            done = r and r["status"]["state"] == "SUCCEEDED"
            (self.merged if done else self.maybe_merged)[k] += 1
            time.sleep(0 if done else 0.02)

    def keep(self):
        """Upkeep; files that left a table ten seconds ago really go."""
        while not self.stop.is_set():
            for what in ("OPTIMIZE main.k.t", "VACUUM main.k.t", "OPTIMIZE main.k.m", "VACUUM main.k.m"):
                r = self.quiet(what)
                self.kept[what.split()[0], bool(r) and r["status"]["state"]] += 1
                time.sleep(0.1)

    def rows(self, sql):
        r = self.run(sql)
        assert r["status"]["state"] == "SUCCEEDED", r
        out = r["result"]["data_array"]
        while r["result"].get("next_chunk_index") is not None:
            more = self.p.request("GET", f"/api/2.0/sql/statements/{r['statement_id']}/result/chunks/{r['result']['next_chunk_index']}").json()
            out, r["result"] = out + more["data_array"], {"next_chunk_index": more.get("next_chunk_index")}
        return out


def folder_of(load, table):
    name = next(r[1] for r in load.rows(f"DESCRIBE TABLE EXTENDED {table}") if r[0] == "Location").rstrip("/").rsplit("/", 1)[-1]
    return next(p.parent for p in Path(load.p.data).rglob("_delta_log") if p.parent.name == name)


def check_merges(load):
    found = collections.defaultdict(list)
    for k, _, n in load.rows("SELECT id, half, n FROM main.k.m"):
        found[int(k)].append(int(n))
    for k, ns in found.items():
        assert len(ns) == 2 and ns[0] == ns[1], f"a MERGE in part: {k} {ns}"
        assert load.merged[k] <= ns[0] <= load.merged[k] + load.maybe_merged[k], f"{k}: {load.merged[k]} merged, {ns[0]} there"
    assert all(k in found for k, n in load.merged.items() if n)


def outside(path):
    """id → rows, as delta-rs reads the table; None when it lost a race. It lists the log while we write, and a folder's
    listing is no snapshot: what was made later may be in it, what was made before not (a version's .crc without its
    .json, a gap), and then it gives up. And one that reads longer than the retention finds files gone, rightly."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError
    began = time.monotonic()
    try:
        return collections.Counter(DeltaTable(str(path)).to_pyarrow_table()["id"].to_pylist())
    except DeltaError as e:
        if not any(text in str(e) for text in LISTINGS):
            raise
    except FileNotFoundError:
        if time.monotonic() - began < RETENTION_S:
            raise
    return None


def check_outside(load, path, acknowledged):
    """While all goes on: what was acknowledged before is there, and nothing in part. Where it loses three races, in a pause."""
    got = outside(path) or outside(path) or outside(path)
    if got is None:
        load.go.clear()
        while load.now:
            time.sleep(0.01)
        load.pauses += 1
        got = outside(path)
        load.go.set()
    assert got is not None, "delta-rs cannot read the table, and nobody writes"
    assert set(got.values()) <= {2}, f"delta-rs reads a commit in part: {[k for k, n in got.items() if n != 2][:5]}"
    lost = acknowledged - got.keys()
    assert not lost, f"acknowledged, and delta-rs does not read it: {sorted(lost)[:10]}"


def check_others(load, found, spark, folder):
    """Nobody writes any more."""
    path = folder_of(load, "main.k.t")
    got = outside(path)
    assert got == collections.Counter(found), "delta-rs reads other rows"
    if not spark:
        return
    from delta_side import Spark
    s = Spark(folder / "spark")
    try:
        for table in ("t", "m"):
            answer = s.read(folder_of(load, f"main.k.{table}"))
            assert "error" not in answer, answer
            ours = collections.Counter(tuple(map(str, r)) for r in load.rows(f"SELECT * FROM main.k.{table}"))
            assert collections.Counter(tuple(map(str, r)) for r in answer["rows"]) == ours, f"Spark reads other rows of {table}"
    finally:
        s.close()


def answers_again(load):
    began = time.monotonic()
    while True:
        r = load.quiet("SELECT 1")
        if r and r["status"]["state"] == "SUCCEEDED":
            return time.monotonic() - began
        assert time.monotonic() - began < ANSWER_S, f"no answer {ANSWER_S} s after a kill: {r}\n{load.p.log_tail()}"
        time.sleep(0.01)


def report(load, took):
    for role, times in took.items():
        if times:
            times = sorted(times)
            print(f"{role}: {len(times)} kills, answered after p50 {statistics.median(times):.2f} s, p90 {times[len(times) * 9 // 10]:.2f} s, "
                  f"at most {times[-1]:.2f} s; {sum(t > 1 for t in times)} later than 1 s")
    print(f"met by a kill: {dict(load.hit)}; {load.pauses} pauses for delta-rs")
    print(f"{len(load.acknowledged)} acknowledged, {len(load.unknown)} unknown, {load.reads} reads; "
          f"{sum(load.merged.values())} merges, {sum(load.maybe_merged.values())} unknown; {dict(load.kept)}")


def run(folder, kills, seed=1, spark=False):
    seed = int(os.environ.get("BOATHOUSE_SEED", seed))
    print(f"seed {seed}; BOATHOUSE_SEED={seed} repeats the order of kills")
    rnd = random.Random(seed)
    with Platform(folder / "data") as p:
        w = p.request("GET", "/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
        load = Load(p, w)
        short = f"'delta.deletedFileRetentionDuration'='interval {RETENTION_S} seconds'"
        for sql in ("CREATE SCHEMA main.k",
                    f"CREATE TABLE main.k.t (id BIGINT, half INT) TBLPROPERTIES ({short}, 'delta.enableDeletionVectors'='false')",
                    f"CREATE TABLE main.k.m (id BIGINT, half INT, n INT) TBLPROPERTIES ({short}, 'delta.enableDeletionVectors'='true')"):
            r = load.run(sql)
            assert r["status"]["state"] == "SUCCEEDED", r
        path = folder_of(load, "main.k.t")
        outside(path)  # it is imported before time counts
        threads = [threading.Thread(target=load.write, args=(i,)) for i in range(WRITERS)]
        threads += [threading.Thread(target=f) for f in (load.read, load.merge, load.keep)]
        for t in threads:
            t.start()
        took = {"engine": [], "control": []}
        try:
            for _ in range(kills):
                time.sleep(rnd.uniform(0.05, 0.6))
                role = rnd.choice(list(took))
                load.hit.update(set(load.now.copy().values()))
                p.kill9(role)
                at = len(p.log())
                took[role].append(answers_again(load))
                if took[role][-1] > SLOW_S:
                    print(f"{role}: answered after {took[role][-1]:.2f} s, load {os.getloadavg()[0]:.0f}; the log says\n{p.log()[at:]}")
                check_outside(load, path, load.acknowledged.copy())
        finally:
            load.stop.set()
            load.go.set()
            for t in threads:
                t.join()
        assert not load.wrong, load.wrong
        found = {int(k): int(n) for k, n in load.rows("SELECT id, count(*) FROM main.k.t GROUP BY id")}
        lost = load.acknowledged - found.keys()
        assert not lost, f"acknowledged and lost: {sorted(lost)[:10]} of {len(load.acknowledged)}"
        assert set(found.values()) <= {2}
        assert found.keys() <= load.acknowledged | load.unknown
        check_merges(load)
        check_others(load, found, spark, folder)
        report(load, took)
