/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of objects (remote.h): the table of them, what of each is here, fetching and emptying.
 *
 * Locks: the table's first, then an object's; nobody waits for the store with either held.
 * A block is ABSENT, LOADING (one thread fetches it, others wait) or HERE. An object with readers (between need() and
 * done()) is not emptied; one that is emptied keeps its size, so that whoever has it open reads on.
 */
#include "engine/worker/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/worker/remote_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define BLOCK ((int64_t)256 << 10)
#define SMALL (8 << 20)          /* objects up to this are fetched whole */
#define AHEAD_LEAST (1 << 20)
#define AHEAD_MOST (16 << 20)
#define TAIL (512 << 10)         /* where a footer is expected */
#define AGAIN 6                  /* a courier that restarts is there again within a second */
#define AGAIN_PAUSE_US 50000
#define MAX_OBJECTS 1000000u
#define FORGET_US (600 * 1000000ll)

enum { ABSENT, LOADING, HERE };

struct remote_object {
    char *path;
    int64_t size, mtime_us;
    ino_t inode;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char etag[STORAGE_ETAG_CAP];
    int fd;               /* open for writing while somebody has it open, else -1 */
    int opens, readers, loading;
    bool whole, gone;     /* all is here; replaced: freed by the last who has it open */
    _Atomic int source;   /* of a volume's file: where its bytes are, on control's disk; -1 */
    unsigned char *blocks;
    int64_t here;         /* bytes */
    int64_t next, ahead;  /* where a reader who goes on would read, and how much is fetched for him */
    int64_t used;         /* monotonic microseconds */
};

static struct {
    pthread_mutex_t lock;
    map *objects;         /* path → struct remote_object */
    int64_t max_bytes;
    _Atomic int64_t bytes;
} table = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP}; /* files.c opens folders, and opening looks into the table */

err *remote_table_open(const char *dir, int64_t max_bytes) {
    table.max_bytes = max_bytes;
    table.objects = map_new();
    return files_mkdirs(dir, 0700);
}

/* ---- objects ---- */

static size_t blocks_of(const struct remote_object *o) { return (size_t)((o->size + BLOCK - 1) / BLOCK); }

static void object_free(struct remote_object *o) {
    if (o->fd >= 0) close(o->fd);
    if (o->source >= 0) close(o->source);
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->changed);
    table.bytes -= o->here;
    free(o->blocks);
    free(o->path);
    free(o);
}

/* Out of the table, which is locked; its file's name goes. */
static void forget(struct remote_object *o) {
    map_del(table.objects, str_of(o->path));
    unlink(o->path);
    pthread_mutex_lock(&o->lock);
    o->gone = true;
    bool last = !o->opens;
    pthread_mutex_unlock(&o->lock);
    if (last) object_free(o);
}

static void set_time(const struct remote_object *o, int fd) {
    struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {o->mtime_us / 1000000, o->mtime_us % 1000000 * 1000}};
    (void)futimens(fd, t); /* what is read does not change when a copy fills */
}

