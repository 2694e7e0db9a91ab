/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/vec.h"
#include "delta/managed.h"
#include "sys/files.h"
#include "sys/rand.h"
#include "sys/storage_local.h"

struct delta_fs_ops {
    err *(*read)(const struct delta_fs *fs, arena *a, str name, str *ret);
    err *(*list)(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n);
    err *(*put)(const struct delta_fs *fs, str name, str bytes, bool if_absent);
    err *(*stage)(const struct delta_fs *fs, arena *a, str name, str bytes, struct delta_staged *ret);
    err *(*make_durable)(const struct delta_fs *fs, arena *a, const str *names, size_t n);
    err *(*publish)(const struct delta_fs *fs, const struct delta_staged *s, str name);
    void (*discard)(const struct delta_fs *fs, const struct delta_staged *s);
    err *(*sync)(const struct delta_fs *fs, str dir);
    err *(*mkdir)(const struct delta_fs *fs, str dir);
    err *(*del)(const struct delta_fs *fs, str name);
    err *(*stat)(const struct delta_fs *fs, str name, struct delta_entry *ret);
    err *(*rename)(const struct delta_fs *fs, str from, str to);
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

/* ---- the same in steps (with a disk that may lose power) ---- */

/* Beneath the root, no symbolic link on the way: names come from engines too. */
static int open_below(const struct delta_fs *fs, str name, int flags, mode_t mode) {
    char root[PATH_MAX], rel[PATH_MAX];
    if (fs->root.n >= sizeof(root) || name.n >= sizeof(rel)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(root, sizeof(root), "%.*s", STR_ARG(fs->root));
    snprintf(rel, sizeof(rel), "%.*s", STR_ARG(name.n ? name : STR(".")));
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return -1;
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), .mode = mode, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, dir, rel, &how, sizeof(how));
    int keep = errno;
    close(dir);
    errno = keep;
    return fd;
}

static str folder_of(str name) {
    for (size_t i = name.n; i > 0; i--)
        if (name.p[i - 1] == '/') return str_cut(name, i - 1);
    return STR("");
}

