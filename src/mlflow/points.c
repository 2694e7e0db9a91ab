/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/points.h"

#include "mlflow/rules.h"
#include "store/mlflow_models.h"

/* What errors call the parts of a point. */
struct point_names {
    const char *key, *value, *timestamp;
};

static err *point_of(jval *in, const struct point_names *names, struct mlflow_point *p) {
    *p = (struct mlflow_point){.key = json_get_str(in, "key")};
    TRY(rule_key(p->key, names->key, "Metric name"));
    if (!json_f64(json_get(in, "value"), &p->value))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Missing value for required parameter '%s'.", names->value);
    (void)json_i64(json_get(in, "timestamp"), &p->timestamp);
    (void)json_i64(json_get(in, "step"), &p->step);
    return rule_timestamp(p->timestamp, names->timestamp, p->key);
}

static const struct point_names ALONE = {"name", "value", "timestamp"};

/* The error of element i, with its place in the list: made only where there is one. */
static err *wrong_element(struct req *r, jval *x, size_t i, struct mlflow_point *p) {
    return point_of(x, &(struct point_names){arena_printf(r->a, "metrics[%zu].name", i), arena_printf(r->a, "metrics[%zu].value", i),
                                             arena_printf(r->a, "metrics[%zu].timestamp", i)}, p);
}

err *points_of(struct req *r, jval *in, struct mlflow_points *ret) {
    size_t n = yyjson_is_arr(in) ? yyjson_arr_size(in) : in ? 1 : 0, i, max;
    *ret = (struct mlflow_points){arena_array_of(r->a, struct mlflow_point, n + 1), n};
    if (!yyjson_is_arr(in)) return n ? point_of(in, &ALONE, &ret->p[0]) : NULL;
    jval *x;
    yyjson_arr_foreach(in, i, max, x) {
        err *e = point_of(x, &ALONE, &ret->p[i]);
        if (!e) continue;
        err_free(e);
        return wrong_element(r, x, i, &ret->p[i]);
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
