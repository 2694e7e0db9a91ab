# SPDX-License-Identifier: Apache-2.0
"""From a logged model to answers over REST: MLflow logs and registers, databricks-sdk serves and asks."""

import concurrent.futures
import sys

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import errors
from databricks.sdk.service import iam, serving

cloudpickle.register_pickle_by_value(sys.modules[__name__])
rng = np.random.default_rng(5)
X = pd.DataFrame({"width": rng.normal(size=120), "depth": rng.uniform(0, 9, 120), "height": rng.normal(size=120)})
Y = (X.width * 2 + X.depth > 4).astype(int) + (X.height > 1)


def sklearn_model():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=400)).fit(X, Y)
    return "sklearn", model, model.predict


def xgboost_model():
    import xgboost
    model = xgboost.XGBRegressor(n_estimators=20, max_depth=4).fit(X, X.depth * X.width)
    return "xgboost", model, model.predict


def xgboost_classes():
    import xgboost
    model = xgboost.XGBClassifier(n_estimators=10).fit(X, Y)
    return "xgboost", model, model.predict


def lightgbm_model():
    import lightgbm
    model = lightgbm.LGBMRegressor(n_estimators=20, verbose=-1).fit(X, X.depth * X.width)
    return "lightgbm", model, model.predict


KINDS = {f.__name__: f for f in (sklearn_model, xgboost_model, xgboost_classes, lightgbm_model)}


def log(platform, name, flavor, model, output, **more):
    """Logs and registers in Unity Catalog; the version's number."""
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment(f"/Shared/{name.replace('.', '-')}")
        given = {"python_model": model} if flavor == "pyfunc" else {"xgb_model": model} if flavor == "xgboost" else {
            "lgb_model": model} if flavor == "lightgbm" else {"sk_model": model}
        if "signature" not in more:
            more["signature"] = mlflow.models.infer_signature(X, output)
        with mlflow.start_run():
            info = getattr(mlflow, flavor).log_model(name="model", registered_model_name=name, pip_requirements=["mlflow"],
                                                     **given, **more)
        return str(info.registered_model_version)


def entity(model, version="1", /, **more):
    return serving.ServedEntityInput(entity_name=model, entity_version=version, workload_size="Small",
                                     scale_to_zero_enabled=True, **more)


def create(sdk, endpoint, *entities, **more):
    made = sdk.serving_endpoints.create_and_wait(
        name=endpoint, config=serving.EndpointCoreConfigInput(name=endpoint, served_entities=list(entities), **more))
    assert made.state.ready == serving.EndpointStateReady.READY
    assert made.state.config_update == serving.EndpointStateConfigUpdate.NOT_UPDATING
    return made


