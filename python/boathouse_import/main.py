# SPDX-License-Identifier: Apache-2.0
"""One model folder in, its data form and sample predictions out.

Reads MODEL_DIR (an MLflow model), writes into OUT_DIR; both default to the sandbox's /model and /out.

    export.json    what was found and where it lies; the last file written, so it is whole or absent
    <data files>   as boathouse_export.export() names them (model.ubj, model.txt, sklearn.json, …)
    samples.json   rows and what the Python model says about them
    failed.json    instead of export.json: why not; the same object is the one line on stdout
    environment.json  {"reasons": […]}, only where this environment (the base) is not what the model asks for

export.json (keys always present; null where there is nothing):
    format "boathouse.export/1" · kind, files, meta: of boathouse_export · loader: the MLflow loader module ·
    model_class · predict_fn · predict_params: true if the signature has params ·
    signature {inputs, outputs, params}: MLflow's lists, parsed · columns [{name, type, required}] ·
    output {kind: ndarray|series|dataframe|list, dtype, shape, columns} · libraries {name: version} ·
    samples "samples.json"

samples.json:
    columns [name] · types [type] · rows [[value]] · answer: the text that MLflow's scoring server gives for
    these rows, {"predictions": …} · missing, extremes: whether the rows hold such values
    Doubles are written as their shortest decimal form, which reads back to the same bits; missing is null;
    infinities are the strings "Infinity" and "-Infinity".

Exit codes, with failed.json {"code", "reason"}:
    0  export.json is there
    1  BAD_MODEL: cannot be read, or its own library refuses it
    2  UNSUPPORTED: a good model of a kind without a data form; a runtime_host runs it
       ENVIRONMENT: its objects mean something only to the versions that it asks for
    3  a fault of ours
"""

import hashlib
import json
import os
import sys

from boathouse_runtime.host import prepare_environment

FORMAT = "boathouse.export/1"
MLMODEL_MOST = 4 * 1024 * 1024
REASON_MOST = 2000
NATIVE = {"mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm"}
# Packages whose types a skops file may name; skops' own defaults come on top. The list in the model's own
# MLmodel file counts for nothing here: it comes from whoever made the file.
SKOPS_KNOWN = ("sklearn.", "lightgbm.basic.Booster", "lightgbm.sklearn.", "xgboost.sklearn.", "xgboost.core.Booster",
               "collections.OrderedDict", "collections.defaultdict")
SKOPS_NEVER = ("sklearn.externals.", "sklearn.datasets.", "sklearn.utils.")
# Files of whole objects, whose meaning depends on the library's version; the others are data forms.
OBJECT_FILES = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".skops")
PLAIN_TYPES = ("double", "float", "long", "integer", "boolean", "string")


class Refused(Exception):
    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason


def unsupported(reason):
    return Refused("UNSUPPORTED", reason)


def bad_model(reason):
    return Refused("BAD_MODEL", reason)


def read_mlmodel(folder):
    path = os.path.join(folder, "MLmodel")
    try:
        size = os.path.getsize(path)
    except OSError:
        raise bad_model("The folder has no MLmodel file; is it an MLflow model?") from None
    if size > MLMODEL_MOST:
        raise bad_model(f"MLmodel has {size} bytes; at most {MLMODEL_MOST} are read.")
    from mlflow.models import Model
    try:
        return Model.load(path)
    except Exception as e:
        raise bad_model(f"MLmodel cannot be read: {e}") from e


def check_skops(folder):
    """Each skops file names known types only, or it is refused before anything is made of it."""
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".skops"):
            continue
        import skops.io
        try:
            types = skops.io.get_untrusted_types(file=os.path.join(folder, name))
        except Exception as e:
            raise bad_model(f"{name} cannot be read: {type(e).__name__}: {e}") from e
        strange = [t for t in types if not t.startswith(SKOPS_KNOWN) or t.startswith(SKOPS_NEVER)]
        if strange:
            raise unsupported(f"{name} holds types that are not of scikit-learn, LightGBM or XGBoost: {', '.join(strange[:5])}")


