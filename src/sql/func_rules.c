/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of conditionals and of whatever has no file of its own. */
#include "sql/func_rules.h"

/* Any argument NULL makes the whole NULL; DuckDB's list_concat would leave it out. */
static err *concat_emit(struct sql_call *c, buf *out) {
    bool arrays = c->n && c->args[0].type->kind == TY_ARRAY;
    if (c->n == 0) {
        buf_z(out, "''");
        return NULL;
    }
    if (c->n == 1) {
        buf_z(out, "{0}");
        return NULL;
    }
    if (!arrays) {
        for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s{%zu}", i ? " || " : "(", i);
        buf_c(out, ')');
        return NULL;
    }
    buf_z(out, "CASE WHEN ");
    for (size_t i = 0; i < c->n; i++) buf_fmt(out, "%s{%zu} IS NOT NULL", i ? " AND " : "", i);
    buf_z(out, " THEN ");
    for (size_t i = 1; i < c->n; i++) buf_z(out, "list_concat(");
    buf_z(out, "{0}");
    for (size_t i = 1; i < c->n; i++) buf_fmt(out, ", {%zu})", i);
    buf_z(out, " END");
    return NULL;
}

static const struct sql_rule rules[] = {
    {"concat", NULL, concat_emit, NULL},
};

const struct sql_rule_list sql_rules_core = {rules, ARRAY_LEN(rules)};
