/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker/glob.h"

#include <string.h>

#include "base/buf.h"

#define MOST 1000   /* patterns that braces may give */
#define LONGEST 4096

bool glob_is(str text) {
    for (size_t i = 0; i < text.n; i++)
        if (memchr("*?[{", text.p[i], 4)) return true;
    return false;
}

/* Bytes of the character at the beginning of s, which is not empty. */
static size_t char_length(str s) {
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n > s.n ? s.n : n;
}

/* The place of the bracket that ends a set at the beginning of s; 0: none does. */
static size_t set_end(str s) {
    size_t i = s.n > 1 && (s.p[1] == '^' || s.p[1] == '!') ? 2 : 1;
    for (size_t first = i; i < s.n; i++)
        if (s.p[i] == ']' && i > first) return i;
    return 0;
}

static bool in_set(str set, char c) {
    bool no = set.n && (set.p[0] == '^' || set.p[0] == '!'), in = false;
    for (size_t i = no; i < set.n; i++) {
        if (i + 2 < set.n && set.p[i + 1] == '-') {
            in |= c >= set.p[i] && c <= set.p[i + 2];
            i += 2;
        } else {
            in |= c == set.p[i];
        }
    }
    return in != no;
}

/* Does the pattern's first element, which is no '*', take the name's first character? Their lengths. */
static bool takes_one(str p, str s, size_t *ret_p, size_t *ret_s) {
    *ret_p = 1, *ret_s = 1;
    if (!s.n) return false;
    if (p.p[0] == '?') {
        *ret_s = char_length(s);
        return true;
    }
    size_t end = p.p[0] == '[' ? set_end(p) : 0;
    if (!end) return p.p[0] == s.p[0];
    *ret_p = end + 1;
    *ret_s = char_length(s);
    bool ascii = (unsigned char)s.p[0] < 0x80;
    return ascii ? in_set(str_n(p.p + 1, end - 1), s.p[0]) : p.p[1] == '^' || p.p[1] == '!';
}

/* Without braces. The last star alone is ever gone back to. */
static bool plain(str p, str s) {
    str star_p = STR_NONE, star_s = STR_NONE;
    while (s.n || p.n) {
        size_t np, ns;
        if (p.n && p.p[0] == '*') {
            p = str_from(p, 1);
            star_p = p, star_s = s;
        } else if (p.n && takes_one(p, s, &np, &ns)) {
            p = str_from(p, np), s = str_from(s, ns);
        } else if (star_p.p && star_s.n) {
            star_s = str_from(star_s, char_length(star_s));
            p = star_p, s = star_s;
        } else {
            return false;
        }
    }
    return true;
}

/* The next ',' or '}' of the braces that are open at `from`; p.n: none. */
static size_t brace_next(str p, size_t from) {
    int depth = 0;
    for (size_t i = from; i < p.n; i++) {
        if (p.p[i] == '{') depth++;
        if (!depth && (p.p[i] == ',' || p.p[i] == '}')) return i;
        if (p.p[i] == '}') depth--;
    }
    return p.n;
}

static size_t brace_begin(str p) {
    for (size_t i = 0; i < p.n; i++) {
        size_t end = p.p[i] == '[' ? set_end(str_from(p, i)) : 0;
        if (p.p[i] == '{') return i;
        i += end;
    }
    return p.n;
}

/* Where the braces end that begin at `open`; p.n: they do not. */
static size_t brace_end(str p, size_t open) {
    size_t i = brace_next(p, open + 1);
    while (i < p.n && p.p[i] == ',') i = brace_next(p, i + 1);
    return i;
}

static bool any(str p, str s, int *left) {
    size_t open = brace_begin(p), end = open == p.n ? p.n : brace_end(p, open);
    if (end == p.n) return plain(p, s);
    bool found = false;
    for (size_t at = open; !found && at < end && --*left > 0;) {
        size_t next = brace_next(p, at + 1);
        buf one = {0};
        buf_str(&one, str_cut(p, open));
        buf_str(&one, str_n(p.p + at + 1, next - at - 1));
        buf_str(&one, str_from(p, end + 1));
        found = one.n <= LONGEST && any(buf_view(&one), s, left);
        buf_free(&one);
        at = next;
    }
    return found;
}

bool glob_matches(str pattern, str name) {
    int left = MOST;
    return any(pattern, name, &left);
}
