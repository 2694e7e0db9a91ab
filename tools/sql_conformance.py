#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Share of Apache Spark's own SQL tests whose answers are equal to ours, by file.

    python3 tools/sql_conformance.py                 all files; writes docs/sql-conformance.md
    python3 tools/sql_conformance.py --only REGEX    files whose name matches; writes nothing
                                     --show [KIND]   each statement that differs, with both answers
                                     --details FILE  one line of JSON for each statement

The statements and answers come from .deps/spark/spark-sql-tests.jar (`tools/setup --with spark`); no text of theirs is kept
here. They run on a real server of this checkout's build, over Thrift, on one warehouse, each file in a session of its own.

What is compared, for each statement: the columns' names and types (struct<…>), and the rows as Spark's suite writes them,
in order where an ORDER BY stands outermost, as a bag otherwise. For errors: class, SQLSTATE and parameters; sentences and
places (queryContext) are not compared. These differences between the products are allowed for: the catalog `spark_catalog` has
a name of its own here (of the same length); the format is left out of CREATE TABLE … USING PARQUET (JSON, ORC, CSV) without a
location, since managed tables are Delta tables; INSERT and its like may tell how many rows they changed, as Delta's do; and
columns of SHOW and DESCRIBE may have the names that Databricks documents.
"""

import argparse
import collections
import http.client
import json
import os
import re
import shutil
import sys
import tempfile
import time
import urllib.parse
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / ".deps/py/client/bin/python"
try:
    import pyarrow as pa
    from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
    from thrift.protocol import TBinaryProtocol
    from thrift.transport import TTransport
except ImportError:
    if os.environ.get("BH_CONFORMANCE_AGAIN") or not CLIENT.exists():
        raise
    os.environ["BH_CONFORMANCE_AGAIN"] = "1"
    os.execv(CLIENT, [str(CLIENT), *sys.argv])

sys.path.insert(0, str(ROOT / "tests/harness"))
from sql_conformance_show import schema_text, shown_rows  # noqa: E402

JAR = ROOT / ".deps/spark/spark-sql-tests.jar"
CATALOG = "sparc_catalog"  # as long as spark_catalog, so that places in texts are the same
STATEMENT_S = 12
KINDS = ["equal", "rows", "order", "schema", "parameters", "class", "error of ours", "no error", "lost"]

# ---- the jar ----


def statements(text):
    """[(statement, schema, output)] of a result file."""
    parts = re.split(r"^-- !query.*\n", text, flags=re.M)
    return [(parts[i].strip("\n").strip(), parts[i + 1].strip(), parts[i + 2].rstrip("\n")) for i in range(1, len(parts) - 2, 3)]


def settings_of(jar, name, seen=()):
    """What --SET, --CONFIG_DIM (the first of each) and those of --IMPORTed files ask for."""
    out = {}
    try:
        text = jar.read(f"sql-tests/inputs/{name}").decode("utf-8", "replace")
    except KeyError:
        return out
    dims = set()
    for line in text.splitlines():
        if m := re.match(r"--IMPORT\s+(\S+)", line):
            if m[1] not in seen:
                out = {**settings_of(jar, m[1], (*seen, name)), **out}
        elif m := re.match(r"--(SET|CONFIG_DIM\d*)\s+(.*)", line):
            if m[1] != "SET" and (m[1] in dims or dims.add(m[1])):
                continue
            for pair in re.split(r",(?=\s*spark\.)", m[2]):
                k, _, v = pair.partition("=")
                out[k.strip()] = v.strip()
    return out


# ---- the server, over Thrift ----


class Post(TTransport.TTransportBase):
    """Thrift over one HTTP connection that stays open."""

    def __init__(self, connect):
        url = urllib.parse.urlparse(connect["DATABRICKS_HOST"])
        self.host, self.path = (url.hostname, url.port), connect["DATABRICKS_HTTP_PATH"]
        self.headers = {"Authorization": "Bearer " + connect["DATABRICKS_TOKEN"], "Content-Type": "application/x-thrift"}
        self.con, self.out, self.got, self.at = None, [], b"", 0

    def isOpen(self):
        return True

    def write(self, data):
        self.out.append(data)

    def read(self, n):
        piece = self.got[self.at:self.at + n]
        self.at += len(piece)
        return piece

    def flush(self):
        body, self.out = b"".join(self.out), []
        if not self.con:
            self.con = http.client.HTTPConnection(*self.host, timeout=STATEMENT_S * 4)
        self.con.request("POST", self.path, body, self.headers)
        answer = self.con.getresponse()
        self.got, self.at = answer.read(), 0
        if answer.status != 200:
            raise OSError(f"HTTP {answer.status} {self.got[:200]!r}")


class Answer:
    """Of one statement: columns [(name, type as JSON)] and an Arrow table, or an error."""

    def __init__(self, columns=None, table=None, error=None, lost=False):
        self.columns, self.table, self.error, self.lost = columns, table, error, lost


class Session:
    def __init__(self, connect, settings, catalog=CATALOG):
        self.rpc = TCLIService.Client(TBinaryProtocol.TBinaryProtocol(Post(connect)))
        conf = {"timezone": "America/Los_Angeles", "statement_timeout": str(STATEMENT_S), **settings}
        req = ttypes.TOpenSessionReq(client_protocol_i64=ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8, configuration=conf,
                                     initialNamespace=ttypes.TNamespace(catalogName=catalog, schemaName="default"),
                                     canUseMultipleCatalogs=True)
        opened = self.rpc.OpenSession(req)
        self.handle = opened.sessionHandle
        assert self.handle, opened.status

    def close(self):
        self.rpc.CloseSession(ttypes.TCloseSessionReq(self.handle))

    def __call__(self, text):
        arrow = ttypes.TSparkArrowTypes(True, True, True, False, True)
        got = self.rpc.ExecuteStatement(ttypes.TExecuteStatementReq(
            sessionHandle=self.handle, statement=text, runAsync=True, canReadArrowResult=True, canDownloadResult=False,
            canDecompressLZ4Result=False, useArrowNativeTypes=arrow,
            getDirectResults=ttypes.TSparkGetDirectResults(maxRows=1000000, maxBytes=400 << 20)))
        if not got.operationHandle:
            return Answer(error=error_of(got.status))
        direct, op = got.directResults, got.operationHandle
        status = direct.operationStatus if direct and direct.operationStatus else None
        waited, state = time.monotonic(), ttypes.TOperationState
        while not status or status.operationState in (state.INITIALIZED_STATE, state.PENDING_STATE, state.RUNNING_STATE):
            status = self.rpc.GetOperationStatus(ttypes.TGetOperationStatusReq(op))
            if time.monotonic() - waited > STATEMENT_S * 2:
                self.rpc.CancelOperation(ttypes.TCancelOperationReq(op))
                return Answer(lost=True, error={"message": "too slow"})
            time.sleep(0.002)
        if status.operationState != state.FINISHED_STATE:
            e = error_of(status)
            return Answer(error=e, lost=e.get("class") in ("ENGINE_LOST", None))
        answer = self.rows(op, direct)
        if not direct or not direct.closeOperation:
            self.rpc.CloseOperation(ttypes.TCloseOperationReq(op))
        return answer

    def rows(self, op, direct):
        meta = direct.resultSetMetadata if direct and direct.resultSetMetadata else None
        meta = meta or self.rpc.GetResultSetMetadata(ttypes.TGetResultSetMetadataReq(op))
        if not meta.arrowSchema:
            return Answer(columns=[], table=None)
        schema = pa.ipc.read_schema(pa.py_buffer(meta.arrowSchema))
        columns = [(f.name, spark_type(f.metadata)) for f in schema]
        batches, part = [], direct.resultSet if direct and direct.resultSet else None
        while True:
            if part is None:
                part = self.rpc.FetchResults(ttypes.TFetchResultsReq(op, orientation=0, maxRows=1000000, maxBytes=400 << 20))
            for b in (part.results.arrowBatches or []) if part.results else []:
                batches += pa.ipc.open_stream(meta.arrowSchema + b.batch)
            if not part.hasMoreRows:
                return Answer(columns, pa.Table.from_batches(batches, schema))
            part = None


def spark_type(metadata):
    """A column's type as JSON, which has no collations at the top; its text in SQL does."""
    t, sql = json.loads(metadata[b"Spark:DataType:JsonType"]), metadata[b"Spark:DataType:SqlName"].decode()
    m = re.fullmatch(r"(?i)string collate (\w+)", sql)
    return f"string collate {m[1].upper()}" if m else t


