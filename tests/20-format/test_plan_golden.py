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

# Before the libraries are loaded: on a busy machine their threads wait for each other most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402

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


def same_text(got, predictions):
    """As MLflow writes them; the first difference only, since pytest would compare megabytes."""
    want = as_mlflow(predictions)
    if got != want:
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        pytest.fail(f"at {at}: {got[max(0, at - 40):at + 40]!r}, expected {want[max(0, at - 40):at + 40]!r}")


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
    done = subprocess.run([SCORE, out, str(rows), numbers, words, tmp_path / "got"], capture_output=True, text=True, timeout=300)
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
    same_text(text, want)


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
    same_text(text, want)


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
    same_text(text, want)


def test_xgb_dart_booster(tmp_path):
    rng = np.random.default_rng(5)
    x, y = train_data(rng)
    booster = xgb.train({"booster": "dart", "rate_drop": 0.4, "max_depth": 4}, xgb.DMatrix(x, y), 15)
    rows = hard_rows(rng, infinite=False)
    text, values = score(tmp_path, booster, rows)
    same_bits(values, booster.predict(xgb.DMatrix(rows)))


def test_xgb_best_iteration(tmp_path):
    rng = np.random.default_rng(6)
    x, y = train_data(rng)
    noise = rng.normal(size=len(y))
    model = xgb.XGBRegressor(n_estimators=60, max_depth=5, early_stopping_rounds=3, num_parallel_tree=2)
    model.fit(x[:900], y[:900] + noise[:900], eval_set=[(x[900:], y[900:])], verbose=False)
    assert model.best_iteration < 55
    rows = hard_rows(rng)
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))
    # A Booster ignores the best iteration.
    rows = hard_rows(rng, infinite=False)
    booster = model.get_booster()
    same_bits(score(tmp_path, booster, rows)[1], booster.predict(xgb.DMatrix(rows)))


def test_xgb_missing_value(tmp_path):
    rng = np.random.default_rng(7)
    x, y = train_data(rng)
    x[np.isnan(x)] = -999.0
    model = xgb.XGBRegressor(n_estimators=20, missing=-999.0).fit(x, y)
    rows = hard_rows(rng)
    rows[rng.random(rows.shape) < 0.1] = -999.0
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))


def test_xgb_multi_output_and_labels(tmp_path):
    rng = np.random.default_rng(8)
    x, y = train_data(rng)
    rows = hard_rows(rng)
    both = np.stack([y, -y + np.nan_to_num(x[:, 3])], axis=1)
    model = xgb.XGBRegressor(n_estimators=10).fit(x, both)
    want = model.predict(rows)
    text, values = score(tmp_path, model, rows)
    same_bits(values, want)
    same_text(text, want)
    flags = np.stack([y > 0, y > 1, x[:, 3] > 5], axis=1).astype(int)
    model = xgb.XGBClassifier(n_estimators=10).fit(x, flags)
    same_text(score(tmp_path, model, rows)[0], model.predict(rows))


