/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sketches: which types go in, which constants are allowed, what the result of no rows is. A function is one row of
 * `sketches`; its C function (or aggregate) is named bh_ and its name, and takes the same arguments: what is counted as a
 * hash or coupon, a mode as its number.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sql/error.h"
#include "sql/func_rules.h"

enum into { AS_IS, HASH, COUPON, INTEGRAL, REALS, FLOATS };

struct sketch {
    const char *name;
    enum into into;          /* of argument 0 */
    signed char lg, mode, k; /* places of such arguments; -1: none */
    bool agg;
    const char *empty;       /* what an aggregate without rows is: hex, or a DuckDB text with {lg} or {k} as %d */
};

#define THETA_EMPTY "unhex('01030300001E0000')"
#define TUPLE_EMPTY "unhex('01030901000ECC93')"

static const struct sketch sketches[] = {
    {"theta_sketch_agg", HASH, 1, -1, -1, true, THETA_EMPTY},
    {"theta_union_agg", AS_IS, 1, -1, -1, true, THETA_EMPTY},
    {"theta_intersection_agg", AS_IS, -1, -1, -1, true, THETA_EMPTY},
    {"theta_union", AS_IS, 2, -1, -1, false, NULL},
    {"tuple_sketch_agg_double", HASH, 2, 3, -1, true, TUPLE_EMPTY},
    {"tuple_sketch_agg_integer", HASH, 2, 3, -1, true, TUPLE_EMPTY},
    {"tuple_union_agg_double", AS_IS, 1, 2, -1, true, TUPLE_EMPTY},
    {"tuple_union_agg_integer", AS_IS, 1, 2, -1, true, TUPLE_EMPTY},
    {"tuple_intersection_agg_double", AS_IS, -1, 1, -1, true, TUPLE_EMPTY},
    {"tuple_intersection_agg_integer", AS_IS, -1, 1, -1, true, TUPLE_EMPTY},
    {"tuple_union_double", AS_IS, 2, 3, -1, false, NULL},
    {"tuple_union_integer", AS_IS, 2, 3, -1, false, NULL},
    {"tuple_union_theta_double", AS_IS, 2, 3, -1, false, NULL},
    {"tuple_union_theta_integer", AS_IS, 2, 3, -1, false, NULL},
    {"tuple_intersection_double", AS_IS, -1, 2, -1, false, NULL},
    {"tuple_intersection_integer", AS_IS, -1, 2, -1, false, NULL},
    {"tuple_intersection_theta_double", AS_IS, -1, 2, -1, false, NULL},
    {"tuple_intersection_theta_integer", AS_IS, -1, 2, -1, false, NULL},
    {"tuple_sketch_summary_double", AS_IS, -1, 1, -1, false, NULL},
    {"tuple_sketch_summary_integer", AS_IS, -1, 1, -1, false, NULL},
    {"hll_sketch_agg", COUPON, 1, -1, -1, true, "bh_hll_empty(%d)"},
    {"hll_union_agg", AS_IS, -1, -1, -1, true, "bh_hll_empty(12)"},
    {"kll_sketch_agg_bigint", INTEGRAL, -1, -1, 1, true, "bh_kll_empty(%d)"},
    {"kll_sketch_agg_double", REALS, -1, -1, 1, true, "bh_kll_empty(%d)"},
    {"kll_sketch_agg_float", FLOATS, -1, -1, 1, true, "bh_kll_empty(%d)"},
    {"kll_merge_agg_bigint", AS_IS, -1, -1, 1, true, "bh_kll_empty(%d)"},
    {"kll_merge_agg_double", AS_IS, -1, -1, 1, true, "bh_kll_empty(%d)"},
    {"kll_merge_agg_float", AS_IS, -1, -1, 1, true, "bh_kll_empty(%d)"},
};

/* ---- errors ---- */

