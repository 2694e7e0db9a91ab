/* SPDX-License-Identifier: Apache-2.0 */
#include "files/tree.h"

#include "base/vec.h"
#include "sys/clock.h"

#include <stdlib.h>

static err *bad_path(str p, const char *why) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid path '%.*s': %s.", STR_ARG(str_cut(p, 200)),
                   why);
}

err *tree_path(arena *a, str raw, str *ret) {
    if (raw.n && raw.p[0] != '/') raw = str_of(arena_printf(a, "/%.*s", STR_ARG(raw)));
    while (raw.n > 1 && raw.p[raw.n - 1] == '/') raw.n--;
    if (raw.n < 2) return bad_path(raw, "it names no file or directory");
    if (raw.n > 4000) return bad_path(raw, "longer than 4,000 bytes");
    if (!str_is_utf8(raw)) return bad_path(STR("?"), "not UTF-8");
    str rest = str_from(raw, 1), seg;
    int depth = 0;
    while (str_split(&rest, '/', &seg)) {
        if (!seg.n) return bad_path(raw, "an empty segment");
        if (str_eqz(seg, ".") || str_eqz(seg, "..")) return bad_path(raw, "a segment . or ..");
        if (seg.n > 255) return bad_path(raw, "a segment longer than 255 bytes");
        for (size_t i = 0; i < seg.n; i++)
            if ((unsigned char)seg.p[i] < 0x20 || seg.p[i] == 0x7f)
                return bad_path(STR("?"), "a control character");
        if (++depth > TREE_MAX_DEPTH) return bad_path(raw, "more than 64 levels");
    }
    *ret = raw;
    return NULL;
}

struct store_scope tree_scope(str path, struct store_scope asked) {
    if (str_starts(path, STR("/Models/")) || str_starts(path, STR("/Volumes/"))) asked.workspace = 0;
    return asked;
}

static void split_last(str path, str *parent, str *name) {
    size_t at = path.n;
    while (at && path.p[at - 1] != '/') at--;
    *name = str_from(path, at);
    *parent = at > 1 ? str_cut(path, at - 1) : STR("/");
}

err *tree_find(store_tx *tx, struct store_scope s, arena *a, str path, struct ent_file_object *ret,
               bool *found) {
    return ent_file_object_by_path(tx, s, a, path, ret, found);
}

err *tree_mkdirs(store_tx *tx, struct store_scope s, arena *a, str path) {
    str stack[TREE_MAX_DEPTH];
    int n = 0;
    while (path.n > 1) {
        struct ent_file_object row;
        bool found;
        TRY(tree_find(tx, s, a, path, &row, &found));
        if (found && !row.is_dir)
            return err_new(ERR_ALREADY_EXISTS, "'%.*s' is a file, not a directory.", STR_ARG(path));
        if (found) break;
        must(n < TREE_MAX_DEPTH);
        stack[n++] = path;
        str parent, name;
        split_last(path, &parent, &name);
        path = parent;
    }
    while (n) {
        struct ent_file_object d = {.path = stack[--n], .is_dir = true, .modified_at = clock_now()};
        split_last(d.path, &d.parent, &d.name);
        TRY(ent_file_object_insert(tx, s, &d));
    }
    return NULL;
}

err *tree_put(store_tx *tx, struct store_scope s, arena *a, const struct tree_file *f, bool overwrite,
              str *ret_old) {
    struct ent_file_object row;
    bool found;
    *ret_old = STR_NONE;
    TRY(tree_find(tx, s, a, f->path, &row, &found));
    if (found && row.is_dir)
        return err_new(ERR_ALREADY_EXISTS, "'%.*s' is a directory.", STR_ARG(f->path));
    if (found && !overwrite)
        return err_new(ERR_ALREADY_EXISTS, "The file '%.*s' exists.", STR_ARG(f->path));
    if (!found) {
        row = (struct ent_file_object){.path = f->path};
        split_last(f->path, &row.parent, &row.name);
        TRY(tree_mkdirs(tx, s, a, row.parent));
    } else if (!str_eq(row.storage_key, f->storage_key)) {
        *ret_old = row.storage_key;
    }
    row.storage_key = f->storage_key;
    row.etag = f->etag;
    row.sha256 = f->sha256;
    row.content_type = f->content_type;
    row.size = f->size;
    row.owner_id = f->owner;
    row.modified_at = clock_now();
    return found ? ent_file_object_update(tx, s, &row) : ent_file_object_insert(tx, s, &row);
}

static err *not_found(str path) {
    return err_new(ERR_NOT_FOUND, "'%.*s' does not exist.", STR_ARG(path));
}

err *tree_remove_file(store_tx *tx, struct store_scope s, arena *a, str path, str *ret_key) {
    struct ent_file_object row;
    bool found;
    TRY(tree_find(tx, s, a, path, &row, &found));
    if (!found) return not_found(path);
    if (row.is_dir)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a directory.", STR_ARG(path));
    *ret_key = row.storage_key;
    return ent_file_object_delete(tx, s, row.id);
}

