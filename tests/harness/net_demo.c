/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/net_demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"

/* What a stream of the demo remembers. */
struct work {
    http_stream *st;
    net *n;
    enum { COUNT, SLOW, MIRROR, ECHO, DEAF } kind;
    uint64_t got, sum;
    uint64_t at, total; /* generated body */
    loop_timer timer;
    bool answer_late, wait;
};

uint64_t net_demo_sum(uint64_t sum, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) sum = sum * 31 + (unsigned char)p[i];
    return sum;
}

static void stop_timer(void *arg) {
    struct work *w = arg;
    loop_timer_clear(net_loop(w->n), &w->timer);
}

static void generate(struct work *w) {
    char piece[4096];
    while (w->at < w->total && http_backlog(w->st) < CONN_HIGH) {
        size_t n = w->total - w->at < sizeof(piece) ? (size_t)(w->total - w->at) : sizeof(piece);
        for (size_t i = 0; i < n; i++) piece[i] = net_demo_byte(w->at + i);
        w->at += n;
        http_respond_chunk(w->st, str_n(piece, n));
    }
    if (w->at == w->total) {
        w->total = w->at = 0;
        http_respond_end(w->st);
    }
}

static void text(http_stream *st, int status, str body) {
    struct http_header h = {STR("Content-Type"), STR("text/plain")};
    http_respond(st, status, &h, 1, body, true);
}

static void on_timer(loop_timer *t) {
    struct work *w = (struct work *)(void *)((char *)t - offsetof(struct work, timer));
    if (w->answer_late)
        text(w->st, 200, STR("late"));
    else
        http_body_resume(w->st);
}

static int file_of(uint64_t n) {
    int fd = memfd_create("demo", MFD_CLOEXEC);
    must(fd >= 0);
    char piece[4096];
    for (uint64_t at = 0; at < n;) {
        size_t k = n - at < sizeof(piece) ? (size_t)(n - at) : sizeof(piece);
        for (size_t i = 0; i < k; i++) piece[i] = net_demo_byte(at + i);
        must(write(fd, piece, k) == (ssize_t)k);
        at += k;
    }
    return fd;
}

struct feeder {
    int fd;
    uint64_t n;
};

static void *feed(void *arg) {
    struct feeder *f = arg;
    char piece[5000];
    for (uint64_t at = 0; at < f->n;) {
        size_t k = f->n - at < sizeof(piece) ? (size_t)(f->n - at) : sizeof(piece);
        for (size_t i = 0; i < k; i++) piece[i] = net_demo_byte(at + i);
        ssize_t w = send(f->fd, piece, k, MSG_NOSIGNAL);
        if (w <= 0) break;
        at += (uint64_t)w;
    }
    close(f->fd);
    free(f);
    return NULL;
}

static int socket_of(uint64_t n) {
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    struct feeder *f = malloc(sizeof(*f));
    must(f != NULL);
    *f = (struct feeder){fds[1], n};
    pthread_t t;
    must(pthread_create(&t, NULL, feed, f) == 0);
    pthread_detach(t);
    return fds[0];
}

static void show_head(http_stream *st, const struct http_request *r) {
    buf b = {0};
    buf_fmt(&b, "%.*s %.*s ? %.*s @ %.*s\n", STR_ARG(r->method), STR_ARG(r->path),
            STR_ARG(r->query), STR_ARG(r->host));
    for (size_t i = 0; i < r->header_count; i++)
        buf_fmt(&b, "%.*s=%.*s\n", STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value));
    text(st, 200, buf_view(&b));
    buf_free(&b);
}

static void begin_stream(http_stream *st, struct work *w, uint64_t n, bool length) {
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    struct http_header h = {STR("content-length"), str_of(digits)};
    w->total = n;
    http_respond(st, 200, &h, length ? 1 : 0, STR(""), false);
    generate(w);
}

