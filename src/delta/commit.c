/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/commit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "delta/log.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define KEPT 64               /* commits whose text is remembered, for conflict checks */
#define KEPT_BYTES (256 * 1024)
#define MAX_TRIES 10000

struct kept {
    int64_t version;
    char *text;
    size_t n;
};

/* Somebody who waits in a group. */
struct waiter {
    struct waiter *next;
    arena *a;
    const struct delta_commit_ask *ask;
    struct delta_commit_answer *ret;
    err *e;
    bool done;
};

struct delta_committer {
    struct delta_fs fs;
    arena *a;
    str key;
    int refs;                 /* under the table's lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool busy;                /* somebody works through a group */
    struct waiter *first, **last;
    int64_t latest;           /* the newest version known, -2: not known */
    int64_t last_ict;         /* of `latest`, -1 */
    struct kept kept[KEPT];
    uint64_t used;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static map *all;
static uint64_t clock_of_all;
#define MAX_IDLE 1000

static void committer_free(delta_committer *c) {
    for (size_t i = 0; i < KEPT; i++) free(c->kept[i].text);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    arena_free(c->a);
    free(c);
}

/* Lets go of the one that was idle longest. */
static void drop_one(void) {
    str k;
    void *v;
    delta_committer *old = NULL;
    for (size_t i = 0; map_next(all, &i, &k, &v);) {
        delta_committer *c = v;
        if (!c->refs && (!old || c->used < old->used)) old = c;
    }
    if (!old) return;
    map_del(all, old->key);
    committer_free(old);
}

delta_committer *delta_committer_get(const struct delta_fs *fs) {
    char head[32];
    int n = snprintf(head, sizeof(head), "%p:", (void *)fs->store);
    buf key = {0};
    buf_add(&key, head, (size_t)n);
    buf_str(&key, fs->root);
    pthread_mutex_lock(&all_lock);
    if (!all) all = map_new();
    delta_committer *c = map_get(all, buf_view(&key));
    if (!c) {
        if (map_size(all) >= MAX_IDLE) drop_one();
        c = calloc(1, sizeof(*c));
        must(c);
        c->a = arena_new();
        c->fs = *fs;
        c->fs.root = arena_str(c->a, fs->root);
        c->key = arena_str(c->a, buf_view(&key));
        c->latest = -2, c->last_ict = -1;
        c->last = &c->first;
        pthread_mutex_init(&c->lock, NULL);
        pthread_cond_init(&c->wake, NULL);
        map_put(all, c->key, c);
    }
    c->refs++;
    c->used = ++clock_of_all;
    pthread_mutex_unlock(&all_lock);
    buf_free(&key);
    return c;
}

void delta_committer_put(delta_committer *c) {
    pthread_mutex_lock(&all_lock);
    c->refs--;
    pthread_mutex_unlock(&all_lock);
}

/* ---- what others wrote ---- */

static void keep_text(delta_committer *c, int64_t version, str text) {
    struct kept *k = &c->kept[version % KEPT];
    free(k->text);
    k->text = NULL;
    k->version = version;
    if (text.n > KEPT_BYTES) return;
    k->text = malloc(text.n + 1);
    must(k->text);
    memcpy(k->text, text.p, text.n);
    k->n = text.n;
}

static err *text_of(delta_committer *c, arena *a, int64_t version, str *ret) {
    struct kept *k = &c->kept[version % KEPT];
    if (k->text && k->version == version) {
        *ret = str_n(k->text, k->n);
        return NULL;
    }
    TRY(delta_fs_read(&c->fs, a, delta_commit_name(a, version), ret));
    keep_text(c, version, *ret);
    return NULL;
}

static err *find_latest(delta_committer *c, arena *a) {
    struct delta_log log;
    TRY(delta_log_list(&c->fs, a, c->latest > 0 ? c->latest : 0, &log));
    int64_t v = -1;
    if (log.n_commits) v = log.commits[log.n_commits - 1].version;
    if (log.n_checkpoints && log.checkpoints[log.n_checkpoints - 1].version > v) v = log.checkpoints[log.n_checkpoints - 1].version;
    /* A log that was begun anew is listed from its start. */
    if (c->latest > 0 && v < c->latest) {
        c->latest = -2;
        return find_latest(c, a);
    }
    if (v != c->latest) c->last_ict = -1;
    c->latest = v;
    return NULL;
}

static int64_t ict_of(arena *a, const struct delta_action *acts, size_t n) {
    int64_t t = -1;
    for (size_t i = 0; i < n; i++) {
        jval *v;
        if (acts[i].kind != DELTA_COMMIT_INFO) continue;
        err *e = json_parse(a, acts[i].info, false, &v);
        int64_t got;
        if (!e && json_i64(json_get(v, "inCommitTimestamp"), &got)) t = got;
        err_free(e);
    }
    return t;
}

/* What came between the read version and the next one: checked, and merged into what we must know. */
struct state {
    int64_t next;             /* the version to write */
    int64_t ict, high_water;
    int64_t checked;          /* conflict-checked up to here */
};

static err *check_winners(delta_committer *c, arena *a, const struct delta_commit_ask *ask, struct state *s) {
    for (int64_t v = s->checked + 1; v < s->next; v++) {
        str text;
        struct delta_action *acts;
        size_t n;
        TRY(text_of(c, a, v, &text));
        TRY(delta_actions_read(a, text, STR("commit"), &acts, &n));
        TRY(delta_conflict(a, ask, acts, n, v));
        int64_t t = ict_of(a, acts, n);
        if (t > s->ict) s->ict = t;
        for (size_t i = 0; i < n; i++) {
            jval *o;
            int64_t mark;
            if (acts[i].kind != DELTA_DOMAIN || !str_eqz(acts[i].domain.name, "delta.rowTracking")) continue;
            err *e = json_parse(a, acts[i].domain.config, false, &o);
            if (!e && json_i64(json_get(o, "rowIdHighWaterMark"), &mark) && mark > s->high_water) s->high_water = mark;
            err_free(e);
        }
        s->checked = v;
    }
    return NULL;
}

/* ---- writing ---- */

static err *write_info(arena *a, const struct delta_commit_ask *ask, int64_t now, buf *out) {
    jval *v;
    TRY(json_parse(a, ask->info.n ? ask->info : STR("{}"), false, &v));
    jdoc *d = json_doc(a);
    jmut *root = yyjson_mut_obj(d), *o = json_put_obj(d, root, "commitInfo");
    /* In-commit timestamps are read from the first bytes. */
    if (ask->ict) json_put_int(d, o, "inCommitTimestamp", now);
    json_put_int(d, o, "timestamp", now);
    size_t i, max;
    jval *k, *x;
    yyjson_obj_foreach(v, i, max, k, x) {
        if (str_eqz(json_str(k), "timestamp") || str_eqz(json_str(k), "inCommitTimestamp")) continue;
        yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, x));
    }
    if (!json_get(v, "readVersion") && ask->read_version >= 0) json_put_int(d, o, "readVersion", ask->read_version);
    if (!json_get(v, "isBlindAppend")) json_put_bool(d, o, "isBlindAppend", ask->blind_append);
    if (!json_get(v, "txnId")) {
        char *id = arena_alloc(a, 37);
        rand_uuid(id);
        json_put_z(d, o, "txnId", id);
    }
    json_write(root, out);
    buf_c(out, '\n');
    return NULL;
}

