/* SPDX-License-Identifier: Apache-2.0 */
/* Types: making them, comparing them, and the type that a TYPE node of the tree names. */
#include "sql/type.h"

#include "sql/error.h"
#include "sql/sql.h"

static const struct sql_type plain[TY_KINDS] = {
    [TY_VOID] = {.kind = TY_VOID},
    [TY_BOOLEAN] = {.kind = TY_BOOLEAN},
    [TY_TINYINT] = {.kind = TY_TINYINT},
    [TY_SMALLINT] = {.kind = TY_SMALLINT},
    [TY_INT] = {.kind = TY_INT},
    [TY_BIGINT] = {.kind = TY_BIGINT},
    [TY_FLOAT] = {.kind = TY_FLOAT},
    [TY_DOUBLE] = {.kind = TY_DOUBLE},
    [TY_DECIMAL] = {.kind = TY_DECIMAL, .precision = 10, .scale = 0},
    [TY_STRING] = {.kind = TY_STRING},
    [TY_CHAR] = {.kind = TY_CHAR, .length = 1},
    [TY_VARCHAR] = {.kind = TY_VARCHAR, .length = 1},
    [TY_BINARY] = {.kind = TY_BINARY},
    [TY_DATE] = {.kind = TY_DATE},
    [TY_TIMESTAMP] = {.kind = TY_TIMESTAMP},
    [TY_TIMESTAMP_NTZ] = {.kind = TY_TIMESTAMP_NTZ},
    [TY_TIME] = {.kind = TY_TIME, .precision = 6},
    [TY_INTERVAL_YM] = {.kind = TY_INTERVAL_YM, .from = UNIT_YEAR, .to = UNIT_MONTH},
    [TY_INTERVAL_DT] = {.kind = TY_INTERVAL_DT, .from = UNIT_DAY, .to = UNIT_SECOND},
    [TY_INTERVAL] = {.kind = TY_INTERVAL},
    [TY_ARRAY] = {.kind = TY_ARRAY, .elem = &plain[TY_VOID], .elem_nullable = true},
    [TY_MAP] = {.kind = TY_MAP, .key = &plain[TY_VOID], .elem = &plain[TY_VOID], .elem_nullable = true},
    [TY_STRUCT] = {.kind = TY_STRUCT},
    [TY_VARIANT] = {.kind = TY_VARIANT},
    [TY_OBJECT] = {.kind = TY_OBJECT},
};

const struct sql_type *sql_type_of(enum sql_type_kind kind) { return &plain[kind]; }

const struct sql_type *sql_decimal(arena *a, int precision, int scale) {
    must(precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision);
    struct sql_type *t = arena_new_of(a, struct sql_type);
    t->kind = TY_DECIMAL;
    t->precision = (uint8_t)precision;
    t->scale = (uint8_t)scale;
    return t;
}

const struct sql_type *sql_array(arena *a, const struct sql_type *elem, bool nullable) {
    struct sql_type *t = arena_new_of(a, struct sql_type);
    t->kind = TY_ARRAY;
    t->elem = elem;
    t->elem_nullable = nullable;
    return t;
}

const struct sql_type *sql_map(arena *a, const struct sql_type *key, const struct sql_type *value,
                               bool nullable) {
    struct sql_type *t = arena_new_of(a, struct sql_type);
    t->kind = TY_MAP;
    t->key = key;
    t->elem = value;
    t->elem_nullable = nullable;
    return t;
}

const struct sql_type *sql_struct(arena *a, const struct sql_field *fields, size_t n) {
    struct sql_type *t = arena_new_of(a, struct sql_type);
    t->kind = TY_STRUCT;
    t->fields = fields;
    t->n = n;
    return t;
}

const struct sql_type *sql_interval(arena *a, enum sql_unit from, enum sql_unit to) {
    struct sql_type *t = arena_new_of(a, struct sql_type);
    t->kind = from <= UNIT_MONTH ? TY_INTERVAL_YM : TY_INTERVAL_DT;
    t->from = (uint8_t)from;
    t->to = (uint8_t)to;
    return t;
}

bool sql_type_has(const struct sql_type *t, enum sql_type_kind kind) {
    if (t->kind == kind) return true;
    if (t->kind == TY_ARRAY) return sql_type_has(t->elem, kind);
    if (t->kind == TY_MAP) return sql_type_has(t->key, kind) || sql_type_has(t->elem, kind);
    for (size_t i = 0; t->kind == TY_STRUCT && i < t->n; i++)
        if (sql_type_has(t->fields[i].type, kind)) return true;
    return false;
}

