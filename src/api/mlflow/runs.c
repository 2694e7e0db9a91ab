/* SPDX-License-Identifier: Apache-2.0 */
/* /mlflow/runs/…: life of a run, parameters, tags. */
#include "api/gen_routes.h"
#include "mlflow/access.h"
#include "mlflow/points.h"
#include "mlflow/rules.h"
#include "mlflow/show.h"
#include "sys/rand.h"

#define RUN_NAME STR("mlflow.runName")

/* Clients send run_id, run_uuid (its old name), or both. */
static str run_id_of(struct req *r) {
    str id = arg_str(r, "run_id");
    return id.n ? id : arg_str(r, "run_uuid");
}

/* First step of everything that writes into a run: rights, in a read transaction. */
err *api_mlflow_run_for_edit(struct req *r) {
    struct access_run *a = arena_new_of(r->a, struct access_run);
    TRY(access_run(r, run_id_of(r), EXPERIMENTS_CAN_EDIT, a));
    r->state = a;
    return NULL;
}

/* ---- create ---- */

struct creation {
    struct ent_experiment experiment;
    struct mlflow_run run;
    struct mlflow_pairs tags;
};

static err *name_of(struct req *r, struct creation *c) {
    str given = arg_str(r, "run_name"), tagged = STR("");
    for (size_t i = 0; i < c->tags.n; i++)
        if (str_eq(c->tags.p[i].key, RUN_NAME)) tagged = c->tags.p[i].value;
    if (given.n && tagged.n && !str_eq(given, tagged))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
                       "different values (run_name='%.*s', mlflow.runName='%.*s').",
                       STR_ARG(str_cut(given, 300)), STR_ARG(str_cut(tagged, 300)));
    c->run.name = given.n ? given : tagged.n ? tagged : rule_random_name(r->a);
    if (!tagged.n) {
        struct mlflow_pair *p = arena_array_of(r->a, struct mlflow_pair, c->tags.n + 1);
        memcpy(p, c->tags.p, c->tags.n * sizeof(*p));
        p[c->tags.n++] = (struct mlflow_pair){RUN_NAME, c->run.name};
        c->tags.p = p;
    }
    return rule_length(c->run.name, RULE_MAX_TAG, "run_name");
}

static err *check_tags(struct mlflow_pairs *tags) {
    for (size_t i = 0; i < tags->n; i++) {
        char path[40];
        snprintf(path, sizeof(path), "tags[%zu].key", i);
        TRY(rule_key(tags->p[i].key, path, path));
        tags->p[i].value = rule_cut(tags->p[i].value, RULE_MAX_TAG);
    }
    return NULL;
}

err *api_mlflow_run_create_check(struct req *r) {
    struct creation *c = arena_new_of(r->a, struct creation);
    int64_t id = 0;
    if (arg_str(r, "experiment_id").n || arg_has(r, "experiment_id"))
        TRY(access_experiment_arg(r, "experiment_id", &id));
    TRY(access_experiment_now(r, id, EXPERIMENTS_CAN_EDIT, &c->experiment));
    TRY(access_experiment_active(&c->experiment));
    c->tags = show_pairs_of(r, "tags");
    TRY(check_tags(&c->tags));
    TRY(name_of(r, c));
    char hex[33];
    rand_hex(hex, 16);
    c->run.run_id = str_of(arena_strdup(r->a, hex));
    c->run.experiment = id;
    c->run.user_id = arg_str(r, "user_id");
    if (!c->run.user_id.n) c->run.user_id = r->principal_name;
    c->run.status = RUN_RUNNING;
    c->run.start_time = arg_i64(r, "start_time", 0);
    if (!arg_has(r, "start_time")) c->run.start_time = access_now();
    r->state = c;
    return NULL;
}

err *api_mlflow_run_create(struct req *r) {
    struct creation *c = r->state;
    TRY(mlflow_run_insert(r->tx, r->scope, &c->run));
    for (size_t i = 0; i < c->tags.n; i++)
        TRY(mlflow_run_put_tag(r->tx, &c->run, c->tags.p[i].key, c->tags.p[i].value));
    jmut *o = req_out(r);
    return show_run(r, r->tx, json_put_obj(r->doc, o, "run"), &c->run, &c->experiment, true);
}

/* ---- get, update, delete, restore ---- */

