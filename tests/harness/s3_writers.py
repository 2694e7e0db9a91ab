# SPDX-License-Identifier: Apache-2.0
"""Writers of several processes on one Delta table on an S3 server: two Boathouse platforms and delta-rs. Each adds numbers and keeps
account of what was acknowledged; at the end every one of them sees the same sum."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests
from boathouse import Platform

UC = "/api/2.1/unity-catalog"


def storage_options(store):
    return {"AWS_ACCESS_KEY_ID": store.key, "AWS_SECRET_ACCESS_KEY": store.secret, "AWS_ENDPOINT_URL": store.url, "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true", "AWS_CONDITIONAL_PUT": "etag", "conditional_put": "etag"}


def open_location(platform, store, name, prefix):
    for path, body in (("storage-credentials", {"name": name, "s3_keys": {"access_key_id": store.key, "secret_access_key": store.secret,
                                                                         "endpoint": store.url}}),
                       ("external-locations", {"name": name, "url": f"s3://bucket/{prefix}", "credential_name": name})):
        r = platform.request("POST", f"{UC}/{path}", body)
        assert r.status_code == 200, r.text


class Writer:
    """One platform with threads that insert and change rows."""

    def __init__(self, folder, store, number):
        self.platform, self.number = Platform(folder, settings={"egress.allow": f"127.0.0.1:{store.port}"}), number
        self.store, self.added, self.lost, self.failed = store, 0, 0, []

    def sql(self, text):
        r = requests.post(self.platform.url + "/api/2.0/sql/statements", timeout=120, headers={"Authorization": "Bearer " + self.platform.token},
                          json={"warehouse_id": self.platform.connect["DATABRICKS_WAREHOUSE_ID"], "statement": text, "wait_timeout": "50s"})
        assert r.status_code == 200, r.text
        return r.json()

    def must(self, text):
        got = self.sql(text)
        assert got["status"]["state"] == "SUCCEEDED", (text, got["status"])
        return got["result"].get("data_array", []) if "result" in got else []

    def work(self, stop, who):
        k = 0
        while not stop.is_set():
            k += 1
            n = k % 97 + 1
            got = self.sql(f"INSERT INTO main.default.w VALUES ({self.number * 10 + who}, {n}), ({self.number * 10 + who}, {n})")
            if got["status"]["state"] == "SUCCEEDED":
                self.added += 2 * n
            else:
                self.failed.append(got["status"]["error"]["message"])
            if k % 10 == 0:  # a change of rows, which stands against others' and may be refused
                got = self.sql(f"UPDATE main.default.w SET n = n + 1 WHERE who = {self.number * 10 + who} AND n = 5")
                if got["status"]["state"] == "SUCCEEDED":
                    self.added += int(got["result"]["data_array"][0][0])
                elif "CONCURRENT" not in got["status"]["error"]["message"]:
                    self.failed.append(got["status"]["error"]["message"])


DELTA_RS = """
import json, sys, time
import pyarrow as pa
from deltalake import write_deltalake
url, seconds, options = sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3])
until, added, k, refused = time.monotonic() + seconds, 0, 0, 0
while time.monotonic() < until:
    k += 1
    n = k % 97 + 1
    try:
        write_deltalake(url, pa.table({"who": pa.array([99], pa.int32()), "n": pa.array([n], pa.int64())}), mode="append", storage_options=options)
        added += n
    except Exception as e:
        refused += 1
        if "ommit" not in str(e) and "onflict" not in str(e): raise
print(json.dumps({"added": added, "commits": k, "refused": refused}))
"""


def run(folder, store, seconds, delta_rs=True):
    url = "s3://bucket/shared/w"
    writers = [Writer(Path(folder) / f"p{i}", store, i + 1) for i in range(2)]
    with writers[0].platform, writers[1].platform:
        for w in writers:
            open_location(w.platform, store, "shared", "shared")
        writers[0].must(f"CREATE TABLE main.default.w (who INT, n BIGINT) LOCATION '{url}'")
        writers[1].must(f"CREATE TABLE main.default.w LOCATION '{url}'")
        stop = threading.Event()
        threads = [threading.Thread(target=w.work, args=(stop, i)) for w in writers for i in range(2)]
        for t in threads:
            t.start()
        theirs = {"added": 0, "commits": 0, "refused": 0}
        try:
            if delta_rs:
                done = subprocess.run([sys.executable, "-c", DELTA_RS, url, str(seconds), json.dumps(storage_options(store))],
                                      capture_output=True, text=True, timeout=seconds + 120)
                assert done.returncode == 0, done.stderr[-3000:]
                theirs = json.loads(done.stdout)
            else:
                time.sleep(seconds)
        finally:
            stop.set()
            for t in threads:
                t.join()
        failed = [m for w in writers for m in w.failed]
        assert not failed, failed[:5]
        expected = sum(w.added for w in writers) + theirs["added"]
        sums = [int(w.must("SELECT sum(n) FROM main.default.w")[0][0]) for w in writers]
        versions = max(int(k.rsplit("/", 1)[1][:20]) for k in store.objects("shared/w/_delta_log/") if k.endswith(".json"))
        print(f"{versions} versions in {seconds} s; ours added {[w.added for w in writers]}, delta-rs {theirs}")
        assert sums == [expected, expected], (sums, expected)
        if delta_rs:
            import pyarrow.compute as pc
            from deltalake import DeltaTable
            assert pc.sum(DeltaTable(url, storage_options=storage_options(store)).to_pyarrow_table(columns=["n"])["n"]).as_py() == expected
        return versions
