/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses the courier may reach: one row per rule, and entries that name exceptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "sys/egress.h"

static socklen_t address(const char *text, struct sockaddr_storage *out) {
    *out = (struct sockaddr_storage){0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return sizeof(*v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    return sizeof(*v6);
}

static void test_classes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum egress_kind want;
    } rows[] = {
        {"0.0.0.0", EGRESS_LOOPBACK},
        {"0.1.2.3", EGRESS_LOOPBACK},
        {"127.0.0.1", EGRESS_LOOPBACK},
        {"127.255.255.255", EGRESS_LOOPBACK},
        {"126.255.255.255", EGRESS_OPEN},
        {"128.0.0.1", EGRESS_OPEN},
        {"169.254.169.254", EGRESS_LINK_LOCAL},
        {"169.253.0.1", EGRESS_OPEN},
        {"100.100.100.200", EGRESS_METADATA},
        {"168.63.129.16", EGRESS_METADATA},
        {"192.0.0.192", EGRESS_METADATA},
        {"192.0.2.1", EGRESS_OPEN},
        {"224.0.0.1", EGRESS_MULTICAST},
        {"239.1.1.1", EGRESS_MULTICAST},
        {"255.255.255.255", EGRESS_MULTICAST},
        {"240.0.0.1", EGRESS_MULTICAST},
        {"10.0.0.1", EGRESS_OPEN},
        {"192.168.1.1", EGRESS_OPEN},
        {"8.8.8.8", EGRESS_OPEN},
        {"::", EGRESS_LOOPBACK},
        {"::1", EGRESS_LOOPBACK},
        {"::ffff:127.0.0.1", EGRESS_LOOPBACK},
        {"::ffff:169.254.169.254", EGRESS_LINK_LOCAL},
        {"::ffff:8.8.8.8", EGRESS_OPEN},
        {"64:ff9b::7f00:1", EGRESS_LOOPBACK},
        {"64:ff9b::808:808", EGRESS_OPEN},
        {"2002:7f00:1::", EGRESS_LOOPBACK},
        {"2002:a9fe:a9fe::1", EGRESS_LINK_LOCAL},
        {"fe80::1", EGRESS_LINK_LOCAL},
        {"febf::1", EGRESS_LINK_LOCAL},
        {"fec0::1", EGRESS_OPEN},
        {"ff02::1", EGRESS_MULTICAST},
        {"fd00:ec2::254", EGRESS_METADATA},
        {"fd20:ce::254", EGRESS_METADATA},
        {"fd00:ec2::253", EGRESS_OPEN},
        {"2001:db8::1", EGRESS_OPEN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage sa;
        socklen_t n = address(rows[i].text, &sa);
        enum egress_kind got = egress_classify((struct sockaddr *)&sa, n);
        if (got != rows[i].want) print_error("%s: %d\n", rows[i].text, got);
        assert_int_equal(got, rows[i].want);
    }
    struct sockaddr un = {.sa_family = AF_UNIX};
    assert_int_equal(egress_classify(&un, sizeof(un)), EGRESS_UNKNOWN);
}

static bool allowed(const egress *e, const char *host, int port, const char *ip) {
    struct sockaddr_storage sa;
    socklen_t n = address(ip, &sa);
    err *x = egress_judge(e, str_of(host), port, (struct sockaddr *)&sa, n);
    bool ok = x == NULL;
    if (x) assert_int_equal(err_code_of(x), ERR_PERMISSION_DENIED);
    err_free(x);
    return ok;
}

static void test_entries(void **state) {
    (void)state;
    egress *e;
    assert_null(egress_new(STR(" minio.local:9000, 127.0.0.1:80 ,[::1]:443, 169.254.1.1:* "), &e));
    assert_true(allowed(e, "minio.local", 9000, "127.0.0.1"));
    assert_true(allowed(e, "MINIO.local", 9000, "::1"));
    assert_false(allowed(e, "minio.local", 9001, "127.0.0.1"));
    assert_false(allowed(e, "evil.example", 9000, "127.0.0.1"));
    assert_true(allowed(e, "evil.example", 80, "127.0.0.1")); /* the address is named */
    assert_false(allowed(e, "evil.example", 80, "127.0.0.2"));
    assert_true(allowed(e, "[::1]", 443, "::1"));
    assert_true(allowed(e, "x", 1, "169.254.1.1"));
    assert_true(allowed(e, "x", 65535, "169.254.1.1"));
    assert_false(allowed(e, "x", 1, "169.254.1.2"));
    assert_true(allowed(e, "x", 1, "8.8.8.8"));
    assert_false(allowed(NULL, "x", 1, "127.0.0.1"));
    assert_true(allowed(NULL, "x", 1, "8.8.8.8"));
    egress_free(e);
    assert_null(egress_new(STR(""), &e));
    assert_false(allowed(e, "localhost", 80, "127.0.0.1"));
    egress_free(e);
    static const char *const bad[] = {"host",       "host:",  ":80",    "host:0",
                                      "host:65536", "host:x", "::1:80", "a:1,b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err *x = egress_new(str_of(bad[i]), &e);
        if (!x) print_error("%s passed\n", bad[i]);
        assert_int_equal(err_code_of(x), ERR_INVALID_PARAMETER_VALUE);
        err_free(x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_entries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
