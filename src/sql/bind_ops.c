/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators: arithmetic with ANSI's errors, comparisons of what became one type, logic, bits, concatenation.
 *
 * Integers are DuckDB's own, which raise on overflow. Decimals stay DuckDB's own where its result has Spark's scale;
 * its precision may differ then (`loose`), and is corrected by bx_exact() where anybody could see it.
 */
#include "sql/bind.h"

#include <stdio.h>

#define DIV_ZERO "error('[DIVIDE_BY_ZERO] {{}}')"
#define MOD_ZERO "error('[REMAINDER_BY_ZERO] {{}}')"

static const char *quoted(struct binder *b, const struct bx *x) {
    return arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x)));
}

static err *differ(struct binder *b, const char *op, struct bx *x, struct bx *y, const struct ast *at) {
    const char *e = arena_printf(b->a, "\"(%.*s %s %.*s)\"", STR_ARG(caption_of(b, x)), op, STR_ARG(caption_of(b, y)));
    return sql_error("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES", at, b->text, "sqlExpr", e, "left",
                     type_name(b, x->type).p, "right", type_name(b, y->type).p, NULL);
}

/* What an operator works on, as Spark's errors say it. */
static const char *works_on(char op) {
    if (op == '/') return "(\"DOUBLE\" or \"DECIMAL\")";
    if (op == '*' || op == '%') return "\"NUMERIC\"";
    return "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")";
}

static err *wrong_type(struct binder *b, const char *op, struct bx *x, struct bx *y, const struct ast *at, const char *want, const struct sql_type *t) {
    const char *e = arena_printf(b->a, "\"(%.*s %s %.*s)\"", STR_ARG(caption_of(b, x)), op, STR_ARG(caption_of(b, y)));
    return sql_error("DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE", at, b->text, "sqlExpr", e, "inputType", want,
                     "actualDataType", type_name(b, t).p, NULL);
}

static err *wrong(struct binder *b, const char *op, struct bx *x, struct bx *y, const struct ast *at,
                  const char *want) {
    return wrong_type(b, op, x, y, at, want, x->type);
}

/* ---- decimals ---- */

/* The decimal that an integral operand becomes: a literal's own digits, else all that its type can hold. */
static struct bx *to_decimal(struct binder *b, struct bx *x) {
    if (x->type->kind == TY_DECIMAL) return x;
    if (x->kind == BX_LIT && x->text.p && x->type->kind != TY_TINYINT && str_eq(x->cap, x->text)) { /* CAST(1 AS BIGINT) was folded, and is none */
        size_t n = x->text.n - (x->text.p[0] == '-');
        return bx_cast(b, x, sql_decimal(b->a, n > 38 ? 38 : (int)n, 0));
    }
    return bx_cast(b, x, sql_decimal_for(b->a, x->type));
}

static bool nonzero(const struct bx *x) {
    if (x->kind != BX_LIT || !x->text.p) return false;
    for (size_t i = 0; i < x->text.n; i++)
        if (x->text.p[i] >= '1' && x->text.p[i] <= '9') return true;
    return false;
}

static bool cheap(const struct bx *x) {
    while (x->kind == BX_TMPL && x->implicit && x->n == 1) x = x->child[0];
    return x->kind == BX_COL || x->kind == BX_LIT || x->kind == BX_VAR;
}