bool sql_type_eq(const struct sql_type *a, const struct sql_type *b) {
    if (a == b) return true;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case TY_DECIMAL: return a->precision == b->precision && a->scale == b->scale;
    case TY_TIME: return a->precision == b->precision;
    case TY_CHAR:
    case TY_VARCHAR: return a->length == b->length && str_eq(a->collation, b->collation);
    case TY_STRING: return str_ieq(a->collation, b->collation);
    case TY_INTERVAL_YM:
    case TY_INTERVAL_DT: return a->from == b->from && a->to == b->to;
    case TY_ARRAY: return a->elem_nullable == b->elem_nullable && sql_type_eq(a->elem, b->elem);
    case TY_MAP:
        return a->elem_nullable == b->elem_nullable && sql_type_eq(a->key, b->key) &&
               sql_type_eq(a->elem, b->elem);
    case TY_STRUCT:
        if (a->n != b->n) return false;
        for (size_t i = 0; i < a->n; i++)
            if (!str_eq(a->fields[i].name, b->fields[i].name) ||
                a->fields[i].nullable != b->fields[i].nullable ||
                !sql_type_eq(a->fields[i].type, b->fields[i].type))
                return false;
        return true;
    default: return true;
    }
}

bool sql_type_same_physical(const struct sql_type *a, const struct sql_type *b) {
    if (a == b) return true;
    if (sql_is_text(a) && sql_is_text(b)) return true;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case TY_DECIMAL: return a->precision == b->precision && a->scale == b->scale;
    case TY_ARRAY: return sql_type_same_physical(a->elem, b->elem);
    case TY_MAP: return sql_type_same_physical(a->key, b->key) && sql_type_same_physical(a->elem, b->elem);
    case TY_STRUCT:
        if (a->n != b->n) return false;
        for (size_t i = 0; i < a->n; i++)
            if (!sql_type_same_physical(a->fields[i].type, b->fields[i].type)) return false;
        return true;
    default: return true;
    }
}

/* ---- types by name ---- */

static const struct {
    const char *name;
    enum sql_type_kind kind;
} names[] = {
    {"void", TY_VOID},       {"null", TY_VOID},           {"boolean", TY_BOOLEAN},
    {"bool", TY_BOOLEAN},    {"tinyint", TY_TINYINT},     {"byte", TY_TINYINT},
    {"smallint", TY_SMALLINT}, {"short", TY_SMALLINT},    {"int", TY_INT},
    {"integer", TY_INT},     {"bigint", TY_BIGINT},       {"long", TY_BIGINT},
    {"float", TY_FLOAT},     {"real", TY_FLOAT},          {"double", TY_DOUBLE},
    {"decimal", TY_DECIMAL}, {"dec", TY_DECIMAL},         {"numeric", TY_DECIMAL},
    {"string", TY_STRING},   {"text", TY_STRING},         {"char", TY_CHAR},
    {"character", TY_CHAR},  {"varchar", TY_VARCHAR},     {"binary", TY_BINARY},
    {"date", TY_DATE},       {"timestamp", TY_TIMESTAMP}, {"timestamp_ltz", TY_TIMESTAMP},
    {"timestamp_ntz", TY_TIMESTAMP_NTZ}, {"time", TY_TIME}, {"interval", TY_INTERVAL},
    {"variant", TY_VARIANT}, {"object", TY_OBJECT},
};

bool sql_type_kind_by_name(str name, enum sql_type_kind *ret) {
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, str_of(names[i].name))) {
            *ret = names[i].kind;
            return true;
        }
    return false;
}

bool sql_unit_by_name(str name, enum sql_unit *ret) {
    static const char *const units[] = {"year", "month", "day", "hour", "minute", "second"};
    if (name.n > 1 && (name.p[name.n - 1] == 's' || name.p[name.n - 1] == 'S')) name.n--;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_ieq(name, str_of(units[i]))) {
            *ret = (enum sql_unit)i;
            return true;
        }
    return false;
}

err *sql_type_sized(arena *a, enum sql_type_kind kind, const int64_t *args, size_t n,
                    const struct sql_type **ret) {
    *ret = sql_type_of(kind);
    if (kind == TY_DECIMAL && n > 0) {
        int64_t p = args[0], s = n > 1 ? args[1] : 0;
        if (p > 38)
            return sql_error("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", NULL, STR_NONE, "precision",
                             arena_printf(a, "%lld", (long long)p), "maxPrecision", "38", NULL);
        if (s > p || s < 0 || p < 1)
            return sql_error("INVALID_DECIMAL_SCALE", NULL, STR_NONE, "scale",
                             arena_printf(a, "%lld", (long long)s), "precision",
                             arena_printf(a, "%lld", (long long)p), NULL);
        *ret = sql_decimal(a, (int)p, (int)s);
    } else if ((kind == TY_CHAR || kind == TY_VARCHAR || kind == TY_TIME) && n > 0) {
        struct sql_type *t = arena_new_of(a, struct sql_type);
        *t = **ret;
        if (kind == TY_TIME)
            t->precision = (uint8_t)(args[0] < 0 || args[0] > 6 ? 6 : args[0]);
        else
            t->length = (int32_t)(args[0] < 1 ? 1 : args[0] > INT32_MAX ? INT32_MAX : args[0]);
        *ret = t;
    }
    return NULL;
}

