/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the three files, read transactions, care. */
#include "store/store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/log.h"
#include "store/store_int.h"
#include "sys/files.h"

/* Files up to this size are read whole at every start; larger ones by store_check() only. */
#define QUICK_CHECK_BYTES (4 << 20)

/* ---- opening ---- */

static err *check_pages(struct conn *c, const char *pragma) {
    sqlite3_stmt *q = NULL;
    c->patient = true;
    conn_start_clock(c);
    int rc = sqlite3_prepare_v2(c->db, pragma, -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    err *e = NULL;
    if (rc == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(q, 0);
        if (!said || strcmp(said, "ok") != 0)
            e = err_hint(err_new(ERR_DATA_LOSS, "The store %s is damaged: %.200s.",
                                 store_file_names[c->file], said ? said : "no answer"),
                         "Restore a backup.");
    } else if (rc != SQLITE_DONE) {
        e = conn_error(c, rc, "checking");
    }
    sqlite3_finalize(q);
    c->patient = false;
    return e;
}

static err *quick_check(struct conn *c) {
    int64_t pages, size;
    TRY(conn_int(c, "PRAGMA page_count", &pages));
    TRY(conn_int(c, "PRAGMA page_size", &size));
    if (pages * size > QUICK_CHECK_BYTES) return NULL;
    return check_pages(c, "PRAGMA quick_check(1)");
}

/* A re-encryption may have been cut short after the new file took its place. */
static err *open_with_either(store *s, enum store_file f, const struct store_options *o,
                             const char *path, bool create) {
    struct writer *w = &s->writers[f];
    const unsigned char *next = keys_next_of(s->keys, (enum keys_name)f);
    err *e = conn_open(path, s->vfs, keys_of(s->keys, (enum keys_name)f), f, create, false, &w->c);
    if (!e || err_code_of(e) != ERR_DATA_LOSS || !next) return e;
    err *second = conn_open(path, s->vfs, next, f, false, false, &w->c);
    if (second) {
        err_free(second);
        return e;
    }
    err_free(e);
    return keys_take_next(s->keys, s->dir, (const unsigned char *)o->master_key.p,
                          (enum keys_name)f);
}

static err *open_file(store *s, enum store_file f, const struct store_options *o) {
    char path[PATH_MAX];
    conn_path(s->dir, f, path);
    bool there = files_exists(path);
    TRY(open_with_either(s, f, o, path, !there));
    if (!there) {
        if (chmod(path, 0600) < 0) return err_errno("cannot set the mode of %s", path);
        TRY(files_sync_parent(path));
    } else {
        TRY(quick_check(s->writers[f].c));
    }
    TRY(schema_update(s, s->writers[f].c, f));
    return writer_start(s, f);
}

static err *check_options(const struct store_options *o) {
    if (o->master_key.n != STORE_KEY_SIZE)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A master key has %d bytes, not %zu.",
                       STORE_KEY_SIZE, o->master_key.n);
    if (strlen(o->dir) > PATH_MAX - 64)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The path of the stores is too long.");
    return NULL;
}

/* The first start makes several files. Until all are there, a file `making` says so; without it a
 * file that is missing was there before, somebody moved it, and going on would hide that. */
static err *check_complete(const store *s, bool must_exist, bool *ret_making) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/making", s->dir);
    bool keys = keys_exist(s->dir), making = files_exists(path);
    int there = 0;
    for (int f = 0; f < STORE_FILES; f++) {
        conn_path(s->dir, (enum store_file)f, path);
        if (files_exists(path))
            there++;
        else if (keys && !making)
            return err_hint(err_new(ERR_DATA_LOSS, "%s is missing.", path),
                            "Put the file back, or restore a backup.");
    }
    if (there && !keys)
        return err_hint(err_new(ERR_DATA_LOSS,
                                "%s/keys.json is missing; nothing else opens the stores.", s->dir),
                        "Put the file back, or restore a backup.");
    if (there < STORE_FILES && must_exist)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "There are no stores in %s.", s->dir);
    *ret_making = !there || making;
    return NULL;
}

