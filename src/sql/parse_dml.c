/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that change rows, and the statement's first word. */
#include "sql/parse.h"

struct ast *parse_statement(struct parser *p) {
    struct ast *n = node(p, AST_S_QUERY);
    set(p, n, SLOT_QUERY, parse_query(p));
    return done(p, n);
}

struct ast *parse_properties(struct parser *p) {
    syntax_error(p);
    return node(p, AST_LIST);
}
