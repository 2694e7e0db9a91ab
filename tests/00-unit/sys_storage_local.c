/* SPDX-License-Identifier: Apache-2.0 */
/* The local store: the common suite, and what is special to files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/storage_suite.h"
#include "sys/storage_local.h"

struct fixture {
    char root[64];
    storage *s;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->root, sizeof(f->root), "/tmp/bh-storage-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    suite_ok(storage_local_new(f->root, NULL, &f->s));
    *state = f;
    return 0;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    storage_free(f->s);
    nftw(f->root, drop, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

#define CASE(name)                                                                                 \
    static void test_##name(void **state) { suite_##name(((struct fixture *)*state)->s); }
CASE(objects)
CASE(ranges)
CASE(if_absent)
CASE(names)
CASE(listing)
CASE(copy_delete)

static void test_multipart(void **state) {
    suite_multipart(((struct fixture *)*state)->s, 100000, true);
}

static char *path_of(struct fixture *f, const char *name) {
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", f->root, name);
    return path;
}

static int entries(struct fixture *f, const char *dir) {
    char command[600];
    snprintf(command, sizeof(command), "find '%s' -mindepth 1 | wc -l", path_of(f, dir));
    FILE *p = popen(command, "r"); /* banned-ok: a fixed command of a test */
    int n = -1;
    assert_int_equal(fscanf(p, "%d", &n), 1);
    pclose(p);
    return n;
}

/* Ordinary keys are ordinary paths, and nothing is left behind. */
static void test_layout(void **state) {
    struct fixture *f = *state;
    suite_put(f->s, "t/p=a%20b/x.parquet", "1");
    assert_int_equal(access(path_of(f, "t/p=a%20b/x.parquet"), R_OK), 0);
    suite_put(f->s, "t/y", "2");
    suite_put(f->s, "t/y/z", "3"); /* the file becomes a directory */
    suite_has(f->s, "t/y", "2");
    suite_has(f->s, "t/y/z", "3");
    assert_int_equal(access(path_of(f, "t/y/.~self"), R_OK), 0);
    suite_put(f->s, "t/y", "4"); /* and is overwritten where it lies now */
    suite_has(f->s, "t/y", "4");
    struct storage_bytes b;
    struct storage_put_options o = {.if_absent = true};
    suite_is(storage_put(f->s, STR("t/y"), storage_from_bytes(&b, STR("5")), &o, NULL),
             ERR_ALREADY_EXISTS);
    suite_put(f->s, "d/e/f", "6");
    suite_ok(storage_put(f->s, STR("d/e"), storage_from_bytes(&b, STR("7")), &o, NULL));
    suite_has(f->s, "d/e", "7");
    assert_int_equal(entries(f, ".~tmp"), 0);
    suite_ok(storage_rename(f->s, STR("d/e"), STR("d/e2")));
    suite_ok(storage_rename(f->s, STR("d/e/f"), STR("other/place")));
    suite_has(f->s, "d/e2", "7");
    suite_has(f->s, "other/place", "6");
    struct storage_info info;
    suite_is(storage_head(f->s, STR("d/e"), &info), ERR_NOT_FOUND);
    suite_is(storage_rename(f->s, STR("d/e"), STR("x")), ERR_NOT_FOUND);
    str keys[] = {STR("d/e2"), STR("other/place"), STR("t/y"), STR("t/y/z"),
                  STR("t/p=a%20b/x.parquet")};
    suite_ok(storage_del(f->s, keys, 5));
    assert_int_equal(entries(f, "."), 1); /* .~tmp */
}

static void test_symlinks(void **state) {
    struct fixture *f = *state;
    suite_put(f->s, "a/real", "x");
    char target[600];
    snprintf(target, sizeof(target), "%s/a", f->root);
    assert_int_equal(symlink(target, path_of(f, "link")), 0);
    assert_int_equal(symlink("/etc/passwd", path_of(f, "a/passwd")), 0);
    struct storage_info info;
    suite_is(storage_head(f->s, STR("link/real"), &info), ERR_INVALID_STATE);
    suite_is(storage_head(f->s, STR("a/passwd"), &info), ERR_INVALID_STATE);
    struct storage_bytes b;
    suite_is(storage_put(f->s, STR("link/new"), storage_from_bytes(&b, STR("x")), NULL, NULL),
             ERR_INVALID_STATE);
    arena *a = arena_new();
    assert_string_equal(suite_list(f->s, a, "", false, 100), "a/real");
    arena_free(a);
    /* putting over a link replaces the link, not its target */
    suite_put(f->s, "a/passwd", "mine");
    suite_has(f->s, "a/passwd", "mine");
}

