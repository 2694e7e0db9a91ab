/* SPDX-License-Identifier: Apache-2.0 */
/* Role gateway: begin → confine → serve until drained. */
#include "gateway/gateway.h"

#include "main/main.h"
#include "main/role.h"

int role_gateway(int argc, char **argv) {
    struct role_args args;
    err *e = role_begin("gateway", argc, argv, &args);
    if (!e) e = role_confine("gateway", &args);
    if (!e) e = gateway_run(ROLE_FD_CHANNEL);
    return role_end("gateway", e);
}