def test_xgb_categorical_codes(tmp_path):
    rng = np.random.default_rng(9)
    x, y = train_data(rng)
    codes = rng.integers(0, 40, len(y))
    x[:, 3] = np.where(rng.random(len(y)) < 0.1, np.nan, codes)
    types = ["c" if i == 3 else "q" for i in range(FEATURES)]
    data = xgb.DMatrix(x, y + (codes % 5 == 2), feature_types=types, enable_categorical=True)
    booster = xgb.train({"max_depth": 6, "max_cat_to_onehot": 3}, data, 20)
    assert any(json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"][0]["split_type"])
    rows = hard_rows(rng, infinite=False)
    rows[:, 3] = rng.choice([0, 1, 2.5, 39, 40, 63, 64, 1000, 2.0 ** 24, 2.0 ** 25, np.nan, 1e-40, -0.0], size=len(rows))
    want = booster.predict(xgb.DMatrix(rows, feature_types=types, enable_categorical=True))
    same_bits(score(tmp_path, booster, rows)[1], want)


def test_xgb_large_trees_take_wide_nodes(tmp_path):
    rng = np.random.default_rng(10)
    x = rng.normal(size=(90_000, 4)).astype("f4")
    y = rng.normal(size=len(x))
    # Not tree_method="hist": its histograms of so many nodes would take gigabytes.
    model = xgb.XGBRegressor(n_estimators=2, max_depth=40, tree_method="exact", min_child_weight=0, reg_lambda=0).fit(x, y)
    rows = hard_rows(rng, features=4)
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))
    sizes = [int(t["tree_param"]["num_nodes"]) for t in
             json.loads(bytes(model.get_booster().save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]]
    assert max(sizes) > 65_536


def test_xgb_refusals(tmp_path):
    rng = np.random.default_rng(11)
    x, y = train_data(rng)
    rows = hard_rows(rng)
    with pytest.raises(Refused, match="gblinear"):
        score(tmp_path, xgb.XGBRegressor(booster="gblinear").fit(np.nan_to_num(x), y), rows)
    with pytest.raises(Refused, match="several values"):
        model = xgb.XGBRegressor(multi_strategy="multi_output_tree", n_estimators=2).fit(x, np.stack([y, y], 1))
        score(tmp_path, model, rows)
    frame = pd.DataFrame(x)
    frame[3] = pd.Categorical(np.nan_to_num(x[:, 3]).astype(int).astype(str))
    with pytest.raises(Refused, match="categories of a data frame"):
        score(tmp_path, xgb.XGBRegressor(enable_categorical=True, n_estimators=2).fit(frame, y), rows)
    # A Booster's own path refuses infinite values, and so does the plan.
    booster = xgb.XGBRegressor(n_estimators=2).fit(x, y).get_booster()
    with pytest.raises(Refused, match="infinity"):
        score(tmp_path, booster, rows)


# ---------------------------------------------------------------- LightGBM

LGB_SHAPES = [
    dict(n_estimators=1, num_leaves=2),
    dict(n_estimators=100, num_leaves=31),
    dict(n_estimators=20, num_leaves=400, min_child_samples=1, max_bin=1000),
    dict(n_estimators=30, zero_as_missing=True),
    dict(n_estimators=30, use_missing=False),
    dict(n_estimators=20, boosting_type="rf", subsample=0.6, subsample_freq=1),
    dict(n_estimators=20, boosting_type="dart"),
    dict(n_estimators=20, reg_sqrt=True),
]


@pytest.mark.parametrize("shape", LGB_SHAPES, ids=lambda s: "-".join(f"{k}{v}" for k, v in s.items()))
def test_lgb_regressor(tmp_path, shape):
    rng = np.random.default_rng(20)
    x, y = train_data(rng)
    model = lgb.LGBMRegressor(verbose=-1, random_state=1, **shape).fit(x, y)
    rows = hard_rows(rng)
    want = model.predict(pd.DataFrame(rows))
    text, values = score(tmp_path, model, rows)
    same_bits(values, want)
    same_text(text, want)


@pytest.mark.parametrize("objective", [
    "regression", "regression_l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie", "binary",
    "cross_entropy", "cross_entropy_lambda", "multiclass", "multiclassova", "lambdarank", "rank_xendcg"])
def test_lgb_booster(tmp_path, objective):
    rng = np.random.default_rng(21)
    x, y = train_data(rng)
    params = {"objective": objective, "verbose": -1, "sigmoid": 1.7 if objective in ("binary", "multiclassova") else 1.0}
    group = None
    if objective.startswith("multiclass"):
        params["num_class"] = 4
        y = rng.integers(0, 4, len(y))
    elif objective in ("binary", "cross_entropy", "cross_entropy_lambda") or "rank" in objective:
        y = (y > 0).astype(int)
        group = [len(y) // 10] * 10 if "rank" in objective else None
    elif objective in ("poisson", "gamma", "tweedie"):
        y = np.abs(y) + 0.1
    booster = lgb.train(params, lgb.Dataset(x, y, group=group), 30)
    rows = hard_rows(rng)
    want = booster.predict(rows)
    text, values = score(tmp_path, booster, rows)
    same_bits(values, want)
    same_text(text, want)


@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [False, True], [1.0, 2.0, 4.0], ["a", "b\u00e9", "c\"\n", "d\U0001f600"]],
                         ids=["int", "string", "bool", "float", "unicode"])