def error_of(status):
    details = getattr(status, "errorDetailsJson", None)
    message = getattr(status, "displayMessage", None) or status.errorMessage or ""
    e = {"message": message, "sqlState": status.sqlState, "params": {}}
    if m := re.match(r"\[([A-Z0-9_.]+)\]", message):
        e["class"] = m[1]
    if details:
        e.update({k: v for k, v in json.loads(details).items() if k != "message"})
    return e


# ---- what the suite's tables hold ----

MANY = ("unique1 int, unique2 int, two int, four int, ten int, twenty int, hundred int, thousand int, twothousand int, fivethous int, "
        "tenthous int, odd int, even int, stringu1 string, stringu2 string, string4 string")
TABLES = {"testdata", "arraydata", "mapdata", "aggtest", "onek", "tenk1"}


def make_tables(run, jar):
    def must(text):
        got = run(text)
        if got.error:
            raise SystemExit(f"the tables cannot be made: {got.error['message']}\n{text[:300]}")

    def load(name, columns, file, strings):
        must(f"CREATE TABLE {name} ({columns})")
        rows = [line.split("\t") for line in jar.read(f"test-data/postgresql/{file}").decode().splitlines() if line]
        values = [",".join(f"'{v}'" if i in strings else v for i, v in enumerate(r)) for r in rows]
        for i in range(0, len(values), 2500):
            must(f"INSERT INTO {name} VALUES " + ",".join(f"({v})" for v in values[i:i + 2500]))

    must("CREATE TABLE testdata AS SELECT cast(id AS int) AS key, cast(id AS string) AS value FROM range(1, 101)")
    must("CREATE TABLE arraydata AS SELECT * FROM VALUES (array(1, 2, 3), array(array(1, 2, 3))), (array(2, 3, 4), array(array(2, 3, 4))) "
         "AS d(arraycol, nestedarraycol)")
    must("CREATE TABLE mapdata (mapcol map<int, string>)")
    maps = [", ".join(f"{k}, '{chr(96 + k)}{n}'" for k in range(1, 7 - n)) for n in range(1, 6)]
    must("INSERT INTO mapdata VALUES " + ", ".join(f"(map({m}))" for m in maps))
    load("aggtest", "a int, b float", "agg.data", ())
    load("onek", MANY, "onek.data", (13, 14, 15))
    load("tenk1", MANY, "tenk.data", (13, 14, 15))


