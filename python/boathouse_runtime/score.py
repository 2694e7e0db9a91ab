# SPDX-License-Identifier: Apache-2.0
"""From an invocation's body to its answer, as MLflow's scoring server does it.

The rules and texts are those of the MLflow that is installed: mlflow.pyfunc.scoring_server parses, asks
the model, and encodes (the *ordinary way*). For bodies where nothing can go wrong there is a *direct way*
with the same result and a tenth of the work:

- it is used only with a version of MLflow in VERIFIED, where its steps were compared with the ordinary ones
  (tests/10-module/test_runtime_host.py compares them on random bodies);
- the signature has named, required columns of plain types, and no type hints;
- the body has just dataframe_split or dataframe_records with exactly these columns, and each value is of
  the JSON type that its column wants. Anything else (a missing column, an int in a boolean column, a
  number as text, params, …) goes the ordinary way, which then enforces, converts or refuses.

Bodies of language models ("messages", "prompt" or "input") with "stream": true are answered as server-sent
events: one per chunk of the model's predict_stream, or one with the whole answer if it has none; then [DONE].

The frame's dtypes are not guessed: one made-up row goes through the ordinary way when the model is loaded.
"""

import inspect
import json
import traceback
from itertools import chain

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.utils.serving_data_parser import is_unified_llm_input
from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

from boathouse_runtime import wire

VERIFIED = {"3.17.2"}
UNEXPECTED = ("Encountered an unexpected error while evaluating the model. Verify that the serialized input"
              " Dataframe is compatible with the model for inference.")

_NONE = type(None)
# Column type of a signature: JSON types that the direct way takes, a sample.
_PLAIN = {
    "double": ({float, int, _NONE}, 0.5),
    "float": ({float, int, _NONE}, 0.5),
    "long": ({int}, 1),
    "integer": ({int}, 1),
    "boolean": ({bool}, True),
    "string": ({str}, "a"),
}
_NUMERIC = (np.float64, np.float32, np.int64, np.int32, np.bool_)


class _Direct:
    """The direct way for one model; make() gives None where there is none."""

    def __init__(self, model, schema):
        self.names = schema.input_names()
        self.name_set = set(self.names)
        self.index = pd.Index(self.names)
        self.types = [_PLAIN[spec.type.name][0] for spec in schema.inputs]
        sample = {spec.name: _PLAIN[spec.type.name][1] for spec in schema.inputs}
        parsed = scoring_server.infer_and_parse_data({"dataframe_records": [sample]}, schema)
        frame, _ = mlflow.pyfunc._validate_prediction_input(parsed, None, schema, None, model.loader_module)
        if list(frame.columns) != self.names:
            raise ValueError("the ordinary way changes the columns")
        self.dtypes = list(frame.dtypes)
        first = self.dtypes[0]
        alike = all(d == first for d in self.dtypes) and isinstance(first, np.dtype) and first.type in _NUMERIC
        self.one_type = first if alike else None
        self.one_set = self.types[0] if alike else None
        params = model.metadata.get_params_schema()
        self.params = mlflow.pyfunc._enforce_params_schema(None, params)
        self.predict_fn = model._predict_fn
        wanted = inspect.signature(self.predict_fn).parameters.get("params")
        self.wants_params = wanted is not None and wanted.kind != inspect.Parameter.VAR_KEYWORD
        self.model_id = model.model_id

    @classmethod
    def make(cls, model, schema):
        meta = model.metadata
        try:
            if (mlflow.__version__ not in VERIFIED or schema is None or not schema.has_input_names()
                    or schema.is_tensor_spec() or meta._is_signature_from_type_hint()
                    or meta._is_type_hint_from_example() or (meta.metadata or {}).get("dependencies_schemas")
                    or len(set(schema.input_names())) != len(schema.input_names())):
                return None
            if not all(spec.required and spec.type.name in _PLAIN for spec in schema.inputs):
                return None
            return cls(model, schema)
        except Exception:
            return None  # whatever is special about this model, the ordinary way knows it

    def frame(self, decoded):
        """The frame that the model gets, or None: go the ordinary way."""
        if len(decoded) != 1:
            return None
        key, value = next(iter(decoded.items()))
        width = len(self.names)
        if key == "dataframe_split":
            if type(value) is not dict or len(value) != 2 or value.get("columns") != self.names:
                return None
            rows = value.get("data")
            if type(rows) is not list or not rows:
                return None
            for row in rows:
                if type(row) is not list or len(row) != width:
                    return None
        elif key == "dataframe_records":
            if type(value) is not list or not value:
                return None
            rows, names = [], self.names
            for record in value:
                if type(record) is not dict or len(record) != width:
                    return None
                try:
                    rows.append([record[name] for name in names])
                except KeyError:
                    return None
        else:
            return None
        return self._one_type_frame(rows) if self.one_type is not None else self._mixed_frame(rows)

    def _one_type_frame(self, rows):
        if not self.one_set.issuperset(map(type, chain.from_iterable(rows))):
            return None
        values = self._array(list(zip(*rows)), self.one_type)
        return None if values is None else pd.DataFrame(values.T, columns=self.index, copy=False)

    def _mixed_frame(self, rows):
        columns = {}
        for name, dtype, types, column in zip(self.names, self.dtypes, self.types, zip(*rows)):
            if not types.issuperset(map(type, column)):
                return None
            if isinstance(dtype, np.dtype) and dtype.type in _NUMERIC:
                values = self._array(column, dtype)
                if values is None:
                    return None
            else:
                values = pd.array(list(column), dtype=dtype)
            columns[name] = values
        return pd.DataFrame(columns)

    @staticmethod
    def _array(values, dtype):
        """None where the ordinary way would convert otherwise or refuse."""
        try:
            if dtype.type is np.float32 or dtype.type is np.int32:
                wide = np.array(values, dtype=np.float64 if dtype.kind == "f" else np.int64)
                if dtype.kind == "i" and (wide.min() < -(1 << 31) or wide.max() >= 1 << 31):
                    return None
                if dtype.kind == "f" and np.any(np.isfinite(wide) & (np.abs(wide) > np.finfo(np.float32).max)):
                    return None
                return wide.astype(dtype)
            return np.array(values, dtype=dtype)
        except (OverflowError, ValueError, TypeError):
            return None

    def predict(self, frame):
        context = mlflow.pyfunc.Context(model_id=self.model_id) if self.model_id else mlflow.pyfunc.Context()
        with mlflow.pyfunc.set_prediction_context(context):
            if self.wants_params:
                return self.predict_fn(frame, params=dict(self.params) if self.params is not None else None)
            return self.predict_fn(frame)


