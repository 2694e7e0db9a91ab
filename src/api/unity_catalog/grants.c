/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of grants. Reading the grants of a securable takes MANAGE on it; whoever may see it may
 * read his own (principal = himself or one of his groups). Changing takes MANAGE, which owners and
 * metastore admins have. The owner is not in the lists: ownership is no grant.
 */
#include "catalog/grants.h"

#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"

/* Registered models are functions in the API: the name says which of both is meant. */
static err *open_function(const struct caller *c, str name, struct securable *s) {
    bool found;
    TRY(securable_find(c, SEC_FUNCTION, name, s, &found));
    if (found) return securable_open(c, SEC_FUNCTION, name, 0, s);
    TRY(securable_find(c, SEC_MODEL, name, s, &found));
    return securable_open(c, found ? SEC_MODEL : SEC_FUNCTION, name, 0, s);
}

static err *open_securable(struct req *r, struct caller *c, struct securable *s) {
    str type = arg_str(r, "securable_type"), name = arg_str(r, "full_name");
    int kind = securable_kind_of(type);
    if (kind < 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'%.*s' is not a securable type; here are catalog, schema, table, volume, "
                       "function, registered_model, external_location, storage_credential and "
                       "metastore.",
                       STR_ARG(str_cut(type, 64)));
    *c = uc_caller(r);
    if (kind == SEC_FUNCTION) return open_function(c, name, s);
    if (kind != SEC_METASTORE) return securable_open(c, (enum securable_kind)kind, name, 0, s);
    if (!str_eqz(name, uc_metastore(r)))
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Metastore '%.*s' does not exist.",
                       STR_ARG(str_cut(name, 100)));
    return securable_open(c, SEC_METASTORE, STR(""), 0, s);
}

static bool is_self(const struct caller *c, int64_t principal) {
    if (principal == c->who->id) return true;
    for (size_t i = 0; i < c->who->n_groups; i++)
        if (c->who->groups[i] == principal) return true;
    return false;
}

/* May the caller read this list? *ret_only: of one principal alone, 0: of all. */
static err *may_read(struct req *r, const struct caller *c, const struct securable *s,
                     int64_t *ret_only) {
    *ret_only = 0;
    if (arg_str(r, "principal").n) TRY(uc_principal_id(r, arg_str(r, "principal"), ret_only));
    if (*ret_only && is_self(c, *ret_only)) return NULL;
    return securable_need(c, s, PRIV_MANAGE);
}

static void put_privileges(struct req *r, jmut *o, uint64_t bits) {
    jmut *arr = json_put_arr(r->doc, o, "privileges");
    for (int i = 0; i < PRIV_COUNT; i++)
        if (bits & (1ull << i)) json_add_str(r->doc, arr, str_of(priv_rows[i].name));
}

static err *answer(struct req *r, const struct caller *c, const struct securable *s, int64_t only) {
    struct policy_entry *p;
    size_t n;
    TRY(grants_entries(c, s->kind, s->id, &p, &n));
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "privilege_assignments");
    for (size_t i = 0; i < n; i++) {
        if (only && p[i].principal != only) continue;
        str name;
        TRY(uc_principal(r, p[i].principal, &name));
        jmut *o = json_add_obj(r->doc, arr);
        json_put_str(r->doc, o, "principal", name);
        put_privileges(r, o, p[i].right);
    }
    return NULL;
}

err *api_unity_catalog_get_grants(struct req *r) {
    struct caller c;
    struct securable s;
    int64_t only;
    TRY(open_securable(r, &c, &s));
    TRY(may_read(r, &c, &s, &only));
    return answer(r, &c, &s, only);
}

/* Names to bits; one that is unknown, or does not go with the securable, is an error. */
static err *read_privileges(jval *list, enum securable_kind kind, uint64_t *ret) {
    size_t i, n;
    jval *e;
    *ret = 0;
    yyjson_arr_foreach(list, i, n, e) {
        str name = str_cut(json_str(e), 64);
        uint64_t bit = priv_by_name(json_str(e));
        if (!bit)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not a privilege.",
                           STR_ARG(name));
        if (!(bit & securable_grantable(kind)))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Privilege %.*s is not applicable to a %s.", STR_ARG(name),
                           securable_kind_names[kind]);
        *ret |= bit;
    }
    return NULL;
}

