# SPDX-License-Identifier: Apache-2.0
"""The catalog's REST as the SDK uses it: which fields answers have, pages, changes of one field, refusals that name what is wrong."""

import json
import uuid

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog
from sdk_fields import left_out
from statements import Sql, another

# Fields that no answer has, and why: what they tell of does not exist here.
NONE = {
    "catalog": {"connection_name", "provider_name", "share_name", "options",  # foreign and shared catalogs
                "custom_max_retention_hours", "managed_encryption_settings",
                "effective_predictive_optimization_flag.inherited_from_type",  # METASTORE, which this SDK's enumeration lacks
                "storage_location", "storage_root"},  # of catalogs with a managed location only
    "schema": {"custom_max_retention_hours", "effective_predictive_optimization_flag.inherited_from_type", "storage_location", "storage_root"},
    "table": {"access_point", "encryption_details", "pipeline_id", "securable_kind_manifest", "delta_runtime_properties_kvpairs", "sql_path",
              "effective_predictive_optimization_flag.inherited_from_type", "storage_credential_name", "deleted_at", "columns[].type_interval_type",
              "view_definition", "view_dependencies",  # of views
              "table_constraints[].foreign_key_constraint", "table_constraints[].named_table_constraint",
              "table_constraints[].primary_key_constraint.timeseries_columns"},
    "volume": {"access_point", "encryption_details"},
    "function": {"external_language", "external_name", "properties", "return_params", "routine_dependencies", "sql_path",
                 "input_params.parameters[].type_interval_type"},
    "model": set(),
    "metastore": {"default_data_access_config_id", "delta_sharing_organization_name", "delta_sharing_recipient_token_lifetime_in_seconds",
                  "external_access_enabled", "storage_root", "storage_root_credential_id", "storage_root_credential_name", "updated_by"},
    "location": {"effective_enable_file_events", "effective_file_event_queue", "enable_file_events", "encryption_details", "file_event_queue"},
}


@pytest.fixture(scope="module")
def admin(platform):
    return Sql(platform)


@pytest.fixture(scope="module")
def sdk(platform):
    return platform.sdk()


@pytest.fixture(scope="module")
def cat(sdk, admin):
    name = f"rest_{uuid.uuid4().hex[:8]}"
    sdk.catalogs.create(name, comment="c", properties={"k": "v"})
    sdk.schemas.create("s", name, comment="c", properties={"k": "v"})
    for text in (f"CREATE FUNCTION {name}.s.hide(v STRING) RETURNS STRING RETURN '*'", f"CREATE FUNCTION {name}.s.all(i INT) RETURNS BOOLEAN RETURN true",
                 f"CREATE TABLE {name}.s.t (id INT NOT NULL COMMENT 'x', d DECIMAL(10, 2), secret STRING MASK {name}.s.hide USING COLUMNS (id), p DATE,"
                 f" CONSTRAINT t_pk PRIMARY KEY (id) RELY) PARTITIONED BY (p) COMMENT 'tc' TBLPROPERTIES ('x' = 'y')",
                 f"ALTER TABLE {name}.s.t SET ROW FILTER {name}.s.all ON (id)", f"CREATE TABLE {name}.s.u (id INT NOT NULL, b STRING)",
                 f"CREATE VIEW {name}.s.v AS SELECT id FROM {name}.s.u", f"CREATE VOLUME {name}.s.vol COMMENT 'x'",
                 f"CREATE FUNCTION {name}.s.f(d DECIMAL(4, 1), a INT DEFAULT 3 COMMENT 'x') RETURNS DECIMAL(10, 2) COMMENT 'fc' RETURN 1"):
        admin(text)
    sdk.registered_models.create(catalog_name=name, schema_name="s", name="m", comment="x")
    yield name
    sdk.catalogs.delete(name, force=True)


