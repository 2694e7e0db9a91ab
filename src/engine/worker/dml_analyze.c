/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ANALYZE TABLE and SHOW PARTITIONS: what is counted in a table's rows.
 *
 * Counts for people go to the catalog's row as properties "spark.sql.statistics.…", which DESCRIBE EXTENDED shows; COMPUTE DELTA
 * STATISTICS makes the log's own anew. Rows are read as the user sees them, through filters and masks.
 */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "engine/worker/dml_int.h"

/* ---- the user's view of the table as DuckDB text ---- */

static err *view_of(struct dml_x *x, const struct ast *names, struct sql_compiled *ret) {
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0);
    for (uint32_t i = 0; names && i < names->n; i++) {
        const struct ast *n = names->child[i];
        ast_add(x->a, items, dml_col(x->a, dml_z(x, n->n ? n->child[n->n - 1]->text : n->text)));
    }
    if (!names) ast_add(x->a, items, ast_new(x->a, AST_STAR, 0, 0));
    return sql_compile(&x->env, dml_query(x->a, dml_select(x->a, items, dml_from(x, x->target_name, NULL, false), NULL)), ret);
}

/* ---- SHOW PARTITIONS ---- */

static err *check_spec(struct dml_x *x, const struct ast *spec) {
    for (uint32_t i = 0; spec && i < spec->n; i++)
        if (!dml_is_partition(x->metadata, spec->child[i]->text))
            return dml_error("DELTA_SHOW_PARTITION_IN_NON_PARTITIONED_COLUMN", "badCols", dml_z(x, spec->child[i]->text), NULL);
    return NULL;
}

err *dml_partitions(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    const struct ast *spec = ast_get(s, SLOT_PARTITION);
    dml_begin_commit(x, "SHOW PARTITIONS");
    TRY(dml_open_readable(x, ast_get(s, SLOT_NAME), "select"));
    if (!x->metadata->n_partitions) return dml_error("DELTA_SHOW_PARTITION_IN_NON_PARTITIONED_TABLE", "tableName", dml_z(x, x->full_name), NULL);
    TRY(check_spec(x, spec));
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0), *where = NULL;
    for (size_t i = 0; i < x->metadata->n_partitions; i++) ast_add(x->a, items, dml_col(x->a, dml_z(x, x->metadata->partitions[i])));
    for (uint32_t i = 0; spec && i < spec->n; i++) {
        if (!spec->child[i]->n) continue;
        struct ast *eq = ast_text(x->a, AST_BINARY, STR("<=>")), *both = ast_text(x->a, AST_BINARY, STR("and"));
        ast_add(x->a, eq, dml_col(x->a, dml_z(x, spec->child[i]->text)));
        ast_add(x->a, eq, spec->child[i]->child[0]);
        if (where) ast_add(x->a, both, where), ast_add(x->a, both, eq);
        where = where ? both : eq;
    }
    TRY(sql_compile(&x->env, dml_query(x->a, dml_select(x->a, items, dml_from(x, x->target_name, NULL, false), where)), &ret->rows));
    buf q = {0};
    buf_fmt(&q, "SELECT DISTINCT * FROM (%.*s) p ORDER BY ALL", STR_ARG(ret->rows.duckdb));
    ret->rows.duckdb = dml_take(x, &q);
    ret->rows.ordered = true;
    return NULL;
}

/* ---- counts of columns ---- */

enum { C_MIN, C_MAX, C_NULLS, C_DISTINCT, C_AVG, C_LONGEST, C_PARTS };
static const char *const parts[C_PARTS] = {"min", "max", "nullCount", "distinctCount", "avgLen", "maxLen"};

/* Bytes of a value of fixed size, 0: texts and what is nested. */
static int width(const struct sql_type *t) {
    switch (t->kind) {
    case TY_BOOLEAN:
    case TY_TINYINT: return 1;
    case TY_SMALLINT: return 2;
    case TY_INT:
    case TY_FLOAT:
    case TY_DATE: return 4;
    case TY_BIGINT:
    case TY_DOUBLE:
    case TY_TIMESTAMP:
    case TY_TIMESTAMP_NTZ: return 8;
    case TY_DECIMAL: return t->precision <= 18 ? 8 : 16;
    default: return 0;
    }
}

static bool counted(const struct sql_type *t) { return width(t) || sql_is_text(t) || t->kind == TY_BINARY; }

