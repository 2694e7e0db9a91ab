/* SPDX-License-Identifier: Apache-2.0 */
/* Literals: their types, their canonical values, and how Spark's captions write them. */
#include "sql/bind.h"
#include "sql/text.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- numbers ---- */

static err *bad_literal(struct binder *b, const struct ast *n, const char *type) {
    return sql_error("INVALID_TYPED_LITERAL", n, b->text, "valueType", type, "value",
                     arena_printf(b->a, "'%.*s'", STR_ARG(n->text)), NULL);
}

/* "007.50" → "7.50", precision 3, scale 2. */
static str plain_decimal(struct binder *b, str v, int *p, int *s) {
    bool neg = v.n && v.p[0] == '-';
    if (neg) v = str_from(v, 1);
    ptrdiff_t point = str_chr(v, '.', 0);
    str whole = point < 0 ? v : str_cut(v, (size_t)point), frac = point < 0 ? STR("") : str_from(v, (size_t)point + 1);
    while (whole.n && whole.p[0] == '0') whole = str_from(whole, 1);
    *s = (int)frac.n;
    *p = (int)(whole.n + frac.n);
    size_t lead = 0;
    if (whole.n == 0) {
        while (lead < frac.n && frac.p[lead] == '0') lead++;
        *p = (int)(frac.n - lead);
    }
    if (*p < *s) *p = *s;
    if (*p < 1) *p = 1;
    return sql_fmt(b->a, "%s%.*s%s%.*s", neg ? "-" : "", STR_ARG(whole.n ? whole : STR("0")), frac.n ? "." : "", STR_ARG(frac));
}

/* 1.5e3BD: exponents of decimals are moved into the digits. */
static str shift_exponent(struct binder *b, str v) {
    size_t e = 0;
    while (e < v.n && v.p[e] != 'e' && v.p[e] != 'E') e++;
    if (e == v.n) return v;
    int64_t exp = 0;
    str es = str_from(v, e + 1);
    if (es.n && es.p[0] == '+') es = str_from(es, 1);
    if (!str_to_i64(es, &exp) || exp > 60 || exp < -60) return STR("");
    str m = str_cut(v, e);
    ptrdiff_t point = str_chr(m, '.', 0);
    buf *digits = sql_buf(b->a);
    for (size_t i = 0; i < m.n; i++)
        if (m.p[i] != '.') buf_c(digits, m.p[i]);
    int64_t at = (point < 0 ? (int64_t)m.n : (int64_t)point) + exp;
    buf *o = sql_buf(b->a);
    for (int64_t i = at < 0 ? at : 0; i < (int64_t)digits->n || i < at; i++) {
        if (i == at) buf_c(o, '.');
        buf_c(o, i < 0 || i >= (int64_t)digits->n ? '0' : digits->p[i]);
    }
    return sql_keep(b->a, o);
}

/* As Java's BigDecimal writes it: no sign of zero, an exponent of what is less than a millionth. */
static str decimal_shown(struct binder *b, str v, int scale) {
    size_t sign = v.n && v.p[0] == '-', at = sign;
    while (at < v.n && (v.p[at] == '0' || v.p[at] == '.')) at++;
    if (at == v.n) { /* zero */
        int exp = -scale;
        return exp < -6 ? sql_fmt(b->a, "0E%d", exp) : str_from(v, sign);
    }
    ptrdiff_t point = str_chr(v, '.', 0);
    if (point < 0 || (ptrdiff_t)at < point) return v;
    int exp = -(int)((ptrdiff_t)at - point); /* of the first digit that is not zero */
    if (exp >= -6) return v;
    str rest = str_from(v, at + 1);
    return sql_fmt(b->a, "%s%c%s%.*sE%d", sign ? "-" : "", v.p[at], rest.n ? "." : "", STR_ARG(rest), exp);
}

static err *decimal_literal(struct binder *b, const struct ast *n, struct bx **ret) {
    int p, s;
    str v = shift_exponent(b, n->text);
    v = plain_decimal(b, v, &p, &s);
    if (p > 38)
        return sql_error("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", n, b->text, "precision",
                         arena_printf(b->a, "%d", p), "maxPrecision", "38", NULL);
    *ret = bx_lit(b, sql_decimal(b->a, p, s), v);
    (*ret)->cap = decimal_shown(b, v, s);
    return NULL;
}

