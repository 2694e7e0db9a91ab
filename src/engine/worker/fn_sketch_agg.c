/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregates whose result is the bytes of a sketch, and histogram_numeric, whose bytes are doubles. A group without a
 * value yields NULL: the texts of the rows put the empty sketch there.
 *
 * One row of `rows` is one aggregate: its arguments (letters of fn.h), what a state is, how it takes a row and another
 * state. All states are one struct behind a pointer that DuckDB keeps. Names without bh_ are what errors show.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/sketch.h"

enum family { A_THETA, A_HLL, A_KLL, A_CMS, A_FREQ, A_BINS };

struct state {
    bool any, inter;         /* inter: an intersection that has seen its first sketch */
    union {
        struct ts ts;
        struct hll hll;
        struct kll kll;
        struct cms cms;
        struct freq freq;
        struct bins bins;
    };
    int kind, size;          /* of frequent items: kind of an item, most tracked */
    bool any_size;           /* of frequent items and HLL: different sizes may meet */
};

struct in {                  /* one row */
    duckdb_function_info info;
    const char *name;
    void *data[5];
    idx_t row;
};

typedef bool (*take)(struct in *in, struct state *s, int tag);

struct row { const char *name, *args; enum family family; int tag; take take; bool nulls; };

static bool fail(struct in *in, const char *cls, const char *params) {
    char text[256];
    snprintf(text, sizeof text, "[%s] {%s}", cls, params);
    duckdb_aggregate_function_set_error(in->info, text);
    return false;
}
static bool bad_sketch(struct in *in, const char *cls) {
    char params[96];
    snprintf(params, sizeof params, "\"function\":\"`%s`\"", in->name + 3);
    return fail(in, cls, params);
}
static bool too_large(struct in *in) { return fail(in, "FUNCTION_LIMIT_EXCEEDED", "\"message\":\"a sketch would be too large\""); }
static bool fits(struct in *in, bool good) { return good || too_large(in); }

static int32_t int_of(const struct in *in, int i) { return ((const int32_t *)in->data[i])[in->row]; }
static int64_t long_of(const struct in *in, int i) { return ((const int64_t *)in->data[i])[in->row]; }
static double double_of(const struct in *in, int i) { return ((const double *)in->data[i])[in->row]; }
static str text_of(const struct in *in, int i) { return fn_str_of((const duckdb_string_t *)in->data[i] + in->row); }

/* ---- rows taken ---- */

static bool theta_value(struct in *in, struct state *s, int tag) {
    (void)tag;
    if (!s->any) ts_init(&s->ts, TS_THETA, TS_SUM, (unsigned)int_of(in, 1));
    return fits(in, ts_add(&s->ts, (uint64_t)long_of(in, 0), (struct ts_value){0}));
}

static bool tuple_value(struct in *in, struct state *s, int tag) {
    struct ts_value v = {.mode = (uint8_t)int_of(in, 3)};
    if (!s->any) ts_init(&s->ts, (enum ts_kind)tag, (enum ts_mode)v.mode, (unsigned)int_of(in, 2));
    if (v.mode == TS_ONE) v = ts_neutral((enum ts_kind)tag, TS_ONE);
    else if (tag == TS_DOUBLE) v.d = double_of(in, 1);
    else v.i = int_of(in, 1);
    return fits(in, ts_add(&s->ts, (uint64_t)long_of(in, 0), v));
}

static bool read_ts(struct in *in, enum ts_kind kind, struct ts *t) {
    if (ts_read(kind, text_of(in, 0), t)) return true;
    return bad_sketch(in, kind == TS_THETA ? "THETA_INVALID_INPUT_SKETCH_BUFFER" : "TUPLE_INVALID_INPUT_SKETCH_BUFFER");
}

static bool ts_unite(struct in *in, struct state *s, int tag) {
    struct ts t;
    if (!read_ts(in, (enum ts_kind)tag, &t)) return false;
    if (!s->any) ts_init(&s->ts, (enum ts_kind)tag, tag == TS_THETA ? TS_SUM : (enum ts_mode)int_of(in, 2), (unsigned)int_of(in, 1));
    bool good = ts_union(&s->ts, &t);
    ts_free(&t);
    return fits(in, good);
}

