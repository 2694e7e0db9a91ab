# SPDX-License-Identifier: Apache-2.0
"""What one warehouse notices of another that works at its limits.

    .deps/py/client/bin/python bench/neighbours.py [--seconds 4] [--rounds 2] [--kinds sort,join,group,list,wide] [--no-save]

A client asks a small warehouse short questions (a point of a table of 100,000 rows, a sum by group, SELECT 1), 20 ms apart, as a
dashboard does; alone, then beside another warehouse that without a pause sorts, joins, groups, gathers lists or makes wide strings
of more than its memory, so that it spills or is refused. The windows alternate; ratios are of p50 and p99 of all windows of a kind.
The client is a real-time process, as if it were on a machine of its own: it is the warehouse that is measured, and not itself.
"""

import argparse
import http.client
import json
import os
import threading
import time

import side

MEMORY, SPILL, PAUSE_S = "512MiB", "3GiB", 0.02
SMALL = ("SELECT v FROM main.n.t WHERE k = 4711", "SELECT g, sum(v), count(*) FROM main.n.t GROUP BY g ORDER BY g", "SELECT 1")
# Each needs several times MEMORY; what a kind cannot spill is refused with an error of its own.
HEAVY = {
    "sort": "SELECT sum(n * (k % 7)) FROM (SELECT k, row_number() OVER (ORDER BY s, k) n FROM (SELECT id k, concat(sha1(CAST(id AS STRING)), repeat('x', 40)) s FROM range(6000000)))",
    "join": "SELECT count(*), max(concat(a.s, b.s)) FROM (SELECT id, concat(sha1(CAST(id AS STRING)), repeat('a', 60)) s FROM range(5000000)) a "
            "JOIN (SELECT id, concat(sha1(CAST(id AS STRING)), repeat('b', 60)) s FROM range(5000000)) b ON a.id = b.id",
    "group": "SELECT count(*), sum(n) FROM (SELECT s, count(*) n, min(id) m FROM (SELECT id, concat(sha1(CAST(id % 4000000 AS STRING)), repeat('g', 60)) s FROM range(8000000)) GROUP BY s)",
    "list": "SELECT size(collect_list(concat(CAST(id AS STRING), repeat('x', 200)))) FROM range(400000000)",
    "wide": "SELECT max(length(s)) FROM (SELECT repeat(CAST(id AS STRING), 4000000) s FROM range(2000)) ORDER BY 1",
}


class Door:
    """One kept connection to Statement Execution."""

    def __init__(self, p, warehouse):
        self.p, self.w, self.c = p, warehouse, http.client.HTTPConnection("127.0.0.1", p.http_port, timeout=150)

    def call(self, method, path, body=None):
        self.c.request(method, "/api/2.0/sql" + path, json.dumps(body) if body is not None else None,
                       {"Authorization": f"Bearer {self.p.token}", "Content-Type": "application/json"})
        r = self.c.getresponse()
        text = r.read()
        return json.loads(text) if text else {}

    def run(self, sql, wait="50s"):
        return self.call("POST", "/statements", {"warehouse_id": self.w, "statement": sql, "wait_timeout": wait})


class Eater(threading.Thread):
    """Runs one statement again and again until it is told to stop."""

    def __init__(self, p, warehouse, sql):
        super().__init__(daemon=True)
        self.door, self.sql, self.over, self.ends, self.id = Door(p, warehouse), sql, threading.Event(), {}, None

    def run(self):
        while not self.over.is_set():
            self.id = self.door.run(self.sql, "0s")["statement_id"]
            while (r := self.door.call("GET", f"/statements/{self.id}"))["status"]["state"] in ("PENDING", "RUNNING"):
                if self.over.wait(0.1):
                    self.door.call("POST", f"/statements/{self.id}/cancel")
            error = r["status"].get("error", {}).get("message", "")
            end = r["status"]["state"] if not error else error.split("]")[0].strip("[")[:40]
            if not self.over.is_set():
                self.ends[end] = self.ends.get(end, 0) + 1

    def stop(self):
        self.over.set()
        self.join(60)


