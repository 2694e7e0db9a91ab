/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that are made and changed by engines. A new table goes three steps: stage_table decides rights and place, the
 * engine writes its files there, commit writes the log and then the row. The row is the last: until it is there nobody
 * can name the table, and a folder without a row is swept like any half-done write.
 */
#include "catalog/clones.h"
#include "catalog/cmd.h"
#include "catalog/locations.h"
#include "catalog/managed.h"
#include "catalog/name.h"
#include "catalog/stores.h"
#include "catalog/tables.h"
#include "sys/rand.h"

static err *open_schema(struct ask *k, const struct ask_name *n, struct securable *schema) {
    struct ask_name up = {.part = {n->part[0], n->part[1]}};
    if (ask_is_virtual(n->part[0], n->part[1])) return ask_denied("CREATE TABLE", "information_schema");
    TRY(ask_open(k, SEC_SCHEMA, &up, 0, schema));
    TRY(ask_need(k->c, schema, PRIV_USE_SCHEMA));
    return ask_need(k->c, schema, PRIV_CREATE_TABLE);
}

/* An external table's place: in an external location that lets him, alone there. */
static err *external_place(struct ask *k, str location, int64_t but, struct location_place *place, str *url) {
    struct securable l;
    TRY(ask_sql(locations_url(k->c->a, location, url)));
    TRY(ask_sql(locations_need(k->c, *url, PRIV_CREATE_EXTERNAL_TABLE, &l)));
    TRY(ask_sql(locations_place(k->c, *url, place)));
    return ask_sql(locations_check_free(k->c, *url, but));
}

/* Where a new managed table of a schema lies if the schema or its catalog has a managed location; empty: in the account's. */
static str managed_url(struct ask *k, const struct securable *schema, str uuid) {
    str root = schema->schema.storage_root.n ? schema->schema.storage_root : schema->catalog.storage_root;
    return root.n ? str_of(arena_printf(k->c->a, "%.*s/tables/%.*s", STR_ARG(root), STR_ARG(uuid))) : STR("");
}

static void put_names(struct ask *k, const struct securable *schema, str name) {
    json_put_str(k->d, k->out, "catalog", schema->catalog.name);
    json_put_str(k->d, k->out, "schema", schema->schema.name);
    json_put_str(k->d, k->out, "name", name);
    json_put_str(k->d, k->out, "full_name", name_join(k->c->a, schema->catalog.name, schema->schema.name, name));
}

static err *staged_existing(struct ask *k, const struct securable *t) {
    str engine, url;
    TRY(ask_table_place(k->c, &t->table, &engine, &url));
    TRY(ask_access(k, url, true));
    json_put_bool(k->d, k->out, "exists", true);
    json_put_str(k->d, k->out, "id", str_of(arena_printf(k->c->a, "%lld", (long long)t->id)));
    json_put_z(k->d, k->out, "kind", table_is_view(&t->table) ? "view" : "table");
    json_put_str(k->d, k->out, "uuid", t->table.uuid);
    json_put_str(k->d, k->out, "location", engine);
    json_put_str(k->d, k->out, "url", url);
    json_put_str(k->d, k->out, "format", t->table.format);
    json_put_bool(k->d, k->out, "managed", table_is_managed(&t->table));
    struct managed_log log;
    bool found;
    TRY(managed_find(k->c, k->c->tx, t->id, &log, &found));
    if (found) managed_put(k->d, k->out, &log);
    return clones_put(k, k->out, &t->table);
}

err *ask_stage_table(struct ask *k) {
    struct ask_name n;
    struct securable schema, t;
    bool found, replace = ask_flag(k, "replace"), tolerant = ask_flag(k, "if_not_exists");
    jval *name = json_get(k->in, "parts");
    TRY(ask_name(k, name ? name : json_get(k->in, "name"), 3, &n));
    TRY(open_schema(k, &n, &schema));
    put_names(k, &schema, n.part[2]);
    TRY(securable_below(k->c, &schema, SEC_TABLE, n.part[2], &t, &found));
    if (found && (!replace || table_is_view(&t.table)) && !tolerant) return ask_table_exists(k, &t);
    if (found && replace) TRY(ask_need(k->c, &t, PRIV_MANAGE));
    if (found) return staged_existing(k, &t);
    char uuid[37];
    rand_uuid(uuid);
    str location = ask_text(k, "location"), url, engine;
    if (location.n) {
        struct location_place place;
        TRY(external_place(k, location, 0, &place, &url));
        engine = place.engine;
    } else {
        struct ent_uc_table row = {.uuid = str_of(uuid), .table_type = STR("MANAGED"), .location = managed_url(k, &schema, str_of(uuid))};
        TRY(ask_table_place(k->c, &row, &engine, &url));
    }
    TRY(ask_access(k, url, true));
    json_put_bool(k->d, k->out, "exists", false);
    json_put_str(k->d, k->out, "uuid", arena_str(k->c->a, str_of(uuid)));
    json_put_str(k->d, k->out, "location", engine);
    json_put_str(k->d, k->out, "url", url);
    json_put_bool(k->d, k->out, "managed", !location.n);
    if (ask_text(k, "format").n) json_put_str(k->d, k->out, "format", ask_text(k, "format"));
    if (ask_text(k, "comment").p) json_put_str(k->d, k->out, "comment", ask_text(k, "comment"));
    return NULL;
}

