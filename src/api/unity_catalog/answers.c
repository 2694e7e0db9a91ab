/* SPDX-License-Identifier: Apache-2.0 */
#include "api/unity_catalog/answers.h"

#include "api/files/files_int.h"
#include "base/time.h"
#include "catalog/aliases.h"
#include "catalog/bindings.h"
#include "catalog/stores.h"
#include "engine/link.h"
#include "files/tree.h"
#include "identity/identity.h"

static void drop_blob(void *arg, str key) {
    struct req *r = arg;
    if (!r->control->keep_past) files_drop_later(r, key);
}

static err *drop_files(const struct caller *c, str folder) {
    err *e = tree_remove_all(c->tx, metastore_scope(c), c->a, folder, drop_blob, c->arg);
    err_code code = err_code_of(e);
    if (code != ERR_NOT_FOUND && code != ERR_RESOURCE_DOES_NOT_EXIST) return e;
    err_free(e);
    return NULL;
}

struct caller uc_caller(struct req *r) {
    struct caller c = {.tx = r->tx,
                           .today = store_tx_today(r->tx),
                           .scope = r->scope,
                           .a = r->a,
                           .who = &r->who,
                           .name = r->principal_name,
                           .arg = r,
                           .drop_files = drop_files};
    if (r->control->engines) c.n_roots = engine_roots(r->control, &c.roots);
    if (r->control->host_data)
        c.tables_url = str_of(arena_printf(r->a, "file://%s/tables/%s", r->control->host_data,
                                           r->control->account_id));
    c.stores = r->control->stores;
    if (c.stores && c.stores->root_url.n)
        c.tables_url = str_of(arena_printf(r->a, "%.*s/tables/%s", STR_ARG(c.stores->root_url), r->control->account_id));
    return c;
}

const char *uc_metastore(struct req *r) { return metastore_id(r->a, r->control->account_id); }

err *uc_principal(struct req *r, int64_t id, str *ret) {
    struct principal_info p;
    bool found = false;
    if (id) TRY(identity_find(store_tx_today(r->tx), r->a, id, &p, &found));
    /* Another workspace's group has a name there only. */
    if (found && p.workspace && p.workspace != r->scope.workspace) found = false;
    *ret = found ? p.name : id ? str_of(arena_printf(r->a, "%lld", (long long)id)) : STR("System user");
    return NULL;
}

static bool is_set(jval *v) { return v && !yyjson_is_false(v) && !(yyjson_is_ctn(v) && !yyjson_get_len(v)); }

err *uc_refuse(struct req *r, const char *const *names) {
    for (; *names; names++)
        if (is_set(arg(r, *names))) return err_new(ERR_INVALID_PARAMETER_VALUE, "Parameter '%s' is not supported here.", *names);
    return NULL;
}

void uc_put_optimization(struct req *r, jmut *o) {
    json_put_z(r->doc, o, "enable_predictive_optimization", "INHERIT");
    jmut *flag = json_put_obj(r->doc, o, "effective_predictive_optimization_flag");
    json_put_z(r->doc, flag, "value", "DISABLE");
    json_put_z(r->doc, flag, "inherited_from_type", "METASTORE");
    json_put_z(r->doc, flag, "inherited_from_name", uc_metastore(r));
}

err *uc_principal_id(struct req *r, str name, int64_t *ret) {
    static const enum principal_type types[] = {PRINCIPAL_USER, PRINCIPAL_GROUP, PRINCIPAL_SERVICE};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct principal_info p;
        bool found;
        TRY(identity_by_name(r->tx, r->a, r->scope.workspace, types[i], name, &p, &found));
        if (!found) continue;
        *ret = p.id;
        return NULL;
    }
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Could not find principal with name %.*s.",
                   STR_ARG(str_cut(name, 255)));
}

str uc_files_path(struct req *r, const struct securable *m, int64_t version) {
    return str_of(arena_printf(r->a, "/Models/%.*s/%.*s/%.*s/%lld", STR_ARG(m->catalog.name),
                               STR_ARG(m->schema.name), STR_ARG(m->model.name),
                               (long long)version));
}

/* ---- Unity Catalog's form ---- */

err *uc_put_stamps(struct req *r, jmut *o, struct uc_stamps s) {
    str name;
    json_put_z(r->doc, o, "metastore_id", uc_metastore(r));
    json_put_int(r->doc, o, "created_at", s.created_at / US_PER_MS);
    json_put_int(r->doc, o, "updated_at", s.updated_at / US_PER_MS);
    if (arg_bool(r, "omit_username", false)) return NULL;
    TRY(uc_principal(r, s.created_by, &name));
    json_put_str(r->doc, o, "created_by", name);
    TRY(uc_principal(r, s.updated_by, &name));
    json_put_str(r->doc, o, "updated_by", name);
    return NULL;
}

