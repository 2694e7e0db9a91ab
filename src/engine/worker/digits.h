/* SPDX-License-Identifier: Apache-2.0 */
/* A number as its decimal digits, for formats: rounding where they ask for it, and writing with thousands. */
#ifndef BH_ENGINE_WORKER_DIGITS_H
#define BH_ENGINE_WORKER_DIGITS_H

#include "engine/worker/fn.h"

#define DIGITS_MAX 420

/* 0.d0 d1 d2 … × 10^point */
struct digits { char d[DIGITS_MAX]; int n, point; bool negative, nan, infinite; };

/* The shortest digits that mean the double (Double.toString's). */
void digits_of_double(struct digits *x, double v);
/* All digits that the double stands for. */
void digits_of_double_exact(struct digits *x, double v);
void digits_of_decimal(struct digits *x, i128 v, int scale);
enum digits_mode { DIGITS_HALF_UP, DIGITS_HALF_EVEN };
/* Keeps `places` digits after the point (may be negative). */
void digits_round(struct digits *x, int places, enum digits_mode mode);
bool digits_zero(const struct digits *x);
/* The part before the point, at least `least` digits, groups of `group` (0: none); then least_frac … digits after it. */
void digits_write(const struct digits *x, int least, int group, int least_frac, buf *out);

/* Formats of to_number and to_char: 0 9 . D , G $ MI S PR. False: not a format. */
bool number_format_check(str format);
/* Reads by the format; *ret is the plain text of the number. */
bool number_format_read(str format, str text, buf *ret);
void number_format_write(str format, const struct digits *x, buf *out);
/* A java.text.DecimalFormat pattern; false: not one. */
bool decimal_format_write(str pattern, struct digits *x, buf *out);

#endif
