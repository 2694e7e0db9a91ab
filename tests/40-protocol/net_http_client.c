/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client, against our server and against a scripted one that answers what it is told. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "harness/net_demo.h"
#include "net/ca.h"
#include "net/http_client.h"
#include "sys/jobs.h"

static loop *l;
static net *n;
static http_client *client;
static jobs *resolver;

struct result {
    bool done;
    int status, pieces, heads;
    err_code code;
    char message[300], body[4096], type[100];
    size_t body_n;
    uint64_t sum;
    int cancel_at_piece;
};

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static void on_done(const struct http_reply *r, const err *e, void *arg) {
    struct result *x = arg;
    assert_false(x->done);
    x->done = true;
    x->code = err_code_of(e);
    if (e) {
        snprintf(x->message, sizeof(x->message), "%s", err_msg(e));
        return;
    }
    x->status = r->status;
    if (r->body.n) x->body_n = r->body.n;
    snprintf(x->body, sizeof(x->body), "%.*s", STR_ARG(r->body));
    snprintf(x->type, sizeof(x->type), "%.*s", STR_ARG(http_reply_header(r, "content-type")));
}

static void on_head(http_call *c, const struct http_reply *r, void *arg) {
    (void)c;
    ((struct result *)arg)->heads += r->status;
}

static void on_body(http_call *c, str piece, void *arg) {
    struct result *x = arg;
    x->sum = net_demo_sum(x->sum, piece.p, piece.n);
    x->body_n += piece.n;
    if (++x->pieces == x->cancel_at_piece) http_client_cancel(c);
}

static void begin_client(const struct http_client_options *o) {
    ok(loop_new(&l));
    ok(net_new(l, &n));
    ok(http_client_new(n, o, &client));
}
static void end_client(void) {
    http_client_free(client);
    if (resolver) jobs_free(resolver);
    resolver = NULL;
    assert_int_equal(net_conns(n), 0);
    net_free(n);
    loop_free(l);
}

static void wait_for(struct result *x) {
    for (int i = 0; i < 20000 && !x->done; i++) loop_step(l, 1000);
    assert_true(x->done);
}

static struct result fetch(struct http_call_ask ask) {
    struct result x = {0};
    ask.arg = &x;
    ask.on_done = on_done;
    if (!ask.method.n) ask.method = STR("GET");
    ok(http_client_start(client, &ask, NULL));
    wait_for(&x);
    return x;
}

static struct http_call_ask to(char url[200], const struct net_demo *d, const char *scheme,
                               const char *path) {
    snprintf(url, 200, "%s://127.0.0.1:%d%s", scheme, d->port, path);
    return (struct http_call_ask){.url = str_of(url)};
}

static void against_our_server(void **state) {
    (void)state;
    struct net_demo d;
    char url[200];
    net_demo_start(&d, NULL, NULL, false);
    begin_client(NULL);
    struct result x = fetch(to(url, &d, "http", "/hello"));
    assert_int_equal(x.status, 200);
    assert_string_equal(x.body, "hello");
    assert_string_equal(x.type, "text/plain");
    assert_int_equal(http_client_idle(client), 1);
    struct http_call_ask ask = to(url, &d, "http", "/echo");
    ask.method = STR("POST");
    ask.body = STR("some body");
    x = fetch(ask);
    assert_string_equal(x.body, "some body");
    assert_int_equal(net_demo_sync(&d).conns_total, 1); /* kept */
    ask.url = STR_NONE;
    ask = to(url, &d, "http", "/head?a=b");
    struct http_header h[] = {{STR("X-One"), STR("1")}, {STR("Authorization"), STR("Bearer x")}};
    ask.headers = h;
    ask.header_count = 2;
    x = fetch(ask);
    assert_non_null(strstr(x.body, "GET /head ? a=b @ 127.0.0.1"));
    assert_non_null(strstr(x.body, "x-one=1\nauthorization=Bearer x\n"));
    ask = to(url, &d, "http", "/hello");
    ask.method = STR("HEAD");
    x = fetch(ask);
    assert_int_equal(x.status, 200);
    assert_int_equal(x.body_n, 0);
    ask = to(url, &d, "http", "/stream?3000000");
    ask.max_body = 3000000;
    x = fetch(ask);
    assert_int_equal(x.body_n, 3000000);
    ask.max_body--;
    x = fetch(ask);
    assert_int_equal(x.code, ERR_RESOURCE_EXHAUSTED);
    ask.max_body = 0;
    ask.on_head = on_head;
    ask.on_body = on_body;
    x = fetch(ask);
    assert_int_equal(x.heads, 200);
    assert_int_equal(x.body_n, 3000000);
    assert_true(x.pieces > 1);
    x = fetch(to(url, &d, "http", "/short?1000"));
    assert_int_equal(x.code, ERR_IO_ERROR);
    x = fetch(to(url, &d, "http", "/cut"));
    assert_int_equal(x.code, ERR_IO_ERROR);
    ask = to(url, &d, "http", "/never");
    ask.timeout_us = 50 * US_PER_MS;
    x = fetch(ask);
    assert_int_equal(x.code, ERR_DEADLINE_EXCEEDED);
    end_client();
    net_demo_stop(&d);
}

