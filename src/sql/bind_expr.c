/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions: names found in scopes, and the dispatch to the files of the other kinds.
 *
 * A name means, in this order: a lambda's parameter or a function's; a column of FROM; an alias earlier in the same
 * select list; a column of an enclosing query; a session variable; a function that is written without parentheses.
 */
#include "sql/bind.h"

#include <stdlib.h>

/* ---- names in scopes ---- */

static bool col_matches(const struct scol *c, struct ast *const *p, size_t k) {
    if (!str_ieq(c->name, p[k]->text)) return false;
    if (k == 0) return !c->hidden;
    for (size_t i = 0; i < k; i++)
        if (!str_ieq(c->qual[i], p[k - 1 - i]->text)) return false;
    return true;
}

static int by_text(const void *x, const void *y) { return str_cmp(*(const str *)x, *(const str *)y); }

static err *ambiguous(struct binder *b, const struct ast *name, const struct scope *s, size_t k) {
    buf *o = sql_buf(b->a);
    str *list = arena_array_of(b->a, str, s->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!col_matches(&s->cols[i], name->child, k)) continue;
        buf *one = sql_buf(b->a);
        for (size_t q = 3; q-- > 0;)
            if (s->cols[i].qual[q].n) buf_fmt(one, "`%.*s`.", STR_ARG(s->cols[i].qual[q]));
        buf_fmt(one, "`%.*s`", STR_ARG(s->cols[i].name));
        list[n++] = buf_view(one);
    }
    qsort(list, n, sizeof *list, by_text);
    for (size_t i = 0; i < n; i++) buf_fmt(o, "%s%.*s", i ? ", " : "[", STR_ARG(list[i]));
    buf_z(o, "]");
    buf_c(o, 0);
    return sql_error("AMBIGUOUS_REFERENCE", name, b->text, "name", ident_name(b, name).p, "referenceNames",
                     o->p, NULL);
}

/* The column of this scope that the first parts name; *ret_used: how many parts. */
static err *find_col(struct binder *b, struct scope *s, const struct ast *name, const struct scol **ret,
                     size_t *ret_used) {
    *ret = NULL;
    size_t k = name->n - 1 > 3 ? 3 : name->n - 1;
    for (;; k--) {
        for (size_t i = 0; i < s->n; i++) {
            if (!col_matches(&s->cols[i], name->child, k)) continue;
            if (*ret && ((*ret)->rel != s->cols[i].rel || (*ret)->col != s->cols[i].col))
                return ambiguous(b, name, s, k);
            *ret = &s->cols[i];
        }
        if (*ret) {
            *ret_used = k + 1;
            return NULL;
        }
        if (k == 0) return NULL;
    }
}

static void outer_add(struct binder *b, struct bx *sub, struct bx *x) {
    struct bx **more = arena_array_of(b->a, struct bx *, sub->n_outers + 1);
    if (sub->n_outers) memcpy(more, sub->outers, sub->n_outers * sizeof *more);
    more[sub->n_outers++] = x;
    sub->outers = more;
}

static str part_name(const struct ast *name, size_t i) { return name->child[i]->text; }

static struct bx *col_node(struct binder *b, const struct scol *sc, str as, const struct ast *at) {
    struct bx *x;
    if (sc->x) {
        x = arena_new_of(b->a, struct bx);
        *x = *sc->x;
        x->cap = as;
        if (x->kind == BX_TMPL) x->cap = tmpl_text(b, as);
    } else {
        x = bx_col(b, sc->rel, sc->col, as);
    }
    x->ast = at;
    return x;
}

/* A lambda's parameter in this scope, or a function's: those stand for its arguments, and `function.parameter` is one too. */
static bool find_var(struct cx *c, const struct scope *s, const struct ast *name, struct bx **ret, size_t *used) {
    for (struct lvar *v = s->vars; v; v = v->next) {
        bool owned = v->x && v->owner.n && name->n > 1 && str_ieq(v->owner, part_name(name, 0)) && str_ieq(v->name, part_name(name, 1));
        if (!owned && !str_ieq(v->name, part_name(name, 0))) continue;
        *used = owned ? 2 : 1;
        if (v->x) {
            *ret = v->x;
            return true;
        }
        struct bx *x = bx_new(c->b, BX_VAR, v->type);
        x->id = v->var;
        x->nullable = v->nullable;
        x->cap = STR("namedlambdavariable()");
        *ret = x;
        return true;
    }
    return false;
}

static err *find_alias(struct cx *c, struct scope *s, const struct ast *name, struct bx **ret) {
    *ret = NULL;
    for (size_t i = 0; i < s->n_alias; i++) {
        if (!str_ieq(s->alias[i], part_name(name, 0))) continue;
        if (*ret && !s->lateral_alias) break; /* GROUP BY takes the first */
        if (*ret && !bx_eq(*ret, s->alias_x[i]))
            return sql_error("AMBIGUOUS_LATERAL_COLUMN_ALIAS", name, c->b->text, "name",
                             ident_name(c->b, name).p, "n", "2", NULL);
        *ret = s->alias_x[i];
    }
    if (*ret && s->lateral_alias) {
        struct bx *x = bx_tmpl(c->b, (*ret)->type, STR("{0}"), STR(""), ret, 1);
        x->cap = tmpl_text(c->b, sql_fmt(c->b->a, "lateralAliasReference(%.*s)", STR_ARG(part_name(name, 0))));
        *ret = x;
    }
    return NULL;
}