err *uc_put_owner(struct req *r, jmut *o, const struct securable *s, str comment) {
    struct caller c = uc_caller(r);
    str name;
    if (!arg_bool(r, "omit_username", false)) {
        TRY(uc_principal(r, s->owner, &name));
        json_put_str(r->doc, o, "owner", name);
    }
    json_put_str(r->doc, o, "full_name", s->full_name);
    if (comment.p) json_put_str(r->doc, o, "comment", comment);
    json_put_bool(r->doc, o, "browse_only", securable_browse_only(&c, s));
    return NULL;
}

static err *put_properties(struct req *r, jmut *o, str properties) {
    struct kv map;
    TRY(kv_read(r->a, properties, &map));
    if (map.n) kv_put_object(r->doc, o, "properties", &map);
    return NULL;
}

#define STAMPS(row) UC_STAMPS(row)

static void put_root(struct req *r, jmut *o, str root) {
    if (!root.n) return;
    json_put_str(r->doc, o, "storage_root", root);
    json_put_str(r->doc, o, "storage_location", root);
}

err *uc_put_catalog(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_catalog *c = &s->catalog;
    json_put_str(r->doc, o, "name", c->name);
    json_put_z(r->doc, o, "id", catalog_uuid(r->a, c->id));
    json_put_z(r->doc, o, "catalog_type", "MANAGED_CATALOG");
    json_put_z(r->doc, o, "securable_type", "CATALOG");
    json_put_z(r->doc, o, "securable_kind", "CATALOG_STANDARD");
    json_put_z(r->doc, o, "isolation_mode", bindings_isolated(s) ? "ISOLATED" : "OPEN");
    put_root(r, o, c->storage_root);
    uc_put_optimization(r, o);
    json_put_z(r->doc, json_put_obj(r->doc, o, "provisioning_info"), "state", "ACTIVE");
    TRY(put_properties(r, o, c->properties));
    TRY(uc_put_owner(r, o, s, c->comment));
    return uc_put_stamps(r, o, STAMPS(*c));
}

err *uc_put_schema(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_schema *row = &s->schema;
    json_put_str(r->doc, o, "name", row->name);
    json_put_str(r->doc, o, "catalog_name", s->catalog.name);
    json_put_z(r->doc, o, "schema_id", catalog_uuid(r->a, row->id));
    json_put_z(r->doc, o, "catalog_type", "MANAGED_CATALOG");
    json_put_z(r->doc, o, "securable_type", "SCHEMA");
    put_root(r, o, row->storage_root);
    uc_put_optimization(r, o);
    TRY(put_properties(r, o, row->properties));
    /* Spark's connector wants them, also when there are none. */
    if (!yyjson_mut_obj_get(o, "properties")) (void)json_put_obj(r->doc, o, "properties");
    TRY(uc_put_owner(r, o, s, row->comment));
    return uc_put_stamps(r, o, STAMPS(*row));
}

/* version 0: all aliases of the model. */
static err *put_aliases(struct req *r, jmut *o, const struct securable *m, int64_t version) {
    struct ent_model_alias_rows rows;
    struct caller c = uc_caller(r);
    TRY(aliases_of(r->tx, metastore_scope(&c), r->a, m->id, &rows));
    jmut *arr = json_put_arr(r->doc, o, "aliases");
    for (size_t i = 0; i < rows.n; i++) {
        if (version && rows.p[i].version != version) continue;
        jmut *alias = json_add_obj(r->doc, arr);
        json_put_str(r->doc, alias, "alias_name", rows.p[i].alias);
        json_put_int(r->doc, alias, "version_num", rows.p[i].version);
        json_put_z(r->doc, alias, "id", catalog_uuid(r->a, rows.p[i].id));
        json_put_str(r->doc, alias, "model_name", m->model.name);
        json_put_str(r->doc, alias, "catalog_name", m->catalog.name);
        json_put_str(r->doc, alias, "schema_name", m->schema.name);
    }
    return NULL;
}

err *uc_put_model(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_uc_model *row = &s->model;
    struct kv tags;
    json_put_str(r->doc, o, "name", row->name);
    json_put_str(r->doc, o, "catalog_name", s->catalog.name);
    json_put_str(r->doc, o, "schema_name", s->schema.name);
    json_put_z(r->doc, o, "id", catalog_uuid(r->a, row->id));
    json_put_str(r->doc, o, "storage_location",
                 str_of(arena_printf(r->a, "dbfs:/Models/%.*s/%.*s/%.*s", STR_ARG(s->catalog.name),
                                     STR_ARG(s->schema.name), STR_ARG(row->name))));
    TRY(kv_read(r->a, row->tags, &tags));
    kv_put_list(r->doc, o, "tags", &tags);
    TRY(put_aliases(r, o, s, 0));
    TRY(uc_put_owner(r, o, s, row->comment));
    return uc_put_stamps(r, o, STAMPS(*row));
}

