/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of Python models. Control starts and ends them; the gateway talks to them and says what
 * they say. An entity has as many as its requests want (frame wake), up to its concurrency and the
 * machine's processors; with scale to zero it has none after the idle time.
 *
 * Where there are Python models, serving.warm_hosts processes are kept that have had no owner: their
 * libraries are in memory, so that a model is loaded at once. One gets its owner by a lease, in which its
 * folders are mounted, and has it to its end. A model with an environment of its own begins in that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "serving/serving_int.h"
#include "sys/clock.h"

struct sentity *entity_of(struct serving *s, int64_t id, bool make) {
    str key = str_n((const char *)&id, sizeof(id));
    struct sentity *e = map_get(s->entities, key);
    if (e || !make) return e;
    e = calloc(1, sizeof(*e));
    must(e != NULL);
    e->entity = id;
    map_put(s->entities, key, e);
    return e;
}

void hosts_add_log(buf *log, str text) {
    buf_str(log, text);
    if (log->n <= SERVING_LOG_MAX) return;
    size_t cut = log->n - SERVING_LOG_MAX;
    while (cut < log->n && log->p[cut] != '\n') cut++;
    buf_shift(log, cut < log->n ? cut + 1 : log->n);
}

static size_t most_hosts(const struct sentity *e) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    size_t cores = n > 0 ? (size_t)n : 1;
    return e->concurrency > 0 && (size_t)e->concurrency < cores ? (size_t)e->concurrency : cores;
}

/* ---- processes without an owner ---- */

#define WARM_SOON_US 2000000  /* what has just begun to load goes first */
#define WARM_AGAIN_US 5000000 /* after one that ended without having been of use */

static void on_warm(loop_timer *t) {
    struct serving *s = (struct serving *)((char *)t - offsetof(struct serving, warm_timer));
    const struct settings *set = &s->c->settings;
    size_t want = (size_t)settings_int(set, SET_SERVING_WARM_HOSTS);
    while (s->warm.n > want) {
        CHAN_SEND(s->c->supervisor, end, 0, -1, .instance = s->warm.p[s->warm.n - 1].instance);
        s->warm.n--;
    }
    /* One after the other: their start is heavy. */
    if (s->c->draining || s->warm_starting || s->warm.n >= want) return;
    s->warm_starting++;
    CHAN_SEND(s->c->supervisor, spawn, 0, -1, .role = STR("runtime_host"), .owner = STR(""), .environment = STR(""),
              .memory_mb = (uint32_t)(settings_int(set, SET_SERVING_MEMORY) >> 20));
}

static void warm_later(struct serving *s, int64_t us) {
    if (!s->warm_wanted || s->warm_timer.slot) return;
    s->warm_timer.on_time = on_warm;
    loop_timer_set(s->c->l, &s->warm_timer, us);
}

void hosts_keep_warm(struct serving *s) {
    s->warm_wanted = !s->c->reduced; /* there nothing can be mounted later */
    warm_later(s, WARM_SOON_US);
}

static void warm_spawned(struct serving *s, const struct msg_spawned *m) {
    if (s->warm_starting) s->warm_starting--;
    if (m->ok)
        vec_push(&s->warm, ((struct warm_host){m->instance, false}));
    else
        log_warn("no runtime host can be kept warm", lf_str("why", m->reason));
    warm_later(s, m->ok ? WARM_SOON_US : 12 * WARM_AGAIN_US);
}

static struct warm_host *warm_by_instance(struct serving *s, uint64_t instance) {
    for (size_t i = 0; i < s->warm.n; i++)
        if (s->warm.p[i].instance == instance) return &s->warm.p[i];
    return NULL;
}

static void warm_drop(struct serving *s, struct warm_host *w) { vec_remove_swap(&s->warm, (size_t)(w - s->warm.p)); }

/* The entity gets one of them; false if there is none. */
static bool warm_lease(struct serving *s, struct sentity *e) {
    struct warm_host *best = NULL;
    for (size_t i = 0; i < s->warm.n; i++)
        if (!best || s->warm.p[i].ready) best = &s->warm.p[i];
    if (!best || e->env[0]) return false;
    CHAN_SEND(s->c->supervisor, lease, 0, -1, .instance = best->instance, .owner = str_of(e->owner), .environment = STR(""));
    warm_drop(s, best);
    warm_later(s, WARM_SOON_US);
    return true;
}

