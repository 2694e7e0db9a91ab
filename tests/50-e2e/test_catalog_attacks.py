# SPDX-License-Identifier: Apache-2.0
"""Ways around the catalog that were tried: what a reader brings along in his session, texts of views and functions, names that come back.

The doors one by one are in test_catalog_doors.py; here are attacks that take several steps.
"""

from pathlib import Path

import pytest
from boathouse import Platform
from connector import plain
from databricks.sdk import errors
from statements import Sql, another

HIDDEN = ("hidden-row", "-hidden")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    place = tmp_path_factory.mktemp("places")
    with Platform(tmp_path_factory.mktemp("attacks") / "data", settings={"storage.local_roots": str(place)}) as p:
        p.place = place
        yield p


@pytest.fixture(scope="module")
def admin(platform):
    return Sql(platform)


def session(platform, token, **more):
    """A function that runs statements in one session; its error's text where one fails."""
    from databricks import sql
    db = plain(platform)(access_token=token, **more)

    def run(text):
        with db.cursor() as cur:
            try:
                return [tuple(r) for r in cur.execute(text).fetchall()]
            except sql.exc.Error as e:
                return str(e)

    run.close = db.close
    return run


@pytest.fixture(scope="module")
def world(platform, admin):
    owner = session(platform, platform.token, catalog="main", schema="default")
    for text in ("CREATE CATALOG k", "CREATE SCHEMA k.s", "CREATE SCHEMA k.own",
                 "CREATE TABLE k.s.t AS SELECT * FROM VALUES (1L, '11', 'x1-hidden'), (2L, 'hidden-row', 'x2-hidden') AS v(id, name, secret)",
                 "CREATE TABLE k.s.allowed AS SELECT 1L AS id", "USE CATALOG k", "USE SCHEMA s",
                 # Bodies with names without a qualifier: they are those of the place where the body was made.
                 "CREATE FUNCTION k.s.rf(i BIGINT) RETURNS BOOLEAN RETURN EXISTS (SELECT 1 FROM allowed a WHERE a.id = i)",
                 "CREATE FUNCTION k.s.helper(i BIGINT) RETURNS BOOLEAN RETURN i = 1",
                 "CREATE FUNCTION k.s.rf2(i BIGINT) RETURNS BOOLEAN RETURN helper(i)",
                 "CREATE FUNCTION k.s.rf3(u STRING) RETURNS BOOLEAN RETURN u = current_user",
                 "CREATE FUNCTION k.s.sum_to(i BIGINT, most BIGINT DEFAULT 1) RETURNS BIGINT RETURN i + most",
                 "CREATE FUNCTION k.s.hide(v STRING) RETURNS STRING RETURN concat('*', length(v))",
                 "CREATE FUNCTION k.s.told(i BIGINT) RETURNS STRING RETURN (SELECT max(name) FROM t WHERE id = i AND name <> 'x9-hidden')",
                 "CREATE TABLE k.s.f1 WITH ROW FILTER k.s.rf ON (id) AS SELECT id, name FROM t",
                 "CREATE TABLE k.s.f2 WITH ROW FILTER k.s.rf2 ON (id) AS SELECT id, name FROM t",
                 "CREATE TABLE k.s.f3 WITH ROW FILTER k.s.rf3 ON (name) AS SELECT id, name FROM t",
                 "CREATE TABLE k.s.m (id BIGINT, secret STRING MASK k.s.hide)", "INSERT INTO k.s.m SELECT id, secret FROM t",
                 "CREATE VIEW k.s.v AS SELECT id, name FROM t WHERE id IN (SELECT id FROM allowed) AND name <> 'x9-hidden'"):
        got = owner(text)
        assert isinstance(got, list), (text, got)
    owner.close()


