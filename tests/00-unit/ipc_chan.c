/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: frames of all sizes, descriptors in order, rubbish ends the link. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/chan.h"
#include "ipc/wire.h"

struct seen {
    int frames, closed, fds;
    size_t bytes;
    uint64_t sum;
    ino_t inodes[8];
};

static void on_frame(chan *c, struct chan_frame *f, void *arg) {
    (void)c;
    struct seen *s = arg;
    s->frames++;
    s->bytes += f->payload.n;
    s->sum += f->stream;
    if (f->fd >= 0) {
        struct stat st;
        assert_int_equal(fstat(f->fd, &st), 0);
        s->inodes[s->fds++] = st.st_ino;
    }
}

static void on_close(chan *c, const char *why, void *arg) {
    (void)c;
    (void)why;
    ((struct seen *)arg)->closed++;
}

static const struct chan_events EV = {.on_frame = on_frame, .on_close = on_close};

static void all_frames(bool gather) {
    loop *l;
    assert_null(loop_new(&l));
    int fds[2];
    assert_null(chan_pair(fds));
    chan *a, *b;
    struct seen sa = {0}, sb = {0};
    assert_null(chan_new(l, fds[0], &EV, &sa, &a));
    assert_null(chan_new(l, fds[1], &EV, &sb, &b));
    if (gather) chan_gather(a);
    buf big = {0};
    memset(buf_reserve(&big, 3000000), 'x', 3000000);
    big.n = 3000000;
    ino_t want[3];
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "t%d", i);
        int fd = memfd_create(name, MFD_CLOEXEC);
        struct stat st;
        fstat(fd, &st);
        want[i] = st.st_ino;
        chan_send(a, MSG_HELLO, 1, STR("small"), -1);
        chan_send(a, MSG_HELLO, 2, buf_view(&big), fd);
        close(fd);
    }
    for (int i = 0; i < 2000 && sb.frames < 6; i++) loop_step(l, 1000);
    assert_int_equal(sb.frames, 6);
    assert_int_equal(sb.bytes, 3 * 3000005);
    assert_int_equal(sb.sum, 9);
    assert_int_equal(sb.fds, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(sb.inodes[i], want[i]);
    chan_free(a);
    for (int i = 0; i < 10 && !sb.closed; i++) loop_step(l, 1000);
    assert_int_equal(sb.closed, 1);
    chan_free(b);
    buf_free(&big);
    loop_free(l);
}

static void test_rubbish(void **state) {
    (void)state;
    loop *l;
    assert_null(loop_new(&l));
    int fds[2];
    assert_null(chan_pair(fds));
    chan *b;
    struct seen sb = {0};
    assert_null(chan_new(l, fds[1], &EV, &sb, &b));
    unsigned char head[16];
    memset(head, 0xff, sizeof(head));
    assert_int_equal(write(fds[0], head, 16), 16);
    for (int i = 0; i < 10 && !sb.closed; i++) loop_step(l, 1000);
    assert_int_equal(sb.closed, 1);
    assert_int_equal(sb.frames, 0);
    chan_free(b);
    close(fds[0]);
    loop_free(l);
}

/* Whoever sends to a side that went away is not called back while he sends: the loop tells, after what
 * the other side had said. */
static void test_gone(void **state) {
    (void)state;
    loop *l;
    assert_null(loop_new(&l));
    int fds[2];
    assert_null(chan_pair(fds));
    chan *b;
    struct seen sb = {0};
    assert_null(chan_new(l, fds[1], &EV, &sb, &b));
    assert_null(chan_send_blocking(fds[0], MSG_HELLO, 7, STR("last words"), -1));
    close(fds[0]);
    for (int i = 0; i < 3; i++) chan_send(b, MSG_HELLO, 1, STR("to nobody"), -1);
    assert_int_equal(sb.closed, 0);
    assert_int_equal(sb.frames, 0);
    for (int i = 0; i < 10 && !sb.closed; i++) loop_step(l, 1000);
    assert_int_equal(sb.closed, 1);
    assert_int_equal(sb.frames, 1);
    assert_int_equal(sb.sum, 7);
    chan_send(b, MSG_HELLO, 1, STR("to nobody"), -1);
    chan_free(b);

    /* Freed before the loop could tell: nothing is told. */
    assert_null(chan_pair(fds));
    assert_null(chan_new(l, fds[1], &EV, &sb, &b));
    close(fds[0]);
    chan_send(b, MSG_HELLO, 1, STR("to nobody"), -1);
    chan_free(b);
    for (int i = 0; i < 3; i++) loop_step(l, 1000);
    assert_int_equal(sb.closed, 1);
    loop_free(l);
}