def load(folder, mlmodel):
    import mlflow.pyfunc
    flavor = mlmodel.flavors.get("python_function") or {}
    loader = flavor.get("loader_module")
    if loader is None:
        raise unsupported("The model has no python_function flavor.")
    if loader not in NATIVE:
        raise unsupported(f"Models of {loader} have no data form.")
    check_skops(folder)
    try:
        model = mlflow.pyfunc.load_model(folder, suppress_warnings=True)
    except ModuleNotFoundError as e:
        raise unsupported(f"The model needs the module {e.name!r}.") from e
    except (MemoryError, RecursionError):
        raise
    except BaseException as e:  # a hostile pickle may raise anything, exit() included
        raise bad_model(f"The model cannot be loaded: {type(e).__name__}: {e}") from e
    return model, loader, flavor.get("predict_fn", "predict")


def input_columns(model, raw):
    """[(name, type, required)] of the model's input."""
    schema = model.metadata.get_input_schema()
    if schema is None:
        names = getattr(raw, "feature_names_in_", None)
        if names is None:
            booster = raw.get_booster() if hasattr(raw, "get_booster") else raw
            names = getattr(booster, "feature_names", None)
        if names is None:
            raise unsupported("The model has no signature and does not know its columns' names.")
        return [(str(n), "double", True) for n in names]
    if not schema.has_input_names() or schema.is_tensor_spec():
        raise unsupported("The signature is of tensors, not of named columns.")
    out = []
    for spec in schema.inputs:
        kind = getattr(spec.type, "name", str(spec.type))
        if kind not in PLAIN_TYPES:
            raise unsupported(f"Column {spec.name!r} has type {kind}.")
        out.append((spec.name, kind, bool(spec.required)))
    return out


def input_example(model, folder):
    try:
        found = model.metadata.load_input_example(folder)
    except Exception:
        return None
    import pandas as pd
    return found if isinstance(found, pd.DataFrame) else None


def sample(model, raw, columns, example, seed):
    """(rows, predictions, missing?, extremes?): the boldest rows that the Python model accepts."""
    from boathouse_import import samples
    hints = samples.find_hints(raw, [c[0] for c in columns])
    pairs = [(name, kind) for name, kind, _ in columns]
    last = None
    for missing, extremes in ((True, True), (False, True), (False, False)):
        rows = samples.make_rows(pairs, hints, example, seed, missing, extremes)
        try:
            return rows, model.predict(rows), missing, extremes
        except Exception as e:
            last = e
    if example is not None:
        try:
            return example, model.predict(example), False, False
        except Exception as e:
            last = e
    raise unsupported(f"No sample row was found that the model accepts: {type(last).__name__}: {last}")


def exact(value):
    import math
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
    return value


def describe_output(predictions):
    import numpy as np
    import pandas as pd
    if isinstance(predictions, pd.DataFrame):
        return {"kind": "dataframe", "dtype": [str(d) for d in predictions.dtypes], "shape": [None, predictions.shape[1]],
                "columns": [str(c) for c in predictions.columns]}
    if isinstance(predictions, pd.Series):
        return {"kind": "series", "dtype": str(predictions.dtype), "shape": [None],
                "columns": [str(0 if predictions.name is None else predictions.name)]}
    if isinstance(predictions, np.ndarray):
        return {"kind": "ndarray", "dtype": str(predictions.dtype), "shape": [None, *predictions.shape[1:]], "columns": None}
    if isinstance(predictions, list):
        return {"kind": "list", "dtype": None, "shape": [None], "columns": None}
    raise unsupported(f"The model answers with {type(predictions).__name__}.")


def signature_of(model):
    signature = model.metadata.signature
    if signature is None:
        return None
    parsed = signature.to_dict()
    return {part: json.loads(parsed[part]) if parsed.get(part) else None for part in ("inputs", "outputs", "params")}


def libraries():
    return {name: sys.modules[name].__version__ for name in ("mlflow", "numpy", "pandas", "sklearn", "xgboost", "lightgbm", "skops")
            if hasattr(sys.modules.get(name), "__version__")}