static bool is_key(const struct bq *q, const struct bx *x) {
    for (size_t i = 0; i < q->n_keys; i++)
        if (bx_eq(q->keys[i], x)) return true;
    return false;
}

/* How many items of the list above are called this; of several that are the same the first counts. */
static size_t named_items(const struct scope *s, str name, struct bx **ret) {
    size_t n = 0;
    *ret = NULL;
    for (size_t i = 0; i < s->n_alias; i++) {
        if (!str_ieq(s->alias[i], name)) continue;
        if (*ret && bx_eq(*ret, s->alias_x[i])) continue;
        if (!*ret) *ret = s->alias_x[i];
        n++;
    }
    return n;
}

static err *ambiguous_items(struct cx *c, const struct scope *s, const struct ast *name) {
    struct binder *b = c->b;
    const struct bq *q = s->above;
    if (s->having || !q->aggregated) {
        buf *o = sql_buf(b->a);
        for (size_t i = 0, k = 0; i < s->n_alias; i++)
            if (str_ieq(s->alias[i], part_name(name, 0))) buf_fmt(o, "%s`%.*s`", k++ ? ", " : "[", STR_ARG(s->alias[i]));
        buf_z(o, "]");
        buf_c(o, 0);
        return sql_error("AMBIGUOUS_REFERENCE", name, b->text, "name", ident_name(b, name).p, "referenceNames", o->p, NULL);
    }
    return unresolved_above(b, q, name);
}

/* A name in HAVING or ORDER BY. HAVING takes what is grouped by before the list's names; ORDER BY takes the list's names
 * first, and a column of FROM where those do not have what is asked of them. */
static err *in_scope_above(struct cx *c, struct scope *s, const struct ast *name, struct bx **ret, size_t *used) {
    const struct scol *sc;
    struct bx *col = NULL, *item;
    size_t col_used = 0;
    err *e = find_col(c->b, s, name, &sc, &col_used);
    if (!e && sc) col = col_node(c->b, sc, part_name(name, col_used - 1), name);
    size_t n = named_items(s, part_name(name, 0), &item);
    *used = col_used;
    *ret = col;
    bool key = col && (s->above->aggregated ? is_key(s->above, col) : !s->having);
    if ((s->having && key) || n == 0) return e;
    err_free(e);
    if (n > 1) return key ? NULL : ambiguous_items(c, s, name);
    if (col && name->n > 1 && col_used < name->n) {
        struct bx *x = item;
        err *bad = NULL;
        for (size_t i = 1; i < name->n && !bad; i++) bad = bind_field(c, x, part_name(name, i), name, &x);
        if (bad) {
            err_free(bad);
            return NULL;
        }
    } else if (col && name->n > 1) {
        return NULL; /* t.a is the column a of t, whatever the list calls t */
    }
    *ret = item;
    *used = 1;
    return NULL;
}

static err *in_scope(struct cx *c, struct scope *s, const struct ast *name, struct bx **ret, size_t *used) {
    const struct scol *sc;
    *ret = NULL;
    if (s->above && !c->in_agg) return in_scope_above(c, s, name, ret, used);
    TRY(find_col(c->b, s, name, &sc, used));
    if (sc) {
        *ret = col_node(c->b, sc, part_name(name, *used - 1), name);
        return NULL;
    }
    TRY(find_alias(c, s, name, ret));
    *used = 1;
    return NULL;
}

static size_t distance(str x, str y) {
    size_t row[257], n = y.n > 256 ? 256 : y.n;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; i <= x.n; i++) {
        size_t diag = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t up = row[j], best = diag + (x.p[i - 1] != y.p[j - 1]);
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diag = up;
            row[j] = best;
        }
    }
    return row[n];
}

struct near {
    size_t d;
    str text;
};
static int nearer(const void *x, const void *y) {
    const struct near *a = x, *b = y;
    if (a->d != b->d) return a->d < b->d ? -1 : 1;
    return str_cmp(a->text, b->text);
}

static bool same_qualifiers(const struct scope *s, size_t from) {
    const struct scol *first = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct scol *c = &s->cols[i];
        if (c->metadata || c->hidden) continue;
        if (!first) first = c;
        for (size_t q = from; q < 3; q++)
            if (!str_ieq(c->qual[q], first->qual[q])) return false;
    }
    return true;
}

