/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and times by pattern and by calendar. Instants are read in the zone that the last argument names. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/civil.h"
#include "engine/worker/fn_int.h"
#include "engine/worker/parse.h"
#include "engine/worker/pattern.h"
#include "engine/worker/text.h"

/* ---- patterns ---- */

static const struct pattern *compiled(struct fn_call *c, str text, bool reading) {
    struct pattern *p = fn_cached(c, text);
    if (p) return p;
    enum pattern_fault fault;
    char at;
    p = pattern_new(text, reading, &fault, &at);
    if (p) {
        fn_keep(c, text, p, free);
        return p;
    }
    char letter[2] = {at, 0};
    if (pattern_was_legal(text)) {
        buf quoted = {0};
        buf_fmt(&quoted, "'%.*s'", (int)text.n, text.p);
        fn_fail_with(c, "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION",
                     (struct fn_param[]){{"pattern", buf_view(&quoted)}, {"config", STR("\"spark.sql.legacy.timeParserPolicy\"")}, {"docroot", STR("https://spark.apache.org/docs/latest")}}, 3);
        buf_free(&quoted);
    } else if (fault == PATTERN_UNKNOWN || fault == PATTERN_OTHER) fn_fail_with(c, "INVALID_DATETIME_PATTERN.WITH_SUGGESTION", (struct fn_param[]){{"pattern", text}, {"docroot", STR("https://spark.apache.org/docs/latest")}}, 2);
    else if (fault == PATTERN_WEEK)
        fn_fail(c, "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_WEEK_BASED_PATTERN", "c", letter, NULL);
    else if (fault == PATTERN_LETTER)
        fn_fail_with(c, "INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER", (struct fn_param[]){{"c", str_of(letter)}, {"pattern", text}}, 2);
    else fn_fail_with(c, "INVALID_DATETIME_PATTERN.LENGTH", (struct fn_param[]){{"pattern", text}}, 1);
    return NULL;
}

/* date_format(ts, pattern, zone) */
static void date_format(struct fn_call *c) {
    const struct pattern *p = compiled(c, fn_str(c, 1), false);
    const struct zone *z = p ? fn_zone(c, 2) : NULL;
    if (!z) return;
    buf *b = fn_text(c);
    pattern_write(p, fn_i64(c, 0), z, b);
    fn_ret_buf(c, b);
}

/* time_format(time, pattern) */
static void time_format(struct fn_call *c) {
    const struct pattern *p = compiled(c, fn_str(c, 1), false);
    if (!p) return;
    buf *b = fn_text(c);
    pattern_write(p, fn_i64(c, 0), zone_utc(), b);
    fn_ret_buf(c, b);
}

static void from_unixtime(struct fn_call *c) {
    const struct pattern *p = compiled(c, fn_str(c, 1), false);
    const struct zone *z = p ? fn_zone(c, 2) : NULL;
    if (!z) return;
    buf *b = fn_text(c);
    pattern_write(p, (int64_t)((uint64_t)fn_i64(c, 0) * 1000000u), z, b);
    fn_ret_buf(c, b);
}

static void cannot_parse(struct fn_call *c, str s, const char *cls) {
    if (c->def->tag) return;
    buf m = {0};
    buf_fmt(&m, "Text '%.*s' could not be parsed", (int)(s.n > 200 ? 200 : s.n), s.p);
    fn_fail_with(c, cls, (struct fn_param[]){{"func", STR("`try_to_timestamp`")}, {"message", buf_view(&m)}, {"input", s}, {"format", fn_str(c, 1)}}, 4);
    buf_free(&m);
}

