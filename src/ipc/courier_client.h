/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control's side of the courier: signs orders, sends them, pairs outcomes with them. Two ways in:
 *
 *   courier_ask()          for the loop's thread: callbacks, and descriptors that go on to a
 * gateway courier_client_storage() for other threads: a blocking `storage` like any other, for what
 * control reads and writes itself
 *
 * The client outlives the courier: when a channel closes, what was asked fails with
 * TEMPORARILY_UNAVAILABLE, and courier_client_connect() takes the next channel.
 */
#ifndef BH_IPC_COURIER_CLIENT_H
#define BH_IPC_COURIER_CLIENT_H

#include "ipc/chan.h"
#include "ipc/order.h"

typedef struct courier_client courier_client;

struct courier_call {
    /* get: the object was found, its bytes follow in the descriptor. Optional. */
    void (*on_head)(void *arg, const struct storage_info *info);
    /* Once, on the loop's thread. e: NULL, or owned by the callee. outcome: JSON as ipc/order.h
     * says, valid during the call. */
    void (*on_done)(void *arg, err *e, arena *a, jval *outcome);
    void *arg;
};

/* Loop thread only, as everything here but the storage. */
courier_client *courier_client_new(loop *l);
/* Fails what is asked; the storage must not be used any more. NULL is fine. */
void courier_client_free(courier_client *c);
/* A channel to a courier (message peer); takes over fd, replaces the channel before. */
err *courier_client_connect(courier_client *c, int fd) BH_CHECK;
bool courier_client_connected(const courier_client *c);

/* Signs and sends; o->expires is set here. fd: body's descriptor for put, part and get (duplicated;
 * the caller closes its own so that the ends of bodies are seen), else -1. Returns the number for
 * courier_confirm(). */
uint64_t courier_ask(courier_client *c, struct order *o, int fd, const struct courier_call *call);
/* A put's body was `size` bytes and is whole, or (ok false) is to be thrown away. */
void courier_confirm(courier_client *c, uint64_t number, bool ok, int64_t size);

/* The client's own storage, made with it. Its calls block and are for other threads than the
 * loop's, which must be running. rename is NOT_IMPLEMENTED, as on S3. */
storage *courier_client_storage(courier_client *c);

#endif
