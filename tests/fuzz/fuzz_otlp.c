/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP exports as protobuf. */
#include <stddef.h>
#include <stdint.h>

#include "mlflow/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    struct otlp_spans spans;
    err *e = otlp_parse(a, str_n((const char *)data, size), &spans);
    for (size_t i = 0; !e && i < spans.n; i++) {
        jval *o;
        e = json_parse(a, spans.p[i].row.body, false, &o);
        must(e == NULL); /* what we wrote must be readable */
    }
    err_free(e);
    arena_free(a);
    return 0;
}
