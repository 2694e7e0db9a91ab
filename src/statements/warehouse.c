/* SPDX-License-Identifier: Apache-2.0 */
#include "statements/warehouse.h"

#include <stdio.h>

#include "base/log.h"
#include "catalog/object_acl.h"
#include "identity/identity.h"
#include "statements/statements_int.h"
#include "sys/rand.h"

#define WATCH_US 200000

const struct warehouse_size warehouse_sizes[] = {
    {"2X-Small", 4, 0, 100},   {"X-Small", 6, 1, 125},    {"Small", 12, 2, 150},     {"Medium", 24, 3, 175},
    {"Large", 40, 4, 200},     {"X-Large", 80, 5, 225},   {"2X-Large", 144, 6, 250}, {"3X-Large", 272, 7, 275},
    {"4X-Large", 528, 8, 300}, {"5X-Large", 1056, 9, 325},
};
const size_t warehouse_sizes_n = ARRAY_LEN(warehouse_sizes);

int warehouse_size_find(str name) {
    for (size_t i = 0; i < warehouse_sizes_n; i++)
        if (str_ieq(name, str_of(warehouse_sizes[i].name))) return (int)i;
    return -1;
}

const char *warehouse_state_name(enum warehouse_state s) {
    static const char *const names[] = {"STOPPED",  "STARTING", "RUNNING",
                                        "STOPPING", "DELETING", "DELETED"};
    return names[s];
}

/* ---- finding, rights ---- */

struct warehouse *warehouse_find(struct control *c, struct store_scope scope, str id) {
    struct statements *svc = statements_of(c);
    struct warehouse *w = svc && id.n ? map_get(svc->warehouses, id) : NULL;
    return w && w->scope.workspace == scope.workspace ? w : NULL;
}

err *warehouse_missing(str id) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "SQL warehouse '%.*s' does not exist.",
                   STR_ARG(str_cut(id, 64)));
}

struct policy_node warehouse_node(const struct warehouse *w) {
    return (struct policy_node){.owner = w->owner, .entries = w->acl, .n = w->n_acl};
}

uint64_t warehouse_level(const struct warehouse *w, const struct policy_subject *who) {
    struct policy_node node = warehouse_node(w);
    return policy_highest(who, PERM_WAREHOUSES, &node, 1);
}

err *warehouse_need(const struct warehouse *w, const struct policy_subject *who, str who_name,
                    uint64_t level) {
    struct policy_node node = warehouse_node(w);
    struct policy_verdict v = policy_level(who, PERM_WAREHOUSES, level, &node, 1);
    if (v.allow) return NULL;
    return err_new(ERR_PERMISSION_DENIED,
                   "User '%.*s' does not have %s permission on SQL warehouse '%s'.", STR_ARG(who_name),
                   perm_rows[PERM_WAREHOUSES].levels[level - 1], w->id);
}

int warehouse_running_clusters(const struct warehouse *w) {
    int n = 0;
    for (size_t i = 0; i < w->clusters.n; i++) n += w->clusters.p[i]->ready;
    return n;
}

str statements_first_warehouse(struct control *c, int64_t workspace) {
    struct statements *svc = statements_of(c);
    const struct warehouse *first = NULL;
    str k;
    void *v;
    for (size_t i = 0; svc && map_next(svc->warehouses, &i, &k, &v);) {
        const struct warehouse *w = v;
        if (w->scope.workspace == workspace && (!first || w->created < first->created)) first = w;
    }
    return str_of(first ? first->id : "");
}

struct warehouse **warehouses_of(struct statements *svc, arena *a, int64_t workspace, size_t *ret_n) {
    struct warehouse **p = arena_array_of(a, struct warehouse *, (svc ? map_size(svc->warehouses) : 0) + 1);
    str k;
    void *v;
    *ret_n = 0;
    for (size_t i = 0; svc && map_next(svc->warehouses, &i, &k, &v);)
        if (((struct warehouse *)v)->scope.workspace == workspace) p[(*ret_n)++] = v;
    return p;
}

/* ---- changes of the row ---- */

static err *read_acl(store_tx *tx, struct store_scope scope, arena *a, struct warehouse_change *ch) {
    struct object_chain chain;
    TRY(object_acl_chain(tx, scope, a, PERM_WAREHOUSES, ch->row.id, ch->row.owner_id, "", &chain));
    ch->acl = arena_array_of(a, struct policy_entry, chain.node[0].n + 1);
    ch->n_acl = chain.node[0].n;
    if (ch->n_acl) memcpy(ch->acl, chain.node[0].entries, ch->n_acl * sizeof(*ch->acl));
    return NULL;
}

