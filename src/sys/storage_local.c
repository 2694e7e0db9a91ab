/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local store: from keys to files.
 *
 * A segment of a key is a file or directory of the same name, so that people and other programs
 * (an engine that reads Parquet files, Spark) find a table where its location says. Three rules
 * make every key possible:
 *
 *   1. Names that begin with ".~" are ours. A segment that begins so is written ".~e" + segment.
 *   2. The object "a" lies in the file "a", unless "a" is a directory because "a/b" exists; then it
 *      lies in "a/.~self". When "a" is a file and "a/b" is put, "a" is promoted: a directory with
 *      the old file linked as ".~self" is prepared aside and exchanged with the file in one step
 *      (RENAME_EXCHANGE), so "a" can be read at any moment. A directory is never turned back.
 *   3. The marker "a/" is the file "a/.~folder".
 *
 *   root/.~tmp/<32 hex digits>      being written, or a directory being promoted
 *   root/.~tmp/m-<32 hex digits>/   a multipart upload: its key in "key", its parts in 00001…
 *
 * A put writes a temporary file, syncs it, then names it: link() for put-if-absent, which fails
 * when the name is there, rename() else; then the directory is synced, and only then the put has
 * happened. A crash leaves either nothing or the whole object, and perhaps a temporary file, which
 * the sweep at start removes. Empty directories are removed with their last object; a put that
 * finds its directory gone makes it again.
 *
 * Every path is resolved by openat2() beneath the root without following symbolic links, whoever
 * made them. The directory belongs to one process; `shape` and `making` order its threads:
 *
 *   - promotion excludes placing and deleting, so that no put falls between its link and exchange;
 *   - a directory is made and its name made durable under `making`; whoever found a directory waits
 *     for `making` once before it puts something in, so that no acknowledged object hangs below a
 *     name that a power loss could take.
 */
#include "sys/storage_local_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/rand.h"

#define TRIES 256 /* a directory may vanish between opening and use, by concurrent deletes */
#define CHUNK (256u * 1024u)

/* ---- the real disk ---- */

static int real_sync(struct storage_disk *d, int fd) {
    (void)d;
    return fsync(fd);
}
static int real_link(struct storage_disk *d, int fd, const char *from, int to_dir, const char *to) {
    (void)d;
    return linkat(fd, from, to_dir, to, 0);
}
static int real_rename(struct storage_disk *d, int fd, const char *from, int to_dir, const char *to,
                       unsigned flags) {
    (void)d;
    return renameat2(fd, from, to_dir, to, flags);
}
static int real_unlink(struct storage_disk *d, int dir, const char *name, int flags) {
    (void)d;
    return unlinkat(dir, name, flags);
}
static int real_mkdir(struct storage_disk *d, int dir, const char *name) {
    (void)d;
    return mkdirat(dir, name, 0700);
}

static struct storage_disk real_disk = {real_sync, real_link, real_rename, real_unlink, real_mkdir};

/* ---- small parts ---- */

err *local_errno(const char *what, str key) {
    int os = errno;
    if (os == ENOSPC || os == EDQUOT)
        return err_new(ERR_RESOURCE_EXHAUSTED, "the disk is full: cannot %s '%.*s'", what,
                       STR_ARG(key));
    if (os == ENOENT || os == ENOTDIR)
        return err_new(ERR_NOT_FOUND, "object '%.*s' does not exist", STR_ARG(key));
    if (os == ELOOP || os == EXDEV)
        return err_new(ERR_INVALID_STATE, "cannot %s '%.*s': a symbolic link is in the way", what,
                       STR_ARG(key));
    errno = os;
    return err_errno("cannot %s '%.*s'", what, STR_ARG(key));
}

void local_name(str segment, char out[256]) {
    bool escape = str_starts(segment, STR(LOCAL_RESERVED));
    snprintf(out, 256, "%s%.*s", escape ? LOCAL_ESCAPE : "", STR_ARG(segment));
}

