/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control's client, the frames between, the courier's service and a real S3 server: everything but
 * the processes around them. Client and courier each run on a loop and thread of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "courier/service.h"
#include "harness/moto.h"
#include "harness/storage_suite.h"
#include "ipc/courier_client.h"

static struct moto server;
static loop *courier_loop, *control_loop;
static courier *the_courier;
static courier_client *client;
static pthread_t courier_thread, control_thread;
static storage *s;

static void *run(void *arg) {
    loop_run(arg);
    return NULL;
}

/* Runs fn on a loop's thread and waits for it. */
struct there {
    void (*fn)(void *);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t done_now;
    bool done;
};

static void do_there(void *arg) {
    struct there *t = arg;
    t->fn(t->arg);
    pthread_mutex_lock(&t->lock);
    t->done = true;
    pthread_cond_signal(&t->done_now);
    pthread_mutex_unlock(&t->lock);
}

static void on_thread(loop *l, void (*fn)(void *), void *arg) {
    struct there t = {fn, arg, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    loop_post(l, do_there, &t);
    pthread_mutex_lock(&t.lock);
    while (!t.done) pthread_cond_wait(&t.done_now, &t.lock);
    pthread_mutex_unlock(&t.lock);
}

static void join_control(void *fd) { suite_ok(courier_client_connect(client, *(int *)fd)); }
static void join_courier(void *fd) { suite_ok(courier_add_control(the_courier, *(int *)fd)); }

static void connect_both(void) {
    int fds[2];
    suite_ok(chan_pair(fds));
    on_thread(courier_loop, join_courier, &fds[1]);
    on_thread(control_loop, join_control, &fds[0]);
}

/* A store that takes connections and never answers: the kernel does that for a listener that nobody accepts from. */
static int silent_fd, silent_port;

static int listen_silently(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    silent_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(silent_fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(silent_fd, 200), 0);
    assert_int_equal(getsockname(silent_fd, (struct sockaddr *)&at, &n), 0);
    return silent_port = ntohs(at.sin_port);
}

static int start(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    moto_start(&server, true);
    suite_ok(loop_new(&courier_loop));
    suite_ok(loop_new(&control_loop));
    suite_ok(courier_new(courier_loop, &the_courier));
    client = courier_client_new(control_loop);
    struct settings set;
    settings_init(&set);
    suite_ok(
        settings_set(&set, STR("storage.root"), STR("s3://bucket/some/root"), SETTING_COMMAND));
    suite_ok(
        settings_set(&set, STR("storage.s3.endpoint"), str_of(server.endpoint), SETTING_COMMAND));
    suite_ok(settings_set(&set, STR("storage.s3.access_key_id"), str_of(server.key_id),
                          SETTING_COMMAND));
    suite_ok(settings_set(&set, STR("storage.s3.secret_access_key"), str_of(server.secret),
                          SETTING_FILE));
    char allow[200];
    snprintf(allow, sizeof(allow), "%s,127.0.0.1:%d", server.endpoint + 7, listen_silently());
    suite_ok(settings_set(&set, STR("egress.allow"), str_of(allow), SETTING_COMMAND));
    suite_ok(courier_set(the_courier, &set));
    settings_free(&set);
    pthread_create(&courier_thread, NULL, run, courier_loop);
    pthread_create(&control_thread, NULL, run, control_loop);
    connect_both();
    s = courier_client_storage(client);
    return 0;
}

static void stop_loop(void *l) { loop_stop(l); }

static int stop(void **state) {
    (void)state;
    loop_post(control_loop, stop_loop, control_loop);
    pthread_join(control_thread, NULL);
    loop_post(courier_loop, stop_loop, courier_loop);
    pthread_join(courier_thread, NULL);
    courier_client_free(client);
    courier_free(the_courier);
    loop_free(control_loop);
    loop_free(courier_loop);
    moto_stop(&server);
    return 0;
}

#define CASE(name)                                                                                 \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        suite_##name(s);                                                                           \
    }
CASE(objects)
CASE(ranges)
CASE(if_absent)
CASE(names)
CASE(listing)
CASE(copy_delete)

