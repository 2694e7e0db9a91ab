/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the S3 store: s3_http.c (one call), s3_object.c, s3_multi.c. */
#ifndef BH_SYS_S3_INT_H
#define BH_SYS_S3_INT_H

#include "sys/outgoing.h"
#include "sys/s3_xml.h"
#include "sys/storage_s3.h"

#define S3_PART (8u * 1024u * 1024u)
#define S3_PART_MAX (64u * 1024u * 1024u)
#define S3_SINGLE_COPY_MAX (5ll << 30)
#define S3_COPY_PART (512ll << 20)
#define S3_ANSWER_MAX (8u * 1024u * 1024u) /* a page of 1,000 keys of 1 KiB, three times encoded   \
                                            */
#define S3_META_SHA "x-amz-meta-bh-sha256"
#define S3_META_PUT "x-amz-meta-bh-put"

struct s3 {
    struct storage base;
    char *host_url; /* scheme://host[:port][/bucket], no slash at the end */
    char *host;     /* for messages and egress */
    char *bucket, *prefix, *sigv4, *user, *secret, *session, *ca_file, *proxy;
    const egress *egress;
    int port, tries, backoff_ms;
    size_t part_size;
    struct outgoing_pool pool;
};

static inline struct s3 *s3_of(storage *s) { return (struct s3 *)s; }

/* One request and its answer. Zero-initialise, set what is asked, s3_call(), s3_done(). */
struct s3_call {
    struct s3 *s3;
    const char *method;
    str key;           /* of ours, without prefix; STR_NONE: the bucket */
    const char *query; /* encoded, sorted by name, every name with "="; NULL: none */
    struct curl_slist *headers;
    const char *content_type;      /* of body; NULL: application/octet-stream */
    str body;                      /* sent from memory, signed with its hash */
    struct storage_source *stream; /* or sent as it is read: known size, one try only */
    struct storage_sink *to;       /* where a 2xx body goes; else it is kept in `text` */
    int64_t offset, length;        /* range of the object; length -1: to the end */
    bool ranged;
    char if_match[STORAGE_ETAG_CAP];
    struct storage_info *info; /* filled from the answer's head before `to` is written to */
    bool patient;              /* the store may be silent for minutes: it assembles an object */

    /* results */
    long status;
    buf text; /* body, unless it went to the sink */
    char etag[STORAGE_ETAG_CAP];
    char put_id[64]; /* S3_META_PUT of the answer */
    bool ambiguous;  /* an earlier try may have had its effect */

    /* private to s3_http.c */
    CURL *curl;
    struct outgoing out; /* its failure: of sink, source or egress */
    int64_t delivered, content_length, total;
    int64_t mtime;
    bool headed, has_sha;
    unsigned char sha[32];
};

void s3_header(struct s3_call *c, const char *fmt, ...) BH_PRINTF(2, 3);
/* Performs with retries. NULL: the store answered with 2xx. */
err *s3_call(struct s3_call *c) BH_CHECK;
/* Frees what the call holds; fine on a zeroed one. */
void s3_done(struct s3_call *c);
/* The answer's body as XML; an <Error> in a 2xx answer is an error too. */
err *s3_answer(struct s3_call *c, struct s3_xml_answer *ret) BH_CHECK;
/* Percent-encodes for a query. */
void s3_quote(buf *b, str s);

/* s3_multi.c */
err *s3_put(storage *s, str key, struct storage_source *from, const struct storage_put_options *o,
            struct storage_info *ret) BH_CHECK;
err *s3_multi_create(storage *s, arena *a, str key, str *ret_id) BH_CHECK;
err *s3_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                   struct storage_part *ret) BH_CHECK;
err *s3_multi_complete(storage *s, str key, str id, const struct storage_part *parts, size_t n,
                       bool if_absent, struct storage_info *ret) BH_CHECK;
err *s3_multi_abort(storage *s, str key, str id) BH_CHECK;
err *s3_copy(storage *s, str from, str to, struct storage_info *ret) BH_CHECK;
/* s3_object.c */
err *s3_head(storage *s, str key, struct storage_info *ret) BH_CHECK;
/* HEAD that also tells which put made the object. */
err *s3_head_put(struct s3 *s, str key, struct storage_info *ret, char put_id[64]) BH_CHECK;

#endif
