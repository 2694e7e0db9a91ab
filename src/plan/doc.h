/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One view on documents in JSON and in UBJSON, which XGBoost writes with the same tree of names.
 * Internal to the importers.
 */
#ifndef BH_PLAN_DOC_H
#define BH_PLAN_DOC_H

#include "base/json.h"
#include "plan/ubj.h"

/* A value of either form; both NULL: absent. */
struct doc {
    jval *j;
    const struct ubj *u;
};

static inline bool doc_is(struct doc d) { return d.j || d.u; }
struct doc doc_get(struct doc d, const char *key);
/* Reads of the value; false if it is absent or of another kind. Numbers are read from strings too. */
bool doc_str(struct doc d, str *ret);
bool doc_i64(struct doc d, int64_t *ret);
bool doc_f64(struct doc d, double *ret);
bool doc_is_array(struct doc d);
bool doc_is_object(struct doc d);
size_t doc_len(struct doc d);
/* All elements, as an array of the arena. */
bool doc_items(arena *a, struct doc d, struct doc **ret, size_t *n);
/* All elements as numbers (booleans count as 0 and 1). */
bool doc_i64s(arena *a, struct doc d, int64_t **ret, size_t *n);
bool doc_f64s(arena *a, struct doc d, double **ret, size_t *n);

#endif
