/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces of the account. The path's account id must be ours. */
#include "api/gen_routes.h"
#include "files/purge.h"
#include "identity/identity.h"
#include "statements/statements.h"

static err *check_account(struct req *r) {
    str id = arg_str(r, "account_id");
    if (!id.n || str_ieq(id, str_of(r->control->account_id))) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Account %.*s does not exist.",
                   STR_ARG(str_cut(id, 64)));
}

static void put(struct req *r, jmut *o, const struct ent_workspace *w) {
    json_put_int(r->doc, o, "workspace_id", w->id);
    json_put_str(r->doc, o, "workspace_name", arena_str(r->a, w->name));
    json_put_str(r->doc, o, "deployment_name", arena_str(r->a, w->deployment_name));
    json_put_str(r->doc, o, "workspace_status", arena_str(r->a, w->state));
    json_put_z(r->doc, o, "workspace_status_message", "Workspace is running.");
    json_put_z(r->doc, o, "account_id", r->control->account_id);
    json_put_int(r->doc, o, "creation_time", w->created_at / 1000);
    json_put_z(r->doc, o, "aws_region", "local");
    json_put_z(r->doc, o, "pricing_tier", "ENTERPRISE");
}

/* On the loop: the new workspace's first warehouse can be used. */
static void add_warehouse(struct req *r) { warehouse_change_apply(r->control, r->state); }

struct removed {
    int64_t workspace;
    struct purge_note *files;
};

static void on_removed(struct req *r) {
    const struct removed *x = r->state;
    warehouse_forget_workspace(r->control, x->workspace);
    purge_noted(r->control, x->files);
}

static err *starter(struct req *r, const struct ent_workspace *w) {
    if (!r->control->statements) return NULL;
    struct warehouse_change *ch = arena_new_of(r->a, struct warehouse_change);
    struct store_scope scope = {IDENTITY_ACCOUNT, w->id};
    TRY(warehouse_make_starter(r->tx, scope, r->a, r->principal, r->principal_name, ch));
    r->state = ch;
    r->after = add_warehouse;
    return NULL;
}

err *api_identity_ws_create(struct req *r) {
    TRY(check_account(r));
    struct ent_workspace w;
    TRY(identity_workspace_create(r->tx, r->a, arg_str(r, "workspace_name"),
                                  arg_str(r, "deployment_name"), arg_bool(r, "ephemeral", false),
                                  r->principal, &w));
    store_tx_securable(r->tx, "workspace", w.id, w.name);
    uint64_t key = (uint64_t)w.id;
    req_fact(r, FACT_WORKSPACE, false, false, map_key_u64(&key), identity_workspace_fact(r->a, &w), -1);
    TRY(identity_publish(r, r->principal, false));
    TRY(starter(r, &w));
    put(r, req_out(r), &w);
    return NULL;
}

err *api_identity_ws_list(struct req *r) {
    TRY(check_account(r));
    struct ent_list_query q = {0};
    struct ent_workspace_rows rows;
    req_out(r);
    jmut *list = yyjson_mut_arr(r->doc);
    do {
        TRY(ent_workspace_list(r->tx, identity_account(), r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) put(r, json_add_obj(r->doc, list), &rows.p[i]);
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    req_set_out(r, list);
    return NULL;
}

static err *find(struct req *r, struct ent_workspace *ret) {
    TRY(check_account(r));
    int64_t id;
    TRY(arg_id(r, "workspace_id", "Workspace", &id));
    bool found;
    TRY(ent_workspace_get(r->tx, identity_account(), r->a, id, ret, &found));
    if (found) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Workspace %lld does not exist.", (long long)id);
}

err *api_identity_ws_get(struct req *r) {
    struct ent_workspace w;
    TRY(find(r, &w));
    put(r, req_out(r), &w);
    return NULL;
}

/* Tokens of the workspace die with it. */
static err *drop_tokens(struct req *r, int64_t workspace) {
    struct ent_list_query q = {.limit = 1000};
    struct store_scope scope = {IDENTITY_ACCOUNT, workspace};
    struct ent_token_rows rows;
    do {
        TRY(ent_token_list(r->tx, scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            req_fact(r, FACT_TOKEN, true, true, rows.p[i].hash, STR(""), -1);
        q.after = true;
        if (rows.n) q.after_i = q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    return NULL;
}

err *api_identity_ws_delete(struct req *r) {
    struct ent_workspace w;
    TRY(find(r, &w));
    if (w.id == r->control->default_workspace)
        return err_new(ERR_INVALID_STATE, "Workspace %lld is the default one and stays.",
                       (long long)w.id);
    TRY(drop_tokens(r, w.id));
    struct removed *gone = arena_new_of(r->a, struct removed);
    gone->workspace = w.id;
    TRY(purge_note(r, w.id, &gone->files));
    bool more = true;
    while (more)
        TRY(ent_delete_scope(r->tx, (struct store_scope){IDENTITY_ACCOUNT, w.id}, 10000, &more));
    TRY(ent_workspace_delete(r->tx, identity_account(), w.id));
    store_tx_securable(r->tx, "workspace", w.id, w.name);
    uint64_t key = (uint64_t)w.id;
    req_fact(r, FACT_WORKSPACE, true, true, map_key_u64(&key), STR(""), -1);
    r->state = gone;
    r->after = on_removed;
    req_out(r);
    return NULL;
}
