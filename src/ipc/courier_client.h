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

/* ---- further stores: storage credentials of the catalog ---- */

/* Makes the store known to the courier, now and whenever that restarts. config: JSON {"bucket","endpoint","region",
 * "path_style","access_key_id","secret_access_key","session_token"}; id names exactly this configuration. Blocks until the
 * courier has it; cheap when it has. Any thread but the loop's. */
err *courier_client_place(courier_client *c, str id, str config) BH_CHECK;
/* The blocking storage over such a store, the client's; keys are the bucket's. NULL: no such place. Its calls are for any
 * thread but the loop's. */
storage *courier_client_store(courier_client *c, str id);
/* Session credentials of a store (place empty: storage.root's), as JSON {access_key_id, secret_access_key, session_token,
 * expires}, for what the policy says. role empty: none. Blocks; any thread but the loop's. */
err *courier_client_session(courier_client *c, arena *a, str place, str role, str policy, jval **ret) BH_CHECK;
/* Appends a sealed grant for a statement of an engine. Any thread. */
void courier_client_grant(courier_client *c, const struct order_grant *g, buf *out);
/* Loop thread: gives the courier a channel to an engine (taken over). */
void courier_client_engine(courier_client *c, int fd);
/* Loop thread: the statement's grants are over. */
void courier_client_ended(courier_client *c, uint64_t statement);

/* ---- the engine's side: a client whose channel came from control, whose orders carry grants ---- */

/* As courier_client_connect(), without a key. */
err *courier_client_join(courier_client *c, int fd) BH_CHECK;
/* A storage whose orders carry this grant. storage_free() it. */
storage *courier_client_granted(courier_client *c, str grant);

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
