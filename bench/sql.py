# SPDX-License-Identifier: Apache-2.0
"""SQL warehouses through the Python connector, beside DuckDB in process, nginx and (asked for) Spark and Sail.

    .deps/py/client/bin/python bench/sql.py [--parts one,start,clients,tpch,links,idle] [--sf 1,10] [--rounds 3] [--data DIR]
                                            [--peers] [--no-save]

one      SELECT 1, warm: median and p99 of 1,000; DuckDB in process beside it.
start    a stopped warehouse's start call until RUNNING, from the pool.
clients  32 connections of wrk that ask small queries of a table of 100,000 rows for some seconds; DuckDB with a cursor in each of 32 threads,
         on a table in memory and on the Parquet file of our table.
tpch     the 22 queries on Delta tables made by our own CTAS; DuckDB reads those same Parquet files. Best of the rounds, interleaved;
         answers are compared. --peers: pysail and pyspark + delta-spark on the same Delta tables (needs `tools/setup --with spark`).
links    a result of 1 GB that does not compress, fetched over HTTPS by the connector's threads. Beside it, interleaved: curl fetches the same
         bytes from nginx over TLS, and from us, file after file on one connection; the connector's threads fetch them from nginx, decode
         included, which is the most that this client can do.
idle     USS of one more idle warehouse, and of one 60 s after it ran TPC-H.

--data keeps the generated Parquet between runs. Engines use both cores, DuckDB two threads and the engine's memory limit.
"""

import argparse
import contextlib
import copy
import decimal
import json
import math
import os
import subprocess
import threading
import time
from pathlib import Path

import duckdb
import side
from databricks import sql
from databricks.sql.common.unified_http_client import UnifiedHttpClient
from databricks.sql.thrift_api.TCLIService.ttypes import TSparkArrowResultLink
from databricks.sql.types import SSLOptions
from databricks.sql.utils import ThriftCloudFetchQueue

TABLES = ("region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem")
MEMORY = 8


def connect(p, tls=False, warehouse=None, **more):
    path = f"/sql/1.0/warehouses/{warehouse or p.connect['DATABRICKS_WAREHOUSE_ID']}"
    if tls:
        return sql.connect(server_hostname="127.0.0.1", http_path=path, access_token=p.token, _port=p.https_port,
                           _tls_trusted_ca_file=p.connect["SSL_CERT_FILE"], enable_telemetry=False, **more)
    return sql.connect(server_hostname=p.url, http_path=path, access_token=p.token, _connection_uri=p.url + path, enable_telemetry=False, **more)


def ask(cursor, text):
    cursor.execute(text)
    return cursor.fetchall()


def quantile(values, q):
    return sorted(values)[min(int(len(values) * q), len(values) - 1)]


def timed(call, n):
    out = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        out.append((time.perf_counter() - start) * 1e3)
    return out


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


# ---- one ----

def part_one(report, p, a):
    own = duckdb.connect()
    with connect(p) as c, c.cursor() as cur:
        timed(lambda: ask(cur, "SELECT 1"), 200)
        report.quiet(20)
        ours = timed(lambda: ask(cur, "SELECT 1"), 1000)
    theirs = timed(lambda: own.execute("SELECT 1").fetchall(), 1000)
    report.row("SELECT 1 through the Python connector, warm", f"p50 {quantile(ours, .5):.2f} ms, p99 {quantile(ours, .99):.2f} ms", "p50 ≤ 2 ms",
               f"DuckDB in process p50 {quantile(theirs, .5):.3f} ms")


# ---- start ----

