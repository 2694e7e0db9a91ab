# SPDX-License-Identifier: Apache-2.0
"""kill -9 of engines and control during reads and writes of a table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

import sql_kills  # noqa: E402


def test_20_kills(tmp_path):
    sql_kills.run(tmp_path, 20)
