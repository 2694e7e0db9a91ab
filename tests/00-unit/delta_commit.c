/* SPDX-License-Identifier: Apache-2.0 */
/* The committer: the matrix of conflicts by its published names, retries, groups of threads, timestamps, row ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <pthread.h>

#include "delta/checkpoint.h"
#include "delta/commit.h"
#include "delta/log.h"
#include "sys/files.h"

static arena *a;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

#define INFO(op, blind) "{\"commitInfo\":{\"operation\":\"" op "\",\"isBlindAppend\":" blind "}}\n"
#define ADD(path, p, change)                                                                       \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{\"p\":\"" p "\"},\"size\":1,\"modificationTime\":1,\"dataChange\":" change                  \
    ",\"stats\":\"{\\\"numRecords\\\":3}\"}}\n"
#define REMOVE(path) "{\"remove\":{\"path\":\"" path "\",\"dataChange\":true}}\n"
#define META "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{}\",\"partitionColumns\":[\"p\"]," \
             "\"configuration\":{}}}\n"
#define PROTO "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define TXN(app) "{\"txn\":{\"appId\":\"" app "\",\"version\":1}}\n"
#define DOMAIN_OF(name) "{\"domainMetadata\":{\"domain\":\"" name "\",\"configuration\":\"{}\",\"removed\":false}}\n"

static struct delta_action *read_all(const char *text, size_t *n) {
    struct delta_action *x;
    ok(delta_actions_read(a, str_of(text), STR("test"), &x, n));
    return x;
}

static void matrix(void **state) {
    (void)state;
    str read = STR("r");
    static const struct {
        const char *ours, *winner, *cls; /* cls NULL: no conflict */
        bool blind, read_all, serializable;
    } rows[] = {
        {ADD("n", "1", "true"), INFO("WRITE", "true") ADD("w", "1", "true"), NULL, true, false, false},
        {ADD("n", "1", "true"), INFO("DELETE", "false") REMOVE("w"), NULL, true, false, false},
        {REMOVE("r"), INFO("WRITE", "true") ADD("w", "1", "true"), NULL, false, true, false},
        {REMOVE("r"), INFO("WRITE", "true") ADD("w", "1", "true"), "DELTA_CONCURRENT_APPEND", false, true, true},
        {REMOVE("r"), INFO("UPDATE", "false") ADD("w", "1", "true"), "DELTA_CONCURRENT_APPEND", false, true, false},
        {REMOVE("r"), INFO("OPTIMIZE", "false") ADD("w", "1", "false"), NULL, false, true, false},
        {ADD("n", "1", "true"), INFO("DELETE", "false") REMOVE("r"), "DELTA_CONCURRENT_DELETE_READ", false, false, false},
        {REMOVE("r"), INFO("DELETE", "false") REMOVE("r"), "DELTA_CONCURRENT_DELETE_READ", false, false, false},
        {REMOVE("r"), INFO("DELETE", "false") REMOVE("r"), "DELTA_CONCURRENT_DELETE_DELETE", true, false, false}, /* compaction */
        {REMOVE("r"), INFO("UPDATE", "false") REMOVE("r") ADD("w", "1", "true"), "DELTA_CONCURRENT_APPEND", false, true, false},
        {ADD("n", "1", "true"), INFO("DELETE", "false") REMOVE("other"), NULL, false, false, false},
        {ADD("n", "1", "true"), META, "DELTA_METADATA_CHANGED", true, false, false},
        {ADD("n", "1", "true"), PROTO, "DELTA_PROTOCOL_CHANGED", true, false, false},
        {TXN("app"), TXN("app"), "DELTA_CONCURRENT_TRANSACTION", true, false, false},
        {TXN("app"), TXN("other"), NULL, true, false, false},
        {DOMAIN_OF("d"), DOMAIN_OF("d"), "DELTA_METADATA_CHANGED", true, false, false},
        {DOMAIN_OF("delta.rowTracking"), DOMAIN_OF("delta.rowTracking"), NULL, true, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct delta_commit_ask ask = {.blind_append = rows[i].blind, .read_all = rows[i].read_all, .serializable = rows[i].serializable,
                                       .files_read = &read, .n_files_read = 1};
        size_t n;
        ask.actions = read_all(rows[i].ours, &ask.n);
        struct delta_action *winner = read_all(rows[i].winner, &n);
        err *e = delta_conflict(a, &ask, winner, n, 7);
        if (!rows[i].cls != !e || (e && str_find(str_of(err_msg(e)), str_of(rows[i].cls)) != 1))
            fail_msg("row %zu: %s", i, e ? err_msg(e) : "no conflict");
        err_free(e);
    }
}

