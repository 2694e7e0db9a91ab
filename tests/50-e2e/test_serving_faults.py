# SPDX-License-Identifier: Apache-2.0
"""Models that crash, hang, eat memory, lie or attack: one reason for the caller, and everything else runs on."""

import pickle
import sys
import uuid

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from databricks.sdk.service import serving

cloudpickle.register_pickle_by_value(sys.modules[__name__])
X = pd.DataFrame({"width": np.linspace(-1, 1, 40), "depth": np.linspace(0, 9, 40)})
TIMEOUT_S = 3


class Misbehaving:
    """Does what the first row's width says; mixed into PythonModel where mlflow is imported."""

    def predict(self, context, model_input, params=None):
        import os
        import signal
        import time
        what = int(model_input["width"][0])
        if what == 1:
            os._exit(9)
        if what == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if what == 3:
            time.sleep(600)
        if what == 4:
            eaten = []
            while True:
                eaten.append(bytearray(os.urandom(1 << 20)) * 32)
        if what == 5:
            raise SystemExit(3)
        if what == 6:
            return [os.getpid()]
        if what == 7:
            import socket
            try:
                socket.create_connection(("127.0.0.1", 9), timeout=2)
                return ["connected"]
            except OSError as e:
                return [type(e).__name__]
        return [float(what)] * len(model_input)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A platform with short limits."""
    from boathouse import Platform
    with Platform(tmp_path_factory.mktemp("faults") / "data",
                  settings={"serving.timeout": f"{TIMEOUT_S}s", "serving.memory": "768MiB", "importer.timeout": "40s"}) as p:
        yield p


def entity(name, version="1"):
    return serving.ServedEntityInput(entity_name=name, entity_version=version, name="e", workload_size="Small", scale_to_zero_enabled=True)


def create(platform, endpoint, name):
    """The endpoint after its creation ended, well or not."""
    from databricks.sdk.errors import OperationFailed
    sdk = platform.sdk()
    wait = sdk.serving_endpoints.create(name=endpoint, config=serving.EndpointCoreConfigInput(name=endpoint, served_entities=[entity(name)]))
    try:
        wait.result()
    except OperationFailed:
        pass
    return sdk.serving_endpoints.get(endpoint)


def invoke(platform, endpoint, what, rows=1):
    return platform.request("POST", f"/serving-endpoints/{endpoint}/invocations",
                            body={"dataframe_records": [{"width": float(what), "depth": 0.5}] * rows})


@pytest.fixture(scope="module")
def bad(own):
    """An endpoint whose model misbehaves when asked to."""
    with own.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment("/Shared/bad")
        model = type("Bad", (Misbehaving, mlflow.pyfunc.PythonModel), {})()
        with mlflow.start_run():
            mlflow.pyfunc.log_model(name="model", python_model=model, pip_requirements=["mlflow"], registered_model_name="main.default.bad",
                                    signature=mlflow.models.infer_signature(X, X.width))
    got = create(own, "bad", "main.default.bad")
    assert got.state.ready.value == "READY", got
    return "bad"


def works(platform, endpoint):
    answer = invoke(platform, endpoint, 0, rows=2)
    for _ in range(3):  # on a busy machine a new process may need longer than this platform's short limit of time
        if answer.status_code != 504:
            break
        answer = invoke(platform, endpoint, 0, rows=2)
    assert answer.status_code == 200 and answer.json()["predictions"] == [0.0, 0.0], answer.text


def pid_of(platform, endpoint):
    return invoke(platform, endpoint, 6).json()["predictions"]


def owned(platform):
    """pids of the runtime hosts that have an owner; another may be kept warm for whoever comes next."""
    found = platform.request("GET", "/api/boathouse/status").json()["processes"]
    return {p["pid"] for p in found if p["role"] == "runtime_host" and p["owner"]}


@pytest.mark.parametrize("what", [1, 2, 4])
def test_a_dying_process_is_an_error_and_a_new_one_comes(own, bad, what):
    works(own, bad)
    before = owned(own)
    answer = invoke(own, bad, what)
    assert answer.status_code >= 400 and answer.json()["message"], answer.text
    works(own, bad)
    if what != 4:  # memory may end as Python's own MemoryError, which needs no new process
        assert before.isdisjoint(owned(own))


def test_exit_in_a_model_is_an_error_of_the_request(own, bad):
    answer = invoke(own, bad, 5)
    assert 400 <= answer.status_code < 600 and answer.json()["message"], answer.text
    works(own, bad)


def test_a_late_answer_is_504_and_its_process_ends(own, bad):
    works(own, bad)
    before = owned(own)
    answer = invoke(own, bad, 3)
    assert answer.status_code == 504 and answer.json()["error_code"] == "DEADLINE_EXCEEDED", answer.text
    works(own, bad)
    assert before.isdisjoint(owned(own))
    assert "serving.timeout" in own.sdk().serving_endpoints.logs(bad, "e").logs


def test_a_model_reaches_no_network(own, bad):
    assert invoke(own, bad, 7).json()["predictions"] != ["connected"]


# ---- files of models ----

class Opens:
    """Unpickling it writes a file and opens a socket, and says so if that worked."""

    def __reduce__(self):
        return eval, ("(open('/tmp/../data/owned', 'w'), __import__('socket').create_connection(('127.0.0.1', 9)))",)


class Forks:
    def __reduce__(self):
        return eval, ("[__import__('os').fork() for _ in iter(int, 1)]",)


class Eats:
    def __reduce__(self):
        return eval, ("[bytearray(1 << 24) for _ in iter(int, 1)]",)


class Spins:
    def __reduce__(self):
        return eval, ("[None for _ in iter(int, 1)]",)


def truncated(raw):
    return raw[:len(raw) // 2]


def flipped(raw):
    rng = np.random.default_rng(3)
    out = bytearray(raw)
    for i in rng.integers(0, len(out), 200):
        out[i] ^= int(rng.integers(1, 256))
    return bytes(out)


SPOILED = {
    "truncated": ("xgboost", truncated),
    "flipped": ("xgboost", flipped),
    "empty": ("xgboost", lambda raw: b""),
    "deep_json": ("xgboost", lambda raw: b'{"learner":' * 200000),
    "huge_count": ("xgboost", lambda raw: b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"),
    "truncated_pickle": ("sklearn", truncated),
    "pickle_opens": ("sklearn", lambda raw: pickle.dumps(Opens())),
    "pickle_forks": ("sklearn", lambda raw: pickle.dumps(Forks())),
    "pickle_eats": ("sklearn", lambda raw: pickle.dumps(Eats())),
    "pickle_spins": ("sklearn", lambda raw: pickle.dumps(Spins())),
}


def spoil(mlflow, folder, flavor, change):
    """Saves a good model below folder and changes its largest data file."""
    if flavor == "xgboost":
        import xgboost
        mlflow.xgboost.save_model(xgboost.XGBRegressor(n_estimators=5).fit(X, X.depth), folder, pip_requirements=["mlflow"])
        names = ("model.xgb", "model.ubj", "model.json")
    else:
        from sklearn.linear_model import LinearRegression
        mlflow.sklearn.save_model(LinearRegression().fit(X, X.depth), folder, pip_requirements=["mlflow"], serialization_format="cloudpickle")
        names = ("model.pkl",)
    path = next(folder / n for n in names if (folder / n).exists())
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_model_fails_with_a_reason_and_harms_nothing(own, bad, tmp_path, how):
    u = uuid.uuid4().hex[:8]
    flavor, change = SPOILED[how]
    with own.mlflow("databricks", registry="databricks") as mlflow:
        mlflow.set_experiment("/Shared/spoiled")
        spoil(mlflow, tmp_path / "model", flavor, change)
        with mlflow.start_run() as run:
            mlflow.log_artifacts(str(tmp_path / "model"), "model")
        client = mlflow.MlflowClient()
        client.create_registered_model(f"spoiled_{u}")
        client.create_model_version(f"spoiled_{u}", f"{run.info.artifact_uri}/model", run.info.run_id)
    got = create(own, f"spoiled-{u}", f"spoiled_{u}")
    assert got.state.ready.value == "NOT_READY" and got.state.config_update.value == "UPDATE_FAILED", got
    told = got.pending_config.served_entities[0].state
    assert told.deployment.value == "DEPLOYMENT_FAILED" and len(told.deployment_state_message) > 20
    assert "Traceback" not in told.deployment_state_message
    print(how, "→", told.deployment_state_message)
    works(own, bad)
    assert not (own.data / "owned").exists()
    own.sdk().serving_endpoints.delete(f"spoiled-{u}")


def test_nothing_is_left_of_it(own, bad):
    """The roles that never end are the ones that began, and no importer lives on."""
    roles = own.processes()
    assert not {"importer", "importer_python"} & set(roles), roles
    assert len(roles["control"]) == 1
    works(own, bad)