def part_start(report, p, a):
    w = p.sdk().warehouses
    made = w.create(name="bench start", cluster_size="2X-Small", max_num_clusters=1, auto_stop_mins=0, enable_serverless_compute=True)
    wid, took = made.id, []

    def state():
        return p.request("GET", f"/api/2.0/sql/warehouses/{wid}").json()["state"]
    for _ in range(10):
        while state() != "STOPPED":
            if state() == "RUNNING":
                p.request("POST", f"/api/2.0/sql/warehouses/{wid}/stop", {})
            time.sleep(0.05)
        time.sleep(1)  # the pool grows again
        start = time.perf_counter()
        p.request("POST", f"/api/2.0/sql/warehouses/{wid}/start", {})
        while state() != "RUNNING":
            time.sleep(0.001)
        took.append((time.perf_counter() - start) * 1e3)
    p.request("DELETE", f"/api/2.0/sql/warehouses/{wid}")
    report.row("start of a stopped warehouse until RUNNING", f"{quantile(took, .5):.0f} ms ({min(took):.0f}–{max(took):.0f}, 10 times)", "≤ 50 ms",
               "start call and polls included")


# ---- clients ----

def crowd(n, seconds, make):
    """(calls per second, p50 ms, p99 ms) of n threads that each call what make(i) gives."""
    took, ready, over = [[] for _ in range(n)], threading.Barrier(n + 1), threading.Event()

    def work(i):
        with make(i) as call:
            call()
            ready.wait()
            while not over.is_set():
                start = time.perf_counter()
                call()
                took[i].append((time.perf_counter() - start) * 1e3)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    ready.wait()
    time.sleep(seconds)
    over.set()
    for t in threads:
        t.join()
    every = [x for t in took for x in t]
    return len(every) / seconds, quantile(every, .5), quantile(every, .99)


def part_clients(report, p, a):
    with connect(p) as c, c.cursor() as cur:
        ask(cur, "CREATE OR REPLACE TABLE main.default.small AS SELECT id, id % 100 AS k, CAST(id AS STRING) AS s FROM range(100000)")
    own = duckdb.connect()
    own.execute("CREATE TABLE small AS SELECT range AS id, range % 100 AS k, CAST(range AS VARCHAR) AS s FROM range(100000)")
    own.execute("SET threads = 2")

    def theirs(table):
        @contextlib.contextmanager
        def one(i):
            cur = own.cursor()
            yield lambda: cur.execute(f"SELECT k, count(*), sum(id) FROM {table} WHERE k < {i % 20 + 1} GROUP BY k ORDER BY k").fetchall()
        return one

    def cpu():
        return {role: sum(side.cpu_seconds(x.pid) for x in p.processes(role)) for role in ("gateway", "control", "engine")}
    with connect(p) as c, c.cursor() as cur:
        (file,) = {r[0] for r in ask(cur, "SELECT DISTINCT _metadata.file_path FROM main.default.small")}
    bodies = [json.dumps({"warehouse_id": p.connect["DATABRICKS_WAREHOUSE_ID"], "wait_timeout": "30s",
                          "statement": f"SELECT k, count(*), sum(id) FROM main.default.small WHERE k < {i + 1} GROUP BY k ORDER BY k"}) for i in range(20)]
    with side.scratch() as folder:
        script = folder / "ask.lua"
        script.write_text("local bodies = {" + ",".join(f"[==[{b}]==]" for b in bodies) + "}\nlocal n = 0\nwrk.method = 'POST'\n"
                          f"wrk.headers['Authorization'] = 'Bearer {p.token}'\nwrk.headers['Content-Type'] = 'application/json'\n"
                          "request = function() n = n + 1; return wrk.format(nil, nil, nil, bodies[n % 20 + 1]) end\n")
        url = f"{p.url}/api/2.0/sql/statements"
        side.wrk(url, 2, 32, script)
        report.quiet(20)
        before = cpu()
        us = side.wrk(url, a.seconds, 32, script)
        each = {role: (now - before[role]) * 1e3 / (us["rate"] * a.seconds) for role, now in cpu().items()}
    assert not us["bad"], us
    other, start = crowd(32, a.seconds, theirs("small")), time.process_time()
    same_file = crowd(32, a.seconds, theirs(f"'{file.removeprefix('file://')}'"))
    spent = (time.process_time() - start) * 1e3 / (same_file[0] * a.seconds)
    report.row("32 clients of small queries (Statement Execution, INLINE)", f"{us['rate']:,.0f}/s, p50 {us['p50']:.1f} ms, p99 {us['p99']:.1f} ms", "",
               f"DuckDB in process, 32 threads of Python: a table in memory {other[0]:,.0f}/s, p50 {other[1]:.1f} ms, p99 {other[2]:.1f} ms, ratio {us['rate'] / other[0]:.2f}; "
               f"the same Parquet file {same_file[0]:,.0f}/s, p50 {same_file[1]:.1f} ms, p99 {same_file[2]:.1f} ms, ratio {us['rate'] / same_file[0]:.2f}; processor time of a statement: "
               + ", ".join(f"{role} {ms:.2f} ms" for role, ms in each.items()) + f"; DuckDB on the file, with Python, {spent:.2f} ms")


