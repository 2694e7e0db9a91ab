/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregates of central moments and of pairs, by the updates and merges that Spark uses, so that the last digits agree:
 * variance, skewness, kurtosis, covariance, correlation, linear regression. Registered as DuckDB aggregates.
 */
#include <math.h>

#include "engine/worker/fn_int.h"

enum kind { VAR_POP, VAR_SAMP, STD_POP, STD_SAMP, SKEW, KURT, COV_POP, COV_SAMP, CORR, R2, SLOPE, INTERCEPT, SXX, SXY, SYY, AVGX, AVGY };

/* One value: x alone. A pair: x is the first argument, y the second; sums of squares stand in both forms that Spark
 * computes (of a correlation m2 and my, of one argument's variance vx and vy), and the co-moment in both orders. */
struct moments { double n, x, y, m2, m3, m4, my, vx, vy, ck, kc; };

static void add(struct moments *s, double v, double w, bool pair) {
    double n = s->n + 1, d = v - s->x, dn = d / n, x = s->x + dn;
    if (pair) {
        double e = w - s->y, y = s->y + e / n;
        s->ck += d * (w - y);
        s->kc += e * (v - x);
        s->vx += d * (d - dn);
        s->vy += e * (e - e / n);
        s->m2 += d * (v - x);
        s->my += e * (w - y);
        s->y = y;
    } else {
        double m2 = s->m2 + d * (d - dn), d2 = d * d, dn2 = dn * dn, m3 = s->m3 - 3.0 * dn * m2 + d * (d2 - dn2);
        s->m4 = s->m4 - 4.0 * dn * m3 - 6.0 * dn2 * m2 + d * (d * d2 - dn * dn2);
        s->m3 = m3;
        s->m2 = m2;
    }
    s->n = n;
    s->x = x;
}

static void merge(struct moments *a, const struct moments *b) {
    double n1 = a->n, n2 = b->n, n = n1 + n2;
    if (n2 == 0) return;
    if (n1 == 0) {
        *a = *b;
        return;
    }
    double d = b->x - a->x, dn = d / n, e = b->y - a->y, en = e / n;
    a->m4 = a->m4 + b->m4 + dn * dn * dn * d * n1 * n2 * (n1 * n1 - n1 * n2 + n2 * n2) + 6.0 * dn * dn * (n1 * n1 * b->m2 + n2 * n2 * a->m2) +
            4.0 * dn * (n1 * b->m3 - n2 * a->m3);
    a->m3 = a->m3 + b->m3 + dn * dn * d * n1 * n2 * (n1 - n2) + 3.0 * dn * (n1 * b->m2 - n2 * a->m2);
    a->m2 = a->m2 + b->m2 + d * dn * n1 * n2;
    a->my = a->my + b->my + e * en * n1 * n2;
    a->ck = a->ck + b->ck + d * en * n1 * n2;
    a->kc = a->kc + b->kc + e * dn * n1 * n2;
    a->vx = a->vx + b->vx + d * dn * n1 * n2;
    a->vy = a->vy + b->vy + e * en * n1 * n2;
    a->x += dn * n2;
    a->y += en * n2;
    a->n = n;
}

/* What a kind is of a state; false: NULL. In regressions the first argument is the dependent one. */
static bool result(enum kind k, const struct moments *s, double *r) {
    double n = s->n;
    if (n == 0) return false;
    switch (k) {
    case VAR_POP: *r = s->m2 / n; return true;
    case VAR_SAMP: *r = s->m2 / (n - 1); return n > 1;
    case STD_POP: *r = sqrt(s->m2 / n); return true;
    case STD_SAMP: *r = sqrt(s->m2 / (n - 1)); return n > 1;
    case SKEW: *r = sqrt(n) * s->m3 / sqrt(s->m2 * s->m2 * s->m2); return s->m2 != 0;
    case KURT: *r = n * s->m4 / (s->m2 * s->m2) - 3.0; return s->m2 != 0;
    case COV_POP: *r = s->ck / n; return true;
    case COV_SAMP: *r = s->ck / (n - 1); return n > 1;
    case CORR: *r = s->ck / sqrt(s->m2 * s->my); return n > 1;
    case R2: {
        double c = s->ck / sqrt(s->m2 * s->my);
        if (s->my == 0) return false;
        *r = s->m2 == 0 ? 1.0 : c * c;
        return true;
    }
    case SLOPE: *r = s->kc / s->vy; return s->vy != 0;
    case INTERCEPT: *r = s->x - s->kc / s->vy * s->y; return s->vy != 0;
    case SXX: *r = s->vy; return true;
    case SYY: *r = s->vx; return true;
    case SXY: *r = s->ck; return true;
    case AVGX: *r = s->y; return true;
    case AVGY: *r = s->x; return true;
    }
    return false;
}

