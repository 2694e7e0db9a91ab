/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program boathouse-engine, role engine: begin → confine → DuckDB opened → wait for an owner → statements
 * until control is gone. A program of its own, so that no other process pays for DuckDB's pages.
 */
#include <stdio.h>
#include <string.h>

#include "engine/worker/worker.h"
#include "main/role.h"

#ifdef BH_SANITIZE
/* Looking for leaks at the end of a process takes ptrace, which the sandboxes refuse. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "role:engine") != 0) {
        fprintf(stderr, "boathouse-engine is started by `boathouse serve`.\n");
        return 2;
    }
    struct role_args args;
    err *e = role_begin("engine", argc - 1, argv + 1, &args);
    if (!e) e = role_confine("engine", &args);
    if (!e) e = worker_run(ROLE_FD_CHANNEL, strcmp(args.level, "reduced") == 0);
    return role_end("engine", e);
}
