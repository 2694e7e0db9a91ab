# SPDX-License-Identifier: Apache-2.0
"""Generated files are checked in; each generator, run with --check, says whether they are what it would write."""

import subprocess
import sys

from sources import ROOT, files, report


def main():
    problems = []
    generators = files("gen/gen_*.py")
    for path in generators:
        done = subprocess.run([sys.executable, str(ROOT / path), "--check"], capture_output=True, text=True, cwd=ROOT)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip().splitlines()
            problems.append(f"{path}: " + (" | ".join(said[-3:]) or f"status {done.returncode}"))
    return report("check_fresh", problems, len(generators))


if __name__ == "__main__":
    sys.exit(main())
