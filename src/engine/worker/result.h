/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a query on their way from DuckDB's chunks into the spool, in the form that the client reads.
 *
 *   result_new → result_add for each of DuckDB's chunks → result_finish → result_free
 *
 * Rows are gathered until a chunk (engine/link.h says what one holds) is full, then it is encoded, written, and
 * told by on_chunk; memory is bounded by a few chunks however long the result is. One thread uses a result.
 */
#ifndef BH_ENGINE_WORKER_RESULT_H
#define BH_ENGINE_WORKER_RESULT_H

#include <duckdb.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/worker/zone.h"
#include "sql/sql.h"

enum result_format { RESULT_ARROW, RESULT_JSON_ARRAY, RESULT_CSV, RESULT_COLUMNS };
enum result_form { RESULT_BATCHES, RESULT_STREAMS, RESULT_AUTO };
/* The bits of enum ENGINE_NATIVE_… in engine/link.h. */
enum { RESULT_TIMESTAMP = 1, RESULT_DECIMAL = 2, RESULT_COMPLEX = 4, RESULT_INTERVAL = 8, RESULT_NULL = 16 };

struct result_chunk {
    int64_t offset, bytes, rows, row_offset, raw;
};

struct result_options {
    enum result_format format;
    enum result_form form;
    unsigned native;
    bool lz4, lz4_if_smaller;      /* the second: see engine_exec in engine/link.h */
    int64_t row_limit, byte_limit; /* 0: none; row_limit -1: no rows */
    bool byte_limit_fails;
    int64_t chunk_bytes, chunk_rows, inline_bytes;
    const struct zone *zone;       /* the session's */
    const char *zone_name;         /* as Arrow's types have it */
    int spool;                     /* written from offset 0; -1: rows are only counted */
    int64_t spool_room;            /* what fits into it; 0: everything */
    void *arg;
    /* Asked once, when more is to be written: the descriptor to go on with, which has what was written so far. */
    err *(*on_full)(void *arg, int *spool);
    void (*on_chunk)(void *arg, const struct result_chunk *c);
};

struct result {
    /* For whoever reads it between calls. */
    int64_t rows, bytes;           /* added so far; bytes before LZ4 */
    bool truncated;                /* a limit cut it: add no more */
    enum result_form form;         /* as it came out */
    struct result_int *i;
};

/* The arena, the columns and the zone outlive it. */
err *result_new(arena *a, const struct result_options *o, const struct sql_column *cols, size_t n, struct result *ret) BH_CHECK;
/* Checks that DuckDB's columns are of the physical types of src/sql/type.h: a difference is a bug of ours, and is
 * told as one instead of being read as something else. */
err *result_check(struct result *r, duckdb_result *q) BH_CHECK;
err *result_add(struct result *r, duckdb_data_chunk chunk) BH_CHECK;
/* A chunk of what was gathered, though it is not full. */
err *result_flush(struct result *r) BH_CHECK;
/* Writes what is left. A result without rows has no chunk. */
err *result_finish(struct result *r) BH_CHECK;
void result_free(struct result *r);
/* LZ4 was asked for and given up, once the first chunk is told. */
bool result_plain(const struct result *r);
/* The encapsulated schema message; empty unless the format is Arrow. */
str result_schema(const struct result *r);

#endif
