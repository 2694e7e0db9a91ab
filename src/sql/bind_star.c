/* SPDX-License-Identifier: Apache-2.0 */
/* Select lists: items with their names, stars with EXCEPT and REPLACE, and the aliases that later items see. */
#include "sql/bind.h"

void items_add(struct binder *b, struct items *it, struct bx *x, str name, bool aliased) {
    if (it->n == it->cap) {
        size_t cap = it->cap ? it->cap * 2 : 16;
        struct bx **xs = arena_array_of(b->a, struct bx *, cap);
        str *names = arena_array_of(b->a, str, cap), *comments = arena_array_of(b->a, str, cap);
        bool *al = arena_array_of(b->a, bool, cap);
        if (it->n) {
            memcpy(xs, it->x, it->n * sizeof *xs);
            memcpy(names, it->name, it->n * sizeof *names);
            memcpy(comments, it->comment, it->n * sizeof *comments);
            memcpy(al, it->aliased, it->n * sizeof *al);
        }
        it->x = xs;
        it->name = names;
        it->comment = comments;
        it->aliased = al;
        it->cap = cap;
    }
    it->x[it->n] = x;
    it->name[it->n] = name;
    it->aliased[it->n] = aliased;
    if (x->kind == BX_COL) it->comment[it->n] = x->rel->cols[x->col].comment;
    it->n++;
}

/* How many parts of an EXCEPT name say this column; 0: another one. What follows are fields of it. */
static size_t name_covers(const struct ast *name, const struct scol *sc) {
    for (size_t k = name->n > 4 ? 4 : name->n; k > 0; k--) {
        if (!str_ieq(name->child[k - 1]->text, sc->name)) continue;
        bool ok = true;
        for (size_t i = 0; i + 1 < k && ok; i++) ok = str_ieq(sc->qual[i], name->child[k - 2 - i]->text);
        if (ok) return k;
    }
    return 0;
}

static const char *dotted(struct binder *b, const struct ast *list) {
    buf *o = sql_buf(b->a);
    for (uint32_t i = 0; i < list->n; i++) {
        if (i) buf_z(o, ", ");
        for (uint32_t k = 0; k < list->child[i]->n; k++) buf_fmt(o, "%s%.*s", k ? "." : "", STR_ARG(list->child[i]->child[k]->text));
    }
    buf_c(o, 0);
    return o->p;
}

/* One name of EXCEPT as it meets a column: which part of the name is the next field. */
struct cut {
    const struct ast *name;
    size_t at;
};

/* x without what the names take out of it; *ret NULL: nothing is left of it. */
static err *cut_fields(struct cx *c, const struct ast *list, struct bx *x, const struct cut *cuts, size_t n, int depth, struct bx **ret) {
    struct binder *b = c->b;
    *ret = NULL;
    for (size_t i = 0; i < n; i++)
        if (cuts[i].at == cuts[i].name->n) {
            if (n > 1) return sql_error("EXCEPT_OVERLAPPING_COLUMNS", list, b->text, "columns", dotted(b, list), NULL);
            return NULL;
        }
    const struct sql_type *t = x->type;
    if (t->kind != TY_STRUCT || depth > 50) {
        struct bx *field;
        return bind_field(c, x, cuts[0].name->child[cuts[0].at]->text, cuts[0].name, &field);
    }
    for (size_t i = 0; i < n; i++) {
        struct bx *field;
        TRY(bind_field(c, x, cuts[i].name->child[cuts[i].at]->text, cuts[i].name, &field));
    }
    struct cut *inner = arena_array_of(b->a, struct cut, n + 1);
    struct sql_field *to = arena_array_of(b->a, struct sql_field, t->n + 1);
    struct bx **kept = arena_array_of(b->a, struct bx *, t->n + 1);
    size_t k = 0;
    buf *o = sql_buf(b->a);
    for (size_t f = 0; f < t->n; f++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++)
            if (str_ieq(cuts[i].name->child[cuts[i].at]->text, t->fields[f].name)) inner[m++] = (struct cut){cuts[i].name, cuts[i].at + 1};
        struct bx *field;
        TRY(bind_field(c, x, t->fields[f].name, list, &field));
        if (m) TRY(cut_fields(c, list, field, inner, m, depth + 1, &field));
        if (!field) continue;
        buf_fmt(o, "%s'f%zu': {%zu}", k ? ", " : "", k, k);
        to[k] = t->fields[f];
        to[k].type = field->type;
        kept[k++] = field;
    }
    str text = k ? sql_fmt(b->a, "{{%.*s}}", STR_ARG(buf_view(o))) : STR("{{'f0': NULL}}");
    *ret = bx_tmpl(b, sql_struct(b->a, to, k), text, tmpl_text(b, caption_of(b, x)), kept, k);
    return NULL;
}