static err *open_all(store *s, const struct store_options *o) {
    char mark[PATH_MAX];
    bool making = false;
    TRY(files_mkdirs(s->dir, 0700));
    TRY(check_complete(s, o->must_exist, &making));
    snprintf(mark, sizeof(mark), "%s/making", s->dir);
    if (making) TRY(files_write(mark, STR(""), 0600));
    TRY(keys_open(s->dir, (const unsigned char *)o->master_key.p, making, &s->keys));
    for (int f = 0; f < STORE_FILES; f++) TRY(open_file(s, (enum store_file)f, o));
    if (making && unlink(mark) < 0) return err_errno("cannot remove %s", mark);
    int64_t oldest = 0;
    store_tx *tx;
    TRY(store_read_begin(s, STORE_META, 0, &tx));
    err *e = sql_one_i(&oldest, NULL, tx, "SELECT oldest FROM store_state");
    store_read_end(tx);
    atomic_store(&s->oldest, oldest);
    return e;
}

err *store_open(const struct store_options *o, store **ret) {
    TRY(check_options(o));
    TRY(conn_library());
    store *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->magic = STORE_MAGIC;
    s->dir = strdup(o->dir);
    s->vfs = o->vfs ? strdup(o->vfs) : NULL;
    must(s->dir != NULL);
    for (int f = 0; f < STORE_FILES; f++) pthread_mutex_init(&s->pools[f].lock, NULL);
    for (int i = 0; i < ENT_COUNT; i++) atomic_init(&s->limits[i], ent_tables[i]->limit);
    err *e = open_all(s, o);
    if (e) {
        store_close(s);
        return err_while(e, "opening the stores in %s", o->dir);
    }
    *ret = s;
    return NULL;
}

static void close_pool(struct pool *p) {
    while (p->idle) {
        struct conn *c = p->idle;
        p->idle = c->next;
        conn_end(c);
        p->n_open--;
    }
    must(p->n_open == 0);
    pthread_mutex_destroy(&p->lock);
}

void store_close(store *s) {
    if (!s) return;
    must_magic(s, STORE_MAGIC);
    for (int f = 0; f < STORE_FILES; f++) writer_stop(&s->writers[f]);
    /* The writer's connection is the last of its file: its close copies the WAL and removes it. */
    for (int f = 0; f < STORE_FILES; f++) close_pool(&s->pools[f]);
    for (int f = 0; f < STORE_FILES; f++) conn_end(s->writers[f].c);
    keys_close(s->keys);
    s->magic = 0;
    free(s->dir);
    free(s->vfs);
    free(s);
}

/* ---- reading ---- */

static err *pool_take(store *s, enum store_file f, struct conn **ret) {
    struct pool *p = &s->pools[f];
    pthread_mutex_lock(&p->lock);
    struct conn *c = p->idle;
    bool open = !c && p->n_open < POOL_MAX;
    if (c) {
        p->idle = c->next;
        p->n_idle--;
    }
    if (open) p->n_open++;
    pthread_mutex_unlock(&p->lock);
    if (!c && !open)
        return err_new(ERR_TEMPORARILY_UNAVAILABLE, "More than %d reads of the store %s at once.",
                       POOL_MAX, store_file_names[f]);
    if (!c) {
        char path[PATH_MAX];
        conn_path(s->dir, f, path);
        err *e = conn_open(path, s->vfs, keys_of(s->keys, (enum keys_name)f), f, false, true, &c);
        if (e) {
            pthread_mutex_lock(&p->lock);
            p->n_open--;
            pthread_mutex_unlock(&p->lock);
            return e;
        }
    }
    *ret = c;
    return NULL;
}

static void pool_give(store *s, struct conn *c, bool broken) {
    struct pool *p = &s->pools[c->file];
    pthread_mutex_lock(&p->lock);
    bool keep = !broken && p->n_idle < POOL_IDLE;
    if (keep) {
        c->next = p->idle;
        p->idle = c;
        p->n_idle++;
    } else {
        p->n_open--;
    }
    pthread_mutex_unlock(&p->lock);
    if (!keep) conn_end(c);
}

static err *check_as_of(const store *s, enum store_file f, int64_t as_of, int64_t newest) {
    if (f != STORE_META)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "as_of: this keeps no past versions.");
    int64_t oldest = atomic_load(&s->oldest);
    if (as_of < oldest)
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE,
                                "as_of: sequence %lld is no longer kept; the oldest is %lld.",
                                (long long)as_of, (long long)oldest),
                        "The setting journal.retention says how far back.");
    if (as_of > newest)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "as_of: there is no sequence %lld yet; the newest is %lld.",
                       (long long)as_of, (long long)newest);
    return NULL;
}