static void test_frames(void **state) {
    (void)state;
    all_frames(false);
    all_frames(true);
}

/* Gathered frames leave at the end of the round, in order; or when the channel is freed. */
static void test_gather(void **state) {
    (void)state;
    loop *l;
    assert_null(loop_new(&l));
    int fds[2];
    assert_null(chan_pair(fds));
    chan *a;
    struct seen sa = {0};
    char got[256];
    assert_null(chan_new(l, fds[0], &EV, &sa, &a));
    chan_gather(a);
    for (uint64_t i = 0; i < 3; i++) chan_send(a, MSG_HELLO, i, STR("four"), -1);
    assert_int_equal(chan_backlog(a), 3 * (CHAN_HEADER + 4));
    assert_int_equal(recv(fds[1], got, sizeof(got), MSG_DONTWAIT), -1);
    loop_step(l, 0);
    assert_int_equal(chan_backlog(a), 0);
    assert_int_equal(recv(fds[1], got, sizeof(got), MSG_DONTWAIT), 3 * (CHAN_HEADER + 4));
    for (int i = 0; i < 3; i++) assert_int_equal(got[i * (CHAN_HEADER + 4) + 8], i); /* its stream */
    chan_send(a, MSG_HELLO, 9, STR("last"), -1);
    chan_free(a);
    assert_int_equal(recv(fds[1], got, sizeof(got), MSG_DONTWAIT), CHAN_HEADER + 4);
    assert_int_equal(recv(fds[1], got, sizeof(got), MSG_DONTWAIT), 0);
    close(fds[1]);
    loop_free(l);
}

static void test_codec(void **state) {
    (void)state;
    arena *a = arena_new();
    struct msg_pair p[2] = {{STR("Accept"), STR("*/*")}, {STR("X"), STR("")}};
    struct msg_request m = {.method = STR("GET"), .target = STR("/a?b"), .headers = {p, 2},
                            .body = STR("zz"), .content_length = -1, .tls = true};
    buf b = {0};
    msg_request_encode(&m, &b);
    struct msg_request r;
    assert_true(msg_request_decode(a, buf_view(&b), &r));
    assert_true(str_eqz(r.method, "GET") && str_eqz(r.target, "/a?b") && str_eqz(r.body, "zz"));
    assert_int_equal(r.headers.n, 2);
    assert_true(str_eqz(r.headers.p[0].value, "*/*"));
    assert_true(r.content_length == -1 && r.tls);
    /* Any shorter or longer payload is refused. */
    for (size_t n = 0; n < b.n; n++) assert_false(msg_request_decode(a, str_n(b.p, n), &r));
    buf_c(&b, 0);
    assert_false(msg_request_decode(a, buf_view(&b), &r));
    buf_free(&b);
    arena_free(a);
}

static void test_blocking(void **state) {
    (void)state;
    int fds[2];
    assert_null(chan_pair(fds));
    arena *a = arena_new();
    int fd = memfd_create("x", MFD_CLOEXEC);
    assert_null(chan_send_blocking(fds[0], MSG_READY, 5, STR("abc"), fd));
    struct chan_frame f;
    bool eof;
    assert_null(chan_recv_blocking(fds[1], a, 100, &f, &eof));
    assert_false(eof);
    assert_true(f.type == MSG_READY && f.stream == 5 && str_eqz(f.payload, "abc") && f.fd >= 0);
    close(f.fd);
    close(fd);
    close(fds[0]);
    assert_null(chan_recv_blocking(fds[1], a, 100, &f, &eof));
    assert_true(eof);
    close(fds[1]);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames), cmocka_unit_test(test_rubbish), cmocka_unit_test(test_gone), cmocka_unit_test(test_gather),
        cmocka_unit_test(test_codec),
        cmocka_unit_test(test_blocking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
