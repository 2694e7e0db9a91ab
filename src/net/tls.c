/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts are replaced, never changed: a reload makes a whole new SSL_CTX and swaps the pointer
 * under a lock. Each SSL holds its SSL_CTX, each SSL_CTX its ticket keys (by count), so nothing
 * that a living connection uses goes away.
 */
#include "net/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/time.h"
#include "net/tls_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define TLS_MAGIC 0x71500001u
#define MAX_PEM (1u << 20)
#define MAX_CHAIN 10
#define TICKET_LIFE (12 * 3600 * US_PER_S)

struct ticket_key {
    unsigned char name[16], cipher[32], mac[32];
};

struct ticket_keys {
    atomic_int refs;
    pthread_mutex_t lock; /* guards the rest */
    struct ticket_key now, before;
    bool has_before;
    int64_t life, made_at; /* monotonic */
};

struct tls_context {
    uint32_t magic;
    bool server;
    pthread_mutex_t lock; /* guards ctx */
    SSL_CTX *ctx;
    struct ticket_keys *keys; /* server */
};

/* ---- errors and PEM ---- */

err *tls_err_make(err_code code, const char *file, int line, const char *func, const char *fmt,
                  ...) {
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    unsigned long n = ERR_get_error();
    const char *reason = n ? ERR_reason_error_string(n) : NULL;
    ERR_clear_error();
    return err_make(code, file, line, func, "%s: %s", text, reason ? reason : "no reason given");
}

err *tls_pem_bio(str pem, BIO **ret) {
    if (pem.n == 0 || pem.n > MAX_PEM)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "PEM text of %zu bytes; 1 to %u are read.",
                       pem.n, MAX_PEM);
    *ret = BIO_new_mem_buf(pem.p, (int)pem.n);
    must(*ret != NULL);
    return NULL;
}

/* OpenSSL would ask on the terminal: an encrypted key is an error instead. */
static int no_password(char *out, int n, int w, void *u) {
    (void)out, (void)n, (void)w, (void)u;
    return -1;
}

/* ---- ticket keys ---- */

static struct ticket_keys *keys_new(void) {
    struct ticket_keys *k = calloc(1, sizeof(*k));
    must(k != NULL);
    atomic_init(&k->refs, 1);
    pthread_mutex_init(&k->lock, NULL);
    rand_bytes(&k->now, sizeof(k->now));
    k->life = TICKET_LIFE;
    k->made_at = clock_mono();
    return k;
}

static void keys_drop(struct ticket_keys *k) {
    if (!k || atomic_fetch_sub(&k->refs, 1) != 1) return;
    pthread_mutex_destroy(&k->lock);
    OPENSSL_cleanse(k, sizeof(*k));
    free(k);
}

static void keys_rotate(struct ticket_keys *k) {
    int64_t age = clock_mono() - k->made_at;
    if (age < k->life) return;
    /* After a long quiet time the key before the last is too old as well. */
    k->has_before = age < 2 * k->life;
    k->before = k->now;
    rand_bytes(&k->now, sizeof(k->now));
    k->made_at = clock_mono();
}

static void ctx_drops_keys(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
                           void *argp) {
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    keys_drop(ptr);
}

static int keys_index(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int index = -1;
    pthread_mutex_lock(&lock);
    if (index < 0) index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, ctx_drops_keys);
    pthread_mutex_unlock(&lock);
    must(index >= 0);
    return index;
}

static bool arm(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const struct ticket_key *key,
                const unsigned char *iv, int enc) {
    OSSL_PARAM params[3] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
                                          sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, enc) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* Return values are OpenSSL's: 1 use it, 2 use it and give a new ticket, 0 full handshake, -1
 * error. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int enc) {
    struct ticket_keys *k = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index());
    pthread_mutex_lock(&k->lock);
    keys_rotate(k);
    int rc = 0;
    if (enc) {
        rand_bytes(iv, EVP_MAX_IV_LENGTH);
        memcpy(name, k->now.name, sizeof(k->now.name));
        rc = arm(cipher, mac, &k->now, iv, 1) ? 1 : -1;
    } else if (memcmp(name, k->now.name, sizeof(k->now.name)) == 0) {
        /* TLS 1.3 clients use a ticket once, so they always get a new one. */
        rc = arm(cipher, mac, &k->now, iv, 0) ? (SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1) : -1;
    } else if (k->has_before && memcmp(name, k->before.name, sizeof(k->before.name)) == 0) {
        rc = arm(cipher, mac, &k->before, iv, 0) ? 2 : -1;
    }
    pthread_mutex_unlock(&k->lock);
    return rc;
}

/* ---- contexts ---- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg) {
    (void)ssl, (void)arg;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found = NULL;
    if (SSL_select_next_proto(&found, out_n, ours, sizeof(ours) - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static err *ctx_common(const SSL_METHOD *method, SSL_CTX **ret) {
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx) return tls_err(ERR_INTERNAL_ERROR, "cannot make a TLS context");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set1_groups_list(ctx, "P-256:X25519:P-384") != 1) {
        SSL_CTX_free(ctx);
        return tls_err(ERR_INTERNAL_ERROR, "cannot set up TLS");
    }
    *ret = ctx;
    return NULL;
}

static err *load_chain(SSL_CTX *ctx, str chain) {
    BIO *bio = NULL;
    TRY(tls_pem_bio(chain, &bio));
    err *e = NULL;
    int n = 0;
    for (X509 *x; !e && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL)); n++) {
        if (n > MAX_CHAIN)
            e = err_new(ERR_INVALID_PARAMETER_VALUE, "the chain has over %d certificates.",
                        MAX_CHAIN);
        else if (n == 0 ? SSL_CTX_use_certificate(ctx, x) != 1
                        : SSL_CTX_add1_chain_cert(ctx, x) != 1)
            e = tls_err(ERR_INVALID_PARAMETER_VALUE, "certificate %d of the chain is refused",
                        n + 1);
        X509_free(x);
    }
    BIO_free(bio);
    if (!e && n == 0)
        e = tls_err(ERR_INVALID_PARAMETER_VALUE, "there is no certificate in the PEM text");
    ERR_clear_error(); /* the loop ends with "no more" */
    return e;
}

