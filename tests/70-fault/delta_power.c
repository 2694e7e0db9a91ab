/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power loss below the commits of a Delta table. Versions are committed, each with a data file of its own, until the disk dies in the
 * midst of a call; then it shows what it really holds. What was acknowledged must be there; what was under way may be; versions have
 * no gap, and none of them is there in part: neither its text nor the file that it names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta/commit.h"
#include "delta/log.h"
#include "sys/files.h"
#include "sys/storage_fault.h"

enum { STEPS = 7 };

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

#define PROTO "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define META "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{}\",\"partitionColumns\":[]," \
             "\"configuration\":{}}}\n"

static const char *data_text(arena *a, int i) { return arena_printf(a, "the rows of version %d", i); }

/* The table's flavour decides whether a version's text depends on its number. */
enum flavour { PLAIN, TIMES, ROW_IDS, FLAVOURS };

struct run {
    char root[80];
    struct delta_fs fs;
    int acked;               /* the last version that was acknowledged, -1: none */
    int tried;
    bool forget_data;        /* a writer that does not name its data files: the test must see it */
};

static err *commit_one(struct run *r, arena *a, int i, enum flavour f) {
    struct delta_commit_answer answer;
    struct delta_action *x;
    str name = str_of(arena_printf(a, "p=%d/part-%d", i % 2, i));
    struct delta_commit_ask ask = {.read_version = i ? i - 1 : -1, .info = STR("{\"operation\":\"WRITE\"}"), .blind_append = true, .ict = f == TIMES,
                                   .previous_ict = -1, .row_ids = f == ROW_IDS, .high_water = -1};
    const char *text = i ? arena_printf(a, "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true,"
                                           "\"stats\":\"{\\\"numRecords\\\":3}\"}}\n", name.p) : PROTO META;
    TRY(delta_actions_read(a, str_of(text), STR("test"), &x, &ask.n));
    ask.actions = x;
    if (i) {
        char path[160];
        snprintf(path, sizeof(path), "%s/p=%d", r->root, i % 2);
        mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/%s", r->root, name.p);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        TRY(files_write_fd(fd, path, data_text(a, i), strlen(data_text(a, i))));
        close(fd);
        ask.sync = &name;
        ask.n_sync = r->forget_data ? 0 : 1;
    }
    r->tried = i;
    delta_committer *c = delta_committer_get(&r->fs);
    err *e = delta_commit(c, a, &ask, &answer);
    delta_committer_put(c);
    if (!e) assert_int_equal(answer.version, i);
    if (!e) r->acked = i;
    return e;
}

/* The number of versions that are there; false: something is there in part. */
static bool whole(arena *a, const char *root, int64_t *ret) {
    struct delta_fs fs = delta_fs_dir(a, str_of(root));
    struct delta_log log;
    ok(delta_log_list(&fs, a, 0, &log));
    *ret = (int64_t)log.n_commits;
    for (size_t v = 0; v < log.n_commits; v++) {
        struct delta_action *x;
        size_t n;
        str text, data;
        if (log.commits[v].version != (int64_t)v) return false;
        err *e = delta_commit_read(&fs, a, (int64_t)v, &x, &n, &text);
        bool add = false;
        for (size_t i = 0; !e && i < n; i++) {
            if (x[i].kind != DELTA_ADD) continue;
            add = true;
            e = delta_fs_read(&fs, a, x[i].file.path, &data);
            if (!e && !str_eqz(data, data_text(a, (int)v))) e = err_new(ERR_DATA_LOSS, "another text");
        }
        bool good = !e && add == (v > 0);
        err_free(e);
        if (!good) return false;
    }
    return true;
}

/* Calls of the disk; < 0: something is there in part. */
static int64_t run(uint64_t seed, int64_t die_after, enum storage_power_mode mode, enum flavour f, bool forget_data) {
    struct run r = {.root = "/tmp/bh-delta-power-XXXXXX", .acked = -1, .tried = -1, .forget_data = forget_data};
    arena *a = arena_new();
    storage_power *p;
    assert_non_null(mkdtemp(r.root));
    ok(storage_power_new(seed, die_after, &p));
    r.fs = delta_fs_dir(a, str_of(r.root));
    char log[100];
    snprintf(log, sizeof(log), "%s/_delta_log", r.root);
    assert_int_equal(mkdir(log, 0700), 0);
    r.fs.disk = storage_power_disk(p);
    err *e = NULL;
    for (int i = 0; !e && i < STEPS; i++) e = commit_one(&r, a, i, f);
    if (e) assert_true(storage_power_died(p));
    err_free(e);
    int64_t calls = storage_power_calls(p), there;
    ok(storage_power_cut(p, r.root, mode));
    bool good = whole(a, r.root, &there);
    /* One that was not acknowledged may be there; all that were must be. */
    good = good && there > r.acked && there <= r.tried + 1;
    if (!good && !forget_data)
        fail_msg("seed %lu, dead after %ld calls, mode %d, flavour %d: %ld versions, acknowledged up to %d", (unsigned long)seed, (long)die_after, mode, f,
                 (long)there, r.acked);
    /* The next process goes on where this one stopped (its place has another name, so that its committer knows nothing). */
    if (good && there > 0) {
        struct run next = {.acked = -1};
        snprintf(next.root, sizeof(next.root), "%.70s-2", r.root);
        assert_int_equal(rename(r.root, next.root), 0);
        storage_power *always;
        ok(storage_power_new(seed, -1, &always));
        next.fs = delta_fs_dir(a, str_of(next.root));
        next.fs.disk = storage_power_disk(always);
        for (int k = 0; k < 2; k++) ok(commit_one(&next, a, (int)there + k, f));
        assert_true(whole(a, next.root, &there));
        assert_int_equal(there, next.acked + 1);
        storage_power_free(always);
        memcpy(r.root, next.root, sizeof(r.root));
    }
    storage_power_free(p);
    ok(files_remove_tree(r.root, 10000));
    arena_free(a);
    return good ? calls : -1;
}

static void cuts(void **unused) {
    (void)unused;
    for (int f = 0; f < FLAVOURS; f++) {
        int64_t calls = run(1, -1, STORAGE_POWER_DROP, f, false);
        assert_true(calls > 4 * STEPS);
        for (int64_t at = 0; at < calls; at += f == PLAIN ? 1 : 4) {
            run(1, at, STORAGE_POWER_DROP, f, false);
            run((uint64_t)at, at, STORAGE_POWER_SCRAMBLE, f, false);
            if (at % 4 == 0) run(1, at, STORAGE_POWER_KEEP, f, false);
        }
    }
}

/* The test itself: a writer that does not have its data synced is caught. */
static void a_forgetful_writer_is_caught(void **unused) {
    (void)unused;
    assert_int_equal(run(1, -1, STORAGE_POWER_DROP, PLAIN, true), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_forgetful_writer_is_caught), cmocka_unit_test(cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
