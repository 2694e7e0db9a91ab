/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/commit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "delta/checksum.h"
#include "delta/commit_int.h"
#include "delta/log.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define KEPT 64               /* commits whose text is remembered, for conflict checks */
#define KEPT_BYTES (256 * 1024)
#define MAX_TRIES 10000
#define SUMS_SKIPPED 8

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
    /* The text, durable under a temporary name. */
    str text;
    struct delta_staged staged;
    int64_t time;             /* that it carries */
    bool fits_any;            /* no row ids: it is right for whatever version, if its time is */
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
    int64_t latest_mtime;     /* of its file when we last saw or wrote it, -1: not known */
    int64_t last_time;        /* given to a commit by us: in-commit timestamps rise */
    struct kept kept[KEPT];
    struct delta_checksum sum;
    int sums_skipped;         /* groups since a .crc was written */
    int64_t sum_next_try;     /* of a version without known sums: when .crc files are looked for again */
    uint64_t used;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static map *all;
static uint64_t clock_of_all;
#define MAX_IDLE 1000

static void committer_free(delta_committer *c) {
    for (size_t i = 0; i < KEPT; i++) free(c->kept[i].text);
    delta_checksum_free(&c->sum);
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
        c->latest = -2, c->latest_mtime = c->last_time = -1;
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

static void forget(delta_committer *c) {
    for (size_t i = 0; i < KEPT; i++) {
        free(c->kept[i].text);
        c->kept[i].text = NULL;
    }
    c->latest = -2, c->latest_mtime = -1;
    delta_checksum_free(&c->sum);
    c->sum_next_try = 0;
}

static bool version_time(delta_committer *c, arena *a, int64_t version, int64_t *ret_mtime) {
    struct delta_entry x;
    err *e = delta_fs_stat(&c->fs, delta_commit_name(a, version), &x);
    *ret_mtime = e ? -1 : x.mtime_ms;
    bool there = !e;
    err_free(e);
    return there;
}

/* From the newest one known: the next ones by name, since a log has no gaps. A listing only when nothing is known. */
static err *find_latest(delta_committer *c, arena *a) {
    int64_t mtime;
    if (c->latest >= 0 && version_time(c, a, c->latest, &mtime)) {
        while (version_time(c, a, c->latest + 1, &mtime)) c->latest++, c->latest_mtime = mtime;
        return NULL;
    }
    forget(c);
    struct delta_log log;
    TRY(delta_log_list(&c->fs, a, 0, &log));
    int64_t v = -1;
    if (log.n_commits) v = log.commits[log.n_commits - 1].version;
    if (log.n_checkpoints && log.checkpoints[log.n_checkpoints - 1].version > v) v = log.checkpoints[log.n_checkpoints - 1].version;
    c->latest = v;
    if (v >= 0) (void)version_time(c, a, v, &c->latest_mtime);
    return NULL;
}

/* A table that was made anew at its old place (by others) has a log of its own. */
static void check_same(delta_committer *c, arena *a) {
    int64_t mtime;
    if (c->latest < 0 || c->fs.store) return;
    if (!version_time(c, a, c->latest, &mtime) || (c->latest_mtime >= 0 && mtime != c->latest_mtime)) forget(c);
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

err *delta_commit_winner(arena *a, const struct delta_commit_ask *ask, struct delta_commit_state *s, str text, int64_t version) {
    struct delta_action *acts;
    size_t n;
    TRY(delta_actions_read(a, text, STR("commit"), &acts, &n));
    TRY(delta_conflict(a, ask, acts, n, version));
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
    s->checked = version;
    return NULL;
}

static err *check_winners(delta_committer *c, arena *a, const struct delta_commit_ask *ask, struct delta_commit_state *s) {
    for (int64_t v = s->checked + 1; v < s->next; v++) {
        str text;
        TRY(text_of(c, a, v, &text));
        TRY(delta_commit_winner(a, ask, s, text, v));
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

err *delta_commit_text(arena *a, const struct delta_commit_ask *ask, const struct delta_commit_state *s, int64_t now, buf *out, int64_t *ret_high_water) {
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
    if (ret_high_water) *ret_high_water = mark;
    if (mark == s->high_water) return NULL;
    struct delta_action domain = {.kind = DELTA_DOMAIN};
    domain.domain.name = STR("delta.rowTracking");
    domain.domain.config = str_of(arena_printf(a, "{\"rowIdHighWaterMark\":%lld}", (long long)mark));
    delta_action_line(a, &domain, out);
    return NULL;
}

static int64_t time_of(delta_committer *c, const struct delta_commit_ask *ask, int64_t before) {
    int64_t now = ask->now_ms > 0 ? ask->now_ms : clock_now() / 1000;
    if (!ask->ict) return now;
    if (now <= before) now = before + 1;
    pthread_mutex_lock(&c->lock);
    if (now <= c->last_time && c->last_time < INT64_MAX) now = c->last_time + 1;
    c->last_time = now;
    pthread_mutex_unlock(&c->lock);
    return now;
}

static bool row_ids_to_give(const struct delta_commit_ask *ask) {
    for (size_t i = 0; ask->row_ids && i < ask->n; i++)
        if (ask->actions[i].kind == DELTA_ADD) return true;
    return false;
}

/* The text for `s` under a temporary name, and everything that it speaks of, durable (an object store: nothing yet). */
static err *prepare(delta_committer *c, struct waiter *w, const struct delta_commit_state *s, bool with_data) {
    const struct delta_commit_ask *ask = w->ask;
    buf text = {0};
    delta_fs_discard(&c->fs, &w->staged);
    w->staged = (struct delta_staged){0};
    w->time = time_of(c, ask, s->ict);
    err *e = delta_commit_text(w->a, ask, s, w->time, &text, NULL);
    w->text = arena_str(w->a, buf_view(&text));
    buf_free(&text);
    TRY(e);
    TRY(delta_fs_stage(&c->fs, w->a, STR("_delta_log/commit"), w->text, &w->staged));
    size_t n = with_data ? ask->n_sync : 0;
    str *names = arena_array_of(w->a, str, n + 1);
    if (n) memcpy(names, ask->sync, n * sizeof(*names));
    if (w->staged.temp.n) names[n++] = w->staged.temp;
    return delta_fs_make_durable(&c->fs, w->a, names, n);
}

/* What a caller does at once, before its group: nothing of it depends on the version, unless rows get ids. */
static err *prepare_early(delta_committer *c, struct waiter *w) {
    const struct delta_commit_ask *ask = w->ask;
    struct delta_commit_state s = {.next = ask->read_version + 1, .ict = ask->previous_ict, .high_water = ask->high_water};
    w->fits_any = !row_ids_to_give(ask);
    if (w->fits_any) return prepare(c, w, &s, true);
    return ask->n_sync ? delta_fs_make_durable(&c->fs, w->a, ask->sync, ask->n_sync) : NULL;
}

/* One commit, the folder not synced yet. */
static err *commit_one(delta_committer *c, struct waiter *w) {
    const struct delta_commit_ask *ask = w->ask;
    struct delta_commit_state s = {.ict = ask->previous_ict, .high_water = ask->high_water, .checked = ask->read_version};
    if (c->latest == -2 || ask->read_version > c->latest) TRY(find_latest(c, w->a));
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        s.next = c->latest + 1;
        if (ask->read_version < 0 && s.next > 0)
            return delta_error("DELTA_CONCURRENT_WRITE", "ConcurrentWriteException: another writer has made a table at this "
                                                         "place meanwhile.");
        TRY(check_winners(c, w->a, ask, &s));
        if (!w->text.n || !w->fits_any || (ask->ict && w->time <= s.ict)) TRY(prepare(c, w, &s, false));
        str name = delta_commit_name(w->a, s.next);
        err *e = delta_fs_publish(&c->fs, &w->staged, name);
        if (!e) {
            w->staged = (struct delta_staged){0};
            c->latest = s.next;
            if (!c->fs.store) (void)version_time(c, w->a, s.next, &c->latest_mtime);
            keep_text(c, s.next, w->text);
            *w->ret = (struct delta_commit_answer){s.next, w->time, w->text};
            return NULL;
        }
        if (err_code_of(e) != ERR_ALREADY_EXISTS) {
            forget(c);
            return e;
        }
        err_free(e);
        TRY(find_latest(c, w->a));
    }
    return err_new(ERR_TEMPORARILY_UNAVAILABLE, "the table's log moved on %d times before this commit", MAX_TRIES);
}

/* A group's names in order, then its folder. */
static void run_group(delta_committer *c, struct waiter *group) {
    bool any = false;
    if (group) check_same(c, group->a);
    for (struct waiter *w = group; w; w = w->next) {
        w->e = commit_one(c, w);
        any |= !w->e;
    }
    err *sync = any ? delta_fs_sync(&c->fs, STR("_delta_log")) : NULL;
    for (struct waiter *w = group; sync && w; w = w->next)
        if (!w->e) w->e = err_new(ERR_IO_ERROR, "%s", err_msg(sync));
    if (sync) forget(c);
    err_free(sync);
}

/* ---- checksums ---- */

static bool apply_version(delta_committer *c, arena *a, int64_t version) {
    str text;
    struct delta_action *acts;
    size_t n;
    err *e = text_of(c, a, version, &text);
    if (!e) e = delta_actions_read(a, text, STR("commit"), &acts, &n);
    if (e) delta_checksum_free(&c->sum);
    else delta_checksum_apply(a, &c->sum, acts, n);
    err_free(e);
    return c->sum.known;
}

/* From the newest .crc within reach. */
static void find_sum(delta_committer *c, arena *a) {
    str text;
    for (int64_t v = c->latest; v >= 0 && v > c->latest - KEPT; v--) {
        err *e = delta_fs_read(&c->fs, a, delta_checksum_name(a, v), &text);
        bool found = !e && delta_checksum_read(a, text, v, &c->sum);
        err_free(e);
        if (found) return;
    }
    if (c->latest < KEPT) delta_checksum_start(&c->sum);
    c->sum_next_try = c->latest + KEPT / 4;
}

/* The newest version's .crc: nobody waits for it, it is not synced, and what goes wrong leaves it out. */
static void write_sum(delta_committer *c) {
    if (c->fs.store || c->latest < 0) return;
    arena *a = arena_new();
    if (!c->sum.known && c->latest >= c->sum_next_try) find_sum(c, a);
    while (c->sum.known && c->sum.version < c->latest && apply_version(c, a, c->sum.version + 1)) continue;
    str text = c->sum.known && c->sum.version == c->latest ? delta_checksum_text(a, &c->sum) : STR("");
    struct delta_staged s = {0};
    if (text.n) {
        err *e = delta_fs_stage(&c->fs, a, STR("_delta_log/crc"), text, &s);
        if (!e) e = delta_fs_publish(&c->fs, &s, delta_checksum_name(a, c->latest));
        if (e) delta_fs_discard(&c->fs, &s);
        err_free(e);
    }
    arena_free(a);
}

err *delta_commit(delta_committer *c, arena *a, const struct delta_commit_ask *ask, struct delta_commit_answer *ret) {
    struct waiter me = {.a = a, .ask = ask, .ret = ret};
    err *e = prepare_early(c, &me);
    if (e) {
        delta_fs_discard(&c->fs, &me.staged);
        return e;
    }
    pthread_mutex_lock(&c->lock);
    *c->last = &me;
    c->last = &me.next;
    while (!me.done && c->busy) pthread_cond_wait(&c->wake, &c->lock);
    if (!me.done) {
        /* The leader: takes all that wait, itself among them. Who comes meanwhile has a leader of its own. */
        c->busy = true;
        struct waiter *group = c->first;
        c->first = NULL, c->last = &c->first;
        pthread_mutex_unlock(&c->lock);
        run_group(c, group);
        pthread_mutex_lock(&c->lock);
        for (struct waiter *w = group, *next; w; w = next) {
            next = w->next;
            w->done = true;
        }
        pthread_cond_broadcast(&c->wake);
        /* Where others wait already, only now and then: they would wait for it. */
        bool sum = !c->first || ++c->sums_skipped >= SUMS_SKIPPED;
        if (sum) {
            c->sums_skipped = 0;
            pthread_mutex_unlock(&c->lock);
            write_sum(c);
            pthread_mutex_lock(&c->lock);
        }
        c->busy = false;
        pthread_cond_broadcast(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    delta_fs_discard(&c->fs, &me.staged);
    return me.e;
}

static bool flag(jval *o, const char *key) { return yyjson_is_true(json_get(o, key)); }

static int64_t number(jval *o, const char *key, int64_t other) {
    int64_t v;
    return json_i64(json_get(o, key), &v) ? v : other;
}

err *delta_tests_of_json(arena *a, jval *list, const struct delta_test **ret, size_t *ret_n) {
    struct delta_test *tests = arena_array_of(a, struct delta_test, yyjson_arr_size(list) + 1);
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(list, i, n, v) {
        jval *path = json_get(v, "path"), *values = json_get(v, "values"), *one;
        str op = json_get_str(v, "op"), *p = arena_array_of(a, str, yyjson_arr_size(path) + 1), *t = arena_array_of(a, str, yyjson_arr_size(values) + 1);
        int64_t order = number(v, "order", -1);
        size_t k, m;
        yyjson_arr_foreach(path, k, m, one) p[k] = json_str(one);
        yyjson_arr_foreach(values, k, m, one) t[k] = json_str(one);
        tests[i] = (struct delta_test){p, yyjson_arr_size(path), flag(v, "partition"), (enum delta_order)order, op.n == 1 ? op.p[0] : 0, t, yyjson_arr_size(values)};
        bool alone = tests[i].op == '0' || tests[i].op == '1';
        if (op.n != 1 || str_chr(STR("=<>lg01i"), op.p[0], 0) < 0 || order < 0 || order > DELTA_ORDER_BOOL || !tests[i].n_path || (!alone && !tests[i].n))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "a condition of a commit is none");
    }
    *ret = tests;
    *ret_n = yyjson_arr_size(list);
    return NULL;
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
    const struct delta_test *tests;
    size_t n_tests;
    TRY(delta_tests_of_json(a, json_get(o, "tests"), &tests, &n_tests));
    *ret = (struct delta_commit_ask){.read_version = number(o, "read_version", -1), .actions = acts, .n = n, .info = json_get_str(o, "info"),
                                     .blind_append = flag(o, "blind_append"), .serializable = flag(o, "serializable"),
                                     .read_all = flag(o, "read_all"), .files_listed = flag(o, "files_listed"), .tests = tests, .n_tests = n_tests, .files_read = read, .n_files_read = k, .ict = flag(o, "ict"),
                                     .previous_ict = number(o, "previous_ict", -1), .row_ids = flag(o, "row_ids"),
                                     .high_water = number(o, "high_water", -1), .now_ms = number(o, "now_ms", 0)};
    return NULL;
}
