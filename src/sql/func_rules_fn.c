/* SPDX-License-Identifier: Apache-2.0 */
/* Types, texts and captions of strings, numbers, dates: where a row's template does not suffice. */
#include <stdio.h>
#include <stdlib.h>

#include "sql/coerce.h"
#include "sql/error.h"
#include "sql/func_rules.h"

/* Text that stands in a template as it is. */
static void literal(buf *out, str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '{' || s.p[i] == '}') buf_c(out, s.p[i]);
        buf_c(out, s.p[i]);
    }
}

static int const_int(const struct sql_call *c, size_t i, int other) {
    if (i >= c->n || !c->args[i].constant || !c->args[i].value.p) return other;
    char z[24];
    snprintf(z, sizeof(z), "%.*s", STR_ARG(c->args[i].value));
    return (int)strtol(z, NULL, 10);
}

static void args_text(const struct sql_call *c, size_t from, size_t n, buf *out) {
    for (size_t i = from; i < n; i++) {
        if (i > from) buf_z(out, ", ");
        buf_str(out, c->args[i].caption);
    }
}

/* Only the arguments that were written. */
static err *given_caption(struct sql_call *c, buf *out) {
    size_t n = c->ast && c->ast->kind == AST_CALL && c->ast->n < c->n ? c->ast->n : c->n;
    buf_fmt(out, "%s(", c->f->name);
    args_text(c, 0, n, out);
    buf_c(out, ')');
    return NULL;
}

/* ---- strings ---- */

static err *trim_emit(struct sql_call *c, buf *out) {
    str side = c->args[0].value;
    const char *f = str_ieq(side, STR("leading")) ? "ltrim" : str_ieq(side, STR("trailing")) ? "rtrim" : "trim";
    bool blanks = c->args[1].constant && !c->args[1].value.p;
    buf_fmt(out, blanks ? "bh_%s({2})" : "bh_%s_set({2}, {1})", f);
    return NULL;
}
static err *trim_caption(struct sql_call *c, buf *out) {
    str side = c->args[0].value;
    bool lead = str_ieq(side, STR("leading")), trail = str_ieq(side, STR("trailing"));
    if (c->args[1].constant && !c->args[1].value.p) {
        buf_fmt(out, "%s(%.*s)", lead ? "ltrim" : trail ? "rtrim" : "trim", STR_ARG(c->args[2].caption));
        return NULL;
    }
    buf_fmt(out, "TRIM(%s %.*s FROM %.*s)", lead ? "LEADING" : trail ? "TRAILING" : "BOTH", STR_ARG(c->args[1].caption), STR_ARG(c->args[2].caption));
    return NULL;
}

static err *collation_emit(struct sql_call *c, buf *out) {
    str name = c->args[0].type->collation;
    buf_fmt(out, "'SYSTEM.BUILTIN.%.*s'", STR_ARG(name.n ? name : STR("UTF8_BINARY")));
    return NULL;
}

static err *concat_emit(struct sql_call *c, buf *out) {
    if (c->n == 0) buf_z(out, c->type->kind == TY_BINARY ? "CAST('' AS BLOB)" : "''");
    else if (c->n == 1) buf_z(out, "{0}");
    else {
        buf_c(out, '(');
        for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s{%zu}", i ? " || " : "", i);
        buf_c(out, ')');
    }
    return NULL;
}
/* A NULL array makes the whole NULL, which DuckDB's list_concat does not. */
static err *concat_arrays_emit(struct sql_call *c, buf *out) {
    if (c->n == 1) {
        buf_z(out, "{0}");
        return NULL;
    }
    buf_z(out, "CASE WHEN ");
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s{%zu} IS NULL", i ? " OR " : "", i);
    buf_z(out, " THEN NULL ELSE ");
    for (size_t i = 1; i < c->n; i++) buf_z(out, "list_concat(");
    buf_z(out, "{0}");
    for (size_t i = 1; i < c->n; i++) buf_fmt(out, ", {%zu})", i);
    buf_z(out, " END");
    return NULL;
}
static err *concat_ws_emit(struct sql_call *c, buf *out) {
    buf_z(out, "bh_concat_ws({0}, ");
    for (size_t i = 2; i < c->n; i++) buf_z(out, "list_concat(");
    if (c->n == 1) buf_z(out, "CAST([] AS VARCHAR[])");
    for (size_t i = 1; i < c->n; i++) {
        if (i > 1) buf_z(out, ", ");
        if (c->args[i].type->kind == TY_ARRAY) buf_fmt(out, "COALESCE({%zu}, CAST([] AS VARCHAR[]))", i);
        else buf_fmt(out, "[{%zu}]", i);
        if (i > 1) buf_c(out, ')');
    }
    buf_c(out, ')');
    return NULL;
}

