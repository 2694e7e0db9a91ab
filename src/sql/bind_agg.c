/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GROUP BY and what stands above it. Keys are expressions of the block's input; every expression of the select list,
 * HAVING, QUALIFY and ORDER BY is rewritten so that it mentions only keys and aggregates (columns of q->aggrel).
 */
#include "sql/bind.h"

/* ---- keys ---- */

static err *key_index(struct cx *c, struct bq *q, struct bx *x, const struct ast *at, size_t *ret) {
    struct binder *b = c->b;
    if (x->has_agg) return sql_error("GROUP_BY_AGGREGATE", at, b->text, "sqlExpr", arena_printf(b->a, "%.*s", STR_ARG(caption_of(b, x))), NULL);
    if (bind_has_variant(x->type))
        return sql_error("GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE", at, b->text, "sqlExpr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), "dataType",
                         type_name(b, x->type).p, NULL);
    for (size_t i = 0; i < q->n_keys; i++)
        if (bx_eq(q->keys[i], x)) {
            *ret = i;
            return NULL;
        }
    if (q->n_keys >= 64) return unsupported(b, at, "more than 64 keys of GROUP BY");
    struct bx **more = arena_array_of(b->a, struct bx *, q->n_keys + 1);
    if (q->n_keys) memcpy(more, q->keys, q->n_keys * sizeof *more);
    *ret = q->n_keys;
    more[q->n_keys++] = bx_exact(b, x);
    q->keys = more;
    if (x->kind == BX_LIT || x->has_sub || x->has_lambda || x->nondet || bx_is_collated(x) || sql_type_has(x->type, TY_MAP)) q->staged = true;
    return NULL;
}

static err *bind_key(struct cx *c, const struct ast *n, struct bq *q, struct bx **items, size_t n_items, size_t *ret) {
    struct bx *x;
    int64_t k;
    if (n->kind == AST_LIT_NUMBER && n->op == 0 && str_chr(n->text, '.', 0) < 0) {
        if (!str_to_i64(n->text, &k) || k < 1 || (size_t)k > n_items)
            return sql_error("GROUP_BY_POS_OUT_OF_RANGE", n, c->b->text, "index", arena_printf(c->b->a, "%.*s", STR_ARG(n->text)), "size",
                             arena_printf(c->b->a, "%zu", n_items), NULL);
        x = items[k - 1];
        if (x->has_agg)
            return sql_error("GROUP_BY_POS_AGGREGATE", n, c->b->text, "index", arena_printf(c->b->a, "%lld", (long long)k), "aggExpr",
                             arena_printf(c->b->a, "%.*s", STR_ARG(caption_of(c->b, x))), NULL);
    } else {
        struct cx kc = *c;
        kc.no_agg = kc.no_win = true;
        kc.clause = "GROUP BY";
        TRY(bind_expr(&kc, n, &x));
    }
    return key_index(c, q, x, n, ret);
}

/* ---- grouping sets ---- */

struct sets {
    uint64_t *bits;
    size_t n;
};

static err *keys_bits(struct cx *c, const struct ast *list, struct bq *q, struct bx **items, size_t n_items, uint64_t *ret) {
    uint64_t bits = 0;
    size_t k;
    bool tuple = list->kind == AST_LIST || list->kind == AST_ROW;
    for (uint32_t i = 0; i < (tuple ? list->n : 1); i++) {
        TRY(bind_key(c, tuple ? list->child[i] : list, q, items, n_items, &k));
        bits |= 1ull << k;
    }
    *ret = bits;
    return NULL;
}

