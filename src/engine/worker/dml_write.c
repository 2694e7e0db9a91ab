/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files from a SELECT: DuckDB's COPY writes Parquet and returns each file's statistics, which become the log's.
 *
 * Without partitions there is one file, named at once. With partitions COPY fills a folder of its own ("_bh_tmp-…", which
 * everybody ignores because of the underscore); then each file is moved to where the partition's folder is. Files are synced before
 * they are committed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta/partition.h"
#include "delta/stats.h"
#include "engine/worker/dml_int.h"
#include "engine/worker/rowfile.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/rand.h"

/* ---- what COPY returns ---- */

static str text_at(arena *a, duckdb_vector v, idx_t i) {
    uint64_t *valid = duckdb_vector_get_validity(v);
    if (valid && !duckdb_validity_row_is_valid(valid, i)) return STR_NONE;
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(v) + i;
    return arena_str(a, str_n(duckdb_string_t_data(s), duckdb_string_t_length(*s)));
}

/* "a"."b""c" → a\0b"c */
static str leaf_path(arena *a, str quoted) {
    buf b = {0};
    bool in = false;
    for (size_t i = 0; i < quoted.n; i++) {
        char c = quoted.p[i];
        if (c != '"') {
            if (in || c != '.')
                buf_c(&b, c);
            else
                buf_c(&b, '\0');
        } else if (in && i + 1 < quoted.n && quoted.p[i + 1] == '"') {
            buf_c(&b, '"'), i++;
        } else {
            in = !in;
        }
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static void read_leaf(arena *a, duckdb_vector map, idx_t row, struct dml_leaf *leaf) {
    duckdb_list_entry e = ((duckdb_list_entry *)duckdb_vector_get_data(map))[row];
    duckdb_vector kv = duckdb_list_vector_get_child(map);
    duckdb_vector k = duckdb_struct_vector_get_child(kv, 0), v = duckdb_struct_vector_get_child(kv, 1);
    leaf->nulls = -1;
    for (idx_t i = e.offset; i < e.offset + e.length; i++) {
        str key = text_at(a, k, i), value = text_at(a, v, i);
        if (str_eqz(key, "min")) leaf->min = value;
        if (str_eqz(key, "max")) leaf->max = value;
        if (str_eqz(key, "has_nan")) leaf->nan = str_eqz(value, "true");
        if (str_eqz(key, "null_count") && value.p) (void)str_to_i64(value, &leaf->nulls);
    }
}

static void read_file_row(arena *a, duckdb_data_chunk chunk, idx_t row, size_t n_parts, struct dml_out_file *f) {
    f->path = text_at(a, duckdb_data_chunk_get_vector(chunk, 0), row);
    f->rows = (int64_t)((uint64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1)))[row];
    f->size = (int64_t)((uint64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2)))[row];
    duckdb_vector stats = duckdb_data_chunk_get_vector(chunk, 4);
    duckdb_list_entry e = ((duckdb_list_entry *)duckdb_vector_get_data(stats))[row];
    duckdb_vector kv = duckdb_list_vector_get_child(stats);
    duckdb_vector k = duckdb_struct_vector_get_child(kv, 0), v = duckdb_struct_vector_get_child(kv, 1);
    f->leaves = arena_array_of(a, struct dml_leaf, e.length + 1);
    for (idx_t i = e.offset; i < e.offset + e.length; i++) {
        struct dml_leaf *leaf = &f->leaves[f->n++];
        leaf->path = leaf_path(a, text_at(a, k, i));
        read_leaf(a, v, i, leaf);
    }
    f->keys = arena_array_of(a, str, n_parts + 1);
    if (!n_parts) return;
    duckdb_vector keys = duckdb_data_chunk_get_vector(chunk, 5);
    e = ((duckdb_list_entry *)duckdb_vector_get_data(keys))[row];
    kv = duckdb_list_vector_get_child(keys);
    k = duckdb_struct_vector_get_child(kv, 0), v = duckdb_struct_vector_get_child(kv, 1);
    for (idx_t i = e.offset; i < e.offset + e.length; i++) {
        str key = text_at(a, k, i);
        int64_t at;
        if (str_starts(key, STR("_bh_p")) && str_to_i64(str_from(key, 5), &at) && at >= 0 && (size_t)at < n_parts) f->keys[at] = text_at(a, v, i);
    }
}

