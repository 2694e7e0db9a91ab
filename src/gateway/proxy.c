/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that control answers.
 *
 *   BODY ──complete──▶ SENT ──response──▶ ANSWERED
 *    │                  │ ▲
 *    └─control away─▶ HELD┘ (sent when control is back, 503 after HOLD_US)
 *   streamed: SENT at once, body paused; frame "take" → TAKING: the body flows into the descriptor;
 *   "taken" tells size and digest; then the response comes.
 *
 * When control dies, a request that it had is answered with 503, unless its method is safe: then it
 * is held and sent again.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/forward.h"
#include "gateway/gateway_int.h"
#include "gateway/gen_doors.h"

#define HOLD_US 5000000
#define PENDING_HIGH (1024u * 1024u)

/* ---- doors: which routes stream, which have limits ---- */

/* Does `path` fit a pattern of literals, {x} and a final {x*}? */
static bool fits(const char *pattern, str path) {
    str rest = str_from(str_of(pattern), 1), have = str_from(path, 1), a, b;
    while (str_split(&rest, '/', &a)) {
        if (a.n > 2 && a.p[0] == '{' && a.p[a.n - 2] == '*') return have.n > 0;
        if (!str_split(&have, '/', &b)) return false;
        if (a.n && a.p[0] == '{' ? b.n == 0 : !str_eq(a, b)) return false;
    }
    return !have.p || have.n == 0;
}

static const struct door_row *door_of(str method, str path) {
    for (size_t i = 0; i < door_rows_n; i++)
        if (str_eqz(method, door_rows[i].method) && fits(door_rows[i].path, path))
            return &door_rows[i];
    return NULL;
}

/* ---- life ---- */

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void stop_taking(struct proxied *p) {
    if (p->is_socket) loop_unwatch(p->g->l, &p->writable);
    close_fd(&p->fd);
    EVP_MD_CTX_free(p->sha);
    p->sha = NULL;
    buf_free(&p->pending);
}

static void unhold(struct proxied *p) {
    struct gateway *g = p->g;
    for (size_t i = 0; i < g->held.n; i++)
        if (g->held.p[i] == p) {
            memmove(&g->held.p[i], &g->held.p[i + 1], (g->held.n - i - 1) * sizeof(*g->held.p));
            g->held.n--;
            return;
        }
}

/* From on_done and on_abort: the stream is gone. */
void proxy_gone(struct proxied *p) {
    struct gateway *g = p->g;
    if (p->state == PX_HELD) unhold(p);
    if (p->state == PX_TAKING && g->control)
        CHAN_SEND(g->control, taken, p->id, -1, .ok = false);
    else if (p->state == PX_SENT && g->control)
        CHAN_SEND(g->control, gone, p->id, -1, .none = 0);
    stop_taking(p);
    map_del(g->streams, map_key_u64(&p->id));
    buf_free(&p->body);
    buf_free(&p->frame);
    free(p);
}

static void answer_error(struct proxied *p, err *e) {
    p->state = PX_ANSWERED;
    int status = err_status(err_code_of(e));
    buf b = {0};
    err_to_json(e, &b);
    err_free(e);
    struct http_header h[] = {{STR("Content-Type"), STR("application/json")},
                              {STR("Retry-After"), STR("1")}};
    http_respond(p->st, status, h, status == 503 || status == 429 ? 2 : 1, buf_view(&b), true);
    buf_free(&b);
}

static void encode(struct proxied *p) {
    const struct http_request *req = http_request_of(p->st);
    struct msg_pairs hs = {arena_array_of(http_arena(p->st), struct msg_pair, req->header_count + 1),
                           (uint32_t)req->header_count};
    for (size_t i = 0; i < req->header_count; i++)
        hs.p[i] = (struct msg_pair){req->headers[i].name, req->headers[i].value};
    char id[40];
    snprintf(id, sizeof(id), "%s-%llx", p->g->id_prefix, (unsigned long long)p->id);
    struct forward from = forward_of(http_arena(p->st), &p->g->settings, req);
    struct msg_request m = {.method = req->method,
                            .target = req->target,
                            .headers = hs,
                            .body = buf_view(&p->body),
                            .peer = from.peer,
                            .tls = from.tls,
                            .request_id = str_of(id),
                            .content_length = req->content_length,
                            .streamed = p->streamed,
                            .host = from.host};
    /* Absolute-form targets carry scheme and host: control wants origin form. */
    buf origin = {0};
    if (req->target.n && req->target.p[0] != '/') {
        buf_str(&origin, req->path);
        if (req->query.n) buf_fmt(&origin, "?%.*s", STR_ARG(req->query));
        m.target = buf_view(&origin);
    }
    buf_clear(&p->frame);
    msg_request_encode(&m, &p->frame);
    buf_free(&origin);
    buf_free(&p->body);
}

