/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server under arbitrary bytes, cut at arbitrary places.
 *
 * Input: up to eight bytes, ended by 0, that say where to cut; the rest goes to the server, once
 * whole and once in pieces. Both must be understood as the same requests with the same bodies, and
 * get the same answers (but for the date): where a request ends must not depend on how its bytes
 * arrive. Only of an answer that begins before a body that turns out to be broken, less may have left
 * when all came at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http.h"

struct log {
    buf seen; /* what handlers were told */
    int open;
    bool broken; /* a stream was given up */
};

static loop *l;
static net *n;

static void on_request(http_stream *st, const struct http_request *r, void *arg) {
    struct log *g = arg;
    g->open++;
    must(r->method.n && r->target.n && r->path.n);
    buf_fmt(&g->seen, "R %.*s|%.*s|%.*s|%.*s|%d|%lld\n", STR_ARG(r->method), STR_ARG(r->path),
            STR_ARG(r->query), STR_ARG(r->host), r->minor, (long long)r->content_length);
    for (size_t i = 0; i < r->header_count; i++) {
        struct http_header h = r->headers[i];
        for (size_t j = 0; j < h.value.n; j++)
            must(h.value.p[j] != '\r' && h.value.p[j] != '\n' && h.value.p[j]);
        must(h.name.n > 0);
        buf_fmt(&g->seen, "H %.*s=%.*s\n", STR_ARG(h.name), STR_ARG(h.value));
    }
    if (str_eq(r->path, STR("/e")))
        http_respond(st, 403, NULL, 0, STR("early"), true);
    else if (str_eq(r->path, STR("/c")))
        http_body_collect(st, 64);
    else if (str_eq(r->path, STR("/s")))
        http_respond(st, 200, NULL, 0, STR("begun"), false);
}

static void on_body(http_stream *st, str piece, void *arg) {
    (void)st;
    struct log *g = arg;
    buf_str(&g->seen, piece);
}

static void on_body_end(http_stream *st, void *arg) {
    struct log *g = arg;
    buf_z(&g->seen, "\nE\n");
    if (http_responded(st))
        http_respond_end(st);
    else
        http_respond(st, 200, NULL, 0, STR("ok"), true);
}

static void on_done(http_stream *st, void *arg) {
    (void)st;
    ((struct log *)arg)->open--;
}
static void on_abort(http_stream *st, const char *why, void *arg) {
    (void)st, (void)why;
    ((struct log *)arg)->open--;
    ((struct log *)arg)->broken = true;
}

static const struct http_handler handler = {.on_request = on_request,
                                            .on_body = on_body,
                                            .on_body_end = on_body_end,
                                            .on_done = on_done,
                                            .on_abort = on_abort};

static void ok(err *e) { must(e == NULL); }

static void drink(int fd, buf *out) {
    for (;;) {
        char *to = buf_reserve(out, 65536);
        ssize_t r = recv(fd, to, 65536, MSG_DONTWAIT);
        if (r <= 0) return;
        out->n += (size_t)r;
    }
}

static void talk(const uint8_t *cuts, size_t cut_count, str input, struct log *g, buf *answers) {
    http_server *s;
    int fds[2];
    ok(http_server_new(n, NULL, &handler, g, &s));
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    ok(http_server_adopt(s, fds[0], NULL, 0, "fuzz"));
    for (size_t i = 0; input.n; i++) {
        size_t k = cut_count ? cuts[i % cut_count] : input.n;
        str piece = str_cut(input, k);
        input = str_from(input, piece.n);
        ssize_t w = send(fds[1], piece.p, piece.n, MSG_NOSIGNAL);
        if (w != (ssize_t)piece.n) break; /* closed */
        for (int j = 0; j < 3; j++) loop_step(l, 0);
        drink(fds[1], answers);
    }
    /* Cuts may let an answer begin before the rest is there; whether a body that never ends was
     * seen in part does depend on them. */
    for (int j = 0; j < 4; j++) loop_step(l, 0);
    drink(fds[1], answers);
    close(fds[1]);
    for (int j = 0; j < 8 && http_server_stats(s).conns; j++) loop_step(l, 0);
    must(http_server_stats(s).conns == 0);
    must(http_server_stats(s).streams == 0);
    must(g->open == 0);
    http_server_free(s);
}

/* "Date: …" lines differ with the time. */
static void without_dates(buf *b) {
    for (size_t i = 0; i + 6 < b->n; i++)
        if (memcmp(b->p + i, "Date: ", 6) == 0)
            for (; i < b->n && b->p[i] != '\r'; i++) b->p[i] = '-';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!l) {
        ok(loop_new(&l));
        ok(net_new(l, &n));
    }
    if (size > 100000) return 0;
    size_t cut_count = 0;
    while (cut_count < 8 && cut_count < size && data[cut_count]) cut_count++;
    size_t at = cut_count < size ? cut_count + 1 : size;
    str input = str_n((const char *)data + at, size - at);
    struct log whole = {0}, cut = {0};
    buf a = {0}, b = {0};
    talk(NULL, 0, input, &whole, &a);
    if (cut_count) {
        talk(data, cut_count, input, &cut, &b);
        without_dates(&a);
        without_dates(&b);
        /* A body that is wrong ends a request whose answer was given early: it may or may not be on its way then. */
        size_t less = whole.broken && a.n < b.n ? a.n : b.n;
        if (a.n != less || (less && memcmp(a.p, b.p, less) != 0) || whole.seen.n != cut.seen.n ||
            (cut.seen.n && memcmp(whole.seen.p, cut.seen.p, cut.seen.n) != 0)) {
            fprintf(stderr, "whole:\n%.*s\n%.*s\ncut:\n%.*s\n%.*s\n", (int)whole.seen.n,
                    whole.seen.p, (int)a.n, a.p, (int)cut.seen.n, cut.seen.p, (int)b.n, b.p);
            abort();
        }
    }
    buf_free(&a);
    buf_free(&b);
    buf_free(&whole.seen);
    buf_free(&cut.seen);
    return 0;
}
