/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of catalogs, schemas and the metastore. */
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "base/time.h"
#include "catalog/bindings.h"
#include "catalog/locations.h"

/* The argument as text, STR_NONE where it was not sent. */
static str optional(struct req *r, const char *name) {
    return arg_has(r, name) ? arg_str(r, name) : STR_NONE;
}

static err *read_spec(struct req *r, const struct caller *c, struct catalogs_spec *ret) {
    static const char *const none[] = {"connection_name", "share_name", "provider_name", "options", "custom_max_retention_hours", "managed_encryption_settings", NULL};
    TRY(uc_refuse(r, none));
    *ret = (struct catalogs_spec){.name = arg_str(r, "name"), .comment = optional(r, "comment")};
    if (arg_str(r, "storage_root").n) TRY(locations_managed(c, arg_str(r, "storage_root"), &ret->storage_root));
    return kv_from_object(r->a, arg(r, "properties"), "properties", &ret->properties);
}

static err *put(struct req *r, const struct securable *s) {
    return s->kind == SEC_CATALOG ? uc_put_catalog(r, req_out(r), s)
                                  : uc_put_schema(r, req_out(r), s);
}

err *api_unity_catalog_create_catalog(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable metastore, s;
    struct catalogs_spec spec;
    TRY(securable_open(&c, SEC_METASTORE, STR(""), PRIV_CREATE_CATALOG, &metastore));
    TRY(read_spec(r, &c, &spec));
    TRY(catalogs_create(&c, &spec, &s));
    return put(r, &s);
}

err *api_unity_catalog_get_catalog(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "name"), 0, &s));
    return put(r, &s);
}

/* What PATCH may change, the same on both kinds. Giving it to another owner takes no more than
 * MANAGE; the name of a catalog in use may change because everything refers to ids. */
static err *update(struct req *r, struct caller *c, struct securable *s) {
    bool catalog = s->kind == SEC_CATALOG;
    struct kv properties;
    static const char *const none[] = {"options", "custom_max_retention_hours", "managed_encryption_settings", NULL};
    TRY(securable_need(c, s, PRIV_MANAGE));
    TRY(uc_refuse(r, none));
    if (catalog && arg_has(r, "isolation_mode")) TRY(bindings_set_mode(c, s, arg_str(r, "isolation_mode")));
    if (str_eqz(arg_str(r, "enable_predictive_optimization"), "ENABLE"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "enable_predictive_optimization ENABLE is not supported: tables are optimized when somebody asks.");
    if (arg_has(r, "comment"))
        *(catalog ? &s->catalog.comment : &s->schema.comment) = arg_str(r, "comment");
    if (arg_has(r, "properties")) {
        TRY(kv_from_object(r->a, arg(r, "properties"), "properties", &properties));
        TRY(kv_text(r->a, &properties, "properties",
                    catalog ? &s->catalog.properties : &s->schema.properties));
    }
    if (arg_has(r, "owner")) {
        TRY(uc_principal_id(r, arg_str(r, "owner"), &s->owner));
        *(catalog ? &s->catalog.owner_id : &s->schema.owner_id) = s->owner;
    }
    if (arg_has(r, "new_name")) TRY(catalogs_rename(c, s, arg_str(r, "new_name")));
    TRY(catalogs_save(c, s));
    return put(r, s);
}

err *api_unity_catalog_update_catalog(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "name"), 0, &s));
    return update(r, &c, &s);
}

err *api_unity_catalog_delete_catalog(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "name"), PRIV_MANAGE, &s));
    return catalogs_delete(&c, &s, arg_bool(r, "force", false));
}

err *api_unity_catalog_create_schema(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable catalog, s;
    struct catalogs_spec spec;
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "catalog_name"), PRIV_CREATE_SCHEMA, &catalog));
    /* Creating inside takes USE on the catalog too; on chain[0] the policy does not ask for it. */
    TRY(securable_need(&c, &catalog, PRIV_USE_CATALOG));
    TRY(read_spec(r, &c, &spec));
    TRY(catalogs_create_schema(&c, &catalog, &spec, &s));
    return put(r, &s);
}

err *api_unity_catalog_get_schema(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_SCHEMA, arg_str(r, "full_name"), 0, &s));
    return put(r, &s);
}

err *api_unity_catalog_update_schema(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_SCHEMA, arg_str(r, "full_name"), 0, &s));
    return update(r, &c, &s);
}

err *api_unity_catalog_delete_schema(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_SCHEMA, arg_str(r, "full_name"), PRIV_MANAGE, &s));
    return catalogs_delete(&c, &s, arg_bool(r, "force", false));
}

/* ---- the metastore ---- */

static err *put_metastore(struct req *r, jmut *o) {
    struct ent_account account;
    struct ent_list_query q = {.limit = 1};
    struct ent_account_rows rows;
    struct caller c = uc_caller(r);
    TRY(ent_account_list(r->tx, metastore_scope(&c), r->a, &q, &rows));
    account = rows.n ? rows.p[0] : (struct ent_account){0};
    const char *id = uc_metastore(r);
    json_put_z(r->doc, o, "metastore_id", id);
    json_put_z(r->doc, o, "global_metastore_id", arena_printf(r->a, "boathouse:local:%s", id));
    json_put_str(r->doc, o, "name", account.name.n ? account.name : STR("metastore"));
    str owner;
    TRY(uc_principal(r, account.created_by, &owner));
    json_put_str(r->doc, o, "owner", owner);
    json_put_z(r->doc, o, "cloud", "aws");
    json_put_z(r->doc, o, "region", "local");
    json_put_z(r->doc, o, "privilege_model_version", "1.0");
    json_put_z(r->doc, o, "delta_sharing_scope", "INTERNAL");
    json_put_int(r->doc, o, "created_at", account.created_at / US_PER_MS);
    json_put_str(r->doc, o, "created_by", owner);
    json_put_int(r->doc, o, "updated_at", account.updated_at / US_PER_MS);
    return NULL;
}

err *api_unity_catalog_metastore_summary(struct req *r) { return put_metastore(r, req_out(r)); }

err *api_unity_catalog_current_assignment(struct req *r) {
    struct ent_workspace w;
    struct caller c = uc_caller(r);
    bool found;
    TRY(ent_workspace_get(r->tx, metastore_scope(&c), r->a, r->scope.workspace, &w, &found));
    jmut *o = req_out(r);
    json_put_int(r->doc, o, "workspace_id", r->scope.workspace);
    json_put_z(r->doc, o, "metastore_id", uc_metastore(r));
    json_put_str(r->doc, o, "default_catalog_name",
                 found && w.default_catalog.n ? w.default_catalog : STR("main"));
    return NULL;
}

err *api_unity_catalog_list_metastores(struct req *r) {
    jmut *arr = json_put_arr(req_doc(r), req_out(r), "metastores");
    return put_metastore(r, json_add_obj(r->doc, arr));
}

err *api_unity_catalog_get_metastore(struct req *r) {
    if (!str_eqz(arg_str(r, "id"), uc_metastore(r)))
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Metastore '%.*s' does not exist.",
                       STR_ARG(str_cut(arg_str(r, "id"), 100)));
    return put_metastore(r, req_out(r));
}
