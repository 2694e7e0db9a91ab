# SPDX-License-Identifier: Apache-2.0
"""Environments of models' own: what the base does not have comes from a package index, through the courier."""

import importlib.metadata
import sys
import time

import cloudpickle
import pandas as pd
import pytest
from databricks.sdk.service import serving
from wheel_index import WheelIndex

cloudpickle.register_pickle_by_value(sys.modules[__name__])
X = pd.DataFrame({"width": [1.0, 2.0, 3.0]})


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    with WheelIndex(tmp_path_factory.mktemp("wheels") / "index") as made:
        made.installed("mlflow-skinny", "pandas", "numpy", "scikit-learn")
        # MLflow adds itself to each model's requirements; its full form needs fifty packages more.
        version = importlib.metadata.version("mlflow")
        made.pure("mlflow", version, [f"mlflow-skinny=={version}", "pandas", "numpy"], body=None)
        made.pure("oar", "1.5", body="factor = 10.0\n")
        made.pure("oar", "2.0", body="factor = 20.0\n")
        made.pure("rower", "1.0", ["oar<2"])
        yield made


@pytest.fixture(scope="module")
def p(index, tmp_path_factory):
    from boathouse import Platform
    settings = {"environments.index_url": index.url, "egress.allow": f"127.0.0.1:{index.port}"}
    with Platform(tmp_path_factory.mktemp("env") / "data", settings=settings) as made:
        yield made


def log(p, name, requirements, plus=0.0):
    with p.mlflow("databricks", registry="databricks-uc") as mlflow:
        class Rows(mlflow.pyfunc.PythonModel):
            def load_context(self, context):
                import oar
                self.factor = oar.factor

            def predict(self, context, model_input, params=None):
                return (model_input["width"] * self.factor + plus).to_numpy()
        mlflow.set_experiment("/Shared/environments")
        with mlflow.start_run():
            return mlflow.pyfunc.log_model(name="model", python_model=Rows(), registered_model_name=name, pip_requirements=requirements,
                                           signature=mlflow.models.infer_signature(X, X.width)).registered_model_version


def config(endpoint, name, version="1"):
    return serving.EndpointCoreConfigInput(name=endpoint, served_entities=[serving.ServedEntityInput(
        name="e", entity_name=name, entity_version=str(version), workload_size="Small", scale_to_zero_enabled=True)])


def ask(p, endpoint):
    answer = p.request("POST", f"/serving-endpoints/{endpoint}/invocations", body={"dataframe_records": X.to_dict("records")})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def settled(sdk, endpoint):
    deadline = time.monotonic() + 300
    while (got := sdk.serving_endpoints.get(endpoint)).state.config_update.value == "IN_PROGRESS":
        assert time.monotonic() < deadline, "the update does not end"
        time.sleep(0.2)
    return got


def test_packages_of_the_index(p, index, u):
    sdk, first, second = p.sdk(), f"main.default.a_{u}", f"main.default.b_{u}"
    log(p, first, ["rower"])
    made = sdk.serving_endpoints.create_and_wait(f"a-{u}", config=config(f"a-{u}", first))
    assert made.state.ready.value == "READY"
    assert ask(p, f"a-{u}") == [10.0, 20.0, 30.0]
    build = sdk.serving_endpoints.build_logs(f"a-{u}", "e").logs
    assert "Its packages are in the environment" in build or "Made the environment" in build, build
    assert any(path.endswith(".whl") and "/oar-1.5" in path for path in index.asked)
    # Equal requirements are locked and built once: another model with them asks the index nothing.
    before = len(index.asked)
    log(p, second, ["rower"], plus=0.5)
    sdk.serving_endpoints.create_and_wait(f"b-{u}", config=config(f"b-{u}", second))
    assert ask(p, f"b-{u}") == [10.5, 20.5, 30.5] and len(index.asked) == before
    # Another version of the same package lives beside it.
    other = f"main.default.c_{u}"
    log(p, other, ["oar==2.0"])
    sdk.serving_endpoints.create_and_wait(f"c-{u}", config=config(f"c-{u}", other))
    assert ask(p, f"c-{u}") == [20.0, 40.0, 60.0] and ask(p, f"a-{u}") == [10.0, 20.0, 30.0]
    # All is found again, in the environments as they are.
    before = len(index.asked)
    p.restart()
    assert ask(p, f"c-{u}") == [20.0, 40.0, 60.0] and ask(p, f"a-{u}") == [10.0, 20.0, 30.0]
    assert len(index.asked) == before