/* {1} guarded against zero by what ANSI says. */
static str guarded(struct binder *b, const char *expr, struct bx **v, bool try_it, const char *word) {
    struct bx *y = v[1];
    if (nonzero(y)) return sql_fmt(b->a, "(%s)", expr);
    buf *o = sql_buf(b->a);
    if (!try_it && b->env->ansi && (cheap(y) || !word)) {
        /* NULL divided by zero is NULL; said where it does not double a long text. */
        bool null = v[0]->nullable && cheap(v[0]);
        buf_fmt(o, "CASE WHEN {1} = 0%s THEN %s ELSE %s END", null ? " AND {0} IS NOT NULL" : "", strstr(expr, " % ") ? MOD_ZERO : DIV_ZERO, expr);
        return sql_keep(b->a, o);
    }
    /* The divisor stands once only, so that nested divisions do not double their text. */
    for (const char *p = expr; *p; p++) {
        if (p[0] == '{' && p[1] == '1' && p[2] == '}') {
            buf_fmt(o, try_it || !b->env->ansi ? "NULLIF({1}, 0)" : "bh_%s({1})", word);
            p += 2;
        } else {
            buf_c(o, *p);
        }
    }
    return sql_fmt(b->a, "(%.*s)", (int)o->n, o->p);
}

static err *decimal_arith(struct binder *b, char op, struct bx *x, struct bx *y, bool try_it, str cap, struct bx **ret) {
    struct bx *v[2] = {to_decimal(b, x), to_decimal(b, y)};
    const struct sql_type *l = v[0]->type, *r = v[1]->type, *t = sql_decimal_result(b->a, op, l, r);
    const char *tr = try_it || !b->env->ansi ? "try_" : "";
    int s = op == '*' ? l->scale + r->scale : l->scale > r->scale ? l->scale : r->scale;
    str tmpl;
    bool loose = true;
    if (op == '/') {
        tmpl = sql_fmt(b->a, "bh_%sdecimal_div_%d({0}, {1})", tr, t->scale);
    } else if (op == '%') {
        str d = sql_fmt(b->a, "DECIMAL(%d,%d)", sql_decimal_wider(b->a, l, r)->precision, s);
        tmpl = guarded(b, arena_printf(b->a, "CAST({0} AS %s) %% CAST({1} AS %s)", d.p, d.p), v, try_it, NULL);
    } else if (s == t->scale && !try_it) {
        tmpl = sql_fmt(b->a, "({0} %c {1})", op);
    } else {
        tmpl = sql_fmt(b->a, "bh_%sdecimal_%s_%d({0}, {1})", tr, op == '*' ? "mul" : op == '+' ? "add" : "sub", t->scale);
    }
    if (tr[0] && op != '%') tmpl = sql_fmt(b->a, "TRY_CAST(%.*s AS {type})", STR_ARG(tmpl)), loose = false;
    struct bx *z = bx_tmpl(b, t, tmpl, cap, v, 2);
    z->loose = loose;
    if (tr[0]) z->nullable = true;
    *ret = z;
    return NULL;
}

/* ---- numbers ---- */

static const struct sql_type *number_type(struct binder *b, struct bx *x, struct bx *y) {
    const struct sql_type *l = x->type, *r = y->type;
    if (l->kind == TY_VOID && r->kind == TY_VOID) return sql_type_of(TY_INT);
    if (sql_is_text(l) && sql_is_text(r)) return sql_type_of(TY_DOUBLE);
    if (sql_is_text(l) && r->kind == TY_VOID) return sql_type_of(TY_DOUBLE);
    if (sql_is_text(r) && l->kind == TY_VOID) return sql_type_of(TY_DOUBLE);
    const struct sql_type *t = sql_common_type(b->a, l, r);
    return t && sql_is_numeric(t) ? t : NULL;
}

static bool decimal_pair(const struct bx *x, const struct bx *y) {
    const struct sql_type *l = x->type, *r = y->type;
    bool dl = l->kind == TY_DECIMAL, dr = r->kind == TY_DECIMAL;
    return (dl || dr) && (dl || sql_is_integral(l)) && (dr || sql_is_integral(r));
}

