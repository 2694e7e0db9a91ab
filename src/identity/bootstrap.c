/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first start makes, and what every start loads: account, default workspace, first admin,
 * the key that signs OAuth tokens; then all facts.
 */
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "base/log.h"
#include "identity/identity.h"
#include "sys/rand.h"

static struct store_scope in_workspace(int64_t w) {
    return (struct store_scope){IDENTITY_ACCOUNT, w};
}

/* ---- workspaces ---- */

static err *make_group(store_tx *tx, int64_t workspace, const char *name, bool admin,
                       int64_t *ret_id) {
    struct ent_group g = {.display_name = str_of(name), .builtin = true};
    TRY(ent_group_insert(tx, in_workspace(workspace), &g));
    *ret_id = g.id;
    if (!workspace) return NULL;
    struct ent_workspace_member m = {
        .principal_id = g.id, .principal_type = STR("group"), .admin = admin};
    return ent_workspace_member_insert(tx, in_workspace(workspace), &m);
}

static err *add_member(store_tx *tx, int64_t workspace, int64_t group, int64_t user) {
    struct ent_group_member m = {
        .group_id = group, .member_id = user, .member_type = STR("user")};
    return ent_group_member_insert(tx, in_workspace(workspace), &m);
}

err *identity_workspace_create(store_tx *tx, arena *a, str name, str deployment, bool ephemeral,
                               int64_t owner, struct ent_workspace *ret) {
    int64_t id = rand_id();
    if (!deployment.n) deployment = str_of(arena_printf(a, "ws-%llx", (unsigned long long)id));
    *ret = (struct ent_workspace){.name = name,
                                  .deployment_name = deployment,
                                  .state = STR("RUNNING"),
                                  .ephemeral = ephemeral,
                                  .owner_id = owner,
                                  .region = STR("local"),
                                  .default_catalog = STR("main")};
    ret->id = id;
    TRY(ent_workspace_insert(tx, identity_account(), ret));
    int64_t users, admins;
    TRY(make_group(tx, ret->id, "users", false, &users));
    TRY(make_group(tx, ret->id, "admins", true, &admins));
    TRY(add_member(tx, ret->id, users, owner));
    return add_member(tx, ret->id, admins, owner);
}

bool identity_workspace_gone(const struct ent_workspace *w) { return str_eqz(w->state, "CANCELLING"); }

str identity_workspace_fact(arena *a, const struct ent_workspace *w) {
    buf b = {0};
    buf_u32(&b, (uint32_t)w->name.n);
    buf_str(&b, w->name);
    buf_u32(&b, (uint32_t)w->deployment_name.n);
    buf_str(&b, w->deployment_name);
    buf_u8(&b, 1);
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

/* ---- the signing key ---- */

static err *pem_of(arena *a, EVP_PKEY *k, bool private, str *ret) {
    BIO *b = BIO_new(BIO_s_mem());
    bool ok = b && (private ? PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL)
                            : PEM_write_bio_PUBKEY(b, k)) == 1;
    if (ok) {
        char *p;
        long n = BIO_get_mem_data(b, &p);
        *ret = arena_str(a, str_n(p, (size_t)n));
    }
    BIO_free(b);
    return ok ? NULL : err_new(ERR_INTERNAL_ERROR, "cannot encode a signing key");
}

static err *make_signer(store_tx *tx, arena *a) {
    EVP_PKEY *k = EVP_EC_gen("P-256");
    if (!k) return err_new(ERR_INTERNAL_ERROR, "cannot make a signing key");
    char kid[33];
    rand_hex(kid, 8);
    struct ent_signer s = {.kid = str_of(kid), .signs = true};
    err *e = pem_of(a, k, true, &s.private_pem);
    if (!e) e = pem_of(a, k, false, &s.public_pem);
    if (!e) e = ent_signer_insert(tx, identity_account(), &s);
    EVP_PKEY_free(k);
    return e;
}

