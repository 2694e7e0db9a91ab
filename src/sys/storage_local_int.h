/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the local store: storage_local.c, storage_local_list.c, storage_local_multi.c. */
#ifndef BH_SYS_STORAGE_LOCAL_INT_H
#define BH_SYS_STORAGE_LOCAL_INT_H

#include <pthread.h>
#include <sys/stat.h>

#include "sys/storage_local.h"

#define LOCAL_RESERVED ".~"     /* what names of ours begin with */
#define LOCAL_ESCAPE ".~e"      /* before a segment that begins like a name of ours */
#define LOCAL_SELF ".~self"     /* the object that is named like the directory */
#define LOCAL_FOLDER ".~folder" /* the marker "…/" */
#define LOCAL_TMP ".~tmp"       /* in the root only */
#define LOCAL_SHA_XATTR "user.boathouse.sha256"
#define LOCAL_PATH_CAP (STORAGE_MAX_KEY + 4 * STORAGE_MAX_SEGMENTS)

struct storage_local {
    struct storage base;
    struct storage_disk *disk;
    int root, tmp;
    /* place and delete take it for reading, promotion of a file to a directory for writing */
    pthread_rwlock_t shape;
    /* held from mkdir until the new name is durable */
    pthread_mutex_t making;
};

struct storage_temp {
    int fd;
    int number; /* of a part, or 0 */
    char name[40];
    char upload[40]; /* directory of the part's upload, or "" */
    char key[STORAGE_MAX_KEY + 1];
};

static inline struct storage_local *local_of(storage *s) { return (struct storage_local *)s; }

/* errno as an error; a full disk is RESOURCE_EXHAUSTED. */
err *local_errno(const char *what, str key) BH_CHECK;
/* File name of one segment. */
void local_name(str segment, char out[256]);
/* Path of a key's directory ("" is the root) and its file name there. */
void local_path(str key, char dir[LOCAL_PATH_CAP], char name[256]);
/* openat2 beneath `at`, no symbolic links; -1 with errno. */
int local_openat(int at, const char *path, int flags, int mode);
void local_info(int fd, const struct stat *st, struct storage_info *ret);
void local_etag(const struct stat *st, char out[STORAGE_ETAG_CAP]);
err *local_temp_new(struct storage_local *l, str key, storage_temp **ret) BH_CHECK;
/* Writes all of `from` into the temp and hashes it. */
err *local_fill(storage_temp *t, struct storage_source *from, int64_t *ret_size,
                unsigned char sha256[32]) BH_CHECK;

/* storage_local_list.c */
err *local_list(storage *s, arena *a, const struct storage_list_ask *ask,
                struct storage_list *ret) BH_CHECK;

/* storage_local_multi.c */
err *local_multi_create(storage *s, arena *a, str key, str *ret_id) BH_CHECK;
err *local_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                      struct storage_part *ret) BH_CHECK;
err *local_multi_complete(storage *s, str key, str id, const struct storage_part *parts, size_t n,
                          bool if_absent, struct storage_info *ret) BH_CHECK;
err *local_multi_abort(storage *s, str key, str id) BH_CHECK;
err *local_commit_part(struct storage_local *l, storage_temp *t, struct storage_info *ret) BH_CHECK;

#endif
