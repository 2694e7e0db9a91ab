/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permissions on workspace objects.
 *
 * Whoever holds any level on an object may read its list; changing it takes the highest level
 * (CAN_MANAGE). The owner of an object and the workspace's admins hold that level for good: they
 * are in the list, and an entry that gives them less is refused. Entries are kept by object and
 * principal (entity acl); an object inherits the entries of its type's root, where it has one
 * (registered-models/root).
 */
#include "api/gen_routes.h"
#include "catalog/object_acl.h"
#include "identity/identity.h"
#include "mlflow/access.h"
#include "serving/serving.h"
#include "statements/statements.h"

/* What a path names. */
struct object {
    int type;
    int64_t id, owner;
    str shown_id; /* as in object_id */
    const char *missing, *what; /* for errors; what names it in a reason */
    struct object_chain chain;
    struct policy_entry extra; /* Default experiment: everyone's level while it has no list */
};

/* ---- finding the object ---- */

static err *find_experiment(struct req *r, str id, struct object *o, bool *found) {
    int64_t number;
    struct ent_experiment e;
    *found = false;
    if (!str_to_i64(id, &number) || number < 0) return NULL;
    TRY(access_find(r->tx, r, number, &e, found));
    o->id = number;
    o->owner = *found ? e.owner_id : 0;
    return NULL;
}

static err *find_model(struct req *r, str id, struct object *o, bool *found) {
    struct ent_registered_model m;
    *found = str_eqz(id, "root");
    o->id = OBJECT_ACL_ROOT;
    if (*found || !str_to_i64(id, &o->id)) return NULL;
    TRY(ent_registered_model_get(r->tx, r->scope, r->a, o->id, &m, found));
    o->owner = *found ? m.owner_id : 0;
    return NULL;
}

static err *find_endpoint(struct req *r, str id, struct object *o, bool *found) {
    struct ent_endpoint e;
    *found = false;
    if (!str_to_i64(id, &o->id)) return NULL;
    TRY(ent_endpoint_get(r->tx, r->scope, r->a, o->id, &e, found));
    o->owner = *found ? e.owner_id : 0;
    return NULL;
}

static err *find_warehouse(struct req *r, str id, struct object *o, bool *found) {
    struct ent_warehouse w;
    TRY(ent_warehouse_by_uid(r->tx, r->scope, r->a, id, &w, found));
    o->id = *found ? w.id : 0;
    o->owner = *found ? w.owner_id : 0;
    return NULL;
}

/* The object's lists as that transaction sees them: today's decide, those of as_of are shown. */
static err *read_lists(struct req *r, store_tx *tx, struct object *o) {
    TRY(object_acl_chain(tx, r->scope, r->a, o->type, o->id, o->owner, o->what, &o->chain));
    /* The Default experiment is everyone's until it gets a list (mlflow/access.h). */
    if (o->type == PERM_EXPERIMENTS && o->id == 0 && !o->chain.node[0].n) {
        o->extra = (struct policy_entry){r->who.id, EXPERIMENTS_CAN_EDIT};
        o->chain.node[0].entries = &o->extra;
        o->chain.node[0].n = 1;
    }
    return NULL;
}

static err *find_object(struct req *r, struct object *o) {
    str type = arg_str(r, "type"), id = arg_str(r, "id");
    bool found = false;
    *o = (struct object){.type = perm_type_by_name(type), .shown_id = id};
    if (o->type < 0)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "'%.*s' is not a type of object that has "
                       "permissions here.",
                       STR_ARG(str_cut(type, 64)));
    o->missing = arena_printf(r->a, "Object '/%.*s/%.*s' does not exist.", STR_ARG(type),
                              STR_ARG(str_cut(id, 100)));
    switch (o->type) {
    case PERM_EXPERIMENTS: TRY(find_experiment(r, id, o, &found)); break;
    case PERM_REGISTERED_MODELS: TRY(find_model(r, id, o, &found)); break;
    case PERM_SERVING_ENDPOINTS: TRY(find_endpoint(r, id, o, &found)); break;
    case PERM_WAREHOUSES: TRY(find_warehouse(r, id, o, &found)); break;
    case PERM_AUTHORIZATION:
        o->id = OBJECT_ACL_ROOT;
        found = str_eqz(id, "tokens");
        break;
    default: break;
    }
    if (!found) return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s", o->missing);
    o->what = arena_printf(r->a, "/%.*s/%.*s", STR_ARG(type), STR_ARG(id));
    return read_lists(r, store_tx_today(r->tx), o);
}

