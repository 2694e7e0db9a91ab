# SPDX-License-Identifier: Apache-2.0
"""The importer's Python half with real models: what it writes, and what it refuses."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
BASE_PYTHON = ROOT / ".deps/py/base/bin/python"
sys.path.insert(0, str(ROOT / "python"))
from boathouse_import import main as importer  # noqa: E402
from boathouse_import import samples  # noqa: E402

rng = np.random.default_rng(3)
X = pd.DataFrame({"distance": rng.uniform(100, 5000, 300), "hour": rng.integers(0, 24, 300).astype(float)})
Y = (X.distance > 3000).astype(int) + (X.hour > 12)
REQS = {"pip_requirements": ["mlflow"]}


def run(model, out):
    done = subprocess.run([BASE_PYTHON, "-m", "boathouse_import", model, out], capture_output=True, text=True, timeout=120,
                          env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "python")})
    return done


def run_ok(model, out):
    out.mkdir()
    done = run(model, out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "" and not (out / "failed.json").exists()
    export, sample = (json.loads((out / name).read_text()) for name in ("export.json", "samples.json"))
    assert export["format"] == "boathouse.export/1"
    assert all((out / f).stat().st_size for f in export["files"])
    assert len(sample["rows"]) == samples.ROWS and all(len(r) == len(sample["columns"]) for r in sample["rows"])
    assert len(json.loads(sample["answer"])["predictions"]) == samples.ROWS
    return export, sample


def frame(export, sample):
    """The sample rows as a client would send them."""
    special = {"Infinity": np.inf, "-Infinity": -np.inf}
    rows = [[np.nan if v is None else special.get(v, v) if isinstance(v, str) and t != "string" else v
             for v, t in zip(r, sample["types"])] for r in sample["rows"]]
    types = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": "bool"}
    table = pd.DataFrame(rows, columns=sample["columns"])
    return table.astype({c["name"]: types[c["type"]] for c in export["columns"] if c["type"] in types})


def run_fails(model, out, code, text, status):
    out.mkdir(exist_ok=True)
    done = run(model, out)
    assert done.returncode == status, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1 and said == json.loads((out / "failed.json").read_text())
    assert said["code"] == code and text in said["reason"], said
    assert not (out / "export.json").exists()


def test_xgboost(tmp_path):
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=3).fit(X, Y)
    mlflow.xgboost.save_model(model, tmp_path / "m", signature=infer_signature(X, model.predict(X)), **REQS)
    export, sample = run_ok(tmp_path / "m", tmp_path / "out")
    assert export["loader"] == "mlflow.xgboost" and export["model_class"] == "xgboost.sklearn.XGBClassifier"
    assert export["output"] == {"kind": "ndarray", "dtype": "int64", "shape": [None], "columns": None}
    assert [c["name"] for c in export["columns"]] == ["distance", "hour"] and export["libraries"]["xgboost"] == "3.2.0"
    assert sample["missing"] and sample["extremes"] and any(v is None for r in sample["rows"] for v in r)
    again = xgboost.XGBClassifier()
    again.load_model(tmp_path / "out" / export["files"][0])
    assert again.predict(frame(export, sample)).tolist() == json.loads(sample["answer"])["predictions"]
    # The rows take both sides of the splits: all classes come out, and thresholds are met exactly.
    assert set(json.loads(sample["answer"])["predictions"]) == {0, 1, 2}
    splits = {float(v) for v in samples.find_hints(model, X.columns).numbers["distance"]}
    assert splits & {r[0] for r in sample["rows"]}


def test_xgboost_booster_gives_doubles(tmp_path):
    model = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, Y), 5)
    mlflow.xgboost.save_model(model, tmp_path / "m", signature=infer_signature(X, model.predict(xgboost.DMatrix(X))), **REQS)
    export, sample = run_ok(tmp_path / "m", tmp_path / "out")
    assert export["output"]["dtype"] == "float32"
    want = model.predict(xgboost.DMatrix(frame(export, sample))).astype(float).tolist()
    assert json.loads(sample["answer"])["predictions"] == want


@pytest.mark.parametrize("form", ["skops", "cloudpickle"])
def test_lightgbm(tmp_path, form):
    model = lightgbm.LGBMRegressor(n_estimators=10, verbose=-1).fit(X, X.distance * 2)
    mlflow.lightgbm.save_model(model, tmp_path / "m", signature=infer_signature(X, model.predict(X)),
                               serialization_format=form, **REQS)
    export, sample = run_ok(tmp_path / "m", tmp_path / "out")
    again = lightgbm.Booster(model_file=str(tmp_path / "out" / export["files"][0]))
    assert again.predict(frame(export, sample)).tolist() == json.loads(sample["answer"])["predictions"]


@pytest.mark.parametrize("form", ["skops", "cloudpickle"])
def test_sklearn_pipeline(tmp_path, form):
    table = X.assign(carrier=np.where(X.hour > 12, "UA", "DL"), n=X.hour.astype(int))
    model = make_pipeline(ColumnTransformer([("n", StandardScaler(), ["distance", "hour"]), ("c", OneHotEncoder(), ["carrier"]),
                                             ("p", "passthrough", ["n"])]), LogisticRegression(max_iter=500)).fit(table, Y)
    mlflow.sklearn.save_model(model, tmp_path / "m", signature=infer_signature(table, model.predict_proba(table)),
                              pyfunc_predict_fn="predict_proba", serialization_format=form, **REQS)
    export, sample = run_ok(tmp_path / "m", tmp_path / "out")
    assert export["predict_fn"] == "predict_proba" and export["output"]["shape"] == [None, 3]
    assert not sample["missing"]  # linear models of scikit-learn refuse NaN
    assert {r[2] for r in sample["rows"]} == {"UA", "DL"}
    np.testing.assert_array_equal(model.predict_proba(frame(export, sample)), json.loads(sample["answer"])["predictions"])


def test_without_signature_the_model_names_its_columns(tmp_path):
    model = xgboost.XGBRegressor(n_estimators=3).fit(X, X.hour)
    mlflow.xgboost.save_model(model, tmp_path / "m", **REQS)
    export, _ = run_ok(tmp_path / "m", tmp_path / "out")
    assert export["signature"] is None and [c["name"] for c in export["columns"]] == ["distance", "hour"]


def test_same_model_same_bytes(tmp_path):
    model = xgboost.XGBRegressor(n_estimators=3).fit(X, X.hour)
    mlflow.xgboost.save_model(model, tmp_path / "m", **REQS)
    for name in ("a", "b"):
        run_ok(tmp_path / "m", tmp_path / name)
    assert (tmp_path / "a/samples.json").read_bytes() == (tmp_path / "b/samples.json").read_bytes()


class Evil:
    def __init__(self, act):
        self.act = act

    def __reduce__(self):
        return self.act


@pytest.fixture
def pickled(tmp_path):
    """A scikit-learn model folder, and a function that puts other bytes in place of its pickle."""
    model = LogisticRegression().fit(X, Y)
    mlflow.sklearn.save_model(model, tmp_path / "m", serialization_format="pickle", **REQS)

    def put(data):
        (tmp_path / "m/model.pkl").write_bytes(data)
        return tmp_path / "m"
    return put, (tmp_path / "m/model.pkl").read_bytes()


def test_broken_pickles_are_refused_with_a_reason(pickled, tmp_path):
    put, good = pickled
    for data in (b"", b"not a pickle", good[:len(good) // 2], pickle.dumps({"a": 1}), pickle.dumps(Evil((sys.exit, (0,)))),
                 pickle.dumps(Evil((os.getenv, ()))), b"\x80\x04" + b"]" * 100):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        done = run(put(data), out)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        said = json.loads(done.stdout)
        assert said["code"] in ("BAD_MODEL", "UNSUPPORTED") and said["reason"], data


def test_folder_without_mlmodel(tmp_path):
    (tmp_path / "m").mkdir()
    run_fails(tmp_path / "m", tmp_path / "out", "BAD_MODEL", "MLmodel", 1)
    (tmp_path / "m/MLmodel").write_text("flavors: [")
    run_fails(tmp_path / "m", tmp_path / "out", "BAD_MODEL", "MLmodel cannot be read", 1)


def test_other_flavours_are_for_the_runtime_host(tmp_path):
    class M(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=M(), **REQS)
    run_fails(tmp_path / "m", tmp_path / "out", "UNSUPPORTED", "mlflow.pyfunc.model", 2)


def test_skops_with_strange_types(tmp_path):
    model = LogisticRegression().fit(X, Y)
    mlflow.sklearn.save_model(model, tmp_path / "m", serialization_format="skops", **REQS)
    path = tmp_path / "m/model.skops"
    with zipfile.ZipFile(path) as z:
        files = {n: z.read(n) for n in z.namelist()}
    schema = json.loads(files["schema.json"])
    schema["__class__"], schema["__module__"] = "Popen", "subprocess"
    files["schema.json"] = json.dumps(schema).encode()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as z:
        for name, data in files.items():
            z.writestr(name, data)
    path.write_bytes(held.getvalue())
    # Its MLmodel may trust what it likes.
    text = (tmp_path / "m/MLmodel").read_text()
    assert "skops_trusted_types: null" in text
    (tmp_path / "m/MLmodel").write_text(text.replace("skops_trusted_types: null", "skops_trusted_types: [subprocess.Popen]"))
    run_fails(tmp_path / "m", tmp_path / "out", "UNSUPPORTED", "subprocess.Popen", 2)
    path.write_bytes(held.getvalue()[:50])
    run_fails(tmp_path / "m", tmp_path / "out", "BAD_MODEL", "model.skops cannot be read", 1)


def test_sample_types():
    columns = [("d", "double"), ("f", "float"), ("l", "long"), ("i", "integer"), ("b", "boolean"), ("s", "string")]
    rows = samples.make_rows(columns, samples.Hints([c[0] for c in columns]), None, 1, missing=True, extremes=True)
    assert [str(t) for t in rows.dtypes][:5] == ["float64", "float32", "int64", "int32", "bool"]
    assert rows.d.isna().any() and rows.f.isna().any() and np.isfinite(rows.f.dropna()).all()
    assert importer.exact(float("inf")) == "Infinity" and importer.exact(float("nan")) is None
    assert importer.exact(np.float32(0.1)) == 0.10000000149011612
