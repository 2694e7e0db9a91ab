# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets of src/plan: small models of the real libraries.

Run with the client environment: make_corpus.py SCORE_FILE, where SCORE_FILE is build/…/tests/harness/score_file
(it makes the plans). The output is checked in; it needs to be made again only when a format changes.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn import ensemble, impute, linear_model, pipeline, preprocessing
from sklearn.compose import ColumnTransformer

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "python"))

from boathouse_export import export  # noqa: E402

CORPUS = ROOT / "tests/fuzz/corpus"
warnings.filterwarnings("ignore")


def put(what, name, data):
    folder = CORPUS / f"plan_{what}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def plan_of(score_file, model, columns, name, predict_fn="predict"):
    """Exports the model, keeps its file as a seed, and its plan as one of plan_check."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        description = export(model, str(folder / "x"), columns, predict_fn)
        (folder / "x/export.json").write_text(json.dumps(description))
        what = {"xgboost-ubj": "ubj", "lightgbm-text": "lightgbm", "sklearn-json": "sklearn"}[description["kind"]]
        put(what, name, (folder / "x" / description["files"][0]).read_bytes())
        texts = [c for c in columns or () if c["type"] == "string"]
        count = (len(columns) if columns else model.n_features_in_) - len(texts)
        np.zeros(count).tofile(folder / "n")
        (folder / "t").write_text(json.dumps(["a"] * len(texts)))
        subprocess.run([score_file, folder / "x", "1", folder / "n", folder / "t" if texts else "-", folder / "o"], check=True)
        put("check", name, (folder / "o.plan").read_bytes())


def main():
    score_file = sys.argv[1]
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 3))
    x[:, 2] = rng.integers(0, 40, 300)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = np.nan_to_num(x[:, 0] + (x[:, 2] % 3 == 1))
    small = {"n_estimators": 3, "max_depth": 2}
    plan_of(score_file, xgb.XGBRegressor(**small).fit(x, y), None, "regressor")
    plan_of(score_file, xgb.XGBClassifier(**small).fit(x, np.digitize(y, [0, 1])), None, "classes")
    plan_of(score_file, xgb.XGBRegressor(booster="dart", rate_drop=0.5, **small).fit(x, y), None, "dart")
    codes = xgb.XGBRegressor(feature_types=["q", "q", "c"], enable_categorical=True, **small).fit(x, y)
    plan_of(score_file, codes, None, "codes")
    for name, model in (("regressor", xgb.XGBRegressor(**small).fit(x, y)), ("codes", codes)):
        put("xgboost", f"{name}.json", bytes(model.get_booster().save_raw("json")))

    leaves = {"n_estimators": 3, "num_leaves": 4, "min_child_samples": 3, "verbose": -1}
    plan_of(score_file, lgb.LGBMRegressor(**leaves).fit(x, y), None, "lgb")
    plan_of(score_file, lgb.LGBMClassifier(**leaves).fit(x, np.digitize(y, [0, 1]), categorical_feature=[2]), None, "lgb_codes")

    frame = pd.DataFrame({"n": x[:, 0], "m": x[:, 1], "w": rng.choice(["a", "b", "Oslo"], 300)})
    columns = [{"name": "n", "type": "double", "required": True}, {"name": "m", "type": "float", "required": True},
               {"name": "w", "type": "string", "required": False}]
    steps = ColumnTransformer([
        ("n", pipeline.make_pipeline(impute.SimpleImputer(add_indicator=True), preprocessing.MinMaxScaler(clip=True)), ["n"]),
        ("m", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["m"]),
        ("w", pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent"),
                                     preprocessing.OneHotEncoder(handle_unknown="ignore")), ["w"]),
        ("o", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["w"])])
    logistic = pipeline.make_pipeline(steps, preprocessing.Normalizer(), linear_model.LogisticRegression())
    plan_of(score_file, logistic.fit(frame, np.where(y > 0.5, "yes", "no")), columns, "logistic")
    forest = ensemble.RandomForestClassifier(n_estimators=2, max_depth=2).fit(x, y > 0.5)
    plan_of(score_file, forest, None, "forest", "predict_proba")
    hist = ensemble.HistGradientBoostingRegressor(max_iter=2, max_leaf_nodes=4).fit(x, y)
    plan_of(score_file, hist, None, "hist")


if __name__ == "__main__":
    main()
