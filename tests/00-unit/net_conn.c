/* SPDX-License-Identifier: Apache-2.0 */
/* Connections by themselves: order of callbacks, kept bytes, queue, half close, ends, deadlines. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "net/conn.h"
#include "net/listener.h"

static loop *l;
static net *n;

struct owner {
    char story[2000]; /* one letter per callback: r d e D t c f(ile) */
    char got[4000];
    size_t got_n, take; /* take at most this much at once (0: all) */
    bool close_in_data, finish_in_data, sent_ok;
    char why[200];
};

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}
static void note(struct owner *o, char c) {
    size_t at = strlen(o->story);
    if (at + 1 < sizeof(o->story)) o->story[at] = c;
}

static void on_ready(conn *c, void *arg) {
    (void)c;
    note(arg, 'r');
}
static size_t on_data(conn *c, str data, void *arg) {
    struct owner *o = arg;
    note(o, 'd');
    size_t k = o->take && o->take < data.n ? o->take : data.n;
    if (o->got_n + k > sizeof(o->got)) k = sizeof(o->got) - o->got_n;
    if (k) memcpy(o->got + o->got_n, data.p, k);
    o->got_n += k;
    if (o->close_in_data) conn_close(c);
    if (o->finish_in_data) {
        conn_write(c, STR("bye"));
        conn_finish(c);
    }
    return k;
}
static void on_eof(conn *c, void *arg) {
    assert_true(conn_eof(c));
    note(arg, 'e');
}
static void on_drain(conn *c, void *arg) {
    assert_true(conn_backlog(c) <= CONN_LOW);
    note(arg, 'D');
}
static void on_timeout(conn *c, void *arg) {
    (void)c;
    note(arg, 't');
}
static void on_close(conn *c, const err *why, void *arg) {
    (void)c;
    struct owner *o = arg;
    note(o, 'c');
    snprintf(o->why, sizeof(o->why), "%s", why ? err_msg(why) : "");
}
static const struct conn_events events = {on_ready, on_data,    on_eof,
                                          on_drain, on_timeout, on_close};

static int setup(void **state) {
    (void)state;
    ok(loop_new(&l));
    ok(net_new(l, &n));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    assert_int_equal(net_conns(n), 0);
    net_free(n);
    loop_free(l);
    return 0;
}
static void turn(int times) {
    while (times--) loop_step(l, 0);
}

static conn *pair(struct owner *o, int *ret_peer) {
    int fds[2];
    conn *c;
    memset(o, 0, sizeof(*o));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ok(conn_adopt(n, fds[0], NULL, &events, o, &c));
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    *ret_peer = fds[1];
    return c;
}

static void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void kept_bytes(void **state) {
    (void)state;
    struct owner o;
    int peer;
    conn *c = pair(&o, &peer);
    o.take = 3;
    say(peer, "abcdefgh");
    turn(3);
    assert_string_equal(o.story, "d");
    assert_true(conn_paused(c));
    say(peer, "ij"); /* not read while there is something left */
    turn(3);
    assert_string_equal(o.story, "d");
    close(peer); /* the end waits too */
    turn(3);
    assert_string_equal(o.story, "d");
    conn_resume(c);
    assert_string_equal(o.story, "d"); /* never from within */
    turn(2);
    assert_string_equal(o.story, "dd");
    for (int i = 0; i < 10 && !strchr(o.story, 'e'); i++) {
        conn_resume(c);
        turn(3);
    }
    assert_memory_equal(o.got, "abcdefghij", 10);
    assert_int_equal(o.got_n, 10);
    assert_non_null(strchr(o.story, 'e'));
    assert_null(strchr(o.story, 'c'));
    conn_close(c);
}

static void pausing(void **state) {
    (void)state;
    struct owner o;
    int peer;
    conn *c = pair(&o, &peer);
    conn_pause(c);
    say(peer, "x");
    turn(3);
    assert_string_equal(o.story, "");
    conn_resume(c);
    turn(3);
    assert_int_equal(o.got_n, 1);
    conn_close(c);
    close(peer);
}

static void closing_inside(void **state) {
    (void)state;
    struct owner o;
    int peer;
    char text[10] = "";
    pair(&o, &peer);
    o.close_in_data = true;
    say(peer, "x");
    turn(3);
    assert_string_equal(o.story, "d");
    assert_int_equal(recv(peer, text, sizeof(text), 0), 0);
    close(peer);
    pair(&o, &peer);
    o.finish_in_data = true;
    say(peer, "x");
    say(peer, "y");
    turn(3);
    assert_string_equal(o.story, "dc");
    assert_string_equal(o.why, "");
    assert_int_equal(recv(peer, text, sizeof(text), 0), 3);
    assert_memory_equal(text, "bye", 3);
    close(peer);
}

