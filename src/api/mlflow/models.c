/* SPDX-License-Identifier: Apache-2.0 */
/* /mlflow/logged-models/… */
#include "mlflow/models.h"
#include "api/gen_routes.h"
#include "mlflow/rules.h"
#include "mlflow/search.h"
#include "mlflow/show.h"
#include "sys/rand.h"

#define MODELS_PAGE 100
#define MODELS_MAX 1000
#define MAX_PAIRS 1000

static err *check_pairs(struct mlflow_pairs *p, const char *what, size_t limit) {
    TRY(rule_batch(what, MAX_PAIRS, p->n));
    for (size_t i = 0; i < p->n; i++) {
        TRY(rule_key(p->p[i].key, "key", "key"));
        p->p[i].value = rule_cut(p->p[i].value, limit);
    }
    return NULL;
}

static err *put_all(struct req *r, const struct mlflow_model *m, enum mlflow_model_kind kind,
                    const struct mlflow_pairs *p) {
    for (size_t i = 0; i < p->n; i++)
        TRY(mlflow_model_put(r->tx, m, kind, p->p[i].key, p->p[i].value));
    return NULL;
}

static err *answer(struct req *r, const struct access_model *a) {
    jmut *o = req_out(r);
    return show_model(r, r->tx, json_put_obj(r->doc, o, "model"), &a->model, &a->experiment);
}

/* ---- create ---- */

struct creation {
    struct access_model a;
    struct mlflow_pairs params, tags;
};

err *api_mlflow_model_create_check(struct req *r) {
    struct creation *c = arena_new_of(r->a, struct creation);
    int64_t id;
    TRY(access_experiment_arg(r, "experiment_id", &id));
    TRY(access_experiment_now(r, id, EXPERIMENTS_CAN_EDIT, &c->a.experiment));
    TRY(access_experiment_active(&c->a.experiment));
    c->params = show_pairs_of(r, "params");
    c->tags = show_pairs_of(r, "tags");
    TRY(check_pairs(&c->params, "params", RULE_MAX_PARAM));
    TRY(check_pairs(&c->tags, "tags", RULE_MAX_TAG));
    str name = arg_str(r, "name");
    if (arg_has(r, "name") && name.n) TRY(rule_model_name(name));
    char hex[33];
    rand_hex(hex, 16);
    c->a.model = (struct mlflow_model){
        .experiment = id,
        .model_id = str_of(arena_printf(r->a, "m-%s", hex)),
        .name = name.n ? name : rule_random_name(r->a),
        .model_type = arg_str(r, "model_type"),
        .source_run_id = arg_str(r, "source_run_id"),
        .status = MODEL_PENDING,
        .created = access_now(),
        .creator = r->principal,
    };
    c->a.model.updated = c->a.model.created;
    r->state = c;
    return NULL;
}

err *api_mlflow_model_create(struct req *r) {
    struct creation *c = r->state;
    TRY(mlflow_model_insert(r->tx, r->scope, &c->a.model));
    TRY(put_all(r, &c->a.model, MODEL_PARAM, &c->params));
    TRY(put_all(r, &c->a.model, MODEL_TAG, &c->tags));
    return answer(r, &c->a);
}

/* ---- one model ---- */

err *api_mlflow_model_get(struct req *r) {
    struct access_model a = {0};
    TRY(access_model(r, arg_str(r, "model_id"), EXPERIMENTS_CAN_READ, &a));
    return answer(r, &a);
}

err *api_mlflow_model_for_edit(struct req *r) {
    struct access_model *a = arena_new_of(r->a, struct access_model);
    TRY(access_model(r, arg_str(r, "model_id"), EXPERIMENTS_CAN_EDIT, a));
    r->state = a;
    return NULL;
}

/* The model as it is now, inside the write; its time of change is moved. */
static err *again(struct req *r, struct access_model **ret) {
    struct access_model *a = r->state;
    bool found;
    TRY(mlflow_model_row(r->tx, r->a, a->model.mid, &a->model, &found));
    if (!found || a->model.deleted_time)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Logged model with ID '%.*s' not found.",
                       STR_ARG(str_cut(arg_str(r, "model_id"), 100)));
    a->model.updated = access_now();
    req_out(r);
    *ret = a;
    return NULL;
}

err *api_mlflow_model_finalize(struct req *r) {
    struct access_model *a;
    TRY(again(r, &a));
    a->model.status = show_model_status_of(arg_str(r, "status"));
    if (!a->model.status)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid model status: '%.*s'. Expected statuses: [LOGGED_MODEL_PENDING, "
                       "LOGGED_MODEL_READY, LOGGED_MODEL_UPLOAD_FAILED]",
                       STR_ARG(str_cut(arg_str(r, "status"), 100)));
    TRY(mlflow_model_set(r->tx, &a->model));
    return answer(r, a);
}

err *api_mlflow_model_delete(struct req *r) {
    struct access_model *a;
    TRY(again(r, &a));
    a->model.deleted_time = a->model.updated;
    return mlflow_model_set(r->tx, &a->model);
}

