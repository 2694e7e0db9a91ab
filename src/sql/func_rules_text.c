/* SPDX-License-Identifier: Apache-2.0 */
/*
 * from_csv, to_csv, from_xml, to_xml: DuckDB text made for the very type. Texts of fields are read as CSV and XML readers
 * do: what does not fit its field is NULL and makes the record malformed, which FAILFAST refuses and a field named
 * _corrupt_record keeps.
 */
#include <stdio.h>

#include "sql/bind.h"
#include "sql/func_rules.h"

#define DEEPEST 40

static str option_of(const struct sql_call *c, size_t arg, const char *name) {
    const struct ast *m = c->ast && c->ast->kind == AST_CALL && arg < c->ast->n ? c->ast->child[arg] : NULL;
    for (uint32_t i = 0; m && m->kind == AST_CALL && i + 1 < m->n; i += 2)
        if (m->child[i]->kind == AST_LIT_STRING && m->child[i + 1]->kind == AST_LIT_STRING && str_ieq(m->child[i]->text, str_of(name))) return m->child[i + 1]->text;
    return STR_NONE;
}

static void quoted(buf *out, str s) {
    buf q = {0};
    sql_quote(&q, s);
    buf_tmpl(out, buf_view(&q));
    buf_free(&q);
}

struct texts {
    struct sql_call *c;
    buf *out;
    bool xml;
    str stamp, day, time, prefix, value_tag, corrupt, null_value, indent;
};

static void options(struct sql_call *c, size_t arg, bool xml, buf *out, struct texts *t) {
    str v;
    *t = (struct texts){.c = c, .out = out, .xml = xml, .stamp = option_of(c, arg, "timestampFormat"), .day = option_of(c, arg, "dateFormat"), .time = option_of(c, arg, "timeFormat")};
    t->prefix = (v = option_of(c, arg, "attributePrefix")).p ? v : STR("_");
    t->value_tag = (v = option_of(c, arg, "valueTag")).p ? v : STR("_VALUE");
    t->corrupt = (v = option_of(c, arg, "columnNameOfCorruptRecord")).p ? v : STR("_corrupt_record");
    t->null_value = option_of(c, arg, "nullValue");
    t->indent = (v = option_of(c, arg, "indent")).p ? v : STR("    ");
}

static err *too_deep(struct sql_call *c) { return sql_error("UNSUPPORTED_FEATURE.SQL", c->ast, STR_NONE, "what", "types nested this deep", NULL); }

/* ---- a scalar out of text: s is a DuckDB text without side effects, NULL where there is none ---- */

