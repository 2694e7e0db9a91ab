/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ca.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "net/tls_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define DAY (24 * 3600 * US_PER_S)
#define CA_DAYS 3650
#define SERVER_DAYS 397
#define RENEW_DAYS 30
/* Clocks of clients run behind ours. */
#define BACKDATE (3600 * US_PER_S)
#define MAX_NAMES 100

void ca_pem_free(struct ca_pem *p) {
    if (!p) return;
    if (p->key.p) OPENSSL_cleanse(p->key.p, p->key.cap);
    buf_free(&p->cert);
    buf_free(&p->key);
}

/* ---- PEM ---- */

static err *from_pem_cert(str pem, X509 **ret) {
    BIO *bio = NULL;
    TRY(tls_pem_bio(pem, &bio));
    *ret = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!*ret)
        return tls_err(ERR_INVALID_PARAMETER_VALUE, "there is no certificate in the PEM text");
    return NULL;
}

static int no_password(char *out, int n, int w, void *u) {
    (void)out, (void)n, (void)w, (void)u;
    return -1;
}

static err *from_pem_key(str pem, EVP_PKEY **ret) {
    BIO *bio = NULL;
    TRY(tls_pem_bio(pem, &bio));
    *ret = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!*ret) return tls_err(ERR_INVALID_PARAMETER_VALUE, "the key cannot be read");
    return NULL;
}

static void take_bio(BIO *bio, buf *out) {
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    buf_add(out, p, (size_t)n);
    OPENSSL_cleanse(p, (size_t)n);
    BIO_free(bio);
}

static err *add_cert_pem(X509 *x, buf *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL);
    int ok = PEM_write_bio_X509(bio, x);
    take_bio(bio, out);
    return ok == 1 ? NULL : tls_err(ERR_INTERNAL_ERROR, "cannot write a certificate");
}

static err *add_key_pem(EVP_PKEY *key, buf *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL);
    int ok = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    take_bio(bio, out);
    return ok == 1 ? NULL : tls_err(ERR_INTERNAL_ERROR, "cannot write a key");
}

/* ---- making ---- */

static bool set_times(X509 *x, int days) {
    int64_t now = clock_now();
    return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)((now - BACKDATE) / US_PER_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)((now - BACKDATE + days * DAY) / US_PER_S));
}

static bool set_serial(X509 *x) {
    unsigned char bytes[16];
    rand_bytes(bytes, sizeof(bytes));
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and never short */
    BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return ok;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool set_name(X509_NAME *name, str cn) {
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Boathouse",
                                      -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn.p,
                                      (int)cn.n, -1, 0) == 1;
}

/* A new key and a certificate for it, without extensions and signature. */
static err *begin(str cn, int days, X509 **ret_x, EVP_PKEY **ret_key) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    if (!key || !x || X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
        !set_times(x, days) || X509_set_pubkey(x, key) != 1 ||
        !set_name(X509_get_subject_name(x), cn)) {
        EVP_PKEY_free(key);
        X509_free(x);
        return tls_err(ERR_INTERNAL_ERROR, "cannot make a certificate for '%.*s'", STR_ARG(cn));
    }
    *ret_x = x;
    *ret_key = key;
    return NULL;
}

err *ca_new(str name, struct ca_pem *ret) {
    if (name.n == 0 || name.n > 64 || !str_is_utf8(name))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The name of a CA has 1 to 64 bytes of UTF-8.");
    X509 *x = NULL;
    EVP_PKEY *key = NULL;
    TRY(begin(name, CA_DAYS, &x, &key));
    err *e = NULL;
    if (X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
        !add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(x, x, NID_subject_key_identifier, "hash") ||
        X509_sign(x, key, EVP_sha256()) <= 0)
        e = tls_err(ERR_INTERNAL_ERROR, "cannot sign the CA's certificate");
    struct ca_pem made = {0};
    if (!e) e = add_cert_pem(x, &made.cert);
    if (!e) e = add_key_pem(key, &made.key);
    X509_free(x);
    EVP_PKEY_free(key);
    if (e) {
        ca_pem_free(&made);
        return e;
    }
    *ret = made;
    return NULL;
}

/* ---- names ---- */

