# SPDX-License-Identifier: Apache-2.0
"""Memory and spill of a warehouse come with its size: what a small one refuses a larger one does; others do not notice. And what runs
too long, waits in too long a queue, or does not heed a cancel is ended."""
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402

SMALL, LARGE = "2X-Small", "Medium"  # 128 MiB and 32 MiB of spill; eight times as much
LONG = "SELECT max(a.id * b.id % 7 + c.id) FROM range(100000) a, range(100000) b, range(1000) c"
KINDS = {
    "sort": ("SELECT sum(n * (k % 7)) > 0 FROM (SELECT k, row_number() OVER (ORDER BY s, k) n FROM (SELECT id k, concat(sha1(CAST(id AS STRING)), "
             "repeat('x', 40)) s FROM range(1500000)))"),
    "hash join": ("SELECT count(*) > 0 FROM (SELECT id, concat(sha1(CAST(id AS STRING)), repeat('a', 60)) s FROM range(1200000)) a JOIN (SELECT id, "
                  "concat(sha1(CAST(id AS STRING)), repeat('b', 60)) s FROM range(1200000)) b ON a.id = b.id WHERE a.s < b.s OR a.s > b.s"),
    "list aggregate": "SELECT size(collect_list(concat(CAST(id AS STRING), repeat('x', 200)))) > 0 FROM range(1000000)",
    "wide string": "SELECT max(length(repeat(repeat(CAST(id AS STRING), 100000), 300))) > 0 FROM range(4)",
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("limits") / "data", settings={"sql.memory_base": "128MiB", "sql.spill_base": "32MiB"}) as p:
        yield p


def call(p, method, path, body=None):
    r = p.request(method, path, body)
    assert r.status_code == 200, r.text
    return r.json()


def warehouse(p, size, **more):
    return call(p, "POST", "/api/2.0/sql/warehouses", {"name": f"limits {size} {time.monotonic_ns()}", "cluster_size": size, "max_num_clusters": 1,
                                                      "enable_serverless_compute": True, **more})["id"]


def run(p, w, sql, wait="50s"):
    return call(p, "POST", "/api/2.0/sql/statements", {"warehouse_id": w, "statement": sql, "wait_timeout": wait})


def ended(p, id, seconds=120):
    end = time.monotonic() + seconds
    while (r := call(p, "GET", f"/api/2.0/sql/statements/{id}"))["status"]["state"] in ("PENDING", "RUNNING"):
        assert time.monotonic() < end, r
        time.sleep(0.02)
    return r


@pytest.fixture(scope="module")
def sizes(platform):
    return warehouse(platform, SMALL), warehouse(platform, LARGE), warehouse(platform, SMALL)


@pytest.mark.skipif(os.environ.get("BH_FLAVOUR", "release") != "release", reason="sanitizers need many times the memory")
@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_the_size_s(platform, sizes, kind):
    small, large, neighbour = sizes
    eats = run(platform, small, KINDS[kind], "0s")["statement_id"]
    answers = [run(platform, neighbour, "SELECT sum(id) FROM range(1000)")["result"]["data_array"] for _ in range(5)]
    assert answers == [[["499500"]]] * 5
    r = ended(platform, eats)
    assert r["status"]["state"] == "FAILED", (kind, r)
    message = r["status"]["error"]["message"]
    assert "[OUT_OF_MEMORY]" in message or "[SPILL_LIMIT_EXCEEDED]" in message, message
    assert run(platform, small, "SELECT 1")["result"]["data_array"] == [["1"]]
    r = ended(platform, run(platform, large, KINDS[kind], "0s")["statement_id"])
    assert r["status"]["state"] == "SUCCEEDED" and r["result"]["data_array"] == [["true"]], (kind, r)
