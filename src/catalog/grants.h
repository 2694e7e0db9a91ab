/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grants: (securable, principal, privilege) rows. A privilege is kept by its name, so the order of
 * tables/permissions.json may change.
 */
#ifndef BH_CATALOG_GRANTS_H
#define BH_CATALOG_GRANTS_H

#include "catalog/securable.h"

/* Rows on one securable are at most this many (RESOURCE_EXHAUSTED); below ENT_MAX_PAGE. */
#define GRANTS_MAX_PER_SECURABLE 5000u

/* What was granted on one securable: an entry per principal with its privileges' bits. */
err *grants_entries(const struct caller *c, enum securable_kind kind, int64_t id,
                    struct policy_entry **ret, size_t *ret_n) BH_CHECK;

/* Adds and removes privileges (bits) of one principal; what is there or not there already is fine.
 * The caller has decided that it may be done. */
err *grants_change(const struct caller *c, enum securable_kind kind, int64_t id,
                   int64_t principal, uint64_t add, uint64_t remove) BH_CHECK;

/* Removes all grants on a securable that is deleted. */
/* May the caller give these on s? It takes MANAGE; EXTERNAL_USE_SCHEMA, with which bytes get out, MANAGE of the catalog. */
err *grants_need(const struct caller *c, const struct securable *s, uint64_t add) BH_CHECK;
err *grants_drop(const struct caller *c, enum securable_kind kind, int64_t id) BH_CHECK;

#endif
