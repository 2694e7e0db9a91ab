/* SPDX-License-Identifier: Apache-2.0 */
/* Raised errors; geometries, kept as u32 LE reference system and well-known bytes. */
#include <stdio.h>

#include "engine/worker/fn_int.h"

/* raise(message): a NULL message is an empty one */
static void raise_user(struct fn_call *c) {
    fn_fail_with(c, "USER_RAISED_EXCEPTION", (struct fn_param[]){{"errorMessage", fn_valid(c, 0) ? fn_str(c, 0) : STR("null")}}, 1);
}

/* raise_class(class, JSON object of parameters) */
static void raise_class(struct fn_call *c) {
    buf b = {0};
    buf_fmt(&b, "[%.*s] %.*s", STR_ARG(fn_str(c, 0)), STR_ARG(fn_str(c, 1)));
    buf_c(&b, 0);
    duckdb_scalar_function_set_error(c->info, b.p);
    buf_free(&b);
    c->failed = true;
}

/* ---- geometries ---- */

/* Is the well-known form whole? Points only are looked into; the others must at least have a header. */
static bool wkb_ok(str s) {
    if (s.n < 5 || (unsigned char)s.p[0] > 1) return false;
    const unsigned char *p = (const unsigned char *)s.p + 1;
    uint32_t type = s.p[0] ? p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24 : p[3] | p[2] << 8 | p[1] << 16 | (uint32_t)p[0] << 24;
    uint32_t kind = type % 1000, dims = 2 + (type / 1000 == 1 || type / 1000 == 2) + 2 * (type / 1000 == 3);
    if (kind < 1 || kind > 7 || type / 1000 > 3) return false;
    return kind != 1 || s.n == 5 + 8 * dims;
}

static void st_make(struct fn_call *c) {
    str s = fn_str(c, 0);
    if (!wkb_ok(s)) {
        fn_fail(c, "WKB_PARSE_ERROR", "parseError", "not well-known bytes", "pos", "0", NULL);
        return;
    }
    int32_t srid = fn_i32(c, 1);
    if (srid != 0 && srid != 3857 && srid != 4326) {
        char n[16];
        snprintf(n, sizeof(n), "%d", srid);
        fn_fail(c, "ST_INVALID_SRID_VALUE", "srid", n, NULL);
        return;
    }
    buf *b = fn_text(c);
    buf_u32(b, (uint32_t)srid);
    buf_str(b, s);
    fn_ret_buf(c, b);
}
/* Well-known bytes in the other byte order: a walk over the geometry. */
struct walk { str s; size_t at; buf *out; bool big; };

static bool copy_word(struct walk *w, bool from_big, size_t n, uint64_t *ret) {
    uint64_t v = 0;
    if (w->s.n - w->at < n) return false;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)(unsigned char)w->s.p[w->at + i] << 8 * (from_big ? n - 1 - i : i);
    for (size_t i = 0; i < n; i++) buf_c(w->out, (char)(v >> 8 * (w->big ? n - 1 - i : i)));
    w->at += n;
    *ret = v;
    return true;
}
static bool copy_geometry(struct walk *w, int depth) {
    uint64_t type, n = 1, m, x;
    if (depth > 32 || w->at >= w->s.n) return false;
    bool big = w->s.p[w->at++] == 0;
    buf_c(w->out, w->big ? 0 : 1);
    if (!copy_word(w, big, 4, &type)) return false;
    uint64_t kind = type % 1000, dims = type / 1000 == 0 ? 2 : type / 1000 == 3 ? 4 : 3;
    if (kind > 1 && (!copy_word(w, big, 4, &n) || n > w->s.n)) return false;
    for (uint64_t i = 0; i < n; i++) {
        if (kind >= 4) {
            if (!copy_geometry(w, depth + 1)) return false;
            continue;
        }
        m = 1;
        if (kind == 3 && (!copy_word(w, big, 4, &m) || m > w->s.n)) return false;
        for (uint64_t k = 0; k < m * dims; k++)
            if (!copy_word(w, big, 8, &x)) return false;
    }
    return true;
}
/* st_wkb(geometry, 'NDR' or 'XDR') */
static void st_wkb(struct fn_call *c) {
    if (fn_str(c, 0).n < 4) return;
    struct walk w = {.s = str_from(fn_str(c, 0), 4), .out = fn_text(c), .big = str_ieq(fn_str(c, 1), STR("XDR"))};
    if (copy_geometry(&w, 0)) fn_ret_buf(c, w.out);
    else fn_ret_str(c, w.s);
}
static void st_srid(struct fn_call *c) {
    str s = fn_str(c, 0);
    int32_t v;
    if (s.n < 4) return;
    memcpy(&v, s.p, 4);
    fn_ret_i32(c, v);
}

static const struct fn_def defs[] = {
    {"bh_raise", "s:i", raise_user, FN_NULLS | FN_VOLATILE, 0},
    {"bh_raise_class", "ss:i", raise_class, FN_VOLATILE, 0},
    {"bh_st_make", "bi:b", st_make, 0, 0},
    {"bh_st_wkb", "bs:b", st_wkb, 0, 0},
    {"bh_st_srid", "b:i", st_srid, 0, 0},
};
const struct fn_table fn_table_misc = {defs, ARRAY_LEN(defs)};
