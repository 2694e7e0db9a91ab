/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CONVERT TO DELTA: a folder of Parquet files becomes a table where it lies. Nothing is copied: version 0 of the log names the
 * files, with the schema that their footers have in common, partition values from folders a=b, and statistics (which takes
 * reading the files, unless NO STATISTICS is said).
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "delta/partition.h"
#include "engine/worker/dml_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

struct convert {
    struct dml_x *x;
    str *files;                     /* paths here */
    size_t n;
    struct delta_map *values;       /* per file: of its folders */
    struct sql_field *cols;
    size_t n_cols;
    struct delta_metadata *m;
    const struct delta_file **adds; /* as the log has them */
};

static bool has_log(struct dml_x *x) {
    struct delta_fs fs = scan_fs(x->d->scan, x->path);
    struct delta_entry *e;
    size_t n = 0;
    err *why = delta_fs_list(&fs, x->a, STR("_delta_log"), STR("0"), &e, &n);
    err_free(why);
    return n > 0;
}

/* ---- the schema ---- */

static bool merge_type(arena *a, const struct sql_type *have, const struct sql_type *more, const struct sql_type **ret);

/* Fields of `more` that are not in the list come behind it. False: a field has two types. */
static bool merge_fields(arena *a, const struct sql_field *have, size_t n, const struct sql_field *more, size_t k, struct sql_field **ret, size_t *ret_n,
                         str *bad) {
    struct sql_field *f = arena_array_of(a, struct sql_field, n + k + 1);
    if (n) memcpy(f, have, n * sizeof(*f));
    for (size_t i = 0; i < k; i++) {
        ptrdiff_t at = dml_column(f, n, more[i].name);
        if (at < 0)
            f[n++] = more[i];
        else if (!merge_type(a, f[at].type, more[i].type, &f[at].type))
            return *bad = more[i].name, false;
    }
    *ret = f, *ret_n = n;
    return true;
}

static bool merge_type(arena *a, const struct sql_type *have, const struct sql_type *more, const struct sql_type **ret) {
    *ret = have;
    if (sql_type_eq(have, more)) return true;
    if (have->kind != more->kind) return false;
    struct sql_type *t = arena_new_of(a, struct sql_type);
    *t = *have;
    *ret = t;
    if (have->kind == TY_ARRAY) return merge_type(a, have->elem, more->elem, &t->elem);
    if (have->kind == TY_MAP) return merge_type(a, have->key, more->key, &t->key) && merge_type(a, have->elem, more->elem, &t->elem);
    if (have->kind != TY_STRUCT) return false;
    struct sql_field *f;
    str bad;
    if (!merge_fields(a, have->fields, have->n, more->fields, more->n, &f, &t->n, &bad)) return false;
    t->fields = f;
    return true;
}

static err *merge_schemas(struct convert *c) {
    arena *a = c->x->a;
    const struct footer *last = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct footer *foot;
        TRY(scan_footer_again(c->x->d->scan, c->files[i], &foot));
        if (foot == last) continue;
        last = foot;
        struct sql_field *f = arena_array_of(a, struct sql_field, foot->root.n + 1);
        str bad = STR_NONE;
        for (size_t k = 0; k < foot->root.n; k++)
            f[k] = (struct sql_field){.name = foot->root.child[k].name, .type = scan_type_of_node(a, &foot->root.child[k]), .nullable = true};
        if (!merge_fields(a, c->cols, c->n_cols, f, foot->root.n, &c->cols, &c->n_cols, &bad))
            return dml_error("DELTA_FAILED_MERGE_SCHEMA_FILE", "file", dml_z(c->x, c->files[i]), "column", dml_z(c->x, bad), NULL);
    }
    return NULL;
}

/* ---- partitions ---- */

static str list_of(struct dml_x *x, const str *names, size_t n) {
    buf b = {0};
    buf_c(&b, '[');
    for (size_t i = 0; i < n; i++) buf_fmt(&b, "%s`%.*s`", i ? ", " : "", STR_ARG(names[i]));
    buf_c(&b, ']');
    return dml_take(x, &b);
}

static err *check_folders(struct convert *c) {
    const struct delta_metadata *m = c->m;
    for (size_t i = 0; i < c->n; i++) {
        str names[64];
        size_t k = c->values[i].n < 64 ? c->values[i].n : 64;
        for (size_t j = 0; j < k; j++) names[j] = c->values[i].p[j].key;
        const char *path = dml_z(c->x, c->files[i]);
        if (c->values[i].n != m->n_partitions)
            return dml_error("DELTA_UNEXPECTED_NUM_PARTITION_COLUMNS_FROM_FILE_NAME", "expectedCols", dml_z(c->x, list_of(c->x, m->partitions, m->n_partitions)),
                             "parsedCols", dml_z(c->x, list_of(c->x, names, k)), "path", path, NULL);
        for (size_t j = 0; j < k; j++)
            if (!str_ieq(names[j], m->partitions[j]))
                return dml_error("DELTA_UNEXPECTED_PARTITION_COLUMN_FROM_FILE_NAME", "expectedCol", dml_z(c->x, m->partitions[j]), "parsedCol",
                                 dml_z(c->x, names[j]), "path", path, NULL);
    }
    return NULL;
}

