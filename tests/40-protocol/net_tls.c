/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS seen by an independent client: OpenSSL's blocking interface over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/time.h"
#include "harness/net_demo.h"
#include "net/ca.h"
#include "sys/clock.h"

static struct net_demo demo;
static struct ca_pem root, server;
static tls_context *tls;
static SSL_CTX *client;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static int start_with(const struct http_limits *limits) {
    struct ca_server_ask ask = {0};
    ok(ca_new(STR("Boathouse CA test"), &root));
    ok(ca_issue_server(&root, &ask, &server));
    ok(tls_server_new(buf_view(&server.cert), buf_view(&server.key), &tls));
    net_demo_start(&demo, limits, tls, false);
    client = SSL_CTX_new(TLS_client_method());
    BIO *b = BIO_new_mem_buf(root.cert.p, (int)root.cert.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client), x);
    X509_free(x);
    BIO_free(b);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    return 0;
}
static int start(void **state) {
    (void)state;
    return start_with(NULL);
}
static int start_hasty(void **state) {
    (void)state;
    struct http_limits l = {.handshake_timeout_us = 150 * US_PER_MS};
    return start_with(&l);
}
static int stop(void **state) {
    (void)state;
    net_demo_stop(&demo);
    tls_free(tls);
    SSL_CTX_free(client);
    ca_pem_free(&root);
    ca_pem_free(&server);
    return 0;
}

/* Connects with this version (0: any) and session (or NULL). NULL if the handshake fails. */
static SSL *dial(int version, SSL_SESSION *session) {
    int fd = net_demo_connect(&demo);
    SSL *s = SSL_new(client);
    if (version) {
        SSL_set_min_proto_version(s, version);
        SSL_set_max_proto_version(s, version);
    }
    SSL_set1_host(s, "localhost");
    SSL_set_tlsext_host_name(s, "localhost");
    if (session) SSL_set_session(s, session);
    SSL_set_fd(s, fd);
    if (SSL_connect(s) == 1) return s;
    ERR_clear_error();
    SSL_free(s);
    close(fd);
    return NULL;
}

static void hang_up(SSL *s) {
    int fd = SSL_get_fd(s);
    SSL_shutdown(s);
    SSL_free(s);
    close(fd);
}

static void say(SSL *s, str text) {
    while (text.n) {
        int n = SSL_write(s, text.p, text.n > 1000000 ? 1000000 : (int)text.n);
        assert_true(n > 0);
        text = str_from(text, (size_t)n);
    }
}

/* To the end; the end must be a close_notify. */
static buf hear_all(SSL *s) {
    buf b = {0};
    for (;;) {
        char *to = buf_reserve(&b, 65536);
        int n = SSL_read(s, to, 65535);
        if (n <= 0) {
            assert_int_equal(SSL_get_error(s, n), SSL_ERROR_ZERO_RETURN);
            break;
        }
        b.n += (size_t)n;
    }
    buf_c(&b, 0);
    b.n--;
    return b;
}