static err *read_scalar(struct texts *w, const char *s, const struct sql_type *t) {
    buf *o = w->out;
    switch (t->kind) {
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: buf_z(o, s); return NULL;
    case TY_BOOLEAN:
        if (w->xml) buf_fmt(o, "CASE lower(%s) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END", s);
        else buf_fmt(o, "CASE lower(%s) WHEN 'true' THEN true WHEN 'false' THEN false END", s);
        return NULL;
    case TY_TINYINT: buf_fmt(o, "CASE WHEN regexp_full_match(%s, '[+-]?[0-9]+') THEN bh_try_cast_string_tinyint(%s) END", s, s); return NULL;
    case TY_SMALLINT: buf_fmt(o, "CASE WHEN regexp_full_match(%s, '[+-]?[0-9]+') THEN bh_try_cast_string_smallint(%s) END", s, s); return NULL;
    case TY_INT: buf_fmt(o, "CASE WHEN regexp_full_match(%s, '[+-]?[0-9]+') THEN bh_try_cast_string_int(%s) END", s, s); return NULL;
    case TY_BIGINT: buf_fmt(o, "CASE WHEN regexp_full_match(%s, '[+-]?[0-9]+') THEN bh_try_cast_string_bigint(%s) END", s, s); return NULL;
    case TY_FLOAT:
    case TY_DOUBLE:
        buf_fmt(o, "bh_try_cast_string_%s(CASE %s WHEN 'Inf' THEN 'Infinity' WHEN '+Inf' THEN 'Infinity' WHEN '-Inf' THEN '-Infinity' ELSE %s END)", t->kind == TY_FLOAT ? "float" : "double", s, s);
        return NULL;
    case TY_DECIMAL:
        buf_fmt(o, "CAST(bh_try_cast_string_decimal(replace(%s, ',', ''), %u, %u) AS DECIMAL(%u,%u))", s, t->precision, t->scale, t->precision, t->scale);
        return NULL;
    case TY_DATE:
        if (!w->day.p) buf_fmt(o, "bh_try_cast_string_date(%s)", s);
        else {
            buf_fmt(o, "bh_ts_to_date(bh_try_parse_ts(%s, ", s);
            quoted(o, w->day);
            buf_z(o, ", {tz}), {tz})");
        }
        return NULL;
    case TY_TIMESTAMP:
        if (!w->stamp.p) buf_fmt(o, "bh_try_cast_string_timestamp(%s, {tz})", s);
        else {
            buf_fmt(o, "bh_try_parse_ts(%s, ", s);
            quoted(o, w->stamp);
            buf_z(o, ", {tz})");
        }
        return NULL;
    case TY_TIMESTAMP_NTZ: buf_fmt(o, "bh_try_cast_string_ntz(%s)", s); return NULL;
    case TY_TIME:
        if (!w->time.p) buf_fmt(o, "bh_try_cast_string_time(%s)", s);
        else {
            buf_fmt(o, "CAST(bh_ts_to_ntz(bh_try_parse_ts(%s, ", s);
            quoted(o, w->time);
            buf_z(o, ", {tz}), {tz}) AS TIME)");
        }
        return NULL;
    case TY_INTERVAL_YM: buf_fmt(o, "bh_try_cast_string_ym(%s, %u, %u)", s, t->from, t->to); return NULL;
    case TY_INTERVAL_DT: buf_fmt(o, "bh_try_cast_string_dt(%s, %u, %u)", s, t->from, t->to); return NULL;
    case TY_BINARY: buf_fmt(o, "encode(%s)", s); return NULL;
    case TY_VARIANT: buf_fmt(o, "bh_to_variant_string(%s)", s); return NULL;
    default: break;
    }
    buf name = {0};
    buf_c(&name, '"');
    sql_type_write_sql(t, &name);
    buf_c(&name, '"');
    err *e = sql_error("UNSUPPORTED_DATATYPE", w->c->ast, STR_NONE, "typeName", arena_printf(w->c->a, "%.*s", STR_ARG(buf_view(&name))), NULL);
    buf_free(&name);
    return e;
}

/* ---- reading ---- */

static err *schema_type(struct sql_call *c, const struct sql_type **ret) {
    if (!c->args[1].constant || !c->args[1].value.p)
        return sql_error("INVALID_SCHEMA.NON_STRING_LITERAL", c->ast, STR_NONE, "inputSchema", arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[1].caption)), NULL);
    TRY(sql_type_parse(c->a, c->args[1].value, ret));
    if ((*ret)->kind == TY_STRUCT) return NULL;
    return sql_error("INVALID_SCHEMA.NON_STRUCT_TYPE", c->ast, STR_NONE, "inputSchema", arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[1].value)), "dataType", "", NULL);
}

/* {mode}: what becomes of a record r whose malformed-ness is the text `bad`. */
static err *by_mode(struct texts *w, const char *record, const char *bad, const char *text) {
    struct sql_call *c = w->c;
    str mode = option_of(c, 2, "mode");
    if (!mode.p || str_ieq(mode, STR("PERMISSIVE"))) {
        buf_z(w->out, record);
        return NULL;
    }
    if (!str_ieq(mode, STR("FAILFAST")))
        return sql_error("PARSE_MODE_UNSUPPORTED", c->ast, STR_NONE, "funcName", arena_printf(c->a, "`%s`", c->f->name), "mode", arena_printf(c->a, "%.*s", STR_ARG(mode)), NULL);
    buf_fmt(w->out, "CASE WHEN %s THEN error('[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] ' || CAST(to_json({{'badRecord': %s, 'failFastMode': 'FAILFAST'}}) AS VARCHAR)) ELSE %s END", bad,
            text, record);
    return NULL;
}

