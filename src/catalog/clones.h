/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shallow clones: which tables' files their logs name.
 *
 * A log lies in its writer's hands, so where a clone's files lie is not read from it: the row of the clone keeps the places of
 * the tables that a CLONE was allowed to name (uc_table.clone_sources). Whoever may read the clone may read them, for as long as
 * the clone lives, whatever grants on the sources are by then. A place that has become another table's is left out: its files
 * were never cloned.
 */
#ifndef BH_CATALOG_CLONES_H
#define BH_CATALOG_CLONES_H

#include "catalog/ask.h"

struct clone_source {
    int64_t id;   /* of the table; 0: a path by itself */
    str url;      /* canonical */
    bool managed; /* its place is made of its uuid, and nobody else's ever */
};

/* The places that a row keeps; memory is the arena's. */
err *clones_read(arena *a, const struct ent_uc_table *row, struct clone_source **ret, size_t *ret_n) BH_CHECK;
/* Adds places to those of the row. */
err *clones_add(arena *a, struct ent_uc_table *row, const struct clone_source *list, size_t n) BH_CHECK;
/* "sources":[{url, location (as the engine sees it)}] of a clone, and grants to read them; nothing for other tables. */
err *clones_put(struct ask *k, jmut *o, const struct ent_uc_table *row) BH_CHECK;
static inline bool clones_is(const struct ent_uc_table *row) { return row->clone_sources.n > 2; }

#endif
