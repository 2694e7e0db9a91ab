/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small work on files that everyone needs. All calls block: use them at start-up or on a worker.
 * Paths are the program's own, never a user's (keys of users go through sys/storage.h).
 * Missing files give RESOURCE_DOES_NOT_EXIST, everything else of the system IO_ERROR; both name the
 * path, and err_errno_of() has the errno.
 */
#ifndef BH_SYS_FILES_H
#define BH_SYS_FILES_H

#include <sys/types.h>

#include "base/err.h"

/* Appends the whole file to *out. More than max bytes is RESOURCE_EXHAUSTED and leaves *out as it
 * was. Works for files of /proc too (their size is not known before). */
err *files_read(const char *path, size_t max, buf *out) BH_CHECK;
/* The same relative to a directory (AT_FDCWD allowed). */
err *files_read_at(int dir, const char *path, size_t max, buf *out) BH_CHECK;
/* From the descriptor's place to its end. `name` is for messages. */
err *files_read_fd(int fd, const char *name, size_t max, buf *out) BH_CHECK;

/* All of it, past short writes and EINTR. */
err *files_write_fd(int fd, const char *name, const void *p, size_t n) BH_CHECK;
/* Readers see the old content or the new one, also after a power cut: temporary file beside it,
 * fsync, rename, fsync of the folder. */
err *files_write(const char *path, str data, mode_t mode) BH_CHECK;
/* Fails with RESOURCE_ALREADY_EXISTS when the file is there; as durable as files_write(). */
err *files_create(const char *path, str data, mode_t mode) BH_CHECK;
/* fsync of the folder that holds `path`. */
err *files_sync_parent(const char *path) BH_CHECK;

/* Makes the folder and those above it; fine if it is there. `mode` holds for the new ones,
 * whatever the umask. */
err *files_mkdirs(const char *path, mode_t mode) BH_CHECK;

/* Removes a file or a folder with all in it; fine if it is missing. Symbolic links are removed, not
 * followed; other file systems mounted inside are not entered (error). Handles any depth with a
 * bounded number of descriptors. More than max_entries is RESOURCE_EXHAUSTED: what was removed so
 * far is gone and another call goes on. */
err *files_remove_tree(const char *path, size_t max_entries) BH_CHECK;

/* Takes the lock file for this process (flock, so it ends with the process) and writes the pid into
 * it. RESOURCE_CONFLICT names the pid that holds it. The caller keeps *ret_fd open. */
err *files_lock(const char *path, int *ret_fd) BH_CHECK;

/* Names in a folder without "." and "..", sorted by byte. Release with files_names_free(). */
struct files_names {
    char **p;
    size_t n;
};
err *files_list(const char *path, size_t max, struct files_names *ret) BH_CHECK;
void files_names_free(struct files_names *names);

/* Bytes that this user can still write, and the size of the file system. Either may be NULL. */
err *files_space(const char *path, uint64_t *ret_free, uint64_t *ret_total) BH_CHECK;
bool files_exists(const char *path);

#endif
