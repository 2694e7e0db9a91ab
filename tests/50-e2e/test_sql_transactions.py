# SPDX-License-Identifier: Apache-2.0
"""Transactions over catalog-managed tables: through the Python connector (whose own cases have a counterpart of the same name
here) and by SQL; conflicts of two sessions, snapshots over several tables, what a transaction refuses."""

import glob
import json
import os
import time
import uuid

import pytest

import connector

MANAGED = "TBLPROPERTIES ('delta.feature.catalogManaged' = 'supported')"


@pytest.fixture(scope="module")
def connect(platform):
    opened = connector.plain(platform)

    def open_one(manual=None, **more):
        db = opened(ignore_transactions=False, **more)
        if manual is not None:
            db.autocommit = not manual
        return db
    return open_one


@pytest.fixture(scope="module")
def schema(connect):
    name = f"main.txn_{uuid.uuid4().hex[:8]}"
    with connect() as db:
        run(db, f"CREATE SCHEMA {name}")
        yield name
        run(db, f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def make(connect, schema):
    def one(columns="id INT, value STRING", tail=MANAGED):
        name = f"{schema}.t_{uuid.uuid4().hex[:8]}"
        with connect() as db:
            run(db, f"CREATE TABLE {name} ({columns}) USING DELTA {tail}")
        return name
    return one


@pytest.fixture
def t(make):
    return make()


def run(db, text, parameters=None):
    with db.cursor() as c:
        c.execute(text, parameters)
        return [tuple(r) for r in c.fetchall()] if c.description else []


@pytest.fixture
def seen(connect):
    """What another connection sees of a table."""
    def look(table, what="id, value"):
        with connect() as db:
            return sorted(run(db, f"SELECT {what} FROM {table}"))
    return look


def fails(part, db, text):
    with pytest.raises(Exception, match=part):
        run(db, text)


# ---- the connector's cases: correctness ----

def test_commit_single_insert(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'committed')")
        assert seen(t) == []
        db.commit()
    assert seen(t) == [(1, "committed")]


def test_commit_multiple_inserts(connect, t, seen):
    with connect(manual=True) as db:
        for k in (1, 2, 3):
            run(db, f"INSERT INTO {t} VALUES ({k}, 'v{k}')")
            assert len(run(db, f"SELECT * FROM {t}")) == k  # own writes are read
        db.commit()
    assert seen(t) == [(1, "v1"), (2, "v2"), (3, "v3")]


def test_rollback_single_insert(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'rolled_back')")
        db.rollback()
        assert run(db, f"SELECT * FROM {t}") == []
    assert seen(t) == []


def test_sequential_transactions(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'a')")
        db.commit()
        run(db, f"INSERT INTO {t} VALUES (2, 'b')")
        db.rollback()
        run(db, f"INSERT INTO {t} VALUES (3, 'c')")
        db.commit()
    assert seen(t) == [(1, "a"), (3, "c")]


def test_auto_start_after_commit(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'a')")
        db.commit()
        run(db, f"INSERT INTO {t} VALUES (2, 'b')")
        db.rollback()
    assert seen(t) == [(1, "a")]


def test_auto_start_after_rollback(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'a')")
        db.rollback()
        run(db, f"INSERT INTO {t} VALUES (2, 'b')")
        db.commit()
    assert seen(t) == [(2, "b")]


def test_update_in_transaction(connect, t, seen):
    with connect() as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'original')")
        db.autocommit = False
        run(db, f"UPDATE {t} SET value = 'updated' WHERE id = 1")
        db.commit()
    assert seen(t) == [(1, "updated")]


def test_delete_in_transaction(connect, t, seen):
    with connect() as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
        db.autocommit = False
        run(db, f"DELETE FROM {t} WHERE id = 1")
        db.commit()
    assert seen(t) == [(2, "b")]


def test_multi_table_commit(connect, make, seen):
    one, two = make(), make()
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {one} VALUES (1, 't1')")
        run(db, f"INSERT INTO {two} VALUES (1, 't2')")
        assert seen(one) == seen(two) == []
        db.commit()
        assert seen(one) == [(1, "t1")] and seen(two) == [(1, "t2")]


