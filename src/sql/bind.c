/* SPDX-License-Identifier: Apache-2.0 */
/* Making nodes of the bound tree: literals, templates, columns, casts and common types. */
#include "sql/bind.h"

#include <stdio.h>
#include <stdlib.h>

static void free_buf(void *p) { buf_free(p); }

buf *sql_buf(arena *a) {
    buf *b = arena_new_of(a, buf);
    arena_on_free(a, free_buf, b);
    return b;
}

str sql_keep(arena *a, buf *b) {
    (void)a;
    return b->n ? buf_view(b) : STR("");
}

str sql_fmt(arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *z = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return str_of(z);
}

void buf_tmpl(buf *out, str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '{' || s.p[i] == '}') buf_c(out, s.p[i]);
        buf_c(out, s.p[i]);
    }
}

str tmpl_text(struct binder *b, str s) {
    if (str_chr(s, '{', 0) < 0 && str_chr(s, '}', 0) < 0) return s;
    buf *o = sql_buf(b->a);
    buf_tmpl(o, s);
    return sql_keep(b->a, o);
}

const char *sql_search_path(const struct sql_env *e, arena *a) {
    if (e->search.n) return arena_printf(a, "%.*s", STR_ARG(e->search));
    ptrdiff_t mark = str_chr(e->catalog, SQL_MARK, 0);
    str catalog = mark < 0 ? e->catalog : str_cut(e->catalog, (size_t)mark);
    return arena_printf(a, "[`system`.`builtin`, `system`.`session`, `%.*s`.`%.*s`]", STR_ARG(catalog), STR_ARG(e->schema));
}

str search_path(struct binder *b) { return str_of(sql_search_path(b->env, b->a)); }

err *unsupported(struct binder *b, const struct ast *at, const char *what) {
    return sql_error("UNSUPPORTED_FEATURE.SQL", at, b->text, "what", what, NULL);
}

str type_name(struct binder *b, const struct sql_type *t) {
    buf *o = sql_buf(b->a);
    buf_c(o, '"');
    sql_type_write_sql(t, o);
    buf_c(o, '"');
    buf_c(o, 0);
    o->n--;
    return sql_keep(b->a, o);
}

str ident_name(struct binder *b, const struct ast *name) {
    buf *o = sql_buf(b->a);
    for (uint32_t i = 0; name && i < name->n; i++) {
        buf_z(o, i ? ".`" : "`");
        buf_str(o, name->child[i]->text);
        buf_c(o, '`');
    }
    buf_c(o, 0);
    o->n--;
    return sql_keep(b->a, o);
}

/* ---- nodes ---- */

struct bx *bx_new(struct binder *b, enum bx_kind kind, const struct sql_type *type) {
    struct bx *x = arena_new_of(b->a, struct bx);
    x->kind = (uint8_t)kind;
    x->type = type;
    x->id = b->next_id++;
    return x;
}

struct bx *bx_lit(struct binder *b, const struct sql_type *type, str value) {
    struct bx *x = bx_new(b, BX_LIT, type);
    x->text = value;
    x->nullable = value.p == NULL;
    x->cap = value.p ? value : STR("NULL");
    return x;
}

struct bx *bx_null(struct binder *b, const struct sql_type *type) { return bx_lit(b, type, STR_NONE); }

struct bx *bx_int(struct binder *b, int64_t v) {
    bool big = v > INT32_MAX || v < INT32_MIN;
    return bx_lit(b, sql_type_of(big ? TY_BIGINT : TY_INT), sql_fmt(b->a, "%lld", (long long)v));
}

struct bx *bx_string(struct binder *b, str v) {
    return bx_lit(b, sql_type_of(TY_STRING), v.p ? v : STR(""));
}

struct bx *bx_bool(struct binder *b, bool v) {
    return bx_lit(b, sql_type_of(TY_BOOLEAN), v ? STR("true") : STR("false"));
}

