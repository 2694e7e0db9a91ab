/* SPDX-License-Identifier: Apache-2.0 */
/* From path, query string and body to one object of arguments. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/control.h"
#include "rest/decode.h"

static err *handler(struct req *r) {
    (void)r;
    return NULL;
}

static const struct schema_field LIST[] = {{"", SCHEMA_STRING, false, NULL, NULL}};
static const struct schema LIST_S = {LIST, 1};
static const struct schema_field SUB[] = {{"sub", SCHEMA_INT64, false, NULL, NULL}};
static const struct schema SUB_S = {SUB, 1};
static const struct schema_field FIELDS[] = {
    {"id", SCHEMA_STRING, true, NULL, NULL},   {"n", SCHEMA_INT64, false, NULL, NULL},
    {"flag", SCHEMA_BOOL, false, NULL, NULL},  {"list", SCHEMA_LIST, false, NULL, &LIST_S},
    {"obj", SCHEMA_OBJECT, false, NULL, &SUB_S}, {"a.b", SCHEMA_STRING, false, NULL, NULL}};
static const struct schema S = {FIELDS, ARRAY_LEN(FIELDS)};
static const struct route_row ROWS[] = {
    {.service = "t", .name = "n", .method = "POST", .path = "/x/{id}", .request = &S,
     .steps = {{LANE_READ, handler}}},
    {.service = "t", .name = "f", .method = "POST", .path = "/free", .steps = {{LANE_READ, handler}}}};

/* Lives until the next call of decode(). */
static struct control C;
static struct req *R;

static err *decode(const char *target, const char *type, str body) {
    static router *t;
    if (!t) t = router_new(ROWS, ARRAY_LEN(ROWS));
    if (R) req_release(R);
    R = req_new(&C);
    R->method = STR("POST");
    R->body = body;
    if (type) {
        R->headers.p = arena_new_of(R->a, struct msg_pair);
        R->headers.p[0] = (struct msg_pair){STR("Content-Type"), str_of(type)};
        R->headers.n = 1;
    }
    struct route_match m;
    err *e = decode_route(R, t, str_of(target), &m);
    return e ? e : decode_args(R, &m);
}

static void args(const char *target, const char *type, const char *body, const char *wanted) {
    err *e = decode(target, type, str_of(body));
    if (e) fail_msg("%s %s: %s", target, body, err_msg(e));
    size_t n;
    char *got = yyjson_val_write(R->args, 0, &n);
    assert_string_equal(got, wanted);
    free(got);
}

static void refused(const char *target, const char *type, str body, err_code code) {
    err *e = decode(target, type, body);
    if (!e) fail_msg("%s passed", target);
    if (err_code_of(e) != code) fail_msg("%s: %s", target, err_msg(e));
    err_free(e);
}

static void test_merged(void **state) {
    (void)state;
    args("/x/7", NULL, "", "{\"id\":\"7\"}");
    args("/x/a%20b%2Fc", NULL, "", "{\"id\":\"a b/c\"}");
    args("/x/a+b", NULL, "", "{\"id\":\"a+b\"}"); /* a plus is a blank in queries only */
    args("/x/7?n=5&flag=true", NULL, "", "{\"id\":\"7\",\"n\":\"5\",\"flag\":\"true\"}");
    args("/x/7?q=a+b%26c", NULL, "", "{\"id\":\"7\",\"q\":\"a b&c\"}");
    args("/x/7?list=a&list=b&n=1&n=2", NULL, "", "{\"id\":\"7\",\"list\":[\"a\",\"b\"],\"n\":\"1\"}");
    args("/x/7?obj.sub=3&a.b=x&c.d=y", NULL, "",
         "{\"id\":\"7\",\"obj\":{\"sub\":\"3\"},\"a.b\":\"x\",\"c.d\":\"y\"}");
    args("/x/7?&&n=1&", NULL, "", "{\"id\":\"7\",\"n\":\"1\"}");
    args("/x/7", "application/json", "{\"n\":4}", "{\"n\":4,\"id\":\"7\"}");
    /* The path rules over the body; the body over the query. */
    args("/x/7?n=1", "application/json; charset=utf-8", "{\"n\":4,\"id\":\"evil\"}",
         "{\"n\":4,\"id\":\"7\"}");
    args("/x/7", "application/x-www-form-urlencoded", "n=8&flag=false",
         "{\"id\":\"7\",\"n\":\"8\",\"flag\":\"false\"}");
    /* curl -d says form although it is JSON. */
    args("/x/7", "application/x-www-form-urlencoded", "{\"n\":1}", "{\"n\":1,\"id\":\"7\"}");
    args("/x/7", "application/scim+json", "{\"n\":1}", "{\"n\":1,\"id\":\"7\"}");
    args("/x/7", "application/octet-stream", "{\"n\":1}", "{\"id\":\"7\"}"); /* not ours to read */
    args("/free", NULL, "[1,2]", "{}");
}

static void test_refused(void **state) {
    (void)state;
    refused("/x/7?n=x", NULL, STR(""), ERR_INVALID_PARAMETER_VALUE);
    refused("/x/7?obj.sub=x", NULL, STR(""), ERR_INVALID_PARAMETER_VALUE);
    refused("/x/%zz", NULL, STR(""), ERR_INVALID_PARAMETER_VALUE);
    refused("/x/%ff%fe", NULL, STR(""), ERR_INVALID_PARAMETER_VALUE); /* no UTF-8 */
    refused("/x/a%00b", NULL, STR(""), ERR_INVALID_PARAMETER_VALUE);
    refused("/x/7?q=%0", NULL, STR(""), ERR_INVALID_PARAMETER_VALUE);
    refused("/x/7", NULL, STR("[1]"), ERR_MALFORMED_REQUEST);
    refused("/x/7", NULL, STR("{\"n\":"), ERR_MALFORMED_REQUEST);
    refused("/x/7", NULL, STR("{\"n\":\"x\"}"), ERR_INVALID_PARAMETER_VALUE);
    refused("/nothing", NULL, STR(""), ERR_ENDPOINT_NOT_FOUND);
    buf many = {0};
    buf_z(&many, "/x/7?");
    for (int i = 0; i < 513; i++) buf_fmt(&many, "k%d=v&", i);
    buf_c(&many, 0);
    refused(many.p, NULL, STR(""), ERR_INVALID_PARAMETER_VALUE);
    buf_free(&many);
    buf deep = {0};
    for (int i = 0; i < 100000; i++) buf_c(&deep, '[');
    refused("/x/7", NULL, buf_view(&deep), ERR_MALFORMED_REQUEST);
    buf_free(&deep);
}

static int close_all(void **state) {
    (void)state;
    req_release(R);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, close_all);
}
