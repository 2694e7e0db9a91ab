/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table at one version: the log replayed.
 *
 * Snapshots are counted, never changed after they are made, and may be read by several threads. A newer
 * one may be made from an older one by reading only the commits between (it then holds the older one).
 */
#ifndef BH_DELTA_SNAPSHOT_H
#define BH_DELTA_SNAPSHOT_H

#include "delta/action.h"
#include "delta/fs.h"

/* Reads Parquet for us, which the caller's database does: rows of the file as JSON objects, one a line,
 * columns by name, maps as objects ("select to_json(t) from read_parquet(…) t"). */
struct delta_parquet {
    void *arg;
    err *(*rows)(void *arg, arena *a, const struct delta_fs *fs, str name, str *ret);
};

struct delta_at {
    int64_t version;       /* -1: not given */
    int64_t timestamp_ms;  /* INT64_MIN: not given */
};
#define DELTA_LATEST ((struct delta_at){-1, INT64_MIN})

struct delta_snapshot {
    uint32_t magic;
    int64_t version;
    int64_t timestamp_ms;             /* in-commit, else the commit file's time */
    struct delta_protocol protocol;
    struct delta_metadata metadata;
    const struct delta_file **files;  /* live; in no order that means anything */
    size_t n_files;
    const struct delta_file **removed;/* tombstones still known */
    size_t n_removed;
    struct delta_txn *txns;
    size_t n_txns;
    struct delta_domain *domains;     /* not removed */
    size_t n_domains;
    int64_t checkpoint_version;       /* the newest complete one that was seen; -1 */
    size_t bytes;                     /* about what it costs in memory */
};

/* The table at a version or time. Errors:
 *   DELTA_TABLE_NOT_FOUND / DELTA_PATH_DOES_NOT_EXIST  no log here
 *   DELTA_VERSION_NOT_FOUND, DELTA_TIMESTAMP_GREATER_THAN_COMMIT, DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION
 *   DELTA_UNSUPPORTED_FEATURES_FOR_READ, DELTA_INVALID_PROTOCOL_VERSION
 *   DELTA_VERSIONS_NOT_CONTIGUOUS, DELTA_LOG_FILE_NOT_FOUND, DELTA_STATE_RECOVER_ERROR  the log is damaged */
err *delta_snapshot_open(const struct delta_fs *fs, const struct delta_parquet *parquet, struct delta_at at,
                         struct delta_snapshot **ret) BH_CHECK;
/* From an older one to the latest version; the same object (held once more) if nothing came. */
err *delta_snapshot_update(const struct delta_fs *fs, const struct delta_parquet *parquet, struct delta_snapshot *old,
                           struct delta_snapshot **ret) BH_CHECK;
/* What `old` becomes by a commit of these actions, without reading anything. */
err *delta_snapshot_apply(struct delta_snapshot *old, int64_t version, int64_t timestamp_ms, str text,
                          struct delta_snapshot **ret) BH_CHECK;
/* Version 0 from a commit's text alone. */
err *delta_snapshot_of_text(str text, struct delta_snapshot **ret) BH_CHECK;
void delta_snapshot_hold(struct delta_snapshot *s);
void delta_snapshot_drop(struct delta_snapshot *s); /* NULL is fine */

/* A table property, STR_NONE if not set. */
str delta_property(const struct delta_snapshot *s, const char *key);
bool delta_property_true(const struct delta_snapshot *s, const char *key);
const struct delta_domain *delta_domain_of(const struct delta_snapshot *s, str name);
/* "none", "name", "id". */
str delta_mapping_mode(const struct delta_metadata *m);

struct delta_commit_entry {
    int64_t version;
    int64_t timestamp_ms;
    str info;              /* commitInfo's JSON, or empty */
};
/* Commits from newest to oldest, at most `limit` (0: all) not below `from`: DESCRIBE HISTORY, times. */
err *delta_history(const struct delta_fs *fs, arena *a, int64_t from, int64_t to, size_t limit,
                   struct delta_commit_entry **ret, size_t *ret_n) BH_CHECK;
/* Actions of one commit (change feed, conflict checks). ERR_NOT_FOUND if the file is gone. */
err *delta_commit_read(const struct delta_fs *fs, arena *a, int64_t version, struct delta_action **ret,
                       size_t *ret_n, str *ret_text) BH_CHECK;
/* Where a file of the table lies: path decoded, below the root unless absolute. Refuses "..". */
err *delta_file_path(arena *a, str root, str path, str *ret) BH_CHECK;

#endif
