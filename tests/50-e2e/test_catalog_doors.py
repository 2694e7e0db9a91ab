# SPDX-License-Identifier: Apache-2.0
"""One governed catalog at every door: who holds nothing is refused everywhere, and row filters, masks and views hold everywhere.

The doors of SQL are tests/harness/sql_doors.py; those of REST stand below.
"""

import io
import json

import pytest
import sql_doors
from boathouse import Platform
from databricks.sdk import errors
from databricks.sdk.service import catalog
from statements import Sql, another

CAT = "doors"
# Texts of rows that a filter, a mask or a view hides; they begin so that no function's caption or message has them by chance.
HIDDEN = ("hidden-row", "-hidden")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    place = tmp_path_factory.mktemp("places")
    with Platform(tmp_path_factory.mktemp("doors") / "data", settings={"storage.local_roots": str(place)}) as p:
        p.place = place
        yield p


@pytest.fixture(scope="module")
def admin(platform):
    return Sql(platform)


@pytest.fixture(scope="module")
def names(platform):
    return {"c": CAT, "own": "main.own", "loc": f"file://{platform.place}/loc", "tables": f"file://{platform.data}/tables", "owner": "admin"}


@pytest.fixture(scope="module")
def world(platform, admin, names):
    (platform.place / "loc" / "csv").mkdir(parents=True)
    (platform.place / "loc" / "csv" / "a.csv").write_text("1,hidden-row\n")
    c, loc = CAT, names["loc"]
    rows = "(1, '11', 'x1-hidden', 1), (2, 'hidden-row', 'x2-hidden', 0), (3, '33', 'x3-hidden', 3)"
    for text in (f"CREATE CATALOG {c}", f"CREATE SCHEMA {c}.s", "CREATE SCHEMA main.own",
                 f"CREATE TABLE {c}.s.t (id BIGINT, name STRING, secret STRING, amount INT) TBLPROPERTIES (delta.enableChangeDataFeed = true)",
                 f"INSERT INTO {c}.s.t VALUES {rows}",
                 f"CREATE FUNCTION {c}.s.odd(i BIGINT) RETURNS BOOLEAN RETURN i % 2 = 1",
                 f"CREATE FUNCTION {c}.s.hide(v STRING) RETURNS STRING RETURN '***'",
                 f"CREATE FUNCTION {c}.s.fn(i BIGINT) RETURNS BOOLEAN RETURN true",
                 f"CREATE TABLE {c}.s.f WITH ROW FILTER {c}.s.odd ON (id) AS SELECT id, name, amount FROM {c}.s.t",
                 f"CREATE TABLE {c}.s.m (id BIGINT, name STRING, secret STRING MASK {c}.s.hide, amount INT, CONSTRAINT small CHECK (amount < 1000000 OR length(secret) < 2))"
                 " TBLPROPERTIES (delta.columnMapping.mode = 'name', delta.enableChangeDataFeed = true)",
                 f"INSERT INTO {c}.s.m SELECT id, 'n', secret, amount FROM {c}.s.t",
                 f"CREATE VIEW {c}.s.v AS SELECT id, name, amount FROM {c}.s.t WHERE id % 2 = 1",
                 f"CREATE TABLE {c}.s.gone (a INT)", f"DROP TABLE {c}.s.gone", f"CREATE SCHEMA {c}.gone", f"DROP SCHEMA {c}.gone",
                 f"CREATE VOLUME {c}.s.vol", f"CREATE EXTERNAL LOCATION loc URL '{loc}' WITH (CREDENTIAL local)",
                 f"CREATE TABLE {c}.s.x LOCATION '{loc}/x' AS SELECT id, name FROM {c}.s.t", f"ALTER TABLE {c}.s.x SET ROW FILTER {c}.s.odd ON (id)",
                 f"CREATE TABLE {c}.s.p (id BIGINT, name STRING MASK {c}.s.hide) PARTITIONED BY (name)",
                 f"CREATE TABLE {c}.s.q (id BIGINT, name STRING) PARTITIONED BY (name)",
                 f"INSERT INTO {c}.s.p VALUES (1, 'x1-hidden'), (2, 'hidden-row')", f"INSERT INTO {c}.s.q VALUES (1, '11'), (2, 'hidden-row')",
                 f"ALTER TABLE {c}.s.f DROP ROW FILTER", f"ANALYZE TABLE {c}.s.f COMPUTE STATISTICS FOR ALL COLUMNS",
                 f"ANALYZE TABLE {c}.s.q COMPUTE STATISTICS FOR ALL COLUMNS",
                 f"ALTER TABLE {c}.s.f SET ROW FILTER {c}.s.odd ON (id)", f"ALTER TABLE {c}.s.q SET ROW FILTER {c}.s.odd ON (id)",
                 f"DELETE FROM {c}.s.p WHERE id = 2",
                 f"CREATE TABLE {c}.s.r (id BIGINT, open STRING, other STRING) TBLPROPERTIES (delta.columnMapping.mode = 'name')",
                 f"INSERT INTO {c}.s.r VALUES (1, 'x1-hidden', 'a'), (2, 'x2-hidden', 'b'), (3, 'x3-hidden', 'c')",
                 f"DELETE FROM {c}.s.r WHERE open = 'x3-hidden'", f"ALTER TABLE {c}.s.r RENAME COLUMN open TO t", f"ALTER TABLE {c}.s.r RENAME COLUMN other TO open",
                 f"ALTER TABLE {c}.s.r RENAME COLUMN t TO other",
                 f"CREATE FUNCTION {c}.s.with_id(v STRING, i BIGINT) RETURNS STRING RETURN concat('#', i)",
                 f"ALTER TABLE {c}.s.r ALTER COLUMN other SET MASK {c}.s.with_id USING COLUMNS (id)",
                 f"CREATE FUNCTION {c}.s.tf() RETURNS TABLE (id BIGINT, name STRING) RETURN SELECT id, name FROM {c}.s.t WHERE id % 2 = 1",
                 f"CREATE FUNCTION {c}.s.sf(x BIGINT) RETURNS STRING RETURN SELECT max(name) FROM {c}.s.t WHERE id = x AND id % 2 = 1",
                 f"CREATE FUNCTION {c}.s.nest(x BIGINT) RETURNS STRING RETURN {c}.s.sf(x)",
                 "CREATE TABLE main.own.mine (id BIGINT, name STRING)"):
        admin(text)
    platform.sdk().files.upload(f"/Volumes/{c}/s/vol/a.csv", io.BytesIO(b"1,hidden-row\n"), overwrite=True)


