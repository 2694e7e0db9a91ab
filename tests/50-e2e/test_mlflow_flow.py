# SPDX-License-Identifier: Apache-2.0
"""The way of a model from training to the registry through the unmodified MLflow client.

Every test runs on both transports: MLflow's own REST store (http) and the Databricks SDK (databricks).
"""

import math
import sys
import time

import cloudpickle
import numpy as np
import pandas as pd
import pytest


cloudpickle.register_pickle_by_value(sys.modules[__name__])
rng = np.random.default_rng(11)
X = pd.DataFrame({"width": rng.normal(size=80), "depth": rng.uniform(0, 9, 80), "n": rng.integers(0, 5, 80).astype(float)})
Y = (X.width * 2 + X.depth > 4).astype(int)


@pytest.fixture(params=["http", "databricks"])
def client(platform, u, request):
    """(mlflow, MlflowClient, transport) with an experiment of its own."""
    with platform.mlflow(request.param) as mlflow:
        name = f"flow-{u}" if request.param == "http" else f"/Shared/flow-{u}"
        mlflow.set_experiment(name)
        yield mlflow, mlflow.MlflowClient(), request.param


def experiment_id(mlflow):
    return mlflow.tracking.fluent._get_experiment_id()


def test_runs_keep_what_was_logged(client):
    mlflow, c, _ = client
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"depth": 6, "eta": 0.1, "text": "ü ' \" \\ 漢"})
        for step in range(5):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"nan": math.nan, "up": math.inf, "down": -math.inf, "tiny": 5e-324, "exact": 0.1 + 0.2})
        mlflow.set_tags({"stage": "try", "empty": ""})
    got = c.get_run(run.info.run_id)
    assert got.info.status == "FINISHED" and got.info.run_name == "first" and got.info.end_time >= got.info.start_time
    assert got.data.params == {"depth": "6", "eta": "0.1", "text": "ü ' \" \\ 漢"}
    assert got.data.tags["stage"] == "try" and got.data.tags["empty"] == ""
    metrics = got.data.metrics
    assert metrics["loss"] == 0.2 and metrics["exact"] == 0.1 + 0.2 and metrics["tiny"] == 5e-324
    assert math.isnan(metrics["nan"]) and metrics["up"] > 1e308 and metrics["down"] < -1e308
    history = c.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(s, 1.0 / (s + 1)) for s in range(5)]
    assert all(abs(m.timestamp - time.time() * 1000) < 3600e3 for m in history)


def test_batches_and_immutable_params(client):
    mlflow, c, _ = client
    run = c.create_run(experiment_id(mlflow)).info.run_id
    entities = mlflow.entities
    c.log_batch(run, metrics=[entities.Metric(f"m{i}", i / 7, 1700000000000 + i, i) for i in range(1000)])
    c.log_batch(run, params=[entities.Param(f"p{i}", str(i)) for i in range(100)], tags=[entities.RunTag("a", "b")])
    got = c.get_run(run)
    assert len(got.data.metrics) == 1000 and got.data.metrics["m999"] == 999 / 7 and len(got.data.params) == 100
    c.log_param(run, "p1", "1")
    with pytest.raises(mlflow.MlflowException, match="p1"):
        c.log_param(run, "p1", "2")
    c.set_terminated(run, "FAILED")
    assert c.get_run(run).info.status == "FAILED"
    c.delete_run(run)
    with pytest.raises(mlflow.MlflowException):
        c.log_metric(run, "late", 1)
    c.restore_run(run)
    c.log_metric(run, "late", 1)


def test_searches(client):
    mlflow, c, _ = client
    for i in range(7):
        with mlflow.start_run(run_name=f"r{i}"):
            mlflow.log_metric("acc", i / 10)
            mlflow.log_param("kind", "even" if i % 2 == 0 else "odd")
    exp = [experiment_id(mlflow)]

    def names(filter_string, order=("metrics.acc DESC",), **more):
        return [r.info.run_name for r in c.search_runs(exp, filter_string, order_by=list(order), **more)]
    assert names("metrics.acc > 0.25 and params.kind = 'odd'") == ["r5", "r3"]
    assert names("attributes.run_name LIKE 'r%' and metrics.acc <= 0.1") == ["r1", "r0"]
    ids = [r.info.run_id for r in c.search_runs(exp, "params.kind = 'even'", order_by=["attributes.start_time ASC"])]
    listed = ", ".join(f"'{i}'" for i in ids[1:3])
    assert names(f"attributes.run_id IN ({listed})", order=["attributes.start_time ASC"]) == ["r2", "r4"]
    assert names("tags.mlflow.runName != 'r6'")[0] == "r5"
    seen, page = [], None
    while True:
        found = c.search_runs(exp, order_by=["metrics.acc ASC"], max_results=3, page_token=page)
        seen += [r.info.run_name for r in found]
        page = found.token
        if not page:
            break
    assert seen == [f"r{i}" for i in range(7)]
    assert len(mlflow.search_runs(exp)) == 7
    with pytest.raises(mlflow.MlflowException):
        names("metrics.acc >> 1")


