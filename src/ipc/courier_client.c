/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/courier_client.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/map.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define LIFETIME_US (300 * US_PER_S) /* from signing to acceptance by the courier */
#define CHUNK (128u * 1024u)

struct ask {
    struct courier_call call;
    bool head_due; /* the first answer to a get is the head */
};

/* place: a store of its own, or NULL; grant: of an engine's statement, or NULL. */
struct remote {
    struct storage base;
    courier_client *client;
    char *place, *grant;
    bool own; /* the client's: storage_free() does nothing */
};

/* A further store. */
struct place {
    struct remote remote;
    char *config;
    bool known; /* to the courier, or before anything that comes after on its channel */
};

struct courier_client {
    loop *l;
    chan *ch;
    unsigned char key[ORDER_KEY_SIZE];
    map *asks;             /* number -> struct ask */
    loop_timer refuse;     /* asked without a courier: told by the loop, never to the asking step */
    _Atomic uint64_t last; /* numbers are drawn by any thread */
    struct remote remote;
    bool joined;                             /* an engine's: no key, grants */
    unsigned char grant_key[ORDER_KEY_SIZE]; /* for the client's life: grants survive a courier */
    pthread_mutex_t lock;                    /* guards places, granted */
    map *places;                             /* id -> struct place */
    map *granted;                            /* statements with grants, which end with them */
};

static const struct storage_ops remote_ops;

/* ---- asking ---- */

static void settle(courier_client *c, uint64_t number, err *e, arena *a, jval *outcome) {
    struct ask *k = map_del(c->asks, map_key_u64(&number));
    if (!k) {
        err_free(e);
        return;
    }
    k->call.on_done(k->call.arg, e, a, outcome);
    free(k);
}

static void on_frame(chan *ch, struct chan_frame *f, void *arg) {
    courier_client *c = arg;
    (void)ch;
    struct ask *k = map_get(c->asks, map_key_u64(&f->stream));
    if (f->type != MSG_COURIER_RESULT || !k) return; /* of an order that was given up */
    arena *a = arena_new();
    struct msg_courier_result m;
    jval *outcome = NULL;
    err *e = NULL;
    if (!msg_courier_result_decode(a, f->payload, &m))
        e = err_new(ERR_INTERNAL_ERROR, "the courier's answer cannot be read");
    else if (m.code.n) {
        err_code code = err_by_name(m.code);
        e = err_new(code == ERR_OK ? ERR_INTERNAL_ERROR : code, "%.*s", STR_ARG(m.message));
    } else {
        e = json_parse(a, m.json, false, &outcome);
    }
    if (!e && k->head_due) {
        struct storage_info info;
        k->head_due = false;
        if (order_read_info(outcome, &info)) {
            if (k->call.on_head) k->call.on_head(k->call.arg, &info);
            arena_free(a);
            return;
        }
        e = err_new(ERR_INTERNAL_ERROR, "the courier's answer cannot be read");
    }
    settle(c, f->stream, e, a, outcome);
    arena_free(a);
}

static void fail_all(courier_client *c) {
    for (;;) {
        size_t i = 0;
        str key;
        void *v;
        if (!map_next(c->asks, &i, &key, &v)) return;
        uint64_t number;
        memcpy(&number, key.p, sizeof(number));
        settle(c, number, err_new(ERR_TEMPORARILY_UNAVAILABLE, "the courier is restarting"), NULL,
               NULL);
    }
}

static void on_refuse(loop_timer *t) {
    fail_all((courier_client *)((char *)t - offsetof(courier_client, refuse)));
}

static void on_close(chan *ch, const char *why, void *arg) {
    courier_client *c = arg;
    (void)why;
    chan_free(ch);
    if (c->ch == ch) c->ch = NULL;
    fail_all(c);
}

