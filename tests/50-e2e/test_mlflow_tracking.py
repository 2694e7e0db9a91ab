# SPDX-License-Identifier: Apache-2.0
"""MLflow tracking beyond the common flow: messages, paging, filters, rights, two workspaces, traces.

Where both transports matter a test runs on both: MLflow's own REST store (http) and the Databricks SDK.
"""

import math
import threading

import pytest
from mlflow.exceptions import MlflowException


@pytest.fixture(params=["http", "databricks"])
def client(platform, u, request):
    """(mlflow, MlflowClient, id of an experiment of its own)"""
    with platform.mlflow(request.param) as mlflow:
        c = mlflow.MlflowClient()
        yield mlflow, c, c.create_experiment(f"/Shared/tracking-{u}" if request.param == "databricks" else f"tracking-{u}")


@pytest.fixture
def exp(platform, u):
    return platform.request("POST", "/api/2.0/mlflow/experiments/create", {"name": f"raw-{u}"}).json()["experiment_id"]


def post(platform, path, body, **more):
    return platform.request("POST", f"/api/2.0/mlflow/{path}", body, **more)


def error(response, status, code):
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error_code"] == code, body
    return body["message"]


def new_run(platform, exp, **more):
    return post(platform, "runs/create", {"experiment_id": exp, **more}).json()["run"]["info"]["run_id"]


# ---- experiments ----


def test_default_experiment_is_there_in_every_workspace(platform):
    got = platform.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0").json()["experiment"]
    assert got["name"] == "Default" and got["lifecycle_stage"] == "active"
    assert "0" in [e["experiment_id"] for e in post(platform, "experiments/search", {"max_results": 1000}).json()["experiments"]]
    assert post(platform, "experiments/set-experiment-tag", {"experiment_id": "0", "key": "k", "value": "v"}).status_code == 200
    got = platform.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0").json()["experiment"]
    assert {"key": "k", "value": "v"} in got["tags"]


def test_experiment_life(client, u):
    mlflow, c, e = client
    name = c.get_experiment(e).name
    with pytest.raises(MlflowException, match="already exists"):
        c.create_experiment(name)
    c.set_experiment_tag(e, "team", "blue")
    assert c.get_experiment(e).tags["team"] == "blue"
    c.delete_experiment_tag(e, "team")
    with pytest.raises(MlflowException, match="No tag with name: team in experiment with id"):
        c.delete_experiment_tag(e, "team")
    run = c.create_run(e).info.run_id
    c.delete_experiment(e)
    assert c.get_experiment(e).lifecycle_stage == "deleted" and c.get_run(run).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        c.create_run(e)
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        c.log_metric(run, "m", 1)
    assert not c.search_experiments(filter_string=f"name = '{name}'")
    assert len(c.search_experiments(view_type=mlflow.entities.ViewType.DELETED_ONLY, filter_string=f"name = '{name}'")) == 1
    c.restore_experiment(e)
    assert c.get_run(run).info.lifecycle_stage == "active"


def test_search_experiments_pages_and_orders(platform, u):
    with platform.mlflow("http") as mlflow:
        c = mlflow.MlflowClient()
        ids = [c.create_experiment(f"page-{u}-{i}", tags={"i": str(i % 2)}) for i in range(7)]
        found, token = [], None
        while True:
            page = c.search_experiments(filter_string=f"name LIKE 'page-{u}-%'", order_by=["name DESC"], max_results=3, page_token=token)
            found += [e.experiment_id for e in page]
            token = page.token
            if not token:
                break
        assert found == ids[::-1]
        assert len(c.search_experiments(filter_string=f"name ILIKE 'PAGE-{u}%' and tags.i = '1'")) == 3
        with pytest.raises(MlflowException, match="Invalid attribute key 'nope'"):
            c.search_experiments(filter_string="nope = 'x'")


# ---- runs ----


