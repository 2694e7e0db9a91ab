/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text the way Java and Spark write them. Shared by casts, results, JSON and CSV. */
#ifndef BH_ENGINE_WORKER_TEXT_H
#define BH_ENGINE_WORKER_TEXT_H

#include "base/buf.h"
#include "engine/worker/fn.h"
#include "engine/worker/zone.h"

/* Double.toString, Float.toString: 1.0, 1.0E10, 1.0E-5, NaN, Infinity. */
void text_double(buf *out, double v);
void text_float(buf *out, float v);
/* An unscaled integer with `scale` digits after the point, never an exponent. */
void text_decimal(buf *out, i128 v, int scale);
void text_i128(buf *out, i128 v);
/* 2016-12-31; years beyond 9999 with '+', before 0 with '-'. */
void text_date(buf *out, int32_t days);
/* 12:10:05.999999: no trailing zeros. */
void text_time(buf *out, int64_t us);
/* 2016-12-31 00:12:00.123 */
void text_ntz(buf *out, int64_t us);
void text_timestamp(buf *out, int64_t us, const struct zone *z);

/* Intervals. from, to: enum sql_unit of sql/type.h. */
void text_ym(buf *out, int32_t months);             /* 1-2 */
void text_dt(buf *out, int64_t us);                 /* 1 02:03:04.000000000 */
void text_ym_literal(buf *out, int32_t months, int from, int to); /* INTERVAL '1-2' YEAR TO MONTH */
void text_dt_literal(buf *out, int64_t us, int from, int to);     /* INTERVAL '1 02:03:04' DAY TO SECOND */
void text_interval(buf *out, struct fn_interval v); /* 1 years 2 months 3 days 4 hours */

/* Appends s with wrong UTF-8 replaced by U+FFFD, as Java's decoder does. */
void text_utf8(buf *out, str s);

#endif