typedef vec_of(struct dml_out_file) file_list;

static err *run_copy(struct dml_x *x, str sql, size_t n_parts, file_list *ret) {
    duckdb_result r;
    char *z = dml_z(x, sql);
    if (duckdb_query(x->d->con, z, &r) != DuckDBSuccess) {
        const char *why = duckdb_result_error(&r);
        err *e = sql_error_of_duckdb(why ? why : "no error text");
        duckdb_destroy_result(&r);
        return e;
    }
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(r)); duckdb_destroy_data_chunk(&chunk))
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
            struct dml_out_file f = {0};
            read_file_row(x->a, chunk, i, n_parts, &f);
            vec_push(ret, f);
        }
    duckdb_destroy_result(&r);
    return NULL;
}

/* ---- the COPY ---- */

/* Years have four digits, or a sign: before year 0 and after 9999. */
static void year_text(str r, const char *rest, buf *out) {
    buf_fmt(out, "CASE WHEN year(%.*s) BETWEEN 1 AND 9999 THEN strftime(%.*s, '%%Y%s') ELSE if(year(%.*s) = 0, '0000', printf('%%+05d', year(%.*s))) || strftime(%.*s, '%s') END",
            STR_ARG(r), STR_ARG(r), rest, STR_ARG(r), STR_ARG(r), STR_ARG(r), rest);
}

void dml_partition_text(const struct sql_type *t, str ref, buf *out) {
    buf utc = {0};
    switch (t->kind) {
    case TY_BINARY: buf_fmt(out, "decode(%.*s)", STR_ARG(ref)); return;
    case TY_DATE: year_text(ref, "-%m-%d", out); return;
    case TY_TIMESTAMP:
        buf_fmt(&utc, "timezone('UTC', %.*s)", STR_ARG(ref));
        year_text(buf_view(&utc), "-%m-%dT%H:%M:%S.%fZ", out);
        buf_free(&utc);
        return;
    case TY_TIMESTAMP_NTZ: year_text(ref, "-%m-%d %H:%M:%S.%f", out); return;
    case TY_FLOAT:
    case TY_DOUBLE:
        buf_fmt(out, "CASE WHEN isnan(%.*s) THEN 'NaN' WHEN isinf(%.*s) AND %.*s > 0 THEN 'Infinity' WHEN isinf(%.*s) THEN '-Infinity' ELSE "
                "CAST(%.*s AS VARCHAR) END", STR_ARG(ref), STR_ARG(ref), STR_ARG(ref), STR_ARG(ref), STR_ARG(ref));
        return;
    case TY_DECIMAL:
        buf_fmt(out, t->precision == t->scale ? "regexp_replace(CAST(%.*s AS VARCHAR), '^(-?)[.]', '\\10.')" : "CAST(%.*s AS VARCHAR)", STR_ARG(ref));
        return;
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: buf_fmt(out, "nullif(%.*s, '')", STR_ARG(ref)); return;
    default: buf_fmt(out, "CAST(%.*s AS VARCHAR)", STR_ARG(ref)); return;
    }
}

static bool field_ids(struct dml_x *x, const struct sql_field *fields, size_t n, bool top, bool any, buf *out);

/* Ids of the structs inside arrays and maps, under the names that DuckDB gives the parts. False: there are none. */
static bool part_ids(struct dml_x *x, const struct sql_type *t, const char *part, bool any, buf *out) {
    buf inner = {0};
    bool has = false;
    if (t->kind == TY_STRUCT) has = field_ids(x, t->fields, t->n, false, false, &inner);
    if (t->kind == TY_ARRAY) has = part_ids(x, t->elem, "element", false, &inner);
    if (t->kind == TY_MAP) {
        has = part_ids(x, t->key, "key", false, &inner);
        has |= part_ids(x, t->elem, "value", has, &inner);
    }
    if (has) buf_fmt(out, "%s%s: {%.*s}", any ? ", " : "", part, STR_ARG(buf_view(&inner)));
    buf_free(&inner);
    return has;
}

