/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes between owners and the kernel.
 *
 *                 read(2)                         on_data
 *   socket ──▶ net.rbuf ──▶ kind.raw_in ──▶ conn_deliver ──▶ owner ─┐
 *                                                  └─ rest: c->in    │ conn_write
 *   socket ◀── sendmsg ◀── c->out ◀── net.cork ◀── kind.write ◀──────┘
 *
 * Invariants
 *   1. The owner is called only from the loop (event, timer, kick), and c->busy > 0 then; a dead
 *      connection is freed when busy falls to 0. So the owner may close in any callback.
 *   2. Bytes leave in the order in which they were given: c->out before the cork, the cork before a
 *      file; the cork is used only while c->out is empty.
 *   3. An error of the kernel is told once, as on_close, from the loop; until then writes are
 * dropped.
 *   4. While a file is being sent nothing else is queued (except the goodbye after it).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/conn_int.h"
#include "sys/clock.h"

/* How much of a file one event may send, so that one fast client does not hold the loop. */
#define FILE_ROUND (1024 * 1024)

static void update_watch(conn *c);
static void flushed(conn *c);

err *net_new(loop *l, net **ret) {
    net *n = calloc(1, sizeof(*n));
    must(n != NULL);
    n->magic = NET_MAGIC;
    n->l = l;
    /* sendfile(2) and SSL have no MSG_NOSIGNAL; a peer that left is an error value here. */
    signal(SIGPIPE, SIG_IGN);
    *ret = n;
    return NULL;
}

void net_free(net *n) {
    if (!n) return;
    must_magic(n, NET_MAGIC);
    must(n->conns == 0);
    n->magic = 0;
    free(n);
}

loop *net_loop(const net *n) { return n->l; }
size_t net_conns(const net *n) { return n->conns; }

void net_address_text(const struct sockaddr *sa, socklen_t len, char out[NET_ADDRESS_TEXT]) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *v4 = (const void *)sa;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(out, NET_ADDRESS_TEXT, "%s:%u", host, ntohs(v4->sin_port));
    } else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *v6 = (const void *)sa;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        if (mapped) /* an IPv4 client of a socket that takes both: address lists speak of IPv4 */
            inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof(host));
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(out, NET_ADDRESS_TEXT, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        snprintf(out, NET_ADDRESS_TEXT, "unix");
    }
}

/* ---- ends ---- */

static void destroy(conn *c) {
    c->magic = 0;
    buf_free(&c->in);
    buf_free(&c->out);
    free(c->file);
    err_free(c->broken);
    free(c);
}

void conn_close(conn *c) {
    if (!c) return;
    must_magic(c, CONN_MAGIC);
    if (c->dead) return;
    c->dead = true;
    if (c->n->corked == c) {
        c->n->corked = NULL;
        c->n->cork_n = 0;
    }
    loop_unwatch(c->n->l, &c->watch);
    loop_timer_clear(c->n->l, &c->timer);
    loop_timer_clear(c->n->l, &c->kick);
    if (c->kind->release && !c->busy) c->kind->release(c);
    close(c->watch.fd);
    c->n->conns--;
    if (!c->busy) destroy(c);
}

static void leave(conn *c) {
    if (--c->busy == 0 && c->dead) {
        if (c->kind->release) c->kind->release(c);
        destroy(c);
    }
}

/* The last call to the owner. c->busy > 0. */
static void tell_close(conn *c, const err *why) {
    if (c->dead) return;
    c->ev->on_close(c, why, c->arg);
    conn_close(c);
}

static void kick(conn *c) {
    if (!c->dead && !c->kick.slot) loop_timer_set(c->n->l, &c->kick, 0);
}

void conn_break(conn *c, err *e) {
    if (c->dead || c->broken) {
        err_free(e);
        return;
    }
    c->broken = e;
    kick(c);
}

/* ---- towards the kernel ---- */

size_t conn_backlog(const conn *c) {
    if (c->broken || c->dead) return SIZE_MAX; /* nobody shall produce more for it */
    return c->out.n - c->out_at + (c->n->corked == c ? c->n->cork_n : 0);
}

bool conn_sending(const conn *c) { return conn_backlog(c) > 0 || (c->file && c->file->left > 0); }