/* What EXCEPT leaves of a column; *ret NULL: nothing. */
static err *excepted(struct cx *c, const struct ast *list, const struct scol *sc, struct bx *x, bool *seen, struct bx **ret) {
    struct cut *cuts = arena_array_of(c->b->a, struct cut, (list ? list->n : 0) + 1);
    size_t n = 0;
    *ret = x;
    for (uint32_t i = 0; list && i < list->n; i++) {
        size_t k = name_covers(list->child[i], sc);
        if (!k) continue;
        seen[i] = true;
        cuts[n++] = (struct cut){list->child[i], k};
    }
    return n ? cut_fields(c, list, x, cuts, n, 0, ret) : NULL;
}

static const struct ast *replaced(const struct ast *list, str name) {
    for (uint32_t i = 0; list && i < list->n; i++)
        if (str_ieq(list->child[i]->text, name)) return list->child[i]->child[0];
    return NULL;
}

static bool star_takes(const struct scol *sc, const struct ast *qual) {
    if (sc->metadata) return false;
    if (!qual) return !sc->hidden;
    for (uint32_t i = 0; i < qual->n; i++)
        if (i >= 3 || !str_ieq(sc->qual[i], qual->child[qual->n - 1 - i]->text)) return false;
    return true;
}

static struct bx *star_column(struct binder *b, const struct scol *sc) {
    if (!sc->x) return bx_col(b, sc->rel, sc->col, sc->name);
    struct bx *x = arena_new_of(b->a, struct bx);
    *x = *sc->x;
    x->cap = x->kind == BX_TMPL ? tmpl_text(b, sc->name) : sc->name;
    return x;
}

/* s.* of a struct column. */
static err *struct_star(struct cx *c, const struct ast *star, const struct ast *qual, struct items *it, bool *done) {
    struct bx *x;
    struct ast *col = ast_new(c->b->a, AST_COLUMN, star->pos, star->end);
    ast_add(c->b->a, col, (struct ast *)(uintptr_t)qual);
    err *e = bind_column(c, col, &x);
    *done = false;
    if (e) {
        err_free(e);
        return NULL;
    }
    if (x->type->kind != TY_STRUCT) return NULL;
    *done = true;
    const struct ast *except = ast_get(star, SLOT_EXCEPT);
    bool *seen = arena_array_of(c->b->a, bool, (except ? except->n : 0) + 1);
    for (size_t i = 0; i < x->type->n; i++) {
        struct bx *f;
        TRY(bind_field(c, x, x->type->fields[i].name, star, &f));
        TRY(excepted(c, except, &(struct scol){.name = x->type->fields[i].name}, f, seen, &f));
        if (f) items_add(c->b, it, f, x->type->fields[i].name, false);
    }
    for (uint32_t i = 0; except && i < except->n; i++)
        if (!seen[i]) return unresolved_column(c, except->child[i]);
    return NULL;
}

/* The column as an expression that names it with all its qualifiers. */
static struct ast *named_column(struct binder *b, const struct ast *star, const struct scol *sc) {
    str parts[4];
    size_t m = 0;
    for (size_t q = 3; q-- > 0;)
        if (sc->qual[q].n && !sc->x) parts[m++] = sc->qual[q];
    parts[m++] = sc->name;
    struct ast *col = ast_new(b->a, AST_COLUMN, star->pos, star->end), *name = ast_name(b->a, parts, m);
    name->pos = star->pos;
    name->end = star->end;
    ast_add(b->a, col, name);
    return col;
}

/* The columns of stars among a call's arguments, written out; the call itself where it has none. */
bool star_of_table(struct cx *c, const struct ast *qualifier) {
    for (size_t i = 0; i < c->s->n; i++)
        if (star_takes(&c->s->cols[i], qualifier)) return true;
    return false;
}

