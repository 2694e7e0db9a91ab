# SPDX-License-Identifier: Apache-2.0
"""Engines behind warehouses: a killed one fails its statement and is replaced, a stopped warehouse's ends, one that eats
memory troubles nobody else, local roots are reached and nothing beside them."""
import os, signal, sys, time
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402

SLOW = "SELECT count(*) FROM range(100000000000) a JOIN range(1000) b ON a.id % 7 = b.id"
EATER = "SELECT collect_list(concat(CAST(id AS STRING), repeat('x', 200)))[5] FROM range(400000000)"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    top = tmp_path_factory.mktemp("engines")
    (top / "root").mkdir()
    (top / "root/a.csv").write_text("a,b\n1,x\n")
    with Platform(top / "data", settings={"storage.local_roots": str(top / "root")}) as p:
        p.top = top
        yield p


def call(p, method, path, body=None):
    r = p.request(method, path, body)
    assert r.status_code == 200, r.text
    return r.json()


def warehouse(p, name):
    w = call(p, "POST", "/api/2.0/sql/warehouses", {"name": name, "cluster_size": "2X-Small", "max_num_clusters": 1, "enable_serverless_compute": True,
                                                   "warehouse_type": "PRO"})["id"]
    call(p, "POST", "/api/2.0/sql/warehouses/%s/start" % w, {})
    return w


def run(p, w, sql, wait="50s"):
    return call(p, "POST", "/api/2.0/sql/statements", {"warehouse_id": w, "statement": sql, "wait_timeout": wait})


def rows(p, w, sql):
    r = run(p, w, sql)
    assert r["status"]["state"] == "SUCCEEDED", r
    return r["result"]["data_array"]


def finished(p, statement, seconds=60):
    end = time.monotonic() + seconds
    while True:
        r = call(p, "GET", "/api/2.0/sql/statements/" + statement)
        if r["status"]["state"] not in ("PENDING", "RUNNING"):
            return r
        assert time.monotonic() < end, r
        time.sleep(0.05)


def has_owner(x):
    """Its lease mounted a spill folder."""
    return " /spill/own " in Path("/proc/%d/mountinfo" % x.pid).read_text()


def leased(p):
    return [x for x in p.processes("engine") if has_owner(x)]


