# SPDX-License-Identifier: Apache-2.0
"""Processes of Python models: kept warm without an owner, leased once, let go when idle, woken by a request."""

import sys
import time

import cloudpickle
import pandas as pd
import psutil
import pytest
from databricks.sdk.service import serving

cloudpickle.register_pickle_by_value(sys.modules[__name__])
X = pd.DataFrame({"width": [1.0, 2.0, 3.0]})


def log(p, name):
    with p.mlflow("databricks", registry="databricks-uc") as mlflow:
        class Twice(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return (model_input["width"] * 2).to_numpy()
        mlflow.set_experiment("/Shared/hosts")
        with mlflow.start_run():
            mlflow.pyfunc.log_model(name="model", python_model=Twice(), registered_model_name=name, pip_requirements=["mlflow"],
                                    signature=mlflow.models.infer_signature(X, X.width))


def create(p, endpoint, name, idle=True):
    p.sdk().serving_endpoints.create_and_wait(endpoint, config=serving.EndpointCoreConfigInput(
        name=endpoint, served_entities=[serving.ServedEntityInput(name="e", entity_name=name, entity_version="1", workload_size="Small",
                                                                  scale_to_zero_enabled=idle)]))


def hosts(p, owned):
    """pids of runtime hosts that have an owner, or of those that have none."""
    found = p.request("GET", "/api/boathouse/status").json()["processes"]
    return {x["pid"] for x in found if x["role"] == "runtime_host" and bool(x["owner"]) == owned}


def until(condition, what):
    deadline = time.monotonic() + 120
    while not (got := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return got


def ask(p, endpoint):
    answer = p.request("POST", f"/serving-endpoints/{endpoint}/invocations", body={"dataframe_records": X.to_dict("records")})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == [2.0, 4.0, 6.0]


def test_a_warm_process_is_leased_and_replaced(make_platform, u):
    p = make_platform(settings={"serving.warm_hosts": "1"}).start()
    assert not hosts(p, False), "without a Python model none is kept"
    name = f"main.default.w_{u}"
    log(p, name)
    (warm,) = until(lambda: hosts(p, False), "a warm process comes with the first Python model")
    create(p, f"w-{u}", name)
    ask(p, f"w-{u}")
    assert hosts(p, True) == {warm}, "the model is in the process that was warm"
    (second,) = until(lambda: hosts(p, False), "another takes its place")
    assert second != warm
    psutil.Process(second).kill()
    until(lambda: hosts(p, False) - {second}, "one that dies is replaced")
    # A new control takes over what is there, and keeps one, however many were under way.
    assert p.kill9("control") == 1
    until(lambda: p.request("GET", "/readyz", token="").status_code == 200, "control is back")
    create(p, f"x-{u}", name)
    ask(p, f"x-{u}"), ask(p, f"w-{u}")
    assert warm in hosts(p, True) and len(hosts(p, True)) == 2
    until(lambda: len(hosts(p, False)) == 1, "one is kept")


def test_none_is_kept_where_none_is_wanted(make_platform, u):
    p = make_platform(settings={"serving.warm_hosts": "0"}).start()
    name = f"main.default.n_{u}"
    log(p, name)
    create(p, f"n-{u}", name)
    ask(p, f"n-{u}")
    time.sleep(3)
    assert not hosts(p, False) and len(hosts(p, True)) == 1


@pytest.mark.parametrize("warm", ["0", "1"])
def test_scale_to_zero_and_back(make_platform, u, warm):
    """After the idle time an entity holds no process; the next request gets one, and one that may not sleep stays."""
    p = make_platform(settings={"serving.warm_hosts": warm}, args=["--test-clock"]).start()
    name = f"main.default.z_{u}"
    log(p, name)
    create(p, f"z-{u}", name)
    create(p, f"stays-{u}", name, idle=False)
    ask(p, f"z-{u}"), ask(p, f"stays-{u}")
    assert len(hosts(p, True)) == 2

    def advance(minutes):
        assert p.request("POST", "/api/boathouse/test/clock", {"advance_ms": minutes * 60_000}).status_code == 200
    advance(20)
    ask(p, f"z-{u}")
    advance(20)  # idle for 20 minutes since: not long enough
    time.sleep(2)
    assert len(hosts(p, True)) == 2
    advance(11)
    until(lambda: len(hosts(p, True)) == 1, "the idle one goes")
    ask(p, f"stays-{u}")
    assert p.sdk().serving_endpoints.get(f"z-{u}").state.ready.value == "READY"
    ask(p, f"z-{u}")
    assert len(hosts(p, True)) == 2