@pytest.fixture(scope="module")
def bob(platform, admin, world):
    """May read what is filtered, masked and seen through the view, call told, and make what he likes in k.own."""
    who, client, bob = another(platform, "bob")
    for text in (f"GRANT USE CATALOG ON CATALOG k TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA k.s TO `{who}`",
                 *(f"GRANT SELECT ON TABLE k.s.{t} TO `{who}`" for t in ("f1", "f2", "f3", "m", "v")),
                 *(f"GRANT EXECUTE ON FUNCTION k.s.{f} TO `{who}`" for f in ("told", "sum_to")),
                 f"GRANT USE SCHEMA, CREATE TABLE, CREATE FUNCTION, SELECT, MODIFY, EXECUTE ON SCHEMA k.own TO `{who}`"):
        admin(text)
    bob.name, bob.client = who, client
    return bob


# What bob may see, and nothing else.
SEEN = {"SELECT * FROM k.s.f1": [(1, "11")], "SELECT * FROM k.s.f2": [(1, "11")], "SELECT * FROM k.s.f3": [], "SELECT * FROM k.s.v": [(1, "11")],
        "SELECT secret FROM k.s.m ORDER BY id": [("*9",), ("*9",)], "SELECT k.s.sum_to(1)": [(2,)]}

# What a session calls its own.
OWN = ["CREATE TEMPORARY VIEW allowed AS SELECT id FROM range(100)", "CREATE GLOBAL TEMPORARY VIEW allowed AS SELECT id FROM range(100)",
       "CREATE TEMPORARY VIEW t AS SELECT 7L AS id, '7' AS name", "DECLARE VARIABLE u STRING DEFAULT 'hidden-row'",
       "DECLARE VARIABLE i BIGINT DEFAULT 1", "DECLARE VARIABLE id BIGINT DEFAULT 1", "DECLARE VARIABLE name STRING DEFAULT '11'",
       "CREATE TABLE k.own.allowed AS SELECT id FROM range(100)", "CREATE FUNCTION k.own.helper(i BIGINT) RETURNS BOOLEAN RETURN true",
       "CREATE TEMPORARY FUNCTION helper(i BIGINT) RETURNS BOOLEAN RETURN true", "CREATE TEMPORARY FUNCTION length(v STRING) RETURNS STRING RETURN v",
       "CREATE FUNCTION k.own.length(v STRING) RETURNS STRING RETURN v", "USE CATALOG k", "USE SCHEMA own", "SET PATH = k.own, system.builtin"]


def test_a_session_has_no_say_in_bodies(platform, bob):
    """Names in filters, masks, views and functions never mean the reader's temporary views, variables, path or current schema."""
    run = session(platform, bob.token)
    for setting in [None, *OWN]:
        if setting:
            assert isinstance(run(setting), list), setting
        for text, rows in SEEN.items():
            assert run(text) == rows, (setting, text)
    assert run("EXECUTE IMMEDIATE 'SELECT * FROM k.s.f1'") == [(1, "11")]
    assert run("BEGIN DECLARE i BIGINT DEFAULT 1; DECLARE id BIGINT DEFAULT 1; SELECT * FROM k.s.f1; END") == [(1, "11")]
    # What is his own he sees all the same.
    assert run("SELECT count(*) FROM allowed") == [(100,)] and run("SELECT name") == [("11",)]
    run.close()