def split(frame):
    return serving.DataframeSplitInput(columns=list(frame.columns), data=frame.to_numpy().tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_answers_equal_local_predictions(platform, sdk, u, kind):
    flavor, model, predict = KINDS[kind]()
    name, endpoint = f"main.default.{kind}_{u}", f"{kind}-{u}"
    log(platform, name, flavor, model, predict(X))
    create(sdk, endpoint, entity(name))
    want = predict(X)

    def same(got, rows=slice(None)):
        if want.dtype.kind == "f" and flavor == "sklearn":
            np.testing.assert_allclose(got, want[rows], rtol=1e-12)
        else:
            assert got == want[rows].tolist()
    ask = sdk.serving_endpoints.query
    answer = ask(endpoint, dataframe_split=split(X))
    same(answer.predictions)
    assert answer.served_model_name == f"main-default-{kind}_{u}-1"
    same(ask(endpoint, dataframe_records=X.to_dict("records")).predictions)
    same(ask(endpoint, inputs={c: X[c].tolist() for c in X.columns}).predictions)
    same(ask(endpoint, instances=X[:4].to_dict("records")).predictions, slice(4))
    csv = platform.request("POST", f"/serving-endpoints/{endpoint}/invocations", headers={"Content-Type": "text/csv"},
                           data=X[:5].to_csv(index=False))
    assert csv.status_code == 200, csv.text
    same(csv.json()["predictions"], slice(5))
    sdk.serving_endpoints.delete(endpoint)
    with pytest.raises(errors.NotFound):
        ask(endpoint, dataframe_split=split(X[:1]))


class Model:
    """What the Python models of this file do; mixed into PythonModel where mlflow is imported."""

    def predict(self, context, model_input, params=None):
        if (model_input["width"] > 1e6).any():
            raise ValueError("too wide")
        if (model_input["width"] < -1e6).any():
            import os
            os._exit(9)
        return model_input["width"] * (params or {}).get("by", 2.0)


def python_model(mlflow):
    return type("Doubled", (Model, mlflow.pyfunc.PythonModel), {})()


@pytest.fixture(scope="module")
def doubled(platform):
    """Name of an endpoint with a Python model that takes a param."""
    sdk = platform.sdk()
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        model = python_model(mlflow)
        signature = mlflow.models.infer_signature(X, X.width, params={"by": 2.0})
    name = "main.default.doubled"
    log(platform, name, "pyfunc", model, None, signature=signature)
    create(sdk, "doubled", entity(name, name="d"))
    yield "doubled"
    sdk.serving_endpoints.delete("doubled")


def invoke(platform, endpoint, body, **more):
    return platform.request("POST", f"/serving-endpoints/{endpoint}/invocations", body=body, **more)


def test_python_models(platform, sdk, doubled):
    want = (X.width * 2.0).tolist()
    answer = invoke(platform, doubled, {"dataframe_split": split(X).as_dict()})
    assert answer.status_code == 200, answer.text
    assert [r["width"] for r in answer.json()["predictions"]] == want and answer.headers["served-model-name"] == "d"
    with_params = invoke(platform, doubled, {"dataframe_split": split(X[:1]).as_dict(), "params": {"by": 10.0}})
    assert with_params.json()["predictions"] == [{"width": float(X.width[0] * 10.0)}]
    one = invoke(platform, doubled, {"dataframe_split": [split(X[:1]).as_dict()]})
    assert one.status_code == 200, one.text
    by_name = platform.request("POST", f"/serving-endpoints/{doubled}/served-models/d/invocations",
                               body={"dataframe_split": split(X[:1]).as_dict()})
    assert by_name.status_code == 200, by_name.text


@pytest.mark.parametrize("body, text", [
    ({"nothing": 1}, "The input must be a JSON dictionary with exactly one of the input fields"),
    ({"dataframe_split": {"columns": ["width"], "data": [[1.0]]}}, "Failed to enforce schema"),
    ({"dataframe_records": [{"width": 2e6, "depth": 1.0, "height": 1.0}]}, "Encountered an unexpected error while evaluating the model"),
])
def test_refusals_of_python_models(platform, doubled, body, text):
    answer = invoke(platform, doubled, body)
    assert answer.status_code == 400 and text in answer.json()["message"], answer.text


def test_a_crash_is_an_error_and_then_it_works_again(platform, doubled):
    answer = invoke(platform, doubled, {"dataframe_records": [{"width": -2e6, "depth": 1.0, "height": 1.0}]})
    assert answer.status_code >= 500 and answer.json()["message"], answer.text
    again = invoke(platform, doubled, {"dataframe_split": split(X[:1]).as_dict()})
    assert again.status_code == 200, again.text


def test_refusals_of_native_models(platform, sdk, u):
    flavor, model, predict = xgboost_model()
    name, endpoint = f"main.default.strict_{u}", f"strict-{u}"
    log(platform, name, flavor, model, predict(X))
    create(sdk, endpoint, entity(name))
    for body, text in (({"nothing": 1}, "exactly one of the input fields"), ([1], "exactly one of the input fields"),
                       ({"dataframe_split": {"columns": ["width"], "data": [[1.0]]}}, "Failed to enforce schema"),
                       ({"dataframe_records": [{"width": "wide", "depth": 1.0, "height": 2.0}]}, "")):
        answer = invoke(platform, endpoint, body)
        assert answer.status_code == 400 and text in answer.json()["message"], answer.text
    plain = platform.request("POST", f"/serving-endpoints/{endpoint}/invocations", headers={"Content-Type": "text/plain"}, data=b"1")
    assert plain.status_code == 415 and plain.json()["message"].startswith("This predictor only supports the following content types:")
    missing = invoke(platform, endpoint, {"dataframe_records": [{"width": 1.0, "depth": None, "height": 2.0}]})
    assert missing.json()["predictions"] == predict(pd.DataFrame([[1.0, np.nan, 2.0]], columns=X.columns)).tolist()
    sdk.serving_endpoints.delete(endpoint)


def test_updates_and_traffic(platform, sdk, u):
    name, endpoint = f"main.default.split_{u}", f"split-{u}"
    flavor, model, predict = xgboost_model()
    log(platform, name, flavor, model, predict(X))
    flavor, second, second_predict = xgboost_classes()
    assert log(platform, name, flavor, second, second_predict(X)) == "2"
    create(sdk, endpoint, entity(name, "1", name="a"))
    routes = [serving.Route(served_model_name="a", traffic_percentage=50), serving.Route(served_model_name="b", traffic_percentage=50)]
    got = sdk.serving_endpoints.update_config_and_wait(endpoint, served_entities=[entity(name, "1", name="a"), entity(name, "2", name="b")],
                                                       traffic_config=serving.TrafficConfig(routes=routes))
    assert {e.name for e in got.config.served_entities} == {"a", "b"} and got.config.config_version == 2
    wants = {"a": predict(X[:3]).tolist(), "b": second_predict(X[:3]).tolist()}
    seen = set()
    for _ in range(200):
        answer = sdk.serving_endpoints.query(endpoint, dataframe_split=split(X[:3]))
        assert answer.predictions == wants[answer.served_model_name]
        seen.add(answer.served_model_name)
    assert seen == {"a", "b"}
    # A configuration that cannot be is refused, and the old one goes on.
    with pytest.raises(errors.DatabricksError):
        sdk.serving_endpoints.update_config_and_wait(endpoint, served_entities=[entity(name, "99", name="c")])
    assert sdk.serving_endpoints.query(endpoint, dataframe_split=split(X[:3])).predictions in wants.values()
    sdk.serving_endpoints.delete(endpoint)


@pytest.mark.parametrize("kind, times", [("native", 30), ("python", 6)])
def test_updates_lose_no_request(platform, sdk, u, kind, times):
    name, endpoint = f"main.default.swap_{kind}_{u}", f"swap-{kind}-{u}"
    flavor, model, predict = xgboost_model()
    want = predict(X[:2]).tolist()
    if kind == "python":
        with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
            flavor, model, want = "pyfunc", python_model(mlflow), [{"width": w * 2.0} for w in X.width[:2]]
    for _ in range(2):
        log(platform, name, flavor, model, predict(X))
    create(sdk, endpoint, entity(name, "1", name="a"))
    body = {"dataframe_split": split(X[:2]).as_dict()}
    done = []

    def load():
        asked = 0
        while not done:
            answer = invoke(platform, endpoint, body)
            assert answer.status_code == 200, answer.text
            assert answer.json()["predictions"] == want
            asked += 1
        return asked
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(load) for _ in range(2)]
        try:
            for i in range(times):
                sdk.serving_endpoints.update_config_and_wait(endpoint, served_entities=[entity(name, str(2 - i % 2), name="a")])
        finally:
            done.append(True)
        assert all(f.result() > times for f in loads)
    sdk.serving_endpoints.delete(endpoint)


