/* SPDX-License-Identifier: Apache-2.0 */
/* Logs, metrics, and the OpenAPI document of an endpoint. */
#include "api/gen_routes.h"
#include "serving_int.h"

static const int64_t BOUNDS_MS_X1000[] = {50,    100,   250,    500,    1000,   2500,    5000,
                                          10000, 25000, 50000, 100000, 500000, 1000000, 10000000};

static err *named_entity(struct req *r, struct endpoint_op *op, str name) {
    int64_t versions[] = {op->row.pending_version, op->row.config_version};
    struct ent_served_version row;
    bool found = false;
    for (int i = 0; i < 2 && !found; i++)
        if (versions[i])
            TRY(ent_served_version_by_name(r->tx, r->scope, r->a, op->row.id, versions[i], name, &row,
                                           &found));
    if (!found) { /* one whose update failed */
        struct ent_list_query q = {
            .eq[0] = {.column = ENT_SERVED_VERSION_ENDPOINT_ID, .i = op->row.id}, .limit = 1000};
        struct ent_served_version_rows rows;
        TRY(ent_served_version_list(r->tx, r->scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            if (str_eq(rows.p[i].name, name)) {
                row = rows.p[i];
                found = true;
            }
    }
    if (!found)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Endpoint '%.*s' has no served entity '%.*s'.",
                       STR_ARG(op->row.name), STR_ARG(str_cut(name, 100)));
    op->entity = row.id;
    return NULL;
}

err *api_serving_logs_find(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_VIEW, &op->row));
    return named_entity(r, op, arg_str(r, "served"));
}

static str clean(struct req *r, str text) {
    char *p = arena_strndup(r->a, text.p, text.n);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') p[i] = ' ';
    return str_is_utf8(str_n(p, text.n)) ? str_n(p, text.n) : STR("(the log is not text)");
}

err *api_serving_logs(struct req *r) {
    json_put_str(r->doc = r->doc ? r->doc : json_doc(r->a), req_out(r), "logs",
                 clean(r, serving_log(r->control, r->a, endpoint_op(r)->entity, false)));
    return NULL;
}

err *api_serving_build_logs(struct req *r) {
    json_put_str(r->doc = r->doc ? r->doc : json_doc(r->a), req_out(r), "logs",
                 clean(r, serving_log(r->control, r->a, endpoint_op(r)->entity, true)));
    return NULL;
}

/* ---- metrics ---- */

err *api_serving_metrics_find(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_VIEW, &op->row));
    struct ent_list_query q = {
        .eq[0] = {.column = ENT_SERVED_VERSION_ENDPOINT_ID, .i = op->row.id}, .limit = 1000};
    struct ent_served_version_rows rows;
    TRY(ent_served_version_list(r->tx, r->scope, r->a, &q, &rows));
    op->entities = rows.p;
    op->n_entities = rows.n;
    return NULL;
}

err *api_serving_metrics_ask(struct req *r) {
    serving_ask_stats(r->control, req_park(r));
    return NULL;
}

static void histogram(buf *b, const struct serving_stats *s, const char *labels) {
    uint64_t sum = 0;
    for (int i = 0; i < 14; i++) {
        sum += s->buckets[i];
        buf_fmt(b, "request_latency_ms_bucket{%s,le=\"%g\"} %llu\n", labels,
                (double)BOUNDS_MS_X1000[i] / 1000, (unsigned long long)sum);
    }
    sum += s->buckets[14];
    buf_fmt(b, "request_latency_ms_bucket{%s,le=\"+Inf\"} %llu\n", labels, (unsigned long long)sum);
    buf_fmt(b, "request_latency_ms_sum{%s} %.3f\nrequest_latency_ms_count{%s} %llu\n", labels,
            s->sum_us / 1000, labels, (unsigned long long)sum);
}

err *api_serving_metrics(struct req *r) {
    struct endpoint_op *op = endpoint_op(r);
    static const char *const counters[] = {"request_count_total", "request_4xx_count_total",
                                           "request_5xx_count_total"};
    buf b = {0};
    for (int m = 0; m < 3; m++) {
        buf_fmt(&b, "# TYPE %s gauge\n", counters[m]);
        for (size_t i = 0; i < op->n_entities; i++) {
            struct serving_stats s = serving_stats_of(r->control, op->entities[i].id);
            uint64_t v = m == 0 ? s.requests : m == 1 ? s.errors_4xx : s.errors_5xx;
            buf_fmt(&b, "%s{served_model_name=\"%.*s\",served_model_id=\"%lld\"} %llu\n", counters[m],
                    STR_ARG(op->entities[i].name), (long long)op->entities[i].id,
                    (unsigned long long)v);
        }
    }
    buf_z(&b, "# TYPE request_latency_ms histogram\n");
    for (size_t i = 0; i < op->n_entities; i++) {
        struct serving_stats s = serving_stats_of(r->control, op->entities[i].id);
        histogram(&b, &s,
                  arena_printf(r->a, "served_model_name=\"%.*s\",served_model_id=\"%lld\"",
                               STR_ARG(op->entities[i].name), (long long)op->entities[i].id));
    }
    req_body(r, 200, "text/plain; version=0.0.4; charset=utf-8", arena_str(r->a, buf_view(&b)));
    buf_free(&b);
    return NULL;
}

/* ---- OpenAPI ---- */

err *api_serving_openapi(struct req *r) {
    struct ent_endpoint e;
    TRY(endpoint_find(r, SERVING_ENDPOINTS_CAN_VIEW, &e));
    if (!e.ready || e.stopped)
        return err_new(ERR_INVALID_STATE, "Endpoint '%.*s' is not ready.", STR_ARG(e.name));
    str base = req_base_url(r);
    str text = str_of(arena_printf(
        r->a,
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"%.*s\",\"version\":\"%lld\"},"
        "\"servers\":[{\"url\":\"%.*s/serving-endpoints/%.*s\"}],"
        "\"paths\":{\"/invocations\":{\"post\":{\"summary\":\"Score rows\",\"requestBody\":{\"content\":{"
        "\"application/json\":{\"schema\":{\"oneOf\":["
        "{\"type\":\"object\",\"required\":[\"dataframe_split\"],\"properties\":{\"dataframe_split\":"
        "{\"type\":\"object\"}}},"
        "{\"type\":\"object\",\"required\":[\"dataframe_records\"],\"properties\":{\"dataframe_records\":"
        "{\"type\":\"array\"}}},"
        "{\"type\":\"object\",\"required\":[\"instances\"],\"properties\":{\"instances\":"
        "{\"type\":\"array\"}}},"
        "{\"type\":\"object\",\"required\":[\"inputs\"],\"properties\":{\"inputs\":{}}}]}}}},"
        "\"responses\":{\"200\":{\"description\":\"predictions\",\"content\":{\"application/json\":"
        "{\"schema\":{\"type\":\"object\",\"properties\":{\"predictions\":{}}}}}}}}}}}",
        STR_ARG(e.name), (long long)e.config_version, STR_ARG(base), STR_ARG(e.name)));
    req_body(r, 200, "application/json", text);
    return NULL;
}
