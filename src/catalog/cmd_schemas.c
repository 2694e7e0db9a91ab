/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on catalogs and schemas, and USE. */
#include "catalog/ask.h"
#include "catalog/cmd.h"
#include "catalog/catalogs.h"
#include "catalog/locations.h"
#include "catalog/tables.h"

static err *not_virtual(const struct ask_name *n, const char *what) {
    if (!ask_is_virtual(n->part[0], n->part[1]) && !str_ieq(n->part[0], STR(SYSTEM_CATALOG))) return NULL;
    return ask_denied(what, "the system catalog");
}

/* ---- USE ---- */

static err *use_catalog(struct ask *k, str catalog) {
    struct ask_name n = {.part = {catalog}};
    struct securable s;
    if (str_ieq(catalog, STR("spark_catalog"))) catalog = n.part[0] = STR(HIVE_CATALOG);
    if (!str_ieq(catalog, STR(SYSTEM_CATALOG))) {
        TRY(ask_open(k, SEC_CATALOG, &n, PRIV_USE_CATALOG, &s));
        catalog = s.catalog.name;
    }
    json_put_str(k->d, k->out, "catalog", catalog);
    json_put_z(k->d, k->out, "schema", "default");
    return NULL;
}

static err *use_schema(struct ask *k, jval *name) {
    struct ask_name n;
    struct securable s;
    TRY(ask_name(k, name, 2, &n));
    str catalog = n.part[0], schema = n.part[1];
    if (!ask_is_virtual(catalog, schema)) {
        TRY(ask_open(k, SEC_SCHEMA, &n, PRIV_USE_SCHEMA, &s));
        catalog = s.catalog.name;
        schema = s.schema.name;
    }
    json_put_str(k->d, k->out, "catalog", catalog);
    json_put_str(k->d, k->out, "schema", schema);
    return NULL;
}

/* USE x: a schema, as Spark has it; where there is none, a catalog. */
static err *use(struct ask *k) {
    jval *name = json_get(k->in, "name");
    if (str_eqz(ask_text(k, "kind"), "catalog")) return use_catalog(k, ask_word(k, "name"));
    if (str_eqz(ask_text(k, "kind"), "schema") || yyjson_arr_size(name) != 1) return use_schema(k, name);
    struct ask_name as_schema = {.part = {k->catalog, ask_word(k, "name")}}, as_catalog = {.part = {ask_word(k, "name")}};
    struct securable s;
    bool found = ask_is_virtual(as_schema.part[0], as_schema.part[1]);
    if (!found) TRY(ask_find(k, k->c, SEC_SCHEMA, &as_schema, &s, &found));
    if (found) return use_schema(k, name);
    TRY(ask_find(k, k->c, SEC_CATALOG, &as_catalog, &s, &found));
    return found ? use_catalog(k, as_catalog.part[0]) : ask_missing(k, SEC_SCHEMA, &as_schema);
}

/* ---- making ---- */

static err *managed_location(struct ask *k, str *ret) {
    *ret = ask_text(k, "location");
    return ret->n ? ask_sql(locations_managed(k->c, *ret, ret)) : NULL;
}

static err *create_catalog(struct ask *k) {
    struct ask_name n;
    struct securable s, top;
    bool found;
    struct catalogs_spec spec = {.comment = ask_text(k, "comment")};
    TRY(ask_name(k, json_get(k->in, "name"), 1, &n));
    TRY(not_virtual(&n, "CREATE CATALOG"));
    TRY(securable_find(k->c, SEC_METASTORE, STR(""), &top, &found));
    TRY(ask_need(k->c, &top, PRIV_CREATE_CATALOG));
    TRY(securable_find(k->c, SEC_CATALOG, ask_quote(k->c->a, n.part[0]), &s, &found));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    if (found)
        return ask_error("CATALOG_ALREADY_EXISTS", "42710", "Catalog '%.*s' already exists.", STR_ARG(n.part[0]));
    spec.name = n.part[0];
    TRY(managed_location(k, &spec.storage_root));
    return ask_sql(catalogs_create(k->c, &spec, &s));
}

static err *create_schema(struct ask *k) {
    struct ask_name n;
    struct securable s, catalog;
    bool found;
    struct catalogs_spec spec = {.comment = ask_text(k, "comment")};
    TRY(ask_name(k, json_get(k->in, "name"), 2, &n));
    TRY(not_virtual(&n, "CREATE SCHEMA"));
    struct ask_name up = {.part = {n.part[0]}};
    TRY(ask_open(k, SEC_CATALOG, &up, 0, &catalog));
    TRY(securable_below(k->c, &catalog, SEC_SCHEMA, n.part[1], &s, &found));
    if (found && ask_flag(k, "if_not_exists") && securable_visible(k->c, &s)) return NULL;
    TRY(ask_need(k->c, &catalog, PRIV_USE_CATALOG));
    TRY(ask_need(k->c, &catalog, PRIV_CREATE_SCHEMA));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    if (found)
        return ask_error("SCHEMA_ALREADY_EXISTS", "42P06",
                         "Cannot create schema %.*s because it already exists.\nChoose a different name, drop the existing schema, "
                         "or add the IF NOT EXISTS clause to tolerate pre-existing schema.",
                         STR_ARG(ask_quoted(k->c->a, catalog.catalog.name, n.part[1], STR(""))));
    spec.name = n.part[1];
    TRY(managed_location(k, &spec.storage_root));
    TRY(ask_pairs(k, "properties", &spec.properties));
    return ask_sql(catalogs_create_schema(k->c, &catalog, &spec, &s));
}

