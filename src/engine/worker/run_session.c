/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements that a session carries out by itself: SET, RESET, USE, variables, temporary views, EXPLAIN,
 * DESCRIBE QUERY, EXECUTE IMMEDIATE.
 */
#include <stdlib.h>

#include "engine/worker/script.h"
#include "sql/error.h"
#include "sys/clock.h"

static struct sql_column text_column(const char *name, bool nullable) {
    return (struct sql_column){.name = str_of(name), .type = sql_type_of(TY_STRING), .nullable = nullable};
}

static const char *z(struct run *r, str s) { return arena_strndup(r->a, s.p ? s.p : "", s.n); }

/* ---- SET, RESET ---- */

/* Names that mean the same as another. */
static str setting_name(str key) {
    if (str_ieq(key, STR("spark.sql.session.timeZone"))) return STR("timezone");
    if (str_ieq(key, STR("spark.sql.ansi.enabled"))) return STR("ansi_mode");
    return key;
}

/* A session that has set no zone computes in UTC; its clients read the name that Databricks has for that. */
#define ZONE_UNSET STR("Etc/UTC")

void run_zone(struct run *r) {
    str name = STR_NONE;
    bool set = true;
    if (!r->env.setting(&r->env, STR("timezone"), &name) && !r->env.setting(&r->env, STR("spark.sql.session.timeZone"), &name)) {
        name = STR("UTC");
        set = false;
    }
    r->zone = zone_get(name);
    if (!r->zone) { /* one that SET would have refused */
        r->zone = zone_utc();
        name = STR("UTC");
    }
    r->zone_name = r->env.time_zone = arena_str(r->a, name);
    r->env.time_zone_shown = set ? r->zone_name : ZONE_UNSET;
}

/* '…' or "…" around the value goes. */
static str unquoted(str v) {
    v = str_trim(v);
    if (v.n >= 2 && (v.p[0] == '\'' || v.p[0] == '"') && v.p[v.n - 1] == v.p[0]) return str_n(v.p + 1, v.n - 2);
    return v;
}

/* SET TIME ZONE INTERVAL '10' HOUR: an offset. */
static str zone_of_interval(struct run *r, str v) {
    int64_t n = 0;
    ptrdiff_t q = str_chr(v, '\'', 0);
    bool number = str_starts(v, STR("INTERVAL")) || str_starts(v, STR("interval"));
    if (!number) return v;
    str digits = q >= 0 ? str_from(v, (size_t)q + 1) : str_trim(str_from(v, 8));
    size_t k = digits.n && (digits.p[0] == '-' || digits.p[0] == '+');
    while (k < digits.n && digits.p[k] >= '0' && digits.p[k] <= '9') k++;
    if (!str_to_i64(str_n(digits.p + (digits.n && digits.p[0] == '+'), k - (digits.n && digits.p[0] == '+')), &n) || n < -18 || n > 18) return v;
    return str_of(arena_printf(r->a, "%c%02d:00", n < 0 ? '-' : '+', (int)(n < 0 ? -n : n)));
}

static err *check_setting(struct run *r, str key, str *value) {
    if (str_ieq(key, STR("timezone"))) {
        *value = zone_of_interval(r, *value);
        if (str_ieq(*value, STR("LOCAL"))) *value = STR("UTC");
        if (!zone_get(*value))
            return sql_error("INVALID_CONF_VALUE.TIME_ZONE", NULL, r->text, "confName", "spark.sql.session.timeZone", "confValue",
                             z(r, *value), NULL);
    }
    if (str_ieq(key, STR("ansi_mode")) && !str_ieq(*value, STR("true")) && !str_ieq(*value, STR("false")))
        return sql_error("INVALID_CONF_VALUE.TYPE_MISMATCH", NULL, r->text, "confName", "ansi_mode", "confValue", z(r, *value),
                         "confType", "boolean", NULL);
    return NULL;
}

static err *show_settings(struct run *r, bool verbose) {
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 4);
    const char *const names[] = {"key", "value", "meaning", "Since version"};
    size_t n = verbose ? 4 : 2;
    for (size_t i = 0; i < n; i++) cols[i] = text_column(names[i], false);
    struct session *s = r->st->s;
    pthread_mutex_lock(&s->lock);
    size_t rows = s->conf.n;
    str *cells = arena_array_of(r->a, str, rows * n + 1);
    for (size_t i = 0; i < rows; i++) {
        cells[i * n] = arena_str(r->a, str_of(s->conf.p[i].name));
        cells[i * n + 1] = arena_str(r->a, str_of(s->conf.p[i].value));
        if (verbose) cells[i * n + 2] = cells[i * n + 3] = STR("");
    }
    pthread_mutex_unlock(&s->lock);
    return run_table(r, cols, n, cells, rows);
}

