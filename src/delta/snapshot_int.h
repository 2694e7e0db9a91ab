/* SPDX-License-Identifier: Apache-2.0 */
/* What others of this folder keep with a snapshot. */
#ifndef BH_DELTA_SNAPSHOT_INT_H
#define BH_DELTA_SNAPSHOT_INT_H

#include <pthread.h>

#include "delta/snapshot.h"

struct delta_extras {
    pthread_mutex_t lock; /* of all below */
    arena *a;
    struct delta_bounds *bounds;
};

struct delta_extras *delta_snapshot_extras(struct delta_snapshot *s);

#endif
