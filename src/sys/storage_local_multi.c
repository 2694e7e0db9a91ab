/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multipart uploads of the local store: a directory per upload below .~tmp (storage_local.c). Each
 * part is durable before it is acknowledged. Completing copies the parts into one temporary file
 * (the kernel shares the blocks where the file system can) and places that; the upload is removed
 * last, so a crash on the way only means that complete is called again.
 */
#include "sys/storage_local_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define KEY_FILE "key"

static err *no_upload(str id) {
    return err_new(ERR_NOT_FOUND, "there is no multipart upload '%.*s'", STR_ARG(str_cut(id, 64)));
}

/* Ids are ours: 32 hex digits. */
static err *upload_dir(str id, char out[40]) {
    if (id.n != 32) return no_upload(id);
    for (size_t i = 0; i < id.n; i++)
        if (!strchr("0123456789abcdef", id.p[i]) || !id.p[i]) return no_upload(id);
    snprintf(out, 40, "m-%.*s", STR_ARG(id));
    return NULL;
}

/* Opens the upload and checks that it is one of `key`. */
static err *upload_open(struct storage_local *l, str key, str id, int *ret) {
    char name[40], text[STORAGE_MAX_KEY + 1];
    TRY(upload_dir(id, name));
    int dir = local_openat(l->tmp, name, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0) return errno == ENOENT ? no_upload(id) : local_errno("open the upload of", key);
    int fd = local_openat(dir, KEY_FILE, O_RDONLY, 0);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (fd >= 0) close(fd);
    if (n < 0 || !str_eq(str_n(text, (size_t)n), key)) {
        close(dir);
        return no_upload(id);
    }
    *ret = dir;
    return NULL;
}

err *local_multi_create(storage *s, arena *a, str key, str *ret_id) {
    struct storage_local *l = local_of(s);
    char name[40] = "m-";
    rand_hex(name + 2, 16);
    if (l->disk->mkdir(l->disk, l->tmp, name) < 0) return local_errno("begin an upload of", key);
    err *e = NULL;
    int dir = local_openat(l->tmp, name, O_RDONLY | O_DIRECTORY, 0), fd = -1;
    if (dir >= 0) fd = local_openat(dir, KEY_FILE, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, key.p, key.n) != (ssize_t)key.n || l->disk->sync(l->disk, fd) < 0 ||
        l->disk->sync(l->disk, dir) < 0 || l->disk->sync(l->disk, l->tmp) < 0)
        e = local_errno("begin an upload of", key);
    if (fd >= 0) close(fd);
    if (dir >= 0) close(dir);
    if (!e) *ret_id = str_of(arena_strdup(a, name + 2));
    return e;
}

err *storage_local_part_temp(storage *s, str key, str id, int number, storage_temp **ret) {
    must_magic(s, STORAGE_MAGIC);
    struct storage_local *l = local_of(s);
    TRY(storage_check_key(key));
    if (number < 1 || number > STORAGE_MAX_PARTS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "part numbers are 1..%d, not %d",
                       STORAGE_MAX_PARTS, number);
    int dir;
    TRY(upload_open(l, key, id, &dir));
    close(dir);
    TRY(local_temp_new(l, key, ret));
    (*ret)->number = number;
    return upload_dir(id, (*ret)->upload);
}

err *local_commit_part(struct storage_local *l, storage_temp *t, struct storage_info *ret) {
    (void)ret;
    int dir = local_openat(l->tmp, t->upload, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0) return no_upload(str_of(t->upload + 2));
    char name[16];
    snprintf(name, sizeof(name), "%05d", t->number);
    err *e = NULL;
    if (l->disk->rename(l->disk, l->tmp, t->name, dir, name, 0) < 0 ||
        l->disk->sync(l->disk, dir) < 0)
        e = local_errno("keep a part of", str_of(t->key));
    close(dir);
    return e;
}

