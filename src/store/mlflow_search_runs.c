/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Search over runs. In each experiment candidates come from one of
 *
 *   ids       a clause names them
 *   driver    the index of a parameter, tag, name or metric, when few rows (< DRIVER_MAX) satisfy
 *             that clause; of several clauses the one with the fewest
 *   value     a parameter or tag has one value, and the order is by start: its index in order
 *   text      the order is by a parameter or tag: its index in order, then runs without one
 *   metric    the order is by a metric: hot runs, metric_find in order, then runs without a number
 *   time      the order is by start: run_by_time in order
 *   all       otherwise: every run of the experiment
 *
 * and all clauses are checked on each. "value", "text", "metric" and "time" end when the page is
 * full and no later row can be kept. So a filter that few satisfy reads few rows through its
 * driver, and one that many satisfy fills the page soon.
 */
#include <math.h>
#include <stdio.h>

#include "store/mlflow_runs.h"
#include "store/mlflow_seek.h"

#define DRIVER_MAX 5000
#define MAX_IDS 1000

struct object {
    struct mlflow_run run;
    struct mlflow_points metrics;
    bool metrics_read;
};

static const char *status_name(int s) {
    static const char *const names[] = {"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};
    return s > 0 && s < (int)ARRAY_LEN(names) ? names[s] : "";
}

static err *load(struct seeker *s, int64_t rid, bool *ret_ok) {
    struct object *o = s->object;
    o->metrics_read = false;
    TRY(mlflow_run_row(s->tx, s->scratch, rid, &o->run, ret_ok));
    if (!*ret_ok) return NULL;
    bool deleted = o->run.deleted_time != 0 || s->where->deleted;
    *ret_ok = s->search->view == MLFLOW_ALL || deleted == (s->search->view == MLFLOW_DELETED);
    return NULL;
}

static struct topk_key text(str t) { return (struct topk_key){TOPK_TEXT, 0, t}; }
static struct topk_key number(double n) { return (struct topk_key){TOPK_NUMBER, n, STR_NONE}; }

static struct topk_key attribute_of(struct seeker *s, enum mlq_attribute attribute) {
    struct object *o = s->object;
    switch (attribute) {
    case MLQ_ID:
        return text(o->run.run_id);
    case MLQ_NAME:
        return text(o->run.name.p ? o->run.name : STR(""));
    case MLQ_USER:
        return text(o->run.user_id.p ? o->run.user_id : STR(""));
    case MLQ_STATUS:
        return text(str_of(status_name(o->run.status)));
    case MLQ_START:
        return number((double)o->run.start_time);
    case MLQ_END:
        return o->run.end_time ? number((double)o->run.end_time) : (struct topk_key){0};
    case MLQ_ARTIFACT_URI:
        return text(str_of(arena_printf(s->scratch, "%.*s/%.*s/artifacts", STR_ARG(s->where->uri),
                                        STR_ARG(o->run.run_id))));
    default:
        return (struct topk_key){0};
    }
}

static err *value(struct seeker *s, enum mlq_entity entity, enum mlq_attribute attribute, str key,
                  const struct mlq_order *order, struct topk_key *ret) {
    struct object *o = s->object;
    str t = STR_NONE;
    (void)order;
    *ret = (struct topk_key){0};
    switch (entity) {
    case MLQ_ATTRIBUTE:
        *ret = attribute_of(s, attribute);
        return NULL;
    case MLQ_METRIC:
        if (!o->metrics_read)
            TRY(mlflow_metrics_latest(s->tx, s->scratch, o->run.rid, &o->metrics));
        o->metrics_read = true;
        for (size_t i = 0; i < o->metrics.n; i++)
            if (str_eq(o->metrics.p[i].key, key)) *ret = number(o->metrics.p[i].value);
        return NULL;
    case MLQ_PARAM:
        TRY(mlflow_run_param(s->tx, s->scratch, o->run.rid, key, &t));
        break;
    case MLQ_TAG:
        TRY(mlflow_run_tag(s->tx, s->scratch, o->run.rid, key, &t));
        break;
    default:
        return NULL;
    }
    if (t.p) *ret = text(t);
    return NULL;
}

static err *any(struct seeker *s, const struct mlq_clause *c, bool *ret_handled, bool *ret_ok) {
    *ret_handled = c->entity == MLQ_DATASET;
    if (!*ret_handled) return NULL;
    struct object *o = s->object;
    struct mlflow_datasets sets;
    TRY(mlflow_run_datasets(s->tx, s->scratch, o->run.rid, &sets));
    *ret_ok = false;
    for (size_t i = 0; i < sets.n; i++) {
        str v = str_eqz(c->key, "name")     ? sets.p[i].name
                : str_eqz(c->key, "digest") ? sets.p[i].digest
                                            : sets.p[i].context;
        *ret_ok |= mlq_match_text(c, v);
    }
    return NULL;
}

/* ---- drivers ---- */

static void metric_range(const struct mlq_clause *c, double *low, double *high) {
    *low = -INFINITY;
    *high = INFINITY;
    if (c->op == MLQ_EQ || c->op == MLQ_GT || c->op == MLQ_GE) *low = c->number;
    if (c->op == MLQ_EQ || c->op == MLQ_LT || c->op == MLQ_LE) *high = c->number;
}

static bool can_drive(const struct mlq_clause *c) {
    if (c->entity == MLQ_PARAM || c->entity == MLQ_TAG) return c->op == MLQ_EQ;
    if (c->entity == MLQ_METRIC) return c->op != MLQ_NE;
    return c->entity == MLQ_ATTRIBUTE && c->attribute == MLQ_NAME && c->op == MLQ_EQ;
}

/* What the indexes on values hold: the first 64 characters. */
static str prefix_of(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == 64) return str_cut(s, i);
    return s;
}

