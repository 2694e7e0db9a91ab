/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests to places outside, by libcurl (s3_curl.h): what the S3 store and the relay to package indexes share. Each
 * address that a request would connect to is asked of the egress rules before a socket is made, and this machine under a
 * name of its own is no place outside either. Nothing is redirected, no proxy comes from the environment.
 */
#ifndef BH_SYS_OUTGOING_H
#define BH_SYS_OUTGOING_H

#include <pthread.h>

#include "base/str.h"
#include "base/vec.h"
#include "sys/egress.h"
#include "sys/s3_curl.h"

/* Handles with their open connections, for any thread. */
struct outgoing_pool {
    pthread_mutex_t lock;
    vec_of(CURL *) idle;
};

void outgoing_pool_init(struct outgoing_pool *p);
/* Closes the connections; all handles were given back. */
void outgoing_pool_free(struct outgoing_pool *p);
CURL *outgoing_take(struct outgoing_pool *p);
/* Forgets options and callbacks, keeps connections. */
void outgoing_give(struct outgoing_pool *p, CURL *h);

/* One request. Lives as long as its transfer; `failed` is the caller's to take or to free. */
struct outgoing {
    const egress *egress;
    const char *host; /* as the rules name it, and messages */
    int port;
    const char *proxy, *ca_file; /* "": none; the system's authorities */
    long connect_ms, stall_s;    /* a transfer without a byte for so long is given up */
    err *failed;                 /* why a callback, ours or the caller's, ended the transfer */
};

/* URL, limits, egress. What is left to the caller: method, credentials, headers, callbacks for head and body. */
void outgoing_set(struct outgoing *o, CURL *h, const char *url);
/* Is it the line of this header? Its value, trimmed, in the line. */
bool outgoing_header(str line, const char *name, str *ret_value);

#endif
