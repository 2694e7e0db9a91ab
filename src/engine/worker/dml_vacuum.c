/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VACUUM: files of a table's folder that no version of the last days needs. They are found by a listing of the folder, which also finds
 * what killed statements left, or, LITE, by what the log says was taken out: then the log must reach back to what earlier runs have done.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"
#include "delta/checkpoint.h"
#include "delta/dv.h"
#include "delta/log.h"
#include "engine/worker/dml_int.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"
#include "sys/clock.h"

struct sweep {
    struct dml_x *x;
    map *keep;         /* paths here of what the table has, or had not long ago */
    int64_t before_ms;
    vec_of(char *) gone;
    int64_t bytes;
    size_t folders;
};

static void add_gone(struct sweep *w, str path, int64_t size) {
    char *copy = str_dup(path);
    must(copy);
    vec_push(&w->gone, copy);
    w->bytes += size;
}

/* ---- from a listing of the table's folder ---- */

static err *sweep_folder(struct sweep *w, const char *dir, int depth) {
    DIR *d = opendir(dir);
    if (!d) return errno == ENOENT ? NULL : err_errno("%s", dir);
    err *e = NULL;
    w->folders++;
    for (struct dirent *f; !e && (f = readdir(d));) {
        struct stat st;
        char *path = arena_printf(w->x->a, "%s/%s", dir, f->d_name);
        bool ours = str_starts(str_of(f->d_name), STR(DELTA_TEMPORARY)), change = str_eqz(str_of(f->d_name), "_change_data");
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
        if ((f->d_name[0] == '_' && !ours && !change && !strchr(f->d_name, '=')) || (f->d_name[0] == '.')) continue;
        if (lstat(path, &st)) continue;
        if (S_ISDIR(st.st_mode) && depth < 60) {
            e = sweep_folder(w, path, depth + 1);
        } else if (S_ISREG(st.st_mode) && (int64_t)st.st_mtim.tv_sec * 1000 < w->before_ms && !map_get(w->keep, str_of(path))) {
            add_gone(w, str_of(path), st.st_size);
        }
    }
    closedir(d);
    return e;
}

static bool is_kept_apart(str name) {
    bool ours = str_starts(name, STR(DELTA_TEMPORARY)), change = str_eqz(name, "_change_data");
    return name.p[0] == '.' || (name.p[0] == '_' && !ours && !change && str_chr(name, '=', 0) < 0);
}

/* sweep_folder() where folders are prefixes. */
static err *sweep_store(struct sweep *w) {
    struct remote_entry *all;
    size_t n;
    map *folders = map_new();
    err *e = remote_list(w->x->a, w->x->path, &all, &n);
    for (size_t i = 0; !e && i < n; i++) {
        str rest = str_from(all[i].path, w->x->path.n + 1), part;
        size_t end = all[i].path.n;
        bool apart = false;
        while (str_split(&rest, '/', &part)) apart |= !part.n || is_kept_apart(part);
        if (apart) continue;
        while (end && all[i].path.p[end - 1] != '/') end--;
        map_put(folders, str_cut(all[i].path, end), w);
        if (all[i].mtime_us / 1000 >= w->before_ms || map_get(w->keep, all[i].path)) continue;
        add_gone(w, all[i].path, all[i].size);
    }
    w->folders = map_size(folders) ? map_size(folders) : 1;
    map_free(folders);
    return e;
}

static err *sweep_objects(struct sweep *w, int64_t *ret_deleted) {
    str *paths = arena_array_of(w->x->a, str, w->gone.n + 1);
    for (size_t i = 0; i < w->gone.n; i++) paths[i] = str_of(w->gone.p[i]);
    TRY(remote_delete(paths, w->gone.n));
    *ret_deleted = (int64_t)w->gone.n;
    return NULL;
}

/* ---- LITE: from the log ---- */

/* Until when earlier runs have removed what versions before them left: the latest that is told by two versions of the log, VACUUM
 * START and VACUUM END. */
struct earlier {
    int64_t started_ms, keep_ms; /* of a run whose end was not seen yet */
    int64_t until_ms;            /* INT64_MIN: no run */
};

static void take_run(struct earlier *r, arena *a, str info) {
    jval *v, *p;
    err *e = json_parse(a, info, false, &v);
    str operation = e ? STR("") : json_get_str(v, "operation");
    int64_t at = 0, keep = 0;
    err_free(e);
    if (!str_starts(operation, STR("VACUUM ")) || !json_i64(json_get(v, "timestamp"), &at)) return;
    p = json_get(v, "operationParameters");
    if (str_eqz(operation, "VACUUM START")) {
        str given = json_get_str(p, "specifiedRetentionMillis"), usual = json_get_str(p, "defaultRetentionMillis");
        bool known = json_i64(json_get(p, "specifiedRetentionMillis"), &keep) || str_to_i64(given, &keep) || json_i64(json_get(p, "defaultRetentionMillis"), &keep) ||
                     str_to_i64(usual, &keep);
        *r = (struct earlier){at, known ? keep : INT64_MAX, r->until_ms};
    } else if (str_eqz(operation, "VACUUM END") && str_eqz(json_get_str(p, "status"), "COMPLETED") && r->started_ms && r->keep_ms < r->started_ms) {
        int64_t until = r->started_ms - r->keep_ms;
        if (until > r->until_ms) r->until_ms = until;
        r->started_ms = 0;
    }
}

