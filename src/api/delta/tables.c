/* SPDX-License-Identifier: Apache-2.0 */
/* Load, drop, rename, metrics, config, credentials. */
#include "api/delta/delta_int.h"
#include "api/gen_routes.h"
#include "catalog/ask.h"
#include "catalog/clones.h"
#include "catalog/locations.h"
#include "catalog/name.h"

static err *nothing(struct req *r) {
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

/* ---- opening ---- */

err *delta_open_table(struct req *r, const struct caller *c, uint64_t need, struct securable *t) {
    str full = name_join(r->a, arg_str(r, "catalog"), arg_str(r, "schema"), arg_str(r, "table"));
    TRY(securable_open(c, SEC_TABLE, full, need, t));
    if (!table_is_view(&t->table) && (str_ieq(t->table.format, STR("delta")) || !t->table.format.n)) return NULL;
    return delta_api_error("UnsupportedTableFormatException", ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no Delta table.", STR_ARG(t->full_name));
}

err *delta_need_outside(const struct caller *c, const struct securable *t) {
    struct securable schema;
    bool masked;
    TRY(securable_up(c, t, SEC_SCHEMA, &schema));
    TRY(securable_need(c, &schema, PRIV_EXTERNAL_USE_SCHEMA));
    TRY(tables_guarded(c, &t->table, &masked));
    return masked ? err_new(ERR_PERMISSION_DENIED, "Table '%.*s' has a row filter or column masks: its files are not given out.", STR_ARG(t->full_name))
                  : NULL;
}

err *delta_by_uuid(const struct caller *c, str uuid, struct securable *t) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_UUID, .s = uuid}}, .limit = 1};
    bool found = false;
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (uuid.n && rows.n && !rows.p[0].dropped_at) TRY(securable_by_id(c, SEC_TABLE, rows.p[0].id, t, &found));
    return securable_known(c, t, found, SEC_TABLE, uuid);
}

/* ---- operations ---- */

err *api_delta_config(struct req *r) {
    static const char *const endpoints[] = {
        "POST /v1/catalogs/{catalog}/schemas/{schema}/staging-tables",       "POST /v1/catalogs/{catalog}/schemas/{schema}/tables",
        "GET /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}",        "POST /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}",
        "DELETE /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}",     "HEAD /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}",
        "POST /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}/rename", "GET /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}/credentials",
        "POST /v1/catalogs/{catalog}/schemas/{schema}/tables/{table}/metrics", "GET /v1/staging-tables/{table_id}/credentials",
        "GET /v1/temporary-path-credentials",
    };
    struct caller c = uc_caller(r);
    struct securable catalog;
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "catalog"), 0, &catalog));
    jmut *list = json_put_arr(req_doc(r), req_out(r), "endpoints");
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) json_add_str(r->doc, list, str_of(endpoints[i]));
    json_put_z(r->doc, r->out, "protocol-version", "1.0");
    return NULL;
}

err *api_delta_load_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    TRY(delta_open_table(r, &c, 0, &t));
    return delta_put_load(r, &c, &t);
}

err *api_delta_delete_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    TRY(delta_open_table(r, &c, PRIV_MANAGE, &t));
    TRY(tables_drop(&c, &t, false));
    return nothing(r);
}

err *api_delta_rename_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t, schema;
    TRY(delta_open_table(r, &c, PRIV_MANAGE, &t));
    TRY(securable_up(&c, &t, SEC_SCHEMA, &schema));
    TRY(securable_need(&c, &schema, PRIV_CREATE_TABLE));
    TRY(tables_rename(&c, &t, NULL, arg_str(r, "new-name")));
    return nothing(r);
}

err *api_delta_report_metrics(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    TRY(delta_open_table(r, &c, PRIV_MODIFY, &t));
    if (!str_ieq(t.table.uuid, arg_str(r, "table-id")))
        return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE, "table-id is not that of '%.*s'.", STR_ARG(t.full_name));
    return nothing(r);
}

/* ---- credentials ---- */

static err *answer_place(struct req *r, const struct caller *c, str url, const char *operation) {
    struct delta_session *s = arena_new_of(r->a, struct delta_session);
    r->state = s;
    return delta_put_credential(r, c, json_put_arr(req_doc(r), req_out(r), "storage-credentials"), url, operation, s);
}

/* The last step of the three below. */
err *api_delta_fill_credentials(struct req *r) { return delta_fill_session(r, r->state); }

err *api_delta_table_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    str engine, url;
    bool write = str_eqz(arg_str(r, "operation"), "READ_WRITE");
    TRY(delta_open_table(r, &c, PRIV_SELECT, &t));
    if (write) TRY(securable_need(&c, &t, PRIV_MODIFY));
    if (write && clones_is(&t.table)) /* its log says whose files are read with it */
        return err_new(ERR_PERMISSION_DENIED, "Table '%.*s' is a shallow clone: its log is written by the platform alone.", STR_ARG(t.full_name));
    TRY(delta_need_outside(&c, &t));
    TRY(ask_table_place(&c, &t.table, &engine, &url));
    return answer_place(r, &c, url, write ? "READ_WRITE" : "READ");
}

err *api_delta_staging_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct ent_uc_staging row;
    bool found;
    str engine, url;
    TRY(ent_uc_staging_by_uuid(r->tx, metastore_scope(&c), r->a, arg_str(r, "table_id"), &row, &found));
    if (!found || row.owner_id != r->principal)
        return delta_api_error("NoSuchTableException", ERR_RESOURCE_DOES_NOT_EXIST, "Staging table '%.*s' does not exist.",
                               STR_ARG(str_cut(arg_str(r, "table_id"), 64)));
    struct securable schema;
    TRY(securable_by_id(&c, SEC_SCHEMA, row.schema_id, &schema, &found));
    if (!found) return securable_missing(SEC_SCHEMA, STR(""));
    struct ent_uc_table t = {.uuid = row.uuid, .table_type = STR("MANAGED"), .location = ask_managed_url(&c, &schema, row.uuid)};
    TRY(ask_table_place(&c, &t, &engine, &url));
    return answer_place(r, &c, url, "READ_WRITE");
}

err *api_delta_path_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable l;
    struct location_place place;
    str url;
    TRY(locations_url(r->a, arg_str(r, "location"), &url));
    bool write = str_eqz(arg_str(r, "operation"), "READ_WRITE");
    TRY(locations_need(&c, url, write ? PRIV_CREATE_EXTERNAL_TABLE : PRIV_READ_FILES, &l));
    TRY(securable_need(&c, &l, PRIV_EXTERNAL_USE_LOCATION));
    TRY(locations_check_tables(&c, url, write));
    TRY(locations_place(&c, url, &place));
    return answer_place(r, &c, url, write ? "READ_WRITE" : "READ");
}