err *api_mlflow_run_get(struct req *r) {
    struct access_run a = {0};
    TRY(access_run(r, run_id_of(r), EXPERIMENTS_CAN_READ, &a));
    jmut *o = req_out(r);
    return show_run(r, r->tx, json_put_obj(r->doc, o, "run"), &a.run, &a.experiment, a.active);
}

err *api_mlflow_run_update(struct req *r) {
    struct access_run *a;
    TRY(access_run_write(r, &a));
    str status = arg_str(r, "status"), name = arg_str(r, "run_name");
    if (status.n) {
        a->run.status = show_status_of(status);
        if (!a->run.status)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid value \"%.*s\" for parameter 'status' supplied: expected "
                           "RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.",
                           STR_ARG(str_cut(status, 100)));
    }
    if (arg_has(r, "end_time")) a->run.end_time = arg_i64(r, "end_time", 0);
    if (name.n) {
        TRY(rule_length(name, RULE_MAX_TAG, "run_name"));
        a->run.name = name;
        TRY(mlflow_run_put_tag(r->tx, &a->run, RUN_NAME, name));
    }
    TRY(mlflow_run_set(r->tx, &a->run));
    jmut *o = req_out(r);
    show_run_info(r, json_put_obj(r->doc, o, "run_info"), &a->run, &a->experiment, true);
    return NULL;
}

err *api_mlflow_run_delete(struct req *r) {
    struct access_run *a;
    TRY(access_run_again(r, &a));
    req_out(r);
    if (a->run.deleted_time) return NULL;
    a->run.deleted_time = access_now();
    return mlflow_run_set(r->tx, &a->run);
}

err *api_mlflow_run_restore(struct req *r) {
    struct access_run *a;
    TRY(access_run_again(r, &a));
    req_out(r);
    a->run.deleted_time = 0;
    return mlflow_run_set(r->tx, &a->run);
}

/* ---- parameters and tags ---- */

static err *changed_param(struct access_run *a, str key, str old, str value) {
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Changing param values is not allowed. Param with key='%.*s' was already logged "
                   "with value='%.*s' for run ID='%.*s'. Attempted logging new value '%.*s'.",
                   STR_ARG(key), STR_ARG(str_cut(old, 500)), STR_ARG(a->run.run_id),
                   STR_ARG(str_cut(value, 500)));
}

err *api_mlflow_log_param(struct req *r) {
    struct access_run *a;
    str key = arg_str(r, "key"), old;
    str value = rule_cut(arg_str(r, "value"), RULE_MAX_PARAM);
    TRY(rule_key(key, "key", "Param key"));
    TRY(access_run_write(r, &a));
    TRY(mlflow_run_put_param(r->tx, r->a, &a->run, key, value, &old));
    return old.p && !str_eq(old, value) ? changed_param(a, key, old, value) : NULL;
}

static err *put_tag(struct req *r, struct access_run *a, str key, str value) {
    TRY(mlflow_run_put_tag(r->tx, &a->run, key, value));
    if (!str_eq(key, RUN_NAME) || !value.n) return NULL;
    a->run.name = value;
    return mlflow_run_set(r->tx, &a->run);
}

err *api_mlflow_set_tag(struct req *r) {
    struct access_run *a;
    str key = arg_str(r, "key");
    TRY(rule_key(key, "key", "key"));
    TRY(access_run_write(r, &a));
    return put_tag(r, a, key, rule_cut(arg_str(r, "value"), RULE_MAX_TAG));
}

err *api_mlflow_delete_tag(struct req *r) {
    struct access_run *a;
    bool found;
    str key = arg_str(r, "key");
    TRY(access_run_write(r, &a));
    TRY(mlflow_run_delete_tag(r->tx, &a->run, key, &found));
    if (found) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "No tag with name: %.*s in run with id %.*s",
                   STR_ARG(str_cut(key, 250)), STR_ARG(a->run.run_id));
}

/* ---- batches ---- */

