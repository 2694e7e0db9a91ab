/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts that the engine's C functions are made of: zones, texts, parsers, patterns, formats, regular expressions,
 * wide arithmetic, and the locks of DuckDB. What functions answer to SQL is compared with Spark by sqlcheck.
 */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/time.h"
#include "engine/worker/civil.h"
#include "engine/worker/digits.h"
#include "engine/worker/duck.h"
#include "engine/worker/parse.h"
#include "engine/worker/pattern.h"
#include "engine/worker/regex.h"
#include "engine/worker/text.h"
#include "engine/worker/wide.h"
#include "sql/type.h"

static duck *d;
static duckdb_connection con;

static int setup(void **state) {
    (void)state;
    map_seed((const unsigned char[16]){0});
    err *e = duck_open(&(struct duck_options){.threads = 1, .memory_bytes = 256u << 20}, &d);
    assert_null(e);
    e = duck_connect(d, &con);
    assert_null(e);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    duckdb_disconnect(&con);
    duck_close(d);
    return 0;
}

static int64_t at(int y, int m, int day, int h, int mi) { return time_days(y, m, day) * US_DAY + h * US_HOUR + mi * US_MINUTE; }

#define SAME(b, want)                                                                              \
    do {                                                                                           \
        buf_c(&(b), 0);                                                                            \
        assert_string_equal((b).p, want);                                                          \
        buf_clear(&(b));                                                                           \
    } while (0)

/* ---- zones ---- */

static void test_zones(void **state) {
    (void)state;
    const struct zone *berlin = zone_get(STR("Europe/Berlin")), *ny = zone_get(STR("America/New_York"));
    assert_non_null(berlin);
    assert_non_null(ny);
    assert_int_equal(zone_offset(berlin, at(2021, 1, 1, 0, 0)), 3600);
    assert_int_equal(zone_offset(berlin, at(2021, 7, 1, 0, 0)), 7200);
    /* Beyond the file's transitions its rule holds. */
    assert_int_equal(zone_offset(berlin, at(2150, 7, 1, 0, 0)), 7200);
    assert_int_equal(zone_offset(ny, at(2099, 12, 1, 0, 0)), -5 * 3600);
    /* Before there was a zone: local mean time. */
    assert_int_equal(zone_offset(berlin, at(1800, 1, 1, 0, 0)), 53 * 60 + 28);
    /* A gap moves the clock on; an overlap takes the earlier offset. */
    assert_true(zone_to_utc(berlin, at(2021, 3, 28, 2, 30)) == at(2021, 3, 28, 1, 30));
    assert_true(zone_to_utc(berlin, at(2021, 10, 31, 2, 30)) == at(2021, 10, 31, 0, 30));
    assert_true(zone_to_utc(berlin, at(2021, 3, 28, 1, 59)) == at(2021, 3, 28, 0, 59));
    assert_true(zone_to_local(ny, at(2021, 7, 1, 4, 0)) == at(2021, 7, 1, 0, 0));
}

