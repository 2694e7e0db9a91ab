/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One served entity becomes ready: the phases of serving.h. A deploy belongs to the loop, but for the
 * time of a builder's job, at whose end it comes back by loop_post().
 *
 * Cache, below DATA/plans: <digest>.plan is a plan that passed its comparison; <digest>.python holds
 * the reason why there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "serving/serving_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define MAX_BUNDLE (2ll << 30)
#define MAX_BUNDLE_FILES 64

static void next_phase(struct deploy *d);

void deploy_note(struct deploy *d, const char *fmt, ...) {
    va_list ap;
    char line[2048];
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buf text = {0};
    buf_fmt(&text, "[%6lld ms] %s\n", (long long)((clock_mono() - d->began) / 1000), line);
    hosts_add_log(&d->log, buf_view(&text));
    buf_free(&text);
}

void deploy_path(char out[], const struct deploy *d, const char *what) {
    snprintf(out, PATH_MAX, "%.3000s/models/%s%s%s", d->s->c->data_dir, d->owner, what[0] ? "/" : "",
             what);
}

static void plan_path(char out[PATH_MAX], const struct deploy *d, const char *suffix) {
    snprintf(out, PATH_MAX, "%.3000s/plans/%s.%s", d->s->c->data_dir, d->digest, suffix);
}

/* ---- builder jobs ---- */

struct build {
    struct deploy *d;
    err *(*fn)(struct deploy *d);
};

static void build_over(void *arg) {
    struct build *b = arg;
    struct deploy *d = b->d;
    free(b);
    if (d->e) {
        err *e = d->e;
        d->e = NULL;
        deploy_done(d, e);
    } else {
        next_phase(d);
    }
}

static void build_run(void *arg, int worker) {
    (void)worker;
    struct build *b = arg;
    b->d->e = b->fn(b->d);
    loop_post(b->d->s->c->l, build_over, b);
}

void deploy_build(struct deploy *d, err *(*fn)(struct deploy *)) {
    struct build *b = malloc(sizeof(*b));
    must(b != NULL);
    *b = (struct build){d, fn};
    jobs_add(d->s->builders, build_run, b);
}

/* A sealed memory file with these bytes. */
static err *seal(str bytes, const char *name, int *ret) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return err_errno("cannot make a memory file");
    err *e = files_write_fd(fd, name, bytes.p, bytes.n);
    if (!e && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        e = err_errno("cannot seal a memory file");
    if (e) {
        close(fd);
        return e;
    }
    *ret = fd;
    return NULL;
}

static err *cached_plan(struct deploy *d, bool *found) {
    char path[PATH_MAX];
    plan_path(path, d, "plan");
    *found = files_exists(path);
    if (!*found) return NULL;
    buf b = {0};
    err *e = files_read(path, (size_t)1 << 31, &b);
    if (!e) e = seal(buf_view(&b), "plan", &d->plan_fd);
    buf_free(&b);
    return e;
}

/* RESOLVE */
static err *resolve(struct deploy *d) {
    arena *a = arena_new();
    store_tx *tx;
    struct model_files files;
    err *e = store_read_begin(d->s->c->store, STORE_META, 0, &tx);
    if (!e) {
        e = model_files_of(tx, d->scope, a, str_of(d->name), str_of(d->version), &files);
        store_read_end(tx);
    }
    bool have = false;
    if (!e) {
        memcpy(d->digest, files.digest, sizeof(d->digest));
        deploy_note(d, "Model %s version %s: %zu files, %lld bytes, digest %.16s.", d->name, d->version,
             files.n, (long long)files.bytes, d->digest);
        e = cached_plan(d, &have);
    }
    if (!e && have) {
        d->native = d->cached = true;
        deploy_note(d, "A plan of an equal model is in the cache.");
    }
    char path[PATH_MAX];
    plan_path(path, d, "python");
    if (!e && !have && files_exists(path)) {
        buf why = {0};
        e = files_read(path, 65536, &why);
        d->why_python = strndup(why.p ? why.p : "", why.n);
        buf_free(&why);
        if (!e) e = environment_recall(d->s, d->digest, d->env, &d->env_known);
        if (d->env_known)
            deploy_note(d, d->env[0] ? "Its packages are in the environment %.16s." : "%sThe base environment has its packages.",
                        d->env);
    }
    if (!e && !d->native) {
        deploy_path(path, d, "model");
        e = model_files_copy(d->s->c, &files, path);
        deploy_path(path, d, "out");
        if (!e) e = files_remove_tree(path, 10000);
        if (!e) e = files_mkdirs(path, 0755);
        if (!e) deploy_note(d, "Copied the files for the importer.");
    }
    arena_free(a);
    return e;
}