def test_temporary_functions(platform, bob):
    """They are the session's: called by their name, seen by no other session, part of nothing that stays."""
    run, other = session(platform, bob.token), session(platform, bob.token)
    for text in ("USE k.own", "CREATE TEMPORARY FUNCTION twice(x BIGINT COMMENT 'of it', most BIGINT DEFAULT 10) RETURNS BIGINT RETURN least(x * 2, most)",
                 "CREATE TEMPORARY FUNCTION below(n BIGINT) RETURNS TABLE (k BIGINT, d BIGINT) RETURN SELECT id, twice(id) FROM range(n)",
                 "CREATE OR REPLACE TEMP FUNCTION shown() RETURN concat('n', (SELECT count(*) FROM k.s.f1))"):
        assert run(text) == [], text
    assert run("SELECT twice(3), session.twice(30), system.session.twice(x => 4)") == [(6, 10, 8)]
    assert run("SELECT * FROM below(3) ORDER BY k") == [(0, 0), (1, 2), (2, 4)]
    assert run("SELECT shown()") == [("n1",)], "with the rights of who calls it"
    assert run("DESCRIBE FUNCTION twice") == [("Function:     twice",), ("Type:         SCALAR",), ("Input:        x BIGINT",), ("              most BIGINT",),
                                             ("Returns:      BIGINT",)]
    for text, fault in (("SELECT twice(3)", None), ("SELECT session.twice(3)", None), ("DESCRIBE FUNCTION twice", None),
                        ("DROP TEMPORARY FUNCTION twice", "ROUTINE_NOT_FOUND")):
        got = other(text)
        assert isinstance(got, str) and (fault or "OUTINE") in got, (text, got)
    for text, fault in (("CREATE TEMPORARY FUNCTION twice(x INT) RETURNS INT RETURN x", "ROUTINE_ALREADY_EXISTS"),
                        ("CREATE TEMPORARY FUNCTION k.own.tmp(i INT) RETURNS INT RETURN i", "INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_DATABASE"),
                        ("CREATE TEMPORARY FUNCTION IF NOT EXISTS t2(i INT) RETURNS INT RETURN i", "INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_IF_NOT_EXISTS"),
                        ("CREATE TEMPORARY FUNCTION t2(i INT) RETURNS INT RETURN nothing", "UNRESOLVED_COLUMN"),
                        ("CREATE TEMPORARY FUNCTION t2(i INT) RETURNS INT LANGUAGE PYTHON AS $$return i$$", "UNSUPPORTED_FEATURE"),
                        ("CREATE FUNCTION k.own.four(x BIGINT) RETURNS BIGINT RETURN twice(twice(x))", "INVALID_TEMP_OBJ_REFERENCE"),
                        ("CREATE VIEW k.own.w AS SELECT twice(1) AS x", "INVALID_TEMP_OBJ_REFERENCE")):
        got = run(text)
        assert isinstance(got, str) and fault in got, (text, got)
    # One of the catalog by the same name is called by its whole name, and stays when the session's goes.
    assert run("CREATE FUNCTION k.own.twice(x BIGINT) RETURNS BIGINT RETURN x + 1000") == []
    assert run("SELECT twice(1), k.own.twice(1)") == [(2, 1001)]
    assert run("DROP TEMPORARY FUNCTION twice") == [] and run("DROP TEMPORARY FUNCTION IF EXISTS twice") == []
    assert run("SELECT twice(1)") == [(1001,)]
    assert "ROUTINE_NOT_FOUND" in run("DROP TEMPORARY FUNCTION twice")
    assert run("DROP FUNCTION k.own.twice") == []
    run.close(), other.close()


def test_texts_are_their_owners(platform, admin, bob):
    """Whoever reads a view or calls a function is not shown how it is made, at any door; MANAGE shows it."""
    ask = ("DESCRIBE TABLE EXTENDED k.s.v", "DESCRIBE TABLE EXTENDED k.s.v AS JSON", "SHOW TABLE EXTENDED IN k.s LIKE 'v'", "DESCRIBE FUNCTION EXTENDED k.s.told",
           "SELECT view_definition FROM k.information_schema.views WHERE table_name = 'v'",
           "SELECT routine_definition FROM k.information_schema.routines WHERE routine_name = 'told'")
    for text in ask:
        assert "x9-hidden" in str(admin(text)), text
        assert "x9-hidden" not in str(bob(text)), text
    for text in ("SHOW CREATE TABLE k.s.v", "SHOW CREATE VIEW k.s.v"):
        assert "x9-hidden" in str(admin(text))
        bob.fails(text, "MANAGE on View 'k.s.v'")
    w = platform.sdk()
    assert "x9-hidden" in w.tables.get("k.s.v").view_definition and "x9-hidden" in w.functions.get("k.s.told").routine_definition
    assert bob.client.tables.get("k.s.v").view_definition is None and bob.client.functions.get("k.s.told").routine_definition is None
    assert [t.view_definition for t in bob.client.tables.list("k", "s") if t.name == "v"] == [None]
    admin(f"GRANT MANAGE ON VIEW k.s.v TO `{bob.name}`")
    assert "x9-hidden" in str(bob("SHOW CREATE TABLE k.s.v")) and "x9-hidden" in bob.client.tables.get("k.s.v").view_definition
    admin(f"REVOKE MANAGE ON VIEW k.s.v FROM `{bob.name}`")
    with pytest.raises(errors.PermissionDenied):
        bob.client.tables.update("k.s.v", owner=bob.name)


