/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/credential.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/json.h"
#include "base/time.h"

#define MAX_AUTHORIZATION 8192u
#define MAX_CACHED_JWTS 100000u
#define NOTE_EVERY_US (3600ll * US_PER_S)

void credential_hash(str token, unsigned char out[32]) {
    SHA256((const unsigned char *)token.p, token.n, out);
}

static err *refuse(const char *why) {
    return err_new(ERR_UNAUTHENTICATED, "%s", why);
}

/* The token's text out of the header; `scratch` holds a decoded Basic pair. */
static err *token_text(str header, buf *scratch, str *ret) {
    if (header.n == 0) return refuse("Credential was not sent or was of an unsupported type for this API.");
    if (header.n > MAX_AUTHORIZATION) return refuse("The Authorization header is too long.");
    if (header.n > 7 && str_ieq(str_cut(header, 7), STR("Bearer "))) {
        *ret = str_trim(str_from(header, 7));
    } else if (header.n > 6 && str_ieq(str_cut(header, 6), STR("Basic "))) {
        if (!enc_unbase64(scratch, str_trim(str_from(header, 6))))
            return refuse("The Basic credential is not base64.");
        str pair = buf_view(scratch);
        if (!str_starts(pair, STR("token:")))
            return refuse("Basic authentication takes the user name 'token' and an access token.");
        *ret = str_from(pair, 6);
    } else {
        return refuse("Credential was not sent or was of an unsupported type for this API.");
    }
    if (ret->n == 0) return refuse("The access token is empty.");
    return NULL;
}

static struct fact_token *find_jwt(struct facts *f, str token, const unsigned char hash[32],
                                   err **ret_err) {
    str key = str_n((const char *)hash, 32);
    struct fact_token *t = map_get(f->jwts, key);
    if (t) return t;
    struct jwt_claims c;
    *ret_err = jwt_verify(f, token, &c);
    if (*ret_err) return NULL;
    if (map_size(f->jwts) >= MAX_CACHED_JWTS) {
        str k;
        void *v;
        for (size_t i = 0; map_next(f->jwts, &i, &k, &v);) {
            map_del(f->jwts, k);
            free(v);
        }
    }
    t = calloc(1, sizeof(*t));
    must(t != NULL);
    t->principal = c.principal;
    t->workspace = c.workspace;
    t->expires_us = c.expires_us;
    map_put(f->jwts, key, t);
    return t;
}

err *credential_check(struct facts *f, str authorization, int64_t now_us, struct credential *ret) {
    buf scratch = {0};
    str token = STR_NONE;
    err *e = token_text(authorization, &scratch, &token);
    if (e) {
        buf_free(&scratch);
        return e;
    }
    unsigned char hash[32];
    credential_hash(token, hash);
    struct fact_token *t = map_get(f->tokens, str_n((const char *)hash, 32));
    const char *kind = "pat";
    if (!t && str_starts(token, STR("eyJ"))) {
        t = find_jwt(f, token, hash, &e);
        kind = "oauth";
    }
    buf_free(&scratch);
    if (e) return e;
    if (!t) return refuse("Invalid access token.");
    if (t->expires_us && t->expires_us <= now_us) return refuse("The access token expired.");
    struct fact_principal *p = facts_principal(f, t->principal);
    if (!p || !p->active) return refuse("The principal of this token is not active.");
    bool note = t->id[0] && now_us - t->last_used_us >= NOTE_EVERY_US;
    if (note) t->last_used_us = now_us;
    *ret = (struct credential){p, t->workspace, kind, t->id, t->expires_us, note};
    return NULL;
}

/* ---- JSON web tokens: RFC 7519, ES256 of RFC 7518 §3.4 (raw r || s, 64 bytes) ---- */

static EVP_PKEY *read_key(str pem, bool private) {
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!b) return NULL;
    EVP_PKEY *k = private ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL)
                          : PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
    BIO_free(b);
    return k;
}

static bool der_to_raw(const unsigned char *der, size_t n, unsigned char raw[64]) {
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    if (!sig) return false;
    bool ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok;
}

