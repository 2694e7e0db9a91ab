/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts, multipart uploads and copies of the S3 store.
 *
 * A put reads its source into a part-sized buffer. If the source ends within the first part, one
 * PUT carries it. Else the put becomes a multipart upload: while one thread sends a part, the
 * caller's thread reads the next one, so a put holds two parts in memory and no more. Parts begin
 * at 8 MiB and double after every 1,000 parts up to 64 MiB, or begin larger when the size is known;
 * 10,000 parts then hold about 504 GiB. Only full parts and the last one are sent, so a source that
 * trickles makes no small parts.
 *
 * Put-if-absent is If-None-Match: * on the PUT, or on the completion of the upload. A try whose
 * answer was lost may have succeeded, and then the next one hears 412: the object's put id, random
 * and stored as metadata, tells whether it is ours.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "sys/clock.h"
#include "sys/rand.h"
#include "sys/s3_int.h"

#define GROW_EVERY 1000

/* ---- what 412 and lost answers mean ---- */

/* After a failed PUT or completion: did it happen after all? */
static err *settle(struct s3_call *c, err *e, const char *put_id, bool if_absent,
                   struct storage_info *ret) {
    bool exists = err_code_of(e) == ERR_PRECONDITION_FAILED && if_absent;
    bool lost = err_code_of(e) == ERR_NOT_FOUND; /* the upload is gone: completed, perhaps */
    if (!exists && !(c->ambiguous && lost)) return e;
    struct storage_info info;
    char id[64];
    err *unknown = c->ambiguous ? s3_head_put(c->s3, c->key, &info, id) : NULL;
    bool ours = c->ambiguous && !unknown && id[0] && strcmp(id, put_id) == 0;
    err_free(unknown);
    if (ours) {
        err_free(e);
        info.has_sha256 = ret->has_sha256;
        memcpy(info.sha256, ret->sha256, 32);
        *ret = info;
        return NULL;
    }
    if (!exists) return e;
    err_free(e);
    return err_new(ERR_ALREADY_EXISTS, "object '%.*s' exists", STR_ARG(c->key));
}

/* ---- parts ---- */

static err *upload_part(struct s3 *s, str key, str id, int number, str body,
                        struct storage_source *stream, struct storage_part *ret) {
    buf q = {0};
    buf_fmt(&q, "partNumber=%d&uploadId=", number);
    s3_quote(&q, id);
    buf_c(&q, 0);
    struct s3_call c = {
        .s3 = s, .method = "PUT", .key = key, .query = q.p, .body = body, .stream = stream};
    err *e = s3_call(&c);
    if (!e && !c.etag[0])
        e = err_new(ERR_IO_ERROR, "the object store gave no ETag for a part of '%.*s'",
                    STR_ARG(key));
    if (!e) {
        ret->number = number;
        memcpy(ret->etag, c.etag, sizeof(ret->etag));
    }
    s3_done(&c);
    buf_free(&q);
    return e;
}

static err *multi_create(struct s3 *s, str key, const char *put_id, char *ret_id, size_t cap) {
    struct s3_call c = {.s3 = s, .method = "POST", .key = key, .query = "uploads="};
    s3_header(&c, S3_META_PUT ": %s", put_id);
    struct s3_xml_answer x;
    err *e = s3_call(&c);
    if (!e) e = s3_answer(&c, &x);
    if (!e && (x.upload_id[0] == 0 || strlen(x.upload_id) >= cap))
        e = err_new(ERR_IO_ERROR, "the object store gave no usable upload id");
    if (!e) snprintf(ret_id, cap, "%s", x.upload_id);
    s3_done(&c);
    return e;
}

static err *multi_complete(struct s3 *s, str key, str id, const struct storage_part *parts,
                           size_t n, bool if_absent, const char *put_id, struct storage_info *ret) {
    buf body = {0}, q = {0};
    buf_z(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < n; i++) {
        bool clean = !strpbrk(parts[i].etag, "<>&\"");
        buf_fmt(&body, "<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag></Part>",
                parts[i].number, clean ? parts[i].etag : "");
    }
    buf_z(&body, "</CompleteMultipartUpload>");
    buf_z(&q, "uploadId=");
    s3_quote(&q, id);
    buf_c(&q, 0);
    struct s3_call c = {.s3 = s,
                        .method = "POST",
                        .key = key,
                        .query = q.p,
                        .body = buf_view(&body),
                        .patient = true};
    if (if_absent) s3_header(&c, "If-None-Match: *");
    struct s3_xml_answer x = {0};
    err *e = s3_call(&c);
    if (!e) e = s3_answer(&c, &x);
    if (e)
        e = settle(&c, e, put_id, if_absent, ret);
    else
        memcpy(ret->etag, x.etag, sizeof(ret->etag) - 1);
    s3_done(&c);
    buf_free(&body);
    buf_free(&q);
    return e;
}

