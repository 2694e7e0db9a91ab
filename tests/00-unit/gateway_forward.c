/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/forward.h"

static void test_trusted(void **state) {
    (void)state;
    static const struct {
        const char *list, *address;
        bool in;
    } rows[] = {
        {"10.0.0.0/8", "10.1.2.3", true},
        {"10.0.0.0/8", "11.1.2.3", false},
        {"10.0.0.0/8, 192.168.1.1", "192.168.1.1", true},
        {"192.168.1.1", "192.168.1.2", false},
        {"192.168.1.0/31", "192.168.1.1", true},
        {"192.168.1.0/31", "192.168.1.2", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/32", "2001:db8:1::9", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1", "::1", true},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"127.0.0.1/33", "127.0.0.1", false},
        {"127.0.0.1/x", "127.0.0.1", false},
        {"", "127.0.0.1", false},
        {"10.0.0.0/8", "", false},
        {"10.0.0.0/8", "unknown", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (forward_trusted(str_of(rows[i].list), str_of(rows[i].address)) != rows[i].in)
            fail_msg("'%s' in '%s'", rows[i].address, rows[i].list);
}

static void test_client(void **state) {
    (void)state;
    static const struct {
        const char *trusted, *peer, *name, *value, *client;
        bool tls;
    } rows[] = {
        /* nobody trusted, or not this one: the header is what anyone may send */
        {"", "10.0.0.1:9", "x-forwarded-for", "1.2.3.4", "10.0.0.1:9", false},
        {"10.0.0.2", "10.0.0.1:9", "forwarded", "for=1.2.3.4;proto=https", "10.0.0.1:9", false},
        {"10.0.0.1", "10.0.0.1:9", "x-forwarded-for", "1.2.3.4", "1.2.3.4:0", false},
        {"10.0.0.1", "10.0.0.1:9", "forwarded", "for=1.2.3.4;proto=https", "1.2.3.4:0", true},
        {"10.0.0.1", "10.0.0.1:9", "forwarded", "for=\"[2001:db8::1]:77\"", "[2001:db8::1]:0", false},
        /* what the client itself wrote stands to the left of what our proxy saw */
        {"10.0.0.1", "10.0.0.1:9", "x-forwarded-for", "6.6.6.6, 1.2.3.4", "1.2.3.4:0", false},
        {"10.0.0.0/8", "10.0.0.1:9", "x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4:0", false},
        {"10.0.0.0/8", "10.0.0.1:9", "x-forwarded-for", "10.0.0.8, 10.0.0.7", "10.0.0.8:0", false},
        {"10.0.0.1", "10.0.0.1:9", "forwarded", "for=unknown, for=_hidden", "10.0.0.1:9", false},
        {"10.0.0.1", "10.0.0.1:9", "forwarded", ";;=,for", "10.0.0.1:9", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        arena *a = arena_new();
        struct settings s;
        settings_init(&s);
        err *e = settings_set(&s, STR("net.trusted_proxies"), str_of(rows[i].trusted), SETTING_COMMAND);
        assert_null(e);
        struct http_header h = {str_of(rows[i].name), str_of(rows[i].value)};
        struct http_request req = {.peer = rows[i].peer, .headers = &h, .header_count = 1};
        struct forward f = forward_of(a, &s, &req);
        if (!str_eqz(f.peer, rows[i].client) || f.tls != rows[i].tls)
            fail_msg("row %zu: %.*s", i, STR_ARG(f.peer));
        settings_free(&s);
        arena_free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_trusted), cmocka_unit_test(test_client)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
