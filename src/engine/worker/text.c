/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text the way Java and Spark write them (text.h). */
#include "engine/worker/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/civil.h"
#include "sql/type.h"

/* ---- numbers ---- */

/* Digits and exponent of "d.ddde±x" in Java's form: plain from 1e-3 up to 1e7, else with E. */
static void java_form(buf *out, const char *e_form) {
    char digits[40];
    size_t n = 0;
    const char *p = e_form;
    if (*p == '-') {
        buf_c(out, '-');
        p++;
    }
    for (; *p && *p != 'e'; p++)
        if (*p != '.' && n < sizeof(digits)) digits[n++] = *p;
    int exp = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0') n--;
    if (exp >= -3 && exp < 7) {
        if (exp < 0) {
            buf_z(out, "0.");
            for (int i = -1; i > exp; i--) buf_c(out, '0');
            buf_add(out, digits, n);
            return;
        }
        for (int i = 0; i <= exp; i++) buf_c(out, (size_t)i < n ? digits[i] : '0');
        buf_c(out, '.');
        if (n > (size_t)exp + 1) buf_add(out, digits + exp + 1, n - (size_t)exp - 1);
        else buf_c(out, '0');
        return;
    }
    buf_c(out, digits[0]);
    buf_c(out, '.');
    if (n > 1) buf_add(out, digits + 1, n - 1);
    else buf_c(out, '0');
    buf_fmt(out, "E%d", exp);
}

static bool special(buf *out, double v) {
    if (isnan(v)) buf_z(out, "NaN");
    else if (isinf(v)) buf_z(out, v < 0 ? "-Infinity" : "Infinity");
    else if (v == 0) buf_z(out, signbit(v) ? "-0.0" : "0.0");
    else return false;
    return true;
}

void text_double(buf *out, double v) {
    if (special(out, v)) return;
    if (fabs(v) < 1e7 && v == (double)(int64_t)v) {
        buf_fmt(out, "%lld.0", (long long)v);
        return;
    }
    char s[40];
    /* Any decimal of 15 digits survives a double, so these are the shortest unless more are needed. Subnormals
     * have fewer: they are tried from two digits on, as Java does. */
    int n = fabs(v) < 2.3e-308 ? 1 : 14;
    for (; n <= 16; n++) {
        snprintf(s, sizeof(s), "%.*e", n, v);
        if (n == 16 || strtod(s, NULL) == v) break;
    }
    java_form(out, s);
}

void text_float(buf *out, float v) {
    if (special(out, (double)v)) return;
    char s[40];
    int n = fabsf(v) < 1.2e-38f ? 1 : 5;
    for (; n <= 8; n++) {
        snprintf(s, sizeof(s), "%.*e", n, (double)v);
        if (n == 8 || strtof(s, NULL) == v) break;
    }
    java_form(out, s);
}

void text_decimal(buf *out, i128 v, int scale) {
    char s[64];
    size_t at = sizeof(s);
    u128 u = v < 0 ? -(u128)v : (u128)v;
    int n = 0;
    do {
        if (n == scale && scale > 0) s[--at] = '.';
        s[--at] = (char)('0' + (int)(u % 10));
        u /= 10;
        n++;
    } while (u || n <= scale);
    if (v < 0) s[--at] = '-';
    buf_add(out, s + at, sizeof(s) - at);
}

void text_i128(buf *out, i128 v) { text_decimal(out, v, 0); }

/* ---- dates and times ---- */

void text_date(buf *out, int32_t days) {
    int64_t y;
    int m, d;
    time_civil(days, &y, &m, &d);
    char s[40];
    if (y > 9999) buf_c(out, '+');
    int n = snprintf(s, sizeof(s), y < 0 ? "-%04lld-%02d-%02d" : "%04lld-%02d-%02d", (long long)(y < 0 ? -y : y), m, d);
    buf_add(out, s, (size_t)n);
}

static void fraction(buf *out, int64_t us) {
    if (!us) return;
    char s[16];
    int n = snprintf(s, sizeof(s), ".%06d", (int)us);
    while (s[n - 1] == '0') n--;
    buf_add(out, s, (size_t)n);
}

void text_time(buf *out, int64_t us) {
    char s[32];
    int64_t sec = us / US_PER_S;
    int n = snprintf(s, sizeof(s), "%02d:%02d:%02d", (int)(sec / 3600), (int)(sec / 60 % 60), (int)(sec % 60));
    buf_add(out, s, (size_t)n);
    fraction(out, us % US_PER_S);
}

void text_ntz(buf *out, int64_t us) {
    text_date(out, (int32_t)floor_div(us, US_DAY));
    buf_c(out, ' ');
    text_time(out, floor_mod(us, US_DAY));
}

void text_timestamp(buf *out, int64_t us, const struct zone *z) { text_ntz(out, zone_to_local(z, us)); }