/* Only asks: what fails here fails again at the sync. */
static void begin_write(const struct delta_fs *fs, int fd) {
    if (!fs->disk) (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int disk_sync(const struct delta_fs *fs, int fd) { return fs->disk ? fs->disk->sync(fs->disk, fd) : fsync(fd); }

/* Names of temporary files begin with a dot, so no listing of a log takes them. What a crash leaves is swept by VACUUM. */
static err *dir_stage(const struct delta_fs *fs, arena *a, str name, str bytes, struct delta_staged *ret) {
    str folder = folder_of(name), base = str_from(name, folder.n ? folder.n + 1 : 0);
    *ret = (struct delta_staged){str_of(arena_printf(a, "%.*s%s.%.*s.%d.%llx.tmp", STR_ARG(folder), folder.n ? "/" : "", STR_ARG(base), (int)getpid(),
                                                     (unsigned long long)rand_u64())), bytes};
    int fd = open_below(fs, ret->temp, O_WRONLY | O_CREAT | O_EXCL, 0644);
    const char *shown = ret->temp.p;
    err *e = fd < 0 ? err_errno("%s", shown) : files_write_fd(fd, shown, bytes.p, bytes.n);
    if (!e) begin_write(fs, fd);
    if (fd >= 0) close(fd);
    return e;
}

/* All are asked to be written first: the journal then takes them in one go. */
static err *dir_make_durable(const struct delta_fs *fs, arena *a, const str *names, size_t n) {
    int *fds = arena_array_of(a, int, n + 1);
    vec_of(str) folders = {0};
    size_t opened = 0;
    err *e = NULL;
    for (; !e && opened < n; opened++) {
        struct stat st;
        int fd = fds[opened] = open_below(fs, names[opened], O_RDONLY, 0);
        if (fd < 0 || fstat(fd, &st)) e = err_errno("a file of the commit, %.*s", STR_ARG(names[opened]));
        else if (!S_ISREG(st.st_mode)) e = err_new(ERR_INVALID_PARAMETER_VALUE, "a file of the commit, %.*s, is none", STR_ARG(names[opened]));
        else begin_write(fs, fd);
        /* A staged file gets its name later: until then its folder does not matter. */
        str base = str_from(names[opened], folder_of(names[opened]).n);
        bool named = !str_starts(base, STR("/.")) && !str_starts(base, STR("."));
        for (str at = names[opened]; named && at.n;) {
            size_t k = 0;
            at = folder_of(at);
            while (k < folders.n && !str_eq(folders.p[k], at)) k++;
            if (k == folders.n) vec_push(&folders, at);
        }
    }
    for (size_t i = 0; i < opened; i++) {
        if (!e && disk_sync(fs, fds[i])) e = err_errno("%.*s", STR_ARG(names[i]));
        if (fds[i] >= 0) close(fds[i]);
    }
    for (size_t i = 0; !e && i < folders.n; i++) {
        int fd = open_below(fs, folders.p[i], O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || disk_sync(fs, fd)) e = err_errno("%.*s/%.*s", STR_ARG(fs->root), STR_ARG(folders.p[i]));
        if (fd >= 0) close(fd);
    }
    vec_free(&folders);
    return e;
}

/* A file system without RENAME_NOREPLACE knows link(). */
static int rename_new(const struct delta_fs *fs, int dir, const char *from, const char *to) {
    int rc = fs->disk ? fs->disk->rename(fs->disk, dir, from, dir, to, RENAME_NOREPLACE) : renameat2(dir, from, dir, to, RENAME_NOREPLACE);
    if (rc && (errno == EINVAL || errno == ENOSYS) && !fs->disk) {
        rc = linkat(dir, from, dir, to, 0);
        if (!rc) (void)unlinkat(dir, from, 0);
    }
    return rc;
}

static err *dir_publish(const struct delta_fs *fs, const struct delta_staged *s, str name) {
    arena *a = arena_new();
    str folder = folder_of(name);
    size_t skip = folder.n ? folder.n + 1 : 0;
    int dir = open_below(fs, folder, O_RDONLY | O_DIRECTORY, 0);
    const char *to = arena_printf(a, "%.*s", STR_ARG(str_from(name, skip))), *from = arena_printf(a, "%.*s", STR_ARG(str_from(s->temp, skip)));
    err *e = NULL;
    if (dir < 0) e = err_errno("%.*s/%.*s", STR_ARG(fs->root), STR_ARG(folder));
    else if (rename_new(fs, dir, from, to))
        e = errno == EEXIST ? err_new(ERR_ALREADY_EXISTS, "%s exists", to) : err_errno("%.*s/%.*s", STR_ARG(fs->root), STR_ARG(name));
    if (dir >= 0) close(dir);
    arena_free(a);
    return e;
}

static void dir_discard(const struct delta_fs *fs, const struct delta_staged *s) {
    char path[PATH_MAX];
    if (!s->temp.n || snprintf(path, sizeof(path), "%.*s/%.*s", STR_ARG(fs->root), STR_ARG(s->temp)) >= (int)sizeof(path)) return;
    (void)unlink(path);
}

static err *dir_sync(const struct delta_fs *fs, str dir) {
    int fd = open_below(fs, dir, O_RDONLY | O_DIRECTORY, 0);
    err *e = fd < 0 || disk_sync(fs, fd) ? err_errno("%.*s/%.*s", STR_ARG(fs->root), STR_ARG(dir)) : NULL;
    if (fd >= 0) close(fd);
    return e;
}

static err *dir_mkdir(const struct delta_fs *fs, str dir) {
    arena *a = arena_new();
    err *e = files_mkdirs(path_of(fs, a, dir), 0755);
    /* The table's folder in its own, and this one in it: what a first commit relies on. */
    if (!e) e = files_sync_parent(path_of(fs, a, dir));
    if (!e) e = files_sync_parent(arena_printf(a, "%.*s", STR_ARG(fs->root)));
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
    else if (!S_ISREG(st.st_mode))
        e = err_new(ERR_NOT_FOUND, "%s is no plain file", path);
    else
        *ret = (struct delta_entry){name, st.st_size, (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
    arena_free(a);
    return e;
}

static err *dir_rename(const struct delta_fs *fs, str from, str to) {
    arena *a = arena_new();
    const char *source = path_of(fs, a, from), *target = path_of(fs, a, to);
    err *e = rename(source, target) ? err_errno("%s", target) : files_sync_parent(target);
    arena_free(a);
    return e;
}

static const struct delta_fs_ops dir_ops = {dir_read, dir_list, dir_put, dir_stage, dir_make_durable, dir_publish, dir_discard, dir_sync, dir_mkdir, dir_del, dir_stat, dir_rename};

struct delta_fs delta_fs_dir(arena *a, str root) {
    while (root.n > 1 && root.p[root.n - 1] == '/') root.n--;
    return (struct delta_fs){.ops = &dir_ops, .root = arena_str(a, root)};
}

/* ---- an object store ---- */

#define PUT_AGAIN 6
#define PUT_PAUSE_US 50000

static str key_of(const struct delta_fs *fs, arena *a, str name) {
    str root = fs->root;
    while (root.n && root.p[0] == '/') root = str_from(root, 1);
    return str_of(root.n ? arena_printf(a, "%.*s/%.*s", STR_ARG(root), STR_ARG(name)) : arena_strndup(a, name.p, name.n));
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
    /* Keys greater than one just below `from`: a log of many versions is not read from its beginning. */
    if (from.n && from.p[from.n - 1] > '!' && from.p[from.n - 1] <= '~')
        ask.start_after = str_of(arena_printf(a, "%.*s%.*s%c~", STR_ARG(prefix), STR_ARG(str_cut(from, from.n - 1)), from.p[from.n - 1] - 1));
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
    str key = key_of(fs, a, name);
    err *e = storage_put(fs->store, key, storage_from_bytes(&from, bytes), &o, NULL);
    /* Whoever carried it may have died after the store had it: what lies there tells. Commits have an id of their own, so
     * equal bytes are ours. */
    for (int i = 0; if_absent && i < PUT_AGAIN && (err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE || err_code_of(e) == ERR_ALREADY_EXISTS); i++) {
        str there = STR_NONE;
        err *unread = store_read(fs, a, name, &there);
        err_code code = err_code_of(unread);
        err_free(unread);
        if (code == ERR_OK && str_eq(there, bytes)) {
            err_free(e);
            e = NULL;
        } else if (code == ERR_OK) {
            e = err_code_of(e) == ERR_ALREADY_EXISTS ? e : err_recode(e, ERR_ALREADY_EXISTS);
            break;
        } else {
            usleep(PUT_PAUSE_US << i);
            if (code == ERR_TEMPORARILY_UNAVAILABLE) continue;
            err_free(e);
            e = storage_put(fs->store, key, storage_from_bytes(&from, bytes), &o, NULL);
        }
    }
    arena_free(a);
    return e;
}

static err *store_stage(const struct delta_fs *fs, arena *a, str name, str bytes, struct delta_staged *ret) {
    (void)fs, (void)a, (void)name;
    *ret = (struct delta_staged){STR_NONE, bytes};
    return NULL;
}

static err *store_make_durable(const struct delta_fs *fs, arena *a, const str *names, size_t n) {
    (void)fs, (void)a, (void)names, (void)n;
    return NULL;
}

static err *store_publish(const struct delta_fs *fs, const struct delta_staged *s, str name) { return store_put(fs, name, s->bytes, true); }
static void store_discard(const struct delta_fs *fs, const struct delta_staged *s) { (void)fs, (void)s; }
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

static err *store_rename(const struct delta_fs *fs, str from, str to) {
    arena *a = arena_new();
    struct storage_info info;
    str source = key_of(fs, a, from);
    err *e = storage_copy(fs->store, source, key_of(fs, a, to), &info);
    if (!e) e = storage_del(fs->store, &source, 1);
    arena_free(a);
    return e;
}

static const struct delta_fs_ops store_ops = {store_read, store_list, store_put, store_stage, store_make_durable, store_publish, store_discard, store_nothing, store_nothing, store_del, store_stat, store_rename};

struct delta_fs delta_fs_storage(arena *a, storage *s, str prefix) {
    while (prefix.n && prefix.p[prefix.n - 1] == '/') prefix.n--;
    return (struct delta_fs){.ops = &store_ops, .root = arena_str(a, prefix), .store = s};
}

/* ---- calls ---- */

err *delta_fs_read(const struct delta_fs *fs, arena *a, str name, str *ret) {
    return fs->managed ? delta_managed_get(fs, a, name, ret) : fs->ops->read(fs, a, name, ret);
}
err *delta_fs_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n) {
    return fs->managed ? delta_managed_list(fs, a, dir, from, ret, ret_n) : fs->ops->list(fs, a, dir, from, ret, ret_n);
}
err *delta_fs_put(const struct delta_fs *fs, str name, str bytes, bool if_absent) {
    return fs->ops->put(fs, name, bytes, if_absent);
}
err *delta_fs_delete(const struct delta_fs *fs, str name) { return fs->ops->del(fs, name); }
err *delta_fs_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) {
    return fs->managed ? delta_managed_stat(fs, name, ret) : fs->ops->stat(fs, name, ret);
}
err *delta_fs_stage(const struct delta_fs *fs, arena *a, str name, str bytes, struct delta_staged *ret) { return fs->ops->stage(fs, a, name, bytes, ret); }
err *delta_fs_make_durable(const struct delta_fs *fs, arena *a, const str *names, size_t n) { return fs->ops->make_durable(fs, a, names, n); }
err *delta_fs_publish(const struct delta_fs *fs, const struct delta_staged *s, str name) { return fs->ops->publish(fs, s, name); }
void delta_fs_discard(const struct delta_fs *fs, const struct delta_staged *s) { fs->ops->discard(fs, s); }
err *delta_fs_rename(const struct delta_fs *fs, str from, str to) { return fs->ops->rename(fs, from, to); }
err *delta_fs_sync(const struct delta_fs *fs, str dir) { return fs->ops->sync(fs, dir); }
err *delta_fs_mkdir(const struct delta_fs *fs, str dir) { return fs->ops->mkdir(fs, dir); }