static void take_flags(struct bx *x, const struct bx *c) {
    if (!c) return;
    x->nondet |= c->nondet;
    x->has_agg |= c->has_agg;
    x->has_win |= c->has_win;
    x->has_gen |= c->has_gen;
    x->has_sub |= c->has_sub;
    x->has_lambda |= c->has_lambda;
}

static double weight_of(const struct bx *x) { return !x ? 0 : x->weight > 0 ? x->weight : 1; }

/* Functions with short bodies, and names for what was computed before, make long texts of short ones: x + x of y + y of … */
static void weigh(struct bx *x) {
    unsigned mentions[16] = {0};
    for (size_t i = 0; x->kind == BX_TMPL && x->n <= 16 && i + 1 < x->text.n; i++) {
        if (x->text.p[i] != '{') continue;
        size_t at = 0, k = i + 1;
        while (k < x->text.n && k < i + 3 && x->text.p[k] >= '0' && x->text.p[k] <= '9') at = at * 10 + (size_t)(x->text.p[k++] - '0');
        if (k > i + 1 && at < x->n) mentions[at]++;
    }
    x->weight = 1 + weight_of(x->filter);
    for (size_t i = 0; i < x->n; i++) x->weight += weight_of(x->child[i]) * (i < 16 && mentions[i] ? mentions[i] : 1);
    for (size_t i = 0; i < x->n_order; i++) x->weight += weight_of(x->order[i].x);
    for (size_t i = 0; x->win && i < x->win->n_part; i++) x->weight += weight_of(x->win->part[i]);
    for (size_t i = 0; x->win && i < x->win->n_order; i++) x->weight += weight_of(x->win->order[i].x);
}

void bx_flags(struct bx *x) {
    weigh(x);
    for (size_t i = 0; i < x->n; i++) take_flags(x, x->child[i]);
    take_flags(x, x->filter);
    for (size_t i = 0; i < x->n_order; i++) take_flags(x, x->order[i].x);
    if (x->win) {
        for (size_t i = 0; i < x->win->n_part; i++) take_flags(x, x->win->part[i]);
        for (size_t i = 0; i < x->win->n_order; i++) take_flags(x, x->win->order[i].x);
        for (size_t i = 0; i < x->win->n_bound; i++) take_flags(x, x->win->bound[i]);
    }
    if (x->kind == BX_AGG) x->has_agg = true;
    if (x->kind == BX_WIN) x->has_win = true;
    if (x->kind == BX_GEN) x->has_gen = true;
    if (x->kind == BX_SUB) x->has_sub = true;
    if (x->kind == BX_LAMBDA) x->has_lambda = true;
}

struct bx *bx_tmpl(struct binder *b, const struct sql_type *type, str tmpl, str cap,
                   struct bx **child, size_t n) {
    struct bx *x = bx_new(b, BX_TMPL, type);
    x->text = tmpl;
    x->cap = cap;
    x->child = arena_array_of(b->a, struct bx *, n + 1);
    x->n = n;
    for (size_t i = 0; i < n; i++) {
        x->child[i] = child[i];
        x->nullable |= child[i]->nullable;
    }
    bx_flags(x);
    return x;
}

struct bx *bx_tmpl1(struct binder *b, const struct sql_type *type, const char *tmpl, const char *cap,
                    struct bx *x) {
    return bx_tmpl(b, type, str_of(tmpl), str_of(cap), &x, 1);
}

struct bx *bx_tmpl2(struct binder *b, const struct sql_type *type, const char *tmpl, const char *cap,
                    struct bx *x, struct bx *y) {
    struct bx *both[2] = {x, y};
    return bx_tmpl(b, type, str_of(tmpl), str_of(cap), both, 2);
}

struct bx *bx_col(struct binder *b, struct rel *rel, size_t col, str name) {
    struct bx *x = bx_new(b, BX_COL, rel->cols[col].type);
    x->rel = rel;
    x->col = col;
    x->nullable = rel->cols[col].nullable;
    x->cap = name;
    return x;
}

bool bx_is_const(const struct bx *x) { return x->kind == BX_LIT; }
bool bx_is_null(const struct bx *x) { return x->kind == BX_LIT && !x->text.p; }

