/* SPDX-License-Identifier: Apache-2.0 */
/* Whole queries: WITH, set operations, VALUES, and ORDER BY and LIMIT above anything that is no plain select. */
#include "sql/bind.h"

/* Blocks of a statement with all views in it: views that read a view twice double with each step. */
#define MOST_BLOCKS 20000

struct bq *bq_new(struct binder *b, enum bq_kind kind) {
    struct bq *q = arena_new_of(b->a, struct bq);
    q->kind = (uint8_t)kind;
    q->level = ++b->next_level;
    return q;
}

void bq_set_output(struct binder *b, struct bq *q, size_t n) {
    q->cols = arena_array_of(b->a, struct rcol, n + 1);
    q->n = n;
}

struct bq *bq_wrap(struct binder *b, struct bq *in, struct rel **ret_rel) {
    struct bq *q = bq_new(b, BQ_SELECT);
    struct rel *r = rel_new(b, RK_QUERY, in->n, q->level);
    r->query = in;
    q->from = arena_new_of(b->a, struct bfrom);
    q->from->kind = BF_REL;
    q->from->rel = r;
    q->items = arena_array_of(b->a, struct bx *, in->n + 1);
    q->n_items = in->n;
    bq_set_output(b, q, in->n);
    for (size_t i = 0; i < in->n; i++) {
        r->cols[i] = in->cols[i];
        r->cols[i].used = false;
        q->cols[i] = r->cols[i];
        q->items[i] = bx_col(b, r, i, r->cols[i].name);
    }
    if (ret_rel) *ret_rel = r;
    return q;
}

struct bq *bq_retype(struct binder *b, struct bq *q, const struct sql_type *const *types) {
    bool same = true;
    for (size_t i = 0; i < q->n; i++) same &= sql_type_same_physical(q->cols[i].type, types[i]) && q->cols[i].type->kind != TY_VOID;
    if (!same) {
        bool in_place = q->kind == BQ_SELECT && !q->distinct && !q->gen;
        if (q->kind == BQ_SETOP && strcmp(q->op, "UNION ALL") == 0) {
            q->left = bq_retype(b, q->left, types);
            q->right = bq_retype(b, q->right, types);
        } else if (q->kind == BQ_VALUES) {
            for (size_t r = 0; r < q->n_rows; r++)
                for (size_t i = 0; i < q->n; i++) q->rows[r][i] = bx_cast(b, q->rows[r][i], types[i]);
        } else {
            if (!in_place) q = bq_wrap(b, q, NULL);
            for (size_t i = 0; i < q->n; i++) q->items[i] = bx_cast(b, bx_exact(b, q->items[i]), types[i]);
        }
    }
    for (size_t i = 0; i < q->n; i++) q->cols[i].type = types[i];
    return q;
}

/* ---- set operations ---- */

static const char *place(struct binder *b, size_t i) {
    static const char *const words[] = {"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"};
    return i < ARRAY_LEN(words) ? words[i] : arena_printf(b->a, "%zuth", i + 1);
}

/* The right side in the order of the left side's names; names of the right alone follow when NULLs may fill. */
static err *by_name(struct binder *b, const struct ast *n, struct bq *l, struct bq **r) {
    struct bq *q = bq_wrap(b, *r, NULL);
    struct bx **items = arena_array_of(b->a, struct bx *, l->n + 1);
    struct rcol *cols = arena_array_of(b->a, struct rcol, l->n + 1);
    for (size_t i = 0; i < l->n; i++) {
        size_t k = 0;
        while (k < q->n && !str_ieq(q->cols[k].name, l->cols[i].name)) k++;
        if (k == q->n) {
            buf *o = sql_buf(b->a);
            for (size_t j = 0; j < q->n; j++) buf_fmt(o, "%s`%.*s`", j ? ", " : "", STR_ARG(q->cols[j].name));
            buf_c(o, 0);
            return sql_error("UNRESOLVED_COLUMN.WITH_SUGGESTION", n, b->text, "objectName",
                             arena_printf(b->a, "`%.*s`", STR_ARG(l->cols[i].name)), "proposal", o->p, NULL);
        }
        items[i] = q->items[k];
        cols[i] = q->cols[k];
    }
    if (q->n != l->n)
        return sql_error("NUM_COLUMNS_MISMATCH", n, b->text, "operator", "UNION", "firstNumColumns", arena_printf(b->a, "%zu", l->n), "invalidOrdinalNum",
                         "second", "invalidNumColumns", arena_printf(b->a, "%zu", q->n), NULL);
    q->items = items;
    q->cols = cols;
    *r = q;
    return NULL;
}

