/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the catalog tree. A part is 1 to 255 bytes, without '.', '/', blanks and control
 * characters; upper and lower case name the same object and the first spelling is kept (the store
 * folds). Full names are parts joined by dots; a part may be written in backticks.
 */
#ifndef BH_CATALOG_NAME_H
#define BH_CATALOG_NAME_H

#include "base/arena.h"
#include "base/err.h"

#define NAME_MAX_PART 255u

/* Checks one part; `what` is its kind in the message ("catalog", "schema", "model"). */
err *name_check_part(str part, const char *what) BH_CHECK;

/* Splits "a.b.c" into exactly `want` parts (each checked). The message for another count says how
 * a name of this kind (`what`) looks. Slices point into `full`, or into the arena where backticks
 * were taken off. */
err *name_split(arena *a, str full, int want, const char *what, str ret_parts[3]) BH_CHECK;

/* "catalog.schema.model" and so on; trailing empty parts are left out. */
str name_join(arena *a, str p0, str p1, str p2);

#endif
