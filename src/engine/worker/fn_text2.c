/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: case, encodings, checks, masks, distances, words. */
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "base/enc.h"
#include "engine/worker/fn_int.h"
#include "engine/worker/text.h"
#include "engine/worker/utf8.h"

/* ---- case ---- */

/* Letters whose other case is more than one letter, as Java maps them. */
static const struct { uint32_t from; const char *upper, *title; } wide[] = {
    {0xdf, "SS", "Ss"}, {0x149, "\xca\xbcN", "\xca\xbcN"}, {0x1f0, "J\xcc\x8c", "J\xcc\x8c"}, {0xfb00, "FF", "Ff"},
    {0xfb01, "FI", "Fi"}, {0xfb02, "FL", "Fl"}, {0xfb03, "FFI", "Ffi"}, {0xfb04, "FFL", "Ffl"}, {0xfb05, "ST", "St"}, {0xfb06, "ST", "St"},
};

static void put_upper(buf *b, uint32_t ch, bool title) {
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (wide[i].from == ch) {
            buf_z(b, title ? wide[i].title : wide[i].upper);
            return;
        }
    utf8_put(b, (uint32_t)(title ? utf8proc_totitle((utf8proc_int32_t)ch) : utf8proc_toupper((utf8proc_int32_t)ch)));
}

static bool is_letter(uint32_t ch) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)ch);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

/* Sigma at the end of a word has its own small form. */
static void put_lower(buf *b, str s, size_t at, size_t len, uint32_t ch) {
    if (ch == 0x130) buf_z(b, "i\xcc\x87");
    else if (ch == 0x3a3) {
        size_t n;
        bool before = false, after = at + len < s.n && is_letter(utf8_get(s, at + len, &n));
        if (at > 0) {
            size_t p = at - 1;
            while (p > 0 && ((unsigned char)s.p[p] & 0xc0) == 0x80) p--;
            before = is_letter(utf8_get(s, p, &n));
        }
        utf8_put(b, before && !after ? 0x3c2 : 0x3c3);
    } else utf8_put(b, (uint32_t)utf8proc_tolower((utf8proc_int32_t)ch));
}

static void upper(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t ch = utf8_get(s, i, &n);
        if (ch < 0x80) buf_c(b, (char)(ch >= 'a' && ch <= 'z' ? ch - 32 : ch));
        else put_upper(b, ch, false);
    }
    fn_ret_buf(c, b);
}

static void lower(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t ch = utf8_get(s, i, &n);
        if (ch < 0x80) buf_c(b, (char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch));
        else put_lower(b, s, i, n, ch);
    }
    fn_ret_buf(c, b);
}

static void initcap(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    bool first = true;
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t ch = utf8_get(s, i, &n);
        if (first) put_upper(b, ch, true);
        else put_lower(b, s, i, n, ch);
        first = ch == ' ';
    }
    fn_ret_buf(c, b);
}

/* ---- what comparisons of a collated string compare ---- */

static void collate_key(struct fn_call *c) {
    str s = fn_str(c, 0), name = fn_str(c, 1);
    bool rtrim = str_find(name, STR("RTRIM")) >= 0, ci = str_find(name, STR("_CI")) >= 0, ai = str_find(name, STR("_AI")) >= 0;
    bool lcase = str_starts(name, STR("UTF8_LCASE"));
    if (rtrim)
        while (s.n && s.p[s.n - 1] == ' ') s.n--;
    if (!lcase && !ci && !ai) {
        fn_ret_str(c, s);
        return;
    }
    if (lcase || !ai) {
        buf *b = fn_text(c);
        for (size_t i = 0, n; i < s.n; i += n) {
            uint32_t ch = utf8_get(s, i, &n);
            if (ci || lcase) utf8_put(b, (uint32_t)(ch == 0x3c2 ? 0x3c3 : (uint32_t)utf8proc_tolower((utf8proc_int32_t)ch)));
            else utf8_put(b, ch);
        }
        fn_ret_buf(c, b);
        return;
    }
    utf8proc_uint8_t *out = NULL;
    int flags = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_STRIPMARK | (ci ? UTF8PROC_CASEFOLD : 0);
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &out, (utf8proc_option_t)flags);
    if (n >= 0) fn_ret_str(c, str_n((const char *)out, (size_t)n));
    else fn_ret_str(c, s);
    free(out);
}

