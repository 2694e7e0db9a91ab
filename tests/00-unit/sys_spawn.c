/* SPDX-License-Identifier: Apache-2.0 */
/* Spawning without isolation (profile none), level reduced, confinement in the process itself, and
 * the table of profiles and lists. What sandboxes refuse is tests/70-fault/sys_sandbox.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include "sys/crash.h"
#include "sys/files.h"
#include "sys/filter.h"
#include "sys/landlock.h"
#include "sys/spawn.h"

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

/* --- the table -------------------------------------------------------------------------------- */

static void rows_are_sound(void **state) {
    (void)state;
    for (int i = 0; i < SANDBOX_COUNT; i++) {
        const struct sandbox_row *r = &sandbox_rows[i];
        assert_ptr_equal(sandbox_by_name(str_of(r->name)), r);
        for (size_t k = 0; r->dirs[k]; k++) assert_int_equal(r->dirs[k][0], '/');
        if (r->namespaces) { /* everybody in a sandbox has a list, a root and bounds */
            assert_true(r->filter != FILTER_COUNT);
            assert_true(r->root != SANDBOX_ROOT_HOST);
            assert_true(r->namespaces & SANDBOX_NS_PID);
            assert_true(r->memory_mb > 0 && r->pids > 0);
        }
        if (r->root == SANDBOX_ROOT_SYSTEM) assert_true(r->init && r->rules);
        if (r->uid_rule == SANDBOX_UID_LEASE) assert_true(r->namespaces & SANDBOX_NS_USER);
    }
    assert_null(sandbox_by_name(STR("nobody")));
    enum sandbox_level level;
    assert_true(sandbox_level_by_name(STR("user"), &level));
    assert_int_equal(level, SANDBOX_USER);
    assert_false(sandbox_level_by_name(STR("auto"), &level));
}

/* A misspelt call would silently not be in its list. Names that other kernels or machines have are
 * known to libseccomp too. */
static void lists_build(void **state) {
    (void)state;
    static const char *const newer[] = {"fchmodat2"}; /* than this libseccomp */
    for (int i = 0; i < FILTER_COUNT; i++) {
        for (size_t k = 0; filter_rows[i].calls[k]; k++) {
            const char *call = filter_rows[i].calls[k];
            bool known = seccomp_syscall_resolve_name(call) != __NR_SCMP_ERROR;
            for (size_t n = 0; n < ARRAY_LEN(newer); n++) known |= strcmp(call, newer[n]) == 0;
            if (!known) fail_msg("list %s: no system call '%s'", filter_rows[i].name, call);
        }
        const struct sock_fprog *p = NULL, *again = NULL;
        ok(filter_program((enum filter_id)i, &p));
        ok(filter_program((enum filter_id)i, &again));
        assert_ptr_equal(p, again);
        assert_true(p->len > 0);
    }
    const struct sock_fprog *p = (const struct sock_fprog *)&p;
    ok(filter_program(FILTER_COUNT, &p));
    assert_null(p);
}

/* --- starting --------------------------------------------------------------------------------- */

static struct spawn_end run(const char *profile, enum sandbox_level level, const char *script,
                            const struct sandbox_mount *mounts, size_t n, buf *out) {
    int fd[2];
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)script, NULL};
    char *const envp[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", (char *)(uintptr_t) "ONLY=this",
                          NULL};
    struct spawn_fd fds[] = {{fd[1], 1}, {fd[1], 2}, {fd[1], 77}};
    struct spawn_plan plan = {.row = sandbox_by_name(str_of(profile)),
                              .level = level,
                              .exe = "/bin/sh",
                              .argv = argv,
                              .envp = envp,
                              .fds = fds,
                              .fd_n = 3,
                              .mounts = mounts,
                              .mount_n = n};
    struct spawned s = {0};
    struct spawn_end end = {0};
    ok(spawn_run(&plan, &s));
    close(fd[1]);
    buf_clear(out);
    ok(files_read_fd(fd[0], "pipe", 1u << 20, out));
    close(fd[0]);
    ok(spawn_wait(&s, 10000, &end));
    spawn_release(&s);
    return end;
}

