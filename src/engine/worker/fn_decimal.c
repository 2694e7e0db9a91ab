/* SPDX-License-Identifier: Apache-2.0 */
/* Exact arithmetic of decimals with Spark's rounding, where DuckDB has none: results are DECIMAL(38, scale). */
#include "engine/worker/fn_int.h"
#include "engine/worker/parse.h"
#include "engine/worker/text.h"
#include "engine/worker/wide.h"

static u128 magnitude(i128 v) { return v < 0 ? -(u128)v : (u128)v; }
static bool try(const struct fn_call *c) { return c->def->tag & 1; }

/* |r| < 10^38, else an error, or NULL of the try functions. */
static void give(struct fn_call *c, struct wide r, bool negative, bool over) {
    if (over || !wide_fits(r) || wide_low(r) >= (u128)pow10_i128(38)) {
        if (!try(c)) fn_decimal_range(c, STR("the result"), 38, c->scale);
        return;
    }
    i128 v = (i128)wide_low(r);
    fn_ret_huge(c, negative ? -v : v);
}

static void div(struct fn_call *c) {
    i128 a = fn_int(c, 0), b = fn_int(c, 1);
    if (b == 0) {
        if (!try(c)) fn_fail(c, "DIVIDE_BY_ZERO", "config", "\"spark.sql.ansi.enabled\"", NULL);
        return;
    }
    int e = c->scale + c->arg[1].scale - c->arg[0].scale;
    bool over = false;
    struct wide n = wide_of(magnitude(a));
    u128 d = magnitude(b);
    if (e > 0) n = wide_scale_up(n, e, &over);
    if (e < 0) {
        /* a ÷ (b × 10^-e): the divisor grows, as far as it fits; beyond, the quotient is 0. */
        struct wide big = wide_scale_up(wide_of(d), -e, &over);
        if (over || !wide_fits(big) || wide_low(big) >> 127) {
            fn_ret_huge(c, 0);
            return;
        }
        d = wide_low(big);
    }
    give(c, wide_div(n, d, true), (a < 0) != (b < 0), over);
}

static void mul(struct fn_call *c) {
    i128 a = fn_int(c, 0), b = fn_int(c, 1);
    int e = c->scale - c->arg[0].scale - c->arg[1].scale;
    bool over = false;
    struct wide r = wide_mul(magnitude(a), magnitude(b));
    r = e >= 0 ? wide_scale_up(r, e, &over) : wide_scale_down(r, -e, &over);
    give(c, r, (a < 0) != (b < 0), over);
}

/* tag bit 2: subtract */
static void add(struct fn_call *c) {
    i128 a = fn_int(c, 0), b = fn_int(c, 1);
    int sa = c->arg[0].scale, sb = c->arg[1].scale, s = sa > sb ? sa : sb;
    bool over = false, na = a < 0, nb = (b < 0) != !!(c->def->tag & 2), negative;
    struct wide x = wide_scale_up(wide_of(magnitude(a)), s - sa, &over), y = wide_scale_up(wide_of(magnitude(b)), s - sb, &over), r;
    if (na == nb) {
        r = wide_add(x, y, &over);
        negative = na;
    } else if (wide_cmp(x, y) >= 0) {
        r = wide_sub(x, y);
        negative = na;
    } else {
        r = wide_sub(y, x);
        negative = nb;
    }
    r = c->scale >= s ? wide_scale_up(r, c->scale - s, &over) : wide_scale_down(r, s - c->scale, &over);
    give(c, r, negative, over);
}

/* quotient(HUGEINT, BIGINT), rounded half up */
static void round_half_up(struct fn_call *c) {
    i128 a = fn_huge(c, 0);
    int64_t b = fn_i64(c, 1);
    if (b == 0) return;
    u128 ma = magnitude(a), mb = magnitude(b), q = ma / mb, r = ma % mb;
    if (r >= mb - r) q++;
    fn_ret_huge(c, (a < 0) != (b < 0) ? -(i128)q : (i128)q);
}

/* ---- round, bround, ceil, floor to a number of digits ---- */

enum mode { HALF_UP, HALF_EVEN, CEILING, FLOOR };

/* v ÷ 10^n by the mode. */
static i128 drop_digits(i128 v, int n, enum mode mode) {
    if (n > 38) return mode == CEILING && v > 0 ? 1 : mode == FLOOR && v < 0 ? -1 : 0;
    u128 p = (u128)pow10_i128(n), m = magnitude(v), q = m / p, r = m % p;
    bool negative = v < 0;
    if (mode == HALF_UP && r >= p - r) q++;
    if (mode == HALF_EVEN && (r > p - r || (r == p - r && (q & 1)))) q++;
    if (mode == CEILING && r && !negative) q++;
    if (mode == FLOOR && r && negative) q++;
    return negative ? -(i128)q : (i128)q;
}

/* dec_round_S(value, digits, mode) */
static void dec_round(struct fn_call *c) {
    i128 v = fn_int(c, 0);
    int digits = fn_i32(c, 1), have = c->arg[0].scale;
    if (digits < have) v = drop_digits(v, have - digits, (enum mode)fn_i32(c, 2)), have = digits;
    /* now at scale `have`, which may be negative: brought to the result's */
    bool over = false;
    struct wide r = wide_of(magnitude(v));
    if (v != 0) r = wide_scale_up(r, c->scale - have, &over);
    give(c, r, v < 0, over);
}

/* int_round(value, digits, mode): digits ≤ 0 matter */
static void int_round(struct fn_call *c) {
    i128 v = fn_i64(c, 0);
    int digits = fn_i32(c, 1);
    if (digits < 0) {
        v = drop_digits(v, -(digits < -39 ? -39 : digits), (enum mode)fn_i32(c, 2));
        for (int i = 0; v && i < -digits; i++) {
            v *= 10;
            if (v > (i128)1 << 100 || v < -((i128)1 << 100)) break;
        }
    }
    if (c->def->tag) fn_ret_i64(c, (int64_t)(uint64_t)v);
    else fn_ret_huge(c, v);
}

#define BOTH(name, f, tag) {"bh_decimal_" name, "AA:Z", f, FN_SCALES, tag}, {"bh_try_decimal_" name, "AA:Z", f, FN_SCALES, (tag) | 1}
static const struct fn_def defs[] = {
    BOTH("div", div, 0), BOTH("mul", mul, 0), BOTH("add", add, 0), BOTH("sub", add, 2),
    {"bh_round_half_up", "Hl:H", round_half_up, 0, 0},
    {"bh_dec_round", "Aii:Z", dec_round, FN_SCALES, 0},
    {"bh_int_round", "lii:H", int_round, 0, 0},
    {"bh_int_round_wrap", "lii:l", int_round, 0, 1}, /* the low 64 bits */
};
const struct fn_table fn_table_decimal = {defs, ARRAY_LEN(defs)};