@pytest.mark.parametrize("predict_fn", ["predict", "predict_proba"])
def test_lgb_classifier(tmp_path, labels, predict_fn):
    rng = np.random.default_rng(22)
    x, y = train_data(rng)
    y = np.array(labels)[np.digitize(y, np.quantile(y, np.linspace(0, 1, len(labels) + 1)[1:-1]))]
    model = lgb.LGBMClassifier(n_estimators=20, verbose=-1).fit(x, y)
    rows = hard_rows(rng)
    want = getattr(model, predict_fn)(rows)
    text, values = score(tmp_path, model, rows, predict_fn=predict_fn)
    if values is not None:
        same_bits(values, want)
    same_text(text, want)


def test_lgb_categorical(tmp_path):
    rng = np.random.default_rng(23)
    x, y = train_data(rng)
    codes = rng.integers(0, 200, len(y))
    x[:, 3] = np.where(rng.random(len(y)) < 0.1, np.nan, codes)
    model = lgb.LGBMRegressor(n_estimators=40, verbose=-1, min_child_samples=3, cat_smooth=1)
    model.fit(x, y + 3 * (codes % 7 == 2), categorical_feature=[3])
    assert "cat_threshold" in model.booster_.model_to_string()
    rows = hard_rows(rng)
    special = [0, 1, 2.5, -0.5, -1, -3, 31, 32, 63, 64, 199, 200, 1e6, 2.0 ** 31, -2.0 ** 31, 1e300, np.inf, -np.inf, np.nan, 1e-40]
    rows[:, 3] = np.where(rng.random(len(rows)) < 0.5, rng.choice(special, len(rows)), rng.integers(0, 220, len(rows)))
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))


def test_lgb_float_columns(tmp_path):
    """Columns of MLflow type float reach the library as float32."""
    rng = np.random.default_rng(24)
    x = rng.integers(0, 5, (1500, FEATURES)) + 1e-9 * rng.integers(0, 2, (1500, FEATURES))
    model = lgb.LGBMRegressor(n_estimators=40, verbose=-1).fit(x, (x % 1).sum(axis=1) * 1e9)
    rows = hard_rows(rng, infinite=False)
    rows[: len(x)] = x
    columns = [{"name": f"c{i}", "type": "float" if i % 2 else "double", "required": True} for i in range(FEATURES)]
    frame = pd.DataFrame({c["name"]: rows[:, i].astype("f4" if i % 2 else "f8") for i, c in enumerate(columns)})
    want = model.predict(frame)
    same_bits(score(tmp_path, model, rows, columns=columns)[1], want)
    assert not np.array_equal(want, model.predict(rows))


def test_lgb_best_iteration_and_refusals(tmp_path):
    rng = np.random.default_rng(25)
    x, y = train_data(rng)
    rows = hard_rows(rng)
    model = lgb.LGBMRegressor(n_estimators=200, verbose=-1)
    model.fit(x[:900], y[:900] + rng.normal(size=900), eval_set=[(x[900:], y[900:])],
              callbacks=[lgb.early_stopping(3, verbose=False)])
    assert model.best_iteration_ < 195
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))
    with pytest.raises(Refused, match="linear"):
        score(tmp_path, lgb.LGBMRegressor(linear_tree=True, verbose=-1, n_estimators=3).fit(np.nan_to_num(x), y), rows)
    frame = pd.DataFrame(x)
    frame[3] = pd.Categorical(np.nan_to_num(x[:, 3]).astype(int).astype(str))
    with pytest.raises(Refused, match="categories of a data frame"):
        score(tmp_path, lgb.LGBMRegressor(n_estimators=2, verbose=-1).fit(frame, y), rows)


# ---------------------------------------------------------------- scikit-learn

from sklearn import ensemble, impute, linear_model, pipeline, preprocessing, svm, tree  # noqa: E402
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.feature_selection import SelectKBest, VarianceThreshold  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402


def close(got, want, relative=1e-12):
    """Equal to 1e-12 of the largest term that went into a sum, which is what 1e-12 can mean here."""
    want = np.asarray(want, dtype=np.float64).ravel()
    assert got.shape == want.shape
    scale = np.maximum(np.abs(want), 1.0)
    worst = np.max(np.abs(got - want) / scale)
    assert worst <= relative, worst