static err *candidate(struct sweep *w, str path, int64_t size) {
    struct dml_x *x = w->x;
    struct stat st;
    /* Only what lies in the table's own folder is the table's. */
    if (!str_starts(path, x->path) || path.n <= x->path.n || path.p[x->path.n] != '/' || map_get(w->keep, path)) return NULL;
    map_put(w->keep, arena_str(x->a, path), w);
    if (remote_is(x->path)) {
        struct remote_entry entry;
        err *e = remote_head(x->a, path, &entry);
        bool there = !e;
        if (e && err_code_of(e) != ERR_NOT_FOUND) return e;
        err_free(e);
        if (there) add_gone(w, path, entry.size);
    } else if (lstat(dml_z(x, path), &st) == 0 && S_ISREG(st.st_mode)) {
        add_gone(w, path, size >= 0 ? st.st_size : 0);
    }
    return NULL;
}

/* What a commit took out of the table before the limit, and change files of that age. */
static err *take_version(struct sweep *w, struct earlier *runs, str text, int64_t time_ms) {
    struct dml_x *x = w->x;
    struct delta_action *acts;
    size_t n;
    TRY(delta_actions_read(x->a, text, STR("commit"), &acts, &n));
    for (size_t i = 0; i < n; i++) {
        const struct delta_file *f = &acts[i].file;
        str path;
        if (acts[i].kind == DELTA_COMMIT_INFO) take_run(runs, x->a, acts[i].info);
        bool removed = acts[i].kind == DELTA_REMOVE && (f->deletion_ms >= 0 ? f->deletion_ms : time_ms) < w->before_ms;
        if (!removed && !(acts[i].kind == DELTA_CDC && time_ms < w->before_ms)) continue;
        TRY(scan_file_path(x->t, f->path, &path));
        TRY(candidate(w, path, f->size));
        if (!removed || f->dv.storage != 'u') continue;
        TRY(delta_dv_path(x->a, &f->dv, &path));
        TRY(candidate(w, str_of(arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(path))), 0));
    }
    return NULL;
}

/* What Spark notes of its runs: versions up to this one are done. */
static int64_t noted(struct sweep *w, const struct delta_fs *fs) {
    str text;
    jval *v;
    int64_t version = -1;
    err *e = delta_fs_read(fs, w->x->a, STR("_delta_log/_last_vacuum_info"), &text);
    if (!e) e = json_parse(w->x->a, text, false, &v);
    if (!e && !json_i64(json_get(v, "latestCommitVersionOutsideOfRetentionWindow"), &version)) version = -1;
    err_free(e);
    return version;
}

static err *sweep_log(struct sweep *w) {
    struct dml_x *x = w->x;
    struct delta_fs fs = scan_fs(x->t->ctx, x->path);
    struct delta_log log;
    struct earlier runs = {.until_ms = INT64_MIN};
    TRY(delta_log_list(&fs, x->a, 0, &log));
    for (size_t i = 0; i < log.n_commits && log.commits[i].version <= x->t->snap->version; i++) {
        str text;
        TRY(delta_fs_read(&fs, x->a, delta_commit_name(x->a, log.commits[i].version), &text));
        TRY(take_version(w, &runs, text, log.commits[i].mtime_ms));
    }
    int64_t first = log.n_commits ? log.commits[0].version : x->t->snap->version;
    if (first > 0 && (!log.n_commits || runs.until_ms < log.commits[0].mtime_ms) && noted(w, &fs) < first - 1)
        return sql_error("DELTA_CANNOT_VACUUM_LITE", NULL, x->d->text, NULL);
    w->folders = 1;
    return NULL;
}

/* ---- what is kept ---- */

static err *keep_file(struct sweep *w, const struct delta_file *f) {
    str path;
    TRY(scan_file_path(w->x->t, f->path, &path));
    map_put(w->keep, path, w);
    if (f->dv.storage != 'u') return NULL;
    TRY(delta_dv_path(w->x->a, &f->dv, &path));
    map_put(w->keep, str_of(arena_printf(w->x->a, "%.*s/%.*s", STR_ARG(w->x->path), STR_ARG(path))), w);
    return NULL;
}

/* ---- the statement ---- */

