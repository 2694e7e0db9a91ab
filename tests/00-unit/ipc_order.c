/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: what is written is read back, for every verb; tokens hold for exactly one text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ipc/order.h"

static const unsigned char key[ORDER_KEY_SIZE] = {1, 2, 3};

static void test_round_trip(void **state) {
    (void)state;
    struct storage_part parts[2] = {{1, "a\"b"}, {10000, "c"}};
    str keys[2] = {STR("k/1"), STR("k/\"2\\")};
    for (int v = 0; v < ORDER_VERB_COUNT; v++) {
        struct order o = {.verb = (enum order_verb)v,
                          .expires = 1795000000000000,
                          .key = STR("a/\xc3\xa4"),
                          .to = STR("b"),
                          .offset = 5,
                          .length = (1ll << 60),
                          .if_match = STR("e"),
                          .size = 123,
                          .max_size = 456,
                          .if_absent = true,
                          .upload_id = STR("u+/="),
                          .number = 77,
                          .parts = parts,
                          .n_parts = 2,
                          .keys = keys,
                          .n_keys = 2,
                          .list = {.prefix = STR("p/"),
                                   .start_after = STR("s"),
                                   .token = STR("t"),
                                   .delimiter = true,
                                   .max = 9}};
        buf json = {0}, again = {0}, token = {0};
        arena *a = arena_new();
        order_write(&o, &json);
        str verb = str_of(order_verb_name(o.verb));
        struct order back;
        err *e = order_read(a, verb, buf_view(&json), &back);
        if (e) print_error("%s: %s\n", order_verb_name(o.verb), err_msg(e));
        assert_null(e);
        order_write(&back, &again); /* so every field of the verb came back */
        assert_int_equal(json.n, again.n);
        assert_memory_equal(json.p, again.p, json.n);
        order_sign(key, verb, buf_view(&json), &token);
        assert_int_equal(token.n, 43);
        assert_null(order_verify(key, verb, buf_view(&json), buf_view(&token)));
        /* another text, verb, token or key does not pass */
        json.p[json.n / 2] ^= 1;
        e = order_verify(key, verb, buf_view(&json), buf_view(&token));
        assert_int_equal(err_code_of(e), ERR_PERMISSION_DENIED);
        err_free(e);
        json.p[json.n / 2] ^= 1;
        e = order_verify(key, STR("else"), buf_view(&json), buf_view(&token));
        assert_int_equal(err_code_of(e), ERR_PERMISSION_DENIED);
        err_free(e);
        e = order_verify(key, verb, buf_view(&json), str_cut(buf_view(&token), 42));
        assert_int_equal(err_code_of(e), ERR_PERMISSION_DENIED);
        err_free(e);
        unsigned char other[ORDER_KEY_SIZE] = {0};
        e = order_verify(other, verb, buf_view(&json), buf_view(&token));
        assert_int_equal(err_code_of(e), ERR_PERMISSION_DENIED);
        err_free(e);
        /* the text names its verb */
        e = order_read(a, v == ORDER_HEAD ? STR("create") : STR("head"), buf_view(&json), &back);
        assert_int_equal(err_code_of(e), ERR_MALFORMED_REQUEST);
        err_free(e);
        /* cut anywhere, it is refused */
        for (size_t n = 0; n < json.n; n++) {
            e = order_read(a, verb, str_cut(buf_view(&json), n), &back);
            assert_int_equal(err_code_of(e), ERR_MALFORMED_REQUEST);
            err_free(e);
        }
        assert_null(order_check_time(&o, o.expires));
        e = order_check_time(&o, o.expires + 1);
        assert_int_equal(err_code_of(e), ERR_PERMISSION_DENIED);
        err_free(e);
        buf_free(&json);
        buf_free(&again);
        buf_free(&token);
        arena_free(a);
    }
}

static void test_outcomes(void **state) {
    (void)state;
    arena *a = arena_new();
    struct storage_info info = {.size = 1ll << 55, .mtime = 1795000000000001, .has_sha256 = true},
                        back;
    snprintf(info.etag, sizeof(info.etag), "e\"tag");
    memset(info.sha256, 0xab, 32);
    buf b = {0};
    jval *v;
    order_write_info(&info, &b);
    assert_null(json_parse(a, buf_view(&b), false, &v));
    assert_true(order_read_info(v, &back));
    assert_int_equal(back.size, info.size);
    assert_int_equal(back.mtime, info.mtime);
    assert_string_equal(back.etag, info.etag);
    assert_true(back.has_sha256);
    assert_memory_equal(back.sha256, info.sha256, 32);
    buf_clear(&b);
    struct storage_entry entries[2] = {{.key = STR("a/b"), .size = 3, .mtime = 4, .etag = "x"},
                                       {.key = STR("a/c/"), .prefix = true, .etag = ""}};
    struct storage_list l = {entries, 2, STR("k\xe2\x82\xac")}, l2;
    order_write_list(&l, &b);
    assert_null(json_parse(a, buf_view(&b), false, &v));
    assert_true(order_read_list(a, v, &l2));
    assert_int_equal(l2.n, 2);
    assert_true(str_eqz(l2.entries[0].key, "a/b") && l2.entries[0].size == 3 &&
                l2.entries[0].mtime == 4);
    assert_true(str_eqz(l2.entries[1].key, "a/c/") && l2.entries[1].prefix);
    assert_true(str_eq(l.next, l2.next));
    buf_free(&b);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_outcomes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