static err *load_key(SSL_CTX *ctx, str key) {
    BIO *bio = NULL;
    TRY(tls_pem_bio(key, &bio));
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!pkey)
        return err_hint(tls_err(ERR_INVALID_PARAMETER_VALUE, "the key cannot be read"),
                        "An unencrypted PEM private key is needed.");
    int ok = SSL_CTX_use_PrivateKey(ctx, pkey);
    EVP_PKEY_free(pkey);
    if (ok != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return tls_err(ERR_INVALID_PARAMETER_VALUE, "the key does not fit the certificate");
    return NULL;
}

static err *server_ctx(struct ticket_keys *keys, str chain, str key, SSL_CTX **ret) {
    SSL_CTX *ctx = NULL;
    TRY(ctx_common(TLS_server_method(), &ctx));
    err *e = load_chain(ctx, chain);
    if (!e) e = load_key(ctx, key);
    if (e) {
        SSL_CTX_free(ctx);
        return e;
    }
    static const unsigned char id[] = "boathouse";
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, 24 * 3600);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    atomic_fetch_add(&keys->refs, 1);
    must(SSL_CTX_set_ex_data(ctx, keys_index(), keys) == 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    *ret = ctx;
    return NULL;
}

static tls_context *context_new(bool server) {
    tls_context *t = calloc(1, sizeof(*t));
    must(t != NULL);
    t->magic = TLS_MAGIC;
    t->server = server;
    pthread_mutex_init(&t->lock, NULL);
    if (server) t->keys = keys_new();
    return t;
}

void tls_free(tls_context *t) {
    if (!t) return;
    must_magic(t, TLS_MAGIC);
    SSL_CTX_free(t->ctx);
    keys_drop(t->keys);
    pthread_mutex_destroy(&t->lock);
    t->magic = 0;
    free(t);
}

err *tls_server_new(str cert_chain, str key, tls_context **ret) {
    tls_context *t = context_new(true);
    err *e = server_ctx(t->keys, cert_chain, key, &t->ctx);
    if (e) {
        tls_free(t);
        return e;
    }
    *ret = t;
    return NULL;
}

err *tls_server_reload(tls_context *t, str cert_chain, str key) {
    must_magic(t, TLS_MAGIC);
    must(t->server);
    SSL_CTX *fresh = NULL;
    TRY(server_ctx(t->keys, cert_chain, key, &fresh));
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = fresh;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return NULL;
}

void tls_server_set_ticket_life(tls_context *t, int64_t us) {
    must_magic(t, TLS_MAGIC);
    must(t->server && us > 0);
    pthread_mutex_lock(&t->keys->lock);
    t->keys->life = us;
    pthread_mutex_unlock(&t->keys->lock);
}

int64_t tls_server_not_after(tls_context *t) {
    must_magic(t, TLS_MAGIC);
    must(t->server);
    pthread_mutex_lock(&t->lock);
    struct tm tm = {0};
    ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(t->ctx)), &tm);
    pthread_mutex_unlock(&t->lock);
    return (int64_t)timegm(&tm) * US_PER_S;
}

static err *load_roots(SSL_CTX *ctx, str bundle) {
    if (bundle.n == 0) {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1)
            return tls_err(ERR_INTERNAL_ERROR, "cannot read the system's root certificates");
        return NULL;
    }
    BIO *bio = NULL;
    TRY(tls_pem_bio(bundle, &bio));
    err *e = NULL;
    int n = 0;
    for (X509 *x; !e && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL)); n++) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) != 1)
            e = tls_err(ERR_INVALID_PARAMETER_VALUE, "root certificate %d is refused", n + 1);
        X509_free(x);
    }
    BIO_free(bio);
    if (!e && n == 0)
        e = tls_err(ERR_INVALID_PARAMETER_VALUE, "there is no certificate in the bundle");
    ERR_clear_error();
    return e;
}

err *tls_client_new(str ca_bundle, tls_context **ret) {
    tls_context *t = context_new(false);
    err *e = ctx_common(TLS_client_method(), &t->ctx);
    if (!e) e = load_roots(t->ctx, ca_bundle);
    if (e) {
        tls_free(t);
        return e;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    *ret = t;
    return NULL;
}

/* ---- one connection ---- */

bool tls_is_server(const tls_context *t) { return t->server; }

err *tls_ssl_new(tls_context *t, const char *name, SSL **ret) {
    must_magic(t, TLS_MAGIC);
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx);
    pthread_mutex_unlock(&t->lock);
    if (!ssl) return tls_err(ERR_INTERNAL_ERROR, "cannot begin TLS");
    if (t->server) {
        SSL_set_accept_state(ssl);
        *ret = ssl;
        return NULL;
    }
    SSL_set_connect_state(ssl);
    must(name != NULL);
    bool ok;
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    if (ip) {
        ASN1_OCTET_STRING_free(ip);
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    } else {
        ok = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
        ERR_clear_error(); /* a2i_IPADDRESS leaves one */
    }
    static const unsigned char alpn[] = "\x08http/1.1";
    if (!ok || SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) != 0) {
        SSL_free(ssl);
        return tls_err(ERR_INVALID_PARAMETER_VALUE, "'%s' is not a host name or address", name);
    }
    *ret = ssl;
    return NULL;
}
