/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heart of the control process: its loop, stores, facts and links, and the way of a request
 * through them (rest/dispatch.c). One per process. Fields are the loop thread's unless marked.
 */
#ifndef BH_REST_CONTROL_H
#define BH_REST_CONTROL_H

#include "ipc/chan.h"
#include "rest/req.h"
#include "rest/route.h"
#include "sys/jobs.h"
#include "sys/settings.h"

/* A gateway as control sees it. */
struct gateway_link {
    struct control *control;
    chan *ch;
    uint64_t instance, acked;
    map *streams; /* stream number -> struct req */
    bool synced;
};

/* Sent with each change of the routing table that a plugged service wants to hear of. */
struct control {
    loop *l;
    struct settings settings; /* any thread may read what is not reloadable */
    char *data_dir;            /* as this process sees it: /data in a sandbox */
    char *host_data;           /* the same folder as people know it */
    const char *sandbox_level; /* full, user or reduced */
    store *store; /* any thread */
    struct facts *facts;
    router *router;
    jobs *workers;
    jobs *syncers; /* LANE_SYNC */
    chan *supervisor;
    vec_of(struct gateway_link *) gateways;
    vec_of(struct req *) waiting; /* answers that wait for the gateways' confirmation */
    loop_timer confirm_timer, heartbeat;
    int64_t default_workspace;
    char account_id[40];
    unsigned char page_key[32]; /* signs page tokens; any thread */
    unsigned char url_key[32];  /* signs URLs that carry no Authorization; any thread */
    int record_fd;  /* test.record, or -1 */
    uint64_t requests;
    struct req *live; /* all requests, for shutdown and status */
    size_t n_live;
    bool draining;
    bool reduced; /* sandbox level: roles see the host's own paths */
    bool keep_past; /* blobs that only past versions name are kept until the journal forgets them */
    /* Frames for services: from the supervisor (spawned, leased, ended, status) and others. */
    void (*on_supervisor)(struct control *c, struct chan_frame *f);
    void (*on_gateway)(struct control *c, struct gateway_link *g, struct chan_frame *f);
    void (*on_peer)(struct control *c, str role, str owner, uint64_t instance, int fd);
    void (*on_gateway_synced)(struct control *c); /* a gateway has the whole routing table */
    map *parked; /* park number -> struct req */
    uint64_t next_park;
    void *serving, *courier, *engines, *statements, *sweep; /* services of their own folders */
    struct courier_client *outside; /* ipc/courier_client.h; the blobs' */
    struct stores *stores;          /* catalog/stores.h */
};

/* A frame of a gateway (request, taken, gone, facts_ack, …). */
void control_on_gateway_frame(struct gateway_link *g, struct chan_frame *f);
/* The supervisor brokered a channel to a gateway. Sends the whole routing table. */
err *control_add_gateway(struct control *c, int fd, uint64_t instance) BH_CHECK;
/* Applies a change made outside a request (start-up, schedulers) and sends it on; loop thread. */
void control_fact(struct control *c, enum fact_kind kind, bool remove, str key, str value, int fd);
/* A personal access token was used; its row says so soon. */
void control_token_used(struct control *c, int64_t workspace, str id, int64_t time_us);
/* The request parked under this number, or NULL when it is gone (its answer went out already). */
struct req *control_parked(struct control *c, uint64_t number);
/* Starts the heartbeat; call once. */
void control_start(struct control *c);

/* The handlers' way without sockets (tests, internal calls): runs the steps of a request that the
 * caller built; on_answer is called on the loop's thread. */
struct req *req_new(struct control *c);
void req_dispatch(struct req *r);
void req_release(struct req *r);
/* Encodes the answer as it goes out (rest/answer.c). */
void req_encode(struct req *r);

#endif
