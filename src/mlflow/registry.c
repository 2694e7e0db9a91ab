/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/registry.h"

#include <stdio.h>

#include "base/time.h"

#define TYPE PERM_REGISTERED_MODELS

static err *model_missing(str name) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Registered Model with name=%.*s not found",
                   STR_ARG(str_cut(name, 300)));
}

err *registry_load(struct req *r, struct reg_model *m) {
    TRY(kv_read(r->a, m->row.tags, &m->tags));
    return aliases_of(r->tx, r->scope, r->a, m->row.id, &m->aliases);
}

err *registry_load_version(struct req *r, struct reg_version *v) {
    return kv_read(r->a, v->row.tags, &v->tags);
}

/* Rights are today's, also on a model of the past. */
static err *chain_of(struct req *r, struct reg_model *m) {
    store_tx *today = store_tx_today(r->tx);
    int64_t owner = m->row.owner_id;
    struct ent_registered_model now;
    bool found = false;
    if (today != r->tx)
        TRY(ent_registered_model_get(today, r->scope, r->a, m->row.id, &now, &found));
    if (found) owner = now.owner_id;
    const char *what = arena_printf(r->a, "registered model '%.*s'", STR_ARG(m->row.name));
    return object_acl_chain(today, r->scope, r->a, TYPE, m->row.id, owner, what, &m->chain);
}

err *registry_open(struct req *r, str name, uint64_t level, struct reg_model *ret) {
    bool found;
    TRY(registry_check_name(name, "name"));
    TRY(ent_registered_model_by_name(r->tx, r->scope, r->a, name, &ret->row, &found));
    if (!found) return model_missing(name);
    TRY(chain_of(r, ret));
    TRY(object_acl_need(r, &ret->chain, level,
                        arena_printf(r->a, "Registered Model with name=%.*s not found",
                                     STR_ARG(name))));
    return registry_load(r, ret);
}

err *registry_create(struct req *r, str name, str description, const struct kv *tags,
                     struct reg_model *ret) {
    struct ent_registered_model other;
    bool found;
    TRY(registry_check_name(name, "name"));
    TRY(registry_check_tags(tags));
    TRY(registry_check_text(description, "description", REGISTRY_MAX_DESCRIPTION));
    TRY(ent_registered_model_by_name(r->tx, r->scope, r->a, name, &other, &found));
    if (found)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Registered Model (name=%.*s) already exists.",
                       STR_ARG(name));
    *ret = (struct reg_model){.tags = *tags};
    ret->row = (struct ent_registered_model){.name = name,
                                             .description = description,
                                             .owner_id = r->principal,
                                             .user_id = r->principal_name};
    TRY(kv_text(r->a, tags, "tags", &ret->row.tags));
    TRY(ent_registered_model_insert(r->tx, r->scope, &ret->row));
    store_tx_securable(r->tx, "registered-models", ret->row.id, name);
    return NULL;
}

err *registry_save(struct req *r, struct reg_model *m) {
    TRY(registry_check_text(m->row.description, "description", REGISTRY_MAX_DESCRIPTION));
    TRY(kv_text(r->a, &m->tags, "tags", &m->row.tags));
    TRY(ent_registered_model_update(r->tx, r->scope, &m->row));
    store_tx_securable(r->tx, "registered-models", m->row.id, m->row.name);
    return NULL;
}

err *registry_rename(struct req *r, struct reg_model *m, str new_name) {
    struct ent_registered_model other;
    bool found;
    TRY(registry_check_name(new_name, "new_name"));
    TRY(ent_registered_model_by_name(r->tx, r->scope, r->a, new_name, &other, &found));
    if (found && other.id != m->row.id)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Registered Model (name=%.*s) already exists.",
                       STR_ARG(new_name));
    m->row.name = new_name;
    return registry_save(r, m);
}

err *registry_delete(struct req *r, struct reg_model *m) {
    struct ent_list_query q = {.eq = {{.column = ENT_MODEL_VERSION_MODEL_ID, .i = m->row.id}}};
    struct ent_model_version_rows rows = {.more = true};
    while (rows.more) {
        TRY(ent_model_version_list(r->tx, r->scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++)
            TRY(ent_model_version_delete(r->tx, r->scope, rows.p[i].id));
    }
    TRY(aliases_drop(r->tx, r->scope, r->a, m->row.id, 0));
    TRY(object_acl_drop(r->tx, r->scope, r->a, TYPE, m->row.id));
    TRY(ent_registered_model_delete(r->tx, r->scope, m->row.id));
    store_tx_securable(r->tx, "registered-models", m->row.id, m->row.name);
    return NULL;
}

/* ---- versions ---- */

static err *version_missing(str name, str version) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Model Version (name=%.*s, version=%.*s) not found",
                   STR_ARG(name), STR_ARG(str_cut(version, 40)));
}

