/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine process: one loop thread that reads frames, and a thread for each running statement.
 *
 * Who owns what
 *   worker     the loop thread's, except what is marked. One per process.
 *   session    counted references; `lock` guards all that changes in it.
 *   statement  made by the loop thread, handed to one statement thread, which ends it. The loop thread
 *              finds it by number until it has ended (to cancel it, to answer it); `lock` guards what both touch.
 */
#ifndef BH_ENGINE_WORKER_H
#define BH_ENGINE_WORKER_H

#include <duckdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/worker/duck.h"
#include "engine/worker/names.h"
#include "ipc/chan.h"
#include "sys/loop.h"

#define WORKER_CONNECTIONS_KEPT 8
#define STATEMENT_CONNECTIONS 24 /* two for each of RUN_LEVELS (run.h) */

struct worker;
struct scan_cache;
struct scan_root;

/* A name and its value, as SET stores it. Heap. */
struct setting_value {
    char *name, *value;
};

/* A temporary view, a temporary function (its text is the statement that made it) or a variable of a session. Heap. */
struct temp_view {
    char *name, *text;
    char *catalog, *schema; /* current when it was made */
    bool global;
};
struct session_variable {
    char *name, *type, *duckdb; /* type as sql_type_write() has it; value as DuckDB text */
    char *initial;              /* the value that it was declared with */
};

struct session {
    struct worker *w;
    char *id, *user;
    atomic_int refs;
    pthread_mutex_t lock; /* guards all below */
    char *catalog, *schema;
    vec_of(struct setting_value) conf;
    vec_of(struct temp_view) views, functions;
    vec_of(struct session_variable) variables;
    struct txn *txn; /* its own lock (txn.h) */
};

/* A connection of DuckDB with the zone that it was last given. */
struct connection {
    duckdb_connection con;
    char zone[64];
};

enum statement_end { STATEMENT_RUNS, STATEMENT_CANCELED, STATEMENT_TIMED_OUT };

struct statement {
    struct worker *w;
    struct session *s;
    uint64_t number;
    arena *a;            /* the statement thread's */
    jval *order;         /* the JSON of engine_exec, in `a` */
    int spool;           /* -1: none */
    int64_t queued, started; /* monotonic microseconds */
    loop_timer timeout;  /* the loop thread's */
    int64_t timeout_ms;
    struct statement *next; /* in the queue */

    pthread_mutex_t lock;
    pthread_cond_t answered;
    enum statement_end end; /* read without the lock by statement_stopped() */
    struct connection *cons[STATEMENT_CONNECTIONS]; /* running ones, to be interrupted; in pairs: the query's, the scan's */
    bool spool_grown;       /* it has no end any more (its own thread's) */
    bool changed;           /* it asked for a change: what was known of names may not hold (its own thread's) */
    pthread_mutex_t asking; /* held by the thread that asks: threads of DuckDB do it too */
    uint64_t question;      /* open one, 0: none */
    bool has_answer;
    char *answer;
    size_t answer_n;
    int answer_fd;
};

struct worker {
    loop *l;
    chan *ch;
    bool reduced;
    duck *duck;          /* any thread, once it is open */
    bool leased;
    char *owner;
    struct scan_root *roots; /* fixed at the lease; [0] is the account's tables */
    size_t n_roots;
    struct scan_cache *cache;
    struct names_cache *names;
    char *spill_dir;
    int64_t memory_bytes, spill_bytes;
    int64_t reserve_bytes, spill_limit; /* disk that spilling leaves free; DuckDB's limit now */
    int max_running;
    err *failed;          /* why it ends by itself */

    map *sessions;        /* id → struct session */
    map *statements;      /* number → struct statement */

    pthread_mutex_t lock; /* guards the queue, its threads and the connections kept */
    pthread_cond_t work;
    struct statement *first, *last; /* queued */
    int threads, idle;
    struct connection *kept[WORKER_CONNECTIONS_KEPT];
    int n_kept;
    atomic_uint next_question;
    loop_timer report, trim, disk;
    uint64_t done, reported; /* statements ended; as of the last report */
};

/* Ends the connections that wait for statements. */
void worker_close_connections(struct worker *w);
/* Runs the process: fd is the channel to control. Ends when control is gone. */
err *worker_run(int fd, bool reduced) BH_CHECK;

/* ---- for run.c and those below it; on a statement's thread ---- */

/* Was it told to end? Look between steps that take long. */
bool statement_stopped(struct statement *st);
/* The error of that: SQL_ERROR OPERATION_CANCELED or a statement timeout; NULL when it runs on. */
err *statement_check(struct statement *st) BH_CHECK;
/* A connection in the given zone; interrupted when the statement is told to end. Even slots: a query's, odd ones: its scan's. */
err *statement_connect(struct statement *st, int slot, str zone, duckdb_connection *ret) BH_CHECK;
/* Gives it back; reuse false: it may hold something of the statement. */
void statement_disconnect(struct statement *st, int slot, bool reuse);
/* Sends a state; any thread. */
void statement_send(struct statement *st, const char *state, str json);

/* ask.c: asks control and waits. Any thread, where the question changes nothing. json is an object's text or empty. *ret is the answer's object, in a; an
 * answer with error becomes that error. ret_fd may be NULL (a descriptor that came is closed then). */
err *statement_ask(struct statement *st, arena *a, str op, str json, jval **ret, int *ret_fd) BH_CHECK;
/* Called by the loop thread with a frame engine_answer. */
void statement_answer(struct worker *w, uint64_t number, struct chan_frame *f);

/* run.c: carries out the statement of st->order and sends its states, the last one included. */
void statement_run(struct statement *st);

/* session.c */
struct session *session_new(struct worker *w, jval *order);
void session_release(struct session *s);
/* Value of a setting, copied into a; false: not set. */
bool session_get(struct session *s, arena *a, str name, str *ret);
void session_set(struct session *s, str name, str value);
bool session_unset(struct session *s, str name);
void session_use(struct session *s, str catalog, str schema);
/* Replaces one of that name. */
void session_put_view(struct session *s, str name, bool global, str text, str catalog, str schema);
bool session_get_view(struct session *s, arena *a, str name, bool global, struct temp_view *ret);
bool session_drop_view(struct session *s, str name, bool global);
void session_put_function(struct session *s, str name, str text, str catalog, str schema);
bool session_get_function(struct session *s, arena *a, str name, struct temp_view *ret);
bool session_drop_function(struct session *s, str name);
/* DECLARE, or with OR REPLACE again; SET: duckdb STR_NONE is the value that it was declared with. */
void session_declare(struct session *s, str name, str type, str duckdb);
void session_assign(struct session *s, str name, str duckdb);
bool session_get_variable(struct session *s, arena *a, str name, struct session_variable *ret);
bool session_drop_variable(struct session *s, str name);

#endif
