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
    if (sql_is_integral(t) || t->kind == TY_DECIMAL || t->kind == TY_INTERVAL_YM ||
        t->kind == TY_INTERVAL_DT)
        buf_z(out, "CAST(sum({d}{0}){w} AS {type})");
    else
        buf_z(out, "sum({d}{0}){w}");
    return NULL;
}

static err *try_sum_emit(struct sql_call *c, buf *out) {
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
        *ret = t;
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
        buf_z(out, "CAST(bh_round_half_up(sum({d}{0}){w}, count({d}{0}){w}) AS {type})");
    else
        buf_z(out, "avg({d}{0}){w}");
    return NULL;
}

static const struct sql_rule rules[] = {
    {"sum", sum_type, sum_emit, NULL},
    {"try_sum", sum_type, try_sum_emit, NULL},
    {"avg", avg_type, avg_emit, NULL},
};

const struct sql_rule_list sql_rules_agg = {rules, ARRAY_LEN(rules)};
