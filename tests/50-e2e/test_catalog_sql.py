# SPDX-License-Identifier: Apache-2.0
"""The catalog through SQL: DDL, grants at each door, views, filters and masks, information_schema, SHOW, DESCRIBE."""

import io
import json
import uuid

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog
from statements import Sql, another


@pytest.fixture(scope="module")
def wh(platform):
    return platform.connect["DATABRICKS_WAREHOUSE_ID"]


@pytest.fixture(scope="module")
def admin(platform):
    return Sql(platform)


@pytest.fixture(scope="module")
def someone(platform):
    """(name, client, statements) of an identity that may use the warehouse and holds nothing else."""
    return another(platform, "catalog")


@pytest.fixture(scope="module")
def bob(someone):
    return someone[2]


@pytest.fixture(scope="module")
def bob_name(someone):
    return someone[0]


@pytest.fixture(scope="module")
def cat(admin):
    name = f"c_{uuid.uuid4().hex[:8]}"
    admin(f"CREATE CATALOG {name} COMMENT 'for tests'")
    admin(f"CREATE SCHEMA {name}.s")
    admin(f"CREATE TABLE {name}.s.t (id BIGINT NOT NULL, name STRING COMMENT 'who', secret STRING)")
    admin(f"INSERT INTO {name}.s.t VALUES (1, 'a', 'x1'), (2, 'b', 'x2'), (3, 'c', 'x3')")
    yield name
    admin(f"DROP CATALOG {name} CASCADE")


def test_tables_through_ddl(admin, cat):
    assert admin(f"SELECT count(*) FROM {cat}.s.t") == [["3"]]
    assert admin(f"DESCRIBE TABLE {cat}.s.t")[:2] == [["id", "bigint", None], ["name", "string", "who"]]
    assert admin.columns == ["col_name", "data_type", "comment"]
    assert admin(f"SHOW TABLES IN {cat}.s") == [["s", "t", "false"]]
    row, = admin(f"DESCRIBE TABLE EXTENDED {cat}.s.t AS JSON")
    told = json.loads(row[0])
    assert told["columns"][0]["type"] == {"name": "bigint"} and told["type"] == "MANAGED" and told["provider"] == "delta"
    assert "CREATE TABLE" in admin(f"SHOW CREATE TABLE {cat}.s.t")[0][0]
    admin.fails(f"CREATE TABLE {cat}.s.t (a INT)", "TABLE_OR_VIEW_ALREADY_EXISTS")
    admin.fails(f"SELECT * FROM {cat}.s.nothing", "TABLE_OR_VIEW_NOT_FOUND")
    admin.fails(f"DROP SCHEMA {cat}.s", "SCHEMA_NOT_EMPTY")


def test_nobody_without_grants(admin, bob, bob_name, cat):
    for text in (f"SELECT * FROM {cat}.s.t", f"INSERT INTO {cat}.s.t VALUES (9, 'z', 'z')", f"DESCRIBE TABLE {cat}.s.t", f"DELETE FROM {cat}.s.t",
                 f"SHOW CREATE TABLE {cat}.s.t", f"DROP TABLE {cat}.s.t", f"ALTER TABLE {cat}.s.t RENAME TO {cat}.s.u", f"SELECT * FROM {cat}.s.t VERSION AS OF 0",
                 f"CREATE TABLE {cat}.s.mine (a INT)", f"GRANT SELECT ON TABLE {cat}.s.t TO `{bob_name}`"):
        got = bob.run(text)
        assert got["status"]["state"] == "FAILED", text
        assert "x1" not in json.dumps(got)
    assert cat not in {r[0] for r in bob("SHOW CATALOGS")}
    assert bob(f"SELECT * FROM system.information_schema.tables WHERE table_catalog = '{cat}'") == []
    admin(f"GRANT USE CATALOG ON CATALOG {cat} TO `{bob_name}`")
    bob.fails(f"SELECT * FROM {cat}.s.t", "USE SCHEMA on Schema")
    admin(f"GRANT USE SCHEMA ON SCHEMA {cat}.s TO `{bob_name}`")
    bob.fails(f"SELECT * FROM {cat}.s.t", "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: you do not have SELECT on Table")
    admin(f"GRANT SELECT ON TABLE {cat}.s.t TO `{bob_name}`")
    assert bob(f"SELECT id FROM {cat}.s.t ORDER BY id") == [["1"], ["2"], ["3"]]
    bob.fails(f"INSERT INTO {cat}.s.t VALUES (9, 'z', 'z')", "MODIFY on Table")
    admin(f"REVOKE SELECT ON TABLE {cat}.s.t FROM `{bob_name}`")
    bob.fails(f"SELECT * FROM {cat}.s.t", "SELECT on Table")


