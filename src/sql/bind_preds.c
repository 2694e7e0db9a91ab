/* SPDX-License-Identifier: Apache-2.0 */
/* BETWEEN, IN, LIKE, IS and CASE. */
#include "sql/bind.h"

static struct bx *negate(struct binder *b, struct bx *x, bool no) {
    if (!no) return x;
    return bx_tmpl1(b, sql_type_of(TY_BOOLEAN), "(NOT {0})", "(NOT {0})", x);
}

static struct bx *both(struct binder *b, struct bx *x, struct bx *y, bool and) {
    return bx_tmpl2(b, sql_type_of(TY_BOOLEAN), and ? "({0} AND {1})" : "({0} OR {1})",
                    and ? "({0} AND {1})" : "({0} OR {1})", x, y);
}

static err *between(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *v[3], *l, *r;
    for (int i = 0; i < 3; i++) TRY(bind_expr(c, n->child[i], &v[i]));
    TRY(bind_compare(b, ">=", v[0], v[1], n, &l));
    TRY(bind_compare(b, "<=", v[0], v[2], n, &r));
    struct bx *x = both(b, l, r, true);
    x->cap = STR("{0}");
    struct bx *shown = bx_tmpl(b, x->type, STR("{3}"), STR("between({0}, {1}, {2})"), v, 3);
    struct bx **four = arena_array_of(b->a, struct bx *, 4);
    for (int i = 0; i < 3; i++) four[i] = v[i];
    four[3] = x;
    shown->child = four;
    shown->n = 4;
    if (ast_has(n, AST_F_SYMMETRIC)) {
        struct bx *l2, *r2;
        TRY(bind_compare(b, ">=", v[0], v[2], n, &l2));
        TRY(bind_compare(b, "<=", v[0], v[1], n, &r2));
        four[3] = both(b, x, both(b, l2, r2, true), false);
    }
    *ret = negate(b, shown, ast_has(n, AST_F_NOT));
    return NULL;
}

static err *in_list(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx **v = arena_array_of(b->a, struct bx *, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) TRY(bind_expr(c, n->child[i], &v[i]));
    bind_pad(b, v, n->n);
    /* Literals beside a decimal take their own digits, not those of their type. */
    if (v[0]->type->kind == TY_DECIMAL)
        for (uint32_t i = 1; i < n->n; i++)
            if (v[i]->kind == BX_LIT && sql_is_integral(v[i]->type) && v[i]->text.p)
                v[i] = bx_cast(b, v[i], sql_decimal(b->a, (int)(v[i]->text.n > 38 ? 38 : v[i]->text.n), 0));
    for (uint32_t i = 1; i < n->n; i++) v[i] = bx_named_like(b, v[i], v[0]->type);
    if (!bx_unify(b, v, n->n))
    {
        struct bx shown = {.kind = BX_TMPL, .cap = STR("({0} IN ({1*}))"), .child = v, .n = n->n};
        return different_types(b, n, "in", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, &shown))), v, n->n, true);
    }
    if (bind_has_variant(v[0]->type)) {
        struct bx shown = {.kind = BX_TMPL, .cap = STR("({0} IN ({1*}))"), .child = v, .n = n->n};
        return sql_error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE", n, b->text, "sqlExpr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, &shown))),
                         "functionName", "`in`", "dataType", type_name(b, v[0]->type).p, NULL);
    }
    str coll = sql_is_text(v[0]->type) ? v[0]->type->collation : STR_NONE;
    str tmpl = STR("({0} IN ({1*}))");
    if (coll.n) {
        for (uint32_t i = 0; i < n->n; i++)
            v[i] = bx_tmpl(b, sql_type_of(TY_STRING), sql_fmt(b->a, "bh_collate_key({0}, '%.*s')", STR_ARG(coll)), STR("{0}"), &v[i], 1);
    }
    struct bx *x = bx_tmpl(b, sql_type_of(TY_BOOLEAN), tmpl, STR("({0} IN ({1*}))"), v, n->n);
    *ret = negate(b, x, ast_has(n, AST_F_NOT));
    return NULL;
}

/* ---- LIKE ---- */

