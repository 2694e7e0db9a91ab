/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway: terminates HTTP and TLS, answers invocations by facts and plans, passes everything
 * else to control, and moves bodies between clients and descriptors. It opens no store and vouches
 * only for transport facts.
 */
#ifndef BH_GATEWAY_GATEWAY_H
#define BH_GATEWAY_GATEWAY_H

#include "base/err.h"

/* Runs on the supervisor's channel until drained. */
err *gateway_run(int supervisor_fd) BH_CHECK;

#endif
