/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand idle TLS connections take at most 40 KB each, and each still answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/time.h"
#include "harness/net_demo.h"
#include "net/ca.h"

#define CONNS 10000
#define LIVING 50 /* of them, used again at the end */

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static long rss_kb(pid_t pid) {
    char path[64], line[200];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    long kb = -1;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "VmRSS:", 6) == 0) kb = strtol(line + 6, NULL, 10);
    fclose(f);
    return kb;
}

static void serve(int port_pipe, int end_pipe) {
    struct ca_pem root = {0}, server = {0};
    struct ca_server_ask ask = {0};
    tls_context *tls;
    static struct net_demo d;
    ok(ca_new(STR("Boathouse CA test"), &root));
    ok(ca_issue_server(&root, &ask, &server));
    ok(tls_server_new(buf_view(&server.cert), buf_view(&server.key), &tls));
    struct http_limits l = {.keepalive_idle_us = 3600 * US_PER_S};
    net_demo_start(&d, &l, tls, false);
    must(write(port_pipe, &d.port, sizeof(d.port)) == sizeof(d.port));
    char c;
    must(read(end_pipe, &c, 1) == 0);
    net_demo_stop(&d);
    tls_free(tls);
    ca_pem_free(&root);
    ca_pem_free(&server);
}

static void hello(SSL *s) {
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    char got[1000];
    assert_true(SSL_write(s, request, sizeof(request) - 1) > 0);
    int n = SSL_read(s, got, sizeof(got) - 1);
    assert_true(n > 0);
    got[n] = 0;
    assert_non_null(strstr(got, "hello"));
}

static void ten_thousand(void **state) {
    (void)state;
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    if (rl.rlim_cur < CONNS + 100) {
        print_message("only %lu descriptors are allowed here\n", (unsigned long)rl.rlim_cur);
        skip();
    }
    int port[2], stop[2];
    assert_int_equal(pipe(port), 0);
    assert_int_equal(pipe(stop), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(stop[1]);
        serve(port[1], stop[0]);
        _exit(0);
    }
    static struct net_demo there; /* for net_demo_connect() only */
    close(port[1]);
    assert_int_equal(read(port[0], &there.port, sizeof(int)), sizeof(int));
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    static int fds[CONNS];
    static SSL *living[LIVING];
    long before = 0;
    for (int i = 0; i < CONNS; i++) {
        fds[i] = net_demo_connect(&there);
        SSL *s = SSL_new(client);
        SSL_set_fd(s, fds[i]);
        assert_int_equal(SSL_connect(s), 1);
        hello(s);
        if (i % (CONNS / LIVING) == 0)
            living[i / (CONNS / LIVING)] = s;
        else
            SSL_free(s); /* the connection stays: only this side forgets its keys */
        if (i == 9) before = rss_kb(pid); /* what the first ones share is there */
    }
    long each = (rss_kb(pid) - before) * 1024 / (CONNS - 10);
    print_message("%ld bytes for each idle connection\n", each);
#ifndef BH_SANITIZE
    assert_true(each <= 40 * 1024);
#endif
    for (int i = 0; i < LIVING; i++) {
        hello(living[i]);
        SSL_free(living[i]);
    }
    for (int i = 0; i < CONNS; i++) close(fds[i]);
    close(stop[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    SSL_CTX_free(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_thousand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
