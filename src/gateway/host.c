/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links to runtime_hosts: one process each, one request at a time each.
 *
 * Frames from 60 on are told byte by byte in python/boathouse_runtime/wire.py. States of a link:
 *
 *   STARTING ──READY──▶ WARM ──host_lease of control: LEASE──▶ LOADING ──LOADED──▶ SERVING
 *                                                              └─FAILED─▶ (told to control, ends)
 * An entity's requests wait in its queue until a host of it is idle. Control is asked for a host
 * (frame wake) when there are fewer than work and concurrency want. A host that is late is reported,
 * and control has it ended.
 *
 * An entity that is no longer served is retired (its plan's fact goes, after the endpoint's new fact
 * came): what waits for it is routed again, what its hosts work on is finished, then they are let go;
 * a host ends when its channel does. Idle hosts of entities that scale to zero are let go likewise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/entity.h"
#include "ipc/wire.h"
#include "sys/clock.h"

enum { H_LEASE = 60, H_LOADED, H_FAILED, H_PREDICT, H_ANSWER, H_LOG, H_PING, H_PONG };
/* A wake that led to nothing (the process could not be started) is repeated after this time. */
#define WAKE_AGAIN_US 5000000

enum host_phase { HOST_STARTING, HOST_WARM, HOST_LOADING, HOST_SERVING };

struct host {
    struct gateway *g;
    chan *ch;
    uint64_t instance;
    enum host_phase phase;
    struct entity_rt *rt;
    struct host *next;          /* of the same entity */
    struct invocation *current; /* NULL while busy: its client is gone */
    bool busy, reported_late;
    uint64_t stream;
};

static void let_go(struct host *h);

static void tell(struct gateway *g, struct host *h, const char *state, str json) {
    if (!g->control) return;
    CHAN_SEND(g->control, host_state, 0, -1, .instance = h->instance,
              .entity = h->rt ? h->rt->id : 0, .state = str_of(state), .json = json);
}

static size_t host_count(const struct entity_rt *e) {
    size_t n = 0;
    for (struct host *h = e->hosts; h; h = h->next) n++;
    return n;
}

static void send_work(struct host *h, struct invocation *v) {
    static const uint32_t JSON = 1, CSV = 2;
    buf b = {0};
    buf_u32(&b, v->csv ? CSV : JSON);
    buf_str(&b, buf_view(&v->body));
    h->busy = true;
    h->current = v;
    v->host = h;
    v->waiting = false;
    chan_send(h->ch, H_PREDICT, ++h->stream, buf_view(&b), -1);
    buf_free(&b);
}

static struct host *idle_host(struct entity_rt *e) {
    for (struct host *h = e->hosts; h; h = h->next)
        if (h->phase == HOST_SERVING && !h->busy && !h->reported_late) return h;
    return NULL;
}

static void next_work(struct host *h) {
    struct entity_rt *e = h->rt;
    if (e->retired && !h->busy) {
        let_go(h);
        return;
    }
    if (!e->queue || h->busy || h->phase != HOST_SERVING || h->reported_late) return;
    struct invocation *v = e->queue;
    e->queue = v->next;
    if (!e->queue) e->queue_tail = &e->queue;
    e->queued--;
    send_work(h, v);
}

static void wake(struct gateway *g, struct entity_rt *e, int64_t endpoint) {
    int64_t now = clock_mono();
    if ((e->waking && now - e->woken < WAKE_AGAIN_US) || !g->control || e->retired) return;
    e->waking = true;
    e->woken = now;
    CHAN_SEND(g->control, wake, 0, -1, .endpoint = endpoint, .entity = e->id);
}

