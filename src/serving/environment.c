/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environments of models: from requirements to a folder of packages, by env_builder in its sandbox.
 *
 * Control reads none of the model's files here. It copies those that may hold requirements for
 * env_builder, takes a lock back, names it by its SHA-256, and renames what was built to that name after
 * it was looked at. Below DATA/envs:
 *
 *   <name>/            an environment, never changed again
 *   <owner>.building/  what a builder writes to; swept at the start
 *   <sha256>.lock      the lock of requirement files with that digest: equal requirements are locked once
 *
 * and beside a model's plan (deploy.c) DATA/plans/<digest>.env: "base <version>" or a name.
 *
 * The index is reached through the builder's own loopback: its listener comes with a frame and goes on
 * to the courier with the order "index". A courier that dies is asked again; uv tries again by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "bh_version.h"
#include "files/blob.h"
#include "ipc/courier_client.h"
#include "serving/serving_int.h"
#include "sys/files.h"

#define FILE_MAX (256u << 10)
#define LOCK_MAX (4u << 20)
#define TREE_MAX 400000
#define DEPTH_MAX 40
#define ASK_AGAIN_US 200000
#define ASK_AGAIN_MOST 100

static const char *const requirement_files[] = {"requirements.txt", "conda.yaml", "python_env.yaml"};

static void env_path(char out[PATH_MAX], const struct serving *s, const char *name, const char *suffix) {
    snprintf(out, PATH_MAX, "%.3000s/envs/%s%s", s->c->data_dir, name, suffix);
}

static void note_path(char out[PATH_MAX], const struct serving *s, const char *digest) {
    snprintf(out, PATH_MAX, "%.3000s/plans/%s.env", s->c->data_dir, digest);
}

static void sha_hex(str bytes, char out[ENV_NAME_CAP]) {
    unsigned char h[32];
    must(EVP_Digest(bytes.p ? bytes.p : "", bytes.n, h, NULL, EVP_sha256(), NULL));
    for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", h[i]);
}

static bool is_there(const struct serving *s, const char *name) {
    char path[PATH_MAX];
    env_path(path, s, name, "/environment.json");
    return files_exists(path);
}

static bool is_name(str s) {
    if (s.n != 64) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789abcdef", s.p[i])) return false;
    return true;
}

err *environment_recall(struct serving *s, const char *digest, char ret_env[ENV_NAME_CAP], bool *ret_known) {
    char path[PATH_MAX];
    note_path(path, s, digest);
    ret_env[0] = 0;
    *ret_known = false;
    if (!files_exists(path)) return NULL;
    buf b = {0};
    TRY(files_read(path, 4096, &b));
    str text = str_trim(buf_view(&b));
    if (is_name(text)) {
        snprintf(ret_env, ENV_NAME_CAP, "%.*s", STR_ARG(text));
        *ret_known = is_there(s, ret_env);
    } else {
        *ret_known = str_eqz(text, "base " BH_VERSION);
    }
    buf_free(&b);
    return NULL;
}

static err *keep_note(struct deploy *d) {
    char path[PATH_MAX];
    note_path(path, d->s, d->digest);
    d->env_known = true;
    return files_write(path, d->env[0] ? str_of(d->env) : STR("base " BH_VERSION), 0644);
}

err *environment_base(struct deploy *d) {
    d->env[0] = 0;
    return keep_note(d);
}

/* ---- jobs on the builder's thread ---- */

static err *empty_building(struct deploy *d) {
    char path[PATH_MAX];
    env_path(path, d->s, d->owner, ".building");
    TRY(files_remove_tree(path, TREE_MAX));
    return files_mkdirs(path, 0755);
}

/* A lock is there: is its environment, too? Else the builder finds the lock in its folder. */
static err *use_lock(struct deploy *d, str text) {
    sha_hex(text, d->env);
    if (is_there(d->s, d->env)) {
        deploy_note(d, "An environment of equal packages is there: %.16s.", d->env);
        return keep_note(d);
    }
    char path[PATH_MAX];
    deploy_path(path, d, "lock/requirements.lock");
    TRY(files_write(path, text, 0644));
    return empty_building(d);
}