/* ---- commits ---- */

static bool is_uuid(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '-' && !(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f')) return false;
    return s.n == 36;
}

static err *remote_place(struct ask *k, str url, struct ask_commit_place *ret) {
    struct store_at at;
    TRY(ask_sql(stores_open(k->c, url, &at)));
    ret->store = at.s;
    ret->key = at.key;
    return NULL;
}

static err *control_place(struct ask *k, const struct ent_uc_table *t, struct ask_commit_place *ret) {
    struct location_place place;
    str engine, url;
    TRY(ask_sql(ask_table_place(k->c, t, &engine, &url)));
    if (url_is_remote(url)) return remote_place(k, url, ret);
    if (t->location.n) {
        TRY(ask_sql(locations_place(k->c, t->location, &place)));
        ret->control = place.control;
        return NULL;
    }
    if (!k->c->n_roots) return err_new(ERR_INVALID_STATE, "There is no place for managed tables.");
    ret->control = str_of(arena_printf(k->c->a, "%s/%.*s", k->c->roots[0].control, STR_ARG(t->uuid)));
    return NULL;
}

static err *check_kept(jval *columns, str name, const char *why, const char *until) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(columns, i, n, v)
        if (str_ieq(json_get_str(v, "name"), name)) return NULL;
    return ask_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", "0A000", "The column '%.*s' %s: it can be renamed, dropped or replaced once %s is dropped.",
                     STR_ARG(name), why, until);
}

/* arguments: NULL where names has no constant. */
static err *check_all_kept(jval *columns, jval *names, jval *arguments, const char *why, const char *until) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(names, i, n, v)
        if (!json_get(yyjson_arr_get(arguments, i), "constant")) TRY(check_kept(columns, json_str(v), why, until));
    return NULL;
}

/* Masks and row filters hang on names: a column under another name, or dropped and found again by time travel, would have none.
 * Decided before the log is written. */
static err *check_masked(struct ask *k, const struct ent_uc_table *row) {
    jval *columns = json_get(k->in, "columns"), *before, *v, *f;
    size_t i, n;
    if (!yyjson_is_arr(columns)) return NULL;
    TRY(json_parse(k->c->a, row->columns.n ? row->columns : STR("[]"), false, &before));
    yyjson_arr_foreach(before, i, n, v) {
        jval *mask = json_get(v, "mask");
        if (!yyjson_is_obj(mask)) continue;
        TRY(check_kept(columns, json_get_str(v, "name"), "has a mask", "the mask"));
        TRY(check_all_kept(columns, json_get(mask, "using_column_names"), json_get(mask, "using_arguments"), "is read by a mask", "the mask"));
    }
    if (!row->row_filter.n) return NULL;
    TRY(json_parse(k->c->a, row->row_filter, false, &f));
    return check_all_kept(columns, json_get(f, "input_column_names"), json_get(f, "input_arguments"), "is read by the row filter",
                          "the row filter");
}

static err *take_keys(struct ask *k, str table, struct ent_uc_table *row) BH_CHECK;