def window(door, seconds):
    """Milliseconds of each short question."""
    took, end, i = [], time.monotonic() + seconds, 0
    while time.monotonic() < end:
        start = time.perf_counter()
        r = door.run(SMALL[i % len(SMALL)])
        took.append((time.perf_counter() - start) * 1e3)
        if r["status"]["state"] != "SUCCEEDED":
            raise RuntimeError(f"a short question failed: {r['status']}")
        i += 1
        time.sleep(PAUSE_S)
    return took


def quantile(values, q):
    return sorted(values)[min(int(len(values) * q), len(values) - 1)]


def spilled(p):
    return sum(f.stat().st_size for f in (p.data / "spill").rglob("*") if f.is_file())


def warehouse(p, name):
    made = p.request("POST", "/api/2.0/sql/warehouses", {"name": name, "cluster_size": "2X-Small", "max_num_clusters": 1, "auto_stop_mins": 0,
                                                        "enable_serverless_compute": True}).json()["id"]
    p.request("POST", f"/api/2.0/sql/warehouses/{made}/start", {})
    return made


def measure(report, p, quiet, busy, kind, a):
    alone, beside, most, ends = [], [], 0, {}
    for _ in range(a.rounds):
        alone += window(quiet, a.seconds)
        eater = Eater(p, busy, HEAVY[kind])
        eater.start()
        time.sleep(1)  # it has begun to work, and the platform has seen that it does
        try:
            half = a.seconds / 2
            beside += window(quiet, half)
            most = max(most, spilled(p))
            beside += window(quiet, half)
        finally:
            eater.stop()
        for k, n in eater.ends.items():
            ends[k] = ends.get(k, 0) + n
    a50, a99, b50, b99 = (quantile(v, q) for v in (alone, beside) for q in (.5, .99))
    said = ", ".join(f"{n} × {k}" for k, n in ends.items()) or "it ran all the time"
    report.row(f"short questions beside {kind}", f"p99 {b99:.1f} ms, alone {a99:.1f} ms: ratio {b99 / a99:.2f}", "p99 ≤ 1.20",
               f"p50 {b50:.1f} ms, alone {a50:.1f} ms: ratio {b50 / a50:.2f}; {len(alone)} and {len(beside)} questions; the other one spilled up to "
               f"{most >> 20} MiB: {said}")
    return alone, beside


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seconds", type=float, default=4)
    ap.add_argument("--rounds", type=int, default=2)
    ap.add_argument("--kinds", default=",".join(HEAVY))
    ap.add_argument("--no-save", action="store_true")
    a = ap.parse_args()
    report = side.Report("Neighbours: short questions on one warehouse beside another at its limits")
    from boathouse import Platform
    with side.scratch() as folder, Platform(folder / "data", settings={"sql.memory_base": MEMORY, "sql.spill_base": SPILL}) as p:
        quiet, busy = Door(p, warehouse(p, "quiet")), warehouse(p, "busy")
        for sql in ("CREATE SCHEMA main.n", "CREATE TABLE main.n.t AS SELECT id k, id % 10 g, id * 3 v FROM range(100000)"):
            r = quiet.run(sql)
            if r["status"]["state"] != "SUCCEEDED":
                raise RuntimeError(r)
        Door(p, busy).run("SELECT 1")
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except (PermissionError, OSError):
            report.note("The client is an ordinary process here: what it waited for itself is in the figures.")
        window(quiet, 2)
        report.quiet(30)
        alone, beside = [], []
        for kind in a.kinds.split(","):
            x, y = measure(report, p, quiet, busy, kind, a)
            alone, beside = alone + x, beside + y
        report.row("all kinds", f"p99 {quantile(beside, .99):.1f} ms, alone {quantile(alone, .99):.1f} ms: ratio {quantile(beside, .99) / quantile(alone, .99):.2f}",
                   "p99 ≤ 1.20", f"p50 ratio {quantile(beside, .5) / quantile(alone, .5):.2f}")
        report.note(f"Both warehouses are 2X-Small with {MEMORY} of memory and {SPILL} of spill, on the same {os.cpu_count()} cores.")
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    main()
