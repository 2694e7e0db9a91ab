/* SPDX-License-Identifier: Apache-2.0 */
/* Private to statements. */
#ifndef BH_STATEMENTS_INT_H
#define BH_STATEMENTS_INT_H

#include <stdlib.h>

#include "base/vec.h"
#include "statements/asks.h"
#include "statements/statements.h"

/* Ended statements that are remembered in memory at most; the oldest results go first. */
#define STATEMENTS_MAX_ENDED 100000u
#define STATEMENT_MAX_TEXT (16u * 1024u * 1024u)
/* What control keeps of them: texts of those that wait or run (short ones are always taken), and what is known of those
 * that ended (columns, chunks, errors); the oldest results go first. */
#define STATEMENTS_MAX_TEXTS (256ll << 20)
#define STATEMENT_SHORT_TEXT (64u * 1024u)
#define STATEMENTS_MAX_KEPT (256ll << 20)
/* Results up to this size share files once they are older than SHELVE_AFTER_US. */
#define SHELF_MAX_RESULT (256 * 1024)
#define SHELF_MAX (64 * 1024 * 1024)
#define SHELVE_AFTER_US 2000000
/* What an engine may do with one statement before it is taken for a hostile one. Ours tells of its chunks as they come,
 * each beginning where the last one ended, asks for a file once, and has one question open at a time. */
#define STATEMENT_MAX_CHUNKS (1u << 20)
#define STATEMENT_MAX_ASKS 64u
#define SPOOL_MAX_UNTOLD (4ll << 30)

struct cluster {
    struct warehouse *w;
    engine *e;
    char owner[41];
    int dbu;
    bool ready;
    bool retiring; /* takes no further statements; ends when idle */
    const char *ending; /* why we end it: what its statements are told; or NULL */
    size_t running;
    loop_timer idle;
};

/* A request that waits for a statement. */
struct statement_wait {
    struct statement *s;
    uint64_t park;
    loop_timer timer;
    bool then_cancel;
    bool over_time; /* goes as soon as its row of history.db is durable */
    int64_t row;    /* of the result, with which it goes too; -1: none */
};

struct statements {
    struct control *c;
    map *warehouses;  /* id -> struct warehouse */
    map *sessions;    /* id -> struct sql_session */
    struct sql_session *oldest, *newest;
    map *statements;  /* id -> struct statement */
    struct statement *ended_first, *ended_last;
    struct statement *shelve_next; /* of the ended ones, the first whose file is its own */
    size_t n_ended;
    int64_t text_bytes, kept_bytes; /* of texts; of what is kept of ended statements */
    map *asks;        /* name -> struct route_row */

    vec_of(struct statement *) dirty; /* held */
    bool flushing;
    loop_timer flush;
    vec_of(uint64_t) settling; /* parked requests that want everything written */
    vec_of(uint64_t) settling_now;

    int spool_dir;
    struct spool *shelf;
    int64_t spool_bytes; /* of all results that are kept */
    loop_timer sweep, prune;
    bool closing;
};

static inline struct statements *statements_of(struct control *c) { return c->statements; }

/* warehouse.c */
void warehouse_fail_queue(struct warehouse *w, err_code code, const char *why);
/* cluster.c */
void cluster_end(struct cluster *cl, const char *why);
void warehouse_enqueue(struct warehouse *w, struct statement *s);
/* Nothing if it is not in the queue. */
void warehouse_unqueue(struct warehouse *w, struct statement *s);
void clusters_retire(struct warehouse *w);
/* The statement's engine did what none of ours does: it is killed, and gets no further statement. what goes to the log. */
void cluster_refuse(struct statement *s, const char *what);
void warehouse_idle_check(struct warehouse *w);
/* DBU per hour of the serverless clusters of all warehouses. */
int64_t clusters_serverless_dbu(struct statements *svc);

/* statement.c */
/* Hands it to its cluster's engine. */
void statement_run(struct statement *s);
/* The cluster's engine is ready: what was given to it before runs from now on. */
void statements_began(struct cluster *cl);
/* It ends by our hand: state FAILED or CANCELED. */
void statement_fail(struct statement *s, enum statement_state state, err_code code, const char *why);
void statement_hold(struct statement *s);
void statement_drop(struct statement *s);
/* Forgets an ended one: result gone, not found by id any more. */
void statement_forget(struct statement *s);
/* The warehouse is about to be freed. */
void statements_forget_warehouse(struct statements *svc, struct warehouse *w);

/* wait.c */
void waits_resume(struct statement *s);
/* After a flush: those over time whose row is written. */
void waits_rows(struct statement *s); /* more rows are told */
void waits_noted(struct statement *s);

/* spool.c */
err *spool_start(struct statements *svc) BH_CHECK;
/* Memory for a result of SHELF_MAX_RESULT bytes. */
err *spool_open(struct spool **ret) BH_CHECK;
/* A file on the disk in its place, with what is written already. What others hold of the memory stays readable. */
err *spool_grow(struct statements *svc, struct statement *s) BH_CHECK;
/* Its result is in a file that only the disk bounds. */
bool spool_grown(const struct spool *s);
/* Bytes that the engine's file has: of memory its fixed size. */
int64_t spool_size(const struct spool *s);
int spool_fd(const struct spool *s);
void spool_release(struct spool *s); /* NULL is fine */
/* Moves a small result into a file that it shares with others. */
/* The history has all of it that it takes. */
void statement_free_text(struct statement *s);
void spool_shelve(struct statements *svc, struct statement *s);

/* history.c */
void history_note(struct statement *s);
void history_flush_soon(struct statements *svc, bool now);
err *history_start(struct statements *svc) BH_CHECK;
/* Waits until everything is written. */
void history_close(struct statements *svc);

/* asks.c */
void asks_on_question(struct statement *s, uint64_t question, str op, jval *ask);
void asks_free(struct statements *svc);

/* session.c */
void session_touch(struct sql_session *s);
/* They are open there no longer. */
void sessions_left(struct cluster *cl);
void sessions_forget_warehouse(struct statements *svc, struct warehouse *w);
void sessions_sweep(struct statements *svc);
/* Opens it on the cluster if it is not there. */
void session_on(struct sql_session *s, struct cluster *cl);

/* On the heap, zero-terminated; never NULL. */
static inline char *dup_text(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

#endif
