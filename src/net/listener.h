/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepting from a listening socket that somebody else opened (the supervisor; tests).
 * When descriptors run out, accepting rests for a moment instead of spinning.
 */
#ifndef BH_NET_LISTENER_H
#define BH_NET_LISTENER_H

#include "net/conn.h"

typedef struct listener listener;

/* fd: the new socket (non-blocking, close-on-exec); the callee owns it. */
typedef void listener_accept(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg);

/* Takes over fd (made non-blocking), which listens already; closed on error too. */
err *listener_new(net *n, int fd, listener_accept *on_accept, void *arg, listener **ret) BH_CHECK;
/* While paused, clients wait in the kernel's backlog. */
void listener_pause(listener *l, bool pause);
/* Closes the socket. NULL is fine. */
void listener_free(listener *l);

#endif
