# SPDX-License-Identifier: Apache-2.0
"""information_schema has the published views, each with its columns and types; privileges say from where they come."""

import pytest
from databricks.sdk import errors
from statements import Sql, another

TABLE, KEY, SPECIFIC = "table_catalog table_schema table_name", "constraint_catalog constraint_schema constraint_name", "specific_catalog specific_schema specific_name"
NAMED, STAMPED = "catalog_name schema_name table_name", "created:timestamp created_by last_altered:timestamp last_altered_by"
MEASURED = ("character_maximum_length:int character_octet_length numeric_precision:int numeric_precision_radix:int numeric_scale:int datetime_precision:int "
            "interval_type interval_precision:int maximum_cardinality:int")
CREDENTIAL = f"credential_type credential used_for_managed_storage comment {STAMPED}"


def granted(names):
    return f"grantor grantee {names} privilege_type is_grantable inherited_from"


VIEWS = {
    "catalog_privileges": granted("catalog_name"), "catalog_provider_share_usage": "catalog_name provider_name share_name", "catalog_tags": "catalog_name tag_name tag_value",
    "catalogs": f"catalog_name catalog_owner comment {STAMPED}", "check_constraints": f"{KEY} check_clause sql_path",
    "column_masks": f"{TABLE} column_name mask_name using_columns catalog_name schema_name mask_catalog mask_schema mask_col_usage", "column_tags": f"{NAMED} column_name tag_name tag_value",
    "columns": f"{TABLE} column_name ordinal_position:int column_default is_nullable full_data_type data_type {MEASURED} is_identity identity_generation identity_start "
               "identity_increment identity_maximum identity_minimum identity_cycle is_generated generation_expression is_system_time_period_start "
               "is_system_time_period_end system_time_period_timestamp_generation is_updatable partition_ordinal_position:int comment",
    "connection_privileges": granted("connection_name"),
    "connections": "connection_name connection_type connection_owner comment created:timestamp created_by credential_type last_altered:timestamp last_altered_by "
                   "connection_options url",
    "constraint_column_usage": f"{TABLE} column_name {KEY}", "constraint_table_usage": f"{KEY} {TABLE}", "credential_privileges": granted("credential_name"),
    "credentials": f"credential_id credential_name credential_owner credential_purpose {CREDENTIAL}", "external_location_privileges": granted("external_location_name"),
    "external_locations": f"external_location_name external_location_owner url storage_credential_id storage_credential_name read_only comment {STAMPED}",
    "information_schema_catalog_name": "catalog_name", "key_column_usage": f"{KEY} {TABLE} column_name ordinal_position:int position_in_unique_constraint:int",
    "metastore_privileges": granted("metastore_id"),
    "metastores": "metastore_id metastore_name metastore_owner storage_root storage_root_credential_id storage_root_credential_name delta_sharing_scope "
                  "delta_sharing_recipient_token_lifetime:bigint delta_sharing_organization_name privilege_model_version cloud region global_metastore_id " + STAMPED,
    "parameters": f"{SPECIFIC} ordinal_position:int parameter_mode is_result as_locator parameter_name data_type full_data_type {MEASURED} parameter_default comment",
    "providers": "provider_name provider_owner authentication_type share_credentials_version endpoint comment cloud region data_provider_global_metastore_id " + STAMPED,
    "recipient_allowed_ip_ranges": "recipient_name allowed_ip_range",
    "recipient_tokens": "recipient_name recipient_token_id activation_url expiration_time:timestamp " + STAMPED,
    "recipients": "recipient_name recipient_id recipient_owner authentication_type comment cloud region data_recipient_global_metastore_id " + STAMPED,
    "referential_constraints": f"{KEY} unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option update_rule delete_rule",
    "routine_columns": f"{SPECIFIC} ordinal_position:int column_name data_type full_data_type {MEASURED} comment",
    "routine_privileges": granted("routine_catalog routine_schema routine_name"),
    "routines": f"{SPECIFIC} routine_catalog routine_schema routine_name routine_type data_type full_data_type {MEASURED} routine_body routine_definition external_name "
                "external_language parameter_style is_deterministic sql_data_access is_null_call sql_path security_type as_locator routine_owner comment " + STAMPED,
    "row_filters": f"{TABLE} filter_name target_columns catalog_name schema_name filter_catalog filter_schema filter_col_usage", "schema_privileges": granted("catalog_name schema_name"),
    "schema_share_usage": "catalog_name schema_name share_name shared_as_schema comment", "schema_tags": "catalog_name schema_name tag_name tag_value",
    "schemata": f"catalog_name schema_name schema_owner comment {STAMPED}",
    "share_recipient_privileges": "grantor recipient_name share_name privilege_type inherited_from", "shares": f"share_name share_owner comment {STAMPED}",
    "storage_credential_privileges": granted("storage_credential_name"),
    "storage_credentials": f"storage_credential_id storage_credential_name storage_credential_owner {CREDENTIAL}",
    "table_constraints": f"{KEY} {TABLE} constraint_type is_deferrable initially_deferred enforced", "table_privileges": granted(TABLE),
    "table_share_usage": f"{NAMED} share_name partition_spec cdf_enabled start_version:bigint shared_as_schema shared_as_table comment",
    "table_tags": f"{NAMED} tag_name tag_value",
    "tables": f"{TABLE} table_type is_insertable_into commit_action table_owner comment {STAMPED} data_source_format storage_path storage_sub_directory",
    "views": f"{TABLE} view_definition check_option is_updatable is_insertable_into sql_path is_materialized:boolean",
    "volume_privileges": granted("volume_catalog volume_schema volume_name"), "volume_tags": "catalog_name schema_name volume_name tag_name tag_value",
    "volumes": f"volume_catalog volume_schema volume_name volume_type volume_owner comment storage_location {STAMPED}",
}


