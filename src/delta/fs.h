/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a table's log lies: a plain directory, or a prefix of an object store. Names are relative to the
 * table's root ("_delta_log/00000000000000000000.json").
 *
 * put() never shows a half-written object, and with if_absent exactly one of several writers wins
 * (ERR_ALREADY_EXISTS for the others): a synced temporary file gets its name unless that is taken, If-None-Match on S3.
 */
#ifndef BH_DELTA_FS_H
#define BH_DELTA_FS_H

#include "base/arena.h"
#include "base/err.h"
#include "sys/storage.h"

#define DELTA_MAX_LOG_FILE (1024u * 1024u * 1024u)

struct delta_entry {
    str name;         /* the last part alone */
    int64_t size;
    int64_t mtime_ms;
};

struct storage_disk;

struct delta_fs {
    const struct delta_fs_ops *ops;
    str root;         /* directory, or prefix of keys without a slash at its end */
    storage *store;   /* object stores */
    const struct delta_managed *managed; /* the log as the catalog has it (managed.h), or NULL */
    struct storage_disk *disk; /* directories: NULL for the real disk, else a twin that loses power (tests) */
};

/* An object that is written and has no name yet. Texts in the caller's arena. */
struct delta_staged {
    str temp;         /* directories: its name for now, relative to the root */
    str bytes;        /* object stores: what will be put */
};

/* A plain directory. `root` is copied into the arena. */
struct delta_fs delta_fs_dir(arena *a, str root);
/* A prefix of an object store, which must outlive it. Slashes at the beginning of the prefix are no part of keys: so the
 * root may look like a path. */
struct delta_fs delta_fs_storage(arena *a, storage *s, str prefix);

/* The whole object, in the arena. ERR_NOT_FOUND. */
err *delta_fs_read(const struct delta_fs *fs, arena *a, str name, str *ret) BH_CHECK;
/* Files of a folder in byte order, those with names >= from (empty: all). A folder that is not there is
 * empty. */
err *delta_fs_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret,
                   size_t *ret_n) BH_CHECK;
/* Durable when it returns. */
err *delta_fs_put(const struct delta_fs *fs, str name, str bytes, bool if_absent) BH_CHECK;

/* A version of the log, in four steps, so that many share what is slow. `bytes` must live until the last of them.
 *   stage      the bytes lie in the folder of `name` under another name, not durable; the disk is asked to begin
 *   make_durable   these files (names relative to the root, staged ones too) are durable, with the folders of those that are not staged
 *   publish    put if absent (ERR_ALREADY_EXISTS); durable after delta_fs_sync() of the folder. The staged name is gone
 *   discard    instead of publish; also after it failed
 * An object store does all of it in publish. */
err *delta_fs_stage(const struct delta_fs *fs, arena *a, str name, str bytes, struct delta_staged *ret) BH_CHECK;
err *delta_fs_make_durable(const struct delta_fs *fs, arena *a, const str *names, size_t n) BH_CHECK;
err *delta_fs_publish(const struct delta_fs *fs, const struct delta_staged *s, str name) BH_CHECK;
void delta_fs_discard(const struct delta_fs *fs, const struct delta_staged *s);
err *delta_fs_sync(const struct delta_fs *fs, str dir) BH_CHECK;
/* Makes the folder (directories only). */
err *delta_fs_mkdir(const struct delta_fs *fs, str dir) BH_CHECK;
/* Replaces `to`. Not atomic in an object store: a copy, then the old name goes. */
err *delta_fs_rename(const struct delta_fs *fs, str from, str to) BH_CHECK;
err *delta_fs_delete(const struct delta_fs *fs, str name) BH_CHECK;
/* ERR_NOT_FOUND, else size and time. */
err *delta_fs_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) BH_CHECK;

#endif