/* DuckDB's FIELD_IDS without the braces around; `any`: something stands before. */
static bool field_ids(struct dml_x *x, const struct sql_field *fields, size_t n, bool top, bool any, buf *out) {
    for (size_t i = 0; i < n; i++) {
        const struct sql_type *t = fields[i].type;
        int32_t id = scan_field_id(x->a, &fields[i]);
        if (id < 0 || (top && dml_is_partition(x->metadata, fields[i].name)) || t->kind == TY_VOID) continue;
        if (any) buf_z(out, ", ");
        any = true;
        scan_quote_ident(scan_physical(x->a, &fields[i]), out);
        if (t->kind != TY_STRUCT && t->kind != TY_ARRAY && t->kind != TY_MAP) {
            buf_fmt(out, ": %d", id);
            continue;
        }
        buf_fmt(out, ": {__duckdb_field_id: %d", id);
        if (t->kind == TY_STRUCT) (void)field_ids(x, t->fields, t->n, false, true, out);
        if (t->kind == TY_ARRAY) (void)part_ids(x, t->elem, "element", true, out);
        if (t->kind == TY_MAP) (void)part_ids(x, t->key, "key", true, out), (void)part_ids(x, t->elem, "value", true, out);
        buf_c(out, '}');
    }
    return any;
}

static const char *codec(struct dml_x *x) {
    static const char *const known[] = {"zstd", "snappy", "gzip", "lz4_raw", "brotli", "uncompressed"};
    str s = delta_map_get(&x->metadata->config, STR("delta.parquet.compression.codec"));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_ieq(s, str_of(known[i]))) return known[i];
    if (str_ieq(s, STR("lz4"))) return "lz4_raw"; /* the framing that it once had is written by nobody any more */
    if (str_ieq(s, STR("none"))) return "uncompressed";
    return "zstd";
}

/* The select list: data columns under physical names, then partition values as text. */
static size_t copy_select(struct dml_x *x, const struct dml_write *w, buf *out) {
    bool mapped = !str_eqz(delta_mapping_mode(x->metadata), "none");
    struct scan_conv v = {.a = x->a, .mapped = mapped};
    size_t n = 0;
    buf_z(out, "SELECT ");
    for (size_t i = 0; i < x->n; i++) {
        const struct sql_field *f = &x->cols[i];
        if (dml_is_partition(x->metadata, f->name) || f->type->kind == TY_VOID) continue;
        buf ref = {0};
        scan_quote_ident(f->name, &ref);
        if (n++) buf_z(out, ", ");
        scan_unconvert(&v, dml_take(x, &ref), f->type, out);
        buf_z(out, " AS ");
        scan_quote_ident(mapped ? scan_physical(x->a, f) : f->name, out);
    }
    if (w->cdc) buf_z(out, n++ ? ", \"_change_type\"" : "\"_change_type\"");
    if (w->row_ids) {
        buf_z(out, n ? ", \"_bh_row_id\" AS " : "\"_bh_row_id\" AS ");
        scan_quote_ident(delta_map_get(&x->metadata->config, STR("delta.rowTracking.materializedRowIdColumnName")), out);
        buf_z(out, ", \"_bh_row_version\" AS ");
        scan_quote_ident(delta_map_get(&x->metadata->config, STR("delta.rowTracking.materializedRowCommitVersionColumnName")), out);
        n += 2;
    }
    for (size_t k = 0; k < x->metadata->n_partitions; k++) {
        ptrdiff_t i = dml_column(x->cols, x->n, x->metadata->partitions[k]);
        buf ref = {0};
        scan_quote_ident(x->metadata->partitions[k], &ref);
        if (n++) buf_z(out, ", ");
        dml_partition_text(i >= 0 ? x->cols[i].type : sql_type_of(TY_STRING), dml_take(x, &ref), out);
        buf_fmt(out, " AS _bh_p%zu", k);
    }
    buf_fmt(out, " FROM (%.*s) w", STR_ARG(w->text));
    if (w->order.n) buf_fmt(out, " ORDER BY %.*s", STR_ARG(w->order));
    return n;
}

static void remember(struct dml_x *x, const char *path) {
    char *copy = strdup(path);
    must(copy);
    vec_push(&x->written, copy);
}

