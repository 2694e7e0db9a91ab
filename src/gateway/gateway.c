/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's life: channel to the supervisor → settings, listeners, certificate → a channel to
 * control → facts → serve → drain.
 */
#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/gateway_int.h"
#include "net/tls.h"
#include "sys/clock.h"
#include "sys/rand.h"

/* ---- HTTP ---- */

static void on_request(http_stream *st, const struct http_request *req, void *arg) {
    struct gateway *g = arg;
    struct gw_stream *s = arena_new_of(http_arena(st), struct gw_stream);
    http_set_data(st, s);
    if (str_eqz(req->path, "/healthz")) {
        http_respond_json(st, 200, STR("{\"status\":\"ok\"}"));
        return;
    }
    if (invoke_begin(g, st, req)) return;
    proxy_begin(g, st, req);
}

static void on_body(http_stream *st, str piece, void *arg) {
    (void)arg;
    struct gw_stream *s = http_data(st);
    if (s->invocation)
        invoke_body(s->invocation, piece);
    else if (s->proxied)
        proxy_body(s->proxied, piece);
}

static void on_body_end(http_stream *st, void *arg) {
    (void)arg;
    struct gw_stream *s = http_data(st);
    if (s->invocation)
        invoke_body_end(s->invocation);
    else if (s->proxied)
        proxy_body_end(s->proxied);
}

static void stream_over(http_stream *st) {
    struct gw_stream *s = http_data(st);
    if (!s) return;
    if (s->invocation) invoke_gone(s->invocation);
    if (s->proxied) proxy_gone(s->proxied);
    s->invocation = NULL;
    s->proxied = NULL;
}

static void on_done(http_stream *st, void *arg) {
    (void)arg;
    stream_over(st);
}

static void on_abort(http_stream *st, const char *why, void *arg) {
    (void)arg;
    log_debug("client gone", lf_z("why", why));
    stream_over(st);
}

static const struct http_handler HANDLER = {.on_request = on_request,
                                            .on_body = on_body,
                                            .on_body_end = on_body_end,
                                            .on_done = on_done,
                                            .on_abort = on_abort};

static struct http_limits limits_of(const struct settings *s) {
    return (struct http_limits){
        .header_timeout_us = settings_int(s, SET_HTTP_HEADER_TIMEOUT),
        .keepalive_idle_us = settings_int(s, SET_HTTP_IDLE_TIMEOUT),
    };
}

/* ---- control ---- */

static void on_fact(struct gateway *g, struct chan_frame *f) {
    arena *a = arena_new();
    struct msg_fact m;
    if (msg_fact_decode(a, f->payload, &m)) {
        struct facts *to = g->incoming ? g->incoming : g->facts;
        err *e = facts_apply(to, m.kind, m.remove, m.key, m.value, f->fd);
        f->fd = -1;
        if (e) {
            log_error("fact refused", lf_err(e));
            err_free(e);
        } else {
            to->number = m.number;
            if (to == g->facts) invoke_fact_changed(g, m.kind, m.remove, m.key);
        }
    }
    arena_free(a);
}

static void on_facts_done(struct gateway *g, struct chan_frame *f) {
    arena *a = arena_new();
    struct msg_facts_done m;
    if (msg_facts_done_decode(a, f->payload, &m)) {
        if (g->incoming) {
            facts_free(g->facts);
            g->facts = g->incoming;
            g->incoming = NULL;
            invoke_fact_changed(g, 0, true, STR_NONE);
        }
        g->facts->number = m.number;
        CHAN_SEND(g->control, facts_ack, 0, -1, .number = m.number);
        if (!g->synced) CHAN_SEND(g->supervisor, ready, 0, -1, .none = 0);
        g->synced = true;
    }
    arena_free(a);
}

