/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries as DuckDB text. A block's expressions are written before its FROM, and FROM from right to left, so that what
 * is written last knows which of its columns anybody wanted.
 */
#include "sql/bind.h"

static void emit_from(struct binder *b, struct bfrom *f, buf *out);
static void emit_body(struct binder *b, struct bq *q, const struct rcol *want, buf *out);

static bool wanted(const struct rcol *want, size_t i, size_t n) { return !want || i >= n || want[i].used; }

/* ---- from ---- */

static void emit_scan(struct binder *b, struct rel *r, buf *out) {
    bool *used = arena_array_of(b->a, bool, r->n + 1);
    for (size_t i = 0; i < r->n; i++) used[i] = r->cols[i].used;
    /* Behind the table's own columns stands _metadata (scan_rel). */
    r->file_metadata |= r->n > r->table->n && r->cols[r->table->n].used;
    struct sql_scan_ask ask = {.rel = r->table, .from = r->from, .used = used, .row_ids = r->row_ids,
                               .file_metadata = r->cols[r->table->n].used, .prune = r->prune, .n_prune = r->n_prune, .limit = r->limit - 1,
                               .order = r->order, .n_order = r->n_order};
    err *e = b->env->scan(b->env, &ask, out);
    if (e && !b->emit_error)
        b->emit_error = e;
    else
        err_free(e);
    buf_fmt(out, " AS t%u", r->id);
    buf_str(out, r->sample);
}

static void emit_cte_ref(struct rel *r, buf *out) {
    struct cte *c = r->cte;
    for (size_t i = 0; i < r->n; i++)
        if (r->cols[i].used) c->cols[i].used = true;
    c->referenced = true;
    buf_fmt(out, "w%u AS t%u", c->id, r->id);
    buf_str(out, r->sample);
}

/* The rows of a generator beside those that it was made from: one select that unnests. */
static void emit_generated(struct binder *b, struct bfrom *f, buf *out) {
    struct rel *r = f->rel;
    buf *list = sql_buf(b->a), *head = sql_buf(b->a), *from = sql_buf(b->a);
    r->open = true;
    emit_expr(b, r->call, list);
    for (size_t i = 0; i < f->n_inside; i++) {
        struct rel *in = f->inside[i];
        for (size_t j = 0; j < in->n; j++) {
            if (!in->cols[j].used) continue;
            struct bx col = {.kind = BX_COL, .rel = in, .col = j, .type = in->cols[j].type};
            emit_expr(b, &col, head);
            buf_fmt(head, " AS t%u_%zu, ", in->id, j);
        }
    }
    buf_z(out, "(SELECT ");
    buf_str(out, buf_view(head));
    if (r->call->outer)
        buf_fmt(out, "unnest(CASE WHEN len(%.*s) > 0 THEN %.*s ELSE [NULL] END) AS g", (int)list->n,
                list->p, (int)list->n, list->p);
    else
        buf_fmt(out, "unnest(%.*s) AS g", (int)list->n, list->p);
    if (f->left) {
        emit_from(b, f->left, from);
        buf_z(out, " FROM ");
        buf_str(out, buf_view(from));
    }
    buf_fmt(out, ") AS t%u", r->id);
    r->open = false;
}

static void emit_rel(struct binder *b, struct bfrom *f, buf *out) {
    struct rel *r = f->rel;
    switch (r->kind) {
    case RK_SCAN: emit_scan(b, r, out); return;
    case RK_CTE: emit_cte_ref(r, out); return;
    case RK_QUERY:
        if (r->lateral) buf_z(out, "LATERAL ");
        buf_c(out, '(');
        if (r->query->barrier && b->stormy) buf_z(out, "SELECT * FROM (");
        emit_body(b, r->query, r->cols, out);
        if (r->query->barrier && b->stormy) buf_z(out, ") AS b LIMIT 9223372036854775807");
        buf_fmt(out, ") AS t%u", r->id);
        buf_str(out, r->sample);
        return;
    default:
        if (r->lateral) buf_z(out, "LATERAL ");
        buf_c(out, '(');
        emit_expr(b, r->call, out);
        buf_fmt(out, ") AS t%u", r->id);
        buf_str(out, r->sample);
        return;
    }
}

