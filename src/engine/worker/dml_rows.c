/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a query's output to rows of the table: three nested SELECTs, each only where it is needed.
 *   given   values of the source cast for storing, defaults, identity values
 *   made    generated columns, over the given ones
 *   checked CHECK constraints first, then NOT NULL, as the reference orders them; a row that fails ends the statement
 */
#include <stdio.h>
#include <string.h>

#include "engine/worker/dml_int.h"

bool dml_is_identity(const struct sql_field *f) { return str_find(f->metadata, STR("delta.identity.start")) >= 0; }
bool dml_is_generated(const struct sql_field *f) { return str_find(f->metadata, STR("delta.generationExpression")) >= 0; }

/* ---- expressions that the table keeps ---- */

err *dml_kept_expr(struct dml_x *x, const struct ast *expr, const struct sql_field *cols, size_t n, const struct sql_type *want, buf *out,
                   const struct sql_type **ret_type) {
    struct sql_env whole = x->env;
    x->env.resolve = NULL;
    x->env.function = NULL;
    x->env.variable = NULL;
    x->env.files = NULL;
    err *e = sql_compile_expr(&x->env, expr, cols, n, STR(""), want, out, ret_type);
    x->env.resolve = whole.resolve;
    x->env.function = whole.function;
    x->env.variable = whole.variable;
    x->env.files = whole.files;
    return e;
}

err *dml_check_default(struct dml_x *x, const char *command, str column, str text, const struct ast *value) {
    const struct sql_type *type;
    buf out = {0};
    if (ast_has_query(value))
        return dml_error("INVALID_DEFAULT_VALUE.SUBQUERY_EXPRESSION", "statement", command, "colName", dml_z(x, column), "defaultValue", dml_z(x, text), NULL);
    err *e = dml_kept_expr(x, value, NULL, 0, NULL, &out, &type);
    buf_free(&out);
    return e;
}

err *dml_default(struct dml_x *x, const struct sql_field *f, struct ast **ret) {
    str text = dml_field_meta(x->a, f, "CURRENT_DEFAULT");
    if (!text.p) {
        *ret = ast_new(x->a, AST_LIT_NULL, 0, 0);
        return NULL;
    }
    TRY(sql_parse_expr(x->a, text, ret));
    return dml_check_default(x, "INSERT", f->name, text, *ret); /* others write logs too */
}

/* ---- given ---- */

static int64_t meta_int(struct dml_x *x, const struct sql_field *f, const char *key, int64_t other) {
    int64_t v;
    str s = dml_field_meta(x->a, f, key);
    return s.n && str_to_i64(s, &v) ? v : other;
}

/* The next values of the sequence; with `which`, for the rows where it holds alone. */
static void identity(struct dml_x *x, const struct sql_field *f, str which, buf *out) {
    int64_t start = meta_int(x, f, "delta.identity.start", 1), step = meta_int(x, f, "delta.identity.step", 1);
    int64_t mark = meta_int(x, f, "delta.identity.highWaterMark", INT64_MIN);
    int64_t first = mark == INT64_MIN ? start : mark + step;
    str number = STR("row_number() OVER ()");
    if (which.n) number = str_of(arena_printf(x->a, "count_if(%.*s) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", STR_ARG(which)));
    buf_fmt(out, "CAST(%lld + (%.*s - 1) * %lld AS BIGINT)", (long long)first, STR_ARG(number), (long long)step);
}

/* Fields of structs go to those of the same name, wherever they stand; with an evolving schema those that the source lacks are
 * NULL. Returns the type that *ref then has: `from` where nothing is to be done, or nothing can be. */