def test_views_read_with_their_owners_rights(admin, bob, bob_name, cat):
    admin(f"CREATE VIEW {cat}.s.v AS SELECT id, name FROM {cat}.s.t WHERE id < 3")
    bob.fails(f"SELECT * FROM {cat}.s.v", "SELECT on View")
    admin(f"GRANT SELECT ON VIEW {cat}.s.v TO `{bob_name}`")
    assert bob(f"SELECT name FROM {cat}.s.v ORDER BY id") == [["a"], ["b"]]
    bob.fails(f"SELECT * FROM {cat}.s.t", "SELECT on Table")
    admin.fails(f"DROP TABLE {cat}.s.v", "WRONG_COMMAND_FOR_OBJECT_TYPE")


def test_views_keep_their_columns_as_tables_grow(admin, cat):
    admin(f"CREATE TABLE {cat}.s.grows (a INT, b STRING)")
    admin(f"INSERT INTO {cat}.s.grows VALUES (1, 'x')")
    admin(f"CREATE VIEW {cat}.s.stays AS SELECT * FROM {cat}.s.grows")
    admin(f"ALTER TABLE {cat}.s.grows ADD COLUMN (c INT FIRST)")
    assert admin(f"SELECT * FROM {cat}.s.stays") == [["1", "x"]]
    admin(f"DROP VIEW {cat}.s.stays")
    admin(f"DROP TABLE {cat}.s.grows")


def test_filters_and_masks_hold(admin, bob, bob_name, cat):
    admin(f"CREATE TABLE {cat}.s.f AS SELECT * FROM {cat}.s.t")
    admin(f"CREATE FUNCTION {cat}.s.only_odd(i BIGINT) RETURNS BOOLEAN RETURN i % 2 = 1")
    admin(f"CREATE FUNCTION {cat}.s.hide(v STRING) RETURNS STRING RETURN '***'")
    admin(f"ALTER TABLE {cat}.s.f SET ROW FILTER {cat}.s.only_odd ON (id)")
    admin(f"ALTER TABLE {cat}.s.f ALTER COLUMN secret SET MASK {cat}.s.hide")
    admin(f"GRANT SELECT ON TABLE {cat}.s.f TO `{bob_name}`")
    assert bob(f"SELECT id, secret FROM {cat}.s.f ORDER BY id") == [["1", "***"], ["3", "***"]]
    assert bob(f"SELECT count(*) FROM {cat}.s.f WHERE secret = 'x1'") == [["0"]]
    assert bob(f"SELECT max(id), min(secret) FROM (SELECT * FROM {cat}.s.f)") == [["3", "***"]]
    bob.fails(f"SELECT {cat}.s.hide('a')", "EXECUTE on Function")


def test_metric_views_are_refused(admin, cat):
    admin.fails(f"CREATE VIEW {cat}.s.metric WITH METRICS LANGUAGE YAML AS $$\nversion: 0.1\nsource: {cat}.s.t\n$$", "UNSUPPORTED_FEATURE.SQL_STATEMENT")
    admin.fails(f"SELECT * FROM {cat}.s.metric", "TABLE_OR_VIEW_NOT_FOUND")


