/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: parts, padding, trimming, searching. Positions count characters from 1; binary ones count bytes. */
#include <stdio.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/utf8.h"

/* A row's tag: is the argument binary? Then a character is a byte. */
static bool binary(const struct fn_call *c) { return c->def->tag & 1; }
static size_t count(const struct fn_call *c, str s) { return binary(c) ? s.n : utf8_count(s); }
static size_t bytes(const struct fn_call *c, str s, int64_t chars) {
    if (chars <= 0) return 0;
    if (binary(c)) return (uint64_t)chars < s.n ? (size_t)chars : s.n;
    return utf8_bytes(s, (size_t)chars);
}

/* More text than a function makes: the statement ends instead of the process. */
static bool too_long(struct fn_call *c, u128 n) {
    if (n <= FN_TEXT_MAX) return false;
    fn_fail(c, "COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION", "functionName", "a string function", "numberOfElements", "", "maxRoundedArrayLength", "67108864", "parameter", "length", NULL);
    return true;
}

static void ascii(struct fn_call *c) {
    str s = fn_str(c, 0);
    size_t len;
    fn_ret_i32(c, s.n ? (int32_t)utf8_get(s, 0, &len) : 0);
}

static void chr(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    buf *b = fn_text(c);
    if (v >= 0) utf8_put(b, (uint32_t)(v & 0xff));
    fn_ret_buf(c, b);
}

/* substring(s, pos, len): pos 0 is as 1, negative counts from the end; what lies before the start shortens it. */
static str slice(const struct fn_call *c, str s, int32_t pos, int64_t len) {
    int64_t n = 0, start, end;
    if (len <= 0) return str_n(s.p, 0);
    if (pos < 0) n = (int64_t)count(c, s);
    start = pos > 0 ? pos - 1 : pos < 0 ? n + pos : 0;
    end = start + len;
    if (start < 0) start = 0;
    if (end <= start) return str_n(s.p, 0);
    size_t from = bytes(c, s, start);
    str rest = str_from(s, from);
    return str_cut(rest, bytes(c, rest, end - start));
}

static void substring(struct fn_call *c) { fn_ret_str(c, slice(c, fn_str(c, 0), fn_i32(c, 1), c->n > 2 ? fn_i32(c, 2) : INT32_MAX)); }
static void left(struct fn_call *c) { fn_ret_str(c, slice(c, fn_str(c, 0), 1, fn_i32(c, 1))); }
static void right(struct fn_call *c) {
    int32_t n = fn_i32(c, 1);
    str s = fn_str(c, 0);
    if (n <= 0) fn_ret_str(c, str_n("", 0));
    else fn_ret_str(c, slice(c, s, n == INT32_MIN ? INT32_MIN : -n, INT32_MAX));
}

static void substring_index(struct fn_call *c) {
    str s = fn_str(c, 0), d = fn_str(c, 1);
    int64_t n = fn_i32(c, 2);
    if (n == 0 || d.n == 0) {
        fn_ret_str(c, str_n("", 0));
        return;
    }
    if (n > 0) {
        size_t at = 0;
        for (; at + d.n <= s.n; at++)
            if (memcmp(s.p + at, d.p, d.n) == 0) {
                if (--n == 0) break;
                at += d.n - 1;
            }
        fn_ret_str(c, n == 0 ? str_cut(s, at) : s);
        return;
    }
    /* From the end, occurrences may overlap those before: each search begins one byte before the last find. */
    for (ptrdiff_t at = (ptrdiff_t)s.n - (ptrdiff_t)d.n; at >= 0; at--)
        if (memcmp(s.p + at, d.p, d.n) == 0 && ++n == 0) {
            fn_ret_str(c, str_from(s, (size_t)at + d.n));
            return;
        }
    fn_ret_str(c, s);
}

static void pad(struct fn_call *c) {
    str s = fn_str(c, 0), p = fn_str(c, 2);
    int64_t want = fn_i32(c, 1);
    int64_t have = (int64_t)count(c, s);
    if (want <= have || p.n == 0) {
        fn_ret_str(c, str_cut(s, want <= 0 ? 0 : bytes(c, s, want)));
        return;
    }
    int64_t missing = want - have, unit = (int64_t)count(c, p);
    if (too_long(c, (u128)s.n + ((u128)missing / (u128)unit + 1) * p.n)) return;
    bool at_left = c->def->tag & 2;
    buf *b = fn_text(c);
    if (!at_left) buf_str(b, s);
    for (int64_t i = 0; i < missing / unit; i++) buf_str(b, p);
    buf_str(b, str_cut(p, bytes(c, p, missing % unit)));
    if (at_left) buf_str(b, s);
    fn_ret_buf(c, b);
}

