/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates of endpoints: many deploys, one outcome, written in one transaction. Also what the service
 * does at the start, and its frames.
 */
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "identity/identity.h"
#include "serving/serving_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define WAIT_US 150000

void update_free(struct update *u) {
    struct update **at = &u->s->updates;
    while (*at && *at != u) at = &(*at)->next;
    if (*at) *at = u->next;
    loop_timer_clear(u->s->c->l, &u->wait_timer);
    for (size_t i = 0; i < u->n; i++) deploy_release(&u->d[i]);
    free(u->d);
    free(u->old_entities);
    err_free(u->failure);
    arena_free(u->a);
    free(u);
}

static void wake_waiter(struct update *u) {
    struct req *r = u->wait ? control_parked(u->s->c, u->wait) : NULL;
    u->wait = 0;
    if (r) req_resume(r, NULL);
}

static void on_wait(loop_timer *t) {
    wake_waiter((struct update *)((char *)t - offsetof(struct update, wait_timer)));
}

/* ---- the outcome ---- */

struct outcome {
    struct update *u;
    str key, value; /* the endpoint's fact */
    bool gone;
};

static err *write_entity(store_tx *tx, struct update *u, struct deploy *d) {
    struct ent_served_version row;
    bool found;
    TRY(ent_served_version_get(tx, u->scope, u->a, d->entity, &row, &found));
    if (!found) return NULL;
    bool ok = d->phase == DEPLOY_READY;
    row.state = ok ? STR("DEPLOYMENT_READY")
                   : d->phase == DEPLOY_FAILED ? STR("DEPLOYMENT_FAILED") : STR("DEPLOYMENT_ABORTED");
    row.state_message = d->e ? str_cut(str_of(err_msg(d->e)), 4000) : STR("");
    row.kind = ok ? (d->native ? STR("native") : STR("python")) : STR("");
    row.artifact_digest = str_of(d->digest);
    row.owner = str_of(d->owner);
    return ent_served_version_update(tx, u->scope, &row);
}

/* Runs on the writer's thread; the update stands still meanwhile. */
static err *write_outcome(store_tx *tx, void *arg) {
    struct outcome *o = arg;
    struct update *u = o->u;
    struct ent_endpoint e;
    bool found;
    TRY(ent_endpoint_get(tx, u->scope, u->a, u->endpoint, &e, &found));
    if (!found || e.pending_version != u->config_version ||
        !str_eqz(e.config_update, "IN_PROGRESS")) { /* deleted, or overtaken */
        o->gone = true;
        return NULL;
    }
    for (size_t i = 0; i < u->n; i++) TRY(write_entity(tx, u, &u->d[i]));
    if (u->failure) {
        /* The pending configuration stays to be looked at, with its entities' reasons. */
        e.config_update = STR("UPDATE_FAILED");
        e.message = str_cut(str_of(err_msg(u->failure)), 8000);
    } else {
        e.config = e.pending;
        e.config_version = e.pending_version;
        e.config_update = STR("NOT_UPDATING");
        e.message = STR("");
        e.ready = true;
        e.stopped = false;
        e.pending = STR("");
        e.pending_version = 0;
    }
    TRY(ent_endpoint_update(tx, u->scope, &e));
    store_tx_securable(tx, "serving-endpoint", e.id, e.name);
    if (u->failure) return NULL;
    TRY(ent_endpoint_get(tx, u->scope, u->a, u->endpoint, &e, NULL));
    return serving_fact(tx, u->a, &e, &o->key, &o->value);
}

struct written {
    struct outcome o;
    err *e;
};

static void take_over(struct update *u, struct outcome *o) {
    struct control *c = u->s->c;
    for (size_t i = 0; i < u->n; i++) {
        struct deploy *d = &u->d[i];
        struct sentity *e = entity_of(u->s, d->entity, true);
        e->endpoint = u->endpoint;
        e->python = !d->native;
        snprintf(e->owner, sizeof(e->owner), "%s", d->owner);
        snprintf(e->env, sizeof(e->env), "%s", d->env);
        if (!d->native) continue;
        uint64_t key = (uint64_t)d->entity;
        control_fact(c, FACT_PLAN, false, map_key_u64(&key), STR(""), dup(d->plan_fd));
    }
    control_fact(c, FACT_ENDPOINT, false, o->key, o->value, -1);
    for (size_t i = 0; i < u->n_old; i++) hosts_retire(u->s, u->old_entities[i]);
}

