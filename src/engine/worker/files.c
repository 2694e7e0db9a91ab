/* SPDX-License-Identifier: Apache-2.0 */
/* Time travel's versions; files that are no table: read_files(), csv.`path` and its relatives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/enc.h"
#include "base/vec.h"
#include "delta/partition.h"
#include "engine/worker/glob.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"
#include "sys/files.h"

#define MAX_FILES 200000

struct file_names {
    str *p;
    size_t n, cap;
};

/* Text of a time, in the session's zone unless it names one, as microseconds. */
static err *time_of(struct scan_ctx *c, struct sql_env *e, str text, int64_t *ret) {
    buf b = {0};
    str t = str_trim(text);
    bool zone = t.n > 10 && (t.p[t.n - 1] == 'Z' || str_chr(t, '+', 10) > 0 || str_chr(t, '-', 10) > 0);
    buf_z(&b, "SELECT CAST(epoch_us(");
    if (!zone) buf_z(&b, "timezone("), scan_quote_text(e->time_zone.n ? e->time_zone : STR("UTC"), &b), buf_z(&b, ", ");
    buf_z(&b, "TRY_CAST(");
    scan_quote_text(t, &b);
    buf_z(&b, zone ? " AS TIMESTAMPTZ)) AS VARCHAR)" : " AS TIMESTAMP))) AS VARCHAR)");
    struct scan_rows rows;
    err *why = scan_query(c->con, c->a, buf_view(&b), &rows);
    buf_free(&b);
    if (why) return why;
    if (rows.rows == 1 && rows.cell[0].p && str_to_i64(rows.cell[0], ret)) return NULL;
    return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", NULL, STR_NONE, "expr", arena_strndup(c->a, text.p, text.n), NULL);
}

/* A time that is to be computed: current_timestamp() - INTERVAL 1 HOUR. */
static err *time_of_expr(struct scan_ctx *c, struct sql_env *e, const struct ast *time, int64_t *ret) {
    str shown = time->end <= e->text.n && time->pos < time->end ? str_n(e->text.p + time->pos, time->end - time->pos) : STR("");
    const char *text = arena_strndup(c->a, shown.p ? shown.p : "", shown.n);
    buf b = {0}, value = {0};
    const struct sql_type *type;
    struct scan_rows rows;
    if (ast_has_query(time)) return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.UNEVALUABLE", time, e->text, "expr", text, NULL);
    err *why = sql_compile_expr(e, time, NULL, 0, STR(""), sql_type_of(TY_TIMESTAMP), &value, &type);
    buf_fmt(&b, "SELECT CAST(epoch_us(%.*s) AS VARCHAR)", STR_ARG(buf_view(&value)));
    if (!why) why = scan_query(c->con, c->a, buf_view(&b), &rows);
    buf_free(&b), buf_free(&value);
    if (why) return why;
    if (rows.rows == 1 && rows.cell[0].p && str_to_i64(rows.cell[0], ret)) return NULL;
    return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", time, e->text, "expr", text, NULL);
}

err *scan_at_of(struct scan_ctx *c, struct sql_env *e, const struct ast *from, struct scan_at *ret) {
    const struct ast *version = ast_get(from, SLOT_VERSION), *time = ast_get(from, SLOT_TIMESTAMP);
    const struct sql_type *type;
    str text;
    *ret = (struct scan_at){-1, INT64_MIN};
    if (version) {
        TRY(sql_constant(e, version, &type, &text));
        if (!text.p || !str_to_i64(text, &ret->version) || ret->version < 0)
            return sql_error("INVALID_TIME_TRAVEL_SPEC", version, STR_NONE, NULL);
    } else if (time) {
        if (time->kind != AST_LIT_STRING && time->kind != AST_LIT_TYPED && time->kind != AST_LIT_NULL && time->kind != AST_PARAM) return time_of_expr(c, e, time, &ret->timestamp_us);
        TRY(sql_constant(e, time, &type, &text));
        if (!text.p) return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", time, STR_NONE, "expr", "NULL", NULL);
        return time_of(c, e, text, &ret->timestamp_us);
    }
    return NULL;
}

/* ---- Parquet files as a table of their own ----
 * A log is made up in memory: its metadata from the first file's footer, an add for each file, partition values from folders
 * named a=b. Then everything that holds for tables (groups of schemas, missing columns, skipping, _metadata) holds for them. */

