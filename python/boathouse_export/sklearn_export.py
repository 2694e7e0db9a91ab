# SPDX-License-Identifier: Apache-2.0
"""scikit-learn: pipelines flattened into "boathouse.sklearn/1".

The form is told at the top of src/plan/import_sklearn.c. A `Program` carries the registers; `apply()` takes
the columns that an estimator sees and returns those which it makes. Nothing of the model's code goes along:
only numbers, strings and the names of operations.

To add a transformer: a function here and its row in TRANSFORMERS. To add a final estimator: a function and
its row in MODELS. A transformer that is not listed makes the model Unsupported, and it runs in Python.
"""

import json
import math
import os

import numpy as np

from . import Unsupported, labels, number

FILE = "model.json"


class Column:
    """What one column of a matrix is on the way: a register, its kind, its name if it still has one."""

    __slots__ = ("reg", "text", "name", "f32", "finite", "no_nan")

    def __init__(self, reg, text=False, name=None, f32=False, finite=0, no_nan=False):
        self.reg, self.text, self.name, self.f32 = reg, text, name, f32
        # Known of the values, so that they need no check: finite as a double (1), as a float32 too (2).
        self.finite, self.no_nan = finite, no_nan


class Program:
    def __init__(self, inputs):
        self.ops, self.regs, self.texts = [], 0, 0
        self.columns = []
        for column in inputs:
            text = column["type"] == "string"
            reg = self.texts if text else self.regs
            self.texts, self.regs = self.texts + text, self.regs + (not text)
            self.columns.append(Column(reg, text, column["name"]))
        for column, spec in zip(self.columns, inputs):
            if spec["type"] == "float":
                column.reg, column.f32 = self.op("f32", column.reg), True
            if spec["type"] in ("integer", "long", "boolean"):
                column.finite, column.no_nan = 2, spec.get("required", True)

    def op(self, name, source, width=1, **fields):
        """Appends an operation; the first register that it writes."""
        text = name == "fill"
        out = self.texts if text else self.regs
        self.ops.append({"op": name, "in": source, "out": out, **fields})
        if text:
            self.texts += width
        else:
            self.regs += width
        return out

    def check(self, columns, nan, f32=False):
        """Rows that the estimator refuses: infinite values, and NaN if `nan`."""
        level = 2 if f32 else 1
        wanted = [c for c in columns if not c.text and (c.finite < level or (nan and not c.no_nan))]
        if wanted:
            self.op("check", [c.reg for c in wanted], width=0, nan=nan, inf=True, inf32=f32)
        for c in wanted:
            c.finite, c.no_nan = max(c.finite, level), c.no_nan or nan

    def derive(self, column, reg, no_nan=None, finite=0):
        """A column made of another; a result of arithmetic is not known to be finite."""
        return Column(reg, False, column.name, column.f32, finite, column.no_nan if no_nan is None else no_nan)


def need_numbers(columns, what):
    if any(c.text for c in columns):
        raise Unsupported(f"{what} of text columns")


def step(program, column, op, **fields):
    """One operation, rounded to float32 where the library works in float32."""
    reg = program.op(op, column.reg, **fields)
    return program.op("f32", reg) if column.f32 else reg


def one_width(columns):
    """A matrix has one type: float32 only if all of its columns are; else they become doubles."""
    if columns and all(c.f32 for c in columns):
        return columns
    for c in columns:
        c.f32 = False
    return columns


def doubles(values, n):
    values = np.asarray(values, dtype=np.float64).ravel()
    if len(values) != n:
        raise Unsupported(f"a fitted array of {len(values)} values for {n} columns")
    return [number(v) for v in values]


# ---- transformers ----

def two_step(program, columns, first, second):
    """Scalers do their two operations one after the other on the whole matrix."""
    out = []
    for i, c in enumerate(columns):
        reg = c.reg
        if c.f32:
            made = c
            if first is not None:
                made = program.derive(c, step(program, c, "scale", sub=first[i], div=None))
            if second is not None:
                made = program.derive(made, step(program, made, "scale", sub=None, div=second[i]))
            out.append(made)
            continue
        if first is not None or second is not None:
            reg = program.op("scale", reg, sub=None if first is None else first[i],
                             div=None if second is None else second[i])
        out.append(program.derive(c, reg))
    return out


