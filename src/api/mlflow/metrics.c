/* SPDX-License-Identifier: Apache-2.0 */
/* /mlflow/metrics/…: the history of metrics. */
#include <stdlib.h>

#include "api/gen_routes.h"
#include "mlflow/access.h"
#include "mlflow/show.h"
#include "rest/page.h"

#define PAGE 25000
#define MAX_RUNS 100
#define INTERVAL_PAGE 320
#define INTERVAL_POINTS 200000

static err *page_size(struct req *r, int64_t dflt, int64_t *ret) {
    *ret = arg_i64(r, "max_results", dflt);
    if (*ret >= 1 && *ret <= PAGE) return NULL;
    if (*ret > PAGE) {
        *ret = PAGE;
        return NULL;
    }
    return err_new(
        ERR_INVALID_PARAMETER_VALUE,
        "Invalid value %lld for parameter 'max_results' supplied: It must be at least 1.",
        (long long)*ret);
}

/* Page key: timestamp, step, value as they lie in memory. */
static void from_key(str key, struct mlflow_history *q) {
    if (key.n != 24) return;
    memcpy(&q->after.timestamp, key.p, 8);
    memcpy(&q->after.step, key.p + 8, 8);
    memcpy(&q->after.value, key.p + 16, 8);
    q->after_set = true;
}

static str to_key(arena *a, const struct mlflow_point *p) {
    char *k = arena_alloc(a, 24);
    memcpy(k, &p->timestamp, 8);
    memcpy(k + 8, &p->step, 8);
    memcpy(k + 16, &p->value, 8);
    return str_n(k, 24);
}

err *api_mlflow_metric_history(struct req *r) {
    str id = arg_str(r, "run_id"), key = arg_str(r, "metric_key"), after;
    if (!id.n) id = arg_str(r, "run_uuid");
    struct access_run a = {0};
    int64_t max;
    TRY(page_size(r, PAGE, &max));
    TRY(access_run(r, id, EXPERIMENTS_CAN_READ, &a));
    str bound = str_of(arena_printf(r->a, "history %.*s %.*s", STR_ARG(id), STR_ARG(key)));
    TRY(page_token_read(r, arg_str(r, "page_token"), bound, &after));
    struct mlflow_history q = {
        .key = key, .min_step = INT64_MIN, .max_step = INT64_MAX, .limit = (size_t)max + 1};
    from_key(after, &q);
    struct mlflow_points points;
    TRY(mlflow_metrics_history(r->tx, r->a, a.run.rid, &q, &points));
    bool more = points.n > (size_t)max;
    if (more) points.n--;
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "metrics");
    for (size_t i = 0; i < points.n; i++) show_point(r, json_add_obj(r->doc, list), &points.p[i]);
    if (more)
        json_put_str(r->doc, o, "next_page_token",
                     page_token_make(r, bound, to_key(r->a, &points.p[points.n - 1])));
    return NULL;
}

/* ---- several runs ---- */

struct many {
    struct access_run *runs;
    struct mlflow_points *points;
    size_t n;
};

static err *runs_of(struct req *r, struct many *m) {
    jval *ids = arg(r, "run_ids") ? arg(r, "run_ids") : arg(r, "run_id"), *x;
    size_t i, max, n = yyjson_arr_size(ids);
    if (n == 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter 'run_ids'.");
    if (n > MAX_RUNS)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "GetMetricHistoryBulkInterval request cannot specify more than %d run_ids. "
                       "Received %zu run_ids.",
                       MAX_RUNS, n);
    m->runs = arena_array_of(r->a, struct access_run, n);
    m->points = arena_array_of(r->a, struct mlflow_points, n);
    yyjson_arr_foreach(ids, i, max, x) {
        TRY(access_run(r, json_str(x), EXPERIMENTS_CAN_READ, &m->runs[m->n]));
        m->n++;
    }
    return NULL;
}

static void show_of_run(struct req *r, jmut *list, const struct mlflow_run *run,
                        const struct mlflow_point *p) {
    jmut *o = json_add_obj(r->doc, list);
    show_point(r, o, p);
    json_put_str(r->doc, o, "run_id", run->run_id);
}