/* Into its place; the action for the log. */
static err *place(struct dml_x *x, const struct dml_write *w, struct dml_out_file *f, size_t number, const char *uuid, bool move) {
    const struct delta_metadata *m = x->metadata;
    struct delta_map values = {0};
    bool mapped = !str_eqz(delta_mapping_mode(m), "none");
    for (size_t k = 0; k < m->n_partitions; k++) {
        ptrdiff_t i = dml_column(x->cols, x->n, m->partitions[k]);
        str name = mapped && i >= 0 ? scan_physical(x->a, &x->cols[i]) : m->partitions[k];
        bool null = !f->keys[k].p || !f->keys[k].n || str_eqz(f->keys[k], DELTA_NULL_FOLDER);
        delta_map_set(x->a, &values, name, null ? STR_NONE : f->keys[k], null);
    }
    str folder = mapped ? STR("") : delta_partition_folder(x->a, &values);
    str rel = str_of(arena_printf(x->a, "%s%.*s%s-%05zu-%s.c000%s%s.parquet", w->cdc ? "_change_data/" : "", STR_ARG(folder), w->cdc ? "cdc" : "part",
                                  number, uuid, f->plain ? "" : ".", f->plain ? "" : codec(x)));
    const char *path = arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(rel));
    if (move) {
        const char *from = dml_z(x, f->path);
        TRY(files_mkdirs(arena_printf(x->a, "%.*s/%s%.*s", STR_ARG(x->path), w->cdc ? "_change_data/" : "", STR_ARG(folder)), 0755));
        if (rename(from, path)) return err_errno("%s", path);
    }
    remember(x, path);
    TRY(dml_settle(x, rel, f->size));
    struct delta_action *add = dml_action(x, w->cdc ? DELTA_CDC : DELTA_ADD);
    add->file.path = delta_encode_path(x->a, rel);
    add->file.partition = values;
    add->file.size = f->size;
    add->file.mtime_ms = clock_now() / 1000;
    add->file.data_change = w->cdc ? false : w->data_change;
    if (!w->cdc) add->file.stats = dml_stats_text(x, f);
    if (w->cdc) {
        x->cdc_files++;
    } else {
        x->files_written++;
        x->bytes_written += f->size;
        x->rows_written += f->rows;
    }
    return NULL;
}

/* ---- a few rows ---- */

#define FEW_FILES 16

/* The next group of rows with equal partition values (in the last columns), taken out of `left`. */
static size_t next_group(arena *a, duckdb_data_chunk chunk, size_t n_cols, size_t n_parts, idx_t *left, size_t *n_left, idx_t *rows, str *keys) {
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < *n_left; i++) {
        bool same = true;
        for (size_t k = 0; k < n_parts && same; k++) {
            str v = text_at(a, duckdb_data_chunk_get_vector(chunk, n_cols + k), left[i]);
            if (!n) keys[k] = v;
            else same = (!v.p && !keys[k].p) || (v.p && keys[k].p && str_eq(v, keys[k]));
        }
        if (same) rows[n++] = left[i];
        else left[kept++] = left[i];
    }
    *n_left = kept;
    return n;
}

static err *few_file(struct dml_x *x, const struct dml_write *w, struct rowfile_column *cols, size_t n, const idx_t *rows, size_t n_rows,
                     const str *keys, size_t number, const char *uuid) {
    size_t n_parts = x->metadata->n_partitions;
    buf bytes = {0};
    rowfile_encode(x->a, cols, n, rows, n_rows, &bytes);
    const char *path = arena_printf(x->a, "%.*s/_bh_tmp-%s-%zu", STR_ARG(x->path), uuid, number);
    struct dml_out_file f = {.path = str_of(path), .rows = (int64_t)n_rows, .size = (int64_t)bytes.n, .n = n, .plain = true};
    f.keys = arena_array_of(x->a, str, n_parts + 1);
    if (n_parts) memcpy(f.keys, keys, n_parts * sizeof(*keys));
    f.leaves = arena_array_of(x->a, struct dml_leaf, n + 1);
    for (size_t i = 0; i < n; i++) f.leaves[i] = (struct dml_leaf){cols[i].name, cols[i].min, cols[i].max, cols[i].nulls, cols[i].nan};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    err *e = fd < 0 ? err_errno("%s", path) : files_write_fd(fd, path, bytes.p, bytes.n);
    if (fd >= 0) close(fd);
    buf_free(&bytes);
    if (!e) e = place(x, w, &f, number, uuid, true);
    if (e) unlink(path);
    return e;
}