err *registry_version(struct req *r, const struct reg_model *m, str version,
                      struct reg_version *ret) {
    int64_t number;
    bool found;
    TRY(registry_check_version(version, &number));
    TRY(ent_model_version_by_version(r->tx, r->scope, r->a, m->row.id, number, &ret->row, &found));
    if (!found) return version_missing(m->row.name, version);
    return registry_load_version(r, ret);
}

err *registry_version_create(struct req *r, struct reg_model *m,
                             const struct reg_version_spec *spec, struct reg_version *ret) {
    TRY(registry_check_tags(&spec->tags));
    TRY(registry_check_text(spec->description, "description", REGISTRY_MAX_DESCRIPTION));
    TRY(registry_check_text(spec->source, "source", REGISTRY_MAX_SOURCE));
    TRY(registry_check_text(spec->run_link, "run_link", REGISTRY_MAX_SOURCE));
    TRY(registry_check_text(spec->run_id, "run_id", 64));
    *ret = (struct reg_version){.tags = spec->tags};
    ret->row = (struct ent_model_version){.model_id = m->row.id,
                                          .version = ++m->row.last_version,
                                          .source = spec->source,
                                          .run_id = spec->run_id,
                                          .run_link = spec->run_link,
                                          .logged_model_id = spec->logged_model,
                                          .stage = str_of(registry_stage_names[STAGE_NONE]),
                                          .status = STR("READY"),
                                          .description = spec->description,
                                          .user_id = r->principal_name,
                                          .storage_location = spec->storage};
    TRY(kv_text(r->a, &spec->tags, "tags", &ret->row.tags));
    TRY(ent_model_version_insert(r->tx, r->scope, &ret->row));
    return registry_save(r, m);
}

err *registry_version_save(struct req *r, struct reg_version *v) {
    TRY(registry_check_text(v->row.description, "description", REGISTRY_MAX_DESCRIPTION));
    TRY(kv_text(r->a, &v->tags, "tags", &v->row.tags));
    return ent_model_version_update(r->tx, r->scope, &v->row);
}

err *registry_version_delete(struct req *r, struct reg_model *m, struct reg_version *v) {
    TRY(aliases_drop(r->tx, r->scope, r->a, m->row.id, v->row.version));
    TRY(ent_model_version_delete(r->tx, r->scope, v->row.id));
    return registry_save(r, m);
}

err *registry_latest(struct req *r, int64_t model, enum registry_stage stage,
                     struct reg_version *ret, bool *found) {
    struct ent_list_query q = {
        .eq = {{.column = ENT_MODEL_VERSION_MODEL_ID, .i = model},
               {.column = ENT_MODEL_VERSION_STAGE, .s = str_of(registry_stage_names[stage])}},
        .order = ENT_MODEL_VERSION_VERSION,
        .descending = true,
        .limit = 1};
    struct ent_model_version_rows rows;
    TRY(ent_model_version_list(r->tx, r->scope, r->a, &q, &rows));
    *found = rows.n > 0;
    if (!rows.n) return NULL;
    ret->row = rows.p[0];
    return registry_load_version(r, ret);
}

err *registry_transition(struct req *r, struct reg_model *m, struct reg_version *v,
                         enum registry_stage to, bool archive) {
    enum registry_stage from;
    TRY(registry_stage_of(v->row.stage, &from));
    bool production = to == STAGE_PRODUCTION || from == STAGE_PRODUCTION;
    TRY(req_need_level(r, TYPE,
                       production ? REGISTERED_MODELS_CAN_MANAGE_PRODUCTION_VERSIONS
                                  : REGISTERED_MODELS_CAN_MANAGE_STAGING_VERSIONS,
                       m->chain.node, m->chain.n));
    if (archive && to != STAGE_STAGING && to != STAGE_PRODUCTION)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Model version transition cannot archive existing model versions because "
                       "'%s' is not an Active stage. Valid stages are ['Staging', 'Production']",
                       registry_stage_names[to]);
    struct ent_list_query q = {
        .eq = {{.column = ENT_MODEL_VERSION_MODEL_ID, .i = m->row.id},
               {.column = ENT_MODEL_VERSION_STAGE, .s = str_of(registry_stage_names[to])}}};
    struct ent_model_version_rows rows = {0};
    if (archive) TRY(ent_model_version_list(r->tx, r->scope, r->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.p[i].id == v->row.id) continue;
        rows.p[i].stage = str_of(registry_stage_names[STAGE_ARCHIVED]);
        TRY(ent_model_version_update(r->tx, r->scope, &rows.p[i]));
    }
    v->row.stage = str_of(registry_stage_names[to]);
    TRY(registry_version_save(r, v));
    return registry_save(r, m);
}

