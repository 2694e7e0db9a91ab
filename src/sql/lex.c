/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/lex.h"

#include "sql/ast.h"

static const char *const word_texts[W_COUNT] = {[W_OTHER] = "",
#define X(name) [W_##name] = #name,
                                                SQL_WORDS(X)
#undef X
};

const char *sql_word_text(enum sql_word w) { return w < W_COUNT ? word_texts[w] : ""; }

#define LONGEST_WORD 24

enum sql_word sql_word_of(str text) {
    if (text.n < 2 || text.n > LONGEST_WORD) return W_OTHER;
    char up[LONGEST_WORD + 1];
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        up[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    up[text.n] = 0;
    size_t low = 1, high = W_COUNT;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(up, word_texts[mid]);
        if (c == 0) return (enum sql_word)mid;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return W_OTHER;
}

struct lexer {
    arena *a;
    str in;
    size_t at;
    struct sql_token *tok;
    uint32_t n, cap;
    uint32_t *open; /* stack of tokens that await their closing */
    uint32_t n_open, cap_open;
    struct sql_tokens *ret;
};

static unsigned char peek(const struct lexer *l, size_t ahead) {
    return l->at + ahead < l->in.n ? (unsigned char)l->in.p[l->at + ahead] : 0;
}

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
/* All of Unicode beyond ASCII counts as letters, but for the blanks that blank_at() knows. */
static bool is_letter(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}
static bool is_part(unsigned char c) { return is_letter(c) || is_digit(c); }

/* Length of the blank at an offset, 0 if there is none: ASCII's, no-break space, U+1680,
 * U+2000–200A, 2028, 202F, 205F, 3000. */
static size_t blank_at(str in, size_t at) {
    if (at >= in.n) return 0;
    const unsigned char *p = (const unsigned char *)in.p + at;
    if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r')) return 1;
    if (p[0] < 0xc2) return 0;
    if (p[0] == 0xc2) return at + 1 < in.n && p[1] == 0xa0 ? 2 : 0;
    if (at + 2 >= in.n || p[0] > 0xe3) return 0;
    uint32_t c = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (uint32_t)(p[2] & 63);
    if (p[0] < 0xe1) return 0;
    bool blank = c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x202f ||
                 c == 0x205f || c == 0x3000;
    return blank ? 3 : 0;
}

static struct sql_token *emit(struct lexer *l, unsigned kind, size_t length) {
    if (l->n == l->cap) {
        uint32_t cap = l->cap * 2;
        struct sql_token *more = arena_alloc(l->a, sizeof(*more) * (size_t)cap);
        memcpy(more, l->tok, sizeof(*more) * l->n);
        l->tok = more;
        l->cap = cap;
    }
    struct sql_token *t = &l->tok[l->n++];
    *t = (struct sql_token){
        .kind = (uint8_t)kind, .pos = (uint32_t)l->at, .end = (uint32_t)(l->at + length)};
    l->at += length;
    return t;
}

static void push_open(struct lexer *l) {
    if (l->n_open == l->cap_open) {
        uint32_t cap = l->cap_open ? l->cap_open * 2 : 64;
        uint32_t *more = arena_alloc(l->a, sizeof(*more) * (size_t)cap);
        if (l->n_open) memcpy(more, l->open, sizeof(*more) * l->n_open);
        l->open = more;
        l->cap_open = cap;
    }
    l->open[l->n_open++] = l->n - 1;
}

/* A closing token closes the innermost opening one if that is of its kind; otherwise neither has a
 * match. */
static void close_open(struct lexer *l, unsigned opening) {
    if (l->n_open == 0) return;
    uint32_t i = l->open[l->n_open - 1];
    if (l->tok[i].kind != opening) return;
    l->tok[i].match = l->n - 1;
    l->n_open--;
}

static void line_comment(struct lexer *l) {
    while (l->at < l->in.n && l->in.p[l->at] != '\n' && l->in.p[l->at] != '\r') {
        /* A backslash before the end of the line takes the next line in. */
        if (l->in.p[l->at] == '\\' && peek(l, 1) == '\n') l->at++;
        l->at++;
    }
}

static void bracketed_comment(struct lexer *l) {
    size_t begin = l->at, depth = 1;
    l->at += 2;
    while (l->at < l->in.n && depth) {
        if (peek(l, 0) == '*' && peek(l, 1) == '/') {
            depth--;
            l->at += 2;
        } else if (peek(l, 0) == '/' && peek(l, 1) == '*' && peek(l, 2) != '+') {
            depth++;
            l->at += 2;
        } else
            l->at++;
    }
    if (depth && !l->ret->open_comment) {
        l->ret->open_comment = true;
        l->ret->comment_pos = (uint32_t)begin;
    }
}

/* Skips blanks and comments; false when a token stands here. */
static bool skip(struct lexer *l) {
    size_t n = blank_at(l->in, l->at);
    if (n)
        l->at += n;
    else if (peek(l, 0) == '-' && peek(l, 1) == '-')
        line_comment(l);
    else if (peek(l, 0) == '/' && peek(l, 1) == '*' && peek(l, 2) != '+')
        bracketed_comment(l);
    else
        return false;
    return true;
}

/* Length of a quoted token that begins at the quote `ahead` characters on; 0 if it is not closed. A
 * doubled quote stands for one, a backslash (unless raw) takes the next character in. */
static size_t quoted(const struct lexer *l, size_t ahead, bool escapes, bool doubles) {
    const char *p = l->in.p + l->at;
    size_t n = l->in.n - l->at;
    char quote = p[ahead];
    for (size_t i = ahead + 1; i < n; i++) {
        if (escapes && p[i] == '\\')
            i++;
        else if (p[i] == quote) {
            if (!doubles || i + 1 >= n || p[i + 1] != quote) return i + 1;
            i++;
        }
    }
    return 0;
}

static size_t digits(const struct lexer *l, size_t from) {
    size_t i = from;
    while (is_digit(peek(l, i))) i++;
    return i - from;
}

static size_t exponent(const struct lexer *l, size_t from) {
    if ((peek(l, from) | 32) != 'e') return 0;
    size_t sign = peek(l, from + 1) == '+' || peek(l, from + 1) == '-';
    size_t n = digits(l, from + 1 + sign);
    return n ? 1 + sign + n : 0;
}

/* Length of F, D, BD; of whole numbers also L, S, Y. */
static size_t suffix(const struct lexer *l, size_t from, bool whole) {
    unsigned char c = peek(l, from) | 32;
    if (c == 'b' && (peek(l, from + 1) | 32) == 'd') return 2;
    if (c == 'f' || c == 'd') return 1;
    return whole && (c == 'l' || c == 's' || c == 'y') ? 1 : 0;
}

/*
 * The longest number here, 0 if there is none. With a point it counts only if no letter, digit or
 * underscore follows: "t.1a" is t, ., 1a. Without one, a word that goes on longer wins: "1abc" is
 * an identifier.
 */
static size_t number(const struct lexer *l) {
    size_t whole = digits(l, 0), n = whole;
    if (peek(l, n) == '.') {
        size_t fraction = digits(l, n + 1);
        if (whole || fraction) {
            n += 1 + fraction;
            size_t e = n + exponent(l, n), s = e + suffix(l, e, false);
            if (!is_part(peek(l, s))) return s;
        }
    }
    if (!whole) return 0;
    size_t e = exponent(l, whole);
    n = whole + e;
    n += suffix(l, n, e == 0);
    size_t word = 0;
    while (is_part(peek(l, word)) && !(peek(l, word) >= 0x80 && blank_at(l->in, l->at + word)))
        word++;
    return word > n ? 0 : n;
}

static size_t word(const struct lexer *l) {
    size_t n = 0;
    while (is_part(peek(l, n)) && !(peek(l, n) >= 0x80 && blank_at(l->in, l->at + n))) n++;
    return n;
}

/* $$ … $$: bodies of functions and metric views, without escapes. */
static bool dollar_string(struct lexer *l) {
    if (peek(l, 0) != '$' || peek(l, 1) != '$') return false;
    ptrdiff_t close = str_find(str_from(l->in, l->at + 2), STR("$$"));
    if (close < 0) return false;
    emit(l, T_STRING, (size_t)close + 4)->raw = 2;
    return true;
}

static bool string_or_name(struct lexer *l) {
    unsigned char c = peek(l, 0), d = peek(l, 1);
    if (c == '$') return dollar_string(l);
    bool raw = (c == 'r' || c == 'R') && (d == '\'' || d == '"');
    if (!raw && c != '\'' && c != '"' && c != '`') return false;
    size_t n = quoted(l, raw, !raw && c != '`', !raw);
    if (!n) {
        /* Not closed. Of r' the r is a word; a quote alone is a token that fits nowhere. */
        if (raw) return false;
        emit(l, T_WRONG, 1);
        return true;
    }
    unsigned char quote = raw ? d : c;
    struct sql_token *t = emit(l, quote == '`' ? T_QUOTED : quote == '"' ? T_DSTRING : T_STRING, n);
    t->raw = raw;
    return true;
}

static const struct {
    const char *text;
    uint8_t kind;
} operators[] = {
    {"<=>", T_NSEQ},  {"?::", T_TRYCAST}, {"/*+", T_HINT}, {"<>", T_NEQ}, {"!=", T_NEQ},
    {"<=", T_LE},     {"!>", T_LE},       {">=", T_GE},    {"!<", T_GE},  {"<<", T_SHL},
    {"||", T_CONCAT}, {"|>", T_PIPE},     {"->", T_ARROW}, {"=>", T_FAT}, {"==", '='},
    {"::", T_CAST},   {"*/", T_HINT_END},
};

static void operator_or_wrong(struct lexer *l) {
    str rest = str_from(l->in, l->at);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        str op = str_of(operators[i].text);
        if (!str_starts(rest, op)) continue;
        /* Outside of a hint, star slash is a product and a division. */
        if (operators[i].kind == T_HINT_END &&
            (!l->n_open || l->tok[l->open[l->n_open - 1]].kind != T_HINT))
            continue;
        emit(l, operators[i].kind, op.n);
        if (operators[i].kind == T_HINT) push_open(l);
        if (operators[i].kind == T_HINT_END) close_open(l, T_HINT);
        return;
    }
    unsigned char c = peek(l, 0);
    emit(l, c && strchr("()[]{},.;:=<>+-*/%&|^~!?@#$", c) ? c : T_WRONG, 1);
    if (c == '(' || c == '[') push_open(l);
    if (c == ')') close_open(l, '(');
    if (c == ']') close_open(l, '[');
}

