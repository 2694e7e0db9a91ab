/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage in a local directory, and what control needs beyond the table: descriptors. Bodies of
 * files never pass through control; it hands a descriptor of a temporary file to the gateway, hears
 * size and checksum, and commits.
 *
 * The directory belongs to one process. How keys become paths is told in storage_local.c.
 */
#ifndef BH_SYS_STORAGE_LOCAL_H
#define BH_SYS_STORAGE_LOCAL_H

#include "sys/storage.h"

/* The calls that change the disk or make a change durable; each returns -1 with errno set. The
 * fault twin has its own row. */
struct storage_disk {
    int (*sync)(struct storage_disk *d, int fd);
    int (*link)(struct storage_disk *d, int from_dir, const char *from, int to_dir, const char *to);
    int (*rename)(struct storage_disk *d, int from_dir, const char *from, int to_dir,
                  const char *to, unsigned flags);
    int (*unlink)(struct storage_disk *d, int dir, const char *name, int flags);
    int (*mkdir)(struct storage_disk *d, int dir, const char *name);
};

/* Opens (and makes, mode 0700) the directory. disk: NULL for the real one; else it must outlive
 * the storage. */
err *storage_local_new(const char *root, struct storage_disk *disk, storage **ret) BH_CHECK;

typedef struct storage_temp storage_temp;

/* A new empty file that will become the object `key`. */
err *storage_local_temp(storage *s, str key, storage_temp **ret) BH_CHECK;
/* The same for a part of a multipart upload. */
err *storage_local_part_temp(storage *s, str key, str id, int number, storage_temp **ret) BH_CHECK;
/* Its descriptor, open for reading and writing; owned by the temp. */
int storage_temp_fd(const storage_temp *t);
/* Makes the file durable and visible. size: what the writer counted (-1: unchecked); a file of
 * another size is DATA_LOSS and is thrown away. sha256: kept with the object; may be NULL. Frees t,
 * whatever comes out. ret_info may be NULL. For a part, ret_info->etag is the part's. */
err *storage_local_commit(storage *s, storage_temp *t, bool if_absent, int64_t size,
                          const unsigned char *sha256, struct storage_info *ret_info) BH_CHECK;
/* Throws the file away; NULL is fine. */
void storage_local_abort(storage *s, storage_temp *t);

/* A descriptor to read the object from; the caller closes it. */
err *storage_local_open(storage *s, str key, int *ret_fd, struct storage_info *ret) BH_CHECK;

/* Removes temporary files (at start, age 0) and multipart uploads not touched for upload_age_us. */
err *storage_local_sweep(storage *s, int64_t upload_age_us) BH_CHECK;

#endif