/* The rids that satisfy the clause, as far as the index knows, at most `max`. The statements are
 * used for counting and for reading alike. */
static err *open_driver(struct seeker *s, const struct mlq_clause *c, int64_t max, sql **ret) {
    str start = prefix_of(c->text);
    double low, high;
    switch (c->entity) {
    case MLQ_PARAM:
        return sql_open(ret, s->tx,
                        "SELECT rid FROM run_param WHERE eid = ?1 AND key = ?2"
                        " AND substr(value, 1, 64) = ?3 LIMIT ?4",
                        sql_i(s->eid), sql_t(c->key), sql_t(start), sql_i(max));
    case MLQ_TAG:
        return sql_open(ret, s->tx,
                        "SELECT rid FROM run_tag WHERE eid = ?1 AND key = ?2"
                        " AND substr(value, 1, 64) = ?3 LIMIT ?4",
                        sql_i(s->eid), sql_t(c->key), sql_t(start), sql_i(max));
    case MLQ_METRIC:
        metric_range(c, &low, &high);
        return sql_open(ret, s->tx,
                        "SELECT rid FROM metric_find WHERE eid = ?1 AND key = ?2"
                        " AND value BETWEEN ?3 AND ?4 LIMIT ?5",
                        sql_i(s->eid), sql_t(c->key), sql_f(low), sql_f(high), sql_i(max));
    default:
        return sql_open(ret, s->tx, "SELECT rid FROM run WHERE eid = ?1 AND name = ?2 LIMIT ?3",
                        sql_i(s->eid), sql_t(c->text), sql_i(max));
    }
}

static err *count_driver(struct seeker *s, const struct mlq_clause *c, int64_t max, int64_t *ret) {
    sql *q;
    bool row = true;
    TRY(open_driver(s, c, max, &q));
    err *e = NULL;
    *ret = -1;
    while (!e && row) {
        e = sql_step(q, &row);
        ++*ret;
    }
    sql_close(q);
    return e;
}

static err *hot_runs(struct seeker *s) {
    sql *q;
    TRY(sql_open(&q, s->tx, "SELECT rid FROM run_hot WHERE eid = ?1", sql_i(s->eid)));
    return seek_all(s, q, false);
}

static bool newest_first(const struct mlq *q) {
    return q->n_orders == 0 || (q->orders[0].entity == MLQ_ATTRIBUTE &&
                                q->orders[0].attribute == MLQ_START && q->orders[0].descending);
}

/* Where a page goes on when its first key is a number. */
static double from_after(struct seeker *s, double dflt) {
    const struct topk_key *k = &s->top.after[0];
    return s->top.after_set && k->kind == TOPK_NUMBER && !isnan(k->number) ? k->number : dflt;
}

/* However many runs have the value: the newest come first, and the page is soon full. */
static err *by_value(struct seeker *s, const struct mlq_clause *c) {
    sql *q;
    str start = prefix_of(c->text);
    double at = from_after(s, 9e18);
    if (c->entity == MLQ_PARAM)
        TRY(sql_open(&q, s->tx,
                     "SELECT rid FROM run_param WHERE eid = ?1 AND key = ?2"
                     " AND substr(value, 1, 64) = ?3 AND start_time <= ?4 ORDER BY start_time DESC",
                     sql_i(s->eid), sql_t(c->key), sql_t(start), sql_f(at)));
    else
        TRY(sql_open(&q, s->tx,
                     "SELECT rid FROM run_tag WHERE eid = ?1 AND key = ?2"
                     " AND substr(value, 1, 64) = ?3 AND start_time <= ?4 ORDER BY start_time DESC",
                     sql_i(s->eid), sql_t(c->key), sql_t(start), sql_f(at)));
    return seek_all(s, q, true);
}

