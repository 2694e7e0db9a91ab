/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gen_routes.h"
#include "base/time.h"
#include "identity/scim.h"

#define MAX_TOKENS 600 /* of one principal in a workspace, as published */

static void put_info(struct req *r, jmut *o, const struct ent_token *t) {
    json_put_str(r->doc, o, "token_id", arena_str(r->a, t->token_id));
    json_put_int(r->doc, o, "creation_time", t->created_at / 1000);
    json_put_int(r->doc, o, "expiry_time", t->expires_at ? t->expires_at / 1000 : -1);
    json_put_str(r->doc, o, "comment", arena_str(r->a, t->comment));
}

static err *lifetime_of(struct req *r, int64_t *ret_us) {
    int64_t s = arg_i64(r, "lifetime_seconds", 0);
    int64_t most = settings_int(&r->control->settings, SET_IDENTITY_TOKEN_MAX_LIFETIME) / US_PER_S;
    if (arg_has(r, "lifetime_seconds") && (s <= 0 || s > most) && s != -1)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "lifetime_seconds %lld is out of bounds (1 to %lld, or absent for no expiry).",
                       (long long)s, (long long)most);
    *ret_us = s > 0 ? s * US_PER_S : 0;
    return NULL;
}

static err *create_for(struct req *r, int64_t principal) {
    int64_t life = 0;
    TRY(lifetime_of(r, &life));
    struct ent_list_query q = {.eq[0] = {.column = ENT_TOKEN_PRINCIPAL_ID, .i = principal}};
    int64_t have = 0;
    TRY(ent_token_count(r->tx, r->scope, &q, &have));
    if (have >= MAX_TOKENS)
        return err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "There are %lld tokens already.",
                                (long long)have),
                        "Delete some first.");
    struct new_token *t = arena_new_of(r->a, struct new_token);
    TRY(identity_token_create(r->tx, r->scope.workspace, principal, arg_str(r, "comment"), life, t));
    store_tx_securable(r->tx, "token", t->row.id, t->row.token_id);
    req_fact(r, FACT_TOKEN, false, false, t->row.hash, identity_token_fact(r->a, &t->row), -1);
    jmut *o = req_out(r);
    json_put_z(r->doc, o, "token_value", t->text);
    put_info(r, json_put_obj(r->doc, o, "token_info"), &t->row);
    return NULL;
}

err *api_identity_token_create(struct req *r) { return create_for(r, r->principal); }

err *api_identity_tm_obo(struct req *r) {
    struct ent_service_principal sp;
    bool found, member = false;
    str id = arg_str(r, "application_id");
    TRY(ent_service_principal_by_application_id(r->tx, identity_account(), r->a, id, &sp, &found));
    if (found) TRY(scim_is_member(r->tx, r->a, r->scope.workspace, sp.id, &member));
    if (!member)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Service principal '%.*s' does not exist.",
                       STR_ARG(str_cut(id, 64)));
    if (sp.account_admin && !r->account_admin)
        return err_new(ERR_PERMISSION_DENIED, "'%.*s' is an account admin; only account admins can "
                       "do this.", STR_ARG(str_cut(id, 64)));
    return create_for(r, sp.id);
}

static err *list(struct req *r, int64_t principal, bool with_owner) {
    struct ent_list_query q = {.order = ENT_BY_CREATED, .descending = true};
    if (principal) q.eq[0] = (struct ent_filter){.column = ENT_TOKEN_PRINCIPAL_ID, .i = principal};
    struct ent_token_rows rows;
    TRY(ent_token_list(r->tx, r->scope, r->a, &q, &rows));
    jmut *out = json_put_arr(r->doc, req_out(r), "token_infos");
    for (size_t i = 0; i < rows.n; i++) {
        jmut *o = json_add_obj(r->doc, out);
        put_info(r, o, &rows.p[i]);
        if (!with_owner) continue;
        struct principal_info p;
        bool found;
        TRY(identity_find(r->tx, r->a, rows.p[i].principal_id, &p, &found));
        json_put_int(r->doc, o, "owner_id", rows.p[i].principal_id);
        json_put_int(r->doc, o, "created_by_id", rows.p[i].created_by);
        json_put_str(r->doc, o, "created_by_username", found ? p.name : STR(""));
        json_put_int(r->doc, o, "last_used_day", rows.p[i].last_used_at / 1000);
    }
    return NULL;
}

err *api_identity_token_list(struct req *r) { return list(r, r->principal, false); }

err *api_identity_tm_list(struct req *r) {
    int64_t by = arg_i64(r, "created_by_id", 0);
    if (!by && arg_has(r, "created_by_username")) {
        struct principal_info p;
        bool found;
        TRY(identity_by_name(r->tx, r->a, r->scope.workspace, PRINCIPAL_USER,
                             arg_str(r, "created_by_username"), &p, &found));
        by = found ? p.id : -1;
    }
    return list(r, by, true);
}

static err *find(struct req *r, struct ent_token *ret) {
    bool found;
    str id = arg_str(r, "token_id");
    TRY(ent_token_by_token_id(r->tx, r->scope, r->a, id, ret, &found));
    if (found) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Token with ID %.*s not found",
                   STR_ARG(str_cut(id, 64)));
}

err *api_identity_tm_get(struct req *r) {
    struct ent_token t;
    TRY(find(r, &t));
    put_info(r, json_put_obj(r->doc, req_out(r), "token_info"), &t);
    return NULL;
}

static err *revoke(struct req *r, const struct ent_token *t) {
    store_tx_securable(r->tx, "token", t->id, t->token_id);
    TRY(ent_token_delete(r->tx, r->scope, t->id));
    req_fact(r, FACT_TOKEN, true, true, t->hash, STR(""), -1);
    req_out(r);
    return NULL;
}

err *api_identity_token_delete(struct req *r) {
    struct ent_token t;
    TRY(find(r, &t));
    if (t.principal_id != r->principal)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Token with ID %.*s not found",
                       STR_ARG(str_cut(arg_str(r, "token_id"), 64)));
    return revoke(r, &t);
}

err *api_identity_tm_delete(struct req *r) {
    struct ent_token t;
    TRY(find(r, &t));
    return revoke(r, &t);
}
