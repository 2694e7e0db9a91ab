/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of mlflow.db: metrics (latest, history, hot and settled runs) and the search over runs,
 * which is compared with a naive one over the same runs in memory.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/mlflow_runs.h"
#include "store/mlflow_search.h"
#include "sys/files.h"
#include "sys/rand.h"

static char dir[64];
static store *s;
static const char KEY[] = "0123456789abcdef0123456789abcdef";
static const struct store_scope WS = {1, 10}, OTHER = {1, 11};

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bh-mlflow-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    struct store_options o = {.dir = dir, .master_key = str_n(KEY, 32)};
    ok(store_open(&o, &s));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    store_close(s);
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e != NULL;
}

static void write_now(err *(*job)(store_tx *, void *), void *arg) {
    ok(store_write_sync(s, STORE_MLFLOW, job, arg, NULL));
}

/* ---- metrics ---- */

struct logging {
    struct mlflow_run run;
    struct mlflow_point p[300];
    size_t n;
    bool create, end;
};

static err *log_job(store_tx *tx, void *arg) {
    struct logging *l = arg;
    if (l->create) TRY(mlflow_run_insert(tx, WS, &l->run));
    l->create = false;
    TRY(mlflow_metrics_log(tx, &l->run, l->p, l->n));
    if (l->end) l->run.status = RUN_FINISHED;
    return l->end ? mlflow_run_set(tx, &l->run) : NULL;
}

static struct mlflow_run new_run(arena *a, int64_t experiment, int64_t start) {
    char hex[33];
    rand_hex(hex, 16);
    return (struct mlflow_run){.experiment = experiment,
                               .run_id = str_of(arena_strdup(a, hex)),
                               .name = STR("n"),
                               .user_id = STR("u"),
                               .status = RUN_RUNNING,
                               .start_time = start};
}

static struct mlflow_point point(const char *key, double v, int64_t ts, int64_t step) {
    return (struct mlflow_point){str_of(key), v, ts, step};
}

static double latest_of(store_tx *tx, arena *a, int64_t rid, const char *key) {
    struct mlflow_points l;
    ok(mlflow_metrics_latest(tx, a, rid, &l));
    for (size_t i = 0; i < l.n; i++)
        if (str_eqz(l.p[i].key, key)) return l.p[i].value;
    fail_msg("no %s", key);
    return 0;
}

static void test_latest_and_history(void **state) {
    (void)state;
    arena *a = arena_new();
    struct logging l = {.create = true, .run = new_run(a, 5, 1)};
    l.p[0] = point("m", 0.5, 100, 1);
    l.p[1] = point("m", 0.7, 50, 2); /* a later step wins over a later time */
    l.p[2] = point("m", 0.9, 10, 1);
    l.p[3] = point("nan", NAN, 1, 0);
    l.p[4] = point("inf", -INFINITY, 1, 0);
    l.n = 5;
    write_now(log_job, &l);
    l.p[0] = point("m", 0.5, 100, 1); /* the same again */
    l.n = 1;
    write_now(log_job, &l);
    store_tx *tx;
    ok(store_read_begin(s, STORE_MLFLOW, 0, &tx));
    assert_true(latest_of(tx, a, l.run.rid, "m") == 0.7);
    assert_true(isnan(latest_of(tx, a, l.run.rid, "nan")));
    assert_true(latest_of(tx, a, l.run.rid, "inf") == -INFINITY);
    struct mlflow_history q = {
        .key = STR("m"), .min_step = INT64_MIN, .max_step = INT64_MAX, .limit = 2};
    struct mlflow_points h;
    ok(mlflow_metrics_history(tx, a, l.run.rid, &q, &h));
    assert_int_equal(h.n, 2);
    assert_int_equal(h.p[0].timestamp, 10);
    assert_int_equal(h.p[1].timestamp, 50);
    q.after_set = true;
    q.after = h.p[1];
    ok(mlflow_metrics_history(tx, a, l.run.rid, &q, &h));
    assert_int_equal(h.n, 1);
    assert_int_equal(h.p[0].timestamp, 100);
    q.key = STR("none");
    ok(mlflow_metrics_history(tx, a, l.run.rid, &q, &h));
    assert_int_equal(h.n, 0);
    store_read_end(tx);
    arena_free(a);
}