void local_path(str key, char dir[LOCAL_PATH_CAP], char name[256]) {
    size_t n = 0;
    str rest = key, part;
    dir[0] = name[0] = 0;
    while (str_split(&rest, '/', &part)) {
        if (name[0]) n += (size_t)snprintf(dir + n, LOCAL_PATH_CAP - n, "%s%s", n ? "/" : "", name);
        if (part.n)
            local_name(part, name);
        else
            snprintf(name, 256, "%s", LOCAL_FOLDER);
    }
}

int local_openat(int at, const char *path, int flags, int mode) {
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
                           .mode = (uint64_t)mode,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd;
    /* EAGAIN: a rename ran at the same time and the kernel could not prove "beneath" */
    do fd = (int)syscall(SYS_openat2, at, path[0] ? path : ".", &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd;
}

void local_etag(const struct stat *st, char out[STORAGE_ETAG_CAP]) {
    snprintf(out, STORAGE_ETAG_CAP, "%llx-%llx-%llx%08lx", (unsigned long long)st->st_ino,
             (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
             (unsigned long)st->st_mtim.tv_nsec);
}

void local_info(int fd, const struct stat *st, struct storage_info *ret) {
    *ret = (struct storage_info){
        .size = st->st_size, .mtime = st->st_mtim.tv_sec * US_PER_S + st->st_mtim.tv_nsec / 1000};
    local_etag(st, ret->etag);
    ret->has_sha256 = fd >= 0 && fgetxattr(fd, LOCAL_SHA_XATTR, ret->sha256, 32) == 32;
}

static void sync_barrier(struct storage_local *l) {
    pthread_mutex_lock(&l->making);
    pthread_mutex_unlock(&l->making);
}

/* ---- directories ---- */

/* Rule 2: the file `name` in `dir` becomes a directory that holds it. */
static err *promote(struct storage_local *l, int dir, const char *name, str key) {
    char aside[40];
    rand_hex(aside, 16);
    err *e = NULL;
    int inner = -1;
    pthread_rwlock_wrlock(&l->shape);
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) goto out;
    if (l->disk->mkdir(l->disk, l->tmp, aside) < 0) goto fail;
    inner = local_openat(l->tmp, aside, O_RDONLY | O_DIRECTORY, 0);
    if (inner < 0 || l->disk->link(l->disk, dir, name, inner, LOCAL_SELF) < 0 ||
        l->disk->sync(l->disk, inner) < 0 ||
        l->disk->rename(l->disk, l->tmp, aside, dir, name, RENAME_EXCHANGE) < 0)
        goto fail;
    if (l->disk->unlink(l->disk, l->tmp, aside, 0) < 0 || l->disk->sync(l->disk, dir) < 0)
        goto fail;
    goto out;
fail:
    e = local_errno("make a directory for", key);
    if (inner >= 0) (void)l->disk->unlink(l->disk, inner, LOCAL_SELF, 0);
    (void)l->disk->unlink(l->disk, l->tmp, aside, AT_REMOVEDIR);
out:
    if (inner >= 0) close(inner);
    pthread_rwlock_unlock(&l->shape);
    return e;
}

/* One step down, making the directory if it is not there. Consumes `dir`. */
static err *step_down(struct storage_local *l, int dir, const char *name, str key, int *ret) {
    for (int i = 0; i < TRIES; i++) {
        int fd = local_openat(dir, name, O_RDONLY | O_DIRECTORY, 0);
        if (fd >= 0) {
            close(dir);
            *ret = fd;
            return NULL;
        }
        err *e = NULL;
        struct stat st;
        if (errno == ENOTDIR) {
            if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
                errno = ELOOP;
                e = local_errno("put", key);
            } else {
                e = promote(l, dir, name, key);
            }
        } else if (errno == ENOENT) {
            pthread_mutex_lock(&l->making);
            bool made = l->disk->mkdir(l->disk, dir, name) == 0;
            if ((!made && errno != EEXIST) || (made && l->disk->sync(l->disk, dir) < 0))
                e = local_errno("make a directory for", key);
            pthread_mutex_unlock(&l->making);
        } else {
            e = local_errno("open the directory of", key);
        }
        if (e) {
            close(dir);
            return e; /* NOT_FOUND: `dir` itself was removed meanwhile; the caller tries again */
        }
    }
    close(dir);
    return err_new(ERR_ABORTED, "the directory of '%.*s' is changing all the time", STR_ARG(key));
}