static size_t drink(int fd) {
    static char sink[65536];
    size_t all = 0;
    for (ssize_t r; (r = recv(fd, sink, sizeof(sink), 0)) > 0;) all += (size_t)r;
    return all;
}

static void queue_and_drain(void **state) {
    (void)state;
    struct owner o;
    int peer;
    conn *c = pair(&o, &peer);
    static char much[3000000];
    conn_write2(c, STR("head"), str_n(much, sizeof(much)));
    assert_true(conn_backlog(c) > CONN_HIGH && conn_sending(c));
    conn_write(c, STR("tail"));
    size_t got = 0;
    for (int i = 0; i < 2000 && got < sizeof(much) + 8; i++) {
        turn(1);
        got += drink(peer);
    }
    assert_int_equal(got, sizeof(much) + 8);
    turn(1);
    assert_string_equal(o.story, "D");
    assert_int_equal(conn_backlog(c), 0);
    /* half close comes after the queue, and reading goes on */
    conn_write(c, str_n(much, sizeof(much)));
    conn_shutdown(c);
    conn_write(c, STR("dropped"));
    got = 0;
    char one;
    for (int i = 0; i < 2000; i++) {
        turn(1);
        got += drink(peer);
        if (recv(peer, &one, 1, 0) == 0) break;
    }
    assert_int_equal(got, sizeof(much));
    say(peer, "still heard");
    turn(2);
    assert_int_equal(o.got_n, 11);
    /* finish does, too, and then ends */
    conn_close(c);
    close(peer);
    c = pair(&o, &peer);
    conn_write(c, str_n(much, sizeof(much)));
    conn_finish(c);
    got = 0;
    for (int i = 0; i < 2000 && !strchr(o.story, 'c'); i++) {
        turn(1);
        got += drink(peer);
    }
    assert_int_equal(got + drink(peer), sizeof(much));
    assert_string_equal(o.why, "");
    close(peer);
}

static void peer_vanishes(void **state) {
    (void)state;
    struct owner o;
    int peer;
    static char much[3000000];
    conn *c = pair(&o, &peer);
    conn_write(c, str_n(much, sizeof(much)));
    close(peer);
    turn(5);
    assert_non_null(strchr(o.story, 'c'));
    assert_true(strlen(o.why) > 0);
    /* found out by a write of ours: told later, from the loop */
    c = pair(&o, &peer);
    conn_pause(c);
    close(peer);
    conn_write(c, STR("x"));
    assert_true(conn_broken(c) && conn_backlog(c) == SIZE_MAX);
    assert_string_equal(o.story, "");
    turn(2);
    assert_string_equal(o.story, "c");
}

static void file_done(conn *c, bool good, void *arg) {
    (void)c;
    struct owner *o = arg;
    note(o, 'f');
    o->sent_ok = good;
}

static void files(void **state) {
    (void)state;
    struct owner o;
    int peer, fd = memfd_create("t", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 5000000), 0);
    for (int i = 0; i < 2; i++) { /* the second asks for more than there is */
        conn *c = pair(&o, &peer);
        conn_write(c, STR("head"));
        conn_send_file(c, fd, 10, 5000000 - 10 + i, file_done);
        assert_true(conn_sending(c));
        size_t got = 0;
        for (int j = 0; j < 5000 && !strchr(o.story, 'f'); j++) {
            turn(1);
            got += drink(peer);
        }
        assert_int_equal(got + drink(peer), 4 + 5000000 - 10);
        assert_int_equal(o.sent_ok, i == 0);
        conn_close(c);
        close(peer);
    }
    conn *c = pair(&o, &peer); /* closed in the middle: not told */
    conn_send_file(c, fd, 0, 5000000, file_done);
    turn(2);
    conn_close(c);
    turn(2);
    assert_string_equal(o.story, "");
    close(peer);
    close(fd);
}

