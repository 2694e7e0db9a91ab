/* SPDX-License-Identifier: Apache-2.0 */
/* Object stores behind the copies (remote.h): URLs and places, grants, orders to the courier. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"
#include "engine/worker/remote_int.h"
#include "ipc/courier_client.h"

#define AT_ONCE 8            /* transfers of one statement */
#define AGAIN 6
#define AGAIN_PAUSE_US 50000
#define MAX_LISTED 1000000u

struct grant {
    uint64_t statement;
    char *prefix, *key;      /* path here, and what the store calls it */
    storage *s;
    int users;
    bool over;
    struct grant *older;     /* of the same file */
};

static struct {
    char *dir;               /* without a slash at its end */
    size_t dir_n;
    courier_client *client;
    pthread_mutex_t lock;    /* guards grants */
    vec_of(struct grant *) grants;
    map *files;              /* place of a volume's file → its youngest grant */
} remote = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct storage_ops ops;
static storage front = {STORAGE_MAGIC, &ops};

err *remote_open(loop *l, const char *dir, int64_t max_bytes) {
    remote.dir = strdup(dir);
    must(remote.dir != NULL);
    remote.dir_n = strlen(dir);
    remote.client = courier_client_new(l);
    remote.files = map_new();
    remote_volume_dir(dir);
    return remote_table_open(dir, max_bytes);
}

err *remote_join(int fd) {
    if (remote.client) return courier_client_join(remote.client, fd);
    close(fd);
    return err_new(ERR_INVALID_STATE, "a channel to the courier before the lease");
}

storage *remote_storage(void) { return &front; }

/* ---- URLs and places ---- */

static str scheme_off(str url) { return str_from(url, str_starts(url, STR("s3a://")) ? 6 : 5); }

bool remote_is_url(str url) { return str_starts(url, STR("s3://")) || str_starts(url, STR("s3a://")); }

bool remote_is(str path) {
    return remote.dir_n && path.n > remote.dir_n && path.p[remote.dir_n] == '/' && memcmp(path.p, remote.dir, remote.dir_n) == 0;
}

str remote_path(arena *a, str url) {
    str rest = scheme_off(url);
    while (rest.n && rest.p[rest.n - 1] == '/') rest.n--;
    return str_of(arena_printf(a, "%s/%.*s", remote.dir ? remote.dir : "", STR_ARG(rest)));
}

str remote_url(arena *a, str path) { return str_of(arena_printf(a, "s3:/%.*s", STR_ARG(str_from(path, remote.dir_n)))); }

/* ---- grants ---- */

void remote_grant(uint64_t statement, str url, str key, str grant) {
    if (!remote.client || !remote_is_url(url)) return;
    arena *a = arena_new();
    str path = remote_path(a, url);
    struct grant *g = calloc(1, sizeof(*g));
    must(g != NULL);
    *g = (struct grant){.statement = statement, .prefix = str_dup(path), .key = str_dup(key), .s = courier_client_granted(remote.client, grant)};
    must(g->prefix != NULL && g->key != NULL);
    arena_free(a);
    pthread_mutex_lock(&remote.lock);
    vec_push(&remote.grants, g);
    pthread_mutex_unlock(&remote.lock);
}

void remote_grant_file(uint64_t statement, str place, str key, str grant) {
    if (!remote.client) return;
    struct grant *g = calloc(1, sizeof(*g));
    must(g != NULL);
    *g = (struct grant){.statement = statement, .prefix = str_dup(place), .key = str_dup(key), .s = courier_client_granted(remote.client, grant)};
    must(g->prefix != NULL && g->key != NULL);
    pthread_mutex_lock(&remote.lock);
    g->older = map_del(remote.files, place);
    map_put(remote.files, str_of(g->prefix), g);
    pthread_mutex_unlock(&remote.lock);
}

static void grant_free(struct grant *g) {
    storage_free(g->s);
    free(g->prefix);
    free(g->key);
    free(g);
}

/* The lock is held. */
static void end_grant(size_t i) {
    struct grant *g = remote.grants.p[i];
    memmove(&remote.grants.p[i], &remote.grants.p[i + 1], (remote.grants.n - i - 1) * sizeof(*remote.grants.p));
    remote.grants.n--;
    g->over = true;
    if (!g->users) grant_free(g);
}

