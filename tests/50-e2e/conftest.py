# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests: a platform per test file, and fresh ones on demand."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
# Clients read these when they are imported.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")

import boathouse  # noqa: E402
from boathouse import Platform  # noqa: E402

_running = []

# Every exchange of every platform is recorded; at the end each answer must have the shape that its route
# declares (tools/record_check.py). BH_RECORDINGS names a folder that keeps the recordings, for
# tools/coverage_ledger.py. (No name of BOATHOUSE_…: the program reads those.)


def pytest_configure(config):
    folder = os.environ.get("BH_RECORDINGS") or tempfile.mkdtemp(prefix="boathouse-record-")
    os.makedirs(folder, exist_ok=True)
    boathouse.RECORD = os.path.join(folder, f"{os.getpid()}.jsonl")


def pytest_sessionfinish(session, exitstatus):
    record = Path(boathouse.RECORD)
    if record.exists():
        tool = Path(__file__).resolve().parents[2] / "tools/record_check.py"
        done = subprocess.run([sys.executable, str(tool), "--quiet", record], capture_output=True, text=True)
        if done.returncode:
            print(f"\nanswers that are not of their routes' shapes:\n{done.stdout}{done.stderr}")
            session.exitstatus = 1
    if not os.environ.get("BH_RECORDINGS"):
        shutil.rmtree(record.parent, ignore_errors=True)  # a platform still ending may write beside us


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    """One platform for all tests of this run. Tests use names of their own (fixture `u`)."""
    with Platform(tmp_path_factory.mktemp("platform") / "data") as p:
        _running.append(p)
        yield p
        _running.remove(p)


@pytest.fixture
def make_platform(tmp_path):
    """A function that makes further platforms (not started); each is stopped and checked at the end."""
    made = []

    def make(name="data", **more):
        p = Platform(tmp_path / name, **more)
        made.append(p)
        _running.append(p)
        return p
    yield make
    for p in made:
        _running.remove(p)
    problems = []
    for p in made:
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, "\n".join(problems)


@pytest.fixture
def sdk(platform):
    return platform.sdk()


@pytest.fixture
def u():
    """Eight characters that no other test has."""
    return uuid.uuid4().hex[:8]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for p in _running:
            report.sections.append((f"log of the platform on {p.data}", p.log_tail()))


@pytest.fixture(scope="session")
def secure(tmp_path_factory):
    """One platform with TLS for the tests of SQL connectors (harness/connector.py), with a volume main.default.files."""
    from connector import Server

    with Server(tmp_path_factory.mktemp("secure")) as s:
        _running.append(s.platform)
        s.rows("CREATE VOLUME main.default.files")
        yield s
        _running.remove(s.platform)
