/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the scorer: blocks of rows, and who reads what from where. */
#ifndef BH_PLAN_SCORER_INT_H
#define BH_PLAN_SCORER_INT_H

#include "plan/scorer.h"

/* Rows that go through all stages together: enough to reuse a tree from the first-level cache, few
 * enough that their features stay there as well. */
#define BLOCK_ROWS 64

/* Features of a block: the value of register g in row r is base[g * reg_step + r * row_step]. So the
 * same readers serve the caller's matrix and the registers of a program. */
struct block {
    size_t first, n; /* rows of the batch */
    const double *base;
    size_t reg_step, row_step;
};

struct plan_scratch {
    uint32_t magic;
    void *regs;   /* f64: register × rows */
    void *texts;  /* str: text register × rows */
    void *walk;   /* f32 or f64: row × (columns + 1) */
    void *sums;   /* f32 or f64: row × outputs */
    void *values; /* f64: n × k */
    void *labels; /* u32: n */
    size_t regs_cap, texts_cap, walk_cap, sums_cap, values_cap, labels_cap;
};

/* Runs the feature program on rows [b->first, +b->n); sets base and steps. `rows` is the row capacity
 * of the register block. */
err *features_run(const struct plan *p, struct plan_scratch *s, const struct plan_batch *in,
                  size_t rows, struct block *b) BH_CHECK;

/* One pass of the row checks over all features. */
err *features_check(const struct plan *p, const struct block *b) BH_CHECK;

/* Sums of the trees for a block, into s->sums: rows × n_outputs of the plan's width, base included. */
void walk_block(const struct plan *p, struct plan_scratch *s, const struct block *b);

/* Transforms row sums into `k` values of out (or a label). */
size_t output_width(const struct plan *p);
void output_row(const struct plan *p, const void *sums, double *values, uint32_t *label);

#endif
