/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/scim.h"

#define PAGE 1000

static struct store_scope in_workspace(int64_t w) {
    return (struct store_scope){IDENTITY_ACCOUNT, w};
}

static struct scim_resource of_user(const struct ent_user *u) {
    return (struct scim_resource){.id = u->id,
                                  .type = PRINCIPAL_USER,
                                  .name = u->user_name,
                                  .display_name = u->display_name,
                                  .external_id = u->external_id,
                                  .given_name = u->given_name,
                                  .family_name = u->family_name,
                                  .active = u->active,
                                  .account_admin = u->account_admin,
                                  .emails = u->emails,
                                  .entitlements = u->entitlements,
                                  .roles = u->roles};
}

static struct scim_resource of_sp(const struct ent_service_principal *s) {
    return (struct scim_resource){.id = s->id,
                                  .type = PRINCIPAL_SERVICE,
                                  .name = s->application_id,
                                  .display_name = s->display_name,
                                  .external_id = s->external_id,
                                  .active = s->active,
                                  .account_admin = s->account_admin,
                                  .entitlements = s->entitlements,
                                  .roles = s->roles};
}

static struct scim_resource of_group(const struct ent_group *g) {
    return (struct scim_resource){.id = g->id,
                                  .workspace = g->workspace,
                                  .type = PRINCIPAL_GROUP,
                                  .name = g->display_name,
                                  .external_id = g->external_id,
                                  .active = true,
                                  .builtin = g->builtin,
                                  .entitlements = g->entitlements,
                                  .roles = g->roles};
}

err *scim_is_member(store_tx *tx, arena *a, int64_t workspace, int64_t id, bool *ret) {
    int64_t users, admins;
    TRY(identity_system_groups(tx, a, workspace, &users, &admins));
    struct id_list groups;
    TRY(identity_groups_of(tx, a, id, &groups));
    *ret = false;
    for (size_t i = 0; i < groups.n; i++)
        *ret |= groups.p[i] == users || groups.p[i] == admins;
    return NULL;
}

err *scim_get(store_tx *tx, arena *a, enum principal_type type, int64_t workspace, int64_t id,
              struct scim_resource *ret, bool *found) {
    *found = false;
    if (type == PRINCIPAL_GROUP) {
        struct ent_group g;
        TRY(ent_group_get(tx, in_workspace(workspace), a, id, &g, found));
        if (!*found && workspace) TRY(ent_group_get(tx, identity_account(), a, id, &g, found));
        if (*found) *ret = of_group(&g);
        return NULL;
    }
    struct ent_user u;
    struct ent_service_principal s;
    if (type == PRINCIPAL_USER) {
        TRY(ent_user_get(tx, identity_account(), a, id, &u, found));
        if (*found) *ret = of_user(&u);
    } else {
        TRY(ent_service_principal_get(tx, identity_account(), a, id, &s, found));
        if (*found) *ret = of_sp(&s);
    }
    if (*found && workspace) TRY(scim_is_member(tx, a, workspace, id, found));
    return NULL;
}

static bool in_list(const struct id_list *l, int64_t id) {
    for (size_t i = 0; i < l->n; i++)
        if (l->p[i] == id) return true;
    return false;
}

static err *visible_members(store_tx *tx, arena *a, int64_t workspace, struct id_list *ret) {
    int64_t users, admins;
    TRY(identity_system_groups(tx, a, workspace, &users, &admins));
    struct id_list u, d;
    TRY(identity_members_below(tx, a, users, &u));
    TRY(identity_members_below(tx, a, admins, &d));
    ret->p = arena_array_of(a, int64_t, u.n + d.n + 1);
    ret->n = 0;
    for (size_t i = 0; i < u.n; i++) ret->p[ret->n++] = u.p[i];
    for (size_t i = 0; i < d.n; i++)
        if (!in_list(&u, d.p[i])) ret->p[ret->n++] = d.p[i];
    return NULL;
}