static const char *written(struct sql_call *c) {
    buf *b = arena_new_of(c->a, buf);
    buf_fmt(b, "\"%s(", c->f->name);
    for (size_t i = 0; i < c->n; i++) buf_fmt(b, "%s%.*s", i ? ", " : "", STR_ARG(c->args[i].caption));
    buf_z(b, ")\"");
    char *p = arena_strndup(c->a, b->p, b->n);
    buf_free(b);
    return p;
}

static const char *sql_name(struct sql_call *c, const struct sql_type *t) {
    buf b = {0};
    buf_c(&b, '"');
    sql_type_write_sql(t, &b);
    buf_c(&b, '"');
    char *p = arena_strndup(c->a, b.p, b.n);
    buf_free(&b);
    return p;
}

static err *wrong_type(struct sql_call *c, size_t i, const char *required) {
    static const char *const places[] = {"first", "second", "third", "fourth"};
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", c->ast, STR_NONE, "sqlExpr", written(c), "paramIndex", places[i], "requiredType", required, "inputSql",
                     arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[i].caption)), "inputType", sql_name(c, c->args[i].type), NULL);
}

static err *hinted(struct sql_call *c, const char *hint) {
    return sql_error("DATATYPE_MISMATCH.TYPE_CHECK_FAILURE_WITH_HINT", c->ast, STR_NONE, "sqlExpr", written(c), "msg", hint, "hint", "", NULL);
}

static const char *function(struct sql_call *c) { return arena_printf(c->a, "`%s`", c->f->name); }

static bool const_number(const struct sql_call *c, size_t i, double *ret) {
    return i < c->n && c->args[i].constant && c->args[i].value.p && str_to_f64(c->args[i].value, ret);
}

/* A constant integer; NULL counts as 0. */
static int const_int(const struct sql_call *c, size_t i, int other) {
    double d;
    if (i >= c->n) return other;
    return const_number(c, i, &d) && d >= -2147483648.0 && d <= 2147483647.0 ? (int)d : 0;
}

static err *check_lg(struct sql_call *c, int i) {
    if (i < 0) return NULL;
    bool hll = strcmp(c->f->name, "hll_sketch_agg") == 0;
    int v = const_int(c, (size_t)i, 12), most = hll ? 21 : 26;
    if (!c->args[i].constant && !hll) return sql_error("THETA_LG_NOM_ENTRIES_MUST_BE_CONSTANT", c->ast, STR_NONE, "function", function(c), NULL);
    if (v >= 4 && v <= most) return NULL;
    if (strncmp(c->f->name, "tuple", 5) == 0)
        return hinted(c, arena_printf(c->a, "[SKETCH_INVALID_LG_NOM_ENTRIES] Invalid call to `%s`: lgNomEntries is %d, not between 4 and 26.", c->f->name, v));
    return sql_error(hll ? "HLL_INVALID_LG_K" : "SKETCH_INVALID_LG_NOM_ENTRIES", c->ast, STR_NONE, "function", function(c), "min", "4", "max", hll ? "21" : "26", "value",
                     arena_printf(c->a, "%d", v), NULL);
}

static err *check_k(struct sql_call *c, int i) {
    if (i < 0 || (size_t)i >= c->n) return NULL;
    int v = const_int(c, (size_t)i, 200);
    if (v >= 8 && v <= 65535) return NULL;
    return hinted(c, arena_printf(c->a, "[KLL_SKETCH_K_OUT_OF_RANGE] For function `%s`, k must be between 8 and 65535, not %d.", c->f->name, v));
}

/* The mode's number, -1 where it has none. */
static int mode_of(const struct sql_call *c, int i) {
    static const char *const names[] = {"sum", "min", "max", "alwaysone"};
    for (int k = 0; i >= 0 && k < 4; k++)
        if (c->args[i].value.p && str_ieq(c->args[i].value, str_of(names[k]))) return k;
    return -1;
}

/* ---- what goes in ---- */

