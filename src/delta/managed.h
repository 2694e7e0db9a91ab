/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalog-managed tables (feature catalogManaged): which versions there are is for the catalog to say, not for the folder.
 *
 *   stage     the version's text as _delta_log/_staged_commits/<version>.<uuid>.json, complete and synced: nothing yet
 *   ratify    the catalog's row says that this file is the version (src/catalog/managed.h): now it is committed
 *   publish   the same text as _delta_log/<version>.json, in order, at any time later
 *
 * Readers get the catalog's newest version and the list of versions that may not be published yet. With them
 * delta_managed_fs() shows a folder whose log is as the catalog has it: listed versions are read from their staged file,
 * versions beyond the newest one are not there. Everything else (snapshots, history, change feed) goes on as for any log.
 */
#ifndef BH_DELTA_MANAGED_H
#define BH_DELTA_MANAGED_H

#include "delta/commit.h"

struct delta_version {
    int64_t version;
    int64_t timestamp_ms;   /* in-commit */
    str file;               /* "<version>.<uuid>.json" */
    int64_t size, mtime_ms;
};

struct delta_managed {
    int64_t latest;
    const struct delta_version *staged; /* ascending */
    size_t n;
};

/* The folder's log as the catalog has it. Lists and texts must live as long as the arena. Only for reading. */
struct delta_fs delta_managed_fs(arena *a, const struct delta_fs *base, int64_t latest, const struct delta_version *staged, size_t n);

/* delta_fs_read(), delta_fs_list(), delta_fs_stat() of such a folder. */
err *delta_managed_get(const struct delta_fs *fs, arena *a, str name, str *ret) BH_CHECK;
err *delta_managed_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n) BH_CHECK;
err *delta_managed_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) BH_CHECK;

/* {"latest", "commits":[{"version","timestamp","file_name","file_size","file_modification_timestamp"}]}. Errors: a list
 * that is not ascending, names that are not those of staged files. */
err *delta_managed_read(arena *a, jval *o, int64_t *ret_latest, struct delta_version **ret, size_t *ret_n) BH_CHECK;
/* The list above alone. */
err *delta_staged_read(arena *a, jval *list, struct delta_version **ret, size_t *ret_n) BH_CHECK;
void delta_staged_put(jdoc *d, jmut *list, const struct delta_version *s);

/* "<20 digits>.<uuid>.json" of this version? */
bool delta_staged_name_ok(str file, int64_t version);
/* "_delta_log/_staged_commits/<file>" */
str delta_staged_path(arena *a, str file);

/* When a version of it is made: now, but after the one before. */
int64_t delta_managed_time(const struct delta_commit_ask *ask, int64_t before);

/*
 * Checks the asks of one table, which follow each other on one snapshot, against all versions that came since, and stages
 * them as latest + 1, latest + 2, …. fs: from delta_managed_fs(). ret: n rows; ret_texts, if not NULL: what was written.
 * Nothing is committed by this. Errors: those of delta_commit().
 */
err *delta_managed_stage(const struct delta_fs *fs, arena *a, const struct delta_commit_ask *asks, size_t n, struct delta_version *ret,
                         str *ret_texts) BH_CHECK;
/* Removes staged files that were not ratified. */
void delta_managed_unstage(const struct delta_fs *base, arena *a, const struct delta_version *s, size_t n);

/* Publishes in order what is not published yet; *ret_published: the last one that is there now without a gap, or `from` - 1
 * when the first is missing. */
err *delta_managed_publish(const struct delta_fs *base, arena *a, const struct delta_version *s, size_t n, int64_t *ret_published) BH_CHECK;
/* Removes staged files of published versions that are older than a week. Failures do not matter. */
void delta_managed_sweep(const struct delta_fs *base, int64_t published, int64_t now_ms);

#endif
