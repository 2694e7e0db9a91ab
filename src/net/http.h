/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP server. The unit is the stream (one request and its answer), not the connection, so that
 * another version of the protocol can come in beside HTTP/1.1 without a change for its users.
 *
 * Life of a stream, all on the loop's thread:
 *   on_request    the head is complete and checked. The handler may answer here, or keep `st` and
 *                 answer later
 *   on_body       pieces of the body, valid during the call; not called if there is none, nor after
 *                 the answer is complete. http_body_pause() stops them (also from on_request),
 *                 http_body_resume() goes on
 *   on_body_end   the body is complete (also called for requests without a body)
 *   on_drain      after http_backlog() was above CONN_LOW, it no longer is
 * and exactly one of these as the last:
 *   on_done       the answer is complete and the request is read or given up
 *   on_abort      the client went away, was too slow, or broke the protocol
 * After it returns, `st` and everything in its arena are gone.
 *
 * `Expect: 100-continue`: "100 Continue" is sent when the handler lets the body flow, that is when
 * it returns from on_request without having paused or answered, or when it resumes. An answer
 * before that closes the connection afterwards. An answer before the body was read: what is left of
 * the body is read and dropped up to `drain_limit`, beyond which the connection is closed after the
 * answer has left. A client that half-closes while its answer is pending counts as gone (set
 * keep_half_closed to answer it all the same). Requests of one connection are handled one after the
 * other; answers to pipelined requests leave in order, and together where handlers answer at once.
 */
#ifndef BH_NET_HTTP_H
#define BH_NET_HTTP_H

#include "base/arena.h"
#include "net/conn.h"

struct tls_context;

struct http_header {
    str name; /* lower case in requests; as given in responses */
    str value;
};

/* 0 in a field means the default in brackets. */
struct http_limits {
    size_t max_headers;           /* count of header lines (100) -> 431 */
    size_t max_header_bytes;      /* names and values together (64 KiB) -> 431 */
    size_t max_target;            /* request target (16 KiB) -> 414 */
    size_t max_conns;             /* connections at once (100,000); more wait in the backlog */
    size_t drain_limit;           /* unread body that is dropped rather than cut off (256 KiB) */
    int64_t header_timeout_us;    /* first byte of a head to its last (10 s) -> 408 */
    int64_t body_idle_timeout_us; /* between two pieces of a body that we wait for (30 s) -> 408 */
    int64_t keepalive_idle_us;    /* idle connection (75 s) */
    int64_t send_timeout_us;      /* client takes none of the answer's bytes (60 s) */
    int64_t handshake_timeout_us; /* TLS handshake (10 s) */
    bool keep_half_closed;
};

struct http_request {
    str method; /* "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", … */
    str target; /* as sent */
    str path;   /* raw (still percent-encoded), without scheme, host and query */
    str query;  /* raw, without '?'; empty if none */
    str host;   /* of an absolute-form target, else the Host header; "" in HTTP/1.0 */
    int minor;  /* HTTP/1.<minor> */
    const struct http_header *headers;
    size_t header_count;
    int64_t content_length; /* 0: no body; -1: chunked, not known */
    bool expect_continue;
    bool tls;
    const char *peer; /* "192.0.2.1:50000" */
    int listener;     /* tag given to http_server_listen() */
};

typedef struct http_server http_server;
typedef struct http_stream http_stream;

struct http_handler {
    void (*on_request)(http_stream *st, const struct http_request *req, void *arg);
    void (*on_body)(http_stream *st, str piece, void *arg);
    void (*on_body_end)(http_stream *st, void *arg);
    void (*on_drain)(http_stream *st, void *arg); /* optional */
    void (*on_done)(http_stream *st, void *arg);  /* optional */
    void (*on_abort)(http_stream *st, const char *why, void *arg);
};

/* limits may be NULL. The handler table must outlive the server. */
err *http_server_new(net *n, const struct http_limits *limits, const struct http_handler *h,
                     void *arg, http_server **ret) BH_CHECK;
/* Accepts from a listening socket (takes it over). tls: NULL for plain; borrowed, must outlive. */
err *http_server_listen(http_server *s, int fd, struct tls_context *tls, int tag) BH_CHECK;
/* Serves one connected socket (takes it over, closed on error). peer may be NULL. */
err *http_server_adopt(http_server *s, int fd, struct tls_context *tls, int tag,
                       const char *peer) BH_CHECK;
/* New limits; they hold for what begins after the call. */
void http_server_set_limits(http_server *s, const struct http_limits *limits);
/* Stops accepting, closes idle connections, ends the others after their answer; `done` is called
 * once none is left (from the loop). */
void http_server_drain(http_server *s, void (*done)(void *arg), void *arg);
/* Closes everything; on_abort for open streams. NULL is fine. */
void http_server_free(http_server *s);

struct http_stats {
    uint64_t conns_total, requests_total, refused_total; /* refused: answered with 4xx by us */
    size_t conns, streams;
};
struct http_stats http_server_stats(const http_server *s);

/* Memory with the stream's life. */
arena *http_arena(http_stream *st);
const struct http_request *http_request_of(http_stream *st);
http_server *http_server_of(http_stream *st);
/* One pointer of the handler's. */
void http_set_data(http_stream *st, void *data);
void *http_data(const http_stream *st);
/* First header of that (lower-case) name; STR_NONE (p NULL) if absent. */
str http_header_of(const struct http_request *req, const char *name);

/* From on_request: on_body is called once with the whole body (not at all if there is none), valid
 * until on_body_end returned. A body over `max` bytes is answered with 413 by us; on_done follows.
 */
void http_body_collect(http_stream *st, size_t max);
void http_body_pause(http_stream *st);
void http_body_resume(http_stream *st);

/* Answers. Content-Length or chunked, Date and Connection are added; a header with a line break is
 * made harmless. To HEAD and with 204 and 304 no body is sent; then, or in answers begun with
 * end=false, a Content-Length among `headers` is kept (and must be true).
 *   end=true   `body` is the whole body
 *   end=false  http_respond_chunk()… and http_respond_end() follow; `body` is the first piece.
 *              Pieces beyond a promised Content-Length are dropped; fewer cut the connection
 * Nothing may be called twice, nor after on_done or on_abort. on_done may come from within. */
void http_respond(http_stream *st, int status, const struct http_header *headers, size_t n,
                  str body, bool end);
void http_respond_chunk(http_stream *st, str piece);
void http_respond_end(http_stream *st);
/* Gives up in the middle of an answer: the connection is cut, on_done follows. */
void http_respond_cut(http_stream *st);
/* The body comes from a descriptor, which is taken over and closed. Regular file: `len` bytes from
 * `offset`. Socket or pipe (offset ignored): `len` bytes, or to its end if len < 0. If it ends
 * early the connection is cut. Outcome: on_done or on_abort; http_sent() tells how much left. */
void http_respond_fd(http_stream *st, int status, const struct http_header *headers, size_t n,
                     int fd, off_t offset, int64_t len);
/* Convenience: JSON body and content type. */
void http_respond_json(http_stream *st, int status, str json);
/* The error as {"error_code","message",…} with its status; frees it. */
void http_respond_err(http_stream *st, err *e);

bool http_responded(const http_stream *st); /* a head was given */
/* Bytes of this connection queued and not yet taken by the kernel; SIZE_MAX once it is broken. */
size_t http_backlog(const http_stream *st);
/* Body bytes of the answer handed over so far. */
int64_t http_sent(const http_stream *st);
/* "Not Found"; "" for an unknown status. */
const char *http_reason(int status);

#endif
