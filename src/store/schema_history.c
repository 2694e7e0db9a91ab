/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of history.db. */
#include "store/store_int.h"

const struct schema_step schema_history[] = {
    {.what = NULL},
};
