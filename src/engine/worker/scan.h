/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and files as text for DuckDB's FROM.
 *
 * run.c fills one struct scan_ctx for a statement, opens each table that control resolved with
 * scan_table_open(), puts the result into sql_relation.scan (and its columns into .cols), and hands
 * scan_emit as sql_env.scan and scan_files as sql_env.files. Snapshots are kept in a scan_cache of the
 * process, which outlives statements and is safe for several threads.
 *
 * What is emitted refers to registered state of the statement (partition values, deletion vectors) by
 * a number; it lives until scan_ctx_end(), which run.c calls after the statement's last chunk.
 */
#ifndef BH_ENGINE_WORKER_SCAN_H
#define BH_ENGINE_WORKER_SCAN_H

#include <duckdb.h>

#include "base/arena.h"
#include "delta/snapshot.h"
#include "sql/sql.h"

struct scan_cache;

/* One for the process. Keeps at most `max_bytes` of snapshots. */
struct scan_cache *scan_cache_new(size_t max_bytes);
void scan_cache_free(struct scan_cache *c);
/* Registers bh_live, bh_part, bh_variant_of in a connection's database, once after it is opened. */
err *scan_register(duckdb_connection con) BH_CHECK;

/* A folder that the engine may read (and write): its URL as users write it, its place here. */
struct scan_root {
    str url;    /* "file:///data/ext", "s3://bucket/x"; without a slash at its end */
    str path;   /* absolute, without a slash at its end */
    bool rw;
};

struct scan_ctx {
    arena *a;                     /* of the statement */
    duckdb_connection con;        /* for schemas of files and checkpoints; not the statement's own run */
    struct scan_cache *cache;
    const struct scan_root *roots;
    size_t n_roots;
    /* May the user read (write) files at this URL? NULL: yes. */
    err *(*allow)(void *arg, str url, bool write);
    void *arg;
    str rights;                   /* for allow(): the catalog under which the path is named (a view's says with whose rights); or empty */
    str placed_url, placed_path;  /* what allow() said last: where the URL lies here (/Volumes/…), or empty */
    str allowed;                  /* a folder that allow() let be read */
    struct scan_volume *volumes;  /* scan's own; begin with NULL */
    str spill;                    /* a folder for temporary files that DuckDB may read; empty: none */
    str names;                    /* pattern of the names of files under a path; or empty */
    const str *only;              /* of files under a path only these (COPY INTO); NULL: all */
    size_t n_only;
    struct scan_state *state;     /* scan's own; begin with NULL */
    struct scan_log *logs;        /* of scan_note_table() */
    struct scan_clone *clones;
    /* In a transaction: the snapshot that it has of a table (held), NULL if it has none yet; and one that it keeps from now
     * on. Not called where a version is asked for. NULL: no transaction. */
    struct delta_snapshot *(*pinned)(void *arg, str path);
    void (*pin)(void *arg, str path, bool managed, struct delta_snapshot *s);
    void *txn;
};
void scan_ctx_end(struct scan_ctx *c);

/* Which version: both -1 is the latest. */
struct scan_at {
    int64_t version;
    int64_t timestamp_us;         /* INT64_MIN: not given */
};

struct delta_test;

/* Where the files of another table lie, which this one's log may name: a shallow clone's source. */
struct scan_source {
    str url, path; /* as people know it, without file://; here */
};

struct scan_table {
    struct scan_ctx *ctx;
    str id;                       /* control's; empty for direct paths */
    str path;                     /* the table's folder here */
    str url;                      /* as the user knows it */
    struct delta_snapshot *snap;  /* NULL for tables of other formats */
    const struct sql_field *cols; /* logical schema, .metadata kept */
    size_t n;
    bool pinned;                  /* a version was asked for */
    bool managed;                 /* catalog-managed: commits go through the catalog's row */
    str format;                   /* "delta", "parquet", "csv", … */
    str duckdb_from;              /* other formats: the table function call */
    str duckdb_metadata;          /* … with the column "_metadata" */
    const struct scan_source *sources; /* what control let its log name besides its own folder */
    size_t n_sources;
    /* What scan_emit() read of it: how often, and by which conditions and files the last time (n_tests 0: all). */
    size_t reads;
    const struct delta_test *tests;
    size_t n_tests;
    const struct delta_file *const *files_read;
    size_t n_files_read;
};

/* What control said of the table in this folder ("table" of a relation, or stage_table's answer): "log", if it is catalog-managed:
 * which versions there are; "sources", if it is a shallow clone. To be called before the table is opened. */
err *scan_note_table(struct scan_ctx *c, str path, jval *said) BH_CHECK;
/* … and one more source, of a clone that was just made. */
void scan_note_source(struct scan_ctx *c, str path, const struct scan_table *source);

/* Opens a Delta table in a folder that lies under one of the roots. known_version: the latest that
 * control told (-1: look into the log). Errors: DELTA_TABLE_NOT_FOUND, DELTA_UNSUPPORTED_FEATURES_FOR_READ, … */
err *scan_table_open(struct scan_ctx *c, str path, str url, struct scan_at at, int64_t known_version,
                     struct scan_table **ret) BH_CHECK;
/* A user's path or URL → the place here, refused (PATH_NOT_FOUND-like) if it is under no root, has "..",
 * or a symbolic link on its way. */
err *scan_path(struct scan_ctx *c, str url, str *ret) BH_CHECK;
/* delta.`…`, parquet.`…`, csv.`…`, json.`…`, text.`…`, binaryFile.`…`: relation of FROM_TABLE with AST_F_PATH. */
err *scan_direct(struct scan_ctx *c, struct sql_env *e, const struct ast *from, struct sql_relation **ret) BH_CHECK;
/* VERSION or TIMESTAMP of a FROM_TABLE (constants) → which version. */
err *scan_at_of(struct scan_ctx *c, struct sql_env *e, const struct ast *from, struct scan_at *ret) BH_CHECK;
/* Are the columns of an older version of a table among today's, under the same names? What hangs on names (row filters, masks)
 * means the same there then. */
bool scan_same_columns(const struct scan_table *old, const struct scan_table *now);
/* A relation over a table that is open: kind REL_TABLE, columns, scan. */
struct sql_relation *scan_relation(struct scan_table *t);

/* sql_env.scan: rel->scan is a struct scan_table. */
err *scan_emit(struct sql_env *e, const struct sql_scan_ask *ask, buf *out) BH_CHECK;
/* read_files(), table_changes(): the relation of a table-valued function call. */
err *scan_files(struct scan_ctx *c, struct sql_env *e, const struct ast *call, struct sql_relation **ret) BH_CHECK;

#endif
