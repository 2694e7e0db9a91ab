/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sketches as values: hashes of what goes into them, estimates, unions of two. A function that reads a sketch is named
 * bh_ and the dialect's name, which errors show. What aggregates do is in fn_sketch_agg.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/sketch.h"
#include "engine/worker/text.h"

/* ---- what is counted: hashes and coupons ---- */

static void ret_hash(struct fn_call *c, const void *p, size_t n) {
    uint64_t h[2];
    sketch_hash128(p, n, SKETCH_SEED, h);
    if (h[0] >> 1) fn_ret_i64(c, (int64_t)(h[0] >> 1));
}
static void hash_long(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    ret_hash(c, &v, 8);
}
static void hash_double(struct fn_call *c) {
    uint64_t v = sketch_double_bits(fn_f64(c, 0));
    ret_hash(c, &v, 8);
}
static void hash_text(struct fn_call *c) {
    str s = fn_str(c, 0);
    if (s.n) ret_hash(c, s.p, s.n);
}
/* Elements of a list are fixed numbers side by side; NULLs count as 0. */
static void hash_list(struct fn_call *c) {
    size_t each = (size_t)c->def->tag;
    duckdb_list_entry e = ((const duckdb_list_entry *)c->arg[0].data)[c->row];
    const char *data = duckdb_vector_get_data(duckdb_list_vector_get_child(c->arg[0].vec));
    if (e.length) ret_hash(c, data + e.offset * each, e.length * each);
}
static void ret_coupon(struct fn_call *c, const void *p, size_t n) {
    uint32_t v = hll_coupon(p, n);
    if (v) fn_ret_i32(c, (int32_t)v);
}
static void coupon_long(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    ret_coupon(c, &v, 8);
}
static void coupon_text(struct fn_call *c) {
    str s = fn_str(c, 0);
    ret_coupon(c, s.p, s.n);
}

/* ---- errors ---- */

static void quoted_name(const struct fn_call *c, char *out, size_t n) { snprintf(out, n, "`%s`", c->def->name + 3); }

static void bad_sketch(struct fn_call *c, const char *cls) {
    char name[64];
    quoted_name(c, name, sizeof name);
    fn_fail(c, cls, "function", name, NULL);
}
static void no_memory(struct fn_call *c) { fn_fail(c, "FUNCTION_LIMIT_EXCEEDED", "message", "a sketch would be too large", NULL); }

static void ret_ts(struct fn_call *c, const struct ts *t) {
    buf *b = fn_text(c);
    if (!ts_write(t, b)) no_memory(c);
    else fn_ret_buf(c, b);
}

/* ---- Theta and Tuple ---- */

static bool read_ts(struct fn_call *c, size_t i, enum ts_kind kind, struct ts *t) {
    if (ts_read(kind, fn_str(c, i), t)) return true;
    bad_sketch(c, kind == TS_THETA ? "THETA_INVALID_INPUT_SKETCH_BUFFER" : "TUPLE_INVALID_INPUT_SKETCH_BUFFER");
    return false;
}

/* The tag of a function: the kinds of its two sketches and what it does. */
#define TAG(a, b, op) ((a) | (b) << 4 | (op) << 8)
#define KIND_A(c) ((enum ts_kind)((c)->def->tag & 15))
#define KIND_B(c) ((enum ts_kind)((c)->def->tag >> 4 & 15))
#define OP(c) ((c)->def->tag >> 8)
enum { OP_UNION, OP_INTERSECT, OP_DIFFERENCE };

static bool combine_ts(struct fn_call *c, struct ts *a, struct ts *b, struct ts *ret) {
    bool tuple = KIND_A(c) != TS_THETA;
    if (OP(c) == OP_UNION) {
        enum ts_mode mode = tuple ? (enum ts_mode)fn_i32(c, 3) : TS_SUM;
        ts_init(ret, KIND_A(c), mode, (unsigned)fn_i32(c, 2));
        return ts_union(ret, a) && ts_union(ret, b);
    }
    if (OP(c) == OP_INTERSECT) return ts_intersect(a, b, tuple ? (enum ts_mode)fn_i32(c, 2) : TS_SUM, ret);
    return ts_difference(a, b, ret);
}

static void combine(struct fn_call *c) {
    struct ts a, b, r = {0};
    if (!read_ts(c, 0, KIND_A(c), &a)) return;
    if (read_ts(c, 1, KIND_B(c), &b)) {
        if (combine_ts(c, &a, &b, &r)) ret_ts(c, &r);
        else no_memory(c);
        ts_free(&r);
        ts_free(&b);
    }
    ts_free(&a);
}