/* decode(x, search, result, …[, default]) */
static err *decode_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *t = NULL;
    for (size_t i = 2; i < c->n; i += i + 2 < c->n ? 2 : i + 1 < c->n ? 1 : 2) {
        const struct sql_type *x = t ? sql_common_type(c->a, t, c->args[i].type) : c->args[i].type;
        if (!x) break;
        t = x;
    }
    *ret = t ? t : sql_type_of(TY_VOID);
    return NULL;
}
static void decode_result(struct sql_call *c, size_t i, buf *out) {
    static const struct { uint8_t kind; const char *name; } casts[] = {
        {TY_TINYINT, "tinyint"}, {TY_SMALLINT, "smallint"}, {TY_INT, "int"}, {TY_BIGINT, "bigint"}, {TY_FLOAT, "float"}, {TY_DOUBLE, "double"},
        {TY_BOOLEAN, "boolean"}, {TY_DATE, "date"},
    };
    for (size_t k = 0; k < ARRAY_LEN(casts); k++)
        if (sql_is_text(c->args[i].type) && c->type->kind == casts[k].kind) {
            buf_fmt(out, "bh_cast_string_%s({%zu})", casts[k].name, i);
            return;
        }
    buf_fmt(out, "CAST({%zu} AS {type})", i);
}
static err *decode_emit(struct sql_call *c, buf *out) {
    buf_z(out, "CASE");
    size_t i = 1;
    for (; i + 1 < c->n; i += 2) {
        buf_fmt(out, " WHEN {0} IS NOT DISTINCT FROM {%zu} THEN ", i);
        decode_result(c, i + 1, out);
    }
    if (i < c->n) {
        buf_z(out, " ELSE ");
        decode_result(c, i, out);
    }
    buf_z(out, " END");
    return NULL;
}

/* Arguments of a format keep their types, so that %d and %s know them; decimals and texts travel as they are. */
static err *format_string_emit(struct sql_call *c, buf *out) {
    buf_z(out, "bh_format_string({tz}, {0}");
    for (size_t i = 1; i < c->n; i++) {
        const struct sql_type *t = c->args[i].type;
        buf name = {0};
        sql_type_write(t, &name);
        buf_z(out, ", ");
        literal(out, STR("'"));
        literal(out, buf_view(&name));
        literal(out, STR("'"));
        buf_fmt(out, ", {%zu}", i);
        buf_free(&name);
    }
    buf_c(out, ')');
    return NULL;
}

static err *position_caption(struct sql_call *c, buf *out) {
    buf_z(out, ast_has(c->ast, AST_F_SPECIAL) ? "locate(" : "position(");
    args_text(c, 0, c->n, out);
    buf_c(out, ')');
    return NULL;
}
/* The form with FROM is always called substring. */
static err *substring3_caption(struct sql_call *c, buf *out) {
    buf_fmt(out, "%s(", ast_has(c->ast, AST_F_SPECIAL) ? "substring" : c->f->name);
    args_text(c, 0, c->n, out);
    buf_c(out, ')');
    return NULL;
}
static err *substring_caption(struct sql_call *c, buf *out) {
    TRY(substring3_caption(c, out));
    out->n--;
    buf_z(out, ", 2147483647)");
    return NULL;
}

static err *to_char_binary_emit(struct sql_call *c, buf *out) {
    str f = c->args[1].value;
    if (str_ieq(f, STR("base64"))) buf_z(out, "bh_base64({0})");
    else if (str_ieq(f, STR("hex"))) buf_z(out, "bh_hex_b({0})");
    else if (str_ieq(f, STR("utf-8"))) buf_z(out, "bh_decode({0}, 'UTF-8')");
    else
        return sql_error("INVALID_PARAMETER_VALUE.BINARY_FORMAT", NULL, STR_NONE, "functionName", arena_printf(c->a, "`%s`", c->f->name), "parameter", "`format`", "invalidFormat",
                         arena_printf(c->a, "'%.*s'", STR_ARG(f)), NULL);
    return NULL;
}
static err *to_char_binary_caption(struct sql_call *c, buf *out) {
    str f = c->args[1].value, x = c->args[0].caption;
    bool varchar = strcmp(c->f->name, "to_varchar") == 0, utf8 = str_ieq(f, STR("utf-8"));
    if (varchar) buf_fmt(out, utf8 ? "to_varchar(%.*s, utf-8)" : "to_varchar(%.*s)", STR_ARG(x));
    else if (utf8) buf_fmt(out, "decode(%.*s, utf-8)", STR_ARG(x));
    else buf_fmt(out, "%s(%.*s)", str_ieq(f, STR("base64")) ? "base64" : "hex", STR_ARG(x));
    return NULL;
}

