/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of files: rows of file_object, by absolute path ("/Models/main/default/m/1/MLmodel").
 * A path has no empty segment, no "." or "..", no control characters; directories above a new file
 * are made with it. Which scope a path lives in: /Models and /Volumes belong to the account, all else to the
 * workspace of the request.
 */
#ifndef BH_FILES_TREE_H
#define BH_FILES_TREE_H

#include "store/gen_entities.h"

#define TREE_MAX_DEPTH 64

/* Checks and normalises (one trailing slash is cut). INVALID_PARAMETER_VALUE says what is wrong. */
err *tree_path(arena *a, str raw, str *ret) BH_CHECK;
struct store_scope tree_scope(str path, struct store_scope asked);

err *tree_find(store_tx *tx, struct store_scope s, arena *a, str path, struct ent_file_object *ret,
               bool *found) BH_CHECK;
/* Makes the directory and those above it; one that is there is fine, a file is ALREADY_EXISTS. */
err *tree_mkdirs(store_tx *tx, struct store_scope s, arena *a, str path) BH_CHECK;

struct tree_file {
    str path, storage_key, etag, sha256, content_type;
    int64_t size, owner;
};
/* Adds or replaces a file. ALREADY_EXISTS unless overwrite; *ret_old is the storage key replaced
 * (p NULL: none). */
err *tree_put(store_tx *tx, struct store_scope s, arena *a, const struct tree_file *f, bool overwrite,
              str *ret_old) BH_CHECK;
/* Removes one file. *ret_key its storage key. NOT_FOUND. */
err *tree_remove_file(store_tx *tx, struct store_scope s, arena *a, str path, str *ret_key) BH_CHECK;
/* Removes an empty directory; DIRECTORY_NOT_EMPTY. */
err *tree_remove_dir(store_tx *tx, struct store_scope s, arena *a, str path) BH_CHECK;
/* Removes a directory (or file) with all in it; `drop` hears each storage key. */
err *tree_remove_all(store_tx *tx, struct store_scope s, arena *a, str path,
                     void (*drop)(void *arg, str key), void *arg) BH_CHECK;
/* Children of a directory by name, after `after`. */
err *tree_list(store_tx *tx, struct store_scope s, arena *a, str path, str after, int limit,
               struct ent_file_object_rows *ret) BH_CHECK;
/* All files below a path, depth first, relative names; at most max (RESOURCE_EXHAUSTED). */
struct tree_entry {
    str relative;
    struct ent_file_object row;
};
err *tree_walk(store_tx *tx, struct store_scope s, arena *a, str path, size_t max,
               struct tree_entry **ret, size_t *ret_n) BH_CHECK;
/* Puts the same blobs under another path (no bytes move). */
err *tree_copy(store_tx *tx, struct store_scope from_scope, str from, struct store_scope to_scope,
               str to, arena *a) BH_CHECK;

#endif
