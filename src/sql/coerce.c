/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coercion in ANSI mode. Numbers rise along tinyint < smallint < int < bigint < (decimal) < float < double; an integral
 * type beside float gives double, so that no digits get lost. A string beside something else becomes that something
 * (bigint beside integers, double beside fractions). Dates rise to timestamps. Nothing else happens by itself.
 */
#include "sql/coerce.h"

static int least(int a, int b) { return a < b ? a : b; }
static int most(int a, int b) { return a > b ? a : b; }

const struct sql_type *sql_decimal_adjusted(arena *a, int precision, int scale) {
    if (precision <= 38) return sql_decimal(a, precision, scale);
    int whole = precision - scale, keep = least(scale, 6);
    return sql_decimal(a, 38, most(38 - whole, keep));
}

const struct sql_type *sql_decimal_for(arena *a, const struct sql_type *t) {
    switch (t->kind) {
    case TY_DECIMAL: return t;
    case TY_TINYINT: return sql_decimal(a, 3, 0);
    case TY_SMALLINT: return sql_decimal(a, 5, 0);
    case TY_INT: return sql_decimal(a, 10, 0);
    case TY_BIGINT: return sql_decimal(a, 20, 0);
    case TY_FLOAT: return sql_decimal(a, 14, 7);
    case TY_DOUBLE: return sql_decimal(a, 30, 15);
    default: return sql_decimal(a, 38, 18);
    }
}

const struct sql_type *sql_decimal_wider(arena *a, const struct sql_type *x,
                                         const struct sql_type *y) {
    int s = most(x->scale, y->scale), whole = most(x->precision - x->scale, y->precision - y->scale);
    if (whole + s <= 38) return sql_decimal(a, most(whole + s, 1), s);
    return sql_decimal(a, 38, least(s, most(38 - whole, 0)));
}

const struct sql_type *sql_decimal_result(arena *a, char op, const struct sql_type *x,
                                          const struct sql_type *y) {
    int p1 = x->precision, s1 = x->scale, p2 = y->precision, s2 = y->scale, s, p;
    switch (op) {
    case '+':
    case '-':
        s = most(s1, s2);
        p = most(p1 - s1, p2 - s2) + s + 1;
        break;
    case '*':
        s = s1 + s2;
        p = p1 + p2 + 1;
        break;
    case '/':
        s = most(6, s1 + p2 + 1);
        p = p1 - s1 + s2 + s;
        break;
    default:
        s = most(s1, s2);
        p = least(p1 - s1, p2 - s2) + s;
        break;
    }
    return sql_decimal_adjusted(a, most(p, 1), s);
}

/* ---- common types ---- */

static const struct sql_type *common(arena *a, const struct sql_type *x, const struct sql_type *y,
                                     bool strings, int depth);

static const struct sql_type *common_number(arena *a, const struct sql_type *x,
                                            const struct sql_type *y) {
    if (x->kind == TY_DECIMAL || y->kind == TY_DECIMAL) {
        const struct sql_type *d = x->kind == TY_DECIMAL ? x : y, *o = d == x ? y : x;
        if (o->kind == TY_FLOAT || o->kind == TY_DOUBLE) return sql_type_of(TY_DOUBLE);
        return sql_decimal_wider(a, d, sql_decimal_for(a, o));
    }
    if (x->kind == y->kind) return x;
    const struct sql_type *w = x->kind > y->kind ? x : y;
    return w->kind == TY_FLOAT ? sql_type_of(TY_DOUBLE) : w;
}

static const struct sql_type *common_string(const struct sql_type *text, const struct sql_type *o) {
    if (sql_is_integral(o)) return sql_type_of(TY_BIGINT);
    if (sql_is_numeric(o)) return sql_type_of(TY_DOUBLE);
    if (o->kind == TY_INTERVAL_YM || o->kind == TY_INTERVAL_DT || o->kind == TY_INTERVAL) return NULL;
    if (o->kind == TY_BOOLEAN || o->kind == TY_BINARY || (o->kind >= TY_DATE && o->kind <= TY_TIME))
        return o;
    (void)text;
    return NULL;
}

static const struct sql_type *common_text(const struct sql_type *x, const struct sql_type *y) {
    if (x->kind == TY_VARCHAR && y->kind == TY_VARCHAR) return x->length >= y->length ? x : y;
    if (x->kind == TY_CHAR && y->kind == TY_CHAR) return x->length >= y->length ? x : y;
    if (x->kind == TY_STRING && x->collation.n) return x;
    if (y->kind == TY_STRING && y->collation.n) return y;
    return sql_type_of(TY_STRING);
}

static const struct sql_type *common_struct(arena *a, const struct sql_type *x,
                                            const struct sql_type *y, bool strings, int depth) {
    if (x->n != y->n) return NULL;
    struct sql_field *f = arena_array_of(a, struct sql_field, x->n + 1);
    for (size_t i = 0; i < x->n; i++) {
        if (!str_ieq(x->fields[i].name, y->fields[i].name)) return NULL;
        f[i] = x->fields[i];
        f[i].nullable = x->fields[i].nullable || y->fields[i].nullable;
        f[i].type = common(a, x->fields[i].type, y->fields[i].type, strings, depth + 1);
        if (!f[i].type) return NULL;
    }
    return sql_struct(a, f, x->n);
}

