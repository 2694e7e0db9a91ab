/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCIM routes: Users, Groups, ServicePrincipals, Me. The same handlers serve the workspace's paths
 * and the account's; which one it is says the path's account_id.
 */
#include "identity/scim.h"

#include <ctype.h>
#include <stdlib.h>

#include "api/gen_routes.h"
#include "rules.h"
#include "scim_int.h"
#include "sys/rand.h"

#define DEFAULT_PAGE 100
#define MAX_PAGE 10000

static bool at_account(struct req *r) { return arg_has(r, "account_id"); }

/* The account's paths are for its admins; a foreign account does not exist. */
static err *check_door(struct req *r) {
    if (!at_account(r)) {
        if (!r->who.workspace_admin && !r->who.active)
            return err_new(ERR_PERMISSION_DENIED, "The principal is not active.");
        return NULL;
    }
    if (!str_ieq(arg_str(r, "account_id"), str_of(r->control->account_id)))
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Account %.*s does not exist.",
                       STR_ARG(str_cut(arg_str(r, "account_id"), 64)));
    if (!r->account_admin)
        return err_new(ERR_PERMISSION_DENIED, "Only account admins can do this.");
    return NULL;
}

static int64_t scope_of(struct req *r) { return at_account(r) ? 0 : r->scope.workspace; }

const char *scim_resource_name(enum principal_type t) {
    return t == PRINCIPAL_USER ? "User" : t == PRINCIPAL_GROUP ? "Group" : "ServicePrincipal";
}

/* ---- writing ---- */

static void put_json(struct req *r, jmut *o, const char *key, str text) {
    if (!text.n) return;
    jval *v;
    err *e = json_parse(r->a, text, false, &v);
    if (e) {
        err_free(e);
        return;
    }
    if (yyjson_is_arr(v) && yyjson_arr_size(v) == 0) return;
    json_put(r->doc, o, key, yyjson_val_mut_copy(r->doc, v));
}

static err *put_refs(struct req *r, jmut *o, const char *key, const struct id_list *ids) {
    if (!ids->n) return NULL;
    jmut *list = json_put_arr(r->doc, o, key);
    for (size_t i = 0; i < ids->n; i++) {
        struct principal_info p;
        bool found;
        TRY(identity_find(r->tx, r->a, ids->p[i], &p, &found));
        if (!found) continue;
        if (p.type != PRINCIPAL_GROUP && scope_of(r)) { /* of an account's group: our members */
            struct scim_resource seen;
            TRY(scim_get(r->tx, r->a, p.type, scope_of(r), p.id, &seen, &found));
            if (!found) continue;
        }
        jmut *e = json_add_obj(r->doc, list);
        char *id = arena_printf(r->a, "%lld", (long long)p.id);
        json_put_z(r->doc, e, "value", id);
        json_put_str(r->doc, e, "display", p.display_name.n ? p.display_name : p.name);
        json_put_z(r->doc, e, "$ref", arena_printf(r->a, "%ss/%s", scim_resource_name(p.type), id));
        if (p.type == PRINCIPAL_GROUP && strcmp(key, "groups") == 0)
            json_put_z(r->doc, e, "type", "direct");
    }
    return NULL;
}

static void put_schemas(struct req *r, jmut *o, enum principal_type t) {
    jmut *s = json_put_arr(r->doc, o, "schemas");
    json_add_str(r->doc, s, str_of(arena_printf(r->a, "urn:ietf:params:scim:schemas:core:2.0:%s",
                                                scim_resource_name(t))));
}

static err *put_groups_of(struct req *r, jmut *o, int64_t id) {
    struct id_list all;
    TRY(identity_groups_of(r->tx, r->a, id, &all));
    struct id_list mine = {arena_array_of(r->a, int64_t, all.n + 1), 0};
    for (size_t i = 0; i < all.n; i++) {
        struct principal_info g;
        bool found;
        TRY(identity_find(r->tx, r->a, all.p[i], &g, &found));
        if (found && (!g.workspace || g.workspace == scope_of(r))) mine.p[mine.n++] = all.p[i];
    }
    return put_refs(r, o, "groups", &mine);
}