/* Digits of the format, before and after its point. */
static err *to_number_type(struct sql_call *c, const struct sql_type **ret) {
    str f = c->args[1].value;
    int before = 0, after = 0;
    bool point = false;
    for (size_t i = 0; i < f.n; i++) {
        char ch = f.p[i];
        if (ch == '0' || ch == '9') point ? after++ : before++;
        if (ch == '.' || ch == 'D' || ch == 'd') point = true;
    }
    int p = before + after;
    if (p > 38) p = 38;
    *ret = sql_decimal(c->a, p < 1 ? 1 : p, after > 38 ? 38 : after);
    return NULL;
}

/* ---- numbers ---- */

static err *abs_emit(struct sql_call *c, buf *out) {
    (void)c;
    buf_z(out, "abs({0})");
    return NULL;
}
static err *negative_emit(struct sql_call *c, buf *out) {
    (void)c;
    buf_z(out, "(- {0})");
    return NULL;
}

static err *mod_type(struct sql_call *c, const struct sql_type **ret) {
    const struct sql_type *x = c->args[0].type, *y = c->args[1].type;
    bool real = x->kind == TY_DOUBLE || y->kind == TY_DOUBLE || x->kind == TY_FLOAT || y->kind == TY_FLOAT;
    if ((x->kind == TY_DECIMAL || y->kind == TY_DECIMAL) && !real) {
        *ret = sql_decimal_result(c->a, '%', sql_decimal_for(c->a, x), sql_decimal_for(c->a, y));
        return NULL;
    }
    *ret = sql_common_type(c->a, x, y);
    if (!*ret) *ret = sql_type_of(TY_DOUBLE);
    return NULL;
}
static err *pmod_emit(struct sql_call *c, buf *out) {
    const struct sql_type *l = c->args[0].type, *r = c->args[1].type;
    const char *t = "CAST(", *u = " AS {type})";
    /* Of decimals that differ DuckDB would make doubles. */
    int s = l->scale > r->scale ? l->scale : r->scale;
    if (c->type->kind == TY_DECIMAL && s <= 20) u = arena_printf(c->a, " AS DECIMAL(%d,%d))", sql_decimal_wider(c->a, l, r)->precision, s);
    else if (c->type->kind == TY_DECIMAL) t = u = "";
    buf_fmt(out,
            "CASE WHEN {1} = 0 AND {0} IS NOT NULL THEN error('[REMAINDER_BY_ZERO] {{\"config\":\"\\\"spark.sql.ansi.enabled\\\"\"}}') "
            "WHEN (%s{0}%s %% %s{1}%s) < 0 THEN CAST(((%s{0}%s %% %s{1}%s) + %s{1}%s) %% %s{1}%s AS {type}) ELSE CAST(%s{0}%s %% %s{1}%s AS {type}) END",
            t, u, t, u, t, u, t, u, t, u, t, u, t, u, t, u);
    return NULL;
}

static bool holds(const struct sql_type *t, enum sql_type_kind kind) {
    if (t->kind == kind) return true;
    if (t->kind == TY_ARRAY) return holds(t->elem, kind);
    if (t->kind == TY_MAP) return holds(t->key, kind) || holds(t->elem, kind);
    for (size_t i = 0; t->kind == TY_STRUCT && i < t->n; i++)
        if (holds(t->fields[i].type, kind)) return true;
    return false;
}

/* Maps and variants have no hash: equal ones may be written in different ways. */
static err *hash_of(struct sql_call *c, enum sql_type_kind kind, const struct sql_type **ret) {
    const char *cls = NULL;
    for (size_t i = 0; i < c->n && !cls; i++) cls = holds(c->args[i].type, TY_MAP) ? "DATATYPE_MISMATCH.HASH_MAP_TYPE" : holds(c->args[i].type, TY_VARIANT) ? "DATATYPE_MISMATCH.HASH_VARIANT_TYPE" : NULL;
    *ret = sql_type_of(kind);
    if (!cls) return NULL;
    buf b = {0};
    for (size_t i = 0; i < c->n; i++) buf_fmt(&b, "%s%.*s", i ? ", " : "", STR_ARG(c->args[i].caption));
    err *e = sql_error(cls, c->ast, STR_NONE, "sqlExpr", arena_printf(c->a, "\"%s(%.*s)\"", c->f->name, STR_ARG(buf_view(&b))), "functionName",
                       arena_printf(c->a, "`%s`", c->f->name), NULL);
    buf_free(&b);
    return e;
}
static err *hash_type(struct sql_call *c, const struct sql_type **ret) { return hash_of(c, TY_INT, ret); }
static err *xxhash_type(struct sql_call *c, const struct sql_type **ret) { return hash_of(c, TY_BIGINT, ret); }

