/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of registered models and their versions, in Unity Catalog's form and in MLflow's
 * (…_mlflow_…): the same steps, other names of fields.
 *
 * Rights: metadata takes anything that applies to a model (EXECUTE as a rule, or BROWSE above);
 * creating CREATE_MODEL on the schema; versions and aliases CREATE_MODEL_VERSION; tags APPLY_TAG;
 * texts, names, owners and deleting MANAGE. The owner of the model, its schema or its catalog has
 * them all. USE on what is above is asked each time.
 */
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "catalog/name.h"

/* ---- opening ---- */

static err *open_model(struct req *r, struct caller *c, const char *argument, uint64_t need,
                       struct securable *m) {
    *c = uc_caller(r);
    return securable_open(c, SEC_MODEL, arg_str(r, argument), need, m);
}

static err *version_number(struct req *r, const char *argument, int64_t *ret) {
    if (json_i64(arg(r, argument), ret) && *ret > 0) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "Parameter '%s' must be a positive integer, got "
                   "'%.*s'.",
                   argument, STR_ARG(str_cut(arg_str(r, argument), 40)));
}

static err *open_version(struct req *r, struct caller *c, const char *argument, uint64_t need,
                         struct securable *m, struct model_version *v) {
    int64_t number;
    TRY(open_model(r, c, argument, need, m));
    TRY(version_number(r, "version", &number));
    return models_version(c, m, number, v);
}

static str optional(struct req *r, const char *name) {
    return arg_has(r, name) ? arg_str(r, name) : STR_NONE;
}

static err *answer_mlflow(struct req *r, const struct securable *m) {
    jmut *out = req_out(r);
    return uc_put_mlflow_model(r, json_put_obj(r->doc, out, "registered_model"), m);
}

static err *answer_mlflow_version(struct req *r, const struct securable *m,
                                  const struct model_version *v) {
    jmut *out = req_out(r);
    return uc_put_mlflow_version(r, json_put_obj(r->doc, out, "model_version"), m, v);
}

/* ---- creating ---- */

static err *create(struct req *r, str schema_name, str name, str comment, struct securable *ret) {
    struct caller c = uc_caller(r);
    struct securable schema;
    struct kv tags;
    TRY(kv_from_list(r->a, arg(r, "tags"), "tags", &tags));
    TRY(securable_open(&c, SEC_SCHEMA, schema_name, PRIV_CREATE_MODEL, &schema));
    TRY(securable_need(&c, &schema, PRIV_USE_SCHEMA));
    return models_create(&c, &schema, name, comment, &tags, ret);
}

err *api_unity_catalog_create_model(struct req *r) {
    static const char *const none[] = {"storage_location", NULL}; /* files of versions lie below the catalog's own root */
    struct securable m;
    TRY(uc_refuse(r, none));
    TRY(name_check_part(arg_str(r, "catalog_name"), "catalog"));
    TRY(name_check_part(arg_str(r, "schema_name"), "schema"));
    str schema = name_join(r->a, arg_str(r, "catalog_name"), arg_str(r, "schema_name"), STR(""));
    TRY(create(r, schema, arg_str(r, "name"), optional(r, "comment"), &m));
    return uc_put_model(r, req_out(r), &m);
}

err *api_unity_catalog_mlflow_create_model(struct req *r) {
    struct securable m;
    str part[3];
    TRY(name_split(r->a, arg_str(r, "name"), 3, "registered model", part));
    TRY(create(r, name_join(r->a, part[0], part[1], STR("")), part[2], optional(r, "description"),
               &m));
    return answer_mlflow(r, &m);
}

/* ---- reading ---- */

err *api_unity_catalog_get_model(struct req *r) {
    struct caller c;
    struct securable m;
    TRY(open_model(r, &c, "full_name", 0, &m));
    return uc_put_model(r, req_out(r), &m);
}

