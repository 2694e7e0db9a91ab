/* SPDX-License-Identifier: Apache-2.0 */
/* Catalog-managed tables: the log as the catalog has it, staging and its conflicts, publishing, lists as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "delta/managed.h"
#include "delta/snapshot.h"
#include "sys/files.h"

static arena *a;
static struct delta_fs base;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static void refused(err *e, const char *cls) {
    assert_non_null(e);
    if (str_find(str_of(err_msg(e)), str_of(cls)) < 0) fail_msg("%s instead of %s", err_msg(e), cls);
    err_free(e);
}

#define PROTOCOL                                                                                   \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"catalogManaged\"],\"writerFeatures\":[\"catalogManaged\"," \
    "\"inCommitTimestamp\"]}}\n"
#define META                                                                                       \
    "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\"," \
    "\"partitionColumns\":[],\"configuration\":{\"delta.enableInCommitTimestamps\":\"true\"}}}\n"
#define INFO(t) "{\"commitInfo\":{\"inCommitTimestamp\":" #t "}}\n"
#define ADD(path) "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true}}\n"
#define REMOVE(path) "{\"remove\":{\"path\":\"" path "\",\"dataChange\":true}}\n"
#define NAME(v) "0000000000000000000" #v ".0a0a0a0a-1111-2222-3333-444444444444.json"

static int begin(void **state) {
    (void)state;
    char folder[] = "/tmp/bh_managed_XXXXXX";
    a = arena_new();
    assert_non_null(mkdtemp(folder));
    base = delta_fs_dir(a, str_of(folder));
    ok(delta_fs_mkdir(&base, STR("_delta_log/_staged_commits")));
    ok(delta_fs_put(&base, STR("_delta_log/00000000000000000000.json"), STR(INFO(1000) PROTOCOL META), true));
    return 0;
}

static int end(void **state) {
    (void)state;
    err_free(files_remove_tree(arena_strndup(a, base.root.p, base.root.n), 1000));
    arena_free(a);
    return 0;
}

static const struct delta_parquet no_parquet;

static void opens(const struct delta_fs *fs, struct delta_at at, int64_t version, size_t files, int64_t time) {
    struct delta_snapshot *s;
    ok(delta_snapshot_open(fs, &no_parquet, at, &s));
    assert_int_equal(s->version, version);
    assert_int_equal(s->n_files, files);
    assert_int_equal(s->timestamp_ms, time);
    delta_snapshot_drop(s);
}

static void the_catalogs_word_counts(void **state) {
    (void)state;
    static const struct delta_version staged[] = {{1, 2000, STR(NAME(1)), 10, 2000}, {2, 3000, STR(NAME(2)), 10, 3000}};
    ok(delta_fs_put(&base, STR("_delta_log/_staged_commits/" NAME(1)), STR(INFO(2000) ADD("a")), true));
    ok(delta_fs_put(&base, STR("_delta_log/_staged_commits/" NAME(2)), STR(INFO(3000) ADD("b")), true));
    /* Somebody who does not ask the catalog wrote versions of his own. */
    ok(delta_fs_put(&base, STR("_delta_log/00000000000000000002.json"), STR(INFO(9000) ADD("x") ADD("y")), true));
    ok(delta_fs_put(&base, STR("_delta_log/00000000000000000003.json"), STR(INFO(9001) ADD("z")), true));
    struct delta_fs fs = delta_managed_fs(a, &base, 2, staged, 2);
    opens(&fs, DELTA_LATEST, 2, 2, 3000);
    opens(&fs, (struct delta_at){1, INT64_MIN}, 1, 1, 2000);
    opens(&fs, (struct delta_at){-1, 2500}, 1, 1, 2000);
    struct delta_snapshot *s;
    refused(delta_snapshot_open(&fs, &no_parquet, (struct delta_at){3, INT64_MIN}, &s), "DELTA_VERSION_NOT_FOUND");
    /* An older word of the catalog: a transaction that began before. */
    fs = delta_managed_fs(a, &base, 1, staged, 2);
    opens(&fs, DELTA_LATEST, 1, 1, 2000);
    fs = delta_managed_fs(a, &base, 0, NULL, 0);
    opens(&fs, DELTA_LATEST, 0, 0, 1000);
    /* A snapshot goes on to what is ratified and no further. */
    struct delta_snapshot *old, *now;
    fs = delta_managed_fs(a, &base, 1, staged, 1);
    ok(delta_snapshot_open(&fs, &no_parquet, DELTA_LATEST, &old));
    fs = delta_managed_fs(a, &base, 2, staged, 2);
    ok(delta_snapshot_update(&fs, &no_parquet, old, &now));
    assert_int_equal(now->version, 2);
    assert_int_equal(now->n_files, 2);
    delta_snapshot_drop(old);
    delta_snapshot_drop(now);
    /* History names no version of strangers. */
    struct delta_commit_entry *h;
    size_t n;
    ok(delta_history(&fs, a, 0, 100, 0, &h, &n));
    assert_int_equal(n, 3);
    assert_int_equal(h[0].timestamp_ms, 3000);
}

static struct delta_commit_ask ask_of(const char *text, int64_t read_version, bool blind) {
    struct delta_action *x;
    struct delta_commit_ask k = {.read_version = read_version, .blind_append = blind, .read_all = !blind, .ict = true, .previous_ict = 1000, .now_ms = 500};
    ok(delta_actions_read(a, str_of(text), STR("test"), &x, &k.n));
    k.actions = x;
    return k;
}

