/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

err *rules_publish(struct req *r, int64_t id, bool restricts) {
    struct principal_info p;
    bool found;
    TRY(identity_find(r->tx, r->a, id, &p, &found));
    if (!found) return NULL;
    return p.type == PRINCIPAL_GROUP ? identity_publish_group(r, id, restricts)
                                     : identity_publish(r, id, restricts);
}

err *rules_elsewhere(struct req *r, int64_t principal, int64_t workspace, bool *ret) {
    *ret = false;
    struct ent_list_query q = {.limit = 1000};
    struct ent_workspace_rows rows;
    do {
        TRY(ent_workspace_list(r->tx, identity_account(), r->a, &q, &rows));
        for (size_t i = 0; i < rows.n && !*ret; i++) {
            if (rows.p[i].id == workspace) continue;
            TRY(scim_is_member(r->tx, r->a, rows.p[i].id, principal, ret));
        }
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more && !*ret);
    return NULL;
}

err *rules_may_change(struct req *r, const struct scim_resource *s) {
    if (r->account_admin) return NULL;
    if (s->type == PRINCIPAL_GROUP)
        return s->workspace ? NULL
                            : err_new(ERR_PERMISSION_DENIED,
                                      "Group '%.*s' is the account's; only account admins change it.",
                                      STR_ARG(s->name));
    bool elsewhere = false;
    if (!s->account_admin) TRY(rules_elsewhere(r, s->id, r->scope.workspace, &elsewhere));
    if (!s->account_admin && !elsewhere) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "'%.*s' %s; only account admins can do this.",
                   STR_ARG(s->name),
                   elsewhere ? "belongs to another workspace too" : "is an account admin");
}

err *rules_may_add(struct req *r, const struct scim_resource *group, int64_t member) {
    struct principal_info p;
    bool found;
    TRY(identity_find(r->tx, r->a, member, &p, &found));
    if (found && p.type == PRINCIPAL_GROUP) {
        found = !p.workspace || p.workspace == group->workspace;
    } else if (found && !r->account_admin) {
        struct scim_resource seen;
        TRY(scim_get(r->tx, r->a, p.type, group->workspace, member, &seen, &found));
    }
    if (found) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Principal %lld does not exist.", (long long)member);
}

static err *drop_tokens(struct req *r, int64_t principal, struct store_scope scope) {
    struct ent_list_query q = {.eq[0] = {.column = ENT_TOKEN_PRINCIPAL_ID, .i = principal}};
    struct ent_token_rows rows;
    do {
        TRY(ent_token_list(r->tx, scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            req_fact(r, FACT_TOKEN, true, true, rows.p[i].hash, STR(""), -1);
            TRY(ent_token_delete(r->tx, scope, rows.p[i].id));
        }
    } while (rows.more);
    return NULL;
}

err *rules_leave(struct req *r, int64_t principal, int64_t workspace) {
    struct store_scope scope = {IDENTITY_ACCOUNT, workspace};
    struct ent_list_query q = {
        .eq[0] = {.column = ENT_GROUP_MEMBER_MEMBER_ID, .i = principal}};
    struct ent_group_member_rows rows;
    do {
        TRY(ent_group_member_list(r->tx, scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            TRY(ent_group_member_delete(r->tx, scope, rows.p[i].id));
    } while (rows.more);
    TRY(drop_tokens(r, principal, scope));
    return identity_publish(r, principal, true);
}
