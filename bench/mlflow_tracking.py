# SPDX-License-Identifier: Apache-2.0
"""MLflow tracking beside a real `mlflow server` on SQLite, one worker, in the same run.

    .deps/py/client/bin/python bench/mlflow_tracking.py [--runs 100000] [--seconds 3] [--rounds 3] [--no-save]

log-batch: ten new metric points per request over 50 runs, from 1, 8 and 128 connections. Search: 100 results of
`metrics.acc > 0.5` ordered by a parameter, and a plain first page, over that many runs (3 metrics, 3 params,
2 tags each). Ours are made through the API; the peer's are put into its database, its API would need an hour.
Both answers to the search are compared. Tokens are checked on our side; the peer has no authentication on.
"""

import argparse
import contextlib
import json
import random
import socket
import sqlite3
import subprocess
import time
import urllib.request

import side

EXPERIMENT, CONNECTIONS = "search", 256
SEARCH = {"filter": "metrics.acc > 0.5", "order_by": ["params.lr ASC"], "max_results": 100}
LUA = """
local ids = {%s}
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
%s
request = function()
  n = n + 1
  local t, parts = 1700000000000 + n, {}
  for i = 1, 10 do
    parts[i] = string.format('{"key":"m%%d","value":%%d.5,"timestamp":%%d,"step":%%d}', i, n, t, n)
  end
  local body = '{"run_id":"' .. ids[n %% #ids + 1] .. '","metrics":[' .. table.concat(parts, ",") .. ']}'
  return wrk.format(nil, "/api/2.0/mlflow/runs/log-batch", nil, body)
end
"""