def test_multi_table_rollback(connect, make, seen):
    one, two = make(), make()
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {one} VALUES (1, 't1')")
        run(db, f"INSERT INTO {two} VALUES (1, 't2')")
        db.rollback()
    assert seen(one) == seen(two) == []


def test_multi_table_atomicity(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'should_rollback')")
        fails("TABLE_OR_VIEW_NOT_FOUND", db, "INSERT INTO no_such_table_xyz VALUES (1, 'fail')")
        with pytest.raises(Exception, match="TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT"):
            db.commit()
        db.rollback()
    assert seen(t) == []


def test_repeatable_reads(connect, t):
    with connect() as db, connect() as other:
        run(db, f"INSERT INTO {t} VALUES (1, 'initial')")
        db.autocommit = False
        assert run(db, f"SELECT value FROM {t}") == [("initial",)]
        run(other, f"UPDATE {t} SET value = 'modified' WHERE id = 1")
        assert run(db, f"SELECT value FROM {t}") == [("initial",)]
        db.rollback()
        assert run(db, f"SELECT value FROM {t}") == [("modified",)]


def test_write_conflict_single_table(connect, t, seen):
    with connect() as a, connect() as b:
        run(a, f"INSERT INTO {t} VALUES (1, 'initial')")
        a.autocommit = b.autocommit = False
        run(a, f"UPDATE {t} SET value = 'a' WHERE id = 1")
        run(b, f"UPDATE {t} SET value = 'b' WHERE id = 1")
        a.commit()
        with pytest.raises(Exception, match="DELTA_CONCURRENT"):
            b.commit()
        fails("TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT", b, "SELECT 1")
        b.rollback()
        assert run(b, f"SELECT value FROM {t}") == [("a",)]


def test_read_only_transaction(connect, t):
    with connect() as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'existing')")
        db.autocommit = False
        assert run(db, f"SELECT count(*) FROM {t}") == [(1,)]
        db.commit()


def test_rollback_after_query_failure(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'before_error')")
        fails("TABLE_OR_VIEW_NOT_FOUND", db, "SELECT * FROM nowhere_xyz")
        db.rollback()
        run(db, f"INSERT INTO {t} VALUES (2, 'after_recovery')")
        db.commit()
    assert seen(t) == [(2, "after_recovery")]


def test_multiple_cursors_in_txn(connect, t, seen):
    with connect(manual=True) as db:
        for k in (1, 2, 3):
            with db.cursor() as c:
                c.execute(f"INSERT INTO {t} VALUES ({k}, 'c')")
        db.commit()
    assert len(seen(t)) == 3


def test_parameterized_insert(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (:id, :value)", {"id": 1, "value": "parameterized"})
        db.commit()
    assert seen(t) == [(1, "parameterized")]


def test_empty_transaction_rollback(connect):
    with connect(manual=True) as db:
        db.rollback()
        db.commit()


def test_close_connection_implicit_rollback(connect, t, seen):
    db = connect(manual=True)
    run(db, f"INSERT INTO {t} VALUES (1, 'pending')")
    db.close()
    assert seen(t) == []


# ---- the connector's cases: its API ----

def test_default_autocommit_is_true(connect):
    with connect() as db:
        assert db.autocommit is True
    with connect(fetch_autocommit_from_server=True) as db:
        assert db.autocommit is True


def test_set_autocommit_false(connect):
    with connect(manual=True, fetch_autocommit_from_server=True) as db:
        assert db.autocommit is False
        db.autocommit = True
        assert db.autocommit is True


def test_commit_without_active_txn_throws(connect):
    with connect() as db:
        with pytest.raises(Exception, match="NO_ACTIVE_TRANSACTION"):
            db.commit()
        db.rollback()


def test_set_autocommit_during_active_txn_throws(connect, t, seen):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'active_txn')")
        with pytest.raises(Exception, match="AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION"):
            db.autocommit = True
        db.rollback()
        db.autocommit = True
        run(db, f"INSERT INTO {t} VALUES (2, 'alone')")
    assert seen(t) == [(2, "alone")]


