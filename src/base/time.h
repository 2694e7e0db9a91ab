/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times are int64 microseconds since 1970-01-01T00:00:00Z ("us"). The API shows milliseconds.
 * Reading the clock is sys/clock.h; here is only text and arithmetic.
 */
#ifndef BH_BASE_TIME_H
#define BH_BASE_TIME_H

#include "base/arena.h"
#include "base/str.h"

#define US_PER_MS 1000ll
#define US_PER_S 1000000ll

/* "2026-11-21T09:30:00.123456Z"; fraction digits: 0, 3 or 6. Years 1..9999. */
char *time_rfc3339(arena *a, int64_t us, int digits);
/* Accepts an offset (Z, +hh:mm) and up to 9 fraction digits (cut to microseconds). */
bool time_parse_rfc3339(str s, int64_t *ret_us);
/* HTTP date, RFC 9110 §5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". out holds 30 bytes. */
void time_http_date(int64_t us, char out[30]);
bool time_parse_http_date(str s, int64_t *ret_us);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t time_days(int64_t y, int m, int d);
void time_civil(int64_t days, int64_t *y, int *m, int *d);

#endif
