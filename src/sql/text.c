/* SPDX-License-Identifier: Apache-2.0 */
/* Dates, numbers and intervals as text. */
#include "sql/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the calendar ---- */

int64_t sql_days(int y, int m, int d) {
    int64_t yy = y - (m <= 2), era = (yy >= 0 ? yy : yy - 399) / 400;
    int64_t yoe = yy - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void sql_civil(int64_t days, int *y, int *m, int *d) {
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

static int month_days(int y, int m) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

/* Up to max digits from *i; their number, 0: none. */
static int digits(str t, size_t *i, int max, int *ret) {
    int n = 0, v = 0;
    while (*i < t.n && n < max && t.p[*i] >= '0' && t.p[*i] <= '9') {
        v = v * 10 + (t.p[(*i)++] - '0');
        n++;
    }
    *ret = v;
    return n;
}

static bool read_offset(str z, struct sql_stamp *t) {
    if (str_eqz(z, "Z") || str_ieq(z, STR("UTC")) || str_ieq(z, STR("GMT"))) {
        t->has_offset = true;
        return true;
    }
    if (str_ieq(str_cut(z, 3), STR("UTC")) || str_ieq(str_cut(z, 3), STR("GMT"))) z = str_from(z, 3);
    if (z.n < 2 || (z.p[0] != '+' && z.p[0] != '-')) return true;
    size_t i = 1;
    int h, m = 0, s = 0;
    if (!digits(z, &i, 2, &h)) return false;
    if (i < z.n && z.p[i] == ':') i++;
    if (i < z.n && !digits(z, &i, 2, &m)) return false;
    if (i < z.n && z.p[i] == ':') i++;
    if (i < z.n && !digits(z, &i, 2, &s)) return false;
    if (i < z.n || h > 18 || m > 59 || s > 59) return false;
    t->has_offset = true;
    t->offset_s = (h * 3600 + m * 60 + s) * (z.p[0] == '-' ? -1 : 1);
    return true;
}

static bool read_clock(str x, size_t i, struct sql_stamp *t) {
    int n;
    t->has_time = true;
    if (!digits(x, &i, 2, &t->h) || i >= x.n || x.p[i++] != ':' || !digits(x, &i, 2, &t->mi)) return false;
    if (i < x.n && x.p[i] == ':') {
        i++;
        if (!digits(x, &i, 2, &t->s)) return false;
        if (i < x.n && x.p[i] == '.') {
            size_t from = ++i;
            n = digits(x, &i, 6, &t->us);
            for (; n < 6; n++) t->us *= 10;
            while (i < x.n && x.p[i] >= '0' && x.p[i] <= '9') i++;
            (void)from;
        }
    }
    t->zone = str_trim(str_from(x, i));
    if (t->h > 23 || t->mi > 59 || t->s > 59) return false;
    return t->zone.n == 0 || read_offset(t->zone, t);
}

static bool read_day(str x, size_t *at, int year_digits, struct sql_stamp *t) {
    size_t i = 0;
    bool neg = false;
    memset(t, 0, sizeof *t);
    t->mo = t->d = 1;
    if (i < x.n && (x.p[i] == '-' || x.p[i] == '+')) neg = x.p[i++] == '-';
    if (digits(x, &i, year_digits, &t->y) < 4) return false;
    if (neg) t->y = -t->y;
    if (i < x.n && x.p[i] == '-') {
        i++;
        if (!digits(x, &i, 2, &t->mo)) return false;
        if (i < x.n && x.p[i] == '-') {
            i++;
            if (!digits(x, &i, 2, &t->d)) return false;
        }
    }
    *at = i;
    return t->mo >= 1 && t->mo <= 12 && t->d >= 1 && t->d <= month_days(t->y, t->mo);
}

bool sql_read_day(str x, struct sql_stamp *t) {
    size_t i, dashes = 0;
    if (!read_day(x, &i, 7, t)) return false;
    for (size_t k = 1; k < i; k++) dashes += x.p[k] == '-';
    return i == x.n || (dashes == 2 && (x.p[i] == 'T' || x.p[i] == ' '));
}

bool sql_read_stamp(str x, struct sql_stamp *t) {
    size_t i;
    if (!read_day(x, &i, 6, t)) return false;
    if (i == x.n) return true;
    if (x.p[i] != 'T' && x.p[i] != ' ') return false;
    if (i + 1 == x.n) return true;
    return read_clock(x, i + 1, t);
}

void sql_write_day(const struct sql_stamp *t, buf *out) {
    buf_fmt(out, "%s%04d-%02d-%02d", t->y < 0 ? "-" : t->y > 9999 ? "+" : "", t->y < 0 ? -t->y : t->y, t->mo, t->d);
}

int64_t sql_stamp_us(const struct sql_stamp *t) {
    return (sql_days(t->y, t->mo, t->d) * 86400 + t->h * 3600 + t->mi * 60 + t->s) * 1000000 + t->us;
}

void sql_stamp_of_us(int64_t us, struct sql_stamp *t) {
    memset(t, 0, sizeof *t);
    int64_t day = us / 86400000000 - (us % 86400000000 < 0), rest = us - day * 86400000000;
    sql_civil(day, &t->y, &t->mo, &t->d);
    t->h = (int)(rest / 3600000000);
    t->mi = (int)(rest / 60000000 % 60);
    t->s = (int)(rest / 1000000 % 60);
    t->us = (int)(rest % 1000000);
    t->has_time = true;
}

void sql_write_stamp(const struct sql_stamp *t, buf *out) {
    buf_fmt(out, "%04d-%02d-%02d %02d:%02d:%02d", t->y, t->mo, t->d, t->h, t->mi, t->s);
    if (!t->us) return;
    char f[8];
    snprintf(f, sizeof f, "%06d", t->us);
    size_t n = 6;
    while (n && f[n - 1] == '0') n--;
    buf_fmt(out, ".%.*s", (int)n, f);
}

void sql_shift_stamp(struct sql_stamp *t) {
    if (!t->offset_s) return;
    int64_t s = sql_days(t->y, t->mo, t->d) * 86400 + t->h * 3600 + t->mi * 60 + t->s - t->offset_s;
    int64_t day = s >= 0 ? s / 86400 : (s - 86399) / 86400, rest = s - day * 86400;
    sql_civil(day, &t->y, &t->mo, &t->d);
    t->h = (int)(rest / 3600);
    t->mi = (int)(rest / 60 % 60);
    t->s = (int)(rest % 60);
    t->offset_s = 0;
}

/* ---- Java's numbers ---- */

static void java_number(const char *shortest, bool neg, buf *out) {
    /* shortest: d.ddde±xx */
    char dig[32];
    int n = 0, exp = 0;
    const char *e = strchr(shortest, 'e');
    for (const char *p = shortest; p < e; p++)
        if (*p >= '0' && *p <= '9') dig[n++] = *p;
    exp = (int)strtol(e + 1, NULL, 10);
    while (n > 1 && dig[n - 1] == '0') n--;
    if (neg) buf_c(out, '-');
    if (exp >= -3 && exp < 7) {
        if (exp < 0) {
            buf_z(out, "0.");
            for (int i = -1; i > exp; i--) buf_c(out, '0');
            buf_add(out, dig, (size_t)n);
            return;
        }
        for (int i = 0; i <= exp; i++) buf_c(out, i < n ? dig[i] : '0');
        buf_c(out, '.');
        if (n <= exp + 1)
            buf_c(out, '0');
        else
            buf_add(out, dig + exp + 1, (size_t)(n - exp - 1));
        return;
    }
    buf_c(out, dig[0]);
    buf_c(out, '.');
    if (n == 1)
        buf_c(out, '0');
    else
        buf_add(out, dig + 1, (size_t)(n - 1));
    buf_fmt(out, "E%d", exp);
}

static bool special(double d, buf *out) {
    if (isnan(d))
        buf_z(out, "NaN");
    else if (isinf(d))
        buf_z(out, d < 0 ? "-Infinity" : "Infinity");
    else if (d == 0)
        buf_z(out, signbit(d) ? "-0.0" : "0.0");
    else
        return false;
    return true;
}

void sql_java_double(double d, buf *out) {
    char t[40];
    if (special(d, out)) return;
    for (int p = 0; p < 17; p++) {
        snprintf(t, sizeof t, "%.*e", p, fabs(d));
        if (strtod(t, NULL) == fabs(d)) break;
    }
    java_number(t, d < 0, out);
}

void sql_java_float(float f, buf *out) {
    char t[40];
    if (special((double)f, out)) return;
    for (int p = 0; p < 9; p++) {
        snprintf(t, sizeof t, "%.*e", p, (double)fabsf(f));
        if (strtof(t, NULL) == fabsf(f)) break;
    }
    java_number(t, f < 0, out);
}

/* ---- intervals ---- */

static const char *const unit_names[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};

static void write_seconds(int64_t us, buf *out) {
    buf_fmt(out, "%02lld", (long long)(us / 1000000));
    int frac = (int)(us % 1000000), n = 6;
    if (!frac) return;
    while (frac % 10 == 0) {
        frac /= 10;
        n--;
    }
    buf_fmt(out, ".%0*d", n, frac);
}

static void write_dt(const struct sql_type *t, uint64_t v, buf *out) {
    static const uint64_t size[] = {[UNIT_DAY] = 86400000000, [UNIT_HOUR] = 3600000000, [UNIT_MINUTE] = 60000000};
    for (unsigned u = t->from; u <= t->to; u++) {
        if (u > t->from) buf_c(out, u == UNIT_HOUR ? ' ' : ':');
        if (u == UNIT_SECOND) {
            write_seconds((int64_t)v, out);
            continue;
        }
        buf_fmt(out, u == UNIT_DAY ? "%llu" : "%02llu", (unsigned long long)(v / size[u]));
        v %= size[u];
    }
}

void sql_write_interval(const struct sql_type *t, int64_t v, buf *out) {
    uint64_t abs = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    buf_fmt(out, "INTERVAL '%s", v < 0 ? "-" : "");
    if (t->kind == TY_INTERVAL_YM) {
        if (t->from == UNIT_YEAR && t->to == UNIT_MONTH)
            buf_fmt(out, "%llu-%llu", (unsigned long long)(abs / 12), (unsigned long long)(abs % 12));
        else
            buf_fmt(out, "%llu", (unsigned long long)(t->from == UNIT_YEAR ? abs / 12 : abs));
    } else {
        write_dt(t, abs, out);
    }
    buf_fmt(out, "' %s", unit_names[t->from]);
    if (t->to != t->from) buf_fmt(out, " TO %s", unit_names[t->to]);
}

static bool read_number(str x, size_t *i, int64_t *ret) {
    size_t from = *i;
    while (*i < x.n && x.p[*i] >= '0' && x.p[*i] <= '9') (*i)++;
    return *i > from && str_to_i64(str_n(x.p + from, *i - from), ret);
}

bool sql_read_interval(str x, const struct sql_type *t, int64_t *ret) {
    static const int64_t size[] = {12, 1, 86400000000, 3600000000, 60000000, 1000000};
    size_t i = 0;
    bool neg = false;
    int64_t sum = 0, v;
    x = str_trim(x);
    if (i < x.n && (x.p[i] == '-' || x.p[i] == '+')) neg = x.p[i++] == '-';
    for (unsigned u = t->from; u <= t->to; u++) {
        if (u > t->from) {
            char want = u == UNIT_MONTH ? '-' : u == UNIT_HOUR ? ' ' : ':';
            if (i >= x.n || x.p[i] != want) return false;
            i++;
        }
        if (!read_number(x, &i, &v)) return false;
        if (u > t->from && u == UNIT_MONTH && v > 11) return false;
        if (u > t->from && u == UNIT_HOUR && v > 23) return false;
        if (u > t->from && u >= UNIT_MINUTE && v > 59) return false;
        if (__builtin_mul_overflow(v, size[u], &v) || __builtin_add_overflow(sum, v, &sum)) return false;
    }
    if (t->to == UNIT_SECOND && i < x.n && x.p[i] == '.') {
        int64_t unit = 100000;
        for (i++; i < x.n && x.p[i] >= '0' && x.p[i] <= '9'; i++, unit /= 10) sum += (x.p[i] - '0') * unit;
    }
    if (i != x.n) return false;
    *ret = neg ? -sum : sum;
    return true;
}
