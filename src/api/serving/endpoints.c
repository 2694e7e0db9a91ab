/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an endpoint: create, get, list, update, stop, start, delete, tags. */
#include <stdlib.h>

#include "api/gen_routes.h"
#include "serving_int.h"
#include "sys/clock.h"

#define MAX_TAGS 50

struct endpoint_op *endpoint_op(struct req *r) {
    if (!r->state) r->state = arena_new_of(r->a, struct endpoint_op);
    return r->state;
}

static err *missing(str name) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Endpoint with name '%.*s' does not exist.",
                   STR_ARG(str_cut(name, 100)));
}

err *endpoint_find(struct req *r, uint64_t level, struct ent_endpoint *ret) {
    str name = arg_str(r, "name");
    bool found;
    TRY(ent_endpoint_by_name(r->tx, r->scope, r->a, name, ret, &found));
    if (!found) return missing(name);
    struct object_chain chain;
    char *what = arena_printf(r->a, "serving endpoint '%.*s'", STR_ARG(ret->name));
    TRY(object_acl_chain(store_tx_today(r->tx), r->scope, r->a, PERM_SERVING_ENDPOINTS, ret->id,
                         ret->owner_id, what, &chain));
    return object_acl_need(r, &chain, level,
                           arena_printf(r->a, "Endpoint with name '%.*s' does not exist.",
                                        STR_ARG(str_cut(name, 100))));
}

static err *check_name(str n) {
    bool ok = n.n >= 1 && n.n <= 63 && !str_starts(n, STR("databricks-"));
    for (size_t i = 0; i < n.n && ok; i++) {
        char c = n.p[i];
        ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
             c == '_';
    }
    if (ok) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Endpoint name '%.*s' must be 1 to 63 letters, digits, - or _, and not begin with "
                   "databricks-.",
                   STR_ARG(str_cut(n, 100)));
}

err *api_serving_create_check(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(check_name(arg_str(r, "name")));
    bool found;
    TRY(ent_endpoint_by_name(r->tx, r->scope, r->a, arg_str(r, "name"), &op->row, &found));
    if (found)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Endpoint with name '%.*s' already exists.",
                       STR_ARG(arg_str(r, "name")));
    if (!arg_has(r, "config")) return NULL;
    return config_normalise(r, arg(r, "config"), &op->config);
}

static str json_arg(struct req *r, const char *name) {
    jval *v = arg(r, name);
    if (!v) return STR("");
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    str s = p ? arena_str(r->a, str_n(p, n)) : STR("");
    free(p);
    return s;
}

static void begin_update(struct req *r, struct endpoint_op *op) {
    op->deploys = true;
    (void)r;
}

err *api_serving_create(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    bool deploys = op->config.n > 0;
    struct ent_endpoint e = {.name = arg_str(r, "name"),
                             .owner_id = r->principal,
                             .config_update = deploys ? STR("IN_PROGRESS") : STR("NOT_UPDATING"),
                             .pending = op->config,
                             .pending_version = deploys ? 1 : 0,
                             .pending_since = clock_now(),
                             .description = arg_str(r, "description"),
                             .route_optimized = arg_bool(r, "route_optimized", false),
                             .tags = json_arg(r, "tags"),
                             .ai_gateway = json_arg(r, "ai_gateway"),
                             .email_notifications = json_arg(r, "email_notifications")};
    TRY(ent_endpoint_insert(r->tx, r->scope, &e));
    store_tx_securable(r->tx, "serving-endpoint", e.id, e.name);
    if (deploys) {
        TRY(config_insert(r, &e, 1, op->config));
        begin_update(r, op);
    }
    op->row = e;
    return NULL;
}

/* Waits a little: what is in the cache is ready before the client looks. */
err *api_serving_settle(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    if (op->deploys) serving_update(r->control, r->scope, op->row.id, req_park(r));
    return NULL;
}

err *api_serving_show(struct req *r) {
    struct ent_endpoint e;
    bool found;
    TRY(ent_endpoint_get(r->tx, r->scope, r->a, endpoint_op(r)->row.id, &e, &found));
    if (!found) return missing(arg_str(r, "name"));
    return endpoint_put(r, req_out(r), &e, true);
}

err *api_serving_get(struct req *r) {
    struct ent_endpoint e;
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_VIEW, &e));
    return endpoint_put(r, req_out(r), &e, true);
}

err *api_serving_list(struct req *r) {
    struct object_levels levels;
    TRY(object_levels_read(store_tx_today(r->tx), r->scope, r->a, PERM_SERVING_ENDPOINTS, &r->who,
                           &levels));
    jmut *list = json_put_arr(r->doc = r->doc ? r->doc : json_doc(r->a), req_out(r), "endpoints");
    struct ent_list_query q = {.order = ENT_ENDPOINT_NAME, .limit = 1000};
    struct ent_endpoint_rows rows;
    do {
        TRY(ent_endpoint_list(r->tx, r->scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            if (object_levels_of(&levels, rows.p[i].id, rows.p[i].owner_id))
                TRY(endpoint_put(r, json_add_obj(r->doc, list), &rows.p[i], false));
        q.after = true;
        if (rows.n) {
            q.after_s = rows.p[rows.n - 1].name;
            q.after_id = rows.p[rows.n - 1].id;
        }
    } while (rows.more);
    return NULL;
}

/* ---- update ---- */

err *api_serving_update_check(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &op->row));
    return config_normalise(r, r->args, &op->config);
}