/* s ∩ t into s; t is used up. */
static bool meet(struct state *s, struct ts *t, enum ts_mode mode) {
    if (!s->inter) {
        s->ts = *t;
        s->ts.mode = t->kind == TS_THETA ? TS_SUM : mode;
        s->inter = true;
        return true;
    }
    struct ts both;
    bool good = ts_intersect(&s->ts, t, mode, &both);
    ts_free(t);
    ts_free(&s->ts);
    s->ts = both;
    return good;
}

static bool ts_meet(struct in *in, struct state *s, int tag) {
    struct ts t;
    if (!read_ts(in, (enum ts_kind)tag, &t)) return false;
    return fits(in, meet(s, &t, tag == TS_THETA ? TS_SUM : (enum ts_mode)int_of(in, 1)));
}

static bool hll_value(struct in *in, struct state *s, int tag) {
    (void)tag;
    if (!s->any && !hll_init(&s->hll, (unsigned)int_of(in, 1))) return too_large(in);
    return fits(in, hll_add(&s->hll, (uint32_t)int_of(in, 0)));
}

static bool lg_differs(struct in *in, unsigned left, unsigned right) {
    char params[160];
    snprintf(params, sizeof params, "\"left\":\"%u\",\"right\":\"%u\",\"function\":\"`hll_union_agg`\"", left, right);
    return fail(in, "HLL_UNION_DIFFERENT_LG_K", params);
}

static bool hll_unite(struct in *in, struct state *s, int tag) {
    struct hll h;
    (void)tag;
    if (!hll_read(text_of(in, 0), &h)) return bad_sketch(in, "HLL_INVALID_INPUT_SKETCH_BUFFER");
    if (!s->any) {
        s->hll = h;
        s->any_size = ((const bool *)in->data[1])[in->row];
        return true;
    }
    bool allowed = ((const bool *)in->data[1])[in->row];
    bool good = (allowed || h.lg_k == s->hll.lg_k) ? fits(in, hll_union(&s->hll, &h)) : lg_differs(in, s->hll.lg_k, h.lg_k);
    hll_free(&h);
    return good;
}

static bool kll_value(struct in *in, struct state *s, int tag) {
    union kll_item v = {0};
    if (!s->any) kll_init(&s->kll, (enum kll_kind)tag, (unsigned)int_of(in, 1));
    if (tag == KLL_BIGINT) v.l = long_of(in, 0);
    else v.d = tag == KLL_DOUBLE ? double_of(in, 0) : (double)((const float *)in->data[0])[in->row];
    return fits(in, kll_add(&s->kll, v));
}

static bool kll_unite(struct in *in, struct state *s, int tag) {
    struct kll k;
    int32_t size = int_of(in, 1);
    if (!kll_read((enum kll_kind)tag, text_of(in, 0), &k)) return bad_sketch(in, "KLL_INVALID_INPUT_SKETCH_BUFFER");
    if (!s->any) kll_init(&s->kll, (enum kll_kind)tag, size ? (unsigned)size : k.k);
    bool good = kll_merge(&s->kll, &k);
    kll_free(&k);
    return fits(in, good);
}

static bool cms_value(struct in *in, struct state *s, int tag) {
    if (!s->any && !cms_init(&s->cms, double_of(in, 1), double_of(in, 2), int_of(in, 3))) return too_large(in);
    if (tag) cms_add_bytes(&s->cms, text_of(in, 0));
    else cms_add_long(&s->cms, long_of(in, 0));
    return true;
}

static unsigned lg_for(int32_t most) {
    unsigned lg = 3;
    while (((double)(1u << lg)) * 0.75 < most && lg < 21) lg++;
    return lg;
}

/* The item may be NULL: data[4] is set where it is not. */
static bool freq_value(struct in *in, struct state *s, int tag) {
    (void)tag;
    if (!s->any) {
        if (!freq_init(&s->freq, lg_for(int_of(in, 1)))) return too_large(in);
        s->size = int_of(in, 1);
        s->kind = int_of(in, 2);
    }
    if (!in->data[4]) {
        s->freq.nulls++;
        return true;
    }
    str item = text_of(in, 0);
    return fits(in, freq_add(&s->freq, item, freq_code(s->kind, item), 1));
}

static bool same_size(struct in *in, const struct state *s, int32_t size) {
    char params[96];
    if (s->any_size || size == s->size) return true;
    snprintf(params, sizeof params, "\"size1\":\"%d\",\"size2\":\"%d\"", s->size, size);
    return fail(in, "APPROX_TOP_K_SKETCH_SIZE_NOT_MATCH", params);
}

