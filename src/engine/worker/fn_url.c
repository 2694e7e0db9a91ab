/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: their parts as java.net.URI reads them, percent encoding of forms. */
#include "engine/worker/fn_int.h"
#include "engine/worker/text.h"

static bool alpha(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool xdigit(char c) { return digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f'); }

/* Characters that a URI may hold; '%' needs two digits after it. `extra`: brackets, which only the host may have. */
static bool legal(str s, const char *extra) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c & 0x80 || alpha(c) || digit(c) || (c && (strchr("-_.!~*'(),;:$&+=/?@", c) || strchr(extra, c)))) continue;
        if (c == '%' && i + 2 < s.n && xdigit(s.p[i + 1]) && xdigit(s.p[i + 2])) continue;
        return false;
    }
    return true;
}

struct url { str scheme, authority, user, host, path, query, fragment; bool opaque; };

static void split_authority(struct url *u) {
    str a = u->authority;
    ptrdiff_t at = str_chr(a, '@', 0);
    str user = STR_NONE, host = a;
    if (at >= 0) {
        user = str_cut(a, (size_t)at);
        host = str_from(a, (size_t)at + 1);
    }
    size_t end = host.n;
    if (host.n && host.p[0] == '[') {
        ptrdiff_t close = str_chr(host, ']', 0);
        if (close < 0) return;
        end = (size_t)close + 1;
    } else {
        ptrdiff_t colon = str_chr(host, ':', 0);
        if (colon >= 0) end = (size_t)colon;
    }
    for (size_t i = end + 1; i < host.n; i++)
        if (!digit(host.p[i])) return; /* no port: the authority is only a registry's name */
    if (!end) return;
    for (size_t i = 0; host.p[0] != '[' && i < end; i++)
        if (!alpha(host.p[i]) && !digit(host.p[i]) && host.p[i] != '-' && host.p[i] != '.') return;
    u->user = user;
    u->host = str_cut(host, end);
}

static bool read_url(str s, struct url *u) {
    *u = (struct url){0};
    ptrdiff_t hash = str_chr(s, '#', 0);
    if (hash >= 0) {
        u->fragment = str_from(s, (size_t)hash + 1);
        s = str_cut(s, (size_t)hash);
        if (!legal(u->fragment, "[]")) return false;
    }
    size_t i = 0;
    while (i < s.n && (alpha(s.p[i]) || (i && (digit(s.p[i]) || strchr("+-.", s.p[i]))))) i++;
    if (i < s.n && s.p[i] == ':') {
        if (i == 0) return false;
        u->scheme = str_cut(s, i);
        s = str_from(s, i + 1);
        if (!s.n) return false;
        u->opaque = s.p[0] != '/';
    }
    if (u->opaque) return legal(s, "[]");
    ptrdiff_t q = str_chr(s, '?', 0);
    if (q >= 0) {
        u->query = str_from(s, (size_t)q + 1);
        s = str_cut(s, (size_t)q);
        if (!legal(u->query, "[]")) return false;
    }
    if (str_starts(s, STR("//"))) {
        ptrdiff_t slash = str_chr(s, '/', 2);
        size_t end = slash < 0 ? s.n : (size_t)slash;
        u->authority = str_n(s.p + 2, end - 2);
        u->path = str_from(s, end);
        if (!legal(u->authority, "[]")) return false;
        if (!u->authority.n) u->authority = STR_NONE;
        else split_authority(u);
    } else u->path = s;
    if (!u->path.p) u->path = str_n("", 0);
    return legal(u->path, "");
}

/* The value of a key in the query: what follows "key=" at its start or after '&'. */
static bool query_value(str q, str key, str *ret) {
    while (q.p) {
        ptrdiff_t amp = str_chr(q, '&', 0);
        str part = amp < 0 ? q : str_cut(q, (size_t)amp);
        if (str_starts(part, key) && part.n > key.n && part.p[key.n] == '=') {
            *ret = str_from(part, key.n + 1);
            return true;
        }
        if (amp < 0) break;
        q = str_from(q, (size_t)amp + 1);
    }
    return false;
}

/* parse_url(url, part[, key]); tag: try */
static void parse_url(struct fn_call *c) {
    str s = fn_str(c, 0), part = fn_str(c, 1), r = STR_NONE;
    struct url u;
    if (!read_url(s, &u)) {
        if (!c->def->tag) fn_fail_with(c, "INVALID_URL", (struct fn_param[]){{"url", s}}, 1);
        return;
    }
    if (c->n > 2) {
        if (str_eqz(part, "QUERY") && query_value(u.query, fn_str(c, 2), &r)) fn_ret_str(c, r);
        return;
    }
    if (str_eqz(part, "HOST")) r = u.host;
    else if (str_eqz(part, "PATH")) r = u.path;
    else if (str_eqz(part, "QUERY")) r = u.query;
    else if (str_eqz(part, "REF")) r = u.fragment;
    else if (str_eqz(part, "PROTOCOL")) r = u.scheme;
    else if (str_eqz(part, "AUTHORITY")) r = u.authority;
    else if (str_eqz(part, "USERINFO")) r = u.user;
    else if (str_eqz(part, "FILE")) {
        if (u.opaque) return;
        r = u.path;
        if (u.query.p) r = str_n(u.path.n ? u.path.p : u.query.p - 1, u.path.n + 1 + u.query.n); /* they lie side by side */
    }
    if (r.p) fn_ret_str(c, r);
}

static void url_encode(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c);
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (alpha(ch) || digit(ch) || (ch && strchr(".-*_", ch))) buf_c(b, ch);
        else if (ch == ' ') buf_c(b, '+');
        else buf_fmt(b, "%%%02X", (unsigned char)ch);
    }
    fn_ret_buf(c, b);
}

static int hex(char c) { return digit(c) ? c - '0' : (c | 32) - 'a' + 10; }

static void url_decode(struct fn_call *c) {
    str s = fn_str(c, 0);
    buf *b = fn_text(c), *valid;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '+') buf_c(b, ' ');
        else if (s.p[i] != '%') buf_c(b, s.p[i]);
        else if (i + 2 < s.n && xdigit(s.p[i + 1]) && xdigit(s.p[i + 2])) {
            buf_c(b, (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])));
            i += 2;
        } else {
            if (!c->def->tag) fn_fail_with(c, "CANNOT_DECODE_URL", (struct fn_param[]){{"url", s}}, 1);
            return;
        }
    }
    if (str_is_utf8(buf_view(b))) {
        fn_ret_buf(c, b);
        return;
    }
    valid = fn_tmp(c);
    text_utf8(valid, buf_view(b));
    fn_ret_buf(c, valid);
}

static const struct fn_def defs[] = {
    {"bh_parse_url", "ss:s", parse_url, 0, 0},
    {"bh_parse_url3", "sss:s", parse_url, 0, 0},
    {"bh_try_parse_url", "ss:s", parse_url, 0, 1},
    {"bh_try_parse_url3", "sss:s", parse_url, 0, 1},
    {"bh_url_encode", "s:s", url_encode, 0, 0},
    {"bh_url_decode", "s:s", url_decode, 0, 0},
    {"bh_try_url_decode", "s:s", url_decode, 0, 1},
};
const struct fn_table fn_table_url = {defs, ARRAY_LEN(defs)};