def clean_rows(rng, features=FEATURES):
    x = hard_rows(rng, features=features, infinite=False, nan=False)
    return np.where(np.abs(x) > 1e6, 1e6, x)


def pieces(y, classes):
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))


LINEAR_REGRESSORS = [
    linear_model.LinearRegression(), linear_model.Ridge(), linear_model.Lasso(alpha=0.01),
    linear_model.ElasticNet(alpha=0.01), linear_model.BayesianRidge(), linear_model.HuberRegressor(max_iter=500),
    linear_model.SGDRegressor(random_state=0), svm.LinearSVR(), linear_model.RidgeCV(),
    linear_model.LinearRegression(fit_intercept=False)]


@pytest.mark.parametrize("model", LINEAR_REGRESSORS, ids=lambda m: type(m).__name__)
def test_sk_linear_regressor(tmp_path, model):
    rng = np.random.default_rng(30)
    x, y = train_data(rng)
    model.fit(np.nan_to_num(x), y)
    rows = clean_rows(rng)
    text, values = score(tmp_path, model, rows)
    close(values, model.predict(rows))
    with pytest.raises(Refused, match="NaN"):
        score(tmp_path, model, hard_rows(rng))


@pytest.mark.parametrize("model", [linear_model.PoissonRegressor(), linear_model.GammaRegressor(),
                                   linear_model.TweedieRegressor(power=1.5), linear_model.TweedieRegressor(power=0)],
                         ids=lambda m: f"{type(m).__name__}{getattr(m, 'power', '')}")
def test_sk_glm(tmp_path, model):
    rng = np.random.default_rng(31)
    x, y = train_data(rng)
    model.fit(np.nan_to_num(x), np.abs(y) + 0.1)
    rows = rng.normal(size=(ROWS, FEATURES))
    want = model.predict(rows)
    got = score(tmp_path, model, rows)[1]
    assert np.max(np.abs(got - want) / np.abs(want)) < 1e-12


def test_sk_linear_two_dimensional(tmp_path):
    rng = np.random.default_rng(32)
    x, y = train_data(rng)
    x = np.nan_to_num(x)
    for target in (np.stack([y, -y], 1), y.reshape(-1, 1)):
        model = linear_model.LinearRegression().fit(x, target)
        rows = clean_rows(rng)
        text, values = score(tmp_path, model, rows)
        close(values, model.predict(rows))
        assert np.shape(json.loads(text)) == model.predict(rows).shape


CLASSIFIERS = [
    linear_model.LogisticRegression(max_iter=300), linear_model.RidgeClassifier(), svm.LinearSVC(),
    linear_model.SGDClassifier(loss="log_loss", random_state=0), linear_model.Perceptron(),
    LinearDiscriminantAnalysis()]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("classes", [2, 5])
def test_sk_linear_classifier(tmp_path, model, classes):
    rng = np.random.default_rng(33)
    x, y = train_data(rng)
    names = np.array(["ant", "bee", "cat", "dog", "\u00e9lan"])[:classes]
    model.fit(np.nan_to_num(x), names[pieces(y, classes)])
    rows = clean_rows(rng)
    same_text(score(tmp_path, model, rows)[0], model.predict(rows))
    if hasattr(model, "predict_proba"):
        want = model.predict_proba(rows)
        text, values = score(tmp_path, model, rows, predict_fn="predict_proba")
        close(values, want)
        assert np.shape(json.loads(text)) == want.shape


SCALERS = [
    preprocessing.StandardScaler(), preprocessing.StandardScaler(with_mean=False),
    preprocessing.StandardScaler(with_std=False), preprocessing.MinMaxScaler(), preprocessing.MinMaxScaler((-2, 3), clip=True),
    preprocessing.MaxAbsScaler(), preprocessing.RobustScaler(), preprocessing.Normalizer("l1"),
    preprocessing.Normalizer("l2"), preprocessing.Normalizer("max"), preprocessing.Binarizer(threshold=0.2),
    SelectKBest(k=3), VarianceThreshold(0.9), preprocessing.FunctionTransformer()]


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda s: repr(s).replace("\n", ""))
def test_sk_scaler_before_tree(tmp_path, scaler):
    """A tree behind the scaler turns any difference in its bits into a different leaf, sooner or later."""
    rng = np.random.default_rng(34)
    x, y = train_data(rng)
    model = pipeline.make_pipeline(scaler, tree.DecisionTreeRegressor(random_state=0)).fit(np.nan_to_num(x), y)
    rows = clean_rows(rng)
    rows[:1500] = np.nan_to_num(x)
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))
    linear = pipeline.make_pipeline(scaler, linear_model.Ridge()).fit(np.nan_to_num(x), y)
    close(score(tmp_path, linear, rows)[1], linear.predict(rows))


