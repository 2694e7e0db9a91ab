/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UPDATE and DELETE, and how rows leave files.
 *
 * A temporary table M says what happens: _bh_file, _bh_row, _bh_action ('u' goes and comes back changed, 'd' goes, 'i' comes), then
 * the table's columns with the new values; with a change feed also the old ones (_bh_old_<n>).
 *   deletion vectors on   the vector of each touched file grows; a file whose every row is gone is removed
 *   off                   the rows that stay are written anew, the file is removed
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/map.h"

#include "delta/dv.h"
#include "delta/partition.h"
#include "delta/stats.h"
#include "engine/worker/dml_int.h"
#include "sys/files.h"
#include "sys/clock.h"
#include "sys/rand.h"

str dml_temp_name(struct dml_x *x) {
    char id[17];
    rand_hex(id, 8);
    x->temps = true;
    return str_of(arena_printf(x->a, "_bh_t_%s", id));
}

/* ---- rows out of files ---- */

struct touched {
    const struct delta_file *f;
    str path;
    int64_t rows;               /* that go */
};

bool dml_vectors_on(struct dml_x *x) {
    return str_ieq(delta_map_get(&x->metadata->config, STR("delta.enableDeletionVectors")), STR("true")) &&
           delta_has_feature(x->protocol, "deletionVectors");
}

/* The live files by their path here. */
static err *find_touched(struct dml_x *x, str table, struct touched **ret, size_t *ret_n) {
    buf q = {0};
    buf_fmt(&q, "SELECT _bh_file, CAST(count(DISTINCT _bh_row) AS VARCHAR) FROM %.*s WHERE _bh_action <> 'i' GROUP BY 1 ORDER BY 1", STR_ARG(table));
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
    map *by_path = map_new();
    err *e = NULL;
    for (size_t i = 0; !e && i < x->t->snap->n_files; i++) {
        str path;
        e = scan_file_path(x->t, x->t->snap->files[i]->path, &path);
        if (!e) map_put(by_path, path, (void *)(uintptr_t)x->t->snap->files[i]);
    }
    *ret = arena_array_of(x->a, struct touched, rows.rows + 1);
    *ret_n = 0;
    for (size_t i = 0; !e && i < rows.rows; i++) {
        struct touched *t = &(*ret)[(*ret_n)++];
        t->path = rows.cell[i * 2];
        t->f = map_get(by_path, t->path);
        if (!t->f || !str_to_i64(rows.cell[i * 2 + 1], &t->rows))
            e = err_new(ERR_INTERNAL_ERROR, "a changed row is of a file that the table does not have");
    }
    map_free(by_path);
    return e;
}

static int64_t live_rows(const struct delta_file *f) {
    int64_t n = delta_num_records(f);
    return n < 0 ? -1 : n - (f->dv.storage ? f->dv.cardinality : 0);
}

/* The file's statistics once it has a vector: bounds may be wide. */
static str loose_stats(struct dml_x *x, const struct delta_file *f, const struct footer *foot) {
    jval *v = NULL;
    err *e = f->stats.n ? json_parse(x->a, f->stats, true, &v) : NULL;
    if (e || !v) {
        err_free(e);
        return str_of(arena_printf(x->a, "{\"numRecords\":%lld,\"tightBounds\":false}", (long long)foot->rows));
    }
    jdoc *d = json_doc(x->a);
    jmut *o = yyjson_val_mut_copy(d, v);
    yyjson_mut_obj_remove_key(o, "tightBounds");
    if (!json_get(v, "numRecords")) json_put_int(d, o, "numRecords", foot->rows);
    json_put_bool(d, o, "tightBounds", false);
    return json_text(x->a, o);
}

static err *read_gone(struct dml_x *x, str table, const struct touched *t, struct roaring64_bitmap_s *bits) {
    buf q = {0};
    buf_fmt(&q, "SELECT CAST(_bh_row AS VARCHAR) FROM %.*s WHERE _bh_action <> 'i' AND _bh_file = ", STR_ARG(table));
    scan_quote_text(t->path, &q);
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
    for (size_t i = 0; i < rows.rows; i++) {
        int64_t row;
        if (rows.cell[i].p && str_to_i64(rows.cell[i], &row)) delta_bitmap_add(bits, (uint64_t)row);
    }
    return NULL;
}