static void on_written(void *arg) {
    struct written *w = arg;
    struct update *u = w->o.u;
    if (w->e) {
        log_error("cannot write the outcome of an endpoint's update", lf_err(w->e));
        err_free(w->e);
    } else if (!w->o.gone && !u->failure) {
        take_over(u, &w->o);
    }
    /* What was loaded for nothing ends; why it failed stays to be read. */
    for (size_t i = 0; i < u->n; i++) {
        if (w->o.gone)
            hosts_retire(u->s, u->d[i].entity);
        else if (u->failure || w->e)
            hosts_end(u->s, u->d[i].entity);
    }
    wake_waiter(u);
    free(w);
    update_free(u);
}

static void write_done(void *arg, err *e, int64_t seq) {
    (void)seq;
    struct written *w = arg;
    w->e = e;
    loop_post(w->o.u->s->c->l, on_written, w);
}

static void settle(struct update *u) {
    struct written *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->o.u = u;
    struct store_write sw = {.job = write_outcome,
                             .done = write_done,
                             .arg = w,
                             .actor = {.request_id = STR("update"), .client = STR("local"),
                                       .action = STR("serving.update_outcome"), .scope = u->scope}};
    err *e = store_write_async(u->s->c->store, STORE_META, &sw);
    if (e) {
        w->e = e;
        on_written(w);
    }
}

void update_deploy_over(struct deploy *d) {
    struct update *u = d->up;
    if (u->early) {
        early_over(d);
        return;
    }
    if (d->phase == DEPLOY_FAILED && !u->failure)
        u->failure = err_new(ERR_INVALID_STATE, "%s", err_msg(d->e));
    if (--u->open == 0) settle(u);
}

/* ---- beginning ---- */

struct begin {
    struct serving *s;
    struct update *u;
    err *e;
};

static char *dup_str(str s) { return s.p ? strndup(s.p, s.n) : strdup(""); }

/* {"A":"b"} of environment_vars, or NULL. */
static char *environment_of(arena *a, str spec) {
    jval *o;
    err *e = spec.n ? json_parse(a, spec, false, &o) : err_new(ERR_BAD_REQUEST, "none");
    if (e) {
        err_free(e);
        return NULL;
    }
    jval *env = json_get(o, "environment_vars");
    return yyjson_is_obj(env) && yyjson_obj_size(env) ? yyjson_val_write(env, 0, NULL) : NULL;
}

static err *read_update(struct control *c, struct update *u) {
    store_tx *tx;
    TRY(store_read_begin(c->store, STORE_META, 0, &tx));
    struct ent_endpoint e;
    bool found;
    struct ent_served_version_rows rows = {0};
    err *bad = ent_endpoint_get(tx, u->scope, u->a, u->endpoint, &e, &found);
    if (!bad && found && e.pending_version) {
        u->config_version = e.pending_version;
        struct ent_list_query q = {
            .eq[0] = {.column = ENT_SERVED_VERSION_ENDPOINT_ID, .i = e.id}, .limit = 1000};
        bad = ent_served_version_list(tx, u->scope, u->a, &q, &rows);
    }
    store_read_end(tx);
    if (bad) return bad;
    u->d = calloc(rows.n + 1, sizeof(*u->d));
    u->old_entities = calloc(rows.n + 1, sizeof(int64_t));
    must(u->d && u->old_entities);
    for (size_t i = 0; i < rows.n; i++) {
        struct ent_served_version *r = &rows.p[i];
        if (r->config_version != u->config_version) {
            u->old_entities[u->n_old++] = r->id;
            continue;
        }
        struct deploy *d = &u->d[u->n++];
        d->s = u->s;
        d->up = u;
        d->scope = u->scope;
        d->entity = r->id;
        d->endpoint = u->endpoint;
        d->name = dup_str(r->entity_name);
        d->version = dup_str(r->entity_version);
        d->environment = environment_of(u->a, r->spec);
        snprintf(d->owner, sizeof(d->owner), "e%016llx", (unsigned long long)r->id);
    }
    return NULL;
}

/* Entities of the endpoint that have no row any more: failed, or served two configurations ago. */
static void forget_others(struct update *u) {
    str k;
    void *v;
    vec_of(int64_t) gone = {0};
    for (size_t i = 0; map_next(u->s->entities, &i, &k, &v);) {
        struct sentity *e = v;
        bool keep = e->endpoint != u->endpoint;
        for (size_t n = 0; !keep && n < u->n; n++) keep = u->d[n].entity == e->entity;
        for (size_t n = 0; !keep && n < u->n_old; n++) keep = u->old_entities[n] == e->entity;
        if (!keep) vec_push(&gone, e->entity);
    }
    for (size_t i = 0; i < gone.n; i++) hosts_retire(u->s, gone.p[i]);
    vec_free(&gone);
}

