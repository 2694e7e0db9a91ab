/* SPDX-License-Identifier: Apache-2.0 */
/* FROM: tables, views, subqueries, table functions, joins, lateral views. */
#include "sql/bind.h"

#include <stdlib.h>

struct bfrom *bind_leaf(struct binder *b, struct rel *r) {
    struct bfrom *f = arena_new_of(b->a, struct bfrom);
    f->kind = BF_REL;
    f->rel = r;
    return f;
}

static struct bfrom *join_of(struct binder *b, struct bfrom *l, struct bfrom *r, const char *word, struct bx *on) {
    struct bfrom *f = arena_new_of(b->a, struct bfrom);
    f->kind = BF_JOIN;
    f->left = l;
    f->right = r;
    f->join = word;
    f->on = on;
    return f;
}

/* ---- names in one round trip ---- */

struct wanted {
    const struct ast **froms;
    size_t n, cap;
    const struct ast **ctes;
    size_t n_ctes, cap_ctes;
};

static void push(struct binder *b, const struct ast ***p, size_t *n, size_t *cap, const struct ast *x) {
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        const struct ast **to = arena_array_of(b->a, const struct ast *, more);
        if (*n) memcpy(to, *p, *n * sizeof *to);
        *p = to;
        *cap = more;
    }
    (*p)[(*n)++] = x;
}

static void collect(struct binder *b, const struct ast *n, struct wanted *w) {
    if (!n) return;
    if (n->kind == AST_CTE) push(b, &w->ctes, &w->n_ctes, &w->cap_ctes, n);
    if (n->kind == AST_FROM_TABLE) push(b, &w->froms, &w->n, &w->cap, n);
    for (uint32_t i = 0; i < n->n; i++) collect(b, n->child[i], w);
    for (uint32_t i = 0; i < n->n_slots; i++) collect(b, n->slot[i].node, w);
}

static bool names_cte(struct binder *b, const struct ast *name, const struct wanted *w) {
    if (name->n != 1) return false;
    for (size_t i = 0; i < w->n_ctes; i++)
        if (str_ieq(w->ctes[i]->text, name->child[0]->text)) return true;
    for (struct cte *c = b->ctes; c; c = c->next)
        if (str_ieq(c->name, name->child[0]->text)) return true;
    return false;
}

static err *ask(struct binder *b, struct ast **names, struct ast **froms, size_t n) {
    struct sql_relation **rels = arena_array_of(b->a, struct sql_relation *, n + 1);
    if (!b->env->resolve || n == 0) return NULL;
    TRY(b->env->resolve(b->env, names, froms, n, rels));
    for (size_t i = 0; i < n; i++) {
        struct pre *p = arena_new_of(b->a, struct pre);
        *p = (struct pre){froms[i], rels[i], b->pre};
        b->pre = p;
    }
    return NULL;
}

err *prefetch_names(struct binder *b, const struct ast *n) {
    struct wanted w = {.n = 0};
    collect(b, n, &w);
    struct ast **names = arena_array_of(b->a, struct ast *, w.n + 1), **froms = arena_array_of(b->a, struct ast *, w.n + 1);
    size_t k = 0;
    for (size_t i = 0; i < w.n; i++) {
        const struct ast *name = ast_get(w.froms[i], SLOT_NAME);
        if (!name || name->kind != AST_NAME || names_cte(b, name, &w)) continue;
        names[k] = (struct ast *)(uintptr_t)name;
        froms[k++] = (struct ast *)(uintptr_t)w.froms[i];
    }
    return ask(b, names, froms, k);
}

static err *relation_of(struct binder *b, const struct ast *from, const struct ast *name, struct sql_relation **ret) {
    for (struct pre *p = b->pre; p; p = p->next)
        if (p->from == from) {
            *ret = p->rel;
            return NULL;
        }
    struct ast *names[1] = {(struct ast *)(uintptr_t)name}, *froms[1] = {(struct ast *)(uintptr_t)from};
    TRY(ask(b, names, froms, 1));
    *ret = b->pre && b->pre->from == from ? b->pre->rel : NULL;
    return NULL;
}

/* ---- tables ---- */

static const struct sql_type *shown_type(const struct sql_type *t) {
    return t->kind == TY_CHAR || t->kind == TY_VARCHAR ? sql_type_of(TY_STRING) : t;
}

