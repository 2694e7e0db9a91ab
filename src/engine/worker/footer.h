/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of a Parquet file, from its footer.
 *
 * A file ends in: FileMetaData (Thrift compact), u32 LE its length, "PAR1". Of FileMetaData only field 2 (schema, a
 * list in depth-first order) and field 3 (num_rows) are read; both come before the row groups, so the rest is not even
 * looked at. Every length is bounded by what was read.
 */
#ifndef BH_ENGINE_WORKER_FOOTER_H
#define BH_ENGINE_WORKER_FOOTER_H

#include "base/arena.h"
#include "base/err.h"

enum footer_phys { PHYS_BOOLEAN, PHYS_INT32, PHYS_INT64, PHYS_INT96, PHYS_FLOAT, PHYS_DOUBLE, PHYS_BYTES, PHYS_FIXED, PHYS_GROUP };
/* What the annotation (logical type, else the older converted type) says. */
enum footer_logical { LOG_NONE, LOG_STRING, LOG_MAP, LOG_LIST, LOG_ENUM, LOG_DECIMAL, LOG_DATE, LOG_TIME, LOG_TIMESTAMP, LOG_INT, LOG_JSON,
                      LOG_BSON, LOG_UUID, LOG_INTERVAL, LOG_VARIANT, LOG_OTHER };

struct footer_node {
    str name;
    int32_t field_id;          /* -1: none */
    enum footer_phys phys;
    enum footer_logical logical;
    int precision, scale;      /* decimal */
    int bits;                  /* INT: 8 … 64 */
    bool is_signed;            /* INT */
    bool utc;                  /* TIME, TIMESTAMP */
    char unit;                 /* 'm' millis, 'u' micros, 'n' nanos */
    bool repeated, required;
    uint32_t annotated_at;     /* VARIANT: where in the schema's bytes the annotation's field id stands; else 0 */
    struct footer_node *child;
    size_t n;
};

struct footer {
    struct footer_node root;
    int64_t rows;
    uint64_t hash;             /* of the schema's bytes: files with equal ones have one schema */
    str bytes;                 /* the schema's bytes */
    int64_t schema_at;         /* their place in the metadata */
};

/* From the bytes of FileMetaData (or a head of it that holds the schema). DATA_LOSS if it is damaged. */
err *footer_parse(arena *a, str metadata, struct footer *ret) BH_CHECK;
/* Opens the file. ERR_NOT_FOUND, DATA_LOSS. */
err *footer_read(arena *a, const char *path, struct footer *ret) BH_CHECK;
/* A copy of a file whose VARIANT annotations are gone, so that a reader sees plain groups of value and metadata (DuckDB's own
 * VARIANT does not tell NULL from a variant that is null). `to` must not exist. */
err *footer_copy_plain(const char *from, const char *to) BH_CHECK;
/* Appends DuckDB's type for what its reader makes of the node. */
void footer_duckdb_type(const struct footer_node *n, buf *out);
/* The element of a LIST group; key and value of a MAP group; NULL if it is none. */
const struct footer_node *footer_element(const struct footer_node *n);
bool footer_map(const struct footer_node *n, const struct footer_node **key, const struct footer_node **value);

#endif
