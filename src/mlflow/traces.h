/* SPDX-License-Identifier: Apache-2.0 */
/* Traces: who may reach them, how they come in, how answers show them. */
#ifndef BH_MLFLOW_TRACES_H
#define BH_MLFLOW_TRACES_H

#include "mlflow/access.h"
#include "mlflow/otlp.h"
#include "store/mlflow_traces.h"

struct access_trace {
    struct mlflow_trace trace;
    struct ent_experiment experiment;
};
/* "Trace with ID '…' not found." where there is none or it is out of reach. */
err *access_trace(struct req *r, str trace_id, uint64_t level, struct access_trace *ret) BH_CHECK;
err *access_no_trace(str trace_id) BH_CHECK;

/* The trace of one request to create it: info, tags, metadata, assessments. */
struct trace_new {
    struct mlflow_trace trace;
    struct ent_experiment experiment;
    struct mlflow_pairs tags, metadata;
    struct mlflow_assessments assessments;
};
/* Reads {"trace_id","trace_location",…} (v3); times may be absent. */
err *trace_read_info(struct req *r, jval *info, struct trace_new *ret) BH_CHECK;
/* Inserts it, or completes what spans that came earlier have begun. r->tx is a write. */
err *trace_save_info(struct req *r, struct trace_new *t) BH_CHECK;
/* Keys and values within MLflow's limits (values are cut). */
err *trace_check_pairs(struct mlflow_pairs *p, bool cut) BH_CHECK;

/* Writes spans into an experiment; makes traces that are not there. */
err *trace_save_spans(struct req *r, const struct ent_experiment *e,
                      const struct otlp_spans *spans) BH_CHECK;

/* One assessment as a client sends it; trace_id and times are filled in. `id` as given by us. */
err *trace_read_assessment(struct req *r, jval *in, str trace_id,
                           struct mlflow_assessment *ret) BH_CHECK;

/* The v3 info added to o. */
err *trace_show_info(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t,
                     const struct ent_experiment *e) BH_CHECK;
/* The v2 info added to o. */
err *trace_show_v2(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t,
                   const struct ent_experiment *e) BH_CHECK;
/* {"trace_info","spans"} added to o. */
err *trace_show_all(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t,
                    const struct ent_experiment *e) BH_CHECK;
int trace_state_of(str name); /* 0: not known */

#endif
