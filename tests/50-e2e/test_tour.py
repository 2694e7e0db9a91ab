# SPDX-License-Identifier: Apache-2.0
"""`./run tour` on a platform of its own, and on one that runs."""

import os
import re
import subprocess
import sys

import pytest
from boathouse import BINARY, ROOT


def tour(*arguments, cwd):
    if not BINARY.exists():
        pytest.skip(f"there is no program at {BINARY}; build it first")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DATABRICKS_", "MLFLOW_"))}
    return subprocess.run([sys.executable, ROOT / "tools/tour/tour.py", *arguments], capture_output=True, text=True, timeout=550,
                          cwd=cwd, env={**env, "BOATHOUSE_BIN": str(BINARY), "BOATHOUSE_ROOT": str(ROOT)})


def test_tour_with_its_own_platform(tmp_path):
    done = tour(cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every answer equalled the local one." in done.stdout and "kill -9 to all" in done.stdout
    numbers = [int(n) for n in re.findall(r"^ *(\d+)\. ", done.stdout, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_tour_on_a_running_platform(make_platform, tmp_path):
    p = make_platform(https=True).start()
    before = p.process.pid
    done = tour("--data", str(p.data), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert p.process.poll() is None and p.process.pid == before and "kill -9 to all" not in done.stdout


def test_tour_says_what_is_missing(tmp_path):
    done = tour("--data", str(tmp_path / "nothing"), cwd=tmp_path)
    assert done.returncode == 1 and "no platform answers" in done.stderr