static err *hash_into(struct sql_call *c, buf *out, bool tuple) {
    const struct sql_type *t = c->args[0].type;
    const struct sql_type *e = t->kind == TY_ARRAY ? t->elem : NULL;
    if (t->kind == TY_INT || t->kind == TY_BIGINT || t->kind == TY_VOID) buf_z(out, "bh_sk_hash_l(CAST({0} AS BIGINT))");
    else if (t->kind == TY_DOUBLE || t->kind == TY_FLOAT || (tuple && sql_is_numeric(t))) buf_z(out, "bh_sk_hash_d(CAST({0} AS DOUBLE))");
    else if (sql_is_text(t)) buf_z(out, "bh_sk_hash_s({0})");
    else if (t->kind == TY_BINARY) buf_z(out, "bh_sk_hash_b({0})");
    else if (e && e->kind == TY_INT) buf_z(out, "bh_sk_hash_ints({0})");
    else if (e && e->kind == TY_BIGINT) buf_z(out, "bh_sk_hash_longs({0})");
    else
        return wrong_type(c, 0, "(\"ARRAY<INT>\" or \"ARRAY<BIGINT>\" or \"BINARY\" or \"DOUBLE\" or \"FLOAT\" or \"INT\" or \"BIGINT\" or \"STRING\")");
    return NULL;
}

static err *coupon_into(struct sql_call *c, buf *out) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_INT || t->kind == TY_BIGINT || t->kind == TY_VOID) buf_z(out, "bh_hll_coupon_l(CAST({0} AS BIGINT))");
    else if (sql_is_text(t)) buf_z(out, "bh_hll_coupon_s({0})");
    else if (t->kind == TY_BINARY) buf_z(out, "bh_hll_coupon_b({0})");
    else return wrong_type(c, 0, "(\"INT\" or \"BIGINT\" or \"STRING\" or \"BINARY\")");
    return NULL;
}

static err *first_into(struct sql_call *c, const struct sketch *s, buf *out) {
    enum sql_type_kind k = c->args[0].type->kind;
    switch (s->into) {
    case AS_IS: buf_z(out, "{0}"); return NULL;
    case HASH: return hash_into(c, out, s->mode >= 0);
    case COUPON: return coupon_into(c, out);
    case INTEGRAL:
        if (!sql_is_integral(c->args[0].type) && k != TY_VOID) return wrong_type(c, 0, "(\"TINYINT\" or \"INT\" or \"BIGINT\" or \"SMALLINT\")");
        buf_z(out, "CAST({0} AS BIGINT)");
        return NULL;
    case REALS:
        if (k != TY_FLOAT && k != TY_DOUBLE && k != TY_VOID) return wrong_type(c, 0, "(\"FLOAT\" or \"DOUBLE\")");
        buf_z(out, "CAST({0} AS DOUBLE)");
        return NULL;
    case FLOATS:
        if (k != TY_FLOAT && k != TY_VOID) return wrong_type(c, 0, "\"FLOAT\"");
        buf_z(out, "CAST({0} AS FLOAT)");
        return NULL;
    }
    return NULL;
}

/* The summary of a Tuple sketch's key: a double, or an integer that is cut off. */
static err *summary_into(struct sql_call *c, buf *out) {
    const struct sql_type *t = c->args[1].type;
    bool dbl = strcmp(c->f->name, "tuple_sketch_agg_double") == 0;
    if (sql_is_text(t)) buf_fmt(out, ", bh_cast_string_%s({1})", dbl ? "double" : "int");
    else if (dbl || sql_is_integral(t) || t->kind == TY_VOID) buf_fmt(out, ", CAST({1} AS %s)", dbl ? "DOUBLE" : "INTEGER");
    else if (sql_is_numeric(t)) buf_z(out, ", CAST(trunc({1}) AS INTEGER)");
    else return wrong_type(c, 1, dbl ? "\"DOUBLE\"" : "\"INT\"");
    return NULL;
}