static void test_multipart(void **state) {
    (void)state;
    suite_multipart(s, 5u << 20, false);
}

/* ---- the asynchronous way, as control uses it for bodies that a gateway moves ---- */

struct outcome {
    int heads, dones;
    struct storage_info head;
    err_code code;
    uint64_t number;
    struct order o;
    int fd;
    bool ok;
    int64_t size;
};

static void on_head(void *arg, const struct storage_info *info) {
    struct outcome *x = arg;
    x->heads++;
    x->head = *info;
}

static void on_done(void *arg, err *e, arena *a, jval *v) {
    struct outcome *x = arg;
    (void)a;
    (void)v;
    x->code = err_code_of(e);
    err_free(e);
    __atomic_add_fetch(&x->dones, 1, __ATOMIC_SEQ_CST);
}

static void ask(void *arg) {
    struct outcome *x = arg;
    struct courier_call call = {on_head, on_done, x};
    x->number = courier_ask(client, &x->o, x->fd, &call);
    if (x->fd >= 0) close(x->fd);
}

static void confirm(void *arg) {
    struct outcome *x = arg;
    courier_confirm(client, x->number, x->ok, x->size);
}

static void nothing(void *arg) { (void)arg; }

static void wait_done(struct outcome *x) {
    for (int i = 0; i < 60000 && !__atomic_load_n(&x->dones, __ATOMIC_SEQ_CST); i++) {
        usleep(1000);
        on_thread(control_loop, nothing, NULL);
    }
    assert_int_equal(x->dones, 1);
}

/* Sends `text` as the body of a put and says afterwards what control would say. */
static err_code put_by_socket(const char *text, int64_t announced, bool ok, int64_t size,
                              bool say) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct outcome x = {.o = {.verb = ORDER_PUT, .key = STR("sock/x"), .size = announced},
                        .fd = fds[1],
                        .ok = ok,
                        .size = size};
    on_thread(control_loop, ask, &x);
    assert_int_equal(write(fds[0], text, strlen(text)), strlen(text));
    close(fds[0]);
    if (say) on_thread(control_loop, confirm, &x);
    wait_done(&x);
    return x.code;
}

static void test_confirmation(void **state) {
    (void)state;
    struct storage_info info;
    assert_int_equal(put_by_socket("abc", -1, false, 3, true), ERR_CANCELLED);
    suite_is(storage_head(s, STR("sock/x"), &info), ERR_NOT_FOUND);
    assert_int_equal(put_by_socket("abc", -1, true, 4, true), ERR_DATA_LOSS);
    assert_int_equal(put_by_socket("abc", 5, true, 3, true), ERR_DATA_LOSS);
    suite_is(storage_head(s, STR("sock/x"), &info), ERR_NOT_FOUND);
    assert_int_equal(put_by_socket("abc", 3, true, 3, true), ERR_OK);
    suite_has(s, "sock/x", "abc");
    assert_int_equal(put_by_socket("abcd", -1, true, 4, true), ERR_OK);
    suite_has(s, "sock/x", "abcd");
}

