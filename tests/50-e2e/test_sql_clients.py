# SPDX-License-Identifier: Apache-2.0
"""Real SQL drivers against a warehouse: the Python connector's Thrift door, JDBC, and the acceptance drivers beside the checkout."""

import datetime
import decimal
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
from cryptography import x509

import connector
from test_drivers import DRIVERS, drive

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
JAR = ROOT / ".deps/jdbc/databricks-jdbc.jar"


def warehouse(platform):
    return next(iter(platform.sdk().warehouses.list())).id


@pytest.fixture(scope="module")
def connect(platform):
    return connector.plain(platform)


def rows(connection, text, parameters=None):
    with connection.cursor() as c:
        c.execute(text, parameters)
        return [tuple(r) for r in c.fetchall()]


def test_values_names_and_types(connect):
    with connect() as db, db.cursor() as c:
        c.execute("SELECT 1 AS a, 2.50 + 1, 'x' || 'y', DATE'2024-01-02', CAST(NULL AS BIGINT) n, array(1, 2) l, true")
        assert [d[:2] for d in c.description] == [
            ("a", "int"), ("(2.50 + 1)", "decimal"), ("concat(x, y)", "string"), ("DATE '2024-01-02'", "date"), ("n", "bigint"),
            ("l", "array"), ("true", "boolean")]
        row = c.fetchone()
        assert row[:5] == (1, decimal.Decimal("3.50"), "xy", datetime.date(2024, 1, 2), None)
        assert list(row[5]) == [1, 2] and row[6] is True
        c.execute("SELECT current_version()")  # as ibis asks when it connects
        version = c.fetchone()[0]
        assert version["dbr_version"] is None and version["dbsql_version"].startswith("20") and set(version) >= {"u_build_hash", "r_build_hash"}


def test_without_arrow_the_same(connect, monkeypatch):
    """Column sets, as a connector without pyarrow asks for."""
    import databricks.sql.backend.thrift_backend as backend

    monkeypatch.setattr(backend, "pyarrow", None)
    with connect() as db:
        got = rows(db, "SELECT 1 a, CAST(2.5 AS DOUBLE) d, CAST(1.25 AS DECIMAL(5,2)) m, 's' s, CAST(NULL AS INT) n FROM range(3)")
    assert len(got) == 3
    assert got[0][0] == 1 and got[0][1] == 2.5 and got[0][3] == "s" and got[0][4] is None
    assert decimal.Decimal(str(got[0][2])) == decimal.Decimal("1.25")


def test_large_results_by_link_and_inline(connect):
    text = "SELECT id, repeat('x', 50) t FROM range(300000)"
    for links in (True, False):
        with connect(use_cloud_fetch=links) as db, db.cursor() as c:
            c.execute(text)
            table = c.fetchall_arrow()
            assert table.num_rows == 300000
            assert sum(table.column("id").to_pylist()) == 300000 * 299999 // 2
            assert table.column("t")[299999].as_py() == "x" * 50


def test_pages_of_a_large_result(connect):
    with connect() as db, db.cursor() as c:
        c.execute("SELECT id FROM range(250000)")
        got = []
        while page := c.fetchmany(70001):
            got += [r[0] for r in page]
    assert sorted(got) == list(range(250000))


def test_a_long_query_is_canceled(connect):
    from databricks.sql.exc import Error

    with connect() as db, db.cursor() as c:
        timer = threading.Timer(2.5, c.cancel)
        timer.start()
        began = time.monotonic()
        with pytest.raises(Error):
            c.execute("SELECT count(*) FROM range(100000000) a CROSS JOIN range(1000000) b WHERE a.id % 7 = b.id % 11")
            c.fetchall()
        assert time.monotonic() - began < 60
        timer.join()
        assert rows(db, "SELECT 1") == [(1,)]


def test_errors_name_class_state_and_place(connect):
    from databricks.sql.exc import ServerOperationError

    with connect() as db:
        with pytest.raises(ServerOperationError) as e:
            rows(db, "SELECT 1 +\n )")
        assert "[PARSE_SYNTAX_ERROR]" in str(e.value) and "SQLSTATE: 42601 (line 2, pos" in str(e.value) and "^^^" in str(e.value)
        with pytest.raises(ServerOperationError) as e:
            rows(db, "SELECT 1 / 0")
        assert "[DIVIDE_BY_ZERO]" in str(e.value) and "22012" in str(e.value)
        with pytest.raises(ServerOperationError) as e:
            rows(db, "SELECT * FROM no_such_table")
        assert "[TABLE_OR_VIEW_NOT_FOUND]" in str(e.value) and "no_such_table" in str(e.value)


