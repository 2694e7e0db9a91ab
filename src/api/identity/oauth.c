/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OAuth 2.0 (RFC 6749): the token endpoint, and the secrets of service principals.
 *
 *   client_credentials    of a service principal: read
 *   authorization_code    a person who signed in (authorize.c): loop takes the code, write begins a
 *                         sign-in if offline_access was asked, read signs
 *   refresh_token         write renews the sign-in, read signs
 *
 * Errors have OAuth's own shape (§5.2).
 */
#include <stdio.h>

#include "api/gen_routes.h"
#include "base/enc.h"
#include "base/time.h"
#include "oauth_int.h"
#include "policy/credential.h"
#include "rules.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define MAX_SECRETS 5 /* of one service principal, as published */
#define SECRET_LIFETIME_US (730ll * 86400 * US_PER_S)

err *oauth_refuse(struct req *r, int status, const char *code, const char *why) {
    buf b = {0};
    buf_fmt(&b, "{\"error\":\"%s\",\"error_description\":", code);
    buf_json_str(&b, str_of(why));
    buf_c(&b, '}');
    req_body(r, status, "application/json", arena_str(r->a, buf_view(&b)));
    buf_free(&b);
    req_reply_header(r, "Cache-Control", STR("no-store"));
    req_finish(r);
    return NULL;
}

/* Client id and secret: HTTP Basic (both form-encoded, §2.3.1) or form fields. */
static bool client_of(struct req *r, str *id, str *secret) {
    str h = req_header(r, "authorization");
    if (h.n > 6 && str_ieq(str_cut(h, 6), STR("Basic "))) {
        buf raw = {0}, a = {0}, b = {0};
        bool ok = enc_unbase64(&raw, str_trim(str_from(h, 6)));
        ptrdiff_t colon = ok ? str_chr(buf_view(&raw), ':', 0) : -1;
        ok = colon >= 0 && enc_unpercent(&a, str_cut(buf_view(&raw), (size_t)colon), true) &&
             enc_unpercent(&b, str_from(buf_view(&raw), (size_t)colon + 1), true);
        if (ok) {
            *id = arena_str(r->a, buf_view(&a));
            *secret = arena_str(r->a, buf_view(&b));
        }
        buf_free(&raw);
        buf_free(&a);
        buf_free(&b);
        if (ok && id->n) return true;
    }
    *id = arg_str(r, "client_id");
    *secret = arg_str(r, "client_secret");
    return id->n && secret->n;
}

static err *secret_matches(struct req *r, int64_t principal, str secret, bool *ret) {
    unsigned char h[32];
    credential_hash(secret, h);
    struct ent_list_query q = {.eq[0] = {.column = ENT_OAUTH_SECRET_PRINCIPAL_ID, .i = principal}};
    struct ent_oauth_secret_rows rows;
    TRY(ent_oauth_secret_list(r->tx, identity_account(), r->a, &q, &rows));
    *ret = false;
    int64_t now = clock_now();
    for (size_t i = 0; i < rows.n; i++)
        *ret |= str_eqz(rows.p[i].status, "ACTIVE") &&
                (!rows.p[i].expires_at || rows.p[i].expires_at > now) &&
                str_eq_secret(rows.p[i].hash, str_n((char *)h, 32));
    return NULL;
}

static err *issue(struct req *r, int64_t principal, int64_t workspace) {
    struct signing_key key;
    TRY(identity_signing_key(r->tx, r->a, &key));
    int64_t life = settings_int(&r->control->settings, SET_IDENTITY_OAUTH_TOKEN_LIFETIME);
    struct jwt_claims c = {.principal = principal, .workspace = workspace, .issued_us = clock_now()};
    c.expires_us = c.issued_us + life;
    rand_hex(c.jti, 16);
    buf b = {0};
    err *e = jwt_sign(key.kid, key.private_pem, &c, &b);
    jmut *o = req_out(r);
    if (!e) {
        json_put_str(r->doc, o, "access_token", arena_str(r->a, buf_view(&b)));
        json_put_z(r->doc, o, "token_type", "Bearer");
        json_put_int(r->doc, o, "expires_in", life / US_PER_S);
        if (!r->state) json_put_z(r->doc, o, "scope", "all-apis");
        req_reply_header(r, "Cache-Control", STR("no-store"));
    }
    buf_free(&b);
    return e;
}

