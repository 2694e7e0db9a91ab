/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker/scan.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/enc.h"
#include "base/map.h"
#include "delta/action.h"
#include "delta/feature.h"
#include "delta/managed.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"

/* ---- text and small queries ---- */

void scan_quote_ident(str name, buf *out) {
    buf_c(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"') buf_c(out, '"');
        buf_c(out, name.p[i]);
    }
    buf_c(out, '"');
}

void scan_quote_text(str text, buf *out) {
    bool zeros = text.n && memchr(text.p, 0, text.n); /* a zero byte would end the statement */
    buf_z(out, zeros ? "('" : "'");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'') buf_c(out, '\'');
        if (text.p[i])
            buf_c(out, text.p[i]);
        else
            buf_z(out, "' || chr(0) || '");
    }
    buf_z(out, zeros ? "')" : "'");
}

void scan_quote_path(str path, buf *out) {
    buf b = {0};
    for (size_t i = 0; i < path.n; i++) {
        bool wild = memchr("*?[", path.p[i], 3) != NULL;
        buf_fmt(&b, wild ? "[%c]" : "%c", path.p[i]);
    }
    scan_quote_text(buf_view(&b), out);
    buf_free(&b);
}

static err *run(duckdb_connection con, str sql, duckdb_result *ret) {
    char *z = malloc(sql.n + 1);
    must(z);
    memcpy(z, sql.p, sql.n);
    z[sql.n] = '\0';
    duckdb_state ok = duckdb_query(con, z, ret);
    free(z);
    if (ok == DuckDBSuccess) return NULL;
    const char *why = duckdb_result_error(ret);
    err *e = sql_error_of_duckdb(why ? why : "no error text");
    duckdb_destroy_result(ret);
    return e;
}

err *scan_exec(duckdb_connection con, str sql) {
    duckdb_result r;
    TRY(run(con, sql, &r));
    duckdb_destroy_result(&r);
    return NULL;
}

err *scan_query(duckdb_connection con, arena *a, str sql, struct scan_rows *ret) {
    duckdb_result r;
    TRY(run(con, sql, &r));
    ret->cols = duckdb_column_count(&r);
    ret->rows = 0;
    size_t cap = 0;
    ret->cell = NULL;
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(r)); duckdb_destroy_data_chunk(&chunk)) {
        size_t n = duckdb_data_chunk_get_size(chunk);
        if (ret->rows + n > cap) {
            cap = (ret->rows + n) * 2;
            str *more = arena_array_of(a, str, cap * (ret->cols + 1));
            if (ret->rows) memcpy(more, ret->cell, ret->rows * ret->cols * sizeof(str));
            ret->cell = more;
        }
        for (size_t c = 0; c < ret->cols; c++) {
            duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
            duckdb_string_t *s = duckdb_vector_get_data(v);
            uint64_t *valid = duckdb_vector_get_validity(v);
            for (size_t i = 0; i < n; i++) {
                str *to = &ret->cell[(ret->rows + i) * ret->cols + c];
                *to = STR_NONE;
                if (!valid || duckdb_validity_row_is_valid(valid, i))
                    *to = arena_str(a, str_n(duckdb_string_t_data(&s[i]), duckdb_string_t_length(s[i])));
            }
        }
        ret->rows += n;
    }
    duckdb_destroy_result(&r);
    return NULL;
}

/* ---- the cache ---- */

struct kept {
    struct delta_snapshot *snap;
    uint64_t used;
};

struct scan_cache {
    pthread_mutex_t lock;
    map *tables;            /* path → struct kept */
    map *footers;           /* path → struct footer */
    map *schemas;           /* schema's bytes → struct footer: equal schemas are kept once */
    arena *a;               /* of footers */
    size_t max_bytes, bytes;
    uint64_t clock;
};

struct scan_cache *scan_cache_new(size_t max_bytes) {
    struct scan_cache *c = calloc(1, sizeof(*c));
    must(c);
    pthread_mutex_init(&c->lock, NULL);
    c->tables = map_new(), c->footers = map_new(), c->schemas = map_new();
    c->a = arena_new();
    c->max_bytes = max_bytes;
    return c;
}

