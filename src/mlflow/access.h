/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what in which experiment, and how a client wants to see it.
 *
 * Experiments are entities of meta.db; runs, logged models and traces lie in mlflow.db and inherit
 * the rights of their experiment. So a request that touches a run looks into both files: into
 * mlflow.db for the run, into meta.db for the experiment and its access list. An experiment that
 * the caller may not read answers as if it did not exist, and so do its runs.
 *
 * Experiment 0 ("Default") exists in every workspace without a row until somebody changes it; until
 * an access list is set on it, every user of the workspace may edit in it.
 */
#ifndef BH_MLFLOW_ACCESS_H
#define BH_MLFLOW_ACCESS_H

#include "rest/req.h"
#include "store/gen_entities.h"
#include "store/mlflow_runs.h"

/* A read of meta.db beside the request's own transaction; the same one when the route's file is
 * meta.db. End it with access_meta_end() on the same thread. */
err *access_meta_begin(struct req *r, store_tx **ret) BH_CHECK;
void access_meta_end(struct req *r, store_tx *meta);

/* The experiment, by id or name; found false: there is none (deleted ones are found). */
err *access_find(store_tx *meta, struct req *r, int64_t id, struct ent_experiment *ret,
                 bool *found) BH_CHECK;
err *access_find_name(store_tx *meta, struct req *r, str name, struct ent_experiment *ret,
                      bool *found) BH_CHECK;
/* Level of the caller on it: 0, EXPERIMENTS_CAN_READ, … */
err *access_level(store_tx *meta, struct req *r, const struct ent_experiment *e,
                  uint64_t *ret) BH_CHECK;
/* NULL if the caller has the level; RESOURCE_DOES_NOT_EXIST "No Experiment with id=… exists" where
 * it may not even read. */
err *access_need(store_tx *meta, struct req *r, const struct ent_experiment *e,
                 uint64_t level) BH_CHECK;
/* find and need in one. */
err *access_experiment(store_tx *meta, struct req *r, int64_t id, uint64_t level,
                       struct ent_experiment *ret) BH_CHECK;
/* The same with a read of meta.db of its own. */
err *access_experiment_now(struct req *r, int64_t id, uint64_t level,
                           struct ent_experiment *ret) BH_CHECK;
/* The id in an argument; experiment ids are numbers. */
err *access_experiment_arg(struct req *r, const char *name, int64_t *ret) BH_CHECK;

/* A run that the caller may use at this level. `run` is read from r->tx or, when that is not
 * mlflow.db, from a read of its own. */
struct access_run {
    struct mlflow_run run;
    struct ent_experiment experiment;
    bool active; /* neither the run nor its experiment is deleted */
};
err *access_run(struct req *r, str run_id, uint64_t level, struct access_run *ret) BH_CHECK;
/* Inside a write: the run of r->state (a struct access_run) as it is now. */
err *access_run_again(struct req *r, struct access_run **ret) BH_CHECK;
/* The same; refused unless it is active. Makes the (empty) answer. */
err *access_run_write(struct req *r, struct access_run **ret) BH_CHECK;
/* "Run with id=… not found" */
err *access_no_run(str run_id) BH_CHECK;
/* INVALID_PARAMETER_VALUE unless active, with MLflow's words. */
err *access_run_active(const struct access_run *a) BH_CHECK;
err *access_experiment_active(const struct ent_experiment *e) BH_CHECK;
static inline bool access_is_active(const struct ent_experiment *e) {
    return !str_eqz(e->lifecycle, "deleted");
}

/* ---- how the client wants to see artifacts ---- */

/* True for clients of the Databricks SDK (dbfs:/databricks/mlflow-tracking/…), false for plain
 * MLflow clients (mlflow-artifacts:/…). Files are the same. */
bool access_wants_dbfs(struct req *r);
/* "dbfs:/databricks/mlflow-tracking/" or "mlflow-artifacts:/" */
str access_artifact_root(struct req *r);
str access_experiment_uri(struct req *r, const struct ent_experiment *e);
str access_run_uri(struct req *r, const struct ent_experiment *e, str run_id);
str access_model_uri(struct req *r, const struct ent_experiment *e, str model_id);
str access_trace_uri(struct req *r, const struct ent_experiment *e, str trace_id);

/* Milliseconds now. */
int64_t access_now(void);

#endif