/* The names in sight, nearest first, with as many qualifiers as tell them apart. */
static str proposal(struct binder *b, const struct scope *s, const struct ast *name) {
    size_t quals = name->n == 1 && same_qualifiers(s, 0) ? 0 : name->n <= 2 && same_qualifiers(s, 1) ? 1 : 3, n = 0;
    struct near *order = arena_array_of(b->a, struct near, s->n + 1);
    buf *o = sql_buf(b->a), *said = sql_buf(b->a);
    for (uint32_t i = 0; i < name->n; i++) buf_fmt(said, "%s%.*s", i ? "." : "", STR_ARG(name->child[i]->text));
    for (size_t i = 0; i < s->n && i < 500; i++) {
        const struct scol *sc = &s->cols[i];
        if (sc->metadata || sc->hidden) continue;
        buf *one = sql_buf(b->a);
        for (size_t q = quals; q-- > 0;)
            if (sc->qual[q].n) buf_fmt(one, "`%.*s`.", STR_ARG(sc->qual[q]));
        buf_fmt(one, "`%.*s`", STR_ARG(sc->name));
        order[n].text = buf_view(one);
        order[n].d = distance(buf_view(one), buf_view(said));
        n++;
    }
    if (n) qsort(order, n, sizeof *order, nearer);
    for (size_t i = 0; i < n && i < 5; i++) buf_fmt(o, "%s%.*s", i ? ", " : "", STR_ARG(order[i].text));
    buf_c(o, 0);
    return n ? str_of(o->p) : STR("");
}

err *unresolved_above(struct binder *b, const struct bq *q, const struct ast *name) {
    struct scope s = {.level = 0};
    for (size_t i = 0; i < q->n; i++) {
        struct scol c = {.name = q->cols[i].name};
        if (q->cols[i].qual) memcpy(c.qual, q->cols[i].qual, sizeof(c.qual));
        scope_add(b, &s, c);
    }
    return sql_error("UNRESOLVED_COLUMN.WITH_SUGGESTION", name, b->text, "objectName", ident_name(b, name).p, "proposal", proposal(b, &s, name).p, NULL);
}

err *unresolved_column(struct cx *c, const struct ast *name) {
    struct binder *b = c->b;
    struct scope *s = c->s;
    while (s && s->n == 0 && s->outer) s = s->outer;
    str near = s && s->n ? proposal(b, s, name) : STR("");
    if (!near.n)
        return sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", name, b->text, "objectName",
                         ident_name(b, name).p, NULL);
    return sql_error("UNRESOLVED_COLUMN.WITH_SUGGESTION", name, b->text, "objectName", ident_name(b, name).p,
                     "proposal", near.p, NULL);
}

static err *take_fields(struct cx *c, const struct ast *name, size_t used, struct bx **x) {
    for (size_t i = used; i < name->n; i++) TRY(bind_field(c, *x, part_name(name, i), name, x));
    return NULL;
}

/* The value of CAST('…' AS …) where it is a text or a whole number; none: anything else. */
static str plain_value(struct binder *b, const struct sql_type *t, str duckdb) {
    if ((t->kind != TY_STRING || t->collation.n) && !sql_is_integral(t)) return STR_NONE;
    if (!str_starts(duckdb, STR("CAST('"))) return STR_NONE;
    buf *o = sql_buf(b->a);
    size_t i = 6;
    for (; i < duckdb.n; i++) {
        if (duckdb.p[i] == '\'' && !(i + 1 < duckdb.n && duckdb.p[i + 1] == '\'')) break;
        if (duckdb.p[i] == '\'') i++;
        buf_c(o, duckdb.p[i]);
    }
    if (!str_starts(str_from(duckdb, i), STR("' AS "))) return STR_NONE;
    str v = sql_keep(b->a, o);
    return v.p ? v : STR("");
}

/* A variable of the longest part of the name that is one; the parts behind it are fields. */
static err *variable(struct cx *c, const struct ast *whole, struct bx **ret, size_t *ret_used) {
    struct sql_variable v;
    struct ast *name = ast_new(c->b->a, AST_NAME, whole->pos, whole->end);
    *ret = NULL;
    *name = *whole;
    while (name->n && c->b->env->variable && !c->b->env->variable(c->b->env, name, &v)) name->n--;
    if (!name->n || !c->b->env->variable) return NULL;
    *ret_used = name->n;
    str plain = plain_value(c->b, v.type, v.duckdb);
    if (plain.p) {
        *ret = bx_lit(c->b, v.type, plain);
        (*ret)->cap = part_name(name, name->n - 1);
        return NULL;
    }
    struct bx *x = bx_tmpl(c->b, v.type, tmpl_text(c->b, arena_str(c->b->a, v.duckdb)),
                           tmpl_text(c->b, part_name(name, name->n - 1)), NULL, 0);
    x->nullable = true;
    *ret = x;
    return NULL;
}

static err *bare_function(struct cx *c, const struct ast *name, struct bx **ret) {
    static const char *const bare[] = {"current_date", "current_timestamp", "localtimestamp", "current_user",
                                       "user", "session_user", "current_time", "current_catalog",
                                       "current_schema", "current_database", "current_path", "now"};
    *ret = NULL;
    if (name->n != 1 || ast_has(name->child[0], AST_F_QUOTED)) return NULL;
    for (size_t i = 0; i + 1 < ARRAY_LEN(bare); i++)
        if (str_ieq(part_name(name, 0), str_of(bare[i]))) return bind_apply(c, bare[i], name, NULL, 0, ret);
    if (str_ieq(part_name(name, 0), STR("grouping__id"))) return bind_apply(c, "grouping_id", name, NULL, 0, ret);
    return NULL;
}

