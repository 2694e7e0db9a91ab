/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of versions of registered models; rights as in models.c. */
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "catalog/name.h"
#include "mlflow/filter.h"
#include "serving/serving.h"

struct found {
    struct caller c;
    struct securable m;
    struct model_version v;
};

static err *open_named(struct req *r, str full_name, uint64_t need, struct found *ret) {
    int64_t number;
    ret->c = uc_caller(r);
    TRY(securable_open(&ret->c, SEC_MODEL, full_name, need, &ret->m));
    if (!json_i64(arg(r, "version"), &number))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Parameter 'version' must be an integer, got '%.*s'.",
                       STR_ARG(str_cut(arg_str(r, "version"), 40)));
    return models_version(&ret->c, &ret->m, number, &ret->v);
}

static err *open_version(struct req *r, uint64_t need, struct found *ret) {
    return open_named(r, arg_str(r, "full_name"), need, ret);
}
static err *open_mlflow(struct req *r, uint64_t need, struct found *ret) {
    return open_named(r, arg_str(r, "name"), need, ret);
}

static err *answer(struct req *r, const struct found *f) {
    return uc_put_version(r, req_out(r), &f->m, &f->v);
}
static err *answer_mlflow(struct req *r, const struct found *f) {
    jmut *out = req_out(r);
    return uc_put_mlflow_version(r, json_put_obj(r->doc, out, "model_version"), &f->m, &f->v);
}

/* ---- creating ---- */

static err *create(struct req *r, str full_name, const char *comment, struct found *ret) {
    struct version_spec spec = {.source = arg_str(r, "source"),
                                .run_id = arg_str(r, "run_id"),
                                .comment = arg_str(r, comment),
                                .logged_model = arg_str(r, "model_id")};
    ret->c = uc_caller(r);
    if (spec.run_id.n) spec.run_workspace = r->scope.workspace;
    int64_t workspace;
    if (json_i64(arg(r, "run_tracking_server_id"), &workspace) ||
        json_i64(arg(r, "run_workspace_id"), &workspace))
        spec.run_workspace = workspace;
    jval *deps = arg(r, "model_version_dependencies");
    if (yyjson_is_obj(deps))
        spec.dependencies = json_text(r->a, yyjson_val_mut_copy(json_doc(r->a), deps));
    TRY(kv_from_list(r->a, arg(r, "tags"), "tags", &spec.tags));
    TRY(securable_open(&ret->c, SEC_MODEL, full_name, PRIV_CREATE_MODEL_VERSION, &ret->m));
    return models_version_create(&ret->c, &ret->m, &spec, &ret->v);
}

err *api_unity_catalog_create_version(struct req *r) {
    struct found f;
    str full = name_join(r->a, arg_str(r, "catalog_name"), arg_str(r, "schema_name"),
                         arg_str(r, "model_name"));
    TRY(create(r, full, "comment", &f));
    return answer(r, &f);
}

err *api_unity_catalog_mlflow_create_version(struct req *r) {
    struct found f;
    TRY(create(r, arg_str(r, "name"), "description", &f));
    return answer_mlflow(r, &f);
}

/* ---- reading ---- */

err *api_unity_catalog_get_version(struct req *r) {
    struct found f;
    TRY(open_version(r, 0, &f));
    return answer(r, &f);
}

err *api_unity_catalog_mlflow_get_version(struct req *r) {
    struct found f;
    TRY(open_mlflow(r, 0, &f));
    return answer_mlflow(r, &f);
}

err *api_unity_catalog_list_versions(struct req *r) {
    struct securable m;
    struct caller c = uc_caller(r);
    TRY(securable_open(&c, SEC_MODEL, arg_str(r, "full_name"), 0, &m));
    return uc_list_versions(r, &m, 100, 1000, uc_put_version);
}

/* The catalog's search knows one filter: name = 'catalog.schema.model'. */
err *api_unity_catalog_mlflow_search_versions(struct req *r) {
    struct mlq q = {0};
    struct securable m;
    struct caller c = uc_caller(r);
    TRY(filter_parse(r->a, FILTER_VERSIONS, arg_str(r, "filter"), &q));
    if (q.n_clauses != 1 || q.clauses[0].attribute != MLQ_NAME || q.clauses[0].op != MLQ_EQ)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Versions in Unity Catalog are searched by a filter of the form "
                       "name = '<catalog>.<schema>.<model>', not '%.*s'.",
                       STR_ARG(str_cut(arg_str(r, "filter"), 300)));
    err *e = securable_open(&c, SEC_MODEL, q.clauses[0].text, 0, &m);
    if (err_code_of(e) == ERR_RESOURCE_DOES_NOT_EXIST) {
        err_free(e);
        json_put_arr(req_doc(r), req_out(r), "model_versions");
        return NULL;
    }
    if (e) return e;
    return uc_list_versions(r, &m, 10000, 10000, uc_put_mlflow_version);
}

