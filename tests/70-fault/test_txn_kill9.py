# SPDX-License-Identifier: Apache-2.0
"""kill -9 of engines and control during transactions over two tables."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

import txn_kills  # noqa: E402


def test_12_kills(tmp_path):
    txn_kills.run(tmp_path, 12)