static bool freq_unite(struct in *in, struct state *s, int tag) {
    struct freq f;
    int32_t size = int_of(in, 1), most = int_of(in, 2), kind = int_of(in, 3);
    (void)tag;
    if (!freq_read(kind, text_of(in, 0), &f)) return bad_sketch(in, "APPROX_TOP_K_INVALID_SKETCH");
    if (!s->any) {
        s->kind = kind;
        s->size = size;
        s->any_size = most > 0;
        if (!freq_init(&s->freq, lg_for(most > 0 ? most : size))) return too_large(in);
    }
    bool good = same_size(in, s, size) && fits(in, freq_merge(&s->freq, &f));
    freq_free(&f);
    return good;
}

static bool bins_value(struct in *in, struct state *s, int tag) {
    (void)tag;
    if (!s->any) s->bins = (struct bins){.most = int_of(in, 1)};
    return fits(in, bins_add(&s->bins, double_of(in, 0)));
}

static const struct row rows[] = {
    {"bh_theta_sketch_agg", "li", A_THETA, TS_THETA, theta_value, false},
    {"bh_theta_union_agg", "bi", A_THETA, TS_THETA, ts_unite, false},
    {"bh_theta_intersection_agg", "b", A_THETA, TS_THETA, ts_meet, false},
    {"bh_tuple_sketch_agg_double", "ldii", A_THETA, TS_DOUBLE, tuple_value, false},
    {"bh_tuple_sketch_agg_integer", "liii", A_THETA, TS_INTEGER, tuple_value, false},
    {"bh_tuple_union_agg_double", "bii", A_THETA, TS_DOUBLE, ts_unite, false},
    {"bh_tuple_union_agg_integer", "bii", A_THETA, TS_INTEGER, ts_unite, false},
    {"bh_tuple_intersection_agg_double", "bi", A_THETA, TS_DOUBLE, ts_meet, false},
    {"bh_tuple_intersection_agg_integer", "bi", A_THETA, TS_INTEGER, ts_meet, false},
    {"bh_hll_sketch_agg", "ii", A_HLL, 0, hll_value, false},
    {"bh_hll_union_agg", "bB", A_HLL, 0, hll_unite, false},
    {"bh_kll_sketch_agg_bigint", "li", A_KLL, KLL_BIGINT, kll_value, false},
    {"bh_kll_sketch_agg_double", "di", A_KLL, KLL_DOUBLE, kll_value, false},
    {"bh_kll_sketch_agg_float", "fi", A_KLL, KLL_FLOAT, kll_value, false},
    {"bh_kll_merge_agg_bigint", "bi", A_KLL, KLL_BIGINT, kll_unite, false},
    {"bh_kll_merge_agg_double", "bi", A_KLL, KLL_DOUBLE, kll_unite, false},
    {"bh_kll_merge_agg_float", "bi", A_KLL, KLL_FLOAT, kll_unite, false},
    {"bh_count_min_long", "lddi", A_CMS, 0, cms_value, false},
    {"bh_count_min_bytes", "bddi", A_CMS, 1, cms_value, false},
    {"bh_approx_top_k_accumulate", "bii", A_FREQ, 0, freq_value, true},
    {"bh_approx_top_k_combine", "biii", A_FREQ, 0, freq_unite, false},
    {"bh_histogram_numeric", "di", A_BINS, 0, bins_value, false},
};

/* ---- states ---- */

static void state_free(enum family family, struct state *s) {
    if (s->any) switch (family) {
        case A_THETA: ts_free(&s->ts); break;
        case A_HLL: hll_free(&s->hll); break;
        case A_KLL: kll_free(&s->kll); break;
        case A_CMS: cms_free(&s->cms); break;
        case A_FREQ: freq_free(&s->freq); break;
        case A_BINS: free(s->bins.bin); break;
        }
    free(s);
}

/* A copy of what a state holds: states may be joined again and again (windows), so the source stays. */
static bool copy_of(enum family family, const struct state *from, struct state *to) {
    *to = *from;
    to->any = true;
    switch (family) {
    case A_THETA:
        ts_init(&to->ts, from->ts.kind, from->ts.mode, from->ts.lg_k);
        to->ts.lg_size = from->ts.lg_size;
        return ts_union(&to->ts, &from->ts);
    case A_HLL: return hll_init(&to->hll, from->hll.lg_k) && hll_union(&to->hll, &from->hll);
    case A_KLL: return kll_copy(&from->kll, &to->kll);
    case A_CMS: return cms_copy(&from->cms, &to->cms);
    case A_FREQ: return freq_copy(&from->freq, &to->freq);
    case A_BINS:
        to->bins = (struct bins){.most = from->bins.most};
        return bins_merge(&to->bins, &from->bins);
    }
    return false;
}

