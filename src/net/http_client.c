/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call goes   resolve → connect → send → head → body → done
 * and skips the first two when a kept connection of its origin is there. A `link` is a connection
 * with its parser; it has a call while it is in use and none while it is kept.
 *
 * Invariants
 *   1. A link with a call is fed; a kept link that gets bytes is closed (nobody asked for them).
 *   2. While the parser runs (link->feeding) neither link nor call is freed; cancelling and failing
 *      mark the call, and feed() ends it afterwards.
 *   3. A link is kept only if the answer was complete, left no byte over and may be followed.
 */
#include "net/http_client.h"

#include <arpa/inet.h>
#include <llhttp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/time.h"
#include "base/vec.h"
#include "sys/clock.h"

#define CLIENT_MAGIC 0x477c0001u
#define CALL_MAGIC 0x477c0002u
#define MAX_ADDRESSES 8
#define MAX_URL 16384

struct address {
    struct sockaddr_storage sa;
    socklen_t n;
};

/* Lives until its job has run, whatever became of the call. */
struct resolve {
    loop *l;
    http_call *call; /* NULL: cancelled */
    char host[256], port[8];
    struct address found[MAX_ADDRESSES];
    int count, failed; /* failed: getaddrinfo's code */
};

struct mark {
    uint32_t name, name_n, value, value_n;
};

struct link {
    http_client *client;
    struct link *next;
    conn *c;
    http_call *call;
    llhttp_t p;
    char *key;
    bool ready, feeding, kept, used, answered; /* used: has carried a call before this one */
};

struct http_call {
    uint32_t magic;
    http_client *client;
    http_call *prev, *next;
    struct link *link;
    struct resolve *resolve;
    loop_timer timer;
    struct http_call_ask ask; /* numbers and callbacks only */
    char *key;                /* origin, of kept connections */
    char *unix_path;
    char host[256], port[8];
    bool tls, head_only, idempotent, cancelled, complete, in_value;
    err *failed; /* found while the parser ran */
    buf request;
    struct address to[MAX_ADDRESSES];
    int to_count, to_next;
    buf head, body;
    size_t extra_n; /* chunk extensions and trailers, which are read past */
    int64_t got;
    vec_of(struct mark) marks;
    vec_of(struct http_header) headers;
    struct http_reply reply;
};

struct http_client {
    uint32_t magic;
    net *n;
    struct http_client_options o;
    struct link *kept;
    size_t kept_count;
    http_call *calls;
};

static void call_reach(http_call *c, const err *last);

/* ---- ends ---- */

static void call_free(http_call *c) {
    if (c->prev)
        c->prev->next = c->next;
    else
        c->client->calls = c->next;
    if (c->next) c->next->prev = c->prev;
    loop_timer_clear(net_loop(c->client->n), &c->timer);
    if (c->resolve) c->resolve->call = NULL;
    err_free(c->failed);
    buf_free(&c->request);
    buf_free(&c->head);
    buf_free(&c->body);
    vec_free(&c->marks);
    vec_free(&c->headers);
    free(c->key);
    free(c->unix_path);
    c->magic = 0;
    free(c);
}

static void link_free(struct link *ln) {
    free(ln->key);
    free(ln);
}

static void unkeep(struct link *ln) {
    if (!ln->kept) return;
    struct link **at = &ln->client->kept;
    while (*at != ln) at = &(*at)->next;
    *at = ln->next;
    ln->kept = false;
    ln->client->kept_count--;
}

static void link_close(struct link *ln) {
    must(!ln->feeding);
    unkeep(ln);
    if (ln->call) ln->call->link = NULL;
    ln->call = NULL;
    conn_close(ln->c);
    link_free(ln);
}

/* Takes e (NULL: complete). Ends the call; its link must be detached or is closed. */
static void call_end(http_call *c, err *e) {
    if (c->link) link_close(c->link);
    if (!c->cancelled) {
        c->cancelled = true;
        c->reply.body = buf_view(&c->body);
        c->ask.on_done(e ? NULL : &c->reply, e, c->ask.arg);
    }
    err_free(e);
    call_free(c);
}

