/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: files with names in a schema. A managed volume's files lie in the account's tree of files
 * below volumes_storage_path(), a path made of ids; an external one's in a place of storage.
 */
#ifndef BH_CATALOG_VOLUMES_H
#define BH_CATALOG_VOLUMES_H

#include "catalog/kv.h"
#include "catalog/securable.h"

/* location empty: managed. RESOURCE_ALREADY_EXISTS when the name is taken. */
err *volumes_create(const struct caller *c, const struct securable *schema, str name, str location,
                    str comment, struct securable *ret) BH_CHECK;
err *volumes_save(const struct caller *c, struct securable *v) BH_CHECK;
err *volumes_rename(const struct caller *c, struct securable *v, str new_name) BH_CHECK;
/* With its grants; a managed one with its files. */
err *volumes_delete(const struct caller *c, const struct securable *v) BH_CHECK;

/* "/Volumes/.id/<id>", without a slash at the end. */
str volumes_storage_path(arena *a, int64_t volume_id);

/* "/Volumes/<catalog>/<schema>/<volume>", as the names are spelled now. */
str volumes_shown(arena *a, const struct securable *v);

/* A path below /Volumes as users write it: without slashes at its end. INVALID_PARAMETER_VALUE: it has an empty segment, "." or "..". */
err *volumes_check_path(str path, str *ret) BH_CHECK;

/* What the Files API asks. path: what follows /Volumes/ ("main/default/v/a.csv", or ".id/7/a.csv").
 * Decides for reading (READ_VOLUME) or writing (WRITE_VOLUME), and says where the file is kept: a
 * path of the account's tree for managed volumes, the s3:// URL for external ones in a store. Those in local folders are
 * NOT_IMPLEMENTED there. The
 * error names the privilege; a volume that the caller may not know is RESOURCE_DOES_NOT_EXIST. */
err *volumes_file_access(const struct caller *c, str path, bool write, str *ret_path) BH_CHECK;
/* The volume at the beginning of such a path, and what follows it (without a slash in front). */
err *volumes_of_path(const struct caller *c, str path, struct securable *ret, str *ret_rest) BH_CHECK;

#endif
