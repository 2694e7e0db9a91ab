/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of the HTTP/1.1 server.
 *
 * States of a connection, and what limits the time in each (one lazy timer, on_timeout):
 *   handshake   TLS is not done                     handshake_timeout    closed
 *   idle        no byte of a request yet            keepalive_idle       closed
 *   head        some bytes of a head                header_timeout       408
 *   body        told; the body flows                body_idle_timeout    on_abort, 408
 *   answering   the request is read                 no limit, but for a client that takes nothing
 *   closing     no more requests; queue leaves      send_timeout, then LINGER without a byte
 *
 * Invariants
 *   1. At most one stream exists per connection: the parser is not fed beyond the end of a request
 *      until its answer is complete. What came too early stays in the connection (hc->rest).
 *   2. While the parser runs (hc->feeding) nothing is freed: streams end in http_settle() after it
 *      returned, the connection at the end of on_data().
 *   3. A stream that was told ends with exactly one of on_done and on_abort.
 *
 * Closing with unread bytes would make the kernel send a reset that can overtake the answer, and many
 * clients of TLS do not look for an answer before they have sent all. So the sending side is closed first
 * and what still comes is dropped, as long as it flows, for at most LINGER_MAX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "net/http_int.h"

#define LINGER (2 * US_PER_S) /* after the last byte; all of it when the server drains */
#define LINGER_MAX (30 * US_PER_S)
/* Streams kept for reuse, and how much memory one of them may keep. */
#define POOL 256
#define POOL_BYTES (16u * 1024u)

static void arm(struct http_conn *hc);

static int64_t now_of(const struct http_conn *hc) { return loop_now(net_loop(hc->s->n)); }

/* ---- streams ---- */

http_stream *http_stream_take(struct http_conn *hc) {
    http_server *s = hc->s;
    http_stream *st = s->free_streams;
    if (st) {
        s->free_streams = st->next_free;
        s->free_count--;
    } else {
        st = calloc(1, sizeof(*st));
        must(st != NULL);
        st->a = arena_new();
    }
    st->magic = HTTP_STREAM_MAGIC;
    st->hc = hc;
    st->promised = -1;
    return st;
}

static void stream_free(http_stream *st) {
    arena_free(st->a);
    buf_free(&st->head);
    buf_free(&st->body);
    vec_free(&st->marks);
    vec_free(&st->headers);
    st->magic = 0;
    free(st);
}

static void stream_release(http_stream *st) {
    http_server *s = st->hc->s;
    if (st->relay) http_relay_free(st);
    if (st->told) s->stats.streams--;
#ifndef BH_SANITIZE /* there every stream is its own memory, so that late uses are found */
    if (s->free_count < POOL && st->head.cap <= POOL_BYTES) {
        arena_reset(st->a);
        buf_free(&st->body);
        buf_clear(&st->head);
        http_stream clean = {.a = st->a, .head = st->head};
        clean.marks.p = st->marks.p;
        clean.marks.cap = st->marks.cap;
        clean.headers.p = st->headers.p;
        clean.headers.cap = st->headers.cap;
        clean.next_free = s->free_streams;
        *st = clean;
        s->free_streams = st;
        s->free_count++;
        return;
    }
#endif
    stream_free(st);
}

static void stream_end(struct http_conn *hc, bool done, const char *why) {
    http_stream *st = hc->st;
    http_server *s = hc->s;
    hc->st = NULL;
    if (st->told && done) {
        if (s->h->on_done) s->h->on_done(st, s->arg);
    } else if (st->told) {
        s->h->on_abort(st, why, s->arg);
    }
    stream_release(st);
}

void http_abort(struct http_conn *hc, const char *why) {
    if (hc->st) stream_end(hc, hc->st->resp_done || hc->st->cut, why);
}

/* ---- connections: end ---- */

static void on_drained(loop_timer *t) {
    http_server *s = (http_server *)(void *)((char *)t - offsetof(http_server, drained));
    void (*fn)(void *) = s->on_drained;
    s->on_drained = NULL;
    if (fn) fn(s->drained_arg);
}

static void set_full(http_server *s) {
    bool full = s->stats.conns >= s->lim.max_conns;
    if (full == s->full) return;
    s->full = full;
    for (struct http_listener *l = s->listeners; l; l = l->next) listener_pause(l->l, full);
}

