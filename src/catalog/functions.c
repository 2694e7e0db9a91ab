/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/functions.h"

#include "catalog/grants.h"
#include "catalog/name.h"

static err *taken(const struct securable *schema, const char *what, str name) {
    return err_new(ERR_RESOURCE_ALREADY_EXISTS, "%s '%.*s.%.*s' already exists.", what,
                   STR_ARG(schema->full_name), STR_ARG(name));
}

static void fill(struct ent_uc_function *row, const struct functions_spec *spec) {
    row->language = spec->language;
    row->params = spec->params.n ? spec->params : STR("[]");
    row->returns = spec->returns.n ? spec->returns : STR("{}");
    row->is_table = spec->is_table;
    row->deterministic = spec->deterministic;
    row->body = spec->body;
    row->comment = spec->comment;
}

err *functions_create(const struct caller *c, const struct securable *schema,
                      const struct functions_spec *spec, bool replace, struct securable *ret) {
    struct store_scope scope = metastore_scope(c);
    struct ent_uc_function row;
    struct ent_uc_model model;
    bool found;
    TRY(name_check_part(spec->name, "function"));
    TRY(ent_uc_model_by_name(c->tx, scope, c->a, schema->id, spec->name, &model, &found));
    if (found) return taken(schema, "Registered model", model.name);
    TRY(ent_uc_function_by_name(c->tx, scope, c->a, schema->id, spec->name, &row, &found));
    if (found && !replace) return taken(schema, "Function", row.name);
    if (found) {
        TRY(securable_of_function(c, schema, &row, ret));
        TRY(securable_need(c, ret, PRIV_MANAGE));
        TRY(securable_need_owner(c, ret));
        fill(&ret->function, spec);
        return functions_save(c, ret);
    }
    row = (struct ent_uc_function){.schema_id = schema->id,
                                   .name = spec->name,
                                   .properties = STR("{}"),
                                   .owner_id = c->who->id};
    fill(&row, spec);
    TRY(ent_uc_function_insert(c->tx, scope, &row));
    TRY(securable_of_function(c, schema, &row, ret));
    store_tx_securable(c->tx, "function", row.id, ret->full_name);
    return NULL;
}

err *functions_save(const struct caller *c, struct securable *f) {
    must(f->kind == SEC_FUNCTION);
    TRY(ent_uc_function_update(c->tx, metastore_scope(c), &f->function));
    store_tx_securable(c->tx, "function", f->id, f->full_name);
    return NULL;
}

err *functions_delete(const struct caller *c, const struct securable *f) {
    TRY(grants_drop(c, SEC_FUNCTION, f->id));
    store_tx_securable(c->tx, "function", f->id, f->full_name);
    return ent_uc_function_delete(c->tx, metastore_scope(c), f->id);
}
