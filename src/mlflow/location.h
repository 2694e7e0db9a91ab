/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where artifacts of runs, logged models and traces lie. One place, three ways of writing it:
 *
 *   plain http       mlflow-artifacts:/<exp>/<run>/artifacts[/rest]
 *                    mlflow-artifacts:/<exp>/models/<model>/artifacts[/rest]
 *                    mlflow-artifacts:/<exp>/traces/<trace>/artifacts[/rest]
 *   databricks       dbfs:/databricks/mlflow-tracking/<exp>/<run>/artifacts[/rest]
 *                    dbfs:/databricks/mlflow-tracking/<exp>/logged_models/<model>/artifacts[/rest]
 *                    dbfs:/databricks/mlflow-tracking/<exp>/tr-<trace>/artifacts[/rest]
 *   Files API        /WorkspaceInternal/Mlflow/Artifacts/<exp>/Runs/<run>/artifacts[/rest]
 *                    /WorkspaceInternal/Mlflow/Artifacts/<exp>/LoggedModels/<model>/artifacts[/rest]
 *                    /WorkspaceInternal/Mlflow/Artifacts/<exp>/Traces/<trace>/artifacts[/rest]
 *
 * The last is how files are kept; the others are shown to the clients that know them. Pure.
 */
#ifndef BH_MLFLOW_LOCATION_H
#define BH_MLFLOW_LOCATION_H

#include "base/arena.h"

enum location_kind { LOCATION_RUN, LOCATION_MODEL, LOCATION_TRACE };

struct location {
    int64_t experiment;
    enum location_kind kind;
    str id;   /* run id, "m-…", "tr-…" */
    str rest; /* below artifacts/, without a slash at either end */
};

/* False where the text is none of the forms above, or has "." or ".." or an empty part. */
bool location_read(str text, struct location *ret);

str location_http(arena *a, const struct location *l);
str location_databricks(arena *a, const struct location *l);
str location_files(arena *a, const struct location *l);

#endif
