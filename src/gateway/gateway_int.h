/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the gateway. */
#ifndef BH_GATEWAY_INT_H
#define BH_GATEWAY_INT_H

#include "base/vec.h"
#include "gateway/tabular.h"
#include "ipc/chan.h"
#include "net/http.h"
#include "policy/facts.h"
#include "sys/settings.h"

struct gateway;
struct invocation;
struct host;

enum px_state {
    PX_BODY,   /* gathering a structured body */
    PX_HELD,   /* complete, control is not there */
    PX_SENT,   /* control has it */
    PX_TAKING, /* its body flows into a descriptor */
    PX_ANSWERED,
};

/* A request on its way through control. Lives in its stream's data pointer. */
struct proxied {
    struct gateway *g;
    http_stream *st;
    uint64_t id;
    enum px_state state;
    buf body;
    int64_t limit;
    bool streamed, safe; /* safe: may be sent again (GET, HEAD) */
    buf frame;           /* encoded request, kept while held or while it may be sent again */
    int64_t held_since;
    /* PX_TAKING */
    int fd;
    bool is_socket, body_ended;
    int64_t size, max;
    void *sha; /* EVP_MD_CTX */
    buf pending; /* bytes a full socket did not take */
    loop_watch writable;
};

struct gateway {
    loop *l;
    net *n;
    http_server *server;
    struct settings settings;
    struct facts *facts;
    struct facts *incoming; /* a whole new table on its way, or NULL */
    chan *supervisor, *control;
    struct tls_context *tls;
    map *streams;               /* id -> struct proxied */
    vec_of(struct proxied *) held;
    uint64_t next_id;
    char id_prefix[9];
    loop_timer held_timer, sweep_timer;
    bool synced, draining;
    int64_t last_heard;
    struct {
        int fd;
        bool tls;
    } waiting_listener[8]; /* TLS listeners wait for the first certificate */
    size_t n_waiting;
    map *entities;             /* entity id -> struct entity_rt (invoke.c) */
    map *hosts;                /* owner -> struct host (host.c) */
    struct tab_batch batch;    /* scratch of this loop */
    buf scratch;
    void *plan_scratch;
    uint64_t answered;
};

/* proxy.c */
void proxy_begin(struct gateway *g, http_stream *st, const struct http_request *req);
void proxy_body(struct proxied *p, str piece);
void proxy_body_end(struct proxied *p);
void proxy_gone(struct proxied *p);
void proxy_on_frame(struct gateway *g, struct chan_frame *f);
void proxy_control_up(struct gateway *g);
void proxy_control_down(struct gateway *g);

/* invoke.c: true if the path is an invocation and was taken over. */
bool invoke_begin(struct gateway *g, http_stream *st, const struct http_request *req);
void invoke_body(struct invocation *v, str piece);
void invoke_body_end(struct invocation *v);
void invoke_gone(struct invocation *v);
/* A fact changed: runtime state follows. */
void invoke_fact_changed(struct gateway *g, uint16_t kind, bool remove, str key);

/* host.c: links to runtime_hosts. */
void host_add(struct gateway *g, str owner, uint64_t instance, int fd);
/* Control gave this instance to an entity: json goes to it as LEASE. */
void host_lease(struct gateway *g, uint64_t instance, int64_t entity, str json);
/* Control is new: it hears again what every host is. */
void host_retell(struct gateway *g);
/* Lets idle hosts of entities that scale to zero go; from time to time. */
void host_sweep(struct gateway *g);
/* Counters of all entities as one JSON text. */
void stats_write(struct gateway *g, buf *out);

/* What a stream's data pointer holds. */
struct gw_stream {
    struct proxied *proxied;
    struct invocation *invocation;
};

#endif
