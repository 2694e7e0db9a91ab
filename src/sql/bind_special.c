/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that no row can say: names of fields, types as functions, units as words, arithmetic by name, counts. */
#include "sql/bind.h"

#include <stdio.h>

static err *args_of(struct cx *c, const struct ast *n, struct bx **v) {
    for (uint32_t i = 0; i < n->n; i++) TRY(bind_expr(c, n->child[i], &v[i]));
    return NULL;
}

static err *arity(struct binder *b, const struct ast *n, const char *name, uint32_t want) {
    if (n->n == want) return NULL;
    return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", n, b->text, "functionName", arena_printf(b->a, "`%s`", name),
                     "expectedNum", arena_printf(b->a, "%u", want), "actualNum", arena_printf(b->a, "%u", n->n), "docroot",
                     "https://spark.apache.org/docs/latest", NULL);
}

/* ---- structs, arrays, maps ---- */

static str field_of(struct binder *b, const struct ast *n, uint32_t i) {
    if (n->kind == AST_ALIAS && n->text.n) return n->text;
    if (n->kind == AST_COLUMN) {
        const struct ast *name = n->child[0];
        if (name->kind == AST_NAME) return name->child[name->n - 1]->text;
    }
    if (n->kind == AST_FIELD) return n->text;
    return sql_fmt(b->a, "col%u", i + 1);
}

static struct bx *make_struct(struct binder *b, struct bx **v, const str *names, size_t n, str cap) {
    struct sql_field *f = arena_array_of(b->a, struct sql_field, n + 1);
    buf *t = sql_buf(b->a);
    buf_z(t, "{{");
    for (size_t i = 0; i < n; i++) {
        v[i] = bx_exact(b, v[i]);
        f[i].name = names[i];
        f[i].type = v[i]->type;
        f[i].nullable = v[i]->nullable;
        buf_fmt(t, "%s'f%zu': {%zu}", i ? ", " : "", i, i);
    }
    buf_z(t, "}}");
    struct bx *x = bx_tmpl(b, sql_struct(b->a, f, n), sql_keep(b->a, t), cap, v, n);
    x->nullable = false;
    return x;
}

static err *structure(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx **v = arena_array_of(b->a, struct bx *, n->n + 1);
    str *names = arena_array_of(b->a, str, n->n + 1);
    struct items it = {.n = 0};
    buf *cap = sql_buf(b->a);
    bool row = n->kind == AST_ROW;
    if (n->n && n->child[0]->kind == AST_STAR) {
        TRY(bind_items(c, n, &it));
        *ret = make_struct(b, it.x, it.name, it.n, STR("struct({0*})"));
        return NULL;
    }
    TRY(args_of(c, n, v));
    buf_z(cap, row ? "named_struct(" : "struct(");
    for (uint32_t i = 0; i < n->n; i++) {
        names[i] = field_of(b, n->child[i], i);
        if (i) buf_z(cap, ", ");
        if (row) {
            buf_tmpl(cap, names[i]);
            buf_z(cap, ", ");
        }
        buf_fmt(cap, "{%u}", i);
        if (!row && n->child[i]->kind == AST_ALIAS) {
            buf_z(cap, " AS ");
            buf_tmpl(cap, names[i]);
        }
    }
    buf_c(cap, ')');
    *ret = make_struct(b, v, names, n->n, sql_keep(b->a, cap));
    return NULL;
}

static err *named_struct(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    size_t k = n->n / 2;
    struct bx **v = arena_array_of(b->a, struct bx *, k + 1), *name;
    str *names = arena_array_of(b->a, str, k + 1);
    buf *cap = sql_buf(b->a);
    if (n->n % 2) return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", n, b->text, "functionName", "`named_struct`", "expectedNum", "2n (n > 0)", "actualNum", arena_printf(b->a, "%u", n->n), "docroot", "https://spark.apache.org/docs/latest", NULL);
    buf_z(cap, "named_struct(");
    for (size_t i = 0; i < k; i++) {
        TRY(bind_expr(c, n->child[i * 2], &name));
        TRY(bind_expr(c, n->child[i * 2 + 1], &v[i]));
        if (name->kind != BX_LIT || !name->text.p)
            return sql_error("DATATYPE_MISMATCH.CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING", n, b->text, "sqlExpr", "\"named_struct\"", "inputExprs", arena_printf(b->a, "[\"%.*s\"]", STR_ARG(caption_of(b, name))), NULL);
        names[i] = name->text;
        if (i) buf_z(cap, ", ");
        buf_tmpl(cap, names[i]);
        buf_fmt(cap, ", {%zu}", i);
    }
    buf_c(cap, ')');
    *ret = make_struct(b, v, names, k, sql_keep(b->a, cap));
    return NULL;
}