static bool read_instant(struct fn_call *c, int64_t *us) {
    const struct pattern *p = compiled(c, fn_str(c, 1), true);
    const struct zone *z = p ? fn_zone(c, 2) : NULL;
    if (!z) return false;
    if (pattern_read(p, fn_str(c, 0), z, us)) return true;
    cannot_parse(c, fn_str(c, 0), "CANNOT_PARSE_TIMESTAMP");
    return false;
}
static void parse_ts(struct fn_call *c) {
    int64_t us;
    if (read_instant(c, &us)) fn_ret_i64(c, us);
}
static void to_unix(struct fn_call *c) {
    int64_t us;
    if (read_instant(c, &us)) fn_ret_i64(c, floor_div(us, US_PER_S));
}
static void parse_ntz_(struct fn_call *c) {
    const struct pattern *p = compiled(c, fn_str(c, 1), true);
    int64_t us;
    if (!p) return;
    if (pattern_read_local(p, fn_str(c, 0), &us)) fn_ret_i64(c, us);
    else cannot_parse(c, fn_str(c, 0), "CANNOT_PARSE_TIMESTAMP");
}
static void parse_time_(struct fn_call *c) {
    const struct pattern *p = compiled(c, fn_str(c, 1), true);
    int64_t us;
    if (!p) return;
    if (pattern_read_local(p, fn_str(c, 0), &us)) fn_ret_i64(c, floor_mod(us, US_DAY));
    else cannot_parse(c, fn_str(c, 0), "CANNOT_PARSE_TIME");
}

/* to_time(text) without a pattern */
static void to_time(struct fn_call *c) {
    int64_t us;
    if (parse_time(fn_str(c, 0), &us)) fn_ret_i64(c, us);
    else fn_fail_with(c, "CANNOT_PARSE_TIME", (struct fn_param[]){{"input", fn_str(c, 0)}, {"format", STR("HH:mm:ss.SSSSSS")}}, 2);
}

/* ---- months, weeks, days ---- */

static void date_range(struct fn_call *c, int64_t days) {
    if (days < INT32_MIN || days > INT32_MAX) fn_fail(c, "ARITHMETIC_OVERFLOW", "message", "integer overflow", "alternative", "", "config", "\"spark.sql.ansi.enabled\"", NULL);
    else fn_ret_i32(c, (int32_t)days);
}
static void add_months(struct fn_call *c) { date_range(c, civil_add_months(fn_i32(c, 0), fn_i32(c, 1))); }
static void last_day(struct fn_call *c) {
    int64_t y;
    int m, d;
    time_civil(fn_i32(c, 0), &y, &m, &d);
    date_range(c, time_days(y, m, civil_month_days(y, m)));
}

/* Monday 0 … Sunday 6, or -1. */
static int weekday_of(str s) {
    static const char *const names[7][3] = {{"MO", "MON", "MONDAY"}, {"TU", "TUE", "TUESDAY"}, {"WE", "WED", "WEDNESDAY"}, {"TH", "THU", "THURSDAY"},
                                            {"FR", "FRI", "FRIDAY"}, {"SA", "SAT", "SATURDAY"}, {"SU", "SUN", "SUNDAY"}};
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 3; k++)
            if (str_ieq(s, str_of(names[i][k]))) return i;
    return -1;
}
static void next_day(struct fn_call *c) {
    int want = weekday_of(str_trim(fn_str(c, 1)));
    if (want < 0) {
        fn_fail_with(c, "ILLEGAL_DAY_OF_WEEK", (struct fn_param[]){{"string", fn_str(c, 1)}}, 1);
        return;
    }
    int64_t d = fn_i32(c, 0), have = civil_iso_weekday(d) - 1;
    date_range(c, d + (want - have + 6) % 7 + 1);
}
static void iso_year(struct fn_call *c) {
    int64_t y;
    civil_iso_week(fn_i32(c, 0), &y);
    fn_ret_i32(c, (int32_t)y);
}
static void iso_week(struct fn_call *c) { fn_ret_i32(c, civil_iso_week(fn_i32(c, 0), NULL)); }

/* months_between(a, b, round off, zone) */
static void months_between(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 3);
    if (!z) return;
    int64_t a = zone_to_local(z, fn_i64(c, 0)), b = zone_to_local(z, fn_i64(c, 1)), da = floor_div(a, US_DAY), db = floor_div(b, US_DAY), ya, yb;
    int ma, mb, dda, ddb;
    time_civil(da, &ya, &ma, &dda);
    time_civil(db, &yb, &mb, &ddb);
    double months = (double)((ya - yb) * 12 + ma - mb);
    bool ends = dda == civil_month_days(ya, ma) && ddb == civil_month_days(yb, mb);
    if (dda != ddb && !ends) {
        /* Seconds since midnight that went by, also on a day when the clocks are put forward. */
        int64_t in_a = floor_div(fn_i64(c, 0) - zone_to_utc(z, da * US_DAY), US_PER_S), in_b = floor_div(fn_i64(c, 1) - zone_to_utc(z, db * US_DAY), US_PER_S);
        int64_t seconds = (dda - ddb) * 86400ll + (in_a - in_b);
        months += (double)seconds / (31.0 * 86400.0);
    }
    if (fn_bool(c, 2)) {
        double scaled = months * 1e8;
        int64_t r = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
        months = (double)r / 1e8;
    }
    fn_ret_f64(c, months);
}