static err *next_version(struct req *r, struct ent_endpoint *e, str config) {
    if (str_eqz(e->config_update, "IN_PROGRESS"))
        return err_new(ERR_RESOURCE_CONFLICT,
                       "Endpoint '%.*s' is being updated; wait until that update is over.",
                       STR_ARG(e->name));
    struct ent_list_query q = {
        .eq[0] = {.column = ENT_SERVED_VERSION_ENDPOINT_ID, .i = e->id}, .limit = 1000};
    struct ent_served_version_rows rows;
    TRY(ent_served_version_list(r->tx, r->scope, r->a, &q, &rows));
    int64_t last = e->config_version;
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.p[i].config_version > last) last = rows.p[i].config_version;
        /* What served two configurations ago, or failed, is over. */
        if (rows.p[i].config_version != e->config_version)
            TRY(ent_served_version_delete(r->tx, r->scope, rows.p[i].id));
    }
    e->pending = config;
    e->pending_version = last + 1;
    e->pending_since = clock_now();
    e->config_update = STR("IN_PROGRESS");
    e->message = STR("");
    TRY(ent_endpoint_update(r->tx, r->scope, e));
    store_tx_securable(r->tx, "serving-endpoint", e->id, e->name);
    return config_insert(r, e, e->pending_version, config);
}

err *api_serving_update(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &op->row));
    TRY(next_version(r, &op->row, op->config));
    begin_update(r, op);
    return NULL;
}

err *api_serving_start(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &op->row));
    if (!op->row.stopped)
        return err_new(ERR_INVALID_STATE, "Endpoint '%.*s' is not stopped.", STR_ARG(op->row.name));
    TRY(next_version(r, &op->row, op->row.config));
    begin_update(r, op);
    return NULL;
}

/* ---- stop and delete ---- */

static void end_processes(struct req *r) {
    struct endpoint_op *op = r->state;
    for (size_t i = 0; i < op->n_entities; i++)
        serving_end(r->control, op->row.id, &op->entities[i].id, 1);
}

static err *entities_of(struct req *r, struct endpoint_op *op) {
    struct ent_list_query q = {
        .eq[0] = {.column = ENT_SERVED_VERSION_ENDPOINT_ID, .i = op->row.id}, .limit = 1000};
    struct ent_served_version_rows rows;
    TRY(ent_served_version_list(r->tx, r->scope, r->a, &q, &rows));
    op->entities = rows.p;
    op->n_entities = rows.n;
    r->after = end_processes;
    return NULL;
}

err *api_serving_stop(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &op->row));
    if (!op->row.config.n)
        return err_new(ERR_INVALID_STATE, "Endpoint '%.*s' has never been ready.", STR_ARG(op->row.name));
    TRY(entities_of(r, op));
    op->row.stopped = true;
    op->row.ready = false;
    TRY(ent_endpoint_update(r->tx, r->scope, &op->row));
    TRY(serving_publish(r, op->row.id, true));
    return endpoint_put(r, req_out(r), &op->row, true);
}

err *api_serving_delete(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &op->row));
    TRY(entities_of(r, op));
    for (size_t i = 0; i < op->n_entities; i++)
        TRY(ent_served_version_delete(r->tx, r->scope, op->entities[i].id));
    TRY(object_acl_drop(r->tx, r->scope, r->a, PERM_SERVING_ENDPOINTS, op->row.id));
    TRY(ent_endpoint_delete(r->tx, r->scope, op->row.id));
    store_tx_securable(r->tx, "serving-endpoint", op->row.id, op->row.name);
    buf k = {0};
    buf_u64(&k, (uint64_t)op->row.workspace);
    buf_str(&k, op->row.name);
    req_fact(r, FACT_ENDPOINT, true, true, buf_view(&k), STR(""), -1);
    buf_free(&k);
    req_out(r);
    return NULL;
}

/* ---- tags, rate limits ---- */

err *api_serving_tags(struct req *r) {
    struct ent_endpoint e;
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &e));
    jval *old = NULL, *v, *d;
    if (e.tags.n) TRY(json_parse(r->a, e.tags, false, &old));
    req_out(r);
    jmut *out = yyjson_mut_arr(r->doc);
    size_t i, n, k, m;
    yyjson_arr_foreach(old, i, n, v) {
        bool drop = false;
        yyjson_arr_foreach(arg(r, "delete_tags"), k, m, d) {
            drop |= str_eq(json_str(d), json_get_str(v, "key"));
        }
        yyjson_arr_foreach(arg(r, "add_tags"), k, m, d) {
            drop |= str_eq(json_get_str(d, "key"), json_get_str(v, "key"));
        }
        if (!drop) yyjson_mut_arr_append(out, yyjson_val_mut_copy(r->doc, v));
    }
    yyjson_arr_foreach(arg(r, "add_tags"), k, m, d) {
        yyjson_mut_arr_append(out, yyjson_val_mut_copy(r->doc, d));
    }
    if (yyjson_mut_arr_size(out) > MAX_TAGS)
        return err_new(ERR_RESOURCE_EXHAUSTED, "More than %d tags.", MAX_TAGS);
    e.tags = json_text(r->a, out);
    json_put(r->doc, req_out(r), "tags", out);
    return ent_endpoint_update(r->tx, r->scope, &e);
}

err *api_serving_rate_limits(struct req *r) {
    struct ent_endpoint e;
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_MANAGE, &e));
    jmut *o = req_out(r);
    jval *limits = arg(r, "rate_limits");
    jmut *copy = limits ? yyjson_val_mut_copy(r->doc, limits) : yyjson_mut_arr(r->doc);
    jmut *extra = yyjson_mut_obj(r->doc);
    json_put(r->doc, extra, "rate_limits", copy);
    e.extra = json_text(r->a, extra);
    json_put(r->doc, o, "rate_limits",
             limits ? yyjson_val_mut_copy(r->doc, limits) : yyjson_mut_arr(r->doc));
    return ent_endpoint_update(r->tx, r->scope, &e);
}