/* ceil and floor without digits: one digit more before the point, none after. */
static err *ceil_type(struct sql_call *c, const struct sql_type **ret) {
    int p = c->args[0].type->precision, s = c->args[0].type->scale;
    *ret = sql_decimal(c->a, s == 0 ? p : p - s + 1 > 38 ? 38 : p - s + 1, 0);
    return NULL;
}
static err *round_type_of(struct sql_call *c, const struct sql_type *t, const struct sql_type **ret) {
    if (t->kind != TY_DECIMAL) {
        *ret = t;
        return NULL;
    }
    int digits = const_int(c, 1, 0), p = t->precision, s = t->scale, whole = p - s + 1;
    if (digits < 0) {
        int need = whole > 1 - digits ? whole : 1 - digits;
        *ret = sql_decimal(c->a, need > 38 ? 38 : need, 0);
    } else {
        int scale = s < digits ? s : digits;
        *ret = sql_decimal(c->a, whole + scale > 38 ? 38 : whole + scale, scale);
    }
    return NULL;
}
static err *round_up_type(struct sql_call *c, const struct sql_type **ret) { return round_type_of(c, c->args[0].type, ret); }
/* A double is first a decimal of 30 digits, a float one of 14. */
static err *round_double_type(struct sql_call *c, const struct sql_type **ret) {
    bool f = c->args[0].type->kind == TY_FLOAT;
    return round_type_of(c, sql_decimal(c->a, f ? 14 : 30, f ? 7 : 15), ret);
}

static err *round_mode(struct sql_call *c, int mode, buf *out) {
    const struct sql_type *t = c->args[0].type;
    if (t->kind == TY_DECIMAL) buf_fmt(out, "CAST(bh_dec_round_%d({0}, {1}, %d) AS {type})", c->type->scale, mode);
    else if (sql_is_integral(t) && !c->env->ansi) sql_wrap(out, t, arena_printf(c->a, "bh_int_round_wrap(CAST({0} AS BIGINT), {1}, %d)", mode));
    else if (sql_is_integral(t)) buf_fmt(out, "CAST(bh_int_round(CAST({0} AS BIGINT), {1}, %d) AS {type})", mode);
    else buf_fmt(out, "CAST(bh_dbl_round(CAST({0} AS DOUBLE), {1}, %d) AS {type})", mode);
    return NULL;
}
static err *round_emit(struct sql_call *c, buf *out) { return round_mode(c, 0, out); }
static err *bround_emit(struct sql_call *c, buf *out) { return round_mode(c, 1, out); }
static err *ceil_emit(struct sql_call *c, buf *out) { return round_mode(c, 2, out); }
static err *floor_emit(struct sql_call *c, buf *out) { return round_mode(c, 3, out); }
static err *double_mode(struct sql_call *c, int mode, buf *out) {
    bool f = c->args[0].type->kind == TY_FLOAT;
    const char *wide = f ? "14,7" : "30,15";
    buf_fmt(out, "CAST(bh_dec_round_%d(CAST(bh_cast_double_decimal(CAST({0} AS DOUBLE), %s) AS DECIMAL(%s)), {1}, %d) AS {type})", c->type->scale, wide, wide, mode);
    return NULL;
}
static err *ceil_double_emit(struct sql_call *c, buf *out) { return double_mode(c, 2, out); }
static err *floor_double_emit(struct sql_call *c, buf *out) { return double_mode(c, 3, out); }

static err *conv_emit(struct sql_call *c, buf *out) {
    buf_fmt(out, "bh_conv%s({0}, {1}, {2})", c->env->ansi ? "" : "_wrap");
    return NULL;
}

static err *uniform_type(struct sql_call *c, const struct sql_type **ret) {
    *ret = sql_common_type(c->a, c->args[0].type, c->args[1].type);
    if (!*ret) *ret = sql_type_of(TY_DOUBLE);
    return NULL;
}