err *tree_list(store_tx *tx, struct store_scope s, arena *a, str path, str after, int limit,
               struct ent_file_object_rows *ret) {
    struct ent_list_query q = {.eq[0] = {.column = ENT_FILE_OBJECT_PARENT, .s = path},
                               .order = ENT_FILE_OBJECT_NAME,
                               .limit = limit};
    if (after.n) {
        q.after = true;
        q.after_s = after;
        q.after_id = INT64_MAX;
    }
    return ent_file_object_list(tx, s, a, &q, ret);
}

err *tree_remove_dir(store_tx *tx, struct store_scope s, arena *a, str path) {
    struct ent_file_object row;
    bool found;
    TRY(tree_find(tx, s, a, path, &row, &found));
    if (!found) return not_found(path);
    if (!row.is_dir)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a file.", STR_ARG(path));
    struct ent_file_object_rows rows;
    TRY(tree_list(tx, s, a, path, STR(""), 1, &rows));
    if (rows.n)
        return err_new(ERR_DIRECTORY_NOT_EMPTY, "The directory '%.*s' is not empty.", STR_ARG(path));
    return ent_file_object_delete(tx, s, row.id);
}

#define PAGE 500

/* A walk with an explicit stack of directories. */
static err *walk(store_tx *tx, struct store_scope s, arena *a, str path, size_t max,
                 err *(*each)(void *arg, const struct ent_file_object *row), void *arg) {
    vec_of(str) dirs = {0};
    vec_push(&dirs, path);
    size_t n = 0;
    err *e = NULL;
    while (!e && dirs.n) {
        str dir = dirs.p[--dirs.n], after = STR("");
        struct ent_file_object_rows rows;
        do {
            e = tree_list(tx, s, a, dir, after, PAGE, &rows);
            for (size_t i = 0; !e && i < rows.n; i++) {
                if (++n > max)
                    e = err_new(ERR_RESOURCE_EXHAUSTED, "More than %zu files below '%.*s'.", max,
                                STR_ARG(path));
                if (!e && rows.p[i].is_dir) vec_push(&dirs, rows.p[i].path);
                if (!e) e = each(arg, &rows.p[i]);
            }
            if (!e && rows.n) after = rows.p[rows.n - 1].name;
        } while (!e && rows.more);
    }
    vec_free(&dirs);
    return e;
}

struct removal {
    store_tx *tx;
    struct store_scope s;
    void (*drop)(void *, str);
    void *arg;
};

static err *remove_each(void *arg, const struct ent_file_object *row) {
    struct removal *r = arg;
    if (!row->is_dir && r->drop) r->drop(r->arg, row->storage_key);
    return ent_file_object_delete(r->tx, r->s, row->id);
}

err *tree_remove_all(store_tx *tx, struct store_scope s, arena *a, str path,
                     void (*drop)(void *arg, str key), void *arg) {
    struct ent_file_object row;
    bool found;
    TRY(tree_find(tx, s, a, path, &row, &found));
    if (!found) return not_found(path);
    struct removal r = {tx, s, drop, arg};
    if (row.is_dir) TRY(walk(tx, s, a, path, 1000000, remove_each, &r));
    return remove_each(&r, &row);
}

struct gather {
    vec_of(struct tree_entry) v;
    size_t prefix;
};

static err *gather_each(void *arg, const struct ent_file_object *row) {
    struct gather *g = arg;
    if (!row->is_dir) vec_push(&g->v, ((struct tree_entry){str_from(row->path, g->prefix), *row}));
    return NULL;
}

err *tree_walk(store_tx *tx, struct store_scope s, arena *a, str path, size_t max,
               struct tree_entry **ret, size_t *ret_n) {
    struct gather g = {.prefix = path.n + 1};
    err *e = walk(tx, s, a, path, max, gather_each, &g);
    if (!e) {
        *ret_n = g.v.n;
        *ret = arena_array_of(a, struct tree_entry, g.v.n + 1);
        if (g.v.n) memcpy(*ret, g.v.p, g.v.n * sizeof(**ret));
    }
    vec_free(&g.v);
    return e;
}

err *tree_copy(store_tx *tx, struct store_scope from_scope, str from, struct store_scope to_scope,
               str to, arena *a) {
    struct tree_entry *files;
    size_t n;
    TRY(tree_walk(tx, from_scope, a, from, 100000, &files, &n));
    for (size_t i = 0; i < n; i++) {
        struct ent_file_object *o = &files[i].row;
        struct tree_file f = {
            .path = str_of(arena_printf(a, "%.*s/%.*s", STR_ARG(to), STR_ARG(files[i].relative))),
            .storage_key = o->storage_key,
            .etag = o->etag,
            .sha256 = o->sha256,
            .content_type = o->content_type,
            .size = o->size,
            .owner = o->owner_id};
        str old;
        TRY(tree_put(tx, to_scope, a, &f, true, &old));
    }
    return NULL;
}
