/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of registered models: find, decide, do, answer. */
#include "api/gen_routes.h"
#include "base/time.h"
#include "mlflow/registry.h"

static err *open_model(struct req *r, uint64_t level, struct reg_model *ret) {
    return registry_open(r, arg_str(r, "name"), level, ret);
}

static err *answer(struct req *r, struct reg_model *m) {
    return registry_put_model(r, json_put_obj(req_doc(r), req_out(r), "registered_model"), m, true);
}

err *api_registry_create_model(struct req *r) {
    struct kv tags;
    struct reg_model m;
    TRY(kv_from_list(r->a, arg(r, "tags"), "tags", &tags));
    TRY(registry_create(r, arg_str(r, "name"), arg_str(r, "description"), &tags, &m));
    return registry_put_model(r, json_put_obj(req_doc(r), req_out(r), "registered_model"), &m, false);
}

err *api_registry_get_model(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_READ, &m));
    return answer(r, &m);
}

err *api_registry_databricks_get_model(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_READ, &m));
    jmut *o = json_put_obj(req_doc(r), req_out(r), "registered_model_databricks");
    json_put_str(r->doc, o, "id", str_of(arena_printf(r->a, "%lld", (long long)m.row.id)));
    uint64_t level = object_acl_highest(r, &m.chain);
    json_put_z(r->doc, o, "permission_level",
               perm_rows[PERM_REGISTERED_MODELS].levels[level - 1]);
    return registry_put_model(r, o, &m, true);
}

err *api_registry_update_model(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_EDIT, &m));
    if (arg_has(r, "description")) m.row.description = arg_str(r, "description");
    TRY(registry_save(r, &m));
    return answer(r, &m);
}

err *api_registry_rename_model(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_MANAGE, &m));
    TRY(registry_rename(r, &m, arg_str(r, "new_name")));
    return answer(r, &m);
}

err *api_registry_delete_model(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_MANAGE, &m));
    return registry_delete(r, &m);
}

err *api_registry_search_models(struct req *r) { return registry_search_models(r); }
err *api_registry_list_models(struct req *r) { return registry_search_models(r); }

err *api_registry_latest_versions(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_READ, &m));
    jval *list = arg(r, "stages"), *e;
    size_t i, n;
    bool wanted[STAGE_COUNT] = {0}, some = false;
    yyjson_arr_foreach(list, i, n, e) {
        enum registry_stage stage;
        TRY(registry_stage_of(json_str(e), &stage));
        wanted[stage] = some = true;
    }
    jmut *arr = json_put_arr(req_doc(r), req_out(r), "model_versions");
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        struct reg_version v;
        bool found;
        if (some && !wanted[stage]) continue;
        TRY(registry_latest(r, m.row.id, (enum registry_stage)stage, &v, &found));
        if (found) registry_put_version(r, json_add_obj(r->doc, arr), &m, &v);
    }
    return NULL;
}

err *api_registry_set_model_tag(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_EDIT, &m));
    TRY(registry_check_tag(arg_str(r, "key"), arg_str(r, "value")));
    kv_set(r->a, &m.tags, arg_str(r, "key"), arg_str(r, "value"));
    return registry_save(r, &m);
}

err *api_registry_delete_model_tag(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_EDIT, &m));
    TRY(registry_check_tag(arg_str(r, "key"), STR("")));
    return kv_del(&m.tags, arg_str(r, "key")) ? registry_save(r, &m) : NULL;
}

err *api_registry_set_alias(struct req *r) {
    struct reg_model m;
    struct reg_version v;
    TRY(open_model(r, REGISTERED_MODELS_CAN_EDIT, &m));
    TRY(registry_check_alias(arg_str(r, "alias"), true));
    TRY(registry_version(r, &m, arg_str(r, "version"), &v));
    return aliases_set(r->tx, r->scope, r->a, m.row.id, arg_str(r, "alias"), v.row.version);
}

err *api_registry_get_alias(struct req *r) {
    struct reg_model m;
    struct reg_version v;
    TRY(open_model(r, REGISTERED_MODELS_CAN_READ, &m));
    TRY(registry_by_alias(r, &m, arg_str(r, "alias"), &v));
    registry_put_version(r, json_put_obj(req_doc(r), req_out(r), "model_version"), &m, &v);
    return NULL;
}

err *api_registry_delete_alias(struct req *r) {
    struct reg_model m;
    TRY(open_model(r, REGISTERED_MODELS_CAN_EDIT, &m));
    TRY(registry_check_alias(arg_str(r, "alias"), false));
    return aliases_delete(r->tx, r->scope, r->a, m.row.id, arg_str(r, "alias"));
}
