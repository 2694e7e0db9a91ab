/* SPDX-License-Identifier: Apache-2.0 */
/* What the OAuth files of this folder share. */
#ifndef BH_API_IDENTITY_OAUTH_INT_H
#define BH_API_IDENTITY_OAUTH_INT_H

#include "identity/codes.h"
#include "identity/identity.h"

/* The codes that wait to be redeemed; control's loop only. */
struct codes *oauth_codes(void);

/* Answers with an error of OAuth's own shape (RFC 6749 §5.2) and ends the request; returns NULL, so
 * that what a write step did is kept. */
err *oauth_refuse(struct req *r, int status, const char *code, const char *why);

#endif
