/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, loading, sweeping, closing. */
#include <unistd.h>

#include "base/log.h"
#include "identity/identity.h"
#include "statements/statements_int.h"
#include "sys/clock.h"

#define SWEEP_US 1000000

/* ---- what every workspace has ---- */

struct load {
    struct statements *svc;
    arena *a;
    struct ent_workspace_rows workspaces;
    bool missing; /* a workspace lacks its starter */
};

static err *owner_of(store_tx *tx, arena *a, const struct ent_workspace *ws, str *ret) {
    struct principal_info p;
    bool found;
    TRY(identity_find(tx, a, ws->owner_id, &p, &found));
    *ret = found ? p.name : STR("admin");
    return NULL;
}

static err *each_workspace(store_tx *tx, struct load *l,
                           err *(*fn)(store_tx *, struct load *, const struct ent_workspace *)) {
    struct ent_list_query q = {.limit = 1000};
    struct ent_workspace_rows rows;
    do {
        TRY(ent_workspace_list(tx, identity_account(), l->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            if (!identity_workspace_gone(&rows.p[i])) TRY(fn(tx, l, &rows.p[i]));
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    return NULL;
}

static err *load_workspace(store_tx *tx, struct load *l, const struct ent_workspace *ws) {
    if (identity_workspace_gone(ws)) return NULL;
    struct store_scope scope = {IDENTITY_ACCOUNT, ws->id};
    struct ent_warehouse_config config;
    bool found;
    TRY(ent_warehouse_config_by_one(tx, scope, l->a, 1, &config, &found));
    l->missing |= !found;
    struct ent_list_query q = {.limit = 1000};
    struct ent_warehouse_rows rows;
    do {
        TRY(ent_warehouse_list(tx, scope, l->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            struct warehouse_change ch;
            TRY(warehouse_change_read(tx, scope, l->a, rows.p[i].id, &ch));
            warehouse_change_apply(l->svc->c, &ch);
        }
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    return NULL;
}

static err *add_starter(store_tx *tx, struct load *l, const struct ent_workspace *ws) {
    struct store_scope scope = {IDENTITY_ACCOUNT, ws->id};
    struct ent_warehouse_config config;
    struct warehouse_change ch;
    bool found;
    str owner;
    if (identity_workspace_gone(ws)) return NULL;
    TRY(ent_warehouse_config_by_one(tx, scope, l->a, 1, &config, &found));
    if (found) return NULL;
    TRY(owner_of(tx, l->a, ws, &owner));
    return warehouse_make_starter(tx, scope, l->a, ws->owner_id, owner, &ch);
}

static err *add_starters(store_tx *tx, void *arg) { return each_workspace(tx, arg, add_starter); }

static err *load_all(struct load *l) {
    store_tx *tx;
    l->missing = false;
    TRY(store_read_begin(l->svc->c->store, STORE_META, 0, &tx));
    err *e = each_workspace(tx, l, load_workspace);
    store_read_end(tx);
    return e;
}

static err *load(struct statements *svc) {
    struct load l = {.svc = svc, .a = arena_new()};
    struct store_actor actor = {.request_id = STR("start"), .client = STR("local"),
                                .action = STR("sql.make_starter"), .scope = identity_account()};
    err *e = load_all(&l);
    if (!e && l.missing) e = store_write_sync(svc->c->store, STORE_META, add_starters, &l, &actor);
    if (!e && l.missing) e = load_all(&l);
    arena_free(l.a);
    return e;
}

/* ---- sweeping ---- */

static void forget_old(struct statements *svc, int64_t now) {
    int64_t keep = settings_int(&svc->c->settings, SET_SQL_RESULT_KEEP);
    while (svc->ended_first &&
           (now - svc->ended_first->ended_at > keep || svc->n_ended > STATEMENTS_MAX_ENDED || svc->kept_bytes > STATEMENTS_MAX_KEPT))
        statement_forget(svc->ended_first);
}

static void shelve_old(struct statements *svc, int64_t now) {
    while (svc->shelve_next && now - svc->shelve_next->ended_at > SHELVE_AFTER_US) {
        struct statement *s = svc->shelve_next;
        svc->shelve_next = s->newer;
        spool_shelve(svc, s);
    }
}

/* A file that has far more than its engine told of is nobody's result. */
static void refuse_untold(struct statements *svc) {
    str k, id;
    void *session, *v;
    for (size_t i = 0; map_next(svc->sessions, &i, &k, &session);)
        for (size_t n = 0; map_next(((struct sql_session *)session)->running, &n, &id, &v);) {
            struct statement *s = v;
            if (s->run && s->spool && spool_grown(s->spool) && spool_size(s->spool) - s->told_bytes > SPOOL_MAX_UNTOLD)
                cluster_refuse(s, "a result that it tells nothing of");
        }
}

static void on_sweep(loop_timer *t) {
    struct statements *svc = (struct statements *)((char *)t - offsetof(struct statements, sweep));
    int64_t now = loop_now(svc->c->l);
    shelve_old(svc, now);
    forget_old(svc, now);
    sessions_sweep(svc);
    refuse_untold(svc);
    loop_timer_set(svc->c->l, t, SWEEP_US);
}

/* ---- life ---- */

err *statements_open(struct control *c) {
    struct statements *svc = calloc(1, sizeof(*svc));
    must(svc != NULL);
    svc->c = c;
    svc->warehouses = map_new();
    svc->sessions = map_new();
    svc->statements = map_new();
    svc->asks = map_new();
    svc->spool_dir = -1;
    c->statements = svc;
    TRY(spool_start(svc));
    TRY(history_start(svc));
    svc->sweep.on_time = on_sweep;
    loop_timer_set(c->l, &svc->sweep, SWEEP_US);
    return load(svc);
}

void statements_close(struct control *c) {
    struct statements *svc = statements_of(c);
    if (!svc) return;
    arena *a = arena_new();
    size_t n = 0;
    struct warehouse **all = arena_array_of(a, struct warehouse *, map_size(svc->warehouses) + 1);
    str k;
    void *v;
    svc->closing = true;
    for (size_t i = 0; map_next(svc->warehouses, &i, &k, &v);) all[n++] = v;
    for (size_t i = 0; i < n; i++) {
        warehouse_stop(all[i], "The platform is shutting down.");
        sessions_forget_warehouse(svc, all[i]);
    }
    history_close(svc);
    while (svc->ended_first) statement_forget(svc->ended_first);
    for (size_t i = 0; i < n; i++) warehouse_free(all[i]);
    arena_free(a);
    loop_timer_clear(c->l, &svc->sweep);
    spool_release(svc->shelf);
    if (svc->spool_dir >= 0) close(svc->spool_dir);
    map_free(svc->warehouses);
    map_free(svc->sessions);
    map_free(svc->statements);
    asks_free(svc);
    vec_free(&svc->dirty);
    vec_free(&svc->settling);
    vec_free(&svc->settling_now);
    c->statements = NULL;
    /* A group of history rows may still be on its way back to the loop: it finds this one. */
    if (!svc->flushing) free(svc);
}
