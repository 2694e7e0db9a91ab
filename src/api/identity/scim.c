/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCIM routes: Users, Groups, ServicePrincipals, Me. The same handlers serve the workspace's paths
 * and the account's; which one it is says the path's account_id.
 */
#include "identity/scim.h"

#include <stdlib.h>

#include "api/gen_routes.h"
#include "rules.h"
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

static const char *resource_name(enum principal_type t) {
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
        json_put_z(r->doc, e, "$ref", arena_printf(r->a, "%ss/%s", resource_name(p.type), id));
        if (p.type == PRINCIPAL_GROUP && strcmp(key, "groups") == 0)
            json_put_z(r->doc, e, "type", "direct");
    }
    return NULL;
}

static void put_schemas(struct req *r, jmut *o, enum principal_type t) {
    jmut *s = json_put_arr(r->doc, o, "schemas");
    json_add_str(r->doc, s, str_of(arena_printf(r->a, "urn:ietf:params:scim:schemas:core:2.0:%s",
                                                resource_name(t))));
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

static err *put_resource(struct req *r, jmut *o, const struct scim_resource *s, bool deep) {
    put_schemas(r, o, s->type);
    json_put_z(r->doc, o, "id", arena_printf(r->a, "%lld", (long long)s->id));
    if (s->external_id.n) json_put_str(r->doc, o, "externalId", arena_str(r->a, s->external_id));
    if (s->type == PRINCIPAL_GROUP) {
        json_put_str(r->doc, o, "displayName", arena_str(r->a, s->name));
        jmut *meta = json_put_obj(r->doc, o, "meta");
        json_put_z(r->doc, meta, "resourceType", s->workspace ? "WorkspaceGroup" : "Group");
        if (deep) {
            struct id_list m;
            TRY(scim_members(r->tx, r->a, s, &m));
            TRY(put_refs(r, o, "members", &m));
            TRY(put_groups_of(r, o, s->id));
        }
    } else {
        bool user = s->type == PRINCIPAL_USER;
        json_put_str(r->doc, o, user ? "userName" : "applicationId", arena_str(r->a, s->name));
        str shown = s->display_name.n ? s->display_name : s->name;
        json_put_str(r->doc, o, "displayName", arena_str(r->a, shown));
        json_put_bool(r->doc, o, "active", s->active);
        if (user) {
            jmut *n = json_put_obj(r->doc, o, "name");
            if (s->given_name.n) json_put_str(r->doc, n, "givenName", arena_str(r->a, s->given_name));
            if (s->family_name.n)
                json_put_str(r->doc, n, "familyName", arena_str(r->a, s->family_name));
            put_json(r, o, "emails", s->emails);
        }
        if (deep) TRY(put_groups_of(r, o, s->id));
    }
    put_json(r, o, "entitlements", s->entitlements);
    put_json(r, o, "roles", s->roles);
    return NULL;
}

/* ---- reading a body ---- */

static str json_arg(struct req *r, jval *v) {
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    str s = p ? arena_str(r->a, str_n(p, n)) : STR("");
    free(p);
    return s;
}

static bool names_account_admin(jval *roles) {
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(roles, i, n, v) {
        if (str_eqz(json_get_str(v, "value"), "account_admin")) return true;
    }
    return false;
}

/* Takes the fields that are there. Only account admins may make account admins. */
static err *take_fields(struct req *r, struct scim_resource *s, jval *o) {
    jval *v;
    const char *name_key = s->type == PRINCIPAL_USER    ? "userName"
                           : s->type == PRINCIPAL_GROUP ? "displayName"
                                                        : "applicationId";
    if ((v = json_get(o, name_key)) && yyjson_is_str(v)) {
        if (s->type == PRINCIPAL_SERVICE && s->id && !str_eq(s->name, json_str(v)))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "applicationId cannot be changed.");
        s->name = json_str(v);
    }
    if (s->type != PRINCIPAL_GROUP && (v = json_get(o, "displayName")) && yyjson_is_str(v))
        s->display_name = json_str(v);
    if ((v = json_get(o, "externalId")) && yyjson_is_str(v)) s->external_id = json_str(v);
    if ((v = json_get(o, "active")))
        s->active = yyjson_is_bool(v) ? yyjson_get_bool(v) : str_ieq(json_str(v), STR("true"));
    jval *name = json_get(o, "name");
    if (yyjson_is_obj(name)) {
        if ((v = json_get(name, "givenName"))) s->given_name = json_str(v);
        if ((v = json_get(name, "familyName"))) s->family_name = json_str(v);
    }
    if ((v = json_get(o, "emails")) && yyjson_is_arr(v)) s->emails = json_arg(r, v);
    if ((v = json_get(o, "entitlements")) && yyjson_is_arr(v)) s->entitlements = json_arg(r, v);
    if ((v = json_get(o, "roles")) && yyjson_is_arr(v)) {
        bool admin = names_account_admin(v);
        if (admin != s->account_admin && !r->account_admin)
            return err_new(ERR_PERMISSION_DENIED, "Only account admins can give or take this role.");
        s->roles = json_arg(r, v);
        s->account_admin = admin;
    }
    return NULL;
}

