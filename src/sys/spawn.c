/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side. A start goes:
 *
 *   check the plan → compute struct spawn_child (paths, limits, BPF, detached mounts) → clone3 with
 *   a pidfd → write the uid maps, add to the cgroups → release the child by one byte → read the
 *   CLOEXEC pipe: end of file means that exec succeeded, bytes say which step failed.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/filter.h"
#include "sys/landlock.h"
#include "sys/rand.h"
#include "sys/spawn_int.h"

#define START_TIMEOUT_MS 10000
#define ARGS_MAX 1024
/* Uids of leases lie above those of roles; two of 2^26 are equal once in a blue moon, and then
 * still live in namespaces of their own. */
#define LEASE_UID_BASE (SANDBOX_UID_BASE + 100000u)
#define LEASE_UIDS (1u << 26)

static const char *const STEP_WORDS[STEP_COUNT] = {
#define X(name, words) words,
    SPAWN_STEPS(X)
#undef X
};

static bool isolated(const struct spawn_plan *p) {
    return p->level != SANDBOX_REDUCED && p->row->namespaces != 0;
}
static bool own_root(const struct spawn_plan *p) {
    return isolated(p) && p->row->root != SANDBOX_ROOT_HOST;
}

err *spawn_check(const struct spawn_plan *p) {
    if (!p->row || !p->argv || !p->argv[0] || !p->envp)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "a plan needs a row, arguments and environment");
    size_t args = 0;
    while (p->argv[args]) args++;
    if (args > ARGS_MAX)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%zu arguments; at most %d", args, ARGS_MAX);
    if (p->fd_n > SPAWN_FDS_MAX || p->mount_n > SANDBOX_MOUNTS_MAX)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "%zu descriptors and %zu mounts; at most %u, %u", p->fd_n, p->mount_n,
                       SPAWN_FDS_MAX, SANDBOX_MOUNTS_MAX);
    for (size_t i = 0; i < p->fd_n; i++) {
        if (p->fds[i].fd < 0 || p->fds[i].as < 0 || p->fds[i].as > 255)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "descriptor %d as %d cannot be passed",
                           p->fds[i].fd, p->fds[i].as);
        for (size_t k = 0; k < i; k++)
            if (p->fds[k].as == p->fds[i].as)
                return err_new(ERR_INVALID_PARAMETER_VALUE, "descriptor %d is given twice",
                               p->fds[i].as);
    }
    if (p->exe && p->exe[0] != '/')
        return err_new(ERR_INVALID_PARAMETER_VALUE, "not an absolute path: '%.200s'", p->exe);
    for (size_t i = 0; i < p->mount_n; i++) TRY(sandbox_mount_check(&p->mounts[i]));
    if (isolated(p) && p->level == SANDBOX_FULL && geteuid() != 0)
        return err_hint(err_new(ERR_INVALID_STATE, "sandbox level full needs root"),
                        "set sandbox.level to user, or start as root");
    return NULL;
}

/* --- computing ------------------------------------------------------------------------------ */

static struct spawn_mount *add_mount(struct spawn_child *c, const char *outside,
                                     const char *inside) {
    must(c->mount_n < ARRAY_LEN(c->mounts));
    struct spawn_mount *m = &c->mounts[c->mount_n++];
    *m = (struct spawn_mount){.base = outside, .inside = inside + 1, .fd = -1};
    return m;
}

/* /lib and the like: a link where the host has one, else its folder. */
static void add_top(struct spawn_child *c, arena *a, const char *path) {
    char to[256];
    ssize_t n = readlink(path, to, sizeof(to) - 1);
    if (n > 0) {
        must(c->link_n < ARRAY_LEN(c->links));
        c->links[c->link_n++] = (struct spawn_link){path + 1, arena_strndup(a, to, (size_t)n)};
        return;
    }
    struct spawn_mount *m = add_mount(c, path, path);
    m->exec = m->optional = true;
}

static void add_link(struct spawn_child *c, const char *inside, const char *to) {
    must(c->link_n < ARRAY_LEN(c->links));
    c->links[c->link_n++] = (struct spawn_link){inside, to};
}

