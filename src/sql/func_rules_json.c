/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by types: to_json writes a value of any type, from_json reads one, both as DuckDB text made for that very type. The reader
 * is permissive: what does not fit its field is NULL.
 */
#include <stdio.h>

#include "sql/bind.h"
#include "sql/func_rules.h"

#define DEEPEST 40

static err *too_deep(struct sql_call *c) {
    return sql_error("UNSUPPORTED_FEATURE.SQL", c->ast, STR_NONE, "what", "JSON of types nested this deep", NULL);
}

/* An option of the last argument's map('name', 'value'), or the default. */
static str option(struct sql_call *c, size_t arg, const char *name, const char *otherwise) {
    const struct ast *m = c->ast && c->ast->kind == AST_CALL && arg < c->ast->n ? c->ast->child[arg] : NULL;
    for (uint32_t i = 0; m && m->kind == AST_CALL && i + 1 < m->n; i += 2)
        if (m->child[i]->kind == AST_LIT_STRING && m->child[i + 1]->kind == AST_LIT_STRING && str_ieq(m->child[i]->text, str_of(name)))
            return m->child[i + 1]->text;
    return str_of(otherwise);
}

static void quoted(buf *out, str s) {
    buf q = {0};
    sql_quote(&q, s);
    buf_tmpl(out, buf_view(&q));
    buf_free(&q);
}

/* ---- writing ---- */

struct writer {
    struct sql_call *c;
    str stamp, day, time;
    bool sort, keep_nulls;
    bool typed;      /* for variants: values that JSON has no type for are texts behind U+0001 (fn_variant.c) */
    buf *out;
};

static err *write_value(struct writer *w, const char *x, const struct sql_type *t, int depth);

/* A value with its type: "\u0001" and a letter before it. False: JSON's own form will do. */
static bool write_typed(const char *x, const struct sql_type *t, buf *o) {
    static const struct {
        enum sql_type_kind kind;
        const char *before, *after; /* of the value's text */
    } rows[] = {{TY_DATE, "d' || CAST(datediff('day', DATE '1970-01-01', ", ") AS VARCHAR)"}, {TY_TIMESTAMP, "t' || CAST(epoch_us(", ") AS VARCHAR)"},
                {TY_TIMESTAMP_NTZ, "n' || CAST(epoch_us(", ") AS VARCHAR)"}, {TY_DOUBLE, "f' || CAST(", " AS VARCHAR)"},
                {TY_FLOAT, "g' || CAST(", " AS VARCHAR)"}, {TY_DECIMAL, "c' || CAST(", " AS VARCHAR)"}, {TY_BINARY, "b' || hex(", ")"}};
    if (sql_is_text(t)) {
        buf_fmt(o, "CAST(to_json(CASE WHEN starts_with(%s, chr(1)) THEN chr(1) || %s ELSE %s END) AS VARCHAR)", x, x, x);
        return true;
    }
    if (t->kind == TY_VARIANT) {
        buf_fmt(o, "bh_variant_json(%s, {tz})", x);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (t->kind != rows[i].kind) continue;
        buf_fmt(o, "('\"\\u0001%s%s%s || '\"')", rows[i].before, x, rows[i].after);
        return true;
    }
    return false;
}

