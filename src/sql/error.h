/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialect's errors: class, SQLSTATE, text and place. tables/sql_errors.json has one row for each class
 * (and subclass "CLASS.SUB"): name, sqlstate, message with <param> marks, form. gen/gen_sql_errors.py makes the
 * table gen_sql_errors.c of it.
 *
 * The form says how the place is written, as Spark does it:
 *   syntax    [CLASS] text SQLSTATE: 42601 (line 1, pos 7)\n\n== SQL ==\n<statement, ^^^ under the place>
 *   analysis  [CLASS] text SQLSTATE: 42703; line 1 pos 7\n\n== SQL (line 1, position 8) ==\n<fragment's lines, ^ under it>
 *   statement [CLASS] text SQLSTATE: 42601\n== SQL ==\n<statement>
 *   context   [CLASS] text SQLSTATE: 22012\n== SQL (line 1, position 8) ==\n<fragment's lines, ^ under it>
 * Classes that begin with _LEGACY_ERROR_TEMP_ are not shown: their text stands alone.
 */
#ifndef BH_SQL_ERROR_H
#define BH_SQL_ERROR_H

#include "base/arena.h"
#include "base/err.h"
#include "sql/ast.h"

/* sql_error("TABLE_OR_VIEW_NOT_FOUND", at, text, "relationName", "`t`", …, NULL): pairs of zero-terminated strings.
 * `at` NULL: no place; `text` is the statement's (may be empty: then the place is given by sql_error_place later).
 * The err has code ERR_SQL_ERROR, the full message, and the JSON detail of sql.h. An unknown class is a bug (must). */
err *sql_error(const char *cls, const struct ast *at, str text, ...) BH_CHECK;
/* The same from an array of n strings: name, value, name, value … */
err *sql_error_list(const char *cls, const struct ast *at, str text, const char *const *pairs, size_t n) BH_CHECK;
/* Adds line, pos and the == SQL == block to an error made without the text. An error that has a place keeps it. */
err *sql_error_place(err *e, const struct ast *at, str text);
/* An error text raised inside DuckDB by our functions or by error(): "[CLASS] {json params}" anywhere in the text
 * becomes the dialect's error; DuckDB's own texts are mapped by a table (overflow, out of memory, conversion, …);
 * anything else is INTERNAL_ERROR with the text. */
err *sql_error_of_duckdb(const char *duckdb_message) BH_CHECK;
/* The class of an error ("" if it is not one of ours), its SQLSTATE. */
str sql_error_class(const err *e, arena *a);
str sql_error_state(const err *e, arena *a);
/* Is there a row for this class? For texts that come from outside. */
bool sql_error_known(str cls);
/* May a script name this condition? Without case, with or without .SUBCLASS: the classes of tables/sql_errors.json and
 * tables/sql_conditions.json. ret_state (may be NULL): its SQLSTATE. */
bool sql_condition_known(str name, const char **ret_state);
/* An error as SIGNAL raises it: class, SQLSTATE and text of the script's own choosing; params is a JSON object's text. */
err *sql_error_signal(str cls, str state, str message, str params) BH_CHECK;

#endif
