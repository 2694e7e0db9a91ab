/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of functions by name, rules by name, and how text is quoted for DuckDB. */
#include "sql/func.h"

#include <stdio.h>
#include <stdlib.h>

#include "sql/func_rules.h"

static const struct sql_rule_list *const sql_rule_lists[] = {
    &sql_rules_core,
    &sql_rules_agg,
    &sql_rules_coll,
    &sql_rules_json,
    &sql_rules_fn,
    &sql_rules_sketch,
    &sql_rules_text,
};

static int by_name(const void *key, const void *row) {
    return strcmp((const char *)key, ((const struct sql_func *)row)->name);
}

const struct sql_func *sql_func_find(str name, size_t *ret_n) {
    char low[64];
    if (name.n == 0 || name.n >= sizeof low) return NULL;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        low[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    low[name.n] = 0;
    const struct sql_func *f =
        bsearch(low, sql_functions, sql_functions_n, sizeof *sql_functions, by_name);
    if (!f) return NULL;
    const struct sql_func *end = sql_functions + sql_functions_n, *last = f;
    while (f > sql_functions && strcmp(f[-1].name, low) == 0) f--;
    while (last + 1 < end && strcmp(last[1].name, low) == 0) last++;
    *ret_n = (size_t)(last - f) + 1;
    return f;
}

const struct sql_rule *sql_rule_find(const char *name) {
    for (size_t l = 0; l < ARRAY_LEN(sql_rule_lists); l++)
        for (size_t i = 0; i < sql_rule_lists[l]->n; i++)
            if (strcmp(sql_rule_lists[l]->rules[i].name, name) == 0)
                return &sql_rule_lists[l]->rules[i];
    return NULL;
}

static void quoted(buf *out, str s, char q) {
    buf_c(out, q);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == q) buf_c(out, q);
        buf_c(out, s.p[i]);
    }
    buf_c(out, q);
}

/* A zero byte ends DuckDB's text, so it travels as chr(0). */
void sql_quote(buf *out, str s) {
    if (s.n == 0 || !memchr(s.p, 0, s.n)) {
        quoted(out, s, '\'');
        return;
    }
    buf_c(out, '(');
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != 0) continue;
        if (from > 0) buf_z(out, " || chr(0) || ");
        quoted(out, str_n(s.p + from, i - from), '\'');
        from = i + 1;
    }
    buf_c(out, ')');
}

void sql_quote_ident(buf *out, str s) { quoted(out, s, '"'); }