/* ---- truncation ---- */

enum unit { U_NONE, U_MICRO, U_MILLI, U_SECOND, U_MINUTE, U_HOUR, U_DAY, U_WEEK, U_MONTH, U_QUARTER, U_YEAR };
static enum unit unit_of(str s) {
    static const struct { const char *name; enum unit u; } names[] = {
        {"MICROSECOND", U_MICRO}, {"MILLISECOND", U_MILLI}, {"SECOND", U_SECOND}, {"MINUTE", U_MINUTE}, {"HOUR", U_HOUR}, {"DAY", U_DAY}, {"DD", U_DAY},
        {"WEEK", U_WEEK}, {"MON", U_MONTH}, {"MONTH", U_MONTH}, {"MM", U_MONTH}, {"QUARTER", U_QUARTER}, {"YEAR", U_YEAR}, {"YYYY", U_YEAR}, {"YY", U_YEAR},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(s, str_of(names[i].name))) return names[i].u;
    return U_NONE;
}
static int64_t trunc_days(int64_t days, enum unit u) {
    int64_t y;
    int m, d;
    time_civil(days, &y, &m, &d);
    switch (u) {
    case U_WEEK: return days - civil_iso_weekday(days) + 1;
    case U_MONTH: return time_days(y, m, 1);
    case U_QUARTER: return time_days(y, (m - 1) / 3 * 3 + 1, 1);
    case U_YEAR: return time_days(y, 1, 1);
    default: return days;
    }
}
static void trunc_date(struct fn_call *c) {
    enum unit u = unit_of(fn_str(c, 1));
    if (u >= U_WEEK) fn_ret_i32(c, (int32_t)trunc_days(fn_i32(c, 0), u));
}
static int64_t trunc_local(int64_t us, enum unit u) {
    static const int64_t size[] = {1, 1, 1000, US_PER_S, US_MINUTE, US_HOUR, US_DAY};
    if (u <= U_DAY) return us - floor_mod(us, size[u]);
    return trunc_days(floor_div(us, US_DAY), u) * US_DAY;
}
/* date_trunc(unit, ts, zone): up to the minute instants, beyond in the zone */
static void date_trunc(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 2);
    enum unit u = unit_of(fn_str(c, 0));
    if (!z || !u) return;
    int64_t us = fn_i64(c, 1);
    fn_ret_i64(c, u <= U_SECOND ? trunc_local(us, u) : zone_to_utc(z, trunc_local(zone_to_local(z, us), u)));
}
static void date_trunc_ntz(struct fn_call *c) {
    enum unit u = unit_of(fn_str(c, 0));
    if (u) fn_ret_i64(c, trunc_local(fn_i64(c, 1), u));
}
static void time_unit_error(struct fn_call *c, const char *function) {
    buf quoted = {0};
    buf_fmt(&quoted, "'%.*s'", (int)(fn_str(c, 0).n > 200 ? 200 : fn_str(c, 0).n), fn_str(c, 0).p);
    fn_fail_with(c, "INVALID_PARAMETER_VALUE.TIME_UNIT", (struct fn_param[]){{"functionName", str_of(function)}, {"parameter", STR("`unit`")}, {"invalidValue", buf_view(&quoted)}}, 3);
    buf_free(&quoted);
}
static void time_trunc(struct fn_call *c) {
    enum unit u = unit_of(fn_str(c, 0));
    if (u && u <= U_HOUR) fn_ret_i64(c, trunc_local(fn_i64(c, 1), u));
    else time_unit_error(c, "`time_trunc`");
}
static void time_diff(struct fn_call *c) {
    static const int64_t size[] = {1, 1, 1000, US_PER_S, US_MINUTE, US_HOUR};
    enum unit u = unit_of(fn_str(c, 0));
    if (u && u <= U_HOUR) fn_ret_i64(c, (fn_i64(c, 2) - fn_i64(c, 1)) / size[u]);
    else time_unit_error(c, "`time_diff`");
}