/* ---- dates ---- */

static err *to_date_emit(struct sql_call *c, buf *out) {
    buf_z(out, c->args[0].type->kind == TY_DATE ? "{0}" : "bh_ts_to_date({0}, {tz})");
    return NULL;
}

/* ---- misc ---- */

static err *assert_caption(struct sql_call *c, buf *out) {
    buf_fmt(out, "assert_true(%.*s, '%.*s' is not true!)", STR_ARG(c->args[0].caption), STR_ARG(c->args[0].caption));
    return NULL;
}
static err *assert_emit(struct sql_call *c, buf *out) {
    buf text = {0}, q = {0};
    buf_fmt(&text, "'%.*s' is not true!", STR_ARG(c->args[0].caption));
    sql_quote(&q, buf_view(&text));
    buf_z(out, "CASE WHEN {0} THEN NULL ELSE bh_raise(");
    literal(out, buf_view(&q));
    buf_z(out, ") END");
    buf_free(&text);
    buf_free(&q);
    return NULL;
}

/* Methods of Java whose answer needs no Java. */
static err *reflect_emit(struct sql_call *c, buf *out) {
    static const struct { const char *cls, *method; size_t args; const char *emit; } known[] = {
        {"java.util.UUID", "randomUUID", 0, "bh_uuid()"},
        {"java.util.UUID", "fromString", 1, "CAST(CAST({2} AS UUID) AS VARCHAR)"},
        {"java.net.URLDecoder", "decode", 1, "bh_url_decode({2})"},
        {"java.net.URLEncoder", "encode", 1, "bh_url_encode({2})"},
        {"java.lang.Math", "abs", 1, "CAST(abs({2}) AS VARCHAR)"},
        {"java.lang.Integer", "toBinaryString", 1, "bh_bin(CAST({2} AS BIGINT))"},
    };
    bool try_it = strncmp(c->f->name, "try_", 4) == 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eqz(c->args[0].value, known[i].cls) && str_eqz(c->args[1].value, known[i].method) && c->n == 2 + known[i].args) {
            buf_fmt(out, try_it && known[i].args ? "TRY(%s)" : "%s", known[i].emit); /* TRY takes nothing volatile */
            return NULL;
        }
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_STATIC_METHOD", NULL, STR_NONE, "sqlExpr", arena_printf(c->a, "\"%s\"", c->f->name), "methodName",
                     arena_printf(c->a, "%.*s", STR_ARG(c->args[1].value)), "className", arena_printf(c->a, "%.*s", STR_ARG(c->args[0].value)), NULL);
}

static const struct sql_rule rules[] = {
    {"given", NULL, NULL, given_caption},
    {"trim", NULL, trim_emit, trim_caption},
    {"collation", NULL, collation_emit, NULL},
    {"concat", NULL, concat_emit, NULL},
    {"concat_arrays", NULL, concat_arrays_emit, NULL},
    {"concat_ws", NULL, concat_ws_emit, NULL},
    {"decode", decode_type, decode_emit, NULL},
    {"format_string", NULL, format_string_emit, NULL},
    {"position", NULL, NULL, position_caption},
    {"substring", NULL, NULL, substring_caption},
    {"substring3", NULL, NULL, substring3_caption},
    {"to_char_binary", NULL, to_char_binary_emit, to_char_binary_caption},
    {"to_number", to_number_type, NULL, NULL},
    {"abs", NULL, abs_emit, NULL},
    {"negative", NULL, negative_emit, NULL},
    {"mod", mod_type, NULL, NULL},
    {"pmod", NULL, pmod_emit, NULL},
    {"ceil", ceil_type, ceil_emit, NULL},
    {"floor", NULL, floor_emit, NULL},
    {"round_up", round_up_type, NULL, NULL},
    {"round_double", round_double_type, NULL, NULL},
    {"round", NULL, round_emit, NULL},
    {"bround", NULL, bround_emit, NULL},
    {"ceil_double", NULL, ceil_double_emit, NULL},
    {"floor_double", NULL, floor_double_emit, NULL},
    {"uniform", uniform_type, NULL, NULL},
    {"conv", NULL, conv_emit, NULL},
    {"to_date", NULL, to_date_emit, NULL},
    {"hash", hash_type, NULL, NULL},
    {"xxhash64", xxhash_type, NULL, NULL},
    {"assert_true", NULL, assert_emit, assert_caption},
    {"reflect", NULL, reflect_emit, NULL},
};

const struct sql_rule_list sql_rules_fn = {rules, ARRAY_LEN(rules)};