/* More keys than a segment holds, logged in several calls and both ways of finding a key. */
static void test_many_keys(void **state) {
    (void)state;
    arena *a = arena_new();
    struct logging l = {.create = true, .run = new_run(a, 6, 1)};
    for (int round = 0; round < 3; round++) {
        l.n = 0;
        for (int k = 0; k < 200; k++)
            l.p[l.n++] = point(arena_printf(a, "k%d", k), round * 1000 + k, round, round);
        write_now(log_job, &l);
    }
    l.n = 1;
    l.p[0] = point("k150", -1, 9, 9);
    l.end = true;
    write_now(log_job, &l);
    store_tx *tx;
    struct mlflow_points all;
    ok(store_read_begin(s, STORE_MLFLOW, 0, &tx));
    ok(mlflow_metrics_latest(tx, a, l.run.rid, &all));
    assert_int_equal(all.n, 200);
    for (size_t k = 0; k < 200; k++)
        assert_true(all.p[k].value == (k == 150 ? -1 : 2000 + (double)k));
    struct mlflow_history q = {.key = STR("k150"), .min_step = 1, .max_step = 9, .limit = 100};
    struct mlflow_points h;
    ok(mlflow_metrics_history(tx, a, l.run.rid, &q, &h));
    assert_int_equal(h.n, 3);
    store_read_end(tx);
    arena_free(a);
}

/* More calls than point_new holds, of two runs in turn: the history is whole wherever it lies. */
struct long_log {
    struct logging a, b;
    int from, to;
};

static err *long_job(store_tx *tx, void *arg) {
    struct long_log *l = arg;
    for (int i = l->from; i < l->to; i++) {
        struct mlflow_point p = point("m", i, i, i);
        TRY(mlflow_metrics_log(tx, i % 3 ? &l->a.run : &l->b.run, &p, 1));
    }
    return NULL;
}

static void test_long_history(void **state) {
    (void)state;
    arena *a = arena_new();
    struct long_log l = {.a = {.create = true, .run = new_run(a, 5, 1)},
                         .b = {.create = true, .run = new_run(a, 5, 2)}};
    write_now(log_job, &l.a);
    write_now(log_job, &l.b);
    for (l.to = 3000; l.to <= 15000; l.from = l.to, l.to += 3000) write_now(long_job, &l);
    store_tx *tx;
    ok(store_read_begin(s, STORE_MLFLOW, 0, &tx));
    struct mlflow_history q = {
        .key = STR("m"), .min_step = INT64_MIN, .max_step = INT64_MAX, .limit = 20000};
    struct mlflow_points h;
    ok(mlflow_metrics_history(tx, a, l.b.run.rid, &q, &h));
    assert_int_equal(h.n, 5000);
    for (size_t i = 0; i < h.n; i++) assert_int_equal(h.p[i].step, 3 * i);
    ok(mlflow_metrics_history(tx, a, l.a.run.rid, &q, &h));
    assert_int_equal(h.n, 10000);
    assert_int_equal(h.p[9999].step, 14999);
    store_read_end(tx);
    arena_free(a);
}

static void test_scope(void **state) {
    (void)state;
    arena *a = arena_new();
    struct logging l = {.create = true, .run = new_run(a, 5, 1)};
    l.n = 0;
    write_now(log_job, &l);
    store_tx *tx;
    struct mlflow_run run;
    bool found;
    ok(store_read_begin(s, STORE_MLFLOW, 0, &tx));
    ok(mlflow_run_get(tx, WS, a, l.run.run_id, &run, &found));
    assert_true(found);
    ok(mlflow_run_get(tx, OTHER, a, l.run.run_id, &run, &found));
    assert_false(found);
    store_read_end(tx);
    arena_free(a);
}

/* ---- a workspace that goes ---- */

static err *drop_fill(store_tx *tx, void *arg) {
    struct mlflow_run *r = arg; /* 701 of one workspace, then one of another */
    for (int i = 0; i < 702; i++) TRY(mlflow_run_insert(tx, i < 701 ? WS : OTHER, &r[i]));
    struct mlflow_point p = point("m", 1.5, 1, 1);
    TRY(mlflow_metrics_log(tx, &r[0], &p, 1));
    return mlflow_metrics_log(tx, &r[701], &p, 1);
}

struct dropping {
    bool more;
    int calls;
};

static err *drop_job(store_tx *tx, void *arg) {
    struct dropping *d = arg;
    d->calls++;
    return mlflow_drop_workspace(tx, WS.workspace, &d->more);
}

static void test_drop(void **state) {
    (void)state;
    arena *a = arena_new();
    struct mlflow_run *r = arena_array_of(a, struct mlflow_run, 702), got;
    for (int i = 0; i < 702; i++) r[i] = new_run(a, 5, i);
    write_now(drop_fill, r);
    struct dropping d = {.more = true};
    while (d.more) write_now(drop_job, &d);
    assert_true(d.calls > 1);
    store_tx *tx;
    bool found;
    struct mlflow_points history;
    ok(store_read_begin(s, STORE_MLFLOW, 0, &tx));
    for (int i = 0; i < 701; i += 100) {
        ok(mlflow_run_get(tx, WS, a, r[i].run_id, &got, &found));
        assert_false(found);
    }
    ok(mlflow_metrics_latest(tx, a, r[0].rid, &history));
    assert_int_equal(history.n, 0);
    ok(mlflow_run_get(tx, OTHER, a, r[701].run_id, &got, &found));
    assert_true(found);
    assert_true(latest_of(tx, a, r[701].rid, "m") == 1.5);
    store_read_end(tx);
    arena_free(a);
}

