/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of dates, timestamps and intervals. Constants are folded, so that filters on dates stay simple. */
#include "sql/bind.h"
#include "sql/text.h"

#include <stdlib.h>

static bool is_stamp(const struct sql_type *t) { return t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ; }
static bool is_ym(const struct sql_type *t) { return t->kind == TY_INTERVAL_YM; }
static bool is_dt(const struct sql_type *t) { return t->kind == TY_INTERVAL_DT; }
static bool is_point(const struct sql_type *t) { return t->kind == TY_DATE || is_stamp(t); }

static bool lit_int(const struct bx *x, int64_t *ret) {
    return x->kind == BX_LIT && x->text.p && str_to_i64(x->text, ret);
}

static bool lit_date(const struct bx *x, int32_t *ret) {
    return x->kind == BX_LIT && x->type->kind == TY_DATE && x->text.p && sql_read_date(x->text, ret);
}

static struct bx *date_lit(struct binder *b, int64_t days) {
    int y, m, d;
    sql_civil(days, &y, &m, &d);
    if (y < 1 || y > 9999) return NULL;
    return bx_lit(b, sql_type_of(TY_DATE), sql_fmt(b->a, "%04d-%02d-%02d", y, m, d));
}

static struct bx *add_months_lit(struct binder *b, int32_t days, int64_t months) {
    static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y, m, d;
    sql_civil(days, &y, &m, &d);
    int64_t at = (int64_t)y * 12 + m - 1 + months;
    if (at < 12 || at >= 120000) return NULL;
    y = (int)(at / 12);
    m = (int)(at % 12) + 1;
    int top = m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0) ? 29 : len[m - 1];
    return date_lit(b, sql_days(y, m, d < top ? d : top));
}

static struct bx *negated(struct binder *b, struct bx *x) {
    int64_t v;
    if (lit_int(x, &v) && v != INT64_MIN) {
        struct bx *y = bx_lit(b, x->type, sql_fmt(b->a, "%lld", (long long)-v));
        y->cap = x->cap;
        return y;
    }
    return bx_tmpl1(b, x->type, "(- {0})", "{0}", x);
}

static err *date_days(struct binder *b, char op, struct bx *d, struct bx *n, struct bx **ret) {
    int32_t day;
    int64_t k;
    n = bx_cast(b, n, sql_type_of(TY_INT));
    struct bx *z = bx_tmpl2(b, sql_type_of(TY_DATE), op == '+' ? "({0} + {1})" : "({0} - {1})",
                            op == '+' ? "date_add({0}, {1})" : "date_sub({0}, {1})", d, n);
    if (lit_date(d, &day) && lit_int(n, &k)) {
        struct bx *f = date_lit(b, op == '+' ? day + k : day - k);
        if (f) {
            f->cap = caption_of(b, z);
            z = f;
        }
    }
    *ret = z;
    return NULL;
}

/* The shown operator is op; i has its sign already. */
static err *date_interval(struct binder *b, char op, struct bx *d, struct bx *i, struct bx **ret) {
    str cap = sql_fmt(b->a, "{0} %c {1}", op);
    int32_t day;
    int64_t v;
    struct bx *both[2] = {d, i}, *f = NULL;
    if (is_ym(i->type)) {
        *ret = bx_tmpl(b, d->type, STR("bh_add_months({0}, {1})"), cap, both, 2);
        if (lit_date(d, &day) && lit_int(i, &v)) f = add_months_lit(b, day, v);
    } else {
        cap = op == '-' ? STR("date_add({0}, (- extractansiintervaldays({1})))") : STR("date_add({0}, extractansiintervaldays({1}))");
        *ret = bx_tmpl(b, d->type, STR("({0} + CAST({1} // 86400000000 AS INTEGER))"), cap, both, 2);
        if (lit_date(d, &day) && lit_int(i, &v)) f = date_lit(b, day + v / 86400000000);
    }
    if (f) {
        f->cap = caption_of(b, *ret);
        *ret = f;
    }
    return NULL;
}

static err *point_interval(struct binder *b, char op, struct bx *p, struct bx *i, struct bx **ret) {
    if (op == '-') i = i->type->kind == TY_INTERVAL
                           ? bx_tmpl1(b, i->type, "{{'m': -{0}.m, 'd': -{0}.d, 'us': -{0}.us}}", "{0}", i)
                           : negated(b, i);
    bool day = is_dt(i->type) && i->type->to == UNIT_DAY;
    if (p->type->kind == TY_DATE && (is_ym(i->type) || day)) return date_interval(b, op, p, i, ret);
    if (p->type->kind == TY_DATE) p = bx_cast(b, p, sql_type_of(TY_TIMESTAMP));
    struct bx *both[2] = {p, i};
    bool ts = p->type->kind == TY_TIMESTAMP;
    const char *what = is_ym(i->type) ? "add_months" : is_dt(i->type) ? "add_dt" : "add_interval";
    *ret = bx_tmpl(b, p->type, sql_fmt(b->a, ts ? "bh_ts_%s({0}, {1}, {tz})" : "bh_ntz_%s({0}, {1})", what),
                   sql_fmt(b->a, "{0} %c {1}", op), both, 2);
    return NULL;
}