void sql_lex(arena *a, str text, struct sql_tokens *ret) {
    must(text.n <= SQL_MAX_TEXT);
    *ret = (struct sql_tokens){0};
    struct lexer l = {.a = a, .in = text, .ret = ret, .cap = 64};
    l.tok = arena_alloc(a, sizeof(*l.tok) * l.cap);
    while (l.at < text.n) {
        if (skip(&l) || string_or_name(&l)) continue;
        size_t n = number(&l);
        if (n) {
            emit(&l, T_NUMBER, n);
        } else if ((n = word(&l)) > 0) {
            enum sql_word w = sql_word_of(str_n(text.p + l.at, n));
            emit(&l, T_WORD, n)->word = (uint16_t)w;
        } else
            operator_or_wrong(&l);
    }
    emit(&l, T_END, 0);
    ret->tok = l.tok;
    ret->n = l.n;
}

/* ---- values ---- */

static void add_utf8(buf *out, uint32_t c) {
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
    if (c < 0x80)
        buf_c(out, (char)c);
    else if (c < 0x800) {
        buf_c(out, (char)(0xc0 | c >> 6));
        buf_c(out, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_c(out, (char)(0xe0 | c >> 12));
        buf_c(out, (char)(0x80 | (c >> 6 & 63)));
        buf_c(out, (char)(0x80 | (c & 63)));
    } else {
        buf_c(out, (char)(0xf0 | c >> 18));
        buf_c(out, (char)(0x80 | (c >> 12 & 63)));
        buf_c(out, (char)(0x80 | (c >> 6 & 63)));
        buf_c(out, (char)(0x80 | (c & 63)));
    }
}

/* n digits of base 16 or 8 at `at`; false if they are not all there. */
static bool code(str s, size_t at, size_t n, unsigned base, uint32_t *ret) {
    if (at + n > s.n) return false;
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[at + i];
        unsigned d = is_digit(c)                          ? c - 48u
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)(c | 32) - 'a' + 10u
                                                          : 99;
        if (d >= base) return false;
        v = v * base + d;
    }
    *ret = v;
    return true;
}

