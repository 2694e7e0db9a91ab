/* SPDX-License-Identifier: Apache-2.0 */
/* INSERT in all its forms: INTO, OVERWRITE (whole, by partition, dynamic), BY NAME, REPLACE WHERE / USING / ON. */
#include <stdio.h>
#include <string.h>

#include "delta/partition.h"
#include "engine/worker/dml_int.h"

/* ---- the source ---- */

/* DEFAULT in VALUES stands for the default of the column at its place. */
static err *fill_defaults(struct dml_x *x, const struct ast *query, const int *column_of, size_t n) {
    struct ast *body = ast_get(query, SLOT_BODY);
    if (!ast_is(body, AST_VALUES)) return NULL;
    for (uint32_t r = 0; r < body->n; r++) {
        struct ast *row = body->child[r];
        bool single = row->kind != AST_ROW;
        for (uint32_t i = 0; i < (single ? 1 : row->n); i++) {
            struct ast **at = single ? &body->child[r] : &row->child[i];
            if (!ast_is(*at, AST_DEFAULT)) continue;
            if (i >= n || column_of[i] < 0) return sql_error("INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS", *at, x->d->text, "tableName",
                                                             dml_z(x, x->full_name), "tableColumns", "", "dataColumns", "", NULL);
            TRY(dml_default(x, &x->cols[column_of[i]], at));
        }
    }
    return NULL;
}

static bool identity_always(struct dml_x *x, const struct sql_field *f) {
    return dml_is_identity(f) && str_eqz(dml_field_meta(x->a, f, "delta.identity.allowExplicitInsert"), "false");
}

static err *no_column(struct dml_x *x, const struct ast *at, str name) {
    buf b = {0};
    for (size_t i = 0; i < x->n; i++) buf_fmt(&b, "%s`%.*s`", i ? ", " : "", STR_ARG(x->cols[i].name));
    return sql_error("UNRESOLVED_COLUMN.WITH_SUGGESTION", at, x->d->text, "objectName", arena_printf(x->a, "`%.*s`", STR_ARG(name)), "proposal",
                     dml_z(x, dml_take(x, &b)), NULL);
}

