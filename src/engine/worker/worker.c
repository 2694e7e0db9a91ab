/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's life:
 *
 *   started      DuckDB opened with its doors shut (level reduced: not yet, the folders are not known), no owner
 *   engine_lease limits set, roots noted, report {ready}; from here on statements run
 *   …            sessions, statements; caches are dropped after a minute without any
 *   channel gone the process ends: an engine does not outlive its owner, nor a control that knew of it
 *
 * Statements wait in one queue and are taken by threads that are made as needed, up to max_running, and end
 * when they had nothing to do for some seconds.
 */
#include "engine/worker/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan.h"
#include "sql/error.h"
#include "sys/clock.h"

#define THREAD_IDLE_S 10
#define THREAD_STACK (4u << 20)
#define REPORT_US 3000000
#define TRIM_US 60000000
#define DISK_US 250000
#define SNAPSHOT_BYTES (64u << 20)
#define NAMES_BYTES (8u << 20)
#define RUNNING_DEFAULT 16
#define TABLES_INSIDE "/data/tables"
#define DATA_INSIDE "/data"
#define EXT_INSIDE "/ext"
#define SPILL_INSIDE "/spill/own"

/* ---- memory ---- */

/* Of the process's memory a part is not DuckDB's: our own, results on their way, what it does not count. */
static uint64_t duck_memory(int64_t total) {
    int64_t rest = total / 4 > (64 << 20) ? total / 4 : 64 << 20;
    return (uint64_t)(total > 2 * rest ? total - rest : total / 2);
}

/* DuckDB's allocator (jemalloc, built into its library) is told to give address space back: what it merely keeps
 * would count against RLIMIT_DATA. The library reads this variable, which it defines weakly, at its start. */
extern const char *duckdb_je_malloc_conf_2_conf_harder;
const char *duckdb_je_malloc_conf_2_conf_harder = "retain:false,dirty_decay_ms:100,muzzy_decay_ms:0";
extern int duckdb_je_mallctl(const char *name, void *old, size_t *old_n, void *new_, size_t new_n) __attribute__((weak));

static void give_back_memory(void) {
    if (duckdb_je_mallctl) (void)duckdb_je_mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all of them */
    malloc_trim(0);
}

/* The first two numbers of /proc/self/statm that matter, in bytes. */
static void memory_now(int64_t *resident, int64_t *data) {
    FILE *f = fopen("/proc/self/statm", "re");
    long size, r = 0, shared, text, lib, d = 0;
    if (f && fscanf(f, "%ld %ld %ld %ld %ld %ld", &size, &r, &shared, &text, &lib, &d) != 6) r = d = 0;
    if (f) fclose(f);
    *resident = (int64_t)r * sysconf(_SC_PAGESIZE);
    *data = (int64_t)d * sysconf(_SC_PAGESIZE);
}

/* Where a control group kills, this makes allocations fail a little before: the statement fails, the process lives. */
static void limit_data(int64_t total) {
#ifndef BH_SANITIZE
    struct rlimit now;
    int64_t resident, data;
    memory_now(&resident, &data);
    rlim_t want = (rlim_t)(total + data);
    if (getrlimit(RLIMIT_DATA, &now) == 0 && now.rlim_max < want) want = now.rlim_max;
    struct rlimit r = {want, now.rlim_max};
    if (setrlimit(RLIMIT_DATA, &r) != 0) log_warn("cannot limit the engine's own memory", lf_int("errno", errno));
#else
    (void)total;
#endif
}

static int64_t memory_used(void) {
    int64_t resident, data;
    memory_now(&resident, &data);
    return resident;
}

static int64_t spill_used(const char *dir) {
    DIR *d = dir ? opendir(dir) : NULL;
    int64_t n = 0;
    struct stat st;
    for (struct dirent *e; d && (e = readdir(d));)
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) n += st.st_blocks * 512;
    if (d) closedir(d);
    return n;
}

/* The disk is also the stores' and the tables': what spilling may take follows what is free, less the reserve. */
static void mind_disk(struct worker *w) {
    struct statvfs fs;
    if (!w->reserve_bytes || statvfs(w->spill_dir, &fs) != 0) return;
    int64_t left = (int64_t)(fs.f_bavail * fs.f_frsize) - w->reserve_bytes;
    int64_t limit = spill_used(w->spill_dir) + (left > 0 ? left : 0);
    if (limit > w->spill_bytes) limit = w->spill_bytes;
    if (limit < 1 << 20) limit = 1 << 20;
    int64_t change = limit > w->spill_limit ? limit - w->spill_limit : w->spill_limit - limit;
    if (change <= w->spill_limit / 64) return;
    w->spill_limit = limit;
    err_free(duck_limit(w->duck, 0, 0, (uint64_t)limit)); /* refused while more is used already: then it is too late for it */
}