/* ---- making ---- */

static bool bounds(struct fn_call *c, const char *what) {
    if (!c->def->tag) fn_fail(c, "DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION", "rangeMessage", what, NULL);
    return false;
}
/* A field that is out of its range, as java.time says it. */
static bool field_bounds(struct fn_call *c, const char *field, const char *range, int v) {
    char text[96];
    snprintf(text, sizeof(text), "Invalid value for %s (valid values %s): %d", field, range, v);
    return bounds(c, text);
}
static void date_bounds(struct fn_call *c, int y, int m, int d) {
    static const char *const months[] = {"JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER"};
    char text[80];
    if (m < 1 || m > 12) {
        field_bounds(c, "MonthOfYear", "1 - 12", m);
    } else if (d < 1 || d > 31) {
        field_bounds(c, "DayOfMonth", "1 - 28/31", d);
    } else {
        if (m == 2 && d == 29) snprintf(text, sizeof(text), "Invalid date 'February 29' as '%d' is not a leap year", y);
        else snprintf(text, sizeof(text), "Invalid date '%s %d'", months[m - 1], d);
        bounds(c, text);
    }
}
static void make_date(struct fn_call *c) {
    int64_t y = fn_i32(c, 0);
    if (!civil_valid(y, fn_i32(c, 1), fn_i32(c, 2))) date_bounds(c, fn_i32(c, 0), fn_i32(c, 1), fn_i32(c, 2));
    else date_range(c, time_days(y, fn_i32(c, 1), fn_i32(c, 2)));
}
/* Seconds with six digits, as an integer of microseconds; 60.0 is the next minute's start. */
static bool local_of(struct fn_call *c, size_t first, int64_t us, int64_t *ret, bool may_60) {
    int h = fn_i32(c, first), m = fn_i32(c, first + 1);
    if (h < 0 || h > 23) return field_bounds(c, "HourOfDay", "0 - 23", h);
    if (m < 0 || m > 59) return field_bounds(c, "MinuteOfHour", "0 - 59", m);
    if (us < 0 || us > 60 * US_PER_S || (us == 60 * US_PER_S && !may_60)) return field_bounds(c, "SecondOfMinute", "0 - 59", (int)(us / US_PER_S));
    *ret = h * US_HOUR + m * US_MINUTE + us;
    return true;
}
/* make_ntz(y, m, d, h, mi, microseconds) */
static void make_ntz(struct fn_call *c) {
    int64_t us, sec = fn_i64(c, 5);
    if (!civil_valid(fn_i32(c, 0), fn_i32(c, 1), fn_i32(c, 2))) {
        date_bounds(c, fn_i32(c, 0), fn_i32(c, 1), fn_i32(c, 2));
        return;
    }
    if (sec > 60 * US_PER_S && sec < 61 * US_PER_S) {
        if (!c->def->tag) fn_fail(c, "INVALID_FRACTION_OF_SECOND", "secAndMicros", "", NULL);
        return;
    }
    int64_t days = time_days(fn_i32(c, 0), fn_i32(c, 1), fn_i32(c, 2));
    if (days < -290000 * 366ll || days > 292000 * 366ll) bounds(c, "Invalid date");
    else if (local_of(c, 3, sec, &us, true)) fn_ret_i64(c, days * US_DAY + us);
}
static void make_time(struct fn_call *c) {
    int64_t us, sec = fn_i64(c, 2);
    if (sec >= 0 && sec < 60 * US_PER_S && fn_i32(c, 0) >= 0 && fn_i32(c, 0) < 24 && fn_i32(c, 1) >= 0 && fn_i32(c, 1) < 60) {
        if (local_of(c, 0, sec, &us, false)) fn_ret_i64(c, us);
    } else fn_fail(c, "DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION", "rangeMessage", "A field of the time is out of its range", NULL);
}
static void time_from(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    if (v < 0 || v >= US_DAY / c->def->tag) {
        fn_fail(c, "DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION", "rangeMessage", "The time of day is out of its range", NULL);
        return;
    }
    fn_ret_i64(c, v * c->def->tag);
}
/* Argument 0, a decimal of seconds, in microseconds; what is far beyond a timestamp stays far beyond. */
static i128 micros(const struct fn_call *c) {
    const i128 most = pow10_i128(30);
    i128 v = fn_int(c, 0);
    v = v > most * 1000000 ? most * 1000000 : v < -most * 1000000 ? -most * 1000000 : v;
    for (int i = c->arg[0].scale; i > 6; i--) v /= 10;
    if (v > most) v = most;
    if (v < -most) v = -most;
    for (int i = c->arg[0].scale; i < 6; i++) v *= 10;
    return v;
}
static void time_from_seconds(struct fn_call *c) {
    i128 v = micros(c);
    if (v < 0 || v >= US_DAY) fn_fail(c, "DATETIME_FIELD_OUT_OF_BOUNDS.WITHOUT_SUGGESTION", "rangeMessage", "The seconds of a day are from 0 to 86399", NULL);
    else fn_ret_i64(c, (int64_t)v);
}