/* Between EXPORT and IMPORT: everything of /out in one memory file. */
struct bundle {
    buf json, bytes;
};

static err *pack_file(struct bundle *b, const char *dir, const char *name, size_t i) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.3000s/%.255s", dir, name);
    size_t from = b->bytes.n;
    TRY(files_read(path, (size_t)MAX_BUNDLE - from, &b->bytes));
    buf_fmt(&b->json, "%s{\"name\":", i ? "," : "");
    buf_json_str(&b->json, str_of(name));
    buf_fmt(&b->json, ",\"offset\":%zu,\"size\":%zu}", from, b->bytes.n - from);
    while (b->bytes.n % 64) buf_c(&b->bytes, 0);
    return NULL;
}

/* The importer says so in a file of its own, whatever else it says. */
static void read_wish(struct deploy *d) {
    char path[PATH_MAX];
    deploy_path(path, d, "out/environment.json");
    if (d->env_known || !files_exists(path)) return;
    arena *a = arena_new();
    buf b = {0};
    jval *o = NULL, *v;
    size_t i, n;
    d->env_wanted = true;
    err *e = files_read(path, 65536, &b);
    if (!e) e = json_parse(a, buf_view(&b), false, &o);
    if (!e) yyjson_arr_foreach(json_get(o, "reasons"), i, n, v) {
        deploy_note(d, "Not what the base environment has: %.*s", STR_ARG(str_cut(json_str(v), 300)));
    }
    err_free(e);
    buf_free(&b);
    arena_free(a);
}

static err *pack(struct deploy *d) {
    char dir[PATH_MAX];
    read_wish(d);
    deploy_path(dir, d, "out");
    struct files_names names;
    TRY(files_list(dir, MAX_BUNDLE_FILES, &names));
    struct bundle b = {0};
    buf_z(&b.json, "{\"files\":[");
    err *e = NULL;
    for (size_t i = 0; !e && i < names.n; i++) e = pack_file(&b, dir, names.p[i], i);
    buf_z(&b.json, "]}");
    files_names_free(&names);
    if (!e) e = seal(buf_view(&b.bytes), "export", &d->plan_fd);
    if (!e) {
        free(d->why_python);
        d->why_python = strndup(b.json.p, b.json.n); /* carried to the order */
    }
    buf_free(&b.json);
    buf_free(&b.bytes);
    return e;
}

/* Why the export ended without one: failed.json {"code","reason"}. */
static err *read_failure(struct deploy *d) {
    char path[PATH_MAX];
    deploy_path(path, d, "out/failed.json");
    arena *a = arena_new();
    buf b = {0};
    jval *o = NULL;
    read_wish(d);
    err *e = files_read(path, 65536, &b);
    if (!e) e = json_parse(a, buf_view(&b), false, &o);
    str code = e ? STR("") : json_get_str(o, "code"), why = e ? STR("") : json_get_str(o, "reason");
    err_free(e);
    e = NULL;
    if (str_eqz(code, "UNSUPPORTED")) {
        free(d->why_python);
        d->why_python = strndup(why.p, why.n);
        plan_path(path, d, "python");
        e = files_write(path, why, 0644);
        if (!e && !d->env_wanted) e = environment_base(d);
        deploy_note(d, "No data form: %.*s", STR_ARG(str_cut(why, 500)));
    } else if (str_eqz(code, "ENVIRONMENT") && !d->env_known) {
        d->export_again = d->env_wanted = true;
    } else {
        e = err_new(ERR_INVALID_STATE, "The model cannot be opened: %.*s",
                    STR_ARG(why.n ? str_cut(why, 2000) : str_of(d->died)));
    }
    buf_free(&b);
    arena_free(a);
    return e;
}