/* The attributes that the request asked for. */
static err *put_resource(struct req *r, jmut *o, const struct scim_resource *s) {
    put_schemas(r, o, s->type);
    json_put_z(r->doc, o, "id", arena_printf(r->a, "%lld", (long long)s->id));
    if (s->external_id.n) json_put_str(r->doc, o, "externalId", arena_str(r->a, s->external_id));
    if (s->type == PRINCIPAL_GROUP) {
        json_put_str(r->doc, o, "displayName", arena_str(r->a, s->name));
        jmut *meta = json_put_obj(r->doc, o, "meta");
        json_put_z(r->doc, meta, "resourceType", s->workspace ? "WorkspaceGroup" : "Group");
        if (scim_wanted(r, "members")) {
            struct id_list m;
            TRY(scim_members(r->tx, r->a, s, &m));
            TRY(put_refs(r, o, "members", &m));
        }
    } else {
        bool user = s->type == PRINCIPAL_USER;
        json_put_str(r->doc, o, user ? "userName" : "applicationId", arena_str(r->a, s->name));
        str shown = s->display_name.n ? s->display_name : s->name;
        json_put_str(r->doc, o, "displayName", arena_str(r->a, shown));
        json_put_bool(r->doc, o, "active", s->active);
        if (user) {
            jmut *n = s->given_name.n || s->family_name.n ? json_put_obj(r->doc, o, "name") : NULL;
            if (s->given_name.n) json_put_str(r->doc, n, "givenName", arena_str(r->a, s->given_name));
            if (s->family_name.n)
                json_put_str(r->doc, n, "familyName", arena_str(r->a, s->family_name));
            put_json(r, o, "emails", s->emails);
        }
    }
    if (scim_wanted(r, "groups")) TRY(put_groups_of(r, o, s->id));
    put_json(r, o, "entitlements", s->entitlements);
    put_json(r, o, "roles", s->roles);
    scim_project(r, o);
    return NULL;
}

/* ---- facts ---- */

static err *publish(struct req *r, const struct scim_resource *s, bool restricts) {
    store_tx_securable(r->tx, scim_resource_name(s->type), s->id, s->name);
    return s->type == PRINCIPAL_GROUP ? identity_publish_group(r, s->id, restricts)
                                      : identity_publish(r, s->id, restricts);
}

/* ---- operations ---- */

static err *find(struct req *r, enum principal_type type, struct scim_resource *ret) {
    int64_t id;
    bool found = false;
    if (json_i64(arg(r, "id"), &id))
        TRY(scim_get(r->tx, r->a, type, scope_of(r), id, ret, &found));
    if (found) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s with id %.*s not found.", scim_resource_name(type),
                   STR_ARG(str_cut(arg_str(r, "id"), 40)));
}

static err *answer(struct req *r, enum principal_type type, int64_t workspace, int64_t id) {
    struct scim_resource s;
    bool found;
    TRY(scim_get(r->tx, r->a, type, workspace, id, &s, &found));
    must(found);
    return put_resource(r, req_out(r), &s);
}

static err *create(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s = {.type = type, .active = true, .workspace = scope_of(r)};
    TRY(scim_take_fields(r, &s, r->args));
    if (type == PRINCIPAL_SERVICE && !s.name.n) {
        char *uuid = arena_alloc(r->a, 37);
        rand_uuid(uuid);
        s.name = str_of(uuid);
    }
    if (!s.name.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Missing value for required parameter '%s'.",
                       type == PRINCIPAL_USER ? "userName" : "displayName");
    /* A user of the account who is new in this workspace becomes its member. */
    struct principal_info there;
    bool exists = false;
    if (type != PRINCIPAL_GROUP && !at_account(r))
        TRY(identity_by_name(r->tx, r->a, 0, type, s.name, &there, &exists));
    if (exists) {
        struct scim_resource seen;
        bool member;
        TRY(scim_get(r->tx, r->a, type, scope_of(r), there.id, &seen, &member));
        if (member)
            return err_new(ERR_RESOURCE_ALREADY_EXISTS, "%s with name %.*s already exists.",
                           scim_resource_name(type), STR_ARG(s.name));
        s.id = there.id;
    } else {
        TRY(scim_insert(r->tx, &s));
    }
    if (type == PRINCIPAL_GROUP) {
        jval *m = arg(r, "members");
        if (m) TRY(scim_add_members(r, &s, m));
    } else if (!at_account(r)) {
        int64_t users, admins;
        TRY(identity_system_groups(r->tx, r->a, r->scope.workspace, &users, &admins));
        struct scim_resource g = {.id = users, .workspace = r->scope.workspace,
                                  .type = PRINCIPAL_GROUP};
        TRY(scim_member_add(r->tx, r->a, &g, s.id));
    }
    if (type != PRINCIPAL_GROUP && !exists) { /* everyone is in the account's group */
        struct principal_info g;
        bool found;
        TRY(identity_by_name(r->tx, r->a, 0, PRINCIPAL_GROUP, STR("account users"), &g, &found));
        struct scim_resource all = {.id = g.id, .type = PRINCIPAL_GROUP};
        if (found) TRY(scim_member_add(r->tx, r->a, &all, s.id));
    }
    TRY(publish(r, &s, false));
    r->status = 201;
    return answer(r, type, scope_of(r), s.id);
}