err *bind_arith(struct binder *b, char op, struct bx *x, struct bx *y, const struct ast *at, bool try_it,
                struct bx **ret) {
    const char *word = op == 'd' ? "div" : arena_printf(b->a, "%c", op);
    str cap = sql_fmt(b->a, "({0} %s {1})", word);
    *ret = NULL;
    TRY(bind_time_arith(b, op, x, y, at, try_it, ret));
    if (*ret) return NULL;
    if (op != '/' && x->type->kind == TY_VOID && y->type->kind == TY_DECIMAL) x = bx_cast(b, x, y->type); /* a quotient with NULL is a double */
    if (op != '/' && y->type->kind == TY_VOID && x->type->kind == TY_DECIMAL) y = bx_cast(b, y, x->type);
    if (op != 'd' && decimal_pair(x, y)) return decimal_arith(b, op, x, y, try_it, cap, ret);
    const struct sql_type *t = number_type(b, x, y);
    bool xf = x->type->kind == TY_FLOAT || x->type->kind == TY_DOUBLE, yf = y->type->kind == TY_FLOAT || y->type->kind == TY_DOUBLE;
    if (op == 'd' && b->env->ansi && t && (xf || yf) && sql_is_numeric(x->type) && sql_is_numeric(y->type)) /* whole quotients are of whole numbers and decimals */
        return sql_type_eq(x->type, y->type) ? wrong(b, word, x, y, at, works_on(op)) : differ(b, word, x, y, at);
    bool texts = b->env->ansi && !try_it && sql_is_text(x->type) && sql_is_text(y->type);
    if (!t || texts) {
        if (texts || sql_type_eq(x->type, y->type)) return wrong(b, word, x, y, at, works_on(op));
        /* The text becomes what stands beside it, and that is nothing to reckon with. */
        bool casts = (sql_is_text(x->type) || sql_is_text(y->type)) && sql_common_type(b->a, x->type, y->type);
        return casts ? wrong_type(b, word, x, y, at, works_on(op), sql_is_text(x->type) ? y->type : x->type) : differ(b, word, x, y, at);
    }
    struct bx *v[2];
    if (op == '/') t = sql_type_of(TY_DOUBLE);
    bool fraction = t->kind == TY_DECIMAL || t->kind == TY_DOUBLE || t->kind == TY_FLOAT;
    const struct sql_type *in = op == 'd' ? sql_type_of(fraction ? TY_DOUBLE : TY_BIGINT) : t;
    v[0] = bx_cast(b, bx_exact(b, x), in);
    v[1] = bx_cast(b, bx_exact(b, y), in);
    str tmpl;
    const char *zero = in->kind == TY_DOUBLE || in->kind == TY_FLOAT ? "nonzero_double" : in->kind == TY_BIGINT ? "nonzero" : "nonzero_int";
    bool nulls = try_it || !b->env->ansi;
    if (op == 'd') {
        t = sql_type_of(TY_BIGINT);
        tmpl = guarded(b, fraction ? "CAST(trunc({0} / {1}) AS BIGINT)" : "{0} // {1}", v, nulls, zero);
    } else if (op == '/' || op == '%') {
        /* the least integer modulo -1 is 0, which DuckDB takes for an overflow */
        bool least = op == '%' && sql_is_integral(in) && !(v[1]->kind == BX_LIT && v[1]->text.p && v[1]->text.p[0] != '-');
        tmpl = guarded(b, op == '/' ? "{0} / {1}" : least ? "{0} % CASE WHEN {1} = -1 THEN 1 ELSE {1} END" : "{0} % {1}", v, nulls, zero);
    } else {
        tmpl = sql_fmt(b->a, "({0} %c {1})", op);
    }
    bool whole = sql_is_integral(in);
    if (whole && !try_it && !b->env->ansi && (op == '+' || op == '-' || op == '*')) { /* wraps around */
        const char *name = op == '+' ? "add" : op == '-' ? "sub" : "mul";
        buf *o = sql_buf(b->a);
        sql_wrap(o, t, t->kind == TY_BIGINT ? arena_printf(b->a, "bh_wrap_%s({0}, {1})", name) : arena_printf(b->a, "CAST({0} AS BIGINT) %c {1}", op));
        *ret = bx_tmpl(b, t, sql_keep(b->a, o), cap, v, 2);
        return NULL;
    }
    if (nulls && whole) tmpl = sql_fmt(b->a, "TRY(%.*s)", STR_ARG(tmpl));
    *ret = bx_tmpl(b, t, tmpl, cap, v, 2);
    if (nulls) (*ret)->nullable = true;
    return NULL;
}

