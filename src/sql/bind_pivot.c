/* SPDX-License-Identifier: Apache-2.0 */
/* PIVOT becomes aggregates with filters in a grouped select; UNPIVOT a generator of name and value. */
#include "sql/bind.h"

static bool is_aggregate(const struct ast *n) {
    size_t k;
    const struct ast *name = ast_get(n, SLOT_NAME);
    if (n->kind != AST_CALL || !name || name->kind != AST_NAME || name->n != 1) return false;
    if (str_ieq(name->child[0]->text, STR("count"))) return true;
    const struct sql_func *f = sql_func_find(name->child[0]->text, &k);
    return f && f->kind == FN_AGGREGATE;
}

static struct ast *copy_node(struct binder *b, const struct ast *n) {
    struct ast *c = arena_new_of(b->a, struct ast);
    *c = *n;
    c->child = arena_array_of(b->a, struct ast *, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) c->child[i] = n->child[i];
    c->slot = arena_array_of(b->a, struct ast_place, n->n_slots + 2);
    for (uint32_t i = 0; i < n->n_slots; i++) c->slot[i] = n->slot[i];
    return c;
}

/* A copy in which every aggregate counts only rows where cond holds. */
static struct ast *filtered(struct binder *b, const struct ast *n, struct ast *cond) {
    struct ast *c = copy_node(b, n);
    if (is_aggregate(n)) {
        struct ast *f = ast_get(n, SLOT_FILTER);
        if (f) {
            struct ast *and = ast_new(b->a, AST_BINARY, n->pos, n->end);
            and->text = STR("and");
            ast_add(b->a, and, f);
            ast_add(b->a, and, cond);
            for (uint32_t i = 0; i < c->n_slots; i++)
                if (c->slot[i].slot == SLOT_FILTER) c->slot[i].node = and;
        } else {
            c->slot[c->n_slots++] = (struct ast_place){SLOT_FILTER, cond};
        }
        return c;
    }
    for (uint32_t i = 0; i < c->n; i++) c->child[i] = filtered(b, c->child[i], cond);
    return c;
}

static bool mentions(const struct ast *n, str name) {
    if (!n) return false;
    if (n->kind == AST_COLUMN && n->child[0]->kind == AST_NAME && str_ieq(n->child[0]->child[n->child[0]->n - 1]->text, name)) return true;
    for (uint32_t i = 0; i < n->n; i++)
        if (mentions(n->child[i], name)) return true;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (mentions(n->slot[i].node, name)) return true;
    return false;
}

static struct ast *equal(struct binder *b, const struct ast *columns, struct ast *value) {
    struct ast *all = NULL;
    bool row = value->kind == AST_ROW;
    for (uint32_t i = 0; i < columns->n && i < (row ? value->n : 1); i++) {
        struct ast *e = ast_new(b->a, AST_BINARY, value->pos, value->end);
        e->text = STR("<=>");
        ast_add(b->a, e, columns->child[i]);
        ast_add(b->a, e, row ? value->child[i] : value);
        if (all) {
            struct ast *and = ast_new(b->a, AST_BINARY, value->pos, value->end);
            and->text = STR("and");
            ast_add(b->a, and, all);
            ast_add(b->a, and, e);
            e = and;
        }
        all = e;
    }
    return all;
}

static err *value_name(struct cx *c, const struct ast *v, str *ret) {
    struct bx *x;
    if (v->kind == AST_ALIAS) {
        *ret = v->text;
        return NULL;
    }
    if (v->kind == AST_ROW) {
        buf *o = sql_buf(c->b->a);
        buf_c(o, '{');
        for (uint32_t i = 0; i < v->n; i++) {
            TRY(bind_expr(c, v->child[i], &x));
            if (i) buf_z(o, ", ");
            caption(c->b, x, o);
        }
        buf_c(o, '}');
        *ret = sql_keep(c->b->a, o);
        return NULL;
    }
    TRY(bind_expr(c, v, &x));
    *ret = x->kind == BX_LIT && !x->text.p ? STR("null") : caption_of(c->b, x);
    return NULL;
}

/* CASE WHEN count(*) FILTER (cond) > 0 THEN aggregate END AS name: groups without such rows have NULL, also for counts. */
static struct ast *pivot_item(struct binder *b, const struct ast *agg, struct ast *cond, str name) {
    str count = STR("count");
    struct ast *call = ast_new(b->a, AST_CALL, agg->pos, agg->end), *gt = ast_new(b->a, AST_BINARY, agg->pos, agg->end);
    struct ast *zero = ast_new(b->a, AST_LIT_NUMBER, agg->pos, agg->end), *when = ast_new(b->a, AST_CASE, agg->pos, agg->end);
    struct ast *as = ast_new(b->a, AST_ALIAS, agg->pos, agg->end);
    ast_set(b->a, call, SLOT_NAME, ast_name(b->a, &count, 1));
    ast_add(b->a, call, ast_new(b->a, AST_STAR, agg->pos, agg->end));
    ast_set(b->a, call, SLOT_FILTER, cond);
    zero->text = STR("0");
    gt->text = STR(">");
    ast_add(b->a, gt, call);
    ast_add(b->a, gt, zero);
    ast_add(b->a, when, gt);
    ast_add(b->a, when, filtered(b, agg, cond));
    as->text = name;
    ast_add(b->a, as, when);
    return as;
}