def test_nobody_writes_texts_that_read_as_another(platform, admin, bob):
    """A view or function reads with its owner's rights: MANAGE does not change its text, and nobody makes an admin the owner of his own."""
    for text in ("CREATE FUNCTION k.s.theirs() RETURNS STRING RETURN 'x'", "CREATE VIEW k.s.seen AS SELECT 1 AS a",
                 f"GRANT MANAGE, EXECUTE ON FUNCTION k.s.theirs TO `{bob.name}`", f"GRANT MANAGE, SELECT ON VIEW k.s.seen TO `{bob.name}`",
                 f"GRANT CREATE FUNCTION, CREATE TABLE ON SCHEMA k.s TO `{bob.name}`"):
        admin(text)
    for text in ("CREATE OR REPLACE FUNCTION k.s.theirs() RETURNS STRING RETURN (SELECT max(secret) FROM k.s.t)", "CREATE OR REPLACE VIEW k.s.seen AS SELECT 2 AS a",
                 "ALTER VIEW k.s.seen AS SELECT 3 AS a"):
        bob.fails(text, "does not have OWNERSHIP on")
    assert bob("SELECT k.s.theirs()") == [["x"]] and bob("SELECT a FROM k.s.seen") == [["1"]]

    # His own: of a function the body is not looked at when it is made, of a view what it reads may have been taken from him since.
    bob("CREATE FUNCTION k.own.steal() RETURNS STRING RETURN (SELECT max(secret) FROM k.s.t)")
    admin(f"GRANT SELECT ON TABLE k.s.t TO `{bob.name}`")
    bob("CREATE VIEW k.own.keep AS SELECT secret FROM k.s.t")
    admin(f"REVOKE SELECT ON TABLE k.s.t FROM `{bob.name}`")
    for give in (lambda: bob.fails("ALTER FUNCTION k.own.steal OWNER TO admin", "reads with its owner's rights"),
                 lambda: bob.fails("ALTER VIEW k.own.keep OWNER TO admin", "reads with its owner's rights"),
                 lambda: bob.fails("ALTER FUNCTION k.own.steal SET OWNER TO admins", "reads with its owner's rights"),
                 lambda: refused(lambda: bob.client.functions.update("k.own.steal", owner="admin")),
                 lambda: refused(lambda: bob.client.tables.update("k.own.keep", owner="admins"))):
        give()
        bob.fails("SELECT k.own.steal()", "SELECT on Table 'k.s.t'")
        bob.fails("SELECT * FROM k.own.keep", "SELECT on Table 'k.s.t'")
    # To a group that he is in, and from there to himself; an admin gives to anybody. Tables are given away as before.
    group = platform.sdk().groups.create(display_name="keepers")
    me = next(p for p in platform.sdk().service_principals.list() if p.application_id == bob.name)
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "members", "value": [{"value": me.id}]}]}
    assert platform.request("PATCH", f"/api/2.0/preview/scim/v2/Groups/{group.id}", body).status_code < 300
    bob("ALTER VIEW k.own.keep OWNER TO keepers")
    bob("CREATE OR REPLACE VIEW k.own.keep AS SELECT 4 AS a")
    assert bob("SELECT * FROM k.own.keep") == [["4"]]
    bob(f"ALTER VIEW k.own.keep OWNER TO `{bob.name}`")
    bob("ALTER FUNCTION k.s.theirs OWNER TO `" + bob.name + "`")
    bob("CREATE OR REPLACE FUNCTION k.s.theirs() RETURNS STRING RETURN 'mine'")
    assert bob("SELECT k.s.theirs()") == [["mine"]]
    admin("ALTER FUNCTION k.own.steal OWNER TO admin")
    bob("CREATE TABLE k.own.given AS SELECT 1 AS a")
    bob("ALTER TABLE k.own.given OWNER TO admin")


