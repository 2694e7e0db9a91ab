# SPDX-License-Identifier: Apache-2.0
"""What the benches share: both sides of a comparison in one run, the server on core 0, the load on core 1.

Figures are ratios of one run. Results are appended to bench/RESULTS.md with the command, the date and how busy
the machine was: on a shared machine a ratio is only as good as its quiet minutes, so the reader must see them.
"""

import contextlib
import datetime
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/harness"))
BINARY = Path(os.environ.get("BOATHOUSE_BIN") or ROOT / "build/release/boathouse")
PYTHON = ROOT / ".deps/py/client/bin/python"
SERVER_CORE, LOAD_CORE = "0", "1"
os.environ["BOATHOUSE_BIN"] = str(BINARY)


def wrk(url, seconds=3, connections=16, script=None, headers=()):
    """One measurement by wrk on the load's core: requests/s, p50 and p99 in ms, how many answers were not 2xx."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for h in headers:
        command += ["-H", h]
    if script:
        command += ["-s", str(script)]
    out = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds + 60).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not rate:
        raise RuntimeError(f"wrk said nothing of use:\n{out}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    return {"rate": float(rate[1]), "p50": _ms(out, "50%"), "p99": _ms(out, "99%"),
            "bad": int(bad[1]) if bad else 0, "lost": sum(map(int, lost.groups())) if lost else 0}


def _ms(text, row):
    value, unit = re.search(re.escape(row) + r"\s+([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def lua_post(folder, name, body, headers):
    """A wrk script that posts one body with the given headers."""
    path = Path(folder) / f"{name}.lua"
    lines = ['wrk.method = "POST"', f"wrk.body = [==[{body}]==]"]
    lines += [f'wrk.headers["{k}"] = "{v}"' for k, v in headers.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_200(url, process=None, limit_s=120, every_s=0.05):
    """Waits for the first 200; seconds that it took."""
    import urllib.error
    import urllib.request
    start = time.monotonic()
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(url, timeout=5) as r:
                if r.status == 200:
                    return time.monotonic() - start
        if process and process.poll() is not None:
            raise RuntimeError(f"the server of {url} ended with {process.returncode}")
        if time.monotonic() - start > limit_s:
            raise RuntimeError(f"no 200 from {url} within {limit_s} s")
        time.sleep(every_s)


@contextlib.contextmanager
def server(command, ready, log, env=None, limit_s=180):
    """A peer on the servers' core; its whole process group ends with the block."""
    with open(log, "ab") as out:
        p = subprocess.Popen(["taskset", "-c", SERVER_CORE, *map(str, command)], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                             env={**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **(env or {})},
                             start_new_session=True)
    try:
        wait_200(ready, p, limit_s)
        yield p
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM)
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()


@contextlib.contextmanager
def nginx(folder):
    """The physical reference: `return 200` with a body of 60 bytes. (its URL, its process)"""
    port, folder = free_port(), Path(folder)
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; default_type application/json;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{"predictions": [0.123456789012345], "n": 1, "filler": "12345"}}'; }} }}
}}""")
    with server([shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"],
                f"http://127.0.0.1:{port}/", folder / "nginx.out") as p:
        yield f"http://127.0.0.1:{port}/", p


@contextlib.contextmanager
def boathouse(folder, name="data", **more):
    """Our side, every process of it on the servers' core."""
    from boathouse import Platform
    p = Platform(Path(folder) / name, binary=pinned(folder), **more)
    with p:
        yield p


def pinned(folder):
    """A program that is ours on the servers' core."""
    path = Path(folder) / "boathouse-on-core"
    if not path.exists():
        path.write_text(f'#!/bin/sh\nexec taskset -c {SERVER_CORE} "{BINARY}" "$@"\n')
        path.chmod(0o755)
    return path


@contextlib.contextmanager
def scratch():
    """A folder of this run; TMPDIR decides on which disk."""
    path = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def busy():
    """How busy both cores are right now, as a share, over one second."""
    def read():
        f = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return sum(f) - f[3] - f[4], sum(f)
    a, b = read(), None
    time.sleep(1)
    b = read()
    return (b[0] - a[0]) / max(b[1] - a[1], 1)


def wait_quiet(limit_s=60, share=0.05):
    """Waits for other work on the machine to pause; the share that was left when it gave up or was content."""
    deadline = time.monotonic() + limit_s
    while True:
        now = busy()
        if now <= share or time.monotonic() > deadline:
            return now


def cpu_seconds(pid):
    """Processor time that a process and its descendants have used so far."""
    import psutil
    total = 0.0
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for p in [top, *top.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                t = p.cpu_times()
                total += t.user + t.system
    return total


def median(values):
    s = sorted(values)
    return s[len(s) // 2]


class Report:
    """Rows of one bench; printed as they come and appended to bench/RESULTS.md at the end."""

    def __init__(self, title):
        self.title, self.rows, self.notes, self.busy = title, [], [], []

    def quiet(self, limit_s=60):
        self.busy.append(wait_quiet(limit_s))

    def row(self, what, figure, goal="", note=""):
        self.rows.append((what, figure, goal, note))
        print(f"{what}: {figure}" + (f"   (goal {goal})" if goal else "") + (f"   {note}" if note else ""), flush=True)

    def note(self, text):
        self.notes.append(text)
        print(text, flush=True)

    def save(self):
        command = " ".join(["python", os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]])
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        out = [f"\n## {self.title}, {datetime.date.today()}\n", f"`{command}` at {commit}, {os.cpu_count()} cores"
               + (f", other work on the machine {min(self.busy):.0%} to {max(self.busy):.0%} before each point" if self.busy else "")
               + (f", all of this run at nice {os.nice(0)}, so that other work got what it left" if os.nice(0) < 0 else "") + ".\n",
               "| what | figure | goal | note |", "|---|---|---|---|"]
        out += [f"| {' | '.join(str(c) for c in r)} |" for r in self.rows]
        out += [""] + [f"- {n}" for n in self.notes]
        with open(ROOT / "bench/RESULTS.md", "a") as f:
            f.write("\n".join(out).rstrip() + "\n")
