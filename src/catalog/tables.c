/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/tables.h"

#include "catalog/grants.h"
#include "catalog/locations.h"
#include "catalog/managed.h"
#include "catalog/name.h"
#include "sys/rand.h"

#define MAX_COMMENT 65535u

static err *check_free(const struct caller *c, const struct securable *schema, str name,
                       int64_t but) {
    struct ent_uc_table row;
    bool found;
    TRY(ent_uc_table_by_name(c->tx, metastore_scope(c), c->a, schema->id, name, &row, &found));
    if (!found || row.id == but) return NULL;
    return err_new(ERR_RESOURCE_ALREADY_EXISTS, "%s '%.*s.%.*s' already exists.",
                   table_is_view(&row) ? "View" : "Table", STR_ARG(schema->full_name),
                   STR_ARG(row.name));
}

static void note(const struct caller *c, const struct securable *t) {
    store_tx_securable(c->tx, "table", t->id, t->full_name);
}

err *tables_create(const struct caller *c, const struct securable *schema,
                   const struct tables_spec *spec, struct securable *ret) {
    TRY(name_check_part(spec->name, "table"));
    TRY(check_free(c, schema, spec->name, 0));
    if (spec->comment.n > MAX_COMMENT)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A comment may have %u bytes, not %zu.",
                       MAX_COMMENT, spec->comment.n);
    struct ent_uc_table row = {.schema_id = schema->id,
                               .name = spec->name,
                               .table_type = spec->type,
                               .format = spec->format,
                               .location = spec->location,
                               .uuid = spec->uuid,
                               .columns = spec->columns.n ? spec->columns : STR("[]"),
                               .constraints = spec->constraints.n ? spec->constraints : STR("[]"),
                               .tags = STR("{}"),
                               .comment = spec->comment,
                               .owner_id = c->who->id,
                               .row_filter = spec->row_filter,
                               .clone_sources = spec->clone_sources,
                               .view_text = spec->view_text,
                               .view_catalog = spec->view_catalog,
                               .view_schema = spec->view_schema};
    if (!row.uuid.n) {
        char uuid[37];
        rand_uuid(uuid);
        row.uuid = arena_str(c->a, str_of(uuid));
    }
    TRY(kv_text(c->a, &spec->properties, "properties", &row.properties));
    TRY(ent_uc_table_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_table(c, schema, &row, ret));
    note(c, ret);
    return NULL;
}

err *tables_save(const struct caller *c, struct securable *t) {
    must(t->kind == SEC_TABLE);
    TRY(ent_uc_table_update(c->tx, metastore_scope(c), &t->table));
    note(c, t);
    return NULL;
}

err *tables_rename(const struct caller *c, struct securable *t, const struct securable *schema,
                   str new_name) {
    struct securable same;
    TRY(name_check_part(new_name, "table"));
    if (!schema) {
        TRY(securable_up(c, t, SEC_SCHEMA, &same));
        schema = &same;
    }
    if (schema->catalog.id != t->catalog.id)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'%.*s' cannot move to catalog '%.*s': a table stays in its catalog.",
                       STR_ARG(t->full_name), STR_ARG(schema->catalog.name));
    TRY(check_free(c, schema, new_name, t->id));
    struct ent_uc_table row = t->table;
    row.schema_id = schema->id;
    row.name = new_name;
    TRY(ent_uc_table_update(c->tx, metastore_scope(c), &row));
    TRY(securable_of_table(c, schema, &row, t));
    note(c, t);
    return NULL;
}

/* ---- dropping and coming back ---- */

/* A dropped table belongs to the schema with the negative id, under a name that nobody can give. */
err *tables_drop(const struct caller *c, const struct securable *t, bool forever) {
    must(t->kind == SEC_TABLE);
    struct ent_uc_table row = t->table;
    note(c, t);
    if (forever || table_is_view(&row)) {
        TRY(grants_drop(c, SEC_TABLE, t->id));
        return ent_uc_table_delete(c->tx, metastore_scope(c), t->id);
    }
    row.schema_id = -t->schema.id;
    row.dropped_name = row.name;
    row.dropped_at = store_tx_time(c->tx);
    row.name = str_of(arena_printf(c->a, "~%lld", (long long)row.id));
    return ent_uc_table_update(c->tx, metastore_scope(c), &row);
}

err *tables_dropped(const struct caller *c, int64_t schema, struct ent_uc_table_rows *ret) {
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_SCHEMA_ID, .i = -schema}},
                               .order = ENT_UC_TABLE_DROPPED_AT,
                               .descending = true};
    return ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, ret);
}

err *tables_undrop(const struct caller *c, const struct securable *schema, str name, str uuid,
                   struct securable *ret) {
    struct ent_uc_table_rows rows;
    TRY(tables_dropped(c, schema->id, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        struct ent_uc_table row = rows.p[i];
        if (uuid.n ? !str_ieq(row.uuid, uuid) : !str_ieq(row.dropped_name, name)) continue;
        TRY(check_free(c, schema, row.dropped_name, 0));
        if (row.location.n && !table_is_managed(&row)) TRY(locations_check_free(c, row.location, row.id)); /* its place may be another's by now */
        row.schema_id = schema->id;
        row.name = row.dropped_name;
        row.dropped_name = STR("");
        row.dropped_at = 0;
        TRY(ent_uc_table_update(c->tx, metastore_scope(c), &row));
        TRY(securable_of_table(c, schema, &row, ret));
        note(c, ret);
        return NULL;
    }
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "There is no dropped table '%.*s' in '%.*s'.",
                   STR_ARG(name.n ? name : uuid), STR_ARG(schema->full_name));
}