static void test_descriptors(void **state) {
    struct fixture *f = *state;
    storage_temp *t;
    struct storage_info info;
    unsigned char sha[32] = {1, 2, 3};
    suite_ok(storage_local_temp(f->s, STR("v/file"), &t));
    assert_int_equal(write(storage_temp_fd(t), "hello", 5), 5);
    suite_is(storage_head(f->s, STR("v/file"), &info), ERR_NOT_FOUND);
    suite_is(storage_local_commit(f->s, t, false, 6, sha, NULL), ERR_DATA_LOSS);
    assert_int_equal(entries(f, ".~tmp"), 0);
    suite_ok(storage_local_temp(f->s, STR("v/file"), &t));
    assert_int_equal(write(storage_temp_fd(t), "hello", 5), 5);
    suite_ok(storage_local_commit(f->s, t, true, 5, sha, &info));
    int fd;
    struct storage_info opened;
    suite_ok(storage_local_open(f->s, STR("v/file"), &fd, &opened));
    assert_string_equal(opened.etag, info.etag);
    char text[8];
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    close(fd);
    if (opened.has_sha256) assert_memory_equal(opened.sha256, sha, 32);
    suite_ok(storage_local_temp(f->s, STR("v/gone"), &t));
    storage_local_abort(f->s, t);
    storage_local_abort(f->s, NULL);
    /* parts */
    arena *a = arena_new();
    str id;
    suite_ok(storage_multi_create(f->s, a, STR("v/parts"), &id));
    suite_ok(storage_local_part_temp(f->s, STR("v/parts"), id, 1, &t));
    assert_int_equal(write(storage_temp_fd(t), "part", 4), 4);
    suite_ok(storage_local_commit(f->s, t, false, 4, NULL, &info));
    struct storage_part p = {.number = 1};
    memcpy(p.etag, info.etag, sizeof(p.etag));
    suite_ok(storage_multi_complete(f->s, STR("v/parts"), id, &p, 1, false, NULL));
    suite_has(f->s, "v/parts", "part");
    arena_free(a);
}

static void test_sweep(void **state) {
    struct fixture *f = *state;
    storage_temp *t;
    arena *a = arena_new();
    str id;
    suite_put(f->s, "kept", "x");
    suite_ok(storage_multi_create(f->s, a, STR("up"), &id));
    suite_ok(storage_local_temp(f->s, STR("left"), &t));
    suite_ok(storage_local_sweep(f->s, 3600 * 1000000ll));
    assert_int_equal(entries(f, ".~tmp"), 2); /* the upload and its key */
    suite_ok(storage_local_sweep(f->s, 0));
    assert_int_equal(entries(f, ".~tmp"), 0);
    suite_is(storage_multi_abort(f->s, STR("up"), id), ERR_NOT_FOUND);
    suite_has(f->s, "kept", "x");
    storage_local_abort(f->s, t);
    arena_free(a);
}

/* Threads that put, promote and delete in the same places: every put that was acknowledged and not
 * deleted is there afterwards, and put-if-absent has one winner. */
struct crew {
    storage *s;
    int number, wins, errors;
};

static void *work(void *arg) {
    struct crew *c = arg;
    char key[64], text[16];
    for (int i = 0; i < 120; i++) {
        struct storage_bytes b;
        struct storage_put_options o = {.if_absent = true};
        snprintf(key, sizeof(key), "race/%d", i);
        snprintf(text, sizeof(text), "%d", c->number);
        err *e = storage_put(c->s, str_of(key), storage_from_bytes(&b, str_of(text)), &o, NULL);
        c->wins += e == NULL;
        c->errors += e && err_code_of(e) != ERR_ALREADY_EXISTS;
        err_free(e);
        snprintf(key, sizeof(key), "race/%d/deep/%d", i, c->number);
        e = storage_put(c->s, str_of(key), storage_from_bytes(&b, str_of(key)), NULL, NULL);
        c->errors += e != NULL;
        err_free(e);
        snprintf(key, sizeof(key), "race/tmp/%d", i % 3);
        e = storage_put(c->s, str_of(key), storage_from_bytes(&b, str_of(key)), NULL, NULL);
        str k = str_of(key);
        if (!e) e = storage_del(c->s, &k, 1);
        c->errors += e != NULL;
        err_free(e);
    }
    return NULL;
}

static void test_threads(void **state) {
    struct fixture *f = *state;
    struct crew crew[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        crew[i] = (struct crew){f->s, i, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crew[i]), 0);
    }
    int wins = 0, errors = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        wins += crew[i].wins;
        errors += crew[i].errors;
    }
    assert_int_equal(errors, 0);
    assert_int_equal(wins, 120);
    struct storage_info info;
    char key[64];
    for (int i = 0; i < 120; i++) {
        snprintf(key, sizeof(key), "race/%d", i);
        suite_ok(storage_head(f->s, str_of(key), &info));
        for (int j = 0; j < 4; j++) {
            snprintf(key, sizeof(key), "race/%d/deep/%d", i, j);
            suite_has(f->s, key, key);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
        T(objects),   T(ranges), T(if_absent), T(names),       T(listing), T(copy_delete),
        T(multipart), T(layout), T(symlinks),  T(descriptors), T(sweep),   T(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