static const struct sql_type *struct_of_node(arena *a, const struct footer_node *n) {
    struct sql_type *t = arena_new_of(a, struct sql_type);
    struct sql_field *f = arena_array_of(a, struct sql_field, n->n + 1);
    for (size_t i = 0; i < n->n; i++) f[i] = (struct sql_field){.name = n->child[i].name, .type = scan_type_of_node(a, &n->child[i]), .nullable = true};
    *t = (struct sql_type){.kind = TY_STRUCT, .fields = f, .n = n->n};
    return t;
}

const struct sql_type *scan_type_of_node(arena *a, const struct footer_node *n) {
    const struct footer_node *k, *v;
    if ((v = footer_element(n))) return sql_array(a, scan_type_of_node(a, v), true);
    if (footer_map(n, &k, &v)) return sql_map(a, scan_type_of_node(a, k), scan_type_of_node(a, v), true);
    if (n->logical == LOG_VARIANT) return sql_type_of(TY_VARIANT);
    if (n->logical == LOG_DECIMAL && n->precision <= 38) return sql_decimal(a, n->precision, n->scale);
    switch (n->phys) {
    case PHYS_GROUP: return struct_of_node(a, n);
    case PHYS_BOOLEAN: return sql_type_of(TY_BOOLEAN);
    case PHYS_INT32:
        if (n->logical == LOG_DATE) return sql_type_of(TY_DATE);
        if (n->logical == LOG_INT && n->bits == 8) return sql_type_of(n->is_signed ? TY_TINYINT : TY_SMALLINT);
        if (n->logical == LOG_INT && n->bits == 16) return sql_type_of(n->is_signed ? TY_SMALLINT : TY_INT);
        return sql_type_of(n->logical == LOG_INT && !n->is_signed ? TY_BIGINT : TY_INT);
    case PHYS_INT64:
        if (n->logical == LOG_TIMESTAMP) return sql_type_of(n->utc ? TY_TIMESTAMP : TY_TIMESTAMP_NTZ);
        if (n->logical == LOG_INT && !n->is_signed) return sql_decimal(a, 20, 0);
        return sql_type_of(TY_BIGINT);
    case PHYS_INT96: return sql_type_of(TY_TIMESTAMP);
    case PHYS_FLOAT: return sql_type_of(TY_FLOAT);
    case PHYS_DOUBLE: return sql_type_of(TY_DOUBLE);
    case PHYS_BYTES:
        return sql_type_of(n->logical == LOG_STRING || n->logical == LOG_ENUM || n->logical == LOG_JSON ? TY_STRING : TY_BINARY);
    default: return sql_type_of(n->logical == LOG_UUID ? TY_STRING : TY_BINARY);
    }
}

/* Files under a folder (or the file itself), in order; names that begin with '_' or '.' are not data. */
static err *list_under(struct scan_ctx *c, const char *path, const char *suffix, int depth, struct file_names *out) {
    struct stat st;
    if (lstat(path, &st) || S_ISLNK(st.st_mode))
        return sql_error("PATH_NOT_FOUND", NULL, STR_NONE, "path", path, NULL);
    if (S_ISREG(st.st_mode)) {
        vec_push(out, str_of(arena_strdup(c->a, path)));
        return out->n > MAX_FILES ? err_new(ERR_RESOURCE_EXHAUSTED, "%s has more than %d files", path, MAX_FILES) : NULL;
    }
    if (!S_ISDIR(st.st_mode) || depth > 40) return NULL;
    struct files_names names;
    TRY(files_list(path, MAX_FILES, &names));
    err *e = NULL;
    for (size_t i = 0; !e && i < names.n; i++) {
        const char *child = arena_printf(c->a, "%s/%s", path, names.p[i]);
        if (names.p[i][0] == '.' || (names.p[i][0] == '_' && !strchr(names.p[i], '=')) || lstat(child, &st)) continue;
        if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && str_ends(str_of(child), str_of(suffix)))) e = list_under(c, child, suffix, depth + 1, out);
    }
    files_names_free(&names);
    return e;
}

/* Where the first part begins that is a pattern; path.n: none is. */
static size_t first_pattern(str path) {
    for (size_t from = 0, to; from < path.n; from = to + 1) {
        for (to = from; to < path.n && path.p[to] != '/'; to++) {}
        if (glob_is(str_n(path.p + from, to - from))) return from;
    }
    return path.n;
}

