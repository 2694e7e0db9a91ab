/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mlflow_seek.h"

#include "store/mlflow_runs.h"
#include "sys/clock.h"

static err *begin(struct seeker *s, store_tx *tx, arena *a, const struct mlflow_search *search,
                  const struct seek_ops *ops, void *object) {
    *s = (struct seeker){.tx = tx, .search = search, .ops = ops, .object = object};
    s->scratch = arena_new();
    s->deadline = clock_mono() + MLFLOW_SEARCH_LIMIT_US;
    topk_init(&s->top, search->limit);
    for (size_t i = 0; i < search->q->n_orders; i++)
        topk_order(&s->top, search->q->orders[i].descending);
    topk_order(&s->top, true);
    topk_order(&s->top, false);
    return topk_after(&s->top, a, search->after);
}

static err *clause_holds(struct seeker *s, const struct mlq_clause *c, bool *ret) {
    bool handled = false;
    if (s->ops->any) TRY(s->ops->any(s, c, &handled, ret));
    if (handled) return NULL;
    struct topk_key v = {0};
    TRY(s->ops->value(s, c->entity, c->attribute, c->key, NULL, &v));
    if (v.kind == TOPK_NUMBER)
        *ret = c->numeric && mlq_match_number(c, v.number);
    else
        *ret = !(c->numeric) && mlq_match_text(c, v.kind == TOPK_TEXT ? v.text : STR_NONE);
    return NULL;
}

err *seek_check(struct seeker *s, int64_t id) {
    s->matched = false;
    if (++s->count % 256 == 0) {
        arena_reset(s->scratch);
        if (clock_mono() > s->deadline)
            return err_new(ERR_DEADLINE_EXCEEDED,
                           "The search took longer than %lld s; ask for fewer experiments or a "
                           "narrower filter.",
                           MLFLOW_SEARCH_LIMIT_US / 1000000);
    }
    bool ok;
    TRY(s->ops->load(s, id, &ok));
    const struct mlq *q = s->search->q;
    for (size_t i = 0; ok && i < q->n_clauses; i++) TRY(clause_holds(s, &q->clauses[i], &ok));
    if (!ok) return NULL;
    size_t n = 0;
    for (; n < q->n_orders; n++) {
        const struct mlq_order *o = &q->orders[n];
        s->keys[n] = (struct topk_key){0};
        TRY(s->ops->value(s, o->entity, o->attribute, o->key, o, &s->keys[n]));
    }
    TRY(s->ops->value(s, MLQ_ATTRIBUTE, MLQ_START, STR(""), NULL, &s->keys[n]));
    TRY(s->ops->value(s, MLQ_ATTRIBUTE, MLQ_ID, STR(""), NULL, &s->keys[n + 1]));
    s->matched = true;
    return NULL;
}

err *seek_consider(struct seeker *s, int64_t id) {
    TRY(seek_check(s, id));
    if (s->matched) topk_offer(&s->top, id, s->keys);
    return NULL;
}

err *seek_all(struct seeker *s, sql *q, bool stop) {
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) {
        e = seek_consider(s, sql_get_i(q, 0));
        if (!e && stop && s->matched && topk_done(&s->top, &s->keys[0])) break;
    }
    sql_close(q);
    return e;
}

static void finish(struct seeker *s, arena *a, struct mlflow_found *ret) {
    topk_finish(&s->top);
    ret->ids = arena_array_of(a, int64_t, s->top.n + 1);
    ret->n = s->top.n;
    for (size_t i = 0; i < s->top.n; i++) ret->ids[i] = s->top.items[i].id;
    ret->next = s->top.more ? topk_token(&s->top, a) : STR("");
}

bool seek_newest(const struct seeker *s, double *ret_from) {
    const struct mlq *q = s->search->q;
    const struct mlq_order *first = q->n_orders ? &q->orders[0] : NULL;
    bool newest = !first || (first->entity == MLQ_ATTRIBUTE && first->attribute == MLQ_START && first->descending);
    const struct topk_key *k = &s->top.after[0];
    *ret_from = newest && s->top.after_set && k->kind == TOPK_NUMBER ? k->number : 9e18;
    return newest;
}

static err *in_all(struct seeker *s) {
    for (size_t i = 0; i < s->search->n_where; i++) {
        s->where = &s->search->where[i];
        TRY(mlflow_eid(s->tx, s->search->scope, s->where->experiment, false, &s->eid));
        if (s->eid) TRY(s->ops->in_experiment(s));
    }
    return NULL;
}

err *seek_search(store_tx *tx, arena *a, const struct mlflow_search *search, const struct seek_ops *ops, void *object,
                 struct mlflow_found *ret) {
    struct seeker s;
    err *e = begin(&s, tx, a, search, ops, object);
    if (!e) e = in_all(&s);
    if (!e) finish(&s, a, ret);
    topk_free(&s.top);
    arena_free(s.scratch);
    return e;
}
