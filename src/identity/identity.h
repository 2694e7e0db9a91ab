/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Principals: users, service principals and groups of an account, their tokens and secrets, and
 * what of it the routing table must know.
 *
 * Users and service principals belong to the account; groups to the account or to one workspace.
 * Each workspace has two groups of its own, made with it and never deleted: `users` (whoever is a
 * member of the workspace) and `admins` (its admins). Membership of a workspace is nothing else
 * than being in one of them, directly or through nested groups.
 */
#ifndef BH_IDENTITY_IDENTITY_H
#define BH_IDENTITY_IDENTITY_H

#include "rest/control.h"
#include "store/gen_entities.h"

#define IDENTITY_ACCOUNT 1 /* this installation's account number in scopes */
#define IDENTITY_MAX_NESTING 10
#define TOKEN_PREFIX "dapi"

static inline struct store_scope identity_account(void) {
    return (struct store_scope){IDENTITY_ACCOUNT, 0};
}

/* A principal of any kind, as far as most callers need it. */
struct principal_info {
    int64_t id;
    enum principal_type type;
    str name; /* user name, application id or group name */
    str display_name;
    bool active, account_admin;
    int64_t workspace; /* of a workspace's group, else 0 */
};
/* found NULL: a missing one is RESOURCE_DOES_NOT_EXIST. */
err *identity_find(store_tx *tx, arena *a, int64_t id, struct principal_info *ret, bool *found)
    BH_CHECK;
/* User name, application id, or group name (the workspace's first, then the account's). */
err *identity_by_name(store_tx *tx, arena *a, int64_t workspace, enum principal_type type, str name,
                      struct principal_info *ret, bool *found) BH_CHECK;

/* Groups that contain the principal, nested ones too, at most IDENTITY_MAX_NESTING deep. */
struct id_list {
    int64_t *p;
    size_t n;
};
err *identity_groups_of(store_tx *tx, arena *a, int64_t principal, struct id_list *ret) BH_CHECK;
/* Groups that it is a member of itself. */
err *identity_groups_direct(store_tx *tx, arena *a, int64_t principal, struct id_list *ret) BH_CHECK;
/* Users and service principals below a group, nested ones too. */
err *identity_members_below(store_tx *tx, arena *a, int64_t group, struct id_list *ret) BH_CHECK;
/* The workspace's own groups. */
err *identity_system_groups(store_tx *tx, arena *a, int64_t workspace, int64_t *ret_users,
                            int64_t *ret_admins) BH_CHECK;

/* ---- facts ---- */
/* Value of the principal's fact as it is in tx. */
err *identity_principal_fact(store_tx *tx, arena *a, int64_t id, str *ret) BH_CHECK;
/* Notes the change of one principal, or of all below a group, with the request. */
err *identity_publish(struct req *r, int64_t principal, bool restricts) BH_CHECK;
err *identity_publish_group(struct req *r, int64_t group, bool restricts) BH_CHECK;
/* The tokens of one workspace into control's facts. */
err *identity_load_tokens(struct control *c, int64_t workspace) BH_CHECK;
/* Loads everything into control's facts at the start. */
err *identity_load_facts(struct control *c) BH_CHECK;

/* ---- tokens ---- */
struct new_token {
    char text[4 + 64 + 1]; /* dapi and 256 random bits in hex; shown once */
    unsigned char hash[32];
    char id[65];
    struct ent_token row; /* its texts point into this struct */
};
/* Inserts a token of the principal in the workspace; lifetime_us 0: no expiry. */
err *identity_token_create(store_tx *tx, int64_t workspace, int64_t principal, str comment,
                           int64_t lifetime_us, struct new_token *ret) BH_CHECK;
str identity_token_fact(arena *a, const struct ent_token *t);

/* ---- sign-ins of people (identity/refresh.c) ---- */
struct refresh_grant {
    int64_t principal, workspace;
    str token_id, client_id;
};
struct refresh_text {
    char text[5 + 64 + 1]; /* shown once */
    unsigned char hash[32];
};
/* A new sign-in; ret holds its first refresh token. */
err *identity_refresh_create(store_tx *tx, arena *a, const struct refresh_grant *g,
                             struct refresh_text *ret) BH_CHECK;
/* Renews: the grant and the next refresh token. ret_good false: it is unknown, expired, used before
 * (which ends the sign-in), of another client, or its personal access token is gone. Then commit
 * nevertheless. */
err *identity_refresh_use(store_tx *tx, arena *a, str text, str client_id, struct refresh_grant *ret,
                          struct refresh_text *ret_text, bool *ret_good) BH_CHECK;

/* ---- workspaces ---- */
/* A workspace with its groups; owner becomes admin and member. */
/* It is being removed: nobody enters it, nothing of it is served. */
bool identity_workspace_gone(const struct ent_workspace *w);
err *identity_workspace_create(store_tx *tx, arena *a, str name, str deployment, bool ephemeral,
                               int64_t owner, struct ent_workspace *ret) BH_CHECK;
str identity_workspace_fact(arena *a, const struct ent_workspace *w);

/* ---- first start ---- */
struct bootstrap {
    char account_uuid[40];
    int64_t workspace, admin;
    bool first;                /* made now */
    char token[4 + 64 + 1];    /* a new admin token, if asked for */
};
/* Makes what is missing: account, default workspace, admin user, signing key. want_token: also a
 * token of the admin. */
err *identity_bootstrap(store *s, const struct settings *set, bool want_token,
                        struct bootstrap *ret) BH_CHECK;

/* The key that signs OAuth tokens now (PEM, kid); control keeps it. */
struct signing_key {
    char kid[40];
    str private_pem, public_pem;
};
err *identity_signing_key(store_tx *tx, arena *a, struct signing_key *ret) BH_CHECK;

#endif
