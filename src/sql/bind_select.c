/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One select block. Order of binding: FROM, WHERE, the select list (whose aliases the later items see), GROUP BY, HAVING,
 * QUALIFY, ORDER BY; then, if anything aggregates, every expression above is rewritten in terms of keys and aggregates.
 */
#include "sql/bind.h"

/* ---- pruning ---- */

static void prune_add(struct binder *b, struct rel *r, struct sql_prune p) {
    struct sql_prune *more = arena_array_of(b->a, struct sql_prune, r->n_prune + 1);
    if (r->n_prune) memcpy(more, r->prune, r->n_prune * sizeof *more);
    more[r->n_prune++] = p;
    r->prune = more;
}

static struct bx *plain_column(struct bx *x) {
    while (x->kind == BX_TMPL && x->implicit && x->n == 1 && str_eqz(x->text, "{0}")) x = x->child[0];
    return x->kind == BX_COL && x->rel->kind == RK_SCAN ? x : NULL;
}

static char prune_op(str t, bool swap) {
    if (str_eqz(t, "({0} = {1})")) return '=';
    if (str_eqz(t, "({0} < {1})")) return swap ? '>' : '<';
    if (str_eqz(t, "({0} > {1})")) return swap ? '<' : '>';
    if (str_eqz(t, "({0} <= {1})")) return swap ? 'g' : 'l';
    if (str_eqz(t, "({0} >= {1})")) return swap ? 'l' : 'g';
    return 0;
}

static bool of_scope(const struct scope *s, const struct rel *r) {
    for (size_t i = 0; s && i < s->n; i++)
        if (s->cols[i].rel == r) return true;
    return !s;
}

/* Simple conjuncts on a scan's own columns. */
static void prune(struct binder *b, struct bx *x, const struct scope *only, int depth) {
    if (depth > 200 || x->kind != BX_TMPL) return;
    if (str_eqz(x->text, "({0} AND {1})")) {
        prune(b, x->child[0], only, depth + 1);
        prune(b, x->child[1], only, depth + 1);
        return;
    }
    if (str_eqz(x->text, "{3}") && x->n == 4) {
        prune(b, x->child[3], only, depth + 1);
        return;
    }
    if (str_eqz(x->text, "({0} IN ({1*}))")) {
        struct bx *c = plain_column(x->child[0]);
        if (!c || !of_scope(only, c->rel)) return;
        str *values = arena_array_of(b->a, str, x->n);
        for (size_t i = 1; i < x->n; i++) {
            if (x->child[i]->kind != BX_LIT || !x->child[i]->text.p) return;
            values[i - 1] = x->child[i]->text;
        }
        prune_add(b, c->rel, (struct sql_prune){.column = c->col, .op = 'i', .type = c->type, .values = values, .n = x->n - 1});
        return;
    }
    if (str_eqz(x->text, "({0} LIKE {1})") || str_eqz(x->text, "({0} LIKE {1} ESCAPE '\\')")) {
        struct bx *c = plain_column(x->child[0]), *l = x->child[1];
        if (!c || !of_scope(only, c->rel) || l->kind != BX_LIT || !l->text.p || !sql_type_eq(c->type, l->type)) return;
        str *v = arena_array_of(b->a, str, 1);
        v[0] = l->text;
        prune_add(b, c->rel, (struct sql_prune){.column = c->col, .op = '~', .type = c->type, .values = v, .n = 1});
        return;
    }
    if (x->n != 2) return;
    for (int i = 0; i < 2; i++) {
        char op = prune_op(x->text, i == 1);
        struct bx *c = plain_column(x->child[i]), *l = x->child[1 - i];
        if (!op || !c || !of_scope(only, c->rel) || l->kind != BX_LIT || !l->text.p || !sql_type_eq(c->type, l->type)) continue;
        str *v = arena_array_of(b->a, str, 1);
        v[0] = l->text;
        prune_add(b, c->rel, (struct sql_prune){.column = c->col, .op = op, .type = c->type, .values = v, .n = 1});
        return;
    }
}

void bind_prune(struct binder *b, struct bx *x, const struct scope *only) { prune(b, x, only, 0); }

/* ---- order ---- */

