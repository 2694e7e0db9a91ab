/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows of time that a row alone does not say: those that overlap (a row is in several) and sessions (a row's window
 * depends on its neighbours). GROUP BY of one becomes a query over a query that has the windows as a column:
 *
 *   window(t, len, slide)     FROM (SELECT *, window(…) AS window FROM …), where the call in the list yields rows
 *   session_window(t, gap)    FROM (SELECT *, {start, end} AS session_window FROM …): rows in order of time, a new session
 *                             where a row begins behind the end of all before it
 * A FROM of one item keeps its name; of several the columns' own names remain.
 */
#include "sql/bind.h"

/* What stands for a part of the statement in a text of ours: `__name`, a column. */
struct part { const char *name; const struct ast *node; };
struct graft { arena *a; const struct part *parts; size_t n; uint32_t pos, end; };

static const struct ast *part_of(const struct graft *g, const struct ast *n) {
    const struct ast *name = n->kind == AST_COLUMN && n->n == 1 ? n->child[0] : n->kind == AST_FROM_TABLE ? ast_get(n, SLOT_NAME) : NULL;
    if (!name || name->kind != AST_NAME || name->n != 1) return NULL;
    for (size_t i = 0; i < g->n; i++)
        if (str_eqz(name->child[0]->text, g->parts[i].name)) return g->parts[i].node;
    return NULL;
}

/* Puts the parts where they belong; all other nodes point at the call that the text stands for. */
static struct ast *grafted(const struct graft *g, struct ast *n) {
    if (!n) return NULL;
    const struct ast *part = part_of(g, n);
    if (part) return (struct ast *)(uintptr_t)part;
    n->pos = g->pos;
    n->end = g->end;
    for (uint32_t i = 0; i < n->n; i++) n->child[i] = grafted(g, n->child[i]);
    for (uint32_t i = 0; i < n->n_slots; i++) n->slot[i].node = grafted(g, n->slot[i].node);
    return n;
}

static bool named(const struct ast *n, const char *name) {
    const struct ast *w = n && n->kind == AST_CALL ? ast_get(n, SLOT_NAME) : NULL;
    return w && w->kind == AST_NAME && w->n == 1 && str_ieq(w->child[0]->text, str_of(name));
}

/* A gap as written: texts are intervals, also those that a CASE chooses from. */
static struct ast *gap_of(arena *a, const struct ast *n) {
    if (n->kind == AST_LIT_STRING) {
        struct ast *i = ast_new(a, AST_INTERVAL, n->pos, n->end);
        ast_add(a, i, (struct ast *)(uintptr_t)n);
        return i;
    }
    if (n->kind != AST_CASE) return (struct ast *)(uintptr_t)n;
    struct ast *c = ast_new(a, AST_CASE, n->pos, n->end);
    c->op = n->op;
    c->flags = n->flags;
    ast_set(a, c, SLOT_EXPR, ast_get(n, SLOT_EXPR));
    for (uint32_t i = 0; i < n->n; i++) ast_add(a, c, i & 1 ? gap_of(a, n->child[i]) : n->child[i]);
    const struct ast *other = ast_get(n, SLOT_ELSE);
    if (other) ast_set(a, c, SLOT_ELSE, gap_of(a, other));
    return c;
}

static err *wrong_arity(struct binder *b, const struct ast *n, const char *name) {
    return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", n, b->text, "functionName", name, "expectedNum", "2", "actualNum", arena_printf(b->a, "%u", n->n), "docroot",
                     "https://spark.apache.org/docs/latest", NULL);
}

err *bind_session_window(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct ast *e;
    if (n->n != 2) return wrong_arity(b, n, "`session_window`");
    struct part parts[] = {{"__time", n->child[0]}, {"__gap", gap_of(b->a, n->child[1])}};
    struct graft g = {b->a, parts, ARRAY_LEN(parts), n->pos, n->end};
    TRY(sql_parse_expr(b->a, STR("named_struct('start', CAST(`__time` AS TIMESTAMP), 'end', CAST(`__time` AS TIMESTAMP) + `__gap`)"), &e));
    TRY(bind_expr(c, grafted(&g, e), ret));
    (*ret)->cap = STR("session_window");
    return NULL;
}

