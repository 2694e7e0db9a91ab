/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sandbox profiles (tables/sandbox.json) and what is done to a process after it was started:
 * mounting an owner's folders into it (the lease) and what it adds itself (confinement).
 * Starting one is sys/spawn.h.
 *
 * A process lives through three stages; each only takes rights away or adds a read-only view:
 *   1. spawn    namespaces, own root, limits, no capabilities, first seccomp list. It has no owner
 *               and sees nothing of anybody; it may wait like this in a pool.
 *   2. lease    the launcher mounts the owner's folders at the row's empty folders. At most once in
 *               a process's life: what had an owner is never given to another.
 *   3. confine  the process, before it reads the first byte of an owner's data, calls
 *               sandbox_confine(): Landlock rules and the narrow seccomp list of its row. Programs
 *               that are not ours (Python) have their whole list from stage 1 on.
 *
 * Levels. full: needs root; every row as it stands. user: an ordinary user; every row that has
 * namespaces gets a user namespace too, its processes have the user's own uid outside, and limits
 * of memory and processes are rlimits where no cgroup was delegated. reduced: no namespaces; only
 * rlimits, seccomp and Landlock, and no lease (the owner's folders are named at the start).
 */
#ifndef BH_SYS_SANDBOX_H
#define BH_SYS_SANDBOX_H

#include "base/err.h"
#include "sys/gen_sandbox.h"

enum sandbox_level { SANDBOX_FULL, SANDBOX_USER, SANDBOX_REDUCED };

enum {
    SANDBOX_NS_USER = 1,
    SANDBOX_NS_PID = 2,
    SANDBOX_NS_MOUNT = 4,
    SANDBOX_NS_NET = 8,
    SANDBOX_NS_IPC = 16,
    SANDBOX_NS_UTS = 32,
    SANDBOX_NS_CGROUP = 64
};
enum sandbox_root { SANDBOX_ROOT_HOST, SANDBOX_ROOT_LIBS, SANDBOX_ROOT_SYSTEM };
enum sandbox_uid_rule { SANDBOX_UID_KEEP, SANDBOX_UID_ROLE, SANDBOX_UID_LEASE };
enum { SANDBOX_READ = 1, SANDBOX_WRITE = 2, SANDBOX_EXEC = 4 };
enum { SANDBOX_NO_BIND = 1, SANDBOX_NO_CONNECT = 2 };

/* The uid and gid that a process with its own user namespace has inside. */
#define SANDBOX_INSIDE_UID 1000u
/* Own program's place in a sandbox's root. */
#define SANDBOX_EXE "/boathouse"
#define SANDBOX_MOUNTS_MAX 32u

struct sandbox_rule {
    const char *path; /* NULL ends a list */
    int rights;
};
struct sandbox_tmpfs {
    const char *path; /* NULL ends a list */
    int mb;
    bool exec;
};

struct sandbox_row {
    const char *name, *doc;
    int namespaces;
    enum sandbox_root root;
    bool init;               /* a small init of ours is its pid 1: reaps, passes SIGTERM on */
    bool loopback;           /* 127.0.0.1 is up in its network namespace */
    const char *const *ro;   /* system paths; "?" first: fine if missing */
    const char *const *dirs; /* empty folders for leases */
    const struct sandbox_tmpfs *tmpfs;
    enum sandbox_uid_rule uid_rule;
    uint32_t uid_number;
    uint64_t caps; /* supervisor: the capabilities it keeps */
    enum filter_id filter, confine_filter;
    const struct sandbox_rule *rules, *confine_rules; /* NULL: no Landlock for files */
    int deny_tcp, confine_deny_tcp;
    uint64_t rlimit_as_mb, rlimit_cpu_s, rlimit_nofile, rlimit_nproc, rlimit_fsize_mb;
    uint64_t memory_mb;
    uint32_t pids, cpu_percent, cpu_weight;
};
extern const struct sandbox_row sandbox_rows[SANDBOX_COUNT];

/* Row by name, or NULL. */
const struct sandbox_row *sandbox_by_name(str name);
const char *sandbox_level_name(enum sandbox_level level);
bool sandbox_level_by_name(str name, enum sandbox_level *ret);

/*
 * A folder or file of the host made visible in a sandbox: `base` is a trusted path (links in it are
 * followed), `path` below it is not (no links, no "..", no other file system on the way); NULL path
 * is base itself. Mounted nosuid, nodev, and noexec unless `exec`.
 * `as_owner`: whoever owns the folder on disk is the sandbox's own user inside, in both directions
 * (idmapped mount), so that nothing is ever chowned. Level full only; at level user it is so
 * anyway.
 */
struct sandbox_mount {
    const char *base, *path, *inside;
    bool writable, exec, as_owner;
};

struct spawned;
/*
 * Mounts the owner's folders at `inside` paths that are among the row's `dirs`. Either all of them
 * are there afterwards or the error says which failed, and the caller must then kill the process.
 * Blocks for about 2 ms. INVALID_STATE where the process has no mount namespace (level reduced,
 * profile none) or had a lease before.
 */
err *sandbox_lease(struct spawned *p, const struct sandbox_mount *mounts, size_t n) BH_CHECK;

/*
 * Called by a process of ours in itself, before it starts a thread and before it reads what others
 * wrote: Landlock and seccomp of the row's `confine` part; the supervisor also drops capabilities.
 * A kernel without Landlock is an error unless `level` is reduced. At level reduced, where the
 * process has the host's files, only the seccomp list and the TCP rules are added: its file rules
 * were set at its start.
 */
err *sandbox_confine(const struct sandbox_row *row, enum sandbox_level level) BH_CHECK;

#endif
