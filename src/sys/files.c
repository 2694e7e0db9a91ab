/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/vec.h"
#include "sys/rand.h"

#define PATH_LIMIT 4096u
/* files_remove_tree() holds one descriptor per level down to here; deeper folders are moved up. */
#define REMOVE_DEPTH 24

static err *missing_or(err *e) {
    int n = err_errno_of(e);
    return n == ENOENT || n == ENOTDIR ? err_recode(e, ERR_RESOURCE_DOES_NOT_EXIST) : e;
}

err *files_read_fd(int fd, const char *name, size_t max, buf *out) {
    size_t start = out->n;
    for (;;) {
        char *p = buf_reserve(out, 64u * 1024u);
        if (!p) return err_new(ERR_RESOURCE_EXHAUSTED, "%s is larger than its buffer", name);
        ssize_t n = read(fd, p, 64u * 1024u);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            out->n = start;
            return err_errno("cannot read %s", name);
        }
        if (n == 0) return NULL;
        out->n += (size_t)n;
        if (out->n - start > max) {
            out->n = start;
            return err_new(ERR_RESOURCE_EXHAUSTED, "%s is larger than %zu bytes", name, max);
        }
    }
}

err *files_read_at(int dir, const char *path, size_t max, buf *out) {
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return missing_or(err_errno("cannot open %s", path));
    err *e = files_read_fd(fd, path, max, out);
    close(fd);
    return e;
}

err *files_read(const char *path, size_t max, buf *out) {
    return files_read_at(AT_FDCWD, path, max, out);
}

err *files_write_fd(int fd, const char *name, const void *p, size_t n) {
    const char *at = p;
    while (n > 0) {
        ssize_t w = write(fd, at, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return err_errno("cannot write %s", name);
        at += w;
        n -= (size_t)w;
    }
    return NULL;
}

err *files_sync_parent(const char *path) {
    char dir[PATH_LIMIT];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof(dir)) return err_new(ERR_INVALID_PARAMETER_VALUE, "path is too long: %s", path);
    memcpy(dir, path, n);
    dir[n] = 0;
    const char *name = !slash ? "." : n == 0 ? "/" : dir;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return missing_or(err_errno("cannot open folder %s", name));
    err *e = fsync(fd) == 0 ? NULL : err_errno("cannot sync folder %s", name);
    close(fd);
    return e;
}

/* Writes a synced temporary file beside `path`; its name is left in tmp. */
static err *write_beside(const char *path, str data, mode_t mode, char tmp[PATH_LIMIT]) {
    char tail[17];
    rand_hex(tail, 8);
    int n = snprintf(tmp, PATH_LIMIT, "%s.%s.tmp", path, tail);
    if (n < 0 || (unsigned)n >= PATH_LIMIT)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "path is too long: %s", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return missing_or(err_errno("cannot create %s", tmp));
    err *e = fchmod(fd, mode) == 0 ? NULL : err_errno("cannot set the mode of %s", tmp);
    if (!e) e = files_write_fd(fd, tmp, data.p, data.n);
    if (!e && fsync(fd) != 0) e = err_errno("cannot sync %s", tmp);
    if (close(fd) != 0 && !e) e = err_errno("cannot close %s", tmp);
    if (e) unlink(tmp);
    return e;
}

err *files_write(const char *path, str data, mode_t mode) {
    char tmp[PATH_LIMIT];
    TRY(write_beside(path, data, mode, tmp));
    if (rename(tmp, path) != 0) {
        err *e = err_errno("cannot rename %s to %s", tmp, path);
        unlink(tmp);
        return e;
    }
    return files_sync_parent(path);
}

err *files_create(const char *path, str data, mode_t mode) {
    char tmp[PATH_LIMIT];
    TRY(write_beside(path, data, mode, tmp));
    err *e = NULL;
    if (link(tmp, path) != 0) {
        e = err_errno("cannot create %s", path);
        if (err_errno_of(e) == EEXIST) e = err_recode(e, ERR_RESOURCE_ALREADY_EXISTS);
    }
    unlink(tmp);
    return e ? e : files_sync_parent(path);
}

err *files_mkdirs(const char *path, mode_t mode) {
    char at[PATH_LIMIT];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(at))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "not a usable path: '%.100s'", path);
    memcpy(at, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (at[i] != '/' && at[i] != 0) continue;
        char was = at[i];
        at[i] = 0;
        if (mkdir(at, 0700) == 0) {
            if (chmod(at, mode) != 0) return err_errno("cannot set the mode of %s", at);
        } else if (errno != EEXIST) {
            /* EACCES and EROFS on a folder above that exists are no fault of ours. */
            err *e = err_errno("cannot make folder %s", at);
            struct stat st;
            if (stat(at, &st) != 0 || !S_ISDIR(st.st_mode)) return e;
            err_free(e);
        }
        at[i] = was;
    }
    struct stat st;
    if (stat(path, &st) != 0) return err_errno("cannot read %s", path);
    if (S_ISDIR(st.st_mode)) return NULL;
    return err_new(ERR_IO_ERROR, "%s is there and is not a folder", path);
}

/* A folder of the tree, opened without following links and without entering another mount. */
static int open_inside(int dir, const char *name) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
        fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
    return fd;
}