/* The state row is read first, so that the snapshot begins here and its sequence is known. */
static err *begin_snapshot(store_tx *tx) {
    TRY(sql_run(tx, "BEGIN"));
    sql *q;
    TRY(sql_open(&q, tx, "SELECT sequence, time FROM store_state"));
    bool row = false;
    err *e = sql_step(q, &row);
    if (!e && row) {
        tx->seq = sql_get_i(q, 0);
        tx->time = sql_get_i(q, 1);
    }
    sql_close(q);
    return e;
}

err *store_read_begin(store *s, enum store_file f, int64_t as_of_seq, store_tx **ret) {
    must_magic(s, STORE_MAGIC);
    struct conn *c;
    TRY(pool_take(s, f, &c));
    struct store_tx *both = calloc(2, sizeof(*both));
    must(both != NULL);
    tx_init(&both[0], s, c, f, false);
    err *e = begin_snapshot(&both[0]);
    both[1] = both[0];
    both[0].today = &both[1];
    if (!e && as_of_seq) e = check_as_of(s, f, as_of_seq, both[0].seq);
    if (e) {
        store_read_end(both);
        return e;
    }
    both[0].as_of = as_of_seq;
    *ret = both;
    return NULL;
}

void store_read_end(store_tx *tx) {
    if (!tx) return;
    must_magic(tx, TX_MAGIC);
    must(!tx->writes && tx->today);
    bool open = !sqlite3_get_autocommit(tx->c->db);
    err *e = open ? sql_run(tx, "COMMIT") : NULL;
    pool_give(tx->s, tx->c, e != NULL);
    err_free(e);
    tx[0].magic = tx[1].magic = 0;
    free(tx);
}

int64_t store_tx_seq(const store_tx *tx) {
    must_magic(tx, TX_MAGIC);
    return tx->as_of ? tx->as_of : tx->seq;
}

int64_t store_tx_as_of(const store_tx *tx) {
    must_magic(tx, TX_MAGIC);
    return tx->as_of;
}

int64_t store_tx_time(const store_tx *tx) {
    must_magic(tx, TX_MAGIC);
    return tx->time;
}

store_tx *store_tx_today(store_tx *tx) {
    must_magic(tx, TX_MAGIC);
    return tx->as_of && tx->today ? tx->today : tx; /* of one that looks at now: itself, which callers tell by */
}

enum store_file store_tx_file(const store_tx *tx) { return tx->file; }
bool store_tx_writes(const store_tx *tx) { return tx->writes; }

err *store_range(store *s, int64_t *ret_oldest, int64_t *ret_newest) {
    store_tx *tx;
    TRY(store_read_begin(s, STORE_META, 0, &tx));
    *ret_oldest = atomic_load(&s->oldest);
    *ret_newest = tx->seq;
    store_read_end(tx);
    return NULL;
}

/* ---- care ---- */

err *store_check(store *s) {
    for (int f = 0; f < STORE_FILES; f++) {
        struct conn *c;
        TRY(pool_take(s, (enum store_file)f, &c));
        err *e = check_pages(c, "PRAGMA integrity_check(10)");
        /* Its page cache saw the whole file: not worth keeping. */
        pool_give(s, c, true);
        if (e) return e;
    }
    return NULL;
}

void store_derive_key(const store *s, const char *purpose, unsigned char ret[STORE_KEY_SIZE]) {
    must_magic(s, STORE_MAGIC);
    size_t n = STORE_KEY_SIZE;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    must(c && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()) == 1 &&
         EVP_PKEY_CTX_set1_hkdf_key(c, keys_of(s->keys, KEYS_DERIVE), STORE_KEY_SIZE) == 1 &&
         EVP_PKEY_CTX_add1_hkdf_info(c, (const unsigned char *)purpose, (int)strlen(purpose)) ==
             1 &&
         EVP_PKEY_derive(c, ret, &n) == 1);
    EVP_PKEY_CTX_free(c);
}

void store_stats_of(store *s, enum store_file f, struct store_stats *ret) {
    struct writer *w = &s->writers[f];
    pthread_mutex_lock(&w->lock);
    int64_t queued = (int64_t)w->queued;
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_lock(&s->pools[f].lock);
    int open = s->pools[f].n_open;
    pthread_mutex_unlock(&s->pools[f].lock);
    *ret = (struct store_stats){.jobs = atomic_load(&w->jobs),
                                .failed = atomic_load(&w->failed),
                                .groups = atomic_load(&w->groups),
                                .checkpoints = atomic_load(&w->checkpoints),
                                .queued = queued,
                                .connections = open};
}
