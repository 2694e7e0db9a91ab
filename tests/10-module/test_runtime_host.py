# SPDX-License-Identifier: Apache-2.0
"""The runtime host with real MLflow models: what the gateway sees of it, frame by frame."""

import json
import os
import random
import struct
import sys
import time
from pathlib import Path

import cloudpickle
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from runtime_peer import BASE_PYTHON, Peer, wire  # noqa: E402

from boathouse_runtime.score import Scorer  # noqa: E402

# The models' classes travel in their pickles: the host has no such module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, -1.0, 4.0]})


class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["a"] + model_input["b"] * (params or {}).get("weight", 1.0)


class Talker(mlflow.pyfunc.PythonModel):
    """What it does is told by the first value of its input."""

    def predict(self, context, model_input, params=None):
        what = model_input["what"].iloc[0]
        if what == "print":
            print("one line")
            print("another", file=sys.stderr)
            os.system("echo from a child")
        elif what == "flood":
            for i in range(20000):
                print("x" * 100)
        elif what == "raise":
            raise ValueError("not this one")
        elif what == "exit":
            sys.exit(7)
        elif what == "mlflow":
            raise mlflow.exceptions.MlflowException.invalid_parameter_value("wrong tone")
        elif what == "crash":
            os.abort()
        return [what]


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return {"got": str(type(model_input).__name__)}


