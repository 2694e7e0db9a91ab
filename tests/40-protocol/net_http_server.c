/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 on the wire: raw bytes in, raw bytes out, over loopback sockets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "harness/net_demo.h"

static struct net_demo demo;

static int start(void **state) {
    (void)state;
    net_demo_start(&demo, NULL, NULL, false);
    return 0;
}
static int stop(void **state) {
    (void)state;
    net_demo_stop(&demo);
    return 0;
}

/* Sends all, half-closes if asked, reads to the end. */
static char *talk(const char *request, size_t n) {
    int fd = net_demo_connect(&demo);
    net_demo_send(fd, request, n);
    char *got = net_demo_read_all(fd, NULL);
    close(fd);
    return got;
}
static char *talkz(const char *request) { return talk(request, strlen(request)); }

static size_t count_of(const char *text, const char *what) {
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) n++;
    return n;
}

static void expect(const char *request, const char *begins, const char *has) {
    char *got = talkz(request);
    if (strncmp(got, begins, strlen(begins)) != 0 || (has && !strstr(got, has)))
        fail_msg("request <%s>\nanswer <%s>\nwanted <%s> with <%s>", request, got, begins,
                 has ? has : "");
    free(got);
}

#define CLOSE "Connection: close\r\n\r\n"

static void simple(void **state) {
    (void)state;
    expect("GET /hello HTTP/1.1\r\nHost: a\r\n" CLOSE, "HTTP/1.1 200 OK\r\n",
           "Content-Length: 5\r\n");
    expect("GET /hello HTTP/1.1\r\nHost: a\r\n" CLOSE, "HTTP/1.1 200 OK\r\n",
           "Connection: close\r\n\r\nhello");
    expect("GET /hello HTTP/1.1\r\nHost: a\r\n" CLOSE, "HTTP/1.1 200 OK\r\n", "GMT\r\n");
    expect("GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
    expect("\r\nGET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "hello");
    expect("OPTIONS * HTTP/1.1\r\nHost: a\r\n" CLOSE, "HTTP/1.1 404", NULL);
}

static void head_is_read(void **state) {
    (void)state;
    char *got = talkz(
        "GET /head?x=1?y HTTP/1.1\r\nHost: a.example:8080\r\nEmpty:\r\nX-MiXed:  two words \t\r\n"
        "Blank:   \r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
        "HTTP2-Settings: AAMAAABkAAQ\r\n\r\n");
    assert_non_null(strstr(got, "GET /head ? x=1?y @ a.example:8080\nhost=a.example:8080\nempty=\n"
                                "x-mixed=two words\nblank=\nupgrade=h2c\n"));
    free(got);
    expect("GET http://b.example/head?q HTTP/1.1\r\nHost: a\r\n" CLOSE, "HTTP/1.1 200",
           "GET /head ? q @ b.example\n");
    expect("GET http://b.example?q HTTP/1.1\r\nHost: a\r\n" CLOSE, "HTTP/1.1 404", NULL);
}

static void no_body_for_head(void **state) {
    (void)state;
    char *got = talkz("HEAD /hello HTTP/1.1\r\nHost: a\r\n" CLOSE);
    assert_non_null(strstr(got, "Content-Length: 5\r\n"));
    assert_null(strstr(got, "hello"));
    free(got);
    got = talkz("HEAD /file?1000 HTTP/1.1\r\nHost: a\r\n" CLOSE);
    assert_non_null(strstr(got, "Content-Length: 1000\r\n"));
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    free(got);
    got = talkz("HEAD /stream?1000 HTTP/1.1\r\nHost: a\r\n" CLOSE);
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    free(got);
}

/* Many requests at once: answers in order, and late ones keep their place. */
static void pipelined(void **state) {
    (void)state;
    char *got = talkz("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\n\r\n"
                      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "2;x=y\r\nde\r\n1\r\nf\r\n0\r\nTrailer: t\r\n\r\n"
                      "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /refuse HTTP/1.1\r\nHost: a\r\n" CLOSE);
    assert_int_equal(count_of(got, "HTTP/1.1 200 OK\r\n"), 5);
    assert_int_equal(count_of(got, "HTTP/1.1 403 Forbidden\r\n"), 1);
    const char *hello = strstr(got, "\r\n\r\nhello"), *late = strstr(got, "\r\n\r\nlate"),
               *abc = strstr(got, "\r\n\r\nabc"), *def = strstr(got, "\r\n\r\ndef"),
               *no = strstr(got, "\r\n\r\nno");
    assert_true(hello && late && abc && def && no);
    assert_true(hello < late && late < abc && abc < def && def < no);
    free(got);
    /* More than any buffer holds at once. */
    buf many = {0};
    for (int i = 0; i < 20000; i++) buf_z(&many, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_z(&many, "GET /hello HTTP/1.1\r\nHost: a\r\n" CLOSE);
    int fd = net_demo_connect(&demo);
    if (fork() == 0) { /* the writer must not wait for the reader */
        net_demo_send(fd, many.p, many.n);
        _exit(0);
    }
    got = net_demo_read_all(fd, NULL);
    close(fd);
    assert_int_equal(count_of(got, "\r\n\r\nhello"), 20001);
    free(got);
    buf_free(&many);
}

/* Every way of cutting a request in two gives the same answer. */
static void split_anywhere(void **state) {
    (void)state;
    static const char request[] =
        "POST /echo?a=b HTTP/1.1\r\nHost: example\r\nX-Empty:\r\nX-Long: some "
        "value\r\nTransfer-Encoding: chunked\r\n" CLOSE "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    for (size_t at = 1; at < sizeof(request) - 1; at++) {
        int fd = net_demo_connect(&demo);
        net_demo_send(fd, request, at);
        net_demo_sync(&demo);
        net_demo_send(fd, request + at, sizeof(request) - 1 - at);
        char *got = net_demo_read_all(fd, NULL);
        close(fd);
        if (!strstr(got, "HTTP/1.1 200 OK\r\n") || !strstr(got, "\r\n\r\nhello world"))
            fail_msg("cut at %zu: <%s>", at, got);
        free(got);
    }
}

static const struct {
    const char *request, *status;
} refused[] = {
    /* who decides where the body ends */
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
     "4\r\n\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 5\r\n\r\nabcde", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\nabcd", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nabcd", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4 4\r\n\r\nabcd", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabcd", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabcd", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "identity\r\n\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0b"
     "chunked\r\n\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", "400"},
    {"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
    /* lines */
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX-Fold: a\r\n b\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX-Fold: a\r\n\tb\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\nHost: a\n\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX\tY: 4\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", "400"},
    /* chunks */
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n", "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n "
     "2\r\nab\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2 "
     "\r\nab\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n10000000000000000\r\nab",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nab\r\n0\r\n\r\n",
     "400"},
    {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n2;a\nb\r\nab\r\n0\r\n\r\n",
     "400"},
    /* host and target */
    {"GET /hello HTTP/1.1\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
    {"GET /hello HTTP/1.1\r\nHost: u@a\r\n\r\n", "400"},
    {"GET hello HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET ftp://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET http:///hello HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET /hello#top HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
    {"TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
    {"PURGE /hello HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
    {"BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"get /hello HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"GET /hello\r\n\r\n", "505"},
    {"GET /hello HTTP/0.9\r\nHost: a\r\n\r\n", "505"},
    {"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
    {"GET /hello HTTP/1.2\r\nHost: a\r\n\r\n", "505"},
    {"GET /hello HTTP/1.1x\r\nHost: a\r\n\r\n", "400"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
};

static void refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char *got = talkz(refused[i].request);
        if (strncmp(got, "HTTP/1.1 ", 9) != 0 || strncmp(got + 9, refused[i].status, 3) != 0 ||
            !strstr(got, "Connection: close\r\n") || !strstr(got, "\"error_code\":"))
            print_error("request <%s>\nanswer <%s>, wanted %s\n", refused[i].request, got,
                        refused[i].status);
        assert_memory_equal(got, "HTTP/1.1 ", 9);
        assert_memory_equal(got + 9, refused[i].status, 3);
        assert_int_equal(count_of(got, "\r\nDate: "), 1);
        free(got);
    }
    /* a zero byte cannot stand in a C string */
    static const char zero[] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    char *got = talk(zero, sizeof(zero) - 1);
    assert_memory_equal(got, "HTTP/1.1 400", 12);
    free(got);
    struct http_stats s = net_demo_sync(&demo);
    assert_int_equal(s.refused_total, ARRAY_LEN(refused) + 1);
    assert_int_equal(s.streams, 0);
}

static void limits(void **state) {
    (void)state;
    buf b = {0};
    buf_z(&b, "GET /");
    for (int i = 0; i < 16 * 1024; i++) buf_c(&b, 'a');
    buf_z(&b, " HTTP/1.1\r\nHost: a\r\n\r\n");
    char *got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 414", 12);
    free(got);
    buf_clear(&b);
    buf_z(&b, "GET /hello HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 99; i++) buf_fmt(&b, "X-%d: y\r\n", i);
    size_t full = b.n;
    buf_z(&b, CLOSE);
    got = talk(b.p, b.n); /* 101 with Connection */
    assert_memory_equal(got, "HTTP/1.1 431", 12);
    free(got);
    b.n = full;
    buf_z(&b, "\r\nGET /hello HTTP/1.0\r\n\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 200", 12);
    free(got);
    buf_clear(&b);
    buf_z(&b, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 65 * 1024; i++) buf_c(&b, 'a');
    buf_z(&b, "\r\n\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 431", 12);
    free(got);
    buf_clear(&b);
    buf_z(&b, "GET /hello HTTP/1.1\r\nHost: a\r\nX:");
    for (int i = 0; i < 200 * 1024; i++) buf_c(&b, ' ');
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 431", 12);
    free(got);
    buf_clear(&b);
    buf_z(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20000; i++) buf_z(&b, "1;e=f\r\nx\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 400", 12);
    free(got);
    buf_clear(&b);
    buf_z(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 20000; i++) buf_z(&b, "T: x\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 431", 12);
    free(got);
    buf_free(&b);
    /* the handler's own limit, told and found out */
    expect("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "HTTP/1.1 413",
           "PAYLOAD_TOO_LARGE");
    buf_z(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n180000\r\n");
    for (int i = 0; i < 0x180000; i++) buf_c(&b, 'x');
    buf_z(&b, "\r\n0\r\n\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 413", 12);
    free(got);
    buf_free(&b);
}

static void continue_100(void **state) {
    (void)state;
    char got[4096];
    static const char head[] = "POST /wait HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                               "Content-Length: 5\r\n" CLOSE;
    int fd = net_demo_connect(&demo);
    net_demo_send(fd, head, sizeof(head) - 1);
    ssize_t n = recv(fd, got, sizeof(got) - 1, 0); /* comes when the handler resumes */
    assert_true(n > 0);
    got[n] = 0;
    assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
    net_demo_send(fd, "abcde", 5);
    char *rest = net_demo_read_all(fd, NULL);
    assert_memory_equal(rest, "HTTP/1.1 200 OK", 15);
    assert_non_null(strstr(rest, "\r\n\r\n5 "));
    free(rest);
    close(fd);
    /* refused: no 100, and the connection ends although the client asked for nothing of the kind */
    char *refused = talkz("POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                          "Content-Length: 5\r\n\r\n");
    assert_memory_equal(refused, "HTTP/1.1 403", 12);
    assert_non_null(strstr(refused, "Connection: close"));
    free(refused);
    expect("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" CLOSE
           "ab",
           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "\r\n\r\nab");
    /* 1.0 has no such thing */
    expect("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
           "HTTP/1.1 200 OK\r\n", "\r\n\r\nab");
}

/* An answer before the body: a short rest is read past, a long one ends the connection. */
static void early_answers(void **state) {
    (void)state;
    char *got = talkz("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
                      "GET /hello HTTP/1.1\r\nHost: a\r\n" CLOSE);
    assert_memory_equal(got, "HTTP/1.1 403", 12);
    assert_int_equal(count_of(got, "HTTP/1.1 200 OK"), 1);
    free(got);
    buf b = {0};
    buf_z(&b, "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n");
    for (int i = 0; i < 400000; i++) buf_c(&b, 'x');
    buf_z(&b, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 403", 12);
    assert_non_null(strstr(got, "Connection: close"));
    assert_null(strstr(got, "hello"));
    free(got);
    buf_free(&b);
    /* a chunked rest that never ends */
    buf_z(&b, "POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100000; i++) buf_z(&b, "4\r\nwhat\r\n");
    got = talk(b.p, b.n);
    assert_memory_equal(got, "HTTP/1.1 403", 12);
    free(got);
    buf_free(&b);
}

static char *body_of(char *answer, size_t n, size_t *ret_n) {
    char *at = strstr(answer, "\r\n\r\n");
    assert_non_null(at);
    at += 4;
    *ret_n = n - (size_t)(at - answer);
    return at;
}

static char *unchunk(char *body, size_t *n) {
    char *in = body, *out = body, *end = body + *n;
    for (;;) {
        char *stop;
        unsigned long k = strtoul(in, &stop, 16);
        assert_memory_equal(stop, "\r\n", 2);
        in = stop + 2;
        assert_true(k + 2 <= (size_t)(end - in));
        memmove(out, in, k);
        assert_memory_equal(in + k, "\r\n", 2);
        out += k;
        in += k + 2;
        if (k == 0) break;
    }
    assert_ptr_equal(in, end);
    *n = (size_t)(out - body);
    return body;
}

static void bodies_out(void **state) {
    (void)state;
    static const char *kinds[] = {"stream", "length", "file", "socket", "socket-known"};
    static const unsigned sizes[] = {0, 1, 4095, 65536, 3000000};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
            unsigned want = sizes[i / 2];
            bool old = i % 2;
            char request[200];
            snprintf(request, sizeof(request), "GET /%s?%u HTTP/1.%d\r\nHost: a\r\n%s", kinds[k],
                     want, !old, CLOSE);
            int fd = net_demo_connect(&demo);
            net_demo_send(fd, request, strlen(request));
            size_t n;
            char *got = net_demo_read_all(fd, &n);
            close(fd);
            assert_memory_equal(got, "HTTP/1.1 200", 12);
            char *body = body_of(got, n, &n);
            if (strstr(got, "chunked") && strstr(got, "chunked") < body) {
                assert_false(old);
                body = unchunk(body, &n);
            }
            if (n != want) fail_msg("%s: %zu bytes instead of %u", request, n, want);
            for (unsigned j = 0; j < want; j++)
                if (body[j] != net_demo_byte(j)) fail_msg("%s: byte %u is wrong", request, j);
            free(got);
        }
    }
    /* promised more than there is: the client sees that something is missing */
    size_t n;
    int fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET /short?1000 HTTP/1.1\r\nHost: a\r\n\r\n", 38);
    char *got = net_demo_read_all(fd, &n);
    close(fd);
    assert_non_null(strstr(got, "Content-Length: 1001\r\n"));
    body_of(got, n, &n);
    assert_int_equal(n, 1000);
    free(got);
    got = talkz("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_null(strstr(got, "0\r\n\r\n"));
    free(got);
    got = talkz("GET /inject HTTP/1.1\r\nHost: a\r\n" CLOSE);
    assert_non_null(strstr(got, "x-a: b  x-evil: 1\r\n"));
    free(got);
}

static void bodies_in(void **state) {
    (void)state;
    static const char *kinds[] = {"count", "slow-count", "wait", "mirror"};
    static const unsigned sizes[] = {0, 1, 70000, 2000000};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
            unsigned size = sizes[i / 2];
            bool chunked = i % 2;
            buf b = {0}, body = {0};
            for (unsigned j = 0; j < size; j++) buf_c(&body, net_demo_byte(j));
            buf_fmt(&b, "POST /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", kinds[k]);
            if (chunked) {
                buf_z(&b, "Transfer-Encoding: chunked\r\n\r\n");
                for (unsigned at = 0, step = 1; at < size;
                     at += step, step = step * 3 % 50021 + 1) {
                    if (step > size - at) step = size - at;
                    buf_fmt(&b, "%x\r\n", step);
                    buf_add(&b, body.p + at, step);
                    buf_z(&b, "\r\n");
                }
                buf_z(&b, "0\r\n\r\n");
            } else {
                buf_fmt(&b, "Content-Length: %u\r\n\r\n", size);
                buf_str(&b, buf_view(&body));
            }
            int fd = net_demo_connect(&demo);
            pid_t writer = fork();
            if (writer == 0) {
                net_demo_send(fd, b.p, b.n);
                _exit(0);
            }
            size_t n;
            char *got = net_demo_read_all(fd, &n);
            close(fd);
            if (strncmp(got, "HTTP/1.1 200", 12) != 0)
                fail_msg("%s with %u bytes%s: <%s>", kinds[k], size, chunked ? " in chunks" : "",
                         got);
            char *answer = body_of(got, n, &n), want[64];
            if (strcmp(kinds[k], "mirror") == 0) {
                answer = unchunk(answer, &n);
                assert_int_equal(n, size);
                if (size) assert_memory_equal(answer, body.p, size);
            } else {
                snprintf(want, sizeof(want), "%u %016llx", size,
                         (unsigned long long)net_demo_sum(0, body.p, size));
                assert_string_equal(answer, want);
            }
            free(got);
            buf_free(&b);
            buf_free(&body);
        }
    }
}

static void wait_aborts(int n) {
    for (int i = 0; i < 1000 && demo.aborts < n; i++) usleep(5000);
    assert_int_equal(demo.aborts, n);
}

/* The client leaves: while we wait for its body, while it waits for us, while it is sent to. */
static void client_leaves(void **state) {
    (void)state;
    int fd = net_demo_connect(&demo);
    net_demo_send(fd, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 54);
    net_demo_sync(&demo);
    close(fd);
    wait_aborts(1);
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n", 32);
    net_demo_sync(&demo);
    close(fd);
    wait_aborts(2);
    assert_string_equal(demo.last_abort, "gone");
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n", 32);
    net_demo_sync(&demo);
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    wait_aborts(3);
    static const char *big[] = {"stream", "length", "file", "socket"};
    for (int i = 0; i < 4; i++) {
        char request[100], some[1000];
        snprintf(request, sizeof(request), "GET /%s?20000000 HTTP/1.1\r\nHost: a\r\n\r\n", big[i]);
        fd = net_demo_connect(&demo);
        net_demo_send(fd, request, strlen(request));
        assert_true(recv(fd, some, sizeof(some), 0) > 0);
        close(fd);
        wait_aborts(4 + i);
    }
    /* a half-open connection that said nothing, or half a head, just ends */
    fd = net_demo_connect(&demo);
    shutdown(fd, SHUT_WR);
    char *got = net_demo_read_all(fd, NULL);
    assert_string_equal(got, "");
    free(got);
    close(fd);
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET / HT", 8);
    shutdown(fd, SHUT_WR);
    got = net_demo_read_all(fd, NULL);
    assert_string_equal(got, "");
    free(got);
    close(fd);
}

static int start_hasty(void **state) {
    (void)state;
    struct http_limits l = {.header_timeout_us = 100 * US_PER_MS,
                            .body_idle_timeout_us = 100 * US_PER_MS,
                            .keepalive_idle_us = 150 * US_PER_MS,
                            .send_timeout_us = 200 * US_PER_MS,
                            .keep_half_closed = true,
                            .max_conns = 4};
    net_demo_start(&demo, &l, NULL, true);
    return 0;
}

static void slow_senders(void **state) {
    (void)state;
    int fd = net_demo_connect(&demo); /* says nothing */
    char *got = net_demo_read_all(fd, NULL);
    assert_string_equal(got, "");
    free(got);
    close(fd);
    fd = net_demo_connect(&demo);
    static const char head[] =
        "GET /hello HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t i = 0; i < sizeof(head) - 1; i++) { /* each byte in time, the whole not */
        net_demo_send(fd, head + i, 1);
        usleep(5000);
    }
    got = net_demo_read_all(fd, NULL);
    assert_memory_equal(got, "HTTP/1.1 408", 12);
    free(got);
    close(fd);
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 54);
    got = net_demo_read_all(fd, NULL);
    assert_memory_equal(got, "HTTP/1.1 408", 12);
    free(got);
    close(fd);
    wait_aborts(1);
    /* a client that does not read its answer */
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET /stream?50000000 HTTP/1.1\r\nHost: a\r\n\r\n", 43);
    wait_aborts(2);
    assert_string_equal(demo.last_abort, "deaf");
    close(fd);
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET /file?50000000 HTTP/1.1\r\nHost: a\r\n\r\n", 41);
    wait_aborts(3);
    assert_string_equal(demo.last_abort, "deaf");
    close(fd);
    /* answered although half closed (as set) */
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n", 31);
    shutdown(fd, SHUT_WR);
    got = net_demo_read_all(fd, NULL);
    assert_non_null(strstr(got, "late"));
    free(got);
    close(fd);
}

/* Over max_conns clients wait in the backlog and are served when others go. */
static void connection_limit(void **state) {
    (void)state;
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = net_demo_connect(&demo);
        net_demo_send(fds[i], "GET /late HTTP/1.1\r\nHost: a\r\n\r\n", 31);
    }
    for (int i = 0; i < 8; i++) {
        char *got = net_demo_read_all(fds[i], NULL);
        assert_non_null(strstr(got, "late"));
        free(got);
        assert_true(net_demo_sync(&demo).conns <= 4);
        close(fds[i]);
    }
}

static void draining(void **state) {
    (void)state;
    int idle = net_demo_connect(&demo), busy = net_demo_connect(&demo),
        half = net_demo_connect(&demo);
    char *got;
    net_demo_send(busy, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n", 31);
    net_demo_send(half, "GET /hello HT", 13);
    while (net_demo_sync(&demo).conns < 3 || demo.requests < 1) usleep(1000);
    usleep(5000);
    net_demo_drain(&demo);
    got = net_demo_read_all(idle, NULL);
    assert_string_equal(got, "");
    free(got);
    net_demo_send(half, "TP/1.1\r\nHost: a\r\n\r\n", 19);
    got = net_demo_read_all(half, NULL);
    assert_non_null(strstr(got, "Connection: close"));
    free(got);
    got = net_demo_read_all(busy, NULL);
    assert_non_null(strstr(got, "late"));
    free(got);
    close(idle);
    close(busy);
    close(half);
    for (int i = 0; i < 1000 && !demo.drained; i++) usleep(5000);
    assert_int_equal(demo.drained, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(simple, start, stop),
        cmocka_unit_test_setup_teardown(head_is_read, start, stop),
        cmocka_unit_test_setup_teardown(no_body_for_head, start, stop),
        cmocka_unit_test_setup_teardown(pipelined, start, stop),
        cmocka_unit_test_setup_teardown(split_anywhere, start, stop),
        cmocka_unit_test_setup_teardown(refusals, start, stop),
        cmocka_unit_test_setup_teardown(limits, start, stop),
        cmocka_unit_test_setup_teardown(continue_100, start, stop),
        cmocka_unit_test_setup_teardown(early_answers, start, stop),
        cmocka_unit_test_setup_teardown(bodies_out, start, stop),
        cmocka_unit_test_setup_teardown(bodies_in, start, stop),
        cmocka_unit_test_setup_teardown(client_leaves, start, stop),
        cmocka_unit_test_setup_teardown(slow_senders, start_hasty, stop),
        cmocka_unit_test_setup_teardown(connection_limit, start_hasty, stop),
        cmocka_unit_test_setup_teardown(draining, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