static err *from_csv_emit(struct sql_call *c, buf *out) {
    struct texts w;
    str v, sep = option_of(c, 2, "sep");
    buf *rec = sql_buf(c->a), *bad = sql_buf(c->a);
    const struct sql_type *t = c->type;
    options(c, 2, false, rec, &w);
    if (!sep.p) sep = option_of(c, 2, "delimiter");
    size_t fields = 0;
    for (size_t i = 0; i < t->n; i++) fields += !(str_eq(t->fields[i].name, w.corrupt) && sql_is_text(t->fields[i].type));
    buf_fmt(bad, "(len(f{#}) <> %zu", fields);
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++) {
        char s[32];
        if (str_eq(t->fields[i].name, w.corrupt) && sql_is_text(t->fields[i].type)) continue;
        snprintf(s, sizeof s, "f{#}[%zu]", ++k);
        buf_fmt(bad, " OR (%s IS NOT NULL AND (", s);
        buf *keep = w.out;
        w.out = bad;
        TRY(read_scalar(&w, s, t->fields[i].type));
        w.out = keep;
        buf_z(bad, ") IS NULL)");
    }
    buf_c(bad, ')');
    buf_z(rec, "{{");
    k = 0;
    for (size_t i = 0; i < t->n; i++) {
        char s[32];
        buf_fmt(rec, "%s'f%zu': ", i ? ", " : "", i);
        if (str_eq(t->fields[i].name, w.corrupt) && sql_is_text(t->fields[i].type)) {
            buf_fmt(rec, "CASE WHEN %.*s THEN {0} END", STR_ARG(buf_view(bad)));
            continue;
        }
        snprintf(s, sizeof s, "f{#}[%zu]", ++k);
        TRY(read_scalar(&w, s, t->fields[i].type));
    }
    buf_z(rec, "}}");
    buf_c(rec, 0);
    buf_c(bad, 0);
    buf_z(out, "list_transform([bh_csv_split({0}, ");
    quoted(out, sep.p ? sep : STR(","));
    buf_z(out, ", ");
    quoted(out, (v = option_of(c, 2, "quote")).p ? v : STR("\""));
    buf_z(out, ", ");
    quoted(out, (v = option_of(c, 2, "escape")).p ? v : STR("\\"));
    buf_fmt(out, ", %s, %s, ", str_ieq(option_of(c, 2, "ignoreLeadingWhiteSpace"), STR("true")) ? "true" : "false",
            str_ieq(option_of(c, 2, "ignoreTrailingWhiteSpace"), STR("true")) ? "true" : "false");
    quoted(out, w.null_value.p ? w.null_value : STR(""));
    buf_z(out, ")], lambda f{#}: CASE WHEN f{#} IS NOT NULL THEN ");
    w.out = out;
    TRY(by_mode(&w, rec->p, bad->p, "{0}"));
    buf_z(out, " END)[1]");
    return NULL;
}

static err *read_xml(struct texts *w, const char *x, const struct sql_type *t, int depth);

static bool is_attribute(const struct texts *w, str name) { return w->prefix.n && str_starts(name, w->prefix) && !str_eq(name, w->value_tag); }

/* The text that a scalar field of element x is read from. */
static void xml_field_text(struct texts *w, const char *x, str name, buf *out) {
    if (str_eq(name, w->value_tag)) {
        buf_fmt(out, "bh_xml_value(%s)", x);
        return;
    }
    bool attribute = is_attribute(w, name);
    buf_fmt(out, attribute ? "bh_xml_attribute(%s, " : "bh_xml_inner(bh_xml_child(%s, ", x);
    quoted(out, attribute ? str_from(name, w->prefix.n) : name);
    buf_z(out, attribute ? ")" : "))");
}