def test_messages_that_clients_know(platform, exp):
    run = new_run(platform, exp)
    bad = [("runs/log-metric", {"run_id": run, "key": "m", "value": "x", "timestamp": 1}, "Invalid value \"x\" for parameter 'value' supplied"),
           ("runs/log-metric", {"run_id": run, "key": "m", "value": 1}, "Missing value for required parameter 'timestamp'."),
           ("runs/log-metric", {"run_id": run, "key": "a/../b", "value": 1, "timestamp": 1}, "This name would resolve to 'b'"),
           ("runs/log-parameter", {"run_id": run, "key": "a?b", "value": "1"}, "Names may only contain alphanumerics"),
           ("runs/set-tag", {"run_id": run, "key": "k" * 251, "value": "1"}, "exceeds the maximum length of 250 characters"),
           ("runs/log-batch", {"run_id": run, "metrics": [{"key": "m", "value": 1, "timestamp": 1}] * 1001}, "can contain at most 1000 metrics. Got 1001"),
           ("runs/log-batch", {"run_id": run, "params": [{"key": f"p{i}", "value": "1"} for i in range(101)]}, "at most 100 params"),
           ("runs/log-batch", {"run_id": run, "params": [{"key": "p", "value": "1"}, {"key": "p", "value": "2"}]}, "Duplicate parameter keys"),
           ("runs/create", {"experiment_id": "x"}, "Invalid experiment ID 'x'"),
           ("experiments/create", {"name": 123}, "Invalid value 123 for parameter 'name' supplied"),
           ("experiments/create", {}, "Missing value for required parameter 'name'."),
           ("runs/search", {"experiment_ids": [exp], "filter": "params.p = 'a' or params.p = 'b'"}, "Invalid clause(s) in filter string"),
           ("runs/search", {"experiment_ids": [exp], "max_results": 50001}, "max_results")]
    for path, body, part in bad:
        assert part in error(post(platform, path, body), 400, "INVALID_PARAMETER_VALUE"), path
    missing = platform.request("GET", "/api/2.0/mlflow/runs/get?run_id=" + "0" * 32)
    assert "Run with id=" + "0" * 32 + " not found" == error(missing, 404, "RESOURCE_DOES_NOT_EXIST")
    assert "No tag with name: t in run" in error(post(platform, "runs/delete-tag", {"run_id": run, "key": "t"}), 404, "RESOURCE_DOES_NOT_EXIST")


def test_params_do_not_change(client):
    mlflow, c, e = client
    run = c.create_run(e).info.run_id
    c.log_param(run, "p", "1")
    c.log_param(run, "p", "1")
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        c.log_param(run, "p", "2")
    with pytest.raises(MlflowException, match="Changing param values is not allowed. Params were already"):
        c.log_batch(run, params=[mlflow.entities.Param("new", "x"), mlflow.entities.Param("p", "2")])
    assert c.get_run(run).data.params == {"p": "1"}  # the refused batch left nothing behind


def test_deleted_runs_refuse_writes(client):
    mlflow, c, e = client
    run = c.create_run(e, run_name="r").info.run_id
    c.delete_run(run)
    for call in (lambda: c.log_metric(run, "m", 1), lambda: c.log_param(run, "p", 1), lambda: c.set_tag(run, "t", 1),
                 lambda: c.update_run(run, name="x")):
        with pytest.raises(MlflowException, match="must be in the 'active' state. Current state is deleted"):
            call()
    assert not c.search_runs([e]) and len(c.search_runs([e], run_view_type=mlflow.entities.ViewType.DELETED_ONLY)) == 1
    c.restore_run(run)
    c.log_metric(run, "m", 1)


