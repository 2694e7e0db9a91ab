/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a role's row to a running process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/supervisor_int.h"

err *launch_level(struct supervisor *s, const char **ret) {
    (void)s;
    *ret = "reduced";
    return NULL;
}

err *launch(struct supervisor *s, const struct role_row *row, str owner, str environment,
            uint32_t memory_mb, int chan_fd, struct child **ret) {
    (void)environment;
    (void)memory_mb;
    int words[2];
    if (pipe2(words, O_CLOEXEC) < 0) return err_errno("cannot make a pipe");
    char role[64];
    snprintf(role, sizeof(role), "role:%s", row->name);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return err_errno("cannot fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int a = fcntl(chan_fd, F_DUPFD, 64), b = fcntl(words[1], F_DUPFD, 64);
        dup2(a, 3);
        dup2(b, 4);
        close_range(5, ~0U, 0);
        char *argv[] = {"boathouse", role, "--data", (char *)(uintptr_t)s->o.data_dir, NULL};
        char *envp[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};
        execve("/proc/self/exe", argv, envp);
        _exit(127);
    }
    close(words[1]);
    struct child *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->row = row;
    c->pid = pid;
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->words.fd = words[0];
    fcntl(words[0], F_SETFL, O_NONBLOCK);
    snprintf(c->owner, sizeof(c->owner), "%.*s", STR_ARG(owner));
    *ret = c;
    return NULL;
}

err *launch_lease(struct supervisor *s, struct child *c, str owner, str environment) {
    (void)s;
    (void)environment;
    snprintf(c->owner, sizeof(c->owner), "%.*s", STR_ARG(owner));
    return NULL;
}

void launch_kill(struct child *c) {
    syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}