def write_json(out, name, value):
    with open(os.path.join(out, name), "w", encoding="utf-8") as f:
        json.dump(value, f, allow_nan=False, separators=(",", ":"))
        f.write("\n")


def check_environment(folder, out, loader):
    """Says whether the model asks for other packages than these. A model of objects is then not opened: another
    version of their library may read them as something else."""
    if os.environ.get("BOATHOUSE_OWN_ENVIRONMENT"):
        return
    from boathouse_envs import requirements
    import platform
    try:
        want = requirements.wanted(folder)
        ok, reasons = requirements.satisfied(want.requirements, requirements.installed(), want.python, platform.python_version())
    except requirements.BadRequirements as e:
        ok, reasons = False, [str(e)]
    if ok:
        return
    reasons = [r[:300] for r in reasons[:20]]
    write_json(out, "environment.json", {"reasons": reasons})
    if loader in NATIVE and any(name.endswith(OBJECT_FILES) for name in os.listdir(folder)):
        raise Refused("ENVIRONMENT", "; ".join(reasons))


def run(folder, out):
    mlmodel = read_mlmodel(folder)
    check_environment(folder, out, (mlmodel.flavors.get("python_function") or {}).get("loader_module"))
    model, loader, predict_fn = load(folder, mlmodel)
    raw = model._model_impl.get_raw_model()
    columns = input_columns(model, raw)
    import boathouse_export
    try:
        described = [{"name": n, "type": t, "required": r} for n, t, r in columns]
        exported = boathouse_export.export(raw, out, described, predict_fn)
    except boathouse_export.Unsupported as e:
        raise unsupported(str(e)) from e
    with open(os.path.join(folder, "MLmodel"), "rb") as f:
        seed = int.from_bytes(hashlib.sha256(f.read()).digest()[:8], "little")
    rows, predictions, missing, extremes = sample(model, raw, columns, input_example(model, folder), seed)
    from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj
    answer = json.dumps({"predictions": _get_jsonable_obj(predictions, pandas_orient="records")}, cls=NumpyEncoder)
    write_json(out, "samples.json", {
        "columns": [str(c) for c in rows.columns], "types": [c[1] for c in columns],
        "rows": [[exact(v) for v in row] for row in rows.itertuples(index=False, name=None)],
        "answer": answer, "missing": missing, "extremes": extremes})
    write_json(out, "export.json", {
        "format": FORMAT, "kind": exported["kind"], "files": exported["files"], "meta": exported.get("meta") or {},
        "loader": loader, "model_class": f"{type(raw).__module__}.{type(raw).__qualname__}", "predict_fn": predict_fn,
        "predict_params": model.metadata.get_params_schema() is not None, "signature": signature_of(model),
        "columns": described, "output": describe_output(predictions), "libraries": libraries(), "samples": "samples.json"})


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    folder, out = argv if len(argv) == 2 else ("/model", "/out")
    prepare_environment()
    # What the model prints while it is opened goes to stderr; stdout is for the one line.
    line = os.dup(1)
    os.dup2(2, 1)
    try:
        run(folder, out)
        return 0
    except Refused as e:
        return fail(out, line, e.code, e.reason)
    except MemoryError:
        return fail(out, line, "BAD_MODEL", "The model needs more memory than an import may use.")
    except RecursionError:
        return fail(out, line, "BAD_MODEL", "The model is nested too deeply.")
    except BaseException as e:
        import traceback
        traceback.print_exc()
        return fail(out, line, "INTERNAL", f"{type(e).__name__}: {e}")


def fail(out, line, code, reason):
    # The addresses that XGBoost and LightGBM append say nothing to the model's owner.
    reason = " ".join(str(reason).split()).split(" Stack trace:")[0][:REASON_MOST]
    text = json.dumps({"code": code, "reason": reason})
    os.write(line, text.encode() + b"\n")
    try:
        with open(os.path.join(out, "failed.json"), "w", encoding="utf-8") as f:
            f.write(text + "\n")
    except OSError:
        pass  # the line on stdout says it too
    return {"BAD_MODEL": 1, "UNSUPPORTED": 2, "ENVIRONMENT": 2}.get(code, 3)
