/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Search over traces. Candidates: a trace that a clause names by id; else the index of a tag or of
 * metadata for an = clause that few satisfy; else the traces of the experiment, newest first (which
 * ends early when that is the order).
 */
#include "base/json.h"
#include "store/mlflow_seek.h"
#include "store/mlflow_traces.h"

#define DRIVER_MAX 5000

struct object {
    struct mlflow_trace trace;
    struct mlflow_spans spans;
    bool spans_read;
};

static struct topk_key text(str t) {
    return t.p ? (struct topk_key){TOPK_TEXT, 0, t} : (struct topk_key){0};
}
static struct topk_key number(double n) { return (struct topk_key){TOPK_NUMBER, n, STR_NONE}; }

static err *load(struct seeker *s, int64_t tid, bool *ret_ok) {
    struct object *o = s->object;
    o->spans_read = false;
    return mlflow_trace_row(s->tx, s->scratch, tid, &o->trace, ret_ok);
}

static const char *state_name(int s) {
    static const char *const names[] = {"STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS"};
    return s >= 0 && s < (int)ARRAY_LEN(names) ? names[s] : "";
}

static struct topk_key attribute_of(struct seeker *s, enum mlq_attribute attribute) {
    struct mlflow_trace *t = &((struct object *)s->object)->trace;
    switch (attribute) {
    case MLQ_ID:
        return text(t->trace_id);
    case MLQ_START:
        return number((double)t->request_time);
    case MLQ_LASTING:
        return t->duration < 0 ? (struct topk_key){0} : number((double)t->duration);
    case MLQ_END:
        return t->duration < 0 ? (struct topk_key){0}
                               : number((double)(t->request_time + t->duration));
    case MLQ_STATUS:
        return text(str_of(state_name(t->state)));
    case MLQ_CLIENT_REQUEST:
        return text(t->client_request_id);
    case MLQ_EXPERIMENT:
        return number((double)t->experiment);
    default:
        return (struct topk_key){0};
    }
}

static err *value(struct seeker *s, enum mlq_entity entity, enum mlq_attribute attribute, str key,
                  const struct mlq_order *order, struct topk_key *ret) {
    struct object *o = s->object;
    str t = STR_NONE;
    (void)order;
    if (entity == MLQ_ATTRIBUTE) {
        *ret = attribute_of(s, attribute);
        return NULL;
    }
    enum mlflow_trace_kind kind = entity == MLQ_TAG ? TRACE_TAG : TRACE_METADATA;
    TRY(mlflow_trace_item(s->tx, s->scratch, o->trace.tid, kind, key, &t));
    *ret = text(t);
    return NULL;
}

/* ---- entities with several values ---- */

/* An attribute's text in the body of a span. Values that MLflow's clients write are JSON inside the
 * text, so "yes" stands there with its quotes; both forms count. */
static bool attribute_holds(struct seeker *s, const struct mlq_clause *c, str body, str name) {
    jval *span, *x;
    size_t i, max;
    err *e = json_parse(s->scratch, body, false, &span);
    if (e) {
        err_free(e);
        return false;
    }
    yyjson_arr_foreach(json_get(span, "attributes"), i, max, x) {
        if (!str_eq(json_get_str(x, "key"), name)) continue;
        str v = json_get_str(json_get(x, "value"), "string_value");
        if (!v.p) continue;
        bool plain = mlq_match_text(c, v);
        bool quoted = v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"';
        if (!quoted) return plain;
        return mlq_match_text(c, str_n(v.p + 1, v.n - 2)) || (plain && c->op != MLQ_NE);
    }
    return false;
}

static bool span_holds(struct seeker *s, const struct mlq_clause *c, const struct mlflow_span *p) {
    if (str_eqz(c->key, "name")) return mlq_match_text(c, p->name);
    if (str_eqz(c->key, "type")) return mlq_match_text(c, p->type);
    if (str_eqz(c->key, "status")) return mlq_match_text(c, p->status);
    if (str_eqz(c->key, "content")) return mlq_match_text(c, p->body);
    return attribute_holds(s, c, p->body, str_from(c->key, 11));
}

static err *any_span(struct seeker *s, const struct mlq_clause *c, bool *ret_ok) {
    struct object *o = s->object;
    if (!o->spans_read) TRY(mlflow_trace_spans(s->tx, s->scratch, o->trace.tid, &o->spans));
    o->spans_read = true;
    *ret_ok = false;
    for (size_t i = 0; i < o->spans.n && !*ret_ok; i++) *ret_ok = span_holds(s, c, &o->spans.p[i]);
    return NULL;
}

