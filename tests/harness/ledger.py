# SPDX-License-Identifier: Apache-2.0
"""Load on a platform that is killed at random, and a ledger of what it acknowledged.

Each worker is a thread that owns its objects and changes them one after the other. What was answered
with success is in the ledger; what broke off is *unknown*: it may have happened or not, but nothing
else. Worker.check() reads everything back and raises Lost where the platform says otherwise.

To add one more kind of change: a subclass of Worker with prepare(), step() and check(), in WORKERS.
"""

import random
import threading
import time

import requests

TIMEOUT_S = 30
# An unknown request may still be on its way in the old process; nothing is so late as this.
SETTLE_S = 0.3


class Lost(AssertionError):
    """The platform lost or changed something that it had acknowledged."""


class Unknown(Exception):
    """No answer: the change may have happened."""


class Worker(threading.Thread):
    def __init__(self, platform, seed):
        super().__init__(daemon=True, name=type(self).__name__)
        self.platform, self.random = platform, random.Random(seed)
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.session = requests.Session()
        self.done = self.unknown = 0
        self.problem = None

    def call(self, method, path, body=None, token=None, ok=(200, 201, 204)):
        """The parsed answer, or Unknown; with ok=None (status, answer) whatever the status."""
        try:
            r = self.session.request(method, self.platform.url + path, json=body, timeout=TIMEOUT_S,
                                     headers={"Authorization": f"Bearer {token or self.platform.token}"})
        except requests.RequestException as e:
            self.session.close()
            self.session = requests.Session()
            raise Unknown(f"{method} {path}: {type(e).__name__}") from e
        if r.status_code in (429, 500, 502, 503, 504):
            raise Unknown(f"{method} {path}: {r.status_code} {r.text[:200]}")
        if ok is None:
            return r.status_code, r
        if r.status_code not in ok:
            raise Lost(f"{method} {path} {body} was answered with {r.status_code} {r.text[:300]}")
        return r.json() if r.content else {}

    def sure(self, method, path, body=None, **more):
        """Repeats a request that may be repeated until it is answered; 10 s at most."""
        end = time.monotonic() + 10
        while True:
            try:
                return self.call(method, path, body, **more)
            except Unknown:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def run(self):
        while not self.ending.is_set():
            with self.lock:
                try:
                    self.step()
                    self.done += 1
                except Unknown:
                    self.unknown += 1
                    time.sleep(0.02)
                except Exception as e:
                    self.problem = e
                    return
            time.sleep(self.random.uniform(0, 0.004))

    def prepare(self):
        pass

    def checked(self):
        """check() while the worker rests."""
        with self.lock:
            if self.problem:
                raise self.problem
            self.check()


class Tokens(Worker):
    """Makes and revokes tokens; what is revoked stays so from the moment that the call returned."""

    def prepare(self):
        self.live, self.revoked = {}, []

    def step(self):
        if len(self.live) > 20 or (self.live and self.random.random() < 0.4):
            key = self.random.choice(list(self.live))
            value = self.live.pop(key)  # an unknown revocation leaves it in neither list
            self.call("POST", "/api/2.0/token/delete", {"token_id": key})
            self.revoked.append(value)
            self.refused(value)
        else:
            made = self.call("POST", "/api/2.0/token/create", {"comment": "ledger", "lifetime_seconds": 3600})
            self.live[made["token_info"]["token_id"]] = made["token_value"]

    def status(self, token):
        return self.sure("GET", "/api/2.0/preview/scim/v2/Me", token=token, ok=None)[0]

    def refused(self, token):
        status = self.status(token)
        if status not in (401, 403):
            raise Lost(f"a revoked token was answered with {status}")

    def check(self, most=12):
        listed = {t["token_id"] for t in self.sure("GET", "/api/2.0/token/list").get("token_infos", [])}
        missing = set(self.live) - listed
        if missing:
            raise Lost(f"acknowledged tokens are gone: {missing}")
        for token in self.random.sample(list(self.live.values()), min(most, len(self.live))):
            if (status := self.status(token)) != 200:
                raise Lost(f"a live token was answered with {status}")
        for token in self.revoked[-4:] + self.random.sample(self.revoked, min(most, len(self.revoked))):
            self.refused(token)


