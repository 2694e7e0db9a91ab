/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of functions. The rows of the name are tried in order, the one that needs the mildest casts wins; its template
 * becomes the node's. Names without rows are the user's functions.
 */
#include "sql/bind.h"
#include "sql/func_sig.h"
#include "sql/text.h"

#include <stdio.h>

struct fit {
    const struct sql_func *f;
    struct sig sig;
    const struct sql_type *vars[SIG_VARS];
    const struct sql_type **target;
    int cost;
    size_t bad;              /* the argument that does not fit */
};

static bool is_rule(const char *t) { return t && strncmp(t, "rule:", 5) == 0; }

/* ---- matching a row ---- */

static bool arity_fits(const struct sig *s, size_t n) { return n >= s->least && (s->open || n <= s->n); }

/* Is it no cast to another sort of type? */
static bool stays(const struct sql_type *from, const struct sql_type *to) {
    return from->kind == TY_VOID || from->kind == to->kind || (sql_is_text(from) && sql_is_text(to)) || (sql_is_integral(from) && sql_is_integral(to)) ||
           (sql_is_numeric(from) && (to->kind == TY_DECIMAL || to->kind == TY_DOUBLE));
}

static bool row_fits(struct binder *b, struct fit *f, struct bx **args, const struct ast *const *asts, size_t n) {
    f->cost = 0;
    f->target = arena_array_of(b->a, const struct sql_type *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct pat *p = sig_arg(&f->sig, i);
        bool lambda = asts && asts[i]->kind == AST_LAMBDA;
        f->bad = i;
        if (lambda != pat_is_lambda(p)) return false;
        if (lambda) continue;
        if (p->literal && args[i]->kind != BX_LIT) f->cost += 30;
        if (!pat_gather(b->a, p, args[i]->type, (enum pat_common)f->f->common, f->vars)) return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct pat *p = sig_arg(&f->sig, i);
        f->bad = i;
        if (pat_is_lambda(p)) continue;
        f->target[i] = pat_coerce(b->a, p, args[i]->type, f->vars, &f->cost);
        /* A number with a point may stand where a whole number is wanted. */
        if (!f->target[i] && !f->f->strict && !p->exact && !(p->alternatives && p->child[0]->exact) && sql_is_numeric(args[i]->type) && !str_eqz(p->word, "small")) {
            f->cost += 20;
            f->target[i] = pat_coerce(b->a, p, sql_type_of(TY_TINYINT), f->vars, &f->cost);
        }
        if (!f->target[i] || (f->f->strict && !stays(args[i]->type, f->target[i]))) return false;
    }
    return true;
}

static const char *ordinal(struct binder *b, size_t i) {
    static const char *const words[] = {"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"};
    return i < ARRAY_LEN(words) ? words[i] : arena_printf(b->a, "%zuth", i + 1);
}

static const char *call_text(struct binder *b, const char *name, struct bx **args, size_t n) {
    buf *o = sql_buf(b->a);
    buf_fmt(o, "\"%s(", name);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_z(o, ", ");
        if (args[i]) caption(b, args[i], o);
    }
    buf_z(o, ")\"");
    buf_c(o, 0);
    return o->p;
}

err *different_types(struct binder *b, const struct ast *at, const char *function, const char *expr, struct bx *const *x, size_t n, bool list) {
    buf *o = sql_buf(b->a);
    buf_c(o, list ? '[' : '(');
    for (size_t i = 0; i < n; i++) buf_fmt(o, "%s%s", i == 0 ? "" : list ? ", " : " or ", type_name(b, x[i]->type).p);
    buf_c(o, list ? ']' : ')');
    buf_c(o, 0);
    return sql_error("DATATYPE_MISMATCH.DATA_DIFF_TYPES", at, b->text, "sqlExpr", expr, "functionName", arena_printf(b->a, "`%s`", function), "dataType", o->p, NULL);
}

/* Generators, sketches and mask declare their parameters by name to Spark: what is missing is said by its name. */
static err *missing_name(struct binder *b, const struct ast *at, const struct sql_func *f, size_t n) {
    struct sig s;
    sig_read(b->a, f->args, &s);
    if (n >= s.least) return NULL;
    str rest = str_of(f->names), part = STR_NONE;
    for (size_t i = 0; i <= n; i++)
        if (!str_split(&rest, ',', &part)) return NULL;
    part = str_trim(part);
    return sql_error("REQUIRED_PARAMETER_NOT_FOUND", at, b->text, "routineName", arena_printf(b->a, "`%s`", f->name), "parameterName",
                     arena_printf(b->a, "`%.*s`", STR_ARG(part)), "index", arena_printf(b->a, "%zu", n), NULL);
}

static err *wrong_number(struct binder *b, const struct ast *at, const char *name, const struct sql_func *rows, size_t n_rows, size_t n) {
    if (!ast_get(at, SLOT_WITHIN) && n == 1 && (strcmp(rows[0].name, "percentile_cont") == 0 || strcmp(rows[0].name, "percentile_disc") == 0))
        return sql_error("INVALID_WITHIN_GROUP_EXPRESSION.WITHIN_GROUP_MISSING", at, b->text, "funcName", arena_printf(b->a, "`%s`", rows[0].name), NULL);
    if (rows[0].names && (rows[0].kind == FN_GENERATOR || rows[0].kind == FN_AGGREGATE || str_eqz(STR("mask"), rows[0].name) || str_starts(str_of(rows[0].name), STR("tuple_"))))
        TRY(missing_name(b, at, rows, n));
    buf *o = sql_buf(b->a);
    bool seen[32] = {false};
    for (size_t i = 0; i < n_rows; i++) {
        struct sig s;
        sig_read(b->a, rows[i].args, &s);
        for (size_t k = s.least; k <= s.n && k < 32; k++) seen[k] = true;
        if (s.open) {
            buf_clear(o);
            buf_fmt(o, "> %zu", s.least ? s.least - 1 : 0);
            break;
        }
    }
    if (!o->n) {
        size_t count = 0;
        for (size_t k = 0; k < 32; k++) count += seen[k];
        if (count > 1) buf_c(o, '[');
        bool first = true;
        for (size_t k = 0; k < 32; k++) {
            if (!seen[k]) continue;
            buf_fmt(o, "%s%zu", first ? "" : ", ", k);
            first = false;
        }
        if (count > 1) buf_c(o, ']');
    }
    buf_c(o, 0);
    return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", at, b->text, "functionName", arena_printf(b->a, "`%s`", name),
                     "expectedNum", o->p, "actualNum", arena_printf(b->a, "%zu", n), "docroot",
                     "https://spark.apache.org/docs/latest", NULL);
}

/* pmod is an operator to Spark, and its errors are operators'. */
static err *no_pmod(struct binder *b, const struct ast *at, struct bx **v) {
    const struct sql_type *l = v[0]->type, *r = v[1]->type;
    if ((sql_is_text(l) || sql_is_text(r)) || sql_type_eq(l, r))
        return sql_error("DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE", at, b->text, "sqlExpr", call_text(b, "pmod", v, 2), "inputType", "\"NUMERIC\"",
                         "actualDataType", type_name(b, sql_is_text(l) ? r : l).p, NULL);
    return sql_error("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES", at, b->text, "sqlExpr", call_text(b, "pmod", v, 2), "left", type_name(b, l).p, "right",
                     type_name(b, r).p, NULL);
}