@pytest.fixture(scope="module")
def sql(platform):
    return Sql(platform)


def test_every_view_with_its_columns(sql):
    assert {r[1] for r in sql("SHOW TABLES IN main.information_schema")} == set(VIEWS)
    rows = sql("SELECT table_name, column_name, full_data_type FROM main.information_schema.columns WHERE table_schema = 'information_schema' ORDER BY table_name, ordinal_position")
    for view, columns in VIEWS.items():
        wanted = [tuple(c.split(":")) if ":" in c else (c, "string") for c in columns.split()]
        assert [(r[1], r[2]) for r in rows if r[0] == view] == wanted, view
        got = sql.run(f"SELECT * FROM system.information_schema.{view} LIMIT 3")
        assert got["status"]["state"] == "SUCCEEDED", (view, got["status"])
        assert [(c["name"], c["type_text"].lower()) for c in got["manifest"]["schema"]["columns"]] == wanted, view


def test_privileges_say_from_where(platform, sql):
    who, _, theirs = another(platform, "granted")
    for text in ("CREATE CATALOG priv", "CREATE SCHEMA priv.s", "CREATE TABLE priv.s.t (a INT)", "CREATE VIEW priv.s.v AS SELECT 1 AS a", "CREATE VOLUME priv.s.vol",
                 "CREATE FUNCTION priv.s.f() RETURNS INT RETURN 1", f"GRANT USE CATALOG, SELECT, EXECUTE ON CATALOG priv TO `{who}`",
                 f"GRANT USE SCHEMA, MODIFY, READ VOLUME ON SCHEMA priv.s TO `{who}`", f"GRANT SELECT ON VIEW priv.s.v TO `{who}`", "GRANT MODIFY ON TABLE priv.s.t TO `account users`"):
        sql(text)

    def of(view, names, run=sql):
        return sorted(tuple(r) for r in run(f"SELECT {names}, grantee, privilege_type, inherited_from FROM priv.information_schema.{view}"))

    assert of("catalog_privileges", "catalog_name") == [("priv", who, p, "NONE") for p in ("EXECUTE", "SELECT", "USE_CATALOG")]
    schema = [("priv", "s", who, "EXECUTE", "CATALOG"), ("priv", "s", who, "MODIFY", "NONE"), ("priv", "s", who, "READ_VOLUME", "NONE"), ("priv", "s", who, "SELECT", "CATALOG"),
              ("priv", "s", who, "USE_SCHEMA", "NONE")]
    assert [r for r in of("schema_privileges", "catalog_name, schema_name") if r[1] == "s"] == schema
    tables = sorted([("t", "account users", "MODIFY", "NONE"), ("t", who, "MODIFY", "SCHEMA"), ("t", who, "SELECT", "CATALOG"), ("v", who, "MODIFY", "SCHEMA"),
                     ("v", who, "SELECT", "CATALOG"), ("v", who, "SELECT", "NONE")])
    assert of("table_privileges", "table_name") == tables
    assert of("table_privileges", "table_name", theirs) == tables  # all are his own, or of a group of his
    assert of("volume_privileges", "volume_name") == [("vol", who, "READ_VOLUME", "SCHEMA")]
    assert of("routine_privileges", "routine_name") == [("f", who, "EXECUTE", "CATALOG")]
    other, _, elses = another(platform, "other")
    sql(f"GRANT USE CATALOG, USE SCHEMA ON CATALOG priv TO `{other}`")
    assert {r[1] for r in of("table_privileges", "table_name", elses)} == {"account users"}  # of others he learns nothing