static void test_zone_names(void **state) {
    (void)state;
    static const struct { const char *name; int32_t offset; } good[] = {
        {"UTC", 0}, {"Z", 0}, {"GMT", 0}, {"+02:00", 7200}, {"-8", -8 * 3600}, {"+0530", 19800}, {"UTC+3", 10800}, {"GMT-01:30", -5400},
        {"+18:00", 64800}, {"+1:2", 3720}, {"JST", 9 * 3600}, {"EST", -5 * 3600}, {"+01:02:03", 3723}, {" UTC ", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const struct zone *z = zone_get(str_of(good[i].name));
        if (!z) fail_msg("%s is no zone", good[i].name);
        assert_int_equal(zone_offset(z, 0), good[i].offset);
    }
    static const char *const bad[] = {"", "foo", "europe/berlin", "+19:00", "+1:60", "../etc/passwd", "/etc/passwd", "Europe/../Europe/Berlin", "+", "UTC+", "Z+1", "+123"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (zone_get(str_of(bad[i]))) fail_msg("%s is a zone", bad[i]);
}

/* ---- texts ---- */

static void test_double_text(void **state) {
    (void)state;
    static const struct { double v; const char *text; } cases[] = {
        {1, "1.0"}, {-0.0, "-0.0"}, {0.1, "0.1"}, {1e7, "1.0E7"}, {9999999, "9999999.0"}, {12345678.9, "1.23456789E7"}, {0.001, "0.001"},
        {0.00099, "9.9E-4"}, {1e-5, "1.0E-5"}, {4.9e-324, "4.9E-324"}, {1.7976931348623157e308, "1.7976931348623157E308"},
        {123456.789, "123456.789"}, {2.0 / 3, "0.6666666666666666"}, {100, "100.0"}, {1.5e300, "1.5E300"},
    };
    buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        text_double(&b, cases[i].v);
        SAME(b, cases[i].text);
    }
    text_float(&b, 0.1f);
    SAME(b, "0.1");
    text_float(&b, 3.4028235e38f);
    SAME(b, "3.4028235E38");
    text_decimal(&b, -5, 2);
    SAME(b, "-0.05");
    text_decimal(&b, pow10_i128(37), 37);
    SAME(b, "1.0000000000000000000000000000000000000");
    buf_free(&b);
}

static void test_interval_text(void **state) {
    (void)state;
    buf b = {0};
    text_ym(&b, -13);
    SAME(b, "-1-1");
    text_ym(&b, INT32_MIN);
    SAME(b, "-178956970-8");
    text_dt(&b, -93784500000);
    SAME(b, "-1 02:03:04.500000000");
    text_dt(&b, INT64_MIN);
    SAME(b, "-106751991 04:00:54.775808000");
    text_dt_literal(&b, 93784500000, UNIT_DAY, UNIT_SECOND);
    SAME(b, "INTERVAL '1 02:03:04.5' DAY TO SECOND");
    text_ym_literal(&b, 14, UNIT_MONTH, UNIT_MONTH);
    SAME(b, "INTERVAL '14' MONTH");
    text_interval(&b, (struct fn_interval){-14, 3, -1500000});
    SAME(b, "-1 years -2 months 3 days -1.5 seconds");
    text_interval(&b, (struct fn_interval){0});
    SAME(b, "0 seconds");
    text_utf8(&b, str_n("a\xc2" "b\xff", 4));
    SAME(b, "a\xef\xbf\xbd" "b\xef\xbf\xbd");
    buf_free(&b);
}

/* ---- parsers ---- */

static void test_parse_decimal(void **state) {
    (void)state;
    static const struct { const char *text; int p, s; enum parse_decimal how; int64_t v; } cases[] = {
        {"1.255", 4, 2, PARSE_OK, 126}, {"-1.255", 4, 2, PARSE_OK, -126}, {" 12 ", 2, 0, PARSE_OK, 12}, {".5", 2, 1, PARSE_OK, 5}, {"5.", 2, 1, PARSE_OK, 50},
        {"1e2", 5, 1, PARSE_OK, 1000}, {"12e-1", 5, 1, PARSE_OK, 12}, {"1e-30", 5, 1, PARSE_OK, 0}, {"9.95", 2, 1, PARSE_RANGE, 0}, {"100", 2, 0, PARSE_RANGE, 0},
        {"1e40", 38, 0, PARSE_RANGE, 0}, {"", 2, 0, PARSE_BAD, 0}, {"1.2.3", 5, 1, PARSE_BAD, 0}, {"abc", 5, 1, PARSE_BAD, 0}, {"1e", 5, 1, PARSE_BAD, 0}, {".", 5, 1, PARSE_BAD, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        i128 v = 0;
        enum parse_decimal how = parse_decimal(str_of(cases[i].text), cases[i].p, cases[i].s, &v);
        if (how != cases[i].how || v != cases[i].v) fail_msg("%s: %d %lld", cases[i].text, how, (long long)v);
    }
}

static void test_parse_time(void **state) {
    (void)state;
    int64_t us;
    int32_t days;
    assert_true(parse_ntz(STR("2020-1-2 3:4:5.67"), &us));
    assert_true(us == at(2020, 1, 2, 3, 4) + 5670000);
    assert_true(parse_ntz(STR("2020-01-02T03"), &us));
    assert_false(parse_ntz(STR("03:04:05"), &us));
    assert_true(parse_timestamp(STR("2020-01-02 03:04:05+01:00"), zone_utc(), &us));
    assert_true(us == at(2020, 1, 2, 2, 4) + 5000000);
    assert_false(parse_timestamp(STR("2020-01-02 03:04:05 nowhere"), zone_utc(), &us));
    assert_true(parse_date(STR("-0044-03-15"), &days));
    assert_int_equal(days, time_days(-44, 3, 15));
    assert_false(parse_date(STR("2021-02-29"), &days));
    assert_false(parse_date(STR("99999999-01-01"), &days));
    assert_true(parse_time(STR("23:59:59.999999"), &us));
    assert_true(us == US_DAY - 1);
    assert_false(parse_time(STR("24:00"), &us));
}

static void test_parse_interval(void **state) {
    (void)state;
    struct fn_interval v;
    int32_t m;
    int64_t us;
    assert_true(parse_interval_text(STR("1 year -2 months 3 weeks 4.5 seconds"), &v));
    assert_int_equal(v.m, 10);
    assert_int_equal(v.d, 21);
    assert_true(v.us == 4500000);
    assert_false(parse_interval_text(STR("1"), &v));
    assert_false(parse_interval_text(STR("1 parsec"), &v));
    assert_false(parse_interval_text(STR("999999999999 years"), &v));
    assert_true(parse_ym(STR("INTERVAL -'1-2' YEAR TO MONTH"), UNIT_YEAR, UNIT_MONTH, &m));
    assert_int_equal(m, -14);
    assert_false(parse_ym(STR("1-12"), UNIT_YEAR, UNIT_MONTH, &m));
    assert_true(parse_dt(STR("1 02:03:04.5"), UNIT_DAY, UNIT_SECOND, &us));
    assert_true(us == 93784500000);
    assert_false(parse_dt(STR("1 24:00:00"), UNIT_DAY, UNIT_SECOND, &us));
    assert_false(parse_dt(STR("999999999999999999"), UNIT_DAY, UNIT_DAY, &us));
}

/* ---- patterns ---- */

static void test_pattern_faults(void **state) {
    (void)state;
    static const struct { const char *text; bool reading; enum pattern_fault fault; } cases[] = {
        {"yyyy-MM-dd", false, PATTERN_OK}, {"YYYY", false, PATTERN_WEEK}, {"b", false, PATTERN_UNKNOWN}, {"A", false, PATTERN_LETTER}, {"ddd", false, PATTERN_LENGTH},
        {"MMMMM", false, PATTERN_LENGTH}, {"'open", false, PATTERN_OTHER}, {"[yyyy", false, PATTERN_OK}, {"]", false, PATTERN_OTHER}, {"{", false, PATTERN_LETTER},
        {"EEE", true, PATTERN_LETTER}, {"EEE", false, PATTERN_OK}, {"SSSSSSSSSS", false, PATTERN_LENGTH},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum pattern_fault f;
        char c;
        struct pattern *p = pattern_new(str_of(cases[i].text), cases[i].reading, &f, &c);
        if (f != cases[i].fault) fail_msg("%s: %d", cases[i].text, f);
        assert_true((p == NULL) == (f != PATTERN_OK));
        free(p);
    }
}

static void test_pattern_both_ways(void **state) {
    (void)state;
    static const char *const patterns[] = {"yyyy-MM-dd HH:mm:ss.SSSSSS", "yyyyMMddHHmmssSSSSSS", "d MMMM uuuu hh:mm:ss.SSSSSS a", "dd/MMM/yyyy kk:mm:ss.SSSSSS XXX",
                                           "yyyy-DDD K:mm:ss.SSSSSS a", "yyyy-MM-dd'T'HH:mm[:ss][.SSSSSS]", "yyyy-MM-dd HH:mm:ss.SSSSSS VV", "G yyyy M d H m s SSSSSS Z"};
    const struct zone *z = zone_get(STR("Europe/Berlin"));
    int64_t when = at(2021, 7, 9, 13, 5) + 6123456;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        enum pattern_fault f;
        char c;
        int64_t back = 0;
        buf b = {0};
        struct pattern *p = pattern_new(str_of(patterns[i]), true, &f, &c);
        assert_non_null(p);
        pattern_write(p, when, z, &b);
        if (!pattern_read(p, buf_view(&b), z, &back) || back != when) fail_msg("%s: %.*s", patterns[i], (int)b.n, b.p);
        buf_free(&b);
        free(p);
    }
}

/* ---- formats ---- */

static void test_number_formats(void **state) {
    (void)state;
    static const char *const good[] = {"999", "000.00", "S99,999.99", "$99.99", "9.9PR", "9MI", "99G999D9S"};
    static const char *const bad[] = {"", "abc", "9..9", "9,", ",9", "9$9", "SS9", "9S9", "PR"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!number_format_check(str_of(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (number_format_check(str_of(bad[i]))) fail_msg("%s", bad[i]);
    struct digits x;
    buf b = {0};
    digits_of_double_exact(&x, 0.125);
    digits_round(&x, 2, DIGITS_HALF_EVEN);
    digits_write(&x, 1, 3, 2, &b);
    SAME(b, "0.12");
    digits_of_decimal(&x, 999995, 3);
    digits_round(&x, 2, DIGITS_HALF_UP);
    digits_write(&x, 1, 3, 2, &b);
    SAME(b, "1,000.00");
    digits_of_double(&x, 1234567.891);
    assert_true(decimal_format_write(STR("#,##0.00"), &x, &b));
    SAME(b, "1,234,567.89");
    buf_free(&b);
}

/* ---- regular expressions ---- */

static int search(const char *pattern, const char *text) {
    char why[200];
    struct regex *r = regex_new(str_of(pattern), why);
    if (!r) return -1;
    enum regex_found f = regex_find(r, str_of(text), 0);
    regex_free(r);
    return (int)f;
}

static void test_regex(void **state) {
    (void)state;
    assert_int_equal(search("^[a-c&&[^b]]+$", "ac"), REGEX_FOUND);
    assert_int_equal(search("^[a-c&&[^b]]+$", "abc"), REGEX_NONE);
    assert_int_equal(search("^[a[xy]]+$", "axy"), REGEX_FOUND);
    assert_int_equal(search("^[^a[xy]]+$", "bx"), REGEX_NONE);
    assert_int_equal(search("\\p{Upper}\\p{IsAlphabetic}", "A\xc3\xa9"), REGEX_FOUND);
    assert_int_equal(search("^\\u00e9$", "\xc3\xa9"), REGEX_FOUND);
    assert_int_equal(search("(?<year>\\d{4})-\\k<year>", "2021-2021"), REGEX_FOUND);
    assert_int_equal(search("\\Qa.b\\E", "a.b"), REGEX_FOUND);
    assert_int_equal(search("\\Qa.b\\E", "axb"), REGEX_NONE);
    assert_int_equal(search("[]]", "]"), REGEX_FOUND);
    static const char *const refused[] = {"(", "a{", "*a", "(?R)", "(?1)", "(*ACCEPT)", "\\K", "\\C", "(?P<n>a)", "(?|a|b)", "[a", "\\p{Nothing}", "\\y", "(?C1)", "a{1"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (search(refused[i], "") != -1) fail_msg("%s is taken", refused[i]);
}

static void test_regex_limit(void **state) {
    (void)state;
    char text[64];
    memset(text, 'a', 60);
    memcpy(text + 60, "bx", 3); /* the last letter is there, so that it must be tried */
    /* Exponential without a limit. */
    assert_int_equal(search("^(a|aa|aaa)+(a|aa)+(a|aa)+b$", text), REGEX_LIMIT);
}

/* ---- wide arithmetic ---- */

static void test_wide(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252ull;
    for (int i = 0; i < 20000; i++) {
        uint64_t r[3];
        for (int k = 0; k < 3; k++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            r[k] = seed >> (i * (k + 3) % 60);
        }
        u128 a = r[0], b = r[1] ? r[1] : 1;
        struct wide p = wide_mul(a, b);
        assert_true(wide_fits(p) && wide_low(p) == a * b);
        u128 q = (a * b + r[2] % (uint64_t)b) / b;
        assert_true(q == a);
        bool over = false;
        struct wide sum = wide_add(p, wide_of(r[2] % (uint64_t)b), &over);
        assert_true(!over && wide_low(wide_div(sum, b, false)) == a);
    }
    bool over = false;
    struct wide big = wide_scale_up(wide_of(7), 76, &over);
    assert_false(over);
    assert_true(wide_low(wide_scale_down(big, 76, &over)) == 7);
    wide_scale_up(wide_of(7), 78, &over);
    assert_true(over);
    over = false;
    assert_true(wide_low(wide_scale_down(wide_of(15), 1, &over)) == 2);
    assert_true(wide_low(wide_scale_down(wide_of(14), 1, &over)) == 1);
}

/* ---- DuckDB's locks ---- */

static void refused(const char *sql) {
    duckdb_result r;
    bool ok = duckdb_query(con, sql, &r) == DuckDBSuccess;
    duckdb_destroy_result(&r);
    if (ok) fail_msg("DuckDB did: %s", sql);
}

static void test_locks(void **state) {
    (void)state;
    static const char *const attempts[] = {
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM glob('/etc/*')", "COPY (SELECT 1) TO '/tmp/x.csv'",
        "ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs", "LOAD '/tmp/x.duckdb_extension'", "SET enable_external_access = true",
        "SET allowed_directories = ['/']", "SET allow_unsigned_extensions = true", "SELECT * FROM '/etc/passwd'", "EXPORT DATABASE '/tmp/x'", "IMPORT DATABASE '/tmp/x'",
        "SELECT * FROM read_parquet('http://127.0.0.1/x')", "CREATE PERSISTENT SECRET s (TYPE s3)",
    };
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) refused(attempts[i]);
}

static void test_sizes_are_bounded(void **state) {
    (void)state;
    static const char *const attempts[] = {
        "SELECT bh_repeat('xxxxxxxx', 2147483647)", "SELECT bh_space(2147483647)", "SELECT bh_lpad('x', 2147483647, 'y')",
        "SELECT bh_format_string('UTC', '%2147483647d', 'int', 1)", "SELECT bh_regexp_replace(bh_repeat('a', 1000000), 'a', bh_repeat('b', 1000), 1)",
    };
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) refused(attempts[i]);
    duckdb_result r;
    err *e = duck_run(con, "SELECT length(bh_repeat('ab', 1000000)), bh_raise IS NULL FROM (SELECT NULL AS bh_raise)", &r);
    assert_null(e);
    assert_int_equal(duckdb_value_int64(&r, 0, 0), 2000000);
    duckdb_destroy_result(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones),          cmocka_unit_test(test_zone_names),      cmocka_unit_test(test_double_text),
        cmocka_unit_test(test_interval_text),  cmocka_unit_test(test_parse_decimal),   cmocka_unit_test(test_parse_time),
        cmocka_unit_test(test_parse_interval), cmocka_unit_test(test_pattern_faults),  cmocka_unit_test(test_pattern_both_ways),
        cmocka_unit_test(test_number_formats), cmocka_unit_test(test_regex),           cmocka_unit_test(test_regex_limit),
        cmocka_unit_test(test_wide),           cmocka_unit_test(test_locks),           cmocka_unit_test(test_sizes_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
