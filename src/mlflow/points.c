/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/points.h"

#include "mlflow/rules.h"
#include "store/mlflow_models.h"

static err *point_of(jval *in, const char *base, struct mlflow_point *p) {
    char path[64];
    *p = (struct mlflow_point){.key = json_get_str(in, "key")};
    snprintf(path, sizeof(path), "%s%sname", base, base[0] ? "." : "");
    TRY(rule_key(p->key, path, "Metric name"));
    if (!json_f64(json_get(in, "value"), &p->value))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter '%s%svalue'.", base,
                       base[0] ? "." : "");
    (void)json_i64(json_get(in, "timestamp"), &p->timestamp);
    (void)json_i64(json_get(in, "step"), &p->step);
    snprintf(path, sizeof(path), "%s%stimestamp", base, base[0] ? "." : "");
    return rule_timestamp(p->timestamp, path, p->key);
}

err *points_of(struct req *r, jval *in, struct mlflow_points *ret) {
    size_t n = yyjson_is_arr(in) ? yyjson_arr_size(in) : in ? 1 : 0, i, max;
    *ret = (struct mlflow_points){arena_array_of(r->a, struct mlflow_point, n + 1), n};
    if (!yyjson_is_arr(in)) return n ? point_of(in, "", &ret->p[0]) : NULL;
    jval *x;
    yyjson_arr_foreach(in, i, max, x) {
        char base[40];
        snprintf(base, sizeof(base), "metrics[%zu]", i);
        TRY(point_of(x, base, &ret->p[i]));
    }
    return NULL;
}

/* The run's own experiment was checked before; this is for models of others. */
static err *may_edit(struct req *r, int64_t experiment, bool *ret) {
    struct ent_experiment e;
    err *bad = access_experiment_now(r, experiment, EXPERIMENTS_CAN_EDIT, &e);
    *ret = !bad;
    err_free(bad);
    return NULL;
}

static err *to_model(struct req *r, const struct mlflow_run *run, jval *in,
                     const struct mlflow_point *p) {
    str id = json_get_str(in, "model_id"), name = json_get_str(in, "dataset_name"),
        digest = json_get_str(in, "dataset_digest");
    if (!id.n) return NULL;
    struct mlflow_model m;
    bool found;
    TRY(mlflow_model_get(r->tx, r->scope, r->a, id, &m, &found));
    bool ok = found && !m.deleted_time;
    if (ok && m.experiment != run->experiment) TRY(may_edit(r, m.experiment, &ok));
    if (!ok)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Logged model with ID '%.*s' not found.",
                       STR_ARG(str_cut(id, 100)));
    struct mlflow_model_metric metric = {
        p->key,  run->run_id, name.p ? name : STR(""), digest.p ? digest : STR(""), p->timestamp,
        p->step, p->value};
    return mlflow_model_put_metric(r->tx, m.mid, &metric);
}

err *points_to_models(struct req *r, const struct mlflow_run *run, jval *in,
                      const struct mlflow_points *points) {
    if (!yyjson_is_arr(in)) return points->n ? to_model(r, run, in, &points->p[0]) : NULL;
    jval *x;
    size_t i, max;
    yyjson_arr_foreach(in, i, max, x) { TRY(to_model(r, run, x, &points->p[i])); }
    return NULL;
}
