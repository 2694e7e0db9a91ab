/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of C functions, one for each fn_<area>.c; named again in fn_tables.c. */
#ifndef BH_ENGINE_WORKER_FN_INT_H
#define BH_ENGINE_WORKER_FN_INT_H

#include "engine/worker/fn.h"

#include "engine/worker/zone.h"

/* What several areas use. The zone named by argument i; NULL: the call has failed. */
const struct zone *fn_zone(struct fn_call *c, size_t i);
/* CAST_INVALID_INPUT of a string; target as in "INT". */
void fn_bad_cast(struct fn_call *c, str value, const char *target);
/* NUMERIC_VALUE_OUT_OF_RANGE of a decimal. */
void fn_decimal_range(struct fn_call *c, str value, int precision, int scale);

/* Murmur3 with Spark's tail (fn_hash.c). */
uint32_t fn_murmur3_spark(str s, uint32_t seed);

/* Aggregates that build and merge sketches (fn_sketch_agg.c), called by fn_register_all(). */
err *fn_register_sketches(duckdb_connection con) BH_CHECK;
/* Aggregates of moments and of pairs (fn_moments.c), called by fn_register_all(). */
err *fn_register_moments(duckdb_connection con) BH_CHECK;

extern const struct fn_table fn_table_cast;    /* strings to other types and back */
extern const struct fn_table fn_table_core;
extern const struct fn_table fn_table_json;
extern const struct fn_table fn_table_variant;
extern const struct fn_table fn_table_text;    /* parts of strings, padding, searching */
extern const struct fn_table fn_table_text2;   /* case, encodings, checks, masks */
extern const struct fn_table fn_table_regex;
extern const struct fn_table fn_table_decimal;
extern const struct fn_table fn_table_number;
extern const struct fn_table fn_table_hash;
extern const struct fn_table fn_table_crypto;
extern const struct fn_table fn_table_url;
extern const struct fn_table fn_table_date;
extern const struct fn_table fn_table_format;  /* numbers and texts by format */
extern const struct fn_table fn_table_misc;
extern const struct fn_table fn_table_sketch;  /* sketches: made empty, asked, combined */
extern const struct fn_table fn_table_csv;     /* CSV and XML */
extern const struct fn_table fn_table_xpath;
extern const struct fn_table fn_table_variant_schema;
extern const struct fn_table fn_table_topk;    /* frequent items */

#endif