def clean(run):
    """What a file left behind goes; the suite's tables stay."""
    run(f"USE CATALOG {CATALOG}")
    for name in column(run("SHOW SCHEMAS"), 0):
        if name not in ("default", "information_schema"):
            run(f"DROP SCHEMA `{name}` CASCADE")
    run("USE SCHEMA default")
    views = set(column(run("SHOW VIEWS"), 1))
    for name in column(run("SHOW TABLES"), 1):
        if name.lower() not in TABLES:
            run(f"DROP {'VIEW' if name in views else 'TABLE'} IF EXISTS `{name}`")
    for name in column(run("SHOW USER FUNCTIONS"), 0):
        run("DROP FUNCTION IF EXISTS " + name)


def column(answer, i):
    return [] if answer.error or answer.table is None else answer.table.column(i).to_pylist()


# ---- comparing ----

PATCHES = [(re.compile(p), r) for p, r in [
    (r"#\d+L?", "#x"), (r"plan_id=\d+", "plan_id=x"), (r"(?m)^Location\t.*", "Location [not included in comparison]"),
    (r"(?m)^Created By\t.*", "Created By [not included in comparison]"), (r"(?m)^Created Time\t.*", "Created Time [not included in comparison]"),
    (r"(?m)^Last Access\t.*", "Last Access [not included in comparison]"), (r"(?m)^Owner\t.*", "Owner [not included in comparison]"),
    (r"(?m)\t[A-Za-z]{3} [A-Za-z]{3} [ 0-9]\d [0-9:]{8} [A-Z]{3} \d{4}\t", "\t[not included in comparison]\t")]]
LEFT_OUT = re.compile(r"(?m)^(Location|Created By|Created Time|Last Access|Owner)\b.*\[not included in comparison\].*$")


DESCRIBED = "struct<col_name:string,data_type:string,comment:string>"
# Columns that Databricks documents under other names than Spark's.
SPARKS_NAMES = {"database": "namespace", "database_description_item": "info_name", "database_description_value": "info_value"}
LISTED = re.compile(r"(?i)\s*show\s+(tables|views)\b")
COUNTS = re.compile("num_(affected|inserted|updated|deleted)_rows")  # Databricks' INSERT and the like tell them, Spark's do not


