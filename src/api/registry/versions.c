/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of model versions. */
#include "api/gen_routes.h"
#include "files/sign.h"
#include "files/tree.h"
#include "mlflow/access.h"
#include "mlflow/location.h"
#include "mlflow/registry.h"
#include "serving/serving.h"

struct found {
    struct reg_model m;
    struct reg_version v;
};

static err *open_version(struct req *r, uint64_t level, struct found *ret) {
    TRY(registry_open(r, arg_str(r, "name"), level, &ret->m));
    return registry_version(r, &ret->m, arg_str(r, "version"), &ret->v);
}

static err *answer(struct req *r, const struct found *f) {
    registry_put_version(r, json_put_obj(req_doc(r), req_out(r), "model_version"), &f->m, &f->v);
    return NULL;
}

err *api_registry_resolve_source(struct req *r) {
    struct reg_source *s = arena_new_of(r->a, struct reg_source);
    r->state = s;
    str model = arg_str(r, "model_id");
    return registry_resolve_source(r, arg_str(r, "source"), model, s);
}

err *api_registry_create_version(struct req *r) {
    const struct reg_source *source = r->state;
    struct found f;
    struct reg_version_spec spec = {.source = arg_str(r, "source"),
                                    .storage = source->storage,
                                    .run_id = arg_str(r, "run_id"),
                                    .run_link = arg_str(r, "run_link"),
                                    .description = arg_str(r, "description"),
                                    .logged_model = arg_str(r, "model_id")};
    if (!spec.run_id.n) spec.run_id = source->run_id;
    TRY(kv_from_list(r->a, arg(r, "tags"), "tags", &spec.tags));
    TRY(registry_open(r, arg_str(r, "name"), REGISTERED_MODELS_CAN_EDIT, &f.m));
    TRY(registry_version_create(r, &f.m, &spec, &f.v));
    serving_import_early(r, r->scope, f.m.row.name,
                         str_of(arena_printf(r->a, "%lld", (long long)f.v.row.version)));
    return answer(r, &f);
}

err *api_registry_get_version(struct req *r) {
    struct found f;
    TRY(open_version(r, REGISTERED_MODELS_CAN_READ, &f));
    return answer(r, &f);
}

err *api_registry_update_version(struct req *r) {
    struct found f;
    TRY(open_version(r, REGISTERED_MODELS_CAN_EDIT, &f));
    if (arg_has(r, "description")) f.v.row.description = arg_str(r, "description");
    TRY(registry_version_save(r, &f.v));
    return answer(r, &f);
}

err *api_registry_delete_version(struct req *r) {
    struct found f;
    TRY(open_version(r, REGISTERED_MODELS_CAN_MANAGE, &f));
    return registry_version_delete(r, &f.m, &f.v);
}

err *api_registry_search_versions(struct req *r) { return registry_search_versions(r); }

static err *transition(struct req *r, struct found *f) {
    enum registry_stage to;
    TRY(registry_stage_of(arg_str(r, "stage"), &to));
    TRY(open_version(r, REGISTERED_MODELS_CAN_READ, f));
    return registry_transition(r, &f->m, &f->v, to, arg_bool(r, "archive_existing_versions", false));
}

err *api_registry_transition_stage(struct req *r) {
    struct found f;
    TRY(transition(r, &f));
    return answer(r, &f);
}

err *api_registry_databricks_transition_stage(struct req *r) {
    struct found f;
    TRY(transition(r, &f));
    jmut *o = json_put_obj(req_doc(r), req_out(r), "model_version_databricks");
    registry_put_version(r, o, &f.m, &f.v);
    uint64_t level = object_acl_highest(r, &f.m.chain);
    json_put_z(r->doc, o, "permission_level",
               perm_rows[PERM_REGISTERED_MODELS].levels[level - 1]);
    return NULL;
}

err *api_registry_set_version_tag(struct req *r) {
    struct found f;
    TRY(open_version(r, REGISTERED_MODELS_CAN_EDIT, &f));
    TRY(registry_check_tag(arg_str(r, "key"), arg_str(r, "value")));
    kv_set(r->a, &f.v.tags, arg_str(r, "key"), arg_str(r, "value"));
    return registry_version_save(r, &f.v);
}

