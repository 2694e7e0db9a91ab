/* SPDX-License-Identifier: Apache-2.0 */
/* Values as the dialect writes and reads them, for literals and captions. */
#ifndef BH_SQL_TEXT_H
#define BH_SQL_TEXT_H

#include "sql/type.h"

/* A point in the calendar as written; has_offset: the zone was a fixed offset (or Z). */
struct sql_stamp {
    int y, mo, d, h, mi, s, us;
    bool has_time, has_offset;
    int offset_s;
    str zone;
};
/* yyyy, yyyy-m, yyyy-m-d, then T or blank, h:m:s.f, then a zone. Checks ranges. */
bool sql_read_stamp(str text, struct sql_stamp *ret);
/* The same of a date alone, of up to seven digits of a year; what follows a blank or T does not count. */
bool sql_read_day(str text, struct sql_stamp *ret);
/* yyyy-MM-dd as users see it: signs of years before 1 and after 9999. */
void sql_write_day(const struct sql_stamp *t, buf *out);
/* yyyy-MM-dd HH:mm:ss[.f] without trailing zeros. */
void sql_write_stamp(const struct sql_stamp *t, buf *out);
/* To UTC, by the offset. */
void sql_shift_stamp(struct sql_stamp *t);
/* Microseconds since 1970 of its calendar and clock, and back. */
int64_t sql_stamp_us(const struct sql_stamp *t);
void sql_stamp_of_us(int64_t us, struct sql_stamp *ret);
int64_t sql_days(int y, int m, int d); /* since 1970-01-01 */
void sql_civil(int64_t days, int *y, int *m, int *d);

/* Java's Double.toString and Float.toString. */
void sql_java_double(double d, buf *out);
void sql_java_float(float f, buf *out);

/* INTERVAL '1-2' YEAR TO MONTH */
void sql_write_interval(const struct sql_type *t, int64_t v, buf *out);
/* The text between the quotes, by the fields of t. */
bool sql_read_interval(str text, const struct sql_type *t, int64_t *ret);

#endif
