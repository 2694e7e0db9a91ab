# SPDX-License-Identifier: Apache-2.0
"""One-row INSERT commits on one table, beside delta-rs (and delta-spark), in the same run.

    .deps/py/client/bin/python bench/delta_commits.py [--clients 1,8,32] [--seconds 5] [--rounds 1] [--spark] [--no-save]

Ours: durable when it is acknowledged (data, log and folders synced), through the Statement Execution API over kept connections, parsed
and checked as every statement. delta-rs: write_deltalake(mode="append") from threads; it syncs nothing, so its figure is not a durable
one. delta-spark: INSERT through one session with one client; it syncs nothing either. The floor is what the disk itself does: a
file's sync, a second file's, a rename and the folder's sync, from as many threads. After each point the sum of all rows is checked.
"""

import argparse
import json
import os
import socket
import statistics
import threading
import time
from pathlib import Path

import side


class Client:
    """One kept connection, made anew where it lay idle so long that the server may close it; posts statements and insists that they succeed."""

    def __init__(self, platform, warehouse):
        self.p, self.w, self.s, self.used = platform, warehouse, None, 0.0

    def __enter__(self):
        self.used = time.monotonic()
        self.s = socket.create_connection(("127.0.0.1", self.p.http_port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_):
        self.s.close()

    def run(self, sql):
        if time.monotonic() - self.used > 15:
            self.s.close()
            Client.__enter__(self)
        body = json.dumps({"warehouse_id": self.w, "statement": sql, "wait_timeout": "50s"}).encode()
        self.s.sendall(b"POST /api/2.0/sql/statements HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                       b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (self.p.token.encode(), len(body)) + body)
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.s.recv(65536)
            if not more:
                raise RuntimeError("the connection was closed")
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        n = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length"))
        while len(rest) < n:
            rest += self.s.recv(65536)
        self.used = time.monotonic()
        answer = json.loads(rest)
        if answer.get("status", {}).get("state") != "SUCCEEDED":
            raise RuntimeError(answer)
        return answer.get("result", {}).get("data_array", [])


def crowd(clients, seconds, work):
    """work(client, number) → value, over and over; (rate, p50 ms, p99 ms, sum of values). Errors end it."""
    took, sums, wrong = [], [0] * clients, []
    start = threading.Barrier(clients + 1)

    def loop(k):
        try:
            with work(k) as one:
                start.wait()
                n = 0
                while time.monotonic() < stop[0] and not wrong:
                    n += 1
                    began = time.monotonic()
                    sums[k] += one(n)
                    took.append(time.monotonic() - began)
        except Exception as e:  # noqa: BLE001 - told below
            wrong.append(e)
            start.abort()
    stop = [time.monotonic() + 3600]
    threads = [threading.Thread(target=loop, args=(k,)) for k in range(clients)]
    for t in threads:
        t.start()
    start.wait()
    began = time.monotonic()
    stop[0] = began + seconds
    for t in threads:
        t.join()
    if wrong:
        raise wrong[0]
    elapsed = time.monotonic() - began
    took.sort()
    return len(took) / elapsed, statistics.median(took) * 1e3, took[int(len(took) * .99)] * 1e3, sum(sums), len(took)


class Plain:
    """A context that gives a function."""

    def __init__(self, fn):
        self.fn = fn

    def __enter__(self):
        return self.fn

    def __exit__(self, *_):
        pass


def ours(platform, warehouse, clients, seconds, number):
    table = f"main.bench.t{clients}_{number}"

    class Inserts(Client):
        def __init__(self, k):
            super().__init__(platform, warehouse)
            self.k = k

        def __enter__(self):
            super().__enter__()
            return lambda n: (self.run(f"INSERT INTO {table} VALUES ({self.k}, {n}, 'row {n}')"), n)[1]
    with Client(platform, warehouse) as c:
        c.run(f"CREATE TABLE {table} (client INT, n BIGINT, t STRING)")
        cpu = side.cpu_seconds(platform.process.pid)
        rate, p50, p99, total, count = crowd(clients, seconds, Inserts)
        cpu = (side.cpu_seconds(platform.process.pid) - cpu) / count
        got = c.run(f"SELECT sum(n), count(*), count(DISTINCT client, n) FROM {table}")
        assert got == [[str(total), str(count), str(count)]], (got, total, count)
    return rate, p50, p99, cpu


def delta_rs(folder, clients, seconds):
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable, write_deltalake
    tries = CommitProperties(max_commit_retries=10000)
    schema = pa.schema([("client", pa.int32()), ("n", pa.int64()), ("t", pa.string())])
    path = str(folder)
    write_deltalake(path, pa.table({"client": [], "n": [], "t": []}, schema=schema))

    def work(k):
        def one(n):
            write_deltalake(path, pa.table({"client": [k], "n": [n], "t": [f"row {n}"]}, schema=schema), mode="append",
                            commit_properties=tries)
            return n
        return Plain(one)
    rate, p50, p99, total, count = crowd(clients, seconds, work)
    got = DeltaTable(path).to_pyarrow_table()
    assert (sum(got["n"].to_pylist()), got.num_rows) == (total, count), "delta-rs lost a row"
    return rate, p50, p99


def disk(folder, clients, seconds):
    """The syncs of a commit and nothing else."""
    log = Path(folder) / "_log"
    log.mkdir(parents=True)

    def sync(path, text=None):
        fd = os.open(path, os.O_RDONLY if text is None else os.O_WRONLY | os.O_CREAT)
        if text:
            os.write(fd, text)
        os.fsync(fd)
        os.close(fd)

    def work(k):
        def one(n):
            sync(Path(folder) / f"data-{k}-{n}", b"x" * 700)
            sync(log / f".{k}-{n}", b"x" * 700)
            os.rename(log / f".{k}-{n}", log / f"{k}-{n}.json")
            sync(log)
            return 1
        return Plain(one)
    return crowd(clients, seconds, work)[:3]


def spark_inserts(folder, seconds):
    from delta_side import FAST, Spark
    s = Spark(folder, settings=FAST)
    try:
        table = folder / "table"
        for sql in ("CREATE TABLE {t} (client INT, n BIGINT, t STRING) USING delta", *["INSERT INTO {t} VALUES (0, 0, 'warm')"] * 5):
            got = s.run(sql, table)
            assert "error" not in got, got
        took, n, stop = [], 0, time.monotonic() + seconds
        while time.monotonic() < stop:
            n += 1
            began = time.monotonic()
            got = s.run(f"INSERT INTO {{t}} VALUES (0, {n}, 'row {n}')", table)
            took.append(time.monotonic() - began)
            assert "error" not in got, got
        took.sort()
        return len(took) / sum(took), statistics.median(took) * 1e3, took[int(len(took) * .99)] * 1e3
    finally:
        s.close()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--clients", default="1,8,32")
    a.add_argument("--seconds", type=float, default=5)
    a.add_argument("--rounds", type=int, default=1)
    a.add_argument("--spark", action="store_true")
    a.add_argument("--no-save", action="store_true")
    a = a.parse_args()
    report = side.Report("Delta: one-row INSERT commits on one table")
    from boathouse import Platform
    with side.scratch() as folder, Platform(folder / "data", binary=side.BINARY) as p:
        warehouse = p.request("GET", "/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
        with Client(p, warehouse) as c:
            c.run("CREATE SCHEMA main.bench")
        for clients in map(int, a.clients.split(",")):
            report.quiet(20)
            points = []
            for i in range(a.rounds):
                points.append((ours(p, warehouse, clients, a.seconds, i), delta_rs(folder / f"rs{clients}-{i}", clients, a.seconds),
                               disk(folder / f"disk{clients}-{i}", clients, min(a.seconds, 3))))
            mine, rs, floor = sorted(points, key=lambda x: x[0][0])[len(points) // 2]
            report.row(f"{clients} client{'s' * (clients > 1)}, durable", f"{mine[0]:,.0f}/s, p50 {mine[1]:.1f} ms, p99 {mine[2]:.1f} ms",
                       "≥ 500/s (1,000)" if clients > 1 else "",
                       f"{mine[3] * 1e3:.2f} ms of processor time each; {mine[0] / rs[0]:.1f} × delta-rs ({rs[0]:,.0f}/s, p50 {rs[1]:.1f} ms, "
                       f"not synced); the disk's own syncs {floor[0]:,.0f}/s, p50 {floor[1]:.1f} ms")
        if a.spark:
            rate, p50, p99 = spark_inserts(folder / "spark", max(a.seconds, 10))
            report.row("delta-spark, 1 client, not synced", f"{rate:,.1f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    report.note("The sum and number of rows were right after each point, on both sides.")
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    main()
