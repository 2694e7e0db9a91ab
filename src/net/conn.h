/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: tcp, unix and TLS streams behind one interface, on the event loop.
 *
 * A `net` is what all connections of one loop share: scratch memory for reading and for writing.
 * That is why an idle connection holds no buffer: bytes are read into the shared scratch, handed to
 * the owner at once, and only what the owner did not take is kept per connection. Everything that
 * the owner writes while it handles incoming bytes leaves in one system call afterwards (cork).
 *
 * Order of calls to the owner (struct conn_events), all on the loop's thread:
 *   on_ready    once: connected, and for TLS the handshake is done (not for adopted plain sockets)
 *   on_data     bytes; returns how many were taken. Taking fewer pauses the connection until
 *               conn_resume(), then the rest is offered again
 *   on_eof      the peer will send nothing more (half close); writing is still possible
 *   on_drain    conn_backlog() fell to CONN_LOW after it had been above it
 *   on_timeout  the time set with conn_deadline() has come
 *   on_close    broken or ended from outside; `why` is borrowed, NULL after conn_finish().
 *               The owner must not use the connection after this call returns (it frees itself)
 * The owner may call conn_close() at any time, inside these calls too; nothing is called
 * afterwards.
 */
#ifndef BH_NET_CONN_H
#define BH_NET_CONN_H

#include <sys/socket.h>
#include <sys/types.h>

#include "sys/loop.h"

typedef struct net net;
typedef struct conn conn;
struct tls_context;

/* Marks of the send queue: writers that can wait stop above HIGH and go on at LOW. */
#define CONN_HIGH (256u * 1024u)
#define CONN_LOW (64u * 1024u)
/* Largest piece that on_data is given at once. */
#define NET_READ_SIZE (64u * 1024u)

struct conn_events {
    void (*on_ready)(conn *c, void *arg); /* optional */
    size_t (*on_data)(conn *c, str data, void *arg);
    void (*on_eof)(conn *c, void *arg);     /* NULL: closes the connection */
    void (*on_drain)(conn *c, void *arg);   /* optional */
    void (*on_timeout)(conn *c, void *arg); /* NULL: closes the connection */
    void (*on_close)(conn *c, const err *why, void *arg);
};

/* One per loop. The loop must outlive it; connections must be closed before net_free(). */
err *net_new(loop *l, net **ret) BH_CHECK;
void net_free(net *n);
loop *net_loop(const net *n);
/* Living connections of this net. */
size_t net_conns(const net *n);

/* Takes over a connected stream socket (made non-blocking); on error it is closed. tls: NULL for
 * plain bytes, which is ready at once (no on_ready); else the server's side of a handshake follows,
 * for which the owner sets a deadline (past it: on_close). Reading starts at once. */
err *conn_adopt(net *n, int fd, struct tls_context *tls, const struct conn_events *ev, void *arg,
                conn **ret) BH_CHECK;
/* Begins to connect; on_ready or on_close follows, within timeout_us (0: no limit) for the two
 * steps together. tls: a client context or NULL; `name` is then the host name that the certificate
 * must bear (and SNI), it may be an address text. */
err *conn_connect(net *n, const struct sockaddr *to, socklen_t to_len, struct tls_context *tls,
                  const char *name, int64_t timeout_us, const struct conn_events *ev, void *arg,
                  conn **ret) BH_CHECK;

/* Ends now: what is queued is dropped, no callback. NULL is fine. */
void conn_close(conn *c);
/* Ends as soon as the queue is written: close_notify (TLS), close; then on_close(NULL). Data that
 * still comes is dropped. */
void conn_finish(conn *c);
/* Half close once the queue is written; reading goes on. For TLS: close_notify, then TCP's FIN. */
void conn_shutdown(conn *c);

/* Queues or writes; bytes are copied where the kernel does not take them at once. Errors come later
 * as on_close. conn_write2 keeps both parts in one packet or record. */
void conn_write(conn *c, str data);
void conn_write2(conn *c, str head, str body);
/* Bytes queued and not yet taken by the kernel; SIZE_MAX once it is broken. */
size_t conn_backlog(const conn *c);

/* Something is queued, or a file is being sent. */
bool conn_sending(const conn *c);
/* An error was met; on_close will follow. */
bool conn_broken(const conn *c);

/* After all that is queued, `len` bytes of a regular file from `offset`; conn_write() is not
 * allowed until `done`. fd stays the caller's and must live until then. done(ok): false when the
 * file was shorter than promised (the stream is then damaged: close). Not called after conn_close()
 * or on_close. */
void conn_send_file(conn *c, int fd, off_t offset, int64_t len,
                    void (*done)(conn *c, bool ok, void *arg));

/* Stops reading; on_eof and resets may still be noticed late. */
void conn_pause(conn *c);
/* Goes on: on_data is called once more with what was not taken, even if that is nothing (never from
 * within this call). */
void conn_resume(conn *c);
bool conn_paused(const conn *c);

/* on_timeout is called at `at` (loop_now() clock), unless set again before; 0 clears. Cheap. */
void conn_deadline(conn *c, int64_t at);
/* Loop time when the kernel last took bytes of a non-empty queue, or the queue became non-empty. */
int64_t conn_write_progress(const conn *c);

net *conn_net(const conn *c);
int conn_fd(const conn *c);
bool conn_is_tls(const conn *c);
/* "TLSv1.3", or "" for plain. */
const char *conn_tls_version(const conn *c);
/* The TLS session was resumed from a ticket. */
bool conn_tls_resumed(const conn *c);
/* The peer sent its end of stream. */
bool conn_eof(const conn *c);

/* "192.0.2.1:443", "[::1]:80", "unix". out holds NET_ADDRESS_TEXT bytes. */
#define NET_ADDRESS_TEXT 64
void net_address_text(const struct sockaddr *sa, socklen_t n, char out[NET_ADDRESS_TEXT]);

#endif
