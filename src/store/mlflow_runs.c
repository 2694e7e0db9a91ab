/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of runs. Metrics stand in mlflow_metrics.c, inputs and outputs in mlflow_inputs.c. */
#include "store/mlflow_runs.h"

#include <stdlib.h>

#include "base/vec.h"
#include "store/mlflow_read.h"
#include "store/sql.h"

err *mlflow_eid(store_tx *tx, struct store_scope scope, int64_t experiment, bool make,
                int64_t *ret) {
    bool found = false;
    TRY(sql_one_i(ret, &found, tx,
                  "SELECT eid FROM exp WHERE workspace_id = ?1 AND experiment_id = ?2",
                  sql_i(scope.workspace), sql_i(experiment)));
    if (found) return NULL;
    *ret = 0;
    if (!make) return NULL;
    TRY(sql_run(tx, "INSERT INTO exp (workspace_id, experiment_id) VALUES (?1, ?2)",
                sql_i(scope.workspace), sql_i(experiment)));
    *ret = sql_last_rowid(tx);
    return NULL;
}

err *mlflow_run_insert(store_tx *tx, struct store_scope scope, struct mlflow_run *run) {
    run->workspace = scope.workspace;
    TRY(mlflow_eid(tx, scope, run->experiment, true, &run->eid));
    TRY(sql_run(tx,
                "INSERT INTO run (workspace_id, experiment_id, eid, run_id, name, user_id, status,"
                " start_time, end_time, deleted_time, hot)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0)",
                sql_i(run->workspace), sql_i(run->experiment), sql_i(run->eid), sql_t(run->run_id),
                sql_t(run->name), sql_t(run->user_id), sql_i(run->status), sql_i(run->start_time),
                sql_i(run->end_time)));
    run->rid = sql_last_rowid(tx);
    return NULL;
}

#define COLUMNS                                                                                    \
    "rid, eid, workspace_id, experiment_id, run_id, name, user_id, status, start_time, end_time,"  \
    " deleted_time, hot"

static void read_run(sql *q, arena *a, struct mlflow_run *r) {
    *r = (struct mlflow_run){
        .rid = sql_get_i(q, 0),
        .eid = sql_get_i(q, 1),
        .workspace = sql_get_i(q, 2),
        .experiment = sql_get_i(q, 3),
        .run_id = sql_get_t(q, 4, a),
        .name = sql_get_t(q, 5, a),
        .user_id = sql_get_t(q, 6, a),
        .status = (int)sql_get_i(q, 7),
        .start_time = sql_get_i(q, 8),
        .end_time = sql_get_i(q, 9),
        .deleted_time = sql_get_i(q, 10),
        .hot = sql_get_i(q, 11) != 0,
    };
}

static err *one_run(sql *q, arena *a, struct mlflow_run *ret, bool *found) {
    err *e = sql_step(q, found);
    if (!e && *found) read_run(q, a, ret);
    sql_close(q);
    return e;
}

err *mlflow_run_get(store_tx *tx, struct store_scope scope, arena *a, str run_id,
                    struct mlflow_run *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM run WHERE workspace_id = ?1 AND run_id = ?2",
                 sql_i(scope.workspace), sql_t(run_id)));
    return one_run(q, a, ret, found);
}

err *mlflow_run_row(store_tx *tx, arena *a, int64_t rid, struct mlflow_run *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM run WHERE rid = ?1", sql_i(rid)));
    return one_run(q, a, ret, found);
}

err *mlflow_run_set(store_tx *tx, struct mlflow_run *run) {
    TRY(sql_run(tx,
                "UPDATE run SET name = ?2, status = ?3, end_time = ?4, deleted_time = ?5"
                " WHERE rid = ?1",
                sql_i(run->rid), sql_t(run->name), sql_i(run->status), sql_i(run->end_time),
                sql_i(run->deleted_time)));
    bool ended = run->status >= RUN_FINISHED;
    return ended && run->hot ? mlflow_metrics_settle(tx, run) : NULL;
}