err *warehouse_change_read(store_tx *tx, struct store_scope scope, arena *a, int64_t row,
                           struct warehouse_change *ret) {
    struct ent_workspace ws;
    *ret = (struct warehouse_change){0};
    TRY(ent_warehouse_get(tx, scope, a, row, &ret->row, NULL));
    TRY(ent_workspace_get(tx, identity_account(), a, scope.workspace, &ws, NULL));
    ret->default_catalog = ws.default_catalog.n ? ws.default_catalog : STR("main");
    struct ent_warehouse_config config;
    bool found;
    TRY(ent_warehouse_config_by_one(tx, scope, a, 1, &config, &found));
    ret->parameters = found ? config.parameters : STR("");
    return read_acl(tx, scope, a, ret);
}

static struct warehouse *warehouse_new(struct statements *svc, const struct ent_warehouse *row) {
    struct warehouse *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->svc = svc;
    w->row = row->id;
    w->scope = (struct store_scope){row->account, row->workspace};
    w->created = row->created_at;
    w->queue_end = &w->queue;
    snprintf(w->id, sizeof(w->id), "%.*s", STR_ARG(row->uid));
    map_put(svc->warehouses, str_of(w->id), w);
    return w;
}

void warehouse_free(struct warehouse *w) {
    must(!w->clusters.n && !w->queue);
    warehouse_unwatch(w);
    vec_free(&w->watching);
    loop_timer_clear(w->svc->c->l, &w->idle);
    loop_timer_clear(w->svc->c->l, &w->retry);
    loop_timer_clear(w->svc->c->l, &w->soon);
    vec_free(&w->clusters);
    free(w->name);
    free(w->default_catalog);
    free(w->parameters);
    free(w->failure);
    free(w->acl);
    free(w);
}

static void warehouse_remove(struct warehouse *w) {
    struct statements *svc = w->svc;
    w->state = WAREHOUSE_DELETING;
    warehouse_stop(w, "The SQL warehouse was deleted.");
    w->state = WAREHOUSE_DELETED;
    sessions_forget_warehouse(svc, w);
    statements_forget_warehouse(svc, w);
    map_del(svc->warehouses, str_of(w->id));
    warehouse_free(w);
}

struct warehouse *warehouse_change_apply(struct control *c, const struct warehouse_change *ch) {
    struct statements *svc = statements_of(c);
    if (!svc) return NULL;
    struct warehouse *w = map_get(svc->warehouses, ch->row.uid);
    if (ch->removed) {
        if (w) warehouse_remove(w);
        return NULL;
    }
    bool fresh = !w;
    if (fresh) w = warehouse_new(svc, &ch->row);
    int size = warehouse_size_find(ch->row.cluster_size);
    bool other = size != w->size || ch->row.serverless != w->serverless;
    free(w->name);
    free(w->default_catalog);
    free(w->parameters);
    free(w->acl);
    w->parameters = dup_text(ch->parameters);
    w->name = dup_text(ch->row.name);
    w->default_catalog = dup_text(ch->default_catalog);
    w->size = size < 0 ? 0 : size;
    w->serverless = ch->row.serverless;
    w->min_clusters = (int)ch->row.min_clusters;
    w->max_clusters = (int)ch->row.max_clusters;
    w->auto_stop_us = ch->row.auto_stop_mins * 60 * 1000000;
    w->timeout_us = ch->row.statement_timeout * 1000000;
    w->owner = ch->row.owner_id;
    w->acl = calloc(ch->n_acl + 1, sizeof(*w->acl));
    must(w->acl != NULL);
    if (ch->n_acl) memcpy(w->acl, ch->acl, ch->n_acl * sizeof(*w->acl));
    w->n_acl = ch->n_acl;
    if (!fresh && other) clusters_retire(w);
    if (!fresh) {
        w->idle_since = 0; /* auto_stop counts anew */
        warehouse_pump(w);
    }
    return w;
}

static void apply_published(struct req *r) {
    struct warehouse_change *ch = r->state;
    warehouse_change_apply(r->control, ch);
}

err *warehouse_publish(struct req *r, int64_t row) {
    struct warehouse_change *ch = arena_new_of(r->a, struct warehouse_change);
    TRY(warehouse_change_read(r->tx, r->scope, r->a, row, ch));
    r->state = ch;
    r->after = apply_published;
    return NULL;
}

err *warehouse_make_starter(store_tx *tx, struct store_scope scope, arena *a, int64_t owner,
                            str owner_name, struct warehouse_change *ret) {
    struct ent_warehouse_config config = {.one = 1, .security_policy = STR("DATA_ACCESS_CONTROL")};
    TRY(ent_warehouse_config_insert(tx, scope, &config));
    char id[17];
    rand_hex(id, 8);
    struct ent_warehouse w = {.uid = str_of(id),
                              .name = STR("Serverless Starter Warehouse"),
                              .owner_id = owner,
                              .creator = owner_name,
                              .cluster_size = STR("2X-Small"),
                              .min_clusters = 1,
                              .max_clusters = 1,
                              .auto_stop_mins = 10,
                              .warehouse_type = STR("PRO"),
                              .serverless = true,
                              .photon = true,
                              .spot_policy = STR("COST_OPTIMIZED")};
    TRY(ent_warehouse_insert(tx, scope, &w));
    int64_t users, admins;
    TRY(identity_system_groups(tx, a, scope.workspace, &users, &admins));
    TRY(object_acl_set(tx, scope, a, PERM_WAREHOUSES, w.id, users, WAREHOUSES_CAN_USE));
    return warehouse_change_read(tx, scope, a, w.id, ret);
}