def test_answers_have_the_clients_fields(sdk, cat):
    t = sdk.tables.get(f"{cat}.s.t")
    told = {"catalog": sdk.catalogs.get(cat), "schema": sdk.schemas.get(f"{cat}.s"), "table": t, "volume": sdk.volumes.read(f"{cat}.s.vol"),
            "function": sdk.functions.get(f"{cat}.s.f"), "model": sdk.registered_models.get(f"{cat}.s.m"), "metastore": sdk.metastores.summary()}
    assert {k: left_out(v) - NONE[k] for k, v in told.items()} == {k: set() for k in told}
    d = t.columns[1]
    assert (d.type_name.value, d.type_text, d.type_precision, d.type_scale, d.position) == ("DECIMAL", "decimal(10,2)", 10, 2, 1)
    assert t.columns[2].mask.using_column_names == ["id"] and t.columns[3].partition_index == 0 and t.row_filter.input_column_names == ["id"]
    assert t.table_constraints[0].primary_key_constraint.rely and t.browse_only is False
    p = sdk.functions.get(f"{cat}.s.f").input_params.parameters
    assert [(x.name, x.parameter_mode.value, x.parameter_type.value, x.type_precision, x.type_scale) for x in p] == [("d", "IN", "PARAM", 4, 1), ("a", "IN", "PARAM", 0, 0)]
    assert sdk.catalogs.get(cat).effective_predictive_optimization_flag.value.value == "DISABLE"
    assert sdk.catalogs.get("samples").owner == "System user" == sdk.metastores.summary().owner


def test_lists_leave_out_what_they_are_asked_to(sdk, admin, platform, cat):
    t = next(x for x in sdk.tables.list(cat, "s", omit_columns=True, omit_properties=True, omit_username=True) if x.name == "t")
    assert (t.columns, t.properties, t.owner, t.created_by, t.comment) == ([], None, None, None, "tc")
    assert "hive_metastore" not in [c.name for c in sdk.catalogs.list()]
    assert sdk.catalogs.get("hive_metastore").name == "hive_metastore"
    who, theirs, _ = another(platform, "rest-browsing")
    admin(f"GRANT BROWSE ON CATALOG {cat} TO `{who}`")
    for names in (lambda **k: [c.name for c in theirs.catalogs.list(**k)], lambda **k: [s.catalog_name for s in theirs.schemas.list(cat, **k)],
                  lambda **k: [x.catalog_name for x in theirs.tables.list(cat, "s", **k)], lambda **k: [x.catalog_name for x in theirs.volumes.list(cat, "s", **k)],
                  lambda **k: [x.catalog_name for x in theirs.functions.list(cat, "s", **k)]):
        assert cat not in names() and cat in names(include_browse=True)
    assert theirs.functions.get(f"{cat}.s.f", include_browse=True).routine_definition is None
    assert theirs.tables.get(f"{cat}.s.v", include_browse=True).view_definition is None


def pages(get, key):
    """Names on the pages of one, each once; get(**query) is one page."""
    seen, token = [], None
    while True:
        page = get(max_results=1, **({"page_token": token} if token else {}))
        assert len(page.get(key, [])) <= 1
        seen += page.get(key, [])
        token = page.get("next_page_token")
        if not token:
            return seen


def test_pages_of_one(sdk, platform, admin, cat):
    uc = "/api/2.1/unity-catalog"

    def of(path, **query):
        return lambda **more: sdk.api_client.do("GET", uc + path, query={**query, **more})

    assert [x["full_name"] for x in pages(of("/table-summaries", catalog_name=cat), "tables")] == [f"{cat}.s.{n}" for n in "tuv"]
    assert [x["full_name"] for x in pages(of("/table-summaries", catalog_name=cat, table_name_pattern="u%"), "tables")] == [f"{cat}.s.u"]
    assert [x["name"] for x in pages(of("/tables", catalog_name=cat, schema_name="s"), "tables")] == ["t", "u", "v"]
    assert [x["name"] for x in pages(of("/functions", catalog_name=cat, schema_name="s"), "functions")] == ["all", "f", "hide"]
    for i in range(3):
        sdk.storage_credentials.create(f"{cat}_{i}", aws_iam_role=catalog.AwsIamRoleRequest(role_arn="arn:aws:iam::1:role/x"))
    mine = [x["name"] for x in pages(of("/storage-credentials"), "storage_credentials") if x["name"].startswith(cat)]
    assert mine == [f"{cat}_{i}" for i in range(3)] == [c.name for c in sdk.storage_credentials.list(max_results=2) if c.name.startswith(cat)]
    for i in range(3):
        sdk.storage_credentials.delete(f"{cat}_{i}")
    groups = [sdk.groups.create(display_name=f"{cat}-{i}").display_name for i in range(3)]
    for g in groups:
        sdk.grants.update("SCHEMA", f"{cat}.s", changes=[catalog.PermissionsChange(principal=g, add=[catalog.Privilege.SELECT])])
    assert {x["principal"] for x in pages(of(f"/permissions/schema/{cat}.s"), "privilege_assignments")} == set(groups)
    assert {x["principal"] for x in pages(of(f"/effective-permissions/table/{cat}.s.u"), "privilege_assignments")} == set(groups)
    assert {x.principal for x in sdk.grants.list("schema", f"{cat}.s", page_size=2)} == set(groups)
    inherited = list(sdk.grants.list_effective("table", f"{cat}.s.u", page_size=1, principal=groups[0]))
    assert [(x.principal, x.privileges[0].privilege.value, x.privileges[0].inherited_from_name) for x in inherited] == [(groups[0], "SELECT", f"{cat}.s")]
    change = [catalog.PermissionsChange(principal=groups[0], remove=[catalog.Privilege.SELECT])]
    assert sdk.grants.update("SCHEMA", f"{cat}.s", changes=change, omit_permissions_in_response=True).privilege_assignments == []
    for path in ("/table-summaries", "/external-locations", "/storage-credentials", f"/permissions/schema/{cat}.s"):
        with pytest.raises(errors.InvalidParameterValue, match="max_results"):
            of(path, catalog_name=cat)(max_results=-1)
        with pytest.raises(errors.InvalidParameterValue, match="page_token"):
            of(path, catalog_name=cat)(page_token="abc")