static void partitions_apart(void **state) {
    (void)state;
    str path = STR("p"), value = STR("1");
    struct delta_test t = {&path, 1, true, DELTA_ORDER_INT, '=', &value, 1};
    struct delta_commit_ask ask = {.read_all = true, .tests = &t, .n_tests = 1};
    size_t n;
    ok(delta_conflict(a, &ask, read_all(INFO("UPDATE", "false") ADD("w", "2", "true"), &n), 2, 3));
    err *e = delta_conflict(a, &ask, read_all(INFO("UPDATE", "false") ADD("w", "1", "true"), &n), 2, 3);
    assert_non_null(e);
    err_free(e);
    /* Removed files: those listed, or, where not all are, those that the conditions may let pass. */
    ok(delta_conflict(a, &ask, read_all(INFO("DELETE", "false") "{\"remove\":{\"path\":\"w\",\"dataChange\":true,\"extendedFileMetadata\":true,"
                      "\"partitionValues\":{\"p\":\"2\"},\"size\":1}}\n", &n), 2, 3));
    e = delta_conflict(a, &ask, read_all(INFO("DELETE", "false") REMOVE("w"), &n), 2, 3);
    assert_non_null(e);
    err_free(e);
    ask.files_listed = true;
    ok(delta_conflict(a, &ask, read_all(INFO("DELETE", "false") REMOVE("w"), &n), 2, 3));
}

/* Conditions as an engine sends them; what is none is refused. */
static void tests_as_json(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        bool good;
    } rows[] = {{"[]", 0, true},
                {"[{\"op\":\"=\",\"order\":0,\"partition\":true,\"path\":[\"p\"],\"values\":[\"1\"]}]", 1, true},
                {"[{\"op\":\"1\",\"order\":2,\"path\":[\"s\",\"x\"]}]", 1, true},
                {"[{\"op\":\"=\",\"order\":9,\"path\":[\"p\"],\"values\":[\"1\"]}]", 0, false},
                {"[{\"op\":\"~\",\"order\":0,\"path\":[\"p\"],\"values\":[\"1\"]}]", 0, false},
                {"[{\"op\":\"=\",\"order\":0,\"path\":[\"p\"],\"values\":[]}]", 0, false},
                {"[{\"op\":\"=\",\"order\":0,\"path\":[],\"values\":[\"1\"]}]", 0, false},
                {"[7]", 0, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        jval *v;
        const struct delta_test *t;
        size_t n = 0;
        ok(json_parse(a, str_of(rows[i].text), false, &v));
        err *e = delta_tests_of_json(a, v, &t, &n);
        if (!e != rows[i].good || (!e && n != rows[i].n)) fail_msg("row %zu", i);
        err_free(e);
    }
}

static char dir[64];
static struct delta_fs fs;