static err *multi_abort(struct s3 *s, str key, str id) {
    buf q = {0};
    buf_z(&q, "uploadId=");
    s3_quote(&q, id);
    buf_c(&q, 0);
    struct s3_call c = {.s3 = s, .method = "DELETE", .key = key, .query = q.p};
    err *e = s3_call(&c);
    s3_done(&c);
    buf_free(&q);
    return e;
}

/* ---- put ---- */

/* One upload in the making. Two buffers change places: the reader's and the sender's. */
struct upload {
    struct s3 *s;
    str key;
    char id[STORAGE_UPLOAD_ID_CAP];
    char put_id[33];
    vec_of(struct storage_part) parts;
    /* the part on its way */
    pthread_t thread;
    bool sending;
    char *sent;
    size_t sent_cap, sent_n;
    int number;
    struct storage_part part;
    err *failed;
};

static void *send_part(void *arg) {
    struct upload *u = arg;
    u->failed = upload_part(u->s, u->key, str_of(u->id), u->number, str_n(u->sent, u->sent_n), NULL,
                            &u->part);
    return NULL;
}

static err *send_wait(struct upload *u) {
    if (!u->sending) return NULL;
    pthread_join(u->thread, NULL);
    u->sending = false;
    err *e = u->failed;
    u->failed = NULL;
    if (!e) vec_push(&u->parts, u->part);
    return e;
}

/* Gives the filled buffer to the sender and takes the free one. */
static err *send_start(struct upload *u, char **p, size_t *cap, size_t n) {
    TRY(send_wait(u));
    if (u->parts.n >= STORAGE_MAX_PARTS)
        return err_new(ERR_PAYLOAD_TOO_LARGE, "the body of '%.*s' needs over %d parts",
                       STR_ARG(u->key), STORAGE_MAX_PARTS);
    char *swap = u->sent;
    size_t swap_cap = u->sent_cap;
    u->sent = *p;
    u->sent_cap = *cap;
    u->sent_n = n;
    *p = swap;
    *cap = swap_cap;
    u->number = (int)u->parts.n + 1;
    int rc = pthread_create(&u->thread, NULL, send_part, u);
    if (rc) return err_new(ERR_TEMPORARILY_UNAVAILABLE, "cannot start a thread (%d)", rc);
    u->sending = true;
    return NULL;
}

static size_t part_size_for(const struct s3 *s, int64_t size, size_t index) {
    size_t n = s->part_size << (index / GROW_EVERY < 3 ? index / GROW_EVERY : 3);
    /* 9,000 equal parts hold a body of known size */
    size_t least = size > 0 ? ((size_t)(size / 9000) | 0xffff) + 1 : 0;
    if (n < least) n = least;
    return n > S3_PART_MAX ? S3_PART_MAX : n;
}

int64_t storage_s3_max_stream(void) {
    static const struct s3 s = {.part_size = S3_PART};
    int64_t sum = 0;
    for (size_t i = 0; i < STORAGE_MAX_PARTS; i++) sum += (int64_t)part_size_for(&s, -1, i);
    return sum;
}

/* Reads until the buffer is full or the source ends. */
static err *fill(struct storage_source *from, char *p, size_t cap, size_t *ret_n) {
    size_t n = 0, got = 1;
    while (n < cap && got) {
        TRY(from->read(from->arg, p + n, cap - n, &got));
        n += got;
    }
    *ret_n = n;
    return NULL;
}

static err *put_one(struct s3 *s, str key, str body, const struct storage_put_options *o,
                    const char *put_id, struct storage_info *ret) {
    struct s3_call c = {.s3 = s, .method = "PUT", .key = key, .body = body};
    buf hex = {0};
    enc_hex(&hex, str_n((char *)ret->sha256, 32));
    s3_header(&c, S3_META_SHA ": %.*s", STR_ARG(buf_view(&hex)));
    s3_header(&c, S3_META_PUT ": %s", put_id);
    if (o->if_absent) s3_header(&c, "If-None-Match: *");
    err *e = s3_call(&c);
    if (e)
        e = settle(&c, e, put_id, o->if_absent, ret);
    else
        memcpy(ret->etag, c.etag, sizeof(ret->etag));
    s3_done(&c);
    buf_free(&hex);
    return e;
}

