/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lease: an owner's folders appear in a process that is already running.
 *
 * A mount namespace can only be changed from inside, and the copies must be made where the folders
 * are visible. Detached mounts (open_tree) are the bridge: they belong to no namespace and can be
 * moved into any. So a short-lived copy of ourselves does:
 *
 *   level full   the parent makes the detached mounts (with the owner's mapping, which needs real
 *                root); the copy enters the sandbox's mount namespace and moves them to their
 * places. level user   nothing may be cloned in the host's namespace, which root owns. The copy
 * enters the sandbox's user namespace (we made it, so we have all rights there), gets a mount
 *                namespace of its own that the user namespace owns and that still shows the host's
 *                files, clones there, enters the sandbox's mount namespace, and moves.
 *
 * The copy never runs a program and has no descriptor that the sandbox could reach: it is in our
 * pid namespace. It makes system calls only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/spawn_int.h"

#define LEASE_TIMEOUT_MS 10000

static const char *const WORDS[] = {"enter the sandbox's user namespace",
                                    "copy the mounts",
                                    "open the folder",
                                    "copy the mount of the folder",
                                    "enter the sandbox's mount namespace",
                                    "find the place for",
                                    "mount"};
enum { LEASE_USER, LEASE_COPY, LEASE_OPEN, LEASE_CLONE, LEASE_ENTER, LEASE_PLACE, LEASE_MOVE };

struct lease {
    int user_ns, mount_ns, report;
    bool user_level;
    const struct sandbox_mount *mounts;
    size_t n;
    int trees[SANDBOX_MOUNTS_MAX];
};

static void stop(const struct lease *l, int step, int error, size_t index)
    __attribute__((noreturn));
static void stop(const struct lease *l, int step, int error, size_t index) {
    struct spawn_failure f = {step, error, (int)index};
    ssize_t n = write(l->report, &f, sizeof(f));
    (void)n;
    _exit(1);
}

/* Runs in the copy. */
static void mount_all(struct lease *l) __attribute__((noreturn));
static void mount_all(struct lease *l) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (l->user_level) {
        if (setns(l->user_ns, CLONE_NEWUSER) != 0) stop(l, LEASE_USER, errno, 0);
        if (unshare(CLONE_NEWNS) != 0) stop(l, LEASE_COPY, errno, 0);
        for (size_t i = 0; i < l->n; i++) {
            const struct sandbox_mount *m = &l->mounts[i];
            int at = sandbox_mount_open(m->base, m->path);
            if (at < 0) stop(l, LEASE_OPEN, -at, i);
            l->trees[i] = sandbox_mount_clone(at, true, m->writable, m->exec, false);
            if (l->trees[i] < 0) stop(l, LEASE_CLONE, -l->trees[i], i);
            close(at);
        }
    }
    if (setns(l->mount_ns, CLONE_NEWNS) != 0) stop(l, LEASE_ENTER, errno, 0);
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < l->n; i++) {
        int place = sandbox_mount_place(root, l->mounts[i].inside + 1);
        if (place < 0) stop(l, LEASE_PLACE, -place, i);
        int rc = sandbox_mount_move(l->trees[i], place);
        if (rc) stop(l, LEASE_MOVE, -rc, i);
        close(place);
    }
    _exit(0);
}

static err *outcome(const struct lease *l, int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&p, 1, LEASE_TIMEOUT_MS);
    while (n < 0 && errno == EINTR);
    if (n == 0) return err_new(ERR_DEADLINE_EXCEEDED, "a lease did not end within 10 s");
    struct spawn_failure f;
    ssize_t got = n > 0 ? read(fd, &f, sizeof(f)) : -1;
    if (got == 0) return NULL;
    if (got != (ssize_t)sizeof(f)) return err_new(ERR_INTERNAL_ERROR, "a lease broke off");
    const char *what = f.step == LEASE_OPEN || f.step == LEASE_CLONE   ? l->mounts[f.index].base
                       : f.step == LEASE_PLACE || f.step == LEASE_MOVE ? l->mounts[f.index].inside
                                                                       : "";
    errno = f.error;
    return err_errno("a lease could not %s%s%s", WORDS[f.step], *what ? " " : "", what);
}

static err *run_copy(struct lease *l) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return err_errno("cannot make a pipe");
    l->report = report[1];
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    /* No signal at its end: it is nobody's child but ours, waited for right here. */
    pid_t pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) mount_all(l);
    int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    errno = saved;
    err *e = pid < 0 ? err_errno("cannot clone a process for a lease") : outcome(l, report[0]);
    close(report[0]);
    if (pid > 0) {
        int status = 0;
        if (e) kill(pid, SIGKILL);
        waitpid(pid, &status, __WALL);
        if (!e && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            e = err_new(ERR_INTERNAL_ERROR, "a lease ended early with status %d", status);
    }
    return e;
}

static err *check(const struct spawned *p, const struct sandbox_mount *mounts, size_t n) {
    if (p->level == SANDBOX_REDUCED || p->row->root == SANDBOX_ROOT_HOST || p->row->namespaces == 0)
        return err_new(ERR_INVALID_STATE, "a process of profile %s at level %s cannot be leased",
                       p->row->name, sandbox_level_name(p->level));
    if (p->leased) return err_new(ERR_INVALID_STATE, "process %d had an owner before", (int)p->pid);
    if (n > SANDBOX_MOUNTS_MAX)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%zu mounts; at most %u", n,
                       SANDBOX_MOUNTS_MAX);
    for (size_t i = 0; i < n; i++) {
        TRY(sandbox_mount_check(&mounts[i]));
        bool known = false;
        for (size_t k = 0; p->row->dirs[k]; k++)
            known |= strcmp(p->row->dirs[k], mounts[i].inside) == 0;
        if (!known)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "profile %s has no folder %s for a lease",
                           p->row->name, mounts[i].inside);
    }
    return NULL;
}

err *sandbox_lease(struct spawned *p, const struct sandbox_mount *mounts, size_t n) {
    TRY(check(p, mounts, n));
    struct lease l = {.user_ns = p->user_ns,
                      .mount_ns = p->mount_ns,
                      .user_level = p->level == SANDBOX_USER,
                      .mounts = mounts,
                      .n = n};
    for (size_t i = 0; i < SANDBOX_MOUNTS_MAX; i++) l.trees[i] = -1;
    p->leased = true; /* half a lease is one, too */
    err *e = NULL;
    for (size_t i = 0; !e && !l.user_level && i < n; i++)
        e = sandbox_mount_make(&mounts[i], p->uid, &l.trees[i]);
    if (!e) e = run_copy(&l);
    for (size_t i = 0; i < n; i++)
        if (l.trees[i] >= 0) close(l.trees[i]);
    return e;
}
