/* SPDX-License-Identifier: Apache-2.0 */
/* Casts between strings and the other types, by the rules of ANSI mode. A row's tag says if it is the "try" one. */
#include <stdio.h>

#include "engine/worker/civil.h"
#include "engine/worker/digits.h"
#include "engine/worker/fn_int.h"
#include "engine/worker/parse.h"
#include "engine/worker/text.h"
#include "sql/type.h"

/* 'it\'s': how a string stands in an error. */
static void quoted(buf *b, str s) {
    buf_c(b, '\'');
    for (size_t i = 0; i < s.n && i < 1000; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_c(b, '\\');
        buf_c(b, s.p[i]);
    }
    buf_c(b, '\'');
}

void fn_bad_cast(struct fn_call *c, str value, const char *target) {
    buf b = {0}, t = {0};
    quoted(&b, value);
    buf_fmt(&t, "\"%s\"", target);
    fn_fail_with(c, "CAST_INVALID_INPUT",
                 (struct fn_param[]){{"expression", buf_view(&b)}, {"sourceType", STR("\"STRING\"")}, {"targetType", buf_view(&t)}}, 3);
    buf_free(&b);
    buf_free(&t);
}

static void bad(struct fn_call *c, const char *target) {
    if (!c->def->tag) fn_bad_cast(c, fn_str(c, 0), target);
}

const struct zone *fn_zone(struct fn_call *c, size_t i) {
    str name = fn_str(c, i);
    const struct zone *z = fn_valid(c, i) ? zone_get(name) : NULL;
    if (!z) fn_fail_with(c, "INVALID_TIMEZONE", (struct fn_param[]){{"timeZone", name}}, 1);
    return z;
}

/* ---- from strings ---- */

#define FROM_INT(T, ret, min, max, target)                                                         \
    static void to_##T(struct fn_call *c) {                                                        \
        int64_t v;                                                                                 \
        if (parse_int(fn_str(c, 0), min, max, &v)) fn_ret_##ret(c, v);                             \
        else bad(c, target);                                                                       \
    }
FROM_INT(tinyint, i8, INT8_MIN, INT8_MAX, "TINYINT")
FROM_INT(smallint, i16, INT16_MIN, INT16_MAX, "SMALLINT")
FROM_INT(int, i32, INT32_MIN, INT32_MAX, "INT")
FROM_INT(bigint, i64, INT64_MIN, INT64_MAX, "BIGINT")

static void to_double(struct fn_call *c) {
    double v;
    if (parse_double(fn_str(c, 0), &v)) fn_ret_f64(c, v);
    else bad(c, "DOUBLE");
}
static void to_float(struct fn_call *c) {
    float v;
    if (parse_float(fn_str(c, 0), &v)) fn_ret_f32(c, v);
    else bad(c, "FLOAT");
}
static void to_boolean(struct fn_call *c) {
    bool v;
    if (parse_bool(fn_str(c, 0), &v)) fn_ret_bool(c, v);
    else bad(c, "BOOLEAN");
}
static void to_date(struct fn_call *c) {
    int32_t v;
    if (parse_date(fn_str(c, 0), &v)) fn_ret_i32(c, v);
    else bad(c, "DATE");
}
static void to_ntz(struct fn_call *c) {
    int64_t v;
    if (parse_ntz(fn_str(c, 0), &v)) fn_ret_i64(c, v);
    else bad(c, "TIMESTAMP_NTZ");
}
static void to_time(struct fn_call *c) {
    int64_t v;
    if (parse_time(fn_str(c, 0), &v)) fn_ret_i64(c, v);
    else bad(c, "TIME(6)");
}
static void to_timestamp(struct fn_call *c) {
    int64_t v;
    const struct zone *z = fn_zone(c, 1);
    if (!z) return;
    if (parse_timestamp(fn_str(c, 0), z, &v)) fn_ret_i64(c, v);
    else bad(c, "TIMESTAMP");
}
static void to_binary(struct fn_call *c) { fn_ret_str(c, fn_str(c, 0)); }

/* A decimal that is too large for its type. */
void fn_decimal_range(struct fn_call *c, str value, int precision, int scale) {
    char p[16], s[16];
    snprintf(p, sizeof(p), "%d", precision);
    snprintf(s, sizeof(s), "%d", scale);
    fn_fail_with(c, "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
                 (struct fn_param[]){{"value", value}, {"precision", str_of(p)}, {"scale", str_of(s)},
                                     {"config", STR("\"spark.sql.ansi.enabled\"")}}, 4);
}