/* ---- changing ---- */

err *api_unity_catalog_update_version(struct req *r) {
    struct found f;
    TRY(open_version(r, PRIV_MANAGE, &f));
    if (arg_has(r, "comment")) f.v.row.comment = arg_str(r, "comment");
    TRY(models_version_save(&f.c, &f.v));
    return answer(r, &f);
}

err *api_unity_catalog_mlflow_update_version(struct req *r) {
    struct found f;
    TRY(open_mlflow(r, PRIV_MANAGE, &f));
    if (arg_has(r, "description")) f.v.row.comment = arg_str(r, "description");
    TRY(models_version_save(&f.c, &f.v));
    return answer_mlflow(r, &f);
}

static err *finalize(struct req *r, struct found *f) {
    TRY(models_version_finalize(&f->c, &f->v));
    char *version = arena_printf(r->a, "%lld", (long long)f->v.row.version);
    serving_import_early(r, r->scope, f->m.full_name, str_of(version));
    return NULL;
}

err *api_unity_catalog_finalize_version(struct req *r) {
    struct found f;
    TRY(open_version(r, PRIV_CREATE_MODEL_VERSION, &f));
    TRY(finalize(r, &f));
    return answer(r, &f);
}

err *api_unity_catalog_mlflow_finalize_version(struct req *r) {
    struct found f;
    TRY(open_mlflow(r, PRIV_CREATE_MODEL_VERSION, &f));
    TRY(finalize(r, &f));
    return answer_mlflow(r, &f);
}

err *api_unity_catalog_delete_version(struct req *r) {
    struct found f;
    TRY(open_version(r, PRIV_MANAGE, &f));
    return models_version_delete(&f.c, &f.m, &f.v);
}

err *api_unity_catalog_mlflow_delete_version(struct req *r) {
    struct found f;
    TRY(open_mlflow(r, PRIV_MANAGE, &f));
    return models_version_delete(&f.c, &f.m, &f.v);
}

/* ---- files ---- */

err *api_unity_catalog_mlflow_files_api_enabled(struct req *r) {
    json_put_bool(req_doc(r), req_out(r),
                  "is_databricks_sdk_models_artifact_repository_enabled", true);
    return NULL;
}

/* Reading or writing, as the operation's name says: either is decided here already, so that the
 * client learns at once. */
static err *check_operation(struct req *r, str full_name) {
    struct found f;
    bool write = str_find(arg_str(r, "operation"), STR("WRITE")) >= 0;
    return open_named(r, full_name, write ? PRIV_CREATE_MODEL_VERSION : PRIV_EXECUTE, &f);
}

err *api_unity_catalog_temporary_credentials(struct req *r) {
    TRY(check_operation(r, name_join(r->a, arg_str(r, "catalog_name"), arg_str(r, "schema_name"),
                                     arg_str(r, "model_name"))));
    json_put_z(req_doc(r), req_out(r), "storage_mode", "DEFAULT_STORAGE");
    return NULL;
}

err *api_unity_catalog_mlflow_temporary_credentials(struct req *r) {
    TRY(check_operation(r, arg_str(r, "name")));
    jmut *out = req_out(r);
    json_put_z(r->doc, json_put_obj(r->doc, out, "credentials"), "storage_mode", "DEFAULT_STORAGE");
    return NULL;
}

err *api_unity_catalog_mlflow_download_uri(struct req *r) {
    struct found f;
    TRY(open_mlflow(r, PRIV_EXECUTE, &f));
    str path = uc_files_path(r, &f.m, f.v.row.version);
    json_put_str(req_doc(r), req_out(r), "artifact_uri",
                 str_of(arena_printf(r->a, "dbfs:%.*s", STR_ARG(path))));
    return NULL;
}

err *api_unity_catalog_mlflow_emit_lineage(struct req *r) {
    struct found f;
    return open_mlflow(r, PRIV_EXECUTE, &f);
}
