/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/catalogs.h"

#include <openssl/sha.h>

#include "catalog/grants.h"
#include "catalog/name.h"
#include "catalog/functions.h"
#include "catalog/models.h"
#include "catalog/samples.h"
#include "catalog/tables.h"
#include "catalog/volumes.h"

char *catalog_uuid(arena *a, int64_t id) {
    uint64_t v = (uint64_t)id;
    return arena_printf(a, "00000000-0000-4000-%04x-%012llx", (unsigned)(v >> 48),
                        (unsigned long long)(v & 0xffffffffffffull));
}

char *metastore_id(arena *a, const char *account_id) {
    unsigned char h[SHA256_DIGEST_LENGTH];
    char *text = arena_printf(a, "metastore of %s", account_id);
    SHA256((const unsigned char *)text, strlen(text), h);
    return arena_printf(a, "%02x%02x%02x%02x-%02x%02x-5%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x",
                        h[0], h[1], h[2], h[3], h[4], h[5], h[6] & 0xf, h[7], 8 + (h[8] >> 6),
                        h[8] & 0xf, h[9], h[10], h[11], h[12], h[13], h[14], h[15]);
}

static err *check_comment(str comment) {
    if (comment.n <= CATALOGS_MAX_COMMENT) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "A comment may have %u bytes, not %zu.",
                   CATALOGS_MAX_COMMENT, comment.n);
}

static err *check_free(const struct caller *c, enum securable_kind kind, int64_t parent, str name,
                       int64_t but) {
    bool found;
    int64_t id;
    if (kind == SEC_CATALOG) {
        struct ent_catalog other;
        TRY(ent_catalog_by_name(c->tx, metastore_scope(c), c->a, name, &other, &found));
        id = other.id;
    } else {
        struct ent_schema other;
        TRY(ent_schema_by_name(c->tx, metastore_scope(c), c->a, parent, name, &other, &found));
        id = other.id;
    }
    if (!found || id == but) return NULL;
    return err_new(ERR_ALREADY_EXISTS, "%s '%.*s' already exists.",
                   kind == SEC_CATALOG ? "Catalog" : "Schema", STR_ARG(name));
}

err *catalogs_create_schema(const struct caller *c, const struct securable *catalog,
                        const struct catalogs_spec *spec, struct securable *ret) {
    TRY(name_check_part(spec->name, "schema"));
    TRY(check_comment(spec->comment));
    TRY(check_free(c, SEC_SCHEMA, catalog->id, spec->name, 0));
    struct ent_schema row = {.catalog_id = catalog->id,
                             .name = spec->name,
                             .comment = spec->comment,
                             .storage_root = spec->storage_root,
                             .owner_id = c->who->id};
    TRY(kv_text(c->a, &spec->properties, "properties", &row.properties));
    TRY(ent_schema_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_schema(c, catalog, &row, ret));
    store_tx_securable(c->tx, "schema", row.id, ret->full_name);
    return NULL;
}

err *catalogs_create(const struct caller *c, const struct catalogs_spec *spec,
                         struct securable *ret) {
    TRY(name_check_part(spec->name, "catalog"));
    TRY(check_comment(spec->comment));
    TRY(check_free(c, SEC_CATALOG, 0, spec->name, 0));
    struct ent_catalog row = {.name = spec->name,
                              .comment = spec->comment,
                              .storage_root = spec->storage_root,
                              .isolation_mode = STR("OPEN"),
                              .owner_id = c->who->id};
    TRY(kv_text(c->a, &spec->properties, "properties", &row.properties));
    TRY(ent_catalog_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_catalog(c, &row, ret));
    struct securable schema;
    struct catalogs_spec dflt = {.name = STR("default"), .comment = STR("Default schema")};
    TRY(catalogs_create_schema(c, ret, &dflt, &schema));
    store_tx_securable(c->tx, "catalog", row.id, row.name);
    return NULL;
}

