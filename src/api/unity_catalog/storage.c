/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of external locations, storage credentials and temporary credentials.
 *
 * Temporary credentials let somebody reach a table's files without us, so they take EXTERNAL_USE_SCHEMA besides what the
 * operation takes, and there are none for tables with a row filter or a mask. Local places need no secret: the answer is
 * the URL.
 */
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "base/time.h"
#include "catalog/ask.h"
#include "catalog/locations.h"
#include "catalog/tables.h"
#include "sys/clock.h"

#define CREDENTIAL_LIFE_US (3600 * 1000000ll)

static str optional(struct req *r, const char *name) { return arg_has(r, name) ? arg_str(r, name) : STR_NONE; }
static err *answer(struct req *r, const struct securable *s) { return uc_put_object(r, req_out(r), s); }

/* ---- external locations ---- */

err *api_unity_catalog_create_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable top, l;
    TRY(securable_open(&c, SEC_METASTORE, STR(""), PRIV_CREATE_EXTERNAL_LOCATION, &top));
    TRY(locations_create(&c, arg_str(r, "name"), arg_str(r, "url"), arg_str(r, "credential_name"), optional(r, "comment"),
                         arg_bool(r, "read_only", false), &l));
    return answer(r, &l);
}

err *api_unity_catalog_list_locations(struct req *r) {
    struct caller c = uc_caller(r);
    struct ent_external_location_rows rows;
    struct ent_list_query q = {.order = ENT_EXTERNAL_LOCATION_NAME};
    TRY(ent_external_location_list(r->tx, metastore_scope(&c), r->a, &q, &rows));
    jmut *arr = json_put_arr(req_doc(r), req_out(r), "external_locations");
    for (size_t i = 0; i < rows.n; i++) {
        struct securable s;
        TRY(securable_of_location(&c, &rows.p[i], &s));
        if (securable_visible(&c, &s)) TRY(uc_put_object(r, json_add_obj(r->doc, arr), &s));
    }
    return NULL;
}

err *api_unity_catalog_get_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), 0, &s));
    return answer(r, &s);
}

err *api_unity_catalog_update_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), PRIV_MANAGE, &s));
    if (arg_has(r, "new_name")) s.location.name = arg_str(r, "new_name");
    if (arg_has(r, "url")) s.location.url = arg_str(r, "url");
    if (arg_has(r, "comment")) s.location.comment = arg_str(r, "comment");
    if (arg_has(r, "read_only")) s.location.read_only = arg_bool(r, "read_only", false);
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.location.owner_id));
    s.owner = s.location.owner_id;
    TRY(locations_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), PRIV_MANAGE, &s));
    return locations_delete(&c, &s, arg_bool(r, "force", false));
}

/* ---- storage credentials ---- */

err *api_unity_catalog_create_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable top, s;
    str arn = json_get_str(arg(r, "aws_iam_role"), "role_arn"), config = STR("{}");
    TRY(securable_open(&c, SEC_METASTORE, STR(""), PRIV_CREATE_STORAGE_CREDENTIAL, &top));
    if (arn.n) {
        jmut *o = yyjson_mut_obj(req_doc(r));
        json_put_str(r->doc, o, "role_arn", arn);
        config = json_text(r->a, o);
    }
    TRY(credentials_create(&c, arg_str(r, "name"), arn.n ? STR("aws_iam_role") : STR("local"), config, optional(r, "comment"),
                           arg_bool(r, "read_only", false), &s));
    return answer(r, &s);
}

err *api_unity_catalog_list_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct ent_storage_credential_rows rows;
    struct ent_list_query q = {.order = ENT_STORAGE_CREDENTIAL_NAME};
    TRY(ent_storage_credential_list(r->tx, metastore_scope(&c), r->a, &q, &rows));
    jmut *arr = json_put_arr(req_doc(r), req_out(r), "storage_credentials");
    for (size_t i = 0; i < rows.n; i++) {
        struct securable s;
        TRY(securable_of_credential(&c, &rows.p[i], &s));
        if (securable_visible(&c, &s)) TRY(uc_put_object(r, json_add_obj(r->doc, arr), &s));
    }
    return NULL;
}

