/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use which path, asked at every door (Files API, artifacts, signed URLs when they are made):
 *
 *   /WorkspaceInternal/Mlflow/Artifacts/<exp>/…   the experiment: CAN_READ, CAN_EDIT
 *   /Models/<catalog>/<schema>/<model>/<v>/…      the model: EXECUTE to read; to write, the version is
 *                                                 PENDING_REGISTRATION and CREATE_MODEL_VERSION
 *   /Volumes/<catalog>/<schema>/<volume>/…        the volume: READ_VOLUME, WRITE_VOLUME
 *   anything else                                 nobody
 */
#include "catalog/models.h"
#include "catalog/volumes.h"
#include "files_int.h"
#include "mlflow/access.h"

static err *no_root(str path) {
    return err_hint(err_new(ERR_NOT_FOUND, "'%.*s' does not exist.", STR_ARG(str_cut(path, 300))),
                    "Paths begin with /Volumes/<catalog>/<schema>/<volume>, "
                    "/Models/<catalog>/<schema>/<model>/<version> or "
                    "/WorkspaceInternal/Mlflow/Artifacts/<experiment>.");
}

static err *as_not_found(err *e) {
    return err_code_of(e) == ERR_RESOURCE_DOES_NOT_EXIST ? err_recode(e, ERR_NOT_FOUND) : e;
}

static err *experiment_access(struct req *r, str rest, bool write) {
    str id;
    int64_t n;
    str_split(&rest, '/', &id);
    if (!str_to_i64(id, &n)) return no_root(r->path);
    struct ent_experiment ex;
    store_tx *meta;
    TRY(access_meta_begin(r, &meta));
    err *e = access_experiment(meta, r, n, write ? EXPERIMENTS_CAN_EDIT : EXPERIMENTS_CAN_READ, &ex);
    access_meta_end(r, meta);
    return as_not_found(e);
}

/* Files of models are kept under ids, so that renaming a model moves nothing: *path changes. */
static err *model_access(struct req *r, str rest, bool write, str *path) {
    struct caller c = {.tx = r->tx, .today = store_tx_today(r->tx), .scope = r->scope, .a = r->a,
                       .who = &r->who, .name = r->principal_name};
    return as_not_found(models_file_access(&c, rest, write, path));
}

static err *volume_access(struct req *r, str rest, bool write, str *path) {
    struct caller c = {.tx = r->tx, .today = store_tx_today(r->tx), .scope = r->scope, .a = r->a,
                       .who = &r->who, .name = r->principal_name};
    return as_not_found(volumes_file_access(&c, rest, write, path));
}

static err *access_of(struct req *r, str *path, bool write) {
    static const str ML = {"/WorkspaceInternal/Mlflow/Artifacts/", 36}, MODELS = {"/Models/", 8},
                     VOLUMES = {"/Volumes/", 9};
    if (str_starts(*path, VOLUMES)) return volume_access(r, str_from(*path, VOLUMES.n), write, path);
    if (str_starts(*path, ML)) return experiment_access(r, str_from(*path, ML.n), write);
    if (str_starts(*path, MODELS)) return model_access(r, str_from(*path, MODELS.n), write, path);
    return no_root(*path);
}

err *files_access(struct req *r, str path, bool write) { return access_of(r, &path, write); }

err *files_go_outside(struct req *r, struct file_op *op) {
    struct caller c = {.tx = r->tx, .today = store_tx_today(r->tx), .scope = r->scope, .a = r->a,
                       .who = &r->who, .name = r->principal_name, .stores = r->control->stores};
    op->outside = true;
    return stores_open(&c, op->path, &op->at);
}

err *files_path(struct req *r, const char *arg_name, bool write, struct file_op *op) {
    TRY(files_place(r, arg_name, write, op));
    return op->outside ? err_new(ERR_NOT_IMPLEMENTED, "'%.*s' lies in an external volume: this operation is not for it.", STR_ARG(op->shown)) : NULL;
}

err *files_place(struct req *r, const char *arg_name, bool write, struct file_op *op) {
    TRY(tree_path(r->a, arg_str(r, arg_name), &op->path));
    op->shown = op->path;
    op->scope = tree_scope(op->path, r->scope);
    op->principal = r->principal;
    TRY(access_of(r, &op->path, write));
    return url_is_remote(op->path) ? files_go_outside(r, op) : NULL;
}

err *files_as_shown(struct req *r, const struct file_op *op, err *e) {
    str kept = op->path, shown = op->shown;
    if (!e || str_eq(kept, shown)) return e;
    while (kept.n && shown.n && kept.p[kept.n - 1] == shown.p[shown.n - 1]) kept.n--, shown.n--;
    str text = str_of(err_msg(e));
    ptrdiff_t at = str_find(text, kept);
    if (!kept.n || at < 0) return e;
    err *said = err_new(err_code_of(e), "%s", arena_printf(r->a, "%.*s%.*s%.*s", (int)at, text.p, STR_ARG(shown), STR_ARG(str_from(text, (size_t)at + kept.n))));
    err_free(e);
    return said;
}

bool files_artifact_path(arena *a, str artifact, str *ret) {
    str rest = artifact, exp, kind, id, word;
    if (!str_split(&rest, '/', &exp) || !str_split(&rest, '/', &kind)) return false;
    const char *folder = "Runs";
    if (str_eqz(kind, "models") || str_eqz(kind, "traces")) {
        folder = kind.p[0] == 'm' ? "LoggedModels" : "Traces";
        if (!str_split(&rest, '/', &id)) return false;
    } else {
        id = kind;
    }
    if (!str_split(&rest, '/', &word) || !str_eqz(word, "artifacts")) return false;
    while (rest.n && rest.p[rest.n - 1] == '/') rest.n--;
    *ret = str_of(arena_printf(a, "/WorkspaceInternal/Mlflow/Artifacts/%.*s/%s/%.*s/artifacts%s%.*s",
                               STR_ARG(exp), folder, STR_ARG(id), rest.n ? "/" : "", STR_ARG(rest)));
    return true;
}
