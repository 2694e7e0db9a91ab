/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text side of the index relay (index.h), without sockets: addresses inside a builder's sandbox,
 * its requests, and pages of the index whose links are turned so that they lead through the relay.
 *
 *   https://host:8443/simple/x/?a   is, inside,   /-/https/host:8443/simple/x/?a
 */
#ifndef BH_COURIER_INDEX_TEXT_H
#define BH_COURIER_INDEX_TEXT_H

#include "base/err.h"

#define INDEX_HEAD_MAX 16384u
#define INDEX_PAGE_MAX (64u << 20)

/* "https://host:8443" and the rest, "/simple/x/?a". Slices of one text. */
struct index_url {
    str scheme, host, rest; /* host with its port; rest begins with '/' or is empty */
};

struct index_ask {
    bool head_only;
    struct index_url url;
    str accept, range; /* p NULL: not given */
};

/* False for anything but http(s)://host[:port][/…] of plain characters (no user part). */
bool index_url_read(str url, struct index_url *ret);
bool index_same_origin(const struct index_url *a, const struct index_url *b);
/* Appends scheme://host rest, and the same as it is called inside. */
void index_url_put(buf *b, const struct index_url *u);
void index_url_put_inside(buf *b, const struct index_url *u);

/* Reads a request's head up to and with its empty line. Only GET and HEAD of inside addresses. The
 * slices point into head. */
err *index_read_ask(str head, struct index_ask *ret) BH_CHECK;

/* Appends the page (HTML or JSON of an index) with its absolute links turned; `at` is the page's own
 * place. seen is told of every place that a link leads to. */
void index_turn_page(str page, const struct index_url *at, buf *out,
                     void (*seen)(void *arg, const struct index_url *u), void *arg);
/* One link (also of a Location header), appended as above. */
void index_turn_link(str link, const struct index_url *at, buf *out,
                     void (*seen)(void *arg, const struct index_url *u), void *arg);

#endif
