/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting processes in sandboxes: the one place where we clone and exec.
 * A plan is checked and everything that can be computed is, before the clone; the child then only
 * makes system calls. A failure in the child, exec included, comes back as the error of
 * spawn_run(), naming the step. Call from one thread that lives as long as its children: they die
 * with it.
 */
#ifndef BH_SYS_SPAWN_H
#define BH_SYS_SPAWN_H

#include <sys/types.h>

#include "sys/cgroup.h"
#include "sys/sandbox.h"

#define SPAWN_FDS_MAX 64u

struct spawn_fd {
    int fd; /* ours; stays open here */
    int as; /* its number in the child, below 256; 0, 1, 2 are /dev/null unless named */
};

struct spawn_plan {
    const struct sandbox_row *row;
    enum sandbox_level level;
    /* Path inside the sandbox (at level reduced and for profile none: on the host). NULL: this very
     * program, which is then found at SANDBOX_EXE. */
    const char *exe;
    char *const *argv; /* NULL at the end */
    char *const *envp; /* built by the caller: the child gets nothing of our own */
    const char *cwd;   /* inside; NULL: "/" (profile none: unchanged) */
    const struct spawn_fd *fds;
    size_t fd_n;
    const struct sandbox_mount *mounts; /* present from the start; owners' come by lease */
    size_t mount_n;
    uint64_t memory_mb;         /* 0: the row's */
    uint32_t pids, cpu_percent, cpu_weight; /* 0: the row's */
    const int *nice;            /* of the child; NULL: ours */
    uint32_t uid;               /* outside uid at level full; 0: by the row's rule */
    cgroups *groups;            /* NULL: no limits but rlimits */
};

/* A running child. Zero-initialised is "none", and so is what spawn_release() leaves. */
struct spawned {
    pid_t pid;
    int pidfd; /* readable when it has ended */
    const struct sandbox_row *row;
    enum sandbox_level level;
    uint32_t uid; /* outside */
    bool leased;
    cgroup *group; /* NULL without */
    /* Its namespaces, opened while it still was a copy of us; -1 where the row takes no lease. */
    int user_ns, mount_ns;
};

/* How it ended. */
struct spawn_end {
    bool by_signal;
    int code;            /* exit code, or the signal */
    bool out_of_memory;  /* its cgroup killed for memory */
    uint64_t peak_bytes; /* of its cgroup, 0 if unknown */
    int64_t cpu_us;
};

/* What spawn_run() would refuse before it clones. */
err *spawn_check(const struct spawn_plan *plan) BH_CHECK;
/* Returns when the program runs (exec succeeded). Release with spawn_wait() + spawn_release(). */
err *spawn_run(const struct spawn_plan *plan, struct spawned *ret) BH_CHECK;
/* Waits for its end at most timeout_ms (-1: for ever); DEADLINE_EXCEEDED if it still runs. */
err *spawn_wait(struct spawned *p, int timeout_ms, struct spawn_end *ret) BH_CHECK;
/* SIGTERM: asks it to drain. No error if it is gone. */
void spawn_terminate(const struct spawned *p);
/* SIGKILL to it and to all it started. */
void spawn_kill(const struct spawned *p);
/* Kills if it still runs, reaps, closes, removes its cgroup. Fine twice and on zero. */
void spawn_release(struct spawned *p);
/* "exit 1", "signal 9 (killed: out of memory)", for logs. */
void spawn_describe(const struct spawn_end *end, buf *out);

#endif
