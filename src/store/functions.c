/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that our statements use (sql.h lists them). */
#include "store/fold.h"
#include "store/store_int.h"

static str text_of(sqlite3_value *v) {
    const char *p = (const char *)sqlite3_value_text(v);
    return p ? str_n(p, (size_t)sqlite3_value_bytes(v)) : STR_NONE;
}

static void fn_fold(sqlite3_context *ctx, int n, sqlite3_value **v) {
    (void)n;
    str s = text_of(v[0]), folded;
    if (!s.p) return;
    arena *a = arena_new();
    if (fold_text(a, s, &folded))
        sqlite3_result_text64(ctx, folded.p, folded.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_result_text64(ctx, s.p, s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    arena_free(a);
}

static size_t char_size(str s, size_t at) {
    size_t n = 1;
    while (at + n < s.n && ((unsigned char)s.p[at + n] & 0xc0) == 0x80) n++;
    return n;
}

/* Goes back to the last % only, so the work is at most pattern × text. */
static bool like(str pat, str s) {
    size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;
    while (i < s.n) {
        if (p < pat.n && pat.p[p] == '%') {
            star = p++;
            mark = i;
        } else if (p < pat.n && pat.p[p] == '_') {
            p++;
            i += char_size(s, i);
        } else if (p < pat.n && pat.p[p] == s.p[i]) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = mark += char_size(s, mark);
        } else {
            return false;
        }
    }
    while (p < pat.n && pat.p[p] == '%') p++;
    return p == pat.n;
}

static void fn_like(sqlite3_context *ctx, int n, sqlite3_value **v) {
    (void)n;
    str pat = text_of(v[0]), s = text_of(v[1]);
    if (pat.p && s.p) sqlite3_result_int(ctx, like(pat, s));
}

static void fn_ilike(sqlite3_context *ctx, int n, sqlite3_value **v) {
    (void)n;
    str pat = text_of(v[0]), s = text_of(v[1]), fp, fs;
    if (!pat.p || !s.p) return;
    arena *a = arena_new();
    sqlite3_result_int(ctx, fold_text(a, pat, &fp) && fold_text(a, s, &fs) && like(fp, fs));
    arena_free(a);
}

err *functions_register(struct conn *c) {
    static const struct {
        const char *name;
        int args;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } rows[] = {{"bh_fold", 1, fn_fold}, {"bh_like", 2, fn_like}, {"bh_ilike", 2, fn_ilike}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = sqlite3_create_function_v2(c->db, rows[i].name, rows[i].args,
                                            SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                            NULL, rows[i].fn, NULL, NULL, NULL);
        if (rc != SQLITE_OK) return conn_error(c, rc, "registering a function");
    }
    return NULL;
}