/* ---- comparisons ---- */

/* An integer compared with 1.1 is compared with 1 or 2 instead, as Spark does (captions show it). */
static struct bx *rounded(struct binder *b, struct bx *lit, bool up, const struct sql_type *beside) {
    str v = lit->text;
    bool neg = v.p[0] == '-', frac = false;
    ptrdiff_t point = str_chr(v, '.', 0);
    for (size_t i = (size_t)point; i < v.n; i++) frac |= v.p[i] >= '1' && v.p[i] <= '9';
    int64_t w;
    if (!str_to_i64(str_cut(v, (size_t)point), &w)) return NULL;
    if (frac && up && !neg) w++;
    if (frac && !up && neg) w--;
    bool fits = beside->kind == TY_INT && w >= INT32_MIN && w <= INT32_MAX;
    return bx_lit(b, sql_type_of(fits ? TY_INT : TY_BIGINT), sql_fmt(b->a, "%lld", (long long)w));
}

static bool point_literal(const struct bx *x) {
    return x->kind == BX_LIT && x->type->kind == TY_DECIMAL && x->text.p && str_chr(x->text, '.', 0) >= 0;
}

static void round_literals(struct binder *b, const char *op, struct bx **v) {
    bool gt = op[0] == '>', or_equal = op[1] == '=';
    struct bx *z = NULL;
    if (op[0] != '<' && op[0] != '>') return;
    if (sql_is_integral(v[0]->type) && point_literal(v[1])) {
        z = rounded(b, v[1], gt == or_equal, v[0]->type);
        if (z) v[1] = z;
    } else if (sql_is_integral(v[1]->type) && point_literal(v[0])) {
        z = rounded(b, v[0], gt != or_equal, v[1]->type);
        if (z) v[0] = z;
    }
}

struct bx *bx_collate_key(struct binder *b, struct bx *x, str coll) {
    /* A literal shows that it took the other side's collation. */
    bool took = x->kind == BX_LIT && x->text.p;
    str cap = took ? sql_fmt(b->a, "'%.*s' collate %.*s", STR_ARG(tmpl_text(b, x->text)), STR_ARG(coll)) : STR("{0}");
    return bx_tmpl(b, sql_type_of(TY_STRING), sql_fmt(b->a, "bh_collate_key({0}, '%.*s')", STR_ARG(coll)), cap, &x, 1);
}

/* Structs are compared place by place, whatever their fields are called. */
struct bx *bx_named_like(struct binder *b, struct bx *x, const struct sql_type *as) {
    if (x->type->kind != TY_STRUCT || as->kind != TY_STRUCT || x->type->n != as->n) return x;
    struct sql_field *f = arena_array_of(b->a, struct sql_field, as->n + 1);
    for (size_t i = 0; i < as->n; i++) {
        f[i] = x->type->fields[i];
        f[i].name = as->fields[i].name;
    }
    struct bx *y = arena_new_of(b->a, struct bx);
    *y = *x;
    y->type = sql_struct(b->a, f, as->n);
    return y;
}

/* n of a table's char(n) column, else 0. What UPDATE, DELETE and MERGE change is compared as the files have it: as Delta in Spark does. */
static int char_length(const struct bx *x) {
    if (x->kind != BX_COL || !x->rel || x->rel->row_ids || !x->rel->table || x->col >= x->rel->table->n) return 0;
    const struct sql_type *t = x->rel->table->cols[x->col].type;
    return t && t->kind == TY_CHAR ? t->length : 0;
}

