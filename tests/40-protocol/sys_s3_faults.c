/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the S3 store makes of a store that stumbles: a server of our own answers from a script, one
 * row per connection's request, and keeps what it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/storage_suite.h"
#include "sys/storage_s3.h"

#define NOTHING "" /* the connection just closes */
#define OK_HEAD "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

static struct {
    int listener, port;
    const char *const *script;
    int n, at;
    char asked[16][4096];
    char put_id[64]; /* of the last PUT, for scripts that give it back: "@" in a row */
    pthread_t thread;
    storage *s;
    egress *allow;
} x;

/* Reads a request with its body (Content-Length). */
static bool read_request(int fd, char *out, size_t cap) {
    size_t n = 0, want = 0;
    while (n + 1 < cap) {
        ssize_t got =
            read(fd, out + n, want ? (want - n < cap - n - 1 ? want - n : cap - n - 1) : 1);
        if (got <= 0) return false;
        n += (size_t)got;
        out[n] = 0;
        if (!want) {
            if (n < 4 || memcmp(out + n - 4, "\r\n\r\n", 4) != 0) continue;
            const char *length = strcasestr(out, "\r\ncontent-length:");
            want = n + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (n >= want) return true;
    }
    return true;
}

static void answer(int fd, const char *row) {
    char text[8192];
    const char *mark = strchr(row, '@');
    if (mark)
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - row), row, x.put_id, mark + 1);
    else
        snprintf(text, sizeof(text), "%s", row);
    (void)!write(fd, text, strlen(text));
}

static void *serve(void *arg) {
    (void)arg;
    while (x.at < x.n) {
        int fd = accept(x.listener, NULL, NULL);
        if (fd < 0) break;
        int i = x.at;
        if (read_request(fd, x.asked[i], sizeof(x.asked[i]))) {
            const char *id = strstr(x.asked[i], "x-amz-meta-bh-put: ");
            if (id) snprintf(x.put_id, sizeof(x.put_id), "%.32s", id + 19);
            answer(fd, x.script[i]);
            __atomic_add_fetch(&x.at, 1, __ATOMIC_SEQ_CST);
        }
        close(fd); /* every answer says or means "Connection: close" */
    }
    return NULL;
}

static void play(const char *const *script, int n) {
    memset(x.asked, 0, sizeof(x.asked));
    x.script = script;
    x.n = n;
    x.at = 0;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    x.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(x.listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(x.listener, 16), 0);
    assert_int_equal(getsockname(x.listener, (struct sockaddr *)&a, &len), 0);
    x.port = ntohs(a.sin_port);
    char endpoint[64];
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", x.port);
    suite_ok(egress_new(str_of(endpoint + 7), &x.allow));
    struct storage_s3_config c = {.bucket = STR("bucket"),
                                  .endpoint = str_of(endpoint),
                                  .path_style = true,
                                  .access_key_id = STR("AKID"),
                                  .secret_access_key = STR("very-secret-value"),
                                  .session_token = STR("session-value"),
                                  .egress = x.allow,
                                  .tries = 4,
                                  .backoff_ms = 2};
    suite_ok(storage_s3_new(&c, &x.s));
    assert_int_equal(pthread_create(&x.thread, NULL, serve, NULL), 0);
}

/* Ends the server; the script must have been used to its end. */
static void done(void) {
    storage_free(x.s);
    shutdown(x.listener, SHUT_RDWR);
    pthread_join(x.thread, NULL);
    close(x.listener);
    egress_free(x.allow);
    if (x.at != x.n) print_error("%d of %d answers were used\n", x.at, x.n);
    assert_int_equal(x.at, x.n);
}

#define PLAY(...)                                                                                  \
    static const char *const script[] = {__VA_ARGS__};                                             \
    play(script, (int)ARRAY_LEN(script))

static err *get(buf *b, struct storage_info *info) {
    struct storage_sink to = storage_to_buf(b);
    return storage_get(x.s, STR("k"), 0, -1, STR_NONE, &to, info);
}

static err *put(bool if_absent) {
    struct storage_bytes b;
    struct storage_put_options o = {.if_absent = if_absent};
    return storage_put(x.s, STR("k"), storage_from_bytes(&b, STR("body")), &o, NULL);
}

static void test_retried(void **state) {
    (void)state;
    PLAY("HTTP/1.1 500 x\r\n" EMPTY,
         "HTTP/1.1 503 x\r\nContent-Length: 46\r\n\r\n<Error><Code>SlowDown</Code></Error>         "
         " ",
         NOTHING, OK_HEAD "Content-Length: 3\r\n\r\nabc");
    buf b = {0};
    struct storage_info info;
    suite_ok(get(&b, &info));
    assert_int_equal(b.n, 3);
    assert_string_equal(info.etag, "e1");
    buf_free(&b);
    done();
}

static void test_given_up(void **state) {
    (void)state;
    PLAY("HTTP/1.1 429 x\r\n" EMPTY, "HTTP/1.1 500 x\r\n" EMPTY, "HTTP/1.1 502 x\r\n" EMPTY,
         "HTTP/1.1 503 x\r\n" EMPTY);
    suite_is(put(false), ERR_TEMPORARILY_UNAVAILABLE);
    done();
}

static void test_not_retried(void **state) {
    (void)state;
    PLAY("HTTP/1.1 403 x\r\nContent-Length: 84\r\n\r\n"
         "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>  ");
    err *e = put(false);
    assert_string_equal(err_detail_of(e), "No.");
    suite_is(e, ERR_PERMISSION_DENIED);
    done();
}

