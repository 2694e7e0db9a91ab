# SPDX-License-Identifier: Apache-2.0
"""The scripts of the Delta corpus, and ours, through a real warehouse and the Python connector: each table that comes of one is read at every
version and holds what Spark's holds; what must be refused is, by its class."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from databricks import sql as connector

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BOATHOUSE_BUILD", ROOT / "build/asan-ubsan"))
CORPUS = Path(os.environ.get("BOATHOUSE_ORACLE") or ROOT.parent / "shared/oracle") / "delta_corpus.tar.zst"
# Tables that were damaged after the statements.
DAMAGED = {"checkpoint_log_truncated", "unknown_reader_feature", "unknown_writer_feature"}

if not CORPUS.exists():
    pytest.skip("the corpus of Delta tables is not on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    subprocess.run(["tar", "--zstd", "-xf", str(CORPUS), "-C", str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("warehouse") / "data") as p:
        url, path = f"http://127.0.0.1:{p.http_port}", f"/sql/1.0/warehouses/{p.connect['DATABRICKS_WAREHOUSE_ID']}"
        with connector.connect(server_hostname=url, http_path=path, _connection_uri=url + path, enable_telemetry=False, access_token=p.token) as c:
            with c.cursor() as cursor:
                cursor.execute("CREATE SCHEMA main.corpus")
                yield cursor


def steps(warehouse, case, table):
    """A script's statements, each under its settings. What its test refuses comes right before the first step that would allow it: at the end
    of the script only where nothing was dropped."""
    for s in case["steps"]:
        conf = s.get("conf") or {}
        for name, value in conf.items():
            warehouse.execute(f"SET {name} = {value}")
        warehouse.execute(s["sql"].replace("{t}", table))
        for name in conf:
            warehouse.execute(f"RESET {name}")
    if any("DROP" in s["sql"] for s in case["steps"]):
        return
    for s in case.get("rejects") or []:
        with pytest.raises(Exception, match=s["class"]):
            warehouse.execute(s["sql"].replace("{t}", table))


def test_every_script(warehouse, corpus, tmp_path):
    cases = [c for c in (corpus / "CASES.txt").read_text().split() if c not in DAMAGED]
    for name in cases:
        table = f"main.corpus.`{name}`"
        steps(warehouse, json.loads((corpus / name / "case.json").read_text()), table)
        warehouse.execute(f"DESCRIBE DETAIL {table}")
        place = warehouse.fetchone().location.removeprefix("file://")
        shutil.copytree(place, tmp_path / name / "delta")
        shutil.copytree(corpus / name / "expected", tmp_path / name / "expected")
        shutil.copy(corpus / name / "case.json", tmp_path / name)
    done = subprocess.run([BUILD / "tests/harness/deltacheck", tmp_path], capture_output=True, text=True)
    failed = [x for x in done.stdout.splitlines() if x.startswith("FAIL")]
    assert not failed and done.returncode == 0, "\n".join(failed) + done.stderr
    assert len([x for x in done.stdout.splitlines() if x.startswith("ok ")]) == len(cases)
