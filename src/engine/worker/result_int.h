/* SPDX-License-Identifier: Apache-2.0 */
/* Between result.c (chunks), result_spool.c (their bytes) and the writers of each format. */
#ifndef BH_ENGINE_WORKER_RESULT_INT_H
#define BH_ENGINE_WORKER_RESULT_INT_H

#include <lz4frame.h>

#include "engine/worker/result.h"

#define RESULT_PIECES 4

/* A writer gathers rows and gives them as the bytes of one chunk. It keeps its buffers from chunk to chunk: memory that
 * is new for each costs more than what is done with it. */
struct result_writer {
    /* Rows from..to of DuckDB's chunk. */
    err *(*add)(void *w, duckdb_data_chunk chunk, idx_t from, idx_t to);
    /* About how many bytes are gathered. */
    size_t (*gathered)(const void *w);
    /* The gathered rows as one chunk, in one or two pieces that hold until the next add; forgets the rows. */
    err *(*take)(void *w, int64_t rows, str ret[2]);
    void (*free)(void *w);
};

struct result_int {
    arena *a;
    struct result_options o;
    const struct sql_column *cols;
    size_t n;
    struct result_writer how;
    void *writer;
    buf schema, end;      /* Arrow: what a stream begins and ends with */
    int64_t gathered_rows;
    int64_t written, row_offset; /* spool, rows told */
    buf out;              /* on its way into the spool: see result_spool.c */
    int64_t out_at;       /* where it goes */
    LZ4F_cctx *packer;    /* NULL until the first chunk that is compressed */
    bool plain;           /* the first chunk was tried and no smaller: no chunk is compressed */
    bool decided;         /* RESULT_AUTO: batches or streams */
    struct held {
        char *p;
        size_t n;
        int64_t rows;
    } *held;              /* RESULT_AUTO: not written yet */
    size_t n_held, cap_held;
    size_t held_bytes;
};

/* Of DuckDB's decimals, by precision. */
static inline int decimal_bytes(int precision) { return precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16; }
static inline bool vector_valid(const uint64_t *valid, idx_t row) { return !valid || (valid[row >> 6] >> (row & 63) & 1); }
static inline str vector_str(const duckdb_string_t *s) {
    return s->value.inlined.length <= 12 ? str_n(s->value.inlined.inlined, s->value.inlined.length)
                                         : str_n(s->value.pointer.ptr, s->value.pointer.length);
}

/* Writes the pieces one after the other as the chunk at r->written, compressed where that is asked. ret: its bytes there. */
err *result_put(struct result_int *r, const str *pieces, size_t n, int64_t *ret) BH_CHECK;
void result_put_end(struct result_int *r);

/* Each fills how and writer. */
err *result_arrow_new(struct result_int *r) BH_CHECK;
err *result_text_new(struct result_int *r) BH_CHECK;
err *result_columns_new(struct result_int *r) BH_CHECK;

#endif