/* DuckDB's outer joins take no subquery in ON: a lateral query of the side that may be missing does. */
static bool emit_lateral(const struct bfrom *f, str l, str r, str on, buf *out) {
    bool left = strcmp(f->join, "LEFT JOIN") == 0, right = strcmp(f->join, "RIGHT JOIN") == 0;
    bool semi = strcmp(f->join, "SEMI JOIN") == 0, anti = strcmp(f->join, "ANTI JOIN") == 0;
    const struct bfrom *inner = right ? f->left : f->right;
    if (!f->on || !f->on->has_sub || inner->kind != BF_REL || inner->rel->lateral || !(left || right || semi || anti)) return false;
    unsigned id = inner->rel->id;
    buf_str(out, right ? r : l);
    buf_z(out, semi || anti ? " JOIN LATERAL (SELECT count(*) AS n FROM " : " LEFT JOIN LATERAL (SELECT * FROM ");
    buf_str(out, right ? l : r);
    buf_z(out, " WHERE ");
    buf_str(out, on);
    buf_fmt(out, ") AS t%u ON ", id);
    if (semi || anti)
        buf_fmt(out, "t%u.n %s 0", id, semi ? ">" : "=");
    else
        buf_z(out, "TRUE");
    return true;
}

/* Do all columns that x mentions, in its subqueries too, belong to r? */
static bool only_of(const struct bx *x, const struct rel *r, int depth) {
    if (depth > 200) return false;
    if (x->kind == BX_COL && x->rel != r) return false;
    for (size_t i = 0; i < x->n_outers; i++)
        if (x->outers[i]->kind != BX_COL || x->outers[i]->rel != r) return false;
    for (size_t i = 0; i < x->n; i++)
        if (!only_of(x->child[i], r, depth + 1)) return false;
    return true;
}

/*
 * A full join's condition, conjunct by conjunct: those with subqueries that look at one side's columns alone become a column of that
 * side. head: l and r, what the sides' selects yield besides their own columns. False: a subquery looks at both sides.
 */
static bool full_condition(struct binder *b, struct bx *x, const struct bfrom *f, size_t *count, buf *on, buf *const head[2]) {
    if (x->kind == BX_TMPL && x->n == 2 && str_eqz(x->text, "({0} AND {1})"))
        return full_condition(b, x->child[0], f, count, on, head) && full_condition(b, x->child[1], f, count, on, head);
    buf_z(on, on->n ? " AND " : "");
    if (!x->has_sub) {
        emit_expr(b, x, on);
        return true;
    }
    const struct rel *sides[2] = {f->left->rel, f->right->rel};
    size_t s = only_of(x, sides[0], 0) ? 0 : 1;
    if (s == 1 && !only_of(x, sides[1], 0)) return false;
    buf_z(head[s], ", ");
    emit_expr(b, x, head[s]);
    buf_fmt(head[s], " AS on%zu", *count);
    buf_fmt(on, "t%u.on%zu", sides[s]->id, (*count)++);
    return true;
}

static void emit_full_side(struct binder *b, struct bfrom *f, const buf *head, buf *out) {
    if (!head->n) {
        emit_from(b, f, out);
        return;
    }
    buf_fmt(out, "(SELECT t%u.*%.*s FROM ", f->rel->id, (int)head->n, head->p);
    emit_from(b, f, out);
    buf_fmt(out, ") AS t%u", f->rel->id);
}

static bool emit_full(struct binder *b, struct bfrom *f, buf *out) {
    if (!f->on || !f->on->has_sub || strcmp(f->join, "FULL JOIN") != 0 || f->left->kind != BF_REL || f->right->kind != BF_REL) return false;
    buf *on = sql_buf(b->a), *r = sql_buf(b->a), *head[2] = {sql_buf(b->a), sql_buf(b->a)};
    size_t count = 0;
    if (!full_condition(b, f->on, f, &count, on, head)) return false;
    emit_full_side(b, f->right, head[1], r);
    emit_full_side(b, f->left, head[0], out);
    buf_fmt(out, " FULL JOIN %.*s ON %.*s", (int)r->n, r->p, (int)on->n, on->p);
    return true;
}

