/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths to rows. A trie over path segments; a literal segment wins over a {parameter}, which wins
 * over a final {parameter*} that takes the rest with its slashes.
 */
#ifndef BH_REST_ROUTE_H
#define BH_REST_ROUTE_H

#include "rest/req.h"

#define ROUTE_MAX_PARAMS 8

struct route_match {
    const struct route_row *row;
    struct {
        str name, value; /* value still percent-encoded */
    } params[ROUTE_MAX_PARAMS];
    int n;
    bool other_method; /* the path exists, with another method */
};

/* All handlers of the row are linked. */
bool route_served(const struct route_row *r);

typedef struct router router;
router *router_new(const struct route_row *rows, size_t n);
void router_free(router *t);
/* row NULL: nothing matches. A trailing slash is ignored. */
struct route_match router_find(const router *t, str method, str path);

#endif