static void conn_gone(struct http_conn *hc) {
    http_server *s = hc->s;
    if (hc->prev)
        hc->prev->next = hc->next;
    else
        s->conns = hc->next;
    if (hc->next) hc->next->prev = hc->prev;
    hc->magic = 0;
    free(hc);
    s->stats.conns--;
    set_full(s);
    if (s->draining && !s->conns && s->on_drained) loop_timer_set(net_loop(s->n), &s->drained, 0);
}

void http_conn_cut(struct http_conn *hc, const char *why) {
    hc->closing = true;
    if (hc->feeding) {
        hc->cut = true;
        return;
    }
    http_abort(hc, why);
    conn *c = hc->c;
    conn_gone(hc);
    conn_close(c);
}

void http_conn_end(struct http_conn *hc, bool unread) {
    if (hc->closing) return;
    hc->closing = true;
    hc->since = now_of(hc);
    if (!unread || conn_eof(hc->c)) {
        conn_finish(hc->c);
        conn_deadline(hc->c, hc->since + hc->s->lim.send_timeout_us);
        return;
    }
    conn_shutdown(hc->c);
    conn_resume(hc->c);
    conn_deadline(hc->c, hc->since + LINGER);
}

void http_refuse(struct http_conn *hc, int status, const char *why) {
    bool late = hc->st && hc->st->head_sent;
    hc->s->stats.refused_total++;
    if (late && hc->st->resp_done) { /* the answer was given before the body went wrong: it still goes out */
        http_abort(hc, why);
        http_conn_end(hc, true);
        return;
    }
    if (late) {
        http_conn_cut(hc, why);
        return;
    }
    http_abort(hc, why);
    http_write_refusal(hc, status, why);
    http_conn_end(hc, true);
}

void http_settle(struct http_conn *hc) {
    http_stream *st = hc->st;
    if (!st) return;
    if (st->cut) {
        http_conn_cut(hc, "cut");
        return;
    }
    if (!st->resp_done) return;
    if (conn_broken(hc->c)) return; /* on_close() ends it: the answer did not arrive */
    if (!st->req_done && !st->close && !hc->closing) {
        /* The rest of the body is read and dropped; on_body() counts it. */
        if (st->body_paused) {
            st->body_paused = false;
            conn_resume(hc->c);
        }
        return;
    }
    bool close = st->close, unread = !st->req_done || hc->rest;
    stream_end(hc, true, NULL);
    if (hc->closing) return;
    if (close || hc->last || hc->s->draining) {
        http_conn_end(hc, unread);
        return;
    }
    hc->discarded = 0;
    if (!hc->feeding) {
        arm(hc);
        conn_resume(hc->c);
    }
}

/* ---- feeding the parser ---- */

/* The parser stopped by itself: 505 if it could read the version and that is not ours. */
static void refuse_syntax(struct http_conn *hc, llhttp_errno_t rc) {
    bool ours = hc->p.http_major == 1 && hc->p.http_minor <= 1;
    if (rc == HPE_PAUSED_H2_UPGRADE || (rc == HPE_INVALID_VERSION && !ours))
        http_refuse(hc, 505, "HTTP/1.0 and HTTP/1.1 are spoken here.");
    else
        http_refuse(hc, 400, "The request is not valid HTTP/1.1.");
}

/* One run of the parser from *off. False when feeding must stop. */
static bool feed_once(struct http_conn *hc, str data, size_t *off) {
    size_t before = *off;
    hc->fail_status = 0;
    llhttp_errno_t rc = llhttp_execute(&hc->p, data.p + before, data.n - before);
    if (rc == HPE_OK) {
        *off = data.n;
    } else if (rc == HPE_PAUSED) {
        *off = (size_t)(llhttp_get_error_pos(&hc->p) - data.p);
        llhttp_resume(&hc->p);
    } else {
        hc->rest = true;
        if (hc->fail_status) /* a callback stopped it: llhttp has its own codes for some of them */
            http_refuse(hc, hc->fail_status, hc->fail_why);
        else
            refuse_syntax(hc, rc);
        return false;
    }
    http_stream *st = hc->st;
    if (st && !st->told) {
        st->raw_n += *off - before;
        /* Names and values are counted exactly; this catches endless blanks and line ends. */
        if (st->raw_n > hc->s->lim.max_header_bytes + hc->s->lim.max_target + 4 * 1024 +
                            4 * hc->s->lim.max_headers) {
            http_refuse(hc, 431, "The request's head is too large.");
            return false;
        }
    }
    hc->rest = *off < data.n;
    return true;
}

