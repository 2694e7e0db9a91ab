/* SPDX-License-Identifier: Apache-2.0 */
/* The fault twin: each kind of rule does what it says, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>

#include "harness/storage_suite.h"
#include "sys/storage_fault.h"

static char root[64];

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static storage *twin(const struct storage_fault_rule *rules, size_t n) {
    storage *inner;
    snprintf(root, sizeof(root), "/tmp/bh-fault-XXXXXX");
    assert_non_null(mkdtemp(root));
    suite_ok(storage_local_new(root, NULL, &inner));
    return storage_fault_new(inner, rules, n);
}

static void end(storage *s) {
    storage_free(s);
    nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static err *put(storage *s, const char *key, const char *text) {
    struct storage_bytes b;
    return storage_put(s, str_of(key), storage_from_bytes(&b, str_of(text)), NULL, NULL);
}

static void test_kinds(void **state) {
    (void)state;
    static const struct storage_fault_rule rules[] = {
        {"put", 2, STORAGE_FAULT_BEFORE, ERR_IO_ERROR, 0},
        {"put", 3, STORAGE_FAULT_AFTER, ERR_TEMPORARILY_UNAVAILABLE, 0},
        {"put", 4, STORAGE_FAULT_CUT, ERR_CANCELLED, 2},
        {"get", 1, STORAGE_FAULT_CUT, ERR_IO_ERROR, 3},
        {"del", 0, STORAGE_FAULT_BEFORE, ERR_PERMISSION_DENIED, 0},
    };
    storage *s = twin(rules, ARRAY_LEN(rules));
    struct storage_info info;
    suite_ok(put(s, "one", "text one"));
    suite_is(put(s, "two", "x"), ERR_IO_ERROR);
    suite_is(storage_head(s, STR("two"), &info), ERR_NOT_FOUND);
    suite_is(put(s, "three", "x"), ERR_TEMPORARILY_UNAVAILABLE);
    suite_ok(storage_head(s, STR("three"), &info));
    suite_is(put(s, "four", "long enough"), ERR_CANCELLED);
    suite_is(storage_head(s, STR("four"), &info), ERR_NOT_FOUND);
    buf b = {0};
    struct storage_sink to = storage_to_buf(&b);
    suite_is(storage_get(s, STR("one"), 0, -1, STR_NONE, &to, &info), ERR_IO_ERROR);
    assert_int_equal(b.n, 3);
    buf_free(&b);
    suite_has(s, "one", "text one");
    str key = STR("one");
    for (int i = 0; i < 3; i++) suite_is(storage_del(s, &key, 1), ERR_PERMISSION_DENIED);
    assert_int_equal(storage_fault_calls(s, "put"), 4);
    assert_int_equal(storage_fault_calls(s, "del"), 3);
    assert_true(storage_fault_calls(s, "*") > 7);
    end(s);
}

static void test_transparent(void **state) {
    (void)state;
    storage *s = twin(NULL, 0);
    suite_objects(s);
    suite_listing(s);
    suite_copy_delete(s);
    suite_multipart(s, 1000, true);
    end(s);
}

static void test_any_call(void **state) {
    (void)state;
    static const struct storage_fault_rule rules[] = {
        {"*", 2, STORAGE_FAULT_BEFORE, ERR_IO_ERROR, 0}};
    storage *s = twin(rules, 1);
    suite_ok(put(s, "a", "1"));
    struct storage_info info;
    suite_is(storage_head(s, STR("a"), &info), ERR_IO_ERROR);
    suite_ok(storage_head(s, STR("a"), &info));
    end(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),
                                       cmocka_unit_test(test_transparent),
                                       cmocka_unit_test(test_any_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
