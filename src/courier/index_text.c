/* SPDX-License-Identifier: Apache-2.0 */
#include "courier/index_text.h"

#include <string.h>

#define INSIDE "/-/"

static bool host_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

/* Printable and without what ends a word, a line or a quoted link. */
static bool url_char(char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '<' && c != '>' && c != '\\' && c != '#';
}

/* host and rest of what follows the scheme. */
static bool split(str s, str scheme, struct index_url *ret) {
    size_t n = 0;
    while (n < s.n && host_char(s.p[n])) n++;
    *ret = (struct index_url){scheme, str_cut(s, n), str_from(s, n)};
    if (n == 0 || n > 255 || (ret->rest.n && ret->rest.p[0] != '/')) return false;
    for (size_t i = 0; i < ret->rest.n; i++)
        if (!url_char(ret->rest.p[i])) return false;
    return true;
}

bool index_url_read(str url, struct index_url *ret) {
    if (str_starts(url, STR("https://"))) return split(str_from(url, 8), STR("https"), ret);
    if (str_starts(url, STR("http://"))) return split(str_from(url, 7), STR("http"), ret);
    return false;
}

bool index_same_origin(const struct index_url *a, const struct index_url *b) {
    return str_eq(a->scheme, b->scheme) && str_ieq(a->host, b->host);
}

void index_url_put(buf *b, const struct index_url *u) {
    buf_str(b, u->scheme);
    buf_z(b, "://");
    buf_str(b, u->host);
    buf_str(b, u->rest);
}

void index_url_put_inside(buf *b, const struct index_url *u) {
    buf_z(b, INSIDE);
    buf_str(b, u->scheme);
    buf_c(b, '/');
    buf_str(b, u->host);
    buf_str(b, u->rest);
}

static bool read_inside(str path, struct index_url *ret) {
    if (!str_starts(path, STR(INSIDE))) return false;
    path = str_from(path, strlen(INSIDE));
    if (str_starts(path, STR("https/"))) return split(str_from(path, 6), STR("https"), ret);
    if (str_starts(path, STR("http/"))) return split(str_from(path, 5), STR("http"), ret);
    return false;
}

/* ---- requests ---- */

static bool next_line(str *rest, str *line) {
    for (size_t i = 0; i + 1 < rest->n; i++)
        if (rest->p[i] == '\r' && rest->p[i + 1] == '\n') {
            *line = str_cut(*rest, i);
            *rest = str_from(*rest, i + 2);
            return true;
        }
    return false;
}

static bool header_is(str line, const char *name, str *ret) {
    ptrdiff_t colon = str_chr(line, ':', 0);
    if (colon < 0 || !str_ieq(str_cut(line, (size_t)colon), str_of(name))) return false;
    *ret = str_trim(str_from(line, (size_t)colon + 1));
    return true;
}

err *index_read_ask(str head, struct index_ask *ret) {
    *ret = (struct index_ask){0};
    str line;
    if (head.n > INDEX_HEAD_MAX || !next_line(&head, &line))
        return err_new(ERR_MALFORMED_REQUEST, "the request has no first line");
    if (str_starts(line, STR("HEAD "))) {
        ret->head_only = true;
        line = str_from(line, 5);
    } else if (str_starts(line, STR("GET "))) {
        line = str_from(line, 4);
    } else {
        return err_new(ERR_MALFORMED_REQUEST, "only GET and HEAD reach a package index");
    }
    ptrdiff_t blank = str_chr(line, ' ', 0);
    if (blank < 0 || !str_starts(str_from(line, (size_t)blank + 1), STR("HTTP/1.")))
        return err_new(ERR_MALFORMED_REQUEST, "the request is not of HTTP/1");
    if (!read_inside(str_cut(line, (size_t)blank), &ret->url))
        return err_new(ERR_MALFORMED_REQUEST, "the address does not name a package index");
    while (next_line(&head, &line) && line.n) {
        str v;
        for (size_t i = 0; i < line.n; i++)
            if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t')
                return err_new(ERR_MALFORMED_REQUEST, "a header has a control character");
        if (header_is(line, "accept", &v)) ret->accept = v;
        if (header_is(line, "range", &v)) ret->range = v;
    }
    return NULL;
}

/* ---- pages ---- */

void index_turn_link(str link, const struct index_url *at, buf *out,
                     void (*seen)(void *arg, const struct index_url *u), void *arg) {
    ptrdiff_t hash = str_chr(link, '#', 0); /* #sha256=… stays with the reader */
    str plain = hash < 0 ? link : str_cut(link, (size_t)hash);
    struct index_url u;
    if (index_url_read(plain, &u)) {
        if (seen) seen(arg, &u);
        index_url_put_inside(out, &u);
    } else if (str_starts(plain, STR("//")) && split(str_from(plain, 2), at->scheme, &u)) {
        if (seen) seen(arg, &u);
        index_url_put_inside(out, &u);
    } else if (str_starts(plain, STR("/")) && !str_starts(plain, STR("//"))) {
        index_url_put_inside(out, &(struct index_url){at->scheme, at->host, plain});
    } else {
        buf_str(out, plain); /* relative to the page, whose place inside is like its own */
    }
    if (hash >= 0) buf_str(out, str_from(link, (size_t)hash));
}

static size_t blanks(str s, size_t i) {
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r')) i++;
    return i;
}

/* Where a link's text begins if an attribute href or a member "url" begins at i; its closing quote. */
static size_t link_at(str s, size_t i, char *ret_quote) {
    str rest = str_from(s, i);
    bool json = str_starts(rest, STR("\"url\""));
    if (!json && !str_ieq(str_cut(rest, 4), STR("href"))) return 0;
    i = blanks(s, i + (json ? 5 : 4));
    if (i >= s.n || s.p[i] != (json ? ':' : '=')) return 0;
    i = blanks(s, i + 1);
    if (i >= s.n || (s.p[i] != '"' && (json || s.p[i] != '\''))) return 0;
    *ret_quote = s.p[i];
    return i + 1;
}

void index_turn_page(str page, const struct index_url *at, buf *out,
                     void (*seen)(void *arg, const struct index_url *u), void *arg) {
    size_t from = 0;
    for (size_t i = 0; i < page.n; i++) {
        char c = page.p[i], quote;
        if (c != '"' && c != 'h' && c != 'H') continue;
        size_t begin = link_at(page, i, &quote);
        if (!begin) continue;
        ptrdiff_t end = str_chr(page, quote, begin);
        if (end < 0) break;
        buf_str(out, str_cut(str_from(page, from), begin - from));
        index_turn_link(str_cut(str_from(page, begin), (size_t)end - begin), at, out, seen, arg);
        from = (size_t)end;
        i = (size_t)end;
    }
    buf_str(out, str_from(page, from));
}
