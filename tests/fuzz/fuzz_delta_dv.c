/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a deletion vector: the blob, and as Z85 text inline. What is read is written and read again. */
#include <stddef.h>
#include <stdint.h>

#include "delta/dv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct roaring64_bitmap_s *bits, *again;
    err *e = delta_dv_blob_read(str_n((const char *)data, size), &bits);
    if (!e) {
        buf b = {0};
        uint64_t n = delta_bitmap_count(bits);
        delta_dv_blob_write(bits, &b);
        e = delta_dv_blob_read(buf_view(&b), &again);
        must(!e && delta_bitmap_count(again) == n);
        delta_bitmap_free(again);
        delta_bitmap_free(bits);
        buf_free(&b);
    }
    err_free(e);
    arena *a = arena_new();
    struct delta_fs fs = delta_fs_dir(a, STR("/nowhere"));
    struct delta_dv dv = {.storage = 'i', .path = str_n((const char *)data, size), .offset = -1, .size = (int64_t)(size / 5 * 4), .cardinality = 1};
    e = delta_dv_load(&fs, &dv, -1, &bits);
    if (!e) delta_bitmap_free(bits);
    err_free(e);
    arena_free(a);
    return 0;
}
