/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements: one life cycle for every door (REST, Thrift).
 *
 *   submit ─▶ PENDING ──engine runs it──▶ RUNNING ─▶ SUCCEEDED ──close, or sql.result_keep──▶ CLOSED
 *                │ (queue, starting)          ├────▶ FAILED
 *                └──────────────── cancel ────┴────▶ CANCELED
 *
 * A door does, in steps of a request (LANE_LOOP unless said otherwise):
 *
 *   statement_submit(r, &ask, &s)              returns at once
 *   statement_wait(s, r, wait_us, false)       parks r; the next step runs when s has ended or the time is over
 *   s->state, s->error …; s->cols, s->chunks   what to answer
 *   statement_read(s, i, a, &bytes)            a chunk, on any thread (a held statement's result stands still)
 *   statement_link(r, s, i)                    or a signed link to it
 *   statement_cancel(s), statement_close(s)
 *
 * A pointer lives as long as somebody holds it: statement_hold_for(r, s) does until the request ends;
 * statement_find() finds it again by id. A result is a range of a spool file; chunks say where in it.
 *
 * An id that was told to a client is durable: statement_wait() returns for a statement that has not ended only
 * when its row is in history.db; so after a crash of control the client hears FAILED, never "unknown".
 */
#ifndef BH_STATEMENTS_STATEMENT_H
#define BH_STATEMENTS_STATEMENT_H

#include "engine/link.h"
#include "statements/session.h"
#include "store/history_statements.h"

enum statement_state {
    STATEMENT_PENDING,
    STATEMENT_RUNNING,
    STATEMENT_SUCCEEDED,
    STATEMENT_FAILED,
    STATEMENT_CANCELED,
    STATEMENT_CLOSED
};
/* "PENDING", … */
const char *statement_state_name(enum statement_state s);
static inline bool statement_over(enum statement_state s) { return s >= STATEMENT_SUCCEEDED; }

struct statement_ask {
    struct sql_session *session;
    str text, shown;             /* shown: what the client sent, for history, where text is made of it; else empty */
    const struct engine_param *params;
    size_t n_params;
    const struct msg_pair *conf; /* of this statement alone (confOverlay) */
    size_t n_conf;
    enum engine_format format;
    enum engine_form form;
    unsigned native;
    bool lz4, lz4_if_smaller;
    int64_t row_limit, byte_limit; /* 0: none; row_limit -1: no rows */
    bool byte_limit_fails;
    int64_t chunk_bytes, chunk_rows, inline_bytes; /* 0: the engine's */
    int64_t timeout_us;            /* 0: the session's, warehouse's, setting's */
    str tags;                      /* JSON list of {key, value}, or "" */
    int disposition;               /* the door's own, kept for it */
    bool early;                    /* the door hands out rows of a statement that still runs (statement_wait_rows) */
};

struct statement_column {
    char *name, *type, *type_json, *comment;
    bool nullable;
};

struct spool; /* spool.c */

struct statement {
    struct statements *svc;
    struct warehouse *w; /* NULL when that is gone */
    char warehouse_id[17];
    struct sql_session *session; /* NULL once it ended */
    char session_id[37];
    bool session_shown;          /* the client opened it */
    struct cluster *cluster;     /* where it runs */
    engine_statement *run;
    struct statement *next;      /* in the queue */
    char id[37];
    struct store_scope scope;
    int64_t user;
    char *user_name, *client, *tags;
    char *host;                 /* the door that the client came through, for links */
    bool tls;

    enum statement_state state;
    bool cancel_asked;
    const char *cancel_why;
    err_code error_code;        /* FAILED, CANCELED */
    bool over_own_limit;           /* FAILED: it ran longer than the limit that came with it (ask.timeout_us) */
    char *error, *error_class, sql_state[8];
    char *error_json;           /* {"message","class","sqlState","params",…}, or NULL */

    int64_t submitted, started, ended; /* UTC us */
    int64_t queued_for_start;          /* UTC us it began to wait for the warehouse, 0 */
    int64_t queued_for_room;           /* UTC us it began to wait for room, 0 */
    char *text;
    size_t text_n;
    char *shown;                       /* or NULL: text. Both are gone when the history has the statement's end */
    int64_t kept;                      /* bytes that an ended one holds, about */

    /* the request, until it is sent to the engine */
    struct statement_ask ask;   /* its texts live in a */
    arena *a;

    /* the result */
    bool has_schema, has_result, truncated, is_dml;
    enum engine_format format;
    enum engine_form form;
    bool lz4;
    int disposition;
    int64_t next_row;           /* the door's own: where its next fetch begins */
    struct statement_column *cols;
    size_t n_cols;
    char *arrow_schema;         /* encapsulated message, bytes */
    size_t arrow_schema_n;
    vec_of(struct engine_chunk) chunks;
    int64_t rows, bytes, modified_rows; /* -1: not known */
    char *kind;                 /* statement_type */
    char *staging, *metrics;    /* JSON, or NULL */
    struct spool *spool;
    int64_t spool_base;         /* where its bytes begin in the spool */
    bool early;                 /* it runs, and what it has told may be read on the loop: chunks, schema */
    int64_t told_bytes, told_rows; /* of all chunks: where the next one begins */
    int64_t room;               /* bytes that its engine was told to stay below */
    unsigned asks;              /* questions of its engine that wait for their answer */

    /* machinery */
    unsigned holds, tries;
    bool forget;                /* closed while it ran */
    bool listed;                /* in the service's map */
    bool dirty, noted;          /* for history.db: waits to be written; was written */
    int64_t ended_at;           /* loop_now */
    vec_of(struct statement_wait *) waits;
    loop_timer late;
    struct statement *older, *newer; /* ended ones, by time */
};

/* Errors: RESOURCE_EXHAUSTED (queue, spool), INVALID_PARAMETER_VALUE (text). Rights were asked when the session was
 * opened and are asked again here. */
err *statement_submit(struct req *r, const struct statement_ask *ask, struct statement **ret) BH_CHECK;
/* By id, of the request's workspace. Only the user who submitted it, and, with a level, whoever holds it on the
 * warehouse. RESOURCE_DOES_NOT_EXIST else: look in history.db then. */
err *statement_find(struct req *r, str id, uint64_t level, struct statement **ret) BH_CHECK;
/* Parks r until s is over or wait_us have passed. then_cancel: at that time it is cancelled and r waits for the
 * end. wait_us 0: only until its row is durable. */
void statement_wait(struct statement *s, struct req *r, int64_t wait_us, bool then_cancel);
/* The same, but r goes on too as soon as the row is told of a statement that is `early`. */
void statement_wait_rows(struct statement *s, struct req *r, int64_t wait_us, int64_t row);
/* Has it not ended, and has rows to read already? */
static inline bool statement_early(const struct statement *s) { return !statement_over(s->state) && s->early && s->told_rows; }
/* It lives at least as long as the request. */
void statement_hold_for(struct req *r, struct statement *s);
/* Asks for its end; the state follows. Nothing happens to one that is over. */
void statement_cancel(struct statement *s, const char *why);
/* Cancels it or throws its result away; state CLOSED where it had SUCCEEDED. */
void statement_close(struct statement *s);

/* Index of the chunk with this row, -1: none. */
ptrdiff_t statement_chunk_of(const struct statement *s, int64_t row);
/* Bytes of a chunk into the arena (any thread). INVALID_STATE when the result is gone. */
err *statement_read(const struct statement *s, size_t chunk, arena *a, str *ret) BH_CHECK;
/* A descriptor (the caller's) and the range of a chunk in it, for req_fd(). */
err *statement_chunk_fd(const struct statement *s, size_t chunk, int *ret_fd, int64_t *ret_at,
                        int64_t *ret_n) BH_CHECK;
/* A URL that serves one chunk without Authorization for at most 15 minutes; *ret_expires UTC us. */
str statement_link(struct req *r, const struct statement *s, size_t chunk, int64_t *ret_expires);
/* The statement and chunk of a link's token. PERMISSION_DENIED: not ours; *ret_expired: too old. */
err *statement_of_link(struct req *r, str token, struct statement **ret, size_t *ret_chunk,
                       bool *ret_expired) BH_CHECK;

/* Its row as history.db keeps it; points into s. */
void statement_row(const struct statement *s, struct history_statement *ret);

#endif
