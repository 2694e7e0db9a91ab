# SPDX-License-Identifier: Apache-2.0
"""Runs the client drivers that may lie beside the checkout (or where BOATHOUSE_DRIVERS says), if they are there.

They are acceptance checks of others; the project's own flows are the other files of this folder.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
DRIVERS = Path(os.environ.get("BOATHOUSE_DRIVERS") or ROOT.parent / "shared/clients")
# Steps of drive_sdk.py whose services the platform has.
SDK_STEPS = ["me", "host_metadata_is_cached_or_repeated", "bad_token", "scim_pagination", "tokens", "dbfs", "account_client",
             "oauth_u2m_endpoints", "serving"]


@pytest.fixture(scope="module")
def served_model(platform):
    """main.default.m with versions 1 and 2: it takes a frame with x, bare arrays, and chat messages."""
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        from mlflow.types import ColSpec, Schema
        from mlflow.types.schema import AnyType

        class Any(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return [1.0] * len(model_input)
        free = [ColSpec(AnyType(), name, required=False) for name in ("x", "messages", "stream")]
        signature = mlflow.models.ModelSignature(Schema(free), Schema([ColSpec("double")]))
        mlflow.set_experiment("/Shared/drivers")
        import cloudpickle
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        for _ in range(2):
            with mlflow.start_run():
                mlflow.pyfunc.log_model(name="model", python_model=Any(), signature=signature, pip_requirements=["mlflow"],
                                        registered_model_name="main.default.m")


def drive(platform, script, *arguments, env=None):
    if not (DRIVERS / script).exists():
        pytest.skip(f"no {script} in {DRIVERS}")
    host, port = "127.0.0.1", str(platform.http_port)
    done = subprocess.run([sys.executable, script, "--host", host, "--port", port, "--token", platform.token, *arguments],
                          cwd=DRIVERS, capture_output=True, text=True, timeout=550,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TRACE": "1", **(env or {})})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


def test_mlflow_http(platform, tmp_path):
    # In this mode the driver passes no token to MLflow; requests takes one from a netrc file (HTTP Basic, user token).
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login token password {platform.token}\n")
    netrc.chmod(0o600)
    drive(platform, "drive_mlflow.py", "--mode", "http", env={"NETRC": str(netrc)})


@pytest.mark.parametrize("mode", ["databricks", "uc"])
def test_mlflow(platform, served_model, mode):
    drive(platform, "drive_mlflow.py", "--mode", mode)


def test_sdk(platform, served_model):
    drive(platform, "drive_sdk.py", "--only", ",".join(SDK_STEPS))


def test_sdk_over_tls(make_platform):
    """The steps of identity and files once more, through the other door."""
    p = make_platform(https=True).start()
    p.http_port, plain = p.https_port, p.http_port
    steps = [s for s in SDK_STEPS if s != "serving"]
    drive(p, "drive_sdk.py", "--tls", "--ca", p.connect["SSL_CERT_FILE"], "--only", ",".join(steps))
    p.http_port = plain
