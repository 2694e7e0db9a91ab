# SPDX-License-Identifier: Apache-2.0
"""Work on Delta tables, beside delta-spark where --spark is given, in the same run.

    .deps/py/client/bin/python bench/delta_tables.py [--rows 2000000] [--files 100000] [--times 3] [--small 60] [--spark] [--no-save]

Plan of a point query on a table of many files (its log is written by hand; one of the files exists), warm. Reading with deletion vectors
beside reading the same rows without. MERGE of 1 % of the rows, OPTIMIZE of many small files, VACUUM, and a change feed: the same SQL on both
sides, each side with files of its own, and the answers of both are compared. Medians of so many times; what changes a table is timed once
on a fresh one each time.
"""

import argparse
import json
import time
from pathlib import Path

import side
from delta_commits import Client

DV = "'delta.enableDeletionVectors'='true'"
RAW = "SELECT id, id % 1000 AS k, CAST(id AS DOUBLE) / 7 AS v, concat('text of row ', id) AS t FROM range({n})"


class Ours:
    """Statements on a warehouse; {t} is a table of the bench's schema."""

    name = "ours"

    def __init__(self, client, pid):
        self.client, self.pid = client, pid
        client.run("CREATE SCHEMA main.tables")

    def spent(self):
        return side.cpu_seconds(self.pid)

    def run(self, sql, table):
        return self.client.run(sql.replace("{t}", f"main.tables.{table}"))

    def changes(self, table, first, last):
        return self.run(f"SELECT _change_type, count(*), sum(id) FROM table_changes('main.tables.{table}', {first}, {last}) GROUP BY 1 ORDER BY 1", table)


class Spark:
    """The same through delta-spark, tables by path."""

    name = "delta-spark"

    def __init__(self, peer, folder):
        self.peer, self.folder = peer, folder

    def spent(self):
        return 0.0

    def run(self, sql, table):
        got = self.peer.run(sql.replace("CREATE TABLE {t}", "CREATE TABLE {t} USING delta").replace("USING delta (id", "(id"), self.folder / table)
        if "error" in got:
            raise RuntimeError(got)
        return [[None if c is None else str(c) for c in r] for r in got.get("rows", [])]

    def changes(self, table, first, last):
        return self.run(f"SELECT _change_type, count(*), sum(id) FROM table_changes_by_path('{self.folder / table}', {first}, {last}) GROUP BY 1 ORDER BY 1",
                        table)


def timed(fn):
    began = time.monotonic()
    got = fn()
    return (time.monotonic() - began) * 1e3, got


def median_of(times, fn):
    return side.median([timed(fn)[0] for _ in range(times)])


# ---- one side's figures ----

def make(s, table, rows, properties=DV):
    s.run(f"CREATE TABLE {{t}} TBLPROPERTIES ({properties}) AS {RAW.format(n=rows)}", table)


def vectors(s, rows, times):
    """Reading a table with 1 % deleted by vectors, and the same rows written anew."""
    make(s, "marked", rows)
    s.run("DELETE FROM {t} WHERE id % 100 = 7", "marked")
    s.run(f"CREATE TABLE {{t}} TBLPROPERTIES ({DV}) AS SELECT * FROM ({RAW.format(n=rows)}) WHERE id % 100 <> 7", "plain")
    sql = "SELECT count(*), sum(id), sum(v), max(t) FROM {t}"
    a, b = s.run(sql, "marked"), s.run(sql, "plain")
    assert a[0][:2] == b[0][:2], (a, b)
    took, spent = {"plain": [], "marked": []}, {"plain": 0.0, "marked": 0.0}
    for _ in range(times * 5 if s.name == "ours" else times):  # in turn, so that both meet the same machine
        for table in took:
            before = s.spent()
            took[table].append(timed(lambda: s.run(sql, table))[0])  # noqa: B023
            spent[table] += s.spent() - before
    return side.median(took["plain"]), side.median(took["marked"]), spent["marked"] / spent["plain"] if spent["plain"] else 0, a[0][:2]


def merge(s, rows, times):
    took, check = [], None
    for i in range(times):
        make(s, f"merged{i}", rows)
        source = f"SELECT id * 100 AS id, -1 AS k, CAST(0 AS DOUBLE) AS v, 'merged' AS t FROM range({rows // 100 + rows // 1000})"
        ms, _ = timed(lambda: s.run(f"MERGE INTO {{t}} t USING ({source}) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN "
                                    "INSERT *", f"merged{i}"))  # noqa: B023
        took.append(ms)
        check = s.run("SELECT count(*), sum(id), sum(k) FROM {t}", f"merged{i}")
    return side.median(took), check


def upkeep(s, times, files):
    """OPTIMIZE of small files and VACUUM of what it leaves."""
    optimize, vacuum, check = [], [], None
    for i in range(times):
        t = f"small{i}"
        s.run("CREATE TABLE {t} (id BIGINT, v DOUBLE) USING delta TBLPROPERTIES ('delta.deletedFileRetentionDuration'='interval 0 seconds')", t)
        for k in range(files):
            s.run(f"INSERT INTO {{t}} SELECT id + {k * 1000}, id / 3 FROM range(1000)", t)
        optimize.append(timed(lambda: s.run("OPTIMIZE {t}", t))[0])  # noqa: B023
        time.sleep(1.1)
        vacuum.append(timed(lambda: s.run("VACUUM {t}", t))[0])  # noqa: B023
        check = s.run("SELECT count(*), sum(id) FROM {t}", t)
    return side.median(optimize), side.median(vacuum), check