/* ---- adding and parting ---- */

static bool fits(struct fn_call *c, i128 v, int64_t *ret) {
    if (v >= INT64_MIN && v <= INT64_MAX) {
        *ret = (int64_t)v;
        return true;
    }
    fn_fail(c, "DATETIME_OVERFLOW", "operation", "add an interval to a timestamp", NULL);
    return false;
}
static int64_t plus_months(int64_t local, int64_t months) {
    return civil_add_months(floor_div(local, US_DAY), months) * US_DAY + floor_mod(local, US_DAY);
}
static void ts_add_months(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 2);
    if (z) fn_ret_i64(c, zone_to_utc(z, plus_months(zone_to_local(z, fn_i64(c, 0)), fn_i32(c, 1))));
}
static void ntz_add_months(struct fn_call *c) { fn_ret_i64(c, plus_months(fn_i64(c, 0), fn_i32(c, 1))); }

static bool add_parts(struct fn_call *c, int64_t us, const struct zone *z, struct fn_interval v, int64_t *ret) {
    int64_t r = us;
    if (v.m || v.d) {
        i128 local = z ? zone_to_local(z, us) : us;
        local = (i128)plus_months((int64_t)local, v.m) + (i128)v.d * US_DAY;
        if (!fits(c, local, &r)) return false;
        if (z) r = zone_to_utc(z, r);
    }
    return fits(c, (i128)r + v.us, ret);
}
static void ts_add_dt(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 2);
    int64_t us = fn_i64(c, 1), r;
    if (z && add_parts(c, fn_i64(c, 0), z, (struct fn_interval){0, (int32_t)(us / US_DAY), us % US_DAY}, &r)) fn_ret_i64(c, r);
}
static void ntz_add_dt(struct fn_call *c) {
    int64_t r;
    if (fits(c, (i128)fn_i64(c, 0) + fn_i64(c, 1), &r)) fn_ret_i64(c, r);
}
static void ts_add_interval(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 2);
    int64_t r;
    if (z && add_parts(c, fn_i64(c, 0), z, fn_interval(c, 1), &r)) fn_ret_i64(c, r);
}
static void ntz_add_interval(struct fn_call *c) {
    int64_t r;
    if (add_parts(c, fn_i64(c, 0), NULL, fn_interval(c, 1), &r)) fn_ret_i64(c, r);
}
static void diff_us(struct fn_call *c) {
    int64_t r;
    if (fits(c, (i128)fn_i64(c, 0) - fn_i64(c, 1), &r)) fn_ret_i64(c, r);
}