static err *few_files(struct dml_x *x, const struct dml_write *w, struct rowfile_column *cols, size_t n, duckdb_data_chunk chunk, bool *ret_done) {
    size_t n_parts = x->metadata->n_partitions, n_left = duckdb_data_chunk_get_size(chunk), files = 0;
    idx_t *left = arena_array_of(x->a, idx_t, n_left + 1), *rows = arena_array_of(x->a, idx_t, n_left + 1);
    str *keys = arena_array_of(x->a, str, n_parts + 1);
    char uuid[37];
    rand_uuid(uuid);
    for (size_t i = 0; i < n_left; i++) left[i] = i;
    size_t first = x->actions.n, synced = x->to_sync.n;
    while (n_left) {
        size_t k = next_group(x->a, chunk, n, n_parts, left, &n_left, rows, keys);
        TRY(few_file(x, w, cols, n, rows, k, keys, files, uuid));
        if (++files > FEW_FILES && n_left) { /* so many partitions are COPY's work: begin anew */
            for (size_t i = first; i < x->actions.n; i++) x->rows_written -= delta_num_records(&x->actions.p[i].file), x->bytes_written -= x->actions.p[i].file.size;
            x->files_written -= (int64_t)files;
            x->actions.n = first;
            x->to_sync.n = synced;
            for (size_t i = 0; i < files; i++) {
                char *gone = vec_last(&x->written);
                unlink(gone);
                free(gone);
                x->written.n--;
            }
            return NULL;
        }
    }
    *ret_done = true;
    return NULL;
}

/* The statement's rows in one chunk, of types that a rowfile has: written here. Else *ret_done stays false, and nothing was done. */
static err *write_few(struct dml_x *x, const struct dml_write *w, str select, bool *ret_done) {
    duckdb_result r;
    size_t n_parts = x->metadata->n_partitions;
    if (duckdb_query(x->d->con, dml_z(x, select), &r) != DuckDBSuccess) {
        const char *why = duckdb_result_error(&r);
        err *e = sql_error_of_duckdb(why ? why : "no error text");
        duckdb_destroy_result(&r);
        return e;
    }
    size_t all = duckdb_column_count(&r), n = all - n_parts;
    struct rowfile_column *cols = arena_array_of(x->a, struct rowfile_column, n + 1);
    bool fits = all > n_parts, mapped = !str_eqz(delta_mapping_mode(x->metadata), "none");
    for (size_t i = 0; i < n && fits; i++) {
        duckdb_logical_type t = duckdb_column_logical_type(&r, i);
        fits = rowfile_type(t, &cols[i]);
        duckdb_destroy_logical_type(&t);
        cols[i].name = arena_str(x->a, str_of(duckdb_column_name(&r, i)));
        cols[i].field_id = -1;
        for (size_t k = 0; mapped && k < x->n; k++)
            if (str_eq(scan_physical(x->a, &x->cols[k]), cols[i].name)) cols[i].field_id = scan_field_id(x->a, &x->cols[k]);
    }
    duckdb_data_chunk chunk = fits ? duckdb_fetch_chunk(r) : NULL, more = chunk ? duckdb_fetch_chunk(r) : NULL;
    err *e = NULL;
    for (size_t i = 0; chunk && !more && i < n; i++) cols[i].values = duckdb_data_chunk_get_vector(chunk, i);
    if (chunk && !more) e = few_files(x, w, cols, n, chunk, ret_done);
    if (chunk) duckdb_destroy_data_chunk(&chunk);
    if (more) duckdb_destroy_data_chunk(&more);
    duckdb_destroy_result(&r);
    return e;
}