err *bind_pivot(struct binder *b, const struct ast *n, struct scope *s, struct bfrom **ret) {
    const struct ast *aggs = ast_get(n, SLOT_ITEMS), *columns = ast_get(n, SLOT_FOR), *values = ast_get(n, SLOT_IN), *alias = ast_get(n, SLOT_ALIAS);
    struct scope in = {.outer = s->outer, .level = s->level};
    struct bfrom *unused;
    TRY(bind_from_item(b, n->child[0], &in, NULL, NULL, &unused));
    struct cx c = {.b = b, .s = &in};
    struct ast *items = ast_new(b->a, AST_LIST, n->pos, n->end), *group = ast_new(b->a, AST_GROUP, n->pos, n->end);
    for (size_t i = 0; i < in.n; i++) {
        if (in.cols[i].hidden || in.cols[i].metadata || mentions(aggs, in.cols[i].name) || mentions(columns, in.cols[i].name)) continue;
        struct ast *col = ast_column(b->a, &in.cols[i].name, 1);
        ast_add(b->a, items, col);
        ast_add(b->a, group, col);
    }
    for (uint32_t v = 0; v < values->n; v++) {
        struct ast *value = values->child[v];
        str name;
        TRY(value_name(&c, value, &name));
        if (value->kind == AST_ALIAS) value = value->child[0];
        struct ast *cond = equal(b, columns, value);
        for (uint32_t a = 0; a < aggs->n; a++) {
            const struct ast *agg = aggs->child[a];
            str full = name;
            if (aggs->n > 1) {
                struct bx *x;
                str part = agg->text;
                if (agg->kind != AST_ALIAS) {
                    TRY(bind_expr(&c, agg, &x));
                    part = caption_of(b, x);
                }
                full = sql_fmt(b->a, "%.*s_%.*s", STR_ARG(name), STR_ARG(part));
            }
            ast_add(b->a, items, pivot_item(b, agg->kind == AST_ALIAS ? agg->child[0] : agg, cond, full));
        }
    }
    struct ast *sel = ast_new(b->a, AST_SELECT, n->pos, n->end), *from = ast_new(b->a, AST_LIST, n->pos, n->end);
    ast_add(b->a, from, n->child[0]);
    ast_set(b->a, sel, SLOT_ITEMS, items);
    ast_set(b->a, sel, SLOT_FROM, from);
    if (group->n) ast_set(b->a, sel, SLOT_GROUP, group);
    struct bq *q;
    struct rel *r;
    TRY(bind_select(b, sel, NULL, s->outer, &q));
    *ret = bind_from_bq(b, q, s->level, &r);
    const struct ast *names = ast_get(n, SLOT_NAMES);
    for (uint32_t i = 0; names && i < names->n && i < r->n; i++) r->cols[i].name = names->child[i]->text;
    scope_add_rel(b, s, r, alias ? alias->text : STR_NONE, STR_NONE, STR_NONE);
    return NULL;
}

/* ---- UNPIVOT ---- */

struct unpivot {
    struct binder *b;
    const struct ast *n, *names, *in;
    struct cx c;
    struct bx **v;           /* values, n_names for each column group */
    str *label;
};

static err *unpivot_values(struct unpivot *u) {
    struct binder *b = u->b;
    size_t w = u->names->n;
    u->v = arena_array_of(b->a, struct bx *, u->in->n * w + 1);
    u->label = arena_array_of(b->a, str, u->in->n + 1);
    for (uint32_t i = 0; i < u->in->n; i++) {
        const struct ast *e = u->in->child[i], *x = e->kind == AST_ALIAS ? e->child[0] : e;
        bool many = x->kind == AST_LIST || x->kind == AST_ROW;
        if ((many ? x->n : 1) != w)
            return sql_error("UNPIVOT_VALUE_SIZE_MISMATCH", e, b->text, "names", arena_printf(b->a, "%zu", w), NULL);
        buf *o = sql_buf(b->a);
        for (size_t k = 0; k < w; k++) {
            const struct ast *col = many ? x->child[k] : x;
            TRY(bind_expr(&u->c, col, &u->v[i * w + k]));
            if (k) buf_c(o, '_');
            caption(b, u->v[i * w + k], o);
        }
        u->label[i] = e->kind == AST_ALIAS && e->text.n ? e->text : sql_keep(b->a, o);
    }
    return NULL;
}