/* Units of timestampadd and timestampdiff. */
static enum unit add_unit(struct fn_call *c, str s, const char *function) {
    static const struct { const char *name; enum unit u; } extra[] = {{"DAYOFYEAR", U_DAY}};
    enum unit u = unit_of(s);
    for (size_t i = 0; i < ARRAY_LEN(extra); i++)
        if (str_ieq(s, str_of(extra[i].name))) u = extra[i].u;
    if (!u) fn_fail_with(c, "INVALID_PARAMETER_VALUE.DATETIME_UNIT", (struct fn_param[]){{"functionName", str_of(function)}, {"parameter", STR("`unit`")}, {"invalidValue", s}}, 3);
    return u;
}
/* timestampadd(unit, n, ts, zone) */
static void timestampadd(struct fn_call *c) {
    static const int64_t size[] = {1, 1, 1000, US_PER_S, US_MINUTE, US_HOUR};
    const struct zone *z = c->n > 3 ? fn_zone(c, 3) : zone_utc(); /* a local time has no zone */
    enum unit u = z ? add_unit(c, fn_str(c, 0), "`TIMESTAMPADD`") : U_NONE;
    int64_t n = fn_i64(c, 1), r;
    if (!u) return;
    struct fn_interval v = {0};
    i128 part = n;
    if (u <= U_HOUR) part = (i128)n * size[u];
    else if (u == U_WEEK) part = (i128)n * 7;
    else if (u == U_QUARTER) part = (i128)n * 3;
    else if (u == U_YEAR) part = (i128)n * 12;
    if (part > INT64_MAX || part < INT64_MIN || (u > U_HOUR && (part > INT32_MAX || part < INT32_MIN))) {
        fn_fail(c, "DATETIME_OVERFLOW", "operation", "add to a timestamp", NULL);
        return;
    }
    if (u <= U_HOUR) v.us = (int64_t)part;
    else if (u <= U_WEEK) v.d = (int32_t)part;
    else v.m = (int32_t)part;
    if (add_parts(c, fn_i64(c, 2), z, v, &r)) fn_ret_i64(c, r);
}
/* timestampdiff(unit, a, b, zone): whole units from a to b */
static void timestampdiff(struct fn_call *c) {
    static const int64_t size[] = {1, 1, 1000, US_PER_S, US_MINUTE, US_HOUR, US_DAY, 7 * US_DAY};
    const struct zone *z = fn_zone(c, 3);
    enum unit u = z ? add_unit(c, fn_str(c, 0), "`TIMESTAMPDIFF`") : U_NONE;
    if (!u) return;
    int64_t a = zone_to_local(z, fn_i64(c, 1)), b = zone_to_local(z, fn_i64(c, 2)); /* as clocks on the wall show it, hours too */
    if (u <= U_WEEK) {
        fn_ret_i64(c, (int64_t)(((i128)b - a) / size[u]));
        return;
    }
    int64_t ya, yb;
    int ma, mb, da, db;
    time_civil(floor_div(a, US_DAY), &ya, &ma, &da);
    time_civil(floor_div(b, US_DAY), &yb, &mb, &db);
    int64_t months = (yb - ya) * 12 + mb - ma, rest = da * US_DAY + floor_mod(a, US_DAY), end = db * US_DAY + floor_mod(b, US_DAY);
    if (months > 0 && end < rest) months--;
    if (months < 0 && end > rest) months++;
    fn_ret_i64(c, months / (u == U_MONTH ? 1 : u == U_QUARTER ? 3 : 12));
}