static void write_scalar(struct writer *w, const char *x, const struct sql_type *t) {
    buf *o = w->out;
    if (w->typed && write_typed(x, t, o)) return;
    switch (t->kind) {
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: buf_fmt(o, "CAST(to_json(%s) AS VARCHAR)", x); return;
    case TY_FLOAT:
    case TY_DOUBLE:
        buf_fmt(o, "CASE WHEN isnan(%s) OR isinf(%s) THEN '\"' || bh_cast_%s_string(%s) || '\"' ELSE bh_cast_%s_string(%s) END", x, x,
                t->kind == TY_FLOAT ? "float" : "double", x, t->kind == TY_FLOAT ? "float" : "double", x);
        return;
    case TY_BINARY: buf_fmt(o, "('\"' || bh_base64(%s) || '\"')", x); return;
    case TY_DATE:
        if (w->day.n) {
            buf_fmt(o, "('\"' || bh_date_format(bh_date_to_ts(%s, {tz}), ", x);
            quoted(o, w->day);
            buf_z(o, ", {tz}) || '\"')");
        } else {
            buf_fmt(o, "('\"' || bh_cast_date_string(%s) || '\"')", x);
        }
        return;
    case TY_TIMESTAMP:
        buf_fmt(o, "('\"' || bh_date_format(%s, ", x);
        quoted(o, w->stamp);
        buf_z(o, ", {tz}) || '\"')");
        return;
    case TY_TIMESTAMP_NTZ: buf_fmt(o, "('\"' || replace(bh_cast_ntz_string(%s), ' ', 'T') || '\"')", x); return;
    case TY_TIME:
        if (w->time.n) {
            buf_fmt(o, "('\"' || bh_time_format(%s, ", x);
            quoted(o, w->time);
            buf_z(o, ") || '\"')");
        } else {
            buf_fmt(o, "('\"' || bh_cast_time_string(%s) || '\"')", x);
        }
        return;
    case TY_INTERVAL: buf_fmt(o, "('\"' || bh_cast_interval_string(%s) || '\"')", x); return;
    case TY_INTERVAL_YM: buf_fmt(o, "('\"' || bh_cast_ym_string(%s, %u, %u) || '\"')", x, t->from, t->to); return;
    case TY_INTERVAL_DT: buf_fmt(o, "('\"' || bh_cast_dt_string(%s, %u, %u) || '\"')", x, t->from, t->to); return;
    case TY_VARIANT: buf_fmt(o, "bh_variant_json(%s, {tz})", x); return;
    case TY_DECIMAL: buf_fmt(o, t->precision == t->scale ? "regexp_replace(CAST(%s AS VARCHAR), '^(-?)[.]', '\\10.')" : "CAST(%s AS VARCHAR)", x); return;
    case TY_VOID: buf_z(o, "CAST(NULL AS VARCHAR)"); return;
    default: buf_fmt(o, "CAST(%s AS VARCHAR)", x); return;
    }
}

static void field_order(const struct writer *w, const struct sql_type *t, size_t *order) {
    for (size_t i = 0; i < t->n; i++) order[i] = i;
    for (size_t i = 0; w->sort && i < t->n; i++)
        for (size_t k = i + 1; k < t->n; k++)
            if (str_cmp(t->fields[order[k]].name, t->fields[order[i]].name) < 0) {
                size_t h = order[i];
                order[i] = order[k];
                order[k] = h;
            }
}

static err *write_struct(struct writer *w, const char *x, const struct sql_type *t, int depth) {
    size_t *order = arena_array_of(w->c->a, size_t, t->n + 1);
    char v[64], part[96];
    snprintf(v, sizeof v, "j{#}_%d", depth);
    field_order(w, t, order);
    buf_fmt(w->out, "list_transform([%s], lambda %s: CASE WHEN %s IS NOT NULL THEN '{{' || array_to_string(list_filter([CAST(NULL AS VARCHAR)", x, v, v);
    for (size_t k = 0; k < t->n; k++) {
        size_t i = order[k];
        buf name = {0};
        buf_json_str(&name, t->fields[i].name);
        buf_c(&name, ':');
        snprintf(part, sizeof part, "%s.f%zu", v, i);
        if (w->keep_nulls) {
            buf_z(w->out, ", ");
            quoted(w->out, buf_view(&name));
            buf_z(w->out, " || COALESCE(");
        } else {
            buf_fmt(w->out, ", CASE WHEN %s IS NOT NULL THEN ", part);
            quoted(w->out, buf_view(&name));
            buf_z(w->out, " || ");
        }
        buf_free(&name);
        TRY(write_value(w, part, t->fields[i].type, depth + 1));
        buf_z(w->out, w->keep_nulls ? ", 'null')" : " END");
    }
    buf_fmt(w->out, "], lambda n%s: n%s IS NOT NULL), ',') || '}}' END)[1]", v, v);
    return NULL;
}