def patched(text):
    for p, r in PATCHES:
        text = p.sub(r, text)
    return LEFT_OUT.sub(lambda m: f"{m[1]} [not included in comparison]", text).replace(CATALOG, "spark_catalog")


def sent(text):
    text = re.sub(r"\bspark_catalog\b", CATALOG, text)
    if re.match(r"(?is)\s*(create|replace)\s+(or\s+replace\s+)?table\b", text) and not re.search(r"(?i)\blocation\b", text):
        text = re.sub(r"(?i)\busing\s+(parquet|orc|json|csv)\b", "", text, count=1)
    return text


def is_ordered(text):
    """An ORDER BY outside of all parentheses, in the last block of the statement."""
    flat = re.sub(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", "''", text, flags=re.S)
    while (less := re.sub(r"\([^()]*\)", " ", flat)) != flat:
        flat = less
    return re.search(r"(?i)\border\s+by\b", flat) is not None


def expected_error(schema, output):
    """None where the answer is no error; {} where it is one without a class."""
    head, _, rest = output.strip().partition("\n")
    if schema != "struct<>" or not re.fullmatch(r"(java|org|scala)\.[\w.$]+", head):
        return None
    try:
        return json.loads(rest)
    except ValueError:
        return {"text": rest}


def compare(statement, schema, output, answer, style):
    """(kind, what was got)"""
    want = expected_error(schema, output)
    if answer.lost:
        return "lost", json.dumps(answer.error)
    if answer.error:
        e = answer.error
        params = {k: v.replace(CATALOG, "spark_catalog") for k, v in (e.get("params") or {}).items()}
        got = json.dumps({"class": e.get("class"), "sqlState": e.get("sqlState"), "params": params, "message": e["message"][:600]})
        if want is None:
            return "error of ours", got
        if want.get("errorClass") != e.get("class") or want.get("sqlState", e.get("sqlState")) != e.get("sqlState"):
            return "class", got
        plain = {k: patched(v) for k, v in want.get("messageParameters", {}).items()}
        return ("equal" if plain == {k: patched(v) for k, v in params.items()} else "parameters"), got
    if output.strip() == "" and schema == "struct<>" and answer.columns and COUNTS.fullmatch(answer.columns[0][0]):
        return "equal", "counts of rows"
    rows = shown_rows(answer.columns, answer.table, style)
    if LISTED.match(statement) and len(answer.columns) >= 3:  # Hive tells the names alone
        rows = [r.split("\t")[1] for r in rows]
    got_schema = schema_text([(SPARKS_NAMES.get(n, n), t) for n, t in answer.columns if n != "isMaterialized"]).replace(CATALOG, "spark_catalog")
    got = got_schema + "\n" + "\n".join(rows)
    if want is not None:
        return "no error", got
    if got_schema != schema:
        return "schema", got
    mine, theirs = patched("\n".join(rows)).rstrip("\n"), patched(output).rstrip("\n")
    if schema == DESCRIBED:  # Hive fills its columns up with spaces, and writes no NULL there
        mine, theirs = (re.sub(r"(?m) *(\t|$)", r"\1", t).rstrip() for t in (mine.replace("\tNULL", "\t"), theirs))
    if mine == theirs:
        return "equal", got
    if sorted(mine.split("\n")) == sorted(theirs.split("\n")):
        return ("order" if is_ordered(statement) else "equal"), got
    return "rows", got


# ---- the run ----


def session_settings(jar, name):
    out = {k: v for k, v in settings_of(jar, name).items()}
    out = {("ansi_mode" if k == "spark.sql.ansi.enabled" else k): v for k, v in out.items()}
    if name.startswith("nonansi/"):
        out["ansi_mode"] = "false"
    if name.startswith("timestampNTZ/"):
        out.setdefault("spark.sql.timestampType", "TIMESTAMP_NTZ")
    return out


def run_file(connect, jar, name, note):
    settings = session_settings(jar, name)
    run, style = Session(connect, settings), settings.get("spark.sql.binaryOutputStyle", "UTF-8")
    counts, made = collections.Counter(), False
    for i, (statement, schema, output) in enumerate(statements(jar.read(f"sql-tests/results/{name}.out").decode("utf-8", "replace"))):
        text = sent(statement)
        made |= re.search(r"(?i)\b(create|immediate|rename)\b", text) is not None
        begun = time.monotonic()
        try:
            kind, got = compare(statement, schema, output, run(text), style)
        except OSError as e:
            run = Session(connect, settings)
            kind, got = "lost", str(e)
        counts[kind] += 1
        note(name, i, statement, schema, output, kind, got, time.monotonic() - begun)
    if made:
        clean(run)
    run.close()
    return counts


PAGE = """# SQL: Spark's own tests

How many of the statements of Apache Spark's SQL tests (`sql-tests` of the Maven test archive of spark-sql {version}) have the answer that is
recorded there. Written by `python3 tools/sql_conformance.py`, whose head says what is compared and how.

**{equal:,} of {total:,} statements are equal: {share:.1f} %.**

| | statements |
|---|--:|
{kinds}

- `rows`, `order`, `schema`: other rows, another order, other names or types of columns · `parameters`: the right error class with
  other parameters · `class`: another error class · `error of ours`: an error where Spark has rows · `no error`: the reverse ·
  `lost`: the engine ended, or the statement took too long.
- Never equal here: what asks for the suite's own functions in Python and Scala (`udaf/`, `udtf/`, parts of `udf/`), plans (`explain`), UPDATE and DELETE that Spark refuses for tables of Parquet (most of `scripting/`), errors
  that Spark throws without a class, tables of Hive's kind (`DESCRIBE EXTENDED` of Parquet tables, their UPDATE refused), scripts for `TRANSFORM`.
- Not done, and refused or answered otherwise: views and functions under a `PATH`,
  `spark.sql.timestampType`, Spark's legacy parsers of dates (`datetime-legacy`), the schema of a view checked
  when it is read (`view-schema-*`), outer joins of both sides with a subquery in ON that looks at both.

| file | statements | equal | % |
|---|--:|--:|--:|
{files}
"""


def write_page(path, per_file):
    total = sum((c for c in per_file.values()), collections.Counter())
    n = sum(total.values())
    kinds = "\n".join(f"| {k} | {total[k]:,} |" for k in KINDS)
    files = "\n".join(f"| {f} | {sum(c.values())} | {c['equal']} | {100 * c['equal'] / max(1, sum(c.values())):.0f} |" for f, c in sorted(per_file.items()))
    path.write_text(PAGE.format(version="4.2.0", equal=total["equal"], total=n, share=100 * total["equal"] / n, kinds=kinds, files=files))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", metavar="REGEX")
    p.add_argument("--show", metavar="KIND", nargs="?", const="")
    p.add_argument("--details", metavar="FILE")
    p.add_argument("--page", metavar="FILE", default=str(ROOT / "docs/sql-conformance.md"))
    o = p.parse_args()
    if not JAR.exists():
        raise SystemExit(f"{JAR} is not there: tools/setup --with spark")
    from boathouse import Platform
    jar = zipfile.ZipFile(JAR)
    names = sorted(n[len("sql-tests/results/"):-4] for n in jar.namelist() if n.startswith("sql-tests/results/") and n.endswith(".sql.out"))
    names = [n for n in names if not o.only or re.search(o.only, n)]
    details = open(o.details, "w") if o.details else None

    def note(name, i, statement, schema, output, kind, got, seconds):
        if details:
            details.write(json.dumps({"file": name, "i": i, "sql": statement, "schema": schema, "output": output, "kind": kind, "got": got,
                                      "s": round(seconds, 3)}) + "\n")
        if o.show is not None and kind != "equal" and o.show in ("", kind):
            print(f"--- {name} #{i}: {kind}\n{statement}\n  want {schema}\n{output[:1500]}\n  got  {got[:1500]}\n", flush=True)

    folder, begun, per_file = tempfile.mkdtemp(prefix="boathouse-conformance-"), time.monotonic(), {}
    try:
        with Platform(Path(folder) / "data") as platform:
            first = Session({**platform.connect}, {}, "main")
            for text in (f"CREATE CATALOG {CATALOG}", f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.default", f"USE {CATALOG}.default"):
                first(text)
            make_tables(first, jar)
            for name in names:
                per_file[name] = c = run_file(platform.connect, jar, name, note)
                print(f"{name}: {c['equal']} of {sum(c.values())}" + "".join(f", {k} {c[k]}" for k in KINDS[1:] if c[k]), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    equal, n = sum(c["equal"] for c in per_file.values()), sum(sum(c.values()) for c in per_file.values())
    print(f"{equal} of {n} equal: {100 * equal / max(1, n):.1f} %, in {time.monotonic() - begun:.0f} s")
    if not o.only:
        write_page(Path(o.page), per_file)


if __name__ == "__main__":
    main()
