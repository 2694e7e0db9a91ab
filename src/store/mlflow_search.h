/* SPDX-License-Identifier: Apache-2.0 */
/* Searches over runs, logged models and traces. */
#ifndef BH_STORE_MLFLOW_SEARCH_H
#define BH_STORE_MLFLOW_SEARCH_H

#include "store/mlflow_query.h"
#include "store/store.h"

/* Together a search may work for so long: DEADLINE_EXCEEDED. */
#define MLFLOW_SEARCH_LIMIT_US (30 * 1000000ll)

enum mlflow_view { MLFLOW_ACTIVE, MLFLOW_DELETED, MLFLOW_ALL };

/* An experiment in which is searched; the caller may read it. */
struct mlflow_where {
    int64_t experiment;
    bool deleted; /* everything in it counts as deleted */
    str uri;      /* of its artifacts, for artifact_uri */
};

struct mlflow_dataset_name {
    str name, digest; /* digest empty: any */
};

struct mlflow_search {
    struct store_scope scope;
    const struct mlflow_where *where;
    size_t n_where;
    enum mlflow_view view;
    const struct mlq *q;
    size_t limit;
    str after; /* page key of the page before, or empty */
    /* Logged models: metrics on these data sets only. */
    const struct mlflow_dataset_name *datasets;
    size_t n_datasets;
};

struct mlflow_found {
    int64_t *ids; /* rid, mid or tid, in order */
    size_t n;
    str next; /* page key, empty at the end */
};

err *mlflow_search_runs(store_tx *tx, arena *a, const struct mlflow_search *s,
                        struct mlflow_found *ret) BH_CHECK;
err *mlflow_search_models(store_tx *tx, arena *a, const struct mlflow_search *s,
                          struct mlflow_found *ret) BH_CHECK;
err *mlflow_search_traces(store_tx *tx, arena *a, const struct mlflow_search *s,
                          struct mlflow_found *ret) BH_CHECK;

#endif
