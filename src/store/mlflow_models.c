/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mlflow_models.h"

#include <stdlib.h>

#include "base/vec.h"
#include "store/mlflow_read.h"
#include "store/sql.h"

err *mlflow_model_insert(store_tx *tx, struct store_scope scope, struct mlflow_model *m) {
    m->workspace = scope.workspace;
    TRY(mlflow_eid(tx, scope, m->experiment, true, &m->eid));
    TRY(sql_run(tx,
                "INSERT INTO model (workspace_id, experiment_id, eid, model_id, name, model_type,"
                " source_run_id, status, status_message, created, updated, deleted_time, creator)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12)",
                sql_i(m->workspace), sql_i(m->experiment), sql_i(m->eid), sql_t(m->model_id),
                sql_t(m->name), sql_t(m->model_type), sql_t(m->source_run_id), sql_i(m->status),
                sql_t(m->status_message), sql_i(m->created), sql_i(m->updated), sql_i(m->creator)));
    m->mid = sql_last_rowid(tx);
    return NULL;
}

#define COLUMNS                                                                                    \
    "mid, eid, workspace_id, experiment_id, model_id, name, model_type, source_run_id, status,"    \
    " status_message, created, updated, deleted_time, creator"

static err *one_model(sql *q, arena *a, struct mlflow_model *m, bool *found) {
    err *e = sql_step(q, found);
    if (!e && *found)
        *m = (struct mlflow_model){
            .mid = sql_get_i(q, 0),
            .eid = sql_get_i(q, 1),
            .workspace = sql_get_i(q, 2),
            .experiment = sql_get_i(q, 3),
            .model_id = sql_get_t(q, 4, a),
            .name = sql_get_t(q, 5, a),
            .model_type = sql_get_t(q, 6, a),
            .source_run_id = sql_get_t(q, 7, a),
            .status = (int)sql_get_i(q, 8),
            .status_message = sql_get_t(q, 9, a),
            .created = sql_get_i(q, 10),
            .updated = sql_get_i(q, 11),
            .deleted_time = sql_get_i(q, 12),
            .creator = sql_get_i(q, 13),
        };
    sql_close(q);
    return e;
}

err *mlflow_model_get(store_tx *tx, struct store_scope scope, arena *a, str model_id,
                      struct mlflow_model *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM model WHERE workspace_id = ?1 AND model_id = ?2",
                 sql_i(scope.workspace), sql_t(model_id)));
    return one_model(q, a, ret, found);
}

err *mlflow_model_row(store_tx *tx, arena *a, int64_t mid, struct mlflow_model *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM model WHERE mid = ?1", sql_i(mid)));
    return one_model(q, a, ret, found);
}

err *mlflow_model_set(store_tx *tx, const struct mlflow_model *m) {
    return sql_run(tx,
                   "UPDATE model SET model_type = ?2, status = ?3, status_message = ?4,"
                   " updated = ?5, deleted_time = ?6 WHERE mid = ?1",
                   sql_i(m->mid), sql_t(m->model_type), sql_i(m->status), sql_t(m->status_message),
                   sql_i(m->updated), sql_i(m->deleted_time));
}

err *mlflow_model_put(store_tx *tx, const struct mlflow_model *m, enum mlflow_model_kind kind,
                      str key, str value) {
    return sql_run(tx,
                   "INSERT INTO model_item (mid, kind, key, value) VALUES (?1, ?2, ?3, ?4)"
                   " ON CONFLICT (mid, kind, key) DO UPDATE SET value = excluded.value",
                   sql_i(m->mid), sql_i(kind), sql_t(key), sql_t(value));
}

err *mlflow_model_item(store_tx *tx, arena *a, int64_t mid, enum mlflow_model_kind kind, str key,
                       str *ret) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT value FROM model_item WHERE mid = ?1 AND kind = ?2 AND key = ?3",
                 sql_i(mid), sql_i(kind), sql_t(key)));
    return mlflow_read_text(q, a, ret);
}

err *mlflow_model_drop(store_tx *tx, const struct mlflow_model *m, enum mlflow_model_kind kind,
                       str key, bool *found) {
    TRY(sql_run(tx, "DELETE FROM model_item WHERE mid = ?1 AND kind = ?2 AND key = ?3",
                sql_i(m->mid), sql_i(kind), sql_t(key)));
    *found = sql_changes(tx) > 0;
    return NULL;
}

err *mlflow_model_items(store_tx *tx, arena *a, int64_t mid, enum mlflow_model_kind kind,
                        struct mlflow_pairs *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT key, value FROM model_item WHERE mid = ?1 AND kind = ?2 ORDER BY key",
                 sql_i(mid), sql_i(kind)));
    return mlflow_read_pairs(q, a, ret);
}

/* SQLite has no NaN, so the value is kept as its eight bytes. Latest: as for runs. */
err *mlflow_model_put_metric(store_tx *tx, int64_t mid, const struct mlflow_model_metric *p) {
    return sql_run(tx,
                   "INSERT INTO model_metric (mid, key, run_id, dataset_name, dataset_digest,"
                   " timestamp, step, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                   " ON CONFLICT (mid, key, run_id, dataset_name, dataset_digest) DO UPDATE SET"
                   " timestamp = excluded.timestamp, step = excluded.step, value = excluded.value"
                   " WHERE (excluded.step, excluded.timestamp) >= (step, timestamp)",
                   sql_i(mid), sql_t(p->key), sql_t(p->run_id), sql_t(p->dataset_name),
                   sql_t(p->dataset_digest), sql_i(p->timestamp), sql_i(p->step),
                   sql_b(str_n((const char *)&p->value, sizeof(p->value))));
}

err *mlflow_model_metrics(store_tx *tx, arena *a, int64_t mid, struct mlflow_model_metrics *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT key, run_id, dataset_name, dataset_digest, timestamp, step, value"
                 " FROM model_metric WHERE mid = ?1",
                 sql_i(mid)));
    vec_of(struct mlflow_model_metric) v = {0};
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) {
        struct mlflow_model_metric m = {sql_get_t(q, 0, a),
                                        sql_get_t(q, 1, a),
                                        sql_get_t(q, 2, a),
                                        sql_get_t(q, 3, a),
                                        sql_get_i(q, 4),
                                        sql_get_i(q, 5),
                                        0};
        str bits = sql_peek_b(q, 6);
        if (bits.n == sizeof(m.value)) memcpy(&m.value, bits.p, sizeof(m.value));
        vec_push(&v, m);
    }
    sql_close(q);
    ret->p = arena_array_of(a, struct mlflow_model_metric, v.n + 1);
    ret->n = v.n;
    if (v.n) memcpy(ret->p, v.p, v.n * sizeof(*v.p));
    vec_free(&v);
    return e;
}