/* ---- people ---- */

/* Lives in r->state while a person's code or refresh token becomes an access token. */
struct sign_in {
    struct refresh_grant grant;
    struct code_grant code;
    struct refresh_text next;
    bool renew; /* else a code */
};

err *api_identity_oauth_token_begin(struct req *r) {
    str grant = arg_str(r, "grant_type");
    bool code = str_eqz(grant, "authorization_code");
    if (!code && !str_eqz(grant, "refresh_token")) return NULL;
    struct sign_in *s = arena_new_of(r->a, struct sign_in);
    r->state = s;
    s->renew = !code;
    if (s->renew) return NULL;
    if (!codes_take(oauth_codes(), arg_str(r, "code"), clock_now(), &s->code) ||
        !str_eqz(arg_str(r, "client_id"), s->code.client_id) ||
        !str_eqz(arg_str(r, "redirect_uri"), s->code.redirect_uri) ||
        !codes_verifier_fits(arg_str(r, "code_verifier"), s->code.challenge))
        return oauth_refuse(r, 400, "invalid_grant",
                            "The code is unknown, expired, used, or not this program's.");
    s->grant = (struct refresh_grant){s->code.principal, s->code.workspace,
                                      str_of(s->code.token_id), str_of(s->code.client_id)};
    return NULL;
}

err *api_identity_oauth_token_sign_in(struct req *r) {
    struct sign_in *s = r->state;
    if (!s->renew)
        return s->code.offline ? identity_refresh_create(r->tx, r->a, &s->grant, &s->next) : NULL;
    bool good;
    TRY(identity_refresh_use(r->tx, r->a, arg_str(r, "refresh_token"), arg_str(r, "client_id"),
                             &s->grant, &s->next, &good));
    if (good) return NULL;
    return oauth_refuse(r, 400, "invalid_grant",
                        "The refresh token is unknown, expired or used; sign in again.");
}

err *api_identity_oauth_token_sign(struct req *r) {
    struct sign_in *s = r->state;
    TRY(issue(r, s->grant.principal, s->grant.workspace));
    bool renewable = s->next.text[0] != 0;
    jmut *o = req_out(r);
    json_put_z(r->doc, o, "scope", renewable ? "all-apis offline_access" : "all-apis");
    if (renewable) json_put_z(r->doc, o, "refresh_token", s->next.text);
    return NULL;
}

/* ---- machines ---- */

err *api_identity_oauth_token(struct req *r) {
    if (r->state) return NULL; /* a person */
    str grant = arg_str(r, "grant_type"), id, secret;
    if (!str_eqz(grant, "client_credentials"))
        return oauth_refuse(r, 400, "unsupported_grant_type",
                            "grant_type is not client_credentials, authorization_code or "
                            "refresh_token.");
    if (!client_of(r, &id, &secret))
        return oauth_refuse(r, 401, "invalid_client", "Client credentials are missing.");
    struct ent_service_principal sp;
    bool found, good = false;
    TRY(ent_service_principal_by_application_id(r->tx, identity_account(), r->a, id, &sp, &found));
    if (found) TRY(secret_matches(r, sp.id, secret, &good));
    if (!good || !sp.active)
        return oauth_refuse(r, 401, "invalid_client", "Client authentication failed.");
    req_finish(r);
    return issue(r, sp.id, 0);
}

/* ---- secrets ---- */

/* The account's path is its admins'; the workspace's shows its own service principals. */
static err *find_sp(struct req *r, struct scim_resource *ret) {
    str account = arg_str(r, "account_id");
    if (account.n && !str_ieq(account, str_of(r->control->account_id)))
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Account %.*s does not exist.",
                       STR_ARG(str_cut(account, 64)));
    if (account.n && !r->account_admin)
        return err_new(ERR_PERMISSION_DENIED, "Only account admins can do this.");
    int64_t id;
    TRY(arg_id(r, "service_principal_id", "Service principal", &id));
    bool found;
    TRY(scim_get(r->tx, r->a, PRINCIPAL_SERVICE, account.n ? 0 : r->scope.workspace, id, ret, &found));
    if (!found)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Service principal %lld does not exist.",
                       (long long)id);
    return rules_may_change(r, ret);
}

