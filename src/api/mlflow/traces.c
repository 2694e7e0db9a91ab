/* SPDX-License-Identifier: Apache-2.0 */
/* /mlflow/traces/…: info in both versions, tags, deleting, data. */
#include "mlflow/traces.h"
#include "api/gen_routes.h"
#include "files/sign.h"
#include "mlflow/rules.h"
#include "sys/rand.h"

#define MAX_DELETE 10000

/* Clients of version 2 call the id request_id. */
static str id_of(struct req *r) {
    str id = arg_str(r, "trace_id");
    return id.n ? id : arg_str(r, "request_id");
}

err *api_mlflow_trace_for_edit(struct req *r) {
    struct access_trace *a = arena_new_of(r->a, struct access_trace);
    r->state = a;
    return access_trace(r, id_of(r), EXPERIMENTS_CAN_EDIT, a);
}

static err *again(struct req *r, struct access_trace **ret) {
    struct access_trace *a = r->state;
    bool found;
    TRY(mlflow_trace_row(r->tx, r->a, a->trace.tid, &a->trace, &found));
    if (!found) return access_no_trace(id_of(r));
    req_out(r);
    *ret = a;
    return NULL;
}

/* ---- version 3 ---- */

err *api_mlflow_trace_start_check(struct req *r) {
    struct trace_new *t = arena_new_of(r->a, struct trace_new);
    TRY(trace_read_info(r, json_get(arg(r, "trace"), "trace_info"), t));
    TRY(access_experiment_now(r, t->trace.experiment, EXPERIMENTS_CAN_EDIT, &t->experiment));
    r->state = t;
    return access_experiment_active(&t->experiment);
}

err *api_mlflow_trace_start(struct req *r) {
    struct trace_new *t = r->state;
    TRY(trace_save_info(r, t));
    jmut *o = req_out(r);
    o = json_put_obj(r->doc, o, "trace");
    return trace_show_info(r, r->tx, json_put_obj(r->doc, o, "trace_info"), &t->trace,
                           &t->experiment);
}

err *api_mlflow_trace_info(struct req *r) {
    struct access_trace a = {0};
    TRY(access_trace(r, id_of(r), EXPERIMENTS_CAN_READ, &a));
    jmut *o = req_out(r);
    o = json_put_obj(r->doc, o, "trace");
    return trace_show_info(r, r->tx, json_put_obj(r->doc, o, "trace_info"), &a.trace,
                           &a.experiment);
}

err *api_mlflow_trace_get(struct req *r) {
    struct access_trace a = {0};
    TRY(access_trace(r, id_of(r), EXPERIMENTS_CAN_READ, &a));
    jmut *o = req_out(r);
    return trace_show_all(r, r->tx, json_put_obj(r->doc, o, "trace"), &a.trace, &a.experiment);
}

/* Those of the ids that the caller may read; others are left out. */
static err *batch(struct req *r, bool spans) {
    jval *ids = arg(r, "trace_ids"), *x;
    size_t i, max;
    if (yyjson_arr_size(ids) > 1000)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "At most 1000 traces at once.");
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, spans ? "traces" : "trace_infos");
    yyjson_arr_foreach(ids, i, max, x) {
        struct access_trace a = {0};
        err *e = access_trace(r, json_str(x), EXPERIMENTS_CAN_READ, &a);
        if (err_code_of(e) == ERR_RESOURCE_DOES_NOT_EXIST) {
            err_free(e);
            continue;
        }
        if (e) return e;
        jmut *t = json_add_obj(r->doc, list);
        TRY(spans ? trace_show_all(r, r->tx, t, &a.trace, &a.experiment)
                  : trace_show_info(r, r->tx, t, &a.trace, &a.experiment));
    }
    return NULL;
}

err *api_mlflow_trace_batch(struct req *r) { return batch(r, true); }
err *api_mlflow_trace_batch_infos(struct req *r) { return batch(r, false); }

/* ---- version 2 ---- */

static struct mlflow_pairs pairs_of(struct req *r, const char *name) {
    jval *list = arg(r, name), *x;
    size_t i, max;
    struct mlflow_pairs out = {arena_array_of(r->a, struct mlflow_pair, yyjson_arr_size(list) + 1),
                               0};
    yyjson_arr_foreach(list, i, max, x) {
        str v = json_get_str(x, "value");
        out.p[out.n++] = (struct mlflow_pair){json_get_str(x, "key"), v.p ? v : STR("")};
    }
    return out;
}

static err *v2_pairs(struct req *r, struct trace_new *t) {
    t->tags = pairs_of(r, "tags");
    t->metadata = pairs_of(r, "request_metadata");
    TRY(trace_check_pairs(&t->tags, true));
    return trace_check_pairs(&t->metadata, true);
}

static int v2_state(str status) {
    return str_eqz(status, "TRACE_STATUS_UNSPECIFIED") ? 0 : trace_state_of(status);
}

err *api_mlflow_trace_start_v2_check(struct req *r) {
    struct trace_new *t = arena_new_of(r->a, struct trace_new);
    TRY(access_experiment_arg(r, "experiment_id", &t->trace.experiment));
    TRY(access_experiment_now(r, t->trace.experiment, EXPERIMENTS_CAN_EDIT, &t->experiment));
    TRY(access_experiment_active(&t->experiment));
    TRY(v2_pairs(r, t));
    char hex[33];
    rand_hex(hex, 16);
    t->trace.trace_id = str_of(arena_printf(r->a, "tr-%s", hex));
    t->trace.request_time = arg_i64(r, "timestamp_ms", access_now());
    t->trace.duration = -1;
    t->trace.state = TRACE_IN_PROGRESS;
    r->state = t;
    return NULL;
}