static err *sort_ordinal(struct cx *c, const struct ast *s, struct bq *q, struct bsort *o) {
    int64_t k;
    if (!str_to_i64(s->text, &k) || k < 1 || (size_t)k > q->n)
        return sql_error("ORDER_BY_POS_OUT_OF_RANGE", s, c->b->text, "index", arena_printf(c->b->a, "%.*s", STR_ARG(s->text)), "size",
                         arena_printf(c->b->a, "%zu", q->n), NULL);
    o->x = q->items[k - 1];
    o->item = (int)k - 1;
    return NULL;
}

static bool is_order_all(const struct ast *list) {
    if (list->n != 1) return false;
    const struct ast *x = list->child[0]->kind == AST_SORT ? list->child[0]->child[0] : list->child[0];
    if (x->kind != AST_COLUMN || x->child[0]->kind != AST_NAME || x->child[0]->n != 1) return false;
    return str_ieq(x->child[0]->child[0]->text, STR("all")) && !ast_has(x->child[0]->child[0], AST_F_QUOTED);
}

err *bind_order(struct cx *c, const struct ast *list, struct bq *q) {
    bool all = is_order_all(list) && q->n > 0 && !column_all(c, list);
    size_t n = all ? q->n : list->n;
    q->order = arena_array_of(c->b->a, struct bsort, n + 1);
    q->n_order = n;
    for (size_t i = 0; i < n; i++) {
        const struct ast *s = list->child[all ? 0 : i], *x = s->kind == AST_SORT ? s->child[0] : s;
        struct bsort *o = &q->order[i];
        o->item = -1;
        if (all) {
            o->x = q->items[i];
            o->item = (int)i;
        } else if (x->kind == AST_LIT_NUMBER && x->op == 0 && str_chr(x->text, '.', 0) < 0) {
            TRY(sort_ordinal(c, x, q, o));
        } else {
            TRY(bind_expr(c, x, &o->x));
        }
        bool sort = s->kind == AST_SORT;
        o->desc = sort && ast_has(s, AST_F_DESC);
        o->nulls_first = sort && s->op ? s->op == 'f' : !o->desc;
        const struct sql_type *t = o->x->type;
        if (!sql_is_orderable(t)) return no_order(c->b, s, o);
    }
    return NULL;
}

static void match_items(struct bq *q) {
    for (size_t i = 0; i < q->n_order; i++)
        for (size_t k = 0; k < q->n && q->order[i].item < 0; k++)
            if (bx_eq(q->order[i].x, q->items[k])) q->order[i].item = (int)k;
}

/* ---- the parts of a block ---- */

struct block {
    struct binder *b;
    const struct ast *n, *query;
    struct scope s;
    struct cx c;
    struct bq *q;
    struct items it;
};

static void list_special(struct binder *b, const struct bx *x, buf *o, int depth) {
    if (depth > 200) return;
    if (x->kind == BX_AGG || x->kind == BX_WIN || x->kind == BX_GEN) {
        if (o->n) buf_z(o, ", ");
        caption(b, x, o);
        return;
    }
    for (size_t i = 0; i < x->n; i++) list_special(b, x->child[i], o, depth + 1);
}

/* WHERE, and HAVING without groups, look at single rows. */
static err *plain_condition(struct binder *b, const struct ast *at, const struct bx *x) {
    if (!x->has_agg && !x->has_win && !x->has_gen) return NULL;
    buf *o = sql_buf(b->a);
    list_special(b, x, o, 0);
    buf_c(o, 0);
    return sql_error("INVALID_WHERE_CONDITION", at, b->text, "condition", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))),
                     "expressionList", o->p, NULL);
}

static err *from_where(struct block *k) {
    struct binder *b = k->b;
    const struct ast *from = ast_get(k->n, SLOT_FROM), *views = ast_get(k->n, SLOT_VIEWS), *where = ast_get(k->n, SLOT_WHERE);
    if (from) TRY(bind_from(b, from, &k->s, &k->q->from));
    if (views) TRY(bind_lateral_views(b, views, &k->s, &k->q->from));
    if (!where) return NULL;
    struct cx c = k->c;
    c.no_win = true;
    c.clause = "WHERE";
    TRY(bind_boolean(&c, where, "WHERE", &k->q->where));
    TRY(plain_condition(b, where, k->q->where));
    prune(b, k->q->where, NULL, 0);
    return NULL;
}

