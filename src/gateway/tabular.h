/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invocation bodies to rows of cells, by the model's signature.
 *
 * The four tabular forms of the MLflow scoring protocol (reference: mlflow.pyfunc.scoring_server):
 *   dataframe_split    {"columns":[…],"data":[[…]],"index":[…]}  (also a list of one such object)
 *   dataframe_records  [{"col":value,…},…]
 *   instances          [{"col":value},…] | [[…],…] | [value,…]
 *   inputs             {"col":[…],…} | {"col":value} | [[…],…] | [{…}]
 * and text/csv with a header line. Beside them: params, client_request_id, usage_context.
 *
 * Conversions are those that MLflow does through pandas: numbers of either kind fit a double or
 * float column; a long or integer column truncates fractions and refuses NaN; booleans are 0 and 1;
 * decimal strings fit numeric columns. Columns are found by name; extra ones are dropped. Rows of
 * plain arrays are taken by position when their width is the signature's.
 */
#ifndef BH_GATEWAY_TABULAR_H
#define BH_GATEWAY_TABULAR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum tab_type { TAB_DOUBLE, TAB_FLOAT, TAB_LONG, TAB_INTEGER, TAB_BOOLEAN, TAB_STRING };

#define TAB_MAX_COLUMNS 10000u
#define TAB_MAX_CELLS (64u * 1024u * 1024u)

struct tab_column {
    str name;
    enum tab_type type;
    bool required;
    size_t slot; /* its place in a row of numbers, or of texts for TAB_STRING */
};

struct tab_schema {
    struct tab_column *columns;
    size_t n, n_num, n_text; /* columns; of them numeric, and text */
    bool named;     /* false: a tensor signature or none: rows by position */
};

struct plan;
/* The input columns of a checked plan. */
void tab_schema_of_plan(arena *a, const struct plan *p, struct tab_schema *ret);

/* Reused between requests of one loop. */
struct tab_batch {
    double *num;    /* rows × n_num; NaN where missing */
    str *text;      /* rows × n_text; p NULL where missing */
    size_t rows, cap_num, cap_text, cap_pool;
    void *pool;     /* yyjson's memory */
    size_t pool_used; /* CSV strings kept at the pool's start */
    str client_request_id;
};
void tab_batch_free(struct tab_batch *b);

/* Errors are 400s with MLflow's texts (code BAD_REQUEST or INVALID_PARAMETER_VALUE). Strings point
 * into the batch's memory or the body. */
err *tab_read_json(const struct tab_schema *s, str body, struct tab_batch *b) BH_CHECK;
err *tab_read_csv(const struct tab_schema *s, str body, struct tab_batch *b) BH_CHECK;

#endif