@pytest.mark.parametrize("requirement, text", [
    ("no-such-thing-here==3", "no-such-thing-here"),
    ("oar==9", "oar==9"),
    ("thing @ https://example.com/thing-1-py3-none-any.whl", "only packages of the index"),
])
def test_what_the_index_does_not_have(p, u, requirement, text):
    sdk, name, endpoint = p.sdk(), f"main.default.m_{u}", f"m-{u}"
    log(p, name, ["oar==1.5"])
    sdk.serving_endpoints.create_and_wait(endpoint, config=config(endpoint, name))
    version = log(p, name, [requirement])
    sdk.serving_endpoints.update_config(endpoint, served_entities=config(endpoint, name, version).served_entities)
    got = settled(sdk, endpoint)
    assert got.state.config_update.value == "UPDATE_FAILED" and got.state.ready.value == "READY"
    told = got.pending_config.served_entities[0].state.deployment_state_message
    assert "environment cannot be made" in told and text in told, told
    assert ask(p, endpoint) == [10.0, 20.0, 30.0]


def test_objects_are_opened_by_the_versions_they_ask_for(p, index, u):
    """A pickled model whose requirements the base does not meet: its own environment opens it, and still makes a plan."""
    from sklearn.linear_model import LinearRegression
    model = LinearRegression().fit(X, X.width * 3 + 1)
    name, endpoint = f"main.default.s_{u}", f"s-{u}"
    import sklearn
    with p.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment("/Shared/environments")
        with mlflow.start_run():
            mlflow.sklearn.log_model(model, name="model", registered_model_name=name, serialization_format="cloudpickle",
                                     pip_requirements=[f"scikit-learn=={sklearn.__version__}", "cloudpickle", "rower"],
                                     signature=mlflow.models.infer_signature(X, model.predict(X)))
    sdk = p.sdk()
    sdk.serving_endpoints.create_and_wait(endpoint, config=config(endpoint, name))
    assert ask(p, endpoint) == pytest.approx(model.predict(X).tolist(), rel=1e-12)
    build = sdk.serving_endpoints.build_logs(endpoint, "e").logs
    assert "Ready (native plan" in build, build
    assert any("scikit_learn" in path and path.endswith(".whl") for path in index.asked)


@pytest.mark.parametrize("level", ["user", "reduced"])
def test_at_the_other_sandbox_levels(make_platform, index, u, level):
    p = make_platform(settings={"environments.index_url": index.url, "egress.allow": f"127.0.0.1:{index.port}", "sandbox.level": level}).start()
    name, endpoint = f"main.default.l_{u}", f"l-{u}"
    log(p, name, ["oar==1.5"])
    p.sdk().serving_endpoints.create_and_wait(endpoint, config=config(endpoint, name))
    assert ask(p, endpoint) == [10.0, 20.0, 30.0]


def test_without_an_index(make_platform, u):
    p = make_platform(settings={"environments.index_url": "off"}).start()
    sdk, name, endpoint = p.sdk(), f"main.default.n_{u}", f"n-{u}"
    log(p, name, ["rower"])
    sdk.serving_endpoints.create(endpoint, config=config(endpoint, name))
    got = settled(sdk, endpoint)
    assert got.state.config_update.value == "UPDATE_FAILED"
    assert "environments.index_url" in got.pending_config.served_entities[0].state.deployment_state_message
