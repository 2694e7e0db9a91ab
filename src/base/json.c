/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/mend.h"

/* yyjson takes an allocator; ours takes from the arena and never frees. */
static void *al_malloc(void *ctx, size_t n) { return arena_try_alloc(ctx, n, (size_t)1 << 32); }
static void *al_realloc(void *ctx, void *p, size_t old, size_t n) {
    if (n <= old) return p;
    void *q = arena_try_alloc(ctx, n, (size_t)1 << 32);
    if (q && p) memcpy(q, p, old);
    return q;
}
static void al_free(void *ctx, void *p) {
    (void)ctx;
    (void)p;
}

static yyjson_alc alc_of(arena *a) { return (yyjson_alc){al_malloc, al_realloc, al_free, a}; }

static bool too_deep(str text) {
    size_t depth = 0;
    bool in = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in = false;
        } else if (c == '"') {
            in = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH) return true;
        } else if (c == '}' || c == ']') {
            if (depth) depth--;
        }
    }
    return false;
}

err *json_parse(arena *a, str text, bool nonfinite, jval **ret) {
    if (too_deep(text))
        return err_new(ERR_MALFORMED_REQUEST, "JSON is nested deeper than %d levels.",
                       JSON_MAX_DEPTH);
    yyjson_alc alc = alc_of(a);
    yyjson_read_err re;
    yyjson_read_flag flags = nonfinite ? YYJSON_READ_ALLOW_INF_AND_NAN : YYJSON_READ_NOFLAG;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.p, text.n, flags, &alc, &re);
    if (!doc) {
        size_t line = 1, col = 1;
        for (size_t i = 0; i < re.pos && i < text.n; i++) {
            col++;
            if (text.p[i] == '\n') line++, col = 1;
        }
        return err_new(ERR_MALFORMED_REQUEST, "Invalid JSON at line %zu, column %zu: %s.", line,
                       col, re.msg);
    }
    *ret = yyjson_doc_get_root(doc);
    return NULL;
}

jdoc *json_doc(arena *a) {
    yyjson_alc *alc = arena_alloc(a, sizeof(*alc));
    *alc = alc_of(a);
    jdoc *d = yyjson_mut_doc_new(alc);
    must(d != NULL);
    return d;
}

/* Texts of outside may have bytes that are no UTF-8 (headers, logs of tables): they are left out, the rest is written. */
#define ANY_BYTES (YYJSON_WRITE_INF_AND_NAN_AS_NULL | YYJSON_WRITE_ALLOW_INVALID_UNICODE)

void json_write(jmut *root, buf *out) {
    size_t n = 0;
    char *p = yyjson_mut_val_write(root, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &n);
    if (!p && (p = yyjson_mut_val_write(root, ANY_BYTES, &n))) n = mend_utf8(p, n);
    must(p != NULL);
    buf_add(out, p, n);
    free(p);
}

str json_text(arena *a, jmut *root) {
    size_t n = 0;
    yyjson_alc alc = alc_of(a);
    char *p = yyjson_mut_val_write_opts(root, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &alc, &n, NULL);
    if (!p && (p = yyjson_mut_val_write_opts(root, ANY_BYTES, &alc, &n, NULL))) n = mend_utf8(p, n);
    must(p != NULL);
    return str_n(p, n);
}

bool json_i64(jval *v, int64_t *ret) {
    if (yyjson_is_sint(v)) return *ret = yyjson_get_sint(v), true;
    if (yyjson_is_uint(v)) {
        uint64_t u = yyjson_get_uint(v);
        if (u > (uint64_t)INT64_MAX) return false;
        return *ret = (int64_t)u, true;
    }
    if (yyjson_is_real(v)) {
        double d = yyjson_get_real(v);
        if (d != floor(d) || fabs(d) > 9007199254740992.0) return false;
        return *ret = (int64_t)d, true;
    }
    return yyjson_is_str(v) && str_to_i64(json_str(v), ret);
}

bool json_f64(jval *v, double *ret) {
    if (yyjson_is_num(v)) return *ret = yyjson_get_num(v), true;
    return yyjson_is_str(v) && str_to_f64(json_str(v), ret);
}

void json_put_f64(jdoc *d, jmut *o, const char *k, double v) {
    if (isfinite(v))
        yyjson_mut_obj_add_real(d, o, k, v);
    else
        yyjson_mut_obj_add_str(d, o, k, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
}
