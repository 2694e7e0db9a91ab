/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Artifacts as plain MLflow asks for them (`mlflow-artifacts:`), and a run's artifacts with signed
 * URLs. Both name the same files as the Files API's /WorkspaceInternal/Mlflow/Artifacts.
 */
#include "api/gen_routes.h"
#include "files_int.h"
#include "mlflow/access.h"

#define MAX_CREDENTIALS 1000

static err *artifact_op(struct req *r, const char *name, bool write, struct file_op *op) {
    str canonical;
    if (!files_artifact_path(r->a, arg_str(r, name), &canonical))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid artifact path '%.*s': expected <experiment>/<run>/artifacts/….",
                       STR_ARG(str_cut(arg_str(r, name), 200)));
    TRY(tree_path(r->a, canonical, &op->path));
    op->scope = tree_scope(op->path, r->scope);
    op->principal = r->principal;
    err *e = files_access(r, op->path, write);
    return err_code_of(e) == ERR_NOT_FOUND ? err_recode(e, ERR_RESOURCE_DOES_NOT_EXIST) : e;
}

err *api_files_artifact_put_check(struct req *r) { return artifact_op(r, "artifact", true, files_op(r)); }

err *api_files_artifact_put(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_access(r, op->path, true));
    TRY(files_store(r, op, true));
    req_out(r);
    return NULL;
}

err *api_files_artifact_find(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(artifact_op(r, "artifact", false, op));
    err *e = files_find(r, op);
    return err_code_of(e) == ERR_NOT_FOUND ? err_recode(e, ERR_RESOURCE_DOES_NOT_EXIST) : e;
}

static void drop(void *arg, str key) { files_drop_later(arg, key); }

err *api_files_artifact_delete(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(artifact_op(r, "artifact", true, op));
    err *e = tree_remove_all(r->tx, op->scope, r->a, op->path, drop, r);
    req_out(r);
    return err_code_of(e) == ERR_NOT_FOUND ? err_recode(e, ERR_RESOURCE_DOES_NOT_EXIST) : e;
}

/* One directory; names relative to `prefix` (empty: just the name). */
static err *put_listing(struct req *r, struct file_op *op, str prefix) {
    jmut *list = json_put_arr(r->doc, req_out(r), "files");
    str after = STR("");
    struct ent_file_object_rows rows;
    do {
        TRY(tree_list(r->tx, op->scope, r->a, op->path, after, 1000, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            jmut *o = json_add_obj(r->doc, list);
            str name = rows.p[i].name;
            if (prefix.n)
                name = str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(name)));
            json_put_str(r->doc, o, "path", name);
            json_put_bool(r->doc, o, "is_dir", rows.p[i].is_dir);
            if (!rows.p[i].is_dir) json_put_int(r->doc, o, "file_size", rows.p[i].size);
            after = rows.p[i].name;
        }
    } while (rows.more);
    return NULL;
}

err *api_files_artifact_list(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(artifact_op(r, "path", false, op));
    return put_listing(r, op, STR(""));
}

/* ---- a run's artifacts ---- */

static str trim_slashes(str p) {
    while (p.n && p.p[0] == '/') p = str_from(p, 1);
    while (p.n && p.p[p.n - 1] == '/') p.n--;
    return p;
}

static err *run_op(struct req *r, str path, bool write, struct file_op *op, struct access_run *run) {
    str id = arg_str(r, "run_id");
    if (!id.n) id = arg_str(r, "run_uuid");
    TRY(access_run(r, id, write ? EXPERIMENTS_CAN_EDIT : EXPERIMENTS_CAN_READ, run));
    path = trim_slashes(path);
    str whole = str_of(arena_printf(
        r->a, "/WorkspaceInternal/Mlflow/Artifacts/%lld/Runs/%.*s/artifacts%s%.*s",
        (long long)run->experiment.id, STR_ARG(id), path.n ? "/" : "", STR_ARG(path)));
    TRY(tree_path(r->a, whole, &op->path));
    op->scope = r->scope;
    op->principal = r->principal;
    return NULL;
}

err *api_files_run_artifacts(struct req *r) {
    struct file_op *op = files_op(r);
    struct access_run run;
    TRY(run_op(r, arg_str(r, "path"), false, op, &run));
    json_put_str(r->doc, req_out(r), "root_uri",
                 access_run_uri(r, &run.experiment, arg_has(r, "run_id") ? arg_str(r, "run_id")
                                                                         : arg_str(r, "run_uuid")));
    return put_listing(r, op, trim_slashes(arg_str(r, "path")));
}

static err *credentials(struct req *r, bool write) {
    jval *paths = arg(r, "path"), *v;
    if (yyjson_arr_size(paths) > MAX_CREDENTIALS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "More than %d paths at once.", MAX_CREDENTIALS);
    jmut *list = json_put_arr(r->doc, req_out(r), "credential_infos");
    size_t i, n;
    yyjson_arr_foreach(paths, i, n, v) {
        struct file_op *op = arena_new_of(r->a, struct file_op);
        struct access_run run;
        TRY(run_op(r, json_str(v), write, op, &run));
        jmut *o = json_add_obj(r->doc, list);
        json_put_str(r->doc, o, "run_id", arg_str(r, "run_id"));
        json_put_str(r->doc, o, "path", json_str(v));
        json_put_str(r->doc, o, "signed_uri",
                     files_sign_url(r, op->scope, op->path, write ? "PUT" : "GET", STR(""), 0));
        json_put_z(r->doc, o, "type", "AWS_PRESIGNED_URL");
        json_put_arr(r->doc, o, "headers");
    }
    return NULL;
}

err *api_files_run_credentials_read(struct req *r) { return credentials(r, false); }
err *api_files_run_credentials_write(struct req *r) { return credentials(r, true); }
