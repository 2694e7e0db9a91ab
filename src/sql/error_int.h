/* SPDX-License-Identifier: Apache-2.0 */
/* The table of error classes, shared by error.c and the generated rows. */
#ifndef BH_SQL_ERROR_INT_H
#define BH_SQL_ERROR_INT_H

#include <stddef.h>

#include "base/assert.h"

enum sql_error_form { SQL_FORM_SYNTAX, SQL_FORM_STATEMENT, SQL_FORM_ANALYSIS, SQL_FORM_CONTEXT };

struct sql_error_row {
    const char *name, *sqlstate;
    enum sql_error_form form;
    const char *message;
    const char *always[4]; /* parameters with one value for all errors of the class: name, value, … */
};

/* In strcmp order of names. */
extern const struct sql_error_row sql_error_rows[];
extern const size_t sql_n_error_rows;

/* Further names of conditions, in strcmp order. */
struct sql_condition_row {
    const char *name, *sqlstate;
};
extern const struct sql_condition_row sql_condition_rows[];
extern const size_t sql_n_condition_rows;

#endif