void host_submit(struct invocation *v, struct fact_entity *fe) {
    struct entity_rt *e = v->rt;
    if (e->retired) { /* stopped or deleted in this moment */
        invoke_error(v, err_new(ERR_TEMPORARILY_UNAVAILABLE, "The served entity has just ended."));
        return;
    }
    uint32_t most = fe->concurrency ? fe->concurrency : 4;
    struct host *h = idle_host(e);
    if (h) {
        send_work(h, v);
        return;
    }
    /* Waiting is bounded: as many again as may run. */
    if (e->queued >= (size_t)most * 4) {
        invoke_error(v, err_new(ERR_RESOURCE_EXHAUSTED,
                                "Too many concurrent requests. Consider increasing the provisioned "
                                "concurrency of the served entity."));
        return;
    }
    v->waiting = true;
    v->next = NULL;
    *e->queue_tail = v;
    e->queue_tail = &v->next;
    e->queued++;
    if (host_count(e) < most) wake(v->g, e, v->endpoint_id);
}

void host_cancel(struct invocation *v) {
    if (v->waiting && v->rt) {
        struct invocation **at = &v->rt->queue;
        while (*at && *at != v) at = &(*at)->next;
        if (*at) {
            *at = v->next;
            v->rt->queued--;
            if (v->rt->queue_tail == &v->next) v->rt->queue_tail = at;
        }
        v->waiting = false;
    }
    struct host *h = v->host;
    if (!h) return;
    v->host = NULL;
    if (h->current == v) {
        h->current = NULL;
        /* Past the deadline the process is of no use: it would keep the others waiting. */
        int64_t limit = settings_int(&v->g->settings, SET_SERVING_TIMEOUT);
        if (h->busy && (clock_ticks() - v->began) / 1000 >= limit) {
            h->reported_late = true;
            tell(v->g, h, "late", STR(""));
        }
    }
}

static void unlink_host(struct host *h) {
    if (!h->rt) return;
    struct host **at = &h->rt->hosts;
    while (*at && *at != h) at = &(*at)->next;
    if (*at) *at = h->next;
    h->rt->waking = false;
}

/* Requests that wait for an entity whose only host failed to load. */
static void fail_queue(struct entity_rt *e, const char *why) {
    while (e->queue) {
        struct invocation *v = e->queue;
        e->queue = v->next;
        e->queued--;
        v->waiting = false;
        invoke_error(v, err_new(ERR_BAD_REQUEST, "The model could not be loaded: %s", why));
    }
    e->queue_tail = &e->queue;
}

static void on_answer(struct host *h, str payload) {
    struct wire_in in = {payload, true};
    uint16_t status = wire_get_u16(&in), type = wire_get_u16(&in);
    struct invocation *v = h->current;
    h->current = NULL;
    h->busy = false;
    if (v) {
        v->host = NULL;
        if (in.ok && status >= 200 && status < 600)
            invoke_answer(v, status,
                          type == 1   ? "application/json"
                          : type == 4 ? "text/event-stream"
                                      : "text/plain; charset=utf-8",
                          in.rest);
        else
            invoke_error(v, err_new(ERR_INTERNAL_ERROR, "The model's process answered rubbish."));
    }
    next_work(h);
}

static void on_frame(chan *c, struct chan_frame *f, void *arg) {
    (void)c;
    struct host *h = arg;
    switch (f->type) {
    case MSG_HELLO:
        break;
    case MSG_READY:
        if (h->phase == HOST_STARTING) h->phase = HOST_WARM;
        tell(h->g, h, "ready", STR(""));
        break;
    case H_LOADED:
        h->phase = HOST_SERVING;
        if (h->rt) {
            h->rt->waking = false;
            h->rt->last_used = clock_mono();
        }
        tell(h->g, h, "loaded", f->payload);
        if (h->rt) next_work(h);
        break;
    case H_FAILED:
        tell(h->g, h, "failed", f->payload);
        if (h->rt && host_count(h->rt) == 1) {
            char why[512];
            snprintf(why, sizeof(why), "%.*s", STR_ARG(str_cut(f->payload, 400)));
            fail_queue(h->rt, why);
        }
        break;
    case H_ANSWER:
        if (h->busy) on_answer(h, f->payload);
        break;
    case H_LOG:
        if (f->payload.n > 4) tell(h->g, h, "log", str_from(f->payload, 4));
        break;
    case H_PONG:
        break;
    default:
        log_error("frame of a runtime host refused", lf_int("type", f->type));
    }
}