/* What `create` says is asked again: it came from the engine. Keys are looked at before anything is written. */
static err *place_of_new(struct ask *k, jval *create, struct ask_commit_place *ret) {
    struct ask_name n = {.part = {json_get_str(create, "catalog"), json_get_str(create, "schema"), json_get_str(create, "name")}};
    struct securable schema, t;
    bool found;
    str uuid = json_get_str(create, "uuid");
    if (!n.part[0].n || !n.part[1].n || !n.part[2].n || !is_uuid(uuid))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A commit of a new table has no name or no uuid.");
    TRY(open_schema(k, &n, &schema));
    TRY(securable_below(k->c, &schema, SEC_TABLE, n.part[2], &t, &found));
    if (found) {
        if (!str_eq(t.table.uuid, uuid)) return ask_table_exists(k, &t);
        TRY(ask_need(k->c, &t, PRIV_MANAGE));
        TRY(check_masked(k, &t.table));
        ret->managed = table_is_managed(&t.table);
        ret->table = t.id;
        return control_place(k, &t.table, ret);
    }
    struct ent_uc_table row = {.uuid = uuid};
    ret->managed = !yyjson_is_false(json_get(create, "managed"));
    if (ret->managed) {
        row.location = managed_url(k, &schema, uuid);
    } else {
        struct location_place place;
        TRY(external_place(k, json_get_str(create, "url"), 0, &place, &row.location));
    }
    TRY(control_place(k, &row, ret));
    return NULL;
}

/* A path by itself, as the engine sees it. */
static err *place_of_path(struct ask *k, str path, struct ask_commit_place *ret) {
    if (url_is_remote(path)) {
        struct securable l;
        TRY(ask_sql(locations_url(k->c->a, path, &path)));
        TRY(ask_sql(locations_need(k->c, path, PRIV_WRITE_FILES, &l)));
        TRY(ask_sql(locations_check_tables(k->c, path, true)));
        return remote_place(k, path, ret);
    }
    for (size_t i = 1; i < k->c->n_roots; i++) {
        str root = str_of(k->c->roots[i].engine);
        if (!str_starts(path, root) || path.n <= root.n || path.p[root.n] != '/') continue;
        str url = str_of(arena_printf(k->c->a, "%s%.*s", k->c->roots[i].url, STR_ARG(str_from(path, root.n))));
        struct securable l;
        struct location_place place;
        TRY(ask_sql(locations_url(k->c->a, url, &url)));
        TRY(ask_sql(locations_need(k->c, url, PRIV_WRITE_FILES, &l)));
        TRY(ask_sql(locations_check_tables(k->c, url, true)));
        TRY(ask_sql(locations_place(k->c, url, &place)));
        ret->control = place.control;
        return NULL;
    }
    return ask_denied("WRITE FILES", "the path");
}

static err *open_by_id(struct ask *k, str id, struct securable *t) {
    int64_t number;
    bool found = false;
    if (str_to_i64(id, &number)) TRY(securable_by_id(k->c, SEC_TABLE, number, t, &found));
    if (found && securable_visible(k->c, t)) return NULL;
    return ask_error("TABLE_OR_VIEW_NOT_FOUND", "42P01", "The table cannot be found: it was dropped meanwhile.");
}

static err *find_place(struct ask *k, struct ask_commit_place *ret) {
    struct securable t;
    jval *create = json_get(k->in, "create");
    if (yyjson_is_obj(create)) return place_of_new(k, create, ret);
    str id = ask_text(k, "id");
    if (!id.n) return place_of_path(k, ask_text(k, "path"), ret);
    TRY(open_by_id(k, id, &t));
    /* Columns and properties are the owner's to change; rows are changed with MODIFY. */
    TRY(ask_need(k->c, &t, PRIV_MODIFY | PRIV_MANAGE));
    TRY(check_masked(k, &t.table));
    if (yyjson_is_arr(json_get(k->in, "columns"))) TRY(ask_sql(keys_check_columns(k->c->a, &t.table, json_get(k->in, "columns"))));
    if (json_get(k->in, "policies")) TRY(ask_need(k->c, &t, PRIV_MANAGE));
    ret->managed = table_is_managed(&t.table);
    ret->table = t.id;
    return control_place(k, &t.table, ret);
}

/* A path by itself that a clone is of; the table that lies there, if one does. */
static err *path_source(struct ask *k, str raw, struct clone_source *ret) {
    struct securable l;
    struct ent_uc_table_rows rows;
    TRY(ask_sql(locations_url(k->c->a, raw, &ret->url)));
    TRY(ask_sql(locations_need(k->c, ret->url, PRIV_READ_FILES, &l)));
    TRY(ask_sql(locations_check_tables(k->c, ret->url, false)));
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_LOCATION, .s = ret->url}}, .limit = 100};
    TRY(ent_uc_table_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++)
        if (rows.p[i].schema_id > 0) ret->id = rows.p[i].id;
    return NULL;
}