static void on_control_frame(chan *c, struct chan_frame *f, void *arg) {
    (void)c;
    struct gateway *g = arg;
    g->last_heard = clock_mono();
    switch (f->type) {
    case MSG_RESPONSE:
    case MSG_RESPONSE_FD:
    case MSG_TAKE:
        proxy_on_frame(g, f);
        break;
    case MSG_FACT:
        on_fact(g, f);
        break;
    case MSG_FACTS_RESET:
        /* The old facts stay in force until the new table is whole. */
        facts_free(g->incoming);
        g->incoming = facts_new(false);
        break;
    case MSG_FACTS_DONE:
        on_facts_done(g, f);
        break;
    case MSG_HEARTBEAT:
        break;
    case MSG_HOST_LEASE: {
        arena *a = arena_new();
        struct msg_host_lease m;
        if (msg_host_lease_decode(a, f->payload, &m)) host_lease(g, m.instance, m.entity, m.json);
        arena_free(a);
        break;
    }
    case MSG_STATS_ASK: {
        buf b = {0};
        stats_write(g, &b);
        CHAN_SEND(g->control, gateway_stats, f->stream, -1, .json = buf_view(&b));
        buf_free(&b);
        break;
    }
    default:
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
}

static void on_control_close(chan *c, const char *why, void *arg) {
    struct gateway *g = arg;
    log_info("control is away", lf_z("why", why));
    chan_free(c);
    g->control = NULL;
    proxy_control_down(g);
}

static void connect_control(struct gateway *g, int fd) {
    static const struct chan_events ev = {.on_frame = on_control_frame,
                                          .on_close = on_control_close};
    if (g->control) {
        chan_free(g->control);
        g->control = NULL;
        proxy_control_down(g);
    }
    err *e = chan_new(g->l, fd, &ev, g, &g->control);
    if (e) {
        log_error("cannot talk to control", lf_err(e));
        err_free(e);
        return;
    }
    chan_gather(g->control);
    proxy_control_up(g);
    host_retell(g);
}

/* ---- supervisor ---- */

static void serve_on(struct gateway *g, int fd, bool tls) {
    err *e = http_server_listen(g->server, fd, tls ? g->tls : NULL, tls);
    if (e) {
        log_error("cannot serve a listener", lf_err(e));
        err_free(e);
    }
}

static void on_listener(struct gateway *g, struct chan_frame *f, const struct msg_listener *m) {
    if (f->fd < 0) return;
    int fd = f->fd;
    f->fd = -1;
    if (!m->tls || g->tls) {
        serve_on(g, fd, m->tls);
    } else if (g->n_waiting < ARRAY_LEN(g->waiting_listener)) {
        g->waiting_listener[g->n_waiting].fd = fd;
        g->waiting_listener[g->n_waiting++].tls = true;
    } else {
        close(fd);
    }
}

static void on_certificate(struct gateway *g, const struct msg_certificate *m) {
    err *e = g->tls ? tls_server_reload(g->tls, m->chain, m->key)
                    : tls_server_new(m->chain, m->key, &g->tls);
    if (e) {
        log_error("the certificate is not usable; the old one stays", lf_err(e));
        err_free(e);
        return;
    }
    for (size_t i = 0; i < g->n_waiting; i++) serve_on(g, g->waiting_listener[i].fd, true);
    g->n_waiting = 0;
}

static void on_settings(struct gateway *g, str text) {
    err *e = settings_read_text(&g->settings, "settings", text, SETTING_COMMAND);
    if (e) {
        log_error("settings refused", lf_err(e));
        err_free(e);
        return;
    }
    log_set_level(settings_log_level(&g->settings));
    struct http_limits lim = limits_of(&g->settings);
    http_server_set_limits(g->server, &lim);
}

static void on_drained(void *arg) {
    struct gateway *g = arg;
    loop_stop(g->l);
}

static void on_supervisor_frame(chan *c, struct chan_frame *f, void *arg) {
    (void)c;
    struct gateway *g = arg;
    arena *a = arena_new();
    struct msg_peer peer;
    struct msg_listener li;
    struct msg_reload re;
    struct msg_certificate ce;
    if (f->type == MSG_PEER && msg_peer_decode(a, f->payload, &peer) && f->fd >= 0) {
        int fd = f->fd;
        f->fd = -1;
        if (str_eqz(peer.role, "control"))
            connect_control(g, fd);
        else if (str_eqz(peer.role, "runtime_host"))
            host_add(g, peer.owner, peer.instance, fd);
        else
            close(fd);
    } else if (f->type == MSG_LISTENER && msg_listener_decode(a, f->payload, &li)) {
        on_listener(g, f, &li);
    } else if (f->type == MSG_RELOAD && msg_reload_decode(a, f->payload, &re)) {
        on_settings(g, re.text);
    } else if (f->type == MSG_CERTIFICATE && msg_certificate_decode(a, f->payload, &ce)) {
        on_certificate(g, &ce);
    } else if (f->type == MSG_DRAIN) {
        g->draining = true;
        http_server_drain(g->server, on_drained, g);
    } else {
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
    arena_free(a);
}

static void on_supervisor_close(chan *c, const char *why, void *arg) {
    (void)c;
    (void)why;
    (void)arg;
    _exit(0); /* nothing may outlive the supervisor */
}

static err *begin(struct gateway *g, int fd) {
    static const struct chan_events ev = {.on_frame = on_supervisor_frame,
                                          .on_close = on_supervisor_close};
    settings_init(&g->settings);
    g->facts = facts_new(false);
    g->streams = map_new();
    g->entities = map_new();
    g->hosts = map_new();
    rand_hex(g->id_prefix, 4);
    TRY(loop_new(&g->l));
    TRY(net_new(g->l, &g->n));
    struct http_limits lim = limits_of(&g->settings);
    TRY(http_server_new(g->n, &lim, &HANDLER, g, &g->server));
    return chan_new(g->l, fd, &ev, g, &g->supervisor);
}

/* Idle processes go; looked for ten times in the idle time, at most twice a second. */
static void on_sweep(loop_timer *t) {
    struct gateway *g = (struct gateway *)((char *)t - offsetof(struct gateway, sweep_timer));
    host_sweep(g);
    int64_t each = settings_int(&g->settings, SET_SERVING_SCALE_TO_ZERO) / 10;
    if (each > 30000000) each = 30000000;
    loop_timer_set(g->l, t, each < 500000 ? 500000 : each);
}

err *gateway_run(int supervisor_fd) {
    struct gateway *g = calloc(1, sizeof(*g));
    must(g != NULL);
    TRY(begin(g, supervisor_fd));
    g->sweep_timer.on_time = on_sweep;
    on_sweep(&g->sweep_timer);
    loop_run(g->l);
    return NULL; /* the process ends: the kernel frees what is left */
}