/* current_user and the like, written without parentheses, are columns of this query's FROM if it has such. */
static err *bind_bare_call(struct cx *c, const struct ast *n, bool *ret_done, struct bx **ret) {
    const struct ast *name = ast_get(n, SLOT_NAME);
    const struct scol *sc = NULL;
    size_t used;
    *ret_done = false;
    if (n->n || !ast_has(n, AST_F_SPECIAL) || !name || name->kind != AST_NAME || name->n != 1) return NULL;
    TRY(find_col(c->b, c->s, name, &sc, &used));
    if (!sc) return NULL;
    struct ast *col = ast_new(c->b->a, AST_COLUMN, n->pos, n->end);
    ast_add(c->b->a, col, (struct ast *)(uintptr_t)name);
    *ret_done = true;
    return bind_column(c, col, ret);
}

/* A column of an enclosing query: outer(catalog.schema.table.column). */
static str outer_caption(struct binder *b, const struct scope *s, const struct bx *x) {
    buf *o = sql_buf(b->a);
    buf_z(o, "outer(");
    for (size_t i = 0; i < s->n; i++) {
        const struct scol *c = &s->cols[i];
        if (c->rel != x->rel || c->col != x->col || c->x) continue;
        for (size_t q = 3; q-- > 0;)
            if (c->qual[q].n) buf_fmt(o, "%.*s.", STR_ARG(c->qual[q]));
        break;
    }
    buf_fmt(o, "%.*s)", STR_ARG(x->cap));
    return sql_keep(b->a, o);
}

err *bind_column(struct cx *c, const struct ast *n, struct bx **ret) {
    const struct ast *name;
    struct bx *x = NULL;
    size_t used = 1;
    TRY(bind_name(c, n->child[0], &name));
    for (struct scope *s = c->s; s; s = s->outer) {
        if (find_var(c, s, name, &x, &used)) {
            *ret = x;
            return take_fields(c, name, used, ret);
        }
        TRY(in_scope(c, s, name, &x, &used));
        if (!x) continue;
        for (struct scope *up = c->s; up != s; up = up->outer)
            if (up->sub && x->kind == BX_COL) outer_add(c->b, up->sub, x);
        if (s->level != c->s->level && x->kind == BX_COL) x->cap = outer_caption(c->b, s, x);
        *ret = x;
        return take_fields(c, name, used, ret);
    }
    TRY(variable(c, name, &x, &used));
    if (x) {
        *ret = x;
        return take_fields(c, name, used, ret);
    }
    TRY(bare_function(c, name, &x));
    if (!x) return unresolved_column(c, name);
    *ret = x;
    return NULL;
}

/* IDENTIFIER('a.b') names what its constant says; further parts follow. */
err *bind_name(struct cx *c, const struct ast *name, const struct ast **ret) {
    if (name->kind == AST_NAME) {
        *ret = name;
        return NULL;
    }
    const struct sql_type *t;
    str v;
    TRY(sql_constant(c->b->env, ast_get(name, SLOT_EXPR), &t, &v));
    if (str_chr(v, SQL_MARK, 0) >= 0) return sql_error("INVALID_IDENTIFIER", name, c->b->text, "ident", "IDENTIFIER", NULL);
    struct ast *out = ast_new(c->b->a, AST_NAME, name->pos, name->end);
    size_t i = 0;
    while (v.p && i <= v.n) {
        buf *part = sql_buf(c->b->a);
        if (i < v.n && v.p[i] == '`') {
            for (i++; i < v.n && !(v.p[i] == '`' && (i + 1 >= v.n || v.p[i + 1] != '`')); i++) {
                if (v.p[i] == '`') i++;
                buf_c(part, v.p[i]);
            }
            i++;
        } else {
            for (; i < v.n && v.p[i] != '.'; i++) buf_c(part, v.p[i]);
        }
        if (part->n == 0) break;
        struct ast *id = ast_text(c->b->a, AST_IDENT, str_trim(sql_keep(c->b->a, part)));
        id->pos = name->pos;
        id->end = name->end;
        ast_add(c->b->a, out, id);
        if (i >= v.n) break;
        i++;
    }
    for (uint32_t k = 0; k < name->n; k++) ast_add(c->b->a, out, name->child[k]);
    if (out->n == 0)
        return sql_error("NOT_A_CONSTANT_STRING.NULL", name, c->b->text, "name", "IDENTIFIER", "expr", "NULL", NULL);
    *ret = out;
    return NULL;
}

/* ---- fields ---- */

static err *field_index(struct cx *c, const struct sql_type *t, str name, const struct ast *at, size_t *ret) {
    size_t found = 0;
    buf *o = sql_buf(c->b->a);
    for (size_t i = 0; i < t->n; i++) {
        buf_fmt(o, "%s`%.*s`", i ? ", " : "", STR_ARG(t->fields[i].name));
        if (!str_ieq(t->fields[i].name, name)) continue;
        *ret = i;
        found++;
    }
    buf_c(o, 0);
    if (found == 1) return NULL;
    const char *q = arena_printf(c->b->a, "`%.*s`", STR_ARG(name));
    if (found == 0) return sql_error("FIELD_NOT_FOUND", at, c->b->text, "fieldName", q, "fields", o->p, NULL);
    return sql_error("AMBIGUOUS_REFERENCE_TO_FIELDS", at, c->b->text, "field", q, "count",
                     arena_printf(c->b->a, "%zu", found), NULL);
}