static const struct { const char *name; enum kind kind; bool pair; } rows[] = {
    {"bh_var_pop", VAR_POP, false}, {"bh_var_samp", VAR_SAMP, false}, {"bh_stddev_pop", STD_POP, false}, {"bh_stddev_samp", STD_SAMP, false},
    {"bh_skewness", SKEW, false}, {"bh_kurtosis", KURT, false}, {"bh_covar_pop", COV_POP, true}, {"bh_covar_samp", COV_SAMP, true},
    {"bh_corr", CORR, true}, {"bh_regr_r2", R2, true}, {"bh_regr_slope", SLOPE, true}, {"bh_regr_intercept", INTERCEPT, true},
    {"bh_regr_sxx", SXX, true}, {"bh_regr_sxy", SXY, true}, {"bh_regr_syy", SYY, true}, {"bh_regr_avgx", AVGX, true}, {"bh_regr_avgy", AVGY, true},
};

/* ---- DuckDB's side; the extra information is the row's number ---- */

static size_t row_of(duckdb_function_info info) { return (size_t)(uintptr_t)duckdb_aggregate_function_get_extra_info(info); }

static idx_t on_size(duckdb_function_info info) {
    (void)info;
    return sizeof(struct moments);
}
static void on_init(duckdb_function_info info, duckdb_aggregate_state state) {
    (void)info;
    *(struct moments *)state = (struct moments){0};
}
static bool valid(const uint64_t *v, idx_t i) { return !v || (v[i >> 6] >> (i & 63) & 1); }

static void on_update(duckdb_function_info info, duckdb_data_chunk input, duckdb_aggregate_state *states) {
    bool pair = rows[row_of(info)].pair;
    idx_t n = duckdb_data_chunk_get_size(input);
    duckdb_vector a = duckdb_data_chunk_get_vector(input, 0), b = pair ? duckdb_data_chunk_get_vector(input, 1) : a;
    const double *x = duckdb_vector_get_data(a), *y = duckdb_vector_get_data(b);
    const uint64_t *vx = duckdb_vector_get_validity(a), *vy = duckdb_vector_get_validity(b);
    for (idx_t i = 0; i < n; i++)
        if (valid(vx, i) && valid(vy, i)) add((struct moments *)states[i], x[i], y[i], pair);
}
static void on_combine(duckdb_function_info info, duckdb_aggregate_state *source, duckdb_aggregate_state *target, idx_t count) {
    (void)info;
    for (idx_t i = 0; i < count; i++) merge((struct moments *)target[i], (const struct moments *)source[i]);
}
static void on_final(duckdb_function_info info, duckdb_aggregate_state *source, duckdb_vector out, idx_t count, idx_t offset) {
    enum kind k = rows[row_of(info)].kind;
    double *data = duckdb_vector_get_data(out);
    duckdb_vector_ensure_validity_writable(out);
    uint64_t *v = duckdb_vector_get_validity(out);
    for (idx_t i = 0; i < count; i++) {
        const struct moments *s = (const struct moments *)source[i];
        if (k == CORR && s->n > 1 && s->m2 * s->my == 0) {
            duckdb_aggregate_function_set_error(info, "[DIVIDE_BY_ZERO] {\"config\":\"\\\"spark.sql.ansi.enabled\\\"\"}");
            return;
        }
        if (!result(k, s, &data[offset + i])) duckdb_validity_set_row_invalid(v, offset + i);
    }
}

err *fn_register_moments(duckdb_connection con) {
    err *e = NULL;
    duckdb_logical_type t = duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
    for (size_t i = 0; i < ARRAY_LEN(rows) && !e; i++) {
        duckdb_aggregate_function f = duckdb_create_aggregate_function();
        duckdb_aggregate_function_set_name(f, rows[i].name);
        for (int k = 0; k < (rows[i].pair ? 2 : 1); k++) duckdb_aggregate_function_add_parameter(f, t);
        duckdb_aggregate_function_set_return_type(f, t);
        duckdb_aggregate_function_set_extra_info(f, (void *)(uintptr_t)i, NULL);
        duckdb_aggregate_function_set_functions(f, on_size, on_init, on_update, on_combine, on_final);
        if (duckdb_register_aggregate_function(con, f) != DuckDBSuccess) e = err_new(ERR_INTERNAL_ERROR, "DuckDB refuses the aggregate %s", rows[i].name);
        duckdb_destroy_aggregate_function(&f);
    }
    duckdb_destroy_logical_type(&t);
    return e;
}
