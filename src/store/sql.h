/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin layer over SQLite's statements, for the files of src/store only: nobody else writes SQL.
 *
 *   TRY(sql_run(tx, "UPDATE tag SET value = ?2 WHERE id = ?1", sql_i(id), sql_t(value)));
 *
 *   sql *q;
 *   TRY(sql_open(&q, tx, "SELECT id, name FROM thing WHERE n > ?1", sql_i(n)));
 *   bool row;
 *   err *e;
 *   while (!(e = sql_step(q, &row)) && row) use(sql_get_i(q, 0), sql_get_t(q, 1, a));
 *   sql_close(q);
 *
 * The text must be a literal: a connection keeps the prepared statement under the literal's
 * address. Texts that are put together at run time go through sql_open_text(), which finds them by
 * content; they must not hold values of users, only names and marks that we chose.
 * Errors name the file and what SQLite said; the statement's text is added as context (log only).
 */
#ifndef BH_STORE_SQL_H
#define BH_STORE_SQL_H

#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

typedef struct sql sql;

struct sql_arg {
    enum { SQL_NULL, SQL_INT, SQL_FLOAT, SQL_TEXT, SQL_BLOB } kind;
    int64_t i;
    double f;
    str s; /* not copied: must live until the statement is closed */
};
static inline struct sql_arg sql_null(void) { return (struct sql_arg){.kind = SQL_NULL}; }
static inline struct sql_arg sql_i(int64_t v) { return (struct sql_arg){.kind = SQL_INT, .i = v}; }
static inline struct sql_arg sql_f(double v) { return (struct sql_arg){.kind = SQL_FLOAT, .f = v}; }
/* STR_NONE (p NULL) binds NULL. */
static inline struct sql_arg sql_t(str v) { return (struct sql_arg){.kind = SQL_TEXT, .s = v}; }
static inline struct sql_arg sql_z(const char *v) { return sql_t(str_of(v)); }
static inline struct sql_arg sql_b(str v) { return (struct sql_arg){.kind = SQL_BLOB, .s = v}; }

#define SQL_ARGS_(...)                                                                             \
    (const struct sql_arg[]) { {.kind = SQL_NULL}, ##__VA_ARGS__ }
#define SQL_COUNT_(...)                                                                            \
    (ARRAY_LEN(((const struct sql_arg[]){{.kind = SQL_NULL}, ##__VA_ARGS__})) - 1)

/* Runs a statement that gives no rows (or whose rows do not matter). */
#define sql_run(tx, text, ...)                                                                     \
    sql_run_n((tx), "" text "", SQL_ARGS_(__VA_ARGS__) + 1, SQL_COUNT_(__VA_ARGS__))
err *sql_run_n(store_tx *tx, const char *literal, const struct sql_arg *args, size_t n) BH_CHECK;

/* Starts a query. Every one must be closed, also after an error of sql_step(). */
#define sql_open(ret, tx, text, ...)                                                               \
    sql_open_n((ret), (tx), "" text "", SQL_ARGS_(__VA_ARGS__) + 1, SQL_COUNT_(__VA_ARGS__))
err *sql_open_n(sql **ret, store_tx *tx, const char *literal, const struct sql_arg *args,
                size_t n) BH_CHECK;
err *sql_open_text(sql **ret, store_tx *tx, const char *text, const struct sql_arg *args,
                   size_t n) BH_CHECK;
/* Runs a text put together at run time. */
err *sql_run_text(store_tx *tx, const char *text, const struct sql_arg *args, size_t n) BH_CHECK;
/* Binds other values and starts again: cheaper than close and open in a loop. */
err *sql_again_n(sql *q, const struct sql_arg *args, size_t n) BH_CHECK;
#define sql_again(q, ...) sql_again_n((q), SQL_ARGS_(__VA_ARGS__) + 1, SQL_COUNT_(__VA_ARGS__))
err *sql_step(sql *q, bool *ret_row) BH_CHECK;
void sql_close(sql *q); /* NULL is fine */

/* First column of the first row as a number. *ret is left alone when there is no row (or NULL
 * stands there); ret_found may be NULL. */
#define sql_one_i(ret, ret_found, tx, text, ...)                                                   \
    sql_one_i_n((ret), (ret_found), (tx), "" text "", SQL_ARGS_(__VA_ARGS__) + 1,                  \
                SQL_COUNT_(__VA_ARGS__))
err *sql_one_i_n(int64_t *ret, bool *ret_found, store_tx *tx, const char *literal,
                 const struct sql_arg *args, size_t n) BH_CHECK;

/* Columns of the current row, from 0. Texts and blobs are copied into the arena (and a zero put
 * after them); NULL is STR_NONE, an empty text is not. */
int64_t sql_get_i(sql *q, int col);
double sql_get_f(sql *q, int col);
bool sql_is_null(sql *q, int col);
str sql_get_t(sql *q, int col, arena *a);
str sql_get_b(sql *q, int col, arena *a);
/* The same without a copy: valid until the next step, again or close. */
str sql_peek_t(sql *q, int col);
str sql_peek_b(sql *q, int col);

/* Rows changed by the last INSERT, UPDATE or DELETE of this transaction. */
int64_t sql_changes(store_tx *tx);
/* rowid of the last INSERT. */
int64_t sql_last_rowid(store_tx *tx);
/* True if e says that a UNIQUE or PRIMARY KEY constraint failed. */
bool sql_is_duplicate(const err *e);

/* Functions that statements may use (registered on every connection):
 *   bh_fold(text)             NFC and case folded, as keys are compared (fold.h); NULL stays NULL
 *   bh_like(pattern, text)    LIKE that minds case; % and _ as usual, no escape
 *   bh_ilike(pattern, text)   the same on folded texts */

#endif