err *bind_field(struct cx *c, struct bx *x, str name, const struct ast *at, struct bx **ret) {
    struct binder *b = c->b;
    const struct sql_type *t = x->type;
    size_t i = 0;
    str cap = sql_fmt(b->a, "{0}.%.*s", STR_ARG(tmpl_text(b, name)));
    if (t->kind == TY_STRUCT) {
        TRY(field_index(c, t, name, at, &i));
        *ret = bx_tmpl(b, t->fields[i].type, sql_fmt(b->a, "struct_extract({0}, 'f%zu')", i), cap, &x, 1);
        (*ret)->nullable = x->nullable || t->fields[i].nullable;
        return NULL;
    }
    if (t->kind == TY_ARRAY && t->elem->kind == TY_STRUCT) {
        TRY(field_index(c, t->elem, name, at, &i));
        *ret = bx_tmpl(b, sql_array(b->a, t->elem->fields[i].type, true),
                       sql_fmt(b->a, "list_transform({0}, lambda e{#}: struct_extract(e{#}, 'f%zu'))", i), cap, &x, 1);
        return NULL;
    }
    if (t->kind == TY_MAP && sql_is_text(t->key)) {
        struct bx *both[2] = {x, bx_string(b, name)};
        *ret = bx_tmpl(b, t->elem, STR("{0}[{1}]"), STR("{0}[{1}]"), both, 2);
        (*ret)->nullable = true;
        return NULL;
    }
    return sql_error("INVALID_EXTRACT_BASE_FIELD_TYPE", at, b->text, "base",
                     arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), "other", type_name(b, t).p, NULL);
}

static bool one_word(const struct bx *x) {
    while (x->kind == BX_TMPL && x->implicit && x->n == 1) x = x->child[0];
    return x->kind == BX_COL || x->kind == BX_LIT || x->kind == BX_VAR;
}

/* Operands that are long stand once only, bound to a name, so that a[b[c[d]]] does not double its text each time. */
static str subscript_text(struct binder *b, struct bx **v) {
    if (!b->env->ansi) return STR("CASE WHEN {1} >= 0 THEN {0}[{1} + 1] END");
    if (one_word(v[0]) && one_word(v[1]))
        return STR("CASE WHEN {1} < 0 OR {1} >= len({0}) THEN error('[INVALID_ARRAY_INDEX] {{\"indexValue\":\"' || {1} || "
                   "'\",\"arraySize\":\"' || len({0}) || '\"}}') ELSE {0}[{1} + 1] END");
    return STR("list_transform([{{'a': {0}, 'i': {1}}}], lambda e{#}: CASE WHEN e{#}.i < 0 OR e{#}.i >= len(e{#}.a) THEN "
               "error('[INVALID_ARRAY_INDEX] {{\"indexValue\":\"' || e{#}.i || '\",\"arraySize\":\"' || len(e{#}.a) || '\"}}') "
               "ELSE e{#}.a[e{#}.i + 1] END)[1]");
}

static err *bind_subscript(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *v[2];
    TRY(bind_expr(c, n->child[0], &v[0]));
    TRY(bind_expr(c, n->child[1], &v[1]));
    const struct sql_type *t = v[0]->type;
    if (t->kind == TY_ARRAY) {
        if (!sql_is_integral(v[1]->type) && v[1]->type->kind != TY_VOID)
            return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", n, b->text, "sqlExpr",
                             arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[0]))), "paramIndex", "second",
                             "requiredType", "\"INTEGRAL\"", "inputSql",
                             arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[1]))), "inputType",
                             type_name(b, v[1]->type).p, NULL);
        v[1] = bx_cast(b, v[1], sql_type_of(TY_BIGINT));
        *ret = bx_tmpl(b, t->elem, subscript_text(b, v), STR("{0}[{1}]"), v, 2);
        (*ret)->nullable = true;
        return NULL;
    }
    if (t->kind == TY_MAP) {
        const struct sql_type *k = sql_common_type(b->a, t->key, v[1]->type);
        if (k) {
            v[1] = bx_cast(b, bx_exact(b, v[1]), t->key);
            *ret = bx_tmpl(b, t->elem, STR("{0}[{1}]"), STR("{0}[{1}]"), v, 2);
            (*ret)->nullable = true;
            return NULL;
        }
    }
    if (t->kind == TY_STRUCT && v[1]->kind == BX_LIT && sql_is_text(v[1]->type))
        return bind_field(c, v[0], v[1]->text, n, ret);
    if (t->kind == TY_VARIANT && v[1]->kind == BX_LIT) {
        struct ast *p = ast_new(b->a, AST_PATH, n->pos, n->end);
        p->text = sql_is_text(v[1]->type) ? sql_fmt(b->a, "['%.*s']", STR_ARG(v[1]->text))
                                          : sql_fmt(b->a, "[%.*s]", STR_ARG(v[1]->text));
        ast_add(b->a, p, n->child[0]);
        return bind_expr(c, p, ret);
    }
    return sql_error("INVALID_EXTRACT_BASE_FIELD_TYPE", n, b->text, "base",
                     arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[0]))), "other", type_name(b, t).p, NULL);
}

