/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a workspace in mlflow.db goes, a piece in each call. */
#include "store/mlflow_runs.h"
#include "store/sql.h"

#define PIECE "500"
#define RUNS "(SELECT rid FROM run WHERE workspace_id = ?1 ORDER BY run_id LIMIT " PIECE ")"
#define MODELS "(SELECT mid FROM model WHERE workspace_id = ?1 ORDER BY model_id LIMIT " PIECE ")"
#define TRACES "(SELECT tid FROM trace WHERE workspace_id = ?1 ORDER BY trace_id LIMIT " PIECE ")"
#define EXPERIMENTS "(SELECT eid FROM exp WHERE workspace_id = ?1)"

/* In the order given: a list's own rows come last, since the others are found through them. */
static const struct {
    const char *has, *text[9];
} rows[] = {
    {"SELECT 1 FROM run WHERE workspace_id = ?1 LIMIT 1",
     {"DELETE FROM run_param WHERE rid IN " RUNS, "DELETE FROM run_tag WHERE rid IN " RUNS,
      "DELETE FROM run_latest WHERE rid IN " RUNS, "DELETE FROM point WHERE rid IN " RUNS,
      "DELETE FROM point_new WHERE rid IN " RUNS, "DELETE FROM run_hot WHERE rid IN " RUNS,
      "DELETE FROM run_dataset WHERE rid IN " RUNS, "DELETE FROM run_model WHERE rid IN " RUNS,
      "DELETE FROM run WHERE rid IN " RUNS}},
    {"SELECT 1 FROM model WHERE workspace_id = ?1 LIMIT 1",
     {"DELETE FROM model_item WHERE mid IN " MODELS, "DELETE FROM model_metric WHERE mid IN " MODELS,
      "DELETE FROM model WHERE mid IN " MODELS}},
    {"SELECT 1 FROM trace WHERE workspace_id = ?1 LIMIT 1",
     {"DELETE FROM trace_item WHERE tid IN " TRACES, "DELETE FROM assessment WHERE tid IN " TRACES,
      "DELETE FROM span WHERE tid IN " TRACES, "DELETE FROM trace WHERE tid IN " TRACES}},
    {"SELECT 1 FROM exp WHERE workspace_id = ?1 LIMIT 1",
     {"DELETE FROM metric_find WHERE eid IN " EXPERIMENTS, "DELETE FROM dataset WHERE eid IN " EXPERIMENTS,
      "DELETE FROM exp WHERE workspace_id = ?1"}},
};

static err *has_any(store_tx *tx, const char *text, const struct sql_arg *arg, bool *ret) {
    sql *q;
    TRY(sql_open_text(&q, tx, text, arg, 1));
    err *e = sql_step(q, ret);
    sql_close(q);
    return e;
}

err *mlflow_drop_workspace(store_tx *tx, int64_t workspace, bool *ret_more) {
    struct sql_arg arg = sql_i(workspace);
    *ret_more = false;
    for (size_t i = 0; i < ARRAY_LEN(rows) && !*ret_more; i++) {
        bool any;
        TRY(has_any(tx, rows[i].has, &arg, &any));
        if (!any) continue;
        for (size_t k = 0; k < ARRAY_LEN(rows[i].text) && rows[i].text[k]; k++)
            TRY(sql_run_text(tx, rows[i].text[k], &arg, 1));
        TRY(has_any(tx, rows[i].has, &arg, ret_more));
    }
    return NULL;
}
