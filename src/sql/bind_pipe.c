/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipe syntax: FROM t |> WHERE … |> SELECT …. Each operator becomes a SELECT over the query so far, as a tree; what has
 * gone before is a FROM_QUERY, so the binder of selects does the rest.
 */
#include "sql/bind.h"

static struct ast *node(struct binder *b, enum ast_kind kind, const struct ast *at) { return ast_new(b->a, kind, at->pos, at->end); }

static struct ast *list_of(struct binder *b, const struct ast *at, struct ast *x) {
    struct ast *l = node(b, AST_LIST, at);
    ast_add(b->a, l, x);
    return l;
}

static struct ast *query_of(struct binder *b, struct ast *body) {
    if (body->kind == AST_QUERY) return body;
    struct ast *q = node(b, AST_QUERY, body);
    ast_set(b->a, q, SLOT_BODY, body);
    return q;
}

static struct ast *from_query(struct binder *b, struct ast *q, struct ast *alias) {
    struct ast *f = node(b, AST_FROM_QUERY, q);
    ast_set(b->a, f, SLOT_QUERY, query_of(b, q));
    f->op = 'p';
    if (alias) ast_set(b->a, f, SLOT_ALIAS, alias);
    return f;
}

/* SELECT items FROM (so far). */
static struct ast *select_from(struct binder *b, const struct ast *op, struct ast *from, struct ast *items) {
    struct ast *s = node(b, AST_SELECT, op);
    if (!items) items = list_of(b, op, node(b, AST_STAR, op));
    ast_set(b->a, s, SLOT_ITEMS, items);
    ast_set(b->a, s, SLOT_FROM, from->kind == AST_LIST ? from : list_of(b, op, from));
    return s;
}

/* The FROM list of SELECT * FROM …, when that is all: the first operator reads it directly, hidden columns and all. */
static struct ast *bare_from(const struct ast *q) {
    while (q->kind == AST_QUERY && q->n_slots == 1) q = ast_get(q, SLOT_BODY);
    const struct ast *items = q->kind == AST_SELECT ? ast_get(q, SLOT_ITEMS) : NULL;
    if (!items || items->n != 1 || items->child[0]->kind != AST_STAR || items->child[0]->n_slots || q->n_slots != 2 || q->flags) return NULL;
    return ast_get(q, SLOT_FROM);
}

static struct ast *children(struct binder *b, const struct ast *op) {
    struct ast *l = ast_get(op, SLOT_ITEMS);
    if (l) return l;
    l = node(b, AST_LIST, op);
    for (uint32_t i = 0; i < op->n; i++) ast_add(b->a, l, op->child[i]);
    return l;
}

static struct ast *star_but(struct binder *b, const struct ast *op, struct ast *except, struct ast *replace) {
    struct ast *star = node(b, AST_STAR, op);
    if (except) ast_set(b->a, star, SLOT_EXCEPT, except);
    if (replace) ast_set(b->a, star, SLOT_REPLACE, replace);
    return star;
}

static struct ast *names_of(struct binder *b, const struct ast *items) {
    struct ast *l = node(b, AST_LIST, items);
    for (uint32_t i = 0; i < items->n; i++) {
        struct ast *x = items->child[i];
        if (x->kind == AST_COLUMN) x = x->child[0];
        if (x->kind == AST_IDENT) x = ast_name(b->a, &x->text, 1);
        ast_add(b->a, l, x);
    }
    return l;
}

static struct ast *aggregate(struct binder *b, const struct ast *op, struct ast *from) {
    struct ast *group = ast_get(op, SLOT_GROUP), *aggs = children(b, op), *items = node(b, AST_LIST, op), *keys = node(b, AST_GROUP, op);
    for (uint32_t i = 0; group && i < group->n; i++) {
        struct ast *g = group->child[i];
        ast_add(b->a, items, g);
        ast_add(b->a, keys, g->kind == AST_ALIAS ? g->child[0] : g);
    }
    for (uint32_t i = 0; i < aggs->n; i++) ast_add(b->a, items, aggs->child[i]);
    struct ast *s = select_from(b, op, from, items);
    if (group) ast_set(b->a, s, SLOT_GROUP, keys);
    return s;
}

static err *set_operator(struct binder *b, const struct ast *op, struct ast *so_far, struct ast **ret) {
    struct ast *n = node(b, AST_SETOP, op);
    struct ast *right = ast_get(op, SLOT_QUERY);
    n->text = op->text;
    n->flags = op->flags;
    ast_add(b->a, n, query_of(b, so_far));
    if (!right && op->n) right = op->child[op->n - 1];
    if (!right) return unsupported(b, op, "this pipe operator");
    ast_add(b->a, n, query_of(b, right));
    *ret = n;
    return NULL;
}

/* |> SET a = …, b = …: one after the other, each sees those before it. */
static struct ast *assign(struct binder *b, const struct ast *op, struct ast *from) {
    const struct ast *sets = children(b, op);
    struct ast *s = NULL;
    for (uint32_t i = 0; i < sets->n; i++) {
        struct ast *a = sets->child[i];
        if (a->kind == AST_ASSIGN) {
            struct ast *al = node(b, AST_ALIAS, a);
            const struct ast *name = a->child[0]->kind == AST_COLUMN ? a->child[0]->child[0] : a->child[0];
            al->text = name->kind == AST_NAME ? name->child[name->n - 1]->text : name->text;
            ast_add(b->a, al, a->child[1]);
            a = al;
        }
        s = select_from(b, op, from, list_of(b, op, star_but(b, op, NULL, list_of(b, op, a))));
        if (i + 1 < sets->n) from = from_query(b, s, NULL);
    }
    return s;
}

