/* SPDX-License-Identifier: Apache-2.0 */
/* Every request of TCLIService: what decodes is written, read again, and written the same. */
#include <stddef.h>
#include <stdint.h>

#include "thrift/gen_tcli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    arena *a = arena_new();
    const struct thrift_call_row *row = &thrift_calls[data[0] % CALL_COUNT];
    const struct thrift_struct *desc = data[0] & 0x80 ? row->response : row->request;
    str in = str_n((const char *)data + 1, size - 1);
    struct thrift_head head;
    size_t at = 0;
    err_free(thrift_read_head(in, &head, &at));
    void *first = arena_alloc(a, desc->size), *second = arena_alloc(a, desc->size);
    at = 0;
    err *e = thrift_read(a, in, &at, desc, first);
    if (!e) {
        buf b1 = {0}, b2 = {0};
        thrift_write(desc, first, &b1);
        at = 0;
        e = thrift_read(a, buf_view(&b1), &at, desc, second);
        must(!e && at == b1.n);
        thrift_write(desc, second, &b2);
        must(str_eq(buf_view(&b1), buf_view(&b2)));
        buf_free(&b1);
        buf_free(&b2);
    }
    err_free(e);
    arena_free(a);
    return 0;
}