def test_supported_isolation_level(connect):
    with connect() as db:
        db.set_transaction_isolation("REPEATABLE_READ")
        assert db.get_transaction_isolation() == "REPEATABLE_READ"


def test_unsupported_isolation_level_rejected(connect):
    with connect() as db:
        for level in ("READ_UNCOMMITTED", "READ_COMMITTED", "SERIALIZABLE"):
            with pytest.raises(Exception):
                db.set_transaction_isolation(level)


# ---- the connector's cases: metadata ----

@pytest.mark.parametrize("call", ["columns", "tables", "schemas", "catalogs"])
def test_cursor_metadata_blocked(connect, t, seen, call):
    from databricks.sql.exc import DatabaseError

    catalog, schema, name = t.split(".")
    names = {"columns": {"catalog_name": catalog, "schema_name": schema, "table_name": name},
             "tables": {"catalog_name": catalog, "schema_name": schema, "table_name": name}, "schemas": {"catalog_name": catalog}, "catalogs": {}}[call]
    with connect(manual=True) as db:
        with db.cursor() as c:
            getattr(c, call)(**names)  # no transaction is open yet, and none is begun by it
            assert c.fetchall()
        run(db, f"INSERT INTO {t} VALUES (1, 'before_blocked')")
        with db.cursor() as c, pytest.raises(DatabaseError, match="multi-statement transaction"):
            getattr(c, call)(**names)
        run(db, f"INSERT INTO {t} VALUES (2, 'goes on')")
        db.commit()
    assert seen(t, "id") == [(1,), (2,)]