def test_filters_and_masks_by_parts(sql):
    for text in ("CREATE CATALOG fm", "CREATE SCHEMA fm.s", "CREATE FUNCTION fm.s.odd(i BIGINT) RETURNS BOOLEAN RETURN i % 2 = 1",
                 "CREATE FUNCTION fm.s.hide(v STRING, i BIGINT) RETURNS STRING RETURN '*'",
                 "CREATE TABLE fm.s.t (id BIGINT, name STRING MASK fm.s.hide USING COLUMNS (id)) WITH ROW FILTER fm.s.odd ON (id)"):
        sql(text)
    assert sql("SELECT * FROM fm.information_schema.row_filters") == [["fm", "s", "t", "fm.s.odd", "id", "fm", "s", "fm", "s", "id"]]
    assert sql("SELECT * FROM system.information_schema.column_masks WHERE catalog_name = 'fm'") == [["fm", "s", "t", "name", "fm.s.hide", "id", "fm", "s", "fm", "s", "id"]]


def test_credentials_show_no_secret(platform, sql):
    sdk = platform.sdk()
    sdk.api_client.do("POST", "/api/2.1/unity-catalog/storage-credentials", body={"name": "keys", "s3_keys": {
        "access_key_id": "AK", "secret_access_key": "very-secret", "endpoint": "http://127.0.0.1:9"}, "skip_validation": True})
    got = sql("SELECT credential_name, credential_purpose, credential_type, credential, used_for_managed_storage FROM system.information_schema.credentials "
              "WHERE credential_name = 'keys'")
    assert got == [["keys", "STORAGE", "S3_KEYS", "[REDACTED]", "NO"]]
    assert "very-secret" not in str(sql("SELECT * FROM system.information_schema.storage_credentials"))
    (root,) = sql("SELECT metastore_id, global_metastore_id, privilege_model_version FROM system.information_schema.metastores")
    assert root[1] == f"boathouse:local:{root[0]}" and root[2] == "1.0"


def test_storage_location_of_a_model_is_refused(platform):
    with pytest.raises(errors.InvalidParameterValue, match="storage_location"):
        platform.sdk().registered_models.create(catalog_name="main", schema_name="default", name="placed", storage_location="file:///srv/m")