static const struct sql_type *by_name(struct dml_x *x, str *ref, const struct sql_type *from, const struct sql_type *to) {
    arena *a = x->a;
    if (from->kind != to->kind) return from;
    if (from->kind == TY_ARRAY) {
        str item = str_of(arena_printf(a, "n%d", x->n_names++)), inner = item;
        const struct sql_type *elem = by_name(x, &inner, from->elem, to->elem);
        if (elem == from->elem) return from;
        *ref = str_of(arena_printf(a, "list_transform(%.*s, lambda %.*s: %.*s)", STR_ARG(*ref), STR_ARG(item), STR_ARG(inner)));
        struct sql_type *t = arena_new_of(a, struct sql_type);
        *t = *from, t->elem = elem;
        return t;
    }
    if (from->kind != TY_STRUCT) return from;
    bool same = from->n == to->n;
    struct sql_field *f = arena_array_of(a, struct sql_field, to->n + 1);
    buf b = {0};
    buf_fmt(&b, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(*ref));
    for (size_t i = 0; i < to->n; i++) {
        ptrdiff_t k = dml_column(from->fields, from->n, to->fields[i].name);
        f[i] = to->fields[i];
        buf_fmt(&b, "%sf%zu := ", i ? ", " : "", i);
        if (k < 0 && !x->evolving) {
            buf_free(&b);
            return from;
        }
        same &= k == (ptrdiff_t)i;
        if (k < 0) {
            buf_z(&b, "CAST(NULL AS ");
            sql_type_write_duckdb(to->fields[i].type, &b);
            buf_c(&b, ')');
            continue;
        }
        str part = str_of(arena_printf(a, "struct_extract(%.*s, 'f%zd')", STR_ARG(*ref), k));
        f[i].type = by_name(x, &part, from->fields[k].type, to->fields[i].type);
        same &= f[i].type == from->fields[k].type;
        buf_str(&b, part);
    }
    /* A field that the table does not have: left as it is, for the error that tells of it. */
    for (size_t k = 0; k < from->n && !same; k++)
        if (dml_column(to->fields, to->n, from->fields[k].name) < 0) same = true;
    buf_z(&b, ") END");
    str made = dml_take(x, &b);
    if (same) return from;
    *ref = made;
    struct sql_type *t = arena_new_of(a, struct sql_type);
    *t = *from, t->fields = f, t->n = to->n;
    return t;
}

/* A struct that is assigned has all fields of the column's, and no others. */
static err *other_fields(struct dml_x *x, const struct sql_type *from, const struct sql_type *to) {
    buf f = {0}, t = {0};
    sql_type_write_sql(from, &f);
    sql_type_write_sql(to, &t);
    return dml_error("DELTA_UPDATE_SCHEMA_MISMATCH_EXPRESSION", "fromCatalog", dml_z(x, dml_take(x, &f)), "toCatalog", dml_z(x, dml_take(x, &t)), NULL);
}

static bool same_fields(const struct sql_type *a, const struct sql_type *b) {
    if (a->kind != TY_STRUCT || b->kind != TY_STRUCT) return true;
    if (a->n != b->n) return false;
    for (size_t i = 0; i < b->n; i++) {
        ptrdiff_t k = dml_column(a->fields, a->n, b->fields[i].name);
        if (k < 0 || !same_fields(a->fields[k].type, b->fields[i].type)) return false;
    }
    return true;
}

static err *given_value(struct dml_x *x, const struct dml_source *s, size_t i, buf *out) {
    const struct sql_field *f = &x->cols[i];
    int k = s->of[i];
    if (k >= 0) {
        str ref = str_of(arena_printf(x->a, "c%d", k));
        /* MERGE: rows that come get a value of the sequence, rows that change keep theirs. */
        bool fresh = s->inserts.n && dml_is_identity(f);
        if (fresh) {
            str which = str_of(arena_printf(x->a, "%.*s AND %.*s IS NULL", STR_ARG(s->inserts), STR_ARG(ref)));
            buf_fmt(out, "CASE WHEN %.*s THEN ", STR_ARG(which));
            identity(x, f, which, out);
            buf_z(out, " ELSE ");
        }
        const struct sql_type *from = s->cols[k].type;
        bool changes = str_eqz(x->operation, "UPDATE") || str_eqz(x->operation, "MERGE");
        if (changes && !x->evolving && !same_fields(from, f->type)) return other_fields(x, from, f->type);
        if (x->by_name) from = by_name(x, &ref, from, f->type);
        err *e = sql_store_cast(&x->env, x->full_name, f->name, ref, from, f->type, out);
        if (e && changes && from->kind == TY_STRUCT && f->type->kind == TY_STRUCT) {
            err_free(e);
            return other_fields(x, from, f->type);
        }
        if (e) return e;
        if (fresh) buf_z(out, " END");
        return NULL;
    }
    if (dml_is_identity(f)) {
        identity(x, f, STR_NONE, out);
        return NULL;
    }
    struct ast *value;
    const struct sql_type *type;
    buf text = {0};
    TRY(dml_default(x, f, &value));
    err *e = dml_kept_expr(x, value, NULL, 0, f->type, &text, &type);
    if (!e) e = sql_store_cast(&x->env, x->full_name, f->name, dml_take(x, &text), type, f->type, out);
    buf_free(&text);
    return e;
}

