/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/filter.h"
#include "sys/landlock.h"
#include "sys/spawn_int.h"

#define PROBE_TIMEOUT_MS 20000

static int of(err *e, char *detail, size_t cap) {
    if (!e) return 0;
    int n = err_errno_of(e);
    snprintf(detail, cap, "%s", err_msg(e));
    err_free(e);
    return n ? -n : -EIO;
}

/* All rights over namespaces: real ones as root, else those in a user namespace of our own. */
static int enter(void) {
    if (geteuid() == 0) return 0;
    return unshare(CLONE_NEWUSER) == 0 ? 0 : -errno;
}

static int probe_root(char *detail, size_t cap) {
    snprintf(detail, cap, "uid %u", geteuid());
    return geteuid() == 0 ? 0 : -EPERM;
}

static int probe_user_namespace(char *detail, size_t cap) {
    (void)detail, (void)cap;
    return unshare(CLONE_NEWUSER) == 0 ? 0 : -errno;
}

static int probe_namespaces(char *detail, size_t cap) {
    static const struct {
        int flag;
        const char *name;
    } kinds[] = {{CLONE_NEWPID, "pid"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWNET, "net"},
                 {CLONE_NEWIPC, "ipc"}, {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}};
    int rc = enter();
    for (size_t i = 0; !rc && i < ARRAY_LEN(kinds); i++)
        if (unshare(kinds[i].flag) != 0) {
            rc = -errno;
            snprintf(detail, cap, "%s namespace", kinds[i].name);
        }
    return rc;
}

static int probe_mounts(char *detail, size_t cap) {
    (void)detail, (void)cap;
    int rc = enter();
    if (!rc && unshare(CLONE_NEWNS) != 0) rc = -errno;
    if (rc) return rc;
    int at = sandbox_mount_open("/usr", NULL);
    if (at < 0) return at;
    int tree = sandbox_mount_clone(at, true, false, false, false);
    return tree < 0 ? tree : 0;
}

static int probe_owner_mapping(char *detail, size_t cap) {
    if (geteuid() != 0) {
        snprintf(detail, cap, "needs root");
        return -EPERM;
    }
    char dir[] = "/tmp/boathouse-probe-XXXXXX";
    if (!mkdtemp(dir)) return -errno;
    int fd = -1;
    struct sandbox_mount m = {.base = dir, .inside = "/x", .as_owner = true};
    int rc = of(sandbox_mount_make(&m, SANDBOX_UID_BASE, &fd), detail, cap);
    rmdir(dir);
    return rc;
}

static int probe_seccomp(char *detail, size_t cap) {
    const struct sock_fprog *program = NULL;
    int rc = of(filter_program(FILTER_DENY, &program), detail, cap);
    if (rc) return rc;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    rc = filter_load(program);
    if (rc) return rc;
    return unshare(CLONE_NEWUSER) == 0 ? -ENOSYS : 0; /* loaded, and it must work */
}

static int probe_landlock(char *detail, size_t cap) {
    int abi = landlock_abi();
    snprintf(detail, cap, "ABI %d", abi);
    return abi > 0 ? 0 : -ENOSYS;
}

static int probe_calls(char *detail, size_t cap) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd < 0) {
        snprintf(detail, cap, "pidfd_open");
        return -errno;
    }
    if (syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how)) < 0) {
        snprintf(detail, cap, "openat2");
        return -errno;
    }
    if (syscall(SYS_close_range, 100u, 200u, 4u) != 0) {
        snprintf(detail, cap, "close_range");
        return -errno;
    }
    return 0;
}

static int probe_seals(char *detail, size_t cap) {
    (void)detail, (void)cap;
    int fd = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return fcntl(fd, F_ADD_SEALS, seals) == 0 ? 0 : -errno;
}

static int probe_limits(char *detail, size_t cap) {
    char name[64];
    snprintf(name, sizeof(name), "boathouse_probe-%d", (int)getpid());
    cgroups *g = NULL;
    int rc = of(cgroups_new(name, &g), detail, cap);
    if (rc) return rc;
    buf b = {0};
    cgroups_describe(g, &b);
    snprintf(detail, cap, "%.*s", (int)b.n, b.p);
    buf_free(&b);
    int want = CGROUP_MEMORY | CGROUP_PIDS;
    rc = (cgroups_controls(g) & want) == want ? 0 : -EOPNOTSUPP;
    cgroups_free(g);
    return rc;
}

/* The whole way: a sandbox starts, gets a folder, and ends. */
static int probe_sandbox(char *detail, size_t cap) {
    char *const argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t) "read x; test -d /model/lib", NULL};
    char *const envp[] = {NULL};
    int in[2];
    if (pipe2(in, O_CLOEXEC) != 0) return -errno;
    struct spawn_fd fd = {.fd = in[0], .as = 0};
    struct spawn_plan plan = {.row = sandbox_by_name(STR("runtime_host")),
                              .level = geteuid() == 0 ? SANDBOX_FULL : SANDBOX_USER,
                              .exe = "/bin/sh",
                              .argv = argv,
                              .envp = envp,
                              .fds = &fd,
                              .fd_n = 1};
    struct sandbox_mount lease = {.base = "/usr", .inside = "/model"};
    struct spawned s = {0};
    struct spawn_end end = {0};
    err *e = spawn_run(&plan, &s);
    if (!e) e = sandbox_lease(&s, &lease, 1);
    if (!e && write(in[1], "\n", 1) != 1) e = err_errno("cannot write to a sandbox");
    if (!e) e = spawn_wait(&s, 10000, &end);
    spawn_release(&s);
    if (!e && (end.by_signal || end.code != 0))
        e = err_new(ERR_IO_ERROR, "it did not see its folder");
    return of(e, detail, cap);
}

