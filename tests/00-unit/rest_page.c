/* SPDX-License-Identifier: Apache-2.0 */
/* Page tokens: they come back whole, and nobody can make, change or move one. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/control.h"
#include "rest/page.h"

static struct control C;
static const struct route_row ROW = {.service = "s", .name = "list"};
static const struct route_row OTHER = {.service = "s", .name = "other"};

static struct req *request(const struct route_row *row, int64_t workspace) {
    struct req *r = req_new(&C);
    r->row = row;
    r->scope = (struct store_scope){1, workspace};
    return r;
}

static bool reads(struct req *r, str token, str filter, str wanted) {
    str key;
    err *e = page_token_read(r, token, filter, &key);
    bool ok = !e && str_eq(key, wanted);
    if (e) assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    err_free(e);
    return ok;
}

static void test_round_trip(void **state) {
    (void)state;
    struct req *r = request(&ROW, 7);
    static const char bytes[] = "any\0bytes\xff\n";
    str keys[] = {STR("a"), STR(""), str_n(bytes, sizeof(bytes) - 1)};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        str t = page_token_make(r, STR("filter"), keys[i]);
        assert_true(reads(r, t, STR("filter"), keys[i]));
    }
    assert_true(reads(r, STR(""), STR("filter"), STR(""))); /* the first page */
    req_release(r);
}

static void test_bound(void **state) {
    (void)state;
    struct req *r = request(&ROW, 7), *elsewhere = request(&ROW, 8), *other = request(&OTHER, 7);
    str t = page_token_make(r, STR("filter"), STR("key"));
    assert_false(reads(r, t, STR("filter2"), STR("key")));
    assert_false(reads(elsewhere, t, STR("filter"), STR("key")));
    assert_false(reads(other, t, STR("filter"), STR("key")));
    /* What belongs to the filter cannot slip into the key. */
    str glued = page_token_make(r, STR("ab"), STR("c"));
    assert_false(reads(r, glued, STR("a"), STR("bc")));
    C.page_key[0] ^= 1; /* another installation */
    assert_false(reads(r, t, STR("filter"), STR("key")));
    C.page_key[0] ^= 1;
    assert_true(reads(r, t, STR("filter"), STR("key")));
    req_release(r);
    req_release(elsewhere);
    req_release(other);
}

static void test_forged(void **state) {
    (void)state;
    struct req *r = request(&ROW, 7);
    str t = page_token_make(r, STR("f"), STR("some key"));
    char *copy = arena_strndup(r->a, t.p, t.n);
    for (size_t i = 0; i < t.n; i++) {
        char was = copy[i];
        copy[i] = was == 'A' ? 'B' : 'A';
        str key;
        err *e = page_token_read(r, str_n(copy, t.n), STR("f"), &key);
        /* The last digit may carry bits that are not of the value. */
        if (!e && i + 1 < t.n) fail_msg("digit %zu can be changed", i);
        err_free(e);
        copy[i] = was;
    }
    for (size_t n = 1; n + 1 < t.n; n++) assert_false(reads(r, str_n(copy, n), STR("f"), STR("some key")));
    static const char *const rubbish[] = {"x", "!!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a b", "\xff\xfe"};
    for (size_t i = 0; i < ARRAY_LEN(rubbish); i++)
        assert_false(reads(r, str_of(rubbish[i]), STR("f"), STR("")));
    char *huge = arena_alloc(r->a, 100000);
    memset(huge, 'A', 100000);
    assert_false(reads(r, str_n(huge, 100000), STR("f"), STR("")));
    req_release(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