static void plan_system(struct spawn_child *c, arena *a, const struct sandbox_row *row) {
    bool all = row->root == SANDBOX_ROOT_SYSTEM;
    static const char *const libs[] = {"/usr/lib", "/usr/lib32", "/usr/lib64"};
    if (all) add_mount(c, "/usr", "/usr")->exec = true;
    for (size_t i = 0; !all && i < ARRAY_LEN(libs); i++) {
        struct spawn_mount *m = add_mount(c, libs[i], libs[i]);
        m->exec = m->optional = true;
    }
    add_top(c, a, "/lib");
    add_top(c, a, "/lib64");
    if (all) {
        add_top(c, a, "/bin");
        add_top(c, a, "/sbin");
    }
    static const char *const etc[] = {"/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"};
    for (size_t i = 0; i < ARRAY_LEN(etc); i++) add_mount(c, etc[i], etc[i])->optional = true;
    for (size_t i = 0; row->ro[i]; i++) {
        const char *path = row->ro[i] + (row->ro[i][0] == '?');
        add_mount(c, path, path)->optional = row->ro[i][0] == '?';
    }
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                          "/dev/urandom"};
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        struct spawn_mount *m = add_mount(c, devices[i], devices[i]);
        m->device = m->writable = true;
    }
    add_link(c, "dev/fd", "/proc/self/fd");
    add_link(c, "dev/stdin", "/proc/self/fd/0");
    add_link(c, "dev/stdout", "/proc/self/fd/1");
    add_link(c, "dev/stderr", "/proc/self/fd/2");
}

static void plan_files(struct spawn_child *c, arena *a, const struct sandbox_row *row) {
    uint32_t u = c->user_namespace ? c->inside_uid : c->uid;
    c->files[c->file_n++] = (struct spawn_file){
        "etc/passwd", arena_printf(a,
                                   "root:x:0:0:root:/:/bin/false\nsandbox:x:%u:%u:sandbox:/tmp:"
                                   "/bin/false\n",
                                   u, u)};
    c->files[c->file_n++] =
        (struct spawn_file){"etc/group", arena_printf(a, "root:x:0:\nsandbox:x:%u:\n", u)};
    bool hosts = true;
    for (size_t i = 0; row->ro[i]; i++)
        if (strcmp(row->ro[i], "?/etc/hosts") == 0) hosts = false;
    if (hosts)
        c->files[c->file_n++] =
            (struct spawn_file){"etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"};
    for (const struct sandbox_tmpfs *t = row->tmpfs; t && t->path; t++) {
        must(c->tmpfs_n < ARRAY_LEN(c->tmpfs));
        c->tmpfs[c->tmpfs_n].path = arena_printf(a, SPAWN_STAGE "%s", t->path);
        c->tmpfs[c->tmpfs_n].inside = t->path + 1;
        c->tmpfs[c->tmpfs_n].exec = t->exec;
        c->tmpfs[c->tmpfs_n++].options = arena_printf(
            a, "mode=700,uid=%u,gid=%u,size=%dm,nr_inodes=%d", u, u, t->mb, t->mb * 256);
    }
}

/* Our own program, by its path where that still is the file we run (so that a crash report finds
 * its symbols), else by descriptor: the file was replaced by an upgrade. */
static err *plan_own_exe(struct spawn_child *c, arena *a, bool root) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    c->exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (n <= 0 || c->exe_fd < 0) return err_errno("cannot find our own program");
    path[n] = 0;
    struct stat running, there;
    if (fstat(c->exe_fd, &running) != 0 || stat(path, &there) != 0 ||
        running.st_ino != there.st_ino || running.st_dev != there.st_dev)
        return NULL;
    close(c->exe_fd);
    c->exe_fd = -1;
    const char *copy = arena_strdup(a, path);
    c->exe = root ? SANDBOX_EXE : copy;
    if (root) add_mount(c, copy, SANDBOX_EXE)->exec = true;
    return NULL;
}