bool conn_broken(const conn *c) { return c->broken != NULL; }

int64_t conn_write_progress(const conn *c) { return c->progress; }

static void keep(conn *c, const struct iovec *iov, int n, size_t skip) {
    if (c->out_at == c->out.n) {
        buf_clear(&c->out);
        c->out_at = 0;
        c->progress = loop_now(c->n->l);
    }
    for (int i = 0; i < n; i++) {
        size_t from = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        skip -= from;
        buf_add(&c->out, (const char *)iov[i].iov_base + from, iov[i].iov_len - from);
    }
    if (conn_backlog(c) > CONN_LOW) c->want_drain = true;
    update_watch(c);
}

/* One system call; what the kernel leaves goes to c->out, which is empty. */
static void push(conn *c, struct iovec *iov, int n) {
    size_t total = 0;
    for (int i = 0; i < n; i++) total += iov[i].iov_len;
    if (!total || c->dead || c->broken || c->shut_done) return;
    bool more = c->file && c->file->left > 0;
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t w = sendmsg(c->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (w < 0 && errno != EAGAIN && errno != EINTR) {
        conn_break(c, err_errno("cannot send"));
        return;
    }
    if (w < 0) w = 0;
    if ((size_t)w < total) keep(c, iov, n, (size_t)w);
}

void conn_raw_write(conn *c, str a, str b) {
    net *n = c->n;
    if (c->dead || c->broken || c->shut_done) return;
    struct iovec iov[3] = {{n->cork, 0},
                           {(void *)(uintptr_t)a.p, a.n}, /* sendmsg does not write to it */
                           {(void *)(uintptr_t)b.p, b.n}};
    if (c->out_at < c->out.n) {
        keep(c, iov + 1, 2, 0);
        return;
    }
    if (n->corked == c) {
        if (n->cork_n + a.n + b.n <= n->cork_room) {
            if (a.n) memcpy(n->cork + n->cork_n, a.p, a.n);
            n->cork_n += a.n;
            if (b.n) memcpy(n->cork + n->cork_n, b.p, b.n);
            n->cork_n += b.n;
            return;
        }
        iov[0].iov_len = n->cork_n;
        n->cork_n = 0;
    }
    push(c, iov, 3);
}

/* From here to cork_end() what c writes is gathered. False if another connection gathers already
 * (an owner that writes to c while it handles that one's bytes): then c writes at once. */
static bool cork_begin(conn *c) {
    if (c->n->corked) return false;
    c->n->corked = c;
    c->n->cork_n = 0;
    c->n->cork_room = CORK_SIZE;
    return true;
}

static void cork_end(conn *c, bool mine) {
    if (!mine || c->dead || c->n->corked != c) return;
    struct iovec iov = {c->n->cork, c->n->cork_n};
    c->n->corked = NULL;
    c->n->cork_n = 0;
    push(c, &iov, 1);
    flushed(c);
}

/* Writes c->out; true when it is empty. */
static bool flush(conn *c) {
    if (c->out_at < c->out.n && !c->broken) {
        ssize_t w = send(c->watch.fd, c->out.p + c->out_at, c->out.n - c->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (w < 0 && errno != EAGAIN && errno != EINTR) {
            conn_break(c, err_errno("cannot send"));
            return false;
        }
        if (w > 0) {
            c->out_at += (size_t)w;
            c->progress = loop_now(c->n->l);
        }
    }
    if (c->out_at < c->out.n) {
        /* A long queue moves to the front from time to time, so that it does not only grow. */
        if (c->out_at > CONN_HIGH && c->out_at > c->out.n / 2) {
            buf_shift(&c->out, c->out_at);
            c->out_at = 0;
        }
        return false;
    }
    buf_free(&c->out);
    c->out_at = 0;
    return true;
}

/* All that was given has left: half close and end may follow. */
static void flushed(conn *c) {
    if (c->dead || c->broken || !c->ready) return;
    if (conn_sending(c)) return;
    if ((c->shut || c->finish) && !c->shut_done) {
        if (c->kind->bye && !c->bye_said) {
            c->bye_said = true;
            c->kind->bye(c);
        }
        if (c->broken) return;
        if (conn_backlog(c)) return; /* the goodbye waits; the next flush comes back here */
        c->shut_done = true;
        if (!c->finish) shutdown(c->watch.fd, SHUT_WR);
    }
    if (c->finish) kick(c);
}

static void send_more(conn *c) {
    if (!flush(c)) return;
    if (c->file && c->file->left > 0) {
        c->kind->file(c);
        if (c->dead || c->broken || c->out_at < c->out.n) return;
    }
    flushed(c);
}

void conn_write(conn *c, str data) { conn_write2(c, data, STR_NONE); }

void conn_write2(conn *c, str head, str body) {
    must_magic(c, CONN_MAGIC);
    if (c->dead || c->broken || c->shut || c->finish) return;
    must(c->ready && !(c->file && c->file->left > 0));
    c->kind->write(c, head, body);
}

/* ---- files ---- */

bool conn_file_ended(conn *c, bool ok) {
    struct conn_file *f = c->file;
    f->left = 0;
    c->busy++;
    f->done(c, ok, c->arg);
    leave(c);
    return false;
}

void conn_send_file(conn *c, int fd, off_t offset, int64_t len,
                    void (*done)(conn *c, bool ok, void *arg)) {
    must_magic(c, CONN_MAGIC);
    if (c->dead || c->broken) return;
    must(c->ready && len > 0 && !(c->file && c->file->left > 0));
    if (!c->file) c->file = calloc(1, sizeof(*c->file));
    must(c->file != NULL);
    *c->file = (struct conn_file){.fd = fd, .at = offset, .left = len, .done = done};
    if (c->out_at == c->out.n) c->progress = loop_now(c->n->l);
    update_watch(c);
}

static bool plain_file(conn *c) {
    struct conn_file *f = c->file;
    for (int64_t round = 0; round < FILE_ROUND && f->left > 0;) {
        size_t ask = (size_t)(f->left < FILE_ROUND ? f->left : FILE_ROUND);
        ssize_t w = sendfile(c->watch.fd, f->fd, &f->at, ask);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0 && errno == EAGAIN) return false;
        if (w < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            conn_break(c, err_errno("cannot send"));
            return false;
        }
        if (w <= 0) return conn_file_ended(c, false);
        f->left -= w;
        round += w;
        c->progress = loop_now(c->n->l);
        if (f->left == 0) return conn_file_ended(c, true);
    }
    return true;
}

/* ---- from the kernel ---- */

static bool wants_read(const conn *c) {
    return !c->paused && !c->eof && !c->broken && !c->connecting && !c->in.n;
}

static void update_watch(conn *c) {
    if (c->dead) return;
    bool write = c->connecting || c->out_at < c->out.n || (c->file && c->file->left > 0);
    int events = (wants_read(c) ? LOOP_READ : 0) | (write ? LOOP_WRITE : 0);
    if (c->hup) { /* taken out of the loop: see hang_up() */
        if (!(events & LOOP_READ)) return;
        c->hup = false;
        err *e = loop_watch_add(c->n->l, &c->watch, events);
        if (e) conn_break(c, e);
        return;
    }
    loop_watch_set(c->n->l, &c->watch, events);
}

void conn_deliver(conn *c, str data) {
    if (c->dead || c->finish) return;
    size_t took = c->ev->on_data(c, data, c->arg);
    if (c->dead || c->finish) return;
    must(took <= data.n);
    if (took < data.n) {
        c->paused = true;
        /* Kept bytes and new ones never meet: nothing is read while some are kept. */
        buf_add(&c->in, data.p + took, data.n - took);
    }
}

static void tell_eof(conn *c) {
    if (c->dead || c->eof_told || !c->eof || c->in.n || c->finish) return;
    c->eof_told = true;
    if (c->ready && c->ev->on_eof)
        c->ev->on_eof(c, c->arg);
    else
        tell_close(c, NULL);
}

static void read_some(conn *c) {
    net *n = c->n;
    ssize_t r = read(c->watch.fd, n->rbuf, sizeof(n->rbuf));
    if (r < 0) {
        if (errno != EAGAIN && errno != EINTR) conn_break(c, err_errno("cannot receive"));
        return;
    }
    bool mine = cork_begin(c);
    if (r == 0)
        c->eof = true;
    else if (!c->finish)
        c->kind->raw_in(c, str_n(n->rbuf, (size_t)r));
    if (c->eof && !c->dead && !c->paused) tell_eof(c);
    cork_end(c, mine);
}

static void plain_in(conn *c, str raw) {
    if (raw.n) conn_deliver(c, raw);
}

static void plain_write(conn *c, str head, str body) { conn_raw_write(c, head, body); }

static const struct conn_kind conn_kind_plain = {
    .name = "plain", .raw_in = plain_in, .write = plain_write, .file = plain_file};

void conn_became_ready(conn *c) {
    c->ready = true;
    c->deadline = 0;
    if (c->ev->on_ready) c->ev->on_ready(c, c->arg);
}

static void connected(conn *c) {
    int os = 0;
    socklen_t len = sizeof(os);
    getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &os, &len);
    if (os) {
        errno = os;
        conn_break(c, err_errno("cannot connect"));
        return;
    }
    c->connecting = false;
    bool mine = cork_begin(c);
    if (c->tls)
        c->kind->raw_in(c, STR_NONE); /* begins the handshake */
    else
        conn_became_ready(c);
    cork_end(c, mine);
}