static void test_head_first(void **state) {
    (void)state;
    suite_put(s, "sock/get", "0123456789");
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct outcome x = {.o = {.verb = ORDER_GET, .key = STR("sock/get"), .offset = 4, .length = 3},
                        .fd = fds[1]};
    on_thread(control_loop, ask, &x);
    wait_done(&x);
    assert_int_equal(x.heads, 1);
    assert_int_equal(x.head.size, 10);
    assert_int_equal(x.code, ERR_OK);
    char text[16];
    assert_int_equal(read(fds[0], text, sizeof(text)), 3);
    assert_memory_equal(text, "456", 3);
    assert_int_equal(read(fds[0], text, sizeof(text)), 0); /* the courier closed its end */
    close(fds[0]);
    struct outcome none = {.o = {.verb = ORDER_GET, .key = STR("sock/none"), .length = -1},
                           .fd = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    none.fd = fds[1];
    on_thread(control_loop, ask, &none);
    wait_done(&none);
    assert_int_equal(none.heads, 0);
    assert_int_equal(none.code, ERR_NOT_FOUND);
    close(fds[0]);
}

/* A frame sent by hand, and the code of its answer. */
static err_code by_hand(int sock, uint64_t stream, str verb, str json, str token) {
    struct msg_courier_order m = {.verb = verb, .json = json, .token = token};
    buf b = {0};
    msg_courier_order_encode(&m, &b);
    suite_ok(chan_send_blocking(sock, MSG_COURIER_ORDER, stream, buf_view(&b), -1));
    buf_free(&b);
    arena *a = arena_new();
    struct chan_frame f;
    bool eof;
    suite_ok(chan_recv_blocking(sock, a, 1 << 20, &f, &eof));
    assert_false(eof);
    assert_int_equal(f.stream, stream);
    struct msg_courier_result r;
    assert_true(msg_courier_result_decode(a, f.payload, &r));
    err_code code = r.code.n ? err_by_name(r.code) : ERR_OK;
    arena_free(a);
    return code;
}

static void test_tokens(void **state) {
    (void)state;
    int fds[2];
    unsigned char key[ORDER_KEY_SIZE] = {9}, wrong[ORDER_KEY_SIZE] = {8};
    suite_ok(chan_pair(fds));
    on_thread(courier_loop, join_courier, &fds[1]);
    suite_put(s, "tok/x", "x");
    struct order o = {.verb = ORDER_HEAD, .key = STR("tok/x"), .expires = INT64_MAX};
    buf json = {0}, token = {0}, bad = {0}, late = {0}, late_token = {0};
    order_write(&o, &json);
    order_sign(key, STR("head"), buf_view(&json), &token);
    order_sign(wrong, STR("head"), buf_view(&json), &bad);
    assert_int_equal(by_hand(fds[0], 1, STR("head"), buf_view(&json), buf_view(&token)),
                     ERR_PERMISSION_DENIED); /* no key yet */
    struct msg_courier_key k = {.key = str_n((char *)key, sizeof(key))};
    buf b = {0};
    msg_courier_key_encode(&k, &b);
    suite_ok(chan_send_blocking(fds[0], MSG_COURIER_KEY, 0, buf_view(&b), -1));
    assert_int_equal(by_hand(fds[0], 2, STR("head"), buf_view(&json), buf_view(&token)), ERR_OK);
    assert_int_equal(by_hand(fds[0], 3, STR("head"), buf_view(&json), buf_view(&bad)),
                     ERR_PERMISSION_DENIED);
    assert_int_equal(by_hand(fds[0], 4, STR("delete"), buf_view(&json), buf_view(&token)),
                     ERR_PERMISSION_DENIED);
    assert_int_equal(by_hand(fds[0], 5, STR("head"), buf_view(&json), STR("")),
                     ERR_PERMISSION_DENIED);
    o.expires = 1;
    order_write(&o, &late);
    order_sign(key, STR("head"), buf_view(&late), &late_token);
    assert_int_equal(by_hand(fds[0], 6, STR("head"), buf_view(&late), buf_view(&late_token)),
                     ERR_PERMISSION_DENIED);
    /* a put without its descriptor is refused, not waited for */
    struct order put = {.verb = ORDER_PUT, .key = STR("tok/y"), .expires = INT64_MAX, .size = -1};
    buf_clear(&json);
    buf_clear(&token);
    order_write(&put, &json);
    order_sign(key, STR("put"), buf_view(&json), &token);
    assert_int_equal(by_hand(fds[0], 7, STR("put"), buf_view(&json), buf_view(&token)),
                     ERR_MALFORMED_REQUEST);
    close(fds[0]);
    buf_free(&json);
    buf_free(&token);
    buf_free(&bad);
    buf_free(&late);
    buf_free(&late_token);
    buf_free(&b);
}

/* Many threads at once, over a few connections' worth of lanes. */
static void *many(void *arg) {
    char key[64], text[96];
    for (int i = 0; i < 6; i++) {
        snprintf(key, sizeof(key), "many/%ld/%d", (long)(intptr_t)arg, i);
        snprintf(text, sizeof(text), "body of %s", key);
        suite_put(s, key, text);
        suite_has(s, key, text);
    }
    return NULL;
}

static void test_many(void **state) {
    (void)state;
    pthread_t t[16];
    for (intptr_t i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&t[i], NULL, many, (void *)i), 0);
    for (int i = 0; i < 16; i++) pthread_join(t[i], NULL);
}

