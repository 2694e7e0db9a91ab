# SPDX-License-Identifier: Apache-2.0
"""Scripts (BEGIN … END) against a running platform: through the Python connector and Statement Execution, on real tables, with the
rights of each statement's moment. What scripts mean is in 10-module/test_engine_scripts.py."""

import threading
import time
import uuid

import pytest

import connector

MANAGED = "TBLPROPERTIES ('delta.feature.catalogManaged' = 'supported')"


@pytest.fixture(scope="module")
def connect(platform):
    return connector.plain(platform)


@pytest.fixture(scope="module")
def schema(connect):
    name = f"main.scripts_{uuid.uuid4().hex[:8]}"
    with connect() as db:
        run(db, f"CREATE SCHEMA {name}")
        yield name
        run(db, f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="module")
def db(connect, schema):
    with connect() as one:
        run(one, f"USE {schema}")
        yield one


def run(db, text, parameters=None):
    with db.cursor() as c:
        c.execute(text, parameters)
        return [tuple(r) for r in c.fetchall()] if c.description else []


def test_a_load_with_a_log(db):
    """What scripts are written for: rows are looked at one by one, good ones kept, bad ones noted."""
    run(db, "CREATE TABLE incoming AS SELECT * FROM VALUES (1, '10'), (2, 'x'), (3, '30'), (4, 'y') AS t(id, amount)")
    got = run(db, """
BEGIN
  DECLARE good, bad INT DEFAULT 0;
  CREATE TABLE loaded (id INT, amount DECIMAL(9, 2));
  CREATE TABLE problems (id INT, why STRING, state STRING);
  FOR r AS SELECT id, amount FROM incoming ORDER BY id DO
    BEGIN
      DECLARE EXIT HANDLER FOR CAST_INVALID_INPUT
      BEGIN
        DECLARE c, s STRING;
        GET DIAGNOSTICS CONDITION 1 c = CONDITION_IDENTIFIER, s = RETURNED_SQLSTATE;
        INSERT INTO problems VALUES (r.id, c, s);
        SET bad = bad + 1;
      END;
      INSERT INTO loaded VALUES (r.id, CAST(r.amount AS DECIMAL(9, 2)));
      SET good = good + 1;
    END;
  END FOR;
  SELECT good, bad;
END""")
    assert got == [(2, 2)]
    assert [r[0] for r in run(db, "SELECT id FROM loaded ORDER BY id")] == [1, 3]
    assert run(db, "SELECT * FROM problems ORDER BY id") == [(2, "CAST_INVALID_INPUT", "22018"), (4, "CAST_INVALID_INPUT", "22018")]


def test_each_statement_commits_by_itself(db, schema, connect):
    run(db, "CREATE TABLE kept (i INT)")
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        run(db, "BEGIN DECLARE i INT DEFAULT 0; WHILE true DO SET i = i + 1; INSERT INTO kept VALUES (i); IF i = 3 THEN SELECT 1 / 0; END IF; END WHILE; END")
    with connect() as other:
        assert run(other, f"SELECT i FROM {schema}.kept ORDER BY i") == [(1,), (2,), (3,)]
        assert [r[0] for r in run(other, f"DESCRIBE HISTORY {schema}.kept")] == [3, 2, 1, 0]


def test_atomic_with_control(db):
    run(db, f"CREATE TABLE a (i INT) {MANAGED}")
    run(db, f"CREATE TABLE b (i INT) {MANAGED}")
    body = "DECLARE n INT DEFAULT 0; WHILE n < 3 DO SET n = n + 1; INSERT INTO a VALUES (n); IF n %% 2 = 1 THEN INSERT INTO b VALUES (n); END IF; END WHILE;"
    body = body.replace("%%", "%")
    with pytest.raises(Exception, match="no more"):
        run(db, f"BEGIN ATOMIC {body} SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no more'; END")
    assert run(db, "SELECT count(*) FROM a") == [(0,)] and run(db, "SELECT count(*) FROM b") == [(0,)]
    assert run(db, f"BEGIN ATOMIC {body} SELECT count(*), sum(i) FROM a; END") == [(3, 6)]
    assert run(db, "SELECT i FROM b ORDER BY i") == [(1,), (3,)]
    # A block that is one transaction within a script that is none: the handler sees it rolled back.
    got = run(db, """BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION SELECT count(*) FROM a;
  BEGIN ATOMIC INSERT INTO a VALUES (10); INSERT INTO b VALUES (1 / 0); END;
END""")
    assert got == [(3,)]
    assert run(db, "BEGIN BEGIN ATOMIC INSERT INTO a VALUES (11); INSERT INTO b VALUES (11); END; INSERT INTO a VALUES (12); SELECT sum(i) FROM a; END") == [(29,)]
    assert run(db, "SELECT 1") == [(1,)]