# ---- tpch ----

def queries():
    """The texts with which DuckDB's extension prints the 22 queries."""
    with duckdb_with("tpch") as con:
        return [q for _, q in con.execute("SELECT query_nr, query FROM tpch_queries() ORDER BY 1").fetchall()]


@contextlib.contextmanager
def duckdb_with(extension=None):
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    if extension:
        con.execute(f"LOAD '{side.ROOT}/.deps/duckdb/{extension}.duckdb_extension'")
    yield con
    con.close()


def generate(folder, sf):
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    parts = max(1, int(sf))
    for step in range(parts):
        with duckdb_with("tpch") as con:
            con.execute("SET preserve_insertion_order = false")
            con.execute(f"CALL dbgen(sf = {sf}{f', children = {parts}, step = {step}' if parts > 1 else ''})")
            for t in TABLES:
                if con.execute(f"SELECT count(*) FROM {t}").fetchone()[0]:
                    con.execute(f"COPY {t} TO '{folder}/{t}_{step}.parquet' (FORMAT parquet)")
    (folder / "done").touch()


def name_of(sf):
    return "tpch" + sf.replace(".", "_")


def load(report, p, source, sf):
    """Delta tables by our own CTAS; the folder that holds them."""
    lake = source.parent / f"lake{sf}-{os.getpid()}"
    lake.mkdir()
    with connect(p) as c, c.cursor() as cur:
        ask(cur, f"CREATE EXTERNAL LOCATION IF NOT EXISTS bench URL 'file://{source.parent}' WITH (STORAGE CREDENTIAL local)")
        ask(cur, f"CREATE SCHEMA main.{name_of(sf)}")
        start = time.perf_counter()
        for t in TABLES:
            files = f"{source}/{t}_*.parquet"
            ask(cur, f"CREATE TABLE main.{name_of(sf)}.{t} LOCATION 'file://{lake}/{t}' AS SELECT * FROM read_files('file://{files}', format => 'parquet')"
                if len(list(source.glob(f"{t}_*.parquet"))) > 1 else
                f"CREATE TABLE main.{name_of(sf)}.{t} LOCATION 'file://{lake}/{t}' AS SELECT * FROM parquet.`file://{next(source.glob(f'{t}_*.parquet'))}`")
        took = time.perf_counter() - start
    with duckdb_with() as con:
        con.execute("SET threads = 2")
        start = time.perf_counter()
        for t in TABLES:
            con.execute(f"COPY (SELECT * FROM '{source}/{t}_*.parquet') TO '{lake}/peer_{t}.parquet' (FORMAT parquet)")
        other = time.perf_counter() - start
    for t in TABLES:
        (lake / f"peer_{t}.parquet").unlink()
    report.row(f"TPC-H SF{sf}: CREATE TABLE AS of all 8 tables", f"{took:.1f} s", "", f"DuckDB's COPY from and to Parquet {other:.1f} s; ratio {took / other:.2f}")
    return lake


def equal(x, y):
    number = (int, float, decimal.Decimal)
    if isinstance(x, number) and isinstance(y, number):
        return math.isclose(x, y, rel_tol=1e-4, abs_tol=1e-6)  # averages and quotients of decimals have other scales in DuckDB
    return str(x)[:10] == str(y)[:10] if hasattr(x, "strftime") else x == y


def same(a, b):
    return len(a) == len(b) and all(len(r) == len(q) and all(map(equal, r, q)) for r, q in zip(a, b))


