/* SPDX-License-Identifier: Apache-2.0 */
/* Any text through parser, analyser and emitter in a small world: no crash, no leak, bounded time. */
#include "harness/sqlworld.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 4096) return 0;
    arena *a = arena_new();
    struct sql_compiled c;
    sqlworld_compile(a, arena_strndup(a, (const char *)data, size), &c);
    arena_free(a);
    return 0;
}