err *api_registry_delete_version_tag(struct req *r) {
    struct found f;
    TRY(open_version(r, REGISTERED_MODELS_CAN_EDIT, &f));
    TRY(registry_check_tag(arg_str(r, "key"), STR("")));
    return kv_del(&f.v.tags, arg_str(r, "key")) ? registry_version_save(r, &f.v) : NULL;
}

/* ---- files ---- */

static str shown_uri(struct req *r, str storage) {
    struct location l;
    if (!location_read(storage, &l)) return storage;
    return access_wants_dbfs(r) ? location_databricks(r->a, &l) : location_http(r->a, &l);
}

err *api_registry_download_uri(struct req *r) {
    struct found f;
    TRY(open_version(r, REGISTERED_MODELS_CAN_READ, &f));
    str storage = f.v.row.storage_location.n ? f.v.row.storage_location : f.v.row.source;
    json_put_str(req_doc(r), req_out(r), "artifact_uri", shown_uri(r, storage));
    return NULL;
}

static err *check_path(str path) {
    str rest = path, part;
    while (path.n && str_split(&rest, '/', &part))
        if (!part.n || str_eqz(part, ".") || str_eqz(part, ".."))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid path '%.*s'.",
                           STR_ARG(str_cut(path, 300)));
    return NULL;
}

#define ARTIFACTS_PAGE 1000

static void put_file(struct req *r, jmut *o, str folder, const struct ent_file_object *row) {
    str path = folder.n ? str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(folder),
                                              STR_ARG(row->name)))
                        : row->name;
    json_put_str(r->doc, o, "path", path);
    json_put_bool(r->doc, o, "is_dir", row->is_dir);
    if (!row->is_dir) json_put_int(r->doc, o, "file_size", row->size);
}

err *api_registry_list_artifacts(struct req *r) {
    struct found f;
    struct location l;
    str path = arg_str(r, "path");
    TRY(open_version(r, REGISTERED_MODELS_CAN_READ, &f));
    TRY(check_path(path));
    jmut *out = req_out(r);
    json_put_str(r->doc, out, "root_uri", shown_uri(r, f.v.row.storage_location));
    jmut *arr = json_put_arr(r->doc, out, "files");
    if (!location_read(f.v.row.storage_location, &l)) return NULL;
    str folder = location_files(r->a, &l);
    if (path.n) folder = str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(path)));
    struct ent_file_object_rows rows = {.more = true};
    for (str after = STR(""); rows.more; after = rows.p[rows.n - 1].name) {
        TRY(tree_list(r->tx, r->scope, r->a, folder, after, ARTIFACTS_PAGE, &rows));
        for (size_t i = 0; i < rows.n; i++) put_file(r, json_add_obj(r->doc, arr), path, &rows.p[i]);
        if (!rows.n) break;
    }
    return NULL;
}

err *api_registry_signed_download_uri(struct req *r) {
    struct found f;
    struct location l;
    struct ent_file_object row;
    bool found = false;
    str path = arg_str(r, "path"), file = STR("");
    TRY(open_version(r, REGISTERED_MODELS_CAN_READ, &f));
    TRY(check_path(path));
    if (path.n && location_read(f.v.row.storage_location, &l)) {
        str folder = location_files(r->a, &l);
        file = str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(path)));
        TRY(tree_find(r->tx, r->scope, r->a, file, &row, &found));
    }
    if (!found || row.is_dir)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Version %lld of model '%.*s' has no file '%.*s'.",
                       (long long)f.v.row.version, STR_ARG(f.m.row.name),
                       STR_ARG(str_cut(path, 500)));
    jmut *out = req_out(r);
    json_put_str(r->doc, out, "signed_uri", files_sign_url(r, r->scope, file, "GET", STR(""), 0));
    json_put_arr(r->doc, out, "headers");
    return NULL;
}