static void new_table(void) {
    snprintf(dir, sizeof(dir), "/tmp/bh-delta-commit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    fs = delta_fs_dir(a, str_of(dir));
    ok(delta_fs_mkdir(&fs, STR("_delta_log")));
}

static err *commit(arena *in, int64_t read_version, const char *text, bool blind, struct delta_commit_answer *ret) {
    struct delta_commit_ask ask = {.read_version = read_version, .info = STR("{\"operation\":\"WRITE\"}"), .blind_append = blind};
    struct delta_action *x;
    err *e = delta_actions_read(in, str_of(text), STR("test"), &x, &ask.n);
    if (e) return e;
    ask.actions = x;
    delta_committer *c = delta_committer_get(&fs);
    e = delta_commit(c, in, &ask, ret);
    delta_committer_put(c);
    return e;
}

static void versions(void **state) {
    (void)state;
    struct delta_commit_answer r;
    new_table();
    ok(commit(a, -1, PROTO META, true, &r));
    assert_int_equal(r.version, 0);
    err *e = commit(a, -1, PROTO META, true, &r);
    assert_non_null(e);
    if (str_find(str_of(err_msg(e)), STR("DELTA_CONCURRENT_WRITE")) != 1) fail_msg("%s", err_msg(e));
    err_free(e);
    ok(commit(a, 0, ADD("a", "1", "true"), true, &r));
    assert_int_equal(r.version, 1);
    /* Somebody outside writes the next version: ours is the one after. */
    ok(delta_fs_put(&fs, delta_commit_name(a, 2), STR(INFO("WRITE", "true") ADD("b", "1", "true")), true));
    ok(commit(a, 0, ADD("c", "1", "true"), true, &r));
    assert_int_equal(r.version, 3);
    /* What it removed is gone for a later remove that read the older state. */
    ok(delta_fs_put(&fs, delta_commit_name(a, 4), STR(INFO("DELETE", "false") REMOVE("a")), true));
    e = commit(a, 3, REMOVE("a"), false, &r);
    assert_non_null(e);
    if (str_find(str_of(err_msg(e)), STR("DELTA_CONCURRENT_DELETE_DELETE")) != 1) fail_msg("%s", err_msg(e));
    err_free(e);
    struct delta_snapshot *s;
    ok(delta_snapshot_open(&fs, NULL, DELTA_LATEST, &s));
    assert_int_equal(s->version, 4);
    assert_int_equal(s->n_files, 2);
    delta_snapshot_drop(s);
    ok(files_remove_tree(dir, 1000));
}

static void ids_and_times(void **state) {
    (void)state;
    new_table();
    struct delta_commit_answer r;
    ok(commit(a, -1, PROTO META, true, &r));
    delta_committer *c = delta_committer_get(&fs);
    for (int i = 1; i <= 3; i++) {
        struct delta_commit_ask ask = {.read_version = 0, .blind_append = true, .ict = true, .previous_ict = 5000, .row_ids = true, .high_water = 9,
                                       .now_ms = 1000};
        ask.actions = read_all(ADD("x", "1", "true"), &ask.n);
        ok(delta_commit(c, a, &ask, &r));
        assert_int_equal(r.version, i);
        assert_int_equal(r.timestamp_ms, 5000 + i);
        struct delta_action *acts;
        size_t n;
        ok(delta_actions_read(a, r.text, STR("test"), &acts, &n));
        assert_int_equal(acts[0].kind, DELTA_COMMIT_INFO);
        assert_int_equal(acts[1].file.base_row_id, 10 + 3 * (i - 1));
        assert_int_equal(acts[1].file.default_commit_version, i);
    }
    delta_committer_put(c);
    ok(files_remove_tree(dir, 1000));
}

#define THREADS 8
#define EACH 25

static void *writer(void *arg) {
    arena *mine = arena_new();
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        struct delta_commit_answer r;
        err *e = commit(mine, 0, ADD("t", "1", "true"), true, &r);
        must(!e);
    }
    arena_free(mine);
    return NULL;
}

static void groups(void **state) {
    (void)state;
    struct delta_commit_answer r;
    new_table();
    ok(commit(a, -1, PROTO META, true, &r));
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&t[i], NULL, writer, NULL), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    struct delta_log log;
    ok(delta_log_list(&fs, a, 0, &log));
    assert_int_equal(log.n_commits, 1 + THREADS * EACH);
    for (size_t i = 0; i < log.n_commits; i++) assert_int_equal(log.commits[i].version, i);
    ok(files_remove_tree(dir, 10000));
}

static void intervals(void **state) {
    (void)state;
    int64_t ms;
    assert_true(delta_interval_ms(STR("interval 1 week"), &ms));
    assert_int_equal(ms, 7ll * 24 * 3600 * 1000);
    assert_true(delta_interval_ms(STR("INTERVAL 2 days 3 hours"), &ms));
    assert_int_equal(ms, 51ll * 3600 * 1000);
    assert_false(delta_interval_ms(STR("soon"), &ms));
    assert_false(delta_interval_ms(STR(""), &ms));
}

static int setup(void **state) {
    (void)state;
    a = arena_new();
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(a);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(matrix),        cmocka_unit_test(partitions_apart), cmocka_unit_test(tests_as_json), cmocka_unit_test(versions),
                                       cmocka_unit_test(ids_and_times), cmocka_unit_test(groups),           cmocka_unit_test(intervals)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