static err *sketch_emit(struct sql_call *c, buf *out) {
    const struct sketch *s = NULL;
    for (size_t i = 0; i < ARRAY_LEN(sketches) && !s; i++)
        if (strcmp(sketches[i].name, c->f->name) == 0) s = &sketches[i];
    must(s);
    TRY(check_lg(c, s->lg));
    TRY(check_k(c, s->k));
    int mode = mode_of(c, s->mode);
    if (s->mode >= 0 && mode < 0)
        return hinted(c, arena_printf(c->a, "[TUPLE_INVALID_SKETCH_MODE] Invalid call to `%s`: mode '%.*s' is not one of sum, min, max, alwaysone.", c->f->name,
                                      STR_ARG(c->args[s->mode].value)));
    bool merge = strncmp(c->f->name, "kll_merge", 9) == 0;
    buf_fmt(out, "%sbh_%s(%s", s->agg ? "COALESCE(" : "", c->f->name, s->agg ? "{d}" : "");
    TRY(first_into(c, s, out));
    for (size_t i = 1; i < c->n; i++)
        if ((int)i == s->mode) buf_fmt(out, ", %d", mode);
        else if (i == 1 && s->lg == 2 && s->agg) TRY(summary_into(c, out));
        else buf_fmt(out, ", {%zu}", i);
    if (s->k >= 0 && c->n <= (size_t)s->k) buf_fmt(out, ", %d", merge ? 0 : 200);
    buf_c(out, ')');
    if (!s->agg) return NULL;
    buf_z(out, "{w}, ");
    buf_fmt(out, s->empty, s->lg >= 0 ? const_int(c, (size_t)s->lg, 12) : s->k >= 0 ? const_int(c, (size_t)s->k, 200) : 0);
    buf_c(out, ')');
    return NULL;
}

/* ---- count-min ---- */

static err *out_of_range(struct sql_call *c, size_t i, const char *name, const char *range) {
    return sql_error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE", c->ast, STR_NONE, "sqlExpr", written(c), "exprName", name, "valueRange", range, "currentValue",
                     arena_printf(c->a, "%.*s", STR_ARG(c->args[i].value)), NULL);
}

static err *count_min_emit(struct sql_call *c, buf *out) {
    const struct sql_type *t = c->args[0].type;
    double eps = 0, confidence = 0;
    bool number = sql_is_integral(t) || t->kind == TY_VOID;
    if (!number && !sql_is_text(t) && t->kind != TY_BINARY) return wrong_type(c, 0, "(\"INTEGRAL\" or \"STRING\" or \"BINARY\")");
    if (c->args[1].type->kind != TY_DOUBLE) return wrong_type(c, 1, "\"DOUBLE\"");
    if (c->args[2].type->kind != TY_DOUBLE) return wrong_type(c, 2, "\"DOUBLE\"");
    if (!const_number(c, 1, &eps) || !(eps > 0)) return out_of_range(c, 1, "eps", "(0.0, 1.7976931348623157E308]");
    if (!const_number(c, 2, &confidence) || !(confidence > 0 && confidence <= 1)) return out_of_range(c, 2, "confidence", "(0.0, 1.0]");
    buf_fmt(out, "COALESCE(bh_count_min_%s({d}%s, {1}, {2}, CAST({3} AS INTEGER)){w}, bh_cms_empty({1}, {2}, CAST({3} AS INTEGER)))", number ? "long" : "bytes",
            number ? "CAST({0} AS BIGINT)" : sql_is_text(t) ? "encode({0})" : "{0}");
    return NULL;
}

/* ---- frequent items ---- */

/* The kind of an item (engine/worker/sketch.h); 0: cannot be counted. */
static int item_kind(const struct sql_type *t) {
    switch (t->kind) {
    case TY_BOOLEAN: return 'B';
    case TY_TINYINT: return 'c';
    case TY_SMALLINT: return 'h';
    case TY_INT:
    case TY_VOID:
    case TY_DATE: return 'i';
    case TY_BIGINT:
    case TY_TIMESTAMP:
    case TY_TIMESTAMP_NTZ: return 'l';
    case TY_FLOAT: return 'f';
    case TY_DOUBLE: return 'd';
    case TY_DECIMAL: return (t->precision <= 18 ? 'm' : 'M') | t->scale << 8;
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: return 's';
    default: return 0;
    }
}