/* ---- character sets ---- */

enum charset { CS_NONE, CS_ASCII, CS_LATIN1, CS_UTF8, CS_UTF16, CS_UTF16BE, CS_UTF16LE, CS_UTF32 };

static enum charset charset_of(struct fn_call *c, str name, const char *function) {
    static const char *const names[] = {"", "US-ASCII", "ISO-8859-1", "UTF-8", "UTF-16", "UTF-16BE", "UTF-16LE", "UTF-32"};
    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, str_of(names[i]))) return (enum charset)i;
    fn_fail_with(c, "INVALID_PARAMETER_VALUE.CHARSET",
                 (struct fn_param[]){{"functionName", str_of(function)}, {"parameter", STR("`charset`")}, {"charset", name},
                                     {"charsets", STR("iso-8859-1, us-ascii, utf-16, utf-16be, utf-16le, utf-32, utf-8")}}, 4);
    return CS_NONE;
}

static void bad_coding(struct fn_call *c, const char *function, str charset) {
    fn_fail_with(c, "MALFORMED_CHARACTER_CODING", (struct fn_param[]){{"function", str_of(function)}, {"charset", charset}}, 2);
}

static void put_unit(buf *b, uint32_t v, size_t bytes, bool little) {
    for (size_t i = 0; i < bytes; i++) buf_c(b, (char)(v >> 8 * (little ? i : bytes - 1 - i)));
}

/* encode(string, charset) */
static void encode(struct fn_call *c) {
    str s = fn_str(c, 0);
    enum charset cs = charset_of(c, fn_str(c, 1), "`encode`");
    if (cs == CS_NONE) return;
    if (cs == CS_UTF8) {
        fn_ret_str(c, s);
        return;
    }
    buf *b = fn_text(c);
    if (cs == CS_UTF16) buf_add(b, "\xfe\xff", 2);
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t ch = utf8_get(s, i, &n);
        bool le = cs == CS_UTF16LE;
        if (cs <= CS_LATIN1) {
            if (ch > (cs == CS_ASCII ? 0x7fu : 0xffu)) {
                bad_coding(c, "`encode`", fn_str(c, 1));
                return;
            }
            buf_c(b, (char)ch);
        } else if (cs == CS_UTF32) put_unit(b, ch, 4, false);
        else if (ch >= 0x10000) {
            put_unit(b, 0xd800 + ((ch - 0x10000) >> 10), 2, le);
            put_unit(b, 0xdc00 + ((ch - 0x10000) & 0x3ff), 2, le);
        } else put_unit(b, ch, 2, le);
    }
    fn_ret_buf(c, b);
}

static uint32_t unit_at(str s, size_t at, size_t bytes, bool little) {
    uint32_t v = 0;
    for (size_t i = 0; i < bytes; i++) v |= (uint32_t)(unsigned char)s.p[at + i] << 8 * (little ? i : bytes - 1 - i);
    return v;
}