static err *difference(struct binder *b, struct bx *x, struct bx *y, struct bx **ret) {
    if (x->type->kind == TY_DATE && y->type->kind == TY_DATE) {
        *ret = bx_tmpl2(b, sql_interval(b->a, UNIT_DAY, UNIT_DAY), "(({0} - {1}) * 86400000000)", "({0} - {1})", x, y);
        return NULL;
    }
    struct bx *v[2] = {x, y};
    const struct sql_type *t = bx_unify(b, v, 2);
    /* What clocks on the wall show is subtracted: a day on which they are put forward has 24 hours too. */
    str how = t && t->kind == TY_TIMESTAMP ? STR("(epoch_us(bh_ts_to_ntz({0}, {tz})) - epoch_us(bh_ts_to_ntz({1}, {tz})))") : STR("(epoch_us({0}) - epoch_us({1}))");
    *ret = bx_tmpl(b, sql_type_of(TY_INTERVAL_DT), how, STR("({0} - {1})"), v, 2);
    return NULL;
}

static err *scale(struct binder *b, char op, struct bx *i, struct bx *n, bool nulls, struct bx **ret) {
    if (sql_is_text(n->type)) n = bx_cast(b, n, sql_type_of(TY_DOUBLE));
    bool whole = sql_is_integral(n->type);
    const struct sql_type *t = is_ym(i->type) ? sql_type_of(TY_INTERVAL_YM) : sql_type_of(TY_INTERVAL_DT);
    struct bx *v[2] = {i, n};
    str tmpl;
    if (op == '*' && whole)
        tmpl = STR("CAST({0} * {1} AS {type})");
    else if (op == '*')
        tmpl = STR("CAST(round(CAST({0} AS DOUBLE) * CAST({1} AS DOUBLE)) AS {type})");
    else if (whole)
        tmpl = sql_fmt(b->a, nulls ? "TRY(bh_%s_div({0}, CAST({1} AS BIGINT)))" : "bh_%s_div({0}, CAST({1} AS BIGINT))", is_ym(i->type) ? "ym" : "dt");
    else if (nulls)
        tmpl = STR("CAST(round(CAST({0} AS DOUBLE) / NULLIF(CAST({1} AS DOUBLE), 0)) AS {type})");
    else
        tmpl = STR("CAST(round(CAST({0} AS DOUBLE) / bh_interval_nonzero(CAST({1} AS DOUBLE))) AS {type})");
    *ret = bx_tmpl(b, t, tmpl, sql_fmt(b->a, "({0} %c {1})", op), v, 2); /* the interval is shown first, wherever it stood */
    if (nulls) (*ret)->nullable = true;
    return NULL;
}

/* What an operator yields where one side is NULL itself: the type that it would have with a value there. */
static bool with_null(struct binder *b, char op, struct bx *x, struct bx *y, struct bx **ret) {
    bool left = x->type->kind == TY_VOID;
    if (left == (y->type->kind == TY_VOID)) return false;
    const struct sql_type *t = left ? y->type : x->type, *z = NULL;
    struct bx *v[2] = {x, y};
    const char *cap = op == '-' ? "({0} - {1})" : "{0} + {1}";
    if (op == '+' && left && !(is_ym(t) || is_dt(t))) v[0] = y, v[1] = x;
    if (op == '+' && (is_ym(t) || is_dt(t) || t->kind == TY_INTERVAL)) {
        z = t;
        cap = "({0} + {1})";
    } else if (op == '-' && (is_ym(t) || is_dt(t) || t->kind == TY_INTERVAL)) {
        z = t;
    } else if (op == '+' && (is_point(t) || t->kind == TY_TIME)) {
        z = t->kind == TY_DATE ? sql_type_of(TY_TIMESTAMP) : t;
    } else if (op == '-' && is_point(t)) {
        z = t->kind == TY_DATE ? sql_interval(b->a, UNIT_DAY, UNIT_DAY) : sql_type_of(TY_INTERVAL_DT);
    } else if (op == '-' && t->kind == TY_TIME) {
        z = sql_interval(b->a, UNIT_HOUR, UNIT_SECOND);
        cap = "{0} - {1}";
    } else if ((is_ym(t) || is_dt(t)) && (op == '*' || (op == '/' && !left))) {
        z = sql_type_of(is_ym(t) ? TY_INTERVAL_YM : TY_INTERVAL_DT);
        cap = op == '*' ? "({0} * {1})" : "({0} / {1})";
        if (left) v[0] = y, v[1] = x;
    }
    if (!z) return false;
    *ret = bx_tmpl(b, z, STR("CAST(NULL AS {type})"), str_of(cap), v, 2);
    (*ret)->nullable = true;
    return true;
}