/* The texts of folders as the log writes values of the column's type: "007" of an INT becomes "7". */
static err *values_of(struct convert *c, size_t k, const struct sql_type *type) {
    struct dml_x *x = c->x;
    buf q = {0};
    map *known = map_new();
    size_t n = 0;
    buf cast = {0}, text = {0};
    if (sql_is_text(type) || type->kind == TY_BINARY)
        buf_z(&text, "v");
    else
        buf_z(&cast, "TRY_CAST(v AS "), sql_type_write_duckdb(type, &cast), buf_c(&cast, ')'), dml_partition_text(type, buf_view(&cast), &text);
    buf_fmt(&q, "SELECT v, %.*s FROM (VALUES ", STR_ARG(buf_view(&text)));
    for (size_t i = 0; i < c->n; i++) {
        const struct delta_pair *p = &c->values[i].p[k];
        if (p->null || map_get(known, p->value)) continue;
        map_put(known, p->value, c);
        buf_z(&q, n++ ? ", (" : "(");
        scan_quote_text(p->value, &q);
        buf_c(&q, ')');
    }
    buf_z(&q, ") t(v)");
    map_free(known);
    buf_free(&cast), buf_free(&text);
    struct scan_rows rows = {0};
    err *e = n ? scan_query(x->d->con, x->a, buf_view(&q), &rows) : NULL;
    buf_free(&q);
    if (e) return e;
    map *made = map_new();
    for (size_t r = 0; r < rows.rows; r++) map_put(made, rows.cell[r * 2], &rows.cell[r * 2 + 1]);
    for (size_t i = 0; !e && i < c->n; i++) {
        struct delta_pair *p = &c->values[i].p[k];
        const str *to = p->null ? NULL : map_get(made, p->value);
        p->key = c->m->partitions[k];
        if (!to) continue;
        buf name = {0};
        sql_type_write_sql(type, &name);
        if (!to->p)
            e = dml_error("DELTA_FAILED_CAST_PARTITION_VALUE", "value", dml_z(x, p->value), "dataType", dml_z(x, dml_take(x, &name)), NULL);
        else
            p->value = *to;
        buf_free(&name);
    }
    map_free(made);
    return e;
}

static err *partitions(struct convert *c, const struct ast *list) {
    struct dml_x *x = c->x;
    c->m->partitions = arena_array_of(x->a, str, (list ? list->n : 0) + 1);
    struct sql_field *all = arena_array_of(x->a, struct sql_field, c->n_cols + (list ? list->n : 0) + 1);
    if (c->n_cols) memcpy(all, c->cols, c->n_cols * sizeof(*all));
    c->cols = all;
    for (uint32_t i = 0; list && i < list->n; i++) {
        struct sql_field f;
        TRY(dml_column_of(x, list->child[i], &f));
        ptrdiff_t at = dml_column(all, c->n_cols, f.name);
        if (at < 0)
            all[c->n_cols++] = f;
        else
            all[at].type = f.type;
        c->m->partitions[c->m->n_partitions++] = f.name;
    }
    if (c->m->n_partitions && c->m->n_partitions == c->n_cols) return dml_error("ALL_PARTITION_COLUMNS_NOT_ALLOWED", NULL);
    TRY(check_folders(c));
    for (size_t k = 0; k < c->m->n_partitions; k++) {
        ptrdiff_t at = dml_column(all, c->n_cols, c->m->partitions[k]);
        TRY(values_of(c, k, all[at].type));
    }
    return NULL;
}

/* ---- the log ---- */

static void add_files(struct convert *c) {
    struct dml_x *x = c->x;
    c->adds = arena_array_of(x->a, const struct delta_file *, c->n + 1);
    for (size_t i = 0; i < c->n; i++) {
        struct stat st = {0};
        (void)stat(dml_z(x, c->files[i]), &st);
        struct delta_file *f = arena_new_of(x->a, struct delta_file);
        *f = (struct delta_file){.path = delta_encode_path(x->a, str_from(c->files[i], x->path.n + 1)), .partition = c->values[i], .size = st.st_size,
                                 .mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000, .data_change = true, .base_row_id = -1,
                                 .default_commit_version = -1, .deletion_ms = -1};
        f->dv.offset = -1;
        c->adds[i] = f;
    }
}

static void drop_snapshot(void *p) { delta_snapshot_drop(p); }