static void on_disk_time(loop_timer *t) {
    struct worker *w = (struct worker *)((char *)t - offsetof(struct worker, disk));
    mind_disk(w);
    if (map_size(w->statements)) loop_timer_set(w->l, t, DISK_US);
}

/* ---- reports ---- */

static void send_report(struct worker *w) {
    buf j = {0};
    buf_fmt(&j, "{\"ready\":%s,\"memory\":%lld,\"spill\":%lld,\"sessions\":%zu,\"statements\":%zu,\"done\":%llu}",
            w->leased ? "true" : "false", (long long)memory_used(), (long long)spill_used(w->spill_dir),
            map_size(w->sessions), map_size(w->statements), (unsigned long long)w->done);
    CHAN_SEND(w->ch, engine_report, 0, -1, .json = buf_view(&j));
    buf_free(&j);
    w->reported = w->done;
}

static void on_report_time(loop_timer *t) {
    struct worker *w = (struct worker *)((char *)t - offsetof(struct worker, report));
    if (w->done != w->reported || map_size(w->statements)) send_report(w);
    loop_timer_set(w->l, t, REPORT_US);
}

/* A minute without statements: blocks of files and tables that DuckDB keeps are let go, and so is free heap. */
static void on_trim_time(loop_timer *t) {
    struct worker *w = (struct worker *)((char *)t - offsetof(struct worker, trim));
    if (map_size(w->statements)) return;
    worker_close_connections(w);
    names_cache_clear(w->names);
    err_free(duck_limit(w->duck, 0, 1u << 20, 0));
    err_free(duck_limit(w->duck, 0, duck_memory(w->memory_bytes), 0));
    give_back_memory();
    send_report(w);
}

/* ---- connections ---- */

void worker_close_connections(struct worker *w) {
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < w->n_kept; i++) {
        duckdb_disconnect(&w->kept[i]->con);
        free(w->kept[i]);
    }
    w->n_kept = 0;
    pthread_mutex_unlock(&w->lock);
}

/* One that was given this zone before, else any, else NULL. */
static struct connection *take_kept(struct worker *w, str zone) {
    pthread_mutex_lock(&w->lock);
    int found = w->n_kept - 1;
    for (int i = 0; i < w->n_kept; i++)
        if (str_eqz(zone, w->kept[i]->zone)) found = i;
    struct connection *c = found >= 0 ? w->kept[found] : NULL;
    if (c) w->kept[found] = w->kept[--w->n_kept];
    pthread_mutex_unlock(&w->lock);
    return c;
}

static void drop_connection(struct connection *c) {
    duckdb_disconnect(&c->con);
    free(c);
}

err *statement_connect(struct statement *st, int slot, str zone, duckdb_connection *ret) {
    struct connection *c = take_kept(st->w, zone);
    if (!c) {
        c = calloc(1, sizeof(*c));
        must(c != NULL);
        err *e = duck_connect(st->w->duck, &c->con);
        if (e) {
            free(c);
            return e;
        }
    }
    if (!str_eqz(zone, c->zone)) {
        err *e = duck_zone(c->con, zone);
        if (e) {
            drop_connection(c);
            return e;
        }
        snprintf(c->zone, sizeof(c->zone), "%.*s", STR_ARG(str_cut(zone, sizeof(c->zone) - 1)));
    }
    pthread_mutex_lock(&st->lock);
    must(!st->cons[slot]);
    st->cons[slot] = c;
    pthread_mutex_unlock(&st->lock);
    *ret = c->con;
    return NULL;
}