static str call_name(struct binder *b, const struct ast *call) {
    const struct ast *name = ast_get(call, SLOT_NAME);
    if (!name || name->kind != AST_NAME) return STR("");
    str s = name->child[name->n - 1]->text;
    char *low = arena_strndup(b->a, s.p ? s.p : "", s.n);
    for (char *p = low; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    return str_of(low);
}

static err *rename_cols(struct binder *b, const struct ast *n, struct rel *r) {
    const struct ast *names = ast_get(n, SLOT_NAMES);
    if (!names) return NULL;
    const struct ast *call = ast_get(n, SLOT_CALL);
    if (names->n != r->n && call && r->kind != RK_QUERY)
        return sql_error("NUM_TABLE_VALUE_ALIASES_MISMATCH", n, b->text, "funcName", arena_printf(b->a, "`%.*s`", STR_ARG(call_name(b, call))), "aliasesNum",
                         arena_printf(b->a, "%u", names->n), "outColsNum", arena_printf(b->a, "%zu", r->n), NULL);
    if (names->n != r->n)
        return sql_error("ASSIGNMENT_ARITY_MISMATCH", n, b->text, "numExpr", arena_printf(b->a, "%u", names->n), "numTarget", arena_printf(b->a, "%zu", r->n), NULL);
    for (size_t i = 0; i < r->n; i++) r->cols[i].name = names->child[i]->text;
    return NULL;
}

/* TABLESAMPLE, as DuckDB writes it; rows are a plain limit. */
static err *sample_of(struct binder *b, const struct ast *n, struct rel *r) {
    const struct ast *s = ast_get(n, SLOT_SAMPLE), *seed = s ? ast_get(s, SLOT_SEED) : NULL;
    if (!s) return NULL;
    str first = s->n ? s->child[0]->text : STR("0");
    double d = 0;
    if (!str_to_f64(first, &d)) return unsupported(b, s, "this TABLESAMPLE");
    if (str_eqz(s->text, "rows") && d < 0) {
        const char *rows = arena_printf(b->a, "%lld", (long long)d);
        return sql_error("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", s, b->text, "name", "limit", "expr", arena_printf(b->a, "\"%s\"", rows), "v", rows, NULL);
    }
    if (str_eqz(s->text, "rows")) {
        r->sample = sql_fmt(b->a, " TABLESAMPLE RESERVOIR(%lld ROWS)", (long long)d);
        return NULL;
    }
    if (str_eqz(s->text, "bucket") && s->n > 1) {
        double of;
        if (!str_to_f64(s->child[1]->text, &of) || of <= 0) return unsupported(b, s, "this TABLESAMPLE");
        d = d / of * 100;
    }
    if (d < 0 || d > 100) return unsupported(b, s, "TABLESAMPLE outside of 0 to 100 PERCENT");
    r->sample = seed ? sql_fmt(b->a, " TABLESAMPLE BERNOULLI(%g%%) REPEATABLE (%.*s)", d, STR_ARG(seed->text)) : sql_fmt(b->a, " TABLESAMPLE BERNOULLI(%g%%)", d);
    b->nondet = true;
    return NULL;
}

static const struct sql_type *metadata_type(struct binder *b, bool row_ids) {
    static const struct {
        const char *name;
        enum sql_type_kind kind;
    } f[] = {{"file_path", TY_STRING}, {"file_name", TY_STRING}, {"file_size", TY_BIGINT}, {"file_block_start", TY_BIGINT},
             {"file_block_length", TY_BIGINT}, {"file_modification_time", TY_TIMESTAMP},
             {"row_id", TY_BIGINT}, {"row_commit_version", TY_BIGINT}};
    size_t n = ARRAY_LEN(f) - (row_ids ? 0 : 2);
    struct sql_field *to = arena_array_of(b->a, struct sql_field, ARRAY_LEN(f));
    for (size_t i = 0; i < n; i++) to[i] = (struct sql_field){.name = str_of(f[i].name), .type = sql_type_of(f[i].kind)};
    return sql_struct(b->a, to, n);
}

static void note_table(struct binder *b, const struct sql_relation *t) {
    for (size_t i = 0; i < b->n_tables; i++)
        if (b->tables[i] == t) return;
    if (b->n_tables == b->cap_tables) {
        size_t cap = b->cap_tables ? b->cap_tables * 2 : 16;
        const struct sql_relation **more = arena_array_of(b->a, const struct sql_relation *, cap);
        if (b->n_tables) memcpy(more, b->tables, b->n_tables * sizeof *more);
        b->tables = more;
        b->cap_tables = cap;
    }
    b->tables[b->n_tables++] = t;
}

struct rel *bind_scan_rel(struct binder *b, const struct sql_relation *t, const struct ast *from, uint32_t level) {
    bool ids = ast_has(from, AST_F_ROWIDS);
    size_t extra = ids ? 3 : 1;
    struct rel *r = rel_new(b, RK_SCAN, t->n + extra, level);
    r->table = t;
    r->from = from;
    for (size_t i = 0; i < t->n; i++)
        r->cols[i] = (struct rcol){.name = t->cols[i].name, .type = shown_type(t->cols[i].type), .nullable = t->cols[i].nullable, .comment = t->cols[i].comment};
    r->cols[t->n] = (struct rcol){.name = STR("_metadata"), .type = metadata_type(b, t->row_ids)};
    if (ids) {
        r->row_ids = true;
        r->cols[t->n + 1] = (struct rcol){.name = STR("_bh_file"), .type = sql_type_of(TY_STRING)};
        r->cols[t->n + 2] = (struct rcol){.name = STR("_bh_row"), .type = sql_type_of(TY_BIGINT)};
    }
    note_table(b, t);
    return r;
}

void bind_add_scan(struct binder *b, struct scope *s, struct rel *r, size_t n, const str *names, str q0, str q1, str q2) {
    for (size_t i = 0; i < r->n; i++)
        scope_add(b, s, (struct scol){.name = i < n && names ? names[i] : r->cols[i].name, .qual = {q0, q1, q2}, .rel = r, .col = i, .metadata = i >= n});
}

struct bfrom *bind_from_bq(struct binder *b, struct bq *q, uint32_t level, struct rel **ret) {
    struct rel *r = rel_new(b, RK_QUERY, q->n, level);
    r->query = q;
    for (size_t i = 0; i < q->n; i++) {
        r->cols[i] = q->cols[i];
        r->cols[i].used = false;
    }
    *ret = r;
    return bind_leaf(b, r);
}

/* ---- views ---- */

/* A column that the view had has gone from what it reads. */
static err *view_changed(struct binder *b, const struct sql_relation *v, const struct ast *at, str name, size_t expected, size_t found) {
    buf *actual = sql_buf(b->a);
    buf_c(actual, '[');
    for (size_t i = 0; i < found; i++) buf_fmt(actual, "%s%.*s", i ? "," : "", STR_ARG(name));
    buf_c(actual, ']');
    buf_c(actual, 0);
    const char *full = arena_printf(b->a, "`%.*s`.`%.*s`.`%.*s`", STR_ARG(v->catalog), STR_ARG(v->schema), STR_ARG(v->name));
    const char *again = arena_printf(b->a, "CREATE OR REPLACE VIEW %.*s.%.*s.%.*s AS %.*s", STR_ARG(v->catalog), STR_ARG(v->schema), STR_ARG(v->name),
                                     STR_ARG(v->definer ? STR("…") : v->view_text));
    return sql_error("INCOMPATIBLE_VIEW_SCHEMA_CHANGE", at, b->text, "viewName", full, "colName", arena_printf(b->a, "%.*s", STR_ARG(name)), "expectedNum",
                     arena_printf(b->a, "%zu", expected), "actualCols", actual->p, "suggestion", again, NULL);
}

/*
 * The columns of r, which wraps the view's query, that are the view's. Where the query has as many, the places tell: CREATE VIEW may have
 * named them otherwise. Else the names do, and what the query has beside them is left out: SELECT * of a table to which a column was
 * added. Of several of one name each is the next one.
 */
static err *view_columns(struct binder *b, const struct sql_relation *v, const struct ast *at, struct bq *r) {
    if (r->n == v->n) return NULL;
    struct bx **items = arena_array_of(b->a, struct bx *, v->n + 1);
    struct rcol *cols = arena_array_of(b->a, struct rcol, v->n + 1);
    for (size_t i = 0; i < v->n; i++) {
        str name = v->cols[i].name;
        size_t before = 0, expected = 0, found = 0, at_k = r->n;
        for (size_t j = 0; j < v->n; j++) {
            bool same = str_ieq(v->cols[j].name, name);
            expected += same;
            before += same && j < i;
        }
        for (size_t j = 0; j < r->n; j++)
            if (str_ieq(r->cols[j].name, name) && found++ == before) at_k = j;
        if (found != expected) return view_changed(b, v, at, name, expected, found);
        items[i] = r->items[at_k];
        cols[i] = r->cols[at_k];
    }
    r->items = items;
    r->cols = cols;
    r->n = r->n_items = v->n;
    return NULL;
}

static err *bind_view(struct binder *b, const struct sql_relation *v, const struct ast *at, struct bq **ret) {
    if (b->depth >= 100)
        return sql_error("VIEW_EXCEED_MAX_NESTED_DEPTH", at, b->text, "viewName", arena_printf(b->a, "`%.*s`", STR_ARG(v->name)), "maxNestedDepth", "100", NULL);
    struct ast *q = (struct ast *)(uintptr_t)v->view_query;
    if (!q) TRY(sql_parse_query(b->a, v->view_text, &q));
    str catalog = b->env->catalog, schema = b->env->schema, text = b->text;
    struct cte *ctes = b->ctes;
    if (v->view_catalog.n) b->env->catalog = v->view_catalog;
    if (v->view_schema.n) b->env->schema = v->view_schema;
    b->text = v->definer ? STR("") : v->view_text; /* another's text is not shown in errors */
    b->ctes = NULL;
    b->depth++;
    err *e = prefetch_names(b, q);
    if (!e) e = bind_query(b, q, NULL, ret);
    b->depth--;
    b->env->catalog = catalog;
    b->env->schema = schema;
    b->text = text;
    b->ctes = ctes;
    if (e) return e;
    struct bq *r = *ret;
    if (!v->n) return NULL;
    r = bq_wrap(b, r, NULL);
    TRY(view_columns(b, v, at, r));
    const struct sql_type **types = arena_array_of(b->a, const struct sql_type *, r->n + 1);
    for (size_t i = 0; i < r->n; i++) {
        types[i] = v->cols[i].type ? shown_type(v->cols[i].type) : r->cols[i].type;
        if (!sql_can_cast(r->cols[i].type, types[i])) types[i] = r->cols[i].type;
    }
    r = bq_retype(b, r, types);
    for (size_t i = 0; i < r->n; i++) {
        r->cols[i].name = v->cols[i].name;
        r->cols[i].comment = v->cols[i].comment;
    }
    *ret = r;
    return NULL;
}

static err *not_found(struct binder *b, const struct ast *name) {
    return sql_error("TABLE_OR_VIEW_NOT_FOUND", name, b->text, "relationName", ident_name(b, name).p, "searchPath", search_path(b).p, NULL);
}

static err *bind_cte_ref(struct binder *b, const struct ast *n, struct cte *c, struct scope *s, str alias, struct bfrom **ret) {
    struct rel *r = rel_new(b, RK_CTE, c->n, s->level);
    r->cte = c;
    for (size_t i = 0; i < c->n; i++) {
        r->cols[i] = c->cols[i];
        r->cols[i].used = false;
    }
    TRY(rename_cols(b, n, r));
    TRY(sample_of(b, n, r));
    scope_add_rel(b, s, r, alias, STR_NONE, STR_NONE);
    *ret = bind_leaf(b, r);
    return NULL;
}

static err *bind_table(struct binder *b, const struct ast *n, struct scope *s, struct bfrom **ret) {
    const struct ast *name, *alias = ast_get(n, SLOT_ALIAS), *names = ast_get(n, SLOT_NAMES);
    struct cx c = {.b = b, .s = s};
    TRY(bind_name(&c, ast_get(n, SLOT_NAME), &name));
    str last = name->child[name->n - 1]->text, as = alias ? alias->text : last;
    if (name->n == 1)
        for (struct cte *w = b->ctes; w; w = w->next)
            if (str_ieq(w->name, last)) return bind_cte_ref(b, n, w, s, as, ret);
    struct sql_relation *t = NULL;
    TRY(relation_of(b, n, name, &t));
    if (!t) return not_found(b, name);
    bool shown = !alias && t->kind == REL_TABLE;
    str q1 = shown || (!alias && t->kind == REL_VIEW) ? t->schema : STR_NONE, q2 = q1.n ? t->catalog : STR_NONE;
    bool guard = t->row_filter.n > 0;
    for (size_t i = 0; i < t->n && t->masks; i++) guard |= t->masks[i].n > 0;
    if (t->kind == REL_VIEW || t->kind == REL_TEMP_VIEW || guard) {
        struct bq *q;
        struct rel *r;
        if (guard && t->kind == REL_TABLE)
            TRY(bind_guarded(b, t, n, &q));
        else
            TRY(bind_view(b, t, n, &q));
        if (t->definer) {
            q->barrier = q->barrier || bq_hides_rows(q);
            b->secured = true;
        }
        *ret = bind_from_bq(b, q, s->level, &r);
        if (!guard) TRY(rename_cols(b, n, r));
        TRY(sample_of(b, n, r));
        bind_add_scan(b, s, r, guard ? t->n : r->n, NULL, as, q1, q2);
        return NULL;
    }
    struct rel *r = bind_scan_rel(b, t, n, s->level);
    TRY(sample_of(b, n, r));
    str *renamed = NULL;
    if (names) {
        if (names->n != t->n)
            return sql_error("ASSIGNMENT_ARITY_MISMATCH", n, b->text, "numExpr", arena_printf(b->a, "%u", names->n), "numTarget", arena_printf(b->a, "%zu", t->n), NULL);
        renamed = arena_array_of(b->a, str, t->n + 1);
        for (size_t i = 0; i < t->n; i++) renamed[i] = names->child[i]->text;
    }
    bind_add_scan(b, s, r, t->n, renamed, as, q1, q2);
    *ret = bind_leaf(b, r);
    return NULL;
}

/* ---- subqueries and calls ---- */

static err *bind_sub(struct binder *b, const struct ast *n, struct scope *s, struct scope *lateral, struct bfrom **ret) {
    struct bq *q;
    struct rel *r;
    const struct ast *alias = ast_get(n, SLOT_ALIAS);
    bool lat = ast_has(n, AST_F_LATERAL) && lateral;
    TRY(bind_query(b, ast_get(n, SLOT_QUERY), lat ? lateral : s->outer, &q));
    *ret = bind_from_bq(b, q, s->level, &r);
    r->lateral = lat;
    TRY(rename_cols(b, n, r));
    TRY(sample_of(b, n, r));
    if (n->op == 'p' && !alias) {
        for (size_t i = 0; i < r->n; i++) {
            struct scol c = {.name = r->cols[i].name, .rel = r, .col = i};
            if (r->cols[i].qual) memcpy(c.qual, r->cols[i].qual, sizeof(c.qual));
            scope_add(b, s, c);
        }
        return NULL;
    }
    scope_add_rel(b, s, r, alias ? alias->text : STR_NONE, STR_NONE, STR_NONE);
    return NULL;
}

static size_t count_rels(const struct bfrom *f) {
    if (f->kind == BF_REL) return 1;
    if (f->kind == BF_GEN) return 1 + (f->left ? count_rels(f->left) : 0);
    return count_rels(f->left) + count_rels(f->right);
}

static void list_rels(struct bfrom *f, struct rel **to, size_t *n) {
    if (f->kind == BF_REL) {
        to[(*n)++] = f->rel;
        return;
    }
    if (f->left) list_rels(f->left, to, n);
    if (f->kind == BF_GEN)
        to[(*n)++] = f->rel;
    else
        list_rels(f->right, to, n);
}

/* Rows of a generator beside those of `left`. */
struct bfrom *bind_generated(struct binder *b, struct bx *g, struct bfrom *left, uint32_t level) {
    struct rel *r = rel_new(b, RK_GEN, g->gen->n, level);
    struct bfrom *f = arena_new_of(b->a, struct bfrom);
    r->call = g;
    for (size_t i = 0; i < r->n; i++)
        r->cols[i] = (struct rcol){.name = g->gen->fields[i].name, .type = g->gen->fields[i].type, .nullable = g->gen->fields[i].nullable || g->outer};
    f->kind = BF_GEN;
    f->rel = r;
    f->left = left;
    if (left) {
        f->inside = arena_array_of(b->a, struct rel *, count_rels(left));
        list_rels(left, f->inside, &f->n_inside);
        for (size_t i = 0; i < f->n_inside; i++)
            if (!f->inside[i]->wrap) f->inside[i]->wrap = r;
    }
    return f;
}

/* Of range(): its bounds and step are constants, and numbers. */
static err *check_range_args(struct binder *b, const struct ast *at, struct bx **args, size_t n) {
    static const char *const names[] = {"`start`", "`end`", "`step`", "`numSlices`"}, *const ordinals[] = {"first", "second", "third", "fourth"};
    int64_t step;
    for (size_t i = 0; i < n && n <= 4; i++) {
        size_t k = n == 1 ? 1 : i; /* one bound alone is the end */
        const struct sql_type *t = args[i]->type;
        const char *want = k == 3 ? "\"INT\"" : "\"BIGINT\"";
        if (!bx_is_foldable(args[i]))
            return sql_error("NON_FOLDABLE_ARGUMENT", at, b->text, "funcName", "`range`", "paramName", names[k], "paramType", want, NULL);
        if (t->kind == TY_VOID || (args[i]->kind == BX_LIT && !args[i]->text.p) || !(sql_is_numeric(t) || sql_implicit(b->a, t, sql_type_of(TY_BIGINT))))
            return sql_error("UNEXPECTED_INPUT_TYPE", at, b->text, "functionName", "`range`", "paramIndex", ordinals[k], "requiredType", want, "inputSql",
                             arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, args[i]))), "inputType", type_name(b, t).p, NULL);
        if (k == 2 && args[i]->kind == BX_LIT && str_to_i64(args[i]->text, &step) && step == 0) return sql_error("FAILED_FUNCTION_CALL", at, b->text, "funcName", "`range`", NULL);
    }
    return NULL;
}

