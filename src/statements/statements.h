/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statement service of control: SQL warehouses (warehouse.h), sessions (session.h), statements (statement.h),
 * results, history, and the answers to what engines ask (asks.h).
 */
#ifndef BH_STATEMENTS_STATEMENTS_H
#define BH_STATEMENTS_STATEMENTS_H

#include "statements/statement.h"

/* Sets c->statements. Makes the starter warehouse of every workspace that never had one; loads all warehouses;
 * statements that were under way when control ended become FAILED. */
err *statements_open(struct control *c) BH_CHECK;
/* Before the stores close: writes what history still lacks. */
void statements_close(struct control *c);
/* The id of the workspace's oldest warehouse, "" if it has none: for people who look for one. */
str statements_first_warehouse(struct control *c, int64_t workspace);

/* ---- history ---- */
/* Parks r until every statement that has begun or ended is in history.db. */
void history_settle(struct control *c, struct req *r);

#endif
