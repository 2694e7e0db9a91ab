/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs in mlflow.db: info, parameters, tags, metrics, inputs and outputs. Whoever calls has checked
 * rights and values; here are rows only. All take a transaction of STORE_MLFLOW. Texts that are
 * read live in the arena given.
 */
#ifndef BH_STORE_MLFLOW_RUNS_H
#define BH_STORE_MLFLOW_RUNS_H

#include "base/arena.h"
#include "store/store.h"

enum mlflow_run_status { RUN_RUNNING = 1, RUN_SCHEDULED, RUN_FINISHED, RUN_FAILED, RUN_KILLED };

struct mlflow_run {
    int64_t rid, eid;
    int64_t workspace, experiment;
    str run_id, name, user_id;
    int status;
    int64_t start_time, end_time; /* milliseconds; end 0: not ended */
    int64_t deleted_time;         /* milliseconds; 0: active */
    bool hot;                     /* latest metrics are not in metric_find */
};

/* Removes runs, models and traces of a workspace, some hundreds a call; *ret_more: call again in another
 * write. */
err *mlflow_drop_workspace(store_tx *tx, int64_t workspace, bool *ret_more) BH_CHECK;

struct mlflow_pair {
    str key, value;
};
struct mlflow_pairs {
    struct mlflow_pair *p;
    size_t n;
};

struct mlflow_point {
    str key;
    double value;
    int64_t timestamp, step;
};
struct mlflow_points {
    struct mlflow_point *p;
    size_t n;
};

struct mlflow_dataset {
    str name, digest, source_type, source, schema, profile; /* schema, profile: p NULL if none */
    str tags;                                               /* JSON list of {"key","value"} */
    str context; /* value of the tag mlflow.data.context, p NULL if none */
};
struct mlflow_datasets {
    struct mlflow_dataset *p;
    size_t n;
};
struct mlflow_model_ref {
    str model_id;
    int64_t step;
};
struct mlflow_model_refs {
    struct mlflow_model_ref *p;
    size_t n;
};

/* The small number of an experiment; made if `make`, else 0 where there is none. */
err *mlflow_eid(store_tx *tx, struct store_scope scope, int64_t experiment, bool make,
                int64_t *ret) BH_CHECK;

/* Fills rid and eid. A second run with the id is RESOURCE_ALREADY_EXISTS. */
err *mlflow_run_insert(store_tx *tx, struct store_scope scope, struct mlflow_run *run) BH_CHECK;
err *mlflow_run_get(store_tx *tx, struct store_scope scope, arena *a, str run_id,
                    struct mlflow_run *ret, bool *found) BH_CHECK;
/* By rid, for searches that have found it within a scope. */
err *mlflow_run_row(store_tx *tx, arena *a, int64_t rid, struct mlflow_run *ret,
                    bool *found) BH_CHECK;
/* Writes name, status, end_time, deleted_time. A run that ends is settled. */
err *mlflow_run_set(store_tx *tx, struct mlflow_run *run) BH_CHECK;
/* Marks active runs of an experiment that began before `until` (milliseconds) as deleted, at most
 * max of them, oldest first. */
err *mlflow_run_delete_before(store_tx *tx, struct store_scope scope, int64_t experiment,
                              int64_t until, int64_t now, int64_t max, int64_t *ret_n) BH_CHECK;
/* The opposite: restores what was deleted since `from`. */
err *mlflow_run_restore_since(store_tx *tx, struct store_scope scope, int64_t experiment,
                              int64_t from, int64_t max, int64_t *ret_n) BH_CHECK;

err *mlflow_run_params(store_tx *tx, arena *a, int64_t rid, struct mlflow_pairs *ret) BH_CHECK;
err *mlflow_run_tags(store_tx *tx, arena *a, int64_t rid, struct mlflow_pairs *ret) BH_CHECK;
/* *ret_old is the value that stands already; p NULL when the parameter was written now. */
err *mlflow_run_put_param(store_tx *tx, arena *a, const struct mlflow_run *run, str key, str value,
                          str *ret_old) BH_CHECK;
err *mlflow_run_put_tag(store_tx *tx, const struct mlflow_run *run, str key, str value) BH_CHECK;
err *mlflow_run_delete_tag(store_tx *tx, const struct mlflow_run *run, str key,
                           bool *found) BH_CHECK;
/* One value; p NULL: none. */
err *mlflow_run_param(store_tx *tx, arena *a, int64_t rid, str key, str *ret) BH_CHECK;
err *mlflow_run_tag(store_tx *tx, arena *a, int64_t rid, str key, str *ret) BH_CHECK;

err *mlflow_run_add_datasets(store_tx *tx, const struct mlflow_run *run,
                             const struct mlflow_dataset *p, size_t n) BH_CHECK;
err *mlflow_run_datasets(store_tx *tx, arena *a, int64_t rid, struct mlflow_datasets *ret) BH_CHECK;
err *mlflow_run_add_models(store_tx *tx, const struct mlflow_run *run, bool output,
                           const struct mlflow_model_ref *p, size_t n) BH_CHECK;
err *mlflow_run_models(store_tx *tx, arena *a, int64_t rid, bool output,
                       struct mlflow_model_refs *ret) BH_CHECK;
/* Distinct data sets of experiments, newest first: name, digest and context only. */
err *mlflow_datasets_of(store_tx *tx, struct store_scope scope, arena *a, int64_t experiment,
                        size_t max, struct mlflow_datasets *ret) BH_CHECK;

/* ---- metrics (mlflow_metrics.c) ---- */

/* Appends points to the history and brings the latest values up to date. */
err *mlflow_metrics_log(store_tx *tx, struct mlflow_run *run, const struct mlflow_point *p,
                        size_t n) BH_CHECK;
/* Latest values, in the order of their first appearance. */
err *mlflow_metrics_latest(store_tx *tx, arena *a, int64_t rid, struct mlflow_points *ret) BH_CHECK;
/* Points of one key, by (timestamp, step, value), equal ones once; at most q->limit of those that
 * come after q->after (if after_set) and whose step lies in [min_step, max_step]. */
struct mlflow_history {
    str key;
    bool after_set;
    struct mlflow_point after;
    int64_t min_step, max_step;
    size_t limit;
};
err *mlflow_metrics_history(store_tx *tx, arena *a, int64_t rid, const struct mlflow_history *q,
                            struct mlflow_points *ret) BH_CHECK;
/* Puts the latest values of a hot run into metric_find. */
err *mlflow_metrics_settle(store_tx *tx, struct mlflow_run *run) BH_CHECK;

#endif
