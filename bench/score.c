/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long scoring takes: one row at a time and in batches (p50 over many calls), for ensembles made here
 * from random numbers, so that the figures need no model file. Goals (reference/serving.md §13): 1.5 µs
 * for one row of 100 trees of depth 6, 600,000 rows/s per core in batches.
 *
 *   score [TREES DEPTH FEATURES]     default: 100 6 10 and 500 6 10
 *   score FILE.plan                  a plan written by tests/harness/score_file
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "plan/import.h"
#include "plan/scorer.h"

#define SINGLE_CALLS 200000
#define BATCH_SECONDS 1.0
#define BATCH_SAMPLES 100000

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t seed = 88172645463325252u;
static double uniform(void) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

/* A complete tree of the depth, as XGBoost's JSON has it. */
static void put_tree(buf *b, unsigned depth, unsigned features) {
    unsigned splits = (1u << depth) - 1, n = 2 * splits + 1;
    static const char *const keys[] = {"left_children", "right_children", "split_indices", "default_left",
                                       "split_conditions"};
    buf_z(b, "{\"tree_param\":{\"size_leaf_vector\":\"1\"}");
    for (unsigned k = 0; k < 5; k++) {
        buf_fmt(b, ",\"%s\":[", keys[k]);
        for (unsigned i = 0; i < n; i++) {
            bool leaf = i >= splits;
            if (i) buf_c(b, ',');
            if (k < 2)
                buf_fmt(b, "%d", leaf ? -1 : (int)(2 * i + 1 + k));
            else if (k == 4)
                buf_fmt(b, "%.9g", uniform() * 2 - 1);
            else
                buf_fmt(b, "%u", leaf ? 0 : (unsigned)(uniform() * (k == 2 ? features : 2)));
        }
        buf_c(b, ']');
    }
    buf_c(b, '}');
}

static void make_plan(unsigned trees, unsigned depth, unsigned features, buf *plan) {
    buf b = {0};
    buf_fmt(&b,
            "{\"learner\":{\"learner_model_param\":{\"base_score\":\"[5E-1]\",\"num_class\":\"0\","
            "\"num_feature\":\"%u\",\"num_target\":\"1\"},\"objective\":{\"name\":\"binary:logistic\"},"
            "\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"tree_info\":[",
            features);
    for (unsigned i = 0; i < trees; i++) buf_z(&b, i ? ",0" : "0");
    buf_z(&b, "],\"trees\":[");
    for (unsigned i = 0; i < trees; i++) {
        if (i) buf_c(&b, ',');
        put_tree(&b, depth, features);
    }
    buf_z(&b, "]}}},\"version\":[3,2,0]}");
    arena *a = arena_new();
    struct import_meta meta = IMPORT_META_NONE;
    meta.wrapper = STR("XGBRegressor");
    err *e = import_xgboost_json(a, buf_view(&b), &meta, plan);
    if (e) {
        fprintf(stderr, "score: %s\n", err_msg(e));
        exit(1);
    }
    arena_free(a);
    buf_free(&b);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void single(const struct plan *p, struct plan_scratch *s, const double *rows, size_t n) {
    static double took[SINGLE_CALLS];
    double check = 0;
    for (size_t i = 0; i < SINGLE_CALLS; i++) {
        struct plan_batch in = {.n = 1, .num = rows + (i % n) * plan_num_width(p)};
        struct plan_output out;
        double start = now();
        err *e = plan_predict(p, s, &in, &out);
        took[i] = now() - start;
        if (e) exit(1);
        if (out.values) check += out.values[0];
    }
    double clock[1000];
    for (size_t i = 0; i < 1000; i++) {
        double start = now();
        clock[i] = now() - start;
    }
    qsort(took, SINGLE_CALLS, sizeof(double), by_size);
    qsort(clock, 1000, sizeof(double), by_size);
    printf("  one row      p50 %.3f us  p99 %.3f us  (clock read %.3f us, taken off; sum %g)\n",
           (took[SINGLE_CALLS / 2] - clock[500]) * 1e6, (took[SINGLE_CALLS / 100 * 99] - clock[500]) * 1e6,
           clock[500] * 1e6, check);
}

static void batch(const struct plan *p, struct plan_scratch *s, const double *rows, size_t n, size_t size) {
    static double took[BATCH_SAMPLES];
    size_t samples = 0;
    /* The median of many: other programs on the machine lengthen some of them. */
    for (double end = now() + BATCH_SECONDS; samples < BATCH_SAMPLES && now() < end; samples++) {
        size_t from = samples * size % (n - size + 1);
        struct plan_batch in = {.n = size, .num = rows + from * plan_num_width(p)};
        struct plan_output out;
        double start = now();
        err *e = plan_predict(p, s, &in, &out);
        took[samples] = now() - start;
        if (e) exit(1);
    }
    qsort(took, samples, sizeof(double), by_size);
    double median = took[samples / 2];
    buf text = {0};
    struct plan_batch in = {.n = size, .num = rows};
    struct plan_output out;
    if (plan_predict(p, s, &in, &out)) exit(1);
    double write = now();
    for (int i = 0; i < 200; i++) buf_clear(&text), plan_write_predictions(&out, &text);
    write = (now() - write) / 200;
    printf("  %4zu rows    %.0f rows/s, %.3f us a row; JSON %.0f ns a row\n", size,
           (double)size / median, median / (double)size * 1e6, write / (double)size * 1e9);
    buf_free(&text);
}

static void measure(str block) {
    const struct plan *p;
    double start = now();
    err *e = plan_check(block, &p);
    double check = now() - start;
    if (e) {
        fprintf(stderr, "score: %s\n", err_msg(e));
        exit(1);
    }
    struct plan_facts facts;
    plan_describe(p, &facts);
    printf("%s: %zu trees, %zu nodes, %zu bytes, check %.1f us\n", facts.model, facts.trees, facts.nodes,
           facts.bytes, check * 1e6);
    size_t n = 4000, width = plan_num_width(p);
    double *rows = malloc(n * width * sizeof(double));
    for (size_t i = 0; i < n * width; i++) rows[i] = uniform() * 2 - 1;
    struct plan_scratch *s = plan_scratch_new();
    single(p, s, rows, n);
    batch(p, s, rows, n, 100);
    batch(p, s, rows, n, 1000);
    plan_scratch_free(s);
    free(rows);
}

int main(int argc, char **argv) {
    if (argc == 2) {
        FILE *f = fopen(argv[1], "rb");
        if (!f) return 1;
        fseek(f, 0, SEEK_END);
        size_t n = (size_t)ftell(f);
        rewind(f);
        char *p = aligned_alloc(64, (n + 63) / 64 * 64);
        if (!p || fread(p, 1, n, f) != n) return 1;
        fclose(f);
        measure(str_n(p, n));
        free(p);
        return 0;
    }
    unsigned shapes[2][3] = {{100, 6, 10}, {500, 6, 10}};
    size_t count = 2;
    if (argc == 4) {
        for (int i = 0; i < 3; i++) shapes[0][i] = (unsigned)strtoul(argv[i + 1], NULL, 10);
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        buf plan = {0};
        make_plan(shapes[i][0], shapes[i][1], shapes[i][2], &plan);
        measure(buf_view(&plan));
        buf_free(&plan);
    }
    return 0;
}