static err *intervals(struct binder *b, char op, struct bx *x, struct bx *y, struct bx **ret) {
    const struct sql_type *t = sql_common_type(b->a, x->type, y->type);
    if (t->kind == TY_INTERVAL) {
        const char *z = op == '+' ? "{{'m': {0}.m + {1}.m, 'd': {0}.d + {1}.d, 'us': {0}.us + {1}.us}}"
                                  : "{{'m': {0}.m - {1}.m, 'd': {0}.d - {1}.d, 'us': {0}.us - {1}.us}}";
        *ret = bx_tmpl2(b, t, z, op == '+' ? "({0} + {1})" : "({0} - {1})", x, y);
        return NULL;
    }
    int64_t v, w;
    const char *how = is_ym(t) ? op == '+' ? "bh_ym_add({0}, {1})" : "bh_ym_sub({0}, {1})" : op == '+' ? "bh_dt_add({0}, {1})" : "bh_dt_sub({0}, {1})";
    struct bx *z = bx_tmpl2(b, t, how, op == '+' ? "({0} + {1})" : "({0} - {1})", x, y);
    bool fits = lit_int(x, &v) && lit_int(y, &w) && !(op == '+' ? __builtin_add_overflow(v, w, &v) : __builtin_sub_overflow(v, w, &v));
    if (fits && (!is_ym(t) || (v >= INT32_MIN && v <= INT32_MAX))) {
        struct bx *f = bx_lit(b, t, sql_fmt(b->a, "%lld", (long long)v));
        f->cap = caption_of(b, z);
        z = f;
    }
    *ret = z;
    return NULL;
}

static bool is_any_interval(const struct sql_type *t) { return t->kind >= TY_INTERVAL_YM && t->kind <= TY_INTERVAL; }

static const char *quoted(struct binder *b, const struct bx *x) { return arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))); }

/* A date and something that is no number of days. A text stands for a date in ANSI mode, else for a number with a point. */
static err *no_days(struct binder *b, const struct ast *at, char op, struct bx *d, struct bx *n, bool swapped) {
    struct bx *wrong = n;
    const struct sql_type *t = n->type;
    if (sql_is_text(t)) {
        t = sql_type_of(b->env->ansi ? TY_DATE : TY_DOUBLE);
        if (swapped && b->env->ansi) {
            n = d;
            d = wrong;
        }
    }
    const char *e = arena_printf(b->a, "\"date_%s(%.*s, %.*s)\"", op == '+' ? "add" : "sub", STR_ARG(caption_of(b, d)), STR_ARG(caption_of(b, n)));
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", at, b->text, "sqlExpr", e, "paramIndex", "second", "requiredType",
                     "(\"INT\" or \"SMALLINT\" or \"TINYINT\")", "inputSql", quoted(b, n), "inputType", type_name(b, t).p, NULL);
}

/* An interval and something that is no point in time. */
static err *no_point(struct binder *b, const struct ast *at, char op, struct bx *x, struct bx *i) {
    str shown = caption_of(b, i);
    const char *e = op == '+' ? arena_printf(b->a, "\"%.*s + %.*s\"", STR_ARG(caption_of(b, x)), STR_ARG(shown))
                              : arena_printf(b->a, "\"%.*s + (- %.*s)\"", STR_ARG(caption_of(b, x)), STR_ARG(shown));
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", at, b->text, "sqlExpr", e, "paramIndex", "first", "requiredType",
                     "\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\"", "inputSql", quoted(b, x), "inputType", type_name(b, x->type).p, NULL);
}

static err *no_number(struct binder *b, const struct ast *at, char op, struct bx *x, struct bx *y, const struct sql_type *t) {
    const char *e = arena_printf(b->a, "\"(%.*s %c %.*s)\"", STR_ARG(caption_of(b, x)), op, STR_ARG(caption_of(b, y)));
    return sql_error("DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE", at, b->text, "sqlExpr", e, "inputType",
                     "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")", "actualDataType",
                     type_name(b, t).p, NULL);
}