/* Columns of the statement's list (or all that are not given by PARTITION), as places in the table. */
static err *listed_columns(struct dml_x *x, const struct ast *s, const bool *fixed, int *ret, size_t *ret_n) {
    const struct ast *names = ast_get(s, SLOT_NAMES);
    *ret_n = 0;
    if (!names) {
        for (size_t i = 0; i < x->n; i++)
            if (!fixed[i]) ret[(*ret_n)++] = (int)i;
        return NULL;
    }
    for (uint32_t i = 0; i < names->n; i++) {
        const struct ast *name = names->child[i];
        str last = name->n ? name->child[name->n - 1]->text : name->text;
        ptrdiff_t at = dml_column(x->cols, x->n, last);
        if (at < 0) return no_column(x, name, last);
        for (size_t k = 0; k < *ret_n; k++)
            if (ret[k] == at)
                return sql_error("COLUMN_ALREADY_EXISTS", name, x->d->text, "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(last)), NULL);
        if (identity_always(x, &x->cols[at]))
            return dml_error("DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED", "colName", dml_z(x, last), NULL);
        ret[(*ret_n)++] = (int)at;
    }
    return NULL;
}

static err *arity(struct dml_x *x, const struct ast *s, bool many, const int *columns, size_t n, const struct sql_compiled *c) {
    buf t = {0}, d = {0};
    for (size_t i = 0; i < n; i++) buf_fmt(&t, "%s`%.*s`", i ? ", " : "", STR_ARG(x->cols[columns[i]].name));
    for (size_t i = 0; i < c->n; i++) buf_fmt(&d, "%s`%.*s`", i ? ", " : "", STR_ARG(c->cols[i].name));
    return sql_error(many ? "INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS" : "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS", s,
                     x->d->text, "tableName", dml_z(x, x->full_name), "tableColumns", dml_z(x, dml_take(x, &t)), "dataColumns",
                     dml_z(x, dml_take(x, &d)), NULL);
}

/* Without a list of columns the class is Delta's own. */
static err *too_few(struct dml_x *x, size_t want, size_t have) {
    return dml_error("DELTA_INSERT_COLUMN_ARITY_MISMATCH", "tableName", dml_z(x, x->full_name), "columnName", "not enough data columns", "numColumns",
                     arena_printf(x->a, "%zu", want), "insertColumns", arena_printf(x->a, "%zu", have), NULL);
}

/* More columns than the table has, and the schema may not grow. */
static err *mismatch(struct dml_x *x, const struct sql_compiled *c) {
    buf t = {0}, d = {0};
    for (size_t i = 0; i < x->n; i++) buf_fmt(&t, "%s%.*s", i ? ", " : "", STR_ARG(x->cols[i].name));
    for (size_t i = 0; i < c->n; i++) buf_fmt(&d, "%s%.*s", i ? ", " : "", STR_ARG(c->cols[i].name));
    return dml_error("DELTA_METADATA_MISMATCH", "tableSchema", dml_z(x, dml_take(x, &t)), "dataSchema", dml_z(x, dml_take(x, &d)), NULL);
}

/* Which source column each column of the table takes. */
static err *map_columns(struct dml_x *x, const struct ast *s, const struct sql_compiled *c, const int *columns, size_t n, int *of) {
    bool by_name = ast_has(s, AST_F_BY_NAME);
    for (size_t i = 0; i < x->n; i++)
        if (of[i] != -2) of[i] = -1;
    if (by_name) {
        for (size_t k = 0; k < c->n; k++) {
            ptrdiff_t at = dml_column(x->cols, x->n, c->cols[k].name);
            if (at < 0) return mismatch(x, c);
            if (of[at] >= 0)
                return dml_error("DELTA_DUPLICATE_COLUMNS_FOUND.READ_SCHEMA", "coltype", "the query", "duplicateCols",
                                 arena_printf(x->a, "%.*s, %.*s", STR_ARG(c->cols[of[at]].name), STR_ARG(c->cols[k].name)), NULL);
            of[at] = (int)k;
        }
        return NULL;
    }
    /* Without a list, generated, identity and defaulted columns may be left out at the end or altogether. */
    if (!ast_get(s, SLOT_NAMES) && c->n < n) {
        int taken[4096];
        size_t k = 0;
        for (size_t i = 0; i < n && k < 4096; i++)
            if (!dml_is_generated(&x->cols[columns[i]]) && !identity_always(x, &x->cols[columns[i]])) taken[k++] = columns[i];
        if (k != c->n) return too_few(x, n, c->n);
        for (size_t i = 0; i < k; i++) of[taken[i]] = (int)i;
        return NULL;
    }
    if (c->n > n && !ast_get(s, SLOT_NAMES)) return mismatch(x, c);
    if (c->n != n) return arity(x, s, c->n > n, columns, n, c);
    for (size_t i = 0; i < n; i++) {
        if (identity_always(x, &x->cols[columns[i]]))
            return dml_error("DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED", "colName", dml_z(x, x->cols[columns[i]].name), NULL);
        of[columns[i]] = (int)i;
    }
    return NULL;
}

/* PARTITION (p = 1, q): the given values as further columns of the source. */
static err *fixed_partitions(struct dml_x *x, const struct ast *s, bool *fixed) {
    const struct ast *parts = ast_get(s, SLOT_PARTITION);
    for (uint32_t i = 0; parts && i < parts->n; i++) {
        ptrdiff_t at = dml_column(x->cols, x->n, parts->child[i]->text);
        if (at < 0 || !dml_is_partition(x->metadata, parts->child[i]->text))
            return sql_error("NON_PARTITION_COLUMN", parts->child[i], x->d->text, "columnName",
                             arena_printf(x->a, "`%.*s`", STR_ARG(parts->child[i]->text)), NULL);
        if (parts->child[i]->n) fixed[at] = true;
    }
    return NULL;
}

static err *add_fixed(struct dml_x *x, const struct ast *s, struct sql_compiled *c, int *of) {
    const struct ast *parts = ast_get(s, SLOT_PARTITION);
    buf text = {0};
    size_t n = c->n;
    struct sql_column *cols = arena_array_of(x->a, struct sql_column, c->n + (parts ? parts->n : 0) + 1);
    if (c->n) memcpy(cols, c->cols, c->n * sizeof(*cols));
    buf_z(&text, "SELECT *");
    for (uint32_t i = 0; parts && i < parts->n; i++) {
        if (!parts->child[i]->n) continue;
        const struct sql_type *type;
        buf value = {0};
        TRY(sql_compile_expr(&x->env, parts->child[i]->child[0], NULL, 0, STR(""), NULL, &value, &type));
        buf_fmt(&text, ", %.*s AS c%zu", STR_ARG(buf_view(&value)), n);
        buf_free(&value);
        cols[n] = (struct sql_column){parts->child[i]->text, type, true, STR_NONE};
        of[dml_column(x->cols, x->n, parts->child[i]->text)] = (int)n++;
    }
    if (n == c->n) {
        buf_free(&text);
        return NULL;
    }
    buf_fmt(&text, " FROM (%.*s) p", STR_ARG(c->duckdb));
    c->duckdb = dml_take(x, &text);
    c->cols = cols, c->n = n;
    return NULL;
}

/* The statement's query with the WITH list that stood before INSERT. */
static struct ast *source_query(struct dml_x *x, const struct ast *s) {
    struct ast *q = ast_get(s, SLOT_QUERY), *with = ast_get(s, SLOT_WITH);
    if (!with) return q;
    struct ast *outer = ast_new(x->a, AST_QUERY, q->pos, q->end);
    ast_set(x->a, outer, SLOT_WITH, with);
    outer->flags |= s->flags & AST_F_RECURSIVE;
    ast_set(x->a, outer, SLOT_BODY, q);
    return outer;
}

/* Without names the first columns go by place, under the table's names; what comes behind them is new. */
static err *evolve(struct dml_x *x, const struct ast *s, struct sql_compiled *c, size_t n) {
    bool by_name = ast_has(s, AST_F_BY_NAME) || ast_has(s, AST_F_EVOLVE);
    if (!by_name && ast_get(s, SLOT_NAMES)) return NULL;
    struct sql_column *cols = arena_array_of(x->a, struct sql_column, c->n + 1);
    memcpy(cols, c->cols, c->n * sizeof(*cols));
    if (!by_name && c->n < n) return NULL;
    for (size_t i = 0; !by_name && i < n && i < x->n; i++) cols[i].name = x->cols[i].name;
    TRY(dml_evolve(x, cols, c->n));
    if (by_name || c->n > n) {
        c->cols = cols;
        ((struct ast *)(uintptr_t)s)->flags |= AST_F_BY_NAME;
    }
    return NULL;
}

static err *compile_source(struct dml_x *x, const struct ast *s, struct sql_compiled *c, int **ret_of) {
    bool *fixed = arena_array_of(x->a, bool, x->n + 1);
    int *columns = arena_array_of(x->a, int, x->n + 1);
    size_t n;
    TRY(fixed_partitions(x, s, fixed));
    TRY(listed_columns(x, s, fixed, columns, &n));
    struct ast *q = source_query(x, s);
    TRY(fill_defaults(x, q, columns, n));
    TRY(sql_compile(x->d->env, q, c));
    x->evolving = dml_evolves(x, s);
    if (x->evolving) TRY(evolve(x, s, c, n));
    x->by_name = ast_has(s, AST_F_BY_NAME);
    int *of = arena_array_of(x->a, int, x->n + 1);
    TRY(map_columns(x, s, c, columns, n, of));
    TRY(add_fixed(x, s, c, of));
    *ret_of = of;
    return NULL;
}

/* ---- what an overwrite removes ---- */

static void remove_all(struct dml_x *x) {
    for (size_t i = 0; i < x->t->snap->n_files; i++) dml_remove(x, x->t->snap->files[i]);
    x->read_all = true;
}

static bool same_partition(const struct delta_map *a, const struct delta_map *b) {
    for (size_t i = 0; i < b->n; i++) {
        str x = delta_map_get(a, b->p[i].key), y = delta_map_get(b, b->p[i].key);
        if (x.n != y.n || (x.n && !str_eq(x, y))) return false;
    }
    return true;
}

/* Files in the partitions that the new files are in. */
static void remove_partitions(struct dml_x *x) {
    size_t added = x->actions.n;
    for (size_t i = 0; i < x->t->snap->n_files; i++)
        for (size_t k = 0; k < added; k++) {
            const struct delta_action *a = &x->actions.p[k];
            if (a->kind != DELTA_ADD || !same_partition(&x->t->snap->files[i]->partition, &a->file.partition)) continue;
            dml_remove(x, x->t->snap->files[i]);
            break;
        }
    x->read_all = true;
}

/* PARTITION (p = 1) of an overwrite: files whose given values are these. The values come through the log's text. */
static err *remove_given(struct dml_x *x, const struct ast *parts) {
    struct delta_map given = {0};
    bool mapped = !str_eqz(delta_mapping_mode(x->metadata), "none");
    for (uint32_t i = 0; i < parts->n; i++) {
        if (!parts->child[i]->n) continue;
        ptrdiff_t at = dml_column(x->cols, x->n, parts->child[i]->text);
        const struct sql_type *type;
        buf value = {0}, cast = {0}, q = {0};
        TRY(sql_compile_expr(&x->env, parts->child[i]->child[0], NULL, 0, STR(""), NULL, &value, &type));
        TRY(sql_store_cast(&x->env, x->full_name, x->cols[at].name, dml_take(x, &value), type, x->cols[at].type, &cast));
        buf_z(&q, "SELECT ");
        dml_partition_text(x->cols[at].type, dml_take(x, &cast), &q);
        struct scan_rows rows;
        TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
        delta_map_set(x->a, &given, mapped ? scan_physical(x->a, &x->cols[at]) : x->cols[at].name, rows.cell[0], !rows.cell[0].p);
    }
    for (size_t i = 0; i < x->t->snap->n_files; i++)
        if (same_partition(&x->t->snap->files[i]->partition, &given)) dml_remove(x, x->t->snap->files[i]);
    x->read_all = true;
    return NULL;
}

/* EXISTS (SELECT 1 FROM (the source) AS s WHERE the condition of REPLACE ON). */
static const struct ast *matches_source(struct dml_x *x, const struct ast *s) {
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0), *from = ast_new(x->a, AST_FROM_QUERY, 0, 0), *alias = ast_get(ast_get(s, SLOT_FROM), SLOT_ALIAS);
    ast_add(x->a, items, ast_text(x->a, AST_LIT_NUMBER, STR("1")));
    ast_set(x->a, from, SLOT_QUERY, source_query(x, s));
    if (alias) ast_set(x->a, from, SLOT_ALIAS, alias);
    struct ast *exists = ast_new(x->a, AST_EXISTS, 0, 0);
    ast_set(x->a, exists, SLOT_QUERY, dml_query(x->a, dml_select(x->a, items, from, ast_get(s, SLOT_ON))));
    return exists;
}