static bool nested(const struct sql_type *t) { return t->kind == TY_ARRAY || t->kind == TY_MAP || t->kind == TY_STRUCT; }

static err *xml_struct(struct texts *w, const char *x, const struct sql_type *t, int depth, const char *bad) {
    char v[48];
    snprintf(v, sizeof v, "x{#}_%d", depth);
    buf_fmt(w->out, "list_transform([%s], lambda %s: CASE WHEN %s IS NOT NULL THEN {{", x, v, v);
    for (size_t i = 0; i < t->n; i++) {
        const struct sql_type *ft = t->fields[i].type;
        str name = t->fields[i].name;
        buf *s = sql_buf(w->c->a);
        buf_fmt(w->out, "%s'f%zu': ", i ? ", " : "", i);
        if (bad && str_eq(name, w->corrupt) && sql_is_text(ft)) {
            buf_fmt(w->out, "CASE WHEN %s THEN {0} END", bad);
            continue;
        }
        if (ft->kind == TY_ARRAY) {
            buf_fmt(s, "bh_xml_children(%s, ", v);
            quoted(s, name);
            buf_c(s, ')');
        } else if (nested(ft)) {
            buf_fmt(s, "bh_xml_child(%s, ", v);
            quoted(s, name);
            buf_c(s, ')');
        } else {
            xml_field_text(w, v, name, s);
            char n[48];
            snprintf(n, sizeof n, "s{#}_%d", depth);
            buf_fmt(w->out, "list_transform([%.*s], lambda %s: ", STR_ARG(buf_view(s)), n);
            TRY(read_scalar(w, n, ft));
            buf_z(w->out, ")[1]");
            continue;
        }
        buf_c(s, 0);
        TRY(read_xml(w, s->p, ft, depth + 1));
    }
    buf_z(w->out, "}} END)[1]");
    return NULL;
}

/* x: an element as text; of an array the list of its elements. */
static err *read_xml(struct texts *w, const char *x, const struct sql_type *t, int depth) {
    char v[48];
    if (depth > DEEPEST) return too_deep(w->c);
    snprintf(v, sizeof v, "e{#}_%d", depth);
    if (t->kind == TY_STRUCT) return xml_struct(w, x, t, depth, NULL);
    if (t->kind == TY_ARRAY) {
        buf_fmt(w->out, "list_transform(%s, lambda %s: ", x, v);
        TRY(read_xml(w, v, t->elem, depth + 1));
        buf_c(w->out, ')');
        return NULL;
    }
    if (t->kind == TY_MAP) {
        buf_fmt(w->out, "map_from_entries(list_transform(bh_xml_names(%s), lambda %s: {{'k': %s, 'v': list_transform([bh_xml_child(%s, %s)], lambda m%s: ", x, v, v, x, v, v);
        char m[56];
        snprintf(m, sizeof m, "m%s", v);
        TRY(read_xml(w, m, t->elem, depth + 1));
        buf_z(w->out, ")[1]}}))");
        return NULL;
    }
    char s[96];
    snprintf(s, sizeof s, "bh_xml_inner(%s)", x);
    return read_scalar(w, s, t);
}

