/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of arrays, maps and generators: names of fields, types of elements, sequences, folds. */
#include "sql/bind.h"
#include "sql/func_rules.h"

static const struct sql_type *elem_of(const struct sql_type *t) {
    return t->kind == TY_ARRAY ? t->elem : sql_type_of(TY_VOID);
}

static err *element(struct sql_call *c, const struct sql_type **ret) {
    *ret = elem_of(c->args[0].type);
    return NULL;
}

static err *map_value(struct sql_call *c, const struct sql_type **ret) {
    *ret = c->args[0].type->kind == TY_MAP ? c->args[0].type->elem : sql_type_of(TY_VOID);
    return NULL;
}

static err *array_of_0(struct sql_call *c, const struct sql_type **ret) {
    *ret = sql_array(c->a, c->args[0].type, false);
    return NULL;
}

static err *want_structs(struct sql_call *c, const char *what) {
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", c->ast, STR_NONE, "sqlExpr", arena_printf(c->a, "\"%s\"", c->f->name), "paramIndex", "first",
                     "requiredType", what, "inputSql", arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[0].caption)), "inputType", "\"ARRAY\"", NULL);
}

static err *map_from_entries(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *e = elem_of(c->args[0].type);
    if (e->kind != TY_STRUCT || e->n != 2) return want_structs(c, "\"ARRAY\" of pair \"STRUCT\"");
    *ret = sql_map(c->a, e->fields[0].type, e->fields[1].type, e->fields[1].nullable);
    return NULL;
}

/* ---- arrays_zip ---- */

static str zip_name(struct sql_call *c, size_t i) {
    const struct ast *x = c->ast && c->ast->kind == AST_CALL && i < c->ast->n ? c->ast->child[i] : NULL;
    if (x && x->kind == AST_COLUMN && x->child[0]->kind == AST_NAME) return x->child[0]->child[x->child[0]->n - 1]->text;
    return str_of(arena_printf(c->a, "%zu", i));
}

static err *zip_type(struct sql_call *c, const struct sql_type **ret) {
    struct sql_field *f = arena_array_of(c->a, struct sql_field, c->n + 1);
    for (size_t i = 0; i < c->n; i++) f[i] = (struct sql_field){.name = zip_name(c, i), .type = elem_of(c->args[i].type), .nullable = true};
    *ret = sql_array(c->a, sql_struct(c->a, f, c->n), false);
    return NULL;
}

static err *zip_emit(struct sql_call *c, buf *out) {
    buf_z(out, "list_transform([{{");
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s'a%zu': {%zu}", i ? ", " : "", i, i);
    if (c->n == 0) buf_z(out, "'z': 0");
    buf_z(out, "}}], lambda p{#}: list_transform(CASE WHEN true");
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, " AND p{#}.a%zu IS NOT NULL", i);
    buf_z(out, " THEN range(1, greatest(0");
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, ", len(p{#}.a%zu)", i);
    buf_z(out, ") + 1) END, lambda i{#}: {{");
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s'f%zu': p{#}.a%zu[i{#}]", i ? ", " : "", i, i);
    if (c->n == 0) buf_z(out, "'f0': true");
    buf_z(out, "}}))[1]");
    return NULL;
}

/* ---- aggregate ---- */

/* DuckDB folds only into the elements' own type, so element and accumulator travel in one struct. */
static err *reduce_emit(struct sql_call *c, buf *out) {
    buf x = {0};
    sql_type_write_duckdb(elem_of(c->args[0].type), &x);
    if (c->n > 3) buf_z(out, "list_transform([");
    buf_fmt(out, "list_reduce(list_transform({0}, lambda x{#}: {{'a': CAST(NULL AS {type:1}), 'x': x{#}}}), lambda s{#}, e{#}: "
                 "{{'a': {2|s{#}.a|e{#}.x}, 'x': CAST(NULL AS %.*s)}}, {{'a': {1}, 'x': CAST(NULL AS %.*s)}}).a",
            (int)x.n, x.p, (int)x.n, x.p);
    if (c->n > 3) buf_z(out, "], lambda f{#}: {3|f{#}})[1]");
    buf_free(&x);
    return NULL;
}

/* ---- sequence ---- */

static err *sequence_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *t = sql_common_type(c->a, c->args[0].type, c->args[1].type);
    *ret = sql_array(c->a, t ? t : c->args[0].type, false);
    return NULL;
}