static int characters(str s) {
    int n = 0;
    for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static struct bx *padded(struct binder *b, struct bx *x, int length) {
    struct bx *y;
    int have = char_length(x);
    if (have && have < length) return bx_tmpl(b, x->type, sql_fmt(b->a, "rpad({0}, %d, ' ')", length), STR("{0}"), &x, 1);
    if (x->kind != BX_LIT || x->type->kind != TY_STRING || !x->text.p || (have = characters(x->text)) >= length) return x;
    y = arena_new_of(b->a, struct bx);
    *y = *x;
    y->text = str_of(arena_printf(b->a, "%.*s%*s", STR_ARG(x->text), length - have, ""));
    return y;
}

void bind_pad(struct binder *b, struct bx **v, size_t n) {
    int length = 0;
    for (size_t i = 0; i < n; i++)
        if (char_length(v[i]) > length) length = char_length(v[i]);
    for (size_t i = 0; length && i < n; i++) v[i] = padded(b, v[i], length);
}

err *bind_compare(struct binder *b, const char *op, struct bx *x, struct bx *y, const struct ast *at, struct bx **ret) {
    struct bx *v[2] = {x, bx_named_like(b, y, x->type)};
    bind_pad(b, v, 2);
    bool nulls = strcmp(op, "<=>") == 0;
    if (!nulls) round_literals(b, op, v);
    for (int i = 0; i < 2; i++)
        if (v[i]->kind == BX_LIT && str_eq(v[i]->cap, v[i]->text) && sql_is_integral(v[i]->type) && v[1 - i]->type->kind == TY_DECIMAL) v[i] = to_decimal(b, v[i]);
    const struct sql_type *t = sql_common_type(b->a, v[0]->type, v[1]->type);
    if (!t) return differ(b, op, x, y, at);
    if (t->kind == TY_INTERVAL ? op[0] == '<' || op[0] == '>' : !sql_is_orderable(t)) {
        const char *e = arena_printf(b->a, "\"(%.*s %s %.*s)\"", STR_ARG(caption_of(b, x)), op, STR_ARG(caption_of(b, y)));
        return sql_error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE", at, b->text, "sqlExpr", e, "functionName",
                         arena_printf(b->a, "`%s`", op), "dataType", type_name(b, t).p, NULL);
    }
    bool native = v[0]->type->kind == TY_DECIMAL && v[1]->type->kind == TY_DECIMAL &&
                  v[0]->type->scale == v[1]->type->scale;
    for (int i = 0; i < 2 && !native; i++) v[i] = bx_cast(b, v[i], t);
    str coll = sql_is_text(t) ? t->collation : STR_NONE;
    for (int i = 0; i < 2 && coll.n; i++) v[i] = bx_collate_key(b, v[i], coll);
    *ret = bx_tmpl(b, sql_type_of(TY_BOOLEAN),
                   nulls ? STR("({0} IS NOT DISTINCT FROM {1})") : sql_fmt(b->a, "({0} %s {1})", op),
                   sql_fmt(b->a, "({0} %s {1})", op), v, 2);
    if (nulls) (*ret)->nullable = false;
    return NULL;
}

/* ---- logic, bits, text ---- */

static err *logic(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *v[2];
    bool and = str_eqz(n->text, "and");
    for (int i = 0; i < 2; i++) {
        TRY(bind_expr(c, n->child[i], &v[i]));
        const struct sql_type *t = v[i]->type;
        if (t->kind != TY_BOOLEAN && t->kind != TY_VOID && !sql_is_text(t)) {
            struct bx *other;
            TRY(bind_expr(c, n->child[1 - i], &other));
            struct bx *l = i ? other : v[i], *r = i ? v[i] : other;
            if (sql_type_eq(l->type, r->type)) return wrong(b, and ? "AND" : "OR", l, r, n, "\"BOOLEAN\"");
            return differ(b, and ? "AND" : "OR", l, r, n);
        }
        v[i] = bx_cast(b, v[i], sql_type_of(TY_BOOLEAN));
    }
    *ret = bx_tmpl(b, sql_type_of(TY_BOOLEAN), and ? STR("({0} AND {1})") : STR("({0} OR {1})"),
                   and ? STR("({0} AND {1})") : STR("({0} OR {1})"), v, 2);
    return NULL;
}

