/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MERGE INTO: one join of target and source says of every pair, every row of the source alone and (if a clause asks) every row of the
 * target alone, which clause takes it: its number, 0 for none.
 *
 *   columns of the query: c0 _bh_file, c1 _bh_row, c2 clause, c3 … the new value of each column, then old ones for the feed
 *
 * The value of a column is CASE clause WHEN k THEN (clause k's expression) … END. A row of the target that two rows of the source
 * change is an error, unless the only thing that may happen to it is an unconditional delete.
 */
#include <stdio.h>
#include <string.h>

#include "engine/worker/dml_int.h"
#include "sys/clock.h"

#define SOURCE_MARK "_bh_src"

struct merge {
    struct dml_x *x;
    const struct ast *s;
    str target, source;          /* names that columns are qualified by */
    const struct ast *from;      /* the source with its alias */
    struct sql_compiled src;     /* its columns, for stars */
};

static struct ast *number(struct merge *m, long n) { return ast_text(m->x->a, AST_LIT_NUMBER, str_of(arena_printf(m->x->a, "%ld", n))); }

static struct ast *qualified(struct merge *m, str table, str name) {
    str parts[] = {table, name};
    return ast_column(m->x->a, parts, 2);
}

static struct ast *not_null(struct merge *m, struct ast *x, bool not) {
    struct ast *n = ast_text(m->x->a, AST_IS, STR("null"));
    if (not) n->flags |= AST_F_NOT;
    ast_add(m->x->a, n, x);
    return n;
}

static struct ast *both(struct merge *m, struct ast *a, struct ast *b) {
    if (!b) return a;
    struct ast *n = ast_text(m->x->a, AST_BINARY, STR("and"));
    ast_add(m->x->a, n, a);
    ast_add(m->x->a, n, b);
    return n;
}

/* Which side of the join a clause is about. */
static struct ast *side_of(struct merge *m, const struct ast *w) {
    struct ast *t = qualified(m, m->target, STR("_bh_file")), *s = qualified(m, m->source, STR(SOURCE_MARK));
    if (str_eqz(w->text, "matched")) return both(m, not_null(m, t, true), not_null(m, s, true));
    return str_eqz(w->text, "not_matched") ? not_null(m, t, false) : not_null(m, s, false);
}

static struct ast *clause_case(struct merge *m) {
    struct ast *c = ast_new(m->x->a, AST_CASE, 0, 0);
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct ast *w = m->s->child[i];
        ast_add(m->x->a, c, both(m, side_of(m, w), ast_get(w, SLOT_COND)));
        ast_add(m->x->a, c, number(m, (long)i + 1));
    }
    ast_set(m->x->a, c, SLOT_ELSE, number(m, 0));
    return c;
}

/* ---- values ---- */

static ptrdiff_t source_column(struct merge *m, str name) {
    for (size_t i = 0; i < m->src.n; i++)
        if (str_ieq(m->src.cols[i].name, name)) return (ptrdiff_t)i;
    return -1;
}

static err *no_column(struct merge *m, const struct ast *at, str name) {
    return sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", at, m->x->d->text, "objectName", arena_printf(m->x->a, "`%.*s`", STR_ARG(name)), NULL);
}

static err *update_value(struct merge *m, const struct ast *act, size_t col, struct ast **ret) {
    const struct sql_field *f = &m->x->cols[col];
    bool known = dml_column(m->x->t->cols, m->x->t->n, f->name) >= 0;
    struct ast *keep = known ? qualified(m, m->target, dml_true_name(m->x, f->name)) : ast_new(m->x->a, AST_LIT_NULL, 0, 0);
    if (ast_has(act, AST_F_ALL)) {
        bool there = source_column(m, f->name) >= 0;
        /* Without evolution every column must be in the source. */
        if (!there && !dml_evolves(m->x, m->s) && !dml_is_generated(f)) return no_column(m, act, f->name);
        *ret = there ? qualified(m, m->source, f->name) : keep;
        return NULL;
    }
    bool any;
    TRY(dml_assigned(m->x, col, m->target, ast_get(act, SLOT_ITEMS), ret, &any));
    if (!any) *ret = keep;
    return NULL;
}