/* "(a, b)" without its quotes. */
static const char *cut_end(struct binder *b, const char *quoted) { return arena_strndup(b->a, quoted + 1, strlen(quoted) - 2); }

static bool asts_have_lambda(const struct ast *const *asts, size_t n) {
    for (size_t i = 0; asts && i < n; i++)
        if (asts[i]->kind == AST_LAMBDA) return true;
    return false;
}

/* Is each argument of the right form by itself, so that only their types together do not fit? */
static bool fits_alone(struct binder *b, const struct fit *f, struct bx **args, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct sql_type *vars[26] = {NULL};
        if (!args[i] || !pat_gather(b->a, sig_arg(&f->sig, i), args[i]->type, COMMON_WIDE, vars)) return false;
    }
    return true;
}

/* The default of argument i, as a tree; NULL: it has none. */
static err *default_of(struct binder *b, const struct sql_func *f, size_t i, struct ast **ret) {
    size_t count = 0;
    *ret = NULL;
    if (!f || !f->defaults) return NULL;
    struct sig sig;
    sig_read(b->a, f->args, &sig);
    while (f->defaults[count]) count++;
    size_t first = sig.n - count;
    return i < first || i >= sig.n ? NULL : sql_parse_expr(b->a, str_of(f->defaults[i - first]), ret);
}

/* The call in quotes as errors show it: with what is left out, and in the words of its caption. */
static err *shown_call(struct binder *b, const struct sql_func *f, struct bx **args, size_t n, const char **ret) {
    *ret = NULL;
    struct bx **all = arena_array_of(b->a, struct bx *, n + 33);
    for (size_t i = 0; i < n; i++) {
        if (!args[i]) *ret = call_text(b, f->name, args, n); /* a lambda */
        all[i] = args[i];
    }
    for (size_t i = n; !*ret && i < n + 32; i++) {
        struct ast *e;
        struct scope none = {.level = 0};
        struct cx c = {.b = b, .s = &none};
        TRY(default_of(b, f, i, &e));
        if (!e) break;
        TRY(bind_expr(&c, e, &all[i]));
        n = i + 1;
    }
    const char *how = f->shown ? f->shown : f->caption && !is_rule(f->caption) ? f->caption : f->name;
    if (!*ret && strchr(how, '{')) {
        struct bx *x = bx_tmpl(b, sql_type_of(TY_VOID), STR(""), str_of(how), all, n);
        *ret = arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x)));
    }
    if (!*ret) *ret = call_text(b, how, all, n);
    return NULL;
}

/* What the rows want of argument k, each once: one type or (one or the other). */
static const char *wanted_of(struct binder *b, const struct fit *failed, size_t n_failed, size_t k) {
    buf *o = sql_buf(b->a), *one = sql_buf(b->a);
    size_t n = 0;
    for (size_t i = 0; i < n_failed; i++) {
        if (failed[i].bad != k) continue;
        buf_clear(one);
        pat_write(sig_arg(&failed[i].sig, k), one);
        if (one->n > 1 && one->p[0] == '(' && n_failed > 1) { /* flat */
            memmove(one->p, one->p + 1, one->n - 2);
            one->n -= 2;
        }
        if (o->n && str_find(buf_view(o), buf_view(one)) >= 0) continue;
        buf_fmt(o, "%s%.*s", n++ ? " or " : "", (int)one->n, one->p);
    }
    buf_c(o, 0);
    if (strcmp(o->p, "\"TIMESTAMP\" or \"TIMESTAMP_NTZ\"") == 0) return "\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\"";
    return strstr(o->p, " or ") && o->p[0] != '(' ? arena_printf(b->a, "(%s)", o->p) : o->p;
}

static err *pick(struct binder *b, const struct ast *at, const struct sql_func *rows, size_t n_rows, struct bx **args,
                 const struct ast *const *asts, size_t n, struct fit *ret) {
    struct fit best = {.f = NULL}, failed = {.f = NULL};
    struct fit *all_failed = arena_array_of(b->a, struct fit, n_rows);
    size_t n_failed = 0;
    for (size_t i = 0; i < n_rows; i++) {
        struct fit f = {.f = &rows[i]};
        sig_read(b->a, rows[i].args, &f.sig);
        if (!arity_fits(&f.sig, n)) continue;
        if (!row_fits(b, &f, args, asts, n)) {
            if (!failed.f || f.bad > failed.bad) failed = f;
            all_failed[n_failed++] = f;
            continue;
        }
        if (!best.f || f.cost < best.cost) best = f;
    }
    if (best.f) {
        *ret = best;
        return NULL;
    }
    if (!failed.f) return wrong_number(b, at, rows[0].name, rows, n_rows, n);
    size_t k = failed.bad;
    if (n == 2 && args[0] && args[1] && strcmp(failed.f->name, "pmod") == 0) return no_pmod(b, at, args);
    const struct pat *p = sig_arg(&failed.sig, k);
    bool lambda = asts && asts[k]->kind == AST_LAMBDA;
    if (lambda)
        return sql_error("INVALID_LAMBDA_FUNCTION_CALL.PARAMETER_DOES_NOT_ACCEPT_LAMBDA_FUNCTION", at, b->text, NULL);
    if (failed.f->common == COMMON_TIGHT && n >= 2 && args[0] && args[n - 1] && fits_alone(b, &failed, args, n))
        return sql_error(args[0]->type->kind == TY_MAP ? "DATATYPE_MISMATCH.MAP_FUNCTION_DIFF_TYPES" : args[n - 1]->type->kind == TY_ARRAY && n == 2 && strncmp(failed.f->args, "array<T>, array", 15) == 0 ? "DATATYPE_MISMATCH.BINARY_ARRAY_DIFF_TYPES" : "DATATYPE_MISMATCH.ARRAY_FUNCTION_DIFF_TYPES",
                         at, b->text, "sqlExpr", call_text(b, failed.f->name, args, n), "functionName", arena_printf(b->a, "`%s`", failed.f->name), "dataType",
                         args[0]->type->kind == TY_MAP ? "\"MAP\"" : "\"ARRAY\"", "leftType", type_name(b, args[0]->type).p, "rightType", type_name(b, args[n - 1]->type).p, NULL);
    buf *o = sql_buf(b->a);
    pat_write(p, o);
    buf_c(o, 0);
    if (o->n == 4 && o->p[0] == '"' && !asts_have_lambda(asts, n)) { /* "T": a type that several arguments share */
        struct bx **same = arena_array_of(b->a, struct bx *, n + 1);
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            buf *q = sql_buf(b->a);
            pat_write(sig_arg(&failed.sig, i), q);
            if (q->n == 3 && memcmp(q->p, o->p, 3) == 0) same[m++] = args[i];
        }
        bool iff = strcmp(failed.f->name, "if") == 0;
        if (m > 1)
            return different_types(b, at, failed.f->name, iff ? arena_printf(b->a, "\"(IF%s)\"", cut_end(b, call_text(b, "", args, n))) : call_text(b, failed.f->name, args, n), same, m, iff);
    }
    const char *expr;
    TRY(shown_call(b, failed.f, args, n, &expr));
    if (strcmp(failed.f->name, "json_tuple") == 0)
        return sql_error("DATATYPE_MISMATCH.NON_STRING_TYPE", at, b->text, "sqlExpr", expr, "funcName", "`json_tuple`", NULL);
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", at, b->text, "sqlExpr", expr, "paramIndex", ordinal(b, k), "requiredType",
                     wanted_of(b, all_failed, n_failed, k), "inputSql",
                     args[k] ? arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, args[k]))) : "", "inputType",
                     args[k] ? type_name(b, args[k]->type).p : "", NULL);
}

