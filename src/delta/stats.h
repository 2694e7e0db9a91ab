/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of files: writing (truncation) and skipping.
 *
 * add.stats is the text of {"numRecords":n,"tightBounds":true,"minValues":{…},"maxValues":{…},"nullCount":{…}}, the
 * three mirroring the schema by physical names. Bounds may be wide: strings are cut (the maximum's last character raised),
 * timestamps cut to milliseconds. A file is skipped only where no row can match whatever the exact bounds are.
 */
#ifndef BH_DELTA_STATS_H
#define BH_DELTA_STATS_H

#include "delta/snapshot.h"

#define DELTA_STATS_PREFIX 32

/* The minimum of a column whose least value is s: at most 32 characters, surrogate pairs (in UTF-16) kept whole. */
void delta_stats_min(str s, buf *out);
/* The maximum; false: there is none that is short enough (then the column has no maximum). */
bool delta_stats_max(str s, buf *out);

enum delta_order { DELTA_ORDER_INT, DELTA_ORDER_FLOAT, DELTA_ORDER_TEXT, DELTA_ORDER_TIME, DELTA_ORDER_BOOL };

/* One conjunct: column op literal. */
struct delta_test {
    const str *path;        /* physical names from the top */
    size_t n_path;
    bool partition;
    enum delta_order order;
    char op;                /* '=' '<' '>' 'l' 'g' '0' (IS NULL) '1' (IS NOT NULL) 'i' (IN) */
    const str *values;      /* text as in partition values */
    size_t n;
};

/* keep[i] for each of s->files: may it have a row that passes all tests? Parsed bounds are kept in the snapshot for
 * the next time. */
void delta_skip(struct delta_snapshot *s, const struct delta_test *tests, size_t n, bool *keep);
/* The same for one file that is in no snapshot. */
bool delta_file_may_pass(const struct delta_file *f, const struct delta_test *tests, size_t n);
/* numRecords of a file, -1 if the log does not say. */
int64_t delta_num_records(const struct delta_file *f);
/* nullCount of a top-level column by its physical name, -1 if it is not told. */
int64_t delta_null_count(const struct delta_file *f, str column);

#endif
