# SPDX-License-Identifier: Apache-2.0
"""Answers per second of a native XGBoost model, beside nginx `return 200` and the real `mlflow models serve`.

    .deps/py/client/bin/python bench/scoring.py [--seconds 3] [--rounds 3] [--no-save]

XGBClassifier, 100 trees of depth 6, ten features. One row as dataframe_split; authentication on; the same request
to all three, keep-alive, 16 connections and then one; rounds interleaved. Then batches of 100 rows. Every peer's
process tree is on the servers' core, the load on the other. The answers of ours and mlflow's are compared first.
"""

import argparse
import json
import subprocess
import urllib.request

import side

FEATURES = [f"f{i}" for i in range(10)]


def train():
    import numpy as np
    import pandas as pd
    import xgboost
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(20000, 10)), columns=FEATURES)
    y = (X.f0 * X.f1 + np.sin(3 * X.f2) + rng.normal(0, 0.7, len(X)) > 0).astype(int)
    return xgboost.XGBClassifier(n_estimators=100, max_depth=6).fit(X, y), X


def register(platform, model, X, endpoint):
    """Logs, registers and serves the model; its folder is not needed afterwards."""
    from databricks.sdk.service import serving
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment("/Shared/bench")
        with mlflow.start_run():
            mlflow.xgboost.log_model(name="model", xgb_model=model, registered_model_name="main.default.bench", pip_requirements=["mlflow"],
                                     signature=mlflow.models.infer_signature(X, model.predict(X)))
    platform.sdk().serving_endpoints.create_and_wait(name=endpoint, config=serving.EndpointCoreConfigInput(
        name=endpoint, served_entities=[serving.ServedEntityInput(entity_name="main.default.bench", entity_version="1",
                                                                  workload_size="Small", scale_to_zero_enabled=True)]))


def save(model, X, path):
    import mlflow
    mlflow.xgboost.save_model(model, path, signature=mlflow.models.infer_signature(X, model.predict(X)), pip_requirements=["mlflow"])


def ask(url, body, headers):
    r = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(r, timeout=60) as answer:
        return json.load(answer)["predictions"]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--no-save", action="store_true")
    a = ap.parse_args()
    report = side.Report("Scoring, XGBoost 100 trees depth 6, ten features")
    with side.scratch() as folder:
        model, X = train()
        save(model, X, folder / "model")

        def body(n):
            return json.dumps({"dataframe_split": {"columns": FEATURES, "data": [[round(v, 6) for v in row] for row in X[:n].to_numpy().tolist()]}})
        port = side.free_port()
        mlflow = [side.PYTHON, "-m", "mlflow", "models", "serve", "-m", folder / "model", "--env-manager", "local", "-h", "127.0.0.1", "-p", port, "-w", "1"]
        with side.boathouse(folder) as p, side.nginx(folder) as (nginx, nginx_process), side.server(
                mlflow, f"http://127.0.0.1:{port}/ping", folder / "mlflow.log", env={"PATH": f"{side.PYTHON.parent}:/usr/bin:/bin"}) as mlflow_process:
            register(p, model, X, "bench")
            auth = {"Authorization": f"Bearer {p.token}", "Content-Type": "application/json"}
            plain = {"Content-Type": "application/json"}
            urls = {"us": (f"{p.url}/serving-endpoints/bench/invocations", auth), "nginx": (nginx, auth),
                    "mlflow": (f"http://127.0.0.1:{port}/invocations", plain)}
            mine, other = (ask(*((urls[w][0], body(100), urls[w][1]))) for w in ("us", "mlflow"))
            assert mine == other == model.predict(X[:100].round(6)).tolist(), "the answers differ"
            pids = {"us": p.processes("gateway")[0].pid, "nginx": nginx_process.pid, "mlflow": mlflow_process.pid}
            figures = {}
            for rows, connections in ((1, 16), (1, 1), (100, 16)):
                for r in range(a.rounds):
                    report.quiet(15)
                    for who, (url, headers) in urls.items():
                        script = side.lua_post(folder, f"{who}{rows}", body(rows), headers)
                        used = side.cpu_seconds(pids[who])
                        got = side.wrk(url, a.seconds, connections, script)
                        got["per_cpu"] = got["rate"] * a.seconds / max(side.cpu_seconds(pids[who]) - used, 0.01)
                        if got["bad"] or (got["lost"] and who == "us"):
                            raise RuntimeError(f"{who}: {got}")
                        figures.setdefault((rows, connections, who), []).append(got)
            best = {k: sorted(v, key=lambda g: g["rate"])[len(v) // 2] for k, v in figures.items()}
            us, ref, peer = (best[1, 16, w] for w in urls)
            report.row("one row, 16 connections", f"{us['rate']:,.0f}/s, p50 {us['p50']:.3f} ms, p99 {us['p99']:.2f} ms = {us['rate'] / ref['rate']:.2f} × nginx",
                       "≥ 0.5 × nginx (later 0.75)", f"nginx `return 200` {ref['rate']:,.0f}/s; mlflow models serve {peer['rate']:,.0f}/s, ratio {us['rate'] / peer['rate']:.0f}")
            report.row("the same, per second of the server's own processor time", f"{us['per_cpu']:,.0f} = {us['per_cpu'] / ref['per_cpu']:.2f} × nginx", "",
                       f"nginx {ref['per_cpu']:,.0f}; mlflow models serve {peer['per_cpu']:,.0f}; hardly depends on other work on the machine")
            us, ref, peer = (best[1, 1, w] for w in urls)
            report.row("one row, one connection, p50", f"{us['p50']:.3f} ms, p99 {us['p99']:.2f} ms", "",
                       f"nginx {ref['p50']:.3f} ms; mlflow models serve {peer['p50']:.2f} ms")
            us, ref, peer = (best[100, 16, w] for w in urls)
            report.row("batches of 100 rows", f"{us['rate'] * 100:,.0f} rows/s ({us['per_cpu'] * 100:,.0f} per second of its own processor time)", "≥ 600,000 rows/s", f"mlflow models serve {peer['rate'] * 100:,.0f} rows/s, "
                       f"ratio {us['rate'] / peer['rate']:.0f}; nginx reads and drops {ref['rate'] * 100:,.0f} rows/s")
    command = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    report.note(f"{command}; medians of {a.rounds} rounds of {a.seconds} s; every answer checked to be 200.")
    if not a.no_save:
        report.save()


if __name__ == "__main__":
    main()