static void put_counts(const struct sql_type *t, size_t i, buf *q) {
    int fixed = width(t);
    char c[32];
    snprintf(c, sizeof(c), "c%zu", i);
    for (int k = 0; k < 2; k++) {
        const char *fn = k ? "max" : "min";
        if (!fixed)
            buf_z(q, ", CAST(NULL AS VARCHAR)");
        else if (t->kind == TY_TIMESTAMP)
            buf_fmt(q, ", CAST(timezone('UTC', %s(%s)) AS VARCHAR)", fn, c);
        else
            buf_fmt(q, ", CAST(%s(%s) AS VARCHAR)", fn, c);
    }
    buf_fmt(q, ", CAST(count(*) - count(%s) AS VARCHAR), CAST(approx_count_distinct(%s) AS VARCHAR)", c, c);
    if (fixed)
        buf_fmt(q, ", '%d', '%d'", fixed, fixed);
    else
        buf_fmt(q, ", CAST(CAST(ceil(coalesce(avg(octet_length(CAST(%s AS BLOB))), 0)) AS BIGINT) AS VARCHAR), "
                "CAST(coalesce(max(octet_length(CAST(%s AS BLOB))), 0) AS VARCHAR)", c, c);
}

static void put_property(const char *key, str value, buf *out) {
    buf_z(out, out->n ? ",{\"key\":" : "{\"key\":");
    buf_json_str(out, str_of(key));
    buf_z(out, ",\"value\":");
    buf_json_str(out, value);
    buf_c(out, '}');
}

static err *count_columns(struct dml_x *x, const struct ast *names, buf *properties) {
    struct sql_compiled c;
    TRY(view_of(x, names, &c));
    buf q = {0};
    size_t n = 0;
    buf_z(&q, "SELECT CAST(count(*) AS VARCHAR)");
    for (size_t i = 0; i < c.n; i++) {
        if (counted(c.cols[i].type)) {
            put_counts(c.cols[i].type, i, &q);
            n++;
        } else if (names) {
            buf type = {0};
            buf_free(&q);
            sql_type_write_sql(c.cols[i].type, &type);
            return dml_error("UNSUPPORTED_FEATURE.ANALYZE_UNSUPPORTED_COLUMN_TYPE", "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(c.cols[i].name)),
                             "tableName", dml_z(x, x->full_name), "columnType", dml_z(x, dml_take(x, &type)), NULL);
        }
    }
    buf_fmt(&q, " FROM (%.*s) v", STR_ARG(c.duckdb));
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
    put_property("spark.sql.statistics.numRows", rows.cell[0], properties);
    const str *cell = rows.cell + 1;
    for (size_t i = 0; i < c.n; i++) {
        if (!counted(c.cols[i].type)) continue;
        for (int k = 0; k < C_PARTS; k++, cell++)
            if (cell->p) put_property(arena_printf(x->a, "spark.sql.statistics.colStats.%.*s.%s", STR_ARG(c.cols[i].name), parts[k]), *cell, properties);
    }
    return NULL;
}

static err *count_rows(struct dml_x *x, buf *properties) {
    struct sql_compiled c;
    TRY(view_of(x, NULL, &c));
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, str_of(arena_printf(x->a, "SELECT CAST(count(*) AS VARCHAR) FROM (%.*s) v", STR_ARG(c.duckdb))), &rows));
    put_property("spark.sql.statistics.numRows", rows.cell[0], properties);
    return NULL;
}

/* The catalog keeps them; a table by its path has no place for them. */
static err *tell_catalog(struct dml_x *x, str properties) {
    buf q = {0};
    jval *answer;
    if (!x->resolved) return NULL;
    buf_z(&q, "{\"command\":\"set_table_statistics\",\"name\":[");
    buf_json_str(&q, x->rel->catalog);
    buf_c(&q, ',');
    buf_json_str(&q, x->rel->schema);
    buf_c(&q, ',');
    buf_json_str(&q, x->rel->name);
    buf_fmt(&q, "],\"properties\":[%.*s]}", STR_ARG(properties));
    return x->d->ask(x->d->arg, x->a, STR("command"), dml_take(x, &q), &answer);
}

/* ---- the log's statistics ---- */

static str loosened(struct dml_x *x, str stats) {
    ptrdiff_t at = str_find(stats, STR("\"tightBounds\":true"));
    if (at < 0) return stats;
    return str_of(arena_printf(x->a, "%.*s\"tightBounds\":false%.*s", (int)at, stats.p, STR_ARG(str_from(stats, (size_t)at + 18))));
}