struct put_state {
    EVP_MD_CTX *md;
    int64_t size;
};

static err *note(struct put_state *p, struct storage_source *from, str key, const char *at,
                 size_t n, bool end) {
    EVP_DigestUpdate(p->md, at, n);
    p->size += (int64_t)n;
    if (from->size >= 0 && (p->size > from->size || (end && p->size < from->size)))
        return err_new(ERR_DATA_LOSS, "the body of '%.*s' has %s than the announced %lld bytes",
                       STR_ARG(key), end ? "fewer" : "more", (long long)from->size);
    return NULL;
}

static err *put_parts(struct upload *u, struct storage_source *from, struct put_state *p, char **at,
                      size_t *cap, size_t n) {
    TRY(multi_create(u->s, u->key, u->put_id, u->id, sizeof(u->id)));
    for (size_t index = 0;; index++) {
        bool end = n < *cap;
        if (n > 0) TRY(send_start(u, at, cap, n));
        if (end) return send_wait(u);
        size_t want = part_size_for(u->s, from->size, index + 1);
        if (*cap < want) {
            free(*at);
            *cap = 0;
            must((*at = malloc(want)) != NULL);
            *cap = want;
        }
        TRY(fill(from, *at, *cap, &n));
        TRY(note(p, from, u->key, *at, n, n < *cap));
    }
}

err *s3_put(storage *st, str key, struct storage_source *from, const struct storage_put_options *o,
            struct storage_info *ret) {
    struct s3 *s = s3_of(st);
    struct upload u = {.s = s, .key = key};
    struct put_state p = {.md = EVP_MD_CTX_new()};
    rand_hex(u.put_id, 16);
    *ret = (struct storage_info){.has_sha256 = true};
    if (from->size > (int64_t)S3_PART_MAX * 9000 ||
        (from->size < 0 && s->part_size > S3_PART_MAX)) {
        EVP_MD_CTX_free(p.md);
        return err_new(ERR_PAYLOAD_TOO_LARGE, "a body of %lld bytes is too long for one put",
                       (long long)from->size);
    }
    must(p.md != NULL && EVP_DigestInit_ex(p.md, EVP_sha256(), NULL));
    size_t cap = part_size_for(s, from->size, 0), n = 0;
    if (from->size >= 0 && (uint64_t)from->size < cap) cap = (size_t)from->size + 1;
    char *at = malloc(cap);
    must(at != NULL);
    err *e = fill(from, at, cap, &n);
    if (!e) e = note(&p, from, key, at, n, n < cap);
    bool single = n < cap;
    if (!e && !single) e = put_parts(&u, from, &p, &at, &cap, n);
    EVP_DigestFinal_ex(p.md, ret->sha256, NULL);
    EVP_MD_CTX_free(p.md);
    if (!e && o->before_commit) e = o->before_commit(o->arg, p.size, ret->sha256);
    if (!e && single) e = put_one(s, key, str_n(at, n), o, u.put_id, ret);
    if (!e && !single)
        e = multi_complete(s, key, str_of(u.id), u.parts.p, u.parts.n, o->if_absent, u.put_id, ret);
    if (e) {
        err_free(send_wait(&u));
        if (u.id[0]) err_free(multi_abort(s, key, str_of(u.id)));
    } else {
        ret->size = p.size;
        if (!ret->mtime) ret->mtime = clock_now();
    }
    free(at);
    free(u.sent);
    vec_free(&u.parts);
    return e;
}

/* ---- multipart uploads of callers ---- */

err *s3_multi_create(storage *st, arena *a, str key, str *ret_id) {
    char put_id[33], id[STORAGE_UPLOAD_ID_CAP];
    rand_hex(put_id, 16);
    TRY(multi_create(s3_of(st), key, put_id, id, sizeof(id)));
    *ret_id = str_of(arena_strdup(a, id));
    return NULL;
}

/* A part up to 64 MiB is kept in memory, so that it can be sent again; a larger one must have a
 * known size and is sent as it is read. */