err *catalogs_save(const struct caller *c, struct securable *s) {
    if (s->kind == SEC_CATALOG) {
        TRY(check_comment(s->catalog.comment));
        TRY(ent_catalog_update(c->tx, metastore_scope(c), &s->catalog));
        s->full_name = s->catalog.name;
    } else {
        must(s->kind == SEC_SCHEMA);
        TRY(check_comment(s->schema.comment));
        TRY(ent_schema_update(c->tx, metastore_scope(c), &s->schema));
        s->full_name = name_join(c->a, s->catalog.name, s->schema.name, STR(""));
    }
    store_tx_securable(c->tx, securable_kind_names[s->kind], s->id, s->full_name);
    return NULL;
}

err *catalogs_rename(const struct caller *c, struct securable *s, str new_name) {
    TRY(name_check_part(new_name, s->kind == SEC_CATALOG ? "catalog" : "schema"));
    TRY(check_free(c, s->kind, s->kind == SEC_SCHEMA ? s->catalog.id : 0, new_name, s->id));
    if (s->kind == SEC_CATALOG)
        s->catalog.name = new_name;
    else
        s->schema.name = new_name;
    return NULL;
}

/* ---- deleting ---- */

static err *not_empty(const struct securable *s, const char *what) {
    return err_hint(err_new(ERR_INVALID_STATE, "%s '%.*s' is not empty: it has %s.",
                            s->kind == SEC_CATALOG ? "Catalog" : "Schema", STR_ARG(s->full_name),
                            what),
                    "Delete what is in it, or use force.");
}

/* One request deletes at most so many objects: a write must stay short. */
#define DELETE_MAX 10000

static err *models_of(const struct caller *c, int64_t schema, struct ent_uc_model_rows *ret) {
    struct ent_list_query q = {.eq = {{.column = ENT_UC_MODEL_SCHEMA_ID, .i = schema}},
                               .order = ENT_UC_MODEL_NAME,
                               .limit = DELETE_MAX};
    return ent_uc_model_list(c->tx, metastore_scope(c), c->a, &q, ret);
}

static err *schemas_of(const struct caller *c, int64_t catalog, struct ent_schema_rows *ret) {
    struct ent_list_query q = {.eq = {{.column = ENT_SCHEMA_CATALOG_ID, .i = catalog}},
                               .order = ENT_SCHEMA_NAME,
                               .limit = DELETE_MAX};
    return ent_schema_list(c->tx, metastore_scope(c), c->a, &q, ret);
}

static err *too_much(const struct securable *s) {
    return err_new(ERR_RESOURCE_EXHAUSTED,
                   "'%.*s' holds more than %d objects; delete some of them first.",
                   STR_ARG(s->full_name), DELETE_MAX);
}

/* The leaves of one kind in a schema. */
static err *delete_tables(const struct caller *c, const struct securable *s, bool force) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_SCHEMA_ID, .i = s->id}},
                               .order = ENT_UC_TABLE_NAME,
                               .limit = DELETE_MAX};
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (rows.n && !force) return not_empty(s, "tables");
    if (rows.more) return too_much(s);
    for (size_t i = 0; i < rows.n; i++) {
        struct securable t;
        TRY(securable_of_table(c, s, &rows.p[i], &t));
        TRY(tables_drop(c, &t, false));
    }
    return NULL;
}

static err *delete_volumes(const struct caller *c, const struct securable *s, bool force) {
    struct ent_uc_volume_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_VOLUME_SCHEMA_ID, .i = s->id}},
                               .order = ENT_UC_VOLUME_NAME,
                               .limit = DELETE_MAX};
    TRY(ent_uc_volume_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (rows.n && !force) return not_empty(s, "volumes");
    if (rows.more) return too_much(s);
    for (size_t i = 0; i < rows.n; i++) {
        struct securable v;
        TRY(securable_of_volume(c, s, &rows.p[i], &v));
        TRY(volumes_delete(c, &v));
    }
    return NULL;
}