/* ---- lambdas ---- */

/* *ret_fits: does it yield what the function wants of it? */
static err *bind_lambda(struct cx *c, const struct ast *n, const struct pat *p, struct fit *f, bool *ret_fits, struct bx **ret) {
    struct binder *b = c->b;
    size_t want = p->n - 1, least = 0;
    for (size_t i = 0; i < want; i++)
        if (!p->child[i]->optional) least = i + 1;
    if (n->n < least || n->n > want)
        return sql_error("INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH", n, b->text, "expectedNumArgs",
                         arena_printf(b->a, "%zu", want), "actualNumArgs", arena_printf(b->a, "%u", n->n), NULL);
    struct bx *l = bx_new(b, BX_LAMBDA, sql_type_of(TY_VOID));
    l->id = b->next_id;
    b->next_id += n->n + 1;
    l->n_vars = n->n;
    struct scope inner = *c->s;
    for (uint32_t i = 0; i < n->n; i++) {
        struct lvar *v = arena_new_of(b->a, struct lvar);
        v->name = n->child[i]->text;
        v->var = l->id + i;
        v->type = pat_type(b->a, p->child[i], f->vars);
        if (!v->type) v->type = sql_type_of(TY_VOID);
        v->nullable = true;
        v->next = inner.vars;
        inner.vars = v;
        if (p->child[i]->optional) l->index_var = i > 0 && v->type->kind == TY_INT;
    }
    struct cx ic = *c;
    ic.s = &inner;
    struct bx *body;
    TRY(bind_expr(&ic, ast_get(n, SLOT_EXPR), &body));
    if (body->has_sub)
        return sql_error("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.HIGHER_ORDER_FUNCTION", n, b->text, "treeNode", arena_printf(b->a, "%.*s", STR_ARG(caption_of(b, body))), NULL);
    body = bx_exact(b, body);
    const struct pat *r = p->child[p->n - 1];
    int cost = 0;
    const struct sql_type *t = pat_gather(b->a, r, body->type, COMMON_WIDE, f->vars) ? pat_coerce(b->a, r, body->type, f->vars, &cost) : NULL;
    *ret_fits = t != NULL;
    if (t) body = bx_cast(b, body, t);
    l->child = arena_array_of(b->a, struct bx *, 1);
    l->child[0] = body;
    l->n = 1;
    l->type = body->type;
    l->nullable = body->nullable;
    bx_flags(l);
    l->ast = n;
    *ret = l;
    return NULL;
}

/* ---- building the node ---- */

static void fill_call(struct binder *b, struct sql_call *k, const struct fit *f, const struct ast *at, struct bx **args, size_t n) {
    struct sql_arg *a = arena_array_of(b->a, struct sql_arg, n + 1);
    bool captions = is_rule(f->f->caption) || is_rule(f->f->returns) || is_rule(f->f->emit);
    for (size_t i = 0; i < n; i++) {
        a[i].type = args[i]->type;
        a[i].nullable = args[i]->nullable;
        a[i].constant = args[i]->kind == BX_LIT;
        a[i].value = args[i]->kind == BX_LIT ? args[i]->text : STR_NONE;
        if (captions) a[i].caption = caption_of(b, args[i]);
    }
    *k = (struct sql_call){.env = b->env, .a = b->a, .f = f->f, .ast = at, .args = a, .n = n};
}

static err *result_type(struct binder *b, struct sql_call *k, struct fit *f, const struct sql_type **ret) {
    const char *r = f->f->returns;
    if (is_rule(r)) {
        const struct sql_rule *rule = sql_rule_find(r + 5);
        must(rule && rule->type);
        return sql_error_place(rule->type(k, ret), k->ast, b->text);
    }
    if (r[0] == '=') {
        size_t i = (size_t)(r[1] - '0');
        *ret = i < k->n ? k->args[i].type : sql_type_of(TY_VOID);
        return NULL;
    }
    *ret = pat_type(b->a, sig_read_type(b->a, r), f->vars);
    must(*ret != NULL);
    return NULL;
}

static err *template_of(struct binder *b, struct sql_call *k, const struct sql_func *f, str *ret) {
    if (!is_rule(f->emit)) {
        *ret = str_of(f->emit);
        return NULL;
    }
    const struct sql_rule *rule = sql_rule_find(f->emit + 5);
    must(rule && rule->emit);
    buf *o = sql_buf(b->a);
    TRY(sql_error_place(rule->emit(k, o), k->ast, b->text));
    *ret = sql_keep(b->a, o);
    return NULL;
}

static err *caption_tmpl(struct binder *b, struct sql_call *k, const struct sql_func *f, bool distinct, str *ret) {
    if (is_rule(f->caption)) {
        const struct sql_rule *rule = sql_rule_find(f->caption + 5);
        must(rule && rule->caption);
        buf *o = sql_buf(b->a);
        TRY(rule->caption(k, o));
        *ret = tmpl_text(b, sql_keep(b->a, o));
    } else if (f->caption) {
        *ret = str_of(f->caption);
    } else {
        *ret = sql_fmt(b->a, "%s(%s{0*})", f->name, distinct ? "DISTINCT " : "");
    }
    return NULL;
}

static bool nullable_of(const struct sql_func *f, struct bx **args, size_t n) {
    if (f->null == FN_NULL_NEVER) return false;
    bool any = f->null == FN_NULL_ALWAYS;
    for (size_t i = 0; i < n; i++) any |= args[i]->nullable;
    return any;
}

static const char *collation_word(struct binder *b, const struct bx *x) {
    str c = x->type->collation.n ? x->type->collation : STR("UTF8_BINARY");
    char *z = arena_strndup(b->a, c.p, c.n);
    for (char *p = z; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    return z;
}

/* A text made of texts has their collation: one that is said by COLLATE, else that of a column; constants take it too. */
static err *take_collation(struct binder *b, const struct ast *at, const char *function, struct bx **args, size_t n, const struct sql_type **t) {
    /* What these make is none of their argument's text. */
    static const char *const own_text[] = {"collation", "typeof", "md5", "sha", "sha1", "sha2", "hex", "base64", "date_format", "to_json", "schema_of_json",
                                           "get_json_object", "to_csv", "schema_of_csv", "to_xml", "parse_url", "format_number", "bin", "conv", "to_char",
                                           "to_varchar", "from_unixtime", "soundex", "monthname", "dayname"};
    const struct bx *said = NULL, *other = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!sql_is_text(args[i]->type)) continue;
        if (args[i]->kind == BX_TMPL && str_starts(args[i]->cap, STR("collate({0}"))) {
            if (said && !str_ieq(said->type->collation, args[i]->type->collation))
                return sql_error("COLLATION_MISMATCH.EXPLICIT", at, b->text, "explicitTypes",
                                 arena_printf(b->a, "\"STRING COLLATE %s\", \"STRING COLLATE %s\"", collation_word(b, said), collation_word(b, args[i])), NULL);
            if (!said) said = args[i];
        } else if (args[i]->type->collation.n && !other)
            other = args[i];
    }
    str name = said ? said->type->collation : other ? other->type->collation : STR_NONE;
    if (!name.n) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (args[i]->kind != BX_LIT || args[i]->type->kind != TY_STRING || !args[i]->text.p || args[i]->type->collation.n) continue;
        struct bx *l = arena_new_of(b->a, struct bx);
        *l = *args[i];
        l->cap = sql_fmt(b->a, "'%.*s' collate %s", STR_ARG(l->text), collation_word(b, said ? said : other));
        args[i] = l;
    }
    if ((*t)->kind != TY_STRING || (*t)->collation.n) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(own_text); i++)
        if (strcmp(function, own_text[i]) == 0) return NULL;
    struct sql_type *own = arena_new_of(b->a, struct sql_type);
    *own = **t;
    own->collation = name;
    *t = own;
    return NULL;
}

