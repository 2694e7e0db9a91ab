/* SPDX-License-Identifier: Apache-2.0 */
/* Search over logged models: by creation time when that is the order, else all of an experiment. */
#include <math.h>

#include "store/mlflow_models.h"
#include "store/mlflow_seek.h"

struct object {
    struct mlflow_model model;
    struct mlflow_model_metrics metrics;
    bool metrics_read;
};

static struct topk_key text(str t) {
    return t.p ? (struct topk_key){TOPK_TEXT, 0, t} : (struct topk_key){0};
}
static struct topk_key number(double n) { return (struct topk_key){TOPK_NUMBER, n, STR_NONE}; }

static err *read_metrics(struct seeker *s) {
    struct object *o = s->object;
    if (!o->metrics_read) TRY(mlflow_model_metrics(s->tx, s->scratch, o->model.mid, &o->metrics));
    o->metrics_read = true;
    return NULL;
}

static bool on_dataset(const struct mlflow_model_metric *m, str name, str digest) {
    return (!name.n || str_eq(m->dataset_name, name)) &&
           (!digest.n || str_eq(m->dataset_digest, digest));
}

static bool on_any(const struct mlflow_search *q, const struct mlflow_model_metric *m) {
    bool ok = q->n_datasets == 0;
    for (size_t i = 0; i < q->n_datasets && !ok; i++)
        ok = on_dataset(m, q->datasets[i].name, q->datasets[i].digest);
    return ok;
}

/* With data sets asked for, a model counts only if it has a metric on one of them. */
static err *load(struct seeker *s, int64_t mid, bool *ret_ok) {
    struct object *o = s->object;
    o->metrics_read = false;
    TRY(mlflow_model_row(s->tx, s->scratch, mid, &o->model, ret_ok));
    if (!*ret_ok) return NULL;
    *ret_ok = o->model.deleted_time == 0 && !s->where->deleted;
    if (!*ret_ok || s->search->n_datasets == 0) return NULL;
    TRY(read_metrics(s));
    *ret_ok = false;
    for (size_t i = 0; i < o->metrics.n; i++) *ret_ok |= on_any(s->search, &o->metrics.p[i]);
    return NULL;
}

static const char *status_name(int s) {
    static const char *const names[] = {"", "PENDING", "READY", "FAILED"};
    return s > 0 && s < (int)ARRAY_LEN(names) ? names[s] : "";
}

static struct topk_key attribute_of(struct seeker *s, enum mlq_attribute attribute) {
    struct mlflow_model *m = &((struct object *)s->object)->model;
    switch (attribute) {
    case MLQ_ID:
        return text(m->model_id);
    case MLQ_NAME:
        return text(m->name);
    case MLQ_MODEL_TYPE:
        return text(m->model_type);
    case MLQ_SOURCE_RUN:
        return text(m->source_run_id);
    case MLQ_STATUS:
        return text(str_of(status_name(m->status)));
    case MLQ_START:
        return number((double)m->created);
    case MLQ_END:
        return number((double)m->updated);
    default:
        return (struct topk_key){0};
    }
}

/* The newest value of the metric on the data sets in question. */
static err *metric_of(struct seeker *s, str key, const struct mlq_order *order,
                      struct topk_key *ret) {
    struct object *o = s->object;
    const struct mlflow_model_metric *best = NULL;
    TRY(read_metrics(s));
    for (size_t i = 0; i < o->metrics.n; i++) {
        const struct mlflow_model_metric *m = &o->metrics.p[i];
        bool ok = str_eq(m->key, key) &&
                  (order ? on_dataset(m, order->dataset_name, order->dataset_digest)
                         : on_any(s->search, m));
        if (ok && (!best || m->timestamp > best->timestamp)) best = m;
    }
    if (best) *ret = number(best->value);
    return NULL;
}

static err *value(struct seeker *s, enum mlq_entity entity, enum mlq_attribute attribute, str key,
                  const struct mlq_order *order, struct topk_key *ret) {
    struct object *o = s->object;
    str t = STR_NONE;
    *ret = (struct topk_key){0};
    switch (entity) {
    case MLQ_ATTRIBUTE:
        *ret = attribute_of(s, attribute);
        return NULL;
    case MLQ_METRIC:
        return metric_of(s, key, order, ret);
    case MLQ_PARAM:
        TRY(mlflow_model_item(s->tx, s->scratch, o->model.mid, MODEL_PARAM, key, &t));
        break;
    case MLQ_TAG:
        TRY(mlflow_model_item(s->tx, s->scratch, o->model.mid, MODEL_TAG, key, &t));
        break;
    default:
        return NULL;
    }
    *ret = text(t);
    return NULL;
}

static err *in_experiment(struct seeker *s) {
    if (s->where->deleted) return NULL;
    const struct mlq *q = s->search->q;
    sql *rows;
    for (size_t i = 0; i < q->n_clauses; i++) {
        const struct mlq_clause *c = &q->clauses[i];
        if (c->entity != MLQ_ATTRIBUTE || c->attribute != MLQ_NAME || c->op != MLQ_EQ) continue;
        TRY(sql_open(&rows, s->tx, "SELECT mid FROM model WHERE eid = ?1 AND name = ?2",
                     sql_i(s->eid), sql_t(c->text)));
        return seek_all(s, rows, false);
    }
    double at;
    bool newest = seek_newest(s, &at);
    TRY(sql_open(&rows, s->tx,
                 "SELECT mid FROM model WHERE eid = ?1 AND created <= ?2"
                 " ORDER BY created DESC, model_id",
                 sql_i(s->eid), sql_f(at)));
    return seek_all(s, rows, newest);
}

static const struct seek_ops ops = {load, value, NULL, "model_id", in_experiment};

err *mlflow_search_models(store_tx *tx, arena *a, const struct mlflow_search *search,
                          struct mlflow_found *ret) {
    struct object o = {0};
    return seek_search(tx, a, search, &ops, &o, ret);
}