void http_client_cancel(http_call *c) {
    must_magic(c, CALL_MAGIC);
    if (c->cancelled) return;
    c->cancelled = true;
    if (c->link && c->link->feeding) return; /* feed() goes on from here */
    call_end(c, NULL);
}

static void on_time(loop_timer *t) {
    http_call *c = (http_call *)(void *)((char *)t - offsetof(http_call, timer));
    call_end(c, err_new(ERR_DEADLINE_EXCEEDED, "no complete answer from %s within %lld ms.",
                        c->host, (long long)(c->ask.timeout_us / US_PER_MS)));
}

/* ---- the parser's callbacks ---- */

static http_call *call_of(llhttp_t *p) { return ((struct link *)p->data)->call; }

static int fail(http_call *c, err *e) {
    if (c->failed)
        err_free(e);
    else
        c->failed = e;
    return HPE_USER;
}

static int add_head(http_call *c, const char *at, size_t n, bool lower) {
    if (c->head.n + n > c->ask.max_head)
        return fail(c, err_new(ERR_RESOURCE_EXHAUSTED, "the answer's head is over %zu bytes.",
                               c->ask.max_head));
    size_t from = c->head.n;
    buf_add(&c->head, at, n);
    for (size_t i = from; lower && i < c->head.n; i++)
        if (c->head.p[i] >= 'A' && c->head.p[i] <= 'Z') c->head.p[i] += 32;
    return 0;
}

/* After the head nothing may be added to it: the reply's headers point into it. */
static int on_extra(llhttp_t *p, const char *at, size_t n) {
    (void)at;
    http_call *c = call_of(p);
    c->extra_n += n + 1;
    if (c->extra_n <= c->ask.max_head) return 0;
    return fail(c, err_new(ERR_RESOURCE_EXHAUSTED,
                           "the answer's chunk extensions or trailers are over "
                           "%zu bytes.",
                           c->ask.max_head));
}

static int on_name(llhttp_t *p, const char *at, size_t n) {
    http_call *c = call_of(p);
    if (c->reply.headers) return on_extra(p, at, n);
    if (!c->marks.n || c->in_value) {
        /* Each header takes four bytes of the head's limit at least: "a:" and a line end. */
        if (c->marks.n >= c->ask.max_head / 4)
            return fail(c, err_new(ERR_RESOURCE_EXHAUSTED, "the answer has too many headers."));
        vec_push(&c->marks, ((struct mark){.name = (uint32_t)c->head.n}));
        c->in_value = false;
    }
    vec_last(&c->marks).name_n += (uint32_t)n;
    return add_head(c, at, n, true);
}

static int on_value(llhttp_t *p, const char *at, size_t n) {
    http_call *c = call_of(p);
    if (c->reply.headers) return on_extra(p, at, n);
    if (!c->in_value) {
        c->in_value = true;
        vec_last(&c->marks).value = (uint32_t)c->head.n;
    }
    vec_last(&c->marks).value_n += (uint32_t)n;
    return add_head(c, at, n, false);
}

static int on_head(llhttp_t *p) {
    http_call *c = call_of(p);
    c->reply.status = p->status_code;
    if (p->status_code == 101)
        return fail(
            c, err_new(ERR_IO_ERROR, "the server changed the protocol, which nobody asked for."));
    p->upgrade = 0;
    if (p->status_code < 200) return 0; /* 100 and its like: the answer follows */
    vec_reserve(&c->headers, c->marks.n + 1);
    for (size_t i = 0; i < c->marks.n; i++) {
        struct mark m = c->marks.p[i];
        c->headers.p[i] = (struct http_header){str_n(c->head.p + m.name, m.name_n),
                                               str_trim(str_n(c->head.p + m.value, m.value_n))};
    }
    c->reply.headers = c->headers.p;
    c->reply.header_count = c->marks.n;
    if (c->ask.on_head) c->ask.on_head(c, &c->reply, c->ask.arg);
    if (c->cancelled) return HPE_USER;
    return c->head_only ? 1 : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n) {
    http_call *c = call_of(p);
    if (!n) return 0;
    c->got += (int64_t)n;
    if (c->got > (int64_t)c->ask.max_body)
        return fail(c, err_new(ERR_RESOURCE_EXHAUSTED, "the answer's body is over %zu bytes.",
                               c->ask.max_body));
    if (c->ask.on_body)
        c->ask.on_body(c, str_n(at, n), c->ask.arg);
    else
        buf_add(&c->body, at, n);
    return c->cancelled ? HPE_USER : 0;
}

