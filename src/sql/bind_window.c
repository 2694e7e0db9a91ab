/* SPDX-License-Identifier: Apache-2.0 */
/* OVER: partitions, orders and frames, with Spark's defaults. */
#include "sql/bind.h"

err *bind_sorts(struct cx *c, const struct ast *list, struct bsort **ret, size_t *ret_n) {
    struct bsort *o = arena_array_of(c->b->a, struct bsort, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct ast *s = list->child[i];
        bool sort = s->kind == AST_SORT;
        TRY(bind_expr(c, sort ? s->child[0] : s, &o[i].x));
        o[i].desc = sort && ast_has(s, AST_F_DESC);
        o[i].nulls_first = sort && s->op ? s->op == 'f' : !o[i].desc;
        o[i].item = -1;
        const struct sql_type *t = o[i].x->type;
        if (t->kind == TY_MAP || t->kind == TY_VARIANT)
            return sql_error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE", s, c->b->text, "sqlExpr",
                             arena_printf(c->b->a, "\"%.*s\"", STR_ARG(caption_of(c->b, o[i].x))), "functionName", "`sortorder`", "dataType",
                             type_name(c->b, t).p, NULL);
    }
    *ret = o;
    *ret_n = list->n;
    return NULL;
}

static const struct ast *named(struct cx *c, str name) {
    for (uint32_t i = 0; c->windows && i < c->windows->n; i++)
        if (str_ieq(c->windows->child[i]->text, name)) return ast_get(c->windows->child[i], SLOT_OVER);
    return NULL;
}

/* The value of a bound, as DuckDB adds it to the order key: days for dates, intervals for timestamps. */
static err *bound_value(struct cx *c, const struct ast *n, bool range, const struct bwin *w, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x;
    TRY(bind_expr(c, n, &x));
    const struct sql_type *key = w->n_order ? w->order[0].x->type : NULL;
    if (range && (!key || w->n_order != 1))
        return sql_error(key ? "DATATYPE_MISMATCH.RANGE_FRAME_MULTI_ORDER" : "DATATYPE_MISMATCH.RANGE_FRAME_WITHOUT_ORDER", n, b->text,
                         "sqlExpr", "\"RANGE\"", "orderSpec", "", NULL);
    if (!range) {
        *ret = bx_cast(b, x, sql_type_of(TY_BIGINT));
    } else if (x->type->kind == TY_INTERVAL_YM) {
        *ret = bx_tmpl1(b, x->type, "to_months({0})", "{0}", x);
    } else if (x->type->kind == TY_INTERVAL_DT) {
        *ret = bx_tmpl1(b, x->type, "to_microseconds({0})", "{0}", x);
    } else if (key->kind == TY_DATE) {
        *ret = bx_tmpl1(b, x->type, "to_days(CAST({0} AS INTEGER))", "{0}", x);
    } else {
        const struct sql_type *t = sql_common_type(b->a, key, x->type);
        *ret = t ? bx_cast(b, x, t) : x;
    }
    return NULL;
}

static err *bind_bound(struct cx *c, const struct ast *n, bool range, struct bwin *w, buf *o) {
    if (str_eqz(n->text, "unbounded preceding")) {
        buf_z(o, "UNBOUNDED PRECEDING");
    } else if (str_eqz(n->text, "unbounded following")) {
        buf_z(o, "UNBOUNDED FOLLOWING");
    } else if (str_eqz(n->text, "current row")) {
        buf_z(o, "CURRENT ROW");
    } else {
        struct bx *x = NULL;
        TRY(bound_value(c, n->child[0], range, w, &x));
        buf_fmt(o, "{%zu} %s", w->n_bound, str_eqz(n->text, "preceding") ? "PRECEDING" : "FOLLOWING");
        w->bound[w->n_bound++] = x;
    }
    return NULL;
}