def test_names_of_runs(client):
    mlflow, c, e = client
    named = c.create_run(e, run_name="one")
    assert named.data.tags["mlflow.runName"] == "one"
    c.set_tag(named.info.run_id, "mlflow.runName", "two")
    assert c.get_run(named.info.run_id).info.run_name == "two"
    c.update_run(named.info.run_id, name="three")
    assert c.get_run(named.info.run_id).data.tags["mlflow.runName"] == "three"
    assert c.create_run(e).info.run_name  # a random one
    with pytest.raises(MlflowException, match="Both 'run_name' argument and 'mlflow.runName' tag are specified"):
        c.create_run(e, run_name="a", tags={"mlflow.runName": "b"})


def test_artifact_uris_follow_the_transport(platform, exp):
    run, written, uris = new_run(platform, exp), {}, []
    for transport in ("http", "databricks"):
        with platform.mlflow(transport) as mlflow:
            c = mlflow.MlflowClient()
            uris.append(c.get_run(run).info.artifact_uri)
            written[transport] = c.create_run(exp).info.run_id  # of its own: clients remember a run's location
            c.log_text(written[transport], transport, "a/b.txt")
    assert uris == [f"mlflow-artifacts:/{exp}/{run}/artifacts", f"dbfs:/databricks/mlflow-tracking/{exp}/{run}/artifacts"]
    # what one wrote, the other reads
    other = platform.request("GET", f"/api/2.0/mlflow-artifacts/artifacts/{exp}/{written['databricks']}/artifacts/a/b.txt")
    assert other.text == "databricks"
    other = platform.request("GET", f"/api/2.0/fs/files/WorkspaceInternal/Mlflow/Artifacts/{exp}/Runs/{written['http']}/artifacts/a/b.txt")
    assert other.text == "http"


# ---- metrics ----


