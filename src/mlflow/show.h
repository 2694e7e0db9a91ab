/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as MLflow's answers show them (protobuf-JSON: service.proto of MLflow 3). */
#ifndef BH_MLFLOW_SHOW_H
#define BH_MLFLOW_SHOW_H

#include "mlflow/access.h"

/* {"experiment_id","name","artifact_location","lifecycle_stage",…} added to o. */
void show_experiment(struct req *r, jmut *o, const struct ent_experiment *e);
/* {"run_id",…,"lifecycle_stage"} added to o. active: see access_run. */
void show_run_info(struct req *r, jmut *o, const struct mlflow_run *run,
                   const struct ent_experiment *e, bool active);
/* {"info","data","inputs","outputs"} added to o; reads what belongs to the run from tx. */
err *show_run(struct req *r, store_tx *tx, jmut *o, const struct mlflow_run *run,
              const struct ent_experiment *e, bool active) BH_CHECK;
/* {"key","value","timestamp","step"} */
void show_point(struct req *r, jmut *o, const struct mlflow_point *p);

/* "RUNNING"… and back; 0: unknown. */
const char *show_status(int status);
int show_status_of(str name);

/* Tags of experiments as kept in the entity: a JSON object of texts. */
err *show_tags_parse(arena *a, str json, struct mlflow_pairs *ret) BH_CHECK;
str show_tags_json(arena *a, const struct mlflow_pairs *tags);
/* [{"key","value"}…] */
void show_pairs(struct req *r, jmut *o, const char *name, const struct mlflow_pairs *p);

/* Reads [{"key","value"}…] of an argument; a missing value is "". */
struct mlflow_pairs show_pairs_of(struct req *r, const char *name);

/* The text of an argument of any type, to bind page tokens to; "" for NULL. */
str show_raw(arena *a, jval *v);

#endif