const struct probe probes[] = {
    {"root", "runs as root", PROBE_FULL,
     "start as root (or through the systemd unit), or set sandbox.level=user", probe_root},
    {"calls", "pidfd, openat2, close_range", PROBE_ALL, "use Linux 5.11 or newer", probe_calls},
    {"seals", "sealed memory files", PROBE_ALL, "use Linux 5.11 or newer", probe_seals},
    {"seccomp", "lists of system calls", PROBE_ALL,
     "use a kernel with CONFIG_SECCOMP_FILTER; in a container allow seccomp(2)", probe_seccomp},
    {"landlock", "rules on files that a process sets itself", PROBE_FULL | PROBE_USER,
     "use Linux 5.13 or newer with landlock in the boot parameter lsm=, or set "
     "sandbox.level=reduced",
     probe_landlock},
    {"user_namespace", "user namespaces", PROBE_FULL | PROBE_USER,
     "sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, and "
     "kernel.apparmor_restrict_unprivileged_userns=0 where they exist",
     probe_user_namespace},
    {"namespaces", "pid, mount, net, ipc, uts and cgroup namespaces", PROBE_FULL | PROBE_USER,
     "in a container: give it CAP_SYS_ADMIN, or run Boathouse outside of it", probe_namespaces},
    {"mounts", "detached mounts (open_tree, mount_setattr)", PROBE_FULL | PROBE_USER,
     "use Linux 5.12 or newer", probe_mounts},
    {"owner_mapping", "idmapped mounts in /tmp", PROBE_FULL,
     "use Linux 5.19 or newer and ext4, xfs, btrfs or tmpfs, or set sandbox.level=user",
     probe_owner_mapping},
    {"sandbox", "a sandbox starts and is leased", PROBE_FULL | PROBE_USER,
     "see the parts above; inside another sandbox /proc must not be partly covered", probe_sandbox},
    {"limits", "cgroups that limit memory and processes", PROBE_GOOD,
     "start as root, or delegate a cgroup (systemd: Delegate=yes); without, rlimits are used",
     probe_limits},
};
const size_t probe_count = ARRAY_LEN(probes);

/* In the child: the result goes through the pipe as it stands. */
static void child(const struct probe *p, int fd) __attribute__((noreturn));
static void child(const struct probe *p, int fd) {
    struct probe_result r = {0};
    int rc = p->run(r.detail, sizeof(r.detail));
    r.ok = rc == 0;
    r.error = -rc;
    ssize_t n = write(fd, &r, sizeof(r));
    (void)n;
    _exit(0);
}

err *probe_run(const struct probe *p, struct probe_result *ret) {
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) return err_errno("cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) child(p, fd[1]);
    close(fd[1]);
    if (pid < 0) {
        close(fd[0]);
        return err_errno("cannot fork for probe %s", p->name);
    }
    struct probe_result r = {.error = EPROTO, .detail = "the probe crashed or hung"};
    struct pollfd w = {.fd = fd[0], .events = POLLIN};
    if (poll(&w, 1, PROBE_TIMEOUT_MS) > 0) {
        struct probe_result got;
        if (read(fd[0], &got, sizeof(got)) == (ssize_t)sizeof(got)) r = got;
    }
    close(fd[0]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    *ret = r;
    return NULL;
}

static err *check_level(int need, const char *name) {
    for (size_t i = 0; i < probe_count; i++) {
        if (!(probes[i].need & (need | PROBE_ALL))) continue;
        struct probe_result r;
        TRY(probe_run(&probes[i], &r));
        if (r.ok) continue;
        char what[64] = "";
        if (r.error) snprintf(what, sizeof(what), " (%s)", strerrordesc_np(r.error));
        return err_hint(err_new(ERR_INVALID_STATE, "sandbox level %s does not work here: %s%s%s%s",
                                name, probes[i].what, what, r.detail[0] ? ": " : "", r.detail),
                        "%s", probes[i].way_out);
    }
    return NULL;
}

err *probe_level(str wanted, enum sandbox_level *ret) {
    enum sandbox_level level = geteuid() == 0 ? SANDBOX_FULL : SANDBOX_USER;
    if (!str_eqz(wanted, "auto") && !sandbox_level_by_name(wanted, &level))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no sandbox level", STR_ARG(wanted));
    static const int needs[] = {PROBE_FULL, PROBE_USER, PROBE_ALL};
    TRY(check_level(needs[level], sandbox_level_name(level)));
    *ret = level;
    return NULL;
}
