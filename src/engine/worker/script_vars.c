/* SPDX-License-Identifier: Apache-2.0 */
/* What a script's scopes hold: variables, queries whose rows are taken one by one, cursors. */
#include <stdlib.h>

#include "engine/worker/script.h"
#include "sql/error.h"

/* ---- variables ---- */

static void free_variable(struct session_variable *v) {
    free(v->name);
    free(v->type);
    free(v->duckdb);
    free(v->initial);
}

void script_frame_free(struct script *sc, struct script_frame *f) {
    for (size_t i = 0; i < f->vars.n; i++) free_variable(&f->vars.p[i]);
    vec_free(&f->vars);
    while (f->cursors) {
        struct script_cursor *c = f->cursors;
        f->cursors = c->next;
        script_query_close(sc, &c->q);
        free(c);
    }
}

static struct session_variable *in_frame(struct script_frame *f, str name) {
    for (size_t i = 0; i < f->vars.n; i++)
        if (str_ieq(str_of(f->vars.p[i].name), name)) return &f->vars.p[i];
    return NULL;
}

/* name, or label.name */
static struct session_variable *find(struct script *sc, const str *parts, size_t n) {
    for (struct script_frame *f = sc->top; f && n >= 1 && n <= 2; f = f->outer) {
        if (n == 2 && (!f->label.n || !str_ieq(f->label, parts[0]))) continue;
        struct session_variable *v = in_frame(f, parts[n - 1]);
        if (v) return v;
    }
    return NULL;
}

bool script_get(struct script *sc, arena *a, const str *parts, size_t n, struct session_variable *ret) {
    struct session_variable *v = find(sc, parts, n);
    if (v)
        *ret = (struct session_variable){arena_strdup(a, v->name), arena_strdup(a, v->type), arena_strdup(a, v->duckdb), arena_strdup(a, v->initial)};
    return v != NULL;
}

void script_put(struct script *sc, const str *parts, size_t n, str duckdb) {
    struct session_variable *v = find(sc, parts, n);
    if (!v) return;
    char *value = run_heap(duckdb.p ? duckdb : str_of(v->initial));
    free(v->duckdb);
    v->duckdb = value;
}

bool script_same(struct script *sc, const str *a, size_t n, const str *b, size_t m) {
    struct session_variable *v = find(sc, a, n);
    return v && v == find(sc, b, m);
}

static err *declare(struct run *r, struct script_frame *f, const struct ast *at, str name, str type, str duckdb) {
    if (in_frame(f, name))
        return sql_error("VARIABLE_ALREADY_EXISTS", at, r->text, "variableName",
                         f->label.n ? arena_printf(r->a, "`%.*s`.`%.*s`", STR_ARG(f->label), STR_ARG(name)) : arena_printf(r->a, "`%.*s`", STR_ARG(name)), NULL);
    vec_push(&f->vars, ((struct session_variable){run_heap(name), run_heap(type), run_heap(duckdb), run_heap(duckdb)}));
    return NULL;
}

err *script_declare(struct run *r, const struct ast *at, str name, str type, str duckdb) {
    return declare(r, r->script->top, at, name, type, duckdb);
}

/* ---- queries ---- */

err *script_query_open(struct script *sc, const struct ast *query, const struct ast *using_, struct script_query *ret) {
    struct script_query *q = ret;
    *q = (struct script_query){0};
    TRY(script_begin(sc, &q->x));
    err *e = using_ ? run_params(&q->x, using_) : NULL;
    if (!e) e = sql_compile(&q->x.env, query, &q->c);
    if (!e) e = run_texts(&q->x, &q->c, &q->rows);
    if (!e) { /* a query that fails does so when it is opened */
        q->open = true;
        q->chunk = duckdb_fetch_chunk(q->rows);
        q->n = q->chunk ? duckdb_data_chunk_get_size(q->chunk) : 0;
        const char *why = q->chunk ? NULL : duckdb_result_error(&q->rows);
        if (why && *why) e = sql_error_of_duckdb(why);
    }
    if (!e) return NULL;
    if (q->open)
        script_query_close(sc, q);
    else
        script_end(sc, &q->x);
    return e;
}