def refused(sql, text, part, names):
    message = sql.fails(text)
    unknown = f"Volume '{CAT}.s.vol' does not exist"  # a volume of which he may not know
    assert ("INSUFFICIENT_PERMISSIONS" in message and part in message) or unknown in message, (text, message)
    assert not any(h in message for h in HIDDEN), (text, message)


def test_who_holds_nothing_is_told_of_nothing(platform, world, names):
    """Without USE CATALOG every statement says the same of what is there and of what is not."""
    who, _, bob = another(platform, "nothing")
    names = dict(names, me=who)
    for _, text in sql_doors.CLOSED:
        text = text.format(**names)
        if "{c}" not in _ or names["own"] in text:
            continue
        message = bob.fails(text)
        assert any(k in message for k in ("INSUFFICIENT_PERMISSIONS", "NOT_FOUND", "NO_SUCH_CATALOG", "RESOURCE_DOES_NOT_EXIST", "UNRESOLVED_ROUTINE",
                                          "UNRESOLVABLE_TABLE_VALUED_FUNCTION")), (text, message)
        assert not any(h in message for h in HIDDEN), (text, message)
        other = bob.fails(text.replace(CAT, "nocat"))
        assert message.replace(CAT, "nocat") == other, text
    assert bob(f"SELECT count(*) FROM system.information_schema.tables WHERE table_catalog = '{CAT}'") == [["0"]]
    assert [CAT] not in bob("SHOW CATALOGS")


def test_every_statement_is_refused_by_name(platform, admin, world, names):
    who, _, bob = another(platform, "passing")
    names = dict(names, me=who)
    for text in (f"GRANT USE CATALOG ON CATALOG {CAT} TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA {CAT}.s TO `{who}`",
                 f"GRANT USE SCHEMA, CREATE TABLE, CREATE FUNCTION, CREATE VOLUME, SELECT, MODIFY ON SCHEMA main.own TO `{who}`"):
        admin(text)
    wrong = []
    for part, text in sql_doors.CLOSED:
        try:
            refused(bob, text.format(**names), part.format(**names), names)
        except AssertionError as e:
            wrong.append(str(e)[:400])
    assert not wrong, "\n".join(wrong)
    assert admin(f"SELECT count(*), max(secret) FROM {CAT}.s.t") == [["3", "x3-hidden"]]


@pytest.fixture(scope="module")
def carol(platform, admin, world, names):
    """May read and change f and m, and read v; may read and write files of the location."""
    who, client, carol = another(platform, "reader")
    for text in (f"GRANT USE CATALOG ON CATALOG {CAT} TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA {CAT}.s TO `{who}`",
                 f"GRANT SELECT, MODIFY ON TABLE {CAT}.s.f TO `{who}`", f"GRANT SELECT, MODIFY ON TABLE {CAT}.s.m TO `{who}`",
                 f"GRANT SELECT, MODIFY ON TABLE {CAT}.s.p TO `{who}`", f"GRANT SELECT, MODIFY ON TABLE {CAT}.s.q TO `{who}`",
                 f"GRANT SELECT ON TABLE {CAT}.s.x TO `{who}`", f"GRANT SELECT ON VIEW {CAT}.s.v TO `{who}`",
                 f"GRANT SELECT, MODIFY ON TABLE {CAT}.s.r TO `{who}`", *(f"GRANT EXECUTE ON FUNCTION {CAT}.s.{f} TO `{who}`" for f in ("tf", "sf", "nest")),
                 f"GRANT READ FILES, WRITE FILES ON EXTERNAL LOCATION loc TO `{who}`",
                 f"GRANT USE SCHEMA, CREATE TABLE, CREATE FUNCTION, SELECT, MODIFY ON SCHEMA main.own TO `{who}`"):
        admin(text)
    for text in (f"CREATE VIEW main.own.over_f AS SELECT * FROM {CAT}.s.f", f"CREATE VIEW main.own.over_v AS SELECT * FROM {CAT}.s.v",
                 f"CREATE FUNCTION main.own.peek(x BIGINT) RETURNS STRING RETURN (SELECT max(name) FROM {CAT}.s.f WHERE id = x)"):
        carol(text)
    carol.name, carol.client = who, client
    return carol


