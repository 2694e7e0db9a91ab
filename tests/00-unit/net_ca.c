/* SPDX-License-Identifier: Apache-2.0 */
/* Our certificate authority: what it issues is what a client accepts; and what contexts refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/time.h"
#include "net/ca.h"
#include "net/tls.h"
#include "sys/clock.h"

#define DAY (24 * 3600 * US_PER_S)

static struct ca_pem root;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}
static void fails(err *e, err_code code) {
    assert_non_null(e);
    assert_string_equal(err_name(err_code_of(e)), err_name(code));
    err_free(e);
}

static int setup(void **state) {
    (void)state;
    err *e = ca_new(STR("Boathouse CA test"), &root);
    err_free(e);
    return e != NULL;
}
static int teardown(void **state) {
    (void)state;
    ca_pem_free(&root);
    return 0;
}

static X509 *first_of(str pem) {
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_non_null(x);
    return x;
}

/* As a client would: chain to the root, purpose, name. */
static int verify(str cert, const char *name) {
    X509 *x = first_of(cert), *r = first_of(buf_view(&root.cert));
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, r);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_CTX_init(ctx, store, x, NULL);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT);
    if (!X509_VERIFY_PARAM_set1_ip_asc(p, name)) X509_VERIFY_PARAM_set1_host(p, name, 0);
    int rc = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(x);
    X509_free(r);
    return rc;
}

static void root_is_a_root(void **state) {
    (void)state;
    struct ca_facts f;
    ok(ca_read(buf_view(&root.cert), &f));
    assert_true(f.is_ca);
    assert_true(f.not_before <= clock_now() && f.not_after > clock_now() + 3600 * DAY);
    assert_false(ca_renewal_due(buf_view(&root.cert)));
    assert_true(ca_signed_by(buf_view(&root.cert), buf_view(&root.cert)));
    struct ca_pem none = {0};
    fails(ca_new(STR(""), &none), ERR_INVALID_PARAMETER_VALUE);
    fails(ca_new(STR("\xff"), &none), ERR_INVALID_PARAMETER_VALUE);
}

static void server_certificate(void **state) {
    (void)state;
    str names[] = {STR("boat.example"), STR("*.apps.example"), STR("10.1.2.3"), STR("fd00::7")};
    struct ca_server_ask ask = {names, ARRAY_LEN(names), STR("http://127.0.0.1:8080/crl")};
    struct ca_pem s = {0};
    ok(ca_issue_server(&root, &ask, &s));
    str cert = buf_view(&s.cert);
    struct ca_facts f;
    ok(ca_read(cert, &f));
    assert_false(f.is_ca);
    assert_int_equal((f.not_after - f.not_before) / DAY, 397);
    char host[256];
    gethostname(host, sizeof(host));
    const char *good[] = {"localhost",      "127.0.0.1", "::1",     "boat.example",
                          "x.apps.example", "10.1.2.3",  "fd00::7", host};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) assert_int_equal(verify(cert, good[i]), X509_V_OK);
    assert_int_equal(verify(cert, "other.example"), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verify(cert, "127.0.0.2"), X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_true(ca_names_covered(cert, names, ARRAY_LEN(names)));
    str more[] = {STR("boat.example"), STR("new.example")};
    assert_false(ca_names_covered(cert, more, 2));
    assert_true(ca_signed_by(cert, buf_view(&root.cert)));
    assert_true(ca_crl_named(cert, STR("http://127.0.0.1:8080/crl")));
    assert_false(ca_crl_named(cert, STR("http://127.0.0.1:8081/crl")));
    assert_false(ca_crl_named(cert, STR("")));
    assert_true(ca_crl_named(buf_view(&root.cert), STR("")));
    X509 *x = first_of(cert);
    assert_true(X509_get_ext_by_NID(x, NID_crl_distribution_points, -1) >= 0);
    EVP_PKEY *key = X509_get0_pubkey(x);
    char group[32] = "";
    size_t n;
    assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof(group), &n), 1);
    assert_string_equal(group, "prime256v1");
    X509_free(x);
    ca_pem_free(&s);
}