err *api_mlflow_trace_start_v2(struct req *r) {
    struct trace_new *t = r->state;
    TRY(trace_save_info(r, t));
    jmut *o = req_out(r);
    return trace_show_v2(r, r->tx, json_put_obj(r->doc, o, "trace_info"), &t->trace,
                         &t->experiment);
}

err *api_mlflow_trace_end_v2(struct req *r) {
    struct access_trace *a;
    struct trace_new t = {0};
    TRY(v2_pairs(r, &t));
    TRY(again(r, &a));
    int64_t end = arg_i64(r, "timestamp_ms", access_now());
    a->trace.duration = end >= a->trace.request_time ? end - a->trace.request_time : 0;
    if (arg_has(r, "status")) a->trace.state = v2_state(arg_str(r, "status"));
    t.trace = a->trace;
    TRY(trace_save_info(r, &t));
    jmut *o = req_out(r);
    return trace_show_v2(r, r->tx, json_put_obj(r->doc, o, "trace_info"), &a->trace,
                         &a->experiment);
}

err *api_mlflow_trace_info_v2(struct req *r) {
    struct access_trace a = {0};
    TRY(access_trace(r, id_of(r), EXPERIMENTS_CAN_READ, &a));
    jmut *o = req_out(r);
    return trace_show_v2(r, r->tx, json_put_obj(r->doc, o, "trace_info"), &a.trace, &a.experiment);
}

/* ---- tags, deleting ---- */

err *api_mlflow_trace_set_tag(struct req *r) {
    struct access_trace *a;
    str key = arg_str(r, "key"), value = arg_str(r, "value");
    TRY(rule_length(key, RULE_MAX_KEY, "key"));
    TRY(again(r, &a));
    return mlflow_trace_put(r->tx, &a->trace, TRACE_TAG, key, rule_cut(value, RULE_MAX_TAG));
}

err *api_mlflow_trace_delete_tag(struct req *r) {
    struct access_trace *a;
    bool found;
    str key = arg_str(r, "key");
    TRY(again(r, &a));
    TRY(mlflow_trace_drop(r->tx, &a->trace, TRACE_TAG, key, &found));
    if (found) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                   "No trace tag with key '%.*s' for trace with ID '%.*s'",
                   STR_ARG(str_cut(key, 250)), STR_ARG(a->trace.trace_id));
}

static err *delete_ids(struct req *r, const struct ent_experiment *e, jval *ids, int64_t *n) {
    jval *x;
    size_t i, max;
    yyjson_arr_foreach(ids, i, max, x) {
        struct mlflow_trace t;
        bool found;
        TRY(mlflow_trace_get(r->tx, r->scope, r->a, json_str(x), &t, &found));
        if (!found || t.experiment != e->id) continue;
        TRY(mlflow_trace_delete(r->tx, &t));
        ++*n;
    }
    return NULL;
}

err *api_mlflow_trace_delete(struct req *r) {
    const struct ent_experiment *e = r->state;
    jval *ids = arg(r, "request_ids") ? arg(r, "request_ids") : arg(r, "trace_ids");
    bool time = arg_has(r, "max_timestamp_millis");
    int64_t n = 0, most = arg_i64(r, "max_traces", MAX_DELETE);
    if (time == (ids != NULL))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Either `max_timestamp_millis` or `trace_ids` must be specified, but not "
                       "both.");
    if (ids && (arg_has(r, "max_traces") || yyjson_arr_size(ids) > MAX_DELETE))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "`max_traces` can't be specified if `trace_ids` is specified; at most %d "
                       "traces at once.",
                       MAX_DELETE);
    if (most < 1)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "`max_traces` must be a positive integer, received %lld.", (long long)most);
    if (ids)
        TRY(delete_ids(r, e, ids, &n));
    else
        TRY(mlflow_trace_delete_before(r->tx, r->scope, e->id,
                                       arg_i64(r, "max_timestamp_millis", 0),
                                       most > MAX_DELETE ? MAX_DELETE : most, &n));
    jmut *o = req_out(r);
    json_put_int(r->doc, o, "traces_deleted", n);
    return NULL;
}

/* ---- data kept as an artifact ---- */

static err *credentials(struct req *r, uint64_t level, const char *verb) {
    struct access_trace a = {0};
    TRY(access_trace(r, id_of(r), level, &a));
    str path = str_of(arena_printf(
        r->a, "/WorkspaceInternal/Mlflow/Artifacts/%lld/Traces/%.*s/artifacts/traces.json",
        (long long)a.trace.experiment, STR_ARG(a.trace.trace_id)));
    jmut *o = req_out(r);
    o = json_put_obj(r->doc, o, "credential_info");
    json_put_str(r->doc, o, "path", STR("traces.json"));
    json_put_str(r->doc, o, "signed_uri", files_sign_url(r, r->scope, path, verb, STR(""), 0));
    json_put_z(r->doc, o, "type", "AWS_PRESIGNED_URL");
    json_put_arr(r->doc, o, "headers");
    return NULL;
}

err *api_mlflow_trace_upload(struct req *r) { return credentials(r, EXPERIMENTS_CAN_EDIT, "PUT"); }
err *api_mlflow_trace_download(struct req *r) {
    return credentials(r, EXPERIMENTS_CAN_READ, "GET");
}
