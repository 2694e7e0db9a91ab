/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a statement asks of a temporary view of its session: DESCRIBE, DESCRIBE … AS JSON, SHOW COLUMNS. Control knows no
 * such views; their columns are those of the compiled query. The forms are the catalog's (catalog/cmd_describe.c).
 */
#include "engine/worker/run.h"
#include "sql/error.h"

static struct sql_column text_column(const char *name, bool nullable) {
    return (struct sql_column){.name = str_of(name), .type = sql_type_of(TY_STRING), .nullable = nullable};
}

static str type_text(struct run *r, const struct sql_type *t) {
    buf b = {0};
    sql_type_write(t, &b);
    str s = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return s;
}

static str quoted(struct run *r, str name) {
    buf b = {0};
    buf_c(&b, '`');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '`') buf_c(&b, '`');
        buf_c(&b, name.p[i]);
    }
    buf_c(&b, '`');
    str s = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return s;
}

err *run_schema(struct run *r, const struct sql_compiled *c) {
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 3);
    str *cells = arena_array_of(r->a, str, 3 * c->n + 1);
    cols[0] = text_column("col_name", false);
    cols[1] = text_column("data_type", false);
    cols[2] = text_column("comment", true);
    for (size_t i = 0; i < c->n; i++) {
        cells[3 * i] = c->cols[i].name;
        cells[3 * i + 1] = type_text(r, c->cols[i].type);
        cells[3 * i + 2] = c->cols[i].comment.n ? c->cols[i].comment : STR_NONE;
    }
    return run_table(r, cols, 3, cells, c->n);
}

/* ---- AS JSON ---- */

static void put_pair(buf *out, const char *before, str value) {
    buf_z(out, before);
    buf_json_str(out, value);
}

static void put_type(struct run *r, const struct sql_type *t, buf *out);

static void put_fields(struct run *r, const struct sql_type *t, buf *out) {
    buf_z(out, "{\"name\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < t->n; i++) {
        put_pair(out, i ? ",{\"name\":" : "{\"name\":", t->fields[i].name);
        buf_z(out, ",\"type\":");
        put_type(r, t->fields[i].type, out);
        buf_fmt(out, ",\"nullable\":%s}", t->fields[i].nullable ? "true" : "false");
    }
    buf_z(out, "]}");
}

static void put_type(struct run *r, const struct sql_type *t, buf *out) {
    switch (t->kind) {
    case TY_DECIMAL: buf_fmt(out, "{\"name\":\"decimal\",\"precision\":%d,\"scale\":%d}", t->precision, t->scale); return;
    case TY_CHAR: buf_fmt(out, "{\"name\":\"char\",\"length\":%d}", (int)t->length); return;
    case TY_VARCHAR: buf_fmt(out, "{\"name\":\"varchar\",\"length\":%d}", (int)t->length); return;
    case TY_STRING:
        put_pair(out, "{\"name\":\"string\",\"collation\":", t->collation.n ? t->collation : STR("UTF8_BINARY"));
        buf_c(out, '}');
        return;
    case TY_TIMESTAMP: buf_z(out, "{\"name\":\"timestamp_ltz\"}"); return;
    case TY_STRUCT: put_fields(r, t, out); return;
    case TY_ARRAY:
        buf_z(out, "{\"name\":\"array\",\"element_type\":");
        put_type(r, t->elem, out);
        buf_fmt(out, ",\"element_nullable\":%s}", t->elem_nullable ? "true" : "false");
        return;
    case TY_MAP:
        buf_z(out, "{\"name\":\"map\",\"key_type\":");
        put_type(r, t->key, out);
        buf_z(out, ",\"value_type\":");
        put_type(r, t->elem, out);
        buf_fmt(out, ",\"value_nullable\":%s}", t->elem_nullable ? "true" : "false");
        return;
    default:
        put_pair(out, "{\"name\":", type_text(r, t));
        buf_c(out, '}');
    }
}

