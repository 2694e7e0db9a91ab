/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders of all frames, and the reader of facts. */
#include <stddef.h>
#include <stdint.h>

#include "ipc/gen_messages.h"
#include "policy/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRY_DECODE(name)                                                                           \
    do {                                                                                           \
        struct msg_##name m_;                                                                      \
        if (msg_##name##_decode(a, in, &m_)) {                                                     \
            buf b_ = {0};                                                                          \
            msg_##name##_encode(&m_, &b_);                                                         \
            must(b_.n == in.n); /* bool bytes aside, a round trip keeps the size */                \
            buf_free(&b_);                                                                         \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str in = str_n((const char *)data, size);
    TRY_DECODE(hello);
    TRY_DECODE(peer);
    TRY_DECODE(spawn);
    TRY_DECODE(ended);
    TRY_DECODE(request);
    TRY_DECODE(response);
    TRY_DECODE(response_fd);
    TRY_DECODE(taken);
    TRY_DECODE(fact);
    TRY_DECODE(courier_order);
    struct facts *f = facts_new(true);
    if (size > 9) {
        err *e = facts_apply(f, (uint16_t)(data[0] % 9), false, str_n(in.p + 1, 8), str_from(in, 9), -1);
        err_free(e);
    }
    facts_free(f);
    arena_free(a);
    return 0;
}