const struct ast *star_arguments(struct cx *c, const struct ast *n) {
    bool any = false;
    for (uint32_t i = 0; i < n->n; i++) any |= n->child[i]->kind == AST_STAR;
    if (!any) return n;
    struct binder *b = c->b;
    struct ast *out = arena_new_of(b->a, struct ast);
    *out = *n;
    out->child = NULL;
    out->n = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct ast *star = n->child[i], *qual = ast_get(star, SLOT_QUALIFIER), *except = ast_get(star, SLOT_EXCEPT);
        if (star->kind != AST_STAR) {
            ast_add(b->a, out, n->child[i]);
            continue;
        }
        bool taken = false;
        for (size_t k = 0; k < c->s->n; k++) {
            const struct scol *sc = &c->s->cols[k];
            bool take = star_takes(sc, qual);
            for (uint32_t j = 0; except && take && j < except->n; j++) take = name_covers(except->child[j], sc) != except->child[j]->n;
            if (!take) continue;
            ast_add(b->a, out, named_column(b, star, sc));
            taken = true;
        }
        /* t.* of an enclosing query's t */
        for (struct scope *up = c->s->outer; qual && !taken && up; up = up->outer)
            for (size_t k = 0; k < up->n; k++)
                if (star_takes(&up->cols[k], qual)) ast_add(b->a, out, named_column(b, star, &up->cols[k])), taken = true;
    }
    return out;
}

/* t.* where t stands in an enclosing query's FROM; * of a query without FROM inside one that has it (LATERAL). */
static err *outer_star(struct cx *c, const struct ast *star, struct items *it, bool *done) {
    const struct ast *qual = ast_get(star, SLOT_QUALIFIER), *except = ast_get(star, SLOT_EXCEPT), *replace = ast_get(star, SLOT_REPLACE);
    *done = false;
    if (except || replace || (!qual && c->s->n)) return NULL;
    for (struct scope *up = c->s->outer; up && !*done; up = up->outer)
        for (size_t i = 0; i < up->n; i++) {
            struct bx *x;
            if (!star_takes(&up->cols[i], qual)) continue;
            TRY(bind_expr(c, named_column(c->b, star, &up->cols[i]), &x));
            items_add(c->b, it, x, up->cols[i].name, false);
            *done = true;
        }
    return NULL;
}

err *bind_star(struct cx *c, const struct ast *star, struct items *it) {
    struct binder *b = c->b;
    const struct ast *qual = ast_get(star, SLOT_QUALIFIER), *except = ast_get(star, SLOT_EXCEPT), *replace = ast_get(star, SLOT_REPLACE);
    struct scope *s = c->s;
    bool *seen = arena_array_of(b->a, bool, (except ? except->n : 0) + 1);
    size_t taken = 0, found = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct scol *sc = &s->cols[i];
        if (!star_takes(sc, qual)) continue;
        taken++;
        const struct ast *r = replaced(replace, sc->name);
        struct bx *x;
        TRY(excepted(c, except, sc, star_column(b, sc), seen, &x));
        if (!x) continue;
        if (r) found++;
        if (r) TRY(bind_expr(c, r, &x));
        items_add(b, it, x, sc->name, r != NULL);
    }
    if (taken == 0 && qual) {
        bool done;
        TRY(struct_star(c, star, qual, it, &done));
        if (!done) TRY(outer_star(c, star, it, &done));
        if (done) return NULL;
        return sql_error("CANNOT_RESOLVE_STAR_EXPAND", star, b->text, "targetString", ident_name(b, qual).p, "columns", "", NULL);
    }
    for (uint32_t i = 0; except && i < except->n; i++)
        if (!seen[i]) return unresolved_column(c, except->child[i]);
    for (uint32_t i = 0; replace && found < replace->n && i < replace->n; i++) {
        bool there = false;
        for (size_t k = 0; k < s->n; k++) there |= star_takes(&s->cols[k], qual) && str_ieq(s->cols[k].name, replace->child[i]->text);
        if (there) continue;
        struct ast *name = ast_name(b->a, &replace->child[i]->text, 1);
        name->pos = replace->child[i]->pos;
        name->end = replace->child[i]->end;
        return unresolved_column(c, name);
    }
    if (taken == 0 && !except && !replace) {
        bool done;
        TRY(outer_star(c, star, it, &done));
        if (done) return NULL;
    }
    if (taken == 0)
        return sql_error("INVALID_USAGE_OF_STAR_OR_REGEX", star, b->text, "elem", "'*'", "prettyName", "query without FROM", NULL);
    return NULL;
}

/* v:a.b is called b, v:a['b c'][0] is called b c. */
str bind_path_name(str p) {
    while (p.n && p.p[p.n - 1] == ']') {
        size_t at = p.n - 1;
        while (at > 0 && p.p[at] != '[') at--;
        str in = str_n(p.p + at + 1, p.n - at - 2);
        if (in.n > 1 && (in.p[0] == '\'' || in.p[0] == '"')) return str_n(in.p + 1, in.n - 2);
        if (at == 0) return p;
        p = str_cut(p, at);
    }
    size_t at = p.n;
    if (p.n > 1 && p.p[p.n - 1] == '`') {
        for (at = p.n - 1; at > 0 && p.p[at - 1] != '`';) at--;
        return str_n(p.p + at, p.n - at - 1);
    }
    while (at > 0 && p.p[at - 1] != '.' && p.p[at - 1] != ']') at--;
    return str_from(p, at);
}