def standard_scaler(program, t, columns):
    need_numbers(columns, "StandardScaler")
    program.check(columns, nan=False)
    n = len(columns)
    return two_step(program, columns, doubles(t.mean_, n) if t.with_mean else None,
                    doubles(t.scale_, n) if t.with_std else None)


def robust_scaler(program, t, columns):
    need_numbers(columns, "RobustScaler")
    program.check(columns, nan=False)
    n = len(columns)
    return two_step(program, columns, doubles(t.center_, n) if t.with_centering else None,
                    doubles(t.scale_, n) if t.with_scaling else None)


def max_abs_scaler(program, t, columns):
    need_numbers(columns, "MaxAbsScaler")
    program.check(columns, nan=False)
    out = two_step(program, columns, None, doubles(t.scale_, len(columns)))
    if getattr(t, "clip", False):
        out = [program.derive(c, program.op("clip", c.reg, lo=-1.0, hi=1.0), finite=2) for c in out]
    return out


def min_max_scaler(program, t, columns):
    need_numbers(columns, "MinMaxScaler")
    program.check(columns, nan=False)
    scale, low = doubles(t.scale_, len(columns)), doubles(t.min_, len(columns))
    clip = [number(v) for v in t.feature_range] if t.clip else None
    out = []
    for i, c in enumerate(columns):
        if c.f32:
            reg = program.op("f32", program.op("affine", c.reg, mul=scale[i], add=0.0, clip=None))
            reg = program.op("f32", program.op("affine", reg, mul=1.0, add=low[i], clip=clip))
        else:
            reg = program.op("affine", c.reg, mul=scale[i], add=low[i], clip=clip)
        out.append(program.derive(c, reg))
    return out


def normalizer(program, t, columns):
    need_numbers(columns, "Normalizer")
    if any(c.f32 for c in columns):
        raise Unsupported("Normalizer of float32 columns")
    program.check(columns, nan=True)
    first = program.op("normalize", [c.reg for c in columns], width=len(columns), norm=t.norm)
    return [program.derive(c, first + i) for i, c in enumerate(columns)]


def binarizer(program, t, columns):
    need_numbers(columns, "Binarizer")
    program.check(columns, nan=True)
    return [program.derive(c, program.op("binarize", c.reg, threshold=number(t.threshold)), True, 2)
            for c in columns]


def function_transformer(program, t, columns):
    if t.func is None:
        return columns
    if t.func is np.log1p and not t.kw_args:
        need_numbers(columns, "log1p")
        if t.validate:
            program.check(columns, nan=True)
        if any(c.f32 for c in columns):
            raise Unsupported("log1p of float32 columns")
        return [program.derive(c, program.op("log1p", c.reg), no_nan=False) for c in columns]
    raise Unsupported("FunctionTransformer with a function of its own")


def is_nan(value):
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>"


def fill_text(program, t, column, value):
    if not is_nan(t.missing_values):
        raise Unsupported("SimpleImputer of a text value")
    if not isinstance(value, str):
        raise Unsupported("SimpleImputer without a value for a text column")
    return Column(program.op("fill", column.reg, value=value), True, column.name, no_nan=True)


def simple_imputer(program, t, columns):
    # A matrix of one type: with a text column among them, the others would be objects as well.
    if any(c.text for c in columns) and not all(c.text for c in columns):
        raise Unsupported("SimpleImputer of text and numbers together")
    if len(t.statistics_) != len(columns):
        raise Unsupported("SimpleImputer of another number of columns")
    missing = None if is_nan(t.missing_values) else t.missing_values
    if missing is not None and not isinstance(missing, (int, float)):
        raise Unsupported("SimpleImputer with a missing value that is no number")
    program.check(columns, nan=missing is not None)
    out = []
    for c, value in zip(columns, t.statistics_):
        if c.text:
            out.append(fill_text(program, t, c, value))
        elif is_nan(value):
            # A column that had no value at all is left out (keep_empty_features gives it one).
            continue
        else:
            reg = step(program, c, "impute", value=number(value), missing=None if missing is None else number(missing))
            out.append(program.derive(c, reg, True, c.finite))
    if t.add_indicator:
        for i in t.indicator_.features_:
            c = columns[i]
            reg = program.op("missing", c.reg, missing=None if missing is None else number(missing), text=c.text)
            out.append(Column(reg, finite=2, no_nan=True))
    return out