/* The other state of the same group; both have seen rows. */
static bool join(struct in *in, enum family family, struct state *to, const struct state *from) {
    switch (family) {
    case A_THETA: {
        struct state s;
        if (!to->inter) return fits(in, ts_union(&to->ts, &from->ts));
        if (!copy_of(family, from, &s)) return too_large(in);
        return fits(in, meet(to, &s.ts, to->ts.mode));
    }
    case A_HLL:
        if (!to->any_size && to->hll.lg_k != from->hll.lg_k) return lg_differs(in, to->hll.lg_k, from->hll.lg_k);
        return fits(in, hll_union(&to->hll, &from->hll));
    case A_KLL: return fits(in, kll_merge(&to->kll, &from->kll));
    case A_CMS: return fits(in, cms_merge(&to->cms, &from->cms));
    case A_FREQ: return same_size(in, to, from->size) && fits(in, freq_merge(&to->freq, &from->freq));
    case A_BINS: return fits(in, bins_merge(&to->bins, &from->bins));
    }
    return true;
}

/* Items leave as they do out of a second stage of aggregation, which takes the first one's bytes into a map of its own. */
static bool write_freq(const struct freq *f, int kind, bool first, buf *out) {
    struct freq again;
    freq_write(f, kind, out);
    if (!first) return true;
    if (!freq_read(kind, buf_view(out), &again)) return false;
    buf_clear(out);
    freq_write(&again, kind, out);
    freq_free(&again);
    return true;
}

static bool write(enum family family, const struct row *r, struct state *s, buf *out) {
    switch (family) {
    case A_THETA: return (s->inter || ts_trim(&s->ts)) && ts_write(&s->ts, out);
    case A_HLL: hll_write(&s->hll, out); return true;
    case A_KLL:
        if (r->take == kll_value) kll_turn(&s->kll);
        kll_write(&s->kll, out);
        return true;
    case A_CMS: cms_write(&s->cms, out); return true;
    case A_FREQ: return write_freq(&s->freq, s->kind, r->take == freq_value, out);
    case A_BINS: buf_add(out, s->bins.bin, s->bins.n * sizeof(*s->bins.bin)); return true;
    }
    return true;
}

/* ---- DuckDB's side; the extra information is the row's number ---- */

struct cell { struct state *s; };

static const struct row *row_of(duckdb_function_info info) { return &rows[(size_t)(uintptr_t)duckdb_aggregate_function_get_extra_info(info)]; }

static idx_t on_size(duckdb_function_info info) {
    (void)info;
    return sizeof(struct cell);
}
static void on_init(duckdb_function_info info, duckdb_aggregate_state state) {
    (void)info;
    ((struct cell *)state)->s = NULL;
}
static bool valid(const uint64_t *v, idx_t i) { return !v || (v[i >> 6] >> (i & 63) & 1); }

static void on_update(duckdb_function_info info, duckdb_data_chunk input, duckdb_aggregate_state *states) {
    const struct row *r = row_of(info);
    struct in in = {.info = info, .name = r->name};
    const uint64_t *ok[5] = {0};
    size_t n = strlen(r->args);
    for (size_t i = 0; i < n; i++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(input, i);
        in.data[i] = duckdb_vector_get_data(v);
        ok[i] = duckdb_vector_get_validity(v);
    }
    idx_t count = duckdb_data_chunk_get_size(input);
    for (in.row = 0; in.row < count; in.row++) {
        bool all = true, first = valid(ok[0], in.row);
        for (size_t i = r->nulls ? 1 : 0; i < n; i++) all = all && valid(ok[i], in.row);
        if (!all) continue;
        struct cell *c = (struct cell *)states[in.row];
        if (!c->s) {
            c->s = calloc(1, sizeof(*c->s));
            if (!c->s) {
                too_large(&in);
                return;
            }
        }
        if (r->nulls) in.data[4] = first ? in.data[0] : NULL;
        bool good = r->take(&in, c->s, r->tag);
        if (!good) return;
        c->s->any = true;
    }
}