static void bad_asks(void **state) {
    (void)state;
    struct ca_pem s = {0}, other = {0};
    str bad[] = {STR(""), STR("a b"), STR("a,DNS:b"), STR("a/b"), STR("x\n"), STR("b*.example")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ca_server_ask ask = {&bad[i], 1, STR_NONE};
        fails(ca_issue_server(&root, &ask, &s), ERR_INVALID_PARAMETER_VALUE);
    }
    struct ca_server_ask url = {NULL, 0, STR("http://a/,URI:http://b/")}, plain = {0};
    fails(ca_issue_server(&root, &url, &s), ERR_INVALID_PARAMETER_VALUE);
    ok(ca_new(STR("another"), &other));
    struct ca_pem mixed = {.cert = root.cert, .key = other.key};
    fails(ca_issue_server(&mixed, &plain, &s), ERR_INVALID_PARAMETER_VALUE);
    ok(ca_issue_server(&other, &plain, &s));
    assert_false(ca_signed_by(buf_view(&s.cert), buf_view(&root.cert)));
    assert_true(ca_renewal_due(STR("nonsense")));
    assert_true(ca_renewal_due(STR_NONE));
    ca_pem_free(&s);
    ca_pem_free(&other);
}

/* The clock is moved: the certificate falls due 30 days before its end. */
static void renewal(void **state) {
    (void)state;
    struct ca_server_ask ask = {0};
    struct ca_pem s = {0};
    ok(ca_issue_server(&root, &ask, &s));
    assert_false(ca_renewal_due(buf_view(&s.cert)));
    int page;
    ok(clock_page_new(&page));
    ok(clock_page_map(page, true));
    clock_advance(366 * DAY);
    assert_false(ca_renewal_due(buf_view(&s.cert)));
    clock_advance(DAY);
    assert_true(ca_renewal_due(buf_view(&s.cert)));
    close(page);
    ca_pem_free(&s);
}

static void revocation_list(void **state) {
    (void)state;
    buf der = {0};
    ok(ca_crl(&root, 7, &der));
    const unsigned char *p = (const unsigned char *)der.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
    assert_non_null(crl);
    X509 *r = first_of(buf_view(&root.cert));
    assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(r)), 1);
    X509_free(r);
    X509_CRL_free(crl);
    buf_free(&der);
}

static void contexts(void **state) {
    (void)state;
    struct ca_server_ask ask = {0};
    struct ca_pem s = {0}, other = {0};
    ok(ca_issue_server(&root, &ask, &s));
    ok(ca_issue_server(&root, &ask, &other));
    tls_context *t = NULL;
    str cert = buf_view(&s.cert), key = buf_view(&s.key);
    fails(tls_server_new(STR(""), key, &t), ERR_INVALID_PARAMETER_VALUE);
    fails(tls_server_new(STR("x"), key, &t), ERR_INVALID_PARAMETER_VALUE);
    fails(tls_server_new(cert, STR("x"), &t), ERR_INVALID_PARAMETER_VALUE);
    fails(tls_server_new(cert, buf_view(&other.key), &t), ERR_INVALID_PARAMETER_VALUE);
    ok(tls_server_new(cert, key, &t));
    struct ca_facts f;
    ok(ca_read(cert, &f));
    assert_int_equal(tls_server_not_after(t), f.not_after);
    fails(tls_server_reload(t, cert, buf_view(&other.key)), ERR_INVALID_PARAMETER_VALUE);
    ok(tls_server_reload(t, buf_view(&other.cert), buf_view(&other.key)));
    tls_free(t);
    fails(tls_client_new(STR("nothing"), &t), ERR_INVALID_PARAMETER_VALUE);
    ok(tls_client_new(buf_view(&root.cert), &t));
    tls_free(t);
    ok(tls_client_new(STR(""), &t));
    tls_free(t);
    ca_pem_free(&s);
    ca_pem_free(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_a_root), cmocka_unit_test(server_certificate),
        cmocka_unit_test(bad_asks),       cmocka_unit_test(revocation_list),
        cmocka_unit_test(contexts),       cmocka_unit_test(renewal), /* moves the clock: last */
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