/* v:a.b[0] of a variant, or of a JSON string. */
static err *bind_path(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *v[2];
    TRY(bind_expr(c, n->child[0], &v[0]));
    str path = n->text;
    bool bracket = path.n && path.p[0] == '[';
    v[1] = bx_string(b, sql_fmt(b->a, bracket ? "$%.*s" : "$.%.*s", STR_ARG(path)));
    str cap = sql_fmt(b->a, "{0}:%.*s", STR_ARG(tmpl_text(b, path)));
    if (v[0]->type->kind == TY_VARIANT)
        cap = sql_fmt(b->a, "variant_get({0}, $%s%.*s) AS %.*s", bracket ? "" : ".", STR_ARG(tmpl_text(b, path)), STR_ARG(tmpl_text(b, bind_path_name(path))));
    if (v[0]->type->kind == TY_VARIANT)
        *ret = bx_tmpl(b, sql_type_of(TY_VARIANT), STR("bh_variant_path({0}, {1})"), cap, v, 2);
    else if (sql_is_text(v[0]->type))
        *ret = bx_tmpl(b, sql_type_of(TY_STRING), STR("bh_get_json_object({0}, {1})"), cap, v, 2);
    else
        return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", n, b->text, "sqlExpr", "\":\"", "paramIndex",
                         "first", "requiredType", "(\"VARIANT\" or \"STRING\")", "inputSql",
                         arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, v[0]))), "inputType",
                         type_name(b, v[0]->type).p, NULL);
    (*ret)->nullable = true;
    return NULL;
}

/* ---- the rest ---- */

static const char *cut_quote(struct binder *b, str quoted) { return arena_strndup(b->a, quoted.p + 1, quoted.n - 2); }

/* Refuses a cast that does not exist, and says which function does what it would. */
err *check_cast(struct binder *b, const struct ast *n, const struct bx *x, const struct sql_type *to, bool try_it) {
    const struct sql_type *from = x->type;
    bool day = from->kind == TY_DATE && sql_is_numeric(to);
    bool old = (sql_is_integral(from) && to->kind == TY_BINARY) || (from->kind == TY_BOOLEAN && to->kind == TY_TIMESTAMP) ||
               ((from->kind == TY_DATE || from->kind == TY_TIMESTAMP) && to->kind == TY_BOOLEAN); /* casts of the time before ANSI mode */
    if (!(b->env->ansi && (old || day)) && sql_can_cast(from, to)) return NULL;
    const char *shown = arena_printf(b->a, "\"%s(%.*s AS %s)\"", try_it ? "TRY_CAST" : "CAST", STR_ARG(caption_of(b, x)), cut_quote(b, type_name(b, to)));
    const char *instead = day ? "`UNIX_DATE`" : sql_is_numeric(from) && to->kind == TY_DATE ? "`DATE_FROM_UNIX_DATE`" : NULL;
    if (instead)
        return sql_error("DATATYPE_MISMATCH.CAST_WITH_FUNC_SUGGESTION", n, b->text, "sqlExpr", shown, "srcType", type_name(b, from).p, "targetType",
                         type_name(b, to).p, "functionNames", instead, NULL);
    return sql_error(old && !try_it ? "DATATYPE_MISMATCH.CAST_WITH_CONF_SUGGESTION" : "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION", n, b->text, "sqlExpr", shown,
                     "srcType", type_name(b, from).p, "targetType", type_name(b, to).p, old && !try_it ? "configVal" : NULL, "'false'", NULL);
}

static err *bind_cast_node(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    const struct sql_type *to;
    struct bx *x;
    TRY(bind_expr(c, n->child[0], &x));
    TRY(sql_type_of_ast(b->a, ast_get(n, SLOT_TYPE), &to));
    bool try_it = ast_has(n, AST_F_TRY) || n->op == '?';
    TRY(check_cast(b, n, x, to, try_it));
    const struct sql_type *shown = to->kind == TY_CHAR || to->kind == TY_VARCHAR ? sql_type_of(TY_STRING) : to;
    str t = type_name(b, shown);
    /* Casts to types of several parts do not show, as with Spark. */
    bool hidden = to->kind == TY_ARRAY || to->kind == TY_MAP || to->kind == TY_STRUCT;
    str cap = hidden ? STR("{0}") : sql_fmt(b->a, "%s({0} AS %.*s)", try_it ? "TRY_CAST" : "CAST", (int)t.n - 2, t.p + 1);
    struct bx *y = NULL;
    x = bx_exact(b, x);
    if (x->kind == BX_LIT) {
        /* Folded where that is exact; the caption still shows the cast. */
        struct bx *f = bx_cast(b, x, shown);
        if (f->kind == BX_LIT && f != x) {
            y = f;
            buf *o = sql_buf(b->a);
            if (!hidden) buf_fmt(o, "%s(", try_it ? "TRY_CAST" : "CAST");
            caption(b, x, o);
            if (!hidden) buf_fmt(o, " AS %.*s)", (int)t.n - 2, t.p + 1);
            y->cap = sql_keep(b->a, o);
        }
    }
    if (!y) {
        buf *o = sql_buf(b->a);
        b->try_cast = try_it;
        err *e = emit_cast_tmpl(b, x->type, shown, try_it || !b->env->ansi, o);
        b->try_cast = false;
        if (e) return e;
        y = bx_tmpl(b, shown, sql_keep(b->a, o), cap, &x, 1);
        if (try_it || x->type->kind == TY_VARIANT) y->nullable = true;
    }
    y->ast = n;
    *ret = y;
    return NULL;
}

