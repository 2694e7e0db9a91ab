/* SPDX-License-Identifier: Apache-2.0 */
/* What others call: a query, an expression over columns, a constant, a caption, a store cast. */
#include "sql/bind.h"

static struct binder binder_of(struct sql_env *e) {
    return (struct binder){.env = e, .a = e->a, .next_id = 1, .text = e->text};
}

err *sql_compile(struct sql_env *e, const struct ast *query, struct sql_compiled *ret) {
    struct binder b = binder_of(e);
    struct bq *q;
    if (query->kind == AST_S_QUERY) query = ast_get(query, SLOT_QUERY);
    TRY(prefetch_names(&b, query));
    TRY(bind_query(&b, query, NULL, &q));
    buf *o = sql_buf(e->a);
    emit_query(&b, q, o);
    if (b.emit_error) return b.emit_error;
    memset(ret, 0, sizeof *ret);
    ret->duckdb = sql_keep(e->a, o);
    ret->n = q->n;
    ret->cols = arena_array_of(e->a, struct sql_column, q->n + 1);
    for (size_t i = 0; i < q->n; i++)
        ret->cols[i] = (struct sql_column){.name = q->cols[i].name, .type = q->cols[i].type, .nullable = q->cols[i].nullable, .comment = q->cols[i].comment};
    ret->ordered = q->n_order > 0;
    ret->tables = b.tables;
    ret->n_tables = b.n_tables;
    ret->deterministic = !b.nondet;
    ret->secured = b.secured;
    return NULL;
}

/* Names put together of constants: a || b || c. */
static bool joined(const struct bx *x, buf *out, int depth) {
    if (x->kind == BX_LIT && sql_is_text(x->type) && x->text.p) {
        buf_str(out, x->text);
        return true;
    }
    bool pass = str_eqz(x->text, "{0}"), bars = str_find(x->text, STR("||")) >= 0;
    if (x->kind != BX_TMPL || !x->n || depth > 50 || (!pass && !bars)) return false;
    for (size_t i = 0; i < x->text.n && bars; i++) /* nothing but {n}, bars and brackets */
        if (!strchr("{}|() 0123456789", x->text.p[i])) return false;
    for (size_t i = 0; i < x->n; i++)
        if (!joined(x->child[i], out, depth + 1)) return false;
    return true;
}

err *sql_constant(struct sql_env *e, const struct ast *expr, const struct sql_type **ret_type, str *ret) {
    struct binder b = binder_of(e);
    struct scope s = {.level = 1};
    struct cx c = {.b = &b, .s = &s, .no_agg = true, .no_win = true, .clause = "constant"};
    struct bx *x;
    TRY(bind_expr(&c, expr, &x));
    while (x->kind == BX_TMPL && x->n == 1 && str_eqz(x->text, "{0}")) x = x->child[0];
    buf *o = sql_buf(e->a);
    if (x->kind == BX_TMPL && sql_is_text(x->type) && joined(x, o, 0)) x = bx_string(&b, sql_keep(e->a, o));
    if (x->kind != BX_LIT)
        return sql_error("NOT_A_CONSTANT_STRING.NOT_CONSTANT", expr, b.text, "name", "IDENTIFIER", "expr",
                         arena_printf(e->a, "\"%.*s\"", STR_ARG(caption_of(&b, x))), NULL);
    *ret_type = x->type;
    *ret = x->text;
    return NULL;
}

err *sql_caption(struct sql_env *e, const struct ast *expr, buf *out) {
    struct binder b = binder_of(e);
    struct scope s = {.level = 1};
    struct cx c = {.b = &b, .s = &s};
    struct bx *x;
    TRY(bind_expr(&c, expr, &x));
    caption(&b, x, out);
    return NULL;
}