static int on_complete(llhttp_t *p) {
    http_call *c = call_of(p);
    if (c->reply.status < 200) {
        buf_clear(&c->head);
        c->marks.n = 0;
        c->in_value = false;
        return 0;
    }
    c->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_chunk_extension_name = on_extra,
    .on_chunk_extension_value = on_extra,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- links ---- */

static void keep(struct link *ln) {
    http_client *cl = ln->client;
    ln->call = NULL;
    ln->used = true;
    ln->answered = false;
    llhttp_reset(&ln->p);
    if (cl->kept_count >= cl->o.max_idle) {
        link_close(ln);
        return;
    }
    ln->next = cl->kept;
    cl->kept = ln;
    ln->kept = true;
    cl->kept_count++;
    conn_deadline(ln->c, loop_now(net_loop(cl->n)) + cl->o.idle_us);
}

/* The answer is complete. rest: bytes came after it. */
static void complete(struct link *ln, bool rest) {
    http_call *c = ln->call;
    bool again = !rest && llhttp_should_keep_alive(&ln->p) && !conn_eof(ln->c);
    c->link = NULL;
    ln->call = NULL;
    if (again)
        keep(ln);
    else
        link_close(ln);
    call_end(c, NULL);
}

static size_t on_data(conn *conn, str data, void *arg) {
    (void)conn;
    struct link *ln = arg;
    if (!data.n) return 0;
    http_call *c = ln->call;
    if (!c) { /* a kept connection has nothing to say */
        link_close(ln);
        return data.n;
    }
    ln->answered = true;
    ln->feeding = true;
    llhttp_errno_t rc = llhttp_execute(&ln->p, data.p, data.n);
    ln->feeding = false;
    if (c->cancelled || c->failed) {
        err *e = c->failed;
        c->failed = NULL;
        call_end(c, e);
    } else if (c->complete) {
        bool rest = llhttp_get_error_pos(&ln->p) != data.p + data.n;
        complete(ln, rest);
    } else if (rc != HPE_OK) {
        call_end(c, err_new(ERR_IO_ERROR, "the answer of %s is not valid HTTP/1.1 (%s).", c->host,
                            llhttp_errno_name(rc)));
    }
    return data.n;
}

static void on_ready(conn *conn, void *arg) {
    struct link *ln = arg;
    ln->ready = true;
    conn_write(conn, buf_view(&ln->call->request));
}

/* The connection ended before the answer did. */
static void lost(struct link *ln, const err *why, bool conn_gone) {
    http_call *c = ln->call;
    bool never_ready = !ln->ready, stale = ln->used && !ln->answered;
    ln->call = NULL;
    if (c) c->link = NULL;
    if (conn_gone) {
        unkeep(ln);
        link_free(ln);
    } else {
        link_close(ln);
    }
    if (!c) return;
    if ((stale && c->idempotent) || (never_ready && c->to_next < c->to_count)) {
        call_reach(c, why);
        return;
    }
    call_end(c, err_new(ERR_IO_ERROR, "%s %s: %s", never_ready ? "cannot connect to" : "lost",
                        c->host, why ? err_msg(why) : "the connection was closed."));
}

static void on_eof(conn *conn, void *arg) {
    (void)conn;
    struct link *ln = arg;
    http_call *c = ln->call;
    if (!c || !ln->answered) {
        lost(ln, NULL, false);
        return;
    }
    ln->feeding = true; /* a body without a length ends here */
    llhttp_finish(&ln->p);
    ln->feeding = false;
    if (c->cancelled)
        call_end(c, NULL);
    else if (c->complete)
        complete(ln, true);
    else
        lost(ln, NULL, false);
}

static void on_idle(conn *conn, void *arg) {
    (void)conn;
    struct link *ln = arg;
    if (!ln->call) link_close(ln);
}

static void on_close(conn *conn, const err *why, void *arg) {
    (void)conn;
    lost(arg, why, true);
}

static const struct conn_events events = {.on_ready = on_ready,
                                          .on_data = on_data,
                                          .on_eof = on_eof,
                                          .on_timeout = on_idle,
                                          .on_close = on_close};

/* ---- connecting ---- */

/* The next address that may be connected to. `last` is why the one before failed. */
static void call_connect(http_call *c, const err *last) {
    http_client *cl = c->client;
    err *why = NULL;
    while (c->to_next < c->to_count) {
        struct address *a = &c->to[c->to_next++];
        const struct sockaddr *sa = (const struct sockaddr *)&a->sa;
        if (sa->sa_family != AF_UNIX && cl->o.allow && !cl->o.allow(sa, a->n, cl->o.allow_arg)) {
            char text[NET_ADDRESS_TEXT];
            net_address_text(sa, a->n, text);
            err_free(why);
            why = err_new(ERR_PERMISSION_DENIED, "%s must not be connected to.", text);
            continue;
        }
        struct link *ln = calloc(1, sizeof(*ln));
        must(ln != NULL);
        ln->client = cl;
        ln->key = strdup(c->key);
        must(ln->key != NULL);
        llhttp_init(&ln->p, HTTP_RESPONSE, &settings);
        ln->p.data = ln;
        err *e = conn_connect(cl->n, sa, a->n, c->tls ? cl->o.tls : NULL, c->host, cl->o.connect_us,
                              &events, ln, &ln->c);
        if (e) {
            link_free(ln);
            err_free(why);
            why = e;
            continue;
        }
        ln->call = c;
        c->link = ln;
        err_free(why);
        return;
    }
    err_code code = why ? err_code_of(why) : ERR_IO_ERROR;
    err *e = err_new(code, "cannot connect to %s: %s", c->host,
                     why    ? err_msg(why)
                     : last ? err_msg(last)
                            : "no address.");
    err_free(why);
    call_end(c, e);
}

static void add_addresses(struct address *to, int *count, const struct addrinfo *ai) {
    for (; ai && *count < MAX_ADDRESSES; ai = ai->ai_next) {
        if (ai->ai_addrlen > sizeof(to->sa)) continue;
        memcpy(&to[*count].sa, ai->ai_addr, ai->ai_addrlen);
        to[(*count)++].n = ai->ai_addrlen;
    }
}

static void resolved(void *arg) {
    struct resolve *r = arg;
    http_call *c = r->call;
    if (c) {
        c->resolve = NULL;
        memcpy(c->to, r->found, sizeof(c->to));
        c->to_count = r->count;
        if (r->failed)
            call_end(c, err_new(ERR_IO_ERROR, "cannot resolve %s: %s.", c->host,
                                gai_strerror(r->failed)));
        else
            call_connect(c, NULL);
    }
    free(r);
}

static void resolve_job(void *arg, int worker) {
    (void)worker;
    struct resolve *r = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *ai = NULL;
    r->failed = getaddrinfo(r->host, r->port, &hints, &ai);
    if (!r->failed) {
        add_addresses(r->found, &r->count, ai);
        freeaddrinfo(ai);
    }
    loop_post(r->l, resolved, r);
}

/* Addresses at once; names by the resolver's threads. *ret_wait: they will come later. */
static err *find_addresses(http_call *c, bool *ret_wait) {
    const char *unix_path = c->unix_path;
    *ret_wait = false;
    if (c->to_count) return NULL;
    if (unix_path) {
        struct sockaddr_un *un = (struct sockaddr_un *)(void *)&c->to[0].sa;
        if (strlen(unix_path) >= sizeof(un->sun_path))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "the socket's path '%s' is too long.",
                           unix_path);
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof(un->sun_path), "%s", unix_path);
        c->to[0].n = sizeof(*un);
        c->to_count = 1;
        return NULL;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *ai = NULL;
    if (getaddrinfo(c->host, c->port, &hints, &ai) == 0) {
        add_addresses(c->to, &c->to_count, ai);
        freeaddrinfo(ai);
        return NULL;
    }
    if (!c->client->o.resolver)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'%s' is not an address, and names are not looked up here.", c->host);
    struct resolve *r = calloc(1, sizeof(*r));
    must(r != NULL);
    r->l = net_loop(c->client->n);
    r->call = c;
    snprintf(r->host, sizeof(r->host), "%s", c->host);
    snprintf(r->port, sizeof(r->port), "%s", c->port);
    c->resolve = r;
    *ret_wait = true;
    jobs_add(c->client->o.resolver, resolve_job, r);
    return NULL;
}

