/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of runs; deleting and restoring many runs. */
#include "api/gen_routes.h"
#include "mlflow/access.h"
#include "mlflow/rules.h"
#include "mlflow/show.h"

#define MAX_DATASETS 1000u
#define MAX_MANY 10000

static err *tags_of(struct req *r, jval *in, struct mlflow_dataset *d) {
    jdoc *doc = json_doc(r->a);
    jmut *list = yyjson_mut_arr(doc);
    jval *x;
    size_t i, max;
    d->context = STR_NONE;
    yyjson_arr_foreach(json_get(in, "tags"), i, max, x) {
        str key = json_get_str(x, "key"), value = json_get_str(x, "value");
        TRY(rule_length(key, 255, "key"));
        TRY(rule_length(value, 500, "value"));
        jmut *o = json_add_obj(doc, list);
        json_put_str(doc, o, "key", key);
        json_put_str(doc, o, "value", value);
        if (str_eqz(key, "mlflow.data.context")) d->context = value;
    }
    d->tags = json_text(r->a, list);
    return NULL;
}

static err *dataset_of(struct req *r, jval *in, struct mlflow_dataset *d) {
    jval *x = json_get(in, "dataset");
    *d = (struct mlflow_dataset){
        .name = json_get_str(x, "name"),
        .digest = json_get_str(x, "digest"),
        .source_type = json_get_str(x, "source_type"),
        .source = json_get_str(x, "source"),
        .schema = json_get_str(x, "schema"),
        .profile = json_get_str(x, "profile"),
    };
    TRY(rule_length(d->name, 500, "name"));
    TRY(rule_length(d->digest, 36, "digest"));
    TRY(rule_length(d->source, 65535, "source"));
    TRY(rule_length(d->schema, 1048575, "schema"));
    TRY(rule_length(d->profile, 16777215, "profile"));
    return tags_of(r, in, d);
}

static err *models_of(struct req *r, struct mlflow_model_refs *ret) {
    jval *list = arg(r, "models"), *x;
    size_t i, max;
    TRY(rule_batch("models", MAX_DATASETS, yyjson_arr_size(list)));
    *ret = (struct mlflow_model_refs){
        arena_array_of(r->a, struct mlflow_model_ref, yyjson_arr_size(list) + 1), 0};
    yyjson_arr_foreach(list, i, max, x) {
        int64_t step = 0;
        (void)json_i64(json_get(x, "step"), &step);
        ret->p[ret->n++] = (struct mlflow_model_ref){json_get_str(x, "model_id"), step};
    }
    return NULL;
}

err *api_mlflow_log_inputs(struct req *r) {
    struct access_run *a;
    struct mlflow_model_refs models;
    jval *list = arg(r, "datasets"), *x;
    size_t i, max, n = yyjson_arr_size(list);
    TRY(rule_batch("datasets", MAX_DATASETS, n));
    struct mlflow_dataset *sets = arena_array_of(r->a, struct mlflow_dataset, n + 1);
    yyjson_arr_foreach(list, i, max, x) { TRY(dataset_of(r, x, &sets[i])); }
    TRY(models_of(r, &models));
    TRY(access_run_write(r, &a));
    TRY(mlflow_run_add_datasets(r->tx, &a->run, sets, n));
    return mlflow_run_add_models(r->tx, &a->run, false, models.p, models.n);
}

err *api_mlflow_log_outputs(struct req *r) {
    struct access_run *a;
    struct mlflow_model_refs models;
    TRY(models_of(r, &models));
    TRY(access_run_write(r, &a));
    return mlflow_run_add_models(r->tx, &a->run, true, models.p, models.n);
}

/* ---- many runs ---- */

err *api_mlflow_experiment_for_edit(struct req *r) {
    int64_t id;
    struct ent_experiment *e = arena_new_of(r->a, struct ent_experiment);
    TRY(access_experiment_arg(r, "experiment_id", &id));
    r->state = e;
    return access_experiment_now(r, id, EXPERIMENTS_CAN_EDIT, e);
}

static int64_t many(struct req *r) {
    int64_t max = arg_i64(r, "max_runs", MAX_MANY);
    return max < 1 ? 1 : max > MAX_MANY ? MAX_MANY : max;
}

err *api_mlflow_runs_delete_before(struct req *r) {
    const struct ent_experiment *e = r->state;
    int64_t n;
    TRY(mlflow_run_delete_before(r->tx, r->scope, e->id, arg_i64(r, "max_timestamp_millis", 0),
                                 access_now(), many(r), &n));
    jmut *o = req_out(r);
    json_put_int(r->doc, o, "runs_deleted", n);
    return NULL;
}

err *api_mlflow_runs_restore_since(struct req *r) {
    const struct ent_experiment *e = r->state;
    int64_t n;
    TRY(mlflow_run_restore_since(r->tx, r->scope, e->id, arg_i64(r, "min_timestamp_millis", 0),
                                 many(r), &n));
    jmut *o = req_out(r);
    json_put_int(r->doc, o, "runs_restored", n);
    return NULL;
}

static err *datasets_of(struct req *r, store_tx *meta, jval *id, jmut *list) {
    int64_t n;
    struct ent_experiment e;
    struct mlflow_datasets sets;
    if (!json_i64(id, &n) || n < 0) return NULL;
    TRY(access_experiment(meta, r, n, EXPERIMENTS_CAN_READ, &e));
    TRY(mlflow_datasets_of(r->tx, r->scope, r->a, n, MAX_DATASETS, &sets));
    for (size_t i = 0; i < sets.n; i++) {
        jmut *o = json_add_obj(r->doc, list);
        json_put_str(r->doc, o, "experiment_id", str_of(arena_printf(r->a, "%lld", (long long)n)));
        json_put_str(r->doc, o, "name", sets.p[i].name);
        json_put_str(r->doc, o, "digest", sets.p[i].digest);
        if (sets.p[i].context.p) json_put_str(r->doc, o, "context", sets.p[i].context);
    }
    return NULL;
}

err *api_mlflow_datasets_search(struct req *r) {
    jval *ids = arg(r, "experiment_ids"), *x;
    size_t i, max;
    store_tx *meta;
    err *e = NULL;
    if (yyjson_arr_size(ids) > 20)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "At most 20 experiments at once.");
    TRY(access_meta_begin(r, &meta));
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "dataset_summaries");
    yyjson_arr_foreach(ids, i, max, x) {
        if (!e) e = datasets_of(r, meta, x, list);
    }
    access_meta_end(r, meta);
    return e;
}
