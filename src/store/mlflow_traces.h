/* SPDX-License-Identifier: Apache-2.0 */
/* Traces in mlflow.db: info, tags, metadata, assessments, spans. Callers have checked rights. */
#ifndef BH_STORE_MLFLOW_TRACES_H
#define BH_STORE_MLFLOW_TRACES_H

#include "store/mlflow_runs.h"

enum mlflow_trace_state { TRACE_UNSPECIFIED, TRACE_OK, TRACE_ERROR, TRACE_IN_PROGRESS };
enum mlflow_trace_kind { TRACE_TAG = 1, TRACE_METADATA };
enum mlflow_assessment_kind { ASSESSMENT_FEEDBACK = 1, ASSESSMENT_EXPECTATION, ASSESSMENT_ISSUE };

struct mlflow_trace {
    int64_t tid, eid;
    int64_t workspace, experiment;
    str trace_id;
    int64_t request_time; /* milliseconds */
    int64_t duration;     /* milliseconds; -1: not known */
    int state;
    str client_request_id, request_preview, response_preview; /* p NULL: none */
    int64_t n_spans;
};

struct mlflow_span {
    str span_id;            /* hex */
    int64_t start_time;     /* nanoseconds */
    str name, type, status; /* type, status: p NULL if none */
    str body;               /* opentelemetry.proto.trace.v1.Span as protobuf-JSON */
};
struct mlflow_spans {
    struct mlflow_span *p;
    size_t n;
};

struct mlflow_assessment {
    str assessment_id, name;
    int kind;
    bool valid;
    int64_t created; /* milliseconds */
    str value;       /* JSON of the value; p NULL if none */
    str body;        /* the whole as JSON */
};
struct mlflow_assessments {
    struct mlflow_assessment *p;
    size_t n;
};

err *mlflow_trace_get(store_tx *tx, struct store_scope scope, arena *a, str trace_id,
                      struct mlflow_trace *ret, bool *found) BH_CHECK;
err *mlflow_trace_row(store_tx *tx, arena *a, int64_t tid, struct mlflow_trace *ret,
                      bool *found) BH_CHECK;
/* Fills tid and eid. */
err *mlflow_trace_insert(store_tx *tx, struct store_scope scope, struct mlflow_trace *t) BH_CHECK;
/* Writes everything but ids. */
err *mlflow_trace_set(store_tx *tx, const struct mlflow_trace *t) BH_CHECK;
err *mlflow_trace_delete(store_tx *tx, const struct mlflow_trace *t) BH_CHECK;
/* Deletes the oldest traces of an experiment that began up to a time, at most max. */
err *mlflow_trace_delete_before(store_tx *tx, struct store_scope scope, int64_t experiment,
                                int64_t until, int64_t max, int64_t *ret_n) BH_CHECK;

err *mlflow_trace_put(store_tx *tx, const struct mlflow_trace *t, enum mlflow_trace_kind kind,
                      str key, str value) BH_CHECK;
err *mlflow_trace_drop(store_tx *tx, const struct mlflow_trace *t, enum mlflow_trace_kind kind,
                       str key, bool *found) BH_CHECK;
err *mlflow_trace_item(store_tx *tx, arena *a, int64_t tid, enum mlflow_trace_kind kind, str key,
                       str *ret) BH_CHECK;
err *mlflow_trace_items(store_tx *tx, arena *a, int64_t tid, enum mlflow_trace_kind kind,
                        struct mlflow_pairs *ret) BH_CHECK;

/* Adds or replaces by span_id; n_spans of the row is kept right. */
err *mlflow_trace_put_span(store_tx *tx, struct mlflow_trace *t,
                           const struct mlflow_span *s) BH_CHECK;
err *mlflow_trace_spans(store_tx *tx, arena *a, int64_t tid, struct mlflow_spans *ret) BH_CHECK;

err *mlflow_trace_put_assessment(store_tx *tx, int64_t tid,
                                 const struct mlflow_assessment *s) BH_CHECK;
/* By id; or all (id empty), oldest first. */
err *mlflow_trace_assessments(store_tx *tx, arena *a, int64_t tid, str id,
                              struct mlflow_assessments *ret) BH_CHECK;
err *mlflow_trace_drop_assessment(store_tx *tx, int64_t tid, str id, bool *found) BH_CHECK;

#endif