static void repeat(struct fn_call *c) {
    str s = fn_str(c, 0);
    int64_t n = fn_i32(c, 1) < 0 ? 0 : fn_i32(c, 1);
    if (too_long(c, (u128)s.n * (u128)n)) return;
    buf *b = fn_text(c);
    if (s.n)
        for (int64_t i = 0; i < n; i++) buf_str(b, s);
    fn_ret_buf(c, b);
}

static void space(struct fn_call *c) {
    int64_t n = fn_i32(c, 0) < 0 ? 0 : fn_i32(c, 0);
    if (too_long(c, (u128)n)) return;
    buf *b = fn_text(c);
    if (n && buf_reserve(b, (size_t)n)) {
        memset(b->p + b->n, ' ', (size_t)n);
        b->n += (size_t)n;
    }
    fn_ret_buf(c, b);
}

/* ---- trimming: tag bit 2 left, bit 4 right ---- */

static bool has_char(str set, str ch) {
    for (size_t i = 0, n; i < set.n; i += n) {
        n = utf8_len(set, i);
        if (n == ch.n && memcmp(set.p + i, ch.p, n) == 0) return true;
    }
    return false;
}

static void trim(struct fn_call *c) {
    str s = fn_str(c, 0), set = c->n > 1 ? fn_str(c, 1) : STR(" ");
    if (c->def->tag & 2)
        while (s.n) {
            size_t n = utf8_len(s, 0);
            if (!has_char(set, str_cut(s, n))) break;
            s = str_from(s, n);
        }
    if (c->def->tag & 4)
        while (s.n) {
            size_t from = s.n - 1;
            while (from > 0 && ((unsigned char)s.p[from] & 0xc0) == 0x80) from--;
            if (!has_char(set, str_from(s, from))) break;
            s.n = from;
        }
    fn_ret_str(c, s);
}

/* ---- searching ---- */

static ptrdiff_t find(str s, str what, size_t from) {
    if (from > s.n) return -1;
    ptrdiff_t at = str_find(str_from(s, from), what);
    return at < 0 ? -1 : at + (ptrdiff_t)from;
}

static void instr(struct fn_call *c) {
    str s = fn_str(c, 0);
    ptrdiff_t at = fn_str(c, 1).n ? find(s, fn_str(c, 1), 0) : 0;
    fn_ret_i32(c, at < 0 ? 0 : (int32_t)utf8_count(str_cut(s, (size_t)at)) + 1);
}

/* locate(what, in, pos): NULL position is 0, and before 1 nothing is found. */
static void locate(struct fn_call *c) {
    if (!fn_valid(c, 2)) {
        fn_ret_i32(c, 0);
        return;
    }
    if (!fn_valid(c, 0) || !fn_valid(c, 1)) return;
    str what = fn_str(c, 0), s = fn_str(c, 1);
    int32_t pos = fn_i32(c, 2);
    if (pos < 1) fn_ret_i32(c, 0);
    else if (what.n == 0) fn_ret_i32(c, 1);
    else {
        size_t chars = utf8_count(s), from = utf8_bytes(s, (size_t)pos - 1);
        ptrdiff_t at = (size_t)pos > chars ? -1 : find(s, what, from);
        fn_ret_i32(c, at < 0 ? 0 : (int32_t)utf8_count(str_cut(s, (size_t)at)) + 1);
    }
}

static void contains_b(struct fn_call *c) { fn_ret_bool(c, fn_str(c, 1).n == 0 || str_find(fn_str(c, 0), fn_str(c, 1)) >= 0); }
static void starts_b(struct fn_call *c) { fn_ret_bool(c, str_starts(fn_str(c, 0), fn_str(c, 1))); }
static void ends_b(struct fn_call *c) { fn_ret_bool(c, str_ends(fn_str(c, 0), fn_str(c, 1))); }

static void find_in_set(struct fn_call *c) {
    str what = fn_str(c, 0), rest = fn_str(c, 1);
    int32_t i = 1, found = 0;
    if (str_chr(what, ',', 0) < 0)
        for (;; i++) {
            ptrdiff_t comma = str_chr(rest, ',', 0);
            str part = comma < 0 ? rest : str_cut(rest, (size_t)comma);
            if (str_eq(part, what)) {
                found = i;
                break;
            }
            if (comma < 0) break;
            rest = str_from(rest, (size_t)comma + 1);
        }
    fn_ret_i32(c, found);
}

