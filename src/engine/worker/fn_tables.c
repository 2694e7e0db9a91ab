/* SPDX-License-Identifier: Apache-2.0 */
/* Every table of C functions; a new fn_<area>.c adds its table here. */
#include "engine/worker/fn_int.h"

const struct fn_table *const fn_tables[] = {
    &fn_table_cast,
};
const size_t fn_n_tables = ARRAY_LEN(fn_tables);