/* GROUP BY window(…) makes a column of that name, which the select list may name. */
static err *offer_window(struct block *k) {
    const struct ast *group = ast_get(k->n, SLOT_GROUP);
    for (uint32_t i = 0; group && i < group->n; i++) {
        const struct ast *g = group->child[i], *name = g->kind == AST_CALL ? ast_get(g, SLOT_NAME) : NULL;
        if (!name || name->kind != AST_NAME || name->n != 1 || !str_ieq(name->child[0]->text, STR("window"))) continue;
        struct cx c = k->c;
        c.no_agg = c.no_win = true;
        struct bx *x;
        TRY(bind_expr(&c, g, &x));
        /* A row without a time is in no window. */
        struct bx *is = bx_tmpl1(k->b, sql_type_of(TY_BOOLEAN), "(struct_extract({0}, 'f0') IS NOT NULL)", "", x);
        is->nullable = false;
        k->q->where = k->q->where ? bx_tmpl2(k->b, sql_type_of(TY_BOOLEAN), "({0} AND {1})", "", k->q->where, is) : is;
        scope_add(k->b, &k->s, (struct scol){.name = STR("window"), .x = x, .col = SIZE_MAX, .metadata = true});
    }
    return NULL;
}

/* The list's names as GROUP BY, QUALIFY (aliases alone) and as HAVING, ORDER BY (`above`: all of them) see them. */
static void offer_aliases(struct block *k, bool above, bool having) {
    struct scope *s = &k->s;
    s->alias_x = arena_array_of(k->b->a, struct bx *, k->it.n + 1);
    s->alias = arena_array_of(k->b->a, str, k->it.n + 1);
    s->n_alias = 0;
    s->lateral_alias = false;
    s->above = above ? k->q : NULL;
    s->having = having;
    str by_alias;
    if (!above && k->b->env->setting && k->b->env->setting(k->b->env, STR("spark.sql.groupByAliases"), &by_alias) && str_ieq(by_alias, STR("false"))) return;
    for (size_t i = 0; i < k->it.n; i++) {
        s->alias_x[s->n_alias] = k->it.x[i];
        s->alias[s->n_alias++] = k->it.name[i];
    }
}

static err *select_list(struct block *k) {
    const struct ast *items = ast_get(k->n, SLOT_ITEMS);
    struct cx c = k->c;
    c.gen_ok = true;
    c.clause = "SELECT";
    k->s.lateral_alias = true;
    TRY(bind_items(&c, items, &k->it));
    for (size_t i = 0; i < k->it.n; i++) k->it.x[i] = bx_exact(k->b, k->it.x[i]);
    return NULL;
}

/* What a column of FROM may be called by, as a pipe operator after this block may call it too. */
static const str *qualifiers(const struct scope *s, const struct bx *x) {
    for (size_t i = 0; x->kind == BX_COL && i < s->n; i++)
        if (s->cols[i].rel == x->rel && s->cols[i].col == x->col && s->cols[i].qual[0].n) return s->cols[i].qual;
    return NULL;
}

static void set_items(struct block *k) {
    struct bq *q = k->q;
    q->items = k->it.x;
    q->n_items = k->it.n;
    bq_set_output(k->b, q, k->it.n);
    for (size_t i = 0; i < k->it.n; i++)
        q->cols[i] = (struct rcol){.name = k->it.name[i], .type = k->it.x[i]->type, .nullable = k->it.x[i]->nullable, .comment = k->it.comment[i],
                                   .qual = k->it.aliased[i] ? NULL : qualifiers(&k->s, k->it.x[i])};
}

static err *group_having(struct block *k) {
    const struct ast *group = ast_get(k->n, SLOT_GROUP), *having = ast_get(k->n, SLOT_HAVING), *qualify = ast_get(k->n, SLOT_QUALIFY);
    struct bq *q = k->q;
    const struct ast *items = ast_get(k->n, SLOT_ITEMS);
    for (uint32_t i = 0; group && i < group->n; i++)
        for (uint32_t m = 0; group->child[i]->kind == AST_LIT_NUMBER && m < items->n; m++)
            if (items->child[m]->kind == AST_STAR) return sql_error("STAR_GROUP_BY_POS", group->child[i], k->b->text, NULL);
    if (group) {
        offer_aliases(k, false, false);
        TRY(bind_group(&k->c, group, q, k->it.x, k->it.name, k->it.aliased, k->it.n));
    }
    if (having) {
        struct cx c = k->c;
        for (size_t i = 0; i < k->it.n; i++) q->aggregated |= k->it.x[i]->has_agg;
        offer_aliases(k, true, true);
        c.no_win = true;
        c.clause = "HAVING";
        TRY(bind_boolean(&c, having, "HAVING", &q->having));
        q->aggregated |= q->having->has_agg;
        if (!q->aggregated) { /* a condition on rows */
            TRY(plain_condition(k->b, having, q->having));
            q->where = q->where ? bx_tmpl2(k->b, sql_type_of(TY_BOOLEAN), "({0} AND {1})", "({0} AND {1})", q->where, q->having) : q->having;
            q->having = NULL;
        }
    }
    if (qualify) {
        offer_aliases(k, false, false);
        TRY(bind_boolean(&k->c, qualify, "QUALIFY", &q->qualify));
        bool window = q->qualify->has_win;
        for (size_t i = 0; i < k->it.n; i++) window |= k->it.x[i]->has_win;
        if (!window) return sql_error("QUALIFY_REQUIRES_WINDOW_FUNCTION", qualify, k->b->text, NULL);
    }
    return NULL;
}