static void emit_join(struct binder *b, struct bfrom *f, buf *out) {
    if (emit_full(b, f, out)) return;
    buf *l = sql_buf(b->a), *r = sql_buf(b->a), *on = sql_buf(b->a);
    if (f->on) emit_expr(b, f->on, on);
    emit_from(b, f->right, r);
    emit_from(b, f->left, l);
    if (emit_lateral(f, buf_view(l), buf_view(r), buf_view(on), out)) return;
    buf_str(out, buf_view(l));
    buf_fmt(out, " %s ", f->join);
    bool group = f->right->kind == BF_JOIN;
    if (group) buf_c(out, '(');
    buf_str(out, buf_view(r));
    if (group) buf_c(out, ')');
    if (f->on) {
        buf_z(out, " ON ");
        buf_str(out, buf_view(on));
    }
}

static void emit_from(struct binder *b, struct bfrom *f, buf *out) {
    if (f->kind == BF_REL)
        emit_rel(b, f, out);
    else if (f->kind == BF_GEN)
        emit_generated(b, f, out);
    else
        emit_join(b, f, out);
}

/* ---- select ---- */

static void emit_collate_key(struct binder *b, struct bx *x, buf *out) {
    buf_z(out, "bh_collate_key(");
    emit_expr(b, x, out);
    buf_z(out, ", ");
    sql_quote(out, x->type->collation);
    buf_c(out, ')');
}

/* SELECT DISTINCT: by the keys of collations, where there are any. */
static void emit_distinct(struct binder *b, struct bq *q, buf *out) {
    bool any = false;
    for (size_t i = 0; i < q->n; i++) any |= bx_is_collated(q->items[i]);
    buf_z(out, any ? "DISTINCT ON (" : "DISTINCT ");
    for (size_t i = 0; any && i < q->n; i++) {
        if (i) buf_z(out, ", ");
        if (bx_is_collated(q->items[i]))
            emit_collate_key(b, q->items[i], out);
        else
            emit_expr(b, q->items[i], out);
    }
    if (any) buf_z(out, ") ");
}

static void emit_sets(struct binder *b, struct bq *q, buf *out) {
    buf_z(out, " GROUP BY GROUPING SETS (");
    for (size_t s = 0; s < q->n_sets; s++) {
        buf_z(out, s ? ", (" : "(");
        bool first = true;
        for (size_t k = 0; k < q->n_keys; k++) {
            if (!(q->sets[s] >> k & 1)) continue;
            if (!first) buf_z(out, ", ");
            if (bx_is_collated(q->keys[k]))
                emit_collate_key(b, q->keys[k], out);
            else
                emit_expr(b, q->keys[k], out);
            first = false;
        }
        buf_c(out, ')');
    }
    buf_c(out, ')');
}

static void emit_group(struct binder *b, struct bq *q, buf *out) {
    if (q->has_sets) {
        emit_sets(b, q, out);
        return;
    }
    for (size_t k = 0; k < q->n_keys; k++) {
        buf_z(out, k ? ", " : " GROUP BY ");
        if (bx_is_collated(q->keys[k]))
            emit_collate_key(b, q->keys[k], out);
        else if (q->staged)
            buf_fmt(out, "%zu", k + 1);
        else
            emit_expr(b, q->keys[k], out);
    }
}

static void emit_tail_from(struct binder *b, struct bq *q, buf *out) {
    buf *where = sql_buf(b->a), *from = sql_buf(b->a);
    if (q->where) emit_expr(b, q->where, where);
    if (q->from) emit_from(b, q->from, from);
    if (q->from) {
        buf_z(out, " FROM ");
        buf_str(out, buf_view(from));
    }
    if (q->where) {
        buf_z(out, " WHERE ");
        buf_str(out, buf_view(where));
    }
}

