/* SPDX-License-Identifier: Apache-2.0 */
/* What the analyser's own texts call beside casts: divisors that are not zero, moments of lists, small conversions. */
#include <math.h>

#include "engine/worker/fn_int.h"

/* ---- divisors ---- */

static void nonzero(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    if (v == 0)
        fn_fail(c, "DIVIDE_BY_ZERO", NULL);
    else
        fn_ret_i64(c, v);
}

static void nonzero_int(struct fn_call *c) {
    int32_t v = fn_i32(c, 0);
    if (v == 0)
        fn_fail(c, "DIVIDE_BY_ZERO", NULL);
    else
        fn_ret_i32(c, v);
}

static void nonzero_double(struct fn_call *c) {
    double v = fn_f64(c, 0);
    if (v == 0)
        fn_fail(c, "DIVIDE_BY_ZERO", NULL);
    else
        fn_ret_f64(c, v);
}

/* ---- conversions ---- */

static void floor_div(struct fn_call *c) {
    int64_t v = fn_i64(c, 0), d = fn_i64(c, 1), q = v / d;
    fn_ret_i64(c, v % d < 0 ? q - 1 : q);
}

/* Big-endian bytes, as many as the type has. */
static void int_to_binary(struct fn_call *c) {
    static const size_t size[] = {['c'] = 1, ['h'] = 2, ['i'] = 4, ['l'] = 8};
    char out[8];
    size_t n = size[c->def->tag];
    int64_t v = n == 1 ? fn_i8(c, 0) : n == 2 ? fn_i16(c, 0) : n == 4 ? fn_i32(c, 0) : fn_i64(c, 0);
    for (size_t i = 0; i < n; i++) out[i] = (char)((uint64_t)v >> (8 * (n - 1 - i)));
    fn_ret_str(c, str_n(out, n));
}

/* A time of day and microseconds; leaving the day is an error. */
static void time_add(struct fn_call *c) {
    int64_t t = fn_i64(c, 0), d = fn_i64(c, 1), v;
    if (__builtin_add_overflow(t, d, &v) || v < 0 || v >= 86400000000)
        fn_fail(c, "DATETIME_OVERFLOW", "operation", "add an interval to a time", NULL);
    else
        fn_ret_i64(c, v);
}

/* ---- intervals: months as int ('i'), microseconds as bigint ('l') ---- */

static void interval_ret(struct fn_call *c, bool over, int64_t v, const char *instead) {
    if (!over && (c->def->tag == 'l' || (v >= INT32_MIN && v <= INT32_MAX))) {
        if (c->def->tag == 'l')
            fn_ret_i64(c, v);
        else
            fn_ret_i32(c, (int32_t)v);
    } else if (instead)
        fn_fail(c, "INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION", "functionName", instead, NULL);
    else
        fn_fail(c, "INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION", NULL);
}

static int64_t interval_arg(struct fn_call *c, size_t i) { return c->def->tag == 'l' ? fn_i64(c, i) : fn_i32(c, i); }

static void interval_add(struct fn_call *c) {
    int64_t v;
    bool over = __builtin_add_overflow(interval_arg(c, 0), interval_arg(c, 1), &v);
    interval_ret(c, over, v, "`try_add`");
}

static void interval_sub(struct fn_call *c) {
    int64_t v;
    bool over = __builtin_sub_overflow(interval_arg(c, 0), interval_arg(c, 1), &v);
    interval_ret(c, over, v, "`try_subtract`");
}

static void interval_neg(struct fn_call *c) {
    int64_t v;
    bool over = __builtin_sub_overflow((int64_t)0, interval_arg(c, 0), &v);
    interval_ret(c, over, v, NULL);
}

/* By a whole number, rounded half away from zero. */
static void interval_div(struct fn_call *c) {
    int64_t x = interval_arg(c, 0), d = fn_i64(c, 1);
    if (d == 0) {
        fn_fail(c, "INTERVAL_DIVIDED_BY_ZERO", NULL);
        return;
    }
    if (x == INT64_MIN && d == -1) {
        interval_ret(c, true, 0, "`try_divide`");
        return;
    }
    int64_t q = x / d, r = x % d;
    uint64_t left = r < 0 ? -(uint64_t)r : (uint64_t)r, half = d < 0 ? -(uint64_t)d : (uint64_t)d;
    if (left >= half - left) q += (x < 0) == (d < 0) ? 1 : -1;
    interval_ret(c, false, q, "`try_divide`");
}

/* A divisor of an interval. */
static void interval_nonzero(struct fn_call *c) {
    double v = fn_f64(c, 0);
    if (v == 0)
        fn_fail(c, "INTERVAL_DIVIDED_BY_ZERO", NULL);
    else
        fn_ret_f64(c, v);
}

static const struct fn_def defs[] = {
    {"bh_ym_add", "ii:i", interval_add, 0, 'i'},
    {"bh_dt_add", "ll:l", interval_add, 0, 'l'},
    {"bh_ym_sub", "ii:i", interval_sub, 0, 'i'},
    {"bh_dt_sub", "ll:l", interval_sub, 0, 'l'},
    {"bh_ym_neg", "i:i", interval_neg, 0, 'i'},
    {"bh_dt_neg", "l:l", interval_neg, 0, 'l'},
    {"bh_ym_div", "il:i", interval_div, 0, 'i'},
    {"bh_dt_div", "ll:l", interval_div, 0, 'l'},
    {"bh_interval_nonzero", "d:d", interval_nonzero, 0, 0},
    {"bh_nonzero", "l:l", nonzero, 0, 0},
    {"bh_nonzero_int", "i:i", nonzero_int, 0, 0},
    {"bh_nonzero_double", "d:d", nonzero_double, 0, 0},
    {"bh_floor_div", "ll:l", floor_div, 0, 0},
    {"bh_tinyint_to_binary", "c:b", int_to_binary, 0, 'c'},
    {"bh_smallint_to_binary", "h:b", int_to_binary, 0, 'h'},
    {"bh_int_to_binary", "i:b", int_to_binary, 0, 'i'},
    {"bh_bigint_to_binary", "l:b", int_to_binary, 0, 'l'},
    {"bh_time_add", "tl:t", time_add, 0, 0},
};
const struct fn_table fn_table_core = {defs, ARRAY_LEN(defs)};