void serving_update(struct control *c, struct store_scope scope, int64_t endpoint, uint64_t wait) {
    struct serving *s = c->serving;
    struct update *u = calloc(1, sizeof(*u));
    must(u != NULL);
    u->s = s;
    u->scope = scope;
    u->endpoint = endpoint;
    u->a = arena_new();
    u->next = s->updates;
    s->updates = u;
    u->wait = wait;
    err *e = read_update(c, u);
    if (e || !u->n) {
        if (e) {
            log_error("cannot begin an endpoint's update", lf_err(e));
            err_free(e);
        }
        wake_waiter(u);
        update_free(u);
        return;
    }
    if (wait) {
        u->wait_timer.on_time = on_wait;
        loop_timer_set(c->l, &u->wait_timer, WAIT_US);
    }
    forget_others(u);
    u->open = u->n;
    for (size_t i = 0; i < u->n; i++) deploy_begin(&u->d[i]);
}

void serving_end(struct control *c, int64_t endpoint, const int64_t *entities, size_t n) {
    (void)endpoint;
    for (size_t i = 0; i < n; i++) hosts_retire(c->serving, entities[i]);
}

/* ---- the start ---- */

static err *load_entity(struct control *c, arena *a, const struct ent_served_version *r) {
    struct serving *s = c->serving;
    struct sentity *e = entity_of(s, r->id, true);
    e->endpoint = r->endpoint_id;
    snprintf(e->owner, sizeof(e->owner), "%.*s", STR_ARG(r->owner));
    e->environment = environment_of(a, r->spec);
    e->python = !str_eqz(r->kind, "native");
    bool known;
    char digest[ENV_NAME_CAP];
    snprintf(digest, sizeof(digest), "%.*s", STR_ARG(str_cut(r->artifact_digest, 64)));
    if (e->python) {
        hosts_keep_warm(s);
        return environment_recall(s, digest, e->env, &known);
    }
    char path[4300];
    snprintf(path, sizeof(path), "%.4000s/plans/%.*s.plan", c->data_dir,
             STR_ARG(str_cut(r->artifact_digest, 64)));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno("cannot open the plan %s", path);
    uint64_t key = (uint64_t)r->id;
    control_fact(c, FACT_PLAN, false, map_key_u64(&key), STR(""), fd);
    return NULL;
}