static bool name_ok(str n) {
    if (n.n == 0 || n.n > 253) return false;
    for (size_t i = 0; i < n.n; i++) {
        char c = n.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.' || c == '_' || c == ':' ||
                  (c == '*' && i == 0 && n.n > 2 && n.p[1] == '.');
        if (!ok) return false;
    }
    return true;
}

static err *add_name(GENERAL_NAMES *names, str name) {
    if (!name_ok(name))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not a host name or an address.",
                       STR_ARG(name));
    char text[256];
    snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
    GENERAL_NAME *g = GENERAL_NAME_new();
    must(g != NULL);
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(text);
    if (ip) {
        GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
    } else {
        ERR_clear_error();
        ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
        must(dns && ASN1_STRING_set(dns, text, (int)name.n) == 1);
        GENERAL_NAME_set0_value(g, GEN_DNS, dns);
    }
    must(sk_GENERAL_NAME_push(names, g) > 0);
    return NULL;
}

static err *add_names(X509 *x, const struct ca_server_ask *ask) {
    if (ask->name_count > MAX_NAMES)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%zu names; a certificate bears at most %d.",
                       ask->name_count, MAX_NAMES);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    must(names != NULL);
    err *e = add_name(names, STR("localhost"));
    if (!e) e = add_name(names, STR("127.0.0.1"));
    if (!e) e = add_name(names, STR("::1"));
    char host[256];
    if (!e && gethostname(host, sizeof(host)) == 0 && name_ok(str_of(host)) &&
        strcmp(host, "localhost") != 0)
        e = add_name(names, str_of(host));
    for (size_t i = 0; !e && i < ask->name_count; i++) e = add_name(names, ask->names[i]);
    if (!e && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) != 1)
        e = tls_err(ERR_INTERNAL_ERROR, "cannot add names to the certificate");
    GENERAL_NAMES_free(names);
    return e;
}

static err *add_crl_url(X509 *x, X509 *root, str url) {
    if (!url.n) return NULL;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || url.p[i] == ',' || url.n > 1000)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "'%.*s' is not a URL for a revocation list.", STR_ARG(url));
    char text[1100];
    snprintf(text, sizeof(text), "URI:%.*s", STR_ARG(url));
    if (!add_extension(x, root, NID_crl_distribution_points, text))
        return tls_err(ERR_INVALID_PARAMETER_VALUE, "the revocation list's URL is refused");
    return NULL;
}

static err *sign_server(X509 *x, X509 *root, EVP_PKEY *root_key, const struct ca_server_ask *ask) {
    if (X509_set_issuer_name(x, X509_get_subject_name(root)) != 1 ||
        !add_extension(x, root, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, root, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x, root, NID_ext_key_usage, "serverAuth") ||
        !add_extension(x, root, NID_subject_key_identifier, "hash") ||
        !add_extension(x, root, NID_authority_key_identifier, "keyid:always"))
        return tls_err(ERR_INTERNAL_ERROR, "cannot fill in the certificate");
    TRY(add_names(x, ask));
    TRY(add_crl_url(x, root, ask->crl_url));
    if (X509_sign(x, root_key, EVP_sha256()) <= 0)
        return tls_err(ERR_INTERNAL_ERROR, "cannot sign the certificate");
    return NULL;
}

static err *open_ca(const struct ca_pem *ca, X509 **ret_root, EVP_PKEY **ret_key) {
    TRY(from_pem_cert(buf_view(&ca->cert), ret_root));
    err *e = from_pem_key(buf_view(&ca->key), ret_key);
    if (!e && X509_check_private_key(*ret_root, *ret_key) != 1)
        e = tls_err(ERR_INVALID_PARAMETER_VALUE, "the CA's key does not fit its certificate");
    return e;
}

err *ca_issue_server(const struct ca_pem *ca, const struct ca_server_ask *ask, struct ca_pem *ret) {
    X509 *root = NULL, *x = NULL;
    EVP_PKEY *root_key = NULL, *key = NULL;
    struct ca_pem made = {0};
    err *e = open_ca(ca, &root, &root_key);
    if (!e) e = begin(STR("Boathouse server"), SERVER_DAYS, &x, &key);
    if (!e) e = sign_server(x, root, root_key, ask);
    if (!e) e = add_cert_pem(x, &made.cert);
    if (!e) e = add_cert_pem(root, &made.cert);
    if (!e) e = add_key_pem(key, &made.key);
    X509_free(root);
    X509_free(x);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(key);
    if (e) {
        ca_pem_free(&made);
        return err_while(e, "making the server's certificate");
    }
    *ret = made;
    return NULL;
}

