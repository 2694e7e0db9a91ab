/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to a checked request. llhttp finds the syntax, with all leniency off: it refuses bare
 * CR and LF, folded lines, blanks before a colon, control characters, malformed chunk sizes,
 * repeated Content-Length. What remains is checked here when the head is complete, because two
 * readers of the same bytes must never disagree on where a request ends (request smuggling):
 *
 *   Transfer-Encoding  only "chunked", once, in HTTP/1.1, without Content-Length     400
 *   Host               exactly one in HTTP/1.1, with the characters of a host        400
 *   target             /path, http(s)://host/path, or * with OPTIONS; no fragment    400
 *   version            1.0 or 1.1                                                    505
 *   method             the seven of the table below                                  501
 *
 * Bytes of a head are gathered in st->head: the target, then names (lower case) and values. Growing
 * may move them, so places are offsets until the head is complete.
 */
#include "net/http_int.h"

/* Bytes that carry no name or value: blanks, line ends, chunk extensions, trailers. */
#define SLACK (16u * 1024u)

static struct http_conn *conn_of(llhttp_t *p) { return p->data; }

/* Stops the parser; http_feed() answers with this status. */
static int stop(struct http_conn *hc, int status, const char *why) {
    hc->fail_status = status;
    hc->fail_why = why;
    return HPE_USER;
}

static int on_begin(llhttp_t *p) {
    struct http_conn *hc = conn_of(p);
    must(!hc->st);
    hc->st = http_stream_take(hc);
    return 0;
}

static int on_target(llhttp_t *p, const char *at, size_t n) {
    struct http_conn *hc = conn_of(p);
    http_stream *st = hc->st;
    if (st->target_n + n > hc->s->lim.max_target)
        return stop(hc, 414, "The request target is too long.");
    buf_add(&st->head, at, n);
    st->target_n += n;
    return 0;
}

static bool head_too_large(http_stream *st, size_t n) {
    return st->head.n - st->target_n + n > st->hc->s->lim.max_header_bytes;
}

static int on_name(llhttp_t *p, const char *at, size_t n) {
    struct http_conn *hc = conn_of(p);
    http_stream *st = hc->st;
    if (st->told) { /* a trailer: read past */
        st->trailer_n += n + 1;
        return st->trailer_n > SLACK ? stop(hc, 431, "The trailers are too large.") : 0;
    }
    if (head_too_large(st, n)) return stop(hc, 431, "The request's headers are too large.");
    if (!st->marks.n || st->in_value) {
        if (st->marks.n >= hc->s->lim.max_headers)
            return stop(hc, 431, "The request has too many headers.");
        vec_push(&st->marks, ((struct http_mark){.name = (uint32_t)st->head.n}));
        st->in_value = false;
    }
    char *to = buf_reserve(&st->head, n);
    for (size_t i = 0; i < n; i++) {
        char c = at[i];
        to[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    st->head.n += n;
    vec_last(&st->marks).name_n += (uint32_t)n;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n) {
    struct http_conn *hc = conn_of(p);
    http_stream *st = hc->st;
    if (st->told) {
        st->trailer_n += n;
        return st->trailer_n > SLACK ? stop(hc, 431, "The trailers are too large.") : 0;
    }
    if (head_too_large(st, n)) return stop(hc, 431, "The request's headers are too large.");
    if (!st->in_value) {
        st->in_value = true;
        vec_last(&st->marks).value = (uint32_t)st->head.n;
    }
    buf_add(&st->head, at, n);
    vec_last(&st->marks).value_n += (uint32_t)n;
    return 0;
}

static int on_extension(llhttp_t *p, const char *at, size_t n) {
    (void)at;
    struct http_conn *hc = conn_of(p);
    hc->st->trailer_n += n;
    return hc->st->trailer_n > SLACK ? stop(hc, 400, "The chunk extensions are too large.") : 0;
}

/* ---- the complete head ---- */

static void place_headers(http_stream *st) {
    struct http_request *r = &st->req;
    const char *base = st->head.p;
    vec_reserve(&st->headers, st->marks.n);
    for (size_t i = 0; i < st->marks.n; i++) {
        struct http_mark m = st->marks.p[i];
        str value = str_n(base + m.value, m.value_n);
        while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t')) value.n--;
        st->headers.p[i] = (struct http_header){str_n(base + m.name, m.name_n), value};
    }
    st->headers.n = st->marks.n;
    r->headers = st->headers.p;
    r->header_count = st->headers.n;
    r->target = str_n(base, st->target_n);
}

static bool host_ok(str host) {
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("/?#@\\<>\"{}|^`,;", c)) return false;
    }
    return true;
}

/* Splits the target into path and query; false if it is none of the forms that we take. */
static bool split_target(struct http_request *r, str *ret_authority) {
    str t = r->target;
    *ret_authority = STR_NONE;
    if (t.n == 0 || memchr(t.p, '#', t.n)) return false;
    if (t.p[0] != '/') {
        if (str_eq(t, STR("*"))) {
            r->path = t;
            return str_eq(r->method, STR("OPTIONS"));
        }
        size_t scheme = str_ieq(str_cut(t, 7), STR("http://"))    ? 7
                        : str_ieq(str_cut(t, 8), STR("https://")) ? 8
                                                                  : 0;
        if (!scheme) return false;
        t = str_from(t, scheme);
        size_t n = 0;
        while (n < t.n && t.p[n] != '/' && t.p[n] != '?') n++;
        *ret_authority = str_cut(t, n);
        if (n == 0 || !host_ok(*ret_authority)) return false;
        t = str_from(t, n);
    }
    const char *mark = t.n ? memchr(t.p, '?', t.n) : NULL;
    size_t path_n = mark ? (size_t)(mark - t.p) : t.n;
    r->path = path_n ? str_cut(t, path_n) : STR("/");
    r->query = mark ? str_from(t, path_n + 1) : STR("");
    return true;
}

