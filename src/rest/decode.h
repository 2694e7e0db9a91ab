/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a raw request to r->args: path parameters, query string, body (JSON or form), merged and
 * validated by the row's schema.
 */
#ifndef BH_REST_DECODE_H
#define BH_REST_DECODE_H

#include "rest/route.h"

/* Splits target into path and query, finds the row. ENDPOINT_NOT_FOUND where there is none. */
err *decode_route(struct req *r, const router *t, str target, struct route_match *ret) BH_CHECK;
/* Needs decode_route() done. May run on any thread. */
err *decode_args(struct req *r, const struct route_match *m) BH_CHECK;

#endif