static void call_reach(http_call *c, const err *last) {
    bool wait = false;
    err *e = find_addresses(c, &wait);
    if (e)
        call_end(c, e);
    else if (!wait)
        call_connect(c, last);
}

/* ---- the request ---- */

static bool plain_text(str s, const char *not_these) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f || strchr(not_these, c)) return false;
    }
    return true;
}

static err *split_url(http_call *c, str url, str *ret_authority, str *ret_target) {
    str rest;
    if (str_ieq(str_cut(url, 7), STR("http://"))) {
        rest = str_from(url, 7);
    } else if (str_ieq(str_cut(url, 8), STR("https://"))) {
        rest = str_from(url, 8);
        c->tls = true;
    } else {
        rest = STR_NONE;
    }
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?') n++;
    str authority = str_cut(rest, n), host = authority, port = c->tls ? STR("443") : STR("80");
    bool v6 = authority.n && authority.p[0] == '[';
    ptrdiff_t close = v6 ? str_chr(authority, ']', 0) : 0,
              colon = str_chr(authority, ':', (size_t)(close < 0 ? 0 : close));
    if (colon >= 0) {
        host = str_cut(authority, (size_t)colon);
        port = str_from(authority, (size_t)colon + 1);
    }
    if (v6 && host.n >= 2) host = str_n(host.p + 1, host.n - 2);
    uint64_t number;
    if (url.n > MAX_URL || close < 0 || !host.n || host.n >= sizeof(c->host) ||
        !plain_text(rest, "#\"<>\\^`{|}") || !plain_text(authority, "@") ||
        !str_to_u64(port, &number) || number == 0 || number > 65535)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not an http or https URL.",
                       STR_ARG(str_cut(url, 200)));
    snprintf(c->host, sizeof(c->host), "%.*s", STR_ARG(host));
    snprintf(c->port, sizeof(c->port), "%u", (unsigned)number);
    *ret_authority = authority;
    *ret_target = str_from(rest, n);
    return NULL;
}

