# SPDX-License-Identifier: Apache-2.0
"""Names of a large catalog: SHOW TABLES, information_schema and REST lists over 100,000 tables.

    python bench/catalog_listing.py [--tables 100000] [--data FOLDER]

A folder that holds the tables already is used again. Times are of whole round trips through a client, medians of --times; processor time is that of all
our processes for one of them.
"""

import argparse
import concurrent.futures
import statistics
import tempfile
import time
from pathlib import Path

import side

from boathouse import Platform  # noqa: E402

STATEMENTS = "/api/2.0/sql/statements"
UC = "/api/2.1/unity-catalog"


def run(platform, text):
    r = platform.request("POST", STATEMENTS, {"statement": text, "warehouse_id": platform.connect["DATABRICKS_WAREHOUSE_ID"], "wait_timeout": "50s",
                                              "format": "JSON_ARRAY"})
    got = r.json()
    assert got["status"]["state"] == "SUCCEEDED", (text, got)
    return got


def fill(platform, n):
    have = int(run(platform, "SELECT count(*) FROM system.information_schema.tables WHERE table_catalog = 'big'")["result"]["data_array"][0][0])
    if have >= n:
        return
    run(platform, "CREATE CATALOG IF NOT EXISTS big")
    run(platform, "CREATE SCHEMA IF NOT EXISTS big.s")

    def make(i):
        run(platform, f"CREATE VIEW IF NOT EXISTS big.s.v_{i:06d} AS SELECT 1 AS a, 'x' AS b")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for k, _ in enumerate(pool.map(make, range(have, n))):
            if k % 10000 == 0:
                print(f"  {have + k} tables", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tables", type=int, default=100000)
    p.add_argument("--times", type=int, default=15)
    p.add_argument("--data")
    a = p.parse_args()
    folder = Path(a.data) if a.data else Path(tempfile.mkdtemp(prefix="catalog-listing-"))
    with Platform(folder / "data") as platform:
        fill(platform, a.tables)

        def measure(what, fn):
            times, spent = [], side.cpu_seconds(platform.process.pid)
            for _ in range(a.times):
                t = time.perf_counter()
                shown = fn()
                times.append((time.perf_counter() - t) * 1e3)
            spent = (side.cpu_seconds(platform.process.pid) - spent) / a.times * 1e3
            print(f"{what}: median {statistics.median(times):.1f} ms, best {min(times):.1f} ms, {spent:.1f} ms of processor time ({shown})", flush=True)

        def rows(text):
            return lambda: f"{run(platform, text)['manifest']['total_row_count']} rows"

        mid = f"v_{a.tables // 2:06d}"
        measure("SELECT 1", rows("SELECT 1"))
        measure("SHOW TABLES LIKE one name", rows(f"SHOW TABLES IN big.s LIKE '{mid}'"))
        measure("SHOW TABLES LIKE a beginning", rows(f"SHOW TABLES IN big.s LIKE '{mid[:-2]}*'"))
        measure("information_schema.tables LIMIT 100", rows("SELECT * FROM big.information_schema.tables LIMIT 100"))
        measure("information_schema.tables, ordered, LIMIT 100", rows("SELECT table_name FROM big.information_schema.tables WHERE table_schema = 's' ORDER BY table_name LIMIT 100"))
        measure("information_schema.tables of one name", rows(f"SELECT * FROM system.information_schema.tables WHERE table_name = '{mid}'"))
        measure("information_schema.columns of one table", rows(f"SELECT * FROM big.information_schema.columns WHERE table_name = '{mid}'"))
        measure("REST tables, first page", lambda: len(platform.request("GET", f"{UC}/tables?catalog_name=big&schema_name=s&max_results=50").json()["tables"]))
        measure("REST table summaries, first page",
                lambda: len(platform.request("GET", f"{UC}/table-summaries?catalog_name=big&max_results=1000").json()["tables"]))
        measure("SHOW TABLES, all of them", rows("SHOW TABLES IN big.s"))
        measure("information_schema.tables, counted", rows("SELECT count(*) FROM big.information_schema.tables"))


if __name__ == "__main__":
    main()
