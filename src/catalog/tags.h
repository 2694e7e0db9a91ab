/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags of catalogs, schemas, tables, columns, volumes, functions and registered models: names with an optional value. A name has 1 to
 * 255 characters and none of . , - = / : and control characters; a value up to 1000; a thing up to 50 tags. Rights are the callers' to
 * ask for.
 */
#ifndef BH_CATALOG_TAGS_H
#define BH_CATALOG_TAGS_H

#include "catalog/kv.h"
#include "catalog/securable.h"

/* column empty: of the securable itself. */
err *tags_of(const struct caller *c, const struct securable *s, str column, struct kv *ret) BH_CHECK;
/* Adds (or changes) and removes, and saves. INVALID_PARAMETER_VALUE for what is not a tag, or a column that there is not. */
err *tags_change(const struct caller *c, struct securable *s, str column, const struct kv *add, const str *remove, size_t n_remove) BH_CHECK;

#endif