err *script_query_next(struct script_query *q, arena *a, str **ret) {
    *ret = NULL;
    while (q->chunk && q->at >= q->n) {
        duckdb_destroy_data_chunk(&q->chunk);
        q->chunk = duckdb_fetch_chunk(q->rows);
        q->at = 0;
        q->n = q->chunk ? duckdb_data_chunk_get_size(q->chunk) : 0;
        const char *why = q->chunk ? NULL : duckdb_result_error(&q->rows);
        if (why && *why) return sql_error_of_duckdb(why);
    }
    if (!q->chunk) return NULL;
    *ret = arena_array_of(a, str, q->c.n + 1);
    for (size_t i = 0; i < q->c.n; i++) (*ret)[i] = run_cell(a, q->chunk, i, q->at);
    q->at++;
    return NULL;
}

void script_query_close(struct script *sc, struct script_query *q) {
    if (!q->open) return;
    if (q->chunk) duckdb_destroy_data_chunk(&q->chunk);
    duckdb_destroy_result(&q->rows);
    q->x.keep_connections = false; /* it may not have been read to its end */
    script_end(sc, &q->x);
    q->open = false;
}

err *script_row_begin(struct script *sc, struct script_frame *f, const struct script_query *q, const struct ast *at) {
    for (size_t i = 0; i < q->c.n; i++)
        TRY(declare(sc->r, f, at, q->c.cols[i].name, run_type_text((struct run *)&q->x, q->c.cols[i].type), STR("NULL")));
    return NULL;
}

void script_row_set(struct script_frame *f, struct script_query *q, const str *row) {
    for (size_t i = 0; i < q->c.n; i++) {
        arena *a = arena_new();
        struct run x = {.a = a};
        char *value = run_heap(run_literal(&x, q->c.cols[i].type, row[i]));
        free(f->vars.p[i].duckdb);
        f->vars.p[i].duckdb = value;
        arena_free(a);
    }
}

/* ---- cursors ---- */

static const char *quoted(arena *a, const struct ast *name) {
    buf b = {0};
    for (uint32_t i = 0; i < name->n; i++) buf_fmt(&b, "%s`%.*s`", i ? "." : "", STR_ARG(name->child[i]->text));
    if (!name->n) buf_fmt(&b, "`%.*s`", STR_ARG(name->text));
    const char *z = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return z;
}

err *script_cursor_declare(struct script *sc, const struct ast *n) {
    const struct ast *name = ast_get(n, SLOT_NAME);
    struct script_frame *f = sc->top;
    for (struct script_cursor *c = f->cursors; c; c = c->next)
        if (str_ieq(ast_get(c->declared, SLOT_NAME)->text, name->text))
            return sql_error("CURSOR_ALREADY_EXISTS", n, sc->r->text, "cursorName", quoted(sc->r->a, name), NULL);
    struct script_cursor *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->declared = n;
    c->next = f->cursors;
    f->cursors = c;
    return NULL;
}

static struct script_cursor *find_cursor(struct script *sc, const str *parts, size_t n) {
    for (struct script_frame *f = sc->top; f && n <= 2; f = f->outer) {
        if (n == 2 && (!f->label.n || !str_ieq(f->label, parts[0]))) continue;
        for (struct script_cursor *c = f->cursors; c; c = c->next)
            if (str_ieq(ast_get(c->declared, SLOT_NAME)->text, parts[n - 1])) return c;
    }
    return NULL;
}