static void running(void *arg) { *(size_t *)arg = courier_running(the_courier); }

/* The channel closes in the midst of a put: it fails here, and nothing of it remains there. */
static void test_reconnect(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct outcome x = {.o = {.verb = ORDER_PUT, .key = STR("cut/x"), .size = -1}, .fd = fds[1]};
    on_thread(control_loop, ask, &x);
    assert_int_equal(write(fds[0], "abc", 3), 3);
    connect_both(); /* replaces the channel */
    wait_done(&x);
    assert_int_equal(x.code, ERR_TEMPORARILY_UNAVAILABLE);
    size_t n = 1;
    for (int i = 0; i < 10000 && n; i++) {
        on_thread(courier_loop, running, &n);
        usleep(1000);
    }
    assert_int_equal(n, 0);
    struct storage_info info;
    suite_is(storage_head(s, STR("cut/x"), &info), ERR_NOT_FOUND);
    close(fds[0]);
}

/* Asked while there is no courier: it fails, but never inside the asking call, whose caller still
 * holds what the outcome may free. */
static void test_nobody_there(void **state) {
    (void)state;
    loop *l;
    suite_ok(loop_new(&l));
    courier_client *c = courier_client_new(l);
    struct outcome x = {.o = {.verb = ORDER_HEAD, .key = STR("x")}}, y = x;
    assert_true(courier_ask(c, &x.o, -1, &(struct courier_call){on_head, on_done, &x}) > 0);
    assert_int_equal(x.dones, 0);
    for (int i = 0; i < 10 && !x.dones; i++) loop_step(l, 1000);
    assert_int_equal(x.dones, 1);
    assert_int_equal(x.code, ERR_TEMPORARILY_UNAVAILABLE);
    assert_true(courier_ask(c, &y.o, -1, &(struct courier_call){on_head, on_done, &y}) > 0);
    assert_int_equal(y.dones, 0);
    courier_client_free(c); /* fails what is asked */
    assert_int_equal(y.dones, 1);
    for (int i = 0; i < 3; i++) loop_step(l, 1000);
    assert_int_equal(y.dones, 1);
    loop_free(l);
}

#define SILENT 40

static void *ask_silent(void *arg) {
    struct storage_info info;
    err *e = storage_head(arg, STR("x"), &info);
    assert_non_null(e);
    err_free(e);
    return NULL;
}

/* More orders to a store that does not answer than a lane has threads: another store's orders are carried out meanwhile. */
static void test_one_slow_store_holds_up_nobody(void **state) {
    (void)state;
    pthread_t t[SILENT];
    size_t n = 0;
    char config[300];
    struct storage_info info;
    snprintf(config, sizeof(config), "{\"bucket\":\"silent\",\"endpoint\":\"http://127.0.0.1:%d\",\"path_style\":true,\"access_key_id\":\"k\","
             "\"secret_access_key\":\"s\"}", silent_port);
    suite_ok(courier_client_place(client, STR("silent"), str_of(config)));
    storage *silent = courier_client_store(client, STR("silent"));
    for (int i = 0; i < SILENT; i++) assert_int_equal(pthread_create(&t[i], NULL, ask_silent, silent), 0);
    for (int i = 0; i < 10000 && n < SILENT; i++) {
        on_thread(courier_loop, running, &n);
        usleep(1000);
    }
    assert_int_equal(n, SILENT);
    suite_put(s, "beside/x", "text");
    suite_has(s, "beside/x", "text");
    suite_ok(storage_head(s, STR("beside/x"), &info));
    on_thread(courier_loop, running, &n);
    assert_int_equal(n, SILENT); /* none of them had an answer */
    close(silent_fd);            /* now each has one: connections are reset, or refused */
    for (int i = 0; i < SILENT; i++) pthread_join(t[i], NULL);
}

