/* SPDX-License-Identifier: Apache-2.0 */
/* SQL statements in history.db. Callers have checked rights. Times are microseconds; 0: not yet. */
#ifndef BH_STORE_HISTORY_STATEMENTS_H
#define BH_STORE_HISTORY_STATEMENTS_H

#include "store/store.h"

/* Kept as numbers: never renumber. Those below HISTORY_SUCCEEDED are under way. */
enum history_state {
    HISTORY_PENDING = 0,
    HISTORY_RUNNING = 1,
    HISTORY_SUCCEEDED = 3,
    HISTORY_FAILED = 4,
    HISTORY_CANCELED = 5,
    HISTORY_CLOSED = 6 /* succeeded, and its result was closed */
};

#define HISTORY_MAX_TEXT (256u * 1024u) /* bytes of a statement's text that are kept */
#define HISTORY_MAX_PAGE 1000

struct history_statement {
    int64_t sid; /* row; filled by reads */
    struct store_scope scope;
    str id, warehouse, session;
    int64_t user;
    str user_name;
    enum history_state state;
    int64_t submitted, started, ended;
    int64_t rows;
    str kind;     /* SELECT, INSERT, … */
    str client;   /* application */
    str text;     /* cut at HISTORY_MAX_TEXT */
    str error_code, error, sql_state;
    str tags;     /* JSON list of {key, value}, or "" */
    str metrics;  /* JSON object, or "" */
};

struct history_statements {
    struct history_statement *p;
    size_t n;
};

/* Writes the row of the statement (workspace and id), a new one or over the old. */
err *history_statement_put(store_tx *tx, const struct history_statement *s) BH_CHECK;
err *history_statement_get(store_tx *tx, struct store_scope scope, arena *a, str id,
                           struct history_statement *ret, bool *found) BH_CHECK;

/* All conditions that are set must hold. */
struct history_query {
    int64_t from, until;          /* submitted, inclusive; 0: open */
    const str *ids, *warehouses;
    size_t n_ids, n_warehouses;
    const int64_t *users;
    size_t n_users;
    unsigned states;              /* bit 1 << enum history_state; 0: all */
    /* Whose the caller may see: his own, and those of these warehouses; everything: all. */
    bool everything;
    int64_t self;
    const str *seen;
    size_t n_seen;
    /* keyset paging: rows before this one in the order (0, 0: from the newest) */
    int64_t before, before_sid;
    int limit;                    /* 1..HISTORY_MAX_PAGE */
};
/* Newest first. *ret_more: there are further ones. */
err *history_statement_list(store_tx *tx, struct store_scope scope, arena *a,
                            const struct history_query *q, struct history_statements *ret,
                            bool *ret_more) BH_CHECK;

/* What was under way when control ended: FAILED with this code and message. */
err *history_statement_fail_open(store_tx *tx, int64_t ended, str code, str message) BH_CHECK;
/* Forgets statements submitted before a time, at most max; *ret_n how many. */
err *history_statement_prune(store_tx *tx, int64_t before, int64_t max, int64_t *ret_n) BH_CHECK;
/* Everything of a workspace that goes, at most max rows at once. */
err *history_statement_drop(store_tx *tx, struct store_scope scope, int64_t max, int64_t *ret_n) BH_CHECK;

#endif
