/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store against a real server that checks signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "harness/moto.h"
#include "harness/storage_suite.h"

#define PART (5u << 20)

static struct moto server;
static storage *s;

static int start(void **state) {
    (void)state;
    moto_start(&server, true);
    struct storage_s3_config c = moto_config(&server);
    c.part_size = PART;
    suite_ok(storage_s3_new(&c, &s));
    return 0;
}

static int stop(void **state) {
    (void)state;
    storage_free(s);
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
    suite_multipart(s, PART, false);
}

/* A body of a pattern that tells where each byte belongs. */
struct pattern {
    int64_t at, size;
};

static err *pattern_read(void *arg, void *p, size_t n, size_t *ret_n) {
    struct pattern *t = arg;
    int64_t left = t->size - t->at;
    if ((int64_t)n > left) n = (size_t)left;
    if (n > 100000) n = 100000; /* short reads, as sockets give them */
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)((t->at + (int64_t)i) * 7 >> 4);
    t->at += (int64_t)n;
    *ret_n = n;
    return NULL;
}

static err *pattern_check(void *arg, const void *p, size_t n) {
    struct pattern *t = arg;
    for (size_t i = 0; i < n; i++, t->at++)
        if (((const unsigned char *)p)[i] != (unsigned char)(t->at * 7 >> 4))
            return err_new(ERR_DATA_LOSS, "byte %lld is wrong", (long long)t->at);
    return NULL;
}

/* Bodies longer than a part: of known and unknown length, ending at and beside the parts' edges. */
static void test_long(void **state) {
    (void)state;
    static const int64_t sizes[] = {PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 12345};
    for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
        struct pattern t = {0, sizes[i / 2]}, back = {0, 0}, middle = {PART - 100, 0};
        struct storage_source from = {.read = pattern_read, .arg = &t, .size = i % 2 ? -1 : sizes[i / 2]};
        struct storage_info info, head;
        suite_ok(storage_put(s, STR("long/body"), &from, NULL, &info));
        assert_int_equal(info.size, sizes[i / 2]);
        struct storage_sink to = {pattern_check, &back}, mid = {pattern_check, &middle};
        suite_ok(storage_get(s, STR("long/body"), 0, -1, STR_NONE, &to, &head));
        assert_int_equal(back.at, sizes[i / 2]);
        assert_string_equal(head.etag, info.etag);
        suite_ok(storage_get(s, STR("long/body"), PART - 100, 50, STR_NONE, &mid, &head));
        assert_int_equal(middle.at, PART - 50);
        assert_int_equal(head.size, sizes[i / 2]);
    }
    struct pattern t = {0, 2 * PART};
    struct storage_source from = {.read = pattern_read, .arg = &t, .size = -1};
    struct storage_put_options o = {.if_absent = true};
    suite_is(storage_put(s, STR("long/body"), &from, &o, NULL), ERR_ALREADY_EXISTS);
    t = (struct pattern){0, 2 * PART};
    from.size = 2 * PART + 1;
    suite_is(storage_put(s, STR("long/short"), &from, NULL, NULL), ERR_DATA_LOSS);
    struct storage_info info;
    suite_is(storage_head(s, STR("long/short"), &info), ERR_NOT_FOUND);
}

/* A part over 64 MiB goes through unbuffered. */
static void test_large_part(void **state) {
    (void)state;
    arena *a = arena_new();
    str id;
    int64_t size = (64ll << 20) + 10;
    struct pattern t = {0, size}, back = {0, 0};
    struct storage_source from = {.read = pattern_read, .arg = &t, .size = size};
    struct storage_part p;
    suite_ok(storage_multi_create(s, a, STR("large part"), &id));
    suite_ok(storage_multi_part(s, STR("large part"), id, 1, &from, &p));
    suite_ok(storage_multi_complete(s, STR("large part"), id, &p, 1, false, NULL));
    struct storage_info info;
    struct storage_sink to = {pattern_check, &back};
    suite_ok(storage_get(s, STR("large part"), 0, -1, STR_NONE, &to, &info));
    assert_int_equal(back.at, size);
    arena_free(a);
}

static err *with(const struct storage_s3_config *c) {
    storage *other;
    struct storage_info info;
    suite_ok(storage_s3_new(c, &other));
    err *e = storage_head(other, STR("x"), &info);
    storage_free(other);
    return e;
}

static void test_refusals(void **state) {
    (void)state;
    struct storage_s3_config c = moto_config(&server);
    suite_is(with(&c), ERR_NOT_FOUND);
    c.secret_access_key = STR("not the secret");
    suite_is(with(&c), ERR_PERMISSION_DENIED);
    c = moto_config(&server);
    c.egress = NULL; /* loopback is not allowed by itself */
    err *e = with(&c);
    assert_non_null(strstr(err_msg(e), "127.0.0.1"));
    suite_is(e, ERR_PERMISSION_DENIED);
    char url[64];
    snprintf(url, sizeof(url), "http://localhost:%d", server.port);
    c.endpoint = str_of(url); /* nor under a name */
    suite_is(with(&c), ERR_PERMISSION_DENIED);
    snprintf(url, sizeof(url), "http://0x7f.1:%d", server.port);
    c.endpoint = str_of(url);
    suite_is(with(&c), ERR_PERMISSION_DENIED);
    c = moto_config(&server);
    c.bucket = STR("other-bucket");
    arena *a = arena_new();
    storage *other;
    suite_ok(storage_s3_new(&c, &other));
    struct storage_list_ask ask = {0};
    struct storage_list l;
    suite_is(storage_list(other, a, &ask, &l), ERR_INVALID_STATE);
    storage_free(other);
    arena_free(a);
    c.bucket = STR("../etc");
    suite_is(storage_s3_new(&c, &other), ERR_INVALID_PARAMETER_VALUE);
    c = moto_config(&server);
    c.endpoint = STR("ftp://x");
    suite_is(storage_s3_new(&c, &other), ERR_INVALID_PARAMETER_VALUE);
    c.endpoint = STR("http://user@host/path");
    suite_is(storage_s3_new(&c, &other), ERR_INVALID_PARAMETER_VALUE);
}

static void test_server_gone(void **state) {
    (void)state;
    struct moto lone;
    moto_start(&lone, false);
    struct storage_s3_config c = moto_config(&lone);
    moto_kill(&lone);
    suite_is(with(&c), ERR_TEMPORARILY_UNAVAILABLE);
    moto_stop(&lone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_##name)
        T(objects),   T(ranges), T(if_absent),  T(names),    T(listing),     T(copy_delete),
        T(multipart), T(long),   T(large_part), T(refusals), T(server_gone),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
