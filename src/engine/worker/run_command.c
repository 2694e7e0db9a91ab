/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements that the catalog carries out: their slots as JSON to control (README, "Slots as JSON"), its rows to the
 * client. Views and functions are compiled first, so that control learns their columns and that they are right.
 */
#include <stdlib.h>

#include "engine/worker/run.h"
#include "sql/error.h"

static err *put_node(struct run *r, const struct ast *n, buf *out, int depth);

/* ---- names ---- */

/* IDENTIFIER(expr): the text of the constant, read as a name. */
static err *name_of_text(struct run *r, str text, str **ret, size_t *ret_n) {
    struct ast *e = NULL;
    TRY(sql_parse_expr(r->a, text, &e));
    const struct ast *name = ast_is(e, AST_COLUMN) && e->n ? e->child[0] : NULL;
    if (!ast_is(name, AST_NAME))
        return sql_error("PARSE_SYNTAX_ERROR", NULL, r->text, "error", arena_printf(r->a, "'%.*s'", STR_ARG(text)), "hint", "", NULL);
    return run_name(r, name, ret, ret_n);
}

err *run_name(struct run *r, const struct ast *name, str **ret, size_t *ret_n) {
    if (ast_is(name, AST_NAME_EXPR)) {
        const struct sql_type *t = NULL;
        str text = STR_NONE, *parts;
        size_t n;
        TRY(sql_constant(&r->env, ast_get(name, SLOT_EXPR), &t, &text));
        TRY(name_of_text(r, text, &parts, &n));
        str *all = arena_array_of(r->a, str, n + name->n + 1);
        for (size_t i = 0; i < n; i++) all[i] = parts[i];
        for (uint32_t i = 0; i < name->n; i++) all[n++] = name->child[i]->text;
        *ret = all;
        *ret_n = n;
        return NULL;
    }
    if (ast_is(name, AST_IDENT)) {
        *ret = arena_new_of(r->a, str);
        **ret = name->text;
        *ret_n = 1;
        return NULL;
    }
    if (!ast_is(name, AST_NAME) || !name->n) return err_new(ERR_INTERNAL_ERROR, "a statement has no name where it needs one");
    *ret = arena_array_of(r->a, str, name->n);
    for (uint32_t i = 0; i < name->n; i++) (*ret)[i] = name->child[i]->text;
    *ret_n = name->n;
    return NULL;
}

static err *put_name(struct run *r, const struct ast *n, buf *out) {
    str *parts;
    size_t k;
    TRY(run_name(r, n, &parts, &k));
    buf_c(out, '[');
    for (size_t i = 0; i < k; i++) {
        if (i) buf_c(out, ',');
        buf_json_str(out, parts[i]);
    }
    buf_c(out, ']');
    return NULL;
}

/* ---- nodes ---- */

static void put_lower(buf *out, const char *name) {
    for (; *name; name++) buf_c(out, *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name);
}

static void put_sql(struct run *r, const struct ast *n, buf *out) {
    buf_z(out, "{\"sql\":");
    buf_json_str(out, run_source(r, n));
    buf_c(out, '}');
}

static err *put_type(struct run *r, const struct ast *n, buf *out) {
    const struct sql_type *t = NULL;
    TRY(sql_type_of_ast(r->a, n, &t));
    buf text = {0}, json = {0};
    sql_type_write(t, &text);
    sql_type_write_json_alone(t, &json);
    buf_z(out, "\"type\":");
    buf_json_str(out, buf_view(&text));
    buf_z(out, ",\"type_json\":");
    buf_json_str(out, buf_view(&json));
    buf_free(&text);
    buf_free(&json);
    return NULL;
}