/* A path that may have patterns (glob.h) in its parts. */
static err *expand(struct scan_ctx *c, str path, const char *suffix, struct file_names *out) {
    size_t from = first_pattern(path), to = from;
    if (from == path.n) return list_under(c, arena_strndup(c->a, path.p, path.n), suffix, 0, out);
    while (to < path.n && path.p[to] != '/') to++;
    str dir = str_cut(path, from ? from - 1 : 0), pattern = str_n(path.p + from, to - from), rest = str_from(path, to);
    struct files_names names;
    err *e = files_list(arena_strndup(c->a, dir.p, dir.n), MAX_FILES, &names);
    if (e) {
        err_free(e);
        return NULL;
    }
    for (size_t i = 0; !e && i < names.n; i++) {
        struct stat st;
        str one = str_of(arena_printf(c->a, "%.*s/%s%.*s", STR_ARG(dir), names.p[i], STR_ARG(rest)));
        if (names.p[i][0] == '.' || !glob_matches(pattern, str_of(names.p[i]))) continue;
        if (lstat(arena_printf(c->a, "%.*s/%s", STR_ARG(dir), names.p[i]), &st) || S_ISLNK(st.st_mode)) continue;
        e = expand(c, one, suffix, out);
    }
    files_names_free(&names);
    return e;
}

static bool is_hidden(str name) { return name.p[0] == '.' || (name.p[0] == '_' && str_chr(name, '=', 0) < 0); }

/* What `expand` takes, of a key below the folder: the pattern's parts, then anything that is not hidden. */
static bool takes(str pattern, str key, const char *suffix) {
    str want, part;
    bool below = false;
    while (str_split(&key, '/', &part)) {
        if (!part.n) return false;
        if (pattern.n && str_split(&pattern, '/', &want)) {
            if (part.p[0] == '.' || !glob_matches(want, part)) return false;
        } else {
            if (is_hidden(part)) return false;
            below = true;
        }
        if (below && !key.n && !str_ends(part, str_of(suffix))) return false;
    }
    return !pattern.n;
}

/* The parts of a path from the first that is a pattern; empty: none is. The path becomes the folder above. */
static str split_pattern(str *path) {
    size_t fixed = first_pattern(*path);
    if (fixed == path->n) return STR("");
    str pattern = str_from(*path, fixed);
    *path = str_cut(*path, fixed - 1);
    return pattern;
}

/* The same in an object store: one list of all that is there. */
static err *expand_remote(struct scan_ctx *c, str path, const char *suffix, struct file_names *out) {
    struct remote_entry one, *all;
    size_t n;
    str pattern = split_pattern(&path);
    if (!pattern.n) {
        err *e = remote_head(c->a, path, &one);
        if (!e) {
            TRY(remote_declare(path, one.size, one.mtime_us, one.etag));
            vec_push(out, path);
            return NULL;
        }
        if (err_code_of(e) != ERR_NOT_FOUND) return e;
        err_free(e);
    }
    TRY(remote_list(c->a, path, &all, &n));
    for (size_t i = 0; i < n; i++) {
        if (!takes(pattern, str_from(all[i].path, path.n + 1), suffix)) continue;
        TRY(remote_declare(all[i].path, all[i].size, all[i].mtime_us, all[i].etag));
        vec_push(out, all[i].path);
        if (out->n > MAX_FILES) return err_new(ERR_RESOURCE_EXHAUSTED, "%.*s has more than %d files", STR_ARG(path), MAX_FILES);
    }
    return NULL;
}

/* Of a managed volume: control lists it. */
static err *expand_volume(struct scan_ctx *c, str path, const char *suffix, struct file_names *out) {
    struct remote_entry *all;
    size_t n;
    bool file;
    str pattern = split_pattern(&path), place;
    TRY(remote_volume_list(c->a, path, &all, &n, &file));
    if (file && pattern.n) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (!file && !takes(pattern, str_from(all[i].path, path.n + 1), suffix)) continue;
        TRY(remote_volume_declare(c->a, &all[i], &place));
        vec_push(out, place);
        if (out->n > MAX_FILES) return err_new(ERR_RESOURCE_EXHAUSTED, "%.*s has more than %d files", STR_ARG(path), MAX_FILES);
    }
    return NULL;
}

