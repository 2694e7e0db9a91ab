# SPDX-License-Identifier: Apache-2.0
"""LightGBM: the library's own text, and the classes that it leaves out."""

import os

from . import Unsupported, labels

WRAPPERS = {"LGBMClassifier", "LGBMRegressor", "LGBMRanker"}


def meta_of(model, predict_fn):
    import lightgbm

    name = type(model).__name__
    if isinstance(model, lightgbm.Booster):
        return {"wrapper": "Booster", "predict_fn": predict_fn, "missing": None, "classes": None}
    if name not in WRAPPERS:
        raise Unsupported(f"models of {type(model).__module__}.{name}")
    classes = labels(model.classes_) if name == "LGBMClassifier" else None
    if callable(getattr(model, "objective_", None)):
        raise Unsupported("an objective of its own")
    return {"wrapper": name, "predict_fn": predict_fn, "missing": None, "classes": classes}


def export_lightgbm(model, out_dir, columns, predict_fn, file="model.txt"):
    meta = meta_of(model, predict_fn)
    booster = model if meta["wrapper"] == "Booster" else model.booster_
    # Only the trees up to the best iteration, which are those that predict() uses.
    booster.save_model(os.path.join(out_dir, file))
    return {"kind": "lightgbm-text", "files": [file], "meta": meta}
