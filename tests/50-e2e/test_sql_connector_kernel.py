# SPDX-License-Identifier: Apache-2.0
"""The Python SQL connector's kernel mode, and drive_sql.py's steps through it, with telemetry: both know port 443 alone."""

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import own_network
from test_drivers import DRIVERS

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
HARNESS = ROOT / "tests/harness"
CASES = [n.name for n in ast.parse((HARNESS / "kernel_cases.py").read_text()).body if isinstance(n, ast.FunctionDef) and n.name.startswith("case_")]


@pytest.fixture(scope="module")
def kernel():
    python = ROOT / ".deps/py/kernel/bin/python"
    if not python.exists():
        pytest.skip("no environment with the kernel")
    if why := own_network.available():
        pytest.skip(why)
    return python


def inside(*argv, settings=(), cwd=None):
    return subprocess.run(own_network.command([sys.executable, HARNESS / "own_network.py", *settings, "--", *argv]), capture_output=True, text=True,
                          timeout=400, cwd=cwd, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


@pytest.fixture(scope="module")
def results(kernel):
    done = inside(kernel, HARNESS / "kernel_cases.py")
    return dict(line.split("\t", 1) for line in done.stdout.splitlines() if line.startswith("case_")), done


@pytest.mark.parametrize("case", CASES)
def test_kernel(results, case):
    got, done = results
    assert got.get(case) == "passed", got.get(case, done.stdout[-3000:] + done.stderr[-3000:])


# The driver as it is, all its connections through the kernel.
THROUGH = ("import runpy, sys; import databricks.sql as s; plain = s.connect; "
           "s.connect = lambda **k: plain(**{**{n: v for n, v in k.items() if n != '_port'}, 'use_kernel': True}); "
           "sys.argv = sys.argv[1:]; sys.path.insert(0, '.'); runpy.run_path(sys.argv[0], run_name='__main__')")


@pytest.mark.parametrize("how", ["kernel", "telemetry"])
def test_drive_sql(kernel, how):
    driver = DRIVERS / "drive_sql.py"
    if not driver.exists():
        pytest.skip("no drive_sql.py")
    run = [kernel, "-c", THROUGH, driver, "--no-sea"] if how == "kernel" else [kernel, driver]
    words = " ".join(shlex.quote(str(w)) for w in run)
    done = inside("sh", "-c", f"exec {words} --host localhost --port 443 --tls --ca $SSL_CERT_FILE --token $DATABRICKS_TOKEN --telemetry "
                  "--warehouse ${DATABRICKS_HTTP_PATH##*/}", settings=["sql.driver_telemetry=true"], cwd=DRIVERS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