void statement_disconnect(struct statement *st, int slot, bool reuse) {
    pthread_mutex_lock(&st->lock);
    struct connection *c = st->cons[slot];
    st->cons[slot] = NULL;
    bool stopped = st->end != STATEMENT_RUNS; /* an interrupt may still be pending in it */
    pthread_mutex_unlock(&st->lock);
    if (!c) return;
    struct worker *w = st->w;
    pthread_mutex_lock(&w->lock);
    if (reuse && !stopped && w->n_kept < WORKER_CONNECTIONS_KEPT) {
        w->kept[w->n_kept++] = c;
        c = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    if (c) drop_connection(c);
}

/* ---- ending a statement ---- */

bool statement_stopped(struct statement *st) {
    return __atomic_load_n(&st->end, __ATOMIC_RELAXED) != STATEMENT_RUNS;
}

err *statement_check(struct statement *st) {
    char seconds[32];
    switch (__atomic_load_n(&st->end, __ATOMIC_ACQUIRE)) {
    case STATEMENT_CANCELED: return sql_error("OPERATION_CANCELED", NULL, STR(""), NULL);
    case STATEMENT_TIMED_OUT:
        snprintf(seconds, sizeof(seconds), "%g", (double)st->timeout_ms / 1000);
        return sql_error("STATEMENT_TIMEOUT", NULL, STR(""), "seconds", seconds, NULL);
    default: return NULL;
    }
}

/* On the loop thread. */
static void stop(struct statement *st, enum statement_end how) {
    pthread_mutex_lock(&st->lock);
    if (st->end == STATEMENT_RUNS) {
        __atomic_store_n(&st->end, how, __ATOMIC_RELEASE);
        for (size_t i = 0; i < ARRAY_LEN(st->cons); i++)
            if (st->cons[i]) duckdb_interrupt(st->cons[i]->con);
        pthread_cond_signal(&st->answered);
    }
    pthread_mutex_unlock(&st->lock);
}

static void on_timeout(loop_timer *t) {
    stop((struct statement *)((char *)t - offsetof(struct statement, timeout)), STATEMENT_TIMED_OUT);
}

static void free_statement(struct statement *st) {
    session_release(st->s);
    if (st->spool >= 0) close(st->spool);
    free(st->answer);
    if (st->answer_fd >= 0) close(st->answer_fd);
    pthread_mutex_destroy(&st->lock);
    pthread_mutex_destroy(&st->asking);
    pthread_cond_destroy(&st->answered);
    arena_free(st->a);
    free(st);
}

/* Posted by its thread when the last state has been posted: nobody else knows it any more. */
static void on_ended(void *arg) {
    struct statement *st = arg;
    struct worker *w = st->w;
    loop_timer_clear(w->l, &st->timeout);
    map_del(w->statements, map_key_u64(&st->number));
    w->done++;
    free_statement(st);
    if (map_size(w->statements)) return;
    loop_timer_set(w->l, &w->trim, TRIM_US);
    if (memory_used() > w->memory_bytes / 4) give_back_memory(); /* the last one was large */
}

struct outgoing {
    struct worker *w;
    uint64_t number;
    char state[16];
    buf json;
};

static void send_state(void *arg) {
    struct outgoing *o = arg;
    CHAN_SEND(o->w->ch, engine_state, o->number, -1, .state = str_of(o->state), .json = buf_view(&o->json));
    buf_free(&o->json);
    free(o);
}

void statement_send(struct statement *st, const char *state, str json) {
    struct outgoing *o = calloc(1, sizeof(*o));
    must(o != NULL);
    o->w = st->w;
    o->number = st->number;
    snprintf(o->state, sizeof(o->state), "%s", state);
    buf_str(&o->json, json);
    loop_post(st->w->l, send_state, o);
}

/* ---- threads ---- */

static void *thread_main(void *arg) {
    struct worker *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += THREAD_IDLE_S;
        int rc = 0;
        w->idle++;
        while (!w->first && rc != ETIMEDOUT) rc = pthread_cond_timedwait(&w->work, &w->lock, &until);
        w->idle--;
        struct statement *st = w->first;
        if (!st) break;
        w->first = st->next;
        if (!w->first) w->last = NULL;
        pthread_mutex_unlock(&w->lock);
        statement_run(st);
        remote_end(st->number);
        loop_post(w->l, on_ended, st);
        pthread_mutex_lock(&w->lock);
    }
    w->threads--;
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool start_thread(struct worker *w) {
    pthread_attr_t attr;
    pthread_t t;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&t, &attr, thread_main, w);
    pthread_attr_destroy(&attr);
    if (rc == 0) w->threads++;
    return rc == 0;
}