static void plain(void **state) {
    (void)state;
    buf b = {0};
    setenv("BOATHOUSE_TEST_SECRET", "x", 1);
    struct spawn_end end =
        run("none", SANDBOX_FULL, "echo $ONLY $BOATHOUSE_TEST_SECRET; exit 3", NULL, 0, &b);
    assert_false(end.by_signal);
    assert_int_equal(end.code, 3);
    assert_true(str_eqz(buf_view(&b), "this\n"));
    end = run("none", SANDBOX_FULL, "echo hello >/proc/self/fd/77; kill -9 $$", NULL, 0, &b);
    assert_true(end.by_signal);
    assert_int_equal(end.code, 9);
    assert_true(str_eqz(buf_view(&b), "hello\n"));
    buf_clear(&b);
    spawn_describe(&end, &b);
    assert_true(str_eqz(buf_view(&b), "signal 9 (SIGKILL)"));
    /* a session of its own, no signals blocked or ignored, no core files */
    run("none", SANDBOX_FULL, "grep -E 'SigBlk|SigIgn' /proc/self/status | tr -d '\\n'; ulimit -c",
        NULL, 0, &b);
    assert_true(str_eqz(buf_view(&b), "SigBlk:\t0000000000000000SigIgn:\t00000000000000000\n"));
    buf_free(&b);
}

static void refused_plans(void **state) {
    (void)state;
    char *const argv[] = {(char *)(uintptr_t) "x", NULL};
    char *const envp[] = {NULL};
    struct spawn_fd twice[] = {{0, 5}, {1, 5}}, high[] = {{0, 256}};
    const struct spawn_plan good = {
        .row = sandbox_by_name(STR("none")), .exe = "/bin/true", .argv = argv, .envp = envp};
    struct spawn_plan plans[5] = {good, good, good, good, good};
    plans[0].argv = NULL;
    plans[1].fds = twice;
    plans[1].fd_n = 2;
    plans[2].fds = high;
    plans[2].fd_n = 1;
    plans[3].exe = "true";
    plans[4].fd_n = SPAWN_FDS_MAX + 1;
    ok(spawn_check(&good));
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        err *e = spawn_check(&plans[i]);
        assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
        err_free(e);
    }
    struct spawn_plan missing = good;
    missing.exe = "/no/such";
    struct spawned s = {0};
    err *e = spawn_run(&missing, &s);
    assert_int_equal(err_errno_of(e), ENOENT);
    err_free(e);
    spawn_release(&s);
}

/* Files by Landlock alone: the system's, and what the plan names. */
static void reduced(void **state) {
    (void)state;
    if (landlock_abi() == 0) skip();
    char dir[] = "/tmp/bh-spawn-XXXXXX", script[400];
    assert_non_null(mkdtemp(dir));
    char path[64];
    snprintf(path, sizeof(path), "%s/ro", dir);
    ok(files_mkdirs(path, 0755));
    snprintf(path, sizeof(path), "%s/ro/f", dir);
    ok(files_write(path, STR("abc"), 0644));
    snprintf(path, sizeof(path), "%s/rw", dir);
    ok(files_mkdirs(path, 0777));
    struct sandbox_mount mounts[] = {
        {.base = dir, .path = "ro", .inside = "/model"},
        {.base = dir, .path = "rw", .inside = "/out", .writable = true}};
    snprintf(
        script, sizeof(script),
        "cat %s/ro/f; echo x > %s/rw/f && cat %s/rw/f; "
        "(echo x > %s/ro/g) 2>/dev/null || echo no; ls %s 2>/dev/null || echo no; "
        "cat /etc/shadow /etc/hostname 2>/dev/null || echo no; grep NoNewPrivs /proc/$$/status",
        dir, dir, dir, dir, dir);
    buf b = {0};
    run("importer_python", SANDBOX_REDUCED, script, mounts, 2, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, "abcx\nno\nno\nno\nNoNewPrivs:\t1\n");
    buf_free(&b);
    ok(files_remove_tree(dir, 100));
}

