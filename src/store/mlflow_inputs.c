/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets and models that runs read and write. */
#include <stdlib.h>

#include "base/vec.h"
#include "store/mlflow_runs.h"
#include "store/sql.h"

static err *dataset_id(store_tx *tx, const struct mlflow_run *run, const struct mlflow_dataset *d,
                       int64_t *ret) {
    bool found = false;
    TRY(sql_one_i(ret, &found, tx,
                  "SELECT did FROM dataset WHERE eid = ?1 AND name = ?2 AND digest = ?3",
                  sql_i(run->eid), sql_t(d->name), sql_t(d->digest)));
    if (found) return NULL;
    TRY(sql_run(tx,
                "INSERT INTO dataset (eid, name, digest, source_type, source, schema, profile)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                sql_i(run->eid), sql_t(d->name), sql_t(d->digest), sql_t(d->source_type),
                sql_t(d->source), sql_t(d->schema), sql_t(d->profile)));
    *ret = sql_last_rowid(tx);
    return NULL;
}

/* A data set that the run has already keeps its first tags, as in MLflow. */
err *mlflow_run_add_datasets(store_tx *tx, const struct mlflow_run *run,
                             const struct mlflow_dataset *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int64_t did;
        TRY(dataset_id(tx, run, &p[i], &did));
        TRY(sql_run(tx,
                    "INSERT INTO run_dataset (rid, did, n, tags, context) VALUES (?1, ?2,"
                    " (SELECT count(*) FROM run_dataset WHERE rid = ?1), ?3, ?4)"
                    " ON CONFLICT (rid, did) DO NOTHING",
                    sql_i(run->rid), sql_i(did), sql_t(p[i].tags), sql_t(p[i].context)));
    }
    return NULL;
}

static err *datasets(sql *q, arena *a, struct mlflow_datasets *ret) {
    vec_of(struct mlflow_dataset) v = {0};
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row)
        vec_push(
            &v, ((struct mlflow_dataset){sql_get_t(q, 0, a), sql_get_t(q, 1, a), sql_get_t(q, 2, a),
                                         sql_get_t(q, 3, a), sql_get_t(q, 4, a), sql_get_t(q, 5, a),
                                         sql_get_t(q, 6, a), sql_get_t(q, 7, a)}));
    sql_close(q);
    ret->p = arena_array_of(a, struct mlflow_dataset, v.n + 1);
    ret->n = v.n;
    if (v.n) memcpy(ret->p, v.p, v.n * sizeof(*v.p));
    vec_free(&v);
    return e;
}

err *mlflow_run_datasets(store_tx *tx, arena *a, int64_t rid, struct mlflow_datasets *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT d.name, d.digest, d.source_type, d.source, d.schema, d.profile, r.tags,"
                 " r.context FROM run_dataset r JOIN dataset d ON d.did = r.did WHERE r.rid = ?1"
                 " ORDER BY r.n",
                 sql_i(rid)));
    return datasets(q, a, ret);
}

err *mlflow_datasets_of(store_tx *tx, struct store_scope scope, arena *a, int64_t experiment,
                        size_t max, struct mlflow_datasets *ret) {
    int64_t eid;
    TRY(mlflow_eid(tx, scope, experiment, false, &eid));
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT DISTINCT d.name, d.digest, '', '', NULL, NULL, '[]', r.context"
                 " FROM dataset d JOIN run_dataset r ON r.did = d.did WHERE d.eid = ?1"
                 " ORDER BY d.did DESC LIMIT ?2",
                 sql_i(eid), sql_i((int64_t)max)));
    return datasets(q, a, ret);
}

err *mlflow_run_add_models(store_tx *tx, const struct mlflow_run *run, bool output,
                           const struct mlflow_model_ref *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        TRY(sql_run(tx,
                    "INSERT INTO run_model (rid, output, model_id, step, n) VALUES (?1, ?2, ?3, ?4,"
                    " (SELECT count(*) FROM run_model WHERE rid = ?1 AND output = ?2))"
                    " ON CONFLICT (rid, output, model_id) DO UPDATE SET step = excluded.step",
                    sql_i(run->rid), sql_i(output), sql_t(p[i].model_id), sql_i(p[i].step)));
    return NULL;
}

err *mlflow_run_models(store_tx *tx, arena *a, int64_t rid, bool output,
                       struct mlflow_model_refs *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT model_id, step FROM run_model WHERE rid = ?1 AND output = ?2 ORDER BY n",
                 sql_i(rid), sql_i(output)));
    vec_of(struct mlflow_model_ref) v = {0};
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row)
        vec_push(&v, ((struct mlflow_model_ref){sql_get_t(q, 0, a), sql_get_i(q, 1)}));
    sql_close(q);
    ret->p = arena_array_of(a, struct mlflow_model_ref, v.n + 1);
    ret->n = v.n;
    if (v.n) memcpy(ret->p, v.p, v.n * sizeof(*v.p));
    vec_free(&v);
    return e;
}
