/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes and leases.
 *
 *   spawn (no owner) → peer, spawned → warm → lease → leased → engine_lease → engine_report {ready} → serves
 *                                                 any of them → ended: told to whoever acquired it
 *
 * At level reduced nothing can be mounted into a running process: there the owner is named at the start,
 * and no engine is kept warm.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/link_int.h"
#include "ipc/courier_client.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/jobs.h"

#define BACKOFF_LEAST 10000
#define BACKOFF_MOST 10000000
#define ROLE "engine"

static struct engine_pool *pool_of(const struct control *c) { return c->engines; }

/* ---- roots ---- */

static char *keep_text(struct engine_pool *p, const char *fmt, ...) BH_PRINTF(2, 3);
static char *keep_text(struct engine_pool *p, const char *fmt, ...) {
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    must(vasprintf(&s, fmt, ap) >= 0);
    va_end(ap);
    vec_push(&p->texts, s);
    return s;
}

static void list_roots(struct engine_pool *p) {
    struct control *c = p->c;
    char *tables = keep_text(p, "%s/tables/%s", c->data_dir, p->account);
    vec_push(&p->roots, ((struct engine_root){"tables", tables, c->reduced ? tables : "/data/tables", ""}));
    str rest = settings_str(&c->settings, SET_STORAGE_LOCAL_ROOTS), part;
    for (int n = 0; n < 16 && str_split(&rest, ',', &part);) {
        part = str_trim(part);
        while (part.n > 1 && part.p[part.n - 1] == '/') part.n--;
        if (!part.n) continue;
        char *inside = c->reduced ? keep_text(p, "%.*s", STR_ARG(part)) : keep_text(p, "/ext/%d", n);
        struct engine_root r = {keep_text(p, "ext%d", n), inside, inside, keep_text(p, "file://%.*s", STR_ARG(part))};
        vec_push(&p->roots, r);
        n++;
    }
}

size_t engine_roots(const struct control *c, const struct engine_root **ret) {
    *ret = pool_of(c)->roots.p;
    return pool_of(c)->roots.n;
}

/* ---- starting processes ---- */

static void fill_pool(struct engine_pool *p) {
    struct control *c = p->c;
    if (c->reduced || c->draining) return;
    int waiting = 0, coming = 0;
    for (size_t i = 0; i < p->engines.n; i++) {
        waiting += p->engines.p[i]->process == NULL;
        coming += !p->engines.p[i]->ready;
    }
    /* Those that somebody waits for come first: what starts beside them would take their processors. */
    int64_t want = coming ? waiting : settings_int(&c->settings, SET_ENGINE_WARM);
    while ((int64_t)p->warm.n + p->starting < want) {
        p->starting++;
        CHAN_SEND(c->supervisor, spawn, 0, -1, .role = STR(ROLE), .owner = STR(""), .environment = STR(""));
    }
}

static void on_again(loop_timer *t) {
    fill_pool((struct engine_pool *)((char *)t - offsetof(struct engine_pool, again)));
}

static void fill_later(struct engine_pool *p) {
    p->backoff_us = p->backoff_us ? p->backoff_us * 2 : BACKOFF_LEAST;
    if (p->backoff_us > BACKOFF_MOST) p->backoff_us = BACKOFF_MOST;
    loop_timer_set(p->c->l, &p->again, p->backoff_us);
}

/* ---- ends ---- */

static void forget_engine(engine *e) {
    struct engine_pool *p = e->pool;
    for (size_t i = 0; i < p->engines.n; i++)
        if (p->engines.p[i] == e) {
            vec_remove_swap(&p->engines, i);
            break;
        }
    if (e->process) e->process->owner = NULL;
    for (size_t i = 0; i < e->frames.n; i++) {
        buf_free(&e->frames.p[i].payload);
        if (e->frames.p[i].fd >= 0) close(e->frames.p[i].fd);
    }
    vec_free(&e->frames);
    vec_free(&e->statements);
    free(e);
}