err *mlflow_run_delete_before(store_tx *tx, struct store_scope scope, int64_t experiment,
                              int64_t until, int64_t now, int64_t max, int64_t *ret_n) {
    int64_t eid;
    TRY(mlflow_eid(tx, scope, experiment, false, &eid));
    TRY(sql_run(tx,
                "UPDATE run SET deleted_time = ?3 WHERE rid IN (SELECT rid FROM run WHERE eid = ?1"
                " AND start_time <= ?2 AND deleted_time = 0 ORDER BY start_time LIMIT ?4)",
                sql_i(eid), sql_i(until), sql_i(now), sql_i(max)));
    *ret_n = sql_changes(tx);
    return NULL;
}

err *mlflow_run_restore_since(store_tx *tx, struct store_scope scope, int64_t experiment,
                              int64_t from, int64_t max, int64_t *ret_n) {
    int64_t eid;
    TRY(mlflow_eid(tx, scope, experiment, false, &eid));
    TRY(sql_run(tx,
                "UPDATE run SET deleted_time = 0 WHERE rid IN (SELECT rid FROM run WHERE eid = ?1"
                " AND deleted_time >= ?2 AND deleted_time > 0 LIMIT ?3)",
                sql_i(eid), sql_i(from), sql_i(max)));
    *ret_n = sql_changes(tx);
    return NULL;
}

/* ---- parameters and tags ---- */

err *mlflow_run_params(store_tx *tx, arena *a, int64_t rid, struct mlflow_pairs *ret) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT key, value FROM run_param WHERE rid = ?1 ORDER BY key",
                 sql_i(rid)));
    return mlflow_read_pairs(q, a, ret);
}

err *mlflow_run_tags(store_tx *tx, arena *a, int64_t rid, struct mlflow_pairs *ret) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT key, value FROM run_tag WHERE rid = ?1 ORDER BY key", sql_i(rid)));
    return mlflow_read_pairs(q, a, ret);
}

err *mlflow_run_param(store_tx *tx, arena *a, int64_t rid, str key, str *ret) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT value FROM run_param WHERE rid = ?1 AND key = ?2", sql_i(rid),
                 sql_t(key)));
    return mlflow_read_text(q, a, ret);
}

err *mlflow_run_tag(store_tx *tx, arena *a, int64_t rid, str key, str *ret) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT value FROM run_tag WHERE rid = ?1 AND key = ?2", sql_i(rid),
                 sql_t(key)));
    return mlflow_read_text(q, a, ret);
}

err *mlflow_run_put_param(store_tx *tx, arena *a, const struct mlflow_run *run, str key, str value,
                          str *ret_old) {
    *ret_old = STR_NONE;
    TRY(sql_run(
        tx,
        "INSERT INTO run_param (rid, key, value, eid, start_time) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (rid, key) DO NOTHING",
        sql_i(run->rid), sql_t(key), sql_t(value), sql_i(run->eid), sql_i(run->start_time)));
    if (sql_changes(tx)) return NULL;
    return mlflow_run_param(tx, a, run->rid, key, ret_old);
}

err *mlflow_run_put_tag(store_tx *tx, const struct mlflow_run *run, str key, str value) {
    return sql_run(
        tx,
        "INSERT INTO run_tag (rid, key, value, eid, start_time) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (rid, key) DO UPDATE SET value = excluded.value"
        " WHERE value <> excluded.value",
        sql_i(run->rid), sql_t(key), sql_t(value), sql_i(run->eid), sql_i(run->start_time));
}

err *mlflow_run_delete_tag(store_tx *tx, const struct mlflow_run *run, str key, bool *found) {
    TRY(sql_run(tx, "DELETE FROM run_tag WHERE rid = ?1 AND key = ?2", sql_i(run->rid),
                sql_t(key)));
    *found = sql_changes(tx) > 0;
    return NULL;
}