static void on_held_late(loop_timer *t) {
    struct gateway *g = (struct gateway *)((char *)t - offsetof(struct gateway, held_timer));
    int64_t now = loop_now(g->l);
    while (g->held.n && now - g->held.p[0]->held_since >= HOLD_US) {
        struct proxied *p = g->held.p[0];
        unhold(p);
        answer_error(p, err_new(ERR_TEMPORARILY_UNAVAILABLE,
                                "The control plane is restarting; try again."));
    }
    if (g->held.n)
        loop_timer_set(g->l, t, HOLD_US - (now - g->held.p[0]->held_since) + 1000);
}

static void hold(struct proxied *p) {
    struct gateway *g = p->g;
    p->state = PX_HELD;
    p->held_since = loop_now(g->l);
    vec_push(&g->held, p);
    if (!g->held_timer.slot) {
        g->held_timer.on_time = on_held_late;
        loop_timer_set(g->l, &g->held_timer, HOLD_US);
    }
}

static void send_frame(struct proxied *p) {
    p->state = PX_SENT;
    chan_send(p->g->control, MSG_REQUEST, p->id, buf_view(&p->frame), -1);
    if (!p->safe) buf_free(&p->frame);
}

static void send_or_hold(struct proxied *p) {
    encode(p);
    if (p->g->control)
        send_frame(p);
    else
        hold(p);
}

void proxy_begin(struct gateway *g, http_stream *st, const struct http_request *req) {
    struct proxied *p = calloc(1, sizeof(*p));
    must(p != NULL);
    p->g = g;
    p->st = st;
    p->id = ++g->next_id;
    p->fd = -1;
    p->safe = str_eqz(req->method, "GET") || str_eqz(req->method, "HEAD");
    const struct door_row *d = door_of(req->method, req->path);
    p->streamed = d && d->streamed;
    p->limit = d && d->limit ? d->limit : settings_int(&g->settings, SET_HTTP_BODY_LIMIT);
    map_put(g->streams, map_key_u64(&p->id), p);
    struct gw_stream *s = http_data(st);
    s->proxied = p;
    if (p->streamed) {
        p->safe = false;
        http_body_pause(st);
        send_or_hold(p);
    } else if (req->content_length > p->limit) {
        answer_error(p, err_new(ERR_PAYLOAD_TOO_LARGE,
                                "The body of %lld bytes is larger than the %lld allowed here.",
                                (long long)req->content_length, (long long)p->limit));
    } else if (req->content_length > 0) {
        buf_reserve(&p->body, (size_t)req->content_length);
    }
}

/* ---- taking ---- */

static void taken(struct proxied *p, bool ok, bool too_large) {
    unsigned char digest[32];
    unsigned n = 0;
    if (ok) EVP_DigestFinal_ex(p->sha, digest, &n);
    p->state = PX_SENT;
    if (p->is_socket && ok) shutdown(p->fd, SHUT_WR);
    stop_taking(p);
    if (p->g->control)
        CHAN_SEND(p->g->control, taken, p->id, -1, .ok = ok, .too_large = too_large,
                  .size = p->size, .sha256 = str_n((char *)digest, n));
    if (too_large) http_body_pause(p->st);
}

static void flush_pending(struct proxied *p) {
    size_t at = 0;
    while (at < p->pending.n) {
        ssize_t n = send(p->fd, p->pending.p + at, p->pending.n - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) {
            taken(p, false, false);
            return;
        }
        at += (size_t)n;
    }
    buf_shift(&p->pending, at);
    if (p->pending.n) {
        loop_watch_set(p->g->l, &p->writable, LOOP_WRITE);
        return;
    }
    loop_watch_set(p->g->l, &p->writable, 0);
    if (p->body_ended)
        taken(p, true, false);
    else
        http_body_resume(p->st);
}

static void on_writable(loop_watch *w, int events) {
    struct proxied *p = (struct proxied *)((char *)w - offsetof(struct proxied, writable));
    if ((events & LOOP_HUP) && !p->pending.n) {
        taken(p, false, false);
        return;
    }
    flush_pending(p);
}

