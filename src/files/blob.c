/* SPDX-License-Identifier: Apache-2.0 */
#include "files/blob.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "ipc/courier_client.h"
#include "sys/files.h"
#include "sys/rand.h"
#include "sys/storage_local.h"

#define SWEEP_UPLOADS_US (7ll * 86400 * 1000000)

struct blobs {
    struct control *c;
    storage *store; /* the local one, or the courier client's: for worker threads */
    bool local;
    courier_client *client;
};

/* A request that waits for the courier. It outlives the request: `park` says whether that is still
 * there. */
struct waiting {
    struct control *c;
    uint64_t park;
    uint64_t order;
    int reply_fd, status; /* get */
    int64_t length;
    bool get, done; /* done: the outcome came before the request asked for it */
    err *e;
    struct blob_put *put;
};

static void new_key(char out[80]) {
    char id[33];
    rand_hex(id, 16);
    snprintf(out, 80, "blobs/%.2s/%s", id, id);
}

static void close_reply(struct waiting *w) {
    if (w->reply_fd >= 0) close(w->reply_fd);
    w->reply_fd = -1;
}

/* The store has the object: the request may answer while the bytes flow. */
static void on_head(void *arg, const struct storage_info *info) {
    (void)info;
    struct waiting *w = arg;
    struct req *r = w->park ? control_parked(w->c, w->park) : NULL;
    w->park = 0;
    if (r) {
        req_fd(r, w->status, w->reply_fd, 0, w->length);
        w->reply_fd = -1;
        req_resume(r, NULL);
    } else {
        close_reply(w);
    }
}

static void on_done(void *arg, err *e, arena *a, jval *outcome) {
    (void)a;
    (void)outcome;
    struct waiting *w = arg;
    struct req *r = w->park ? control_parked(w->c, w->park) : NULL;
    w->park = 0;
    close_reply(w);
    if (w->put) { /* the request has not come to its confirmation yet, or waits for this */
        w->put->waiting = NULL;
        if (r) {
            w->put->done = !e;
            req_resume(r, e);
        } else {
            err_free(w->put->failed);
            w->put->failed = e;
        }
    } else if (r) {
        req_resume(r, e);
    } else {
        err_free(e);
    }
    free(w);
}

static struct waiting *waiting_new(struct blobs *b) {
    struct waiting *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->c = b->c;
    w->reply_fd = -1;
    return w;
}

void blobs_on_courier(struct control *c, int fd) {
    struct blobs *b = c->courier;
    err *e = courier_client_connect(b->client, fd);
    if (e) {
        log_error("cannot talk to the courier", lf_err(e));
        err_free(e);
    }
}

courier_client *blobs_courier(struct control *c) { return ((struct blobs *)c->courier)->client; }

static err *body_pair(int fds[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno("cannot make a socket pair for a body");
    return NULL;
}

/* ---- uploads ---- */

static void put_over(void *arg) {
    struct blob_put *p = arg;
    struct blobs *b = p->b;
    struct waiting *w = p->waiting;
    if (p->temp) storage_local_abort(b->store, p->temp);
    p->temp = NULL;
    if (p->done && !p->committed && !p->outside) blob_drop(b->c, str_of(p->key));
    if (w) { /* not confirmed: the courier throws it away */
        w->put = NULL;
        w->park = 0;
        courier_confirm(b->client, w->order, false, 0);
    }
    err_free(p->failed);
}

/* The request's body goes to the courier, by this order. */
static err *order_body(struct req *r, struct blob_put *p, struct order *o) {
    int fds[2];
    TRY(body_pair(fds));
    struct waiting *w = waiting_new(p->b);
    w->put = p;
    p->waiting = w;
    o->verb = ORDER_PUT;
    o->max_size = r->take.max;
    struct courier_call call = {.on_done = on_done, .arg = w};
    w->order = courier_ask(p->b->client, o, fds[1], &call);
    close(fds[1]);
    r->take.fd = fds[0];
    return NULL;
}

err *blob_put_open(struct req *r, int64_t announced, struct blob_put **ret) {
    struct blobs *b = r->control->courier;
    struct blob_put *p = arena_new_of(r->a, struct blob_put);
    p->b = b;
    p->r = r;
    new_key(p->key);
    r->take.max = settings_int(&r->control->settings, SET_FILES_MAX_SIZE);
    if (announced > r->take.max)
        return err_new(ERR_PAYLOAD_TOO_LARGE, "The file is larger than the %lld bytes allowed.",
                       (long long)r->take.max);
    if (b->local) {
        uint64_t space = 0;
        TRY(files_space(r->control->data_dir, &space, NULL));
        int64_t reserve = settings_int(&r->control->settings, SET_STORAGE_RESERVE);
        if ((int64_t)space < reserve + (announced > 0 ? announced : 0))
            return err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "The disk is nearly full."),
                            "Delete files, or lower storage.reserve.");
        storage_temp *t;
        TRY(storage_local_temp(b->store, str_of(p->key), &t));
        p->temp = t;
        r->take.fd = fcntl(storage_temp_fd(t), F_DUPFD_CLOEXEC, 3);
    } else {
        struct order o = {.key = str_of(p->key), .size = announced};
        TRY(order_body(r, p, &o));
    }
    arena_on_free(r->a, put_over, p);
    *ret = p;
    return NULL;
}