/* a + b is b + a. */
static bool commutes(str t) {
    return str_eqz(t, "({0} + {1})") || str_eqz(t, "({0} * {1})") || str_eqz(t, "({0} = {1})") || str_eqz(t, "({0} AND {1})") || str_eqz(t, "({0} OR {1})");
}

bool bx_eq(const struct bx *x, const struct bx *y) {
    if (x == y) return true;
    if (!x || !y || x->kind != y->kind || x->n != y->n || x->nondet || y->nondet) return false;
    if (!sql_type_same_physical(x->type, y->type)) return false;
    switch (x->kind) {
    case BX_COL: return x->rel == y->rel && x->col == y->col;
    case BX_VAR: return x->id == y->id;
    case BX_SUB:
    case BX_LAMBDA:
    case BX_WIN:
    case BX_GEN: return false;
    case BX_LIT: return (x->text.p == NULL) == (y->text.p == NULL) && str_eq(x->text, y->text);
    default: break;
    }
    if (!str_eq(x->text, y->text) || x->distinct != y->distinct || x->n_order || y->n_order) return false;
    if ((x->filter || y->filter) && !(x->filter && y->filter && bx_eq(x->filter, y->filter)))
        return false;
    if (x->n == 2 && commutes(x->text) && bx_eq(x->child[0], y->child[1]) && bx_eq(x->child[1], y->child[0])) return true;
    for (size_t i = 0; i < x->n; i++)
        if (!bx_eq(x->child[i], y->child[i])) return false;
    return true;
}

struct rel *rel_new(struct binder *b, enum rel_kind kind, size_t n, uint32_t level) {
    struct rel *r = arena_new_of(b->a, struct rel);
    r->id = b->next_id++;
    r->kind = (uint8_t)kind;
    r->level = level;
    r->cols = arena_array_of(b->a, struct rcol, n + 1);
    r->n = n;
    return r;
}

void scope_add(struct binder *b, struct scope *s, struct scol c) {
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct scol *more = arena_array_of(b->a, struct scol, cap);
        if (s->n) memcpy(more, s->cols, s->n * sizeof *more);
        s->cols = more;
        s->cap = cap;
    }
    s->cols[s->n++] = c;
}

void scope_add_rel(struct binder *b, struct scope *s, struct rel *r, str q0, str q1, str q2) {
    for (size_t i = 0; i < r->n; i++)
        scope_add(b, s, (struct scol){.name = r->cols[i].name, .qual = {q0, q1, q2}, .rel = r, .col = i});
}

/* ---- casts ---- */

static bool all_digits(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n > 0;
}

/* "12.5" with more digits after the point; false when digits would be lost. */
static bool rescale(struct binder *b, str v, int scale, const struct sql_type *to, str *ret) {
    str digits = v;
    if (digits.n && digits.p[0] == '-') digits = str_from(digits, 1);
    ptrdiff_t point = str_chr(digits, '.', 0);
    size_t whole = point < 0 ? digits.n : (size_t)point;
    if (scale > to->scale || (int)whole > to->precision - to->scale) {
        if (!(whole == 1 && digits.p[0] == '0') || scale > to->scale) return false;
    }
    buf *o = sql_buf(b->a);
    buf_str(o, v);
    if (scale == 0 && to->scale > 0) buf_c(o, '.');
    for (int i = scale; i < to->scale; i++) buf_c(o, '0');
    *ret = sql_keep(b->a, o);
    return true;
}

