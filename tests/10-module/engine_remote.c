/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of objects (engine/worker/remote.h) over a real courier and a real S3 server: what is fetched, when, and what is
 * emptied, while threads read.
 */
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
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "courier/service.h"
#include "engine/worker/remote.h"
#include "harness/moto.h"
#include "harness/storage_suite.h"
#include "ipc/courier_client.h"
#include "sys/files.h"

#define MB (1 << 20)
#define BIG (20 * MB + 12345)
#define ROOM (6 * MB)

static struct moto server;
static loop *courier_loop, *control_loop, *engine_loop;
static courier *the_courier;
static courier_client *client;
static pthread_t threads[3];
static storage *store; /* the bucket, past the engine */
static char dir[200];
static arena *a;

static void *run(void *arg) {
    loop_run(arg);
    return NULL;
}

struct there {
    void (*fn)(void *arg);
    void *arg;
    atomic_int done;
};

static void do_there(void *arg) {
    struct there *t = arg;
    t->fn(t->arg);
    t->done = 1;
}

static void on_thread(loop *l, void (*fn)(void *), void *arg) {
    struct there t = {fn, arg, 0};
    loop_post(l, do_there, &t);
    while (!t.done) usleep(200);
}

static void join_control(void *fd) { suite_ok(courier_client_connect(client, *(int *)fd)); }
static void join_courier(void *fd) { suite_ok(courier_add_control(the_courier, *(int *)fd)); }
static void give_engine(void *fd) { courier_client_engine(client, *(int *)fd); }
static void join_engine(void *fd) { suite_ok(remote_join(*(int *)fd)); }
static void end_statement(void *n) { courier_client_ended(client, *(uint64_t *)n); }
static void stop_loop(void *l) { loop_stop(l); }

static void grant(uint64_t statement, const char *key) {
    struct order_grant g = {.place = STR("p"), .prefix = str_of(key), .write = true, .statement = statement, .expires = INT64_MAX};
    buf token = {0};
    courier_client_grant(client, &g, &token);
    remote_grant(statement, str_of(arena_printf(a, "s3://bucket/%s", key)), str_of(key), buf_view(&token));
    buf_free(&token);
}

