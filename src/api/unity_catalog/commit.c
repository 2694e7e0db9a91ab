/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ask `commit`: rights and place (a read), the log (work on files), the row (a write).
 *
 * Between the log and the row lies the point of no return: a table whose log is written and whose row is not is one that
 * nobody can name; a change whose columns did not reach the row is repaired by the next commit that changes them.
 */
#include "api/unity_catalog/asks.h"
#include "api/unity_catalog/asks_int.h"
#include "base/enc.h"
#include "base/map.h"
#include "delta/checkpoint.h"
#include "delta/commit.h"
#include "sys/clock.h"

struct commit {
    struct ask_commit_place place;
    str *sources;     /* folders of tables that a shallow clone may name files of */
    size_t n_sources;
};

err *uc_commit_place(struct req *r) {
    struct caller c;
    struct ask k;
    struct commit *m = arena_new_of(r->a, struct commit);
    *m = (struct commit){0};
    TRY(uc_ask_begin(r, &c, &k));
    TRY(ask_commit_place(&k, &m->place));
    m->place.control = arena_str(r->a, m->place.control);
    m->place.key = arena_str(r->a, m->place.key);
    TRY(ask_commit_sources(&k, m->place.table, &m->sources, &m->n_sources));
    for (size_t i = 0; i < m->n_sources; i++) m->sources[i] = arena_str(r->a, m->sources[i]);
    r->state = m;
    return NULL;
}

static err *outside(void) { return err_new(ERR_INVALID_PARAMETER_VALUE, "A commit names a file outside of its table."); }

static bool from_source(arena *a, const struct commit *m, str path) {
    buf b = {0};
    bool found = false;
    if (!enc_unpercent(&b, path, false)) {
        buf_free(&b);
        return false;
    }
    str plain = arena_str(a, buf_view(&b));
    buf_free(&b);
    for (size_t i = 0; i < m->n_sources && !found; i++)
        found = str_starts(plain, m->sources[i]) && plain.n > m->sources[i].n && plain.p[m->sources[i].n] == '/';
    return found;
}

/* Of the names, takes out those that a commit of the log has already. */
static err *take_known(arena *a, const struct delta_fs *fs, map *names) {
    struct delta_entry *e;
    size_t n;
    TRY(delta_fs_list(fs, a, STR("_delta_log"), STR("0"), &e, &n));
    for (size_t i = 0; i < n && map_size(names); i++) {
        struct delta_action *x;
        size_t k;
        str text;
        if (!str_ends(e[i].name, STR(".json")) || e[i].name.n != 25) continue;
        TRY(delta_fs_read(fs, a, str_of(arena_printf(a, "_delta_log/%.*s", STR_ARG(e[i].name))), &text));
        TRY(delta_actions_read(a, text, e[i].name, &x, &k));
        for (size_t j = 0; j < k; j++)
            if (x[j].kind == DELTA_ADD) map_del(names, x[j].file.path);
    }
    return NULL;
}

/* Files named in a log lie in the table's folder, or in that of a source whose clone this is. What leads elsewhere is refused. */
static err *check_paths(arena *a, const struct commit *m, const struct delta_fs *fs, const struct delta_action *actions, size_t n) {
    map *absolute = map_new();
    err *e = NULL;
    for (size_t i = 0; !e && i < n; i++) {
        if (actions[i].kind != DELTA_ADD && actions[i].kind != DELTA_CDC) continue;
        str path = actions[i].file.path, rest = path, part;
        bool bad = !path.n, far = path.n && (path.p[0] == '/' || str_find(path, STR(":/")) >= 0);
        while (!bad && str_split(&rest, '/', &part)) bad = str_eqz(part, "..");
        if (bad)
            e = outside();
        else if (far && !from_source(a, m, path))
            map_put(absolute, path, absolute);
    }
    /* A file that the table has (a clone's that gets a vector, or comes back by RESTORE) may be named again. */
    if (!e && map_size(absolute)) e = take_known(a, fs, absolute);
    if (!e && map_size(absolute)) e = outside();
    map_free(absolute);
    return e;
}

err *uc_check_path(str path) {
    str rest = path, part;
    bool bad = !path.n || path.p[0] == '/' || str_find(path, STR("://")) >= 0;
    while (!bad && str_split(&rest, '/', &part)) bad = str_eqz(part, "..");
    return bad ? err_new(ERR_INVALID_PARAMETER_VALUE, "A commit names a file outside of its table.") : NULL;
}

