/* SPDX-License-Identifier: Apache-2.0 */
#include "courier/courier.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/storage_s3.h"

#define IDLE_MS 120000

err *courier_accept(arena *a, const unsigned char key[ORDER_KEY_SIZE], str verb, str json,
                    str token, int64_t now, struct order *ret) {
    TRY(order_verify(key, verb, json, token));
    TRY(order_read(a, verb, json, ret));
    return order_check_time(ret, now);
}

/* ---- the descriptor ---- */

struct body {
    const struct order *o;
    const struct courier_hooks *h;
    int fd;
    int64_t moved;
};

static err *wait_for(const struct body *b, short events) {
    struct pollfd p = {.fd = b->fd, .events = events};
    int rc;
    do rc = poll(&p, 1, b->h->idle_ms > 0 ? b->h->idle_ms : IDLE_MS);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) return err_errno("cannot wait for a body");
    if (rc == 0) return err_new(ERR_DEADLINE_EXCEEDED, "the other side of a body stands still");
    return NULL;
}

static err *body_read(void *arg, void *p, size_t n, size_t *ret_n) {
    struct body *b = arg;
    if (b->o->size >= 0 && b->moved >= b->o->size) { /* whole; the sender need not close first */
        *ret_n = 0;
        return NULL;
    }
    if (b->o->size >= 0 && (int64_t)n > b->o->size - b->moved) n = (size_t)(b->o->size - b->moved);
    for (;;) {
        TRY(wait_for(b, POLLIN));
        ssize_t got = read(b->fd, p, n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return err_recode(err_errno("a body broke off"), ERR_CANCELLED);
        b->moved += got;
        if (b->o->max_size > 0 && b->moved > b->o->max_size)
            return err_new(ERR_PAYLOAD_TOO_LARGE, "the body is over the limit of %lld bytes",
                           (long long)b->o->max_size);
        *ret_n = (size_t)got;
        return NULL;
    }
}

static err *body_write(void *arg, const void *p, size_t n) {
    struct body *b = arg;
    const char *at = p;
    while (n) {
        TRY(wait_for(b, POLLOUT));
        ssize_t put = send(b->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == ENOTSOCK) put = write(b->fd, at, n);
        if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (put < 0) return err_recode(err_errno("the reader of a body is gone"), ERR_CANCELLED);
        at += put;
        n -= (size_t)put;
        b->moved += put;
    }
    return NULL;
}

/* A get's head must be told before its first byte, and also when there is no byte. */
struct download {
    struct body body;
    struct storage_info info;
    bool told;
};

static void tell(struct download *d) {
    if (!d->told && d->body.h->head) d->body.h->head(d->body.h->arg, &d->info);
    d->told = true;
}

static err *download_write(void *arg, const void *p, size_t n) {
    struct download *d = arg;
    tell(d);
    return body_write(&d->body, p, n);
}

/* ---- verbs ---- */

static err *need_fd(const struct order *o, int fd) {
    return fd >= 0 ? NULL
                   : err_new(ERR_MALFORMED_REQUEST, "the order %s came without a descriptor",
                             order_verb_name(o->verb));
}

static err *do_put(storage *s, const struct order *o, int fd, const struct courier_hooks *h,
                   buf *ret) {
    TRY(need_fd(o, fd));
    struct body b = {o, h, fd, 0};
    struct storage_source from = {.read = body_read, .arg = &b, .size = o->size};
    struct storage_put_options opts = {
        .if_absent = o->if_absent, .before_commit = h->confirm, .arg = h->arg};
    struct storage_info info;
    TRY(storage_put(s, o->key, &from, &opts, &info));
    order_write_info(&info, ret);
    return NULL;
}

static err *do_part(storage *s, const struct order *o, int fd, const struct courier_hooks *h,
                    buf *ret) {
    TRY(need_fd(o, fd));
    struct body b = {o, h, fd, 0};
    struct storage_source from = {.read = body_read, .arg = &b, .size = o->size};
    struct storage_part p;
    TRY(storage_multi_part(s, o->key, o->upload_id, o->number, &from, &p));
    buf_fmt(ret, "{\"number\":\"%d\",\"size\":\"%lld\",\"etag\":", p.number, (long long)b.moved);
    buf_json_str(ret, str_of(p.etag));
    buf_c(ret, '}');
    return NULL;
}

static err *do_get(storage *s, const struct order *o, int fd, const struct courier_hooks *h,
                   buf *ret) {
    TRY(need_fd(o, fd));
    struct download d = {.body = {o, h, fd, 0}};
    struct storage_sink to = {download_write, &d};
    TRY(storage_get(s, o->key, o->offset, o->length, o->if_match, &to, &d.info));
    tell(&d);
    buf_fmt(ret, "{\"sent\":\"%lld\"}", (long long)d.body.moved);
    return NULL;
}

static err *do_list(arena *a, storage *s, const struct order *o, buf *ret) {
    struct storage_list l;
    TRY(storage_list(s, a, &o->list, &l));
    order_write_list(&l, ret);
    return NULL;
}

static err *do_create(arena *a, storage *s, const struct order *o, buf *ret) {
    str id;
    TRY(storage_multi_create(s, a, o->key, &id));
    buf_z(ret, "{\"upload_id\":");
    buf_json_str(ret, id);
    buf_c(ret, '}');
    return NULL;
}

#define SESSION_S 3600

/* Into the descriptor and nowhere else: credentials stand in no frame. */
static err *do_session(storage *s, const struct order *o, int fd, const struct courier_hooks *h, buf *ret) {
    static const char *const names[] = {"access_key_id", "secret_access_key", "session_token"};
    struct storage_s3_session got;
    TRY(need_fd(o, fd));
    TRY(storage_s3_session(s, str_eqz(o->key, "-") ? STR("") : o->key, o->to, SESSION_S, &got));
    const char *texts[] = {got.access_key_id, got.secret_access_key, got.session_token};
    buf j = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_fmt(&j, "%s\"%s\":", i ? "," : "{", names[i]);
        buf_json_str(&j, str_of(texts[i]));
    }
    buf_fmt(&j, ",\"expires\":\"%lld\"}", (long long)got.expires);
    struct body b = {o, h, fd, 0};
    err *e = body_write(&b, j.p, j.n);
    explicit_bzero(&got, sizeof(got));
    explicit_bzero(j.p, j.n);
    buf_free(&j);
    buf_z(ret, "{}");
    return e;
}