def part_tpch(report, p, a):
    texts = queries()
    for sf in a.sf.split(","):
        source = Path(a.data) / f"sf{sf}"
        generate(source, float(sf))
        lake = load(report, p, source, sf)
        try:
            with connect(p, schema=name_of(sf), catalog="main") as c, c.cursor() as cur, duckdb_with() as con:
                con.execute(f"SET threads = 2; SET memory_limit = '{MEMORY}GB'")
                for t in TABLES:
                    con.execute(f"CREATE VIEW {t} AS SELECT * FROM read_parquet('{lake}/{t}/*.parquet')")
                best, differ = {"us": [], "duckdb": []}, []
                report.quiet(20)
                for n, text in enumerate(texts, 1):
                    one = {"us": [], "duckdb": []}
                    for _ in range(a.rounds + 1):
                        start = time.perf_counter()
                        mine = ask(cur, text)
                        middle = time.perf_counter()
                        theirs = con.execute(text).fetchall()
                        one["us"].append(middle - start)
                        one["duckdb"].append(time.perf_counter() - middle)
                    if not same(mine, theirs):
                        differ.append(n)
                    for who in best:
                        best[who].append(min(one[who][1:]))
                    print(f"  q{n}: {best['us'][-1] * 1e3:.0f} ms, duckdb {best['duckdb'][-1] * 1e3:.0f} ms", flush=True)
            us, other = sum(best["us"]), sum(best["duckdb"])
            worst = sorted(range(22), key=lambda i: -best["us"][i] / best["duckdb"][i])[:3]
            report.row(f"TPC-H SF{sf} on Delta, 22 queries through the wire, best of {a.rounds}", f"{us:.2f} s", "≤ 1.2 × DuckDB",
                       f"DuckDB on the same Parquet files in process {other:.2f} s; ratio {us / other:.2f} (geometric mean {geomean([x / y for x, y in zip(best['us'], best['duckdb'])]):.2f}; "
                       "worst " + ", ".join(f"q{i + 1} {best['us'][i] / best['duckdb'][i]:.2f}" for i in worst) + "); " +
                       ("answers equal" if not differ else f"answers differ in {differ}"))
            if a.peers:
                peers(report, lake, texts, sf, us)
        finally:
            with connect(p) as c, c.cursor() as cur:
                ask(cur, f"DROP SCHEMA main.{name_of(sf)} CASCADE")
            subprocess.run(["rm", "-rf", lake], check=True)


PEER = """
import json, sys, time
texts, tables, lake, which = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
if which == "sail":
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession
    server = SparkConnectServer(); server.start()
    spark = SparkSession.builder.remote("sc://localhost:%d" % server.listening_address[1]).getOrCreate()
else:
    from pyspark.sql import SparkSession
    spark = (SparkSession.builder.master("local[2]").config("spark.driver.memory", "8g").config("spark.ui.enabled", "false")
             .config("spark.sql.shuffle.partitions", "2").config("spark.jars", sys.argv[5])
             .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
             .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog").getOrCreate())
for t in tables:
    spark.read.format("delta").load(lake + "/" + t).createOrReplaceTempView(t)
out = []
for q in texts:
    spark.sql(q).collect()
    times = []
    for _ in range(2):
        s = time.perf_counter(); spark.sql(q).collect(); times.append(time.perf_counter() - s)
    out.append(min(times))
print("RESULT " + json.dumps(out), flush=True)
"""


def peers(report, lake, texts, sf, us):
    python = side.ROOT / ".deps/py/spark/bin/python"
    jars = ",".join(map(str, sorted((side.ROOT / ".deps/spark/delta").glob("*.jar"))))
    for which, title in (("sail", "pysail"), ("spark", "pyspark + delta-spark, local[2]")):
        done = subprocess.run([python, "-c", PEER, json.dumps(texts), json.dumps(TABLES), str(lake), which, jars], capture_output=True, text=True, timeout=3000)
        line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
        if not line:
            report.row(f"TPC-H SF{sf}: {title}", "no result", "", done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "")
            continue
        total = sum(json.loads(line[7:]))
        report.row(f"TPC-H SF{sf}: {title} on the same Delta tables", f"{total:.2f} s", "", f"ours is {total / us:.1f} times as fast")


