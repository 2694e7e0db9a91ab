/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Principals and the graph of groups. Edges are group_member rows; a group's rows lie in the group's
 * own scope, so a walk looks into the account and into every workspace.
 */
#include "identity/identity.h"

#include <stdlib.h>

#define PAGE 1000

static struct store_scope in_workspace(int64_t w) {
    return (struct store_scope){IDENTITY_ACCOUNT, w};
}

/* All scopes: the account, then each workspace. */
static err *all_scopes(store_tx *tx, arena *a, struct id_list *ret) {
    struct ent_list_query q = {0};
    struct ent_workspace_rows rows;
    vec_of(int64_t) ids = {0};
    vec_push(&ids, 0);
    err *e;
    do {
        e = ent_workspace_list(tx, identity_account(), a, &q, &rows);
        if (e) break;
        for (size_t i = 0; i < rows.n; i++) vec_push(&ids, rows.p[i].id);
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    if (!e) {
        ret->n = ids.n;
        ret->p = arena_array_of(a, int64_t, ids.n);
        memcpy(ret->p, ids.p, ids.n * sizeof(int64_t));
    }
    vec_free(&ids);
    return e;
}

err *identity_find(store_tx *tx, arena *a, int64_t id, struct principal_info *ret, bool *found) {
    bool there = false;
    struct ent_user u;
    TRY(ent_user_get(tx, identity_account(), a, id, &u, &there));
    if (there) {
        *ret = (struct principal_info){id, PRINCIPAL_USER, u.user_name, u.display_name, u.active,
                                       u.account_admin, 0};
        if (found) *found = true;
        return NULL;
    }
    struct ent_service_principal sp;
    TRY(ent_service_principal_get(tx, identity_account(), a, id, &sp, &there));
    if (there) {
        *ret = (struct principal_info){id, PRINCIPAL_SERVICE, sp.application_id, sp.display_name,
                                       sp.active, sp.account_admin, 0};
        if (found) *found = true;
        return NULL;
    }
    struct id_list scopes;
    TRY(all_scopes(tx, a, &scopes));
    for (size_t i = 0; i < scopes.n && !there; i++) {
        struct ent_group g;
        TRY(ent_group_get(tx, in_workspace(scopes.p[i]), a, id, &g, &there));
        if (there)
            *ret = (struct principal_info){id, PRINCIPAL_GROUP, g.display_name, g.display_name, true,
                                           false, scopes.p[i]};
    }
    if (found)
        *found = there;
    else if (!there)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Principal %lld does not exist.", (long long)id);
    return NULL;
}

err *identity_by_name(store_tx *tx, arena *a, int64_t workspace, enum principal_type type, str name,
                      struct principal_info *ret, bool *found) {
    bool there = false;
    if (type == PRINCIPAL_USER) {
        struct ent_user u;
        TRY(ent_user_by_user_name(tx, identity_account(), a, name, &u, &there));
        if (there)
            *ret = (struct principal_info){u.id, type, u.user_name, u.display_name, u.active,
                                           u.account_admin, 0};
    } else if (type == PRINCIPAL_SERVICE) {
        struct ent_service_principal s;
        TRY(ent_service_principal_by_application_id(tx, identity_account(), a, name, &s, &there));
        if (there)
            *ret = (struct principal_info){s.id, type, s.application_id, s.display_name, s.active,
                                           s.account_admin, 0};
    } else {
        struct ent_group g;
        if (workspace)
            TRY(ent_group_by_display_name(tx, in_workspace(workspace), a, name, &g, &there));
        int64_t at = there ? workspace : 0;
        if (!there) TRY(ent_group_by_display_name(tx, identity_account(), a, name, &g, &there));
        if (there)
            *ret = (struct principal_info){g.id, type, g.display_name, g.display_name, true, false, at};
    }
    if (found) {
        *found = there;
        return NULL;
    }
    if (there) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Principal '%.*s' does not exist.",
                   STR_ARG(str_cut(name, 255)));
}

static bool has(const struct id_list *l, int64_t id) {
    for (size_t i = 0; i < l->n; i++)
        if (l->p[i] == id) return true;
    return false;
}

/* One step along the edges: up (groups that hold `from`) or down (members of `from`). */
static err *step(store_tx *tx, arena *a, const struct id_list *scopes, int64_t from, bool up,
                 void (*each)(void *arg, const struct ent_group_member *m), void *arg) {
    for (size_t s = 0; s < scopes->n; s++) {
        struct ent_list_query q = {
            .eq[0] = {.column = up ? ENT_GROUP_MEMBER_MEMBER_ID : ENT_GROUP_MEMBER_GROUP_ID,
                      .i = from},
            .limit = PAGE};
        struct ent_group_member_rows rows;
        do {
            TRY(ent_group_member_list(tx, in_workspace(scopes->p[s]), a, &q, &rows));
            for (size_t i = 0; i < rows.n; i++) each(arg, &rows.p[i]);
            q.after = true;
            if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
        } while (rows.more);
    }
    return NULL;
}

struct walk {
    vec_of(int64_t) seen;   /* groups, in order of discovery */
    vec_of(int64_t) leaves; /* users and service principals (down only) */
};

static void add_unique(int64_t id, int64_t **p, size_t *n, size_t *cap) {
    for (size_t i = 0; i < *n; i++)
        if ((*p)[i] == id) return;
    if (*n == *cap) vec_grow((void **)p, cap, *n + 1, sizeof(int64_t));
    (*p)[(*n)++] = id;
}

static void each_up(void *arg, const struct ent_group_member *m) {
    struct walk *w = arg;
    add_unique(m->group_id, &w->seen.p, &w->seen.n, &w->seen.cap);
}