static err *delete_functions(const struct caller *c, const struct securable *s, bool force) {
    struct ent_uc_function_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_FUNCTION_SCHEMA_ID, .i = s->id}},
                               .order = ENT_UC_FUNCTION_NAME,
                               .limit = DELETE_MAX};
    TRY(ent_uc_function_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (rows.n && !force) return not_empty(s, "functions");
    if (rows.more) return too_much(s);
    for (size_t i = 0; i < rows.n; i++) {
        struct securable f;
        TRY(securable_of_function(c, s, &rows.p[i], &f));
        TRY(functions_delete(c, &f));
    }
    return NULL;
}

static err *delete_models(const struct caller *c, const struct securable *s, bool force) {
    struct ent_uc_model_rows models;
    TRY(models_of(c, s->id, &models));
    if (models.n && !force) return not_empty(s, "registered models");
    if (models.more) return too_much(s);
    for (size_t i = 0; i < models.n; i++) {
        struct securable m;
        TRY(securable_of_model(c, s, &models.p[i], &m));
        TRY(models_delete(c, &m));
    }
    return NULL;
}

static err *has_any(const struct caller *c, const struct securable *s) {
    struct ent_uc_model_rows models;
    struct ent_uc_table_rows tables;
    struct ent_uc_volume_rows volumes;
    struct ent_uc_function_rows functions;
    struct ent_list_query q = {.limit = 1};
    q.eq[0] = (struct ent_filter){.column = ENT_UC_MODEL_SCHEMA_ID, .i = s->id};
    TRY(ent_uc_model_list(c->tx, metastore_scope(c), c->a, &q, &models));
    if (models.n) return not_empty(s, "registered models");
    q.eq[0].column = ENT_UC_TABLE_SCHEMA_ID;
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &tables));
    if (tables.n) return not_empty(s, "tables");
    q.eq[0].column = ENT_UC_VOLUME_SCHEMA_ID;
    TRY(ent_uc_volume_list(c->tx, metastore_scope(c), c->a, &q, &volumes));
    if (volumes.n) return not_empty(s, "volumes");
    q.eq[0].column = ENT_UC_FUNCTION_SCHEMA_ID;
    TRY(ent_uc_function_list(c->tx, metastore_scope(c), c->a, &q, &functions));
    return functions.n ? not_empty(s, "functions") : NULL;
}

/* A dropped schema goes out of its catalog at once, with all that is in it, and can come back for CATALOGS_KEEP_US. */
static err *drop_schema(const struct caller *c, const struct securable *s, bool force) {
    struct ent_schema row = s->schema;
    if (!force) TRY(has_any(c, s));
    row.catalog_id = -s->catalog.id;
    row.dropped_name = row.name;
    row.dropped_at = store_tx_time(c->tx);
    row.name = str_of(arena_printf(c->a, "~%lld", (long long)row.id));
    return ent_schema_update(c->tx, metastore_scope(c), &row);
}

err *catalogs_dropped_schemas(const struct caller *c, int64_t catalog, struct ent_schema_rows *ret) {
    struct ent_list_query q = {.eq = {{.column = ENT_SCHEMA_CATALOG_ID, .i = -catalog}}, .order = ENT_SCHEMA_DROPPED_AT, .descending = true};
    return ent_schema_list(c->tx, metastore_scope(c), c->a, &q, ret);
}

err *catalogs_undrop_schema(const struct caller *c, const struct securable *catalog, const struct ent_schema *dropped, struct securable *ret) {
    struct ent_schema row = *dropped;
    must(row.catalog_id == -catalog->id);
    TRY(check_free(c, SEC_SCHEMA, catalog->id, row.dropped_name, 0));
    row.catalog_id = catalog->id;
    row.name = row.dropped_name;
    row.dropped_name = STR("");
    row.dropped_at = 0;
    TRY(ent_schema_update(c->tx, metastore_scope(c), &row));
    TRY(securable_of_schema(c, catalog, &row, ret));
    store_tx_securable(c->tx, "schema", row.id, ret->full_name);
    return NULL;
}