static err *make_file(struct remote_object *o) {
    char *slash = strrchr(o->path, '/');
    int fd = open(o->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT) {
        *slash = 0;
        err *e = files_mkdirs(o->path, 0700);
        *slash = '/';
        if (e) return e;
        fd = open(o->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    struct stat st;
    if (fd < 0 || ftruncate(fd, o->size) || fstat(fd, &st)) {
        err *e = err_errno("cannot keep a copy at %s", o->path);
        if (fd >= 0) close(fd);
        return e;
    }
    o->inode = st.st_ino;
    set_time(o, fd);
    close(fd);
    return NULL;
}

static struct remote_object *object_new(str path, int64_t size, int64_t mtime_us, str etag) {
    struct remote_object *o = calloc(1, sizeof(*o));
    must(o != NULL);
    *o = (struct remote_object){.path = str_dup(path), .size = size, .mtime_us = mtime_us ? mtime_us : clock_now(), .fd = -1,
                                .source = -1, .next = -1, .used = clock_mono()};
    must(o->path != NULL);
    if (etag.n < sizeof(o->etag)) memcpy(o->etag, etag.p ? etag.p : "", etag.n);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, NULL);
    return o;
}

static void forget_old(void) {
    if (map_size(table.objects) < MAX_OBJECTS) return;
    int64_t before = clock_mono() - FORGET_US;
    vec_of(struct remote_object *) old = {0};
    str k;
    void *v;
    for (size_t i = 0; map_next(table.objects, &i, &k, &v);)
        if (!((struct remote_object *)v)->opens && ((struct remote_object *)v)->used < before) vec_push(&old, v);
    for (size_t i = 0; i < old.n; i++) forget(old.p[i]);
    vec_free(&old);
}

static bool is_same(const struct remote_object *o, int64_t size, int64_t mtime_us, str etag) {
    if (o->size != size) return false;
    if (etag.n && o->etag[0]) return str_eqz(etag, o->etag);
    return !etag.n || !mtime_us || o->mtime_us == mtime_us;
}

err *remote_table_put(str path, int64_t size, int64_t mtime_us, str etag, bool whole) {
    pthread_mutex_lock(&table.lock);
    struct remote_object *o = map_get(table.objects, path);
    err *e = NULL;
    if (o && !whole && is_same(o, size, mtime_us, etag)) {
        o->used = clock_mono();
        pthread_mutex_unlock(&table.lock);
        return NULL;
    }
    if (o && whole) { /* its new file is there already, under the same name */
        map_del(table.objects, path);
        pthread_mutex_lock(&o->lock);
        o->gone = true;
        bool last = !o->opens;
        pthread_mutex_unlock(&o->lock);
        if (last) object_free(o);
    } else if (o) {
        forget(o);
    }
    forget_old();
    o = object_new(path, size, mtime_us, etag);
    if (whole) {
        struct stat st;
        o->whole = true;
        if (lstat(o->path, &st) == 0) o->inode = st.st_ino;
        o->here = size;
        table.bytes += size;
    } else {
        unlink(o->path);
        e = make_file(o);
    }
    if (e)
        object_free(o);
    else
        map_put(table.objects, str_of(o->path), o);
    pthread_mutex_unlock(&table.lock);
    remote_make_room();
    return e;
}

void remote_table_del(str path) {
    pthread_mutex_lock(&table.lock);
    struct remote_object *o = map_get(table.objects, path);
    if (o) forget(o);
    pthread_mutex_unlock(&table.lock);
}

bool remote_table_has(str path) {
    pthread_mutex_lock(&table.lock);
    bool has = map_get(table.objects, path) != NULL;
    pthread_mutex_unlock(&table.lock);
    return has;
}

/* ---- room ---- */

/* Its bytes go; false: it is in use. */
static bool empty(struct remote_object *o) {
    pthread_mutex_lock(&o->lock);
    bool can = !o->readers && !o->loading && o->here > 0;
    if (can) {
        int fd = o->fd >= 0 ? o->fd : open(o->path, O_WRONLY | O_CLOEXEC);
        can = fd >= 0 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, o->size) == 0;
        if (can) set_time(o, fd);
        if (fd >= 0 && fd != o->fd) close(fd);
    }
    if (can) {
        table.bytes -= o->here;
        o->here = 0;
        o->whole = false;
        free(o->blocks);
        o->blocks = NULL;
    }
    pthread_mutex_unlock(&o->lock);
    return can;
}

static int by_use(const void *x, const void *y) {
    const struct remote_object *a = *(struct remote_object *const *)x, *b = *(struct remote_object *const *)y;
    if ((a->opens > 0) != (b->opens > 0)) return a->opens > 0 ? 1 : -1;
    return a->used < b->used ? -1 : a->used > b->used;
}

void remote_make_room(void) {
    if (table.bytes <= table.max_bytes) return;
    pthread_mutex_lock(&table.lock);
    vec_of(struct remote_object *) all = {0};
    str k;
    void *v;
    for (size_t i = 0; map_next(table.objects, &i, &k, &v);)
        if (((struct remote_object *)v)->here > 0) vec_push(&all, v);
    if (all.n) qsort(all.p, all.n, sizeof(*all.p), by_use);
    for (size_t i = 0; i < all.n && table.bytes > table.max_bytes / 5 * 4; i++) (void)empty(all.p[i]);
    vec_free(&all);
    pthread_mutex_unlock(&table.lock);
}

/* ---- reading ---- */

static bool hold_open(struct remote_object *o) {
    pthread_mutex_lock(&o->lock);
    if (o->fd < 0) o->fd = open(o->path, O_RDWR | O_CLOEXEC);
    bool ok = o->fd >= 0;
    if (ok) o->opens++;
    o->used = clock_mono();
    pthread_mutex_unlock(&o->lock);
    return ok;
}

static struct remote_object *take(const char *path) {
    pthread_mutex_lock(&table.lock);
    struct remote_object *o = table.objects ? map_get(table.objects, str_of(path)) : NULL;
    if (o && !hold_open(o)) o = NULL;
    pthread_mutex_unlock(&table.lock);
    return o;
}