def refused(call):
    with pytest.raises(errors.PermissionDenied, match="reads with its owner's rights"):
        call()


def test_what_a_table_keeps_reads_nothing(admin, bob):
    """Defaults, generated columns and checks are worked out by whoever writes rows: with his rights, for the table's owner to see."""
    admin("CREATE FUNCTION k.s.of_admin(i BIGINT) RETURNS STRING RETURN (SELECT max(secret) FROM k.s.t)")
    on = "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    bob.fails(f"CREATE TABLE k.own.d (a BIGINT, leak STRING DEFAULT (SELECT max(secret) FROM k.s.t)) {on}", "INVALID_DEFAULT_VALUE.SUBQUERY_EXPRESSION")
    bob.fails(f"CREATE TABLE k.own.d (a BIGINT, leak STRING DEFAULT k.s.of_admin(1)) {on}", "UNRESOLVED_ROUTINE")
    bob.fails("CREATE TABLE k.own.d (a BIGINT, leak STRING GENERATED ALWAYS AS (k.s.of_admin(a)))", "UNRESOLVED_ROUTINE")
    bob(f"CREATE TABLE k.own.d (a BIGINT, leak STRING DEFAULT upper('x'), who STRING DEFAULT current_user()) {on}")
    for text, cls in (("(SELECT max(secret) FROM k.s.t)", "INVALID_DEFAULT_VALUE.SUBQUERY_EXPRESSION"), ("k.s.of_admin(1)", "UNRESOLVED_ROUTINE")):
        bob.fails(f"ALTER TABLE k.own.d ALTER COLUMN leak SET DEFAULT {text}", cls)
    bob.fails("ALTER TABLE k.own.d ADD CONSTRAINT c CHECK (leak <> k.s.of_admin(1))", "UNRESOLVED_ROUTINE")
    admin("INSERT INTO k.own.d (a) VALUES (1)")
    admin("INSERT INTO k.own.d VALUES (2, DEFAULT, DEFAULT)")
    assert bob("SELECT leak, who FROM k.own.d ORDER BY a") == [["X", "admin"]] * 2
    # A log that another client wrote: nothing of it is evaluated either.
    admin("CREATE TABLE k.own.log (a BIGINT, leak STRING DEFAULT 'harmless') " + on)
    path = next(r[1] for r in admin("DESCRIBE TABLE EXTENDED k.own.log") if r[0] == "Location").removeprefix("file://")
    version = Path(path, "_delta_log", "00000000000000000000.json")
    version.write_text(version.read_text().replace("'harmless'", "k.s.of_admin(1)"))
    for f in Path(path, "_delta_log").glob("*.crc"):
        f.unlink()
    admin.platform.kill9("engine")
    while admin.run("SELECT 1")["status"]["state"] != "SUCCEEDED":  # until it is seen that the engine is gone
        pass
    for text in ("INSERT INTO k.own.log (a) VALUES (1)", "INSERT INTO k.own.log VALUES (1, DEFAULT)", "MERGE INTO k.own.log USING (SELECT 1L AS k) ON a = k WHEN NOT MATCHED THEN INSERT (a) VALUES (k)"):
        admin.fails(text, "UNRESOLVED_ROUTINE")


def test_errors_are_text(platform):
    """Names of users are cut in messages: never inside of a character."""
    me = platform.request("GET", "/api/2.0/preview/scim/v2/Me").json()["id"]
    for path in ("é" * 60, "x" + "é" * 60, "xy" + "語" * 60):
        r = platform.request("PATCH", f"/api/2.0/preview/scim/v2/Users/{me}", {"Operations": [{"op": "replace", "path": path, "value": "v"}]})
        assert r.status_code == 400 and r.content.decode("utf-8").count("names nothing") == 1
