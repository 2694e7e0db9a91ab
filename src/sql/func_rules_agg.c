/* SPDX-License-Identifier: Apache-2.0 */
/* Types and texts of aggregates: sums widen, averages of decimals are exact, percentiles follow their input. */
#include "sql/func_rules.h"

#include "sql/error.h"

/* sum: integers → bigint, float → double, decimal(p,s) → decimal(min(38, p + 10), s), intervals stay. */
static err *sum_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_DECIMAL) {
        int p = t->precision + 10;
        *ret = sql_decimal(c->a, p > 38 ? 38 : p, t->scale);
    } else if (sql_is_integral(t)) {
        *ret = sql_type_of(TY_BIGINT);
    } else if (t->kind == TY_INTERVAL_YM || t->kind == TY_INTERVAL_DT) {
        *ret = t;
    } else {
        *ret = sql_type_of(TY_DOUBLE);
    }
    return NULL;
}

/* DuckDB sums integers into HUGEINT and decimals into DECIMAL(38, s); the cast at the end checks the range. */
static err *sum_emit(struct sql_call *c, buf *out) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_INTERVAL_YM || t->kind == TY_INTERVAL_DT)
        buf_z(out, "CASE WHEN TRY_CAST(sum({d}{0}){w} AS {type}) IS NULL AND count({d}{0}){w} > 0 THEN error('[INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION] {{\"functionName\":\"`try_add`\"}}') "
                   "ELSE TRY_CAST(sum({d}{0}){w} AS {type}) END");
    else if (sql_is_integral(t) || t->kind == TY_DECIMAL)
        buf_z(out, "CAST(sum({d}{0}){w} AS {type})");
    else
        buf_z(out, "sum({d}{0}){w}");
    return NULL;
}

static err *try_sum_emit(struct sql_call *c, buf *out) {
    if (c->args[0].type->kind == TY_INTERVAL_YM || c->args[0].type->kind == TY_INTERVAL_DT) {
        buf_z(out, "TRY_CAST(sum({d}{0}){w} AS {type})");
        return NULL;
    }
    TRY(sum_emit(c, out));
    if (out->n > 4 && memcmp(out->p, "CAST", 4) == 0) {
        buf_clear(out);
        buf_z(out, "TRY_CAST(sum({d}{0}){w} AS {type})");
    }
    return NULL;
}

/* avg: decimal(p,s) → decimal(min(38, p + 4), min(38, s + 4)), everything else double; intervals stay. */
static err *avg_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_DECIMAL) {
        int p = t->precision + 4, s = t->scale + 4;
        *ret = sql_decimal(c->a, p > 38 ? 38 : p, s > 38 ? 38 : s);
    } else if (t->kind == TY_INTERVAL_YM || t->kind == TY_INTERVAL_DT) {
        *ret = t->kind == TY_INTERVAL_YM ? sql_interval(c->a, UNIT_YEAR, UNIT_MONTH) : sql_interval(c->a, UNIT_DAY, UNIT_SECOND);
    } else {
        *ret = sql_type_of(TY_DOUBLE);
    }
    return NULL;
}

static err *avg_emit(struct sql_call *c, buf *out) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_DECIMAL)
        buf_fmt(out, "CAST(bh_decimal_div_%d(sum({d}{0}){w}, count({d}{0}){w}) AS {type})",
                c->type->scale);
    else if (t->kind == TY_INTERVAL_YM || t->kind == TY_INTERVAL_DT)
        buf_fmt(out, "CASE WHEN TRY_CAST(sum({d}{0}){w} AS %s) IS NULL AND count({d}{0}){w} > 0 THEN error('[INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION] {{\"functionName\":\"`try_add`\"}}') "
                     "ELSE CAST(bh_round_half_up(sum({d}{0}){w}, count({d}{0}){w}) AS {type}) END",
                t->kind == TY_INTERVAL_YM ? "INTEGER" : "BIGINT");
    else
        buf_z(out, "avg({d}{0}){w}");
    return NULL;
}

/* Sums of intervals beyond their own type: NULL here, an error in avg and sum. */
static const char *interval_type(const struct sql_type *t) { return t->kind == TY_INTERVAL_YM ? "INTEGER" : "BIGINT"; }

static err *try_avg_emit(struct sql_call *c, buf *out) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind != TY_INTERVAL_YM && t->kind != TY_INTERVAL_DT) return avg_emit(c, out);
    buf_fmt(out, "CASE WHEN TRY_CAST(sum({d}{0}){w} AS %s) IS NOT NULL THEN CAST(bh_round_half_up(sum({d}{0}){w}, count({d}{0}){w}) AS {type}) END", interval_type(t));
    return NULL;
}