/* Arguments of a table function's template are constants of this query. */
static err *bind_table_call(struct binder *b, const struct ast *n, const struct ast *call, struct scope *outer, uint32_t level, struct bfrom **ret) {
    struct scope s = {.outer = outer, .level = level};
    struct cx c = {.b = b, .s = &s, .no_agg = true, .no_win = true};
    struct bx **args = arena_array_of(b->a, struct bx *, call->n + 1), *x;
    for (uint32_t i = 0; i < call->n; i++) {
        const struct ast *a = call->child[i];
        TRY(bind_expr(&c, a->kind == AST_NAMED_ARG ? a->child[0] : a, &args[i]));
    }
    if (str_eqz(call_name(b, call), "range")) TRY(check_range_args(b, call, args, call->n));
    TRY(bind_apply(&c, call_name(b, call).p, call, args, call->n, &x));
    struct rel *r = rel_new(b, RK_TEXT, x->gen ? x->gen->n : 0, level);
    (void)n;
    r->call = x;
    for (size_t i = 0; i < r->n; i++) r->cols[i] = (struct rcol){.name = x->gen->fields[i].name, .type = x->gen->fields[i].type, .nullable = x->gen->fields[i].nullable};
    *ret = bind_leaf(b, r);
    return NULL;
}

static err *bind_files(struct binder *b, const struct ast *n, const struct ast *call, struct scope *s, struct bfrom **ret) {
    struct sql_relation *t = NULL;
    if (!b->env->files) return unsupported(b, n, "read_files");
    TRY(b->env->files(b->env, call, &t));
    if (!t) return not_found(b, ast_get(call, SLOT_NAME));
    struct rel *r = bind_scan_rel(b, t, n, s->level);
    *ret = bind_leaf(b, r);
    const struct ast *alias = ast_get(n, SLOT_ALIAS);
    bind_add_scan(b, s, r, t->n, NULL, alias ? alias->text : STR_NONE, STR_NONE, STR_NONE);
    return NULL;
}