def test_filters_masks_and_views_hold(admin, carol, names):
    told = []
    for text in sql_doors.HELD:
        text = text.format(**names)
        got = carol.run(text)
        shown = json.dumps([got.get("result"), got["status"].get("error")])
        if any(h in shown for h in HIDDEN):
            told.append((text, shown[:400]))
    assert not told, told
    # Nothing of it was damaged either: behind the mask are the values of before, and the hidden row is there.
    admin(f"ALTER TABLE {CAT}.s.m ALTER COLUMN secret DROP MASK")
    assert admin(f"SELECT id, secret FROM {CAT}.s.m ORDER BY id") == [["1", "x1-hidden"], ["2", "x2-hidden"], ["3", "x3-hidden"]]
    admin(f"ALTER TABLE {CAT}.s.m ALTER COLUMN secret SET MASK {CAT}.s.hide")
    admin(f"ALTER TABLE {CAT}.s.f DROP ROW FILTER")
    assert admin(f"SELECT name FROM {CAT}.s.f WHERE id = 2") == [["hidden-row"]]
    admin(f"ALTER TABLE {CAT}.s.f SET ROW FILTER {CAT}.s.odd ON (id)")


def test_functions_read_with_their_owners_rights(admin, carol):
    """Tables and other functions that a body names, in every form that RETURN may have."""
    assert carol(f"SELECT * FROM {CAT}.s.tf() ORDER BY id") == [["1", "11"], ["3", "33"]]
    assert carol(f"SELECT id FROM {CAT}.s.tf() WHERE CAST(name AS INT) > 20") == [["3"]]
    assert carol(f"SELECT {CAT}.s.sf(1), {CAT}.s.sf(2), {CAT}.s.nest(3)") == [["11", None, "33"]]
    carol.fails(f"SELECT name FROM {CAT}.s.t", "SELECT on Table")
    assert "Not shown" in carol(f"EXPLAIN SELECT * FROM {CAT}.s.tf()")[0][0]
    assert "SELECT on Table" in carol(f"EXPLAIN SELECT * FROM {CAT}.s.t")[0][0]
    assert "Not shown" not in admin(f"EXPLAIN SELECT * FROM {CAT}.s.tf()")[0][0]
    # Errors in a body of another owner do not show the body.
    admin(f"CREATE TABLE {CAT}.s.sh AS SELECT 1 AS nothing, 'a' AS name")
    admin(f"CREATE FUNCTION {CAT}.s.broken() RETURNS INT RETURN SELECT nothing FROM {CAT}.s.sh WHERE name = 'x1-hidden'")
    admin(f"CREATE OR REPLACE TABLE {CAT}.s.sh AS SELECT 1 AS other, 'a' AS name")
    admin(f"GRANT EXECUTE ON FUNCTION {CAT}.s.broken TO `{carol.name}`")
    assert "WHERE name =" in admin.fails(f"SELECT {CAT}.s.broken()", "UNRESOLVED_COLUMN")
    assert "WHERE" not in carol.fails(f"SELECT {CAT}.s.broken()", "UNRESOLVED_COLUMN")
    admin(f"DROP FUNCTION {CAT}.s.broken")
    admin(f"DROP TABLE {CAT}.s.sh")


def test_what_is_ones_own_opens_nothing(carol):
    carol("CREATE TABLE main.own.moving AS SELECT 1 AS a")
    carol("CREATE VIEW main.own.turning AS SELECT 1 AS id")
    carol.fails(f"ALTER TABLE main.own.moving RENAME TO {CAT}.s.moving", "CREATE TABLE on Schema")
    carol.fails(f"ALTER VIEW main.own.turning AS SELECT id FROM {CAT}.s.t", "SELECT on Table")
    carol.fails(f"CREATE OR REPLACE FUNCTION {CAT}.s.hide(v STRING) RETURNS STRING RETURN v", "CREATE FUNCTION on Schema")
    carol("DROP TABLE main.own.moving")
    carol("DROP VIEW main.own.turning")


