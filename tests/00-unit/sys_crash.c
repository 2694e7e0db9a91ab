/* SPDX-License-Identifier: Apache-2.0 */
/* Crash reports: each kind of crash, what the report says, and that the signal stays the same. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "sys/crash.h"

static void must_ok(err *e) {
    if (e) _exit(99);
}

__attribute__((noinline, no_sanitize("undefined"))) static void write_nowhere(void) {
    volatile int *volatile p = NULL;
    *p = 1; // NOLINT(clang-analyzer-core.NullDereference)
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
__attribute__((noinline)) static int deep(volatile int n) { // NOLINT(misc-no-recursion)
    volatile char room[4096];
    room[n % 4096] = (char)n;
    return deep(n + 1) + room[n % 4096];
}
#pragma GCC diagnostic pop

static void *in_thread(void *arg) {
    (void)arg;
    must_ok(crash_thread());
    crash_context_set("req-thread", "GET /thread");
    write_nowhere();
    return NULL;
}

static void crash_null(void) {
    write_nowhere();
    __asm__ volatile(""); /* so that the call above is no tail call and has a frame */
}
static void crash_stack(void) { _exit(deep(0)); }
static void crash_abort(void) { abort(); }
static void crash_assert(void) { must(1 == 2); }
static void crash_raise(void) { raise(SIGSEGV); }
static void crash_in_thread(void) {
    pthread_t t;
    if (pthread_create(&t, NULL, in_thread, NULL) == 0) pthread_join(t, NULL);
}

static char text[65536];

/* Runs `fn` in a child with handlers; returns the wait status, the report is in text. */
static int crash(void (*fn)(void), bool names) {
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fd[0]);
        log_setup("tester", LOG_JSON, LOG_INFO, open("/dev/null", O_WRONLY));
        must_ok(crash_setup("tester", fd[1], names));
        crash_context_set("req-1", "POST /api/2.0/x");
        log_info("before the crash", lf_secret("token", STR("dapi-very-secret")));
        fn();
        _exit(0);
    }
    close(fd[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(fd[0], text + n, sizeof(text) - 1 - n)) > 0;) n += (size_t)got;
    text[n] = 0;
    close(fd[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

static void has(const char *what) {
    if (!strstr(text, what)) fail_msg("the report lacks '%s':\n%s", what, text);
}

static void null_write(void **state) {
    (void)state;
    int status = crash(crash_null, true);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    has("crash: tester pid ");
    has("signal: 11 SIGSEGV code 1 address 0x0\n");
    has("request: req-1\n");
    has("route: POST /api/2.0/x\n");
    has("#0 boathouse+0x");
    has("write_nowhere+0x");
    has("crash_null+0x");
    has("before the crash");
    has("\ncrash end\n");
    assert_null(strstr(text, "very-secret"));
}

static void without_names(void **state) {
    (void)state;
    crash(crash_null, false);
    has("#1 boathouse+0x");
    assert_null(strstr(text, "write_nowhere"));
}

static void stack_overflow(void **state) {
    (void)state;
    int status = crash(crash_stack, true);
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    has("deep+0x");
    has("\ncrash end\n");
}

static void aborts(void **state) {
    (void)state;
    int status = crash(crash_abort, true);
    assert_int_equal(WTERMSIG(status), SIGABRT);
    has("signal: 6 SIGABRT");
    status = crash(crash_assert, true);
    assert_int_equal(WTERMSIG(status), SIGABRT);
    has("assert_fail+0x");
    status = crash(crash_raise, true);
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    has("\ncrash end\n");
}

static void other_thread(void **state) {
    (void)state;
    int status = crash(crash_in_thread, true);
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    has("request: req-thread\n");
    has("in_thread+0x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_write), cmocka_unit_test(without_names),
        cmocka_unit_test(stack_overflow), cmocka_unit_test(aborts), cmocka_unit_test(other_thread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
