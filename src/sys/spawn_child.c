/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between clone and exec. The process is a copy of a parent that may have threads, so nothing here
 * takes a lock, allocates, or uses those calls of the C library that talk to other threads
 * (setresuid and its family go through syscall()). The order is the one measured to work
 * (README.md, "Order"): mounts need the rights that later steps drop; the signal for the parent's
 * death is forgotten when the uid changes; Landlock and seccomp need no_new_privs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/filter.h"
#include "sys/landlock.h"
#include "sys/spawn_int.h"

/* From linux/mount.h and sys/mount.h, which cannot both be included with older C libraries. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data);
int umount2(const char *target, int flags);
#define MS_NOSUID_ 2u
#define MS_NODEV_ 4u
#define MS_NOEXEC_ 8u
#define MS_REC_ 16384u
#define MS_PRIVATE_ (1u << 18)
#define MNT_DETACH_ 2

#define HIGH_FD 300 /* above all numbers that a plan may ask for */

static void fail(const struct spawn_child *c, enum spawn_step step, int error, size_t index)
    __attribute__((noreturn));
static void fail(const struct spawn_child *c, enum spawn_step step, int error, size_t index) {
    struct spawn_failure f = {(int)step, error, (int)index};
    ssize_t n = write(c->error_fd, &f, sizeof(f));
    (void)n;
    _exit(127);
}

static void must_be(const struct spawn_child *c, enum spawn_step step, bool ok) {
    if (!ok) fail(c, step, errno, 0);
}

/* The folders on the way to `inside`, and it itself when `dir`. */
static int make_dirs(int root, const char *inside, bool dir) {
    char part[256];
    size_t n = strlen(inside);
    if (n >= sizeof(part)) return -ENAMETOOLONG;
    for (size_t i = 0; i <= n; i++) {
        part[i] = inside[i];
        if (inside[i] != '/' && (inside[i] != 0 || !dir)) continue;
        part[i] = 0;
        if (mkdirat(root, part, 0755) != 0 && errno != EEXIST) return -errno;
        part[i] = inside[i];
    }
    return 0;
}

