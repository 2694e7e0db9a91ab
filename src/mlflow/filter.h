/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MLflow's filter and order_by language into typed trees (store/mlflow_query.h).
 * Facts: mlflow/utils/search_utils.py of MLflow 3.17; the messages are those that its tests match.
 */
#ifndef BH_MLFLOW_FILTER_H
#define BH_MLFLOW_FILTER_H

#include "store/mlflow_query.h"

/* What is searched: which entities, attributes and comparators are allowed. */
enum filter_domain {
    FILTER_RUNS,
    FILTER_EXPERIMENTS,
    FILTER_MODELS,
    FILTER_TRACES,
    FILTER_REGISTERED, /* registered models */
    FILTER_VERSIONS,   /* versions of registered models */
};

#define FILTER_MAX_TEXT 65536u

/* Parses a filter; the result lives in the arena and may point into text. Empty text: no clauses.
 * Error: INVALID_PARAMETER_VALUE. */
err *filter_parse(arena *a, enum filter_domain d, str text, struct mlq *q) BH_CHECK;
/* Appends one order_by clause ("metrics.m DESC"). */
err *filter_order(arena *a, enum filter_domain d, str text, struct mlq *q) BH_CHECK;
/* The attribute of a name alone, for the structured order_by of logged models. */
err *filter_attribute(enum filter_domain d, str name, enum mlq_attribute *ret) BH_CHECK;

#endif