/* Maps are grouped by their entries, in whatever order they came: text is an expression of type t. */
static void emit_sorted_maps(struct binder *b, const struct sql_type *t, str text, int depth, buf *out) {
    str inner = sql_fmt(b->a, "m%d", depth);
    if (!sql_type_has(t, TY_MAP)) {
        buf_str(out, text);
    } else if (t->kind == TY_ARRAY) {
        buf_fmt(out, "list_transform(%.*s, lambda %s: ", STR_ARG(text), inner.p);
        emit_sorted_maps(b, t->elem, inner, depth + 1, out);
        buf_c(out, ')');
    } else if (t->kind == TY_MAP) {
        buf_fmt(out, "map_from_entries(list_sort(list_transform(map_entries(%.*s), lambda %s: {'key': ", STR_ARG(text), inner.p);
        emit_sorted_maps(b, t->key, sql_fmt(b->a, "%s.key", inner.p), depth + 1, out);
        buf_z(out, ", 'value': ");
        emit_sorted_maps(b, t->elem, sql_fmt(b->a, "%s.value", inner.p), depth + 1, out);
        buf_z(out, "})))");
    } else {
        buf_fmt(out, "list_transform([%.*s], lambda %s: CASE WHEN %s IS NOT NULL THEN {", STR_ARG(text), inner.p, inner.p);
        for (size_t i = 0; i < t->n; i++) {
            buf_fmt(out, "%s'f%zu': ", i ? ", " : "", i);
            emit_sorted_maps(b, t->fields[i].type, sql_fmt(b->a, "%s.f%zu", inner.p, i), depth + 1, out);
        }
        buf_z(out, "} END)[1]");
    }
}

static void emit_key(struct binder *b, struct bx *x, buf *out) {
    buf *plain = sql_buf(b->a);
    emit_expr(b, x, plain);
    emit_sorted_maps(b, x->type, buf_view(plain), 0, out);
}

/* The inner select of a staged aggregation: keys and aggregates as columns. */
static void emit_stage(struct binder *b, struct bq *q, buf *out) {
    buf *head = sql_buf(b->a), *group = sql_buf(b->a);
    for (size_t i = 0; i < q->n_keys; i++) {
        bool coll = bx_is_collated(q->keys[i]); /* one of those that are equal stands for all */
        if (i) buf_z(head, ", ");
        if (coll && q->has_sets) {
            buf_z(head, "CASE WHEN GROUPING(");
            emit_collate_key(b, q->keys[i], head);
            buf_z(head, ") = 0 THEN ");
        }
        if (coll) buf_z(head, "first(");
        emit_key(b, q->keys[i], head);
        buf_fmt(head, "%s%s AS c%zu", coll ? ")" : "", coll && q->has_sets ? " END" : "", i);
    }
    for (size_t i = 0; i < q->n_aggs; i++) {
        if (head->n) buf_z(head, ", ");
        emit_expr(b, q->aggs[i], head);
        buf_fmt(head, " AS c%zu", q->n_keys + i);
    }
    if (!head->n) buf_z(head, "1 AS c0");
    emit_group(b, q, group);
    buf_z(out, "SELECT ");
    buf_str(out, buf_view(head));
    emit_tail_from(b, q, out);
    buf_str(out, buf_view(group));
    /* A global aggregation without any aggregate still has one row. */
    if (q->n_keys == 0 && q->n_aggs == 0) buf_z(out, " LIMIT 1");
}

static void emit_sort_key(struct binder *b, const struct bsort *o, buf *out) {
    if (bx_is_collated(o->x)) {
        emit_collate_key(b, o->x, out);
        return;
    }
    /* A bare number would be a position. */
    if (o->x->kind == BX_LIT) buf_c(out, '(');
    emit_expr(b, o->x, out);
    if (o->x->kind == BX_LIT) buf_z(out, " IS NULL)");
}