/* from_utc(ts, zone): its clock in the zone, taken as UTC; to_utc the other way */
static void from_utc(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    if (z) fn_ret_i64(c, zone_to_local(z, fn_i64(c, 0)));
}
static void to_utc(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    if (z) fn_ret_i64(c, zone_to_utc(z, fn_i64(c, 0)));
}
/* convert_timezone(from, to, local) */
static void convert_timezone(struct fn_call *c) {
    const struct zone *from = fn_zone(c, 0), *to = from ? fn_zone(c, 1) : NULL;
    if (to) fn_ret_i64(c, zone_to_local(to, zone_to_utc(from, fn_i64(c, 2))));
}
static void us_scale(struct fn_call *c) {
    int64_t r;
    if (__builtin_mul_overflow(fn_i64(c, 0), (int64_t)c->def->tag, &r)) fn_fail(c, "ARITHMETIC_OVERFLOW", "message", "long overflow", "alternative", "", "config", "\"spark.sql.ansi.enabled\"", NULL);
    else fn_ret_i64(c, r);
}
static void us_floor(struct fn_call *c) { fn_ret_i64(c, floor_div(fn_i64(c, 0), c->def->tag)); }
/* Seconds with a fraction to an instant. */
static void seconds_ts(struct fn_call *c) {
    i128 v = micros(c);
    int64_t r;
    if (fits(c, v, &r)) fn_ret_i64(c, r);
}
static void double_ts(struct fn_call *c) {
    double v = fn_f64(c, 0) * 1e6;
    if (!(v > -9.3e18 && v < 9.3e18)) return;
    fn_ret_i64(c, (int64_t)v);
}
/* time_bucket(width, ts, origin[, zone]): whole days and months by the clock of the zone, the rest by instants. */
static bool width_ok(struct fn_call *c, int64_t w) {
    if (w > 0) return true;
    fn_fail(c, "INVALID_PARAMETER_VALUE.INTERVAL", "parameter", "`bucket_width`", "functionName", "`time_bucket`", "invalidValue", "an interval that is not positive", NULL);
    return false;
}
static int64_t bucket_months(int64_t local, int64_t origin, int32_t width) {
    int64_t y, oy;
    int m, d, om, od;
    time_civil(floor_div(local, US_DAY), &y, &m, &d);
    time_civil(floor_div(origin, US_DAY), &oy, &om, &od);
    int64_t n = floor_div((y - oy) * 12 + m - om, width);
    int64_t start = plus_months(origin, n * width);
    return start > local ? plus_months(origin, (n - 1) * width) : start;
}
static void bucket_dt(struct fn_call *c) {
    const struct zone *z = c->n > 3 ? fn_zone(c, 3) : NULL;
    int64_t w = fn_i64(c, 0), ts = fn_i64(c, 1), origin = fn_i64(c, 2);
    if ((c->n > 3 && !z) || !width_ok(c, w)) return;
    bool days = z && w % US_DAY == 0;
    if (days) ts = zone_to_local(z, ts), origin = zone_to_local(z, origin);
    int64_t r = ts - (int64_t)(((i128)ts - origin) % w < 0 ? ((i128)ts - origin) % w + w : ((i128)ts - origin) % w);
    fn_ret_i64(c, days ? zone_to_utc(z, r) : r);
}
static void bucket_ym(struct fn_call *c) {
    const struct zone *z = c->n > 3 ? fn_zone(c, 3) : NULL;
    int32_t w = fn_i32(c, 0);
    if ((c->n > 3 && !z) || !width_ok(c, w)) return;
    if (!z) fn_ret_i64(c, bucket_months(fn_i64(c, 1), fn_i64(c, 2), w));
    else fn_ret_i64(c, zone_to_utc(z, bucket_months(zone_to_local(z, fn_i64(c, 1)), zone_to_local(z, fn_i64(c, 2)), w)));
}
/* The same eight bytes under another type. */
static void same(struct fn_call *c) { fn_ret_i64(c, fn_i64(c, 0)); }

/* ---- intervals ---- */

static bool interval_over(struct fn_call *c) {
    if (!c->def->tag) fn_fail(c, "INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION", NULL);
    return false;
}
/* make_interval(years, months, weeks, days, hours, minutes, microseconds) */
static void make_interval(struct fn_call *c) {
    i128 m = (i128)fn_i32(c, 0) * 12 + fn_i32(c, 1), d = (i128)fn_i32(c, 2) * 7 + fn_i32(c, 3);
    i128 us = (i128)fn_i32(c, 4) * US_HOUR + (i128)fn_i32(c, 5) * US_MINUTE + fn_i64(c, 6);
    if (m > INT32_MAX || m < INT32_MIN || d > INT32_MAX || d < INT32_MIN || us > INT64_MAX || us < INT64_MIN) {
        if (!c->def->tag) fn_fail(c, "ARITHMETIC_OVERFLOW", "message", "integer overflow", "alternative", " Use 'try_make_interval' to tolerate overflow and return NULL instead.", "config", "\"spark.sql.ansi.enabled\"", NULL);
    }
    else fn_ret_interval(c, (struct fn_interval){(int32_t)m, (int32_t)d, (int64_t)us});
}
static void make_dt(struct fn_call *c) {
    i128 us = (i128)fn_i32(c, 0) * US_DAY + (i128)fn_i32(c, 1) * US_HOUR + (i128)fn_i32(c, 2) * US_MINUTE + fn_i64(c, 3);
    if (us > INT64_MAX || us < INT64_MIN) interval_over(c);
    else fn_ret_i64(c, (int64_t)us);
}
static void make_ym(struct fn_call *c) {
    i128 m = (i128)fn_i32(c, 0) * 12 + fn_i32(c, 1);
    if (m > INT32_MAX || m < INT32_MIN) interval_over(c);
    else fn_ret_i32(c, (int32_t)m);
}