/* ---- further stores, and an engine's channel with grants ---- */

static loop *engine_loop;
static courier_client *engine;

static void give_engine(void *fd) { courier_client_engine(client, *(int *)fd); }
static void join_engine(void *fd) { suite_ok(courier_client_join(engine, *(int *)fd)); }
static void end_statement(void *n) { courier_client_ended(client, *(uint64_t *)n); }

static storage *granted(const char *prefix, bool write, uint64_t statement, int64_t expires) {
    struct order_grant g = {.place = STR("p1"), .prefix = str_of(prefix), .write = write, .statement = statement, .expires = expires};
    buf token = {0};
    courier_client_grant(client, &g, &token);
    storage *st = courier_client_granted(engine, buf_view(&token));
    buf_free(&token);
    return st;
}

static void refused(storage *st, const char *key, const char *to) {
    struct storage_info info;
    struct storage_bytes from;
    struct storage_put_options o = {0};
    arena *a = arena_new();
    str k = str_of(key);
    buf b = {0};
    struct storage_sink sink = storage_to_buf(&b);
    if (to) suite_is(storage_copy(st, k, str_of(to), &info), ERR_PERMISSION_DENIED);
    suite_is(storage_put(st, k, storage_from_bytes(&from, STR("x")), &o, &info), ERR_PERMISSION_DENIED);
    suite_is(storage_del(st, &k, 1), ERR_PERMISSION_DENIED);
    if (!to) {
        struct storage_list_ask ask = {.prefix = k};
        struct storage_list page;
        suite_is(storage_head(st, k, &info), ERR_PERMISSION_DENIED);
        suite_is(storage_get(st, k, 0, -1, STR_NONE, &sink, &info), ERR_PERMISSION_DENIED);
        suite_is(storage_list(st, a, &ask, &page), ERR_PERMISSION_DENIED);
    }
    buf_free(&b);
    arena_free(a);
}

static void test_grants(void **state) {
    (void)state;
    pthread_t t;
    int fds[2];
    struct storage_info info;
    buf config = {0};
    buf_fmt(&config, "{\"bucket\":\"bucket\",\"endpoint\":\"%s\",\"path_style\":true,\"access_key_id\":\"%s\",\"secret_access_key\":\"%s\"}",
            server.endpoint, server.key_id, server.secret);
    suite_ok(courier_client_place(client, STR("p1"), buf_view(&config)));
    suite_ok(courier_client_place(client, STR("p1"), buf_view(&config))); /* known: nothing is sent */
    buf_free(&config);
    storage *whole = courier_client_store(client, STR("p1"));
    assert_null(courier_client_store(client, STR("p2")));
    suite_put(whole, "g/a/in", "inside");
    suite_put(whole, "g/ab", "beside");
    suite_put(whole, "g/a/_delta_log/0.json", "log");
    suite_ok(loop_new(&engine_loop));
    engine = courier_client_new(engine_loop);
    assert_int_equal(pthread_create(&t, NULL, run, engine_loop), 0);
    suite_ok(chan_pair(fds));
    on_thread(control_loop, give_engine, &fds[0]);
    on_thread(engine_loop, join_engine, &fds[1]);

    storage *r = granted("g/a", false, 7, INT64_MAX), *w = granted("g/a", true, 8, INT64_MAX), *late = granted("g/a", true, 9, 1);
    suite_has(r, "g/a/in", "inside");
    suite_has(r, "g/a/_delta_log/0.json", "log");
    refused(r, "g/a/in", "g/a/copy");
    refused(w, "g/ab", NULL); /* not below the prefix, though it begins like it */
    refused(w, "g/ab", "g/a/x");
    refused(w, "g/a/_delta_log/1.json", "g/a/_delta_log/2.json"); /* the committer's */
    refused(late, "g/a/in", NULL);
    suite_put(w, "g/a/new", "text");
    suite_has(whole, "g/a/new", "text");
    suite_is(storage_copy(w, STR("g/a/in"), STR("g/b"), &info), ERR_PERMISSION_DENIED);

    /* Forged and foreign ones. */
    storage *forged = courier_client_granted(engine, STR("7b7d.AAAA")), *none = courier_client_granted(engine, STR("x"));
    refused(forged, "g/a/in", NULL);
    refused(none, "g/a/in", NULL);
    struct order_grant g = {.place = STR("nowhere"), .statement = 7, .expires = INT64_MAX};
    buf token = {0};
    courier_client_grant(client, &g, &token);
    storage *strange = courier_client_granted(engine, buf_view(&token));
    buf_free(&token);
    suite_is(storage_head(strange, STR("g/a/in"), &info), ERR_TEMPORARILY_UNAVAILABLE);

    /* They end with their statement. */
    uint64_t seven = 7;
    on_thread(control_loop, end_statement, &seven);
    for (int i = 0; i < 1000; i++) {
        err *e = storage_head(r, STR("g/a/in"), &info);
        bool over = err_code_of(e) == ERR_PERMISSION_DENIED;
        err_free(e);
        if (over) break;
        usleep(1000);
    }
    refused(r, "g/a/in", NULL);
    suite_has(w, "g/a/in", "inside");

    /* A new channel of control: places are told again, the engine's old one is closed, grants hold. */
    connect_both();
    suite_has(whole, "g/a/in", "inside");
    suite_ok(chan_pair(fds));
    on_thread(control_loop, give_engine, &fds[0]);
    on_thread(engine_loop, join_engine, &fds[1]);
    suite_has(w, "g/a/in", "inside");
    storage_free(r), storage_free(w), storage_free(late), storage_free(forged), storage_free(none), storage_free(strange);
    loop_post(engine_loop, stop_loop, engine_loop);
    pthread_join(t, NULL);
    courier_client_free(engine);
    loop_free(engine_loop);
}

