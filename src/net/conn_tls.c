/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS between the socket's bytes and the owner's.
 *
 * OpenSSL never touches the socket: its BIO reads from the bytes that conn.c has just read (`win`)
 * and writes into conn_raw_write(), where records are corked like plain bytes are. So one read(2)
 * may hold many records and one sendmsg(2) takes all answers; writing never blocks, the queue only
 * grows, and its length is what back-pressure looks at.
 *
 * Invariant: bytes of `win` that OpenSSL has not taken when we return are kept in `raw`; that
 * happens only when the owner paused, so `raw` is bounded by one read.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/conn_int.h"
#include "net/tls_int.h"

struct conn_tls {
    SSL *ssl;
    str win;                   /* raw bytes that OpenSSL may take now */
    buf raw;                   /* raw bytes kept over a pause */
    bool done, failed, closed; /* handshake done; fatal error; close_notify came */
};

/* ---- the BIO ---- */

static int bio_read(BIO *b, char *out, int n) {
    conn *c = BIO_get_data(b);
    struct conn_tls *t = c->tls;
    BIO_clear_retry_flags(b);
    if (n <= 0) return 0;
    if (!t->win.n) {
        if (c->eof) return 0;
        BIO_set_retry_read(b);
        return -1;
    }
    size_t take = (size_t)n < t->win.n ? (size_t)n : t->win.n;
    memcpy(out, t->win.p, take);
    t->win = str_from(t->win, take);
    return (int)take;
}

static int bio_write(BIO *b, const char *p, int n) {
    conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n <= 0) return 0;
    conn_raw_write(c, str_n(p, (size_t)n), STR_NONE);
    return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr) {
    (void)b, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP ? 1 : 0;
}

static int bio_create(BIO *b) {
    BIO_set_init(b, 1);
    return 1;
}

static const BIO_METHOD *bio_method(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static BIO_METHOD *method;
    pthread_mutex_lock(&lock);
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "boathouse connection");
        must(method != NULL);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
        BIO_meth_set_create(method, bio_create);
    }
    pthread_mutex_unlock(&lock);
    return method;
}

/* ---- reading ---- */

static void fail(conn *c, int rc, const char *what) {
    struct conn_tls *t = c->tls;
    int kind = SSL_get_error(t->ssl, rc);
    t->failed = true;
    long verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK && !t->done) {
        ERR_clear_error();
        conn_break(c, err_new(ERR_IO_ERROR, "the peer's certificate is not accepted: %s.",
                              X509_verify_cert_error_string(verify)));
    } else if (kind == SSL_ERROR_SSL) {
        conn_break(c, tls_err(ERR_IO_ERROR, "%s", what));
    } else {
        ERR_clear_error();
        conn_break(c, err_new(ERR_IO_ERROR, "%s: the peer closed the connection.", what));
    }
}

static bool handshake(conn *c) {
    struct conn_tls *t = c->tls;
    ERR_clear_error(); /* SSL_get_error() looks at the thread's queue, whoever filled it */
    int rc = SSL_do_handshake(t->ssl);
    if (rc == 1) {
        t->done = true;
        conn_became_ready(c);
        return !c->dead;
    }
    if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ) fail(c, rc, "TLS handshake failed");
    return false;
}

static void read_records(conn *c) {
    struct conn_tls *t = c->tls;
    net *n = c->n;
    while (conn_wants_data(c) && !c->finish && !t->closed) {
        ERR_clear_error();
        int r = SSL_read(t->ssl, n->plain, RECORD_SIZE);
        if (r > 0) {
            conn_deliver(c, str_n(n->plain, (size_t)r));
            continue;
        }
        int kind = SSL_get_error(t->ssl, r);
        if (kind == SSL_ERROR_WANT_READ) return;
        if (kind == SSL_ERROR_ZERO_RETURN) {
            t->closed = true;
            c->eof = true; /* what follows a close_notify is not read */
            return;
        }
        fail(c, r, "TLS record refused");
        return;
    }
}