/* ---- search against a naive one ---- */

#define RUNS 400

struct known {
    struct mlflow_run run;
    double m, n; /* n: NAN means absent, m: may be NaN */
    bool has_m;
    char p[8], tag[96]; /* tag "": absent */
};

/* Longer than what the indexes on values hold. */
#define LONG "t1 the same sixty-four characters and more, so that an index cannot tell, "
static struct known known[RUNS];

struct filling {
    arena *a;
    int from, to;
    unsigned seed;
};

static err *fill_job(store_tx *tx, void *arg) {
    struct filling *f = arg;
    for (int i = f->from; i < f->to; i++) {
        struct known *k = &known[i];
        str old;
        k->run = new_run(f->a, 7 + i % 2, 1000 + rand_r(&f->seed) % 50);
        TRY(mlflow_run_insert(tx, WS, &k->run));
        snprintf(k->p, sizeof(k->p), "p%d", rand_r(&f->seed) % 5);
        int tag = rand_r(&f->seed) % 40;
        if (tag % 9) snprintf(k->tag, sizeof(k->tag), tag % 2 ? "t%d" : LONG "%d", tag);
        TRY(mlflow_run_put_param(tx, f->a, &k->run, STR("p"), str_of(k->p), &old));
        if (k->tag[0]) TRY(mlflow_run_put_tag(tx, &k->run, STR("t"), str_of(k->tag)));
        struct mlflow_point points[3];
        size_t n = 0;
        k->has_m = rand_r(&f->seed) % 10 != 0;
        k->m = rand_r(&f->seed) % 20 == 0 ? NAN : rand_r(&f->seed) % 30;
        if (k->has_m) {
            points[n++] = point("m", -5, 1, 0);
            points[n++] = point("m", k->m, 2, 1);
        }
        points[n++] = point("z", i, 1, 1);
        TRY(mlflow_metrics_log(tx, &k->run, points, n));
        if (rand_r(&f->seed) % 2) { /* settled */
            k->run.status = RUN_FINISHED;
            TRY(mlflow_run_set(tx, &k->run));
        }
        if (rand_r(&f->seed) % 7 == 0) { /* settled, then hot again */
            struct mlflow_point again = point("m", k->m = 31, 3, 2);
            k->has_m = true;
            TRY(mlflow_metrics_log(tx, &k->run, &again, 1));
        }
        if (rand_r(&f->seed) % 11 == 0) k->run.deleted_time = 5;
        TRY(mlflow_run_set(tx, &k->run));
    }
    return NULL;
}

static bool naive_holds(const struct known *k, const struct mlq_clause *c) {
    switch (c->entity) {
    case MLQ_METRIC:
        if (str_eqz(c->key, "m")) return k->has_m && mlq_match_number(c, k->m);
        return mlq_match_number(c, (double)(k - known));
    case MLQ_PARAM:
        return mlq_match_text(c, str_eqz(c->key, "p") ? str_of(k->p) : STR_NONE);
    case MLQ_TAG:
        return mlq_match_text(c, str_eqz(c->key, "t") && k->tag[0] ? str_of(k->tag) : STR_NONE);
    default:
        return mlq_match_number(c, (double)k->run.start_time);
    }
}

static int rank(const struct known *k) { return !k->has_m ? 2 : isnan(k->m) ? 1 : 0; }

static const struct mlq *sort_by;

static int naive_order(const void *x, const void *y) {
    const struct known *p = &known[*(const int *)x], *q = &known[*(const int *)y];
    for (size_t i = 0; i < sort_by->n_orders; i++) {
        const struct mlq_order *o = &sort_by->orders[i];
        int c;
        if (o->entity == MLQ_METRIC) {
            if (rank(p) || rank(q)) {
                if (rank(p) != rank(q)) return rank(p) - rank(q);
                continue;
            }
            c = (p->m > q->m) - (p->m < q->m);
        } else if (o->entity == MLQ_TAG) {
            if (!p->tag[0] || !q->tag[0]) {
                if (!p->tag[0] != !q->tag[0]) return p->tag[0] ? -1 : 1;
                continue;
            }
            c = strcmp(p->tag, q->tag);
        } else if (o->entity == MLQ_PARAM) {
            c = strcmp(p->p, q->p);
        } else {
            c = (p->run.start_time > q->run.start_time) - (p->run.start_time < q->run.start_time);
        }
        if (c) return o->descending ? -c : c;
    }
    if (p->run.start_time != q->run.start_time)
        return p->run.start_time > q->run.start_time ? -1 : 1;
    return str_cmp(p->run.run_id, q->run.run_id);
}