static void theta_estimate(struct fn_call *c) {
    struct ts t;
    if (!read_ts(c, 0, TS_THETA, &t)) return;
    fn_ret_i64(c, (int64_t)floor(ts_estimate(&t) + 0.5));
    ts_free(&t);
}
static void tuple_estimate(struct fn_call *c) {
    struct ts t;
    if (!read_ts(c, 0, KIND_A(c), &t)) return;
    fn_ret_f64(c, ts_estimate(&t));
    ts_free(&t);
}
static void tuple_theta(struct fn_call *c) {
    struct ts t;
    if (!read_ts(c, 0, KIND_A(c), &t)) return;
    fn_ret_f64(c, (double)t.theta / 9223372036854775808.0);
    ts_free(&t);
}

static void tuple_summary(struct fn_call *c) {
    struct ts t;
    if (!read_ts(c, 0, KIND_A(c), &t)) return;
    bool dbl = t.kind == TS_DOUBLE, first = true;
    double d = 0;
    int64_t l = 0;
    enum ts_mode mode = (enum ts_mode)fn_i32(c, 1);
    for (size_t i = 0; t.key && i < (size_t)1 << t.lg_size; i++) {
        if (!t.key[i]) continue;
        double x = dbl ? t.value[i].d : 0;
        int64_t y = dbl ? 0 : t.value[i].i;
        if (mode == TS_SUM) d += x, l += y;
        else if (mode == TS_ONE) d += 1, l += 1;
        else if (first || (mode == TS_MIN ? x < d || y < l : x > d || y > l)) d = x, l = y;
        first = false;
    }
    ts_free(&t);
    if (dbl) fn_ret_f64(c, d);
    else fn_ret_i64(c, l);
}

/* ---- HLL ---- */

static bool read_hll(struct fn_call *c, size_t i, struct hll *h) {
    if (hll_read(fn_str(c, i), h)) return true;
    bad_sketch(c, "HLL_INVALID_INPUT_SKETCH_BUFFER");
    return false;
}

static void hll_estimate_of(struct fn_call *c) {
    struct hll h;
    if (!read_hll(c, 0, &h)) return;
    fn_ret_i64(c, (int64_t)floor(hll_estimate(&h) + 0.5));
    hll_free(&h);
}

static void ret_hll(struct fn_call *c, struct hll *h) {
    buf *b = fn_text(c);
    hll_write(h, b);
    fn_ret_buf(c, b);
}

static void union_hll(struct fn_call *c, struct hll *a, struct hll *b) {
    if (a->lg_k != b->lg_k && !fn_bool(c, 2)) {
        char left[16], right[16];
        snprintf(left, sizeof left, "%u", a->lg_k);
        snprintf(right, sizeof right, "%u", b->lg_k);
        fn_fail(c, "HLL_UNION_DIFFERENT_LG_K", "left", left, "right", right, "function", "`hll_union`", NULL);
        return;
    }
    struct hll r;
    if (hll_init(&r, a->lg_k < b->lg_k ? a->lg_k : b->lg_k) && hll_union(&r, a) && hll_union(&r, b)) ret_hll(c, &r);
    else no_memory(c);
    hll_free(&r);
}

static void hll_union_of(struct fn_call *c) {
    struct hll a, b;
    if (!read_hll(c, 0, &a)) return;
    if (read_hll(c, 1, &b)) {
        union_hll(c, &a, &b);
        hll_free(&b);
    }
    hll_free(&a);
}

static void hll_empty(struct fn_call *c) {
    struct hll h;
    if (!hll_init(&h, (unsigned)fn_i32(c, 0))) no_memory(c);
    else ret_hll(c, &h);
    hll_free(&h);
}

/* ---- KLL ---- */

#define KLL(c) ((enum kll_kind)(c)->def->tag)

static bool read_kll(struct fn_call *c, size_t i, struct kll *s) {
    if (kll_read(KLL(c), fn_str(c, i), s)) return true;
    bad_sketch(c, "KLL_INVALID_INPUT_SKETCH_BUFFER");
    return false;
}

/* One with any items: of none there is neither a rank nor a quantile. */
static bool read_filled(struct fn_call *c, struct kll *s) {
    if (!read_kll(c, 0, s)) return false;
    if (s->n) return true;
    kll_free(s);
    bad_sketch(c, "KLL_INVALID_INPUT_SKETCH_BUFFER");
    return false;
}

static void kll_n(struct fn_call *c) {
    struct kll s;
    if (!read_kll(c, 0, &s)) return;
    fn_ret_i64(c, (int64_t)s.n);
    kll_free(&s);
}