static err *replace(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s;
    TRY(find(r, type, &s));
    TRY(rules_may_change(r, &s));
    TRY(scim_take_fields(r, &s, r->args));
    TRY(scim_update(r->tx, r->a, &s));
    if (type == PRINCIPAL_GROUP && arg_has(r, "members")) {
        TRY(scim_remove_all_members(r, &s));
        TRY(scim_add_members(r, &s, arg(r, "members")));
    }
    TRY(publish(r, &s, true));
    return answer(r, type, scope_of(r), s.id);
}

static err *patch(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s;
    TRY(find(r, type, &s));
    TRY(rules_may_change(r, &s));
    req_out(r);
    size_t i, n;
    jval *op;
    yyjson_arr_foreach(arg(r, "Operations"), i, n, op) TRY(scim_patch_one(r, &s, op));
    TRY(scim_update(r->tx, r->a, &s));
    TRY(publish(r, &s, true));
    return answer(r, type, scope_of(r), s.id);
}

static err *remove_one(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s;
    TRY(find(r, type, &s));
    if (s.id == r->principal)
        return err_new(ERR_INVALID_STATE, "Nobody can delete himself.");
    store_tx_securable(r->tx, scim_resource_name(type), s.id, s.name);
    r->status = 204;
    req_body(r, 204, "application/scim+json", STR(""));
    bool elsewhere = false;
    if (type != PRINCIPAL_GROUP && !at_account(r))
        TRY(rules_elsewhere(r, s.id, r->scope.workspace, &elsewhere));
    if (elsewhere) return rules_leave(r, s.id, r->scope.workspace);
    TRY(rules_may_change(r, &s));
    struct id_list below = {0};
    if (type == PRINCIPAL_GROUP) TRY(identity_members_below(r->tx, r->a, s.id, &below));
    TRY(scim_delete(r->tx, r->a, &s));
    if (type == PRINCIPAL_GROUP) {
        for (size_t i = 0; i < below.n; i++) TRY(identity_publish(r, below.p[i], true));
    } else {
        uint64_t key = (uint64_t)s.id;
        req_fact(r, FACT_PRINCIPAL, true, true, map_key_u64(&key), STR(""), -1);
    }
    return NULL;
}

struct listing {
    struct req *r;
    struct scim_filter *filter;
    struct vec_of_resources {
        struct scim_resource *p;
        size_t n, cap;
    } found;
};

static bool list_each(void *arg, const struct scim_resource *s) {
    struct listing *l = arg;
    if (!scim_filter_match(l->filter, s)) return true;
    if (l->found.n == l->found.cap) {
        size_t cap = l->found.cap ? l->found.cap * 2 : 64;
        struct scim_resource *p = arena_array_of(l->r->a, struct scim_resource, cap);
        if (l->found.n) memcpy(p, l->found.p, l->found.n * sizeof(*p));
        l->found.p = p, l->found.cap = cap;
    }
    l->found.p[l->found.n++] = *s;
    return true;
}

static str shown_name(const struct scim_resource *s) { return s->display_name.n ? s->display_name : s->name; }

