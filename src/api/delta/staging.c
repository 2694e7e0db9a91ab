/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that an outside client makes: it asks for a place, writes the first version there, then says what it wrote. What is
 * never said is a folder without a row, as any half-done write.
 */
#include "api/delta/delta_int.h"
#include "api/delta/staging.h"
#include "api/gen_routes.h"
#include "catalog/ask.h"
#include "catalog/locations.h"
#include "catalog/name.h"
#include "sys/files.h"
#include "sys/rand.h"

static const char *const required_reader[] = {"catalogManaged", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors"};
static const char *const required_writer[] = {"catalogManaged", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors", "inCommitTimestamp"};

struct staging {
    str folder;   /* as control sees it; empty: an object store, which has none */
    struct delta_session session;
};

static err *open_schema(struct req *r, const struct caller *c, const char *catalog, const char *schema, struct securable *ret) {
    str full = name_join(r->a, arg_str(r, catalog), arg_str(r, schema), STR(""));
    TRY(securable_open(c, SEC_SCHEMA, full, PRIV_CREATE_TABLE, ret));
    TRY(securable_need(c, ret, PRIV_USE_SCHEMA));
    return securable_need(c, ret, PRIV_EXTERNAL_USE_SCHEMA);
}

/* A fresh place; its row and URL. */
static err *stage(struct req *r, const struct caller *c, const struct securable *schema, struct ent_uc_staging *row, str *ret_url) {
    struct securable there;
    struct staging *s = arena_new_of(r->a, struct staging);
    *s = (struct staging){0};
    bool found;
    str engine;
    TRY(securable_below(c, schema, SEC_TABLE, arg_str(r, "name"), &there, &found));
    if (found)
        return delta_api_error("AlreadyExistsException", ERR_RESOURCE_ALREADY_EXISTS, "Table '%.*s' already exists.", STR_ARG(there.full_name));
    char uuid[37];
    rand_uuid(uuid);
    *row = (struct ent_uc_staging){.uuid = arena_str(r->a, str_of(uuid)), .schema_id = schema->id, .name = arg_str(r, "name"), .owner_id = r->principal};
    TRY(ent_uc_staging_insert(r->tx, metastore_scope(c), row));
    struct ent_uc_table t = {.uuid = row->uuid, .table_type = STR("MANAGED"), .location = ask_managed_url(c, schema, row->uuid)};
    struct ask_commit_place place;
    TRY(ask_table_place(c, &t, &engine, ret_url));
    TRY(ask_control_place(c, &t, &place));
    s->folder = arena_str(r->a, place.control);
    r->state = s;
    return NULL;
}

/* The last step of both forms. */
err *api_delta_make_folder(struct req *r) {
    struct staging *s = r->state;
    if (s->folder.n) TRY(files_mkdirs(arena_strndup(r->a, s->folder.p, s->folder.n), 0755));
    return delta_fill_session(r, &s->session);
}

static void put_list(struct req *r, jmut *o, const char *key, const char *const *names, size_t n) {
    jmut *list = json_put_arr(r->doc, o, key);
    for (size_t i = 0; i < n; i++) json_add_str(r->doc, list, str_of(names[i]));
}

static void put_wishes(struct req *r, str uuid) {
    static const char *const reader[] = {"columnMapping"}, *const writer[] = {"columnMapping", "domainMetadata", "rowTracking"};
    static const char *const required[][2] = {{"delta.enableInCommitTimestamps", "true"}, {"delta.checkpoint.writeStatsAsJson", "true"},
                                              {"delta.checkpointPolicy", "v2"}, {"delta.checkpoint.writeStatsAsStruct", "true"},
                                              {"delta.enableDeletionVectors", "true"}};
    static const char *const suggested[][2] = {{"delta.enableRowTracking", "true"}, {"delta.randomizeFilePrefixes", "true"},
                                               {"delta.parquet.compression.codec", "zstd"}, {"delta.columnMapping.mode", "name"}};
    static const char *const any[] = {"delta.rowTracking.materializedRowIdColumnName", "delta.columnMapping.maxColumnId",
                                      "delta.rowTracking.materializedRowCommitVersionColumnName"};
    jmut *p = json_put_obj(r->doc, r->out, "required-protocol");
    json_put_int(r->doc, p, "min-reader-version", 3);
    json_put_int(r->doc, p, "min-writer-version", 7);
    put_list(r, p, "reader-features", required_reader, ARRAY_LEN(required_reader));
    put_list(r, p, "writer-features", required_writer, ARRAY_LEN(required_writer));
    p = json_put_obj(r->doc, r->out, "suggested-protocol");
    put_list(r, p, "reader-features", reader, ARRAY_LEN(reader));
    put_list(r, p, "writer-features", writer, ARRAY_LEN(writer));
    p = json_put_obj(r->doc, r->out, "required-properties");
    for (size_t i = 0; i < ARRAY_LEN(required); i++) json_put_z(r->doc, p, required[i][0], required[i][1]);
    json_put_str(r->doc, p, "io.unitycatalog.tableId", uuid);
    p = json_put_obj(r->doc, r->out, "suggested-properties");
    for (size_t i = 0; i < ARRAY_LEN(suggested); i++) json_put_z(r->doc, p, suggested[i][0], suggested[i][1]);
    for (size_t i = 0; i < ARRAY_LEN(any); i++) yyjson_mut_obj_add_null(r->doc, p, any[i]);
}

err *api_delta_create_staging(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema;
    struct ent_uc_staging row;
    str url;
    TRY(open_schema(r, &c, "catalog", "schema", &schema));
    TRY(stage(r, &c, &schema, &row, &url));
    json_put_str(req_doc(r), req_out(r), "table-id", row.uuid);
    json_put_z(r->doc, r->out, "table-type", "MANAGED");
    json_put_str(r->doc, r->out, "location", url);
    struct staging *s = r->state;
    TRY(delta_put_credential(r, &c, json_put_arr(r->doc, r->out, "storage-credentials"), url, "READ_WRITE", &s->session));
    put_wishes(r, row.uuid);
    return NULL;
}

err *api_delta_post_staging(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema;
    struct ent_uc_staging row;
    str url;
    TRY(open_schema(r, &c, "catalog_name", "schema_name", &schema));
    TRY(stage(r, &c, &schema, &row, &url));
    json_put_str(req_doc(r), req_out(r), "id", row.uuid);
    json_put_str(r->doc, r->out, "name", row.name);
    json_put_str(r->doc, r->out, "catalog_name", schema.catalog.name);
    json_put_str(r->doc, r->out, "schema_name", schema.schema.name);
    json_put_str(r->doc, r->out, "staging_location", url);
    return NULL;
}

/* ---- making the table ---- */

static err *bad_staging(str location) {
    return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE,
                           "A managed table is made at a place that was asked for before; '%.*s' is none of the caller's.", STR_ARG(str_cut(location, 200)));
}

err *uc_take_staging(struct req *r, const struct caller *c, const struct securable *schema, str location, str *ret_uuid) {
    struct ent_uc_staging row;
    bool found = false;
    str engine, url, given, uuid = location;
    while (uuid.n && uuid.p[uuid.n - 1] == '/') uuid.n--;
    ptrdiff_t slash = -1;
    for (size_t i = 0; i < uuid.n; i++)
        if (uuid.p[i] == '/') slash = (ptrdiff_t)i;
    given = str_cut(location, uuid.n);
    uuid = str_from(uuid, (size_t)(slash + 1));
    if (uuid.n == 36) TRY(ent_uc_staging_by_uuid(r->tx, metastore_scope(c), r->a, uuid, &row, &found));
    if (!found || row.owner_id != r->principal || row.schema_id != schema->id || !str_ieq(row.name, arg_str(r, "name"))) return bad_staging(location);
    struct ent_uc_table t = {.uuid = row.uuid, .table_type = STR("MANAGED"), .location = ask_managed_url(c, schema, row.uuid)};
    TRY(ask_table_place(c, &t, &engine, &url));
    /* file:/a and file:///a are the same. */
    if (str_starts(given, STR("file:/")) && !str_starts(given, STR("file://"))) given = str_of(arena_printf(r->a, "file://%.*s", STR_ARG(str_from(given, 5))));
    if (!str_eq(given, url)) return bad_staging(location);
    *ret_uuid = row.uuid;
    return ent_uc_staging_delete(r->tx, metastore_scope(c), row.id);
}

static err *need_features(const struct kv *properties) {
    for (size_t i = 0; i < ARRAY_LEN(required_writer); i++) {
        buf key = {0};
        buf_fmt(&key, "delta.feature.%s", required_writer[i]);
        bool has = kv_find(properties, buf_view(&key)) != NULL;
        buf_free(&key);
        if (!has)
            return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE, "A managed table needs the feature %s.", required_writer[i]);
    }
    return NULL;
}

