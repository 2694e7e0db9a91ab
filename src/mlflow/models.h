/* SPDX-License-Identifier: Apache-2.0 */
/* Logged models: who may reach them, and how answers show them. */
#ifndef BH_MLFLOW_MODELS_H
#define BH_MLFLOW_MODELS_H

#include "mlflow/access.h"
#include "store/mlflow_models.h"

struct access_model {
    struct mlflow_model model;
    struct ent_experiment experiment;
};
/* "Logged model with ID '…' not found." where it is deleted or out of reach. */
err *access_model(struct req *r, str model_id, uint64_t level, struct access_model *ret) BH_CHECK;

/* {"info","data"} added to o. */
err *show_model(struct req *r, store_tx *tx, jmut *o, const struct mlflow_model *m,
                const struct ent_experiment *e) BH_CHECK;
/* "LOGGED_MODEL_READY" …; 0: unknown. */
int show_model_status_of(str name);

#endif