static err *grouping_sets(struct cx *c, const struct ast *g, struct bq *q, struct bx **items, size_t n_items, struct sets *out, int depth) {
    struct binder *b = c->b;
    uint64_t *part = arena_array_of(b->a, uint64_t, g->n + 1);
    if (depth > 20) return unsupported(b, g, "grouping sets nested this deep");
    if (str_eqz(g->text, "sets")) {
        struct sets all = {.bits = arena_array_of(b->a, uint64_t, 4096)};
        uint64_t named; /* keys of no set are NULL everywhere */
        if (ast_get(g, SLOT_ITEMS)) TRY(keys_bits(c, ast_get(g, SLOT_ITEMS), q, items, n_items, &named));
        for (uint32_t i = 0; i < g->n; i++) {
            struct sets one = {.n = 0};
            const struct ast *s = g->child[i];
            if (s->kind == AST_LIST && s->n == 1 && s->child[0]->kind == AST_GROUPING) s = s->child[0];
            if (s->kind == AST_GROUPING) {
                TRY(grouping_sets(c, s, q, items, n_items, &one, depth + 1));
            } else {
                one.bits = arena_array_of(b->a, uint64_t, 1);
                TRY(keys_bits(c, s, q, items, n_items, &one.bits[0]));
                one.n = 1;
            }
            for (size_t k = 0; k < one.n && all.n < 4096; k++) all.bits[all.n++] = one.bits[k];
        }
        *out = all;
        return NULL;
    }
    for (uint32_t i = 0; i < g->n; i++) TRY(keys_bits(c, g->child[i], q, items, n_items, &part[i]));
    if (str_eqz(g->text, "rollup")) {
        out->bits = arena_array_of(b->a, uint64_t, g->n + 1);
        for (uint32_t len = g->n + 1; len-- > 0;) {
            uint64_t bits = 0;
            for (uint32_t i = 0; i < len; i++) bits |= part[i];
            out->bits[out->n++] = bits;
        }
        return NULL;
    }
    if (g->n > 12) return sql_error("GROUPING_SIZE_LIMIT_EXCEEDED", g, b->text, "maxSize", "12", NULL);
    size_t total = (size_t)1 << g->n;
    out->bits = arena_array_of(b->a, uint64_t, total);
    for (size_t m = total; m-- > 0;) {
        uint64_t bits = 0;
        for (uint32_t i = 0; i < g->n; i++)
            if (m >> (g->n - 1 - i) & 1) bits |= part[i];
        out->bits[out->n++] = bits;
    }
    return NULL;
}

static err *cross(struct binder *b, const struct ast *at, struct bq *q, const struct sets *s) {
    if (!q->has_sets) {
        q->sets = s->bits;
        q->n_sets = s->n;
        q->has_sets = true;
        return NULL;
    }
    if (q->n_sets * s->n > 4096) return unsupported(b, at, "more than 4096 grouping sets");
    uint64_t *all = arena_array_of(b->a, uint64_t, q->n_sets * s->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < q->n_sets; i++)
        for (size_t k = 0; k < s->n; k++) all[n++] = q->sets[i] | s->bits[k];
    q->sets = all;
    q->n_sets = n;
    return NULL;
}

/* GROUP BY ALL: every item without an aggregate; of items that mix, their columns outside of aggregates. */
static err *group_all(struct cx *c, const struct ast *n, struct bq *q, struct bx **items, size_t n_items) {
    size_t k;
    for (size_t i = 0; i < n_items; i++)
        if (!items[i]->has_agg && items[i]->kind != BX_LIT && !items[i]->has_win) TRY(key_index(c, q, items[i], n, &k));
    return NULL;
}

/* GROUP BY ALL, ORDER BY ALL: the column of that name, where FROM has one. */
struct ast *column_all(struct cx *c, const struct ast *at) {
    for (size_t i = 0; i < c->s->n; i++) {
        if (c->s->cols[i].hidden || c->s->cols[i].metadata || !str_ieq(c->s->cols[i].name, STR("all"))) continue;
        struct ast *col = ast_new(c->b->a, AST_COLUMN, at->pos, at->end), *name = ast_name(c->b->a, &c->s->cols[i].name, 1);
        name->pos = at->pos;
        name->end = at->end;
        ast_add(c->b->a, col, name);
        return col;
    }
    return NULL;
}