static void kll_quantile_of(struct fn_call *c) {
    struct kll s;
    union kll_item v;
    double rank = fn_f64(c, 1);
    if (!(rank >= 0 && rank <= 1)) {
        char name[64];
        quoted_name(c, name, sizeof name);
        fn_fail(c, "KLL_SKETCH_INVALID_QUANTILE_RANGE", "functionName", name, NULL);
        return;
    }
    if (!read_filled(c, &s)) return;
    if (!kll_quantile(&s, rank, &v)) no_memory(c);
    else if (s.kind == KLL_BIGINT) fn_ret_i64(c, v.l);
    else if (s.kind == KLL_DOUBLE) fn_ret_f64(c, v.d);
    else fn_ret_f32(c, (float)v.d);
    kll_free(&s);
}

static void kll_rank_of(struct fn_call *c) {
    struct kll s;
    union kll_item v;
    if (!read_filled(c, &s)) return;
    if (s.kind == KLL_BIGINT) v.l = fn_i64(c, 1);
    else v.d = s.kind == KLL_DOUBLE ? fn_f64(c, 1) : (double)fn_f32(c, 1);
    fn_ret_f64(c, kll_rank(&s, v));
    kll_free(&s);
}

static void ret_kll(struct fn_call *c, const struct kll *s) {
    buf *b = fn_text(c);
    kll_write(s, b);
    fn_ret_buf(c, b);
}

static void kll_merge_of(struct fn_call *c) {
    struct kll a, b;
    if (!read_kll(c, 0, &a)) return;
    if (read_kll(c, 1, &b)) {
        if (kll_merge(&a, &b)) ret_kll(c, &a);
        else no_memory(c);
        kll_free(&b);
    }
    kll_free(&a);
}

static void put_item(buf *b, enum kll_kind kind, union kll_item v) {
    if (kind == KLL_BIGINT) buf_fmt(b, "%lld", (long long)v.l);
    else if (kind == KLL_DOUBLE) text_double(b, v.d);
    else text_float(b, (float)v.d);
}

static void kll_text(struct fn_call *c) {
    static const char *const names[] = {"Longs", "Doubles", "Floats"};
    struct kll s;
    if (!read_kll(c, 0, &s)) return;
    buf *b = fn_text(c);
    size_t each = s.kind == KLL_FLOAT ? 4 : 8, kept = kll_retained(&s), cap = kll_capacity(&s);
    size_t compact = s.n == 0 ? 8 : s.n == 1 ? 8 + each : 20 + 4 * s.levels + (2 + kept) * each;
    buf_fmt(b, "\n### KllKll%sSketch Summary:\n   K                      : %u\n   Dynamic min K          : %u\n   M                      : 8\n", names[s.kind], s.k, s.min_k);
    buf_fmt(b, "   N                      : %llu\n   Epsilon                : %.3f%%\n   Epsilon PMF            : %.3f%%\n", (unsigned long long)s.n,
            100 * kll_epsilon(&s, false), 100 * kll_epsilon(&s, true));
    buf_fmt(b, "   Empty                  : %s\n   Estimation Mode        : %s\n   Levels                 : %zu\n   Level 0 Sorted         : %s\n", s.n ? "false" : "true",
            s.levels > 1 ? "true" : "false", s.levels, s.sorted ? "true" : "false");
    buf_fmt(b, "   Capacity Items         : %zu\n   Retained Items         : %zu\n   Free Space             : %zu\n   ReadOnly               : false\n", cap, kept, cap - kept);
    buf_fmt(b, "   Updatable Storage Bytes: %zu\n   Compact Storage Bytes  : %zu\n", 20 + 4 * (s.levels + 1) + (2 + cap) * each, compact);
    buf_z(b, "   Min Item               : ");
    if (s.n) put_item(b, s.kind, s.min);
    else buf_z(b, "NaN");
    buf_z(b, "\n   Max Item               : ");
    if (s.n) put_item(b, s.kind, s.max);
    else buf_z(b, "NaN");
    buf_z(b, "\n### End sketch summary\n");
    kll_free(&s);
    fn_ret_buf(c, b);
}

static void kll_empty(struct fn_call *c) {
    struct kll s;
    kll_init(&s, KLL_BIGINT, (unsigned)fn_i32(c, 0));
    ret_kll(c, &s);
}

/* ---- count-min ---- */

static void cms_empty(struct fn_call *c) {
    struct cms m;
    if (!cms_init(&m, fn_f64(c, 0), fn_f64(c, 1), fn_i32(c, 2))) {
        no_memory(c);
        return;
    }
    buf *b = fn_text(c);
    cms_write(&m, b);
    cms_free(&m);
    fn_ret_buf(c, b);
}