static err *unpivot_generator(struct unpivot *u, struct bx **ret) {
    struct binder *b = u->b;
    size_t w = u->names->n;
    struct bx **column = arena_array_of(b->a, struct bx *, u->in->n + 1);
    struct sql_field *f = arena_array_of(b->a, struct sql_field, w + 1);
    f[0] = (struct sql_field){.name = ast_get(u->n, SLOT_FOR)->text, .type = sql_type_of(TY_STRING)};
    for (size_t k = 0; k < w; k++) {
        for (uint32_t i = 0; i < u->in->n; i++) column[i] = u->v[i * w + k];
        const struct sql_type *t = bx_unify(b, column, u->in->n);
        if (!t) return sql_error("UNPIVOT_VALUE_DATA_TYPE_MISMATCH", u->n, b->text, "types", "", NULL);
        for (uint32_t i = 0; i < u->in->n; i++) u->v[i * w + k] = column[i];
        f[k + 1] = (struct sql_field){.name = u->names->child[k]->text, .type = t, .nullable = true};
    }
    buf *t = sql_buf(b->a);
    buf_c(t, '[');
    for (uint32_t i = 0; i < u->in->n; i++) {
        buf *q = sql_buf(b->a);
        sql_quote(q, u->label[i]);
        buf_z(t, i ? ", {{'f0': " : "{{'f0': ");
        buf_tmpl(t, buf_view(q));
        for (size_t k = 0; k < w; k++) buf_fmt(t, ", 'f%zu': {%zu}", k + 1, i * w + k);
        buf_z(t, "}}");
    }
    buf_c(t, ']');
    const struct sql_type *st = sql_struct(b->a, f, w + 1);
    struct bx *g = bx_tmpl(b, sql_array(b->a, st, false), sql_keep(b->a, t), STR("unpivot"), u->v, u->in->n * w);
    g->kind = BX_GEN;
    g->gen = st;
    *ret = g;
    return NULL;
}

static bool is_value(const struct unpivot *u, const struct scol *sc) {
    for (size_t i = 0; i < (size_t)u->in->n * u->names->n; i++) {
        const struct bx *x = u->v[i];
        while (x->kind == BX_TMPL && x->implicit && x->n == 1) x = x->child[0];
        if (x->kind == BX_COL && x->rel == sc->rel && x->col == sc->col) return true;
    }
    return false;
}

err *bind_unpivot(struct binder *b, const struct ast *n, struct scope *s, struct bfrom **ret) {
    const struct ast *alias = ast_get(n, SLOT_ALIAS);
    struct bq *q = bq_new(b, BQ_SELECT);
    struct scope in = {.outer = s->outer, .level = q->level};
    struct bfrom *from = NULL;
    struct bx *g = NULL;
    TRY(bind_from_item(b, n->child[0], &in, NULL, NULL, &from));
    struct unpivot u = {.b = b, .n = n, .names = ast_get(n, SLOT_NAMES), .in = ast_get(n, SLOT_IN), .c = {.b = b, .s = &in, .no_agg = true, .no_win = true}};
    TRY(unpivot_values(&u));
    struct items it = {.n = 0};
    for (size_t i = 0; i < in.n; i++) {
        if (in.cols[i].hidden || in.cols[i].metadata || is_value(&u, &in.cols[i])) continue;
        items_add(b, &it, in.cols[i].x ? in.cols[i].x : bx_col(b, in.cols[i].rel, in.cols[i].col, in.cols[i].name), in.cols[i].name, false);
    }
    TRY(unpivot_generator(&u, &g));
    q->from = bind_generated(b, g, from, q->level);
    struct bx *keep = NULL;
    for (size_t k = 0; k < q->from->rel->n; k++) {
        struct bx *x = bx_col(b, q->from->rel, k, q->from->rel->cols[k].name);
        items_add(b, &it, x, x->cap, false);
        if (k == 0) continue;
        struct bx *has = bx_tmpl1(b, sql_type_of(TY_BOOLEAN), "({0} IS NOT NULL)", "", bx_col(b, q->from->rel, k, x->cap));
        keep = keep ? bx_tmpl2(b, sql_type_of(TY_BOOLEAN), "({0} OR {1})", "", keep, has) : has;
    }
    if (!ast_has(n, AST_F_NULLS)) q->where = keep;
    q->items = it.x;
    q->n_items = it.n;
    bq_set_output(b, q, it.n);
    for (size_t i = 0; i < it.n; i++) q->cols[i] = (struct rcol){.name = it.name[i], .type = it.x[i]->type, .nullable = true};
    struct rel *r;
    *ret = bind_from_bq(b, q, s->level, &r);
    scope_add_rel(b, s, r, alias ? alias->text : STR_NONE, STR_NONE, STR_NONE);
    return NULL;
}
