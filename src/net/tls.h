/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS contexts (OpenSSL 3). A server context may be reloaded while connections use it: those that
 * exist keep what they began with, new ones get the new certificate. TLS 1.2 and 1.3; ECDHE with
 * AEAD only; no renegotiation, no compression, no early data. Sessions are resumed from stateless
 * tickets under keys that rotate and survive a reload. Thread-safe: one context may serve several
 * loops.
 */
#ifndef BH_NET_TLS_H
#define BH_NET_TLS_H

#include "base/err.h"

typedef struct tls_context tls_context;

/* PEM texts: the certificate with its chain (server's first), and its unencrypted key. */
err *tls_server_new(str cert_chain, str key, tls_context **ret) BH_CHECK;
/* All or nothing: after an error the old certificate stays in use. */
err *tls_server_reload(tls_context *t, str cert_chain, str key) BH_CHECK;
/* Ticket keys change every `us` (12 h); the one before still decrypts, so a ticket lives up to
 * twice that. */
void tls_server_set_ticket_life(tls_context *t, int64_t us);

/* Verifies the peer against these PEM certificates; an empty text means the system's roots. */
err *tls_client_new(str ca_bundle, tls_context **ret) BH_CHECK;

/* Connections in use keep what they need. NULL is fine. */
void tls_free(tls_context *t);

/* Where the certificate in use ends (UTC microseconds). */
int64_t tls_server_not_after(tls_context *t);

#endif