def test_artifacts(client, tmp_path):
    mlflow, c, _ = client
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/one.txt").write_text("1")
    (tmp_path / "d/e/two ü.bin").write_bytes(bytes(range(256)) * 4000)
    (tmp_path / "empty").write_bytes(b"")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "d"), "all")
        mlflow.log_artifact(str(tmp_path / "empty"))
        mlflow.log_dict({"a": [1, 2]}, "x/y.json")
    rid = run.info.run_id
    assert {(f.path, f.is_dir) for f in c.list_artifacts(rid)} == {("all", True), ("empty", False), ("x", True)}
    assert {(f.path, f.file_size) for f in c.list_artifacts(rid, "all/e")} == {("all/e/two ü.bin", 1024000)}
    got = mlflow.artifacts.download_artifacts(run_id=rid, artifact_path="all", dst_path=str(tmp_path / "back"))
    assert (tmp_path / "back/all/e/two ü.bin").read_bytes() == (tmp_path / "d/e/two ü.bin").read_bytes(), got
    assert mlflow.artifacts.load_dict(f"runs:/{rid}/x/y.json") == {"a": [1, 2]}
    with pytest.raises(Exception):
        mlflow.artifacts.load_text(f"runs:/{rid}/not-there.txt")




def python_model(mlflow):
    class Shifted(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["width"] + (params or {}).get("by", 1.0)
    return Shifted()


def trained(mlflow, kind):
    """(save function, model, predictions of the library itself)."""
    if kind == "sklearn":
        from sklearn.linear_model import LogisticRegression
        model = LogisticRegression().fit(X, Y)
        return mlflow.sklearn.log_model, model, model.predict(X)
    if kind == "xgboost":
        import xgboost
        model = xgboost.XGBRegressor(n_estimators=10).fit(X, Y)
        return mlflow.xgboost.log_model, model, model.predict(X)
    if kind == "lightgbm":
        import lightgbm
        model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, Y)
        return mlflow.lightgbm.log_model, model, model.predict(X)
    return mlflow.pyfunc.log_model, python_model(mlflow), (X.width + 1.0).to_numpy()


@pytest.mark.parametrize("kind", ["sklearn", "xgboost", "lightgbm", "pyfunc"])
def test_models_come_back_the_same(client, u, kind):
    mlflow, c, transport = client
    log, model, want = trained(mlflow, kind)
    given = {"python_model": model} if kind == "pyfunc" else {}
    with mlflow.start_run() as run:
        info = log(*([] if given else [model]), name="model", **given, input_example=X[:3], pip_requirements=["mlflow"],
                   signature=mlflow.models.infer_signature(X, want), params={"kind": kind})
    back = mlflow.pyfunc.load_model(info.model_uri)
    np.testing.assert_array_equal(np.asarray(back.predict(X)), want)
    logged = mlflow.get_logged_model(info.model_id)
    assert logged.status == "READY" and logged.params["kind"] == kind and logged.source_run_id == run.info.run_id
    found = mlflow.search_logged_models(experiment_ids=[experiment_id(mlflow)], output_format="list")
    assert [m.model_id for m in found] == [info.model_id]
    name = f"model_{kind}_{u}"
    version = mlflow.register_model(info.model_uri, name, tags={"by": "flow"})
    assert str(version.version) == "1" and c.get_model_version(name, "1").status == "READY"
    np.testing.assert_array_equal(np.asarray(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(X)), want)
    c.transition_model_version_stage(name, "1", "Staging")
    assert [v.version for v in c.get_latest_versions(name, ["Staging"])] in (["1"], [1])
    if transport == "http":
        c.set_registered_model_alias(name, "best", "1")
        assert str(c.get_model_version_by_alias(name, "best").version) == "1"


def test_registry_rules(client, u):
    mlflow, c, _ = client
    name = f"rules_{u}"
    c.create_registered_model(name, tags={"a": "1"}, description="first")
    with pytest.raises(mlflow.MlflowException) as e:
        c.create_registered_model(name)
    assert e.value.error_code == "RESOURCE_ALREADY_EXISTS"
    with pytest.raises(mlflow.MlflowException) as e:
        c.get_registered_model(name + "-none")
    assert e.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    c.update_registered_model(name, description="second")
    got = c.get_registered_model(name)
    assert got.description == "second" and got.tags == {"a": "1"}
    assert name in [m.name for m in c.search_registered_models(filter_string=f"name LIKE '%{u}'")]
    c.delete_registered_model(name)
    with pytest.raises(mlflow.MlflowException):
        c.get_registered_model(name)