err *blob_put_open_at(struct req *r, int64_t announced, str place, str key, bool if_absent, struct blob_put **ret) {
    struct blob_put *p = arena_new_of(r->a, struct blob_put);
    p->b = r->control->courier;
    p->r = r;
    p->outside = true;
    r->take.max = settings_int(&r->control->settings, SET_FILES_MAX_SIZE);
    if (announced > r->take.max)
        return err_new(ERR_PAYLOAD_TOO_LARGE, "The file is larger than the %lld bytes allowed.", (long long)r->take.max);
    struct order o = {.place = place, .key = key, .size = announced, .if_absent = if_absent};
    TRY(order_body(r, p, &o));
    arena_on_free(r->a, put_over, p);
    *ret = p;
    return NULL;
}

static void hex_etag(str digest, char out[80]) {
    buf b = {0};
    enc_hex(&b, str_cut(digest, 16));
    snprintf(out, 80, "%.*s", STR_ARG(buf_view(&b)));
    buf_free(&b);
}

err *blob_put_sync(struct req *r, struct blob_put *p) {
    p->size = r->taken.size;
    hex_etag(r->taken.sha256, p->etag);
    if (!p->temp) return NULL;
    storage_temp *t = p->temp;
    p->temp = NULL;
    struct storage_info info;
    TRY(storage_local_commit(p->b->store, t, true, p->size,
                             (const unsigned char *)r->taken.sha256.p, &info));
    p->done = true;
    return NULL;
}

err *blob_put_confirm(struct req *r, struct blob_put *p) {
    if (p->b->local && !p->outside) return NULL;
    if (!p->waiting) { /* it failed already */
        err *e = p->failed;
        p->failed = NULL;
        return e ? e : err_new(ERR_TEMPORARILY_UNAVAILABLE, "The courier is restarting; try again.");
    }
    p->waiting->park = req_park(r);
    courier_confirm(p->b->client, p->waiting->order, true, p->size);
    return NULL;
}

void blob_put_keep(struct blob_put *p) { p->committed = true; }

/* ---- downloads ---- */

err *blob_get_open(struct req *r, str key, int64_t offset, int64_t length, int status) {
    struct blobs *b = r->control->courier;
    if (length == 0) {
        req_body(r, status, "application/octet-stream", STR(""));
        return NULL;
    }
    if (b->local) {
        int fd;
        struct storage_info info;
        TRY(storage_local_open(b->store, key, &fd, &info));
        req_fd(r, status, fd, offset, length);
        return NULL;
    }
    return blob_get_open_at(r, STR(""), key, offset, length, status);
}

err *blob_get_open_at(struct req *r, str place, str key, int64_t offset, int64_t length, int status) {
    struct blobs *b = r->control->courier;
    if (length == 0) {
        req_body(r, status, "application/octet-stream", STR(""));
        return NULL;
    }
    int fds[2];
    TRY(body_pair(fds));
    struct waiting *w = waiting_new(b);
    w->get = true;
    w->reply_fd = fds[0];
    w->status = status;
    w->length = length;
    w->park = req_park(r);
    struct order o = {.verb = ORDER_GET, .place = place, .key = key, .offset = offset, .length = length};
    struct courier_call call = {.on_head = on_head, .on_done = on_done, .arg = w};
    w->order = courier_ask(b->client, &o, fds[1], &call);
    close(fds[1]);
    return NULL;
}

/* ---- from worker threads ---- */

static err *put_bytes(struct blobs *b, str key, str bytes) {
    struct storage_bytes s;
    return storage_put(b->store, key, storage_from_bytes(&s, bytes),
                       &(struct storage_put_options){.if_absent = true}, NULL);
}

err *blob_write(struct control *c, str bytes, char key_out[80]) {
    new_key(key_out);
    return put_bytes(c->courier, str_of(key_out), bytes);
}

/* Streams a blob, or length bytes of it, into a descriptor. */
static err *range_to_fd(struct blobs *b, str key, int64_t offset, int64_t length, int to) {
    struct storage_sink sink = storage_to_fd(&to);
    struct storage_info info;
    return storage_get(b->store, key, offset, length, STR(""), &sink, &info);
}

static err *get_to_fd(struct blobs *b, str key, int to) { return range_to_fd(b, key, 0, -1, to); }