err *bind_group(struct cx *c, const struct ast *group, struct bq *q, struct bx **items, const str *alias, const bool *aliased, size_t n_items) {
    struct binder *b = c->b;
    (void)alias;
    (void)aliased;
    q->aggregated = true;
    size_t k;
    q->group_all = ast_has(group, AST_F_ALL);
    struct ast *all = q->group_all ? column_all(c, group) : NULL;
    if (all) { /* a column is called so */
        q->group_all = false;
        TRY(bind_key(c, all, q, items, n_items, &k));
    }
    if (q->group_all) TRY(group_all(c, group, q, items, n_items));
    uint64_t plain = 0;
    for (uint32_t i = 0; i < group->n && !ast_has(group, AST_F_ALL); i++) {
        const struct ast *g = group->child[i];
        if (g->kind == AST_GROUPING) {
            struct sets s = {.n = 0};
            TRY(grouping_sets(c, g, q, items, n_items, &s, 0));
            TRY(cross(b, g, q, &s));
        } else {
            TRY(bind_key(c, g, q, items, n_items, &k));
            plain |= 1ull << k;
        }
    }
    if (q->has_sets)
        for (size_t i = 0; i < q->n_sets; i++) q->sets[i] |= plain;
    if (q->has_sets) q->staged = false;
    for (size_t i = 0; i < q->n_keys && q->has_sets; i++) q->staged |= bx_is_collated(q->keys[i]);
    q->aggrel = rel_new(b, RK_AGG, q->n_keys, q->level);
    q->aggrel->agg = q;
    for (size_t i = 0; i < q->n_keys; i++)
        q->aggrel->cols[i] = (struct rcol){.type = q->keys[i]->type, .nullable = q->keys[i]->nullable || q->has_sets};
    return NULL;
}

/* ---- above the aggregation ---- */

static struct bx *agg_col(struct binder *b, struct bq *q, size_t i, struct bx *as) {
    struct bx *x = bx_col(b, q->aggrel, i, STR(""));
    buf *o = sql_buf(b->a);
    caption(b, as, o);
    x->cap = sql_keep(b->a, o);
    x->ast = as->ast;
    x->loose = as->loose && as->kind == BX_AGG;
    return x;
}

static void widen_aggrel(struct binder *b, struct bq *q) {
    struct rel *r = q->aggrel;
    struct rcol *more = arena_array_of(b->a, struct rcol, r->n + 1);
    memcpy(more, r->cols, r->n * sizeof *more);
    r->cols = more;
    r->n++;
}

/* What GROUP BY has of a key. */
static struct bx *grouped_by(struct binder *b, struct bx *key) { return bx_is_collated(key) ? bx_collate_key(b, key, key->type->collation) : key; }

static err *grouping_of(struct binder *b, struct bq *q, struct bx *x) {
    bool id = x->type->kind == TY_BIGINT;
    if (!q->has_sets) return sql_error("UNSUPPORTED_GROUPING_EXPRESSION", x->ast, b->text, NULL);
    if (x->n == 0) {
        x->child = arena_array_of(b->a, struct bx *, q->n_keys + 1);
        for (size_t i = 0; i < q->n_keys; i++) x->child[i] = grouped_by(b, q->keys[i]);
        x->n = q->n_keys;
        x->cap = STR("grouping_id()");
        if (!x->n) x->text = STR("any_value(CAST(0 AS {type}))");
        return NULL;
    }
    for (size_t i = 0; i < x->n; i++) {
        size_t k = 0;
        while (k < q->n_keys && !bx_eq(q->keys[k], x->child[i]) && !bx_eq(grouped_by(b, q->keys[k]), x->child[i])) k++; /* it may come here twice */
        if (k == q->n_keys)
            return sql_error(id ? "GROUPING_ID_COLUMN_MISMATCH" : "GROUPING_COLUMN_MISMATCH", x->ast, b->text, id ? "groupingIdColumn" : "grouping",
                             arena_printf(b->a, "%.*s", STR_ARG(caption_of(b, x->child[i]))), id ? "groupByColumns" : "groupingColumns", "", NULL);
        x->child[i] = grouped_by(b, q->keys[k]);
    }
    return NULL;
}

static err *take_agg(struct binder *b, struct bq *q, struct bx **x) {
    struct bx *a = *x;
    if (str_starts(a->text, STR("CAST(GROUPING("))) TRY(grouping_of(b, q, a));
    for (size_t i = 0; i < q->n_aggs; i++)
        if (bx_eq(q->aggs[i], a)) {
            *x = agg_col(b, q, q->n_keys + i, a);
            return NULL;
        }
    if (q->n_aggs == q->cap_aggs) {
        size_t cap = q->cap_aggs ? q->cap_aggs * 2 : 8;
        struct bx **more = arena_array_of(b->a, struct bx *, cap);
        if (q->n_aggs) memcpy(more, q->aggs, q->n_aggs * sizeof *more);
        q->aggs = more;
        q->cap_aggs = cap;
    }
    q->aggs[q->n_aggs++] = a;
    widen_aggrel(b, q);
    q->aggrel->cols[q->aggrel->n - 1] = (struct rcol){.type = a->type, .nullable = a->nullable};
    *x = agg_col(b, q, q->n_keys + q->n_aggs - 1, a);
    return NULL;
}