static err *diff_types(struct binder *b, const struct ast *n, const char *name, struct bx **v, size_t count) {
    buf *o = sql_buf(b->a), *e = sql_buf(b->a);
    buf_c(o, '(');
    buf_fmt(e, "\"%s(", name);
    for (size_t i = 0; i < count; i++) {
        if (i) buf_z(o, " or "), buf_z(e, ", ");
        buf_z(o, type_name(b, v[i]->type).p);
        caption(b, v[i], e);
    }
    buf_z(o, ")");
    buf_z(e, ")\"");
    buf_c(o, 0);
    buf_c(e, 0);
    return sql_error("DATATYPE_MISMATCH.DATA_DIFF_TYPES", n, b->text, "sqlExpr", e->p, "functionName",
                     arena_printf(b->a, "`%s`", name), "dataType", o->p, NULL);
}

static err *array_of(struct binder *b, const struct ast *n, struct bx **v, size_t count, struct bx **ret) {
    const struct sql_type *t = bx_unify(b, v, count);
    if (!t) return diff_types(b, n, "array", v, count);
    bool nullable = false;
    for (size_t i = 0; i < count; i++) nullable |= v[i]->nullable;
    const struct sql_type *at = sql_array(b->a, t, nullable);
    *ret = bx_tmpl(b, at, count ? STR("[{*}]") : STR("CAST([] AS {type})"), STR("array({0*})"), v, count);
    if (t->kind == TY_VOID && count) (*ret)->text = STR("CAST([{*}] AS {type})");
    (*ret)->nullable = false;
    return NULL;
}

static err *map_of(struct binder *b, const struct ast *n, struct bx **v, size_t count, struct bx **ret) {
    size_t k = count / 2;
    struct bx **keys = arena_array_of(b->a, struct bx *, k + 1), **vals = arena_array_of(b->a, struct bx *, k + 1);
    if (count % 2) return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", n, b->text, "functionName", "`map`", "expectedNum", "2n (n > 0)", "actualNum", arena_printf(b->a, "%zu", count), "docroot", "https://spark.apache.org/docs/latest", NULL);
    for (size_t i = 0; i < k; i++) {
        keys[i] = v[i * 2];
        vals[i] = v[i * 2 + 1];
    }
    const struct sql_type *kt = bx_unify(b, keys, k), *vt = bx_unify(b, vals, k);
    if (!kt) return diff_types(b, n, "map", keys, k);
    if (!vt) return diff_types(b, n, "map", vals, k);
    buf *t = sql_buf(b->a);
    bool nullable = false;
    buf_z(t, k ? "map([" : "CAST(map([], []) AS {type})");
    for (size_t i = 0; i < k; i++) buf_fmt(t, "%s{%zu}", i ? ", " : "", i * 2);
    if (k) buf_z(t, "], [");
    for (size_t i = 0; i < k; i++) {
        buf_fmt(t, "%s{%zu}", i ? ", " : "", i * 2 + 1);
        v[i * 2] = keys[i];
        v[i * 2 + 1] = vals[i];
        nullable |= vals[i]->nullable;
    }
    if (k) buf_z(t, "])");
    *ret = bx_tmpl(b, sql_map(b->a, kt, vt, nullable), sql_keep(b->a, t), STR("map({0*})"), v, count);
    (*ret)->nullable = false;
    return NULL;
}

err *bind_built(struct binder *b, const char *name, const struct ast *at, struct bx **v, size_t count, struct bx **ret) {
    if (strcmp(name, "array") == 0) return array_of(b, at, v, count, ret);
    if (strcmp(name, "map") == 0) return map_of(b, at, v, count, ret);
    str *names = arena_array_of(b->a, str, count + 1);
    for (size_t i = 0; i < count; i++) names[i] = str_of(arena_printf(b->a, "col%zu", i + 1));
    *ret = make_struct(b, v, names, count, STR("struct({0*})"));
    return NULL;
}

/* array(…) or map(…) as written */
static err *built(struct cx *c, const char *name, const struct ast *n, struct bx **ret) {
    struct bx **v = arena_array_of(c->b->a, struct bx *, n->n + 1);
    TRY(args_of(c, n, v));
    return bind_built(c->b, name, n, v, n->n, ret);
}

static err *concat(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx **v = arena_array_of(b->a, struct bx *, n->n + 1);
    TRY(args_of(c, n, v));
    return bind_apply(c, "concat", n, v, n->n, ret);
}

/* ---- casts by name ---- */