/* Doubles side by side, as the aggregate histogram_numeric leaves them. */
static void doubles(struct fn_call *c) {
    str s = fn_str(c, 0);
    fn_list_begin(c);
    for (size_t i = 0; i + 8 <= s.n; i += 8) {
        double d;
        memcpy(&d, s.p + i, 8);
        fn_list_f64(c, d);
    }
    fn_list_end(c);
}

static const struct fn_def defs[] = {
    {"bh_sk_hash_l", "l:l", hash_long, 0, 0},
    {"bh_sk_hash_d", "d:l", hash_double, 0, 0},
    {"bh_sk_hash_s", "s:l", hash_text, 0, 0},
    {"bh_sk_hash_b", "b:l", hash_text, 0, 0},
    {"bh_sk_hash_ints", "[i:l", hash_list, 0, 4},
    {"bh_sk_hash_longs", "[l:l", hash_list, 0, 8},
    {"bh_hll_coupon_l", "l:i", coupon_long, 0, 0},
    {"bh_hll_coupon_s", "s:i", coupon_text, 0, 0},
    {"bh_hll_coupon_b", "b:i", coupon_text, 0, 0},
    {"bh_theta_sketch_estimate", "b:l", theta_estimate, 0, 0},
    {"bh_theta_union", "bbi:b", combine, 0, TAG(TS_THETA, TS_THETA, OP_UNION)},
    {"bh_theta_intersection", "bb:b", combine, 0, TAG(TS_THETA, TS_THETA, OP_INTERSECT)},
    {"bh_theta_difference", "bb:b", combine, 0, TAG(TS_THETA, TS_THETA, OP_DIFFERENCE)},
#define TUPLE(word, K, letter)                                                                           \
    {"bh_tuple_union_" word, "bbii:b", combine, 0, TAG(K, K, OP_UNION)},                                  \
    {"bh_tuple_intersection_" word, "bbi:b", combine, 0, TAG(K, K, OP_INTERSECT)},                        \
    {"bh_tuple_difference_" word, "bb:b", combine, 0, TAG(K, K, OP_DIFFERENCE)},                          \
    {"bh_tuple_union_theta_" word, "bbii:b", combine, 0, TAG(K, TS_THETA, OP_UNION)},                     \
    {"bh_tuple_intersection_theta_" word, "bbi:b", combine, 0, TAG(K, TS_THETA, OP_INTERSECT)},           \
    {"bh_tuple_difference_theta_" word, "bb:b", combine, 0, TAG(K, TS_THETA, OP_DIFFERENCE)},             \
    {"bh_tuple_sketch_estimate_" word, "b:d", tuple_estimate, 0, TAG(K, K, 0)},                           \
    {"bh_tuple_sketch_theta_" word, "b:d", tuple_theta, 0, TAG(K, K, 0)},                                 \
    {"bh_tuple_sketch_summary_" word, "bi:" letter, tuple_summary, 0, TAG(K, K, 0)}
    TUPLE("double", TS_DOUBLE, "d"),
    TUPLE("integer", TS_INTEGER, "l"),
#undef TUPLE
    {"bh_hll_sketch_estimate", "b:l", hll_estimate_of, 0, 0},
    {"bh_hll_union", "bbB:b", hll_union_of, 0, 0},
    {"bh_hll_empty", "i:b", hll_empty, 0, 0},
#define KLLS(word, K, letter)                                                       \
    {"bh_kll_sketch_get_n_" word, "b:l", kll_n, 0, K},                              \
    {"bh_kll_sketch_get_quantile_" word, "bd:" letter, kll_quantile_of, 0, K},      \
    {"bh_kll_sketch_get_rank_" word, "b" letter ":d", kll_rank_of, 0, K},           \
    {"bh_kll_sketch_merge_" word, "bb:b", kll_merge_of, 0, K},                      \
    {"bh_kll_sketch_to_string_" word, "b:s", kll_text, 0, K}
    KLLS("bigint", KLL_BIGINT, "l"),
    KLLS("double", KLL_DOUBLE, "d"),
    KLLS("float", KLL_FLOAT, "f"),
#undef KLLS
    {"bh_kll_empty", "i:b", kll_empty, 0, 0},
    {"bh_cms_empty", "ddi:b", cms_empty, 0, 0},
    {"bh_doubles", "b:[d", doubles, 0, 0},
};
const struct fn_table fn_table_sketch = {defs, ARRAY_LEN(defs)};