static int64_t linger_max(const struct http_conn *hc) { return hc->s->draining ? LINGER : LINGER_MAX; }

static size_t on_data(conn *c, str data, void *arg) {
    struct http_conn *hc = arg;
    must_magic(hc, HTTP_CONN_MAGIC);
    if (hc->closing) {
        hc->dropped = now_of(hc);
        if (hc->dropped - hc->since > linger_max(hc)) http_conn_cut(hc, "too much after the end");
        return data.n;
    }
    size_t off = 0;
    /* Resumed without bytes: a pause at the end of a body leaves the parser one step to do. */
    bool step = data.n == 0 && hc->st && hc->st->told && !hc->st->req_done;
    if (!data.n) data = STR("");
    hc->feeding = true;
    while ((off < data.n || step) && !hc->closing) {
        http_stream *st = hc->st;
        if (st && (st->req_done || st->body_paused)) break;
        step = false;
        if (conn_backlog(c) > CONN_HIGH) {
            hc->stalled = true;
            break;
        }
        if (!feed_once(hc, data, &off)) break;
        http_settle(hc);
    }
    hc->rest = off < data.n;
    hc->feeding = false;
    if (hc->cut) {
        http_conn_cut(hc, "cut");
        return data.n;
    }
    if (hc->closing) {
        if (hc->st) http_abort(hc, "The connection was closed.");
        return data.n;
    }
    arm(hc);
    return off;
}

/* ---- time ---- */

static void arm(struct http_conn *hc) {
    const struct http_limits *lim = &hc->s->lim;
    int64_t now = now_of(hc);
    if (hc->closing) return;
    if (!hc->st) {
        hc->head_timed = false;
        hc->since = now;
        conn_deadline(hc->c, now + lim->keepalive_idle_us);
    } else if (!hc->st->told) {
        if (hc->head_timed) return; /* the whole head has one limit, however it trickles */
        hc->head_timed = true;
        hc->since = now;
        conn_deadline(hc->c, now + lim->header_timeout_us);
    } else if (!hc->st->req_done) {
        hc->since = now;
        conn_deadline(hc->c, now + lim->body_idle_timeout_us);
    } else {
        conn_deadline(hc->c, now + lim->send_timeout_us);
    }
}

static void on_closing_timeout(struct http_conn *hc, int64_t now) {
    int64_t progress = conn_write_progress(hc->c);
    if (conn_sending(hc->c)) {
        if (now - progress >= hc->s->lim.send_timeout_us)
            http_conn_cut(hc, "The client does not read.");
        else
            conn_deadline(hc->c, now + LINGER);
        return;
    }
    int64_t from = progress > hc->since ? progress : hc->since;
    if (hc->dropped > from) from = hc->dropped;
    if (now - from >= LINGER || now - hc->since >= linger_max(hc))
        http_conn_cut(hc, "over");
    else
        conn_deadline(hc->c, from + LINGER);
}

static void on_timeout(conn *c, void *arg) {
    struct http_conn *hc = arg;
    must_magic(hc, HTTP_CONN_MAGIC);
    const struct http_limits *lim = &hc->s->lim;
    int64_t now = now_of(hc);
    if (hc->closing) {
        on_closing_timeout(hc, now);
        return;
    }
    if (conn_sending(c)) {
        int64_t until = conn_write_progress(c) + lim->send_timeout_us;
        if (now >= until)
            http_conn_cut(hc, "The client does not read.");
        else
            conn_deadline(c, until);
        return;
    }
    http_stream *st = hc->st;
    if (!st) {
        http_conn_end(hc, false);
    } else if (!st->told) {
        http_refuse(hc, 408, "The request's head did not arrive in time.");
    } else if (!st->req_done && !st->body_paused) {
        int64_t until = hc->since + lim->body_idle_timeout_us;
        if (now < until)
            conn_deadline(c, until);
        else if (st->head_sent)
            http_conn_cut(hc, "The request's body did not arrive in time.");
        else
            http_refuse(hc, 408, "The request's body did not arrive in time.");
    } else {
        conn_deadline(c, now + lim->send_timeout_us);
    }
}

/* ---- other events of a connection ---- */

static void on_ready(conn *c, void *arg) {
    (void)c;
    struct http_conn *hc = arg;
    hc->ready = true;
    arm(hc);
}