static void tls_in(conn *c, str raw) {
    struct conn_tls *t = c->tls;
    if (t->failed || t->closed) return;
    buf kept = t->raw;
    t->raw = (buf){0};
    if (kept.n) {
        buf_str(&kept, raw);
        raw = buf_view(&kept);
    }
    t->win = raw;
    if (t->done || handshake(c)) read_records(c);
    if (!c->dead && !t->failed && !t->closed && t->win.n) buf_str(&t->raw, t->win);
    t->win = STR_NONE;
    buf_free(&kept);
}

/* ---- writing ---- */

static void put(conn *c, const char *p, size_t n) {
    ERR_clear_error();
    int rc = SSL_write(c->tls->ssl, p, (int)n);
    if (rc <= 0) fail(c, rc, "cannot send over TLS");
}

/* From here to send_gathered() records of c are gathered, unless another connection gathers already. */
static bool gather(conn *c, size_t room) {
    net *n = c->n;
    if (n->corked) return false;
    n->corked = c;
    n->cork_n = 0;
    n->cork_room = room;
    return true;
}

static void send_gathered(conn *c, bool mine) {
    net *n = c->n;
    if (!mine || n->corked != c) return;
    str all = str_n(n->cork, n->cork_n);
    n->corked = NULL;
    n->cork_n = 0;
    conn_raw_write(c, all, STR_NONE);
}

static void tls_write(conn *c, str head, str body) {
    net *n = c->n;
    bool mine = gather(c, CORK_SIZE); /* all records of this call in one system call */
    if (head.n && head.n + body.n <= RECORD_SIZE) {
        memcpy(n->record, head.p, head.n);
        if (body.n) memcpy(n->record + head.n, body.p, body.n);
        put(c, n->record, head.n + body.n);
    } else {
        str part[2] = {head, body};
        for (int i = 0; i < 2; i++)
            for (str s = part[i]; s.n && !c->tls->failed; s = str_from(s, RECORD_SIZE))
                put(c, s.p, str_cut(s, RECORD_SIZE).n);
    }
    send_gathered(c, mine);
}

/* One piece for each event, so that one fast client does not hold the loop. Its records are gathered and sent by one system
 * call: a call for each would wake a reader that is faster than we are 64 times in each MiB. */
static bool tls_file(conn *c) {
    struct conn_file *f = c->file;
    net *n = c->n;
    if (conn_backlog(c) > CONN_HIGH) return true;
    ssize_t got = pread(f->fd, n->piece, f->left < (int64_t)FILE_PIECE ? (size_t)f->left : FILE_PIECE, f->at);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return conn_file_ended(c, false);
    bool mine = gather(c, FILE_CORK);
    for (str s = str_n(n->piece, (size_t)got); s.n && !c->tls->failed; s = str_from(s, RECORD_SIZE))
        put(c, s.p, str_cut(s, RECORD_SIZE).n);
    f->at += got;
    f->left -= got;
    send_gathered(c, mine);
    if (c->broken) return false;
    return f->left > 0 || conn_file_ended(c, true);
}

static void tls_bye(conn *c) {
    struct conn_tls *t = c->tls;
    if (t->done && !t->failed) SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* ---- life ---- */

static void tls_release(conn *c) {
    struct conn_tls *t = c->tls;
    if (!t) return;
    SSL_free(t->ssl);
    buf_free(&t->raw);
    free(t);
    c->tls = NULL;
}

const struct conn_kind conn_kind_tls = {.name = "tls",
                                        .raw_in = tls_in,
                                        .write = tls_write,
                                        .file = tls_file,
                                        .bye = tls_bye,
                                        .release = tls_release};

err *conn_tls_begin(conn *c, struct tls_context *context, const char *name) {
    SSL *ssl = NULL;
    TRY(tls_ssl_new(context, name, &ssl));
    BIO *b = BIO_new(bio_method());
    struct conn_tls *t = calloc(1, sizeof(*t));
    must(b != NULL && t != NULL);
    BIO_set_data(b, c);
    SSL_set_bio(ssl, b, b);
    t->ssl = ssl;
    c->tls = t;
    c->kind = &conn_kind_tls;
    return NULL;
}

const char *conn_tls_version(const conn *c) {
    return c->tls && c->tls->done ? SSL_get_version(c->tls->ssl) : "";
}

bool conn_tls_resumed(const conn *c) {
    return c->tls && c->tls->done && SSL_session_reused(c->tls->ssl) == 1;
}
