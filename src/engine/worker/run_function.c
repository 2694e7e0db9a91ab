/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Temporary functions. The session keeps the statement that made one, with the catalog and schema that were current; it is read
 * anew by each statement that calls it. Its body sees what the session has (its views, variables and functions); bodies of what
 * lives in the catalog do not see it, and nothing that outlives the session is made of it.
 */
#include "engine/worker/run.h"
#include "sql/error.h"

/* `x`, session.x or system.session.x; the place of x in the name, or -1. */
static int own_name(const struct ast *name) {
    if (!ast_is(name, AST_NAME) || name->n < 1 || name->n > 3) return -1;
    int last = (int)name->n - 1;
    if (last >= 1 && !str_ieq(name->child[last - 1]->text, STR("session"))) return -1;
    if (last == 2 && !str_ieq(name->child[0]->text, STR("system"))) return -1;
    return last;
}

static const char *quoted(struct run *r, str name) { return arena_printf(r->a, "`%.*s`", STR_ARG(name)); }

/* The same of the parts of a name. */
static bool is_own(const str *parts, size_t n) {
    return n == 1 || (str_ieq(parts[n - 2], STR("session")) && (n == 2 || str_ieq(parts[0], STR("system"))));
}

static const char *with_database(struct run *r, const str *parts, size_t n) {
    return quoted(r, parts[n > 1 ? n - 2 : 0]);
}

err *run_temp_function(struct run *r, const struct ast *s) {
    str *parts;
    size_t n;
    struct sql_function_def f;
    struct temp_view old;
    const struct ast *name = ast_get(s, SLOT_NAME), *language = ast_get(s, SLOT_LANGUAGE);
    TRY(run_name(r, name, &parts, &n));
    if (ast_has(s, AST_F_IF_NOT_EXISTS)) return sql_error("INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_IF_NOT_EXISTS", s, r->text, NULL);
    if (!is_own(parts, n)) return sql_error("INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_DATABASE", s, r->text, "database", with_database(r, parts, n), NULL);
    if ((language && !str_ieq(language->text, STR("SQL"))) || !s->text.n)
        return sql_error("UNSUPPORTED_FEATURE.SQL", s, r->text, "what", "functions in other languages; LANGUAGE is SQL", NULL);
    if (session_get_function(r->st->s, r->a, parts[n - 1], &old) && !ast_has(s, AST_F_REPLACE))
        return sql_error("ROUTINE_ALREADY_EXISTS", name, r->text, "newRoutineType", "routine", "routineName", quoted(r, parts[n - 1]), "existingRoutineType", "routine", NULL);
    TRY(run_made_function(r, s, &f));
    TRY(run_check_function(r, s));
    session_put_function(r->st->s, parts[n - 1], run_source(r, s), r->env.catalog, r->env.schema);
    return NULL;
}

err *run_drop_function(struct run *r, const struct ast *s) {
    str *parts;
    size_t n;
    const struct ast *name = ast_get(s, SLOT_NAME);
    TRY(run_name(r, name, &parts, &n));
    if (is_own(parts, n) && session_drop_function(r->st->s, parts[n - 1])) return NULL;
    if (ast_has(s, AST_F_IF_EXISTS)) return NULL;
    return sql_error("ROUTINE_NOT_FOUND", name, r->text, "routineName", quoted(r, parts[n - 1]), NULL);
}

err *run_find_function(struct run *r, const struct ast *name, const struct sql_function_def **ret) {
    struct temp_view v;
    struct ast **list;
    size_t n;
    int at = own_name(name);
    *ret = NULL;
    if (at < 0 || run_in_body(r) || !session_get_function(r->st->s, r->a, name->child[at]->text, &v)) return NULL;
    if (r->view) return run_outlives(r, name, "FUNCTION");
    struct sql_function_def *f = arena_new_of(r->a, struct sql_function_def);
    str text = r->text;
    r->text = str_of(v.text);
    err *e = sql_parse(r->a, r->text, &list, &n);
    if (!e) e = run_made_function(r, list[0], f);
    r->text = text;
    if (e) return e;
    f->catalog = str_of(v.catalog);
    f->schema = str_of(v.schema);
    f->name = str_of(v.name);
    *ret = f;
    return NULL;
}

/* ---- DESCRIBE FUNCTION ---- */

struct lines {
    struct run *r;
    str *cells;
    size_t n;
};

static void line(struct lines *l, const char *what, str value) {
    l->cells[l->n++] = str_of(arena_printf(l->r->a, "%-14s%.*s", what, STR_ARG(value)));
}

static str type_text(struct run *r, const struct sql_type *t) {
    buf b = {0};
    sql_type_write(t, &b);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] >= 'a' && b.p[i] <= 'z') b.p[i] = (char)(b.p[i] - 32);
    str text = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return text;
}

static void fields(struct lines *l, const char *what, const struct sql_field *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        line(l, i ? "" : what, str_of(arena_printf(l->r->a, "%.*s %.*s", STR_ARG(p[i].name), STR_ARG(type_text(l->r, p[i].type)))));
}

err *run_describe_function(struct run *r, const struct ast *s, bool *ret_taken) {
    const struct sql_function_def *f;
    TRY(run_find_function(r, ast_get(s, SLOT_NAME), &f));
    if (!f) return NULL;
    *ret_taken = true;
    bool rows = f->is_table && f->returns;
    struct lines l = {r, arena_array_of(r->a, str, f->n + (rows ? f->returns->n : 0) + 5), 0};
    line(&l, "Function:", f->name);
    line(&l, "Type:", f->is_table ? STR("TABLE") : STR("SCALAR"));
    if (!f->n) line(&l, "Input:", STR("()"));
    fields(&l, "Input:", f->params, f->n);
    if (rows) fields(&l, "Returns:", f->returns->fields, f->returns->n);
    if (!f->is_table && f->returns) line(&l, "Returns:", type_text(r, f->returns));
    if (ast_has(s, AST_F_EXTENDED)) line(&l, "Body:", f->body);
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 1);
    cols[0] = (struct sql_column){.name = STR("function_desc"), .type = sql_type_of(TY_STRING)};
    return run_table(r, cols, 1, l.cells, l.n);
}