err *s3_multi_part(storage *st, str key, str id, int number, struct storage_source *from,
                   struct storage_part *ret) {
    if (from->size > (int64_t)S3_PART_MAX)
        return upload_part(s3_of(st), key, id, number, STR_NONE, from, ret);
    size_t cap = from->size >= 0 ? (size_t)from->size + 1 : S3_PART_MAX + 1, n = 0;
    char *p = malloc(cap);
    must(p != NULL);
    err *e = fill(from, p, cap, &n);
    if (!e && from->size >= 0 && n != (size_t)from->size)
        e = err_new(ERR_DATA_LOSS, "part %d has %s than the announced %lld bytes", number,
                    n < (size_t)from->size ? "fewer" : "more", (long long)from->size);
    else if (!e && n > S3_PART_MAX)
        e = err_new(ERR_PAYLOAD_TOO_LARGE, "a part of unknown length has at most %u bytes",
                    S3_PART_MAX);
    if (!e) e = upload_part(s3_of(st), key, id, number, str_n(p, n), NULL, ret);
    free(p);
    return e;
}

err *s3_multi_complete(storage *st, str key, str id, const struct storage_part *parts, size_t n,
                       bool if_absent, struct storage_info *ret) {
    *ret = (struct storage_info){0};
    /* The put id was drawn when the upload began and is not known here: a lost answer to a
     * conditional completion shows as ALREADY_EXISTS. */
    TRY(multi_complete(s3_of(st), key, id, parts, n, if_absent, "", ret));
    return s3_head(st, key, ret);
}

err *s3_multi_abort(storage *st, str key, str id) { return multi_abort(s3_of(st), key, id); }

/* ---- copy ---- */

static void copy_source(struct s3_call *c, str from) {
    buf b = {0};
    buf_fmt(&b, "x-amz-copy-source: /%s/", c->s3->bucket);
    enc_percent(&b, str_of(c->s3->prefix), "/");
    enc_percent(&b, from, "/");
    s3_header(c, "%.*s", STR_ARG(buf_view(&b)));
    buf_free(&b);
}

static err *copy_part(struct s3 *s, str from, str to, const char *id, int number, int64_t at,
                      int64_t n, const char *etag, struct storage_part *ret) {
    buf q = {0};
    buf_fmt(&q, "partNumber=%d&uploadId=", number);
    s3_quote(&q, str_of(id));
    buf_c(&q, 0);
    struct s3_call c = {.s3 = s, .method = "PUT", .key = to, .query = q.p, .patient = true};
    copy_source(&c, from);
    s3_header(&c, "x-amz-copy-source-range: bytes=%lld-%lld", (long long)at,
              (long long)(at + n - 1));
    s3_header(&c, "x-amz-copy-source-if-match: \"%s\"", etag);
    struct s3_xml_answer x;
    err *e = s3_call(&c);
    if (!e) e = s3_answer(&c, &x);
    if (!e) {
        ret->number = number;
        snprintf(ret->etag, sizeof(ret->etag), "%.79s", x.etag);
    }
    s3_done(&c);
    buf_free(&q);
    return e;
}

/* Over 5 GiB S3 copies in parts only. */
static err *copy_parts(struct s3 *s, str from, str to, const struct storage_info *info,
                       struct storage_info *ret) {
    char put_id[33], id[STORAGE_UPLOAD_ID_CAP];
    rand_hex(put_id, 16);
    TRY(multi_create(s, to, put_id, id, sizeof(id)));
    vec_of(struct storage_part) parts = {0};
    err *e = NULL;
    int64_t step = info->size / 9000 > S3_COPY_PART ? info->size / 9000 + 1 : S3_COPY_PART;
    for (int64_t at = 0; !e && at < info->size; at += step) {
        struct storage_part p;
        int64_t n = info->size - at < step ? info->size - at : step;
        e = copy_part(s, from, to, id, (int)parts.n + 1, at, n, info->etag, &p);
        if (!e) vec_push(&parts, p);
    }
    if (!e) e = multi_complete(s, to, str_of(id), parts.p, parts.n, false, put_id, ret);
    if (e) err_free(multi_abort(s, to, str_of(id)));
    vec_free(&parts);
    return e;
}

err *s3_copy(storage *st, str from, str to, struct storage_info *ret) {
    struct s3 *s = s3_of(st);
    struct storage_info info;
    TRY(s3_head(st, from, &info));
    *ret = info;
    if (info.size > S3_SINGLE_COPY_MAX) {
        TRY(copy_parts(s, from, to, &info, ret));
        return s3_head(st, to, ret);
    }
    struct s3_call c = {.s3 = s, .method = "PUT", .key = to, .patient = true};
    copy_source(&c, from);
    struct s3_xml_answer x;
    err *e = s3_call(&c);
    if (!e) e = s3_answer(&c, &x);
    if (!e) snprintf(ret->etag, sizeof(ret->etag), "%.79s", x.etag);
    s3_done(&c);
    return e;
}