static void hello_on(SSL *s) {
    say(s, STR("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    char got[1000];
    int n = SSL_read(s, got, sizeof(got) - 1);
    assert_true(n > 0);
    got[n] = 0;
    assert_non_null(strstr(got, "\r\n\r\nhello"));
}

static void versions(void **state) {
    (void)state;
    SSL *s = dial(TLS1_2_VERSION, NULL);
    assert_non_null(s);
    hello_on(s);
    hello_on(s);
    hang_up(s);
    s = dial(TLS1_3_VERSION, NULL);
    assert_non_null(s);
    hello_on(s);
    assert_int_equal(SSL_get_verify_result(s), X509_V_OK);
    hang_up(s);
    SSL_CTX_set_security_level(client, 0);
    SSL_CTX_set_cipher_list(client, "ALL:@SECLEVEL=0");
    assert_null(dial(TLS1_1_VERSION, NULL));
    assert_null(dial(TLS1_VERSION, NULL));
    /* TLS 1.2 without forward secrecy, or without AEAD */
    SSL_CTX_set_cipher_list(client, "AES128-GCM-SHA256:@SECLEVEL=0");
    assert_null(dial(TLS1_2_VERSION, NULL));
    SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0");
    assert_null(dial(TLS1_2_VERSION, NULL));
}

static void alpn(void **state) {
    (void)state;
    static const unsigned char both[] = "\x02h2\x08http/1.1", other[] = "\x02h2";
    const unsigned char *got;
    unsigned n;
    SSL_CTX_set_alpn_protos(client, both, sizeof(both) - 1);
    SSL *s = dial(0, NULL);
    SSL_get0_alpn_selected(s, &got, &n);
    assert_int_equal(n, 8);
    assert_memory_equal(got, "http/1.1", 8);
    hang_up(s);
    SSL_CTX_set_alpn_protos(client, other, sizeof(other) - 1);
    s = dial(0, NULL);
    SSL_get0_alpn_selected(s, &got, &n);
    assert_int_equal(n, 0);
    hello_on(s);
    hang_up(s);
}

/* A ticket of a first connection; TLS 1.3 sends it with the first answer. */
static SSL_SESSION *ticket(int version) {
    SSL *s = dial(version, NULL);
    hello_on(s);
    SSL_SESSION *ticket = SSL_get1_session(s);
    assert_true(SSL_SESSION_is_resumable(ticket));
    hang_up(s);
    return ticket;
}

static bool resumes(int version, SSL_SESSION *session) {
    SSL *s = dial(version, session);
    assert_non_null(s);
    hello_on(s);
    bool reused = SSL_session_reused(s);
    hang_up(s);
    return reused;
}

static void resumption(void **state) {
    (void)state;
    int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        int v = versions[i];
        SSL_SESSION *a = ticket(v), *b = ticket(v), *old = ticket(v);
        assert_true(resumes(v, a));
        /* a reload keeps the keys of tickets */
        ok(tls_server_reload(tls, buf_view(&server.cert), buf_view(&server.key)));
        assert_true(resumes(v, b));
        /* the key before the present one still opens tickets, an older one does not */
        clock_advance(13 * 3600 * US_PER_S);
        SSL_SESSION *c = ticket(v);
        clock_advance(13 * 3600 * US_PER_S);
        assert_true(resumes(v, c));
        assert_false(resumes(v, old));
        SSL_SESSION_free(b);
        SSL_SESSION_free(old);
        SSL_SESSION_free(a);
        SSL_SESSION_free(c);
    }
}

static void reload(void **state) {
    (void)state;
    SSL *old = dial(0, NULL);
    hello_on(old);
    X509 *before = SSL_get1_peer_certificate(old);
    struct ca_server_ask ask = {0};
    struct ca_pem next = {0};
    ok(ca_issue_server(&root, &ask, &next));
    err *e = tls_server_reload(tls, buf_view(&next.cert), buf_view(&server.key));
    assert_non_null(e);
    err_free(e);
    SSL *s = dial(0, NULL);
    X509 *now = SSL_get1_peer_certificate(s);
    assert_int_equal(X509_cmp(before, now), 0);
    X509_free(now);
    hang_up(s);
    ok(tls_server_reload(tls, buf_view(&next.cert), buf_view(&next.key)));
    s = dial(0, NULL);
    hello_on(s);
    now = SSL_get1_peer_certificate(s);
    assert_int_not_equal(X509_cmp(before, now), 0);
    hang_up(s);
    hello_on(old); /* goes on */
    hang_up(old);
    X509_free(before);
    X509_free(now);
    ca_pem_free(&next);
}

static void bodies(void **state) {
    (void)state;
    static const char *kinds[] = {"stream", "length", "file", "socket", "socket-known"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        unsigned want = 3000001;
        char request[200];
        snprintf(request, sizeof(request), "GET /%s?%u HTTP/1.0\r\n\r\n", kinds[k], want);
        SSL *s = dial(0, NULL);
        say(s, str_of(request));
        buf b = hear_all(s);
        char *body = strstr(b.p, "\r\n\r\n") + 4;
        assert_int_equal(b.n - (size_t)(body - b.p), want);
        for (unsigned i = 0; i < want; i++)
            if (body[i] != net_demo_byte(i)) fail_msg("%s: byte %u", kinds[k], i);
        buf_free(&b);
        hang_up(s);
    }
    static const char *sinks[] = {"count", "slow-count", "wait"};
    for (size_t k = 0; k < ARRAY_LEN(sinks); k++) {
        buf b = {0};
        size_t size = 2000003;
        buf_fmt(&b,
                "POST /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                sinks[k], size);
        size_t head = b.n;
        for (size_t i = 0; i < size; i++) buf_c(&b, net_demo_byte(i));
        char want[64];
        snprintf(want, sizeof(want), "\r\n\r\n%zu %016llx", size,
                 (unsigned long long)net_demo_sum(0, b.p + head, size));
        SSL *s = dial(0, NULL);
        say(s, buf_view(&b));
        buf got = hear_all(s);
        if (!strstr(got.p, want)) fail_msg("%s: <%s>, wanted <%s>", sinks[k], got.p, want);
        hang_up(s);
        buf_free(&b);
        buf_free(&got);
    }
}

static void pipelined_and_paused(void **state) {
    (void)state;
    SSL *s = dial(0, NULL);
    say(s, STR("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(s, STR("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    say(s, STR("GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    buf b = hear_all(s);
    const char *late = strstr(b.p, "\r\n\r\nlate"), *three = strstr(b.p, "\r\n\r\n3 ");
    assert_true(late && three && late < three && strstr(three, "\r\n\r\nlate"));
    buf_free(&b);
    hang_up(s);
}

static void rubbish(void **state) {
    (void)state;
    int fd = net_demo_connect(&demo);
    static const char plain[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    net_demo_send(fd, plain, sizeof(plain) - 1);
    size_t n;
    char *got = net_demo_read_all(fd, &n);
    assert_true(n <= 7); /* an alert at most */
    free(got);
    close(fd);
    /* a record that was tampered with ends the connection */
    SSL *s = dial(0, NULL);
    hello_on(s);
    fd = SSL_get_fd(s);
    net_demo_send(fd, "\x17\x03\x03\x00\x20 thirty-two bytes of no record ...", 37);
    got = net_demo_read_all(fd, NULL);
    free(got);
    hang_up(s);
    while (net_demo_sync(&demo).conns) usleep(1000);
    /* the client goes without close_notify in the middle of a request */
    s = dial(0, NULL);
    say(s, STR("GET /never HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (demo.requests < 2) usleep(1000);
    close(SSL_get_fd(s));
    SSL_free(s);
    for (int i = 0; i < 1000 && demo.aborts < 1; i++) usleep(5000);
    assert_int_equal(demo.aborts, 1);
}

static void slow_handshake(void **state) {
    (void)state;
    int fd = net_demo_connect(&demo);
    char *got = net_demo_read_all(fd, NULL);
    free(got);
    close(fd);
    fd = net_demo_connect(&demo);
    net_demo_send(fd, "\x16\x03\x01\x02\x00\x01", 6);
    got = net_demo_read_all(fd, NULL);
    free(got);
    close(fd);
    while (net_demo_sync(&demo).conns) usleep(1000);
    SSL *s = dial(0, NULL); /* one in time lives on */
    assert_non_null(s);
    usleep(300000);
    hello_on(s);
    hang_up(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions, start, stop),
        cmocka_unit_test_setup_teardown(alpn, start, stop),
        cmocka_unit_test_setup_teardown(reload, start, stop),
        cmocka_unit_test_setup_teardown(bodies, start, stop),
        cmocka_unit_test_setup_teardown(pipelined_and_paused, start, stop),
        cmocka_unit_test_setup_teardown(rubbish, start, stop),
        cmocka_unit_test_setup_teardown(slow_handshake, start_hasty, stop),
        cmocka_unit_test_setup_teardown(resumption, start, stop), /* moves the clock: last */
    };
    int page;
    ok(clock_page_new(&page)); /* before there are threads that look at the clock */
    ok(clock_page_map(page, true));
    close(page);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
