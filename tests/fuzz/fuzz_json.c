/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the body of each route's request: parsed, then checked against the schemas of all
 * routes. The first byte chooses where in the table to begin. */
#include <stddef.h>
#include <stdint.h>

#include "api/gen_routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    arena *a = arena_new();
    jval *v;
    err *e = json_parse(a, str_n((const char *)data + 1, size - 1), (data[0] & 1) != 0, &v);
    for (size_t i = 0; !e && yyjson_is_obj(v) && i < 32; i++)
        err_free(schema_check(route_rows[(data[0] * 7u + i) % route_rows_n].request, v));
    err_free(e);
    arena_free(a);
    return 0;
}