/* A key as Spark's own rows show it: dates and times as their numbers, structs and arrays in square brackets. */
static err *write_key(struct writer *w, const char *x, const struct sql_type *t, int depth) {
    char part[96];
    if (depth > DEEPEST) return too_deep(w->c);
    switch (t->kind) {
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: buf_z(w->out, x); return NULL;
    case TY_DATE: buf_fmt(w->out, "CAST(%s - DATE '1970-01-01' AS VARCHAR)", x); return NULL;
    case TY_TIMESTAMP:
    case TY_TIMESTAMP_NTZ: buf_fmt(w->out, "CAST(epoch_us(%s) AS VARCHAR)", x); return NULL;
    case TY_STRUCT:
        buf_z(w->out, "('[' || array_to_string([");
        for (size_t i = 0; i < t->n; i++) {
            snprintf(part, sizeof part, "%s.f%zu", x, i);
            buf_z(w->out, i ? ", COALESCE(" : "COALESCE(");
            TRY(write_key(w, part, t->fields[i].type, depth + 1));
            buf_z(w->out, ", 'null')");
        }
        buf_z(w->out, "], ',') || ']')");
        return NULL;
    case TY_ARRAY:
        snprintf(part, sizeof part, "k{#}_%d", depth);
        buf_fmt(w->out, "('[' || array_to_string(list_transform(%s, lambda %s: COALESCE(", x, part);
        TRY(write_key(w, part, t->elem, depth + 1));
        buf_z(w->out, ", 'null')), ',') || ']')");
        return NULL;
    default: break;
    }
    struct binder b = {.env = w->c->env, .a = w->c->a};
    buf *cast = sql_buf(w->c->a);
    TRY(emit_cast_tmpl(&b, t, sql_type_of(TY_STRING), false, cast));
    for (size_t i = 0; i < cast->n; i++) {
        if (cast->n - i >= 3 && memcmp(cast->p + i, "{0}", 3) == 0) {
            buf_z(w->out, x);
            i += 2;
        } else {
            buf_c(w->out, cast->p[i]);
        }
    }
    return NULL;
}

static err *write_value(struct writer *w, const char *x, const struct sql_type *t, int depth) {
    char v[64], part[96];
    if (depth > DEEPEST) return too_deep(w->c);
    snprintf(v, sizeof v, "j{#}_%d", depth);
    if (t->kind == TY_STRUCT) return write_struct(w, x, t, depth);
    if (t->kind == TY_ARRAY) {
        buf_fmt(w->out, "('[' || array_to_string(list_transform(%s, lambda %s: COALESCE(", x, v);
        TRY(write_value(w, v, t->elem, depth + 1));
        buf_z(w->out, ", 'null')), ',') || ']')");
        return NULL;
    }
    if (t->kind == TY_MAP) {
        buf_fmt(w->out, "('{{' || array_to_string(list_transform(map_entries(%s), lambda %s: CAST(to_json(", x, v);
        snprintf(part, sizeof part, "%s.key", v);
        TRY(write_key(w, part, t->key, depth));
        buf_z(w->out, ") AS VARCHAR) || ':' || COALESCE(");
        snprintf(part, sizeof part, "%s.value", v);
        TRY(write_value(w, part, t->elem, depth + 1));
        buf_z(w->out, ", 'null')), ',') || '}}')");
        return NULL;
    }
    write_scalar(w, x, t);
    return NULL;
}

static err *not_json(struct sql_call *c, const struct sql_type *t) {
    if (t->kind == TY_VOID) return NULL;
    buf name = {0};
    sql_type_write_sql(t, &name);
    const char *type = arena_printf(c->a, "\"%.*s\"", STR_ARG(buf_view(&name)));
    buf_free(&name);
    return sql_error("DATATYPE_MISMATCH.INVALID_JSON_SCHEMA", c->ast, STR_NONE, "sqlExpr", arena_printf(c->a, "\"to_json(%.*s)\"", STR_ARG(c->args[0].caption)), "schema", type, NULL);
}

static err *to_json_emit(struct sql_call *c, buf *out) {
    struct writer w = {.c = c, .out = out};
    w.stamp = option(c, 1, "timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
    w.day = option(c, 1, "dateFormat", "");
    w.time = option(c, 1, "timeFormat", "");
    w.sort = str_ieq(option(c, 1, "sortKeys", "false"), STR("true"));
    w.keep_nulls = str_ieq(option(c, 1, "ignoreNullFields", "true"), STR("false"));
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_VOID) buf_z(out, "CAST(NULL AS VARCHAR)");
    if (t->kind < TY_ARRAY || t->kind > TY_VARIANT)
        return not_json(c, t);
    return write_value(&w, "{0}", t, 0);
}

