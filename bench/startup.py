# SPDX-License-Identifier: Apache-2.0
"""How fast the platform starts and how little it holds when idle.

    .deps/py/client/bin/python bench/startup.py [--rounds N] [--idle SECONDS] [--no-save]

First start ever (keys, stores, certificate, admin) and start on an existing folder, each from exec to the first
200 of a request with a token; then PSS of control and gateway after 30 idle seconds.
"""

import argparse
import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

import side


def one_start(data, port, https_port):
    """Milliseconds from exec to the first 200; the process, still running."""
    connect = data / "connect.env"
    token = read_token(connect)
    with open(data.with_suffix(".log"), "ab") as log:
        start = time.monotonic()
        p = subprocess.Popen([side.BINARY, "serve", "--data", data, "--http", f"127.0.0.1:{port}", "--https", f"127.0.0.1:{https_port}"],
                             stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    while time.monotonic() - start < 60:
        token = token or read_token(connect)
        if token and answers(port, token):
            return (time.monotonic() - start) * 1e3, p
        if p.poll() is not None:
            raise RuntimeError(f"ended with {p.returncode}: {data.with_suffix('.log').read_text()[-2000:]}")
        time.sleep(0.0005)
    raise RuntimeError("no answer in 60 s")


def read_token(path):
    try:
        for line in path.read_text().splitlines():
            if line.startswith("DATABRICKS_TOKEN="):
                return line.split("=", 1)[1]
    except FileNotFoundError:
        return None


def answers(port, token):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request("GET", "/api/2.0/preview/scim/v2/Me", headers={"Authorization": f"Bearer {token}"})
        return c.getresponse().status == 200
    except OSError:
        return False
    finally:
        c.close()


def stop(p):
    p.send_signal(signal.SIGTERM)
    if p.wait(30):
        raise RuntimeError(f"exit code {p.returncode}")


def roles_of(p):
    """role → pid of the platform's children."""
    out, todo = {}, [p.pid]
    while todo:
        for t in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            for pid in map(int, t.read_text().split()):
                todo.append(pid)
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                role = next((w[5:].decode() for w in words if w.startswith(b"role:")), None)
                if role:
                    out[role] = pid
    return out


def pss(pid):
    """(PSS, its anonymous part) in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    got = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:] if ":" in line}
    return got["Pss"] / 1024, got.get("Pss_Anon", 0) / 1024


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--idle", type=float, default=30)
    ap.add_argument("--no-save", action="store_true")
    a = ap.parse_args()
    report = side.Report("Start and idle memory")
    with side.scratch() as folder:
        fresh, again, p = [], [], None
        for i in range(a.rounds):
            report.quiet(10)
            data = folder / f"fresh{i}"
            data.mkdir()
            ms, p = one_start(data, side.free_port(), side.free_port())
            fresh.append(ms)
            stop(p)
        for i in range(2 * a.rounds):
            report.quiet(10)
            ms, p = one_start(folder / "fresh0", side.free_port(), side.free_port())
            again.append(ms)
            if i < 2 * a.rounds - 1:
                stop(p)
        report.row("first start ever → 200, median (range)", f"{side.median(fresh):.0f} ms ({min(fresh):.0f}–{max(fresh):.0f})", "≤ 1,000 ms")
        report.row("existing folder → 200, median (range)", f"{side.median(again):.0f} ms ({min(again):.0f}–{max(again):.0f})", "≤ 100 ms")
        time.sleep(a.idle)
        roles = roles_of(p)
        sizes = {r: pss(pid) for r, pid in roles.items()}
        sizes["supervisor"] = pss(p.pid)
        both = sizes["control"][0] + sizes["gateway"][0]
        each = ", ".join(f"{r} {s:.1f} ({anon:.1f} anonymous)" for r, (s, anon) in sorted(sizes.items()))
        report.row(f"control + gateway PSS after {a.idle:.0f} s", f"{both:.1f} MiB", "≤ 30 MiB", each)
        stop(p)
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
