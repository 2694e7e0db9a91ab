# SPDX-License-Identifier: Apache-2.0
"""Names of a large catalog: the first page of rows by each door, over 100,000 tables.

    python bench/catalog_listing.py [--tables 100000] [--data FOLDER] [--only WORD]

For the admin, and for a user who sees 10 of the tables. A folder that holds the tables already is used again. Times are of whole round trips
through a client until it holds the first rows, medians of --times; `cold` is the first one after a change of the catalog, which forgets all
that was kept. Processor time is that of all our processes for one round trip.
"""

import argparse
import contextlib
import concurrent.futures
import statistics
import tempfile
import time
from pathlib import Path

import requests
import side

import connector  # noqa: E402
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


PAGE = 100  # rows that a client takes first


def see_ten(platform, n):
    """The token of a user who may pass and reads 10 tables that lie far from each other."""
    who, _ = platform.another("few")
    for text in (f"GRANT USE CATALOG ON CATALOG big TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA big.s TO `{who}`",
                 *(f"GRANT SELECT ON TABLE big.s.v_{n // 10 * i + n // 20:06d} TO `{who}`" for i in range(10))):
        run(platform, text)
    platform.request("PATCH", f"/api/2.0/permissions/warehouses/{platform.connect['DATABRICKS_WAREHOUSE_ID']}",
                     {"access_control_list": [{"service_principal_name": who, "permission_level": "CAN_USE"}]})
    made = platform.request("POST", "/api/2.0/token-management/on-behalf-of/tokens", {"application_id": who})
    return made.json()["token_value"]


class Doors:
    """The doors with one user's credentials. Each answers how many rows the client held when it had the first."""

    def __init__(self, platform, token):
        self.platform, self.token = platform, token
        self.http = requests.Session()
        self.http.trust_env = False
        self.connection = connector.plain(platform)(access_token=token)
        self.cursor = self.connection.cursor()

    def close(self):
        """While the platform is there: the connector asks for minutes for one that has gone."""
        self.cursor.close()
        self.connection.close()

    def rest(self, path):
        return self.http.get(self.platform.url + path, headers={"Authorization": f"Bearer {self.token}"}).json()

    def statement(self, text):
        """Statement Execution, whose first chunk comes with the last state: a client says with row_limit that it wants no more."""
        r = self.http.post(self.platform.url + STATEMENTS, headers={"Authorization": f"Bearer {self.token}"}, json={
            "statement": text, "warehouse_id": self.platform.connect["DATABRICKS_WAREHOUSE_ID"], "wait_timeout": "50s", "format": "JSON_ARRAY",
            "row_limit": PAGE}).json()
        assert r["status"]["state"] == "SUCCEEDED", (text, r)
        return len(r["result"].get("data_array", []))

    def thrift(self, text):
        self.cursor.execute(text)
        return len(self.cursor.fetchmany(PAGE))

    def call(self, name, *arguments):
        getattr(self.cursor, name)(*arguments)
        return len(self.cursor.fetchmany(PAGE))


def doors(d, mid):
    info = "big.information_schema"
    both = {"SHOW TABLES": "SHOW TABLES IN big.s", "SHOW TABLES LIKE one name": f"SHOW TABLES IN big.s LIKE '{mid}'",
            "SHOW TABLES LIKE a beginning": f"SHOW TABLES IN big.s LIKE '{mid[:-2]}*'", "SHOW VIEWS": "SHOW VIEWS IN big.s",
            "SHOW CATALOGS": "SHOW CATALOGS", "SHOW SCHEMAS": "SHOW SCHEMAS IN big", "SHOW FUNCTIONS": "SHOW USER FUNCTIONS IN big.s",
            "SHOW VOLUMES": "SHOW VOLUMES IN big.s", f"{info}.tables": f"SELECT * FROM {info}.tables",
            f"{info}.tables LIMIT 100": f"SELECT * FROM {info}.tables LIMIT 100",
            f"{info}.tables of a schema, ordered, LIMIT 100": f"SELECT table_name FROM {info}.tables WHERE table_schema = 's' ORDER BY table_name LIMIT 100",
            f"{info}.tables LIKE a beginning": f"SELECT * FROM {info}.tables WHERE table_name LIKE '{mid[:-2]}%'",
            "system.information_schema.tables of one name": f"SELECT * FROM system.information_schema.tables WHERE table_name = '{mid}'",
            f"{info}.columns": f"SELECT * FROM {info}.columns", f"{info}.columns of one table": f"SELECT * FROM {info}.columns WHERE table_name = '{mid}'",
            f"{info}.tables, counted": f"SELECT count(*) FROM {info}.tables"}
    for what, text in both.items():
        yield f"{what}, Statement Execution", lambda text=text: d.statement(text)
        yield f"{what}, Thrift", lambda text=text: d.thrift(text)
    yield "GetTables of a schema, Thrift", lambda: d.call("tables", "big", "s")
    yield "GetTables of one name, Thrift", lambda: d.call("tables", "big", "s", mid)
    yield "GetColumns of a schema, Thrift", lambda: d.call("columns", "big", "s")
    yield "GetColumns of one table, Thrift", lambda: d.call("columns", "big", "s", mid)
    yield "GetSchemas, Thrift", lambda: d.call("schemas", "big")
    yield "REST tables", lambda: len(d.rest(f"{UC}/tables?catalog_name=big&schema_name=s&max_results=50").get("tables", []))
    yield "REST table summaries", lambda: len(d.rest(f"{UC}/table-summaries?catalog_name=big&max_results=1000").get("tables", []))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tables", type=int, default=100000)
    p.add_argument("--times", type=int, default=15)
    p.add_argument("--only", default="", help="doors whose names contain this")
    p.add_argument("--data")
    a = p.parse_args()
    folder = Path(a.data) if a.data else Path(tempfile.mkdtemp(prefix="catalog-listing-"))
    with Platform(folder / "data") as platform:
        fill(platform, a.tables)
        mid = f"v_{a.tables // 20 + a.tables // 2:06d}"

        def measure(what, fn):
            fn()
            run(platform, f"COMMENT ON SCHEMA big.s IS '{time.time()}'")
            t = time.perf_counter()
            fn()
            cold = (time.perf_counter() - t) * 1e3
            times, spent = [], side.cpu_seconds(platform.process.pid)
            for _ in range(a.times):
                t = time.perf_counter()
                shown = fn()
                times.append((time.perf_counter() - t) * 1e3)
            spent = (side.cpu_seconds(platform.process.pid) - spent) / a.times * 1e3
            print(f"{what}: median {statistics.median(times):.1f} ms, best {min(times):.1f} ms, cold {cold:.1f} ms, {spent:.1f} ms of processor time "
                  f"({shown} rows)", flush=True)

        for who, token in (("admin", platform.token), ("10 of them", see_ten(platform, a.tables))):
            with contextlib.closing(Doors(platform, token)) as user:
                for what, fn in doors(user, mid):
                    if a.only in what:
                        measure(f"{who}: {what}", fn)


if __name__ == "__main__":
    main()
