/* SPDX-License-Identifier: Apache-2.0 */
/* Files of managed volumes in an engine (engine/worker/remote_volume.c), beside a control of the test's own whose blobs are on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/worker/remote.h"
#include "harness/storage_suite.h"
#include "sys/files.h"

#define ROOT "/Volumes/c/s/v"
#define FILES 40
#define THREADS 6

/* What control has: contents by number; a file's id is 32 times its letter. */
struct kept {
    const char *path;
    char letter;     /* of its content; 0: it is gone */
    int64_t size;
};

static struct {
    pthread_mutex_t lock;
    struct kept files[FILES];
    size_t n;
    const char *answer;   /* instead of the list */
    const char *rights;   /* that were asked with last */
    int wait_ms;
    atomic_int asked, open_questions;
} control = {.lock = PTHREAD_MUTEX_INITIALIZER};

static loop *engine_loop;
static arena *a;
static char dir[200];

static const char *id_of(char letter) {
    static _Thread_local char id[33];
    memset(id, letter, 32);
    return id;
}

static struct kept *find(str path) {
    for (size_t i = 0; i < control.n; i++)
        if (control.files[i].letter && str_eqz(path, control.files[i].path)) return &control.files[i];
    return NULL;
}

static int blob(char letter, int64_t size) {
    int fd = memfd_create("blob", MFD_CLOEXEC);
    char *bytes = malloc((size_t)size + 1);
    memset(bytes, letter, (size_t)size);
    must(fd >= 0 && write(fd, bytes, (size_t)size) == size);
    free(bytes);
    return fd;
}

static void put_list(str path, str after, buf *out) {
    struct kept *one = find(path);
    size_t shown = 0;
    const char *last = NULL;
    buf_fmt(out, "{\"file\":%s,\"files\":[", one ? "true" : "false");
    for (size_t i = 0; i < control.n; i++) {
        struct kept *f = &control.files[i];
        str p = str_of(f->path);
        bool below = str_starts(p, path) && p.n > path.n && p.p[path.n] == '/' && (!after.n || str_cmp(str_from(p, path.n), after) > 0);
        if (!f->letter || !(one ? f == one : below)) continue;
        if (shown == 7) break; /* pages are small here */
        buf_fmt(out, "%s[\"%s\",%lld,1700000000000000,\"%s\"]", shown++ ? "," : "", f->path, (long long)f->size, id_of(f->letter));
        last = f->path + path.n;
    }
    buf_c(out, ']');
    if (shown == 7) buf_fmt(out, ",\"next\":\"%s\"", last);
    buf_c(out, '}');
}

/* A control that keeps one file open for nobody. */
static err *answer(void *arg, arena *to, str op, str json, jval **ret, int *ret_fd) {
    jval *q;
    buf out = {0};
    err *e = json_parse(to, json, false, &q);
    (void)arg;
    if (e) return e;
    control.asked++;
    control.open_questions++;
    if (control.wait_ms) usleep((unsigned)control.wait_ms * 1000);
    pthread_mutex_lock(&control.lock);
    control.rights = arena_strndup(a, json_get_str(q, "catalog").p ? json_get_str(q, "catalog").p : "", json_get_str(q, "catalog").n);
    struct kept *f = find(json_get_str(q, "path"));
    if (str_eqz(op, "files") && control.answer) {
        buf_z(&out, control.answer);
    } else if (str_eqz(op, "files")) {
        put_list(json_get_str(q, "path"), json_get_str(q, "after"), &out);
    } else if (!f || !str_eqz(json_get_str(q, "id"), id_of(f->letter))) {
        e = err_new(ERR_SQL_ERROR, "[FAILED_READ_FILE.FILE_NOT_EXIST] it is another one");
    } else {
        *ret_fd = blob(f->letter, f->size);
        buf_z(&out, "{}");
    }
    pthread_mutex_unlock(&control.lock);
    if (!e) e = json_parse(to, arena_str(to, buf_view(&out)), false, ret);
    buf_free(&out);
    control.open_questions--;
    return e;
}

static void keep(const char *path, char letter, int64_t size) {
    pthread_mutex_lock(&control.lock);
    size_t i = 0;
    while (i < control.n && strcmp(control.files[i].path, path)) i++;
    must(i < FILES);
    if (i == control.n) control.n++;
    control.files[i] = (struct kept){arena_strdup(a, path), letter, size};
    pthread_mutex_unlock(&control.lock);
}