static err *insert_value(struct merge *m, const struct ast *act, size_t col, struct ast **ret) {
    const struct sql_field *f = &m->x->cols[col];
    const struct ast *names = ast_get(act, SLOT_NAMES), *values = ast_get(act, SLOT_VALUES);
    *ret = NULL;
    if (ast_has(act, AST_F_ALL)) {
        if (source_column(m, f->name) >= 0)
            *ret = qualified(m, m->source, f->name);
        else if (!dml_evolves(m->x, m->s) && !dml_is_generated(f) && str_find(f->metadata, STR("CURRENT_DEFAULT")) < 0)
            return no_column(m, act, f->name);
    } else if (names) {
        if (names->n != values->n)
            return sql_error("INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS", act, m->x->d->text, "tableName", dml_z(m->x, m->x->full_name),
                             "tableColumns", "", "dataColumns", "", NULL);
        for (uint32_t i = 0; i < names->n; i++)
            if (str_ieq(names->child[i]->child[names->child[i]->n - 1]->text, f->name)) *ret = values->child[i];
    } else if (col < values->n) {
        *ret = values->child[col];
    }
    if (!*ret || ast_is(*ret, AST_DEFAULT)) return dml_default(m->x, f, ret);
    return NULL;
}

/* Is a generated column left to its expression by every clause that makes rows? */
static bool made(struct merge *m, size_t col) {
    const struct sql_field *f = &m->x->cols[col];
    if (!dml_is_generated(f)) return false;
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct ast *act = ast_get(m->s->child[i], SLOT_ACTION);
        if (ast_has(act, AST_F_ALL) && source_column(m, f->name) >= 0) return false;
        const struct ast *names = ast_get(act, SLOT_NAMES), *sets = ast_get(act, SLOT_ITEMS);
        for (uint32_t k = 0; names && k < names->n; k++)
            if (str_ieq(names->child[k]->child[names->child[k]->n - 1]->text, f->name)) return false;
        for (uint32_t k = 0; sets && k < sets->n; k++) {
            const struct ast *name = sets->child[k]->child[0];
            if (str_ieq(name->child[name->n - 1]->text, f->name)) return false;
        }
    }
    return true;
}

static err *value_case(struct merge *m, size_t col, struct ast **ret) {
    struct ast *c = ast_new(m->x->a, AST_CASE, 0, 0);
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct ast *act = ast_get(m->s->child[i], SLOT_ACTION);
        struct ast *value = NULL;
        if (str_eqz(act->text, "update"))
            TRY(update_value(m, act, col, &value));
        else if (str_eqz(act->text, "insert"))
            TRY(insert_value(m, act, col, &value));
        else
            continue;
        struct ast *none = ast_new(m->x->a, AST_BINARY, 0, 0);
        none->text = STR("=");
        ast_add(m->x->a, none, dml_col(m->x->a, "_bh_clause"));
        ast_add(m->x->a, none, number(m, (long)i + 1));
        ast_add(m->x->a, c, none);
        ast_add(m->x->a, c, value);
    }
    if (!c->n) {
        bool known = dml_column(m->x->t->cols, m->x->t->n, m->x->cols[col].name) >= 0;
        *ret = known ? qualified(m, m->target, dml_true_name(m->x, m->x->cols[col].name)) : ast_new(m->x->a, AST_LIT_NULL, 0, 0);
        return NULL;
    }
    *ret = c;
    return NULL;
}

/* ---- names ---- */

/* Columns of an expression that sees one side of the join alone get that side's name, so that the other side's columns of the
 * same name are no second meaning. Subqueries and lambdas have names of their own. */
static void name_side(struct merge *m, struct ast *x, bool source, int depth) {
    if (!x || depth > 200 || x->kind == AST_QUERY || x->kind == AST_LAMBDA) return;
    if (x->kind == AST_COLUMN && x->n && ast_is(x->child[0], AST_NAME)) {
        const struct ast *name = x->child[0];
        str side = source ? m->source : m->target, first = name->child[0]->text;
        bool there = source ? source_column(m, first) >= 0 : dml_column(m->x->t->cols, m->x->t->n, first) >= 0;
        if (!there || (name->n > 1 && (str_ieq(first, m->source) || str_ieq(first, m->target)))) return;
        str *parts = arena_array_of(m->x->a, str, name->n + 1);
        parts[0] = side;
        for (uint32_t i = 0; i < name->n; i++) parts[i + 1] = name->child[i]->text;
        x->child[0] = ast_name(m->x->a, parts, name->n + 1);
        x->child[0]->pos = name->pos;
        x->child[0]->end = name->end;
        return;
    }
    for (uint32_t i = 0; i < x->n; i++) name_side(m, x->child[i], source, depth + 1);
    for (uint32_t i = 0; i < x->n_slots; i++) name_side(m, x->slot[i].node, source, depth + 1);
}