def test_immediate_variables_and_types(db):
    got = run(db, """BEGIN
  DECLARE names ARRAY<STRING> DEFAULT array('p', 'q');
  DECLARE total DECIMAL(10, 2) DEFAULT 0;
  DECLARE i, found INT DEFAULT 0;
  WHILE i < size(names) DO
    EXECUTE IMMEDIATE 'CREATE OR REPLACE TABLE made_' || names[i] || ' AS SELECT ? AS v' USING i + 1;
    EXECUTE IMMEDIATE 'SELECT v FROM made_' || names[i] INTO found;
    SET total = total + found + 0.5, i = i + 1;
  END WHILE;
  SELECT total, i, names;
END""")
    assert [(str(a), b, list(c)) for a, b, c in got] == [("4.00", 2, ["p", "q"])]


def test_parameters(db):
    assert run(db, "BEGIN IF :n > 10 THEN SELECT 'many'; ELSE SELECT 'few', :n; END IF; END", {"n": 4}) == [("few", 4)]
    with pytest.raises(Exception, match="SQL_SCRIPTING_WITH_POSITIONAL_PARAMETERS"):
        run(db, "BEGIN SELECT ?; END", [4])


def test_no_rows_no_result(db):
    with db.cursor() as c:
        c.execute("BEGIN DECLARE x INT; SET x = 1; END")
        assert not c.description or c.fetchall() == []


def test_the_other_door_and_the_history(platform, sdk):
    warehouse = platform.connect["DATABRICKS_WAREHOUSE_ID"]
    text = f"BEGIN DECLARE s INT DEFAULT 0; FOR r AS SELECT id FROM range(4) DO SET s = s + r.id; END FOR; SELECT s AS total, '{uuid.uuid4().hex}' AS mark; END"
    got = sdk.statement_execution.execute_statement(text, warehouse, wait_timeout="30s")
    assert got.status.state.value == "SUCCEEDED" and got.result.data_array[0][0] == "6"
    assert [c.name for c in got.manifest.schema.columns] == ["total", "mark"]
    end = time.monotonic() + 20
    rows = []
    while not rows and time.monotonic() < end:
        rows = [q for q in sdk.query_history.list(max_results=100).res or [] if q.query_text == text]
    assert [(q.status.value, q.rows_produced) for q in rows] == [("FINISHED", 1)]  # one row for all of it


def test_cancel_of_an_endless_loop(connect, schema):
    with connect() as db:
        run(db, f"USE {schema}")
        run(db, "CREATE TABLE beats (i BIGINT)")
        with db.cursor() as c:
            failed = []

            def forever():
                try:
                    c.execute("BEGIN DECLARE i BIGINT DEFAULT 0; DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; "
                              "LOOP SET i = i + 1; IF i % 50 = 1 THEN INSERT INTO beats VALUES (i); END IF; END LOOP; END")
                except Exception as e:
                    failed.append(e)
            t = threading.Thread(target=forever)
            t.start()
            end = time.monotonic() + 60
            while run(db, "SELECT count(*) FROM beats") < [(2,)]:
                assert time.monotonic() < end and t.is_alive(), failed
            c.cancel()
            t.join(60)
            assert not t.is_alive() and failed
        n = run(db, "SELECT count(*) FROM beats")
        time.sleep(0.5)
        assert run(db, "SELECT count(*) FROM beats") == n  # it is over


