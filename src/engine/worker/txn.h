/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's transaction over catalog-managed tables.
 *
 *   SET AUTOCOMMIT = FALSE   from now on the first statement that reads or changes tables begins one
 *   BEGIN TRANSACTION        begins one
 *   COMMIT, ROLLBACK         end it
 *   BEGIN ATOMIC … END       one of its own: the statements in it, then COMMIT; if one fails, ROLLBACK and its error. It has variables,
 *                            control and conditions as other scripts have (script.c), but no handlers
 *
 * Reading: each table is pinned when it is first named, catalog-managed ones at the version that they had at the sequence of the
 * catalog's store at which the transaction named its first table. So all of them are seen as of one instant.
 * Writing: files are written at once, their versions are kept here: applied to the pinned snapshot (own writes are read), and sent to
 * control by COMMIT all together (op commit_managed): every statement's version follows the one before in its table's log, and all
 * tables' versions become visible with one write of the store, or none does.
 * A statement that fails, or a COMMIT, aborts the transaction: until ROLLBACK nothing else is taken.
 * A session that ends, or whose engine ends, has rolled back; files are then left for VACUUM.
 *
 * Statements of a session that is in a transaction run one after the other (txn_enter() waits).
 */
#ifndef BH_ENGINE_WORKER_TXN_H
#define BH_ENGINE_WORKER_TXN_H

#include "base/json.h"
#include "sql/ast.h"

struct dml_x;
struct run;
struct session;
struct txn;

struct txn *txn_new(void);
/* Rolls back. */
void txn_free(struct txn *t);
/* A setting of the session that control opens again elsewhere: txn.autocommit, txn.lost. True: it was one of these. */
bool txn_setting(struct txn *t, str name, str value);

/* Before a statement is parsed: waits for its turn, if the session is in a transaction. */
err *txn_enter(struct run *r) BH_CHECK;
/* Before a statement is carried out; *ret_taken: it was about the transaction itself and is done. */
err *txn_statement(struct run *r, const struct ast *s, bool *ret_taken) BH_CHECK;
/* After it; failed: the transaction is aborted. */
void txn_leave(struct run *r, bool failed);

/* BEGIN ATOMIC … END, around what script.c carries out of it: refuses what it does not take; then COMMIT, or ROLLBACK and the error. */
err *txn_block_begin(struct run *r, const struct ast *s) BH_CHECK;
err *txn_block_end(struct run *r, err *e) BH_CHECK;
/* A statement failed, though the script goes on: the session's transaction is aborted. */
void txn_failed(struct run *r);
/* The version that a statement of the transaction made. Takes x->written over. */
err *txn_keep(struct txn *t, struct dml_x *x) BH_CHECK;
/* ,"as_of":n of a question `resolve`; and what its answer says. */
void txn_put_as_of(const struct txn *t, buf *q);
void txn_take_seq(struct txn *t, jval *answer);
/* "autocommit":…,"transaction":… of the session's state. */
void txn_put_state(struct session *s, buf *j);

#endif