/* WHEN NOT MATCHED sees the source alone, WHEN NOT MATCHED BY SOURCE the target. */
static void name_sides(struct merge *m) {
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct ast *w = m->s->child[i], *act = ast_get(w, SLOT_ACTION), *sets = ast_get(act, SLOT_ITEMS);
        if (str_eqz(w->text, "matched")) continue;
        bool source = str_eqz(w->text, "not_matched");
        name_side(m, ast_get(w, SLOT_COND), source, 0);
        name_side(m, ast_get(act, SLOT_VALUES), source, 0);
        for (uint32_t k = 0; sets && k < sets->n; k++)
            for (uint32_t c = 1; c < sets->child[k]->n; c++) name_side(m, sets->child[k]->child[c], source, 0);
    }
}

/* ---- the query ---- */

static const struct ast *alias_of(const struct ast *from) { return ast_get(from, SLOT_ALIAS); }

/* The source as a subquery with a mark that tells a missing row from a row of NULLs. */
static struct ast *marked_source(struct merge *m) {
    arena *a = m->x->a;
    struct ast *items = ast_new(a, AST_LIST, 0, 0), *yes = ast_new(a, AST_LIT_BOOL, 0, 0);
    yes->flags |= AST_F_TRUE;
    ast_add(a, items, ast_new(a, AST_STAR, 0, 0));
    ast_add(a, items, dml_alias(a, yes, SOURCE_MARK));
    struct ast *sub = ast_new(a, AST_FROM_QUERY, m->from->pos, m->from->end);
    ast_set(a, sub, SLOT_QUERY, dml_query(a, dml_select(a, items, (struct ast *)(uintptr_t)m->from, NULL)));
    ast_set(a, sub, SLOT_ALIAS, ast_text(a, AST_IDENT, m->source));
    return sub;
}

static bool has_clause(struct merge *m, const char *kind) {
    for (uint32_t i = 0; i < m->s->n; i++)
        if (str_eqz(m->s->child[i]->text, kind)) return true;
    return false;
}

static struct ast *joined(struct merge *m) {
    arena *a = m->x->a;
    bool left = has_clause(m, "not_matched_by_source"), right = has_clause(m, "not_matched");
    struct ast *target = dml_from(m->x, m->x->target_name, ast_text(a, AST_IDENT, m->target), true);
    struct ast *j = ast_text(a, AST_JOIN, left && right ? STR("full") : left ? STR("left") : right ? STR("right") : STR("inner"));
    ast_add(a, j, target);
    ast_add(a, j, marked_source(m));
    ast_set(a, j, SLOT_ON, ast_get(m->s, SLOT_ON));
    return j;
}

static err *source_names(struct merge *m) {
    const struct ast *alias = ast_get(m->s, SLOT_ALIAS), *name = m->x->target_name;
    m->target = alias ? alias->text : name->child[name->n - 1]->text;
    m->from = ast_get(m->s, SLOT_FROM);
    alias = alias_of(m->from);
    if (alias) {
        m->source = alias->text;
    } else if (m->from->kind == AST_FROM_TABLE) {
        name = ast_get(m->from, SLOT_NAME);
        m->source = name->n ? name->child[name->n - 1]->text : STR("_bh_source");
    } else {
        m->source = STR("_bh_source");
    }
    struct ast *items = ast_new(m->x->a, AST_LIST, 0, 0);
    ast_add(m->x->a, items, ast_new(m->x->a, AST_STAR, 0, 0));
    return sql_compile(&m->x->env, dml_query_of(m->x->a, m->s, dml_select(m->x->a, items, (struct ast *)(uintptr_t)m->from, NULL)), &m->src);
}