void warehouse_set_parameters(struct control *c, int64_t workspace, str json) {
    arena *a = arena_new();
    size_t n;
    struct warehouse **all = warehouses_of(statements_of(c), a, workspace, &n);
    for (size_t i = 0; i < n; i++) {
        free(all[i]->parameters);
        all[i]->parameters = dup_text(json);
    }
    arena_free(a);
}

void warehouse_forget_workspace(struct control *c, int64_t workspace) {
    struct statements *svc = statements_of(c);
    vec_of(struct warehouse *) gone = {0};
    str k;
    void *v;
    for (size_t i = 0; svc && map_next(svc->warehouses, &i, &k, &v);)
        if (((struct warehouse *)v)->scope.workspace == workspace) vec_push(&gone, v);
    for (size_t i = 0; i < gone.n; i++) warehouse_remove(gone.p[i]);
    vec_free(&gone);
}

/* ---- states ---- */

void warehouse_fail_queue(struct warehouse *w, err_code code, const char *why) {
    /* statement_fail() takes it out; whoever waits may submit again, so only those that are here now. */
    for (size_t n = w->n_queue; n && w->queue; n--)
        statement_fail(w->queue, STATEMENT_FAILED, code, why);
}

static err *check_quota(struct warehouse *w) {
    struct control *c = w->svc->c;
    if (!w->serverless) return NULL;
    if (!c->facts->terms_accepted)
        return err_new(ERR_PERMISSION_DENIED,
                       "The terms of serverless compute have not been accepted for this account.");
    int64_t quota = settings_int(&c->settings, SET_SQL_SERVERLESS_QUOTA);
    int64_t want = warehouse_sizes[w->size].dbu;
    if (!quota || clusters_serverless_dbu(w->svc) + want <= quota) return NULL;
    return err_hint(err_new(ERR_RESOURCE_EXHAUSTED,
                            "Cannot start SQL warehouse '%s': the account's serverless quota of %lld DBU per "
                            "hour would be exceeded.",
                            w->id, (long long)quota),
                    "Stop another serverless warehouse, or ask for a higher sql.serverless_quota.");
}

err *warehouse_start(struct warehouse *w) {
    if (w->state != WAREHOUSE_STOPPED) return NULL;
    TRY(check_quota(w));
    w->state = WAREHOUSE_STARTING;
    w->failures = 0;
    free(w->failure);
    w->failure = NULL;
    log_info("SQL warehouse starts", lf_z("warehouse", w->id), lf_int("workspace", w->scope.workspace));
    warehouse_pump(w);
    return NULL;
}

void warehouse_unwatch(struct warehouse *w) {
    struct control *c = w->svc->c;
    loop_timer_clear(c->l, &w->watch);
    while (w->watching.n) {
        struct req *r = control_parked(c, w->watching.p[--w->watching.n]);
        if (r) req_resume(r, NULL);
    }
}

static void on_watch(loop_timer *t) {
    warehouse_unwatch((struct warehouse *)((char *)t - offsetof(struct warehouse, watch)));
}

void warehouse_watch(struct warehouse *w, struct req *r) {
    if (w->state != WAREHOUSE_STARTING) return;
    vec_push(&w->watching, req_park(r));
    w->watch.on_time = on_watch;
    if (!w->watch.slot) loop_timer_set(w->svc->c->l, &w->watch, WATCH_US);
}

void warehouse_stop(struct warehouse *w, const char *why) {
    struct control *c = w->svc->c;
    enum warehouse_state after = w->state == WAREHOUSE_DELETING ? WAREHOUSE_DELETING : WAREHOUSE_STOPPED;
    if (w->state == WAREHOUSE_STOPPED) return;
    if (w->state != WAREHOUSE_DELETING) w->state = WAREHOUSE_STOPPING;
    loop_timer_clear(c->l, &w->idle);
    loop_timer_clear(c->l, &w->retry);
    w->idle_since = 0;
    warehouse_fail_queue(w, ERR_ABORTED, why);
    while (w->clusters.n) cluster_end(w->clusters.p[0], why);
    w->state = after;
    warehouse_unwatch(w);
    log_info("SQL warehouse stopped", lf_z("warehouse", w->id), lf_z("why", why));
    warehouse_pump(w); /* what was submitted meanwhile */
}
