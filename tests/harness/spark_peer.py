# SPDX-License-Identifier: Apache-2.0
"""Apache Spark with delta-spark behind a pipe: one JSON object a line in, one out. Runs in the environment of the set "spark".
Arguments: a folder, folders of jars with ":" between, further settings as JSON.

    {"op": "sql", "sql": "…", "conf": {…}}                  → {"columns": […], "rows": [[text, …], …]}
    {"op": "read", "path": "…", "version": 3}               → the same, of a Delta table at a version (null: the latest)
    {"op": "dump", "path": "…", "version": 3, "to": "f"}    → {"schema": {…}}; the content as one Parquet file
    {"op": "detail", "path": "…"}                           → {"version": n}
    {"op": "feed", "path": "…", "version": 3}               → as of "read": the changes of one version
    {"op": "ids", "path": "…"}                              → as of "read": the latest rows with _metadata.row_id, row_commit_version
    {"op": "end"}
Whatever fails answers {"error": class, "message": "…"}.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, BinaryType, MapType, NullType, StructType, VariantType


def session(folder, jars):
    b = SparkSession.builder.master("local[2]").appName("peer")
    settings = {
        "spark.jars": ",".join(str(j) for d in jars.split(":") for j in sorted(Path(d).glob("*.jar")) if "unitycatalog" not in j.name),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": str(Path(folder) / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC -Dderby.system.home={folder} -Dlog4j2.level=error",
        "spark.databricks.delta.snapshotPartitions": "1",
        # Small tables: compiling plans would take most of the time.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.local.dir": str(Path(folder) / "local"),
    }
    settings |= json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    for name, value in settings.items():
        b = b.config(name, value)
    s = b.getOrCreate()
    s.sparkContext.setLogLevel("OFF")
    return s


def text_of(name, type_):
    """A column as text that says all of its value."""
    q = "`" + name.replace("`", "``") + "`"
    if isinstance(type_, BinaryType):
        return f"hex({q})"
    if isinstance(type_, VariantType):
        return f"to_json({q})"
    if has(type_, VariantType):
        return f"to_json(struct({q}))"
    return f"cast({q} as string)"


def has(type_, kind):
    if isinstance(type_, kind):
        return True
    if isinstance(type_, StructType):
        return any(has(f.dataType, kind) for f in type_.fields)
    if isinstance(type_, ArrayType):
        return has(type_.elementType, kind)
    return isinstance(type_, MapType) and (has(type_.keyType, kind) or has(type_.valueType, kind))


def rows_of(df):
    texts = [text_of(f.name, f.dataType) for f in df.schema.fields]
    plain = df.toDF(*[f"c{i}" for i in range(len(texts))])
    found = plain.selectExpr(*[text_of(f"c{i}", f.dataType) + f" AS c{i}" for i, f in enumerate(df.schema.fields)]).collect() if texts else []
    return {"columns": [f.name for f in df.schema.fields], "types": [f.dataType.simpleString() for f in df.schema.fields],
            "texts": [text_of(f.name, f.dataType) for f in df.schema.fields],
            "rows": [list(r) for r in found]}


def dump(df, to):
    """Variants as JSON text, columns of no type as integers: what the corpus of tables has."""
    out = []
    for f in df.schema.fields:
        q = "`" + f.name.replace("`", "``") + "`"
        name = q
        if isinstance(f.dataType, VariantType):
            out.append(f"to_json({q}) AS {name}")
        elif isinstance(f.dataType, NullType):
            out.append(f"cast({q} as int) AS {name}")
        else:
            out.append(q)
    with tempfile.TemporaryDirectory(dir=str(Path(to).parent)) as folder:
        df.selectExpr(*out).coalesce(1).write.mode("overwrite").parquet(folder + "/x")
        (part,) = Path(folder, "x").glob("part-*.parquet")
        shutil.move(part, to)
    return {"schema": json.loads(df.schema.json())}


class Peer:
    def __init__(self, folder, jars):
        self.spark = session(folder, jars)

    def table(self, ask):
        reader = self.spark.read.format("delta")
        if ask.get("version") is not None:
            reader = reader.option("versionAsOf", ask["version"])
        return reader.load(ask["path"])

    def answer(self, ask):
        op, conf = ask["op"], ask.get("conf") or {}
        old = {k: self.spark.conf.get(k, None) for k in conf}
        for k, v in conf.items():
            self.spark.conf.set(k, v)
        try:
            if op == "sql":
                return rows_of(self.spark.sql(ask["sql"]))
            if op == "read":
                return rows_of(self.table(ask))
            if op == "feed":
                v = ask["version"]
                return rows_of(self.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", v).option("endingVersion", v)
                               .load(ask["path"]).drop("_commit_timestamp"))
            if op == "ids":
                return rows_of(self.table(ask).select("*", "_metadata.row_id", "_metadata.row_commit_version"))
            if op == "dump":
                return dump(self.table(ask), ask["to"])
            if op == "detail":
                return {"version": self.spark.sql(f"DESCRIBE HISTORY delta.`{ask['path']}` LIMIT 1").collect()[0]["version"]}
            return {"error": "UNKNOWN", "message": op}
        finally:
            for k, v in old.items():
                self.spark.conf.unset(k) if v is None else self.spark.conf.set(k, v)


def class_of(e):
    for get in ("getCondition", "getErrorClass"):
        try:
            if found := getattr(e, get)():
                return found
        except Exception:  # noqa: BLE001: not every exception has a class
            pass
    text = str(e)
    return text[text.find("[") + 1:text.find("]")] if "[" in text and "]" in text else type(e).__name__


def main():
    folder, jars = sys.argv[1:3]
    peer, out = Peer(folder, jars), sys.stdout
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["op"] == "end":
            break
        try:
            answer = peer.answer(ask)
        except Exception as e:  # noqa: BLE001: the other side judges
            answer = {"error": class_of(e), "message": str(e)[:2000]}
        print(json.dumps(answer, default=str), file=out, flush=True)
    peer.spark.stop()


if __name__ == "__main__":
    main()