/* REPLACE WHERE cond, REPLACE USING (cols), REPLACE ON cond: rows of the table that go, as a temporary table for dml_take_rows(). The new
 * rows are in the temporary table `fresh` under the table's column names. */
static err *take_replaced(struct dml_x *x, const struct ast *s, str fresh) {
    const struct ast *where = ast_get(s, SLOT_WHERE), *using_ = ast_get(s, SLOT_USING);
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0);
    ast_add(x->a, items, dml_col(x->a, "_bh_file"));
    ast_add(x->a, items, dml_col(x->a, "_bh_row"));
    for (uint32_t i = 0; using_ && i < using_->n; i++) {
        struct ast *c = ast_new(x->a, AST_COLUMN, 0, 0);
        ast_add(x->a, c, using_->child[i]);
        ast_add(x->a, items, c);
    }
    if (ast_get(s, SLOT_ON)) where = matches_source(x, s);
    struct sql_compiled c;
    TRY(sql_compile(&x->env, dml_query(x->a, dml_select(x->a, items, dml_from(x, x->target_name, ast_get(s, SLOT_ALIAS), true),
                                                        (struct ast *)(uintptr_t)where)), &c));
    str table = dml_temp_name(x);
    buf q = {0};
    buf_fmt(&q, "CREATE TEMP TABLE %.*s AS SELECT c0 AS _bh_file, c1 AS _bh_row, 'd' AS _bh_action FROM (%.*s) o", STR_ARG(table),
            STR_ARG(c.duckdb));
    if (using_) {
        buf_clear(&q);
        buf_fmt(&q, "CREATE TEMP TABLE %.*s AS SELECT c0 AS _bh_file, c1 AS _bh_row, 'd' AS _bh_action FROM (%.*s) o WHERE EXISTS (SELECT 1 FROM "
                "%.*s n WHERE ", STR_ARG(table), STR_ARG(c.duckdb), STR_ARG(fresh));
        for (uint32_t i = 0; i < using_->n; i++) {
            const struct ast *name = using_->child[i];
            if (i) buf_z(&q, " AND ");
            buf_z(&q, "n.");
            scan_quote_ident(name->n ? name->child[name->n - 1]->text : name->text, &q);
            buf_fmt(&q, " IS NOT DISTINCT FROM o.c%u", i + 2);
        }
        buf_c(&q, ')');
    }
    TRY(scan_exec(x->d->con, dml_take(x, &q)));
    x->read_all = true;
    return dml_take_rows(x, table);
}