/* Functions that compare texts. `accents`: they cannot leave accents alone where case counts. replaced: Spark writes them as others. */
static const struct collated { const char *name; bool accents, replaced; } collated_functions[] = {
    {"contains", true, false}, {"startswith", true, false}, {"endswith", true, false}, {"replace", true, false}, {"translate", true, false},
    {"locate", true, false}, {"instr", true, false}, {"substring_index", true, false}, {"split_part", true, true}, {"str_to_map", true, true},
    {"trim", true, false}, {"ltrim", true, false}, {"rtrim", true, false}, {"btrim", true, false}, {"find_in_set", false, false},
};

/* The collation of a column as it stands; NULL: it is none. */
static const char *column_collation(struct binder *b, const struct bx *x) {
    while (x->kind == BX_TMPL && x->implicit && x->n == 1) x = x->child[0];
    return x->kind == BX_COL && sql_is_text(x->type) ? collation_word(b, x) : NULL;
}

/* Texts of two columns' collations are not compared unless one is said; some collations are for some functions only. */
static err *check_collation(struct binder *b, const struct ast *at, const struct sql_func *f, str cap, struct bx **args, size_t n) {
    const struct collated *k = NULL;
    for (size_t i = 0; i < ARRAY_LEN(collated_functions); i++)
        if (strcmp(f->name, collated_functions[i].name) == 0) k = &collated_functions[i];
    if (!k || n < 2) return NULL;
    const char *first = NULL, *name = NULL;
    bool said = false, several = false;
    size_t text = n;
    for (size_t i = 0; i < n; i++) {
        if (!sql_is_text(args[i]->type)) continue;
        if (text == n) text = i;
        if (args[i]->type->collation.n) name = collation_word(b, args[i]);
        said |= args[i]->kind == BX_TMPL && str_starts(args[i]->cap, STR("collate({0}"));
        const char *c = column_collation(b, args[i]);
        several |= c && first && strcmp(c, first) != 0;
        if (c) first = c;
    }
    struct bx *x = bx_tmpl(b, sql_type_of(TY_VOID), STR(""), f->shown ? str_of(f->shown) : cap, args, n);
    const char *expr = arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x)));
    if (several && !said)
        return k->replaced ? sql_error("INDETERMINATE_COLLATION", at, b->text, NULL) : sql_error("INDETERMINATE_COLLATION_IN_EXPRESSION", at, b->text, "expr", expr, NULL);
    if (!k->accents || !name || !strstr(name, "_AI") || strstr(name, "_CI")) return NULL;
    if (strcmp(f->name, "ltrim") == 0 || strcmp(f->name, "rtrim") == 0 || (strcmp(f->name, "trim") == 0 && n == 2)) text = 1; /* the text stands behind what is cut off */
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", at, b->text, "sqlExpr", expr, "paramIndex", "first", "requiredType", "\"STRING\"", "inputSql",
                     arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, args[text]))), "inputType", arena_printf(b->a, "\"STRING COLLATE %s\"", name), NULL);
}

static err *make_node(struct cx *c, struct fit *f, const struct ast *at, struct bx **args, size_t n, bool distinct,
                      struct bx **ret) {
    struct binder *b = c->b;
    const struct sql_func *fn = f->f;
    struct sql_call k;
    str tmpl, cap;
    const struct sql_type *t;
    fill_call(b, &k, f, at, args, n);
    k.distinct = distinct;
    TRY(result_type(b, &k, f, &t));
    k.type = t;
    TRY(template_of(b, &k, fn, &tmpl));
    TRY(caption_tmpl(b, &k, fn, distinct, &cap));
    if (fn->kind == FN_SCALAR) TRY(take_collation(b, at, fn->name, args, n, &t));
    if (fn->kind == FN_SCALAR) TRY(check_collation(b, at, fn, cap, args, n));
    if (fn->kind == FN_AGGREGATE && n && bx_is_collated(args[0])) {
        bool least = strcmp(fn->name, "min") == 0, most = strcmp(fn->name, "max") == 0;
        if (least || most) tmpl = sql_fmt(b->a, "%s({0}, bh_collate_key({0}, '%.*s'))", least ? "arg_min" : "arg_max", STR_ARG(args[0]->type->collation));
        for (size_t i = 0; i < n && distinct && strcmp(fn->name, "count") == 0; i++)
            if (bx_is_collated(args[i])) args[i] = bx_collate_key(b, args[i], args[i]->type->collation);
    }
    struct bx *x = bx_tmpl(b, t, tmpl, cap, args, n);
    x->ast = at;
    x->nullable = nullable_of(fn, args, n);
    if (fn->ansi_error && !b->env->ansi && fn->kind == FN_SCALAR && !x->has_sub && !x->nondet && !x->has_agg && !x->has_win && !str_eqz(tmpl, "{0}")) {
        x->text = sql_fmt(b->a, "TRY(%.*s)", STR_ARG(tmpl));
        x->nullable = true;
    }
    x->distinct = distinct;
    if (fn->nondeterministic) {
        x->nondet = true;
        b->nondet = true;
    }
    if (fn->kind == FN_AGGREGATE) x->kind = BX_AGG;
    if (fn->kind == FN_WINDOW) x->kind = BX_WIN;
    if (fn->kind == FN_GENERATOR) {
        x->kind = BX_GEN;
        x->gen = t;
        size_t len = strlen(fn->name);
        x->outer = len > 6 && strcmp(fn->name + len - 6, "_outer") == 0;
        x->type = b->gen_loose && t->n == 1 ? t->fields[0].type : sql_array(b->a, t->n == 1 ? t->fields[0].type : t, true);
    }
    if (fn->kind == FN_TABLE) x->gen = t;
    bx_flags(x);
    *ret = x;
    return NULL;
}

/* Texts of arguments left out become arguments. */
static err *add_defaults(struct cx *c, struct fit *f, struct bx ***args, size_t *n) {
    struct binder *b = c->b;
    if (!f->f->defaults) return NULL;
    size_t count = 0;
    while (f->f->defaults[count]) count++;
    size_t first = f->sig.n - count;
    struct bx **all = arena_array_of(b->a, struct bx *, f->sig.n + *n + 1);
    memcpy(all, *args, *n * sizeof *all);
    while (*n < f->sig.n) {
        if (*n < first) break;
        struct ast *e;
        struct bx *x;
        TRY(sql_parse_expr(b->a, str_of(f->f->defaults[*n - first]), &e));
        struct scope none = {.level = c->s->level};
        struct cx dc = {.b = b, .s = &none};
        TRY(bind_expr(&dc, e, &x));
        x->ast = NULL;
        int cost = 0;
        const struct sql_type *t = pat_coerce(b->a, f->sig.arg[*n], x->type, f->vars, &cost);
        all[(*n)++] = t ? bx_cast(b, x, t) : x;
    }
    *args = all;
    return NULL;
}

