/* SPDX-License-Identifier: Apache-2.0 */
/* schema_of_csv(), schema_of_json(), schema_of_xml(): known when the statement is bound, so that from_…() can take them. */
#include "sql/bind.h"
#include "sql/infer.h"

static str option(const struct ast *m, const char *name) {
    for (uint32_t i = 0; m && m->kind == AST_CALL && i + 1 < m->n; i += 2)
        if (m->child[i]->kind == AST_LIT_STRING && m->child[i + 1]->kind == AST_LIT_STRING && str_ieq(m->child[i]->text, str_of(name))) return m->child[i + 1]->text;
    return STR_NONE;
}

static bool is_true(const struct ast *m, const char *name) { return str_ieq(option(m, name), STR("true")); }

static err *not_constant(struct binder *b, const struct ast *n, const char *name, const char *what, struct bx *x) {
    const char *call = arena_printf(b->a, "\"%s(%.*s)\"", name, STR_ARG(caption_of(b, x)));
    if (x->kind == BX_LIT)
        return sql_error("DATATYPE_MISMATCH.UNEXPECTED_NULL", n, b->text, "sqlExpr", call, "exprName", what, NULL);
    return sql_error("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT", n, b->text, "sqlExpr", call, "inputName", arena_printf(b->a, "`%s`", what), "inputType", "\"STRING\"", "inputExpr",
                     arena_printf(b->a, "\"%.*s\"", STR_ARG(caption_of(b, x))), NULL);
}

err *bind_schema_of(struct cx *c, str name, const struct ast *n, bool *done, struct bx **ret) {
    static const struct { const char *name, *what; const struct sql_type *(*infer)(arena *, str, const struct infer *); } kinds[] = {
        {"schema_of_csv", "csv", infer_csv}, {"schema_of_json", "json", infer_json}, {"schema_of_xml", "xml", infer_xml}};
    struct binder *b = c->b;
    struct bx *x;
    size_t k = 0;
    while (k < ARRAY_LEN(kinds) && !str_eqz(name, kinds[k].name)) k++;
    if (k == ARRAY_LEN(kinds)) return NULL;
    *done = true;
    if (n->n < 1 || n->n > 2)
        return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", n, b->text, "functionName", arena_printf(b->a, "`%s`", kinds[k].name), "expectedNum", "[1, 2]", "actualNum",
                         arena_printf(b->a, "%u", n->n), "docroot", "https://spark.apache.org/docs/latest", NULL);
    TRY(bind_expr(c, n->child[0], &x));
    if (x->kind != BX_LIT || !x->text.p || !sql_is_text(x->type)) return not_constant(b, n, kinds[k].name, kinds[k].what, x);
    const struct ast *m = n->n > 1 ? n->child[1] : NULL;
    str sep = option(m, "sep");
    struct infer how = {.sep = sep.p ? sep : option(m, "delimiter"), .prefers_decimal = is_true(m, "prefersDecimal"), .primitives_as_string = is_true(m, "primitivesAsString"),
                        .infer_timestamp = is_true(m, "inferTimestamp"), .leading_zeros = is_true(m, "allowNumericLeadingZeros"), .exclude_attribute = is_true(m, "excludeAttribute"),
                        .attribute_prefix = option(m, "attributePrefix"), .value_tag = option(m, "valueTag")};
    const struct sql_type *t = kinds[k].infer(b->a, x->text, &how);
    buf *o = sql_buf(b->a);
    if (t) sql_type_write_sql(t, o);
    else if (k == 2) buf_z(o, "STRUCT<_corrupt_record: STRING>");
    else
        return sql_error("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION", n, b->text, "badRecord", arena_printf(b->a, "%.*s", STR_ARG(str_cut(x->text, 200))), "failFastMode", "FAILFAST", NULL);
    str cap = sql_fmt(b->a, "%s(%.*s)", kinds[k].name, STR_ARG(caption_of(b, x)));
    *ret = bx_lit(b, sql_type_of(TY_STRING), sql_keep(b->a, o));
    (*ret)->cap = cap;
    return NULL;
}