def categories_of(values, column, what):
    """Categories as (value, place) in ascending order, and the place of the missing one or None."""
    pairs, missing = [], None
    for place, value in enumerate(values.tolist() if hasattr(values, "tolist") else values):
        if is_nan(value):
            if missing is not None:
                raise Unsupported(f"{what} that tells None from NaN")
            missing = place
        elif column.text != isinstance(value, str):
            raise Unsupported(f"{what} with categories of another type than its column")
        else:
            pairs.append((value if column.text else float(value), place))
    pairs.sort(key=lambda p: p[0].encode() if column.text else p[0])
    return pairs, missing


def one_hot_encoder(program, t, columns):
    if getattr(t, "_infrequent_enabled", False) and any(v is not None for v in t.infrequent_categories_):
        raise Unsupported("OneHotEncoder with infrequent categories")
    if t.handle_unknown not in ("error", "ignore", "infrequent_if_exist", "warn"):
        raise Unsupported(f"OneHotEncoder with handle_unknown={t.handle_unknown!r}")
    program.check([c for c in columns if not c.text], nan=False)
    out = []
    for i, c in enumerate(columns):
        values = t.categories_[i]
        drop = None if t.drop_idx_ is None else t.drop_idx_[i]
        place_of, width = {}, 0
        for place in range(len(values)):
            place_of[place] = -1 if place == drop else width
            width += place != drop
        pairs, missing = categories_of(values, c, "OneHotEncoder")
        if missing is not None and missing == drop:
            raise Unsupported("OneHotEncoder that drops the missing value")
        first = program.op("onehot", c.reg, width=width, text=c.text, categories=[v for v, _ in pairs],
                           columns=[place_of[p] for _, p in pairs],
                           missing=None if missing is None else place_of[missing],
                           unknown="error" if t.handle_unknown == "error" else "ignore")
        program.ops[-1]["width"] = width
        out += [Column(first + k, finite=2, no_nan=True) for k in range(width)]
    return out


def ordinal_encoder(program, t, columns):
    if getattr(t, "_infrequent_enabled", False) and any(v is not None for v in t.infrequent_categories_):
        raise Unsupported("OrdinalEncoder with infrequent categories")
    program.check([c for c in columns if not c.text], nan=False)
    out = []
    for i, c in enumerate(columns):
        pairs, missing = categories_of(t.categories_[i], c, "OrdinalEncoder")
        unknown = number(t.unknown_value) if t.handle_unknown == "use_encoded_value" else None
        coded = None if missing is None else number(t.encoded_missing_value)
        reg = program.op("ordinal", c.reg, text=c.text, categories=[v for v, _ in pairs],
                         values=[float(p) for _, p in pairs], missing=coded, unknown=unknown)
        out.append(Column(reg, name=c.name, finite=1,
                          no_nan="NaN" not in (unknown, coded)))
    return out


def selector(program, t, columns):
    return [c for c, keep in zip(columns, t.get_support()) if keep]


def pick(columns, wanted):
    """The columns that a ColumnTransformer's selection names."""
    if isinstance(wanted, slice):
        if any(isinstance(v, str) for v in (wanted.start, wanted.stop)):
            names = [c.name for c in columns]
            stop = len(columns) if wanted.stop is None else names.index(wanted.stop) + 1
            return columns[slice(0 if wanted.start is None else names.index(wanted.start), stop, wanted.step)]
        return columns[wanted]
    if isinstance(wanted, (str, int, np.integer)):
        wanted = [wanted]
    wanted = list(wanted)
    if wanted and all(isinstance(w, (bool, np.bool_)) for w in wanted):
        return [c for c, keep in zip(columns, wanted) if keep]
    out = []
    for w in wanted:
        if isinstance(w, str):
            found = [c for c in columns if c.name == w]
            if len(found) != 1:
                raise Unsupported(f"ColumnTransformer names column {w!r}, which is not an input")
            out += found
        else:
            out.append(columns[int(w)])
    return out


