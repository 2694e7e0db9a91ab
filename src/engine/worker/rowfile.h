/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Parquet file of a few rows, made in memory: one row group, one plain page for each column, nothing compressed.
 *
 * DuckDB's COPY takes about a millisecond for a file of one row, most of it for planning and for handing work between threads; a
 * statement that inserts a handful of rows would spend most of its time there.
 */
#ifndef BH_ENGINE_WORKER_ROWFILE_H
#define BH_ENGINE_WORKER_ROWFILE_H

#include <duckdb.h>

#include "base/arena.h"
#include "base/buf.h"

struct rowfile_column {
    str name;
    int32_t field_id;           /* -1: none */
    enum DUCKDB_TYPE type;
    enum DUCKDB_TYPE internal;  /* of a decimal: what holds it */
    uint8_t width, scale;       /* of a decimal */
    duckdb_vector values;
    /* Filled by rowfile_encode(): text as DuckDB's RETURN_STATS has it, p NULL: none. */
    str min, max;
    int64_t nulls;
    bool nan;
};

/* Sets type, internal, width and scale; false: nested or another type that needs COPY. */
bool rowfile_type(duckdb_logical_type t, struct rowfile_column *ret);
/* The rows with these numbers (within one chunk) as a file's bytes, appended to `out`. */
void rowfile_encode(arena *a, struct rowfile_column *cols, size_t n, const idx_t *rows, size_t n_rows, buf *out);

#endif