static err *cast_call(struct cx *c, const struct ast *n, str name, enum sql_type_kind kind, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x;
    TRY(arity(b, n, name.p, 1));
    TRY(bind_expr(c, n->child[0], &x));
    const struct sql_type *to = sql_type_of(kind);
    TRY(check_cast(b, n, x, to, false));
    *ret = bx_cast(b, bx_exact(b, x), to);
    if ((*ret)->kind == BX_TMPL) (*ret)->implicit = true;
    return NULL;
}

/* ---- counts and grouping ---- */

static err *count(struct cx *c, const struct ast *n, bool *done, struct bx **ret) {
    struct binder *b = c->b;
    bool star = n->n == 1 && n->child[0]->kind == AST_STAR && !ast_get(n->child[0], SLOT_QUALIFIER);
    if (n->n == 1 && !star && n->child[0]->kind != AST_STAR) return NULL;
    *done = true;
    if (n->n == 0)
        return sql_error("WRONG_NUM_ARGS.WITH_SUGGESTION", n, b->text, "functionName", "`count`", "expectedNum", " >= 1", "actualNum", "0", "legacyConfKey",
                         "\"spark.sql.legacy.allowParameterlessCount\"", "legacyConfValue", "\"true\"", NULL);
    if (c->no_agg)
        return no_aggregate(c, n, "\"count(1)\"");
    struct cx ac = *c;
    if (!ast_get(n, SLOT_OVER)) ac.no_agg = ac.in_agg = true;
    struct items it = {.n = 0};
    struct bx **v = arena_array_of(b->a, struct bx *, n->n + 1);
    size_t k = n->n;
    if (star && !ast_has(n, AST_F_DISTINCT)) {
        k = 0;
    } else if (n->n && n->child[0]->kind == AST_STAR) {
        TRY(bind_items(&ac, n, &it));
        v = it.x;
        k = it.n;
    } else {
        TRY(args_of(&ac, n, v));
    }
    buf *t = sql_buf(b->a);
    bool distinct = ast_has(n, AST_F_DISTINCT);
    if (k == 0) {
        buf_z(t, "count(*)");
    } else {
        buf_z(t, "count({d}CASE WHEN ");
        for (size_t i = 0; i < k; i++) buf_fmt(t, "%s{%zu} IS NOT NULL", i ? " AND " : "", i);
        buf_z(t, distinct ? " THEN row({*}) END){w}" : " THEN 1 END){w}");
    }
    str cap = k == 0 ? STR("count(1)") : distinct ? STR("count(DISTINCT {0*})") : STR("count({0*})");
    struct bx *x = bx_tmpl(b, sql_type_of(TY_BIGINT), sql_keep(b->a, t), cap, v, k);
    x->kind = BX_AGG;
    x->nullable = false;
    x->distinct = distinct && k > 0;
    x->has_agg = true;
    const struct ast *f = ast_get(n, SLOT_FILTER);
    (void)f;
    *ret = x;
    return NULL;
}

static err *grouping(struct cx *c, const struct ast *n, bool id, struct bx **ret) {
    struct binder *b = c->b;
    struct bx **v = arena_array_of(b->a, struct bx *, n->n + 1);
    if (!id) TRY(arity(b, n, "grouping", 1));
    struct cx ac = *c;
    ac.no_agg = ac.in_agg = true;
    TRY(args_of(&ac, n, v));
    struct bx *x = bx_tmpl(b, sql_type_of(id ? TY_BIGINT : TY_TINYINT), STR("CAST(GROUPING({*}) AS {type})"),
                           id ? STR("grouping_id({0*})") : STR("grouping({0})"), v, n->n);
    x->kind = BX_AGG;
    x->nullable = false;
    x->has_agg = true;
    *ret = x;
    return NULL;
}

/* ---- arithmetic by name ---- */

static err *arith(struct cx *c, const struct ast *n, str name, char op, bool try_it, struct bx **ret) {
    struct bx *v[2];
    TRY(arity(c->b, n, name.p, 2));
    TRY(args_of(c, n, v));
    TRY(bind_arith(c->b, op, v[0], v[1], n, try_it, ret));
    struct bx *x = *ret;
    if (op == 'd') return NULL; /* shown as the operator */
    if (x->kind == BX_LIT) {
        x->cap = sql_fmt(c->b->a, "%.*s(%.*s, %.*s)", STR_ARG(name), STR_ARG(caption_of(c->b, v[0])), STR_ARG(caption_of(c->b, v[1])));
        return NULL;
    }
    /* The caption shows the arguments in their order, whatever the operator made of them. */
    str cap = sql_fmt(c->b->a, "%.*s(%.*s, %.*s)", STR_ARG(name), STR_ARG(tmpl_text(c->b, caption_of(c->b, v[0]))),
                      STR_ARG(tmpl_text(c->b, caption_of(c->b, v[1]))));
    if (try_it && str_find(x->text, STR("TRY")) < 0 && (op == '+' || op == '-' || op == '*') && x->type->kind != TY_DECIMAL) {
        x->text = sql_fmt(c->b->a, "TRY(%.*s)", STR_ARG(x->text));
        x->nullable = true;
    }
    x->cap = cap;
    return NULL;
}