static int start(void **state) {
    (void)state;
    a = arena_new();
    suite_ok(loop_new(&engine_loop));
    snprintf(dir, sizeof(dir), "%s/volume-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    suite_ok(remote_open(engine_loop, arena_printf(a, "%s/s3", dir), 1 << 20));
    return 0;
}

static int stop(void **state) {
    (void)state;
    suite_ok(files_remove_tree(dir, 10000));
    arena_free(a);
    return 0;
}

static int fresh(void **state) {
    (void)state;
    control.n = 0;
    control.answer = NULL;
    control.wait_ms = 0;
    return 0;
}

static const char *place_of(const char *path) {
    struct remote_entry *all;
    size_t n;
    bool file = false;
    str place;
    suite_ok(remote_volume_list(a, str_of(path), &all, &n, &file));
    assert_true(file && n == 1);
    suite_ok(remote_volume_declare(a, &all[0], &place));
    return place.p;
}

static bool is_all(int fd, int64_t at, size_t n, char letter) {
    char *bytes = malloc(n + 1);
    ssize_t got = pread(fd, bytes, n, at);
    bool same = got == (ssize_t)n;
    for (size_t i = 0; same && i < n; i++) same = bytes[i] == letter;
    free(bytes);
    return same;
}

static void test_reading(void **state) {
    (void)state;
    keep(ROOT "/a/x=1/one.csv", 'a', 100000);
    remote_volume_open(1, STR(ROOT), STR("main\x01mark"), answer, NULL);
    const char *place = place_of(ROOT "/a/x=1/one.csv");
    assert_string_equal(control.rights, "main\x01mark");
    struct stat st;
    assert_int_equal(stat(place, &st), 0);
    assert_int_equal(st.st_size, 100000);
    assert_int_equal(st.st_mtim.tv_sec, 1700000000);
    assert_int_equal(st.st_blocks, 0); /* nothing is copied, now or later */
    assert_true(str_eqz(remote_shown(str_of(place)), ROOT "/a/x=1/one.csv"));
    int before = control.asked, one = open(place, O_RDONLY | O_CLOEXEC), two = open(place, O_RDONLY | O_CLOEXEC);
    char bytes[64];
    assert_true(is_all(one, 0, 100000, 'a') && is_all(one, 99990, 10, 'a'));
    assert_int_equal(pread(one, bytes, 10, 99995), 5);
    assert_int_equal(pread(one, bytes, 10, 100000), 0);
    /* Each descriptor has a place of its own in the file. */
    assert_int_equal(read(one, bytes, 40), 40);
    assert_int_equal(read(two, bytes, 7), 7);
    assert_int_equal(lseek(one, 0, SEEK_CUR), 40);
    assert_int_equal(lseek(two, 0, SEEK_CUR), 7);
    int copy = memfd_create("copy", MFD_CLOEXEC);
    assert_int_equal(lseek(one, 99000, SEEK_SET), 99000);
    assert_int_equal(sendfile(copy, one, NULL, 5000), 1000);
    assert_true(is_all(copy, 0, 1000, 'a'));
    assert_int_equal(control.asked - before, 1);
    close(copy), close(one), close(two);
    assert_int_equal(stat(place, &st), 0);
    assert_int_equal(st.st_blocks, 0);
    remote_volume_end(1);
}

static void test_pages(void **state) {
    (void)state;
    struct remote_entry *all;
    size_t n;
    bool file = true;
    for (int i = 0; i < 30; i++) keep(arena_printf(a, ROOT "/many/%02d", i), (char)('a' + i % 6), i);
    keep(ROOT "/manyother", 'a', 1);
    remote_volume_open(1, STR(ROOT), STR(""), answer, NULL);
    suite_ok(remote_volume_list(a, STR(ROOT "/many"), &all, &n, &file));
    assert_false(file);
    assert_int_equal(n, 30);
    for (int i = 0; i < 30; i++) assert_true(str_eqz(all[i].path, arena_printf(a, ROOT "/many/%02d", i)) && all[i].size == i);
    remote_volume_end(1);
}

static void test_replaced(void **state) {
    (void)state;
    keep(ROOT "/r", 'a', 5000);
    remote_volume_open(1, STR(ROOT), STR(""), answer, NULL);
    const char *old = place_of(ROOT "/r");
    int fd = open(old, O_RDONLY | O_CLOEXEC);
    assert_true(is_all(fd, 0, 10, 'a'));
    keep(ROOT "/r", 'b', 5000);
    const char *new = place_of(ROOT "/r");
    assert_string_not_equal(old, new);
    int other = open(new, O_RDONLY | O_CLOEXEC);
    assert_true(is_all(other, 0, 5000, 'b') && is_all(fd, 0, 5000, 'a'));
    close(other), close(fd);
    /* Nobody has it open any more: it cannot be had again, and that is told by name. */
    char byte;
    fd = open(old, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EIO);
    close(fd);
    err *e = remote_explain(err_new(ERR_SQL_ERROR, "IO Error: Could not read from file \"%s\": Input/output error", old));
    assert_string_equal(err_msg(e), "[FAILED_READ_FILE.FILE_NOT_EXIST] it is another one");
    err_free(e);
    e = remote_explain(err_new(ERR_SQL_ERROR, "a line of \"%s\" and one of \"%s\" are wrong", new, new));
    assert_string_equal(err_msg(e), "a line of \"dbfs:" ROOT "/r\" and one of \"dbfs:" ROOT "/r\" are wrong");
    err_free(e);
    assert_null(remote_explain(NULL));
    remote_volume_end(1);
}

static void test_tickets(void **state) {
    (void)state;
    struct remote_entry *all;
    size_t n;
    bool file;
    keep(ROOT "/t", 'a', 10);
    suite_is(remote_volume_list(a, STR(ROOT "/t"), &all, &n, &file), ERR_PERMISSION_DENIED);
    remote_volume_open(1, STR(ROOT), STR(""), answer, NULL);
    suite_is(remote_volume_list(a, STR(ROOT "2/t"), &all, &n, &file), ERR_PERMISSION_DENIED);
    suite_is(remote_volume_list(a, STR("/Volumes/c/s"), &all, &n, &file), ERR_PERMISSION_DENIED);
    const char *place = place_of(ROOT "/t");
    remote_volume_open(2, STR(ROOT), STR(""), answer, NULL);
    remote_volume_end(1);
    int fd = open(place, O_RDONLY | O_CLOEXEC);
    assert_true(is_all(fd, 0, 10, 'a')); /* by the other statement's */
    close(fd);
    remote_volume_end(2);
    char byte;
    fd = open(place, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), -1);
    close(fd);
    assert_int_equal(open(arena_printf(a, "%s/s3.volumes/%s/no", dir, id_of('a')), O_RDONLY | O_CLOEXEC), -1);
}