static err *run_set(struct run *r, const struct ast *s) {
    str key = setting_name(s->text);
    const struct ast *value = ast_get(s, SLOT_VALUE);
    if (ast_get(s, SLOT_NAMES)) return run_set_path(r, s);
    if (!key.n) return show_settings(r, ast_has(s, AST_F_ALL));
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 2);
    str *cells = arena_array_of(r->a, str, 2);
    cols[0] = text_column("key", false);
    cols[1] = text_column("value", false);
    cells[0] = s->text;
    if (value) {
        str v = unquoted(value->text), last = key;
        ptrdiff_t dot;
        while ((dot = str_chr(last, '.', 0)) >= 0) last = str_from(last, (size_t)dot + 1);
        bool plain = last.n == key.n || str_ieq(str_cut(key, key.n - last.n), STR("session.")) || str_ieq(str_cut(key, key.n - last.n), STR("system.session."));
        struct session_variable other;
        if (plain && session_get_variable(r->st->s, r->a, last, &other)) {
            buf b = {0};
            for (size_t i = 0; i < key.n; i++) {
                if (i == 0 || key.p[i - 1] == '.') buf_c(&b, '`');
                if (key.p[i] == '.') buf_c(&b, '`');
                buf_c(&b, key.p[i]);
            }
            buf_c(&b, '`');
            str shown = arena_str(r->a, buf_view(&b));
            buf_free(&b);
            return sql_error("UNSUPPORTED_FEATURE.SET_VARIABLE_USING_SET", NULL, r->text, "variableName", z(r, shown), NULL);
        }
        TRY(check_setting(r, key, &v));
        session_set(r->st->s, key, v);
        r->session_changed = true;
        cells[1] = v;
        if (str_ieq(key, STR("timezone"))) cells[0] = STR("spark.sql.session.timeZone");
    } else if (!r->env.setting(&r->env, key, &cells[1])) {
        cells[1] = str_ieq(key, STR("timezone")) ? ZONE_UNSET : str_ieq(key, STR("ansi_mode")) ? STR("true") : STR("<undefined>");
    }
    return run_table(r, cols, 2, cells, 1);
}

static err *run_reset(struct run *r, const struct ast *s) {
    if (s->text.n) {
        (void)session_unset(r->st->s, setting_name(s->text));
    } else {
        struct session *x = r->st->s;
        pthread_mutex_lock(&x->lock);
        for (size_t i = 0; i < x->conf.n; i++) {
            free(x->conf.p[i].name);
            free(x->conf.p[i].value);
        }
        x->conf.n = 0;
        pthread_mutex_unlock(&x->lock);
    }
    r->session_changed = true;
    return NULL;
}

/* ---- USE: control knows whether it is there and may be used ---- */

static err *run_use(struct run *r, const struct ast *s) {
    buf j = {0};
    buf_fmt(&j, "{\"command\":\"use\",\"kind\":\"%.*s\",\"catalog\":", STR_ARG(s->text));
    buf_json_str(&j, r->env.catalog);
    buf_z(&j, ",\"schema\":");
    buf_json_str(&j, r->env.schema);
    buf_z(&j, ",\"name\":");
    err *e = run_node_json(r, ast_get(s, SLOT_NAME), &j);
    buf_c(&j, '}');
    jval *o = NULL;
    if (!e) e = statement_ask(r->st, r->a, STR("command"), buf_view(&j), &o, NULL);
    buf_free(&j);
    if (e) return e;
    session_use(r->st->s, json_get_str(o, "catalog"), json_get_str(o, "schema"));
    r->session_changed = true;
    return NULL;
}

/* ---- variables ---- */

/* Text of DuckDB that yields the value again. */
str run_literal(struct run *r, const struct sql_type *t, str text) {
    buf b = {0}, type = {0};
    sql_type_write_duckdb(t, &type);
    buf_z(&b, "CAST(");
    if (!text.p) {
        buf_z(&b, "NULL");
    } else {
        buf_c(&b, '\'');
        for (size_t i = 0; i < text.n; i++) {
            if (text.p[i] == '\'') buf_c(&b, '\'');
            buf_c(&b, text.p[i]);
        }
        buf_c(&b, '\'');
    }
    buf_fmt(&b, " AS %.*s)", STR_ARG(buf_view(&type)));
    str s = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    buf_free(&type);
    return s;
}