static err *put_params(struct req *r, struct access_run *a, const struct mlflow_pairs *params) {
    buf wrong = {0};
    err *e = NULL;
    for (size_t i = 0; !e && i < params->n; i++) {
        const struct mlflow_pair *p = &params->p[i];
        str old;
        e = mlflow_run_put_param(r->tx, r->a, &a->run, p->key, p->value, &old);
        if (!e && old.p && !str_eq(old, p->value))
            buf_fmt(&wrong, "%s{'key': '%.*s', 'old_value': '%.*s', 'new_value': '%.*s'}",
                    wrong.n ? ", " : "", STR_ARG(p->key), STR_ARG(str_cut(old, 200)),
                    STR_ARG(str_cut(p->value, 200)));
    }
    if (!e && wrong.n)
        e = err_new(ERR_INVALID_PARAMETER_VALUE,
                    "Changing param values is not allowed. Params were already logged='[%.*s]' for "
                    "run ID='%.*s'.",
                    (int)(wrong.n < 4000 ? wrong.n : 4000), wrong.p, STR_ARG(a->run.run_id));
    buf_free(&wrong);
    return e;
}

static err *check_params(struct mlflow_pairs *params) {
    for (size_t i = 0; i < params->n; i++) {
        char path[40];
        snprintf(path, sizeof(path), "params[%zu].key", i);
        TRY(rule_key(params->p[i].key, path, "Param key"));
        params->p[i].value = rule_cut(params->p[i].value, RULE_MAX_PARAM);
        for (size_t k = 0; k < i; k++)
            if (str_eq(params->p[k].key, params->p[i].key) &&
                !str_eq(params->p[k].value, params->p[i].value))
                return err_new(ERR_INVALID_PARAMETER_VALUE,
                               "Duplicate parameter keys have been submitted: ['%.*s']. Please "
                               "ensure the request contains only one param value per param key.",
                               STR_ARG(params->p[i].key));
    }
    return NULL;
}

err *api_mlflow_log_batch(struct req *r) {
    struct access_run *a;
    struct mlflow_points points;
    struct mlflow_pairs params = show_pairs_of(r, "params"), tags = show_pairs_of(r, "tags");
    size_t n = yyjson_arr_size(arg(r, "metrics"));
    TRY(rule_batch("metrics", RULE_MAX_METRICS, n));
    TRY(rule_batch("params", RULE_MAX_PARAMS, params.n));
    TRY(rule_batch("tags", RULE_MAX_TAGS, tags.n));
    TRY(rule_batch("metrics, params, and tags", RULE_MAX_ITEMS, n + params.n + tags.n));
    TRY(check_params(&params));
    TRY(check_tags(&tags));
    TRY(points_of(r, arg(r, "metrics"), &points));
    TRY(access_run_write(r, &a));
    TRY(put_params(r, a, &params));
    for (size_t i = 0; i < tags.n; i++) TRY(put_tag(r, a, tags.p[i].key, tags.p[i].value));
    TRY(mlflow_metrics_log(r->tx, &a->run, points.p, points.n));
    return points_to_models(r, &a->run, arg(r, "metrics"), &points);
}

err *api_mlflow_log_metric(struct req *r) {
    struct access_run *a;
    struct mlflow_points points;
    TRY(points_of(r, r->args, &points));
    TRY(access_run_write(r, &a));
    TRY(mlflow_metrics_log(r->tx, &a->run, points.p, points.n));
    return points_to_models(r, &a->run, r->args, &points);
}

/* Old clients: the list of models lives in one tag of the run. */
err *api_mlflow_log_model(struct req *r) {
    struct access_run *a;
    jval *model, *old;
    str text = arg_str(r, "model_json"), tag;
    err *bad = json_parse(r->a, text, false, &model);
    if (bad || !yyjson_is_obj(model)) {
        err_free(bad);
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Malformed model info. \n %.*s \n is not valid JSON.",
                       STR_ARG(str_cut(text, 1000)));
    }
    if (!json_get(model, "artifact_path") || !json_get(model, "flavors") ||
        !json_get(model, "utc_time_created") || !json_get(model, "run_id"))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Model json is missing mandatory fields: artifact_path, flavors, "
                       "utc_time_created, run_id");
    TRY(access_run_write(r, &a));
    TRY(mlflow_run_tag(r->tx, r->a, a->run.rid, STR("mlflow.log-model.history"), &tag));
    jdoc *d = json_doc(r->a);
    jmut *list = yyjson_mut_arr(d);
    if (tag.p && !(bad = json_parse(r->a, tag, false, &old)) && yyjson_is_arr(old))
        list = yyjson_val_mut_copy(d, old);
    err_free(bad);
    yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, model));
    return mlflow_run_put_tag(r->tx, &a->run, STR("mlflow.log-model.history"),
                              json_text(r->a, list));
}