void scan_cache_free(struct scan_cache *c) {
    if (!c) return;
    str k;
    void *v;
    for (size_t i = 0; map_next(c->tables, &i, &k, &v);) {
        delta_snapshot_drop(((struct kept *)v)->snap);
        free(v);
    }
    map_free(c->tables), map_free(c->footers), map_free(c->schemas);
    arena_free(c->a);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct delta_snapshot *cache_get(struct scan_cache *c, str path) {
    pthread_mutex_lock(&c->lock);
    struct kept *k = map_get(c->tables, path);
    struct delta_snapshot *s = k ? k->snap : NULL;
    if (s) {
        delta_snapshot_hold(s);
        k->used = ++c->clock;
    }
    pthread_mutex_unlock(&c->lock);
    return s;
}

static void drop_oldest(struct scan_cache *c, struct kept *but) {
    str k, oldest = STR_NONE;
    void *v;
    struct kept *old = NULL;
    for (size_t i = 0; map_next(c->tables, &i, &k, &v);) {
        struct kept *x = v;
        if (x != but && (!old || x->used < old->used)) old = x, oldest = k;
    }
    if (!old) return;
    c->bytes -= old->snap->bytes < c->bytes ? old->snap->bytes : c->bytes;
    delta_snapshot_drop(old->snap);
    map_del(c->tables, oldest);
    free(old);
}

static void cache_put(struct scan_cache *c, str path, struct delta_snapshot *s) {
    pthread_mutex_lock(&c->lock);
    struct kept *k = map_get(c->tables, path);
    if (!k) {
        k = calloc(1, sizeof(*k));
        must(k);
        map_put(c->tables, path, k);
    }
    if (k->snap && k->snap->version > s->version && k->snap->timestamp_ms >= s->timestamp_ms) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    if (k->snap) {
        c->bytes -= k->snap->bytes < c->bytes ? k->snap->bytes : c->bytes;
        delta_snapshot_drop(k->snap);
    }
    delta_snapshot_hold(s);
    k->snap = s;
    k->used = ++c->clock;
    c->bytes += s->bytes;
    while (c->bytes > c->max_bytes && map_size(c->tables) > 1) drop_oldest(c, k);
    pthread_mutex_unlock(&c->lock);
}

#define MAX_FOOTERS 400000

static const struct footer *footer_keep(struct scan_cache *c, str path, const struct footer *f) {
    pthread_mutex_lock(&c->lock);
    if (map_size(c->footers) > MAX_FOOTERS) {
        /* Footers that a running statement uses stay valid: the arena is only added to. */
        map_free(c->footers);
        c->footers = map_new();
    }
    struct footer *same = map_get(c->schemas, f->bytes);
    if (!same) {
        same = arena_new_of(c->a, struct footer);
        /* Parsed once more into the cache's own arena: metadata of two fields is enough. */
        buf b = {0};
        buf_u8(&b, 0x29);
        buf_str(&b, f->bytes);
        buf_u8(&b, 0x16);
        buf_u8(&b, 0);
        buf_u8(&b, 0);
        err *e = footer_parse(c->a, buf_view(&b), same);
        buf_free(&b);
        must(!e);
        map_put(c->schemas, same->bytes, same);
    }
    map_put(c->footers, path, same);
    pthread_mutex_unlock(&c->lock);
    return same;
}

bool scan_footer_known(struct scan_ctx *c, str path) {
    pthread_mutex_lock(&c->cache->lock);
    bool known = map_get(c->cache->footers, path) != NULL;
    pthread_mutex_unlock(&c->cache->lock);
    return known;
}

err *scan_footer_again(struct scan_ctx *c, str path, const struct footer **ret) {
    pthread_mutex_lock(&c->cache->lock);
    map_del(c->cache->footers, path);
    pthread_mutex_unlock(&c->cache->lock);
    return scan_footer(c, path, ret);
}

err *scan_footer(struct scan_ctx *c, str path, const struct footer **ret) {
    pthread_mutex_lock(&c->cache->lock);
    const struct footer *have = map_get(c->cache->footers, path);
    pthread_mutex_unlock(&c->cache->lock);
    if (have) {
        *ret = have;
        return NULL;
    }
    struct footer f;
    arena *a = arena_new();
    const char *z = arena_strndup(a, path.p, path.n);
    err *e = footer_read(a, z, &f);
    if (!e) *ret = footer_keep(c->cache, path, &f);
    if (e) {
        err *why = err_code_of(e) == ERR_NOT_FOUND
                       ? delta_error("FAILED_READ_FILE.FILE_NOT_EXIST", "The file %s cannot be read: it does not exist (any "
                                                                        "more).", z)
                       : delta_error("FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER", "The file %s cannot be read: it has no footer "
                                                                                 "of a Parquet file.", z);
        err_free(e);
        e = why;
    }
    arena_free(a);
    return e;
}

/* ---- paths ---- */

static err *bad_path(arena *a, str url) {
    return sql_error("PATH_NOT_FOUND", NULL, STR_NONE, "path", arena_strndup(a, url.p, url.n), NULL);
}

static bool has_dots(str s) {
    str part;
    while (str_split(&s, '/', &part))
        if (str_eqz(part, "..") || str_eqz(part, ".")) return true;
    return false;
}

/* No symbolic link between the root and the end of the path. What is not there is no link. */
static bool has_link(arena *a, str root, str path) {
    for (size_t i = root.n; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/') continue;
        struct stat st;
        if (lstat(arena_strndup(a, path.p, i), &st)) return errno != ENOENT && errno != ENOTDIR;
        if (S_ISLNK(st.st_mode)) return true;
    }
    return false;
}

static bool below(str path, str root) {
    return str_starts(path, root) && (path.n == root.n || path.p[root.n] == '/');
}

/* A place that control gave (of a volume): below a root, as every other. */
static bool placed(struct scan_ctx *c, str url, str *ret) {
    if (!c->placed_path.n || !str_eq(c->placed_url, url) || has_dots(c->placed_path)) return false;
    for (size_t i = 0; i < c->n_roots; i++) {
        if (!below(c->placed_path, c->roots[i].path) || has_link(c->a, c->roots[i].path, c->placed_path)) continue;
        *ret = c->placed_path;
        return true;
    }
    return false;
}

/* The part of a path before its first pattern. */
static str scan_fixed(str path) {
    for (size_t i = 0; i < path.n; i++)
        if (memchr("*?[{", path.p[i], 4)) {
            while (i && path.p[i] != '/') i--;
            return str_cut(path, i);
        }
    return path;
}

err *scan_path(struct scan_ctx *c, str url, str *ret) {
    str u = url;
    if (remote_is_url(url) || (c->placed_path.n && str_eq(c->placed_url, url) && remote_is_url(c->placed_path))) {
        str path = remote_path(c->a, remote_is_url(url) ? url : c->placed_path);
        if (has_dots(path) || memchr(path.p, 0, path.n) || !remote_granted(scan_fixed(path))) return bad_path(c->a, url);
        *ret = path;
        return NULL;
    }
    if (c->placed_path.n && str_eq(c->placed_url, url) && remote_is_volume(c->placed_path)) {
        *ret = c->placed_path;
        return has_dots(*ret) || memchr(ret->p, 0, ret->n) ? bad_path(c->a, url) : NULL;
    }
    if (placed(c, url, ret)) return NULL;
    while (u.n > 1 && u.p[u.n - 1] == '/') u.n--;
    if (str_starts(u, STR("dbfs:/Volumes/"))) u = str_from(u, 5);
    if (str_starts(u, STR("file:/")) && !str_starts(u, STR("file://"))) u = str_of(arena_printf(c->a, "file://%.*s", STR_ARG(str_from(u, 5))));
    if (has_dots(u) || memchr(u.p, 0, u.n)) return bad_path(c->a, url);
    for (size_t i = 0; i < c->n_roots; i++) {
        const struct scan_root *r = &c->roots[i];
        str rest;
        if (r->url.n && below(u, r->url))
            rest = str_from(u, r->url.n);
        else if (u.p[0] == '/' && str_starts(r->url, STR("file://")) && below(u, str_from(r->url, 7)))
            rest = str_from(u, r->url.n - 7);
        else
            continue;
        str path = str_of(arena_printf(c->a, "%.*s%.*s", STR_ARG(r->path), STR_ARG(rest)));
        if (has_link(c->a, r->path, path)) return bad_path(c->a, url);
        *ret = path;
        return NULL;
    }
    return bad_path(c->a, url);
}

/* ---- files that a log names ---- */

static str up(str path) {
    while (path.n && path.p[path.n - 1] != '/') path.n--;
    return path.n ? str_cut(path, path.n - 1) : path;
}

static str without_file(str url) { return str_starts(url, STR("file://")) ? str_from(url, 7) : url; }

/* `plain` below `url` (as people know it) is the same below `path` (here). */
static bool moved(arena *a, str plain, str url, str path, str *ret) {
    url = without_file(url);
    if (!url.n || !below(plain, url)) return false;
    *ret = str_of(arena_printf(a, "%.*s%.*s", STR_ARG(path), STR_ARG(str_from(plain, url.n))));
    return true;
}

static err *may_read(struct scan_ctx *c, str url) {
    str folder = up(url);
    if (!c->allow || str_eq(folder, c->allowed)) return NULL;
    TRY(c->allow(c->arg, folder, false));
    c->allowed = folder;
    return NULL;
}

/* Below the place of a clone's source. */
static bool of_source(const struct scan_table *t, str plain, str *ret, err **ret_e) {
    arena *a = t->ctx->a;
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct scan_source *s = &t->sources[i];
        if (!moved(a, plain, s->url, s->path, ret)) continue;
        if (remote_is(s->path) ? !remote_granted(*ret) : has_link(a, s->path, *ret)) *ret_e = bad_path(a, plain);
        return true;
    }
    return false;
}