err *bind_time_arith(struct binder *b, char op, struct bx *x, struct bx *y, const struct ast *at, bool try_it,
                     struct bx **ret) {
    const struct sql_type *l = x->type, *r = y->type;
    bool nulls = try_it || !b->env->ansi;
    *ret = NULL;
    if (with_null(b, op, x, y, ret)) return NULL;
    if (op == '+' || op == '-') {
        bool left = is_any_interval(r) && !is_ym(r) && sql_is_text(l), right = op == '+' && is_any_interval(l) && !is_ym(l) && sql_is_text(r);
        if (left || right) { /* the text is read as a timestamp, and written again */
            struct bx *z;
            TRY(point_interval(b, op, bx_cast(b, left ? x : y, sql_type_of(TY_TIMESTAMP)), left ? y : x, &z));
            str cap = caption_of(b, z);
            *ret = bx_cast(b, z, sql_type_of(TY_STRING));
            (*ret)->cap = tmpl_text(b, cap);
            return NULL;
        }
        if (is_point(l) && is_any_interval(r)) return point_interval(b, op, x, y, ret);
        if (op == '+' && is_any_interval(l) && is_point(r)) return point_interval(b, op, y, x, ret);
        if (l->kind == TY_TIME && is_dt(r)) {
            *ret = bx_tmpl2(b, r->to == UNIT_SECOND ? sql_type_of(TY_TIME) : l, op == '+' ? "bh_time_add({0}, {1})" : "bh_time_add({0}, -({1}))",
                            op == '+' ? "{0} + {1}" : "{0} - {1}", x, y);
            return NULL;
        }
        if (l->kind == TY_TIME && r->kind == TY_TIME && op == '-') {
            *ret = bx_tmpl2(b, sql_interval(b->a, UNIT_HOUR, UNIT_SECOND), "(epoch_us({0}) - epoch_us({1}))", "{0} - {1}", x, y);
            return NULL;
        }
        if (op == '-' && ((l->kind == TY_TIME && sql_is_text(r)) || (sql_is_text(l) && r->kind == TY_TIME)))
            return bind_time_arith(b, op, bx_cast(b, x, sql_type_of(TY_TIME)), bx_cast(b, y, sql_type_of(TY_TIME)), at, try_it, ret);
        if (l->kind == TY_DATE && (sql_is_integral(r) && r->kind <= TY_INT)) return date_days(b, op, x, y, ret);
        if (op == '+' && r->kind == TY_DATE && (sql_is_integral(l) && l->kind <= TY_INT)) return date_days(b, op, y, x, ret);
        if (l->kind == TY_DATE && (sql_is_numeric(r) || ((op == '+' || !b->env->ansi) && sql_is_text(r))))
            return no_days(b, at, op, x, y, false);
        if (op == '+' && r->kind == TY_DATE && (sql_is_numeric(l) || sql_is_text(l))) return no_days(b, at, op, y, x, true);
        if (op == '-' && !b->env->ansi && ((is_stamp(l) && sql_is_text(r)) || (is_stamp(r) && sql_is_text(l)))) {
            const struct bx *text = sql_is_text(l) ? x : y;
            return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", at, b->text, "sqlExpr",
                             arena_printf(b->a, "\"(%.*s - %.*s)\"", STR_ARG(caption_of(b, x)), STR_ARG(caption_of(b, y))), "paramIndex", text == x ? "first" : "second",
                             "requiredType", "\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\"", "inputSql", quoted(b, text), "inputType", type_name(b, text->type).p, NULL);
        }
        if (op == '-' && is_point(l) && (is_point(r) || sql_is_text(r)))
            return difference(b, x, is_point(r) ? y : bx_cast(b, y, l), ret);
        if (op == '-' && sql_is_text(l) && is_point(r)) return difference(b, bx_cast(b, x, r), y, ret);
        if (is_any_interval(l) && is_any_interval(r) && l->kind == r->kind) return intervals(b, op, x, y, ret);
        bool no_null = l->kind != TY_VOID && r->kind != TY_VOID;
        if (is_any_interval(r) && !is_ym(r) && no_null) return no_point(b, at, op, x, y);
        if (is_any_interval(l) && !is_ym(l) && op == '+' && no_null) return no_point(b, at, op, y, x);
        if (is_stamp(l) && sql_is_text(r)) return no_number(b, at, op, x, y, l);
        if (op == '+' && is_stamp(r) && sql_is_text(l)) return no_number(b, at, op, x, y, r);
    }
    if (op == 'd' && l->kind == r->kind && (is_ym(l) || is_dt(l))) {
        *ret = bx_tmpl2(b, sql_type_of(TY_BIGINT),
                        nulls ? "CAST({0} // NULLIF({1}, 0) AS BIGINT)"
                              : "CASE WHEN {1} = 0 THEN error('[DIVIDE_BY_ZERO] {{}}') ELSE CAST({0} // {1} AS BIGINT) END",
                        "({0} div {1})", x, y);
        return NULL;
    }
    bool num = sql_is_numeric(r) || sql_is_text(r);
    if ((op == '*' || op == '/') && (is_ym(l) || is_dt(l)) && num) return scale(b, op, x, y, try_it, ret);
    if (op == '*' && (is_ym(r) || is_dt(r)) && (sql_is_numeric(l) || sql_is_text(l))) return scale(b, op, y, x, try_it, ret);
    return NULL;
}