static err *from_xml_emit(struct sql_call *c, buf *out) {
    struct texts w;
    const struct sql_type *t = c->type;
    buf *rec = sql_buf(c->a), *bad = sql_buf(c->a);
    options(c, 2, true, bad, &w);
    buf_z(bad, "(NOT bh_xml_ok(d{#})");
    for (size_t i = 0; i < t->n; i++) {
        if (nested(t->fields[i].type) || str_eq(t->fields[i].name, w.corrupt)) continue;
        buf *s = sql_buf(c->a);
        xml_field_text(&w, "d{#}", t->fields[i].name, s);
        buf_fmt(bad, " OR list_transform([%.*s], lambda b{#}: b{#} IS NOT NULL AND (", STR_ARG(buf_view(s)));
        TRY(read_scalar(&w, "b{#}", t->fields[i].type));
        buf_z(bad, ") IS NULL)[1]");
    }
    buf_c(bad, ')');
    buf_c(bad, 0);
    w.out = rec;
    TRY(xml_struct(&w, "d{#}", t, 0, bad->p));
    buf_c(rec, 0);
    w.out = out;
    buf_z(out, "list_transform([{0}], lambda d{#}: CASE WHEN d{#} IS NOT NULL THEN ");
    TRY(by_mode(&w, rec->p, bad->p, "d{#}"));
    buf_z(out, " END)[1]");
    return NULL;
}

/* ---- writing ---- */

static err *cast_text(struct texts *w, const char *x, const struct sql_type *t) {
    struct binder b = {.env = w->c->env, .a = w->c->a};
    buf *cast = sql_buf(w->c->a);
    TRY(emit_cast_tmpl(&b, t, sql_type_of(TY_STRING), false, cast));
    for (size_t i = 0; i < cast->n; i++) {
        if (cast->n - i >= 3 && memcmp(cast->p + i, "{0}", 3) == 0) {
            buf_z(w->out, x);
            i += 2;
        } else buf_c(w->out, cast->p[i]);
    }
    return NULL;
}

/* A value that is not NULL as text. */
static err *write_text(struct texts *w, const char *x, const struct sql_type *t) {
    buf *o = w->out;
    switch (t->kind) {
    case TY_DATE:
        if (!w->day.p) break;
        buf_fmt(o, "bh_date_format(bh_date_to_ts(%s, {tz}), ", x);
        quoted(o, w->day);
        buf_z(o, ", {tz})");
        return NULL;
    case TY_TIMESTAMP:
        buf_fmt(o, "bh_date_format(%s, ", x);
        quoted(o, w->stamp.p ? w->stamp : STR("yyyy-MM-dd'T'HH:mm:ss.SSSXXX"));
        buf_z(o, ", {tz})");
        return NULL;
    case TY_TIMESTAMP_NTZ: buf_fmt(o, "strftime(%s, '%%Y-%%m-%%dT%%H:%%M:%%S.%%g')", x); return NULL;
    case TY_TIME:
        if (!w->time.p) break;
        buf_fmt(o, "bh_time_format(%s, ", x);
        quoted(o, w->time);
        buf_c(o, ')');
        return NULL;
    case TY_INTERVAL_YM: buf_fmt(o, "bh_cast_ym_string(%s, %u, %u)", x, t->from, t->to); return NULL;
    case TY_INTERVAL_DT: buf_fmt(o, "bh_cast_dt_string(%s, %u, %u)", x, t->from, t->to); return NULL;
    case TY_VOID: buf_z(o, "CAST(NULL AS VARCHAR)"); return NULL;
    default: break;
    }
    return cast_text(w, x, t);
}

static err *not_struct(struct sql_call *c, const char *cls) {
    buf name = {0};
    buf_c(&name, '"');
    sql_type_write_sql(c->args[0].type, &name);
    buf_c(&name, '"');
    const char *type = arena_printf(c->a, "%.*s", STR_ARG(buf_view(&name)));
    buf_free(&name);
    return sql_error(cls, c->ast, STR_NONE, "sqlExpr", arena_printf(c->a, "\"%s(%.*s)\"", c->f->name, STR_ARG(c->args[0].caption)), "functionName", arena_printf(c->a, "`%s`", c->f->name),
                     "dataType", type, "paramIndex", "first", "requiredType", "\"STRUCT\"", "inputSql", arena_printf(c->a, "\"%.*s\"", STR_ARG(c->args[0].caption)), "inputType", type, NULL);
}

