/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

void buf_free(buf *b) {
    if (!b) return;
    free(b->p);
    *b = (buf){.max = b->max};
}

char *buf_reserve(buf *b, size_t n) {
    size_t want;
    if (__builtin_add_overflow(b->n, n, &want) || (b->max && want > b->max)) {
        b->overflow = true;
        return NULL;
    }
    if (want > b->cap) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < want) cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p && b->max) {
            b->overflow = b->no_memory = true;
            return NULL;
        }
        must(p != NULL);
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(buf *b, const void *p, size_t n) {
    if (n == 0) return;
    char *to = buf_reserve(b, n);
    if (!to) return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_c(buf *b, char c) { buf_add(b, &c, 1); }

void buf_fmt(buf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    must(n >= 0);
    char *to = buf_reserve(b, (size_t)n + 1);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void buf_u8(buf *b, uint8_t v) { buf_add(b, &v, 1); }

void buf_u16(buf *b, uint16_t v) {
    unsigned char c[2] = {(unsigned char)v, (unsigned char)(v >> 8)};
    buf_add(b, c, 2);
}

void buf_u32(buf *b, uint32_t v) {
    unsigned char c[4];
    for (int i = 0; i < 4; i++) c[i] = (unsigned char)(v >> (8 * i));
    buf_add(b, c, 4);
}

void buf_u64(buf *b, uint64_t v) {
    unsigned char c[8];
    for (int i = 0; i < 8; i++) c[i] = (unsigned char)(v >> (8 * i));
    buf_add(b, c, 8);
}

void buf_shift(buf *b, size_t n) {
    must(n <= b->n);
    if (n && b->n - n) memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_json_str(buf *b, str s) {
    static const char hex[] = "0123456789abcdef";
    buf_c(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buf_add(b, s.p + from, i - from);
        from = i + 1;
        char esc[7] = {'\\', 0};
        size_t n = 2;
        switch (c) {
        case '"': esc[1] = '"'; break;
        case '\\': esc[1] = '\\'; break;
        case '\n': esc[1] = 'n'; break;
        case '\r': esc[1] = 'r'; break;
        case '\t': esc[1] = 't'; break;
        default:
            memcpy(esc + 1, "u00", 3);
            esc[4] = hex[c >> 4];
            esc[5] = hex[c & 15];
            n = 6;
        }
        buf_add(b, esc, n);
    }
    if (s.n > from) buf_add(b, s.p + from, s.n - from);
    buf_c(b, '"');
}