def test_old_versions_mean_what_todays_columns_mean(admin, carol):
    """A mask hangs on a name: a version in which the name was another column's is not read, nor brought back."""
    r = f"{CAT}.s.r"
    assert carol(f"SELECT id, open, other FROM {r} ORDER BY id") == [["1", "a", "#1"], ["2", "b", "#2"]]
    for text in (f"SELECT * FROM {r} VERSION AS OF 1", f"SELECT open FROM {r} VERSION AS OF 1", f"RESTORE TABLE {r} TO VERSION AS OF 1"):
        carol.fails(text, "UNSUPPORTED_FEATURE.TABLE_OPERATION")
        admin.fails(text, "UNSUPPORTED_FEATURE.TABLE_OPERATION")
    carol.fails(f"ALTER TABLE {r} RENAME COLUMN id TO number", "is read by a mask")
    assert {(h[5], h[12]) for h in carol(f"DESCRIBE HISTORY {r}")} == {(None, None)}
    admin(f"ALTER TABLE {r} ALTER COLUMN other DROP MASK")
    assert admin(f"SELECT open FROM {r} VERSION AS OF 1 WHERE id = 3") == [["x3-hidden"]]
    assert any("x3-hidden" in h[5] for h in admin(f"DESCRIBE HISTORY {r}"))
    admin(f"ALTER TABLE {r} ALTER COLUMN other SET MASK {CAT}.s.with_id USING COLUMNS (id)")
    admin(f"CREATE TABLE {CAT}.s.rf (id BIGINT, n INT) TBLPROPERTIES (delta.columnMapping.mode = 'name')")
    admin(f"ALTER TABLE {CAT}.s.rf SET ROW FILTER {CAT}.s.odd ON (id)")
    for text in ("RENAME COLUMN id TO number", "DROP COLUMN id"):
        admin.fails(f"ALTER TABLE {CAT}.s.rf {text}", "is read by the row filter")
    admin(f"ALTER TABLE {CAT}.s.rf RENAME COLUMN n TO m")
    admin(f"DROP TABLE {CAT}.s.rf")


def test_calm_queries_stay_fast_and_right(carol):
    """Conditions that cannot fail are not kept away from the scan, and the answers are the same."""
    assert carol(f"SELECT id FROM {CAT}.s.f WHERE name = '33' AND amount IN (1, 3) OR name LIKE '1%' ORDER BY id") == [["1"], ["3"]]
    assert carol(f"SELECT a.id FROM {CAT}.s.f a JOIN {CAT}.s.v b ON a.id = b.id WHERE b.name IS NOT NULL ORDER BY 1") == [["1"], ["3"]]
    assert carol(f"SELECT count(*) FROM {CAT}.s.f WHERE CAST(name AS INT) > 20") == [["1"]]


def test_a_grant_taken_counts_for_the_next_statement(platform, admin, world):
    who, client, bob = another(platform, "coming")
    group = platform.sdk().groups.create(display_name="doors-group")
    admin("GRANT USE CATALOG ON CATALOG doors TO `account users`")
    admin("GRANT USE SCHEMA ON SCHEMA doors.s TO `account users`")
    query = "SELECT count(*) FROM doors.s.t"
    for _ in range(5):
        admin(f"GRANT SELECT ON TABLE doors.s.t TO `{who}`")
        assert bob(query) == [["3"]] and bob(query) == [["3"]]
        admin(f"REVOKE SELECT ON TABLE doors.s.t FROM `{who}`")
        assert "SELECT on Table" in bob.fails(query)
    # through a group, a function, a filter
    admin(f"GRANT SELECT ON TABLE doors.s.t TO `{group.display_name}`")
    assert "SELECT on Table" in bob.fails(query)
    me = next(p for p in platform.sdk().service_principals.list() if p.application_id == who)
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "members", "value": [{"value": me.id}]}]}
    assert platform.request("PATCH", f"/api/2.0/preview/scim/v2/Groups/{group.id}", body).status_code < 300
    assert bob(query) == [["3"]]
    body["Operations"] = [{"op": "remove", "path": f'members[value eq "{me.id}"]'}]
    assert platform.request("PATCH", f"/api/2.0/preview/scim/v2/Groups/{group.id}", body).status_code < 300
    assert "SELECT on Table" in bob.fails(query)
    admin(f"GRANT SELECT ON TABLE doors.s.t TO `{who}`")
    assert bob("SELECT count(*) FROM doors.s.t") == [["3"]]
    admin("ALTER TABLE doors.s.t SET ROW FILTER doors.s.odd ON (id)")
    assert bob("SELECT count(*) FROM doors.s.t") == [["2"]]
    admin("ALTER TABLE doors.s.t DROP ROW FILTER")
    assert bob("SELECT count(*) FROM doors.s.t") == [["3"]]
    for g in ("USE CATALOG ON CATALOG doors", "USE SCHEMA ON SCHEMA doors.s"):
        admin(f"REVOKE {g} FROM `account users`")
    assert "NOT_FOUND" in bob.fails(query)


