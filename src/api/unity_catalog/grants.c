/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of grants. Reading the grants of a securable takes MANAGE on it; whoever may see it may
 * read his own (principal = himself or one of his groups). Changing takes MANAGE, which owners and
 * metastore admins have. The owner is not in the lists: ownership is no grant.
 */
#include "catalog/grants.h"

#include <stdlib.h>

#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "rest/page.h"

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

/* One page of a list by principals, by their ids: a page ends when it is full. */
struct page {
    size_t want, n;
    int64_t after, last;
    bool more;
    str filter;
};

static err *begin_page(struct req *r, const struct securable *s, struct page *ret) {
    const char *size = arg_has(r, "page_size") ? "page_size" : "max_results";
    int64_t n = arg_i64(r, size, 0);
    str key;
    *ret = (struct page){.want = n > 0 && n < 1000 ? (size_t)n : 1000};
    if (n < 0) return err_new(ERR_INVALID_PARAMETER_VALUE, "%s must not be negative, as %lld is.", size, (long long)n);
    ret->filter = str_of(arena_printf(r->a, "%s %s %lld %.*s", r->row->name, securable_kind_names[s->kind], (long long)s->id, STR_ARG(arg_str(r, "principal"))));
    TRY(page_token_read(r, arg_str(r, "page_token"), ret->filter, &key));
    if (key.n && !str_to_i64(key, &ret->after)) ret->after = 0;
    return NULL;
}

static void end_page(struct req *r, const struct page *p) {
    if (p->more) json_put_str(r->doc, r->out, "next_page_token", page_token_make(r, p->filter, str_of(arena_printf(r->a, "%lld", (long long)p->last))));
}

static int by_id(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Those of ids that belong on the page, in order; each once. */
static size_t page_of(struct page *p, int64_t *ids, size_t n) {
    size_t kept = 0;
    qsort(ids, n, sizeof(*ids), by_id);
    for (size_t i = 0; i < n && !p->more; i++) {
        if (ids[i] <= p->after || (kept && ids[kept - 1] == ids[i])) continue;
        p->more = kept == p->want;
        if (!p->more) p->last = ids[kept++] = ids[i];
    }
    return kept;
}

static err *answer(struct req *r, const struct caller *c, const struct securable *s, int64_t only) {
    struct policy_entry *p;
    struct page page;
    size_t n, n_ids = 0;
    TRY(begin_page(r, s, &page));
    TRY(grants_entries(c, s->kind, s->id, &p, &n));
    int64_t *ids = arena_array_of(r->a, int64_t, n + 1);
    for (size_t i = 0; i < n; i++)
        if (!only || p[i].principal == only) ids[n_ids++] = p[i].principal;
    n_ids = page_of(&page, ids, n_ids);
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "privilege_assignments");
    for (size_t i = 0; i < n; i++) {
        bool here = false;
        for (size_t k = 0; k < n_ids && !here; k++) here = ids[k] == p[i].principal;
        if (!here) continue;
        str name;
        TRY(uc_principal(r, p[i].principal, &name));
        jmut *o = json_add_obj(r->doc, arr);
        json_put_str(r->doc, o, "principal", name);
        put_privileges(r, o, p[i].right);
    }
    end_page(r, &page);
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
err *api_unity_catalog_list_grants(struct req *r) { return api_unity_catalog_get_grants(r); }

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
        TRY(grants_need(&c, &s, add));
        TRY(grants_change(&c, s.kind, s.id, principal, add, remove));
    }
    store_tx_securable(r->tx, securable_kind_names[s.kind], s.id, s.full_name);
    if (arg_bool(r, "omit_permissions_in_response", false)) {
        (void)req_out(r);
        return NULL;
    }
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

/* The grants of all levels that count for s, and whose they are. */
struct effective {
    struct level levels[4];
    struct policy_entry *p[4];
    size_t n[4], n_levels, total;
};

static err *read_levels(struct req *r, const struct caller *c, const struct securable *s, struct effective *x) {
    *x = (struct effective){0};
    x->n_levels = levels_of(r, s, x->levels);
    for (size_t k = 0; k < x->n_levels; k++) {
        TRY(grants_entries(c, x->levels[k].kind, x->levels[k].id, &x->p[k], &x->n[k]));
        for (size_t i = 0; i < x->n[k]; i++) x->p[k][i].right &= k ? securable_grantable(s->kind) : ~0ull;
        x->total += x->n[k];
    }
    return NULL;
}

static void put_effective(struct req *r, jmut *list, uint64_t bits, const struct level *from) {
    for (int b = 0; b < PRIV_COUNT; b++) {
        if (!(bits & (1ull << b))) continue;
        jmut *o = json_add_obj(r->doc, list);
        json_put_z(r->doc, o, "privilege", priv_rows[b].name);
        if (!from) continue;
        json_put_z(r->doc, o, "inherited_from_type", securable_type_name(from->kind));
        json_put_str(r->doc, o, "inherited_from_name", from->name);
    }
}

static err *effective(struct req *r, const struct caller *c, const struct securable *s, int64_t only, const char *key) {
    struct effective x;
    struct page page;
    size_t n_ids = 0;
    TRY(begin_page(r, s, &page));
    TRY(read_levels(r, c, s, &x));
    int64_t *ids = arena_array_of(r->a, int64_t, x.total + 1);
    for (size_t k = 0; k < x.n_levels; k++)
        for (size_t i = 0; i < x.n[k]; i++)
            if (x.p[k][i].right && (!only || x.p[k][i].principal == only)) ids[n_ids++] = x.p[k][i].principal;
    n_ids = page_of(&page, ids, n_ids);
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, key);
    for (size_t at = 0; at < n_ids; at++) {
        str name;
        TRY(uc_principal(r, ids[at], &name));
        jmut *o = json_add_obj(r->doc, arr);
        json_put_str(r->doc, o, "principal", name);
        jmut *list = json_put_arr(r->doc, o, "privileges");
        for (size_t k = 0; k < x.n_levels; k++)
            for (size_t i = 0; i < x.n[k]; i++)
                if (x.p[k][i].principal == ids[at]) put_effective(r, list, x.p[k][i].right, k ? &x.levels[k] : NULL);
    }
    end_page(r, &page);
    return NULL;
}

static err *answer_effective(struct req *r, const char *key) {
    struct caller c;
    struct securable s;
    int64_t only;
    TRY(open_securable(r, &c, &s));
    TRY(may_read(r, &c, &s, &only));
    return effective(r, &c, &s, only, key);
}
err *api_unity_catalog_effective_grants(struct req *r) { return answer_effective(r, "privilege_assignments"); }
err *api_unity_catalog_list_effective_grants(struct req *r) { return answer_effective(r, "effective_privilege_assignments"); }