/* The lines of a version: commitInfo first, then the actions, with row ids and versions where the table has them. */
static err *write_text(arena *a, const struct delta_commit_ask *ask, const struct state *s, int64_t now, buf *out) {
    TRY(write_info(a, ask, now, out));
    int64_t mark = s->high_water;
    for (size_t i = 0; i < ask->n; i++) {
        struct delta_action x = ask->actions[i];
        if (x.kind == DELTA_COMMIT_INFO) continue;
        if (x.kind == DELTA_ADD && ask->row_ids && x.file.base_row_id < 0) {
            int64_t rows = delta_num_records(&x.file);
            if (rows < 0) return err_new(ERR_INTERNAL_ERROR, "a file of a table with row tracking has no number of rows");
            x.file.base_row_id = mark + 1;
            mark += rows;
        }
        if (x.kind == DELTA_ADD && ask->row_ids && x.file.default_commit_version < 0) x.file.default_commit_version = s->next;
        delta_action_line(a, &x, out);
    }
    if (mark == s->high_water) return NULL;
    struct delta_action domain = {.kind = DELTA_DOMAIN};
    domain.domain.name = STR("delta.rowTracking");
    domain.domain.config = str_of(arena_printf(a, "{\"rowIdHighWaterMark\":%lld}", (long long)mark));
    delta_action_line(a, &domain, out);
    return NULL;
}