static err *delete_schema(const struct caller *c, const struct securable *s, bool force) {
    TRY(delete_models(c, s, force));
    TRY(delete_tables(c, s, force));
    TRY(delete_volumes(c, s, force));
    TRY(delete_functions(c, s, force));
    TRY(grants_drop(c, SEC_SCHEMA, s->id));
    return ent_schema_delete(c->tx, metastore_scope(c), s->id);
}

static err *delete_catalog(const struct caller *c, const struct securable *s, bool force) {
    struct ent_schema_rows schemas;
    TRY(schemas_of(c, s->id, &schemas));
    if (schemas.more) return too_much(s);
    for (size_t i = 0; i < schemas.n; i++) {
        struct securable schema;
        if (!force && !str_ieq(schemas.p[i].name, STR("default"))) return not_empty(s, "schemas");
        TRY(securable_of_schema(c, s, &schemas.p[i], &schema));
        TRY(delete_schema(c, &schema, force));
    }
    TRY(grants_drop(c, SEC_CATALOG, s->id));
    return ent_catalog_delete(c->tx, metastore_scope(c), s->id);
}

err *catalogs_delete(const struct caller *c, const struct securable *s, bool force) {
    must(s->kind == SEC_CATALOG || s->kind == SEC_SCHEMA);
    TRY(s->kind == SEC_CATALOG ? delete_catalog(c, s, force) : drop_schema(c, s, force));
    store_tx_securable(c->tx, securable_kind_names[s->kind], s->id, s->full_name);
    return NULL;
}

/* ---- for good ---- */

