# SPDX-License-Identifier: Apache-2.0
"""Queries of every kind through parser, analyser and DuckDB, beside the answers that Spark's rules give (sql/examples.jsonl)."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["BOATHOUSE_BUILD"])


def test_every_example_answers_as_written():
    done = subprocess.run([BUILD / "tests/harness/sqlcheck", HERE / "sql/examples.jsonl", "--verbose", "--min", "100"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "100.0 % equal" in done.stdout