def test_filters_and_masks_take_constants(admin, bob, bob_name, cat, sdk):
    """Constants beside columns, each of its own type; anything that would be evaluated with each query of others is refused."""
    t = f"{cat}.s.constants"
    admin(f"CREATE TABLE {t} (id STRING, `a,b` STRING, secret STRING) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    admin(f"INSERT INTO {t} VALUES ('k1', 'ab', 'pw'), ('k2', 'ab', 'pw')")
    admin(f"CREATE FUNCTION {cat}.s.odd_mask(v STRING, id STRING, ab STRING, t STRING, n INT, b BOOLEAN, x STRING, i INTERVAL DAY, m DECIMAL(3,1), d DATE) RETURNS STRING"
          " RETURN concat_ws('|', v, id, ab, t, n, b, coalesce(x, 'none'), i, m, d)")
    admin(f"CREATE FUNCTION {cat}.s.one(id STRING, which STRING) RETURNS BOOLEAN RETURN id = which")
    admin(f"ALTER TABLE {t} ALTER COLUMN secret SET MASK {cat}.s.odd_mask"
          " USING COLUMNS (id, `a,b`, 'it''s (a), text', 333, true, null, INTERVAL 2 DAYS, -1.5, DATE'2024-01-02')")
    admin(f"ALTER TABLE {t} SET ROW FILTER {cat}.s.one ON (id, 'k2')")
    admin(f"GRANT SELECT ON TABLE {t} TO `{bob_name}`")
    assert bob(f"SELECT id, secret FROM {t}") == [["k2", "pw|k2|ab|it's (a), text|333|true|none|INTERVAL '2' DAY|-1.5|2024-01-02"]]
    mask = sdk.tables.get(t).columns[2].mask
    assert mask.using_column_names[:4] == ["id", "a,b", "'it''s (a), text'", "333"]
    assert [a.as_dict() for a in mask.using_arguments[1:4]] == [{"column": "a,b"}, {"constant": "'it''s (a), text'"}, {"constant": "333"}]
    assert sdk.tables.get(t).row_filter.input_column_names == ["id", "'k2'"]
    admin(f"ALTER TABLE {t} ADD COLUMNS (more INT)")  # what a mask reads stays: its columns, that is
    admin.fails(f"ALTER TABLE {t} DROP COLUMN `a,b`", "is read by a mask")
    for bad in ("current_user()", "1 + 1", "(SELECT 1)", "a.b", "'a' || 'b'", "INTERVAL 2 DAYS + INTERVAL 1 DAY"):
        admin.fails(f"ALTER TABLE {t} SET ROW FILTER {cat}.s.one ON (id, {bad})", "")
    assert sdk.tables.get(t).row_filter.input_column_names == ["id", "'k2'"]


def test_information_schema(admin, bob, cat):
    assert admin(f"SELECT table_name, table_type FROM {cat}.information_schema.tables WHERE table_schema = 's' AND table_name = 't'") == [["t", "MANAGED"]]
    assert [r[0] for r in admin(f"SELECT column_name FROM system.information_schema.columns WHERE table_catalog = '{cat}' AND table_name = 't'"
                                " ORDER BY ordinal_position")] == ["id", "name", "secret"]
    assert ["t"] not in bob(f"SELECT table_name FROM {cat}.information_schema.tables")


def test_first_names_are_the_first_of_all(admin, bob, bob_name, cat):
    """A LIMIT behind ORDER BY goes down to the walk over the names where that has this order: the answer is as of the whole list."""
    for schema in ("a_first", "z_last"):
        admin(f"CREATE SCHEMA {cat}.{schema}")
        for name in ("T1", "t2", "`Äpfel`", "`äste`", "`a-b`", "_z"):
            admin(f"CREATE VIEW {cat}.{schema}.{name} AS SELECT 1 AS b, 2 AS a")
    admin(f"GRANT USE CATALOG ON CATALOG {cat} TO `{bob_name}`")
    admin(f"GRANT USE SCHEMA, SELECT ON SCHEMA {cat}.z_last TO `{bob_name}`")
    three = "table_catalog, table_schema, table_name"
    cases = [(f"{cat}.information_schema.tables", three, "", three), (f"{cat}.information_schema.tables", three, "", "table_schema, table_name, created DESC"),
             (f"{cat}.information_schema.tables", three, "WHERE table_schema = 'z_last'", "table_name"),
             (f"{cat}.information_schema.tables", three, "WHERE table_schema IN ('z_last', 'information_schema')", "table_schema, table_name"),
             (f"{cat}.information_schema.tables", three, "", "table_name, table_schema"), (f"{cat}.information_schema.tables", three, "", "table_schema DESC, table_name"),
             (f"{cat}.information_schema.columns", three + ", column_name", "WHERE table_schema <> 'information_schema'", three + ", column_name"),
             (f"{cat}.information_schema.columns", three + ", column_name", "WHERE table_schema = 'a_first'", three),
             (f"{cat}.information_schema.schemata", "schema_name", "", "schema_name"), ("system.information_schema.catalogs", "catalog_name", "", "catalog_name"),
             ("system.information_schema.tables", three, "", three)]
    for who in (admin, bob):
        for view, columns, where, order in cases:
            everything = who(f"SELECT {columns} FROM {view} {where} ORDER BY {order}, {columns}")
            for limit, offset in ((1, 0), (3, 0), (4, 3), (11, 0), (1000, 2)):
                got = who(f"SELECT {columns} FROM {view} {where} ORDER BY {order} LIMIT {limit} OFFSET {offset}")
                if view.endswith("columns") and order == three:  # rows of one table in any order
                    assert [r[:3] for r in got] == [r[:3] for r in everything[offset:offset + limit]], (view, where, order, limit, offset)
                else:
                    assert got == everything[offset:offset + limit], (view, where, order, limit, offset)
    admin(f"DROP SCHEMA {cat}.a_first CASCADE")
    admin(f"DROP SCHEMA {cat}.z_last CASCADE")


def test_columns_that_keys_refer_to_are_found_by_their_table(admin, cat):
    admin(f"CREATE TABLE {cat}.s.parent (id INT NOT NULL, CONSTRAINT pk_parent PRIMARY KEY (id))")
    admin(f"CREATE TABLE {cat}.s.child (up INT, CONSTRAINT fk_child FOREIGN KEY (up) REFERENCES {cat}.s.parent (id))")
    usage = f"SELECT table_name, column_name, constraint_name FROM {cat}.information_schema.constraint_column_usage"
    assert sorted(admin(f"{usage} WHERE table_name = 'parent'")) == [["parent", "id", "fk_child"], ["parent", "id", "pk_parent"]]
    assert admin(f"{usage} WHERE table_name = 'child'") == []
    assert sorted(admin(f"{usage} ORDER BY table_catalog, table_schema, table_name LIMIT 2")) == [["parent", "id", "fk_child"], ["parent", "id", "pk_parent"]]
    admin(f"DROP TABLE {cat}.s.child")
    admin(f"DROP TABLE {cat}.s.parent")


def test_drop_and_undrop(admin, cat):
    admin(f"CREATE TABLE {cat}.s.d AS SELECT 1 AS a")
    admin(f"DROP TABLE {cat}.s.d")
    admin.fails(f"SELECT * FROM {cat}.s.d", "TABLE_OR_VIEW_NOT_FOUND")
    admin(f"DROP TABLE IF EXISTS {cat}.s.d")
    admin(f"UNDROP TABLE {cat}.s.d")
    assert admin(f"SELECT a FROM {cat}.s.d") == [["1"]]


def test_changes_take_both_rights(admin, bob, bob_name, cat):
    admin(f"CREATE TABLE {cat}.s.m AS SELECT 1 AS a")
    admin(f"GRANT MODIFY ON TABLE {cat}.s.m TO `{bob_name}`")
    bob(f"INSERT INTO {cat}.s.m VALUES (2)")
    for text in (f"DELETE FROM {cat}.s.m WHERE a = 1", f"UPDATE {cat}.s.m SET a = 3", f"MERGE INTO {cat}.s.m t USING (SELECT 1 AS a) s ON t.a = s.a WHEN MATCHED THEN DELETE"):
        bob.fails(text, "SELECT on Table")
    admin(f"GRANT SELECT ON TABLE {cat}.s.m TO `{bob_name}`")
    bob(f"DELETE FROM {cat}.s.m WHERE a = 1")
    assert bob(f"SELECT a FROM {cat}.s.m") == [["2"]]


def test_staging_through_the_connector(platform, wh, sdk, admin, cat, tmp_path):
    from databricks import sql
    sdk.volumes.create(cat, "s", "stage", catalog.VolumeType.MANAGED)
    (tmp_path / "in.txt").write_text("staged")
    path = f"/Volumes/{cat}/s/stage/in.txt"
    with sql.connect("localhost", f"/sql/1.0/warehouses/{wh}", platform.token, _connection_uri=f"{platform.url}/sql/1.0/warehouses/{wh}",
                     enable_telemetry=False, staging_allowed_local_path=str(tmp_path)) as connection, connection.cursor() as cursor:
        cursor.execute(f"PUT '{tmp_path}/in.txt' INTO '{path}' OVERWRITE")
        assert sdk.files.download(path).contents.read() == b"staged"
        cursor.execute(f"GET '{path}' TO '{tmp_path}/out.txt'")
        assert (tmp_path / "out.txt").read_text() == "staged"
        cursor.execute(f"REMOVE '{path}'")
        with pytest.raises(errors.NotFound):
            sdk.files.download(path)
        with pytest.raises(sql.exc.Error):
            cursor.execute(f"GET '{path}' TO '{tmp_path}/out.txt'")


# ---- the same through REST ----

def test_objects_through_the_sdk(sdk, admin, someone, cat):
    _, theirs, _ = someone
    t = sdk.tables.get(f"{cat}.s.t")
    assert [c.name for c in t.columns] == ["id", "name", "secret"] and t.table_type.value == "MANAGED" and t.columns[0].type_name.value == "LONG"
    assert json.loads(t.columns[0].type_json) == {"name": "id", "type": "long", "nullable": False, "metadata": {}}
    assert "t" in [x.name for x in sdk.tables.list(cat, "s", max_results=1)]
    assert f"{cat}.s.t" in [x.full_name for x in sdk.tables.list_summaries(cat)]
    assert sdk.tables.exists(f"{cat}.s.t").table_exists and not sdk.tables.exists(f"{cat}.s.none").table_exists
    assert "only_odd" in [f.name for f in sdk.functions.list(cat, "s")]
    f = sdk.functions.get(f"{cat}.s.only_odd")
    assert f.full_data_type == "boolean" and f.input_params.parameters[0].name == "i" and f.routine_definition == "i % 2 = 1"
    with pytest.raises(errors.NotFound):
        theirs.tables.get(f"{cat}.s.none")
    with pytest.raises((errors.NotFound, errors.PermissionDenied)):
        theirs.tables.delete(f"{cat}.s.t")
    sdk.table_constraints.create(f"{cat}.s.t", catalog.TableConstraint(
        primary_key_constraint=catalog.PrimaryKeyConstraint(name="pk", child_columns=["id"])))
    assert sdk.tables.get(f"{cat}.s.t").table_constraints[0].primary_key_constraint.name == "pk"
    sdk.table_constraints.delete(f"{cat}.s.t", "pk", False)


def test_volumes_and_their_files(sdk, admin, someone, bob, bob_name, cat):
    _, theirs, _ = someone
    v = sdk.volumes.create(cat, "s", "files", catalog.VolumeType.MANAGED, comment="c")
    assert v.full_name == f"{cat}.s.files" and "files" in [x.name for x in sdk.volumes.list(cat, "s")]
    path = f"/Volumes/{cat}/s/files/a/b.txt"
    sdk.files.upload(path, io.BytesIO(b"hello"), overwrite=True)
    assert sdk.files.download(path).contents.read() == b"hello"
    assert admin(f"SHOW VOLUMES IN {cat}.s LIKE 'fi*'") == [["s", "files"]]
    with pytest.raises((errors.NotFound, errors.PermissionDenied)):
        theirs.files.download(path)
    admin(f"GRANT READ VOLUME ON VOLUME {cat}.s.files TO `{bob_name}`")
    assert theirs.files.download(path).contents.read() == b"hello"
    assert [r[1] for r in bob(f"LIST '/Volumes/{cat}/s/files/a'")] == ["b.txt"]
    bob.fails(f"REMOVE '{path}'", "WRITE_VOLUME")
    with pytest.raises(errors.PermissionDenied) as e:
        theirs.files.upload(path, io.BytesIO(b"changed"), overwrite=True)
    assert "WRITE_VOLUME" in str(e.value)
    sdk.volumes.update(f"{cat}.s.files", new_name="moved")
    assert sdk.files.download(f"/Volumes/{cat}/s/moved/a/b.txt").contents.read() == b"hello"
    sdk.volumes.delete(f"{cat}.s.moved")
    with pytest.raises(errors.NotFound):
        sdk.files.download(f"/Volumes/{cat}/s/moved/a/b.txt")


def test_temporary_credentials_are_refused_without_rights(sdk, admin, someone, cat):
    name, theirs, _ = someone
    t, filtered = sdk.tables.get(f"{cat}.s.t"), sdk.tables.get(f"{cat}.s.f")
    read = catalog.TableOperation.READ
    me = sdk.current_user.me().user_name
    with pytest.raises(errors.PermissionDenied, match="EXTERNAL_USE_SCHEMA"):  # who owns the catalog gives it to himself first
        sdk.temporary_table_credentials.generate_temporary_table_credentials(table_id=t.table_id, operation=read)
    admin(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA {cat}.s TO `{me}`")
    got = sdk.temporary_table_credentials.generate_temporary_table_credentials(table_id=t.table_id, operation=read)
    assert got.url == t.storage_location
    with pytest.raises((errors.NotFound, errors.PermissionDenied)):
        theirs.temporary_table_credentials.generate_temporary_table_credentials(table_id=t.table_id, operation=read)
    admin(f"GRANT SELECT ON TABLE {cat}.s.t TO `{name}`")
    with pytest.raises(errors.PermissionDenied) as e:
        theirs.temporary_table_credentials.generate_temporary_table_credentials(table_id=t.table_id, operation=read)
    assert "EXTERNAL_USE_SCHEMA" in str(e.value)
    admin(f"REVOKE SELECT ON TABLE {cat}.s.t FROM `{name}`")
    with pytest.raises(errors.PermissionDenied):  # nobody gets files of a table whose rows are filtered
        sdk.temporary_table_credentials.generate_temporary_table_credentials(table_id=filtered.table_id, operation=read)
    with pytest.raises(errors.PermissionDenied):
        theirs.external_locations.create("mine", "file:///srv", "local")


def test_what_queries_do_not_do_is_said(sdk, admin, cat):
    admin.fails(f"CREATE FUNCTION {cat}.s.py(a INT) RETURNS INT LANGUAGE PYTHON AS $$return a$$", "UNSUPPORTED_FEATURE")
    sdk.functions.create(catalog.CreateFunction(
        name="py", catalog_name=cat, schema_name="s", input_params=catalog.FunctionParameterInfos([]), data_type=catalog.ColumnTypeName.INT, full_data_type="int",
        routine_body=catalog.CreateFunctionRoutineBody.EXTERNAL, routine_definition="return 1", parameter_style=catalog.CreateFunctionParameterStyle.S,
        is_deterministic=True, sql_data_access=catalog.CreateFunctionSqlDataAccess.NO_SQL, is_null_call=False, specific_name="py",
        security_type=catalog.CreateFunctionSecurityType.DEFINER, external_language="PYTHON"))
    admin.fails(f"SELECT {cat}.s.py()", "written in PYTHON")
    sdk.volumes.create(cat, "s", "managed", catalog.VolumeType.MANAGED)
    sdk.files.upload(f"/Volumes/{cat}/s/managed/a.csv", io.BytesIO(b"1"), overwrite=True)
    admin.fails(f"INSERT OVERWRITE DIRECTORY '/Volumes/{cat}/s/managed/out' USING parquet SELECT 1", "UNSUPPORTED_FEATURE.CATALOG_OPERATION")
    assert [r[1] for r in admin(f"LIST '/Volumes/{cat}/s/managed'")] == ["a.csv"]
