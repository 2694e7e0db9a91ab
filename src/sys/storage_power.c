/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that loses power, below the local store.
 *
 * The real directory always shows what a running program sees. Beside it stands what a power loss
 * could take away:
 *
 *   names  For every call that changes a directory, what the entry was before: nothing, a file
 * (kept alive by a second link in an attic), or an empty directory. Syncing the directory forgets
 *          its records. The cut walks the records backwards and puts the old entries back: all of
 *          them (drop), none (keep), or from a random one on, per directory (scramble), which is
 * how ordered journals behave. data   For every synced file its size and time of change at that
 * moment. A file found at the cut that was never synced, or was changed since, loses its content
 * (drop), keeps it, or keeps a random mixture (scramble).
 *
 * What a rename leaves in its old directory is not restored: only temporary names are renamed from,
 * and the sweep removes those. A file that came by rename or link is known by its inode, wherever
 * it is found.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"
#include "sys/storage_fault.h"

struct record {
    int dir; /* O_PATH */
    ino_t ino;
    char name[256];
    enum { WAS_NOTHING, WAS_FILE, WAS_DIRECTORY } was;
    char attic[24];
};

struct synced {
    off_t size;
    struct timespec mtime;
};

struct storage_power {
    struct storage_disk disk;
    uint64_t random;
    int64_t calls, die_after;
    bool died;
    char attic_path[32];
    int attic, n_attic;
    vec_of(struct record) records;
    map *files; /* inode -> struct synced */
};

