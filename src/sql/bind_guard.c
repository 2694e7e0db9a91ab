/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables with a row filter or masks, and what keeps the rows that they hide from being told of.
 *
 * Such a table is read through a select of its own. DuckDB may evaluate a condition of the statement before the filter,
 * on rows that the filter takes away; that does no harm unless the condition fails and its error shows a value ("'abc' is
 * no INT"), or fails only for some values. So once any condition of the statement may fail (is "stormy"), the selects that
 * hide rows become barriers: they get a LIMIT that no result reaches, below which DuckDB moves no condition. Statements
 * with calm conditions only (comparisons, IN, LIKE, IS NULL of columns and constants) keep DuckDB's full freedom.
 *
 * Views that are read with the rights of another owner hide rows in the same way.
 *
 * The target of UPDATE, DELETE and MERGE also offers the masked columns' true values, under names that begin with SQL_MARK,
 * which no statement can write: rows are written back with them.
 */
#include "sql/bind.h"

/* ---- calm expressions ---- */

static bool is_word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* Only words and signs of comparisons and logic? Everything else (functions, arithmetic, casts) may fail. */
static bool calm_template(str t) {
    static const char *const words[] = {"AND", "OR", "NOT", "IS", "NULL", "IN", "LIKE", "ILIKE", "ESCAPE", "DISTINCT", "FROM", "TRUE", "FALSE",
                                        "CASE", "WHEN", "THEN", "ELSE", "END", "COALESCE"};
    for (size_t i = 0; i < t.n;) {
        char c = t.p[i];
        if (is_word_char(c)) {
            size_t from = i;
            bool known = false;
            while (i < t.n && is_word_char(t.p[i])) i++;
            str word = str_n(t.p + from, i - from);
            for (size_t k = 0; k < ARRAY_LEN(words) && !known; k++) known = str_ieq(word, str_of(words[k]));
            if (!known) return false;
            continue;
        }
        if (c == '\'') { /* a text: ESCAPE's */
            for (i++; i < t.n && t.p[i] != '\''; i++) {}
            i++;
            continue;
        }
        if (!strchr(" {}(),=<>!*", c) && !(c >= '0' && c <= '9')) return false;
        if (c == '*' && !(i && (t.p[i - 1] >= '0' && t.p[i - 1] <= '9'))) return false; /* "{1*}" is a list, " * " a product */
        i++;
    }
    return true;
}

static int integral_rank(const struct sql_type *t) {
    return t->kind == TY_TINYINT ? 1 : t->kind == TY_SMALLINT ? 2 : t->kind == TY_INT ? 3 : t->kind == TY_BIGINT ? 4 : 0;
}

static bool widening(const struct bx *x) {
    if (x->n != 1 || !str_starts(x->text, STR("CAST("))) return false;
    int from = integral_rank(x->child[0]->type), to = integral_rank(x->type);
    return from && (to >= from || x->type->kind == TY_DOUBLE);
}

static bool calm(const struct bx *x, int depth);

/* A column that stands for an expression below: DuckDB puts that expression in its place. */
static bool calm_column(const struct bx *x, int depth) {
    const struct bq *q = x->rel->kind == RK_QUERY ? x->rel->query : x->rel->kind == RK_CTE ? x->rel->cte->query : NULL;
    if (x->rel->kind == RK_SCAN) return true;
    if (x->rel->kind == RK_AGG) {
        const struct bq *agg = x->rel->agg;
        return agg && (x->col >= agg->n_keys || calm(agg->keys[x->col], depth + 1));
    }
    return q && q->kind == BQ_SELECT && x->col < q->n_items && calm(q->items[x->col], depth + 1);
}

static bool calm(const struct bx *x, int depth) {
    if (!x || depth > 50) return false;
    if (x->kind == BX_LIT) return true;
    if (x->kind == BX_COL) return x->rel && calm_column(x, depth);
    if (x->kind == BX_AGG || x->kind == BX_WIN) return true; /* computed above every filter */
    if (x->kind != BX_TMPL || !(calm_template(x->text) || widening(x))) return false;
    for (size_t i = 0; i < x->n; i++)
        if (!calm(x->child[i], depth + 1)) return false;
    return true;
}

void bind_note_condition(struct binder *b, const struct bx *x) {
    if (!b->sheltered && !b->stormy) b->stormy = !calm(x, 0);
}

/* ---- what hides rows ---- */

bool bq_hides_rows(const struct bq *q) {
    if (q->kind == BQ_VALUES) return false;
    if (q->kind == BQ_SETOP) return strcmp(q->op, "UNION ALL") != 0 || bq_hides_rows(q->left) || bq_hides_rows(q->right);
    if (q->where || q->having || q->qualify || q->aggregated || q->distinct || q->limit || q->offset) return true;
    if (!q->from) return false;
    if (q->from->kind != BF_REL) return true;
    const struct rel *r = q->from->rel;
    return r->kind == RK_QUERY ? bq_hides_rows(r->query) : r->kind != RK_SCAN;
}

/* ---- guarded tables ---- */

static err *policy_expr(struct cx *c, str text, bool filter, struct bx **ret) {
    struct ast *x;
    str kept = c->b->text;
    bool (*variable)(struct sql_env *, const struct ast *, struct sql_variable *) = c->b->env->variable;
    c->b->env->variable = NULL; /* a column that is gone is not what the reader calls by its name */
    c->b->text = STR(""); /* no error shows it */
    c->b->sheltered++;
    err *e = sql_parse_resolved(c->b->a, text, &x);
    if (!e) e = filter ? bind_boolean(c, x, "WHERE", ret) : bind_expr(c, x, ret);
    c->b->sheltered--;
    c->b->env->variable = variable;
    c->b->text = kept;
    return e;
}

err *bind_guarded(struct binder *b, const struct sql_relation *t, const struct ast *from, struct bq **ret) {
    struct bq *q = bq_new(b, BQ_SELECT);
    struct scope s = {.level = q->level};
    struct rel *r = bind_scan_rel(b, t, from, q->level);
    struct cx c = {.b = b, .s = &s, .no_agg = true, .no_win = true};
    size_t n = r->n, raw = 0;
    bind_add_scan(b, &s, r, t->n, NULL, t->name, t->schema, t->catalog);
    if (r->row_ids && t->masks)
        for (size_t i = 0; i < t->n; i++) raw += t->masks[i].n > 0;
    q->from = bind_leaf(b, r);
    q->items = arena_array_of(b->a, struct bx *, n + raw + 1);
    q->n_items = n + raw;
    q->barrier = t->row_filter.n > 0;
    b->secured = true;
    bq_set_output(b, q, n + raw);
    size_t at = n;
    for (size_t i = 0; i < n; i++) {
        q->items[i] = bx_col(b, r, i, r->cols[i].name);
        q->cols[i] = r->cols[i];
        if (i == t->n && t->masks) q->items[i] = bx_null(b, r->cols[i].type); /* _metadata: folders are named by partition values */
        if (i >= t->n || !t->masks || !t->masks[i].n) continue;
        if (raw) {
            q->items[at] = q->items[i];
            q->cols[at] = r->cols[i];
            q->cols[at++].name = sql_raw_name(b->a, r->cols[i].name);
        }
        TRY(policy_expr(&c, t->masks[i], false, &q->items[i]));
        q->items[i] = bx_cast(b, q->items[i], r->cols[i].type);
    }
    if (t->row_filter.n) TRY(policy_expr(&c, t->row_filter, true, &q->where));
    *ret = q;
    return NULL;
}

str sql_raw_name(arena *a, str column) { return str_of(arena_printf(a, "%c%.*s", SQL_MARK, STR_ARG(column))); }