def copies(columns):
    """A column that several steps read must not share what each learns of it."""
    return [Column(c.reg, c.text, c.name, c.f32, c.finite, c.no_nan) for c in columns]


def column_transformer(program, t, columns):
    out = []
    for _, transformer, wanted in t.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        chosen = copies(pick(columns, wanted))
        if not chosen:
            continue
        out += chosen if isinstance(transformer, str) else apply(program, transformer, chosen)
    if t.transformer_weights:
        raise Unsupported("ColumnTransformer with weights")
    return out


def feature_union(program, t, columns):
    if t.transformer_weights:
        raise Unsupported("FeatureUnion with weights")
    out = []
    for _, transformer in t.transformer_list:
        if isinstance(transformer, str):
            out += copies(columns) if transformer == "passthrough" else []
        else:
            out += apply(program, transformer, copies(columns))
    return out


def pipeline(program, t, columns):
    for _, transformer in t.steps:
        if transformer is not None and not isinstance(transformer, str):
            columns = apply(program, transformer, columns)
    return columns


TRANSFORMERS = {
    "StandardScaler": standard_scaler, "RobustScaler": robust_scaler, "MaxAbsScaler": max_abs_scaler,
    "MinMaxScaler": min_max_scaler, "Normalizer": normalizer, "Binarizer": binarizer,
    "FunctionTransformer": function_transformer, "SimpleImputer": simple_imputer,
    "OneHotEncoder": one_hot_encoder, "OrdinalEncoder": ordinal_encoder,
    "VarianceThreshold": selector, "SelectKBest": selector, "SelectPercentile": selector, "SelectFromModel": selector,
    "SelectFpr": selector, "SelectFdr": selector, "SelectFwe": selector, "RFE": selector, "RFECV": selector,
    "ColumnTransformer": column_transformer, "FeatureUnion": feature_union, "Pipeline": pipeline,
}


def apply(program, transformer, columns):
    name = type(transformer).__name__
    if not type(transformer).__module__.startswith("sklearn.") or name not in TRANSFORMERS:
        raise Unsupported(f"transformer {name}")
    expected = getattr(transformer, "n_features_in_", None)
    if expected is not None and expected != len(columns) and name != "ColumnTransformer":
        raise Unsupported(f"{name} fitted on {expected} columns and given {len(columns)}")
    if name not in ("ColumnTransformer", "FeatureUnion", "Pipeline", "OneHotEncoder", "OrdinalEncoder"):
        columns = one_width(columns)
    return TRANSFORMERS[name](program, transformer, columns)


# ---- final estimators ----

LINEAR_REGRESSORS = {
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars", "LarsCV",
    "LassoLars", "LassoLarsCV", "LassoLarsIC", "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV",
    "BayesianRidge", "ARDRegression", "HuberRegressor", "SGDRegressor", "TheilSenRegressor",
    "PassiveAggressiveRegressor", "LinearSVR", "QuantileRegressor", "MultiTaskLasso", "MultiTaskElasticNet",
    "MultiTaskLassoCV", "MultiTaskElasticNetCV",
}
GLM_REGRESSORS = {"PoissonRegressor", "GammaRegressor", "TweedieRegressor"}
LINEAR_CLASSIFIERS = {
    "LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "Perceptron", "PassiveAggressiveClassifier",
    "RidgeClassifier", "RidgeClassifierCV", "LinearSVC", "LinearDiscriminantAnalysis",
}
PROBABILITIES = {"LogisticRegression", "LogisticRegressionCV"}