@pytest.mark.parametrize("imputer", [
    impute.SimpleImputer(), impute.SimpleImputer(strategy="median"), impute.SimpleImputer(strategy="most_frequent"),
    impute.SimpleImputer(strategy="constant", fill_value=-7.5), impute.SimpleImputer(add_indicator=True),
    impute.SimpleImputer(missing_values=0.0)], ids=lambda s: repr(s))
def test_sk_imputer(tmp_path, imputer):
    rng = np.random.default_rng(35)
    x, y = train_data(rng)
    x = np.nan_to_num(x) if imputer.missing_values == 0.0 else x
    model = pipeline.make_pipeline(imputer, preprocessing.StandardScaler(), tree.DecisionTreeRegressor(max_depth=9)).fit(x, y)
    rows = clean_rows(rng)
    if imputer.missing_values != 0.0:
        rows[rng.random(rows.shape) < 0.1] = np.nan
    same_bits(score(tmp_path, model, rows)[1], model.predict(rows))


TREES = [
    tree.DecisionTreeRegressor(random_state=0), tree.ExtraTreeRegressor(random_state=0, max_depth=7),
    ensemble.RandomForestRegressor(n_estimators=30, random_state=0), ensemble.ExtraTreesRegressor(n_estimators=11, random_state=0),
    ensemble.HistGradientBoostingRegressor(max_iter=50), ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=20)]


@pytest.mark.parametrize("model", TREES, ids=lambda m: repr(m))
def test_sk_tree_regressor(tmp_path, model):
    rng = np.random.default_rng(36)
    x, y = train_data(rng)
    model.fit(x, np.abs(y))
    hist = "Hist" in type(model).__name__
    rows = hard_rows(rng, infinite=hist)
    want = model.predict(rows)
    text, values = score(tmp_path, model, rows)
    if getattr(model, "loss", "") == "poisson":
        assert np.max(np.abs(values - want) / want) < 1e-14
    else:
        same_bits(values, want)
    if not hist:
        rows[5, 2] = 1e39
        with pytest.raises(Refused, match="Row 5: input contains infinity"):
            score(tmp_path, model, rows)


TREE_CLASSIFIERS = [
    tree.DecisionTreeClassifier(random_state=0, max_depth=8), ensemble.RandomForestClassifier(n_estimators=30, random_state=0),
    ensemble.ExtraTreesClassifier(n_estimators=10, random_state=0), ensemble.GradientBoostingClassifier(n_estimators=20),
    ensemble.HistGradientBoostingClassifier(max_iter=20)]