/* Values are kept as JSON: numbers and booleans bare, texts quoted. */
static bool assessment_holds(const struct mlq_clause *c, str v) {
    if (!v.p) return false;
    if (c->numeric) {
        double n;
        return str_to_f64(v, &n) && mlq_match_number(c, n);
    }
    bool quoted = v.n >= 2 && v.p[0] == '"';
    return mlq_match_text(c, quoted ? str_n(v.p + 1, v.n - 2) : v);
}

static err *any_assessment(struct seeker *s, const struct mlq_clause *c, bool *ret_ok) {
    struct object *o = s->object;
    int kind = c->entity == MLQ_FEEDBACK ? ASSESSMENT_FEEDBACK : ASSESSMENT_EXPECTATION;
    struct mlflow_assessments all;
    bool there = false;
    TRY(mlflow_trace_assessments(s->tx, s->scratch, o->trace.tid, STR(""), &all));
    *ret_ok = false;
    for (size_t i = 0; i < all.n; i++) {
        const struct mlflow_assessment *p = &all.p[i];
        if (p->kind != kind || !p->valid || !str_eq(p->name, c->key)) continue;
        there = true;
        *ret_ok |= assessment_holds(c, p->value);
    }
    if (c->op == MLQ_IS_NULL) *ret_ok = !there;
    if (c->op == MLQ_NOT_NULL) *ret_ok = there;
    return NULL;
}

static err *any(struct seeker *s, const struct mlq_clause *c, bool *ret_handled, bool *ret_ok) {
    *ret_handled = true;
    if (c->entity == MLQ_SPAN) return any_span(s, c, ret_ok);
    if (c->entity == MLQ_FEEDBACK || c->entity == MLQ_EXPECTATION)
        return any_assessment(s, c, ret_ok);
    *ret_handled = false;
    return NULL;
}

/* ---- candidates ---- */

static str prefix_of(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == 64) return str_cut(s, i);
    return s;
}

static err *open_items(struct seeker *s, const struct mlq_clause *c, sql **ret) {
    return sql_open(ret, s->tx,
                    "SELECT tid FROM trace_item WHERE eid = ?1 AND kind = ?2 AND key = ?3"
                    " AND substr(value, 1, 64) = ?4 LIMIT ?5",
                    sql_i(s->eid), sql_i(c->entity == MLQ_TAG ? TRACE_TAG : TRACE_METADATA),
                    sql_t(c->key), sql_t(prefix_of(c->text)), sql_i(DRIVER_MAX));
}

static err *count(sql *q, int64_t *ret) {
    bool row = true;
    err *e = NULL;
    *ret = -1;
    while (!e && row) {
        e = sql_step(q, &row);
        ++*ret;
    }
    sql_close(q);
    return e;
}

static err *by_driver(struct seeker *s, bool *ret_done) {
    const struct mlq *q = s->search->q;
    const struct mlq_clause *best = NULL;
    int64_t fewest = DRIVER_MAX, n;
    sql *rows;
    for (size_t i = 0; i < q->n_clauses; i++) {
        const struct mlq_clause *c = &q->clauses[i];
        if (c->op != MLQ_EQ) continue;
        if (c->entity == MLQ_ATTRIBUTE && c->attribute == MLQ_ID) {
            *ret_done = true;
            TRY(sql_open(&rows, s->tx,
                         "SELECT tid FROM trace WHERE workspace_id = ?1"
                         " AND trace_id = ?2 AND eid = ?3",
                         sql_i(s->search->scope.workspace), sql_t(c->text), sql_i(s->eid)));
            return seek_all(s, rows, false);
        }
        if (c->entity != MLQ_TAG && c->entity != MLQ_METADATA) continue;
        TRY(open_items(s, c, &rows));
        TRY(count(rows, &n));
        if (n >= fewest) continue;
        fewest = n;
        best = c;
    }
    *ret_done = best != NULL;
    if (!best) return NULL;
    TRY(open_items(s, best, &rows));
    return seek_all(s, rows, false);
}

static err *in_experiment(struct seeker *s) {
    bool done = false;
    TRY(by_driver(s, &done));
    if (done) return NULL;
    double at;
    bool newest = seek_newest(s, &at);
    sql *rows;
    TRY(sql_open(&rows, s->tx,
                 "SELECT tid FROM trace WHERE eid = ?1 AND request_time <= ?2"
                 " ORDER BY request_time DESC, trace_id",
                 sql_i(s->eid), sql_f(at)));
    return seek_all(s, rows, newest);
}

static const struct seek_ops ops = {load, value, any, "request_id", in_experiment};

err *mlflow_search_traces(store_tx *tx, arena *a, const struct mlflow_search *search,
                          struct mlflow_found *ret) {
    struct object o = {0};
    return seek_search(tx, a, search, &ops, &o, ret);
}