static void on_eof(conn *c, void *arg) {
    struct http_conn *hc = arg;
    must_magic(hc, HTTP_CONN_MAGIC);
    http_stream *st = hc->st;
    if (hc->closing) {
        if (conn_sending(c))
            conn_finish(c);
        else
            http_conn_cut(hc, "over");
    } else if (!st || !st->told) {
        if (st) http_abort(hc, "gone");
        http_conn_end(hc, false);
    } else if (st->resp_done) { /* the rest of the body will not come; the answer may still leave */
        stream_end(hc, true, NULL);
        http_conn_end(hc, false);
    } else if (st->req_done && hc->s->lim.keep_half_closed) {
        st->close = true;
    } else {
        http_conn_cut(hc, "The client went away.");
    }
}

static void on_drain(conn *c, void *arg) {
    struct http_conn *hc = arg;
    must_magic(hc, HTTP_CONN_MAGIC);
    if (hc->closing) return;
    if (hc->stalled) {
        hc->stalled = false;
        conn_resume(c);
    }
    http_stream *st = hc->st;
    if (!st || !st->told || st->resp_done) return;
    if (st->relay)
        http_relay_drain(st);
    else if (hc->s->h->on_drain)
        hc->s->h->on_drain(st, hc->s->arg);
}

static void on_close(conn *c, const err *why, void *arg) {
    (void)c;
    struct http_conn *hc = arg;
    must_magic(hc, HTTP_CONN_MAGIC);
    if (hc->st) stream_end(hc, false, why ? err_msg(why) : "The connection was closed.");
    conn_gone(hc);
}

static const struct conn_events events = {.on_ready = on_ready,
                                          .on_data = on_data,
                                          .on_eof = on_eof,
                                          .on_drain = on_drain,
                                          .on_timeout = on_timeout,
                                          .on_close = on_close};

/* ---- the server ---- */

static void set_default(size_t *v, size_t d) { *v = *v ? *v : d; }
static void set_default_us(int64_t *v, int64_t d) { *v = *v > 0 ? *v : d; }

void http_server_set_limits(http_server *s, const struct http_limits *limits) {
    must_magic(s, HTTP_SERVER_MAGIC);
    struct http_limits l = limits ? *limits : (struct http_limits){0};
    set_default(&l.max_headers, 100);
    set_default(&l.max_header_bytes, 64 * 1024);
    set_default(&l.max_target, 16 * 1024);
    set_default(&l.max_conns, 100000);
    set_default(&l.drain_limit, 256 * 1024);
    set_default_us(&l.header_timeout_us, 10 * US_PER_S);
    set_default_us(&l.body_idle_timeout_us, 30 * US_PER_S);
    set_default_us(&l.keepalive_idle_us, 75 * US_PER_S);
    set_default_us(&l.send_timeout_us, 60 * US_PER_S);
    set_default_us(&l.handshake_timeout_us, 10 * US_PER_S);
    s->lim = l;
    set_full(s);
}

err *http_server_new(net *n, const struct http_limits *limits, const struct http_handler *h,
                     void *arg, http_server **ret) {
    must(h->on_request && h->on_body && h->on_body_end && h->on_abort);
    http_server *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->magic = HTTP_SERVER_MAGIC;
    s->n = n;
    s->h = h;
    s->arg = arg;
    s->date_at = -US_PER_S;
    s->drained.on_time = on_drained;
    http_server_set_limits(s, limits);
    *ret = s;
    return NULL;
}

err *http_server_adopt(http_server *s, int fd, struct tls_context *tls, int tag, const char *peer) {
    must_magic(s, HTTP_SERVER_MAGIC);
    struct http_conn *hc = calloc(1, sizeof(*hc));
    must(hc != NULL);
    hc->magic = HTTP_CONN_MAGIC;
    hc->s = s;
    hc->tag = tag;
    hc->tls = tls != NULL;
    snprintf(hc->peer, sizeof(hc->peer), "%s", peer ? peer : "unix");
    llhttp_init(&hc->p, HTTP_REQUEST, &http_parse_settings);
    hc->p.data = hc;
    err *e = conn_adopt(s->n, fd, tls, &events, hc, &hc->c);
    if (e) {
        free(hc);
        return e;
    }
    hc->next = s->conns;
    if (s->conns) s->conns->prev = hc;
    s->conns = hc;
    s->stats.conns++;
    s->stats.conns_total++;
    set_full(s);
    if (tls)
        conn_deadline(hc->c, now_of(hc) + s->lim.handshake_timeout_us);
    else
        on_ready(hc->c, hc);
    return NULL;
}