@pytest.mark.parametrize("model", TREE_CLASSIFIERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("classes", [2, 4])
def test_sk_tree_classifier(tmp_path, model, classes):
    rng = np.random.default_rng(37)
    x, y = train_data(rng)
    boosted = type(model).__name__ == "GradientBoostingClassifier"
    if boosted:
        x = np.nan_to_num(x)
    model.fit(x, pieces(y, classes) * 10 - 5)
    rows = clean_rows(rng) if boosted else hard_rows(rng, infinite=False)
    same_text(score(tmp_path, model, rows)[0], model.predict(rows))
    want = model.predict_proba(rows)
    text, values = score(tmp_path, model, rows, predict_fn="predict_proba")
    if "Boosting" in type(model).__name__:
        close(values, want, 1e-14)
    else:
        same_bits(values, want)
    if boosted:
        same = ensemble.GradientBoostingRegressor(n_estimators=50).fit(x, y)
        same_bits(score(tmp_path, same, rows)[1], same.predict(rows))


def people(rng, rows, missing=True):
    """A frame of mixed columns, and its columns as a signature names them."""
    frame = pd.DataFrame({
        "age": rng.integers(18, 90, rows).astype("int64"),
        "income": np.round(rng.lognormal(10, 1, rows), 2),
        "city": rng.choice(["Oslo", "Bergen", "Troms\u00f8", "Oslo ", "", "\u6771\u4eac"], rows),
        "member": rng.random(rows) < 0.4,
        "plan": rng.choice(["free", "basic", "pro"], rows, p=[0.7, 0.25, 0.05]),
        "score": rng.normal(size=rows),
        "stars": rng.integers(1, 6, rows).astype("int64"),
    })
    if missing:
        frame.loc[rng.random(rows) < 0.1, "income"] = np.nan
        frame.loc[rng.random(rows) < 0.1, "city"] = None
        frame.loc[rng.random(rows) < 0.1, "score"] = np.nan
    kinds = {"age": "long", "income": "double", "city": "string", "member": "boolean", "plan": "string",
             "score": "double", "stars": "long"}
    return frame, [{"name": k, "type": v, "required": True} for k, v in kinds.items()]


def matrices(frame, columns):
    numbers = [c["name"] for c in columns if c["type"] != "string"]
    texts = [c["name"] for c in columns if c["type"] == "string"]
    return frame[numbers].to_numpy(dtype=np.float64), frame[texts].astype(object).to_numpy()


def mixed(end, **encoder):
    encoder = {"handle_unknown": "ignore", **encoder}
    numeric = pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler())
    words = pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder(**encoder))
    return pipeline.make_pipeline(ColumnTransformer([
        ("numeric", numeric, ["income", "score", "age"]), ("words", words, ["city", "plan"]),
        ("stars", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["stars"]), ("flag", "passthrough", ["member"])]), end)


MIXED_ENDS = [
    linear_model.LogisticRegression(max_iter=500), ensemble.RandomForestClassifier(n_estimators=15, random_state=1),
    xgb.XGBClassifier(n_estimators=20), lgb.LGBMClassifier(n_estimators=20, verbose=-1),
    GridSearchCV(linear_model.LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, cv=2)]


@pytest.mark.parametrize("end", MIXED_ENDS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("encoder", [{}, {"drop": "first"}, {"drop": "if_binary"}, {"sparse_output": False}], ids=str)
def test_sk_mixed_pipeline(tmp_path, end, encoder):
    rng = np.random.default_rng(38)
    frame, columns = people(rng, 1500)
    y = (frame["income"].fillna(0) > 20_000) & (frame["plan"] != "pro") | (frame["city"] == "Bergen")
    y = y.astype(int).to_numpy() ^ (rng.random(len(y)) < 0.05)
    model = mixed(end, **encoder).fit(frame, y)
    rows, _ = people(rng, ROWS)
    rows.loc[rng.random(ROWS) < 0.05, "plan"] = "enterprise"
    rows.loc[rng.random(ROWS) < 0.05, "stars"] = 9
    numbers, texts = matrices(rows, columns)
    want = model.predict(rows)
    same_text(score(tmp_path, model, numbers, columns, texts=texts)[0], want)
    values = score(tmp_path, model, numbers, columns, "predict_proba", texts=texts)[1]
    if isinstance(end, (xgb.XGBClassifier, lgb.LGBMClassifier, ensemble.RandomForestClassifier)):
        same_bits(values, model.predict_proba(rows))
    else:
        close(values, model.predict_proba(rows))


def test_sk_unknown_category_is_refused(tmp_path):
    rng = np.random.default_rng(39)
    frame, columns = people(rng, 500, missing=False)
    model = mixed(linear_model.LogisticRegression(max_iter=500), handle_unknown="error").fit(frame, frame["age"] > 50)
    rows, _ = people(rng, 50, missing=False)
    numbers, texts = matrices(rows, columns)
    text, _ = score(tmp_path, model, numbers, columns, texts=texts)
    same_text(text, model.predict(rows))
    texts[7, 1] = "enterprise"
    with pytest.raises(Refused, match="Row 7: found an unknown category"):
        score(tmp_path, model, numbers, columns, texts=texts)


def test_sk_ordinal_encoder_and_missing_categories(tmp_path):
    rng = np.random.default_rng(40)
    frame, columns = people(rng, 1500)
    encode = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-3, encoded_missing_value=-1)
    model = pipeline.make_pipeline(ColumnTransformer([
        ("words", encode, ["city", "plan"]), ("one", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ("rest", "passthrough", ["score", "stars"])], sparse_threshold=0),
        ensemble.HistGradientBoostingRegressor(max_iter=30)).fit(frame, frame["age"])
    rows, _ = people(rng, ROWS)
    rows.loc[rng.random(ROWS) < 0.05, "plan"] = "enterprise"
    numbers, texts = matrices(rows, columns)
    same_bits(score(tmp_path, model, numbers, columns, texts=texts)[1], model.predict(rows))


def test_sk_float_columns(tmp_path):
    """A frame of float32 columns is scaled in float32."""
    rng = np.random.default_rng(41)
    x, y = train_data(rng)
    names = [f"c{i}" for i in range(FEATURES)]
    columns = [{"name": n, "type": "float", "required": True} for n in names]
    frame = pd.DataFrame(np.nan_to_num(x), columns=names).astype("f4")
    rows = pd.DataFrame(clean_rows(rng), columns=names).astype("f4")
    for scaler in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.RobustScaler()):
        model = pipeline.make_pipeline(scaler, tree.DecisionTreeRegressor(random_state=0)).fit(frame, y)
        same_bits(score(tmp_path, model, rows.to_numpy("f8"), columns)[1], model.predict(rows))


