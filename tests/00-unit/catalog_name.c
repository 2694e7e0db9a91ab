/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the catalog, pairs in a column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "catalog/kv.h"
#include "catalog/name.h"

static arena *a;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static void is(str s, const char *z) {
    if (!str_eqz(s, z)) fail_msg("'%.*s' is not '%s'", STR_ARG(s), z);
}

static void splits(void **state) {
    (void)state;
    str p[3];
    ok(name_split(a, STR("Main.default.my-model"), 3, "registered model", p));
    is(p[0], "Main"), is(p[1], "default"), is(p[2], "my-model");
    ok(name_split(a, STR("`x``y`.c"), 2, "schema", p));
    is(p[0], "x`y");
    ok(name_split(a, STR("über.größe"), 2, "schema", p));
    is(p[1], "größe");
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int want;
    } bad[] = {{"", 1},       {"a", 2},      {"a.b", 3},     {"a.b.c.d", 3}, {"a.", 2},
               {".a", 2},     {"a..b", 3},   {"a.b.c.", 3},  {"a/b", 1},     {"a b", 1},
               {"`a", 1},     {"`a`b.c", 2}, {"a.\x01" "b", 2}, {"a.\xff", 2}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        str p[3];
        err *e = name_split(a, str_of(bad[i].name), bad[i].want, "registered model", p);
        if (!e) fail_msg("'%s' was taken for %d parts", bad[i].name, bad[i].want);
        assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
        err_free(e);
    }
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    ok(name_check_part(str_n(longest, 255), "catalog"));
    err *e = name_check_part(str_n(longest, 256), "catalog");
    assert_non_null(e);
    err_free(e);
}

static void pairs(void **state) {
    (void)state;
    struct kv m = {0}, back;
    str text;
    kv_set(a, &m, STR("k"), STR("1"));
    kv_set(a, &m, STR("with \"quotes\""), STR("ü\n"));
    kv_set(a, &m, STR("k"), STR("2"));
    ok(kv_text(a, &m, "tags", &text));
    ok(kv_read(a, text, &back));
    assert_int_equal(back.n, 2);
    is(kv_find(&back, STR("k"))->value, "2");
    is(kv_find(&back, STR("with \"quotes\""))->value, "ü\n");
    assert_true(kv_del(&back, STR("k")));
    assert_false(kv_del(&back, STR("k")));
    assert_null(kv_find(&back, STR("k")));
    assert_int_equal(back.n, 1);
    ok(kv_read(a, STR(""), &back));
    assert_int_equal(back.n, 0);
}

static void limits(void **state) {
    (void)state;
    struct kv m = {0};
    str text;
    for (unsigned i = 0; i <= KV_MAX_PAIRS; i++)
        kv_set(a, &m, str_of(arena_printf(a, "k%u", i)), STR("v"));
    err *e = kv_text(a, &m, "tags", &text);
    assert_int_equal(err_code_of(e), ERR_RESOURCE_EXHAUSTED);
    err_free(e);
    kv_del(&m, STR("k0"));
    ok(kv_text(a, &m, "tags", &text));
    jval *v;
    ok(json_parse(a, STR("[{\"value\":\"x\"}]"), false, &v));
    e = kv_from_list(a, v, "tags", &m);
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    err_free(e);
}

int main(void) {
    a = arena_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(refuses),
        cmocka_unit_test(pairs),
        cmocka_unit_test(limits),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return rc;
}