/* Every new row must match REPLACE WHERE's condition. */
static err *check_replaced(struct dml_x *x, const struct ast *s, str fresh) {
    const struct ast *where = ast_get(s, SLOT_WHERE);
    str on;
    if (!where) return NULL;
    if (x->d->setting && x->d->setting(x->d->arg, STR("spark.databricks.delta.replaceWhere.constraintCheck.enabled"), &on) && str_ieq(on, STR("false")))
        return NULL;
    buf cond = {0}, q = {0};
    const struct sql_type *type;
    TRY(sql_compile_expr(&x->env, where, x->cols, x->n, STR(""), sql_type_of(TY_BOOLEAN), &cond, &type));
    buf_fmt(&q, "SELECT CAST(count(*) AS VARCHAR) FROM %.*s WHERE (%.*s) IS NOT TRUE", STR_ARG(fresh), STR_ARG(buf_view(&cond)));
    buf_free(&cond);
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
    if (str_eqz(rows.cell[0], "0")) return NULL;
    str text = where->end <= x->d->text.n && where->pos < where->end ? str_n(x->d->text.p + where->pos, where->end - where->pos) : STR("");
    return dml_error("DELTA_REPLACE_WHERE_MISMATCH", "replaceWhere", dml_z(x, text), "message", "", NULL);
}