static uint64_t highest(const struct object *o) { return (uint64_t)perm_rows[o->type].n_levels; }

/* As a level: that of the owner, which has a name of its own for some types. */
#define OWNS 1000u

/* ---- the answer ---- */

static err *put_name(struct req *r, jmut *o, int64_t principal) {
    static const char *const fields[] = {"", "user_name", "group_name", "service_principal_name"};
    struct principal_info p;
    bool found;
    TRY(identity_find(store_tx_today(r->tx), r->a, principal, &p, &found));
    if (!found) {
        json_put_str(r->doc, o, "user_name",
                     str_of(arena_printf(r->a, "%lld", (long long)principal)));
        return NULL;
    }
    json_put_str(r->doc, o, fields[p.type], p.name);
    if (p.type != PRINCIPAL_GROUP && p.display_name.n)
        json_put_str(r->doc, o, "display_name", p.display_name);
    return NULL;
}

static void put_level(struct req *r, jmut *arr, const struct object *o, uint64_t level,
                      bool inherited) {
    if (!level) return;
    const struct perm_row *row = &perm_rows[o->type];
    jmut *e = json_add_obj(r->doc, arr);
    bool owns = level == OWNS && row->owner;
    if (level == OWNS) level = highest(o);
    json_put_z(r->doc, e, "permission_level", owns ? row->owner : row->levels[level - 1]);
    json_put_bool(r->doc, e, "inherited", inherited);
    if (!inherited) return;
    jmut *from = json_put_arr(r->doc, e, "inherited_from_object");
    const char *root = o->type == PERM_REGISTERED_MODELS ? "root" : "";
    json_add_str(r->doc, from, str_of(arena_printf(r->a, "/%s%s/%s", row->prefix, row->type, root)));
}

static uint64_t level_in(const struct policy_node *node, int64_t principal) {
    for (size_t i = 0; i < node->n; i++)
        if (node->entries[i].principal == principal) return node->entries[i].right;
    return 0;
}

struct lists {
    const struct policy_node *own, *root;
};

/* The root object's own list is its last node; it inherits from nothing. */
static struct lists lists_of(const struct object *o) {
    static const struct policy_node none = {0};
    const struct policy_node *last = &o->chain.node[o->chain.n - 1];
    if (o->id == OBJECT_ACL_ROOT) return (struct lists){last, &none};
    return (struct lists){&o->chain.node[0], last};
}

static err *put_principal(struct req *r, jmut *arr, const struct object *o, int64_t principal,
                          uint64_t direct, uint64_t inherited) {
    jmut *e = json_add_obj(r->doc, arr);
    TRY(put_name(r, e, principal));
    jmut *all = json_put_arr(r->doc, e, "all_permissions");
    put_level(r, all, o, direct, false);
    put_level(r, all, o, inherited, true);
    return NULL;
}