static err *number(struct binder *b, const struct ast *n, struct bx **ret) {
    str v = n->text;
    int64_t i;
    double d;
    bool point = str_chr(v, '.', 0) >= 0;
    bool exp = str_chr(v, 'e', 0) >= 0 || str_chr(v, 'E', 0) >= 0;
    static const struct {
        char op;
        enum sql_type_kind kind;
        int64_t top;
        const char *name;
    } ints[] = {{'L', TY_BIGINT, INT64_MAX, "BIGINT"}, {'S', TY_SMALLINT, 32767, "SMALLINT"}, {'Y', TY_TINYINT, 127, "TINYINT"}};
    for (size_t k = 0; k < ARRAY_LEN(ints); k++) {
        if (n->op != ints[k].op) continue;
        if (!str_to_i64(v, &i) || i > ints[k].top)
            return sql_error("INVALID_NUMERIC_LITERAL_RANGE", n, b->text, "rawStrippedQualifier",
                             arena_printf(b->a, "%.*s", STR_ARG(v)), "minValue", "", "maxValue", "", "typeName",
                             ints[k].name, NULL);
        *ret = bx_lit(b, sql_type_of(ints[k].kind), sql_fmt(b->a, "%lld", (long long)i));
        return NULL;
    }
    if (n->op == 'F' || n->op == 'D' || (exp && n->op == 0)) {
        str t = v.n && v.p[0] == '.' ? sql_fmt(b->a, "0%.*s", STR_ARG(v)) : v;
        if (str_starts(t, STR("-."))) t = sql_fmt(b->a, "-0%.*s", STR_ARG(str_from(t, 1)));
        if (t.n && t.p[t.n - 1] == '.') t = sql_fmt(b->a, "%.*s0", STR_ARG(t));
        ptrdiff_t dot = str_find(t, STR(".e"));
        if (dot < 0) dot = str_find(t, STR(".E"));
        if (dot >= 0) t = sql_fmt(b->a, "%.*s.0%.*s", (int)dot, t.p, STR_ARG(str_from(t, (size_t)dot + 1)));
        if (!str_to_f64(t, &d)) return bad_literal(b, n, "\"DOUBLE\"");
        buf *o = sql_buf(b->a);
        if (n->op == 'F')
            sql_java_float((float)d, o);
        else
            sql_java_double(d, o);
        *ret = bx_lit(b, sql_type_of(n->op == 'F' ? TY_FLOAT : TY_DOUBLE), sql_keep(b->a, o));
        return NULL;
    }
    if (point || n->op == 'B') return decimal_literal(b, n, ret);
    if (str_to_i64(v, &i)) {
        *ret = bx_int(b, i);
        return NULL;
    }
    return decimal_literal(b, n, ret);
}

/* ---- dates and times ---- */

bool sql_read_date(str text, int32_t *ret_days) {
    struct sql_stamp t;
    return sql_read_stamp(text, &t) && !t.has_time && (*ret_days = (int32_t)sql_days(t.y, t.mo, t.d), true);
}

/* What a zone's clock shows at an instant, or the reverse. */
static bool clock_of(struct binder *b, str zone, bool to_instant, int64_t us, int64_t *ret) {
    if (b->env->clock) return b->env->clock(b->env, zone, to_instant, us, ret);
    *ret = us;
    return zone.n == 0;
}

/* 'now', 'tomorrow EST': words that typed literals may be, of the day and instant at which the statement began. */
static bool special_moment(struct binder *b, str v, int64_t *ret_local, int64_t *ret_instant) {
    static const struct {
        const char *word;
        int days;
    } words[] = {{"epoch", 0}, {"now", 0}, {"today", 0}, {"tomorrow", 1}, {"yesterday", -1}};
    ptrdiff_t blank = str_chr(v, ' ', 0);
    str word = blank < 0 ? v : str_cut(v, (size_t)blank), zone = blank < 0 ? STR("") : str_trim(str_from(v, (size_t)blank));
    size_t i = 0;
    while (i < ARRAY_LEN(words) && !str_ieq(word, str_of(words[i].word))) i++;
    int64_t local;
    if (i == ARRAY_LEN(words) || !clock_of(b, zone, false, b->env->now_us, &local)) return false;
    if (i == 0) {
        *ret_instant = 0;
        *ret_local = 0;
    } else if (i == 1) {
        *ret_instant = b->env->now_us;
        *ret_local = local;
    } else {
        *ret_local = (local / 86400000000 + words[i].days) * 86400000000;
        if (!clock_of(b, zone, true, *ret_local, ret_instant)) return false;
    }
    return true;
}