class Metrics(Worker):
    """Logs one metric; each acknowledged point is there once, with its value."""

    def prepare(self):
        name = f"/ledger-{self.random.getrandbits(60):x}"
        experiment = self.call("POST", "/api/2.0/mlflow/experiments/create", {"name": name})["experiment_id"]
        self.run_id = self.call("POST", "/api/2.0/mlflow/runs/create",
                                {"experiment_id": experiment, "start_time": 1})["run"]["info"]["run_id"]
        self.points, self.maybe, self.at = {}, set(), 0
        self.seen = 0

    def step(self):
        self.at += 1
        value = self.random.random()
        self.maybe.add(self.at)
        if self.random.random() < 0.5:
            self.call("POST", "/api/2.0/mlflow/runs/log-metric",
                      {"run_id": self.run_id, "key": "m", "value": value, "step": self.at, "timestamp": self.at})
        else:
            self.call("POST", "/api/2.0/mlflow/runs/log-batch",
                      {"run_id": self.run_id, "metrics": [{"key": "m", "value": value, "step": self.at, "timestamp": self.at}]})
        self.maybe.discard(self.at)
        self.points[self.at] = value

    def check(self):
        have, page = {}, ""
        while True:
            answer = self.sure("GET", f"/api/2.0/mlflow/metrics/get-history?run_id={self.run_id}&metric_key=m&max_results=25000"
                                      + (f"&page_token={page}" if page else ""))
            for m in answer.get("metrics", []):
                step = int(m["step"])
                if step in have:
                    raise Lost(f"point {step} is there twice")
                have[step] = m["value"]
            page = answer.get("next_page_token")
            if not page:
                break
        for step, value in self.points.items():
            if have.get(step) != value:
                raise Lost(f"point {step} of {self.run_id} was {value}, is {have.get(step)}")
        if extra := set(have) - set(self.points) - self.maybe:
            raise Lost(f"points that were never sent: {extra}")


class Cell(Worker):
    """One value that is changed over and over: read() must give what was acknowledged last."""

    value = None
    possible = None  # after a change whose outcome is unknown: (before, after)

    def step(self):
        if self.possible is not None:
            self.settle()
            return
        new = self.next()
        self.possible = (self.value, new)
        self.write(new)
        self.value, self.possible = new, None

    def settle(self):
        time.sleep(SETTLE_S)
        have = self.read()
        if have not in self.possible:
            raise Lost(f"{self.name}: {have!r} is neither {self.possible[0]!r} nor {self.possible[1]!r}")
        self.value, self.possible = have, None

    def check(self):
        if self.possible is not None:
            return self.settle()
        have = self.read()
        if have != self.value:
            raise Lost(f"{self.name}: acknowledged {self.value!r}, is {have!r}")


class Groups(Cell):
    """A member comes and goes."""

    def prepare(self):
        u = f"{self.random.getrandbits(60):x}"
        base = "/api/2.0/preview/scim/v2/"
        self.user = self.call("POST", base + "Users", {"userName": f"u{u}@example.com"})["id"]
        self.path = base + "Groups/" + self.call("POST", base + "Groups", {"displayName": f"g{u}"})["id"]
        self.value = False

    def next(self):
        return not self.value

    def write(self, new):
        op = ({"op": "add", "path": "members", "value": [{"value": self.user}]} if new
              else {"op": "remove", "path": f'members[value eq "{self.user}"]'})
        self.call("PATCH", self.path, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [op]})

    def read(self):
        return any(m["value"] == self.user for m in self.sure("GET", self.path).get("members", []))


class Experiments(Cell):
    """Renamed again and again."""

    def prepare(self):
        self.value = f"/ledger-{self.random.getrandbits(60):x}"
        self.id = self.call("POST", "/api/2.0/mlflow/experiments/create", {"name": self.value})["experiment_id"]
        self.count = 0

    def next(self):
        self.count += 1
        return f"{self.value.split('#')[0]}#{self.count}"

    def write(self, new):
        self.call("POST", "/api/2.0/mlflow/experiments/update", {"experiment_id": self.id, "new_name": new})

    def read(self):
        return self.sure("GET", f"/api/2.0/mlflow/experiments/get?experiment_id={self.id}")["experiment"]["name"]


class Grants(Cell):
    """Privileges on a schema."""

    def prepare(self):
        u = f"{self.random.getrandbits(60):x}"
        self.principal = f"p{u}@example.com"
        self.call("POST", "/api/2.0/preview/scim/v2/Users", {"userName": self.principal})
        self.call("POST", "/api/2.1/unity-catalog/catalogs", {"name": f"c{u}"})
        self.call("POST", "/api/2.1/unity-catalog/schemas", {"name": "s", "catalog_name": f"c{u}"})
        self.path = f"/api/2.1/unity-catalog/permissions/schema/c{u}.s"
        self.value = frozenset()

    def next(self):
        return self.value ^ {self.random.choice(["USE_SCHEMA", "EXECUTE", "CREATE_MODEL"])}

    def write(self, new):
        change = {"principal": self.principal, "add": sorted(new - self.value), "remove": sorted(self.value - new)}
        self.call("PATCH", self.path, {"changes": [change]})

    def read(self):
        for a in self.sure("GET", self.path).get("privilege_assignments", []):
            if a["principal"] == self.principal:
                return frozenset(p.replace(" ", "_") for p in a["privileges"])
        return frozenset()


