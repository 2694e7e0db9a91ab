/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clusters of a warehouse: engines, who runs where, growing and shrinking.
 *
 * warehouse_pump() is the one place where statements leave the queue and clusters are added. It is called
 * whenever something may have changed: a statement came or ended, an engine is ready or gone, a row changed.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "statements/statements_int.h"
#include "sys/clock.h"

#define MAX_FAILURES 3
#define RETRY_US 100000
#define RETRY_FIRST_US 10000

/* ---- sizes ---- */

static int64_t machine_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (int64_t)pages * size : (int64_t)1 << 32;
}

static int64_t doubled(int64_t base, int n) { return base > INT64_MAX >> n ? INT64_MAX : base << n; }

static struct engine_spec spec_of(const struct warehouse *w, const char *owner) {
    const struct settings *set = &w->svc->c->settings;
    int n = warehouse_sizes[w->size].doublings;
    int64_t most = settings_int(set, SET_SQL_MEMORY);
    if (!most) most = machine_memory() / 10 * 7;
    int64_t memory = doubled(settings_int(set, SET_SQL_MEMORY_BASE), n);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (struct engine_spec){
        .owner = str_of(owner),
        .memory_bytes = memory < most ? memory : most,
        .spill_bytes = doubled(settings_int(set, SET_SQL_SPILL_BASE), n),
        .threads = cores > 0 ? (int)cores : 1,
        .cpu_weight = warehouse_sizes[w->size].cpu_weight,
        .max_running = (int)settings_int(set, SET_SQL_CLUSTER_STATEMENTS),
    };
}

int64_t clusters_serverless_dbu(struct statements *svc) {
    int64_t sum = 0;
    str k;
    void *v;
    for (size_t i = 0; map_next(svc->warehouses, &i, &k, &v);) {
        const struct warehouse *w = v;
        for (size_t n = 0; w->serverless && n < w->clusters.n; n++) sum += w->clusters.p[n]->dbu;
    }
    return sum;
}

/* ---- life ---- */

static void detach(struct cluster *cl) {
    struct warehouse *w = cl->w;
    sessions_left(cl);
    loop_timer_clear(w->svc->c->l, &cl->idle);
    for (size_t i = 0; i < w->clusters.n; i++)
        if (w->clusters.p[i] == cl) {
            vec_remove_swap(&w->clusters, i);
            break;
        }
}

void cluster_end(struct cluster *cl, const char *why) {
    cl->ending = why;
    cl->retiring = true;
    engine *e = cl->e;
    cl->e = NULL;
    engine_end(e); /* its statements fail inside, with `ending` as the reason */
    detach(cl);
    free(cl);
}

static void on_ready(engine *e, void *arg) {
    (void)e;
    struct cluster *cl = arg;
    struct warehouse *w = cl->w;
    cl->ready = true;
    statements_began(cl);
    w->failures = 0;
    if (w->state == WAREHOUSE_STARTING) {
        w->state = WAREHOUSE_RUNNING;
        log_info("SQL warehouse runs", lf_z("warehouse", w->id));
    }
    warehouse_unwatch(w);
    warehouse_pump(w);
}

static void on_retry(loop_timer *t) {
    warehouse_pump((struct warehouse *)((char *)t - offsetof(struct warehouse, retry)));
}

/* It could not start: again in a moment, at most MAX_FAILURES times. */
static void start_failed(struct warehouse *w, const char *why) {
    struct control *c = w->svc->c;
    if (++w->failures < MAX_FAILURES) {
        w->retry.on_time = on_retry;
        /* The first time it is mostly a warm engine that had just ended, which nobody knew yet. */
        loop_timer_set(c->l, &w->retry, w->failures == 1 ? RETRY_FIRST_US : RETRY_US << w->failures);
        return;
    }
    if (w->clusters.n) return; /* others run */
    free(w->failure);
    w->failure = dup_text(str_of(why));
    log_error("SQL warehouse cannot start", lf_z("warehouse", w->id), lf_z("why", why));
    buf b = {0};
    buf_fmt(&b, "SQL warehouse '%s' cannot start: %s", w->id, why);
    buf_c(&b, 0);
    w->state = WAREHOUSE_STOPPED;
    warehouse_fail_queue(w, ERR_TEMPORARILY_UNAVAILABLE, b.p);
    warehouse_unwatch(w);
    buf_free(&b);
}