/* ---- processes of entities ---- */

static void spawn(struct serving *s, struct sentity *e) {
    CHAN_SEND(s->c->supervisor, spawn, 0, -1, .role = STR("runtime_host"), .owner = str_of(e->owner),
              .environment = str_of(e->env),
              .memory_mb = (uint32_t)(settings_int(&s->c->settings, SET_SERVING_MEMORY) >> 20));
}

void hosts_start(struct serving *s, struct sentity *e, struct deploy *d) {
    if (d) {
        e->endpoint = d->endpoint;
        snprintf(e->owner, sizeof(e->owner), "%s", d->owner);
        snprintf(e->env, sizeof(e->env), "%s", d->env);
        free(e->environment);
        e->environment = d->environment ? strdup(d->environment) : NULL;
    }
    e->starting = true;
    if (!warm_lease(s, e)) spawn(s, e);
    hosts_keep_warm(s);
}

static struct sentity *by_owner(struct serving *s, str owner) {
    str k;
    void *v;
    for (size_t i = 0; map_next(s->entities, &i, &k, &v);)
        if (str_eqz(owner, ((struct sentity *)v)->owner)) return v;
    return NULL;
}

static void fail_load(struct serving *s, struct sentity *e, str why) {
    struct deploy *d = deploy_by_owner(s, str_of(e->owner));
    if (d && d->phase == DEPLOY_LOAD)
        deploy_done(d, err_new(ERR_INVALID_STATE, "The model cannot be loaded: %.*s",
                               STR_ARG(str_cut(why, 2000))));
}

/* The LEASE object of the runtime host. At level reduced it sees the host's own paths. */
static void send_lease(struct serving *s, struct sentity *e, uint64_t instance) {
    struct control *c = s->c;
    buf j = {0};
    buf_z(&j, "{\"model\":");
    if (c->reduced) {
        buf path = {0};
        buf_fmt(&path, "%s/models/%s/model", c->data_dir, e->owner);
        buf_json_str(&j, buf_view(&path));
        buf_free(&path);
    } else {
        buf_z(&j, "\"/model\"");
    }
    buf_fmt(&j, ",\"environment\":null,\"threads\":1,\"env\":%s}", e->environment ? e->environment : "{}");
    for (size_t i = 0; i < c->gateways.n; i++)
        CHAN_SEND(c->gateways.p[i]->ch, host_lease, 0, -1, .instance = instance, .entity = e->entity,
                  .json = buf_view(&j));
    buf_free(&j);
}

/* The process is the entity's: what it waits for is the lease's content. */
static void own(struct serving *s, struct sentity *e, uint64_t instance) {
    struct shost *h = calloc(1, sizeof(*h));
    must(h != NULL);
    *h = (struct shost){.instance = instance, .entity = e->entity, .endpoint = e->endpoint};
    map_put(s->hosts, map_key_u64(&h->instance), h);
    e->starting = false;
    e->hosts++;
    send_lease(s, e, instance);
}

void hosts_leased(struct serving *s, const struct msg_leased *m) {
    struct sentity *e = by_owner(s, m->owner);
    if (e && m->ok) {
        own(s, e, m->instance);
        return;
    }
    /* The entity went meanwhile, or the process; one that is half an owner's is of no use. */
    CHAN_SEND(s->c->supervisor, end, 0, -1, .instance = m->instance);
    if (e) {
        log_info("a warm runtime host cannot be leased", lf_str("why", m->reason));
        spawn(s, e);
    }
}

void hosts_spawned(struct serving *s, const struct msg_spawned *m) {
    if (!m->owner.n) {
        warm_spawned(s, m);
        return;
    }
    struct sentity *e = by_owner(s, m->owner);
    if (!e) {
        if (m->ok) CHAN_SEND(s->c->supervisor, end, 0, -1, .instance = m->instance);
        return;
    }
    if (!m->ok) {
        e->starting = false;
        fail_load(s, e, m->reason);
        return;
    }
    own(s, e, m->instance);
}