/* --- confinement in the process itself -------------------------------------------------------- */

/* Runs fn in a fork and returns the wait status. */
static int in_child(int (*fn)(void)) {
    pid_t pid = fork();
    if (pid == 0) _exit(fn());
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static int confine_strict(void) {
    if (sandbox_confine(sandbox_by_name(STR("importer")), SANDBOX_FULL)) return 2;
    char *p = malloc(1u << 20);
    memset(p, 1, 1u << 20);
    free(p);
    (void)open("/etc/passwd", O_RDONLY);
    return 3;
}
static int confine_strict_socket(void) {
    if (sandbox_confine(sandbox_by_name(STR("importer")), SANDBOX_FULL)) return 2;
    (void)socket(AF_UNIX, SOCK_STREAM, 0);
    return 3;
}

static int report_fd;
static int confine_strict_crash(void) {
    err *e = crash_setup("importer", report_fd, false);
    if (!e) e = sandbox_confine(sandbox_by_name(STR("importer")), SANDBOX_FULL);
    if (e) return 2;
    abort();
}

static int confine_supervisor(void) {
    if (sandbox_confine(sandbox_by_name(STR("supervisor")), SANDBOX_FULL)) return 2;
    if (syscall(SYS_keyctl, 0, -3, 0) >= 0) return 3;
    if (geteuid() == 0) {
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct d[2];
        if (syscall(SYS_capget, &head, d) != 0) return 4;
        if (d[0].effective != (uint32_t)sandbox_by_name(STR("supervisor"))->caps) return 5;
        if (prctl(PR_CAPBSET_READ, CAP_SYS_MODULE, 0, 0, 0) != 0) return 6;
    }
    /* and it still can start a sandbox, with what is left to it */
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    char *const envp[] = {NULL};
    struct spawn_plan plan = {.row = sandbox_by_name(STR("runtime_host")),
                              .level = geteuid() == 0 ? SANDBOX_FULL : SANDBOX_USER,
                              .exe = "/bin/true",
                              .argv = argv,
                              .envp = envp};
    struct spawned s = {0};
    struct spawn_end end = {0};
    struct sandbox_mount m = {.base = "/usr", .inside = "/model", .as_owner = true};
    err *e = spawn_run(&plan, &s);
    if (!e) e = sandbox_lease(&s, &m, 1); /* its namespaces live on if it has ended */
    if (!e) e = spawn_wait(&s, 5000, &end);
    if (e) {
        fprintf(stderr, "%s\n", err_msg(e));
        return 7;
    }
    return end.code ? 8 : 0;
}

static void confinement(void **state) {
    (void)state;
    if (landlock_abi() == 0) skip();
    int status;
#ifndef BH_SANITIZE /* whose list has open() */
    status = in_child(confine_strict);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#else
    (void)confine_strict;
#endif
    status = in_child(confine_strict_socket);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    int fd[2];
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    report_fd = fd[1];
    status = in_child(confine_strict_crash);
    close(fd[1]);
    buf b = {0};
    ok(files_read_fd(fd[0], "pipe", 1u << 20, &b));
    close(fd[0]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(str_find(buf_view(&b), STR("crash: importer")) == 0);
    assert_true(str_find(buf_view(&b), STR("\n#1 ")) > 0);
    assert_true(str_ends(buf_view(&b), STR("crash end\n")));
    buf_free(&b);
}

static int has_user_namespaces(void) { return unshare(CLONE_NEWUSER) == 0 ? 0 : 1; }

static void supervisor_confined(void **state) {
    (void)state;
    if (landlock_abi() == 0) skip();
    if (geteuid() != 0 && in_child(has_user_namespaces) != 0) skip();
    int status = in_child(confine_supervisor);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_sound),
                                       cmocka_unit_test(lists_build),
                                       cmocka_unit_test(plain),
                                       cmocka_unit_test(refused_plans),
                                       cmocka_unit_test(reduced),
                                       cmocka_unit_test(confinement),
                                       cmocka_unit_test(supervisor_confined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
