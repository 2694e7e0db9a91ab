/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates in DATA/tls: our own CA (ca.pem, ca.key), a server certificate signed by it
 * (server.pem, server.key), renewed 30 days before its end or when tls.names grows, and bundle.pem
 * (the system's roots and our CA) for clients. With tls.certificate and tls.key set, those are used.
 */
#ifndef BH_MAIN_TLS_SETUP_H
#define BH_MAIN_TLS_SETUP_H

#include "base/buf.h"
#include "sys/settings.h"

/* Makes what is missing or due, then appends the chain and key in force. */
err *tls_setup(const char *data_dir, const struct settings *s, buf *ret_chain, buf *ret_key) BH_CHECK;

#endif