bool remote_opened(const char *path, int fd, struct remote_object **ret) {
    struct stat st, now;
    *ret = NULL;
    if (!remote_is(str_of(path)) && !remote_is_file(str_of(path))) return true;
    pthread_mutex_lock(&table.lock);
    struct remote_object *o = table.objects ? map_get(table.objects, str_of(path)) : NULL;
    bool ok = fstat(fd, &st) == 0;
    if (ok && o && st.st_ino == o->inode && hold_open(o))
        *ret = o;
    else /* a file that was written here; or a copy that was replaced meanwhile, whose holes nobody fills */
        ok = ok && lstat(path, &now) == 0 && now.st_ino == st.st_ino && !(o && st.st_ino == o->inode);
    pthread_mutex_unlock(&table.lock);
    return ok;
}

void remote_closed(struct remote_object *o) {
    pthread_mutex_lock(&o->lock);
    bool last = --o->opens == 0, gone = o->gone;
    if (last && o->fd >= 0) {
        close(o->fd);
        o->fd = -1;
    }
    if (last && o->source >= 0) {
        close(o->source);
        o->source = -1;
    }
    pthread_mutex_unlock(&o->lock);
    if (last && gone) object_free(o);
}

/* Of a volume's file: o->source is there, where control has the bytes on its disk. */
static bool ready(struct remote_object *o) {
    str place = str_of(o->path);
    int fd;
    if (!remote_is_file(place) || o->source >= 0 || remote_volumes_in_store()) return true;
    if (!remote_volume_source(place, &fd)) return false;
    if (fd < 0) return true;
    pthread_mutex_lock(&o->lock);
    bool first = o->source < 0;
    if (first) o->source = fd;
    pthread_mutex_unlock(&o->lock);
    if (!first) close(fd);
    return true;
}

struct filling {
    struct remote_object *o;
    int64_t at, end;
};