static err *source_of(struct ask *k, jval *v, struct clone_source *ret) {
    struct securable t;
    str engine;
    *ret = (struct clone_source){0};
    if (!json_get_str(v, "id").n) return path_source(k, json_get_str(v, "url"), ret);
    TRY(open_by_id(k, json_get_str(v, "id"), &t));
    TRY(ask_need(k->c, &t, PRIV_SELECT));
    if (t.table.row_filter.n || str_find(t.table.columns, STR("\"mask\"")) >= 0)
        return ask_denied("MANAGE", "the source, which has a row filter or masks");
    ret->id = t.id;
    ret->managed = table_is_managed(&t.table);
    return ask_table_place(k->c, &t.table, &engine, &ret->url);
}

static err *asked_sources(struct ask *k, struct clone_source **ret, size_t *ret_n) {
    jval *list = json_get(k->in, "sources"), *v;
    size_t i, n;
    *ret = arena_array_of(k->c->a, struct clone_source, yyjson_arr_size(list) + 1);
    *ret_n = 0;
    yyjson_arr_foreach(list, i, n, v) TRY(source_of(k, v, &(*ret)[(*ret_n)++]));
    return NULL;
}

err *ask_commit_sources(struct ask *k, int64_t table, str **ret, size_t *ret_n) {
    struct clone_source *asked, *kept = NULL;
    size_t n, n_kept = 0;
    struct securable t;
    bool found = false;
    TRY(asked_sources(k, &asked, &n));
    if (table) TRY(securable_by_id(k->c, SEC_TABLE, table, &t, &found));
    if (found) TRY(clones_read(k->c->a, &t.table, &kept, &n_kept));
    *ret = arena_array_of(k->c->a, str, n + n_kept + 1);
    *ret_n = n + n_kept;
    for (size_t i = 0; i < n + n_kept; i++) (*ret)[i] = i < n ? asked[i].url : kept[i - n].url;
    return NULL;
}

/* What a clone's log names from now on is readable with the clone; what older versions name stays so. */
static err *take_sources(struct ask *k, struct ent_uc_table *row) {
    struct clone_source *asked;
    size_t n;
    TRY(asked_sources(k, &asked, &n));
    return n ? clones_add(k->c->a, row, asked, n) : NULL;
}

err *ask_control_place(const struct caller *c, const struct ent_uc_table *t, struct ask_commit_place *ret) {
    struct caller own = *c;
    struct ask k = {.c = &own};
    *ret = (struct ask_commit_place){0};
    return control_place(&k, t, ret);
}

str ask_managed_url(const struct caller *c, const struct securable *schema, str uuid) {
    struct caller own = *c;
    struct ask k = {.c = &own};
    return managed_url(&k, schema, uuid);
}

err *ask_commit_place(struct ask *k, struct ask_commit_place *ret) {
    struct managed_log log;
    *ret = (struct ask_commit_place){0};
    TRY(find_place(k, ret));
    return ret->table ? managed_find(k->c, k->c->tx, ret->table, &log, &ret->catalog_managed) : NULL;
}

/* {"a":"b"} of a commit over what the row has. */
static err *take_state(struct ask *k, struct ent_uc_table *row) {
    jval *columns = json_get(k->in, "columns"), *properties = json_get(k->in, "properties"), *before, *v, *w;
    struct kv pairs;
    size_t i, n, x, y;
    if (yyjson_is_arr(columns)) {
        /* Masks are the catalog's, not the log's: they stay with their columns. */
        TRY(json_parse(k->c->a, row->columns.n ? row->columns : STR("[]"), false, &before));
        jmut *list = yyjson_val_mut_copy(k->d, columns);
        yyjson_arr_foreach(before, i, n, v) {
            if (!yyjson_is_obj(json_get(v, "mask"))) continue;
            yyjson_arr_foreach(columns, x, y, w) {
                if (!str_ieq(json_get_str(w, "name"), json_get_str(v, "name"))) continue;
                yyjson_mut_obj_add_val(k->d, yyjson_mut_arr_get(list, x), "mask", yyjson_val_mut_copy(k->d, json_get(v, "mask")));
            }
        }
        row->columns = json_text(k->c->a, list);
    }
    if (yyjson_is_obj(properties)) {
        struct kv old;
        TRY(kv_from_object(k->c->a, properties, "properties", &pairs));
        TRY(kv_read(k->c->a, row->properties, &old));
        for (i = 0; i < old.n; i++)
            if (str_starts(old.p[i].key, STR(TABLE_STATISTICS))) kv_set(k->c->a, &pairs, old.p[i].key, old.p[i].value);
        TRY(kv_text(k->c->a, &pairs, "properties", &row->properties));
    }
    if (yyjson_is_str(json_get(k->in, "comment"))) row->comment = ask_text(k, "comment");
    return NULL;
}

