/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog `samples`, which everyone may read and nobody change. */
#ifndef BH_CATALOG_SAMPLES_H
#define BH_CATALOG_SAMPLES_H

#include "catalog/securable.h"

#define SAMPLES_CATALOG "samples"

/* Makes it; there must be none. everyone: the group that reads it. */
err *samples_create(const struct caller *c, int64_t everyone) BH_CHECK;

#endif
