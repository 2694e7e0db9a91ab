/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mlflow_traces.h"

#include <stdlib.h>

#include "base/vec.h"
#include "store/mlflow_read.h"
#include "store/sql.h"

#define COLUMNS                                                                                    \
    "tid, eid, workspace_id, experiment_id, trace_id, request_time, duration, state,"              \
    " client_request_id, request_preview, response_preview, n_spans"

static err *one_trace(sql *q, arena *a, struct mlflow_trace *t, bool *found) {
    err *e = sql_step(q, found);
    if (!e && *found)
        *t = (struct mlflow_trace){
            .tid = sql_get_i(q, 0),
            .eid = sql_get_i(q, 1),
            .workspace = sql_get_i(q, 2),
            .experiment = sql_get_i(q, 3),
            .trace_id = sql_get_t(q, 4, a),
            .request_time = sql_get_i(q, 5),
            .duration = sql_is_null(q, 6) ? -1 : sql_get_i(q, 6),
            .state = (int)sql_get_i(q, 7),
            .client_request_id = sql_get_t(q, 8, a),
            .request_preview = sql_get_t(q, 9, a),
            .response_preview = sql_get_t(q, 10, a),
            .n_spans = sql_get_i(q, 11),
        };
    sql_close(q);
    return e;
}

err *mlflow_trace_get(store_tx *tx, struct store_scope scope, arena *a, str trace_id,
                      struct mlflow_trace *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM trace WHERE workspace_id = ?1 AND trace_id = ?2",
                 sql_i(scope.workspace), sql_t(trace_id)));
    return one_trace(q, a, ret, found);
}

err *mlflow_trace_row(store_tx *tx, arena *a, int64_t tid, struct mlflow_trace *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM trace WHERE tid = ?1", sql_i(tid)));
    return one_trace(q, a, ret, found);
}

static struct sql_arg duration_of(const struct mlflow_trace *t) {
    return t->duration < 0 ? sql_null() : sql_i(t->duration);
}

err *mlflow_trace_insert(store_tx *tx, struct store_scope scope, struct mlflow_trace *t) {
    t->workspace = scope.workspace;
    TRY(mlflow_eid(tx, scope, t->experiment, true, &t->eid));
    TRY(sql_run(tx,
                "INSERT INTO trace (workspace_id, experiment_id, eid, trace_id, request_time,"
                " duration, state, client_request_id, request_preview, response_preview, n_spans)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)",
                sql_i(t->workspace), sql_i(t->experiment), sql_i(t->eid), sql_t(t->trace_id),
                sql_i(t->request_time), duration_of(t), sql_i(t->state),
                sql_t(t->client_request_id), sql_t(t->request_preview),
                sql_t(t->response_preview)));
    t->tid = sql_last_rowid(tx);
    return NULL;
}

err *mlflow_trace_set(store_tx *tx, const struct mlflow_trace *t) {
    return sql_run(tx,
                   "UPDATE trace SET request_time = ?2, duration = ?3, state = ?4,"
                   " client_request_id = ?5, request_preview = ?6, response_preview = ?7"
                   " WHERE tid = ?1",
                   sql_i(t->tid), sql_i(t->request_time), duration_of(t), sql_i(t->state),
                   sql_t(t->client_request_id), sql_t(t->request_preview),
                   sql_t(t->response_preview));
}

static err *delete_one(store_tx *tx, int64_t tid) {
    TRY(sql_run(tx, "DELETE FROM trace_item WHERE tid = ?1", sql_i(tid)));
    TRY(sql_run(tx, "DELETE FROM assessment WHERE tid = ?1", sql_i(tid)));
    TRY(sql_run(tx, "DELETE FROM span WHERE tid = ?1", sql_i(tid)));
    return sql_run(tx, "DELETE FROM trace WHERE tid = ?1", sql_i(tid));
}

err *mlflow_trace_delete(store_tx *tx, const struct mlflow_trace *t) {
    return delete_one(tx, t->tid);
}

err *mlflow_trace_delete_before(store_tx *tx, struct store_scope scope, int64_t experiment,
                                int64_t until, int64_t max, int64_t *ret_n) {
    int64_t eid;
    TRY(mlflow_eid(tx, scope, experiment, false, &eid));
    vec_of(int64_t) ids = {0};
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT tid FROM trace WHERE eid = ?1 AND request_time <= ?2"
                 " ORDER BY request_time LIMIT ?3",
                 sql_i(eid), sql_i(until), sql_i(max)));
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) vec_push(&ids, sql_get_i(q, 0));
    sql_close(q);
    for (size_t i = 0; !e && i < ids.n; i++) e = delete_one(tx, ids.p[i]);
    *ret_n = (int64_t)ids.n;
    vec_free(&ids);
    return e;
}

/* ---- tags and metadata ---- */

err *mlflow_trace_put(store_tx *tx, const struct mlflow_trace *t, enum mlflow_trace_kind kind,
                      str key, str value) {
    return sql_run(tx,
                   "INSERT INTO trace_item (tid, kind, key, value, eid) VALUES (?1, ?2, ?3, ?4, ?5)"
                   " ON CONFLICT (tid, kind, key) DO UPDATE SET value = excluded.value"
                   " WHERE value <> excluded.value",
                   sql_i(t->tid), sql_i(kind), sql_t(key), sql_t(value), sql_i(t->eid));
}