def test_an_open_connection_sees_what_was_taken(platform, admin, world):
    """Temporary views, cached tables, others' views and functions over them: each statement asks again, for every owner on the way."""
    from databricks import sql
    who, client, ann = another(platform, "staying")
    other, _, ben = another(platform, "staying too")
    path, token = platform.connect["DATABRICKS_HTTP_PATH"], ann.token
    take = f"REVOKE SELECT ON TABLE {CAT}.s.t FROM `{who}`"
    for p in (who, other):
        for text in (f"GRANT USE CATALOG ON CATALOG {CAT} TO `{p}`", f"GRANT USE SCHEMA ON SCHEMA {CAT}.s TO `{p}`",
                     f"GRANT USE SCHEMA, CREATE TABLE, CREATE FUNCTION, SELECT, EXECUTE ON SCHEMA main.own TO `{p}`"):
            admin(text)
    admin(f"GRANT SELECT ON TABLE {CAT}.s.t TO `{who}`")
    with sql.connect("127.0.0.1", path, token, _connection_uri=platform.url + path, enable_telemetry=False) as con, con.cursor() as cur:
        for text in (f"CREATE TEMPORARY VIEW staying AS SELECT * FROM {CAT}.s.t", f"CACHE TABLE {CAT}.s.t", f"CREATE VIEW main.own.staying AS SELECT id FROM {CAT}.s.t",
                     f"CREATE FUNCTION main.own.staying() RETURNS BIGINT RETURN SELECT count(*) FROM {CAT}.s.t"):
            cur.execute(text)
        ben("CREATE VIEW main.own.staying_on AS SELECT * FROM main.own.staying")
        reads = ["SELECT count(*) FROM staying", f"SELECT count(*) FROM {CAT}.s.t", "SELECT count(*) FROM main.own.staying", "SELECT main.own.staying()",
                 "SELECT count(*) FROM main.own.staying_on"]
        for lost in (take, f"REVOKE USE SCHEMA ON SCHEMA {CAT}.s FROM `{who}`"):
            assert [cur.execute(text).fetchall()[0][0] for text in reads] == [3] * 5
            assert [ben(text)[0][0] for text in reads[2:]] == ["3"] * 3
            admin(lost)
            for text in reads:
                with pytest.raises(sql.exc.Error, match="SELECT on Table|USE SCHEMA on Schema"):
                    cur.execute(text)
            for text in reads[2:]:
                ben.fails(text, "INSUFFICIENT_PERMISSIONS")
            admin(f"GRANT USE SCHEMA ON SCHEMA {CAT}.s TO `{who}`")
            admin(f"GRANT SELECT ON TABLE {CAT}.s.t TO `{who}`")
        for text in ("DROP VIEW main.own.staying", "DROP FUNCTION main.own.staying"):
            cur.execute(text)
    ben("DROP VIEW main.own.staying_on")
    admin(take)


# ---- the other wire ----

def test_the_same_through_thrift(platform, world, carol, names):
    from databricks import sql
    _, client, _ = another(platform, "thrift")
    path = platform.connect["DATABRICKS_HTTP_PATH"]

    def connect(token):
        return sql.connect("localhost", path, token, _connection_uri=platform.url + path, enable_telemetry=False)

    with connect(client.config.authenticate()["Authorization"].split()[1]) as con, con.cursor() as cur:
        for _, text in sql_doors.CLOSED[:12]:
            with pytest.raises(sql.exc.Error) as e:
                cur.execute(text.format(**names, me="me"))
            assert not any(h in str(e.value) for h in HIDDEN)
        assert cur.tables(catalog_name=CAT).fetchall() == []
        assert cur.columns(catalog_name=CAT).fetchall() == []
        assert cur.schemas(catalog_name=CAT).fetchall() == []
        assert CAT not in {r[0] for r in cur.catalogs().fetchall()}
    with connect(carol.token) as con, con.cursor() as cur:
        for text in sql_doors.HELD[:12]:
            try:
                shown = str(cur.execute(text.format(**names)).fetchall())
            except sql.exc.Error as e:
                shown = str(e)
            assert not any(h in shown for h in HIDDEN), text
        assert {r[2] for r in cur.tables(catalog_name=CAT, schema_name="s").fetchall()} == {"f", "m", "p", "q", "r", "v", "x"}


# ---- REST ----