/* Verbs whose outcome is the object's description, and those with none. */
static err *do_short(storage *s, const struct order *o, buf *ret) {
    struct storage_info info;
    err *e = NULL;
    switch (o->verb) {
    case ORDER_HEAD:
        e = storage_head(s, o->key, &info);
        break;
    case ORDER_COPY:
        e = storage_copy(s, o->key, o->to, &info);
        break;
    case ORDER_COMPLETE:
        e = storage_multi_complete(s, o->key, o->upload_id, o->parts, o->n_parts, o->if_absent,
                                   &info);
        break;
    case ORDER_DELETE:
        TRY(storage_del(s, o->keys, o->n_keys));
        buf_z(ret, "{}");
        return NULL;
    case ORDER_ABORT:
        TRY(storage_multi_abort(s, o->key, o->upload_id));
        buf_z(ret, "{}");
        return NULL;
    default:
        unreachable();
    }
    if (!e) order_write_info(&info, ret);
    return e;
}

err *courier_act(arena *a, storage *s, const struct order *o, int fd, const struct courier_hooks *h,
                 buf *ret) {
    static const struct courier_hooks none = {0};
    if (!h) h = &none;
    err *e;
    switch (o->verb) {
    case ORDER_PUT:
        e = do_put(s, o, fd, h, ret);
        break;
    case ORDER_PART:
        e = do_part(s, o, fd, h, ret);
        break;
    case ORDER_GET:
        e = do_get(s, o, fd, h, ret);
        break;
    case ORDER_SESSION:
        e = do_session(s, o, fd, h, ret);
        break;
    case ORDER_LIST:
        e = do_list(a, s, o, ret);
        break;
    case ORDER_CREATE:
        e = do_create(a, s, o, ret);
        break;
    default:
        e = do_short(s, o, ret);
        break;
    }
    return err_while(e, "carrying out %s", order_verb_name(o->verb));
}