static void deadlines(void **state) {
    (void)state;
    struct owner o;
    int peer;
    conn *c = pair(&o, &peer);
    conn_deadline(c, loop_now(l) + 5 * US_PER_MS);
    conn_deadline(c, loop_now(l) + 3600 * US_PER_S); /* later: the timer that is armed finds it */
    for (int i = 0; i < 10; i++) loop_step(l, 2000);
    assert_string_equal(o.story, "");
    conn_deadline(c, loop_now(l) + US_PER_MS);
    for (int i = 0; i < 1000 && !o.story[0]; i++) loop_step(l, 1000);
    assert_string_equal(o.story, "t");
    conn_deadline(c, loop_now(l) + US_PER_MS);
    conn_deadline(c, 0);
    for (int i = 0; i < 10; i++) loop_step(l, 1000);
    assert_string_equal(o.story, "t");
    conn_close(c);
    close(peer);
}

static int listen_here(struct sockaddr_in *sa) {
    socklen_t len = sizeof(*sa);
    *sa = (struct sockaddr_in){.sin_family = AF_INET};
    sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)sa, sizeof(*sa)), 0);
    assert_int_equal(listen(fd, 100), 0);
    getsockname(fd, (struct sockaddr *)sa, &len);
    return fd;
}

static void connecting(void **state) {
    (void)state;
    struct sockaddr_in sa;
    int fd = listen_here(&sa);
    struct owner o = {0};
    conn *c;
    ok(conn_connect(n, (struct sockaddr *)&sa, sizeof(sa), NULL, NULL, US_PER_S, &events, &o, &c));
    for (int i = 0; i < 100 && !o.story[0]; i++) loop_step(l, 1000);
    assert_string_equal(o.story, "r");
    conn_close(c);
    close(fd);
    memset(&o, 0, sizeof(o));
    ok(conn_connect(n, (struct sockaddr *)&sa, sizeof(sa), NULL, NULL, US_PER_S, &events, &o, &c));
    for (int i = 0; i < 100 && !o.story[0]; i++) loop_step(l, 1000);
    assert_string_equal(o.story, "c");
    assert_non_null(strstr(o.why, "refused"));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/bh-no-such-%d", (int)getpid());
    err *e = conn_connect(n, (struct sockaddr *)&un, sizeof(un), NULL, NULL, 0, &events, &o, &c);
    assert_non_null(e);
    assert_int_equal(err_errno_of(e), ENOENT);
    err_free(e);
}

static int accepted[200], accepted_n;
static void on_accept(int fd, const struct sockaddr *sa, socklen_t len, void *arg) {
    char text[NET_ADDRESS_TEXT];
    (void)arg;
    net_address_text(sa, len, text);
    assert_memory_equal(text, "127.0.0.1:", 10);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    accepted[accepted_n++] = fd;
}

static void listening(void **state) {
    (void)state;
    struct sockaddr_in sa;
    int fd = listen_here(&sa), clients[5];
    listener *li;
    ok(listener_new(n, fd, on_accept, NULL, &li));
    for (int i = 0; i < 5; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
        if (i == 2) {
            turn(2);
            assert_int_equal(accepted_n, 3);
            listener_pause(li, true);
        }
    }
    turn(3);
    assert_int_equal(accepted_n, 3);
    /* no descriptor left: it rests, and goes on by itself */
    struct rlimit rl, none;
    getrlimit(RLIMIT_NOFILE, &rl);
    none = rl;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    listener_pause(li, false);
    turn(10);
    assert_int_equal(accepted_n, 3);
    setrlimit(RLIMIT_NOFILE, &rl);
    for (int i = 0; i < 1000 && accepted_n < 5; i++) loop_step(l, 10000);
    assert_int_equal(accepted_n, 5);
    listener_free(li);
    for (int i = 0; i < 5; i++) {
        close(clients[i]);
        close(accepted[i]);
    }
}

static void address_texts(void **state) {
    (void)state;
    char text[NET_ADDRESS_TEXT];
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(81)};
    inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
    net_address_text((struct sockaddr *)&v6, sizeof(v6), text);
    assert_string_equal(text, "[2001:db8::1]:81");
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
    net_address_text((struct sockaddr *)&v6, sizeof(v6), text);
    assert_string_equal(text, "192.0.2.7:81");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    net_address_text((struct sockaddr *)&un, sizeof(un), text);
    assert_string_equal(text, "unix");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(kept_bytes),    TEST(pausing),       TEST(closing_inside), TEST(queue_and_drain),
        TEST(peer_vanishes), TEST(files),         TEST(deadlines),      TEST(connecting),
        TEST(listening),     TEST(address_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