/* What is left of a list of grants of one file without the statement's. */
static struct grant *without(struct grant *g, uint64_t statement) {
    struct grant *left = NULL, **last = &left;
    for (struct grant *next; g; g = next) {
        next = g->older;
        g->older = NULL;
        if (g->statement != statement) {
            *last = g;
            last = &g->older;
            continue;
        }
        g->over = true;
        if (!g->users) grant_free(g);
    }
    return left;
}

static void end_files(uint64_t statement) {
    if (!map_size(remote.files)) return;
    map *left = map_new();
    str k;
    void *v;
    for (size_t i = 0; map_next(remote.files, &i, &k, &v);) {
        struct grant *g = without(v, statement);
        if (g) map_put(left, str_of(g->prefix), g);
    }
    map_free(remote.files);
    remote.files = left;
}

void remote_end(uint64_t statement) {
    pthread_mutex_lock(&remote.lock);
    end_files(statement);
    for (size_t i = remote.grants.n; i-- > 0;)
        if (remote.grants.p[i]->statement == statement) end_grant(i);
    pthread_mutex_unlock(&remote.lock);
}

static bool covers(const struct grant *g, str path) {
    size_t n = strlen(g->prefix);
    return str_starts(path, str_n(g->prefix, n)) && (path.n == n || path.p[n] == '/');
}

/* The youngest of the longest prefix; a statement that writes got its grant last. Held until let_go(). */
static struct grant *grant_of(str path, const struct grant *but) {
    struct grant *best = NULL;
    pthread_mutex_lock(&remote.lock);
    if (remote_is_file(path)) {
        best = map_get(remote.files, path);
        while (best && best == but) best = best->older;
    }
    for (size_t i = 0; i < remote.grants.n && !remote_is_file(path); i++) {
        struct grant *g = remote.grants.p[i];
        if (g != but && covers(g, path) && (!best || strlen(g->prefix) >= strlen(best->prefix))) best = g;
    }
    if (best) best->users++;
    pthread_mutex_unlock(&remote.lock);
    return best;
}

static void let_go(struct grant *g) {
    pthread_mutex_lock(&remote.lock);
    if (--g->users == 0 && g->over) grant_free(g);
    pthread_mutex_unlock(&remote.lock);
}

bool remote_granted(str path) {
    struct grant *g = grant_of(path, NULL);
    if (g) let_go(g);
    return g != NULL;
}

/* ---- the store behind ---- */

/* One call with the grant that fits; with another one if the courier refuses that (its statement has just ended, or it is
 * for reading alone). */
struct call {
    err *(*run)(struct call *c, const struct grant *g);
    str path;
    void *in;
    void *out;
    arena *a;
    bool again;  /* may be done twice */
};

static err *carry_out(struct call *c) {
    struct grant *g = grant_of(c->path, NULL);
    if (!g) return err_new(ERR_PERMISSION_DENIED, "the statement was granted nothing at s3:/%.*s", STR_ARG(str_from(c->path, remote.dir_n)));
    err *e = c->run(c, g);
    /* A courier that restarts is there again within a second. */
    for (int i = 0; c->again && err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE && i < AGAIN; i++) {
        usleep(AGAIN_PAUSE_US << i);
        err_free(e);
        e = c->run(c, g);
    }
    for (int tries = 0; err_code_of(e) == ERR_PERMISSION_DENIED && tries < 16; tries++) {
        struct grant *other = grant_of(c->path, g);
        if (!other || other == g) {
            if (other) let_go(other);
            break;
        }
        err_free(e);
        let_go(g);
        g = other;
        e = c->run(c, g);
    }
    let_go(g);
    return e;
}

/* Keys of `front` are paths without their first slash: the same text, one byte before, is the path. */
static str path_of(arena *a, str key) { return str_of(arena_printf(a, "/%.*s", STR_ARG(key))); }

/* A path under the grant's, as the store calls it. */
static str store_key(arena *a, const struct grant *g, str path) {
    str rest = str_from(path, strlen(g->prefix));
    if (g->key[0]) return str_of(arena_printf(a, "%s%.*s", g->key, STR_ARG(rest)));
    return rest.n ? str_from(rest, 1) : rest;
}

static str key_of(struct call *c, const struct grant *g) { return store_key(c->a, g, c->path); }

static err *outside(str key) { return err_new(ERR_INVALID_PARAMETER_VALUE, "%.*s is no place of an object", STR_ARG(key)); }

struct get_in {
    int64_t offset, length;
    str if_match;
    struct storage_sink *to;
};

static err *run_get(struct call *c, const struct grant *g) {
    const struct get_in *in = c->in;
    return storage_get(g->s, key_of(c, g), in->offset, in->length, in->if_match, in->to, c->out);
}