/* PIVOT and UNPIVOT were parsed over an empty FROM. */
static struct ast *turned(struct binder *b, const struct ast *op, struct ast *from) {
    const struct ast *src = ast_get(op, SLOT_FROM);
    struct ast *p = node(b, (enum ast_kind)src->kind, op);
    p->flags = src->flags;
    p->slot = src->slot;
    p->n_slots = src->n_slots;
    ast_add(b->a, p, from);
    return p;
}

static err *apply(struct binder *b, const struct ast *op, struct ast *so_far, struct ast *alias, struct ast **ret) {
    struct ast *list = alias ? NULL : bare_from(so_far), *from = list ? list : from_query(b, so_far, alias), *s, *q, *x;
    str t = op->text;
    if (list && (str_eqz(t, "join") || str_eqz(t, "pivot") || str_eqz(t, "unpivot") || str_eqz(t, "tablesample"))) {
        if (list->n == 1 && !str_eqz(t, "tablesample"))
            from = list->child[0];
        else
            from = from_query(b, so_far, alias);
    }
    if (str_eqz(t, "select")) {
        s = select_from(b, op, from, children(b, op));
        if (ast_has(op, AST_F_DISTINCT)) s->flags |= AST_F_DISTINCT;
        s->text = STR("SELECT");
        if ((x = ast_get(op, SLOT_GROUP))) ast_set(b->a, s, SLOT_GROUP, x);
        if ((x = ast_get(op, SLOT_WINDOWS))) ast_set(b->a, s, SLOT_WINDOWS, x);
    } else if (str_eqz(t, "extend")) {
        struct ast *items = list_of(b, op, node(b, AST_STAR, op)), *more = children(b, op);
        for (uint32_t i = 0; i < more->n; i++) ast_add(b->a, items, more->child[i]);
        s = select_from(b, op, from, items);
        s->text = STR("EXTEND");
    } else if (str_eqz(t, "set")) {
        s = assign(b, op, from);
        s->text = STR("SET");
    } else if (str_eqz(t, "drop")) {
        s = select_from(b, op, from, list_of(b, op, star_but(b, op, names_of(b, children(b, op)), NULL)));
    } else if (str_eqz(t, "where")) {
        s = select_from(b, op, from, NULL);
        ast_set(b->a, s, SLOT_WHERE, ast_get(op, SLOT_WHERE) ? ast_get(op, SLOT_WHERE) : op->child[0]);
    } else if (str_eqz(t, "aggregate")) {
        s = aggregate(b, op, from);
    } else if (str_eqz(t, "join")) {
        struct ast *j = ast_get(op, SLOT_FROM) ? ast_get(op, SLOT_FROM) : op->child[0], *copy = arena_new_of(b->a, struct ast);
        *copy = *j;
        copy->child = arena_array_of(b->a, struct ast *, 2);
        copy->child[0] = from;
        copy->child[1] = j->child[j->n - 1];
        copy->n = 2;
        s = select_from(b, op, copy, NULL);
    } else if (str_eqz(t, "order") || str_eqz(t, "limit") || str_eqz(t, "sort") || str_eqz(t, "distribute") || str_eqz(t, "cluster") || str_eqz(t, "offset")) {
        q = query_of(b, select_from(b, op, from, NULL));
        static const enum ast_slot keep[] = {SLOT_ORDER, SLOT_SORTBY, SLOT_CLUSTERBY, SLOT_LIMIT, SLOT_OFFSET};
        for (size_t i = 0; i < ARRAY_LEN(keep); i++)
            if ((x = ast_get(op, keep[i]))) ast_set(b->a, q, keep[i], x);
        *ret = q;
        return NULL;
    } else if (str_eqz(t, "pivot") || str_eqz(t, "unpivot") || str_eqz(t, "tablesample")) {
        if (str_eqz(t, "tablesample")) {
            ast_set(b->a, from, SLOT_SAMPLE, ast_get(op, SLOT_SAMPLE));
            s = select_from(b, op, from, NULL);
        } else {
            s = select_from(b, op, turned(b, op, from), NULL);
        }
    } else if (str_eqz(t, "lateral")) {
        s = select_from(b, op, from, NULL);
        ast_set(b->a, s, SLOT_VIEWS, ast_get(op, SLOT_VIEWS));
    } else {
        return set_operator(b, op, so_far, ret);
    }
    *ret = s;
    return NULL;
}

err *bind_pipe(struct binder *b, const struct ast *n, struct scope *outer, struct bq **ret) {
    struct ast *q = n->child[0], *alias = NULL;
    if (q->kind == AST_TABLE) {
        struct ast *t = node(b, AST_FROM_TABLE, q);
        ast_set(b->a, t, SLOT_NAME, ast_get(q, SLOT_NAME));
        q = select_from(b, q, t, NULL);
    }
    if (q->kind != AST_QUERY && q->kind != AST_SELECT && q->kind != AST_SETOP && q->kind != AST_VALUES && q->kind != AST_TABLE && q->kind != AST_PIPE) {
        struct ast *s = node(b, AST_SELECT, q);
        ast_set(b->a, s, SLOT_ITEMS, list_of(b, q, node(b, AST_STAR, q)));
        ast_set(b->a, s, SLOT_FROM, q->kind == AST_LIST ? q : list_of(b, q, q));
        if (q->kind != AST_LIST && ast_get(q, SLOT_ALIAS)) alias = ast_get(q, SLOT_ALIAS);
        q = s;
    }
    for (uint32_t i = 1; i < n->n; i++) {
        const struct ast *op = n->child[i];
        if (str_eqz(op->text, "as")) {
            alias = ast_get(op, SLOT_ALIAS);
            continue;
        }
        TRY(apply(b, op, q, alias, &q));
        alias = NULL;
    }
    return bind_query(b, query_of(b, q), outer, ret);
}