void hosts_ended(struct serving *s, const struct msg_ended *m) {
    uint64_t key = m->instance;
    struct shost *h = map_del(s->hosts, map_key_u64(&key));
    struct warm_host *w = warm_by_instance(s, key);
    if (w) {
        warm_drop(s, w);
        warm_later(s, WARM_AGAIN_US);
    }
    if (!h) return;
    struct sentity *e = entity_of(s, h->entity, false);
    if (e) {
        if (e->hosts) e->hosts--;
        if (m->report.n) hosts_add_log(&e->log, m->report);
        buf why = {0};
        buf_fmt(&why, "its process ended (code %u, signal %u).", m->code, m->signal);
        if (!h->loaded) fail_load(s, e, buf_view(&why));
        buf_free(&why);
    }
    free(h);
}

void hosts_state(struct serving *s, const struct msg_host_state *m) {
    uint64_t key = m->instance;
    struct shost *h = map_get(s->hosts, map_key_u64(&key));
    struct sentity *e = h ? entity_of(s, h->entity, false) : entity_of(s, m->entity, false);
    if (str_eqz(m->state, "ready") && !h && !m->entity) {
        struct warm_host *w = warm_by_instance(s, key);
        if (w)
            w->ready = true;
        else /* control is new; one that had an owner refuses a lease and is ended then */
            vec_push(&s->warm, ((struct warm_host){m->instance, true}));
        warm_later(s, WARM_SOON_US);
        return;
    }
    if (str_eqz(m->state, "loaded")) {
        if (!e) { /* of an entity that went while control was away */
            CHAN_SEND(s->c->supervisor, end, 0, -1, .instance = m->instance);
            return;
        }
        if (!h && m->entity && e) { /* control is new: the process is adopted */
            h = calloc(1, sizeof(*h));
            must(h != NULL);
            *h = (struct shost){.instance = m->instance, .entity = m->entity};
            map_put(s->hosts, map_key_u64(&h->instance), h);
            e->hosts++;
        }
        if (h) h->loaded = true;
        struct deploy *d = e ? deploy_by_owner(s, str_of(e->owner)) : NULL;
        if (d && d->phase == DEPLOY_LOAD) deploy_done(d, NULL);
    } else if (str_eqz(m->state, "failed") && e) {
        arena *a = arena_new();
        jval *o = NULL;
        err *bad = json_parse(a, m->json, false, &o);
        str why = bad ? STR("it failed without a reason") : json_get_str(o, "reason");
        hosts_add_log(&e->log, bad ? STR("") : json_get_str(o, "traceback"));
        fail_load(s, e, why);
        err_free(bad);
        arena_free(a);
    } else if (str_eqz(m->state, "log") && e) {
        hosts_add_log(&e->log, m->json);
    } else if (str_eqz(m->state, "late")) {
        if (e) hosts_add_log(&e->log, STR("A request ran past serving.timeout; its process is ended.\n"));
        CHAN_SEND(s->c->supervisor, end, 0, -1, .instance = m->instance);
    }
}

void hosts_wake(struct serving *s, const struct msg_wake *m) {
    struct sentity *e = entity_of(s, m->entity, false);
    if (!e || !e->owner[0]) return;
    e->last_wake = clock_mono();
    if (e->starting || e->hosts >= most_hosts(e)) return;
    hosts_start(s, e, NULL);
}

void hosts_end(struct serving *s, int64_t entity) {
    str k;
    void *v;
    for (size_t i = 0; map_next(s->hosts, &i, &k, &v);) {
        struct shost *h = v;
        if (h->entity == entity) CHAN_SEND(s->c->supervisor, end, 0, -1, .instance = h->instance);
    }
}

void hosts_retire(struct serving *s, int64_t entity) {
    uint64_t key = (uint64_t)entity;
    control_fact(s->c, FACT_PLAN, true, map_key_u64(&key), STR(""), -1);
    struct sentity *e = map_del(s->entities, str_n((const char *)&entity, sizeof(entity)));
    if (!e) return;
    free(e->environment);
    buf_free(&e->log);
    buf_free(&e->build_log);
    free(e);
}