static err *delta_statistics(struct dml_x *x) {
    const struct delta_snapshot *snap = x->t->snap;
    struct dml_out_file *told = arena_array_of(x->a, struct dml_out_file, snap->n_files + 1);
    TRY(dml_stats_read(x, x->t, snap->files, snap->n_files, true, told));
    if (!snap->n_files) return NULL;
    x->data_change = false;
    x->read_all = true;
    for (size_t i = 0; i < snap->n_files; i++) {
        struct delta_action *a = dml_action(x, DELTA_ADD);
        str stats = dml_stats_text(x, &told[i]);
        a->file = *snap->files[i];
        a->file.data_change = false;
        a->file.stats = a->file.dv.storage ? loosened(x, stats) : stats;
        vec_push(&x->files_read, a->file.path);
    }
    x->parameters = STR("{}");
    return dml_commit(x);
}

/* ---- the statement ---- */

static err *one_table(struct dml_x *x, const struct ast *s, const struct ast *name) {
    const struct ast *columns = ast_get(s, SLOT_COLUMNS);
    bool all = ast_has(s, AST_F_ALL), no_scan = ast_has(s, AST_F_FIRST);
    buf properties = {0};
    dml_begin_commit(x, "COMPUTE STATS");
    if (ast_has(s, AST_F_SPECIAL)) {
        TRY(dml_open_target(x, name, "change"));
        return delta_statistics(x);
    }
    TRY(dml_open_readable(x, name, "change"));
    int64_t size = 0;
    for (size_t i = 0; i < x->t->snap->n_files; i++) size += x->t->snap->files[i]->size;
    put_property("spark.sql.statistics.totalSize", str_of(arena_printf(x->a, "%lld", (long long)size)), &properties);
    err *e = columns || all ? count_columns(x, columns, &properties) : no_scan ? NULL : count_rows(x, &properties);
    if (!e) e = tell_catalog(x, buf_view(&properties));
    buf_free(&properties);
    return e;
}

err *dml_analyze(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    (void)ret;
    return one_table(x, s, ast_get(s, SLOT_NAME));
}

/* ---- all tables of a schema ---- */

/* SHOW TABLES or SHOW VIEWS of a schema, as the user sees them: the second cell of a row is the name. */
static err *names_in(struct dml_x *x, const char *command, const str part[2], jval **ret) {
    buf q = {0};
    jval *answer;
    buf_fmt(&q, "{\"command\":\"%s\",\"schema\":[", command);
    buf_json_str(&q, part[0]);
    buf_c(&q, ',');
    buf_json_str(&q, part[1]);
    buf_z(&q, "]}");
    TRY(x->d->ask(x->d->arg, x->a, STR("command"), dml_take(x, &q), &answer));
    *ret = json_get(answer, "rows");
    return NULL;
}

/* A table that cannot be counted (not the user's to change, of another format) is passed over, as Spark does. */
static bool passed_over(const err *e) { return err_code_of(e) == ERR_SQL_ERROR || err_code_of(e) == ERR_PERMISSION_DENIED; }

err *dml_analyze_all(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    const struct ast *name = ast_get(s, SLOT_SCHEMA);
    str part[2] = {x->env.catalog, x->env.schema}, *given;
    size_t n_given = 0, i, n;
    jval *tables, *views, *row;
    (void)ret;
    if (name) TRY(dml_plain_name(x, &name));
    given = arena_array_of(x->a, str, (name ? name->n : 0) + 1);
    for (; name && n_given < name->n; n_given++) given[n_given] = name->child[n_given]->text;
    if (n_given > 2) return sql_error("IDENTIFIER_TOO_MANY_NAME_PARTS", name, x->d->text, "identifier", dml_z(x, str_of(arena_printf(x->a, "`%.*s`.`%.*s`.`%.*s`", STR_ARG(given[0]), STR_ARG(given[1]), STR_ARG(given[2])))), "limit", "2", NULL);
    for (size_t k = 0; k < n_given; k++) part[2 - n_given + k] = given[k];
    TRY(names_in(x, "show_views", part, &views));
    TRY(names_in(x, "show_tables", part, &tables));
    map *skip = map_new();
    yyjson_arr_foreach(views, i, n, row) map_put(skip, json_str(yyjson_arr_get(row, 1)), x);
    err *e = NULL;
    yyjson_arr_foreach(tables, i, n, row) {
        str table = json_str(yyjson_arr_get(row, 1));
        if (e || map_get(skip, table)) continue;
        struct ast *full = ast_new(x->a, AST_NAME, 0, 0);
        for (int k = 0; k < 3; k++) ast_add(x->a, full, ast_text(x->a, AST_IDENT, k < 2 ? part[k] : table));
        e = one_table(x, s, full);
        if (!passed_over(e)) continue;
        err_free(e);
        e = NULL;
    }
    map_free(skip);
    return e;
}
