/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/experiments.h"

#include "base/time.h"
#include "mlflow/show.h"
#include "store/mlflow_topk.h"

#define PAGE 1000

err *experiment_view_of(struct req *r, const char *name, enum experiment_view *ret) {
    str v = arg_str(r, name);
    static const char *const names[] = {"ACTIVE_ONLY", "DELETED_ONLY", "ALL"};
    *ret = VIEW_ACTIVE;
    if (v.n == 0) return NULL;
    for (int i = 0; i < 3; i++)
        if (str_eqz(v, names[i])) {
            *ret = (enum experiment_view)i;
            return NULL;
        }
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid value '%.*s' for parameter '%s' supplied: expected ACTIVE_ONLY, "
                   "DELETED_ONLY or ALL.",
                   STR_ARG(str_cut(v, 100)), name);
}

err *experiment_save(struct req *r, struct ent_experiment *e) {
    store_tx_securable(r->tx, "experiment", e->id, e->name);
    if (e->id != 0 || e->from_seq != 0) return ent_experiment_update(r->tx, r->scope, e);
    e->id = ENT_ID_ZERO;
    err *bad = ent_experiment_insert(r->tx, r->scope, e);
    e->id = 0;
    return bad;
}

err *experiment_put_tag(struct req *r, struct ent_experiment *e, str key, str value,
                        bool *ret_was) {
    struct mlflow_pairs old;
    TRY(show_tags_parse(r->a, e->tags, &old));
    struct mlflow_pairs tags = {arena_array_of(r->a, struct mlflow_pair, old.n + 1), 0};
    *ret_was = false;
    for (size_t i = 0; i < old.n; i++) {
        bool same = str_eq(old.p[i].key, key);
        *ret_was |= same;
        if (!same) tags.p[tags.n++] = old.p[i];
    }
    if (value.p) tags.p[tags.n++] = (struct mlflow_pair){key, value};
    e->tags = show_tags_json(r->a, &tags);
    return NULL;
}

/* ---- search ---- */

struct search {
    struct req *r;
    store_tx *meta;
    struct mlq *q;
    enum experiment_view view;
    struct topk top;
    bool seen_default;
};

static str id_text(struct req *r, int64_t id) {
    return str_of(arena_printf(r->a, "%lld", (long long)id));
}

static str tag_of(const struct mlflow_pairs *tags, str key) {
    for (size_t i = 0; i < tags->n; i++)
        if (str_eq(tags->p[i].key, key)) return tags->p[i].value;
    return STR_NONE;
}

static bool matches(struct search *s, const struct ent_experiment *e,
                    const struct mlflow_pairs *tags) {
    for (size_t i = 0; i < s->q->n_clauses; i++) {
        const struct mlq_clause *c = &s->q->clauses[i];
        bool ok;
        if (c->entity == MLQ_TAG)
            ok = mlq_match_text(c, tag_of(tags, c->key));
        else if (c->attribute == MLQ_NAME)
            ok = mlq_match_text(c, e->name);
        else if (c->attribute == MLQ_ID)
            ok = mlq_match_text(c, id_text(s->r, e->id));
        else
            ok = mlq_match_number(
                c,
                (double)((c->attribute == MLQ_START ? e->created_at : e->updated_at) / US_PER_MS));
        if (!ok) return false;
    }
    return true;
}

static struct topk_key key_of(struct search *s, const struct ent_experiment *e,
                              enum mlq_attribute attribute) {
    (void)s;
    switch (attribute) {
    case MLQ_NAME:
        return (struct topk_key){TOPK_TEXT, 0, e->name};
    case MLQ_ID:
        return (struct topk_key){TOPK_NUMBER, (double)e->id, STR_NONE};
    case MLQ_START:
        return (struct topk_key){TOPK_NUMBER, (double)e->created_at, STR_NONE};
    default:
        return (struct topk_key){TOPK_NUMBER, (double)e->updated_at, STR_NONE};
    }
}

static err *consider(struct search *s, const struct ent_experiment *e) {
    s->seen_default |= e->id == 0;
    bool active = access_is_active(e);
    if (s->view != VIEW_ALL && active != (s->view == VIEW_ACTIVE)) return NULL;
    struct mlflow_pairs tags;
    TRY(show_tags_parse(s->r->a, e->tags, &tags));
    if (!matches(s, e, &tags)) return NULL;
    uint64_t level;
    TRY(access_level(s->meta, s->r, e, &level));
    if (level == 0) return NULL;
    struct topk_key keys[TOPK_MAX_KEYS];
    size_t n = 0;
    for (; n < s->q->n_orders; n++) keys[n] = key_of(s, e, s->q->orders[n].attribute);
    keys[n++] = key_of(s, e, MLQ_START);
    keys[n++] = key_of(s, e, MLQ_ID);
    topk_offer(&s->top, e->id, keys);
    return NULL;
}

static err *scan(struct search *s) {
    for (size_t i = 0; i < s->q->n_clauses; i++) {
        const struct mlq_clause *c = &s->q->clauses[i];
        if (c->attribute != MLQ_NAME || c->entity != MLQ_ATTRIBUTE || c->op != MLQ_EQ) continue;
        struct ent_experiment e;
        bool found;
        TRY(access_find_name(s->meta, s->r, c->text, &e, &found));
        s->seen_default = true;
        return found ? consider(s, &e) : NULL;
    }
    struct ent_list_query q = {.limit = PAGE};
    for (;;) {
        struct ent_experiment_rows rows;
        TRY(ent_experiment_list(s->meta, s->r->scope, s->r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) TRY(consider(s, &rows.p[i]));
        if (!rows.more || rows.n == 0) return NULL;
        q.after = true;
        q.after_id = q.after_i = rows.p[rows.n - 1].id;
    }
}

static err *search(struct search *s, str after, struct experiment_page *ret) {
    TRY(topk_after(&s->top, s->r->a, after));
    TRY(scan(s));
    struct ent_experiment zero;
    bool found;
    if (!s->seen_default) {
        TRY(access_find(s->meta, s->r, 0, &zero, &found));
        if (found) TRY(consider(s, &zero));
    }
    topk_finish(&s->top);
    ret->p = arena_array_of(s->r->a, struct ent_experiment, s->top.n + 1);
    for (size_t i = 0; i < s->top.n; i++) {
        TRY(access_find(s->meta, s->r, s->top.items[i].id, &ret->p[ret->n], &found));
        if (found) ret->n++;
    }
    ret->next = s->top.more ? topk_token(&s->top, s->r->a) : STR("");
    return NULL;
}

err *experiment_search(struct req *r, enum experiment_view view, struct mlq *q, size_t limit,
                       str after, struct experiment_page *ret) {
    struct search s = {.r = r, .q = q, .view = view};
    *ret = (struct experiment_page){.next = STR("")};
    topk_init(&s.top, limit);
    for (size_t i = 0; i < q->n_orders; i++) topk_order(&s.top, q->orders[i].descending);
    topk_order(&s.top, true);
    topk_order(&s.top, false);
    TRY(access_meta_begin(r, &s.meta));
    err *e = search(&s, after, ret);
    access_meta_end(r, s.meta);
    topk_free(&s.top);
    return e;
}
