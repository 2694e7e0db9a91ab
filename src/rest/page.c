/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/page.h"

#include <openssl/hmac.h>

#include "base/enc.h"
#include "rest/control.h"

#define MAC 16u

static void mac(struct req *r, str filter, str key, unsigned char out[32]) {
    buf b = {0};
    buf_fmt(&b, "%s.%s/%lld/%lld/%zu/", r->row->service, r->row->name, (long long)r->scope.account,
            (long long)r->scope.workspace, filter.n);
    buf_str(&b, filter);
    buf_str(&b, key);
    unsigned n = 32;
    HMAC(EVP_sha256(), r->control->page_key, sizeof(r->control->page_key),
         (const unsigned char *)b.p, b.n, out, &n);
    buf_free(&b);
}

str page_token_make(struct req *r, str filter, str key) {
    unsigned char m[32];
    mac(r, filter, key, m);
    buf raw = {0}, text = {0};
    buf_add(&raw, m, MAC);
    buf_str(&raw, key);
    enc_base64url(&text, buf_view(&raw));
    str out = arena_str(r->a, buf_view(&text));
    buf_free(&raw);
    buf_free(&text);
    return out;
}

err *page_token_read(struct req *r, str token, str filter, str *ret_key) {
    if (!token.n) {
        *ret_key = STR("");
        return NULL;
    }
    buf raw = {0};
    bool ok = token.n < 4096 && enc_unbase64(&raw, token) && raw.n >= MAC;
    if (ok) {
        unsigned char m[32];
        str key = str_from(buf_view(&raw), MAC);
        mac(r, filter, key, m);
        ok = str_eq_secret(str_n((const char *)m, MAC), str_cut(buf_view(&raw), MAC));
        if (ok) *ret_key = arena_str(r->a, key);
    }
    buf_free(&raw);
    if (ok) return NULL;
    return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid page_token '%.*s'.",
                            STR_ARG(str_cut(token, 60))),
                    "Take it from next_page_token of the same request.");
}