/* Columns of no type are in no file; inside of others there is no way to leave them out, but in structs that have more. */
static err *check_voids(struct dml_x *x, const struct sql_field *column, const struct sql_type *t, bool inside) {
    buf b = {0};
    size_t voids = 0;
    if (t->kind == TY_VOID && inside) {
        sql_type_write_sql(column->type, &b);
        return dml_error("DELTA_COMPLEX_TYPE_COLUMN_CONTAINS_NULL_TYPE", "columName", dml_z(x, column->name), "dataType", dml_z(x, dml_take(x, &b)), NULL);
    }
    for (size_t i = 0; t->kind == TY_STRUCT && i < t->n; i++) {
        voids += t->fields[i].type->kind == TY_VOID;
        if (t->fields[i].type->kind != TY_VOID || inside) TRY(check_voids(x, column, t->fields[i].type, inside));
    }
    if (t->kind == TY_STRUCT && voids == t->n) return sql_error("EMPTY_SCHEMA_NOT_SUPPORTED_FOR_DATASOURCE", NULL, STR_NONE, "format", "Delta", NULL);
    if (t->key) TRY(check_voids(x, column, t->key, true));
    return t->elem ? check_voids(x, column, t->elem, true) : NULL;
}

static err *check_schema(struct dml_x *x) {
    size_t voids = 0;
    for (size_t i = 0; i < x->n; i++) {
        voids += x->cols[i].type->kind == TY_VOID;
        TRY(check_voids(x, &x->cols[i], x->cols[i].type, false));
    }
    return x->n && voids == x->n ? sql_error("EMPTY_SCHEMA_NOT_SUPPORTED_FOR_DATASOURCE", NULL, STR_NONE, "format", "Delta", NULL) : NULL;
}

err *dml_write(struct dml_x *x, const struct dml_write *w) {
    TRY(check_schema(x));
    size_t n_parts = x->metadata->n_partitions;
    char uuid[37];
    rand_uuid(uuid);
    buf sql = {0}, select = {0};
    bool folder = n_parts > 0 || w->file_rows > 0;
    const char *to = folder ? arena_printf(x->a, "%.*s/_bh_tmp-%s", STR_ARG(x->path), uuid)
                            : arena_printf(x->a, "%.*s/%s-00000-%s.c000.%s.parquet", STR_ARG(x->path), w->cdc ? "_change_data/cdc" : "part", uuid, codec(x));
    (void)copy_select(x, w, &select);
    if (w->few && !w->cdc && !w->row_ids && !w->order.n) {
        bool done = false;
        err *e = write_few(x, w, buf_view(&select), &done);
        if (e || done) {
            buf_free(&select);
            return e;
        }
    }
    buf_fmt(&sql, "COPY (%.*s) TO ", STR_ARG(buf_view(&select)));
    scan_quote_text(str_of(to), &sql);
    buf_fmt(&sql, " (FORMAT parquet, COMPRESSION '%s', RETURN_STATS", codec(x));
    if (n_parts) {
        buf_z(&sql, ", PARTITION_BY (");
        for (size_t k = 0; k < n_parts; k++) buf_fmt(&sql, "%s_bh_p%zu", k ? ", " : "", k);
        buf_c(&sql, ')');
    } else if (w->file_rows) {
        buf_z(&sql, ", FILE_SIZE_BYTES '256MB'");
    }
    if (!str_eqz(delta_mapping_mode(x->metadata), "none")) {
        buf ids = {0};
        if (field_ids(x, x->cols, x->n, true, false, &ids)) buf_fmt(&sql, ", FIELD_IDS {%.*s}", STR_ARG(buf_view(&ids)));
        buf_free(&ids);
    }
    buf_c(&sql, ')');
    buf_free(&select);
    file_list files = {0};
    err *e = w->cdc ? files_mkdirs(arena_printf(x->a, "%.*s/_change_data", STR_ARG(x->path)), 0755) : NULL;
    if (!folder) remember(x, to);
    if (!e) e = run_copy(x, dml_take(x, &sql), n_parts, &files);
    buf_free(&sql);
    for (size_t i = 0; !e && i < files.n; i++) {
        /* No rows, no file. */
        if (files.p[i].rows) e = place(x, w, &files.p[i], i, uuid, folder);
        else unlink(dml_z(x, files.p[i].path));
    }
    vec_free(&files);
    if (folder) err_free(files_remove_tree(to, 1000000));
    return e;
}
