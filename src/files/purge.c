/* SPDX-License-Identifier: Apache-2.0 */
#include "files/purge.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/vec.h"
#include "files/blob.h"
#include "identity/identity.h"
#include "store/gen_entities.h"
#include "store/history_statements.h"
#include "store/mlflow_runs.h"
#include "sys/jobs.h"

#define PAGE 1000
#define ROWS_AT_ONCE 5000

struct purge {
    struct control *c;
    int64_t workspace;
    bool rows;           /* its rows too, and itself */
    vec_of(char *) keys; /* of blobs */
};

static struct store_scope of(int64_t workspace) { return (struct store_scope){IDENTITY_ACCOUNT, workspace}; }

static void purge_free(struct purge *p) {
    for (size_t i = 0; i < p->keys.n; i++) free(p->keys.p[i]);
    vec_free(&p->keys);
    free(p);
}

static struct purge *purge_new(struct control *c, int64_t workspace, bool rows) {
    struct purge *p = calloc(1, sizeof(*p));
    must(p != NULL);
    *p = (struct purge){.c = c, .workspace = workspace, .rows = rows};
    return p;
}

static void add_key(struct purge *p, str key) {
    if (!key.n) return; /* a directory */
    char *copy = strndup(key.p, key.n);
    must(copy != NULL);
    vec_push(&p->keys, copy);
}

/* Keys of all files in the scope. */
static err *collect(store_tx *tx, struct purge *p) {
    struct store_scope scope = of(p->workspace);
    struct ent_list_query q = {.limit = PAGE}, dq = q;
    struct ent_file_object_rows files;
    struct ent_dbfs_file_rows dbfs;
    arena *a = arena_new();
    err *e;
    do {
        e = ent_file_object_list(tx, scope, a, &q, &files);
        for (size_t i = 0; !e && i < files.n; i++) add_key(p, files.p[i].storage_key);
        q.after = true;
        if (!e && files.n) q.after_i = q.after_id = files.p[files.n - 1].id;
    } while (!e && files.more);
    while (!e) {
        e = ent_dbfs_file_list(tx, scope, a, &dq, &dbfs);
        for (size_t i = 0; !e && i < dbfs.n; i++) add_key(p, dbfs.p[i].storage_key);
        dq.after = true;
        if (e || !dbfs.more) break;
        dq.after_i = dq.after_id = dbfs.p[dbfs.n - 1].id;
    }
    arena_free(a);
    return e;
}

/* ---- on a worker ---- */

struct chunk {
    int64_t workspace;
    bool more;
};

static err *drop_runs(store_tx *tx, void *arg) {
    struct chunk *k = arg;
    return mlflow_drop_workspace(tx, k->workspace, &k->more);
}

static err *drop_statements(store_tx *tx, void *arg) {
    struct chunk *k = arg;
    int64_t n;
    TRY(history_statement_drop(tx, of(k->workspace), ROWS_AT_ONCE, &n));
    k->more = n == ROWS_AT_ONCE;
    return NULL;
}

static err *drop_rows(store_tx *tx, void *arg) {
    struct chunk *k = arg;
    TRY(ent_delete_scope(tx, of(k->workspace), ROWS_AT_ONCE, &k->more));
    return k->more ? NULL : ent_workspace_delete(tx, identity_account(), k->workspace);
}

static err *remove_all(struct purge *p) {
    store *s = p->c->store;
    if (p->rows) {
        store_tx *tx;
        TRY(store_read_begin(s, STORE_META, 0, &tx));
        err *e = collect(tx, p);
        store_read_end(tx);
        if (e) return e;
    }
    TRY(blob_remove(p->c, p->keys.p, p->keys.n));
    struct chunk k = {.workspace = p->workspace, .more = true};
    while (k.more) TRY(store_write_sync(s, STORE_MLFLOW, drop_runs, &k, NULL));
    for (k.more = true; k.more;) TRY(store_write_sync(s, STORE_HISTORY, drop_statements, &k, NULL));
    struct store_actor actor = {.request_id = STR("start"), .client = STR("local"), .action = STR("workspaces.purge"),
                                .scope = identity_account()};
    for (k.more = p->rows; k.more;) TRY(store_write_sync(s, STORE_META, drop_rows, &k, &actor));
    return NULL;
}

static void run(void *arg, int worker) {
    (void)worker;
    struct purge *p = arg;
    err *e = remove_all(p);
    if (e)
        log_warn("something of a workspace that is gone stays", lf_int("workspace", p->workspace), lf_err(e));
    else
        log_info("a workspace is removed with all it had", lf_int("workspace", p->workspace),
                 lf_int("files", (int64_t)p->keys.n));
    err_free(e);
    purge_free(p);
}

/* ---- at the start ---- */

static err *each_ephemeral(store_tx *tx, err *(*fn)(store_tx *tx, struct ent_workspace *w, void *arg), void *arg) {
    struct ent_list_query q = {.limit = PAGE};
    struct ent_workspace_rows ws;
    arena *a = arena_new();
    err *e;
    do {
        e = ent_workspace_list(tx, identity_account(), a, &q, &ws);
        for (size_t i = 0; !e && i < ws.n; i++)
            if (ws.p[i].ephemeral) e = fn(tx, &ws.p[i], arg);
        q.after = true;
        if (!e && ws.n) q.after_i = q.after_id = ws.p[ws.n - 1].id;
    } while (!e && ws.more);
    arena_free(a);
    return e;
}

static err *mark(store_tx *tx, struct ent_workspace *w, void *arg) {
    (void)arg;
    if (identity_workspace_gone(w)) return NULL;
    w->state = STR("CANCELLING");
    return ent_workspace_update(tx, identity_account(), w);
}

static err *mark_all(store_tx *tx, void *arg) { return each_ephemeral(tx, mark, arg); }

static err *count(store_tx *tx, struct ent_workspace *w, void *arg) {
    (void)tx;
    (void)w;
    ++*(int *)arg;
    return NULL;
}

err *purge_mark(struct control *c) {
    store_tx *tx;
    int n = 0;
    TRY(store_read_begin(c->store, STORE_META, 0, &tx));
    err *e = each_ephemeral(tx, count, &n);
    store_read_end(tx);
    if (e || !n) return e;
    struct store_actor actor = {.request_id = STR("start"), .client = STR("local"), .action = STR("workspaces.expire"),
                                .scope = identity_account()};
    return store_write_sync(c->store, STORE_META, mark_all, NULL, &actor);
}

static err *begin(store_tx *tx, struct ent_workspace *w, void *arg) {
    (void)tx;
    struct control *c = arg;
    if (identity_workspace_gone(w)) jobs_add(c->workers, run, purge_new(c, w->id, true));
    return NULL;
}

err *purge_begin(struct control *c) {
    store_tx *tx;
    TRY(store_read_begin(c->store, STORE_META, 0, &tx));
    err *e = each_ephemeral(tx, begin, c);
    store_read_end(tx);
    return e;
}

/* ---- with a request ---- */

struct purge_note {
    struct purge *p;
};

static void drop_unused(void *arg) {
    struct purge_note *n = arg;
    if (n->p) purge_free(n->p); /* the write failed */
}

err *purge_note(struct req *r, int64_t workspace, struct purge_note **ret) {
    struct purge_note *n = arena_new_of(r->a, struct purge_note);
    n->p = purge_new(r->control, workspace, false);
    arena_on_free(r->a, drop_unused, n);
    *ret = n;
    return collect(r->tx, n->p);
}

void purge_noted(struct control *c, struct purge_note *n) {
    jobs_add(c->workers, run, n->p);
    n->p = NULL;
}
