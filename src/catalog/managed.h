/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog's side of catalog-managed Delta tables (delta/managed.h): one row a table (uc_log). A version is committed by the
 * write that raises `latest`, and only by that; one write may raise several tables' rows, so a transaction over many tables
 * is committed as a whole or not at all. Rows have a past, so a reader that names a sequence of the store sees all tables as they
 * were at one instant.
 */
#ifndef BH_CATALOG_MANAGED_H
#define BH_CATALOG_MANAGED_H

#include "base/json.h"
#include "catalog/securable.h"
#include "delta/managed.h"

/* More versions than this that are not published are not taken: whoever commits must publish. */
#define MANAGED_MAX_STAGED 1000

struct managed_log {
    struct ent_uc_log row;
    struct delta_version *staged; /* row.commits */
    size_t n;
};

/* *found false: the table is not catalog-managed. `tx` is c->tx, or one that looks at the past. */
err *managed_find(const struct caller *c, store_tx *tx, int64_t table, struct managed_log *ret, bool *found) BH_CHECK;
/* The table is the catalog's from now on, at this (published) version. One that is already stays as it is. */
err *managed_begin(const struct caller *c, int64_t table, int64_t version, int64_t timestamp_ms) BH_CHECK;
/*
 * Ratifies the versions add[], which follow `read` (what they were staged upon), and notes that versions up to `published` (or
 * less: nothing new) are published. *ret_again: another version came meanwhile; nothing is changed.
 */
err *managed_ratify(const struct caller *c, const struct managed_log *read, const struct delta_version *add, size_t n, int64_t published,
                    bool *ret_again) BH_CHECK;
/* The same row with `published` alone. */
err *managed_published(const struct caller *c, const struct managed_log *log, int64_t published) BH_CHECK;
/* "log":{"latest","commits":[…]} of a relation. */
void managed_put(jdoc *d, jmut *o, const struct managed_log *log);
err *managed_forget(const struct caller *c, int64_t table) BH_CHECK;

#endif