/* ---- dropping ---- */

static err *drop(struct ask *k, enum securable_kind kind) {
    struct ask_name n;
    struct securable s;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), securable_parts(kind), &n));
    TRY(not_virtual(&n, kind == SEC_CATALOG ? "DROP CATALOG" : "DROP SCHEMA"));
    TRY(ask_find(k, k->c, kind, &n, &s, &found));
    if (!found) return ask_flag(k, "if_exists") ? NULL : ask_missing(k, kind, &n);
    TRY(ask_need(k->c, &s, PRIV_MANAGE));
    err *e = catalogs_delete(k->c, &s, ask_flag(k, "cascade"));
    if (err_code_of(e) != ERR_INVALID_STATE) return ask_sql(e);
    err_free(e);
    str full = ask_quoted(k->c->a, n.part[0], n.part[1], STR(""));
    if (kind == SEC_CATALOG)
        return ask_error("CATALOG_NOT_EMPTY", "2BP01", "Cannot drop a catalog %.*s because it contains schemas. Use DROP CATALOG "
                         "... CASCADE to drop the catalog and all its objects.", STR_ARG(full));
    return ask_error("SCHEMA_NOT_EMPTY", "2BP01", "Cannot drop a schema %.*s because it contains objects.\nUse DROP SCHEMA ... "
                     "CASCADE to drop the schema and all its objects.", STR_ARG(full));
}
static err *drop_catalog(struct ask *k) { return drop(k, SEC_CATALOG); }
static err *drop_schema(struct ask *k) { return drop(k, SEC_SCHEMA); }

/* ---- altering ---- */

static err *open_to_alter(struct ask *k, enum securable_kind kind, struct securable *s) {
    return ask_open_slot(k, "name", kind, PRIV_MANAGE, s);
}

static err *rename_it(struct ask *k, enum securable_kind kind) {
    struct securable s;
    struct ask_name to;
    TRY(open_to_alter(k, kind, &s));
    TRY(ask_name(k, json_get(k->in, "newname"), securable_parts(kind), &to));
    TRY(ask_sql(catalogs_rename(k->c, &s, to.part[kind == SEC_CATALOG ? 0 : 1])));
    return ask_sql(catalogs_save(k->c, &s));
}
static err *alter_catalog_rename(struct ask *k) { return rename_it(k, SEC_CATALOG); }
static err *alter_schema_rename(struct ask *k) { return rename_it(k, SEC_SCHEMA); }

static err *properties(struct ask *k, enum securable_kind kind, bool unset) {
    struct securable s;
    struct kv all, add;
    size_t n;
    TRY(open_to_alter(k, kind, &s));
    str *at = kind == SEC_CATALOG ? &s.catalog.properties : &s.schema.properties;
    TRY(kv_read(k->c->a, *at, &all));
    if (unset) {
        const str *keys = ask_keys(k, "properties", &n);
        for (size_t i = 0; i < n; i++) kv_del(&all, keys[i]);
    } else {
        TRY(ask_pairs(k, "properties", &add));
        for (size_t i = 0; i < add.n; i++) kv_set(k->c->a, &all, add.p[i].key, add.p[i].value);
    }
    TRY(kv_text(k->c->a, &all, "properties", at));
    return ask_sql(catalogs_save(k->c, &s));
}
static err *alter_catalog_properties(struct ask *k) { return properties(k, SEC_CATALOG, false); }
static err *alter_schema_properties(struct ask *k) { return properties(k, SEC_SCHEMA, false); }
static err *alter_schema_unset_properties(struct ask *k) { return properties(k, SEC_SCHEMA, true); }

/* ---- coming back ---- */

/* UNDROP TABLE WITH ID: the schema that the dropped table was in. */
static err *schema_of_dropped(struct ask *k, str uuid, struct securable *ret, bool *found) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_UUID, .s = uuid}}, .limit = 1};
    TRY(ent_uc_table_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
    *found = rows.n && rows.p[0].schema_id < 0;
    return *found ? securable_by_id(k->c, SEC_SCHEMA, -rows.p[0].schema_id, ret, found) : NULL;
}

static err *no_dropped(struct ask *k, const char *what, str name) {
    (void)k;
    return ask_error("TABLE_OR_VIEW_NOT_FOUND", "42P01", "There is no dropped %s '%.*s' that could come back.", what, STR_ARG(name));
}

