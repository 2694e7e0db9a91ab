/* SPDX-License-Identifier: Apache-2.0 */
/* Delta's formats: actions, vectors, statistics, partitions, features, the hint's checksum; vectors of the specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "delta/dv.h"
#include "delta/feature.h"
#include "delta/log.h"
#include "delta/partition.h"
#include "delta/stats.h"
#include "sys/files.h"

static arena *a;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static void is(str s, const char *z) {
    if (!str_eqz(s, z)) fail_msg("'%.*s' is not '%s'", STR_ARG(s), z);
}

static void refused(err *e, const char *cls) {
    if (!e) fail_msg("%s was expected", cls);
    assert_int_equal(err_code_of(e), ERR_SQL_ERROR);
    if (str_find(str_of(err_msg(e)), str_of(cls)) != 1) fail_msg("%s was expected: %s", cls, err_msg(e));
    err_free(e);
}

static void z85(void **state) {
    (void)state;
    buf b = {0}, back = {0};
    assert_true(delta_z85_decode(STR("HelloWorld"), &b));
    assert_int_equal(b.n, 8);
    assert_memory_equal(b.p, "\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b", 8);
    delta_z85_encode(buf_view(&b), &back);
    is(buf_view(&back), "HelloWorld");
    assert_false(delta_z85_decode(STR("Hell"), &b));
    assert_false(delta_z85_decode(STR("Hel\"o"), &b));
    assert_false(delta_z85_decode(STR("#####"), &b)); /* above 2^32 */
    buf_free(&b), buf_free(&back);
}

