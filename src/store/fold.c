/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fold.h"

#include <stdlib.h>
#include <utf8proc.h>

static bool ascii(str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80) return false;
    return true;
}

static bool through_tables(arena *a, str s, utf8proc_option_t how, str *ret) {
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &out,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE | how);
    if (n >= 0) *ret = str_n(arena_strndup(a, (const char *)out, (size_t)n), (size_t)n);
    free(out);
    return n >= 0;
}

bool fold_text(arena *a, str s, str *ret) {
    if (!ascii(s)) return through_tables(a, s, UTF8PROC_CASEFOLD, ret);
    char *p = arena_strndup(a, s.p, s.n);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + ('a' - 'A'));
    *ret = str_n(p, s.n);
    return true;
}

bool fold_nfc(arena *a, str s, str *ret) {
    if (!ascii(s)) return through_tables(a, s, 0, ret);
    *ret = arena_str(a, s);
    return true;
}

size_t fold_length(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}