static str stamp_caption(struct binder *b, const char *type, int64_t us) {
    struct sql_stamp t;
    buf *o = sql_buf(b->a), *all = sql_buf(b->a);
    sql_stamp_of_us(us, &t);
    sql_write_stamp(&t, o);
    buf_fmt(all, "%s '", type);
    sql_write_day(&t, all);
    ptrdiff_t blank = str_chr(buf_view(o), ' ', 0);
    buf_fmt(all, "%.*s'", STR_ARG(str_from(buf_view(o), (size_t)blank)));
    return sql_keep(b->a, all);
}

/* A timestamp that is known: as text in UTC, shown on the session's clock. */
static struct bx *known_stamp(struct binder *b, bool ntz, int64_t us) {
    struct sql_stamp t;
    buf *o = sql_buf(b->a);
    int64_t shown = us;
    sql_stamp_of_us(us, &t);
    sql_write_stamp(&t, o);
    struct bx *x = bx_lit(b, sql_type_of(ntz ? TY_TIMESTAMP_NTZ : TY_TIMESTAMP), sql_keep(b->a, o));
    if (!ntz && !clock_of(b, STR(""), false, us, &shown)) shown = us;
    x->cap = stamp_caption(b, ntz ? "TIMESTAMP_NTZ" : "TIMESTAMP", shown);
    return x;
}

static err *stamp_literal(struct binder *b, const struct ast *n, bool ntz, struct bx **ret) {
    struct sql_stamp t;
    int64_t local, instant, us;
    if (!sql_read_stamp(str_trim(n->text), &t)) {
        if (!special_moment(b, str_trim(n->text), &local, &instant)) return bad_literal(b, n, ntz ? "\"TIMESTAMP_NTZ\"" : "\"TIMESTAMP\"");
        *ret = known_stamp(b, ntz, ntz ? local : instant);
        return NULL;
    }
    us = sql_stamp_us(&t);
    /* The caption has the session's clock, whatever zone was written. */
    if (!ntz && t.zone.n && (t.has_offset || clock_of(b, t.zone, true, us, &us))) {
        instant = t.has_offset ? us - t.offset_s * 1000000ll : us;
        if (!clock_of(b, STR(""), false, instant, &us)) us = instant;
    }
    str cap = stamp_caption(b, ntz ? "TIMESTAMP_NTZ" : "TIMESTAMP", us);
    bool utc = str_eqz(b->env->time_zone, "UTC") || b->env->time_zone.n == 0;
    buf *o = sql_buf(b->a);
    if (!ntz && (!utc || (t.zone.n && !t.has_offset))) {
        /* The engine knows zones. */
        struct bx *s = bx_string(b, str_trim(n->text));
        *ret = bx_tmpl(b, sql_type_of(TY_TIMESTAMP), STR("bh_cast_string_timestamp({0}, {tz})"), cap, &s, 1);
        return NULL;
    }
    if (!ntz) sql_shift_stamp(&t);
    sql_write_stamp(&t, o);
    *ret = bx_lit(b, sql_type_of(ntz ? TY_TIMESTAMP_NTZ : TY_TIMESTAMP), sql_keep(b->a, o));
    (*ret)->cap = cap;
    return NULL;
}

static err *date_literal(struct binder *b, const struct ast *n, struct bx **ret) {
    struct sql_stamp t;
    int64_t local, instant;
    if (special_moment(b, str_trim(n->text), &local, &instant))
        sql_stamp_of_us(local, &t);
    else if (!sql_read_day(str_trim(n->text), &t))
        return bad_literal(b, n, "\"DATE\"");
    buf *o = sql_buf(b->a);
    buf_z(o, "DATE '");
    sql_write_day(&t, o);
    buf_c(o, '\'');
    *ret = bx_lit(b, sql_type_of(TY_DATE), sql_fmt(b->a, "%04d-%02d-%02d", t.y, t.mo, t.d));
    (*ret)->cap = sql_keep(b->a, o);
    return NULL;
}