static err *ignoring(struct sql_call *c, const char *name, buf *out) {
    bool yes = c->args[1].value.p && str_eqz(c->args[1].value, "true");
    buf_fmt(out, yes ? "%s({0}{n}){f}" : "%s({0}{o}{i}){w}", name);
    return NULL;
}
static err *first_if(struct sql_call *c, buf *out) { return ignoring(c, "first", out); }
static err *last_if(struct sql_call *c, buf *out) { return ignoring(c, "last", out); }

/* Percentiles of numbers are doubles, those of intervals stay intervals. */
static err *percentile_type(struct sql_call *c, const struct sql_type **ret) {
    enum sql_type_kind k = c->args[0].type->kind;
    *ret = k == TY_INTERVAL_YM ? sql_interval(c->a, UNIT_YEAR, UNIT_MONTH) : k == TY_INTERVAL_DT ? sql_interval(c->a, UNIT_DAY, UNIT_SECOND) : sql_type_of(TY_DOUBLE);
    return NULL;
}

/* A value with a frequency stands so many times. */
static err *weighted_emit(struct sql_call *c, buf *out) {
    bool interval = c->type->kind == TY_INTERVAL_YM || c->type->kind == TY_INTERVAL_DT;
    if (interval) buf_z(out, "CAST(trunc(");
    buf_z(out, "list_aggregate(flatten(list(CASE WHEN {2} < 0 THEN error('[NEGATIVE_VALUES_IN_FREQUENCY_EXPRESSION] {{\"frequencyExpression\":\"\",\"negativeValue\":\"' || {2} || '\"}}') "
               "WHEN {2} > 0 AND {0} IS NOT NULL THEN list_resize(CAST([] AS DOUBLE[]), CAST({2} AS BIGINT), CAST({0} AS DOUBLE)) ELSE CAST([] AS DOUBLE[]) END){w}), 'quantile_cont', {1})");
    if (interval) buf_z(out, ") AS {type})");
    return NULL;
}

static err *percentile_emit(struct sql_call *c, buf *out) {
    if (c->n > 2 && !(c->args[2].constant && c->args[2].value.p && str_eqz(c->args[2].value, "1"))) return weighted_emit(c, out);
    if (c->type->kind == TY_DOUBLE)
        buf_z(out, "quantile_cont(CAST({0} AS DOUBLE), {1}){w}");
    else
        buf_z(out, "CAST(trunc(quantile_cont(CAST({0} AS DOUBLE), {1}){w}) AS {type})");
    return NULL;
}

/* Among values too the result of numbers is a double; intervals have all their fields. */
static err *percentile_disc_type(struct sql_call *c, const struct sql_type **ret) {
    enum sql_type_kind k = c->args[0].type->kind;
    *ret = k == TY_INTERVAL_YM ? sql_interval(c->a, UNIT_YEAR, UNIT_MONTH) : k == TY_INTERVAL_DT ? sql_interval(c->a, UNIT_DAY, UNIT_SECOND) : sql_type_of(TY_DOUBLE);
    return NULL;
}

static err *percentile_disc_emit(struct sql_call *c, buf *out) {
    buf_z(out, c->type->kind == TY_DOUBLE ? "quantile_disc(CAST({0} AS DOUBLE), {1}){w}" : "quantile_disc({0}, {1}){w}");
    return NULL;
}

/* Within structs NULL is the least; DuckDB has it as the greatest. */
static void nulls_first(const char *x, const struct sql_type *t, int depth, buf *out) {
    char part[96];
    if (t->kind != TY_STRUCT || depth > 4) {
        buf_fmt(out, "%s IS NOT NULL, %s", x, x);
        return;
    }
    buf_fmt(out, "%s IS NOT NULL", x);
    for (size_t i = 0; i < t->n; i++) {
        buf_z(out, ", ");
        if ((size_t)snprintf(part, sizeof part, "%s.f%zu", x, i) < sizeof part) nulls_first(part, t->fields[i].type, depth + 1, out);
    }
}

static err *extreme(struct sql_call *c, const char *name, buf *out) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind != TY_STRUCT) {
        buf_fmt(out, "%s({0})", name);
        return NULL;
    }
    buf_fmt(out, "arg_%s({0}, list_transform([{0}], lambda s{#}: CASE WHEN s{#} IS NOT NULL THEN row(", name);
    nulls_first("s{#}", t, 0, out);
    buf_z(out, ") END)[1]){w}");
    return NULL;
}
static err *min_emit(struct sql_call *c, buf *out) { return extreme(c, "min", out); }
static err *max_emit(struct sql_call *c, buf *out) { return extreme(c, "max", out); }