class Api:
    """The JSON API of either side."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token
        self.host, self.port = url.split("//")[1].split(":")

    def headers(self):
        return {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.token}"} if self.token else {})}

    def post(self, path, body):
        r = urllib.request.Request(self.url + "/api/2.0/mlflow/" + path, json.dumps(body).encode(), self.headers())
        with urllib.request.urlopen(r, timeout=600) as answer:
            return json.load(answer)

    def many(self, path, bodies, connections=1):
        """Posts all over so many connections, one request on each at a time; the answers in order."""
        head = "".join(f"{k}: {v}\r\n" for k, v in self.headers().items())
        answers = []
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_connection((self.host, int(self.port)))) for _ in range(connections)]
            files = [stack.enter_context(s.makefile("rb")) for s in sockets]
            for at in range(0, len(bodies), connections):
                part = bodies[at:at + connections]
                for s, b in zip(sockets, part):
                    text = json.dumps(b).encode()
                    s.sendall(f"POST /api/2.0/mlflow/{path} HTTP/1.1\r\nHost: {self.host}\r\n{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
                answers += [read_answer(f) for f, _ in zip(files, part)]
        return answers


def read_answer(f):
    status = f.readline().split(b" ", 2)
    length = 0
    while (line := f.readline().strip()):
        name, value = line.split(b":", 1)
        if name.lower() == b"content-length":
            length = int(value)
    body = json.loads(f.read(length) or b"{}")
    if status[1] != b"200":
        raise RuntimeError(f"{status}: {body}")
    return body


def run_data(i):
    """What run number i holds; the same on both sides."""
    r = random.Random(i)
    return {"metrics": {"acc": r.random(), "loss": r.random(), "time": float(i)},
            "params": {"lr": f"{r.random():.6f}", "depth": str(i % 12), "seed": str(i)},
            "tags": {"team": f"t{i % 7}", "mlflow.runName": f"run-{i}"}}


def fill_ours(api, n):
    exp = api.post("experiments/create", {"name": EXPERIMENT})["experiment_id"]
    step = 2000
    for at in range(0, n, step):
        numbers = range(at, min(at + step, n))
        made = api.many("runs/create", [{"experiment_id": exp, "run_name": f"run-{i}", "start_time": 1700000000000 + i,
                                         "tags": [{"key": "team", "value": f"t{i % 7}"}]} for i in numbers], CONNECTIONS)
        batches = []
        for i, m in zip(numbers, made):
            d = run_data(i)
            batches.append({"run_id": m["run"]["info"]["run_id"],
                            "metrics": [{"key": k, "value": v, "timestamp": 1700000000000 + i, "step": 0} for k, v in d["metrics"].items()],
                            "params": [{"key": k, "value": v} for k, v in d["params"].items()]})
        api.many("runs/log-batch", batches, CONNECTIONS)
    return exp


def fill_peer(api, database, n):
    exp = api.post("experiments/create", {"name": EXPERIMENT})["experiment_id"]
    db = sqlite3.connect(database, timeout=60)

    def insert(table, rows):
        rows = list(rows)
        columns = list(rows[0])
        have = {c[1] for c in db.execute(f"pragma table_info({table})")}
        assert set(columns) <= have, (table, have)
        db.executemany(f"insert into {table} ({','.join(columns)}) values ({','.join('?' * len(columns))})",
                       [tuple(r[c] for c in columns) for r in rows])
    for at in range(0, n, 10000):
        numbers = range(at, min(at + 10000, n))
        data = [(f"{i:032x}", i, run_data(i)) for i in numbers]
        insert("runs", ({"run_uuid": u, "name": f"run-{i}", "source_type": "UNKNOWN", "source_name": "", "entry_point_name": "",
                         "user_id": "bench", "status": "RUNNING", "start_time": 1700000000000 + i, "source_version": "",
                         "lifecycle_stage": "active", "artifact_uri": f"mlflow-artifacts:/{exp}/{u}/artifacts", "experiment_id": exp}
                        for u, i, _ in data))
        for table in ("metrics", "latest_metrics"):
            insert(table, ({"key": k, "value": v, "timestamp": 1700000000000 + i, "run_uuid": u, "step": 0, "is_nan": 0}
                           for u, i, d in data for k, v in d["metrics"].items()))
        insert("params", ({"key": k, "value": v, "run_uuid": u} for u, i, d in data for k, v in d["params"].items()))
        insert("tags", ({"key": k, "value": v, "run_uuid": u} for u, i, d in data for k, v in d["tags"].items()))
        db.commit()
    db.execute("analyze")
    db.commit()
    db.close()
    return exp


def log_batch(api, folder, name, seconds, connections):
    runs = api.many("runs/create", [{"experiment_id": "0", "start_time": 1700000000000}] * 50)
    ids = ", ".join(f'"{r["run"]["info"]["run_id"]}"' for r in runs)
    auth = f'wrk.headers["Authorization"] = "Bearer {api.token}"' if api.token else ""
    script = folder / f"{name}.lua"
    script.write_text(LUA % (ids, auth))
    out = side.wrk(api.url, seconds, connections, script)
    if out["bad"] or out["lost"]:
        raise RuntimeError(f"{name}: {out}")
    return out


def search(api, body, times):
    """(median ms after one warm call, the names that came)."""
    took, names = [], None
    for _ in range(times + 1):
        start = time.monotonic()
        answer = api.post("runs/search", body)
        took.append((time.monotonic() - start) * 1e3)
        names = [r["info"]["run_name"] for r in answer["runs"]]
    return side.median(took[1:]), names


@contextlib.contextmanager
def peer(folder):
    port = side.free_port()
    database = folder / "peer.db"
    command = [side.PYTHON, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination",
               folder / "artifacts", "-h", "127.0.0.1", "-p", port, "-w", "1"]
    with side.server(command, f"http://127.0.0.1:{port}/health", folder / "mlflow.log"):
        yield Api(f"http://127.0.0.1:{port}"), database


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--runs", type=int, default=100000)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--no-save", action="store_true")
    a = ap.parse_args()
    report = side.Report(f"MLflow tracking, {a.runs:,} runs")
    with side.scratch() as folder, side.boathouse(folder) as ours, peer(folder) as (theirs, database):
        us = Api(ours.url, ours.token)
        start = time.monotonic()
        our_exp = fill_ours(us, a.runs)
        filled = time.monotonic() - start
        their_exp = fill_peer(theirs, database, a.runs)
        for c in (1, 8, 128):
            rates = {"us": [], "peer": []}
            for r in range(a.rounds):
                report.quiet(20)
                for who, api in (("us", us), ("peer", theirs)):
                    rates[who].append(log_batch(api, folder, f"{who}{c}{r}", a.seconds, c))
            mine, other = (sorted(rates[w], key=lambda x: x["rate"])[len(rates[w]) // 2] for w in ("us", "peer"))
            report.row(f"log-batch, {c} connection{'s' if c > 1 else ''}", f"{mine['rate']:,.0f}/s, p50 {mine['p50']:.2f} ms, p99 {mine['p99']:.1f} ms",
                       "≥ 20,000/s" if c > 8 else "", f"mlflow server {other['rate']:,.0f}/s, p50 {other['p50']:.2f} ms, p99 {other['p99']:.0f} ms; "
                       f"ratio {mine['rate'] / other['rate']:.0f}")
        for title, more, goal in (("search with filter and order", SEARCH, "≤ 10 ms over 1 M runs"), ("plain first page of 100", {"max_results": 100}, "")):
            report.quiet(20)
            mine, names = search(us, {"experiment_ids": [our_exp], **more}, 7)
            other, peer_names = search(theirs, {"experiment_ids": [their_exp], **more}, 7)
            report.row(title, f"{mine:.1f} ms", goal, f"mlflow server {other:.0f} ms; ratio {other / mine:.0f}; "
                       + ("same runs in the same order" if names == peer_names else f"answers differ: {names[:3]} and {peer_names[:3]}"))
        report.row("making these runs through the API (create and log-batch)", f"{2 * a.runs / filled:,.0f} requests/s", "", f"{CONNECTIONS} connections, one client in Python")
        disk = subprocess.run(["df", "--output=fstype", folder], capture_output=True, text=True).stdout.split()[-1]
        report.note(f"Every log-batch is durable when it is answered on our side (fsync of the group on {disk}); SQLite of the peer in its default journal mode.")
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    main()
