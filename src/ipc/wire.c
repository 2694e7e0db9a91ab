/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/wire.h"

struct msg_pairs wire_get_pairs(struct wire_in *in, arena *a) {
    struct msg_pairs r = {NULL, wire_get_u32(in)};
    if (r.n > WIRE_MAX_PAIRS || (size_t)r.n * 8 > in->rest.n) in->ok = false;
    if (!in->ok) return (struct msg_pairs){NULL, 0};
    r.p = arena_array_of(a, struct msg_pair, r.n + 1);
    for (uint32_t i = 0; i < r.n; i++) {
        r.p[i].name = wire_get_str(in);
        r.p[i].value = wire_get_str(in);
    }
    return r;
}

void wire_put_pairs(buf *b, struct msg_pairs p) {
    buf_u32(b, p.n);
    for (uint32_t i = 0; i < p.n; i++) {
        wire_put_str(b, p.p[i].name);
        wire_put_str(b, p.p[i].value);
    }
}