static void put_flags(const struct ast *n, buf *out) {
    static const struct {
        uint32_t flag;
        const char *name;
    } rows[] = {{AST_F_NOT, "not"}, {AST_F_TRUE, "true"}, {AST_F_ALL, "all"}, {AST_F_DISTINCT, "distinct"}, {AST_F_DESC, "desc"},
                {AST_F_REPLACE, "replace"}, {AST_F_IF_NOT_EXISTS, "if_not_exists"}, {AST_F_IF_EXISTS, "if_exists"},
                {AST_F_TEMP, "temp"}, {AST_F_GLOBAL, "global"}, {AST_F_EXTERNAL, "external"}, {AST_F_OVERWRITE, "overwrite"},
                {AST_F_NOT_NULL, "not_null"}, {AST_F_FIRST, "first"}, {AST_F_CASCADE, "cascade"}, {AST_F_EXTENDED, "extended"},
                {AST_F_MATERIALIZED, "materialized"}, {AST_F_STREAM, "stream"}, {AST_F_BY_NAME, "by_name"}, {AST_F_NULLS, "nulls"},
                {AST_F_EVOLVE, "evolve"}, {AST_F_JSON, "json"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (n->flags & rows[i].flag) buf_fmt(out, ",\"%s\":true", rows[i].name);
}

/* {"text":…, flags, "op":…, slots, "children":[…]}; the opening brace and a first member are the caller's. */
static err *put_members(struct run *r, const struct ast *n, buf *out, int depth) {
    put_flags(n, out);
    if (n->op > ' ' && n->op < 127) buf_fmt(out, ",\"op\":\"%c\"", (char)n->op);
    for (uint32_t i = 0; i < n->n_slots; i++) {
        if (n->slot[i].slot == SLOT_TYPE && ast_is(n->slot[i].node, AST_TYPE)) {
            buf_c(out, ',');
            TRY(put_type(r, n->slot[i].node, out));
            continue;
        }
        buf_z(out, ",\"");
        put_lower(out, ast_slot_name((enum ast_slot)n->slot[i].slot));
        buf_z(out, "\":");
        TRY(put_node(r, n->slot[i].node, out, depth + 1));
    }
    if (!n->n) return NULL;
    buf_z(out, ",\"children\":[");
    for (uint32_t i = 0; i < n->n; i++) {
        if (i) buf_c(out, ',');
        TRY(put_node(r, n->child[i], out, depth + 1));
    }
    buf_c(out, ']');
    return NULL;
}

static err *put_list(struct run *r, const struct ast *n, buf *out, int depth) {
    buf_c(out, '[');
    for (uint32_t i = 0; i < n->n; i++) {
        if (i) buf_c(out, ',');
        TRY(put_node(r, n->child[i], out, depth + 1));
    }
    buf_c(out, ']');
    return NULL;
}

static err *put_constant(struct run *r, const struct ast *n, buf *out) {
    const struct sql_type *t = NULL;
    str v = STR_NONE;
    TRY(sql_constant(&r->env, n, &t, &v));
    if (v.p)
        buf_json_str(out, v);
    else
        buf_z(out, "null");
    return NULL;
}

static err *put_node(struct run *r, const struct ast *n, buf *out, int depth) {
    if (!n) {
        buf_z(out, "null");
        return NULL;
    }
    if (depth > 60) return err_new(ERR_SQL_ERROR, "[FAILED_TO_PARSE_TOO_COMPLEX] The statement is nested too deeply. SQLSTATE: 54001");
    switch (n->kind) {
    case AST_NAME:
    case AST_NAME_EXPR: return put_name(r, n, out);
    case AST_IDENT:
    case AST_LIT_STRING:
    case AST_LIT_NUMBER: buf_json_str(out, n->text); return NULL;
    case AST_LIT_BOOL: buf_z(out, ast_has(n, AST_F_TRUE) ? "true" : "false"); return NULL;
    case AST_LIT_NULL: buf_z(out, "null"); return NULL;
    case AST_PARAM: return put_constant(r, n, out);
    case AST_LIST: return put_list(r, n, out, depth);
    case AST_TYPE:
        buf_c(out, '{');
        TRY(put_type(r, n, out));
        buf_c(out, '}');
        return NULL;
    case AST_PROPERTY:
        buf_z(out, "{\"key\":");
        buf_json_str(out, n->text);
        buf_z(out, ",\"value\":");
        TRY(put_node(r, n->n ? n->child[0] : NULL, out, depth + 1));
        buf_c(out, '}');
        return NULL;
    case AST_COLUMN_DEF:
    case AST_FIELD_DEF:
    case AST_CONSTRAINT:
    case AST_PARTVAL:
        buf_z(out, "{\"name\":");
        buf_json_str(out, n->text);
        TRY(put_members(r, n, out, depth));
        buf_c(out, '}');
        return NULL;
    case AST_COLUMN:
        if (n->n && n->child[0]->kind == AST_NAME) return put_name(r, n->child[0], out);
        break;
    case AST_COMMAND:
        buf_z(out, "{\"command\":");
        buf_json_str(out, n->text);
        TRY(put_members(r, n, out, depth));
        buf_c(out, '}');
        return NULL;
    default: break;
    }
    put_sql(r, n, out); /* expressions and queries: their own text */
    return NULL;
}

err *run_node_json(struct run *r, const struct ast *n, buf *out) { return put_node(r, n, out, 0); }

/* ---- answers ---- */

static str cell_of(arena *a, jval *v) {
    if (!v || yyjson_is_null(v)) return STR_NONE;
    if (yyjson_is_str(v)) return json_str(v).p ? json_str(v) : STR("");
    size_t n = 0;
    char *text = yyjson_val_write(v, 0, &n);
    str s = text ? arena_str(a, str_n(text, n)) : STR_NONE;
    free(text);
    return s;
}

static err *columns_of(struct run *r, jval *columns, struct sql_column **ret, size_t *ret_n) {
    size_t n = yyjson_arr_size(columns), i, m;
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, n + 1);
    jval *v;
    yyjson_arr_foreach(columns, i, m, v) {
        cols[i] = (struct sql_column){.name = json_get_str(v, "name"), .type = sql_type_of(TY_STRING),
                                      .nullable = !yyjson_is_false(json_get(v, "nullable")), .comment = json_get_str(v, "comment")};
        if (json_get_str(v, "type").n) TRY(sql_type_parse(r->a, json_get_str(v, "type"), &cols[i].type));
    }
    *ret = cols;
    *ret_n = n;
    return NULL;
}

static str *cells_of(arena *a, jval *rows, size_t n, size_t *count) {
    size_t k, m;
    jval *row;
    *count = yyjson_arr_size(rows);
    str *cells = arena_array_of(a, str, n * *count + 1);
    yyjson_arr_foreach(rows, k, m, row)
        for (size_t c = 0; c < n; c++) cells[k * n + c] = cell_of(a, yyjson_arr_get(row, c));
    return cells;
}

static err *put_statement(struct run *r, const struct ast *s, str after, buf *out);

static err *ask_page(struct run *r, const struct ast *s, arena *a, str after, jval **ret) {
    buf j = {0};
    err *e = put_statement(r, s, after, &j);
    if (!e && j.overflow) e = err_new(ERR_RESOURCE_EXHAUSTED, "the statement is too large");
    if (!e) e = statement_ask(r->st, a, STR("command"), buf_view(&j), ret, NULL);
    buf_free(&j);
    return e;
}

/* The pages after the first, each in memory of its own. */
static err *more_pages(struct run *r, const struct ast *s, struct run_pages *p, str next) {
    while (next.n && !r->res.truncated) {
        arena *a = arena_new();
        jval *o = NULL;
        size_t count = 0;
        err *e = ask_page(r, s, a, next, &o);
        str *cells = e ? NULL : cells_of(a, json_get(o, "rows"), p->n, &count);
        if (!e) e = run_pages_add(r, p, cells, count);
        next = e ? STR("") : arena_str(r->a, json_get_str(o, "next"));
        arena_free(a);
        if (!e) e = run_pages_tell(r);
        if (e) return e;
    }
    return NULL;
}

/* Long lists come page by page, and their first rows are the client's while the rest is asked for. */
static err *show_pages(struct run *r, const struct ast *s, const struct sql_column *cols, size_t n, const str *cells, size_t count, str next) {
    struct run_pages p;
    str *own = NULL;
    size_t n_own = 0;
    r->early = yyjson_is_true(json_get(r->st->order, "early"));
    TRY(run_pages_begin(r, cols, n, &p));
    err *e = run_pages_add(r, &p, cells, count);
    if (!e) e = run_pages_tell(r);
    if (!e) e = more_pages(r, s, &p, next);
    if (!e) e = run_temporary_rows(r, s, n, &own, &n_own);
    if (!e && n_own) e = run_pages_add(r, &p, own, n_own);
    run_pages_end(&p);
    return e ? e : result_finish(&r->res);
}

/* All pages as one, for whoever needs them whole. */
static err *gather_pages(struct run *r, const struct ast *s, size_t n, str **cells, size_t *count, str next) {
    while (next.n) {
        jval *o = NULL;
        size_t more;
        TRY(ask_page(r, s, r->a, next, &o));
        str *page = cells_of(r->a, json_get(o, "rows"), n, &more), *all = arena_array_of(r->a, str, n * (*count + more) + 1);
        if (*count) memcpy(all, *cells, sizeof(str) * n * *count);
        if (more) memcpy(all + n * *count, page, sizeof(str) * n * more);
        *cells = all;
        *count += more;
        next = json_get_str(o, "next");
    }
    return NULL;
}

static err *show_rows(struct run *r, const struct ast *s, jval *o) {
    struct sql_column *cols;
    size_t n, count;
    str next = json_get_str(o, "next");
    TRY(columns_of(r, json_get(o, "columns"), &cols, &n));
    str *cells = cells_of(r->a, json_get(o, "rows"), n, &count);
    if (next.n && !r->capture && !r->mute && !r->script) return show_pages(r, s, cols, n, cells, count, next);
    if (!r->mute) TRY(gather_pages(r, s, n, &cells, &count, next));
    TRY(run_temporary_rows(r, s, n, &cells, &count));
    return run_table(r, cols, n, cells, count);
}

/* {columns, rows} are shown; {modified_rows, is_dml, staging, session} are told. */
static err *take_answer(struct run *r, const struct ast *s, jval *o) {
    jval *staging = json_get(o, "staging"), *session = json_get(o, "session");
    int64_t n;
    if (json_i64(json_get(o, "modified_rows"), &n)) {
        r->modified_rows = n;
        r->is_dml = true;
    }
    if (yyjson_is_obj(staging)) {
        size_t size = 0;
        char *text = yyjson_val_write(staging, 0, &size);
        if (text) r->staging = arena_str(r->a, str_n(text, size));
        free(text);
    }
    if (yyjson_is_obj(session)) {
        session_use(r->st->s, json_get_str(session, "catalog"), json_get_str(session, "schema"));
        r->session_changed = true;
    }
    return yyjson_arr_size(json_get(o, "columns")) ? show_rows(r, s, o) : NULL;
}

/* ---- what is compiled first ---- */

static void put_columns(const struct sql_compiled *c, buf *out) {
    buf_z(out, ",\"result\":[");
    for (size_t i = 0; i < c->n; i++) {
        buf text = {0}, json = {0};
        sql_type_write(c->cols[i].type, &text);
        sql_type_write_json_alone(c->cols[i].type, &json);
        buf_z(out, i ? ",{\"name\":" : "{\"name\":");
        buf_json_str(out, c->cols[i].name);
        buf_z(out, ",\"type\":");
        buf_json_str(out, buf_view(&text));
        buf_z(out, ",\"type_json\":");
        buf_json_str(out, buf_view(&json));
        buf_fmt(out, ",\"nullable\":%s", c->cols[i].nullable ? "true" : "false");
        buf_z(out, ",\"comment\":");
        buf_json_str(out, c->cols[i].comment);
        buf_c(out, '}');
        buf_free(&text);
        buf_free(&json);
    }
    buf_c(out, ']');
}

/* A view cannot stand on a variable that goes with the session. */
static err *temporary_inside(struct run *r, const struct ast *s) {
    str *parts, full[3] = {r->env.catalog, r->env.schema, STR("")};
    size_t n;
    TRY(run_name(r, ast_get(s, SLOT_NAME), &parts, &n));
    for (size_t i = 0; i < n && i < 3; i++) full[3 - (n < 3 ? n : 3) + i] = parts[i];
    return sql_error("INVALID_TEMP_OBJ_REFERENCE", NULL, r->text, "obj", "VIEW", "objName",
                     arena_printf(r->a, "`%.*s`.`%.*s`.`%.*s`", STR_ARG(full[0]), STR_ARG(full[1]), STR_ARG(full[2])), "tempObj", "VARIABLE", "tempObjName",
                     arena_printf(r->a, "`%.*s`", STR_ARG(r->temporary)), NULL);
}

/* What a view or function reads by the path of today, it would read by another's tomorrow. */
static err *path_inside(struct run *r, const struct ast *s) {
    return sql_error("UNSUPPORTED_FEATURE.SQL", s, r->text, "what", "views and functions made under a PATH; SET PATH = DEFAULT_PATH before, and qualify their names", NULL);
}

/* CREATE and ALTER VIEW … AS: the query's columns go with it. */
static err *put_view(struct run *r, const struct ast *s, buf *out) {
    struct sql_compiled c;
    const struct ast *query = ast_get(s, SLOT_QUERY);
    /* Its YAML is no query: kept as one, the view would fail whoever reads it. */
    if (s->kind == AST_S_CREATE_VIEW && ast_has(s, AST_F_SPECIAL)) return sql_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", s, r->text, NULL);
    if (!query) return NULL;
    if (r->n_path) return path_inside(r, s);
    r->view = ast_get(s, SLOT_NAME) ? s : NULL;
    err *e = sql_compile(&r->env, query, &c);
    r->view = NULL;
    if (e) return e;
    if (r->temporary.n) return temporary_inside(r, s);
    put_columns(&c, out);
    return NULL;
}

/* ---- CREATE FUNCTION: its body makes sense before anybody calls it ---- */

static err *made_field(struct run *r, const struct ast *def, struct sql_field *ret) {
    const struct ast *d = ast_get(def, SLOT_DEFAULT), *t = ast_get(def, SLOT_TYPE);
    *ret = (struct sql_field){.name = def->text, .nullable = true, .metadata = d ? run_source(r, d) : STR_NONE};
    if (!t) return err_new(ERR_INVALID_STATE, "a parameter without a type");
    return sql_type_of_ast(r->a, t, &ret->type);
}

static err *made_fields(struct run *r, const struct ast *list, struct sql_field **ret, size_t *ret_n) {
    *ret_n = list ? list->n : 0;
    *ret = arena_array_of(r->a, struct sql_field, *ret_n + 1);
    for (size_t i = 0; i < *ret_n; i++) TRY(made_field(r, list->child[i], &(*ret)[i]));
    return NULL;
}

err *run_made_function(struct run *r, const struct ast *s, struct sql_function_def *f) {
    str *parts, full[3] = {r->env.catalog, r->env.schema, STR("")};
    size_t n;
    struct sql_field *params, *cols;
    const struct ast *returns = ast_get(s, SLOT_RETURNS);
    TRY(run_name(r, ast_get(s, SLOT_NAME), &parts, &n));
    for (size_t i = 0; i < n && i < 3; i++) full[3 - (n < 3 ? n : 3) + i] = parts[i];
    *f = (struct sql_function_def){.catalog = full[0], .schema = full[1], .name = full[2], .body = s->text, .temporary = ast_has(s, AST_F_TEMP)};
    TRY(made_fields(r, ast_get(s, SLOT_PARAMS), &params, &f->n));
    f->params = params;
    if (ast_is(returns, AST_LIST)) {
        size_t m;
        TRY(made_fields(r, returns, &cols, &m));
        f->is_table = true;
        if (m) f->returns = sql_struct(r->a, cols, m);
    } else if (returns)
        TRY(sql_type_of_ast(r->a, returns, &f->returns));
    return NULL;
}

/* A call with values for the first `given` parameters. */
static err *compile_call(struct run *r, const struct sql_function_def *f, size_t given, struct sql_compiled *ret) {
    buf q = {0};
    struct ast *query = NULL;
    buf_z(&q, f->is_table ? "SELECT t1.* FROM (SELECT 1 AS c" : "SELECT `" RUN_MADE "`(");
    for (size_t i = 0; i < given && !f->is_table; i++) buf_fmt(&q, "%sc%zu", i ? ", " : "", i);
    if (!f->is_table) buf_z(&q, ") FROM (SELECT 1 AS c");
    for (size_t i = 0; i < given; i++) {
        buf_z(&q, ", CAST(NULL AS ");
        sql_type_write_sql(f->params[i].type, &q);
        buf_fmt(&q, ") AS c%zu", i);
    }
    buf_z(&q, ") AS t0");
    if (f->is_table) buf_z(&q, ", LATERAL `" RUN_MADE "`(");
    for (size_t i = 0; i < given && f->is_table; i++) buf_fmt(&q, "%sc%zu", i ? ", " : "", i);
    if (f->is_table) buf_z(&q, ") AS t1");
    err *e = sql_parse_query(r->a, arena_str(r->a, buf_view(&q)), &query);
    buf_free(&q);
    return e ? e : sql_compile(&r->env, query, ret);
}

/* Is it the body's fault? What only this call has (columns where constants may be meant, rights that may be granted later) is none. */
static bool faulty(struct run *r, const err *e) {
    static const char *const classes[] = {"UNRESOLVED_", "DATATYPE_MISMATCH.", "USER_DEFINED_FUNCTIONS.", "INVALID_SUBQUERY_EXPRESSION.", "MISSING_", "WRONG_NUM_ARGS.",
                                          "CYCLIC_FUNCTION_REFERENCE", "AMBIGUOUS_REFERENCE", "TABLE_OR_VIEW_NOT_FOUND", "INVALID_TEMP_OBJ_REFERENCE", "NUM_COLUMNS_MISMATCH",
                                          "UNSUPPORTED_GROUPING_EXPRESSION", "FIELD_NOT_FOUND"};
    str cls = sql_error_class(e, r->a);
    if (str_starts(cls, STR("DATATYPE_MISMATCH.NON_FOLDABLE"))) return false;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (str_starts(cls, str_of(classes[i]))) return true;
    return false;
}

static bool says(const struct ast *s, const char *option) {
    const struct ast *options = ast_get(s, SLOT_OPTIONS);
    for (uint32_t i = 0; options && i < options->n; i++)
        if (str_ieq(options->child[i]->text, str_of(option))) return true;
    return false;
}

err *run_check_function(struct run *r, const struct ast *s) {
    const struct ast *language = ast_get(s, SLOT_LANGUAGE);
    struct sql_function_def f;
    struct sql_compiled c = {.n = 0};
    if ((language && !str_ieq(language->text, STR("SQL"))) || !(ast_get(s, SLOT_EXPR) || ast_get(s, SLOT_QUERY))) return NULL;
    err *e = run_made_function(r, s, &f);
    if (e) { /* the catalog tells what is wrong with the declaration */
        err_free(e);
        return NULL;
    }
    size_t given = 0;
    while (given < f.n && !f.params[given].metadata.n) given++;
    str text = r->text;
    r->made = &f;
    if (!ast_has(s, AST_F_TEMP)) r->view = s;
    e = compile_call(r, &f, f.n, &c);
    if (!e && given < f.n) e = compile_call(r, &f, given, &c);
    r->made = NULL;
    r->view = NULL;
    r->text = text;
    r->temporary = STR_NONE;
    if (!e && c.n_tables && says(s, "contains sql")) return sql_error("INVALID_SQL_FUNCTION_DATA_ACCESS", s, r->text, NULL);
    if (!e || faulty(r, e)) return e;
    err_free(e);
    return NULL;
}

/* after: of a list that came in part, where the next page begins. The first page is short: somebody waits for it. */
#define FIRST_PAGE 1000
#define NEXT_PAGE 10000
static err *put_statement(struct run *r, const struct ast *s, str after, buf *out) {
    if (s->kind == AST_S_CREATE_FUNCTION) TRY(run_check_function(r, s));
    if (s->kind == AST_S_CREATE_FUNCTION && r->n_path) return path_inside(r, s);
    const char *name = s->kind == AST_S_CREATE_VIEW       ? "create_view"
                       : s->kind == AST_S_CREATE_FUNCTION ? "create_function"
                       : s->kind == AST_S_CREATE_TABLE    ? "create_table"
                                                          : NULL;
    buf_z(out, "{\"command\":");
    if (name)
        buf_json_str(out, str_of(name));
    else
        buf_json_str(out, s->text);
    buf_z(out, ",\"current_catalog\":");
    buf_json_str(out, r->env.catalog);
    buf_z(out, ",\"current_schema\":");
    buf_json_str(out, r->env.schema);
    buf_z(out, ",\"statement\":");
    buf_json_str(out, r->text);
    if (name) {
        buf_z(out, ",\"text\":");
        buf_json_str(out, s->text);
    }
    TRY(put_members(r, s, out, 0));
    if (!name && str_starts(s->text, STR("show_"))) buf_fmt(out, ",\"page\":%d", after.n ? NEXT_PAGE : FIRST_PAGE);
    if (after.n) {
        buf_z(out, ",\"after\":");
        buf_json_str(out, after);
    }
    if (s->kind == AST_S_CREATE_VIEW || (s->kind == AST_COMMAND && str_eqz(s->text, "alter_view_query"))) TRY(put_view(r, s, out));
    buf_c(out, '}');
    return NULL;
}

err *run_command(struct run *r, const struct ast *s) {
    if (s->kind != AST_COMMAND && s->kind != AST_S_CREATE_VIEW && s->kind != AST_S_CREATE_FUNCTION && s->kind != AST_S_CREATE_TABLE)
        return sql_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", s, r->text, NULL);
    jval *o = NULL;
    err *e = ask_page(r, s, r->a, STR(""), &o);
    return e ? e : take_answer(r, s, o);
}
