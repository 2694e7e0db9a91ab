/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partition values: text in the log, names of folders.
 *
 * The log has values as strings; the empty string and null are both NULL. Folders are a convention only: nobody reads a
 * value out of one. Names are escaped as Hive does, and the path in the log is URI-encoded on top of that:
 *   value "a b/c"  → folder "p=a b%2Fc"  → path "p=a%20b%252Fc/part-….parquet"
 */
#ifndef BH_DELTA_PARTITION_H
#define BH_DELTA_PARTITION_H

#include "delta/action.h"

#define DELTA_NULL_FOLDER "__HIVE_DEFAULT_PARTITION__"

/* A column's or value's escaped form in a folder's name. */
void delta_escape_folder(str s, buf *out);
/* "p=1/q=__HIVE_DEFAULT_PARTITION__/", in the order of `m`; empty without partitions. */
str delta_partition_folder(arena *a, const struct delta_map *m);
/* A path of the table's folder as the log writes it (URI-encoded). */
str delta_encode_path(arena *a, str path);

/* Is it NULL? (absent values are an error of the log, and NULL here) */
bool delta_partition_null(const struct delta_map *m, str column);
/* A timestamp in any of the two forms ("yyyy-MM-dd HH:mm:ss[.ffffff]", taken as UTC, or ISO-8601) as microseconds. */
bool delta_time_of_text(str text, int64_t *ret_us);

#endif
