/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/vec.h"
#include "ipc/wire.h"

#define CHAN_MAGIC 0xc4a40001u
#define MAX_QUEUED_FDS 256u
#define READ_CHUNK (64u * 1024u)
#define LOW_MARK (256u * 1024u)
#define GATHER_MAX (64u * 1024u) /* gathered at most before it leaves within the round */

struct out_fd {
    size_t at; /* offset in `out` of the frame's first byte */
    int fd;
};

struct chan {
    uint32_t magic;
    loop *l;
    loop_watch watch;
    struct chan_events ev;
    void *arg;
    buf in, out;
    size_t out_sent; /* bytes of `out` already written */
    vec_of(struct out_fd) out_fds;
    vec_of(int) in_fds;
    size_t in_fd_at;
    int depth; /* > 0 while inside a callback */
    loop_last end;    /* of the round: what was gathered leaves */
    loop_timer later; /* what chan_send() found is told from here: a sender is never called back */
    bool dead, closed, paused, was_high, broken, gather;
};

static void on_event(loop_watch *w, int events);
static void on_later(loop_timer *t);
static void on_end(loop_last *t);

err *chan_new(loop *l, int fd, const struct chan_events *ev, void *arg, chan **ret) {
    int fl = fcntl(fd, F_GETFL);
    if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
        return err_errno("cannot use descriptor %d as a channel", fd);
    chan *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->magic = CHAN_MAGIC;
    c->l = l;
    c->ev = *ev;
    c->arg = arg;
    c->watch = (loop_watch){.on_event = on_event, .fd = fd};
    c->later.on_time = on_later;
    c->end.run = on_end;
    err *e = loop_watch_add(l, &c->watch, LOOP_READ);
    if (e) {
        free(c);
        return e;
    }
    *ret = c;
    return NULL;
}

static void release(chan *c) {
    for (size_t i = 0; i < c->out_fds.n; i++) close(c->out_fds.p[i].fd);
    for (size_t i = c->in_fd_at; i < c->in_fds.n; i++) close(c->in_fds.p[i]);
    vec_free(&c->out_fds);
    vec_free(&c->in_fds);
    buf_free(&c->in);
    buf_free(&c->out);
    c->magic = 0;
    free(c);
}

static void flush(chan *c);

static void shut(chan *c) {
    if (c->end.queued && !c->broken && !c->closed) flush(c); /* the owner lets go: what it sent still leaves */
    loop_at_end_clear(c->l, &c->end);
    loop_timer_clear(c->l, &c->later);
    if (c->watch.fd < 0) return;
    loop_unwatch(c->l, &c->watch);
    close(c->watch.fd);
    c->watch.fd = -1;
}

void chan_free(chan *c) {
    if (!c) return;
    must_magic(c, CHAN_MAGIC);
    shut(c);
    c->dead = true;
    if (!c->depth) release(c);
}

static void enter(chan *c) { c->depth++; }
static void leave(chan *c) {
    if (--c->depth == 0 && c->dead) release(c);
}

static void fail(chan *c, const char *why) {
    if (c->closed || c->dead) return;
    c->closed = true;
    shut(c);
    c->ev.on_close(c, why, c->arg);
}

size_t chan_backlog(const chan *c) { return c->out.n - c->out_sent; }

static void update_events(chan *c) {
    if (c->watch.fd < 0) return;
    loop_watch_set(c->l, &c->watch,
                   (c->paused ? 0 : LOOP_READ) | (chan_backlog(c) ? LOOP_WRITE : 0));
}

void chan_pause(chan *c, bool pause) {
    c->paused = pause;
    update_events(c);
}

int chan_peer_pid(const chan *c) {
    struct ucred u;
    socklen_t n = sizeof(u);
    if (c->watch.fd < 0 || getsockopt(c->watch.fd, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0) return 0;
    return u.pid;
}

static ssize_t send_some(int sock, const char *p, size_t n, int fd, int flags) {
    struct iovec iov = {(void *)(uintptr_t)p, n};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } ctl;
    if (fd >= 0) {
        memset(&ctl, 0, sizeof(ctl));
        mh.msg_control = ctl.space;
        mh.msg_controllen = sizeof(ctl.space);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cm), &fd, sizeof(int));
    }
    ssize_t r;
    do r = sendmsg(sock, &mh, flags | MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r;
}

