# SPDX-License-Identifier: Apache-2.0
"""Life of a runtime host: import → READY → lease → load → answer → drain. The frames are in wire.py.

The process belongs to nobody until its lease and to one model afterwards. Nothing here opens a network
connection or writes outside /tmp; the sandbox would refuse it anyway.
"""

import gc
import json
import os
import socket
import sys
import time
import traceback

from boathouse_runtime import wire
from boathouse_runtime.words import Words

SOCKET_FD = 3
AGAIN_ENV = "BOATHOUSE_LEASE_FD"
THREAD_VARS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Set before a library reads them. MLflow would otherwise look for a home folder or call home.
QUIET = {
    "HOME": "/tmp", "TMPDIR": "/tmp", "MPLCONFIGDIR": "/tmp", "XDG_CACHE_HOME": "/tmp",
    "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_TRACKING_URI": "file:///tmp/mlruns",
    # This process is the sandbox that the flag asks for.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true",
    # A sandbox does not show processors; asking for their number starts a program.
    "LOKY_MAX_CPU_COUNT": "1",
    "GIT_PYTHON_REFRESH": "quiet", "_MLFLOW_IS_IN_SERVING_ENVIRONMENT": "true",
}
LEASE_MOST = 1024 * 1024


class Broken(Exception):
    """The peer broke the protocol."""


def prepare_environment():
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in THREAD_VARS:
        os.environ.setdefault(name, "1")
    os.umask(0o077)
    sys.dont_write_bytecode = True


def import_libraries():
    """What every model needs, so that a lease finds it in memory."""
    import numpy  # noqa: F401
    import pandas  # noqa: F401
    import mlflow.pyfunc  # noqa: F401
    import boathouse_runtime.score  # noqa: F401


def read_lease(raw):
    if len(raw) > LEASE_MOST:
        raise Broken("LEASE is too large")
    try:
        lease = json.loads(raw)
    except ValueError as e:
        raise Broken(f"LEASE is not JSON: {e}") from e
    env = lease.get("env") if isinstance(lease, dict) else None
    if (not isinstance(lease, dict) or not isinstance(lease.get("model"), str)
            or not isinstance(lease.get("environment") or "", str)
            or not isinstance(lease.get("config") or {}, dict)
            or not isinstance(env or {}, dict) or not all(isinstance(v, str) for v in (env or {}).values())):
        raise Broken("LEASE has a field of a wrong type")
    return lease