static err *leads_away(str path) {
    return delta_error("DELTA_LOG_FILE_MALFORMED", "A file's path in the Delta log leads where its table may not reach: %.*s", STR_ARG(path));
}

/* An absolute name in a store. That the statement was granted the place, for another table, is not enough. */
static err *absolute_object(struct scan_table *t, str url, str *ret) {
    struct scan_ctx *c = t->ctx;
    *ret = remote_path(c->a, url);
    if (has_dots(*ret)) return leads_away(url);
    if (remote_is(t->path) && below(*ret, t->path)) return remote_granted(*ret) ? NULL : leads_away(url);
    if (!str_eqz(t->format, "delta")) return remote_granted(*ret) ? NULL : leads_away(url);
    err *e = may_read(c, url);
    if (!e && remote_granted(*ret)) return NULL;
    err_free(e);
    return leads_away(url);
}

/* An absolute name: the table's own folder, a file of another managed table where this is one (control let nobody but who may
 * read it write that name), or a place that the user may read himself. */
static err *absolute_path(struct scan_table *t, str plain, str *ret) {
    struct scan_ctx *c = t->ctx;
    str path;
    if (moved(c->a, plain, t->url, t->path, ret)) return has_link(c->a, t->path, *ret) ? bad_path(c->a, plain) : NULL;
    if (below(plain, t->path)) return NULL;
    if (below(t->path, c->roots[0].path) && !c->roots[0].url.n && str_eq(up(t->path), c->roots[0].path) &&
        moved(c->a, plain, up(t->url), c->roots[0].path, ret))
        return has_link(c->a, c->roots[0].path, *ret) ? bad_path(c->a, plain) : NULL;
    str url = plain.p[0] == '/' ? str_of(arena_printf(c->a, "file://%.*s", STR_ARG(plain))) : plain;
    TRY(scan_path(c, url, &path));
    TRY(may_read(c, url));
    *ret = path;
    return NULL;
}

