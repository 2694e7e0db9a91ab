/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server in a thread of its own, on loopback, with routes that do one thing each:
 *
 *   /hello            200 "hello"
 *   /echo             the body, collected (limit 1 MiB)
 *   /mirror           the body, streamed back as it comes, with back-pressure
 *   /count            reads the body; answers "<bytes> <sum>" (sum: see net_demo_sum)
 *   /slow-count       the same, but pauses for a millisecond after every piece
 *   /late             answers after 20 ms
 *   /never            never answers
 *   /stream?N         N bytes of net_demo_byte(), chunked, as the queue drains
 *   /length?N         the same with a Content-Length
 *   /file?N           N bytes from a regular file; /short?N promises one byte more than the file
 * has /socket?N         N bytes from a socket, length not told; /socket-known?N told /refuse
 * answers 403 without reading the body /wait             pauses the body before any of it, resumes
 * after 20 ms, then as /count /cut              begins an answer and gives up /head             the
 * method, and each header as a line "name=value" /inject           a header whose value has a line
 * break
 */
#ifndef BH_TESTS_HARNESS_NET_DEMO_H
#define BH_TESTS_HARNESS_NET_DEMO_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/http.h"
#include "net/tls.h"

struct net_demo {
    pthread_t thread;
    loop *l;
    net *n;
    http_server *s;
    int port;
    atomic_int requests, done, aborts, conns; /* conns: living, as of the last net_demo_sync() */
    atomic_int drained;
    _Atomic(const char *) last_abort;
};

/* Starts; fails the process on error. tls may be NULL. v6: listens on ::1. */
void net_demo_start(struct net_demo *d, const struct http_limits *limits, tls_context *tls,
                    bool v6);
void net_demo_stop(struct net_demo *d);
/* Waits until the server's thread has handled what came before, and reads its statistics. */
struct http_stats net_demo_sync(struct net_demo *d);
/* Starts draining; d->drained becomes 1. */
void net_demo_drain(struct net_demo *d);

/* Byte i of generated bodies, and the running sum that /count shows. */
static inline char net_demo_byte(uint64_t i) { return (char)('a' + (i * 7 + (i >> 10)) % 26); }
uint64_t net_demo_sum(uint64_t sum, const char *p, size_t n);

/* A blocking client's socket, with a receive limit of ten seconds. */
int net_demo_connect(const struct net_demo *d);
void net_demo_send(int fd, const char *p, size_t n);
/* Everything until the end of the stream, zero-terminated; the caller frees. ret_n may be NULL. */
char *net_demo_read_all(int fd, size_t *ret_n);

#endif