err *sql_compile_expr(struct sql_env *e, const struct ast *expr, const struct sql_field *cols, size_t n, str alias, const struct sql_type *want, buf *out,
                      const struct sql_type **ret_type) {
    struct binder b = binder_of(e);
    struct scope s = {.level = 1};
    struct cx c = {.b = &b, .s = &s, .no_agg = true, .no_win = true, .clause = "expression"};
    struct bx *x;
    for (size_t i = 0; i < n; i++) {
        buf *t = sql_buf(e->a), *q = sql_buf(e->a);
        if (alias.n) buf_fmt(t, "%.*s.", STR_ARG(alias));
        sql_quote_ident(q, cols[i].name);
        buf_tmpl(t, buf_view(q));
        const struct sql_type *type = cols[i].type->kind == TY_CHAR || cols[i].type->kind == TY_VARCHAR ? sql_type_of(TY_STRING) : cols[i].type;
        struct bx *col = bx_tmpl(&b, type, sql_keep(e->a, t), tmpl_text(&b, cols[i].name), NULL, 0);
        col->nullable = cols[i].nullable;
        scope_add(&b, &s, (struct scol){.name = cols[i].name, .x = col, .col = i, .qual = {alias, STR_NONE, STR_NONE}});
    }
    TRY(prefetch_names(&b, expr));
    TRY(bind_expr(&c, expr, &x));
    x = bx_exact(&b, x);
    if (want) {
        if (!sql_can_cast(x->type, want))
            return sql_error("DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION", expr, b.text, "sqlExpr", arena_printf(e->a, "\"%.*s\"", STR_ARG(caption_of(&b, x))), "srcType",
                             type_name(&b, x->type).p, "targetType", type_name(&b, want).p, NULL);
        x = bx_cast(&b, x, want);
    }
    emit_expr(&b, x, out);
    if (b.emit_error) return b.emit_error;
    if (ret_type) *ret_type = x->type;
    return NULL;
}

/* Lengths of char and varchar: longer texts must end in blanks, char is padded. */
static void fit_length(const struct sql_type *to, str x, buf *out) {
    if (to->kind == TY_STRING) {
        buf_str(out, x);
        return;
    }
    buf_fmt(out, "CASE WHEN length(rtrim(%.*s, ' ')) > %d THEN error('[DELTA_EXCEED_CHAR_VARCHAR_LIMIT] {\"limit\":\"%d\"}') ELSE ", STR_ARG(x), to->length, to->length);
    if (to->kind == TY_CHAR)
        buf_fmt(out, "rpad(left(%.*s, %d), %d, ' ') END", STR_ARG(x), to->length, to->length);
    else
        buf_fmt(out, "left(%.*s, %d) END", STR_ARG(x), to->length);
}

static bool has_length(const struct sql_type *t) {
    if (t->kind == TY_CHAR || t->kind == TY_VARCHAR) return true;
    for (size_t i = 0; t->kind == TY_STRUCT && i < t->n; i++)
        if (has_length(t->fields[i].type)) return true;
    return (t->kind == TY_ARRAY && has_length(t->elem)) || (t->kind == TY_MAP && (has_length(t->key) || has_length(t->elem)));
}

/* The same inside of arrays, maps and structs. */
static void fit_lengths(struct sql_env *e, const struct sql_type *to, str x, int depth, buf *out) {
    str v = str_of(arena_printf(e->a, "fit%d", depth));
    if (!has_length(to)) {
        buf_str(out, x);
    } else if (to->kind == TY_ARRAY) {
        buf_fmt(out, "list_transform(%.*s, lambda %.*s: ", STR_ARG(x), STR_ARG(v));
        fit_lengths(e, to->elem, v, depth + 1, out);
        buf_c(out, ')');
    } else if (to->kind == TY_MAP) {
        buf_fmt(out, "map_from_entries(list_transform(map_entries(%.*s), lambda %.*s: {'k': ", STR_ARG(x), STR_ARG(v));
        fit_lengths(e, to->key, str_of(arena_printf(e->a, "%.*s.key", STR_ARG(v))), depth + 1, out);
        buf_z(out, ", 'v': ");
        fit_lengths(e, to->elem, str_of(arena_printf(e->a, "%.*s.value", STR_ARG(v))), depth + 1, out);
        buf_z(out, "}))");
    } else if (to->kind == TY_STRUCT) {
        buf_fmt(out, "list_transform([%.*s], lambda %.*s: CASE WHEN %.*s IS NOT NULL THEN {", STR_ARG(x), STR_ARG(v), STR_ARG(v));
        for (size_t i = 0; i < to->n; i++) {
            buf_fmt(out, "%s'f%zu': ", i ? ", " : "", i);
            fit_lengths(e, to->fields[i].type, str_of(arena_printf(e->a, "%.*s.f%zu", STR_ARG(v), i)), depth + 1, out);
        }
        buf_z(out, "} END)[1]");
    } else {
        fit_length(to, x, out);
    }
}