static err *bits(struct cx *c, const struct ast *n, struct bx **v, struct bx **ret) {
    struct binder *b = c->b;
    bool shift = n->text.n >= 2;
    const char *op = arena_printf(b->a, "%.*s", STR_ARG(n->text));
    for (int i = 0; i < 2; i++)
        if (sql_is_text(v[i]->type) || v[i]->type->kind == TY_VOID) v[i] = bx_cast(b, v[i], sql_type_of(sql_is_text(v[i]->type) ? TY_BIGINT : TY_INT));
    if (!sql_is_integral(v[0]->type) || !sql_is_integral(v[1]->type)) {
        if (!sql_type_eq(v[0]->type, v[1]->type)) return differ(b, op, v[0], v[1], n);
        return wrong(b, op, v[0], v[1], n, "\"INTEGRAL\"");
    }
    str cap = sql_fmt(b->a, "({0} %s {1})", op);
    if (shift) {
        const struct sql_type *t = sql_type_of(v[0]->type->kind == TY_BIGINT ? TY_BIGINT : TY_INT);
        v[0] = bx_cast(b, v[0], t);
        v[1] = bx_cast(b, v[1], sql_type_of(TY_INT));
        const char *f = n->text.n == 3 ? "bh_ushr" : op[0] == '<' ? "bh_shl" : "bh_shr";
        *ret = bx_tmpl(b, t, sql_fmt(b->a, "%s_%c({0}, {1})", f, t->kind == TY_BIGINT ? 'l' : 'i'), cap, v, 2);
        return NULL;
    }
    const struct sql_type *t = bx_unify(b, v, 2);
    *ret = bx_tmpl(b, t, op[0] == '^' ? STR("xor({0}, {1})") : sql_fmt(b->a, "({0} %s {1})", op), cap, v, 2);
    return NULL;
}

err *bind_binary(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *v[2];
    if (str_eqz(n->text, "and") || str_eqz(n->text, "or")) return logic(c, n, ret);
    TRY(bind_expr(c, n->child[0], &v[0]));
    TRY(bind_expr(c, n->child[1], &v[1]));
    str op = n->text;
    if (str_eqz(op, "||")) return bind_apply(c, "concat", n, v, 2, ret);
    if (str_eqz(op, "<>") || str_eqz(op, "!=")) {
        struct bx *e;
        TRY(bind_compare(b, "=", v[0], v[1], n, &e));
        e->text = STR("({0} <> {1})");
        e->cap = STR("(NOT ({0} = {1}))");
        *ret = e;
        return NULL;
    }
    if (str_eqz(op, "=") || str_eqz(op, "==")) return bind_compare(b, "=", v[0], v[1], n, ret);
    if (str_eqz(op, "<") || str_eqz(op, "<=") || str_eqz(op, ">") || str_eqz(op, ">=") || str_eqz(op, "<=>"))
        return bind_compare(b, arena_printf(b->a, "%.*s", STR_ARG(op)), v[0], v[1], n, ret);
    if (str_eqz(op, "div")) return bind_arith(b, 'd', v[0], v[1], n, false, ret);
    if (op.n == 1 && strchr("+-*/%", op.p[0])) return bind_arith(b, op.p[0], v[0], v[1], n, false, ret);
    return bits(c, n, v, ret);
}

static err *not_signed(struct binder *b, const struct ast *n, char op, struct bx *x) {
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", n, b->text, "sqlExpr", arena_printf(b->a, "\"(%c %.*s)\"", op, STR_ARG(caption_of(b, x))),
                     "paramIndex", "first", "requiredType", "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")",
                     "inputSql", quoted(b, x), "inputType", type_name(b, x->type).p, NULL);
}