def test_rights_on_endpoints(platform, sdk, u):
    name, endpoint = f"main.default.closed_{u}", f"closed-{u}"
    flavor, model, predict = xgboost_model()
    log(platform, name, flavor, model, predict(X))
    made = create(sdk, endpoint, entity(name))
    principal, theirs = platform.another(f"dora-{u}")
    token = theirs.config.authenticate()["Authorization"].removeprefix("Bearer ")
    body = {"dataframe_split": split(X[:1]).as_dict()}
    assert invoke(platform, endpoint, body, token=token).status_code == 403
    assert endpoint not in {e.name for e in theirs.serving_endpoints.list()}
    for level, asks, manages in (("CAN_VIEW", 403, False), ("CAN_QUERY", 200, False), ("CAN_MANAGE", 200, True)):
        sdk.permissions.set("serving-endpoints", made.id, access_control_list=[iam.AccessControlRequest(
            service_principal_name=principal, permission_level=iam.PermissionLevel(level))])
        answer = invoke(platform, endpoint, body, token=token)
        assert answer.status_code == asks, (level, answer.text)
        assert endpoint in {e.name for e in theirs.serving_endpoints.list()}
        if not manages:
            with pytest.raises(errors.PermissionDenied):
                theirs.serving_endpoints.delete(endpoint)
    theirs.serving_endpoints.delete(endpoint)