static const struct sql_type *common_time(const struct sql_type *x, const struct sql_type *y) {
    if (x->kind == TY_TIME || y->kind == TY_TIME) return x->kind == y->kind ? x : NULL;
    if (x->kind == TY_TIMESTAMP || y->kind == TY_TIMESTAMP) return sql_type_of(TY_TIMESTAMP);
    return sql_type_of(TY_TIMESTAMP_NTZ);
}

static const struct sql_type *common(arena *a, const struct sql_type *x, const struct sql_type *y,
                                     bool strings, int depth) {
    if (depth > 100) return NULL;
    if (x->kind == TY_VOID) return y;
    if (y->kind == TY_VOID || sql_type_eq(x, y)) return x;
    if (sql_is_numeric(x) && sql_is_numeric(y)) return common_number(a, x, y);
    if (sql_is_text(x) && sql_is_text(y)) return common_text(x, y);
    if (strings && sql_is_text(x)) return common_string(x, y);
    if (strings && sql_is_text(y)) return common_string(y, x);
    if (x->kind >= TY_DATE && x->kind <= TY_TIME && y->kind >= TY_DATE && y->kind <= TY_TIME)
        return common_time(x, y);
    if (x->kind != y->kind) return NULL;
    if (x->kind == TY_INTERVAL_YM || x->kind == TY_INTERVAL_DT)
        return sql_interval(a, (enum sql_unit)least(x->from, y->from), (enum sql_unit)most(x->to, y->to));
    if (x->kind == TY_ARRAY) {
        const struct sql_type *e = common(a, x->elem, y->elem, strings, depth + 1);
        bool null = x->elem_nullable || y->elem_nullable;
        return e ? sql_array(a, e, null) : NULL;
    }
    if (x->kind == TY_MAP) {
        const struct sql_type *k = common(a, x->key, y->key, strings, depth + 1);
        const struct sql_type *v = common(a, x->elem, y->elem, strings, depth + 1);
        return k && v ? sql_map(a, k, v, x->elem_nullable || y->elem_nullable) : NULL;
    }
    if (x->kind == TY_STRUCT) return common_struct(a, x, y, strings, depth);
    return x;
}

const struct sql_type *sql_common_type(arena *a, const struct sql_type *x, const struct sql_type *y) {
    return common(a, x, y, true, 0);
}

const struct sql_type *sql_tightest_type(arena *a, const struct sql_type *x,
                                         const struct sql_type *y) {
    return common(a, x, y, false, 0);
}

/* ---- implicit casts ---- */

static bool decimal_holds(const struct sql_type *d, const struct sql_type *o) {
    return d->precision - d->scale >= o->precision - o->scale && d->scale >= o->scale;
}

static bool number_rises(arena *a, const struct sql_type *from, const struct sql_type *to) {
    if (to->kind == TY_DECIMAL) {
        if (from->kind == TY_FLOAT || from->kind == TY_DOUBLE) return false;
        return decimal_holds(to, sql_decimal_for(a, from));
    }
    if (from->kind == TY_DECIMAL) return to->kind == TY_DOUBLE || to->kind == TY_FLOAT;
    return from->kind <= to->kind;
}

const struct sql_type *sql_implicit(arena *a, const struct sql_type *from, const struct sql_type *to) {
    if (sql_type_eq(from, to)) return from;
    if (from->kind == TY_VOID) return to;
    if (sql_is_text(from) && sql_is_text(to)) return to->kind == TY_STRING ? from : to;
    if (sql_is_numeric(from) && sql_is_numeric(to)) return number_rises(a, from, to) ? to : NULL;
    if (sql_is_text(from)) {
        bool ok = sql_is_numeric(to) || to->kind == TY_BOOLEAN || to->kind == TY_BINARY ||
                  (to->kind >= TY_DATE && to->kind <= TY_TIME);
        return ok ? to : NULL;
    }
    if (sql_is_text(to))
        return from->kind < TY_ARRAY || from->kind == TY_VARIANT ? to : NULL;
    if (from->kind >= TY_DATE && from->kind <= TY_TIMESTAMP_NTZ && to->kind >= TY_DATE &&
        to->kind <= TY_TIMESTAMP_NTZ)
        return to;
    if (from->kind == TY_ARRAY && to->kind == TY_ARRAY) {
        if (from->elem_nullable && !to->elem_nullable) return NULL;
        const struct sql_type *e = sql_implicit(a, from->elem, to->elem);
        return e ? sql_array(a, e, from->elem_nullable) : NULL;
    }
    if (from->kind == TY_MAP && to->kind == TY_MAP) {
        const struct sql_type *k = sql_implicit(a, from->key, to->key);
        const struct sql_type *v = sql_implicit(a, from->elem, to->elem);
        return k && v ? sql_map(a, k, v, from->elem_nullable) : NULL;
    }
    if (from->kind == TY_STRUCT && to->kind == TY_STRUCT && from->n == to->n) {
        struct sql_field *f = arena_array_of(a, struct sql_field, from->n + 1);
        for (size_t i = 0; i < from->n; i++) {
            f[i] = from->fields[i];
            f[i].type = sql_implicit(a, from->fields[i].type, to->fields[i].type);
            if (!f[i].type) return NULL;
        }
        return sql_struct(a, f, from->n);
    }
    if (from->kind == to->kind && from->kind >= TY_INTERVAL_YM && from->kind <= TY_INTERVAL) return to;
    return NULL;
}