/* ---- intervals ---- */

void text_ym(buf *out, int32_t months) {
    int64_t m = months;
    if (m < 0) {
        buf_c(out, '-');
        m = -m;
    }
    buf_fmt(out, "%lld-%lld", (long long)(m / 12), (long long)(m % 12));
}

void text_dt(buf *out, int64_t us) {
    uint64_t u = us < 0 ? -(uint64_t)us : (uint64_t)us;
    uint64_t s = u / US_PER_S;
    buf_fmt(out, "%s%llu %02d:%02d:%02d.%09llu", us < 0 ? "-" : "", (unsigned long long)(s / 86400), (int)(s / 3600 % 24),
            (int)(s / 60 % 60), (int)(s % 60), (unsigned long long)(u % US_PER_S * 1000));
}

static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};

static void unit_range(buf *out, int from, int to) {
    buf_fmt(out, "' %s", units[from]);
    if (to != from) buf_fmt(out, " TO %s", units[to]);
}

void text_ym_literal(buf *out, int32_t months, int from, int to) {
    int64_t m = months;
    buf_z(out, "INTERVAL '");
    if (m < 0) {
        buf_c(out, '-');
        m = -m;
    }
    if (from == UNIT_MONTH) buf_fmt(out, "%lld", (long long)m);
    else if (to == UNIT_YEAR) buf_fmt(out, "%lld", (long long)(m / 12));
    else buf_fmt(out, "%lld-%lld", (long long)(m / 12), (long long)(m % 12));
    unit_range(out, from, to);
}

void text_dt_literal(buf *out, int64_t us, int from, int to) {
    static const uint64_t size[] = {0, 0, US_DAY, US_HOUR, US_MINUTE, US_PER_S};
    static const char before[] = {0, 0, 0, ' ', ':', ':'};
    uint64_t u = us < 0 ? -(uint64_t)us : (uint64_t)us;
    buf_z(out, "INTERVAL '");
    if (us < 0) buf_c(out, '-');
    for (int i = from; i <= to; i++) {
        if (i > from) buf_c(out, before[i]);
        /* Hours, minutes and seconds have two digits, also as the first field; days have what they need. */
        buf_fmt(out, i == UNIT_DAY ? "%llu" : "%02llu", (unsigned long long)(u / size[i]));
        u %= size[i];
    }
    if (to == UNIT_SECOND) fraction(out, (int64_t)u);
    unit_range(out, from, to);
}

static void part(buf *out, size_t start, int64_t v, const char *unit) {
    if (!v) return;
    if (out->n > start) buf_c(out, ' ');
    buf_fmt(out, "%lld %s", (long long)v, unit);
}

void text_interval(buf *out, struct fn_interval v) {
    size_t start = out->n;
    part(out, start, v.m / 12, "years");
    part(out, start, v.m % 12, "months");
    part(out, start, v.d, "days");
    part(out, start, v.us / US_HOUR, "hours");
    part(out, start, v.us % US_HOUR / US_MINUTE, "minutes");
    int64_t rest = v.us % US_MINUTE;
    if (rest) {
        if (out->n > start) buf_c(out, ' ');
        if (rest < 0) buf_c(out, '-');
        rest = rest < 0 ? -rest : rest;
        buf_fmt(out, "%lld", (long long)(rest / US_PER_S));
        fraction(out, rest % US_PER_S);
        buf_z(out, " seconds");
    }
    if (out->n == start) buf_z(out, "0 seconds");
}

/* ---- UTF-8 ---- */

/* Length of the character at p, 0 if it is wrong; *bad is how many bytes one replacement stands for. */
static size_t utf8_at(const unsigned char *p, size_t n, size_t *bad) {
    *bad = 1;
    if (p[0] < 0x80) return 1;
    size_t want = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    if (!want) return 0;
    for (size_t i = 1; i < want; i++) {
        unsigned lo = 0x80, hi = 0xbf;
        if (i == 1 && p[0] == 0xe0) lo = 0xa0;
        if (i == 1 && p[0] == 0xed) hi = 0x9f;
        if (i == 1 && p[0] == 0xf0) lo = 0x90;
        if (i == 1 && p[0] == 0xf4) hi = 0x8f;
        if (i >= n || p[i] < lo || p[i] > hi) {
            *bad = i;
            return 0;
        }
    }
    return want;
}

void text_utf8(buf *out, str s) {
    size_t from = 0, i = 0, bad;
    while (i < s.n) {
        size_t len = utf8_at((const unsigned char *)s.p + i, s.n - i, &bad);
        if (len) {
            i += len;
            continue;
        }
        buf_add(out, s.p + from, i - from);
        buf_z(out, "\xef\xbf\xbd");
        i += bad;
        from = i;
    }
    buf_add(out, s.p + from, s.n - from);
}
