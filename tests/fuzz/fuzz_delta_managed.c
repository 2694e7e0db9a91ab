/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of staged commits of any bytes, as engines get them from control and control from clients: src/delta/managed.c. */
#include <stddef.h>
#include <stdint.h>

#include "delta/managed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    jval *o;
    int64_t latest;
    struct delta_version *v;
    size_t n;
    err *e = json_parse(a, str_n((const char *)data, size), false, &o);
    if (!e) e = delta_managed_read(a, o, &latest, &v, &n);
    for (size_t i = 0; !e && i < n; i++) {
        must(delta_staged_name_ok(v[i].file, v[i].version));
        must(i == 0 || v[i].version > v[i - 1].version);
        must(str_find(delta_staged_path(a, v[i].file), STR("..")) < 0);
    }
    err_free(e);
    arena_free(a);
    return 0;
}