static void staged_then_published(void **state) {
    (void)state;
    struct delta_version v[3];
    str texts[2];
    struct delta_fs fs = delta_managed_fs(a, &base, 0, NULL, 0);
    struct delta_commit_ask asks[] = {ask_of(ADD("a"), 0, true), ask_of(REMOVE("a") ADD("b"), 1, false)};
    ok(delta_managed_stage(&fs, a, asks, 2, v, texts));
    assert_int_equal(v[0].version, 1);
    assert_int_equal(v[1].version, 2);
    /* Times rise though the clock does not. */
    assert_int_equal(v[0].timestamp_ms, 1001);
    assert_int_equal(v[1].timestamp_ms, 1002);
    assert_true(delta_staged_name_ok(v[0].file, 1) && !delta_staged_name_ok(v[0].file, 2));
    assert_true(str_find(texts[0], STR("\"txnId\"")) > 0);
    opens(&fs, DELTA_LATEST, 0, 0, 1000); /* staged is not committed */
    fs = delta_managed_fs(a, &base, 2, v, 2);
    opens(&fs, DELTA_LATEST, 2, 1, 1002);
    /* The next writer is checked against both, whether they are published or not. */
    struct delta_commit_ask late = ask_of(REMOVE("a"), 1, false);
    str read = STR("a");
    late.files_read = &read, late.n_files_read = 1;
    refused(delta_managed_stage(&fs, a, &late, 1, &v[2], NULL), "DELTA_CONCURRENT_");
    late = ask_of(ADD("c"), 0, true);
    ok(delta_managed_stage(&fs, a, &late, 1, &v[2], NULL));
    assert_int_equal(v[2].version, 3);
    int64_t published = -1;
    ok(delta_managed_publish(&base, a, v, 3, &published));
    assert_int_equal(published, 3);
    str text;
    ok(delta_fs_read(&base, a, STR("_delta_log/00000000000000000001.json"), &text));
    assert_true(str_eq(text, texts[0]));
    /* Staged files that were never ratified go; publishing what is gone stops there. */
    delta_managed_unstage(&base, a, &v[2], 1);
    ok(delta_fs_delete(&base, STR("_delta_log/00000000000000000003.json")));
    refused(delta_managed_publish(&base, a, v, 3, &published), "");
    assert_int_equal(published, 2);
    /* A swept staged file: the published one is read. */
    delta_managed_sweep(&base, 2, INT64_MAX / 2);
    fs = delta_managed_fs(a, &base, 2, v, 2);
    opens(&fs, DELTA_LATEST, 2, 1, 1002);
}

static void row_ids_of_several_versions(void **state) {
    (void)state;
    struct delta_version v[2], w;
    struct delta_fs fs = delta_managed_fs(a, &base, 0, NULL, 0);
    struct delta_commit_ask asks[] = {
        ask_of("{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":3}\"}}\n", 0, true),
        ask_of("{\"add\":{\"path\":\"b\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":2}\"}}\n", 1, true)};
    str texts[2];
    for (size_t i = 0; i < 2; i++) asks[i].row_ids = true, asks[i].high_water = -1;
    ok(delta_managed_stage(&fs, a, asks, 2, v, texts));
    assert_true(str_find(texts[0], STR("\"baseRowId\":0")) > 0 && str_find(texts[1], STR("\"baseRowId\":3")) > 0);
    assert_true(str_find(texts[1], STR("rowIdHighWaterMark\\\":4")) > 0);
    /* One statement meets a stranger's commit and gets ids behind it; several do not. */
    fs = delta_managed_fs(a, &base, 2, v, 2);
    ok(delta_managed_stage(&fs, a, asks, 1, &w, texts));
    assert_true(str_find(texts[0], STR("\"baseRowId\":5")) > 0);
    refused(delta_managed_stage(&fs, a, asks, 2, v, NULL), "DELTA_CONCURRENT_APPEND");
}

static void lists(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}", "{\"latest\":-1}", "{\"latest\":3,\"commits\":[{\"version\":1,\"timestamp\":1,\"file_name\":\"x.json\"}]}",
        "{\"latest\":3,\"commits\":[{\"version\":0,\"timestamp\":1,\"file_name\":\"" NAME(0) "\"}]}",
        "{\"latest\":3,\"commits\":[{\"version\":2,\"timestamp\":1,\"file_name\":\"" NAME(2) "\"},{\"version\":1,\"timestamp\":1,\"file_name\":\"" NAME(1) "\"}]}",
        "{\"latest\":3,\"commits\":[{\"version\":1,\"timestamp\":1,\"file_name\":\"../00000000000000001.0a0a0a0a-1111-2222-3333-444444444444.json\"}]}",
    };
    jval *o;
    int64_t latest;
    struct delta_version *v;
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ok(json_parse(a, str_of(bad[i]), false, &o));
        err *e = delta_managed_read(a, o, &latest, &v, &n);
        assert_non_null(e);
        err_free(e);
    }
    ok(json_parse(a, STR("{\"latest\":2,\"commits\":[{\"version\":1,\"timestamp\":7,\"file_name\":\"" NAME(1) "\",\"file_size\":9}]}"), false, &o));
    ok(delta_managed_read(a, o, &latest, &v, &n));
    assert_int_equal(latest, 2);
    assert_int_equal(n, 1);
    assert_int_equal(v[0].timestamp_ms, 7);
    assert_int_equal(v[0].size, 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_catalogs_word_counts, begin, end),
        cmocka_unit_test_setup_teardown(staged_then_published, begin, end),
        cmocka_unit_test_setup_teardown(row_ids_of_several_versions, begin, end),
        cmocka_unit_test_setup_teardown(lists, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