static err *plan_root(const struct spawn_plan *p, struct spawn_child *c, arena *a) {
    if (!c->own_root) {
        if (p->exe)
            c->exe = p->exe;
        else
            TRY(plan_own_exe(c, a, false));
        return NULL;
    }
    plan_system(c, a, p->row);
    plan_files(c, a, p->row);
    c->dirs = p->row->dirs;
    if (p->exe)
        c->exe = p->exe;
    else
        TRY(plan_own_exe(c, a, true));
    for (size_t i = 0; i < p->mount_n; i++) {
        const struct sandbox_mount *s = &p->mounts[i];
        struct spawn_mount *m = add_mount(c, s->base, s->inside);
        m->path = s->path;
        m->writable = s->writable;
        m->exec = s->exec;
        if (p->level == SANDBOX_FULL) TRY(sandbox_mount_make(s, c->uid, &m->fd));
    }
    return NULL;
}

static void add_limit(struct spawn_child *c, int resource, uint64_t value) {
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < value)
        value = now.rlim_max; /* never above what we have */
    must(c->limit_n < ARRAY_LEN(c->limits));
    c->limits[c->limit_n++] = (struct spawn_limit){resource, value};
}

static void plan_limits(const struct spawn_plan *p, struct spawn_child *c) {
    const struct sandbox_row *row = p->row;
    const uint64_t mb = 1u << 20;
    add_limit(c, RLIMIT_CORE, 0);
    if (row->rlimit_cpu_s) add_limit(c, RLIMIT_CPU, row->rlimit_cpu_s);
    if (row->rlimit_nofile) add_limit(c, RLIMIT_NOFILE, row->rlimit_nofile);
    if (row->rlimit_fsize_mb) add_limit(c, RLIMIT_FSIZE, row->rlimit_fsize_mb * mb);
    /* Counted for each user namespace or uid of its own; without either it would count us. */
    if (row->rlimit_nproc && isolated(p))
        add_limit(c, RLIMIT_NPROC, p->pids && row->rlimit_nproc > 1 ? p->pids : row->rlimit_nproc);
#ifndef BH_SANITIZE /* shadow memory takes terabytes of addresses */
    if (row->rlimit_as_mb) add_limit(c, RLIMIT_AS, row->rlimit_as_mb * mb);
    uint64_t memory = p->memory_mb ? p->memory_mb : row->memory_mb;
    bool limited = p->groups && (cgroups_controls(p->groups) & CGROUP_MEMORY);
    if (memory && !limited) add_limit(c, RLIMIT_DATA, memory * mb);
#endif
}

static void add_rule(struct spawn_child *c, const char *path, int rights) {
    must(c->rule_n < ARRAY_LEN(c->rules));
    c->rules[c->rule_n++] = (struct sandbox_rule){path, rights};
}

/* At level reduced the process sees the host's files, so its rules name the host's paths. */
static void plan_landlock(const struct spawn_plan *p, struct spawn_child *c, arena *a) {
    c->landlock_abi = landlock_abi();
    const struct sandbox_row *row = p->row;
    c->rules_on = row->rules || row->deny_tcp || (p->level == SANDBOX_REDUCED && row->namespaces);
    for (const struct sandbox_rule *r = row->rules; own_root(p) && r && r->path; r++)
        add_rule(c, r->path, r->rights);
    if (p->level != SANDBOX_REDUCED || row->root == SANDBOX_ROOT_HOST) {
        if (c->rule_n) add_rule(c, "/dev/null", SANDBOX_READ | SANDBOX_WRITE);
        return;
    }
    static const char *const system[] = {"/usr",
                                         "/lib",
                                         "/lib64",
                                         "/bin",
                                         "/sbin",
                                         "/etc/ld.so.cache",
                                         "/etc/localtime",
                                         "/etc/passwd",
                                         "/etc/group",
                                         "/etc/hosts",
                                         "/etc/alternatives",
                                         "/proc/self",
                                         "/dev/urandom"};
    for (size_t i = 0; i < ARRAY_LEN(system); i++)
        add_rule(c, system[i], SANDBOX_READ | SANDBOX_EXEC);
    for (size_t i = 0; row->ro[i]; i++)
        add_rule(c, row->ro[i] + (row->ro[i][0] == '?'), SANDBOX_READ);
    add_rule(c, "/dev/null", SANDBOX_READ | SANDBOX_WRITE);
    if (c->exe) add_rule(c, c->exe, SANDBOX_READ | SANDBOX_EXEC);
    for (size_t i = 0; i < p->mount_n; i++) {
        const struct sandbox_mount *m = &p->mounts[i];
        add_rule(c, m->path ? arena_printf(a, "%s/%s", m->base, m->path) : m->base,
                 SANDBOX_READ | (m->writable ? SANDBOX_WRITE : 0) | (m->exec ? SANDBOX_EXEC : 0));
    }
}