/* 01:02:03 PM: hours of half a day. */
static err *time_literal(struct binder *b, const struct ast *n, struct bx **ret) {
    struct sql_stamp t;
    str v = str_trim(n->text);
    bool am = v.n > 2 && str_ieq(str_from(v, v.n - 2), STR("AM")), pm = v.n > 2 && str_ieq(str_from(v, v.n - 2), STR("PM"));
    if (am || pm) v = str_trim(str_cut(v, v.n - 2));
    if (!sql_read_stamp(sql_fmt(b->a, "1970-01-01 %.*s", STR_ARG(v)), &t)) return bad_literal(b, n, "\"TIME(6)\"");
    if (am || pm) {
        if (t.h < 1 || t.h > 12) return bad_literal(b, n, "\"TIME(6)\"");
        t.h = t.h % 12 + (pm ? 12 : 0);
    }
    buf *o = sql_buf(b->a);
    sql_write_stamp(&t, o);
    *ret = bx_lit(b, sql_type_of(TY_TIME), str_from(sql_keep(b->a, o), 11));
    (*ret)->cap = sql_fmt(b->a, "TIME '%.*s'", STR_ARG((*ret)->text));
    return NULL;
}

static err *typed(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    switch (n->op) {
    case 'd': return date_literal(b, n, ret);
    case 't':
    case 'l': return stamp_literal(b, n, false, ret);
    case 'n': return stamp_literal(b, n, true, ret);
    case 'T': return time_literal(b, n, ret);
    default: {
        const struct ast *name = ast_get(n, SLOT_NAME);
        return sql_error("UNSUPPORTED_TYPED_LITERAL", n, b->text, "unsupportedType", ident_name(b, name).p,
                         "supportedTypes", "\"DATE\", \"TIMESTAMP_NTZ\", \"TIMESTAMP_LTZ\", \"TIMESTAMP\", \"INTERVAL\", \"X\", \"TIME\"", NULL);
    }
    }
}

err *bind_literal(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    switch (n->kind) {
    case AST_LIT_NULL: *ret = bx_null(b, sql_type_of(TY_VOID)); return NULL;
    case AST_LIT_BOOL: *ret = bx_bool(b, ast_has(n, AST_F_TRUE)); return NULL;
    case AST_LIT_NUMBER: return number(b, n, ret);
    case AST_LIT_STRING: *ret = bx_string(b, n->text); return NULL;
    case AST_LIT_BINARY: {
        buf *o = sql_buf(b->a);
        *ret = bx_lit(b, sql_type_of(TY_BINARY), n->text.p ? n->text : STR(""));
        buf_z(o, "X'");
        for (size_t i = 0; i < n->text.n; i++) buf_fmt(o, "%02X", (unsigned char)n->text.p[i]);
        buf_c(o, '\'');
        (*ret)->cap = sql_keep(b->a, o);
        return NULL;
    }
    default: return typed(c, n, ret);
    }
}

/* ---- intervals ---- */

static bool unit_word(str w, enum sql_unit *unit, int64_t *factor) {
    static const struct {
        const char *name;
        enum sql_unit unit;
        int64_t factor;
    } words[] = {{"year", UNIT_YEAR, 12},           {"month", UNIT_MONTH, 1},
                 {"quarter", UNIT_MONTH, 3},        {"week", UNIT_DAY, 7 * 86400000000},
                 {"day", UNIT_DAY, 86400000000},    {"hour", UNIT_HOUR, 3600000000},
                 {"minute", UNIT_MINUTE, 60000000}, {"second", UNIT_SECOND, 1000000},
                 {"millisecond", UNIT_SECOND, 1000}, {"microsecond", UNIT_SECOND, 1}};
    if (w.n > 1 && (w.p[w.n - 1] | 32) == 's') w.n--;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ieq(w, str_of(words[i].name))) {
            *unit = words[i].unit;
            *factor = words[i].factor;
            return true;
        }
    return false;
}