err *uc_check_paths(const struct delta_action *actions, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (actions[i].kind == DELTA_ADD || actions[i].kind == DELTA_CDC) TRY(uc_check_path(actions[i].file.path));
    return NULL;
}

err *uc_read_sync(struct req *r, jval *list, struct delta_commit_ask *x) {
    jval *v;
    size_t i, n;
    str *sync = arena_array_of(r->a, str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) {
        sync[i] = json_str(v);
        TRY(uc_check_path(sync[i]));
        if (memchr(sync[i].p, 0, sync[i].n)) return err_new(ERR_INVALID_PARAMETER_VALUE, "A name has a zero in it.");
    }
    x->sync = sync;
    x->n_sync = yyjson_arr_size(list);
    return NULL;
}

static err *read_ask(struct req *r, const struct commit *m, const struct delta_fs *fs, struct delta_commit_ask *x) {
    struct delta_action *actions;
    jval *files = arg(r, "files_read"), *v;
    size_t i, n;
    *x = (struct delta_commit_ask){.read_version = arg_i64(r, "read_version", -1),
                                   .info = arg_str(r, "info"),
                                   .blind_append = arg_bool(r, "blind_append", false),
                                   .serializable = arg_bool(r, "serializable", false),
                                   .read_all = arg_bool(r, "read_all", false),
                                   .ict = arg_bool(r, "ict", false),
                                   .previous_ict = arg_i64(r, "previous_ict", -1),
                                   .row_ids = arg_bool(r, "row_ids", false),
                                   .high_water = arg_i64(r, "high_water", -1),
                                   .now_ms = clock_now() / 1000};
    TRY(delta_actions_read(r->a, arg_str(r, "actions"), STR("commit"), &actions, &x->n));
    TRY(check_paths(r->a, m, fs, actions, x->n));
    x->actions = actions;
    str *read = arena_array_of(r->a, str, yyjson_arr_size(files) + 1);
    yyjson_arr_foreach(files, i, n, v) read[i] = json_str(v);
    x->files_read = read;
    x->n_files_read = yyjson_arr_size(files);
    x->files_listed = arg_bool(r, "files_listed", false);
    TRY(delta_tests_of_json(r->a, arg(r, "tests"), &x->tests, &x->n_tests));
    return uc_read_sync(r, arg(r, "sync"), x);
}

struct delta_fs uc_place_fs(struct req *r, const struct ask_commit_place *p) {
    return p->store ? delta_fs_storage(r->a, p->store, p->key) : delta_fs_dir(r->a, p->control);
}

err *uc_commit_log(struct req *r) {
    struct commit *m = r->state;
    struct delta_commit_ask ask;
    struct delta_commit_answer answer = {.version = arg_i64(r, "read_version", -1)};
    if (m->place.catalog_managed)
        return delta_error("DELTA_PROTOCOL_CHANGED", "ProtocolChangedException: the table has become catalog-managed since the statement "
                                                     "began. Run it again.");
    if (!arg_bool(r, "register", false)) {
        struct delta_fs fs = uc_place_fs(r, &m->place);
        TRY(read_ask(r, m, &fs, &ask));
        if (ask.read_version < 0) TRY(delta_fs_mkdir(&fs, STR("_delta_log")));
        delta_committer *committer = delta_committer_get(&fs);
        err *e = delta_commit(committer, r->a, &ask, &answer);
        delta_committer_put(committer);
        if (e) return e;
    }
    json_put_int(req_doc(r), req_out(r), "version", answer.version);
    /* Most commits change no row: no write then. */
    if (!arg(r, "create") && !arg(r, "columns") && !arg(r, "properties") && !arg(r, "policies") && !arg_bool(r, "catalog_managed", false)) req_finish(r);
    return NULL;
}

/* The ask `checkpoint`: an engine's file becomes the table's checkpoint. */
err *uc_checkpoint(struct req *r) {
    struct commit *m = r->state;
    struct delta_fs fs = uc_place_fs(r, &m->place);
    (void)req_out(r);
    return delta_checkpoint_publish(&fs, r->a, r->args);
}

err *uc_commit_row(struct req *r) { return uc_ask(r, ask_commit_done); }
