/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a builder of environments to the package index.
 *
 * The builder's network namespace is empty but for its loopback. It listens there, and the listener
 * comes out through control with the order "index". What connects to it asks, by GET or HEAD, for
 * addresses of index_text.h; they are fetched here, with the index's credentials, the outbound proxy
 * and the egress rules, and the answer goes back. A place that is neither the index nor linked from
 * one of its pages is refused, so nothing else of the world can be reached this way. One request a
 * connection; each has a thread while it lasts.
 */
#ifndef BH_COURIER_INDEX_H
#define BH_COURIER_INDEX_H

#include "sys/jobs.h"
#include "sys/loop.h"
#include "sys/settings.h"

struct relay;

/* Begins to answer on listener (taken over, closed on error too). INVALID_STATE if no index is set;
 * MALFORMED_REQUEST if it is no listening socket. */
err *relay_start(loop *l, jobs *threads, const struct settings *s, int listener, struct relay **ret)
    BH_CHECK;
/* Takes nothing new and cuts off what runs. on_over comes later, on the loop, once, with what went
 * through; the relay is gone then. Call once. */
void relay_stop(struct relay *r, void (*on_over)(void *arg, int64_t requests, int64_t bytes), void *arg);

#endif