/* like_pattern(pattern, escape): the pattern, if each escape stands before itself, '%' or '_' */
static void like_pattern(struct fn_call *c) {
    str p = fn_str(c, 0), e = fn_str(c, 1);
    for (size_t i = 0; e.n == 1 && i < p.n; i++) {
        if (p.p[i] != e.p[0]) continue;
        char next[2] = {i + 1 < p.n ? p.p[i + 1] : 0, 0};
        i++;
        if (next[0] && (next[0] == e.p[0] || next[0] == '%' || next[0] == '_')) continue;
        fn_fail_with(c, next[0] ? "INVALID_FORMAT.ESC_IN_THE_MIDDLE" : "INVALID_FORMAT.ESC_AT_THE_END",
                     (struct fn_param[]){{"format", p}, {"char", str_of(next)}}, 2);
        return;
    }
    fn_ret_str(c, p);
}

/* ---- replacing ---- */

static void replace(struct fn_call *c) {
    str s = fn_str(c, 0), what = fn_str(c, 1), with = fn_str(c, 2);
    if (!what.n || str_find(s, what) < 0) {
        fn_ret_str(c, s);
        return;
    }
    buf *b = fn_text(c);
    size_t from = 0;
    for (ptrdiff_t at; (at = find(s, what, from)) >= 0; from = (size_t)at + what.n) {
        buf_add(b, s.p + from, (size_t)at - from);
        buf_str(b, with);
    }
    buf_str(b, str_from(s, from));
    fn_ret_buf(c, b);
}

/* Each character of `from` becomes that at its place in `to`, or goes. The first of equal ones counts. */
static void translate(struct fn_call *c) {
    str s = fn_str(c, 0), from = fn_str(c, 1), to = fn_str(c, 2);
    buf *b = fn_text(c);
    for (size_t i = 0, n; i < s.n; i += n) {
        n = utf8_len(s, i);
        size_t f = 0, t = 0, fn = 0, tn;
        bool found = false;
        for (; f < from.n; f += fn) {
            fn = utf8_len(from, f);
            tn = t < to.n ? utf8_len(to, t) : 0;
            if (fn == n && memcmp(from.p + f, s.p + i, n) == 0) {
                if (tn) buf_add(b, to.p + t, tn);
                found = true;
                break;
            }
            t += tn;
        }
        if (!found) buf_add(b, s.p + i, n);
    }
    fn_ret_buf(c, b);
}

/* overlay(s, r, pos, len): len < 0 is r's length. */
static void overlay(struct fn_call *c) {
    str s = fn_str(c, 0), r = fn_str(c, 1);
    int64_t pos = fn_i32(c, 2), len = fn_i32(c, 3);
    if (len < 0) len = (int64_t)count(c, r);
    buf *b = fn_text(c);
    buf_str(b, slice(c, s, 1, pos - 1));
    buf_str(b, r);
    int64_t rest = pos + len;
    buf_str(b, slice(c, s, rest > INT32_MAX ? INT32_MAX : rest < INT32_MIN ? INT32_MIN : (int32_t)rest, INT32_MAX));
    fn_ret_buf(c, b);
}

static void reverse(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    for (size_t end = s.n; end > 0;) {
        size_t from = end - 1;
        while (!binary(c) && from > 0 && ((unsigned char)s.p[from] & 0xc0) == 0x80) from--;
        buf_add(b, s.p + from, end - from);
        end = from;
    }
    fn_ret_buf(c, b);
}

static void quote(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    buf_c(b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_c(b, '\\');
        buf_c(b, s.p[i]);
    }
    buf_c(b, '\'');
    fn_ret_buf(c, b);
}

/* ---- lists ---- */

static void split_part(struct fn_call *c) {
    str s = fn_str(c, 0), d = fn_str(c, 1);
    int64_t n = fn_i32(c, 2), parts = 1;
    if (n == 0) {
        fn_fail(c, "INVALID_INDEX_OF_ZERO", NULL);
        return;
    }
    if (d.n)
        for (ptrdiff_t at = find(s, d, 0); at >= 0; at = find(s, d, (size_t)at + d.n)) parts++;
    if (n < 0) n += parts + 1;
    if (n < 1 || n > parts) {
        fn_ret_str(c, str_n("", 0));
        return;
    }
    size_t from = 0;
    for (int64_t i = 1; i < n; i++) from = (size_t)find(s, d, from) + d.n;
    ptrdiff_t end = d.n ? find(s, d, from) : -1;
    fn_ret_str(c, end < 0 ? str_from(s, from) : str_n(s.p + from, (size_t)end - from));
}

