/* SPDX-License-Identifier: Apache-2.0 */
/* The trie of routes: which row a path finds, and what its parameters are. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rest/route.h"

static err *handler(struct req *r) {
    (void)r;
    return NULL;
}

#define ROW(m, p)                                                                                  \
    {.service = "t", .name = "n", .method = m, .path = p, .steps = {{LANE_READ, handler}}}

static const struct route_row ROWS[] = {
    ROW("GET", "/api/things"),
    ROW("POST", "/api/things"),
    ROW("GET", "/api/things/{id}"),
    ROW("GET", "/api/things/special"),
    ROW("GET", "/api/things/{id}/parts/{part}"),
    ROW("GET", "/api/things/special/parts"),
    ROW("PUT", "/api/files/{path*}"),
    ROW("GET", "/api/files/{path*}"),
    ROW("GET", "/api/files/list"),
    ROW("GET", "/api/{a}/only"),
    {.service = "t", .name = "unlinked", .method = "GET", .path = "/unlinked", .steps = {{LANE_READ, NULL}}},
};

static struct route_match find(const char *method, const char *path) {
    static router *t;
    if (!t) t = router_new(ROWS, ARRAY_LEN(ROWS));
    return router_find(t, str_of(method), str_of(path));
}

static void finds(const char *method, const char *path, const char *row) {
    struct route_match m = find(method, path);
    if (!row) {
        if (m.row) fail_msg("%s %s found %s", method, path, m.row->path);
        return;
    }
    if (!m.row) fail_msg("%s %s found nothing", method, path);
    assert_string_equal(m.row->path, row);
}

static void test_literals_and_parameters(void **state) {
    (void)state;
    finds("GET", "/api/things", "/api/things");
    finds("GET", "/api/things/", "/api/things"); /* a trailing slash is ignored */
    finds("GET", "/api/things/7", "/api/things/{id}");
    finds("GET", "/api/things/special", "/api/things/special");
    finds("GET", "/api/things/special/parts", "/api/things/special/parts");
    /* The literal branch ends without a row: the parameter's branch is tried. */
    finds("GET", "/api/things/special/parts/9", "/api/things/{id}/parts/{part}");
    finds("GET", "/api/things/only", "/api/things/{id}"); /* the literal segment wins, left to right */
    finds("GET", "/api/others/only", "/api/{a}/only");
    finds("GET", "/api/things//parts/1", NULL); /* a parameter is never empty */
    finds("GET", "/api", NULL);
    finds("GET", "", NULL);
    finds("GET", "/", NULL);
    finds("GET", "api/things", NULL);
    finds("GET", "/API/things", NULL);
    finds("GET", "/unlinked", NULL); /* a row without its handler is not served */
}

static void test_the_rest_of_a_path(void **state) {
    (void)state;
    struct route_match m = find("PUT", "/api/files/a/b%20c//d");
    assert_non_null(m.row);
    assert_int_equal(m.n, 1);
    assert_true(str_eqz(m.params[0].name, "path"));
    assert_true(str_eqz(m.params[0].value, "a/b%20c//d")); /* still encoded, slashes kept */
    finds("GET", "/api/files/list", "/api/files/list");
    finds("PUT", "/api/files/list", "/api/files/{path*}");
    finds("GET", "/api/files/list/x", "/api/files/{path*}");
}

static void test_values(void **state) {
    (void)state;
    struct route_match m = find("GET", "/api/things/a%2Fb/parts/c");
    assert_int_equal(m.n, 2);
    assert_true(str_eqz(m.params[0].name, "id") && str_eqz(m.params[0].value, "a%2Fb"));
    assert_true(str_eqz(m.params[1].name, "part") && str_eqz(m.params[1].value, "c"));
}

static void test_methods(void **state) {
    (void)state;
    struct route_match m = find("DELETE", "/api/things");
    assert_null(m.row);
    assert_true(m.other_method);
    assert_false(find("DELETE", "/nothing").other_method);
    finds("HEAD", "/api/things/7", "/api/things/{id}"); /* HEAD is answered by GET's row */
    finds("HEAD", "/api/files/x", "/api/files/{path*}");
    finds("get", "/api/things", NULL);
}

static void test_limits(void **state) {
    (void)state;
    char path[2000] = "/api/files";
    size_t n = strlen(path);
    for (int i = 0; i < 62; i++) n += (size_t)snprintf(path + n, sizeof(path) - n, "/x");
    finds("GET", path, "/api/files/{path*}"); /* 64 segments */
    snprintf(path + n, sizeof(path) - n, "/x");
    finds("GET", path, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals_and_parameters), cmocka_unit_test(test_the_rest_of_a_path),
        cmocka_unit_test(test_values),                  cmocka_unit_test(test_methods),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