/* The directory of a key, made with all its parents where they are missing. */
static err *open_dir_for(struct storage_local *l, const char *path, str key, int *ret) {
    int fd = local_openat(l->root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        *ret = fd;
        return NULL;
    }
    fd = local_openat(l->root, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return local_errno("open the storage root for", key);
    str rest = str_of(path), part;
    while (str_split(&rest, '/', &part)) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
        TRY(step_down(l, fd, name, key, &fd));
    }
    *ret = fd;
    return NULL;
}

/* After a delete: empty directories go, from the innermost outwards. */
static void prune(struct storage_local *l, char *path) {
    while (path[0]) {
        char *slash = strrchr(path, '/');
        char name[256];
        snprintf(name, sizeof(name), "%.255s", slash ? slash + 1 : path);
        if (slash)
            *slash = 0;
        else
            path[0] = 0;
        int dir = local_openat(l->root, path, O_RDONLY | O_DIRECTORY, 0);
        if (dir < 0) return;
        int rc = l->disk->unlink(l->disk, dir, name, AT_REMOVEDIR);
        close(dir);
        if (rc < 0) return;
    }
}

/* ---- temporary files ---- */

err *local_temp_new(struct storage_local *l, str key, storage_temp **ret) {
    storage_temp *t = calloc(1, sizeof(*t));
    must(t != NULL);
    rand_hex(t->name, 16);
    snprintf(t->key, sizeof(t->key), "%.*s", STR_ARG(key));
    t->fd = local_openat(l->tmp, t->name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (t->fd < 0) {
        free(t);
        return local_errno("make a temporary file for", key);
    }
    *ret = t;
    return NULL;
}

err *storage_local_temp(storage *s, str key, storage_temp **ret) {
    must_magic(s, STORAGE_MAGIC);
    TRY(storage_check_key(key));
    return local_temp_new(local_of(s), key, ret);
}

int storage_temp_fd(const storage_temp *t) { return t->fd; }

void storage_local_abort(storage *s, storage_temp *t) {
    if (!t) return;
    close(t->fd);
    (void)local_of(s)->disk->unlink(local_of(s)->disk, local_of(s)->tmp, t->name, 0);
    free(t);
}

err *local_fill(storage_temp *t, struct storage_source *from, int64_t *ret_size,
                unsigned char sha256[32]) {
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char *chunk = malloc(CHUNK);
    must(md != NULL && chunk != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL));
    struct storage_sink to = storage_to_fd(&t->fd);
    int64_t size = 0;
    err *e = NULL;
    for (size_t n = 1; !e && n;) {
        e = from->read(from->arg, chunk, CHUNK, &n);
        if (e || n == 0) break;
        EVP_DigestUpdate(md, chunk, n);
        size += (int64_t)n;
        if (from->size >= 0 && size > from->size) break;
        e = to.write(to.arg, chunk, n);
        if (e && (err_errno_of(e) == ENOSPC || err_errno_of(e) == EDQUOT))
            err_recode(e, ERR_RESOURCE_EXHAUSTED);
    }
    EVP_DigestFinal_ex(md, sha256, NULL);
    EVP_MD_CTX_free(md);
    free(chunk);
    if (!e && from->size >= 0 && size != from->size)
        e = err_new(ERR_DATA_LOSS, "the body of '%s' has %s than the announced %lld bytes", t->key,
                    size > from->size ? "more" : "fewer", (long long)from->size);
    *ret_size = size;
    return e;
}