err *api_unity_catalog_mlflow_get_model(struct req *r) {
    struct caller c;
    struct securable m;
    TRY(open_model(r, &c, "name", 0, &m));
    return answer_mlflow(r, &m);
}

err *api_unity_catalog_mlflow_search_models(struct req *r) {
    return uc_list_models(r, STR(""), STR(""), uc_put_mlflow_model);
}

/* ---- changing ---- */

static err *update(struct req *r, const char *name, const char *comment, struct securable *m) {
    struct caller c;
    TRY(open_model(r, &c, name, PRIV_MANAGE, m));
    if (arg_has(r, comment)) m->model.comment = arg_str(r, comment);
    if (arg_has(r, "owner")) {
        TRY(uc_principal_id(r, arg_str(r, "owner"), &m->owner));
        m->model.owner_id = m->owner;
    }
    str new_name = arg_str(r, "new_name"), part[3];
    if (new_name.n && str_chr(new_name, '.', 0) >= 0) {
        /* MLflow renames with a full name; a model stays in its schema. */
        TRY(name_split(r->a, new_name, 3, "registered model", part));
        if (!str_ieq(part[0], m->catalog.name) || !str_ieq(part[1], m->schema.name))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "'%.*s' is in another schema; a registered model cannot move.",
                           STR_ARG(new_name));
        new_name = part[2];
    }
    if (new_name.n) TRY(models_rename(&c, m, new_name));
    return models_save(&c, m);
}

err *api_unity_catalog_update_model(struct req *r) {
    struct securable m;
    TRY(update(r, "full_name", "comment", &m));
    return uc_put_model(r, req_out(r), &m);
}

err *api_unity_catalog_mlflow_update_model(struct req *r) {
    struct securable m;
    TRY(update(r, "name", "description", &m));
    return answer_mlflow(r, &m);
}

static err *delete_model(struct req *r, const char *name) {
    struct caller c;
    struct securable m;
    TRY(open_model(r, &c, name, PRIV_MANAGE, &m));
    return models_delete(&c, &m);
}
err *api_unity_catalog_delete_model(struct req *r) { return delete_model(r, "full_name"); }
err *api_unity_catalog_mlflow_delete_model(struct req *r) { return delete_model(r, "name"); }

/* ---- tags ---- */

err *api_unity_catalog_mlflow_set_model_tag(struct req *r) {
    struct caller c;
    struct securable m;
    struct kv add = {0};
    TRY(open_model(r, &c, "name", PRIV_APPLY_TAG, &m));
    kv_set(r->a, &add, arg_str(r, "key"), arg_str(r, "value"));
    return models_change_tags(&c, &m, &add, NULL, 0);
}

err *api_unity_catalog_mlflow_delete_model_tag(struct req *r) {
    struct caller c;
    struct securable m;
    struct kv add = {0};
    str key = arg_str(r, "key");
    TRY(open_model(r, &c, "name", PRIV_APPLY_TAG, &m));
    return models_change_tags(&c, &m, &add, &key, 1);
}

err *api_unity_catalog_mlflow_set_version_tag(struct req *r) {
    struct caller c;
    struct securable m;
    struct model_version v;
    struct kv add = {0};
    TRY(open_version(r, &c, "name", PRIV_APPLY_TAG, &m, &v));
    kv_set(r->a, &add, arg_str(r, "key"), arg_str(r, "value"));
    return models_version_change_tags(&c, &v, &add, NULL, 0);
}

err *api_unity_catalog_mlflow_delete_version_tag(struct req *r) {
    struct caller c;
    struct securable m;
    struct model_version v;
    struct kv add = {0};
    str key = arg_str(r, "key");
    TRY(open_version(r, &c, "name", PRIV_APPLY_TAG, &m, &v));
    return models_version_change_tags(&c, &v, &add, &key, 1);
}