static err *grow_vector(struct dml_x *x, str table, const struct touched *t, buf *file, struct delta_dv *ret) {
    struct roaring64_bitmap_s *bits = delta_bitmap_new(), *old = NULL;
    struct delta_fs fs = scan_fs(x->d->scan, x->path);
    err *e = read_gone(x, table, t, bits);
    struct delta_dv placed;
    if (!e && t->f->dv.storage) e = scan_dv_place(x->t, &t->f->dv, &placed);
    if (!e && t->f->dv.storage) e = delta_dv_load(&fs, &placed, -1, &old);
    if (!e && old) delta_bitmap_or(bits, old);
    if (!e) delta_dv_file_add(file, bits, ret);
    delta_bitmap_free(bits), delta_bitmap_free(old);
    return e;
}

static err *by_vectors(struct dml_x *x, str table, const struct touched *all, size_t n) {
    unsigned char uuid[16];
    str dv_path, dv_file;
    buf file = {0};
    int64_t added = 0, updated = 0, removed = 0;
    rand_bytes(uuid, sizeof(uuid));
    uuid[6] = (uuid[6] & 0x0f) | 0x40, uuid[8] = (uuid[8] & 0x3f) | 0x80;
    delta_dv_name(x->a, uuid, &dv_path, &dv_file);
    err *e = NULL;
    for (size_t i = 0; !e && i < n; i++) {
        const struct delta_file *f = all[i].f;
        dml_remove(x, f);
        if (f->dv.storage) removed++;
        if (live_rows(f) >= 0 && all[i].rows >= live_rows(f)) continue;
        const struct footer *foot;
        struct delta_dv dv = {.storage = 'u', .path = dv_path};
        e = scan_footer(x->d->scan, all[i].path, &foot);
        if (!e) e = grow_vector(x, table, &all[i], &file, &dv);
        if (e) break;
        struct delta_action *add = dml_action(x, DELTA_ADD);
        add->file = *f;
        add->file.dv = dv;
        add->file.data_change = x->data_change;
        add->file.stats = loose_stats(x, f, foot);
        f->dv.storage ? updated++ : added++;
    }
    if (!e && file.n) {
        const char *path = arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(dv_file));
        char *copy = strdup(path);
        must(copy);
        vec_push(&x->written, copy);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        e = fd < 0 ? err_errno("%s", path) : files_write_fd(fd, path, file.p, file.n);
        if (fd >= 0) close(fd);
        if (!e) e = dml_settle(x, dv_file, (int64_t)file.n);
    }
    buf_free(&file);
    dml_metric(x, "numDeletionVectorsAdded", added);
    dml_metric(x, "numDeletionVectorsUpdated", updated);
    dml_metric(x, "numDeletionVectorsRemoved", removed - updated);
    return e;
}

static bool row_ids_kept(struct dml_x *x) {
    return str_ieq(delta_map_get(&x->metadata->config, STR("delta.enableRowTracking")), STR("true")) &&
           delta_map_get(&x->metadata->config, STR("delta.rowTracking.materializedRowIdColumnName")).n > 0;
}

