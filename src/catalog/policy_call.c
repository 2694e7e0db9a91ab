/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/policy_call.h"

#include <string.h>

#include "base/buf.h"
#include "base/assert.h"

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

static bool add_argument(arena *a, str text, struct policy_call *c) {
    struct policy_argument *x = &c->args[c->n_args];
    x->constant = is_constant(text);
    if (x->constant)
        x->text = arena_str(a, text);
    else if (!read_column(a, text, &x->text))
        return false;
    c->n_args++;
    return true;
}

/* From behind the opening bracket. */
static enum policy_call_fault read_arguments(arena *a, str s, struct policy_call *c, str *ret_bad) {
    size_t from = 0, i = 0, depth = 0, most = 1;
    for (size_t k = 0; k < s.n; k++) most += s.p[k] == ',';
    c->args = arena_array_of(a, struct policy_argument, most);
    while (i < s.n) {
        char x = s.p[i];
        if (x == '\'' || x == '"' || x == '`') {
            i = past_quoted(s, i);
            continue;
        }
        if ((x == ',' || x == ')') && !depth) {
            *ret_bad = trim((str){s.p + from, i - from});
            if ((ret_bad->n || x == ',' || c->n_args) && !add_argument(a, *ret_bad, c)) return POLICY_CALL_ARGUMENT;
            if (x == ')') return POLICY_CALL_FINE;
            from = i + 1;
        }
        if (x == '(') depth++;
        if (x == ')') depth--;
        i++;
    }
    return POLICY_CALL_END;
}

enum policy_call_fault policy_call_read(arena *a, str text, struct policy_call *ret, str *ret_bad) {
    size_t i = 0;
    *ret = (struct policy_call){0};
    *ret_bad = STR("");
    for (bool more = true; more;) {
        while (i < text.n && is_space(text.p[i])) i++;
        size_t from = i;
        if (i < text.n && text.p[i] == '`')
            i = past_quoted(text, i);
        else
            while (i < text.n && !is_space(text.p[i]) && text.p[i] != '.' && text.p[i] != '(') i++;
        if (i > text.n || ret->n_parts == POLICY_CALL_PARTS || !read_column(a, (str){text.p + from, i - from}, &ret->parts[ret->n_parts++])) return POLICY_CALL_NAME;
        while (i < text.n && is_space(text.p[i])) i++;
        more = i < text.n && text.p[i] == '.';
        i += more;
    }
    ptrdiff_t open = str_chr(text, '(', i);
    return open < 0 ? POLICY_CALL_FINE : read_arguments(a, str_from(text, (size_t)open + 1), ret, ret_bad);
}