static err *bind_call_item(struct binder *b, const struct ast *n, struct scope *s, struct scope *lateral, struct bfrom *left, struct bfrom **ret) {
    const struct ast *call = ast_get(n, SLOT_CALL), *alias = ast_get(n, SLOT_ALIAS), *name = ast_get(call, SLOT_NAME);
    str low = call_name(b, call);
    size_t n_rows;
    const struct sql_func *rows = sql_func_find(low, &n_rows);
    if (str_eqz(low, "read_files") || str_eqz(low, "table_changes")) return bind_files(b, n, call, s, ret);
    struct scope *up = ast_has(n, AST_F_LATERAL) && lateral ? lateral : s->outer;
    if (rows && rows[0].kind == FN_GENERATOR) {
        struct scope gs = up ? *up : (struct scope){.level = s->level};
        struct cx c = {.b = b, .s = &gs, .no_agg = true, .no_win = true, .gen_ok = true};
        struct bx *g;
        TRY(bind_generator(&c, call, &g));
        *ret = bind_generated(b, g, up == lateral ? left : NULL, s->level);
    } else if (rows && rows[0].kind == FN_TABLE) {
        TRY(bind_table_call(b, n, call, up, s->level, ret));
    } else {
        const struct sql_function_def *f = NULL;
        if (b->env->function && name && name->kind == AST_NAME) TRY(b->env->function(b->env, name, &f));
        if (!f || !f->is_table) {
            if (rows || f) return sql_error("NOT_A_TABLE_FUNCTION", n, b->text, "functionName", ident_name(b, name).p, NULL);
            return sql_error("UNRESOLVABLE_TABLE_VALUED_FUNCTION", n, b->text, "name", ident_name(b, name).p, NULL);
        }
        struct bq *q;
        struct rel *r;
        TRY(bind_udf_table(b, up, f, call, &q));
        *ret = bind_from_bq(b, q, s->level, &r);
        r->lateral = up != NULL && up == lateral;
    }
    struct rel *r = (*ret)->rel;
    TRY(rename_cols(b, n, r));
    scope_add_rel(b, s, r, alias ? alias->text : r->kind == RK_QUERY ? low : STR_NONE, STR_NONE, STR_NONE);
    return NULL;
}

