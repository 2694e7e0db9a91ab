/* SPDX-License-Identifier: Apache-2.0 */
#include "statements/narrow.h"

#include "base/buf.h"

/* The name as it is shown; *is_pattern: it has wildcards, which are kept with the escapes. False: it may be shown in another way. */
static bool shown(arena *a, str p, bool exact, str *ret, bool *is_pattern) {
    buf b = {0};
    *is_pattern = false;
    for (size_t i = 0; i < p.n && !exact; i++) {
        if (p.p[i] == '\\')
            i++;
        else
            *is_pattern |= p.p[i] == '%' || p.p[i] == '_';
    }
    bool ok = p.n > 0 && !(p.n > 1 && p.p[p.n - 1] == '\\' && !exact);
    for (size_t i = 0; i < p.n && ok; i++) {
        char c = p.p[i];
        if (c == '\\' && !exact && !*is_pattern) c = p.p[++i];
        ok = (unsigned char)c < 0x80;
        buf_c(&b, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    *ret = arena_str(a, buf_view(&b));
    buf_free(&b);
    return ok;
}

void narrow(arena *a, struct statement_ask *ask, const struct narrow_by *rows) {
    static const str WHERE = {" WHERE ", 7};
    ptrdiff_t at = str_find(ask->text, WHERE);
    size_t n = ask->n_params;
    buf more = {0}, text = {0};
    must(at >= 0);
    struct engine_param *p = arena_array_of(a, struct engine_param, n + 8);
    if (n) memcpy(p, ask->params, n * sizeof(*p));
    for (const struct narrow_by *row = rows; row->column && ask->n_params < n + 8; row++) {
        for (size_t i = 0; i < n; i++) {
            str value;
            bool is_pattern;
            if (!str_eqz(p[i].name, row->param) || !shown(a, p[i].value, row->exact, &value, &is_pattern)) continue;
            str name = str_of(arena_printf(a, "%s_shown", row->param));
            buf_fmt(&more, "%s %s :%.*s AND ", row->column, is_pattern ? "LIKE" : "=", STR_ARG(name));
            p[ask->n_params++] = (struct engine_param){.name = name, .type = STR("STRING"), .value = value};
        }
    }
    buf_str(&text, str_cut(ask->text, (size_t)at + WHERE.n));
    buf_str(&text, buf_view(&more));
    buf_str(&text, str_from(ask->text, (size_t)at + WHERE.n));
    ask->text = arena_str(a, buf_view(&text));
    ask->params = p;
    buf_free(&more);
    buf_free(&text);
}