err *api_unity_catalog_update_grants(struct req *r) {
    struct caller c;
    struct securable s;
    TRY(open_securable(r, &c, &s));
    TRY(securable_need(&c, &s, PRIV_MANAGE));
    jval *list = arg(r, "changes"), *e;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, e) {
        uint64_t add, remove;
        int64_t principal;
        TRY(uc_principal_id(r, json_get_str(e, "principal"), &principal));
        TRY(read_privileges(json_get(e, "add"), s.kind, &add));
        TRY(read_privileges(json_get(e, "remove"), s.kind, &remove));
        TRY(grants_change(&c, s.kind, s.id, principal, add, remove));
    }
    store_tx_securable(r->tx, securable_kind_names[s.kind], s.id, s.full_name);
    return answer(r, &c, &s, 0);
}

/* ---- effective ---- */

struct level {
    enum securable_kind kind;
    int64_t id;
    str name;
};

static size_t levels_of(struct req *r, const struct securable *s, struct level out[4]) {
    size_t n = 0;
    bool in_schema = securable_parts(s->kind) == 3, below = securable_parts(s->kind) > 1;
    if (in_schema || s->kind > SEC_SCHEMA) out[n++] = (struct level){s->kind, s->id, s->full_name};
    if (below) {
        str name = s->kind == SEC_SCHEMA ? s->full_name
                                         : str_of(arena_printf(r->a, "%.*s.%.*s",
                                                               STR_ARG(s->catalog.name),
                                                               STR_ARG(s->schema.name)));
        out[n++] = (struct level){SEC_SCHEMA, s->schema.id, name};
    }
    if (below || s->kind == SEC_CATALOG)
        out[n++] = (struct level){SEC_CATALOG, s->catalog.id, s->catalog.name};
    out[n++] = (struct level){SEC_METASTORE, 0, str_of(uc_metastore(r))};
    return n;
}

static jmut *assignment_of(struct req *r, map *seen, jmut *arr, int64_t principal) {
    uint64_t key = (uint64_t)principal;
    jmut *list = map_get(seen, map_key_u64(&key));
    if (list) return list;
    jmut *o = json_add_obj(r->doc, arr);
    str name;
    err *e = uc_principal(r, principal, &name);
    if (e) {
        err_free(e);
        name = str_of(arena_printf(r->a, "%lld", (long long)principal));
    }
    json_put_str(r->doc, o, "principal", name);
    list = json_put_arr(r->doc, o, "privileges");
    map_put(seen, map_key_u64(&key), list);
    return list;
}

static err *effective(struct req *r, const struct caller *c, const struct securable *s,
                      int64_t only, map *seen) {
    struct level levels[4];
    size_t n_levels = levels_of(r, s, levels);
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "privilege_assignments");
    for (size_t k = 0; k < n_levels; k++) {
        struct policy_entry *p;
        size_t n;
        TRY(grants_entries(c, levels[k].kind, levels[k].id, &p, &n));
        for (size_t i = 0; i < n; i++) {
            uint64_t bits = p[i].right & (k ? securable_grantable(s->kind) : ~0ull);
            if ((only && p[i].principal != only) || !bits) continue;
            jmut *list = assignment_of(r, seen, arr, p[i].principal);
            for (int b = 0; b < PRIV_COUNT; b++) {
                if (!(bits & (1ull << b))) continue;
                jmut *o = json_add_obj(r->doc, list);
                json_put_z(r->doc, o, "privilege", priv_rows[b].name);
                if (!k) continue;
                json_put_z(r->doc, o, "inherited_from_type",
                           securable_type_name(levels[k].kind));
                json_put_str(r->doc, o, "inherited_from_name", levels[k].name);
            }
        }
    }
    return NULL;
}

err *api_unity_catalog_effective_grants(struct req *r) {
    struct caller c;
    struct securable s;
    int64_t only;
    TRY(open_securable(r, &c, &s));
    TRY(may_read(r, &c, &s, &only));
    map *seen = map_new();
    err *e = effective(r, &c, &s, only, seen);
    map_free(seen);
    return e;
}