/* The table's folder is all that its log leads to. */
static err *in_volume(struct scan_table *t, str path, str *ret) {
    TRY(delta_file_path(t->ctx->a, t->path, path, ret));
    if (ret->n <= t->path.n || !below(*ret, t->path) || has_dots(*ret)) return leads_away(path);
    return scan_volume_place(t->ctx, t->path, *ret, ret);
}

err *scan_file_path(struct scan_table *t, str path, str *ret) {
    struct scan_ctx *c = t->ctx;
    err *e = NULL;
    if (remote_is_volume(t->path)) return in_volume(t, path, ret);
    TRY(delta_file_path(c->a, t->path, path, ret));
    bool absolute = path.p[0] == '/' || str_starts(path, STR("file:")) || str_find(str_cut(path, 16), STR("://")) > 0;
    if (absolute && of_source(t, *ret, ret, &e)) return e;
    if (remote_is_url(*ret)) return absolute_object(t, *ret, ret);
    /* A log lies in its writer's hands: one in a store does not reach files here, and copies of others' objects nobody. */
    bool log = str_eqz(t->format, "delta"); /* not one that we made of a list of files */
    if (remote_is(*ret) ? !remote_granted(*ret) || (log && absolute && !below(*ret, t->path)) : remote_is(t->path)) return leads_away(path);
    if (remote_is(*ret) || !absolute || !c->n_roots || !log) return NULL;
    return absolute_path(t, *ret, ret);
}

