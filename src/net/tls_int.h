/* SPDX-License-Identifier: Apache-2.0 */
/* For conn_tls.c: from a context to one connection's SSL. */
#ifndef BH_NET_TLS_INT_H
#define BH_NET_TLS_INT_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* A new SSL of the certificate in use now; a server's or a client's according to the context.
 * name: client only, the host name or address to verify and to send as SNI. */
err *tls_ssl_new(tls_context *t, const char *name, SSL **ret) BH_CHECK;
bool tls_is_server(const tls_context *t);
/* An error from OpenSSL's queue, which is emptied. */
#define tls_err(code, ...) tls_err_make(code, __FILE__, __LINE__, __func__, __VA_ARGS__)
err *tls_err_make(err_code code, const char *file, int line, const char *func, const char *fmt, ...)
    BH_PRINTF(5, 6) BH_CHECK;
/* A read-only BIO over the text, which must live as long. */
err *tls_pem_bio(str pem, BIO **ret) BH_CHECK;

#endif