static err *nested_aggregate(struct cx *c, const struct ast *at, const struct sql_func *f, struct bx **args, size_t n) {
    if (f->kind != FN_AGGREGATE) return NULL;
    for (size_t i = 0; i < n; i++)
        if (args[i]->has_agg && c->in_agg) return sql_error("NESTED_AGGREGATE_FUNCTION", at, c->b->text, NULL);
    return NULL;
}

err *no_aggregate(struct cx *c, const struct ast *at, const char *expr) {
    if (c->in_agg) return sql_error("NESTED_AGGREGATE_FUNCTION", at, c->b->text, NULL);
    if (c->clause && strcmp(c->clause, "WHERE") == 0)
        return sql_error("INVALID_WHERE_CONDITION", at, c->b->text, "condition", expr, "expressionList", expr, NULL);
    return sql_error("GROUP_BY_AGGREGATE", at, c->b->text, "sqlExpr", expr, NULL);
}

static err *bad_lambda(struct binder *b, const struct ast *at, struct fit *f, const struct pat *p, struct bx **args, size_t i) {
    const struct pat *r = p->child[p->n - 1];
    const struct sql_type *want = pat_type(b->a, r, f->vars);
    buf *o = sql_buf(b->a);
    if (want)
        buf_str(o, type_name(b, want));
    else
        pat_write(r, o);
    buf_c(o, 0);
    const char *text = call_text(b, f->f->name, args, i + 1);
    if (strcmp(f->f->name, "array_sort") == 0)
        return sql_error("DATATYPE_MISMATCH.UNEXPECTED_RETURN_TYPE", at, b->text, "sqlExpr", text, "functionName", "`lambdafunction`", "expectedType", "\"INT\"",
                         "actualType", type_name(b, args[i]->type).p, NULL);
    return sql_error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", at, b->text, "sqlExpr", text, "paramIndex", ordinal(b, i), "requiredType", o->p, "inputSql",
                     arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, args[i]))), "inputType", type_name(b, args[i]->type).p, NULL);
}

bool bx_is_foldable(const struct bx *x) {
    if (x->kind == BX_LIT) return true;
    if ((x->kind != BX_TMPL && x->kind != BX_LAMBDA && x->kind != BX_VAR) || x->nondet || x->has_sub) return false;
    for (size_t i = 0; i < x->n; i++)
        if (!bx_is_foldable(x->child[i])) return false;
    return true;
}

/* What errors call the arguments that must be constants, where the row names none. as: another class, or the words for the type. */
static const struct constant {
    const char *function, *name;
    uint8_t arg;
    const char *as;
} constants[] = {
    {"ceil", "scale", 1, "NON_FOLDABLE_ARGUMENT"}, {"ceiling", "scale", 1, "NON_FOLDABLE_ARGUMENT"}, {"floor", "scale", 1, "NON_FOLDABLE_ARGUMENT"},
    {"mode", "deterministic", 1, "NON_FOLDABLE_ARGUMENT"}, {"round", "scale", 1, NULL}, {"bround", "scale", 1, NULL}, {"stack", "n", 0, NULL},
    {"time_bucket", "bucketSize", 0, NULL}, {"time_bucket", "origin", 2, NULL}, {"to_binary", "fmt", 1, NULL}, {"listagg", "delimiter", 1, NULL}, {"string_agg", "delimiter", 1, NULL},
    {"percentile_cont", "percentage", 1, NULL}, {"percentile_disc", "percentage", 1, NULL}, {"percentile", "percentage", 1, NULL},
    {"approx_percentile", "percentage", 1, NULL}, {"approx_percentile", "accuracy", 2, NULL}, {"percentile_approx", "percentage", 1, NULL},
    {"percentile_approx", "accuracy", 2, NULL}, {"uniform", "min", 0, "integer or floating-point"}, {"uniform", "max", 1, "integer or floating-point"},
    {"uniform", "seed", 2, "integer or floating-point"}, {"randstr", "length", 0, "integer"}, {"randstr", "seed", 1, "integer"},
};

static err *not_constant(struct binder *b, const struct ast *at, const struct sql_func *f, struct bx **args, size_t n, size_t i) {
    const struct constant *k = NULL;
    for (size_t m = 0; m < ARRAY_LEN(constants); m++)
        if (constants[m].arg == i && strcmp(constants[m].function, f->name) == 0) k = &constants[m];
    str rest = str_of(f->names), part = STR_NONE, name = sql_fmt(b->a, "%zu", i + 1);
    for (size_t m = 0; f->names && m <= i; m++)
        if (!str_split(&rest, ',', &part)) part = STR_NONE;
    if (part.n) name = str_trim(part);
    if (str_starts(str_of(f->name), STR("kll_sketch_get_"))) name = str_find(str_of(f->name), STR("_quantile_")) > 0 ? STR("rank") : STR("quantile");
    if (k) name = str_of(k->name);
    const char *quoted = arena_printf(b->a, "`%.*s`", STR_ARG(name)), *expr;
    if (k && k->as && strcmp(k->as, "NON_FOLDABLE_ARGUMENT") == 0)
        return sql_error(k->as, at, b->text, "funcName", arena_printf(b->a, "`%s`", strcmp(f->name, "ceiling") == 0 ? "ceil" : f->name), "paramName", quoted, "paramType",
                         type_name(b, args[i]->type).p, NULL);
    TRY(shown_call(b, f, args, n, &expr));
    return sql_error("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT", at, b->text, "sqlExpr", expr, "inputName", quoted, "inputType",
                     k && k->as ? k->as : type_name(b, args[i]->type).p, "inputExpr", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, args[i]))), NULL);
}

