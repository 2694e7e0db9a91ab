/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primary and foreign keys of tables: for people and planners, not enforced. A row keeps them as
 * [{name, type:"PRIMARY KEY"|"FOREIGN KEY", columns, rely?, parent_table?, parent_key?, parent_columns?}].
 *
 * A table has at most one primary key, over columns that are NOT NULL; a foreign key refers to the whole primary key of its parent,
 * with columns of the same types. Errors: INVALID_PARAMETER_VALUE, ALREADY_EXISTS, INVALID_STATE. Rights are the callers' to ask for.
 */
#ifndef BH_CATALOG_KEYS_H
#define BH_CATALOG_KEYS_H

#include "base/json.h"
#include "catalog/securable.h"

struct key_spec {
    str name; /* empty: <table>_pk, <table>_fk */
    bool primary, rely;
    jval *columns;                  /* names, an array */
    const struct securable *parent; /* of a foreign key */
    jval *parent_columns;           /* or NULL: its primary key's */
};

/* The table that gets keys. */
struct key_table {
    str name;
    jval *columns; /* as rows keep them */
    bool made;     /* CREATE TABLE: primary keys make their columns NOT NULL */
};

/* Adds a key to those of `list`. */
err *keys_add(const struct caller *c, const struct key_table *t, const struct key_spec *spec, jdoc *d, jmut *list) BH_CHECK;

enum keys_which { KEYS_BY_NAME, KEYS_PRIMARY, KEYS_FOREIGN };
/* Takes keys out of t->table.constraints (the caller saves): the one of a name; the primary key; foreign keys over these columns (NULL:
 * all). A primary key to which foreign keys refer goes with `cascade` only, and takes these along. *ret: how many went. */
err *keys_drop(const struct caller *c, struct securable *t, enum keys_which which, str name, jval *columns, bool cascade, size_t *ret) BH_CHECK;
/* INVALID_PARAMETER_VALUE if a column of a key is not among `columns`. */
err *keys_check_columns(arena *a, const struct ent_uc_table *t, jval *columns) BH_CHECK;

#endif
