/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments: writing them and searching them. */
#ifndef BH_MLFLOW_EXPERIMENTS_H
#define BH_MLFLOW_EXPERIMENTS_H

#include "mlflow/access.h"
#include "store/mlflow_query.h"

enum experiment_view { VIEW_ACTIVE, VIEW_DELETED, VIEW_ALL };

/* The view of an argument: ACTIVE_ONLY (also when absent), DELETED_ONLY, ALL. */
err *experiment_view_of(struct req *r, const char *name, enum experiment_view *ret) BH_CHECK;

/* Inserts the Default experiment on its first change, else updates. r->tx is a write. */
err *experiment_save(struct req *r, struct ent_experiment *e) BH_CHECK;
/* Sets or (value p NULL) removes a tag in e->tags; *ret_was: there was one. */
err *experiment_put_tag(struct req *r, struct ent_experiment *e, str key, str value,
                        bool *ret_was) BH_CHECK;

struct experiment_page {
    struct ent_experiment *p;
    size_t n;
    str next; /* page key, empty at the end */
};
/* Experiments that the caller may read. after: page key of the page before. */
err *experiment_search(struct req *r, enum experiment_view view, struct mlq *q, size_t limit,
                       str after, struct experiment_page *ret) BH_CHECK;

#endif