static err *fill(void *arg, const void *p, size_t n) {
    struct filling *f = arg;
    if (f->at + (int64_t)n > f->end) return err_new(ERR_DATA_LOSS, "%s has more bytes than were asked for", f->o->path);
    const char *from = p;
    while (n) {
        ssize_t put = pwrite(f->o->fd, from, n, f->at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return err_errno("cannot keep a copy at %s", f->o->path);
        from += put, f->at += put, n -= (size_t)put;
    }
    return NULL;
}

static err *fetch_once(struct remote_object *o, int64_t from, int64_t to, const char *etag, char ret_etag[STORAGE_ETAG_CAP]) {
    struct filling f = {o, from, to};
    struct storage_sink sink = {fill, &f};
    struct storage_info info = {0};
    TRY(storage_get(remote_storage(), str_from(str_of(o->path), 1), from, to - from, str_of(etag), &sink, &info));
    if (f.at != to || info.size != o->size)
        return err_new(ERR_DATA_LOSS, "%s has another size than its table's log says", o->path);
    memcpy(ret_etag, info.etag, STORAGE_ETAG_CAP);
    return NULL;
}

static err *fetch(struct remote_object *o, int64_t from, int64_t to, const char *etag, char ret_etag[STORAGE_ETAG_CAP]) {
    str place = str_of(o->path);
    if (!remote_is_file(place)) return fetch_once(o, from, to, etag, ret_etag);
    /* Blobs do not change. A grant that is found may be of a statement that has just ended. */
    err *e = NULL;
    for (int i = 0; i < 2; i++) {
        int fd = -1;
        if ((e || !remote_granted(place)) && !remote_volume_source(place, &fd)) return e ? e : err_new(ERR_PERMISSION_DENIED, "%s may not be read", o->path);
        if (fd >= 0) close(fd);
        err_free(e);
        e = fetch_once(o, from, to, "", ret_etag);
        if (err_code_of(e) != ERR_PERMISSION_DENIED) return e;
    }
    return e;
}

/* Marks the run of absent blocks that begins at `first`, as long as is worth it, as loading; its end. */
static size_t choose(struct remote_object *o, size_t first, size_t last, int64_t offset, int64_t end) {
    int64_t want = end;
    if (o->size <= SMALL) {
        want = o->size;
    } else if (offset == o->next) {
        o->ahead = o->ahead * 2 > AHEAD_MOST ? AHEAD_MOST : o->ahead * 2;
        want = end + o->ahead;
    } else {
        o->ahead = AHEAD_LEAST;
        if (want < offset + o->ahead) want = offset + o->ahead;
    }
    if (want > o->size) want = o->size;
    size_t stop = (size_t)((want + BLOCK - 1) / BLOCK), i = first;
    if (stop <= last) stop = last + 1;
    while (i < stop && o->blocks[i] == ABSENT) o->blocks[i++] = LOADING;
    return i;
}

static void mark(struct remote_object *o, size_t from, size_t to, int as) {
    for (size_t i = from; i < to; i++) o->blocks[i] = (unsigned char)as;
    if (as != HERE) return;
    int64_t end = (int64_t)to * BLOCK, n = (end > o->size ? o->size : end) - (int64_t)from * BLOCK;
    o->here += n;
    table.bytes += n;
    o->whole = o->here == o->size;
}

/* What the reader is told: errno. */
static int complain(struct remote_object *o, err *e) {
    log_warn("an object cannot be read", lf_z("path", o->path), lf_err(e));
    int told = err_code_of(e) == ERR_NOT_FOUND ? ENOENT : EIO;
    if (remote_is_file(str_of(o->path))) remote_volume_lost(str_of(o->path), e);
    err_free(e);
    return told;
}

/* The lock is held; blocks first..last become HERE. 0, or errno. */
static int bring(struct remote_object *o, size_t first, size_t last, int64_t offset, int64_t end) {
    if (!o->blocks) o->blocks = calloc(blocks_of(o) + 1, 1);
    must(o->blocks != NULL);
    for (size_t i = first; i <= last;) {
        if (o->blocks[i] == HERE) {
            i++;
        } else if (o->blocks[i] == LOADING) {
            pthread_cond_wait(&o->changed, &o->lock);
        } else {
            size_t to = choose(o, i, last, offset, end);
            char etag[STORAGE_ETAG_CAP], seen[STORAGE_ETAG_CAP] = "";
            int64_t stop = (int64_t)to * BLOCK;
            memcpy(etag, o->etag, sizeof(etag));
            o->loading++;
            pthread_mutex_unlock(&o->lock);
            err *e = fetch(o, (int64_t)i * BLOCK, stop > o->size ? o->size : stop, etag, seen);
            for (int k = 0; err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE && k < AGAIN; k++) {
                usleep(AGAIN_PAUSE_US << k);
                err_free(e);
                e = fetch(o, (int64_t)i * BLOCK, stop > o->size ? o->size : stop, etag, seen);
            }
            pthread_mutex_lock(&o->lock);
            o->loading--;
            set_time(o, o->fd);
            if (!e && !o->etag[0]) memcpy(o->etag, seen, sizeof(seen));
            mark(o, i, to, e ? ABSENT : HERE);
            pthread_cond_broadcast(&o->changed);
            if (e) return complain(o, e);
        }
    }
    return 0;
}

/* Has the bytes fetched; then nobody empties the copy until done(). False: they cannot be had, errno says why. */
static bool need(struct remote_object *o, int64_t offset, size_t n) {
    int failed = 0;
    pthread_mutex_lock(&o->lock);
    int64_t end = offset + (int64_t)n;
    if (end > o->size) end = o->size;
    o->readers++;
    o->used = clock_mono();
    if (!o->whole && offset < end) failed = bring(o, (size_t)(offset / BLOCK), (size_t)((end - 1) / BLOCK), offset, end);
    o->next = end;
    if (failed) o->readers--;
    pthread_mutex_unlock(&o->lock);
    if (table.bytes > table.max_bytes) remote_make_room();
    if (failed) errno = failed;
    return !failed;
}

static void done(struct remote_object *o) {
    pthread_mutex_lock(&o->lock);
    o->readers--;
    pthread_mutex_unlock(&o->lock);
}

void remote_fetch_tail(str path) {
    char *z = str_dup(path);
    must(z != NULL);
    struct remote_object *o = take(z);
    free(z);
    if (!o) return;
    int64_t from = o->size > TAIL ? o->size - TAIL : 0;
    if (o->size && ready(o) && o->source < 0 && need(o, from, (size_t)(o->size - from))) done(o);
    remote_closed(o);
}

ssize_t remote_read(struct remote_object *o, int fd, void *p, size_t n, off_t offset) {
    if (!ready(o)) {
        errno = EIO;
        return -1;
    }
    if (o->source >= 0) return syscall(SYS_pread64, o->source, p, n, offset);
    if (!need(o, offset, n)) return -1;
    ssize_t got = syscall(SYS_pread64, fd, p, n, offset);
    done(o);
    return got;
}

bool remote_table_here(str path) {
    pthread_mutex_lock(&table.lock);
    struct remote_object *o = map_get(table.objects, path);
    bool here = !o;
    if (o) {
        pthread_mutex_lock(&o->lock);
        here = o->whole || (o->blocks && o->size && o->blocks[blocks_of(o) - 1] == HERE);
        pthread_mutex_unlock(&o->lock);
    }
    pthread_mutex_unlock(&table.lock);
    return here;
}