REST = {
    "catalogs.get": lambda w, o: w.catalogs.get(CAT),
    "catalogs.update": lambda w, o: w.catalogs.update(CAT, comment="x"),
    "catalogs.delete": lambda w, o: w.catalogs.delete(CAT, force=True),
    "schemas.get": lambda w, o: w.schemas.get(f"{CAT}.s"),
    "schemas.create": lambda w, o: w.schemas.create("mine", CAT),
    "schemas.update": lambda w, o: w.schemas.update(f"{CAT}.s", comment="x"),
    "schemas.delete": lambda w, o: w.schemas.delete(f"{CAT}.s", force=True),
    "schemas.list": lambda w, o: list(w.schemas.list(CAT)),
    "tables.get": lambda w, o: w.tables.get(f"{CAT}.s.t"),
    "tables.list": lambda w, o: list(w.tables.list(CAT, "s")),
    "tables.summaries": lambda w, o: list(w.tables.list_summaries(CAT)),
    "tables.update": lambda w, o: w.tables.update(f"{CAT}.s.t", owner="admin"),
    "tables.delete": lambda w, o: w.tables.delete(f"{CAT}.s.t"),
    "constraints": lambda w, o: w.table_constraints.create(f"{CAT}.s.t", catalog.TableConstraint(
        primary_key_constraint=catalog.PrimaryKeyConstraint(name="pk", child_columns=["id"]))),
    "volumes.read": lambda w, o: w.volumes.read(f"{CAT}.s.vol"),
    "volumes.list": lambda w, o: list(w.volumes.list(CAT, "s")),
    "volumes.update": lambda w, o: w.volumes.update(f"{CAT}.s.vol", comment="x"),
    "volumes.delete": lambda w, o: w.volumes.delete(f"{CAT}.s.vol"),
    "volumes.create": lambda w, o: w.volumes.create(CAT, "s", "mine", catalog.VolumeType.MANAGED),
    "functions.get": lambda w, o: w.functions.get(f"{CAT}.s.fn"),
    "functions.list": lambda w, o: list(w.functions.list(CAT, "s")),
    "functions.delete": lambda w, o: w.functions.delete(f"{CAT}.s.fn"),
    "models.create": lambda w, o: w.registered_models.create(catalog_name=CAT, schema_name="s", name="mine"),
    "models.list": lambda w, o: list(w.registered_models.list(catalog_name=CAT, schema_name="s")),
    "models.get": lambda w, o: w.registered_models.get(f"{CAT}.s.model"),
    "models.versions": lambda w, o: list(w.model_versions.list(f"{CAT}.s.model")),
    "grants.get": lambda w, o: w.grants.get("table", f"{CAT}.s.t"),
    "grants.effective": lambda w, o: w.grants.get_effective("table", f"{CAT}.s.t"),
    "grants.update": lambda w, o: w.grants.update("table", f"{CAT}.s.t", changes=[catalog.PermissionsChange(
        principal="account users", add=[catalog.Privilege.SELECT])]),
    "locations.get": lambda w, o: w.external_locations.get("loc"),
    "locations.create": lambda w, o: w.external_locations.create("mine", o["loc"], "local"),
    "locations.delete": lambda w, o: w.external_locations.delete("loc", force=True),
    "credentials.create": lambda w, o: w.storage_credentials.create("mine"),
    "table credentials": lambda w, o: w.temporary_table_credentials.generate_temporary_table_credentials(
        table_id=o["table_id"], operation=catalog.TableOperation.READ),
    "table credentials of a filtered table": lambda w, o: w.temporary_table_credentials.generate_temporary_table_credentials(
        table_id=o["filtered_id"], operation=catalog.TableOperation.READ),
    "path credentials": lambda w, o: w.api_client.do("POST", "/api/2.1/unity-catalog/temporary-path-credentials",
                                                     body={"url": o["loc"] + "/x", "operation": "PATH_READ"}),
    "files.download": lambda w, o: w.files.download(f"/Volumes/{CAT}/s/vol/a.csv").contents.read(),
    "files.upload": lambda w, o: w.files.upload(f"/Volumes/{CAT}/s/vol/b.csv", io.BytesIO(b"1"), overwrite=True),
    "files.delete": lambda w, o: w.files.delete(f"/Volumes/{CAT}/s/vol/a.csv"),
    "files.list": lambda w, o: list(w.files.list_directory_contents(f"/Volumes/{CAT}/s/vol")),
    "files.mkdir": lambda w, o: w.files.create_directory(f"/Volumes/{CAT}/s/vol/d"),
    "files by id": lambda w, o: w.files.download(f"/Volumes/.id/{o['volume_id']}/a.csv").contents.read(),
    "another's statement": lambda w, o: w.statement_execution.get_statement(o["statement"]),
    "another's result": lambda w, o: w.statement_execution.get_statement_result_chunk_n(o["statement"], 0),
    "another's cancel": lambda w, o: w.api_client.do("GET", f"/api/2.0/sql/statements/{o['statement']}"),
}


@pytest.fixture(scope="module")
def objects(platform, admin, world, names):
    w = platform.sdk()
    got = admin.run(f"SELECT secret FROM {CAT}.s.t")
    return {"loc": names["loc"], "table_id": w.tables.get(f"{CAT}.s.t").table_id, "filtered_id": w.tables.get(f"{CAT}.s.f").table_id,
            "volume_id": w.volumes.read(f"{CAT}.s.vol").volume_id, "statement": got["statement_id"]}


def test_every_rest_door_is_closed(platform, objects):
    _, theirs, _ = another(platform, "rest")
    wrong = []
    for name, call in REST.items():
        try:
            got = call(theirs, objects)
        except (errors.PermissionDenied, errors.NotFound, errors.InvalidParameterValue) as e:
            if any(h in str(e) for h in HIDDEN):
                wrong.append((name, str(e)))
            continue
        if got not in ([], None):
            wrong.append((name, str(got)[:300]))
    assert not wrong, wrong


# ---- places ----

