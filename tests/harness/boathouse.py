# SPDX-License-Identifier: Apache-2.0
"""A real platform for tests: starts the program, knows its address and token, and leaves nothing behind.

    with Platform(tmp_path / "data") as p:
        p.sdk().current_user.me()

What stop() insists on: exit code 0, no process of the platform left, no sanitizer report and no failed
assertion in the log. A test that kills processes on purpose says so by kill9(), which is not held against it.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
BINARY = Path(os.environ.get("BOATHOUSE_BIN") or ROOT / "build/release/boathouse")
# Waiting limits, not expectations: builds with sanitizers on a busy machine are slow.
START_S, STOP_S = 120, 60
RUBBISH = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|[Aa]ssertion .*failed")
TAIL = 120
# File that gets every exchange of every platform (setting test.record); conftest.py of the end-to-end tests sets it.
RECORD = None


class Died(AssertionError):
    """The platform ended, or said in its log that something is wrong; the message has the log's end."""


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def read_env(path):
    """NAME=value lines."""
    pairs = (line.split("=", 1) for line in Path(path).read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip().strip('"') for name, value in pairs}


class Platform:
    """One data folder and the program that runs on it."""

    def __init__(self, data, http_port=None, https_port=None, https=False, settings=None, args=(), env=None, binary=None):
        self.data = Path(data)
        self.http_port = http_port or free_port()
        self.https_port = (https_port or free_port()) if https or https_port else None
        self.settings = dict(settings or {})
        self.args, self.extra_env = list(args), dict(env or {})
        self.binary = Path(binary or BINARY)
        self.log_path = self.data.with_name(self.data.name + ".log")
        self.connect_path = self.data / "connect.env"
        self.process, self.connect = None, {}
        self._seen = {}
        if record := RECORD or os.environ.get("BOATHOUSE_RECORD"):
            self.settings.setdefault("test.record", record)

    # ---- life ----

    def command(self):
        out = [str(self.binary), "serve", "--data", str(self.data), "--http", f"127.0.0.1:{self.http_port}",
               "--https", f"127.0.0.1:{self.https_port}" if self.https_port else "off"]
        for name, value in self.settings.items():
            out += ["--set", f"{name}={value}"]
        return out + self.args

    def start(self):
        if not self.binary.exists():
            pytest.skip(f"there is no program at {self.binary}; build it first")
        assert self.process is None, "it runs already"
        self.data.mkdir(parents=True, exist_ok=True)
        before = self._stamp()
        # What configures clients in the caller's environment must not configure the server.
        env = {k: v for k, v in os.environ.items() if not k.startswith(("BOATHOUSE_", "DATABRICKS_", "MLFLOW_"))}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**env, **self.extra_env}, start_new_session=True)
        deadline = time.monotonic() + START_S
        # The file is replaced at every start, never changed in place; its token stays the same.
        while self._stamp() in (None, before):
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise Died(f"the platform ended with {code} before it answered\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.abort()
                raise Died(f"no connect.env after {START_S} s\n{self.log_tail()}")
            time.sleep(0.02)
        self.connect = read_env(self.connect_path)
        self._note_processes()
        return self

    def _stamp(self):
        try:
            st = self.connect_path.stat()
        except FileNotFoundError:
            return None
        return st.st_ino, st.st_mtime_ns

    def stop(self):
        """Ends it as a person would and checks that it ended well."""
        if self.process is None:
            return
        self._note_processes()
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._kill_all(process)
            raise Died(f"still running {STOP_S} s after SIGTERM\n{self.log_tail()}") from None
        left = self._left_over()
        for p in left:
            with contextlib.suppress(psutil.Error):
                p.kill()
        if left:
            raise Died(f"processes outlived the platform: {left}\n{self.log_tail()}")
        if code != 0:
            raise Died(f"exit code {code} after SIGTERM\n{self.log_tail()}")
        self.check_log()

    def abort(self):
        """Ends it without asking anything; for failures and for tests of sudden death."""
        if self.process is not None:
            process, self.process = self.process, None
            self._kill_all(process)

    def restart(self):
        self.stop()
        return self.start()

    def _kill_all(self, process):
        with contextlib.suppress(psutil.Error):
            for p in psutil.Process(process.pid).children(recursive=True):
                self._seen[p.pid] = p
        process.kill()
        process.wait(STOP_S)
        self._left_over()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.abort()

    # ---- processes ----

    def _note_processes(self):
        with contextlib.suppress(psutil.Error):
            for p in psutil.Process(self.process.pid).children(recursive=True):
                self._seen[p.pid] = p

    def _left_over(self):
        """Processes of ours that still run; gives the kernel a moment to finish killing."""
        alive = []
        for _ in range(100):
            alive = [p for p in self._seen.values() if self._runs(p)]
            if not alive:
                break
            time.sleep(0.05)
        self._seen.clear()
        return alive

    @staticmethod
    def _runs(p):
        """A psutil.Process knows its start time: a new process under an old pid is not this one. It may go between two looks."""
        try:
            return p.is_running() and p.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def processes(self, role=None):
        """psutil.Process of the platform, all or those of one role ("supervisor", "gateway", "runtime_host", …)."""
        assert self.process is not None, "it does not run"
        top = psutil.Process(self.process.pid)
        self._note_processes()
        found = {}
        for p in [top, *top.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                found.setdefault(self._role(p, top), []).append(p)
        return found.get(role, []) if role else found

    @staticmethod
    def _role(p, top):
        if p.pid == top.pid:
            return "supervisor"
        words = p.cmdline()
        for word in words:
            if word.startswith("role:"):
                return word[5:]
        modules = {"boathouse_runtime": "runtime_host", "boathouse_import": "importer_python", "boathouse_envs": "env_builder"}
        return next((modules[w] for w in words if w in modules), p.name())

    def kill9(self, role):
        """SIGKILL to every process of a role; how many there were. For the supervisor all go with it."""
        victims = self.processes(role)
        for p in victims:
            with contextlib.suppress(psutil.Error):
                p.kill()
        if role == "supervisor":
            self.process.wait(STOP_S)
            self.process = None
            left = self._left_over()
            assert not left, f"orphans of a killed supervisor: {left}"
        return len(victims)

    # ---- talking to it ----

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def https_url(self):
        assert self.https_port, "started without https"
        return f"https://127.0.0.1:{self.https_port}"

    @property
    def token(self):
        return self.connect["DATABRICKS_TOKEN"]

    def sdk(self, token=None, **more):
        """A WorkspaceClient of the first admin, or of the given token."""
        from databricks.sdk import WorkspaceClient
        if not {"client_id", "username"} & set(more):
            more.setdefault("token", token or self.token)
        return WorkspaceClient(host=more.pop("host", self.url), **more)

    def another(self, name):
        """A new identity without rights: (its principal name in access lists and grants, WorkspaceClient)."""
        admin = self.sdk()
        principal = admin.service_principals.create(display_name=name)
        secret = admin.service_principal_secrets_proxy.create(principal.id).secret
        return principal.application_id, self.sdk(client_id=principal.application_id, client_secret=secret)

    def mlflow_env(self, transport="databricks", token=None):
        """Environment of an MLflow client. transport: databricks, or http (MLflow's own REST store)."""
        token = token or self.token
        common = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1",
                  "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"}
        if transport == "databricks":
            return {**common, "MLFLOW_TRACKING_URI": "databricks", "DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": token}
        return {**common, "MLFLOW_TRACKING_URI": self.url, "MLFLOW_TRACKING_TOKEN": token}

    @contextlib.contextmanager
    def mlflow(self, transport="databricks", registry=None, token=None, env=None):
        """The mlflow module, pointed at this platform while the block runs; env: further variables of its."""
        import mlflow
        from mlflow.tracking._model_registry.registry import ModelRegistryStoreRegistry
        before = dict(os.environ)
        for name in [n for n in os.environ if n.startswith(("DATABRICKS_", "MLFLOW_"))]:
            del os.environ[name]
        os.environ.update({**self.mlflow_env(transport, token), **(env or {})})
        # It keeps one registry store per URI, whichever kind the environment asked for then.
        ModelRegistryStoreRegistry._get_store_with_resolved_uri.cache_clear()
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
        mlflow.set_registry_uri(registry or os.environ["MLFLOW_TRACKING_URI"])
        try:
            yield mlflow
        finally:
            while mlflow.active_run():
                mlflow.end_run()
            os.environ.clear()
            os.environ.update(before)

    def request(self, method, path, body=None, token=None, headers=None, **more):
        """A raw request through `requests`, without the clients' retries; token "" sends none."""
        import requests
        head = {} if token == "" else {"Authorization": f"Bearer {token or self.token}"}
        return requests.request(method, self.url + path, json=body, headers={**head, **(headers or {})}, timeout=150,
                                allow_redirects=False, **more)

    def cli(self, *arguments, check=True):
        """Runs a subcommand on this data folder; its stdout."""
        done = subprocess.run([str(self.binary), *arguments, "--data", str(self.data)], capture_output=True, text=True, timeout=120)
        if check:
            assert done.returncode == 0, f"boathouse {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    # ---- log ----

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=TAIL):
        return "\n".join(self.log().splitlines()[-lines:])

    def check_log(self):
        found = RUBBISH.search(self.log())
        if found:
            raise Died(f"the log has {found[0]!r}\n{self.log()[found.start():][:8000]}")
