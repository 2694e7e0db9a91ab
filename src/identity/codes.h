/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization codes of OAuth (RFC 6749 §4.1, with PKCE, RFC 7636): made when a person has shown who
 * he is, redeemed once within a minute. They live in memory only: a restart ends the few sign-ins that
 * are under way, and nothing on a disk can be redeemed.
 *
 * One thread (control's loop).
 */
#ifndef BH_IDENTITY_CODES_H
#define BH_IDENTITY_CODES_H

#include "base/err.h"
#include "base/str.h"

#define CODES_MAX 1000             /* open at once; the oldest goes when one more comes */
#define CODES_LIFE_US 60000000ll
#define CODES_MAX_TEXT 512u        /* of client id, redirect URI and challenge each */

/* What a code stands for. */
struct code_grant {
    int64_t principal, workspace; /* whom and where the token that was shown acts */
    char token_id[65];            /* of that token */
    char client_id[CODES_MAX_TEXT + 1], redirect_uri[CODES_MAX_TEXT + 1];
    char challenge[CODES_MAX_TEXT + 1];
    bool offline; /* a refresh token is wanted */
    int64_t expires_us;
};

struct codes;
struct codes *codes_new(void);
/* NULL is fine. */
void codes_free(struct codes *c);
/* Sets the grant's expiry, keeps a copy, and writes the code (64 hex digits). */
void codes_put(struct codes *c, const struct code_grant *g, int64_t now_us, char ret_code[65]);
/* True once for each code, before it expires. Any try ends the code. */
bool codes_take(struct codes *c, str code, int64_t now_us, struct code_grant *ret);

/* PKCE S256: does the verifier (43 to 128 unreserved characters) give the challenge? */
bool codes_verifier_fits(str verifier, const char *challenge);
/* May a code be sent there? A client of this server is a program on the caller's machine: http to
 * localhost, 127.0.0.1 or [::1], any port, no fragment (RFC 8252 §7.3). */
bool codes_redirect_allowed(str uri);

#endif
