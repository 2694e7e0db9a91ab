/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for tests of the analyser: tables t(a int not null, b string, d decimal(15,2), s struct, m map, ts timestamp) and
 * u(a bigint, c double), a view v, a filtered table f; no files, no engine.
 */
#ifndef BH_TESTS_SQLWORLD_H
#define BH_TESTS_SQLWORLD_H

#include "sql/sql.h"

/* Fills *e; everything is in the arena. */
void sqlworld_env(arena *a, struct sql_env *e);
/* The DuckDB text of a query, or "CLASS" of its error; zero-terminated, in the arena. */
const char *sqlworld_compile(arena *a, const char *text, struct sql_compiled *ret);

#endif
