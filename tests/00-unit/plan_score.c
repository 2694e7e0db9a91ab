/* SPDX-License-Identifier: Apache-2.0 */
/* Scoring: the same bits however rows are grouped, limits, columns; predictions as Python writes them. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/plan/seeds.h"

static uint64_t seed = 1;
static uint64_t next(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed;
}

/* Cells that all plans take: finite, some of them equal to thresholds' neighbours, words known and not. */
static double cell(void) { return (double)(int64_t)(next() >> 20) / (double)((uint64_t)1 << 42); }

static void test_grouping(void **state) {
    (void)state;
    enum { ROWS = 200 };
    static const str words[] = {{"a", 1}, {"Oslo", 4}, {"b", 1}, {"nobody", 6}, {NULL, 0}};
    struct plan_scratch *many = plan_scratch_new(), *one = plan_scratch_new();
    for (size_t k = 0; k < ARRAY_LEN(seed_plans); k++) {
        buf b = seed_read("check", seed_plans[k]);
        const struct plan *p;
        assert_null(plan_check(buf_view(&b), &p));
        size_t nums = plan_num_width(p), texts = plan_text_width(p);
        double *num = calloc(ROWS * nums, sizeof(*num));
        str *text = calloc(ROWS * texts + 1, sizeof(*text));
        for (size_t i = 0; i < ROWS * nums; i++) num[i] = cell();
        for (size_t i = 0; i < ROWS * texts; i++) text[i] = words[next() >> 33 & 1 ? 0 : (next() >> 33) % 5];
        for (size_t n = 1; n <= ROWS; n += n < 70 ? 1 : 43) {
            struct plan_output out;
            assert_null(plan_predict(p, many, &(struct plan_batch){n, num, text}, &out));
            assert_int_equal(out.n, n);
            for (size_t r = 0; r < n; r += n > 4 ? n / 4 : 1) {
                struct plan_output single;
                struct plan_batch in = {1, num + r * nums, text + r * texts};
                assert_null(plan_predict(p, one, &in, &single));
                assert_int_equal(single.k, out.k);
                if (out.labels)
                    assert_int_equal(single.labels[0], out.labels[r]);
                else
                    assert_memory_equal(single.values, out.values + r * out.k, out.k * sizeof(double));
            }
        }
        free(num);
        free(text);
        buf_free(&b);
    }
    plan_scratch_free(many);
    plan_scratch_free(one);
    plan_scratch_free(NULL);
}

static void test_limits(void **state) {
    (void)state;
    buf b = seed_read("check", "forest"), json = {0};
    const struct plan *p;
    assert_null(plan_check(buf_view(&b), &p));
    struct plan_scratch *s = plan_scratch_new();
    struct plan_output out;
    err *e = plan_predict(p, s, &(struct plan_batch){.n = PLAN_MAX_CELLS}, &out);
    assert_int_equal(err_code_of(e), ERR_RESOURCE_EXHAUSTED);
    err_free(e);
    assert_null(plan_predict(p, s, &(struct plan_batch){.n = 0}, &out));
    plan_write_predictions(&out, &json);
    assert_true(str_eqz(buf_view(&json), "[]"));

    /* The row that is refused is named, counted over the whole batch. */
    size_t width = plan_num_width(p);
    double *num = calloc(150 * width, sizeof(*num));
    num[149 * width] = INFINITY;
    e = plan_predict(p, s, &(struct plan_batch){.n = 150, .num = num}, &out);
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    assert_non_null(strstr(err_msg(e), "Row 149: "));
    err_free(e);
    free(num);
    plan_scratch_free(s);
    buf_free(&json);
    buf_free(&b);
}

static void test_columns(void **state) {
    (void)state;
    buf b = seed_read("check", "logistic");
    const struct plan *p;
    assert_null(plan_check(buf_view(&b), &p));
    assert_int_equal(plan_inputs(p), 3);
    assert_true(str_eqz(plan_input_name(p, 0), "n"));
    assert_int_equal(plan_input_kind(p, 1), PLAN_FLOAT);
    assert_int_equal(plan_input_kind(p, 2), PLAN_STRING);
    assert_true(plan_input_required(p, 0));
    assert_false(plan_input_required(p, 2));
    assert_int_equal(plan_input_slot(p, 1), 1);
    assert_int_equal(plan_input_slot(p, 2), 0);
    assert_int_equal(plan_input_find(p, STR("w")), 2);
    assert_int_equal(plan_input_find(p, STR("W")), -1);
    struct plan_facts facts;
    plan_describe(p, &facts);
    assert_string_equal(facts.model, "linear");
    assert_int_equal(facts.outputs, 1);
    for (int k = 0; k < PLAN_KINDS; k++) {
        enum plan_kind back;
        assert_true(plan_kind_by_name(str_of(plan_kind_name((enum plan_kind)k)), &back));
        assert_int_equal(back, k);
    }
    enum plan_kind none;
    assert_false(plan_kind_by_name(STR("datetime"), &none));
    buf_free(&b);
}

static void same_text(double x, const char *want) {
    buf b = {0};
    plan_write_f64(x, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void test_numbers(void **state) {
    (void)state;
    /* Left: a double. Right: repr() of it in Python 3.11. */
    same_text(0.0, "0.0");
    same_text(-0.0, "-0.0");
    same_text(1.0, "1.0");
    same_text(-100.0, "-100.0");
    same_text(0.1, "0.1");
    same_text((double)0.1f, "0.10000000149011612");
    same_text(0.0001, "0.0001");
    same_text(0.00012345, "0.00012345");
    same_text(0.00009999, "9.999e-05");
    same_text(1e-5, "1e-05");
    same_text(-1.5e-7, "-1.5e-07");
    same_text((double)1e-7f, "1.0000000116860974e-07");
    same_text(1e15, "1000000000000000.0");
    same_text(9007199254740993.0, "9007199254740992.0");
    same_text(9999999999999998.0, "9999999999999998.0");
    same_text(1e16, "1e+16");
    same_text(123456789012345680.0, "1.2345678901234568e+17");
    same_text(1e22, "1e+22");
    same_text(1e100, "1e+100");
    same_text(-2.5e-300, "-2.5e-300");
    same_text(5e-324, "5e-324");
    same_text(1.7976931348623157e308, "1.7976931348623157e+308");
    same_text(NAN, "NaN");
    same_text(INFINITY, "Infinity");
    same_text(-INFINITY, "-Infinity");
    buf b = {0};
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = next();
        double x, back;
        memcpy(&x, &bits, 8);
        if (!isfinite(x)) continue;
        plan_write_f64(x, &b);
        assert_true(str_to_f64(buf_view(&b), &back));
        assert_memory_equal(&back, &x, 8);
        buf_clear(&b);
    }
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grouping),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