/* Constants that must lie within. */
static err *check_ranges(struct binder *b, const struct ast *at, const struct sql_func *f, struct bx **args, size_t n) {
    static const struct {
        const char *function, *name, *range, *suffix;
        uint8_t arg;
        int64_t least, most;
    } ranges[] = {
        {"ntile", "buckets", "(0, 2147483647]", "", 0, 1, INT32_MAX},     {"nth_value", "offset", "(0, 9223372036854775807]", "L", 1, 1, INT64_MAX},
        {"max_by", "`k`", "[1, 100000]", "", 2, 1, 100000},               {"min_by", "`k`", "[1, 100000]", "", 2, 1, 100000},
        {"regexp_replace", "position", "(0, 2147483647]", "", 3, 1, INT32_MAX}, {"time_bucket", "`bucketSize`", "(0, inf)", NULL, 0, 1, INT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        int64_t v;
        if (ranges[i].arg >= n || strcmp(ranges[i].function, f->name) != 0) continue;
        const struct bx *x = args[ranges[i].arg];
        if (x->kind != BX_LIT || !x->text.p || !str_to_i64(x->text, &v) || (v >= ranges[i].least && v <= ranges[i].most)) continue;
        const char *expr;
        TRY(shown_call(b, f, args, n, &expr));
        buf *o = sql_buf(b->a);
        if (ranges[i].suffix)
            buf_fmt(o, "%lld%s", (long long)v, ranges[i].suffix);
        else
            sql_write_interval(x->type, v, o);
        str shown = buf_view(o);
        return sql_error("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE", at, b->text, "sqlExpr", expr, "exprName", ranges[i].name, "valueRange", ranges[i].range, "currentValue",
                         arena_printf(b->a, "%.*s", STR_ARG(shown)), NULL);
    }
    return NULL;
}

static err *apply_rows(struct cx *c, const struct ast *at, const struct sql_func *rows, size_t n_rows, struct bx **args,
                       const struct ast *const *asts, size_t n, bool distinct, struct bx **ret) {
    struct binder *b = c->b;
    struct fit f;
    TRY(pick(b, at, rows, n_rows, args, asts, n, &f));
    for (size_t i = 0; i < n; i++) {
        const struct pat *p = sig_arg(&f.sig, i);
        if (pat_is_lambda(p)) continue;
        bool keep = f.f->kind == FN_AGGREGATE && args[i]->loose && sql_type_eq(f.target[i], args[i]->type) && is_rule(f.f->emit);
        if (!keep) args[i] = bx_cast(b, bx_exact(b, args[i]), f.target[i]);
        if (p->literal && !bx_is_foldable(args[i])) return not_constant(b, at, f.f, args, n, i);
    }
    TRY(check_ranges(b, at, f.f, args, n));
    for (size_t i = 0; i < n; i++) {
        bool fits = true;
        const struct pat *p = sig_arg(&f.sig, i);
        if (!pat_is_lambda(p)) continue;
        TRY(bind_lambda(c, asts[i], p, &f, &fits, &args[i]));
        if (!fits) return bad_lambda(b, at, &f, p, args, i);
    }
    TRY(add_defaults(c, &f, &args, &n));
    TRY(nested_aggregate(c, at, f.f, args, n));
    if (f.f->kind == FN_AGGREGATE && c->no_agg)
        return no_aggregate(c, at, call_text(b, f.f->name, args, n));
    return make_node(c, &f, at, args, n, distinct, ret);
}

err *bind_apply(struct cx *c, const char *name, const struct ast *at, struct bx **args, size_t n, struct bx **ret) {
    size_t n_rows;
    const struct sql_func *rows = sql_func_find(str_of(name), &n_rows);
    if (!rows) {
        bool done = false;
        struct ast *call = ast_new(c->b->a, AST_CALL, at ? at->pos : 0, at ? at->end : 0);
        if (n == 0) TRY(bind_special(c, str_of(name), call, &done, ret));
        if (done) return NULL;
        return sql_error("UNRESOLVED_ROUTINE", at, c->b->text, "routineName", arena_printf(c->b->a, "`%s`", name), "searchPath",
                         search_path(c->b).p, NULL);
    }
    struct bx **copy = arena_array_of(c->b->a, struct bx *, n + 1);
    for (size_t i = 0; i < n; i++) copy[i] = args[i];
    return apply_rows(c, at, rows, n_rows, copy, NULL, n, false, ret);
}

/* ---- a call as written ---- */

/* name => value goes to its place; asts get the values, of those between that are left out their defaults. */
static err *arrange(struct binder *b, const struct ast *n, const struct sql_func *f, const struct ast **asts, size_t *count) {
    bool named = false;
    *count = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct ast *a = n->child[i];
        if (a->kind != AST_NAMED_ARG) {
            if (named) return sql_error("UNEXPECTED_POSITIONAL_ARGUMENT", a, b->text, "routineName", f ? f->name : "", "parameterName", "", NULL);
            asts[(*count)++] = a;
            continue;
        }
        named = true;
        str rest = str_of(f && f->names ? f->names : ""), part;
        size_t at = 0;
        bool found = false;
        while (!found && str_split(&rest, ',', &part)) {
            if (str_ieq(str_trim(part), a->text)) found = true;
            else at++;
        }
        if (!found)
            return sql_error("UNRECOGNIZED_PARAMETER_NAME", a, b->text, "routineName", arena_printf(b->a, "`%s`", f ? f->name : ""), "argumentName",
                             arena_printf(b->a, "`%.*s`", STR_ARG(a->text)), "proposal", f && f->names ? f->names : "", NULL);
        if (at < *count && asts[at])
            return sql_error("DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT.DOUBLE_NAMED_ARGUMENT_REFERENCE", a, b->text, "routineName",
                             f->name, "parameterName", arena_printf(b->a, "`%.*s`", STR_ARG(a->text)), NULL);
        for (; *count <= at; (*count)++)
            if (*count < 64) asts[*count] = NULL;
        asts[at] = a->child[0];
    }
    for (size_t i = 0; i < *count; i++) {
        if (asts[i]) continue;
        struct ast *d;
        TRY(default_of(b, f, i, &d));
        asts[i] = d;
        if (!d) return sql_error("REQUIRED_PARAMETER_NOT_FOUND", n, b->text, "routineName", f ? f->name : "", "parameterName", "", "index", "0", NULL);
    }
    return NULL;
}

static err *bind_args(struct cx *c, const struct ast *const *asts, size_t n, struct bx **args) {
    for (size_t i = 0; i < n; i++) {
        args[i] = NULL;
        if (asts[i]->kind == AST_LAMBDA) continue;
        TRY(bind_expr(c, asts[i], &args[i]));
    }
    return NULL;
}

