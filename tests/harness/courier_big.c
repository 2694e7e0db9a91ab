/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/courier_big.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "courier/courier.h"
#include "harness/storage_suite.h"

#define CHUNK (256u * 1024u)

/* Cheap to make and to check, different in every block. */
static void pattern(unsigned char *p, int64_t at) {
    uint64_t *w = (uint64_t *)(void *)p;
    for (size_t i = 0; i < CHUNK / 8; i++) w[i] = ((uint64_t)at + i) * 0x9e3779b97f4a7c15u;
}

/* The courier's side, in a child: one put or get, then its memory's peak in kB. */
static int child(const struct moto *m, const struct order *o, int fd, int report) {
    struct storage_s3_config c = moto_config(m);
    storage *s;
    suite_ok(storage_s3_new(&c, &s));
    arena *a = arena_new();
    buf outcome = {0};
    struct rusage u;
    err *e = courier_act(a, s, o, fd, NULL, &outcome);
    close(fd);
    getrusage(RUSAGE_SELF, &u);
    if (e) dprintf(2, "courier: %s\n", err_msg(e));
    dprintf(report, "%d %ld\n", e ? 1 : 0, u.ru_maxrss);
    buf_free(&outcome);
    err_free(e);
    arena_free(a);
    storage_free(s);
    return 0;
}

struct running {
    int pid, fd, report;
};

static struct running start(const struct moto *m, const struct order *o) {
    int body[2], report[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, body), 0);
    assert_int_equal(pipe(report), 0);
    struct running r = {.pid = fork(), .fd = body[0], .report = report[0]};
    assert_true(r.pid >= 0);
    if (r.pid == 0) {
        close(body[0]);
        _exit(child(m, o, body[1], report[1]));
    }
    close(body[1]);
    close(report[1]);
    return r;
}

static void finish(struct running *r, long max_rss_kb, const char *what) {
    char line[64] = "";
    int failed = 1;
    long rss = 0;
    assert_true(read(r->report, line, sizeof(line) - 1) > 0);
    assert_int_equal(sscanf(line, "%d %ld", &failed, &rss), 2);
    waitpid(r->pid, NULL, 0);
    close(r->report);
    print_message("%s: peak of the courier's memory %ld MiB\n", what, rss / 1024);
    assert_int_equal(failed, 0);
    if (max_rss_kb) assert_true(rss <= max_rss_kb);
}

static void send_all(int fd, int64_t size) {
    unsigned char *block = malloc(CHUNK);
    for (int64_t at = 0; at < size;) {
        pattern(block, at);
        size_t n = size - at < (int64_t)CHUNK ? (size_t)(size - at) : CHUNK;
        for (size_t i = 0; i < n;) {
            ssize_t put = send(fd, block + i, n - i, MSG_NOSIGNAL);
            if (put < 0 && errno == EINTR) continue;
            assert_true(put > 0);
            i += (size_t)put;
        }
        at += (int64_t)n;
    }
    free(block);
}

static void check_all(int fd, int64_t size) {
    unsigned char *want = malloc(CHUNK), *got = malloc(CHUNK);
    int64_t at = 0;
    for (;;) {
        size_t n = 0;
        ssize_t more = 1;
        while (n < CHUNK && more > 0) {
            more = read(fd, got + n, CHUNK - n);
            if (more > 0) n += (size_t)more;
        }
        if (n == 0) break;
        pattern(want, at);
        assert_memory_equal(got, want, n);
        at += (int64_t)n;
        if (n < CHUNK) break;
    }
    assert_int_equal(at, size);
    free(want);
    free(got);
}

void courier_big(const struct moto *m, int64_t size, int64_t announced, long max_rss_kb) {
    struct order put = {.verb = ORDER_PUT, .key = STR("big/body"), .size = announced};
    struct order get = {.verb = ORDER_GET, .key = STR("big/body"), .length = -1};
    struct running r = start(m, &put);
    send_all(r.fd, size);
    close(r.fd);
    finish(&r, max_rss_kb, "put");
    r = start(m, &get);
    check_all(r.fd, size);
    close(r.fd);
    finish(&r, max_rss_kb, "get");
}