static void on_ended(engine *e, const char *why, void *arg) {
    (void)e;
    struct cluster *cl = arg;
    struct warehouse *w = cl->w;
    bool was_ready = cl->ready;
    log_warn("engine ended", lf_z("warehouse", w->id), lf_z("why", why));
    cl->e = NULL;
    detach(cl);
    free(cl);
    if (!was_ready)
        start_failed(w, why);
    else
        warehouse_pump(w);
}

static struct cluster *cluster_add(struct warehouse *w) {
    static const struct engine_events events = {.on_ready = on_ready, .on_ended = on_ended};
    struct cluster *cl = calloc(1, sizeof(*cl));
    must(cl != NULL);
    cl->w = w;
    cl->dbu = warehouse_sizes[w->size].dbu;
    snprintf(cl->owner, sizeof(cl->owner), "w%s-%u", w->id, ++w->next_cluster);
    struct engine_spec spec = spec_of(w, cl->owner);
    cl->e = engine_acquire(w->svc->c, &spec, &events, cl);
    vec_push(&w->clusters, cl);
    return cl;
}

/* ---- who runs where ---- */

static size_t live_clusters(const struct warehouse *w) {
    size_t n = 0;
    for (size_t i = 0; i < w->clusters.n; i++) n += !w->clusters.p[i]->retiring;
    return n;
}

static bool has_room(const struct cluster *cl) {
    return !cl->retiring && cl->running < (size_t)settings_int(&cl->w->svc->c->settings,
                                                               SET_SQL_CLUSTER_STATEMENTS);
}

static struct cluster *least_busy(struct warehouse *w) {
    struct cluster *best = NULL;
    for (size_t i = 0; i < w->clusters.n; i++) {
        struct cluster *cl = w->clusters.p[i];
        if (has_room(cl) && (!best || cl->running < best->running)) best = cl;
    }
    return best;
}

/* One more cluster may be added now. Beyond the first, not past the quota. */
static bool may_add(struct warehouse *w) {
    size_t n = live_clusters(w);
    if (w->retry.slot || n >= (size_t)w->max_clusters) return false;
    int64_t quota = settings_int(&w->svc->c->settings, SET_SQL_SERVERLESS_QUOTA);
    return !n || !w->serverless || !quota ||
           clusters_serverless_dbu(w->svc) + warehouse_sizes[w->size].dbu <= quota;
}

static void take_out(struct warehouse *w, struct statement **at) {
    struct statement *s = *at;
    *at = s->next;
    if (!*at) w->queue_end = at;
    s->next = NULL;
    w->n_queue--;
}

void warehouse_enqueue(struct warehouse *w, struct statement *s) {
    s->next = NULL;
    *w->queue_end = s;
    w->queue_end = &s->next;
    w->n_queue++;
}

void warehouse_unqueue(struct warehouse *w, struct statement *s) {
    for (struct statement **at = &w->queue; *at; at = &(*at)->next)
        if (*at == s) {
            take_out(w, at);
            return;
        }
}

static void give(struct cluster *cl, struct statement *s) {
    s->cluster = cl;
    cl->running++;
    cl->w->n_running++;
    loop_timer_clear(cl->w->svc->c->l, &cl->idle);
    statement_run(s);
}

/* True if something was given; then the queue may have changed altogether. */
static bool give_one(struct warehouse *w) {
    struct cluster *free_one = least_busy(w);
    if (!free_one && may_add(w)) free_one = cluster_add(w);
    for (struct statement **at = &w->queue; *at && free_one; at = &(*at)->next) {
        struct statement *s = *at;
        struct cluster *home = s->session ? s->session->cluster : NULL;
        if (home && !home->retiring && !has_room(home)) continue;
        take_out(w, at);
        give(home && !home->retiring ? home : free_one, s);
        return true;
    }
    return false;
}

