/* SPDX-License-Identifier: Apache-2.0 */
/* OVER: partitions, orders and frames, with Spark's defaults. */
#include "sql/bind.h"

err *no_order(struct binder *b, const struct ast *at, const struct bsort *o) {
    return sql_error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE", at, b->text, "sqlExpr",
                     arena_printf(b->a, "\"%.*s %s NULLS %s\"", STR_ARG(caption_of(b, o->x)), o->desc ? "DESC" : "ASC", o->nulls_first ? "FIRST" : "LAST"), "functionName",
                     "`sortorder`", "dataType", type_name(b, o->x->type).p, NULL);
}

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
        if (!sql_is_orderable(t)) return no_order(c->b, s, &o[i]);
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

/* A value in a frame's bound is known before names are: no columns, no calls. */
static bool is_written_value(const struct ast *n) {
    if (n->kind == AST_INTERVAL) return true;
    if (n->kind == AST_CALL || n->kind == AST_NAME || n->kind == AST_IDENT || n->kind == AST_SUBQUERY) return false;
    for (uint32_t i = 0; i < n->n; i++)
        if (n->child[i] && !is_written_value(n->child[i])) return false;
    return true;
}

/* The value of a bound, as DuckDB adds it to the order key: days for dates, intervals for timestamps. */
static struct bx *bound_value(struct binder *b, struct bx *x, bool range, const struct bwin *w) {
    if (!range) return bx_cast(b, x, sql_type_of(TY_BIGINT));
    const struct sql_type *key = w->order[0].x->type;
    if (x->type->kind == TY_INTERVAL_YM) return bx_tmpl1(b, x->type, "to_months({0})", "{0}", x);
    if (x->type->kind == TY_INTERVAL_DT) return bx_tmpl1(b, x->type, "to_microseconds({0})", "{0}", x);
    if (key->kind == TY_DATE) return bx_tmpl1(b, x->type, "to_days(CAST({0} AS INTEGER))", "{0}", x);
    const struct sql_type *t = sql_common_type(b->a, key, x->type);
    return t ? bx_cast(b, x, t) : x;
}

static err *bind_bound(struct cx *c, const struct ast *n, struct bend *ret) {
    if (str_eqz(n->text, "unbounded preceding")) {
        ret->kind = 'p';
    } else if (str_eqz(n->text, "unbounded following")) {
        ret->kind = 'f';
    } else if (str_eqz(n->text, "current row")) {
        ret->kind = 'c';
    } else {
        if (!is_written_value(n->child[0])) return sql_error("_LEGACY_ERROR_TEMP_0064", n, c->b->text, "msg", "Frame bound value must be a literal.", NULL);
        ret->kind = str_eqz(n->text, "preceding") ? '-' : '+';
        TRY(bind_expr(c, n->child[0], &ret->value));
    }
    return NULL;
}

/* A bound as a text: "1 PRECEDING"; bare: its value alone. */
static void bound_caption(struct binder *b, const struct bend *e, bool bare, buf *o) {
    if (e->kind == 'p') buf_z(o, "UNBOUNDED PRECEDING");
    if (e->kind == 'f') buf_z(o, "UNBOUNDED FOLLOWING");
    if (e->kind == 'c') buf_z(o, "CURRENT ROW");
    if (!e->value) return;
    if (bare && e->kind == '-') buf_z(o, "(- ");
    caption(b, e->value, o);
    if (bare && e->kind == '-') buf_c(o, ')');
    if (!bare) buf_z(o, e->kind == '-' ? " PRECEDING" : " FOLLOWING");
}

static const char *bound_text(struct binder *b, const struct bend *e) {
    buf *o = sql_buf(b->a);
    buf_c(o, '"');
    bound_caption(b, e, true, o);
    buf_c(o, '"');
    buf_c(o, 0);
    return o->p;
}

/* May such a value be added to such a key? */
static bool range_fits(const struct sql_type *key, const struct sql_type *v) {
    if (v->kind == TY_VOID) return true;
    if (key->kind == TY_DATE) return v->kind == TY_INT || v->kind == TY_INTERVAL_YM || (v->kind == TY_INTERVAL_DT && v->from == UNIT_DAY && v->to == UNIT_DAY);
    if (key->kind == TY_TIMESTAMP || key->kind == TY_TIMESTAMP_NTZ) return v->kind >= TY_INTERVAL_YM && v->kind <= TY_INTERVAL;
    return sql_is_numeric(key) && (key->kind == v->kind || sql_can_cast(v, key));
}