/* Names the temp once. *again: the directory vanished or changed shape, try anew. */
static err *place_once(struct storage_local *l, storage_temp *t, int dir, const char *name,
                       bool if_absent, bool *again) {
    str key = str_of(t->key);
    int rc = if_absent ? l->disk->link(l->disk, l->tmp, t->name, dir, name)
                       : l->disk->rename(l->disk, l->tmp, t->name, dir, name, 0);
    if (rc == 0) {
        if (l->disk->sync(l->disk, dir) < 0) return local_errno("sync the directory of", key);
        if (if_absent) (void)l->disk->unlink(l->disk, l->tmp, t->name, 0);
        return NULL;
    }
    int os = errno;
    if (os == ENOENT) {
        *again = true;
        return NULL;
    }
    struct stat st;
    bool is_dir = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
    if (is_dir && strcmp(name, LOCAL_SELF) != 0) {
        int inner = local_openat(dir, name, O_RDONLY | O_DIRECTORY, 0);
        if (inner < 0) {
            *again = true;
            return NULL;
        }
        err *e = place_once(l, t, inner, LOCAL_SELF, if_absent, again);
        close(inner);
        return e;
    }
    if (os == EEXIST) return err_new(ERR_ALREADY_EXISTS, "object '%s' exists", t->key);
    errno = os;
    return local_errno("put", key);
}

static err *place(struct storage_local *l, storage_temp *t, bool if_absent) {
    char path[LOCAL_PATH_CAP], name[256];
    local_path(str_of(t->key), path, name);
    for (int i = 0; i < TRIES; i++) {
        int dir = -1;
        err *e = open_dir_for(l, path, str_of(t->key), &dir);
        if (err_code_of(e) == ERR_NOT_FOUND) {
            err_free(e);
            continue;
        }
        if (e) return e;
        sync_barrier(l);
        bool again = false;
        pthread_rwlock_rdlock(&l->shape);
        e = place_once(l, t, dir, name, if_absent, &again);
        pthread_rwlock_unlock(&l->shape);
        close(dir);
        if (e || !again) return e;
    }
    return err_new(ERR_ABORTED, "the directory of '%s' is changing all the time", t->key);
}

err *storage_local_commit(storage *s, storage_temp *t, bool if_absent, int64_t size,
                          const unsigned char *sha256, struct storage_info *ret) {
    struct storage_local *l = local_of(s);
    struct stat st;
    err *e = NULL;
    str key = str_of(t->key);
    if (fstat(t->fd, &st) < 0)
        e = err_errno("cannot look at the temporary file of '%s'", t->key);
    else if (size >= 0 && st.st_size != size)
        e = err_new(ERR_DATA_LOSS, "'%s' should have %lld bytes and has %lld", t->key,
                    (long long)size, (long long)st.st_size);
    if (!e && sha256) /* a file system without attributes only loses the shortcut */
        (void)fsetxattr(t->fd, LOCAL_SHA_XATTR, sha256, 32, 0);
    if (!e && l->disk->sync(l->disk, t->fd) < 0) e = local_errno("sync", key);
    struct storage_info info = {0};
    if (!e) {
        local_info(t->fd, &st, &info);
        if (sha256) {
            info.has_sha256 = true;
            memcpy(info.sha256, sha256, 32);
        }
        e = t->number ? local_commit_part(l, t, &info) : place(l, t, if_absent);
    }
    if (!e) {
        if (ret) *ret = info;
        close(t->fd);
        free(t);
    } else {
        storage_local_abort(s, t);
    }
    return e;
}

/* ---- the table ---- */

static err *local_put(storage *s, str key, struct storage_source *from,
                      const struct storage_put_options *o, struct storage_info *ret) {
    storage_temp *t;
    TRY(storage_local_temp(s, key, &t));
    int64_t size = 0;
    unsigned char sha[32];
    err *e = local_fill(t, from, &size, sha);
    if (!e && o->before_commit) e = o->before_commit(o->arg, size, sha);
    if (e) {
        storage_local_abort(s, t);
        return e;
    }
    return storage_local_commit(s, t, o->if_absent, size, sha, ret);
}