static void cancelling(void **state) {
    (void)state;
    struct net_demo d;
    char url[200];
    net_demo_start(&d, NULL, NULL, false);
    begin_client(NULL);
    struct result x = {.cancel_at_piece = 2};
    struct http_call_ask ask = to(url, &d, "http", "/stream?3000000");
    ask.method = STR("GET");
    ask.on_body = on_body;
    ask.on_done = on_done;
    ask.arg = &x;
    ok(http_client_start(client, &ask, NULL));
    for (int i = 0; i < 10000 && x.pieces < 2; i++) loop_step(l, 1000);
    assert_int_equal(x.pieces, 2);
    for (int i = 0; i < 20; i++) loop_step(l, 1000);
    assert_int_equal(x.pieces, 2);
    assert_false(x.done);
    http_call *c;
    ok(http_client_start(client, &ask, &c));
    http_client_cancel(c);                   /* before anything happened */
    ok(http_client_start(client, &ask, &c)); /* and one for http_client_free() */
    loop_step(l, 0);
    end_client();
    assert_false(x.done);
    net_demo_stop(&d);
}

static bool deny(const struct sockaddr *sa, socklen_t len, void *arg) {
    (void)sa, (void)len;
    ++*(int *)arg;
    return false;
}

static void refusals(void **state) {
    (void)state;
    begin_client(NULL);
    static const char *bad[] = {"",
                                "ftp://a/",
                                "http://",
                                "http:///x",
                                "http://u@127.0.0.1/",
                                "http://127.0.0.1:0/",
                                "http://127.0.0.1:65536/",
                                "http://127.0.0.1:/",
                                "http://127.0.0.1/a b",
                                "http://127.0.0.1/\r\nX: y",
                                "http://[::1/",
                                "https://127.0.0.1/",
                                "http://127.0.0.1/#f",
                                "127.0.0.1"};
    struct result x = {0};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_call_ask ask = {
            .method = STR("GET"), .url = str_of(bad[i]), .on_done = on_done, .arg = &x};
        err *e = http_client_start(client, &ask, NULL);
        if (!e) fail_msg("%s was taken", bad[i]);
        err_free(e);
    }
    struct http_header evil[] = {{STR("a\r\nb"), STR("c")},
                                 {STR("a"), STR("b\r\nc: d")},
                                 {STR("Content-Length"), STR("1")},
                                 {STR("Transfer-Encoding"), STR("chunked")}};
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        struct http_call_ask ask = {.method = STR("GET"),
                                    .url = STR("http://127.0.0.1/"),
                                    .headers = &evil[i],
                                    .header_count = 1,
                                    .on_done = on_done,
                                    .arg = &x};
        err *e = http_client_start(client, &ask, NULL);
        assert_non_null(e);
        err_free(e);
    }
    x = fetch((struct http_call_ask){.url = STR("http://name.example/")});
    assert_int_equal(x.code, ERR_INVALID_PARAMETER_VALUE); /* no resolver */
    x = fetch((struct http_call_ask){.url = STR("http://127.0.0.1:1/")});
    assert_int_equal(x.code, ERR_IO_ERROR);
    assert_non_null(strstr(x.message, "Connection refused"));
    end_client();
    int asked = 0;
    struct http_client_options o = {.allow = deny, .allow_arg = &asked};
    begin_client(&o);
    x = fetch((struct http_call_ask){.url = STR("http://127.0.0.1:1/")});
    assert_int_equal(x.code, ERR_PERMISSION_DENIED);
    assert_int_equal(asked, 1);
    end_client();
}