def test_history_pages_are_exact(client):
    mlflow, c, e = client
    run = c.create_run(e).info.run_id
    values = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf, 2**53 + 0.0]
    want = [(s, 1000 + s // 3, values[s % len(values)]) for s in range(2500)]
    for at in range(0, len(want), 1000):
        c.log_batch(run, metrics=[mlflow.entities.Metric("m", v, t, s) for s, t, v in want[at:at + 1000]])
    got, token = [], None
    while True:
        page = c._tracking_client.store.get_metric_history(run, "m", max_results=700, page_token=token)
        got += [(m.step, m.timestamp, m.value) for m in page]
        token = page.token
        if not token:
            break
    assert len(got) == len(want)
    for (s, t, v), (gs, gt, gv) in zip(want, got):
        assert (s, t) == (gs, gt) and (v == gv and math.copysign(1, v) == math.copysign(1, gv) or math.isnan(v) and math.isnan(gv))
    assert c.get_run(run).data.metrics["m"] == values[2499 % len(values)]


def test_latest_is_by_step_then_time(platform, exp):
    run = new_run(platform, exp)
    for value, step, time in ((1, 5, 10), (2, 4, 99), (3, 5, 9), (4, 5, 11)):
        assert post(platform, "runs/log-metric", {"run_id": run, "key": "m", "value": value, "timestamp": time, "step": step}).status_code == 200
    got = platform.request("GET", f"/api/2.0/mlflow/runs/get?run_id={run}").json()["run"]["data"]["metrics"]
    assert [(m["value"], int(m["step"])) for m in got] == [(4, 5)]


def test_bulk_interval_thins_out(platform, exp):
    runs = [new_run(platform, exp) for _ in range(2)]
    for r in runs:
        post(platform, "runs/log-batch", {"run_id": r, "metrics": [{"key": "m", "value": i, "timestamp": i, "step": i} for i in range(1000)]})
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?metric_key=m&max_results=10" + "".join(f"&run_ids={r}" for r in runs)
    got = platform.request("GET", path).json()["metrics"]
    for r in runs:
        steps = [int(m["step"]) for m in got if m["run_id"] == r]
        assert steps[0] == 0 and steps[-1] == 999 and 10 <= len(steps) <= 12


def test_many_writers_lose_nothing(platform, exp):
    run = new_run(platform, exp)

    def work(n):
        for i in range(30):
            r = post(platform, "runs/log-batch", {"run_id": run, "metrics": [{"key": f"m{n}", "value": i, "timestamp": i, "step": i}],
                                                  "tags": [{"key": f"t{n}", "value": str(i)}]})
            assert r.status_code == 200, r.text
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    data = platform.request("GET", f"/api/2.0/mlflow/runs/get?run_id={run}").json()["run"]["data"]
    assert {m["key"]: m["value"] for m in data["metrics"]} == {f"m{n}": 29 for n in range(6)}
    for n in range(6):
        h = platform.request("GET", f"/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key=m{n}").json()["metrics"]
        assert [m["value"] for m in h] == list(range(30))


# ---- search ----


def test_search_language(client):
    mlflow, c, e = client
    ids = []
    for i in range(12):
        r = c.create_run(e, run_name=f"run {i}", start_time=1000 + i, tags={"even": str(i % 2 == 0), "a b": "x'y"}).info.run_id
        c.log_batch(r, metrics=[mlflow.entities.Metric("loss", i / 10, 1, 1)], params=[mlflow.entities.Param("depth", str(i))])
        if i % 3 == 0:
            c.set_terminated(r, "FINISHED" if i % 2 else "FAILED", end_time=5000 + i)
        ids.append(r)

    def found(filter="", **more):
        return [ids.index(r.info.run_id) for r in c.search_runs([e], filter, **more)]
    assert found() == list(range(12))[::-1]
    assert found("metrics.loss >= 0.9") == [11, 10, 9]
    assert found("metrics.loss >= 0.9 and params.depth != '10'") == [11, 9]
    assert found("metrics.loss = 0.3") == [3]
    assert found("tags.even = 'True' and metrics.loss < 0.5") == [4, 2, 0]
    assert found("tags.`a b` = \"x'y\" and attributes.start_time > 1009") == [11, 10]
    assert found("attributes.status = 'FAILED'") == [6, 0]
    assert found("end_time >= 5006") == [9, 6]
    assert found("run_name LIKE 'run 1%'") == [11, 10, 1] and found("run_name ILIKE 'RUN 3'") == [3]
    assert found(f"run_id IN ('{ids[3]}', '{ids[5]}')") == [5, 3] and found(f"run_id = '{ids[2]}'") == [2]
    assert found("tags.none IS NULL and params.depth = '7'") == [7] and found("tags.even IS NOT NULL") == list(range(12))[::-1]
    assert found(order_by=["metrics.loss ASC"]) == list(range(12))
    assert found(order_by=["params.depth ASC"]) == sorted(range(12), key=str)
    assert found(order_by=["tags.even DESC", "start_time ASC"]) == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]
    pages, token = [], None
    while True:
        page = c.search_runs([e], "metrics.loss > 0.05", order_by=["metrics.loss DESC"], max_results=4, page_token=token)
        pages += [ids.index(r.info.run_id) for r in page]
        if token is None:  # a page stays right when rows come before it
            late = c.create_run(e).info.run_id
            c.log_metric(late, "loss", 99)
            ids.append(late)
        token = page.token
        if not token:
            break
    assert pages == list(range(1, 12))[::-1]


def test_page_tokens_are_bound_to_their_search(platform, exp):
    for _ in range(3):
        new_run(platform, exp)
    token = post(platform, "runs/search", {"experiment_ids": [exp], "max_results": 1}).json()["next_page_token"]
    ok = post(platform, "runs/search", {"experiment_ids": [exp], "max_results": 2, "page_token": token})
    assert len(ok.json()["runs"]) == 2
    error(post(platform, "runs/search", {"experiment_ids": [exp], "filter": "params.a = 'b'", "page_token": token}), 400, "INVALID_PARAMETER_VALUE")
    error(post(platform, "runs/search", {"experiment_ids": [exp], "page_token": token[:-4] + "AAAA"}), 400, "INVALID_PARAMETER_VALUE")


def test_logged_models(client):
    mlflow, c, e = client
    run = c.create_run(e).info.run_id
    models = [c.create_logged_model(e, name=f"m{i}", source_run_id=run, params={"C": str(i)}, tags={"i": str(i)}) for i in range(3)]
    for i, m in enumerate(models):
        c.log_metric(run, "acc", i / 10, model_id=m.model_id, step=i)
    c.finalize_logged_model(models[0].model_id, "READY")
    assert c.get_logged_model(models[0].model_id).status == "READY"
    got = c.search_logged_models([e], filter_string="metrics.acc >= 0.1", order_by=[{"field_name": "metrics.acc", "ascending": False}])
    assert [m.name for m in got] == ["m2", "m1"] and [x.value for x in got[0].metrics] == [0.2]
    assert [m.name for m in c.search_logged_models([e], filter_string="params.C = '1' and status = 'PENDING'")] == ["m1"]
    assert [m.name for m in c.search_logged_models([e], filter_string="name = 'm2'")] == ["m2"]
    page = c.search_logged_models([e], max_results=2)
    assert [m.name for m in page] == ["m2", "m1"]
    assert [m.name for m in c.search_logged_models([e], max_results=2, page_token=page.token)] == ["m0"]
    c.delete_logged_model(models[1].model_id)
    with pytest.raises(MlflowException, match=f"Logged model with ID '{models[1].model_id}' not found"):
        c.get_logged_model(models[1].model_id)
    with pytest.raises(MlflowException, match="No tag with key"):
        c.delete_logged_model_tag(models[0].model_id, "none")


# ---- traces ----


def test_traces(client):
    mlflow, c, e = client
    mlflow.set_experiment(experiment_id=e)

    @mlflow.trace(name="outer")
    def f(x):
        with mlflow.start_span("inner", span_type="LLM") as s:
            s.set_inputs({"x": x})
            s.set_attribute("model", "tiny")
            if x < 0:
                raise ValueError("negative")
        return x + 1
    ids = []
    for x in (1, 2, -1):
        try:
            f(x)
        except ValueError:
            pass
        ids.append(mlflow.get_last_active_trace_id())
    t = mlflow.get_trace(ids[0])
    assert [s.name for s in t.data.spans] == ["outer", "inner"] and t.data.spans[1].inputs == {"x": 1} and t.info.state == "OK"
    assert t.data.spans[1].parent_id == t.data.spans[0].span_id and t.data.spans[1].get_attribute("model") == "tiny"
    assert mlflow.get_trace(ids[2]).info.state == "ERROR"
    c.set_trace_tag(ids[1], "k", "v")

    def found(filter, **more):
        return [ids.index(x.info.trace_id) for x in mlflow.search_traces(locations=[e], filter_string=filter, return_type="list", **more)]
    assert found("trace.status = 'ERROR'") == [2] and found("tags.k = 'v'") == [1]
    assert sorted(found("name = 'outer'")) == [0, 1, 2] and found("name = 'outer'", max_results=2) == [2, 1]
    feedback = mlflow.log_feedback(trace_id=ids[0], name="good", value=True)
    mlflow.log_expectation(trace_id=ids[0], name="answer", value=2)
    assert found("feedback.good = 'true'") == [0] and found("expectation.answer > 1") == [0]
    got = mlflow.get_assessment(ids[0], feedback.assessment_id)
    assert got.name == "good" and got.value is True
    mlflow.update_assessment(ids[0], feedback.assessment_id, mlflow.entities.Feedback(name="good", value=False, rationale="no"))
    assert mlflow.get_assessment(ids[0], feedback.assessment_id).value is False
    mlflow.delete_assessment(ids[0], feedback.assessment_id)
    with pytest.raises(MlflowException, match="not found"):
        mlflow.get_assessment(ids[0], feedback.assessment_id)
    assert c.delete_traces(e, trace_ids=ids[:2]) == 2 and found("") == [2]


def test_otlp_refuses_what_it_cannot_read(platform, exp):
    head = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": exp}
    import requests
    send = lambda data, **h: requests.post(platform.url + "/v1/traces", data=data, headers={"Authorization": f"Bearer {platform.token}", **head, **h}, timeout=60)  # noqa: E731
    assert send(b"").status_code == 200
    error(send(b"\x0a\xff\xff\xff"), 400, "MALFORMED_REQUEST")
    error(send(b"", **{"Content-Type": "text/html"}), 415, "UNSUPPORTED_MEDIA_TYPE")
    error(send(b"", **{"x-mlflow-experiment-id": "99999999"}), 404, "RESOURCE_DOES_NOT_EXIST")
    assert platform.request("GET", "/version", token="").text == "3.17.2"


# ---- rights ----


def test_rights_come_from_the_experiment(platform, exp, u):
    name, other = platform.another(f"tracker-{u}")
    run = new_run(platform, exp)
    token = other.config.authenticate()["Authorization"].split()[1]

    def get(path):
        return platform.request("GET", f"/api/2.0/mlflow/{path}", token=token)

    def allow(level):
        r = platform.request("PATCH", f"/api/2.0/permissions/experiments/{exp}",
                             {"access_control_list": [{"service_principal_name": name, "permission_level": level}]})
        assert r.status_code == 200, r.text
    model = post(platform, "logged-models", {"experiment_id": exp, "name": "m"}).json()["model"]["info"]["model_id"]
    metric = {"run_id": run, "key": "m", "value": 1, "timestamp": 1}
    # nothing granted: nothing is there
    error(get(f"experiments/get?experiment_id={exp}"), 404, "RESOURCE_DOES_NOT_EXIST")
    error(get(f"experiments/get-by-name?experiment_name=raw-{u}"), 404, "RESOURCE_DOES_NOT_EXIST")
    error(get(f"runs/get?run_id={run}"), 404, "RESOURCE_DOES_NOT_EXIST")
    error(get(f"logged-models/{model}"), 404, "RESOURCE_DOES_NOT_EXIST")
    error(post(platform, "runs/log-metric", metric, token=token), 404, "RESOURCE_DOES_NOT_EXIST")
    error(post(platform, "runs/create", {"experiment_id": exp}, token=token), 404, "RESOURCE_DOES_NOT_EXIST")
    assert post(platform, "runs/search", {"experiment_ids": [exp]}, token=token).json()["runs"] == []
    assert exp not in [e["experiment_id"] for e in post(platform, "experiments/search", {"max_results": 1000}, token=token).json()["experiments"]]
    allow("CAN_READ")
    assert get(f"runs/get?run_id={run}").status_code == 200 and get(f"logged-models/{model}").status_code == 200
    assert len(post(platform, "runs/search", {"experiment_ids": [exp]}, token=token).json()["runs"]) == 1
    for path, body in (("runs/log-metric", metric), ("runs/delete", {"run_id": run}), ("runs/create", {"experiment_id": exp}),
                       ("experiments/update", {"experiment_id": exp, "new_name": "x"}), ("logged-models", {"experiment_id": exp})):
        assert "CAN_EDIT" in error(post(platform, path, body, token=token), 403, "PERMISSION_DENIED"), path
    allow("CAN_EDIT")
    assert post(platform, "runs/log-metric", metric, token=token).status_code == 200
    assert "CAN_MANAGE" in error(post(platform, "experiments/delete", {"experiment_id": exp}, token=token), 403, "PERMISSION_DENIED")
    # what one makes is one's own
    mine = post(platform, "experiments/create", {"name": f"mine-{u}"}, token=token).json()["experiment_id"]
    assert post(platform, "experiments/delete", {"experiment_id": mine}, token=token).status_code == 200
    assert platform.request("GET", f"/api/2.0/mlflow/runs/get?run_id={run}", token="").status_code == 401
