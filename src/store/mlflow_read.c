/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mlflow_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

err *mlflow_read_text(sql *q, arena *a, str *ret) {
    bool row = false;
    err *e = sql_step(q, &row);
    *ret = !e && row ? sql_get_t(q, 0, a) : STR_NONE;
    sql_close(q);
    return e;
}

err *mlflow_read_pairs(sql *q, arena *a, struct mlflow_pairs *ret) {
    vec_of(struct mlflow_pair) v = {0};
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row)
        vec_push(&v, ((struct mlflow_pair){sql_get_t(q, 0, a), sql_get_t(q, 1, a)}));
    sql_close(q);
    ret->p = arena_array_of(a, struct mlflow_pair, v.n + 1);
    ret->n = v.n;
    if (v.n) memcpy(ret->p, v.p, v.n * sizeof(*v.p));
    vec_free(&v);
    return e;
}