static err *load_endpoint(struct control *c, store_tx *tx, arena *a, const struct ent_endpoint *e) {
    struct store_scope scope = {e->account, e->workspace};
    if (e->config.n) {
        struct ent_list_query q = {
            .eq[0] = {.column = ENT_SERVED_VERSION_ENDPOINT_ID, .i = e->id}, .limit = 1000};
        struct ent_served_version_rows rows;
        TRY(ent_served_version_list(tx, scope, a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            if (rows.p[i].config_version != e->config_version) continue;
            err *bad = load_entity(c, a, &rows.p[i]);
            if (bad) {
                log_error("a served entity cannot be loaded", lf_str("endpoint", e->name), lf_err(bad));
                err_free(bad);
            }
        }
        str key, value;
        TRY(serving_fact(tx, a, e, &key, &value));
        control_fact(c, FACT_ENDPOINT, false, key, value, -1);
    }
    if (e->pending_version && str_eqz(e->config_update, "IN_PROGRESS"))
        serving_update(c, scope, e->id, 0);
    return NULL;
}

err *serving_load(struct control *c) {
    store_tx *tx;
    TRY(store_read_begin(c->store, STORE_META, 0, &tx));
    arena *a = arena_new();
    struct ent_list_query wq = {.limit = 1000};
    struct ent_workspace_rows ws;
    err *e = NULL;
    do {
        e = ent_workspace_list(tx, identity_account(), a, &wq, &ws);
        for (size_t i = 0; !e && i < ws.n; i++) {
            if (identity_workspace_gone(&ws.p[i])) continue;
            struct store_scope scope = {IDENTITY_ACCOUNT, ws.p[i].id};
            struct ent_list_query q = {.limit = 1000};
            struct ent_endpoint_rows rows;
            do {
                e = ent_endpoint_list(tx, scope, a, &q, &rows);
                for (size_t k = 0; !e && k < rows.n; k++) e = load_endpoint(c, tx, a, &rows.p[k]);
                q.after = true;
                if (!e && rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
            } while (!e && rows.more);
        }
        wq.after = true;
        if (!e && ws.n) wq.after_i = wq.after_id = ws.p[ws.n - 1].id;
    } while (!e && ws.more);
    arena_free(a);
    store_read_end(tx);
    return e;
}

/* ---- frames ---- */

void serving_on_supervisor(struct control *c, struct chan_frame *f) {
    struct serving *s = c->serving;
    arena *a = arena_new();
    struct msg_spawned sp;
    struct msg_leased le;
    struct msg_ended en;
    if (f->type == MSG_SPAWNED && msg_spawned_decode(a, f->payload, &sp)) {
        if (str_eqz(sp.role, "runtime_host"))
            hosts_spawned(s, &sp);
        else
            deploy_spawned(s, &sp);
    } else if (f->type == MSG_LEASED && msg_leased_decode(a, f->payload, &le)) {
        hosts_leased(s, &le);
    } else if (f->type == MSG_ENDED && msg_ended_decode(a, f->payload, &en)) {
        if (str_eqz(en.role, "runtime_host"))
            hosts_ended(s, &en);
        else
            deploy_ended(s, &en);
    }
    arena_free(a);
}

static void read_stats(struct serving *s, str json) {
    arena *a = arena_new();
    jval *o, *v, *b;
    err *e = json_parse(a, json, false, &o);
    size_t i, n, k, m;
    if (!e) yyjson_arr_foreach(json_get(o, "entities"), i, n, v) {
        int64_t id, x;
        if (!json_i64(json_get(v, "id"), &id)) continue;
        struct sentity *se = entity_of(s, id, false);
        if (!se) continue;
        struct serving_stats st = {0};
        if (json_i64(json_get(v, "requests"), &x)) st.requests = (uint64_t)x;
        if (json_i64(json_get(v, "errors_4xx"), &x)) st.errors_4xx = (uint64_t)x;
        if (json_i64(json_get(v, "errors_5xx"), &x)) st.errors_5xx = (uint64_t)x;
        json_f64(json_get(v, "sum_us"), &st.sum_us);
        json_f64(json_get(v, "predict_us"), &st.predict_us);
        yyjson_arr_foreach(json_get(v, "buckets"), k, m, b) {
            if (k < 15 && json_i64(b, &x)) st.buckets[k] = (uint64_t)x;
        }
        se->stats = st;
    }
    err_free(e);
    arena_free(a);
}

void serving_on_gateway(struct control *c, struct gateway_link *g, struct chan_frame *f) {
    (void)g;
    struct serving *s = c->serving;
    arena *a = arena_new();
    struct msg_wake w;
    struct msg_host_state h;
    struct msg_gateway_stats st;
    if (f->type == MSG_WAKE && msg_wake_decode(a, f->payload, &w)) {
        hosts_wake(s, &w);
    } else if (f->type == MSG_HOST_STATE && msg_host_state_decode(a, f->payload, &h)) {
        hosts_state(s, &h);
    } else if (f->type == MSG_GATEWAY_STATS && msg_gateway_stats_decode(a, f->payload, &st)) {
        read_stats(s, st.json);
        struct req *r = f->stream ? control_parked(c, f->stream) : NULL;
        if (r) req_resume(r, NULL);
    } else {
        log_error("frame of a gateway refused", lf_z("type", msg_name(f->type)));
    }
    arena_free(a);
}

void serving_ask_stats(struct control *c, uint64_t park) {
    if (!c->gateways.n) {
        struct req *r = control_parked(c, park);
        if (r) req_resume(r, NULL);
        return;
    }
    CHAN_SEND(c->gateways.p[0]->ch, stats_ask, park, -1, .none = 0);
}

struct serving_stats serving_stats_of(struct control *c, int64_t entity) {
    struct sentity *e = entity_of(c->serving, entity, false);
    return e ? e->stats : (struct serving_stats){0};
}

str serving_log(struct control *c, arena *a, int64_t entity, bool build) {
    struct sentity *e = entity_of(c->serving, entity, false);
    return e ? arena_str(a, buf_view(build ? &e->build_log : &e->log)) : STR("");
}

err *serving_open(struct control *c) {
    struct serving *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->c = c;
    s->entities = map_new();
    s->hosts = map_new();
    c->serving = s;
    char dir[4200];
    snprintf(dir, sizeof(dir), "%.4000s/plans", c->data_dir);
    TRY(files_mkdirs(dir, 0755));
    TRY(environment_sweep(s));
    return jobs_new("builder", 1, &s->builders);
}

void serving_close(struct control *c) {
    struct serving *s = c->serving;
    if (!s) return;
    early_close(s);
    loop_timer_clear(c->l, &s->warm_timer);
    vec_free(&s->warm);
    jobs_free(s->builders);
    s->builders = NULL;
}