def test_another_user_cannot_use_a_handle(platform, connect, u):
    """A session is its user's own, whoever knows its handle."""
    import databricks.sql.exc

    _, other = platform.another(f"sql-{u}")
    token = other.config.authenticate()["Authorization"].removeprefix("Bearer ")
    with connect() as mine, connect(access_token=token) as theirs:
        assert rows(theirs, "SELECT 1") == [(1,)]
        own, theirs.session._session_id = theirs.session._session_id, mine.session._session_id
        with pytest.raises(databricks.sql.exc.Error):
            rows(theirs, "SELECT 1")
        theirs.session._session_id = own
        assert rows(mine, "SELECT 1") == [(1,)]


def test_the_mark_of_a_view_stays_inside(connect, u):
    """What carries a view's rights to the resolver is not shown, and nobody can write it."""
    import databricks.sql.exc

    with connect() as db:
        rows(db, f"CREATE SCHEMA main.m_{u}")
        rows(db, f"CREATE VIEW main.m_{u}.v AS SELECT current_catalog() c")
        assert rows(db, f"SELECT c FROM main.m_{u}.v") == [("main",)]
        for name in (f"`main\x01v1.00`.m_{u}.v", f"IDENTIFIER('main\\u0001v1.00.m_{u}.v')",
                     f"IDENTIFIER('`main\\u0001v1.00`').m_{u}.v"):
            with pytest.raises(databricks.sql.exc.Error) as e:
                rows(db, f"SELECT * FROM {name}")
            assert "PARSE_SYNTAX_ERROR" in str(e.value) or "INVALID_IDENTIFIER" in str(e.value)
        rows(db, f"DROP SCHEMA main.m_{u} CASCADE")
    with pytest.raises(databricks.sql.exc.Error):
        connect(catalog="main\x01v1.00")


def sum_of_hashes(platform):
    """What the programs' step "random" adds up."""
    got = platform.request("POST", "/api/2.0/sql/statements", {"warehouse_id": warehouse(platform), "wait_timeout": "50s",
                                                               "statement": "SELECT sum(pmod(xxhash64(id), 1000)) FROM range(100000)"}).json()
    return int(got["result"]["data_array"][0][0])


