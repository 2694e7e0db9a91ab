/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_predict(): takes the rows block by block through the stages of format.h. The stages are in
 * features.c, walk.c and output.c; the linear model is small enough to live here.
 */
#include <stdlib.h>

#include "plan/scorer_int.h"

#define SCRATCH_MAGIC 0x50534352u
/* Registers and walk columns of one block stay within this; wide plans get fewer rows to a block. */
#define BLOCK_BYTES ((size_t)4 << 20)

struct plan_scratch *plan_scratch_new(void) {
    struct plan_scratch *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->magic = SCRATCH_MAGIC;
    return s;
}

void plan_scratch_free(struct plan_scratch *s) {
    if (!s) return;
    must_magic(s, SCRATCH_MAGIC);
    s->magic = 0;
    free(s->regs);
    free(s->texts);
    free(s->walk);
    free(s->sums);
    free(s->values);
    free(s->labels);
    free(s);
}

/* Room for n × m elements of `size` bytes; the old contents are not kept. False when memory is short. */
static bool room(void **p, size_t *cap, size_t n, size_t m, size_t size) {
    size_t want;
    if (__builtin_mul_overflow(n, m, &want) || __builtin_mul_overflow(want, size, &want)) return false;
    if (want <= *cap && *p) return true;
    want = (want + 4096) & ~(size_t)4095;
    void *q = aligned_alloc(64, want);
    if (!q) return false;
    free(*p);
    *p = q;
    *cap = want;
    return true;
}

static size_t block_rows(const struct plan *p, size_t n) {
    size_t width = p->n_regs + p->n_text_regs * 2 + plan_count(p, PLAN_S_COLUMNS) + p->n_outputs + 1;
    size_t rows = BLOCK_BYTES / sizeof(double) / width;
    if (rows > BLOCK_ROWS) rows = BLOCK_ROWS;
    if (rows == 0) rows = 1;
    return rows < n ? rows : n;
}

static err *prepare(const struct plan *p, struct plan_scratch *s, size_t n, size_t rows, size_t k) {
    bool program = plan_count(p, PLAN_S_OPS) != 0;
    size_t columns = plan_count(p, PLAN_S_COLUMNS) + 1;
    bool ok = room(&s->sums, &s->sums_cap, rows, p->n_outputs, sizeof(double)) &&
              room(&s->values, &s->values_cap, n, k, sizeof(double)) &&
              room(&s->labels, &s->labels_cap, n, 1, sizeof(uint32_t)) &&
              (p->model == PLAN_M_LINEAR ||
               room(&s->walk, &s->walk_cap, rows, columns, sizeof(double))) &&
              (!program || (room(&s->regs, &s->regs_cap, rows, p->n_regs, sizeof(double)) &&
                            room(&s->texts, &s->texts_cap, rows, p->n_text_regs, sizeof(str))));
    if (!ok) return err_new(ERR_RESOURCE_EXHAUSTED, "Not enough memory to score %zu rows.", n);
    return NULL;
}

/* Products in feature order, the intercept last; outputs × features. */
static void linear_block(const struct plan *p, struct plan_scratch *s, const struct block *b) {
    size_t features = plan_count(p, PLAN_S_FEATURES), outputs = p->n_outputs;
    const uint32_t *reg = plan_at(p, PLAN_S_FEATURES);
    const double *coef = plan_at(p, PLAN_S_COEF), *base = plan_at(p, PLAN_S_BASE);
    double *sums = s->sums;
    for (size_t k = 0; k < outputs; k++, coef += features) {
        double acc[BLOCK_ROWS] = {0};
        for (size_t f = 0; f < features; f++) {
            const double *x = b->base + reg[f] * b->reg_step;
            for (size_t r = 0; r < b->n; r++) acc[r] += coef[f] * x[r * b->row_step];
        }
        for (size_t r = 0; r < b->n; r++) sums[r * outputs + k] = acc[r] + base[k];
    }
}

err *plan_predict(const struct plan *p, struct plan_scratch *s, const struct plan_batch *in,
                  struct plan_output *out) {
    must_magic(s, SCRATCH_MAGIC);
    size_t k = output_width(p), outputs = p->n_outputs;
    size_t widest = outputs > k ? outputs : k;
    if (in->n > PLAN_MAX_CELLS / widest)
        return err_new(ERR_RESOURCE_EXHAUSTED, "%zu rows of %zu values are too many for one request.",
                       in->n, k);
    size_t rows = block_rows(p, in->n);
    TRY(prepare(p, s, in->n, rows, k));
    bool labels = p->label_type != PLAN_L_NONE, narrow = p->acc == PLAN_ACC_F32;
    double *values = s->values;
    uint32_t *label = s->labels;
    for (size_t first = 0; first < in->n; first += rows) {
        struct block b = {.first = first, .n = in->n - first < rows ? in->n - first : rows};
        TRY(features_run(p, s, in, rows, &b));
        if (p->check) TRY(features_check(p, &b));
        if (p->model == PLAN_M_LINEAR)
            linear_block(p, s, &b);
        else
            walk_block(p, s, &b);
        for (size_t r = 0; r < b.n; r++) {
            const void *sums = narrow ? (const void *)((float *)s->sums + r * outputs)
                                      : (const void *)((double *)s->sums + r * outputs);
            output_row(p, sums, values + (first + r) * k, label + first + r);
        }
    }
    *out = (struct plan_output){.plan = p,
                                .n = in->n,
                                .k = k,
                                .two_d = !labels && (p->two_d || k > 1),
                                .values = labels ? NULL : values,
                                .labels = labels ? label : NULL};
    return NULL;
}