def test_what_is_not_there_is_refused_by_name(sdk, cat):
    w = sdk
    for name, call in {
            "connection_name": lambda: w.catalogs.create("nothing", connection_name="x"),
            "share_name": lambda: w.catalogs.create("nothing", share_name="x", provider_name="p"),
            "options": lambda: w.catalogs.create("nothing", options={"a": "b"}),
            "custom_max_retention_hours": lambda: w.schemas.update(f"{cat}.s", custom_max_retention_hours=24),
            "enable_predictive_optimization": lambda: w.catalogs.update(cat, enable_predictive_optimization=catalog.EnablePredictiveOptimization.ENABLE),
            "azure_managed_identity": lambda: w.storage_credentials.create("nothing", azure_managed_identity=catalog.AzureManagedIdentityRequest("x")),
            "fallback": lambda: w.external_locations.create("nothing", "file:///srv", "local", fallback=True),
            "storage_location": lambda: w.volumes.create(cat, "s", "nothing", catalog.VolumeType.MANAGED, storage_location="file:///srv"),
            "needs storage_location": lambda: w.volumes.create(cat, "s", "nothing", catalog.VolumeType.EXTERNAL),
            "named_table_constraint": lambda: w.table_constraints.create(f"{cat}.s.u", catalog.TableConstraint(
                named_table_constraint=catalog.NamedTableConstraint("n")))}.items():
        with pytest.raises(errors.InvalidParameterValue, match=name):
            call()
    with pytest.raises(errors.NotFound):
        w.catalogs.get("nothing")
    assert w.catalogs.update(cat, isolation_mode=catalog.CatalogIsolationMode.OPEN).isolation_mode.value == "OPEN"


def test_a_change_leaves_the_rest(sdk, cat):
    before = sdk.catalogs.get(cat)
    assert sdk.catalogs.update(cat, comment="other").properties == before.properties == {"k": "v"}
    assert sdk.catalogs.update(cat, properties={"a": "b"}).comment == "other"
    after = sdk.catalogs.update(cat)
    assert (after.comment, after.properties, after.owner, after.created_at) == ("other", {"a": "b"}, before.owner, before.created_at)
    assert sdk.schemas.update(f"{cat}.s", new_name="moved").full_name == f"{cat}.moved"
    assert sdk.tables.get(f"{cat}.moved.t").table_id and not sdk.tables.exists(f"{cat}.moved.none").table_exists
    assert sdk.schemas.update(f"{cat}.moved", new_name="s", comment="x").properties == {"k": "v"}
    assert sdk.volumes.update(f"{cat}.s.vol", comment="y").name == "vol"
    with pytest.raises(errors.ResourceDoesNotExist, match="principal"):
        sdk.tables.update(f"{cat}.s.t", owner="nobody")


def key(name, columns, **more):
    return catalog.TableConstraint(primary_key_constraint=catalog.PrimaryKeyConstraint(name=name, child_columns=columns, **more))


def foreign(name, columns, parent, parents):
    return catalog.TableConstraint(foreign_key_constraint=catalog.ForeignKeyConstraint(name=name, child_columns=columns, parent_table=parent, parent_columns=parents))


