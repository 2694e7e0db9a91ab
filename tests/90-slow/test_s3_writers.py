# SPDX-License-Identifier: Apache-2.0
"""Writers of several processes against one table on an S3 server, for ten minutes: the sum is right."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

import s3_store  # noqa: E402
import s3_writers  # noqa: E402

SECONDS = float(os.environ.get("BH_S3_SECONDS", "600"))


def test_two_platforms(tmp_path):
    with s3_store.store() as store:
        s3_writers.run(tmp_path, store, SECONDS, delta_rs=False)


def test_two_platforms_and_delta_rs(tmp_path):
    with s3_store.store() as store:
        s3_writers.run(tmp_path, store, SECONDS)
