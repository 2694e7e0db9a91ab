/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committer: puts a version into a table's log.
 *
 *   prepared actions → conflict check against every version that came since they were read → put-if-absent of the next
 *   version → on ALREADY_EXISTS read who won, check, try the next
 *
 * One committer for each table in the process (delta_committer_get), used from any thread. Callers that meet at one table
 * form a group: the first works through all that wait, so that the folder is synced once for all of them.
 *
 * What is durable when (a cut of power at any moment):
 *   1. each caller, on its own and at once: its text under a temporary name, the data files that it names (ask->sync), their
 *      folders: all asked to be written, then synced
 *   2. the group's leader: names in the order of versions. Directories keep the order of their changes (ext4, XFS, Btrfs): what
 *      a cut leaves is versions without a gap, and each of them is whole, because of 1
 *   3. the leader: the folder, once; then every commit of the group is acknowledged
 * So two waits for the disk for one commit, and the groups' first ones overlap with the second one of others.
 *
 * It reads no checkpoint (no Parquet here): what it must know of the table's state comes with the ask, and stays true
 * because a commit that changes metadata or protocol stands against ours.
 *
 * Isolation is WriteSerializable, as the platform's default, or Serializable by the table's property:
 *   winner's → ours ↓    blind append        other add           remove          metaData / protocol   txn
 *   blind append         –                   –                   –               conflict              same app: conflict
 *   reads (U, D, M)      – (Serializable:    CONCURRENT_APPEND   of a file read: conflict              same app: conflict
 *                        CONCURRENT_APPEND)                      CONCURRENT_DELETE_READ
 *   compaction           –                   –                   of a file removed too: CONCURRENT_DELETE_DELETE
 * What was read is known by conditions on partition columns and statistics (ask->tests): files that cannot hold such a row never conflict.
 */
#ifndef BH_DELTA_COMMIT_H
#define BH_DELTA_COMMIT_H

#include "delta/fs.h"
#include "delta/stats.h"

struct delta_commit_ask {
    int64_t read_version;        /* -1: a new table */
    const struct delta_action *actions; /* without commitInfo */
    size_t n;
    str info;                    /* commitInfo's JSON object, without timestamp; txnId and readVersion are set if absent */
    bool blind_append;           /* nothing was read */
    bool serializable;
    bool read_all;               /* adds of others stand against it whatever they hold … */
    const struct delta_test *tests; /* … or only those that may pass all of these (n_tests > 0) */
    size_t n_tests;
    const str *files_read;       /* paths as in the log … */
    bool files_listed;           /* … all that were read; else, with tests, those that may pass them count as read too */
    size_t n_files_read;
    bool ict;                    /* in-commit timestamps are on (after this commit) */
    int64_t previous_ict;        /* of read_version, -1: none */
    bool row_ids;                /* row tracking is on: adds get baseRowId and defaultRowCommitVersion */
    int64_t high_water;          /* highest row id at read_version, -1: none */
    int64_t now_ms;
    const str *sync;             /* files of the table that are not durable yet: relative to its root, decoded */
    size_t n_sync;
};

struct delta_commit_answer {
    int64_t version;
    int64_t timestamp_ms;
    str text;                    /* what was written, in the caller's arena */
};

typedef struct delta_committer delta_committer;

/* The process's committer of a table (by `fs->root` and store). Hold it only while committing. */
delta_committer *delta_committer_get(const struct delta_fs *fs);
void delta_committer_put(delta_committer *c);

/* Blocks until the version is durable. Errors: DELTA_CONCURRENT_APPEND, …_DELETE_READ, …_DELETE_DELETE, …_TRANSACTION,
 * DELTA_METADATA_CHANGED, DELTA_PROTOCOL_CHANGED, DELTA_CONCURRENT_WRITE (a new table's version 0 exists), or storage's. */
err *delta_commit(delta_committer *c, arena *a, const struct delta_commit_ask *ask, struct delta_commit_answer *ret) BH_CHECK;

/* The ask of an engine (src/engine/README.md, op commit): actions as lines of JSON, info, reads. Texts point into the JSON. */
err *delta_commit_of_json(arena *a, jval *o, struct delta_commit_ask *ret) BH_CHECK;

/* Conditions of an ask: {"op","order","partition","path","values"}. INVALID_PARAMETER_VALUE. */
err *delta_tests_of_json(arena *a, jval *list, const struct delta_test **ret, size_t *ret_n) BH_CHECK;

/* Does this winning commit stand against the ask? (conflict.c) NULL: no. */
err *delta_conflict(arena *a, const struct delta_commit_ask *ask, const struct delta_action *winner, size_t n, int64_t version) BH_CHECK;

#endif