static err *given(struct dml_x *x, const struct dml_source *s, buf *out) {
    buf_z(out, "SELECT ");
    if (s->hidden.n) buf_str(out, s->hidden), buf_z(out, ", ");
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        if (s->of[i] < 0 && dml_is_generated(&x->cols[i])) continue;
        if (n++) buf_z(out, ", ");
        TRY(given_value(x, s, i, out));
        buf_z(out, " AS ");
        scan_quote_ident(x->cols[i].name, out);
    }
    if (!n && !s->hidden.n) buf_z(out, "NULL AS _bh_none");
    buf_fmt(out, " FROM (%.*s) s", STR_ARG(s->text));
    return NULL;
}

/* ---- made ---- */

static err *made(struct dml_x *x, const struct dml_source *s, buf *out) {
    bool any = false;
    for (size_t i = 0; i < x->n; i++) any |= s->of[i] < 0 && dml_is_generated(&x->cols[i]);
    if (!any) return given(x, s, out);
    buf inner = {0};
    err *e = given(x, s, &inner);
    buf_z(out, "SELECT ");
    if (s->hidden_names.n) buf_str(out, s->hidden_names), buf_z(out, ", ");
    for (size_t i = 0; !e && i < x->n; i++) {
        const struct sql_field *f = &x->cols[i];
        if (i) buf_z(out, ", ");
        if (s->of[i] >= 0 || !dml_is_generated(f)) {
            scan_quote_ident(f->name, out);
            continue;
        }
        struct ast *expr;
        const struct sql_type *type;
        buf text = {0};
        e = sql_parse_expr(x->a, dml_field_meta(x->a, f, "delta.generationExpression"), &expr);
        if (!e) e = dml_kept_expr(x, expr, x->cols, x->n, f->type, &text, &type);
        if (!e) e = sql_store_cast(&x->env, x->full_name, f->name, dml_take(x, &text), type, f->type, out);
        buf_free(&text);
        buf_z(out, " AS ");
        scan_quote_ident(f->name, out);
    }
    buf_fmt(out, " FROM (%.*s) g", STR_ARG(buf_view(&inner)));
    buf_free(&inner);
    return e;
}

/* ---- checked ---- */

/* error('[CLASS] {"param":"value",…}') with the row's values at the end. */
static void raise(struct dml_x *x, const char *cls, const char *k1, str v1, const char *k2, str v2, bool values, buf *out) {
    buf json = {0};
    buf_fmt(&json, "[%s] {\"%s\":", cls, k1);
    buf_json_str(&json, v1);
    if (k2) buf_fmt(&json, ",\"%s\":", k2), buf_json_str(&json, v2);
    if (values) buf_z(&json, ",\"values\":");
    buf_z(out, "error(");
    if (!values) buf_c(&json, '}');
    scan_quote_text(buf_view(&json), out);
    if (values) {
        buf_z(out, " || CAST(to_json(concat(");
        for (size_t i = 0; i < x->n; i++) {
            if (i) buf_z(out, ", ");
            scan_quote_text(str_of(arena_printf(x->a, "%s - %.*s : ", i ? "\n" : "", STR_ARG(x->cols[i].name))), out);
            if (dml_is_masked(x, x->cols[i].name)) { /* who writes the row may not see it */
                buf_z(out, ", '(masked)'");
                continue;
            }
            buf_z(out, ", coalesce(CAST(");
            scan_quote_ident(x->cols[i].name, out);
            buf_z(out, " AS VARCHAR), 'null')");
        }
        buf_z(out, ")) AS VARCHAR) || '}'");
    }
    buf_c(out, ')');
    buf_free(&json);
}

