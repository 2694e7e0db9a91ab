/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <stdlib.h>

void vec_grow(void **p, size_t *cap, size_t want, size_t size) {
    size_t c = *cap ? *cap * 2 : 8;
    if (c < want) c = want;
    size_t bytes;
    must(!__builtin_mul_overflow(c, size, &bytes));
    void *q = realloc(*p, bytes);
    must(q != NULL);
    *p = q;
    *cap = c;
}
