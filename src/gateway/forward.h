/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who really asks, when a proxy stands before us. `Forwarded` (RFC 7239), else `X-Forwarded-For`,
 * `-Proto` and `-Host`, count only as far as they were written by addresses of net.trusted_proxies:
 * read from the right, the first address that is not trusted is the client. Anyone else's headers of
 * these names are ignored.
 */
#ifndef BH_GATEWAY_FORWARD_H
#define BH_GATEWAY_FORWARD_H

#include "base/arena.h"
#include "net/http.h"
#include "sys/settings.h"

struct forward {
    str peer; /* "192.0.2.1:50000", "[2001:db8::1]:0"; port 0 where a header named none */
    bool tls;
    str host;
};

/* What the connection and its trusted proxies say. Texts live in the arena or the request. */
struct forward forward_of(arena *a, const struct settings *s, const struct http_request *req);

/* Is the address (without port) one of the comma separated addresses and CIDR blocks? */
bool forward_trusted(str list, str address);

#endif