static void on_combine(duckdb_function_info info, duckdb_aggregate_state *source, duckdb_aggregate_state *target, idx_t count) {
    const struct row *r = row_of(info);
    struct in in = {.info = info, .name = r->name};
    for (idx_t i = 0; i < count; i++) {
        struct cell *from = (struct cell *)source[i], *to = (struct cell *)target[i];
        if (!from->s || !from->s->any) continue;
        bool good;
        if (to->s && to->s->any) good = join(&in, r->family, to->s, from->s);
        else {
            if (!to->s) to->s = calloc(1, sizeof(*to->s));
            good = fits(&in, to->s && copy_of(r->family, from->s, to->s));
        }
        if (!good) return;
    }
}

static void on_final(duckdb_function_info info, duckdb_aggregate_state *source, duckdb_vector out, idx_t count, idx_t offset) {
    const struct row *r = row_of(info);
    struct in in = {.info = info, .name = r->name};
    duckdb_vector_ensure_validity_writable(out);
    uint64_t *v = duckdb_vector_get_validity(out);
    buf b = {.max = FN_TEXT_MAX};
    for (idx_t i = 0; i < count; i++) {
        struct cell *c = (struct cell *)source[i];
        if (!c->s || !c->s->any) {
            duckdb_validity_set_row_invalid(v, offset + i);
            continue;
        }
        buf_clear(&b);
        if (!write(r->family, r, c->s, &b) || b.overflow) {
            too_large(&in);
            break;
        }
        duckdb_unsafe_vector_assign_string_element_len(out, offset + i, b.p ? b.p : "", b.n);
    }
    buf_free(&b);
}

/* A destructor is told nothing of the function: what a state is stands in the state. */
static void destroy(enum family family, duckdb_aggregate_state *states, idx_t count) {
    for (idx_t i = 0; i < count; i++) {
        struct cell *c = (struct cell *)states[i];
        if (c->s) state_free(family, c->s);
        c->s = NULL;
    }
}
#define DESTROY(family) static void destroy_##family(duckdb_aggregate_state *s, idx_t n) { destroy(family, s, n); }
DESTROY(A_THETA)
DESTROY(A_HLL)
DESTROY(A_KLL)
DESTROY(A_CMS)
DESTROY(A_FREQ)
DESTROY(A_BINS)
static const duckdb_aggregate_destroy_t destructors[] = {destroy_A_THETA, destroy_A_HLL, destroy_A_KLL, destroy_A_CMS, destroy_A_FREQ, destroy_A_BINS};

static duckdb_type type_of(char letter) {
    switch (letter) {
    case 'l': return DUCKDB_TYPE_BIGINT;
    case 'i': return DUCKDB_TYPE_INTEGER;
    case 'd': return DUCKDB_TYPE_DOUBLE;
    case 'f': return DUCKDB_TYPE_FLOAT;
    case 'B': return DUCKDB_TYPE_BOOLEAN;
    default: return DUCKDB_TYPE_BLOB;
    }
}

static err *register_row(duckdb_connection con, size_t i) {
    duckdb_aggregate_function f = duckdb_create_aggregate_function();
    duckdb_aggregate_function_set_name(f, rows[i].name);
    for (const char *p = rows[i].args; *p; p++) {
        duckdb_logical_type t = duckdb_create_logical_type(type_of(*p));
        duckdb_aggregate_function_add_parameter(f, t);
        duckdb_destroy_logical_type(&t);
    }
    duckdb_logical_type blob = duckdb_create_logical_type(DUCKDB_TYPE_BLOB);
    duckdb_aggregate_function_set_return_type(f, blob);
    duckdb_destroy_logical_type(&blob);
    duckdb_aggregate_function_set_extra_info(f, (void *)(uintptr_t)i, NULL);
    duckdb_aggregate_function_set_functions(f, on_size, on_init, on_update, on_combine, on_final);
    duckdb_aggregate_function_set_destructor(f, destructors[rows[i].family]);
    if (rows[i].nulls) duckdb_aggregate_function_set_special_handling(f);
    duckdb_state rc = duckdb_register_aggregate_function(con, f);
    duckdb_destroy_aggregate_function(&f);
    return rc == DuckDBSuccess ? NULL : err_new(ERR_INTERNAL_ERROR, "DuckDB refuses the aggregate %s", rows[i].name);
}

err *fn_register_sketches(duckdb_connection con) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) TRY(register_row(con, i));
    return NULL;
}