/* Rows that stay in the touched files, under the table's names (and their ids). */
static err *survivors(struct dml_x *x, str table, const struct touched *all, size_t n, buf *out) {
    const struct delta_file **files = arena_array_of(x->a, const struct delta_file *, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (live_rows(all[i].f) < 0 || all[i].rows < live_rows(all[i].f)) files[k++] = all[i].f;
    bool ids = row_ids_kept(x);
    struct scan_files_ask ask = {.files = files, .n = k, .row_ids = true, .tracking = ids};
    /* Read as what the table will be: columns and fields that this statement adds are NULL, widened types converted. */
    struct scan_table old = *x->t;
    old.cols = x->cols, old.n = x->n;
    buf_z(out, "SELECT ");
    for (size_t i = 0; i < x->n; i++) {
        if (i) buf_z(out, ", ");
        scan_quote_ident(x->cols[i].name, out);
    }
    if (ids) buf_z(out, ", \"_bh_row_id\", \"_bh_row_version\"");
    buf_z(out, " FROM (");
    TRY(scan_emit_files(&old, &ask, out));
    buf_fmt(out, ") v WHERE NOT EXISTS (SELECT 1 FROM %.*s m WHERE m._bh_action <> 'i' AND m._bh_file = v._bh_file AND m._bh_row = v._bh_row)",
            STR_ARG(table));
    return NULL;
}

err *dml_take_rows(struct dml_x *x, str table) {
    struct touched *all;
    size_t n;
    TRY(find_touched(x, table, &all, &n));
    for (size_t i = 0; i < n; i++) vec_push(&x->files_read, all[i].f->path);
    if (dml_vectors_on(x)) return by_vectors(x, table, all, n);
    int64_t copied = x->rows_written, removed_bytes = 0;
    for (size_t i = 0; i < n; i++) dml_remove(x, all[i].f), removed_bytes += all[i].f->size;
    buf rows = {0};
    err *e = n ? survivors(x, table, all, n, &rows) : NULL;
    struct dml_write w = {.text = buf_view(&rows), .data_change = x->data_change, .row_ids = row_ids_kept(x)};
    if (!e && n) e = dml_write(x, &w);
    buf_free(&rows);
    copied = x->rows_written - copied;
    dml_metric(x, "numCopiedRows", copied);
    dml_metric(x, "numRemovedFiles", (int64_t)n);
    dml_metric(x, "numRemovedBytes", removed_bytes);
    return e;
}

/* ---- what changed, for the feed ---- */

bool dml_feed(struct dml_x *x) { return str_ieq(delta_map_get(&x->metadata->config, STR("delta.enableChangeDataFeed")), STR("true")); }

static void feed_part(struct dml_x *x, str table, const char *where, const char *type, bool old, buf *out) {
    buf_z(out, out->n ? " UNION ALL SELECT " : "SELECT ");
    for (size_t i = 0; i < x->n; i++) {
        if (old) buf_fmt(out, "_bh_old_%zu AS ", i);
        scan_quote_ident(x->cols[i].name, out);
        buf_z(out, ", ");
    }
    buf_fmt(out, "'%s' AS \"_change_type\" FROM %.*s WHERE _bh_action %s", type, STR_ARG(table), where);
}

err *dml_write_feed(struct dml_x *x, str table) {
    if (!dml_feed(x)) return NULL;
    buf q = {0};
    feed_part(x, table, "= 'u'", "update_preimage", true, &q);
    feed_part(x, table, "= 'u'", "update_postimage", false, &q);
    feed_part(x, table, "= 'd'", "delete", true, &q);
    feed_part(x, table, "= 'i'", "insert", false, &q);
    struct dml_write w = {.text = buf_view(&q), .cdc = true};
    err *e = dml_write(x, &w);
    buf_free(&q);
    return e;
}

err *dml_count(struct dml_x *x, str table, const char *where, int64_t *ret) {
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, str_of(arena_printf(x->a, "SELECT CAST(count(*) AS VARCHAR) FROM %.*s WHERE %s", STR_ARG(table), where)), &rows));
    return str_to_i64(rows.cell[0], ret) ? NULL : err_new(ERR_INTERNAL_ERROR, "a count is no number");
}

/* New rows of M ('u', with 'i' too) into files. A changed row keeps the id that it has in its old file. */
err *dml_write_changed(struct dml_x *x, str table) {
    buf q = {0};
    bool ids = row_ids_kept(x);
    buf_z(&q, "SELECT ");
    for (size_t i = 0; i < x->n; i++) {
        if (i) buf_z(&q, ", ");
        buf_z(&q, "m.");
        scan_quote_ident(x->cols[i].name, &q);
    }
    if (ids) buf_z(&q, ", r.\"_bh_row_id\", CAST(NULL AS BIGINT) AS \"_bh_row_version\"");
    buf_fmt(&q, " FROM %.*s m", STR_ARG(table));
    err *e = NULL;
    if (ids) {
        struct touched *all;
        size_t n;
        TRY(find_touched(x, table, &all, &n));
        const struct delta_file **files = arena_array_of(x->a, const struct delta_file *, n + 1);
        bool *none = arena_array_of(x->a, bool, x->n + x->t->n + 1);
        for (size_t i = 0; i < n; i++) files[i] = all[i].f;
        struct scan_files_ask ask = {.files = files, .n = n, .used = none, .row_ids = true, .tracking = true};
        buf_z(&q, " LEFT JOIN (");
        e = scan_emit_files(x->t, &ask, &q);
        buf_z(&q, ") r ON m._bh_file = r._bh_file AND m._bh_row = r._bh_row");
    }
    buf_z(&q, " WHERE m._bh_action <> 'd'");
    struct dml_write w = {.text = buf_view(&q), .data_change = x->data_change, .row_ids = ids};
    if (!e) e = dml_write(x, &w);
    buf_free(&q);
    return e;
}