static int make_file(int root, const char *inside, const char *text) {
    int rc = make_dirs(root, inside, false);
    if (rc) return rc;
    int fd = openat(root, inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return -errno;
    size_t n = strlen(text);
    rc = write(fd, text, n) == (ssize_t)n ? 0 : -EIO;
    close(fd);
    return rc;
}

/* Copies of all that is to be shown, made before the root's tmpfs hides anything. */
static void clone_mounts(const struct spawn_child *c, int *trees) {
    for (size_t i = 0; i < c->mount_n; i++) {
        const struct spawn_mount *m = &c->mounts[i];
        trees[i] = m->fd;
        if (m->fd >= 0) continue;
        int at = sandbox_mount_open(m->base, m->path);
        if (at == -ENOENT && m->optional) continue;
        if (at < 0) fail(c, STEP_CLONE, -at, i);
        trees[i] = sandbox_mount_clone(at, true, m->writable, m->exec, m->device);
        close(at);
        if (trees[i] < 0) fail(c, STEP_CLONE, -trees[i], i);
    }
}

static void place_mounts(const struct spawn_child *c, int root, const int *trees) {
    for (size_t i = 0; i < c->mount_n; i++) {
        if (trees[i] < 0) continue;
        const char *inside = c->mounts[i].inside;
        struct stat st;
        int rc = fstat(trees[i], &st) == 0 ? 0 : -errno;
        if (!rc)
            rc = S_ISDIR(st.st_mode) ? make_dirs(root, inside, true) : make_file(root, inside, "");
        int place = rc ? rc : sandbox_mount_place(root, inside);
        if (place < 0) fail(c, STEP_PLACE, -place, i);
        rc = sandbox_mount_move(trees[i], place);
        if (rc) fail(c, STEP_PLACE, -rc, i);
        close(place);
        close(trees[i]);
    }
}

static void build_root(const struct spawn_child *c) {
    int trees[ARRAY_LEN(c->mounts)];
    must_be(c, STEP_PRIVATE, mount(NULL, "/", NULL, MS_REC_ | MS_PRIVATE_, NULL) == 0);
    clone_mounts(c, trees);
    must_be(c, STEP_ROOT,
            mount("tmpfs", SPAWN_STAGE, "tmpfs", MS_NOSUID_ | MS_NODEV_, "mode=755,size=4m") == 0);
    int root = open(SPAWN_STAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must_be(c, STEP_ROOT, root >= 0);
    umask(0);
    int rc = 0;
    for (size_t i = 0; !rc && c->dirs[i]; i++) rc = make_dirs(root, c->dirs[i] + 1, true);
    for (size_t i = 0; !rc && i < c->file_n; i++)
        rc = make_file(root, c->files[i].inside, c->files[i].text);
    if (!rc) rc = make_dirs(root, "proc", true);
    if (rc) fail(c, STEP_ROOT, -rc, 0);
    place_mounts(c, root, trees);
    for (size_t i = 0; i < c->link_n; i++) {
        rc = make_dirs(root, c->links[i].inside, false);
        if (!rc && symlinkat(c->links[i].to, root, c->links[i].inside) != 0) rc = -errno;
        if (rc) fail(c, STEP_ROOT, -rc, i);
    }
    for (size_t i = 0; i < c->tmpfs_n; i++) {
        rc = make_dirs(root, c->tmpfs[i].inside, true);
        if (rc) fail(c, STEP_TMPFS, -rc, i);
        unsigned long flags = MS_NOSUID_ | MS_NODEV_ | (c->tmpfs[i].exec ? 0 : MS_NOEXEC_);
        if (mount("tmpfs", c->tmpfs[i].path, "tmpfs", flags, c->tmpfs[i].options) != 0)
            fail(c, STEP_TMPFS, errno, i);
    }
    must_be(c, STEP_PROC,
            mount("proc", SPAWN_STAGE "/proc", "proc", MS_NOSUID_ | MS_NODEV_ | MS_NOEXEC_,
                  "subset=pid") == 0);
    must_be(c, STEP_PIVOT, fchdir(root) == 0);
    must_be(c, STEP_PIVOT, syscall(SYS_pivot_root, ".", ".") == 0);
    must_be(c, STEP_PIVOT, umount2(".", MNT_DETACH_) == 0);
    must_be(c, STEP_PIVOT, chdir("/") == 0);
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
    must_be(c, STEP_PIVOT,
            syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &ro, sizeof(ro)) == 0);
    close(root);
}

static void loopback_up(const struct spawn_child *c) {
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must_be(c, STEP_NETWORK, s >= 0);
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    must_be(c, STEP_NETWORK, ioctl(s, SIOCSIFFLAGS, &r) == 0);
    close(s);
}

/* Leaves the plan's descriptors at their numbers and everything else to be closed by exec. */
static void arrange_fds(struct spawn_child *c) {
    int high[SPAWN_FDS_MAX + 3];
    bool named[3] = {false};
    int e = fcntl(c->error_fd, F_DUPFD_CLOEXEC, HIGH_FD);
    must_be(c, STEP_FDS, e >= 0);
    c->error_fd = e;
    if (c->exe_fd >= 0) {
        c->exe_fd = fcntl(c->exe_fd, F_DUPFD_CLOEXEC, HIGH_FD);
        must_be(c, STEP_FDS, c->exe_fd >= 0);
    }
    int null = fcntl(c->null_fd, F_DUPFD_CLOEXEC, HIGH_FD);
    must_be(c, STEP_FDS, null >= 0);
    for (size_t i = 0; i < c->fd_n; i++) {
        high[i] = fcntl(c->fds[i].fd, F_DUPFD_CLOEXEC, HIGH_FD);
        if (high[i] < 0) fail(c, STEP_FDS, errno, i);
        if (c->fds[i].as < 3) named[c->fds[i].as] = true;
    }
    /* The low ones go now: under a small limit on open files the steps that follow must find room. */
    must_be(c, STEP_FDS, syscall(SYS_close_range, 3u, HIGH_FD - 1u, 0u) == 0);
    must_be(c, STEP_FDS, syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0);
    for (int i = 0; i < 3; i++)
        if (!named[i]) must_be(c, STEP_FDS, dup2(null, i) == i);
    for (size_t i = 0; i < c->fd_n; i++)
        if (dup2(high[i], c->fds[i].as) < 0) fail(c, STEP_FDS, errno, i);
}

static void drop_rights(const struct spawn_child *c) {
    if (c->drop_caps)
        for (int cap = 0; cap < 64; cap++)
            if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
                if (errno == EINVAL) break; /* past the last one */
                fail(c, STEP_BOUNDING, errno, (size_t)cap);
            }
    if (c->drop_groups) must_be(c, STEP_UID, syscall(SYS_setgroups, 0, NULL) == 0);
    if (c->uid && !c->user_namespace) {
        must_be(c, STEP_UID, syscall(SYS_setresgid, c->uid, c->uid, c->uid) == 0);
        must_be(c, STEP_UID, syscall(SYS_setresuid, c->uid, c->uid, c->uid) == 0);
    }
    if (c->drop_caps) {
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {{0}, {0}};
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        must_be(c, STEP_CAPS, syscall(SYS_capset, &head, none) == 0);
    }
    must_be(c, STEP_PARENT, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0);
    /* The parent may have died before: then nobody reads our pipe any more. */
    struct pollfd p = {.fd = c->error_fd};
    if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR)) _exit(127);
    must_be(c, STEP_PARENT, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    umask(077);
}