static err *write_request(http_call *c, const struct http_call_ask *ask, str authority,
                          str target) {
    buf *b = &c->request;
    if (!ask->method.n || !plain_text(ask->method, "()<>@,;:\\\"/[]?={}"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not a method.",
                       STR_ARG(ask->method));
    buf_str(b, ask->method);
    buf_c(b, ' ');
    if (!target.n || target.p[0] != '/') buf_c(b, '/');
    buf_str(b, target);
    buf_z(b, " HTTP/1.1\r\nHost: ");
    buf_str(b, authority);
    buf_z(b, "\r\n");
    for (size_t i = 0; i < ask->header_count; i++) {
        struct http_header h = ask->headers[i];
        bool ok = h.name.n && plain_text(h.name, "()<>@,;:\\\"/[]?={}");
        for (size_t j = 0; j < h.value.n; j++)
            ok = ok && ((unsigned char)h.value.p[j] >= ' ' || h.value.p[j] == '\t');
        if (!ok || str_ieq(h.name, STR("content-length")) || str_ieq(h.name, STR("host")) ||
            str_ieq(h.name, STR("transfer-encoding")) || str_ieq(h.name, STR("connection")))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "the header '%.*s' cannot be sent.",
                           STR_ARG(str_cut(h.name, 100)));
        buf_str(b, h.name);
        buf_z(b, ": ");
        buf_str(b, h.value);
        buf_z(b, "\r\n");
    }
    bool may = str_eqz(ask->method, "GET") || str_eqz(ask->method, "HEAD") ||
               str_eqz(ask->method, "DELETE") || str_eqz(ask->method, "OPTIONS");
    if (ask->body.n || !may) buf_fmt(b, "Content-Length: %zu\r\n", ask->body.n);
    buf_z(b, "\r\n");
    buf_str(b, ask->body);
    c->head_only = str_eqz(ask->method, "HEAD");
    c->idempotent = may || str_eqz(ask->method, "PUT");
    return NULL;
}