/* ---- reading ---- */

/* x is a JSON value (or NULL) of DuckDB. */
static err *read_value(struct sql_call *c, const char *x, const struct sql_type *t, int depth, buf *out);

/* The text s by the pattern that an option says; false: it says none. */
static bool read_by_pattern(struct sql_call *c, const char *s, const char *name, const char *before, const char *after, buf *out) {
    str f = option(c, 2, name, "");
    if (!f.n) return false;
    buf_fmt(out, "%sbh_try_parse_ts(%s, ", before, s);
    quoted(out, f);
    buf_fmt(out, ", {tz})%s", after);
    return true;
}

/* Texts are no numbers to from_json, but those that JSON has no numbers for. */
static const char *if_number(struct sql_call *c, const char *x, const char *s, bool fraction) {
    if (!c->f) return "";
    if (!fraction) return arena_printf(c->a, "CASE WHEN json_type(%s) IN ('UBIGINT', 'BIGINT') THEN ", x);
    return arena_printf(c->a, "CASE WHEN json_type(%s) <> 'VARCHAR' OR %s IN ('NaN', 'Infinity', '+Infinity', '-Infinity', 'INF', '+INF', '-INF') THEN ", x, s);
}

static void read_scalar(struct sql_call *c, const char *x, const struct sql_type *t, buf *out) {
    char s[160];
    snprintf(s, sizeof s, "json_extract_string(%s, '$')", x);
    const char *end = c->f ? " END" : "";
    switch (t->kind) {
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: buf_fmt(out, "CASE WHEN json_type(%s) <> 'NULL' THEN %s END", x, s); return;
    case TY_BOOLEAN: buf_fmt(out, "CASE json_type(%s) WHEN 'BOOLEAN' THEN %s = 'true' END", x, s); return;
    case TY_TINYINT: buf_fmt(out, "%sbh_try_cast_string_tinyint(%s)%s", if_number(c, x, s, false), s, end); return;
    case TY_SMALLINT: buf_fmt(out, "%sbh_try_cast_string_smallint(%s)%s", if_number(c, x, s, false), s, end); return;
    case TY_INT: buf_fmt(out, "%sbh_try_cast_string_int(%s)%s", if_number(c, x, s, false), s, end); return;
    case TY_BIGINT: buf_fmt(out, "%sbh_try_cast_string_bigint(%s)%s", if_number(c, x, s, false), s, end); return;
    case TY_FLOAT: buf_fmt(out, "%sbh_try_cast_string_float(%s)%s", if_number(c, x, s, true), s, end); return;
    case TY_DOUBLE: buf_fmt(out, "%sbh_try_cast_string_double(%s)%s", if_number(c, x, s, true), s, end); return;
    case TY_DECIMAL:
        buf_fmt(out, "CAST(bh_try_cast_string_decimal(%s, %u, %u) AS DECIMAL(%u,%u))", s, t->precision, t->scale, t->precision, t->scale);
        return;
    case TY_DATE:
        if (!read_by_pattern(c, s, "dateFormat", "bh_ts_to_date(", ", {tz})", out)) buf_fmt(out, "bh_try_cast_string_date(%s)", s);
        return;
    case TY_TIMESTAMP:
        if (!read_by_pattern(c, s, "timestampFormat", "", "", out)) buf_fmt(out, "bh_try_cast_string_timestamp(%s, {tz})", s);
        return;
    case TY_TIMESTAMP_NTZ:
        if (!read_by_pattern(c, s, "timestampNTZFormat", "bh_ts_to_ntz(", ", {tz})", out)) buf_fmt(out, "bh_try_cast_string_ntz(%s)", s);
        return;
    case TY_TIME:
        if (!read_by_pattern(c, s, "timeFormat", "CAST(bh_ts_to_ntz(", ", {tz}) AS TIME)", out)) buf_fmt(out, "bh_try_cast_string_time(%s)", s);
        return;
    case TY_INTERVAL_YM: buf_fmt(out, "bh_try_cast_string_ym(%s, %u, %u)", s, t->from, t->to); return;
    case TY_INTERVAL_DT: buf_fmt(out, "bh_try_cast_string_dt(%s, %u, %u)", s, t->from, t->to); return;
    case TY_INTERVAL: buf_fmt(out, "bh_try_cast_string_interval(%s)", s); return;
    case TY_BINARY: buf_fmt(out, "bh_unbase64(%s)", s); return;
    case TY_VARIANT: buf_fmt(out, "bh_parse_json(CAST(%s AS VARCHAR))", x); return;
    default:
        buf_z(out, "CAST(NULL AS ");
        sql_type_write_duckdb(t, out);
        buf_c(out, ')');
        return;
    }
}