static err *bind_collate(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *x;
    TRY(bind_expr(c, n->child[0], &x));
    if (!sql_is_text(x->type)) return unsupported(c->b, n, "COLLATE of a value that is no string");
    if (!sql_collation_known(n->text)) return sql_error("COLLATION_INVALID_NAME", n, c->b->text, "collationName", arena_printf(c->b->a, "%.*s", STR_ARG(n->text)), "proposals", "UNICODE", NULL);
    struct sql_type *t = arena_new_of(c->b->a, struct sql_type);
    *t = *sql_type_of(TY_STRING);
    char *upper = arena_strndup(c->b->a, n->text.p, n->text.n);
    bool shout = str_ieq(str_cut(n->text, 4), STR("UTF8")) || str_ieq(str_cut(n->text, 7), STR("UNICODE"));
    for (char *p = upper; shout && *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    t->collation = str_ieq(n->text, STR("UTF8_BINARY")) ? STR_NONE : str_n(upper, n->text.n);
    *ret = bx_tmpl(c->b, t, STR("{0}"), sql_fmt(c->b->a, "collate({0}, %.*s)", STR_ARG(n->text)), &x, 1);
    return NULL;
}

static err *bind_param_value(struct cx *c, const struct ast *n, const struct sql_param *p, struct bx **ret) {
    if (p->build) {
        struct bx **args = arena_array_of(c->b->a, struct bx *, p->n_args + 1);
        for (size_t i = 0; i < p->n_args; i++) TRY(bind_param_value(c, n, &p->args[i], &args[i]));
        TRY(bind_built(c->b, p->build, n, args, p->n_args, ret));
        if (p->type) *ret = bx_cast(c->b, bx_exact(c->b, *ret), p->type);
    } else if (!p->value.p) {
        *ret = bx_null(c->b, p->type);
    } else if (sql_is_text(p->type)) {
        *ret = bx_string(c->b, p->value);
    } else if (!sql_can_cast(sql_type_of(TY_STRING), p->type)) {
        return sql_error("DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION", n, c->b->text, "sqlExpr",
                         arena_printf(c->b->a, "\"%.*s\"", STR_ARG(str_cut(p->value, 200))), "srcType", "\"STRING\"", "targetType",
                         type_name(c->b, p->type).p, NULL);
    } else {
        *ret = bx_cast(c->b, bx_string(c->b, p->value), p->type);
        if ((*ret)->kind == BX_TMPL) (*ret)->implicit = true;
    }
    return NULL;
}

static err *bind_param(struct cx *c, const struct ast *n, struct bx **ret) {
    struct sql_env *e = c->b->env;
    size_t seen = 0;
    for (size_t i = 0; i < e->n_params; i++) {
        const struct sql_param *p = &e->params[i];
        if (n->text.n ? !str_ieq(p->name, n->text) : (p->name.n > 0 || seen++ != n->op)) continue;
        return bind_param_value(c, n, p, ret);
    }
    return sql_error("UNBOUND_SQL_PARAMETER", n, c->b->text, "name",
                     n->text.n ? arena_printf(c->b->a, "%.*s", STR_ARG(n->text))
                               : arena_printf(c->b->a, "_%u", n->pos), NULL);
}

/* The enclosing query whose HAVING is being bound; NULL: there is none. */
static struct scope *having_around(const struct scope *s) {
    for (struct scope *up = s->outer; up; up = up->outer)
        if (up->having && up->above && up->above->aggregated) return up;
    return NULL;
}

/* Are there columns, and all of them that query's? */
static bool all_of_level(const struct bx *x, uint32_t level, bool *any) {
    if (x->kind == BX_SUB) return false;
    if (x->kind == BX_COL) {
        *any = true;
        return x->rel->level == level;
    }
    for (size_t i = 0; i < x->n; i++)
        if (!all_of_level(x->child[i], level, any)) return false;
    return !x->filter || all_of_level(x->filter, level, any);
}

/*
 * An aggregate in a subquery of HAVING, all of whose columns are those of the query that groups, is that query's. What stands for it here is
 * a column of no relation that has the aggregate as its child; agg_rewrite() of the outer query makes it a column of its own.
 */
static err *bind_outer_call(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct scope *around = having_around(c->s);
    size_t before[64], k = 0;
    for (struct scope *up = c->s; around && up != around; up = up->outer)
        if (up->sub && k < ARRAY_LEN(before)) before[k++] = up->sub->n_outers;
    TRY(bind_call(c, n, ret));
    bool any = false;
    if (!around || (*ret)->kind != BX_AGG || k == 0 || k == ARRAY_LEN(before) || !all_of_level(*ret, around->level, &any) || !any) return NULL;
    struct rel *none = rel_new(b, RK_QUERY, 1, around->level);
    none->cols[0] = (struct rcol){.name = caption_of(b, *ret), .type = (*ret)->type, .nullable = true};
    struct bx *x = bx_col(b, none, 0, none->cols[0].name);
    x->child = arena_array_of(b->a, struct bx *, 1);
    x->child[0] = *ret;
    x->n = 1;
    x->ast = n;
    k = 0;
    for (struct scope *up = c->s; up != around; up = up->outer) {
        if (!up->sub) continue;
        up->sub->n_outers = before[k++]; /* the columns are the aggregate's, no keys */
        outer_add(b, up->sub, x);
    }
    *ret = x;
    return NULL;
}

static err *bind_inner(struct cx *c, const struct ast *n, struct bx **ret) {
    switch (n->kind) {
    case AST_LIT_NULL:
    case AST_LIT_BOOL:
    case AST_LIT_NUMBER:
    case AST_LIT_STRING:
    case AST_LIT_BINARY:
    case AST_LIT_TYPED: return bind_literal(c, n, ret);
    case AST_INTERVAL: return bind_interval(c, n, ret);
    case AST_PARAM: return bind_param(c, n, ret);
    case AST_COLUMN: return bind_column(c, n, ret);
    case AST_UNARY: return bind_unary(c, n, ret);
    case AST_BINARY: return bind_binary(c, n, ret);
    case AST_IN:
        if (ast_get(n, SLOT_QUERY)) return bind_subquery(c, n, ret);
        return bind_predicate(c, n, ret);
    case AST_BETWEEN:
    case AST_LIKE:
    case AST_IS: return bind_predicate(c, n, ret);
    case AST_EXISTS:
    case AST_SUBQUERY: return bind_subquery(c, n, ret);
    case AST_CASE: return bind_case(c, n, ret);
    case AST_CAST: return bind_cast_node(c, n, ret);
    case AST_CALL: {
        bool done;
        TRY(bind_bare_call(c, n, &done, ret));
        return done ? NULL : bind_outer_call(c, n, ret);
    }
    case AST_ROW: return bind_call(c, n, ret);
    case AST_SUBSCRIPT: return bind_subscript(c, n, ret);
    case AST_PATH: return bind_path(c, n, ret);
    case AST_COLLATE: return bind_collate(c, n, ret);
    case AST_ALIAS: return bind_expr(c, n->child[0], ret);
    case AST_FIELD: {
        struct bx *x;
        TRY(bind_expr(c, n->child[0], &x));
        return bind_field(c, x, n->text, n, ret);
    }
    case AST_STAR: return sql_error("INVALID_USAGE_OF_STAR_OR_REGEX", n, c->b->text, "elem", "'*'", "prettyName",
                                    "expression", NULL);
    default: return unsupported(c->b, n, ast_kind_name((enum ast_kind)n->kind));
    }
}

/* Expressions that a tree may have beyond a few times those that were written: it is written out whole. */
#define MOST_UNSHARED 8000.0

err *bind_too_large(struct binder *b, const struct ast *n) { return sql_error("FAILED_TO_PARSE_TOO_COMPLEX", n, b->text, NULL); }

err *bind_expr(struct cx *c, const struct ast *n, struct bx **ret) {
    if (++c->b->nesting > 3 * SQL_MAX_DEPTH) {
        c->b->nesting = 0;
        return unsupported(c->b, n, "expressions nested this deep");
    }
    err *e = bind_inner(c, n, ret);
    c->b->nesting--;
    if (!e && (*ret)->weight > MOST_UNSHARED + 4.0 * c->b->next_id) return bind_too_large(c->b, n);
    if (!e && !(*ret)->ast) (*ret)->ast = n;
    return e;
}

err *bind_boolean(struct cx *c, const struct ast *n, const char *what, struct bx **ret) {
    struct bx *x;
    TRY(bind_expr(c, n, &x));
    if (x->type->kind != TY_BOOLEAN && x->type->kind != TY_VOID && !sql_is_text(x->type))
        return sql_error("DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN", n, c->b->text, "sqlExpr",
                         arena_printf(c->b->a, "\"%.*s\"", STR_ARG(caption_of(c->b, x))), "filter", what, "type",
                         type_name(c->b, x->type).p, NULL);
    *ret = bx_cast(c->b, x, sql_type_of(TY_BOOLEAN));
    if (strcmp(what, "WHEN") != 0 && strcmp(what, "FILTER") != 0) *ret = bx_condition(c->b, *ret);
    bind_note_condition(c->b, *ret);
    return NULL;
}