/* Hidden columns of a query over the target for M: file, row, action, old values. They take places 0 … of the source. */
void dml_hidden(struct dml_x *x, const char *action, size_t first_old, struct dml_source *s) {
    buf list = {0}, names = {0};
    buf_fmt(&list, "c0 AS \"_bh_file\", c1 AS \"_bh_row\", %s AS \"_bh_action\"", action);
    buf_z(&names, "\"_bh_file\", \"_bh_row\", \"_bh_action\"");
    for (size_t i = 0; first_old && i < x->n; i++) {
        buf_fmt(&list, ", c%zu AS \"_bh_old_%zu\"", first_old + i, i);
        buf_fmt(&names, ", \"_bh_old_%zu\"", i);
    }
    s->hidden = dml_take(x, &list);
    s->hidden_names = dml_take(x, &names);
}

/* ---- SET ---- */

static struct ast *call(struct dml_x *x, const char *name, struct ast *const *args, size_t n) {
    struct ast *c = ast_new(x->a, AST_CALL, 0, 0);
    str part = str_of(name);
    ast_set(x->a, c, SLOT_NAME, ast_name(x->a, &part, 1));
    for (size_t i = 0; i < n; i++) ast_add(x->a, c, args[i]);
    return c;
}

/* The value of a column or field after the assignments below it: a struct made anew around the changed field. */
static err *assigned(struct dml_x *x, const struct sql_type *t, str *path, size_t depth, str alias, const struct ast *items, struct ast **ret, bool *any) {
    for (uint32_t i = 0; i < items->n; i++) {
        const struct ast *name = items->child[i]->child[0];
        size_t skip = alias.n && name->n > depth && str_ieq(name->child[0]->text, alias) ? 1 : 0;
        if (name->n - skip != depth) continue;
        bool same = true;
        for (size_t k = 0; k < depth && same; k++) same = str_ieq(name->child[k + skip]->text, path[k]);
        if (!same) continue;
        *any = true;
        *ret = items->child[i]->child[1];
        if (!ast_is(*ret, AST_DEFAULT)) return NULL;
        ptrdiff_t c = dml_column(x->cols, x->n, path[0]);
        return c >= 0 && depth == 1 ? dml_default(x, &x->cols[c], ret) : (*ret = ast_new(x->a, AST_LIT_NULL, 0, 0), NULL);
    }
    if (t->kind == TY_STRUCT && depth < 60) {
        struct ast **args = arena_array_of(x->a, struct ast *, t->n * 2 + 1);
        bool inner = false;
        for (size_t k = 0; k < t->n; k++) {
            path[depth] = t->fields[k].name;
            args[k * 2] = ast_text(x->a, AST_LIT_STRING, t->fields[k].name);
            TRY(assigned(x, t->fields[k].type, path, depth + 1, alias, items, &args[k * 2 + 1], &inner));
        }
        if (inner) {
            *any = true;
            *ret = call(x, "named_struct", args, t->n * 2);
            return NULL;
        }
    }
    str *parts = arena_array_of(x->a, str, depth + 1);
    if (alias.n) parts[0] = alias;
    for (size_t k = 0; k < depth; k++) parts[k + (alias.n ? 1 : 0)] = k ? path[k] : dml_true_name(x, path[k]);
    *ret = ast_column(x->a, parts, depth + (alias.n ? 1 : 0));
    return NULL;
}

err *dml_assigned(struct dml_x *x, size_t column, str alias, const struct ast *items, struct ast **ret, bool *any) {
    str path[64];
    path[0] = x->cols[column].name;
    *any = false;
    return assigned(x, x->cols[column].type, path, 1, alias, items, ret, any);
}

/* What is behind the column's name must lead through structs to a field. */
static err *check_path(struct dml_x *x, const struct ast *name, size_t column, const struct sql_type *t) {
    for (size_t k = column + 1; k < name->n; k++) {
        ptrdiff_t in = t->kind == TY_STRUCT ? dml_column(t->fields, t->n, name->child[k]->text) : -1;
        if (in < 0) {
            buf b = {0};
            for (size_t i = 0; i < t->n; i++) buf_fmt(&b, "%s`%.*s`", i ? ", " : "", STR_ARG(t->fields[i].name));
            return sql_error("FIELD_NOT_FOUND", name, x->d->text, "fieldName", arena_printf(x->a, "`%.*s`", STR_ARG(name->child[k]->text)), "fields",
                             dml_z(x, dml_take(x, &b)), NULL);
        }
        t = t->fields[in].type;
    }
    return NULL;
}

