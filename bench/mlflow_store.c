/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mlflow.db without HTTP: log calls of ten metrics from a queue that is kept full, and searches
 * over many runs. Prints rates and times; asserts nothing.
 *
 *   mlflow_store [runs (100000)] [log calls (40000)]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/mlflow_runs.h"
#include "store/mlflow_search.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/rand.h"

#define WRITERS 64
#define FILL 2000

static const struct store_scope WS = {1, 10};
static store *s;
static _Atomic int64_t done_calls;
static int64_t calls;

static void stop(err *e) {
    if (!e) return;
    fprintf(stderr, "%s\n", err_msg(e));
    exit(1);
}

struct writer {
    struct mlflow_run run;
    struct mlflow_point p[10];
    char id[33], keys[10][16];
    int64_t step;
};

static err *create_job(store_tx *tx, void *arg) {
    struct writer *w = arg;
    return mlflow_run_insert(tx, WS, &w->run);
}

static err *log_job(store_tx *tx, void *arg) {
    struct writer *w = arg;
    w->step++;
    for (int i = 0; i < 10; i++) w->p[i].step = w->p[i].timestamp = w->step;
    return mlflow_metrics_log(tx, &w->run, w->p, 10);
}

static void log_done(void *arg, err *e, int64_t seq) {
    (void)seq;
    stop(e);
    if (atomic_fetch_add(&done_calls, 1) + WRITERS >= calls) return;
    struct store_write next = {.job = log_job, .done = log_done, .arg = arg, .no_journal = true};
    stop(store_write_async(s, STORE_MLFLOW, &next));
}

static void make_run(struct writer *w, int64_t experiment, int64_t start) {
    rand_hex(w->id, 16);
    w->run = (struct mlflow_run){.experiment = experiment,
                                 .run_id = str_of(w->id),
                                 .name = STR("bench"),
                                 .user_id = STR("u"),
                                 .status = RUN_RUNNING,
                                 .start_time = start};
    for (int i = 0; i < 10; i++) {
        snprintf(w->keys[i], sizeof(w->keys[i]), "m%d", i);
        w->p[i] = (struct mlflow_point){str_of(w->keys[i]), i, 0, 0};
    }
}

static void bench_log(void) {
    static struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        make_run(&writers[i], 1, i);
        stop(store_write_sync(s, STORE_MLFLOW, create_job, &writers[i], NULL));
    }
    int64_t t = clock_ticks();
    for (int i = 0; i < WRITERS; i++) {
        struct store_write w = {
            .job = log_job, .done = log_done, .arg = &writers[i], .no_journal = true};
        stop(store_write_async(s, STORE_MLFLOW, &w));
    }
    while (atomic_load(&done_calls) < calls) usleep(1000);
    double seconds = (double)(clock_ticks() - t) / 1e9;
    printf("log calls of 10 metrics, %d at once: %.0f/s (durable)\n", WRITERS,
           (double)calls / seconds);
}

struct filling {
    int64_t from, to;
};

static err *fill_job(store_tx *tx, void *arg) {
    struct filling *f = arg;
    arena *a = arena_new();
    err *e = NULL;
    for (int64_t i = f->from; !e && i < f->to; i++) {
        struct writer w;
        str old;
        char p[24];
        make_run(&w, 2, i);
        for (int k = 0; k < 10; k++) w.p[k].value = (double)(rand_u64() % 1000000) / 1e6;
        snprintf(p, sizeof(p), "%lld", (long long)(i % 1000));
        e = mlflow_run_insert(tx, WS, &w.run);
        if (!e) e = mlflow_run_put_param(tx, a, &w.run, STR("seed"), str_of(p), &old);
        if (!e) e = mlflow_run_put_tag(tx, &w.run, STR("team"), i % 10 ? STR("a") : STR("b"));
        if (!e) e = mlflow_metrics_log(tx, &w.run, w.p, 10);
        w.run.status = RUN_FINISHED;
        if (!e) e = mlflow_run_set(tx, &w.run);
    }
    arena_free(a);
    return e;
}