err *identity_signing_key(store_tx *tx, arena *a, struct signing_key *ret) {
    struct ent_list_query q = {0};
    struct ent_signer_rows rows;
    TRY(ent_signer_list(tx, identity_account(), a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        if (!rows.p[i].signs) continue;
        snprintf(ret->kid, sizeof(ret->kid), "%.*s", STR_ARG(rows.p[i].kid));
        ret->private_pem = rows.p[i].private_pem;
        ret->public_pem = rows.p[i].public_pem;
        return NULL;
    }
    return err_new(ERR_INTERNAL_ERROR, "no key signs OAuth tokens");
}

/* ---- first start ---- */

struct boot {
    arena *a;
    const struct settings *set;
    bool want_token;
    struct bootstrap *ret;
};

static err *make_account(store_tx *tx, struct boot *b) {
    char uuid[37];
    str given = settings_str(b->set, SET_ACCOUNT_ID);
    rand_uuid(uuid);
    struct ent_account acc = {.uuid = given.n ? given : str_of(uuid),
                              .name = STR("boathouse"),
                              .terms_accepted = true};
    acc.id = IDENTITY_ACCOUNT;
    TRY(ent_account_insert(tx, identity_account(), &acc));
    snprintf(b->ret->account_uuid, sizeof(b->ret->account_uuid), "%.*s", STR_ARG(acc.uuid));
    str name = settings_str(b->set, SET_IDENTITY_ADMIN);
    struct ent_user u = {.user_name = name, .display_name = name, .active = true,
                         .account_admin = true};
    TRY(ent_user_insert(tx, identity_account(), &u));
    b->ret->admin = u.id;
    int64_t everyone;
    TRY(make_group(tx, 0, "account users", false, &everyone));
    TRY(add_member(tx, 0, everyone, u.id));
    struct ent_workspace w;
    TRY(identity_workspace_create(tx, b->a, STR("default"), STR("default"), false, u.id, &w));
    b->ret->workspace = w.id;
    b->ret->first = true;
    return make_signer(tx, b->a);
}

static err *read_account(store_tx *tx, struct boot *b, bool *ret_found) {
    struct ent_account acc;
    TRY(ent_account_get(tx, identity_account(), b->a, IDENTITY_ACCOUNT, &acc, ret_found));
    if (!*ret_found) return NULL;
    snprintf(b->ret->account_uuid, sizeof(b->ret->account_uuid), "%.*s", STR_ARG(acc.uuid));
    struct ent_list_query q = {.order = ENT_BY_CREATED, .limit = 1};
    struct ent_workspace_rows ws;
    TRY(ent_workspace_list(tx, identity_account(), b->a, &q, &ws));
    if (ws.n) b->ret->workspace = ws.p[0].id;
    struct ent_list_query uq = {.order = ENT_BY_CREATED, .limit = 1000};
    struct ent_user_rows us;
    TRY(ent_user_list(tx, identity_account(), b->a, &uq, &us));
    for (size_t i = 0; i < us.n && !b->ret->admin; i++)
        if (us.p[i].account_admin && us.p[i].active) b->ret->admin = us.p[i].id;
    return NULL;
}

static err *boot_job(store_tx *tx, void *arg) {
    struct boot *b = arg;
    bool found = false;
    TRY(read_account(tx, b, &found));
    if (!found) TRY(make_account(tx, b));
    if (!b->want_token || !b->ret->admin || !b->ret->workspace) return NULL;
    struct new_token t;
    TRY(identity_token_create(tx, b->ret->workspace, b->ret->admin, STR("made at start for connect.env"),
                              0, &t));
    memcpy(b->ret->token, t.text, sizeof(b->ret->token));
    return NULL;
}

err *identity_bootstrap(store *s, const struct settings *set, bool want_token,
                        struct bootstrap *ret) {
    struct boot b = {.a = arena_new(), .set = set, .want_token = want_token, .ret = ret};
    memset(ret, 0, sizeof(*ret));
    struct store_actor actor = {.action = STR("identity.bootstrap"), .client = STR("local"),
                                .request_id = STR("start")};
    err *e = store_write_sync(s, STORE_META, boot_job, &b, &actor);
    arena_free(b.a);
    return e;
}

/* ---- facts at the start ---- */

static err *load_tokens(struct control *c, store_tx *tx, arena *a, int64_t workspace) {
    struct ent_list_query q = {.limit = 1000};
    struct ent_token_rows rows;
    do {
        TRY(ent_token_list(tx, in_workspace(workspace), a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            control_fact(c, FACT_TOKEN, false, rows.p[i].hash, identity_token_fact(a, &rows.p[i]), -1);
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    return NULL;
}

static err *load_principal(struct control *c, store_tx *tx, arena *a, int64_t id) {
    uint64_t key = (uint64_t)id;
    str value;
    TRY(identity_principal_fact(tx, a, id, &value));
    control_fact(c, FACT_PRINCIPAL, false, map_key_u64(&key), value, -1);
    return NULL;
}

static err *load_principals(struct control *c, store_tx *tx, arena *a) {
    struct ent_list_query q = {.limit = 1000};
    struct ent_user_rows us;
    do {
        TRY(ent_user_list(tx, identity_account(), a, &q, &us));
        for (size_t i = 0; i < us.n; i++) TRY(load_principal(c, tx, a, us.p[i].id));
        q.after = true;
        if (us.n) q.after_i = q.after_id = us.p[us.n - 1].id;
    } while (us.more);
    q = (struct ent_list_query){.limit = 1000};
    struct ent_service_principal_rows sps;
    do {
        TRY(ent_service_principal_list(tx, identity_account(), a, &q, &sps));
        for (size_t i = 0; i < sps.n; i++) TRY(load_principal(c, tx, a, sps.p[i].id));
        q.after = true;
        if (sps.n) q.after_i = q.after_id = sps.p[sps.n - 1].id;
    } while (sps.more);
    return NULL;
}

static err *load_workspaces(struct control *c, store_tx *tx, arena *a) {
    struct ent_list_query q = {.limit = 1000};
    struct ent_workspace_rows ws;
    do {
        TRY(ent_workspace_list(tx, identity_account(), a, &q, &ws));
        for (size_t i = 0; i < ws.n; i++) {
            if (identity_workspace_gone(&ws.p[i])) continue;
            uint64_t key = (uint64_t)ws.p[i].id;
            control_fact(c, FACT_WORKSPACE, false, map_key_u64(&key),
                         identity_workspace_fact(a, &ws.p[i]), -1);
            TRY(load_tokens(c, tx, a, ws.p[i].id));
        }
        q.after = true;
        if (ws.n) q.after_i = q.after_id = ws.p[ws.n - 1].id;
    } while (ws.more);
    return load_tokens(c, tx, a, 0);
}

err *identity_load_tokens(struct control *c, int64_t workspace) {
    store_tx *tx;
    TRY(store_read_begin(c->store, STORE_META, 0, &tx));
    arena *a = arena_new();
    err *e = load_tokens(c, tx, a, workspace);
    arena_free(a);
    store_read_end(tx);
    return e;
}

err *identity_load_facts(struct control *c) {
    store_tx *tx;
    TRY(store_read_begin(c->store, STORE_META, 0, &tx));
    arena *a = arena_new();
    err *e = load_workspaces(c, tx, a);
    if (!e) e = load_principals(c, tx, a);
    struct ent_list_query q = {0};
    struct ent_signer_rows signers;
    if (!e) e = ent_signer_list(tx, identity_account(), a, &q, &signers);
    for (size_t i = 0; !e && i < signers.n; i++)
        control_fact(c, FACT_SIGNER, false, signers.p[i].kid, signers.p[i].public_pem, -1);
    control_fact(c, FACT_ACCOUNT, false, STR("terms"), STR("\x01"), -1);
    uint64_t home = (uint64_t)c->default_workspace;
    control_fact(c, FACT_ACCOUNT, false, STR("workspace"), map_key_u64(&home), -1);
    arena_free(a);
    store_read_end(tx);
    return e;
}
