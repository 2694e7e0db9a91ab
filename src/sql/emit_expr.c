/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions as DuckDB text: literals, columns, and the templates of func.h expanded. */
#include "sql/bind.h"

static void lit_number(const struct sql_type *t, str v, buf *out) {
    bool neg = v.n && v.p[0] == '-';
    switch (t->kind) {
    case TY_INT:
        /* DuckDB reads the least int's digits as a bigint. */
        if (str_eqz(v, "-2147483648")) break;
        buf_fmt(out, neg ? "(%.*s)" : "%.*s", STR_ARG(v));
        return;
    case TY_FLOAT:
    case TY_DOUBLE:
        if (str_eqz(v, "NaN") || str_ends(v, STR("Infinity"))) {
            buf_fmt(out, "CAST('%.*s' AS %s)", STR_ARG(v), t->kind == TY_FLOAT ? "FLOAT" : "DOUBLE");
            return;
        }
        break;
    default: break;
    }
    buf_z(out, "CAST(");
    /* As text, so that no digit passes through a double on the way. */
    if (t->kind == TY_DECIMAL || t->kind == TY_DOUBLE || t->kind == TY_FLOAT)
        buf_fmt(out, "'%.*s'", STR_ARG(v));
    else
        buf_str(out, v);
    buf_z(out, " AS ");
    sql_type_write_duckdb(t, out);
    buf_c(out, ')');
}

void emit_literal(struct binder *b, const struct sql_type *t, str v, buf *out) {
    (void)b;
    if (!v.p) {
        if (t->kind == TY_VOID) {
            buf_z(out, "NULL");
            return;
        }
        buf_z(out, "CAST(NULL AS ");
        sql_type_write_duckdb(t, out);
        buf_c(out, ')');
        return;
    }
    switch (t->kind) {
    case TY_BOOLEAN: buf_str(out, v); return;
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: sql_quote(out, v); return;
    case TY_BINARY:
        buf_z(out, "from_hex('");
        for (size_t i = 0; i < v.n; i++) buf_fmt(out, "%02X", (unsigned char)v.p[i]);
        buf_z(out, "')");
        return;
    case TY_DATE: buf_fmt(out, "DATE '%.*s'", STR_ARG(v)); return;
    case TY_TIMESTAMP: buf_fmt(out, "CAST('%.*s+00' AS TIMESTAMPTZ)", STR_ARG(v)); return;
    case TY_TIMESTAMP_NTZ: buf_fmt(out, "TIMESTAMP '%.*s'", STR_ARG(v)); return;
    case TY_TIME: buf_fmt(out, "TIME '%.*s'", STR_ARG(v)); return;
    default: lit_number(t, v, out); return;
    }
}

static void emit_col(struct rel *r, size_t col, buf *out);

static void emit_column(struct binder *b, struct bx *x, buf *out) {
    struct rel *r = x->rel;
    r->cols[x->col].used = true;
    if (r->kind == RK_AGG && !r->agg->staged) {
        struct bq *q = r->agg;
        emit_expr(b, x->col < q->n_keys ? q->keys[x->col] : q->aggs[x->col - q->n_keys], out);
        return;
    }
    emit_col(r, x->col, out);
}

static void emit_col(struct rel *r, size_t col, buf *out) {
    struct rel *top = r;
    while (top->wrap && !top->wrap->open) top = top->wrap;
    if (top != r) {
        buf_fmt(out, "t%u.t%u_%zu", top->id, r->id, col);
        return;
    }
    switch (r->kind) {
    case RK_SCAN:
        buf_fmt(out, "t%u.", r->id);
        sql_quote_ident(out, r->cols[col].name);
        return;
    case RK_GEN:
        if (r->call->gen->n == 1)
            buf_fmt(out, "t%u.g", r->id);
        else
            buf_fmt(out, "struct_extract(t%u.g, 'f%zu')", r->id, col);
        return;
    default: buf_fmt(out, "t%u.c%zu", r->id, col); return;
    }
}