str run_type_text(struct run *r, const struct sql_type *t) {
    buf b = {0};
    sql_type_write(t, &b);
    str s = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return s;
}

static struct ast *cast_of(struct run *r, struct ast *expr, struct ast *type) {
    struct ast *c = ast_new(r->a, AST_CAST, expr->pos, expr->end);
    ast_add(r->a, c, expr);
    ast_set(r->a, c, SLOT_TYPE, type);
    return c;
}

static bool is_session(const str *parts, size_t n);

static str dotted_name(struct run *r, const str *parts, size_t n) {
    buf b = {0};
    for (size_t i = 0; i < n; i++) buf_fmt(&b, "%s`%.*s`", i ? "." : "", STR_ARG(parts[i]));
    str s = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return s;
}

char *run_heap(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

static bool local_variable(struct run *r, const str *parts, size_t n, struct session_variable *ret) {
    return r->script && !r->no_locals && script_get(r->script, r->a, parts, n, ret);
}

bool run_variable(struct run *r, const str *parts, size_t n, struct session_variable *ret) {
    return local_variable(r, parts, n, ret) || (is_session(parts, n) && session_get_variable(r->st->s, r->a, parts[n - 1], ret));
}

bool run_same_variable(struct run *r, const str *a, size_t n, const str *b, size_t m) {
    struct session_variable v, w;
    bool here = local_variable(r, a, n, &v), there = local_variable(r, b, m, &w);
    if (here || there) return here && there && script_same(r->script, a, n, b, m);
    return str_ieq(a[n - 1], b[m - 1]) && run_variable(r, a, n, &v);
}

static void put_variable(struct run *r, const str *parts, size_t n, str duckdb) {
    struct session_variable v;
    if (local_variable(r, parts, n, &v))
        script_put(r->script, parts, n, duckdb);
    else
        session_assign(r->st->s, parts[n - 1], duckdb);
}

/* What DECLARE in a script may not be. */
static err *check_local(struct run *r, const struct ast *s) {
    struct ast *names = ast_get(s, SLOT_NAME), *value = ast_get(s, SLOT_DEFAULT);
    for (uint32_t i = 0; i < names->n; i++) {
        str *parts, *others;
        size_t n, m;
        TRY(run_name(r, names->child[i], &parts, &n));
        const char *shown = z(r, dotted_name(r, parts, n));
        if (ast_has(s, AST_F_REPLACE)) return sql_error("INVALID_VARIABLE_DECLARATION.REPLACE_LOCAL_VARIABLE", s, r->text, "varName", shown, NULL);
        if (n > 1) return sql_error("INVALID_VARIABLE_DECLARATION.QUALIFIED_LOCAL_VARIABLE", s, r->text, "varName", shown, NULL);
        for (uint32_t k = 0; k < i; k++) {
            TRY(run_name(r, names->child[k], &others, &m));
            if (str_ieq(others[m - 1], parts[0])) return sql_error("DUPLICATE_VARIABLE_NAME_INSIDE_DECLARE", s, r->text, "variableName", shown, NULL);
        }
        if (value && ast_has_query(value))
            return sql_error("INVALID_DEFAULT_VALUE.SUBQUERY_EXPRESSION", s, r->text, "statement", "DECLARE VARIABLE", "colName", shown, "defaultValue",
                             z(r, run_source(r, value)), NULL);
    }
    return NULL;
}

static err *run_declare(struct run *r, const struct ast *s) {
    struct ast *names = ast_get(s, SLOT_NAME), *type = ast_get(s, SLOT_TYPE);
    struct ast *value = ast_get(s, SLOT_DEFAULT);
    struct sql_compiled c;
    str *out;
    bool local = r->script && !r->no_locals;
    if (local) TRY(check_local(r, s));
    if (!value) value = ast_new(r->a, AST_LIT_NULL, s->pos, s->end);
    struct ast *expr = type ? cast_of(r, value, type) : value;
    TRY(run_values(r, &expr, 1, &c, &out));
    for (uint32_t i = 0; i < names->n; i++) {
        str *parts;
        size_t k;
        struct session_variable old;
        TRY(run_name(r, names->child[i], &parts, &k));
        if (local) {
            TRY(script_declare(r, names->child[i], parts[0], run_type_text(r, c.cols[0].type), run_literal(r, c.cols[0].type, out[0])));
            continue;
        }
        if (!is_session(parts, k))
            return sql_error("UNRESOLVED_VARIABLE", names->child[i], r->text, "variableName", z(r, dotted_name(r, parts, k)), "searchPath",
                             "[`system`.`session`]", NULL);
        if (!ast_has(s, AST_F_REPLACE) && session_get_variable(r->st->s, r->a, parts[k - 1], &old))
            return sql_error("VARIABLE_ALREADY_EXISTS", names->child[i], r->text, "variableName",
                             arena_printf(r->a, "`system`.`session`.`%.*s`", STR_ARG(parts[k - 1])), NULL);
        session_declare(r->st->s, parts[k - 1], run_type_text(r, c.cols[0].type), run_literal(r, c.cols[0].type, out[0]));
    }
    return NULL;
}

/* The type of a variable as the tree of a CAST's type; NULL where there is no such variable (said later). */
static err *type_of_variable(struct run *r, const struct ast *name, struct ast **ret) {
    struct session_variable v;
    str *parts;
    size_t k;
    struct ast *expr = NULL;
    *ret = NULL;
    TRY(run_name(r, name, &parts, &k));
    if (!run_variable(r, parts, k, &v)) return NULL;
    TRY(sql_parse_expr(r->a, str_of(arena_printf(r->a, "CAST(NULL AS %s)", v.type)), &expr));
    *ret = ast_get(expr, SLOT_TYPE);
    return NULL;
}

static bool is_nested(const struct sql_type *t) {
    return t->kind == TY_ARRAY || t->kind == TY_MAP || t->kind == TY_STRUCT || t->kind == TY_VARIANT || t->kind == TY_VOID;
}

/* Assigns texts of another type: through the variable's own. */
err *run_assign(struct run *r, const struct ast *name, const struct sql_type *from, str text) {
    struct session_variable v;
    str *parts;
    size_t k;
    const struct sql_type *to;
    struct ast *type;
    TRY(run_name(r, name, &parts, &k));
    if (!run_variable(r, parts, k, &v))
        return sql_error("UNRESOLVED_VARIABLE", name, r->text, "variableName", z(r, dotted_name(r, parts, k)), "searchPath",
                         arena_printf(r->a, "[`system`.`builtin`, `system`.`session`, `%.*s`.`%.*s`]", STR_ARG(r->env.catalog), STR_ARG(r->env.schema)), NULL);
    TRY(sql_type_parse(r->a, str_of(v.type), &to));
    if (text.p && !str_eqz(run_type_text(r, from), v.type)) { /* CAST(value AS its type), by the dialect's rules */
        struct sql_compiled c;
        str *out;
        TRY(type_of_variable(r, name, &type));
        struct ast *value = ast_text(r->a, AST_LIT_STRING, text), *own = NULL;
        if (!sql_is_text(from) && !is_nested(from)) { /* as the value that it is, not as its text */
            TRY(sql_parse_expr(r->a, str_of(arena_printf(r->a, "CAST(NULL AS %.*s)", STR_ARG(run_type_text(r, from)))), &own));
            value = cast_of(r, value, ast_get(own, SLOT_TYPE));
        }
        struct ast *cast = cast_of(r, value, type);
        TRY(run_values(r, &cast, 1, &c, &out));
        text = out[0];
    }
    put_variable(r, parts, k, run_literal(r, to, text));
    return NULL;
}

static err *not_twice(struct run *r, const struct ast *s, uint32_t i) {
    str *a, *b;
    size_t n, m;
    TRY(run_name(r, s->child[i]->child[0], &a, &n));
    for (uint32_t k = 0; k < i; k++) {
        TRY(run_name(r, s->child[k]->child[0], &b, &m));
        if (run_same_variable(r, a, n, b, m))
            return sql_error("DUPLICATE_ASSIGNMENTS", NULL, r->text, "nameList", arena_printf(r->a, "`%.*s`", STR_ARG(b[m - 1])), NULL);
    }
    return NULL;
}

static err *names_twice(struct run *r, const struct ast *names) {
    str *a, *b;
    size_t n, m;
    for (uint32_t i = 0; i < names->n; i++) {
        TRY(run_name(r, names->child[i], &a, &n));
        for (uint32_t k = 0; k < i; k++) {
            TRY(run_name(r, names->child[k], &b, &m));
            if (run_same_variable(r, a, n, b, m))
                return sql_error("DUPLICATE_ASSIGNMENTS", NULL, r->text, "nameList", arena_printf(r->a, "`%.*s`", STR_ARG(b[m - 1])), NULL);
        }
    }
    return NULL;
}

/* Variables live in system.session. */
static bool is_session(const str *parts, size_t n) {
    return n == 1 || (n == 2 && str_ieq(parts[0], STR("session"))) || (n == 3 && str_ieq(parts[0], STR("system")) && str_ieq(parts[1], STR("session")));
}

static err *run_set_variables(struct run *r, const struct ast *s) {
    struct ast *names = ast_get(s, SLOT_NAMES), *query = ast_get(s, SLOT_QUERY);
    struct sql_compiled c;
    str *out;
    size_t rows = 0;
    if (names) {
        TRY(names_twice(r, names));
        TRY(sql_compile(&r->env, query, &c));
        if (c.n != names->n)
            return sql_error("ASSIGNMENT_ARITY_MISMATCH", names, r->text, "numTarget", arena_printf(r->a, "%u", names->n), "numExpr",
                             arena_printf(r->a, "%zu", c.n), NULL);
        TRY(run_capture(r, &c, 2, &out, &rows));
        if (rows > 1) return sql_error("ROW_SUBQUERY_TOO_MANY_ROWS", NULL, r->text, NULL);
        for (size_t i = 0; i < names->n; i++) TRY(run_assign(r, names->child[i], c.cols[i].type, rows ? out[i] : STR_NONE));
        return NULL;
    }
    struct ast **exprs = arena_array_of(r->a, struct ast *, s->n + 1);
    for (uint32_t i = 0; i < s->n; i++) {
        TRY(not_twice(r, s, i));
        exprs[i] = s->child[i]->child[1];
        if (exprs[i]->kind == AST_DEFAULT) exprs[i] = ast_new(r->a, AST_LIT_NULL, exprs[i]->pos, exprs[i]->end);
        struct ast *type;
        TRY(type_of_variable(r, s->child[i]->child[0], &type));
        if (type) exprs[i] = cast_of(r, exprs[i], type);
    }
    TRY(run_values(r, exprs, s->n, &c, &out)); /* all before the first is assigned */
    for (uint32_t i = 0; i < s->n; i++) {
        TRY(run_assign(r, s->child[i]->child[0], c.cols[i].type, out[i]));
        if (s->child[i]->child[1]->kind != AST_DEFAULT) continue;
        str *parts;
        size_t k;
        TRY(run_name(r, s->child[i]->child[0], &parts, &k));
        put_variable(r, parts, k, STR_NONE);
    }
    return NULL;
}

err *run_set_variable(struct run *r, struct ast *name, struct ast *expr) {
    struct ast *s = ast_new(r->a, AST_S_SET_VAR, name->pos, expr->end), *a = ast_new(r->a, AST_ASSIGN, name->pos, expr->end);
    ast_add(r->a, a, name);
    ast_add(r->a, a, expr);
    ast_add(r->a, s, a);
    return run_set_variables(r, s);
}

/* ---- temporary views ---- */

static err *run_temp_view(struct run *r, const struct ast *s) {
    str *parts, text = s->text;
    size_t n;
    struct sql_compiled c;
    struct temp_view old;
    const struct ast *name = ast_get(s, SLOT_NAME), *cols = ast_get(s, SLOT_COLUMNS);
    bool global = ast_has(s, AST_F_GLOBAL);
    struct ast *query = ast_get(s, SLOT_QUERY);
    TRY(run_name(r, name, &parts, &n));
    bool exists = session_get_view(r->st->s, r->a, parts[n - 1], global, &old);
    if (exists && ast_has(s, AST_F_IF_NOT_EXISTS)) return NULL;
    if (exists && !ast_has(s, AST_F_REPLACE))
        return sql_error("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", name, r->text, "relationName",
                         arena_printf(r->a, "`%.*s`", STR_ARG(parts[n - 1])), NULL);
    if (!query) {
        struct ast **list;
        size_t statements;
        TRY(run_using(r, s, &text));
        TRY(sql_parse(r->a, text, &list, &statements));
        query = list[0];
        cols = NULL; /* the query has them */
    }
    TRY(sql_compile(&r->env, query, &c));
    if (cols) {
        if (cols->n != c.n)
            return sql_error(cols->n < c.n ? "CREATE_VIEW_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS"
                                           : "CREATE_VIEW_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS",
                             name, r->text, "viewName", arena_printf(r->a, "`%.*s`", STR_ARG(parts[n - 1])), "viewColumns", "",
                             "dataColumns", "", NULL);
        buf b = {0};
        buf_fmt(&b, "SELECT * FROM (%.*s) AS __view(", STR_ARG(text));
        for (uint32_t i = 0; i < cols->n; i++) {
            if (i) buf_c(&b, ',');
            buf_c(&b, '`');
            for (size_t k = 0; k < cols->child[i]->text.n; k++) {
                if (cols->child[i]->text.p[k] == '`') buf_c(&b, '`');
                buf_c(&b, cols->child[i]->text.p[k]);
            }
            buf_c(&b, '`');
        }
        buf_c(&b, ')');
        text = arena_str(r->a, buf_view(&b));
        buf_free(&b);
    }
    session_put_view(r->st->s, parts[n - 1], global, text, r->env.catalog, r->env.schema);
    return NULL;
}

/* DROP VIEW, DROP TABLE of a temporary view; not taken: the catalog's. */
static err *run_drop(struct run *r, const struct ast *s, bool *ret_taken) {
    str *parts;
    size_t n;
    const struct ast *name = ast_get(s, SLOT_NAME);
    if (!name) return NULL;
    TRY(run_name(r, name, &parts, &n));
    if (str_eqz(s->text, "drop_variable")) {
        *ret_taken = true;
        if (session_drop_variable(r->st->s, parts[n - 1]) || ast_has(s, AST_F_IF_EXISTS)) return NULL;
        return sql_error("VARIABLE_NOT_FOUND", name, r->text, "variableName",
                         arena_printf(r->a, "`system`.`session`.`%.*s`", STR_ARG(parts[n - 1])), NULL);
    }
    bool global = n == 2 && str_ieq(parts[0], STR("global_temp"));
    if ((n == 1 || global) && session_drop_view(r->st->s, parts[n - 1], global)) *ret_taken = true;
    return NULL;
}

/* ---- EXPLAIN, DESCRIBE QUERY ---- */

static err *run_describe(struct run *r, const struct ast *s) {
    struct sql_compiled c;
    TRY(sql_compile(&r->env, ast_get(s, SLOT_QUERY), &c));
    return run_schema(r, &c);
}

static err *explain_query(struct run *r, const struct ast *query, buf *out) {
    struct sql_compiled c;
    TRY(sql_compile(&r->env, query, &c));
    if (c.secured) { /* estimates and folded conditions tell of rows that the reader may not see */
        buf_z(out, "== Physical Plan ==\nNot shown: the query reads a table with a row filter or column masks, or a view of another owner.");
        return NULL;
    }
    TRY(run_connection(r));
    duckdb_result q;
    char *text = arena_printf(r->a, "EXPLAIN %.*s", STR_ARG(c.duckdb));
    TRY(duck_run(r->con, text, &q));
    buf_z(out, "== Physical Plan ==\n");
    duckdb_data_chunk chunk;
    idx_t last = duckdb_column_count(&q) - 1;
    while ((chunk = duckdb_fetch_chunk(q))) {
        duckdb_string_t *s = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, last));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
            buf_add(out, duckdb_string_t_data(&s[i]), duckdb_string_t_length(s[i]));
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&q);
    return NULL;
}

