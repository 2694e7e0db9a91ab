/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a SCIM filter; what parses is matched against a user, a group and a service principal. */
#include <stddef.h>
#include <stdint.h>

#include "identity/scim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str text = str_n((const char *)data, size);
    struct scim_filter *f;
    err *e = scim_filter_parse(a, text, &f);
    for (int type = PRINCIPAL_USER; !e && type <= PRINCIPAL_SERVICE; type++) {
        struct scim_resource r = {.id = (int64_t)size, .type = (enum principal_type)type, .name = text,
                                  .display_name = STR("d"), .external_id = text, .active = size & 1};
        (void)scim_filter_match(f, &r);
    }
    err_free(e);
    arena_free(a);
    return 0;
}