/* ---- joins ---- */

static const struct scol *using_col(struct binder *b, struct scope *s, str name, const struct ast *at, const char *side, err **e) {
    const struct scol *found = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (s->cols[i].hidden || s->cols[i].metadata || !str_ieq(s->cols[i].name, name)) continue;
        found = &s->cols[i]; /* of several the first, as with Spark */
        break;
    }
    if (!found)
        *e = sql_error("UNRESOLVED_USING_COLUMN_FOR_JOIN", at, b->text, "colName", arena_printf(b->a, "`%.*s`", STR_ARG(name)), "side", side, "suggestion", "", NULL);
    return found;
}

static struct bx *scol_x(struct binder *b, const struct scol *sc) {
    if (!sc->x) return bx_col(b, sc->rel, sc->col, sc->name);
    return sc->x;
}

static const char *join_word(str t, bool on) {
    if (str_eqz(t, "left")) return "LEFT JOIN";
    if (str_eqz(t, "right")) return "RIGHT JOIN";
    if (str_eqz(t, "full")) return "FULL JOIN";
    if (str_eqz(t, "semi")) return "SEMI JOIN";
    if (str_eqz(t, "anti")) return "ANTI JOIN";
    return on ? "INNER JOIN" : "CROSS JOIN";
}

/* The names of both sides joined by USING (or NATURAL). */
static err *join_using(struct binder *b, const struct ast *n, const str *names, size_t k, struct scope *ls, struct scope *rs, struct scope *out, struct bx **on) {
    bool full = str_eqz(n->text, "full"), right = str_eqz(n->text, "right");
    const struct scol **l = arena_array_of(b->a, const struct scol *, k + 1), **r = arena_array_of(b->a, const struct scol *, k + 1);
    for (size_t i = 0; i < k; i++) {
        err *e = NULL;
        l[i] = using_col(b, ls, names[i], n, "left", &e);
        if (e) return e;
        r[i] = using_col(b, rs, names[i], n, "right", &e);
        if (e) return e;
        struct bx *eq, *x = scol_x(b, l[i]), *y = scol_x(b, r[i]);
        TRY(bind_compare(b, "=", x, y, n, &eq));
        *on = *on ? bx_tmpl2(b, sql_type_of(TY_BOOLEAN), "({0} AND {1})", "", *on, eq) : eq;
        struct scol sc = right ? *r[i] : *l[i];
        sc.name = l[i]->name;
        if (full) {
            struct bx *both[2] = {x, y};
            const struct sql_type *t = bx_unify(b, both, 2);
            sc.x = bx_tmpl(b, t, STR("COALESCE({0}, {1})"), tmpl_text(b, sc.name), both, 2);
            sc.qual[0] = sc.qual[1] = sc.qual[2] = STR_NONE;
        }
        scope_add(b, out, sc);
    }
    for (int side = 0; side < 2; side++) {
        struct scope *s = side ? rs : ls;
        for (size_t i = 0; i < s->n; i++) {
            struct scol sc = s->cols[i];
            bool merged = false;
            for (size_t j = 0; j < k; j++) merged |= &s->cols[i] == (side ? r[j] : l[j]);
            if (merged && !full && (side ? right : !right)) continue;
            if (merged) sc.hidden = true;
            scope_add(b, out, sc);
        }
    }
    return NULL;
}