def test_rights_are_asked_for_each_statement(platform, connect, schema, db):
    run(db, "CREATE TABLE open_one AS SELECT 1 AS i")
    run(db, "CREATE TABLE shut AS SELECT 2 AS i")
    name, client = platform.another("scripts")
    platform.request("PATCH", f"/api/2.0/permissions/warehouses/{platform.connect['DATABRICKS_WAREHOUSE_ID']}",
                     {"access_control_list": [{"service_principal_name": name, "permission_level": "CAN_USE"}]})
    for what in ("USE CATALOG ON CATALOG main", f"USE SCHEMA ON SCHEMA {schema}", f"SELECT ON TABLE {schema}.open_one"):
        run(db, f"GRANT {what} TO `{name}`")
    token = client.config.authenticate()["Authorization"].split()[1]
    with connect(access_token=token) as other:
        run(other, f"USE {schema}")
        assert run(other, "BEGIN SELECT i FROM open_one; END") == [(1,)]
        got = run(other, "BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '42501' SELECT 'refused'; SELECT i FROM open_one; SELECT i FROM shut; END")
        assert got == [("refused",)]
        with pytest.raises(Exception, match="INSUFFICIENT_PERMISSIONS|PERMISSION"):
            run(other, "BEGIN IF (SELECT max(i) FROM shut) > 0 THEN SELECT 1; END IF; END")


# ---- commands as relations, temporary views among tables ----

def test_commands_in_from(db):
    run(db, "CREATE TABLE told (a INT, b STRING)")
    run(db, "INSERT INTO told VALUES (1, 'x'), (2, 'y')")
    assert run(db, "SELECT version, operation, operationMetrics['numOutputRows'] FROM (DESCRIBE HISTORY told) ORDER BY version") == [
        (0, "CREATE TABLE", None), (1, "WRITE", "2")]
    assert run(db, "SELECT h.operation FROM (DESCRIBE HISTORY told) AS h WHERE h.timestamp > current_timestamp() - INTERVAL 1 HOUR AND h.version = 1") == [("WRITE",)]
    assert run(db, "SELECT numFiles FROM (DESCRIBE DETAIL told)") == [(1,)]
    assert run(db, "SELECT col_name FROM (DESCRIBE TABLE told) WHERE data_type = 'int'") == [("a",)]
    assert run(db, "SELECT count(*) FROM (SHOW TABLES LIKE 'told') s JOIN (SHOW CATALOGS) c ON c.catalog = 'main'") == [(1,)]
    assert run(db, "BEGIN DECLARE n BIGINT; SET n = (SELECT max(version) FROM (DESCRIBE HISTORY told)); SELECT n; END") == [(1,)]
    for bad in ("CREATE VIEW never AS SELECT * FROM (SHOW TABLES)", "SELECT * FROM (DROP TABLE told)", "SELECT * FROM (SHOW TABLES IN nowhere_at_all)"):
        with pytest.raises(Exception, match="UNSUPPORTED_FEATURE|PARSE_SYNTAX_ERROR|SCHEMA_NOT_FOUND"):
            run(db, bad)
    assert run(db, "SELECT count(*) FROM told") == [(2,)]


def test_temporary_views_are_listed(db, schema):
    short = schema.split(".")[1]
    run(db, "CREATE TEMPORARY VIEW passing AS SELECT 1 AS one")
    run(db, "CREATE VIEW staying AS SELECT 2 AS two")
    assert (short, "staying", False) in run(db, "SHOW TABLES LIKE 'pass*|stay*'") and ("", "passing", True) in run(db, "SHOW TABLES")
    assert run(db, "SHOW VIEWS LIKE 'pass*|stay*'") == [(short, "staying", False, False), ("", "passing", True, False)]
    assert run(db, "SELECT tableName FROM (SHOW TABLES) WHERE isTemporary") == [("passing",)]
    run(db, "DROP VIEW passing")
    assert run(db, "SHOW VIEWS LIKE 'pass*'") == []


# ---- collations of columns ----