static err *fields_of_ast(arena *a, const struct ast *type, const struct sql_type **ret) {
    struct sql_field *f = arena_array_of(a, struct sql_field, type->n + 1);
    for (uint32_t i = 0; i < type->n; i++) {
        const struct ast *d = type->child[i], *comment = ast_get(d, SLOT_COMMENT);
        f[i].name = arena_str(a, d->text);
        f[i].nullable = !ast_has(d, AST_F_NOT_NULL);
        if (comment) f[i].comment = arena_str(a, comment->text);
        TRY(sql_type_of_ast(a, ast_get(d, SLOT_TYPE), &f[i].type));
    }
    *ret = sql_struct(a, f, type->n);
    return NULL;
}

static err *interval_of_ast(arena *a, const struct ast *type, const struct sql_type **ret) {
    const struct ast *f = ast_get(type, SLOT_FROM), *t = ast_get(type, SLOT_TO);
    enum sql_unit from, to;
    if (!f) {
        *ret = sql_type_of(TY_INTERVAL);
        return NULL;
    }
    bool ok = sql_unit_by_name(f->text, &from) && sql_unit_by_name(t ? t->text : f->text, &to);
    if (!ok || from > to || (from <= UNIT_MONTH) != (to <= UNIT_MONTH))
        return sql_error("UNSUPPORTED_DATATYPE", type, STR_NONE, "typeName", "\"INTERVAL\"", NULL);
    *ret = sql_interval(a, from, to);
    return NULL;
}

/* UTF8_BINARY, UTF8_LCASE, or UNICODE or a language (sr, sr_SR, sr_Cyrl_SRB) with _CI, _AI; _RTRIM behind any. */
bool sql_collation_known(str s) {
    str part;
    if (str_ieq(s, STR("UTF8_BINARY")) || str_ieq(s, STR("UTF8_LCASE")) || str_ieq(s, STR("UTF8_BINARY_RTRIM")) || str_ieq(s, STR("UTF8_LCASE_RTRIM"))) return true;
    if (!str_split(&s, '_', &part)) return false;
    if (!str_ieq(part, STR("UNICODE")) && part.n != 2 && part.n != 3) return false;
    while (str_split(&s, '_', &part))
        if (part.n < 2 || part.n > 5) return false;
    return true;
}

const struct sql_type *sql_collated(arena *a, const struct sql_type *t, str name) {
    struct sql_type *r = arena_new_of(a, struct sql_type);
    char *upper = arena_strndup(a, name.p, name.n);
    for (size_t i = 0; i < name.n; i++)
        if (upper[i] >= 'a' && upper[i] <= 'z') upper[i] = (char)(upper[i] - 32);
    *r = *t;
    r->collation = str_ieq(name, STR("UTF8_BINARY")) ? STR_NONE : str_n(upper, name.n);
    return r;
}

err *sql_type_of_ast(arena *a, const struct ast *type, const struct sql_type **ret) {
    enum sql_type_kind kind;
    const struct sql_type *e, *k;
    if (str_ieq(type->text, STR("array")) && type->n == 1) {
        TRY(sql_type_of_ast(a, type->child[0], &e));
        *ret = sql_array(a, e, true);
        return NULL;
    }
    if (str_ieq(type->text, STR("map")) && type->n == 2) {
        TRY(sql_type_of_ast(a, type->child[0], &k));
        TRY(sql_type_of_ast(a, type->child[1], &e));
        *ret = sql_map(a, k, e, true);
        return NULL;
    }
    if (str_ieq(type->text, STR("struct"))) return fields_of_ast(a, type, ret);
    if (str_ieq(type->text, STR("interval"))) return interval_of_ast(a, type, ret);
    if (!sql_type_kind_by_name(type->text, &kind)) {
        char *name = arena_printf(a, "\"%.*s\"", STR_ARG(type->text));
        for (char *p = name; *p; p++)
            if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
        return sql_error("UNSUPPORTED_DATATYPE", type, STR_NONE, "typeName", name, NULL);
    }
    int64_t args[2] = {0, 0};
    size_t n = type->n > 2 ? 2 : type->n;
    for (size_t i = 0; i < n; i++)
        if (!str_to_i64(type->child[i]->text, &args[i])) n = i;
    TRY(sql_type_sized(a, kind, args, n, ret));
    const struct ast *coll = ast_get(type, SLOT_COLLATION);
    if (coll && sql_is_text(*ret)) {
        struct sql_type *t = arena_new_of(a, struct sql_type);
        if (!sql_collation_known(coll->text))
            return sql_error("COLLATION_INVALID_NAME", coll, STR_NONE, "collationName", arena_strndup(a, coll->text.p, coll->text.n), "proposals", "UNICODE", NULL);
        *t = **ret;
        *ret = sql_collated(a, t, coll->text);
    }
    return NULL;
}