static err *answer(struct req *r, const struct object *o) {
    int64_t users, admins;
    TRY(identity_system_groups(store_tx_today(r->tx), r->a, r->scope.workspace, &users, &admins));
    struct lists l = lists_of(o);
    jmut *out = req_out(r);
    const struct perm_row *row = &perm_rows[o->type];
    json_put_str(r->doc, out, "object_id",
                 str_of(arena_printf(r->a, "/%s%s/%.*s", row->prefix, row->type, STR_ARG(o->shown_id))));
    json_put_z(r->doc, out, "object_type", row->object_type);
    jmut *arr = json_put_arr(r->doc, out, "access_control_list");
    if (o->owner)
        TRY(put_principal(r, arr, o, o->owner, OWNS, level_in(l.root, o->owner)));
    for (size_t i = 0; i < l.own->n; i++) {
        int64_t p = l.own->entries[i].principal;
        if (p == o->owner || p == admins || l.own->entries == &o->extra) continue;
        TRY(put_principal(r, arr, o, p, l.own->entries[i].right, level_in(l.root, p)));
    }
    for (size_t i = 0; i < l.root->n; i++) {
        int64_t p = l.root->entries[i].principal;
        if (p == o->owner || p == admins || level_in(l.own, p)) continue;
        TRY(put_principal(r, arr, o, p, 0, l.root->entries[i].right));
    }
    if (l.own->entries == &o->extra)
        TRY(put_principal(r, arr, o, users, 0, o->extra.right));
    return put_principal(r, arr, o, admins, 0, highest(o));
}

err *api_permissions_get(struct req *r) {
    struct object o;
    TRY(find_object(r, &o));
    TRY(object_acl_need(r, &o.chain, 1, o.missing));
    if (r->as_of) TRY(read_lists(r, r->tx, &o));
    return answer(r, &o);
}

err *api_permissions_levels(struct req *r) {
    int type = perm_type_by_name(arg_str(r, "type"));
    if (type < 0)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "'%.*s' is not a type of object that has "
                       "permissions here.",
                       STR_ARG(str_cut(arg_str(r, "type"), 64)));
    struct object o;
    TRY(find_object(r, &o));
    TRY(object_acl_need(r, &o.chain, 1, o.missing));
    jmut *arr = json_put_arr(req_doc(r), req_out(r), "permission_levels");
    if (perm_rows[type].owner) {
        jmut *e = json_add_obj(r->doc, arr);
        json_put_z(r->doc, e, "permission_level", perm_rows[type].owner);
        json_put_z(r->doc, e, "description", "Owns the object: may do everything with it");
    }
    for (int i = 0; i < perm_rows[type].n_levels; i++) {
        jmut *e = json_add_obj(r->doc, arr);
        json_put_z(r->doc, e, "permission_level", perm_rows[type].levels[i]);
        json_put_z(r->doc, e, "description",
                   arena_printf(r->a, "%s%s", perm_rows[type].levels[i],
                                i ? "; includes the levels before it" : ""));
    }
    return NULL;
}

/* ---- changing ---- */

/* The one principal that an entry names. */
static err *read_principal(struct req *r, jval *e, int64_t *ret) {
    static const struct {
        const char *field;
        enum principal_type type;
    } kinds[] = {{"user_name", PRINCIPAL_USER},
                 {"group_name", PRINCIPAL_GROUP},
                 {"service_principal_name", PRINCIPAL_SERVICE}};
    int named = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        str name = json_get_str(e, kinds[i].field);
        struct principal_info p;
        bool found;
        if (!name.n) continue;
        named++;
        TRY(identity_by_name(r->tx, r->a, r->scope.workspace, kinds[i].type, name, &p, &found));
        if (!found)
            return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Principal: %s(%.*s) does not exist.",
                           kinds[i].field, STR_ARG(str_cut(name, 255)));
        *ret = p.id;
    }
    if (named == 1) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Each entry of access_control_list must name one of user_name, group_name and "
                   "service_principal_name.");
}