bool bind_has_variant(const struct sql_type *t) { return sql_type_has(t, TY_VARIANT); }

err *bind_comparable_rows(struct binder *b, const struct ast *n, const struct bq *q) {
    for (size_t i = 0; i < q->n; i++) {
        const struct sql_type *t = q->cols[i].type;
        const char *cls = sql_type_has(t, TY_MAP) ? "UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE" : sql_type_has(t, TY_VARIANT) ? "UNSUPPORTED_FEATURE.SET_OPERATION_ON_VARIANT_TYPE" : NULL;
        if (cls)
            return sql_error(cls, n, b->text, "colName", arena_printf(b->a, "`%.*s`", STR_ARG(q->cols[i].name)), "dataType", type_name(b, t).p, NULL);
    }
    return NULL;
}

err *bind_setop(struct binder *b, const struct ast *n, struct bq *l, struct bq *r, struct bq **ret) {
    bool all = ast_has(n, AST_F_ALL), uni = str_eqz(n->text, "union"), except = str_eqz(n->text, "except") || str_eqz(n->text, "minus");
    const char *op = uni ? (all ? "UNION ALL" : "UNION") : except ? (all ? "EXCEPT ALL" : "EXCEPT") : all ? "INTERSECT ALL" : "INTERSECT";
    if (ast_has(n, AST_F_BY_NAME)) TRY(by_name(b, n, l, &r));
    if (l->n != r->n)
        return sql_error("NUM_COLUMNS_MISMATCH", n, b->text, "operator", uni ? "UNION" : op, "firstNumColumns", arena_printf(b->a, "%zu", l->n),
                         "invalidOrdinalNum", "second", "invalidNumColumns", arena_printf(b->a, "%zu", r->n), NULL);
    if (!(uni && all)) {
        TRY(bind_comparable_rows(b, n, l));
        TRY(bind_comparable_rows(b, n, r));
    }
    const struct sql_type **types = arena_array_of(b->a, const struct sql_type *, l->n + 1);
    for (size_t i = 0; i < l->n; i++) {
        types[i] = sql_common_type(b->a, l->cols[i].type, r->cols[i].type);
        if (!types[i])
            return sql_error("INCOMPATIBLE_COLUMN_TYPE", n, b->text, "tableOrdinalNumber", "second", "columnOrdinalNumber", place(b, i), "dataType2",
                             type_name(b, l->cols[i].type).p, "operator", uni ? "UNION" : op, "dataType1", type_name(b, r->cols[i].type).p, "hint", "", NULL);
    }
    struct bq *q = bq_new(b, BQ_SETOP);
    q->op = op;
    bq_set_output(b, q, l->n);
    for (size_t i = 0; i < l->n; i++) {
        q->cols[i] = l->cols[i];
        q->cols[i].nullable = l->cols[i].nullable || r->cols[i].nullable;
        q->cols[i].type = types[i];
    }
    q->left = bq_retype(b, l, types);
    q->right = bq_retype(b, r, types);
    *ret = q;
    return NULL;
}

/* ---- VALUES ---- */