# ---- links ----

def nginx_tls(folder, port, files):
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    (folder / "n.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/n.pid; error_log {folder}/n.log; user root;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; root {files}; }} }}""")
    return cert


def run_to_its_end(cur, text):
    """Seconds until the statement is over; nothing of its result has been asked for then."""
    start = time.perf_counter()
    cur.execute_async(text)
    while cur.is_query_pending():
        time.sleep(0.001)
    return time.perf_counter() - start


def links_of(cur):
    """All links of the result, by the connector's own requests."""
    cur.get_async_execution_result()
    rows, out = cur.active_result_set, []
    while True:
        out += rows.results.result_links
        rows._next_row_index += rows.results.remaining_rows().num_rows
        if not rows.has_more_rows:
            return out
        rows._fill_results_buffer()


def connector_from(c, links, urls, cert, result):
    """The connector's download threads, its LZ4 and its Arrow, on the same bytes from elsewhere: what the client alone allows."""
    config = copy.copy(c.session.http_client.config)
    config.ssl_options = SSLOptions(tls_trusted_ca_file=str(cert))
    there = [TSparkArrowResultLink(fileLink=u, expiryTime=int(time.time() + 900) * 1000, startRowOffset=x.startRowOffset, rowCount=x.rowCount,
                                   bytesNum=x.bytesNum) for u, x in zip(urls, links)]
    queue = ThriftCloudFetchQueue(schema_bytes=None, max_download_threads=10, ssl_options=config.ssl_options, session_id_hex=None, statement_id="bench",
                                  chunk_id=0, http_client=UnifiedHttpClient(config), result_links=there, lz4_compressed=result.lz4_compressed, description=result.description)
    return queue.remaining_rows().num_rows


def curl(folder, cert, urls, to=None):
    listed = folder / "urls"
    listed.write_text("".join(f'url = "{u}"\noutput = "{to / str(i) if to else "/dev/null"}"\n' for i, u in enumerate(urls)))
    subprocess.run(["curl", "-s", "--fail", "--cacert", cert, "-K", listed], check=True)


class Clock:
    """Medians of seconds, and of processor seconds of a server and of this process with its children."""

    def __init__(self, *server):
        self.server, self.took, self.served, self.used = server, [], [], []

    def _cpu(self):
        me = os.times()
        return sum(side.cpu_seconds(x) for x in self.server), sum(me[:4])

    def __enter__(self):
        self.before, self.start = self._cpu(), time.perf_counter()

    def __exit__(self, *_):
        self.took.append(time.perf_counter() - self.start)
        now = self._cpu()
        self.served.append(now[0] - self.before[0])
        self.used.append(now[1] - self.before[1])

    def say(self, size):
        return f"{size / side.median(self.took) / 1e6:,.0f} MB/s ({side.median(self.served):.2f} + {side.median(self.used):.2f} s)"


