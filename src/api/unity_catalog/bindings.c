/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of workspace bindings. Whoever manages a securable reads and changes them, from any workspace of the account: so a
 * thing that was shut up in one can be let out of it.
 */
#include "catalog/bindings.h"

#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "rest/page.h"

static err *open_bindings(struct req *r, const char *type, const char *name, struct caller *c, struct securable *s, struct bindings *b) {
    int kind = type ? securable_kind_of(arg_str(r, type)) : (int)SEC_CATALOG;
    *c = uc_caller(r);
    c->any_workspace = true;
    if (kind < 0 || !bindings_on((enum securable_kind)kind))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not bound to workspaces; catalog, external_location, storage_credential and credential are.",
                       STR_ARG(str_cut(arg_str(r, type), 64)));
    TRY(securable_open(c, (enum securable_kind)kind, arg_str(r, name), PRIV_MANAGE, s));
    return bindings_read(c, s, b);
}

static err *put_all(struct req *r, const struct bindings *b, size_t from, size_t to) {
    jmut *list = json_put_arr(req_doc(r), req_out(r), "bindings");
    for (size_t i = from; i < to; i++) {
        jmut *o = json_add_obj(r->doc, list);
        json_put_int(r->doc, o, "workspace_id", b->p[i].workspace);
        json_put_z(r->doc, o, "binding_type", b->p[i].read_only ? "BINDING_TYPE_READ_ONLY" : "BINDING_TYPE_READ_WRITE");
    }
    return NULL;
}

err *api_unity_catalog_get_bindings(struct req *r) {
    struct caller c;
    struct securable s;
    struct bindings b;
    str key;
    int64_t after = 0;
    size_t want, from = 0;
    TRY(open_bindings(r, "securable_type", "securable_name", &c, &s, &b));
    str filter = str_of(arena_printf(r->a, "bindings %s %lld", securable_kind_names[s.kind], (long long)s.id));
    TRY(uc_page_size(r, BINDINGS_MAX, BINDINGS_MAX, &want));
    TRY(page_token_read(r, arg_str(r, "page_token"), filter, &key));
    if (key.n && str_to_i64(key, &after))
        while (from < b.n && b.p[from].workspace <= after) from++;
    size_t to = b.n - from > want ? from + want : b.n;
    TRY(put_all(r, &b, from, to));
    if (to < b.n)
        json_put_str(r->doc, r->out, "next_page_token", page_token_make(r, filter, str_of(arena_printf(r->a, "%lld", (long long)b.p[to - 1].workspace))));
    return NULL;
}

/* Of an element of add or remove; *typed: it says the type. */
static err *read_one(const struct securable *s, jval *v, struct binding *ret, bool *typed) {
    str type = json_get_str(v, "binding_type");
    *ret = (struct binding){.read_only = str_eqz(type, "BINDING_TYPE_READ_ONLY")};
    *typed = type.n > 0;
    (void)json_i64(json_get(v, "workspace_id"), &ret->workspace);
    if (ret->read_only && s->kind != SEC_CATALOG)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "BINDING_TYPE_READ_ONLY is for catalogs alone, and %s '%.*s' is none.", securable_title(s), STR_ARG(s->full_name));
    return NULL;
}

err *api_unity_catalog_update_bindings(struct req *r) {
    struct caller c;
    struct securable s;
    struct bindings b;
    struct binding one;
    bool typed;
    jval *v;
    size_t i, n;
    TRY(open_bindings(r, "securable_type", "securable_name", &c, &s, &b));
    yyjson_arr_foreach(arg(r, "remove"), i, n, v) {
        TRY(read_one(&s, v, &one, &typed));
        bindings_remove(&b, one, typed);
    }
    yyjson_arr_foreach(arg(r, "add"), i, n, v) {
        TRY(read_one(&s, v, &one, &typed));
        TRY(bindings_add(&c, &b, one));
    }
    TRY(bindings_save(&c, &s, &b));
    return put_all(r, &b, 0, b.n);
}

/* ---- the older form, of catalogs ---- */

static err *put_workspaces(struct req *r, const struct bindings *b) {
    jmut *list = json_put_arr(req_doc(r), req_out(r), "workspaces");
    for (size_t i = 0; i < b->n; i++) yyjson_mut_arr_add_sint(r->doc, list, b->p[i].workspace);
    return NULL;
}

err *api_unity_catalog_get_catalog_bindings(struct req *r) {
    struct caller c;
    struct securable s;
    struct bindings b;
    TRY(open_bindings(r, NULL, "name", &c, &s, &b));
    return put_workspaces(r, &b);
}

err *api_unity_catalog_update_catalog_bindings(struct req *r) {
    struct caller c;
    struct securable s;
    struct bindings b;
    struct binding one = {0};
    jval *v;
    size_t i, n;
    TRY(open_bindings(r, NULL, "name", &c, &s, &b));
    yyjson_arr_foreach(arg(r, "unassign_workspaces"), i, n, v)
        if (json_i64(v, &one.workspace)) bindings_remove(&b, one, false);
    yyjson_arr_foreach(arg(r, "assign_workspaces"), i, n, v)
        if (json_i64(v, &one.workspace)) TRY(bindings_add(&c, &b, one));
    TRY(bindings_save(&c, &s, &b));
    return put_workspaces(r, &b);
}

/* ---- in lists ---- */

err *uc_unbound(struct req *r, const struct caller *c, struct securable *s) {
    struct securable open = *s;
    if (s->chain[0].bound != POLICY_NOT_BOUND || !arg_bool(r, "include_unbound", false)) return NULL;
    open.chain[0].bound = POLICY_BOUND;
    if (securable_allows(c, &open, PRIV_MANAGE)) *s = open;
    return NULL;
}