static err *nullif(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *v[3];
    TRY(arity(c->b, n, "nullif", 2));
    TRY(args_of(c, n, v));
    TRY(bind_compare(c->b, "=", v[0], v[1], n, &v[2]));
    struct bx *three[3] = {bx_exact(c->b, v[0]), v[1], v[2]};
    *ret = bx_tmpl(c->b, v[0]->type, STR("CASE WHEN {2} THEN NULL ELSE {0} END"), STR("nullif({0}, {1})"), three, 3);
    (*ret)->nullable = true;
    return NULL;
}

static err *operator_call(struct cx *c, const struct ast *n, str name, struct bx **ret) {
    struct ast *like = ast_new(c->b->a, AST_LIKE, n->pos, n->end);
    like->text = str_eqz(name, "like") || str_eqz(name, "ilike") ? name : STR("rlike");
    for (uint32_t i = 0; i < n->n && i < 2; i++) ast_add(c->b->a, like, n->child[i]);
    if (n->n == 3) ast_set(c->b->a, like, SLOT_ESCAPE, n->child[2]);
    if (n->n < 2 || n->n > 3) return arity(c->b, n, name.p, 2);
    TRY(bind_expr(c, like, ret));
    if (str_eqz(name, "regexp")) (*ret)->cap = STR("REGEXP({0}, {1})");
    if (str_eqz(name, "regexp_like")) (*ret)->cap = STR("REGEXP_LIKE({0}, {1})");
    return NULL;
}

/* ---- extract ---- */

static const char *field_function(str f, enum sql_type_kind kind) {
    static const struct {
        const char *words, *function;
    } fields[] = {{"year y years yr yrs", "year"},
                  {"yearofweek", "yearofweek"},
                  {"quarter qtr", "quarter"},
                  {"month mon mons months", "month"},
                  {"week w weeks", "weekofyear"},
                  {"day d days", "day"},
                  {"dayofweek dow", "dayofweek"},
                  {"dayofweek_iso dow_iso", "dayofweek_iso"},
                  {"doy", "dayofyear"},
                  {"hour h hours hr hrs", "hour"},
                  {"minute m min mins minutes", "minute"},
                  {"second s sec seconds secs", "second"}};
    (void)kind;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        str rest = str_of(fields[i].words), w;
        while (str_split(&rest, ' ', &w))
            if (str_ieq(w, f)) return fields[i].function;
    }
    return NULL;
}

static struct bx *interval_field(struct binder *b, const char *f, struct bx *x) {
    bool ym = x->type->kind == TY_INTERVAL_YM;
    if (ym && strcmp(f, "year") == 0) return bx_tmpl1(b, sql_type_of(TY_INT), "({0} // 12)", "", x);
    if (ym && strcmp(f, "month") == 0) return bx_tmpl1(b, sql_type_of(TY_TINYINT), "CAST({0} % 12 AS TINYINT)", "", x);
    if (ym) return NULL;
    if (strcmp(f, "day") == 0) return bx_tmpl1(b, sql_type_of(TY_INT), "CAST({0} // 86400000000 AS INTEGER)", "", x);
    if (strcmp(f, "hour") == 0) return bx_tmpl1(b, sql_type_of(TY_TINYINT), "CAST(({0} // 3600000000) % 24 AS TINYINT)", "", x);
    if (strcmp(f, "minute") == 0) return bx_tmpl1(b, sql_type_of(TY_TINYINT), "CAST(({0} // 60000000) % 60 AS TINYINT)", "", x);
    if (strcmp(f, "second") == 0)
        return bx_tmpl1(b, sql_decimal(b->a, 8, 6), "CAST(CAST({0} % 60000000 AS DECIMAL(18,0)) * 0.000001 AS {type})", "", x);
    return NULL;
}