static void set_landlock(const struct spawn_child *c) {
    if (c->landlock_abi == 0 || !c->rules_on) return;
    bool files = c->rule_n > 0;
    int set = landlock_begin(c->landlock_abi, files, c->row->deny_tcp);
    if (set == -ENOMSG) return; /* an old kernel that can do none of it */
    if (set < 0) fail(c, STEP_LANDLOCK, -set, 0);
    for (size_t i = 0; i < c->rule_n; i++) {
        int rc = landlock_allow(set, c->landlock_abi, c->rules[i].path, c->rules[i].rights);
        if (rc) fail(c, STEP_LANDLOCK, -rc, i);
    }
    int rc = landlock_end(set);
    if (rc) fail(c, STEP_LANDLOCK, -rc, 0);
}

static void reset_signals(void) {
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < 65; s++)
        if (s != SIGKILL && s != SIGSTOP) (void)sigaction(s, &dfl, NULL);
}

/* Pid 1 of the namespace, when the program itself is not made for it: reaps whatever loses its
 * parent, passes signals on, ends as the program ended (128 + signal), and with it the namespace.
 */
static void run_init(pid_t program) __attribute__((noreturn));
static void run_init(pid_t program) {
    (void)syscall(SYS_close_range, 0u, ~0u, 0u);
    (void)prctl(PR_SET_NAME, "sandbox-init", 0, 0, 0);
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        int sig = sigwaitinfo(&all, NULL);
        if (sig > 0 && sig != SIGCHLD) (void)kill(program, sig);
        if (sig != SIGCHLD) continue;
        int status;
        pid_t pid;
        while ((pid = (pid_t)syscall(SYS_wait4, -1, &status, WNOHANG, NULL)) > 0)
            if (pid == program)
                _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static void start(const struct spawn_child *c) __attribute__((noreturn));
static void start(const struct spawn_child *c) {
    if (c->row->init && c->own_root) {
        /* It keeps a copy of our memory: nobody in the sandbox may look at it. */
        must_be(c, STEP_INIT, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        must_be(c, STEP_INIT, pid >= 0);
        if (pid > 0) run_init(pid);
    }
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (c->exe)
        execve(c->exe, c->argv, c->envp);
    else
        syscall(SYS_execveat, c->exe_fd, "", c->argv, c->envp, AT_EMPTY_PATH);
    fail(c, STEP_EXEC, errno, 0);
}

void spawn_child_main(const struct spawn_child *shared) {
    struct spawn_child *c =
        (struct spawn_child *)(uintptr_t)shared; /* our copy: memory is not shared */
    char go = 0;
    setsid();
    if (read(c->go_fd, &go, 1) != 1) _exit(127);
    reset_signals();
    if (c->user_namespace) {
        uint32_t u = c->inside_uid;
        if (c->level == SANDBOX_FULL)
            must_be(c, STEP_INSIDE_UID, syscall(SYS_setgroups, 0, NULL) == 0);
        must_be(c, STEP_INSIDE_UID, syscall(SYS_setresgid, u, u, u) == 0);
        must_be(c, STEP_INSIDE_UID, syscall(SYS_setresuid, u, u, u) == 0);
    }
    /* Made here, when the launcher has put us into our groups: they are its root. */
    if (c->level != SANDBOX_REDUCED && (c->row->namespaces & SANDBOX_NS_CGROUP))
        must_be(c, STEP_NAMESPACE, unshare(CLONE_NEWCGROUP) == 0);
    if (c->own_root) build_root(c);
    if (c->clone_flags & CLONE_NEWUTS) must_be(c, STEP_NAMESPACE, sethostname("sandbox", 7) == 0);
    if (c->row->loopback && (c->clone_flags & CLONE_NEWNET)) loopback_up(c);
    arrange_fds(c);
    if (c->nice) (void)setpriority(PRIO_PROCESS, 0, *c->nice); /* never below ours: allowed to all */
    for (size_t i = 0; i < c->limit_n; i++) {
        struct rlimit r = {c->limits[i].value, c->limits[i].value};
        if (setrlimit((__rlimit_resource_t)c->limits[i].resource, &r) != 0)
            fail(c, STEP_LIMITS, errno, (size_t)c->limits[i].resource);
    }
    drop_rights(c);
    set_landlock(c);
    if (c->cwd) must_be(c, STEP_CWD, chdir(c->cwd) == 0);
    int rc = filter_load(c->filter);
    if (rc) fail(c, STEP_FILTER, -rc, 0);
    start(c);
}