static bool fold_string(struct binder *b, str v, const struct sql_type *to, str *ret) {
    int64_t n;
    double d;
    int32_t day;
    static const int64_t top[] = {[TY_TINYINT] = 127, [TY_SMALLINT] = 32767, [TY_INT] = INT32_MAX,
                                  [TY_BIGINT] = INT64_MAX};
    if (sql_is_integral(to)) {
        str digits = v.n && v.p[0] == '-' ? str_from(v, 1) : v;
        if (!all_digits(digits) || digits.n > 18 || !str_to_i64(v, &n)) return false;
        if (n > top[to->kind] || n < -top[to->kind]) return false;
        *ret = sql_fmt(b->a, "%lld", (long long)n);
        return true;
    }
    if (to->kind == TY_DOUBLE) {
        if (v.n == 0 || v.n > 30 || !((v.p[0] >= '0' && v.p[0] <= '9') || v.p[0] == '-')) return false;
        *ret = v;
        return str_to_f64(v, &d);
    }
    if (to->kind == TY_DATE) {
        *ret = v;
        return v.n == 10 && sql_read_date(v, &day);
    }
    return false;
}

static int lit_scale(const struct bx *x) { return x->type->kind == TY_DECIMAL ? x->type->scale : 0; }

static struct bx *fold_cast(struct binder *b, struct bx *x, const struct sql_type *to) {
    const struct sql_type *from = x->type;
    str v = x->text;
    bool ok = false;
    if (!v.p)
        ok = true;
    else if (sql_is_text(from) && sql_is_text(to))
        ok = true;
    else if (sql_is_text(from))
        ok = fold_string(b, v, to, &v);
    else if (sql_is_integral(from) && sql_is_integral(to))
        ok = from->kind <= to->kind;
    else if ((sql_is_integral(from) || from->kind == TY_DECIMAL) && to->kind == TY_DECIMAL)
        ok = rescale(b, v, lit_scale(x), to, &v);
    else if ((sql_is_integral(from) || from->kind == TY_DECIMAL) && to->kind == TY_DOUBLE)
        ok = true;
    else if (from->kind == TY_FLOAT && to->kind == TY_DOUBLE)
        ok = false;
    else if (from->kind == to->kind && (from->kind == TY_INTERVAL_YM || from->kind == TY_INTERVAL_DT))
        ok = to->to >= from->to;
    if (!ok) return NULL;
    struct bx *y = bx_lit(b, to, v);
    y->cap = x->cap;
    y->ast = x->ast;
    return y;
}

struct bx *bx_cast(struct binder *b, struct bx *x, const struct sql_type *to) {
    if (x->type == to || sql_type_eq(x->type, to)) return x;
    if (x->kind == BX_LIT) {
        struct bx *y = fold_cast(b, x, to);
        if (y) return y;
    }
    bool cuts = x->type->kind == to->kind && (to->kind == TY_TIME ? to->precision < x->type->precision : (to->kind == TY_INTERVAL_YM || to->kind == TY_INTERVAL_DT) && to->to < x->type->to);
    if (sql_type_same_physical(x->type, to) && x->type->kind != TY_VOID && !cuts) {
        struct bx *y = arena_new_of(b->a, struct bx);
        *y = *x;
        y->type = to;
        return y;
    }
    buf *t = sql_buf(b->a);
    err *e = emit_cast_tmpl(b, x->type, to, !b->env->ansi, t);
    if (e) {
        /* The callers ask only for casts that exist. */
        err_free(e);
        buf_clear(t);
        buf_z(t, "CAST({0} AS {type})");
    }
    struct bx *y = bx_tmpl(b, to, sql_keep(b->a, t), STR("{0}"), &x, 1);
    y->implicit = true;
    y->ast = x->ast;
    return y;
}

struct bx *bx_exact(struct binder *b, struct bx *x) {
    if (!x->loose) return x;
    struct bx *y = bx_tmpl(b, x->type, STR("CAST({0} AS {type})"), STR("{0}"), &x, 1);
    y->implicit = true;
    y->ast = x->ast;
    return y;
}

const struct sql_type *bx_unify(struct binder *b, struct bx **x, size_t n) {
    const struct sql_type *t = sql_type_of(TY_VOID);
    for (size_t i = 0; i < n && t; i++) t = sql_common_type(b->a, t, x[i]->type);
    if (!t) return NULL;
    for (size_t i = 0; i < n; i++) x[i] = bx_cast(b, bx_exact(b, x[i]), t);
    return t;
}