/* An error in the statement is what its plan says, as Spark does. */
static err *run_explain(struct run *r, const struct ast *s) {
    buf plan = {0};
    const struct ast *inner = s->n ? s->child[0] : NULL;
    err *e = ast_is(inner, AST_S_QUERY) ? explain_query(r, inner, &plan) : NULL;
    if (e) {
        buf_clear(&plan);
        buf_fmt(&plan, "Error occurred during query planning: \n%s", err_msg(e));
        err_free(e);
    } else if (!plan.n) {
        buf_fmt(&plan, "== Physical Plan ==\nExecute %.*s", STR_ARG(inner ? run_source(r, inner) : STR("")));
    }
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 1);
    str *cells = arena_array_of(r->a, str, 1);
    cols[0] = text_column("plan", false);
    cells[0] = arena_str(r->a, buf_view(&plan));
    buf_free(&plan);
    return run_table(r, cols, 1, cells, 1);
}

/* ---- EXECUTE IMMEDIATE ---- */

err *run_params(struct run *r, const struct ast *using_) {
    size_t n = using_ ? using_->n : 0;
    struct sql_param *p = arena_array_of(r->a, struct sql_param, n + 1);
    struct ast **exprs = arena_array_of(r->a, struct ast *, n + 1);
    struct sql_compiled c;
    str *out;
    for (size_t i = 0; i < n; i++) {
        struct ast *x = using_->child[i];
        p[i].name = x->kind == AST_ALIAS ? x->text : STR("");
        exprs[i] = x->kind == AST_ALIAS ? x->child[0] : x;
    }
    if (n) TRY(run_values(r, exprs, n, &c, &out));
    for (size_t i = 0; i < n; i++) {
        p[i].type = c.cols[i].type;
        p[i].value = out[i];
    }
    r->env.params = p;
    r->env.n_params = n;
    return NULL;
}