static void on_request(http_stream *st, const struct http_request *r, void *arg) {
    struct net_demo *d = arg;
    d->requests++;
    struct work *w = arena_new_of(http_arena(st), struct work);
    w->st = st;
    w->n = d->n;
    w->timer.on_time = on_timer;
    w->kind = DEAF;
    arena_on_free(http_arena(st), stop_timer, w);
    http_set_data(st, w);
    uint64_t n = 0;
    str_to_u64(r->query, &n);
    str p = r->path;
    if (str_eq(p, STR("/hello"))) {
        text(st, 200, STR("hello"));
    } else if (str_eq(p, STR("/echo"))) {
        w->kind = ECHO;
        http_body_collect(st, 1 << 20);
    } else if (str_eq(p, STR("/mirror"))) {
        w->kind = MIRROR;
        http_respond(st, 200, NULL, 0, STR(""), false);
    } else if (str_eq(p, STR("/count"))) {
        w->kind = COUNT;
    } else if (str_eq(p, STR("/slow-count"))) {
        w->kind = SLOW;
    } else if (str_eq(p, STR("/wait"))) {
        w->kind = COUNT;
        http_body_pause(st);
        loop_timer_set(d->l, &w->timer, 20 * US_PER_MS);
    } else if (str_eq(p, STR("/late"))) {
        w->answer_late = true;
        loop_timer_set(d->l, &w->timer, 20 * US_PER_MS);
    } else if (str_eq(p, STR("/never"))) {
        /* the client has to go */
    } else if (str_eq(p, STR("/stream")) || str_eq(p, STR("/length"))) {
        begin_stream(st, w, n, str_eq(p, STR("/length")));
    } else if (str_eq(p, STR("/file")) || str_eq(p, STR("/short"))) {
        int64_t more = str_eq(p, STR("/short"));
        http_respond_fd(st, 200, NULL, 0, file_of(n), 0, (int64_t)n + more);
    } else if (str_eq(p, STR("/socket")) || str_eq(p, STR("/socket-known"))) {
        http_respond_fd(st, 200, NULL, 0, socket_of(n), 0, p.n > 7 ? (int64_t)n : -1);
    } else if (str_eq(p, STR("/refuse"))) {
        text(st, 403, STR("no"));
    } else if (str_eq(p, STR("/cut"))) {
        http_respond(st, 200, NULL, 0, STR("begun"), false);
        http_respond_cut(st);
    } else if (str_eq(p, STR("/head"))) {
        show_head(st, r);
    } else if (str_eq(p, STR("/inject"))) {
        struct http_header h = {STR("x-a"), STR("b\r\nx-evil: 1")};
        http_respond(st, 200, &h, 1, STR("ok"), true);
    } else {
        text(st, 404, STR("?"));
    }
}

static void on_body(http_stream *st, str piece, void *arg) {
    struct net_demo *d = arg;
    struct work *w = http_data(st);
    w->got += piece.n;
    w->sum = net_demo_sum(w->sum, piece.p, piece.n);
    if (w->kind == ECHO) {
        text(st, 200, piece);
    } else if (w->kind == MIRROR) {
        http_respond_chunk(st, piece);
        if (http_backlog(st) > CONN_HIGH) http_body_pause(st);
    } else if (w->kind == SLOW) {
        http_body_pause(st);
        loop_timer_set(d->l, &w->timer, US_PER_MS);
    }
}

static void on_body_end(http_stream *st, void *arg) {
    (void)arg;
    struct work *w = http_data(st);
    if (w->kind == ECHO) {
        text(st, 200, STR("")); /* there was no body */
    } else if (w->kind == MIRROR) {
        http_respond_end(st);
    } else if (w->kind == COUNT || w->kind == SLOW) {
        char out[64];
        int n = snprintf(out, sizeof(out), "%llu %016llx", (unsigned long long)w->got,
                         (unsigned long long)w->sum);
        text(st, 200, str_n(out, (size_t)n));
    }
}

static void on_drain(http_stream *st, void *arg) {
    (void)arg;
    struct work *w = http_data(st);
    if (w->kind == MIRROR)
        http_body_resume(st);
    else if (w->total)
        generate(w);
}

static void on_done(http_stream *st, void *arg) {
    (void)st;
    ((struct net_demo *)arg)->done++;
}