def test_collations_of_columns(db):
    run(db, "CREATE TABLE words (a STRING COLLATE UTF8_LCASE, b STRING, c STRING COLLATE UTF8_BINARY, d ARRAY<STRING>, e STRUCT<f: STRING>) DEFAULT COLLATION UNICODE_CI")
    run(db, "INSERT INTO words VALUES ('a', 'B', 'x', array('q'), struct('Z')), ('A', 'b', 'X', array('Q'), struct('z')), ('c', 'd', 'y', array('r'), struct('w'))")
    assert [r[1] for r in run(db, "DESCRIBE words")] == ["string collate UTF8_LCASE", "string collate UNICODE_CI", "string", "array<string collate UNICODE_CI>",
                                                        "struct<f:string collate UNICODE_CI>"]
    assert run(db, "SELECT count(*) FROM words WHERE a = 'A'") == [(2,)] and run(db, "SELECT count(*) FROM words WHERE b IN ('B')") == [(2,)]
    assert run(db, "SELECT count(*) FROM words WHERE c = 'x'") == [(1,)] and run(db, "SELECT count(*) FROM words WHERE e.f = 'Z'") == [(2,)]
    assert run(db, "SELECT lower(a), count(*) FROM words GROUP BY a ORDER BY a") == [("a", 2), ("c", 1)]
    assert run(db, "SELECT count(DISTINCT a), count(DISTINCT b), count(DISTINCT c), lower(max(a)) FROM words") == [(2, 2, 3, "c")]
    assert len(run(db, "SELECT DISTINCT b FROM words")) == 2
    assert sorted(run(db, "SELECT c, count(*) OVER (PARTITION BY a) FROM words")) == [("X", 2), ("x", 2), ("y", 1)]
    assert run(db, "SELECT count(*) FROM words x JOIN words y ON x.a = y.a") == [(5,)]
    assert sorted(r[0].lower() for r in run(db, "SELECT a FROM words UNION SELECT a FROM words")) == ["a", "c"]
    # It is the table's: in copies, views, changes and the log.
    run(db, "CREATE TABLE copied AS SELECT * FROM words")
    run(db, "CREATE VIEW words_seen AS SELECT a, b FROM words")
    assert run(db, "DESCRIBE copied")[1][1] == "string collate UNICODE_CI" and run(db, "SELECT count(*) FROM words_seen WHERE a = 'A' AND b = 'b'") == [(2,)]
    run(db, "UPDATE words SET c = 'seen' WHERE a = 'A'")
    run(db, "MERGE INTO copied t USING (SELECT 'A' AS k) s ON t.a = s.k WHEN MATCHED THEN DELETE")
    assert run(db, "SELECT count(*) FROM words WHERE c = 'seen'") == [(2,)] and run(db, "SELECT count(*) FROM copied") == [(1,)]
    run(db, "ALTER TABLE words ADD COLUMN z STRING COLLATE UNICODE_AI")
    run(db, "INSERT INTO words (a, z) VALUES ('n', 'é')")
    assert run(db, "SELECT collation(z), count(*) FROM words WHERE z = 'e' GROUP BY ALL") == [("SYSTEM.BUILTIN.UNICODE_AI", 1)]
    with pytest.raises(Exception, match="COLLATION_INVALID_NAME"):
        run(db, "CREATE TABLE never (a STRING COLLATE nope_x)")


# ---- what is refused before it runs ----

def test_functions_are_checked_when_made(db, schema):
    run(db, "CREATE FUNCTION twice(a INT) RETURNS INT RETURN 2 * a")
    run(db, "CREATE FUNCTION four(a INT) RETURNS INT RETURN twice(twice(a))")
    run(db, "CREATE FUNCTION shadow(a INT, b INT) RETURNS STRING RETURN SELECT concat(a, '/', b, '/', shadow.b) FROM VALUES (7) AS t(b)")
    assert run(db, "SELECT four(5), shadow(1, 2)") == [(20, "1/7/2")]
    for text, cls in (("CREATE FUNCTION w(a INT) RETURNS INT RETURN b + 1", "UNRESOLVED_COLUMN"),
                      ("CREATE FUNCTION w(a INT) RETURNS INT RETURN no_such(a)", "UNRESOLVED_ROUTINE"),
                      ("CREATE FUNCTION w() RETURNS INT RETURN SELECT x FROM no_such_table", "TABLE_OR_VIEW_NOT_FOUND"),
                      ("CREATE FUNCTION w() RETURNS INT RETURN (SELECT 1, 2)", "INVALID_SUBQUERY_EXPRESSION"),
                      ("CREATE FUNCTION w() RETURNS TABLE (a INT) RETURN SELECT 1, 2", "RETURN_COLUMN_COUNT_MISMATCH"),
                      ("CREATE FUNCTION w() RETURNS TABLE (a INT) RETURN 1", "SQL_TABLE_UDF_BODY_MUST_BE_A_QUERY"),
                      ("CREATE FUNCTION w(a INT, A INT) RETURNS INT RETURN 1", "DUPLICATE_ROUTINE_PARAMETER_NAMES"),
                      ("CREATE FUNCTION w() RETURNS TABLE (a INT, A INT) RETURN SELECT 1, 2", "DUPLICATE_ROUTINE_RETURNS_COLUMNS"),
                      ("CREATE FUNCTION w(a INT NOT NULL) RETURNS INT RETURN 1", "NOT_NULL_ON_FUNCTION_PARAMETERS"),
                      ("CREATE FUNCTION w(a INT DEFAULT 1, b INT) RETURNS INT RETURN 1", "NOT_A_VALID_DEFAULT_PARAMETER_POSITION"),
                      ("CREATE FUNCTION w(a INT DEFAULT (SELECT 1)) RETURNS INT RETURN 1", "NOT_A_VALID_DEFAULT_EXPRESSION"),
                      ("CREATE FUNCTION w(a INT DEFAULT array(1)) RETURNS INT RETURN a", "CAST_WITHOUT_SUGGESTION"),
                      ("CREATE OR REPLACE FUNCTION twice(a INT) RETURNS INT RETURN four(a)",
                       f"CYCLIC_FUNCTION_REFERENCE.*{schema}.twice -> {schema}.four -> {schema}.twice")):
        with pytest.raises(Exception, match=cls):
            run(db, text)
    assert run(db, "SELECT four(5)") == [(20,)]


