/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the Authorization header to a principal, by facts alone; runs in control and in the gateway.
 * Accepted: `Bearer <personal access token>`, `Basic token:<token>` (base64), `Bearer <OAuth access
 * token>` (a JWT that we signed: ES256, kid of a known signer; verified once, then cached by hash).
 */
#ifndef BH_POLICY_CREDENTIAL_H
#define BH_POLICY_CREDENTIAL_H

#include "policy/facts.h"

struct credential {
    struct fact_principal *principal;
    int64_t workspace;  /* the one that the credential is bound to; 0: any of the account */
    const char *kind;   /* "pat" or "oauth" */
    const char *id;     /* token id, for the audit; "" for OAuth */
    int64_t expires_us; /* 0: never */
    bool note;          /* a personal access token whose use is to be noted: the first within an hour */
};

/* UNAUTHENTICATED with a message when missing, malformed, unknown, expired, of an inactive or
 * unknown principal. `ret` points into the facts and is valid until their next change. */
err *credential_check(struct facts *f, str authorization, int64_t now_us, struct credential *ret)
    BH_CHECK;

/* SHA-256 of a token's text: the key of its fact and of its row. */
void credential_hash(str token, unsigned char out[32]);

/* What our JWTs hold. */
struct jwt_claims {
    int64_t principal, workspace, issued_us, expires_us;
    char jti[40];
};
/* Signs with an EC P-256 private key in PEM; the text is appended to out. */
err *jwt_sign(const char *kid, str private_pem, const struct jwt_claims *c, buf *out) BH_CHECK;
err *jwt_verify(const struct facts *f, str token, struct jwt_claims *ret) BH_CHECK;

#endif