static void plan_ids(const struct spawn_plan *p, struct spawn_child *c, struct spawned *ret) {
    static const struct {
        int ours, flag;
    } kinds[] = {{SANDBOX_NS_USER, CLONE_NEWUSER}, {SANDBOX_NS_PID, CLONE_NEWPID},
                 {SANDBOX_NS_MOUNT, CLONE_NEWNS},  {SANDBOX_NS_NET, CLONE_NEWNET},
                 {SANDBOX_NS_IPC, CLONE_NEWIPC},   {SANDBOX_NS_UTS, CLONE_NEWUTS}};
    for (size_t i = 0; isolated(p) && i < ARRAY_LEN(kinds); i++)
        if (p->row->namespaces & kinds[i].ours) c->clone_flags |= kinds[i].flag;
    if (isolated(p) && p->level == SANDBOX_USER) c->clone_flags |= CLONE_NEWUSER;
    c->user_namespace = c->clone_flags & CLONE_NEWUSER;
    c->inside_uid = SANDBOX_INSIDE_UID;
    uint32_t uid = geteuid();
    if (isolated(p) && p->level == SANDBOX_FULL) {
        if (p->uid)
            uid = p->uid;
        else if (p->row->uid_rule == SANDBOX_UID_ROLE)
            uid = SANDBOX_UID_BASE + p->row->uid_number;
        else if (p->row->uid_rule == SANDBOX_UID_LEASE)
            uid = LEASE_UID_BASE + (uint32_t)(rand_u64() % LEASE_UIDS);
        if (uid != geteuid()) c->uid = uid;
    }
    ret->uid = uid;
    bool confined = p->row->filter != FILTER_COUNT;
    c->drop_groups = c->uid != 0 && !c->user_namespace;
    c->drop_caps = confined && (c->user_namespace || geteuid() == 0);
}

#ifdef BH_SANITIZE
/* Leak checks need ptrace, which no sandbox has. */
static char *const *sanitizer_env(arena *a, char *const *envp) {
    size_t n = 0;
    while (envp[n]) n++;
    char **out = arena_array_of(a, char *, n + 2);
    size_t k = 0;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        found |= strncmp(envp[i], "ASAN_OPTIONS=", 13) == 0;
        out[k++] = strncmp(envp[i], "ASAN_OPTIONS=", 13) == 0
                       ? arena_printf(a, "%s:detect_leaks=0", envp[i])
                       : envp[i];
    }
    if (!found) out[k++] = arena_strdup(a, "ASAN_OPTIONS=detect_leaks=0");
    out[k] = NULL;
    return out;
}
#endif

static err *compute(const struct spawn_plan *p, struct spawn_child *c, arena *a,
                    struct spawned *ret) {
    plan_ids(p, c, ret);
    c->own_root = own_root(p);
    TRY(plan_root(p, c, a));
    plan_limits(p, c);
    c->nice = p->nice;
    plan_landlock(p, c, a);
    TRY(filter_program(p->row->filter, &c->filter));
    for (size_t i = 0; i < p->fd_n; i++) c->fds[i] = p->fds[i];
    c->fd_n = p->fd_n;
    c->argv = p->argv;
    c->envp = p->envp;
#ifdef BH_SANITIZE
    c->envp = sanitizer_env(a, p->envp);
#endif
    c->cwd = p->cwd ? p->cwd : c->own_root ? "/" : NULL;
    c->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return c->null_fd >= 0 ? NULL : err_errno("cannot open /dev/null");
}

/* --- starting ------------------------------------------------------------------------------- */

