/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "api/gen_routes.h"
#include "base/enc.h"
#include "rest/control.h"
#include "sys/files.h"

static str with(struct req *r, str base, const char *path) {
    return str_of(arena_printf(r->a, "%.*s%s", STR_ARG(base), path));
}

/* A client that learns a workspace here names it in every call, which its credential must then agree
 * with. So it is told only where the host name says it, or where there is but one. */
static int64_t only_workspace(struct req *r) {
    map *all = r->control->facts->workspaces;
    str host = r->host, k;
    void *v;
    ptrdiff_t colon = str_chr(host, ':', 0);
    if (colon > 0) host = str_cut(host, (size_t)colon);
    for (size_t i = 0; map_next(all, &i, &k, &v);) {
        struct fact_workspace *w = v;
        if (map_size(all) == 1 || (w->host[0] && str_ieq(host, str_of(w->host)))) return w->id;
    }
    return 0;
}

err *api_identity_discovery(struct req *r) {
    int64_t workspace = only_workspace(r);
    str base = req_base_url(r);
    jmut *o = req_out(r);
    json_put_str(r->doc, o, "oidc_endpoint", with(r, base, "/oidc"));
    json_put_z(r->doc, o, "account_id", r->control->account_id);
    if (workspace)
        json_put_z(r->doc, o, "workspace_id", arena_printf(r->a, "%lld", (long long)workspace));
    json_put_z(r->doc, o, "cloud", "AWS");
    json_put_z(r->doc, o, "host_type", "workspace");
    jmut *aud = json_put_arr(r->doc, o, "token_federation_default_oidc_audiences");
    json_add_str(r->doc, aud, str_of(r->control->account_id));
    return NULL;
}

err *api_identity_crl(struct req *r) {
    buf der = {0};
    err *e = files_read(arena_printf(r->a, "%s/tls/ca.crl", r->control->data_dir), 1u << 20, &der);
    if (e) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "The certificate is not of our own authority: it has no revocation list here.");
    }
    req_body(r, 200, "application/pkix-crl", arena_str(r->a, buf_view(&der)));
    buf_free(&der);
    return NULL;
}

err *api_identity_oauth_metadata(struct req *r) {
    str base = req_base_url(r);
    jmut *o = req_out(r);
    json_put_str(r->doc, o, "issuer", with(r, base, "/oidc"));
    json_put_str(r->doc, o, "authorization_endpoint", with(r, base, "/oidc/v1/authorize"));
    json_put_str(r->doc, o, "token_endpoint", with(r, base, "/oidc/v1/token"));
    json_put_str(r->doc, o, "jwks_uri", with(r, base, "/oidc/jwks.json"));
    static const struct {
        const char *key, *values[3];
    } lists[] = {{"response_types_supported", {"code"}},
                 {"grant_types_supported", {"client_credentials", "authorization_code", "refresh_token"}},
                 {"token_endpoint_auth_methods_supported",
                  {"client_secret_basic", "client_secret_post", "none"}},
                 {"code_challenge_methods_supported", {"S256"}},
                 {"scopes_supported", {"all-apis", "offline_access"}}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        jmut *l = json_put_arr(r->doc, o, lists[i].key);
        for (int k = 0; k < 3 && lists[i].values[k]; k++)
            json_add_str(r->doc, l, str_of(lists[i].values[k]));
    }
    return NULL;
}

/* One EC P-256 public key as a JWK: RFC 7518 §6.2. */
static bool jwk_of(struct req *r, str kid, const char *pem, jmut *list) {
    BIO *b = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *k = b ? PEM_read_bio_PUBKEY(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    unsigned char point[65];
    size_t n = 0;
    bool ok = k && EVP_PKEY_get_octet_string_param(k, "encoded-pub-key", point, sizeof(point), &n) == 1 &&
              n == 65 && point[0] == 4;
    EVP_PKEY_free(k);
    if (!ok) return false;
    buf x = {0}, y = {0};
    enc_base64url(&x, str_n((char *)point + 1, 32));
    enc_base64url(&y, str_n((char *)point + 33, 32));
    jmut *o = json_add_obj(r->doc, list);
    json_put_z(r->doc, o, "kty", "EC");
    json_put_z(r->doc, o, "crv", "P-256");
    json_put_z(r->doc, o, "use", "sig");
    json_put_z(r->doc, o, "alg", "ES256");
    json_put_str(r->doc, o, "kid", arena_str(r->a, kid));
    json_put_str(r->doc, o, "x", arena_str(r->a, buf_view(&x)));
    json_put_str(r->doc, o, "y", arena_str(r->a, buf_view(&y)));
    buf_free(&x);
    buf_free(&y);
    return true;
}

err *api_identity_oauth_jwks(struct req *r) {
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "keys");
    str k;
    void *v;
    for (size_t i = 0; map_next(r->control->facts->signers, &i, &k, &v);)
        if (!jwk_of(r, k, v, list)) return err_new(ERR_INTERNAL_ERROR, "a signing key is damaged");
    return NULL;
}