err *api_unity_catalog_get_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CREDENTIAL, arg_str(r, "name"), 0, &s));
    return answer(r, &s);
}

err *api_unity_catalog_update_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CREDENTIAL, arg_str(r, "name"), PRIV_MANAGE, &s));
    if (arg_has(r, "new_name")) s.credential.name = arg_str(r, "new_name");
    if (arg_has(r, "comment")) s.credential.comment = arg_str(r, "comment");
    if (arg_has(r, "read_only")) s.credential.read_only = arg_bool(r, "read_only", false);
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.credential.owner_id));
    s.owner = s.credential.owner_id;
    TRY(credentials_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CREDENTIAL, arg_str(r, "name"), PRIV_MANAGE, &s));
    return credentials_delete(&c, &s, arg_bool(r, "force", false));
}

/* ---- temporary credentials ---- */

static err *put_temporary(struct req *r, str url) {
    json_put_str(req_doc(r), req_out(r), "url", url);
    json_put_int(r->doc, r->out, "expiration_time", (clock_now() + CREDENTIAL_LIFE_US) / US_PER_MS);
    return NULL;
}

static err *find_by_uuid(const struct caller *c, str uuid, struct securable *ret, bool *found) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_UUID, .s = uuid}}, .limit = 1};
    *found = false;
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (!rows.n || rows.p[0].schema_id < 0) return NULL;
    return securable_by_id(c, SEC_TABLE, rows.p[0].id, ret, found);
}

static err *check_plain(const struct caller *c, const struct securable *t) {
    bool masked;
    TRY(tables_guarded(c, &t->table, &masked));
    if (masked)
        return err_new(ERR_PERMISSION_DENIED, "Table '%.*s' has a row filter or column masks: its files are not given out.",
                       STR_ARG(t->full_name));
    if (table_is_view(&t->table))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a view and has no files.", STR_ARG(t->full_name));
    return NULL;
}

err *api_unity_catalog_temporary_table_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t, schema;
    bool found;
    str op = arg_str(r, "operation"), engine, url;
    bool write = str_eqz(op, "READ_WRITE");
    if (!write && !str_eqz(op, "READ"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "operation must be READ or READ_WRITE, not '%.*s'.", STR_ARG(str_cut(op, 40)));
    TRY(find_by_uuid(&c, arg_str(r, "table_id"), &t, &found));
    if (!found || !securable_visible(&c, &t)) return securable_missing(SEC_TABLE, arg_str(r, "table_id"));
    TRY(securable_need(&c, &t, PRIV_SELECT));
    if (write) TRY(securable_need(&c, &t, PRIV_MODIFY));
    TRY(securable_up(&c, &t, SEC_SCHEMA, &schema));
    TRY(securable_need(&c, &schema, PRIV_EXTERNAL_USE_SCHEMA));
    TRY(check_plain(&c, &t));
    TRY(ask_table_place(&c, &t.table, &engine, &url));
    return put_temporary(r, url);
}

err *api_unity_catalog_temporary_path_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable l;
    struct location_place place;
    str op = arg_str(r, "operation"), url;
    uint64_t need = str_eqz(op, "PATH_READ")           ? PRIV_READ_FILES
                    : str_eqz(op, "PATH_READ_WRITE")   ? PRIV_WRITE_FILES
                    : str_eqz(op, "PATH_CREATE_TABLE") ? PRIV_CREATE_EXTERNAL_TABLE
                                                       : 0;
    if (!need)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "operation must be PATH_READ, PATH_READ_WRITE or PATH_CREATE_TABLE, not '%.*s'.",
                       STR_ARG(str_cut(op, 40)));
    TRY(locations_url(r->a, arg_str(r, "url"), &url));
    TRY(locations_need(&c, url, need, &l));
    TRY(securable_need(&c, &l, PRIV_EXTERNAL_USE_LOCATION));
    TRY(locations_check_tables(&c, url, need != PRIV_READ_FILES));
    TRY(locations_place(&c, url, &place));
    return put_temporary(r, url);
}