static err *member_id(jval *v, int64_t *ret) {
    jval *id = yyjson_is_obj(v) ? json_get(v, "value") : v;
    if (json_i64(id, ret)) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "A member's value must be the id of a principal.");
}

static err *add_members(struct req *r, const struct scim_resource *g, jval *list) {
    size_t i, n;
    jval *v;
    if (yyjson_is_obj(list)) {
        int64_t id;
        TRY(member_id(list, &id));
        TRY(rules_may_add(r, g, id));
        return scim_member_add(r->tx, r->a, g, id);
    }
    yyjson_arr_foreach(list, i, n, v) {
        int64_t id;
        TRY(member_id(v, &id));
        TRY(rules_may_add(r, g, id));
        TRY(scim_member_add(r->tx, r->a, g, id));
    }
    return NULL;
}

static err *remove_all_members(struct req *r, const struct scim_resource *g) {
    struct id_list m;
    TRY(scim_members(r->tx, r->a, g, &m));
    for (size_t i = 0; i < m.n; i++) {
        TRY(scim_member_remove(r->tx, r->a, g, m.p[i]));
        TRY(rules_publish(r, m.p[i], true));
    }
    return NULL;
}

/* ---- facts ---- */

static err *publish(struct req *r, const struct scim_resource *s, bool restricts) {
    store_tx_securable(r->tx, resource_name(s->type), s->id, s->name);
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
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s with id %.*s not found.", resource_name(type),
                   STR_ARG(str_cut(arg_str(r, "id"), 40)));
}

static err *answer(struct req *r, enum principal_type type, int64_t workspace, int64_t id) {
    struct scim_resource s;
    bool found;
    TRY(scim_get(r->tx, r->a, type, workspace, id, &s, &found));
    must(found);
    return put_resource(r, req_out(r), &s, true);
}

static err *create(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s = {.type = type, .active = true, .workspace = scope_of(r)};
    TRY(take_fields(r, &s, r->args));
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
                           resource_name(type), STR_ARG(s.name));
        s.id = there.id;
    } else {
        TRY(scim_insert(r->tx, &s));
    }
    if (type == PRINCIPAL_GROUP) {
        jval *m = arg(r, "members");
        if (m) TRY(add_members(r, &s, m));
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
    TRY(take_fields(r, &s, r->args));
    TRY(scim_update(r->tx, r->a, &s));
    if (type == PRINCIPAL_GROUP && arg_has(r, "members")) {
        TRY(remove_all_members(r, &s));
        TRY(add_members(r, &s, arg(r, "members")));
    }
    TRY(publish(r, &s, true));
    return answer(r, type, scope_of(r), s.id);
}

/* `members[value eq "123"]` */
static bool member_path(str path, int64_t *ret) {
    if (!str_starts(path, STR("members["))) return false;
    ptrdiff_t q = str_chr(path, '"', 0);
    if (q < 0) return false;
    ptrdiff_t end = str_chr(path, '"', (size_t)q + 1);
    return end > q && str_to_i64(str_n(path.p + q + 1, (size_t)(end - q - 1)), ret);
}

static err *patch_members(struct req *r, const struct scim_resource *s, str op, str path,
                          jval *value) {
    int64_t id;
    if (s->type != PRINCIPAL_GROUP)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Only groups have members.");
    if (str_ieq(op, STR("remove"))) {
        if (member_path(path, &id)) {
            TRY(scim_member_remove(r->tx, r->a, s, id));
            return rules_publish(r, id, true);
        }
        if (!value) return remove_all_members(r, s);
        size_t i, n;
        jval *v;
        yyjson_arr_foreach(value, i, n, v) {
            TRY(member_id(v, &id));
            TRY(scim_member_remove(r->tx, r->a, s, id));
            TRY(rules_publish(r, id, true));
        }
        return NULL;
    }
    if (str_ieq(op, STR("replace"))) TRY(remove_all_members(r, s));
    return add_members(r, s, value);
}

/* Adds to or removes from a list of {"value": …}. */
static err *patch_list(struct req *r, str *list, bool remove, jval *value, str path) {
    jval *old = NULL;
    if (list->n) TRY(json_parse(r->a, *list, false, &old));
    jmut *out = yyjson_mut_arr(r->doc);
    size_t i, n, k, m;
    jval *v, *w;
    yyjson_arr_foreach(old, i, n, v) {
        bool drop = false;
        str have = json_get_str(v, "value");
        if (value) yyjson_arr_foreach(value, k, m, w) {
            drop |= str_eq(have, json_get_str(w, "value"));
        }
        if (remove && path.n && !value) drop = str_find(path, have) >= 0 || !strchr(path.p, '[');
        if (!drop) yyjson_mut_arr_append(out, yyjson_val_mut_copy(r->doc, v));
    }
    if (!remove && value) yyjson_arr_foreach(value, k, m, w) {
        yyjson_mut_arr_append(out, yyjson_val_mut_copy(r->doc, w));
    }
    *list = json_text(r->a, out);
    return NULL;
}

