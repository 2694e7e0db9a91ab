/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens lie in the text one behind the other; values of strings and names can be read; parentheses
 * match. */
#include <stddef.h>
#include <stdint.h>

#include "sql/lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str text = str_n((const char *)data, size);
    struct sql_tokens t;
    sql_lex(a, text, &t);
    must(t.n > 0 && t.tok[t.n - 1].kind == T_END);
    uint32_t last = 0;
    for (uint32_t i = 0; i < t.n; i++) {
        const struct sql_token *k = &t.tok[i];
        must(k->pos >= last && k->end >= k->pos && k->end <= size);
        must(k->kind == T_END || k->end > k->pos);
        last = k->end;
        if (k->match) must(k->match > i && k->match < t.n);
        if (k->kind == T_STRING || k->kind == T_DSTRING)
            must(sql_token_string(a, text, k).n <= 4 * (size_t)(k->end - k->pos));
        if (k->kind == T_WORD || k->kind == T_QUOTED)
            must(sql_token_name(a, text, k).n <= k->end - k->pos);
    }
    arena_free(a);
    return 0;
}