/* elt(n, s…): tag: binary */
static void elt(struct fn_call *c) {
    if (!fn_valid(c, 0)) return;
    int32_t n = fn_i32(c, 0);
    if (n < 1 || (size_t)n >= c->n) {
        char at[16], size[24];
        snprintf(at, sizeof(at), "%d", n);
        snprintf(size, sizeof(size), "%zu", c->n - 1);
        fn_fail(c, "INVALID_ARRAY_INDEX", "indexValue", at, "arraySize", size, NULL);
    } else if (fn_valid(c, (size_t)n)) fn_ret_str(c, fn_str(c, (size_t)n));
}

/* concat_ws(separator, list): NULL elements are left out. */
static void concat_ws(struct fn_call *c) {
    str sep = fn_str(c, 0);
    duckdb_list_entry e = ((const duckdb_list_entry *)c->arg[1].data)[c->row];
    duckdb_vector child = duckdb_list_vector_get_child(c->arg[1].vec);
    const duckdb_string_t *s = duckdb_vector_get_data(child);
    const uint64_t *valid = duckdb_vector_get_validity(child);
    buf *b = fn_text(c);
    bool any = false;
    for (idx_t i = e.offset; i < e.offset + e.length; i++) {
        if (valid && !(valid[i >> 6] >> (i & 63) & 1)) continue;
        if (any) buf_str(b, sep);
        buf_str(b, fn_str_of(&s[i]));
        any = true;
    }
    fn_ret_buf(c, b);
}

#define TEXT_AND_BINARY(name, sig_s, sig_b, f, tag) {name, sig_s, f, 0, tag}, {name "_b", sig_b, f, 0, (tag) | 1}
static const struct fn_def defs[] = {
    {"bh_ascii", "s:i", ascii, 0, 0},
    {"bh_chr", "l:s", chr, 0, 0},
    TEXT_AND_BINARY("bh_substring", "si:s", "bi:b", substring, 0),
    TEXT_AND_BINARY("bh_substring3", "sii:s", "bii:b", substring, 0),
    TEXT_AND_BINARY("bh_left", "si:s", "bi:b", left, 0),
    {"bh_right", "si:s", right, 0, 0},
    {"bh_substring_index", "ssi:s", substring_index, 0, 0},
    TEXT_AND_BINARY("bh_lpad", "sis:s", "bib:b", pad, 2),
    TEXT_AND_BINARY("bh_rpad", "sis:s", "bib:b", pad, 0),
    {"bh_repeat", "si:s", repeat, 0, 0},
    {"bh_space", "i:s", space, 0, 0},
    {"bh_trim", "s:s", trim, 0, 6},
    {"bh_ltrim", "s:s", trim, 0, 2},
    {"bh_rtrim", "s:s", trim, 0, 4},
    {"bh_trim_set", "ss:s", trim, 0, 6},
    {"bh_ltrim_set", "ss:s", trim, 0, 2},
    {"bh_rtrim_set", "ss:s", trim, 0, 4},
    {"bh_instr", "ss:i", instr, 0, 0},
    {"bh_locate", "ssi:i", locate, FN_NULLS, 0},
    {"bh_contains_b", "bb:B", contains_b, 0, 0},
    {"bh_starts_b", "bb:B", starts_b, 0, 0},
    {"bh_ends_b", "bb:B", ends_b, 0, 0},
    {"bh_find_in_set", "ss:i", find_in_set, 0, 0},
    {"bh_like_pattern", "ss:s", like_pattern, 0, 0},
    {"bh_replace", "sss:s", replace, 0, 0},
    {"bh_translate", "sss:s", translate, 0, 0},
    TEXT_AND_BINARY("bh_overlay", "ssii:s", "bbii:b", overlay, 0),
    TEXT_AND_BINARY("bh_reverse", "s:s", "b:b", reverse, 0),
    {"bh_quote", "s:s", quote, 0, 0},
    {"bh_split_part", "ssi:s", split_part, 0, 0},
    {"bh_elt", "is*:s", elt, FN_NULLS, 0},
    {"bh_elt_b", "ib*:b", elt, FN_NULLS, 0},
    {"bh_concat_ws", "s[s:s", concat_ws, 0, 0},
};
const struct fn_table fn_table_text = {defs, ARRAY_LEN(defs)};
