/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A column of DuckDB's chunks as text, by the Spark type of it.
 *
 *   form         array        map          struct            string inside   timestamp  day-time interval
 *   SHOW_HIVE    [1,null]     {1:"a"}      {"a":1,"b":2}     "x" raw         2016-…     1 02:03:04.000000000
 *   SHOW_CAST    [1, null]    {1 -> a}     {1, 2}            x               2016-…     INTERVAL '1 02:03:04' DAY TO SECOND
 *   SHOW_JSON    [1,null]     {"1":"a"}    {"a":1,"b":2}     "x" escaped     "2016-…"   "INTERVAL …"
 *
 * HIVE is how spark-sql and the oracle print rows; CAST is CAST(x AS STRING); JSON is what JSON_ARRAY results hold.
 */
#ifndef BH_ENGINE_WORKER_SHOW_H
#define BH_ENGINE_WORKER_SHOW_H

#include <duckdb.h>

#include "base/arena.h"
#include "base/buf.h"
#include "engine/worker/zone.h"
#include "sql/type.h"

enum show_form { SHOW_HIVE, SHOW_CAST, SHOW_JSON };

struct show;

/* In the arena; `zone` outlives it. */
struct show *show_new(arena *a, const struct sql_type *t, enum show_form form, const struct zone *zone);
/* Names the column's vector of the next chunk. */
void show_bind(struct show *s, duckdb_vector v, idx_t n);
/* Appends row's value; false, and nothing appended, if it is NULL. Binary is written as its bytes. */
bool show_value(const struct show *s, idx_t row, buf *out);

/* A variant (u32 metadata length, metadata, value) as JSON; false: malformed. */
bool show_variant(str variant, const struct zone *zone, buf *out);

#endif