static err *to_csv_emit(struct sql_call *c, buf *out) {
    struct texts w;
    str v, sep = option_of(c, 1, "sep");
    const struct sql_type *t = c->args[0].type;
    options(c, 1, false, out, &w);
    if (t->kind == TY_VOID) {
        buf_z(out, "CAST(NULL AS VARCHAR)");
        return NULL;
    }
    if (t->kind != TY_STRUCT) return not_struct(c, "DATATYPE_MISMATCH.UNSUPPORTED_INPUT_TYPE");
    if (!sep.p) sep = option_of(c, 1, "delimiter");
    buf_z(out, "list_transform([{0}], lambda v{#}: CASE WHEN v{#} IS NOT NULL THEN bh_csv_join([");
    for (size_t i = 0; i < t->n; i++) {
        char x[40];
        snprintf(x, sizeof x, "v{#}.f%zu", i);
        buf_fmt(out, "%sCASE WHEN %s IS NOT NULL THEN ", i ? ", " : "", x);
        TRY(write_text(&w, x, t->fields[i].type));
        buf_z(out, " END");
    }
    buf_z(out, "], ");
    quoted(out, sep.p ? sep : STR(","));
    buf_z(out, ", ");
    quoted(out, (v = option_of(c, 1, "quote")).p ? v : STR("\""));
    buf_z(out, ", ");
    quoted(out, (v = option_of(c, 1, "escape")).p ? v : STR("\\"));
    buf_z(out, ", ");
    quoted(out, w.null_value.p ? w.null_value : STR(""));
    buf_z(out, ", ");
    quoted(out, (v = option_of(c, 1, "emptyValue")).p ? v : STR("\"\""));
    buf_fmt(out, ", %s, %s, %s) END)[1]", str_ieq(option_of(c, 1, "quoteAll"), STR("true")) ? "true" : "false",
            str_ieq(option_of(c, 1, "ignoreLeadingWhiteSpace"), STR("false")) ? "false" : "true", str_ieq(option_of(c, 1, "ignoreTrailingWhiteSpace"), STR("false")) ? "false" : "true");
    return NULL;
}

static void indentation(struct texts *w, int depth) {
    buf b = {0};
    for (int i = 0; i < depth; i++) buf_str(&b, w->indent);
    quoted(w->out, buf_view(&b));
    buf_free(&b);
}

#define NEWLINE(w) ((w)->indent.n ? "chr(10)" : "''")

/* The lines of an element named by the DuckDB text `name`; NULL of NULL. */
static err *write_element(struct texts *w, const char *name, const char *x, const struct sql_type *t, int depth);

static err *attributes(struct texts *w, const char *v, const struct sql_type *t) {
    for (size_t i = 0; i < t->n; i++) {
        char x[96];
        if (!is_attribute(w, t->fields[i].name) || nested(t->fields[i].type)) continue;
        snprintf(x, sizeof x, "%s.f%zu", v, i);
        buf_fmt(w->out, " || CASE WHEN %s IS NOT NULL THEN ' ' || ", x);
        quoted(w->out, str_from(t->fields[i].name, w->prefix.n));
        buf_z(w->out, " || '=\"' || bh_xml_escape(");
        TRY(write_text(w, x, t->fields[i].type));
        buf_z(w->out, ", true) || '\"' ELSE '' END");
    }
    return NULL;
}