struct framing {
    int hosts, lengths, encodings;
    bool encoding_ok;
};

static void look_at_header(http_stream *st, const struct http_header *h, struct framing *f) {
    switch (h->name.n) {
    case 4:
        if (memcmp(h->name.p, "host", 4) == 0) {
            f->hosts++;
            st->req.host = h->value;
        }
        break;
    case 6:
        if (memcmp(h->name.p, "expect", 6) == 0)
            st->expect = str_ieq(h->value, STR("100-continue"));
        break;
    case 14:
        if (memcmp(h->name.p, "content-length", 14) == 0) f->lengths++;
        break;
    case 17:
        if (memcmp(h->name.p, "transfer-encoding", 17) == 0) {
            f->encodings++;
            f->encoding_ok = str_ieq(h->value, STR("chunked"));
        }
        break;
    default:
        break;
    }
}

static bool method_known(unsigned m) {
    return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_POST || m == HTTP_PUT || m == HTTP_PATCH ||
           m == HTTP_DELETE || m == HTTP_OPTIONS;
}

static int check_head(llhttp_t *p, struct http_conn *hc) {
    http_stream *st = hc->st;
    struct http_request *r = &st->req;
    if (p->http_major != 1 || p->http_minor > 1)
        return stop(hc, 505, "HTTP/1.0 and HTTP/1.1 are spoken here.");
    if (!method_known(p->method)) return stop(hc, 501, "The request method is not known here.");
    r->method = str_of(llhttp_method_name(p->method));
    r->minor = p->http_minor;
    r->host = r->query = STR("");
    place_headers(st);
    struct framing f = {0};
    for (size_t i = 0; i < r->header_count; i++) look_at_header(st, &r->headers[i], &f);
    if (f.encodings && (f.encodings > 1 || !f.encoding_ok || f.lengths || r->minor == 0))
        return stop(hc, 400,
                    "Transfer-Encoding is chunked, once, in HTTP/1.1, without Content-Length.");
    if (f.lengths > 1) return stop(hc, 400, "Content-Length is given more than once.");
    if (f.hosts > 1 || (f.hosts == 0 && r->minor == 1) || !host_ok(r->host))
        return stop(hc, 400, "One valid Host header is needed.");
    str authority;
    if (!split_target(r, &authority)) return stop(hc, 400, "The request target is not valid.");
    if (authority.n) r->host = authority;
    if (f.lengths && p->content_length > INT64_MAX)
        return stop(hc, 400, "Content-Length is out of range.");
    r->content_length = f.encodings ? -1 : f.lengths ? (int64_t)p->content_length : 0;
    if (r->minor == 0 || r->content_length == 0) st->expect = false;
    r->expect_continue = st->expect;
    r->tls = hc->tls;
    r->peer = hc->peer;
    r->listener = hc->tag;
    return 0;
}

static int on_head(llhttp_t *p) {
    struct http_conn *hc = conn_of(p);
    http_stream *st = hc->st;
    http_server *s = hc->s;
    int rc = check_head(p, hc);
    if (rc) return rc;
    /* We stay with this protocol whatever a client offers: without this llhttp would stop here. */
    p->upgrade = 0;
    st->close = !llhttp_should_keep_alive(p) || hc->last || s->draining;
    st->told = true;
    hc->head_timed = false;
    s->stats.requests_total++;
    s->stats.streams++;
    s->h->on_request(st, &st->req, s->arg);
    if (hc->closing) return HPE_PAUSED;
    if (st->body_paused) return HPE_PAUSED;
    if (!st->head_sent) http_continue(st);
    return 0;
}

/* ---- the body ---- */

static int on_body(llhttp_t *p, const char *at, size_t n) {
    struct http_conn *hc = conn_of(p);
    http_stream *st = hc->st;
    http_server *s = hc->s;
    if (hc->closing) return HPE_PAUSED;
    if (!n) return 0; /* a span may be cut where nothing has come yet */
    st->body_got += (int64_t)n;
    hc->since = loop_now(net_loop(s->n));
    if (st->resp_done) { /* drained */
        hc->discarded += n;
        if (hc->discarded > s->lim.drain_limit) http_conn_end(hc, true);
        return hc->closing ? HPE_PAUSED : 0;
    }
    str piece = str_n(at, n);
    if (st->collect) {
        if (st->body_got > (int64_t)st->collect_max) {
            st->close = true;
            http_respond_err(st,
                             err_new(ERR_PAYLOAD_TOO_LARGE,
                                     "The body is over the limit of %zu bytes.", st->collect_max));
            return 0;
        }
        /* The whole body in one piece needs no copy. */
        if ((int64_t)n != st->req.content_length) {
            buf_str(&st->body, piece);
            return 0;
        }
    }
    s->h->on_body(st, piece, s->arg);
    return hc->closing || st->body_paused ? HPE_PAUSED : 0;
}

static int on_complete(llhttp_t *p) {
    struct http_conn *hc = conn_of(p);
    http_stream *st = hc->st;
    http_server *s = hc->s;
    if (hc->closing) return HPE_PAUSED;
    st->req_done = true;
    if (!st->resp_done && st->collect && st->body.n) s->h->on_body(st, buf_view(&st->body), s->arg);
    if (!st->resp_done && !hc->closing) s->h->on_body_end(st, s->arg);
    /* The next request is looked at when this one is answered. */
    return HPE_PAUSED;
}

const llhttp_settings_t http_parse_settings = {
    .on_message_begin = on_begin,
    .on_url = on_target,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};
