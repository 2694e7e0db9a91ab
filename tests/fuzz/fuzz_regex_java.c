/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: how much of the rest is the pattern; the remainder is searched, if it is UTF-8 as DuckDB's strings are. */
#include <stddef.h>
#include <stdint.h>

#include "engine/worker/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 2000) return 0;
    size_t n = 1 + data[0] % (size - 1);
    str pattern = str_n((const char *)data + 1, n), text = str_n((const char *)data + 1 + n, size - 1 - n);
    if (!str_is_utf8(pattern) || !str_is_utf8(text)) return 0;
    char why[200];
    struct regex *r = regex_new(pattern, why);
    if (!r) return 0;
    size_t from, to, at = 0;
    for (int i = 0; i < 50 && at <= text.n && regex_find(r, text, at) == REGEX_FOUND; i++) {
        for (unsigned g = 0; g <= regex_groups(r); g++) (void)regex_span(r, g, &from, &to);
        at = regex_next(r, text);
    }
    regex_free(r);
    return 0;
}