/* The path of a field, as DuckDB reads it. */
static void field_path(str name, buf *out) {
    buf path = {0};
    buf_z(&path, "$.\"");
    for (size_t k = 0; k < name.n; k++) {
        char ch = name.p[k];
        if (ch == '"' || ch == '\\') buf_c(&path, '\\');
        buf_c(&path, ch);
    }
    buf_c(&path, '"');
    quoted(out, buf_view(&path));
    buf_free(&path);
}

static bool nested(const struct sql_type *t) { return t->kind == TY_ARRAY || t->kind == TY_MAP || t->kind == TY_STRUCT; }

static str corrupt_name(struct sql_call *c) { return option(c, 2, "columnNameOfCorruptRecord", "_corrupt_record"); }

/* Is a record (the text {0}, d{#} as JSON) malformed? A value that is there and does not fit its plain field makes it so. */
static err *malformed(struct sql_call *c, const struct sql_type *t, buf *out) {
    buf_z(out, "(NOT json_valid({0})");
    for (size_t i = 0; t->kind == TY_STRUCT && i < t->n; i++) {
        if (nested(t->fields[i].type) || str_eq(t->fields[i].name, corrupt_name(c))) continue;
        buf_z(out, " OR COALESCE(list_transform([json_extract(d{#}, ");
        field_path(t->fields[i].name, out);
        buf_z(out, ")], lambda b{#}: json_type(b{#}) <> 'NULL' AND (");
        TRY(read_value(c, "b{#}", t->fields[i].type, 1, out));
        buf_z(out, ") IS NULL)[1], false)");
    }
    buf_c(out, ')');
    return NULL;
}

static err *read_struct(struct sql_call *c, const char *x, const struct sql_type *t, int depth, buf *out) {
    char v[64], f[64];
    snprintf(v, sizeof v, "r{#}_%d", depth);
    snprintf(f, sizeof f, "f{#}_%d", depth);
    buf_fmt(out, "list_transform([%s], lambda %s: CASE WHEN %s IS NOT NULL AND json_type(%s) = 'OBJECT' THEN {{", x, v, v, v);
    for (size_t i = 0; i < t->n; i++) {
        if (depth == 0 && c->f && str_eq(t->fields[i].name, corrupt_name(c)) && sql_is_text(t->fields[i].type)) {
            buf_fmt(out, "%s'f%zu': CASE WHEN ", i ? ", " : "", i);
            TRY(malformed(c, t, out));
            buf_z(out, " THEN {0} END");
            continue;
        }
        buf_fmt(out, "%s'f%zu': list_transform([json_extract(%s, ", i ? ", " : "", i, v);
        field_path(t->fields[i].name, out);
        buf_fmt(out, ")], lambda %s: ", f);
        TRY(read_value(c, f, t->fields[i].type, depth + 1, out));
        buf_z(out, ")[1]");
    }
    buf_z(out, "}} END)[1]");
    return NULL;
}