class Streamer(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return {"whole": 1}

    def predict_stream(self, context, model_input, params=None):
        if model_input["prompt"] == "never":
            raise ValueError("not today")
        for i in range(3):
            yield {"n": i}
        if model_input["prompt"] == "half":
            raise ValueError("no more")


class Unloadable(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        print("loading")
        import not_there_at_all  # noqa: F401

    def predict(self, context, model_input, params=None):
        return []


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    at = tmp_path_factory.mktemp("models")
    reqs = {"pip_requirements": ["mlflow"]}
    save = mlflow.pyfunc.save_model
    signature = infer_signature(X, X.a)
    save(at / "sum", python_model=Sum(), signature=signature, **reqs)
    save(at / "params", python_model=Sum(), **reqs, signature=ModelSignature(
        signature.inputs, signature.outputs, ParamSchema([ParamSpec("weight", "double", 2.0)])))
    save(at / "free", python_model=Sum(), **reqs)
    save(at / "talker", python_model=Talker(), **reqs,
         signature=ModelSignature(Schema([ColSpec("string", "what")])))
    save(at / "echo", python_model=Echo(), **reqs)
    save(at / "streamer", python_model=Streamer(), **reqs)
    save(at / "unloadable", python_model=Unloadable(), **reqs)
    kinds = ["double", "float", "long", "integer", "boolean", "string"]
    save(at / "mixed", python_model=Sum(), **reqs,
         signature=ModelSignature(Schema([ColSpec(k, f"c_{k}") for k in kinds])))
    return at


@pytest.fixture(scope="module")
def host(models):
    with Peer() as peer:
        ok, about = peer.lease(models / "sum")
        assert ok, about
        assert about["direct"] and about["flavor"] == "mlflow.pyfunc.model"
        assert [c["name"] for c in about["inputs"]] == ["a", "b"]
        yield peer


SPLIT = {"columns": ["a", "b"], "data": [[1.0, 0.5], [2.0, -1.0]]}
RECORDS = [{"a": 1.0, "b": 0.5}, {"a": 2.0, "b": -1.0}]


@pytest.mark.parametrize("body", [
    {"dataframe_split": SPLIT},
    {"dataframe_split": [SPLIT]},
    {"dataframe_split": {**SPLIT, "index": [5, 6]}},
    {"dataframe_split": {"columns": ["b", "a"], "data": [[0.5, 1], [-1, 2]]}},
    {"dataframe_records": RECORDS},
    {"dataframe_records": RECORDS, "client_request_id": "x1"},
    {"instances": RECORDS},
    {"inputs": {"a": [1.0, 2.0], "b": [0.5, -1.0]}},
])
def test_every_form(host, body):
    assert host.ask(body) == (200, {"predictions": [{"0": 1.5}, {"0": 1.0}]})


def test_csv(host):
    status, code, body = host.predict(b"a,b\n1,0.5\n2,-1\n", "text/csv")
    assert (status, code, json.loads(body)) == (200, wire.JSON, {"predictions": [{"0": 1.5}, {"0": 1.0}]})


def test_nan_and_extremes_travel(host):
    status, _, body = host.predict(b'{"dataframe_split": {"columns": ["a", "b"], "data": [[null, 1], [1e308, 1e308]]}}')
    assert status == 200 and body == b'{"predictions": [{"0": NaN}, {"0": Infinity}]}'


@pytest.mark.parametrize("body, text", [
    (b"{", "Ensure that input is a valid JSON formatted string"),
    (b"\xff\xfe{", "Ensure that input is a valid JSON formatted string"),
    (b"[1]", "The input must be a JSON dictionary with exactly one of the input fields"),
    (b'"x"', "Received unexpected input type"),
    (b"{}", "The input must be a JSON dictionary with exactly one of the input fields"),
    (b'{"dataframe_records": [], "inputs": []}', "Received dictionary with input fields"),
    (b'{"dataframe_split": {"columns": ["a"], "data": [[1.0]]}}', "Failed to enforce schema"),
    (b'{"dataframe_split": {"columns": ["a", "b"], "data": [["x", "y"]]}}', "Failed to convert column a"),
    (b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}', "columns passed"),
    (b'{"dataframe_split": 4}', ""),
    (b'{"inputs": {"a": [1.0], "b": ["x"]}}', "could not convert string"),
    (b"[" * 100000, "nested too deeply"),
])
def test_refusals_are_400_with_mlflows_words(host, body, text):
    status, code, answer = host.predict(body)
    assert (status, code) == (400, wire.JSON), answer
    answer = json.loads(answer)
    assert text in answer["message"] and answer["error_code"]


@pytest.mark.parametrize("content_type, text", [
    ("text/plain", "This predictor only supports the following content types:"),
    ("application/json; version=2", "Unrecognized content type parameters: version"),
    ("application/json; charset=latin-1", "The scoring server only supports UTF-8"),
])
def test_content_types(host, content_type, text):
    status, code, body = host.predict(b"{}", content_type)
    assert (status, code) == (415, wire.TEXT) and body.decode().startswith(text)


def test_charset_utf8_is_fine(host):
    status, _, body = host.predict(json.dumps({"dataframe_split": SPLIT}).encode(), "application/json; charset=utf-8")
    assert status == 200 and json.loads(body)["predictions"]


def test_pipelined_questions_are_answered_in_order(host):
    for i in range(50):
        host.channel.queue(wire.PREDICT, 1000 + i, wire.predict("application/json", json.dumps(
            {"dataframe_split": {"columns": ["a", "b"], "data": [[i, 0]]}}).encode()))
    host.channel.flush()
    for i in range(50):
        kind, stream, payload = host.recv()
        assert (kind, stream) == (wire.ANSWER, 1000 + i)
        assert json.loads(wire.answer(payload)[2]) == {"predictions": [{"0": float(i)}]}


def test_large_body(host):
    rows = [[i * 0.5, 1.0] for i in range(300000)]
    status, answer = host.ask({"dataframe_split": {"columns": ["a", "b"], "data": rows}})
    assert status == 200 and len(answer["predictions"]) == len(rows)


def test_ping(host):
    host.channel.send(wire.PING, 9, b"abc")
    assert host.recv() == (wire.PONG, 9, b"abc")


def test_params(models):
    with Peer() as peer:
        assert peer.lease(models / "params")[0]
        assert peer.ask({"dataframe_split": SPLIT})[1] == {"predictions": [{"0": 2.0}, {"0": 0.0}]}
        with_params = {"dataframe_split": SPLIT, "params": {"weight": 4.0}}
        assert peer.ask(with_params)[1] == {"predictions": [{"0": 3.0}, {"0": -2.0}]}
        status, answer = peer.ask({"dataframe_split": SPLIT, "params": {"weight": "heavy"}})
        assert status == 400 and "weight" in answer["message"]


def test_without_signature(models):
    with Peer() as peer:
        ok, about = peer.lease(models / "free")
        assert ok and not about["direct"] and about["inputs"] is None
        assert peer.ask({"dataframe_split": SPLIT}) == (200, {"predictions": [{"0": 1.5}, {"0": 1.0}]})


@pytest.mark.parametrize("key, value", [("messages", [{"role": "user", "content": "hi"}]), ("prompt", "hi"), ("input", "hi")])
def test_language_model_bodies_are_not_wrapped(models, key, value):
    with Peer() as peer:
        assert peer.lease(models / "echo")[0]
        status, answer = peer.ask({key: value, "max_tokens": 4})
        assert status == 200 and "predictions" not in answer and "got" in answer


def test_streams(models):
    with Peer() as peer:
        assert peer.lease(models / "streamer")[0]
        status, code, pieces = peer.events({"prompt": "all", "stream": True})
        assert (status, code) == (200, wire.EVENTS)
        assert pieces == [b'data: {"n": 0}\n\n', b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', b"data: [DONE]\n\n", b""]
        _, _, pieces = peer.events({"prompt": "half", "stream": True})
        assert b"no more" in pieces[3] and len(pieces) == 5
        status, code, pieces = peer.events({"prompt": "never", "stream": True})
        assert (status, code) == (400, wire.JSON) and b"Encountered an unexpected error" in pieces[0]
        assert peer.ask({"prompt": "all", "stream": False}) == (200, {"whole": 1})
    with Peer() as peer:
        assert peer.lease(models / "echo")[0]
        status, code, pieces = peer.events({"messages": [], "stream": True})
        assert (status, code, pieces) == (200, wire.EVENTS, [b'data: {"got": "dict"}\n\ndata: [DONE]\n\n'])


def test_words_and_errors_of_the_model(models):
    with Peer() as peer:
        assert peer.lease(models / "talker")[0]

        def say(what):
            return peer.ask({"dataframe_records": [{"what": what}]})

        assert say("print") == (200, {"predictions": ["print"]})
        for line in (b"one line", b"another", b"from a child"):
            assert line in peer.log
        peer.log = b""
        assert say("flood")[0] == 200
        assert 0 < len(peer.log) <= wire.LOG_MOST and peer.left_out > 1000000
        status, answer = say("raise")
        assert status == 400 and answer["message"].startswith("Encountered an unexpected error while evaluating")
        assert "not this one" in answer["stack_trace"]
        status, answer = say("mlflow")
        assert status == 400 and answer["message"].startswith("Failed to predict data") and "wrong tone" in answer["message"]
        assert say("exit")[0] == 400
        assert say("fine") == (200, {"predictions": ["fine"]})
        peer.channel.send(wire.PREDICT, 1, wire.predict("application/json", b'{"dataframe_records": [{"what": "crash"}]}'))
        assert peer.recv() is None
        assert peer.process.wait(30) == -6


def test_failed_load_says_why(models, tmp_path):
    with Peer() as peer:
        ok, why = peer.lease(models / "unloadable")
        assert not ok and "not_there_at_all" in why["reason"] and "\n" not in why["reason"]
        assert "load_context" in why["traceback"] and b"loading" in peer.log
        assert peer.process.wait(30) == 1
    with Peer() as peer:
        ok, why = peer.lease(tmp_path / "nothing")
        assert not ok and why["reason"]


def test_environment_of_the_lease(models):
    with Peer() as peer:
        environment = BASE_PYTHON.parents[1]
        ok, about = peer.lease(models / "sum", environment=str(environment), env={"SOME_NAME": "x"}, threads=2)
        assert ok, about
        assert peer.ask({"dataframe_split": SPLIT})[0] == 200
        environ = Path(f"/proc/{peer.process.pid}/cmdline").read_bytes()
        assert str(environment / "bin/python").encode() in environ
    with Peer() as peer:
        ok, why = peer.lease(models / "sum", environment="/does/not/exist")
        assert not ok and "environment" in why["reason"]


def test_life_and_death(models):
    peer = Peer().ready()
    peer.channel.send(wire.DRAIN, 0, struct.pack("<I", 1000))
    assert peer.recv() is None and peer.process.wait(30) == 0
    with Peer() as peer:
        pass
    assert peer.process.returncode == 0
    for kind, payload in ((wire.PREDICT, wire.predict("application/json", b"{}")), (99, b""), (wire.LEASE, b"{")):
        peer = Peer().ready()
        peer.channel.send(kind, 1, payload)
        assert peer.recv() is None and peer.process.wait(30) == 3
        assert b"runtime_host:" in peer.process.stderr.read()
        peer.stop()


# ---- the direct way against the ordinary one ----

VALUES = {
    "double": [0.0, 1, -2.5, 1e308, 5e-324, None, 2**53 + 1, 2**70, "7", True, float("inf")],
    "float": [0.0, 1, -2.5, 0.1, 16777217, None, 1e39, "x", False],
    "long": [0, -1, 2**62, 2**63, 1.0, 1.5, None, True],
    "integer": [0, -1, 2**31 - 1, 2**31, 1.0, None],
    "boolean": [True, False, 0, 1.0, None, "true"],
    "string": ["", "a", "ü\u0000z", 1, None, True],
}


class Recorder:
    """Stands for the model's own code: keeps the frame, so that both ways can be compared."""

    def __init__(self, model):
        self.frames = []

        def predict(frame, params=None):
            self.frames.append((frame.copy(), params))
            return np.arange(len(frame))

        model._predict_fn = predict


@pytest.mark.parametrize("name", ["sum", "mixed"])
def test_direct_way_equals_the_ordinary_way(models, name):
    model = mlflow.pyfunc.load_model(models / name)
    seen = Recorder(model)
    scorer = Scorer(model)
    specs = scorer.schema.inputs
    rng = random.Random(7)
    direct = 0
    for _ in range(400):
        # Mostly values that fit, so that whole rows do.
        def value(kind):
            return VALUES[kind][rng.randrange(len(VALUES[kind]) if rng.random() < 0.1 else 2)]
        rows = [[value(s.type.name) for s in specs] for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.5:
            body = {"dataframe_split": {"columns": [s.name for s in specs], "data": rows}}
        else:
            body = {"dataframe_records": [dict(zip([s.name for s in specs], r)) for r in rows]}
        body = json.dumps(body).encode()
        seen.frames.clear()
        ours = scorer.score("application/json", body)
        ordinary = Scorer.__new__(Scorer)
        ordinary.__dict__.update(scorer.__dict__, direct=None)
        theirs = ordinary.score("application/json", body)
        assert ours[:2] == theirs[:2]
        if ours[0] != 200:
            continue
        assert ours == theirs
        (a, a_params), (b, b_params) = seen.frames
        pd.testing.assert_frame_equal(a, b, check_exact=True)
        assert a_params == b_params
        direct += scorer.direct.frame(json.loads(body)) is not None
    assert direct > 100
    assert scorer.score("application/json", b'{"dataframe_records": []}')[0] == scoring_server_status(model, b'{"dataframe_records": []}')


def scoring_server_status(model, body):
    try:
        return scoring_server.invocations(body, "application/json", model, model.metadata.get_input_schema()).status
    except mlflow.MlflowException as e:
        return e.get_http_status_code()


@pytest.mark.parametrize("result", [
    np.array([1.5, np.nan]), np.array([[1, 2]]), pd.Series([1, 2]), pd.Series([0.5], name="p"),
    pd.Series(["x"]), pd.Series([np.float32(0.1)]), pd.DataFrame({"p": [1.0], "q": ["z"]}), [1, "a"], {"k": np.int64(3)},
    pd.Series(pd.to_datetime(["2020-01-01"])), np.array(["a", "b"]), np.float32(0.1), None,
])
def test_encoding_equals_mlflows(models, result):
    from io import StringIO
    model = mlflow.pyfunc.load_model(models / "sum")
    model._predict_fn = lambda frame: result
    want = StringIO()
    try:
        scoring_server.predictions_to_json(result, want)
    except TypeError:
        want = None
    status, _, body = Scorer(model).score("application/json", json.dumps({"dataframe_split": SPLIT}).encode())
    if want is None:
        assert status == 400
    else:
        assert (status, body.decode()) == (200, want.getvalue())