static void emit_query_order(struct binder *b, struct bq *q, const size_t *place, buf *out) {
    for (size_t i = 0; i < q->n_order; i++) {
        const struct bsort *o = &q->order[i];
        buf_z(out, i ? ", " : " ORDER BY ");
        bool coll = sql_is_text(o->x->type) && o->x->type->collation.n;
        if (o->item >= 0 && place[o->item] && !coll)
            buf_fmt(out, "%zu", place[o->item]);
        else
            emit_sort_key(b, o, out);
        buf_fmt(out, "%s%s", o->desc ? " DESC" : " ASC", o->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void emit_limit(struct binder *b, struct bq *q, buf *out) {
    if (q->limit) {
        buf_z(out, " LIMIT ");
        emit_expr(b, q->limit, out);
    }
    if (q->offset) {
        buf_z(out, " OFFSET ");
        emit_expr(b, q->offset, out);
    }
}

static void emit_items(struct binder *b, struct bq *q, const struct rcol *want, size_t *place, buf *out) {
    size_t count = 0;
    for (size_t i = 0; i < q->n_items; i++) {
        if (!q->distinct && !q->gen && i < q->n && !wanted(want, i, q->n)) continue;
        if (count++) buf_z(out, ", ");
        place[i] = count;
        struct bx *x = q->items[i];
        if (x->kind == BX_GEN) {
            buf *l = sql_buf(b->a);
            buf_str(l, STR(""));
            emit_expr(b, x, l);
            if (x->outer)
                buf_fmt(out, "unnest(CASE WHEN len(%.*s) > 0 THEN %.*s ELSE [NULL] END)", (int)l->n, l->p,
                        (int)l->n, l->p);
            else
                buf_fmt(out, "unnest(%.*s)", (int)l->n, l->p);
        } else {
            emit_expr(b, x, out);
        }
        buf_fmt(out, " AS c%zu", i);
    }
    if (!count) buf_z(out, "1 AS z");
}

static size_t conjuncts(const struct bx *x) {
    if (!x) return 0;
    if (x->kind == BX_TMPL && str_eqz(x->text, "({0} AND {1})")) return conjuncts(x->child[0]) + conjuncts(x->child[1]);
    return 1;
}

static bool small_number(const struct bx *x, int64_t *ret) {
    *ret = 0;
    return !x || (x->kind == BX_LIT && x->text.p && str_to_i64(x->text, ret) && *ret >= 0 && *ret < INT32_MAX);
}

/* The scan's columns by which a block orders, if it does by nothing else and upwards. */
static bool plain_order(struct binder *b, const struct bq *q, struct rel *scan) {
    scan->order = arena_array_of(b->a, size_t, q->n_order + 1);
    for (size_t i = 0; i < q->n_order; i++) {
        const struct bx *x = q->order[i].x;
        if (x->kind != BX_COL || x->rel != scan || x->col >= scan->table->n || q->order[i].desc) return false;
        if (sql_is_text(x->type) && x->type->collation.n) return false;
        scan->order[i] = x->col;
    }
    scan->n_order = q->n_order;
    return true;
}

/* A block that only cuts one scan's rows off tells the scan so: what control makes need not be made in full. */
static void pass_limit(struct binder *b, const struct bq *q) {
    int64_t limit, offset;
    if (!q->limit || !small_number(q->limit, &limit) || !small_number(q->offset, &offset)) return;
    if (!q->from || q->from->kind != BF_REL || q->from->rel->kind != RK_SCAN || q->from->rel->sample.n) return;
    if (q->aggregated || q->having || q->qualify || q->distinct || q->gen) return;
    for (size_t i = 0; i < q->n_items; i++)
        if (q->items[i]->has_win || q->items[i]->has_gen || q->items[i]->has_sub) return;
    if (conjuncts(q->where) == q->from->rel->n_prune && plain_order(b, q, q->from->rel)) q->from->rel->limit = limit + offset + 1;
}

static void emit_select(struct binder *b, struct bq *q, const struct rcol *want, buf *out) {
    buf *head = sql_buf(b->a), *tail = sql_buf(b->a), *order = sql_buf(b->a);
    size_t *place = arena_array_of(b->a, size_t, q->n_items + 1);
    emit_items(b, q, want, place, head);
    bool flat = q->aggregated && !q->staged;
    pass_limit(b, q);
    if (flat) emit_group(b, q, tail);
    if (q->having) {
        buf_z(tail, flat ? " HAVING " : " WHERE ");
        emit_expr(b, q->having, tail);
    } else if (flat && q->n_keys == 0 && q->n_aggs == 0 && !q->has_sets) {
        /* GROUP BY () without aggregates: one row. */
        buf_z(tail, " HAVING count(*) >= 0");
    }
    if (q->qualify) {
        buf_z(tail, " QUALIFY ");
        emit_expr(b, q->qualify, tail);
    }
    emit_query_order(b, q, place, order);
    emit_limit(b, q, order);
    buf_z(out, "SELECT ");
    if (q->distinct) emit_distinct(b, q, out);
    buf_str(out, buf_view(head));
    if (q->aggregated && q->staged) {
        buf_z(out, " FROM (");
        emit_stage(b, q, out);
        buf_fmt(out, ") AS t%u", q->aggrel->id);
    } else {
        emit_tail_from(b, q, out);
    }
    buf_str(out, buf_view(tail));
    buf_str(out, buf_view(order));
}

static void emit_values(struct binder *b, struct bq *q, buf *out) {
    buf_z(out, "SELECT * FROM (VALUES ");
    for (size_t i = 0; i < q->n_rows; i++) {
        buf_z(out, i ? ", (" : "(");
        for (size_t j = 0; j < q->n; j++) {
            if (j) buf_z(out, ", ");
            emit_expr(b, q->rows[i][j], out);
        }
        buf_c(out, ')');
    }
    buf_fmt(out, ") AS v(");
    for (size_t j = 0; j < q->n; j++) buf_fmt(out, "%sc%zu", j ? ", " : "", j);
    buf_c(out, ')');
}

/* ---- with ---- */

static void emit_cte(struct binder *b, struct cte *c, buf *out) {
    buf_fmt(out, "w%u", c->id);
    if (!c->recursive) {
        buf_z(out, " AS (");
        emit_body(b, c->query, c->cols, out);
        buf_c(out, ')');
        return;
    }
    buf_c(out, '(');
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%sc%zu", i ? ", " : "", i);
    if (!c->all || c->max_level < 0) {
        buf_z(out, ") AS ((");
        emit_body(b, c->query, NULL, out);
        buf_z(out, c->all ? ") UNION ALL (" : ") UNION (");
        emit_body(b, c->step, NULL, out);
        buf_z(out, "))");
        return;
    }
    /* Two columns count the rounds and the rows so far; what each round asks first is how far it has come. */
    buf_z(out, ", rounds, so_far) AS ((SELECT *, 0, CAST(0 AS BIGINT) FROM (");
    emit_body(b, c->query, NULL, out);
    buf_z(out, ")) UNION ALL (SELECT *, (SELECT CASE WHEN max(rounds) >= ");
    buf_fmt(out, "%lld THEN error('[RECURSION_LEVEL_LIMIT_EXCEEDED] {\"levelLimit\":\"%lld\"}') ELSE max(rounds) + 1 END FROM w%u), ",
            (long long)c->max_level, (long long)c->max_level, c->id);
    buf_fmt(out, "(SELECT CASE WHEN max(so_far) + count(*) > %lld THEN error('[RECURSION_ROW_LIMIT_EXCEEDED] {\"rowLimit\":\"%lld\"}') "
                 "ELSE max(so_far) + count(*) END FROM w%u) FROM (", (long long)c->max_rows, (long long)c->max_rows, c->id);
    emit_body(b, c->step, NULL, out);
    buf_z(out, ")))");
}

/* Can columns be left out of it one by one? */
static bool prunable(const struct bq *q) {
    if (q->kind == BQ_SETOP)
        return q->n_ctes == 0 && strcmp(q->op, "UNION ALL") == 0 && prunable(q->left) && prunable(q->right);
    return q->kind == BQ_SELECT && !q->distinct && !q->gen;
}

/* UNION, EXCEPT and INTERSECT of strings with collations: both sides' rows in groups of what is equal, counted by side. */
static void emit_collated_setop(struct binder *b, struct bq *q, buf *out) {
    bool all = strstr(q->op, "ALL") != NULL, except = strncmp(q->op, "EXCEPT", 6) == 0, both = strncmp(q->op, "INTERSECT", 9) == 0;
    if (all) {
        buf_z(out, "SELECT ");
        for (size_t i = 0; i < q->n; i++) buf_fmt(out, "%sg.c%zu", i ? ", " : "", i);
        buf_z(out, " FROM (");
    }
    buf_z(out, "SELECT ");
    for (size_t i = 0; i < q->n; i++) buf_fmt(out, "%sarg_min(s.c%zu, s.side) AS c%zu", i ? ", " : "", i, i);
    if (all) buf_fmt(out, ", %s(count(*) FILTER (WHERE s.side = 0)%s count(*) FILTER (WHERE s.side = 1)) AS n", both ? "least" : "", both ? "," : " -");
    buf_z(out, " FROM (SELECT *, 0 AS side FROM (");
    emit_body(b, q->left, NULL, out);
    buf_z(out, ") UNION ALL SELECT *, 1 FROM (");
    emit_body(b, q->right, NULL, out);
    buf_z(out, ")) AS s GROUP BY ");
    for (size_t i = 0; i < q->n; i++) {
        const struct sql_type *t = q->cols[i].type;
        buf_z(out, i ? ", " : "");
        if (sql_is_text(t) && t->collation.n) {
            buf_fmt(out, "bh_collate_key(s.c%zu, ", i);
            sql_quote(out, t->collation);
            buf_c(out, ')');
        } else {
            buf_fmt(out, "s.c%zu", i);
        }
    }
    if (all)
        buf_z(out, ") AS g, LATERAL (SELECT unnest(range(g.n)))");
    else if (except || both)
        buf_fmt(out, " HAVING min(s.side) = 0 AND max(s.side) = %d", both);
}

static bool is_collated_setop(const struct bq *q) {
    if (q->kind != BQ_SETOP || strcmp(q->op, "UNION ALL") == 0) return false;
    for (size_t i = 0; i < q->n; i++)
        if (sql_is_text(q->cols[i].type) && q->cols[i].type->collation.n) return true;
    return false;
}

static void emit_plain(struct binder *b, struct bq *q, const struct rcol *want, buf *out) {
    if (q->kind == BQ_VALUES) {
        emit_values(b, q, out);
    } else if (is_collated_setop(q)) {
        emit_collated_setop(b, q, out);
    } else if (q->kind == BQ_SETOP) {
        const struct rcol *pass = prunable(q) ? want : NULL;
        buf_c(out, '(');
        emit_body(b, q->left, pass, out);
        buf_fmt(out, ") %s (", q->op);
        emit_body(b, q->right, pass, out);
        buf_c(out, ')');
    } else {
        emit_select(b, q, want, out);
    }
}

static void emit_body(struct binder *b, struct bq *q, const struct rcol *want, buf *out) {
    if (q->n_ctes == 0) {
        emit_plain(b, q, want, out);
        return;
    }
    buf *body = sql_buf(b->a);
    buf **texts = arena_array_of(b->a, buf *, q->n_ctes);
    emit_plain(b, q, want, body);
    for (size_t i = q->n_ctes; i-- > 0;) {
        texts[i] = sql_buf(b->a);
        if (q->ctes[i]->referenced) emit_cte(b, q->ctes[i], texts[i]);
    }
    bool first = true;
    for (size_t i = 0; i < q->n_ctes; i++) {
        if (!q->ctes[i]->referenced) continue;
        buf_z(out, first ? (q->ctes_recursive ? "WITH RECURSIVE " : "WITH ") : ", ");
        buf_str(out, buf_view(texts[i]));
        first = false;
    }
    if (!first) buf_c(out, ' ');
    buf_str(out, buf_view(body));
}

void emit_query(struct binder *b, struct bq *q, buf *out) { emit_body(b, q, NULL, out); }