def test_keys_hold_together(sdk, admin, cat):
    c, u, t = sdk.table_constraints, f"{cat}.s.u", f"{cat}.s.t"
    for constraint, part in ((key("k", ["none"]), "does not have"), (key("k", ["b"]), "may be NULL"), (key("k", []), "names no columns"),
                             (key("k", ["id", "ID"]), "twice"), (foreign("k", ["b"], t, ["id"]), "of type string"),
                             (foreign("k", ["id"], t, ["p"]), "must refer to the columns"), (foreign("k", ["id"], u, ["id"]), "has no primary key")):
        with pytest.raises(errors.InvalidParameterValue, match=part):
            c.create(u, constraint)
    with pytest.raises(errors.AlreadyExists):
        c.create(t, key("another", ["id"]))
    c.create(u, foreign("u_fk", ["id"], t, ["id"]))
    c.create(u, key("u_pk", ["id"]))
    with pytest.raises(errors.AlreadyExists):
        c.create(u, foreign("U_FK", ["id"], t, ["id"]))
    assert admin(f"SELECT constraint_name, column_name, ordinal_position, position_in_unique_constraint FROM {cat}.information_schema.key_column_usage"
                 " WHERE table_name = 'u' ORDER BY 1") == [["u_fk", "id", "1", "1"], ["u_pk", "id", "1", None]]
    admin.fails(f"ALTER TABLE {t} DROP PRIMARY KEY", "Foreign keys of other tables")
    with pytest.raises(errors.BadRequest, match="Foreign keys of other tables"):
        c.delete(t, "t_pk", False)
    admin.fails(f"ALTER TABLE {u} DROP FOREIGN KEY (b)", "CONSTRAINT_DOES_NOT_EXIST")
    admin(f"ALTER TABLE {t} DROP PRIMARY KEY CASCADE")
    assert [x.primary_key_constraint.name for x in sdk.tables.get(u).table_constraints] == ["u_pk"]
    admin(f"ALTER TABLE {u} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    admin.fails(f"ALTER TABLE {u} RENAME COLUMN id TO number", "part of the constraint 'u_pk'")
    c.delete(u, "u_pk", False)
    admin(f"ALTER TABLE {t} ADD CONSTRAINT t_pk PRIMARY KEY (id) RELY")
    admin(f"CREATE TABLE {cat}.s.w (a INT REFERENCES {t}, b INT, FOREIGN KEY (b) REFERENCES {t} (id))")
    assert len(sdk.tables.get(f"{cat}.s.w").table_constraints) == 2
    admin.fails(f"ALTER TABLE {t} DROP CONSTRAINT none", "DELTA_CONSTRAINT_DOES_NOT_EXIST")
    admin(f"ALTER TABLE {t} DROP CONSTRAINT IF EXISTS none")
    admin.fails(f"ALTER TABLE {t} DROP CONSTRAINT t_pk RESTRICT", "Foreign keys of other tables")
    admin(f"ALTER TABLE {t} DROP CONSTRAINT t_pk CASCADE")
    assert not sdk.tables.get(f"{cat}.s.w").table_constraints
    admin(f"ALTER TABLE {t} ADD CONSTRAINT t_pk PRIMARY KEY (id) RELY")
    admin(f"DROP TABLE {cat}.s.w")


def test_tags_one_by_one(sdk, admin, platform, cat):
    tags = sdk.entity_tag_assignments

    def tag(kind, name, key, value=None):
        return catalog.EntityTagAssignment(entity_type=kind, entity_name=name, tag_key=key, tag_value=value)

    things = {"catalogs": cat, "schemas": f"{cat}.s", "tables": f"{cat}.s.u", "columns": f"{cat}.s.u.b", "volumes": f"{cat}.s.vol"}
    for kind, name in things.items():
        for k in ("team", "cost", "pii"):
            tags.create(tag(kind, name, k, "1"))
        with pytest.raises(errors.AlreadyExists):
            tags.create(tag(kind, name, "team", "2"))
        assert tags.update(kind, name, "cost", tag(kind, name, "cost", "2"), "tag_value").tag_value == "2"
        assert [(t.tag_key, t.tag_value) for t in tags.list(kind, name, max_results=1)] == [("team", "1"), ("cost", "2"), ("pii", "1")]
        tags.delete(kind, name, "team")
        for gone in (lambda: tags.get(kind, name, "team"), lambda: tags.delete(kind, name, "team"),
                     lambda: tags.update(kind, name, "team", tag(kind, name, "team", "x"), "tag_value")):
            with pytest.raises(errors.ResourceDoesNotExist):
                gone()
    assert admin(f"SELECT tag_name, tag_value FROM {cat}.information_schema.column_tags WHERE column_name = 'b' ORDER BY 1") == [["cost", "2"], ["pii", "1"]]
    for bad, part in ((tag("tables", f"{cat}.s.u", "a.b"), "character"), (tag("models", f"{cat}.s.m", "a"), "entity_type"),
                      (tag("tables", f"{cat}.s.u", "x" * 256), "longer"), (tag("tables", f"{cat}.s.u", "v", "x" * 1001), "longer"), (tag("columns", "b", "a"), "entity_name")):
        with pytest.raises(errors.InvalidParameterValue, match=part):
            tags.create(bad)
    with pytest.raises(errors.ResourceDoesNotExist, match="Column 'none'"):
        tags.create(tag("columns", f"{cat}.s.u.none", "a"))
    admin(f"SET TAG ON MODEL {cat}.s.m stage = prod")
    admin.fails(f"SET TAG ON COLUMN {cat}.s.u.none a = b", "Column 'none'")
    assert sdk.api_client.do("GET", f"/api/2.1/unity-catalog/models/{cat}.s.m")["tags"] == [{"key": "stage", "value": "prod"}]
    who, theirs, bob = another(platform, "rest-tagging")
    with pytest.raises(errors.ResourceDoesNotExist):
        list(theirs.entity_tag_assignments.list("tables", f"{cat}.s.u"))
    for text in (f"GRANT USE CATALOG ON CATALOG {cat} TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA {cat}.s TO `{who}`", f"GRANT SELECT ON TABLE {cat}.s.u TO `{who}`"):
        admin(text)
    assert [t.tag_key for t in theirs.entity_tag_assignments.list("tables", f"{cat}.s.u")] == ["cost", "pii"]
    with pytest.raises(errors.PermissionDenied, match="APPLY_TAG"):
        theirs.entity_tag_assignments.delete("tables", f"{cat}.s.u", "pii")


def test_information_schema_is_as_published(sdk, admin, platform, cat):
    """Positions begin at 1, types say their precision as the documentation has it, texts are their owners'."""
    i = f"{cat}.information_schema"
    admin(f"CREATE TABLE {cat}.s.types (i INT, d DECIMAL(5, 1), t TIMESTAMP, dt DATE, s STRING)")
    assert admin(f"SELECT column_name, ordinal_position, data_type, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision FROM {i}.columns"
                 " WHERE table_name = 'types' ORDER BY 2") == [["i", "1", "INT", "32", "2", "0", None], ["d", "2", "DECIMAL", "5", "10", "1", None],
                                                              ["t", "3", "TIMESTAMP", None, None, None, "3"], ["dt", "4", "DATE", None, None, None, "0"],
                                                              ["s", "5", "STRING", None, None, None, None]]
    assert admin(f"SELECT column_name, ordinal_position FROM {i}.columns WHERE table_schema = 'information_schema' AND table_name = 'tables' ORDER BY 2 LIMIT 2") == [
        ["table_catalog", "1"], ["table_schema", "2"]]
    assert admin(f"SELECT parameter_name, ordinal_position, parameter_mode, as_locator, full_data_type, numeric_precision, parameter_default, comment FROM {i}.parameters"
                 " WHERE specific_name = 'f' ORDER BY 2") == [["d", "1", "IN", "NO", "decimal(4,1)", "4", None, None], ["a", "2", "IN", "NO", "int", "32", "3", "x"]]
    admin(f"CREATE FUNCTION {cat}.s.tf() RETURNS TABLE (q INT COMMENT 'z') RETURN SELECT 1")
    assert admin(f"SELECT column_name, ordinal_position, comment FROM {i}.routine_columns") == [["q", "1", "z"]]
    assert admin(f"SELECT data_type, full_data_type, routine_body, external_language, parameter_style FROM {i}.routines WHERE routine_name = 'tf'") == [
        ["TABLE", "TABLE", "SQL", None, "SQL"]]
    who, _, bob = another(platform, "rest-reading")
    for text in (f"GRANT USE CATALOG ON CATALOG {cat} TO `{who}`", f"GRANT USE SCHEMA ON SCHEMA {cat}.s TO `{who}`", f"GRANT SELECT ON VIEW {cat}.s.v TO `{who}`",
                 f"GRANT EXECUTE ON FUNCTION {cat}.s.f TO `{who}`"):
        admin(text)
    texts = f"SELECT view_definition FROM {i}.views UNION ALL SELECT routine_definition FROM {i}.routines WHERE routine_name = 'f'"
    assert admin(texts) == [[f"SELECT id FROM {cat}.s.u"], ["1"]] and bob(texts) == [[None], [None]]
    admin(f"DROP TABLE {cat}.s.types")
    admin(f"DROP FUNCTION {cat}.s.tf")
