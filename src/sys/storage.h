/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object storage behind one table of functions: a local directory (storage_local.h), an
 * S3-compatible store (storage_s3.h), and a twin that injects faults (storage_fault.h).
 *
 * Objects are named by keys and are never changed in place: a put replaces the whole object at
 * once, and a reader sees the old one or the new one. Every call blocks (worker threads, courier)
 * and may be made from several threads at once.
 *
 * Keys are the same for every store: 1..1024 bytes of UTF-8, at most 100 segments between slashes;
 * no segment is empty, "." or "..", or longer than 200 bytes; no byte below 0x20 and no 0x7f. A
 * trailing slash makes the key of a folder marker, an object like any other ("a/b/"). "a" and "a/b"
 * may both exist.
 *
 * Errors that callers may rely on:
 *   NOT_FOUND               no such object (or no such multipart upload)
 *   ALREADY_EXISTS          put-if-absent lost
 *   PRECONDITION_FAILED     the ETag is not the one asked for
 *   RANGE_NOT_SATISFIABLE   the range begins at or after the end
 *   INVALID_PARAMETER_VALUE a key, part or number that no store would take
 *   TEMPORARILY_UNAVAILABLE the store kept failing after retries
 *   PERMISSION_DENIED       the store refuses our credentials, or egress is not allowed
 *   RESOURCE_EXHAUSTED      the disk is full
 */
#ifndef BH_SYS_STORAGE_H
#define BH_SYS_STORAGE_H

#include "base/arena.h"
#include "base/err.h"

#define STORAGE_MAX_KEY 1024u
#define STORAGE_MAX_SEGMENT 200u
#define STORAGE_MAX_SEGMENTS 100u
#define STORAGE_MAX_PAGE 1000
#define STORAGE_MAX_PARTS 10000
#define STORAGE_ETAG_CAP 80u
#define STORAGE_UPLOAD_ID_CAP 1024u

typedef struct storage storage;

/* Where bytes come from. read() fills at most n bytes; *ret_n 0 is the end. */
struct storage_source {
    err *(*read)(void *arg, void *p, size_t n, size_t *ret_n);
    void *arg;
    int64_t size; /* -1: not known; else read() must give exactly so many, or the put fails */
    err *(*rewind)(void *arg); /* from the first byte again; NULL: it is read once */
};

/* Where bytes go. */
struct storage_sink {
    err *(*write)(void *arg, const void *p, size_t n);
    void *arg;
};

struct storage_info {
    int64_t size;
    int64_t mtime;               /* UTC microseconds */
    char etag[STORAGE_ETAG_CAP]; /* without quotes; changes with every put */
    bool has_sha256;
    unsigned char sha256[32]; /* of the whole object, where the store keeps it */
};

struct storage_put_options {
    bool if_absent;
    /* Asked after the last byte was read and before the object becomes visible; an error throws
     * the object away. Optional. */
    err *(*before_commit)(void *arg, int64_t size, const unsigned char sha256[32]);
    void *arg;
};

struct storage_list_ask {
    str prefix;      /* any bytes; need not end at a slash */
    str start_after; /* only keys greater than this one; applies to the first page */
    str token;       /* `next` of the page before */
    bool delimiter;  /* roll up what lies below the next slash into one entry */
    int max;         /* entries in a page, 1..STORAGE_MAX_PAGE; 0: the most */
};

struct storage_entry {
    str key; /* a rolled up entry ends in a slash and has `prefix` set */
    bool prefix;
    int64_t size, mtime;
    const char *etag; /* "" for a rolled up entry */
};

/* In byte order of the keys. All memory is the arena's of the call. */
struct storage_list {
    struct storage_entry *entries;
    size_t n;
    str next; /* token of the next page; n == 0 at the end */
};

struct storage_part {
    int number; /* 1..STORAGE_MAX_PARTS, ascending in storage_multi_complete() */
    char etag[STORAGE_ETAG_CAP];
};

