/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/show.h"

#include "base/time.h"

static const char *const statuses[] = {"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};

const char *show_status(int status) {
    return status > 0 && status < (int)ARRAY_LEN(statuses) ? statuses[status] : "RUNNING";
}

int show_status_of(str name) {
    for (int i = 1; i < (int)ARRAY_LEN(statuses); i++)
        if (str_eqz(name, statuses[i])) return i;
    return 0;
}

static str number(struct req *r, int64_t n) {
    return str_of(arena_printf(r->a, "%lld", (long long)n));
}

void show_pairs(struct req *r, jmut *o, const char *name, const struct mlflow_pairs *p) {
    jmut *list = json_put_arr(r->doc, o, name);
    for (size_t i = 0; i < p->n; i++) {
        jmut *x = json_add_obj(r->doc, list);
        json_put_str(r->doc, x, "key", p->p[i].key);
        json_put_str(r->doc, x, "value", p->p[i].value);
    }
}

struct mlflow_pairs show_pairs_of(struct req *r, const char *name) {
    jval *list = arg(r, name), *x;
    size_t i, max;
    struct mlflow_pairs out = {arena_array_of(r->a, struct mlflow_pair, yyjson_arr_size(list) + 1),
                               0};
    yyjson_arr_foreach(list, i, max, x) {
        str value = json_get_str(x, "value");
        out.p[out.n++] = (struct mlflow_pair){json_get_str(x, "key"), value.p ? value : STR("")};
    }
    return out;
}

str show_raw(arena *a, jval *v) {
    return v ? json_text(a, yyjson_val_mut_copy(json_doc(a), v)) : STR("");
}

err *show_tags_parse(arena *a, str json, struct mlflow_pairs *ret) {
    *ret = (struct mlflow_pairs){arena_array_of(a, struct mlflow_pair, 1), 0};
    if (json.n == 0) return NULL;
    jval *o, *k, *v;
    TRY(json_parse(a, json, false, &o));
    ret->p = arena_array_of(a, struct mlflow_pair, yyjson_obj_size(o) + 1);
    size_t i, max;
    yyjson_obj_foreach(o, i, max, k, v) {
        ret->p[ret->n++] = (struct mlflow_pair){json_str(k), json_str(v)};
    }
    return NULL;
}

str show_tags_json(arena *a, const struct mlflow_pairs *tags) {
    jdoc *d = json_doc(a);
    jmut *o = yyjson_mut_obj(d);
    for (size_t i = 0; i < tags->n; i++)
        yyjson_mut_obj_add(o, yyjson_mut_strn(d, tags->p[i].key.p, tags->p[i].key.n),
                           yyjson_mut_strn(d, tags->p[i].value.p, tags->p[i].value.n));
    return json_text(a, o);
}

void show_experiment(struct req *r, jmut *o, const struct ent_experiment *e) {
    struct mlflow_pairs tags;
    json_put_str(r->doc, o, "experiment_id", number(r, e->id));
    json_put_str(r->doc, o, "name", e->name);
    json_put_str(r->doc, o, "artifact_location", access_experiment_uri(r, e));
    json_put_str(r->doc, o, "lifecycle_stage",
                 access_is_active(e) ? STR("active") : STR("deleted"));
    json_put_int(r->doc, o, "creation_time", e->created_at / US_PER_MS);
    json_put_int(r->doc, o, "last_update_time", e->updated_at / US_PER_MS);
    err *bad = show_tags_parse(r->a, e->tags, &tags);
    if (!bad) show_pairs(r, o, "tags", &tags);
    err_free(bad);
}

void show_run_info(struct req *r, jmut *o, const struct mlflow_run *run,
                   const struct ent_experiment *e, bool active) {
    json_put_str(r->doc, o, "run_id", run->run_id);
    json_put_str(r->doc, o, "run_uuid", run->run_id);
    json_put_str(r->doc, o, "run_name", run->name);
    json_put_str(r->doc, o, "experiment_id", number(r, run->experiment));
    json_put_str(r->doc, o, "user_id", run->user_id);
    json_put_z(r->doc, o, "status", show_status(run->status));
    json_put_int(r->doc, o, "start_time", run->start_time);
    if (run->end_time) json_put_int(r->doc, o, "end_time", run->end_time);
    json_put_str(r->doc, o, "artifact_uri", access_run_uri(r, e, run->run_id));
    json_put_z(r->doc, o, "lifecycle_stage", active ? "active" : "deleted");
}

void show_point(struct req *r, jmut *o, const struct mlflow_point *p) {
    json_put_str(r->doc, o, "key", p->key);
    json_put_f64(r->doc, o, "value", p->value);
    json_put_int(r->doc, o, "timestamp", p->timestamp);
    json_put_int(r->doc, o, "step", p->step);
}

static err *show_inputs(struct req *r, store_tx *tx, jmut *o, int64_t rid) {
    struct mlflow_datasets sets;
    struct mlflow_model_refs in, out;
    TRY(mlflow_run_datasets(tx, r->a, rid, &sets));
    TRY(mlflow_run_models(tx, r->a, rid, false, &in));
    TRY(mlflow_run_models(tx, r->a, rid, true, &out));
    jmut *inputs = json_put_obj(r->doc, o, "inputs");
    jmut *list = json_put_arr(r->doc, inputs, "dataset_inputs");
    for (size_t i = 0; i < sets.n; i++) {
        const struct mlflow_dataset *d = &sets.p[i];
        jmut *x = json_add_obj(r->doc, list);
        jval *tags;
        TRY(json_parse(r->a, d->tags, false, &tags));
        json_put(r->doc, x, "tags", yyjson_val_mut_copy(r->doc, tags));
        jmut *ds = json_put_obj(r->doc, x, "dataset");
        json_put_str(r->doc, ds, "name", d->name);
        json_put_str(r->doc, ds, "digest", d->digest);
        json_put_str(r->doc, ds, "source_type", d->source_type);
        json_put_str(r->doc, ds, "source", d->source);
        if (d->schema.p) json_put_str(r->doc, ds, "schema", d->schema);
        if (d->profile.p) json_put_str(r->doc, ds, "profile", d->profile);
    }
    list = json_put_arr(r->doc, inputs, "model_inputs");
    for (size_t i = 0; i < in.n; i++)
        json_put_str(r->doc, json_add_obj(r->doc, list), "model_id", in.p[i].model_id);
    list = json_put_arr(r->doc, json_put_obj(r->doc, o, "outputs"), "model_outputs");
    for (size_t i = 0; i < out.n; i++) {
        jmut *x = json_add_obj(r->doc, list);
        json_put_str(r->doc, x, "model_id", out.p[i].model_id);
        json_put_int(r->doc, x, "step", out.p[i].step);
    }
    return NULL;
}

err *show_run(struct req *r, store_tx *tx, jmut *o, const struct mlflow_run *run,
              const struct ent_experiment *e, bool active) {
    struct mlflow_points metrics;
    struct mlflow_pairs params, tags;
    TRY(mlflow_metrics_latest(tx, r->a, run->rid, &metrics));
    TRY(mlflow_run_params(tx, r->a, run->rid, &params));
    TRY(mlflow_run_tags(tx, r->a, run->rid, &tags));
    show_run_info(r, json_put_obj(r->doc, o, "info"), run, e, active);
    jmut *data = json_put_obj(r->doc, o, "data");
    jmut *list = json_put_arr(r->doc, data, "metrics");
    for (size_t i = 0; i < metrics.n; i++) show_point(r, json_add_obj(r->doc, list), &metrics.p[i]);
    show_pairs(r, data, "params", &params);
    show_pairs(r, data, "tags", &tags);
    return show_inputs(r, tx, o, run->rid);
}