/* The escape after a backslash at s[at]; returns how many bytes it took. */
static size_t escape(str s, size_t at, buf *out) {
    char c = s.p[at];
    uint32_t v, low;
    if (c == 'u' && code(s, at + 1, 4, 16, &v)) {
        if (v >= 0xd800 && v < 0xdc00 && at + 6 < s.n && s.p[at + 5] == '\\' &&
            s.p[at + 6] == 'u' && code(s, at + 7, 4, 16, &low) && low >= 0xdc00 && low < 0xe000) {
            add_utf8(out, 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00));
            return 11;
        }
        add_utf8(out, v);
        return 5;
    }
    if (c == 'U' && code(s, at + 1, 8, 16, &v)) {
        add_utf8(out, v);
        return 9;
    }
    if ((c == '0' || c == '1') && code(s, at, 3, 8, &v)) {
        add_utf8(out, v);
        return 3;
    }
    switch (c) {
    case '0':
        buf_c(out, 0);
        break;
    case 'b':
        buf_c(out, '\b');
        break;
    case 'n':
        buf_c(out, '\n');
        break;
    case 'r':
        buf_c(out, '\r');
        break;
    case 't':
        buf_c(out, '\t');
        break;
    case 'Z':
        buf_c(out, 26);
        break;
    case '%':
    case '_':
        /* Kept for LIKE, which has its own escapes. */
        buf_c(out, '\\');
        buf_c(out, c);
        break;
    default:
        buf_c(out, c);
    }
    return 1;
}

