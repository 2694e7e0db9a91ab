/* SPDX-License-Identifier: Apache-2.0 */
/* Which types become which without being asked (ANSI mode), and what arithmetic yields. */
#ifndef BH_SQL_COERCE_H
#define BH_SQL_COERCE_H

#include "sql/type.h"

/* The type that both become in CASE, COALESCE, UNION, comparisons; NULL: there is none. */
const struct sql_type *sql_common_type(arena *a, const struct sql_type *x, const struct sql_type *y);
/* The same without turning strings into anything (set operations keep this out of ANSI's "string rules" too). */
const struct sql_type *sql_tightest_type(arena *a, const struct sql_type *x, const struct sql_type *y);
/* The type that a value of `from` becomes where `to` is wanted, NULL if it is not allowed implicitly. */
const struct sql_type *sql_implicit(arena *a, const struct sql_type *from, const struct sql_type *to);
/* May CAST(x AS to) be written at all (ANSI)? */
bool sql_can_cast(const struct sql_type *from, const struct sql_type *to);
/* May a value of `from` be stored in a column of `to` (ANSI store assignment)? */
bool sql_can_store(const struct sql_type *from, const struct sql_type *to);

/* Have its values an order? */
bool sql_is_orderable(const struct sql_type *t);

/* decimal(p,s) with precision cut to 38: digits before the point are kept, at most 6 after it are guaranteed. */
const struct sql_type *sql_decimal_adjusted(arena *a, int precision, int scale);
/* decimal that holds all values of an integral type (int → (10,0)); decimals stay. */
const struct sql_type *sql_decimal_for(arena *a, const struct sql_type *t);
/* Both decimals: holds all values of both, cut to 38. */
const struct sql_type *sql_decimal_wider(arena *a, const struct sql_type *x, const struct sql_type *y);
/* Result of x op y, op one of + - * / % d (div → bigint is not decimal). */
const struct sql_type *sql_decimal_result(arena *a, char op, const struct sql_type *x,
                                          const struct sql_type *y);

/* Writes what cuts the BIGINT x, a DuckDB text, down to the integral type as happens without ANSI mode. */
void sql_wrap(buf *out, const struct sql_type *t, const char *x);

#endif