/* WITHIN GROUP (ORDER BY x): ordered-set aggregates take x as their first argument, the others an order. */
static err *bind_within(struct cx *c, const struct ast *n, struct bx *x, bool set_args) {
    const struct ast *within = ast_get(n, SLOT_WITHIN), *order = ast_get(n, SLOT_ORDER);
    const struct ast *list = within ? within : order;
    if (!list) return NULL;
    struct cx ac = *c;
    ac.no_agg = ac.no_win = ac.in_agg = true;
    TRY(bind_sorts(&ac, list, &x->order, &x->n_order));
    buf *o = sql_buf(c->b->a);
    bool mode = set_args && str_starts(x->text, STR("mode("));
    str cap = x->cap;
    if (str_starts(cap, STR("string_agg("))) cap = sql_fmt(c->b->a, "listagg%.*s", STR_ARG(str_from(cap, 10)));
    buf_str(o, mode ? STR("mode()") : cap);
    buf_z(o, " WITHIN GROUP (ORDER BY ");
    for (size_t i = 0; i < x->n_order; i++) {
        if (i) buf_z(o, ", ");
        buf_tmpl(o, caption_of(c->b, x->order[i].x));
        /* Of the most frequent values the first in order wins; Spark shows the order in which it keeps them. */
        if (mode)
            buf_z(o, x->order[i].desc ? "" : " DESC");
        else
            buf_z(o, x->order[i].desc ? " DESC" : set_args ? "" : " ASC");
        if (!set_args) buf_z(o, x->order[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
    buf_c(o, ')');
    if (within) x->cap = sql_keep(c->b->a, o);
    if (set_args && !mode) x->n_order = 0;
    bx_flags(x);
    return NULL;
}

/*
 * listagg(DISTINCT x) in an order of x before its cast to text: DuckDB orders a DISTINCT aggregate by its arguments alone. So pairs of
 * both are gathered and ordered, and the texts taken out of them.
 */
static void order_distinct_list(struct binder *b, struct bx *x, str name) {
    if (!str_eqz(name, "listagg") && !str_eqz(name, "string_agg")) return;
    if (!x->distinct || x->n_order != 1 || x->filter || x->n != 2) return;
    if (x->type->kind != TY_BINARY && bx_eq(x->order[0].x, x->child[0])) return;
    const struct bsort *o = &x->order[0];
    bool bytes = x->type->kind == TY_BINARY;
    struct bx **args = arena_array_of(b->a, struct bx *, 3);
    for (size_t i = 0; i < 2; i++) args[i] = x->child[i];
    args[2] = o->x;
    ptrdiff_t all = str_find(x->cap, STR("{0*}")); /* it shows two of the three */
    if (all >= 0) x->cap = sql_fmt(b->a, "%.*s{0}, {1}%.*s", STR_ARG(str_cut(x->cap, (size_t)all)), STR_ARG(str_from(x->cap, (size_t)all + 4)));
    x->child = args;
    x->n = 3;
    x->text = sql_fmt(b->a, "%sarray_to_string(list_transform(list(DISTINCT struct_pack(k := {2}, v := {0}) ORDER BY struct_pack(k := {2}, v := {0}) %s NULLS %s) "
                            "FILTER (WHERE {0} IS NOT NULL), lambda s{#}: %s), COALESCE(%s, ''))%s",
                      bytes ? "unhex(" : "", o->desc ? "DESC" : "ASC", o->nulls_first ? "FIRST" : "LAST", bytes ? "hex(s{#}.v)" : "s{#}.v", bytes ? "hex({1})" : "{1}",
                      bytes ? ")" : "");
    x->distinct = false;
    x->n_order = 0;
    bx_flags(x);
}

static const struct bx *first_of(const struct bx *x, unsigned kind) {
    if (x->kind == kind) return x;
    for (size_t i = 0; i < x->n; i++) {
        const struct bx *found = first_of(x->child[i], kind);
        if (found) return found;
    }
    return NULL;
}

/* What a FILTER cannot be. */
static err *check_filter(struct cx *c, const struct ast *f) {
    struct binder *b = c->b;
    struct cx fc = *c;
    struct bx *x;
    fc.no_agg = fc.no_win = fc.in_agg = false;
    TRY(bind_expr(&fc, f, &x));
    const char *shown = arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x)));
    const struct bx *agg = x->has_agg ? first_of(x, BX_AGG) : NULL, *win = x->has_win ? first_of(x, BX_WIN) : NULL;
    if (x->nondet) return sql_error("INVALID_AGGREGATE_FILTER.NON_DETERMINISTIC", f, b->text, "filterExpr", shown, NULL);
    if (x->type->kind != TY_BOOLEAN && x->type->kind != TY_VOID) return sql_error("INVALID_AGGREGATE_FILTER.NOT_BOOLEAN", f, b->text, "filterExpr", shown, NULL);
    if (win)
        return sql_error("INVALID_AGGREGATE_FILTER.CONTAINS_WINDOW_FUNCTION", f, b->text, "filterExpr", shown, "windowExpr",
                         arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, win))), NULL);
    if (agg)
        return sql_error("INVALID_AGGREGATE_FILTER.CONTAINS_AGGREGATE", f, b->text, "filterExpr", shown, "aggExpr",
                         arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, agg))), NULL);
    return NULL;
}

static err *bind_filter(struct cx *c, const struct ast *n, struct bx *x) {
    const struct ast *f = ast_get(n, SLOT_FILTER);
    if (!f) return NULL;
    struct cx ac = *c;
    struct bx *y = NULL;
    ac.no_agg = ac.no_win = ac.in_agg = true;
    err *e = bind_expr(&ac, f, &y);
    bool plain = !e && !y->nondet && !y->has_agg && !y->has_win && (y->type->kind == TY_BOOLEAN || y->type->kind == TY_VOID);
    err *why = plain ? NULL : check_filter(c, f);
    if (why) {
        err_free(e);
        return why;
    }
    if (e) return e;
    x->filter = bx_cast(c->b, y, sql_type_of(TY_BOOLEAN));
    bind_note_condition(c->b, x->filter);
    bx_flags(x);
    return NULL;
}

/* What IGNORE NULLS shows of itself: first_value and last_value are then called first and last. */
static str ignoring_caption(struct binder *b, str cap) {
    if (str_starts(cap, STR("first_value("))) return sql_fmt(b->a, "first%.*s", STR_ARG(str_from(cap, 11)));
    if (str_starts(cap, STR("last_value("))) return sql_fmt(b->a, "last%.*s", STR_ARG(str_from(cap, 10)));
    return str_starts(cap, STR("nth_value(")) ? sql_fmt(b->a, "%.*s ignore nulls", STR_ARG(cap)) : cap;
}

static err *finish(struct cx *c, const struct ast *n, str name, bool set_args, struct bx **ret) {
    struct bx *x = *ret;
    const struct ast *over = ast_get(n, SLOT_OVER);
    if (x->kind == BX_AGG) {
        TRY(bind_within(c, n, x, set_args));
        TRY(bind_filter(c, n, x));
        order_distinct_list(c->b, x, name);
    }
    if (n->op == 'i') {
        x->ignore_nulls = true;
        x->cap = ignoring_caption(c->b, x->cap);
    }
    if (over) {
        if (x->kind != BX_AGG && x->kind != BX_WIN)
            return sql_error("UNSUPPORTED_EXPR_FOR_WINDOW", n, c->b->text, "sqlExpr",
                             arena_printf(c->b->a, "\"%.*s\"", STR_ARG(caption_of(c->b, x))), NULL);
        const struct ast *sorted = ast_get(over, SLOT_ORDER);
        if (x->kind == BX_AGG && x->n_order && sorted) {
            struct binder *b = c->b;
            buf *o = sql_buf(b->a);
            for (size_t i = 0; i < x->n; i++) {
                caption(b, x->child[i], o);
                buf_z(o, ", ");
            }
            for (size_t i = 0; i < x->n_order; i++) {
                if (i) buf_z(o, ", ");
                caption(b, x->order[i].x, o);
                buf_fmt(o, "%s NULLS %s", x->order[i].desc ? " DESC" : " ASC", x->order[i].nulls_first ? "FIRST" : "LAST");
            }
            str list = buf_view(o);
            bool joins = str_eqz(name, "string_agg");
            return sql_error("INVALID_WINDOW_SPEC_FOR_AGGREGATION_FUNC", n, b->text, "aggFunc",
                             arena_printf(b->a, "\"%.*s(%.*s)\"", STR_ARG(joins ? STR("listagg") : name), STR_ARG(list)), NULL);
        }
        bool own_order = x->kind == BX_AGG && x->n && (str_eqz(name, "percentile_cont") || str_eqz(name, "percentile_disc") || str_eqz(name, "median"));
        TRY(bind_over(c, over, x, ret));
        const struct bwin *w = (*ret)->win;
        if (own_order && w && (w->n_order || w->frame.n) && !(w->n_order == 0 && w->from.kind == 'p' && w->to.kind == 'f')) {
            buf *o = sql_buf(c->b->a);
            buf_fmt(o, "\"%.*s(", STR_ARG(name));
            for (size_t i = 0; i < x->n; i++) {
                if (i) buf_z(o, ", ");
                caption(c->b, x->child[i], o);
            }
            buf_z(o, ")\"");
            buf_c(o, 0);
            return sql_error("INVALID_WINDOW_SPEC_FOR_AGGREGATION_FUNC", n, c->b->text, "aggFunc", o->p, NULL);
        }
        return NULL;
    }
    if (x->kind == BX_WIN && !x->win)
        return sql_error("WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE", n, c->b->text, "funcName", arena_printf(c->b->a, "\"%.*s()\"", STR_ARG(name)), NULL);
    return NULL;
}

