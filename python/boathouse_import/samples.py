# SPDX-License-Identifier: Apache-2.0
"""Sample rows for a model: what the native plan is compared on.

A row of plain noise says little about a tree that splits at 3,000. So values are taken around what the model
itself compares with: thresholds of its trees (exactly, and one step to each side), means and scales of its
scalers, categories of its encoders; then noise, zeros, extremes and missing values.
"""

import math

import numpy as np
import pandas as pd

ROWS = 256
# Per column: enough to meet most splits of a real model, little enough to find quickly.
THRESHOLDS_MOST = 512
TREES_MOST = 400
EXTREMES = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e30, 1e30, 5e-324, 3.4e38]


class Hints:
    """Per column name or position: numbers and categories that the model knows."""

    def __init__(self, names):
        self.names = list(names)
        self.numbers = {name: [] for name in self.names}
        self.categories = {name: [] for name in self.names}

    def _name(self, key):
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            return self.names[key] if 0 <= key < len(self.names) else None
        return key if key in self.numbers else None

    def number(self, key, value):
        name = self._name(key)
        if name is not None and math.isfinite(value) and len(self.numbers[name]) < THRESHOLDS_MOST:
            self.numbers[name].append(float(value))

    def category(self, key, values):
        name = self._name(key)
        if name is not None:
            room = THRESHOLDS_MOST - len(self.categories[name])
            self.categories[name].extend(list(values)[:room])


def find_hints(model, names):
    """Never fails: a model of an unknown shape just gives none."""
    hints = Hints(names)
    try:
        _walk(model, list(range(len(hints.names))), hints, depth=0)
    except Exception:
        pass  # half of the hints are still hints
    return hints


def _walk(model, columns, hints, depth):
    """columns: for each input of this step the original column, or None where it is a derived one."""
    if depth > 20 or model is None or isinstance(model, str):
        return columns if model == "passthrough" else [None] * len(columns)
    kind = type(model).__name__
    if hasattr(model, "get_booster") or kind == "Booster":
        _boosters(model, columns, hints)
    elif hasattr(model, "booster_"):
        _lightgbm(model.booster_, columns, hints)
    elif hasattr(model, "steps"):
        for _, step in model.steps:
            columns = _walk(step, columns, hints, depth + 1)
    elif hasattr(model, "transformers_"):
        out = []
        for _, step, chosen in model.transformers_:
            out += _walk(step, _chosen(chosen, columns, hints), hints, depth + 1)
        return out
    elif hasattr(model, "categories_"):
        for column, values in zip(columns, model.categories_):
            if column is not None:
                hints.category(column, values.tolist())
        return [None] * len(columns)
    elif hasattr(model, "scale_") or hasattr(model, "mean_"):
        _scaler(model, columns, hints)
        return columns
    elif hasattr(model, "statistics_"):
        return columns
    else:
        for tree in _sklearn_trees(model)[:TREES_MOST]:
            for feature, threshold in zip(tree.feature.tolist(), tree.threshold.tolist()):
                if feature >= 0 and columns[feature] is not None:
                    hints.number(columns[feature], threshold)
    return columns


def _chosen(chosen, columns, hints):
    if isinstance(chosen, str):
        chosen = [chosen]
    if isinstance(chosen, slice):
        return columns[chosen]
    out = []
    for i, one in enumerate(chosen):
        if isinstance(one, (bool, np.bool_)):
            out += [columns[i]] if one else []
        elif isinstance(one, str):
            out.append(hints.names.index(one) if one in hints.names else None)
        else:
            out.append(columns[int(one)])
    return out


def _scaler(model, columns, hints):
    centre = getattr(model, "mean_", None)
    centre = getattr(model, "center_", None) if centre is None else centre
    scale = getattr(model, "scale_", None)
    low, high = getattr(model, "data_min_", None), getattr(model, "data_max_", None)
    for i, column in enumerate(columns):
        if column is None:
            continue
        if low is not None:
            for part in (0.0, 0.1, 0.5, 0.9, 1.0):
                hints.number(column, low[i] + part * (high[i] - low[i]))
        elif centre is not None or scale is not None:
            middle = 0.0 if centre is None else centre[i]
            step = 1.0 if scale is None else scale[i]
            for part in (-3, -1, -0.3, 0, 0.3, 1, 3):
                hints.number(column, middle + part * step)


def _sklearn_trees(model):
    if hasattr(model, "tree_"):
        return [model.tree_]
    found = getattr(model, "estimators_", None)
    if found is None:
        return []
    return [t.tree_ for t in np.ravel(np.array(found, dtype=object)) if hasattr(t, "tree_")]


