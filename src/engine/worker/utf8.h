/* SPDX-License-Identifier: Apache-2.0 */
/* Steps over UTF-8 that DuckDB has checked; a wrong byte counts as one character, so no step leaves the text. */
#ifndef BH_ENGINE_WORKER_UTF8_H
#define BH_ENGINE_WORKER_UTF8_H

#include "base/buf.h"
#include "base/str.h"

static inline size_t utf8_len(str s, size_t at) {
    unsigned char c = (unsigned char)s.p[at];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= s.n - at ? n : s.n - at;
}
static inline size_t utf8_count(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}
/* Bytes of the first n characters (all of them if it has fewer). */
static inline size_t utf8_bytes(str s, size_t n) {
    size_t at = 0;
    while (n-- && at < s.n) at += utf8_len(s, at);
    return at;
}
/* The code point at `at`; its length in *len. */
static inline uint32_t utf8_get(str s, size_t at, size_t *len) {
    unsigned char c = (unsigned char)s.p[at];
    *len = utf8_len(s, at);
    if (*len == 1) return c;
    uint32_t v = c & (0xffu >> (*len + 1));
    for (size_t i = 1; i < *len; i++) v = v << 6 | ((unsigned char)s.p[at + i] & 0x3f);
    return v;
}
static inline void utf8_put(buf *b, uint32_t c) {
    char t[4];
    size_t n = 1;
    if (c < 0x80) t[0] = (char)c;
    else if (c < 0x800) t[0] = (char)(0xc0 | c >> 6), t[1] = (char)(0x80 | (c & 0x3f)), n = 2;
    else if (c < 0x10000) t[0] = (char)(0xe0 | c >> 12), t[1] = (char)(0x80 | (c >> 6 & 0x3f)), t[2] = (char)(0x80 | (c & 0x3f)), n = 3;
    else t[0] = (char)(0xf0 | c >> 18), t[1] = (char)(0x80 | (c >> 12 & 0x3f)), t[2] = (char)(0x80 | (c >> 6 & 0x3f)), t[3] = (char)(0x80 | (c & 0x3f)), n = 4;
    buf_add(b, t, n);
}
static inline bool utf8_ascii(str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] & 0x80) return false;
    return true;
}

#endif