static err *positive(struct sql_call *c, size_t i, const char *name) {
    if (i >= c->n) return NULL;
    if (!c->args[i].value.p) return sql_error("APPROX_TOP_K_NULL_ARG", c->ast, STR_NONE, "argName", name, "functionName", function(c), NULL);
    if (const_int(c, i, 1) > 0) return NULL;
    return sql_error("APPROX_TOP_K_NON_POSITIVE_ARG", c->ast, STR_NONE, "argName", name, "functionName", function(c), "argValue", arena_printf(c->a, "%.*s", STR_ARG(c->args[i].value)), NULL);
}

static err *check_tracked(struct sql_call *c, size_t i) {
    TRY(positive(c, i, "`maxItemsTracked`"));
    if (const_int(c, i, 1) <= 1000000) return NULL;
    return sql_error("APPROX_TOP_K_MAX_ITEMS_TRACKED_EXCEEDS_LIMIT", c->ast, STR_NONE, "maxItemsTracked", arena_printf(c->a, "%.*s", STR_ARG(c->args[i].value)), "functionName", function(c),
                     "limit", "1000000", NULL);
}

/* The items of a sketch (a DuckDB text) as an array of structs. */
static void rows_of(const char *sketch, const char *k, const struct sql_type *item, buf *out) {
    int kind = item_kind(item);
    buf text = {0}, type = {0};
    buf_fmt(&text, "bh_topk_text(e{#}, %d)", kind);
    if (item->kind == TY_DATE) buf_fmt(out, "list_transform(bh_topk_rows(%s, %s, %d), lambda e{#}: {{'f0': CAST(DATE '1970-01-01' + CAST(%.*s AS INTEGER) AS DATE)", sketch, k, kind, STR_ARG(buf_view(&text)));
    else if (item->kind == TY_TIMESTAMP || item->kind == TY_TIMESTAMP_NTZ)
        buf_fmt(out, "list_transform(bh_topk_rows(%s, %s, %d), lambda e{#}: {{'f0': %s(CAST(%.*s AS BIGINT))", sketch, k, kind, item->kind == TY_TIMESTAMP ? "make_timestamptz" : "make_timestamp",
                STR_ARG(buf_view(&text)));
    else {
        sql_type_write_duckdb(item, &type);
        buf_fmt(out, "list_transform(bh_topk_rows(%s, %s, %d), lambda e{#}: {{'f0': CAST(%.*s AS %.*s)", sketch, k, kind, STR_ARG(buf_view(&text)),
                item->kind == TY_VOID ? 7 : (int)type.n, item->kind == TY_VOID ? "INTEGER" : type.p);
    }
    buf_z(out, ", 'f1': bh_topk_count(e{#})}})");
    buf_free(&text);
    buf_free(&type);
}

static err *accumulated(struct sql_call *c, const char *most, buf *out) {
    int kind = item_kind(c->args[0].type);
    if (!kind) {
        buf b = {0};
        sql_type_write(c->args[0].type, &b);
        const struct sql_type *t = c->args[0].type;
        err *e = hinted(c, arena_printf(c->a, "%.*s columns are not supported", t->kind == TY_ARRAY ? 5 : t->kind == TY_STRUCT ? 6 : t->kind == TY_MAP ? 3 : (int)b.n, b.p));
        buf_free(&b);
        return e;
    }
    buf_fmt(out, "COALESCE(bh_approx_top_k_accumulate({d}bh_topk_item(%s), %s, %d){w}, bh_topk_empty(%s))", c->args[0].type->kind == TY_VOID ? "CAST({0} AS INTEGER)" : "{0}", most, kind, most);
    return NULL;
}