/* After IMPORT: the plan into the cache. */
static err *keep_plan(struct deploy *d) {
    char path[PATH_MAX];
    plan_path(path, d, "plan");
    buf b = {0};
    if (lseek(d->plan_fd, 0, SEEK_SET) < 0) return err_errno("cannot read a plan");
    err *e = files_read_fd(d->plan_fd, "plan", (size_t)1 << 31, &b);
    if (!e) e = files_write(path, buf_view(&b), 0644);
    buf_free(&b);
    deploy_path(path, d, "");
    if (!e) e = files_remove_tree(path, 100000);
    return e;
}

static err *keep_reason(struct deploy *d) {
    char path[PATH_MAX];
    plan_path(path, d, "python");
    TRY(files_write(path, str_of(d->why_python), 0644));
    return d->env_wanted ? NULL : environment_base(d);
}

/* ---- phases on the loop ---- */

static void on_late(loop_timer *t) {
    struct deploy *d = (struct deploy *)((char *)t - offsetof(struct deploy, limit));
    const struct settings *set = &d->s->c->settings;
    bool import = d->phase == DEPLOY_EXPORT || d->phase == DEPLOY_IMPORT;
    long long s = settings_int(set, import ? SET_IMPORTER_TIMEOUT : SET_ENVIRONMENTS_TIMEOUT) / 1000000;
    deploy_note(d, "The time limit passed.");
    if (d->instance) CHAN_SEND(d->s->c->supervisor, end, 0, -1, .instance = d->instance);
    deploy_done(d, import ? err_new(ERR_DEADLINE_EXCEEDED, "The import of the model took longer than %lld s.", s)
                          : err_new(ERR_DEADLINE_EXCEEDED,
                                    "Making the model's environment took longer than environments.timeout, %lld s.", s));
}

void deploy_spawn(struct deploy *d, const char *role, enum deploy_phase phase, str environment, int64_t memory,
                  int64_t limit_us) {
    struct control *c = d->s->c;
    d->phase = phase;
    d->instance = 0;
    d->limit.on_time = on_late;
    loop_timer_set(c->l, &d->limit, limit_us);
    CHAN_SEND(c->supervisor, spawn, 0, -1, .role = str_of(role), .owner = str_of(d->owner),
              .environment = environment, .memory_mb = (uint32_t)(memory >> 20));
}

static void spawn(struct deploy *d, const char *role, enum deploy_phase phase) {
    const struct settings *set = &d->s->c->settings;
    /* What reads the data form is ours and needs no environment. */
    deploy_spawn(d, role, phase, phase == DEPLOY_EXPORT ? str_of(d->env) : STR(""),
                 settings_int(set, SET_IMPORTER_MEMORY), settings_int(set, SET_IMPORTER_TIMEOUT));
}

static err *drop_files(struct deploy *d) {
    char path[PATH_MAX];
    deploy_path(path, d, "");
    return files_remove_tree(path, 100000);
}

/* A model without a plan. */
static void load(struct deploy *d) {
    if (d->env_wanted && !d->env_known) {
        environment_begin(d);
        return;
    }
    d->phase = DEPLOY_LOAD;
    hosts_keep_warm(d->s);
    if (d->up->early)
        deploy_build(d, drop_files);
    else
        hosts_start(d->s, entity_of(d->s, d->entity, true), d);
}

