/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tokens: the key of the last row of a page, bound to the filter and the scope, and signed
 * (HMAC-SHA-256, first 16 bytes), so that nobody can make one up or use it with another search.
 * A page is taken by key, not by offset: it stays right while rows come and go.
 *
 * Layout before base64url: mac(16) || key bytes.
 */
#ifndef BH_REST_PAGE_H
#define BH_REST_PAGE_H

#include "rest/req.h"

/* In the request's arena. `filter`: whatever determines the order and the set (filter text, order). */
str page_token_make(struct req *r, str filter, str key);
/* INVALID_PARAMETER_VALUE for a token that is not ours, or of another filter. An empty token gives
 * an empty key: the first page. */
err *page_token_read(struct req *r, str token, str filter, str *ret_key) BH_CHECK;

#endif