/* Is the text one operand: a call, something in parentheses or brackets, CASE … END, a name? */
static bool atomic(str t) {
    int depth = 0;
    if (str_starts(t, STR("CASE ")) && str_ends(t, STR(" END"))) return true;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c == '\'' || c == '"') {
            size_t j = i + 1;
            while (j < t.n && t.p[j] != c) j++;
            i = j;
        } else if (c == '(' || c == '[' || c == '{') {
            depth++;
        } else if (c == ')' || c == ']' || c == '}') {
            depth--;
            if (depth == 0 && i + 1 < t.n && t.p[i + 1] != '(' && t.p[i + 1] != '[' &&
                t.p[i + 1] != '{')
                return false;
        } else if (depth == 0 && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                                   c == '.' || (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return true;
}

static void emit_child(struct binder *b, struct bx *x, buf *out) {
    size_t at = out->n;
    emit_expr(b, x, out);
    if (x->kind != BX_TMPL && x->kind != BX_AGG && x->kind != BX_WIN && x->kind != BX_COL) return;
    if (atomic(str_n(out->p + at, out->n - at))) return;
    buf_c(out, ')');
    buf_c(out, ')');
    memmove(out->p + at + 1, out->p + at, out->n - at - 2);
    out->p[at] = '(';
}

static void emit_order(struct binder *b, const struct bsort *o, size_t n, buf *out) {
    for (size_t i = 0; i < n; i++) {
        buf_z(out, i ? ", " : " ORDER BY ");
        const struct sql_type *t = o[i].x->type;
        bool coll = sql_is_text(t) && t->collation.n;
        if (coll) buf_z(out, "bh_collate_key(");
        emit_child(b, o[i].x, out);
        if (coll) {
            buf_z(out, ", ");
            sql_quote(out, t->collation);
            buf_c(out, ')');
        }
        buf_z(out, o[i].desc ? " DESC" : " ASC");
        buf_z(out, o[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void expand(struct binder *b, struct bx *x, str t, buf *out);

/* FILTER and OVER of an aggregate or window function; `some`: only rows where the first argument is not NULL. */
static void emit_after(struct binder *b, struct bx *x, bool some, buf *out) {
    if (x->kind == BX_AGG && x->ignore_nulls && x->n) some = true;
    if (x->filter || some) {
        buf_z(out, " FILTER (WHERE ");
        if (some) {
            emit_child(b, x->child[0], out);
            buf_z(out, x->filter ? " IS NOT NULL AND " : " IS NOT NULL");
        }
        if (x->filter) emit_expr(b, x->filter, out);
        buf_c(out, ')');
    }
    if (x->kind != BX_WIN || !x->win) return;
    buf_z(out, " OVER (");
    for (size_t i = 0; i < x->win->n_part; i++) {
        buf_z(out, i ? ", " : "PARTITION BY ");
        bool coll = bx_is_collated(x->win->part[i]);
        if (coll) buf_z(out, "bh_collate_key(");
        emit_child(b, x->win->part[i], out);
        if (coll) {
            buf_z(out, ", ");
            sql_quote(out, x->win->part[i]->type->collation);
            buf_c(out, ')');
        }
    }
    emit_order(b, x->win->order, x->win->n_order, out);
    if (x->win->frame.n) {
        struct bx bounds = {.kind = BX_TMPL, .child = x->win->bound, .n = x->win->n_bound, .type = x->type};
        buf_c(out, ' ');
        expand(b, &bounds, x->win->frame, out);
    }
    buf_c(out, ')');
}

static bool lambda_text(struct binder *b, struct bx *l, const str *texts, size_t n, buf *out) {
    if (l->kind != BX_LAMBDA) return false;
    struct vtext *saved = b->vtexts;
    for (size_t i = 0; i < l->n_vars; i++) {
        struct vtext *v = arena_new_of(b->a, struct vtext);
        v->var = l->id + (uint32_t)i;
        v->text = i < n ? texts[i] : STR("NULL");
        v->next = b->vtexts;
        b->vtexts = v;
    }
    emit_child(b, l->child[0], out);
    b->vtexts = saved;
    return true;
}

/* lambda x, i: body. DuckDB counts from 1, the dialect from 0. */
static void emit_lambda(struct binder *b, struct bx *l, buf *out) {
    str *texts = arena_array_of(b->a, str, l->n_vars + 1);
    buf_z(out, "lambda ");
    for (size_t i = 0; i < l->n_vars; i++) {
        const char *name = arena_printf(b->a, "x%u", l->id + (uint32_t)i);
        buf_fmt(out, "%s%s", i ? ", " : "", name);
        texts[i] = l->index_var && i + 1 == l->n_vars ? sql_fmt(b->a, "CAST(%s - 1 AS INTEGER)", name)
                                                       : str_of(name);
    }
    buf_z(out, ": ");
    lambda_text(b, l, texts, l->n_vars, out);
}

/* The end of a placeholder that begins at t[i] == '{'. */
static size_t closing(str t, size_t i) {
    int depth = 0;
    for (; i < t.n; i++) {
        if (t.p[i] == '{') depth++;
        if (t.p[i] == '}' && --depth == 0) return i;
    }
    return t.n;
}

static void emit_args(struct binder *b, struct bx *x, size_t from, buf *out) {
    for (size_t i = from; i < x->n; i++) {
        if (i > from) buf_z(out, ", ");
        emit_child(b, x->child[i], out);
    }
}

/* {2|a|b} */
static void apply_lambda(struct binder *b, struct bx *x, size_t arg, str rest, buf *out) {
    str texts[8];
    size_t n = 0, from = 0;
    int depth = 0;
    for (size_t i = 0; i <= rest.n && n < ARRAY_LEN(texts); i++) {
        if (i < rest.n && rest.p[i] == '{') depth++;
        if (i < rest.n && rest.p[i] == '}') depth--;
        if (i < rest.n && (rest.p[i] != '|' || depth > 0)) continue;
        buf *t = sql_buf(b->a);
        expand(b, x, str_n(rest.p + from, i - from), t);
        texts[n++] = sql_keep(b->a, t);
        from = i + 1;
    }
    if (arg < x->n) lambda_text(b, x->child[arg], texts, n, out);
}

static void emit_type_word(struct binder *b, struct bx *x, str word, buf *out) {
    const struct sql_type *t = x->type;
    ptrdiff_t colon = str_chr(word, ':', 0);
    if (colon >= 0) {
        int64_t i;
        if (str_to_i64(str_from(word, (size_t)colon + 1), &i) && i >= 0 && (size_t)i < x->n)
            t = x->child[i]->type;
        word = str_cut(word, (size_t)colon);
    }
    if (str_eqz(word, "type")) {
        sql_type_write_duckdb(t, out);
        return;
    }
    buf *j = sql_buf(b->a);
    if (str_eqz(word, "spark"))
        sql_type_write_json(t, j);
    else
        sql_type_write(t, j);
    sql_quote(out, buf_view(j));
}

static void emit_word(struct binder *b, struct bx *x, str word, buf *out) {
    struct sql_env *env = b->env;
    if (str_eqz(word, "*")) {
        emit_args(b, x, 0, out);
    } else if (str_eqz(word, "#")) {
        buf_fmt(out, "%u", x->id);
    } else if (str_eqz(word, "tz")) {
        sql_quote(out, env->time_zone.n ? env->time_zone : STR("UTC"));
    } else if (str_eqz(word, "user")) {
        sql_quote(out, env->user);
    } else if (str_eqz(word, "now")) {
        buf_fmt(out, "make_timestamptz(%lld)", (long long)env->now_us);
    } else if (str_eqz(word, "ansi")) {
        buf_z(out, env->ansi ? "true" : "false");
    } else if (str_eqz(word, "d")) {
        if (x->distinct) buf_z(out, "DISTINCT ");
    } else if (str_eqz(word, "o")) {
        emit_order(b, x->order, x->n_order, out);
    } else if (str_eqz(word, "i")) {
        if (x->ignore_nulls && x->kind == BX_WIN) buf_z(out, " IGNORE NULLS");
    } else if (str_eqz(word, "n")) {
        if (x->kind == BX_WIN) buf_z(out, " IGNORE NULLS");
    } else if (str_eqz(word, "w")) {
        emit_after(b, x, false, out);
    } else if (str_eqz(word, "f")) {
        emit_after(b, x, !(x->kind == BX_WIN && str_find(x->text, STR("{n}")) >= 0), out);
    } else if (str_eqz(word, "q")) {
        if (x->query) emit_query(b, x->query, out);
    } else {
        emit_type_word(b, x, word, out);
    }
}

static void expand(struct binder *b, struct bx *x, str t, buf *out) {
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if ((c == '{' || c == '}') && i + 1 < t.n && t.p[i + 1] == c) {
            buf_c(out, c);
            i++;
            continue;
        }
        if (c != '{') {
            buf_c(out, c);
            continue;
        }
        size_t end = closing(t, i);
        str word = str_n(t.p + i + 1, end - i - 1);
        i = end;
        if (word.n == 0 || word.p[0] < '0' || word.p[0] > '9') {
            emit_word(b, x, word, out);
            continue;
        }
        size_t arg = 0, j = 0;
        while (j < word.n && word.p[j] >= '0' && word.p[j] <= '9' && arg < 1000000)
            arg = arg * 10 + (size_t)(word.p[j++] - '0');
        if (j < word.n && word.p[j] == '*') {
            emit_args(b, x, arg, out);
        } else if (j < word.n && word.p[j] == '|') {
            apply_lambda(b, x, arg, str_from(word, j + 1), out);
        } else if (arg < x->n) {
            emit_child(b, x->child[arg], out);
        } else {
            buf_z(out, "NULL");
        }
    }
}

/* An aggregate's template without {w}: DISTINCT, ORDER BY and FILTER go where SQL wants them. */
static void expand_call(struct binder *b, struct bx *x, buf *out) {
    ptrdiff_t open = str_chr(x->text, '(', 0);
    if (open < 0 || x->text.p[x->text.n - 1] != ')') {
        expand(b, x, x->text, out);
        return;
    }
    expand(b, x, str_cut(x->text, (size_t)open + 1), out);
    if (x->distinct) buf_z(out, "DISTINCT ");
    expand(b, x, str_n(x->text.p + open + 1, x->text.n - (size_t)open - 2), out);
    emit_order(b, x->order, x->n_order, out);
    if (x->ignore_nulls && x->kind == BX_WIN) buf_z(out, " IGNORE NULLS");
    buf_c(out, ')');
    emit_after(b, x, false, out);
}

void emit_expr(struct binder *b, struct bx *x, buf *out) {
    switch (x->kind) {
    case BX_LIT: emit_literal(b, x->type, x->text, out); return;
    case BX_COL: emit_column(b, x, out); return;
    case BX_VAR:
        for (struct vtext *v = b->vtexts; v; v = v->next)
            if (v->var == x->id) {
                buf_str(out, v->text);
                return;
            }
        buf_z(out, "NULL");
        return;
    case BX_LAMBDA: emit_lambda(b, x, out); return;
    case BX_AGG:
    case BX_WIN:
        if (str_find(x->text, STR("{w}")) >= 0 || str_find(x->text, STR("{f}")) >= 0)
            expand(b, x, x->text, out);
        else
            expand_call(b, x, out);
        return;
    default: expand(b, x, x->text, out); return;
    }
}
