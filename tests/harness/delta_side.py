# SPDX-License-Identifier: Apache-2.0
"""Real Spark and our engine side by side over Delta tables: both behind pipes, answers as texts, tables as bags of rows."""

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BOATHOUSE_BUILD", ROOT / "build/release"))
SPARK_PYTHON = ROOT / ".deps/py/spark/bin/python"
DELTA_JARS = ROOT / ".deps/spark/delta"
S3_JARS = ROOT / ".deps/spark/s3"


class Pipe:
    """A program that answers lines of JSON."""

    def __init__(self, command, **kw):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kw)
        self.lock = threading.Lock()

    def ask(self, **what):
        with self.lock:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
            while line := self.process.stdout.readline():
                if line.startswith("{"):
                    return json.loads(line)
        raise RuntimeError(f"it ended with {self.process.wait(30)} at {what}")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def s3_settings(store):
    """Spark's settings for s3:// and s3a:// on a server of tests (harness/s3_store.py)."""
    return {"spark.hadoop.fs.s3a.endpoint": store.url, "spark.hadoop.fs.s3a.access.key": store.key, "spark.hadoop.fs.s3a.secret.key": store.secret,
            "spark.hadoop.fs.s3a.path.style.access": "true", "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": "false", "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"}


# For benches: both compilers of the JVM, plans compiled, the work on both cores. (Tests start sooner without.)
FAST = {"spark.driver.extraJavaOptions": "-Duser.timezone=UTC -Dlog4j2.level=error", "spark.sql.codegen.wholeStage": "true",
        "spark.sql.codegen.factoryMode": "FALLBACK", "spark.sql.shuffle.partitions": "2"}


class Spark(Pipe):
    def __init__(self, folder, s3=None, settings=None):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", SPARK_LOCAL_IP="127.0.0.1")
        self.log = open(folder / "spark.log", "w")
        super().__init__(["nice", str(SPARK_PYTHON), str(Path(__file__).with_name("spark_peer.py")), str(folder),
                          f"{DELTA_JARS}:{S3_JARS}" if s3 else str(DELTA_JARS), json.dumps((s3_settings(s3) if s3 else {}) | (settings or {}))],
                         stderr=self.log, env=env, cwd=folder)
        self.ready = json.loads(self.process.stdout.readline() or "{}")

    def run(self, sql, path, conf=None):
        return self.ask(op="sql", sql=sql.replace("{t}", f"delta.`{path}`").replace("{p}", str(path)), conf=conf)

    def read(self, path, version=None):
        return self.ask(op="read", path=str(path), version=version)

    def close(self):
        super().close()
        self.log.close()


class Ours(Pipe):
    """The engine's statements without a catalog: a table's name is a folder below the root."""

    def __init__(self, root):
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        super().__init__([str(BUILD / "tests/harness/deltasql"), str(self.root), "serve"])

    def run(self, sql, path, conf=None):
        path = Path(path)
        name = str(path.relative_to(self.root)) if path.parent == self.root else f"delta.`{path}`"
        return self.ask(sql=sql.replace("{t}", f"`{name}`" if "." not in name else name).replace("{p}", str(path)), conf=conf or {})


def bag(answer):
    return sorted(json.dumps(r) for r in answer["rows"])


def latest(table):
    return max(int(p.stem) for p in (Path(table) / "_delta_log").glob("*.json") if re.fullmatch(r"\d{20}", p.stem))


def first(table):
    """The lowest version that can be read from commits alone."""
    return min(int(p.stem) for p in (Path(table) / "_delta_log").glob("*.json") if re.fullmatch(r"\d{20}", p.stem))


def step(s):
    return (s, {}) if isinstance(s, str) else s


def make(spark, folder, name, steps, versions=None):
    """A case as those of the corpus: Spark's table, its content at every version, the steps. A step that begins with "!" is refused; its
    class is noted. versions: how many of the last ones are kept."""
    case = Path(folder) / name
    shutil.rmtree(case, ignore_errors=True)
    (case / "expected").mkdir(parents=True)
    table, told, listed = case / "delta", {}, []
    for sql, conf in map(step, steps):
        refused = sql.startswith("!")
        got = spark.run(sql.lstrip("!"), table, conf)
        if ("error" in got) != refused:
            return f"{name}: Spark " + (f"takes {sql}" if refused else f"refuses {sql}: {got['error']} {got['message'][:300]}")
        listed.append({"sql": sql.lstrip("!"), **({"conf": conf} if conf else {}), **({"class": got["error"]} if refused else {})})
    for v in range(max(first(table), latest(table) + 1 - versions) if versions else first(table), latest(table) + 1):
        got = spark.ask(op="dump", path=str(table), version=v, to=str(case / f"expected/v{v:05d}.parquet"))
        told[str(v)] = {"error": got["error"]} if "error" in got else {"schema": json.dumps(got["schema"])}
    (case / "case.json").write_text(json.dumps({"case": name, "versions": told, "latest": latest(table), "steps": listed}, indent=1))
    return None


def more(spark, table, versions):
    """What Spark says beside the content: the feed of each of these versions, the rows' ids; None where the table has none."""
    log = "".join(p.read_text() for p in (Path(table) / "_delta_log").glob("*.json") if re.fullmatch(r"\d{20}", p.stem))
    feeds = {v: spark.ask(op="feed", path=str(table), version=v) for v in versions} if '"delta.enableChangeDataFeed":"true"' in log else {}
    ids = spark.ask(op="ids", path=str(table)) if '"delta.enableRowTracking":"true"' in log else None
    return {"feeds": feeds, "ids": ids}