static err *top_k_emit(struct sql_call *c, buf *out) {
    TRY(positive(c, 1, "`k`"));
    TRY(check_tracked(c, 2));
    if (const_int(c, 1, 5) > const_int(c, 2, 10000))
        return sql_error("APPROX_TOP_K_MAX_ITEMS_TRACKED_LESS_THAN_K", c->ast, STR_NONE, "maxItemsTracked", arena_printf(c->a, "%.*s", STR_ARG(c->args[2].value)), "functionName", function(c), "k",
                         arena_printf(c->a, "%.*s", STR_ARG(c->args[1].value)), NULL);
    buf sketch = {0};
    err *e = accumulated(c, "{2}", &sketch);
    buf_c(&sketch, 0);
    if (!e) rows_of(sketch.p, "{1}", c->args[0].type, out);
    buf_free(&sketch);
    return e;
}

static void state_of(struct sql_call *c, const char *sketch, const char *most, const struct sql_type *item, const char *ddl, buf *out) {
    buf type = {0}, name = {0};
    (void)c;
    sql_type_write_duckdb(item, &type);
    sql_type_write_sql(item, &name);
    buf_fmt(out, "{{'f0': %s, 'f1': %s, 'f2': CAST(NULL AS %.*s), 'f3': ", sketch, most, item->kind == TY_VOID ? 7 : (int)type.n, item->kind == TY_VOID ? "INTEGER" : type.p);
    if (ddl) buf_z(out, ddl);
    else if (sql_is_text(item)) buf_z(out, "'item string not null'");
    else buf_fmt(out, "'item %.*s NOT NULL'", STR_ARG(buf_view(&name)));
    buf_z(out, "}}");
    buf_free(&type);
    buf_free(&name);
}

static err *state_type(struct sql_call *c, const struct sql_type *item, const struct sql_type **ret) {
    struct sql_field *f = arena_array_of(c->a, struct sql_field, 4);
    f[0] = (struct sql_field){.name = STR("sketch"), .type = sql_type_of(TY_BINARY), .nullable = false};
    f[1] = (struct sql_field){.name = STR("maxItemsTracked"), .type = sql_type_of(TY_INT), .nullable = false};
    f[2] = (struct sql_field){.name = STR("itemDataType"), .type = item, .nullable = true};
    f[3] = (struct sql_field){.name = STR("itemDataTypeDDL"), .type = sql_type_of(TY_STRING), .nullable = false};
    *ret = sql_struct(c->a, f, 4);
    return NULL;
}

static err *accumulate_type(struct sql_call *c, const struct sql_type **ret) { return state_type(c, c->args[0].type, ret); }

static err *accumulate_emit(struct sql_call *c, buf *out) {
    TRY(check_tracked(c, 1));
    buf sketch = {0};
    err *e = accumulated(c, "{1}", &sketch);
    buf_c(&sketch, 0);
    if (!e) state_of(c, sketch.p, "{1}", c->args[0].type, NULL, out);
    buf_free(&sketch);
    return e;
}

/* The item's type of a state, or the error that the argument is none. */
static err *item_of(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind != TY_STRUCT) return wrong_type(c, 0, "\"STRUCT\"");
    if (t->n != 4 || t->fields[0].type->kind != TY_BINARY || t->fields[1].type->kind != TY_INT || !item_kind(t->fields[2].type) || !sql_is_text(t->fields[3].type))
        return hinted(c, "State must be a struct of sketch, maxItemsTracked, itemDataType, itemDataTypeDDL.");
    *ret = t->fields[2].type;
    return NULL;
}

static err *combine_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *item;
    TRY(item_of(c, &item));
    return state_type(c, item, ret);
}

static err *combine_emit(struct sql_call *c, buf *out) {
    const struct sql_type *item;
    TRY(item_of(c, &item));
    if (c->args[1].value.p && !str_eqz(c->args[1].value, "-1")) TRY(check_tracked(c, 1));
    int most = const_int(c, 1, -1);
    char sketch[160], size[64];
    snprintf(sketch, sizeof sketch, "COALESCE(bh_approx_top_k_combine({d}({0}).f0, ({0}).f1, {1}, %d){w}, bh_topk_empty(%d))", item_kind(item), most > 0 ? most : 10000);
    snprintf(size, sizeof size, "%s", most > 0 ? "{1}" : "COALESCE(max(({0}).f1){w}, 10000)");
    state_of(c, sketch, size, item, "max(({0}).f3){w}", out);
    return NULL;
}