/* Keys that CREATE TABLE declares; a table that is replaced loses those that it had. */
static err *take_keys(struct ask *k, str table, struct ent_uc_table *row) {
    jval *keys = json_get(k->in, "keys"), *v;
    size_t i, n;
    jmut *list = yyjson_mut_arr(k->d);
    struct key_table of = {.name = table, .columns = json_get(k->in, "columns"), .made = true};
    yyjson_arr_foreach(keys, i, n, v) TRY(cmd_put_key(k, &of, v, list));
    if (keys) row->constraints = json_text(k->c->a, list);
    return NULL;
}

/* The commit made the table a catalog-managed one: from its version on the catalog says which versions there are. */
static err *take_log(struct ask *k, int64_t table, bool managed) {
    int64_t at = 0;
    if (!ask_flag(k, "catalog_managed")) return NULL;
    if (!managed)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Only the catalog's own tables can be catalog-managed; this one's files lie elsewhere.");
    (void)json_i64(json_get(k->in, "now_ms"), &at);
    return managed_begin(k->c, table, yyjson_mut_get_sint(yyjson_mut_obj_get(k->out, "version")), at);
}

/* What the table is from this commit on. Clients of shallow clones ask for it: CREATE OR REPLACE does not make one of any table. */
static str type_of_new(struct ask *k, bool managed) {
    if (yyjson_arr_size(json_get(k->in, "sources"))) return managed ? STR("MANAGED_SHALLOW_CLONE") : STR("EXTERNAL_SHALLOW_CLONE");
    return managed ? STR("MANAGED") : STR("EXTERNAL");
}

static err *make_row(struct ask *k, jval *create) {
    struct ask_name n = {.part = {json_get_str(create, "catalog"), json_get_str(create, "schema"), json_get_str(create, "name")}};
    struct securable schema, t;
    struct ent_uc_table row = {0};
    bool found, managed = !yyjson_is_false(json_get(create, "managed"));
    TRY(open_schema(k, &n, &schema));
    TRY(securable_below(k->c, &schema, SEC_TABLE, n.part[2], &t, &found));
    if (found) {
        if (!str_eq(t.table.uuid, json_get_str(create, "uuid"))) return ask_table_exists(k, &t);
        TRY(take_state(k, &t.table));
        TRY(take_keys(k, t.table.name, &t.table));
        t.table.table_type = type_of_new(k, table_is_managed(&t.table));
        TRY(take_sources(k, &t.table));
        TRY(tables_save(k->c, &t));
        TRY(cmd_apply_policies(k, &t, json_get(k->in, "policies")));
        return take_log(k, t.id, managed);
    }
    TRY(take_state(k, &row));
    TRY(take_keys(k, n.part[2], &row));
    TRY(take_sources(k, &row));
    str format = json_get_str(create, "format");
    struct tables_spec spec = {.name = n.part[2],
                               .type = type_of_new(k, managed),
                               .format = format.n ? format : STR("DELTA"),
                               .uuid = json_get_str(create, "uuid"),
                               .columns = row.columns,
                               .constraints = row.constraints,
                               .clone_sources = row.clone_sources,
                               .comment = row.comment.p ? row.comment : json_get_str(create, "comment")};
    if (managed)
        spec.location = managed_url(k, &schema, spec.uuid);
    else
        TRY(ask_sql(locations_url(k->c->a, json_get_str(create, "url"), &spec.location)));
    TRY(kv_read(k->c->a, row.properties, &spec.properties));
    TRY(ask_sql(tables_create(k->c, &schema, &spec, &t)));
    TRY(cmd_apply_policies(k, &t, json_get(k->in, "policies")));
    return take_log(k, t.id, managed);
}

err *ask_commit_done(struct ask *k) {
    struct securable t;
    jval *create = json_get(k->in, "create");
    if (yyjson_is_obj(create)) return make_row(k, create);
    if (!ask_text(k, "id").n) return NULL;
    if (!json_get(k->in, "columns") && !json_get(k->in, "properties") && !json_get(k->in, "policies") && !ask_flag(k, "catalog_managed")) return NULL;
    TRY(open_by_id(k, ask_text(k, "id"), &t));
    TRY(take_state(k, &t.table));
    TRY(tables_save(k->c, &t));
    if (json_get(k->in, "policies")) {
        TRY(ask_need(k->c, &t, PRIV_MANAGE));
        TRY(cmd_apply_policies(k, &t, json_get(k->in, "policies")));
    }
    return take_log(k, t.id, table_is_managed(&t.table));
}
