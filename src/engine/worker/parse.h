/* SPDX-License-Identifier: Apache-2.0 */
/* Text to values as Spark's casts read it. All trim blanks and control characters; false: not of that form. */
#ifndef BH_ENGINE_WORKER_PARSE_H
#define BH_ENGINE_WORKER_PARSE_H

#include "engine/worker/fn.h"
#include "engine/worker/zone.h"

/* Blanks and control characters off both ends. */
str parse_trim(str s);
/* Sign and digits, no point; within the given bounds. */
bool parse_int(str s, int64_t min, int64_t max, int64_t *ret);
/* Java's Double.parseDouble, and inf, infinity, nan in any case. */
bool parse_double(str s, double *ret);
bool parse_float(str s, float *ret);
bool parse_bool(str s, bool *ret);

enum parse_decimal { PARSE_OK, PARSE_BAD, PARSE_RANGE };
/* BigDecimal's text, rounded half up to `scale` digits; RANGE: it has more than `precision`. */
enum parse_decimal parse_decimal(str s, int precision, int scale, i128 *ret);
/* The power of ten, n 0…38. */
i128 pow10_i128(int n);

bool parse_date(str s, int32_t *ret_days);
/* A time without a date is of today, in the zone. */
bool parse_timestamp(str s, const struct zone *z, int64_t *ret_us);
bool parse_ntz(str s, int64_t *ret_us);
bool parse_time(str s, int64_t *ret_us);
/* from, to: enum sql_unit. Both "1-2" and "INTERVAL '1-2' YEAR TO MONTH". */
bool parse_ym(str s, int from, int to, int32_t *ret_months);
bool parse_dt(str s, int from, int to, int64_t *ret_us);
/* "1 year 2 days", "interval -3 hours 4.5 seconds": the calendar interval's text. */
bool parse_interval_text(str s, struct fn_interval *ret);

#endif