/* Of an order by what is no number and no time a bound takes the type, and that is none for a bound. */
static bool becomes_no_bound(const struct sql_type *key, const struct sql_type *v) {
    bool time = key->kind == TY_DATE || key->kind == TY_TIMESTAMP || key->kind == TY_TIMESTAMP_NTZ || (key->kind >= TY_INTERVAL_YM && key->kind <= TY_INTERVAL);
    return !sql_is_numeric(key) && !time && v->kind != TY_VOID && key->kind != v->kind && sql_can_cast(v, key);
}

/* What no frame may be, whatever the order is. */
static err *check_frame(struct binder *b, const struct ast *n, const struct bwin *w) {
    bool range = !str_eqz(n->text, "rows");
    buf *o = sql_buf(b->a);
    buf_fmt(o, "\"%s BETWEEN ", range ? "RANGE" : "ROWS");
    bound_caption(b, &w->from, false, o);
    buf_z(o, " AND ");
    bound_caption(b, &w->to, false, o);
    buf_c(o, '"');
    buf_c(o, 0);
    const char *shown = o->p;
    for (int i = 0; i < 2; i++) {
        const struct bx *v = i ? w->to.value : w->from.value;
        if (!v || v->type->kind == TY_VOID) continue;
        bool interval = v->type->kind >= TY_INTERVAL_YM && v->type->kind <= TY_INTERVAL;
        const struct sql_type *shown_type = v->type;
        if (range && w->n_order == 1 && becomes_no_bound(w->order[0].x->type, v->type))
            shown_type = w->order[0].x->type;
        else if (range ? interval || sql_is_numeric(v->type) || sql_is_text(v->type) : v->type->kind <= TY_INT && sql_is_integral(v->type)) continue;
        return sql_error("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE", n, b->text, "sqlExpr", shown, "location", i ? "upper" : "lower", "exprType",
                         type_name(b, shown_type).p, "expectedType",
                         range ? "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")" : "\"INT\"", NULL);
    }
    if (w->from.kind == 'f' || w->to.kind == 'p')
        return sql_error("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_INVALID_BOUND", n, b->text, "sqlExpr", shown, "lower", bound_text(b, &w->from), "upper",
                         bound_text(b, &w->to), NULL);
    const struct bx *l = w->from.value, *u = w->to.value;
    if (!l || !u) return NULL;
    if (!sql_type_same_physical(l->type, u->type) && !range)
        return sql_error("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_DIFF_TYPES", n, b->text, "sqlExpr", shown, "lower", bound_text(b, &w->from), "upper",
                         bound_text(b, &w->to), "lowerType", type_name(b, l->type).p, "upperType", type_name(b, u->type).p, NULL);
    double x, y;
    if (l->kind != BX_LIT || u->kind != BX_LIT || !str_to_f64(l->text, &x) || !str_to_f64(u->text, &y)) return NULL;
    if ((w->from.kind == '-' ? -x : x) > (w->to.kind == '-' ? -y : y))
        return sql_error("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON", n, b->text, "sqlExpr", shown, "comparison", "less than or equal", NULL);
    return NULL;
}

/* A frame of RANGE and the order of its window. */
static err *check_range(struct binder *b, const struct ast *n, struct bwin *w) {
    if (w->from.kind == 'p' && w->to.kind == 'f') return NULL;
    bool valued = w->from.value || w->to.value;
    const struct sql_type *v = w->from.value ? w->from.value->type : valued ? w->to.value->type : NULL;
    if (w->n_order == 1 && (!v || range_fits(w->order[0].x->type, v))) return NULL;
    if (w->n_order && !v) return NULL;
    struct bx x = {.win = w, .type = sql_type_of(TY_VOID)};
    buf *o = sql_buf(b->a), *order = sql_buf(b->a);
    buf_c(o, '"');
    window_caption(b, &x, o);
    buf_z(o, "\"");
    buf_c(o, 0);
    for (size_t i = 0; i < w->n_order; i++) {
        if (i) buf_c(order, ',');
        caption(b, w->order[i].x, order);
        buf_fmt(order, " %s NULLS %s", w->order[i].desc ? "DESC" : "ASC", w->order[i].nulls_first ? "FIRST" : "LAST");
    }
    buf_c(order, 0);
    if (w->n_order == 0) return sql_error("DATATYPE_MISMATCH.RANGE_FRAME_WITHOUT_ORDER", n, b->text, "sqlExpr", o->p, NULL);
    if (w->n_order > 1) return sql_error("DATATYPE_MISMATCH.RANGE_FRAME_MULTI_ORDER", n, b->text, "sqlExpr", o->p, "orderSpec", order->p, NULL);
    return sql_error("DATATYPE_MISMATCH.RANGE_FRAME_INVALID_TYPE", n, b->text, "sqlExpr", o->p, "orderSpecType", type_name(b, w->order[0].x->type).p, "valueBoundaryType",
                     type_name(b, v).p, NULL);
}

