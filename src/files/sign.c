/* SPDX-License-Identifier: Apache-2.0 */
#include "files/sign.h"

#include <openssl/hmac.h>

#include "base/enc.h"
#include "sys/clock.h"

#define MAC 16u

static void mac(struct req *r, str text, unsigned char out[32]) {
    unsigned n = 32;
    HMAC(EVP_sha256(), r->control->url_key, sizeof(r->control->url_key),
         (const unsigned char *)text.p, text.n, out, &n);
}

str files_sign_url(struct req *r, struct store_scope scope, str path, const char *verb, str extra,
                   int64_t life_us) {
    if (life_us <= 0 || life_us > SIGN_LIFE_US) life_us = SIGN_LIFE_US;
    buf text = {0}, whole = {0}, b64 = {0};
    buf_fmt(&text, "%s\n%lld\n%lld\n%lld\n%lld\n%.*s\n%.*s", verb, (long long)scope.account,
            (long long)scope.workspace, (long long)(clock_now() + life_us), (long long)r->principal,
            STR_ARG(extra), STR_ARG(path));
    unsigned char m[32];
    mac(r, buf_view(&text), m);
    buf_add(&whole, m, MAC);
    buf_str(&whole, buf_view(&text));
    enc_base64url(&b64, buf_view(&whole));
    str base = req_base_url(r);
    str out = str_of(arena_printf(r->a, "%.*s" SIGN_PREFIX "%.*s", STR_ARG(base), STR_ARG(buf_view(&b64))));
    buf_free(&text);
    buf_free(&whole);
    buf_free(&b64);
    return out;
}

static bool take_i64(str *rest, int64_t *ret) {
    str part;
    return str_split(rest, '\n', &part) && str_to_i64(part, ret);
}

err *files_check_url(struct req *r, str token, str verb, struct signed_url *ret, bool *ret_expired) {
    buf raw = {0};
    *ret_expired = false;
    bool ok = token.n < 8192 && enc_unbase64(&raw, token) && raw.n > MAC;
    if (ok) {
        unsigned char m[32];
        mac(r, str_from(buf_view(&raw), MAC), m);
        ok = str_eq_secret(str_n((char *)m, MAC), str_cut(buf_view(&raw), MAC));
    }
    str rest = ok ? str_from(arena_str(r->a, buf_view(&raw)), MAC) : STR_NONE;
    buf_free(&raw);
    ok = ok && str_split(&rest, '\n', &ret->verb) && take_i64(&rest, &ret->scope.account) &&
         take_i64(&rest, &ret->scope.workspace) && take_i64(&rest, &ret->expires) &&
         take_i64(&rest, &ret->principal) && str_split(&rest, '\n', &ret->extra);
    ret->path = rest;
    if (!ok || !(str_eq(ret->verb, verb) ||
                 (str_eqz(ret->verb, "GET") && str_eqz(verb, "HEAD"))))
        return err_new(ERR_PERMISSION_DENIED, "This URL is not signed by us for %.*s.",
                       STR_ARG(verb));
    *ret_expired = ret->expires <= clock_now();
    return NULL;
}