err *scan_volume_place(struct scan_ctx *c, str root, str path, str *ret) {
    struct scan_volume *v = c->volumes;
    while (v && !str_eq(v->root, root)) v = v->next;
    if (!v) {
        bool file;
        v = arena_new_of(c->a, struct scan_volume);
        *v = (struct scan_volume){.root = arena_str(c->a, root), .next = c->volumes};
        TRY(remote_volume_list(c->a, root, &v->all, &v->n, &file));
        c->volumes = v;
    }
    for (size_t low = 0, high = v->n; low < high;) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(v->all[mid].path, path);
        if (!order) return remote_volume_declare(c->a, &v->all[mid], ret);
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return delta_error("FAILED_READ_FILE.FILE_NOT_EXIST", "The file dbfs:%.*s cannot be read: it does not exist.", STR_ARG(path));
}

static str name_in(str path) {
    size_t i = path.n;
    while (i && path.p[i - 1] != '/') i--;
    return str_from(path, i);
}

err *scan_list(struct scan_ctx *c, str url, const char *suffix, str **ret, size_t *ret_n) {
    str path;
    TRY(scan_path(c, url, &path));
    struct file_names found = {0};
    err *e = remote_is_volume(path) ? expand_volume(c, path, suffix, &found)
             : remote_is(path)      ? expand_remote(c, path, suffix, &found)
                                    : expand(c, path, suffix, &found);
    for (size_t i = 0; (c->only || c->names.n) && i < found.n;) {
        bool in = !c->only;
        for (size_t k = 0; k < c->n_only && !in; k++) in = str_eq(found.p[i], c->only[k]);
        if (in && c->names.n) in = glob_matches(c->names, name_in(found.p[i]));
        if (in) {
            i++;
            continue;
        }
        memmove(&found.p[i], &found.p[i + 1], (found.n - i - 1) * sizeof(*found.p));
        found.n--;
    }
    if (!e && !found.n) e = sql_error("PATH_NOT_FOUND", NULL, STR_NONE, "path", arena_strndup(c->a, url.p, url.n), NULL);
    *ret = arena_array_of(c->a, str, found.n + 1);
    if (found.n) memcpy(*ret, found.p, found.n * sizeof(str));
    *ret_n = found.n;
    vec_free(&found);
    return e;
}

/* Values of folders a=b on the way to a file. */
struct delta_map scan_folder_values(arena *a, str path) {
    struct delta_map m = {0};
    str part;
    while (str_split(&path, '/', &part)) {
        ptrdiff_t eq = str_chr(part, '=', 0);
        if (eq <= 0 || !path.n) continue;
        buf k = {0}, v = {0};
        (void)enc_unpercent(&k, str_cut(part, (size_t)eq), false);
        (void)enc_unpercent(&v, str_from(part, (size_t)eq + 1), false);
        bool null = str_eqz(buf_view(&v), DELTA_NULL_FOLDER);
        delta_map_set(a, &m, arena_str(a, buf_view(&k)), arena_str(a, buf_view(&v)), null);
        buf_free(&k), buf_free(&v);
    }
    return m;
}

static bool all_numbers(const struct delta_map *maps, size_t n, str key) {
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        str s = delta_map_get(&maps[i], key);
        if (s.n && (!str_to_i64(s, &v) || v > INT32_MAX || v < INT32_MIN)) return false;
    }
    return true;
}