static void enqueue(struct worker *w, struct statement *st) {
    pthread_mutex_lock(&w->lock);
    if (w->last)
        w->last->next = st;
    else
        w->first = st;
    w->last = st;
    int waiting = 0;
    for (struct statement *s = w->first; s; s = s->next) waiting++;
    if (waiting > w->idle && w->threads < w->max_running && !start_thread(w) && !w->threads)
        log_error("cannot start a thread for statements");
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
}

/* ---- frames ---- */

static char *dup_str(str s) { return strndup(s.p ? s.p : "", s.n); }

static err *open_duck(struct worker *w, jval *lease) {
    const char *roots[20] = {DATA_INSIDE, EXT_INSIDE};
    size_t n = 2;
    struct duck_options o = {.threads = 1, .memory_bytes = 256u << 20, .spill_dir = SPILL_INSIDE, .roots = roots};
    if (lease) { /* level reduced: the host's own paths */
        n = 0;
        for (size_t i = 0; i < w->n_roots && n < ARRAY_LEN(roots); i++) roots[n++] = w->roots[i].path.p;
        o.spill_dir = w->spill_dir;
    }
    o.n_roots = n;
    TRY(duck_open(&o, &w->duck));
    duckdb_connection con;
    TRY(duck_connect(w->duck, &con));
    err *e = scan_register(con);
    duckdb_disconnect(&con);
    return e;
}

static void read_roots(struct worker *w, jval *lease) {
    jval *list = json_get(lease, "roots"), *v;
    size_t i, n;
    w->roots = calloc(yyjson_arr_size(list) + 1, sizeof(*w->roots));
    must(w->roots != NULL);
    yyjson_arr_foreach(list, i, n, v) {
        struct scan_root *r = &w->roots[w->n_roots++];
        r->url = str_of(dup_str(json_get_str(v, "url")));
        r->path = str_of(dup_str(json_get_str(v, "path")));
        r->rw = true;
    }
}

static err *on_lease(struct worker *w, jval *lease) {
    int64_t threads = 1, memory = 1 << 30, spill = 1 << 30, running = 0;
    if (w->leased) return err_new(ERR_INVALID_STATE, "an engine is leased once");
    json_i64(json_get(lease, "threads"), &threads);
    json_i64(json_get(lease, "memory_bytes"), &memory);
    json_i64(json_get(lease, "spill_bytes"), &spill);
    json_i64(json_get(lease, "reserve_bytes"), &w->reserve_bytes);
    json_i64(json_get(lease, "max_running"), &running);
    w->owner = dup_str(json_get_str(lease, "owner"));
    free(w->spill_dir);
    w->spill_dir = dup_str(json_get_str(lease, "spill"));
    w->max_running = running > 0 ? (int)running : RUNNING_DEFAULT;
    w->memory_bytes = memory;
    w->spill_bytes = w->spill_limit = spill;
    read_roots(w, lease);
    if (!w->duck) TRY(open_duck(w, lease));
    TRY(duck_limit(w->duck, (int)threads, duck_memory(memory), (uint64_t)spill));
    limit_data(memory);
    char copies[4400];
    snprintf(copies, sizeof(copies), "%s/s3", w->spill_dir);
    TRY(remote_open(w->l, copies, spill / 2));
    w->leased = true;
    send_report(w);
    loop_timer_set(w->l, &w->report, REPORT_US);
    loop_timer_set(w->l, &w->trim, TRIM_US);
    return NULL;
}

static void on_session(struct worker *w, jval *o) {
    str id = json_get_str(o, "session");
    struct session *old = map_del(w->sessions, id);
    session_release(old);
    if (!str_eqz(json_get_str(o, "op"), "open")) return;
    struct session *s = session_new(w, o);
    map_put(w->sessions, str_of(s->id), s);
}

static void refuse(struct worker *w, uint64_t number, const char *why) {
    buf j = {0};
    buf_z(&j, "{\"error\":{\"class\":\"INTERNAL_ERROR\",\"sqlState\":\"XX000\",\"message\":");
    buf_json_str(&j, str_of(why));
    buf_z(&j, "}}");
    CHAN_SEND(w->ch, engine_state, number, -1, .state = STR("failed"), .json = buf_view(&j));
    buf_free(&j);
}