courier_client *courier_client_new(loop *l) {
    courier_client *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->l = l;
    c->asks = map_new();
    c->refuse.on_time = on_refuse;
    c->remote = (struct remote){{STORAGE_MAGIC, &remote_ops}, c, NULL, NULL, true};
    rand_bytes(c->grant_key, sizeof(c->grant_key));
    pthread_mutex_init(&c->lock, NULL);
    c->places = map_new(), c->granted = map_new();
    return c;
}

void courier_client_free(courier_client *c) {
    if (!c) return;
    chan_free(c->ch);
    c->ch = NULL;
    fail_all(c);
    loop_timer_clear(c->l, &c->refuse);
    map_free(c->asks);
    str id;
    void *v;
    for (size_t i = 0; map_next(c->places, &i, &id, &v);) {
        struct place *p = v;
        explicit_bzero(p->config, strlen(p->config));
        free(p->config);
        free(p->remote.place);
        free(p);
    }
    map_free(c->places), map_free(c->granted);
    pthread_mutex_destroy(&c->lock);
    explicit_bzero(c->key, sizeof(c->key));
    explicit_bzero(c->grant_key, sizeof(c->grant_key));
    free(c);
}

/* How a store is reached goes through a descriptor: no frame carries a secret. -1: no memory. */
static int config_fd(const char *config) {
    int fd = memfd_create("place", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t n = strlen(config);
    if (fd >= 0 && (write(fd, config, n) != (ssize_t)n || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void nothing_done(void *arg, err *e, arena *a, jval *outcome) {
    (void)arg, (void)a, (void)outcome;
    err_free(e);
}

static void send_places(courier_client *c) {
    static const struct courier_call call = {.on_done = nothing_done};
    str id;
    void *v;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; map_next(c->places, &i, &id, &v);) {
        struct order o = {.verb = ORDER_PLACE, .key = id};
        int fd = config_fd(((struct place *)v)->config);
        (void)courier_ask(c, &o, fd, &call);
        if (fd >= 0) close(fd);
    }
    pthread_mutex_unlock(&c->lock);
}

err *courier_client_connect(courier_client *c, int fd) {
    static const struct chan_events ev = {.on_frame = on_frame, .on_close = on_close};
    chan_free(c->ch);
    c->ch = NULL;
    loop_timer_clear(c->l, &c->refuse);
    fail_all(c); /* what the old one had, and what was asked while there was none */
    TRY(chan_new(c->l, fd, &ev, c, &c->ch));
    if (c->joined) return NULL;
    unsigned char keys[2 * ORDER_KEY_SIZE];
    rand_bytes(c->key, sizeof(c->key));
    memcpy(keys, c->key, ORDER_KEY_SIZE);
    memcpy(keys + ORDER_KEY_SIZE, c->grant_key, ORDER_KEY_SIZE);
    CHAN_SEND(c->ch, courier_key, 0, -1, .key = str_n((char *)keys, sizeof(keys)));
    explicit_bzero(keys, sizeof(keys));
    send_places(c);
    return NULL;
}

err *courier_client_join(courier_client *c, int fd) {
    c->joined = true;
    return courier_client_connect(c, fd);
}

bool courier_client_connected(const courier_client *c) { return c->ch != NULL; }

/* grant: an engine's, or NULL for control, which signs. */
static void ask_as(courier_client *c, uint64_t number, struct order *o, const char *grant, int fd,
                   const struct courier_call *call) {
    struct ask *k = calloc(1, sizeof(*k));
    must(k != NULL);
    *k = (struct ask){*call, o->verb == ORDER_GET};
    map_put(c->asks, map_key_u64(&number), k);
    if (!c->ch) {
        loop_timer_set(c->l, &c->refuse, 0);
        return;
    }
    buf json = {0}, token = {0};
    str verb = str_of(order_verb_name(o->verb));
    o->expires = clock_now() + LIFETIME_US;
    order_write(o, &json);
    if (c->joined)
        buf_z(&token, grant ? grant : "");
    else
        order_sign(c->key, verb, buf_view(&json), &token);
    CHAN_SEND(c->ch, courier_order, number, fd, .verb = verb, .json = buf_view(&json),
              .token = buf_view(&token));
    buf_free(&json);
    buf_free(&token);
}

uint64_t courier_ask(courier_client *c, struct order *o, int fd, const struct courier_call *call) {
    uint64_t number = atomic_fetch_add(&c->last, 1) + 1;
    ask_as(c, number, o, NULL, fd, call);
    return number;
}

void courier_confirm(courier_client *c, uint64_t number, bool ok, int64_t size) {
    if (!c->ch || !map_get(c->asks, map_key_u64(&number))) return;
    CHAN_SEND(c->ch, courier_commit, number, -1, .ok = ok, .size = size);
}

/* ---- the blocking storage ---- */

/* A call of another thread. It lives on that thread's stack until `done`. */
struct wait {
    courier_client *c;
    struct order o;
    const char *grant;
    int fd; /* the courier's end; closed once sent */
    uint64_t number;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool headed, done;
    struct storage_info info;
    buf outcome; /* JSON, since the frame's memory is gone by then */
    err *failed;
};

struct confirm_note {
    courier_client *c;
    uint64_t number;
    bool ok;
    int64_t size;
};

static void wait_head(void *arg, const struct storage_info *info) {
    struct wait *w = arg;
    pthread_mutex_lock(&w->lock);
    w->info = *info;
    w->headed = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void wait_done(void *arg, err *e, arena *a, jval *outcome) {
    struct wait *w = arg;
    (void)a;
    pthread_mutex_lock(&w->lock);
    w->failed = e;
    char *text = e ? NULL : yyjson_val_write(outcome, 0, NULL);
    if (text) buf_z(&w->outcome, text);
    free(text);
    w->done = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void wait_send(void *arg) { /* loop thread */
    struct wait *w = arg;
    int fd = w->fd;
    struct courier_call call = {wait_head, wait_done, w};
    ask_as(w->c, w->number, &w->o, w->grant, fd, &call);
    if (fd >= 0) close(fd);
}

static void wait_begin(struct wait *w, storage *s, const struct order *o, int fd) {
    struct remote *r = (struct remote *)s;
    *w = (struct wait){.c = r->client, .o = *o, .grant = r->grant, .fd = fd};
    if (r->place) w->o.place = str_of(r->place);
    w->number = atomic_fetch_add(&w->c->last, 1) + 1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    loop_post(w->c->l, wait_send, w);
}

/* Waits for the outcome. With ret (and an arena) gives it as JSON. */
static err *wait_end(struct wait *w, arena *a, jval **ret) {
    pthread_mutex_lock(&w->lock);
    while (!w->done) pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    err *e = w->failed;
    if (!e && ret) e = json_parse(a, arena_str(a, buf_view(&w->outcome)), false, ret);
    buf_free(&w->outcome);
    return e;
}

static err *plain(storage *s, const struct order *o, arena *a, jval **ret) {
    struct wait w;
    wait_begin(&w, s, o, -1);
    return wait_end(&w, a, ret);
}

static err *odd_answer(void) {
    return err_new(ERR_INTERNAL_ERROR, "the courier's answer lacks something");
}

/* Calls whose outcome is the object's description. */
static err *described(storage *s, const struct order *o, struct storage_info *ret) {
    arena *a = arena_new();
    jval *v;
    err *e = plain(s, o, a, &v);
    if (!e && !order_read_info(v, ret)) e = odd_answer();
    arena_free(a);
    return e;
}

static err *body_pair(int fds[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno("cannot make a socket pair");
    return NULL;
}

/* Source -> socket, until the end or until the courier is not interested any more. */
static err *pump_out(struct storage_source *from, int fd, int64_t *ret_size,
                     unsigned char sha256[32]) {
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char *chunk = malloc(CHUNK);
    must(md != NULL && chunk != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL));
    err *e = NULL;
    int64_t size = 0;
    bool gone = false;
    for (size_t n = 1; !e && n && !gone;) {
        e = from->read(from->arg, chunk, CHUNK, &n);
        if (e) break;
        EVP_DigestUpdate(md, chunk, n);
        size += (int64_t)n;
        if (from->size >= 0 && size > from->size)
            break; /* too long: the courier refuses the count */
        for (size_t at = 0; at < n && !gone;) {
            ssize_t put = send(fd, chunk + at, n - at, MSG_NOSIGNAL);
            if (put < 0 && errno == EINTR) continue;
            gone = put < 0;
            if (put > 0) at += (size_t)put;
        }
    }
    EVP_DigestFinal_ex(md, sha256, NULL);
    EVP_MD_CTX_free(md);
    free(chunk);
    *ret_size = size;
    return e;
}

static void send_confirm(void *arg) { /* loop thread */
    struct confirm_note *n = arg;
    courier_confirm(n->c, n->number, n->ok, n->size);
    free(n);
}

static err *remote_put(storage *s, str key, struct storage_source *from,
                       const struct storage_put_options *o, struct storage_info *ret) {
    int fds[2];
    TRY(body_pair(fds));
    struct order order = {
        .verb = ORDER_PUT, .key = key, .size = from->size, .if_absent = o->if_absent};
    struct wait w;
    wait_begin(&w, s, &order, fds[1]);
    int64_t size;
    unsigned char sha[32];
    err *e = pump_out(from, fds[0], &size, sha);
    close(fds[0]);
    if (!e && o->before_commit) e = o->before_commit(o->arg, size, sha);
    struct confirm_note *note = malloc(sizeof(*note));
    must(note != NULL);
    *note = (struct confirm_note){w.c, w.number, e == NULL, size};
    loop_post(w.c->l, send_confirm, note);
    arena *a = arena_new();
    jval *v;
    err *answer = wait_end(&w, a, &v);
    if (!answer && !e && !order_read_info(v, ret)) answer = odd_answer();
    arena_free(a);
    if (!e) return answer;
    err_free(answer); /* what stopped us is the cause */
    return e;
}

static err *pump_in(int fd, struct storage_sink *to, int64_t *ret_size) {
    char *chunk = malloc(CHUNK);
    must(chunk != NULL);
    err *e = NULL;
    int64_t size = 0;
    while (!e) {
        ssize_t n = read(fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break; /* a broken body shows in the outcome */
        size += n;
        e = to->write(to->arg, chunk, (size_t)n);
    }
    free(chunk);
    *ret_size = size;
    return e;
}

static err *remote_get(storage *s, str key, int64_t offset, int64_t length, str if_match,
                       struct storage_sink *to, struct storage_info *ret) {
    int fds[2];
    TRY(body_pair(fds));
    struct order order = {
        .verb = ORDER_GET, .key = key, .offset = offset, .length = length, .if_match = if_match};
    struct wait w;
    wait_begin(&w, s, &order, fds[1]);
    pthread_mutex_lock(&w.lock);
    while (!w.headed && !w.done) pthread_cond_wait(&w.changed, &w.lock);
    bool headed = w.headed;
    *ret = w.info;
    pthread_mutex_unlock(&w.lock);
    int64_t got = 0, sent = -1;
    err *e = headed ? pump_in(fds[0], to, &got) : NULL;
    close(fds[0]);
    arena *a = arena_new();
    jval *v;
    err *answer = wait_end(&w, a, &v);
    if (!answer && !e && (!json_i64(json_get(v, "sent"), &sent) || sent != got))
        answer = odd_answer();
    arena_free(a);
    if (!e) return answer;
    err_free(answer);
    return e;
}

static err *remote_head(storage *s, str key, struct storage_info *ret) {
    struct order o = {.verb = ORDER_HEAD, .key = key};
    return described(s, &o, ret);
}

static err *remote_list(storage *s, arena *a, const struct storage_list_ask *ask,
                        struct storage_list *ret) {
    struct order o = {.verb = ORDER_LIST, .list = *ask};
    jval *v;
    TRY(plain(s, &o, a, &v));
    return order_read_list(a, v, ret) ? NULL : odd_answer();
}

static err *remote_del(storage *s, const str *keys, size_t n) {
    for (size_t i = 0; i < n; i += ORDER_MAX_KEYS) {
        size_t now = n - i < ORDER_MAX_KEYS ? n - i : ORDER_MAX_KEYS;
        /* the order only reads them */
        struct order o = {.verb = ORDER_DELETE, .keys = (str *)keys + i, .n_keys = now};
        TRY(plain(s, &o, NULL, NULL));
    }
    return NULL;
}

static err *remote_copy(storage *s, str from, str to, struct storage_info *ret) {
    struct order o = {.verb = ORDER_COPY, .key = from, .to = to};
    return described(s, &o, ret);
}

static err *remote_rename(storage *s, str from, str to) {
    (void)s;
    return err_new(ERR_NOT_IMPLEMENTED, "cannot rename '%.*s' to '%.*s' in one step on S3",
                   STR_ARG(from), STR_ARG(to));
}

static err *remote_multi_create(storage *s, arena *a, str key, str *ret_id) {
    struct order o = {.verb = ORDER_CREATE, .key = key};
    jval *v;
    TRY(plain(s, &o, a, &v));
    *ret_id = json_get_str(v, "upload_id");
    return ret_id->n ? NULL : odd_answer();
}

static err *remote_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                              struct storage_part *ret) {
    int fds[2];
    TRY(body_pair(fds));
    struct order order = {
        .verb = ORDER_PART, .key = key, .upload_id = id, .number = number, .size = from->size};
    struct wait w;
    wait_begin(&w, s, &order, fds[1]);
    int64_t size, counted = -1;
    unsigned char sha[32];
    err *e = pump_out(from, fds[0], &size, sha);
    close(fds[0]);
    arena *a = arena_new();
    jval *v;
    err *answer = wait_end(&w, a, &v);
    if (!answer && !e) {
        str etag = json_get_str(v, "etag");
        if (!json_i64(json_get(v, "size"), &counted) || counted != size ||
            etag.n >= STORAGE_ETAG_CAP || !etag.n) {
            answer = odd_answer();
        } else {
            *ret = (struct storage_part){.number = number};
            memcpy(ret->etag, etag.p, etag.n);
        }
    }
    arena_free(a);
    if (!e) return answer;
    err_free(answer);
    return e;
}

static err *remote_multi_complete(storage *s, str key, str id, const struct storage_part *parts,
                                  size_t n, bool if_absent, struct storage_info *ret) {
    struct order o = {.verb = ORDER_COMPLETE,
                      .key = key,
                      .upload_id = id,
                      .n_parts = n,
                      .parts = (struct storage_part *)parts,
                      .if_absent = if_absent};
    return described(s, &o, ret);
}

static err *remote_multi_abort(storage *s, str key, str id) {
    struct order o = {.verb = ORDER_ABORT, .key = key, .upload_id = id};
    return plain(s, &o, NULL, NULL);
}

static void remote_free(storage *s) {
    struct remote *r = (struct remote *)s;
    if (r->own) return;
    free(r->grant);
    free(r);
}

static const struct storage_ops remote_ops = {
    .name = "courier",
    .put = remote_put,
    .get = remote_get,
    .head = remote_head,
    .list = remote_list,
    .del = remote_del,
    .copy = remote_copy,
    .rename = remote_rename,
    .multi_create = remote_multi_create,
    .multi_part = remote_multi_part,
    .multi_complete = remote_multi_complete,
    .multi_abort = remote_multi_abort,
    .free = remote_free,
};

storage *courier_client_storage(courier_client *c) { return &c->remote.base; }

/* ---- further stores, engines ---- */

storage *courier_client_granted(courier_client *c, str grant) {
    struct remote *r = calloc(1, sizeof(*r));
    must(r != NULL);
    *r = (struct remote){{STORAGE_MAGIC, &remote_ops}, c, NULL, str_dup(grant), false};
    must(r->grant != NULL);
    return &r->base;
}

storage *courier_client_store(courier_client *c, str id) {
    pthread_mutex_lock(&c->lock);
    struct place *p = map_get(c->places, id);
    pthread_mutex_unlock(&c->lock);
    return p ? &p->remote.base : NULL;
}

err *courier_client_place(courier_client *c, str id, str config) {
    pthread_mutex_lock(&c->lock);
    struct place *p = map_get(c->places, id);
    if (!p) {
        p = calloc(1, sizeof(*p));
        must(p != NULL && (p->config = str_dup(config)) != NULL);
        p->remote = (struct remote){{STORAGE_MAGIC, &remote_ops}, c, str_dup(id), NULL, true};
        must(p->remote.place != NULL);
        map_put(c->places, id, p);
    }
    bool known = p->known;
    pthread_mutex_unlock(&c->lock);
    if (known) return NULL;
    char *text = str_dup(config);
    must(text != NULL);
    int fd = config_fd(text);
    explicit_bzero(text, config.n);
    free(text);
    if (fd < 0) return err_errno("cannot hand a store over to the courier");
    struct order o = {.verb = ORDER_PLACE, .key = id};
    struct wait w;
    wait_begin(&w, &c->remote.base, &o, fd);
    TRY(wait_end(&w, NULL, NULL));
    pthread_mutex_lock(&c->lock);
    p->known = true; /* places are never taken away */
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

err *courier_client_session(courier_client *c, arena *a, str place, str role, str policy, jval **ret) {
    int fds[2];
    TRY(body_pair(fds));
    struct order o = {.verb = ORDER_SESSION, .place = place, .key = role.n ? role : STR("-"), .to = policy};
    struct wait w;
    wait_begin(&w, &c->remote.base, &o, fds[1]);
    buf text = {.max = 64 * 1024};
    struct storage_sink sink = storage_to_buf(&text);
    int64_t n = 0;
    err *e = pump_in(fds[0], &sink, &n);
    close(fds[0]);
    err *answer = wait_end(&w, NULL, NULL);
    if (answer) {
        err_free(e);
        e = answer;
    }
    if (!e) e = json_parse(a, arena_str(a, buf_view(&text)), false, ret);
    if (text.p) explicit_bzero(text.p, text.n);
    buf_free(&text);
    return e;
}

void courier_client_grant(courier_client *c, const struct order_grant *g, buf *out) {
    order_grant_write(c->grant_key, g, out);
    uint64_t number = g->statement;
    pthread_mutex_lock(&c->lock);
    map_put(c->granted, map_key_u64(&number), c);
    pthread_mutex_unlock(&c->lock);
}

void courier_client_engine(courier_client *c, int fd) {
    static const struct courier_call call = {.on_done = nothing_done};
    struct order o = {.verb = ORDER_ENGINE};
    if (c->ch) (void)courier_ask(c, &o, fd, &call);
    close(fd); /* without a courier it hears that nobody is there */
}

void courier_client_ended(courier_client *c, uint64_t statement) {
    static const struct courier_call call = {.on_done = nothing_done};
    pthread_mutex_lock(&c->lock);
    bool had = map_del(c->granted, map_key_u64(&statement)) != NULL;
    pthread_mutex_unlock(&c->lock);
    if (!had) return;
    char number[24];
    snprintf(number, sizeof(number), "%llu", (unsigned long long)statement);
    struct order o = {.verb = ORDER_ENDED, .key = str_of(number)};
    if (c->ch) (void)courier_ask(c, &o, -1, &call);
}