def test_autolog_datasets_and_nested_runs(client):
    mlflow, c, _ = client
    from sklearn.linear_model import LinearRegression
    mlflow.sklearn.autolog(log_models=False)
    try:
        with mlflow.start_run() as parent:
            LinearRegression().fit(X, X.depth)
            mlflow.log_input(mlflow.data.from_pandas(X, name="rows", source="rows.csv"), context="training")
            with mlflow.start_run(nested=True) as child:
                mlflow.log_metric("inner", 1)
    finally:
        mlflow.sklearn.autolog(disable=True)
    got = c.get_run(parent.info.run_id)
    assert got.data.params["fit_intercept"] == "True" and "training_mean_squared_error" in got.data.metrics
    assert "rows" in [d.dataset.name for d in got.inputs.dataset_inputs]
    assert c.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_traces(client):
    mlflow, c, _ = client

    @mlflow.trace
    def outer(x):
        with mlflow.start_span("inner") as span:
            span.set_outputs(x + 1)
        return x + 1
    outer(41)
    trace_id = mlflow.get_last_active_trace_id()
    trace = mlflow.get_trace(trace_id)
    assert [s.name for s in trace.data.spans] == ["outer", "inner"] and trace.info.state.value == "OK"
    mlflow.set_trace_tag(trace_id, "k", "v")
    assert mlflow.get_trace(trace_id).info.tags["k"] == "v"
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    found = mlflow.search_traces(locations=[experiment_id(mlflow)], return_type="list")
    assert [t.info.trace_id for t in found] == [trace_id]
    c.delete_traces(experiment_id(mlflow), trace_ids=[trace_id])


def test_one_run_on_both_transports(platform, u):
    """What one transport wrote, the other reads: artifacts too."""
    with platform.mlflow("databricks") as mlflow:
        mlflow.set_experiment(f"/Shared/both-{u}")
        with mlflow.start_run() as run:
            mlflow.log_metric("m", 3.5)
            mlflow.log_text("from databricks", "a.txt")
    with platform.mlflow("http") as mlflow:
        assert mlflow.MlflowClient().get_run(run.info.run_id).data.metrics == {"m": 3.5}
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "from databricks"
        with mlflow.start_run(run_id=run.info.run_id):
            mlflow.log_text("from http", "b.txt")
    with platform.mlflow("databricks") as mlflow:
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/b.txt") == "from http"


def test_unity_catalog_registry(platform, u):
    import xgboost
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        c = mlflow.MlflowClient()
        mlflow.set_experiment(f"/Shared/uc-{u}")
        model = xgboost.XGBRegressor(n_estimators=4).fit(X, X.depth)
        name = f"main.default.uc_{u}"
        with mlflow.start_run():
            info = mlflow.xgboost.log_model(model, name="model", signature=mlflow.models.infer_signature(X, model.predict(X)),
                                            pip_requirements=["mlflow"])
        first = mlflow.register_model(info.model_uri, name)
        second = mlflow.register_model(info.model_uri, name)
        assert [str(first.version), str(second.version)] == ["1", "2"]
        c.set_registered_model_alias(name, "champion", "2")
        assert str(c.get_model_version_by_alias(name, "champion").version) == "2"
        got = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(X)
        np.testing.assert_array_equal(got, model.predict(X))
        assert {str(v.version) for v in c.search_model_versions(f"name = '{name}'")} == {"1", "2"}
        c.delete_registered_model_alias(name, "champion")
        with pytest.raises(mlflow.MlflowException):
            c.get_model_version_by_alias(name, "champion")
        with pytest.raises(mlflow.MlflowException):
            c.create_registered_model("nocatalog.default.x")
        c.delete_model_version(name, "1")
        c.delete_model_version(name, "2")
        c.delete_registered_model(name)


def test_everything_is_there_after_a_restart(make_platform, u):
    p = make_platform().start()
    with p.mlflow("http") as mlflow:
        exp = mlflow.set_experiment(f"kept-{u}").experiment_id
        with mlflow.start_run() as run:
            mlflow.log_metric("m", 1.25)
            mlflow.log_text("kept", "k.txt")
    token = p.token
    p.restart()
    assert p.token == token
    with p.mlflow("http") as mlflow:
        assert mlflow.get_experiment_by_name(f"kept-{u}").experiment_id == exp
        assert mlflow.MlflowClient().get_run(run.info.run_id).data.metrics == {"m": 1.25}
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/k.txt") == "kept"
