/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers' metadata statements: any text ends, and what is taken for one has its parameters. */
#include <stdlib.h>

#include "api/sql/sql_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena *a = arena_new();
    str text = str_n((const char *)data, n);
    struct statement_ask ask = {.text = text};
    bool taken = metadata_query(a, &ask);
    if (taken != (ask.n_params > 0) || (taken && !str_eq(ask.shown, text)) || (!taken && !str_eq(ask.text, text))) abort();
    str shown = show_type_text(a, text);
    (void)shown;
    (void)show_type_name(text);
    arena_free(a);
    return 0;
}