static err *front_get(storage *s, str key, int64_t offset, int64_t length, str if_match, struct storage_sink *to, struct storage_info *ret) {
    (void)s;
    arena *a = arena_new();
    struct get_in in = {offset, length, if_match, to};
    struct call c = {run_get, path_of(a, key), &in, ret, a, false}; /* part of it may be in the sink */
    err *e = remote_is(c.path) || remote_is_file(c.path) ? carry_out(&c) : outside(key);
    arena_free(a);
    return e;
}

static err *run_head(struct call *c, const struct grant *g) { return storage_head(g->s, key_of(c, g), c->out); }

static err *front_head(storage *s, str key, struct storage_info *ret) {
    (void)s;
    arena *a = arena_new();
    struct call c = {run_head, path_of(a, key), NULL, ret, a, true};
    err *e = remote_is(c.path) ? carry_out(&c) : outside(key);
    arena_free(a);
    return e;
}

static err *run_list(struct call *c, const struct grant *g) {
    struct storage_list_ask ask = *(const struct storage_list_ask *)c->in;
    struct storage_list *ret = c->out;
    size_t before = strlen(g->key); /* what the store has where we have the grant's path */
    ask.prefix = key_of(c, g);
    if (ask.start_after.n) ask.start_after = store_key(c->a, g, path_of(c->a, ask.start_after));
    TRY(storage_list(g->s, c->a, &ask, ret));
    for (size_t i = 0; i < ret->n; i++) {
        str rest = str_from(ret->entries[i].key, before && ret->entries[i].key.n > before ? before + 1 : 0);
        ret->entries[i].key = str_of(arena_printf(c->a, "%s/%.*s", g->prefix + 1, STR_ARG(rest)));
    }
    return NULL;
}

static err *front_list(storage *s, arena *a, const struct storage_list_ask *ask, struct storage_list *ret) {
    (void)s;
    struct call c = {run_list, path_of(a, ask->prefix), (void *)ask, ret, a, true};
    return remote_is(c.path) ? carry_out(&c) : outside(ask->prefix);
}

static err *run_del(struct call *c, const struct grant *g) {
    str key = key_of(c, g);
    return storage_del(g->s, &key, 1);
}

static err *front_del(storage *s, const str *keys, size_t n) {
    (void)s;
    arena *a = arena_new();
    err *e = NULL;
    for (size_t i = 0; i < n && !e; i++) {
        struct call c = {run_del, path_of(a, keys[i]), NULL, NULL, a, true};
        e = remote_is(c.path) ? carry_out(&c) : outside(keys[i]);
    }
    arena_free(a);
    return e;
}

struct put_in {
    struct storage_source *from;
    const struct storage_put_options *o;
    bool sent;
};

/* The body has gone out when the courier refuses a grant: with another grant it goes out again. */
static err *run_put(struct call *c, const struct grant *g) {
    struct put_in *in = c->in;
    if (in->sent && !in->from->rewind) return err_new(ERR_TEMPORARILY_UNAVAILABLE, "the statement that wrote has ended");
    if (in->sent) TRY(in->from->rewind(in->from->arg));
    in->sent = true;
    return storage_put(g->s, key_of(c, g), in->from, in->o, c->out);
}

static err *front_put(storage *s, str key, struct storage_source *from, const struct storage_put_options *o, struct storage_info *ret) {
    (void)s;
    arena *a = arena_new();
    struct put_in in = {.from = from, .o = o};
    struct call c = {run_put, path_of(a, key), &in, ret, a, false};
    err *e = remote_is(c.path) ? carry_out(&c) : outside(key);
    arena_free(a);
    return e;
}

static const struct storage_ops ops = {.name = "remote", .put = front_put, .get = front_get, .head = front_head, .list = front_list, .del = front_del};

/* ---- declaring, listing ---- */

err *remote_head(arena *a, str path, struct remote_entry *ret) {
    struct storage_info info;
    TRY(storage_head(&front, str_from(path, 1), &info));
    *ret = (struct remote_entry){path, info.size, info.mtime, str_of(arena_strdup(a, info.etag))};
    return NULL;
}

