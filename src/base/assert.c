/* SPDX-License-Identifier: Apache-2.0 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_fail(const char *kind, const char *what, const char *file, int line,
                 const char *func) {
    fprintf(stderr, "boathouse: assertion (%s): %s at %s:%d in %s\n", kind, what, file, line, func);
    fflush(stderr);
    abort();
}
