/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage in an S3-compatible store, through libcurl (TLS, SigV4). Only the courier opens one.
 */
#ifndef BH_SYS_STORAGE_S3_H
#define BH_SYS_STORAGE_S3_H

#include "sys/egress.h"
#include "sys/storage.h"

struct storage_s3_config {
    str bucket;      /* 3..63 of [a-z0-9.-] */
    str prefix;      /* put before every key; empty, or ending in a slash */
    str endpoint;    /* http(s)://host[:port]; empty: AWS of the region */
    str region;      /* empty: us-east-1 */
    bool path_style; /* bucket in the path, not in the host name */
    str access_key_id, secret_access_key, session_token; /* the last may be empty */
    str ca_file;                                         /* PEM; empty: the system's */
    str proxy;            /* http://host:port; empty: none; the environment is never asked */
    const egress *egress; /* must outlive the storage */
    int tries;            /* of each call; 0: 5 */
    int backoff_ms;       /* before the second try, doubling; 0: 100 */
    size_t part_size;     /* of the first parts of a long put; 0: 8 MiB. At least 5 MiB */
};

/* Copies the configuration; makes no connection. */
err *storage_s3_new(const struct storage_s3_config *c, storage **ret) BH_CHECK;

bool storage_s3_is(const storage *s);

/* A session of the store's token service. */
struct storage_s3_session {
    char access_key_id[256], secret_access_key[256], session_token[8192];
    int64_t expires; /* UTC microseconds */
};
/* Asks for one that may do what the policy (JSON of IAM) says. role: an ARN to assume, or empty: the user's own. Errors of
 * the store; NOT_IMPLEMENTED where it gives none. */
err *storage_s3_session(storage *s, str role, str policy, int seconds, struct storage_s3_session *ret) BH_CHECK;

/* "s3://bucket/prefix" taken apart; prefix gets its slash. Memory is the arena's. */
err *storage_s3_url(arena *a, str url, str *ret_bucket, str *ret_prefix) BH_CHECK;

/* Largest body that a put of unknown length can have (the store's limit of parts). */
int64_t storage_s3_max_stream(void);

#endif
