/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <stdio.h>

/* Civil calendar: days are counted in 400-year eras that begin on 1 March (H. Hinnant's method). */
int64_t time_days(int64_t y, int m, int d) {
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void time_civil(int64_t days, int64_t *y, int *m, int *d) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

struct parts {
    int64_t y, days, us;
    int mo, d, h, mi, s;
};

static struct parts split(int64_t us) {
    struct parts p;
    p.days = us / (86400 * US_PER_S);
    int64_t rest = us % (86400 * US_PER_S);
    if (rest < 0) rest += 86400 * US_PER_S, p.days--;
    time_civil(p.days, &p.y, &p.mo, &p.d);
    p.us = rest % US_PER_S;
    int64_t sec = rest / US_PER_S;
    p.h = (int)(sec / 3600);
    p.mi = (int)(sec / 60 % 60);
    p.s = (int)(sec % 60);
    return p;
}

char *time_rfc3339(arena *a, int64_t us, int digits) {
    struct parts p = split(us);
    char frac[16] = "";
    if (digits == 3) snprintf(frac, sizeof(frac), ".%03d", (int)(p.us / 1000));
    if (digits == 6) snprintf(frac, sizeof(frac), ".%06d", (int)p.us);
    return arena_printf(a, "%04lld-%02d-%02dT%02d:%02d:%02d%sZ", (long long)p.y, p.mo, p.d, p.h,
                        p.mi, p.s, frac);
}

static bool digits_at(str s, size_t at, size_t n, int *ret) {
    if (at + n > s.n) return false;
    int v = 0;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *ret = v;
    return true;
}

static int month_days(int y, int m) {
    static const int n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : n[m - 1];
}

bool time_parse_rfc3339(str s, int64_t *ret_us) {
    int y, mo, d, h, mi, sec;
    if (!digits_at(s, 0, 4, &y) || !digits_at(s, 5, 2, &mo) || !digits_at(s, 8, 2, &d) ||
        !digits_at(s, 11, 2, &h) || !digits_at(s, 14, 2, &mi) || !digits_at(s, 17, 2, &sec))
        return false;
    if (s.p[4] != '-' || s.p[7] != '-' || !strchr("Tt ", s.p[10]) || s.p[13] != ':' ||
        s.p[16] != ':')
        return false;
    if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) || h > 23 || mi > 59 ||
        sec > 60)
        return false;
    size_t at = 19;
    int64_t frac = 0;
    if (at < s.n && s.p[at] == '.') {
        size_t k = 0;
        for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++, k++)
            if (k < 6) frac = frac * 10 + (s.p[at] - '0');
        if (k == 0 || k > 9) return false;
        for (; k < 6; k++) frac *= 10;
    }
    int64_t off = 0;
    if (at + 1 == s.n && (s.p[at] == 'Z' || s.p[at] == 'z')) {
        off = 0;
    } else if (at + 6 == s.n && (s.p[at] == '+' || s.p[at] == '-') && s.p[at + 3] == ':') {
        int oh, om;
        if (!digits_at(s, at + 1, 2, &oh) || !digits_at(s, at + 4, 2, &om) || oh > 23 || om > 59)
            return false;
        off = (s.p[at] == '-' ? -1 : 1) * (oh * 3600 + om * 60);
    } else {
        return false;
    }
    *ret_us = (time_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - off) * US_PER_S + frac;
    return true;
}

static const char DAYS[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char MONTHS[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void time_http_date(int64_t us, char out[30]) {
    struct parts p = split(us);
    int64_t w = p.days % 7;
    if (w < 0) w += 7;
    snprintf(out, 30, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[w], p.d % 100, MONTHS[p.mo - 1],
             (int)(p.y % 10000), p.h % 100, p.mi % 100, p.s % 100);
}

bool time_parse_http_date(str s, int64_t *ret_us) {
    int y, d, h, mi, sec;
    if (s.n != 29 || !digits_at(s, 5, 2, &d) || !digits_at(s, 12, 4, &y) ||
        !digits_at(s, 17, 2, &h) || !digits_at(s, 20, 2, &mi) || !digits_at(s, 23, 2, &sec))
        return false;
    int mo = 0;
    for (int i = 0; i < 12; i++)
        if (memcmp(s.p + 8, MONTHS[i], 3) == 0) mo = i + 1;
    if (!mo || y < 1 || d < 1 || d > month_days(y, mo) || h > 23 || mi > 59 || sec > 60)
        return false;
    *ret_us = (time_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec) * US_PER_S;
    return true;
}