err *api_mlflow_metric_history_bulk(struct req *r) {
    struct many m = {0};
    int64_t max;
    TRY(page_size(r, PAGE, &max));
    TRY(runs_of(r, &m));
    jmut *o = req_out(r);
    jmut *list = json_put_arr(r->doc, o, "metrics");
    for (size_t i = 0; i < m.n && max > 0; i++) {
        struct mlflow_history q = {.key = arg_str(r, "metric_key"),
                                   .min_step = INT64_MIN,
                                   .max_step = INT64_MAX,
                                   .limit = (size_t)max};
        TRY(mlflow_metrics_history(r->tx, r->a, m.runs[i].run.rid, &q, &m.points[i]));
        for (size_t k = 0; k < m.points[i].n; k++)
            show_of_run(r, list, &m.runs[i].run, &m.points[i].p[k]);
        max -= (int64_t)m.points[i].n;
    }
    return NULL;
}

static int compare_step(const void *x, const void *y) {
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return (p > q) - (p < q);
}

/* The steps to show: every n-th of all steps of all runs, and each run's first and last. */
static size_t pick_steps(arena *a, const struct many *m, size_t max, int64_t **ret) {
    size_t total = 0, n = 0, kept = 0;
    for (size_t i = 0; i < m->n; i++) total += m->points[i].n;
    int64_t *all = arena_array_of(a, int64_t, total + 1);
    int64_t *out = arena_array_of(a, int64_t, total + 2 * m->n + 1);
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->points[i].n; k++) all[n++] = m->points[i].p[k].step;
    if (n) qsort(all, n, sizeof(*all), compare_step);
    size_t distinct = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || all[i] != all[i - 1]) all[distinct++] = all[i];
    size_t every = distinct > max ? (distinct + max - 1) / max : 1;
    for (size_t i = 0; i < distinct; i += every) out[kept++] = all[i];
    for (size_t i = 0; every > 1 && i < m->n; i++) {
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (size_t k = 0; k < m->points[i].n; k++) {
            int64_t s = m->points[i].p[k].step;
            low = s < low ? s : low;
            high = s > high ? s : high;
        }
        if (m->points[i].n) {
            out[kept++] = low;
            out[kept++] = high;
        }
    }
    if (kept) qsort(out, kept, sizeof(*out), compare_step);
    *ret = out;
    return kept;
}

err *api_mlflow_metric_history_interval(struct req *r) {
    struct many m = {0};
    int64_t max = arg_i64(r, "max_results", INTERVAL_PAGE), *steps;
    if (max < 1 || max > 2500)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "max_results must be between 1 and 2500, got %lld.", (long long)max);
    if (arg_has(r, "start_step") != arg_has(r, "end_step"))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "If either start step or end step are specified, both must be specified.");
    TRY(runs_of(r, &m));
    struct mlflow_history q = {.key = arg_str(r, "metric_key"),
                               .min_step = arg_i64(r, "start_step", INT64_MIN),
                               .max_step = arg_i64(r, "end_step", INT64_MAX),
                               .limit = INTERVAL_POINTS};
    if (q.min_step > q.max_step)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "end_step must be greater than start_step. Found start_step=%lld and "
                       "end_step=%lld.",
                       (long long)q.min_step, (long long)q.max_step);
    for (size_t i = 0; i < m.n; i++)
        TRY(mlflow_metrics_history(r->tx, r->a, m.runs[i].run.rid, &q, &m.points[i]));
    size_t n = pick_steps(r->a, &m, (size_t)max, &steps);
    jmut *o = req_out(r);
    jmut *list = json_put_arr(r->doc, o, "metrics");
    for (size_t i = 0; i < m.n; i++)
        for (size_t k = 0; k < m.points[i].n; k++)
            if (bsearch(&m.points[i].p[k].step, steps, n, sizeof(*steps), compare_step))
                show_of_run(r, list, &m.runs[i].run, &m.points[i].p[k]);
    return NULL;
}

err *api_mlflow_server_info(struct req *r) {
    jmut *o = req_out(r);
    json_put_z(r->doc, o, "store_type", "SqlStore");
    json_put_bool(r->doc, o, "workspaces_enabled", false);
    json_put_bool(r->doc, o, "multipart_uploads_enabled", false);
    json_put_bool(r->doc, o, "multipart_downloads_enabled", false);
    json_put_bool(r->doc, o, "trace_archival_enabled", false);
    return NULL;
}
