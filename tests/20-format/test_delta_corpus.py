# SPDX-License-Identifier: Apache-2.0
"""Delta tables written by Spark, read at every version through our log reader and scan, compared as bags of rows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BOATHOUSE_BUILD", ROOT / "build/asan-ubsan"))
CORPUS = Path(os.environ.get("BOATHOUSE_ORACLE") or ROOT.parent / "shared/oracle") / "delta_corpus.tar.zst"

if not CORPUS.exists():
    pytest.skip("the corpus of Delta tables is not on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("delta_corpus")
    subprocess.run(["tar", "--zstd", "-xf", str(CORPUS), "-C", str(folder)], check=True)
    # Logs with absolute paths name their folder by a mark.
    for log in folder.glob("*/delta/_delta_log/*.json"):
        text = log.read_text()
        if "@ROOT@" in text:
            log.write_text(text.replace("@ROOT@", str(folder)))
    return folder


def test_every_version_of_every_table(corpus):
    done = subprocess.run([BUILD / "tests/harness/deltacheck", corpus], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    failed = [x for x in lines if x.startswith("FAIL")]
    assert not failed and done.returncode == 0, "\n".join(failed) + done.stderr
    assert len([x for x in lines if x.startswith("ok ")]) == len((corpus / "CASES.txt").read_text().split())


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
