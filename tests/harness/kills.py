# SPDX-License-Identifier: Apache-2.0
"""Random kill -9 of the platform's processes under the load of ledger.py."""

import json
import os
import random
import statistics
import time
from pathlib import Path

import ledger
import requests
from boathouse import Platform

ROLES = ("control", "control", "gateway", "gateway", "courier", "supervisor", "runtime_host")
ANSWER_S = 10


def answers_again(platform):
    """Seconds until a request with a credential is answered."""
    began = time.monotonic()
    while True:
        try:
            r = requests.get(platform.url + "/api/2.0/preview/scim/v2/Me", timeout=ANSWER_S,
                             headers={"Authorization": f"Bearer {platform.token}"})
            if r.status_code == 200:
                return time.monotonic() - began
            assert r.status_code in (503,), r.text
        except requests.RequestException:
            pass
        assert time.monotonic() - began < ANSWER_S, f"no answer {ANSWER_S} s after a kill\n{platform.log_tail()}"
        time.sleep(0.01)


def kill(platform, role):
    began = time.monotonic()
    platform.kill9(role)
    if role == "supervisor":
        # Counted from the new start: noticing the end is the caller's.
        began = time.monotonic()
        platform.start()
    answers_again(platform)
    return time.monotonic() - began


def integrity(platform, folder):
    """A backup that opens and whose every page is read; the folder is removed with the test's."""
    platform.cli("backup", str(folder / "backup"))
    import subprocess
    done = subprocess.run([str(platform.binary), "restore", str(folder / "backup"), "--data", str(folder / "restored"),
                           "--key", str(platform.data / "master.key")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def run(folder, kills, seed=None):
    seed = seed if seed is not None else int(os.environ.get("BOATHOUSE_SEED", random.getrandbits(31)))
    print(f"seed {seed}; BOATHOUSE_SEED={seed} repeats the order of kills")
    rng = random.Random(seed)
    times = {}
    platform = Platform(folder / "data")
    platform.start()
    try:
        workers = ledger.begin(platform, seed)
        for _ in range(kills):
            time.sleep(rng.uniform(0.05, 0.5))
            role = rng.choice(ROLES)
            times.setdefault(role, []).append(kill(platform, role))
            for w in workers:
                w.checked()
        ledger.end(workers)
        for w in workers:
            w.checked()
        integrity(platform, folder)
        platform.restart()
        for w in workers:
            w.checked()
        platform.stop()
    except BaseException:
        print(platform.log_tail(80))
        platform.abort()
        raise
    report(times, workers)


def report(times, workers):
    out = {}
    for role, t in sorted(times.items()):
        out[role] = {"kills": len(t), "median_s": round(statistics.median(t), 3), "most_s": round(max(t), 3)}
        print(f"{role:12} {len(t):4} kills, answers again after {statistics.median(t):.3f} s, at most {max(t):.3f} s")
    for w in workers:
        print(f"{w.name:12} {w.done:6} acknowledged, {w.unknown:4} broke off")
    if build := os.environ.get("BOATHOUSE_BUILD"):
        Path(build, f"kill9-{sum(len(t) for t in times.values())}.json").write_text(json.dumps(out, indent=1) + "\n")