def test_places_are_opened_by_those_who_may(platform, admin, world, names):
    """Managed locations, locations that move, and tables that come back: none leads to files that nobody gave."""
    who, theirs, bob = another(platform, "places")
    w, loc = platform.sdk(), names["loc"]
    (platform.place / "team").mkdir()
    (platform.place / "closed").mkdir()
    team, closed = f"file://{platform.place}/team", f"file://{platform.place}/closed"
    for text in (f"GRANT USE CATALOG, CREATE SCHEMA ON CATALOG {CAT} TO `{who}`", f"CREATE EXTERNAL LOCATION team URL '{team}' WITH (CREDENTIAL local)",
                 f"GRANT MANAGE, READ FILES, CREATE EXTERNAL VOLUME, CREATE EXTERNAL TABLE ON EXTERNAL LOCATION team TO `{who}`"):
        admin(text)
    for root in (loc, f"{loc}/x", closed, "file:///etc", team, f"file://{platform.data}/tables"):
        with pytest.raises(errors.PermissionDenied, match="CREATE_MANAGED_STORAGE"):
            theirs.schemas.create("placed", CAT, storage_root=root)
        bob.fails(f"CREATE SCHEMA {CAT}.placed MANAGED LOCATION '{root}'", "CREATE_MANAGED_STORAGE")
    with pytest.raises(errors.PermissionDenied, match="CREATE_EXTERNAL_LOCATION"):
        theirs.external_locations.update("team", url=closed)
    bob.fails(f"ALTER EXTERNAL LOCATION team SET URL '{closed}'", "CREATE_EXTERNAL_LOCATION")
    assert theirs.external_locations.update("team", comment="ours").url == team
    # A managed location and a volume cannot lie in each other: the volume's readers would have the tables' files.
    admin(f"GRANT CREATE MANAGED STORAGE ON EXTERNAL LOCATION team TO `{who}`")
    made = theirs.schemas.create("placed", CAT, storage_root=f"{team}/root/")
    assert made.storage_root == f"{team}/root"
    for at in (team, f"{team}/root", f"{team}/root/tables"):
        bob.fails(f"CREATE EXTERNAL VOLUME {CAT}.placed.v LOCATION '{at}'", "overlaps")
        with pytest.raises(errors.InvalidParameterValue, match="overlaps"):
            theirs.volumes.create(CAT, "placed", "v", catalog.VolumeType.EXTERNAL, storage_location=at)
    bob(f"CREATE TABLE {CAT}.placed.t AS SELECT 1 AS a")
    assert theirs.tables.get(f"{CAT}.placed.t").storage_location.startswith(f"{team}/root/tables/")
    theirs.schemas.create("beside", CAT, storage_root=f"{team}/root")
    bob(f"CREATE TABLE {CAT}.beside.t AS SELECT 1 AS a")
    with pytest.raises(errors.InvalidParameterValue, match="overlaps"):
        theirs.schemas.create("inside", CAT, storage_root=theirs.tables.get(f"{CAT}.placed.t").storage_location)
    # A location with tables in it moves only by force, whoever asks.
    with pytest.raises(errors.BadRequest, match="holds tables or volumes"):
        w.external_locations.update("team", url=closed)
    # An external table whose place was given to a volume meanwhile does not come back over it.
    bob(f"CREATE TABLE {CAT}.placed.e LOCATION '{team}/e' AS SELECT 'x1-hidden' AS a")
    bob(f"DROP TABLE {CAT}.placed.e")
    bob(f"CREATE EXTERNAL VOLUME {CAT}.placed.v LOCATION '{team}/e'")
    bob.fails(f"UNDROP TABLE {CAT}.placed.e", "overlaps")
    bob(f"DROP VOLUME {CAT}.placed.v")
    bob(f"UNDROP TABLE {CAT}.placed.e")
    assert bob(f"SELECT a FROM {CAT}.placed.e") == [["x1-hidden"]]