static err *median_emit(struct sql_call *c, buf *out) {
    if (c->type->kind == TY_DOUBLE)
        buf_z(out, "quantile_cont(CAST({0} AS DOUBLE), 0.5){w}");
    else
        buf_z(out, "CAST(trunc(quantile_cont(CAST({0} AS DOUBLE), 0.5){w}) AS {type})");
    return NULL;
}

static err *percentiles_emit(struct sql_call *c, buf *out) {
    (void)c;
    buf_z(out, "list_transform(quantile_cont(CAST({0} AS DOUBLE), {1}){w}, lambda x{#}: CAST(trunc(x{#}) AS {type:0}))");
    return NULL;
}

/* Moments of the population, as Spark counts them; DuckDB's own are of a sample. */
#define MEAN "avg({0}){w}"
#define M2 "var_pop({0}){w}"
static err *skewness_emit(struct sql_call *c, buf *out) {
    (void)c;
    buf_z(out, "CASE WHEN count({0}){w} = 0 THEN NULL WHEN " M2 " = 0 THEN CAST('NaN' AS DOUBLE) ELSE "
               "(avg({0} * {0} * {0}){w} - 3 * " MEAN " * avg({0} * {0}){w} + 2 * " MEAN " * " MEAN " * " MEAN ") / pow(" M2 ", 1.5) END");
    return NULL;
}

static err *kurtosis_emit(struct sql_call *c, buf *out) {
    (void)c;
    buf_z(out, "CASE WHEN count({0}){w} = 0 THEN NULL WHEN " M2 " = 0 THEN CAST('NaN' AS DOUBLE) ELSE "
               "(avg({0} * {0} * {0} * {0}){w} - 4 * " MEAN " * avg({0} * {0} * {0}){w} + 6 * " MEAN " * " MEAN " * avg({0} * {0}){w} - 3 * " MEAN
               " * " MEAN " * " MEAN " * " MEAN ") / (" M2 " * " M2 ") - 3 END");
    return NULL;
}

/* Of several most frequent values the one that comes first in Spark's hash table. */
static void mode_text(const struct sql_call *c, buf *out) {
    if (c->args[0].type->kind >= TY_ARRAY || c->args[0].type->kind == TY_INTERVAL) buf_z(out, "mode({0}){w}");
    else
        buf_z(out, "list_transform([map_entries(histogram({0}){f})], lambda h{#}: list_sort(list_transform(h{#}, lambda e{#}: "
                   "{{'n': -CAST(e{#}.value AS BIGINT), 'p': bh_mode_place(e{#}.key, len(h{#})), 'v': e{#}.key}}))[1].v)[1]");
}

static err *mode_emit(struct sql_call *c, buf *out) {
    const struct ast *n = c->ast;
    if (n && (ast_get(n, SLOT_WITHIN) || ast_get(n, SLOT_ORDER))) buf_z(out, "mode({0}{o}){w}");
    else mode_text(c, out);
    return NULL;
}

static err *mode_caption(struct sql_call *c, buf *out) {
    bool yes = c->args[1].value.p && str_eqz(c->args[1].value, "true");
    if (yes)
        buf_fmt(out, "mode() WITHIN GROUP (ORDER BY %.*s DESC)", STR_ARG(c->args[0].caption));
    else
        buf_fmt(out, "mode(%.*s)", STR_ARG(c->args[0].caption));
    return NULL;
}

static err *mode_if(struct sql_call *c, buf *out) {
    bool yes = c->args[1].value.p && str_eqz(c->args[1].value, "true");
    if (yes) buf_z(out, "mode({0} ORDER BY {0} ASC){w}");
    else mode_text(c, out);
    return NULL;
}

static const struct sql_rule rules[] = {
    {"sum", sum_type, sum_emit, NULL},
    {"try_sum", sum_type, try_sum_emit, NULL},
    {"avg", avg_type, avg_emit, NULL},
    {"first_if", NULL, first_if, NULL},
    {"last_if", NULL, last_if, NULL},
    {"percentile", percentile_type, percentile_emit, NULL},
    {"percentile_weighted", NULL, weighted_emit, NULL},
    {"min", NULL, min_emit, NULL},
    {"max", NULL, max_emit, NULL},
    {"percentile_disc", percentile_disc_type, percentile_disc_emit, NULL},
    {"try_avg", avg_type, try_avg_emit, NULL},
    {"median", percentile_type, median_emit, NULL},
    {"percentiles", NULL, percentiles_emit, NULL},
    {"skewness", NULL, skewness_emit, NULL},
    {"kurtosis", NULL, kurtosis_emit, NULL},
    {"mode", NULL, mode_emit, NULL},
    {"mode_if", NULL, mode_if, mode_caption},
};

const struct sql_rule_list sql_rules_agg = {rules, ARRAY_LEN(rules)};