/* What stands between the tags of a struct, with its line breaks. */
static err *content(struct texts *w, const char *v, const struct sql_type *t, int depth) {
    size_t n = 0, value = t->n;
    char x[96];
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->fields[i].name, w->value_tag)) value = i;
        else n += !is_attribute(w, t->fields[i].name) || nested(t->fields[i].type);
    if (value < t->n) {
        snprintf(x, sizeof x, "%s.f%zu", v, value);
        buf_z(w->out, "COALESCE(bh_xml_escape(");
        TRY(write_text(w, x, t->fields[value].type));
        buf_z(w->out, ", false), '')");
        if (!n) return NULL;
        buf_z(w->out, " || ");
    }
    buf_fmt(w->out, "%s", NEWLINE(w));
    for (size_t i = 0; i < t->n; i++) {
        if (i == value || (is_attribute(w, t->fields[i].name) && !nested(t->fields[i].type))) continue;
        buf *name = sql_buf(w->c->a);
        quoted(name, t->fields[i].name);
        buf_c(name, 0);
        snprintf(x, sizeof x, "%s.f%zu", v, i);
        buf_z(w->out, " || COALESCE(");
        TRY(write_element(w, name->p, x, t->fields[i].type, depth + 1));
        buf_z(w->out, ", ");
        if (w->null_value.p && t->fields[i].type->kind != TY_ARRAY) {
            indentation(w, depth + 1);
            buf_fmt(w->out, " || '<' || %s || '>' || bh_xml_escape(", name->p);
            quoted(w->out, w->null_value);
            buf_fmt(w->out, ", false) || '</' || %s || '>' || %s)", name->p, NEWLINE(w));
        } else buf_z(w->out, "'')");
    }
    buf_z(w->out, " || ");
    indentation(w, depth);
    return NULL;
}

static err *write_element(struct texts *w, const char *name, const char *x, const struct sql_type *t, int depth) {
    char v[48];
    if (depth > DEEPEST) return too_deep(w->c);
    snprintf(v, sizeof v, "w{#}_%d", depth);
    if (t->kind == TY_ARRAY) {
        const char *inner = t->elem->kind == TY_ARRAY ? "'item'" : name;
        buf_fmt(w->out, "array_to_string(list_transform(%s, lambda a%s: COALESCE(", x, v);
        char e[56];
        snprintf(e, sizeof e, "a%s", v);
        if (t->elem->kind == TY_ARRAY) {
            indentation(w, depth);
            buf_fmt(w->out, " || '<' || %s || '>' || %s || ", name, NEWLINE(w));
            TRY(write_element(w, inner, e, t->elem, depth + 1));
            buf_z(w->out, " || ");
            indentation(w, depth);
            buf_fmt(w->out, " || '</' || %s || '>' || %s", name, NEWLINE(w));
        } else TRY(write_element(w, name, e, t->elem, depth));
        buf_z(w->out, ", '')), '')");
        return NULL;
    }
    buf_fmt(w->out, "list_transform([%s], lambda %s: CASE WHEN %s IS NOT NULL THEN ", x, v, v);
    indentation(w, depth);
    buf_fmt(w->out, " || '<' || %s", name);
    if (t->kind == TY_STRUCT) TRY(attributes(w, v, t));
    buf_z(w->out, " || '>' || ");
    if (t->kind == TY_STRUCT) TRY(content(w, v, t, depth));
    else if (t->kind == TY_MAP) {
        char e[64], k[96];
        snprintf(e, sizeof e, "p%s.value", v);
        snprintf(k, sizeof k, "CAST(p%s.key AS VARCHAR)", v);
        buf_fmt(w->out, "%s || array_to_string(list_transform(map_entries(%s), lambda p%s: COALESCE(", NEWLINE(w), v, v);
        TRY(write_element(w, k, e, t->elem, depth + 1));
        buf_z(w->out, ", '')), '') || ");
        indentation(w, depth);
    } else {
        buf_z(w->out, "bh_xml_escape(");
        TRY(write_text(w, v, t));
        buf_z(w->out, ", false)");
    }
    buf_fmt(w->out, " || '</' || %s || '>' || %s END)[1]", name, NEWLINE(w));
    return NULL;
}