static err *minus(struct cx *c, const struct ast *n, struct bx *x, struct bx **ret) {
    struct binder *b = c->b;
    /* -9223372036854775808 is a bigint though its digits alone are a decimal. */
    if (x->kind == BX_LIT && x->text.p && x->text.p[0] != '-' && sql_is_numeric(x->type) && n->child[0]->kind == AST_LIT_NUMBER) {
        int64_t v;
        str t = sql_fmt(b->a, "-%.*s", STR_ARG(x->text));
        const struct sql_type *ty = x->type;
        if (str_to_i64(t, &v) && n->child[0]->op == 0 && (sql_is_integral(ty) || ty->scale == 0))
            ty = sql_type_of(v >= INT32_MIN ? TY_INT : TY_BIGINT);
        if (ty->kind == TY_DECIMAL || sql_is_integral(ty)) {
            bool zero = !nonzero(x);
            *ret = bx_lit(b, ty, zero ? x->text : t);
            return NULL;
        }
        *ret = bx_lit(b, ty, t);
        return NULL;
    }
    if (sql_is_text(x->type)) x = bx_cast(b, x, sql_type_of(TY_DOUBLE));
    if (x->type->kind == TY_VOID) x = bx_cast(b, x, sql_type_of(TY_INT));
    bool ym = x->type->kind == TY_INTERVAL_YM || x->type->kind == TY_INTERVAL_DT;
    if (!sql_is_numeric(x->type) && !ym) return not_signed(b, n, '-', x);
    *ret = bx_tmpl1(b, x->type, !ym ? "(- {0})" : x->type->kind == TY_INTERVAL_YM ? "bh_ym_neg({0})" : "bh_dt_neg({0})", "(- {0})", x);
    (*ret)->loose = x->loose;
    return NULL;
}

err *bind_unary(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x;
    str op = n->text;
    if (str_eqz(op, "not") || str_eqz(op, "!")) {
        TRY(bind_expr(c, n->child[0], &x));
        if (x->type->kind != TY_BOOLEAN && x->type->kind != TY_VOID && !sql_is_text(x->type))
            return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", n, b->text, "sqlExpr",
                             arena_printf(b->a, "\"(NOT %.*s)\"", STR_ARG(caption_of(b, x))), "paramIndex", "first",
                             "requiredType", "\"BOOLEAN\"", "inputSql", quoted(b, x), "inputType",
                             type_name(b, x->type).p, NULL);
        *ret = bx_not(b, bx_cast(b, x, sql_type_of(TY_BOOLEAN)));
        return NULL;
    }
    TRY(bind_expr(c, n->child[0], &x));
    if (str_eqz(op, "-")) return minus(c, n, x, ret);
    if (str_eqz(op, "+")) {
        if (sql_is_text(x->type)) x = bx_cast(b, x, sql_type_of(TY_DOUBLE));
        bool interval = x->type->kind >= TY_INTERVAL_YM && x->type->kind <= TY_INTERVAL;
        if (!sql_is_numeric(x->type) && !interval && x->type->kind != TY_VOID) return not_signed(b, n, '+', x);
        *ret = bx_tmpl1(b, x->type, "{0}", "(+ {0})", x);
        (*ret)->loose = x->loose;
        return NULL;
    }
    if (sql_is_text(x->type)) x = bx_cast(b, x, sql_type_of(TY_BIGINT));
    if (!sql_is_integral(x->type))
        return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", n, b->text, "sqlExpr",
                         arena_printf(b->a, "\"~%.*s\"", STR_ARG(caption_of(b, x))), "paramIndex", "first",
                         "requiredType", "\"INTEGRAL\"", "inputSql", quoted(b, x), "inputType",
                         type_name(b, x->type).p, NULL);
    *ret = bx_tmpl1(b, x->type, "(~{0})", "~{0}", x);
    return NULL;
}
