/* SPDX-License-Identifier: Apache-2.0 */
/* The relay to the package index: what its texts become, and what it refuses. (With a real builder and
 * a real index: tests/50-e2e/test_environments.py.) */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "courier/index.h"
#include "courier/index_text.h"

static const struct index_url AT = {{"https", 5}, {"index.example", 13}, {"/simple/x/", 10}};

static void count(void *arg, const struct index_url *u) {
    buf_str(arg, u->host);
    buf_c(arg, ' ');
}

static void turned(const char *page, const char *want, const char *places) {
    buf out = {0}, seen = {0};
    index_turn_page(str_of(page), &AT, &out, count, &seen);
    buf_c(&out, 0);
    buf_c(&seen, 0);
    assert_string_equal(out.p, want);
    assert_string_equal(seen.p, places);
    buf_free(&out);
    buf_free(&seen);
}

static void test_pages(void **state) {
    (void)state;
    turned("<a href=\"https://files.example/p/a.whl#sha256=00\" data-x=\"https://no\">a</a>",
           "<a href=\"/-/https/files.example/p/a.whl#sha256=00\" data-x=\"https://no\">a</a>", "files.example ");
    turned("<a HREF = '/p/b.whl'>b</a><a href=\"../c.whl\">", "<a HREF = '/-/https/index.example/p/b.whl'>b</a><a href=\"../c.whl\">",
           "");
    turned("{\"files\":[{\"url\": \"http://f:81/a\", \"u\":\"https://x/\"},{\"url\":\"//g/b\"},{\"url\":\"c\"}]}",
           "{\"files\":[{\"url\": \"/-/http/f:81/a\", \"u\":\"https://x/\"},{\"url\":\"/-/https/g/b\"},{\"url\":\"c\"}]}", "f:81 g ");
    turned("<a href=\"https://user@files.example/\"><a href=\"ftp://x/\"><a href=\"cut off", 
           "<a href=\"https://user@files.example/\"><a href=\"ftp://x/\"><a href=\"cut off", "");
}

static err_code ask_code(const char *head) {
    struct index_ask ask;
    err *e = index_read_ask(str_of(head), &ask);
    err_code code = err_code_of(e);
    err_free(e);
    return code;
}

static void test_asks(void **state) {
    (void)state;
    struct index_ask ask;
    assert_null(index_read_ask(STR("HEAD /-/http/h:1/s/a?b HTTP/1.1\r\nRANGE: bytes=0-1\r\naccept:  x \r\n\r\n"), &ask));
    assert_true(ask.head_only && str_eqz(ask.url.scheme, "http") && str_eqz(ask.url.host, "h:1"));
    assert_true(str_eqz(ask.url.rest, "/s/a?b") && str_eqz(ask.range, "bytes=0-1") && str_eqz(ask.accept, "x"));
    assert_int_equal(ask_code("GET /-/https/h/ HTTP/1.0\r\n\r\n"), ERR_OK);
    static const char *const bad[] = {
        "POST /-/https/h/ HTTP/1.1\r\n\r\n",    "GET / HTTP/1.1\r\n\r\n",
        "GET https://h/ HTTP/1.1\r\n\r\n",      "GET /-/file/etc/passwd HTTP/1.1\r\n\r\n",
        "GET /-/https/u@h/ HTTP/1.1\r\n\r\n",   "GET /-/https// HTTP/1.1\r\n\r\n",
        "GET /-/https/h/\"x HTTP/1.1\r\n\r\n",  "GET /-/https/h/ HTTP/2\r\n\r\n",
        "GET /-/https/h/ HTTP/1.1\r\nAccept: a\rb: c\r\n\r\n", "GET /-/https/h/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_int_equal(ask_code(bad[i]), ERR_MALFORMED_REQUEST);
}

/* ---- a relay on a listener of ours; its index is a port that egress does not allow ---- */

static int ask_relay(loop *l, const struct sockaddr_in *at, const char *head, char *answer, size_t cap) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
    assert_int_equal(write(fd, head, strlen(head)), strlen(head));
    size_t n = 0;
    for (int i = 0; i < 5000; i++) {
        loop_step(l, 1000);
        ssize_t r = recv(fd, answer + n, cap - 1 - n, MSG_DONTWAIT);
        if (r == 0) break;
        if (r > 0) n += (size_t)r;
    }
    answer[n] = 0;
    close(fd);
    int status = 0;
    assert_int_equal(sscanf(answer, "HTTP/1.1 %d ", &status), 1);
    return status;
}

struct over {
    bool done;
    int64_t requests;
};

static void on_over(void *arg, int64_t requests, int64_t bytes) {
    (void)bytes;
    *(struct over *)arg = (struct over){true, requests};
}

static void test_relay(void **state) {
    (void)state;
    loop *l;
    jobs *j;
    assert_null(loop_new(&l));
    assert_null(jobs_new("index", 4, &j));
    struct settings set;
    settings_init(&set);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
    struct relay *r;
    err *e = relay_start(l, j, &set, dup(fd), &r); /* it does not listen */
    assert_int_equal(err_code_of(e), ERR_MALFORMED_REQUEST);
    err_free(e);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    e = relay_start(l, j, &set, dup(fd), &r); /* no index is set */
    assert_int_equal(err_code_of(e), ERR_INVALID_STATE);
    err_free(e);
    assert_null(settings_set(&set, STR("environments.index_url"), STR("http://127.0.0.1:9/simple"), SETTING_COMMAND));
    assert_null(relay_start(l, j, &set, fd, &r));
    char answer[4096];
    assert_int_equal(ask_relay(l, &at, "GET /-/http/elsewhere.example/ HTTP/1.1\r\n\r\n", answer, sizeof(answer)), 403);
    assert_non_null(strstr(answer, "neither the package index nor linked"));
    assert_int_equal(ask_relay(l, &at, "POST /-/http/127.0.0.1:9/ HTTP/1.1\r\n\r\n", answer, sizeof(answer)), 400);
    assert_int_equal(ask_relay(l, &at, "GET /-/http/127.0.0.1:9/simple/ HTTP/1.1\r\n\r\n", answer, sizeof(answer)), 502);
    assert_non_null(strstr(answer, "127.0.0.1"));
    /* One connection stands still: the end cuts it off. */
    int still = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(still, (struct sockaddr *)&at, n), 0);
    for (int i = 0; i < 5; i++) loop_step(l, 1000);
    struct over over = {0};
    relay_stop(r, on_over, &over);
    assert_false(over.done);
    for (int i = 0; i < 5000 && !over.done; i++) loop_step(l, 1000);
    assert_true(over.done);
    assert_int_equal(over.requests, 1);
    close(still);
    jobs_free(j);
    settings_free(&set);
    loop_free(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_asks),
        cmocka_unit_test(test_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