/* The host is no more; whoever it worked for hears it. */
static void lose(struct host *h) {
    struct gateway *g = h->g;
    struct entity_rt *e = h->rt;
    tell(g, h, "gone", STR(""));
    unlink_host(h);
    struct invocation *v = h->current;
    uint64_t key = h->instance;
    map_del(g->hosts, map_key_u64(&key));
    chan_free(h->ch);
    free(h);
    if (v) {
        v->host = NULL;
        invoke_error(v, err_new(ERR_INTERNAL_ERROR,
                                "The model's process ended while it worked on this request; see the "
                                "server logs of the served entity."));
    }
    if (e && e->queue && !e->hosts) wake(g, e, e->queue->endpoint_id);
}

static void on_close(chan *c, const char *why, void *arg) {
    (void)c;
    (void)why;
    lose(arg);
}

static void let_go(struct host *h) { lose(h); }

void host_retire(struct entity_rt *e) {
    e->retired = true;
    struct invocation *waiting = e->queue;
    e->queue = NULL;
    e->queue_tail = &e->queue;
    e->queued = 0;
    for (struct host *h = e->hosts, *next; h; h = next) {
        next = h->next;
        if (!h->busy) let_go(h);
    }
    for (struct invocation *v = waiting, *next; v; v = next) {
        next = v->next;
        v->waiting = false;
        invoke_again(v);
    }
}

/* Entities that scale to zero hold no process after their idle time. */
static void sweep_entity(struct gateway *g, const struct fact_entity *f, int64_t now) {
    struct entity_rt *e = map_get(g->entities, str_n((const char *)&f->id, sizeof(f->id)));
    if (!e || f->kind != 2 || !f->scale_to_zero || e->queue) return;
    if (now - e->last_used < settings_int(&g->settings, SET_SERVING_SCALE_TO_ZERO)) return;
    for (struct host *h = e->hosts, *next; h; h = next) {
        next = h->next;
        if (h->phase == HOST_SERVING && !h->busy) let_go(h);
    }
}

void host_sweep(struct gateway *g) {
    int64_t now = clock_mono();
    str k;
    void *v;
    for (size_t i = 0; map_next(g->facts->endpoints, &i, &k, &v);) {
        struct fact_endpoint *ep = v;
        for (size_t n = 0; n < ep->n_entities; n++) sweep_entity(g, &ep->entities[n], now);
    }
}

void host_add(struct gateway *g, str owner, uint64_t instance, int fd) {
    (void)owner;
    static const struct chan_events ev = {.on_frame = on_frame, .on_close = on_close};
    struct host *h = calloc(1, sizeof(*h));
    must(h != NULL);
    h->g = g;
    h->instance = instance;
    err *e = chan_new(g->l, fd, &ev, h, &h->ch);
    if (e) {
        log_error("cannot talk to a runtime host", lf_err(e));
        err_free(e);
        free(h);
        close(fd);
        return;
    }
    map_put(g->hosts, map_key_u64(&instance), h);
}

void host_lease(struct gateway *g, uint64_t instance, int64_t entity, str json) {
    struct host *h = map_get(g->hosts, map_key_u64(&instance));
    if (!h || h->rt) {
        log_warn("lease of an unknown or owned runtime host", lf_int("instance", (int64_t)instance));
        return;
    }
    h->rt = entity_get(g, entity);
    h->next = h->rt->hosts;
    h->rt->hosts = h;
    h->phase = HOST_LOADING;
    chan_send(h->ch, H_LEASE, 0, json, -1);
}

void host_retell(struct gateway *g) {
    str k;
    void *v;
    for (size_t i = 0; map_next(g->hosts, &i, &k, &v);) {
        struct host *h = v;
        if (h->phase == HOST_SERVING) tell(g, h, "loaded", STR("{}"));
        if (h->phase == HOST_WARM) tell(g, h, "ready", STR(""));
    }
    for (size_t i = 0; map_next(g->entities, &i, &k, &v);) {
        struct entity_rt *e = v;
        e->waking = false;
        if (e->queue && !e->hosts) wake(g, e, e->queue->endpoint_id);
    }
}
