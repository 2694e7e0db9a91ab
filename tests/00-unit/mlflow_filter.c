/* SPDX-License-Identifier: Apache-2.0 */
/* The filter language: what it accepts, what it makes of it, and its messages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mlflow/filter.h"

static struct mlq parse(arena *a, enum filter_domain d, const char *text) {
    struct mlq q = {0};
    err *e = filter_parse(a, d, str_of(text), &q);
    if (e) fail_msg("%s: %s", text, err_msg(e));
    return q;
}

static void refuse(enum filter_domain d, const char *text, const char *part) {
    arena *a = arena_new();
    struct mlq q = {0};
    err *e = filter_parse(a, d, str_of(text), &q);
    assert_non_null(e);
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    if (!strstr(err_msg(e), part)) fail_msg("%s: %s", text, err_msg(e));
    err_free(e);
    arena_free(a);
}

static void is(str s, const char *z) {
    if (!str_eqz(s, z)) fail_msg("'%.*s' is not '%s'", STR_ARG(s), z);
}

static void test_clauses(void **state) {
    (void)state;
    arena *a = arena_new();
    struct mlq q =
        parse(a, FILTER_RUNS,
              "metrics.m > 0.5 and params.`a b` = 'x''y' AND tags.mlflow.user LIKE \"%A_\" "
              "and status != 'FAILED' and attributes.start_time >= -12 and "
              "tags.t is not null and run_id IN ('a', \"b\") and dataset.name = 'd'");
    assert_int_equal(q.n_clauses, 8);
    assert_int_equal(q.clauses[0].entity, MLQ_METRIC);
    assert_int_equal(q.clauses[0].op, MLQ_GT);
    assert_true(q.clauses[0].numeric && q.clauses[0].number == 0.5);
    is(q.clauses[1].key, "a b");
    is(q.clauses[1].text, "x'y");
    is(q.clauses[2].key, "mlflow.user");
    is(q.clauses[2].text, "%A_");
    assert_int_equal(q.clauses[2].op, MLQ_LIKE);
    assert_int_equal(q.clauses[3].attribute, MLQ_STATUS);
    assert_int_equal(q.clauses[4].attribute, MLQ_START);
    assert_true(q.clauses[4].number == -12);
    assert_int_equal(q.clauses[5].op, MLQ_NOT_NULL);
    assert_int_equal(q.clauses[6].n_list, 2);
    is(q.clauses[6].list[1], "b");
    assert_int_equal(q.clauses[7].entity, MLQ_DATASET);
    assert_int_equal(parse(a, FILTER_RUNS, "").n_clauses, 0);
    assert_int_equal(parse(a, FILTER_RUNS, " \n").n_clauses, 0);
    q = parse(a, FILTER_TRACES,
              "name = 'f' and run_id = 'r' and feedback.q > 0.5 and "
              "span.attributes.a.b ILIKE '%x' and timestamp_ms < 5");
    assert_int_equal(q.clauses[0].entity, MLQ_TAG);
    is(q.clauses[0].key, "mlflow.traceName");
    assert_int_equal(q.clauses[1].entity, MLQ_METADATA);
    assert_true(q.clauses[2].numeric);
    is(q.clauses[3].key, "attributes.a.b");
    arena_free(a);
}

static void test_refusals(void **state) {
    (void)state;
    refuse(FILTER_RUNS, "metrics.m > 'a'", "Expected numeric value type for metric. Found 'a'");
    refuse(FILTER_RUNS, "params.p > 'a'", "Invalid comparator '>' not one of");
    refuse(FILTER_RUNS, "params.p = 1", "Expected a quoted string value for parameter");
    refuse(FILTER_RUNS, "nope.p = 'a'", "Invalid entity type 'nope'. Valid values are");
    refuse(FILTER_RUNS, "nope = 'a'", "Invalid attribute key 'nope' specified. Valid keys are");
    refuse(FILTER_RUNS, "params.p = 'a' OR params.q = 'b'",
           "Invalid clause(s) in filter string: 'OR'");
    refuse(FILTER_RUNS, "params.p = 'a' and", "Invalid clause(s) in filter string");
    refuse(FILTER_RUNS, "params.p = 'a", "Expected a quoted string value");
    refuse(FILTER_RUNS, "params.p = a", "Parameter value is either not quoted");
    refuse(FILTER_RUNS, "params.p", "Invalid clause(s) in filter string: 'params.p'");
    refuse(FILTER_RUNS, "params.p = ", "Invalid comparison clause");
    refuse(FILTER_RUNS, "metrics.m IS NULL", "only supported for tags and params");
    refuse(FILTER_RUNS, "status IN ('a')", "does not support comparison with a list");
    refuse(FILTER_RUNS, "run_id IN ()", "but got different type in list: )");
    refuse(FILTER_RUNS, "run_id IN ('a'", "expected a non-empty list");
    refuse(FILTER_RUNS, "run_id IN (1)", "expected string value");
    refuse(FILTER_EXPERIMENTS, "params.p = 'a'", "Invalid entity type 'params'");
    refuse(FILTER_TRACES, "name RLIKE '('", "Invalid pattern");
    refuse(FILTER_TRACES, "span.nope = 'a'", "Invalid span attribute");
}

static void test_order(void **state) {
    (void)state;
    arena *a = arena_new();
    struct mlq q = {0};
    assert_null(filter_order(a, FILTER_RUNS, STR("metrics.`a b` DESC"), &q));
    assert_null(filter_order(a, FILTER_RUNS, STR("start_time"), &q));
    assert_null(filter_order(a, FILTER_RUNS, STR("tags.\"x\" asc"), &q));
    assert_int_equal(q.n_orders, 3);
    assert_true(q.orders[0].descending && !q.orders[1].descending);
    is(q.orders[0].key, "a b");
    assert_int_equal(q.orders[1].attribute, MLQ_START);
    static const char *const bad[] = {"",  "start_time up", "start_time asc desc", "nope",
                                      "=", "dataset.name"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err *e = filter_order(a, FILTER_RUNS, str_of(bad[i]), &q);
        assert_non_null(e);
        err_free(e);
    }
    arena_free(a);
}

static void test_like(void **state) {
    (void)state;
    assert_true(mlq_like(STR("hello"), STR("h%o"), false));
    assert_true(mlq_like(STR("hello"), STR("%"), false));
    assert_true(mlq_like(STR(""), STR("%%"), false));
    assert_true(mlq_like(STR("h\xc3\xa9llo"), STR("h_llo"), false));
    assert_false(mlq_like(STR("hello"), STR("H%"), false));
    assert_true(mlq_like(STR("hello"), STR("H%"), true));
    assert_false(mlq_like(STR("hello"), STR("hell"), false));
    assert_false(mlq_like(STR("hello"), STR(""), false));
    assert_true(mlq_like(STR("aaab"), STR("%a%b"), false));
    assert_false(mlq_like(STR("aaaa"), STR("%b%"), false));
}

static void test_match(void **state) {
    (void)state;
    arena *a = arena_new();
    struct mlq q = parse(a, FILTER_TRACES, "tags.a RLIKE '^x[0-9]+$' and tags.b IS NULL");
    assert_true(mlq_match_text(&q.clauses[0], STR("x12")));
    assert_false(mlq_match_text(&q.clauses[0], STR("y12")));
    assert_false(mlq_match_text(&q.clauses[0], STR_NONE));
    assert_true(mlq_match_text(&q.clauses[1], STR_NONE));
    assert_false(mlq_match_text(&q.clauses[1], STR("")));
    q = parse(a, FILTER_RUNS, "metrics.m < 1 and metrics.m != 1");
    assert_false(mlq_match_number(&q.clauses[0], NAN));
    assert_true(mlq_match_number(&q.clauses[1], NAN));
    assert_true(mlq_match_number(&q.clauses[0], -INFINITY));
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clauses), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_like),
        cmocka_unit_test(test_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