static err *patch_one(struct req *r, struct scim_resource *s, jval *op) {
    str verb = json_get_str(op, "op"), path = json_get_str(op, "path");
    jval *value = json_get(op, "value");
    bool remove = str_ieq(verb, STR("remove"));
    if (!remove && !str_ieq(verb, STR("add")) && !str_ieq(verb, STR("replace")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "op '%.*s' is not add, replace or remove.",
                       STR_ARG(str_cut(verb, 40)));
    if (!remove && (!value || yyjson_is_null(value)))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "op '%.*s' needs a value.", STR_ARG(verb));
    if (str_starts(path, STR("members"))) return patch_members(r, s, verb, path, value);
    if (!path.n) {
        if (!yyjson_is_obj(value))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Without a path the value must be an object.");
        jval *members = json_get(value, "members");
        if (members) TRY(patch_members(r, s, verb, STR("members"), members));
        return take_fields(r, s, value);
    }
    if (str_starts(path, STR("entitlements")) || str_starts(path, STR("roles"))) {
        bool roles = path.p[0] == 'r';
        TRY(patch_list(r, roles ? &s->roles : &s->entitlements, remove, value, path));
        if (!roles) return NULL;
        jval *v;
        TRY(json_parse(r->a, s->roles, false, &v));
        bool admin = names_account_admin(v);
        if (admin != s->account_admin && !r->account_admin)
            return err_new(ERR_PERMISSION_DENIED, "Only account admins can give or take this role.");
        s->account_admin = admin;
        return NULL;
    }
    /* A single attribute: as if the value object had been sent. */
    jmut *o = yyjson_mut_obj(r->doc), *at = o;
    ptrdiff_t dot = str_chr(path, '.', 0);
    str leaf = path;
    if (dot > 0) {
        at = yyjson_mut_obj(r->doc);
        yyjson_mut_obj_add(o, yyjson_mut_strn(r->doc, path.p, (size_t)dot), at);
        leaf = str_from(path, (size_t)dot + 1);
    }
    yyjson_mut_obj_add(at, yyjson_mut_strn(r->doc, leaf.p, leaf.n),
                       remove ? yyjson_mut_str(r->doc, "") : yyjson_val_mut_copy(r->doc, value));
    yyjson_doc *flat = yyjson_mut_val_imut_copy(o, NULL);
    must(flat != NULL);
    arena_on_free(r->a, (void (*)(void *))yyjson_doc_free, flat);
    return take_fields(r, s, yyjson_doc_get_root(flat));
}

static err *patch(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s;
    TRY(find(r, type, &s));
    TRY(rules_may_change(r, &s));
    req_out(r);
    size_t i, n;
    jval *op;
    yyjson_arr_foreach(arg(r, "Operations"), i, n, op) TRY(patch_one(r, &s, op));
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
    store_tx_securable(r->tx, resource_name(type), s.id, s.name);
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
    int64_t start, count, matched, shown;
    jmut *out;
    bool deep;
    err *e;
};

static bool list_each(void *arg, const struct scim_resource *s) {
    struct listing *l = arg;
    if (!scim_filter_match(l->filter, s)) return true;
    l->matched++;
    if (l->matched < l->start || l->shown >= l->count) return true;
    l->shown++;
    l->e = put_resource(l->r, json_add_obj(l->r->doc, l->out), s, l->deep);
    return !l->e;
}

static err *list(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct listing l = {.r = r,
                        .start = arg_i64(r, "startIndex", 1),
                        .count = arg_i64(r, "count", DEFAULT_PAGE)};
    if (l.start < 1) l.start = 1;
    if (l.count < 0) l.count = 0;
    if (l.count > MAX_PAGE) l.count = MAX_PAGE;
    str attrs = arg_str(r, "attributes");
    l.deep = !attrs.n || str_find(attrs, STR("groups")) >= 0 || str_find(attrs, STR("members")) >= 0;
    TRY(scim_filter_parse(r->a, arg_str(r, "filter"), &l.filter));
    jmut *o = req_out(r);
    json_add_str(r->doc, json_put_arr(r->doc, o, "schemas"),
                 STR("urn:ietf:params:scim:api:messages:2.0:ListResponse"));
    l.out = yyjson_mut_arr(r->doc);
    TRY(scim_each(r->tx, r->a, type, scope_of(r), list_each, &l));
    if (l.e) return l.e;
    json_put_int(r->doc, o, "totalResults", l.matched);
    json_put_int(r->doc, o, "startIndex", l.start);
    json_put_int(r->doc, o, "itemsPerPage", l.shown);
    json_put(r->doc, o, "Resources", l.out);
    return NULL;
}

static err *get(struct req *r, enum principal_type type) {
    TRY(check_door(r));
    struct scim_resource s;
    TRY(find(r, type, &s));
    return put_resource(r, req_out(r), &s, true);
}

err *api_identity_me(struct req *r) {
    struct scim_resource s;
    bool found;
    TRY(scim_get(r->tx, r->a, (enum principal_type)r->principal_type, 0, r->principal, &s, &found));
    if (!found) return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "The caller did not exist then.");
    /* A service principal shows its application id as userName here. */
    jmut *o = req_out(r);
    TRY(put_resource(r, o, &s, true));
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
