# SPDX-License-Identifier: Apache-2.0
"""Long fuzzing: one hour shared by all targets (BH_FUZZ_TOTAL seconds)."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_finding():
    total = int(os.environ.get("BH_FUZZ_TOTAL", "3600"))
    targets = sorted(p.stem.removeprefix("fuzz_") for p in (ROOT / "tests/fuzz").glob("fuzz_*.c"))
    assert targets, "there are no fuzz targets"
    done = subprocess.run([ROOT / "tools/fuzz", "--total", str(total), *targets], cwd=ROOT, timeout=total + 3000,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"{len(targets)} targets, no finding" in done.stdout