struct removal {
    int root;       /* the tree's top folder: deep folders are moved here */
    size_t left;    /* entries that may still be removed */
    unsigned moved; /* number of folders moved up so far, for their names */
    const char *path;
};

static err *remove_in(struct removal *r, int dir, int depth);

static err *remove_one(struct removal *r, int dir, const char *name, int depth) {
    if (r->left == 0)
        return err_new(ERR_RESOURCE_EXHAUSTED, "%s has more entries than may be removed at once",
                       r->path);
    r->left--;
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return NULL;
    if (errno != EISDIR && errno != EPERM)
        return err_errno("cannot remove %s below %s", name, r->path);
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return NULL;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_errno("cannot remove folder %s below %s", name, r->path);
    if (depth >= REMOVE_DEPTH) {
        char up[40];
        for (int tries = 0; tries < 1000; tries++) {
            snprintf(up, sizeof(up), ".remove-%u", r->moved++);
            if (syscall(SYS_renameat2, dir, name, r->root, up, 1u /* RENAME_NOREPLACE */) == 0)
                return NULL;
            if (errno != EEXIST) break;
        }
        return err_errno("cannot move folder %s up below %s", name, r->path);
    }
    int fd = open_inside(dir, name);
    if (fd < 0) return err_errno("cannot open folder %s below %s", name, r->path);
    err *e = remove_in(r, fd, depth + 1); /* closes fd; depth is bounded by REMOVE_DEPTH */
    if (!e && unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        e = err_errno("cannot remove folder %s below %s", name, r->path);
    return e;
}

static err *remove_in(struct removal *r, int dir, int depth) {
    /* Writing rights on the folder, where the owner took them from himself. */
    if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) != 0) (void)!fchmod(dir, 0700);
    DIR *d = fdopendir(dir);
    if (!d) {
        close(dir);
        return err_errno("cannot read a folder below %s", r->path);
    }
    err *e = NULL;
    bool again = true;
    while (again && !e) { /* folders moved up into this one appear in a further round */
        again = false;
        rewinddir(d);
        for (struct dirent *ent; !e && (ent = readdir(d));) { // NOLINT(concurrency-mt-unsafe)
            if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0) continue;
            e = remove_one(r, dir, ent->d_name, depth);
            again = true;
        }
    }
    closedir(d);
    return e;
}

err *files_remove_tree(const char *path, size_t max_entries) {
    if (unlink(path) == 0 || errno == ENOENT) return NULL;
    if (errno != EISDIR && errno != EPERM) return err_errno("cannot remove %s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && chmod(path, 0700) == 0)
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return missing_or(err_errno("cannot open folder %s", path));
    struct removal r = {.root = fd, .left = max_entries, .path = path};
    TRY(remove_in(&r, fd, 0));
    return rmdir(path) == 0 || errno == ENOENT ? NULL : err_errno("cannot remove folder %s", path);
}

err *files_lock(const char *path, int *ret_fd) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return missing_or(err_errno("cannot open lock %s", path));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err *e = NULL;
        if (errno == EWOULDBLOCK) {
            char who[32] = "";
            ssize_t n = pread(fd, who, sizeof(who) - 1, 0);
            str pid = str_trim(str_n(who, n > 0 ? (size_t)n : 0));
            e = err_new(ERR_RESOURCE_CONFLICT, "%s is held by process %.*s", path,
                        (int)(pid.n ? pid.n : 7), pid.n ? pid.p : "unknown");
            err_hint(e, "stop that process, or use another folder");
        } else {
            e = err_errno("cannot lock %s", path);
        }
        close(fd);
        return e;
    }
    char text[32];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        err *e = err_errno("cannot write lock %s", path);
        close(fd);
        return e;
    }
    *ret_fd = fd;
    return NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void files_names_free(struct files_names *names) {
    for (size_t i = 0; i < names->n; i++) free(names->p[i]);
    free(names->p);
    *names = (struct files_names){0};
}

err *files_list(const char *path, size_t max, struct files_names *ret) {
    DIR *d = opendir(path);
    if (!d) return missing_or(err_errno("cannot open folder %s", path));
    vec_of(char *) v = {0};
    err *e = NULL;
    for (;;) {
        errno = 0;
        struct dirent *ent = readdir(d); // NOLINT(concurrency-mt-unsafe)
        if (!ent) {
            if (errno) e = err_errno("cannot read folder %s", path);
            break;
        }
        if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0) continue;
        if (v.n == max) {
            e = err_new(ERR_RESOURCE_EXHAUSTED, "folder %s has more than %zu entries", path, max);
            break;
        }
        char *name = strdup(ent->d_name);
        must(name != NULL);
        vec_push(&v, name);
    }
    closedir(d);
    struct files_names names = {.p = v.p, .n = v.n};
    if (e) {
        files_names_free(&names);
        return e;
    }
    if (names.n) qsort(names.p, names.n, sizeof(*names.p), by_name);
    *ret = names;
    return NULL;
}

err *files_space(const char *path, uint64_t *ret_free, uint64_t *ret_total) {
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return missing_or(err_errno("cannot ask for the space of %s", path));
    if (ret_free) *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
    if (ret_total) *ret_total = (uint64_t)st.f_blocks * st.f_frsize;
    return NULL;
}

bool files_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}