def test_volumes_give_credentials_and_locations_are_tried(platform, admin, world, names):
    who, theirs, _ = another(platform, "volumes")
    w, loc = platform.sdk(), names["loc"]
    v = w.volumes.create(CAT, "s", "outside", catalog.VolumeType.EXTERNAL, storage_location=f"{loc}/outside")
    give = catalog.VolumeOperation.READ_VOLUME
    admin(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA {CAT}.s TO `{w.current_user.me().user_name}`")
    assert w.temporary_volume_credentials.generate_temporary_volume_credentials(volume_id=v.volume_id, operation=give).url == f"{loc}/outside"
    for ident in (v.volume_id, "00000000-0000-4000-0000-000000000001", "x"):
        with pytest.raises(errors.ResourceDoesNotExist):
            theirs.temporary_volume_credentials.generate_temporary_volume_credentials(volume_id=ident, operation=give)
    for text in (f"GRANT USE CATALOG ON CATALOG {CAT} TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA {CAT}.s TO `{who}`", f"GRANT READ VOLUME ON VOLUME {CAT}.s.outside TO `{who}`"):
        admin(text)
    with pytest.raises(errors.PermissionDenied, match="EXTERNAL_USE_SCHEMA"):
        theirs.temporary_volume_credentials.generate_temporary_volume_credentials(volume_id=v.volume_id, operation=give)
    admin(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA {CAT}.s TO `{who}`")
    assert theirs.temporary_volume_credentials.generate_temporary_volume_credentials(volume_id=v.volume_id, operation=give).url == f"{loc}/outside"
    with pytest.raises(errors.PermissionDenied, match="WRITE_VOLUME"):
        theirs.temporary_volume_credentials.generate_temporary_volume_credentials(volume_id=v.volume_id, operation=catalog.VolumeOperation.WRITE_VOLUME)
    with pytest.raises(errors.InvalidParameterValue, match="managed volume"):
        w.temporary_volume_credentials.generate_temporary_volume_credentials(volume_id=w.volumes.read(f"{CAT}.s.vol").volume_id, operation=give)
    got = w.storage_credentials.validate(external_location_name="loc")
    assert got.is_dir and [(x.operation.value, x.result.value) for x in got.results] == [("LIST", "PASS"), ("READ", "SKIP"), ("WRITE", "SKIP"), ("DELETE", "SKIP")]
    assert w.storage_credentials.validate(external_location_name="loc", url=f"{loc}/none").results[0].result.value == "FAIL"
    with pytest.raises(errors.InvalidParameterValue, match="does not lie in"):
        w.storage_credentials.validate(external_location_name="loc", url="file:///etc")
    with pytest.raises(errors.ResourceDoesNotExist):
        theirs.storage_credentials.validate(external_location_name="loc")
    with pytest.raises(errors.PermissionDenied, match="CREATE_EXTERNAL_LOCATION"):
        theirs.storage_credentials.validate(url=loc)
    w.volumes.delete(f"{CAT}.s.outside")


def test_browse_tells_of_things_not_of_what_is_in_them(platform, admin, world):
    who, theirs, bob = another(platform, "browsing")
    admin(f"GRANT BROWSE ON CATALOG {CAT} TO `{who}`")
    assert theirs.tables.get(f"{CAT}.s.t", include_browse=True).browse_only
    assert bob(f"DESCRIBE TABLE {CAT}.s.t")[0][:2] == ["id", "bigint"]
    for text in (f"SELECT * FROM {CAT}.s.t", f"DESCRIBE HISTORY {CAT}.s.t", f"DESCRIBE DETAIL {CAT}.s.t", f"SELECT {CAT}.s.fn(1)"):
        bob.fails(text, "INSUFFICIENT_PERMISSIONS")
    admin(f"REVOKE BROWSE ON CATALOG {CAT} FROM `{who}`")


def test_history_shows_ones_own(platform, objects):
    _, theirs, bob = another(platform, "historian")
    bob("SELECT 'mine'")
    texts = [q.query_text for q in theirs.query_history.list(max_results=100).res or []]
    assert not any("secret" in t for t in texts) and any("mine" in t for t in texts)


def test_explain_access_says_why(platform, admin, world):
    who, _, bob = another(platform, "asking")
    group = platform.sdk().groups.create(display_name="asking-group")
    me = next(p for p in platform.sdk().service_principals.list() if p.application_id == who)
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "members", "value": [{"value": me.id}]}]}
    assert platform.request("PATCH", f"/api/2.0/preview/scim/v2/Groups/{group.id}", body).status_code < 300
    admin(f"GRANT USE CATALOG ON CATALOG {CAT} TO `asking-group`")
    admin(f"GRANT SELECT ON SCHEMA {CAT}.s TO `{who}`")

    def explain(sql):
        return {r[0]: (r[3], r[4]) for r in sql(f"EXPLAIN ACCESS `{who}` ON TABLE {CAT}.s.t")}

    told = explain(admin)
    assert told["USE CATALOG"][0] == "true" and f"(service principal '{who}', in group 'asking-group')" in told["USE CATALOG"][1]
    assert told["USE SCHEMA"] == ("false", f"missing: USE SCHEMA is not granted on Schema '{CAT}.s' or above")
    assert told["SELECT"][0] == "false" and f"granted on Schema '{CAT}.s'" in told["SELECT"][1] and "missing: USE SCHEMA on Schema" in told["SELECT"][1]
    assert "USE SCHEMA" in bob.fails(f"SELECT 1 FROM {CAT}.s.t")
    admin(f"GRANT USE SCHEMA ON SCHEMA {CAT}.s TO `{who}`")
    assert explain(bob)["SELECT"][0] == "true" and explain(bob)["MODIFY"][0] == "false"
    assert bob(f"SELECT count(*) FROM {CAT}.s.t") == [["3"]]
    owner = {r[0]: r for r in admin(f"EXPLAIN ACCESS admin ON SCHEMA {CAT}.s")}
    assert owner["CREATE TABLE"][3] == "true" and f"Catalog '{CAT}' is owned by user 'admin'" in owner["CREATE TABLE"][4]


def test_schemas_come_back_with_all_in_them(admin, world):
    for text in ("CREATE SCHEMA doors.back", "CREATE TABLE doors.back.t AS SELECT 7 AS a", "CREATE FUNCTION doors.back.g() RETURNS INT RETURN 1",
                 "ALTER TABLE doors.back.t SET TAGS ('k' = 'v')", "DROP SCHEMA doors.back CASCADE"):
        admin(text)
    assert "NOT_FOUND" in admin.fails("SELECT * FROM doors.back.t")
    assert [r[1] for r in admin("SHOW SCHEMAS DROPPED IN doors")][:1] == ["back"]
    ident = admin("SHOW SCHEMAS DROPPED IN doors LIMIT 1")[0][2]
    admin("CREATE SCHEMA doors.back")
    assert "ALREADY_EXISTS" in admin.fails("UNDROP SCHEMA doors.back")
    admin("DROP SCHEMA doors.back")
    admin("UNDROP SCHEMA doors.back")  # the youngest: the empty one
    assert admin("SHOW TABLES IN doors.back") == []
    admin("DROP SCHEMA doors.back")
    older = [r[2] for r in admin("SHOW SCHEMAS DROPPED IN doors") if r[1] == "back"]
    assert ident in older
    admin("ALTER CATALOG doors SET TAGS ('seen' = 'yes')")
    assert admin("SELECT tag_value FROM doors.information_schema.catalog_tags WHERE tag_name = 'seen'") == [["yes"]]
