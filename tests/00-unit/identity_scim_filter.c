/* SPDX-License-Identifier: Apache-2.0 */
/* SCIM filters: precedence, operators, attributes, and every kind of mistake. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "identity/scim.h"

static const struct scim_resource ANN = {.id = 42,
                                         .type = PRINCIPAL_USER,
                                         .name = {"Ann@Example.com", 15},
                                         .display_name = {"Ann \"A\" Archer", 14},
                                         .external_id = {"x-1", 3},
                                         .active = true};
static const struct scim_resource ROBOT = {
    .id = 43, .type = PRINCIPAL_SERVICE, .name = {"app-1", 5}, .display_name = {"Robot", 5}};
static const struct scim_resource TEAM = {.id = 44, .type = PRINCIPAL_GROUP, .name = {"team", 4}, .active = true};

static bool match(const char *text, const struct scim_resource *r) {
    arena *a = arena_new();
    struct scim_filter *f;
    err *e = scim_filter_parse(a, str_of(text), &f);
    if (e) fail_msg("%s: %s", text, err_msg(e));
    bool m = scim_filter_match(f, r);
    arena_free(a);
    return m;
}

static void test_operators(void **state) {
    (void)state;
    static const char *const yes[] = {
        "", "   ", "userName eq \"ann@example.com\"", "userName EQ \"ANN@EXAMPLE.COM\"",
        "USERNAME eq ann@example.com", "userName ne \"bob\"", "userName co \"@EX\"", "userName sw \"ann\"",
        "userName ew \".com\"", "userName pr", "userName co \"\"", "displayName eq \"Ann \\\"A\\\" Archer\"",
        "id eq \"42\"", "id eq 42", "externalId eq \"X-1\"", "active eq true", "active eq \"True\""};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!match(yes[i], &ANN)) fail_msg("%s", yes[i]);
    static const char *const no[] = {"userName eq \"ann\"", "userName ne \"ann@example.com\"",
                                     "userName co \"bob\"", "userName sw \"nn\"", "userName ew \"example\"",
                                     "applicationId pr", "applicationId eq \"Ann@Example.com\"", "id eq \"4\"",
                                     "active eq false", "externalId eq \"\""};
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (match(no[i], &ANN)) fail_msg("%s", no[i]);
    assert_true(match("applicationId eq \"APP-1\"", &ROBOT));
    assert_false(match("userName pr", &ROBOT));
    assert_false(match("externalId pr", &ROBOT));
    assert_true(match("displayName eq \"team\"", &TEAM));
}

static void test_and_or(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool yes;
    } rows[] = {
        {"id eq 42 and active eq true", true},
        {"id eq 42 and active eq false", false},
        {"id eq 1 or id eq 42", true},
        {"id eq 42 or id eq 1 and id eq 2", true}, /* and binds tighter */
        {"(id eq 42 or id eq 1) and id eq 2", false},
        {"id eq 2 and id eq 1 or id eq 42", true},
        {"id eq 2 and (id eq 1 or id eq 42)", false},
        {"((((id eq 42))))", true},
        {"( id eq 42 )AND( active eq true )", true},
        {"userName co \" and \" or id eq 42", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (match(rows[i].text, &ANN) != rows[i].yes) fail_msg("%s", rows[i].text);
}

static void refused(str text, const char *part) {
    arena *a = arena_new();
    struct scim_filter *f;
    err *e = scim_filter_parse(a, text, &f);
    if (!e) fail_msg("'%.*s' passed", STR_ARG(str_cut(text, 80)));
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    if (!strstr(err_msg(e), part)) fail_msg("'%.*s': %s", STR_ARG(str_cut(text, 80)), err_msg(e));
    err_free(e);
    arena_free(a);
}

static void test_mistakes(void **state) {
    (void)state;
    refused(STR("userName"), "operator");
    refused(STR("userName is x"), "operator");
    refused(STR("userName eq"), "value is missing");
    refused(STR("userName eq \"x"), "does not end");
    refused(STR("userName eq \"x\\\""), "does not end");
    refused(STR("shoeSize eq 4"), "attribute");
    refused(STR("id eq 1 id eq 2"), "unexpected text");
    refused(STR("id eq 1)"), "unexpected text");
    refused(STR("(id eq 1"), "')' is missing");
    refused(STR("id eq 1 and"), "attribute");
    refused(STR("or id eq 1"), "attribute");
    refused(STR("()"), "attribute");
}

static void test_limits(void **state) {
    (void)state;
    buf b = {0};
    for (int i = 0; i < 31; i++) buf_z(&b, "id eq 1 or ");
    buf_z(&b, "id eq 42");
    buf_c(&b, 0);
    assert_true(match(b.p, &ANN)); /* 32 comparisons */
    b.n--;
    buf_z(&b, " or id eq 42");
    refused(buf_view(&b), "too many");
    buf_clear(&b);
    for (int i = 0; i < 17; i++) buf_c(&b, '(');
    refused(buf_view(&b), "nested too deep");
    /* A matching of long texts compares all of them. */
    buf_clear(&b);
    for (int i = 0; i < 600; i++) buf_c(&b, 'a');
    struct scim_resource r = ANN;
    r.name = buf_view(&b);
    char text[700];
    snprintf(text, sizeof(text), "userName eq \"%.599sb\"", b.p);
    assert_false(match(text, &r));
    snprintf(text, sizeof(text), "userName eq \"%.600s\"", b.p);
    assert_true(match(text, &r));
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_and_or),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
