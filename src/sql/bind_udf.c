/* SPDX-License-Identifier: Apache-2.0 */
/* SQL functions of the user, taken apart where they are called: the body is bound with the arguments for its parameters. */
#include "sql/bind.h"

/* Calls of users' functions in a statement, those in bodies too: they double with each function that calls another twice. */
#define MOST_CALLS 5000

static str plain_catalog(const struct sql_function_def *f) {
    ptrdiff_t mark = str_chr(f->catalog, SQL_MARK, 0);
    return mark < 0 ? f->catalog : str_cut(f->catalog, (size_t)mark);
}

static void full_name(const struct sql_function_def *f, const char *quote, buf *o) {
    str catalog = f->temporary ? STR("") : plain_catalog(f);
    if (catalog.n) buf_fmt(o, "%s%.*s%s.", quote, STR_ARG(catalog), quote);
    if (f->schema.n && !f->temporary) buf_fmt(o, "%s%.*s%s.", quote, STR_ARG(f->schema), quote);
    buf_fmt(o, "%s%.*s%s", quote, STR_ARG(f->name), quote);
}

static const char *quoted_name(struct binder *b, const struct sql_function_def *f) {
    buf *o = sql_buf(b->a);
    full_name(f, "`", o);
    buf_c(o, 0);
    return o->p;
}

static const char *dotted_name(struct binder *b, const struct sql_function_def *f) {
    buf *o = sql_buf(b->a);
    full_name(f, "", o);
    buf_c(o, 0);
    return o->p;
}

static bool same_function(const struct sql_function_def *x, const struct sql_function_def *y) {
    if (x->temporary != y->temporary) return false;
    if (x->temporary) return str_ieq(x->name, y->name);
    return str_ieq(x->name, y->name) && str_ieq(x->schema, y->schema) && str_ieq(plain_catalog(x), plain_catalog(y));
}

static void cycle_path(const struct udf_within *u, const struct sql_function_def *from, buf *o) {
    if (u->next && !same_function(u->f, from)) cycle_path(u->next, from, o);
    full_name(u->f, "", o);
    buf_z(o, " -> ");
}

static err *too_deep(struct binder *b, const struct sql_function_def *f, const struct ast *n) {
    if (++b->n_calls > MOST_CALLS) return bind_too_large(b, n);
    for (const struct udf_within *u = b->within; u; u = u->next) {
        if (!same_function(u->f, f)) continue;
        buf *o = sql_buf(b->a);
        cycle_path(b->within, f, o);
        full_name(f, "", o);
        buf_c(o, 0);
        return sql_error("CYCLIC_FUNCTION_REFERENCE", n, b->text, "path", o->p, NULL);
    }
    if (b->depth < 50) return NULL;
    return sql_error("CYCLIC_FUNCTION_REFERENCE", n, b->text, "path", "functions nested this deep", NULL);
}

/* Inside of a function names are looked for where it was made. */
struct kept {
    str catalog, schema, text;
    struct cte *ctes;
    size_t n_tables;
};

static struct kept enter(struct binder *b, const struct sql_function_def *f) {
    struct kept k = {b->env->catalog, b->env->schema, b->text, b->ctes, b->n_tables};
    if (f->catalog.n) b->env->catalog = f->catalog;
    if (f->schema.n) b->env->schema = f->schema;
    b->text = f->definer ? STR("") : f->body; /* another's text is not shown in errors */
    b->ctes = NULL;
    b->depth++;
    struct udf_within *u = arena_new_of(b->a, struct udf_within);
    *u = (struct udf_within){f, b->within};
    b->within = u;
    return k;
}

/* Tables that a body of another owner read: the plan would tell of them. */
static void leave(struct binder *b, const struct sql_function_def *f, struct kept k) {
    b->secured |= f->definer && b->n_tables > k.n_tables;
    b->env->catalog = k.catalog;
    b->env->schema = k.schema;
    b->text = k.text;
    b->ctes = k.ctes;
    b->depth--;
    b->within = b->within->next;
}

static err *default_of(struct binder *b, const struct sql_field *p, struct bx **ret) {
    struct ast *e;
    struct scope none = {.level = 0};
    struct cx c = {.b = b, .s = &none};
    TRY(sql_parse_expr(b->a, p->metadata, &e));
    return bind_expr(&c, e, ret);
}

