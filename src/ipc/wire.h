/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field encodings of frames (tables/messages.json): little-endian integers; str = u32 length and
 * bytes; pairs = u32 count, then name and value as str. A reader that runs past the end clears
 * `ok` and yields zeros, so that a decoder checks once.
 */
#ifndef BH_IPC_WIRE_H
#define BH_IPC_WIRE_H

#include "ipc/gen_messages.h"

#define WIRE_MAX_PAIRS 1024u

struct wire_in {
    str rest;
    bool ok;
};

static inline uint64_t wire_int(struct wire_in *in, size_t n) {
    if (in->rest.n < n) {
        in->ok = false;
        in->rest.n = 0;
        return 0;
    }
    uint64_t v = 0;
    memcpy(&v, in->rest.p, n); /* x86-64 and arm64 are little endian */
    in->rest = str_from(in->rest, n);
    return v;
}

static inline uint8_t wire_get_u8(struct wire_in *in) { return (uint8_t)wire_int(in, 1); }
static inline uint16_t wire_get_u16(struct wire_in *in) { return (uint16_t)wire_int(in, 2); }
static inline uint32_t wire_get_u32(struct wire_in *in) { return (uint32_t)wire_int(in, 4); }
static inline uint64_t wire_get_u64(struct wire_in *in) { return wire_int(in, 8); }
static inline int64_t wire_get_i64(struct wire_in *in) { return (int64_t)wire_int(in, 8); }
static inline bool wire_get_bool(struct wire_in *in) { return wire_int(in, 1) != 0; }
static inline str wire_get_str(struct wire_in *in) {
    uint32_t n = wire_get_u32(in);
    if (in->rest.n < n) {
        in->ok = false;
        return STR_NONE;
    }
    str s = str_cut(in->rest, n);
    in->rest = str_from(in->rest, n);
    return s;
}
struct msg_pairs wire_get_pairs(struct wire_in *in, arena *a);

static inline void wire_put_u8(buf *b, uint8_t v) { buf_u8(b, v); }
static inline void wire_put_u16(buf *b, uint16_t v) { buf_u16(b, v); }
static inline void wire_put_u32(buf *b, uint32_t v) { buf_u32(b, v); }
static inline void wire_put_u64(buf *b, uint64_t v) { buf_u64(b, v); }
static inline void wire_put_i64(buf *b, int64_t v) { buf_u64(b, (uint64_t)v); }
static inline void wire_put_bool(buf *b, bool v) { buf_u8(b, v); }
static inline void wire_put_str(buf *b, str s) {
    buf_u32(b, (uint32_t)s.n);
    buf_str(b, s);
}
void wire_put_pairs(buf *b, struct msg_pairs p);

#endif
