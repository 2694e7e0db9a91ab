# SPDX-License-Identifier: Apache-2.0
"""Models out of Python, as data.

`export(model, out_dir, columns, predict_fn)` runs in the importer's sandbox, beside the pickle that was
just opened there. It writes the model in a data form (the library's own where there is one) and returns
what becomes export.json:

    {"kind":    "xgboost-ubj" | "lightgbm-text" | "sklearn-json",
     "files":   ["model.ubj"],            the model first
     "meta":    {"wrapper": "XGBClassifier", "predict_fn": "predict", "missing": null or a number,
                 "classes": null or {"type": "int" | "float" | "bool" | "string", "values": [...]}},
     "columns": [{"name": "age", "type": "double", "required": true}, ...] or null}

The C importer (src/plan/import.h) reads that and the files, and trusts neither. `columns` are those of the
model's signature: names and MLflow types. What cannot be said in these forms raises Unsupported with a
reason for the user; the model then runs in Python.
"""

import os


class Unsupported(Exception):
    """This model has no native form; the message says why."""


TYPES = {"double", "float", "integer", "long", "boolean", "string"}


def check_columns(columns):
    for column in columns or ():
        if column["type"] not in TYPES:
            raise Unsupported(f"column {column['name']!r} is of type {column['type']}")
    return columns


def labels(classes):
    """Class labels as JSON, or None if they are of a type that is not written down."""
    import numpy as np

    classes = np.asarray(classes)
    if classes.ndim != 1:
        raise Unsupported("several targets with classes of their own")
    if classes.dtype.kind == "b":
        return {"type": "bool", "values": [bool(v) for v in classes]}
    if classes.dtype.kind in "iu":
        return {"type": "int", "values": [int(v) for v in classes]}
    if classes.dtype.kind == "f":
        return {"type": "float", "values": [number(v) for v in classes]}
    values = classes.tolist()
    if all(isinstance(v, str) for v in values):
        return {"type": "string", "values": [str(v) for v in values]}
    if all(isinstance(v, bool) for v in values):
        return {"type": "bool", "values": values}
    if all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        return {"type": "int", "values": values}
    raise Unsupported(f"class labels of type {classes.dtype}")


def number(value):
    """A double for JSON: itself, or the name of what JSON has no number for."""
    value = float(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def export(model, out_dir, columns=None, predict_fn="predict"):
    """Writes the model into out_dir and returns the export description (see above)."""
    columns = check_columns(columns)
    os.makedirs(out_dir, exist_ok=True)
    root = type(model).__module__.partition(".")[0]
    if root == "xgboost":
        from .xgboost_export import export_xgboost as run
    elif root == "lightgbm":
        from .lightgbm_export import export_lightgbm as run
    elif root == "sklearn":
        from .sklearn_export import export_sklearn as run
    else:
        raise Unsupported(f"models of {type(model).__module__}.{type(model).__qualname__}")
    result = run(model, out_dir, columns, predict_fn)
    result["columns"] = columns
    return result