/* The role as the supervisor sees it: settings with secrets, a channel of control, work, an end. */
static void *role(void *arg) {
    suite_ok(courier_run(*(int *)arg));
    return NULL;
}

#define SEND(sock, name, fd, ...)                                                                  \
    do {                                                                                           \
        struct msg_##name m_ = {__VA_ARGS__};                                                      \
        buf b_ = {0};                                                                              \
        msg_##name##_encode(&m_, &b_);                                                             \
        suite_ok(chan_send_blocking((sock), MSG_TYPE_##name, 1, buf_view(&b_), (fd)));             \
        buf_free(&b_);                                                                             \
    } while (0)

static void test_role(void **state) {
    (void)state;
    int fds[2], peer[2];
    pthread_t t;
    suite_ok(chan_pair(fds));
    suite_ok(chan_pair(peer));
    assert_int_equal(pthread_create(&t, NULL, role, &fds[1]), 0);
    buf text = {0};
    buf_fmt(&text,
            "storage.root=s3://bucket/role\nstorage.s3.endpoint=%s\nstorage.s3.access_key_id=%s\n"
            "storage.s3.secret_access_key=%s\negress.allow=127.0.0.1:%d\n",
            server.endpoint, server.key_id, server.secret, server.port);
    SEND(fds[0], reload, -1, .text = buf_view(&text));
    buf_free(&text);
    SEND(fds[0], peer, peer[1], .role = STR("control"));
    close(peer[1]);
    on_thread(control_loop, join_control, &peer[0]); /* the client's own channel is replaced */
    suite_put(s, "from/role", "text");
    suite_has(s, "from/role", "text");
    SEND(fds[0], drain, -1, .deadline_ms = 1000);
    pthread_join(t, NULL);
    close(fds[0]);
    connect_both();
    struct storage_info info; /* the other courier has another root */
    suite_is(storage_head(s, STR("from/role"), &info), ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_##name)
        T(objects),     T(ranges),    T(if_absent),    T(names),      T(listing),
        T(copy_delete), T(multipart), T(confirmation), T(head_first), T(tokens),
        T(many),        T(reconnect), T(nobody_there), T(one_slow_store_holds_up_nobody), T(grants),
        T(role),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