/* Both directions are gone. While we read, read(2) tells how; else a reset ends the connection,
 * and an orderly end waits until the owner wants to read again: until then the descriptor leaves
 * the loop, which would report it without pause. */
static void hang_up(conn *c) {
    int os = 0;
    socklen_t len = sizeof(os);
    getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &os, &len);
    if (os || c->out_at < c->out.n || (c->file && c->file->left > 0)) {
        errno = os ? os : EPIPE;
        conn_break(c, err_errno("connection lost"));
        return;
    }
    c->hup = true;
    loop_unwatch(c->n->l, &c->watch);
}

static void tell_drain(conn *c) {
    if (c->dead || c->broken || !c->want_drain || conn_backlog(c) > CONN_LOW) return;
    c->want_drain = false;
    if (!c->ev->on_drain || c->finish) return;
    bool mine = cork_begin(c);
    c->ev->on_drain(c, c->arg);
    cork_end(c, mine);
}

static void on_event(loop_watch *w, int events) {
    conn *c = (conn *)(void *)((char *)w - offsetof(conn, watch));
    must_magic(c, CONN_MAGIC);
    if (c->broken) return; /* the kick tells it, in this round or the next */
    c->busy++;
    if (c->connecting) {
        connected(c);
    } else {
        if (events & LOOP_WRITE) send_more(c);
        if (!c->dead) tell_drain(c);
        if (c->dead || c->broken) {
            /* told by the kick */
        } else if (wants_read(c)) {
            if (events & (LOOP_READ | LOOP_HUP)) read_some(c);
        } else if (events & LOOP_HUP) {
            hang_up(c);
        }
    }
    update_watch(c);
    leave(c);
}