static void nulls(struct scope *s) {
    for (size_t i = 0; i < s->n; i++)
        if (s->cols[i].rel && s->cols[i].rel->cols) s->cols[i].rel->cols[s->cols[i].col].nullable = true;
}

/* Which side's rows a join's condition takes away for good: no file of them need be read that cannot meet it. */
static void prune_sides(struct binder *b, str kind, struct bx *on, const struct scope *ls, const struct scope *rs) {
    bool left = str_eqz(kind, "left") || str_eqz(kind, "anti"), right = str_eqz(kind, "right");
    if (str_eqz(kind, "full")) return;
    if (!left) bind_prune(b, on, ls);
    if (!right) bind_prune(b, on, rs);
}

err *bind_join_parts(struct binder *b, const struct ast *n, struct scope *ls, struct scope *rs, struct scope *out, struct bfrom *l, struct bfrom *r, struct bfrom **ret) {
    const struct ast *cond = ast_get(n, SLOT_ON), *using = ast_get(n, SLOT_USING);
    bool half = str_eqz(n->text, "semi") || str_eqz(n->text, "anti");
    struct bx *on = NULL;
    if (str_eqz(n->text, "left") || str_eqz(n->text, "full")) nulls(rs);
    if (str_eqz(n->text, "right") || str_eqz(n->text, "full")) nulls(ls);
    size_t first = out->n;
    if (using || ast_has(n, AST_F_NATURAL)) {
        str *names = arena_array_of(b->a, str, (using ? using->n : ls->n) + 1);
        size_t k = 0;
        for (uint32_t i = 0; using && i < using->n; i++) names[k++] = using->child[i]->text;
        for (size_t i = 0; !using && i < ls->n; i++)
            for (size_t j = 0; j < rs->n; j++)
                if (!ls->cols[i].hidden && !ls->cols[i].metadata && !rs->cols[j].hidden && str_ieq(ls->cols[i].name, rs->cols[j].name)) {
                    names[k++] = ls->cols[i].name;
                    break;
                }
        struct scope both = {.outer = out->outer, .level = out->level};
        TRY(join_using(b, n, names, k, ls, rs, &both, &on));
        struct scope *from = half ? ls : &both;
        for (size_t i = 0; i < from->n; i++) scope_add(b, out, from->cols[i]);
    } else {
        struct scope both = {.outer = out->outer, .level = out->level};
        for (size_t i = 0; i < ls->n; i++) scope_add(b, &both, ls->cols[i]);
        for (size_t i = 0; i < rs->n; i++) scope_add(b, &both, rs->cols[i]);
        if (cond) {
            struct cx c = {.b = b, .s = &both, .no_agg = true, .no_win = true, .clause = "ON"};
            TRY(bind_boolean(&c, cond, "JOIN", &on));
        }
        struct scope *from = half ? ls : &both;
        for (size_t i = 0; i < from->n; i++) scope_add(b, out, from->cols[i]);
    }
    (void)first;
    if (on) bind_note_condition(b, on);
    if (on) prune_sides(b, n->text, on, ls, rs);
    const char *word = join_word(n->text, on != NULL);
    if (!on && strcmp(word, "CROSS JOIN") != 0) on = bx_bool(b, true);
    *ret = join_of(b, l, r, word, on);
    return NULL;
}

