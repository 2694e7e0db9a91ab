/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole reads with a limit, atomic writes, trees that fight removal, the lock. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/files.h"

static char dir[64];

static const char *in_dir(const char *name) {
    static char out[4][256];
    static int at;
    at = (at + 1) % 4;
    snprintf(out[at], sizeof(out[at]), "%s/%s", dir, name);
    return out[at];
}

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}
static void fails(err *e, err_code code) {
    assert_non_null(e);
    assert_string_equal(err_name(err_code_of(e)), err_name(code));
    err_free(e);
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bh-files-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e || files_exists(dir);
}

static void read_and_write(void **state) {
    (void)state;
    const char *p = in_dir("a");
    buf b = {0};
    fails(files_read(p, 10, &b), ERR_RESOURCE_DOES_NOT_EXIST);
    ok(files_write(p, STR("hello"), 0640));
    ok(files_write(p, STR("again"), 0640));
    struct stat st;
    assert_int_equal(stat(p, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    buf_z(&b, "x");
    ok(files_read(p, 5, &b));
    assert_true(str_eqz(buf_view(&b), "xagain"));
    fails(files_read(p, 4, &b), ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(b.n, 6);
    fails(files_create(p, STR("no"), 0600), ERR_RESOURCE_ALREADY_EXISTS);
    ok(files_create(in_dir("b"), STR("yes"), 0600));
    fails(files_write(in_dir("none/c"), STR("x"), 0600), ERR_RESOURCE_DOES_NOT_EXIST);
    struct files_names names;
    ok(files_list(dir, 10, &names)); /* and no temporary file is left */
    assert_int_equal(names.n, 2);
    assert_string_equal(names.p[0], "a");
    assert_string_equal(names.p[1], "b");
    files_names_free(&names);
    fails(files_list(dir, 1, &names), ERR_RESOURCE_EXHAUSTED);
    buf_clear(&b);
    ok(files_read("/proc/self/status", 1u << 16, &b));
    assert_true(b.n > 100);
    buf_free(&b);
}

static void mkdirs(void **state) {
    (void)state;
    umask(077);
    ok(files_mkdirs(in_dir("x/y/z"), 0755));
    ok(files_mkdirs(in_dir("x/y/z"), 0755));
    struct stat st;
    assert_int_equal(stat(in_dir("x/y"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    ok(files_write(in_dir("x/f"), STR(""), 0600));
    fails(files_mkdirs(in_dir("x/f"), 0755), ERR_IO_ERROR);
    fails(files_mkdirs(in_dir("x/f/g"), 0755), ERR_IO_ERROR);
    fails(files_mkdirs("", 0755), ERR_INVALID_PARAMETER_VALUE);
}

static void remove_tree(void **state) {
    (void)state;
    ok(files_remove_tree(in_dir("missing"), 10));
    ok(files_mkdirs(in_dir("out"), 0755));
    ok(files_write(in_dir("out/keep"), STR("1"), 0600));
    ok(files_mkdirs(in_dir("t/a"), 0755));
    assert_int_equal(symlink("../../out", in_dir("t/a/link")), 0);
    assert_int_equal(symlink("out", in_dir("toplink")), 0);
    ok(files_mkdirs(in_dir("t/closed"), 0755));
    ok(files_write(in_dir("t/closed/f"), STR("1"), 0600));
    assert_int_equal(chmod(in_dir("t/closed"), 0), 0);
    ok(files_remove_tree(in_dir("t"), 100));
    assert_false(files_exists(in_dir("t")));
    ok(files_remove_tree(in_dir("toplink"), 100));
    assert_true(files_exists(in_dir("out/keep")));
    /* the bound, and going on after it */
    ok(files_mkdirs(in_dir("many"), 0755));
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof(name), "many/%d", i);
        ok(files_write(in_dir(name), STR(""), 0600));
    }
    fails(files_remove_tree(in_dir("many"), 30), ERR_RESOURCE_EXHAUSTED);
    ok(files_remove_tree(in_dir("many"), 30));
}

/* Deeper than PATH_MAX and than any limit on descriptors. */
static void remove_deep(void **state) {
    (void)state;
    int at = open(dir, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(at, i ? "deeper" : "deep", 0700), 0);
        int next = openat(at, i ? "deeper" : "deep", O_RDONLY | O_DIRECTORY);
        close(at);
        at = next;
    }
    close(at);
    ok(files_remove_tree(in_dir("deep"), 10000));
    assert_false(files_exists(in_dir("deep")));
}

static void lock(void **state) {
    (void)state;
    int fd = -1;
    ok(files_lock(in_dir("lock"), &fd));
    pid_t pid = fork();
    if (pid == 0) {
        int other = -1;
        err *e = files_lock(in_dir("lock"), &other);
        char want[32];
        snprintf(want, sizeof(want), "process %d", (int)getppid());
        _exit(e && err_code_of(e) == ERR_RESOURCE_CONFLICT && strstr(err_msg(e), want) ? 0 : 1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    close(fd);
    ok(files_lock(in_dir("lock"), &fd));
    close(fd);
}

static void space(void **state) {
    (void)state;
    uint64_t avail = 0, total = 0;
    ok(files_space(dir, &avail, &total));
    assert_true(avail > 0 && avail <= total);
    fails(files_space(in_dir("none"), &avail, NULL), ERR_RESOURCE_DOES_NOT_EXIST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_write), cmocka_unit_test(mkdirs), cmocka_unit_test(remove_tree),
        cmocka_unit_test(remove_deep),    cmocka_unit_test(lock),   cmocka_unit_test(space)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
