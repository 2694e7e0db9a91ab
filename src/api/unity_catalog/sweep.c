/* SPDX-License-Identifier: Apache-2.0 */
#include "api/unity_catalog/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "catalog/catalogs.h"
#include "catalog/locations.h"
#include "catalog/stores.h"
#include "catalog/tables.h"
#include "delta/checkpoint.h"
#include "engine/link.h"
#include "files/blob.h"
#include "files/tree.h"
#include "identity/identity.h"
#include "sys/clock.h"
#include "sys/files.h"

#define FIRST_US (60ll * 1000000)
#define MAX_IN_ONE_WRITE 200
#define MAX_ENTRIES 10000000
#define MAX_DELETED 1000
#define UUID_LENGTH 36

struct sweep {
    struct control *c;
    loop_timer timer;
    arena *a;          /* of the run in progress */
    const char *root;
    str root_url;      /* of managed tables where they lie on S3, else empty */
    int64_t before_us;
    int64_t tables, folders, files;
    atomic_int state;  /* who is last frees it */
};

enum { IDLE, RUNNING, CLOSED };

/* ---- what was dropped ---- */

struct drops {
    struct control *c;
    vec_of(char *) keys;
};

struct purge {
    struct sweep *s;
    err *(*fn)(const struct caller *c, int64_t before, size_t max, struct tables_gone *ret);
    struct tables_gone gone;
    struct drops *drops;    /* blobs of volumes and models that went with a schema */
};

static void drop_blob(void *arg, str key) {
    struct purge *p = arg;
    if (p->s->c->keep_past || !key.n) return;
    char *copy = str_dup(key);
    must(copy != NULL);
    vec_push(&p->drops->keys, copy);
}

static err *drop_files(const struct caller *c, str folder) {
    err *e = tree_remove_all(c->tx, metastore_scope(c), c->a, folder, drop_blob, c->arg);
    err_code code = err_code_of(e);
    if (code != ERR_NOT_FOUND && code != ERR_RESOURCE_DOES_NOT_EXIST) return e;
    err_free(e);
    return NULL;
}

static struct caller caller_of(struct sweep *s, store_tx *tx) {
    static const struct policy_subject nobody;
    struct caller c = {.tx = tx, .today = tx, .scope = identity_account(), .a = s->a, .who = &nobody, .stores = s->c->stores};
    c.n_roots = engine_roots(s->c, &c.roots);
    return c;
}

static err *purge(store_tx *tx, void *arg) {
    struct purge *p = arg;
    struct caller c = caller_of(p->s, tx);
    c.drop_files = drop_files;
    c.arg = p;
    return p->fn(&c, p->s->before_us, MAX_IN_ONE_WRITE, &p->gone);
}

/* On the loop, after the write. */
static void drop_blobs(void *arg) {
    struct drops *d = arg;
    for (size_t i = 0; i < d->keys.n; i++) {
        blob_drop(d->c, str_of(d->keys.p[i]));
        free(d->keys.p[i]);
    }
    vec_free(&d->keys);
    free(d);
}

/* The storage that an s3:// URL lies in; its credential may be gone. */
static err *open_store(struct sweep *s, str url, struct store_at *ret) {
    store_tx *tx;
    TRY(store_read_begin(s->c->store, STORE_META, 0, &tx));
    struct caller c = caller_of(s, tx);
    err *e = c.stores ? stores_open(&c, url, ret) : err_new(ERR_NOT_FOUND, "no stores are known");
    store_read_end(tx);
    return e;
}

/* Removes what lies below a prefix, unless `old_only` and something there is young; *removed: all is gone that there was. */
static err *remove_objects(struct sweep *s, storage *from, str prefix, bool old_only, bool *removed) {
    struct storage_list_ask ask = {.prefix = prefix};
    vec_of(str) keys = {0};
    bool young = false;
    err *e = NULL;
    for (;;) {
        struct storage_list page;
        if ((e = storage_list(from, s->a, &ask, &page))) break;
        for (size_t i = 0; i < page.n; i++) {
            young |= page.entries[i].mtime >= s->before_us;
            vec_push(&keys, page.entries[i].key);
        }
        if (!page.next.n || (old_only && young)) break;
        ask.token = page.next;
    }
    *removed = !e && !(old_only && young) && keys.n;
    for (size_t i = 0; *removed && !e && i < keys.n; i += MAX_DELETED) e = storage_del(from, keys.p + i, keys.n - i < MAX_DELETED ? keys.n - i : MAX_DELETED);
    vec_free(&keys);
    return e;
}