static const char *upper_z(struct run *r, str s) {
    char *out = arena_strndup(r->a, s.p, s.n);
    for (char *p = out; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    return out;
}

static err *run_into(struct run *r, const struct ast *into, struct ast *inner) {
    struct sql_compiled c;
    str *out;
    size_t rows = 0;
    if (inner->kind == AST_S_SCRIPT) return sql_error("SQL_SCRIPT_IN_EXECUTE_IMMEDIATE", NULL, r->text, "sqlString", z(r, r->text), NULL);
    if (inner->kind != AST_S_QUERY) return sql_error("INVALID_STATEMENT_FOR_EXECUTE_INTO", into, r->text, "sqlString", upper_z(r, r->text), NULL);
    TRY(sql_compile(&r->env, inner, &c));
    if (c.n != into->n)
        return sql_error("ASSIGNMENT_ARITY_MISMATCH", NULL, r->text, "numTarget", arena_printf(r->a, "%u", into->n), "numExpr",
                         arena_printf(r->a, "%zu", c.n), NULL);
    TRY(run_capture(r, &c, 2, &out, &rows));
    if (rows > 1) return sql_error("ROW_SUBQUERY_TOO_MANY_ROWS", NULL, r->text, NULL);
    r->no_locals = false; /* the targets are named outside of the text */
    for (size_t i = 0; i < into->n; i++) TRY(run_assign(r, into->child[i], c.cols[i].type, rows ? out[i] : STR_NONE));
    return NULL;
}

/* Markers in a statement: named ones, and question marks. */
static void count_markers(const struct ast *n, size_t *named, size_t *plain) {
    if (!n) return;
    if (n->kind == AST_PARAM) ++*(n->text.n ? named : plain);
    for (uint32_t i = 0; i < n->n; i++) count_markers(n->child[i], named, plain);
    for (uint32_t i = 0; i < n->n_slots; i++) count_markers(n->slot[i].node, named, plain);
}

/* A subquery is no value for a parameter, nor the text of a statement. */
static err *no_subquery(struct run *r, const struct ast *x) {
    if (!ast_has_query(x)) return NULL;
    bool bare = x->kind == AST_SUBQUERY;
    return sql_error("UNSUPPORTED_EXPR_FOR_PARAMETER", x, r->text, "invalidExprSql", bare ? "\"scalarsubquery()\"" : arena_printf(r->a, "\"%s\"", z(r, run_source(r, x))), NULL);
}

/* What is handed to a statement: values, which all have names where its markers have. */
static err *check_using(struct run *r, const struct ast *using_, str text) {
    struct ast **list;
    size_t n, named = 0, plain = 0;
    buf unnamed = {0};
    for (uint32_t i = 0; using_ && i < using_->n; i++) {
        const struct ast *x = using_->child[i];
        TRY(no_subquery(r, x->kind == AST_ALIAS ? x->child[0] : x));
        if (x->kind != AST_ALIAS) buf_fmt(&unnamed, "%s\"%s\"", unnamed.n ? ", " : "", z(r, run_source(r, x)));
    }
    const char *exprs = z(r, arena_str(r->a, buf_view(&unnamed)));
    buf_free(&unnamed);
    err *e = sql_parse(r->a, text, &list, &n);
    if (e) { /* told when the statement runs */
        err_free(e);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) count_markers(list[i], &named, &plain);
    if (named && plain) return sql_error("INVALID_QUERY_MIXED_QUERY_PARAMETERS", NULL, r->text, NULL);
    if (named && exprs[0]) return sql_error("ALL_PARAMETERS_MUST_BE_NAMED", using_, r->text, "exprs", exprs, NULL);
    return NULL;
}

static err *check_into(struct run *r, const struct ast *into) {
    for (uint32_t i = 0; into && i < into->n; i++)
        for (uint32_t k = 0; k < i; k++) {
            str x = run_source(r, into->child[i]);
            if (str_ieq(x, run_source(r, into->child[k]))) return sql_error("DUPLICATE_ASSIGNMENTS", into, r->text, "nameList", arena_printf(r->a, "`%.*s`", STR_ARG(x)), NULL);
        }
    return NULL;
}

static err *run_immediate(struct run *r, const struct ast *s) {
    struct ast *expr = ast_get(s, SLOT_EXPR);
    const struct ast *into = ast_get(s, SLOT_INTO);
    struct sql_compiled c;
    str *out;
    struct ast **list;
    size_t n;
    if (++r->immediate > RUN_MAX_IMMEDIATE) return err_new(ERR_SQL_ERROR, "[RECURSION_LEVEL_LIMIT_EXCEEDED] EXECUTE IMMEDIATE is nested too deeply. SQLSTATE: 42836");
    TRY(no_subquery(r, expr));
    TRY(check_into(r, into));
    TRY(run_values(r, &expr, 1, &c, &out));
    if (!sql_is_text(c.cols[0].type) && c.cols[0].type->kind != TY_VOID) {
        buf t = {0};
        sql_type_write_sql(c.cols[0].type, &t);
        const char *shown = arena_printf(r->a, "\"%.*s\"", (int)t.n, t.p);
        buf_free(&t);
        return sql_error("INVALID_EXPR_TYPE_FOR_QUERY_EXECUTE_IMMEDIATE", expr, r->text, "exprType", shown, NULL);
    }
    if (!out[0].p) return sql_error("NULL_QUERY_STRING_EXECUTE_IMMEDIATE", expr, r->text, "varName", arena_printf(r->a, "`%s`", z(r, run_source(r, expr))), NULL);
    TRY(check_using(r, ast_get(s, SLOT_USING), out[0]));
    TRY(run_params(r, ast_get(s, SLOT_USING)));
    r->text = out[0];
    r->no_locals = true;
    if (!into) return run_text(r);
    TRY(sql_parse(r->a, r->text, &list, &n));
    if (n != 1) return err_new(ERR_SQL_ERROR, "[PARSE_SYNTAX_ERROR] EXECUTE IMMEDIATE takes one statement. SQLSTATE: 42601");
    return run_into(r, into, list[0]);
}

/* SHOW COLLATIONS [LIKE 'pattern']: * is any text. */
static err *show_collations(struct run *r, const struct ast *s) {
    const struct ast *pattern = ast_get(s, SLOT_PATTERN);
    struct sql_compiled c;
    struct ast **list;
    size_t n;
    buf b = {0};
    buf_z(&b, "SELECT * FROM collations()");
    if (pattern) buf_z(&b, " WHERE upper(name) LIKE upper('");
    for (size_t i = 0; pattern && i < pattern->text.n; i++) {
        char ch = pattern->text.p[i];
        if (ch == '\'' || ch == '\\') continue; /* no name has them */
        if (ch == '_' || ch == '%') buf_z(&b, "\\\\");
        buf_c(&b, ch == '*' ? '%' : ch);
    }
    if (pattern) buf_z(&b, "')");
    str text = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    TRY(sql_parse(r->a, text, &list, &n));
    TRY(sql_compile(&r->env, list[0], &c));
    return run_compiled(r, &c);
}

/* ---- by kind ---- */

err *run_session(struct run *r, const struct ast *s, bool *ret_taken) {
    *ret_taken = true;
    switch (s->kind) {
    case AST_S_SET: return run_set(r, s);
    case AST_S_RESET: return run_reset(r, s);
    case AST_S_USE: return run_use(r, s);
    case AST_S_DECLARE: return run_declare(r, s);
    case AST_S_SET_VAR: return run_set_variables(r, s);
    case AST_S_DESCRIBE_QUERY: return run_describe(r, s);
    case AST_S_EXPLAIN: return run_explain(r, s);
    case AST_S_EXECUTE_IMMEDIATE: return run_immediate(r, s);
    case AST_S_CREATE_VIEW:
        if (ast_has(s, AST_F_TEMP) || ast_has(s, AST_F_GLOBAL)) return run_temp_view(r, s);
        break;
    case AST_S_CREATE_FUNCTION:
        if (ast_has(s, AST_F_TEMP)) return run_temp_function(r, s);
        break;
    case AST_COMMAND:
        if (str_eqz(s->text, "drop_function") && ast_has(s, AST_F_TEMP)) return run_drop_function(r, s);
        if (str_eqz(s->text, "show_collations")) return show_collations(r, s);
        *ret_taken = false;
        if (str_eqz(s->text, "drop_view") || str_eqz(s->text, "drop_table") || str_eqz(s->text, "drop_variable"))
            return run_drop(r, s, ret_taken);
        if (str_eqz(s->text, "describe_function")) return run_describe_function(r, s, ret_taken);
        if (str_eqz(s->text, "describe_table") || str_eqz(s->text, "show_columns")) return run_view(r, s, ret_taken);
        return NULL;
    default: break;
    }
    *ret_taken = false;
    return NULL;
}