static err *sequence_emit(struct sql_call *c, buf *out) {
    if (c->n == 2) {
        buf_z(out, "CAST(generate_series(CAST({0} AS BIGINT), CAST({1} AS BIGINT), CASE WHEN {0} <= {1} THEN 1 ELSE -1 END) AS {type})");
        return NULL;
    }
    buf_z(out, "CAST(CASE WHEN ({2} > 0 AND {0} <= {1}) OR ({2} < 0 AND {0} >= {1}) OR ({2} = 0 AND {0} = {1}) THEN "
               "generate_series(CAST({0} AS BIGINT), CAST({1} AS BIGINT), CASE WHEN {2} = 0 THEN 1 ELSE CAST({2} AS BIGINT) END) "
               "WHEN {0} IS NULL OR {1} IS NULL OR {2} IS NULL THEN NULL ELSE "
               "error('[INTERNAL_ERROR] {{\"message\":\"Illegal sequence boundaries\"}}') END AS {type})");
    return NULL;
}

/* More candidates than needed, from the first by the step; those beyond the end are dropped. */
static err *sequence_date_emit(struct sql_call *c, buf *out) {
    bool ym = c->args[2].type->kind == TY_INTERVAL_YM, date = c->args[0].type->kind == TY_DATE;
    const char *count = ym ? "abs(epoch_us({1}) - epoch_us({0})) // (abs({2}) * 2419200000000) + 1" : "abs(epoch_us({1}) - epoch_us({0})) // abs({2})";
    buf_fmt(out, "list_filter(list_transform(range(0, CAST(CASE WHEN {2} = 0 THEN 0 ELSE %s + 1 END AS BIGINT)), lambda i{#}: ", count);
    if (ym)
        buf_z(out, date ? "bh_add_months({0}, CAST(i{#} * {2} AS INTEGER))" : "bh_ts_add_months({0}, CAST(i{#} * {2} AS INTEGER), {tz})");
    else
        buf_z(out, date ? "CAST(bh_ntz_add_dt(CAST({0} AS TIMESTAMP), CAST(i{#} * {2} AS BIGINT)) AS DATE)" : "bh_ts_add_dt({0}, CAST(i{#} * {2} AS BIGINT), {tz})");
    buf_z(out, "), lambda d{#}: CASE WHEN {2} > 0 THEN d{#} <= {1} ELSE d{#} >= {1} END)");
    return NULL;
}

/* ---- generators ---- */

static err *explode_type(struct sql_call *c, const struct sql_type **ret) {
    struct sql_field *f = arena_new_of(c->a, struct sql_field);
    *f = (struct sql_field){.name = STR("col"), .type = elem_of(c->args[0].type), .nullable = true};
    *ret = sql_struct(c->a, f, 1);
    return NULL;
}

static err *posexplode_type(struct sql_call *c, const struct sql_type **ret) {
    struct sql_field *f = arena_array_of(c->a, struct sql_field, 2);
    f[0] = (struct sql_field){.name = STR("pos"), .type = sql_type_of(TY_INT)};
    f[1] = (struct sql_field){.name = STR("col"), .type = elem_of(c->args[0].type), .nullable = true};
    *ret = sql_struct(c->a, f, 2);
    return NULL;
}

static err *inline_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *e = elem_of(c->args[0].type);
    if (e->kind != TY_STRUCT || e->n == 0) return want_structs(c, "\"ARRAY<STRUCT>\"");
    *ret = e;
    return NULL;
}

static err *inline_emit(struct sql_call *c, buf *out) {
    const struct sql_type *e = elem_of(c->args[0].type);
    /* A generator of one column yields the values themselves. */
    buf_z(out, e->n == 1 ? "list_transform({0}, lambda e{#}: struct_extract(e{#}, 'f0'))" : "{0}");
    return NULL;
}

static err *stack_rows(struct sql_call *c, size_t *rows, size_t *width) {
    int64_t n = 0;
    if (!c->args[0].value.p || !str_to_i64(c->args[0].value, &n) || n < 1 || n > 100000)
        return sql_error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE", c->ast, STR_NONE, "sqlExpr", "\"stack\"", "exprName", "`n`", "valueRange", "(0, 2147483647]",
                         "currentValue", arena_printf(c->a, "%lld", (long long)n), NULL);
    *rows = (size_t)n;
    *width = (c->n - 1 + (size_t)n - 1) / (size_t)n;
    if (*width == 0) *width = 1;
    return NULL;
}

