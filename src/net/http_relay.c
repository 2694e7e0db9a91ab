/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers whose body comes from a descriptor. A regular file goes through conn_send_file()
 * (sendfile(2), or read and encrypt). A socket or pipe is read when it has bytes and the client's
 * queue is short: above CONN_HIGH its descriptor is not watched for reading until the queue has
 * drained, so a slow client slows the source down.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/conn_int.h"
#include "net/http_int.h"

struct http_relay {
    loop_watch watch; /* of a socket or pipe */
    http_stream *st;
    int fd;
    int64_t left; /* -1: to its end */
    bool file;
};

void http_relay_free(http_stream *st) {
    struct http_relay *r = st->relay;
    if (!r) return;
    st->relay = NULL;
    loop_unwatch(net_loop(st->hc->s->n), &r->watch);
    close(r->fd);
    free(r);
}

static void relay_end(http_stream *st, bool ok) {
    http_relay_free(st);
    if (ok)
        http_respond_end(st);
    else
        http_respond_cut(st);
}

static void on_file_sent(conn *c, bool ok, void *arg) {
    (void)c;
    struct http_conn *hc = arg;
    http_stream *st = hc->st;
    must(st && st->relay);
    if (ok) st->sent = st->promised;
    relay_end(st, ok);
}

static void on_source(loop_watch *w, int events) {
    (void)events;
    struct http_relay *r =
        (struct http_relay *)(void *)((char *)w - offsetof(struct http_relay, watch));
    http_stream *st = r->st;
    conn *c = st->hc->c;
    net *n = st->hc->s->n;
    /* rbuf is free: no connection is reading while this runs. */
    size_t ask = sizeof(n->rbuf);
    if (r->left >= 0 && (int64_t)ask > r->left) ask = (size_t)r->left;
    ssize_t got = read(r->fd, n->rbuf, ask);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        relay_end(st, got == 0 && r->left < 0);
        return;
    }
    http_put_body(st, str_n(n->rbuf, (size_t)got));
    if (r->left > 0) {
        r->left -= got;
        if (r->left == 0) {
            relay_end(st, true);
            return;
        }
    }
    /* Out of the loop, which would report the end of the source again and again. */
    if (conn_backlog(c) > CONN_HIGH) loop_unwatch(net_loop(n), w);
}

void http_relay_drain(http_stream *st) {
    struct http_relay *r = st->relay;
    if (r->file || r->watch.slot) return;
    err *e = loop_watch_add(net_loop(st->hc->s->n), &r->watch, LOOP_READ);
    if (!e) return;
    err_free(e);
    relay_end(st, false);
}

void http_respond_fd(http_stream *st, int status, const struct http_header *headers, size_t n,
                     int fd, off_t offset, int64_t len) {
    must_magic(st, HTTP_STREAM_MAGIC);
    must(st->told && !st->head_sent);
    struct stat sb;
    bool file = fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode);
    must(!file || len >= 0);
    struct http_conn *hc = st->hc;
    str head = http_make_head(st, status, headers, n, len);
    conn_write(hc->c, head);
    if (st->no_body || len == 0 || st->promised == 0) {
        close(fd);
        http_respond_end(st);
        return;
    }
    struct http_relay *r = calloc(1, sizeof(*r));
    must(r != NULL);
    st->relay = r;
    r->st = st;
    r->fd = fd;
    r->left = len < 0 ? st->promised : len; /* a promise among the headers holds as well */
    r->file = file;
    if (file) {
        conn_send_file(hc->c, fd, offset, len, on_file_sent);
        return;
    }
    r->watch = (loop_watch){.on_event = on_source, .fd = fd};
    int flags = fcntl(fd, F_GETFL);
    err *e = NULL;
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        e = err_errno("cannot read the body's descriptor");
    if (!e) e = loop_watch_add(net_loop(hc->s->n), &r->watch, LOOP_READ);
    if (e) {
        err_free(e);
        relay_end(st, false);
    }
}