static bool ordered_set(str name) {
    return str_eqz(name, "percentile_cont") || str_eqz(name, "percentile_disc") || str_eqz(name, "mode");
}

static err *unknown_routine(struct binder *b, const struct ast *name) {
    return sql_error("UNRESOLVED_ROUTINE", name, b->text, "routineName", ident_name(b, name).p, "searchPath",
                     search_path(b).p, NULL);
}

/* Where a function wants a lambda, any expression is one that does not look at its parameters. */
static void make_lambdas(struct binder *b, const struct sql_func *rows, size_t n_rows, const struct ast **asts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (asts[i]->kind == AST_LAMBDA) continue;
        const struct pat *p = NULL;
        bool all = true;
        for (size_t k = 0; k < n_rows && all; k++) {
            struct sig sig;
            sig_read(b->a, rows[k].args, &sig);
            if (!arity_fits(&sig, count)) continue;
            p = sig_arg(&sig, i);
            all = pat_is_lambda(p);
        }
        if (!p || !all) continue;
        struct ast *l = ast_new(b->a, AST_LAMBDA, asts[i]->pos, asts[i]->end);
        for (size_t k = 0; k + 1 < p->n; k++)
            if (!p->child[k]->optional) ast_add(b->a, l, ast_text(b->a, AST_IDENT, sql_fmt(b->a, "\002%zu", k))); /* nobody's name */
        ast_set(b->a, l, SLOT_EXPR, (struct ast *)(uintptr_t)asts[i]);
        asts[i] = l;
    }
}

static err *call_rows(struct cx *c, const struct ast *n, str low, const struct sql_func *rows, size_t n_rows, struct bx **ret) {
    struct binder *b = c->b;
    const struct ast **asts = arena_array_of(b->a, const struct ast *, n->n + 66);
    size_t count;
    TRY(arrange(b, n, rows, asts, &count));
    make_lambdas(b, rows, n_rows, asts, count);
    struct cx ac = *c;
    if (rows[0].kind == FN_AGGREGATE && !ast_get(n, SLOT_OVER)) ac.no_agg = ac.in_agg = ac.no_win = true;
    ac.gen_ok = false;
    bool set_args = false;
    const struct ast *within = ast_get(n, SLOT_WITHIN);
    if (within && ordered_set(low) && within->n == 1) {
        for (size_t i = count; i > 0; i--) asts[i] = asts[i - 1];
        asts[0] = within->child[0]->child[0];
        count++;
        set_args = true;
    }
    struct bx **args = arena_array_of(b->a, struct bx *, count + 1);
    TRY(bind_args(&ac, asts, count, args));
    if (set_args && ast_has(within->child[0], AST_F_DESC) && count == 2) {
        /* DuckDB counts from the greatest where the share is negative; -0 is none. */
        bool several = args[1]->type->kind == TY_ARRAY;
        const struct sql_type *t = several ? sql_array(b->a, sql_type_of(TY_DOUBLE), true) : sql_type_of(TY_DOUBLE);
        args[1] = bx_tmpl1(b, t, several ? "list_transform({0}, lambda p{#}: CASE WHEN p{#} = 0 THEN 1.0::DOUBLE ELSE -p{#} END)" : "(CASE WHEN {0} = 0 THEN 1.0::DOUBLE ELSE -{0} END)", "{0}", bx_cast(b, args[1], t));
    }
    struct cx rc = *c;
    if (rows[0].kind == FN_AGGREGATE && ast_get(n, SLOT_OVER)) rc.no_agg = false;
    TRY(apply_rows(&rc, n, rows, n_rows, args, asts, count, ast_has(n, AST_F_DISTINCT), ret));
    if (set_args && count == 2) (*ret)->cap = sql_fmt(b->a, "%.*s({1})", STR_ARG(low));
    return finish(c, n, low, set_args, ret);
}

/* An expression that may be a call which makes rows. One within others is told by the whole expression. */
err *bind_generator(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    err *e = bind_expr(c, n, ret), *again;
    if (!e || b->gen_loose || !str_eqz(sql_error_class(e, b->a), "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS")) return e;
    struct bx *x;
    b->gen_loose = true;
    again = bind_expr(c, n, &x);
    b->gen_loose = false;
    if (again) {
        err_free(again);
        return e;
    }
    err_free(e);
    return sql_error("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS", n, b->text, "expression", arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), NULL);
}

err *bind_call(struct cx *c, const struct ast *n, struct bx **ret) {
    struct binder *b = c->b;
    const struct ast *name;
    bool done = false;
    size_t n_rows;
    if (n->kind == AST_ROW) return bind_special(c, STR("struct"), n, &done, ret);
    TRY(bind_name(c, ast_get(n, SLOT_NAME), &name));
    str last = name->child[name->n - 1]->text;
    char *low = arena_strndup(b->a, last.p, last.n);
    for (char *p = low; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    bool builtin = name->n == 1 || (name->n <= 3 && str_ieq(name->child[name->n - 2]->text, STR("builtin")));
    if (builtin) {
        const struct ast *star = n->n == 1 && n->child[0]->kind == AST_STAR ? ast_get(n->child[0], SLOT_QUALIFIER) : NULL;
        str allowed = STR_NONE;
        bool legacy = star && b->env->setting && b->env->setting(b->env, STR("spark.sql.legacy.allowStarWithSingleTableIdentifierInCount"), &allowed) && str_ieq(allowed, STR("true"));
        if (star && !legacy && strcmp(low, "count") == 0 && star_of_table(c, star))
            return sql_error("INVALID_USAGE_OF_STAR_WITH_TABLE_IDENTIFIER_IN_COUNT", n, b->text, "tableName", ident_name(b, star).p, NULL);
        const struct ast *plain = star_arguments(c, n);
        if (plain != n && strcmp(low, "count") != 0 && strcmp(low, "struct") != 0) return bind_call(c, plain, ret);
        TRY(bind_special(c, str_of(low), n, &done, ret));
        if (done) return finish(c, n, str_of(low), false, ret);
        const struct sql_func *rows = sql_func_find(str_of(low), &n_rows);
        if (rows) {
            if (rows[0].kind == FN_TABLE || (str_starts(str_of(low), STR("variant_explode")) && c->clause && strcmp(c->clause, "SELECT") == 0)) return sql_error("NOT_A_SCALAR_FUNCTION", n, b->text, "functionName", arena_printf(b->a, "`%s`", low), NULL);
            if (rows[0].kind == FN_GENERATOR && !c->gen_ok && !b->gen_loose)
                return sql_error("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS", n, b->text, "expression", arena_printf(b->a, "\"%s()\"", low), NULL);
            return call_rows(c, n, str_of(low), rows, n_rows, ret);
        }
    }
    const struct sql_function_def *f = NULL;
    if (b->env->function) TRY(b->env->function(b->env, name, &f));
    if (!f) return unknown_routine(b, name);
    if (f->is_table) return sql_error("NOT_A_SCALAR_FUNCTION", n, b->text, "functionName", ident_name(b, name).p, NULL);
    return bind_udf(c, f, n, ret);
}
