/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string slice: pointer and length, not owning, not necessarily zero-terminated.
 */
#ifndef BH_BASE_STR_H
#define BH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

#define STR(lit) ((str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline str str_of(const char *z) { return (str){z, z ? strlen(z) : 0}; }
/* A copy on the heap, ended by a zero; free() it. Never NULL. */
char *str_dup(str s);
static inline str str_n(const char *p, size_t n) { return (str){p, n}; }
static inline bool str_eq(str a, str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_eqz(str a, const char *z) { return str_eq(a, str_of(z)); }
static inline bool str_starts(str a, str prefix) {
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}
static inline bool str_ends(str a, str suffix) {
    return a.n >= suffix.n &&
           (suffix.n == 0 || memcmp(a.p + a.n - suffix.n, suffix.p, suffix.n) == 0);
}
static inline str str_from(str a, size_t at) {
    return at >= a.n ? str_n(a.p ? a.p + a.n : NULL, 0) : str_n(a.p + at, a.n - at);
}
static inline str str_cut(str a, size_t n) { return n < a.n ? str_n(a.p, n) : a; }

/* ASCII case-insensitive equality. */
bool str_ieq(str a, str b);
/* Byte order; shorter first where one is a prefix of the other. */
int str_cmp(str a, str b);
/* Offset of the first c at or after `from`, or -1. */
ptrdiff_t str_chr(str a, char c, size_t from);
ptrdiff_t str_find(str a, str needle);
str str_trim(str a);
/* Takes the part before the next `sep` off *rest; false when *rest was exhausted. */
bool str_split(str *rest, char sep, str *ret_part);

/* Strict decimal parsers: whole slice, no blanks, no overflow. `ret` is written on success only. */
bool str_to_i64(str a, int64_t *ret);
bool str_to_u64(str a, uint64_t *ret);
/* Decimal or exponent form, "NaN", "Infinity", "-Infinity"; correctly rounded, locale independent. */
bool str_to_f64(str a, double *ret);

bool str_is_utf8(str a);
/* Constant-time equality for secrets of equal length. */
bool str_eq_secret(str a, str b);

#endif
