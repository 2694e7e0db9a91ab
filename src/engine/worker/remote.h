/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object stores as an engine sees them: a folder of copies that fill themselves.
 *
 * The engine has no network. Control gives it a channel to the courier and, with its answers, grants: what one statement may
 * reach below one URL. Here s3://bucket/key has a place below one local folder, dir/bucket/key, so that all that knows paths
 * (DuckDB, our own readers) needs to know no more:
 *
 *   - an object that is to be read is declared: a file of its size without its bytes (a hole). When somebody reads it, the
 *     blocks that are missing are fetched first, in larger pieces the longer he goes on (remote_shim.c). Columns and groups
 *     of rows that nobody reads are never fetched, and what was is there for the next statement.
 *   - a file that was written below the folder becomes an object by remote_upload().
 *   - logs are read and listed in the store itself, through remote_storage().
 *
 * Objects are never changed in place by Delta; others (CSV, JSON) are told apart by their ETag: a new one is a new copy.
 * Copies are bounded: what was used longest ago is emptied first, also while it is open.
 *
 * Any thread, where nothing else is said. All paths are absolute, below the folder.
 */
#ifndef BH_ENGINE_WORKER_REMOTE_H
#define BH_ENGINE_WORKER_REMOTE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "sys/loop.h"
#include "sys/storage.h"

/* Loop thread, once, at the lease. dir: made if absent; max_bytes: of all copies. */
err *remote_open(loop *l, const char *dir, int64_t max_bytes) BH_CHECK;
/* Loop thread: a channel to the courier, taken over; replaces the one before. */
err *remote_join(int fd) BH_CHECK;

/* A grant of control for what lies at and below a canonical URL, which the store calls `key`; ends with the statement. */
void remote_grant(uint64_t statement, str url, str key, str grant);
void remote_end(uint64_t statement);

/* Is it s3:// (or s3a://)? */
bool remote_is_url(str url);
/* A path below the folder of copies? */
bool remote_is(str path);
/* The place of an s3:// URL here, and back. */
str remote_path(arena *a, str url);
str remote_url(arena *a, str path);
/* Does a living grant cover the path? */
bool remote_granted(str path);

struct remote_entry {
    str path;
    int64_t size, mtime_us;
    str etag;
};
/* Says that there is an object of this size; etag may be empty, mtime_us 0. Makes its file here. With size -1 the store is
 * asked (NOT_FOUND). PERMISSION_DENIED without a grant. */
err *remote_declare(str path, int64_t size, int64_t mtime_us, str etag) BH_CHECK;
/* Fetches the ends (footers) of what is not here yet, several at a time. Failures show when the files are read. */
void remote_warm(const str *paths, size_t n);
/* All objects below a folder, whatever their depth; sorted. */
err *remote_list(arena *a, str folder, struct remote_entry **ret, size_t *ret_n) BH_CHECK;
/* NOT_FOUND */
err *remote_head(arena *a, str path, struct remote_entry *ret) BH_CHECK;
/* Files written here become objects, several at a time. On an error some may have. */
err *remote_upload(const str *paths, size_t n) BH_CHECK;
/* Objects and their copies. */
err *remote_delete(const str *paths, size_t n) BH_CHECK;

/* ---- files of managed volumes (remote_volume.c) ----
 * Their paths are /Volumes/<catalog>/<schema>/<volume>/…, as control spells them. A file gets a place here before it is read; what
 * lies at a place is one content, for good. */

/* Asks control; any thread. */
typedef err *(*remote_ask)(void *arg, arena *a, str op, str json, jval **ret, int *ret_fd);
/* The statement may read what lies at and below root (a volume's), by asking; rights: with whose (a catalog's name with a mark), or
 * empty. */
void remote_volume_open(uint64_t statement, str root, str rights, remote_ask ask, void *arg);
/* Waits for questions that are under way. To be called before control hears of the statement's end: it answers none after that. */
void remote_volume_end(uint64_t statement);
/* /Volumes/…? */
bool remote_is_volume(str path);
/* The file at the path (*ret_file), or all below it, whatever their depth, sorted. Entries have the ids of contents as etag. */
err *remote_volume_list(arena *a, str path, struct remote_entry **ret, size_t *ret_n, bool *ret_file) BH_CHECK;
/* The place of a file that was listed. */
err *remote_volume_declare(arena *a, const struct remote_entry *x, str *ret) BH_CHECK;
/* Such a place? All have a first part of one length; behind it comes the path. */
bool remote_is_file(str path);
size_t remote_file_prefix(void);
/* The path behind a place; other paths are given back. */
str remote_shown(str path);
/* The files by their paths, without the first slash as keys; for reading. Static. */
storage *remote_volume_storage(void);
/* An error that names a place: why that could not be read, if it could not, else the same without places. Takes e (may be NULL). */
err *remote_explain(err *e) BH_CHECK;

/* The store behind: keys are paths without their first slash. Static. */
storage *remote_storage(void);

/* ---- for remote_shim.c ---- */

struct remote_object;
/* The object that a file which was just opened for reading is a copy of, held; NULL: none. False: what was opened is not what lies
 * there now, to be opened again. */
bool remote_opened(const char *path, int fd, struct remote_object **ret);
void remote_closed(struct remote_object *o);
/* As pread() of the file that was opened as fd, which is a copy of o. */
ssize_t remote_read(struct remote_object *o, int fd, void *p, size_t n, off_t offset);

#endif