static err *describe_json(struct run *r, const struct temp_view *v, const struct sql_compiled *c) {
    buf b = {0};
    put_pair(&b, "{\"table_name\":", str_of(v->name));
    buf_z(&b, v->global ? ",\"namespace\":[\"global_temp\"],\"columns\":[" : ",\"namespace\":[],\"columns\":[");
    for (size_t i = 0; i < c->n; i++) {
        put_pair(&b, i ? ",{\"name\":" : "{\"name\":", c->cols[i].name);
        buf_z(&b, ",\"type\":");
        put_type(r, c->cols[i].type, &b);
        buf_fmt(&b, ",\"nullable\":%s", c->cols[i].nullable ? "true" : "false");
        if (c->cols[i].comment.n) put_pair(&b, ",\"comment\":", c->cols[i].comment);
        buf_c(&b, '}');
    }
    put_pair(&b, "],\"view_text\":", str_of(v->text));
    put_pair(&b, ",\"view_original_text\":", str_of(v->text));
    put_pair(&b, ",\"view_catalog_and_namespace\":", str_of(arena_printf(r->a, "%s.%s", v->catalog, v->schema)));
    buf_z(&b, ",\"type\":\"VIEW\",\"table_properties\":{}}");
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 1);
    str *cells = arena_array_of(r->a, str, 1);
    cols[0] = text_column("json_metadata", false);
    cells[0] = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return run_table(r, cols, 1, cells, 1);
}

/* ---- one column ---- */

static err *describe_column(struct run *r, const struct ast *name, const struct sql_compiled *c) {
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 2);
    str *cells = arena_array_of(r->a, str, 6), *parts;
    size_t n;
    TRY(run_name(r, name, &parts, &n));
    cols[0] = text_column("info_name", false);
    cols[1] = text_column("info_value", false);
    for (size_t i = 0; i < c->n; i++) {
        if (n != 1 || !str_ieq(c->cols[i].name, parts[0])) continue;
        str comment = c->cols[i].comment.n ? c->cols[i].comment : STR("NULL");
        const str rows[6] = {STR("col_name"), c->cols[i].name, STR("data_type"), type_text(r, c->cols[i].type), STR("comment"), comment};
        for (size_t k = 0; k < 6; k++) cells[k] = rows[k];
        return run_table(r, cols, 2, cells, 3);
    }
    return sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", name, r->text, "objectName", quoted(r, parts[n - 1]).p, NULL);
}

static err *show_columns(struct run *r, const struct sql_compiled *c) {
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 1);
    str *cells = arena_array_of(r->a, str, c->n + 1);
    cols[0] = text_column("col_name", false);
    for (size_t i = 0; i < c->n; i++) cells[i] = c->cols[i].name;
    return run_table(r, cols, 1, cells, c->n);
}

/* ---- which view ---- */

/* x, session.x, global_temp.x; *ret_found false: the name is the catalog's. */
static err *find(struct run *r, const struct ast *name, struct temp_view *v, bool *ret_found) {
    str *parts;
    size_t n;
    *ret_found = false;
    TRY(run_name(r, name, &parts, &n));
    bool global = n == 2 && str_ieq(parts[0], STR("global_temp"));
    if (n != 1 && !global && !(n == 2 && str_ieq(parts[0], STR("session")))) return NULL;
    *ret_found = session_get_view(r->st->s, r->a, parts[n - 1], global, v);
    return NULL;
}

err *run_view(struct run *r, const struct ast *s, bool *ret_taken) {
    const struct ast *name = ast_get(s, SLOT_NAME), *column = ast_get(s, SLOT_COLUMN);
    bool columns = str_eqz(s->text, "show_columns");
    struct temp_view v;
    struct sql_compiled c;
    struct ast **list;
    size_t n;
    *ret_taken = false;
    if (!name || ast_get(s, SLOT_PARTITION) || (columns && ast_get(s, SLOT_SCHEMA))) return NULL;
    if (!ast_is(name, AST_NAME) && !ast_is(name, AST_NAME_EXPR)) return NULL;
    TRY(find(r, name, &v, ret_taken));
    if (!*ret_taken) return NULL;
    str view = quoted(r, str_of(v.name));
    str query = str_of(arena_printf(r->a, "SELECT * FROM %s.%.*s", v.global ? "global_temp" : "session", STR_ARG(view)));
    TRY(sql_parse(r->a, query, &list, &n));
    TRY(sql_compile(&r->env, list[0], &c));
    if (columns) return show_columns(r, &c);
    if (ast_has(s, AST_F_JSON)) return describe_json(r, &v, &c);
    return column ? describe_column(r, column, &c) : run_schema(r, &c);
}