static void on_kick(loop_timer *t) {
    conn *c = (conn *)(void *)((char *)t - offsetof(conn, kick));
    must_magic(c, CONN_MAGIC);
    c->busy++;
    if (c->broken) {
        tell_close(c, c->broken);
    } else if (c->finish) {
        if (!conn_sending(c) && c->shut_done) tell_close(c, NULL);
    } else if (!c->paused) {
        bool mine = cork_begin(c);
        buf kept = c->in;
        c->in = (buf){0};
        if (c->ready) conn_deliver(c, buf_view(&kept)); /* empty too: see conn_resume() */
        buf_free(&kept);
        if (!c->dead && !c->paused) c->kind->raw_in(c, STR_NONE);
        if (!c->dead && !c->paused) tell_eof(c);
        cork_end(c, mine);
    }
    update_watch(c);
    leave(c);
}

static void on_timer(loop_timer *t) {
    conn *c = (conn *)(void *)((char *)t - offsetof(conn, timer));
    must_magic(c, CONN_MAGIC);
    if (!c->deadline) return;
    int64_t left = c->deadline - loop_now(c->n->l);
    if (left > 0) {
        loop_timer_set(c->n->l, t, left);
        return;
    }
    c->deadline = 0;
    c->busy++;
    bool mine = cork_begin(c);
    if (!c->ready) {
        conn_break(c, err_new(ERR_DEADLINE_EXCEEDED, "no connection within the time limit."));
    } else if (c->ev->on_timeout) {
        c->ev->on_timeout(c, c->arg);
    } else {
        tell_close(c, NULL);
    }
    cork_end(c, mine);
    update_watch(c);
    leave(c);
}