static err *stack_type(struct sql_call *c, const struct sql_type **ret) {
    size_t rows, width;
    TRY(stack_rows(c, &rows, &width));
    struct sql_field *f = arena_array_of(c->a, struct sql_field, width + 1);
    for (size_t k = 0; k < width; k++) {
        const struct sql_type *t = sql_type_of(TY_VOID);
        for (size_t i = k; i + 1 < c->n && t; i += width) t = sql_common_type(c->a, t, c->args[i + 1].type);
        if (!t)
            return sql_error("DATATYPE_MISMATCH.STACK_COLUMN_DIFF_TYPES", c->ast, STR_NONE, "sqlExpr", "\"stack\"", "columnIndex", arena_printf(c->a, "%zu", k),
                             "leftParamIndex", "", "leftType", "", "rightParamIndex", "", "rightType", "", NULL);
        f[k] = (struct sql_field){.name = str_of(arena_printf(c->a, "col%zu", k)), .type = t, .nullable = true};
    }
    *ret = sql_struct(c->a, f, width);
    return NULL;
}

static err *stack_emit(struct sql_call *c, buf *out) {
    size_t rows, width;
    TRY(stack_rows(c, &rows, &width));
    const struct sql_type *st = c->type;
    buf_c(out, '[');
    for (size_t r = 0; r < rows; r++) {
        if (r) buf_z(out, ", ");
        if (width > 1) buf_z(out, "{{");
        for (size_t k = 0; k < width; k++) {
            size_t i = r * width + k + 1;
            if (k) buf_z(out, ", ");
            if (width > 1) buf_fmt(out, "'f%zu': ", k);
            buf_z(out, "CAST(");
            if (i < c->n)
                buf_fmt(out, "{%zu}", i);
            else
                buf_z(out, "NULL");
            buf_z(out, " AS ");
            sql_type_write_duckdb(st->fields[k].type, out);
            buf_c(out, ')');
        }
        if (width > 1) buf_z(out, "}}");
    }
    buf_c(out, ']');
    return NULL;
}

/* A NULL map makes the whole NULL, which DuckDB's map_concat does not. */
static err *map_concat_emit(struct sql_call *c, buf *out) {
    bool any = false;
    for (size_t i = 0; i < c->n; i++) any |= c->args[i].nullable;
    if (any) {
        buf_z(out, "CASE WHEN ");
        for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s{%zu} IS NULL", i ? " OR " : "", i);
        buf_z(out, " THEN NULL ELSE ");
    }
    if (c->n < 2) buf_z(out, "{0}");
    else {
        /* A key that stands twice is an error. */
        buf_z(out, "list_transform([{{'m': map_concat({*}), 'n': ");
        for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%scardinality({%zu})", i ? " + " : "", i);
        buf_z(out, "}}], lambda m{#}: CASE WHEN cardinality(m{#}.m) < m{#}.n THEN error('[DUPLICATED_MAP_KEY] {{\"key\":\"\",\"mapKeyDedupPolicy\":\"\\\"spark.sql.mapKeyDedupPolicy\\\"\"}}') ELSE m{#}.m END)[1]");
    }
    if (any) buf_z(out, " END");
    return NULL;
}

static const struct sql_rule rules[] = {
    {"map_concat", NULL, map_concat_emit, NULL},
    {"element", element, NULL, NULL},
    {"map_value", map_value, NULL, NULL},
    {"array_of_0", array_of_0, NULL, NULL},
    {"map_from_entries", map_from_entries, NULL, NULL},
    {"arrays_zip", zip_type, zip_emit, NULL},
    {"reduce", NULL, reduce_emit, NULL},
    {"sequence", sequence_type, sequence_emit, NULL},
    {"sequence_date", sequence_type, sequence_date_emit, NULL},
    {"explode", explode_type, NULL, NULL},
    {"posexplode", posexplode_type, NULL, NULL},
    {"inline", inline_type, inline_emit, NULL},
    {"stack", stack_type, stack_emit, NULL},
};
const struct sql_rule_list sql_rules_coll = {rules, ARRAY_LEN(rules)};
