/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the HTTP/1.1 server.
 *   http_server.c   connections: feeding the parser, time limits, ends
 *   http_parse.c    llhttp's callbacks: from bytes to a checked request
 *   http_respond.c  answers
 *   http_relay.c    answers from descriptors
 */
#ifndef BH_NET_HTTP_INT_H
#define BH_NET_HTTP_INT_H

#include <llhttp.h>

#include "base/vec.h"
#include "net/http.h"
#include "net/listener.h"

#define HTTP_SERVER_MAGIC 0x477b0001u
#define HTTP_CONN_MAGIC 0x477b0002u
#define HTTP_STREAM_MAGIC 0x477b0003u

struct http_conn;

/* A header while its bytes still grow: offsets into st->head. */
struct http_mark {
    uint32_t name, name_n, value, value_n;
};

struct http_stream {
    uint32_t magic;
    struct http_conn *hc;
    http_stream *next_free;
    arena *a;
    struct http_request req;
    void *data;

    /* the request */
    buf head; /* target, then names and values, without gaps */
    size_t target_n, raw_n, trailer_n;
    vec_of(struct http_mark) marks;
    vec_of(struct http_header) headers;
    bool in_value; /* the last header callback was of a value */
    bool told;     /* on_request was called */
    bool req_done; /* the body is read */
    bool body_paused, expect, collect;
    size_t collect_max;
    buf body; /* collected pieces */
    int64_t body_got;

    /* the answer */
    bool head_sent, resp_done, chunked, no_body, close, cut;
    int64_t promised, sent; /* promised: Content-Length or -1 */
    struct http_relay *relay;
};

struct http_conn {
    uint32_t magic;
    http_server *s;
    conn *c;
    struct http_conn *prev, *next;
    http_stream *st; /* the request being read or answered */
    llhttp_t p;
    int fail_status; /* why a parser callback stopped */
    const char *fail_why;
    int64_t since;   /* begin of the present phase */
    int64_t dropped; /* when bytes were last dropped after the end */
    size_t discarded;
    int tag;
    bool tls, ready, feeding, closing, stalled, last; /* last: no request after this one */
    bool cut;        /* close as soon as nothing of ours runs */
    bool rest;       /* bytes came that were not looked at */
    bool head_timed; /* `since` is that of the head being read */
    char peer[NET_ADDRESS_TEXT];
};

struct http_listener {
    listener *l;
    struct http_listener *next;
    http_server *s;
    struct tls_context *tls;
    int tag;
};

struct http_server {
    uint32_t magic;
    net *n;
    struct http_limits lim;
    const struct http_handler *h;
    void *arg;
    struct http_listener *listeners;
    struct http_conn *conns;
    http_stream *free_streams;
    size_t free_count;
    struct http_stats stats;
    buf scratch; /* heads of answers */
    int64_t date_at;
    char date[40]; /* "Date: …\r\n" */
    loop_timer drained;
    void (*on_drained)(void *arg);
    void *drained_arg;
    bool draining, full;
};

/* http_parse.c */
extern const llhttp_settings_t http_parse_settings;
/* 400, 408, … as an answer of our own; ends the connection. */
void http_refuse(struct http_conn *hc, int status, const char *why);

/* http_server.c */
http_stream *http_stream_take(struct http_conn *hc);
/* Ends the stream if request and answer are complete; never from within the parser. */
void http_settle(struct http_conn *hc);
void http_abort(struct http_conn *hc, const char *why);
/* No more requests: end after the queue has left. unread: bytes may still come, so linger. */
void http_conn_end(struct http_conn *hc, bool unread);
/* Closes now (after the feeding that runs). The stream must be gone or is aborted. */
void http_conn_cut(struct http_conn *hc, const char *why);

/* http_respond.c */
/* Sends "100 Continue" once if the client waits for it. */
void http_continue(http_stream *st);
/* A whole answer without a stream's bookkeeping. */
void http_write_refusal(struct http_conn *hc, int status, const char *why);
/* The head of an answer, in the server's scratch. length: of the whole body, -1 if not known. */
str http_make_head(http_stream *st, int status, const struct http_header *headers, size_t n,
                   int64_t length);
void http_finish_answer(http_stream *st);
/* Body bytes out, as a chunk where the answer is chunked. */
void http_put_body(http_stream *st, str piece);

/* http_relay.c */
void http_relay_free(http_stream *st);
void http_relay_drain(http_stream *st);

#endif