static err *failure(const struct spawn_child *c, const struct spawn_failure *f) {
    const char *words = f->step >= 0 && f->step < STEP_COUNT ? STEP_WORDS[f->step] : "start";
    const char *what = "";
    if ((f->step == STEP_CLONE || f->step == STEP_PLACE) && f->index >= 0 &&
        (size_t)f->index < c->mount_n)
        what = c->mounts[f->index].base;
    if (f->step == STEP_EXEC) what = c->exe ? c->exe : SANDBOX_EXE;
    errno = f->error;
    return err_errno("a process of profile %s could not %s%s%s", c->row->name, words,
                     *what ? " " : "", what);
}

/* Waits until the child runs its program, or says why not. */
static err *await(const struct spawn_child *c, int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&p, 1, START_TIMEOUT_MS);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return err_new(ERR_DEADLINE_EXCEEDED, "a process of profile %s did not start within %d s",
                       c->row->name, START_TIMEOUT_MS / 1000);
    struct spawn_failure f;
    ssize_t got = n > 0 ? read(fd, &f, sizeof(f)) : -1;
    if (got == 0) return NULL;
    if (got == (ssize_t)sizeof(f)) return failure(c, &f);
    return err_new(ERR_INTERNAL_ERROR, "a process of profile %s broke off its start", c->row->name);
}

static err *join_groups(const struct spawn_plan *p, struct spawned *ret) {
    if (!p->groups) return NULL;
    uint64_t memory = (p->memory_mb ? p->memory_mb : p->row->memory_mb) << 20;
#ifdef BH_SANITIZE
    memory *= 4; /* redzones and quarantine */
#endif
    struct cgroup_limits limits = {.memory_bytes = memory,
                                   .pids = p->pids ? p->pids : p->row->pids,
                                   .cpu_percent = p->cpu_percent ? p->cpu_percent : p->row->cpu_percent,
                                   .cpu_weight = p->cpu_weight ? p->cpu_weight : p->row->cpu_weight};
    return cgroup_new(p->groups, &limits, &ret->group);
}

/* For a lease. Later the process may forbid to be looked at (its init does), and an ordinary user
 * could not open them any more. */
static err *open_namespaces(const struct spawn_plan *p, struct spawned *ret) {
    if (!isolated(p) || !p->row->dirs[0]) return NULL;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)ret->pid);
    ret->mount_ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ret->mount_ns < 0) return err_errno("cannot open %s", path);
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)ret->pid);
    ret->user_ns = open(path, O_RDONLY | O_CLOEXEC);
    return ret->user_ns >= 0 ? NULL : err_errno("cannot open %s", path);
}

static err *run(const struct spawn_plan *p, struct spawn_child *c, struct spawned *ret) {
    int go[2], report[2];
    if (pipe2(go, O_CLOEXEC) != 0) return err_errno("cannot make a pipe");
    if (pipe2(report, O_CLOEXEC) != 0) {
        close(go[0]);
        close(go[1]);
        return err_errno("cannot make a pipe");
    }
    c->go_fd = go[0];
    c->error_fd = report[1];
    int pidfd = -1;
    struct clone_args args = {.flags = (uint64_t)(unsigned)c->clone_flags | CLONE_PIDFD,
                              .pidfd = (uint64_t)(uintptr_t)&pidfd,
                              .exit_signal = SIGCHLD};
    if (ret->group && cgroup_v2_fd(ret->group) >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_v2_fd(ret->group);
    }
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        (void)syscall(SYS_close, go[1]);
        (void)syscall(SYS_close, report[0]);
        spawn_child_main(c);
    }
    int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(go[0]);
    close(report[1]);
    errno = saved;
    err *e = pid < 0 ? err_errno("cannot clone a process of profile %s", p->row->name) : NULL;
    if (!e) {
        ret->pid = pid;
        ret->pidfd = pidfd;
        if (c->user_namespace)
            e = sandbox_write_maps(pid, c->inside_uid, ret->uid,
                                   p->level == SANDBOX_FULL ? ret->uid : getegid(),
                                   p->level == SANDBOX_USER);
        if (!e && ret->group) e = cgroup_add(ret->group, pid);
        if (!e) e = open_namespaces(p, ret);
        if (!e && write(go[1], "g", 1) != 1) e = err_errno("cannot release a new process");
        if (!e) e = await(c, report[0]);
    }
    close(go[1]);
    close(report[0]);
    return e;
}

