/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening DuckDB with every lock that the design asks for (DESIGN §5): no files but those under given folders, no
 * extensions, no secrets, bounded memory, threads and spill; our functions registered.
 * Users' text never reaches it: only what src/sql emitted.
 */
#ifndef BH_ENGINE_WORKER_DUCK_H
#define BH_ENGINE_WORKER_DUCK_H

#include <duckdb.h>

#include "base/err.h"
#include "base/str.h"

struct duck_options {
    int threads;                    /* 0: 1 */
    uint64_t memory_bytes;          /* 0: 1 GiB */
    const char *spill_dir;          /* NULL: never spills */
    uint64_t spill_bytes;           /* 0: 1 GiB */
    const char *const *roots;       /* folders that it may read and write, beside spill_dir */
    size_t n_roots;
};

typedef struct duck duck;

/* An in-memory database. Caller closes with duck_close(). */
err *duck_open(const struct duck_options *o, duck **ret) BH_CHECK;
void duck_close(duck *d);
/* Changes the limits while it runs (a lease gives the warehouse's size); zeros leave a limit as it is. */
err *duck_limit(duck *d, int threads, uint64_t memory_bytes, uint64_t spill_bytes) BH_CHECK;

/* A connection, caller disconnects with duckdb_disconnect(). One thread at a time uses it. */
err *duck_connect(duck *d, duckdb_connection *ret) BH_CHECK;
/* The zone of a connection ("UTC", "Europe/Berlin", "+02:00"): what DuckDB's own timestamp functions use. */
err *duck_zone(duckdb_connection con, str zone) BH_CHECK;
/* Runs one statement that we made. On success the caller destroys *ret. Errors are the dialect's. */
err *duck_run(duckdb_connection con, const char *sql, duckdb_result *ret) BH_CHECK;
/* The same where the result does not matter. */
err *duck_do(duckdb_connection con, const char *sql) BH_CHECK;

#endif