/* ---- idle ---- */

static void on_auto_stop(loop_timer *t) {
    struct warehouse *w = (struct warehouse *)((char *)t - offsetof(struct warehouse, idle));
    if (w->n_running || w->n_queue || w->state != WAREHOUSE_RUNNING) return;
    warehouse_stop(w, "The SQL warehouse stopped because it was idle.");
}

static void on_cluster_idle(loop_timer *t) {
    struct cluster *cl = (struct cluster *)((char *)t - offsetof(struct cluster, idle));
    if (!cl->running && live_clusters(cl->w) > (size_t)cl->w->min_clusters)
        cluster_end(cl, "The cluster was idle.");
}

void warehouse_idle_check(struct warehouse *w) {
    loop *l = w->svc->c->l;
    bool busy = w->n_running || w->n_queue || w->state != WAREHOUSE_RUNNING;
    if (busy || !w->auto_stop_us) {
        loop_timer_clear(l, &w->idle);
        w->idle_since = 0;
        return;
    }
    if (w->idle_since) return;
    w->idle_since = loop_now(l);
    w->idle.on_time = on_auto_stop;
    loop_timer_set(l, &w->idle, w->auto_stop_us);
}

static void on_retired(loop_timer *t) {
    struct cluster *cl = (struct cluster *)((char *)t - offsetof(struct cluster, idle));
    if (!cl->running) cluster_end(cl, "The warehouse's size was changed.");
}

/* Ends nothing by itself: we may be inside what an engine tells. */
static void shrink(struct warehouse *w) {
    loop *l = w->svc->c->l;
    for (size_t i = w->clusters.n; i-- > 0;) {
        struct cluster *cl = w->clusters.p[i];
        if (cl->running || !cl->ready || cl->ending) continue;
        if (cl->retiring) {
            cl->idle.on_time = on_retired;
            loop_timer_set(l, &cl->idle, 0);
        } else if (!cl->idle.slot && live_clusters(w) > (size_t)w->min_clusters) {
            cl->idle.on_time = on_cluster_idle;
            loop_timer_set(l, &cl->idle, settings_int(&w->svc->c->settings, SET_SQL_SCALE_DOWN_AFTER));
        }
    }
}

void clusters_retire(struct warehouse *w) {
    for (size_t i = 0; i < w->clusters.n; i++) {
        w->clusters.p[i]->retiring = true;
        sessions_left(w->clusters.p[i]);
    }
}

void cluster_refuse(struct statement *s, const char *what) {
    struct cluster *cl = s->cluster;
    if (!cl || !s->run) return;
    cl->retiring = true; /* until its end is told nothing more is given to it */
    sessions_left(cl);
    engine_refuse(s->run, what);
}

/* ---- the pump ---- */

void warehouse_pump(struct warehouse *w) {
    if (w->pumping || w->svc->closing) return;
    if (w->state == WAREHOUSE_STOPPED && w->queue) {
        err *e = warehouse_start(w); /* pumps */
        if (e) warehouse_fail_queue(w, err_code_of(e), err_msg(e));
        err_free(e);
        return;
    }
    if (w->state != WAREHOUSE_STARTING && w->state != WAREHOUSE_RUNNING) return;
    w->pumping = true;
    while (w->queue && give_one(w)) {}
    while (live_clusters(w) < (size_t)w->min_clusters && may_add(w)) cluster_add(w);
    shrink(w);
    w->pumping = false;
    warehouse_idle_check(w);
}

static void on_soon(loop_timer *t) {
    warehouse_pump((struct warehouse *)((char *)t - offsetof(struct warehouse, soon)));
}

void warehouse_freed(struct warehouse *w, struct cluster *cl) {
    cl->running--;
    w->n_running--;
    w->soon.on_time = on_soon;
    if (!w->soon.slot) loop_timer_set(w->svc->c->l, &w->soon, 0);
}
