/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fault_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#define SECTOR 512

/* A write that was not synced: what it wrote. len -1: a truncation to `at`. */
struct op {
    struct op *next;
    sqlite3_int64 at;
    int len;
    unsigned char data[];
};

/* A file by its path. base: the size at the last sync; old: what unsynced writes have overwritten,
 * newest first, as far as it was inside base. */
struct disk_file {
    struct disk_file *next;
    char *path;
    sqlite3_int64 base;
    bool dirty;
    struct op *ops, **last, *old;
};

struct fault_file {
    sqlite3_file base;
    struct disk_file *disk; /* NULL: temporary, not looked after */
    sqlite3_file *real;
};

static struct {
    pthread_mutex_t lock;
    struct disk_file *files;
    int64_t events, cut;
    bool off, registered;
    sqlite3_vfs vfs, *real;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static sqlite3_file *real_of(sqlite3_file *f) { return ((struct fault_file *)f)->real; }

/* ---- what is not synced ---- */

static void free_ops(struct op *o) {
    while (o) {
        struct op *next = o->next;
        free(o);
        o = next;
    }
}

static void forget(struct disk_file *d) {
    free_ops(d->ops);
    free_ops(d->old);
    d->ops = d->old = NULL;
    d->last = &d->ops;
    d->dirty = false;
}

static struct disk_file *disk_file(const char *path) {
    for (struct disk_file *d = disk.files; d; d = d->next)
        if (strcmp(d->path, path) == 0) return d;
    struct disk_file *d = calloc(1, sizeof(*d));
    must(d != NULL);
    d->path = strdup(path);
    must(d->path != NULL);
    d->last = &d->ops;
    d->next = disk.files;
    disk.files = d;
    return d;
}

static struct op *op_new(sqlite3_int64 at, int len) {
    struct op *o = calloc(1, sizeof(*o) + (size_t)(len > 0 ? len : 0));
    must(o != NULL);
    o->at = at;
    o->len = len;
    return o;
}

/* Before bytes from `at` on are replaced (or cut off): keeps those that a sync had made durable. */
static int keep_old(struct fault_file *f, sqlite3_int64 at, sqlite3_int64 len) {
    struct disk_file *d = f->disk;
    if (!d->dirty) {
        int rc = f->real->pMethods->xFileSize(f->real, &d->base);
        if (rc != SQLITE_OK) return rc;
        d->dirty = true;
    }
    if (at + len > d->base) len = d->base - at;
    if (len <= 0) return SQLITE_OK;
    struct op *o = op_new(at, (int)len);
    int rc = f->real->pMethods->xRead(f->real, o->data, (int)len, at);
    o->next = d->old;
    d->old = o;
    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
}

static void add_op(struct disk_file *d, struct op *o) {
    *d->last = o;
    d->last = &o->next;
}

/* True if the power is off, or goes at this very event. */
static bool no_power(bool event) {
    if (event && !disk.off && ++disk.events == disk.cut) disk.off = true;
    return disk.off;
}

/* ---- operations on a file ---- */

static int f_close(sqlite3_file *f) { return real_of(f)->pMethods->xClose(real_of(f)); }

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
    pthread_mutex_lock(&disk.lock);
    int rc =
        no_power(false) ? SQLITE_IOERR_READ : real_of(f)->pMethods->xRead(real_of(f), p, n, at);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    struct fault_file *ff = (struct fault_file *)f;
    pthread_mutex_lock(&disk.lock);
    bool was_on = !disk.off, off = no_power(ff->disk != NULL);
    int rc = off ? SQLITE_IOERR_WRITE : SQLITE_OK;
    /* The write during which the power goes may have reached the disk in part. */
    if (ff->disk && was_on) {
        int kept = keep_old(ff, at, n);
        if (rc == SQLITE_OK) rc = kept;
        struct op *o = op_new(at, n);
        memcpy(o->data, p, (size_t)n);
        add_op(ff->disk, o);
    }
    if (rc == SQLITE_OK) rc = ff->real->pMethods->xWrite(ff->real, p, n, at);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size) {
    struct fault_file *ff = (struct fault_file *)f;
    pthread_mutex_lock(&disk.lock);
    int rc = no_power(ff->disk != NULL) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
    sqlite3_int64 now = 0;
    if (rc == SQLITE_OK && ff->disk) rc = ff->real->pMethods->xFileSize(ff->real, &now);
    if (rc == SQLITE_OK && ff->disk) {
        must(now - size < INT32_MAX);
        rc = keep_old(ff, size, now - size);
        add_op(ff->disk, op_new(size, -1));
    }
    if (rc == SQLITE_OK) rc = ff->real->pMethods->xTruncate(ff->real, size);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int f_sync(sqlite3_file *f, int flags) {
    struct fault_file *ff = (struct fault_file *)f;
    pthread_mutex_lock(&disk.lock);
    int rc = no_power(ff->disk != NULL) ? SQLITE_IOERR_FSYNC
                                        : ff->real->pMethods->xSync(ff->real, flags);
    if (rc == SQLITE_OK && ff->disk) forget(ff->disk);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *n) {
    return real_of(f)->pMethods->xFileSize(real_of(f), n);
}
static int f_lock(sqlite3_file *f, int l) { return real_of(f)->pMethods->xLock(real_of(f), l); }
static int f_unlock(sqlite3_file *f, int l) { return real_of(f)->pMethods->xUnlock(real_of(f), l); }
static int f_reserved(sqlite3_file *f, int *r) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), r);
}
static int f_control(sqlite3_file *f, int op, void *p) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, p);
}
static int f_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
/* No promises of the real disk: no atomic writes, no safe append, no power-safe overwrite. */
static int f_traits(sqlite3_file *f) {
    (void)f;
    return 0;
}
static int f_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **p) {
    return real_of(f)->pMethods->xShmMap(real_of(f), page, n, extend, p);
}
static int f_shm_lock(sqlite3_file *f, int at, int n, int flags) {
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}
static void f_shm_barrier(sqlite3_file *f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
static int f_shm_unmap(sqlite3_file *f, int remove) {
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_traits,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* ---- operations on names ---- */

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
    (void)v;
    struct fault_file *ff = (struct fault_file *)f;
    pthread_mutex_lock(&disk.lock);
    ff->base.pMethods = NULL;
    ff->real = (sqlite3_file *)(ff + 1);
    ff->disk = NULL;
    int rc =
        no_power(false) ? SQLITE_CANTOPEN : disk.real->xOpen(disk.real, name, ff->real, flags, out);
    if (rc == SQLITE_OK) {
        ff->base.pMethods = &methods;
        bool ours = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
        if (name && ours) ff->disk = disk_file(name);
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int v_delete(sqlite3_vfs *v, const char *name, int sync) {
    (void)v;
    pthread_mutex_lock(&disk.lock);
    int rc = no_power(false) ? SQLITE_IOERR_DELETE : disk.real->xDelete(disk.real, name, sync);
    if (rc == SQLITE_OK) forget(disk_file(name));
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int v_access(sqlite3_vfs *v, const char *name, int flags, int *out) {
    (void)v;
    return disk.real->xAccess(disk.real, name, flags, out);
}
static int v_full(sqlite3_vfs *v, const char *name, int n, char *out) {
    (void)v;
    return disk.real->xFullPathname(disk.real, name, n, out);
}
static int v_random(sqlite3_vfs *v, int n, char *out) {
    (void)v;
    return disk.real->xRandomness(disk.real, n, out);
}
static int v_sleep(sqlite3_vfs *v, int us) {
    (void)v;
    return disk.real->xSleep(disk.real, us);
}
static int v_time(sqlite3_vfs *v, double *t) {
    (void)v;
    return disk.real->xCurrentTime(disk.real, t);
}
static int v_error(sqlite3_vfs *v, int n, char *out) {
    (void)v;
    return disk.real->xGetLastError ? disk.real->xGetLastError(disk.real, n, out) : 0;
}

err *fault_vfs_register(void) {
    if (disk.registered) return NULL;
    disk.real = sqlite3_vfs_find(NULL);
    must(disk.real != NULL);
    disk.vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct fault_file) + disk.real->szOsFile,
        .mxPathname = disk.real->mxPathname,
        .zName = FAULT_VFS_NAME,
        .xOpen = v_open,
        .xDelete = v_delete,
        .xAccess = v_access,
        .xFullPathname = v_full,
        .xRandomness = v_random,
        .xSleep = v_sleep,
        .xCurrentTime = v_time,
        .xGetLastError = v_error,
    };
    int rc = sqlite3_vfs_register(&disk.vfs, 0);
    if (rc != SQLITE_OK)
        return err_new(ERR_INTERNAL_ERROR, "SQLite takes no VFS: %s.", sqlite3_errstr(rc));
    disk.registered = true;
    return NULL;
}

void fault_vfs_arm(int64_t n) {
    pthread_mutex_lock(&disk.lock);
    disk.events = 0;
    disk.cut = n;
    pthread_mutex_unlock(&disk.lock);
}

bool fault_vfs_is_off(void) {
    pthread_mutex_lock(&disk.lock);
    bool off = disk.off;
    pthread_mutex_unlock(&disk.lock);
    return off;
}

int64_t fault_vfs_events(void) {
    pthread_mutex_lock(&disk.lock);
    int64_t n = disk.events;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

/* ---- the crash ---- */

static uint64_t next_random(uint64_t *x) {
    *x += 0x9e3779b97f4a7c15ull;
    uint64_t z = *x;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static enum fault_fate fate_of(enum fault_fate fate, uint64_t *x) {
    return fate == FAULT_MIX ? (enum fault_fate)(next_random(x) % 3) : fate;
}

static err *put(int fd, const struct disk_file *d, const void *p, size_t n, sqlite3_int64 at) {
    if (pwrite(fd, p, n, at) == (ssize_t)n) return NULL;
    return err_errno("cannot write %s", d->path);
}

/* One write: sector by sector. */
static err *replay_write(int fd, const struct disk_file *d, const struct op *o,
                         enum fault_fate fate, uint64_t *x) {
    for (int i = 0; i < o->len;) {
        int n = SECTOR - (int)((o->at + i) % SECTOR);
        if (n > o->len - i) n = o->len - i;
        enum fault_fate f = fate_of(fate, x);
        unsigned char noise[SECTOR];
        for (int k = 0; k < n; k++) noise[k] = (unsigned char)next_random(x);
        if (f == FAULT_KEEP) TRY(put(fd, d, o->data + i, (size_t)n, o->at + i));
        if (f == FAULT_SCRAMBLE) TRY(put(fd, d, noise, (size_t)n, o->at + i));
        i += n;
    }
    return NULL;
}

static err *replay(int fd, const struct disk_file *d, enum fault_fate fate, uint64_t *x) {
    /* Back to the last sync: what was overwritten, newest first, and the size. */
    for (const struct op *o = d->old; o; o = o->next)
        TRY(put(fd, d, o->data, (size_t)o->len, o->at));
    if (ftruncate(fd, d->base) < 0) return err_errno("cannot truncate %s", d->path);
    for (const struct op *o = d->ops; o; o = o->next) {
        if (o->len >= 0) {
            TRY(replay_write(fd, d, o, fate, x));
        } else if (fate_of(fate, x) == FAULT_KEEP && ftruncate(fd, o->at) < 0) {
            return err_errno("cannot truncate %s", d->path);
        }
    }
    return NULL;
}

err *fault_vfs_crash(enum fault_fate fate, uint64_t seed) {
    err *e = NULL;
    pthread_mutex_lock(&disk.lock);
    for (struct disk_file *d = disk.files, *next; d; d = next) {
        next = d->next;
        int fd = d->dirty && !e ? open(d->path, O_RDWR | O_CLOEXEC) : -1;
        if (fd >= 0) {
            e = replay(fd, d, fate, &seed);
            close(fd);
        } else if (d->dirty && !e && errno != ENOENT) {
            e = err_errno("cannot open %s", d->path);
        }
        forget(d);
        free(d->path);
        free(d);
    }
    disk.files = NULL;
    disk.off = false;
    disk.cut = disk.events = 0;
    pthread_mutex_unlock(&disk.lock);
    return e;
}