/* {"add_tags":[{"key","value"}],"remove":["key"]} */
static err *read_changes(struct req *r, struct kv *add, const str **remove, size_t *n_remove) {
    jval *changes = arg(r, "changes"), *list = json_get(changes, "remove"), *e;
    size_t i, n;
    TRY(kv_from_list(r->a, json_get(changes, "add_tags"), "changes.add_tags", add));
    str *keys = arena_array_of(r->a, str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, e) keys[i] = json_str(e);
    *remove = keys;
    *n_remove = yyjson_arr_size(list);
    return NULL;
}

static err *check_tagged_kind(struct req *r) {
    int kind = securable_kind_of(arg_str(r, "securable_type"));
    if (kind == SEC_MODEL || kind == SEC_FUNCTION) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Tags are kept on registered models (securable type FUNCTION), not on '%.*s'.",
                   STR_ARG(str_cut(arg_str(r, "securable_type"), 64)));
}

err *api_unity_catalog_securable_tags(struct req *r) {
    struct caller c;
    struct securable m;
    struct kv add;
    const str *remove;
    size_t n;
    TRY(check_tagged_kind(r));
    TRY(open_model(r, &c, "full_name", PRIV_APPLY_TAG, &m));
    TRY(read_changes(r, &add, &remove, &n));
    return models_change_tags(&c, &m, &add, remove, n);
}

err *api_unity_catalog_subentity_tags(struct req *r) {
    struct caller c;
    struct securable m;
    struct model_version v;
    struct kv add;
    const str *remove;
    size_t n;
    int64_t number;
    TRY(check_tagged_kind(r));
    TRY(open_model(r, &c, "full_name", PRIV_APPLY_TAG, &m));
    TRY(version_number(r, "subentity", &number));
    TRY(models_version(&c, &m, number, &v));
    TRY(read_changes(r, &add, &remove, &n));
    return models_version_change_tags(&c, &v, &add, remove, n);
}

/* ---- aliases ---- */

err *api_unity_catalog_set_alias(struct req *r) {
    struct caller c;
    struct securable m;
    int64_t number;
    TRY(open_model(r, &c, "full_name", PRIV_CREATE_MODEL_VERSION, &m));
    TRY(version_number(r, "version_num", &number));
    TRY(models_set_alias(&c, &m, arg_str(r, "alias"), number));
    jmut *o = req_out(r);
    json_put_str(r->doc, o, "alias_name", arg_str(r, "alias"));
    json_put_int(r->doc, o, "version_num", number);
    return NULL;
}

err *api_unity_catalog_mlflow_set_alias(struct req *r) {
    struct caller c;
    struct securable m;
    int64_t number;
    TRY(open_model(r, &c, "name", PRIV_CREATE_MODEL_VERSION, &m));
    TRY(version_number(r, "version", &number));
    return models_set_alias(&c, &m, arg_str(r, "alias"), number);
}

static err *delete_alias(struct req *r, const char *name) {
    struct caller c;
    struct securable m;
    TRY(open_model(r, &c, name, PRIV_CREATE_MODEL_VERSION, &m));
    return models_delete_alias(&c, &m, arg_str(r, "alias"));
}
err *api_unity_catalog_delete_alias(struct req *r) { return delete_alias(r, "full_name"); }
err *api_unity_catalog_mlflow_delete_alias(struct req *r) { return delete_alias(r, "name"); }

err *api_unity_catalog_get_by_alias(struct req *r) {
    struct caller c;
    struct securable m;
    struct model_version v;
    TRY(open_model(r, &c, "full_name", 0, &m));
    TRY(models_version_by_alias(&c, &m, arg_str(r, "alias"), &v));
    return uc_put_version(r, req_out(r), &m, &v);
}

err *api_unity_catalog_mlflow_get_alias(struct req *r) {
    struct caller c;
    struct securable m;
    struct model_version v;
    TRY(open_model(r, &c, "name", 0, &m));
    TRY(models_version_by_alias(&c, &m, arg_str(r, "alias"), &v));
    return answer_mlflow_version(r, &m, &v);
}