/* Statistics by reading the files through a table that is made up of the actions to come. */
static err *statistics(struct convert *c) {
    struct dml_x *x = c->x;
    buf log = {0};
    struct delta_action proto = {.kind = DELTA_PROTOCOL}, meta = {.kind = DELTA_METADATA};
    proto.protocol = *x->protocol;
    meta.metadata = *x->metadata;
    delta_action_line(x->a, &proto, &log);
    delta_action_line(x->a, &meta, &log);
    struct scan_table *t = arena_new_of(x->a, struct scan_table);
    *t = (struct scan_table){.ctx = x->d->scan, .path = x->path, .url = x->url, .format = STR("delta")};
    err *e = delta_snapshot_of_text(buf_view(&log), &t->snap);
    buf_free(&log);
    if (e) return e;
    arena_on_free(x->a, drop_snapshot, t->snap);
    TRY(scan_set_columns(t));
    struct dml_out_file *told = arena_array_of(x->a, struct dml_out_file, c->n + 1);
    TRY(dml_stats_read(x, t, c->adds, c->n, true, told));
    for (size_t i = 0; i < c->n; i++) ((struct delta_file *)(uintptr_t)c->adds[i])->stats = dml_stats_text(x, &told[i]);
    return NULL;
}

static void parameters(struct convert *c, bool stats) {
    struct dml_x *x = c->x;
    buf p = {0}, parts = {0};
    buf_c(&parts, '[');
    for (size_t i = 0; i < c->m->n_partitions; i++) {
        if (i) buf_c(&parts, ',');
        buf_json_str(&parts, c->m->partitions[i]);
    }
    buf_c(&parts, ']');
    buf_fmt(&p, "{\"numFiles\":\"%zu\",\"partitionedBy\":", c->n);
    buf_json_str(&p, buf_view(&parts));
    buf_fmt(&p, ",\"collectStats\":\"%s\",\"sourceFormat\":\"parquet\"}", stats ? "true" : "false");
    buf_free(&parts);
    x->parameters = dml_take(x, &p);
}

static err *convert(struct dml_x *x, const struct ast *s) {
    struct convert c = {.x = x};
    err *none = scan_list(x->d->scan, x->url, "", &c.files, &c.n);
    if (none) {
        err_free(none);
        return dml_error("DELTA_EMPTY_DIRECTORY", "directory", dml_z(x, x->url), NULL);
    }
    c.values = arena_array_of(x->a, struct delta_map, c.n + 1);
    for (size_t i = 0; i < c.n; i++) c.values[i] = scan_folder_values(x->a, str_from(c.files[i], x->path.n));
    struct delta_protocol *p = arena_new_of(x->a, struct delta_protocol);
    *p = (struct delta_protocol){.reader = 1, .writer = 2};
    x->protocol = p;
    c.m = dml_change_metadata(x);
    char *id = arena_alloc(x->a, 37);
    rand_uuid(id);
    c.m->id = str_of(id), c.m->provider = STR("parquet"), c.m->created_ms = clock_now() / 1000;
    TRY(merge_schemas(&c));
    TRY(partitions(&c, ast_get(s, SLOT_PARTITION)));
    TRY(dml_set_schema(x, c.cols, c.n_cols));
    TRY(dml_set_features(x));
    add_files(&c);
    bool stats = !ast_has(s, AST_F_FIRST);
    if (stats) TRY(statistics(&c));
    for (size_t i = 0; i < c.n; i++) dml_action(x, DELTA_ADD)->file = *c.adds[i];
    x->protocol_changed = true;
    parameters(&c, stats);
    dml_metric(x, "numConvertedFiles", (int64_t)c.n);
    return dml_commit(x);
}

err *dml_convert(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    const struct ast *name = ast_get(s, SLOT_NAME);
    dml_begin_commit(x, "CONVERT");
    (void)ret;
    bool path = ast_is(name, AST_NAME) && name->n == 2 && str_chr(name->child[1]->text, '/', 0) >= 0;
    if (!path) {
        /* The catalog has no tables of bare Parquet files: what it has is Delta, or cannot be converted. */
        TRY(dml_open_target(x, name, "modify"));
        return NULL;
    }
    str format = name->child[0]->text;
    if (!str_ieq(format, STR("parquet")) && !str_ieq(format, STR("delta")))
        return dml_error("DELTA_CONVERT_NON_PARQUET_TABLE", "tableName", dml_z(x, format), NULL);
    x->url = x->full_name = name->child[1]->text;
    if (x->d->scan->allow) TRY(x->d->scan->allow(x->d->scan->arg, x->url, true));
    TRY(scan_path(x->d->scan, x->url, &x->path));
    /* Already a table: nothing is to be done. */
    return has_log(x) ? NULL : convert(x, s);
}
