/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: domain; second: filter or order_by; the rest is the text. */
#include <stddef.h>
#include <stdint.h>

#include "mlflow/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    arena *a = arena_new();
    struct mlq q = {0};
    str text = str_n((const char *)data + 2, size - 2);
    enum filter_domain d = (enum filter_domain)(data[0] % 4);
    err *e = data[1] & 1 ? filter_order(a, d, text, &q) : filter_parse(a, d, text, &q);
    if (!e)
        for (size_t i = 0; i < q.n_clauses; i++) {
            (void)mlq_match_text(&q.clauses[i], text);
            (void)mlq_match_number(&q.clauses[i], (double)size);
        }
    err_free(e);
    arena_free(a);
    return 0;
}
