/* SPDX-License-Identifier: Apache-2.0 */
/* Up to the first line break a pattern of file names, then a name. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "engine/worker/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 12) return 0;
    str all = str_n((const char *)data, size);
    ptrdiff_t end = str_chr(all, '\n', 0);
    str pattern = end < 0 ? all : str_cut(all, (size_t)end), name = end < 0 ? STR("a1.csv") : str_from(all, (size_t)end + 1);
    bool same = str_eq(pattern, name);
    if (glob_matches(pattern, name) && !glob_is(pattern)) must(same);
    if (same && !glob_is(pattern)) must(glob_matches(pattern, name));
    must(glob_matches(STR("*"), name));
    return 0;
}