static void on_accept(int fd, const struct sockaddr *sa, socklen_t n, void *arg) {
    struct http_listener *l = arg;
    char peer[NET_ADDRESS_TEXT];
    net_address_text(sa, n, peer);
    /* What fails is this one connection; there is nobody to tell. */
    err_free(http_server_adopt(l->s, fd, l->tls, l->tag, peer));
}

err *http_server_listen(http_server *s, int fd, struct tls_context *tls, int tag) {
    must_magic(s, HTTP_SERVER_MAGIC);
    struct http_listener *l = calloc(1, sizeof(*l));
    must(l != NULL);
    l->s = s;
    l->tls = tls;
    l->tag = tag;
    err *e = listener_new(s->n, fd, on_accept, l, &l->l);
    if (e) {
        free(l);
        return e;
    }
    l->next = s->listeners;
    s->listeners = l;
    if (s->full) listener_pause(l->l, true);
    return NULL;
}

static void drop_listeners(http_server *s) {
    while (s->listeners) {
        struct http_listener *l = s->listeners;
        s->listeners = l->next;
        listener_free(l->l);
        free(l);
    }
}

void http_server_drain(http_server *s, void (*done)(void *arg), void *arg) {
    must_magic(s, HTTP_SERVER_MAGIC);
    s->draining = true;
    s->on_drained = done;
    s->drained_arg = arg;
    drop_listeners(s);
    for (struct http_conn *hc = s->conns, *next; hc; hc = next) {
        next = hc->next;
        hc->last = true;
        if (hc->st)
            hc->st->close = true;
        else if (!hc->ready)
            http_conn_cut(hc, "draining");
        else
            http_conn_end(hc, false);
    }
    if (!s->conns) loop_timer_set(net_loop(s->n), &s->drained, 0);
}

void http_server_free(http_server *s) {
    if (!s) return;
    must_magic(s, HTTP_SERVER_MAGIC);
    s->on_drained = NULL;
    drop_listeners(s);
    while (s->conns) {
        must(!s->conns->feeding);
        http_conn_cut(s->conns, "The server ends.");
    }
    loop_timer_clear(net_loop(s->n), &s->drained);
    while (s->free_streams) {
        http_stream *st = s->free_streams;
        s->free_streams = st->next_free;
        stream_free(st);
    }
    buf_free(&s->scratch);
    s->magic = 0;
    free(s);
}

struct http_stats http_server_stats(const http_server *s) {
    return s->stats;
}

/* ---- what handlers ask of a stream ---- */

arena *http_arena(http_stream *st) { return st->a; }
const struct http_request *http_request_of(http_stream *st) { return &st->req; }
http_server *http_server_of(http_stream *st) { return st->hc->s; }
void http_set_data(http_stream *st, void *data) { st->data = data; }
void *http_data(const http_stream *st) { return st->data; }
bool http_responded(const http_stream *st) { return st->head_sent; }
size_t http_backlog(const http_stream *st) { return conn_backlog(st->hc->c); }
int64_t http_sent(const http_stream *st) { return st->sent; }

str http_header_of(const struct http_request *req, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < req->header_count; i++)
        if (req->headers[i].name.n == n && memcmp(req->headers[i].name.p, name, n) == 0)
            return req->headers[i].value;
    return STR_NONE;
}

void http_body_collect(http_stream *st, size_t max) {
    must_magic(st, HTTP_STREAM_MAGIC);
    must(st->body_got == 0);
    if (st->head_sent) return;
    if (st->req.content_length > (int64_t)max) {
        http_respond_err(st, err_new(ERR_PAYLOAD_TOO_LARGE,
                                     "The body has %lld bytes; the limit is %zu.",
                                     (long long)st->req.content_length, max));
        return;
    }
    st->collect = true;
    st->collect_max = max;
}

void http_body_pause(http_stream *st) {
    must_magic(st, HTTP_STREAM_MAGIC);
    if (st->req_done || st->resp_done || st->req.content_length == 0) return;
    st->body_paused = true;
    conn_pause(st->hc->c);
}

void http_body_resume(http_stream *st) {
    must_magic(st, HTTP_STREAM_MAGIC);
    if (!st->body_paused) return;
    st->body_paused = false;
    if (!st->head_sent) http_continue(st);
    conn_resume(st->hc->c);
    if (!st->hc->feeding) arm(st->hc);
}