err *blob_read_range(struct control *c, str key, int64_t offset, int64_t length, buf *out) {
    if (length == 0) return NULL;
    int fd = open(c->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno("cannot make a temporary file");
    err *e = range_to_fd(c->courier, key, offset, length, fd);
    if (!e && lseek(fd, 0, SEEK_SET) < 0) e = err_errno("cannot read a temporary file");
    if (!e) e = files_read_fd(fd, "blob", (size_t)length, out);
    close(fd);
    return e;
}

err *blob_read(struct control *c, str key, size_t max, buf *out) {
    int fd = open(c->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno("cannot make a temporary file");
    err *e = get_to_fd(c->courier, key, fd);
    if (!e && lseek(fd, 0, SEEK_SET) < 0) e = err_errno("cannot read a temporary file");
    if (!e) e = files_read_fd(fd, "blob", max, out);
    close(fd);
    return e;
}

bool blobs_on_disk(const struct control *c) { return ((const struct blobs *)c->courier)->local; }

err *blob_open(struct control *c, str key, int *ret_fd) {
    struct blobs *b = c->courier;
    struct storage_info info;
    must(b->local);
    return storage_local_open(b->store, key, ret_fd, &info);
}

err *blob_copy_out(struct control *c, str key, const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return err_errno("cannot make %s", path);
    err *e = get_to_fd(c->courier, key, fd);
    if (close(fd) < 0 && !e) e = err_errno("cannot write %s", path);
    return e;
}

/* Reads a list of blobs one after the other, hashing. */
struct joined {
    struct control *c;
    const str *keys;
    size_t n, at;
    int fd;
    int64_t size;
    EVP_MD_CTX *md;
};

static err *joined_read(void *arg, void *p, size_t n, size_t *ret_n) {
    struct joined *j = arg;
    for (;;) {
        if (j->fd < 0) {
            if (j->at == j->n) {
                *ret_n = 0;
                return NULL;
            }
            j->fd = open(j->c->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
            if (j->fd < 0) return err_errno("cannot make a temporary file");
            TRY(get_to_fd(j->c->courier, j->keys[j->at++], j->fd));
            if (lseek(j->fd, 0, SEEK_SET) < 0) return err_errno("cannot read a part");
        }
        ssize_t got = read(j->fd, p, n);
        if (got < 0) return err_errno("cannot read a part");
        if (got > 0) {
            EVP_DigestUpdate(j->md, p, (size_t)got);
            j->size += got;
            *ret_n = (size_t)got;
            return NULL;
        }
        close(j->fd);
        j->fd = -1;
    }
}

err *blob_join(struct control *c, const str *keys, size_t n, char key_out[80], int64_t *ret_size,
               char etag_out[80]) {
    struct blobs *b = c->courier;
    struct joined j = {.c = c, .keys = keys, .n = n, .fd = -1, .md = EVP_MD_CTX_new()};
    must(j.md && EVP_DigestInit_ex(j.md, EVP_sha256(), NULL) == 1);
    new_key(key_out);
    struct storage_source src = {.read = joined_read, .arg = &j, .size = -1};
    err *e = storage_put(b->store, str_of(key_out), &src,
                         &(struct storage_put_options){.if_absent = true}, NULL);
    unsigned char h[32];
    unsigned hn = 0;
    EVP_DigestFinal_ex(j.md, h, &hn);
    EVP_MD_CTX_free(j.md);
    if (j.fd >= 0) close(j.fd);
    hex_etag(str_n((char *)h, 32), etag_out);
    *ret_size = j.size;
    return e;
}

/* ---- dropping ---- */

struct drop {
    struct blobs *b;
    char key[80];
};

static void drop_job(void *arg, int worker) {
    (void)worker;
    struct drop *d = arg;
    str key = str_of(d->key);
    err *e = storage_del(d->b->store, &key, 1);
    if (e) {
        log_warn("a blob stays that nobody names", lf_str("key", key), lf_err(e));
        err_free(e);
    }
    free(d);
}

void blob_drop(struct control *c, str key) {
    struct drop *d = calloc(1, sizeof(*d));
    must(d != NULL);
    d->b = c->courier;
    snprintf(d->key, sizeof(d->key), "%.*s", STR_ARG(key));
    jobs_add(c->workers, drop_job, d);
}

err *blob_remove(struct control *c, char *const *keys, size_t n) {
    struct blobs *b = c->courier;
    str some[256];
    for (size_t at = 0; at < n;) {
        size_t k = 0;
        while (at < n && k < ARRAY_LEN(some)) some[k++] = str_of(keys[at++]);
        TRY(storage_del(b->store, some, k));
    }
    return NULL;
}

/* ---- opening ---- */

err *blobs_open(struct control *c) {
    struct blobs *b = calloc(1, sizeof(*b));
    must(b != NULL);
    b->c = c;
    c->courier = b;
    str set = settings_str(&c->settings, SET_STORAGE_ROOT);
    b->client = c->outside = courier_client_new(c->l);
    if (str_starts(set, STR("s3://"))) {
        b->store = courier_client_storage(b->client);
        return NULL;
    }
    char root[4200];
    b->local = true;
    if (set.n)
        snprintf(root, sizeof(root), "%.*s", STR_ARG(set));
    else
        snprintf(root, sizeof(root), "%.4000s/storage", c->data_dir);
    TRY(storage_local_new(root, NULL, &b->store));
    return storage_local_sweep(b->store, SWEEP_UPLOADS_US);
}

void blobs_close(struct control *c) {
    struct blobs *b = c->courier;
    if (!b) return;
    courier_client_free(b->client);
    c->outside = NULL;
    if (b->local) storage_free(b->store);
    free(b);
    c->courier = NULL;
}
