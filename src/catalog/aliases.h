/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aliases of model versions, in the workspace registry (scope: the workspace) and in the catalog
 * (scope: the account). An alias belongs to a model and points to one of its versions; upper and
 * lower case are the same alias.
 */
#ifndef BH_CATALOG_ALIASES_H
#define BH_CATALOG_ALIASES_H

#include "base/arena.h"
#include "store/gen_entities.h"
#include "store/store.h"

#define ALIASES_MAX_PER_MODEL 100

/* All of a model, by name. */
err *aliases_of(store_tx *tx, struct store_scope scope, arena *a, int64_t model,
                struct ent_model_alias_rows *ret) BH_CHECK;
/* *ret_version 0: there is none. */
err *aliases_find(store_tx *tx, struct store_scope scope, arena *a, int64_t model, str alias,
                  int64_t *ret_version) BH_CHECK;
/* Makes or moves it. The name and the version have been checked. */
err *aliases_set(store_tx *tx, struct store_scope scope, arena *a, int64_t model, str alias,
                 int64_t version) BH_CHECK;
/* One that is not there is fine. */
err *aliases_delete(store_tx *tx, struct store_scope scope, arena *a, int64_t model, str alias)
    BH_CHECK;
/* All of a model that point to this version; version 0: all. */
err *aliases_drop(store_tx *tx, struct store_scope scope, arena *a, int64_t model, int64_t version)
    BH_CHECK;

#endif
