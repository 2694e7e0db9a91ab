/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scoring rows with a checked plan. Pure computation: no I/O, no locks; a plan may be used by any
 * number of threads at once, each with its own scratch.
 */
#ifndef BH_PLAN_SCORER_H
#define BH_PLAN_SCORER_H

#include "base/err.h"
#include "plan/plan.h"

/* Outputs of one call (rows × values); more is refused with RESOURCE_EXHAUSTED. */
#define PLAN_MAX_CELLS ((size_t)1 << 26)

struct plan_scratch;
/* Working memory of one thread; grows to what the largest plan needs. Never NULL. */
struct plan_scratch *plan_scratch_new(void);
void plan_scratch_free(struct plan_scratch *s); /* NULL is fine */

/* Rows to score. `num` is n × plan_num_width() doubles, row by row; NaN is missing. `text` is n ×
 * plan_text_width() slices; p == NULL is missing. Either may be NULL if its width is 0. */
struct plan_batch {
    size_t n;
    const double *num;
    const str *text;
};

/* Predictions: n rows of k values, or n labels (then `labels` holds indexes for plan_label_at()).
 * Owned by the scratch, valid until its next use. */
struct plan_output {
    const struct plan *plan;
    size_t n, k;
    bool two_d;             /* a row is an array, even of one value */
    const double *values;   /* NULL if these are labels */
    const uint32_t *labels; /* NULL if these are values */
};

/* Error: INVALID_PARAMETER_VALUE for a row that the model's own library refuses (NaN, infinity, an
 * unknown category); the message names row and reason. */
err *plan_predict(const struct plan *p, struct plan_scratch *s, const struct plan_batch *in,
                  struct plan_output *out) BH_CHECK;

/* Appends the predictions as MLflow's scoring server writes them (Python's json module: ", " between
 * elements, shortest form of doubles, NaN and Infinity as words, ASCII only). float32 results are
 * widened first, as numpy does. */
void plan_write_predictions(const struct plan_output *out, buf *to);
/* One double as Python prints it. */
void plan_write_f64(double x, buf *to);

#endif