static err *extract(struct cx *c, const struct ast *n, str name, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x, *f, *y = NULL;
    TRY(arity(b, n, name.p, 2));
    TRY(bind_expr(c, n->child[0], &f));
    TRY(bind_expr(c, n->child[1], &x));
    if (f->kind != BX_LIT || !f->text.p)
        return sql_error("NON_FOLDABLE_ARGUMENT", n, b->text, "funcName", arena_printf(b->a, "`%.*s`", STR_ARG(name)), "paramName", "`field`", "paramType", "\"STRING\"", NULL);
    const char *fn = field_function(f->text, x->type->kind);
    bool interval = x->type->kind == TY_INTERVAL_YM || x->type->kind == TY_INTERVAL_DT;
    if (fn && interval)
        y = interval_field(b, fn, x);
    else if (fn && strcmp(fn, "second") == 0 && x->type->kind != TY_INTERVAL)
        y = bx_tmpl1(b, sql_decimal(b->a, 8, 6), "CAST(CAST(epoch_us({0}) - epoch_us(date_trunc('minute', {0})) AS DECIMAL(18,0)) * 0.000001 AS {type})",
                     "", x->type->kind == TY_TIME || x->type->kind == TY_TIMESTAMP_NTZ ? x : bx_cast(b, x, sql_type_of(TY_TIMESTAMP)));
    else if (fn && strcmp(fn, "dayofweek_iso") == 0)
        y = bx_tmpl1(b, sql_type_of(TY_INT), "CAST(isodow({0}) AS INTEGER)", "", bx_cast(b, x, sql_type_of(TY_DATE)));
    else if (fn && strcmp(fn, "yearofweek") == 0)
        y = bx_tmpl1(b, sql_type_of(TY_INT), "CAST(isoyear({0}) AS INTEGER)", "", bx_cast(b, x, sql_type_of(TY_DATE)));
    else if (fn)
        TRY(bind_apply(c, fn, n, &x, 1, &y));
    if (y && x->type->kind == TY_TIME && strcmp(fn, "second") == 0)
        y->text = STR("CAST(CAST(epoch_us({0}) % 60000000 AS DECIMAL(18,0)) * 0.000001 AS {type})");
    if (!y)
        return sql_error("INVALID_EXTRACT_FIELD", n, b->text, "field", arena_printf(b->a, "`%.*s`", STR_ARG(f->text)), "expr",
                         arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), NULL);
    str cf = tmpl_text(b, caption_of(b, f)), cxp = tmpl_text(b, caption_of(b, x));
    bool ex = ast_has(n, AST_F_SPECIAL) || str_eqz(name, "extract"), from = ex || str_eqz(name, "datepart");
    y->cap = from ? sql_fmt(b->a, "%s(%.*s FROM %.*s)", ex ? "extract" : "datepart", STR_ARG(cf), STR_ARG(cxp)) : sql_fmt(b->a, "%.*s(%.*s, %.*s)", STR_ARG(name), STR_ARG(cf), STR_ARG(cxp));
    *ret = y;
    return NULL;
}

/* ---- the session ---- */

static struct bx *constant(struct binder *b, enum sql_type_kind kind, const char *tmpl, str name) {
    struct bx *x = bx_tmpl(b, sql_type_of(kind), str_of(tmpl), sql_fmt(b->a, "%.*s()", STR_ARG(name)), NULL, 0);
    return x;
}

static struct bx *text_constant(struct binder *b, str value, str name) {
    struct bx *x = bx_string(b, value);
    x->cap = sql_fmt(b->a, "%.*s()", STR_ARG(name));
    return x;
}

/* current_time(p): cut off behind p digits of the second. */
static err *current_time(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x;
    int64_t p, cut = 1;
    const struct sql_type *t;
    TRY(arity(b, n, "current_time", 1));
    TRY(bind_expr(c, n->child[0], &x));
    if (x->kind != BX_LIT || !x->text.p || !str_to_i64(x->text, &p)) return unsupported(b, n, "a precision that is not constant");
    if (p < 0 || p > 6)
        return sql_error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE", n, b->text, "sqlExpr", arena_printf(b->a, "\"current_time(%lld)\"", (long long)p), "exprName", "`precision`", "valueRange", "[0, 6]",
                         "currentValue", arena_printf(b->a, "%lld", (long long)p), NULL);
    for (int64_t i = p; i < 6; i++) cut *= 10;
    TRY(sql_type_sized(b->a, TY_TIME, &p, 1, &t));
    *ret = bx_tmpl(b, t, sql_fmt(b->a, "CAST(make_timestamp(bh_floor_div(epoch_us(bh_ts_to_ntz({now}, {tz})), %lld) * %lld) AS TIME)", (long long)cut, (long long)cut),
                   sql_fmt(b->a, "current_time(%lld)", (long long)p), NULL, 0);
    (*ret)->nullable = false;
    return NULL;
}

