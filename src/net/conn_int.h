/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of connections: shared by conn.c (bytes and the kernel) and conn_tls.c (TLS in between).
 */
#ifndef BH_NET_CONN_INT_H
#define BH_NET_CONN_INT_H

#include "net/conn.h"

#define CONN_MAGIC 0xc0220001u
#define NET_MAGIC 0x4e370001u
#define RECORD_SIZE (16u * 1024u)
#define CORK_SIZE (64u * 1024u) /* below CONN_HIGH: whoever stops there is told when it may go on */
#define FILE_PIECE (16u * RECORD_SIZE) /* of a file, over TLS: read at once, sent at once */
#define FILE_CORK (FILE_PIECE + FILE_PIECE / RECORD_SIZE * 256u) /* its records, heads and tags included */

/*
 * What a kind of connection does with bytes. `raw` bytes are those of the socket.
 *   raw_in   bytes came (may be empty: what was kept is to be looked at again)
 *   write    bytes of the owner; ends in conn_raw_write()
 *   file     sends some of c->file; false: nothing more can be done now
 *   bye      the goodbye of the protocol, before the last flush
 */
struct conn_kind {
    const char *name;
    void (*raw_in)(conn *c, str raw);
    void (*write)(conn *c, str head, str body);
    bool (*file)(conn *c);
    void (*bye)(conn *c);
    void (*release)(conn *c);
};

struct net {
    uint32_t magic;
    loop *l;
    size_t conns;
    conn *corked; /* whose bytes gather in `cork` */
    size_t cork_n, cork_room;
    char rbuf[NET_READ_SIZE]; /* what read(2) gave */
    char cork[FILE_CORK];
    char plain[RECORD_SIZE];  /* one decrypted record */
    char record[RECORD_SIZE]; /* head and body joined for one record */
    char piece[FILE_PIECE];
};

struct conn_file {
    int fd;
    off_t at;
    int64_t left; /* > 0: sending */
    void (*done)(conn *c, bool ok, void *arg);
};

struct conn {
    uint32_t magic;
    net *n;
    const struct conn_kind *kind;
    const struct conn_events *ev;
    void *arg;
    loop_watch watch;
    loop_timer timer; /* fires at or before `deadline` */
    loop_timer kick;  /* work that must not happen inside the owner's call */
    int64_t deadline, progress;
    buf in;  /* plain bytes that the owner left */
    buf out; /* raw bytes that the kernel left */
    size_t out_at;
    struct conn_file *file; /* NULL until the first one */
    struct conn_tls *tls;
    err *broken;  /* told by the kick */
    uint8_t busy; /* depth of calls that still use c */
    bool connecting, ready, paused, eof, eof_told, dead, want_drain;
    bool finish, shut, bye_said, shut_done; /* ending: asked for, asked for, on its way, done */
    bool hup;                               /* out of the loop until the owner reads again */
};

/* Towards the kernel: written, corked or queued. */
void conn_raw_write(conn *c, str a, str b);
/* Plain bytes to the owner; what it leaves is kept and the connection paused. */
void conn_deliver(conn *c, str data);
/* Makes c ready: on_ready. */
void conn_became_ready(conn *c);
/* The connection is broken: on_close comes from the loop. Takes e. Only the first one counts. */
void conn_break(conn *c, err *e);
/* on_data may be called now. */
static inline bool conn_wants_data(const conn *c) {
    return !c->paused && !c->dead && !c->broken && !c->in.n;
}
bool conn_file_ended(conn *c, bool ok);

/* conn_tls.c */
extern const struct conn_kind conn_kind_tls;
err *conn_tls_begin(conn *c, struct tls_context *t, const char *name) BH_CHECK;

#endif
