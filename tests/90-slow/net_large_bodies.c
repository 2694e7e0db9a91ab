/* SPDX-License-Identifier: Apache-2.0 */
/* One gigabyte in and out, plain and over TLS, through memory that does not grow with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "harness/net_demo.h"
#include "net/ca.h"

#define TOTAL (1ull << 30)
/* A sanitizer keeps freed memory for a while. */
#ifdef BH_SANITIZE
#define MAY_GROW_KB (600 * 1024)
#else
#define MAY_GROW_KB (24 * 1024)
#endif

static struct ca_pem root, server;
static tls_context *tls;
static SSL_CTX *client;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static int setup(void **state) {
    (void)state;
    struct ca_server_ask ask = {0};
    ok(ca_new(STR("Boathouse CA test"), &root));
    ok(ca_issue_server(&root, &ask, &server));
    ok(tls_server_new(buf_view(&server.cert), buf_view(&server.key), &tls));
    client = SSL_CTX_new(TLS_client_method());
    return 0;
}
static int teardown(void **state) {
    (void)state;
    SSL_CTX_free(client);
    tls_free(tls);
    ca_pem_free(&root);
    ca_pem_free(&server);
    return 0;
}

static long peak_kb(void) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    long kb = -1;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "VmHWM:", 6) == 0) kb = strtol(line + 6, NULL, 10);
    fclose(f);
    return kb;
}

struct side {
    struct net_demo d;
    int fd;
    SSL *ssl;
};

static void begin(struct side *s, bool secure) {
    net_demo_start(&s->d, NULL, secure ? tls : NULL, false);
    s->fd = net_demo_connect(&s->d);
    s->ssl = NULL;
    if (!secure) return;
    s->ssl = SSL_new(client);
    SSL_set_fd(s->ssl, s->fd);
    assert_int_equal(SSL_connect(s->ssl), 1);
}
static void end(struct side *s) {
    SSL_free(s->ssl);
    close(s->fd);
    net_demo_stop(&s->d);
}
static ssize_t get(struct side *s, char *p, size_t n) {
    return s->ssl ? SSL_read(s->ssl, p, (int)n) : recv(s->fd, p, n, 0);
}
static void put(struct side *s, const char *p, size_t n) {
    if (s->ssl)
        assert_int_equal(SSL_write(s->ssl, p, (int)n), (int)n);
    else
        net_demo_send(s->fd, p, n);
}

static char piece[65536];

static void upload(bool secure, const char *path) {
    struct side s;
    begin(&s, secure);
    char text[200], want[64];
    for (size_t i = 0; i < sizeof(piece); i++) piece[i] = net_demo_byte(i);
    snprintf(text, sizeof(text), "POST %s HTTP/1.0\r\nContent-Length: %llu\r\n\r\n", path, TOTAL);
    put(&s, text, strlen(text));
    uint64_t sum = 0;
    long before = 0;
    for (uint64_t at = 0; at < TOTAL; at += sizeof(piece)) {
        if (at == 64 << 20) before = peak_kb();
        put(&s, piece, sizeof(piece));
        sum = net_demo_sum(sum, piece, sizeof(piece));
    }
    size_t n = 0;
    char answer[2000];
    for (ssize_t r;
         n < sizeof(answer) - 1 && (r = get(&s, answer + n, sizeof(answer) - 1 - n)) > 0;)
        n += (size_t)r;
    answer[n] = 0;
    snprintf(want, sizeof(want), "\r\n\r\n%llu %016llx", TOTAL, (unsigned long long)sum);
    if (!strstr(answer, want)) fail_msg("<%s> instead of <%s>", answer, want);
    assert_true(peak_kb() - before < MAY_GROW_KB);
    end(&s);
}

static void download(bool secure, const char *path) {
    struct side s;
    begin(&s, secure);
    char text[200];
    snprintf(text, sizeof(text), "GET %s?%llu HTTP/1.0\r\n\r\n", path, TOTAL);
    put(&s, text, strlen(text));
    uint64_t got = 0;
    long before = 0;
    bool in_body = false;
    for (ssize_t r; (r = get(&s, piece, sizeof(piece) - 1)) > 0;) {
        const char *p = piece;
        if (!in_body) {
            piece[r] = 0;
            p = strstr(piece, "\r\n\r\n");
            assert_non_null(p);
            p += 4;
            in_body = true;
        }
        for (; p < piece + r; p++, got++)
            if (*p != net_demo_byte(got)) fail_msg("byte %llu", (unsigned long long)got);
        if (!before && got > 64 << 20) before = peak_kb();
    }
    assert_int_equal(got, TOTAL);
    assert_true(peak_kb() - before < MAY_GROW_KB);
    end(&s);
}

static void up_plain(void **state) {
    (void)state;
    upload(false, "/count");
}
static void up_tls(void **state) {
    (void)state;
    upload(true, "/count");
}
static void down_plain(void **state) {
    (void)state;
    download(false, "/stream");
}
static void down_tls(void **state) {
    (void)state;
    download(true, "/stream");
}
static void relay_plain(void **state) {
    (void)state;
    download(false, "/socket");
}
static void relay_tls(void **state) {
    (void)state;
    download(true, "/socket-known");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_plain), cmocka_unit_test(up_tls),      cmocka_unit_test(down_plain),
        cmocka_unit_test(down_tls), cmocka_unit_test(relay_plain), cmocka_unit_test(relay_tls),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
