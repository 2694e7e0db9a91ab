/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text as a variant, which must then be readable; any bytes as a variant, walked by a path and written as JSON. */
#include <stddef.h>
#include <stdint.h>

#include "engine/worker/show.h"
#include "engine/worker/variant.h"
#include "engine/worker/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"$", "$.a", "$[0]", "$.a[1]['b']", "$.a.b.c", "$['a']", "$[", "a"};
    if (size < 1 || size > 1 << 16) return 0;
    str s = str_n((const char *)data + 1, size - 1);
    const struct zone *utc = zone_get(STR("UTC"));
    buf v = {0}, part = {0}, text = {0};
    if (data[0] & 1) {
        if (variant_of_json(s, &v)) must(show_variant(buf_view(&v), utc, &text));
        s = buf_view(&v);
    } else {
        show_variant(s, utc, &text);
    }
    variant_part(s, str_of(paths[data[0] >> 1 & 7]), &part);
    buf_free(&v);
    buf_free(&part);
    buf_free(&text);
    return 0;
}