static void vectors(void **state) {
    (void)state;
    struct delta_dv dv = {.storage = 'u', .path = STR("ab^-aqEH.-t@S}K{vb[*k^"), .offset = 4, .size = 40, .cardinality = 6};
    str path;
    ok(delta_dv_path(a, &dv, &path));
    is(path, "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    is(delta_dv_id(a, &dv), "uab^-aqEH.-t@S}K{vb[*k^@4");
    dv.path = STR("../^-aqEH.-t@S}K{vb[*k^");
    refused(delta_dv_path(a, &dv, &path), "DELTA_LOG_FILE_MALFORMED");

    static const uint64_t rows[] = {3, 4, 7, 11, 18, 29};
    struct delta_dv in = {.storage = 'i', .path = STR("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"), .offset = -1, .size = 40,
                          .cardinality = 6};
    struct delta_fs fs = delta_fs_dir(a, STR("/nowhere"));
    struct roaring64_bitmap_s *bits;
    ok(delta_dv_load(&fs, &in, 30, &bits));
    assert_int_equal(delta_bitmap_count(bits), 6);
    for (size_t i = 0; i < 6; i++) assert_true(delta_bitmap_has(bits, rows[i]));
    assert_false(delta_bitmap_has(bits, 5));
    delta_bitmap_free(bits);
    refused(delta_dv_load(&fs, &in, 29, &bits), "DELTA_DELETION_VECTOR_INVALID_ROW_INDEX");
    in.cardinality = 5;
    refused(delta_dv_load(&fs, &in, 30, &bits), "DELTA_DELETION_VECTOR_CARDINALITY_MISMATCH");
    dv.path = STR("ab^-aqEH.-t@S}K{vb[*k^");
    refused(delta_dv_load(&fs, &dv, -1, &bits), "DELTA_FILE_NOT_FOUND");
}

static void vector_file(void **state) {
    (void)state;
    struct roaring64_bitmap_s *bits = delta_bitmap_new(), *back;
    for (uint64_t i = 0; i < 100000; i += 3) delta_bitmap_add(bits, i);
    delta_bitmap_add(bits, 1ull << 33);
    buf file = {0};
    struct delta_dv dv = {0}, second = {0};
    delta_dv_file_add(&file, bits, &dv);
    delta_dv_file_add(&file, bits, &second);
    assert_int_equal(file.p[0], 1);
    assert_int_equal(dv.offset, 1);
    assert_int_equal(second.offset, 1 + 8 + dv.size);
    assert_int_equal(dv.cardinality, 33335);
    ok(delta_dv_blob_read(str_n(file.p + 5, (size_t)dv.size), &back));
    assert_true(delta_bitmap_has(back, 1ull << 33));
    assert_int_equal(delta_bitmap_count(back), 33335);
    delta_bitmap_free(back);
    for (size_t cut = 0; cut < 60; cut++) {
        err *e = delta_dv_blob_read(str_n(file.p + 5, cut), &back);
        assert_non_null(e);
        err_free(e);
    }
    /* Both through the file, then with one that is wrong: what was read before it is freed. */
    char dir[] = "/tmp/bh-delta-vectors-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct delta_fs fs = delta_fs_dir(a, str_of(dir));
    str name;
    struct delta_dv both[2] = {dv, second};
    delta_dv_name(a, (const unsigned char *)"0123456789abcdef", &both[0].path, &name);
    both[0].storage = both[1].storage = 'u';
    both[1].path = both[0].path;
    ok(delta_fs_put(&fs, name, buf_view(&file), true));
    struct roaring64_bitmap_s *read[2];
    int64_t rows[2] = {-1, -1};
    ok(delta_dv_load_all(&fs, both, rows, 2, read));
    assert_int_equal(delta_bitmap_count(read[0]) + delta_bitmap_count(read[1]), 2 * 33335);
    delta_bitmap_free(read[0]), delta_bitmap_free(read[1]);
    both[1].cardinality++;
    refused(delta_dv_load_all(&fs, both, rows, 2, read), "DELTA_DELETION_VECTOR_CARDINALITY_MISMATCH");
    assert_null(read[0]);
    ok(delta_fs_delete(&fs, name));
    rmdir(dir);
    buf_free(&file);
    delta_bitmap_free(bits);
}

static void max_is(const char *s, const char *want) {
    buf b = {0};
    bool has = delta_stats_max(str_of(s), &b);
    if (!want && has) fail_msg("a maximum of '%s': '%.*s'", s, STR_ARG(buf_view(&b)));
    if (want && !has) fail_msg("no maximum of '%s'", s);
    if (want) is(buf_view(&b), want);
    buf_free(&b);
}

static void truncation(void **state) {
    (void)state;
    buf b = {0};
    delta_stats_min(STR("abcdefghijklmnopqrstuvwxyz0123456789"), &b);
    is(buf_view(&b), "abcdefghijklmnopqrstuvwxyz012345");
    max_is("abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345");
    max_is("abcdefghijklmnopqrstuvwxyz0123456", "abcdefghijklmnopqrstuvwxyz012345\x7f");
    max_is("abcdefghijklmnopqrstuvwxyz012345ü", "abcdefghijklmnopqrstuvwxyz012345\xf4\x8f\xbf\xbf");
    buf_clear(&b);
    /* A pair of surrogates across the end is kept whole. */
    delta_stats_min(STR("abcdefghijklmnopqrstuvwxyz01234\xf0\x9f\x98\x80z"), &b);
    is(buf_view(&b), "abcdefghijklmnopqrstuvwxyz01234\xf0\x9f\x98\x80");
    buf_free(&b);
    buf high = {0};
    for (int i = 0; i < 40; i++) buf_z(&high, "\xf4\x8f\xbf\xbf");
    buf_c(&high, '\0');
    max_is(high.p, NULL);
    buf_free(&high);
}

static void checksum(void **state) {
    (void)state;
    jval *v;
    char out[33];
    ok(json_parse(a, STR("{\"k0\":\"'v 0'\", \"checksum\": \"adsaskfljadfkjadfkj\", \"k1\":{\"k2\": 2, \"k3\": [\"v3\", [1, 2], {\"k4\": \"v4\", "
                         "\"k5\": [\"v5\", \"v6\", \"v7\"]}]}}"), false, &v));
    delta_hint_checksum(v, out);
    assert_string_equal(out, "6a92d155a59bf2eecbd4b4ec7fd1f875");
}

static void partitions(void **state) {
    (void)state;
    struct delta_map m = {0};
    delta_map_set(a, &m, STR("p, {x}"), STR("a b/c%d"), false);
    delta_map_set(a, &m, STR("q"), STR_NONE, true);
    is(delta_partition_folder(a, &m), "p, %7Bx}=a b%2Fc%25d/q=__HIVE_DEFAULT_PARTITION__/");
    is(delta_encode_path(a, STR("p=a b%2Fc/x.parquet")), "p=a%20b%252Fc/x.parquet");
    assert_true(delta_partition_null(&m, STR("q")));
    assert_false(delta_partition_null(&m, STR("p, {x}")));
    int64_t t, u;
    assert_true(delta_time_of_text(STR("2024-01-01 10:20:30.123456"), &t));
    assert_true(delta_time_of_text(STR("2024-01-01T10:20:30.123456Z"), &u));
    assert_int_equal(t, u);
    assert_false(delta_time_of_text(STR("soon"), &t));
    str path;
    ok(delta_file_path(a, STR("/t"), STR("p=a%20b%252Fc/x.parquet"), &path));
    is(path, "/t/p=a b%2Fc/x.parquet");
    refused(delta_file_path(a, STR("/t"), STR("a/%2e%2e/%2E%2E/x"), &path), "DELTA_LOG_FILE_MALFORMED");
}

static void actions(void **state) {
    (void)state;
    static const char *const lines[] = {
        "{\"add\":{\"path\":\"p=1/x.parquet\",\"partitionValues\":{\"p\":\"1\",\"q\":null},\"size\":3,\"modificationTime\":5,\"dataChange\":true,"
        "\"stats\":\"{\\\"numRecords\\\":2}\",\"tags\":{\"k\":\"v\"},\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":"
        "\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,\"cardinality\":6},\"baseRowId\":7,\"defaultRowCommitVersion\":2}}",
        "{\"remove\":{\"path\":\"x\",\"deletionTimestamp\":9,\"dataChange\":false,\"extendedFileMetadata\":true,\"partitionValues\":{},\"size\":3}}",
        "{\"txn\":{\"appId\":\"app\",\"version\":4,\"lastUpdated\":1}}",
        "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\",\"removed\":false}}",
        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],\"writerFeatures\":"
        "[\"deletionVectors\"]}}",
        "{\"commitInfo\":{\"operation\":\"WRITE\",\"n\":1.50}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct delta_action *x;
        size_t n;
        ok(delta_actions_read(a, str_of(lines[i]), STR("test"), &x, &n));
        assert_int_equal(n, 1);
        buf b = {0};
        delta_action_line(a, x, &b);
        b.n--;
        /* Numbers of free JSON are kept as yyjson reads them. */
        if (i < ARRAY_LEN(lines) - 1) is(buf_view(&b), lines[i]);
        buf_free(&b);
    }
    static const char *const bad[] = {"{\"add\":{\"path\":1}}", "{\"add\":{\"path\":\"x\"}}", "[1]", "{\"add\":", "{\"txn\":{\"appId\":\"a\"}}",
                                      "{\"add\":{\"path\":\"x\",\"partitionValues\":{},\"size\":1,\"deletionVector\":{\"storageType\":\"q\"}}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct delta_action *x;
        size_t n;
        refused(delta_actions_read(a, str_of(bad[i]), STR("test"), &x, &n), "DELTA_LOG_FILE_MALFORMED");
    }
    struct delta_action *x;
    size_t n;
    ok(delta_actions_read(a, STR("{\"laterAction\":{\"x\":1}}\n\n{\"add\":null,\"txn\":{\"appId\":\"a\",\"version\":1}}\n"), STR("t"), &x, &n));
    assert_int_equal(n, 1);
}

static void features(void **state) {
    (void)state;
    struct delta_protocol p = {.reader = 1, .writer = 2};
    assert_true(delta_has_feature(&p, "appendOnly"));
    assert_false(delta_has_feature(&p, "checkConstraints"));
    assert_true(delta_add_feature(a, &p, "checkConstraints"));
    assert_int_equal(p.writer, 3);
    assert_int_equal(p.n_writer, 0);
    assert_true(delta_add_feature(a, &p, "columnMapping"));
    assert_int_equal(p.reader, 2);
    assert_int_equal(p.writer, 7);
    assert_int_equal(p.n_writer, 4);
    assert_true(delta_add_feature(a, &p, "deletionVectors"));
    assert_int_equal(p.reader, 3);
    assert_int_equal(p.n_reader, 2);
    assert_false(delta_add_feature(a, &p, "deletionVectors"));
    assert_true(delta_drop_feature(a, &p, "deletionVectors"));
    assert_int_equal(p.reader, 2);
    ok(delta_check_write(&p, STR("t")));
    str odd[] = {STR("notYetInvented")};
    struct delta_protocol q = {.reader = 3, .writer = 7, .reader_features = odd, .n_reader = 1, .writer_features = odd, .n_writer = 1,
                               .has_reader_list = true, .has_writer_list = true};
    refused(delta_check_read(&q, STR("t")), "DELTA_UNSUPPORTED_FEATURES_FOR_READ");
    q.reader = 1;
    ok(delta_check_read(&q, STR("t")));
    refused(delta_check_write(&q, STR("t")), "DELTA_UNSUPPORTED_FEATURES_FOR_WRITE");
    struct delta_protocol later = {.reader = 4, .writer = 8};
    refused(delta_check_read(&later, STR("t")), "DELTA_INVALID_PROTOCOL_VERSION");
    struct delta_map config = {0};
    struct delta_protocol fresh = {.reader = 1, .writer = 2};
    delta_map_set(a, &config, STR("delta.checkpointPolicy"), STR("v2"), false);
    delta_map_set(a, &config, STR("delta.feature.timestampNtz"), STR("supported"), false);
    delta_features_of_config(a, &fresh, &config);
    assert_true(delta_has_feature(&fresh, "v2Checkpoint"));
    assert_true(delta_has_feature(&fresh, "timestampNtz"));
    assert_int_equal(config.n, 1);
}

static void skipping(void **state) {
    (void)state;
    static const char head[] = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":"
                               "\"parquet\",\"options\":{}},\"schemaString\":\"{}\",\"partitionColumns\":[\"p\"],\"configuration\":{}}}\n";
    static const char *const stats[] = {
        "{\\\"numRecords\\\":2,\\\"minValues\\\":{\\\"x\\\":1,\\\"f\\\":0.5,\\\"s\\\":\\\"a\\\"},\\\"maxValues\\\":{\\\"x\\\":5,\\\"f\\\":1.5,"
        "\\\"s\\\":\\\"c\\\"},\\\"nullCount\\\":{\\\"x\\\":0,\\\"f\\\":0,\\\"s\\\":0}}",
        "{\\\"numRecords\\\":2,\\\"minValues\\\":{\\\"x\\\":10},\\\"maxValues\\\":{\\\"x\\\":20},\\\"nullCount\\\":{\\\"x\\\":1,\\\"s\\\":2}}"};
    char dir[] = "/tmp/bh-delta-skip-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct delta_fs fs = delta_fs_dir(a, str_of(dir));
    assert_int_equal(mkdir(arena_printf(a, "%s/_delta_log", dir), 0700), 0);
    ok(delta_fs_put(&fs, delta_commit_name(a, 0), str_of(head), true));
    char *adds = arena_printf(a, "{\"add\":{\"path\":\"a\",\"partitionValues\":{\"p\":\"7\"},\"size\":1,\"modificationTime\":1,\"dataChange\":true,"
                              "\"stats\":\"%s\"}}\n{\"add\":{\"path\":\"b\",\"partitionValues\":{\"p\":null},\"size\":1,\"modificationTime\":1,"
                              "\"dataChange\":true,\"stats\":\"%s\"}}\n", stats[0], stats[1]);
    ok(delta_fs_put(&fs, delta_commit_name(a, 1), str_of(adds), true));
    err *again = delta_fs_put(&fs, delta_commit_name(a, 1), STR("x"), true);
    assert_int_equal(err_code_of(again), ERR_ALREADY_EXISTS);
    err_free(again);
    struct delta_snapshot *s, *old, *same;
    ok(delta_snapshot_open(&fs, NULL, (struct delta_at){0, INT64_MIN}, &old));
    assert_int_equal(old->n_files, 0);
    ok(delta_snapshot_update(&fs, NULL, old, &s));
    assert_int_equal(s->version, 1);
    assert_int_equal(s->n_files, 2);
    ok(delta_snapshot_update(&fs, NULL, s, &same));
    assert_ptr_equal(s, same);
    static const struct {
        const char *column, *value;
        enum delta_order order;
        char op;
        bool partition, first, second;
    } cases[] = {
        {"x", "3", DELTA_ORDER_INT, '=', false, true, false}, {"x", "7", DELTA_ORDER_INT, '=', false, false, false},
        {"x", "10", DELTA_ORDER_INT, '<', false, true, false}, {"x", "10", DELTA_ORDER_INT, 'l', false, true, true},
        {"x", "5", DELTA_ORDER_INT, '>', false, false, true}, {"x", "5", DELTA_ORDER_INT, 'g', false, true, true},
        {"x", "", DELTA_ORDER_INT, '0', false, false, true}, {"x", "", DELTA_ORDER_INT, '1', false, true, true},
        {"s", "b", DELTA_ORDER_TEXT, '=', false, true, false}, {"s", "", DELTA_ORDER_TEXT, '1', false, true, false},
        {"f", "9", DELTA_ORDER_FLOAT, '>', false, true, true}, {"f", "9", DELTA_ORDER_FLOAT, '=', false, false, true},
        {"p", "7", DELTA_ORDER_INT, '=', true, true, false}, {"p", "", DELTA_ORDER_INT, '0', true, false, true},
        {"unknown", "7", DELTA_ORDER_INT, '=', false, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str path = str_of(cases[i].column), value = str_of(cases[i].value);
        struct delta_test t = {&path, 1, cases[i].partition, cases[i].order, cases[i].op, &value, value.n ? 1 : 0};
        bool keep[2];
        delta_skip(s, &t, 1, keep);
        size_t first = str_eqz(s->files[0]->path, "a") ? 0 : 1;
        if (keep[first] != cases[i].first || keep[1 - first] != cases[i].second)
            fail_msg("%s %c %s: %d %d", cases[i].column, cases[i].op, cases[i].value, keep[first], keep[1 - first]);
    }
    delta_snapshot_drop(same), delta_snapshot_drop(s), delta_snapshot_drop(old);
    err *e = delta_snapshot_open(&fs, NULL, (struct delta_at){2, INT64_MIN}, &s);
    refused(e, "DELTA_VERSION_NOT_FOUND");
    e = delta_snapshot_open(&fs, NULL, (struct delta_at){-1, 1000}, &s);
    refused(e, "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION");
    ok(files_remove_tree(dir, 100));
    refused(delta_snapshot_open(&fs, NULL, DELTA_LATEST, &s), "DELTA_TABLE_NOT_FOUND");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(z85), cmocka_unit_test(vectors), cmocka_unit_test(vector_file),
                                       cmocka_unit_test(truncation), cmocka_unit_test(checksum), cmocka_unit_test(partitions),
                                       cmocka_unit_test(actions), cmocka_unit_test(features), cmocka_unit_test(skipping)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
