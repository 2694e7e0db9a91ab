/* SPDX-License-Identifier: Apache-2.0 */
/* Logged models in mlflow.db. As with runs, whoever calls has checked rights and values. */
#ifndef BH_STORE_MLFLOW_MODELS_H
#define BH_STORE_MLFLOW_MODELS_H

#include "store/mlflow_runs.h"

enum mlflow_model_status { MODEL_PENDING = 1, MODEL_READY, MODEL_FAILED };
enum mlflow_model_kind { MODEL_PARAM = 1, MODEL_TAG };

struct mlflow_model {
    int64_t mid, eid;
    int64_t workspace, experiment;
    str model_id, name, model_type, source_run_id; /* the last two: p NULL or empty if none */
    int status;
    str status_message;
    int64_t created, updated, deleted_time; /* milliseconds */
    int64_t creator;                        /* principal */
};

struct mlflow_model_metric {
    str key, run_id, dataset_name, dataset_digest;
    int64_t timestamp, step;
    double value;
};
struct mlflow_model_metrics {
    struct mlflow_model_metric *p;
    size_t n;
};

/* Fills mid and eid. */
err *mlflow_model_insert(store_tx *tx, struct store_scope scope, struct mlflow_model *m) BH_CHECK;
/* Deleted ones are found too. */
err *mlflow_model_get(store_tx *tx, struct store_scope scope, arena *a, str model_id,
                      struct mlflow_model *ret, bool *found) BH_CHECK;
err *mlflow_model_row(store_tx *tx, arena *a, int64_t mid, struct mlflow_model *ret,
                      bool *found) BH_CHECK;
/* Writes type, status, message, updated, deleted_time. */
err *mlflow_model_set(store_tx *tx, const struct mlflow_model *m) BH_CHECK;
err *mlflow_model_put(store_tx *tx, const struct mlflow_model *m, enum mlflow_model_kind kind,
                      str key, str value) BH_CHECK;
/* The value that stands; p NULL: none. */
err *mlflow_model_item(store_tx *tx, arena *a, int64_t mid, enum mlflow_model_kind kind, str key,
                       str *ret) BH_CHECK;
err *mlflow_model_drop(store_tx *tx, const struct mlflow_model *m, enum mlflow_model_kind kind,
                       str key, bool *found) BH_CHECK;
err *mlflow_model_items(store_tx *tx, arena *a, int64_t mid, enum mlflow_model_kind kind,
                        struct mlflow_pairs *ret) BH_CHECK;
/* The latest value per (key, run, data set) is kept. */
err *mlflow_model_put_metric(store_tx *tx, int64_t mid,
                             const struct mlflow_model_metric *p) BH_CHECK;
err *mlflow_model_metrics(store_tx *tx, arena *a, int64_t mid,
                          struct mlflow_model_metrics *ret) BH_CHECK;

#endif
