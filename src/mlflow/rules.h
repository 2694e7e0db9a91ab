/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What MLflow allows as names, keys and values, with its messages.
 * Facts: mlflow/utils/validation.py of MLflow 3.17.
 */
#ifndef BH_MLFLOW_RULES_H
#define BH_MLFLOW_RULES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define RULE_MAX_KEY 250u
#define RULE_MAX_PARAM 6000u
#define RULE_MAX_TAG 8000u
#define RULE_MAX_EXPERIMENT_TAG 20000u
#define RULE_MAX_METRICS 1000u
#define RULE_MAX_PARAMS 100u
#define RULE_MAX_TAGS 100u
#define RULE_MAX_ITEMS 1000u

/* A key of a metric, parameter or tag. path: where it stood ("metrics[3].name"); entity for the
 * message about its length ("Metric name"). */
err *rule_key(str key, const char *path, const char *entity) BH_CHECK;
/* "'<path>' exceeds the maximum length of <limit> characters" */
err *rule_length(str s, size_t limit, const char *path) BH_CHECK;
/* The first `limit` code points, as MLflow cuts long values of parameters and tags. */
str rule_cut(str s, size_t limit);
/* Times of metrics: not negative. */
err *rule_timestamp(int64_t ms, const char *path, str key) BH_CHECK;
/* "A batch logging request can contain at most <limit> <what>. Got <n> …" */
err *rule_batch(const char *what, size_t limit, size_t n) BH_CHECK;
/* Names of logged models. */
err *rule_model_name(str name) BH_CHECK;
/* "adjective-animal-123", for runs and models without a name. */
str rule_random_name(arena *a);

#endif