err *scan_dv_place(struct scan_table *t, const struct delta_dv *dv, struct delta_dv *ret) {
    str path;
    *ret = *dv;
    if (dv->storage != 'p') return NULL;
    TRY(scan_file_path(t, dv->path, &path));
    ret->path = path;
    return NULL;
}

/* ---- tables ---- */

err *scan_declare(str path, int64_t size) { return remote_is(path) ? remote_declare(path, size, 0, STR_NONE) : NULL; }

str scan_place(arena *a, str location) { return remote_is_url(location) ? remote_path(a, location) : location; }

struct scan_log {
    str path;
    int64_t latest;
    struct delta_version *staged;
    size_t n;
    struct scan_log *next;
};

static const struct scan_log *log_of(const struct scan_ctx *c, str path) {
    for (const struct scan_log *l = c->logs; l; l = l->next)
        if (str_eq(l->path, path)) return l;
    return NULL;
}

struct scan_clone {
    str path;
    struct scan_source *sources;
    size_t n;
    struct scan_clone *next;
};

static const struct scan_clone *clone_of(const struct scan_ctx *c, str path) {
    for (const struct scan_clone *x = c->clones; x; x = x->next)
        if (str_eq(x->path, path)) return x;
    return NULL;
}

static void add_clone(struct scan_ctx *c, str path, struct scan_source *sources, size_t n) {
    struct scan_clone *x = arena_new_of(c->a, struct scan_clone);
    *x = (struct scan_clone){delta_fs_dir(c->a, scan_place(c->a, path)).root, sources, n, c->clones};
    c->clones = x;
}

static void note_sources(struct scan_ctx *c, str path, jval *list) {
    jval *v;
    size_t i, n;
    struct scan_source *sources = arena_array_of(c->a, struct scan_source, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v)
        sources[i] = (struct scan_source){arena_str(c->a, json_get_str(v, "url")), scan_place(c->a, arena_str(c->a, json_get_str(v, "location")))};
    add_clone(c, path, sources, yyjson_arr_size(list));
}

void scan_note_source(struct scan_ctx *c, str path, const struct scan_table *source) {
    const struct scan_clone *old = clone_of(c, delta_fs_dir(c->a, scan_place(c->a, path)).root);
    size_t n = old ? old->n : 0;
    struct scan_source *sources = arena_array_of(c->a, struct scan_source, n + 1);
    if (n) memcpy(sources, old->sources, n * sizeof(*sources));
    sources[n] = (struct scan_source){source->url, source->path};
    add_clone(c, path, sources, n + 1);
}

err *scan_note_table(struct scan_ctx *c, str path, jval *said) {
    jval *log = json_get(said, "log");
    if (yyjson_is_arr(json_get(said, "sources"))) note_sources(c, path, json_get(said, "sources"));
    if (!log) return NULL;
    struct scan_log *l = arena_new_of(c->a, struct scan_log);
    *l = (struct scan_log){.path = delta_fs_dir(c->a, scan_place(c->a, path)).root, .next = c->logs};
    TRY(delta_managed_read(c->a, log, &l->latest, &l->staged, &l->n));
    c->logs = l; /* the newest word counts */
    return NULL;
}