static void names(void **state) {
    (void)state;
    struct net_demo d;
    net_demo_start(&d, NULL, NULL, false);
    ok(jobs_new("resolve", 1, &resolver));
    struct http_client_options o = {.resolver = resolver};
    begin_client(&o);
    char url[100];
    snprintf(url, sizeof(url), "http://localhost:%d/hello", d.port);
    for (int i = 0; i < 3; i++) {
        struct result x = fetch((struct http_call_ask){.url = str_of(url)});
        assert_string_equal(x.body, "hello");
    }
    assert_int_equal(net_demo_sync(&d).conns_total, 1);
    struct result x = fetch((struct http_call_ask){.url = STR("http://no-such-name.invalid/")});
    assert_int_equal(x.code, ERR_IO_ERROR);
    end_client();
    net_demo_stop(&d);
}

static void over_tls(void **state) {
    (void)state;
    struct ca_pem root = {0}, other = {0}, server = {0};
    struct ca_server_ask ask = {0};
    ok(ca_new(STR("CA one"), &root));
    ok(ca_new(STR("CA two"), &other));
    ok(ca_issue_server(&root, &ask, &server));
    tls_context *tls, *trust, *mistrust;
    ok(tls_server_new(buf_view(&server.cert), buf_view(&server.key), &tls));
    ok(tls_client_new(buf_view(&root.cert), &trust));
    ok(tls_client_new(buf_view(&other.cert), &mistrust));
    struct net_demo d;
    char url[200];
    net_demo_start(&d, NULL, tls, false);
    struct http_client_options o = {.tls = trust};
    begin_client(&o);
    for (int i = 0; i < 3; i++) {
        struct result x = fetch(to(url, &d, "https", "/hello"));
        assert_string_equal(x.body, "hello");
    }
    assert_int_equal(net_demo_sync(&d).conns_total, 1);
    struct http_call_ask big = to(url, &d, "https", "/file?3000000");
    big.on_body = on_body;
    assert_int_equal(fetch(big).body_n, 3000000);
    end_client();
    o.tls = mistrust;
    begin_client(&o);
    struct result x = fetch(to(url, &d, "https", "/hello"));
    assert_int_equal(x.code, ERR_IO_ERROR);
    assert_non_null(strstr(x.message, "certificate"));
    end_client();
    net_demo_stop(&d);
    tls_free(tls);
    tls_free(trust);
    tls_free(mistrust);
    ca_pem_free(&root);
    ca_pem_free(&other);
    ca_pem_free(&server);
}

/* ---- a scripted server: reads a head, answers with fixed bytes ---- */

struct script {
    int fd, port;
    pthread_t thread;
    const char *const *answers; /* one per request; "" closes */
    size_t count;
    int accepted;
};

static void *play(void *arg) {
    struct script *s = arg;
    int fd = -1;
    for (size_t i = 0; i < s->count;) {
        if (fd < 0) {
            fd = accept(s->fd, NULL, NULL);
            s->accepted++;
        }
        char got[2000] = "";
        size_t at = 0;
        while (!strstr(got, "\r\n\r\n")) {
            ssize_t r = recv(fd, got + at, sizeof(got) - 1 - at, 0);
            if (r <= 0) break;
            at += (size_t)r;
            got[at] = 0;
        }
        if (!at) { /* the client has left this connection */
            close(fd);
            fd = -1;
            continue;
        }
        const char *answer = s->answers[i++];
        bool close_after = answer[0] == '!' || !answer[0];
        if (answer[0] == '!') answer++;
        send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        if (close_after) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0) close(fd);
    return NULL;
}