static int start(void **state) {
    (void)state;
    int fds[2];
    buf config = {0};
    signal(SIGPIPE, SIG_IGN);
    a = arena_new();
    moto_start(&server, true);
    suite_ok(loop_new(&courier_loop));
    suite_ok(loop_new(&control_loop));
    suite_ok(loop_new(&engine_loop));
    suite_ok(courier_new(courier_loop, &the_courier));
    client = courier_client_new(control_loop);
    struct settings set;
    settings_init(&set);
    suite_ok(settings_set(&set, STR("egress.allow"), str_of(server.endpoint + 7), SETTING_COMMAND));
    suite_ok(courier_set(the_courier, &set));
    settings_free(&set);
    snprintf(dir, sizeof(dir), "%s/remote-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    suite_ok(remote_open(engine_loop, arena_printf(a, "%s/s3", dir), ROOM));
    pthread_create(&threads[0], NULL, run, courier_loop);
    pthread_create(&threads[1], NULL, run, control_loop);
    pthread_create(&threads[2], NULL, run, engine_loop);
    suite_ok(chan_pair(fds));
    on_thread(courier_loop, join_courier, &fds[1]);
    on_thread(control_loop, join_control, &fds[0]);
    buf_fmt(&config, "{\"bucket\":\"bucket\",\"endpoint\":\"%s\",\"path_style\":true,\"access_key_id\":\"%s\",\"secret_access_key\":\"%s\"}",
            server.endpoint, server.key_id, server.secret);
    suite_ok(courier_client_place(client, STR("p"), buf_view(&config)));
    buf_free(&config);
    store = courier_client_store(client, STR("p"));
    suite_ok(chan_pair(fds));
    on_thread(control_loop, give_engine, &fds[0]);
    on_thread(engine_loop, join_engine, &fds[1]);
    grant(1, "in");
    return 0;
}

static int stop(void **state) {
    (void)state;
    loop *loops[] = {engine_loop, control_loop, courier_loop};
    for (int i = 0; i < 3; i++) {
        loop_post(loops[i], stop_loop, loops[i]);
        pthread_join(threads[2 - i], NULL);
    }
    courier_client_free(client);
    courier_free(the_courier);
    moto_stop(&server);
    suite_ok(files_remove_tree(dir, 10000));
    arena_free(a);
    return 0;
}

/* ---- objects with a pattern ---- */

static unsigned char byte_at(int64_t i, int seed) { return (unsigned char)((i * 2654435761u >> 13) ^ (i >> 8) ^ seed); }

static char *pattern(int64_t n, int seed) {
    char *p = malloc((size_t)n + 1);
    for (int64_t i = 0; i < n; i++) p[i] = (char)byte_at(i, seed);
    return p;
}

static str put(const char *key, int64_t n, int seed) {
    char *p = pattern(n, seed);
    struct storage_bytes from;
    struct storage_put_options o = {0};
    suite_ok(storage_put(store, str_of(key), storage_from_bytes(&from, str_n(p, (size_t)n)), &o, NULL));
    free(p);
    return remote_path(a, str_of(arena_printf(a, "s3://bucket/%s", key)));
}

static int64_t on_disk(str path) {
    struct stat st;
    assert_int_equal(stat(path.p, &st), 0);
    return (int64_t)st.st_blocks * 512;
}

static bool is_pattern(int fd, int64_t offset, size_t n, int seed) {
    unsigned char *p = malloc(n);
    bool same = pread(fd, p, n, offset) == (ssize_t)n;
    for (size_t i = 0; same && i < n; i++) same = p[i] == byte_at(offset + (int64_t)i, seed);
    free(p);
    return same;
}

static void test_names(void **state) {
    (void)state;
    assert_true(remote_is_url(STR("s3://b/x")) && remote_is_url(STR("s3a://b/x")) && !remote_is_url(STR("file:///x")));
    str path = remote_path(a, STR("s3://bucket/in/a b/c"));
    assert_true(remote_is(path) && !remote_is(STR("/tmp/x")) && !remote_is(str_of(dir)));
    assert_true(str_eqz(remote_url(a, path), "s3://bucket/in/a b/c"));
    assert_true(str_eq(remote_path(a, STR("s3a://bucket/in/a b/c/")), path));
}

/* Whoever reads the end of a large object gets no more than about that. */
static void test_parts_are_fetched(void **state) {
    (void)state;
    str path = put("in/big", BIG, 1);
    suite_ok(remote_declare(path, BIG, 0, STR_NONE));
    assert_true(on_disk(path) < 64 * 1024);
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(is_pattern(fd, BIG - 8, 8, 1));
    assert_true(on_disk(path) <= 2 * MB);
    assert_true(is_pattern(fd, 3 * MB + 5, 100000, 1));
    assert_true(on_disk(path) <= 4 * MB);
    assert_int_equal(pread(fd, (char[4]){0}, 4, BIG), 0);
    assert_true(is_pattern(fd, BIG - 8, 8, 1)); /* still there */
    close(fd);
    /* And from the start to the end, more than there is room for. */
    fd = open(path.p, O_RDONLY | O_CLOEXEC);
    char *p = malloc(700001);
    int64_t at = 0;
    for (ssize_t n; (n = read(fd, p, 700001)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            if ((unsigned char)p[i] != byte_at(at + i, 1)) fail_msg("byte %lld", (long long)(at + i));
    assert_int_equal(at, BIG);
    free(p);
    close(fd);
}

struct reader {
    const str *paths;
    const int64_t *sizes;
    int n, seed;
    bool wrong;
};

static void *read_around(void *arg) {
    struct reader *r = arg;
    unsigned rnd = (unsigned)r->seed;
    for (int k = 0; k < 60 && !r->wrong; k++) {
        int i = (int)(rand_r(&rnd) % (unsigned)r->n);
        int fd = open(r->paths[i].p, O_RDONLY | O_CLOEXEC);
        for (int j = 0; j < 3 && fd >= 0; j++) {
            int64_t offset = rand_r(&rnd) % r->sizes[i];
            size_t n = 1 + rand_r(&rnd) % 200000u;
            if (offset + (int64_t)n > r->sizes[i]) n = (size_t)(r->sizes[i] - offset);
            r->wrong |= !is_pattern(fd, offset, n, i);
        }
        r->wrong |= fd < 0;
        if (fd >= 0) close(fd);
    }
    return NULL;
}

/* Many threads, more bytes than room: each read is right, and what is kept stays near the bound. */
static void test_many_readers_little_room(void **state) {
    (void)state;
    enum { N = 6, THREADS = 8 };
    str paths[N];
    int64_t sizes[N], kept = 0;
    for (int i = 0; i < N; i++) {
        sizes[i] = i % 2 ? 3 * MB + i : 700000 + i;
        paths[i] = put(arena_printf(a, "in/many/%d", i), sizes[i], i);
        suite_ok(remote_declare(paths[i], sizes[i], 0, STR_NONE));
    }
    struct reader r[THREADS];
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        r[i] = (struct reader){paths, sizes, N, i + 1, false};
        assert_int_equal(pthread_create(&t[i], NULL, read_around, &r[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert_false(r[i].wrong);
    }
    for (int i = 0; i < N; i++) kept += on_disk(paths[i]);
    assert_true(kept <= ROOM + 4 * MB);
}

/* Another object of the same name is another copy; who has the old one open sees that it is gone, never a mixture. */
static void test_replaced(void **state) {
    (void)state;
    struct remote_entry one;
    str path = put("in/swap", 9 * MB, 3);
    suite_ok(remote_head(a, path, &one));
    suite_ok(remote_declare(path, one.size, one.mtime_us, one.etag));
    int old = open(path.p, O_RDONLY | O_CLOEXEC);
    assert_true(is_pattern(old, 0, 1000, 3));
    (void)put("in/swap", 9 * MB, 4);
    suite_ok(remote_head(a, path, &one));
    suite_ok(remote_declare(path, one.size, one.mtime_us, one.etag));
    int new = open(path.p, O_RDONLY | O_CLOEXEC);
    assert_true(is_pattern(new, 0, 1000, 4) && is_pattern(new, 8 * MB, 1000, 4));
    assert_true(is_pattern(old, 0, 1000, 3)); /* was fetched */
    char byte;
    assert_int_equal(pread(old, &byte, 1, 8 * MB), -1);
    assert_int_equal(errno, EIO);
    close(old);
    close(new);
    /* An object that has another size than the log said is refused, not padded. */
    path = put("in/short", 1000, 5);
    suite_ok(remote_declare(path, 2000, 0, STR_NONE));
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, 0), -1);
    close(fd);
}

static void test_grants(void **state) {
    (void)state;
    str path = put("out/x", 100, 6), held = put("in/held", 100, 7);
    struct remote_entry one, *all;
    size_t n;
    suite_is(remote_declare(path, 100, 0, STR_NONE), ERR_PERMISSION_DENIED);
    suite_is(remote_declare(STR("/etc/passwd"), 1, 0, STR_NONE), ERR_PERMISSION_DENIED);
    suite_is(remote_head(a, path, &one), ERR_PERMISSION_DENIED);
    suite_is(remote_list(a, remote_path(a, STR("s3://bucket/out")), &all, &n), ERR_PERMISSION_DENIED);
    suite_is(remote_delete(&path, 1), ERR_PERMISSION_DENIED);
    assert_false(remote_granted(path));
    grant(2, "out");
    assert_true(remote_granted(path));
    suite_ok(remote_declare(path, 100, 0, STR_NONE));
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    remote_end(2);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, 0), -1); /* nothing was fetched while there was a grant */
    close(fd);
    /* A grant whose statement has ended elsewhere is passed over for another that fits. */
    grant(3, "in");
    uint64_t three = 3;
    on_thread(control_loop, end_statement, &three);
    suite_ok(remote_declare(held, 100, 0, STR_NONE));
    fd = open(held.p, O_RDONLY | O_CLOEXEC);
    assert_true(is_pattern(fd, 0, 100, 7));
    close(fd);
    remote_end(3);
}

static void test_written_files_become_objects(void **state) {
    (void)state;
    str paths[3];
    struct remote_entry *all;
    size_t n;
    char *p = pattern(9 * MB, 8);
    for (int i = 0; i < 3; i++) {
        paths[i] = remote_path(a, str_of(arena_printf(a, "s3://bucket/in/w/%d", i)));
        suite_ok(files_mkdirs(arena_printf(a, "%s/s3/bucket/in/w", dir), 0700));
        suite_ok(files_create(paths[i].p, str_n(p, (size_t)(i ? 9 * MB : 10)), 0600));
    }
    free(p);
    suite_ok(remote_upload(paths, 3));
    suite_ok(remote_list(a, remote_path(a, STR("s3://bucket/in/w")), &all, &n));
    assert_int_equal(n, 3);
    assert_true(str_eq(all[0].path, paths[0]) && all[0].size == 10 && all[2].size == 9 * MB);
    int fd = open(paths[1].p, O_RDONLY | O_CLOEXEC);
    assert_true(is_pattern(fd, 8 * MB, 100000, 8));
    close(fd);
    suite_ok(remote_delete(paths, 3));
    suite_ok(remote_list(a, remote_path(a, STR("s3://bucket/in/w")), &all, &n));
    assert_int_equal(n, 0);
    assert_int_equal(access(paths[0].p, F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_parts_are_fetched), cmocka_unit_test(test_many_readers_little_room),
        cmocka_unit_test(test_replaced), cmocka_unit_test(test_grants),            cmocka_unit_test(test_written_files_become_objects),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
