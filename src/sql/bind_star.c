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

static bool name_matches(const struct ast *name, const struct scol *sc, const struct ast *qual, bool *whole) {
    (void)qual;
    size_t n = name->n;
    if (!str_ieq(name->child[n - 1]->text, sc->name)) return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (i >= 3 || !str_ieq(sc->qual[i], name->child[n - 2 - i]->text)) return false;
    *whole = true;
    return true;
}

static bool excepted(const struct ast *list, const struct scol *sc, bool *seen) {
    bool whole;
    for (uint32_t i = 0; list && i < list->n; i++)
        if (name_matches(list->child[i], sc, NULL, &whole)) {
            seen[i] = true;
            return true;
        }
    return false;
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
    for (size_t i = 0; i < x->type->n; i++) {
        bool skip = false;
        for (uint32_t k = 0; except && k < except->n; k++) skip |= str_ieq(except->child[k]->child[except->child[k]->n - 1]->text, x->type->fields[i].name);
        if (skip) continue;
        struct bx *f;
        TRY(bind_field(c, x, x->type->fields[i].name, star, &f));
        items_add(c->b, it, f, x->type->fields[i].name, false);
    }
    return NULL;
}

err *bind_star(struct cx *c, const struct ast *star, struct items *it) {
    struct binder *b = c->b;
    const struct ast *qual = ast_get(star, SLOT_QUALIFIER), *except = ast_get(star, SLOT_EXCEPT), *replace = ast_get(star, SLOT_REPLACE);
    struct scope *s = c->s;
    bool *seen = arena_array_of(b->a, bool, (except ? except->n : 0) + 1);
    size_t before = it->n, taken = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct scol *sc = &s->cols[i];
        if (!star_takes(sc, qual)) continue;
        taken++;
        if (excepted(except, sc, seen)) continue;
        const struct ast *r = replaced(replace, sc->name);
        struct bx *x = star_column(b, sc);
        if (r) TRY(bind_expr(c, r, &x));
        items_add(b, it, x, sc->name, r != NULL);
    }
    if (taken == 0 && qual) {
        bool done;
        TRY(struct_star(c, star, qual, it, &done));
        if (done) return NULL;
        return sql_error("CANNOT_RESOLVE_STAR_EXPAND", star, b->text, "targetString", ident_name(b, qual).p, "columns", "", NULL);
    }
    (void)before;
    for (uint32_t i = 0; except && i < except->n; i++)
        if (!seen[i])
            return sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", except->child[i], b->text, "objectName", ident_name(b, except->child[i]).p, NULL);
    if (taken == 0)
        return sql_error("INVALID_USAGE_OF_STAR_OR_REGEX", star, b->text, "elem", "'*'", "prettyName", "query without FROM", NULL);
    return NULL;
}

static str item_name(struct binder *b, const struct ast *n, const struct bx *x) {
    if (n->kind == AST_COLUMN && n->child[0]->kind == AST_NAME) return n->child[0]->child[n->child[0]->n - 1]->text;
    if (n->kind == AST_PATH) {
        /* v:a.b is called b. */
        str p = n->text;
        size_t at = p.n;
        while (at > 0 && p.p[at - 1] != '.' && p.p[at - 1] != ']') at--;
        return at < p.n && at > 0 ? str_from(p, at) : p;
    }
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

static err *bind_item(struct cx *c, const struct ast *n, struct items *it) {
    struct binder *b = c->b;
    struct bx *x;
    if (n->kind == AST_STAR) return bind_star(c, n, it);
    bool alias = n->kind == AST_ALIAS;
    const struct ast *names = alias ? ast_get(n, SLOT_NAMES) : NULL;
    struct cx ic = *c;
    if ((alias ? n->child[0] : n)->kind != AST_CALL) ic.gen_ok = false;
    TRY(bind_expr(&ic, alias ? n->child[0] : n, &x));
    if (x->kind == BX_GEN) {
        size_t k = names ? names->n : alias ? 1 : 0;
        if (k && k != x->gen->n)
            return sql_error("UDTF_ALIAS_NUMBER_MISMATCH", n, b->text, "aliasesSize", arena_printf(b->a, "%zu", x->gen->n), "aliasesNames",
                             alias ? arena_printf(b->a, "%.*s", STR_ARG(n->text)) : "", NULL);
        x->names = k ? arena_array_of(b->a, str, k) : NULL;
        for (size_t i = 0; i < k; i++) x->names[i] = names ? names->child[i]->text : n->text;
    } else if (names) {
        return sql_error("MULTI_ALIAS_WITHOUT_GENERATOR", n, b->text, "expr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), "names", "", NULL);
    }
    bool named = alias && n->text.n;
    str name = named ? n->text : item_name(b, n, x);
    items_add(b, it, x, name, named);
    if (named && c->s->lateral_alias && x->kind != BX_GEN) lateral(c, x, name);
    return NULL;
}

err *bind_items(struct cx *c, const struct ast *list, struct items *it) {
    for (uint32_t i = 0; i < list->n; i++) TRY(bind_item(c, list->child[i], it));
    return NULL;
}
