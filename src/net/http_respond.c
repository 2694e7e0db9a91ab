/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers. How the end of a body is told:
 *
 *   request     whole body known   length given by the handler   neither
 *   HTTP/1.1    Content-Length     Content-Length                chunked
 *   HTTP/1.0    Content-Length     Content-Length                close
 *
 * HEAD, 204, 304 and 1xx have none; 204 and 1xx have no Content-Length either.
 */
#include <stdio.h>

#include "base/time.h"
#include "net/http_int.h"
#include "sys/clock.h"

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == status) return rows[i].reason;
    return "";
}

static void add_number(buf *b, uint64_t v) {
    char text[20];
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_add(b, text + at, sizeof(text) - at);
}

static void add_status(buf *b, int status) {
    if (status == 200) {
        buf_str(b, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    buf_str(b, STR("HTTP/1.1 "));
    add_number(b, (uint64_t)status);
    buf_c(b, ' ');
    buf_z(b, http_reason(status));
    buf_str(b, STR("\r\n"));
}

static void add_date(http_server *s, buf *b) {
    /* Half a second of staleness costs one clock reading in thousands of answers. */
    int64_t now = loop_now(net_loop(s->n));
    if (now - s->date_at >= US_PER_S / 2) {
        char text[30];
        time_http_date(clock_now(), text);
        snprintf(s->date, sizeof(s->date), "Date: %s\r\n", text);
        s->date_at = now;
    }
    buf_z(b, s->date);
}

/* Line breaks would let a value write headers of its own; what cannot stand there becomes a blank.
 */
static void add_safe(buf *b, str s, bool name) {
    size_t from = b->n;
    buf_str(b, s);
    for (size_t i = from; i < b->n; i++) {
        unsigned char c = (unsigned char)b->p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) b->p[i] = ' ';
        if (name && (c <= ' ' || c == ':' || c == 0x7f)) b->p[i] = '-';
    }
}

static void add_headers(http_stream *st, buf *b, const struct http_header *h, size_t n,
                        bool own_length) {
    for (size_t i = 0; i < n; i++) {
        str name = h[i].name;
        if (str_ieq(name, STR("content-length"))) {
            int64_t v;
            if (own_length || !str_to_i64(h[i].value, &v) || v < 0) continue;
            st->promised = v;
        } else if (str_ieq(name, STR("transfer-encoding"))) {
            continue;
        } else if (str_ieq(name, STR("connection"))) {
            if (str_ieq(h[i].value, STR("close"))) st->close = true;
            continue;
        }
        add_safe(b, name, true);
        buf_str(b, STR(": "));
        add_safe(b, h[i].value, false);
        buf_str(b, STR("\r\n"));
    }
}

void http_continue(http_stream *st) {
    if (!st->expect) return;
    st->expect = false;
    conn_write(st->hc->c, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* Will the connection have to be closed because of a body that nobody reads? An answer that is not
 * whole yet may go along with reading. */
static void judge_unread(http_stream *st, bool whole) {
    int64_t length = st->req.content_length;
    if (st->req_done || length == 0) return;
    /* A client that waits for 100 may or may not send its body now: only closing is unambiguous. */
    if (st->expect) st->close = true;
    int64_t unread = length - st->body_got;
    if (whole && length > 0 && unread > (int64_t)st->hc->s->lim.drain_limit) st->close = true;
    st->expect = false;
}

str http_make_head(http_stream *st, int status, const struct http_header *headers, size_t n,
                   int64_t length) {
    struct http_conn *hc = st->hc;
    buf *b = &hc->s->scratch;
    must(status >= 200 && status <= 599);
    st->no_body = str_eq(st->req.method, STR("HEAD")) || status == 204 || status == 304;
    bool keep_given = length < 0 || (st->no_body && length == 0);
    judge_unread(st, length >= 0);
    if (hc->last) st->close = true;
    buf_clear(b);
    add_status(b, status);
    add_headers(st, b, headers, n, !keep_given || status == 204);
    if (st->promised < 0 && length >= 0 && !(st->no_body && (length == 0 || status == 204))) {
        st->promised = length;
        buf_str(b, STR("Content-Length: "));
        add_number(b, (uint64_t)length);
        buf_str(b, STR("\r\n"));
    } else if (st->promised < 0 && !st->no_body) {
        if (st->req.minor == 1) {
            st->chunked = true;
            buf_str(b, STR("Transfer-Encoding: chunked\r\n"));
        } else {
            st->close = true;
        }
    }
    add_date(hc->s, b);
    if (st->close)
        buf_str(b, STR("Connection: close\r\n"));
    else if (st->req.minor == 0)
        buf_str(b, STR("Connection: keep-alive\r\n"));
    buf_str(b, STR("\r\n"));
    st->head_sent = true;
    return buf_view(b);
}

void http_finish_answer(http_stream *st) {
    struct http_conn *hc = st->hc;
    st->resp_done = true;
    if (!hc->feeding) http_settle(hc);
}

void http_put_body(http_stream *st, str piece) {
    conn *c = st->hc->c;
    if (st->no_body || !piece.n) return;
    /* More than was promised would be read as the next answer. */
    if (st->promised >= 0) piece = str_cut(piece, (size_t)(st->promised - st->sent));
    st->sent += (int64_t)piece.n;
    if (!st->chunked) {
        conn_write(c, piece);
        return;
    }
    char size[24];
    int n = snprintf(size, sizeof(size), "%zx\r\n", piece.n);
    conn_write2(c, str_n(size, (size_t)n), piece);
    conn_write(c, STR("\r\n"));
}

void http_respond(http_stream *st, int status, const struct http_header *headers, size_t n,
                  str body, bool end) {
    must_magic(st, HTTP_STREAM_MAGIC);
    must(st->told && !st->head_sent);
    str head = http_make_head(st, status, headers, n, end ? (int64_t)body.n : -1);
    if (end) {
        if (st->no_body) body = STR_NONE;
        st->sent = (int64_t)body.n;
        conn_write2(st->hc->c, head, body);
        http_finish_answer(st);
        return;
    }
    conn_write(st->hc->c, head);
    http_put_body(st, body);
}

void http_respond_chunk(http_stream *st, str piece) {
    must_magic(st, HTTP_STREAM_MAGIC);
    must(st->head_sent && !st->resp_done && !st->relay);
    http_put_body(st, piece);
}

void http_respond_end(http_stream *st) {
    must_magic(st, HTTP_STREAM_MAGIC);
    must(st->head_sent && !st->resp_done && !st->relay);
    if (st->promised >= 0 && st->sent < st->promised && !st->no_body) {
        http_respond_cut(st); /* the client was promised more */
        return;
    }
    if (st->chunked && !st->no_body) conn_write(st->hc->c, STR("0\r\n\r\n"));
    http_finish_answer(st);
}

void http_respond_cut(http_stream *st) {
    must_magic(st, HTTP_STREAM_MAGIC);
    st->cut = true;
    http_conn_cut(st->hc, "cut");
}

void http_respond_json(http_stream *st, int status, str json) {
    struct http_header type = {STR("content-type"), STR("application/json")};
    http_respond(st, status, &type, 1, json, true);
}

void http_respond_err(http_stream *st, err *e) {
    must(e != NULL);
    buf b = {0};
    err_to_json(e, &b);
    int status = err_status(err_code_of(e));
    err_free(e);
    http_respond_json(st, status, buf_view(&b));
    buf_free(&b);
}

void http_write_refusal(struct http_conn *hc, int status, const char *why) {
    buf b = {0}, body = {0};
    buf_str(&body, STR("{\"error_code\":\""));
    buf_z(&body, status == 501   ? "NOT_IMPLEMENTED"
                 : status == 408 ? "DEADLINE_EXCEEDED"
                                 : "BAD_REQUEST");
    buf_str(&body, STR("\",\"message\":"));
    buf_json_str(&body, str_of(why));
    buf_c(&body, '}');
    add_status(&b, status);
    buf_str(&b, STR("Content-Type: application/json\r\nContent-Length: "));
    add_number(&b, body.n);
    buf_str(&b, STR("\r\n"));
    add_date(hc->s, &b);
    buf_str(&b, STR("Connection: close\r\n\r\n"));
    conn_write2(hc->c, buf_view(&b), buf_view(&body));
    buf_free(&b);
    buf_free(&body);
}