def linear(program, model, columns, predict_fn):
    need_numbers(columns, "a linear model")
    program.check(columns, nan=True)
    coef = np.asarray(model.coef_)
    if hasattr(coef, "toarray"):
        coef = coef.toarray()
    if coef.dtype != np.float64:
        raise Unsupported(f"coefficients of type {coef.dtype}")
    rows = np.atleast_2d(coef)
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).ravel(), (len(rows),))
    return {"type": "linear", "coef": [[number(v) for v in row] for row in rows],
            "intercept": [number(v) for v in intercept], "transform": "none", "output": "values",
            "two_d": False, "classes": None}


def linear_regressor(program, model, columns, predict_fn):
    if predict_fn != "predict":
        raise Unsupported(f"{predict_fn} of a regressor")
    out = linear(program, model, columns, predict_fn)
    out["two_d"] = np.ndim(model.coef_) == 2 and type(model).__name__ not in ("SGDRegressor", "LinearSVR")
    return out


def glm_regressor(program, model, columns, predict_fn):
    out = linear_regressor(program, model, columns, predict_fn)
    link = type(model._base_loss.link).__name__
    if link not in ("LogLink", "IdentityLink"):
        raise Unsupported(f"link {link}")
    out["transform"] = "exp" if link == "LogLink" else "none"
    return out


def linear_classifier(program, model, columns, predict_fn):
    out = linear(program, model, columns, predict_fn)
    many = len(out["coef"]) > 1
    if len(model.classes_) != (len(out["coef"]) if many else 2):
        raise Unsupported("a classifier of several targets")
    if predict_fn == "predict":
        out.update(output="argmax" if many else "gt", bound=0.0, classes=labels(model.classes_))
        return out
    name = type(model).__name__
    logistic = name in PROBABILITIES or (name == "SGDClassifier" and model.loss == "log_loss")
    if predict_fn != "predict_proba" or not (logistic or (name == "LinearDiscriminantAnalysis")):
        raise Unsupported(f"{predict_fn} of {name}")
    if not many:
        out.update(transform="sigmoid", output="pair")
    elif name == "SGDClassifier":
        out.update(transform="ovr")
    else:
        out.update(transform="softmax")
    return out


def tree_arrays(tree, scale, vectors, group):
    """A fitted sklearn.tree tree as lists. `vectors`: a leaf's values are a row of class shares."""
    left, right = tree.children_left, tree.children_right
    leaf = left == -1
    values = tree.value[leaf, 0, :] if vectors else tree.value[leaf, 0, 0]
    missing = getattr(tree, "missing_go_to_left", np.zeros(len(left), dtype=bool))
    return {"left": left.tolist(), "right": right.tolist(), "feature": np.maximum(tree.feature, 0).tolist(),
            "threshold": [0.0 if at_leaf else number(t) for t, at_leaf in zip(tree.threshold, leaf)],
            "missing_left": [int(v) for v in missing],
            "value": [number(v) for v in (np.asarray(values, dtype=np.float64) * scale).ravel()], "group": group}


def to_f32(program, columns, nan):
    """Trees of sklearn.tree read float32."""
    need_numbers(columns, "a tree")
    program.check(columns, nan=nan, f32=True)
    return [c if c.f32 else Column(program.op("f32", c.reg), name=c.name, f32=True) for c in columns]


def trees(base, trees, **fields):
    return {"type": "trees", "base": base, "divide": 0.0, "vectors": False, "transform": "none", "output": "values",
            "two_d": False, "classes": None, "trees": trees, **fields}


