# SPDX-License-Identifier: Apache-2.0
"""Sudden death of control, gateway, courier, supervisor and models' processes under load: nothing acknowledged is lost,
what was revoked stays revoked, the stores are whole, and it answers again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

import kills  # noqa: E402


def test_20_kills(tmp_path):
    kills.run(tmp_path, 20)