/* The order's arena becomes the statement's. */
static void on_exec(struct worker *w, uint64_t number, arena *a, jval *order, int fd) {
    struct session *s = map_get(w->sessions, json_get_str(order, "session"));
    if (!s || map_get(w->statements, map_key_u64(&number))) {
        refuse(w, number, s ? "a statement of that number runs" : "the session is not open in this engine");
        if (fd >= 0) close(fd);
        arena_free(a);
        return;
    }
    struct statement *st = calloc(1, sizeof(*st));
    must(st != NULL);
    *st = (struct statement){.w = w, .s = s, .number = number, .a = a, .order = order, .spool = fd, .answer_fd = -1};
    atomic_fetch_add(&s->refs, 1);
    pthread_mutex_init(&st->lock, NULL);
    pthread_mutex_init(&st->asking, NULL);
    pthread_cond_init(&st->answered, NULL);
    st->queued = clock_mono();
    st->timeout.on_time = on_timeout;
    json_i64(json_get(order, "timeout_ms"), &st->timeout_ms);
    map_put(w->statements, map_key_u64(&st->number), st);
    loop_timer_clear(w->l, &w->trim);
    if (st->timeout_ms > 0) loop_timer_set(w->l, &st->timeout, st->timeout_ms * 1000);
    if (!w->disk.slot) loop_timer_set(w->l, &w->disk, DISK_US);
    enqueue(w, st);
}

static void on_frame(chan *c, struct chan_frame *f, void *arg) {
    (void)c;
    struct worker *w = arg;
    arena *a = arena_new();
    str json = STR_NONE;
    struct msg_engine_lease lease;
    struct msg_engine_session session;
    struct msg_engine_exec exec;
    jval *o = NULL;
    err *e = NULL;
    if (f->type == MSG_ENGINE_ANSWER) {
        statement_answer(w, f->stream, f);
    } else if (f->type == MSG_ENGINE_CANCEL) {
        struct statement *st = map_get(w->statements, map_key_u64(&f->stream));
        if (st) stop(st, STATEMENT_CANCELED);
    } else if (f->type == MSG_ENGINE_LEASE && msg_engine_lease_decode(a, f->payload, &lease)) {
        e = json_parse(a, lease.json, false, &o);
        if (!e) e = on_lease(w, o);
        if (e) { /* half a lease is one, too: this process can serve nobody */
            w->failed = e;
            e = NULL;
            loop_stop(w->l);
        }
    } else if (f->type == MSG_ENGINE_STORE && f->fd >= 0) {
        int fd = f->fd;
        f->fd = -1;
        e = remote_join(fd);
    } else if (f->type == MSG_ENGINE_SESSION && msg_engine_session_decode(a, f->payload, &session)) {
        json = session.json;
        e = json_parse(a, json, false, &o);
        if (!e) on_session(w, o);
    } else if (f->type == MSG_ENGINE_EXEC && msg_engine_exec_decode(a, f->payload, &exec)) {
        json = arena_str(a, exec.json);
        e = w->leased ? json_parse(a, json, false, &o) : err_new(ERR_INVALID_STATE, "the engine has no owner");
        if (!e) {
            on_exec(w, f->stream, a, o, f->fd);
            f->fd = -1;
            return;
        }
        refuse(w, f->stream, err_msg(e));
    } else {
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
    if (e) log_error("frame refused", lf_z("type", msg_name(f->type)), lf_err(e));
    err_free(e);
    arena_free(a);
}

static void on_close(chan *c, const char *why, void *arg) {
    (void)c;
    (void)why;
    (void)arg;
    _exit(0); /* statements may be in the middle of something: nothing here needs to be put away */
}

err *worker_run(int fd, bool reduced) {
    static const struct chan_events ev = {.on_frame = on_frame, .on_close = on_close};
    mallopt(M_ARENA_MAX, 4); /* memory that a statement frees is there for the next one's threads */
    struct worker *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->reduced = reduced;
    w->sessions = map_new();
    w->statements = map_new();
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    w->cache = scan_cache_new(SNAPSHOT_BYTES);
    w->names = names_cache_new(NAMES_BYTES);
    w->report.on_time = on_report_time;
    w->trim.on_time = on_trim_time;
    w->disk.on_time = on_disk_time;
    TRY(loop_new(&w->l));
    if (!reduced) TRY(open_duck(w, NULL));
    malloc_trim(0);
    TRY(chan_new(w->l, fd, &ev, w, &w->ch));
    CHAN_SEND(w->ch, hello, 0, -1, .role = STR("engine"), .version = MSG_VERSION, .pid = (uint32_t)getpid());
    loop_run(w->l);
    err *e = w->failed;
    if (e) log_error("the engine cannot serve its owner", lf_err(e));
    return e;
}