/* A cast of a column, or of a path of a variant, is called as that is. */
static const struct ast *under_cast(const struct ast *n, const struct bx *x) {
    static const char *const types[] = {"boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "date", "timestamp", "string", "binary", "time"};
    const struct ast *name = n->kind == AST_CALL && n->n == 1 ? ast_get(n, SLOT_NAME) : NULL;
    bool cast = n->kind == AST_CAST && n->n;
    for (size_t i = 0; name && name->kind == AST_NAME && name->n == 1 && i < ARRAY_LEN(types); i++) cast |= str_ieq(name->child[0]->text, str_of(types[i]));
    if (!cast) return NULL;
    const struct ast *in = n->child[0];
    if (in->kind == AST_PATH) return in;
    if (in->kind != AST_COLUMN || in->child[0]->kind != AST_NAME) return NULL;
    while (x->kind == BX_TMPL && x->n == 1) x = x->child[0];
    const struct ast *last = in->child[0]->child[in->child[0]->n - 1];
    return x->kind == BX_COL && str_ieq(x->cap, last->text) ? in : NULL; /* not a field of a struct */
}

static str item_name(struct binder *b, const struct ast *n, const struct bx *x) {
    const struct ast *in = under_cast(n, x);
    if (in) n = in;
    if (n->kind == AST_COLUMN && n->child[0]->kind == AST_NAME) return n->child[0]->child[n->child[0]->n - 1]->text;
    if (n->kind == AST_PATH) return bind_path_name(n->text);
    return caption_of(b, x);
}

static void lateral(struct cx *c, struct bx *x, str name) {
    struct scope *s = c->s;
    struct bx **xs = arena_array_of(c->b->a, struct bx *, s->n_alias + 1);
    str *names = arena_array_of(c->b->a, str, s->n_alias + 1);
    if (s->n_alias) {
        memcpy(xs, s->alias_x, s->n_alias * sizeof *xs);
        memcpy(names, s->alias, s->n_alias * sizeof *names);
    }
    xs[s->n_alias] = x;
    names[s->n_alias++] = name;
    s->alias_x = xs;
    s->alias = names;
}

/* Names of a list, with this between them. */
static const char *list_names(struct binder *b, const struct ast *names, const char *between) {
    buf *o = sql_buf(b->a);
    for (uint32_t i = 0; i < names->n; i++) buf_fmt(o, "%s%.*s", i ? between : "", STR_ARG(names->child[i]->text));
    buf_c(o, 0);
    return o->p;
}

static err *bind_item(struct cx *c, const struct ast *n, struct items *it) {
    struct binder *b = c->b;
    struct bx *x;
    if (n->kind == AST_STAR) return bind_star(c, n, it);
    bool alias = n->kind == AST_ALIAS;
    const struct ast *names = alias ? ast_get(n, SLOT_NAMES) : NULL;
    struct cx ic = *c;
    if ((alias ? n->child[0] : n)->kind != AST_CALL) ic.gen_ok = false;
    TRY(bind_generator(&ic, alias ? n->child[0] : n, &x));
    if (x->kind == BX_GEN) {
        size_t k = names ? names->n : alias ? 1 : 0;
        if (k && k != x->gen->n)
            return sql_error("UDTF_ALIAS_NUMBER_MISMATCH", n, b->text, "aliasesSize", arena_printf(b->a, "%zu", x->gen->n), "aliasesNames",
                             names ? list_names(b, names, ",") : alias ? arena_printf(b->a, "%.*s", STR_ARG(n->text)) : "", NULL);
        x->names = k ? arena_array_of(b->a, str, k) : NULL;
        for (size_t i = 0; i < k; i++) x->names[i] = names ? names->child[i]->text : n->text;
    } else if (names) {
        return sql_error("MULTI_ALIAS_WITHOUT_GENERATOR", n, b->text, "expr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), "names", list_names(b, names, ", "), NULL);
    }
    bool named = alias && n->text.n;
    str name = named ? n->text : item_name(b, n, x);
    items_add(b, it, x, name, named);
    bool field = n->kind == AST_COLUMN && x->kind == BX_TMPL; /* a.b is called b */
    if ((named || field) && c->s->lateral_alias && x->kind != BX_GEN) lateral(c, x, name);
    return NULL;
}

err *bind_items(struct cx *c, const struct ast *list, struct items *it) {
    for (uint32_t i = 0; i < list->n; i++) TRY(bind_item(c, list->child[i], it));
    return NULL;
}