class Versions(Cell):
    """Model versions and an alias that moves to the newest."""

    def prepare(self):
        self.model = f"ledger-{self.random.getrandbits(60):x}"
        self.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": self.model})
        self.value, self.known = "0", ["0"]

    def next(self):
        return str(max(map(int, self.known)) + 1)

    def write(self, new):
        made = self.call("POST", "/api/2.0/mlflow/model-versions/create", {"name": self.model, "source": "dbfs:/ledger"})
        if made["model_version"]["version"] != new:
            raise Lost(f"version {new} came out as {made['model_version']['version']}")
        self.known.append(new)

    def read(self):
        found = self.sure("GET", f"/api/2.0/mlflow/model-versions/search?filter=name%3D'{self.model}'&max_results=1000&order_by=version_number DESC")
        numbers = sorted((int(v["version"]) for v in found.get("model_versions", [])), reverse=True)
        newest = numbers[0] if numbers else 0
        if numbers != list(range(newest, newest - len(numbers), -1)) or (len(numbers) < 1000 and len(numbers) != newest):
            raise Lost(f"versions of {self.model} have gaps: {numbers[:10]} … {numbers[-3:]}")
        newest = str(newest)
        if newest not in self.known:
            self.known.append(newest)
        return newest


class Endpoints(Cell):
    """The version that an endpoint of a Python model serves; each answer is that of a version that it had."""

    factors = {"1": 2.0, "2": 3.0}
    READY_S = 120  # Python starts slowly on a busy machine

    def prepare(self):
        u = f"{self.random.getrandbits(60):x}"
        self.model, self.path = f"main.default.ledger_{u}", f"/api/2.0/serving-endpoints/ledger-{u}"
        self.ask = f"/serving-endpoints/ledger-{u}/invocations"
        with self.platform.mlflow("databricks", registry="databricks-uc") as mlflow:
            for factor in self.factors.values():
                self.log(mlflow, factor)
        self.call("POST", "/api/2.0/serving-endpoints", {"name": f"ledger-{u}", "config": self.config("1")})
        self.value = "1"
        self.until(lambda: self.state()["state"]["ready"] == "READY", "the endpoint is not READY")

    def log(self, mlflow, factor):
        import pandas as pd

        class Times(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return (model_input["x"] * factor).to_numpy()
        mlflow.set_experiment("/Shared/ledger")
        x = pd.DataFrame({"x": [1.0]})
        with mlflow.start_run():
            mlflow.pyfunc.log_model(name="model", python_model=Times(), registered_model_name=self.model, pip_requirements=["mlflow"],
                                    signature=mlflow.models.infer_signature(x, x.x))

    def config(self, version):
        return {"served_entities": [{"name": "e", "entity_name": self.model, "entity_version": version, "workload_size": "Small",
                                     "scale_to_zero_enabled": False}]}

    def until(self, condition, what):
        end = time.monotonic() + self.READY_S
        while not condition():
            if time.monotonic() > end:
                raise Lost(f"{what}: {self.state()}")
            time.sleep(0.1)

    def state(self):
        return self.sure("GET", self.path)

    def settled(self):
        return self.state()["state"]["config_update"] != "IN_PROGRESS"

    def answers(self):
        """One right answer; what breaks off or finds no process is asked again."""
        try:
            got = self.call("POST", self.ask, {"dataframe_records": [{"x": 1.0}]})["predictions"]
        except Unknown:
            return False
        if got not in [[f] for f in self.factors.values()]:
            raise Lost(f"an answer of no version: {got}")
        return True

    def step(self):
        self.answers()
        if self.possible is None and not self.settled():
            time.sleep(0.05)
            return
        super().step()

    def next(self):
        return "2" if self.value == "1" else "1"

    def write(self, new):
        self.call("PUT", self.path + "/config", self.config(new))

    def read(self):
        e = self.state()
        return (e.get("pending_config") or e["config"])["served_entities"][0]["entity_version"]

    def check(self):
        super().check()
        self.until(self.answers, "the endpoint does not answer")


WORKERS = (Tokens, Tokens, Metrics, Metrics, Groups, Experiments, Grants, Versions, Endpoints)


def begin(platform, seed, kinds=WORKERS):
    workers = [kind(platform, seed + i) for i, kind in enumerate(kinds)]
    for w in workers:
        w.prepare()
    for w in workers:
        w.start()
    return workers


def end(workers):
    for w in workers:
        w.ending.set()
    for w in workers:
        w.join(TIMEOUT_S + 15)
        assert not w.is_alive(), f"{w.name} hangs"
