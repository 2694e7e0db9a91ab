/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control's side of the engines: processes, leases, sessions, statements.
 *
 * Everything here belongs to control's loop thread: call it there, and every callback comes there, from
 * the loop and never from inside one of these calls. Texts and structs that are passed in are copied (a
 * descriptor is duplicated: the caller keeps its own); what a callback gets is valid during it.
 *
 *   pool       engines that have had no owner wait in it (setting engine.warm), and are replaced.
 *   engine     one process with its owner, from engine_acquire() to engine_end() or on_ended.
 *   session    a SQL session inside an engine: current catalog and schema, SET, temporary views, variables.
 *   statement  from engine_exec() to its last state. Then, and after engine_end(), its pointer is dead.
 *
 * The states of a statement:
 *     engine_exec → running → running (more chunks) … → finished | failed | canceled
 * `running` may be skipped; the last state comes exactly once, also when the engine dies (failed, then
 * on_ended of the engine). A cancel is answered by canceled, or by what came first; an engine that does not
 * answer it within ENGINE_CANCEL_MS is killed.
 */
#ifndef BH_ENGINE_LINK_H
#define BH_ENGINE_LINK_H

#include "base/json.h"
#include "rest/control.h"

#define ENGINE_CANCEL_MS 5000
#define ENGINE_ID_MAX 64 /* bytes of a session's id */

typedef struct engine_pool engine_pool;
typedef struct engine engine;
typedef struct engine_statement engine_statement;

/* ---- pool ---- */

/* Starts the warm engines; sets c->engines. Call once, when control's stores are open. */
err *engine_pool_open(struct control *c) BH_CHECK;
/* Ends all engines without a callback. */
void engine_pool_close(struct control *c);
/* Frames of the supervisor (spawned, leased, ended) and its channels; false: not an engine's. */
bool engine_pool_on_supervisor(struct control *c, struct chan_frame *f);
bool engine_pool_on_peer(struct control *c, str role, uint64_t instance, int fd);

/* The courier is there, or there anew: leased engines get a channel to it. */
void engine_pool_on_courier(struct control *c);

/* Where bytes may lie. The same folder has three names. */
struct engine_root {
    const char *id;      /* "tables", "ext0", "ext1", … */
    const char *control; /* path as control sees it: /data/tables/<account>, /ext/0 */
    const char *engine;  /* path as an engine sees it: /data, /ext/0 (at level reduced: the host's) */
    const char *url;     /* what users write: file:///srv/files; "" for managed storage */
};
/* The account's managed tables first, then the entries of storage.local_roots. Valid as long as the pool. */
size_t engine_roots(const struct control *c, const struct engine_root **ret);

/* ---- engines ---- */

struct engine_spec {
    str owner;            /* of the warehouse cluster: 1..40 of [0-9a-z_-]; the spill folder's name */
    int64_t memory_bytes; /* all memory of the process; a statement that wants more fails */
    int64_t spill_bytes;  /* all temporary files of the engine */
    int threads;          /* of queries, all statements together */
    int cpu_weight;       /* share of the processors beside other engines: 100 is one share (0: 100) */
    int max_running;      /* statements at once; more wait inside the engine (0: 16) */
};

struct engine_events {
    void (*on_ready)(engine *e, void *arg);
    /* The process is gone or never came; why is a sentence. The engine is freed afterwards. */
    void (*on_ended)(engine *e, const char *why, void *arg);
    /* Every few seconds while leased, and on change: {"memory","spill","sessions","statements"}. Optional. */
    void (*on_report)(engine *e, jval *report, void *arg);
};

/* Never fails at once and never blocks: on_ready follows within milliseconds from the warm pool, or on_ended.
 * Sessions and statements may be sent before on_ready; they wait. */
engine *engine_acquire(struct control *c, const struct engine_spec *spec, const struct engine_events *ev, void *arg);
/* Ends the process; on_ended is not called. Its statements are told (failed) before this returns: the one
 * exception to "never from inside". NULL is fine. */
void engine_end(engine *e);

struct engine_session {
    str id;
    str catalog, schema;          /* empty: hive-less default of the workspace is the caller's to name */
    str user;                     /* user name for session_user() */
    const struct msg_pair *conf;  /* SET values from the start */
    size_t n_conf;
};
void engine_session_open(engine *e, const struct engine_session *s);
void engine_session_close(engine *e, str id);

/* ---- statements ---- */

enum engine_format { ENGINE_ARROW, ENGINE_JSON_ARRAY, ENGINE_CSV, ENGINE_COLUMNS };
/* Which types stay Arrow's own; the others come as strings (TSparkArrowTypes; SEA: all but intervals). */
enum { ENGINE_NATIVE_TIMESTAMP = 1, ENGINE_NATIVE_DECIMAL = 2, ENGINE_NATIVE_COMPLEX = 4, ENGINE_NATIVE_INTERVAL = 8,
       ENGINE_NATIVE_NULL = 16 };
/* How Arrow lies in the spool: see engine_chunk. AUTO: batches up to inline_bytes in all, else streams. */
enum engine_form { ENGINE_FORM_BATCHES, ENGINE_FORM_STREAMS, ENGINE_FORM_AUTO };

struct engine_param {
    str name;      /* empty: positional */
    str type;      /* "INT", "DECIMAL(10,2)", … as the client named it; empty: STRING */
    str value;     /* p NULL: NULL */
    const struct engine_param *args; /* elements of an ARRAY, keys and values of a MAP by turns, fields of a STRUCT */
    size_t n_args;
};