static void to_decimal(struct fn_call *c) {
    int p = fn_i32(c, 1), s = fn_i32(c, 2);
    i128 v;
    switch (parse_decimal(fn_str(c, 0), p, s, &v)) {
    case PARSE_OK: {
        buf *b = fn_text(c);
        text_decimal(b, v, s);
        fn_ret_buf(c, b);
        break;
    }
    case PARSE_RANGE:
        if (!c->def->tag) fn_decimal_range(c, parse_trim(fn_str(c, 0)), p, s);
        break;
    default: {
        char target[40];
        snprintf(target, sizeof(target), "DECIMAL(%d,%d)", p, s);
        bad(c, target);
    }
    }
}

/* cast_double_decimal(value, precision, scale): the digits of its shortest text, rounded half up */
static void double_decimal(struct fn_call *c) {
    int p = fn_i32(c, 1), s = fn_i32(c, 2);
    struct digits x;
    digits_of_double(&x, fn_f64(c, 0));
    if (x.nan || x.infinite) return; /* no number is NULL, in ANSI mode too */
    digits_round(&x, s, DIGITS_HALF_UP);
    buf *b = fn_text(c);
    if (x.point > p - s) {
        text_double(b, fn_f64(c, 0));
        if (!c->def->tag) fn_decimal_range(c, buf_view(b), p, s);
        return;
    }
    if (x.negative) buf_c(b, '-');
    digits_write(&x, 1, 0, s, b);
    fn_ret_buf(c, b);
}