/* Every assignment must name a column of the table. */
err *dml_check_assigned(struct dml_x *x, const struct ast *items, str alias) {
    for (uint32_t i = 0; i < items->n; i++) {
        const struct ast *name = items->child[i]->child[0];
        size_t skip = alias.n && name->n > 1 && str_ieq(name->child[0]->text, alias) ? 1 : 0;
        ptrdiff_t c = dml_column(x->cols, x->n, name->child[skip]->text);
        if (c < 0) {
            buf b = {0};
            for (size_t k = 0; k < x->n; k++) buf_fmt(&b, "%s`%.*s`", k ? ", " : "", STR_ARG(x->cols[k].name));
            return sql_error("UNRESOLVED_COLUMN.WITH_SUGGESTION", name, x->d->text, "objectName",
                             arena_printf(x->a, "`%.*s`", STR_ARG(name->child[skip]->text)), "proposal", dml_z(x, dml_take(x, &b)), NULL);
        }
        TRY(check_path(x, name, skip, x->cols[c].type));
        if (dml_is_identity(&x->cols[c])) return dml_error("DELTA_IDENTITY_COLUMNS_UPDATE_NOT_SUPPORTED", "colName", dml_z(x, x->cols[c].name), NULL);
        for (uint32_t k = 0; k < i; k++) {
            const struct ast *other = items->child[k]->child[0];
            size_t from = alias.n && other->n > 1 && str_ieq(other->child[0]->text, alias) ? 1 : 0, deep = name->n - skip, common = other->n - from;
            bool same = true; /* or the one lies in the other */
            if (deep < common) common = deep;
            for (size_t q = 0; same && q < common; q++) same = str_ieq(other->child[from + q]->text, name->child[skip + q]->text);
            if (same)
                return dml_error("DELTA_CONFLICT_SET_COLUMN", "columnList", arena_printf(x->a, "`%.*s`", STR_ARG(name->child[skip]->text)), NULL);
        }
    }
    return NULL;
}

static void predicate_parameter(struct dml_x *x, const struct ast *where) {
    buf b = {0}, list = {0};
    buf_c(&list, '[');
    if (where && where->end <= x->d->text.n && where->pos < where->end) buf_json_str(&list, str_n(x->d->text.p + where->pos, where->end - where->pos));
    buf_c(&list, ']');
    buf_z(&b, "{\"predicate\":");
    buf_json_str(&b, buf_view(&list));
    buf_c(&b, '}');
    buf_free(&list);
    x->parameters = dml_take(x, &b);
}

static void time_metrics(struct dml_x *x) {
    dml_metric(x, "executionTimeMs", (clock_now() - x->started_us) / 1000);
    dml_metric(x, "numAddedFiles", x->files_written);
    dml_metric(x, "numAddedBytes", x->bytes_written);
    dml_metric(x, "numAddedChangeFiles", x->cdc_files);
}

static str alias_of(struct dml_x *x, const struct ast *s) {
    const struct ast *alias = ast_get(s, SLOT_ALIAS);
    (void)x;
    return alias ? alias->text : STR_NONE;
}

err *dml_update(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    const struct ast *where = ast_get(s, SLOT_WHERE), *sets = ast_get(s, SLOT_ITEMS);
    dml_begin_commit(x, "UPDATE");
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), "change"));
    x->by_name = true;
    str alias = alias_of(x, s);
    TRY(dml_check_assigned(x, sets, alias));
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0);
    ast_add(x->a, items, dml_col(x->a, "_bh_file"));
    ast_add(x->a, items, dml_col(x->a, "_bh_row"));
    int *of = arena_array_of(x->a, int, x->n + 1);
    size_t n = 2, old = 0;
    for (size_t i = 0; i < x->n; i++) {
        struct ast *value;
        bool any;
        TRY(dml_assigned(x, i, alias, sets, &value, &any));
        /* Generated columns are made anew unless they are set. */
        of[i] = !any && dml_is_generated(&x->cols[i]) ? -1 : (int)n;
        ast_add(x->a, items, value);
        n++;
    }
    if (dml_feed(x)) {
        old = n;
        for (size_t i = 0; i < x->n; i++, n++) {
            str parts[] = {alias, dml_true_name(x, x->cols[i].name)};
            ast_add(x->a, items, alias.n ? ast_column(x->a, parts, 2) : ast_column(x->a, parts + 1, 1));
        }
    }
    struct sql_compiled c;
    TRY(sql_compile(&x->env, dml_query_of(x->a, s, dml_select(x->a, items, dml_from(x, x->target_name, ast_get(s, SLOT_ALIAS), true),
                                                              (struct ast *)(uintptr_t)where)), &c));
    dml_reads(x, &c);
    struct dml_source source = {.text = c.duckdb, .cols = c.cols, .n = c.n, .of = of};
    dml_hidden(x, "'u'", old, &source);
    buf rows = {0};
    TRY(dml_project(x, &source, &rows));
    str table = dml_temp_name(x);
    err *e = scan_exec(x->d->con, str_of(arena_printf(x->a, "CREATE TEMP TABLE %.*s AS %.*s", STR_ARG(table), STR_ARG(buf_view(&rows)))));
    buf_free(&rows);
    if (e) return e;
    int64_t count = 0;
    TRY(dml_count(x, table, "true", &count));
    if (count) {
        x->read_all = true;
        TRY(dml_take_rows(x, table));
        TRY(dml_write_changed(x, table));
        TRY(dml_write_feed(x, table));
        predicate_parameter(x, where);
        dml_metric(x, "numUpdatedRows", count);
        time_metrics(x);
        TRY(dml_commit(x));
    }
    static const char *const names[] = {"num_affected_rows"};
    return dml_counts(x, names, &count, 1, ret);
}