static bool session(struct cx *c, str name, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct sql_env *e = b->env;
    if (n->n) return false;
    if (str_eqz(name, "current_date") || str_eqz(name, "curdate"))
        *ret = constant(b, TY_DATE, "bh_ts_to_date({now}, {tz})", STR("current_date"));
    else if (str_eqz(name, "current_timestamp") || str_eqz(name, "now"))
        *ret = constant(b, TY_TIMESTAMP, "{now}", name);
    else if (str_eqz(name, "localtimestamp"))
        *ret = constant(b, TY_TIMESTAMP_NTZ, "bh_ts_to_ntz({now}, {tz})", name);
    else if (str_eqz(name, "current_time"))
        (*ret = constant(b, TY_TIME, "CAST(bh_ts_to_ntz({now}, {tz}) AS TIME)", name))->cap = STR("current_time(6)");
    else if (str_eqz(name, "current_user") || str_eqz(name, "user") || str_eqz(name, "session_user"))
        *ret = text_constant(b, e->user, name);
    else if (str_eqz(name, "current_catalog")) {
        ptrdiff_t mark = str_chr(e->catalog, SQL_MARK, 0);
        *ret = text_constant(b, mark < 0 ? e->catalog : str_cut(e->catalog, (size_t)mark), name);
    } else if (str_eqz(name, "current_schema") || str_eqz(name, "current_database"))
        *ret = text_constant(b, e->schema, STR("current_schema"));
    else if (str_eqz(name, "current_path"))
        *ret = e->path.n ? text_constant(b, e->path, name) : text_constant(b, sql_fmt(b->a, "system.builtin,system.session,%.*s.%.*s", STR_ARG(str_chr(e->catalog, SQL_MARK, 0) < 0 ? e->catalog : str_cut(e->catalog, (size_t)str_chr(e->catalog, SQL_MARK, 0))), STR_ARG(e->schema)), name);
    else if (str_eqz(name, "current_timezone"))
        *ret = text_constant(b, e->time_zone_shown.n ? e->time_zone_shown : e->time_zone.n ? e->time_zone : STR("UTC"), name);
    else
        return false;
    return true;
}

static err *member(struct cx *c, const struct ast *n, bool account, struct bx **ret) {
    struct bx *x;
    TRY(arity(c->b, n, account ? "is_account_group_member" : "is_member", 1));
    TRY(bind_expr(c, n->child[0], &x));
    if (x->kind != BX_LIT || !x->text.p) return unsupported(c->b, n, "a group that is not constant");
    *ret = bx_bool(c->b, c->b->env->in_group && c->b->env->in_group(c->b->env, x->text, account));
    (*ret)->cap = sql_fmt(c->b->a, "%s(%.*s)", account ? "is_account_group_member" : "is_member", STR_ARG(x->text));
    return NULL;
}

static err *type_of(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *x;
    TRY(arity(c->b, n, "typeof", 1));
    TRY(bind_expr(c, n->child[0], &x));
    buf *o = sql_buf(c->b->a);
    sql_type_write(x->type, o);
    *ret = bx_string(c->b, sql_keep(c->b->a, o));
    (*ret)->cap = sql_fmt(c->b->a, "typeof(%.*s)", STR_ARG(caption_of(c->b, x)));
    return NULL;
}

/* ---- windows of time ---- */

static err *duration(struct cx *c, const struct ast *n, bool positive, int64_t *ret) {
    struct bx *x;
    struct ast *i = ast_new(c->b->a, AST_INTERVAL, n->pos, n->end);
    if (n->kind != AST_LIT_STRING && n->kind != AST_INTERVAL) return unsupported(c->b, n, "a window whose length is not constant");
    ast_add(c->b->a, i, (struct ast *)(uintptr_t)n);
    TRY(bind_interval(c, n->kind == AST_INTERVAL ? n : i, &x));
    if (x->kind != BX_LIT || x->type->kind != TY_INTERVAL_DT || !str_to_i64(x->text, ret) || (positive && *ret <= 0))
        return unsupported(c->b, n, "a window of months or of no length");
    return NULL;
}

