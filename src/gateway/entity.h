/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime state of a served entity in this gateway: its checked plan, its counters, its hosts.
 * Keyed by the entity's id; it outlives changes of the endpoint's facts.
 */
#ifndef BH_GATEWAY_ENTITY_H
#define BH_GATEWAY_ENTITY_H

#include "gateway/gateway_int.h"

#define ENTITY_BUCKETS 14

/* Upper bounds of the latency histogram in microseconds; the last bucket has none. */
extern const int64_t entity_bounds[ENTITY_BUCKETS];

struct entity_rt {
    int64_t id;
    arena *a;                 /* the schema's memory */
    const struct plan *plan;  /* NULL: not native, or not here */
    struct tab_schema schema;
    uint32_t inflight;
    int64_t last_used;
    bool retired;             /* no longer served: what runs is finished, nothing new begins */
    bool waking;              /* control was asked for a host, */
    int64_t woken;            /* then */
    struct host *hosts;
    struct invocation *queue, **queue_tail;
    size_t queued;
    /* Counters since the process began. */
    uint64_t requests, errors_4xx, errors_5xx, buckets[ENTITY_BUCKETS + 1];
    double sum_us, predict_us;
};

/* The state of an entity, made on first use. */
struct entity_rt *entity_get(struct gateway *g, int64_t id);
/* The plan's fact came, changed (checked here) or went. */
void entity_plan_changed(struct gateway *g, int64_t id, bool removed);
void entity_count(struct entity_rt *e, int status, int64_t us);

/* A request for an entity. Lives in its stream. */
struct invocation {
    struct gateway *g;
    http_stream *st;
    struct fact_endpoint *endpoint; /* valid only while on_request runs; found again later */
    int64_t workspace, principal, endpoint_id, entity;
    str endpoint_name, served; /* served: asked for by name, or empty */
    str served_name;           /* the one that answers */
    buf body;
    int64_t began;             /* clock_ticks */
    bool csv, waiting;
    struct host *host;         /* the one that works on it */
    struct entity_rt *rt;
    struct invocation *next;
    uint64_t stream;
    loop_timer deadline;
};

void invoke_answer(struct invocation *v, int status, const char *type, str body);
void invoke_error(struct invocation *v, err *e);
/* Chooses an entity anew for a request that no host has begun. */
void invoke_again(struct invocation *v);
/* Hands the invocation to a host of its entity, or queues it until there is one. */
void host_submit(struct invocation *v, struct fact_entity *e);
/* The invocation gave up (client gone, deadline). */
void host_cancel(struct invocation *v);
/* The entity is no longer served (host.c). */
void host_retire(struct entity_rt *e);
#endif
