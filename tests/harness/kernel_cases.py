# SPDX-License-Identifier: Apache-2.0
"""Cases of the Python SQL connector's kernel mode, run by 50-e2e/test_sql_connector_kernel.py where the platform has port 443.

Each function that begins with `case` is one; run() prints a line "name<TAB>passed" or "name<TAB>what went wrong".
"""

import datetime
import decimal
import logging
import os
import sys
import threading
import time
import traceback
import uuid

import databricks.sql as sql
from databricks.sql.exc import DatabaseError, Error, NotSupportedError, ProgrammingError, ServerOperationError
from databricks.sql.parameters import native

LONG = "SELECT count(*) FROM range(0, 1000000000000) WHERE pow(rand(), 2) < 0.5 AND sqrt(id) > 1"


def connect(**more):
    return sql.connect(server_hostname=os.environ["DATABRICKS_HOST"], http_path=os.environ["DATABRICKS_HTTP_PATH"],
                       access_token=os.environ["DATABRICKS_TOKEN"], **{"use_kernel": True, **more})


def rows(text, parameters=None, **more):
    with connect(**more) as db, db.cursor() as c:
        c.execute(text, parameters)
        return [tuple(r) for r in c.fetchall()]


def fails(kind, work):
    try:
        work()
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__}")


def case_a_session_opens_on_the_kernel():
    with connect() as db:
        assert db.open and type(db.session.backend).__name__ == "KernelDatabricksClient"
    assert not db.open


def case_one_row_with_its_names():
    with connect() as db, db.cursor() as c:
        c.execute("SELECT 1 AS n")
        assert c.description[0][:2] == ("n", "int") and [tuple(r) for r in c.fetchall()] == [(1,)]
        table = c.execute("SELECT 1 AS a, 'hi' AS b").fetchall_arrow()
        assert table.num_rows == 1 and table.column_names == ["a", "b"]


def case_results_by_pages():
    with connect() as db, db.cursor() as c:
        assert len(c.execute("SELECT * FROM range(10000)").fetchall()) == 10000
        c.execute("SELECT * FROM range(50)")
        assert [len(c.fetchmany(n)) for n in (10, 20, 100)] == [10, 20, 20]
        assert c.execute("SELECT * FROM range(0)").fetchall() == []


def case_a_large_result_is_read_to_its_end():
    with connect() as db, db.cursor() as c:
        table = c.execute("SELECT id, CAST(id AS STRING) s FROM range(3000000)").fetchall_arrow()
        assert table.num_rows == 3000000 and table.column(1)[2999999].as_py() == str(table.column(0)[2999999].as_py())
        assert [tuple(r) for r in c.execute("SELECT 42 AS n").fetchall()] == [(42,)]


def case_row_limits():
    for limit in (None, 0, 1, 5):
        with connect() as db, db.cursor(row_limit=limit) as c:
            c.execute("SELECT id FROM range(10) ORDER BY id")
            assert [r[0] for r in c.fetchall()] == list(range(10 if limit is None else limit)), limit


def case_logs_reach_python():
    class Kept(logging.Handler):
        def __init__(self):
            super().__init__()
            self.names = []

        def emit(self, record):
            self.names.append((record.name, record.levelno))
    kept, logger = Kept(), logging.getLogger("databricks.sql")
    logger.addHandler(kept)
    import databricks_sql_kernel
    again = getattr(databricks_sql_kernel, "reset_logging", lambda: None)
    try:
        logger.setLevel(logging.DEBUG)
        again()
        rows("SELECT 1")
        assert {"databricks.sql.kernel", "databricks.sql.session"} <= {n for n, _ in kept.names}
        kept.names.clear()
        logger.setLevel(logging.WARNING)
        again()
        rows("SELECT 1")
        assert not [n for n in kept.names if n[1] < logging.WARNING]
    finally:
        logger.removeHandler(kept)


def case_metadata():
    with connect() as db, db.cursor() as c:
        c.catalogs()
        assert {"main", "system"} <= {r[0] for r in c.fetchall()} and c.active_command_id is not None and c.query_id is not None
        c.schemas(catalog_name="main")
        assert {"default", "information_schema"} <= {r[0] for r in c.fetchall()}
        c.tables(catalog_name="system", schema_name="information_schema")
        assert {"tables", "columns"} <= {r.TABLE_NAME for r in c.fetchall()}
        c.columns(catalog_name="system", schema_name="information_schema", table_name="tables")
        assert [r.COLUMN_NAME for r in c.fetchall()][:3] == ["table_catalog", "table_schema", "table_name"]


def case_tables_by_kind():
    end = uuid.uuid4().hex[:8]
    with connect() as db, db.cursor() as c:
        c.execute(f"CREATE TABLE k_t_{end} (n INT, s STRUCT<Name: STRING>)")
        c.execute(f"CREATE VIEW k_v_{end} AS SELECT * FROM k_t_{end}")
        for kind, name in (("VIEW", f"k_v_{end}"), ("TABLE", f"k_t_{end}")):
            c.tables(catalog_name="main", schema_name="default", table_name=f"k_%_{end}", table_types=[kind])
            assert [(r.TABLE_NAME, r.TABLE_TYPE) for r in c.fetchall()] == [(name, kind)]
        c.columns(catalog_name="main", schema_name="default", table_name=f"k_t_{end}")
        assert [(r.COLUMN_NAME, r.DATA_TYPE, r.TYPE_NAME) for r in c.fetchall()] == [("n", 4, "INT"), ("s", 2002, "STRUCT<Name: STRING>")]
        c.execute(f"DROP VIEW k_v_{end}")
        c.execute(f"DROP TABLE k_t_{end}")