/* The tree with every call of the window's name as a column of that name. */
static struct ast *with_column(arena *a, const struct ast *n, const char *name) {
    if (!n || n->kind == AST_SUBQUERY || n->kind == AST_EXISTS) return (struct ast *)(uintptr_t)n;
    if (named(n, name)) {
        str part = str_of(name);
        struct ast *c = ast_column(a, &part, 1);
        c->pos = c->child[0]->pos = n->pos;
        c->end = c->child[0]->end = n->end;
        return c;
    }
    struct ast *copy = arena_new_of(a, struct ast);
    *copy = *n;
    copy->child = n->n ? arena_array_of(a, struct ast *, n->n * 2) : NULL;
    copy->slot = n->n_slots ? arena_array_of(a, struct ast_place, n->n_slots * 2) : NULL;
    for (uint32_t i = 0; i < n->n; i++) copy->child[i] = with_column(a, n->child[i], name);
    for (uint32_t i = 0; i < n->n_slots; i++) copy->slot[i] = (struct ast_place){n->slot[i].slot, with_column(a, n->slot[i].node, name)};
    return copy;
}

static const struct ast *alias_of(const struct ast *from) {
    if (!from || from->n != 1) return NULL;
    const struct ast *item = from->child[0], *alias = ast_get(item, SLOT_ALIAS), *name = ast_get(item, SLOT_NAME);
    if (alias) return alias;
    return item->kind == AST_FROM_TABLE && name && name->kind == AST_NAME && name->n ? name->child[name->n - 1] : NULL;
}

/* The innermost block takes FROM, LATERAL VIEWs and WHERE of the statement's. */
static void take_from(arena *a, struct ast *query, const struct ast *n) {
    struct ast *s = query;
    while (s && s->kind != AST_SELECT) s = ast_get(s, SLOT_BODY) ? ast_get(s, SLOT_BODY) : s->n ? s->child[0] : NULL;
    for (struct ast *from = ast_get(s, SLOT_FROM); from && from->n == 1 && from->child[0]->kind == AST_FROM_QUERY; from = ast_get(s, SLOT_FROM)) {
        struct ast *q = ast_get(from->child[0], SLOT_QUERY);
        while (q && q->kind != AST_SELECT) q = ast_get(q, SLOT_BODY) ? ast_get(q, SLOT_BODY) : q->n ? q->child[0] : NULL;
        if (!q) break;
        s = q;
    }
    must(s);
    ast_set(a, s, SLOT_FROM, ast_get(n, SLOT_FROM));
    ast_set(a, s, SLOT_VIEWS, ast_get(n, SLOT_VIEWS));
    ast_set(a, s, SLOT_WHERE, ast_get(n, SLOT_WHERE));
}

static const char overlapping[] = "SELECT *, `__call` AS `window` FROM `__from`";

/* %1: EXCEPT of the keys, %2: keys by comma (each followed by one), %3: the keys as columns. */
static void session_text(size_t keys, buf *out) {
    buf part = {0}, cols = {0}, gone = {0};
    for (size_t i = 0; i < keys; i++) {
        buf_fmt(&part, "`__k%zu`, ", i);
        buf_fmt(&cols, ", `__key%zu` AS `__k%zu`", i, i);
        buf_fmt(&gone, ", `__k%zu`", i);
    }
    buf_fmt(out,
            "SELECT * EXCEPT (`__s`, `__e`, `__n`, `__i`%.*s), named_struct('start', min(`__s`) OVER (PARTITION BY %.*s`__i`), 'end', max(`__e`) OVER (PARTITION BY %.*s`__i`)) "
            "AS `session_window` FROM (SELECT *, sum(`__n`) OVER (PARTITION BY %.*s1 ORDER BY `__s` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `__i` FROM "
            "(SELECT *, CASE WHEN `__s` <= max(`__e`) OVER (PARTITION BY %.*s1 ORDER BY `__s` ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 0 ELSE 1 END AS `__n` FROM "
            "(SELECT * FROM (SELECT *, CAST(`__time` AS TIMESTAMP) AS `__s`, CAST(`__time` AS TIMESTAMP) + `__gap` AS `__e`%.*s FROM `__from`) WHERE `__e` > `__s`)))",
            STR_ARG(buf_view(&gone)), STR_ARG(buf_view(&part)), STR_ARG(buf_view(&part)), STR_ARG(buf_view(&part)), STR_ARG(buf_view(&part)), STR_ARG(buf_view(&cols)));
    buf_free(&part);
    buf_free(&cols);
    buf_free(&gone);
}