static bool decode_wide(str s, enum charset cs, buf *b) {
    bool le = cs == CS_UTF16LE;
    size_t unit = cs == CS_UTF32 ? 4 : 2, i = 0;
    if (s.n % unit) return false;
    if (cs == CS_UTF16 && s.n >= 2 && unit_at(s, 0, 2, false) == 0xfeff) i = 2;
    else if (cs == CS_UTF16 && s.n >= 2 && unit_at(s, 0, 2, false) == 0xfffe) le = true, i = 2;
    else if (cs == CS_UTF32 && s.n >= 4 && unit_at(s, 0, 4, false) == 0xfeff) i = 4;
    for (; i < s.n; i += unit) {
        uint32_t ch = unit_at(s, i, unit, le);
        if (unit == 2 && ch >= 0xd800 && ch < 0xdc00 && i + 4 <= s.n) {
            uint32_t low = unit_at(s, i + 2, 2, le);
            if (low < 0xdc00 || low > 0xdfff) return false;
            ch = 0x10000 + ((ch - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        if (ch > 0x10ffff || (ch >= 0xd800 && ch < 0xe000)) return false;
        utf8_put(b, ch);
    }
    return true;
}

/* decode(binary, charset) */
static void decode(struct fn_call *c) {
    str s = fn_str(c, 0);
    enum charset cs = charset_of(c, fn_str(c, 1), "`decode`");
    if (cs == CS_NONE) return;
    buf *b = fn_text(c);
    bool ok = true;
    if (cs == CS_UTF8) {
        ok = str_is_utf8(s);
        buf_str(b, s);
    } else if (cs <= CS_LATIN1) {
        for (size_t i = 0; ok && i < s.n; i++) {
            if (cs == CS_ASCII && (unsigned char)s.p[i] > 0x7f) ok = false;
            else utf8_put(b, (unsigned char)s.p[i]);
        }
    } else ok = decode_wide(s, cs, b);
    if (ok) fn_ret_buf(c, b);
    else bad_coding(c, "`decode`", fn_str(c, 1));
}

/* ---- checks of UTF-8 (on binary: strings are always well formed here) ---- */

static void is_valid_utf8(struct fn_call *c) { fn_ret_bool(c, str_is_utf8(fn_str(c, 0))); }

static void validate_utf8(struct fn_call *c) {
    str s = fn_str(c, 0);
    if (str_is_utf8(s)) {
        fn_ret_str(c, s);
        return;
    }
    if (c->def->tag) return;
    buf b = {0};
    for (size_t i = 0; i < s.n && i < 500; i++) buf_fmt(&b, "\\x%02X", (unsigned char)s.p[i]);
    fn_fail_with(c, "INVALID_UTF8_STRING", (struct fn_param[]){{"str", buf_view(&b)}}, 1);
    buf_free(&b);
}

/* ---- bases ---- */

static void base64(struct fn_call *c) {
    buf *b = fn_text(c);
    enc_base64(b, fn_str(c, 0));
    fn_ret_buf(c, b);
}

/* Java's MIME decoder: characters outside the alphabet are skipped, padding ends it. */
bool fn_mime_base64(str s, buf *out) {
    uint32_t v = 0;
    int bits = 0, count = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        int d = ch >= 'A' && ch <= 'Z' ? ch - 'A' : ch >= 'a' && ch <= 'z' ? ch - 'a' + 26 : ch >= '0' && ch <= '9' ? ch - '0' + 52 : ch == '+' ? 62 : ch == '/' ? 63 : -1;
        if (ch == '=') {
            if (count % 4 < 2) return false;
            break;
        }
        if (d < 0) continue;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        count++;
        if (bits >= 8) {
            bits -= 8;
            buf_c(out, (char)(v >> bits));
        }
    }
    return count % 4 != 1;
}

void fn_bad_conversion(struct fn_call *c, str s, const char *fmt, const char *suggestion) {
    buf b = {0};
    buf_c(&b, '\'');
    buf_str(&b, str_cut(s, 500));
    buf_c(&b, '\'');
    fn_fail_with(c, "CONVERSION_INVALID_INPUT",
                 (struct fn_param[]){{"str", buf_view(&b)}, {"fmt", str_of(fmt)}, {"targetType", STR("\"BINARY\"")}, {"suggestion", str_of(suggestion)}}, 4);
    buf_free(&b);
}

static void unbase64(struct fn_call *c) {
    buf *b = fn_text(c);
    if (fn_mime_base64(fn_str(c, 0), b)) fn_ret_buf(c, b);
    else fn_bad_conversion(c, fn_str(c, 0), "'BASE64'", "`try_to_binary`");
}

/* Base64 that to_binary accepts: the alphabet, blanks, padding where it belongs. */
static bool strict_base64(str s) {
    int count = 0, pad = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t' || ch == '\f') continue;
        if (ch == '=') {
            if (++pad > 2 || count % 4 < 2) return false;
            continue;
        }
        bool ok = (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '+' || ch == '/';
        if (!ok || pad) return false;
        count++;
    }
    int r = count % 4;
    return pad ? (r + pad) % 4 == 0 : r != 1;
}

static int hex_digit(char ch) { return ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : -1; }

/* An odd number of digits has a zero before it. */
static bool unhex_into(str s, buf *b) {
    size_t i = 0;
    if (s.n % 2) {
        int d = hex_digit(s.p[0]);
        if (d < 0) return false;
        buf_c(b, (char)d);
        i = 1;
    }
    for (; i < s.n; i += 2) {
        int hi = hex_digit(s.p[i]), lo = hex_digit(s.p[i + 1]);
        if (hi < 0 || lo < 0) return false;
        buf_c(b, (char)(hi << 4 | lo));
    }
    return true;
}

static void unhex(struct fn_call *c) {
    buf *b = fn_text(c);
    if (unhex_into(fn_str(c, 0), b)) fn_ret_buf(c, b);
}

/* to_binary(string, format); tag: try. A NULL format is NULL. */
static void to_binary(struct fn_call *c) {
    str s = fn_str(c, 0), f = fn_str(c, 1);
    buf *b = fn_text(c);
    bool hex = str_ieq(f, STR("hex")), b64 = str_ieq(f, STR("base64"));
    if (str_ieq(f, STR("utf-8")) || str_ieq(f, STR("utf8"))) {
        fn_ret_str(c, s);
        return;
    }
    if (!hex && !b64) {
        if (!c->def->tag)
            fn_fail_with(c, "INVALID_PARAMETER_VALUE.BINARY_FORMAT",
                         (struct fn_param[]){{"functionName", STR("`to_binary`")}, {"parameter", STR("`fmt`")}, {"invalidFormat", f}}, 3);
        return;
    }
    if (hex ? unhex_into(s, b) : strict_base64(s) && fn_mime_base64(s, b)) fn_ret_buf(c, b);
    else if (!c->def->tag) fn_bad_conversion(c, s, hex ? "'HEX'" : "'BASE64'", "`try_to_binary`");
}

static void hex_of(struct fn_call *c) {
    static const char digits[] = "0123456789ABCDEF";
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    for (size_t i = 0; i < s.n; i++) {
        buf_c(b, digits[(unsigned char)s.p[i] >> 4]);
        buf_c(b, digits[(unsigned char)s.p[i] & 15]);
    }
    fn_ret_buf(c, b);
}

/* ---- masks, checks, distances ---- */

/* mask(s, upper, lower, digit, other): a NULL letter leaves that kind as it is. */
static void mask(struct fn_call *c) {
    if (!fn_valid(c, 0)) return;
    str s = fn_str(c, 0), with[4];
    for (size_t k = 0; k < 4; k++) with[k] = fn_valid(c, k + 1) ? fn_str(c, k + 1) : STR_NONE;
    buf *b = fn_text(c);
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t ch = utf8_get(s, i, &n);
        utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)ch);
        size_t k = cat == UTF8PROC_CATEGORY_LU ? 0 : cat == UTF8PROC_CATEGORY_LL ? 1 : cat == UTF8PROC_CATEGORY_ND ? 2 : 3;
        if (with[k].p && with[k].n) buf_add(b, with[k].p, utf8_len(with[k], 0));
        else buf_add(b, s.p + i, n);
    }
    fn_ret_buf(c, b);
}