/* Into one variable of a struct's type go all columns, each into its field. */
static err *into_struct(struct script *sc, struct run *x, const struct script_query *q, const str *row, struct ast *target, bool *ret_done) {
    str *parts;
    size_t n;
    struct session_variable v;
    const struct sql_type *t;
    *ret_done = false;
    TRY(run_name(x, target, &parts, &n));
    if (!run_variable(x, parts, n, &v)) return NULL;
    TRY(sql_type_parse(x->a, str_of(v.type), &t));
    if (t->kind != TY_STRUCT || q->c.n == 1) return NULL;
    if (t->n != q->c.n)
        return sql_error("ASSIGNMENT_ARITY_MISMATCH", NULL, x->text, "numTarget", arena_printf(x->a, "%zu", t->n), "numExpr", arena_printf(x->a, "%zu", q->c.n), NULL);
    struct script_frame f = {.outer = sc->top};
    buf b = {0};
    struct ast *expr = NULL;
    buf_z(&b, "named_struct(");
    for (size_t i = 0; i < t->n; i++) {
        str name = str_of(arena_printf(x->a, "%cf%zu", SQL_MARK, i));
        vec_push(&f.vars, ((struct session_variable){run_heap(name), run_heap(run_type_text(x, q->c.cols[i].type)), run_heap(run_literal(x, q->c.cols[i].type, row[i])), run_heap(STR(""))}));
        buf_fmt(&b, "%s'%.*s', `%.*s`", i ? ", " : "", STR_ARG(t->fields[i].name), STR_ARG(name));
    }
    buf_c(&b, ')');
    sc->top = &f;
    err *e = sql_parse_resolved(x->a, arena_str(x->a, buf_view(&b)), &expr);
    if (!e) e = run_set_variable(x, target, expr);
    sc->top = f.outer;
    script_frame_free(sc, &f);
    buf_free(&b);
    *ret_done = true;
    return e;
}

static err *take_row(struct script *sc, struct run *x, const struct ast *n, struct script_query *q) {
    const struct ast *into = ast_get(n, SLOT_INTO);
    str *row, *parts, *others;
    size_t k, m;
    bool whole = false;
    for (uint32_t i = 0; i < into->n; i++) {
        TRY(run_name(x, into->child[i], &parts, &k));
        for (uint32_t j = 0; j < i; j++) {
            TRY(run_name(x, into->child[j], &others, &m));
            if (run_same_variable(x, parts, k, others, m))
                return sql_error("DUPLICATE_ASSIGNMENTS", NULL, x->text, "nameList", arena_printf(x->a, "`%.*s`", STR_ARG(parts[k - 1])), NULL);
        }
    }
    TRY(script_query_next(q, x->a, &row));
    if (!row) return sql_error("CURSOR_NO_MORE_ROWS", n, x->text, "cursorName", quoted(x->a, ast_get(n, SLOT_NAME)), NULL);
    if (into->n == 1) TRY(into_struct(sc, x, q, row, into->child[0], &whole));
    if (whole) return NULL;
    if (into->n != q->c.n)
        return sql_error("ASSIGNMENT_ARITY_MISMATCH", NULL, x->text, "numTarget", arena_printf(x->a, "%u", into->n), "numExpr", arena_printf(x->a, "%zu", q->c.n), NULL);
    for (uint32_t i = 0; i < into->n; i++) TRY(run_assign(x, into->child[i], q->c.cols[i].type, row[i]));
    return NULL;
}

static err *open_cursor(struct script *sc, const struct ast *n, struct script_cursor *c) {
    if (c->q.open) return sql_error("CURSOR_ALREADY_OPEN", n, sc->r->text, "cursorName", quoted(sc->r->a, ast_get(n, SLOT_NAME)), NULL);
    return script_query_open(sc, ast_get(c->declared, SLOT_QUERY), ast_get(n, SLOT_USING), &c->q);
}

err *script_cursor(struct script *sc, const struct ast *n) {
    const struct ast *name = ast_get(n, SLOT_NAME);
    str *parts;
    size_t k;
    TRY(run_name(sc->r, name, &parts, &k));
    struct script_cursor *c = find_cursor(sc, parts, k);
    if (!c)
        return sql_error("CURSOR_NOT_FOUND", n, sc->r->text, "cursorName",
                         arena_strndup(sc->r->a, run_source(sc->r, name).p, run_source(sc->r, name).n), NULL);
    if (str_eqz(n->text, "open")) return open_cursor(sc, n, c);
    if (!c->q.open) return sql_error("CURSOR_NOT_OPEN", n, sc->r->text, "cursorName", quoted(sc->r->a, name), NULL);
    if (str_eqz(n->text, "close")) {
        script_query_close(sc, &c->q);
        return NULL;
    }
    struct run x;
    TRY(script_begin(sc, &x));
    err *e = take_row(sc, &x, n, &c->q);
    script_end(sc, &x);
    return e;
}