/* window(time, length): the tumbling window that the time falls into, counted from 1970. */
static err *time_window(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    struct bx *x;
    int64_t len, slide, from = 0;
    if (n->n < 2 || n->n > 4) return arity(b, n, "window", 2);
    TRY(bind_expr(c, n->child[0], &x));
    TRY(duration(c, n->child[1], true, &len));
    slide = len;
    if (n->n > 2) TRY(duration(c, n->child[2], true, &slide));
    if (n->n > 3) TRY(duration(c, n->child[3], false, &from));
    if (slide > len || from >= slide || from <= -slide)
        return sql_error("DATATYPE_MISMATCH.PARAMETER_CONSTRAINT_VIOLATION", n, b->text, "sqlExpr", "\"window\"", "leftExprName", slide > len ? "`slide_duration`" : "`abs(start_time)`", "leftExprValue",
                         arena_printf(b->a, "%lldL", (long long)(slide > len ? slide : from)), "constraint", slide > len ? "<=" : "<", "rightExprName",
                         slide > len ? "`window_duration`" : "`slide_duration`", "rightExprValue", arena_printf(b->a, "%lldL", (long long)(slide > len ? len : slide)), NULL);
    if (x->type->kind != TY_TIMESTAMP_NTZ) {
        if (!sql_can_cast(x->type, sql_type_of(TY_TIMESTAMP))) return unsupported(b, n, "a window of what is no time");
        x = bx_cast(b, x, sql_type_of(TY_TIMESTAMP));
    }
    struct sql_field *f = arena_array_of(b->a, struct sql_field, 2);
    f[0] = (struct sql_field){.name = STR("start"), .type = x->type, .nullable = true};
    f[1] = (struct sql_field){.name = STR("end"), .type = x->type, .nullable = true};
    const char *make = x->type->kind == TY_TIMESTAMP ? "make_timestamptz" : "make_timestamp";
    if (slide != len || from) {
        /* As a generator: the window that begins last comes first. */
        if (!c->gen_ok) return sql_error("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS", n, b->text, "expression", "\"window()\"", NULL);
        const struct sql_type *w = sql_struct(b->a, f, 2);
        struct sql_field *one = arena_new_of(b->a, struct sql_field);
        *one = (struct sql_field){.name = STR("window"), .type = w, .nullable = false};
        struct bx *g = bx_tmpl(b, sql_array(b->a, w, false),
                               sql_fmt(b->a, "list_transform([epoch_us({0})], lambda t{#}: list_transform(list_filter(list_transform(range(0, %lld), lambda i{#}: "
                                             "bh_floor_div(t{#} - (%lld), %lld) * %lld + (%lld) - i{#} * %lld), lambda s{#}: s{#} + %lld > t{#}), lambda s{#}: "
                                             "{{'f0': %s(s{#}), 'f1': %s(s{#} + %lld)}}))[1]",
                                       (long long)((len + slide - 1) / slide), (long long)from, (long long)slide, (long long)slide, (long long)from, (long long)slide, (long long)len, make, make,
                                       (long long)len),
                               STR("window"), &x, 1);
        g->kind = BX_GEN;
        g->gen = sql_struct(b->a, one, 1);
        *ret = g;
        return NULL;
    }
    *ret = bx_tmpl(b, sql_struct(b->a, f, 2),
                   sql_fmt(b->a, "{{'f0': %s(bh_floor_div(epoch_us({0}), %lld) * %lld), 'f1': %s(bh_floor_div(epoch_us({0}), %lld) * %lld + %lld)}}", make,
                           (long long)len, (long long)len, make, (long long)len, (long long)len, (long long)len),
                   STR("window"), &x, 1);
    return NULL;
}

/* The last instant of a window. */
static err *window_time(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *x;
    TRY(arity(c->b, n, "window_time", 1));
    TRY(bind_expr(c, n->child[0], &x));
    if (x->type->kind != TY_STRUCT || x->type->n != 2) return unsupported(c->b, n, "window_time of what is no window");
    bool ntz = x->type->fields[1].type->kind == TY_TIMESTAMP_NTZ;
    *ret = bx_tmpl1(c->b, x->type->fields[1].type,
                    ntz ? "make_timestamp(epoch_us(struct_extract({0}, 'f1')) - 1)" : "make_timestamptz(epoch_us(struct_extract({0}, 'f1')) - 1)",
                    "window_time({0})", x);
    return NULL;
}

static err *equal_null(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *v[2];
    TRY(arity(c->b, n, "equal_null", 2));
    TRY(args_of(c, n, v));
    TRY(bind_compare(c->b, "<=>", v[0], v[1], n, ret));
    (*ret)->cap = STR("equal_null({0}, {1})");
    return NULL;
}

/* when(condition, value, …[, otherwise]): CASE as a call. */
static err *when(struct cx *c, const struct ast *n, struct bx **ret) {
    struct ast *k = ast_new(c->b->a, AST_CASE, n->pos, n->end);
    if (n->n < 2) return arity(c->b, n, "when", 2);
    for (uint32_t i = 0; i + 1 < n->n; i++)
        if (i < n->n / 2 * 2) ast_add(c->b->a, k, n->child[i]);
    if (n->n % 2) ast_set(c->b->a, k, SLOT_ELSE, n->child[n->n - 1]);
    else ast_add(c->b->a, k, n->child[n->n - 1]);
    return bind_case(c, k, ret);
}