/* A managed location's folder of a table is named by its uuid: nothing else is removed, whatever the row says. */
static err *remove_elsewhere(struct sweep *s, const struct tables_folder *f) {
    struct store_at at;
    bool removed;
    if (!str_ends(f->url, f->uuid) || f->uuid.n != UUID_LENGTH) return NULL;
    if (!url_is_remote(f->url)) {
        struct location_place place;
        struct caller c = caller_of(s, NULL);
        TRY(locations_place(&c, f->url, &place));
        return files_remove_tree(arena_printf(s->a, "%.*s", STR_ARG(place.control)), MAX_ENTRIES);
    }
    TRY(open_store(s, f->url, &at));
    return remove_objects(s, at.s, str_of(arena_printf(s->a, "%.*s/", STR_ARG(at.key))), false, &removed);
}

/* Rows go first: a folder without a row is found by the walks below if this process ends in between. */
static err *drop_old(struct sweep *s, err *(*fn)(const struct caller *c, int64_t before, size_t max, struct tables_gone *ret), const char *action) {
    struct store_actor actor = {.request_id = STR("sweep"), .client = STR("local"), .action = str_of(action), .scope = identity_account()};
    for (bool more = true; more;) {
        struct drops *drops = calloc(1, sizeof(*drops));
        must(drops != NULL);
        drops->c = s->c;
        struct purge p = {.s = s, .fn = fn, .drops = drops};
        err *failed = store_write_sync(s->c->store, STORE_META, purge, &p, &actor);
        for (; failed && drops->keys.n; drops->keys.n--) free(drops->keys.p[drops->keys.n - 1]);
        loop_post(s->c->l, drop_blobs, drops);
        TRY(failed);
        for (size_t i = 0; i < p.gone.n; i++) {
            const struct tables_folder *f = &p.gone.p[i];
            str url = f->url.n ? f->url : s->root_url.n ? str_of(arena_printf(s->a, "%.*s/%.*s", STR_ARG(s->root_url), STR_ARG(f->uuid))) : STR("");
            err *e = url.n ? remove_elsewhere(s, &(struct tables_folder){f->uuid, url})
                           : files_remove_tree(arena_printf(s->a, "%s/%.*s", s->root, STR_ARG(f->uuid)), MAX_ENTRIES);
            if (e) log_warn("a dropped table's folder stays", lf_str("uuid", f->uuid), lf_err(e));
            err_free(e);
            s->tables++;
        }
        more = p.gone.more;
    }
    return NULL;
}

/* ---- folders ---- */

static bool is_old(const struct sweep *s, const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000 < s->before_us; }

/* Nothing in it changed lately: its own time, its log's, and those of what lies directly in both. */
static bool all_old(struct sweep *s, const char *path, int depth) {
    struct stat st;
    if (lstat(path, &st) || !is_old(s, &st)) return false;
    if (!S_ISDIR(st.st_mode) || !depth) return true;
    DIR *d = opendir(path);
    bool old = d != NULL;
    for (struct dirent *x; old && (x = readdir(d));)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0) old = all_old(s, arena_printf(s->a, "%s/%s", path, x->d_name), depth - 1);
    if (d) closedir(d);
    return old;
}

static bool temporary(const char *name, bool log) {
    size_t n = strlen(name);
    if (log) return name[0] == '.' && n > 4 && strcmp(name + n - 4, ".tmp") == 0;
    return strncmp(name, DELTA_TEMPORARY, sizeof(DELTA_TEMPORARY) - 1) == 0;
}

static void sweep_names(struct sweep *s, const char *path, bool log) {
    DIR *d = opendir(path);
    for (struct dirent *x; d && (x = readdir(d));) {
        if (!temporary(x->d_name, log)) continue;
        const char *at = arena_printf(s->a, "%s/%s", path, x->d_name);
        if (!all_old(s, at, 2)) continue;
        err *e = files_remove_tree(at, MAX_ENTRIES);
        if (!e) s->files++;
        err_free(e);
    }
    if (d) closedir(d);
}

static err *known(struct sweep *s, store_tx *tx, str uuid, bool *ret) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_UUID, .s = uuid}}, .limit = 1};
    TRY(ent_uc_table_list(tx, identity_account(), s->a, &q, &rows));
    *ret = rows.n > 0;
    return NULL;
}

static err *sweep_folder(struct sweep *s, store_tx *tx, const char *name) {
    bool has_row;
    const char *path = arena_printf(s->a, "%s/%s", s->root, name);
    TRY(known(s, tx, str_of(name), &has_row));
    if (has_row) {
        sweep_names(s, path, false);
        sweep_names(s, arena_printf(s->a, "%s/_delta_log", path), true);
        return NULL;
    }
    if (!all_old(s, path, 2)) return NULL;
    s->folders++;
    return files_remove_tree(path, MAX_ENTRIES);
}