static err *managed_place(struct req *r, const struct caller *c, const struct securable *schema, struct tables_spec *spec) {
    TRY(uc_take_staging(r, c, schema, arg_str(r, "location"), &spec->uuid));
    spec->location = ask_managed_url(c, schema, spec->uuid);
    return need_features(&spec->properties);
}

static err *external_place(struct req *r, const struct caller *c, struct tables_spec *spec) {
    struct securable l;
    struct location_place place;
    TRY(locations_url(r->a, arg_str(r, "location"), &spec->location));
    TRY(locations_need(c, spec->location, PRIV_CREATE_EXTERNAL_TABLE, &l));
    TRY(locations_place(c, spec->location, &place));
    return locations_check_free(c, spec->location, 0);
}

err *api_delta_create_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema, t;
    struct tables_spec spec = {.name = arg_str(r, "name"), .type = arg_str(r, "table-type"), .format = STR("DELTA"),
                               .comment = arg_has(r, "comment") ? arg_str(r, "comment") : STR_NONE};
    bool managed = str_eqz(spec.type, "MANAGED");
    int64_t at = arg_i64(r, "last-commit-timestamp-ms", 0);
    TRY(open_schema(r, &c, "catalog", "schema", &schema));
    TRY(kv_from_object(r->a, arg(r, "properties"), "properties", &spec.properties));
    TRY(delta_protocol_in(r, arg(r, "protocol"), &spec.properties));
    TRY(delta_columns_in(r, arg(r, "columns"), arg(r, "partition-columns"), &spec.columns));
    TRY(managed ? managed_place(r, &c, &schema, &spec) : external_place(r, &c, &spec));
    kv_set(r->a, &spec.properties, STR(LAST_VERSION), STR("0"));
    kv_set(r->a, &spec.properties, STR(LAST_TIME), str_of(arena_printf(r->a, "%lld", (long long)at)));
    TRY(tables_create(&c, &schema, &spec, &t));
    if (managed) TRY(managed_begin(&c, t.id, 0, at));
    return delta_put_load(r, &c, &t);
}
