/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/models.h"

#include "mlflow/show.h"
#include "rest/control.h"

static const char *const statuses[] = {"LOGGED_MODEL_STATUS_UNSPECIFIED", "LOGGED_MODEL_PENDING",
                                       "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"};

int show_model_status_of(str name) {
    for (int i = 1; i < (int)ARRAY_LEN(statuses); i++)
        if (str_eqz(name, statuses[i])) return i;
    return 0;
}

static err *find_model(struct req *r, str id, struct access_model *ret, bool *found) {
    if (r->tx && store_tx_file(r->tx) == STORE_MLFLOW)
        return mlflow_model_get(r->tx, r->scope, r->a, id, &ret->model, found);
    store_tx *tx;
    TRY(store_read_begin(r->control->store, STORE_MLFLOW, 0, &tx));
    err *e = mlflow_model_get(tx, r->scope, r->a, id, &ret->model, found);
    store_read_end(tx);
    return e;
}

static err *check_model(store_tx *meta, struct req *r, uint64_t level, struct access_model *ret,
                        uint64_t *has) {
    bool found;
    TRY(access_find(meta, r, ret->model.experiment, &ret->experiment, &found));
    if (!found) return NULL;
    TRY(access_level(meta, r, &ret->experiment, has));
    return *has ? access_need(meta, r, &ret->experiment, level) : NULL;
}

err *access_model(struct req *r, str model_id, uint64_t level, struct access_model *ret) {
    bool found;
    uint64_t has = 0;
    TRY(find_model(r, model_id, ret, &found));
    if (found && !ret->model.deleted_time) {
        store_tx *meta;
        TRY(access_meta_begin(r, &meta));
        err *e = check_model(meta, r, level, ret, &has);
        access_meta_end(r, meta);
        if (e) return e;
    }
    if (has) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Logged model with ID '%.*s' not found.",
                   STR_ARG(str_cut(model_id, 100)));
}

static void put_number(struct req *r, jmut *o, const char *k, int64_t n) {
    json_put_str(r->doc, o, k, str_of(arena_printf(r->a, "%lld", (long long)n)));
}

err *show_model(struct req *r, store_tx *tx, jmut *o, const struct mlflow_model *m,
                const struct ent_experiment *e) {
    struct mlflow_pairs tags, params;
    struct mlflow_model_metrics metrics;
    TRY(mlflow_model_items(tx, r->a, m->mid, MODEL_TAG, &tags));
    TRY(mlflow_model_items(tx, r->a, m->mid, MODEL_PARAM, &params));
    TRY(mlflow_model_metrics(tx, r->a, m->mid, &metrics));
    jmut *i = json_put_obj(r->doc, o, "info");
    json_put_str(r->doc, i, "model_id", m->model_id);
    put_number(r, i, "experiment_id", m->experiment);
    json_put_str(r->doc, i, "name", m->name);
    put_number(r, i, "creation_timestamp_ms", m->created);
    put_number(r, i, "last_updated_timestamp_ms", m->updated);
    json_put_str(r->doc, i, "artifact_uri", access_model_uri(r, e, m->model_id));
    json_put_z(r->doc, i, "status", statuses[m->status]);
    if (m->creator) json_put_int(r->doc, i, "creator_id", m->creator);
    if (m->model_type.n) json_put_str(r->doc, i, "model_type", m->model_type);
    if (m->source_run_id.n) json_put_str(r->doc, i, "source_run_id", m->source_run_id);
    if (m->status_message.n) json_put_str(r->doc, i, "status_message", m->status_message);
    show_pairs(r, i, "tags", &tags);
    jmut *d = json_put_obj(r->doc, o, "data");
    show_pairs(r, d, "params", &params);
    jmut *list = json_put_arr(r->doc, d, "metrics");
    for (size_t k = 0; k < metrics.n; k++) {
        const struct mlflow_model_metric *p = &metrics.p[k];
        jmut *x = json_add_obj(r->doc, list);
        struct mlflow_point point = {p->key, p->value, p->timestamp, p->step};
        show_point(r, x, &point);
        json_put_str(r->doc, x, "model_id", m->model_id);
        json_put_str(r->doc, x, "run_id", p->run_id);
        if (p->dataset_name.n) json_put_str(r->doc, x, "dataset_name", p->dataset_name);
        if (p->dataset_digest.n) json_put_str(r->doc, x, "dataset_digest", p->dataset_digest);
    }
    return NULL;
}