static err *bind_values(struct binder *b, const struct ast *n, struct scope *outer, struct bq **ret) {
    struct bq *q = bq_new(b, BQ_VALUES);
    struct scope s = {.outer = outer, .level = q->level};
    struct cx c = {.b = b, .s = &s, .no_agg = true, .no_win = true, .clause = "VALUES"};
    size_t width = n->n && n->child[0]->kind == AST_ROW ? n->child[0]->n : 1;
    q->rows = arena_array_of(b->a, struct bx **, n->n + 1);
    q->n_rows = n->n;
    for (uint32_t r = 0; r < n->n; r++) {
        const struct ast *row = n->child[r];
        bool many = row->kind == AST_ROW;
        if ((many ? row->n : 1) != width)
            return sql_error("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH", n, b->text, "expectedNumCols", arena_printf(b->a, "%zu", width), "actualNumCols",
                             arena_printf(b->a, "%u", many ? row->n : 1), "rowIndex", arena_printf(b->a, "%u", r), NULL);
        q->rows[r] = arena_array_of(b->a, struct bx *, width + 1);
        for (size_t i = 0; i < width; i++) {
            err *e = bind_expr(&c, many ? row->child[i] : row, &q->rows[r][i]);
            if (e && str_eqz(sql_error_class(e, b->a), "GROUP_BY_AGGREGATE")) { /* told by itself */
                err_free(e);
                c.no_agg = false;
                TRY(bind_expr(&c, many ? row->child[i] : row, &q->rows[r][i]));
            } else if (e)
                return e;
            if (q->rows[r][i]->nondet || q->rows[r][i]->has_agg)
                return sql_error("INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE", many ? row->child[i] : row, b->text, "expr",
                                 arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, q->rows[r][i]))), NULL);
            q->rows[r][i] = bx_exact(b, q->rows[r][i]);
        }
    }
    bq_set_output(b, q, width);
    struct bx **column = arena_array_of(b->a, struct bx *, n->n + 1);
    for (size_t i = 0; i < width; i++) {
        bool nullable = false;
        for (uint32_t r = 0; r < n->n; r++) {
            column[r] = q->rows[r][i];
            nullable |= column[r]->nullable;
        }
        const struct sql_type *t = bx_unify(b, column, n->n);
        if (!t) return sql_error("INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE", n, b->text, "colName", arena_printf(b->a, "`col%zu`", i + 1), NULL);
        for (uint32_t r = 0; r < n->n; r++) q->rows[r][i] = column[r];
        q->cols[i] = (struct rcol){.name = sql_fmt(b->a, "col%zu", i + 1), .type = t, .nullable = nullable};
    }
    *ret = q;
    return NULL;
}

/* ---- WITH ---- */

static bool mentions(const struct ast *n, str name) {
    if (!n) return false;
    if (n->kind == AST_FROM_TABLE) {
        const struct ast *t = ast_get(n, SLOT_NAME);
        if (t && t->kind == AST_NAME && t->n == 1 && str_ieq(t->child[0]->text, name)) return true;
    }
    const struct ast *with = n->kind == AST_QUERY ? ast_get(n, SLOT_WITH) : NULL;
    for (uint32_t i = 0; with && i < with->n; i++) /* another of this name */
        if (str_ieq(with->child[i]->text, name)) return !ast_has(n, AST_F_RECURSIVE) && mentions(ast_get(with->child[i], SLOT_QUERY), name);
    for (uint32_t i = 0; i < n->n; i++)
        if (mentions(n->child[i], name)) return true;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (mentions(n->slot[i].node, name)) return true;
    return false;
}

static err *name_columns(struct binder *b, struct cte *c, const struct ast *at) {
    const struct ast *names = ast_get(at, SLOT_NAMES);
    c->n = c->query->n;
    c->cols = arena_array_of(b->a, struct rcol, c->n + 1);
    for (size_t i = 0; i < c->n; i++) {
        c->cols[i] = c->query->cols[i];
        c->cols[i].used = false;
    }
    if (!names) return NULL;
    if (names->n != c->n)
        return sql_error("ASSIGNMENT_ARITY_MISMATCH", at, b->text, "numExpr", arena_printf(b->a, "%u", names->n), "numTarget", arena_printf(b->a, "%zu", c->n), NULL);
    for (size_t i = 0; i < c->n; i++) c->cols[i].name = names->child[i]->text;
    return NULL;
}

/* MAX RECURSION LEVEL n, else the setting, else Spark's default. */
static int64_t level_limit(struct binder *b, const struct ast *at) {
    const struct ast *n = ast_get(at, SLOT_MAXDEPTH);
    str text = n ? n->text : STR_NONE;
    int64_t v;
    if (!text.n && !(b->env->setting && b->env->setting(b->env, STR("spark.sql.cteRecursionLevelLimit"), &text))) return 100;
    return str_to_i64(text, &v) ? v : 100;
}

/* How many rows a recursive query may make in all; without a limit: more than there can be. */
static int64_t row_limit(struct binder *b) {
    str text;
    int64_t v;
    if (!b->env->setting || !b->env->setting(b->env, STR("spark.sql.cteRecursionRowLimit"), &text) || !str_to_i64(text, &v)) return 1000000;
    return v < 0 ? INT64_MAX : v;
}