static err *estimate_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *item;
    TRY(item_of(c, &item));
    struct sql_field *f = arena_array_of(c->a, struct sql_field, 2);
    f[0] = (struct sql_field){.name = STR("item"), .type = item, .nullable = true};
    f[1] = (struct sql_field){.name = STR("count"), .type = sql_type_of(TY_BIGINT), .nullable = false};
    *ret = sql_array(c->a, sql_struct(c->a, f, 2), false);
    return NULL;
}

static err *estimate_emit(struct sql_call *c, buf *out) {
    TRY(positive(c, 1, "`k`"));
    rows_of("({0}).f0", "{1}", c->args[0].type->fields[2].type, out);
    return NULL;
}

/* ---- histogram_numeric ---- */

static const struct sql_type *bin_type(const struct sql_type *t) {
    return sql_is_text(t) || t->kind == TY_VOID ? sql_type_of(TY_DOUBLE) : t;
}

static err *histogram_type(struct sql_call *c, const struct sql_type **ret) {
    struct sql_field *f = arena_array_of(c->a, struct sql_field, 2);
    f[0] = (struct sql_field){.name = STR("x"), .type = bin_type(c->args[0].type), .nullable = true};
    f[1] = (struct sql_field){.name = STR("y"), .type = sql_type_of(TY_DOUBLE), .nullable = true};
    *ret = sql_array(c->a, sql_struct(c->a, f, 2), true);
    return NULL;
}

static err *histogram_emit(struct sql_call *c, buf *out) {
    enum sql_type_kind k = bin_type(c->args[0].type)->kind;
    const char *in = "CAST({0} AS DOUBLE)", *back = "CAST(trunc(a{#}[2*i{#}+1]) AS {type:0})";
    if (const_int(c, 1, 2) < 2) return out_of_range(c, 1, "nb", "[2, 2147483647]");
    switch (k) {
    case TY_DOUBLE: back = "a{#}[2*i{#}+1]"; break;
    case TY_FLOAT:
    case TY_DECIMAL: back = "CAST(a{#}[2*i{#}+1] AS {type:0})"; break;
    case TY_DATE:
        in = "CAST({0} - DATE '1970-01-01' AS DOUBLE)";
        back = "CAST(DATE '1970-01-01' + CAST(trunc(a{#}[2*i{#}+1]) AS INTEGER) AS DATE)";
        break;
    case TY_TIMESTAMP:
    case TY_TIMESTAMP_NTZ:
        in = "CAST(epoch_us({0}) AS DOUBLE)";
        back = k == TY_TIMESTAMP ? "make_timestamptz(CAST(trunc(a{#}[2*i{#}+1]) AS BIGINT))" : "make_timestamp(CAST(trunc(a{#}[2*i{#}+1]) AS BIGINT))";
        break;
    default: break;
    }
    if (sql_is_text(c->args[0].type)) in = "bh_cast_string_double({0})";
    buf_fmt(out, "list_transform([bh_doubles(bh_histogram_numeric({d}%s, {1}){w})], lambda a{#}: list_transform(range(0, len(a{#}) // 2), lambda i{#}: {{'f0': %s, 'f1': a{#}[2*i{#}+2]}}))[1]",
            in, back);
    return NULL;
}

static const struct sql_rule rules[] = {
    {"sketch", NULL, sketch_emit, NULL},
    {"count_min", NULL, count_min_emit, NULL},
    {"approx_top_k", NULL, top_k_emit, NULL},
    {"approx_top_k_accumulate", accumulate_type, accumulate_emit, NULL},
    {"approx_top_k_combine", combine_type, combine_emit, NULL},
    {"approx_top_k_estimate", estimate_type, estimate_emit, NULL},
    {"histogram_numeric", histogram_type, histogram_emit, NULL},
};

const struct sql_rule_list sql_rules_sketch = {rules, ARRAY_LEN(rules)};