/* ---- the statement ---- */

/* So many rows of VALUES are written without DuckDB's COPY. */
#define FEW_ROWS 1024

static bool dynamic(struct dml_x *x) {
    str mode;
    return x->metadata->n_partitions && x->d->setting && x->d->setting(x->d->arg, STR("spark.sql.sources.partitionOverwriteMode"), &mode) &&
           str_ieq(mode, STR("dynamic"));
}

static err *overwrite(struct dml_x *x, const struct ast *s) {
    const struct ast *parts = ast_get(s, SLOT_PARTITION);
    bool given = false;
    for (uint32_t i = 0; parts && i < parts->n; i++) given |= parts->child[i]->n > 0;
    if (dynamic(x)) {
        remove_partitions(x);
        return NULL;
    }
    if (given) return remove_given(x, parts);
    if (parts)
        remove_partitions(x);
    else
        remove_all(x);
    return NULL;
}

static void parameters(struct dml_x *x, const struct ast *s, bool replace) {
    buf b = {0}, parts = {0};
    const struct delta_metadata *m = x->metadata;
    buf_c(&parts, '[');
    for (size_t i = 0; i < m->n_partitions; i++) {
        if (i) buf_c(&parts, ',');
        buf_json_str(&parts, m->partitions[i]);
    }
    buf_c(&parts, ']');
    buf_fmt(&b, "{\"mode\":\"%s\",\"partitionBy\":", ast_has(s, AST_F_OVERWRITE) || replace ? "Overwrite" : "Append");
    buf_json_str(&b, buf_view(&parts));
    const struct ast *where = ast_get(s, SLOT_WHERE);
    if (where && where->end <= x->d->text.n && where->pos < where->end) {
        buf_z(&b, ",\"predicate\":");
        buf_json_str(&b, str_n(x->d->text.p + where->pos, where->end - where->pos));
    }
    buf_c(&b, '}');
    buf_free(&parts);
    x->parameters = dml_take(x, &b);
}