def test_endpoint_life(platform, sdk, u):
    name, endpoint = f"main.default.life_{u}", f"life-{u}"
    flavor, model, predict = xgboost_model()
    log(platform, name, flavor, model, predict(X))
    create(sdk, endpoint, entity(name, name="e"))
    got = sdk.serving_endpoints.get(endpoint)
    assert got.name == endpoint and got.creator == "admin" and got.config.served_entities[0].entity_name == name
    assert got.config.served_entities[0].state.deployment.value == "DEPLOYMENT_READY"
    assert got.config.traffic_config.routes[0].traffic_percentage == 100
    assert endpoint in {e.name for e in sdk.serving_endpoints.list()}
    with pytest.raises(errors.DatabricksError) as e:
        create(sdk, endpoint, entity(name))
    assert e.value.error_code == "RESOURCE_ALREADY_EXISTS"
    for wrong in ("no spaces", "x" * 64, ""):
        with pytest.raises(errors.DatabricksError):
            create(sdk, wrong, entity(name))
    assert isinstance(sdk.serving_endpoints.logs(endpoint, "e").logs, str)
    assert isinstance(sdk.serving_endpoints.build_logs(endpoint, "e").logs, str)
    sdk.serving_endpoints.delete(endpoint)


def test_models_of_the_workspace_registry(platform, sdk, u):
    """The older served_models with a model of the workspace registry."""
    flavor, model, predict = lightgbm_model()
    with platform.mlflow("databricks", registry="databricks") as mlflow:
        mlflow.set_experiment(f"/Shared/old-{u}")
        with mlflow.start_run():
            mlflow.lightgbm.log_model(model, name="model", registered_model_name=f"old_{u}", pip_requirements=["mlflow"],
                                      signature=mlflow.models.infer_signature(X, predict(X)))
    served = serving.ServedModelInput(model_name=f"old_{u}", model_version="1", scale_to_zero_enabled=True, workload_size="Small")
    made = sdk.serving_endpoints.create_and_wait(name=f"old-{u}", config=serving.EndpointCoreConfigInput(
        name=f"old-{u}", served_models=[served]))
    assert made.config.served_models[0].model_name == f"old_{u}"
    assert sdk.serving_endpoints.query(f"old-{u}", dataframe_split=split(X)).predictions == predict(X).tolist()
    sdk.serving_endpoints.delete(f"old-{u}")


def test_a_model_that_cannot_load_leaves_a_reason(platform, sdk, u):
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        class Broken(mlflow.pyfunc.PythonModel):
            def load_context(self, context):
                raise RuntimeError("the weights are missing")

            def predict(self, context, model_input, params=None):
                return model_input
        model = Broken()
    name, endpoint = f"main.default.broken_{u}", f"broken-{u}"
    log(platform, name, "pyfunc", model, X.width)
    with pytest.raises(Exception):
        create(sdk, endpoint, entity(name))
    got = sdk.serving_endpoints.get(endpoint)
    assert got.state.config_update.value == "UPDATE_FAILED" and got.state.ready.value == "NOT_READY"
    told = [e.state.deployment_state_message for e in got.pending_config.served_entities]
    assert any("the weights are missing" in (m or "") for m in told), told
    sdk.serving_endpoints.delete(endpoint)


def test_scoring_goes_on_while_control_dies(make_platform, u):
    p = make_platform().start()
    sdk = p.sdk()
    flavor, model, predict = xgboost_model()
    name, endpoint = f"main.default.kept_{u}", f"kept-{u}"
    log(p, name, flavor, model, predict(X))
    create(sdk, endpoint, entity(name))
    body, want = {"dataframe_split": split(X[:2]).as_dict()}, predict(X[:2]).tolist()
    assert p.kill9("control") == 1
    for _ in range(50):
        answer = invoke(p, endpoint, body)
        assert answer.status_code == 200 and answer.json()["predictions"] == want, answer.text
    p.restart()
    assert invoke(p, endpoint, body).json()["predictions"] == want
    assert p.kill9("supervisor") == 1
    p.start()
    assert invoke(p, endpoint, body).json()["predictions"] == want
