/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "c.s.f ON (x, 'a', 1)" and "f USING COLUMNS (x)": which function a row filter or mask calls, and with what. What stands
 * between the brackets is evaluated with each query of the table, under the reader's rights: only columns and constants
 * are taken, and a constant is checked word by word, so that no expression gets in.
 */
#include <string.h>

#include "catalog/cmd.h"

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80; }

static str trim(str s) {
    while (s.n && is_space(s.p[0])) s = str_from(s, 1);
    while (s.n && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

/* The end of the quoted text that begins at s.p[i], behind its mark; s.n where it does not end. */
static size_t past_quoted(str s, size_t i) {
    char mark = s.p[i++];
    while (i < s.n) {
        char c = s.p[i++];
        if (c == '\\' && mark != '`') i++;
        else if (c == mark && i < s.n && s.p[i] == mark) i++;
        else if (c == mark) return i;
    }
    return s.n + 1;
}

/* A name of one word, plain or in backticks. */
static bool read_column(arena *a, str s, str *ret) {
    if (s.n > 2 && s.p[0] == '`' && past_quoted(s, 0) == s.n) {
        buf b = {0};
        for (size_t i = 1; i + 1 < s.n; i++) {
            if (s.p[i] == '`') i++;
            buf_c(&b, s.p[i]);
        }
        *ret = arena_str(a, buf_view(&b));
        buf_free(&b);
        return true;
    }
    for (size_t i = 0; i < s.n; i++)
        if (!is_word(s.p[i])) return false;
    *ret = arena_str(a, s);
    return s.n > 0;
}

/* One word of a constant: 's' a text, 'n' a number, 'w' a word, '-' a sign before a number or text, 0 anything else. */
static char next_word(str *s, str *ret) {
    *s = trim(*s);
    if (!s->n) return 0;
    size_t i = 0;
    char c = s->p[0], kind = 0;
    if (c == '\'' || c == '"') {
        i = past_quoted(*s, 0);
        kind = 's';
    } else if (is_digit(c) || (c == '.' && s->n > 1 && is_digit(s->p[1]))) {
        while (i < s->n && (is_word(s->p[i]) || s->p[i] == '.' ||
                            ((s->p[i] == '-' || s->p[i] == '+') && (s->p[i - 1] == 'e' || s->p[i - 1] == 'E'))))
            i++;
        kind = 'n';
    } else if (is_word(c)) {
        while (i < s->n && is_word(s->p[i])) i++;
        kind = 'w';
    } else if ((c == '-' || c == '+') && s->n > 1 && (is_digit(s->p[1]) || s->p[1] == '.' || s->p[1] == '\'')) {
        i = 1;
        kind = '-';
    }
    if (!kind || i > s->n) return 0;
    *ret = (str){s->p, i};
    *s = trim(str_from(*s, i));
    return kind;
}

static bool among(str word, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_ieq(word, str_of(list[i]))) return true;
    return false;
}

static bool is_constant(str s) {
    static const char *const alone[] = {"true", "false", "null"};
    static const char *const typed[] = {"date", "timestamp", "timestamp_ntz", "timestamp_ltz", "x"};
    str word, more;
    char kind = next_word(&s, &word);
    if (kind == '-') return next_word(&s, &word) == 'n' && !s.n;
    if (kind == 's' || kind == 'n') return !s.n;
    if (kind != 'w') return false;
    if (among(word, alone, ARRAY_LEN(alone))) return !s.n;
    if (among(word, typed, ARRAY_LEN(typed))) return next_word(&s, &more) == 's' && !s.n;
    if (!str_ieq(word, STR("interval")) || !s.n) return false;
    while (s.n)
        if (!next_word(&s, &more)) return false;
    return true;
}

static err *add_argument(struct ask *k, str text, struct cmd_policy *p) {
    str name;
    jmut *o = json_add_obj(k->d, p->arguments);
    bool constant = is_constant(text);
    if (!constant && !read_column(k->c->a, text, &name))
        return ask_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", "0A000",
                         "Row filters and masks are given columns and constants; '%.*s' is neither.", STR_ARG(str_cut(text, 100)));
    if (constant) name = arena_str(k->c->a, text);
    p->constants |= constant;
    json_put_str(k->d, o, constant ? "constant" : "column", name);
    json_add_str(k->d, p->names, name);
    return NULL;
}

/* From behind the opening bracket. */
static err *read_arguments(struct ask *k, str s, struct cmd_policy *p) {
    size_t from = 0, i = 0, depth = 0;
    while (i < s.n) {
        char c = s.p[i];
        if (c == '\'' || c == '"' || c == '`') {
            i = past_quoted(s, i);
            continue;
        }
        if ((c == ',' || c == ')') && !depth) {
            str text = trim((str){s.p + from, i - from});
            if (text.n || c == ',' || yyjson_mut_arr_size(p->names)) TRY(add_argument(k, text, p));
            if (c == ')') return NULL;
            from = i + 1;
        }
        if (c == '(') depth++;
        if (c == ')') depth--;
        i++;
    }
    return ask_error("PARSE_SYNTAX_ERROR", "42601", "The arguments of a row filter or mask have no end.");
}

err *cmd_read_policy(struct ask *k, str text, struct cmd_policy *ret) {
    struct ask part = *k;
    jmut *parts = yyjson_mut_arr(k->d);
    jval *read;
    size_t i = 0;
    *ret = (struct cmd_policy){.names = yyjson_mut_arr(k->d), .arguments = yyjson_mut_arr(k->d)};
    for (bool more = true; more;) {
        while (i < text.n && is_space(text.p[i])) i++;
        size_t from = i;
        if (i < text.n && text.p[i] == '`') i = past_quoted(text, i);
        else
            while (i < text.n && !is_space(text.p[i]) && text.p[i] != '.' && text.p[i] != '(') i++;
        str name;
        if (i > text.n || !read_column(k->c->a, (str){text.p + from, i - from}, &name))
            return ask_error("INVALID_IDENTIFIER", "42602", "The name of the function of a row filter or mask cannot be read.");
        json_add_str(k->d, parts, name);
        while (i < text.n && is_space(text.p[i])) i++;
        more = i < text.n && text.p[i] == '.';
        i += more;
    }
    ptrdiff_t open = str_chr(text, '(', i);
    if (open >= 0) TRY(read_arguments(k, str_from(text, (size_t)open + 1), ret));
    TRY(json_parse(k->c->a, json_text(k->c->a, parts), false, &read));
    return ask_name(&part, read, 3, &ret->function);
}
