/* SPDX-License-Identifier: Apache-2.0 */
/* Which workspace a request is about: each way to name it, alone and against the others. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/wire.h"
#include "policy/workspace.h"

static struct facts *F;

static void add(int64_t id, str host) {
    uint64_t key = (uint64_t)id;
    buf b = {0};
    wire_put_str(&b, STR("name"));
    wire_put_str(&b, host);
    wire_put_u8(&b, 1);
    assert_null(facts_apply(F, FACT_WORKSPACE, false, map_key_u64(&key), buf_view(&b), -1));
    buf_free(&b);
}

static int64_t chosen(struct workspace_asked a) {
    int64_t id = -1;
    err *e = workspace_choose(F, &a, &id);
    if (e) assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    err_free(e);
    return e ? -1 : id;
}

#define ASK(...) chosen((struct workspace_asked){__VA_ARGS__})

static void test_choice(void **state) {
    (void)state;
    F = facts_new(false);
    uint64_t home = 5;
    assert_int_equal(ASK(.bound = 0), 0); /* nothing known yet */
    assert_null(facts_apply(F, FACT_ACCOUNT, false, STR("workspace"), map_key_u64(&home), -1));
    add(5, STR("default"));
    add(7, STR("seven.example"));
    assert_int_equal(ASK(.bound = 0), 5);
    assert_int_equal(ASK(.bound = 7), 7);
    assert_int_equal(ASK(.workspace_id = STR("7")), 7);
    assert_int_equal(ASK(.org_id = STR("7")), 7);
    assert_int_equal(ASK(.query = STR("a=b&o=7&c=d")), 7);
    assert_int_equal(ASK(.query = STR("oo=7&po=7")), 5);
    assert_int_equal(ASK(.host = STR("Seven.Example:8080")), 7);
    assert_int_equal(ASK(.host = STR("seven")), 5);
    assert_int_equal(ASK(.workspace_id = STR("7"), .org_id = STR("7"), .query = STR("o=7"),
                         .host = STR("seven.example"), .bound = 7), 7);
    /* Whatever differs is refused, whoever it is. */
    assert_int_equal(ASK(.workspace_id = STR("5"), .bound = 7), -1);
    assert_int_equal(ASK(.org_id = STR("5"), .bound = 7), -1);
    assert_int_equal(ASK(.query = STR("o=5"), .bound = 7), -1);
    assert_int_equal(ASK(.host = STR("seven.example"), .bound = 5), -1);
    assert_int_equal(ASK(.workspace_id = STR("5"), .org_id = STR("7")), -1);
    assert_int_equal(ASK(.query = STR("o=5&o=7")), -1);
    assert_int_equal(ASK(.org_id = STR("5"), .host = STR("seven.example")), -1);
    assert_int_equal(ASK(.workspace_id = STR("6")), -1); /* there is none */
    assert_int_equal(ASK(.workspace_id = STR("x")), -1);
    facts_free(F);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