str sql_token_string(arena *a, str text, const struct sql_token *t) {
    size_t front = t->raw == 1 || t->raw == 2 ? 2 : 1, back = t->raw == 2 ? 2 : 1;
    str s = str_n(text.p + t->pos + front, t->end - t->pos - front - back);
    char quote = text.p[t->end - 1];
    bool plain = t->raw || (!memchr(s.p, '\\', s.n) && !memchr(s.p, quote, s.n));
    if (plain) return s;
    buf out = {0};
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i += 1 + escape(s, i + 1, &out);
        else {
            buf_c(&out, s.p[i]);
            i += s.p[i] == quote ? 2 : 1;
        }
    }
    str value = arena_str(a, buf_view(&out));
    buf_free(&out);
    return value;
}

str sql_token_name(arena *a, str text, const struct sql_token *t) {
    str s = str_n(text.p + t->pos, t->end - t->pos);
    if (t->kind != T_QUOTED) return s;
    s = str_n(s.p + 1, s.n - 2);
    if (!memchr(s.p, '`', s.n)) return s;
    char *name = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        name[n++] = s.p[i];
        if (s.p[i] == '`') i++;
    }
    return str_n(name, n);
}

str sql_spaced(arena *a, str text) {
    struct sql_tokens t;
    buf b = {0};
    sql_lex(a, text, &t);
    for (uint32_t i = 0; i + 1 < t.n; i++) {
        if (i) buf_c(&b, ' ');
        buf_add(&b, text.p + t.tok[i].pos, t.tok[i].end - t.tok[i].pos);
    }
    str out = arena_str(a, buf_view(&b));
    buf_free(&b);
    return out;
}