static void put_text(struct req *r, jmut *o, const char *key, str v) {
    if (v.n) json_put_str(r->doc, o, key, v);
}

static void put_location(struct req *r, jmut *o, const struct securable *m, int64_t version) {
    str path = uc_files_path(r, m, version);
    json_put_str(r->doc, o, "storage_location",
                 str_of(arena_printf(r->a, "dbfs:%.*s", STR_ARG(path))));
}

err *uc_put_version(struct req *r, jmut *o, const struct securable *m,
                    const struct model_version *v) {
    const struct ent_uc_model_version *row = &v->row;
    json_put_str(r->doc, o, "model_name", m->model.name);
    json_put_str(r->doc, o, "catalog_name", m->catalog.name);
    json_put_str(r->doc, o, "schema_name", m->schema.name);
    json_put_int(r->doc, o, "version", row->version);
    json_put_z(r->doc, o, "id", catalog_uuid(r->a, row->id));
    put_text(r, o, "source", row->source);
    put_text(r, o, "run_id", row->run_id);
    if (row->run_workspace_id) json_put_int(r->doc, o, "run_workspace_id", row->run_workspace_id);
    put_text(r, o, "model_id", row->logged_model_id);
    put_text(r, o, "comment", row->comment);
    json_put_str(r->doc, o, "status", row->status);
    put_location(r, o, m, row->version);
    kv_put_list(r->doc, o, "tags", &v->tags);
    if (row->dependencies.n) {
        jval *list;
        TRY(json_parse(r->a, row->dependencies, false, &list));
        json_put(r->doc, o, "model_version_dependencies", yyjson_val_mut_copy(r->doc, list));
    }
    TRY(put_aliases(r, o, m, row->version));
    return uc_put_stamps(r, o, STAMPS(*row));
}

/* ---- MLflow's form ---- */

static err *put_mlflow_aliases(struct req *r, jmut *o, const struct securable *m, int64_t version) {
    struct ent_model_alias_rows rows;
    struct caller c = uc_caller(r);
    TRY(aliases_of(r->tx, metastore_scope(&c), r->a, m->id, &rows));
    jmut *arr = json_put_arr(r->doc, o, "aliases");
    for (size_t i = 0; i < rows.n; i++) {
        if (version && rows.p[i].version != version) continue;
        jmut *alias = json_add_obj(r->doc, arr);
        json_put_str(r->doc, alias, "alias", rows.p[i].alias);
        json_put_str(r->doc, alias, "version",
                     str_of(arena_printf(r->a, "%lld", (long long)rows.p[i].version)));
    }
    return NULL;
}

err *uc_put_mlflow_model(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_uc_model *row = &s->model;
    struct kv tags;
    str name;
    json_put_str(r->doc, o, "name", s->full_name);
    json_put_int(r->doc, o, "creation_timestamp", row->created_at / US_PER_MS);
    json_put_int(r->doc, o, "last_updated_timestamp", row->updated_at / US_PER_MS);
    TRY(uc_principal(r, row->created_by, &name));
    json_put_str(r->doc, o, "user_id", name);
    put_text(r, o, "description", row->comment);
    TRY(kv_read(r->a, row->tags, &tags));
    kv_put_list(r->doc, o, "tags", &tags);
    return put_mlflow_aliases(r, o, s, 0);
}

err *uc_put_mlflow_version(struct req *r, jmut *o, const struct securable *m,
                           const struct model_version *v) {
    const struct ent_uc_model_version *row = &v->row;
    json_put_str(r->doc, o, "name", m->full_name);
    json_put_str(r->doc, o, "version",
                 str_of(arena_printf(r->a, "%lld", (long long)row->version)));
    json_put_int(r->doc, o, "creation_timestamp", row->created_at / US_PER_MS);
    json_put_int(r->doc, o, "last_updated_timestamp", row->updated_at / US_PER_MS);
    put_text(r, o, "user_id", row->user_id);
    put_text(r, o, "description", row->comment);
    put_text(r, o, "source", row->source);
    put_text(r, o, "run_id", row->run_id);
    if (row->run_workspace_id)
        json_put_str(r->doc, o, "run_tracking_server_id",
                     str_of(arena_printf(r->a, "%lld", (long long)row->run_workspace_id)));
    put_text(r, o, "model_id", row->logged_model_id);
    json_put_str(r->doc, o, "status", row->status);
    put_text(r, o, "status_message", row->status_message);
    put_location(r, o, m, row->version);
    kv_put_list(r->doc, o, "tags", &v->tags);
    return put_mlflow_aliases(r, o, m, row->version);
}
