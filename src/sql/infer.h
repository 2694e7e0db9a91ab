/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of a text of CSV, JSON or XML, as schema_of_csv() and its like tell it. */
#ifndef BH_SQL_INFER_H
#define BH_SQL_INFER_H

#include "sql/type.h"

struct infer {
    str sep;                     /* CSV; empty: a comma */
    bool prefers_decimal, primitives_as_string, infer_timestamp, leading_zeros; /* JSON */
    bool exclude_attribute;      /* XML */
    str attribute_prefix, value_tag; /* XML; empty: _ and _VALUE */
};

/* NULL: the text is none. */
const struct sql_type *infer_json(arena *a, str text, const struct infer *how);
const struct sql_type *infer_csv(arena *a, str text, const struct infer *how);
const struct sql_type *infer_xml(arena *a, str text, const struct infer *how);

/* ---- CSV ---- */

struct csv_how { str sep; char quote, escape; bool trim_left, trim_right; };
/* The next field of a line; false: there is none. Of a field without text p is NULL. *at: where it begins, then where the
 * next does. The field lies in the arena or in the line. */
bool csv_next(arena *a, str line, const struct csv_how *how, size_t *at, str *ret);

#endif