def jdbc(platform, program, *arguments, more="ssl=0", port=None):
    """What a program of harness/jdbc prints: {step: what came}."""
    if not JAR.exists() or not shutil.which("java"):
        pytest.skip("no JDBC driver or no java")
    url = (f"jdbc:databricks://localhost:{port or platform.http_port}/default;transportMode=http;AuthMech=3;{more};"
           f"httpPath=/sql/1.0/warehouses/{warehouse(platform)}")
    done = subprocess.run(["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp", JAR, ROOT / f"tests/harness/jdbc/{program}.java",
                           url, platform.token, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)


def test_jdbc(platform):
    """The official JDBC driver over plain HTTP: types, parameters, links, cancel, errors, tables, metadata."""
    got = jdbc(platform, "JdbcSession", "tables")
    assert got["column types"] == ("b:BOOLEAN t:TINYINT s:SMALLINT i:INT l:BIGINT f:FLOAT d:DOUBLE m:DECIMAL(10,2) st:STRING dt:DATE "
                                   "ts:TIMESTAMP bin:BINARY a:ARRAY<INT> st2:STRUCT<p: INT NOT NULL> mp:MAP<STRING, INT> n:INT"), got
    assert got["values"].startswith("true 1 2 3 4 1.5 2.5 1.25 x 2024-01-02 2024-01-02 03:04:05.5 2 [1,2]"), got
    assert got["parameters"] == "42,it's,1.25;"
    assert got["large"] == f"1000000 {1000000 * 999999 // 2}" and got["row 777777"] == "row 777776"
    assert got["random"] == "100000 %d" % sum_of_hashes(platform)
    assert got["cancel"] == "canceled"
    assert got["error"] == "42703 true"
    assert (got["insert"], got["update"]) == ("2", "1")
    assert got["rows"] == "1,a,1.50;2,z,2.50;"
    assert got["getTables"] == "main.default.jdbc_t TABLE"
    assert got["getColumns"] == "id 4 10;name 12 255;price 3 10;"
    assert got["getSchemas"].startswith("default,main")


JDBC_EMPTY = ("procedures", "procedure columns", "index info", "best row", "version columns", "column privileges", "table privileges", "attributes",
              "udts", "super tables", "super types", "pseudo columns", "no tables")


@pytest.mark.parametrize("how", ["thrift", "sea"])
def test_jdbc_metadata_batches_and_limits(platform, u, how):
    """Every metadata call of JDBC, executeBatch(), limits of rows and time; by Thrift and by Statement Execution."""
    s = f"jm_{u}"
    got = jdbc(platform, "JdbcMetadata", s, more="ssl=0" + (";UseThriftClient=0" if how == "sea" else ""))
    assert not [step for step, what in got.items() if what.startswith("FAILED")], got
    assert {step: got[step] for step in JDBC_EMPTY} == dict.fromkeys(JDBC_EMPTY, "0 rows")
    assert {"main", "system"} <= set(got["catalogs"].split(";")) and got["schemas"] == f"main,{s};"
    assert got["table types"] == "SYSTEM TABLE;TABLE;VIEW;" and got["views"] == "both;"
    assert got["tables"] == "child,TABLE,;parent,TABLE,the parents;both,VIEW,;"
    digits = 9 if how == "thrift" else 0
    assert got["columns"] == ("id,-5,BIGINT,19,0,YES,1,;p_id,4,INT,10,0,YES,2,;price,3,DECIMAL,7,2,YES,3,in euro;v,12,VARCHAR,20,0,YES,4,;"
                              f"a,12,ARRAY<STRING>,255,0,YES,5,;s,12,STRUCT<Name: STRING, n: INT>,255,0,YES,6,;at,93,TIMESTAMP,29,{digits},YES,7,;")
    assert got["columns by pattern"] == "p_id;"
    assert got["primary keys"] == "parent,id,1,parent_pk;" and got["imported keys"] == "parent,id,child,p_id,child_fk;"
    assert got["cross reference"] == "id,p_id;"
    assert got["functions"] == "twice;" and got["type info"] == "true" and got["product"] == "SparkSQL true ` ."
    assert got["catalog and schema"] == f"main.{s} true"
    assert (got["batch"], got["batch of texts"], got["after the batches"]) == ("[1, 1, 1]", "[1, 2, 1]", "1,x;2,x;10,ten;")
    assert (got["most rows"], got["fetch size"], got["nothing"], got["time limit"]) == ("7", "123456", "0", "stopped")
    assert got["time zone"] == "2022-03-02 12:54:56 +01:00" and got["shape of a prepared statement"] == "2 INT x"


def test_sql_driver(platform):
    drive(platform, "drive_sql.py", "--warehouse", warehouse(platform))


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    from boathouse import Platform

    with Platform(tmp_path_factory.mktemp("tls") / "data", https=True) as p:
        yield p


def test_sql_driver_over_tls(tls):
    """Thrift and Statement Execution over TLS."""
    one = warehouse(tls)
    plain, tls.http_port = tls.http_port, tls.https_port
    try:
        drive(tls, "drive_sql.py", "--tls", "--ca", tls.connect["SSL_CERT_FILE"], "--warehouse", one)
    finally:
        tls.http_port = plain


def test_node_driver(tls):
    modules = ROOT / ".deps/node/node_modules"
    if not (DRIVERS / "drive_node.js").exists() or not shutil.which("node") or not modules.exists():
        pytest.skip("no drive_node.js, node or @databricks/sql")
    done = subprocess.run(["node", "drive_node.js", "--host", "localhost", "--port", str(tls.https_port), "--token", tls.token, "--path",
                           f"/sql/1.0/warehouses/{warehouse(tls)}"], cwd=DRIVERS, capture_output=True, text=True, timeout=200,
                          env={**os.environ, "NODE_PATH": str(modules), "NODE_EXTRA_CA_CERTS": tls.connect["NODE_EXTRA_CA_CERTS"]})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_node_session(tls, u):
    """@databricks/sql: values, parameters, metadata, large results, cancel."""
    modules = ROOT / ".deps/node/node_modules"
    if not shutil.which("node") or not modules.exists():
        pytest.skip("no node or no @databricks/sql")
    done = subprocess.run(["node", ROOT / "tests/harness/node/session.js", str(tls.https_port), tls.token, f"/sql/1.0/warehouses/{warehouse(tls)}", f"n_{u}"],
                          capture_output=True, text=True, timeout=200,
                          env={**os.environ, "NODE_PATH": str(modules), "NODE_EXTRA_CA_CERTS": tls.connect["NODE_EXTRA_CA_CERTS"]})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    got = {name: json.loads(what) for name, what in (line.split("\t", 1) for line in done.stdout.splitlines())}
    assert not [name for name, what in got.items() if str(what).startswith("FAILED")], got
    value, = got["values"]
    assert [value[n] for n in "btsilfdm"] == [True, 1, 2, 3, 4, 1.5, 2.5, 1.25] and (value["st"], value["n"]) == ("it's", None)
    assert value["dt"].startswith("2024-01-02") and value["ts"] == "2024-01-02T02:04:05.500Z"  # Amsterdam
    assert (value["a"], value["o"], value["mp"]) == ([1, 2], {"p": 1}, {"k": 1})
    assert got["names_and_types"] == [["a", 3], ["b", 15]]
    named, = got["named_parameters"]
    assert (named["i"], named["s"], named["d"], named["n"], named["x"]) == (5, "it's", 1.5, None, 1.25) and named["t"].startswith("2024-01-02")
    assert got["ordinal_parameters"] == [{"a": 7, "b": "x"}]
    assert got["large"] == [300000, 300000 * 299999 // 2] and got["large_inline"] == 100000
    assert got["random"] == [100000, sum_of_hashes(tls)]
    assert got["table"] == [{"id": 1, "name": "a", "s": {"Name": "x"}}, {"id": 2, "name": None, "s": None}]
    assert ["main"] in got["catalogs"] and got["schemas"] == [["main", f"n_{u}"]] and got["tables"] == [["t", "TABLE"]]
    assert got["columns"] == [["id", 4, "INT", 0], ["name", 12, "STRING", 1], ["s", 2002, "STRUCT<Name: STRING>", 1]]
    assert got["table_types"] == [["SYSTEM TABLE"], ["TABLE"], ["VIEW"]] and got["functions"] == [["twice"]] and got["primary_keys"] == []
    assert got["type_info"] == ["DECIMAL", "INT", "STRING"] and got["info"] == "Spark SQL"
    assert "UNRESOLVED_COLUMN" in got["error"][0] and "no_such_column" in got["error"][0] and got["error"][1] == 1
    said, after = got["cancel"]
    assert (said == [] or "cancel" in said) and after == 1  # whichever the driver sees first


def test_jdbc_over_tls_with_its_default_checks(tls, tmp_path):
    """The certificate names a revocation list that we serve: nothing has to be turned off."""
    if not shutil.which("keytool"):
        pytest.skip("no keytool")
    trust = tmp_path / "trust.p12"
    subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "bh", "-file", tls.connect["NODE_EXTRA_CA_CERTS"], "-keystore", trust, "-storetype",
                    "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
    got = jdbc(tls, "JdbcSession", more=f"ssl=1;SSLTrustStore={trust};SSLTrustStorePwd=changeit", port=tls.https_port)
    assert got["large"] == f"1000000 {1000000 * 999999 // 2}" and got["cancel"] == "canceled"
    answer = requests.get(tls.url + "/tls/ca.crl", timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pkix-crl")
    crl = x509.load_der_x509_crl(answer.content)
    assert len(crl) == 0 and crl.is_signature_valid(x509.load_pem_x509_certificate(Path(tls.connect["NODE_EXTRA_CA_CERTS"]).read_bytes()).public_key())


def test_links_behind_a_proxy(make_platform):
    """net.public_url: what links and discovery name, whatever door a request came by."""
    p = make_platform(settings={"net.public_url": "https://sql.example.com/"})
    p.start()
    one = warehouse(p)
    assert p.request("GET", "/.well-known/databricks-config", token="").json()["oidc_endpoint"] == "https://sql.example.com/oidc"
    door = p.request("GET", f"/api/2.0/sql/warehouses/{one}").json()
    assert door["odbc_params"] == {"hostname": "sql.example.com", "path": f"/sql/1.0/warehouses/{one}", "protocol": "https", "port": 443}
    got = p.request("POST", "/api/2.0/sql/statements", {"warehouse_id": one, "statement": "SELECT 1 AS a", "disposition": "EXTERNAL_LINKS",
                                                       "format": "JSON_ARRAY", "wait_timeout": "30s"}).json()
    link = got["result"]["external_links"][0]["external_link"]
    assert link.startswith("https://sql.example.com/api/2.0/sql/results/")
    assert requests.get(link.replace("https://sql.example.com", p.url), timeout=30).json() == [["1"]]


def test_dbt_driver(tls):
    """debug, seed, run twice, snapshot twice, test, docs."""
    dbt = ROOT / ".deps/py/dbt/bin"
    if not (DRIVERS / "drive_dbt.py").exists() or not (dbt / "dbt").exists():
        pytest.skip("no drive_dbt.py or no dbt")
    done = subprocess.run([dbt / "python", "drive_dbt.py", "--host", "localhost", "--port", str(tls.https_port), "--token", tls.token, "--tls",
                           "--ca", tls.connect["SSL_CERT_FILE"], "--dbt", dbt / "dbt", "--warehouse", warehouse(tls)], cwd=DRIVERS,
                          capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