#define BOTH(name, sig, f) {"bh_" name, sig, f, 0, 0}, {"bh_try_" name, sig, f, 0, 1}
static const struct fn_def defs[] = {
    {"bh_date_format", "Tss:s", date_format, 0, 0}, {"bh_time_format", "ts:s", time_format, 0, 0},
    {"bh_from_unixtime", "lss:s", from_unixtime, 0, 0},
    BOTH("parse_ts", "sss:T", parse_ts), BOTH("to_unix", "sss:l", to_unix), BOTH("parse_ntz", "ss:N", parse_ntz_), BOTH("parse_time", "ss:t", parse_time_),
    {"bh_add_months", "Di:D", add_months, 0, 0}, {"bh_last_day", "D:D", last_day, 0, 0}, {"bh_next_day", "Ds:D", next_day, 0, 0},
    {"bh_iso_year", "D:i", iso_year, 0, 0}, {"bh_iso_week", "D:i", iso_week, 0, 0}, {"bh_months_between", "TTBs:d", months_between, 0, 0},
    {"bh_trunc_date", "Ds:D", trunc_date, 0, 0}, {"bh_date_trunc", "sTs:T", date_trunc, 0, 0}, {"bh_date_trunc_ntz", "sN:N", date_trunc_ntz, 0, 0},
    {"bh_time_trunc", "st:t", time_trunc, 0, 0}, {"bh_time_diff", "stt:l", time_diff, 0, 0},
    {"bh_make_date", "iii:D", make_date, 0, 0}, BOTH("make_ntz", "iiiiil:N", make_ntz), {"bh_make_time", "iil:t", make_time, 0, 0},
    {"bh_time_from_micros", "l:t", time_from, 0, 1}, {"bh_time_from_millis", "l:t", time_from, 0, 1000}, {"bh_time_from_seconds", "A:t", time_from_seconds, 0, 0},
    {"bh_ts_add_months", "Tis:T", ts_add_months, 0, 0}, {"bh_ntz_add_months", "Ni:N", ntz_add_months, 0, 0},
    {"bh_ts_add_dt", "Tls:T", ts_add_dt, 0, 0}, {"bh_ntz_add_dt", "Nl:N", ntz_add_dt, 0, 0},
    {"bh_ts_add_interval", "TIs:T", ts_add_interval, 0, 0}, {"bh_ntz_add_interval", "NI:N", ntz_add_interval, 0, 0},
    {"bh_ts_diff", "TT:l", diff_us, 0, 0}, {"bh_ntz_diff", "NN:l", diff_us, 0, 0}, {"bh_time_sub", "tt:l", diff_us, 0, 0},
    {"bh_timestampadd", "slTs:T", timestampadd, 0, 0}, {"bh_ntz_timestampadd", "slN:N", timestampadd, 0, 0}, {"bh_to_time", "s:t", to_time, 0, 0}, {"bh_timestampdiff", "sTTs:l", timestampdiff, 0, 0},
    {"bh_from_utc", "Ts:T", from_utc, 0, 0}, {"bh_to_utc", "Ts:T", to_utc, 0, 0}, {"bh_convert_timezone", "ssN:N", convert_timezone, 0, 0},
    {"bh_bucket_dt_ts", "lTTs:T", bucket_dt, 0, 0}, {"bh_bucket_dt_ntz", "lNN:N", bucket_dt, 0, 0},
    {"bh_bucket_ym_ts", "iTTs:T", bucket_ym, 0, 0}, {"bh_bucket_ym_ntz", "iNN:N", bucket_ym, 0, 0},
    {"bh_ts_micros", "l:T", same, 0, 0}, {"bh_ts_millis", "l:T", us_scale, 0, 1000}, {"bh_ts_seconds", "A:T", seconds_ts, 0, 0}, {"bh_ts_double", "d:T", double_ts, 0, 0},
    {"bh_unix_micros", "T:l", same, 0, 0}, {"bh_unix_millis", "T:l", us_floor, 0, 1000}, {"bh_unix_seconds", "T:l", us_floor, 0, 1000000},
    {"bh_ntz_micros", "N:l", same, 0, 0}, {"bh_time_micros", "t:l", same, 0, 0},
    BOTH("make_interval", "iiiiiil:I", make_interval), {"bh_make_dt", "iiil:l", make_dt, 0, 0}, {"bh_make_ym", "ii:i", make_ym, 0, 0},
};
const struct fn_table fn_table_date = {defs, ARRAY_LEN(defs)};