static int by_text(str a, str b) {
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int x = tolower((unsigned char)a.p[i]), y = tolower((unsigned char)b.p[i]);
        if (x != y) return x < y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static int by_id(const void *x, const void *y) {
    const struct scim_resource *a = x, *b = y;
    return a->id < b->id ? -1 : a->id > b->id;
}
static int by_name(const void *x, const void *y) {
    const struct scim_resource *a = x, *b = y;
    int c = by_text(a->name, b->name);
    return c ? c : by_id(x, y);
}
static int by_shown_name(const void *x, const void *y) {
    int c = by_text(shown_name(x), shown_name(y));
    return c ? c : by_id(x, y);
}

/* sortBy id (the order of the store), userName, applicationId or displayName; others count as id. */
static void sort(struct req *r, struct listing *l) {
    str key = arg_str(r, "sortBy");
    int (*order)(const void *, const void *) = NULL;
    if (str_ieq(key, STR("userName")) || str_ieq(key, STR("applicationId"))) order = by_name;
    if (str_ieq(key, STR("displayName"))) order = by_shown_name;
    if (order && l->found.n > 1) qsort(l->found.p, l->found.n, sizeof(*l->found.p), order);
    if (!str_ieq(arg_str(r, "sortOrder"), STR("descending"))) return;
    for (size_t i = 0, k = l->found.n; i + 1 < k; i++) {
        struct scim_resource t = l->found.p[i];
        l->found.p[i] = l->found.p[--k];
        l->found.p[k] = t;
    }
}

static err *list(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct listing l = {.r = r};
    int64_t start = arg_i64(r, "startIndex", 1), count = arg_i64(r, "count", DEFAULT_PAGE), shown = 0;
    if (start < 1) start = 1;
    if (count < 0) count = 0;
    if (count > MAX_PAGE) count = MAX_PAGE;
    TRY(scim_filter_parse(r->a, arg_str(r, "filter"), &l.filter));
    jmut *o = req_out(r);
    json_add_str(r->doc, json_put_arr(r->doc, o, "schemas"),
                 STR("urn:ietf:params:scim:api:messages:2.0:ListResponse"));
    jmut *out = yyjson_mut_arr(r->doc);
    TRY(scim_each(r->tx, r->a, type, scope_of(r), list_each, &l));
    sort(r, &l);
    for (size_t i = (size_t)start - 1; i < l.found.n && shown < count; i++, shown++)
        TRY(put_resource(r, json_add_obj(r->doc, out), &l.found.p[i]));
    json_put_int(r->doc, o, "totalResults", (int64_t)l.found.n);
    json_put_int(r->doc, o, "startIndex", start);
    json_put_int(r->doc, o, "itemsPerPage", shown);
    json_put(r->doc, o, "Resources", out);
    return NULL;
}

static err *get(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s;
    TRY(find(r, type, &s));
    return put_resource(r, req_out(r), &s);
}

err *api_identity_me(struct req *r) {
    struct scim_resource s;
    bool found;
    TRY(scim_get(r->tx, r->a, (enum principal_type)r->principal_type, 0, r->principal, &s, &found));
    if (!found) return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "The caller did not exist then.");
    /* A service principal shows its application id as userName here. */
    jmut *o = req_out(r);
    TRY(put_resource(r, o, &s));
    if (s.type == PRINCIPAL_SERVICE) json_put_str(r->doc, o, "userName", s.name);
    return NULL;
}

#define ROUTES(kind, type)                                                                         \
    err *api_identity_scim_##kind##_list(struct req *r) { return list(r, type); }                  \
    err *api_identity_scim_##kind##_create(struct req *r) { return create(r, type); }              \
    err *api_identity_scim_##kind##_get(struct req *r) { return get(r, type); }                    \
    err *api_identity_scim_##kind##_put(struct req *r) { return replace(r, type); }                \
    err *api_identity_scim_##kind##_patch(struct req *r) { return patch(r, type); }                \
    err *api_identity_scim_##kind##_delete(struct req *r) { return remove_one(r, type); }

ROUTES(user, PRINCIPAL_USER)
ROUTES(group, PRINCIPAL_GROUP)
ROUTES(sp, PRINCIPAL_SERVICE)
