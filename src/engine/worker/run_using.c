/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CREATE TEMPORARY VIEW … USING format OPTIONS (path '…', …): the view's query, as text. Without a list of columns it is
 *
 *     SELECT * FROM read_files('path', format => 'csv', header => 'true', …)
 *
 * and what lies at the path is looked at each time that the view is read. With one, its columns are these: the readers of CSV and
 * JSON are told, of other formats the columns of these names are cast.
 */
#include "delta/action.h"
#include "engine/worker/run.h"
#include "sql/error.h"

static const char *const formats[] = {"csv", "json", "text", "parquet", "binaryFile", "delta"};

static void put_text(str s, buf *out) {
    buf_c(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_c(out, '\\');
        buf_c(out, s.p[i]);
    }
    buf_c(out, '\'');
}

static void put_name(str s, buf *out) {
    buf_c(out, '`');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '`') buf_c(out, '`');
        buf_c(out, s.p[i]);
    }
    buf_c(out, '`');
}

static err *value_of(struct run *r, const struct ast *option, str *ret) {
    const struct sql_type *type;
    *ret = STR("");
    if (!option->n) return NULL;
    struct ast *v = option->child[0];
    if (v->kind == AST_LIT_STRING || v->kind == AST_LIT_NUMBER) {
        *ret = v->text;
        return NULL;
    }
    TRY(sql_constant(&r->env, v, &type, ret));
    if (!ret->p) *ret = STR("");
    return NULL;
}

static err *option(struct run *r, const struct ast *s, const char *name, str *ret) {
    const struct ast *list = ast_get(s, SLOT_OPTIONS);
    *ret = STR_NONE;
    for (uint32_t i = 0; list && i < list->n; i++)
        if (str_ieq(list->child[i]->text, str_of(name))) TRY(value_of(r, list->child[i], ret));
    return NULL;
}

/* The text of a column's type, as it was written. */
static err *type_of(struct run *r, const struct ast *column, str *ret) {
    const struct ast *type = ast_get(column, SLOT_TYPE);
    if (!type) return sql_error("PARSE_SYNTAX_ERROR", column, r->text, "error", "end of input", "hint", ": a column without a type", NULL);
    *ret = str_n(r->text.p + type->pos, type->end - type->pos);
    return NULL;
}

/* "`a` INT, `b` STRING" */
static err *schema_of(struct run *r, const struct ast *columns, buf *out) {
    for (uint32_t i = 0; i < columns->n; i++) {
        str type;
        TRY(type_of(r, columns->child[i], &type));
        if (i) buf_z(out, ", ");
        put_name(columns->child[i]->text, out);
        buf_fmt(out, " %.*s", STR_ARG(type));
    }
    return NULL;
}

static err *put_items(struct run *r, const struct ast *columns, buf *out) {
    for (uint32_t i = 0; i < columns->n; i++) {
        str type;
        TRY(type_of(r, columns->child[i], &type));
        buf_z(out, i ? ", CAST(" : "CAST(");
        put_name(columns->child[i]->text, out);
        buf_fmt(out, " AS %.*s) AS ", STR_ARG(type));
        put_name(columns->child[i]->text, out);
    }
    return NULL;
}

static err *put_options(struct run *r, const struct ast *s, buf *out) {
    const struct ast *list = ast_get(s, SLOT_OPTIONS);
    for (uint32_t i = 0; i < list->n; i++) {
        static const char *const ours[] = {"path", "format", "schema", "schemaEvolutionMode"};
        bool own = false;
        str value;
        for (size_t k = 0; k < ARRAY_LEN(ours); k++) own |= str_ieq(list->child[i]->text, str_of(ours[k]));
        if (own) continue;
        TRY(value_of(r, list->child[i], &value));
        buf_z(out, ", ");
        put_name(list->child[i]->text, out);
        buf_z(out, " => ");
        put_text(value, out);
    }
    return NULL;
}

static err *put_query(struct run *r, const struct ast *s, const char *format, str path, buf *out) {
    const struct ast *columns = ast_get(s, SLOT_COLUMNS);
    bool told = columns && columns->n && (str_eqz(str_of(format), "csv") || str_eqz(str_of(format), "json"));
    str infer;
    buf_z(out, "SELECT ");
    if (columns && columns->n && !told)
        TRY(put_items(r, columns, out));
    else
        buf_c(out, '*');
    if (str_eqz(str_of(format), "delta")) {
        buf_z(out, " FROM delta.");
        put_name(path, out);
        return NULL;
    }
    buf_z(out, " FROM read_files(");
    put_text(path, out);
    buf_fmt(out, ", format => '%s', schemaEvolutionMode => 'none'", format);
    TRY(option(r, s, "inferSchema", &infer));
    if (!infer.p) buf_z(out, ", inferSchema => 'false'");
    TRY(put_options(r, s, out));
    if (told) {
        buf schema = {0};
        err *e = schema_of(r, columns, &schema);
        buf_z(out, ", schema => ");
        put_text(buf_view(&schema), out);
        buf_free(&schema);
        if (e) return e;
    }
    buf_c(out, ')');
    return NULL;
}

err *run_using(struct run *r, const struct ast *s, str *ret) {
    const struct ast *using_ = ast_get(s, SLOT_USING);
    const char *format = NULL;
    str path;
    buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_ieq(using_->text, str_of(formats[i]))) format = formats[i];
    if (!format) return delta_error("DATA_SOURCE_NOT_FOUND", "Failed to find the data source: %.*s.", STR_ARG(using_->text));
    TRY(option(r, s, "path", &path));
    if (!path.n) return sql_error("UNABLE_TO_INFER_SCHEMA", using_, r->text, "format", format, NULL);
    err *e = put_query(r, s, format, path, &b);
    *ret = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return e;
}