static err *no_key(struct binder *b, const struct bq *q, struct bx *x) {
    if (q->group_all && !q->above) return sql_error("UNRESOLVED_ALL_IN_GROUP_BY", x->ast, b->text, NULL);
    if (!q->n_keys && !q->above) return sql_error("MISSING_GROUP_BY", x->ast, b->text, NULL);
    if (q->above && x->ast && x->ast->kind == AST_NAME) return unresolved_above(b, q, x->ast);
    return sql_error("MISSING_AGGREGATION", x->ast, b->text, "expression", arena_printf(b->a, "\"%.*s\"", STR_ARG(x->cap)), "expressionAnyValue",
                     arena_printf(b->a, "\"any_value(%.*s)\"", STR_ARG(x->cap)), NULL);
}

/* Columns of this block inside a subquery become keys, in place. */
static err *rewrite_outers(struct binder *b, struct bq *q, struct bx *sub) {
    for (size_t i = 0; i < sub->n_outers; i++) {
        struct bx *o = sub->outers[i];
        if (o->kind != BX_COL || o->rel->level != q->level || o->rel == q->aggrel) continue;
        if (o->n) { /* an aggregate of this query (bind_outer_call) */
            struct bx *agg = o->child[0];
            TRY(take_agg(b, q, &agg));
            *o = *agg;
            q->staged = true;
            continue;
        }
        size_t k = 0;
        while (k < q->n_keys && !bx_eq(q->keys[k], o)) k++;
        if (k == q->n_keys) return no_key(b, q, o);
        *o = *agg_col(b, q, k, o);
        q->staged = !q->has_sets;
    }
    return NULL;
}

static err *rewrite_window(struct binder *b, struct bq *q, struct bwin *w) {
    for (size_t i = 0; i < w->n_part; i++) TRY(agg_rewrite(b, q, &w->part[i]));
    for (size_t i = 0; i < w->n_order; i++) TRY(agg_rewrite(b, q, &w->order[i].x));
    for (size_t i = 0; i < w->n_bound; i++) TRY(agg_rewrite(b, q, &w->bound[i]));
    return NULL;
}

err *agg_rewrite(struct binder *b, struct bq *q, struct bx **px) {
    struct bx *x = *px;
    if (x->kind == BX_LIT || (x->kind == BX_COL && x->rel == q->aggrel)) return NULL;
    for (size_t i = 0; i < q->n_keys; i++)
        if (bx_eq(q->keys[i], x)) {
            bool in_a_set = !q->has_sets;
            for (size_t k = 0; k < q->n_sets && !in_a_set; k++) in_a_set = q->sets[k] >> i & 1;
            str cap = caption_of(b, x);
            *px = in_a_set ? agg_col(b, q, i, x) : bx_null(b, x->type);
            if (!in_a_set) (*px)->cap = cap;
            return NULL;
        }
    if (x->kind == BX_AGG) return take_agg(b, q, px);
    /* DuckDB groups no lambda that captures a key. */
    if (x->n && str_find(x->text, STR("lambda ")) >= 0) q->staged = !q->has_sets;
    if (x->kind == BX_COL) return x->rel->level == q->level ? no_key(b, q, x) : NULL;
    for (size_t i = 0; i < x->n; i++) TRY(agg_rewrite(b, q, &x->child[i]));
    if (x->filter) TRY(agg_rewrite(b, q, &x->filter));
    for (size_t i = 0; i < x->n_order; i++) TRY(agg_rewrite(b, q, &x->order[i].x));
    if (x->win) TRY(rewrite_window(b, q, x->win));
    if (x->kind == BX_SUB && x->n > 1) q->staged = !q->has_sets; /* its operands stand within a query */
    if (x->kind == BX_SUB) TRY(rewrite_outers(b, q, x));
    return NULL;
}