static err *in_order(struct seeker *s, bool *ret_done) {
    const struct mlq *q = s->search->q;
    for (size_t i = 0; i < q->n_clauses && newest_first(q); i++) {
        const struct mlq_clause *c = &q->clauses[i];
        if (c->op != MLQ_EQ || (c->entity != MLQ_PARAM && c->entity != MLQ_TAG)) continue;
        *ret_done = true;
        return by_value(s, c);
    }
    return NULL;
}

static err *by_driver(struct seeker *s, bool *ret_done) {
    const struct mlq *q = s->search->q;
    const struct mlq_clause *best = NULL;
    int64_t fewest = DRIVER_MAX, n;
    for (size_t i = 0; i < q->n_clauses; i++) {
        if (!can_drive(&q->clauses[i])) continue;
        TRY(count_driver(s, &q->clauses[i], fewest, &n));
        if (n >= fewest) continue;
        fewest = n;
        best = &q->clauses[i];
    }
    *ret_done = best != NULL;
    if (!best) return in_order(s, ret_done);
    if (newest_first(q) && (best->entity == MLQ_PARAM || best->entity == MLQ_TAG))
        return by_value(s, best);
    sql *rows;
    TRY(open_driver(s, best, DRIVER_MAX, &rows));
    TRY(seek_all(s, rows, false));
    return best->entity == MLQ_METRIC ? hot_runs(s) : NULL;
}

static err *one_id(struct seeker *s, str id) {
    int64_t rid;
    bool found = false;
    TRY(sql_one_i(&rid, &found, s->tx,
                  "SELECT rid FROM run WHERE workspace_id = ?1 AND run_id = ?2 AND eid = ?3",
                  sql_i(s->search->scope.workspace), sql_t(id), sql_i(s->eid)));
    return found ? seek_consider(s, rid) : NULL;
}

static err *by_ids(struct seeker *s, bool *ret_done) {
    const struct mlq *q = s->search->q;
    for (size_t i = 0; i < q->n_clauses; i++) {
        const struct mlq_clause *c = &q->clauses[i];
        if (c->entity != MLQ_ATTRIBUTE || c->attribute != MLQ_ID) continue;
        if (c->op != MLQ_EQ && (c->op != MLQ_IN || c->n_list > MAX_IDS)) continue;
        *ret_done = true;
        if (c->op == MLQ_EQ) return one_id(s, c->text);
        for (size_t k = 0; k < c->n_list; k++) {
            bool seen = false; /* an id that stands twice must not be offered twice */
            for (size_t j = 0; j < k && !seen; j++) seen = str_eq(c->list[j], c->list[k]);
            if (!seen) TRY(one_id(s, c->list[k]));
        }
        return NULL;
    }
    return NULL;
}

/* ---- orders ---- */

static err *by_time(struct seeker *s, bool descending) {
    sql *q;
    double at = from_after(s, descending ? 9e18 : -9e18);
    if (descending)
        TRY(sql_open(&q, s->tx,
                     "SELECT rid FROM run WHERE eid = ?1 AND start_time <= ?2"
                     " ORDER BY start_time DESC, run_id",
                     sql_i(s->eid), sql_f(at)));
    else
        TRY(sql_open(&q, s->tx,
                     "SELECT rid FROM run WHERE eid = ?1 AND start_time >= ?2 ORDER BY start_time",
                     sql_i(s->eid), sql_f(at)));
    return seek_all(s, q, true);
}

static err *everything(struct seeker *s) {
    sql *q;
    TRY(sql_open(&q, s->tx, "SELECT rid FROM run WHERE eid = ?1 ORDER BY start_time DESC",
                 sql_i(s->eid)));
    return seek_all(s, q, false);
}

/* Settled runs that have no number under this key: the last ones of the order. */
static err *without_metric(struct seeker *s) {
    struct object *o = s->object;
    sql *q;
    TRY(sql_open(&q, s->tx, "SELECT rid FROM run WHERE eid = ?1 ORDER BY start_time DESC, run_id",
                 sql_i(s->eid)));
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) {
        int64_t rid = sql_get_i(q, 0);
        e = seek_check(s, rid);
        if (e || !s->matched || o->run.hot) continue;
        const struct topk_key *k = &s->keys[0];
        if (k->kind == TOPK_NUMBER && !isnan(k->number)) continue;
        topk_offer(&s->top, rid, s->keys);
    }
    sql_close(q);
    return e;
}