/* Is there an aggregate or a window in it, outside of queries in it? */
static bool aggregates(const struct ast *n) {
    if (!n || n->kind == AST_QUERY) return false;
    if (n->kind == AST_CALL) {
        const struct ast *name = ast_get(n, SLOT_NAME);
        size_t rows = 0;
        const struct sql_func *f = name && name->kind == AST_NAME && name->n ? sql_func_find(name->child[name->n - 1]->text, &rows) : NULL;
        if (ast_get(n, SLOT_OVER) || (f && f->kind == FN_AGGREGATE)) return true;
    }
    for (uint32_t i = 0; i < n->n; i++)
        if (aggregates(n->child[i])) return true;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (aggregates(n->slot[i].node)) return true;
    return false;
}

/* Does the name stand where no recursion may: on a side of a join that may be filled up with NULL or is only asked for, under aggregates,
 * windows, GROUP BY, ORDER BY? */
static bool misplaced(const struct ast *n, str name) {
    if (!n || !mentions(n, name)) return false;
    if (n->kind == AST_JOIN) {
        bool left = mentions(n->child[0], name), right = mentions(n->child[1], name);
        if (str_eqz(n->text, "full") || (right && (str_eqz(n->text, "left") || str_eqz(n->text, "semi") || str_eqz(n->text, "anti")))) return true;
        if (left && str_eqz(n->text, "right")) return true;
    }
    if (n->kind == AST_SELECT && mentions(ast_get(n, SLOT_FROM), name) && (ast_get(n, SLOT_GROUP) || aggregates(ast_get(n, SLOT_ITEMS)))) return true;
    if (n->kind == AST_QUERY && ast_get(n, SLOT_ORDER)) return true;
    for (uint32_t i = 0; i < n->n; i++)
        if (misplaced(n->child[i], name)) return true;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (misplaced(n->slot[i].node, name)) return true;
    return false;
}

/* The anchor and the step of a recursive query: its body is a union of both. */
static err *bind_recursive(struct binder *b, const struct ast *at, struct cte *c, struct scope *outer) {
    const struct ast *q = ast_get(at, SLOT_QUERY), *body = ast_get(q, SLOT_BODY);
    while (body && body->kind == AST_QUERY && !ast_get(body, SLOT_WITH)) body = ast_get(body, SLOT_BODY);
    const struct ast *with = ast_get(q, SLOT_WITH);
    bool invalid = !body || body->kind != AST_SETOP || !str_eqz(body->text, "union") || mentions(body->child[0], c->name) || (with && mentions(with, c->name));
    invalid |= ast_get(q, SLOT_ORDER) || ast_get(q, SLOT_LIMIT) || ast_get(q, SLOT_OFFSET);
    if (invalid) return sql_error("INVALID_RECURSIVE_CTE", at, b->text, NULL);
    if (!ast_has(body, AST_F_ALL)) return sql_error("UNION_NOT_SUPPORTED_IN_RECURSIVE_CTE", at, b->text, NULL);
    if (misplaced(body->child[1], c->name)) return sql_error("INVALID_RECURSIVE_REFERENCE.PLACE", at, b->text, NULL);
    struct ast *left = ast_new(b->a, AST_QUERY, body->pos, body->end), *right = ast_new(b->a, AST_QUERY, body->pos, body->end);
    ast_set(b->a, left, SLOT_BODY, body->child[0]);
    ast_set(b->a, right, SLOT_BODY, body->child[1]);
    for (int i = 0; with && i < 2; i++) {
        ast_set(b->a, i ? right : left, SLOT_WITH, (struct ast *)(uintptr_t)with);
        (i ? right : left)->flags |= q->flags & AST_F_RECURSIVE;
    }
    TRY(bind_query(b, left, outer, &c->query));
    TRY(name_columns(b, c, at));
    for (size_t i = 0; i < c->n; i++) c->cols[i].nullable = true;
    c->recursive = true;
    c->all = ast_has(body, AST_F_ALL);
    c->max_level = level_limit(b, at);
    c->max_rows = row_limit(b);
    struct cte *before = b->ctes;
    c->next = before;
    b->ctes = c;
    err *e = bind_query(b, right, outer, &c->step);
    b->ctes = before;
    if (e) return e;
    if (c->step->n != c->n)
        return sql_error("NUM_COLUMNS_MISMATCH", at, b->text, "operator", "UNION", "firstNumColumns", arena_printf(b->a, "%zu", c->n), "invalidOrdinalNum",
                         "second", "invalidNumColumns", arena_printf(b->a, "%zu", c->step->n), NULL);
    const struct sql_type **types = arena_array_of(b->a, const struct sql_type *, c->n + 1);
    for (size_t i = 0; i < c->n; i++) {
        types[i] = c->cols[i].type;
        const struct sql_type *t = c->step->cols[i].type;
        const struct sql_type *common = sql_common_type(b->a, types[i], t);
        if (t->kind != TY_VOID && !sql_type_same_physical(t, types[i]) && (!common || !sql_type_same_physical(common, types[i])))
            return sql_error("CANNOT_MERGE_INCOMPATIBLE_DATA_TYPE", at, b->text, "left", type_name(b, types[i]).p, "right", type_name(b, t).p, NULL);
    }
    c->step = bq_retype(b, c->step, types);
    return NULL;
}

