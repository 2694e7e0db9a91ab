/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign-ins of people through OAuth. A sign-in is one row; its refresh token changes with each use
 * (RFC 9700 §4.14.2): the row keeps the hash of the one that is good and of the one before. Whoever
 * shows the one before has copied it, or was copied: the sign-in ends for both.
 *
 * A sign-in began with a personal access token and does not outlive it.
 */
#include "identity/identity.h"
#include "policy/credential.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define LIFE_US (30ll * 86400 * 1000000)
#define REFRESH_PREFIX "doref"

static str fresh(struct refresh_text *t) {
    memcpy(t->text, REFRESH_PREFIX, 5);
    rand_hex(t->text + 5, 32);
    credential_hash(str_of(t->text), t->hash);
    return str_n((const char *)t->hash, 32);
}

static err *token_lives(store_tx *tx, arena *a, const struct ent_refresh_token *r, bool *ret) {
    struct ent_token t;
    TRY(ent_token_by_token_id(tx, (struct store_scope){IDENTITY_ACCOUNT, r->acts_in}, a, r->token_id,
                              &t, ret));
    *ret = *ret && t.principal_id == r->principal_id &&
           (!t.expires_at || t.expires_at > clock_now());
    return NULL;
}

/* Sign-ins of the principal that can never be renewed again. */
static err *sweep(store_tx *tx, arena *a, int64_t principal) {
    struct ent_list_query q = {.eq[0] = {.column = ENT_REFRESH_TOKEN_PRINCIPAL_ID, .i = principal}};
    struct ent_refresh_token_rows rows;
    TRY(ent_refresh_token_list(tx, identity_account(), a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        bool lives;
        TRY(token_lives(tx, a, &rows.p[i], &lives));
        if (!lives || rows.p[i].expires_at <= clock_now())
            TRY(ent_refresh_token_delete(tx, identity_account(), rows.p[i].id));
    }
    return NULL;
}

err *identity_refresh_create(store_tx *tx, arena *a, const struct refresh_grant *g,
                             struct refresh_text *ret) {
    TRY(sweep(tx, a, g->principal));
    struct ent_refresh_token row = {.hash = fresh(ret),
                                    .last_hash = STR(""),
                                    .principal_id = g->principal,
                                    .acts_in = g->workspace,
                                    .token_id = g->token_id,
                                    .client_id = g->client_id,
                                    .expires_at = clock_now() + LIFE_US};
    return ent_refresh_token_insert(tx, identity_account(), &row);
}

err *identity_refresh_use(store_tx *tx, arena *a, str text, str client_id, struct refresh_grant *ret,
                          struct refresh_text *ret_text, bool *ret_good) {
    *ret_good = false;
    unsigned char h[32];
    credential_hash(text, h);
    struct ent_refresh_token row;
    bool found, lives = false;
    TRY(ent_refresh_token_by_hash(tx, identity_account(), a, str_n((char *)h, 32), &row, &found));
    if (!found) {
        struct ent_list_query q = {
            .eq[0] = {.column = ENT_REFRESH_TOKEN_LAST_HASH, .s = str_n((char *)h, 32)}, .limit = 1};
        struct ent_refresh_token_rows rows;
        TRY(ent_refresh_token_list(tx, identity_account(), a, &q, &rows));
        return rows.n ? ent_refresh_token_delete(tx, identity_account(), rows.p[0].id) : NULL;
    }
    TRY(token_lives(tx, a, &row, &lives));
    if (!lives || row.expires_at <= clock_now())
        return ent_refresh_token_delete(tx, identity_account(), row.id);
    if (!str_eq(client_id, row.client_id)) return NULL;
    row.last_hash = row.hash;
    row.hash = fresh(ret_text);
    row.expires_at = clock_now() + LIFE_US;
    *ret = (struct refresh_grant){row.principal_id, row.acts_in, row.token_id, row.client_id};
    *ret_good = true;
    return ent_refresh_token_update(tx, identity_account(), &row);
}