/* A generator joined by a condition that may leave rows out. */
static bool is_conditional_generator(struct binder *b, const struct ast *join, const struct ast *right) {
    const struct ast *on = ast_get(join, SLOT_ON);
    if (right->kind != AST_FROM_CALL || !ast_has(right, AST_F_LATERAL) || !on || (on->kind == AST_LIT_BOOL && ast_has(on, AST_F_TRUE))) return false;
    size_t n;
    const struct sql_func *rows = sql_func_find(call_name(b, ast_get(right, SLOT_CALL)), &n);
    return rows && rows[0].kind == FN_GENERATOR;
}

/* FROM f(…) AS a(b) as FROM (SELECT * FROM f(…) AS a(b)) AS a: what joins with conditions take. */
static struct ast *generator_query(struct binder *b, const struct ast *call) {
    struct ast *inner = arena_new_of(b->a, struct ast), *star = ast_new(b->a, AST_STAR, call->pos, call->end), *items = ast_new(b->a, AST_LIST, call->pos, call->end),
               *select = ast_new(b->a, AST_SELECT, call->pos, call->end), *query = ast_new(b->a, AST_QUERY, call->pos, call->end),
               *from = ast_new(b->a, AST_FROM_QUERY, call->pos, call->end);
    *inner = *call;
    inner->flags &= ~(uint32_t)AST_F_LATERAL;
    ast_add(b->a, items, star);
    ast_set(b->a, select, SLOT_ITEMS, items);
    ast_set(b->a, select, SLOT_FROM, inner);
    ast_set(b->a, query, SLOT_BODY, select);
    ast_set(b->a, from, SLOT_QUERY, query);
    if (ast_get(call, SLOT_ALIAS)) ast_set(b->a, from, SLOT_ALIAS, ast_get(call, SLOT_ALIAS));
    from->flags = AST_F_LATERAL;
    return from;
}

