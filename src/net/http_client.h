/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 client on the loop, for webhooks and tests (the object store speaks through
 * libcurl in the courier). Connections are kept per origin and used again; redirects are not
 * followed; bodies out are given whole, bodies in come in pieces or are collected up to a limit.
 *
 * A kept connection may have been closed by its server in the meantime: a call on one that ends
 * before any byte of an answer is tried once more on a new connection, if its method is idempotent.
 */
#ifndef BH_NET_HTTP_CLIENT_H
#define BH_NET_HTTP_CLIENT_H

#include "net/http.h"
#include "sys/jobs.h"

typedef struct http_client http_client;
typedef struct http_call http_call;

/* 0 in a number means the default in brackets. */
struct http_client_options {
    struct tls_context *tls; /* for https, borrowed; NULL: https is refused */
    jobs *resolver;          /* for host names, borrowed; NULL: addresses only */
    size_t max_idle;         /* connections kept (32) */
    int64_t idle_us;         /* how long (30 s) */
    int64_t connect_us;      /* connecting and TLS (10 s) */
    /* May this address be connected to? NULL: all. Asked for every address, after resolution, so
     * that a name cannot lead where an address may not. */
    bool (*allow)(const struct sockaddr *sa, socklen_t n, void *arg);
    void *allow_arg;
};

struct http_reply {
    int status;
    const struct http_header *headers; /* names in lower case */
    size_t header_count;
    str body; /* collected; empty if on_body was given */
};

struct http_call_ask {
    str method;
    str url;                           /* http:// or https://, no user part, no fragment */
    const char *unix_path;             /* connect there instead of the URL's host; or NULL */
    const struct http_header *headers; /* Host and Content-Length are added */
    size_t header_count;
    str body;
    int64_t timeout_us; /* from start to the last byte (30 s) */
    size_t max_body;    /* of the answer (16 MiB) */
    size_t max_head;    /* of the answer (64 KiB) */

    /* Optional: pieces of a 2xx, 3xx, 4xx or 5xx body as they come, after on_head. */
    void (*on_head)(http_call *c, const struct http_reply *r, void *arg);
    void (*on_body)(http_call *c, str piece, void *arg);
    /* Once, unless cancelled; the call is gone afterwards. Either reply or error (both borrowed).
     */
    void (*on_done)(const struct http_reply *r, const err *e, void *arg);
    void *arg;
};

err *http_client_new(net *n, const struct http_client_options *o, http_client **ret) BH_CHECK;
/* Open calls are cancelled. The resolver must be ended (jobs_free) before the loop is. NULL is
 * fine. */
void http_client_free(http_client *c);
/* Everything in `ask` is copied. ret may be NULL. An error here means that on_done is not called.
 */
err *http_client_start(http_client *c, const struct http_call_ask *ask, http_call **ret) BH_CHECK;
/* No more callbacks; fine from within on_head and on_body. */
void http_client_cancel(http_call *c);
/* Connections kept and not in use. */
size_t http_client_idle(const http_client *c);

/* First header of that (lower-case) name; STR_NONE if absent. */
str http_reply_header(const struct http_reply *r, const char *name);

#endif