static err *bind_with(struct binder *b, const struct ast *q, struct scope *outer, struct cte ***ret, bool *recursive) {
    const struct ast *with = ast_get(q, SLOT_WITH);
    struct cte **list = arena_array_of(b->a, struct cte *, with->n + 1);
    for (uint32_t i = 0; i < with->n; i++) {
        const struct ast *at = with->child[i];
        struct cte *c = arena_new_of(b->a, struct cte);
        for (uint32_t k = 0; k < i; k++)
            if (str_ieq(list[k]->name, at->text))
                return sql_error("DUPLICATED_CTE_NAMES", at, b->text, "duplicateNames", arena_printf(b->a, "`%.*s`", STR_ARG(at->text)), NULL);
        c->id = b->next_id++;
        c->name = at->text;
        c->ast = at;
        const struct ast *body = ast_get(at, SLOT_QUERY);
        if (ast_has(q, AST_F_RECURSIVE) && mentions(body, c->name)) {
            TRY(bind_recursive(b, at, c, outer));
            *recursive = true;
        } else {
            TRY(bind_query(b, body, outer, &c->query));
            TRY(name_columns(b, c, at));
        }
        list[i] = c;
        c->next = b->ctes;
        b->ctes = c;
    }
    *ret = list;
    return NULL;
}

/* ---- ORDER BY and LIMIT ---- */