def execute_again(lease, stream, last_words):
    """Goes on as the interpreter of the model's own environment; does not return unless it is not there."""
    python = os.path.join(lease["environment"], "bin", "python")
    fd = os.memfd_create("lease", 0)
    os.write(fd, json.dumps({"stream": stream, "lease": lease}).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    os.set_inheritable(SOCKET_FD, True)
    os.dup2(last_words, 2)
    os.environ[AGAIN_ENV] = str(fd)
    os.execv(python, [python, "-P", "-s", "-m", "boathouse_runtime"])


def lease_from_before():
    """(lease, stream) handed over by execute_again(), or None."""
    fd = os.environ.pop(AGAIN_ENV, None)
    if fd is None:
        return None
    with os.fdopen(int(fd), "rb") as f:
        saved = json.loads(f.read(LEASE_MOST * 2))
    return saved["lease"], saved["stream"]


def apply_lease(lease):
    for name, value in (lease.get("env") or {}).items():
        if name and "=" not in name and "\0" not in name + value:
            os.environ[name] = value
    threads = lease.get("threads") or 1
    if isinstance(threads, int) and threads > 1:
        for name in THREAD_VARS:
            os.environ[name] = str(threads)
    try:
        from threadpoolctl import threadpool_limits
        threadpool_limits(max(1, threads))
    except ImportError:
        pass  # an own environment without scikit-learn: the variables hold


def load(lease):
    """(Scorer, description) of the leased model; raises whatever the model's loading raises."""
    begin = time.monotonic()
    import mlflow

    from boathouse_runtime.score import Scorer
    kwargs = {"model_config": lease["config"]} if lease.get("config") else {}
    model = mlflow.pyfunc.load_model(lease["model"], suppress_warnings=True, **kwargs)
    scorer = Scorer(model)
    meta = model.metadata
    about = {
        "flavor": model.loader_module, "flavors": sorted(meta.flavors), "mlflow_version": mlflow.__version__,
        "python_version": "%d.%d.%d" % sys.version_info[:3], "direct": scorer.direct is not None,
        "inputs": scorer.schema.to_dict() if scorer.schema else None, "params": meta.get_params_schema() is not None,
        "load_ms": int((time.monotonic() - begin) * 1000),
    }
    return scorer, about


def why_failed(error):
    """What FAILED carries: one line for people, and the end of the traceback."""
    reason = f"{type(error).__name__}: {error}".strip()
    if isinstance(error, ModuleNotFoundError):
        reason += f". The model needs the module {error.name!r}; add its package to the model's requirements."
    reason = " ".join(reason.split())
    trace = "".join(traceback.format_exception(error))
    return {"reason": _cut(reason, wire.REASON_MOST, head=True), "traceback": _cut(trace, wire.TRACEBACK_MOST)}


def _cut(value, most, head=False):
    raw = value.encode(errors="replace")
    if len(raw) <= most:
        return value
    return (raw[:most - 4] if head else raw[-(most - 4):]).decode(errors="ignore") + ("…" if head else "")


class Host:
    def __init__(self, sock, words, last_words):
        self.channel = wire.Channel(sock)
        self.words = words
        self.last_words = last_words
        self.scorer = None

    def run(self):
        """The exit code."""
        again = lease_from_before()
        if again is None:
            self.channel.send(wire.HELLO, 0, wire.hello(os.getpid()))
        import_libraries()
        if again is None:
            self.channel.send(wire.READY, 0)
        elif not self.lease(*again):
            return 1
        while True:
            frame = self.channel.recv()
            if frame is None:
                return 0
            kind, stream, payload = frame
            if kind == wire.PREDICT and self.scorer is not None:
                self.predict(stream, payload)
            elif kind == wire.PING:
                self.end(wire.PONG, stream, payload)
            elif kind == wire.DRAIN:
                return 0
            elif kind == wire.LEASE and self.scorer is None:
                if not self.take_lease(stream, payload):
                    return 1
            else:
                raise Broken(f"{wire.NAMES.get(kind, kind)} is not allowed now")

    def take_lease(self, stream, payload):
        lease = read_lease(payload)
        if lease.get("environment"):
            try:
                execute_again(lease, stream, self.last_words)
            except OSError as e:
                self.end(wire.FAILED, stream, json.dumps({
                    "reason": f"The model's environment has no usable Python: {e}", "traceback": ""}).encode())
                return False
        return self.lease(lease, stream)

    def lease(self, lease, stream):
        apply_lease(lease)
        try:
            self.scorer, about = load(lease)
        except BaseException as e:  # exit() and the panics of compiled modules too: the reason must go out
            self.end(wire.FAILED, stream, json.dumps(why_failed(e)).encode())
            return False
        # Everything loaded so far stays; the collector need not look at it for each request.
        gc.collect()
        gc.freeze()
        self.end(wire.LOADED, stream, json.dumps(about).encode())
        return True

    def predict(self, stream, payload):
        content_type, body = wire.read_predict(payload)
        try:
            status, code, answer = self.scorer.score(content_type, body)
            if not isinstance(answer, bytes):
                answer = self.chunks(stream, status, code, answer)
        except OSError:
            raise  # the socket
        except BaseException as e:
            # exit() in a model, the panic of a compiled module: an error of this request, not our end.
            status, code, answer = 400, wire.JSON, json.dumps({
                "error_code": "BAD_REQUEST", "message": f"The model ended with {type(e).__name__}: {e}",
                "stack_trace": traceback.format_exc()}).encode()
        if len(answer) + 4 > wire.MAX_PAYLOAD:
            status, code, answer = 400, wire.JSON, json.dumps({
                "error_code": "BAD_REQUEST",
                "message": f"The model's answer of {len(answer)} bytes is larger than {wire.MAX_PAYLOAD}."}).encode()
        self.end(wire.ANSWER, stream, wire.answer_head(status, code), answer)

    def chunks(self, stream, status, code, pieces):
        """Sends the pieces as they come; returns what is left for the ANSWER."""
        for piece in pieces:
            self.channel.send(wire.CHUNK, stream, wire.answer_head(status, code), piece)
        return b""

    def end(self, kind, stream, *parts):
        """The frame that ends a piece of work, and before it what the model printed."""
        left_out, lines = self.words.drain()
        if lines or left_out:
            self.channel.queue(wire.LOG, stream, wire.log(left_out, lines))
        self.channel.send(kind, stream, *parts)


def main():
    prepare_environment()
    last_words = os.dup(2)
    os.set_inheritable(last_words, False)
    os.set_inheritable(SOCKET_FD, False)
    words = Words()
    words.take_over()
    sock = socket.socket(fileno=SOCKET_FD)
    sock.setblocking(True)
    try:
        return Host(sock, words, last_words).run()
    except (wire.WireError, Broken) as e:
        os.write(last_words, f"runtime_host: {e}\n".encode())
        return 3
    except (BrokenPipeError, ConnectionResetError):
        return 0