@pytest.mark.parametrize("what, error", [
    ("SHOW TABLES IN {schema}", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("SHOW SCHEMAS IN main", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("SHOW CATALOGS", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("SHOW FUNCTIONS", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("DESCRIBE TABLE EXTENDED {t}", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("SELECT * FROM main.information_schema.columns LIMIT 1", "TRANSACTION_NOT_SUPPORTED.INFORMATION_SCHEMA_TABLE"),
    # … and what the connector does not try
    ("CREATE TABLE {schema}.never (a INT)", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("DROP TABLE {t}", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("ALTER TABLE {t} ADD COLUMNS (more INT)", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("TRUNCATE TABLE {t}", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("OPTIMIZE {t}", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("DESCRIBE HISTORY {t}", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("GRANT SELECT ON TABLE {t} TO `account users`", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("CREATE TEMPORARY VIEW never AS SELECT 1", "TRANSACTION_NOT_SUPPORTED.COMMAND"),
    ("BEGIN TRANSACTION", "TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION"),
    ("SELECT * FROM {t} VERSION AS OF 0", "TRANSACTION_NOT_SUPPORTED.TIME_TRAVEL_QUERY"),
    ("SELECT * FROM table_changes('{t}', 0)", "TRANSACTION_NOT_SUPPORTED.CDF_READ"),
    ("SELECT * FROM delta.`/tmp/t`", "TRANSACTION_NOT_SUPPORTED.PATH_BASED_ACCESS"),
    ("SELECT * FROM read_files('/tmp/t')", "TRANSACTION_NOT_SUPPORTED.PATH_BASED_ACCESS"),
    ("SELEC 1", "PARSE_SYNTAX_ERROR"),
    ("SELECT 1 / 0", "DIVIDE_BY_ZERO"),
])
def test_blocked_and_txn_aborted(connect, schema, t, seen, what, error):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'before_blocked')")
        fails(error, db, what.format(t=t, schema=schema))
        fails("TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.PREVIOUS_QUERY_FAILURE", db, f"INSERT INTO {t} VALUES (2, 'after_blocked')")
        db.rollback()
    assert seen(t) == []


@pytest.mark.parametrize("what", ["SHOW COLUMNS IN {t}", "DESCRIBE QUERY SELECT * FROM {t}", "DESCRIBE TABLE {t}"])
def test_not_blocked(connect, t, seen, what):
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'before')")
        assert [r[0] for r in run(db, what.format(t=t))] == ["id", "value"]
        db.commit()
    assert seen(t) == [(1, "before")]


def test_executemany_in_txn(connect, t, seen):
    with connect(manual=True) as db:
        with db.cursor() as c:
            c.executemany(f"INSERT INTO {t} VALUES (:id, :value)", [{"id": k, "value": str(k)} for k in (1, 2, 3)])
        db.commit()
    assert len(seen(t)) == 3


def test_executemany_rollback_in_txn(connect, t, seen):
    with connect(manual=True) as db:
        with db.cursor() as c:
            c.executemany(f"INSERT INTO {t} VALUES (:id, :value)", [{"id": k, "value": str(k)} for k in (1, 2)])
        db.rollback()
    assert seen(t) == []


# ---- beyond the connector's cases ----

def test_begin_commit_rollback_by_sql(connect, t, seen):
    with connect() as db:
        run(db, "BEGIN TRANSACTION")
        run(db, f"INSERT INTO {t} VALUES (1, 'a')")
        run(db, f"MERGE INTO {t} t USING VALUES (1, 'm'), (2, 'n') AS s(id, value) ON t.id = s.id "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
        run(db, f"INSERT INTO {t} SELECT id + 10, value FROM {t}")
        run(db, f"DELETE FROM {t} WHERE id = 2")
        assert sorted(run(db, f"SELECT * FROM {t}")) == [(1, "m"), (11, "m"), (12, "n")]
        assert seen(t) == []
        run(db, "COMMIT WORK")
        assert seen(t) == [(1, "m"), (11, "m"), (12, "n")]
        run(db, f"INSERT INTO {t} VALUES (5, 'alone')")  # autocommit is on again
        assert (5, "alone") in seen(t)
        run(db, "BEGIN WORK")
        run(db, f"INSERT OVERWRITE {t} VALUES (9, 'o')")
        assert run(db, f"SELECT id FROM {t}") == [(9,)]
        run(db, "ROLLBACK TRANSACTION")
        assert len(seen(t)) == 4
        run(db, "ROLLBACK")  # without a transaction it is nothing


def test_snapshot_over_several_tables(connect, make):
    """A table that is first named late is seen as of the transaction's beginning too."""
    one, two, plain = make(), make(), make(tail="")
    with connect() as db, connect() as other:
        for name in (one, two, plain):
            run(other, f"INSERT INTO {name} VALUES (1, 'old')")
        run(db, "BEGIN TRANSACTION")
        assert run(db, f"SELECT value FROM {one}") == [("old",)]
        for name in (one, two):
            run(other, f"UPDATE {name} SET value = 'new'")
            run(other, f"INSERT INTO {name} VALUES (2, 'new')")
        assert run(db, f"SELECT value FROM {two}") == [("old",)]
        assert run(db, f"SELECT count(*) FROM {one} a JOIN {two} b ON a.value = b.value") == [(1,)]
        # A table that the catalog does not manage is seen from its first reading on.
        assert run(db, f"SELECT value FROM {plain}") == [("old",)]
        run(other, f"UPDATE {plain} SET value = 'new'")
        assert run(db, f"SELECT value FROM {plain}") == [("old",)]
        run(db, "COMMIT")
        assert run(db, f"SELECT DISTINCT value FROM {two}") == [("new",)]


def test_only_catalog_managed_tables_are_changed(connect, make, seen):
    plain = make(tail="")
    with connect() as db:
        run(db, "BEGIN TRANSACTION")
        fails("TRANSACTION_NOT_SUPPORTED.WRITE_NON_CATALOG_OWNED_TABLE", db, f"INSERT INTO {plain} VALUES (1, 'x')")
        run(db, "ROLLBACK")
    assert seen(plain) == []


def test_views_are_read_in_the_transaction(connect, schema, make):
    t = make()
    view = f"{schema}.v_{uuid.uuid4().hex[:8]}"
    with connect() as db, connect() as other:
        run(db, f"CREATE VIEW {view} AS SELECT count(*) n FROM {t}")
        run(db, f"CREATE TEMPORARY VIEW mine AS SELECT max(id) m FROM {t}")
        run(db, "BEGIN TRANSACTION")
        run(db, f"INSERT INTO {t} VALUES (7, 'a')")
        run(other, f"INSERT INTO {t} VALUES (100, 'later')")
        assert run(db, f"SELECT n FROM {view}") == [(1,)] and run(db, "SELECT m FROM mine") == [(7,)]
        run(db, "COMMIT")
        assert run(db, f"SELECT n FROM {view}") == [(2,)]


def test_conflicts_of_two_sessions(connect, make, seen):
    one, two = make(), make()
    with connect() as a, connect() as b:
        run(a, f"INSERT INTO {one} VALUES (1, 'x')")
        run(a, f"INSERT INTO {two} VALUES (1, 'x')")
        # Appends that read nothing stand side by side, also in one table.
        for db, k in ((a, 2), (b, 3)):
            run(db, "BEGIN TRANSACTION")
            run(db, f"INSERT INTO {one} VALUES ({k}, 'y')")
        run(a, "COMMIT")
        run(b, "COMMIT")
        assert seen(one, "id") == [(1,), (2,), (3,)]
        # One table of two conflicts: none is changed.
        run(a, "BEGIN TRANSACTION")
        run(a, f"INSERT INTO {one} VALUES (4, 'lost')")
        run(a, f"DELETE FROM {two} WHERE id = 1")
        run(b, f"UPDATE {two} SET value = 'z' WHERE id = 1")
        fails("DELTA_CONCURRENT_(APPEND|DELETE_READ|DELETE_DELETE)", a, "COMMIT")
        run(a, "ROLLBACK")
        assert seen(one, "id") == [(1,), (2,), (3,)] and seen(two) == [(1, "z")]
        # Columns changed meanwhile.
        run(a, "BEGIN TRANSACTION")
        run(a, f"INSERT INTO {one} VALUES (5, 'lost')")
        run(b, f"ALTER TABLE {one} ADD COLUMNS (more INT)")
        fails("DELTA_METADATA_CHANGED", a, "COMMIT")
        run(a, "ROLLBACK")
        assert seen(one, "id") == [(1,), (2,), (3,)]


def test_change_feed_of_a_transaction(connect, make):
    t = make(tail="TBLPROPERTIES ('delta.feature.catalogManaged' = 'supported', 'delta.enableChangeDataFeed' = 'true')")
    with connect() as db:
        run(db, "BEGIN TRANSACTION")
        run(db, f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
        run(db, f"UPDATE {t} SET value = 'c' WHERE id = 2")
        run(db, f"DELETE FROM {t} WHERE id = 1")
        run(db, "COMMIT")
        feed = run(db, f"SELECT _commit_version, _change_type, id, value FROM table_changes('{t}', 1)")
        assert sorted(feed) == [(1, "insert", 1, "a"), (1, "insert", 2, "b"), (2, "update_postimage", 2, "c"), (2, "update_preimage", 2, "b"),
                                (3, "delete", 1, "a")]
        assert [r[4] for r in run(db, f"DESCRIBE HISTORY {t}")] == ["DELETE", "UPDATE", "WRITE", "CREATE TABLE"]
        assert sorted(run(db, f"SELECT id, value FROM {t} VERSION AS OF 2")) == [(1, "a"), (2, "c")]


def test_the_log_of_a_catalog_managed_table(platform, connect, make):
    """Versions are staged, ratified, and published under their own names; commitInfo has the time and the transaction."""
    t = make()
    with connect() as db:
        for k in range(12):
            run(db, f"INSERT INTO {t} VALUES ({k}, 'v')")
        detail = run(db, f"DESCRIBE DETAIL {t}")[0]
        assert run(db, f"SELECT count(*) FROM {t}") == [(12,)]
        run(db, f"UPDATE {t} SET value = 'w' WHERE id = 3")
        run(db, f"OPTIMIZE {t}")
        fails("DELTA_PATH_BASED_ACCESS|PATH_NOT_FOUND|INSUFFICIENT|PERMISSION", db, f"SELECT * FROM delta.`{detail[4]}`")
        assert run(db, f"SELECT count(*), max(value) FROM {t}") == [(12, "w")]
        run(db, f"RESTORE TABLE {t} TO VERSION AS OF 2")
        assert run(db, f"SELECT count(*) FROM {t}") == [(2,)]
    folder = next(p for p in glob.glob(f"{platform.data}/**/_delta_log/_staged_commits", recursive=True) if len(os.listdir(p)) == 15)
    log = os.path.dirname(folder)
    versions = sorted(f for f in os.listdir(log) if f.endswith(".json") and len(f) == 25)
    assert [int(f[:20]) for f in versions] == list(range(16))
    assert any("checkpoint" in f for f in os.listdir(log))
    last = 0
    for f in versions:
        first = json.loads(open(os.path.join(log, f)).readline())["commitInfo"]
        assert first["inCommitTimestamp"] > last and uuid.UUID(first["txnId"])
        last = first["inCommitTimestamp"]
    protocol = next(json.loads(x)["protocol"] for x in open(os.path.join(log, versions[0])) if '"protocol"' in x)
    needed = {"catalogManaged", "vacuumProtocolCheck"}  # Spark takes no table without the second
    assert needed <= set(protocol["readerFeatures"]) and needed | {"inCommitTimestamp"} <= set(protocol["writerFeatures"])


def test_files_of_a_rollback_are_removed(platform, connect, make):
    t = make()
    with connect() as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'kept')")
        run(db, "BEGIN TRANSACTION")
        run(db, f"INSERT INTO {t} VALUES (2, 'gone')")
        before = {f for f in glob.glob(f"{platform.data}/**/*.parquet", recursive=True)}
        run(db, "ROLLBACK")
        gone = before - set(glob.glob(f"{platform.data}/**/*.parquet", recursive=True))
        assert len(gone) == 1
        assert run(db, f"SELECT * FROM {t}") == [(1, "kept")]


def test_create_or_replace_and_upgrade(connect, make, schema, seen):
    t = make()
    with connect() as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'a')")
        run(db, f"CREATE OR REPLACE TABLE {t} (k INT) {MANAGED}")
        run(db, f"INSERT INTO {t} VALUES (5)")
        assert run(db, f"SELECT * FROM {t}") == [(5,)]
        run(db, f"CREATE TABLE {t}_as {MANAGED} AS SELECT k, k + 1 AS l FROM {t}")
        run(db, "BEGIN TRANSACTION")
        run(db, f"INSERT INTO {t}_as VALUES (7, 8)")
        run(db, "COMMIT")
        assert sorted(run(db, f"SELECT * FROM {t}_as")) == [(5, 6), (7, 8)]
        plain = make(tail="")
        run(db, f"INSERT INTO {plain} VALUES (1, 'a')")
        run(db, f"ALTER TABLE {plain} SET TBLPROPERTIES ('delta.feature.catalogManaged' = 'supported')")
        run(db, "BEGIN TRANSACTION")
        run(db, f"INSERT INTO {plain} VALUES (2, 'b')")
        run(db, "COMMIT")
        assert seen(plain) == [(1, "a"), (2, "b")]
        for one in (t, f"{t}_as", plain):  # by this Spark finds its commits
            assert len(dict(run(db, f"SHOW TBLPROPERTIES {one}"))["io.unitycatalog.tableId"]) == 36


def test_an_engine_that_ends_aborts_the_transaction(platform, connect, make, seen):
    t = make()
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'lost')")
        platform.kill9("engine")
        end = time.monotonic() + 20
        while True:
            try:
                run(db, "SELECT 1")
                pytest.fail("the transaction is gone, which nobody said")
            except Exception as e:
                if "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT" in str(e):
                    break
                assert time.monotonic() < end, e
        db.rollback()
        run(db, f"INSERT INTO {t} VALUES (2, 'kept')")
        assert seen(t) == []  # AUTOCOMMIT is still off
        db.commit()
    assert seen(t) == [(2, "kept")]


# ---- BEGIN ATOMIC … END ----

def block(*statements):
    return "BEGIN ATOMIC " + " ".join(f"{s};" for s in statements) + " END"


def test_block_commits_all(connect, make, seen):
    a, b = make(), make()
    with connect() as db:
        got = run(db, block(f"INSERT INTO {a} VALUES (1, 'x'), (2, 'y')", f"INSERT INTO {b} SELECT * FROM {a} WHERE id = 2",
                            f"UPDATE {a} SET value = 'z' WHERE id = 1", f"SELECT a.id, a.value, b.value FROM {a} a LEFT JOIN {b} b USING (id) ORDER BY 1"))
        assert got == [(1, "z", None), (2, "y", "y")]  # the last statement's rows; each saw those before it
        assert db.autocommit is True
        run(db, f"INSERT INTO {a} VALUES (3, 'after')")
    assert seen(a) == [(1, "z"), (2, "y"), (3, "after")] and seen(b) == [(2, "y")]


@pytest.mark.parametrize("bad", ["SELECT raise_error('no')", "SELECT * FROM nowhere_at_all", "INSERT INTO {b} VALUES ('no number', 1)"])
def test_block_fails_whole(connect, make, seen, bad):
    a, b = make(), make()
    with connect() as db:
        fails(".", db, block(f"INSERT INTO {a} VALUES (1, 'x')", bad.format(b=b), f"INSERT INTO {b} VALUES (1, 'x')"))
        assert seen(a) == [] and seen(b) == []
        assert run(db, f"SELECT count(*) FROM {a}") == [(0,)]  # no transaction is left
        run(db, block(f"INSERT INTO {a} VALUES (2, 'y')"))
        run(db, block())
    assert seen(a) == [(2, "y")]


@pytest.mark.parametrize("what", ["COMMIT", "DROP TABLE {t}", "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SELECT 1; SELECT 2; END",
                                  "IF true THEN DROP TABLE {t}; END IF"])
def test_block_refuses(connect, t, seen, what):
    with connect() as db:
        fails("TRANSACTION_NOT_SUPPORTED.COMMAND", db, block(f"INSERT INTO {t} VALUES (1, 'x')", what.format(t=t)))
        assert seen(t) == []
        fails("AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION", db, block(f"INSERT INTO {t} VALUES (1, 'x')", "EXECUTE IMMEDIATE 'SET AUTOCOMMIT = FALSE'"))
        fails("TRANSACTION_NOT_SUPPORTED.COMMAND", db, block(f"INSERT INTO {t} VALUES (1, 'x')", "EXECUTE IMMEDIATE 'COMMIT'"))
        fails("TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION", db, block(f"INSERT INTO {t} VALUES (1, 'x')", "BEGIN ATOMIC SELECT 1; END"))
        assert seen(t) == [] and db.autocommit is True
    with connect(manual=True) as db:
        run(db, f"INSERT INTO {t} VALUES (1, 'x')")
        fails("TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION", db, block(f"INSERT INTO {t} VALUES (2, 'x')"))
        db.rollback()
    assert seen(t) == []


def test_blocks_conflict(connect, t, seen):
    """Two blocks that change the same row at the same time: what both did is one's, or one after the other's."""
    import threading

    with connect() as db:
        run(db, f"INSERT INTO {t} VALUES (0, '0')")
    done, errors = [], []

    def one():
        with connect() as db:
            for _ in range(5):
                try:
                    run(db, block(f"INSERT INTO {t} VALUES (1, 'x')", f"UPDATE {t} SET value = CAST(CAST(value AS INT) + 1 AS STRING) WHERE id = 0"))
                    done.append(1)
                except Exception as e:
                    errors.append(str(e))
    both = [threading.Thread(target=one) for _ in range(2)]
    for x in both:
        x.start()
    for x in both:
        x.join()
    rows = seen(t)
    assert done and all("CONCURRENT" in e for e in errors), errors
    assert rows[0] == (0, str(len(done))) and len(rows) == len(done) + 1
