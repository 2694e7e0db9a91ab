/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/aliases.h"

err *aliases_of(store_tx *tx, struct store_scope scope, arena *a, int64_t model,
                struct ent_model_alias_rows *ret) {
    struct ent_list_query q = {.eq = {{.column = ENT_MODEL_ALIAS_MODEL_ID, .i = model}},
                               .order = ENT_MODEL_ALIAS_ALIAS,
                               .limit = ALIASES_MAX_PER_MODEL};
    return ent_model_alias_list(tx, scope, a, &q, ret);
}

err *aliases_find(store_tx *tx, struct store_scope scope, arena *a, int64_t model, str alias,
                  int64_t *ret_version) {
    struct ent_model_alias row;
    bool found;
    TRY(ent_model_alias_by_alias(tx, scope, a, model, alias, &row, &found));
    *ret_version = found ? row.version : 0;
    return NULL;
}

err *aliases_set(store_tx *tx, struct store_scope scope, arena *a, int64_t model, str alias,
                 int64_t version) {
    struct ent_model_alias row;
    bool found;
    TRY(ent_model_alias_by_alias(tx, scope, a, model, alias, &row, &found));
    if (found) {
        row.version = version;
        return ent_model_alias_update(tx, scope, &row);
    }
    struct ent_model_alias_rows all;
    TRY(aliases_of(tx, scope, a, model, &all));
    if (all.n >= ALIASES_MAX_PER_MODEL)
        return err_new(ERR_RESOURCE_EXHAUSTED, "A registered model has at most %d aliases.",
                       ALIASES_MAX_PER_MODEL);
    row = (struct ent_model_alias){.model_id = model, .alias = alias, .version = version};
    return ent_model_alias_insert(tx, scope, &row);
}

err *aliases_delete(store_tx *tx, struct store_scope scope, arena *a, int64_t model, str alias) {
    struct ent_model_alias row;
    bool found;
    TRY(ent_model_alias_by_alias(tx, scope, a, model, alias, &row, &found));
    return found ? ent_model_alias_delete(tx, scope, row.id) : NULL;
}

err *aliases_drop(store_tx *tx, struct store_scope scope, arena *a, int64_t model,
                  int64_t version) {
    struct ent_model_alias_rows all;
    TRY(aliases_of(tx, scope, a, model, &all));
    for (size_t i = 0; i < all.n; i++)
        if (!version || all.p[i].version == version)
            TRY(ent_model_alias_delete(tx, scope, all.p[i].id));
    return NULL;
}
