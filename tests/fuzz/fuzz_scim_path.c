/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the path of a SCIM PATCH: what parses has parts that lie in the text, in order. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "identity/scim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lies_in(str part, str text) { must(!part.n || (part.p >= text.p && part.p + part.n <= text.p + text.n)); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str text = str_n((const char *)data, size);
    struct scim_path p;
    err *e = scim_path_parse(text, &p);
    if (!e) {
        lies_in(p.attr, text);
        lies_in(p.key, text);
        lies_in(p.want, text);
        lies_in(p.sub, text);
        must(!p.want.n == !p.key.n);
    }
    err_free(e);
    return 0;
}