static void export(struct deploy *d) {
    deploy_note(d, "Opening the model in the importer's sandbox.");
    spawn(d, "importer_python", DEPLOY_EXPORT);
}

/* What comes after a builder's job. */
static void next_phase(struct deploy *d) {
    switch (d->phase) {
    case DEPLOY_LOAD: /* an early import ends here */
        deploy_done(d, NULL);
        break;
    case DEPLOY_RESOLVE:
        if (d->native) {
            deploy_done(d, NULL);
        } else if (d->why_python) {
            d->env_wanted |= !d->env_known;
            load(d);
        } else {
            export(d);
        }
        break;
    case DEPLOY_EXPORT:
        if (d->plan_fd >= 0) {
            deploy_note(d, "Exported; making and comparing the plan.");
            spawn(d, "importer", DEPLOY_IMPORT);
        } else if (d->export_again) {
            environment_begin(d);
        } else {
            load(d);
        }
        break;
    case DEPLOY_LOCK:
    case DEPLOY_BUILD:
        if (!environment_next(d)) break;
        if (d->export_again) {
            d->export_again = false;
            export(d);
        } else {
            load(d);
        }
        break;
    case DEPLOY_IMPORT:
        if (d->native) {
            deploy_done(d, NULL);
        } else {
            load(d);
        }
        break;
    default:
        unreachable();
    }
}

void deploy_begin(struct deploy *d) {
    d->phase = DEPLOY_WAITS;
    d->plan_fd = d->py_fd = -1;
    d->env[0] = 0;
    d->env_known = d->env_wanted = d->export_again = false;
    d->began = clock_mono();
    if (early_joins(d)) return; /* it begins when that import is over */
    d->phase = DEPLOY_RESOLVE;
    deploy_build(d, resolve);
}

struct deploy *deploy_by_owner(struct serving *s, str owner) {
    for (struct update *u = s->updates; u; u = u->next)
        for (size_t i = 0; i < u->n; i++)
            if (str_eqz(owner, u->d[i].owner)) return &u->d[i];
    return NULL;
}

void deploy_spawned(struct serving *s, const struct msg_spawned *m) {
    struct deploy *d = deploy_by_owner(s, m->owner);
    bool builder = d && (d->phase == DEPLOY_LOCK || d->phase == DEPLOY_BUILD);
    if (!d || (d->phase != DEPLOY_EXPORT && d->phase != DEPLOY_IMPORT && !builder)) return;
    if (m->ok) {
        d->instance = m->instance;
        return;
    }
    deploy_done(d, err_new(ERR_INTERNAL_ERROR, "The %s cannot be started: %.*s",
                           builder ? "builder of environments" : "importer", STR_ARG(m->reason)));
}

void deploy_ended(struct serving *s, const struct msg_ended *m) {
    struct deploy *d = deploy_by_owner(s, m->owner);
    if (!d || d->instance != m->instance) return;
    if (d->phase == DEPLOY_LOCK || d->phase == DEPLOY_BUILD) {
        loop_timer_clear(s->c->l, &d->limit);
        environment_ended(d, m);
    } else if (d->phase == DEPLOY_EXPORT) {
        loop_timer_clear(s->c->l, &d->limit);
        if (m->report.n) hosts_add_log(&d->log, m->report);
        if (d->py_fd >= 0) close(d->py_fd);
        d->py_fd = -1;
        if (m->code == 0 && m->signal == 0) {
            deploy_build(d, pack);
        } else {
            snprintf(d->died, sizeof(d->died),
                     "the process that opened it ended without a word (%s %u); its file is damaged, or "
                     "it needs more than importer.memory.",
                     m->signal ? "signal" : "code", m->signal ? m->signal : m->code);
            deploy_note(d, "%s", d->died);
            deploy_build(d, read_failure);
        }
    } else if (d->phase == DEPLOY_IMPORT && d->importer) {
        deploy_done(d, err_new(ERR_INVALID_STATE,
                               "The importer ended while it read the model's data form (code %u, signal "
                               "%u).",
                               m->code, m->signal));
    }
}

