/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all searches of mlflow.db share: a candidate is loaded, its clauses are checked, its sort
 * keys are offered to the page. Where candidates come from is the business of each kind.
 */
#ifndef BH_STORE_MLFLOW_SEEK_H
#define BH_STORE_MLFLOW_SEEK_H

#include "store/mlflow_search.h"
#include "store/mlflow_topk.h"
#include "store/sql.h"

struct seeker;

struct seek_ops {
    /* Loads the object; false where it does not count (view, gone). */
    err *(*load)(struct seeker *s, int64_t id, bool *ret_ok);
    /* One value of the loaded object; TOPK_NONE if there is none. `order` in sort keys only. */
    err *(*value)(struct seeker *s, enum mlq_entity entity, enum mlq_attribute attribute, str key,
                  const struct mlq_order *order, struct topk_key *ret);
    /* Entities with several values (data sets, spans, assessments): does any satisfy the clause?
     * *ret_handled false: not such an entity. NULL: there are none. */
    err *(*any)(struct seeker *s, const struct mlq_clause *c, bool *ret_handled, bool *ret_ok);
    const char *id_name;
    /* Considers the candidates in the experiment s->where, s->eid. */
    err *(*in_experiment)(struct seeker *s);
};

struct seeker {
    store_tx *tx;
    const struct mlflow_search *search;
    const struct seek_ops *ops;
    const struct mlflow_where *where; /* the experiment at hand */
    int64_t eid;
    arena *scratch; /* of the candidate at hand */
    struct topk top;
    struct topk_key keys[TOPK_MAX_KEYS]; /* of the last candidate that matched */
    bool matched;
    int64_t deadline;
    unsigned count;
    void *object; /* the kind's own */
};

/* s->matched says whether it was offered. */
err *seek_consider(struct seeker *s, int64_t id) BH_CHECK;
/* Loads, checks and makes keys, without offering. */
err *seek_check(struct seeker *s, int64_t id) BH_CHECK;
/* All ids that the query gives in column 0; closes it. stop: ends when no later row can be kept,
 * going by the first key of those that matched. */
err *seek_all(struct seeker *s, sql *q, bool stop) BH_CHECK;
/* Is MLQ_START, newest first, the first sort key? *ret_from: later ones cannot be on this page, in milliseconds. */
bool seek_newest(const struct seeker *s, double *ret_from);
/* A whole search, experiment by experiment. Sort keys: q->orders, then MLQ_START descending, then MLQ_ID ascending. */
err *seek_search(store_tx *tx, arena *a, const struct mlflow_search *search, const struct seek_ops *ops, void *object,
                 struct mlflow_found *ret) BH_CHECK;

#endif
