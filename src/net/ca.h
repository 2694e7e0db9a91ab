/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own certificate authority: one P-256 root (10 years) that signs the server's certificate
 * (397 days: the longest that clients accept). PEM texts in and out, no files: where they are kept
 * is the caller's matter. Times come from sys/clock. Nothing here belongs on an event loop: making
 * keys takes about a millisecond.
 */
#ifndef BH_NET_CA_H
#define BH_NET_CA_H

#include "base/err.h"

struct ca_pem {
    buf cert; /* certificate(s), PEM */
    buf key;  /* PKCS#8, PEM, not encrypted: a secret */
};
/* Wipes the key. */
void ca_pem_free(struct ca_pem *p);

/* A self-signed root. name: "Boathouse CA 7f3a…"; 1 to 64 bytes of UTF-8. */
err *ca_new(str name, struct ca_pem *ret) BH_CHECK;

struct ca_server_ask {
    const str *names; /* further host names and addresses; wildcards allowed as first label */
    size_t name_count;
    str crl_url; /* http URL of the revocation list, or empty */
};
/* A server certificate signed by `ca`, and its own new key. Names: localhost, 127.0.0.1, ::1, this
 * host's name, and those asked for. ret->cert holds the server's certificate and then the root. */
err *ca_issue_server(const struct ca_pem *ca, const struct ca_server_ask *ask,
                     struct ca_pem *ret) BH_CHECK;

/* An empty revocation list of this root (DER), for those clients that ask for one; valid `days`. */
err *ca_crl(const struct ca_pem *ca, int days, buf *ret_der) BH_CHECK;

/* Facts of the first certificate of a PEM text. */
struct ca_facts {
    int64_t not_before, not_after; /* UTC microseconds */
    bool is_ca;
};
err *ca_read(str cert, struct ca_facts *ret) BH_CHECK;
/* The first certificate ends within 30 days (or has ended, or is not readable). */
bool ca_renewal_due(str cert);
/* Does the first certificate bear all these names (host names or addresses)? For a changed
 * tls.names. */
bool ca_names_covered(str cert, const str *names, size_t n);
/* Does the first certificate name this revocation list, and no other? Empty: none at all. */
bool ca_crl_named(str cert, str url);
/* Was the first certificate of `cert` signed by `root`? */
bool ca_signed_by(str cert, str root);

#endif