static err *read_value(struct sql_call *c, const char *x, const struct sql_type *t, int depth, buf *out) {
    char v[64], part[128];
    if (depth > DEEPEST) return too_deep(c);
    snprintf(v, sizeof v, "r{#}_%d", depth);
    if (t->kind == TY_STRUCT) return read_struct(c, x, t, depth, out);
    if (t->kind == TY_ARRAY) {
        /* from_json gives up an array of which one element is none of its type. */
        if (c->f) buf_fmt(out, "list_transform([");
        buf_fmt(out, "CASE WHEN json_type(%s) = 'ARRAY' THEN list_transform(json_extract(%s, '$[*]'), lambda %s: ", x, x, v);
        TRY(read_value(c, v, t->elem, depth + 1, out));
        buf_z(out, ")");
        if (c->f && depth == 0 && t->elem->kind == TY_STRUCT) { /* an object alone stands for an array of it */
            buf_fmt(out, " WHEN json_type(%s) = 'OBJECT' THEN [", x);
            TRY(read_value(c, x, t->elem, depth + 1, out));
            buf_c(out, ']');
        }
        buf_z(out, " END");
        if (c->f)
            buf_fmt(out, "], lambda a%s: CASE WHEN len(list_filter(a%s, lambda e%s: e%s IS NULL)) <= len(list_filter(json_extract(%s, '$[*]'), lambda e%s: json_type(e%s) = 'NULL')) THEN a%s END)[1]",
                    v, v, v, v, x, v, v, v);
        return NULL;
    }
    if (t->kind == TY_MAP && sql_is_text(t->key)) {
        buf_fmt(out, "CASE WHEN json_type(%s) = 'OBJECT' THEN map_from_entries(list_transform(json_keys(%s), lambda %s: {{'k': %s, 'v': list_transform([json_extract(%s, '$.\"' || replace(%s, '\"', '\\\"') || '\"')], lambda m%s: ",
                x, x, v, v, x, v, v);
        snprintf(part, sizeof part, "m%s", v);
        TRY(read_value(c, part, t->elem, depth + 1, out));
        buf_z(out, ")[1]}})) END");
        return NULL;
    }
    read_scalar(c, x, t, out);
    return NULL;
}

static err *schema_of(struct sql_call *c, const struct sql_type **ret) {
    if (!c->args[1].constant || !c->args[1].value.p)
        return sql_error("INVALID_SCHEMA.NON_STRING_LITERAL", c->ast, STR_NONE, "inputSchema", arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[1].caption)), NULL);
    return sql_type_parse(c->a, c->args[1].value, ret);
}

static err *from_json_emit(struct sql_call *c, buf *out) {
    buf_fmt(out, "list_transform([CASE WHEN json_valid({0}) THEN CAST({0} AS JSON)%s END], lambda d{#}: ",
            c->type->kind == TY_STRUCT ? " WHEN {0} IS NOT NULL THEN CAST('{{}}' AS JSON)" : "");
    str mode = option(c, 2, "mode", "PERMISSIVE");
    bool fast = str_ieq(mode, STR("FAILFAST"));
    if (!fast && !str_ieq(mode, STR("PERMISSIVE")))
        return sql_error("PARSE_MODE_UNSUPPORTED", c->ast, STR_NONE, "funcName", "`from_json`", "mode", arena_printf(c->a, "%.*s", STR_ARG(mode)), NULL);
    if (fast) {
        buf_z(out, "CASE WHEN {0} IS NOT NULL AND ");
        TRY(malformed(c, c->type, out));
        buf_z(out, " THEN error('[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] ' || CAST(to_json({{'badRecord': {0}, 'failFastMode': 'FAILFAST'}}) AS VARCHAR)) ELSE ");
    }
    TRY(read_value(c, "d{#}", c->type, 0, out));
    if (fast) buf_z(out, " END");
    buf_z(out, ")[1]");
    return NULL;
}

static err *first_caption(struct sql_call *c, buf *out) {
    buf_fmt(out, "%s(%.*s)", c->f->name, STR_ARG(c->args[0].caption));
    return NULL;
}

/* ---- variants ---- */

static err *variant_get_type(struct sql_call *c, const struct sql_type **ret) {
    if (!c->args[2].constant || !c->args[2].value.p)
        return sql_error("INVALID_SCHEMA.NON_STRING_LITERAL", c->ast, STR_NONE, "inputSchema", arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[2].caption)), NULL);
    return sql_type_parse(c->a, c->args[2].value, ret);
}