/* The process behind it is gone, or never came. */
static void engine_gone(engine *e, const char *why, bool memory) {
    char text[700];
    if (memory)
        snprintf(text, sizeof(text),
                 "[OUT_OF_MEMORY] The statement needed more memory than the warehouse has (%lld MiB), and the warehouse's "
                 "compute process was ended. Use a larger warehouse, or a query that keeps less at once. SQLSTATE: 53200",
                 (long long)(e->memory_bytes >> 20));
    else
        snprintf(text, sizeof(text),
                 "[ENGINE_LOST] The warehouse's compute process ended while the statement ran (%.400s). Run it again. "
                 "SQLSTATE: 58030", why);
    engine_fail_statements(e, memory ? "OUT_OF_MEMORY" : "ENGINE_LOST", memory ? "53200" : "58030", text);
    if (e->process) e->process->owner = NULL;
    e->process = NULL;
    if (e->ev.on_ended) e->ev.on_ended(e, why, e->arg);
    forget_engine(e);
}

void engine_kill(engine *e) {
    if (e->process) CHAN_SEND(e->pool->c->supervisor, end, 0, -1, .instance = e->process->instance);
}

static void remove_spill(struct engine_pool *p, const char *name) {
    if (!name[0]) return;
    char path[4400];
    snprintf(path, sizeof(path), "%s/spill/%s", p->c->data_dir, name);
    err_free(files_remove_tree(path, 100000));
}

static void free_process(struct engine_process *x) {
    struct engine_pool *p = x->pool;
    for (size_t i = 0; i < p->warm.n; i++)
        if (p->warm.p[i] == x) {
            vec_remove_swap(&p->warm, i);
            break;
        }
    map_del(p->processes, map_key_u64(&x->instance));
    chan_free(x->ch);
    remove_spill(p, x->spill);
    free(x);
}

/* ---- leases ---- */

static err *make_folders(struct engine_pool *p, const char *owner) {
    char path[4400];
    snprintf(path, sizeof(path), "%s/spill/%s", p->c->data_dir, owner);
    TRY(files_mkdirs(path, 0700));
    return files_mkdirs(p->roots.p[0].control, 0755);
}

/* The engine's way to object stores: a channel to the courier, which takes orders with grants alone. */
static void send_store(engine *e) {
    struct control *c = e->pool->c;
    int fds[2];
    if (!c->outside || !courier_client_connected(c->outside)) return; /* it gets one when the courier comes */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        log_error("cannot make a channel between an engine and the courier", lf_int("errno", errno));
        return;
    }
    courier_client_engine(c->outside, fds[0]);
    CHAN_SEND(e->process->ch, engine_store, 0, fds[1], .none = 0);
    close(fds[1]);
}

void engine_pool_on_courier(struct control *c) {
    struct engine_pool *p = pool_of(c);
    for (size_t i = 0; p && i < p->engines.n; i++)
        if (p->engines.p[i]->leased && p->engines.p[i]->process && p->engines.p[i]->process->ch) send_store(p->engines.p[i]);
}

static void send_lease(engine *e) {
    struct engine_pool *p = e->pool;
    buf j = {0};
    buf_fmt(&j, "{\"owner\":\"%s\",\"memory_bytes\":%lld,\"spill_bytes\":%lld,\"reserve_bytes\":%lld,\"threads\":%d,"
            "\"max_running\":%d,\"spill\":",
            e->owner, (long long)e->memory_bytes, (long long)e->spill_bytes,
            (long long)settings_int(&p->c->settings, SET_STORAGE_RESERVE), e->threads, e->max_running);
    buf spill = {0};
    if (p->c->reduced)
        buf_fmt(&spill, "%s/spill/%s", p->c->data_dir, e->owner);
    else
        buf_z(&spill, "/spill/own");
    buf_json_str(&j, buf_view(&spill));
    buf_free(&spill);
    buf_z(&j, ",\"roots\":[");
    for (size_t i = 0; i < p->roots.n; i++) {
        const struct engine_root *r = &p->roots.p[i];
        buf_fmt(&j, "%s{\"id\":\"%s\",\"path\":", i ? "," : "", r->id);
        buf_json_str(&j, str_of(r->engine));
        buf_z(&j, ",\"url\":");
        buf_json_str(&j, str_of(r->url));
        buf_c(&j, '}');
    }
    buf_z(&j, "]}");
    e->leased = true;
    CHAN_SEND(e->process->ch, engine_lease, 0, -1, .json = buf_view(&j));
    buf_free(&j);
    send_store(e);
    for (size_t i = 0; i < e->frames.n; i++) {
        struct engine_frame *f = &e->frames.p[i];
        chan_send(e->process->ch, f->type, f->stream, buf_view(&f->payload), f->fd);
        buf_free(&f->payload);
        if (f->fd >= 0) close(f->fd);
    }
    e->frames.n = 0;
}

