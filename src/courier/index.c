/* SPDX-License-Identifier: Apache-2.0 */
#include "courier/index.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "courier/index_text.h"
#include "sys/egress.h"
#include "sys/outgoing.h"

#define MAX_PLACES 64
#define MAX_CONNS 256u
#define IDLE_MS 60000
#define CONNECT_MS 15000L
#define STALL_S 60L
#define SOCKETS_AT_ONCE 32

struct place {
    char *scheme, *host;
};

struct conn {
    struct relay *r;
    int fd;
};

struct relay {
    loop *l;
    jobs *threads;
    loop_watch listener;
    egress *allow;
    char *user, *proxy, *ca_file; /* user: "name:password" or NULL */
    char *index;                  /* text of at's slices */
    struct index_url at;
    vec_of(struct conn *) conns; /* loop thread */
    bool stopping;
    void (*on_over)(void *arg, int64_t requests, int64_t bytes);
    void *over_arg;
    /* by any thread */
    pthread_mutex_t lock;
    vec_of(struct place) places; /* that pages of the index lead to */
    struct outgoing_pool pool;
    int64_t requests, bytes;
};

/* ---- places ---- */

static bool known(struct relay *r, const struct index_url *u) {
    if (index_same_origin(u, &r->at)) return true;
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->places.n && !found; i++)
        found = index_same_origin(u, &(struct index_url){.scheme = str_of(r->places.p[i].scheme),
                                                         .host = str_of(r->places.p[i].host)});
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void on_place(void *arg, const struct index_url *u) {
    struct relay *r = arg;
    if (known(r, u)) return;
    pthread_mutex_lock(&r->lock);
    if (r->places.n < MAX_PLACES) {
        struct place p = {strndup(u->scheme.p, u->scheme.n), strndup(u->host.p, u->host.n)};
        must(p.scheme && p.host);
        vec_push(&r->places, p);
    }
    pthread_mutex_unlock(&r->lock);
}

/* ---- one request, on a thread ---- */

struct fetch {
    struct relay *r;
    int fd;
    struct index_ask ask;
    char host[256];
    int port;
    CURL *h;
    bool page, told; /* told: the answer's head has gone out */
    int64_t length, sent;
    buf type, location, range, etag, body;
    struct outgoing out;
};

static err *send_all(int fd, const char *p, size_t n) {
    while (n) {
        struct pollfd w = {.fd = fd, .events = POLLOUT};
        int rc = poll(&w, 1, IDLE_MS);
        if (rc < 0 && errno == EINTR) continue;
        if (rc == 0) return err_new(ERR_DEADLINE_EXCEEDED, "the builder does not read");
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (put < 0) return err_recode(err_errno("the builder went away"), ERR_CANCELLED);
        p += put;
        n -= (size_t)put;
    }
    return NULL;
}

static void put_header(buf *b, const char *name, const buf *value) {
    if (value->n) buf_fmt(b, "%s: %.*s\r\n", name, (int)value->n, value->p);
}

static err *tell(struct fetch *f, long status, int64_t length) {
    buf b = {0};
    f->told = true;
    buf_fmt(&b, "HTTP/1.1 %ld x\r\nConnection: close\r\n", status);
    put_header(&b, "Content-Type", &f->type);
    put_header(&b, "Content-Range", &f->range);
    put_header(&b, "ETag", &f->etag);
    put_header(&b, "Location", &f->location);
    if (length >= 0) buf_fmt(&b, "Content-Length: %lld\r\n", (long long)length);
    buf_z(&b, "\r\n");
    err *e = send_all(f->fd, b.p, b.n);
    buf_free(&b);
    return e;
}

static void refuse(struct fetch *f, int status, const err *e) {
    buf_clear(&f->type);
    buf_clear(&f->location);
    buf_clear(&f->range);
    buf_clear(&f->etag);
    buf_z(&f->type, "text/plain");
    str text = str_of(err_msg(e));
    err *bad = tell(f, status, (int64_t)text.n);
    if (!bad) bad = send_all(f->fd, text.p, text.n);
    err_free(bad);
}