/* "12", "-3.25" times factor. */
static bool scaled(str v, int64_t factor, bool fraction, int64_t *ret) {
    ptrdiff_t point = str_chr(v, '.', 0);
    int64_t whole = 0, frac = 0, out;
    bool neg = v.n && v.p[0] == '-';
    if (v.n && (v.p[0] == '-' || v.p[0] == '+')) {
        v = str_from(v, 1);
        if (point > 0) point--;
    }
    str w = point < 0 ? v : str_cut(v, (size_t)point);
    if (w.n && !str_to_i64(w, &whole)) return false;
    if (w.n == 0 && point < 0) return false;
    if (point >= 0) {
        if (!fraction) return false;
        int64_t unit = factor / 10;
        for (size_t i = (size_t)point + 1; i < v.n; i++, unit /= 10) {
            if (v.p[i] < '0' || v.p[i] > '9') return false;
            frac += (v.p[i] - '0') * unit;
        }
    }
    if (__builtin_mul_overflow(whole, factor, &out) || __builtin_add_overflow(out, frac, &out)) return false;
    *ret = neg ? -out : out;
    return true;
}

static struct bx *interval_lit(struct binder *b, const struct sql_type *t, int64_t v) {
    struct bx *x = bx_lit(b, t, sql_fmt(b->a, "%lld", (long long)v));
    buf *o = sql_buf(b->a);
    sql_write_interval(t, v, o);
    x->cap = sql_keep(b->a, o);
    return x;
}

/* How intervals of two units are written, for messages. */
struct interval_form { const char *from, *to, *form, *words, *type; bool ym; };

static const struct interval_form *form_of(const struct ast *n) {
    static const struct interval_form rows[] = {
        {"year", "month", "y-m", "YEAR TO MONTH", "interval year to month", true},
        {"day", "hour", "d h", "DAY TO HOUR", "interval day to hour", false},
        {"day", "minute", "d h:m", "DAY TO MINUTE", "interval day to minute", false},
        {"day", "second", "d h:m:s.n", "DAY TO SECOND", "interval day to second", false},
        {"hour", "minute", "h:m", "HOUR TO MINUTE", "interval hour to minute", false},
        {"hour", "second", "h:m:s.n", "HOUR TO SECOND", "interval hour to second", false},
        {"minute", "second", "m:s.n", "MINUTE TO SECOND", "interval minute to second", false}};
    const struct ast *from = ast_get(n, SLOT_FROM), *to = ast_get(n, SLOT_TO);
    for (size_t i = 0; from && to && i < ARRAY_LEN(rows); i++)
        if (str_ieq(from->text, str_of(rows[i].from)) && str_ieq(to->text, str_of(rows[i].to))) return &rows[i];
    return NULL;
}

static bool is_number(const struct ast *v, bool *neg) {
    *neg = false;
    while (v->kind == AST_UNARY && (str_eqz(v->text, "-") || str_eqz(v->text, "+"))) {
        if (str_eqz(v->text, "-")) *neg = !*neg;
        v = v->child[0];
    }
    return v->kind == AST_LIT_NUMBER || v->kind == AST_LIT_STRING;
}

static str number_text(struct binder *b, const struct ast *v, bool neg) {
    while (v->kind == AST_UNARY) v = v->child[0];
    str t = str_trim(v->text);
    if (!neg) return t;
    return t.n && t.p[0] == '-' ? str_from(t, 1) : sql_fmt(b->a, "-%.*s", STR_ARG(t));
}