err *dml_insert(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    bool replace = ast_get(s, SLOT_WHERE) || ast_get(s, SLOT_USING) || ast_get(s, SLOT_ON);
    dml_begin_commit(x, "WRITE");
    /* A condition reads what is there. */
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), replace ? "change" : "modify"));
    struct sql_compiled c;
    int *of;
    TRY(compile_source(x, s, &c, &of));
    struct dml_source source = {.text = c.duckdb, .cols = c.cols, .n = c.n, .of = of};
    buf rows = {0};
    TRY(dml_project(x, &source, &rows));
    x->blind_append = c.n_tables == 0 && !replace && !ast_has(s, AST_F_OVERWRITE);
    bool reads_self = false;
    for (size_t i = 0; i < c.n_tables; i++) {
        const struct scan_table *t = c.tables[i]->scan;
        reads_self |= t && str_eq(t->path, x->path);
    }
    if (!reads_self && !replace && !ast_has(s, AST_F_OVERWRITE)) x->blind_append = true;
    if (reads_self) x->read_all = true, dml_reads(x, &c);
    const struct ast *given = ast_get(ast_get(s, SLOT_QUERY), SLOT_BODY);
    struct dml_write w = {.text = buf_view(&rows), .data_change = true, .few = ast_is(given, AST_VALUES) && given->n <= FEW_ROWS};
    err *e = NULL;
    if (replace) {
        str fresh = dml_temp_name(x);
        e = scan_exec(x->d->con, str_of(arena_printf(x->a, "CREATE TEMP TABLE %.*s AS %.*s", STR_ARG(fresh), STR_ARG(buf_view(&rows)))));
        if (!e) e = check_replaced(x, s, fresh);
        if (!e) e = take_replaced(x, s, fresh);
        w.text = str_of(arena_printf(x->a, "SELECT * FROM %.*s", STR_ARG(fresh)));
        int64_t before = x->rows_written;
        if (!e) e = dml_write(x, &w);
        x->rows_written -= before;
    } else {
        e = dml_write(x, &w);
        if (!e && ast_has(s, AST_F_OVERWRITE)) e = overwrite(x, s);
    }
    buf_free(&rows);
    if (e) return e;
    TRY(dml_identity_after(x, of));
    parameters(x, s, replace);
    dml_metric(x, "numFiles", x->files_written);
    dml_metric(x, "numOutputRows", x->rows_written);
    dml_metric(x, "numOutputBytes", x->bytes_written);
    TRY(dml_commit_unless_empty(x));
    static const char *const names[] = {"num_affected_rows", "num_inserted_rows"};
    int64_t counts[] = {x->rows_written, x->rows_written};
    return dml_counts(x, names, counts, 2, ret);
}