static void keep(buf *b, str value) {
    buf_clear(b);
    buf_str(b, str_cut(value, 4096));
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    struct fetch *f = arg;
    str line = str_trim(str_n(p, size * n)), v;
    if (str_starts(line, STR("HTTP/"))) { /* a new answer: 100, then the real one */
        buf_clear(&f->type);
        buf_clear(&f->location);
        buf_clear(&f->range);
        buf_clear(&f->etag);
        f->length = -1;
        f->page = false;
    } else if (outgoing_header(line, "content-type", &v)) {
        keep(&f->type, v);
        f->page = str_starts(v, STR("text/html")) || str_starts(v, STR("application/vnd.pypi.simple"));
    } else if (outgoing_header(line, "content-length", &v)) {
        if (!str_to_i64(v, &f->length)) f->length = -1;
    } else if (outgoing_header(line, "content-range", &v)) {
        keep(&f->range, v);
    } else if (outgoing_header(line, "etag", &v)) {
        keep(&f->etag, v);
    } else if (outgoing_header(line, "location", &v)) {
        buf_clear(&f->location);
        index_turn_link(str_cut(v, 4096), &f->ask.url, &f->location, on_place, f->r);
    }
    return size * n;
}

static long status_of(struct fetch *f) {
    long status = 0;
    s3_curl.easy_getinfo(f->h, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    struct fetch *f = arg;
    size *= n;
    if (f->page) {
        buf_add(&f->body, p, size);
        return f->body.overflow ? CURL_WRITEFUNC_ERROR : size;
    }
    if (!f->told) f->out.failed = tell(f, status_of(f), f->length);
    if (!f->out.failed) f->out.failed = send_all(f->fd, p, size);
    f->sent += (int64_t)size;
    return f->out.failed ? CURL_WRITEFUNC_ERROR : size;
}

static void split_host(struct fetch *f) {
    str host = f->ask.url.host;
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < host.n; i++) {
        if (host.p[i] == ':') colon = (ptrdiff_t)i;
        if (host.p[i] == ']') colon = -1;
    }
    int64_t port = str_eqz(f->ask.url.scheme, "https") ? 443 : 80;
    if (colon >= 0 && !str_to_i64(str_from(host, (size_t)colon + 1), &port)) port = 0;
    f->port = (int)port;
    snprintf(f->host, sizeof(f->host), "%.*s", STR_ARG(colon >= 0 ? str_cut(host, (size_t)colon) : host));
}

static struct curl_slist *header(struct curl_slist *l, const char *name, str value) {
    buf b = {0};
    buf_fmt(&b, "%s: %.*s", name, STR_ARG(value));
    buf_c(&b, 0);
    l = s3_curl.slist_append(l, b.p);
    must(l != NULL);
    buf_free(&b);
    return l;
}

static struct curl_slist *set_options(struct fetch *f, const char *url) {
    struct relay *r = f->r;
    CURL *h = f->h;
    f->out = (struct outgoing){.egress = r->allow, .host = f->host, .port = f->port, .proxy = r->proxy, .ca_file = r->ca_file,
                               .connect_ms = CONNECT_MS, .stall_s = STALL_S};
    outgoing_set(&f->out, h, url);
    if (r->user && index_same_origin(&f->ask.url, &r->at)) s3_curl.easy_setopt(h, CURLOPT_USERPWD, r->user);
    s3_curl.easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    s3_curl.easy_setopt(h, CURLOPT_HEADERDATA, f);
    s3_curl.easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    s3_curl.easy_setopt(h, CURLOPT_WRITEDATA, f);
    if (f->ask.head_only) s3_curl.easy_setopt(h, CURLOPT_NOBODY, 1L);
    struct curl_slist *l = header(NULL, "User-Agent", STR("boathouse"));
    if (f->ask.accept.n) l = header(l, "Accept", f->ask.accept);
    if (f->ask.range.n)
        l = header(l, "Range", f->ask.range);
    else if (f->ask.accept.n && !str_eqz(f->ask.accept, "*/*"))
        s3_curl.easy_setopt(h, CURLOPT_ACCEPT_ENCODING, ""); /* pages are large and squeeze well */
    s3_curl.easy_setopt(h, CURLOPT_HTTPHEADER, l);
    return l;
}

