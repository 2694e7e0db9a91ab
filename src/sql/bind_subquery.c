/* SPDX-License-Identifier: Apache-2.0 */
/* Subqueries in expressions: scalar, EXISTS, IN. Columns of enclosing queries are collected on the way (outers). */
#include "sql/bind.h"

static err *inner_query(struct cx *c, const struct ast *q, struct bx *sub) {
    struct scope mid = {.outer = c->s, .level = c->s->level, .sub = sub};
    struct scope *kept = arena_new_of(c->b->a, struct scope);
    *kept = mid;
    return bind_query(c->b, q, kept, &sub->query);
}

/* name(columns of enclosing queries that it asks for) */
static str with_outers(struct binder *b, const char *head, const struct bx *x, const char *tail) {
    buf *o = sql_buf(b->a);
    buf_z(o, head);
    for (size_t i = 0; i < x->n_outers; i++) {
        if (i) buf_z(o, ", ");
        buf_tmpl(o, x->outers[i]->rel->cols[x->outers[i]->col].name);
    }
    buf_z(o, tail);
    return sql_keep(b->a, o);
}

static err *scalar(struct cx *c, const struct ast *n, struct bx *x) {
    struct binder *b = c->b;
    TRY(inner_query(c, ast_get(n, SLOT_QUERY), x));
    if (x->query->n != 1)
        return sql_error("INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN", n, b->text, "number",
                         arena_printf(b->a, "%zu", x->query->n), NULL);
    x->type = x->query->cols[0].type;
    x->text = STR("({q})");
    x->cap = with_outers(b, "scalarsubquery(", x, ")");
    x->nullable = true;
    return NULL;
}

static err *exists(struct cx *c, const struct ast *n, struct bx *x) {
    TRY(inner_query(c, ast_get(n, SLOT_QUERY), x));
    x->text = STR("EXISTS ({q})");
    x->cap = with_outers(c->b, "exists(", x, ")");
    x->nullable = false;
    return NULL;
}

/* (x, y) IN (query): is there a row whose columns are all equal; `maybe`: none of whose columns is known to differ. */
static str rows_text(struct binder *b, size_t k, bool maybe) {
    buf *t = sql_buf(b->a);
    buf_z(t, "EXISTS (SELECT 1 FROM ({q}) AS s{#} WHERE ");
    for (size_t i = 0; i < k; i++) buf_fmt(t, "%s({%zu} = s{#}.c%zu)%s", i ? " AND " : "", i, i, maybe ? " IS NOT FALSE" : "");
    buf_c(t, ')');
    return sql_keep(b->a, t);
}

/* x IN (query), or (x, y) IN (query of two columns). */
static err *in(struct cx *c, const struct ast *n, struct bx *x) {
    struct binder *b = c->b;
    const struct ast *left = n->child[0];
    bool row = left->kind == AST_ROW;
    size_t k = row ? left->n : 1;
    x->child = arena_array_of(b->a, struct bx *, k + 1);
    x->n = k;
    for (size_t i = 0; i < k; i++) TRY(bind_expr(c, row ? left->child[i] : left, &x->child[i]));
    TRY(inner_query(c, ast_get(n, SLOT_QUERY), x));
    if (x->query->n != k)
        return sql_error("DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH", n, b->text, "sqlExpr", "\"(… IN (listquery()))\"", "leftLength",
                         arena_printf(b->a, "%zu", k), "rightLength", arena_printf(b->a, "%zu", x->query->n), "leftColumns", "", "rightColumns", "", NULL);
    const struct sql_type **types = arena_array_of(b->a, const struct sql_type *, k + 1);
    for (size_t i = 0; i < k; i++) {
        const struct sql_type *l = x->child[i]->type, *r = x->query->cols[i].type;
        types[i] = sql_common_type(b->a, l, r);
        if (!types[i])
            return sql_error("DATATYPE_MISMATCH.IN_SUBQUERY_DATA_TYPE_MISMATCH", n, b->text, "sqlExpr", "\"(… IN (listquery()))\"", "mismatchedColumns", "",
                             "leftType", type_name(b, l).p, "rightType", type_name(b, r).p, NULL);
        x->child[i] = bx_cast(b, bx_exact(b, x->child[i]), types[i]);
    }
    x->query = bq_retype(b, x->query, types);
    x->text = k > 1 ? rows_text(b, k, false) : STR("({0} IN ({q}))");
    x->cap = with_outers(b, "({0} IN (listquery(", x, ")))");
    x->nullable = true;
    return NULL;
}