/* A key that is the place or the name of an item of the list: what that item is. */
static const struct ast *key_of(const struct ast *n, const struct ast *key) {
    const struct ast *items = ast_get(n, SLOT_ITEMS);
    int64_t at;
    if (key->kind == AST_LIT_NUMBER && str_to_i64(key->text, &at) && items && at >= 1 && at <= items->n) key = items->child[at - 1];
    return key->kind == AST_ALIAS && key->n ? key->child[0] : key;
}

/* The same, or what the item of that alias is. */
static const struct ast *window_of(const struct ast *n, const struct ast *key) {
    const struct ast *items = ast_get(n, SLOT_ITEMS), *x = key_of(n, key);
    const struct ast *name = x->kind == AST_COLUMN && x->n == 1 && x->child[0]->kind == AST_NAME && x->child[0]->n == 1 ? x->child[0]->child[0] : NULL;
    if (!name) return x;
    for (uint32_t i = 0; items && i < items->n; i++) {
        const struct ast *item = items->child[i];
        if (item->kind == AST_ALIAS && item->n && item->text.n && str_ieq(item->text, name->text)) return item->child[0];
    }
    return x;
}

err *bind_time_windows(struct binder *b, const struct ast *n, const struct ast **ret) {
    const struct ast *group = ast_get(n, SLOT_GROUP), *call = NULL;
    uint32_t chosen = 0;
    bool session = false;
    *ret = n;
    for (uint32_t i = 0; group && i < group->n && !call; i++) {
        const struct ast *key = window_of(n, group->child[i]);
        session = named(key, "session_window");
        if (session || (named(key, "window") && key->n > 2)) {
            call = key;
            chosen = i;
        }
    }
    if (!call || !ast_get(n, SLOT_FROM)) return NULL;
    if (session && call->n != 2) return wrong_arity(b, call, "`session_window`");
    const char *name = session ? "session_window" : "window";
    struct part *parts = arena_array_of(b->a, struct part, group->n + 4);
    size_t np = 0, keys = 0;
    if (session) {
        parts[np++] = (struct part){"__time", call->child[0]};
        parts[np++] = (struct part){"__gap", gap_of(b->a, call->child[1])};
        for (uint32_t i = 0; i < group->n; i++)
            if (i != chosen) parts[np++] = (struct part){arena_printf(b->a, "__key%zu", keys++), key_of(n, group->child[i])};
    } else {
        parts[np++] = (struct part){"__call", call};
    }
    buf *text = sql_buf(b->a);
    if (session) session_text(keys, text);
    else buf_z(text, overlapping);
    struct ast *query;
    TRY(sql_parse_query(b->a, sql_keep(b->a, text), &query));
    struct graft g = {b->a, parts, np, call->pos, call->end};
    take_from(b->a, query, n);
    /* Only what is ours is grafted: the statement's own FROM came in just now and has none of our names. */
    query = grafted(&g, query);
    struct ast *from = ast_new(b->a, AST_LIST, call->pos, call->end), *item = ast_new(b->a, AST_FROM_QUERY, call->pos, call->end);
    ast_set(b->a, item, SLOT_QUERY, query);
    ast_set(b->a, item, SLOT_ALIAS, (struct ast *)(uintptr_t)alias_of(ast_get(n, SLOT_FROM)));
    ast_add(b->a, from, item);
    struct ast *out = ast_new(b->a, AST_SELECT, n->pos, n->end);
    out->op = n->op;
    out->flags = n->flags;
    out->text = n->text;
    for (uint32_t i = 0; i < n->n_slots; i++) {
        enum ast_slot slot = (enum ast_slot)n->slot[i].slot;
        if (slot == SLOT_FROM || slot == SLOT_WHERE || slot == SLOT_VIEWS) continue;
        ast_set(b->a, out, slot, with_column(b->a, n->slot[i].node, name));
    }
    ast_set(b->a, out, SLOT_FROM, from);
    *ret = out;
    return NULL;
}