/* ---- the importer's channel ---- */

static void on_import_frame(chan *ch, struct chan_frame *f, void *arg) {
    (void)ch;
    struct deploy *d = arg;
    arena *a = arena_new();
    struct msg_import_result m;
    if (f->type == MSG_IMPORT_RESULT && msg_import_result_decode(a, f->payload, &m)) {
        loop_timer_clear(d->s->c->l, &d->limit);
        chan_free(d->importer);
        d->importer = NULL;
        if (m.ok && f->fd >= 0) {
            d->plan_fd = f->fd;
            f->fd = -1;
            d->native = true;
            deploy_note(d, "Native plan: %.*s", STR_ARG(m.json));
            deploy_build(d, keep_plan);
        } else {
            free(d->why_python);
            d->why_python = strndup(m.reason.p, m.reason.n);
            deploy_note(d, "No native plan, the Python model is used: %.*s", STR_ARG(m.reason));
            deploy_build(d, keep_reason);
        }
    }
    arena_free(a);
}

static void on_import_close(chan *ch, const char *why, void *arg) {
    struct deploy *d = arg;
    (void)why;
    chan_free(ch);
    d->importer = NULL;
    deploy_done(d, err_new(ERR_INVALID_STATE,
                           "The importer ended while it read the model's data form; see the build logs."));
}

void serving_on_peer(struct control *c, str role, str owner, uint64_t instance, int fd) {
    struct serving *s = c->serving;
    struct deploy *d = deploy_by_owner(s, owner);
    (void)instance;
    if (!d) {
        close(fd);
        return;
    }
    if (str_eqz(role, "env_builder") && (d->phase == DEPLOY_LOCK || d->phase == DEPLOY_BUILD)) {
        environment_peer(d, fd);
        return;
    }
    if (str_eqz(role, "importer_python") && d->phase == DEPLOY_EXPORT) {
        d->py_fd = fd;
        return;
    }
    if (!str_eqz(role, "importer") || d->phase != DEPLOY_IMPORT) {
        close(fd);
        return;
    }
    static const struct chan_events ev = {.on_frame = on_import_frame, .on_close = on_import_close};
    err *e = chan_new(c->l, fd, &ev, d, &d->importer);
    if (e) {
        close(fd);
        deploy_done(d, e);
        return;
    }
    CHAN_SEND(d->importer, import_order, 0, d->plan_fd, .json = str_of(d->why_python));
    free(d->why_python);
    d->why_python = NULL;
    close(d->plan_fd);
    d->plan_fd = -1;
}

/* ---- the end ---- */

void deploy_done(struct deploy *d, err *e) {
    if (d->phase == DEPLOY_READY || d->phase == DEPLOY_FAILED) {
        err_free(e);
        return;
    }
    loop_timer_clear(d->s->c->l, &d->limit);
    d->phase = e ? DEPLOY_FAILED : DEPLOY_READY;
    d->e = e;
    if (e)
        deploy_note(d, "Failed: %s", err_msg(e));
    else
        deploy_note(d, "Ready (%s%s).", d->native ? "native plan" : "Python", d->cached ? ", cached" : "");
    if (d->up->early) {
        update_deploy_over(d);
        return;
    }
    struct sentity *se = entity_of(d->s, d->entity, true);
    se->endpoint = d->endpoint;
    buf_clear(&se->build_log);
    buf_str(&se->build_log, buf_view(&d->log));
    update_deploy_over(d);
}

void deploy_release(struct deploy *d) {
    chan_free(d->importer);
    environment_release(d);
    if (d->plan_fd >= 0) close(d->plan_fd);
    if (d->py_fd >= 0) close(d->py_fd);
    free(d->name);
    free(d->version);
    free(d->environment);
    free(d->why_python);
    buf_free(&d->log);
    err_free(d->e);
}