static err *bind_join(struct binder *b, const struct ast *n, struct scope *s, struct scope *lateral, struct bfrom *left_of, struct bfrom **ret) {
    struct scope ls = {.outer = s->outer, .level = s->level}, rs = ls;
    struct bfrom *l, *r;
    TRY(bind_from_item(b, n->child[0], &ls, lateral, left_of, &l));
    struct ast *right = n->child[1];
    if (ast_has(n, AST_F_LATERAL) && !ast_has(right, AST_F_LATERAL)) {
        struct ast *copy = arena_new_of(b->a, struct ast);
        *copy = *right;
        copy->flags |= AST_F_LATERAL;
        right = copy;
    }
    struct scope *seen = arena_new_of(b->a, struct scope);
    *seen = ls;
    if (lateral) {
        for (size_t i = 0; i < lateral->n; i++) scope_add(b, seen, lateral->cols[i]);
    }
    if (is_conditional_generator(b, n, right)) right = generator_query(b, right);
    TRY(bind_from_item(b, right, &rs, seen, l, &r));
    if (r->kind == BF_GEN && r->left == l) {
        if (str_eqz(n->text, "left")) r->rel->call->outer = true;
        for (size_t i = 0; i < ls.n; i++) scope_add(b, s, ls.cols[i]);
        for (size_t i = 0; i < rs.n; i++) scope_add(b, s, rs.cols[i]);
        *ret = r;
        return NULL;
    }
    return bind_join_parts(b, n, &ls, &rs, s, l, r, ret);
}

static err *bind_group_item(struct binder *b, const struct ast *n, struct scope *s, struct scope *lateral, struct bfrom *left, struct bfrom **ret) {
    const struct ast *alias = ast_get(n, SLOT_ALIAS), *names = ast_get(n, SLOT_NAMES);
    size_t first = s->n;
    struct bfrom *f = NULL, *one;
    for (uint32_t i = 0; i < n->n; i++) {
        TRY(bind_from_item(b, n->child[i], s, lateral, left, &one));
        f = f ? join_of(b, f, one, ",", NULL) : one;
    }
    if (!f) return unsupported(b, n, "an empty FROM");
    if (alias)
        for (size_t i = first; i < s->n; i++) {
            s->cols[i].qual[0] = alias->text;
            s->cols[i].qual[1] = s->cols[i].qual[2] = STR_NONE;
            if (names && i - first < names->n) s->cols[i].name = names->child[i - first]->text;
        }
    *ret = f;
    return NULL;
}

err *bind_from_item(struct binder *b, const struct ast *n, struct scope *s, struct scope *lateral, struct bfrom *left, struct bfrom **ret) {
    switch (n->kind) {
    case AST_FROM_TABLE: return bind_table(b, n, s, ret);
    case AST_FROM_QUERY:
    case AST_FROM_VALUES: return bind_sub(b, n, s, lateral, ret);
    case AST_FROM_CALL: return bind_call_item(b, n, s, lateral, left, ret);
    case AST_JOIN: return bind_join(b, n, s, lateral, left, ret);
    case AST_FROM_GROUP:
    case AST_LIST: return bind_group_item(b, n, s, lateral, left, ret);
    case AST_PIVOT: return bind_pivot(b, n, s, ret);
    case AST_UNPIVOT: return bind_unpivot(b, n, s, ret);
    default: return unsupported(b, n, ast_kind_name((enum ast_kind)n->kind));
    }
}

err *bind_from(struct binder *b, const struct ast *list, struct scope *s, struct bfrom **ret) {
    struct bfrom *f = NULL, *one;
    bool many = list->kind == AST_LIST;
    for (uint32_t i = 0; i < (many ? list->n : 1); i++) {
        struct scope *seen = arena_new_of(b->a, struct scope);
        *seen = *s;
        TRY(bind_from_item(b, many ? list->child[i] : list, s, seen, f, &one));
        bool took = f && one->kind == BF_GEN && one->left == f;
        f = f && !took ? join_of(b, f, one, ",", NULL) : one;
    }
    *ret = f;
    return NULL;
}

err *bind_lateral_views(struct binder *b, const struct ast *views, struct scope *s, struct bfrom **from) {
    for (uint32_t i = 0; i < views->n; i++) {
        const struct ast *v = views->child[i], *names = ast_get(v, SLOT_NAMES);
        struct cx c = {.b = b, .s = s, .no_agg = true, .no_win = true, .gen_ok = true};
        struct bx *g;
        TRY(bind_expr(&c, ast_get(v, SLOT_CALL), &g));
        if (g->kind != BX_GEN) return sql_error("UNSUPPORTED_GENERATOR.NOT_GENERATOR", v, b->text, "functionName", "``", "classCanonicalName", "", NULL);
        if (ast_has(v, AST_F_OUTER)) g->outer = true;
        struct bfrom *f = bind_generated(b, g, *from, s->level);
        if (names && names->n) {
            if (names->n != f->rel->n)
                return sql_error("UDTF_ALIAS_NUMBER_MISMATCH", v, b->text, "aliasesSize", arena_printf(b->a, "%zu", f->rel->n), "aliasesNames", "", NULL);
            for (uint32_t k = 0; k < names->n; k++) f->rel->cols[k].name = names->child[k]->text;
        }
        scope_add_rel(b, s, f->rel, v->text, STR_NONE, STR_NONE);
        *from = f;
    }
    return NULL;
}