static err *to_xml_emit(struct sql_call *c, buf *out) {
    struct texts w;
    str tag = option_of(c, 1, "rowTag");
    options(c, 1, true, out, &w);
    if (c->args[0].type->kind != TY_STRUCT) return not_struct(c, "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE");
    buf *name = sql_buf(c->a);
    quoted(name, tag.p ? tag : STR("ROW"));
    buf_c(name, 0);
    buf_z(out, "rtrim(");
    TRY(write_element(&w, name->p, "{0}", c->args[0].type, 0));
    buf_z(out, w.indent.n ? ", chr(10))" : " || chr(10), '')");
    return NULL;
}

static err *first_caption(struct sql_call *c, buf *out) {
    buf_fmt(out, "%s(%.*s)", c->f->name, STR_ARG(c->args[0].caption));
    return NULL;
}

/* ---- formats that nothing here reads ---- */

static err *not_loaded_emit(struct sql_call *c, buf *out) {
    (void)out;
    char upper[32] = {0};
    for (size_t i = 0; c->f->name[i] && i + 1 < sizeof upper; i++) upper[i] = (char)(c->f->name[i] >= 'a' && c->f->name[i] <= 'z' ? c->f->name[i] - 32 : c->f->name[i]);
    const char *name = arena_strdup(c->a, upper);
    bool protobuf = str_ends(str_of(upper), STR("PROTOBUF"));
    if (!protobuf) return sql_error("AVRO_NOT_LOADED_SQL_FUNCTIONS_UNUSABLE", c->ast, STR_NONE, "functionName", name, NULL);
    if (upper[0] == 'T' && c->args[0].type->kind != TY_STRUCT) return not_struct(c, "DATATYPE_MISMATCH.NON_STRUCT_TYPE");
    if (c->n > 2 && sql_is_text(c->args[2].type))
        return sql_error("PROTOBUF_DESCRIPTOR_FILE_NOT_FOUND", c->ast, STR_NONE, "filePath", arena_printf(c->a, "%.*s", STR_ARG(c->args[2].value)), NULL);
    return sql_error("PROTOBUF_NOT_LOADED_SQL_FUNCTIONS_UNUSABLE", c->ast, STR_NONE, "functionName", name, NULL);
}

/* Nothing here writes such logs: the table is empty, where it is switched on. */
static err *worker_logs_emit(struct sql_call *c, buf *out) {
    str on = STR_NONE;
    if (!c->env->setting || !c->env->setting(c->env, STR("spark.sql.pyspark.worker.logging.enabled"), &on) || !str_ieq(on, STR("true")))
        return sql_error("FEATURE_NOT_ENABLED", c->ast, STR_NONE, "featureName", "Python Worker Logging", "configKey", "spark.sql.pyspark.worker.logging.enabled", "configValue", "true", NULL);
    buf_z(out, "SELECT ");
    for (size_t i = 0; i < c->type->n; i++) {
        buf_z(out, i ? ", CAST(NULL AS " : "CAST(NULL AS ");
        buf type = {0};
        sql_type_write_duckdb(c->type->fields[i].type, &type);
        buf_tmpl(out, buf_view(&type));
        buf_free(&type);
        buf_fmt(out, ") AS c%zu", i);
    }
    buf_z(out, " WHERE false");
    return NULL;
}

static err *measure_emit(struct sql_call *c, buf *out) {
    (void)out;
    return sql_error("UNSUPPORTED_FEATURE.SQL", c->ast, STR_NONE, "what", "measure() outside of a metric view", NULL);
}

static const struct sql_rule rules[] = {
    {"not_loaded", NULL, not_loaded_emit, NULL},
    {"measure", NULL, measure_emit, NULL},
    {"worker_logs", NULL, worker_logs_emit, NULL},
    {"from_csv", schema_type, from_csv_emit, first_caption},
    {"to_csv", NULL, to_csv_emit, first_caption},
    {"from_xml", schema_type, from_xml_emit, first_caption},
    {"to_xml", NULL, to_xml_emit, first_caption},
};

const struct sql_rule_list sql_rules_text = {rules, ARRAY_LEN(rules)};
