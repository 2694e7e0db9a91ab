/* SPDX-License-Identifier: Apache-2.0 */
/* Short answers that tables of runs, models and traces have in common. Each function closes its query, also after an error. */
#ifndef BH_STORE_MLFLOW_READ_H
#define BH_STORE_MLFLOW_READ_H

#include "store/mlflow_runs.h"
#include "store/sql.h"

/* Column 0 of the only row, in the arena; p NULL: there is no row. */
err *mlflow_read_text(sql *q, arena *a, str *ret) BH_CHECK;
/* Columns 0 and 1 of all rows, in their order. */
err *mlflow_read_pairs(sql *q, arena *a, struct mlflow_pairs *ret) BH_CHECK;

#endif
