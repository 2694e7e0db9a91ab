/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "sys/files.h"
#include "sys/rand.h"

struct delta_fs_ops {
    err *(*read)(const struct delta_fs *fs, arena *a, str name, str *ret);
    err *(*list)(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n);
    err *(*put)(const struct delta_fs *fs, str name, str bytes, bool if_absent);
    err *(*put_unsynced)(const struct delta_fs *fs, str name, str bytes);
    err *(*sync)(const struct delta_fs *fs, str dir);
    err *(*mkdir)(const struct delta_fs *fs, str dir);
    err *(*del)(const struct delta_fs *fs, str name);
    err *(*stat)(const struct delta_fs *fs, str name, struct delta_entry *ret);
};

/* ---- a directory ---- */

static char *path_of(const struct delta_fs *fs, arena *a, str name) {
    return arena_printf(a, "%.*s/%.*s", STR_ARG(fs->root), STR_ARG(name));
}

static err *dir_read(const struct delta_fs *fs, arena *a, str name, str *ret) {
    buf b = {0};
    err *e = files_read(path_of(fs, a, name), DELTA_MAX_LOG_FILE, &b);
    if (err_code_of(e) == ERR_RESOURCE_DOES_NOT_EXIST) e = err_recode(e, ERR_NOT_FOUND);
    if (!e) *ret = arena_str(a, str_n(b.p ? b.p : "", b.n));
    buf_free(&b);
    return e;
}

static int by_name(const void *x, const void *y) {
    return str_cmp(((const struct delta_entry *)x)->name, ((const struct delta_entry *)y)->name);
}