err *storage_local_open(storage *s, str key, int *ret_fd, struct storage_info *ret) {
    must_magic(s, STORAGE_MAGIC);
    TRY(storage_check_key(key));
    char path[LOCAL_PATH_CAP + 256], name[256];
    local_path(key, path, name);
    size_t n = strlen(path);
    snprintf(path + n, sizeof(path) - n, "%s%s", n ? "/" : "", name);
    struct stat st = {0};
    /* O_NONBLOCK: something that is no file must not hold us up */
    int fd = local_openat(local_of(s)->root, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        int self = local_openat(fd, LOCAL_SELF, O_RDONLY | O_NONBLOCK, 0);
        int os = errno;
        close(fd);
        errno = os;
        fd = self;
        if (fd >= 0 && fstat(fd, &st) < 0) st.st_mode = 0;
    }
    if (fd < 0) return local_errno("open", key);
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return err_new(ERR_INVALID_STATE, "'%.*s' is not a regular file", STR_ARG(key));
    }
    local_info(fd, &st, ret);
    *ret_fd = fd;
    return NULL;
}

static err *local_head(storage *s, str key, struct storage_info *ret) {
    int fd;
    TRY(storage_local_open(s, key, &fd, ret));
    close(fd);
    return NULL;
}

static err *local_get(storage *s, str key, int64_t offset, int64_t length, str if_match,
                      struct storage_sink *to, struct storage_info *ret) {
    int fd;
    TRY(storage_local_open(s, key, &fd, ret));
    err *e = NULL;
    char *chunk = NULL;
    if (if_match.n && !str_eqz(if_match, ret->etag))
        e = err_new(ERR_PRECONDITION_FAILED, "the ETag of '%.*s' is %s, not %.*s", STR_ARG(key),
                    ret->etag, STR_ARG(if_match));
    else if (offset > ret->size || (offset == ret->size && offset > 0))
        e = err_new(ERR_RANGE_NOT_SATISFIABLE, "'%.*s' has %lld bytes; the range begins at %lld",
                    STR_ARG(key), (long long)ret->size, (long long)offset);
    else
        must((chunk = malloc(CHUNK)) != NULL);
    int64_t left = ret->size - offset;
    if (length >= 0 && length < left) left = length;
    while (!e && left > 0) {
        ssize_t n = pread(fd, chunk, left < (int64_t)CHUNK ? (size_t)left : CHUNK, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            e = err_errno("cannot read '%.*s'", STR_ARG(key));
        else if (n == 0)
            e = err_new(ERR_DATA_LOSS, "'%.*s' ends too early", STR_ARG(key));
        else
            e = to->write(to->arg, chunk, (size_t)n);
        offset += n;
        left -= n;
    }
    free(chunk);
    close(fd);
    return e;
}

static err *delete_one(struct storage_local *l, str key) {
    char path[LOCAL_PATH_CAP], name[256];
    local_path(key, path, name);
    pthread_rwlock_rdlock(&l->shape);
    int dir = local_openat(l->root, path, O_RDONLY | O_DIRECTORY, 0);
    int rc = dir < 0 ? -1 : l->disk->unlink(l->disk, dir, name, 0);
    struct stat st;
    /* unlink() of a directory is EISDIR or EPERM, as the file system likes */
    if (rc < 0 && dir >= 0 && errno != ENOENT &&
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
        int inner = local_openat(dir, name, O_RDONLY | O_DIRECTORY, 0);
        int os = errno;
        close(dir);
        errno = os;
        dir = inner;
        size_t n = strlen(path);
        snprintf(path + n, sizeof(path) - n, "%s%s", n ? "/" : "", name);
        rc = dir < 0 ? -1 : l->disk->unlink(l->disk, dir, LOCAL_SELF, 0);
    }
    err *e = NULL;
    if (rc < 0 && errno != ENOENT && errno != ENOTDIR)
        e = local_errno("delete", key);
    else if (rc == 0 && l->disk->sync(l->disk, dir) < 0)
        e = local_errno("sync the delete of", key);
    if (dir >= 0) close(dir);
    if (!e && rc == 0) prune(l, path);
    pthread_rwlock_unlock(&l->shape);
    return e;
}

static err *local_del(storage *s, const str *keys, size_t n) {
    for (size_t i = 0; i < n; i++) TRY(delete_one(local_of(s), keys[i]));
    return NULL;
}

static err *local_copy(storage *s, str from, str to, struct storage_info *ret) {
    int fd;
    struct storage_info info;
    TRY(storage_local_open(s, from, &fd, &info));
    storage_temp *t;
    err *e = storage_local_temp(s, to, &t);
    if (e) {
        close(fd);
        return e;
    }
    int64_t left = info.size;
    while (!e && left > 0) {
        ssize_t n = copy_file_range(fd, NULL, t->fd, NULL, (size_t)left, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            e = local_errno("copy", from);
        else if (n == 0)
            e = err_new(ERR_DATA_LOSS, "'%.*s' ends too early", STR_ARG(from));
        else
            left -= n;
    }
    close(fd);
    if (e) {
        storage_local_abort(s, t);
        return e;
    }
    return storage_local_commit(s, t, false, info.size, info.has_sha256 ? info.sha256 : NULL, ret);
}

/* A second name for the same file, then the first name goes: at no moment is the object absent,
 * and a crash between the two leaves both, never none. */
static err *local_rename(storage *s, str from, str to) {
    struct storage_local *l = local_of(s);
    char path[LOCAL_PATH_CAP], name[256];
    local_path(from, path, name);
    int dir = local_openat(l->root, path, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0) return local_errno("rename", from);
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
        int inner = local_openat(dir, name, O_RDONLY | O_DIRECTORY, 0);
        close(dir);
        dir = inner;
        snprintf(name, sizeof(name), "%s", LOCAL_SELF);
        if (dir < 0) return local_errno("rename", from);
    }
    storage_temp *t = calloc(1, sizeof(*t));
    must(t != NULL);
    rand_hex(t->name, 16);
    snprintf(t->key, sizeof(t->key), "%.*s", STR_ARG(to));
    err *e = l->disk->link(l->disk, dir, name, l->tmp, t->name) < 0 ? local_errno("rename", from)
                                                                    : place(l, t, false);
    close(dir);
    if (e) (void)l->disk->unlink(l->disk, l->tmp, t->name, 0);
    free(t);
    return e ? e : delete_one(l, from);
}

static void local_free(storage *s) {
    struct storage_local *l = local_of(s);
    if (l->root >= 0) close(l->root);
    if (l->tmp >= 0) close(l->tmp);
    pthread_rwlock_destroy(&l->shape);
    pthread_mutex_destroy(&l->making);
    l->base.magic = 0;
    free(l);
}

static const struct storage_ops local_ops = {
    .name = "local directory",
    .put = local_put,
    .get = local_get,
    .head = local_head,
    .list = local_list,
    .del = local_del,
    .copy = local_copy,
    .rename = local_rename,
    .multi_create = local_multi_create,
    .multi_part = local_multi_part,
    .multi_complete = local_multi_complete,
    .multi_abort = local_multi_abort,
    .free = local_free,
};

err *storage_local_new(const char *root, struct storage_disk *disk, storage **ret) {
    struct storage_local *l = calloc(1, sizeof(*l));
    must(l != NULL);
    l->base = (struct storage){STORAGE_MAGIC, &local_ops};
    l->disk = disk ? disk : &real_disk;
    l->root = l->tmp = -1;
    pthread_rwlock_init(&l->shape, NULL);
    pthread_mutex_init(&l->making, NULL);
    err *e = NULL;
    if (mkdir(root, 0700) < 0 && errno != EEXIST)
        e = err_errno("cannot make the storage folder %s", root);
    else if ((l->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        e = err_errno("cannot open the storage folder %s", root);
    else if (mkdirat(l->root, LOCAL_TMP, 0700) < 0 && errno != EEXIST)
        e = err_errno("cannot write in the storage folder %s", root);
    else if ((l->tmp = local_openat(l->root, LOCAL_TMP, O_RDONLY | O_DIRECTORY, 0)) < 0)
        e = err_errno("cannot open %s/%s", root, LOCAL_TMP);
    else if (fsync(l->root) < 0)
        e = err_errno("cannot sync the storage folder %s", root);
    if (e)
        local_free(&l->base);
    else
        *ret = &l->base;
    return e;
}
