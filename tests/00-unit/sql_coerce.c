/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes what without being asked, and what decimals yield. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sql/coerce.h"

static arena *a;

static const struct sql_type *ty(const char *text) {
    const struct sql_type *t;
    err *e = sql_type_parse(a, str_of(text), &t);
    if (e) fail_msg("%s: %s", text, err_msg(e));
    return t;
}

static void is(const struct sql_type *t, const char *want) {
    if (!t) {
        assert_string_equal("none", want);
        return;
    }
    buf b = {0};
    sql_type_write(t, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void common(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"int", "bigint", "bigint"},           {"int", "float", "double"},         {"float", "double", "double"},
        {"int", "decimal(5,2)", "decimal(12,2)"}, {"bigint", "decimal(38,2)", "decimal(38,2)"}, {"double", "decimal(5,2)", "double"},
        {"string", "int", "bigint"},           {"string", "decimal(5,2)", "double"}, {"string", "date", "date"},
        {"string", "boolean", "boolean"},      {"date", "timestamp", "timestamp"}, {"date", "timestamp_ntz", "timestamp_ntz"},
        {"timestamp", "timestamp_ntz", "timestamp"}, {"void", "array<int>", "array<int>"}, {"int", "boolean", "none"},
        {"int", "date", "none"},               {"array<int>", "array<bigint>", "array<bigint>"},
        {"interval year", "interval month", "interval year to month"}, {"interval day", "interval month", "none"},
        {"struct<a:int>", "struct<A:bigint>", "struct<a:bigint>"}, {"struct<a:int>", "struct<b:int>", "none"},
        {"map<string,int>", "map<string,double>", "map<string,double>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        is(sql_common_type(a, ty(rows[i][0]), ty(rows[i][1])), rows[i][2]);
        if (strncmp(rows[i][0], "struct", 6) != 0) is(sql_common_type(a, ty(rows[i][1]), ty(rows[i][0])), rows[i][2]);
    }
}

static void decimals(void **state) {
    (void)state;
    static const struct {
        char op;
        const char *x, *y, *want;
    } rows[] = {{'+', "decimal(15,2)", "decimal(1,0)", "decimal(16,2)"},   {'*', "decimal(15,2)", "decimal(16,2)", "decimal(32,4)"},
                {'*', "decimal(32,4)", "decimal(16,2)", "decimal(38,6)"},  {'/', "decimal(10,2)", "decimal(10,2)", "decimal(23,13)"},
                {'/', "decimal(38,10)", "decimal(38,10)", "decimal(38,6)"}, {'*', "decimal(38,10)", "decimal(38,10)", "decimal(38,6)"},
                {'%', "decimal(2,1)", "decimal(1,0)", "decimal(2,1)"},     {'-', "decimal(38,0)", "decimal(38,38)", "decimal(38,6)"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) is(sql_decimal_result(a, rows[i].op, ty(rows[i].x), ty(rows[i].y)), rows[i].want);
}

static void casts(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        bool implicit, cast, store;
    } rows[] = {
        {"int", "bigint", true, true, true},       {"bigint", "int", false, true, true},   {"string", "int", true, true, true},
        {"int", "string", true, true, true},       {"boolean", "int", false, true, false}, {"int", "date", false, false, false},
        {"date", "timestamp", true, true, true},   {"binary", "string", true, true, false}, {"array<int>", "string", false, true, false},
        {"decimal(10,2)", "double", true, true, true}, {"double", "decimal(10,2)", false, true, true},
        {"int", "decimal(5,2)", false, true, true}, {"smallint", "decimal(7,2)", true, true, true},
        {"map<string,int>", "array<int>", false, false, false}, {"int", "variant", false, true, true},
        {"string", "date", true, true, true},       {"string", "array<int>", false, false, false}, {"array<string>", "array<date>", true, true, true},
        {"boolean", "string", true, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct sql_type *f = ty(rows[i].from), *t = ty(rows[i].to);
        if ((sql_implicit(a, f, t) != NULL) != rows[i].implicit) fail_msg("implicit %s to %s", rows[i].from, rows[i].to);
        if (sql_can_cast(f, t) != rows[i].cast) fail_msg("cast %s to %s", rows[i].from, rows[i].to);
        if (sql_can_store(f, t) != rows[i].store) fail_msg("store %s to %s", rows[i].from, rows[i].to);
    }
}

static int up(void **state) {
    (void)state;
    a = arena_new();
    return 0;
}
static int down(void **state) {
    (void)state;
    arena_free(a);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(common), cmocka_unit_test(decimals), cmocka_unit_test(casts)};
    return cmocka_run_group_tests(tests, up, down);
}