/* collate(text, 'NAME'): COLLATE as a call. */
static err *collate(struct cx *c, const struct ast *n, struct bx **ret) {
    struct bx *name;
    TRY(arity(c->b, n, "collate", 2));
    TRY(bind_expr(c, n->child[1], &name));
    if (name->kind != BX_LIT) return unsupported(c->b, n, "a collation that is not constant");
    if (!name->text.p)
        return sql_error("DATATYPE_MISMATCH.UNEXPECTED_NULL", n, c->b->text, "sqlExpr", arena_printf(c->b->a, "\"%.*s\"", STR_ARG(caption_of(c->b, name))), "exprName", "`collation`", NULL);
    struct ast *k = ast_new(c->b->a, AST_COLLATE, n->pos, n->end);
    k->text = name->text;
    ast_add(c->b->a, k, n->child[0]);
    return bind_expr(c, k, ret);
}

err *bind_special(struct cx *c, str name, const struct ast *n, bool *done, struct bx **ret) {
    static const struct {
        const char *name;
        enum sql_type_kind kind;
    } casts[] = {{"boolean", TY_BOOLEAN}, {"tinyint", TY_TINYINT}, {"smallint", TY_SMALLINT}, {"int", TY_INT}, {"bigint", TY_BIGINT},
                 {"float", TY_FLOAT}, {"double", TY_DOUBLE}, {"decimal", TY_DECIMAL}, {"date", TY_DATE}, {"timestamp", TY_TIMESTAMP},
                 {"string", TY_STRING}, {"binary", TY_BINARY}, {"time", TY_TIME}};
    static const struct {
        const char *name;
        char op;
        bool try_it;
    } ops[] = {{"try_add", '+', true}, {"try_subtract", '-', true}, {"try_multiply", '*', true}, {"try_divide", '/', true},
               {"try_mod", '%', true}, {"mod", '%', false}, {"div", 'd', false}};
    *done = true;
    if (n->kind == AST_ROW || str_eqz(name, "struct")) return structure(c, n, ret);
    if (str_eqz(name, "named_struct")) return named_struct(c, n, ret);
    if (str_eqz(name, "array")) return built(c, "array", n, ret);
    if (str_eqz(name, "map")) return built(c, "map", n, ret);
    if (str_eqz(name, "concat") && n->n == 1 && n->child[0]->kind == AST_STAR) return concat(c, n, ret);
    if (str_eqz(name, "grouping")) return grouping(c, n, false, ret);
    if (str_eqz(name, "grouping_id") || str_eqz(name, "grouping__id")) return grouping(c, n, true, ret);
    if (str_eqz(name, "nullif")) return nullif(c, n, ret);
    if (str_eqz(name, "typeof")) return type_of(c, n, ret);
    if (str_eqz(name, "equal_null")) return equal_null(c, n, ret);
    if (str_eqz(name, "window")) return time_window(c, n, ret);
    if (str_eqz(name, "current_time") && n->n) return current_time(c, n, ret);
    if (str_eqz(name, "when")) return when(c, n, ret);
    if (str_eqz(name, "collate")) return collate(c, n, ret);
    if (str_eqz(name, "session_window")) return bind_session_window(c, n, ret);
    if (str_eqz(name, "window_time")) return window_time(c, n, ret);
    if (str_eqz(name, "extract") || str_eqz(name, "date_part") || str_eqz(name, "datepart")) return extract(c, n, name, ret);
    if (str_eqz(name, "like") || str_eqz(name, "ilike") || str_eqz(name, "rlike") || str_eqz(name, "regexp") || str_eqz(name, "regexp_like"))
        return operator_call(c, n, name, ret);
    if (str_eqz(name, "is_member")) return member(c, n, false, ret);
    if (str_eqz(name, "is_account_group_member")) return member(c, n, true, ret);
    if (session(c, name, n, ret)) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_eqz(name, ops[i].name)) return arith(c, n, str_of(ops[i].name), ops[i].op, ops[i].try_it, ret);
    for (size_t i = 0; i < ARRAY_LEN(casts); i++)
        if (str_eqz(name, casts[i].name)) return cast_call(c, n, str_of(casts[i].name), casts[i].kind, ret);
    *done = false;
    TRY(bind_schema_of(c, name, n, done, ret));
    if (*done) return NULL;
    if (str_eqz(name, "count")) return count(c, n, done, ret);
    return NULL;
}