#define PURGE(TYPE, COLUMN, SEC, destroy)                                                                                                        \
    do {                                                                                                                                         \
        struct ent_uc_##TYPE##_rows rows;                                                                                                        \
        struct ent_list_query q = {.eq = {{.column = ENT_UC_##COLUMN##_SCHEMA_ID, .i = schema}}, .limit = (int)max};                             \
        TRY(ent_uc_##TYPE##_list(c->tx, metastore_scope(c), c->a, &q, &rows));                                                                   \
        for (size_t i = 0; i < rows.n; i++)                                                                                                      \
            TRY(destroy(c, &(struct securable){.kind = SEC, .id = rows.p[i].id, .full_name = rows.p[i].name, .TYPE = rows.p[i]}));               \
        *n += rows.n;                                                                                                                            \
    } while (0)

/* Volumes, functions and models of a schema that is in no catalog any more; *n how many there were. */
static err *purge_leaves(const struct caller *c, int64_t schema, size_t max, size_t *n) {
    *n = 0;
    PURGE(volume, VOLUME, SEC_VOLUME, volumes_delete);
    PURGE(function, FUNCTION, SEC_FUNCTION, functions_delete);
    PURGE(model, MODEL, SEC_MODEL, models_delete);
    return NULL;
}

err *catalogs_purge(const struct caller *c, int64_t before, size_t max, struct tables_gone *ret) {
    struct ent_schema_rows rows;
    struct ent_list_query q = {.order = ENT_SCHEMA_DROPPED_AT, .after = true, .after_i = 0, .after_id = INT64_MAX, .limit = 1};
    *ret = (struct tables_gone){0};
    max = max < 1 ? 1 : max > ENT_MAX_PAGE ? ENT_MAX_PAGE : max;
    TRY(ent_schema_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (!rows.n || rows.p[0].dropped_at >= before) return NULL;
    int64_t id = rows.p[0].id;
    size_t n;
    TRY(tables_forget_all(c, id, max, ret));
    if (!ret->more) TRY(tables_forget_all(c, -id, max, ret));
    if (!ret->more) {
        TRY(purge_leaves(c, id, max, &n));
        if (!n) {
            TRY(grants_drop(c, SEC_SCHEMA, id));
            TRY(ent_schema_delete(c->tx, metastore_scope(c), id));
        }
    }
    ret->more = true;
    return NULL;
}

/* ---- a fresh metastore ---- */

#define MAIN_CATALOG "main"
#define EVERYONE "account users"

/* What the published platform gives all users on a workspace's own catalog. */
static err *welcome(const struct caller *c, const struct securable *catalog) {
    struct ent_group everyone;
    struct ent_schema schema;
    bool found;
    TRY(ent_group_by_display_name(c->tx, metastore_scope(c), c->a, STR(EVERYONE), &everyone,
                                  &found));
    if (!found) return NULL;
    TRY(ent_schema_by_name(c->tx, metastore_scope(c), c->a, catalog->id, STR("default"), &schema,
                           NULL));
    TRY(grants_change(c, SEC_CATALOG, catalog->id, everyone.id, PRIV_USE_CATALOG, 0));
    return grants_change(c, SEC_SCHEMA, schema.id, everyone.id,
                         PRIV_USE_SCHEMA | PRIV_CREATE_MODEL | PRIV_CREATE_TABLE |
                             PRIV_CREATE_VOLUME | PRIV_CREATE_FUNCTION |
                             PRIV_CREATE_MATERIALIZED_VIEW,
                         0);
}

/* The catalog of names with two parts, as workspaces have had it before there were catalogs. */
static err *legacy(const struct caller *c, int64_t everyone) {
    struct catalogs_spec spec = {.name = STR("hive_metastore"), .comment = STR("Names of two parts: schema and table.")};
    struct securable s;
    struct ent_schema schema;
    TRY(catalogs_create(c, &spec, &s));
    TRY(ent_schema_by_name(c->tx, metastore_scope(c), c->a, s.id, STR("default"), &schema, NULL));
    TRY(grants_change(c, SEC_CATALOG, s.id, everyone, PRIV_USE_CATALOG, 0));
    return grants_change(c, SEC_SCHEMA, schema.id, everyone, PRIV_USE_SCHEMA | PRIV_CREATE_TABLE | PRIV_CREATE_FUNCTION, 0);
}

/* Catalogs that every metastore has besides its own. */
static err *add_missing(const struct caller *c) {
    struct ent_group everyone;
    struct ent_catalog row;
    bool found;
    TRY(ent_group_by_display_name(c->tx, metastore_scope(c), c->a, STR(EVERYONE), &everyone, &found));
    if (!found) return NULL;
    TRY(ent_catalog_by_name(c->tx, metastore_scope(c), c->a, STR("hive_metastore"), &row, &found));
    if (!found) TRY(legacy(c, everyone.id));
    TRY(ent_catalog_by_name(c->tx, metastore_scope(c), c->a, STR(SAMPLES_CATALOG), &row, &found));
    return found ? NULL : samples_create(c, everyone.id);
}

err *catalog_bootstrap(store_tx *tx, struct store_scope scope, int64_t owner) {
    arena *a = arena_new();
    struct policy_subject who = {.id = owner, .active = true};
    struct caller c = {.tx = tx, .today = tx, .scope = scope, .a = a, .who = &who};
    struct ent_catalog_rows rows;
    struct ent_list_query q = {.limit = 1};
    struct securable s;
    err *e = ent_catalog_list(tx, metastore_scope(&c), a, &q, &rows);
    struct catalogs_spec spec = {.name = STR(MAIN_CATALOG), .comment = STR("Main catalog")};
    if (!e && !rows.n) {
        e = catalogs_create(&c, &spec, &s);
        if (!e) e = welcome(&c, &s);
    }
    if (!e) e = add_missing(&c);
    arena_free(a);
    return e;
}

struct start {
    int64_t account, owner;
};

static err *start_job(store_tx *tx, void *arg) {
    const struct start *s = arg;
    return catalog_bootstrap(tx, (struct store_scope){s->account, 0}, s->owner);
}

err *catalog_start(store *s, int64_t account, int64_t owner) {
    struct start job = {account, owner};
    struct store_actor actor = {.principal = owner,
                                .action = STR("catalog.bootstrap"),
                                .client = STR("local"),
                                .request_id = STR("start")};
    return store_write_sync(s, STORE_META, start_job, &job, &actor);
}
