/* SPDX-License-Identifier: Apache-2.0 */
/* Between link.c (processes and leases) and link_statement.c (what is said to a leased one). */
#ifndef BH_ENGINE_LINK_INT_H
#define BH_ENGINE_LINK_INT_H

#include "base/map.h"
#include "base/vec.h"
#include "engine/link.h"

struct engine_pool;

/* A process: from the supervisor's channel until it is told to have ended. */
struct engine_process {
    struct engine_pool *pool;
    uint64_t instance;
    chan *ch;      /* NULL once it is closed */
    engine *owner; /* NULL: warm, or its engine was ended */
    bool spawned;  /* the supervisor said so: it counts */
    bool ended_by_us;
    char spill[65]; /* name of its spill folder, "" before a lease */
};

/* A frame that waits for the lease. */
struct engine_frame {
    uint16_t type;
    uint64_t stream;
    buf payload;
    int fd;
};

struct engine {
    struct engine_pool *pool;
    struct engine_process *process; /* NULL: waits for one */
    struct engine_events ev;
    void *arg;
    char owner[65];
    int64_t memory_bytes, spill_bytes;
    int threads, max_running, cpu_weight;
    bool leased; /* frames go out at once */
    bool ready;
    vec_of(struct engine_frame) frames;
    vec_of(engine_statement *) statements;
    int64_t asked_at; /* monotonic */
};

struct engine_statement {
    struct engine_pool *pool;
    engine *e;
    uint64_t number;
    struct engine_statement_events ev;
    void *arg;
    loop_timer late; /* a cancel or timeout that was not heeded */
    bool canceled;
};

struct engine_pool {
    struct control *c;
    map *processes;  /* instance → struct engine_process */
    map *statements; /* number → engine_statement */
    vec_of(struct engine_process *) warm;
    vec_of(engine *) engines;
    vec_of(struct engine_root) roots;
    vec_of(char *) texts; /* of the roots */
    char account[65];
    int starting;         /* spawns without an owner that were not answered */
    loop_timer again;     /* tries to fill the pool after a failure */
    int64_t backoff_us;
    uint64_t next_statement, next_owner;
};

/* Sends now, or once the lease stands. Takes the payload over; fd is duplicated. */
void engine_send(engine *e, uint16_t type, uint64_t stream, buf *payload, int fd);
/* Kills the process of an engine; its end is told as any other. */
void engine_kill(engine *e);
/* Frames of a leased engine about statements. */
void engine_on_statement_frame(engine *e, struct chan_frame *f);
/* Fails all statements of an engine that is gone. message is the full text. */
void engine_fail_statements(engine *e, const char *cls, const char *state, const char *message);

#endif