static void script_start(struct script *s, const char *const *answers, size_t count,
                         const char *path) {
    *s = (struct script){.answers = answers, .count = count};
    if (path) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
        s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(s->fd, (struct sockaddr *)&un, sizeof(un)), 0);
    } else {
        struct sockaddr_in sa = {.sin_family = AF_INET};
        socklen_t len = sizeof(sa);
        sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        s->fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        getsockname(s->fd, (struct sockaddr *)&sa, &len);
        s->port = ntohs(sa.sin_port);
    }
    assert_int_equal(listen(s->fd, 16), 0);
    pthread_create(&s->thread, NULL, play, s);
}
static void script_end(struct script *s) {
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static void odd_answers(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int status; /* 0: an error */
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, "ab"},
        {"!HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end"},
        {"!HTTP/1.0 200 OK\r\n\r\nold", 200, "old"},
        {"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nc",
         201, "c"},
        {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No "
         "Content\r\n\r\n",
         204, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;e=f\r\na\r\n2\r\nbc\r\n0\r\nT: "
         "u\r\n\r\n",
         200, "abc"},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, ""},
        {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n", 200, "a"},
        {"!HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 0, NULL},
        {"!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0, NULL},
        {"!HTTP/1.1 200 OK\r\nContent-Le", 0, NULL},
        {"!", 0, NULL},
        {"", 0, NULL},
        {"!HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 0, NULL},
        {"!HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0, NULL},
        {"!HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
         NULL},
        {"!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 0, NULL},
        {"!HTTP/1.1 2000 OK\r\n\r\n", 0, NULL},
        {"!SSH-2.0-x\r\n", 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct script s;
        const char *answers[] = {rows[i].answer};
        script_start(&s, answers, 1, NULL);
        begin_client(NULL);
        char url[100];
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/", s.port);
        struct result x =
            fetch((struct http_call_ask){.url = str_of(url), .timeout_us = 5 * US_PER_S});
        if (x.status != rows[i].status || (rows[i].body && strcmp(x.body, rows[i].body) != 0))
            fail_msg("<%s>: status %d body <%s> error <%s>", rows[i].answer, x.status, x.body,
                     x.message);
        if (!rows[i].status) assert_int_equal(x.code, ERR_IO_ERROR);
        end_client();
        script_end(&s);
    }
}

/* A head without end, or with too much in it. */
static void large_heads(void **state) {
    (void)state;
    buf many = {0}, one = {0}, trailers = {0};
    buf_z(&many, "!HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 40000; i++) buf_z(&many, "a:\r\n");
    buf_z(&one, "!HTTP/1.1 200 OK\r\nx: ");
    for (int i = 0; i < 70000; i++) buf_c(&one, 'y');
    buf_z(&trailers, "!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 40000; i++) buf_z(&trailers, "a: b\r\n");
    buf *all[] = {&many, &one, &trailers};
    for (int i = 0; i < 3; i++) {
        buf_z(all[i], "\r\n\r\n");
        buf_c(all[i], 0);
        const char *answers[] = {all[i]->p};
        struct script s;
        script_start(&s, answers, 1, NULL);
        begin_client(NULL);
        char url[100];
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/", s.port);
        struct result x = fetch((struct http_call_ask){.url = str_of(url)});
        assert_int_equal(x.code, ERR_RESOURCE_EXHAUSTED);
        end_client();
        script_end(&s);
        buf_free(all[i]);
    }
}

/* The server closes a kept connection just as it is used: GET is repeated, POST is not. */
static void stale_connections(void **state) {
    (void)state;
    static const char *answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb", ""};
    struct script s;
    char path[64];
    snprintf(path, sizeof(path), "/tmp/bh-client-%d.sock", (int)getpid());
    unlink(path);
    script_start(&s, answers, 4, path);
    begin_client(NULL);
    struct http_call_ask ask = {.url = STR("http://socket/x"), .unix_path = path};
    assert_string_equal(fetch(ask).body, "a");
    assert_int_equal(http_client_idle(client), 1);
    assert_string_equal(fetch(ask).body, "b");
    assert_int_equal(s.accepted, 2);
    ask.method = STR("POST");
    assert_int_equal(fetch(ask).code, ERR_IO_ERROR);
    end_client();
    script_end(&s);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_our_server), cmocka_unit_test(cancelling),
        cmocka_unit_test(refusals),           cmocka_unit_test(names),
        cmocka_unit_test(over_tls),           cmocka_unit_test(odd_answers),
        cmocka_unit_test(large_heads),        cmocka_unit_test(stale_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