class Scorer:
    """Answers the invocations of one loaded model."""

    def __init__(self, model):
        self.model = model
        self.schema = model.metadata.get_input_schema()
        self.direct = _Direct.make(model, self.schema)
        self._encode = NumpyEncoder().encode

    def score(self, content_type, body):
        """(HTTP status, content type code, body). The body is bytes, or for events an iterator of bytes.

        Raises nothing but what ends a process (SystemExit and its like, raised by the model's code).
        """
        try:
            return self._score(content_type, body)
        except MlflowException as e:
            return e.get_http_status_code(), wire.JSON, e.serialize_as_json().encode()
        except RecursionError:
            return _refusal("The body is nested too deeply.")
        except MemoryError:
            return 500, wire.JSON, b'{"error_code": "RESOURCE_EXHAUSTED", "message": "The model\'s memory limit is reached."}'
        except Exception as e:  # a body that MLflow's parser did not foresee
            return _refusal(f"{type(e).__name__}: {e}", traceback.format_exc())

    def _score(self, content_type, body):
        data = body
        if content_type == "application/json":
            data = _decoded(body)
            if self.direct is not None and type(data) is dict:
                frame = self.direct.frame(data)
                if frame is not None:
                    return self._score_direct(frame)
            if type(data) is dict and data.get("stream") is True and is_unified_llm_input(data):
                return 200, wire.EVENTS, self._events(data)
        result = scoring_server.invocations(data, content_type, self.model, self.schema)
        code = wire.JSON if result.mimetype == "application/json" else wire.TEXT
        return result.status, code, result.response.encode()

    def _score_direct(self, frame):
        try:
            raw = self.direct.predict(frame)
        except MlflowException as e:
            e.message = f"Failed to predict data '{frame}'. \nError: {e.message}"
            raise
        except Exception:
            raise MlflowException(message=UNEXPECTED, error_code=BAD_REQUEST, stack_trace=traceback.format_exc())
        return 200, wire.JSON, self._encode({"predictions": _jsonable(raw)}).encode()


    def _events(self, data):
        """Server-sent events of one body. The model is asked before the first event is taken, so that a
        refusal is still an answer of its own."""
        known = set(self.schema.input_names()) if self.schema is not None and self.schema.has_input_names() else set()
        if "stream" not in known:
            del data["stream"]
        streamable = bool(self.model.metadata.flavors.get("python_function", {}).get("streamable"))
        if not streamable:
            result = scoring_server.invocations(data, "application/json", self.model, self.schema)
            return f"data: {result.response}\n\ndata: [DONE]\n\n".encode()
        inputs, params = scoring_server._split_data_and_params_for_llm_input(data, self.model.metadata.get_params_schema())
        try:
            chunks = iter(self.model.predict_stream(inputs, params=params or None))
            first = next(chunks, None)
        except MlflowException:
            raise
        except Exception:
            raise MlflowException(message=UNEXPECTED, error_code=BAD_REQUEST, stack_trace=traceback.format_exc())
        return self._event_stream(first, chunks)

    def _event_stream(self, first, chunks):
        if first is not None:
            yield self._event(first)
        try:
            for chunk in chunks:
                yield self._event(chunk)
        except Exception as e:
            # The head is out: the error is the last event, in the form that OpenAI's clients raise.
            yield self._event({"error": {"message": f"{type(e).__name__}: {e}", "type": "model_error"}})
            return
        yield b"data: [DONE]\n\n"

    def _event(self, chunk):
        return f"data: {self._encode(chunk)}\n\n".encode()


def _jsonable(raw):
    """_get_jsonable_obj, quicker for the commonest results."""
    kind = type(raw)
    if kind is np.ndarray:
        return raw.tolist()
    if kind is pd.Series and isinstance(raw.dtype, np.dtype) and raw.dtype.type in _NUMERIC:
        key = 0 if raw.name is None else raw.name
        return [{key: value} for value in raw.tolist()]
    return _get_jsonable_obj(raw, pandas_orient="records")


def _decoded(body):
    """The body as an object; bytes that are not JSON stay, for MLflow to refuse in its own words."""
    try:
        data = json.loads(body)
    except (ValueError, UnicodeDecodeError):
        return body
    if type(data) is not dict:
        return body
    split = data.get("dataframe_split")
    # The documentation's first example wraps the frame in a list.
    if type(split) is list and len(split) == 1 and type(split[0]) is dict:
        data["dataframe_split"] = split[0]
    return data


def _refusal(message, trace=None):
    out = {"error_code": "BAD_REQUEST", "message": message}
    if trace:
        out["stack_trace"] = trace
    return 400, wire.JSON, json.dumps(out).encode()
