/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic that several functions share: proleptic Gregorian, microseconds, floor division. */
#ifndef BH_ENGINE_WORKER_CIVIL_H
#define BH_ENGINE_WORKER_CIVIL_H

#include "base/time.h"

#define US_DAY 86400000000ll
#define US_HOUR 3600000000ll
#define US_MINUTE 60000000ll

static inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }
static inline int64_t floor_mod(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }

static inline bool civil_leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }
static inline int civil_month_days(int64_t y, int m) {
    static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return m == 2 && civil_leap(y) ? 29 : days[m - 1];
}
static inline bool civil_valid(int64_t y, int m, int d) { return m >= 1 && m <= 12 && d >= 1 && d <= civil_month_days(y, m); }
/* Monday 1 … Sunday 7 */
static inline int civil_iso_weekday(int64_t days) { return (int)floor_mod(days + 3, 7) + 1; }
/* Adds months to a date; the last day of the month bounds the day. */
static inline int64_t civil_add_months(int64_t days, int64_t months) {
    int64_t y;
    int m, d;
    time_civil(days, &y, &m, &d);
    int64_t total = y * 12 + (m - 1) + months;
    y = floor_div(total, 12);
    m = (int)floor_mod(total, 12) + 1;
    int last = civil_month_days(y, m);
    return time_days(y, m, d > last ? last : d);
}
/* ISO week and its year. */
static inline int civil_iso_week(int64_t days, int64_t *ret_year) {
    int64_t thursday = days - civil_iso_weekday(days) + 4, y;
    int m, d;
    time_civil(thursday, &y, &m, &d);
    if (ret_year) *ret_year = y;
    return (int)((thursday - time_days(y, 1, 1)) / 7) + 1;
}

#endif