static size_t raw_to_der(const unsigned char raw[64], unsigned char **der) {
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
    int n = 0;
    *der = NULL;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL; /* owned by sig now */
        n = i2d_ECDSA_SIG(sig, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

err *jwt_sign(const char *kid, str private_pem, const struct jwt_claims *c, buf *out) {
    buf json = {0}, text = {0};
    buf_fmt(&json, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
    enc_base64url(&text, buf_view(&json));
    buf_clear(&json);
    buf_fmt(&json,
            "{\"iss\":\"boathouse\",\"sub\":\"%lld\",\"ws\":%lld,\"iat\":%lld,\"exp\":%lld,"
            "\"jti\":\"%s\",\"scope\":\"all-apis\"}",
            (long long)c->principal, (long long)c->workspace, (long long)(c->issued_us / US_PER_S),
            (long long)(c->expires_us / US_PER_S), c->jti);
    buf_c(&text, '.');
    enc_base64url(&text, buf_view(&json));
    buf_free(&json);
    err *e = NULL;
    EVP_PKEY *key = read_key(private_pem, true);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char der[128], raw[64];
    size_t n = sizeof(der);
    if (!key || !md || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(md, der, &n, (const unsigned char *)text.p, text.n) != 1 ||
        !der_to_raw(der, n, raw)) {
        e = err_new(ERR_INTERNAL_ERROR, "cannot sign an access token");
    } else {
        buf_str(out, buf_view(&text));
        buf_c(out, '.');
        enc_base64url(out, str_n((const char *)raw, 64));
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    buf_free(&text);
    return e;
}

static bool check_signature(const char *pem, str signed_part, const unsigned char raw[64]) {
    EVP_PKEY *key = read_key(str_of(pem), false);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    size_t n = raw_to_der(raw, &der);
    bool ok = key && md && n && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(md, der, n, (const unsigned char *)signed_part.p, signed_part.n) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return ok;
}

static bool read_claims(arena *a, str payload, struct jwt_claims *ret) {
    jval *o;
    err *e = json_parse(a, payload, false, &o);
    if (e) {
        err_free(e);
        return false;
    }
    int64_t iat, exp;
    if (!yyjson_is_obj(o) || !json_i64(json_get(o, "sub"), &ret->principal) ||
        !json_i64(json_get(o, "ws"), &ret->workspace) || !json_i64(json_get(o, "iat"), &iat) ||
        !json_i64(json_get(o, "exp"), &exp))
        return false;
    ret->issued_us = iat * US_PER_S;
    ret->expires_us = exp * US_PER_S;
    str jti = str_cut(json_get_str(o, "jti"), sizeof(ret->jti) - 1);
    memset(ret->jti, 0, sizeof(ret->jti));
    if (jti.n) memcpy(ret->jti, jti.p, jti.n);
    return true;
}

err *jwt_verify(const struct facts *f, str token, struct jwt_claims *ret) {
    ptrdiff_t d1 = str_chr(token, '.', 0);
    ptrdiff_t d2 = d1 > 0 ? str_chr(token, '.', (size_t)d1 + 1) : -1;
    if (d2 < 0 || token.n > MAX_AUTHORIZATION) return refuse("Invalid access token.");
    buf head = {0}, body = {0}, sig = {0};
    arena *a = arena_new();
    bool ok = enc_unbase64(&head, str_cut(token, (size_t)d1)) &&
              enc_unbase64(&body, str_n(token.p + d1 + 1, (size_t)(d2 - d1 - 1))) &&
              enc_unbase64(&sig, str_from(token, (size_t)d2 + 1)) && sig.n == 64;
    jval *h = NULL;
    if (ok) {
        err *e = json_parse(a, buf_view(&head), false, &h);
        ok = !e && yyjson_is_obj(h) && str_eqz(json_get_str(h, "alg"), "ES256");
        err_free(e);
    }
    const char *pem = ok ? map_get(f->signers, json_get_str(h, "kid")) : NULL;
    ok = ok && pem && check_signature(pem, str_cut(token, (size_t)d2), (unsigned char *)sig.p) &&
         read_claims(a, buf_view(&body), ret);
    buf_free(&head);
    buf_free(&body);
    buf_free(&sig);
    arena_free(a);
    return ok ? NULL : refuse("Invalid access token.");
}