static const char *lower_z(struct binder *b, str s) {
    char *z = arena_strndup(b->a, s.p, s.n);
    for (char *p = z; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    return z;
}

/* A sign, digits, one separator, digits. */
static bool has_digits_only(str t, const char *separators) {
    size_t i = t.n && (t.p[0] == '-' || t.p[0] == '+'), seen = 0, digits = 0;
    for (; i < t.n; i++) {
        bool digit = t.p[i] >= '0' && t.p[i] <= '9';
        if (!digit && (!strchr(separators, t.p[i]) || digits == 0)) return false;
        seen += !digit;
        digits = digit ? digits + 1 : 0;
    }
    return seen >= 1 && digits > 0;
}

/* Of the right form, but its first field is more than an interval holds. */
static err *beyond_range(struct binder *b, const struct ast *n, const struct interval_form *f, str t) {
    static const struct { const char *unit; int64_t most; } fields[] = {{"day", 106751991}, {"hour", 2562047788}, {"minute", 153722867280}};
    if (!has_digits_only(t, " :.")) return NULL;
    size_t i = t.p[0] == '-' || t.p[0] == '+', k = i;
    while (k < t.n && t.p[k] >= '0' && t.p[k] <= '9') k++;
    int64_t v;
    for (size_t m = 0; m < ARRAY_LEN(fields); m++)
        if (strcmp(f->from, fields[m].unit) == 0 && str_to_i64(str_n(t.p + i, k - i), &v) && v > fields[m].most)
            return sql_error("_LEGACY_ERROR_TEMP_0063", n, b->text, "msg",
                             arena_printf(b->a, "requirement failed: %s %lld outside range [0, %lld]", f->from, (long long)v, (long long)fields[m].most), NULL);
    return NULL;
}

static err *bad_interval(struct binder *b, const struct ast *n) {
    str t = n->n ? n->child[0]->text : n->text;
    const struct interval_form *f = form_of(n);
    if (f && f->ym && has_digits_only(t, "-"))
        return sql_error("INVALID_INTERVAL_FORMAT.INTERVAL_PARSING", n, b->text, "input", arena_printf(b->a, "%.*s", STR_ARG(t)), "interval", "year-month", NULL);
    if (f && !f->ym) TRY(beyond_range(b, n, f, t));
    if (f)
        return sql_error("INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING_WITH_NOTICE", n, b->text, "input", arena_printf(b->a, "%.*s", STR_ARG(t)), "supportedFormat",
                         arena_printf(b->a, "`[+|-]%s`, `INTERVAL [+|-]'[+|-]%s' %s`", f->form, f->form, f->words), "intervalStr", f->ym ? "year-month" : "day-time",
                         "typeName", f->type, NULL);
    const char *input = arena_printf(b->a, "%.*s", STR_ARG(t));
    const struct ast *from = ast_get(n, SLOT_FROM), *to = ast_get(n, SLOT_TO);
    if (from && to)
        return sql_error("INVALID_INTERVAL_FORMAT.UNSUPPORTED_FROM_TO_EXPRESSION", n, b->text, "input", input, "from", lower_z(b, from->text), "to", lower_z(b, to->text), NULL);
    for (uint32_t i = 0; i + 1 < n->n; i += 2) {
        enum sql_unit u;
        int64_t f;
        bool neg;
        const struct ast *v = n->child[i];
        str unit = n->child[i + 1]->text;
        if (!is_number(v, &neg)) continue;
        if (!unit_word(unit, &u, &f))
            return sql_error("INVALID_INTERVAL_FORMAT.INVALID_UNIT", n, b->text, "input", arena_printf(b->a, " %.*s %.*s", STR_ARG(number_text(b, v, neg)), STR_ARG(unit)), "unit",
                             lower_z(b, unit), NULL);
        str digits = str_trim(number_text(b, v, neg));
        size_t k = digits.n && (digits.p[0] == '-' || digits.p[0] == '+'), points = 0, first = k;
        for (; k < digits.n && ((digits.p[k] >= '0' && digits.p[k] <= '9') || (digits.p[k] == '.' && points++ == 0)); k++)
            ;
        if (k == digits.n && k > first) {
            if (points == 0 || u >= UNIT_SECOND) return sql_error("INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION", n, b->text, NULL);
        } else if (v->kind == AST_LIT_STRING && n->n == 2)
            return sql_error("_LEGACY_ERROR_TEMP_0026", n, b->text, "value", arena_printf(b->a, "%.*s", STR_ARG(v->text)), NULL);
    }
    return sql_error("INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING", n, b->text, "input",
                     input, "supportedFormat", "[+|-]n", "intervalStr", "interval",
                     "typeName", "interval", NULL);
}

/* '1 day 2 hours' or pairs of the tree: sums of values by units. */
struct sum {
    int64_t months, us;
    enum sql_unit from, to;
    bool ym, dt;
};

static bool sum_add(struct sum *s, str value, str unit) {
    enum sql_unit u;
    int64_t f, v, *to;
    if (!unit_word(unit, &u, &f) || !scaled(str_trim(value), f, u >= UNIT_SECOND, &v)) return false;
    bool ym = u <= UNIT_MONTH;
    to = ym ? &s->months : &s->us;
    if (__builtin_add_overflow(*to, v, to)) return false;
    if (!s->ym && !s->dt) s->from = s->to = u;
    if (u < s->from) s->from = u;
    if (u > s->to) s->to = u;
    s->ym |= ym;
    s->dt |= !ym;
    return true;
}

static bool sum_text(struct sum *s, str t) {
    t = str_trim(t);
    if (str_ieq(str_cut(t, 9), STR("interval "))) t = str_trim(str_from(t, 9));
    if (!t.n) return false;
    while (t.n) {
        size_t i = 0;
        while (i < t.n && t.p[i] != ' ') i++;
        str value = str_cut(t, i);
        t = str_trim(str_from(t, i));
        if ((str_eqz(value, "-") || str_eqz(value, "+")) && t.n) return false;
        for (i = 0; i < t.n && t.p[i] != ' ';) i++;
        if (!sum_add(s, value, str_cut(t, i))) return false;
        t = str_trim(str_from(t, i));
    }
    return true;
}

static err *sum_done(struct binder *b, const struct ast *n, const struct sum *s, struct bx **ret) {
    if (s->ym && s->dt) {
        struct bx *x = bx_tmpl(b, sql_type_of(TY_INTERVAL),
                               sql_fmt(b->a, "{{'m': %lld, 'd': %lld, 'us': CAST(%lld AS BIGINT)}}", (long long)s->months,
                                       (long long)(s->us / 86400000000), (long long)(s->us % 86400000000)),
                               STR("INTERVAL"), NULL, 0);
        x->ast = n;
        *ret = x;
        return NULL;
    }
    if (s->ym && (s->months < INT32_MIN || s->months > INT32_MAX)) return sql_error("INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION", n, b->text, NULL);
    *ret = interval_lit(b, sql_interval(b->a, s->from, s->to), s->ym ? s->months : s->us);
    return NULL;
}

/* INTERVAL x DAY of an expression: a product. */
static err *computed(struct cx *c, const struct ast *n, struct bx **ret) {
    enum sql_unit u;
    int64_t f;
    struct bx *x;
    if (n->n != 2 || !unit_word(n->child[1]->text, &u, &f)) return bad_interval(c->b, n);
    TRY(bind_expr(c, n->child[0], &x));
    if (!sql_is_numeric(x->type)) x = bx_cast(c->b, x, sql_type_of(TY_BIGINT));
    const struct sql_type *t = sql_interval(c->b->a, u, u);
    *ret = bx_tmpl(c->b, t, sql_fmt(c->b->a, "CAST({0} * %lld AS {type})", (long long)f),
                   sql_fmt(c->b->a, "INTERVAL {0} %.*s", STR_ARG(n->child[1]->text)), &x, 1);
    return NULL;
}

err *bind_interval(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    const struct ast *from = ast_get(n, SLOT_FROM), *to = ast_get(n, SLOT_TO);
    struct sum s = {.us = 0};
    enum sql_unit u, u2;
    int64_t v;
    bool neg;
    if (from && n->n >= 1) {
        bool ok = sql_unit_by_name(from->text, &u) && sql_unit_by_name(to ? to->text : from->text, &u2) && u <= u2 &&
                  is_number(n->child[0], &neg);
        if (!ok) return bad_interval(b, n);
        const struct sql_type *t = sql_interval(b->a, u, u2);
        if (!sql_read_interval(number_text(b, n->child[0], neg), t, &v)) return bad_interval(b, n);
        if (t->kind == TY_INTERVAL_YM && (v < INT32_MIN || v > INT32_MAX)) return bad_interval(b, n);
        *ret = interval_lit(b, t, v);
        return NULL;
    }
    if (n->n == 1) {
        if (n->child[0]->kind != AST_LIT_STRING || !sum_text(&s, n->child[0]->text))
            return sql_error("INVALID_TYPED_LITERAL", n, b->text, "valueType", "\"INTERVAL\"", "value", arena_printf(b->a, "'%.*s'", STR_ARG(n->child[0]->text)), NULL);
        return sum_done(b, n, &s, ret);
    }
    for (uint32_t i = 0; i + 1 < n->n; i += 2)
        if (!is_number(n->child[i], &neg)) return computed(c, n, ret);
    for (uint32_t i = 0; i + 1 < n->n; i += 2) {
        is_number(n->child[i], &neg);
        if (!sum_add(&s, number_text(b, n->child[i], neg), n->child[i + 1]->text)) return bad_interval(b, n);
    }
    if (n->n < 2) return bad_interval(b, n);
    return sum_done(b, n, &s, ret);
}