def test_what_execute_immediate_takes(db):
    for text, cls in (("EXECUTE IMMEDIATE 7", "INVALID_EXPR_TYPE_FOR_QUERY_EXECUTE_IMMEDIATE"),
                      ("EXECUTE IMMEDIATE CAST(NULL AS STRING)", "NULL_QUERY_STRING_EXECUTE_IMMEDIATE"),
                      ("EXECUTE IMMEDIATE 'SELECT :a' USING 1", "ALL_PARAMETERS_MUST_BE_NAMED"),
                      ("EXECUTE IMMEDIATE 'SELECT :a, ?' USING 1 AS a, 2 AS b", "INVALID_QUERY_MIXED_QUERY_PARAMETERS"),
                      ("EXECUTE IMMEDIATE 'SELECT ?' USING (SELECT 1)", "UNSUPPORTED_EXPR_FOR_PARAMETER")):
        with pytest.raises(Exception, match=cls):
            run(db, text)
    assert run(db, "EXECUTE IMMEDIATE 'SELECT ? + 1' USING 4") == [(5,)]
    assert run(db, "EXECUTE IMMEDIATE 'SELECT :a + 1' USING 6 AS a") == [(7,)]


# ---- SET PATH ----

def test_path(db, schema, connect):
    with connect() as one:
        run(one, f"CREATE SCHEMA {schema}_a")
        run(one, f"CREATE SCHEMA {schema}_b")
        run(one, f"CREATE TABLE {schema}_a.found AS SELECT 1 AS id")
        run(one, f"CREATE TABLE {schema}_b.found AS SELECT 2 AS id")
        run(one, f"CREATE FUNCTION {schema}_b.pick() RETURNS INT RETURN 7")
        run(one, f"USE {schema}")
        assert run(one, "SELECT current_path()") == [(f"system.builtin,system.session,{schema}",)]
        assert run(one, f"SET PATH = {schema}_a, {schema}_b, system.builtin") == []
        assert run(one, "SELECT id, current_path() FROM found") == [(1, f"{schema}_a,{schema}_b,system.builtin")]
        assert run(one, "SELECT pick()") == [(7,)]
        run(one, f"SET PATH = {schema}_b, system.builtin")
        assert run(one, "SELECT id FROM found") == [(2,)] and run(one, f"SELECT id FROM {schema}_a.found") == [(1,)]
        run(one, "SET PATH = PATH, current_schema")
        assert run(one, "SELECT current_path") == [(f"{schema}_b,system.builtin,{schema}",)]
        with pytest.raises(Exception, match="UNSUPPORTED_FEATURE"):
            run(one, "CREATE VIEW by_path AS SELECT id FROM found")
        run(one, "SET PATH = SYSTEM_PATH, CURRENT_SCHEMA")
        with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
            run(one, "SELECT id FROM found")
        for text, cls in (("PATH, PATH", "DUPLICATE_SQL_PATH_ENTRY"), ("one_part", "INVALID_SQL_PATH_SCHEMA_REFERENCE"), ("'text'", "PARSE_SYNTAX_ERROR")):
            with pytest.raises(Exception, match=cls):
                run(one, f"SET PATH = {text}")
        run(one, "SET PATH = DEFAULT_PATH")
        assert run(one, "SELECT current_path()") == [(f"system.builtin,system.session,{schema}",)]
        run(one, f"DROP SCHEMA {schema}_a CASCADE")
        run(one, f"DROP SCHEMA {schema}_b CASCADE")
