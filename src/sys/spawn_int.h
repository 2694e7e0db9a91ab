/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between spawn.c (parent), spawn_child.c (between clone and exec), sandbox_mount.c and
 * sandbox_lease.c. All here is computed by the parent; the child only reads it.
 */
#ifndef BH_SYS_SPAWN_INT_H
#define BH_SYS_SPAWN_INT_H

#include <linux/filter.h>
#include <sys/types.h>

#include "base/arena.h"
#include "sys/spawn.h"

/* One row per step of the child, in the order in which they are taken; the word is for errors. */
#define SPAWN_STEPS(X)                                                                             \
    X(STEP_RELEASE, "wait for the launcher")                                                       \
    X(STEP_INSIDE_UID, "take the uid of its user namespace")                                       \
    X(STEP_NAMESPACE, "make its cgroup namespace")                                                 \
    X(STEP_PRIVATE, "make its mounts private")                                                     \
    X(STEP_CLONE, "open a mount")                                                                  \
    X(STEP_ROOT, "make its root")                                                                  \
    X(STEP_PLACE, "place a mount in its root")                                                     \
    X(STEP_TMPFS, "mount a tmpfs")                                                                 \
    X(STEP_PROC, "mount /proc")                                                                    \
    X(STEP_PIVOT, "change to its root")                                                            \
    X(STEP_NETWORK, "bring its loopback interface up")                                             \
    X(STEP_FDS, "arrange its descriptors")                                                         \
    X(STEP_LIMITS, "set its limits")                                                               \
    X(STEP_BOUNDING, "drop its bounding set")                                                      \
    X(STEP_UID, "take its uid")                                                                    \
    X(STEP_CAPS, "drop its capabilities")                                                          \
    X(STEP_PARENT, "tie it to its launcher")                                                       \
    X(STEP_LANDLOCK, "set its Landlock rules")                                                     \
    X(STEP_CWD, "enter its working folder")                                                        \
    X(STEP_FILTER, "load its seccomp list")                                                        \
    X(STEP_INIT, "start its init")                                                                 \
    X(STEP_EXEC, "execute its program")

enum spawn_step {
#define X(name, words) name,
    SPAWN_STEPS(X)
#undef X
        STEP_COUNT
};

/* What the child writes to its CLOEXEC pipe when a step fails. */
struct spawn_failure {
    int step, error, index;
};

/* A mount on its way into a root. */
struct spawn_mount {
    const char *base, *path; /* as in sandbox_mount */
    const char *inside;      /* without the first slash */
    int fd;                  /* detached mount made by the parent, or -1: the child clones it */
    bool writable, exec, device, optional;
};

struct spawn_link {
    const char *inside, *to;
};
struct spawn_file {
    const char *inside, *text;
};
struct spawn_limit {
    int resource;
    uint64_t value;
};

struct spawn_child {
    const struct sandbox_row *row;
    enum sandbox_level level;
    bool user_namespace, own_root;
    uint32_t inside_uid; /* with a user namespace */
    uint32_t uid;        /* without one: uid and gid to take, 0 for none */
    bool drop_groups, drop_caps;
    int clone_flags;

    struct spawn_mount mounts[SANDBOX_MOUNTS_MAX + 48];
    size_t mount_n;
    struct spawn_link links[16];
    size_t link_n;
    struct spawn_file files[4];
    size_t file_n;
    const char *const *dirs;
    struct {
        const char *path, *inside, *options; /* path: below the place where the root is built */
        bool exec;
    } tmpfs[8];
    size_t tmpfs_n;

    struct spawn_limit limits[12];
    const int *nice;
    size_t limit_n;
    int landlock_abi;
    struct sandbox_rule rules[SANDBOX_MOUNTS_MAX + 48];
    size_t rule_n;
    bool rules_on;
    const struct sock_fprog *filter;

    struct spawn_fd fds[SPAWN_FDS_MAX];
    size_t fd_n;
    int null_fd, go_fd, error_fd, exe_fd;
    const char *exe, *cwd; /* exe NULL: exe_fd */
    char *const *argv, *const *envp;
};

/* Where a root is put together before it becomes one: a folder that every Linux has and that no
 * mount of ours comes from. */
#define SPAWN_STAGE "/proc"

/* Never returns: execs, or writes a spawn_failure and exits. */
void spawn_child_main(const struct spawn_child *c) __attribute__((noreturn));

/* sandbox_mount.c. The first two make only system calls and return a descriptor or -errno. */
/* Opens base, and path strictly below it. */
int sandbox_mount_open(const char *base, const char *path);
/* A detached copy of what `at` shows, with these flags set on it. */
int sandbox_mount_clone(int at, bool recursive, bool writable, bool exec, bool device);
/* A place inside a root, links not followed. */
int sandbox_mount_place(int root, const char *inside);
int sandbox_mount_move(int tree, int place);
/* At level full: the detached mount that the child only has to move; with the owner's mapping. */
err *sandbox_mount_make(const struct sandbox_mount *m, uint32_t uid, int *ret_fd) BH_CHECK;
err *sandbox_mount_check(const struct sandbox_mount *m) BH_CHECK;
/* Writes the one-line maps of a new user namespace: inside ↔ outside. */
err *sandbox_write_maps(pid_t pid, uint32_t inside, uint32_t outside_uid, uint32_t outside_gid,
                        bool deny_setgroups) BH_CHECK;

#endif