err *local_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                      struct storage_part *ret) {
    storage_temp *t;
    int64_t size;
    unsigned char sha[32];
    struct storage_info info;
    TRY(storage_local_part_temp(s, key, id, number, &t));
    err *e = local_fill(t, from, &size, sha);
    if (e) {
        storage_local_abort(s, t);
        return e;
    }
    TRY(storage_local_commit(s, t, false, size, sha, &info));
    ret->number = number;
    memcpy(ret->etag, info.etag, sizeof(ret->etag));
    return NULL;
}

static err *append_part(int dir, const struct storage_part *p, int to, str key, int64_t *size) {
    char name[16], etag[STORAGE_ETAG_CAP];
    snprintf(name, sizeof(name), "%05d", p->number);
    int fd = local_openat(dir, name, O_RDONLY, 0);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0) close(fd);
        return err_new(ERR_INVALID_PARAMETER_VALUE, "part %d was not uploaded", p->number);
    }
    local_etag(&st, etag);
    err *e = NULL;
    if (strcmp(etag, p->etag) != 0)
        e = err_new(ERR_INVALID_PARAMETER_VALUE, "the ETag of part %d is not the one given",
                    p->number);
    for (int64_t left = st.st_size; !e && left > 0;) {
        ssize_t n = copy_file_range(fd, NULL, to, NULL, (size_t)left, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            e = local_errno("assemble", key);
        else if (n == 0)
            e = err_new(ERR_DATA_LOSS, "part %d ends too early", p->number);
        else
            left -= n;
    }
    *size += st.st_size;
    close(fd);
    return e;
}

static err *remove_upload(struct storage_local *l, const char *name) {
    int dir = local_openat(l->tmp, name, O_RDONLY | O_DIRECTORY, 0);
    DIR *d = dir < 0 ? NULL : fdopendir(dir);
    if (!d) {
        if (dir >= 0) close(dir);
        return NULL; /* gone already */
    }
    struct dirent *entry;
    while ((entry = readdir(d))) /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)l->disk->unlink(l->disk, dir, entry->d_name, 0);
    closedir(d);
    if (l->disk->unlink(l->disk, l->tmp, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_errno("cannot remove the upload %s", name);
    return NULL;
}

err *local_multi_complete(storage *s, str key, str id, const struct storage_part *parts, size_t n,
                          bool if_absent, struct storage_info *ret) {
    struct storage_local *l = local_of(s);
    int dir;
    TRY(upload_open(l, key, id, &dir));
    storage_temp *t;
    err *e = local_temp_new(l, key, &t);
    int64_t size = 0;
    for (size_t i = 0; !e && i < n; i++) {
        e = append_part(dir, &parts[i], t->fd, key, &size);
        if (e) storage_local_abort(s, t);
    }
    close(dir);
    if (!e) e = storage_local_commit(s, t, if_absent, size, NULL, ret);
    return e ? e : local_multi_abort(s, key, id);
}

err *local_multi_abort(storage *s, str key, str id) {
    struct storage_local *l = local_of(s);
    char name[40];
    int dir;
    TRY(upload_open(l, key, id, &dir));
    close(dir);
    TRY(upload_dir(id, name));
    return remove_upload(l, name);
}

err *storage_local_sweep(storage *s, int64_t upload_age_us) {
    must_magic(s, STORAGE_MAGIC);
    struct storage_local *l = local_of(s);
    int fd = local_openat(l->tmp, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return err_errno("cannot read the storage folder's temporary files");
    }
    err *e = NULL;
    struct dirent *entry;
    while (!e && (entry = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): the stream is ours */
        const char *name = entry->d_name;
        struct stat st;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        bool upload = strncmp(name, "m-", 2) == 0;
        if (upload && clock_now() - st.st_mtim.tv_sec * US_PER_S < upload_age_us) continue;
        if (S_ISDIR(st.st_mode))
            e = remove_upload(l, name);
        else if (l->disk->unlink(l->disk, fd, name, 0) < 0 && errno != ENOENT)
            e = err_errno("cannot remove temporary file %s", name);
    }
    closedir(d);
    return e;
}