/* An escape stands before itself, '%' or '_'. */
static err *check_escapes(struct binder *b, const struct ast *n, str pattern, str e) {
    for (size_t i = 0; e.n == 1 && i < pattern.n; i++) {
        if (pattern.p[i] != e.p[0]) continue;
        const char *format = arena_printf(b->a, "'%.*s'", STR_ARG(pattern));
        if (i + 1 == pattern.n) return sql_error("INVALID_FORMAT.ESC_AT_THE_END", n, b->text, "format", format, NULL);
        char next = pattern.p[++i];
        if (next != e.p[0] && next != '%' && next != '_')
            return sql_error("INVALID_FORMAT.ESC_IN_THE_MIDDLE", n, b->text, "format", format, "char", arena_printf(b->a, "'%c'", next), NULL);
    }
    return NULL;
}

static err *like_one(struct cx *c, const struct ast *n, struct bx *x, struct bx *p, struct bx **ret) {
    struct binder *b = c->b;
    const struct ast *esc = ast_get(n, SLOT_ESCAPE);
    struct bx *v[2] = {x, p};
    for (int i = 0; i < 2; i++) {
        if (!sql_implicit(b->a, v[i]->type, sql_type_of(TY_STRING)))
            return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", n, b->text, "sqlExpr",
                             arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[0]))), "paramIndex", i ? "second" : "first",
                             "requiredType", "\"STRING\"", "inputSql",
                             arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[i]))), "inputType",
                             type_name(b, v[i]->type).p, NULL);
        v[i] = bx_cast(b, v[i], sql_type_of(TY_STRING));
    }
    if (str_eqz(n->text, "rlike")) {
        *ret = bx_tmpl(b, sql_type_of(TY_BOOLEAN), STR("bh_rlike({0}, {1})"), STR("RLIKE({0}, {1})"), v, 2);
        return NULL;
    }
    bool ilike = str_eqz(n->text, "ilike");
    str e = esc ? esc->text : STR("\\");
    buf *t = sql_buf(b->a), *cap = sql_buf(b->a), *q = sql_buf(b->a);
    sql_quote(q, e);
    /* Without an escape in a constant pattern DuckDB has faster ways. */
    bool plain = v[1]->kind == BX_LIT && v[1]->text.p && str_find(v[1]->text, e) < 0;
    bool constant = v[1]->kind == BX_LIT;
    if (constant && v[1]->text.p) TRY(check_escapes(b, n, v[1]->text, e));
    buf_fmt(t, constant ? "({0} %s {1}" : "({0} %s bh_like_pattern({1}, ", ilike ? "ILIKE" : "LIKE");
    if (!constant) {
        buf_tmpl(t, buf_view(q));
        buf_c(t, ')');
    }
    if (!plain) {
        buf_z(t, " ESCAPE ");
        buf_tmpl(t, buf_view(q));
    }
    buf_c(t, ')');
    if (ilike) buf_z(cap, "ilike({0}, {1}");
    else buf_z(cap, "{0} LIKE {1}");
    if (esc && !ilike && !str_eqz(e, "\\")) {
        buf_z(cap, " ESCAPE '");
        buf_tmpl(cap, e);
        buf_c(cap, '\'');
    }
    if (ilike) buf_c(cap, ')');
    *ret = bx_tmpl(b, sql_type_of(TY_BOOLEAN), sql_keep(b->a, t), sql_keep(b->a, cap), v, 2);
    return NULL;
}

static err *like(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *x, *p, *z = NULL, *all = NULL;
    TRY(bind_expr(c, n->child[0], &x));
    bool no = ast_has(n, AST_F_NOT), constants = true;
    for (uint32_t i = 1; i < n->n; i++) {
        TRY(bind_expr(c, n->child[i], &p));
        constants &= p->kind == BX_LIT;
        TRY(like_one(c, n, x, p, &z));
        z = negate(c->b, z, no && n->op);
        all = all ? both(c->b, all, z, n->op == 'A') : z;
    }
    if (!all) return unsupported(c->b, n, "LIKE without a pattern");
    *ret = n->op ? all : negate(c->b, all, no);
    if (n->op && constants) {
        str shown = caption_of(c->b, x);
        buf *o = sql_buf(c->b->a);
        buf_fmt(o, str_eqz(n->text, "ilike") ? "%slike%s(lower(%.*s))" : "%slike%s(%.*s)", no ? "not" : "", n->op == 'A' ? "all" : "any", STR_ARG(shown));
        struct bx *named = arena_new_of(c->b->a, struct bx);
        *named = **ret;
        named->cap = tmpl_text(c->b, sql_keep(c->b->a, o));
        *ret = named;
    }
    return NULL;
}