/* A download that breaks goes on where it stopped, in the same object. */
static void test_resumed(void **state) {
    (void)state;
    PLAY(OK_HEAD "Content-Length: 10\r\n\r\n0123", NOTHING,
         "HTTP/1.1 206 x\r\nETag: \"e1\"\r\nContent-Range: bytes 4-9/10\r\nContent-Length: "
         "6\r\n\r\n45",
         "HTTP/1.1 206 x\r\nETag: \"e1\"\r\nContent-Range: bytes 6-9/10\r\nContent-Length: "
         "4\r\n\r\n6789");
    buf b = {0};
    struct storage_info info;
    suite_ok(get(&b, &info));
    assert_int_equal(b.n, 10);
    assert_memory_equal(b.p, "0123456789", 10);
    assert_int_equal(info.size, 10);
    assert_null(strcasestr(x.asked[0], "range:"));
    assert_non_null(strstr(x.asked[2], "Range: bytes=4-\r\n"));
    assert_non_null(strstr(x.asked[2], "If-Match: \"e1\"\r\n"));
    assert_non_null(strstr(x.asked[3], "Range: bytes=6-\r\n"));
    buf_free(&b);
    done();
}

static void test_changed_meanwhile(void **state) {
    (void)state;
    PLAY(OK_HEAD "Content-Length: 10\r\n\r\n0123", "HTTP/1.1 412 x\r\n" EMPTY);
    buf b = {0};
    struct storage_info info;
    suite_is(get(&b, &info), ERR_PRECONDITION_FAILED);
    assert_int_equal(b.n, 4);
    buf_free(&b);
    done();
}

/* Put-if-absent whose success was not heard: 412, but the object is ours. */
static void test_own_success(void **state) {
    (void)state;
    PLAY(NOTHING, "HTTP/1.1 412 x\r\n" EMPTY,
         "HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nx-amz-meta-bh-put: @\r\nContent-Length: 4\r\n\r\n");
    suite_ok(put(true));
    assert_non_null(strstr(x.asked[0], "If-None-Match: *\r\n"));
    assert_int_equal(strncmp(x.asked[2], "HEAD ", 5), 0);
    done();
}

static void test_other_success(void **state) {
    (void)state;
    PLAY("HTTP/1.1 500 x\r\n" EMPTY, "HTTP/1.1 412 x\r\n" EMPTY,
         OK_HEAD "x-amz-meta-bh-put: somebody else\r\nContent-Length: 4\r\n\r\n");
    suite_is(put(true), ERR_ALREADY_EXISTS);
    done();
}

/* Nothing was ambiguous, so nobody needs to look. */
static void test_plain_loss(void **state) {
    (void)state;
    PLAY("HTTP/1.1 412 x\r\n" EMPTY);
    suite_is(put(true), ERR_ALREADY_EXISTS);
    done();
}

/* An error inside a 200 (copy, completion) is an error. */
static void test_error_in_success(void **state) {
    (void)state;
    PLAY(
        OK_HEAD "Content-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n<Error><Code>InternalError</Code></Error>\n");
    suite_is(storage_copy(x.s, STR("k"), STR("k2"), NULL), ERR_TEMPORARILY_UNAVAILABLE);
    done();
}

static void test_odd_answers(void **state) {
    (void)state;
    PLAY("HTTP/1.1 404 x\r\nContent-Length: 14\r\n\r\n<html>no</html",    /* a proxy's page */
         "HTTP/1.1 307 x\r\nLocation: http://169.254.169.254/\r\n" EMPTY, /* not followed */
         "HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n"
         "<!DOCTYPE x [<!ENTITY a \"b\">]><ListBucketResult>&a;</ListBucketResult>  ",
         "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n<ListBucketResult>");
    struct storage_info info;
    suite_is(storage_head(x.s, STR("k"), &info), ERR_NOT_FOUND);
    err *e = put(false);
    assert_non_null(err_hint_of(e));
    suite_is(e, ERR_IO_ERROR);
    arena *a = arena_new();
    struct storage_list_ask ask = {0};
    struct storage_list l;
    suite_is(storage_list(x.s, a, &ask, &l), ERR_IO_ERROR);
    suite_is(storage_list(x.s, a, &ask, &l), ERR_IO_ERROR);
    arena_free(a);
    done();
}

/* What goes over the wire is signed and holds no secret. */
static void test_request(void **state) {
    (void)state;
    PLAY(OK_HEAD EMPTY);
    suite_ok(put(false));
    const char *q = x.asked[0];
    assert_int_equal(strncmp(q, "PUT /bucket/k HTTP/1.1\r\n", 24), 0);
    assert_non_null(strstr(q, "Authorization: AWS4-HMAC-SHA256 Credential=AKID/"));
    assert_non_null(strstr(q, "/us-east-1/s3/aws4_request"));
    assert_non_null(strstr(q, "x-amz-security-token: session-value"));
    /* SHA-256 of "body" */
    assert_non_null(strstr(q, "x-amz-content-sha256: 230d8358dc8e8890b4c58deeb62912ee"));
    const char *is_signed = strstr(q, "SignedHeaders=");
    assert_non_null(is_signed);
    assert_non_null(strstr(is_signed, "x-amz-content-sha256"));
    assert_non_null(strstr(is_signed, "x-amz-security-token"));
    assert_null(strstr(q, "very-secret-value"));
    done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_##name)
        T(retried),           T(given_up),    T(not_retried),   T(resumed),
        T(changed_meanwhile), T(own_success), T(other_success), T(plain_loss),
        T(error_in_success),  T(odd_answers), T(request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