/* After the transfer: what has not gone out yet. */
static void finish_answer(struct fetch *f, CURLcode rc, long status) {
    if (rc != CURLE_OK) {
        err *e = f->out.failed;
        f->out.failed = NULL;
        if (!e) e = err_new(ERR_TEMPORARILY_UNAVAILABLE, "%s: %s", f->host, s3_curl.easy_strerror(rc));
        if (err_code_of(e) != ERR_CANCELLED)
            log_warn("the package index cannot be reached", lf_z("host", f->host), lf_err(e));
        if (!f->told) refuse(f, 502, e); /* else the short body says it */
        err_free(e);
        return;
    }
    if (f->page) {
        buf out = {0};
        index_turn_page(buf_view(&f->body), &f->ask.url, &out, on_place, f->r);
        f->out.failed = tell(f, status, (int64_t)out.n);
        if (!f->out.failed) f->out.failed = send_all(f->fd, out.p, out.n);
        f->sent += (int64_t)out.n;
        buf_free(&out);
    } else if (!f->told) {
        f->out.failed = tell(f, status, f->ask.head_only ? f->length : 0);
    }
    err_free(f->out.failed);
}

static void fetch(struct fetch *f) {
    buf url = {0};
    index_url_put(&url, &f->ask.url);
    buf_c(&url, 0);
    f->body.max = INDEX_PAGE_MAX;
    f->length = -1;
    f->h = outgoing_take(&f->r->pool);
    struct curl_slist *l = set_options(f, url.p);
    CURLcode rc = s3_curl.easy_perform(f->h);
    finish_answer(f, rc, status_of(f));
    s3_curl.slist_free_all(l);
    outgoing_give(&f->r->pool, f->h);
    buf_free(&url);
    buf_free(&f->body);
    pthread_mutex_lock(&f->r->lock);
    f->r->requests++;
    f->r->bytes += f->sent;
    pthread_mutex_unlock(&f->r->lock);
}

static err *read_head(int fd, buf *b) {
    for (;;) {
        struct pollfd w = {.fd = fd, .events = POLLIN};
        int rc = poll(&w, 1, IDLE_MS);
        if (rc < 0 && errno == EINTR) continue;
        if (rc <= 0) return err_new(ERR_DEADLINE_EXCEEDED, "no request came");
        char *to = buf_reserve(b, 4096);
        ssize_t n = recv(fd, to, 4096, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n <= 0) return err_new(ERR_CANCELLED, "the builder went away");
        b->n += (size_t)n;
        if (b->n >= 4 && memmem(b->p, b->n, "\r\n\r\n", 4)) return NULL;
        if (b->n > INDEX_HEAD_MAX) return err_new(ERR_MALFORMED_REQUEST, "the request's head is too long");
    }
}

static void conn_over(void *arg);

static void serve(void *arg, int worker) {
    (void)worker;
    struct conn *c = arg;
    struct fetch f = {.r = c->r, .fd = c->fd};
    buf head = {0};
    err *e = read_head(c->fd, &head);
    if (!e) e = index_read_ask(buf_view(&head), &f.ask);
    if (!e) {
        split_host(&f);
        if (!known(c->r, &f.ask.url))
            e = err_new(ERR_PERMISSION_DENIED, "%s is neither the package index nor linked from it", f.host);
    }
    if (!e)
        fetch(&f);
    else if (err_code_of(e) != ERR_CANCELLED)
        refuse(&f, err_code_of(e) == ERR_PERMISSION_DENIED ? 403 : 400, e);
    err_free(e);
    buf_free(&head);
    buf_free(&f.type);
    buf_free(&f.location);
    buf_free(&f.range);
    buf_free(&f.etag);
    shutdown(c->fd, SHUT_RDWR);
    loop_post(c->r->l, conn_over, c);
}

/* ---- on the loop ---- */

