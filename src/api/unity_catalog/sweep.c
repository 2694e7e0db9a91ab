/* SPDX-License-Identifier: Apache-2.0 */
#include "api/unity_catalog/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "catalog/tables.h"
#include "delta/checkpoint.h"
#include "engine/link.h"
#include "identity/identity.h"
#include "sys/clock.h"
#include "sys/files.h"

#define FIRST_US (60ll * 1000000)
#define MAX_IN_ONE_WRITE 200
#define MAX_ENTRIES 10000000

struct sweep {
    struct control *c;
    loop_timer timer;
    arena *a;          /* of the run in progress */
    const char *root;
    int64_t before_us;
    int64_t tables, folders, files;
    atomic_int state;  /* who is last frees it */
};

enum { IDLE, RUNNING, CLOSED };

/* ---- dropped tables ---- */

struct purge {
    struct sweep *s;
    str *uuids;
    size_t n;
};

static err *purge(store_tx *tx, void *arg) {
    struct purge *p = arg;
    struct caller c = {.tx = tx, .today = tx, .scope = identity_account(), .a = p->s->a};
    return tables_purge(&c, p->s->before_us, MAX_IN_ONE_WRITE, &p->uuids, &p->n);
}

/* The row goes first: a folder without a row is found by the walk below if this process ends in between. */
static err *drop_old_tables(struct sweep *s) {
    struct purge p = {.s = s, .n = 1};
    struct store_actor actor = {.request_id = STR("sweep"), .client = STR("local"), .action = STR("tables.purge"), .scope = identity_account()};
    while (p.n) {
        TRY(store_write_sync(s->c->store, STORE_META, purge, &p, &actor));
        for (size_t i = 0; i < p.n; i++) {
            err *e = files_remove_tree(arena_printf(s->a, "%s/%.*s", s->root, STR_ARG(p.uuids[i])), MAX_ENTRIES);
            if (e) log_warn("a dropped table's folder stays", lf_err(e));
            err_free(e);
            s->tables++;
        }
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

static err *walk(struct sweep *s) {
    DIR *d = opendir(s->root);
    if (!d) return errno == ENOENT ? NULL : err_errno("%s", s->root);
    store_tx *tx;
    err *e = store_read_begin(s->c->store, STORE_META, 0, &tx);
    bool reading = !e;
    for (struct dirent *x; !e && (x = readdir(d));) {
        if (strlen(x->d_name) != 36) continue;
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

static void run(void *arg, int worker) {
    (void)worker;
    struct sweep *s = arg;
    s->a = arena_new();
    s->tables = s->folders = s->files = 0;
    s->before_us = clock_now() - settings_int(&s->c->settings, SET_TABLES_KEEP_DROPPED);
    err *e = drop_old_tables(s);
    if (!e) e = walk(s);
    if (e) log_warn("sweeping tables failed", lf_err(e));
    err_free(e);
    if (s->tables + s->folders + s->files)
        log_info("swept below the managed tables", lf_int("tables", s->tables), lf_int("folders", s->folders), lf_int("files", s->files));
    arena_free(s->a);
    s->a = NULL;
    int was = RUNNING;
    if (!atomic_compare_exchange_strong(&s->state, &was, IDLE)) free(s);
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
    if (atomic_exchange(&s->state, CLOSED) != RUNNING) free(s);
}