/* Arguments by place and name, cast to the parameters' types. */
static err *bind_params(struct cx *c, const struct sql_function_def *f, const struct ast *n, struct lvar **ret) {
    struct binder *b = c->b;
    struct bx **v = arena_array_of(b->a, struct bx *, f->n + 1);
    size_t least = 0;
    for (size_t i = 0; i < f->n; i++) least += f->params[i].metadata.n == 0;
    if (n->n > f->n || n->n < least)
        return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", n, b->text, "functionName", quoted_name(b, f), "expectedNum",
                         arena_printf(b->a, "%zu", f->n), "actualNum", arena_printf(b->a, "%u", n->n), "docroot", "https://spark.apache.org/docs/latest", NULL);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct ast *a = n->child[i];
        size_t at = i;
        if (a->kind == AST_NAMED_ARG) {
            for (at = 0; at < f->n && !str_ieq(f->params[at].name, a->text);) at++;
            if (at == f->n)
                return sql_error("UNRECOGNIZED_PARAMETER_NAME", a, b->text, "routineName", arena_printf(b->a, "`%.*s`", STR_ARG(f->name)), "argumentName",
                                 arena_printf(b->a, "`%.*s`", STR_ARG(a->text)), "proposal", "", NULL);
            a = a->child[0];
        }
        TRY(bind_expr(c, a, &v[at]));
    }
    *ret = NULL;
    for (size_t i = f->n; i-- > 0;) {
        if (!v[i] && f->params[i].metadata.n) {
            struct kept k = enter(b, f);
            err *e = default_of(b, &f->params[i], &v[i]);
            leave(b, f, k);
            if (e) return e;
        }
        if (!v[i])
            return sql_error("REQUIRED_PARAMETER_NOT_FOUND", n, b->text, "routineName", arena_printf(b->a, "`%.*s`", STR_ARG(f->name)), "parameterName",
                             arena_printf(b->a, "`%.*s`", STR_ARG(f->params[i].name)), "index", arena_printf(b->a, "%zu", i), NULL);
        if (!sql_can_cast(v[i]->type, f->params[i].type))
            return sql_error("DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION", n, b->text, "sqlExpr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[i]))), "srcType",
                             type_name(b, v[i]->type).p, "targetType", type_name(b, f->params[i].type).p, NULL);
        struct lvar *p = arena_new_of(b->a, struct lvar);
        p->name = f->params[i].name;
        p->owner = f->name;
        p->x = bx_cast(b, bx_exact(b, v[i]), f->params[i].type);
        p->next = *ret;
        *ret = p;
    }
    return NULL;
}

err *bind_udf(struct cx *c, const struct sql_function_def *f, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct lvar *vars;
    struct bx *x;
    TRY(too_deep(b, f, n));
    TRY(bind_params(c, f, n, &vars));
    buf *cap = sql_buf(b->a);
    full_name(f, "", cap);
    buf_c(cap, '(');
    uint32_t given = n->n; /* defaults are not shown */
    for (struct lvar *v = vars; v && given; v = v->next, given--) {
        if (v != vars) buf_z(cap, ", ");
        caption(b, v->x, cap);
    }
    buf_c(cap, ')');
    struct scope s = {.outer = NULL, .level = c->s->level, .vars = vars};
    struct cx fc = {.b = b, .s = &s, .clause = "function"};
    struct ast *body;
    struct kept k = enter(b, f);
    err *e = sql_parse_body(b->a, f->body, &body);
    if (!e) e = prefetch_names(b, body);
    if (!e) e = bind_expr(&fc, body, &x);
    leave(b, f, k);
    if (e) return e;
    x = f->returns ? bx_cast(b, bx_exact(b, x), f->returns) : x;
    *ret = bx_tmpl(b, x->type, STR("{0}"), tmpl_text(b, sql_keep(b->a, cap)), &x, 1);
    return NULL;
}

err *bind_udf_table(struct binder *b, struct scope *outer, const struct sql_function_def *f, const struct ast *call, struct bq **ret) {
    struct lvar *vars;
    struct scope as = outer ? *outer : (struct scope){.level = 0};
    struct cx c = {.b = b, .s = &as};
    TRY(too_deep(b, f, call));
    TRY(bind_params(&c, f, call, &vars));
    struct scope *s = arena_new_of(b->a, struct scope);
    s->vars = vars;
    struct ast *body;
    struct kept k = enter(b, f);
    err *e = sql_parse_query(b->a, f->body, &body);
    if (!e) e = prefetch_names(b, body);
    if (!e) e = bind_query(b, body, s, ret);
    leave(b, f, k);
    if (!e && f->definer) (*ret)->barrier = (*ret)->barrier || bq_hides_rows(*ret);
    if (e || !f->returns || f->returns->kind != TY_STRUCT) return e;
    struct bq *q = bq_wrap(b, *ret, NULL);
    if (q->n != f->returns->n)
        return sql_error("USER_DEFINED_FUNCTIONS.RETURN_COLUMN_COUNT_MISMATCH", call, b->text, "outputSize", arena_printf(b->a, "%zu", q->n), "returnParamSize",
                         arena_printf(b->a, "%zu", f->returns->n), "name", dotted_name(b, f), NULL);
    const struct sql_type **types = arena_array_of(b->a, const struct sql_type *, q->n + 1);
    for (size_t i = 0; i < q->n; i++) types[i] = f->returns->fields[i].type;
    q = bq_retype(b, q, types);
    for (size_t i = 0; i < q->n; i++) q->cols[i].name = f->returns->fields[i].name;
    *ret = q;
    return NULL;
}
