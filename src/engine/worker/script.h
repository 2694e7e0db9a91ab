/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts: what script*.c offer to run*.c, and what they share. script.c has the essay. */
#ifndef BH_ENGINE_WORKER_SCRIPT_H
#define BH_ENGINE_WORKER_SCRIPT_H

#include "engine/worker/run.h"

#define SCRIPT_MAX_DEPTH 150  /* blocks, loops and handlers within each other as they run */

/* ---- for run*.c ---- */

/* Carries out an S_SCRIPT; the rows of its last query are r's result. */
err *script_run(struct run *r, const struct ast *s) BH_CHECK;
/* A local variable by [label.]name, copied into a. */
bool script_get(struct script *sc, arena *a, const str *parts, size_t n, struct session_variable *ret);
/* … and its new value; duckdb STR_NONE is the value that it was declared with. */
void script_put(struct script *sc, const str *parts, size_t n, str duckdb);
/* Do two names stand for one local variable? */
bool script_same(struct script *sc, const str *a, size_t n, const str *b, size_t m);
/* DECLARE in a script; the type and value are worked out by the caller. */
err *script_declare(struct run *r, const struct ast *at, str name, str type, str duckdb) BH_CHECK;

/* ---- between script*.c ---- */

/* A query whose rows are taken one by one: of FOR, of a cursor. Zeroed: not open. */
struct script_query {
    bool open;
    arena *a;
    struct run x;
    struct sql_compiled c;
    duckdb_result rows;
    duckdb_data_chunk chunk;
    idx_t at, n;
};

struct script_cursor {
    const struct ast *declared;
    struct script_query q;
    struct script_cursor *next;
};

/* A scope: of a block, of a loop over a query, of a handler that runs. On the interpreter's stack. */
struct script_frame {
    struct script_frame *outer;
    str label;                         /* the block's, or FOR's variable; may be empty */
    const struct ast *block;           /* whose handlers and conditions count; or NULL */
    struct script_frame *handler_of;   /* of a handler that runs: the block that declares it (= outer) */
    err *handled;                      /* … and what it handles */
    size_t line;                       /* … which the statement at this line raised */
    bool atomic;                       /* errors leave it before a handler is looked for */
    vec_of(struct session_variable) vars;
    struct script_cursor *cursors;
};

enum script_flow { FLOW_NEXT, FLOW_LEAVE, FLOW_ITERATE, FLOW_EXIT };

struct script {
    struct run *r;                     /* the statement's own */
    const struct ast *s;
    struct script_frame *top;
    enum script_flow flow;             /* what the last statement asks of those around it */
    str label;                         /* of FLOW_LEAVE, FLOW_ITERATE */
    struct script_frame *frame;        /* of FLOW_EXIT: the block to be left */
    unsigned levels;                   /* bits: pairs of connections in use (RUN_LEVELS) */
    int depth;
    bool looked;                       /* the error that is on its way has no handler */
    arena *kept;                       /* has what r->res and r->cols point into */
};

/* A statement of the script has a run of its own: its names, connections and memory end with it. */
err *script_begin(struct script *sc, struct run *ret) BH_CHECK;
void script_end(struct script *sc, struct run *x);
/* "CLASS[.SUB]" and SQLSTATE of any error, in a. */
void script_class(arena *a, const err *e, str *ret_class, str *ret_state);
void script_upper(arena *a, str s, str *ret);

/* script_vars.c */
void script_frame_free(struct script *sc, struct script_frame *f);
/* using_: of OPEN, or NULL. */
err *script_query_open(struct script *sc, const struct ast *query, const struct ast *using_, struct script_query *ret) BH_CHECK;
/* *ret NULL: no more; else c.n texts in a. */
err *script_query_next(struct script_query *q, arena *a, str **ret) BH_CHECK;
void script_query_close(struct script *sc, struct script_query *q);
/* FOR's variables: one for each column. */
err *script_row_begin(struct script *sc, struct script_frame *f, const struct script_query *q, const struct ast *at) BH_CHECK;
void script_row_set(struct script_frame *f, struct script_query *q, const str *row);
err *script_cursor_declare(struct script *sc, const struct ast *n) BH_CHECK;
/* OPEN, FETCH, CLOSE. */
err *script_cursor(struct script *sc, const struct ast *n) BH_CHECK;

/* script_signal.c: SIGNAL and RESIGNAL (always an error), GET DIAGNOSTICS. */
err *script_signal(struct script *sc, const struct ast *n) BH_CHECK;
err *script_diagnostics(struct script *sc, const struct ast *n) BH_CHECK;
/* The handler that a block has for an error, NULL: none. */
const struct ast *script_handler(const struct ast *block, str cls, str state);

#endif