err *registry_by_alias(struct req *r, const struct reg_model *m, str alias,
                       struct reg_version *ret) {
    TRY(registry_check_alias(alias, false));
    int64_t number = 0;
    if (str_ieq(alias, STR("latest"))) {
        struct ent_list_query q = {.eq = {{.column = ENT_MODEL_VERSION_MODEL_ID, .i = m->row.id}},
                                   .order = ENT_MODEL_VERSION_VERSION,
                                   .descending = true,
                                   .limit = 1};
        struct ent_model_version_rows rows;
        TRY(ent_model_version_list(r->tx, r->scope, r->a, &q, &rows));
        if (!rows.n)
            return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Latest version not found for model %.*s.",
                           STR_ARG(m->row.name));
        ret->row = rows.p[0];
        return registry_load_version(r, ret);
    }
    TRY(aliases_find(r->tx, r->scope, r->a, m->row.id, alias, &number));
    if (!number)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Registered model alias %.*s not found.",
                       STR_ARG(alias));
    return registry_version(r, m, str_of(arena_printf(r->a, "%lld", (long long)number)), ret);
}

/* ---- answers ---- */

static void put_text(jdoc *d, jmut *o, const char *key, str v) {
    if (v.n) json_put_str(d, o, key, v);
}

static str digits(struct req *r, int64_t n) {
    return str_of(arena_printf(r->a, "%lld", (long long)n));
}

void registry_put_version(struct req *r, jmut *o, const struct reg_model *m,
                          const struct reg_version *v) {
    jdoc *d = r->doc;
    const struct ent_model_version *row = &v->row;
    json_put_str(d, o, "name", m->row.name);
    json_put_str(d, o, "version", digits(r, row->version));
    json_put_int(d, o, "creation_timestamp", row->created_at / US_PER_MS);
    json_put_int(d, o, "last_updated_timestamp", row->updated_at / US_PER_MS);
    put_text(d, o, "user_id", row->user_id);
    json_put_str(d, o, "current_stage", row->stage);
    json_put_str(d, o, "description", row->description);
    json_put_str(d, o, "source", row->source);
    json_put_str(d, o, "run_id", row->run_id);
    json_put_str(d, o, "run_link", row->run_link);
    json_put_str(d, o, "status", row->status);
    put_text(d, o, "status_message", row->status_message);
    put_text(d, o, "model_id", row->logged_model_id);
    kv_put_list(d, o, "tags", &v->tags);
    jmut *arr = json_put_arr(d, o, "aliases");
    for (size_t i = 0; i < m->aliases.n; i++)
        if (m->aliases.p[i].version == row->version) json_add_str(d, arr, m->aliases.p[i].alias);
}

err *registry_put_model(struct req *r, jmut *o, const struct reg_model *m, bool with_latest) {
    jdoc *d = r->doc;
    json_put_str(d, o, "name", m->row.name);
    json_put_int(d, o, "creation_timestamp", m->row.created_at / US_PER_MS);
    json_put_int(d, o, "last_updated_timestamp", m->row.updated_at / US_PER_MS);
    put_text(d, o, "user_id", m->row.user_id);
    json_put_str(d, o, "description", m->row.description);
    kv_put_list(d, o, "tags", &m->tags);
    jmut *arr = json_put_arr(d, o, "aliases");
    for (size_t i = 0; i < m->aliases.n; i++) {
        jmut *alias = json_add_obj(d, arr);
        json_put_str(d, alias, "alias", m->aliases.p[i].alias);
        json_put_str(d, alias, "version", digits(r, m->aliases.p[i].version));
    }
    if (!with_latest) return NULL;
    arr = json_put_arr(d, o, "latest_versions");
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        struct reg_version v;
        bool found;
        TRY(registry_latest(r, m->row.id, (enum registry_stage)stage, &v, &found));
        if (found) registry_put_version(r, json_add_obj(d, arr), m, &v);
    }
    return NULL;
}