struct delta_fs scan_fs(struct scan_ctx *c, str path) {
    if (remote_is_volume(path)) return delta_fs_storage(c->a, remote_volume_storage(), path);
    struct delta_fs fs = remote_is(path) ? delta_fs_storage(c->a, remote_storage(), path) : delta_fs_dir(c->a, path);
    const struct scan_log *l = log_of(c, fs.root);
    return l ? delta_managed_fs(c->a, &fs, l->latest, l->staged, l->n) : fs;
}

static err *checkpoint_rows(void *arg, arena *a, const struct delta_fs *fs, str name, str *ret) {
    struct scan_ctx *c = arg;
    buf b = {0};
    str file = str_of(arena_printf(a, "%.*s/%.*s", STR_ARG(fs->root), STR_ARG(name)));
    if (remote_is_volume(fs->root))
        TRY(scan_volume_place(c, fs->root, file, &file));
    else if (fs->store)
        TRY(remote_declare(file, -1, 0, STR_NONE));
    buf_z(&b, "SELECT CAST(to_json(t) AS VARCHAR) FROM read_parquet(");
    scan_quote_text(file, &b);
    buf_z(&b, ") t");
    struct scan_rows rows;
    err *e = scan_query(c->con, a, buf_view(&b), &rows);
    buf_free(&b);
    if (e) return e;
    buf out = {0};
    for (size_t i = 0; i < rows.rows; i++) buf_str(&out, rows.cell[i]), buf_c(&out, '\n');
    *ret = arena_str(a, str_n(out.p ? out.p : "", out.n));
    buf_free(&out);
    return NULL;
}

struct delta_parquet scan_parquet(struct scan_ctx *c) { return (struct delta_parquet){c, checkpoint_rows}; }

static void drop_snapshot(void *p) { delta_snapshot_drop(p); }

static err *snapshot_of(struct scan_ctx *c, const struct delta_fs *fs, struct scan_at at, int64_t known, struct delta_snapshot **ret) {
    struct delta_parquet pq = scan_parquet(c);
    if (at.version >= 0 || at.timestamp_us != INT64_MIN) {
        struct delta_snapshot *have = at.version >= 0 && !remote_is_volume(fs->root) ? cache_get(c->cache, fs->root) : NULL;
        if (have && have->version == at.version) {
            *ret = have;
            return NULL;
        }
        delta_snapshot_drop(have);
        struct delta_at when = {at.version, at.timestamp_us == INT64_MIN ? INT64_MIN : at.timestamp_us / 1000};
        return delta_snapshot_open(fs, &pq, when, ret);
    }
    if (remote_is_volume(fs->root)) return delta_snapshot_open(fs, &pq, DELTA_LATEST, ret); /* whoever writes there may put another table in its place */
    struct delta_snapshot *have = cache_get(c->cache, fs->root);
    if (have && known >= 0 && have->version == known) {
        *ret = have;
        return NULL;
    }
    err *e = have ? delta_snapshot_update(fs, &pq, have, ret) : delta_snapshot_open(fs, &pq, DELTA_LATEST, ret);
    delta_snapshot_drop(have);
    if (!e) cache_put(c->cache, fs->root, *ret);
    return e;
}

/* The declared type over the log's: strings become char(n) or varchar(n) where it says so, all else stays. */
static const struct sql_type *declared(arena *a, const struct sql_type *t, const struct sql_type *d) {
    if (t->kind == TY_STRING && (d->kind == TY_CHAR || d->kind == TY_VARCHAR)) return d;
    if (t->kind != d->kind || t->n != d->n) return t;
    struct sql_type *r = arena_new_of(a, struct sql_type);
    *r = *t;
    if (t->elem) r->elem = declared(a, t->elem, d->elem);
    if (t->key) r->key = declared(a, t->key, d->key);
    struct sql_field *f = arena_array_of(a, struct sql_field, t->n + 1);
    for (size_t i = 0; i < t->n; i++) {
        f[i] = t->fields[i];
        f[i].type = declared(a, t->fields[i].type, d->fields[i].type);
    }
    if (t->n) r->fields = f;
    return r;
}

