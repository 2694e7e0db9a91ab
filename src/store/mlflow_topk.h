/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first `limit` of many rows in an order of several keys, seen in any sequence: a heap with the
 * last one kept on top. Paging goes by key: a page continues after the last row of the page before,
 * whatever was added or removed meanwhile.
 */
#ifndef BH_STORE_MLFLOW_TOPK_H
#define BH_STORE_MLFLOW_TOPK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define TOPK_MAX_KEYS 20

/* Absent values come last and NaN before them, in both directions. */
struct topk_key {
    enum { TOPK_NONE, TOPK_NUMBER, TOPK_TEXT } kind;
    double number;
    str text;
};

struct topk_item {
    int64_t id;
    struct topk_key *keys;
};

struct topk {
    size_t n_keys, limit;
    bool descending[TOPK_MAX_KEYS];
    struct topk_key after[TOPK_MAX_KEYS]; /* of the page before */
    bool after_set;
    struct topk_item *items; /* heap, then (after topk_finish) in order */
    size_t n, cap;
    bool more; /* something was left out at the end */
};

/* limit ≥ 1; the heap keeps one more to know whether there is a next page. */
void topk_init(struct topk *t, size_t limit);
void topk_free(struct topk *t);
/* Adds one order; all before the first offer. */
void topk_order(struct topk *t, bool descending);
/* Keys are copied if the row is kept. */
void topk_offer(struct topk *t, int64_t id, const struct topk_key *keys);
/* True if no row whose first key is `first` (or comes later) can be kept any more. */
bool topk_done(const struct topk *t, const struct topk_key *first);
/* Sorts; drops the extra one and sets `more`. */
void topk_finish(struct topk *t);
/* The last row's keys as bytes for a page token, and back. */
str topk_token(const struct topk *t, arena *a);
err *topk_after(struct topk *t, arena *a, str token) BH_CHECK;
/* <0, 0, >0 in the order of t. */
int topk_compare(const struct topk *t, const struct topk_key *x, const struct topk_key *y);

#endif