static err *check_wheres(struct block *k) {
    struct bq *q = k->q;
    for (size_t i = 0; k->n->text.n && !q->aggregated && i < q->n_items; i++) /* an operator of a pipe: see bind_pipe.c */
        if (q->items[i]->has_agg)
            return sql_error("PIPE_OPERATOR_CONTAINS_AGGREGATE_FUNCTION", q->items[i]->ast, k->b->text, "clause", arena_printf(k->b->a, "%.*s", STR_ARG(k->n->text)),
                             "expr", arena_printf(k->b->a, "%.*s", STR_ARG(caption_of(k->b, q->items[i]))), NULL);
    for (size_t i = 0; i < q->n_items; i++) q->aggregated |= q->items[i]->has_agg;
    for (size_t i = 0; i < q->n_order; i++) q->aggregated |= q->order[i].x->has_agg;
    if (q->qualify) q->aggregated |= q->qualify->has_agg;
    if (!q->aggregated) return NULL;
    if (!q->aggrel) {
        q->aggrel = rel_new(k->b, RK_AGG, 0, q->level);
        q->aggrel->agg = q;
    }
    for (size_t i = 0; i < q->n_items; i++) {
        TRY(agg_rewrite(k->b, q, &q->items[i]));
        q->cols[i].nullable = q->items[i]->nullable;
    }
    q->above = true;
    if (q->having) TRY(agg_rewrite(k->b, q, &q->having));
    q->above = false;
    if (q->qualify) TRY(agg_rewrite(k->b, q, &q->qualify));
    q->above = true;
    for (size_t i = 0; i < q->n_order; i++) TRY(agg_rewrite(k->b, q, &q->order[i].x));
    q->above = false;
    return NULL;
}

/* ---- generators in the select list ---- */

/* All generators but the first wait as lists: *ret has them by item, for the block above to unnest. */
static void hold_back(struct binder *b, struct bq *q, struct bx **ret) {
    bool first = true;
    for (size_t i = 0; i < q->n; i++) {
        ret[i] = NULL;
        if (q->items[i]->kind != BX_GEN) continue;
        if (!first) {
            ret[i] = q->items[i];
            struct bx *plain = arena_new_of(b->a, struct bx);
            *plain = *ret[i];
            plain->kind = BX_TMPL;
            plain->has_gen = false;
            q->items[i] = plain;
            q->cols[i].type = plain->type;
        }
        first = false;
    }
}

static struct bx *generator_over(struct binder *b, const struct bx *g, struct bx *list) {
    struct bx *x = arena_new_of(b->a, struct bx);
    *x = *g;
    x->text = STR("{0}");
    x->child = arena_array_of(b->a, struct bx *, 1);
    x->child[0] = list;
    x->n = 1;
    return x;
}

/* The block yields lists unnested; a block above picks the columns apart. Of several generators each has a block of its own:
   their rows are multiplied. */