err *spawn_run(const struct spawn_plan *p, struct spawned *ret) {
    TRY(spawn_check(p));
    struct spawned s = {
        .pidfd = -1, .user_ns = -1, .mount_ns = -1, .row = p->row, .level = p->level};
    struct spawn_child *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->row = p->row;
    c->level = p->level;
    c->null_fd = c->exe_fd = -1;
    arena *a = arena_new();
    err *e = compute(p, c, a, &s);
    if (!e) e = join_groups(p, &s);
    if (!e) e = run(p, c, &s);
    for (size_t i = 0; i < c->mount_n; i++)
        if (c->mounts[i].fd >= 0) close(c->mounts[i].fd);
    if (c->null_fd >= 0) close(c->null_fd);
    if (c->exe_fd >= 0) close(c->exe_fd);
    arena_free(a);
    free(c);
    if (e) {
        spawn_release(&s);
        return e;
    }
    *ret = s;
    return NULL;
}

/* --- ending --------------------------------------------------------------------------------- */

void spawn_terminate(const struct spawned *p) {
    if (p->pid > 0) (void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGTERM, NULL, 0);
}

void spawn_kill(const struct spawned *p) {
    if (p->pid <= 0) return;
    if (p->group && cgroup_kill(p->group)) return;
    (void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
    /* Without a pid namespace: the session that it led, unless it is gone and its number reused. */
    if (p->level == SANDBOX_REDUCED || p->row->namespaces == 0) {
        siginfo_t info = {0};
        if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
            (void)kill(-p->pid, SIGKILL);
    }
}

err *spawn_wait(struct spawned *p, int timeout_ms, struct spawn_end *ret) {
    must(p->pid > 0);
    struct pollfd w = {.fd = p->pidfd, .events = POLLIN};
    int n;
    do n = poll(&w, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return err_new(ERR_DEADLINE_EXCEEDED, "process %d still runs after %d ms", (int)p->pid,
                       timeout_ms);
    siginfo_t info = {0};
    struct rusage use = {0};
    /* The library's waitid() has no place for the usage of resources. */
    if (n < 0 || syscall(SYS_waitid, P_PIDFD, p->pidfd, &info, WEXITED, &use) != 0)
        return err_errno("cannot wait for process %d", (int)p->pid);
    struct spawn_end end = {.by_signal = info.si_code != CLD_EXITED, .code = info.si_status};
    bool init = p->row->init && p->level != SANDBOX_REDUCED;
    if (init && !end.by_signal && end.code > 128 && end.code < 128 + 65) {
        end.by_signal = true;
        end.code -= 128;
    }
    if (p->group) {
        end.out_of_memory = cgroup_oom_kills(p->group) > 0;
        end.peak_bytes = cgroup_memory_peak(p->group);
    }
    end.cpu_us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000ll + use.ru_utime.tv_usec +
                 use.ru_stime.tv_usec;
    p->pid = 0;
    *ret = end;
    return NULL;
}

void spawn_release(struct spawned *p) {
    if (p->pid > 0) {
        spawn_kill(p);
        struct spawn_end end;
        err_free(spawn_wait(p, 10000, &end));
    }
    const int fds[] = {p->pidfd, p->user_ns, p->mount_ns};
    for (size_t i = 0; p->row && i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0) close(fds[i]);
    cgroup_free(p->group);
    *p = (struct spawned){.pidfd = -1, .user_ns = -1, .mount_ns = -1};
}

void spawn_describe(const struct spawn_end *end, buf *out) {
    if (end->by_signal) {
        const char *name = sigabbrev_np(end->code);
        buf_fmt(out, "signal %d (SIG%s%s)", end->code, name ? name : "?",
                end->out_of_memory ? ", out of memory" : "");
    } else {
        buf_fmt(out, "exit %d%s", end->code, end->out_of_memory ? " (out of memory)" : "");
    }
}