/* ---- DELETE ---- */

static err *delete_all(struct dml_x *x, int64_t *count) {
    *count = 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < x->t->snap->n_files; i++) {
        const struct delta_file *f = x->t->snap->files[i];
        int64_t live = live_rows(f);
        if (live < 0) {
            str path;
            const struct footer *foot;
            TRY(scan_file_path(x->t, f->path, &path));
            TRY(scan_declare(path, f->size));
            TRY(scan_footer(x->d->scan, path, &foot));
            live = foot->rows - (f->dv.storage ? f->dv.cardinality : 0);
        }
        *count += live;
        bytes += f->size;
        dml_remove(x, f);
    }
    dml_metric(x, "numRemovedFiles", (int64_t)x->t->snap->n_files);
    dml_metric(x, "numRemovedBytes", bytes);
    return NULL;
}

static err *delete_some(struct dml_x *x, const struct ast *s, int64_t *count) {
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0);
    str alias = alias_of(x, s);
    ast_add(x->a, items, dml_col(x->a, "_bh_file"));
    ast_add(x->a, items, dml_col(x->a, "_bh_row"));
    bool feed = dml_feed(x);
    for (size_t i = 0; feed && i < x->n; i++) {
        str parts[] = {alias, dml_true_name(x, x->cols[i].name)};
        ast_add(x->a, items, alias.n ? ast_column(x->a, parts, 2) : ast_column(x->a, parts + 1, 1));
    }
    struct sql_compiled c;
    TRY(sql_compile(&x->env, dml_query_of(x->a, s, dml_select(x->a, items, dml_from(x, x->target_name, ast_get(s, SLOT_ALIAS), true),
                                                              ast_get(s, SLOT_WHERE))), &c));
    dml_reads(x, &c);
    str table = dml_temp_name(x);
    buf q = {0};
    buf_fmt(&q, "CREATE TEMP TABLE %.*s AS SELECT c0 AS _bh_file, c1 AS _bh_row, 'd' AS _bh_action", STR_ARG(table));
    for (size_t i = 0; feed && i < x->n; i++) {
        buf_fmt(&q, ", c%zu AS _bh_old_%zu, c%zu AS ", i + 2, i, i + 2);
        scan_quote_ident(x->cols[i].name, &q);
    }
    buf_fmt(&q, " FROM (%.*s) o", STR_ARG(c.duckdb));
    TRY(scan_exec(x->d->con, dml_take(x, &q)));
    TRY(dml_count(x, table, "true", count));
    if (!*count) return NULL;
    TRY(dml_take_rows(x, table));
    return dml_write_feed(x, table);
}

err *dml_delete(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    const struct ast *where = ast_get(s, SLOT_WHERE);
    dml_begin_commit(x, "DELETE");
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), "change"));
    int64_t count = 0;
    x->read_all = true;
    /* Without a condition (and without a feed, or a filter on rows) no file is read. */
    if ((!where || (ast_is(where, AST_LIT_BOOL) && ast_has(where, AST_F_TRUE))) && !x->rel->row_filter.n)
        TRY(delete_all(x, &count));
    else
        TRY(delete_some(x, s, &count));
    if (x->actions.n) {
        predicate_parameter(x, where);
        dml_metric(x, "numDeletedRows", count);
        time_metrics(x);
        TRY(dml_commit(x));
    }
    static const char *const names[] = {"num_affected_rows"};
    return dml_counts(x, names, &count, 1, ret);
}