static err *evolve(struct merge *m) {
    if (!dml_evolves(m->x, m->s)) return NULL;
    /* Only columns that a star or an assignment brings. */
    struct sql_column *cols = arena_array_of(m->x->a, struct sql_column, m->src.n + 1);
    size_t n = 0;
    bool star = false;
    for (uint32_t i = 0; i < m->s->n; i++) star |= ast_has(ast_get(m->s->child[i], SLOT_ACTION), AST_F_ALL);
    for (size_t k = 0; k < m->src.n; k++) {
        bool wanted = star;
        for (uint32_t i = 0; i < m->s->n && !wanted; i++) {
            const struct ast *act = ast_get(m->s->child[i], SLOT_ACTION), *sets = ast_get(act, SLOT_ITEMS), *names = ast_get(act, SLOT_NAMES);
            for (uint32_t q = 0; sets && q < sets->n; q++) {
                const struct ast *name = sets->child[q]->child[0];
                wanted |= str_ieq(name->child[name->n - 1]->text, m->src.cols[k].name);
            }
            for (uint32_t q = 0; names && q < names->n; q++)
                wanted |= str_ieq(names->child[q]->child[names->child[q]->n - 1]->text, m->src.cols[k].name);
        }
        if (wanted) cols[n++] = m->src.cols[k];
    }
    return dml_evolve(m->x, cols, n);
}

static err *build(struct merge *m, int *of, size_t *old, struct sql_compiled *ret) {
    struct dml_x *x = m->x;
    arena *a = x->a;
    struct ast *items = ast_new(a, AST_LIST, 0, 0);
    ast_add(a, items, qualified(m, m->target, STR("_bh_file")));
    ast_add(a, items, qualified(m, m->target, STR("_bh_row")));
    /* A lateral alias: the values refer to the clause that was chosen. */
    ast_add(a, items, dml_alias(a, clause_case(m), "_bh_clause"));
    size_t n = 3;
    for (size_t i = 0; i < x->n; i++) {
        struct ast *value;
        of[i] = -1;
        if (made(m, i)) continue;
        TRY(value_case(m, i, &value));
        ast_add(a, items, value);
        of[i] = (int)n++;
    }
    *old = 0;
    if (dml_feed(x)) {
        *old = n;
        for (size_t i = 0; i < x->n; i++, n++) {
            bool known = dml_column(x->t->cols, x->t->n, x->cols[i].name) >= 0;
            ast_add(a, items, known ? qualified(m, m->target, dml_true_name(x, x->cols[i].name)) : ast_new(a, AST_LIT_NULL, 0, 0));
        }
    }
    return sql_compile(&x->env, dml_query_of(a, m->s, dml_select(a, items, joined(m), NULL)), ret);
}

/* 'u', 'd' or 'i' by the clause's number. */
static str action_text(struct merge *m) {
    buf b = {0};
    buf_z(&b, "CASE c2");
    for (uint32_t i = 0; i < m->s->n; i++) buf_fmt(&b, " WHEN %u THEN '%c'", i + 1, ast_get(m->s->child[i], SLOT_ACTION)->text.p[0]);
    buf_z(&b, " END");
    return dml_take(m->x, &b);
}

static err *check_pairs(struct merge *m, str table) {
    int matched = 0;
    bool plain = true;
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct ast *w = m->s->child[i];
        if (!str_eqz(w->text, "matched")) continue;
        matched++;
        plain &= str_eqz(ast_get(w, SLOT_ACTION)->text, "delete") && !ast_get(w, SLOT_COND);
    }
    if (!matched || (matched == 1 && plain)) return NULL;
    struct scan_rows rows;
    TRY(scan_query(m->x->d->con, m->x->a, str_of(arena_printf(m->x->a, "SELECT '1' FROM %.*s WHERE _bh_action <> 'i' GROUP BY _bh_file, _bh_row HAVING "
                   "count(*) > 1 LIMIT 1", STR_ARG(table))), &rows));
    return rows.rows ? dml_error("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "usageReference", "", NULL) : NULL;
}

static void parameters(struct merge *m) {
    const struct ast *on = ast_get(m->s, SLOT_ON);
    static const char *const kinds[][2] = {{"matched", "matchedPredicates"}, {"not_matched", "notMatchedPredicates"},
                                           {"not_matched_by_source", "notMatchedBySourcePredicates"}};
    buf b = {0};
    str text = m->x->d->text;
    buf_z(&b, "{\"predicate\":");
    buf_json_str(&b, on->end <= text.n && on->pos < on->end ? str_n(text.p + on->pos, on->end - on->pos) : STR(""));
    for (size_t k = 0; k < 3; k++) {
        buf list = {0};
        buf_c(&list, '[');
        for (uint32_t i = 0; i < m->s->n; i++) {
            const struct ast *w = m->s->child[i], *cond = ast_get(w, SLOT_COND);
            if (!str_eqz(w->text, kinds[k][0])) continue;
            buf_z(&list, list.n > 1 ? ",{" : "{");
            if (cond && cond->end <= text.n && cond->pos < cond->end) {
                buf_z(&list, "\"predicate\":");
                buf_json_str(&list, str_n(text.p + cond->pos, cond->end - cond->pos));
                buf_c(&list, ',');
            }
            buf_fmt(&list, "\"actionType\":\"%.*s\"}", STR_ARG(ast_get(w, SLOT_ACTION)->text));
        }
        buf_c(&list, ']');
        buf_fmt(&b, ",\"%s\":", kinds[k][1]);
        buf_json_str(&b, buf_view(&list));
        buf_free(&list);
    }
    buf_c(&b, '}');
    m->x->parameters = dml_take(m->x, &b);
}