static err *read_level(const struct object *o, jval *e, int *ret) {
    str name = json_get_str(e, "permission_level");
    const char *owner = perm_rows[o->type].owner;
    *ret = owner && str_eqz(name, owner) ? (int)OWNS : perm_level_by_name(o->type, name);
    if (*ret) return NULL;
    buf names = {0};
    if (owner) buf_fmt(&names, "%s, ", owner);
    for (int i = 0; i < perm_rows[o->type].n_levels; i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", perm_rows[o->type].levels[i]);
    err *x = err_new(ERR_INVALID_PARAMETER_VALUE,
                     "'%.*s' is not a permission level of %s; there are %.*s.",
                     STR_ARG(str_cut(name, 64)), perm_rows[o->type].type, (int)names.n, names.p);
    buf_free(&names);
    return x;
}

/* The object becomes another's, who must be no group; the one before keeps nothing but what the list says. */
static err *give_away(struct req *r, struct object *o, int64_t to) {
    struct principal_info p;
    struct ent_warehouse w;
    if (to == o->owner) return NULL;
    TRY(identity_find(r->tx, r->a, to, &p, NULL));
    if (p.type == PRINCIPAL_GROUP || o->type != PERM_WAREHOUSES)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%s can be given to a user or service principal only.",
                       perm_rows[o->type].owner);
    TRY(ent_warehouse_get(r->tx, r->scope, r->a, o->id, &w, NULL));
    w.owner_id = o->owner = to;
    TRY(ent_warehouse_update(r->tx, r->scope, &w));
    return object_acl_set(r->tx, r->scope, r->a, o->type, o->id, to, 0);
}

/* Who owns the object according to the list; 0: it does not say. */
static err *new_owner(struct req *r, const struct object *o, int64_t *ret) {
    jval *e;
    size_t i, n;
    *ret = 0;
    yyjson_arr_foreach(arg(r, "access_control_list"), i, n, e) {
        int level;
        int64_t principal = 0;
        TRY(read_level(o, e, &level));
        if (level != (int)OWNS) continue;
        TRY(read_principal(r, e, &principal));
        if (*ret && *ret != principal)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "An object has one owner; the list names two.");
        *ret = principal;
    }
    return NULL;
}

/* Writes the entries of the request; keep: entries that it does not name stay. */
static err *change(struct req *r, bool replace) {
    struct object o;
    int64_t users, admins;
    TRY(find_object(r, &o));
    TRY(object_acl_need(r, &o.chain, highest(&o), o.missing));
    TRY(identity_system_groups(r->tx, r->a, r->scope.workspace, &users, &admins));
    if (replace) TRY(object_acl_drop(r->tx, r->scope, r->a, o.type, o.id));
    jval *list = arg(r, "access_control_list"), *e;
    size_t i, n;
    int64_t owner;
    TRY(new_owner(r, &o, &owner));
    if (owner) TRY(give_away(r, &o, owner));
    yyjson_arr_foreach(list, i, n, e) {
        int64_t principal = 0;
        int level = 0;
        TRY(read_principal(r, e, &principal));
        TRY(read_level(&o, e, &level));
        if (level == (int)OWNS) continue;
        if (principal == o.owner || principal == admins) {
            if ((uint64_t)level == highest(&o)) continue;
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "The permission of %s is %s and cannot be changed.",
                           principal == admins ? "the group 'admins'" : "the object's owner",
                           perm_rows[o.type].levels[highest(&o) - 1]);
        }
        TRY(object_acl_set(r->tx, r->scope, r->a, o.type, o.id, principal, level));
    }
    store_tx_securable(r->tx, perm_rows[o.type].type, o.id, o.shown_id);
    /* The gateways decide on invocations themselves: they must hear of it before the answer goes. */
    if (o.type == PERM_SERVING_ENDPOINTS) TRY(serving_publish(r, o.id, true));
    if (o.type == PERM_WAREHOUSES) TRY(warehouse_publish(r, o.id));
    TRY(find_object(r, &o));
    return answer(r, &o);
}

err *api_permissions_set(struct req *r) { return change(r, true); }
err *api_permissions_update(struct req *r) { return change(r, false); }