static err *undrop_table(struct ask *k) {
    struct ask_name n = {.part = {k->catalog, k->schema}};
    struct securable schema, t;
    str uuid = ask_text(k, "key");
    bool found;
    if (uuid.n) {
        TRY(schema_of_dropped(k, uuid, &schema, &found));
        if (!found || !securable_visible(k->c, &schema)) return no_dropped(k, "table", uuid);
        TRY(ask_need(k->c, &schema, PRIV_USE_SCHEMA));
    } else {
        TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
        struct ask_name up = {.part = {n.part[0], n.part[1]}};
        TRY(ask_open(k, SEC_SCHEMA, &up, PRIV_USE_SCHEMA, &schema));
    }
    TRY(ask_need(k->c, &schema, PRIV_CREATE_TABLE));
    err *e = tables_undrop(k->c, &schema, n.part[2], uuid, &t);
    if (err_code_of(e) == ERR_RESOURCE_DOES_NOT_EXIST) {
        err_free(e);
        return no_dropped(k, "table", uuid.n ? uuid : n.part[2]);
    }
    TRY(ask_sql(e));
    return ask_need(k->c, &t, PRIV_MANAGE);
}

static err *undrop_schema(struct ask *k) {
    struct ask_name n = {.part = {k->catalog}};
    struct securable catalog, s;
    struct ent_schema_rows rows;
    str id = ask_text(k, "key");
    if (!id.n) TRY(ask_name(k, json_get(k->in, "name"), 2, &n));
    struct ask_name up = {.part = {n.part[0]}};
    TRY(ask_open(k, SEC_CATALOG, &up, PRIV_USE_CATALOG, &catalog));
    TRY(ask_need(k->c, &catalog, PRIV_CREATE_SCHEMA));
    TRY(catalogs_dropped_schemas(k->c, catalog.id, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        if (id.n ? !str_ieq(id, str_of(catalog_uuid(k->c->a, rows.p[i].id))) : !str_ieq(n.part[1], rows.p[i].dropped_name)) continue;
        TRY(ask_sql(catalogs_undrop_schema(k->c, &catalog, &rows.p[i], &s)));
        return ask_need(k->c, &s, PRIV_MANAGE);
    }
    return ask_error("SCHEMA_NOT_FOUND", "42704", "There is no dropped schema '%.*s' in %.*s that could come back.", STR_ARG(id.n ? id : n.part[1]),
                     STR_ARG(ask_quote(k->c->a, catalog.catalog.name)));
}

static err *show_schemas_dropped(struct ask *k) {
    struct ask_name n = {.part = {k->catalog}};
    struct securable catalog, s;
    struct ent_schema_rows rows;
    int64_t limit = INT64_MAX;
    ask_columns(k, "catalogName, schemaName, schemaId, deletedAt, createdAt, updatedAt, createdBy, owner, comment");
    if (json_get(k->in, "catalog") && !yyjson_is_str(json_get(k->in, "catalog"))) TRY(ask_name(k, json_get(k->in, "catalog"), 1, &n));
    TRY(ask_open(k, SEC_CATALOG, &n, 0, &catalog));
    (void)json_i64(json_get(k->in, "limit"), &limit);
    TRY(catalogs_dropped_schemas(k->c, catalog.id, &rows));
    for (size_t i = 0; i < rows.n && limit > 0; i++) {
        const struct ent_schema *x = &rows.p[i];
        str creator, owner;
        TRY(securable_of_schema(k->c, &catalog, x, &s));
        if (!securable_allows(k->c, &s, PRIV_MANAGE)) continue;
        TRY(ask_principal(k, x->created_by, &creator));
        TRY(ask_principal(k, x->owner_id, &owner));
        jmut *row = ask_row(k);
        ask_put(k, row, catalog.catalog.name);
        ask_put(k, row, x->dropped_name);
        ask_put_z(k, row, catalog_uuid(k->c->a, x->id));
        ask_put(k, row, ask_time(k->c->a, x->dropped_at));
        ask_put(k, row, ask_time(k->c->a, x->created_at));
        ask_put(k, row, ask_time(k->c->a, x->updated_at));
        ask_put(k, row, creator);
        ask_put(k, row, owner);
        ask_put(k, row, x->comment);
        limit--;
    }
    return NULL;
}

const struct ask_command ask_schema_commands[] = {
    {"use", use, false},
    {"create_catalog", create_catalog, true},
    {"create_schema", create_schema, true},
    {"drop_catalog", drop_catalog, true},
    {"drop_schema", drop_schema, true},
    {"alter_catalog_rename", alter_catalog_rename, true},
    {"alter_schema_rename", alter_schema_rename, true},
    {"alter_catalog_properties", alter_catalog_properties, true},
    {"alter_schema_properties", alter_schema_properties, true},
    {"alter_schema_unset_properties", alter_schema_unset_properties, true},
    {"undrop_table", undrop_table, true},
    {"undrop_schema", undrop_schema, true},
    {"show_schemas_dropped", show_schemas_dropped, false},
    {NULL, NULL, false},
};
