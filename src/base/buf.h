/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer on the heap. Zero-initialise with {0}; release with buf_free().
 * With `max` set, an append beyond it sets `overflow` and is dropped whole: check once at the end. The same if the
 * machine has no memory for it (then `no_memory` is set as well); without `max` that ends the process.
 */
#ifndef BH_BASE_BUF_H
#define BH_BASE_BUF_H

#include <stdarg.h>

#include "base/assert.h"
#include "base/str.h"

typedef struct buf {
    char *p;
    size_t n, cap, max;
    bool overflow, no_memory;
} buf;

void buf_free(buf *b);
static inline void buf_clear(buf *b) {
    b->n = 0;
    b->overflow = b->no_memory = false;
}
/* Room for n more bytes; returns where to write, NULL on overflow of max. Does not change b->n. */
char *buf_reserve(buf *b, size_t n);
void buf_add(buf *b, const void *p, size_t n);
static inline void buf_str(buf *b, str s) { buf_add(b, s.p, s.n); }
static inline void buf_z(buf *b, const char *z) { buf_add(b, z, strlen(z)); }
void buf_c(buf *b, char c);
void buf_fmt(buf *b, const char *fmt, ...) BH_PRINTF(2, 3);
/* Little-endian integers. */
void buf_u8(buf *b, uint8_t v);
void buf_u16(buf *b, uint16_t v);
void buf_u32(buf *b, uint32_t v);
void buf_u64(buf *b, uint64_t v);
/* Removes the first n bytes. */
void buf_shift(buf *b, size_t n);
static inline str buf_view(const buf *b) { return str_n(b->p, b->n); }
/* A JSON string literal with quotes and escapes. */
void buf_json_str(buf *b, str s);

#endif