err *mlflow_trace_drop(store_tx *tx, const struct mlflow_trace *t, enum mlflow_trace_kind kind,
                       str key, bool *found) {
    TRY(sql_run(tx, "DELETE FROM trace_item WHERE tid = ?1 AND kind = ?2 AND key = ?3",
                sql_i(t->tid), sql_i(kind), sql_t(key)));
    *found = sql_changes(tx) > 0;
    return NULL;
}

err *mlflow_trace_item(store_tx *tx, arena *a, int64_t tid, enum mlflow_trace_kind kind, str key,
                       str *ret) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT value FROM trace_item WHERE tid = ?1 AND kind = ?2 AND key = ?3",
                 sql_i(tid), sql_i(kind), sql_t(key)));
    return mlflow_read_text(q, a, ret);
}

err *mlflow_trace_items(store_tx *tx, arena *a, int64_t tid, enum mlflow_trace_kind kind,
                        struct mlflow_pairs *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT key, value FROM trace_item WHERE tid = ?1 AND kind = ?2 ORDER BY key",
                 sql_i(tid), sql_i(kind)));
    return mlflow_read_pairs(q, a, ret);
}

/* ---- spans ---- */

err *mlflow_trace_put_span(store_tx *tx, struct mlflow_trace *t, const struct mlflow_span *s) {
    int64_t was;
    bool found = false;
    TRY(sql_one_i(&was, &found, tx, "SELECT 1 FROM span WHERE tid = ?1 AND span_id = ?2",
                  sql_i(t->tid), sql_t(s->span_id)));
    TRY(sql_run(tx,
                "INSERT OR REPLACE INTO span (tid, span_id, start_time, name, type, status, body)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                sql_i(t->tid), sql_t(s->span_id), sql_i(s->start_time), sql_t(s->name),
                sql_t(s->type), sql_t(s->status), sql_t(s->body)));
    if (found) return NULL;
    t->n_spans++;
    return sql_run(tx, "UPDATE trace SET n_spans = n_spans + 1 WHERE tid = ?1", sql_i(t->tid));
}

err *mlflow_trace_spans(store_tx *tx, arena *a, int64_t tid, struct mlflow_spans *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT span_id, start_time, name, type, status, body FROM span WHERE tid = ?1"
                 " ORDER BY start_time, span_id",
                 sql_i(tid)));
    vec_of(struct mlflow_span) v = {0};
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row)
        vec_push(
            &v, ((struct mlflow_span){sql_get_t(q, 0, a), sql_get_i(q, 1), sql_get_t(q, 2, a),
                                      sql_get_t(q, 3, a), sql_get_t(q, 4, a), sql_get_t(q, 5, a)}));
    sql_close(q);
    ret->p = arena_array_of(a, struct mlflow_span, v.n + 1);
    ret->n = v.n;
    if (v.n) memcpy(ret->p, v.p, v.n * sizeof(*v.p));
    vec_free(&v);
    return e;
}

/* ---- assessments ---- */

err *mlflow_trace_put_assessment(store_tx *tx, int64_t tid, const struct mlflow_assessment *s) {
    return sql_run(tx,
                   "INSERT OR REPLACE INTO assessment (tid, assessment_id, name, kind, valid,"
                   " created, value, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                   sql_i(tid), sql_t(s->assessment_id), sql_t(s->name), sql_i(s->kind),
                   sql_i(s->valid), sql_i(s->created), sql_t(s->value), sql_t(s->body));
}

err *mlflow_trace_assessments(store_tx *tx, arena *a, int64_t tid, str id,
                              struct mlflow_assessments *ret) {
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT assessment_id, name, kind, valid, created, value, body FROM assessment"
                 " WHERE tid = ?1 AND (?2 = '' OR assessment_id = ?2)"
                 " ORDER BY created, assessment_id",
                 sql_i(tid), sql_t(id)));
    vec_of(struct mlflow_assessment) v = {0};
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row)
        vec_push(&v, ((struct mlflow_assessment){sql_get_t(q, 0, a), sql_get_t(q, 1, a),
                                                 (int)sql_get_i(q, 2), sql_get_i(q, 3) != 0,
                                                 sql_get_i(q, 4), sql_get_t(q, 5, a),
                                                 sql_get_t(q, 6, a)}));
    sql_close(q);
    ret->p = arena_array_of(a, struct mlflow_assessment, v.n + 1);
    ret->n = v.n;
    if (v.n) memcpy(ret->p, v.p, v.n * sizeof(*v.p));
    vec_free(&v);
    return e;
}

err *mlflow_trace_drop_assessment(store_tx *tx, int64_t tid, str id, bool *found) {
    TRY(sql_run(tx, "DELETE FROM assessment WHERE tid = ?1 AND assessment_id = ?2", sql_i(tid),
                sql_t(id)));
    *found = sql_changes(tx) > 0;
    return NULL;
}