/* The same on S3: what lies below the root of managed tables there, a folder for each. */
static err *sweep_prefix(struct sweep *s, store_tx *tx, const struct store_at *at, str folder) {
    bool has_row, removed = false;
    str uuid = str_from(folder, at->key.n + 1);
    while (uuid.n && uuid.p[uuid.n - 1] == '/') uuid.n--;
    if (uuid.n != UUID_LENGTH) return NULL;
    TRY(known(s, tx, uuid, &has_row));
    if (has_row) {
        str left = str_of(arena_printf(s->a, "%.*s/%.*s/" DELTA_TEMPORARY, STR_ARG(at->key), STR_ARG(uuid)));
        TRY(remove_objects(s, at->s, left, true, &removed));
        s->files += removed;
    } else {
        TRY(remove_objects(s, at->s, str_of(arena_printf(s->a, "%.*s/%.*s/", STR_ARG(at->key), STR_ARG(uuid))), true, &removed));
        s->folders += removed;
    }
    return NULL;
}

static err *walk_store(struct sweep *s) {
    struct store_at at;
    TRY(open_store(s, s->root_url, &at));
    store_tx *tx;
    TRY(store_read_begin(s->c->store, STORE_META, 0, &tx));
    struct storage_list_ask ask = {.prefix = str_of(arena_printf(s->a, "%.*s/", STR_ARG(at.key))), .delimiter = true};
    err *e = NULL;
    for (;;) {
        struct storage_list page;
        if ((e = storage_list(at.s, s->a, &ask, &page))) break;
        for (size_t i = 0; i < page.n; i++) {
            err *one = page.entries[i].prefix ? sweep_prefix(s, tx, &at, page.entries[i].key) : NULL;
            if (one) log_warn("a folder of tables cannot be swept", lf_str("folder", page.entries[i].key), lf_err(one));
            err_free(one);
        }
        if (!page.next.n) break;
        ask.token = page.next;
    }
    store_read_end(tx);
    return e;
}

static err *walk(struct sweep *s) {
    DIR *d = opendir(s->root);
    if (!d) return errno == ENOENT ? NULL : err_errno("%s", s->root);
    store_tx *tx;
    err *e = store_read_begin(s->c->store, STORE_META, 0, &tx);
    bool reading = !e;
    for (struct dirent *x; !e && (x = readdir(d));) {
        if (strlen(x->d_name) != UUID_LENGTH) continue;
        err *one = sweep_folder(s, tx, x->d_name);
        if (one) log_warn("a folder of tables cannot be swept", lf_z("folder", x->d_name), lf_err(one));
        err_free(one);
    }
    if (reading) store_read_end(tx);
    closedir(d);
    return e;
}

/* ---- when ---- */

static void again(void *arg) {
    struct sweep *s = arg;
    loop_timer_set(s->c->l, &s->timer, settings_int(&s->c->settings, SET_TABLES_SWEEP_EVERY));
}

static void sweep_free(struct sweep *s) {
    free((char *)s->root_url.p);
    free(s);
}

static void run(void *arg, int worker) {
    (void)worker;
    struct sweep *s = arg;
    s->a = arena_new();
    s->tables = s->folders = s->files = 0;
    s->before_us = clock_now() - settings_int(&s->c->settings, SET_TABLES_KEEP_DROPPED);
    err *e = drop_old(s, tables_purge, "tables.purge");
    if (!e) e = drop_old(s, catalogs_purge, "schemas.purge");
    if (!e) e = s->root_url.n ? walk_store(s) : walk(s);
    if (e) log_warn("sweeping tables failed", lf_err(e));
    err_free(e);
    if (s->tables + s->folders + s->files)
        log_info("swept below the managed tables", lf_int("tables", s->tables), lf_int("folders", s->folders), lf_int("files", s->files));
    arena_free(s->a);
    s->a = NULL;
    int was = RUNNING;
    if (!atomic_compare_exchange_strong(&s->state, &was, IDLE)) sweep_free(s);
    else loop_post(s->c->l, again, s);
}

static void on_time(loop_timer *t) {
    struct sweep *s = (struct sweep *)((char *)t - offsetof(struct sweep, timer));
    atomic_store(&s->state, RUNNING);
    jobs_add(s->c->syncers, run, s);
}

void uc_sweep_open(struct control *c) {
    const struct engine_root *roots;
    if (!c->engines || !engine_roots(c, &roots)) return;
    struct sweep *s = calloc(1, sizeof(*s));
    must(s != NULL);
    *s = (struct sweep){.c = c, .root = roots[0].control};
    if (c->stores && c->stores->root_url.n) {
        char *url;
        must(asprintf(&url, "%.*s/tables/%s", STR_ARG(c->stores->root_url), c->account_id) > 0);
        s->root_url = str_of(url);
    }
    s->timer.on_time = on_time;
    c->sweep = s;
    int64_t every = settings_int(&c->settings, SET_TABLES_SWEEP_EVERY);
    loop_timer_set(c->l, &s->timer, every < FIRST_US ? every : FIRST_US);
}

/* A run in progress ends with the workers, which end after this; what it posts is not called any more. */
void uc_sweep_close(struct control *c) {
    struct sweep *s = c->sweep;
    if (!s) return;
    c->sweep = NULL;
    loop_timer_clear(c->l, &s->timer);
    if (atomic_exchange(&s->state, CLOSED) != RUNNING) sweep_free(s);
}