static err *forget(const struct caller *c, const struct ent_uc_table_rows *rows, size_t n, struct tables_gone *ret) {
    *ret = (struct tables_gone){.p = arena_array_of(c->a, struct tables_folder, n + 1)};
    for (size_t i = 0; i < n; i++) {
        const struct ent_uc_table *t = &rows->p[i];
        TRY(grants_drop(c, SEC_TABLE, t->id));
        TRY(ent_uc_table_delete(c->tx, metastore_scope(c), t->id));
        TRY(managed_forget(c, t->id));
        if (table_is_managed(t)) ret->p[ret->n++] = (struct tables_folder){t->uuid, t->location};
    }
    ret->more = n > 0;
    return NULL;
}

err *tables_purge(const struct caller *c, int64_t before, size_t max, struct tables_gone *ret) {
    struct ent_uc_table_rows rows;
    /* Living ones have 0 and come first in the order: begin after them. */
    struct ent_list_query q = {.order = ENT_UC_TABLE_DROPPED_AT,
                               .after = true,
                               .after_i = 0,
                               .after_id = INT64_MAX,
                               .limit = (int)(max < ENT_MAX_PAGE ? max : ENT_MAX_PAGE)};
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    size_t n = 0;
    while (n < rows.n && rows.p[n].dropped_at < before) n++;
    return forget(c, &rows, n, ret);
}

err *tables_forget_all(const struct caller *c, int64_t schema, size_t max, struct tables_gone *ret) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_SCHEMA_ID, .i = schema}}, .limit = (int)(max < ENT_MAX_PAGE ? max : ENT_MAX_PAGE)};
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    return forget(c, &rows, rows.n, ret);
}

/* ---- what lies in JSON ---- */

err *tables_columns(const struct caller *c, const struct ent_uc_table *t, jval **ret) {
    return json_parse(c->a, t->columns.n ? t->columns : STR("[]"), false, ret);
}

err *tables_guarded(const struct caller *c, const struct ent_uc_table *t, bool *ret) {
    jval *columns, *v;
    size_t i, n;
    *ret = t->row_filter.n > 0;
    TRY(tables_columns(c, t, &columns));
    yyjson_arr_foreach(columns, i, n, v) *ret |= yyjson_is_obj(json_get(v, "mask"));
    return NULL;
}

err *tables_properties(const struct caller *c, const struct ent_uc_table *t, struct kv *ret) {
    bool guarded;
    TRY(kv_read(c->a, t->properties, ret));
    TRY(tables_guarded(c, t, &guarded));
    for (size_t i = 0; guarded && i < ret->n;) {
        if (str_starts(ret->p[i].key, STR("spark.sql.statistics.")))
            kv_del(ret, ret->p[i].key);
        else
            i++;
    }
    return NULL;
}

err *tables_tags(const struct caller *c, const struct ent_uc_table *t, str column, struct kv *ret) {
    jval *o;
    *ret = (struct kv){0};
    if (!t->tags.n) return NULL;
    TRY(json_parse(c->a, t->tags, false, &o));
    if (!column.n) return kv_from_object(c->a, json_get(o, "table"), "tags", ret);
    jval *columns = json_get(o, "columns"), *key, *value;
    size_t i, n;
    yyjson_obj_foreach(columns, i, n, key, value) {
        if (str_ieq(json_str(key), column)) return kv_from_object(c->a, value, "tags", ret);
    }
    return NULL;
}

/* Writes all tags anew: those of the other columns as they were. */
err *tables_set_tags(const struct caller *c, struct securable *t, str column, const struct kv *add,
                     const str *remove, size_t n_remove) {
    struct kv tags, own;
    TRY(tables_tags(c, &t->table, column, &tags));
    for (size_t i = 0; i < add->n; i++) kv_set(c->a, &tags, add->p[i].key, add->p[i].value);
    for (size_t i = 0; i < n_remove; i++) kv_del(&tags, remove[i]);
    str text;
    TRY(kv_text(c->a, &tags, "tags", &text)); /* checks the limits */
    TRY(tables_tags(c, &t->table, STR(""), &own));
    jdoc *d = json_doc(c->a);
    jmut *o = yyjson_mut_obj(d);
    kv_put_object(d, o, "table", column.n ? &own : &tags);
    jmut *columns = json_put_obj(d, o, "columns");
    jval *before = NULL, *key, *value;
    size_t i, n;
    if (t->table.tags.n) TRY(json_parse(c->a, t->table.tags, false, &before));
    yyjson_obj_foreach(json_get(before, "columns"), i, n, key, value) {
        if (column.n && str_ieq(json_str(key), column)) continue;
        yyjson_mut_obj_add(columns, yyjson_val_mut_copy(d, key), yyjson_val_mut_copy(d, value));
    }
    if (column.n && tags.n)
        kv_put_object(d, columns, arena_strndup(c->a, column.p, column.n), &tags);
    t->table.tags = json_text(c->a, o);
    return tables_save(c, t);
}