static bool write_file(struct proxied *p, str piece) {
    while (piece.n) {
        ssize_t n = write(p->fd, piece.p, piece.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        piece = str_from(piece, (size_t)n);
    }
    return true;
}

static void take_piece(struct proxied *p, str piece) {
    p->size += (int64_t)piece.n;
    if (p->max >= 0 && p->size > p->max) {
        taken(p, false, true);
        return;
    }
    EVP_DigestUpdate(p->sha, piece.p, piece.n);
    if (!p->is_socket) {
        if (!write_file(p, piece)) {
            log_error("cannot write a body", lf_int("errno", errno));
            taken(p, false, false);
        }
        return;
    }
    buf_str(&p->pending, piece);
    if (p->pending.n > PENDING_HIGH) http_body_pause(p->st);
    flush_pending(p);
}

static void on_take(struct proxied *p, struct chan_frame *f, int64_t max) {
    if (p->state != PX_SENT || f->fd < 0) return;
    struct stat st;
    p->fd = f->fd;
    f->fd = -1;
    p->is_socket = fstat(p->fd, &st) == 0 && S_ISSOCK(st.st_mode);
    p->max = max;
    p->size = 0;
    p->sha = EVP_MD_CTX_new();
    must(p->sha && EVP_DigestInit_ex(p->sha, EVP_sha256(), NULL) == 1);
    p->state = PX_TAKING;
    if (p->is_socket) {
        fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) | O_NONBLOCK);
        p->writable = (loop_watch){.on_event = on_writable, .fd = p->fd};
        err *e = loop_watch_add(p->g->l, &p->writable, 0);
        if (e) {
            log_error("cannot watch a body's socket", lf_err(e));
            err_free(e);
            taken(p, false, false);
            return;
        }
    }
    if (p->body_ended)
        taken(p, true, false);
    else
        http_body_resume(p->st);
}

void proxy_body(struct proxied *p, str piece) {
    if (p->state == PX_TAKING) {
        take_piece(p, piece);
    } else if (p->state == PX_BODY) {
        if ((int64_t)(p->body.n + piece.n) > p->limit)
            answer_error(p, err_new(ERR_PAYLOAD_TOO_LARGE,
                                    "The body is larger than the %lld bytes allowed here.",
                                    (long long)p->limit));
        else
            buf_str(&p->body, piece);
    }
}

void proxy_body_end(struct proxied *p) {
    p->body_ended = true;
    if (p->state == PX_BODY)
        send_or_hold(p);
    else if (p->state == PX_TAKING && !(p->is_socket && p->pending.n))
        taken(p, true, false);
}

/* ---- answers ---- */

static struct http_header *headers_of(struct proxied *p, struct msg_pairs m) {
    struct http_header *h = arena_array_of(http_arena(p->st), struct http_header, m.n + 1);
    for (uint32_t i = 0; i < m.n; i++) h[i] = (struct http_header){m.p[i].name, m.p[i].value};
    return h;
}

void proxy_on_frame(struct gateway *g, struct chan_frame *f) {
    struct proxied *p = map_get(g->streams, map_key_u64(&f->stream));
    if (!p || p->state == PX_ANSWERED) return; /* its client went away */
    arena *a = http_arena(p->st);
    struct msg_response r;
    struct msg_response_fd rf;
    struct msg_take t;
    if (f->type == MSG_TAKE && msg_take_decode(a, f->payload, &t)) {
        on_take(p, f, t.max);
        return;
    }
    g->answered++;
    if (f->type == MSG_RESPONSE && msg_response_decode(a, f->payload, &r)) {
        p->state = PX_ANSWERED;
        stop_taking(p);
        http_respond(p->st, r.status, headers_of(p, r.headers), r.headers.n, r.body, true);
    } else if (f->type == MSG_RESPONSE_FD && f->fd >= 0 &&
               msg_response_fd_decode(a, f->payload, &rf)) {
        p->state = PX_ANSWERED;
        int fd = f->fd;
        f->fd = -1;
        http_respond_fd(p->st, rf.status, headers_of(p, rf.headers), rf.headers.n, fd, rf.offset,
                        rf.length);
    } else {
        answer_error(p, err_new(ERR_INTERNAL_ERROR, "malformed answer frame"));
    }
}

void proxy_control_up(struct gateway *g) {
    while (g->held.n) {
        struct proxied *p = g->held.p[0];
        unhold(p);
        send_frame(p);
    }
    loop_timer_clear(g->l, &g->held_timer);
}

void proxy_control_down(struct gateway *g) {
    str k;
    void *v;
    vec_of(struct proxied *) lost = {0};
    for (size_t i = 0; map_next(g->streams, &i, &k, &v);) {
        struct proxied *p = v;
        if (p->state == PX_SENT || p->state == PX_TAKING) vec_push(&lost, p);
    }
    for (size_t i = 0; i < lost.n; i++) {
        struct proxied *p = lost.p[i];
        stop_taking(p);
        if (p->safe && p->frame.n)
            hold(p);
        else
            answer_error(p, err_new(ERR_TEMPORARILY_UNAVAILABLE,
                                    "The control plane restarted while it handled this request; "
                                    "read back whether it took effect, then try again."));
    }
    vec_free(&lost);
}