/* What its control group may have: an eighth more than the engine keeps itself to. */
static uint32_t group_memory(const engine *e) { return (uint32_t)((e->memory_bytes + (e->memory_bytes >> 3)) >> 20); }

static void lease(engine *e, struct engine_process *x) {
    struct engine_pool *p = e->pool;
    e->process = x;
    x->owner = e;
    snprintf(x->spill, sizeof(x->spill), "%s", e->owner);
    CHAN_SEND(p->c->supervisor, lease, 0, -1, .instance = x->instance, .owner = str_of(e->owner),
              .environment = str_of(p->account), .memory_mb = group_memory(e), .cpu_weight = (uint32_t)e->cpu_weight);
}

/* A process that nobody has: for the first engine that waits, else it stays warm. */
static void give(struct engine_pool *p, struct engine_process *x) {
    for (size_t i = 0; i < p->engines.n; i++)
        if (!p->engines.p[i]->process) {
            lease(p->engines.p[i], x);
            return;
        }
    vec_push(&p->warm, x);
}

engine *engine_acquire(struct control *c, const struct engine_spec *spec, const struct engine_events *ev, void *arg) {
    struct engine_pool *p = pool_of(c);
    engine *e = calloc(1, sizeof(*e));
    must(e != NULL);
    *e = (struct engine){.pool = p, .ev = *ev, .arg = arg, .memory_bytes = spec->memory_bytes,
                         .spill_bytes = spec->spill_bytes, .threads = spec->threads > 0 ? spec->threads : 1,
                         .max_running = spec->max_running, .cpu_weight = spec->cpu_weight, .asked_at = clock_mono()};
    int64_t most = settings_int(&c->settings, SET_ENGINE_MAX_THREADS), cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (most <= 0) most = cores > 0 ? cores : 1;
    if (e->threads > most) e->threads = (int)most;
    snprintf(e->owner, sizeof(e->owner), "%.*s-%llu", STR_ARG(str_cut(spec->owner, 40)),
             (unsigned long long)++p->next_owner);
    vec_push(&p->engines, e);
    err *bad = make_folders(p, e->owner);
    if (bad) { /* the lease will fail and say so */
        log_error("cannot make an engine's folders", lf_err(bad));
        err_free(bad);
    }
    if (c->reduced) {
        CHAN_SEND(c->supervisor, spawn, 0, -1, .role = STR(ROLE), .owner = str_of(e->owner),
                  .environment = str_of(p->account),
                  .memory_mb = group_memory(e), .cpu_weight = (uint32_t)e->cpu_weight);
    } else if (p->warm.n) {
        struct engine_process *x = p->warm.p[0];
        vec_remove_swap(&p->warm, 0);
        lease(e, x);
    }
    fill_pool(p);
    return e;
}

void engine_end(engine *e) {
    if (!e) return;
    engine_fail_statements(e, "ENGINE_LOST", "58030",
                           "[ENGINE_LOST] The warehouse was stopped while the statement ran. SQLSTATE: 58030");
    engine_kill(e);
    if (e->process) {
        e->process->ended_by_us = true;
        chan_free(e->process->ch);
        e->process->ch = NULL;
    }
    forget_engine(e);
}

void engine_send(engine *e, uint16_t type, uint64_t stream, buf *payload, int fd) {
    if (e->leased) {
        if (e->process && e->process->ch) chan_send(e->process->ch, type, stream, buf_view(payload), fd);
        buf_free(payload);
    } else {
        vec_push(&e->frames, ((struct engine_frame){type, stream, *payload, fd >= 0 ? dup(fd) : -1}));
        *payload = (buf){0};
    }
}

/* ---- frames ---- */