static err *prepare(struct deploy *d) {
    char path[PATH_MAX], part[64];
    buf all = {0}, lock = {0};
    deploy_path(path, d, "lock");
    TRY(files_remove_tree(path, 1000));
    TRY(files_mkdirs(path, 0755));
    err *e = NULL;
    for (size_t i = 0; !e && i < ARRAY_LEN(requirement_files); i++) {
        snprintf(part, sizeof(part), "model/%s", requirement_files[i]);
        deploy_path(path, d, part);
        if (!files_exists(path)) continue;
        size_t from = all.n;
        e = files_read(path, FILE_MAX, &all);
        snprintf(part, sizeof(part), "lock/%s", requirement_files[i]);
        deploy_path(path, d, part);
        if (!e) e = files_write(path, str_from(buf_view(&all), from), 0644);
        buf_fmt(&all, "\n%s %zu\n", requirement_files[i], all.n - from);
    }
    buf_z(&all, BH_VERSION);
    sha_hex(buf_view(&all), d->requirements);
    env_path(path, d->s, d->requirements, ".lock");
    if (!e && files_exists(path)) {
        e = files_read(path, LOCK_MAX, &lock);
        if (!e) e = use_lock(d, buf_view(&lock));
    } else if (!e) {
        e = empty_building(d);
    }
    buf_free(&all);
    buf_free(&lock);
    return e;
}

/* result.json of a builder. */
static err *read_result(struct deploy *d, arena *a, jval **ret) {
    char path[PATH_MAX];
    env_path(path, d->s, d->owner, ".building/result.json");
    buf b = {0};
    err *e = files_read(path, FILE_MAX, &b);
    if (!e) e = json_parse(a, arena_str(a, buf_view(&b)), false, ret);
    buf_free(&b);
    if (e) {
        err_free(e);
        return err_new(ERR_INVALID_STATE, "The model's environment cannot be made: the process that makes it ended "
                                          "without a word (%s).", d->died);
    }
    if (yyjson_get_bool(json_get(*ret, "ok"))) return NULL;
    str words = json_get_str(*ret, "words");
    if (words.n) deploy_note(d, "%.*s", STR_ARG(str_cut(words, 1500)));
    return err_new(ERR_INVALID_STATE, "The model's environment cannot be made: %.*s",
                   STR_ARG(str_cut(json_get_str(*ret, "reason"), 2000)));
}

static err *take_lock(struct deploy *d) {
    arena *a = arena_new();
    jval *o = NULL;
    buf lock = {0};
    char path[PATH_MAX];
    err *e = read_result(d, a, &o);
    if (!e && yyjson_get_bool(json_get(o, "satisfied"))) {
        deploy_note(d, "The base environment has what the model asks for.");
        e = environment_base(d);
    } else if (!e) {
        env_path(path, d->s, d->owner, ".building/requirements.lock");
        e = files_read(path, LOCK_MAX, &lock);
        env_path(path, d->s, d->requirements, ".lock");
        if (!e) e = files_write(path, buf_view(&lock), 0644);
        if (!e) e = use_lock(d, buf_view(&lock));
    }
    if (e || d->env_known) {
        env_path(path, d->s, d->owner, ".building");
        err *bad = files_remove_tree(path, TREE_MAX);
        if (!e)
            e = bad;
        else
            err_free(bad);
    }
    buf_free(&lock);
    arena_free(a);
    return e;
}