def part_links(report, p, a):
    rows = int(a.gigabytes * 2 ** 30 / 64)
    text = f"SELECT {', '.join(f'xxhash64(id, {i}) AS c{i}' for i in range(8))} FROM range({rows})"
    run, size, ours_cert, port = [], 0, p.connect["SSL_CERT_FILE"], side.free_port()
    gateways, engines = [x.pid for x in p.processes("gateway")], [x.pid for x in p.processes("engine")]
    with side.scratch() as folder, connect(p, tls=True) as c, c.cursor() as cur, c.cursor() as kept:
        run_to_its_end(kept, text)  # its links hold as long as its cursor is not used again
        links = links_of(kept)
        files = folder / "files"
        files.mkdir()
        curl(folder, ours_cert, [x.fileLink for x in links], files)
        wire = sum(f.stat().st_size for f in files.iterdir())
        cert = nginx_tls(folder, port, files)
        urls = [f"https://127.0.0.1:{port}/{i}" for i in range(len(links))]
        process = subprocess.Popen(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "n.conf")], stderr=subprocess.DEVNULL)
        computed, fetched, ceiling, curled, peer = Clock(*engines), Clock(*gateways), Clock(process.pid), Clock(*gateways), Clock(process.pid)
        try:
            time.sleep(0.5)
            curl(folder, cert, urls)
            report.quiet(20)
            for _ in range(a.rounds):
                with computed:
                    run.append(run_to_its_end(cur, text))
                with fetched:
                    cur.get_async_execution_result()
                    table = cur.fetchall_arrow()
                assert table.num_rows == rows, table.num_rows
                size = table.nbytes
                del table
                with ceiling:
                    assert connector_from(c, links, urls, cert, kept.active_result_set) == rows
                with curled:
                    curl(folder, ours_cert, [x.fileLink for x in links])
                with peer:
                    curl(folder, cert, urls)
        finally:
            process.terminate()
            process.wait()
    speed = {name: wire / side.median(x.took) / 1e6 for name, x in (("ours", fetched), ("ceiling", ceiling), ("peer", peer))}
    report.row(f"result of {size / 2 ** 30:.2f} GiB ({wire / 2 ** 30:.2f} GiB on the wire, {len(links)} links) over HTTPS", f"{speed['ours']:,.0f} MB/s", "≥ 0.6 × curl from nginx",
               f"curl from nginx TLS {speed['peer']:,.0f} MB/s; ratio {speed['ours'] / speed['peer']:.2f}; the same threads of the connector from nginx {speed['ceiling']:,.0f} MB/s, "
               f"ratio {speed['ours'] / speed['ceiling']:.2f}; from the statement's end to one Arrow table; execute {side.median(run):.2f} s "
               f"({side.median(computed.served):.2f} s of the engine's processor time)")
    report.note("Links, rate (processor seconds of server + client): "
                f"connector from Boathouse {fetched.say(wire)}, connector from nginx {ceiling.say(wire)}, curl from Boathouse {curled.say(wire)}, curl from nginx {peer.say(wire)}.")


# ---- idle ----

def uss(process):
    return process.memory_full_info().uss / 2 ** 20


def part_idle(report, p, a):
    made = p.sdk().warehouses.create(name="bench idle", cluster_size="2X-Small", max_num_clusters=1, auto_stop_mins=0, enable_serverless_compute=True)
    pooled = {x.pid: uss(x) for x in p.processes("engine")}
    with connect(p, warehouse=made.id) as c, c.cursor() as cur:
        ask(cur, "SELECT 1")
    time.sleep(5)
    # Its engine came from the pool: the one that grew.
    engine = max((x for x in p.processes("engine") if x.pid in pooled), key=lambda x: uss(x) - pooled[x.pid])
    report.row("one more idle warehouse (after SELECT 1), USS", f"{uss(engine):.1f} MiB", "≤ 40 MB", f"in the pool {pooled[engine.pid]:.1f} MiB")


def idle_after(report, p):
    time.sleep(65)
    report.row("the warehouse that ran the parts above, 60 s later, USS", f"{max(uss(e) for e in p.processes('engine')):.1f} MiB", "≤ 80 MB after TPC-H", "")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--parts", default="one,start,clients,tpch,links,idle")
    ap.add_argument("--sf", default="1")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=5)
    ap.add_argument("--gigabytes", type=float, default=1)
    ap.add_argument("--data")
    ap.add_argument("--peers", action="store_true")
    ap.add_argument("--no-save", action="store_true")
    a = ap.parse_args()
    from boathouse import Platform
    report = side.Report("SQL warehouses")
    with side.scratch() as folder:
        a.data = os.path.abspath(a.data or folder / "tpch")
        Path(a.data).mkdir(parents=True, exist_ok=True)
        with Platform(folder / "data", https=True, settings={"storage.local_roots": a.data, "sql.memory_base": f"{MEMORY}GiB"}) as p:
            for part in a.parts.split(","):
                globals()[f"part_{part}"](report, p, a)
            if "tpch" in a.parts and "idle" in a.parts:
                idle_after(report, p)
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    main()