static void on_frame(chan *ch, struct chan_frame *f, void *arg) {
    (void)ch;
    struct engine_process *x = arg;
    engine *e = x->owner;
    if (f->type == MSG_HELLO) return;
    if (!e) {
        log_error("frame of an engine without an owner refused", lf_z("type", msg_name(f->type)));
        return;
    }
    if (f->type != MSG_ENGINE_REPORT) {
        engine_on_statement_frame(e, f);
        return;
    }
    arena *a = arena_new();
    struct msg_engine_report m;
    jval *o = NULL;
    err *bad = msg_engine_report_decode(a, f->payload, &m) ? json_parse(a, m.json, false, &o)
                                                           : err_new(ERR_BAD_REQUEST, "a damaged report");
    if (bad) {
        log_error("a report of an engine is damaged", lf_err(bad));
        err_free(bad);
    } else if (!e->ready) {
        e->ready = true;
        log_debug("engine ready", lf_z("owner", e->owner), lf_int("us", clock_mono() - e->asked_at));
        struct engine_pool *p = x->pool;
        if (e->ev.on_ready) e->ev.on_ready(e, e->arg);
        fill_pool(p);
    } else if (e->ev.on_report) {
        e->ev.on_report(e, o, e->arg);
    }
    arena_free(a);
}

static void on_close(chan *ch, const char *why, void *arg) {
    (void)why;
    struct engine_process *x = arg;
    chan_free(ch);
    x->ch = NULL;
    /* One that closes its end without ending would be met by nobody any more. */
    CHAN_SEND(x->pool->c->supervisor, end, 0, -1, .instance = x->instance);
}

bool engine_pool_on_peer(struct control *c, str role, uint64_t instance, int fd) {
    struct engine_pool *p = pool_of(c);
    if (!p || !str_eqz(role, ROLE)) return false;
    static const struct chan_events ev = {.on_frame = on_frame, .on_close = on_close};
    struct engine_process *x = calloc(1, sizeof(*x));
    must(x != NULL);
    x->pool = p;
    x->instance = instance;
    err *e = chan_new(c->l, fd, &ev, x, &x->ch);
    if (e) {
        log_error("cannot talk to an engine", lf_err(e));
        err_free(e);
        close(fd);
    }
    map_put(p->processes, map_key_u64(&x->instance), x);
    return true;
}

static void on_spawned(struct engine_pool *p, const struct msg_spawned *m) {
    uint64_t key = m->instance;
    struct engine_process *x = m->ok ? map_get(p->processes, map_key_u64(&key)) : NULL;
    if (!m->owner.n && p->starting) p->starting--;
    engine *waits = NULL;
    for (size_t i = 0; !waits && i < p->engines.n; i++)
        if (!p->engines.p[i]->process && (!m->owner.n || str_eqz(m->owner, p->engines.p[i]->owner))) waits = p->engines.p[i];
    if (x && !m->owner.n) {
        p->backoff_us = 0;
        x->spawned = true;
        give(p, x);
    } else if (x && waits) {
        waits->process = x;
        x->owner = waits;
        snprintf(x->spill, sizeof(x->spill), "%s", waits->owner);
        send_lease(waits);
    } else if (x) { /* its engine was ended meanwhile */
        CHAN_SEND(p->c->supervisor, end, 0, -1, .instance = m->instance);
    } else {
        char why[400];
        snprintf(why, sizeof(why), "it could not be started: %.*s", STR_ARG(str_cut(m->reason, 300)));
        log_error("cannot start an engine", lf_str("why", m->reason));
        if (waits) engine_gone(waits, why, false);
        fill_later(p);
    }
}

static bool on_leased(struct engine_pool *p, const struct msg_leased *m) {
    uint64_t key = m->instance;
    struct engine_process *x = map_get(p->processes, map_key_u64(&key));
    if (!x) return false;
    engine *e = x->owner;
    if (!e) return true;
    if (m->ok && x->ch) {
        send_lease(e);
        return true;
    }
    char why[400];
    if (m->ok)
        snprintf(why, sizeof(why), "it had ended while it waited for an owner");
    else
        snprintf(why, sizeof(why), "it could not be leased: %.*s", STR_ARG(str_cut(m->reason, 300)));
    if (!m->ok) log_error("cannot lease an engine", lf_str("why", m->reason));
    CHAN_SEND(p->c->supervisor, end, 0, -1, .instance = x->instance);
    engine_gone(e, why, false);
    return true;
}

