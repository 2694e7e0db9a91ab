# SPDX-License-Identifier: Apache-2.0
"""XGBoost: the library's own UBJSON, and what it leaves out."""

import math
import os

from . import Unsupported, number

CLASSIFIERS = {"XGBClassifier", "XGBRFClassifier"}
REGRESSORS = {"XGBRegressor", "XGBRFRegressor", "XGBRanker"}


def meta_of(model, predict_fn):
    import xgboost

    name = type(model).__name__
    if isinstance(model, xgboost.Booster):
        return {"wrapper": "Booster", "predict_fn": predict_fn, "missing": None, "classes": None}
    if name not in CLASSIFIERS | REGRESSORS:
        raise Unsupported(f"models of {type(model).__module__}.{name}")
    missing = model.missing
    if missing is not None and not isinstance(missing, (int, float)):
        missing = float(missing)
    if missing is None or math.isnan(missing):
        missing = None
    return {"wrapper": name, "predict_fn": predict_fn, "missing": None if missing is None else number(missing),
            "classes": None}


def export_xgboost(model, out_dir, columns, predict_fn, file="model.ubj"):
    meta = meta_of(model, predict_fn)
    model.save_model(os.path.join(out_dir, file))
    return {"kind": "xgboost-ubj", "files": [file], "meta": meta}