static err *bind_frame(struct cx *c, const struct ast *n, struct bwin *w) {
    bool range = !str_eqz(n->text, "rows");
    buf *o = sql_buf(c->b->a);
    w->bound = arena_array_of(c->b->a, struct bx *, 2);
    buf_z(o, str_eqz(n->text, "rows") ? "ROWS BETWEEN " : str_eqz(n->text, "range") ? "RANGE BETWEEN " : "GROUPS BETWEEN ");
    TRY(bind_bound(c, n->child[0], range, w, o));
    buf_z(o, " AND ");
    if (n->n > 1)
        TRY(bind_bound(c, n->child[1], range, w, o));
    else
        buf_z(o, "CURRENT ROW");
    w->frame = sql_keep(c->b->a, o);
    return NULL;
}

static err *bind_window_spec(struct cx *c, const struct ast *n, struct bwin *w, int depth) {
    struct binder *b = c->b;
    const struct ast *ref = n->kind == AST_IDENT ? n : ast_get(n, SLOT_REF);
    if (ref) {
        const struct ast *def = named(c, ref->text);
        if (!def || depth > 20)
            return sql_error("MISSING_WINDOW_SPECIFICATION", n, b->text, "windowName", arena_printf(b->a, "%.*s", STR_ARG(ref->text)), "docroot",
                             "https://spark.apache.org/docs/latest", NULL);
        TRY(bind_window_spec(c, def, w, depth + 1));
    }
    if (n->kind == AST_IDENT) return NULL;
    const struct ast *part = ast_get(n, SLOT_PARTITION), *order = ast_get(n, SLOT_ORDER), *frame = ast_get(n, SLOT_FRAME);
    if (part) {
        w->part = arena_array_of(b->a, struct bx *, part->n + 1);
        w->n_part = part->n;
        for (uint32_t i = 0; i < part->n; i++) TRY(bind_expr(c, part->child[i], &w->part[i]));
    }
    if (order) TRY(bind_sorts(c, order, &w->order, &w->n_order));
    if (frame) TRY(bind_frame(c, frame, w));
    return NULL;
}

/* What Spark shows for functions that bring their own frame. */
static str own_frame(struct binder *b, const struct bx *f) {
    static const char *const rows[] = {"row_number(", "rank(", "dense_rank(", "percent_rank(", "ntile("};
    static const char *const ranges[] = {"cume_dist("};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_find(f->text, str_of(rows[i])) >= 0) return STR("ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW");
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (str_find(f->text, str_of(ranges[i])) >= 0) return STR("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW");
    bool lag = str_starts(f->text, STR("lag(")), lead = str_starts(f->text, STR("lead("));
    if ((lag || lead) && f->n > 1) {
        str k = caption_of(b, f->child[1]);
        return sql_fmt(b->a, lag ? "ROWS BETWEEN -%.*s FOLLOWING AND -%.*s FOLLOWING" : "ROWS BETWEEN %.*s FOLLOWING AND %.*s FOLLOWING", STR_ARG(k),
                       STR_ARG(k));
    }
    return STR_NONE;
}

err *bind_over(struct cx *c, const struct ast *over, struct bx *f, struct bx **ret) {
    struct binder *b = c->b;
    if (c->no_win && !c->in_agg)
        return sql_error("WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE", over, b->text, "clauseName", c->clause ? c->clause : "WHERE", NULL);
    if (f->distinct)
        return sql_error("DISTINCT_WINDOW_FUNCTION_UNSUPPORTED", over, b->text, "windowExpr",
                         arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, f))), NULL);
    struct bwin *w = arena_new_of(b->a, struct bwin);
    struct cx wc = *c;
    wc.no_win = true;
    wc.in_agg = false;
    TRY(bind_window_spec(&wc, over, w, 0));
    w->shown = own_frame(b, f);
    bool ranking = f->kind == BX_WIN && w->shown.n > 0;
    if (ranking && w->n_order == 0)
        return sql_error("WINDOW_FUNCTION_FRAME_NOT_ORDERED", over, b->text, "wf", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, f))), NULL);
    if (ranking) w->frame = STR_NONE;
    bool was_agg = f->kind == BX_AGG;
    f->kind = BX_WIN;
    f->win = w;
    if (was_agg) f->has_agg = false;
    bx_flags(f);
    f->has_win = true;
    *ret = f;
    return NULL;
}