def test_killed_in_the_middle_of_a_statement(platform):
    p = platform
    w = warehouse(p, "killed")
    assert rows(p, w, "SELECT 1") == [["1"]]
    slow = run(p, w, SLOW, "0s")["statement_id"]
    time.sleep(0.3)
    for x in leased(p):
        x.send_signal(signal.SIGKILL)
    r = finished(p, slow)
    assert r["status"]["state"] == "FAILED" and "compute process" in r["status"]["error"]["message"], r
    assert rows(p, w, "SELECT 2") == [["2"]]
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def test_a_stopped_warehouse_s_engine_ends(platform):
    p = platform
    w = warehouse(p, "stopped")
    assert rows(p, w, "SELECT 1") == [["1"]]
    mine = leased(p)
    assert mine
    call(p, "POST", "/api/2.0/sql/warehouses/%s/stop" % w, {})
    gone, alive = psutil.wait_procs(mine, 20)
    assert not alive
    spill = p.data / "spill"
    end = time.monotonic() + 20
    while list(spill.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not list(spill.iterdir())
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


@pytest.mark.skipif(os.environ.get("BH_FLAVOUR", "release") != "release", reason="sanitizers need many times the memory")
def test_an_eater_of_memory_is_contained(platform):
    p = platform
    a, b = warehouse(p, "eater"), warehouse(p, "neighbour")
    assert rows(p, b, "SELECT 1") == [["1"]]
    eats = run(p, a, EATER, "0s")["statement_id"]
    for _ in range(20):
        assert rows(p, b, "SELECT count(*) FROM range(1000)") == [["1000"]]
        time.sleep(0.02)
    r = finished(p, eats, 300)
    assert r["status"]["state"] == "FAILED" and ("OUT_OF_MEMORY" in r["status"]["error"]["message"] or "SPILL_LIMIT" in r["status"]["error"]["message"]), r
    assert rows(p, a, "SELECT 3") == [["3"]]
    for w in (a, b):
        call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def test_cancel(platform):
    p = platform
    w = warehouse(p, "cancel")
    slow = run(p, w, SLOW, "0s")["statement_id"]
    time.sleep(0.2)
    call(p, "POST", "/api/2.0/sql/statements/%s/cancel" % slow, {})
    assert finished(p, slow)["status"]["state"] == "CANCELED"
    assert rows(p, w, "SELECT 4") == [["4"]]
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def test_an_engine_that_heeds_no_cancel_is_killed(platform):
    p = platform
    w = warehouse(p, "stuck")
    slow = run(p, w, SLOW, "0s")["statement_id"]
    end = time.monotonic() + 20
    while not leased(p) and time.monotonic() < end:
        time.sleep(0.05)
    stuck = leased(p)
    for x in stuck:
        x.send_signal(signal.SIGSTOP)
    call(p, "POST", "/api/2.0/sql/statements/%s/cancel" % slow, {})
    assert finished(p, slow)["status"]["state"] == "CANCELED"
    gone, alive = psutil.wait_procs(stuck, 20)
    assert not alive
    assert rows(p, w, "SELECT 5") == [["5"]]
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def test_an_engine_sees_its_roots_and_nothing_else(platform):
    p = platform
    w = warehouse(p, "roots")
    assert rows(p, w, "SELECT 1") == [["1"]]
    x = leased(p)[0]
    root = Path("/proc/%d/root" % x.pid)
    assert {f.name for f in root.iterdir()} <= {"data", "dev", "engine", "etc", "ext", "lib", "lib64", "proc", "spill", "tmp", "usr"}
    assert [f.name for f in (root / "ext/0").iterdir()] == ["a.csv"]
    assert list((root / "ext/1").iterdir()) == [] and [f.name for f in (root / "data").iterdir()] == ["tables"]
    net = Path("/proc/%d/net/dev" % x.pid).read_text()
    assert [l.split(":")[0].strip() for l in net.splitlines()[2:]] == ["lo"]
    warm = [y for y in p.processes("engine") if not has_owner(y)]
    for y in warm:
        assert not list(Path("/proc/%d/root/data/tables" % y.pid).iterdir())
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def warm_of(p):
    """The engine that waits for an owner."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = [x for x in p.processes("engine") if not has_owner(x)]
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("no warm engine")


def test_an_engine_without_an_owner_outlives_control(platform):
    """The next control is given it; those that had an owner end, and what they spilled goes."""
    p = platform
    w = warehouse(p, "outlives")
    assert rows(p, w, "SELECT 6") == [["6"]]
    old, warm = leased(p), warm_of(p)
    folders = {f.name for f in (p.data / "spill").iterdir()}
    p.kill9("control")
    body = {"warehouse_id": w, "statement": "SELECT 7", "wait_timeout": "50s"}
    while (r := p.request("POST", "/api/2.0/sql/statements", body)).status_code == 503:  # it was on its way when control died
        time.sleep(0.02)
    assert r.json()["result"]["data_array"] == [["7"]], r.text
    gone, alive = psutil.wait_procs(old, 20)
    assert not alive
    assert warm[0] in leased(p)
    end = time.monotonic() + 20
    while folders & {f.name for f in (p.data / "spill").iterdir()} and time.monotonic() < end:
        time.sleep(0.05)
    assert not folders & {f.name for f in (p.data / "spill").iterdir()}
    warm_of(p)
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def weight(x):
    """Of the control group that shares out processors, in that version's units; None without."""
    for line in Path("/proc/%d/cgroup" % x.pid).read_text().splitlines():
        _, names, path = line.split(":", 2)
        for folder, file in (("/sys/fs/cgroup/" + names, "cpu.shares"), ("/sys/fs/cgroup", "cpu.weight"), ("/sys/fs/cgroup/unified", "cpu.weight")):
            if (names == "" or "cpu" in names.split(",")) and Path(folder + path, file).exists():
                return int(Path(folder + path, file).read_text())


def test_engines_weigh_as_their_warehouse_s_size_says(platform):
    """The control group of a larger warehouse's engine has a larger share, control a larger one than any engine."""
    p = platform
    w = warehouse(p, "weight")
    assert rows(p, w, "SELECT 1") == [["1"]]
    mine = leased(p)[-1]
    small = weight(mine)
    if small is None:
        pytest.skip("this machine has no control groups for processors")
    assert weight(p.processes("control")[0]) > 2 * small and weight(p.processes("gateway")[0]) > 2 * small
    call(p, "POST", "/api/2.0/sql/warehouses/%s/edit" % w, {"cluster_size": "Large"})
    assert rows(p, w, "SELECT 2") == [["2"]]
    psutil.wait_procs([mine], 20)
    assert max(weight(x) for x in leased(p)) == 2 * small
    call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def test_a_busy_engine_yields_to_its_neighbour(platform):
    """While it computes it has a tenth of its weight; afterwards all of it again."""
    p = platform
    a = warehouse(p, "busy")
    assert rows(p, a, "SELECT 1") == [["1"]]
    first = {x.pid for x in leased(p)}
    b = warehouse(p, "short")
    assert rows(p, b, "SELECT 1") == [["1"]]
    short = next(x for x in leased(p) if x.pid not in first)
    full = weight(short)
    if full is None:
        pytest.skip("this machine has no control groups for processors")
    slow = run(p, a, SLOW, "0s")["statement_id"]

    def until(yields):
        end = time.monotonic() + 60
        while (min(weight(x) for x in leased(p)) < full / 5) != yields:
            if yields and time.monotonic() > end and os.getloadavg()[0] > 8 * os.cpu_count():
                pytest.skip("others leave it too little of this machine to be busy")
            assert time.monotonic() < end, [weight(x) for x in leased(p)]
            time.sleep(0.05)
    until(True)
    assert weight(short) == full and rows(p, b, "SELECT 2") == [["2"]]
    call(p, "POST", "/api/2.0/sql/statements/%s/cancel" % slow, {})
    until(False)
    for w in (a, b):
        call(p, "DELETE", "/api/2.0/sql/warehouses/" + w)


def test_only_the_supervisor_goes_first(platform):
    """Restarts do not stand in the queue of a busy machine; what it starts has the priority that it was started with."""
    mine = os.nice(0)
    roles = platform.processes()
    assert {x.nice() for role, found in roles.items() if role != "supervisor" for x in found} == {mine}
    assert roles["supervisor"][0].nice() in (min(mine, -10), mine)  # mine: where we may not
