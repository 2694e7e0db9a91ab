/* SPDX-License-Identifier: Apache-2.0 */
/* /mlflow/experiments/… */
#include "mlflow/experiments.h"
#include "api/gen_routes.h"
#include "mlflow/filter.h"
#include "mlflow/rules.h"
#include "mlflow/show.h"
#include "rest/page.h"

#define DEFAULT_PAGE 1000
#define MAX_PAGE 50000

static err *check_name(str name) {
    if (name.n == 0) return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid experiment name: ''");
    return rule_length(name, 500, "name");
}

static err *check_tag(str key, str value) {
    TRY(rule_key(key, "key", "key"));
    return rule_length(value, RULE_MAX_EXPERIMENT_TAG, "value");
}

static err *name_taken(str name) {
    return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Experiment '%.*s' already exists.",
                   STR_ARG(str_cut(name, 500)));
}

err *api_mlflow_experiment_create(struct req *r) {
    str name = arg_str(r, "name");
    TRY(check_name(name));
    struct mlflow_pairs tags = show_pairs_of(r, "tags");
    for (size_t i = 0; i < tags.n; i++) TRY(check_tag(tags.p[i].key, tags.p[i].value));
    struct ent_experiment e;
    bool found;
    TRY(access_find_name(r->tx, r, name, &e, &found));
    if (found) return name_taken(name);
    e = (struct ent_experiment){
        .name = name,
        .artifact_location = arg_str(r, "artifact_location"),
        .lifecycle = STR("active"),
        .owner_id = r->principal,
        .tags = show_tags_json(r->a, &tags),
        .kind = STR(""),
    };
    TRY(ent_experiment_insert(r->tx, r->scope, &e));
    store_tx_securable(r->tx, "experiment", e.id, e.name);
    jmut *o = req_out(r);
    json_put_str(r->doc, o, "experiment_id", str_of(arena_printf(r->a, "%lld", (long long)e.id)));
    return NULL;
}

static err *show(struct req *r, const struct ent_experiment *e) {
    jmut *o = req_out(r);
    show_experiment(r, json_put_obj(r->doc, o, "experiment"), e);
    return NULL;
}

err *api_mlflow_experiment_get(struct req *r) {
    int64_t id;
    struct ent_experiment e;
    TRY(access_experiment_arg(r, "experiment_id", &id));
    TRY(access_experiment(r->tx, r, id, EXPERIMENTS_CAN_READ, &e));
    return show(r, &e);
}

err *api_mlflow_experiment_get_by_name(struct req *r) {
    str name = arg_str(r, "experiment_name");
    struct ent_experiment e;
    bool found;
    uint64_t level = 0;
    TRY(access_find_name(r->tx, r, name, &e, &found));
    if (found) TRY(access_level(r->tx, r, &e, &level));
    if (level) return show(r, &e);
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Could not find experiment with name '%.*s'",
                   STR_ARG(str_cut(name, 500)));
}

static err *for_write(struct req *r, uint64_t level, struct ent_experiment *e) {
    int64_t id;
    TRY(access_experiment_arg(r, "experiment_id", &id));
    return access_experiment(r->tx, r, id, level, e);
}

err *api_mlflow_experiment_update(struct req *r) {
    struct ent_experiment e, other;
    bool found;
    TRY(for_write(r, EXPERIMENTS_CAN_EDIT, &e));
    req_out(r);
    str name = arg_str(r, "new_name");
    if (!arg_has(r, "new_name")) return NULL;
    TRY(check_name(name));
    if (!access_is_active(&e))
        return err_new(ERR_INVALID_STATE, "Cannot rename a non-active experiment.");
    TRY(access_find_name(r->tx, r, name, &other, &found));
    if (found && other.id != e.id) return name_taken(name);
    e.name = name;
    return experiment_save(r, &e);
}

static err *set_lifecycle(struct req *r, const char *to) {
    struct ent_experiment e;
    TRY(for_write(r, EXPERIMENTS_CAN_MANAGE, &e));
    req_out(r);
    if (str_eqz(e.lifecycle, to))
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "No %s Experiment with id=%lld exists",
                       to[0] == 'd' ? "active" : "deleted", (long long)e.id);
    e.lifecycle = str_of(to);
    return experiment_save(r, &e);
}

err *api_mlflow_experiment_delete(struct req *r) { return set_lifecycle(r, "deleted"); }
err *api_mlflow_experiment_restore(struct req *r) { return set_lifecycle(r, "active"); }

err *api_mlflow_experiment_set_tag(struct req *r) {
    struct ent_experiment e;
    bool was;
    str key = arg_str(r, "key"), value = arg_str(r, "value");
    TRY(check_tag(key, value));
    TRY(for_write(r, EXPERIMENTS_CAN_EDIT, &e));
    TRY(access_experiment_active(&e));
    TRY(experiment_put_tag(r, &e, key, value, &was));
    req_out(r);
    return experiment_save(r, &e);
}

err *api_mlflow_experiment_delete_tag(struct req *r) {
    struct ent_experiment e;
    bool was;
    str key = arg_str(r, "key");
    TRY(for_write(r, EXPERIMENTS_CAN_EDIT, &e));
    TRY(access_experiment_active(&e));
    TRY(experiment_put_tag(r, &e, key, STR_NONE, &was));
    if (!was)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                       "No tag with name: %.*s in experiment with id %lld",
                       STR_ARG(str_cut(key, 250)), (long long)e.id);
    req_out(r);
    return experiment_save(r, &e);
}

static err *order_by(struct req *r, struct mlq *q) {
    jval *list = arg(r, "order_by"), *x;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, x) {
        TRY(filter_order(r->a, FILTER_EXPERIMENTS, json_str(x), q));
    }
    return NULL;
}

err *api_mlflow_experiment_search(struct req *r) {
    struct mlq q = {0};
    enum experiment_view view;
    struct experiment_page page;
    int64_t max = arg_i64(r, "max_results", DEFAULT_PAGE);
    if (max < 1 || max > MAX_PAGE)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid value %lld for parameter 'max_results' supplied: It must be a "
                       "positive integer of at most %d.",
                       (long long)max, MAX_PAGE);
    TRY(experiment_view_of(r, "view_type", &view));
    TRY(filter_parse(r->a, FILTER_EXPERIMENTS, arg_str(r, "filter"), &q));
    TRY(order_by(r, &q));
    str what = show_raw(r->a, arg(r, "order_by"));
    str bound = str_of(arena_printf(r->a, "experiments %d %.*s\n%.*s", (int)view,
                                    STR_ARG(arg_str(r, "filter")), STR_ARG(what)));
    str after;
    TRY(page_token_read(r, arg_str(r, "page_token"), bound, &after));
    TRY(experiment_search(r, view, &q, (size_t)max, after, &page));
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "experiments");
    for (size_t i = 0; i < page.n; i++) show_experiment(r, json_add_obj(r->doc, list), &page.p[i]);
    if (page.next.n)
        json_put_str(r->doc, o, "next_page_token", page_token_make(r, bound, page.next));
    return NULL;
}
