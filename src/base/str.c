/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static inline unsigned char lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

char *str_dup(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

bool str_ieq(str a, str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i])) return false;
    return true;
}

int str_cmp(str a, str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c) return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

ptrdiff_t str_chr(str a, char c, size_t from) {
    if (from >= a.n) return -1;
    const char *q = memchr(a.p + from, c, a.n - from);
    return q ? q - a.p : -1;
}

ptrdiff_t str_find(str a, str needle) {
    if (needle.n == 0) return 0;
    if (a.n < needle.n) return -1;
    const char *q = memmem(a.p, a.n, needle.p, needle.n);
    return q ? q - a.p : -1;
}

str str_trim(str a) {
    while (a.n && strchr(" \t\r\n", a.p[0])) a = str_from(a, 1);
    while (a.n && strchr(" \t\r\n", a.p[a.n - 1])) a.n--;
    return a;
}

bool str_split(str *rest, char sep, str *ret_part) {
    if (!rest->p) return false;
    ptrdiff_t at = str_chr(*rest, sep, 0);
    if (at < 0) {
        *ret_part = *rest;
        *rest = STR_NONE;
        return true;
    }
    *ret_part = str_cut(*rest, (size_t)at);
    *rest = str_n(rest->p + at + 1, rest->n - (size_t)at - 1);
    return true;
}

bool str_to_u64(str a, uint64_t *ret) {
    if (a.n == 0 || a.n > 20) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9') return false;
        if (__builtin_mul_overflow(v, 10u, &v)) return false;
        if (__builtin_add_overflow(v, (uint64_t)(a.p[i] - '0'), &v)) return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(str a, int64_t *ret) {
    bool neg = a.n && a.p[0] == '-';
    uint64_t u;
    if (!str_to_u64(neg ? str_from(a, 1) : a, &u)) return false;
    if (u > (uint64_t)INT64_MAX + (neg ? 1u : 0u)) return false;
    *ret = neg ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

static locale_t c_locale(void) {
    static locale_t loc;
    if (!loc) loc = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return loc;
}

bool str_to_f64(str a, double *ret) {
    char z[352];
    if (a.n == 0 || a.n >= sizeof(z)) return false;
    if (str_eqz(a, "NaN")) return *ret = __builtin_nan(""), true;
    if (str_eqz(a, "Infinity")) return *ret = __builtin_inf(), true;
    if (str_eqz(a, "-Infinity")) return *ret = -__builtin_inf(), true;
    for (size_t i = 0; i < a.n; i++)
        if (!strchr("0123456789+-.eE", a.p[i]) || a.p[i] == 0) return false;
    memcpy(z, a.p, a.n);
    z[a.n] = 0;
    char *end;
    double v = strtod_l(z, &end, c_locale());
    if (end != z + a.n) return false;
    *ret = v;
    return true;
}

bool str_is_utf8(str a) {
    const unsigned char *s = (const unsigned char *)a.p;
    size_t i = 0;
    while (i < a.n) {
        unsigned char c = s[i];
        size_t k;
        uint32_t cp, min;
        if (c < 0x80) {
            i++;
            continue;
        } else if ((c & 0xe0) == 0xc0) {
            k = 1, cp = c & 0x1f, min = 0x80;
        } else if ((c & 0xf0) == 0xe0) {
            k = 2, cp = c & 0x0f, min = 0x800;
        } else if ((c & 0xf8) == 0xf0) {
            k = 3, cp = c & 0x07, min = 0x10000;
        } else {
            return false;
        }
        if (a.n - i <= k) return false;
        for (size_t j = 1; j <= k; j++) {
            if ((s[i + j] & 0xc0) != 0x80) return false;
            cp = cp << 6 | (s[i + j] & 0x3f);
        }
        if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) return false;
        i += k + 1;
    }
    return true;
}

bool str_eq_secret(str a, str b) {
    if (a.n != b.n) return false;
    unsigned char d = 0;
    for (size_t i = 0; i < a.n; i++) d |= (unsigned char)(a.p[i] ^ b.p[i]);
    return d == 0;
}