static err *one_check(struct dml_x *x, str name, str text, buf *out, size_t *n) {
    struct ast *expr;
    const struct sql_type *type;
    buf cond = {0};
    TRY(sql_parse_expr(x->a, text, &expr));
    err *e = dml_kept_expr(x, expr, x->cols, x->n, sql_type_of(TY_BOOLEAN), &cond, &type);
    if (!e) {
        buf_fmt(out, " WHEN (%.*s) IS NOT TRUE THEN ", STR_ARG(buf_view(&cond)));
        raise(x, "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "constraintName", name, "expression", text, true, out);
        (*n)++;
    }
    buf_free(&cond);
    return e;
}

/* Fields of structs that must not be null, where their struct is there. */
static void nested_not_null(struct dml_x *x, const struct sql_type *t, str ref, str path, buf *out, size_t *n) {
    if (t->kind != TY_STRUCT) return;
    for (size_t i = 0; i < t->n; i++) {
        str field = str_of(arena_printf(x->a, "struct_extract(%.*s, 'f%zu')", STR_ARG(ref), i));
        str name = str_of(arena_printf(x->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(t->fields[i].name)));
        if (!t->fields[i].nullable) {
            buf_fmt(out, " WHEN %.*s IS NOT NULL AND %.*s IS NULL THEN ", STR_ARG(ref), STR_ARG(field));
            raise(x, "DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "columnName", name, NULL, STR_NONE, false, out);
            (*n)++;
        }
        nested_not_null(x, t->fields[i].type, field, name, out, n);
    }
}

/* A generated column whose value was given must be what its expression makes. */
static err *generated_check(struct dml_x *x, const struct dml_source *s, size_t i, buf *out, size_t *n) {
    const struct sql_field *f = &x->cols[i];
    if (s->of[i] < 0 || !dml_is_generated(f)) return NULL;
    str text = dml_field_meta(x->a, f, "delta.generationExpression");
    struct ast *expr;
    const struct sql_type *type;
    buf made = {0}, name = {0};
    TRY(sql_parse_expr(x->a, text, &expr));
    err *e = dml_kept_expr(x, expr, x->cols, x->n, f->type, &made, &type);
    scan_quote_ident(f->name, &name);
    if (!e) {
        buf_fmt(out, " WHEN (%.*s) IS DISTINCT FROM (%.*s) THEN ", STR_ARG(buf_view(&name)), STR_ARG(buf_view(&made)));
        raise(x, "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "constraintName", STR("Generated Column"), "expression",
              str_of(arena_printf(x->a, "%.*s <=> %.*s", STR_ARG(f->name), STR_ARG(text))), true, out);
        (*n)++;
    }
    buf_free(&made), buf_free(&name);
    return e;
}

static err *invariant_check(struct dml_x *x, const struct sql_field *f, buf *out, size_t *n) {
    str inv = dml_field_meta(x->a, f, "delta.invariants");
    jval *v;
    if (!inv.n) return NULL;
    TRY(json_parse(x->a, inv, false, &v));
    str text = json_get_str(json_get(v, "expression"), "expression");
    return text.n ? one_check(x, STR("EXPRESSION"), text, out, n) : NULL;
}

static err *checks(struct dml_x *x, const struct dml_source *s, buf *out, size_t *n) {
    for (size_t i = 0; i < x->metadata->config.n; i++) {
        const struct delta_pair *p = &x->metadata->config.p[i];
        if (str_starts(p->key, STR("delta.constraints."))) TRY(one_check(x, str_from(p->key, 18), p->value, out, n));
    }
    for (size_t i = 0; i < x->n; i++) {
        const struct sql_field *f = &x->cols[i];
        TRY(invariant_check(x, f, out, n));
        TRY(generated_check(x, s, i, out, n));
        buf ref = {0};
        scan_quote_ident(f->name, &ref);
        if (!f->nullable) {
            buf_fmt(out, " WHEN %.*s IS NULL THEN ", STR_ARG(buf_view(&ref)));
            raise(x, "DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "columnName", f->name, NULL, STR_NONE, false, out);
            (*n)++;
        }
        nested_not_null(x, f->type, dml_take(x, &ref), f->name, out, n);
    }
    return NULL;
}

err *dml_project(struct dml_x *x, const struct dml_source *s, buf *out) {
    buf inner = {0}, guard = {0};
    size_t n = 0;
    err *e = made(x, s, &inner);
    if (!e) e = checks(x, s, &guard, &n);
    if (!e && !n) {
        buf_str(out, buf_view(&inner));
    } else if (!e) {
        buf_z(out, "SELECT ");
        if (s->hidden_names.n) buf_str(out, s->hidden_names), buf_z(out, ", ");
        for (size_t i = 0; i < x->n; i++) {
            buf name = {0};
            scan_quote_ident(x->cols[i].name, &name);
            if (i) buf_z(out, ", ");
            /* The guard stands before the first column, which every writer reads. */
            if (i == 0 && s->skip_checks.n) buf_fmt(out, "CASE WHEN %.*s THEN %.*s", STR_ARG(s->skip_checks), STR_ARG(buf_view(&name)));
            if (i == 0 && !s->skip_checks.n) buf_z(out, "CASE");
            if (i == 0) buf_fmt(out, "%.*s ELSE %.*s END AS ", STR_ARG(buf_view(&guard)), STR_ARG(buf_view(&name)));
            buf_str(out, buf_view(&name));
            buf_free(&name);
        }
        buf_fmt(out, " FROM (%.*s) k", STR_ARG(buf_view(&inner)));
    }
    buf_free(&inner), buf_free(&guard);
    return e;
}

/* ---- identity columns after writing ---- */

static err *set_mark(struct dml_x *x, size_t i, int64_t mark) {
    struct sql_field *cols = arena_array_of(x->a, struct sql_field, x->n);
    memcpy(cols, x->cols, x->n * sizeof(*cols));
    jval *v;
    TRY(json_parse(x->a, cols[i].metadata, false, &v));
    jdoc *d = json_doc(x->a);
    jmut *o = yyjson_val_mut_copy(d, v);
    yyjson_mut_obj_remove_key(o, "delta.identity.highWaterMark");
    json_put_int(d, o, "delta.identity.highWaterMark", mark);
    cols[i].metadata = json_text(x->a, o);
    return dml_set_schema(x, cols, x->n);
}

/* The farthest value of a column in the files added, by their statistics. */
static bool farthest(struct dml_x *x, const struct sql_field *f, int64_t step, int64_t *ret) {
    bool any = false, mapped = !str_eqz(delta_mapping_mode(x->metadata), "none");
    str name = mapped ? scan_physical(x->a, f) : f->name;
    for (size_t i = 0; i < x->actions.n; i++) {
        jval *v;
        int64_t n;
        if (x->actions.p[i].kind != DELTA_ADD || !x->actions.p[i].file.stats.n) continue;
        err *e = json_parse(x->a, x->actions.p[i].file.stats, false, &v);
        if (e) {
            err_free(e);
            continue;
        }
        jval *bounds = json_get(v, step > 0 ? "maxValues" : "minValues");
        if (!json_i64(yyjson_obj_getn(bounds, name.p, name.n), &n)) continue;
        if (!any || (step > 0 ? n > *ret : n < *ret)) *ret = n;
        any = true;
    }
    return any;
}

err *dml_identity_after(struct dml_x *x, const int *of) {
    for (size_t i = 0; i < x->n; i++) {
        /* Values given by the user are no step of the sequence. */
        if (!dml_is_identity(&x->cols[i]) || of[i] >= 0) continue;
        int64_t step = meta_int(x, &x->cols[i], "delta.identity.step", 1), mark = meta_int(x, &x->cols[i], "delta.identity.highWaterMark", INT64_MIN);
        int64_t best = 0;
        if (!farthest(x, &x->cols[i], step, &best)) continue;
        if (mark == INT64_MIN || (step > 0 ? best > mark : best < mark)) TRY(set_mark(x, i, best));
    }
    return NULL;
}

err *dml_identity_keep(struct dml_x *x) {
    for (size_t i = 0; i < x->n; i++) {
        ptrdiff_t k = dml_column(x->t->cols, x->t->n, x->cols[i].name);
        if (k < 0 || !dml_is_identity(&x->cols[i]) || !dml_is_identity(&x->t->cols[k])) continue;
        int64_t step = meta_int(x, &x->cols[i], "delta.identity.step", 1), mark = meta_int(x, &x->cols[i], "delta.identity.highWaterMark", INT64_MIN);
        int64_t used = meta_int(x, &x->t->cols[k], "delta.identity.highWaterMark", INT64_MIN);
        if (used == INT64_MIN || (mark != INT64_MIN && (step > 0 ? used <= mark : used >= mark))) continue;
        TRY(set_mark(x, i, used));
    }
    return NULL;
}