struct engine_exec {
    str session;
    str id;                     /* the statement's id in control, for logs and statement_id() */
    str text;
    const struct engine_param *params;
    size_t n_params;
    const struct msg_pair *conf; /* confOverlay: SET values for this statement alone */
    size_t n_conf;
    enum engine_format format;
    enum engine_form form;
    unsigned native;            /* ENGINE_NATIVE_ bits */
    bool lz4;                   /* each chunk is one LZ4 frame (Arrow only) */
    bool lz4_if_smaller;        /* but if the first one hardly gets smaller, none is: engine_state.plain */
    int64_t row_limit;          /* 0: none, -1: no rows; more rows are cut off and truncated is set */
    int64_t byte_limit;         /* 0: none; of the spool, uncompressed; same */
    bool byte_limit_fails;      /* going past byte_limit fails the statement instead (SEA INLINE) */
    int64_t chunk_bytes;        /* about this much in a chunk, uncompressed (0: 4 MiB) */
    int64_t chunk_rows;         /* at most so many rows in a chunk (0: 100,000) */
    int64_t inline_bytes;       /* ENGINE_FORM_AUTO */
    int64_t timeout_ms;         /* 0: none */
    int64_t now_us;             /* statement's start: current_timestamp(); 0: the engine's clock */
    uint64_t policy_seq;        /* names that the engine remembers hold while it is the same */
    bool early;                 /* the first rows may be told before the last are known (engine_state.early) */
    int spool;                  /* a file open for writing, empty; -1: no result is kept */
    int64_t spool_room;         /* a result that needs more bytes asks "spool" for another descriptor; 0: it never does */
};

/*
 * A chunk in the spool. By format:
 *   ARROW, batches   encapsulated record batch messages, no schema (Thrift's arrowBatches)
 *   ARROW, streams   a whole Arrow IPC stream with schema and end (CloudFetch, ARROW_STREAM)
 *   JSON_ARRAY       the text [[…],[…]], values as strings or null
 *   CSV              lines; the first chunk begins with the header
 *   COLUMNS          a TBinary list<TColumn>: element type, count, elements (Thrift's TRowSet.columns)
 */
struct engine_chunk {
    int64_t offset, bytes;     /* in the spool */
    int64_t rows, row_offset;
    int64_t raw;               /* bytes before LZ4 */
};

struct engine_column {
    str name, type;            /* type as typeof() writes it: "decimal(10,2)" */
    str type_json;             /* Spark's JSON of the type */
    str comment;
    bool nullable;
};

struct engine_state {
    enum engine_state_kind { ENGINE_RUNNING, ENGINE_FINISHED, ENGINE_FAILED, ENGINE_CANCELED } kind;
    /* The schema is known: in the first state that has it, and in finished. */
    const struct engine_column *cols;
    size_t n_cols;
    bool has_schema;
    str arrow_schema;          /* encapsulated schema message (bytes), format ARROW */
    enum engine_form form;     /* BATCHES or STREAMS, with the first chunk */
    bool early;                /* running: what it has told is good to be read; the rest comes, or the statement fails */
    bool plain;                /* with the first chunk: LZ4 was asked for if it helps, and does not */
    const struct engine_chunk *chunks; /* those that are new since the last state */
    size_t n_chunks;
    /* finished */
    int64_t rows, bytes;       /* of the whole result; bytes uncompressed */
    bool truncated, has_result, is_dml;
    int64_t modified_rows;     /* -1: not known */
    str statement_type;        /* "SELECT", "INSERT", "SHOW", "ALTER", …: query history's */
    jval *staging;             /* {operation, path, …} of PUT, GET, REMOVE, or NULL */
    jval *metrics;             /* query history's: {"compilation_time_ms",…}, or NULL */
    jval *session;             /* what changed: {"catalog","schema","conf":{…}}, or NULL */
    /* failed, canceled */
    str error_message;         /* full text, "[CLASS] … SQLSTATE: …" */
    str error_class, sql_state;
    jval *error;               /* {"message","class","sqlState","params",…} */
    bool timed_out;
};

struct engine_statement_events {
    void (*on_state)(engine_statement *s, const struct engine_state *st, void *arg);
    /* A question (src/engine/README.md). Answer it once, now or later, with engine_answer(); one that the
     * statement no longer waits for is dropped. */
    void (*on_ask)(engine_statement *s, uint64_t question, str op, jval *ask, void *arg);
};

engine_statement *engine_exec(engine *e, const struct engine_exec *x, const struct engine_statement_events *ev, void *arg);
/* Interrupts it. reason is for people: "by the user", "statement timeout". */
void engine_cancel(engine_statement *s, const char *reason);
/* Numbers are never used again in the life of control: an answerer that works on another thread, or later, keeps
 * the number and not the pointer. An answer to a statement that has ended is dropped. */
/* It did what no engine of ours does: its process is killed, and all its statements fail as when it dies. what goes to the log. */
void engine_refuse(engine_statement *s, const char *what);
uint64_t engine_statement_number(const engine_statement *s);
engine_statement *engine_statement_by_number(struct control *c, uint64_t number);
engine *engine_of(const engine_statement *s);
void *engine_arg_of(const engine_statement *s);
/* json: the answer object; fd -1 unless the op says so. */
void engine_answer(struct control *c, uint64_t statement, uint64_t question, str json, int fd);
/* The answer {"error":…} of an err, with class and SQLSTATE where it is one of the dialect's. e stays the caller's. */
void engine_answer_err(struct control *c, uint64_t statement, uint64_t question, const err *e);

#endif