/* The part becomes JSON text for nested types, plain text for the others; both are read by type. */
static err *variant_read(struct sql_call *c, bool try_it, buf *out) {
    struct binder b = {.env = c->env, .a = c->a};
    buf *cast = sql_buf(c->a);
    TRY(emit_cast_tmpl(&b, sql_type_of(TY_VARIANT), c->type, try_it, cast));
    for (size_t i = 0; i < cast->n; i++) {
        if (cast->n - i >= 3 && memcmp(cast->p + i, "{0}", 3) == 0) {
            buf_z(out, "bh_variant_path({0}, {1})");
            i += 2;
        } else {
            buf_c(out, cast->p[i]);
        }
    }
    return NULL;
}
static err *variant_get_emit(struct sql_call *c, buf *out) { return variant_read(c, false, out); }
static err *try_variant_get_emit(struct sql_call *c, buf *out) { return variant_read(c, true, out); }

err *sql_json_read_tmpl(struct sql_env *env, arena *a, const char *json, const struct sql_type *t, buf *out) {
    struct sql_call c = {.env = env, .a = a, .type = t};
    buf_fmt(out, "list_transform([CAST(%s AS JSON)], lambda d{#}: ", json);
    TRY(read_value(&c, "d{#}", t, 0, out));
    buf_z(out, ")[1]");
    return NULL;
}

err *sql_json_write_tmpl(struct sql_env *env, arena *a, const char *x, const struct sql_type *t, buf *out) {
    struct sql_call c = {.env = env, .a = a, .type = t};
    struct writer w = {.c = &c, .out = out, .stamp = STR("yyyy-MM-dd'T'HH:mm:ss.SSSXXX"), .keep_nulls = true, .typed = true};
    return write_value(&w, x, t, 0);
}

static err *to_variant_emit(struct sql_call *c, buf *out) {
    struct binder b = {.env = c->env, .a = c->a};
    enum sql_type_kind k = c->args[0].type->kind;
    if (k != TY_ARRAY && k != TY_MAP && k != TY_STRUCT && k != TY_VOID) {
        buf name = {0};
        sql_type_write_sql(c->args[0].type, &name);
        const char *type = arena_printf(c->a, "\"%.*s\"", STR_ARG(buf_view(&name)));
        buf_free(&name);
        return sql_error("DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION", c->ast, STR_NONE, "sqlExpr", arena_printf(c->a, "\"to_variant_object(%.*s)\"", STR_ARG(c->args[0].caption)), "srcType", type,
                         "targetType", "\"VARIANT\"", NULL);
    }
    return emit_cast_tmpl(&b, c->args[0].type, sql_type_of(TY_VARIANT), false, out);
}

/* ---- json_tuple ---- */

static err *tuple_type(struct sql_call *c, const struct sql_type **ret) {
    size_t n = c->n > 1 ? c->n - 1 : 1;
    struct sql_field *f = arena_array_of(c->a, struct sql_field, n);
    for (size_t i = 0; i < n; i++) f[i] = (struct sql_field){.name = str_of(arena_printf(c->a, "c%zu", i)), .type = sql_type_of(TY_STRING), .nullable = true};
    *ret = sql_struct(c->a, f, n);
    return NULL;
}

/* One row always, of NULLs where the text is no object. */
static err *tuple_emit(struct sql_call *c, buf *out) {
    buf_z(out, c->n > 2 ? "[{{" : "[");
    for (size_t i = 1; i < c->n; i++) {
        if (i > 1) buf_z(out, ", ");
        if (c->n > 2) buf_fmt(out, "'f%zu': ", i - 1);
        buf_fmt(out, "bh_json_field({0}, {%zu})", i);
    }
    if (c->n < 2) buf_z(out, "CAST(NULL AS VARCHAR)");
    buf_z(out, c->n > 2 ? "}}]" : "]");
    return NULL;
}

static const struct sql_rule rules[] = {
    {"variant_get", variant_get_type, variant_get_emit, NULL},
    {"try_variant_get", NULL, try_variant_get_emit, NULL},
    {"to_variant", NULL, to_variant_emit, NULL},
    {"json_tuple", tuple_type, tuple_emit, NULL},
    {"to_json", NULL, to_json_emit, first_caption},
    {"from_json", schema_of, from_json_emit, first_caption},
};
const struct sql_rule_list sql_rules_json = {rules, ARRAY_LEN(rules)};
