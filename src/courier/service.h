/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier as a process: orders come as frames, threads carry them out, outcomes go back.
 *
 * A life of one put:
 *   control                         courier
 *   courier_order (put, fd) ──────▶ a thread of the lane "in" reads the body from fd
 *                                   … end of the body: waits
 *   courier_commit (ok, size) ────▶ makes it an object, if it counted the same size
 *                            ◀───── courier_result
 * A get: courier_result with the head, the bytes into fd, courier_result with the end.
 * Lanes keep the long from holding up the short: head, list and their like never wait behind
 * bodies.
 *
 * When control's channel closes, what it ordered is cut off: descriptors are shut down, puts that
 * were not confirmed are thrown away.
 */
#ifndef BH_COURIER_SERVICE_H
#define BH_COURIER_SERVICE_H

#include "ipc/chan.h"
#include "ipc/order.h"
#include "sys/settings.h"

#define COURIER_MAX_ORDERS 4096u

typedef struct courier courier;

err *courier_new(loop *l, courier **ret) BH_CHECK;
/* Cuts off what runs, waits for the threads. */
void courier_free(courier *c);
/* (Re)opens the storage of storage.root. An error leaves what was there. With a local root every
 * order is refused: control reaches that itself. */
err *courier_set(courier *c, const struct settings *s) BH_CHECK;
/* A channel of control; takes over fd. */
err *courier_add_control(courier *c, int fd) BH_CHECK;
/* Takes nothing new; on_drained is called on the loop when nothing runs any more. */
void courier_drain(courier *c, void (*on_drained)(void *arg), void *arg);
/* Orders accepted and not finished. */
size_t courier_running(const courier *c);

/* The role: serves until drained or its supervisor is gone. */
err *courier_run(int supervisor_fd) BH_CHECK;

#endif