/* ---- control ---- */

void conn_pause(conn *c) {
    must_magic(c, CONN_MAGIC);
    c->paused = true;
    /* Within a callback the watch is set once, at its end. */
    if (!c->busy) update_watch(c);
}

void conn_resume(conn *c) {
    must_magic(c, CONN_MAGIC);
    if (!c->paused || c->dead) return;
    c->paused = false;
    kick(c);
}

bool conn_paused(const conn *c) { return c->paused; }

void conn_finish(conn *c) {
    must_magic(c, CONN_MAGIC);
    if (c->dead || c->finish) return;
    if (!c->ready) {
        conn_break(c, err_new(ERR_CANCELLED, "ended before it was connected."));
        return;
    }
    c->finish = true;
    c->paused = true;
    buf_free(&c->in);
    if (c->n->corked != c) flushed(c);
    if (!c->busy) update_watch(c);
}

void conn_shutdown(conn *c) {
    must_magic(c, CONN_MAGIC);
    if (c->dead || c->finish || c->shut || !c->ready) return;
    c->shut = true;
    if (c->n->corked != c) flushed(c);
}

void conn_deadline(conn *c, int64_t at) {
    must_magic(c, CONN_MAGIC);
    if (c->dead) return;
    c->deadline = at;
    /* A timer that fires too early finds a later deadline and waits on: no heap work per request.
     */
    if (at && (!c->timer.slot || c->timer.at > at))
        loop_timer_set(c->n->l, &c->timer, at - loop_now(c->n->l));
}

net *conn_net(const conn *c) { return c->n; }
int conn_fd(const conn *c) { return c->watch.fd; }
bool conn_is_tls(const conn *c) { return c->tls != NULL; }
bool conn_eof(const conn *c) { return c->eof; }

/* ---- beginnings ---- */

static conn *conn_make(net *n, int fd, const struct conn_events *ev, void *arg) {
    must_magic(n, NET_MAGIC);
    conn *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->magic = CONN_MAGIC;
    c->n = n;
    c->kind = &conn_kind_plain;
    c->ev = ev;
    c->arg = arg;
    c->watch.fd = fd;
    c->watch.on_event = on_event;
    c->timer.on_time = on_timer;
    c->kick.on_time = on_kick;
    n->conns++;
    return c;
}

static err *set_up_socket(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return err_errno("cannot make a socket non-blocking");
    int on = 1; /* fails on unix sockets, which need no such thing */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return NULL;
}

err *conn_adopt(net *n, int fd, struct tls_context *tls, const struct conn_events *ev, void *arg,
                conn **ret) {
    conn *c = conn_make(n, fd, ev, arg);
    err *e = set_up_socket(fd);
    if (!e && tls) e = conn_tls_begin(c, tls, NULL);
    if (!e) e = loop_watch_add(n->l, &c->watch, LOOP_READ);
    if (e) {
        conn_close(c);
        return e;
    }
    /* A plain connection is ready; the owner learns it before the first byte, from its own call. */
    if (!tls) c->ready = true;
    *ret = c;
    return NULL;
}

err *conn_connect(net *n, const struct sockaddr *to, socklen_t to_len, struct tls_context *tls,
                  const char *name, int64_t timeout_us, const struct conn_events *ev, void *arg,
                  conn **ret) {
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_errno("cannot make a socket");
    conn *c = conn_make(n, fd, ev, arg);
    c->connecting = true;
    err *e = set_up_socket(fd);
    if (!e && tls) e = conn_tls_begin(c, tls, name);
    if (!e && connect(fd, to, to_len) < 0 && errno != EINPROGRESS) {
        char text[NET_ADDRESS_TEXT];
        net_address_text(to, to_len, text);
        e = err_errno("cannot connect to %s", text);
    }
    if (!e) e = loop_watch_add(n->l, &c->watch, LOOP_WRITE);
    if (e) {
        conn_close(c);
        return e;
    }
    if (timeout_us > 0) conn_deadline(c, clock_mono() + timeout_us);
    *ret = c;
    return NULL;
}