static int64_t time_of(const struct delta_commit_ask *ask, const struct state *s) {
    int64_t now = ask->now_ms > 0 ? ask->now_ms : clock_now() / 1000;
    return ask->ict && now <= s->ict ? s->ict + 1 : now;
}

/* One commit, the folder not synced yet. */
static err *commit_one(delta_committer *c, struct waiter *w) {
    const struct delta_commit_ask *ask = w->ask;
    struct state s = {.ict = ask->previous_ict, .high_water = ask->high_water, .checked = ask->read_version};
    if (c->latest == -2) TRY(find_latest(c, w->a));
    if (ask->read_version > c->latest) TRY(find_latest(c, w->a));
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        s.next = c->latest + 1;
        if (ask->read_version < 0 && s.next > 0)
            return delta_error("DELTA_CONCURRENT_WRITE", "ConcurrentWriteException: another writer has made a table at this "
                                                         "place meanwhile.");
        TRY(check_winners(c, w->a, ask, &s));
        int64_t now = time_of(ask, &s);
        buf text = {0};
        err *e = write_text(w->a, ask, &s, now, &text);
        if (!e) e = delta_fs_put_unsynced(&c->fs, delta_commit_name(w->a, s.next), buf_view(&text));
        if (!e) {
            c->latest = s.next;
            keep_text(c, s.next, buf_view(&text));
            *w->ret = (struct delta_commit_answer){s.next, now, arena_str(w->a, buf_view(&text))};
            buf_free(&text);
            return NULL;
        }
        buf_free(&text);
        if (err_code_of(e) != ERR_ALREADY_EXISTS) {
            c->latest = -2;
            return e;
        }
        err_free(e);
        TRY(find_latest(c, w->a));
    }
    return err_new(ERR_TEMPORARILY_UNAVAILABLE, "the table's log moved on %d times before this commit", MAX_TRIES);
}

err *delta_commit(delta_committer *c, arena *a, const struct delta_commit_ask *ask, struct delta_commit_answer *ret) {
    struct waiter me = {.a = a, .ask = ask, .ret = ret};
    pthread_mutex_lock(&c->lock);
    *c->last = &me;
    c->last = &me.next;
    while (!me.done && c->busy) pthread_cond_wait(&c->wake, &c->lock);
    if (!me.done) {
        /* The leader: takes all that wait, also those who come while it works, in rounds. */
        c->busy = true;
        while (!me.done) {
            struct waiter *group = c->first;
            c->first = NULL, c->last = &c->first;
            pthread_mutex_unlock(&c->lock);
            bool any = false;
            for (struct waiter *w = group; w; w = w->next) {
                w->e = commit_one(c, w);
                any |= !w->e;
            }
            err *sync = any ? delta_fs_sync(&c->fs, STR("_delta_log")) : NULL;
            pthread_mutex_lock(&c->lock);
            for (struct waiter *w = group, *next; w; w = next) {
                next = w->next;
                if (!w->e && sync) w->e = err_new(ERR_IO_ERROR, "%s", err_msg(sync));
                w->done = true;
            }
            err_free(sync);
            pthread_cond_broadcast(&c->wake);
        }
        c->busy = false;
        pthread_cond_broadcast(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    return me.e;
}

static bool flag(jval *o, const char *key) { return yyjson_is_true(json_get(o, key)); }

static int64_t number(jval *o, const char *key, int64_t other) {
    int64_t v;
    return json_i64(json_get(o, key), &v) ? v : other;
}

err *delta_commit_of_json(arena *a, jval *o, struct delta_commit_ask *ret) {
    struct delta_action *acts;
    size_t n;
    TRY(delta_actions_read(a, json_get_str(o, "actions"), STR("commit"), &acts, &n));
    jval *files = json_get(o, "files_read");
    str *read = arena_array_of(a, str, yyjson_arr_size(files) + 1);
    size_t i, max, k = 0;
    jval *v;
    yyjson_arr_foreach(files, i, max, v) read[k++] = json_str(v);
    *ret = (struct delta_commit_ask){.read_version = number(o, "read_version", -1), .actions = acts, .n = n, .info = json_get_str(o, "info"),
                                     .blind_append = flag(o, "blind_append"), .serializable = flag(o, "serializable"),
                                     .read_all = flag(o, "read_all"), .files_read = read, .n_files_read = k, .ict = flag(o, "ict"),
                                     .previous_ict = number(o, "previous_ict", -1), .row_ids = flag(o, "row_ids"),
                                     .high_water = number(o, "high_water", -1), .now_ms = number(o, "now_ms", 0)};
    return NULL;
}