static err *by_metric(struct seeker *s, const struct mlq_order *order) {
    sql *q;
    TRY(hot_runs(s));
    const struct topk_key *k = &s->top.after[0];
    bool past = s->top.after_set && !(k->kind == TOPK_NUMBER && !isnan(k->number));
    if (!past) {
        double at = from_after(s, order->descending ? INFINITY : -INFINITY);
        if (order->descending)
            TRY(sql_open(&q, s->tx,
                         "SELECT rid FROM metric_find WHERE eid = ?1 AND key = ?2 AND value <= ?3"
                         " ORDER BY value DESC",
                         sql_i(s->eid), sql_t(order->key), sql_f(at)));
        else
            TRY(sql_open(&q, s->tx,
                         "SELECT rid FROM metric_find WHERE eid = ?1 AND key = ?2 AND value >= ?3"
                         " ORDER BY value",
                         sql_i(s->eid), sql_t(order->key), sql_f(at)));
        TRY(seek_all(s, q, true));
    }
    struct topk_key none = {0};
    struct topk_key nan_key = number(NAN);
    if (topk_done(&s->top, &none) && topk_done(&s->top, &nan_key)) return NULL;
    return without_metric(s);
}

/* Runs without this parameter or tag: the last ones of the order. */
static err *without_text(struct seeker *s) {
    sql *q;
    TRY(sql_open(&q, s->tx, "SELECT rid FROM run WHERE eid = ?1 ORDER BY start_time DESC, run_id",
                 sql_i(s->eid)));
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) {
        int64_t rid = sql_get_i(q, 0);
        e = seek_check(s, rid);
        if (!e && s->matched && s->keys[0].kind == TOPK_NONE) topk_offer(&s->top, rid, s->keys);
    }
    sql_close(q);
    return e;
}

/* Can nothing that follows in the index be kept? The index knows the first 64 characters only;
 * among rows that share them the start decides, if they are the whole text and no other order
 * stands between. */
static bool text_done(struct seeker *s, bool descending) {
    if (s->top.n <= s->top.limit) return false;
    const struct topk_key *last = s->top.items[0].keys, *here = s->keys;
    if (last[0].kind != TOPK_TEXT || here[0].kind != TOPK_TEXT) return false;
    int c = str_cmp(prefix_of(here[0].text), prefix_of(last[0].text));
    if (c) return descending ? c < 0 : c > 0;
    return s->search->q->n_orders == 1 && here[0].text.n < 64 &&
           str_eq(here[0].text, last[0].text) && here[1].number < last[1].number;
}

static err *by_text(struct seeker *s, const struct mlq_order *order) {
    const struct topk_key *k = &s->top.after[0];
    bool more = !s->top.after_set || k->kind == TOPK_TEXT, done = false;
    if (more) {
        sql *q;
        bool row = true;
        char text[200];
        snprintf(
            text, sizeof(text),
            "SELECT rid FROM %s WHERE eid = ?1 AND key = ?2 AND substr(value, 1, 64) %s ?3"
            " ORDER BY substr(value, 1, 64)%s, start_time DESC",
            order->entity == MLQ_PARAM ? "run_param" : "run_tag",
            order->descending && s->top.after_set ? "<=" : ">=", order->descending ? " DESC" : "");
        str from = s->top.after_set ? prefix_of(k->text) : STR("");
        const struct sql_arg args[] = {sql_i(s->eid), sql_t(order->key), sql_t(from)};
        TRY(sql_open_text(&q, s->tx, text, args, ARRAY_LEN(args)));
        err *e = NULL;
        while (!e && !done && !(e = sql_step(q, &row)) && row) {
            e = seek_consider(s, sql_get_i(q, 0));
            done = !e && s->matched && text_done(s, order->descending);
        }
        sql_close(q);
        if (e) return e;
    }
    struct topk_key none = {0};
    return done || topk_done(&s->top, &none) ? NULL : without_text(s);
}

static err *in_experiment(struct seeker *s) {
    if (s->where->deleted && s->search->view == MLFLOW_ACTIVE) return NULL;
    const struct mlq *q = s->search->q;
    bool done = false;
    TRY(by_ids(s, &done));
    if (!done) TRY(by_driver(s, &done));
    if (done) return NULL;
    const struct mlq_order *first = q->n_orders ? &q->orders[0] : NULL;
    if (!first) return by_time(s, true);
    if (first->entity == MLQ_ATTRIBUTE && first->attribute == MLQ_START)
        return by_time(s, first->descending);
    if (first->entity == MLQ_METRIC) return by_metric(s, first);
    if (first->entity == MLQ_PARAM || first->entity == MLQ_TAG) return by_text(s, first);
    return everything(s);
}

static const struct seek_ops ops = {load, value, any, "run_id", in_experiment};

err *mlflow_search_runs(store_tx *tx, arena *a, const struct mlflow_search *search,
                        struct mlflow_found *ret) {
    struct object o = {0};
    return seek_search(tx, a, search, &ops, &o, ret);
}
