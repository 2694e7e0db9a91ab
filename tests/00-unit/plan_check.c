/* SPDX-License-Identifier: Apache-2.0 */
/* plan_check(): damaged plans are refused; a plan in which any one word was changed is refused or scores. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/plan/seeds.h"
#include "plan/build.h"
#include "plan/crc32c.h"

static void refused(str block, const char *why) {
    const struct plan *p;
    err *e = plan_check(block, &p);
    assert_non_null(e);
    assert_int_equal(err_code_of(e), ERR_DATA_LOSS);
    if (!strstr(err_msg(e), why)) fail_msg("\"%s\" does not say \"%s\"", err_msg(e), why);
    err_free(e);
}

static void test_crc(void **state) {
    (void)state;
    /* The check value of CRC-32C (Koopman's and RFC 3720's): */
    assert_int_equal(plan_crc32c(STR("123456789")), 0xe3069283u);
    assert_int_equal(plan_crc32c_table(STR("123456789")), 0xe3069283u);
    char bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)(i * 37);
    for (size_t n = 0; n < sizeof(bytes); n++)
        assert_int_equal(plan_crc32c(str_n(bytes, n)), plan_crc32c_table(str_n(bytes, n)));
}

static void test_frame(void **state) {
    (void)state;
    buf b = seed_read("check", "regressor");
    const struct plan *p;
    assert_null(plan_check(buf_view(&b), &p));
    refused(str_n(b.p + 1, b.n - 1), "aligned");
    for (size_t n = 0; n < b.n; n += 13) refused(str_n(b.p, n), n < sizeof(struct plan) ? "size" : "bytes");
    for (size_t i = 0; i < b.n; i += 3) {
        b.p[i] ^= 0x10;
        refused(buf_view(&b), "");
        b.p[i] ^= 0x10;
    }
    struct plan *h = (struct plan *)(void *)b.p;
    h->version++;
    build_seal(b.p, b.n);
    refused(buf_view(&b), "version 2");
    h->version--;
    build_seal(b.p, b.n);
    assert_null(plan_check(buf_view(&b), &p));
    buf_free(&b);
}

/* Nodes that are no tree: each is what an attacker would try first. */
static void test_trees(void **state) {
    (void)state;
    buf b = seed_read("check", "regressor");
    const struct plan *p;
    assert_null(plan_check(buf_view(&b), &p));
    assert_int_equal(p->model, PLAN_M_TREES8);
    struct plan_node8 *v = (struct plan_node8 *)(void *)(b.p + p->sec[PLAN_S_NODES8].off);
    uint16_t leaf = (uint16_t)plan_count(p, PLAN_S_COLUMNS);
    assert_int_not_equal(v[0].column, leaf);
    assert_int_equal(v[0].left, 1);
    const struct plan_node8 was = v[0];
    const struct plan_node8 tries[] = {
        {was.threshold, was.column, 0},              /* a split that leads back to itself */
        {was.threshold, was.column, 2},              /* a node that nobody leads to */
        {was.threshold, was.column, 60000},          /* outside */
        {was.threshold, (uint16_t)(leaf + 1), 1},    /* a column that is not there */
        {was.threshold, leaf, 1},                    /* a leaf that goes on */
        {was.threshold, leaf, 0},                    /* a leaf, and the rest of the tree hangs in the air */
        {NAN, was.column, 1},                        /* a threshold that nothing is below */
    };
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        v[0] = tries[i];
        build_seal(b.p, b.n);
        refused(buf_view(&b), "nodes of tree 0");
    }
    v[0] = was;
    struct plan_tree *t = (struct plan_tree *)(void *)(b.p + p->sec[PLAN_S_TREES].off);
    t[0].depth--;
    build_seal(b.p, b.n);
    refused(buf_view(&b), "nodes of tree 0");
    t[0].depth++;
    t[0].n = 0x7fffffff;
    build_seal(b.p, b.n);
    refused(buf_view(&b), "tree 0");
    buf_free(&b);
}

/* Every word of every seed plan, set to what counts and indexes least expect. With a sanitizer this says
 * that nothing which passes the check can lead the scorer outside. */
static void test_every_word(void **state) {
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ff80000, 0xfff00000};
    size_t passed = 0, tried = 0;
    buf json = {0};
    for (size_t s = 0; s < ARRAY_LEN(seed_plans); s++) {
        buf b = seed_read("check", seed_plans[s]);
        for (size_t at = offsetof(struct plan, sec); at + 4 <= b.n; at += 4) {
            uint32_t was;
            memcpy(&was, b.p + at, 4);
            for (size_t i = 0; i < ARRAY_LEN(values) + 2; i++) {
                uint32_t now = i < ARRAY_LEN(values) ? values[i] : i == ARRAY_LEN(values) ? was + 1 : was - 1;
                memcpy(b.p + at, &now, 4);
                build_seal(b.p, b.n);
                passed += play_block(buf_view(&b), &json);
                tried++;
                buf_clear(&json);
            }
            memcpy(b.p + at, &was, 4);
        }
        buf_free(&b);
    }
    buf_free(&json);
    /* Thresholds may be anything; indexes may not. */
    print_message("%zu of %zu changed plans pass\n", passed, tried);
    assert_true(passed > tried / 4 && passed < tried / 4 * 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_every_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