/* One row per store; use the functions below, which check their arguments first. */
struct storage_ops {
    const char *name;
    err *(*put)(storage *s, str key, struct storage_source *from,
                const struct storage_put_options *o, struct storage_info *ret);
    err *(*get)(storage *s, str key, int64_t offset, int64_t length, str if_match,
                struct storage_sink *to, struct storage_info *ret);
    err *(*head)(storage *s, str key, struct storage_info *ret);
    err *(*list)(storage *s, arena *a, const struct storage_list_ask *ask,
                 struct storage_list *ret);
    err *(*del)(storage *s, const str *keys, size_t n);
    err *(*copy)(storage *s, str from, str to, struct storage_info *ret);
    err *(*rename)(storage *s, str from, str to);
    err *(*multi_create)(storage *s, arena *a, str key, str *ret_id);
    err *(*multi_part)(storage *s, str key, str id, int number, struct storage_source *from,
                       struct storage_part *ret);
    err *(*multi_complete)(storage *s, str key, str id, const struct storage_part *parts, size_t n,
                           bool if_absent, struct storage_info *ret);
    err *(*multi_abort)(storage *s, str key, str id);
    void (*free)(storage *s);
};

/* First member of each store's own struct. */
struct storage {
    uint32_t magic;
    const struct storage_ops *ops;
};
#define STORAGE_MAGIC 0x5704a6e1u

/* Says in which way a key is wrong. */
err *storage_check_key(str key) BH_CHECK;

/* Reads `from` to its end and makes it the object; *ret (optional) describes it, with SHA-256. */
err *storage_put(storage *s, str key, struct storage_source *from,
                 const struct storage_put_options *o, struct storage_info *ret) BH_CHECK;
/* Writes length bytes from offset on (length -1: to the end; a range past the end is cut). *ret
 * (never NULL) is filled before the first byte is written. if_match: an ETag, or empty. */
err *storage_get(storage *s, str key, int64_t offset, int64_t length, str if_match,
                 struct storage_sink *to, struct storage_info *ret) BH_CHECK;
err *storage_head(storage *s, str key, struct storage_info *ret) BH_CHECK;
err *storage_list(storage *s, arena *a, const struct storage_list_ask *ask,
                  struct storage_list *ret) BH_CHECK;
/* Keys that do not exist are no error. */
err *storage_del(storage *s, const str *keys, size_t n) BH_CHECK;
err *storage_copy(storage *s, str from, str to, struct storage_info *ret) BH_CHECK;
/* Replaces `to`. NOT_IMPLEMENTED where it would not be one cheap step (S3): copy and delete then.
 */
err *storage_rename(storage *s, str from, str to) BH_CHECK;

/* Multipart: parts may come in any order and from several threads; one sent again replaces the
 * earlier. All but the last should be at least 5 MiB (S3 insists). */
err *storage_multi_create(storage *s, arena *a, str key, str *ret_id) BH_CHECK;
err *storage_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                        struct storage_part *ret) BH_CHECK;
err *storage_multi_complete(storage *s, str key, str id, const struct storage_part *parts, size_t n,
                            bool if_absent, struct storage_info *ret) BH_CHECK;
err *storage_multi_abort(storage *s, str key, str id) BH_CHECK;

/* NULL is fine. No call may be under way. */
void storage_free(storage *s);

/* A source over bytes in memory: `struct storage_bytes b; … storage_from_bytes(&b, text)`. */
struct storage_bytes {
    struct storage_source source;
    str all, rest;
};
struct storage_source *storage_from_bytes(struct storage_bytes *b, str bytes);
/* A source over a descriptor, from where it stands: size bytes, or to the end of file with -1. */
struct storage_fd {
    struct storage_source source;
    int fd;
    int64_t left;
    int64_t start; /* -1: it cannot go back (a pipe) */
};
struct storage_source *storage_from_fd(struct storage_fd *f, int fd, int64_t size);
/* Sinks into a buf (whose max bounds it) and into a descriptor. */
struct storage_sink storage_to_buf(buf *b);
struct storage_sink storage_to_fd(int *fd);

#endif