#define IN_OR_FALSE "COALESCE({0}, false)"
#define IN_OR_TRUE "COALESCE({0}, true)"

/* Spark asks a query for membership by joins: what SQL leaves unknown is false, of NOT IN too. A literal NULL stays NULL. */
static struct bx *known(struct binder *b, struct bx *x) {
    for (size_t i = 0; i < x->n; i++)
        if (bx_is_null(x->child[i])) return x;
    struct bx *y = bx_tmpl1(b, x->type, IN_OR_FALSE, "{0}", x);
    y->ast = x->ast;
    return y;
}

static bool is_known(const struct bx *x, const char *how) { return x->kind == BX_TMPL && x->n == 1 && x->child[0]->kind == BX_SUB && str_eqz(x->text, how); }

static bool mentions_known(const struct bx *x) {
    if (is_known(x, IN_OR_FALSE) || is_known(x, IN_OR_TRUE)) return true;
    for (size_t i = 0; x->kind == BX_TMPL && i < x->n; i++)
        if (mentions_known(x->child[i])) return true;
    return false;
}

/* NOT is moved inwards before a membership is judged, as Spark does: NOT (a NOT IN q) is a IN q. */
static struct bx *not_within(struct binder *b, struct bx *x) {
    if (is_known(x, IN_OR_FALSE)) {
        struct bx *sub = x->child[0];
        if (sub->n > 1) {
            struct bx *maybe = arena_new_of(b->a, struct bx);
            *maybe = *sub;
            maybe->text = rows_text(b, sub->n, true);
            sub = maybe;
        }
        return bx_tmpl1(b, x->type, "(NOT {0})", "(NOT {0})", bx_tmpl1(b, x->type, IN_OR_TRUE, "{0}", sub));
    }
    if (x->kind != BX_TMPL || !mentions_known(x)) return NULL;
    if (x->n == 1 && str_eqz(x->text, "(NOT {0})")) {
        struct bx *in = x->child[0];
        if (!is_known(in, IN_OR_TRUE)) return in;
        struct bx *sub = in->child[0];
        if (sub->n > 1) {
            struct bx *sure = arena_new_of(b->a, struct bx);
            *sure = *sub;
            sure->text = rows_text(b, sub->n, false);
            sub = sure;
        }
        return bx_tmpl1(b, x->type, IN_OR_FALSE, "{0}", sub);
    }
    bool and = str_eqz(x->text, "({0} AND {1})");
    if (x->n != 2 || !(and || str_eqz(x->text, "({0} OR {1})"))) return NULL;
    struct bx *l = bx_not(b, x->child[0]), *r = bx_not(b, x->child[1]);
    return bx_tmpl2(b, x->type, and ? "({0} OR {1})" : "({0} AND {1})", "", l, r);
}

struct bx *bx_not(struct binder *b, struct bx *x) {
    struct bx *y = not_within(b, x);
    if (!y) return bx_tmpl1(b, sql_type_of(TY_BOOLEAN), "(NOT {0})", "(NOT {0})", x);
    y->cap = tmpl_text(b, sql_fmt(b->a, "(NOT %.*s)", STR_ARG(caption_of(b, x))));
    return y;
}

struct bx *bx_condition(struct binder *b, struct bx *x) {
    if (is_known(x, IN_OR_FALSE)) return x->child[0];
    if (x->kind != BX_TMPL) return x;
    if (x->n == 1 && str_eqz(x->text, "(NOT {0})") && is_known(x->child[0], IN_OR_TRUE)) return bx_tmpl1(b, x->type, "(NOT {0})", "(NOT {0})", x->child[0]->child[0]);
    if (x->n != 2 || !str_eqz(x->text, "({0} AND {1})")) return x;
    struct bx *l = bx_condition(b, x->child[0]), *r = bx_condition(b, x->child[1]);
    return l == x->child[0] && r == x->child[1] ? x : bx_tmpl2(b, x->type, "({0} AND {1})", "({0} AND {1})", l, r);
}

err *bind_subquery(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *x = bx_new(c->b, BX_SUB, sql_type_of(TY_BOOLEAN));
    x->ast = n;
    if (n->kind == AST_SUBQUERY)
        TRY(scalar(c, n, x));
    else if (n->kind == AST_EXISTS)
        TRY(exists(c, n, x));
    else
        TRY(in(c, n, x));
    bx_flags(x);
    *ret = n->kind == AST_SUBQUERY || n->kind == AST_EXISTS ? x : known(c->b, x);
    if (ast_has(n, AST_F_NOT)) *ret = bx_not(c->b, *ret);
    return NULL;
}
