/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp lists (tables/sandbox.json, "filters") as BPF programs. Built through libseccomp once per
 * process and kept; loading one is a single system call that needs no memory, so that it can be
 * done between clone and exec.
 */
#ifndef BH_SYS_FILTER_H
#define BH_SYS_FILTER_H

#include "base/err.h"
#include "sys/gen_sandbox.h"

enum filter_default { FILTER_DEFAULT_ALLOW, FILTER_DEFAULT_REFUSE, FILTER_DEFAULT_KILL };

/* Rules on arguments; what each does stands at its function in filter.c. */
enum {
    FILTER_CLONE_NO_NAMESPACES = 1,
    FILTER_CLONE_THREADS = 2,
    FILTER_CLONE3_ENOSYS = 4,
    FILTER_SOCKET_COMMON = 8,
    FILTER_SOCKET_INET_UNIX = 16,
    FILTER_IOCTL_COMMON = 32,
    FILTER_MEMORY_NO_EXEC = 64,
    FILTER_FCNTL_SEALS = 128
};

struct filter_row {
    const char *name;
    enum filter_default def;
    int refuse;               /* errno of what is refused */
    const char *const *calls; /* allowed ones; with FILTER_DEFAULT_ALLOW the refused ones */
    int rules;
};
extern const struct filter_row filter_rows[FILTER_COUNT];

struct sock_fprog;
/* The program of a list; NULL in *ret for FILTER_COUNT. Belongs to the process. Thread-safe. */
err *filter_program(enum filter_id id, const struct sock_fprog **ret) BH_CHECK;
/* Loads it into this thread: 0 or -errno. no_new_privs must be set. Async-signal-safe. */
int filter_load(const struct sock_fprog *program);

#endif