static void on_abort(http_stream *st, const char *why, void *arg) {
    (void)st;
    struct net_demo *d = arg;
    d->aborts++;
    d->last_abort = strncmp(why, "The client went away", 20) == 0       ? "gone"
                    : strncmp(why, "The client does not read", 24) == 0 ? "deaf"
                                                                        : "other";
}

static const struct http_handler handler = {.on_request = on_request,
                                            .on_body = on_body,
                                            .on_body_end = on_body_end,
                                            .on_drain = on_drain,
                                            .on_done = on_done,
                                            .on_abort = on_abort};

static void ok(err *e) {
    if (!e) return;
    fprintf(stderr, "net_demo: %s\n", err_msg(e));
    abort();
}

static int listen_somewhere(bool v6, int *ret_port) {
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa4 = {.sin_family = AF_INET};
    struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    sa4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr *sa = v6 ? (struct sockaddr *)&sa6 : (struct sockaddr *)&sa4;
    socklen_t n = v6 ? sizeof(sa6) : sizeof(sa4);
    must(fd >= 0 && bind(fd, sa, n) == 0 && listen(fd, 4096) == 0 && getsockname(fd, sa, &n) == 0);
    *ret_port = ntohs(v6 ? sa6.sin6_port : sa4.sin_port);
    return fd;
}

static void *run(void *arg) {
    struct net_demo *d = arg;
    loop_run(d->l);
    return NULL;
}

void net_demo_start(struct net_demo *d, const struct http_limits *limits, tls_context *tls,
                    bool v6) {
    memset(d, 0, sizeof(*d));
    ok(loop_new(&d->l));
    ok(net_new(d->l, &d->n));
    ok(http_server_new(d->n, limits, &handler, d, &d->s));
    int fd = listen_somewhere(v6, &d->port);
    if (v6) d->port = -d->port;
    ok(http_server_listen(d->s, fd, tls, 1));
    must(pthread_create(&d->thread, NULL, run, d) == 0);
}

static void stop(void *arg) { loop_stop(((struct net_demo *)arg)->l); }

void net_demo_stop(struct net_demo *d) {
    loop_post(d->l, stop, d);
    pthread_join(d->thread, NULL);
    http_server_free(d->s);
    must(net_conns(d->n) == 0);
    must(d->requests == d->done + d->aborts);
    net_free(d->n);
    loop_free(d->l);
}

struct sync {
    struct net_demo *d;
    struct http_stats stats;
    sem_t ready;
};

static void sync_here(void *arg) {
    struct sync *s = arg;
    s->stats = http_server_stats(s->d->s);
    sem_post(&s->ready);
}

struct http_stats net_demo_sync(struct net_demo *d) {
    struct sync s = {.d = d};
    sem_init(&s.ready, 0, 0);
    loop_post(d->l, sync_here, &s);
    while (sem_wait(&s.ready) < 0) {
    }
    sem_destroy(&s.ready);
    d->conns = (int)s.stats.conns;
    return s.stats;
}

static void drained(void *arg) { ((struct net_demo *)arg)->drained = 1; }
static void drain_here(void *arg) {
    struct net_demo *d = arg;
    http_server_drain(d->s, drained, d);
}
void net_demo_drain(struct net_demo *d) { loop_post(d->l, drain_here, d); }

int net_demo_connect(const struct net_demo *d) {
    bool v6 = d->port < 0;
    struct sockaddr_in sa4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)d->port)};
    struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    sa4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa6.sin6_port = htons((uint16_t)-d->port);
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0);
    struct timeval tv = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    must(connect(fd, v6 ? (struct sockaddr *)&sa6 : (struct sockaddr *)&sa4,
                 v6 ? sizeof(sa6) : sizeof(sa4)) == 0);
    return fd;
}

void net_demo_send(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0) return; /* the server closed: the test looks at what it answered */
        p += w;
        n -= (size_t)w;
    }
}

char *net_demo_read_all(int fd, size_t *ret_n) {
    buf b = {0};
    for (;;) {
        char *to = buf_reserve(&b, 65536);
        ssize_t r = recv(fd, to, 65535, 0);
        if (r <= 0) break;
        b.n += (size_t)r;
    }
    buf_c(&b, 0);
    if (ret_n) *ret_n = b.n - 1;
    return b.p;
}