static void compare(store_tx *tx, const struct mlq *q, enum mlflow_view view, size_t limit) {
    arena *a = arena_new();
    struct mlflow_where where[] = {{7, false, STR("u:7")}, {8, false, STR("u:8")}};
    int want[RUNS], n = 0, at = 0;
    for (int i = 0; i < RUNS; i++) {
        bool keep =
            view == MLFLOW_ALL || (known[i].run.deleted_time != 0) == (view == MLFLOW_DELETED);
        for (size_t c = 0; keep && c < q->n_clauses; c++)
            keep = naive_holds(&known[i], &q->clauses[c]);
        if (keep) want[n++] = i;
    }
    sort_by = q;
    qsort(want, (size_t)n, sizeof(int), naive_order);
    struct mlflow_search search = {
        .scope = WS, .where = where, .n_where = 2, .view = view, .q = q, .limit = limit};
    struct mlflow_found found;
    do {
        ok(mlflow_search_runs(tx, a, &search, &found));
        for (size_t i = 0; i < found.n; i++, at++) {
            if (at >= n) fail_msg("more rows than the naive search finds");
            assert_int_equal(found.ids[i], known[want[at]].run.rid);
        }
        search.after = found.next;
    } while (found.next.n);
    assert_int_equal(at, n);
    search.scope = OTHER;
    search.after = STR("");
    ok(mlflow_search_runs(tx, a, &search, &found));
    assert_int_equal(found.n, 0);
    arena_free(a);
}

static struct mlq_clause number_clause(enum mlq_entity entity, const char *key, enum mlq_op op,
                                       double n) {
    return (struct mlq_clause){.entity = entity,
                               .attribute = MLQ_START,
                               .op = op,
                               .numeric = true,
                               .key = str_of(key),
                               .number = n};
}
static struct mlq_clause text_clause(enum mlq_entity entity, const char *key, enum mlq_op op,
                                     const char *t) {
    return (struct mlq_clause){.entity = entity, .op = op, .key = str_of(key), .text = str_of(t)};
}

static void test_search(void **state) {
    (void)state;
    arena *a = arena_new();
    struct filling f = {a, 0, RUNS, 42};
    write_now(fill_job, &f);
    struct mlq_clause clauses[] = {number_clause(MLQ_METRIC, "m", MLQ_GT, 20),
                                   number_clause(MLQ_METRIC, "m", MLQ_EQ, 31),
                                   number_clause(MLQ_METRIC, "m", MLQ_NE, 3),
                                   number_clause(MLQ_METRIC, "m", MLQ_LE, 2),
                                   number_clause(MLQ_METRIC, "z", MLQ_LT, 100),
                                   text_clause(MLQ_PARAM, "p", MLQ_EQ, "p1"),
                                   text_clause(MLQ_PARAM, "p", MLQ_NE, "p1"),
                                   text_clause(MLQ_TAG, "t", MLQ_EQ, "t3"),
                                   text_clause(MLQ_TAG, "t", MLQ_LIKE, "t1%"),
                                   text_clause(MLQ_TAG, "none", MLQ_IS_NULL, ""),
                                   number_clause(MLQ_ATTRIBUTE, "", MLQ_GE, 1030)};
    struct mlq_order orders[] = {
        {.entity = MLQ_METRIC, .key = STR("m"), .descending = true},
        {.entity = MLQ_METRIC, .key = STR("m")},
        {.entity = MLQ_ATTRIBUTE, .attribute = MLQ_START},
        {.entity = MLQ_ATTRIBUTE, .attribute = MLQ_START, .descending = true},
        {.entity = MLQ_TAG, .key = STR("t")},
        {.entity = MLQ_TAG, .key = STR("t"), .descending = true},
        {.entity = MLQ_PARAM, .key = STR("p"), .descending = true}};
    store_tx *tx;
    ok(store_read_begin(s, STORE_MLFLOW, 0, &tx));
    size_t n_clauses = ARRAY_LEN(clauses), n_orders = ARRAY_LEN(orders);
    unsigned seed = 7;
    for (int round = 0; round < 150; round++) {
        struct mlq_clause cs[3];
        struct mlq_order os[2];
        struct mlq q = {cs, (size_t)rand_r(&seed) % 3, os, (size_t)rand_r(&seed) % 3};
        for (size_t i = 0; i < q.n_clauses; i++) cs[i] = clauses[(size_t)rand_r(&seed) % n_clauses];
        for (size_t i = 0; i < q.n_orders; i++) os[i] = orders[(size_t)rand_r(&seed) % n_orders];
        compare(tx, &q, (enum mlflow_view)(rand_r(&seed) % 3), round % 2 ? 500 : 23);
    }
    store_read_end(tx);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_latest_and_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