static err *split_generators(struct block *k) {
    struct binder *b = k->b;
    struct bq *in = k->q;
    struct rel *r;
    size_t n = 0, at = 0, waiting = 0;
    struct bx **held = arena_array_of(b->a, struct bx *, in->n + 1);
    hold_back(b, in, held);
    for (size_t i = 0; i < in->n; i++) {
        waiting += held[i] != NULL;
        n += in->items[i]->kind == BX_GEN ? in->items[i]->gen->n : 1;
    }
    in->gen = true;
    for (size_t i = 0; i < in->n; i++)
        if (in->items[i]->kind == BX_GEN) in->cols[i].type = in->items[i]->type->elem;
    struct bq *q = bq_wrap(b, in, &r);
    struct bx **items = arena_array_of(b->a, struct bx *, n + 1);
    struct rcol *cols = arena_array_of(b->a, struct rcol, n + 1);
    for (size_t i = 0; i < in->n; i++) {
        struct bx *g = in->items[i];
        if (g->kind != BX_GEN) {
            items[at] = held[i] ? generator_over(b, held[i], q->items[i]) : q->items[i];
            cols[at++] = q->cols[i];
            continue;
        }
        str *names = g->names;
        for (size_t f = 0; f < g->gen->n; f++) {
            const struct sql_field *fd = &g->gen->fields[f];
            items[at] = g->gen->n == 1 ? q->items[i] : bx_tmpl(b, fd->type, sql_fmt(b->a, "struct_extract({0}, 'f%zu')", f), STR(""), &q->items[i], 1);
            cols[at] = (struct rcol){.name = names ? names[f] : fd->name, .type = fd->type, .nullable = fd->nullable || g->outer};
            at++;
        }
    }
    q->items = items;
    q->cols = cols;
    q->n = q->n_items = n;
    q->distinct = in->distinct;
    in->distinct = false;
    k->q = q;
    return waiting ? split_generators(k) : NULL;
}

static err *order_generated(struct block *k) {
    const struct ast *order = k->query ? order_of(k->query) : NULL;
    if (!order) return NULL;
    struct bq *q = k->q;
    struct scope s = {.outer = k->s.outer, .level = q->level};
    for (size_t i = 0; i < q->n; i++) scope_add(k->b, &s, (struct scol){.name = q->cols[i].name, .x = q->items[i], .col = i});
    struct cx c = k->c;
    c.s = &s;
    return bind_order(&c, order, q);
}

/* DISTINCT sorts what it kept: an order by anything else stands above it. */
static err *order_distinct(struct block *k) {
    struct bq *q = k->q;
    bool all = true;
    for (size_t i = 0; i < q->n_order; i++) all &= q->order[i].item >= 0;
    if (all) return NULL;
    struct rel *r;
    struct bq *w = bq_wrap(k->b, q, &r);
    struct scope s = {.outer = k->s.outer, .level = w->level};
    scope_add_rel(k->b, &s, r, STR_NONE, STR_NONE, STR_NONE);
    struct cx c = k->c;
    c.s = &s;
    q->n_order = 0;
    TRY(bind_order(&c, order_of(k->query), w));
    k->q = w;
    return NULL;
}

err *bind_select(struct binder *b, const struct ast *n, const struct ast *query, struct scope *outer, struct bq **ret) {
    TRY(bind_time_windows(b, n, &n));
    struct block k = {.b = b, .n = n, .query = query};
    k.q = bq_new(b, BQ_SELECT);
    k.s = (struct scope){.outer = outer, .level = k.q->level};
    k.c = (struct cx){.b = b, .s = &k.s, .windows = ast_get(n, SLOT_WINDOWS)};
    if (!k.c.windows && query) k.c.windows = ast_get(query, SLOT_WINDOWS);
    if (ast_get(n, SLOT_TRANSFORM)) return unsupported(b, ast_get(n, SLOT_TRANSFORM), "TRANSFORM");
    TRY(from_where(&k));
    TRY(offer_window(&k));
    TRY(select_list(&k));
    set_items(&k);
    TRY(group_having(&k));
    k.q->distinct = ast_has(n, AST_F_DISTINCT);
    bool gen = false;
    for (size_t i = 0; i < k.it.n; i++) gen |= k.it.x[i]->kind == BX_GEN;
    const struct ast *order = query ? order_of(query) : NULL;
    if (order && !gen) {
        struct cx c = k.c;
        for (size_t i = 0; i < k.it.n; i++) k.q->aggregated |= k.it.x[i]->has_agg;
        offer_aliases(&k, true, false);
        c.clause = "ORDER BY";
        TRY(bind_order(&c, order, k.q));
    }
    TRY(check_wheres(&k));
    if (gen) {
        TRY(split_generators(&k));
        TRY(order_generated(&k));
    }
    match_items(k.q);
    if (k.q->distinct) TRY(bind_comparable_rows(b, n, k.q));
    if (k.q->distinct && k.q->n_order) TRY(order_distinct(&k));
    if (query) TRY(bind_limits(b, query, k.q));
    *ret = k.q;
    return NULL;
}