/* One page of rows as generic resources. */
static err *page(store_tx *tx, arena *a, enum principal_type type, struct store_scope scope,
                 const struct ent_list_query *q, struct scim_resource **ret, size_t *n, bool *more) {
    if (type == PRINCIPAL_USER) {
        struct ent_user_rows rows;
        TRY(ent_user_list(tx, scope, a, q, &rows));
        *ret = arena_array_of(a, struct scim_resource, rows.n + 1);
        for (size_t i = 0; i < rows.n; i++) (*ret)[i] = of_user(&rows.p[i]);
        *n = rows.n;
        *more = rows.more;
    } else if (type == PRINCIPAL_SERVICE) {
        struct ent_service_principal_rows rows;
        TRY(ent_service_principal_list(tx, scope, a, q, &rows));
        *ret = arena_array_of(a, struct scim_resource, rows.n + 1);
        for (size_t i = 0; i < rows.n; i++) (*ret)[i] = of_sp(&rows.p[i]);
        *n = rows.n;
        *more = rows.more;
    } else {
        struct ent_group_rows rows;
        TRY(ent_group_list(tx, scope, a, q, &rows));
        *ret = arena_array_of(a, struct scim_resource, rows.n + 1);
        for (size_t i = 0; i < rows.n; i++) (*ret)[i] = of_group(&rows.p[i]);
        *n = rows.n;
        *more = rows.more;
    }
    return NULL;
}

err *scim_each(store_tx *tx, arena *a, enum principal_type type, int64_t workspace,
               bool (*each)(void *arg, const struct scim_resource *r), void *arg) {
    struct id_list visible = {0};
    bool filter = workspace && type != PRINCIPAL_GROUP;
    if (filter) TRY(visible_members(tx, a, workspace, &visible));
    struct store_scope scope = type == PRINCIPAL_GROUP ? in_workspace(workspace) : identity_account();
    struct ent_list_query q = {.limit = PAGE};
    bool more = true;
    while (more) {
        struct scim_resource *rows;
        size_t n;
        TRY(page(tx, a, type, scope, &q, &rows, &n, &more));
        for (size_t i = 0; i < n; i++)
            if ((!filter || in_list(&visible, rows[i].id)) && !each(arg, &rows[i])) return NULL;
        q.after = true;
        if (n) q.after_i = q.after_id = rows[n - 1].id;
    }
    return NULL;
}

static str or_empty(str s) { return s.p ? s : STR(""); }

err *scim_insert(store_tx *tx, struct scim_resource *r) {
    if (r->type == PRINCIPAL_USER) {
        struct ent_user u = {.user_name = r->name, .display_name = or_empty(r->display_name),
                             .given_name = or_empty(r->given_name),
                             .family_name = or_empty(r->family_name), .external_id = r->external_id,
                             .active = r->active, .account_admin = r->account_admin,
                             .emails = r->emails, .entitlements = r->entitlements, .roles = r->roles};
        TRY(ent_user_insert(tx, identity_account(), &u));
        r->id = u.id;
    } else if (r->type == PRINCIPAL_SERVICE) {
        struct ent_service_principal s = {
            .application_id = r->name, .display_name = or_empty(r->display_name),
            .external_id = r->external_id, .active = r->active, .account_admin = r->account_admin,
            .entitlements = r->entitlements, .roles = r->roles};
        TRY(ent_service_principal_insert(tx, identity_account(), &s));
        r->id = s.id;
    } else {
        struct ent_group g = {.display_name = r->name, .external_id = r->external_id,
                              .entitlements = r->entitlements, .roles = r->roles};
        TRY(ent_group_insert(tx, in_workspace(r->workspace), &g));
        r->id = g.id;
    }
    return NULL;
}

err *scim_update(store_tx *tx, arena *a, const struct scim_resource *r) {
    if (r->type == PRINCIPAL_USER) {
        struct ent_user u;
        TRY(ent_user_get(tx, identity_account(), a, r->id, &u, NULL));
        u.user_name = r->name;
        u.display_name = or_empty(r->display_name);
        u.given_name = or_empty(r->given_name);
        u.family_name = or_empty(r->family_name);
        u.external_id = r->external_id;
        u.active = r->active;
        u.account_admin = r->account_admin;
        u.emails = r->emails;
        u.entitlements = r->entitlements;
        u.roles = r->roles;
        return ent_user_update(tx, identity_account(), &u);
    }
    if (r->type == PRINCIPAL_SERVICE) {
        struct ent_service_principal s;
        TRY(ent_service_principal_get(tx, identity_account(), a, r->id, &s, NULL));
        s.display_name = or_empty(r->display_name);
        s.external_id = r->external_id;
        s.active = r->active;
        s.account_admin = r->account_admin;
        s.entitlements = r->entitlements;
        s.roles = r->roles;
        return ent_service_principal_update(tx, identity_account(), &s);
    }
    struct ent_group g;
    TRY(ent_group_get(tx, in_workspace(r->workspace), a, r->id, &g, NULL));
    if (g.builtin && !str_eq(g.display_name, r->name))
        return err_new(ERR_INVALID_STATE, "The group '%.*s' cannot be renamed.",
                       STR_ARG(g.display_name));
    g.display_name = r->name;
    g.external_id = r->external_id;
    g.entitlements = r->entitlements;
    g.roles = r->roles;
    return ent_group_update(tx, in_workspace(r->workspace), &g);
}