/* Writes up to the next frame that carries a descriptor, then that frame with it, and so on. */
static void flush(chan *c) {
    while (!c->broken && chan_backlog(c)) {
        size_t end = c->out.n;
        int fd = -1;
        if (c->out_fds.n) {
            struct out_fd f = c->out_fds.p[0];
            if (f.at == c->out_sent) {
                fd = f.fd;
                if (c->out_fds.n > 1) end = c->out_fds.p[1].at;
            } else {
                end = f.at;
            }
        }
        ssize_t r = send_some(c->watch.fd, c->out.p + c->out_sent, end - c->out_sent, fd, 0);
        if (r < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            c->broken = true;
            loop_timer_set(c->l, &c->later, 0);
            return;
        }
        if (fd >= 0) {
            close(fd);
            memmove(c->out_fds.p, c->out_fds.p + 1, (c->out_fds.n - 1) * sizeof(*c->out_fds.p));
            c->out_fds.n--;
        }
        c->out_sent += (size_t)r;
    }
    if (c->out_sent == c->out.n) {
        buf_clear(&c->out);
        c->out_sent = 0;
        if (c->out.cap > 1024 * 1024) buf_free(&c->out);
    } else if (c->out_sent > 1024 * 1024) {
        buf_shift(&c->out, c->out_sent);
        for (size_t i = 0; i < c->out_fds.n; i++) c->out_fds.p[i].at -= c->out_sent;
        c->out_sent = 0;
    }
    update_events(c);
    if (c->was_high && chan_backlog(c) < LOW_MARK) loop_timer_set(c->l, &c->later, 0);
}

static void put_header(buf *b, uint16_t type, uint64_t stream, size_t n, bool fd) {
    buf_u32(b, (uint32_t)n);
    buf_u16(b, type);
    buf_u16(b, fd ? 1 : 0);
    buf_u64(b, stream);
}

void chan_send(chan *c, uint16_t type, uint64_t stream, str payload, int fd) {
    must_magic(c, CHAN_MAGIC);
    must(payload.n <= CHAN_MAX_PAYLOAD);
    if (c->watch.fd < 0 || c->broken) return;
    if (fd >= 0) {
        int dup = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        must(dup >= 0);
        vec_push(&c->out_fds, ((struct out_fd){c->out.n, dup}));
    }
    put_header(&c->out, type, stream, payload.n, fd >= 0);
    buf_str(&c->out, payload);
    if (chan_backlog(c) > LOW_MARK) c->was_high = true;
    if (c->gather && chan_backlog(c) < GATHER_MAX)
        loop_at_end(c->l, &c->end);
    else
        flush(c);
}

void chan_gather(chan *c) { c->gather = true; }

static void on_end(loop_last *t) {
    chan *c = (chan *)((char *)t - offsetof(chan, end));
    flush(c);
}

/* Reads once; returns bytes, 0 at end, -1 with errno. Descriptors go to in_fds. */
static ssize_t receive(chan *c) {
    char *to = buf_reserve(&c->in, READ_CHUNK);
    struct iovec iov = {to, c->in.cap - c->in.n};
    union {
        char space[CMSG_SPACE(sizeof(int) * 16)];
        struct cmsghdr align;
    } ctl;
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.space,
                        .msg_controllen = sizeof(ctl.space)};
    ssize_t r;
    do r = recvmsg(c->watch.fd, &mh, MSG_CMSG_CLOEXEC);
    while (r < 0 && errno == EINTR);
    if (r < 0) return r;
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(&mh); cm; cm = CMSG_NXTHDR(&mh, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
            vec_push(&c->in_fds, fd);
        }
    }
    c->in.n += (size_t)r;
    return r;
}

static int take_fd(chan *c) {
    if (c->in_fd_at == c->in_fds.n) return -1;
    int fd = c->in_fds.p[c->in_fd_at++];
    if (c->in_fd_at == c->in_fds.n) c->in_fd_at = c->in_fds.n = 0;
    return fd;
}

static void deliver(chan *c) {
    size_t at = 0;
    while (!c->dead && !c->closed && c->in.n - at >= CHAN_HEADER) {
        struct wire_in w = {str_n(c->in.p + at, CHAN_HEADER), true};
        uint32_t n = wire_get_u32(&w);
        struct chan_frame f = {.type = wire_get_u16(&w), .fd = -1};
        uint16_t flags = wire_get_u16(&w);
        f.stream = wire_get_u64(&w);
        if (n > CHAN_MAX_PAYLOAD) {
            fail(c, "frame too large");
            return;
        }
        if (c->in.n - at - CHAN_HEADER < n) break;
        f.payload = str_n(c->in.p + at + CHAN_HEADER, n);
        if (flags & 1) {
            f.fd = take_fd(c);
            if (f.fd < 0) {
                fail(c, "frame lacks its descriptor");
                return;
            }
        }
        at += CHAN_HEADER + n;
        c->ev.on_frame(c, &f, c->arg);
        if (f.fd >= 0) close(f.fd);
    }
    if (c->dead || c->closed) return;
    buf_shift(&c->in, at);
    if (c->in.n == 0 && c->in.cap > 1024 * 1024) buf_free(&c->in);
}