static bool on_ended(struct engine_pool *p, const struct msg_ended *m) {
    if (!str_eqz(m->role, ROLE)) return false;
    uint64_t key = m->instance;
    struct engine_process *x = map_get(p->processes, map_key_u64(&key));
    if (!x) return true;
    bool was_warm = x->spawned && !x->owner && !x->ended_by_us;
    engine *e = x->owner;
    char why[400];
    if (m->signal)
        snprintf(why, sizeof(why), "signal %u, SIG%s", m->signal, sigabbrev_np((int)m->signal) ? sigabbrev_np((int)m->signal) : "?");
    else
        snprintf(why, sizeof(why), "exit code %u", m->code);
    bool memory = str_find(m->report, STR("more memory than its limit")) >= 0;
    if (e) e->process = NULL; /* who hears of it may still send to e */
    free_process(x);
    if (e) engine_gone(e, why, memory);
    if (was_warm)
        fill_later(p);
    else
        fill_pool(p);
    return true;
}

bool engine_pool_on_supervisor(struct control *c, struct chan_frame *f) {
    struct engine_pool *p = pool_of(c);
    if (!p) return false;
    arena *a = arena_new();
    struct msg_spawned spawned;
    struct msg_leased leased;
    struct msg_ended ended;
    bool ours = false;
    if (f->type == MSG_SPAWNED && msg_spawned_decode(a, f->payload, &spawned) && str_eqz(spawned.role, ROLE)) {
        on_spawned(p, &spawned);
        ours = true;
    } else if (f->type == MSG_LEASED && msg_leased_decode(a, f->payload, &leased)) {
        ours = on_leased(p, &leased);
    } else if (f->type == MSG_ENDED && msg_ended_decode(a, f->payload, &ended)) {
        ours = on_ended(p, &ended);
    }
    arena_free(a);
    return ours;
}

/* ---- opening ---- */

static void remove_list(void *arg, int worker) {
    struct files_names *names = arg;
    (void)worker;
    for (size_t i = 0; i < names->n; i++) err_free(files_remove_tree(names->p[i], 100000));
    files_names_free(names);
    free(names);
}

/* What engines of an earlier control spilled: they end with it, so nobody told this one. */
static void sweep_spill(struct engine_pool *p) {
    char dir[4400], path[4700];
    struct files_names *names = calloc(1, sizeof(*names));
    must(names != NULL);
    snprintf(dir, sizeof(dir), "%s/spill", p->c->data_dir);
    err_free(files_list(dir, 100000, names));
    for (size_t i = 0; i < names->n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names->p[i]);
        free(names->p[i]);
        names->p[i] = strdup(path);
        must(names->p[i] != NULL);
    }
    jobs_add(p->c->workers, remove_list, names);
}

err *engine_pool_open(struct control *c) {
    struct engine_pool *p = calloc(1, sizeof(*p));
    must(p != NULL);
    p->c = c;
    p->processes = map_new();
    p->statements = map_new();
    p->again.on_time = on_again;
    snprintf(p->account, sizeof(p->account), "%s", c->account_id);
    for (char *x = p->account; *x; x++)
        if (*x >= 'A' && *x <= 'Z') *x = (char)(*x + 32);
    list_roots(p);
    c->engines = p;
    TRY(files_mkdirs(p->roots.p[0].control, 0755));
    p->next_owner = (uint64_t)clock_now(); /* an owner's folder is never that of an engine of an earlier control */
    sweep_spill(p);
    fill_pool(p);
    return NULL;
}

void engine_pool_close(struct control *c) {
    struct engine_pool *p = pool_of(c);
    if (!p) return;
    loop_timer_clear(c->l, &p->again);
    while (p->engines.n) {
        engine_fail_statements(p->engines.p[0], "ENGINE_LOST", "58030", "[ENGINE_LOST] The platform stops. SQLSTATE: 58030");
        forget_engine(p->engines.p[0]);
    }
    str k;
    void *v;
    for (size_t i = 0; map_next(p->processes, &i, &k, &v);) {
        struct engine_process *x = v;
        chan_free(x->ch);
        free(x);
    }
    map_free(p->processes);
    map_free(p->statements);
    for (size_t i = 0; i < p->texts.n; i++) free(p->texts.p[i]);
    vec_free(&p->texts);
    vec_free(&p->roots);
    vec_free(&p->warm);
    vec_free(&p->engines);
    free(p);
    c->engines = NULL;
}