err *ca_crl(const struct ca_pem *ca, int days, buf *ret_der) {
    X509 *root = NULL;
    EVP_PKEY *key = NULL;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)((clock_now() - BACKDATE) / US_PER_S));
    ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)((clock_now() + days * DAY) / US_PER_S));
    unsigned char *der = NULL;
    int n = 0;
    must(crl && from && to);
    err *e = open_ca(ca, &root, &key);
    if (!e && (X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
               X509_CRL_set_issuer_name(crl, X509_get_subject_name(root)) != 1 ||
               X509_CRL_set1_lastUpdate(crl, from) != 1 || X509_CRL_set1_nextUpdate(crl, to) != 1 ||
               X509_CRL_sign(crl, key, EVP_sha256()) <= 0 || (n = i2d_X509_CRL(crl, &der)) <= 0))
        e = tls_err(ERR_INTERNAL_ERROR, "cannot make a revocation list");
    if (!e) buf_add(ret_der, der, (size_t)n);
    OPENSSL_free(der);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(crl);
    X509_free(root);
    EVP_PKEY_free(key);
    return e;
}

/* ---- reading ---- */

static int64_t us_of(const ASN1_TIME *t) {
    struct tm tm = {0};
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * US_PER_S : 0;
}

err *ca_read(str cert, struct ca_facts *ret) {
    X509 *x = NULL;
    TRY(from_pem_cert(cert, &x));
    ret->not_before = us_of(X509_get0_notBefore(x));
    ret->not_after = us_of(X509_get0_notAfter(x));
    ret->is_ca = X509_check_ca(x) >= 1;
    X509_free(x);
    return NULL;
}

bool ca_renewal_due(str cert) {
    struct ca_facts f = {0};
    err *e = ca_read(cert, &f);
    bool unreadable = e != NULL;
    err_free(e);
    return unreadable || f.not_after - clock_now() < RENEW_DAYS * DAY;
}

bool ca_names_covered(str cert, const str *names, size_t n) {
    X509 *x = NULL;
    err *e = from_pem_cert(cert, &x);
    bool ok = !e;
    err_free(e);
    for (size_t i = 0; ok && i < n; i++) {
        char text[256];
        if (names[i].n >= sizeof(text)) {
            ok = false;
            break;
        }
        snprintf(text, sizeof(text), "%.*s", STR_ARG(names[i]));
        /* A wildcard asked for is looked up as some name below it. */
        const char *as = text;
        if (text[0] == '*') text[0] = 'w';
        ok = X509_check_ip_asc(x, as, 0) == 1 || X509_check_host(x, as, 0, 0, NULL) == 1;
    }
    ERR_clear_error();
    X509_free(x);
    return ok;
}

bool ca_crl_named(str cert, str url) {
    X509 *x = NULL;
    err *e = from_pem_cert(cert, &x);
    bool ok = !e;
    err_free(e);
    CRL_DIST_POINTS *points = ok ? X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL) : NULL;
    int n = sk_DIST_POINT_num(points), named = 0;
    for (int i = 0; ok && i < n; i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        for (int j = 0; name && name->type == 0 && j < sk_GENERAL_NAME_num(name->name.fullname); j++) {
            const GENERAL_NAME *g = sk_GENERAL_NAME_value(name->name.fullname, j);
            named++;
            ok = ok && g->type == GEN_URI &&
                 str_eq(str_n((const char *)ASN1_STRING_get0_data(g->d.uniformResourceIdentifier),
                              (size_t)ASN1_STRING_length(g->d.uniformResourceIdentifier)), url);
        }
    }
    ok = ok && named == (url.n > 0);
    CRL_DIST_POINTS_free(points);
    ERR_clear_error();
    X509_free(x);
    return ok;
}

bool ca_signed_by(str cert, str root) {
    X509 *x = NULL, *r = NULL;
    err *e = from_pem_cert(cert, &x);
    if (!e) e = from_pem_cert(root, &r);
    bool ok =
        !e && X509_check_issued(r, x) == X509_V_OK && X509_verify(x, X509_get0_pubkey(r)) == 1;
    err_free(e);
    ERR_clear_error();
    X509_free(x);
    X509_free(r);
    return ok;
}