static void made_up_log(struct scan_ctx *c, const struct footer *foot, const str *files, size_t n, buf *out) {
    struct delta_map *values = arena_array_of(c->a, struct delta_map, n + 1);
    for (size_t i = 0; i < n; i++) values[i] = scan_folder_values(c->a, files[i]);
    struct sql_field *f = arena_array_of(c->a, struct sql_field, foot->root.n + values[0].n + 1);
    size_t k = 0;
    for (size_t i = 0; i < foot->root.n; i++)
        f[k++] = (struct sql_field){.name = foot->root.child[i].name, .type = scan_type_of_node(c->a, &foot->root.child[i]), .nullable = true};
    struct delta_action meta = {.kind = DELTA_METADATA}, proto = {.kind = DELTA_PROTOCOL};
    meta.metadata.id = STR("files"), meta.metadata.created_ms = -1;
    meta.metadata.partitions = arena_array_of(c->a, str, values[0].n + 1);
    for (size_t i = 0; i < values[0].n; i++) {
        str key = values[0].p[i].key;
        bool in_file = false;
        for (size_t j = 0; j < foot->root.n; j++) in_file |= str_ieq(foot->root.child[j].name, key);
        if (in_file) continue;
        f[k++] = (struct sql_field){.name = key, .type = sql_type_of(all_numbers(values, n, key) ? TY_INT : TY_STRING), .nullable = true};
        meta.metadata.partitions[meta.metadata.n_partitions++] = key;
    }
    struct sql_type all = {.kind = TY_STRUCT, .fields = f, .n = k};
    buf schema = {0};
    sql_type_write_json(&all, &schema);
    meta.metadata.schema = buf_view(&schema);
    proto.protocol.reader = 1, proto.protocol.writer = 2;
    delta_action_line(c->a, &proto, out);
    delta_action_line(c->a, &meta, out);
    buf_free(&schema);
    for (size_t i = 0; i < n; i++) {
        struct delta_action add = {.kind = DELTA_ADD};
        struct stat st = {0};
        (void)stat(files[i].p, &st);
        add.file = (struct delta_file){.path = delta_encode_path(c->a, files[i]), .partition = values[i], .size = st.st_size,
                                       .mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000, .data_change = true, .base_row_id = -1,
                                       .default_commit_version = -1};
        delta_action_line(c->a, &add, out);
    }
}

/* Files of a local folder by the URL that people know. */
static void name_by_root(struct scan_table *t, str file) {
    for (size_t i = 0; i < t->ctx->n_roots; i++) {
        const struct scan_root *r = &t->ctx->roots[i];
        if (r->url.n && str_starts(file, r->path) && file.n > r->path.n && file.p[r->path.n] == '/') t->path = r->path, t->url = r->url;
    }
}

static void drop_snapshot(void *p) { delta_snapshot_drop(p); }

err *scan_parquet_files(struct scan_ctx *c, str url, struct scan_table **ret) {
    str *files;
    size_t n;
    const struct footer *foot;
    TRY(scan_list(c, url, ".parquet", &files, &n));
    TRY(scan_footer_again(c, files[0], &foot));
    struct scan_table *t = arena_new_of(c->a, struct scan_table);
    *t = (struct scan_table){.ctx = c, .path = STR("/"), .url = STR("file:///"), .format = STR("parquet")};
    name_by_root(t, files[0]);
    if (remote_is(files[0])) t->path = remote_path(c->a, STR("s3://")), t->url = STR("s3:/");
    if (remote_is_file(files[0])) t->path = str_cut(files[0], remote_file_prefix()), t->url = STR("dbfs:");
    buf log = {0};
    made_up_log(c, foot, files, n, &log);
    err *e = delta_snapshot_of_text(buf_view(&log), &t->snap);
    buf_free(&log);
    if (e) return e;
    arena_on_free(c->a, drop_snapshot, t->snap);
    TRY(scan_set_columns(t));
    *ret = t;
    return NULL;
}

err *scan_allow(struct scan_ctx *c, const struct sql_env *e, str url) {
    if (!c->allow) return NULL;
    c->rights = e->catalog;
    err *why = c->allow(c->arg, url, false);
    c->rights = STR_NONE;
    return why;
}

err *scan_direct(struct scan_ctx *c, struct sql_env *e, const struct ast *from, struct sql_relation **ret) {
    const struct ast *name = ast_get(from, SLOT_NAME);
    if (!ast_is(name, AST_NAME) || name->n != 2) return err_new(ERR_INTERNAL_ERROR, "a direct path has no format");
    str format = name->child[0]->text, url = name->child[1]->text;
    struct scan_table *t;
    TRY(scan_allow(c, e, url));
    if (str_ieq(format, STR("delta"))) {
        struct scan_at at;
        str path;
        TRY(scan_at_of(c, e, from, &at));
        TRY(scan_path(c, url, &path));
        TRY(scan_table_open(c, path, url, at, -1, &t));
    } else if (str_ieq(format, STR("parquet"))) {
        TRY(scan_parquet_files(c, url, &t));
    } else {
        static const struct delta_pair plain = {.key = {"inferSchema", 11}, .value = {"false", 5}}; /* as Spark has it without read_files() */
        TRY(scan_text_files(c, format, url, NULL, &plain, 1, &t));
    }
    *ret = scan_relation(t);
    (*ret)->name = url;
    return NULL;
}