/* Nothing in it may surprise whoever mounts it: files, folders, and links of the interpreter's. */
static err *look_at(const char *path, int depth, size_t *entries) {
    struct stat st;
    if (lstat(path, &st) < 0) return err_errno("cannot look at %s", path);
    if (++*entries > TREE_MAX || depth > DEPTH_MAX)
        return err_new(ERR_RESOURCE_EXHAUSTED, "the environment has too many files, or too deep folders");
    if (S_ISLNK(st.st_mode)) {
        char to[PATH_MAX];
        ssize_t n = readlink(path, to, sizeof(to) - 1);
        to[n > 0 ? n : 0] = 0;
        if (n <= 0 || strstr(to, "..") || (to[0] == '/' && strncmp(to, "/usr/", 5) != 0 && !strstr(to, "/bin/python")))
            return err_new(ERR_INVALID_STATE, "the environment has a link that leads out of it, to '%s'", to);
        return NULL;
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return err_new(ERR_INVALID_STATE, "the environment has something that is no file, '%s'", path);
    if (st.st_mode & (S_ISUID | S_ISGID)) return err_new(ERR_INVALID_STATE, "'%s' would run as another user", path);
    if (!S_ISDIR(st.st_mode)) return NULL;
    struct files_names names;
    TRY(files_list(path, TREE_MAX, &names));
    err *e = NULL;
    for (size_t i = 0; !e && i < names.n; i++) {
        char *inner = NULL;
        must(asprintf(&inner, "%s/%s", path, names.p[i]) > 0);
        e = look_at(inner, depth + 1, entries);
        free(inner);
    }
    files_names_free(&names);
    return e;
}

static err *sync_all(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno("cannot open %s", path);
    err *e = syncfs(fd) < 0 ? err_errno("cannot sync %s", path) : NULL;
    close(fd);
    return e;
}

static err *take_environment(struct deploy *d) {
    arena *a = arena_new();
    jval *o = NULL;
    char from[PATH_MAX], to[PATH_MAX];
    size_t entries = 0;
    env_path(from, d->s, d->owner, ".building");
    env_path(to, d->s, d->env, "");
    err *e = read_result(d, a, &o);
    if (!e && !str_eqz(json_get_str(o, "name"), d->env))
        e = err_new(ERR_INVALID_STATE, "The builder made another environment than that of the lock.");
    arena_free(a);
    if (!e) e = look_at(from, 0, &entries);
    if (!e) e = sync_all(from);
    if (e) {
        err_free(files_remove_tree(from, TREE_MAX));
        return e;
    }
    /* Another builder may have been first: equal locks give equal environments. */
    if (!is_there(d->s, d->env)) {
        TRY(files_remove_tree(to, TREE_MAX));
        if (rename(from, to) < 0) return err_errno("cannot name the environment %s", to);
        TRY(files_sync_parent(to));
    } else {
        TRY(files_remove_tree(from, TREE_MAX));
    }
    deploy_note(d, "Made the environment %.16s: %zu entries.", d->env, entries);
    return keep_note(d);
}

/* ---- the index ---- */

/* Outlives the deploy until the courier's answer is there. */
struct index_link {
    struct control *c;
    struct deploy *d; /* NULL: over */
    int fd;           /* the builder's listener */
    uint64_t order;
    bool asked;
    int again;
    loop_timer timer;
};

static void ask_index(struct index_link *x);

static void link_free(struct index_link *x) {
    loop_timer_clear(x->c->l, &x->timer);
    if (x->fd >= 0) close(x->fd);
    free(x);
}

static void on_again(loop_timer *t) { ask_index((struct index_link *)((char *)t - offsetof(struct index_link, timer))); }

static void on_index_over(void *arg, err *e, arena *a, jval *outcome) {
    (void)a;
    struct index_link *x = arg;
    struct deploy *d = x->d;
    x->asked = false;
    if (!d) {
        err_free(e);
        link_free(x);
        return;
    }
    if (e && err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE && x->again++ < ASK_AGAIN_MOST) {
        err_free(e);
        x->timer.on_time = on_again;
        loop_timer_set(x->c->l, &x->timer, ASK_AGAIN_US);
        return;
    }
    if (e) {
        CHAN_SEND(x->c->supervisor, end, 0, -1, .instance = d->instance);
        deploy_done(d, err_recode(err_while(e, "reaching the package index for the model's environment"), ERR_INVALID_STATE));
        return;
    }
    int64_t requests = 0, bytes = 0;
    if (json_i64(json_get(outcome, "requests"), &requests) && json_i64(json_get(outcome, "bytes"), &bytes))
        deploy_note(d, "The package index was asked %lld times, for %lld bytes.", (long long)requests, (long long)bytes);
}

static void ask_index(struct index_link *x) {
    struct order o = {.verb = ORDER_INDEX};
    struct courier_call call = {.on_done = on_index_over, .arg = x};
    x->asked = true;
    x->order = courier_ask(blobs_courier(x->c), &o, x->fd, &call);
}

static void let_go(struct deploy *d) {
    struct index_link *x = d->index;
    d->index = NULL;
    if (!x) return;
    x->d = NULL;
    loop_timer_clear(x->c->l, &x->timer);
    if (x->asked)
        courier_confirm(blobs_courier(x->c), x->order, true, 0);
    else
        link_free(x);
}

static void on_builder_frame(chan *ch, struct chan_frame *f, void *arg) {
    struct deploy *d = arg;
    (void)ch;
    if (f->type != MSG_INDEX_LISTENER || f->fd < 0 || d->index) return;
    struct index_link *x = calloc(1, sizeof(*x));
    must(x != NULL);
    *x = (struct index_link){.c = d->s->c, .d = d, .fd = f->fd};
    f->fd = -1;
    d->index = x;
    ask_index(x);
}

static void on_builder_close(chan *ch, const char *why, void *arg) {
    struct deploy *d = arg;
    (void)why;
    chan_free(ch);
    d->builder = NULL;
}

void environment_peer(struct deploy *d, int fd) {
    static const struct chan_events ev = {.on_frame = on_builder_frame, .on_close = on_builder_close};
    chan_free(d->builder);
    d->builder = NULL;
    err *e = chan_new(d->s->c->l, fd, &ev, d, &d->builder);
    if (!e) return;
    close(fd);
    deploy_done(d, e);
}

void environment_release(struct deploy *d) {
    chan_free(d->builder);
    d->builder = NULL;
    let_go(d);
}

/* ---- phases on the loop ---- */

void environment_begin(struct deploy *d) {
    d->phase = DEPLOY_LOCK;
    deploy_build(d, prepare);
}

static void start_builder(struct deploy *d, enum deploy_phase phase) {
    const struct settings *set = &d->s->c->settings;
    deploy_note(d, phase == DEPLOY_LOCK ? "Choosing versions of the model's packages."
                                        : "Making an environment of the model's packages.");
    deploy_spawn(d, "env_builder", phase, str_of(d->owner), settings_int(set, SET_ENVIRONMENTS_MEMORY),
                 settings_int(set, SET_ENVIRONMENTS_TIMEOUT));
}

bool environment_next(struct deploy *d) {
    if (d->env_known) return true;
    start_builder(d, d->env[0] ? DEPLOY_BUILD : DEPLOY_LOCK);
    return false;
}

void environment_ended(struct deploy *d, const struct msg_ended *m) {
    environment_release(d);
    if (m->report.n) hosts_add_log(&d->log, m->report);
    snprintf(d->died, sizeof(d->died), "%s %u; it may need more than environments.memory",
             m->signal ? "signal" : "code", m->signal ? m->signal : m->code);
    deploy_build(d, d->phase == DEPLOY_LOCK ? take_lock : take_environment);
}

err *environment_sweep(struct serving *s) {
    char dir[PATH_MAX], path[PATH_MAX];
    env_path(dir, s, "", "");
    TRY(files_mkdirs(dir, 0755));
    struct files_names names;
    TRY(files_list(dir, TREE_MAX, &names));
    err *e = NULL;
    for (size_t i = 0; !e && i < names.n; i++) {
        size_t n = strlen(names.p[i]);
        if (n < 9 || strcmp(names.p[i] + n - 9, ".building") != 0) continue;
        env_path(path, s, names.p[i], "");
        e = files_remove_tree(path, TREE_MAX);
    }
    files_names_free(&names);
    return e;
}
