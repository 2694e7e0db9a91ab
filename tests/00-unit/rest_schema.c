/* SPDX-License-Identifier: Apache-2.0 */
/* The validator of bodies: each type with what it takes, what it refuses, and what it says. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/schema.h"

static const struct schema_field ELEMENT[] = {{"", SCHEMA_INT64, false, NULL, NULL}};
static const struct schema ELEMENT_S = {ELEMENT, 1};
static const struct schema_field INNER[] = {{"deep", SCHEMA_BOOL, true, NULL, NULL}};
static const struct schema INNER_S = {INNER, 1};
static const struct schema_field OBJECTS[] = {{"", SCHEMA_OBJECT, false, NULL, &INNER_S}};
static const struct schema OBJECTS_S = {OBJECTS, 1};
static const struct schema_field FIELDS[] = {
    {"text", SCHEMA_STRING, false, NULL, NULL},   {"int", SCHEMA_INT64, false, NULL, NULL},
    {"num", SCHEMA_DOUBLE, false, NULL, NULL},    {"yes", SCHEMA_BOOL, false, NULL, NULL},
    {"any", SCHEMA_ANY, false, NULL, NULL},       {"obj", SCHEMA_OBJECT, false, NULL, &INNER_S},
    {"free", SCHEMA_OBJECT, false, NULL, NULL},   {"ints", SCHEMA_LIST, false, NULL, &ELEMENT_S},
    {"objs", SCHEMA_LIST, false, NULL, &OBJECTS_S}, {"map", SCHEMA_MAP, false, NULL, &ELEMENT_S},
    {"word", SCHEMA_ENUM, false, "RED|GREEN", NULL},
};
static const struct schema S = {FIELDS, ARRAY_LEN(FIELDS)};

/* wanted NULL: passes; else a part of the message. */
static void check(const char *json, const char *wanted) {
    arena *a = arena_new();
    jval *v;
    assert_null(json_parse(a, str_of(json), true, &v));
    err *e = schema_check(&S, v);
    if (!wanted && e) fail_msg("%s: %s", json, err_msg(e));
    if (wanted && !e) fail_msg("%s passed", json);
    if (wanted) {
        assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
        if (!strstr(err_msg(e), wanted)) fail_msg("%s: %s", json, err_msg(e));
    }
    err_free(e);
    arena_free(a);
}

static void test_taken(void **state) {
    (void)state;
    static const char *const good[] = {
        "{}", "{\"unknown\":[1,{\"x\":2}]}", "{\"text\":null,\"int\":null,\"obj\":null}",
        "{\"text\":\"\"}", "{\"int\":5}", "{\"int\":\"-9223372036854775808\"}",
        "{\"int\":9223372036854775807}", "{\"num\":1}", "{\"num\":1.5}", "{\"num\":\"1e3\"}",
        "{\"yes\":true}", "{\"yes\":\"true\"}", "{\"yes\":\"FALSE\"}", "{\"any\":[]}", "{\"any\":7}",
        "{\"obj\":{\"deep\":false,\"more\":1}}", "{\"free\":{\"x\":[]}}", "{\"ints\":[]}",
        "{\"ints\":[1,\"2\"]}", "{\"objs\":[{\"deep\":true}]}", "{\"map\":{}}", "{\"map\":{\"k\":1}}",
        "{\"word\":\"GREEN\"}"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) check(good[i], NULL);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *json, *said;
    } bad[] = {
        {"{\"text\":5}", "Invalid value 5 for parameter 'text' supplied: expected a string."},
        {"{\"int\":\"five\"}", "Invalid value \"five\" for parameter 'int' supplied"},
        {"{\"int\":1.5}", "expected a 64-bit integer"},
        {"{\"int\":9223372036854775808}", "'int'"},
        {"{\"int\":true}", "'int'"},
        {"{\"int\":\"\"}", "'int'"},
        {"{\"num\":\"x\"}", "expected a number"},
        {"{\"num\":[]}", "'num'"},
        {"{\"yes\":1}", "expected a boolean"},
        {"{\"yes\":\"yes\"}", "expected a boolean"},
        {"{\"obj\":[]}", "expected an object"},
        {"{\"obj\":{}}", "Missing value for required parameter 'obj.deep'."},
        {"{\"obj\":{\"deep\":null}}", "Missing value for required parameter 'obj.deep'."},
        {"{\"obj\":{\"deep\":1}}", "'obj.deep'"},
        {"{\"ints\":{}}", "expected a list"},
        {"{\"ints\":[1,\"x\"]}", "'ints[1]'"},
        {"{\"objs\":[{\"deep\":true},{}]}", "'objs[1].deep'"},
        {"{\"objs\":[[]]}", "'objs[0]'"},
        {"{\"map\":{\"a\":1,\"b\":[]}}", "'map.b'"},
        {"{\"map\":[]}", "expected an object"},
        {"{\"word\":\"BLUE\"}", "one of RED|GREEN"},
        {"{\"word\":\"RED|GREEN\"}", "'word'"},
        {"{\"word\":\"\"}", "'word'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) check(bad[i].json, bad[i].said);
}

/* What a caller sent is shown, but not all of it. */
static void test_long_values(void **state) {
    (void)state;
    arena *a = arena_new();
    buf b = {0};
    buf_z(&b, "{\"int\":\"");
    for (int i = 0; i < 100000; i++) buf_c(&b, 'x');
    buf_z(&b, "\",\"ints\":[]}");
    jval *v;
    assert_null(json_parse(a, buf_view(&b), false, &v));
    err *e = schema_check(&S, v);
    assert_non_null(e);
    assert_true(strlen(err_msg(e)) < 400);
    err_free(e);
    buf_free(&b);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
