# SPDX-License-Identifier: Apache-2.0
"""Golden tests of model plans: train with the real library, export, import, score 10,000 rows with NaN and
extremes, and compare with what the library itself predicts. Trees are compared bit by bit."""

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from boathouse_export import Unsupported, export  # noqa: E402

warnings.filterwarnings("ignore")
xgb = pytest.importorskip("xgboost")
lgb = pytest.importorskip("lightgbm")

SCORE = Path(os.environ.get("BOATHOUSE_BUILD", ROOT / "build/asan-ubsan")) / "tests/harness/score_file"
ROWS = 10_000
FEATURES = 8


def as_mlflow(predictions):
    """The predictions as MLflow's scoring server writes them."""
    from mlflow.pyfunc.scoring_server import predictions_to_json

    out = io.StringIO()
    predictions_to_json(predictions, out)
    text = out.getvalue()
    assert text.startswith('{"predictions": ')
    return text[len('{"predictions": '):-1]


def hard_rows(rng, rows=ROWS, features=FEATURES, infinite=True, nan=True):
    """Random rows with what breaks careless scorers in about a tenth of the cells."""
    x = rng.normal(size=(rows, features)) * rng.choice([0.1, 1, 3], size=(rows, 1))
    special = [0.0, -0.0, 1e-40, -1e-40, 5e-324, 1e-35, -1e-35, 1.0000000180025095e-35, 1e-36, 1e30, -1e30, 3.4e38, 0.5]
    if infinite:
        special += [np.inf, -np.inf, 1e300, -1e300]
    if nan:
        special += [np.nan] * 6
    mask = rng.random((rows, features)) < 0.1
    x[mask] = rng.choice(special, size=mask.sum())
    return x


def score(tmp_path, model, x, columns=None, predict_fn="predict", texts=None):
    """Exports, imports and scores; (JSON text, values or None). Raises Refused with the reason."""
    out = tmp_path / "export"
    description = export(model, str(out), columns, predict_fn)
    (out / "export.json").write_text(json.dumps(description))
    return score_export(tmp_path, out, x, texts)


class Refused(Exception):
    pass


def score_export(tmp_path, out, x, texts=None):
    numbers, words = "-", "-"
    rows = len(x) if x is not None else len(texts)
    if x is not None and x.shape[1]:
        numbers = tmp_path / "numbers"
        np.ascontiguousarray(x, dtype="<f8").tofile(numbers)
    if texts is not None and texts.shape[1]:
        words = tmp_path / "texts"
        words.write_text(json.dumps([None if v is None or v != v else v for v in texts.ravel().tolist()]))
    done = subprocess.run([SCORE, out, str(rows), numbers, words, tmp_path / "got"], capture_output=True, text=True)
    if done.returncode in (2, 3):
        raise Refused(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    values = tmp_path / "got.f64"
    return (tmp_path / "got.json").read_text(), np.fromfile(values) if values.exists() else None


def same_bits(got, want):
    want = np.asarray(want, dtype=np.float64).ravel()
    assert got.shape == want.shape
    different = np.flatnonzero(got.view(np.int64) != want.view(np.int64))
    different = [i for i in different if not (np.isnan(got[i]) and np.isnan(want[i]))]
    assert len(different) == 0, f"{len(different)} of {len(got)} differ, first: {got[different[0]]!r} {want[different[0]]!r}"


def train_data(rng, rows=1500, features=FEATURES):
    x = rng.normal(size=(rows, features))
    x[:, 3] = rng.integers(0, 12, rows)
    x[:, 5] = np.where(rng.random(rows) < 0.5, 0.0, x[:, 5])
    x[rng.random(x.shape) < 0.08] = np.nan
    z = np.nan_to_num(x)
    y = z[:, 0] * 2 + np.sin(z[:, 1] * 3) + (z[:, 3] % 3 == 1) + z[:, 5] * z[:, 6] + rng.normal(size=rows) * 0.1
    return x, y


# ---------------------------------------------------------------- XGBoost

XGB_SHAPES = [
    dict(n_estimators=1, max_depth=1),
    dict(n_estimators=7, max_depth=3),
    dict(n_estimators=100, max_depth=6),
    dict(n_estimators=33, max_depth=12, min_child_weight=0),
    dict(n_estimators=20, max_depth=0, max_leaves=64, grow_policy="lossguide", tree_method="hist"),
    dict(n_estimators=9, max_depth=4, num_parallel_tree=3, subsample=0.6),
    dict(n_estimators=12, max_depth=4, base_score=0.3),
    dict(n_estimators=12, max_depth=3, booster="dart", rate_drop=0.4),
]


@pytest.mark.parametrize("shape", XGB_SHAPES, ids=lambda s: "-".join(f"{k}{v}" for k, v in s.items()))
def test_xgb_regressor(tmp_path, shape):
    rng = np.random.default_rng(1)
    x, y = train_data(rng)
    model = xgb.XGBRegressor(random_state=1, **shape).fit(x, y)
    rows = hard_rows(rng)
    want = model.predict(pd.DataFrame(rows))
    text, values = score(tmp_path, model, rows)
    same_bits(values, want)
    assert text == as_mlflow(want)


@pytest.mark.parametrize("objective", [
    "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror",
    "reg:logistic", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "reg:gamma",
    "reg:tweedie", "survival:cox", "survival:aft", "rank:pairwise", "rank:ndcg", "rank:map", "multi:softprob",
    "multi:softmax"])
@pytest.mark.parametrize("form", ["ubj", "json"])
def test_xgb_booster(tmp_path, objective, form):
    rng = np.random.default_rng(2)
    x, y = train_data(rng)
    params = {"objective": objective, "max_depth": 4, "seed": 3}
    if "quantile" in objective:
        params["quantile_alpha"] = [0.2, 0.9]
    if objective.startswith("multi"):
        params["num_class"] = 4
        y = rng.integers(0, 4, len(y))
    elif objective.startswith(("binary", "reg:logistic", "rank")):
        y = (y > 0).astype(int)
    elif objective.startswith(("count", "reg:gamma", "reg:tweedie", "reg:squaredlog", "survival")):
        y = np.abs(y) + 0.1
    data = xgb.DMatrix(x, y)
    if objective.startswith("rank"):
        data.set_group([len(y) // 10] * 10)
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", y)
        data.set_float_info("label_upper_bound", y)
    booster = xgb.train(params, data, 25)
    rows = hard_rows(rng, infinite=False)
    want = booster.predict(xgb.DMatrix(pd.DataFrame(rows)))
    if form == "ubj":
        text, values = score(tmp_path, booster, rows)
    else:
        out = tmp_path / "export"
        out.mkdir()
        booster.save_model(out / "model.json")
        (out / "export.json").write_text(json.dumps({"kind": "", "files": ["model.json"], "meta": {}}))
        text, values = score_export(tmp_path, out, rows)
    if values is not None:
        same_bits(values, want)
    assert text == as_mlflow(want)


@pytest.mark.parametrize("classes", [2, 3, 11])
@pytest.mark.parametrize("predict_fn", ["predict", "predict_proba"])
def test_xgb_classifier(tmp_path, classes, predict_fn):
    rng = np.random.default_rng(4)
    x, y = train_data(rng)
    y = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
    model = xgb.XGBClassifier(n_estimators=30, max_depth=5).fit(x, y)
    rows = hard_rows(rng)
    want = getattr(model, predict_fn)(pd.DataFrame(rows))
    text, values = score(tmp_path, model, rows, predict_fn=predict_fn)
    if values is not None:
        same_bits(values, want)
    assert text == as_mlflow(want)
