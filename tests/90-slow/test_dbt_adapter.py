# SPDX-License-Identifier: Apache-2.0
"""dbt-tests-adapter's groups, by dbt-databricks, on a warehouse over TLS. DBT_CASES has more arguments of pytest (-k …)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from connector import Server  # noqa: E402

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))


@pytest.mark.parametrize("cases", ["dbt_cases", "dbt_groups"])  # basic and incremental; the others
def test_groups(tmp_path, cases):
    python = ROOT / ".deps/py/dbt/bin/python"
    if not python.exists():
        pytest.skip("no environment of dbt")
    with Server(tmp_path) as s:
        users = {f"DBT_TEST_USER_{n}": s.platform.sdk().users.create(user_name=f"dbt_user_{n}").user_name for n in (1, 2, 3)}
        env = {**os.environ, **users, "DBT_CASE_HOST": f"localhost:{s.platform.https_port}", "DBT_CASE_PATH": s.path, "DBT_CASE_TOKEN": s.platform.token,
               "SSL_CERT_FILE": s.ca, "REQUESTS_CA_BUNDLE": s.ca, "PYTHONDONTWRITEBYTECODE": "1", "DO_NOT_TRACK": "1"}
        done = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--rootdir", tmp_path,
                               *os.environ.get("DBT_CASES", "").split(), ROOT / f"tests/harness/dbt/{cases}.py"],
                              cwd=tmp_path, env=env, capture_output=True, text=True, timeout=6000)
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0 and " failed" not in last and " skipped" not in last, done.stdout[-8000:] + done.stderr[-2000:]