static const struct sql_field *declared_columns(arena *a, const struct sql_field *cols, size_t n) {
    struct sql_field *r = NULL;
    for (size_t i = 0; i < n; i++) {
        jval *v;
        const struct sql_type *type;
        if (!cols[i].metadata.n || str_find(cols[i].metadata, STR("__CHAR_VARCHAR_TYPE_STRING")) < 0) continue;
        err *e = json_parse(a, cols[i].metadata, false, &v);
        if (!e) e = sql_type_parse(a, json_get_str(v, "__CHAR_VARCHAR_TYPE_STRING"), &type);
        if (e) {
            err_free(e);
            continue;
        }
        if (!r) {
            r = arena_array_of(a, struct sql_field, n + 1);
            memcpy(r, cols, n * sizeof(*r));
        }
        r[i].type = declared(a, cols[i].type, type);
    }
    return r ? r : cols;
}

err *scan_set_columns(struct scan_table *t) {
    arena *a = t->ctx->a;
    jval *v;
    const struct sql_type *schema;
    TRY(json_parse(a, t->snap->metadata.schema, false, &v));
    TRY(sql_type_read_json(a, v, &schema));
    if (schema->kind != TY_STRUCT) return delta_error("DELTA_LOG_FILE_MALFORMED", "The table's schema is not a struct.");
    t->cols = declared_columns(a, schema->fields, schema->n), t->n = schema->n;
    return NULL;
}

err *scan_table_open(struct scan_ctx *c, str path, str url, struct scan_at at, int64_t known_version, struct scan_table **ret) {
    struct scan_table *t = arena_new_of(c->a, struct scan_table);
    struct delta_fs fs = scan_fs(c, scan_place(c->a, path));
    t->ctx = c;
    t->managed = fs.managed != NULL;
    t->path = fs.root, t->url = arena_str(c->a, url);
    t->format = STR("delta");
    t->pinned = at.version >= 0 || at.timestamp_us != INT64_MIN;
    const struct scan_clone *sources = clone_of(c, fs.root);
    if (sources) t->sources = sources->sources, t->n_sources = sources->n;
    if (c->pinned && !t->pinned) t->snap = c->pinned(c->txn, fs.root);
    if (!t->snap) {
        err *e = snapshot_of(c, &fs, at, known_version, &t->snap);
        if (e && str_eqz(sql_error_class(e, c->a), "DELTA_TABLE_NOT_FOUND")) { /* by the name that was given, not that of the sandbox */
            err_free(e);
            return delta_error("DELTA_TABLE_NOT_FOUND", "Delta table %.*s doesn't exist.", STR_ARG(url));
        }
        if (e) return e;
        if (c->pin && !t->pinned) c->pin(c->txn, fs.root, t->managed, t->snap);
    }
    arena_on_free(c->a, drop_snapshot, t->snap);
    if (!t->managed && delta_has_feature(&t->snap->protocol, "catalogManaged"))
        return delta_error("DELTA_PATH_BASED_ACCESS_TO_CATALOG_MANAGED_TABLE_BLOCKED", "The table at %.*s is catalog-managed: only its catalog "
                                                                                     "knows which versions it has. Use its name.", STR_ARG(url));
    TRY(scan_set_columns(t));
    *ret = t;
    return NULL;
}

bool scan_tracks_rows(const struct scan_table *t) { return t->snap && delta_property_true(t->snap, "delta.enableRowTracking"); }

bool scan_same_columns(const struct scan_table *old, const struct scan_table *now) {
    for (size_t i = 0; i < old->n; i++) {
        bool same = false;
        for (size_t k = 0; k < now->n && !same; k++)
            same = str_ieq(old->cols[i].name, now->cols[k].name) &&
                   str_eq(scan_physical(old->ctx->a, &old->cols[i]), scan_physical(old->ctx->a, &now->cols[k]));
        if (!same) return false;
    }
    return true;
}

struct sql_relation *scan_relation(struct scan_table *t) {
    struct sql_relation *r = arena_new_of(t->ctx->a, struct sql_relation);
    r->kind = REL_TABLE;
    r->cols = t->cols, r->n = t->n;
    r->scan = t;
    r->row_ids = scan_tracks_rows(t);
    return r;
}