/* ---- IS, CASE ---- */

static err *is(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x, *y;
    const struct sql_type *boolean = sql_type_of(TY_BOOLEAN);
    bool no = ast_has(n, AST_F_NOT);
    TRY(bind_expr(c, n->child[0], &x));
    if (str_eqz(n->text, "null")) {
        *ret = bx_tmpl1(b, boolean, no ? "({0} IS NOT NULL)" : "({0} IS NULL)", no ? "({0} IS NOT NULL)" : "({0} IS NULL)", x);
    } else if (str_eqz(n->text, "distinct")) {
        TRY(bind_expr(c, n->child[1], &y));
        TRY(bind_compare(b, "<=>", x, y, n, ret));
        *ret = negate(b, *ret, !no);
    } else if (str_eqz(n->text, "unknown")) {
        x = bx_cast(b, x, boolean);
        *ret = bx_tmpl1(b, boolean, no ? "({0} IS NOT NULL)" : "({0} IS NULL)", no ? "({0} IS NOT NULL)" : "({0} IS NULL)", x);
    } else {
        bool t = str_eqz(n->text, "true");
        x = bx_cast(b, x, boolean);
        *ret = bx_tmpl1(b, boolean, t ? "({0} IS NOT DISTINCT FROM true)" : "({0} IS NOT DISTINCT FROM false)",
                        t ? "({0} <=> true)" : "({0} <=> false)", x);
        *ret = negate(b, *ret, no);
    }
    (*ret)->nullable = false;
    return NULL;
}

err *bind_case(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    const struct ast *subject = ast_get(n, SLOT_EXPR), *other = ast_get(n, SLOT_ELSE);
    size_t pairs = n->n / 2, total = pairs * 2 + (other ? 1 : 0);
    struct bx **v = arena_array_of(b->a, struct bx *, total + 1), *x = NULL, *y;
    struct bx **values = arena_array_of(b->a, struct bx *, pairs + 1);
    buf *t = sql_buf(b->a), *cap = sql_buf(b->a);
    if (subject) TRY(bind_expr(c, subject, &x));
    buf_z(t, "CASE");
    buf_z(cap, "CASE");
    for (size_t i = 0; i < pairs; i++) {
        if (x) {
            TRY(bind_expr(c, n->child[i * 2], &y));
            TRY(bind_compare(b, "=", x, y, n, &v[i * 2]));
        } else {
            TRY(bind_boolean(c, n->child[i * 2], "WHEN", &v[i * 2]));
        }
        TRY(bind_expr(c, n->child[i * 2 + 1], &values[i]));
        buf_fmt(t, " WHEN {%zu} THEN {%zu}", i * 2, i * 2 + 1);
        buf_fmt(cap, " WHEN {%zu} THEN {%zu}", i * 2, i * 2 + 1);
    }
    if (other) {
        TRY(bind_expr(c, other, &values[pairs]));
        buf_fmt(t, " ELSE {%zu}", pairs * 2);
        buf_fmt(cap, " ELSE {%zu}", pairs * 2);
    }
    buf_z(t, " END");
    buf_z(cap, " END");
    struct bx shown = {.kind = BX_TMPL, .cap = sql_keep(b->a, cap), .child = v, .n = total};
    for (size_t i = 0; i < pairs; i++) v[i * 2 + 1] = values[i];
    if (other) v[pairs * 2] = values[pairs];
    const struct sql_type *type = bx_unify(b, values, pairs + (other ? 1 : 0));
    if (!type)
        return different_types(b, n, "casewhen", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, &shown))), values, pairs + (other ? 1 : 0), true);
    bool nullable = !other;
    for (size_t i = 0; i < pairs; i++) v[i * 2 + 1] = values[i];
    if (other) v[pairs * 2] = values[pairs];
    for (size_t i = 0; i < pairs + (other ? 1 : 0); i++) nullable |= values[i]->nullable;
    *ret = bx_tmpl(b, type, sql_keep(b->a, t), shown.cap, v, total);
    (*ret)->nullable = nullable;
    return NULL;
}

err *bind_predicate(struct cx *c, const struct ast *n, struct bx **ret) {
    switch (n->kind) {
    case AST_BETWEEN: return between(c, n, ret);
    case AST_IN: return in_list(c, star_arguments(c, n), ret);
    case AST_LIKE: return like(c, n, ret);
    default: return is(c, n, ret);
    }
}
