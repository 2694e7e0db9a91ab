# SPDX-License-Identifier: Apache-2.0
"""The same as tests/70-fault/test_sql_kill9.py, ten times as long."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

import sql_kills  # noqa: E402

SPARK = Path(__file__).resolve().parents[2] / ".deps/py/spark/bin/python"


def test_200_kills(tmp_path):
    sql_kills.run(tmp_path, 200, seed=2, spark=SPARK.exists())
