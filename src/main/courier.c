/* SPDX-License-Identifier: Apache-2.0 */
/* Role courier: begin → serve until drained. Confinement follows once its libraries are loaded. */
#include "courier/service.h"
#include "main/main.h"
#include "main/role.h"

int role_courier(int argc, char **argv) {
    struct role_args args;
    err *e = role_begin("courier", argc, argv, &args);
    if (!e) e = role_confine("courier", &args);
    if (!e) e = courier_run(ROLE_FD_CHANNEL);
    return role_end("courier", e);
}