def _boosters(model, columns, hints):
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    if not hasattr(booster, "get_dump"):
        _lightgbm(booster, columns, hints)
        return
    import json
    names = booster.feature_names
    state = json.loads(bytes(booster.save_raw("json")))
    trees = state["learner"]["gradient_booster"]
    trees = trees.get("model", trees.get("gbtree", {}).get("model", {})).get("trees", [])
    for tree in trees[:TREES_MOST]:
        for left, feature, threshold in zip(tree["left_children"], tree["split_indices"], tree["split_conditions"]):
            if left >= 0:
                key = names[feature] if names else None
                hints.number(key if key in hints.numbers else columns[feature], threshold)


def _lightgbm(booster, columns, hints):
    dump = booster.dump_model(num_iteration=min(TREES_MOST, booster.current_iteration()))
    for tree in dump["tree_info"]:
        todo = [tree["tree_structure"]]
        while todo:
            node = todo.pop()
            if "split_feature" in node:
                column = columns[node["split_feature"]]
                if column is not None and node["decision_type"] == "<=":
                    hints.number(column, float(node["threshold"]))
                elif column is not None:
                    hints.category(column, [int(c) for c in str(node["threshold"]).split("||")])
                todo += [node["left_child"], node["right_child"]]


def make_rows(columns, hints, example, seed, missing, extremes):
    """A frame of ROWS rows. columns: [(name, type)]; type is a signature's (double, float, long, …).

    missing: put NaN into a tenth of the double and float values; extremes: values of EXTREMES too.
    example: the model's input example as a frame, or None.
    """
    rng = np.random.default_rng(seed)
    out = {}
    for name, kind in columns:
        seen = []
        if example is not None and name in example.columns:
            seen = [v for v in example[name].tolist() if not (isinstance(v, float) and math.isnan(v)) and v is not None]
        out[name] = _column(rng, kind, hints.numbers.get(name, []), hints.categories.get(name, []), seen, missing, extremes)
    return pd.DataFrame(out)


def _column(rng, kind, numbers, categories, seen, missing, extremes):
    if kind == "string":
        known = [str(c) for c in categories] or [str(s) for s in seen] or ["a", "b", ""]
        return [known[i] for i in rng.integers(0, len(known), ROWS)]
    if kind == "boolean":
        return rng.integers(0, 2, ROWS).astype(bool)
    if kind in ("long", "integer"):
        near = [int(v) for v in [*numbers, *seen, *[c for c in categories if isinstance(c, (int, float))]] if abs(v) < 2**31 - 2]
        if categories:
            return np.array(near or [0], dtype=np.int64)[rng.integers(0, max(1, len(near)), ROWS)].astype(
                np.int32 if kind == "integer" else np.int64)
        values = rng.integers(-20, 21, ROWS)
        if near:
            pick = rng.random(ROWS) < 0.8
            values = np.where(pick, np.array(near)[rng.integers(0, len(near), ROWS)] + rng.integers(-2, 3, ROWS), values)
        return values.astype(np.int32 if kind == "integer" else np.int64)
    return _floats(rng, kind, [*numbers, *[float(s) for s in seen if isinstance(s, (int, float))],
                               *[float(c) for c in categories if isinstance(c, (int, float))]],
                   bool(categories), missing, extremes)


def _floats(rng, kind, near, only_near, missing, extremes):
    scale = float(np.median(np.abs(near))) if near else 1.0
    values = rng.normal(size=ROWS) * (scale or 1.0)
    if near:
        base = np.array(near)[rng.integers(0, len(near), ROWS)]
        how = rng.integers(0, 5, ROWS)
        single = base.astype(np.float32)
        base = np.select([how == 0, how == 1, how == 2, how == 3], [
            base, np.nextafter(single, np.float32(np.inf)).astype(float), np.nextafter(single, np.float32(-np.inf)).astype(float),
            np.nextafter(base, np.inf)], base + rng.normal(size=ROWS) * (abs(scale) or 1.0) * 0.1)
        if only_near:
            return np.array(near)[rng.integers(0, len(near), ROWS)]
        values = np.where(rng.random(ROWS) < 0.8, base, values)
    if extremes:
        values = np.where(rng.random(ROWS) < 0.05, np.array(EXTREMES)[rng.integers(0, len(EXTREMES), ROWS)], values)
    if missing:
        values = np.where(rng.random(ROWS) < 0.1, np.nan, values)
    if kind == "float":
        with np.errstate(over="ignore", under="ignore"):
            values = np.nan_to_num(values, nan=np.nan, posinf=0.0, neginf=0.0).astype(np.float32)
    return values
