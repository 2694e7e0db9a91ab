/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the footer of a Parquet file. */
#include <stddef.h>
#include <stdint.h>

#include "engine/worker/footer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct footer_node *n) {
    const struct footer_node *k, *v;
    buf b = {0};
    footer_duckdb_type(n, &b);
    buf_free(&b);
    footer_element(n);
    footer_map(n, &k, &v);
    for (size_t i = 0; i < n->n; i++) walk(&n->child[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    struct footer f;
    err *e = footer_parse(a, str_n((const char *)data, size), &f);
    if (!e) walk(&f.root);
    err_free(e);
    arena_free(a);
    return 0;
}