static struct link *kept_of(http_client *cl, const char *key) {
    for (struct link *ln = cl->kept; ln; ln = ln->next)
        if (strcmp(ln->key, key) == 0) return ln;
    return NULL;
}

static err *begin(http_call *c, const struct http_call_ask *ask) {
    http_client *cl = c->client;
    str authority = STR_NONE, target = STR_NONE;
    TRY(split_url(c, ask->url, &authority, &target));
    if (c->tls && !cl->o.tls)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "https is not set up for this client.");
    TRY(write_request(c, ask, authority, target));
    char key[700];
    snprintf(key, sizeof(key), "%d|%s|%s|%s", c->tls, c->host, c->port,
             ask->unix_path ? ask->unix_path : "");
    c->key = strdup(key);
    must(c->key != NULL);
    if (ask->unix_path) c->unix_path = strdup(ask->unix_path);
    struct link *ln = kept_of(cl, c->key);
    if (!ln) return NULL;
    unkeep(ln);
    conn_deadline(ln->c, 0);
    ln->call = c;
    c->link = ln;
    conn_write(ln->c, buf_view(&c->request));
    return NULL;
}

/* Connecting begins in the loop, so that no callback comes before http_client_start() has returned.
 */
static void on_first(loop_timer *t) {
    http_call *c = (http_call *)(void *)((char *)t - offsetof(http_call, timer));
    c->timer.on_time = on_time;
    loop_timer_set(net_loop(c->client->n), &c->timer, c->ask.timeout_us);
    if (!c->link && !c->resolve && !c->to_next) call_reach(c, NULL);
}

err *http_client_start(http_client *cl, const struct http_call_ask *ask, http_call **ret) {
    must_magic(cl, CLIENT_MAGIC);
    must(ask->on_done != NULL);
    http_call *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->magic = CALL_MAGIC;
    c->client = cl;
    c->ask = *ask;
    if (c->ask.timeout_us <= 0) c->ask.timeout_us = 30 * US_PER_S;
    if (!c->ask.max_body) c->ask.max_body = 16u << 20;
    if (!c->ask.max_head) c->ask.max_head = 64u << 10;
    c->next = cl->calls;
    if (cl->calls) cl->calls->prev = c;
    cl->calls = c;
    err *e = begin(c, ask);
    if (e) {
        call_free(c);
        return e;
    }
    c->timer.on_time = on_first;
    loop_timer_set(net_loop(cl->n), &c->timer, 0);
    if (ret) *ret = c;
    return NULL;
}

err *http_client_new(net *n, const struct http_client_options *o, http_client **ret) {
    http_client *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->magic = CLIENT_MAGIC;
    c->n = n;
    if (o) c->o = *o;
    if (!c->o.max_idle) c->o.max_idle = 32;
    if (c->o.idle_us <= 0) c->o.idle_us = 30 * US_PER_S;
    if (c->o.connect_us <= 0) c->o.connect_us = 10 * US_PER_S;
    *ret = c;
    return NULL;
}

void http_client_free(http_client *c) {
    if (!c) return;
    must_magic(c, CLIENT_MAGIC);
    while (c->calls) http_client_cancel(c->calls);
    while (c->kept) link_close(c->kept);
    c->magic = 0;
    free(c);
}

size_t http_client_idle(const http_client *c) { return c->kept_count; }

str http_reply_header(const struct http_reply *r, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name.n == n && memcmp(r->headers[i].name.p, name, n) == 0)
            return r->headers[i].value;
    return STR_NONE;
}
