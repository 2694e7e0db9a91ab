/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as clients send them. */
#ifndef BH_MLFLOW_POINTS_H
#define BH_MLFLOW_POINTS_H

#include "mlflow/access.h"

/* One metric (an object) or many (a list), checked by MLflow's rules. */
err *points_of(struct req *r, jval *in, struct mlflow_points *ret) BH_CHECK;
/* Those that name a logged model ("model_id") are noted on it too; a model that is not there, or
 * belongs to an experiment in which the caller may not write, is RESOURCE_DOES_NOT_EXIST. */
err *points_to_models(struct req *r, const struct mlflow_run *run, jval *in,
                      const struct mlflow_points *points) BH_CHECK;

#endif