def forest(program, model, columns, predict_fn):
    """One tree, or the mean of several."""
    single = hasattr(model, "tree_")
    parts = [model] if single else list(model.estimators_)
    if model.n_outputs_ != 1:
        raise Unsupported("trees of several targets")
    takes_nan = parts[0].__sklearn_tags__().input_tags.allow_nan and parts[0].monotonic_cst is None
    columns[:] = to_f32(program, columns, nan=not takes_nan)
    divide = 0.0 if single else float(len(parts))
    if not hasattr(model, "classes_"):
        if predict_fn != "predict":
            raise Unsupported(f"{predict_fn} of a regressor")
        return trees([0.0], [tree_arrays(p.tree_, 1.0, False, 0) for p in parts], divide=divide)
    if predict_fn not in ("predict", "predict_proba"):
        raise Unsupported(f"{predict_fn} of a forest")
    classes = labels(model.classes_)
    n = len(classes["values"])
    if n < 2:
        raise Unsupported("a classifier of one class")
    proba = predict_fn == "predict_proba"
    return trees([0.0] * n, [tree_arrays(p.tree_, 1.0, True, 0) for p in parts], divide=divide, vectors=True,
                 output="values" if proba else "argmax", classes=None if proba else classes)


def gradient_boosting(program, model, columns, predict_fn):
    """Stages of regression trees on a constant start (init=None) or on zero."""
    init = model.init_
    if not (isinstance(init, str) and init == "zero") and type(init).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise Unsupported("gradient boosting with a start model of its own")
    columns[:] = to_f32(program, columns, nan=True)
    rate, stages = float(model.learning_rate), model.estimators_
    start = model._raw_predict_init(np.zeros((1, len(columns)), dtype=np.float32))[0]
    parts = [tree_arrays(tree.tree_, rate, False, k) for stage in stages for k, tree in enumerate(stage)]
    out = trees([number(v) for v in start], parts)
    if not hasattr(model, "classes_"):
        if predict_fn != "predict":
            raise Unsupported(f"{predict_fn} of a regressor")
        return out
    many = len(start) > 1
    if predict_fn == "predict":
        out.update(output="argmax" if many else "ge", bound=0.0, classes=labels(model.classes_))
    elif predict_fn == "predict_proba" and model.loss == "log_loss":
        out.update(transform="softmax") if many else out.update(transform="sigmoid", output="pair")
    else:
        raise Unsupported(f"{predict_fn} with loss {model.loss}")
    return out


def hist_tree(nodes, group):
    leaf = nodes["is_leaf"].astype(bool)
    if (nodes["is_categorical"].astype(bool) & ~leaf).any():
        raise Unsupported("histogram gradient boosting with categorical features")
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    return {"left": left.tolist(), "right": right.tolist(),
            "feature": np.where(leaf, 0, nodes["feature_idx"]).tolist(),
            "threshold": [0.0 if at_leaf else number(t) for t, at_leaf in zip(nodes["num_threshold"], leaf)],
            "missing_left": nodes["missing_go_to_left"].astype(int).tolist(),
            "value": [number(v) for v in nodes["value"][leaf]], "group": group}


def hist_gradient_boosting(program, model, columns, predict_fn):
    need_numbers(columns, "histogram gradient boosting")
    if getattr(model, "_preprocessor", None) is not None or model.is_categorical_ is not None:
        raise Unsupported("histogram gradient boosting with categorical features")
    parts = [hist_tree(p.nodes, k) for stage in model._predictors for k, p in enumerate(stage)]
    out = trees([number(v) for v in np.asarray(model._baseline_prediction, dtype=np.float64).ravel()], parts)
    if not hasattr(model, "classes_"):
        if predict_fn != "predict":
            raise Unsupported(f"{predict_fn} of a regressor")
        link = type(model._loss.link).__name__
        if link not in ("LogLink", "IdentityLink"):
            raise Unsupported(f"link {link}")
        return {**out, "transform": "exp" if link == "LogLink" else "none"}
    many = len(out["base"]) > 1
    if predict_fn == "predict":
        out.update(output="argmax" if many else "gt", bound=0.0, classes=labels(model.classes_))
    elif predict_fn == "predict_proba":
        out.update(transform="softmax") if many else out.update(transform="sigmoid", output="pair")
    else:
        raise Unsupported(f"{predict_fn} of histogram gradient boosting")
    return out