err *api_mlflow_model_set_tags(struct req *r) {
    struct access_model *a;
    struct mlflow_pairs tags = show_pairs_of(r, "tags");
    TRY(check_pairs(&tags, "tags", RULE_MAX_TAG));
    TRY(again(r, &a));
    TRY(put_all(r, &a->model, MODEL_TAG, &tags));
    TRY(mlflow_model_set(r->tx, &a->model));
    return answer(r, a);
}

err *api_mlflow_model_delete_tag(struct req *r) {
    struct access_model *a;
    bool found;
    str key = arg_str(r, "tag_key");
    TRY(again(r, &a));
    TRY(mlflow_model_drop(r->tx, &a->model, MODEL_TAG, key, &found));
    if (!found)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                       "No tag with key '%.*s' found for model with ID '%.*s'.",
                       STR_ARG(str_cut(key, 250)), STR_ARG(a->model.model_id));
    return mlflow_model_set(r->tx, &a->model);
}

err *api_mlflow_model_params(struct req *r) {
    struct access_model *a;
    struct mlflow_pairs params = show_pairs_of(r, "params");
    TRY(check_pairs(&params, "params", RULE_MAX_PARAM));
    TRY(again(r, &a));
    for (size_t i = 0; i < params.n; i++) {
        str old;
        TRY(mlflow_model_item(r->tx, r->a, a->model.mid, MODEL_PARAM, params.p[i].key, &old));
        if (old.p && !str_eq(old, params.p[i].value))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Changing param values is not allowed. Param with key='%.*s' was "
                           "already logged with value='%.*s' for model ID='%.*s'.",
                           STR_ARG(params.p[i].key), STR_ARG(str_cut(old, 500)),
                           STR_ARG(a->model.model_id));
    }
    TRY(put_all(r, &a->model, MODEL_PARAM, &params));
    return mlflow_model_set(r->tx, &a->model);
}

/* ---- search ---- */

static err *order_of(struct req *r, struct search_page *p) {
    jval *list = arg(r, "order_by"), *x;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, x) {
        str field = json_get_str(x, "field_name");
        struct mlq_order o = {.dataset_name = json_get_str(x, "dataset_name"),
                              .dataset_digest = json_get_str(x, "dataset_digest")};
        jval *up = json_get(x, "ascending");
        o.descending = yyjson_is_bool(up) && !yyjson_get_bool(up);
        if (!field.n)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "`field_name` in the `order_by` clause must be specified.");
        if (o.dataset_digest.n && !o.dataset_name.n)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "`dataset_digest` can only be specified if `dataset_name` is also "
                           "specified.");
        if (str_starts(field, STR("metrics."))) {
            o.entity = MLQ_METRIC;
            o.key = str_from(field, 8);
        } else if (str_chr(field, '.', 0) >= 0) {
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid order by field name: %.*s, only `metrics.<name>` is allowed.",
                           STR_ARG(str_cut(field, 200)));
        } else {
            TRY(filter_attribute(FILTER_MODELS, str_trim(field), &o.attribute));
        }
        if (!p->q.orders) p->q.orders = arena_array_of(r->a, struct mlq_order, MLQ_MAX_ORDERS);
        if (p->q.n_orders == MLQ_MAX_ORDERS)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "More than %d order_by clauses.",
                           MLQ_MAX_ORDERS);
        p->q.orders[p->q.n_orders++] = o;
    }
    return NULL;
}

static err *datasets_of(struct req *r, struct search_page *p) {
    jval *list = arg(r, "datasets"), *x;
    size_t i, max, n = yyjson_arr_size(list);
    struct mlflow_dataset_name *d = arena_array_of(r->a, struct mlflow_dataset_name, n + 1);
    TRY(rule_batch("datasets", MAX_PAIRS, n));
    yyjson_arr_foreach(list, i, max, x) {
        d[i] = (struct mlflow_dataset_name){json_get_str(x, "dataset_name"),
                                            json_get_str(x, "dataset_digest")};
        if (!d[i].name.n)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "`dataset_name` in the `datasets` clause must be specified.");
    }
    p->search.datasets = d;
    p->search.n_datasets = n;
    return NULL;
}

err *api_mlflow_model_search(struct req *r) {
    struct search_page p = {0};
    struct mlflow_found found;
    TRY(order_of(r, &p));
    TRY(datasets_of(r, &p));
    TRY(search_terms(r, FILTER_MODELS, "models", MODELS_PAGE, MODELS_MAX, &p));
    TRY(search_where(r, arg(r, "experiment_ids"), &p));
    TRY(mlflow_search_models(r->tx, r->a, &p.search, &found));
    jmut *o = req_out(r);
    jmut *list = json_put_arr(r->doc, o, "models");
    for (size_t i = 0; i < found.n; i++) {
        struct mlflow_model m;
        bool ok;
        TRY(mlflow_model_row(r->tx, r->a, found.ids[i], &m, &ok));
        if (ok)
            TRY(show_model(r, r->tx, json_add_obj(r->doc, list), &m,
                           search_experiment(&p, m.experiment)));
    }
    search_next(r, &p, &found);
    return NULL;
}