/* Reads once and delivers; false if there was nothing. */
static bool read_some(chan *c) {
    ssize_t r = receive(c);
    int os = errno;
    if (r > 0) {
        if (c->in_fds.n - c->in_fd_at > MAX_QUEUED_FDS)
            fail(c, "too many descriptors");
        else
            deliver(c);
    } else if (r == 0 || (os != EAGAIN && os != EWOULDBLOCK)) {
        fail(c, r == 0 ? "closed" : "read failed");
    }
    return r > 0;
}

static void on_event(loop_watch *w, int events) {
    chan *c = (chan *)((char *)w - offsetof(chan, watch));
    enter(c);
    if (events & LOOP_WRITE) flush(c);
    if (events & (LOOP_READ | LOOP_HUP)) read_some(c);
    leave(c);
}

static void on_later(loop_timer *t) {
    chan *c = (chan *)((char *)t - offsetof(chan, later));
    enter(c);
    if (c->broken) {
        /* What the other side said before it went is still heard. */
        while (!c->paused && !c->dead && !c->closed && read_some(c)) continue;
        if (!c->dead) fail(c, "write failed");
    } else if (c->was_high && chan_backlog(c) < LOW_MARK) {
        c->was_high = false;
        if (c->ev.on_drain) c->ev.on_drain(c, c->arg);
    }
    leave(c);
}

err *chan_send_blocking(int sock, uint16_t type, uint64_t stream, str payload, int fd) {
    buf b = {0};
    put_header(&b, type, stream, payload.n, fd >= 0);
    buf_str(&b, payload);
    size_t at = 0;
    while (at < b.n) {
        ssize_t r = send_some(sock, b.p + at, b.n - at, at == 0 ? fd : -1, 0);
        if (r < 0) {
            err *e = err_errno("cannot send a frame");
            buf_free(&b);
            return e;
        }
        at += (size_t)r;
    }
    buf_free(&b);
    return NULL;
}

static err *recv_all(int sock, char *p, size_t n, int *fd, size_t *ret_got) {
    size_t at = 0;
    while (at < n) {
        struct iovec iov = {p + at, n - at};
        union {
            char space[CMSG_SPACE(sizeof(int))];
            struct cmsghdr align;
        } ctl;
        struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.space,
                            .msg_controllen = sizeof(ctl.space)};
        ssize_t r = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_errno("cannot receive a frame");
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        if (cm && cm->cmsg_type == SCM_RIGHTS && *fd < 0) memcpy(fd, CMSG_DATA(cm), sizeof(int));
        if (r == 0) break;
        at += (size_t)r;
    }
    *ret_got = at;
    return NULL;
}

err *chan_recv_blocking(int sock, arena *a, size_t max, struct chan_frame *ret, bool *ret_eof) {
    char head[CHAN_HEADER];
    int fd = -1;
    size_t got = 0;
    *ret_eof = false;
    TRY(recv_all(sock, head, sizeof(head), &fd, &got));
    if (got == 0) {
        *ret_eof = true;
        return NULL;
    }
    struct wire_in w = {str_n(head, got), true};
    uint32_t n = wire_get_u32(&w);
    ret->type = wire_get_u16(&w);
    (void)wire_get_u16(&w);
    ret->stream = wire_get_u64(&w);
    if (!w.ok || n > max) {
        if (fd >= 0) close(fd);
        return err_new(ERR_IO_ERROR, "malformed frame (%u bytes, %zu allowed)", n, max);
    }
    char *p = arena_alloc(a, (size_t)n + 1);
    err *e = recv_all(sock, p, n, &fd, &got);
    if (!e && got < n) e = err_new(ERR_IO_ERROR, "frame cut short");
    if (e) {
        if (fd >= 0) close(fd);
        return e;
    }
    ret->payload = str_n(p, n);
    ret->fd = fd;
    return NULL;
}

err *chan_pair(int ret_fds[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds) < 0)
        return err_errno("cannot make a socket pair");
    return NULL;
}