static err *dir_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n) {
    *ret = NULL, *ret_n = 0;
    const char *path = path_of(fs, a, dir);
    DIR *d = opendir(path);
    if (!d) return errno == ENOENT || errno == ENOTDIR ? NULL : err_errno("%s", path);
    vec_of(struct delta_entry) v = {0};
    for (struct dirent *x; (x = readdir(d));) {
        str name = str_of(x->d_name);
        struct stat st;
        if (x->d_name[0] == '.' || str_cmp(name, from) < 0) continue;
        if (fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) continue;
        struct delta_entry one = {arena_str(a, name), st.st_size, (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
        vec_push(&v, one);
    }
    closedir(d);
    if (v.n) {
        qsort(v.p, v.n, sizeof(*v.p), by_name);
        *ret = arena_array_of(a, struct delta_entry, v.n);
        memcpy(*ret, v.p, v.n * sizeof(*v.p));
        *ret_n = v.n;
    }
    vec_free(&v);
    return NULL;
}

static err *dir_put(const struct delta_fs *fs, str name, str bytes, bool if_absent) {
    arena *a = arena_new();
    const char *path = path_of(fs, a, name);
    err *e = if_absent ? files_create(path, bytes, 0644) : files_write(path, bytes, 0644);
    if (err_code_of(e) == ERR_RESOURCE_ALREADY_EXISTS) e = err_recode(e, ERR_ALREADY_EXISTS);
    arena_free(a);
    return e;
}

/* Names of temporary files begin with a dot, so no listing of a log takes them. What a crash leaves is swept by VACUUM. */
static err *dir_put_unsynced(const struct delta_fs *fs, str name, str bytes) {
    arena *a = arena_new();
    const char *path = path_of(fs, a, name);
    size_t dir = 0;
    for (size_t i = 0; path[i]; i++)
        if (path[i] == '/') dir = i;
    const char *temp = arena_printf(a, "%.*s/.%s.%d.%llx.tmp", (int)dir, path, path + dir + 1, (int)getpid(), (unsigned long long)rand_u64());
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    err *e = fd < 0 ? err_errno("%s", temp) : files_write_fd(fd, temp, bytes.p, bytes.n);
    if (!e && fsync(fd)) e = err_errno("%s", temp);
    if (fd >= 0) close(fd);
    if (!e && link(temp, path)) e = errno == EEXIST ? err_new(ERR_ALREADY_EXISTS, "%s exists", path) : err_errno("%s", path);
    if (fd >= 0) unlink(temp);
    arena_free(a);
    return e;
}

static err *dir_sync(const struct delta_fs *fs, str dir) {
    arena *a = arena_new();
    err *e = files_sync_parent(arena_printf(a, "%s/x", path_of(fs, a, dir)));
    arena_free(a);
    return e;
}

static err *dir_mkdir(const struct delta_fs *fs, str dir) {
    arena *a = arena_new();
    err *e = files_mkdirs(path_of(fs, a, dir), 0755);
    arena_free(a);
    return e;
}

static err *dir_del(const struct delta_fs *fs, str name) {
    arena *a = arena_new();
    const char *path = path_of(fs, a, name);
    err *e = unlink(path) && errno != ENOENT ? err_errno("removing %s", path) : NULL;
    arena_free(a);
    return e;
}

static err *dir_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) {
    arena *a = arena_new();
    const char *path = path_of(fs, a, name);
    struct stat st;
    err *e = NULL;
    if (lstat(path, &st))
        e = errno == ENOENT || errno == ENOTDIR ? err_new(ERR_NOT_FOUND, "%s: no such file", path) : err_errno("%s", path);
    else
        *ret = (struct delta_entry){name, st.st_size, (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
    arena_free(a);
    return e;
}

static const struct delta_fs_ops dir_ops = {dir_read, dir_list, dir_put, dir_put_unsynced, dir_sync, dir_mkdir, dir_del, dir_stat};

struct delta_fs delta_fs_dir(arena *a, str root) {
    while (root.n > 1 && root.p[root.n - 1] == '/') root.n--;
    return (struct delta_fs){&dir_ops, arena_str(a, root), NULL};
}

/* ---- an object store ---- */

static str key_of(const struct delta_fs *fs, arena *a, str name) {
    return str_of(fs->root.n ? arena_printf(a, "%.*s/%.*s", STR_ARG(fs->root), STR_ARG(name)) : arena_strndup(a, name.p, name.n));
}

static err *store_read(const struct delta_fs *fs, arena *a, str name, str *ret) {
    buf b = {.max = DELTA_MAX_LOG_FILE};
    struct storage_sink sink = storage_to_buf(&b);
    struct storage_info info;
    err *e = storage_get(fs->store, key_of(fs, a, name), 0, -1, STR_NONE, &sink, &info);
    /* A range from 0 of an empty object is refused by some stores. */
    if (err_code_of(e) == ERR_RANGE_NOT_SATISFIABLE) err_free(e), e = NULL;
    if (!e) *ret = arena_str(a, str_n(b.p ? b.p : "", b.n));
    buf_free(&b);
    return e;
}

static err *store_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n) {
    *ret = NULL, *ret_n = 0;
    str prefix = str_of(arena_printf(a, "%.*s/", STR_ARG(key_of(fs, a, dir))));
    vec_of(struct delta_entry) v = {0};
    struct storage_list_ask ask = {.prefix = prefix, .delimiter = true};
    err *e = NULL;
    for (;;) {
        struct storage_list page;
        if ((e = storage_list(fs->store, a, &ask, &page))) break;
        for (size_t i = 0; i < page.n; i++) {
            str name = str_from(page.entries[i].key, prefix.n);
            if (page.entries[i].prefix || !name.n || str_cmp(name, from) < 0) continue;
            struct delta_entry one = {name, page.entries[i].size, page.entries[i].mtime / 1000};
            vec_push(&v, one);
        }
        if (!page.next.n) break;
        ask.token = page.next;
    }
    if (!e && v.n) {
        *ret = arena_array_of(a, struct delta_entry, v.n);
        memcpy(*ret, v.p, v.n * sizeof(*v.p));
        *ret_n = v.n;
    }
    vec_free(&v);
    return e;
}

static err *store_put(const struct delta_fs *fs, str name, str bytes, bool if_absent) {
    arena *a = arena_new();
    struct storage_bytes from;
    struct storage_put_options o = {.if_absent = if_absent};
    err *e = storage_put(fs->store, key_of(fs, a, name), storage_from_bytes(&from, bytes), &o, NULL);
    arena_free(a);
    return e;
}

static err *store_put_unsynced(const struct delta_fs *fs, str name, str bytes) { return store_put(fs, name, bytes, true); }
static err *store_nothing(const struct delta_fs *fs, str dir) {
    (void)fs, (void)dir;
    return NULL;
}

static err *store_del(const struct delta_fs *fs, str name) {
    arena *a = arena_new();
    str key = key_of(fs, a, name);
    err *e = storage_del(fs->store, &key, 1);
    arena_free(a);
    return e;
}

static err *store_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) {
    arena *a = arena_new();
    struct storage_info info;
    err *e = storage_head(fs->store, key_of(fs, a, name), &info);
    if (!e) *ret = (struct delta_entry){name, info.size, info.mtime / 1000};
    arena_free(a);
    return e;
}

static const struct delta_fs_ops store_ops = {store_read, store_list, store_put, store_put_unsynced, store_nothing, store_nothing, store_del, store_stat};

struct delta_fs delta_fs_storage(arena *a, storage *s, str prefix) {
    while (prefix.n && prefix.p[prefix.n - 1] == '/') prefix.n--;
    return (struct delta_fs){&store_ops, arena_str(a, prefix), s};
}

/* ---- calls ---- */

err *delta_fs_read(const struct delta_fs *fs, arena *a, str name, str *ret) { return fs->ops->read(fs, a, name, ret); }
err *delta_fs_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n) {
    return fs->ops->list(fs, a, dir, from, ret, ret_n);
}
err *delta_fs_put(const struct delta_fs *fs, str name, str bytes, bool if_absent) {
    return fs->ops->put(fs, name, bytes, if_absent);
}
err *delta_fs_delete(const struct delta_fs *fs, str name) { return fs->ops->del(fs, name); }
err *delta_fs_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) { return fs->ops->stat(fs, name, ret); }
err *delta_fs_put_unsynced(const struct delta_fs *fs, str name, str bytes) { return fs->ops->put_unsynced(fs, name, bytes); }
err *delta_fs_sync(const struct delta_fs *fs, str dir) { return fs->ops->sync(fs, dir); }
err *delta_fs_mkdir(const struct delta_fs *fs, str dir) { return fs->ops->mkdir(fs, dir); }
