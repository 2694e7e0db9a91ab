/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model plans, for whoever scores: check a mapped block once, then ask what it takes.
 * The layout is told in format.h; scoring is in scorer.h; making a plan in import.h.
 */
#ifndef BH_PLAN_PLAN_H
#define BH_PLAN_PLAN_H

#include "base/err.h"
#include "plan/format.h"

/* Verifies every index, offset and count of the block. On success *ret points into `bytes`, which must
 * stay mapped and unchanged (a sealed memfd) for as long as it is used. `bytes` must start at a
 * multiple of 16. Error: DATA_LOSS, with what is wrong. */
err *plan_check(str bytes, const struct plan **ret) BH_CHECK;

/* Input columns in the order of the signature. */
size_t plan_inputs(const struct plan *p);
str plan_input_name(const struct plan *p, size_t i); /* empty: the column has no name */
enum plan_kind plan_input_kind(const struct plan *p, size_t i);
bool plan_input_required(const struct plan *p, size_t i);
/* Where the column's cells lie: in the text matrix if its kind is PLAN_STRING, else in the numeric one. */
size_t plan_input_slot(const struct plan *p, size_t i);
/* Columns of the numeric and of the text matrix. */
static inline size_t plan_num_width(const struct plan *p) { return p->n_num; }
static inline size_t plan_text_width(const struct plan *p) { return p->n_text; }
/* Index of the column with this name, or -1. Linear: callers that parse many rows keep a map. */
ptrdiff_t plan_input_find(const struct plan *p, str name);

/* Sizes for a listing or a metric. */
struct plan_facts {
    const char *model;  /* "trees, 8-byte nodes", … */
    size_t bytes, trees, nodes, features, outputs, ops;
    uint64_t steps; /* rough cost of one row: comparisons, multiplications, registers */
};
void plan_describe(const struct plan *p, struct plan_facts *ret);

/* "double", "long", … as MLflow signatures name them. */
const char *plan_kind_name(enum plan_kind k);
bool plan_kind_by_name(str name, enum plan_kind *ret);

#endif