static void add_bound(struct binder *b, struct bend *e, bool range, struct bwin *w, buf *o) {
    if (!e->value) {
        bound_caption(b, e, false, o);
        return;
    }
    buf_fmt(o, "{%zu} %s", w->n_bound, e->kind == '-' ? "PRECEDING" : "FOLLOWING");
    w->bound[w->n_bound++] = bound_value(b, e->value, range, w);
}

/* A value of another type than the order's has its sign turned where it precedes; Spark shows that. */
static void frame_caption(struct binder *b, struct bwin *w) {
    const struct sql_type *key = w->n_order ? w->order[0].x->type : NULL;
    buf *o = sql_buf(b->a);
    bool turned = false;
    buf_z(o, "RANGE BETWEEN ");
    for (int i = 0; i < 2; i++) {
        const struct bend *e = i ? &w->to : &w->from;
        buf *one = sql_buf(b->a);
        bool cast = e->value && e->kind == '-' && key && key->kind != TY_DATE && sql_is_numeric(key) && !sql_type_eq(key, e->value->type);
        bound_caption(b, e, cast, one);
        if (cast) buf_z(one, " FOLLOWING");
        turned |= cast;
        if (i) buf_z(o, " AND ");
        buf_tmpl(o, buf_view(one));
    }
    if (turned) w->frame_cap = sql_keep(b->a, o);
}

static err *bind_frame(struct cx *c, const struct ast *n, struct bwin *w) {
    bool range = !str_eqz(n->text, "rows");
    buf *o = sql_buf(c->b->a);
    w->bound = arena_array_of(c->b->a, struct bx *, 2);
    buf_z(o, range ? str_eqz(n->text, "range") ? "RANGE BETWEEN " : "GROUPS BETWEEN " : "ROWS BETWEEN ");
    w->to.kind = 'c';
    TRY(bind_bound(c, n->child[0], &w->from));
    if (n->n > 1) TRY(bind_bound(c, n->child[1], &w->to));
    TRY(check_frame(c->b, n, w));
    buf *shown = sql_buf(c->b->a); /* for the error */
    buf_z(shown, range ? "RANGE BETWEEN " : "ROWS BETWEEN ");
    for (int i = 0; i < 2; i++) {
        struct bend *e = i ? &w->to : &w->from;
        if (i) buf_z(shown, " AND ");
        buf *one = sql_buf(c->b->a);
        bound_caption(c->b, e, false, one);
        buf_tmpl(shown, buf_view(one));
    }
    w->frame = sql_keep(c->b->a, shown);
    if (range) TRY(check_range(c->b, n, w));
    add_bound(c->b, &w->from, range, w, o);
    buf_z(o, " AND ");
    add_bound(c->b, &w->to, range, w, o);
    w->frame = sql_keep(c->b->a, o);
    if (range) frame_caption(c->b, w);
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
        for (uint32_t i = 0; i < part->n; i++) {
            TRY(bind_expr(c, part->child[i], &w->part[i]));
            if (bind_has_variant(w->part[i]->type))
                return sql_error("EXPRESSION_TYPE_IS_NOT_ORDERABLE", part->child[i], b->text, "expr",
                                 arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, w->part[i]))), "exprType", type_name(b, w->part[i]->type).p, NULL);
        }
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

static err *not_ordered(struct binder *b, const struct ast *at, str call) {
    ptrdiff_t end = str_chr(call, '(', 0);
    char *name = arena_strndup(b->a, call.p, end < 0 ? call.n : (size_t)end);
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    return sql_error("WINDOW_FUNCTION_FRAME_NOT_ORDERED", at, b->text, "wf_name", name, "wf_expr", arena_printf(b->a, "%.*s", STR_ARG(call)), NULL);
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
        return not_ordered(b, over, caption_of(b, f));
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