/* ---- explicit casts ---- */

static bool is_interval(const struct sql_type *t) {
    return t->kind == TY_INTERVAL_YM || t->kind == TY_INTERVAL_DT;
}
static bool is_stamp(const struct sql_type *t) {
    return t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ;
}

bool sql_can_cast(const struct sql_type *from, const struct sql_type *to) {
    if (from->kind == TY_VOID || sql_type_eq(from, to)) return true;
    if (to->kind == TY_VOID) return false;
    if (to->kind == TY_VARIANT && from->kind == TY_ARRAY) return sql_can_cast(from->elem, to);
    if (to->kind == TY_VARIANT) return from->kind != TY_INTERVAL && !is_interval(from) && from->kind != TY_TIME && from->kind != TY_MAP && from->kind != TY_STRUCT;
    if (from->kind == TY_VARIANT) return to->kind != TY_INTERVAL && !is_interval(to);
    if (sql_is_text(to)) return true;
    if (sql_is_text(from)) return to->kind < TY_ARRAY;
    if (sql_is_numeric(from)) {
        if (sql_is_numeric(to) || to->kind == TY_BOOLEAN || to->kind == TY_TIMESTAMP) return true;
        if (is_interval(to)) return from->kind <= TY_BIGINT || from->kind == TY_DECIMAL;
        return to->kind == TY_BINARY && sql_is_integral(from);
    }
    if (from->kind == TY_BOOLEAN) return sql_is_numeric(to);
    if (from->kind == TY_DATE || is_stamp(from)) {
        if (to->kind == TY_DATE || is_stamp(to)) return true;
        return from->kind == TY_TIMESTAMP && sql_is_numeric(to);
    }
    if (from->kind == TY_TIME) return to->kind == TY_TIME || sql_is_integral(to) || to->kind == TY_DECIMAL;
    if (is_interval(from)) return to->kind == from->kind || sql_is_integral(to) || to->kind == TY_DECIMAL;
    if (from->kind == TY_ARRAY && to->kind == TY_ARRAY) return sql_can_cast(from->elem, to->elem);
    if (from->kind == TY_MAP && to->kind == TY_MAP)
        return sql_can_cast(from->key, to->key) && sql_can_cast(from->elem, to->elem);
    if (from->kind == TY_STRUCT && to->kind == TY_STRUCT) {
        if (from->n != to->n) return false;
        for (size_t i = 0; i < from->n; i++)
            if (!sql_can_cast(from->fields[i].type, to->fields[i].type)) return false;
        return true;
    }
    return false;
}

bool sql_can_store(const struct sql_type *from, const struct sql_type *to) {
    if (from->kind == TY_VOID || sql_type_eq(from, to)) return true;
    if (sql_is_numeric(from) && sql_is_numeric(to)) return true;
    if (sql_is_text(from) && to->kind < TY_ARRAY) return true; /* a text that does not fit is said when its row is cast */
    if (sql_is_text(to)) return from->kind < TY_ARRAY && from->kind != TY_BINARY;
    if ((from->kind == TY_DATE || is_stamp(from)) && (to->kind == TY_DATE || is_stamp(to))) return true;
    if (is_interval(from) && from->kind == to->kind) return true;
    if (from->kind == TY_ARRAY && to->kind == TY_ARRAY) return sql_can_store(from->elem, to->elem);
    if (from->kind == TY_MAP && to->kind == TY_MAP)
        return sql_can_store(from->key, to->key) && sql_can_store(from->elem, to->elem);
    if (from->kind == TY_STRUCT && to->kind == TY_STRUCT) {
        if (from->n != to->n) return false;
        for (size_t i = 0; i < from->n; i++)
            if (!sql_can_store(from->fields[i].type, to->fields[i].type)) return false;
        return true;
    }
    return to->kind == TY_VARIANT || from->kind == to->kind;
}

bool sql_is_orderable(const struct sql_type *t) {
    if (t->kind == TY_MAP || t->kind == TY_VARIANT || t->kind == TY_OBJECT || t->kind == TY_INTERVAL) return false;
    if (t->kind == TY_ARRAY) return sql_is_orderable(t->elem);
    if (t->kind == TY_STRUCT)
        for (size_t i = 0; i < t->n; i++)
            if (!sql_is_orderable(t->fields[i].type)) return false;
    return true;
}

void sql_wrap(buf *out, const struct sql_type *t, const char *x) {
    const char *f = t->kind == TY_TINYINT ? "bh_wrap_c" : t->kind == TY_SMALLINT ? "bh_wrap_h" : t->kind == TY_INT ? "bh_wrap_i" : "";
    buf_fmt(out, "%s(%s)", f, x);
}