static void search(const char *what, struct mlq_clause *c, size_t n_c, struct mlq_order *o,
                   size_t n_o) {
    struct mlflow_where where = {2, false, STR("u")};
    struct mlq q = {c, n_c, o, n_o};
    struct mlflow_search m = {
        .scope = WS, .where = &where, .n_where = 1, .q = &q, .limit = 100, .after = STR("")};
    int64_t best = INT64_MAX;
    size_t n = 0;
    for (int i = 0; i < 5; i++) {
        arena *a = arena_new();
        store_tx *tx;
        struct mlflow_found found;
        int64_t t = clock_ticks();
        stop(store_read_begin(s, STORE_MLFLOW, 0, &tx));
        stop(mlflow_search_runs(tx, a, &m, &found));
        store_read_end(tx);
        t = clock_ticks() - t;
        best = t < best ? t : best;
        n = found.n;
        arena_free(a);
    }
    printf("%-46s %8.2f ms, %zu rows\n", what, (double)best / 1e6, n);
}

static void bench_search(int64_t runs) {
    int64_t t = clock_ticks();
    for (int64_t i = 0; i < runs; i += FILL) {
        struct filling f = {i, i + FILL < runs ? i + FILL : runs};
        stop(store_write_sync(s, STORE_MLFLOW, fill_job, &f, NULL));
    }
    printf("%lld runs made in %.1f s\n", (long long)runs, (double)(clock_ticks() - t) / 1e9);
    struct mlq_clause high = {
        .entity = MLQ_METRIC, .op = MLQ_GT, .numeric = true, .key = STR("m3"), .number = 0.999};
    struct mlq_clause half = {
        .entity = MLQ_METRIC, .op = MLQ_GT, .numeric = true, .key = STR("m3"), .number = 0.5};
    struct mlq_clause seed = {
        .entity = MLQ_PARAM, .op = MLQ_EQ, .key = STR("seed"), .text = STR("77")};
    struct mlq_clause team = {
        .entity = MLQ_TAG, .op = MLQ_EQ, .key = STR("team"), .text = STR("b")};
    struct mlq_clause none = {
        .entity = MLQ_PARAM, .op = MLQ_LIKE, .key = STR("seed"), .text = STR("%x%")};
    struct mlq_order best = {.entity = MLQ_METRIC, .key = STR("m3"), .descending = true};
    struct mlq_clause both[] = {half, seed};
    search("newest", NULL, 0, NULL, 0);
    search("metrics.m3 > 0.999", &high, 1, NULL, 0);
    search("metrics.m3 > 0.5", &half, 1, NULL, 0);
    search("params.seed = '77'", &seed, 1, NULL, 0);
    search("metrics.m3 > 0.5 and params.seed = '77'", both, 2, NULL, 0);
    search("tags.team = 'b'", &team, 1, NULL, 0);
    search("order by metrics.m3 DESC", NULL, 0, &best, 1);
    search("tags.team = 'b' order by metrics.m3 DESC", &team, 1, &best, 1);
    search("params.seed LIKE '%x%' (nothing; reads all)", &none, 1, NULL, 0);
}

int main(int argc, char **argv) {
    char dir[] = "bench-mlflow-XXXXXX";
    int64_t runs = 100000;
    calls = 40000;
    if (argc > 1 && !str_to_i64(str_of(argv[1]), &runs)) return 2;
    if (argc > 2 && !str_to_i64(str_of(argv[2]), &calls)) return 2;
    if (!mkdtemp(dir)) return 1;
    struct store_options o = {.dir = dir, .master_key = STR("0123456789abcdef0123456789abcdef")};
    stop(store_open(&o, &s));
    bench_log();
    bench_search(runs);
    store_close(s);
    stop(files_remove_tree(dir, 1u << 20));
    return 0;
}
