# SPDX-License-Identifier: Apache-2.0
"""How long a new endpoint takes until it is READY, and Python models beside `mlflow models serve`.

    .deps/py/client/bin/python bench/serving_latency.py [--times 5] [--seconds 3] [--rounds 3] [--no-save]

create → READY: from sending the create call to the first GET that says READY (polled every 2 ms), and to the
first 200 of an invocation. Native in a data format (XGBoost, UBJ), the first time; the same artifact again; a pickled scikit-learn
model, the first time and again; a pyfunc with its environment cached. Then one pyfunc on both sides, same request.
A version is imported as soon as it is complete; so the first import of the pickle counts from the return of the call that registered it.
"""

import argparse
import json
import sys
import time
import urllib.request

import scoring
import side


def pyfunc(mlflow):
    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["f0"] * 2
    return Twice()


def log(platform, flavor, name, model, X, y):
    import cloudpickle
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    key = {"xgboost": "xgb_model", "sklearn": "sk_model", "pyfunc": "python_model"}[flavor]
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment("/Shared/bench")
        with mlflow.start_run():
            info = getattr(mlflow, flavor).log_model(name="model", pip_requirements=["mlflow"], **{key: model},
                                                     signature=mlflow.models.infer_signature(X[:50], y))
        mlflow.register_model(info.model_uri, f"main.default.{name}")


class Api:
    def __init__(self, platform):
        self.url, self.token = platform.url, platform.token

    def call(self, method, path, body=None):
        r = urllib.request.Request(self.url + path, json.dumps(body).encode() if body is not None else None,
                                   {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(r, timeout=150) as answer:
            return json.loads(answer.read() or b"{}")


def ready_ms(api, model, endpoint, request):
    """(ms to READY, ms to the first answer) of a new endpoint, which is deleted again."""
    start = time.monotonic()
    api.call("POST", "/api/2.0/serving-endpoints", {"name": endpoint, "config": {"served_entities": [
        {"entity_name": f"main.default.{model}", "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": True}]}})
    while (state := api.call("GET", f"/api/2.0/serving-endpoints/{endpoint}")["state"])["ready"] != "READY":
        if state["config_update"] == "UPDATE_FAILED" or time.monotonic() - start > 120:
            raise RuntimeError(f"{endpoint}: {state}")
        time.sleep(0.002)
    ready = (time.monotonic() - start) * 1e3
    api.call("POST", f"/serving-endpoints/{endpoint}/invocations", request)
    first = (time.monotonic() - start) * 1e3
    api.call("DELETE", f"/api/2.0/serving-endpoints/{endpoint}")
    return ready, first


def start_times(report, api, request, times, register_pickle):
    rows = (("xgb", "data format (XGBoost), first time", "≤ 100 ms"), ("xgb", "data format, imported before", "≤ 100 ms"),
            ("pickled", "pickle (scikit-learn), first import", "≤ 3,000 ms"), ("pickled", "pickle, imported before", "≤ 100 ms"),
            ("python", "python_function, cached environment", "≤ 3,000 ms"))
    for model, what, goal in rows:
        report.quiet(20)
        n = 1 if "first" in what else times
        if what.startswith("pickle") and n == 1:
            register_pickle()
        got = [ready_ms(api, model, f"{model}-{int(time.time() * 1e6)}", request) for _ in range(n)]
        ready, first = [g[0] for g in got], [g[1] for g in got]
        spread = f" ({min(ready):.0f}–{max(ready):.0f}, {n} times)" if n > 1 else ""
        report.row(f"create → READY: {what}", f"{side.median(ready):.0f} ms{spread}", goal, f"to the first answer {side.median(first):.0f} ms")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--times", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--no-save", action="store_true")
    a = ap.parse_args()
    report = side.Report("Serving: start of endpoints, Python models")
    with side.scratch() as folder, side.boathouse(folder) as p:
        import mlflow
        from sklearn.linear_model import LogisticRegression
        model, X = scoring.train()
        target = (X.f0 > 0).astype(int)
        linear = LogisticRegression().fit(X, target)
        log(p, "xgboost", "xgb", model, X, model.predict(X[:50]))
        python = pyfunc(mlflow)
        log(p, "pyfunc", "python", python, X, X.f0[:50] * 2)
        api = Api(p)
        request = {"dataframe_split": {"columns": scoring.FEATURES, "data": X[:1].round(6).to_numpy().tolist()}}
        start_times(report, api, request, a.times, lambda: log(p, "sklearn", "pickled", linear, X, linear.predict(X[:50])))

        mlflow.pyfunc.save_model(folder / "model", python_model=python, pip_requirements=["mlflow"],
                                 signature=mlflow.models.infer_signature(X[:50], X.f0[:50] * 2))
        port = side.free_port()
        peer = [side.PYTHON, "-m", "mlflow", "models", "serve", "-m", folder / "model", "--env-manager", "local", "-h", "127.0.0.1", "-p", port, "-w", "1"]
        with side.server(peer, f"http://127.0.0.1:{port}/ping", folder / "mlflow.log", env={"PATH": f"{side.PYTHON.parent}:/usr/bin:/bin"}):
            api.call("POST", "/api/2.0/serving-endpoints", {"name": "py", "config": {"served_entities": [
                {"entity_name": "main.default.python", "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": False}]}})
            while api.call("GET", "/api/2.0/serving-endpoints/py")["state"]["ready"] != "READY":
                time.sleep(0.05)
            text, plain = json.dumps(request), {"Content-Type": "application/json"}
            sides = {"us": (f"{p.url}/serving-endpoints/py/invocations", {**plain, "Authorization": f"Bearer {p.token}"}),
                     "mlflow": (f"http://127.0.0.1:{port}/invocations", plain)}
            answers = [scoring.ask(url, text, headers) for url, headers in sides.values()]
            assert answers[0] == answers[1], answers
            for connections in (16, 1):
                got = {}
                for _ in range(a.rounds):
                    report.quiet(15)
                    for who, (url, headers) in sides.items():
                        one = side.wrk(url, a.seconds, connections, side.lua_post(folder, who, text, headers))
                        if one["bad"]:
                            raise RuntimeError(f"{who}: {one}")
                        got.setdefault(who, []).append(one)
                us, peer_got = (sorted(got[w], key=lambda g: g["rate"])[len(got[w]) // 2] for w in ("us", "mlflow"))
                report.row(f"python_function, {connections} connection{'s' if connections > 1 else ''}",
                           f"{us['rate']:,.0f}/s, p50 {us['p50']:.2f} ms, p99 {us['p99']:.1f} ms", "≥ 2 × mlflow" if connections > 1 else "",
                           f"mlflow models serve {peer_got['rate']:,.0f}/s, p50 {peer_got['p50']:.2f} ms; ratio {us['rate'] / peer_got['rate']:.1f}")
    report.note("The platform runs on one core with all its processes, its sandboxed importers and Python models included.")
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    main()
