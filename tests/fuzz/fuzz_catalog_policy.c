/* SPDX-License-Identifier: Apache-2.0 */
/* The call of a row filter or mask. What comes out as a constant must read as that very constant again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/policy_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    struct policy_call c, again;
    str bad;
    if (policy_call_read(a, str_n((const char *)data, size), &c, &bad) == POLICY_CALL_FINE)
        for (size_t i = 0; i < c.n_args; i++) {
            if (!c.args[i].constant) continue;
            str text = str_of(arena_printf(a, "f(%.*s)", STR_ARG(c.args[i].text)));
            if (memchr(c.args[i].text.p, 0, c.args[i].text.n)) continue;
            if (policy_call_read(a, text, &again, &bad) != POLICY_CALL_FINE || again.n_args != 1 || !again.args[0].constant) abort();
        }
    arena_free(a);
    return 0;
}
