/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One order, carried out: plain functions that block, for the threads of service.c and for tests.
 */
#ifndef BH_COURIER_COURIER_H
#define BH_COURIER_COURIER_H

#include "ipc/order.h"

/* How an order that moves bytes meets the outside world. */
struct courier_hooks {
    /* A put's body has ended after `size` bytes; an error throws it away. NULL: always whole. */
    err *(*confirm)(void *arg, int64_t size, const unsigned char sha256[32]);
    /* A get's object is found; the bytes follow. Optional. */
    void (*head)(void *arg, const struct storage_info *info);
    void *arg;
    int idle_ms; /* how long a peer of the descriptor may do nothing; 0: 120 s */
};

/* Verifies the token and the time, then reads the order. Memory is the arena's and the text's. */
err *courier_accept(arena *a, const unsigned char key[ORDER_KEY_SIZE], str verb, str json,
                    str token, int64_t now, struct order *ret) BH_CHECK;

/* Does it. fd: where a put's or part's body comes from, where a get's goes (a blocking or
 * non-blocking stream socket, pipe or file); -1 for other verbs; stays the caller's. The outcome is
 * appended to ret as JSON (ipc/order.h). */
err *courier_act(arena *a, storage *s, const struct order *o, int fd, const struct courier_hooks *h,
                 buf *ret) BH_CHECK;

#endif