static uint64_t draw(storage_power *p) { /* splitmix64 */
    uint64_t z = p->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool powered(storage_power *p) {
    if (p->died || (p->die_after >= 0 && p->calls >= p->die_after)) {
        p->died = true;
        errno = EIO;
        return false;
    }
    p->calls++;
    return true;
}

/* Writes down what dir/name is now. */
static void record(storage_power *p, int dir, const char *name) {
    struct record r = {.dir = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct stat st;
    must(r.dir >= 0 && fstat(r.dir, &st) == 0);
    r.ino = st.st_ino;
    snprintf(r.name, sizeof(r.name), "%s", name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        r.was = WAS_NOTHING;
    } else if (S_ISDIR(st.st_mode)) {
        r.was = WAS_DIRECTORY;
    } else {
        r.was = WAS_FILE;
        snprintf(r.attic, sizeof(r.attic), "%d", p->n_attic++);
        must(linkat(dir, name, p->attic, r.attic, 0) == 0);
    }
    vec_push(&p->records, r);
}

static void forget(storage_power *p, size_t i) {
    close(p->records.p[i].dir);
    for (size_t j = i + 1; j < p->records.n; j++) p->records.p[j - 1] = p->records.p[j];
    p->records.n--;
}

static int power_sync(struct storage_disk *d, int fd) {
    storage_power *p = (storage_power *)d;
    struct stat st;
    if (!powered(p)) return -1;
    must(fstat(fd, &st) == 0);
    if (S_ISDIR(st.st_mode)) {
        for (size_t i = p->records.n; i > 0; i--)
            if (p->records.p[i - 1].ino == st.st_ino) forget(p, i - 1);
        return 0;
    }
    struct synced *s = malloc(sizeof(*s));
    must(s != NULL);
    *s = (struct synced){st.st_size, st.st_mtim};
    uint64_t ino = st.st_ino;
    free(map_put(p->files, map_key_u64(&ino), s));
    return 0;
}

static int power_link(struct storage_disk *d, int from_dir, const char *from, int to_dir,
                      const char *to) {
    storage_power *p = (storage_power *)d;
    if (!powered(p)) return -1;
    if (linkat(from_dir, from, to_dir, to, 0) < 0) return -1;
    struct record r = {.was = WAS_NOTHING,
                       .dir = openat(to_dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct stat st;
    must(r.dir >= 0 && fstat(r.dir, &st) == 0);
    r.ino = st.st_ino;
    snprintf(r.name, sizeof(r.name), "%s", to);
    vec_push(&p->records, r);
    return 0;
}

static int power_rename(struct storage_disk *d, int from_dir, const char *from, int to_dir,
                        const char *to, unsigned flags) {
    storage_power *p = (storage_power *)d;
    if (!powered(p)) return -1;
    record(p, to_dir, to);
    int rc = renameat2(from_dir, from, to_dir, to, flags);
    int os = errno;
    if (rc < 0) forget(p, p->records.n - 1);
    errno = os;
    return rc;
}

static int power_unlink(struct storage_disk *d, int dir, const char *name, int flags) {
    storage_power *p = (storage_power *)d;
    if (!powered(p)) return -1;
    record(p, dir, name);
    int rc = unlinkat(dir, name, flags);
    int os = errno;
    if (rc < 0) forget(p, p->records.n - 1);
    errno = os;
    return rc;
}

static int power_mkdir(struct storage_disk *d, int dir, const char *name) {
    storage_power *p = (storage_power *)d;
    if (!powered(p)) return -1;
    record(p, dir, name);
    int rc = mkdirat(dir, name, 0700);
    int os = errno;
    if (rc < 0) forget(p, p->records.n - 1);
    errno = os;
    return rc;
}

err *storage_power_new(uint64_t seed, int64_t die_after, storage_power **ret) {
    storage_power *p = calloc(1, sizeof(*p));
    must(p != NULL);
    p->disk =
        (struct storage_disk){power_sync, power_link, power_rename, power_unlink, power_mkdir};
    p->random = seed;
    p->die_after = die_after;
    p->files = map_new();
    snprintf(p->attic_path, sizeof(p->attic_path), "/tmp/bh-attic-XXXXXX");
    if (!mkdtemp(p->attic_path) ||
        (p->attic = open(p->attic_path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
        err *e = err_errno("cannot make a folder for lost files");
        map_free(p->files);
        free(p);
        return e;
    }
    *ret = p;
    return NULL;
}

struct storage_disk *storage_power_disk(storage_power *p) {
    return &p->disk;
}
int64_t storage_power_calls(const storage_power *p) { return p->calls; }
bool storage_power_died(const storage_power *p) { return p->died; }

/* ---- the cut ---- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* Out of the way with whatever has the name now; a directory with all that is in it. */
static void remove_name(storage_power *p, int dir, const char *name) {
    char aside[24], path[64];
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return;
    snprintf(aside, sizeof(aside), "d%d", p->n_attic++);
    if (renameat(dir, name, p->attic, aside) < 0) return;
    snprintf(path, sizeof(path), "%s/%s", p->attic_path, aside);
    remove_tree(path);
}

static void undo(storage_power *p, const struct record *r) {
    struct stat st;
    bool there = fstatat(r->dir, r->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (r->was == WAS_DIRECTORY) {
        if (there && S_ISDIR(st.st_mode)) return;
        remove_name(p, r->dir, r->name);
        (void)mkdirat(r->dir, r->name, 0700);
        return;
    }
    remove_name(p, r->dir, r->name);
    if (r->was == WAS_FILE && linkat(p->attic, r->attic, r->dir, r->name, 0) < 0)
        return; /* the attic is gone with the test's folder */
}

/* Of each directory's records the first so many have reached the disk. */
static bool survives(storage_power *p, size_t i, map *kept) {
    uint64_t ino = p->records.p[i].ino;
    size_t *left = map_get(kept, map_key_u64(&ino));
    if (!left) {
        size_t n = 0;
        for (size_t j = 0; j < p->records.n; j++) n += p->records.p[j].ino == ino;
        must((left = malloc(sizeof(*left))) != NULL);
        *left = draw(p) % (n + 1);
        map_put(kept, map_key_u64(&ino), left);
    }
    if (*left == 0) return false;
    --*left;
    return true;
}

static void spoil(storage_power *p, int fd, off_t size, enum storage_power_mode mode) {
    char junk[4096];
    if (mode == STORAGE_POWER_DROP || draw(p) % 4 == 0) {
        (void)!ftruncate(fd, 0);
        return;
    }
    off_t n = size ? (off_t)(draw(p) % (uint64_t)size) : 0;
    if (draw(p) % 2) (void)!ftruncate(fd, n);
    for (size_t i = 0; i < sizeof(junk); i++) junk[i] = (char)draw(p);
    (void)!pwrite(fd, junk, sizeof(junk), n / 2);
}

/* nftw() has no argument for its callback. One cut at a time. */
static _Thread_local struct {
    storage_power *p;
    enum storage_power_mode mode;
} visiting;

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)ftw;
    if (kind != FTW_F) return 0;
    uint64_t ino = st->st_ino;
    const struct synced *s = map_get(visiting.p->files, map_key_u64(&ino));
    if (s && s->size == st->st_size && s->mtime.tv_sec == st->st_mtim.tv_sec &&
        s->mtime.tv_nsec == st->st_mtim.tv_nsec)
        return 0;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return 0;
    spoil(visiting.p, fd, st->st_size, visiting.mode);
    close(fd);
    return 0;
}

err *storage_power_cut(storage_power *p, const char *root, enum storage_power_mode mode) {
    p->died = true;
    if (mode == STORAGE_POWER_KEEP) return NULL;
    map *kept = map_new();
    bool *stays = calloc(p->records.n + 1, sizeof(*stays));
    must(stays != NULL);
    for (size_t i = 0; i < p->records.n && mode == STORAGE_POWER_SCRAMBLE; i++)
        stays[i] = survives(p, i, kept);
    for (size_t i = p->records.n; i > 0; i--)
        if (!stays[i - 1]) undo(p, &p->records.p[i - 1]);
    str key;
    void *v;
    for (size_t i = 0; map_next(kept, &i, &key, &v);) free(v);
    map_free(kept);
    free(stays);
    visiting.p = p;
    visiting.mode = mode;
    return nftw(root, visit, 16, FTW_PHYS) < 0 ? err_errno("cannot walk %s", root) : NULL;
}

void storage_power_free(storage_power *p) {
    if (!p) return;
    while (p->records.n) forget(p, p->records.n - 1);
    vec_free(&p->records);
    str key;
    void *v;
    for (size_t i = 0; map_next(p->files, &i, &key, &v);) free(v);
    map_free(p->files);
    close(p->attic);
    remove_tree(p->attic_path);
    free(p);
}
