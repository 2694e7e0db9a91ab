/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization codes: once, within a minute, with their verifier, and to this machine only. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "identity/codes.h"

static void test_once_and_in_time(void **state) {
    (void)state;
    struct codes *c = codes_new();
    struct code_grant g = {.principal = 7, .workspace = 9, .offline = true}, got;
    char one[65], two[65];
    codes_put(c, &g, 1000, one);
    codes_put(c, &g, 1000, two);
    assert_string_not_equal(one, two);
    assert_false(codes_take(c, STR("nothing"), 1000, &got));
    assert_true(codes_take(c, str_of(one), 1000 + CODES_LIFE_US - 1, &got));
    assert_int_equal(got.principal, 7);
    assert_int_equal(got.workspace, 9);
    assert_true(got.offline);
    assert_false(codes_take(c, str_of(one), 1001, &got));
    assert_false(codes_take(c, str_of(two), 1000 + CODES_LIFE_US, &got)); /* too late, and gone */
    assert_false(codes_take(c, str_of(two), 1001, &got));
    codes_free(c);
    codes_free(NULL);
}

static void test_bounded(void **state) {
    (void)state;
    struct codes *c = codes_new();
    struct code_grant g = {0}, got;
    char first[65], second[65], last[65];
    codes_put(c, &g, 1, first);
    codes_put(c, &g, 2, second);
    for (int i = 0; i < (int)CODES_MAX - 1; i++) codes_put(c, &g, 3 + i, last);
    assert_false(codes_take(c, str_of(first), 5000, &got)); /* the oldest made room */
    assert_true(codes_take(c, str_of(second), 5000, &got));
    assert_true(codes_take(c, str_of(last), 5000, &got));
    codes_free(c);
}

static void test_verifier(void **state) {
    (void)state;
    /* RFC 7636, appendix B. */
    const char *challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert_true(codes_verifier_fits(STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), challenge));
    assert_false(codes_verifier_fits(STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"), challenge));
    assert_false(codes_verifier_fits(STR(""), challenge));
    assert_false(codes_verifier_fits(STR("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), challenge));
    char long_one[200];
    memset(long_one, 'a', sizeof(long_one));
    assert_false(codes_verifier_fits(str_n(long_one, 129), challenge));
    long_one[3] = ' ';
    assert_false(codes_verifier_fits(str_n(long_one, 43), challenge));
}

static void test_redirects(void **state) {
    (void)state;
    static const char *const good[] = {"http://localhost:8020", "http://localhost", "http://localhost/cb",
                                       "http://127.0.0.1:1/x?y=z", "http://[::1]:8020/", "http://localhost?x"};
    static const char *const bad[] = {
        "", "https://evil.example", "http://localhost.evil.example", "http://localhost@evil.example",
        "http://localhost:80@evil.example", "http://localhost:/", "http://localhost:x", "http://localhost:1234567",
        "http://127.0.0.12/", "http://127.0.0.1.evil/", "http://[::1", "http://[::1]x", "javascript:alert(1)",
        "http://localhost/#f", "http://localhost/ x", "http://localhost/\r\nSet-Cookie: a=b", "http://localhost\\@evil",
        "HTTP://localhost", "//localhost", "localhost:80"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!codes_redirect_allowed(str_of(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (codes_redirect_allowed(str_of(bad[i]))) fail_msg("%s", bad[i]);
    char huge[CODES_MAX_TEXT + 50];
    memset(huge, 'a', sizeof(huge));
    memcpy(huge, "http://localhost/", 17);
    assert_false(codes_redirect_allowed(str_n(huge, sizeof(huge))));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_and_in_time),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_verifier),
        cmocka_unit_test(test_redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
