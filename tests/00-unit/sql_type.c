/* SPDX-License-Identifier: Apache-2.0 */
/* Types as text in all their forms, read back, and the values that literals and captions write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "sql/text.h"
#include "sql/type.h"

static arena *a;

static void same_text(const char *in, const char *simple, const char *sql, const char *duck) {
    const struct sql_type *t;
    buf b = {0};
    err *e = sql_type_parse(a, str_of(in), &t);
    if (e) fail_msg("%s: %s", in, err_msg(e));
    sql_type_write(t, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, simple);
    buf_clear(&b);
    sql_type_write_sql(t, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, sql);
    buf_clear(&b);
    sql_type_write_duckdb(t, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, duck);
    buf_clear(&b);
    /* JSON and back is the same type. */
    sql_type_write_json(t, &b);
    jval *v;
    const struct sql_type *again;
    assert_null(json_parse(a, buf_view(&b), false, &v));
    assert_null(sql_type_read_json(a, v, &again));
    assert_true(sql_type_eq(t, again));
    buf_free(&b);
}

static void forms(void **state) {
    (void)state;
    same_text("int", "int", "INT", "INTEGER");
    same_text("LONG", "bigint", "BIGINT", "BIGINT");
    same_text("decimal", "decimal(10,0)", "DECIMAL(10,0)", "DECIMAL(10,0)");
    same_text("numeric(38, 18)", "decimal(38,18)", "DECIMAL(38,18)", "DECIMAL(38,18)");
    same_text("string", "string", "STRING", "VARCHAR");
    same_text("varchar(7)", "varchar(7)", "VARCHAR(7)", "VARCHAR");
    same_text("timestamp_ntz", "timestamp_ntz", "TIMESTAMP_NTZ", "TIMESTAMP");
    same_text("timestamp", "timestamp", "TIMESTAMP", "TIMESTAMPTZ");
    same_text("interval day to second", "interval day to second", "INTERVAL DAY TO SECOND", "BIGINT");
    same_text("interval month", "interval month", "INTERVAL MONTH", "INTEGER");
    same_text("array<map<string, int>>", "array<map<string,int>>", "ARRAY<MAP<STRING, INT>>", "MAP(VARCHAR, INTEGER)[]");
    same_text("struct<a:int, b: string NOT NULL>", "struct<a:int,b:string>", "STRUCT<a: INT, b: STRING NOT NULL>",
              "STRUCT(f0 INTEGER, f1 VARCHAR)");
    same_text("a INT, `b c` STRING COMMENT 'it\\'s'", "struct<a:int,b c:string>", "STRUCT<a: INT, `b c`: STRING>",
              "STRUCT(f0 INTEGER, f1 VARCHAR)");
    same_text("variant", "variant", "VARIANT", "BLOB");
}

static void refused(void **state) {
    (void)state;
    static const char *const texts[] = {"", "nope", "decimal(39,0)", "decimal(3,4)", "array<int", "map<int>", "interval day to month", "struct<a>"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct sql_type *t;
        err *e = sql_type_parse(a, str_of(texts[i]), &t);
        if (!e) fail_msg("'%s' was taken for a type", texts[i]);
        err_free(e);
    }
}

static void java(double d, const char *want) {
    buf b = {0};
    sql_java_double(d, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void numbers(void **state) {
    (void)state;
    java(0.0, "0.0");
    java(-0.0, "-0.0");
    java(1.0, "1.0");
    java(0.001, "0.001");
    java(0.0001, "1.0E-4");
    java(9999999.0, "9999999.0");
    java(1e7, "1.0E7");
    java(1e10, "1.0E10");
    java(123456.789, "123456.789");
    java(-1.5e-300, "-1.5E-300");
    java(0.1 + 0.2, "0.30000000000000004");
}

static void stamps(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {{"2024", "2024-01-01 00:00:00"},          {"2024-3-7", "2024-03-07 00:00:00"},
                {"2024-03-07T1:2:3.5", "2024-03-07 01:02:03.5"}, {"2024-03-07 23:30:00+02:00", "2024-03-07 21:30:00"},
                {"2024-01-01 00:00:00 UTC", "2024-01-01 00:00:00"}, {"2023-12-31 23:00:00-01:00", "2024-01-01 00:00:00"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sql_stamp t;
        buf b = {0};
        assert_true(sql_read_stamp(str_of(rows[i].in), &t));
        sql_shift_stamp(&t);
        sql_write_stamp(&t, &b);
        buf_c(&b, 0);
        assert_string_equal(b.p, rows[i].out);
        buf_free(&b);
    }
    struct sql_stamp t;
    assert_false(sql_read_stamp(STR("2023-02-29"), &t));
    assert_false(sql_read_stamp(STR("2024-13-01"), &t));
    assert_false(sql_read_stamp(STR("24"), &t));
    assert_false(sql_read_stamp(STR("2024-01-01 25:00:00"), &t));
}

static void interval(const char *text, enum sql_unit from, enum sql_unit to, int64_t want, const char *shown) {
    int64_t v;
    const struct sql_type *t = sql_interval(a, from, to);
    buf b = {0};
    assert_true(sql_read_interval(str_of(text), t, &v));
    assert_int_equal(v, want);
    sql_write_interval(t, v, &b);
    buf_c(&b, 0);
    assert_string_equal(b.p, shown);
    buf_free(&b);
}

static void intervals(void **state) {
    (void)state;
    interval("1-2", UNIT_YEAR, UNIT_MONTH, 14, "INTERVAL '1-2' YEAR TO MONTH");
    interval("-1-1", UNIT_YEAR, UNIT_MONTH, -13, "INTERVAL '-1-1' YEAR TO MONTH");
    interval("3 04:05:06.5", UNIT_DAY, UNIT_SECOND, 273906500000, "INTERVAL '3 04:05:06.5' DAY TO SECOND");
    interval("5", UNIT_HOUR, UNIT_HOUR, 18000000000, "INTERVAL '05' HOUR");
    int64_t v;
    assert_false(sql_read_interval(STR("1-12"), sql_interval(a, UNIT_YEAR, UNIT_MONTH), &v));
    assert_false(sql_read_interval(STR("1 24:00"), sql_interval(a, UNIT_DAY, UNIT_MINUTE), &v));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(refused), cmocka_unit_test(numbers), cmocka_unit_test(stamps),
                                       cmocka_unit_test(intervals)};
    return cmocka_run_group_tests(tests, up, down);
}