static void test_damaged_answers(void **state) {
    (void)state;
    static const char *const answers[] = {
        "{\"files\":[[\"" ROOT "/x\",1,1,\"../../../../../../../../../../etc\"]]}", "{\"files\":[[\"" ROOT "/x\",1,1,\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]]}",
        "{\"files\":[[\"/etc/passwd\",1,1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]]}", "{\"files\":[[\"" ROOT "/x\",\"1x\",1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]]}",
        "{\"files\":[7]}", "{\"files\":[[]]}"};
    struct remote_entry *all;
    size_t n;
    bool file;
    remote_volume_open(1, STR(ROOT), STR(""), answer, NULL);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        control.answer = answers[i];
        suite_is(remote_volume_list(a, STR(ROOT), &all, &n, &file), ERR_INTERNAL_ERROR);
    }
    remote_volume_end(1);
}

static void *read_slowly(void *place) {
    int fd = open(place, O_RDONLY | O_CLOEXEC);
    bool good = is_all(fd, 0, 100, 'a');
    close(fd);
    return good ? place : NULL;
}

/* Whoever ends a statement waits for questions under way: nobody answers them afterwards. */
static void test_the_end_waits(void **state) {
    (void)state;
    keep(ROOT "/slow", 'a', 100);
    remote_volume_open(1, STR(ROOT), STR(""), answer, NULL);
    const char *place = place_of(ROOT "/slow");
    pthread_t t;
    void *good;
    control.wait_ms = 100;
    int before = control.asked;
    assert_int_equal(pthread_create(&t, NULL, read_slowly, (void *)(uintptr_t)place), 0);
    while (control.asked == before) usleep(500);
    remote_volume_end(1);
    assert_int_equal(control.open_questions, 0);
    pthread_join(t, &good);
    assert_non_null(good);
}

struct reader {
    const char **places;
    unsigned seed;
    bool wrong;
};

static void *read_around(void *arg) {
    struct reader *r = arg;
    for (int i = 0; i < 300 && !r->wrong; i++) {
        unsigned k = rand_r(&r->seed) % 20;
        int fd = open(r->places[k], O_RDONLY | O_CLOEXEC);
        for (int x = 0; x < 3; x++) r->wrong |= !is_all(fd, rand_r(&r->seed) % 3000, 1000, (char)('a' + k % 6));
        close(fd);
    }
    return NULL;
}

static void test_many_threads(void **state) {
    (void)state;
    const char *places[20];
    struct reader r[THREADS];
    pthread_t t[THREADS];
    for (int i = 0; i < 20; i++) keep(arena_printf(a, ROOT "/th/%d", i), (char)('a' + i % 6), 4000);
    remote_volume_open(1, STR(ROOT), STR(""), answer, NULL);
    for (int i = 0; i < 20; i++) places[i] = place_of(arena_printf(a, ROOT "/th/%d", i));
    for (unsigned i = 0; i < THREADS; i++) {
        r[i] = (struct reader){places, i + 1, false};
        assert_int_equal(pthread_create(&t[i], NULL, read_around, &r[i]), 0);
    }
    for (uint64_t s = 2; s < 60; s++) { /* other statements come and go */
        remote_volume_open(s, STR(ROOT), STR(""), answer, NULL);
        usleep(500);
        remote_volume_end(s);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert_false(r[i].wrong);
    }
    remote_volume_end(1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_reading, fresh),   cmocka_unit_test_setup(test_pages, fresh),
                                       cmocka_unit_test_setup(test_replaced, fresh),  cmocka_unit_test_setup(test_tickets, fresh),
                                       cmocka_unit_test_setup(test_damaged_answers, fresh), cmocka_unit_test_setup(test_the_end_waits, fresh),
                                       cmocka_unit_test_setup(test_many_threads, fresh)};
    return cmocka_run_group_tests(tests, start, stop);
}