err *bind_limit(struct binder *b, const struct ast *n, const char *name, struct bx **ret) {
    struct scope s = {.level = 0};
    struct cx c = {.b = b, .s = &s, .no_agg = true, .no_win = true, .clause = name};
    struct bx *x;
    int64_t v;
    err *e = bind_expr(&c, n, &x);
    if (e) {
        str cls = sql_error_class(e, b->a);
        if (!str_starts(cls, STR("UNRESOLVED_COLUMN"))) return e;
        err_free(e);
        return sql_error("INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE", n, b->text, "name", name, "expr", "\"…\"", NULL);
    }
    if (!bx_is_foldable(x))
        return sql_error("INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE", n, b->text, "name", name, "expr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), NULL);
    if (!sql_is_integral(x->type))
        return sql_error("INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE", n, b->text, "name", name, "expr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))),
                         "dataType", type_name(b, x->type).p, NULL);
    if (x->kind == BX_LIT && !x->text.p)
        return sql_error("INVALID_LIMIT_LIKE_EXPRESSION.IS_NULL", n, b->text, "name", name, "expr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), NULL);
    if (x->kind == BX_LIT && str_to_i64(x->text, &v) && v < 0)
        return sql_error("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", n, b->text, "name", name, "expr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), "v",
                         arena_printf(b->a, "%lld", (long long)v), NULL);
    *ret = x->kind == BX_LIT ? x : bx_cast(b, x, sql_type_of(TY_BIGINT));
    return NULL;
}

err *bind_limits(struct binder *b, const struct ast *q, struct bq *to) {
    const struct ast *limit = ast_get(q, SLOT_LIMIT), *offset = ast_get(q, SLOT_OFFSET);
    if (limit) TRY(bind_limit(b, limit, "limit", &to->limit));
    if (offset) TRY(bind_limit(b, offset, "offset", &to->offset));
    return NULL;
}

const struct ast *order_of(const struct ast *q) {
    const struct ast *o = ast_get(q, SLOT_ORDER);
    if (!o) o = ast_get(q, SLOT_SORTBY);
    if (!o) o = ast_get(q, SLOT_CLUSTERBY);
    return o;
}

/* Above a set operation, VALUES or a query in parentheses, only output columns can be named. */
static err *order_above(struct binder *b, const struct ast *q, struct bq **body, struct scope *outer) {
    const struct ast *order = order_of(q);
    if (!order && !ast_get(q, SLOT_LIMIT) && !ast_get(q, SLOT_OFFSET)) return NULL;
    struct rel *r;
    struct bq *w = bq_wrap(b, *body, &r);
    struct scope s = {.outer = outer, .level = w->level};
    scope_add_rel(b, &s, r, STR_NONE, STR_NONE, STR_NONE);
    struct cx c = {.b = b, .s = &s, .clause = "ORDER BY"};
    if (order) TRY(bind_order(&c, order, w));
    TRY(bind_limits(b, q, w));
    *body = w;
    return NULL;
}

static err *bind_body(struct binder *b, const struct ast *q, struct scope *outer, struct bq **ret) {
    const struct ast *body = ast_get(q, SLOT_BODY);
    struct bq *l, *r;
    switch (body ? body->kind : AST_KIND_COUNT) {
    case AST_SELECT: return bind_select(b, body, q, outer, ret);
    case AST_QUERY:
        TRY(bind_query(b, body, outer, ret));
        break;
    case AST_SETOP: {
        struct ast *lq = ast_new(b->a, AST_QUERY, body->pos, body->end), *rq = ast_new(b->a, AST_QUERY, body->pos, body->end);
        ast_set(b->a, lq, SLOT_BODY, body->child[0]);
        ast_set(b->a, rq, SLOT_BODY, body->child[1]);
        TRY(bind_query(b, body->child[0]->kind == AST_QUERY ? body->child[0] : lq, outer, &l));
        TRY(bind_query(b, body->child[1]->kind == AST_QUERY ? body->child[1] : rq, outer, &r));
        TRY(bind_setop(b, body, l, r, ret));
        break;
    }
    case AST_VALUES: {
        const struct ast *names = ast_get(body, SLOT_NAMES), *alias = ast_get(body, SLOT_ALIAS);
        TRY(bind_values(b, body, outer, ret));
        str *qual = alias ? arena_array_of(b->a, str, 3) : NULL;
        if (qual) qual[0] = alias->text;
        for (size_t i = 0; i < (*ret)->n; i++) {
            if (names && i < names->n) (*ret)->cols[i].name = names->child[i]->text;
            (*ret)->cols[i].qual = qual;
        }
        break;
    }
    case AST_PIPE: TRY(bind_pipe(b, body, outer, ret)); break;
    case AST_TABLE: {
        struct ast *f = ast_new(b->a, AST_FROM_TABLE, body->pos, body->end);
        ast_set(b->a, f, SLOT_NAME, ast_get(body, SLOT_NAME));
        struct ast *list = ast_new(b->a, AST_LIST, body->pos, body->end), *star = ast_new(b->a, AST_LIST, body->pos, body->end);
        ast_add(b->a, list, f);
        ast_add(b->a, star, ast_new(b->a, AST_STAR, body->pos, body->end));
        struct ast *s = ast_new(b->a, AST_SELECT, body->pos, body->end);
        ast_set(b->a, s, SLOT_ITEMS, star);
        ast_set(b->a, s, SLOT_FROM, list);
        return bind_select(b, s, q, outer, ret);
    }
    default: return unsupported(b, q, "this kind of query");
    }
    return order_above(b, q, ret, outer);
}

err *bind_query(struct binder *b, const struct ast *q, struct scope *outer, struct bq **ret) {
    struct cte *before = b->ctes, **list = NULL;
    const struct ast *with = ast_get(q, SLOT_WITH);
    bool recursive = false;
    err *e = NULL;
    if (q->kind != AST_QUERY) {
        struct ast *w = ast_new(b->a, AST_QUERY, q->pos, q->end);
        ast_set(b->a, w, SLOT_BODY, (struct ast *)(uintptr_t)q);
        q = w;
    }
    if (b->next_level > MOST_BLOCKS) return bind_too_large(b, q);
    if (++b->nesting > 3 * SQL_MAX_DEPTH) {
        b->nesting = 0;
        return unsupported(b, q, "queries nested this deep");
    }
    if (with) e = bind_with(b, q, outer, &list, &recursive);
    if (!e) e = bind_body(b, q, outer, ret);
    b->ctes = before;
    b->nesting--;
    if (!e && with) {
        struct bq *o = *ret;
        if (o->n_ctes) o = bq_wrap(b, o, NULL);
        o->ctes = list;
        o->n_ctes = with->n;
        o->ctes_recursive = recursive;
        *ret = o;
    }
    return e;
}