@pytest.mark.parametrize("model,reason", [
    (KNeighborsClassifier(), "KNeighborsClassifier"),
    (pipeline.make_pipeline(preprocessing.PolynomialFeatures(), linear_model.Ridge()), "PolynomialFeatures"),
    (pipeline.make_pipeline(preprocessing.FunctionTransformer(np.tanh), linear_model.Ridge()), "function of its own"),
    (TransformedTargetRegressor(linear_model.Ridge()), "TransformedTargetRegressor"),
], ids=["knn", "polynomial", "function", "target"])
def test_sk_unsupported(tmp_path, model, reason):
    rng = np.random.default_rng(42)
    x, y = train_data(rng)
    model.fit(np.nan_to_num(x), pieces(y, 3))
    with pytest.raises(Unsupported, match=reason):
        score(tmp_path, model, x)


# ---------------------------------------------------------------- through MLflow

@pytest.mark.parametrize("flavour", ["xgboost", "xgboost-booster", "lightgbm", "lightgbm-booster", "sklearn"])
def test_through_mlflow(tmp_path, flavour):
    """What MLflow's pyfunc says of a saved and loaded model, with its signature, is what the plan says."""
    import mlflow
    from mlflow.models import infer_signature

    rng = np.random.default_rng(50)
    frame, columns = people(rng, 1500, missing=False)
    words = flavour == "sklearn"
    if not words:
        frame = frame.drop(columns=["city", "plan"])
        columns = [c for c in columns if c["type"] != "string"]
    y = (frame["income"] > 20_000).astype(int)
    if flavour == "sklearn":
        model, kind = mixed(linear_model.LogisticRegression(max_iter=500)).fit(frame, np.where(y, "rich", "poor")), mlflow.sklearn
    elif flavour.startswith("xgboost"):
        model, kind = xgb.XGBClassifier(n_estimators=10).fit(frame, y), mlflow.xgboost
    else:
        model, kind = lgb.LGBMClassifier(n_estimators=10, verbose=-1).fit(frame, y), mlflow.lightgbm
    if flavour == "xgboost-booster":
        model = model.get_booster()
    elif flavour == "lightgbm-booster":
        model = model.booster_
    form = {"serialization_format": "cloudpickle"} if words else {}
    kind.save_model(model, str(tmp_path / "saved"), signature=infer_signature(frame, [1]), **form)
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    signature = [{"name": c.name, "type": c.type.name.replace("int64", "long"), "required": c.required}
                 for c in loaded.metadata.get_input_schema().inputs]
    assert [c["type"] for c in signature] == [c["type"] for c in columns]
    rows, _ = people(rng, 2000, missing=False)
    rows = rows[list(frame.columns)]
    numbers, texts = matrices(rows, columns)
    text, values = score(tmp_path, loaded.get_raw_model(), numbers, signature, texts=texts)
    want = loaded.predict(rows)
    same_text(text, want)
    if values is not None:
        same_bits(values, want)
