# SPDX-License-Identifier: Apache-2.0
"""Random kill -9 of engines and of control during reads and writes of a Delta table: no acknowledged commit is lost, no
partial one is seen (each INSERT has two rows), and the warehouse answers again."""
import random, statistics, threading, time

import requests

from boathouse import Platform

WRITERS, ANSWER_S = 3, 20


class Load:
    def __init__(self, p, warehouse):
        self.p, self.w, self.stop = p, warehouse, threading.Event()
        self.acknowledged, self.unknown, self.wrong, self.reads = set(), set(), [], 0

    def run(self, sql):
        r = requests.post(self.p.url + "/api/2.0/sql/statements", timeout=120, headers={"Authorization": "Bearer " + self.p.token},
                          json={"warehouse_id": self.w, "statement": sql, "wait_timeout": "50s"})
        return r.json() if r.status_code == 200 else {"status": {"state": "REFUSED", "text": r.text}}

    def quiet(self, sql):
        """The answer, or None when the connection broke."""
        try:
            return self.run(sql)
        except (requests.RequestException, ValueError):
            return None

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


def answers_again(load):
    began = time.monotonic()
    while True:
        r = load.quiet("SELECT 1")
        if r and r["status"]["state"] == "SUCCEEDED":
            return time.monotonic() - began
        assert time.monotonic() - began < ANSWER_S, f"no answer {ANSWER_S} s after a kill: {r}\n{load.p.log_tail()}"
        time.sleep(0.01)


def run(folder, kills, seed=1):
    rnd = random.Random(seed)
    with Platform(folder / "data") as p:
        w = p.request("GET", "/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
        load = Load(p, w)
        for sql in ("CREATE SCHEMA main.k", "CREATE TABLE main.k.t (id BIGINT, half INT)"):
            r = load.run(sql)
            assert r["status"]["state"] == "SUCCEEDED", r
        threads = [threading.Thread(target=load.write, args=(i,)) for i in range(WRITERS)] + [threading.Thread(target=load.read)]
        for t in threads:
            t.start()
        took = {"engine": [], "control": []}
        try:
            for _ in range(kills):
                time.sleep(rnd.uniform(0.05, 0.6))
                role = rnd.choice(list(took))
                p.kill9(role)
                took[role].append(answers_again(load))
        finally:
            load.stop.set()
            for t in threads:
                t.join()
        assert not load.wrong, load.wrong
        r = load.run("SELECT id, count(*) FROM main.k.t GROUP BY id")
        while r["result"].get("next_chunk_index") is not None:
            more = p.request("GET", f"/api/2.0/sql/statements/{r['statement_id']}/result/chunks/{r['result']['next_chunk_index']}").json()
            r["result"] = {"data_array": r["result"]["data_array"] + more["data_array"], "next_chunk_index": more.get("next_chunk_index")}
        found = {int(k): int(n) for k, n in r["result"]["data_array"]}
        lost = load.acknowledged - found.keys()
        assert not lost, f"acknowledged and lost: {sorted(lost)[:10]} of {len(load.acknowledged)}"
        assert set(found.values()) <= {2}
        assert found.keys() <= load.acknowledged | load.unknown
        for role, times in took.items():
            if times:
                print(f"{role}: {len(times)} kills, answered after p50 {statistics.median(times):.2f} s, at most {max(times):.2f} s")
        print(f"{len(load.acknowledged)} acknowledged, {len(load.unknown)} unknown, {load.reads} reads")
