/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers ask for names by patterns, without regard to case. The catalog looks names up as information_schema shows them, which is in
 * lower case: so a query gets conditions on them beside its own. */
#ifndef BH_STATEMENTS_NARROW_H
#define BH_STATEMENTS_NARROW_H

#include "statements/statement.h"

struct narrow_by {
    const char *column; /* of catalogs, schemas, tables, routines */
    const char *param;  /* the query's, of a pattern of LIKE, or of a name where exact */
    bool exact;
};

/* Adds to ask's text and parameters what its parameters allow; rows end with a NULL column. The text has " WHERE ". */
void narrow(arena *a, struct statement_ask *ask, const struct narrow_by *rows);

#endif
