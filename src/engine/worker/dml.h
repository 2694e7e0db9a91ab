/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements that change tables, carried out in the engine: rewritten to queries, written as files,
 * committed by control.
 *
 * run.c asks dml_takes(); if so it fills struct dml and calls dml_run(). The result is DuckDB text of a
 * small SELECT with its schema, so that it goes to the client by the way that every query's result takes.
 */
#ifndef BH_ENGINE_WORKER_DML_H
#define BH_ENGINE_WORKER_DML_H

#include "engine/worker/scan.h"

struct dml {
    struct sql_env *env;          /* resolve, scan … as for a query */
    struct scan_ctx *scan;
    duckdb_connection con;        /* the statement runs on it; interrupting it cancels */
    arena *a;                     /* of the statement */
    str text;                     /* the statement's text, for errors */
    str user;
    str statement_id;
    void *arg;
    /* Asks control; `json` is the question without "statement"; *ret is the answer's object. */
    err *(*ask)(void *arg, arena *a, str op, str json, jval **ret);
    /* A session setting ("spark.sql.sources.partitionOverwriteMode", …); false: not set. */
    bool (*setting)(void *arg, str name, str *ret);
    struct txn *txn;              /* the transaction that the statement is part of, or NULL */
    /* A node of the statement as commands send it to control (engine/README.md, "Slots as JSON"). NULL: masks and row filters
     * are refused. */
    err *(*node_json)(void *arg, const struct ast *node, buf *out);
};

struct dml_result {
    bool elsewhere;               /* nothing was done: the statement is the catalog's (COMMENT ON of a view) */
    struct sql_compiled rows;     /* rows.duckdb, rows.cols: what the client sees … */
    const str *cells;             /* … its one row, where it is known without a query; else NULL */
    bool again;                   /* it failed because others changed the same rows or files meanwhile: it may be carried out anew */
    bool clean;                   /* the connection may serve others: nothing was left in it */
    int64_t modified_rows;        /* -1: does not apply */
    bool is_dml;                  /* INSERT, UPDATE, DELETE, MERGE and relatives */
    str metrics;                  /* JSON object */
};

/* Is this statement (or AST_COMMAND) one of ours? */
bool dml_takes(const struct ast *statement);
/* Op commit_managed, until no other writer came between; *ret_tables: what the answer has of each table. */
err *dml_ask_managed(struct dml *d, str question, jval **ret_tables) BH_CHECK;
/* Of an error of a commit: was the statement told to end before control said how it went? Then its files must stay. */
bool dml_may_stand(const err *e);
err *dml_run(struct dml *d, const struct ast *statement, struct dml_result *ret) BH_CHECK;

#endif