static void put_secret(struct req *r, jmut *o, const struct ent_oauth_secret *s) {
    buf h = {0};
    enc_hex(&h, s->hash);
    json_put_str(r->doc, o, "id", arena_str(r->a, s->secret_id));
    json_put_str(r->doc, o, "secret_hash", arena_str(r->a, buf_view(&h)));
    json_put_str(r->doc, o, "status", arena_str(r->a, s->status));
    json_put_z(r->doc, o, "create_time", time_rfc3339(r->a, s->created_at, 3));
    json_put_z(r->doc, o, "update_time", time_rfc3339(r->a, s->updated_at, 3));
    if (s->expires_at) json_put_z(r->doc, o, "expire_time", time_rfc3339(r->a, s->expires_at, 3));
    buf_free(&h);
}

/* "86400s" as protobuf-JSON writes a duration. */
static err *secret_lifetime(struct req *r, int64_t *ret_us) {
    str v = arg_str(r, "lifetime");
    int64_t s;
    *ret_us = SECRET_LIFETIME_US;
    if (!v.n) return NULL;
    if (!str_ends(v, STR("s")) || !str_to_i64(str_cut(v, v.n - 1), &s) || s <= 0 ||
        s > SECRET_LIFETIME_US / US_PER_S)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "lifetime '%.*s' is not a duration such as 86400s, at most two years.",
                       STR_ARG(str_cut(v, 40)));
    *ret_us = s * US_PER_S;
    return NULL;
}

err *api_identity_sp_secret_create(struct req *r) {
    struct scim_resource sp;
    int64_t life, have;
    TRY(find_sp(r, &sp));
    TRY(secret_lifetime(r, &life));
    struct ent_list_query q = {.eq[0] = {.column = ENT_OAUTH_SECRET_PRINCIPAL_ID, .i = sp.id}};
    TRY(ent_oauth_secret_count(r->tx, identity_account(), &q, &have));
    if (have >= MAX_SECRETS)
        return err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "There are %d secrets already.", MAX_SECRETS),
                        "Delete one first.");
    char *text = arena_alloc(r->a, 69), id[33];
    memcpy(text, "dose", 4);
    rand_hex(text + 4, 32);
    rand_hex(id, 16);
    unsigned char h[32];
    credential_hash(str_of(text), h);
    struct ent_oauth_secret s = {.secret_id = str_of(id),
                                 .principal_id = sp.id,
                                 .hash = str_n((char *)h, 32),
                                 .hint = str_n(text, 8),
                                 .status = STR("ACTIVE"),
                                 .expires_at = clock_now() + life};
    TRY(ent_oauth_secret_insert(r->tx, identity_account(), &s));
    store_tx_securable(r->tx, "oauth_secret", s.id, s.secret_id);
    jmut *o = req_out(r);
    put_secret(r, o, &s);
    json_put_z(r->doc, o, "secret", text);
    return NULL;
}

err *api_identity_sp_secret_list(struct req *r) {
    struct scim_resource sp;
    TRY(find_sp(r, &sp));
    struct ent_list_query q = {.eq[0] = {.column = ENT_OAUTH_SECRET_PRINCIPAL_ID, .i = sp.id}};
    struct ent_oauth_secret_rows rows;
    TRY(ent_oauth_secret_list(r->tx, identity_account(), r->a, &q, &rows));
    jmut *list = json_put_arr(r->doc, req_out(r), "secrets");
    for (size_t i = 0; i < rows.n; i++) put_secret(r, json_add_obj(r->doc, list), &rows.p[i]);
    return NULL;
}

err *api_identity_sp_secret_delete(struct req *r) {
    struct scim_resource sp;
    TRY(find_sp(r, &sp));
    struct ent_oauth_secret s;
    bool found;
    TRY(ent_oauth_secret_by_secret_id(r->tx, identity_account(), r->a, arg_str(r, "secret_id"), &s,
                                      &found));
    if (!found || s.principal_id != sp.id)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "The secret does not exist.");
    store_tx_securable(r->tx, "oauth_secret", s.id, s.secret_id);
    req_out(r);
    return ent_oauth_secret_delete(r->tx, identity_account(), s.id);
}