err *remote_declare(str path, int64_t size, int64_t mtime_us, str etag) {
    struct remote_entry found;
    if (!remote_is(path) || !remote_granted(path))
        return err_new(ERR_PERMISSION_DENIED, "the statement was granted nothing at %.*s", STR_ARG(path));
    if (size >= 0) return remote_table_put(path, size, mtime_us, etag, false);
    arena *a = arena_new();
    err *e = remote_head(a, path, &found);
    if (!e) e = remote_table_put(path, found.size, found.mtime_us, found.etag, false);
    arena_free(a);
    return e;
}

err *remote_list(arena *a, str folder, struct remote_entry **ret, size_t *ret_n) {
    vec_of(struct remote_entry) all = {0};
    struct storage_list_ask ask = {.prefix = str_of(arena_printf(a, "%.*s/", STR_ARG(str_from(folder, 1))))};
    err *e = NULL;
    for (;;) {
        struct storage_list page;
        if ((e = storage_list(&front, a, &ask, &page))) break;
        for (size_t i = 0; i < page.n; i++) {
            str key = page.entries[i].key;
            if (!key.n || key.p[key.n - 1] == '/') continue; /* a folder's marker */
            struct remote_entry x = {path_of(a, key), page.entries[i].size, page.entries[i].mtime, str_of(page.entries[i].etag)};
            vec_push(&all, x);
        }
        if (all.n > MAX_LISTED) e = err_new(ERR_RESOURCE_EXHAUSTED, "s3:/%.*s has more than %u objects", STR_ARG(str_from(folder, remote.dir_n)), MAX_LISTED);
        if (e || !page.next.n) break;
        ask.token = page.next;
    }
    *ret = arena_array_of(a, struct remote_entry, all.n + 1);
    if (all.n) memcpy(*ret, all.p, all.n * sizeof(*all.p));
    *ret_n = all.n;
    vec_free(&all);
    return e;
}

/* ---- several at a time ---- */

struct batch {
    const str *paths;
    size_t n;
    err *(*one)(str path);
    atomic_size_t next;
    pthread_mutex_t lock;
    err *failed;
};

static void *batch_main(void *arg) {
    struct batch *b = arg;
    for (;;) {
        size_t i = atomic_fetch_add(&b->next, 1);
        if (i >= b->n) return NULL;
        err *e = b->one(b->paths[i]);
        if (!e) continue;
        pthread_mutex_lock(&b->lock);
        if (!b->failed)
            b->failed = e;
        else
            err_free(e);
        b->next = b->n; /* what was not begun is not begun any more */
        pthread_mutex_unlock(&b->lock);
        return NULL;
    }
}

static err *run_batch(const str *paths, size_t n, err *(*one)(str path)) {
    struct batch b = {.paths = paths, .n = n, .one = one, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[AT_ONCE];
    size_t started = 0;
    while (started + 1 < AT_ONCE && started + 1 < n && pthread_create(&threads[started], NULL, batch_main, &b) == 0) started++;
    batch_main(&b);
    for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    return b.failed;
}

static err *warm_one(str path) {
    if (!remote_table_here(path)) remote_fetch_tail(path);
    return NULL;
}

void remote_warm(const str *paths, size_t n) { err_free(run_batch(paths, n, warm_one)); }

static err *upload_one(str path) {
    arena *a = arena_new();
    const char *z = arena_strndup(a, path.p, path.n);
    struct stat st;
    struct storage_info info;
    struct storage_fd source;
    int fd = open(z, O_RDONLY | O_CLOEXEC);
    err *e = fd < 0 || fstat(fd, &st) ? err_errno("%s", z) : NULL;
    static const struct storage_put_options plain = {0};
    if (!e) e = storage_put(&front, str_from(path, 1), storage_from_fd(&source, fd, st.st_size), &plain, &info);
    for (int i = 0; err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE && i < AGAIN; i++) {
        usleep(AGAIN_PAUSE_US << i);
        err_free(e);
        e = source.source.rewind(&source);
        if (!e) e = storage_put(&front, str_from(path, 1), &source.source, &plain, &info);
    }
    if (fd >= 0) close(fd);
    if (!e) e = remote_table_put(path, st.st_size, info.mtime, str_of(info.etag), true);
    arena_free(a);
    return e;
}

err *remote_upload(const str *paths, size_t n) { return run_batch(paths, n, upload_one); }

static err *delete_one(str path) {
    str key = str_from(path, 1);
    arena *a = arena_new();
    remote_table_del(path);
    unlink(arena_strndup(a, path.p, path.n));
    arena_free(a);
    return storage_del(&front, &key, 1);
}

err *remote_delete(const str *paths, size_t n) { return run_batch(paths, n, delete_one); }