static void relay_free(struct relay *r) {
    outgoing_pool_free(&r->pool);
    for (size_t i = 0; i < r->places.n; i++) {
        free(r->places.p[i].scheme);
        free(r->places.p[i].host);
    }
    vec_free(&r->places);
    vec_free(&r->conns);
    egress_free(r->allow);
    if (r->user) explicit_bzero(r->user, strlen(r->user));
    free(r->user);
    free(r->proxy);
    free(r->ca_file);
    free(r->index);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void check_over(struct relay *r) {
    if (!r->stopping || r->conns.n) return;
    r->on_over(r->over_arg, r->requests, r->bytes);
    relay_free(r);
}

static void post_check(void *arg) { check_over(arg); }

static void conn_over(void *arg) {
    struct conn *c = arg;
    struct relay *r = c->r;
    for (size_t i = 0; i < r->conns.n; i++)
        if (r->conns.p[i] == c) {
            vec_remove_swap(&r->conns, i);
            break;
        }
    close(c->fd);
    free(c);
    if (!r->stopping && r->conns.n + 1 == MAX_CONNS) loop_watch_set(r->l, &r->listener, LOOP_READ);
    check_over(r);
}

static void on_accept(loop_watch *w, int events) {
    struct relay *r = (struct relay *)((char *)w - offsetof(struct relay, listener));
    (void)events;
    for (int i = 0; i < SOCKETS_AT_ONCE && r->conns.n < MAX_CONNS; i++) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            /* Nobody waits, or the builder's namespace is gone: control ends the order then. */
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) loop_watch_set(r->l, w, 0);
            return;
        }
        struct conn *c = malloc(sizeof(*c));
        must(c != NULL);
        *c = (struct conn){r, fd};
        vec_push(&r->conns, c);
        jobs_add(r->threads, serve, c);
    }
    if (r->conns.n >= MAX_CONNS) loop_watch_set(r->l, w, 0);
}

static char *copy(str s) {
    char *p = strndup(s.n ? s.p : "", s.n);
    must(p != NULL);
    return p;
}

static err *check_listener(int fd) {
    int on = 0;
    socklen_t n = sizeof(on);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) < 0 || !on)
        return err_new(ERR_MALFORMED_REQUEST, "the order index came without a listening socket");
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return err_errno("cannot use a listener");
    return NULL;
}

static err *set_up(struct relay *r, const struct settings *s) {
    str url = settings_str(s, SET_ENVIRONMENTS_INDEX_URL), user = settings_str(s, SET_ENVIRONMENTS_INDEX_USER);
    r->proxy = copy(settings_str(s, SET_COURIER_PROXY));
    r->ca_file = copy(settings_str(s, SET_COURIER_CA_FILE));
    r->index = copy(url);
    if (!index_url_read(str_of(r->index), &r->at))
        return err_hint(err_new(ERR_INVALID_STATE, "no package index is set"), "see the setting environments.index_url");
    if (user.n) {
        buf b = {0};
        buf_fmt(&b, "%.*s:%.*s", STR_ARG(user), STR_ARG(settings_str(s, SET_ENVIRONMENTS_INDEX_PASSWORD)));
        r->user = copy(buf_view(&b));
        buf_free(&b);
    }
    TRY(s3_curl_load());
    return egress_new(settings_str(s, SET_EGRESS_ALLOW), &r->allow);
}

err *relay_start(loop *l, jobs *threads, const struct settings *s, int listener, struct relay **ret) {
    struct relay *r = calloc(1, sizeof(*r));
    must(r != NULL);
    r->l = l;
    r->threads = threads;
    pthread_mutex_init(&r->lock, NULL);
    outgoing_pool_init(&r->pool);
    r->listener = (loop_watch){.on_event = on_accept, .fd = listener};
    err *e = check_listener(listener);
    if (!e) e = set_up(r, s);
    if (!e) e = loop_watch_add(l, &r->listener, LOOP_READ);
    if (e) {
        if (listener >= 0) close(listener);
        relay_free(r);
        return e;
    }
    *ret = r;
    return NULL;
}

void relay_stop(struct relay *r, void (*on_over)(void *arg, int64_t requests, int64_t bytes), void *arg) {
    must(!r->stopping);
    r->stopping = true;
    r->on_over = on_over;
    r->over_arg = arg;
    loop_unwatch(r->l, &r->listener);
    close(r->listener.fd);
    for (size_t i = 0; i < r->conns.n; i++) shutdown(r->conns.p[i]->fd, SHUT_RDWR);
    if (!r->conns.n) loop_post(r->l, post_check, r);
}