/* Values of M where the clause is a delete are not looked at; duplicates of a plain delete are one. */
static err *fill(struct merge *m, const struct sql_compiled *c, const int *of, size_t old, str table) {
    struct dml_x *x = m->x;
    struct dml_source source = {.text = str_of(arena_printf(x->a, "SELECT * FROM (%.*s) j WHERE c2 <> 0", STR_ARG(c->duckdb))), .cols = c->cols,
                                .n = c->n, .of = of, .skip_checks = STR("\"_bh_action\" = 'd'")};
    source.inserts = str_of(arena_printf(x->a, "(%.*s) = 'i'", STR_ARG(action_text(m))));
    dml_hidden(x, dml_z(x, action_text(m)), old, &source);
    buf rows = {0};
    TRY(dml_project(x, &source, &rows));
    err *e = scan_exec(x->d->con, str_of(arena_printf(x->a, "CREATE TEMP TABLE %.*s AS %.*s", STR_ARG(table), STR_ARG(buf_view(&rows)))));
    buf_free(&rows);
    return e ? e : check_pairs(m, table);
}

err *dml_merge(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    struct merge m = {.x = x, .s = s};
    dml_begin_commit(x, "MERGE");
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), "change"));
    x->by_name = true, x->evolving = dml_evolves(x, s);
    TRY(source_names(&m));
    name_sides(&m);
    TRY(evolve(&m));
    for (uint32_t i = 0; i < s->n; i++) {
        const struct ast *sets = ast_get(ast_get(s->child[i], SLOT_ACTION), SLOT_ITEMS);
        if (sets) TRY(dml_check_assigned(x, sets, m.target));
    }
    int *of = arena_array_of(x->a, int, x->n + 1);
    size_t old;
    struct sql_compiled c;
    TRY(build(&m, of, &old, &c));
    dml_reads(x, &c);
    str table = dml_temp_name(x);
    TRY(fill(&m, &c, of, old, table));
    int64_t inserted, updated, deleted;
    TRY(dml_count(x, table, "_bh_action = 'i'", &inserted));
    TRY(dml_count(x, table, "_bh_action = 'u'", &updated));
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, str_of(arena_printf(x->a, "SELECT CAST(count(*) AS VARCHAR) FROM (SELECT DISTINCT _bh_file, _bh_row FROM %.*s WHERE "
                   "_bh_action = 'd') d", STR_ARG(table))), &rows));
    if (!str_to_i64(rows.cell[0], &deleted)) deleted = 0;
    if (inserted + updated + deleted > 0 || x->metadata_changed) {
        x->read_all = true;
        if (updated + deleted) TRY(dml_take_rows(x, table));
        if (updated + inserted) TRY(dml_write_changed(x, table));
        TRY(dml_write_feed(x, table));
        int *made_here = arena_array_of(x->a, int, x->n + 1);
        for (size_t i = 0; i < x->n; i++) made_here[i] = -1;
        if (inserted) TRY(dml_identity_after(x, made_here));
        parameters(&m);
        dml_metric(x, "numTargetRowsInserted", inserted);
        dml_metric(x, "numTargetRowsUpdated", updated);
        dml_metric(x, "numTargetRowsDeleted", deleted);
        dml_metric(x, "numOutputRows", x->rows_written);
        dml_metric(x, "numTargetFilesAdded", x->files_written);
        dml_metric(x, "executionTimeMs", (clock_now() - x->started_us) / 1000);
        TRY(dml_commit(x));
    }
    static const char *const names[] = {"num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows"};
    int64_t counts[] = {inserted + updated + deleted, updated, deleted, inserted};
    return dml_counts(x, names, counts, 4, ret);
}
