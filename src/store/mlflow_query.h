/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed searches over runs, logged models, traces and experiments: what src/mlflow/filter.c makes
 * of MLflow's filter language and what src/store/mlflow_search.c answers. A filter is a list of
 * clauses joined by AND; the language has no OR.
 */
#ifndef BH_STORE_MLFLOW_QUERY_H
#define BH_STORE_MLFLOW_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum mlq_entity {
    MLQ_ATTRIBUTE,
    MLQ_METRIC,
    MLQ_PARAM,
    MLQ_TAG,
    MLQ_DATASET,     /* key: name, digest or context */
    MLQ_METADATA,    /* traces */
    MLQ_SPAN,        /* key: name, type, status, content, attributes.<name> */
    MLQ_FEEDBACK,    /* key: name of the assessment */
    MLQ_EXPECTATION, /* key: name of the assessment */
};

enum mlq_attribute {
    MLQ_NONE,
    MLQ_ID, /* run_id, model_id, request_id, experiment_id */
    MLQ_NAME,
    MLQ_USER,
    MLQ_STATUS,
    MLQ_START,   /* start_time, creation time, timestamp: milliseconds */
    MLQ_END,     /* end_time, last update */
    MLQ_LASTING, /* execution_time of a trace */
    MLQ_ARTIFACT_URI,
    MLQ_MODEL_TYPE,
    MLQ_SOURCE_RUN,
    MLQ_CLIENT_REQUEST,
    MLQ_EXPERIMENT,
    MLQ_VERSION_NUMBER, /* of model versions */
    MLQ_SOURCE_PATH,
};

enum mlq_op {
    MLQ_EQ,
    MLQ_NE,
    MLQ_LT,
    MLQ_LE,
    MLQ_GT,
    MLQ_GE,
    MLQ_LIKE,
    MLQ_ILIKE,
    MLQ_RLIKE,
    MLQ_IN,
    MLQ_NOT_IN,
    MLQ_IS_NULL,
    MLQ_NOT_NULL,
};

struct mlq_clause {
    enum mlq_entity entity;
    enum mlq_attribute attribute; /* of MLQ_ATTRIBUTE */
    enum mlq_op op;
    bool numeric; /* compare with number, else with text */
    str key;
    str text;
    double number;
    str *list; /* of IN and NOT IN */
    size_t n_list;
    void *pattern; /* compiled RLIKE; lives in the arena */
};

struct mlq_order {
    enum mlq_entity entity;
    enum mlq_attribute attribute;
    bool descending;
    str key;
    /* Metrics of logged models only: on which data set; empty: any. */
    str dataset_name, dataset_digest;
};

#define MLQ_MAX_CLAUSES 64
#define MLQ_MAX_ORDERS 16
#define MLQ_MAX_LIST 10000

struct mlq {
    struct mlq_clause *clauses;
    size_t n_clauses;
    struct mlq_order *orders;
    size_t n_orders;
};

/* Does a text satisfy the clause? value.p NULL: there is none. */
bool mlq_match_text(const struct mlq_clause *c, str value);
/* The same for a number; NaN satisfies only !=. */
bool mlq_match_number(const struct mlq_clause *c, double value);
/* SQL LIKE with % and _ (one code point), no escape character. fold: ASCII letters match in both
 * cases. */
bool mlq_like(str text, str pattern, bool fold);
/* Compiles the patterns of RLIKE clauses (PCRE2, limits on work set). */
err *mlq_prepare(arena *a, struct mlq *q) BH_CHECK;

#endif
