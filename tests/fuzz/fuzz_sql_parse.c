/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the text, there is a tree of bounded height whose places lie in the text, or an error of
 * a known class. */
#include <stddef.h>
#include <stdint.h>

#include "sql/error.h"
#include "sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ast *n, size_t size, unsigned height) {
    must(n != NULL && n->kind < AST_KIND_COUNT);
    /* A balanced chain and the nodes between two links of a chain come on top of the limit. */
    must(height < 3 * SQL_MAX_HEIGHT);
    must(n->end <= size && n->pos <= size);
    for (uint32_t i = 0; i < n->n; i++) check(n->child[i], size, height + 1);
    for (uint32_t i = 0; i < n->n_slots; i++) check(n->slot[i].node, size, height + 1);
}

static void checked(err *e, arena *a) {
    if (!e) return;
    must(err_code_of(e) == ERR_SQL_ERROR && sql_error_known(sql_error_class(e, a)));
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str text = str_n((const char *)data, size);
    struct ast **list = NULL, *one = NULL;
    size_t n = 0;
    err *e = sql_parse(a, text, &list, &n);
    if (!e) {
        buf out = {0};
        for (size_t i = 0; i < n; i++) {
            check(list[i], size, 0);
            ast_dump(list[i], &out);
        }
        buf_free(&out);
    }
    checked(e, a);
    e = sql_parse_expr(a, text, &one);
    if (!e) check(one, size, 0);
    checked(e, a);
    arena_free(a);
    return 0;
}
