/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Java's regular expressions in PCRE2's language (regex.h).
 *
 * Most is the same. Rewritten are: \uXXXX, octal escapes, names in \p{…}, the flags d, u and U, and character
 * classes with unions ([a[bc]]) and intersections ([a-z&&[^b]]), which become look-aheads. Refused is what only
 * PCRE2 has, (?R), (*VERB), \K …: Java would refuse it, and some would be a way around limits.
 */
#include <stdio.h>

#include "engine/worker/regex.h"
#include "engine/worker/utf8.h"

#define CLASS_DEPTH 20

struct tr { str s; size_t i; char *why; int depth; };

static bool no(struct tr *t, const char *what) {
    snprintf(t->why, 200, "%s near index %zu", what, t->i);
    return false;
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static bool hex4(const struct tr *t, size_t at, uint32_t *ret) {
    if (at + 4 > t->s.n) return false;
    *ret = 0;
    for (size_t k = 0; k < 4; k++) {
        int d = hex(t->s.p[at + k]);
        if (d < 0) return false;
        *ret = *ret << 4 | (uint32_t)d;
    }
    return true;
}

/* \p{…}: the name in PCRE2's spelling; POSIX names are ASCII ranges. */
static bool property(str name, bool negated, bool in_class, buf *out) {
    static const struct { const char *java, *set; } sets[] = {
        {"Lower", "a-z"}, {"Upper", "A-Z"}, {"ASCII", "\\x00-\\x7F"}, {"Alpha", "a-zA-Z"}, {"Digit", "0-9"}, {"Alnum", "a-zA-Z0-9"},
        {"Punct", "!-\\/:-@\\[-`{-~"}, {"Graph", "!-~"}, {"Print", " -~"}, {"Blank", " \\t"}, {"Cntrl", "\\x00-\\x1F\\x7F"},
        {"XDigit", "0-9a-fA-F"}, {"Space", " \\t\\n\\x0B\\f\\r"},
    };
    static const struct { const char *java, *pcre; } names[] = {
        {"javaLowerCase", "Ll"}, {"javaUpperCase", "Lu"}, {"javaWhitespace", "Xsp"}, {"javaAlphabetic", "L"}, {"javaLetter", "L"},
        {"javaDigit", "Nd"}, {"javaLetterOrDigit", "Xan"}, {"javaTitleCase", "Lt"}, {"IsAlphabetic", "L"}, {"IsLetter", "L"},
        {"IsIdeographic", "Han"}, {"IsLowercase", "Ll"}, {"IsUppercase", "Lu"}, {"IsTitlecase", "Lt"}, {"IsPunctuation", "P"},
        {"IsControl", "Cc"}, {"IsWhite_Space", "Xsp"}, {"IsDigit", "Nd"}, {"InGreek", "Greek"}, {"InCyrillic", "Cyrillic"},
        {"InBasicLatin", "Latin"}, {"InHebrew", "Hebrew"}, {"InArabic", "Arabic"}, {"InHiragana", "Hiragana"}, {"InKatakana", "Katakana"},
        {"InThai", "Thai"}, {"InCJKUnifiedIdeographs", "Han"}, {"InCJK_Unified_Ideographs", "Han"},
    };
    for (size_t k = 0; k < sizeof(sets) / sizeof(*sets); k++) {
        if (!str_eqz(name, sets[k].java)) continue;
        if (in_class && negated) return false; /* no text of a class says it */
        if (in_class) buf_z(out, sets[k].set);
        else buf_fmt(out, "[%s%s]", negated ? "^" : "", sets[k].set);
        return true;
    }
    const char *pcre = NULL;
    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
        if (str_eqz(name, names[k].java)) pcre = names[k].pcre;
    if (!pcre) {
        ptrdiff_t eq = str_chr(name, '=', 0);
        if (eq >= 0) name = str_from(name, (size_t)eq + 1);
        else if (str_starts(name, STR("Is"))) name = str_from(name, 2);
        for (size_t k = 0; k < name.n; k++)
            if (!((name.p[k] | 32) >= 'a' && (name.p[k] | 32) <= 'z') && name.p[k] != '_') return false;
        if (!name.n) return false;
        buf_fmt(out, "\\%c{%.*s}", negated ? 'P' : 'p', STR_ARG(name));
        return true;
    }
    buf_fmt(out, "\\%c{%s}", negated ? 'P' : 'p', pcre);
    return true;
}

static bool read_property(struct tr *t, bool in_class, buf *out) {
    bool negated = t->s.p[t->i + 1] == 'P';
    size_t at = t->i + 2;
    if (at >= t->s.n) return no(t, "Unknown character property name");
    if (t->s.p[at] != '{') {
        if (!property(str_n(t->s.p + at, 1), negated, in_class, out)) return no(t, "Unknown character property name");
        t->i = at + 1;
        return true;
    }
    ptrdiff_t end = str_chr(t->s, '}', at);
    if (end < 0) return no(t, "Unclosed character family");
    str name = str_n(t->s.p + at + 1, (size_t)end - at - 1);
    if (name.n && name.p[0] == '^') negated = !negated, name = str_from(name, 1);
    if (!property(name, negated, in_class, out)) return no(t, "Unknown character property name");
    t->i = (size_t)end + 1;
    return true;
}

static bool read_unicode(struct tr *t, buf *out) {
    uint32_t a, b;
    if (!hex4(t, t->i + 2, &a)) return no(t, "Illegal Unicode escape sequence");
    t->i += 6;
    if (a >= 0xd800 && a < 0xdc00 && t->i + 6 <= t->s.n && t->s.p[t->i] == '\\' && t->s.p[t->i + 1] == 'u' && hex4(t, t->i + 2, &b) && b >= 0xdc00 && b < 0xe000) {
        a = 0x10000 + ((a - 0xd800) << 10) + (b - 0xdc00);
        t->i += 6;
    }
    if (a >= 0xd800 && a < 0xe000) return no(t, "Illegal Unicode escape sequence");
    buf_fmt(out, "\\x{%X}", a);
    return true;
}

static bool read_octal(struct tr *t, buf *out) {
    uint32_t v = 0;
    size_t k = t->i + 2, n = 0;
    for (; k < t->s.n && n < 3 && t->s.p[k] >= '0' && t->s.p[k] <= '7' && v * 8 + (uint32_t)(t->s.p[k] - '0') <= 0377; k++, n++) v = v * 8 + (uint32_t)(t->s.p[k] - '0');
    if (!n) return no(t, "Illegal octal escape sequence");
    buf_fmt(out, "\\x{%X}", v);
    t->i = k;
    return true;
}

/* At a backslash. */
static bool escape(struct tr *t, bool in_class, buf *out) {
    if (t->i + 1 >= t->s.n) return no(t, "Unexpected internal error");
    char c = t->s.p[t->i + 1];
    if (c == 'p' || c == 'P') return read_property(t, in_class, out);
    if (c == 'u') return read_unicode(t, out);
    if (c == '0') return read_octal(t, out);
    if (c == 'Q') {
        ptrdiff_t end = str_find(str_from(t->s, t->i + 2), STR("\\E"));
        str text = end < 0 ? str_from(t->s, t->i + 2) : str_n(t->s.p + t->i + 2, (size_t)end);
        for (size_t k = 0; k < text.n; k++) {
            char q = text.p[k];
            bool word = (q & 0x80) || ((q | 32) >= 'a' && (q | 32) <= 'z') || (q >= '0' && q <= '9') || q == '_';
            if (!word) buf_c(out, '\\');
            buf_c(out, q);
        }
        t->i += 2 + text.n + (end < 0 ? 0 : 2);
        return true;
    }
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    if (letter && !strchr(in_class ? "tnrfaedDsSwWhHvVxcE" : "tnrfaedDsSwWbBAGZzhHvVRXxkcE", c)) return no(t, "Illegal/unsupported escape sequence");
    if (c == 'E') {
        t->i += 2; /* an end without its beginning */
        return true;
    }
    /* Blanks and such after a backslash are themselves in both; more than one byte stays together. */
    size_t n = utf8_len(t->s, t->i + 1);
    if (c & 0x80) buf_add(out, t->s.p + t->i + 1, n);
    else buf_add(out, t->s.p + t->i, 2);
    t->i += 1 + n;
    if (c == 'c' && t->i < t->s.n) buf_c(out, t->s.p[t->i++]);
    return true;
}

static bool class(struct tr *t, buf *out);

/* One operand of &&: simple parts and nested classes until '&&' or ']'. */
static bool operand(struct tr *t, buf *simple, buf *nested, bool *any) {
    while (t->i < t->s.n) {
        char c = t->s.p[t->i];
        if (c == ']' && *any) return true;
        if (c == '&' && t->i + 1 < t->s.n && t->s.p[t->i + 1] == '&') return true;
        *any = true;
        if (c == '[') {
            if (nested->n) buf_c(nested, '|');
            if (!class(t, nested)) return false;
        } else if (c == '\\') {
            if (!escape(t, true, simple)) return false;
        } else {
            if (c == ']' || c == '[') buf_c(simple, '\\');
            size_t n = utf8_len(t->s, t->i);
            buf_add(simple, t->s.p + t->i, n);
            t->i += n;
        }
    }
    return no(t, "Unclosed character class");
}

/* A class as an expression that takes one character. At '['. */
static bool class(struct tr *t, buf *out) {
    if (++t->depth > CLASS_DEPTH) return no(t, "Character classes are nested too deeply");
    buf simple = {0}, nested = {0}, all = {0};
    bool negated = false, ok = true, any = false;
    int operands = 0;
    t->i++;
    if (t->i < t->s.n && t->s.p[t->i] == '^') negated = true, t->i++;
    bool plain = true;
    for (;;) {
        buf_clear(&simple);
        buf_clear(&nested);
        bool some = any;
        if (!(ok = operand(t, &simple, &nested, &some))) break;
        any = true;
        bool last = t->s.p[t->i] == ']';
        if (!last) t->i += 2;
        if (!simple.n && !nested.n) {
            if (last) break;
            continue;
        }
        if (last && operands == 0 && !nested.n) break; /* the usual case: written as it is */
        plain = false;
        buf_fmt(&all, last ? "(?:" : "(?=(?:");
        if (simple.n) buf_fmt(&all, "[%.*s]%s", (int)simple.n, simple.p, nested.n ? "|" : "");
        buf_add(&all, nested.p, nested.n);
        buf_z(&all, last ? ")" : "))");
        operands++;
        if (last) break;
    }
    if (ok) {
        t->i++;
        if (plain && !simple.n) ok = no(t, "Illegal character class");
        else if (plain) buf_fmt(out, "[%s%.*s]", negated ? "^" : "", (int)simple.n, simple.p);
        else if (negated) buf_fmt(out, "(?:(?!%.*s)(?s:.))", (int)all.n, all.p);
        else buf_fmt(out, "(?:%.*s)", (int)all.n, all.p);
    }
    buf_free(&simple);
    buf_free(&nested);
    buf_free(&all);
    t->depth--;
    return ok;
}

/* "(?…": flags lose d, u and U; what Java lacks is refused. At '('. */
static bool group(struct tr *t, buf *out) {
    str s = t->s;
    if (t->i + 1 < s.n && s.p[t->i + 1] == '*') return no(t, "Dangling meta character '*'");
    if (t->i + 2 >= s.n || s.p[t->i + 1] != '?') {
        buf_c(out, '(');
        t->i++;
        return true;
    }
    char c = s.p[t->i + 2];
    if (c == ':' || c == '=' || c == '!' || c == '>') {
        buf_add(out, s.p + t->i, 3);
        t->i += 3;
        return true;
    }
    if (c == '<') {
        char d = t->i + 3 < s.n ? s.p[t->i + 3] : 0;
        if (d != '=' && d != '!' && !((d | 32) >= 'a' && (d | 32) <= 'z')) return no(t, "Unknown look-behind group");
        buf_add(out, s.p + t->i, 4);
        t->i += 4;
        return true;
    }
    buf_z(out, "(?");
    size_t k = t->i + 2;
    bool minus = false;
    for (; k < s.n && s.p[k] != ')' && s.p[k] != ':'; k++) {
        if (s.p[k] == '-' && !minus) minus = true, buf_c(out, '-');
        else if (strchr("imsx", s.p[k])) buf_c(out, s.p[k]);
        else if (!strchr("duU", s.p[k])) return no(t, "Unknown inline modifier");
    }
    if (k == s.n) return no(t, "Unclosed group");
    buf_c(out, s.p[k]);
    t->i = k + 1;
    return true;
}

/* {n}, {n,}, {n,m} and nothing else. */
static bool braces(struct tr *t, buf *out) {
    size_t k = t->i + 1, digits = 0;
    for (; k < t->s.n && t->s.p[k] >= '0' && t->s.p[k] <= '9'; k++) digits++;
    if (!digits) return no(t, "Illegal repetition");
    if (k < t->s.n && t->s.p[k] == ',')
        for (k++; k < t->s.n && t->s.p[k] >= '0' && t->s.p[k] <= '9'; k++) {}
    if (k >= t->s.n || t->s.p[k] != '}') return no(t, "Unclosed counted closure");
    buf_add(out, t->s.p + t->i, k + 1 - t->i);
    t->i = k + 1;
    return true;
}

bool regex_translate(str java, buf *out, char why[200]) {
    struct tr t = {.s = java, .why = why};
    why[0] = 0;
    while (t.i < java.n) {
        char c = java.p[t.i];
        bool ok = true;
        if (c == '\\') ok = escape(&t, false, out);
        else if (c == '[') ok = class(&t, out);
        else if (c == '(') ok = group(&t, out);
        else if (c == '{') ok = braces(&t, out);
        else {
            size_t n = utf8_len(java, t.i);
            buf_add(out, java.p + t.i, n);
            t.i += n;
        }
        if (!ok) return false;
    }
    return true;
}
