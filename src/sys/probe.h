/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine offers to sandboxes, tried rather than guessed: a table of probes, each run in
 * a child of its own. `boathouse doctor` prints it; the supervisor takes its level from it.
 */
#ifndef BH_SYS_PROBE_H
#define BH_SYS_PROBE_H

#include "sys/sandbox.h"

enum probe_need { PROBE_FULL = 1, PROBE_USER = 2, PROBE_ALL = 4, PROBE_GOOD = 8 };

struct probe {
    const char *name, *what;
    int need;            /* which levels cannot do without it; PROBE_GOOD: none, but it is better */
    const char *way_out; /* what a person can do when it is missing */
    int (*run)(char *detail, size_t cap); /* 0 or -errno; detail may be written in both cases */
};
extern const struct probe probes[];
extern const size_t probe_count;

struct probe_result {
    bool ok;
    int error; /* errno when not ok */
    char detail[96];
};
/* Runs one probe in a child; a crash of it is a result too. */
err *probe_run(const struct probe *p, struct probe_result *ret) BH_CHECK;

/* The best level that works here: full as root, else user, else an error that names what is missing
 * and the way out. `wanted`: "auto", "full", "user" or "reduced"; anything less than wanted is an
 * error, never a silent step down. */
err *probe_level(str wanted, enum sandbox_level *ret) BH_CHECK;

#endif