static void each_down(void *arg, const struct ent_group_member *m) {
    struct walk *w = arg;
    if (str_eqz(m->member_type, "group"))
        add_unique(m->member_id, &w->seen.p, &w->seen.n, &w->seen.cap);
    else
        add_unique(m->member_id, &w->leaves.p, &w->leaves.n, &w->leaves.cap);
}

static void copy_out(arena *a, const int64_t *p, size_t n, struct id_list *ret) {
    ret->n = n;
    ret->p = arena_array_of(a, int64_t, n + 1);
    if (n) memcpy(ret->p, p, n * sizeof(int64_t));
}

err *identity_groups_of(store_tx *tx, arena *a, int64_t principal, struct id_list *ret) {
    struct id_list scopes;
    TRY(all_scopes(tx, a, &scopes));
    struct walk w = {0};
    err *e = step(tx, a, &scopes, principal, true, each_up, &w);
    /* Breadth first; a level ends where the list stood when it began. */
    size_t from = 0;
    for (int depth = 1; !e && depth < IDENTITY_MAX_NESTING && from < w.seen.n; depth++) {
        size_t end = w.seen.n;
        for (; !e && from < end; from++)
            e = step(tx, a, &scopes, w.seen.p[from], true, each_up, &w);
    }
    if (!e) copy_out(a, w.seen.p, w.seen.n, ret);
    vec_free(&w.seen);
    return e;
}

err *identity_groups_direct(store_tx *tx, arena *a, int64_t principal, struct id_list *ret) {
    struct id_list scopes;
    TRY(all_scopes(tx, a, &scopes));
    struct walk w = {0};
    err *e = step(tx, a, &scopes, principal, true, each_up, &w);
    if (!e) copy_out(a, w.seen.p, w.seen.n, ret);
    vec_free(&w.seen);
    return e;
}

err *identity_members_below(store_tx *tx, arena *a, int64_t group, struct id_list *ret) {
    struct id_list scopes;
    TRY(all_scopes(tx, a, &scopes));
    struct walk w = {0};
    vec_push(&w.seen, group);
    err *e = NULL;
    size_t from = 0;
    for (int depth = 0; !e && depth <= IDENTITY_MAX_NESTING && from < w.seen.n; depth++) {
        size_t end = w.seen.n;
        for (; !e && from < end; from++)
            e = step(tx, a, &scopes, w.seen.p[from], false, each_down, &w);
    }
    if (!e) copy_out(a, w.leaves.p, w.leaves.n, ret);
    vec_free(&w.seen);
    vec_free(&w.leaves);
    return e;
}

err *identity_system_groups(store_tx *tx, arena *a, int64_t workspace, int64_t *ret_users,
                            int64_t *ret_admins) {
    struct ent_group g;
    TRY(ent_group_by_display_name(tx, in_workspace(workspace), a, STR("users"), &g, NULL));
    *ret_users = g.id;
    TRY(ent_group_by_display_name(tx, in_workspace(workspace), a, STR("admins"), &g, NULL));
    *ret_admins = g.id;
    return NULL;
}

/* Workspaces that a principal with these groups may enter. */
static err *memberships(store_tx *tx, arena *a, int64_t principal, const struct id_list *groups,
                        buf *out) {
    struct id_list scopes;
    TRY(all_scopes(tx, a, &scopes));
    buf list = {0};
    uint32_t n = 0;
    err *e = NULL;
    for (size_t s = 1; !e && s < scopes.n; s++) {
        struct ent_list_query q = {0};
        struct ent_workspace_member_rows rows;
        e = ent_workspace_member_list(tx, in_workspace(scopes.p[s]), a, &q, &rows);
        bool member = false, admin = false;
        for (size_t i = 0; !e && i < rows.n; i++) {
            int64_t id = rows.p[i].principal_id;
            if (id != principal && !has(groups, id)) continue;
            member = true;
            admin |= rows.p[i].admin;
        }
        if (!member) continue;
        buf_u64(&list, (uint64_t)scopes.p[s]);
        buf_u8(&list, admin);
        n++;
    }
    if (!e) {
        buf_u32(out, n);
        buf_str(out, buf_view(&list));
    }
    buf_free(&list);
    return e;
}

err *identity_principal_fact(store_tx *tx, arena *a, int64_t id, str *ret) {
    struct principal_info p;
    TRY(identity_find(tx, a, id, &p, NULL));
    struct id_list groups;
    TRY(identity_groups_of(tx, a, id, &groups));
    buf b = {0};
    buf_u8(&b, (uint8_t)p.type);
    buf_u8(&b, p.active);
    buf_u32(&b, (uint32_t)p.name.n);
    buf_str(&b, p.name);
    buf_u32(&b, (uint32_t)groups.n);
    for (size_t i = 0; i < groups.n; i++) buf_u64(&b, (uint64_t)groups.p[i]);
    err *e = memberships(tx, a, id, &groups, &b);
    buf_u8(&b, p.account_admin);
    if (!e) *ret = arena_str(a, buf_view(&b));
    buf_free(&b);
    return e;
}

err *identity_publish(struct req *r, int64_t principal, bool restricts) {
    uint64_t key = (uint64_t)principal;
    str value;
    TRY(identity_principal_fact(r->tx, r->a, principal, &value));
    req_fact(r, FACT_PRINCIPAL, false, restricts, map_key_u64(&key), value, -1);
    return NULL;
}

err *identity_publish_group(struct req *r, int64_t group, bool restricts) {
    struct id_list below;
    TRY(identity_members_below(r->tx, r->a, group, &below));
    for (size_t i = 0; i < below.n; i++) TRY(identity_publish(r, below.p[i], restricts));
    return NULL;
}
