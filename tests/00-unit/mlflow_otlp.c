/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of OTLP exports, on messages put together by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mlflow/otlp.h"

static void varint(buf *b, uint64_t n) {
    for (; n > 127; n >>= 7) buf_u8(b, (uint8_t)(n & 127) | 128);
    buf_u8(b, (uint8_t)n);
}
static void bytes(buf *b, uint32_t field, str s) {
    varint(b, field << 3 | 2);
    varint(b, s.n);
    buf_str(b, s);
}
static void fixed64(buf *b, uint32_t field, uint64_t n) {
    varint(b, field << 3 | 1);
    buf_u64(b, n);
}
/* Wraps what stands in the buffer as a field of a new message. */
static void wrap(buf *b, uint32_t field) {
    buf out = {0};
    bytes(&out, field, buf_view(b));
    buf_free(b);
    *b = out;
}
static void attribute(buf *span, const char *key, const char *text) {
    buf v = {0};
    bytes(&v, 1, str_of(text));
    wrap(&v, 2);
    buf kv = {0};
    bytes(&kv, 1, str_of(key));
    buf_str(&kv, buf_view(&v));
    bytes(span, 9, buf_view(&kv));
    buf_free(&v);
    buf_free(&kv);
}

static buf message(bool root) {
    buf b = {0};
    bytes(&b, 1, STR("0123456789abcdef"));
    bytes(&b, 2, STR("abcdefgh"));
    if (!root) bytes(&b, 4, STR("rootroot"));
    bytes(&b, 5, STR("step"));
    varint(&b, 6 << 3);
    varint(&b, 1);
    fixed64(&b, 7, 1000000000);
    fixed64(&b, 8, 1030000000);
    attribute(&b, "mlflow.spanType", "\"CHAIN\"");
    attribute(&b, "mlflow.spanInputs", "{\"x\": 1}");
    attribute(&b, "mlflow.traceTag.team", "\"blue\"");
    varint(&b, 99 << 3); /* unknown */
    varint(&b, 5);
    buf status = {0};
    varint(&status, 3 << 3);
    varint(&status, 2);
    bytes(&b, 15, buf_view(&status));
    buf_free(&status);
    wrap(&b, 2);
    wrap(&b, 2);
    wrap(&b, 1);
    return b;
}

static void is(str s, const char *z) {
    if (!str_eqz(s, z)) fail_msg("'%.*s' is not '%s'", STR_ARG(s), z);
}

static void test_span(void **state) {
    (void)state;
    arena *a = arena_new();
    buf b = message(true);
    struct otlp_spans spans;
    assert_null(otlp_parse(a, buf_view(&b), &spans));
    assert_int_equal(spans.n, 1);
    const struct otlp_span *s = &spans.p[0];
    is(s->trace_id, "tr-30313233343536373839616263646566");
    is(s->row.span_id, "6162636465666768");
    is(s->row.name, "step");
    is(s->row.type, "CHAIN");
    is(s->row.status, "ERROR");
    assert_true(s->root && s->error);
    assert_int_equal(s->end - s->start, 30000000);
    is(s->inputs, "{\"x\": 1}");
    assert_int_equal(s->tags.n, 1);
    is(s->tags.p[0].key, "team");
    is(s->tags.p[0].value, "blue");
    jval *o;
    assert_null(json_parse(a, s->row.body, false, &o));
    is(json_get_str(o, "span_id"), "YWJjZGVmZ2g=");
    is(json_get_str(o, "start_time_unix_nano"), "1000000000");
    is(json_get_str(json_get(o, "status"), "code"), "STATUS_CODE_ERROR");
    buf_free(&b);
    b = message(false);
    assert_null(otlp_parse(a, buf_view(&b), &spans));
    assert_false(spans.p[0].root);
    buf_free(&b);
    arena_free(a);
}

/* Every cut of a good message is either refused or a shorter good one; none reads past its end. */
static void test_cuts(void **state) {
    (void)state;
    buf b = message(true);
    size_t refused = 0;
    for (size_t n = 0; n < b.n; n++) {
        arena *a = arena_new();
        char *copy = malloc(n ? n : 1);
        memcpy(copy, b.p, n);
        struct otlp_spans spans;
        err *e = otlp_parse(a, str_n(copy, n), &spans);
        refused += e != NULL;
        err_free(e);
        free(copy);
        arena_free(a);
    }
    assert_int_equal(refused, b.n - 1); /* only the empty one is whole */
    buf_free(&b);
}

static void test_depth(void **state) {
    (void)state;
    buf v = {0};
    bytes(&v, 1, STR("x"));
    for (int i = 0; i < 200; i++) { /* AnyValue → ArrayValue → AnyValue … */
        wrap(&v, 1);
        wrap(&v, 5);
    }
    wrap(&v, 2);
    buf span = {0};
    bytes(&span, 1, STR("0123456789abcdef"));
    bytes(&span, 2, STR("abcdefgh"));
    bytes(&span, 9, buf_view(&v));
    wrap(&span, 2);
    wrap(&span, 2);
    wrap(&span, 1);
    arena *a = arena_new();
    struct otlp_spans spans;
    err *e = otlp_parse(a, buf_view(&span), &spans);
    assert_int_equal(err_code_of(e), ERR_MALFORMED_REQUEST);
    assert_non_null(strstr(err_msg(e), "nest too deep"));
    err_free(e);
    arena_free(a);
    buf_free(&v);
    buf_free(&span);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_span), cmocka_unit_test(test_cuts),
                                       cmocka_unit_test(test_depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