MODELS = {
    **dict.fromkeys(LINEAR_REGRESSORS, linear_regressor), **dict.fromkeys(GLM_REGRESSORS, glm_regressor),
    **dict.fromkeys(LINEAR_CLASSIFIERS, linear_classifier),
    **dict.fromkeys(["DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
                     "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier",
                     "ExtraTreesRegressor"], forest),
    **dict.fromkeys(["GradientBoostingClassifier", "GradientBoostingRegressor"], gradient_boosting),
    **dict.fromkeys(["HistGradientBoostingClassifier", "HistGradientBoostingRegressor"], hist_gradient_boosting),
}


def makes_sparse(transformers):
    """Does the last of them hand on a sparse matrix?"""
    sparse = False
    for t in transformers:
        name = type(t).__name__
        if name == "OneHotEncoder":
            sparse = t.sparse_output
        elif name == "ColumnTransformer":
            sparse = t.sparse_output_
        elif name == "Pipeline":
            sparse = makes_sparse([s for _, s in t.steps if s is not None and not isinstance(s, str)])
        elif name == "FeatureUnion":
            sparse = any(makes_sparse([s]) for _, s in t.transformer_list if not isinstance(s, str))
    return sparse


def other_library(program, model, before, columns, out_dir, predict_fn):
    """A pipeline that ends in XGBoost or LightGBM: their own file, beside ours."""
    need_numbers(columns, "a tree library")
    if type(model).__module__.startswith("xgboost."):
        from .xgboost_export import export_xgboost as run
        if makes_sparse(before):
            # What a sparse matrix does not store is missing to XGBoost, and it stores no zeros.
            columns[:] = [Column(program.op("impute", c.reg, value="NaN", missing=0.0)) for c in columns]
    else:
        from .lightgbm_export import export_lightgbm as run
    exported = run(model, out_dir, None, predict_fn)
    kind = "xgboost" if exported["kind"] == "xgboost-ubj" else "lightgbm"
    return {"type": kind, "file": exported["files"][0], "meta": exported["meta"]}, exported["files"]


SEARCHES = {"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"}


def unwrap(model):
    """(transformers before the end, the end): through pipelines and parameter searches."""
    before = []
    while True:
        name = type(model).__name__
        if name in SEARCHES:
            model = model.best_estimator_
        elif name == "Pipeline" and type(model).__module__.startswith("sklearn."):
            before += [t for _, t in model.steps[:-1] if t is not None and not isinstance(t, str)]
            model = model.steps[-1][1]
        else:
            return before, model


def input_columns(model, before, columns):
    if columns:
        return columns
    first = before[0] if before else model
    names = getattr(model if not before else first, "feature_names_in_", None)
    count = getattr(first, "n_features_in_", None)
    if count is None:
        raise Unsupported("a model without a signature that does not say how many columns it takes")
    return [{"name": str(names[i]) if names is not None else "", "type": "double", "required": True}
            for i in range(count)]


def export_sklearn(model, out_dir, columns, predict_fn):
    before, end = unwrap(model)
    inputs = input_columns(end, before, columns)
    program = Program(inputs)
    made = program.columns
    for transformer in before:
        made = apply(program, transformer, made)
    name, files = type(end).__name__, []
    expected = getattr(end, "n_features_in_", None)
    if expected is not None and expected != len(made):
        raise Unsupported(f"{name} fitted on {expected} columns and given {len(made)}")
    if type(end).__module__.startswith(("xgboost.", "lightgbm.")):
        body, files = other_library(program, end, before, made, out_dir, predict_fn)
    elif type(end).__module__.startswith("sklearn.") and name in MODELS:
        body = MODELS[name](program, end, made, predict_fn)
    else:
        raise Unsupported(f"models of {type(end).__module__}.{name}")
    document = {"format": "boathouse.sklearn/1", "inputs": inputs, "program": program.ops,
                "features": [c.reg for c in made], "model": body}
    with open(os.path.join(out_dir, FILE), "w", encoding="utf-8") as file:
        json.dump(document, file, allow_nan=False, separators=(",", ":"))
    return {"kind": "sklearn-json", "files": [FILE, *files],
            "meta": {"wrapper": name, "predict_fn": predict_fn, "missing": None, "classes": None}}