/* May a number be too large for its column? NaN and what is infinite become NULL in decimals, and floats take all doubles. */
static bool may_overflow(const struct sql_type *from, const struct sql_type *to) {
    if (sql_is_integral(to)) return sql_is_numeric(from) && !(sql_is_integral(from) && from->kind <= to->kind);
    if (to->kind != TY_DECIMAL || !(sql_is_integral(from) || from->kind == TY_DECIMAL)) return false;
    return from->kind != TY_DECIMAL || from->precision - from->scale > to->precision - to->scale || from->scale > to->scale;
}

/* The cast that is NULL where the number does not fit, which the column's own error says. */
static err *checked_number(struct binder *b, struct bx *x, const struct sql_type *to, str column, struct bx **ret) {
    buf *t = sql_buf(b->a), *params = sql_buf(b->a), *text = sql_buf(b->a);
    TRY(emit_cast_tmpl(b, x->type, to, true, t));
    struct bx *tried = bx_tmpl(b, to, sql_keep(b->a, t), STR("{0}"), &x, 1);
    buf_z(params, "[CAST_OVERFLOW_IN_TABLE_INSERT] {\"sourceType\":");
    buf_json_str(params, type_name(b, x->type));
    buf_z(params, ",\"targetType\":");
    buf_json_str(params, type_name(b, to));
    buf_z(params, ",\"columnName\":");
    buf_json_str(params, str_of(arena_printf(b->a, "`%.*s`", STR_ARG(column))));
    buf_c(params, '}');
    buf *quoted = sql_buf(b->a);
    sql_quote(quoted, buf_view(params));
    buf_fmt(text, "CASE WHEN {0} IS NULL AND {1} IS NOT NULL THEN error(%.*s) ELSE {0} END", STR_ARG(tmpl_text(b, buf_view(quoted))));
    struct bx *both[2] = {tried, x};
    *ret = bx_tmpl(b, to, sql_keep(b->a, text), STR("{0}"), both, 2);
    return NULL;
}

err *sql_store_cast(struct sql_env *e, str table, str column, str expr, const struct sql_type *from, const struct sql_type *to, buf *out) {
    struct binder b = binder_of(e);
    if (!sql_can_store(from, to))
        return sql_error("INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST", NULL, STR_NONE, "tableName", arena_strndup(e->a, table.p ? table.p : "", table.n), "colName", arena_printf(e->a, "`%.*s`", STR_ARG(column)),
                         "srcType", type_name(&b, from).p, "targetType", type_name(&b, to).p, NULL);
    struct bx *x = bx_tmpl(&b, from, tmpl_text(&b, expr), tmpl_text(&b, column), NULL, 0);
    const struct sql_type *plain = sql_is_text(to) ? sql_type_of(TY_STRING) : to;
    struct bx *y = NULL;
    if (e->ansi && may_overflow(from, plain)) TRY(checked_number(&b, x, plain, column, &y));
    else y = bx_cast(&b, x, plain);
    buf *o = sql_buf(e->a);
    emit_expr(&b, y, o);
    if (sql_is_text(to))
        fit_length(to, buf_view(o), out);
    else
        fit_lengths(e, to, buf_view(o), 0, out);
    return NULL;
}
