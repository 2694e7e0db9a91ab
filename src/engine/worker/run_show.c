/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SHOW and DESCRIBE have besides control's answer: the session's temporary views among tables and views, and both commands as
 * relations: FROM (DESCRIBE HISTORY t), FROM (SHOW TABLES).
 */
#include "engine/worker/run.h"
#include "engine/worker/scan_int.h"
#include "engine/worker/txn.h"
#include "sql/error.h"

/* ---- temporary views ---- */

/* A name by one pattern: * is any text, | lies between patterns; without case. */
static bool matches_one(str pattern, str name) {
    size_t p = 0, i = 0, star = (size_t)-1, back = 0;
    while (i < name.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            back = i;
        } else if (p < pattern.n && (pattern.p[p] == '.' || str_ieq(str_n(pattern.p + p, 1), str_n(name.p + i, 1)))) {
            p++, i++;
        } else if (star != (size_t)-1) {
            p = star + 1;
            i = ++back;
        } else
            return false;
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

static bool matches(str pattern, str name) {
    if (!pattern.p) return true;
    for (str part; str_split(&pattern, '|', &part);)
        if (matches_one(str_trim(part), name)) return true;
    return false;
}

static bool lists_views(const struct ast *s, size_t n, bool *ret_global) {
    const struct ast *schema = ast_get(s, SLOT_SCHEMA);
    *ret_global = ast_is(schema, AST_NAME) && schema->n && str_ieq(schema->child[schema->n - 1]->text, STR("global_temp"));
    if (s->kind != AST_COMMAND || ast_get(s, SLOT_CATALOG) || ast_has(s, AST_F_ALL)) return false;
    return (str_eqz(s->text, "show_tables") && n == 3) || (str_eqz(s->text, "show_views") && n == 4);
}

err *run_temporary_rows(struct run *r, const struct ast *s, size_t n, str **cells, size_t *rows) {
    const struct ast *pattern = ast_get(s, SLOT_PATTERN);
    struct session *x = r->st->s;
    bool global;
    if (!lists_views(s, n, &global)) return NULL;
    pthread_mutex_lock(&x->lock);
    str *all = arena_array_of(r->a, str, n * (*rows + x->views.n) + 1);
    if (*rows) memcpy(all, *cells, sizeof(str) * n * *rows);
    for (size_t i = 0; i < x->views.n; i++) {
        const struct temp_view *v = &x->views.p[i];
        if ((v->global && !global) || !matches(pattern ? pattern->text : STR_NONE, str_of(v->name))) continue;
        str *row = all + n * (*rows)++;
        row[0] = v->global ? STR("global_temp") : STR("");
        row[1] = arena_str(r->a, str_of(v->name));
        row[2] = STR("true");
        if (n > 3) row[3] = STR("false");
    }
    pthread_mutex_unlock(&x->lock);
    *cells = all;
    return NULL;
}

/* ---- in FROM ---- */

static err *refused(struct run *r, const struct ast *from) {
    return sql_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", from, r->text, "what", "SHOW or DESCRIBE within a view or function", NULL);
}

err *run_from_command(struct run *r, const struct ast *from, struct sql_relation **ret) {
    struct run_capture *c = arena_new_of(r->a, struct run_capture);
    struct ast *s = NULL;
    /* The text of a view or function is its owner's; what a command shows is the reader's. */
    if (r->view || str_chr(r->env.catalog, SQL_MARK, 0) >= 0) return refused(r, from);
    if (r->capture) return err_new(ERR_INTERNAL_ERROR, "a command in FROM reads another");
    struct run x = {.st = r->st, .a = r->a, .text = from->text, .type = r->type, .modified_rows = -1, .keep_connections = true, .level = RUN_LEVELS - 1,
                    .script = r->script, .no_locals = true, .in_txn = r->in_txn, .in_block = r->in_block, .capture = c};
    run_env(&x);
    x.env.text = x.text;
    err *e = sql_parse_one(r->a, x.text, &s);
    if (!e) e = run_statement(&x, s);
    run_end(&x);
    r->session_changed |= x.session_changed;
    if (e) return e;
    struct sql_relation *rel = arena_new_of(r->a, struct sql_relation);
    struct sql_field *cols = arena_array_of(r->a, struct sql_field, c->n + 1);
    for (size_t i = 0; i < c->n; i++) cols[i] = (struct sql_field){.name = c->cols[i].name, .type = c->cols[i].type, .nullable = true, .comment = c->cols[i].comment};
    *rel = (struct sql_relation){.kind = REL_TABLE, .cols = cols, .n = c->n};
    struct run_rows *rows = arena_new_of(r->a, struct run_rows);
    *rows = (struct run_rows){.rel = rel, .here = c, .next = r->rows};
    r->rows = rows;
    *ret = rel;
    return NULL;
}

static void put_value(const struct sql_type *t, str cell, bool micros, buf *out) {
    buf type = {0};
    sql_type_write_duckdb(t, &type);
    bool instant = micros && cell.p && (t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ);
    buf_z(out, !instant ? "CAST(" : t->kind == TY_TIMESTAMP ? "make_timestamptz(" : "make_timestamp(");
    if (!cell.p)
        buf_z(out, "NULL");
    else if (instant)
        buf_str(out, cell);
    else
        scan_quote_text(cell, out);
    if (!instant) buf_fmt(out, " AS %.*s", STR_ARG(buf_view(&type)));
    buf_c(out, ')');
    buf_free(&type);
}

void run_emit_capture(const struct sql_scan_ask *ask, const struct run_capture *c, buf *out) {
    size_t rows = c->rows ? c->rows : 1;
    buf_z(out, "(SELECT * FROM (VALUES ");
    for (size_t i = 0; i < rows; i++) {
        buf_z(out, i ? ",(0" : "(0");
        for (size_t k = 0; k < c->n; k++) {
            if (!ask->used[k]) continue;
            buf_c(out, ',');
            put_value(c->cols[k].type, c->rows ? c->cells[i * c->n + k] : STR_NONE, c->micros, out);
        }
        buf_c(out, ')');
    }
    buf_z(out, ") AS v(_bh_none");
    for (size_t k = 0; k < c->n; k++) {
        if (!ask->used[k]) continue;
        buf_c(out, ',');
        scan_quote_ident(c->cols[k].name, out);
    }
    buf_z(out, c->rows ? "))" : ") WHERE false)");
}