/* The forms of an interval's fields, between two units or of one. */
static void interval_form(int from, int to, char *out, size_t n) {
    static const char *const parts[] = {"y", "m", "d", "h", "m", "s.n"}, *const joins[] = {"", "-", "", " ", ":", ":"};
    size_t at = 0;
    out[0] = 0;
    for (int i = from; i <= to && at < n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s%s", i > from ? joins[i] : "", parts[i]);
}

static void bad_interval(struct fn_call *c, int from, int to) {
    static const char *const names[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}, *const lower[] = {"year", "month", "day", "hour", "minute", "second"};
    char words[40], type[48], form[24];
    if (c->def->tag) return;
    snprintf(words, sizeof(words), from == to ? "%s" : "%s TO %s", names[from], names[to]);
    snprintf(type, sizeof(type), from == to ? "interval %s" : "interval %s to %s", lower[from], lower[to]);
    interval_form(from, to, form, sizeof(form));
    buf b = {0};
    buf_fmt(&b, "`[+|-]%s`, `INTERVAL [+|-]'[+|-]%s' %s`", form, form, words);
    bool ym = to <= UNIT_MONTH;
    fn_fail_with(c, ym ? "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING" : "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING_WITH_NOTICE",
                 (struct fn_param[]){{"input", fn_str(c, 0)}, {"supportedFormat", buf_view(&b)}, {"intervalStr", str_of(ym ? "year-month" : "day-time")},
                                     {"typeName", str_of(type)}}, 4);
    buf_free(&b);
}
static bool units_ok(int from, int to, int least, int most) { return from >= least && from <= to && to <= most; }

static void to_ym(struct fn_call *c) {
    int32_t v;
    int from = fn_i32(c, 1), to = fn_i32(c, 2);
    if (!units_ok(from, to, UNIT_YEAR, UNIT_MONTH)) return;
    if (parse_ym(fn_str(c, 0), from, to, &v)) fn_ret_i32(c, v);
    else bad_interval(c, from, to);
}
static void to_dt(struct fn_call *c) {
    int64_t v;
    int from = fn_i32(c, 1), to = fn_i32(c, 2);
    if (!units_ok(from, to, UNIT_DAY, UNIT_SECOND)) return;
    if (parse_dt(fn_str(c, 0), from, to, &v)) fn_ret_i64(c, v);
    else bad_interval(c, from, to);
}
static void to_interval(struct fn_call *c) {
    struct fn_interval v;
    if (parse_interval_text(fn_str(c, 0), &v)) fn_ret_interval(c, v);
    else bad(c, "INTERVAL");
}

/* ---- to strings ---- */

#define TO_TEXT(name, write)                                                                       \
    static void name(struct fn_call *c) {                                                          \
        buf *b = fn_text(c);                                                                       \
        write;                                                                                     \
        fn_ret_buf(c, b);                                                                          \
    }
TO_TEXT(double_string, text_double(b, fn_f64(c, 0)))
TO_TEXT(float_string, text_float(b, fn_f32(c, 0)))
TO_TEXT(date_string, text_date(b, fn_i32(c, 0)))
TO_TEXT(ntz_string, text_ntz(b, fn_i64(c, 0)))
TO_TEXT(time_string, text_time(b, fn_i64(c, 0)))
TO_TEXT(interval_string, text_interval(b, fn_interval(c, 0)))

static void timestamp_string(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    if (!z) return;
    buf *b = fn_text(c);
    text_timestamp(b, fn_i64(c, 0), z);
    fn_ret_buf(c, b);
}
static void ym_string(struct fn_call *c) {
    int from = fn_i32(c, 1), to = fn_i32(c, 2);
    if (!units_ok(from, to, UNIT_YEAR, UNIT_MONTH)) return;
    buf *b = fn_text(c);
    text_ym_literal(b, fn_i32(c, 0), from, to);
    fn_ret_buf(c, b);
}
static void dt_string(struct fn_call *c) {
    int from = fn_i32(c, 1), to = fn_i32(c, 2);
    if (!units_ok(from, to, UNIT_DAY, UNIT_SECOND)) return;
    buf *b = fn_text(c);
    text_dt_literal(b, fn_i64(c, 0), from, to);
    fn_ret_buf(c, b);
}
/* Too large a number is infinite. */
static void double_float(struct fn_call *c) { fn_ret_f32(c, (float)fn_f64(c, 0)); }
static void binary_string(struct fn_call *c) {
    str s = fn_str(c, 0);
    if (str_is_utf8(s)) {
        fn_ret_str(c, s);
        return;
    }
    buf *b = fn_text(c);
    text_utf8(b, s);
    fn_ret_buf(c, b);
}

/* ---- between dates, timestamps and local times ---- */

static void ntz_to_ts(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    if (z) fn_ret_i64(c, zone_to_utc(z, fn_i64(c, 0)));
}
static void ts_to_ntz(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    if (z) fn_ret_i64(c, zone_to_local(z, fn_i64(c, 0)));
}
static void date_to_ts(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    int64_t us;
    if (!z) return;
    if (__builtin_mul_overflow((int64_t)fn_i32(c, 0), US_DAY, &us)) fn_fail(c, "DATETIME_OVERFLOW", "operation", "cast a date to a timestamp", NULL);
    else fn_ret_i64(c, zone_to_utc(z, us));
}
static void ts_to_date(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    if (z) fn_ret_i32(c, (int32_t)floor_div(zone_to_local(z, fn_i64(c, 0)), US_DAY));
}

#define BOTH(name, sig, f) {"bh_cast_" name, sig, f, 0, 0}, {"bh_try_cast_" name, sig, f, 0, 1}
static const struct fn_def defs[] = {
    BOTH("string_boolean", "s:B", to_boolean), BOTH("string_tinyint", "s:c", to_tinyint),
    BOTH("string_smallint", "s:h", to_smallint), BOTH("string_int", "s:i", to_int),
    BOTH("string_bigint", "s:l", to_bigint), BOTH("string_float", "s:f", to_float),
    BOTH("string_double", "s:d", to_double), BOTH("string_date", "s:D", to_date),
    BOTH("string_ntz", "s:N", to_ntz), BOTH("string_time", "s:t", to_time),
    BOTH("string_binary", "s:b", to_binary), BOTH("string_timestamp", "ss:T", to_timestamp),
    BOTH("string_decimal", "sii:s", to_decimal), BOTH("string_ym", "sii:i", to_ym),
    BOTH("string_dt", "sii:l", to_dt), BOTH("double_decimal", "dii:s", double_decimal), BOTH("string_interval", "s:I", to_interval),
    {"bh_cast_double_float", "d:f", double_float, 0, 0},
    {"bh_cast_double_string", "d:s", double_string, 0, 0},
    {"bh_cast_float_string", "f:s", float_string, 0, 0},
    {"bh_cast_timestamp_string", "Ts:s", timestamp_string, 0, 0},
    {"bh_cast_ntz_string", "N:s", ntz_string, 0, 0},
    {"bh_cast_time_string", "t:s", time_string, 0, 0},
    {"bh_cast_date_string", "D:s", date_string, 0, 0},
    {"bh_cast_ym_string", "iii:s", ym_string, 0, 0},
    {"bh_cast_dt_string", "lii:s", dt_string, 0, 0},
    {"bh_cast_interval_string", "I:s", interval_string, 0, 0},
    {"bh_cast_binary_string", "b:s", binary_string, 0, 0},
    {"bh_ntz_to_ts", "Ns:T", ntz_to_ts, 0, 0},
    {"bh_ts_to_ntz", "Ts:N", ts_to_ntz, 0, 0},
    {"bh_date_to_ts", "Ds:T", date_to_ts, 0, 0},
    {"bh_ts_to_date", "Ts:D", ts_to_date, 0, 0},
};
const struct fn_table fn_table_cast = {defs, ARRAY_LEN(defs)};