def case_metric_views_setting_is_taken():
    with connect(enable_metric_view_metadata=True) as db, db.cursor() as c:
        c.tables()
        assert c.fetchall()


def case_changed_rows():
    end = uuid.uuid4().hex[:8]
    with connect() as db, db.cursor() as c:
        c.execute(f"CREATE TABLE k_r_{end} (n INT)")
        c.execute(f"INSERT INTO k_r_{end} VALUES (1), (2), (3)")
        assert c.rowcount in (3, -1)
        c.execute(f"SELECT count(*) FROM k_r_{end}")
        assert c.fetchall()[0][0] == 3
        c.execute(f"DROP TABLE k_r_{end}")


def case_asynchronous_execution():
    with connect() as db:
        with db.cursor() as c:
            c.execute_async("SELECT 7 AS n")
            c.get_async_execution_result()
            assert [tuple(r) for r in c.fetchall()] == [(7,)]
            known = c.active_command_id
        with db.cursor() as c:
            c.execute_async("SELECT 13 AS n")
            known = c.active_command_id
            with db.cursor() as other:
                other.active_command_id = known
                other.get_async_execution_result()
                assert [tuple(r) for r in other.fetchall()] == [(13,)]


def case_settings_of_a_session():
    assert dict(rows("SET ANSI_MODE", session_configuration={"ANSI_MODE": "false"}))["ANSI_MODE"] == "false"
    assert rows("SELECT current_catalog(), current_schema()", catalog="system", schema="information_schema") == [("system", "information_schema")]


def case_settings_of_a_connection():
    assert rows("SELECT 1", _retry_delay_min=2, _retry_delay_max=30, _retry_stop_after_attempts_count=4, _retry_stop_after_attempts_duration=120) == [(1,)]
    assert rows("SELECT 1", user_agent_entry="kernel-app", http_headers=[("X-Kernel", "yes")]) == [(1,)]
    with connect() as db, db.cursor() as c:
        c.execute("SELECT 1 AS n", query_tags={"team": "platform", "production": None})
        assert c.fetchall()[0][0] == 1


def case_errors_have_their_fields():
    with connect() as db, db.cursor() as c:
        e = fails(DatabaseError, lambda: c.execute("SELECT * FROM definitely_not_a_table"))
        assert isinstance(e, ServerOperationError) and "TABLE_OR_VIEW_NOT_FOUND" in str(e)
        assert (getattr(e, "code", None), getattr(e, "sql_state", None)) == ("SqlError", "42P01")
        assert {"diagnostic-info", "operation-id"} <= set(e.context)
        assert [tuple(r) for r in c.execute("SELECT 1").fetchall()] == [(1,)]


def case_parameters():
    assert rows("SELECT ? AS i, ? AS s, ? AS b", [native.IntegerParameter(42), native.StringParameter("alice"), native.BooleanParameter(True)]) == [
        (42, "alice", True)]
    assert rows("SELECT ? IS NULL", [None]) == [(True,)]
    assert rows("SELECT :n, :s, :b", {"n": 42, "s": "alice", "b": True}) == [(42, "alice", True)]
    assert rows("SELECT :x IS NULL", {"x": None}) == [(True,)]
    assert rows("SELECT ?", [native.DecimalParameter(decimal.Decimal("-123.45"))]) == [(decimal.Decimal("-123.45"),)]
    assert int(rows("SELECT ?", [native.DecimalParameter(decimal.Decimal("1E+2"))])[0][0]) == 100
    india = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    at = rows("SELECT ?", [datetime.datetime(2026, 5, 15, 18, 0, 0, tzinfo=india)])[0][0]
    assert (at.hour, at.minute) == (12, 30)


def case_files_are_refused_by_the_client():
    with connect() as db, db.cursor() as c:
        for head in ("", "-- the daily extract\n"):
            e = fails(NotSupportedError, lambda: c.execute(head + "PUT '/tmp/x.csv' INTO '/Volumes/main/default/v/x.csv'"))
            assert "staging" in str(e)


def case_cancel_ends_a_statement_that_blocks():
    """The client knows the statement's id when the first answer came: after ten seconds."""
    with connect() as db:
        c = db.cursor()

        def later():
            time.sleep(11.5)
            c.cancel()
        thread = threading.Thread(target=later)
        thread.start()
        e = fails(Error, lambda: c.execute(LONG))
        thread.join()
        assert not isinstance(e, ProgrammingError), repr(e)
        c.close()


def case_tls_is_checked():
    fails(Exception, lambda: rows("SELECT 1", _tls_trusted_ca_file=None) if os.environ.pop("SSL_CERT_FILE") else None)
    assert rows("SELECT 1", _tls_trusted_ca_file=os.environ["CA_FILE"]) == [(1,)]
    assert rows("SELECT 1", _tls_no_verify=True) == [(1,)]


def run():
    failed = 0
    for name, work in list(globals().items()):
        if not name.startswith("case_"):
            continue
        try:
            work()
            print(f"{name}\tpassed", flush=True)
        except BaseException:
            failed = 1
            print(f"{name}\t{traceback.format_exc()!r}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(run())