static void luhn_check(struct fn_call *c) {
    str s = fn_str(c, 0);
    int sum = 0;
    bool twice = false, ok = s.n > 0;
    for (size_t i = s.n; ok && i-- > 0; twice = !twice) {
        if (s.p[i] < '0' || s.p[i] > '9') ok = false;
        int d = (s.p[i] - '0') * (twice ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    fn_ret_bool(c, ok && sum % 10 == 0);
}

static void soundex(struct fn_call *c) {
    static const char code[] = "01230127022455012623017202";
    str s = fn_str(c, 0);
    if (!s.n || (s.p[0] | 32) < 'a' || (s.p[0] | 32) > 'z') {
        fn_ret_str(c, s);
        return;
    }
    char out[4] = {(char)(s.p[0] & ~32), '0', '0', '0'};
    char last = code[out[0] - 'A'];
    size_t n = 1;
    for (size_t i = 1; i < s.n && n < 4; i++) {
        char ch = (char)(s.p[i] & ~32);
        if (ch < 'A' || ch > 'Z') {
            last = '0';
            continue;
        }
        char k = code[ch - 'A'];
        /* H and W do not part equal codes; vowels do. */
        if (k == '7') continue;
        if (k != '0' && k != last) out[n++] = k;
        last = k;
    }
    fn_ret_str(c, str_n(out, 4));
}

static uint32_t *code_points(str s, size_t *ret_n) {
    uint32_t *out = malloc((s.n + 1) * sizeof(*out));
    must(out);
    size_t k = 0;
    for (size_t i = 0, n; i < s.n; i += n) out[k++] = utf8_get(s, i, &n);
    *ret_n = k;
    return out;
}

static void levenshtein(struct fn_call *c) {
    str a = fn_str(c, 0), b = fn_str(c, 1);
    int64_t limit = c->n > 2 ? fn_i32(c, 2) : INT64_MAX;
    if ((u128)a.n * b.n > (u128)1 << 34) {
        fn_fail(c, "FUNCTION_LIMIT_EXCEEDED", "message", "levenshtein: the strings are too long", NULL);
        return;
    }
    size_t na, nb;
    uint32_t *pa = code_points(a, &na), *pb = code_points(b, &nb);
    int32_t *row = malloc((nb + 1) * sizeof(*row));
    must(row);
    for (size_t j = 0; j <= nb; j++) row[j] = (int32_t)j;
    for (size_t i = 1; i <= na; i++) {
        int32_t diagonal = row[0];
        row[0] = (int32_t)i;
        for (size_t j = 1; j <= nb; j++) {
            int32_t up = row[j], best = diagonal + (pa[i - 1] != pb[j - 1]);
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = up;
        }
    }
    int32_t d = row[nb];
    fn_ret_i32(c, limit < 0 || d > limit ? -1 : d);
    free(row);
    free(pa);
    free(pb);
}

/* sentences(s): each sentence is one string of words parted by U+0001; the analyser's text splits them. */
static void sentences(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_tmp(c);
    bool in_word = false, money = false; /* what follows a currency's sign is no word */
    fn_list_begin(c);
    for (size_t i = 0, n = 1; i <= s.n; i += n) {
        uint32_t ch = i < s.n ? utf8_get(s, i, &n) : 0;
        bool word = ch && (is_letter(ch) || utf8proc_category((utf8proc_int32_t)ch) == UTF8PROC_CATEGORY_ND || ch == '_');
        /* An apostrophe, point or comma inside a word belongs to it. */
        if (!word && in_word && (ch == '\'' || ch == '.' || ch == ',') && i + 1 < s.n) {
            size_t m;
            uint32_t next = utf8_get(s, i + 1, &m);
            bool digit = next >= '0' && next <= '9' && s.p[i - 1] >= '0' && s.p[i - 1] <= '9';
            word = ch == '\'' || ch == '.' ? is_letter(next) || digit : digit;
        }
        bool end = ch == 0 || ((ch == '.' || ch == '!' || ch == '?') && !word && (i + 1 >= s.n || (unsigned char)s.p[i + 1] <= ' '));
        if (word && !in_word) money = i > 0 && s.p[i - 1] == '$';
        if (word && !money) {
            if (!in_word && b->n) buf_c(b, 1);
            utf8_put(b, ch);
        }
        in_word = word;
        if (end && b->n) {
            fn_list_str(c, buf_view(b));
            buf_clear(b);
        }
    }
    fn_list_end(c);
}

static const struct fn_def defs[] = {
    {"bh_upper", "s:s", upper, 0, 0},
    {"bh_lower", "s:s", lower, 0, 0},
    {"bh_initcap", "s:s", initcap, 0, 0},
    {"bh_collate_key", "ss:s", collate_key, 0, 0},
    {"bh_encode", "ss:b", encode, 0, 0},
    {"bh_decode", "bs:s", decode, 0, 0},
    {"bh_is_valid_utf8", "b:B", is_valid_utf8, 0, 0},
    {"bh_validate_utf8", "b:s", validate_utf8, 0, 0},
    {"bh_try_validate_utf8", "b:s", validate_utf8, 0, 1},
    {"bh_base64", "b:s", base64, 0, 0},
    {"bh_unbase64", "s:b", unbase64, 0, 0},
    {"bh_unhex", "s:b", unhex, 0, 0},
    {"bh_hex_b", "b:s", hex_of, 0, 0},
    {"bh_hex_s", "s:s", hex_of, 0, 0},
    {"bh_to_binary", "ss:b", to_binary, 0, 0},
    {"bh_try_to_binary", "ss:b", to_binary, 0, 1},
    {"bh_mask", "sssss:s", mask, FN_NULLS, 0},
    {"bh_luhn_check", "s:B", luhn_check, 0, 0},
    {"bh_soundex", "s:s", soundex, 0, 0},
    {"bh_levenshtein", "ss:i", levenshtein, 0, 0},
    {"bh_levenshtein3", "ssi:i", levenshtein, 0, 0},
    {"bh_sentences", "s:[s", sentences, 0, 0},
};
const struct fn_table fn_table_text2 = {defs, ARRAY_LEN(defs)};