def feed(s, rows, times):
    make(s, "fed", rows // 4, DV + ", 'delta.enableChangeDataFeed'='true'")
    s.run("UPDATE {t} SET k = -1 WHERE id % 50 = 3", "fed")
    s.run("DELETE FROM {t} WHERE id % 50 = 4", "fed")
    check = s.changes("fed", 1, 2)
    return median_of(times, lambda: s.changes("fed", 1, 2)), check


# ---- many files ----

def folder_of(platform, client, table):
    name = next(r[1] for r in client.run(f"DESCRIBE TABLE EXTENDED {table}") if r[0] == "Location").rstrip("/").rsplit("/", 1)[-1]
    return next(p.parent for p in Path(platform.data).rglob("_delta_log") if p.parent.name == name)


def many_files(platform, client, files, times):
    import pyarrow as pa
    import pyarrow.parquet as pq
    table, wanted = "main.tables.many", files // 2
    client.run(f"CREATE TABLE {table} (id BIGINT, v DOUBLE)")
    path = folder_of(platform, client, table)
    pq.write_table(pa.table({"id": range(wanted * 1000, wanted * 1000 + 1000), "v": [1.0] * 1000}), path / f"part-{wanted}.parquet")
    size = (path / f"part-{wanted}.parquet").stat().st_size
    lines = [json.dumps({"commitInfo": {"timestamp": 1, "operation": "WRITE", "operationParameters": {}}})]
    for k in range(files):
        stats = {"numRecords": 1000, "minValues": {"id": k * 1000, "v": 1.0}, "maxValues": {"id": k * 1000 + 999, "v": 1.0}, "nullCount": {"id": 0, "v": 0}}
        lines.append(json.dumps({"add": {"path": f"part-{k}.parquet", "partitionValues": {}, "size": size, "modificationTime": 1, "dataChange": True,
                                         "stats": json.dumps(stats)}}))
    (path / "_delta_log/00000000000000000001.json").write_text("\n".join(lines) + "\n")
    sql = f"SELECT v FROM {table} WHERE id = {wanted * 1000 + 123}"
    first, got = timed(lambda: client.run(sql))
    assert got == [["1.0"]], got
    warm, one = [], []
    for _ in range(times * 7):
        one.append(timed(lambda: client.run("SELECT 1"))[0])
        warm.append(timed(lambda: client.run(sql))[0])
    return first, side.median(warm), side.median(one)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rows", type=int, default=2_000_000)
    a.add_argument("--files", type=int, default=100_000)
    a.add_argument("--times", type=int, default=3)
    a.add_argument("--small", type=int, default=60)
    a.add_argument("--spark", action="store_true")
    a.add_argument("--no-save", action="store_true")
    a = a.parse_args()
    report = side.Report("Delta: work on tables")
    from boathouse import Platform
    with side.scratch() as folder, Platform(folder / "data", binary=side.BINARY) as p:
        warehouse = p.request("GET", "/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
        with Client(p, warehouse) as client:
            sides = [Ours(client, p.process.pid)]
            report.quiet(20)
            first, warm, one = many_files(p, client, a.files, a.times)
            report.row(f"point query on {a.files:,} files, warm", f"{warm:.1f} ms", "plan ≤ 50 ms", f"SELECT 1 {one:.1f} ms; the first query of it {first:,.0f} ms")
            peer = None
            if a.spark:
                from delta_side import FAST
                from delta_side import Spark as Peer
                peer = Peer(folder / "spark", settings=FAST)
                sides.append(Spark(peer, folder / "spark"))
            try:
                compare(report, sides, a)
            finally:
                if peer:
                    peer.close()
    if not a.no_save:
        report.save()


def compare(report, sides, a):
    def row(what, goal, fn, show=None):
        report.quiet(20)
        got = [fn(s) for s in sides]
        assert all(g[-1] == got[0][-1] for g in got), f"{what}: the sides do not agree: {[g[-1] for g in got]}"
        other = f"delta-spark {show(got[1]) if show else f'{got[1][0]:,.0f} ms'}, ratio {got[1][0] / got[0][0]:.1f}" if len(got) > 1 else ""
        report.row(what, show(got[0]) if show else f"{got[0][0]:,.0f} ms", goal, other)
    row(f"{a.rows:,} rows, 1 % of them deleted by vectors, read", "≤ 1.2 × without", lambda s: vectors(s, a.rows, a.times * 2),
        lambda g: f"{g[1]:,.0f} ms = {g[1] / g[0]:.2f} × without" + (f" ({g[2]:.2f} × the processor time)" if g[2] else ""))
    row(f"MERGE of 1 % of {a.rows:,} rows", "", lambda s: merge(s, a.rows, a.times))
    both = {}

    def keep(s):
        both[s.name] = both.get(s.name) or upkeep(s, 1, a.small)
        return both[s.name]
    row(f"OPTIMIZE of {a.small} small files", "", lambda s: (keep(s)[0], keep(s)[2]))
    row("VACUUM of what it leaves", "", lambda s: (keep(s)[1], keep(s)[2]))
    row("change feed of an UPDATE and a DELETE", "", lambda s: feed(s, a.rows, a.times))


if __name__ == "__main__":
    main()
