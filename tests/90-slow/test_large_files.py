# SPDX-License-Identifier: Apache-2.0
"""Files of gigabytes through gateway, control and courier in bounded memory; drivers and tour with the root on S3."""

import importlib.util
import io
import sys
from pathlib import Path

import pytest
import requests

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))
import s3_store  # noqa: E402
from big_files import MB, Pattern, peak_mb, sha256_of  # noqa: E402
from boathouse import Platform  # noqa: E402


def load(name):
    """A test file of the end-to-end folder as a module: its steps run here on another root."""
    spec = importlib.util.spec_from_file_location(name, HERE.parent / f"50-e2e/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def on_s3(tmp_path):
    with s3_store.store() as store, store.platform(tmp_path / "data", "big") as p:
        yield p


def artifact_path(p):
    experiments = p.sdk().experiments
    exp = experiments.create_experiment("/Shared/large").experiment_id
    run = experiments.create_run(experiment_id=exp).run.info
    return f"/WorkspaceInternal/Mlflow/Artifacts/{exp}/{run.run_id}/artifacts/large"


def there_and_back(p, size):
    body, auth = Pattern(size), {"Authorization": f"Bearer {p.token}"}
    url = f"{p.url}/api/2.0/fs/files{artifact_path(p)}"
    put = requests.put(url, data=io.BufferedReader(Pattern(size), MB), headers=auth, timeout=1800)
    assert put.status_code == 204, put.text
    middle = requests.get(url, headers={**auth, "Range": f"bytes={size // 2 - 3}-{size // 2 + MB}"}, timeout=300)
    assert middle.status_code == 206 and middle.content == body.slice(size // 2 - 3, MB + 4)
    with requests.get(url, headers=auth, stream=True, timeout=1800) as got:
        assert got.status_code == 200 and sha256_of(got.raw) == (body.sha256(), size)
    for role in ("control", "gateway"):
        assert peak_mb(p, role) < 64, role


def test_5_gb_on_s3(on_s3):
    there_and_back(on_s3, 5 * 1024 * MB)


def test_5_gb_on_the_local_root(tmp_path):
    with Platform(tmp_path / "data") as p:
        there_and_back(p, 5 * 1024 * MB)


def test_1_gb_in_parts_by_the_sdk(on_s3):
    body, path = Pattern(1024 * MB), artifact_path(on_s3)
    files = on_s3.sdk().files
    files.upload(path, io.BufferedReader(Pattern(body.size), MB), overwrite=True)
    assert sha256_of(files.download(path).contents) == (body.sha256(), body.size)
    for role in ("control", "gateway"):
        assert peak_mb(on_s3, role) < 64, role


def test_driver_with_the_root_on_s3(on_s3, tmp_path):
    drivers = load("test_drivers")
    drivers.served_model.__wrapped__(on_s3)
    drivers.test_mlflow_http(on_s3, tmp_path)
    for mode in ("databricks", "uc"):
        drivers.drive(on_s3, "drive_mlflow.py", "--mode", mode)


def test_tour_with_the_root_on_s3(tmp_path):
    tours = load("test_tour")
    with s3_store.store() as store, store.platform(tmp_path / "data", "tour", https=True) as p:
        done = tours.tour("--data", str(p.data), cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert store.objects("tour/"), "its files lie on S3"