static err *retention(struct dml_x *x, const struct ast *s, int64_t *ret_ms, bool *given) {
    const struct ast *retain = ast_get(s, SLOT_RETAIN);
    const struct sql_type *type;
    str text, check;
    double hours;
    *ret_ms = delta_retention_ms(x->t->snap);
    *given = retain != NULL;
    if (!retain) return NULL;
    TRY(sql_constant(&x->env, retain, &type, &text));
    if (!text.p || !str_to_f64(text, &hours) || hours < 0 || hours > 1e7) return sql_error("INVALID_PARAMETER_VALUE.NULL", retain, x->d->text, "parameter", "RETAIN", "functionName", "VACUUM", NULL);
    int64_t ms = (int64_t)(hours * 3600000.0);
    bool checked = !(x->d->setting && x->d->setting(x->d->arg, STR("spark.databricks.delta.retentionDurationCheck.enabled"), &check) && str_ieq(check, STR("false")));
    if (checked && ms < *ret_ms)
        return delta_error("DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT", "VACUUM with so short a retention would delete files of "
                                                                      "running statements and of readers of older versions. "
                                                                      "The retention period of this table is %lld hours.",
                           (long long)(*ret_ms / 3600000));
    *ret_ms = ms;
    return NULL;
}

static err *vacuum_commit(struct dml_x *x, const char *operation, str parameters) {
    x->parameters = parameters;
    x->operation = str_of(operation);
    x->blind_append = true, x->data_change = false;
    err *e = dml_commit(x);
    buf_clear(&x->metrics);
    return e;
}

static err *vacuum_in(struct dml_x *x, const struct ast *s, struct sweep *w, struct dml_result *ret) {
    int64_t keep_ms, now = clock_now() / 1000;
    bool given;
    TRY(retention(x, s, &keep_ms, &given));
    w->before_ms = now - keep_ms + (keep_ms ? 0 : 1000);
    for (size_t i = 0; i < x->t->snap->n_files; i++) TRY(keep_file(w, x->t->snap->files[i]));
    for (size_t i = 0; i < x->t->snap->n_removed; i++)
        if (x->t->snap->removed[i]->deletion_ms >= now - keep_ms) TRY(keep_file(w, x->t->snap->removed[i]));
    TRY(ast_has(s, AST_F_FIRST) ? sweep_log(w) : remote_is(x->path) ? sweep_store(w) : sweep_folder(w, dml_z(x, x->path), 0));
    static const char *const names[] = {"path"};
    if (ast_has(s, AST_F_JSON)) {
        str *cells = arena_array_of(x->a, str, w->gone.n + 1);
        size_t n = w->gone.n < 1000 ? w->gone.n : 1000;
        for (size_t i = 0; i < n; i++) cells[i] = str_of(arena_printf(x->a, "%.*s%s", STR_ARG(x->url), w->gone.p[i] + x->path.n));
        return dml_rows(x, names, "s", 1, cells, n, ret);
    }
    buf p = {0};
    str check;
    bool checked = !(x->d->setting && x->d->setting(x->d->arg, STR("spark.databricks.delta.retentionDurationCheck.enabled"), &check) && str_ieq(check, STR("false")));
    buf_fmt(&p, "{\"retentionCheckEnabled\":%s,\"defaultRetentionMillis\":%lld", checked ? "true" : "false", (long long)delta_retention_ms(x->t->snap));
    if (given) buf_fmt(&p, ",\"specifiedRetentionMillis\":%lld", (long long)keep_ms);
    buf_c(&p, '}');
    dml_metric(x, "numFilesToDelete", (int64_t)w->gone.n);
    dml_metric(x, "sizeOfDataToDelete", w->bytes);
    TRY(vacuum_commit(x, "VACUUM START", dml_take(x, &p)));
    int64_t deleted = 0;
    for (size_t i = 0; i < w->gone.n && !remote_is(x->path); i++) deleted += unlink(w->gone.p[i]) == 0;
    if (remote_is(x->path)) TRY(sweep_objects(w, &deleted));
    dml_metric(x, "numDeletedFiles", deleted);
    dml_metric(x, "numVacuumedDirectories", (int64_t)w->folders);
    TRY(vacuum_commit(x, "VACUUM END", STR("{\"status\":\"COMPLETED\"}")));
    str url = x->url;
    return dml_rows(x, names, "s", 1, &url, 1, ret);
}

err *dml_vacuum(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    if (ast_get(s, SLOT_FORMAT)) return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", s, x->d->text, "tableName", "VACUUM", "operation", "USING INVENTORY", NULL);
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), "modify"));
    /* Names of files tell of partition values. */
    if (ast_has(s, AST_F_JSON) && dml_is_guarded(x->resolved))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", s, x->d->text, "tableName", dml_z(x, x->full_name), "operation",
                         "VACUUM DRY RUN of a table with a row filter or column masks", NULL);
    struct sweep w = {.x = x, .keep = map_new()};
    err *e = vacuum_in(x, s, &w, ret);
    for (size_t i = 0; i < w.gone.n; i++) free(w.gone.p[i]);
    vec_free(&w.gone);
    map_free(w.keep);
    return e;
}