/* Removes the rows in which the principal is a member, in all scopes. */
static err *leave_groups(store_tx *tx, arena *a, int64_t id) {
    struct id_list groups;
    TRY(identity_groups_of(tx, a, id, &groups));
    for (size_t i = 0; i < groups.n; i++) {
        struct principal_info g;
        bool found;
        TRY(identity_find(tx, a, groups.p[i], &g, &found));
        if (!found) continue;
        struct ent_group_member m;
        TRY(ent_group_member_by_member(tx, in_workspace(g.workspace), a, g.id, id, &m, &found));
        if (found) TRY(ent_group_member_delete(tx, in_workspace(g.workspace), m.id));
    }
    return NULL;
}

err *scim_delete(store_tx *tx, arena *a, const struct scim_resource *r) {
    if (r->builtin)
        return err_new(ERR_INVALID_STATE, "The group '%.*s' cannot be deleted.", STR_ARG(r->name));
    TRY(leave_groups(tx, a, r->id));
    if (r->type == PRINCIPAL_USER) return ent_user_delete(tx, identity_account(), r->id);
    if (r->type == PRINCIPAL_SERVICE)
        return ent_service_principal_delete(tx, identity_account(), r->id);
    struct id_list members;
    TRY(scim_members(tx, a, r, &members));
    for (size_t i = 0; i < members.n; i++) TRY(scim_member_remove(tx, a, r, members.p[i]));
    return ent_group_delete(tx, in_workspace(r->workspace), r->id);
}

err *scim_members(store_tx *tx, arena *a, const struct scim_resource *group, struct id_list *ret) {
    struct ent_list_query q = {.eq[0] = {.column = ENT_GROUP_MEMBER_GROUP_ID, .i = group->id}};
    struct ent_group_member_rows rows;
    TRY(ent_group_member_list(tx, in_workspace(group->workspace), a, &q, &rows));
    ret->p = arena_array_of(a, int64_t, rows.n + 1);
    ret->n = rows.n;
    for (size_t i = 0; i < rows.n; i++) ret->p[i] = rows.p[i].member_id;
    return NULL;
}

err *scim_member_add(store_tx *tx, arena *a, const struct scim_resource *group, int64_t member) {
    struct principal_info p;
    TRY(identity_find(tx, a, member, &p, NULL));
    struct ent_group_member m;
    bool found;
    TRY(ent_group_member_by_member(tx, in_workspace(group->workspace), a, group->id, member, &m,
                                   &found));
    if (found) return NULL;
    if (p.type == PRINCIPAL_GROUP) { /* no circles */
        struct id_list up;
        TRY(identity_groups_of(tx, a, group->id, &up));
        if (member == group->id || in_list(&up, member))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Group %lld cannot hold group %lld: it would contain itself.",
                           (long long)group->id, (long long)member);
    }
    static const char *const types[] = {"", "user", "group", "service_principal"};
    m = (struct ent_group_member){
        .group_id = group->id, .member_id = member, .member_type = str_of(types[p.type])};
    return ent_group_member_insert(tx, in_workspace(group->workspace), &m);
}

err *scim_member_remove(store_tx *tx, arena *a, const struct scim_resource *group, int64_t member) {
    struct ent_group_member m;
    bool found;
    TRY(ent_group_member_by_member(tx, in_workspace(group->workspace), a, group->id, member, &m,
                                   &found));
    return found ? ent_group_member_delete(tx, in_workspace(group->workspace), m.id) : NULL;
}
