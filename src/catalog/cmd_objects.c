/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that make and drop what lies in schemas, and external locations and credentials. */
#include "catalog/catalogs.h"
#include "catalog/cmd.h"
#include "catalog/functions.h"
#include "catalog/locations.h"
#include "catalog/tables.h"
#include "catalog/volumes.h"

/* The schema of a new thing, with the right to make one there. */
static err *open_schema(struct ask *k, const struct ask_name *n, uint64_t need, struct securable *schema) {
    struct ask_name up = {.part = {n->part[0], n->part[1]}};
    if (n->path) return ask_error("INVALID_IDENTIFIER", "42602", "A path cannot be created by this statement.");
    if (ask_is_virtual(n->part[0], n->part[1])) return ask_denied("CREATE", "information_schema");
    TRY(ask_open(k, SEC_SCHEMA, &up, 0, schema));
    TRY(ask_need(k->c, schema, PRIV_USE_SCHEMA));
    return ask_need(k->c, schema, need);
}

/* ---- views ---- */

/* The query's columns under the names and comments that the statement gives. */
static err *view_columns(struct ask *k, str *ret) {
    jval *result = json_get(k->in, "result"), *given = json_get(k->in, "columns"), *v;
    size_t i, n;
    if (yyjson_arr_size(given) && yyjson_arr_size(given) != yyjson_arr_size(result))
        return ask_error("CREATE_VIEW_COLUMN_ARITY_MISMATCH", "21S01", "Cannot create view: it names %zu columns, but the query "
                         "yields %zu.", yyjson_arr_size(given), yyjson_arr_size(result));
    jmut *list = yyjson_mut_arr(k->d);
    yyjson_arr_foreach(result, i, n, v) {
        jval *g = yyjson_arr_get(given, i);
        jmut *o = json_add_obj(k->d, list);
        str comment = json_get_str(g, "comment").p ? json_get_str(g, "comment") : json_get_str(v, "comment");
        json_put_str(k->d, o, "name", json_get_str(g, "name").p ? json_get_str(g, "name") : json_get_str(v, "name"));
        json_put_str(k->d, o, "type_json", json_get_str(v, "type_json"));
        json_put_str(k->d, o, "type_text", json_get_str(v, "type"));
        json_put_bool(k->d, o, "nullable", !yyjson_is_false(json_get(v, "nullable")));
        if (comment.n) json_put_str(k->d, o, "comment", comment);
    }
    *ret = json_text(k->c->a, list);
    return NULL;
}

/* What a statement asks to be protected is protected or refused, never left open. */
static err *no_policies(struct ask *k) {
    jval *v;
    size_t i, n;
    bool any = json_get(k->in, "filter") != NULL;
    yyjson_arr_foreach(json_get(k->in, "columns"), i, n, v) any |= json_get(v, "mask") != NULL;
    return any ? ask_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", "0A000", "Row filters and masks are kept on tables, not on views.") : NULL;
}

/* Properties of a text kept as pairs. */
static err *pairs_text(struct ask *k, const char *slot, str *ret) {
    struct kv pairs;
    TRY(ask_pairs(k, slot, &pairs));
    return kv_text(k->c->a, &pairs, "properties", ret);
}

static err *replace_view(struct ask *k, struct securable *t, const struct tables_spec *spec) {
    if (!table_is_view(&t->table))
        return ask_error("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", "42809", "%.*s is a table, and CREATE OR REPLACE VIEW "
                                                                          "replaces views only.",
                         STR_ARG(ask_quoted(k->c->a, t->catalog.name, t->schema.name, t->table.name)));
    TRY(ask_need(k->c, t, PRIV_MANAGE));
    TRY(ask_sql(securable_need_owner(k->c, t)));
    t->table.columns = spec->columns;
    t->table.view_text = spec->view_text;
    t->table.view_catalog = spec->view_catalog;
    t->table.view_schema = spec->view_schema;
    t->table.comment = spec->comment;
    TRY(pairs_text(k, "properties", &t->table.properties));
    return ask_sql(tables_save(k->c, t));
}

static err *create_view(struct ask *k) {
    struct ask_name n;
    struct securable schema, t;
    bool found, materialized = ask_flag(k, "materialized");
    struct tables_spec spec = {.type = materialized ? STR("MATERIALIZED_VIEW") : STR("VIEW"),
                               .view_text = ask_text(k, "text"),
                               .view_catalog = k->catalog,
                               .view_schema = k->schema,
                               .comment = ask_text(k, "comment")};
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    TRY(open_schema(k, &n, materialized ? PRIV_CREATE_MATERIALIZED_VIEW : PRIV_CREATE_TABLE, &schema));
    if (!spec.view_text.n) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "A view needs a query.");
    TRY(no_policies(k));
    TRY(view_columns(k, &spec.columns));
    TRY(ask_pairs(k, "properties", &spec.properties));
    spec.name = n.part[2];
    TRY(securable_below(k->c, &schema, SEC_TABLE, n.part[2], &t, &found));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    if (found && ask_flag(k, "replace")) return replace_view(k, &t, &spec);
    if (found) return ask_table_exists(k, &t);
    return ask_sql(tables_create(k->c, &schema, &spec, &t));
}

/* ALTER VIEW v AS query. */
static err *alter_view_query(struct ask *k) {
    struct securable t;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MANAGE, &t));
    if (!table_is_view(&t.table))
        return ask_error("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", "42809", "'%.*s' is not a view.", STR_ARG(t.full_name));
    TRY(ask_sql(securable_need_owner(k->c, &t)));
    str text = ask_text(k, "text").n ? ask_text(k, "text") : json_get_str(json_get(k->in, "query"), "sql");
    if (!text.n) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "A view needs a query.");
    TRY(view_columns(k, &t.table.columns));
    t.table.view_text = text;
    t.table.view_catalog = k->catalog;
    t.table.view_schema = k->schema;
    return ask_sql(tables_save(k->c, &t));
}

/* ---- tables of other formats, which have no log ---- */

static err *create_table(struct ask *k) {
    struct ask_name n;
    struct securable schema, l, t;
    struct location_place place;
    bool found;
    str format = ask_word(k, "using"), columns;
    struct tables_spec spec = {.type = STR("EXTERNAL"), .comment = ask_text(k, "comment")};
    static const char *const formats[] = {"parquet", "csv", "json", "text", "orc", "avro", "binaryfile"};
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    TRY(open_schema(k, &n, PRIV_CREATE_TABLE, &schema));
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (str_ieq(format, str_of(formats[i]))) spec.format = str_of(formats[i]);
    if (!spec.format.n || !ask_text(k, "location").n)
        return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "A table of format '%.*s' needs a LOCATION; managed tables are "
                         "Delta tables.", STR_ARG(format.n ? format : STR("delta")));
    TRY(securable_below(k->c, &schema, SEC_TABLE, n.part[2], &t, &found));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    if (found && !ask_flag(k, "replace")) return ask_table_exists(k, &t);
    TRY(ask_sql(locations_url(k->c->a, ask_text(k, "location"), &spec.location)));
    TRY(ask_sql(locations_need(k->c, spec.location, PRIV_CREATE_EXTERNAL_TABLE, &l)));
    TRY(ask_sql(locations_place(k->c, spec.location, &place)));
    TRY(ask_sql(locations_check_free(k->c, spec.location, found ? t.id : 0)));
    if (found) {
        TRY(ask_need(k->c, &t, PRIV_MANAGE));
        TRY(tables_drop(k->c, &t, false));
    }
    jmut *list = yyjson_mut_arr(k->d);
    jval *given = json_get(k->in, "columns"), *v;
    size_t i, m;
    yyjson_arr_foreach(given, i, m, v) {
        jmut *o = json_add_obj(k->d, list);
        json_put_str(k->d, o, "name", json_get_str(v, "name"));
        json_put_str(k->d, o, "type_json", json_get_str(v, "type_json"));
        json_put_str(k->d, o, "type_text", json_get_str(v, "type"));
        json_put_bool(k->d, o, "nullable", !yyjson_is_true(json_get(v, "not_null")));
        if (json_get_str(v, "comment").n) json_put_str(k->d, o, "comment", json_get_str(v, "comment"));
    }
    columns = json_text(k->c->a, list);
    char *upper = arena_strndup(k->c->a, spec.format.p, spec.format.n);
    for (char *p = upper; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    spec.format = str_of(upper);
    spec.columns = columns;
    spec.name = n.part[2];
    TRY(ask_pairs(k, "properties", &spec.properties));
    TRY(ask_sql(tables_create(k->c, &schema, &spec, &t)));
    return cmd_apply_policies(k, &t, k->in);
}

/* ---- dropping tables and views ---- */

static err *drop(struct ask *k, bool view) {
    struct ask_name n;
    struct securable t;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    if (n.path) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "A path cannot be dropped.");
    if (ask_is_virtual(n.part[0], n.part[1])) return ask_denied("MANAGE", "information_schema");
    TRY(ask_find(k, k->c, SEC_TABLE, &n, &t, &found));
    if (!found) {
        if (!ask_flag(k, "if_exists")) return ask_missing(k, SEC_TABLE, &n);
        return NULL;
    }
    if (view != table_is_view(&t.table) && view)
        return ask_error("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", "42809", "%.*s is a table. Use DROP TABLE.", STR_ARG(ask_quoted(k->c->a, t.catalog.name, t.schema.name, t.table.name)));
    if (view != table_is_view(&t.table))
        return ask_error("WRONG_COMMAND_FOR_OBJECT_TYPE", "42809", "%.*s is a view. Use DROP VIEW.", STR_ARG(ask_quoted(k->c->a, t.catalog.name, t.schema.name, t.table.name)));
    TRY(ask_need(k->c, &t, PRIV_MANAGE));
    return ask_sql(tables_drop(k->c, &t, false));
}
static err *drop_table(struct ask *k) { return drop(k, false); }
static err *drop_view(struct ask *k) { return drop(k, true); }

/* ---- functions ---- */

static err *function_params(struct ask *k, const char *slot, str *ret) {
    jval *v;
    size_t i, n;
    jmut *list = yyjson_mut_arr(k->d);
    yyjson_arr_foreach(json_get(k->in, slot), i, n, v) {
        jmut *o = json_add_obj(k->d, list);
        json_put_str(k->d, o, "name", json_get_str(v, "name"));
        json_put_str(k->d, o, "type_text", json_get_str(v, "type").n ? json_get_str(v, "type") : STR("string"));
        json_put_str(k->d, o, "type_json", json_get_str(v, "type_json"));
        jval *d = json_get(v, "default");
        str text = yyjson_is_obj(d) ? json_get_str(d, "sql") : json_str(d);
        if (yyjson_is_str(d)) { /* a literal lost its quotes on the way */
            int64_t number;
            if (!str_to_i64(text, &number)) text = str_of(arena_printf(k->c->a, "'%.*s'", STR_ARG(text)));
        }
        if (yyjson_is_null(d) && d) text = STR("NULL");
        if (text.p) json_put_str(k->d, o, "default", text);
        if (json_get_str(v, "comment").n) json_put_str(k->d, o, "comment", json_get_str(v, "comment"));
    }
    *ret = json_text(k->c->a, list);
    return NULL;
}

static err *create_function(struct ask *k) {
    struct ask_name n;
    struct securable schema, f;
    bool found;
    jval *returns = json_get(k->in, "returns");
    str language = ask_word(k, "language");
    struct functions_spec spec = {.language = str_ieq(language, STR("PYTHON")) ? STR("PYTHON") : STR("SQL"),
                                  .is_table = yyjson_is_arr(returns),
                                  .deterministic = true,
                                  .body = ask_text(k, "text"),
                                  .comment = ask_text(k, "comment")};
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    TRY(open_schema(k, &n, PRIV_CREATE_FUNCTION, &schema));
    if (language.n && !str_ieq(language, STR("SQL")))
        return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "Functions in %.*s are not supported; LANGUAGE is SQL.", STR_ARG(str_cut(language, 40)));
    spec.name = n.part[2];
    if (!spec.body.n) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "A function needs a body.");
    TRY(function_params(k, "params", &spec.params));
    if (spec.is_table) {
        TRY(function_params(k, "returns", &spec.returns));
    } else {
        jmut *o = yyjson_mut_obj(k->d);
        json_put_str(k->d, o, "type_text", json_get_str(returns, "type").n ? json_get_str(returns, "type") : STR("string"));
        json_put_str(k->d, o, "type_json", json_get_str(returns, "type_json"));
        spec.returns = json_text(k->c->a, o);
    }
    jval *v;
    size_t i, m;
    yyjson_arr_foreach(json_get(k->in, "options"), i, m, v)
        if (str_ieq(json_str(v), STR("not deterministic"))) spec.deterministic = false;
    TRY(securable_below(k->c, &schema, SEC_FUNCTION, n.part[2], &f, &found));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    if (found && !ask_flag(k, "replace"))
        return ask_error("ROUTINE_ALREADY_EXISTS", "42723", "A function %.*s already exists. Use OR REPLACE, IF NOT EXISTS or "
                                                            "another name.", STR_ARG(ask_quoted(k->c->a, n.part[0], n.part[1], n.part[2])));
    return ask_sql(functions_create(k->c, &schema, &spec, true, &f));
}

static err *drop_function(struct ask *k) {
    struct ask_name n;
    struct securable f;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    TRY(ask_find(k, k->c, SEC_FUNCTION, &n, &f, &found));
    if (!found) return ask_flag(k, "if_exists") ? NULL : ask_missing(k, SEC_FUNCTION, &n);
    TRY(ask_need(k->c, &f, PRIV_MANAGE));
    return ask_sql(functions_delete(k->c, &f));
}

/* ---- volumes ---- */

static err *create_volume(struct ask *k) {
    struct ask_name n;
    struct securable schema, v, l;
    struct location_place place;
    bool found;
    str location = ask_text(k, "location");
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    TRY(open_schema(k, &n, PRIV_CREATE_VOLUME, &schema));
    if (str_ieq(schema.catalog.name, STR(HIVE_CATALOG)))
        return ask_error("UNSUPPORTED_FEATURE.CATALOG_OPERATION", "0A000", "Catalog hive_metastore keeps no volumes; use another catalog.");
    TRY(securable_below(k->c, &schema, SEC_VOLUME, n.part[2], &v, &found));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    if (found)
        return ask_error("VOLUME_ALREADY_EXISTS", "42000", "A volume %.*s already exists. Use IF NOT EXISTS or another name.",
                         STR_ARG(ask_quoted(k->c->a, n.part[0], n.part[1], n.part[2])));
    if (ask_flag(k, "external") && !location.n)
        return ask_error("INVALID_PARAMETER_VALUE", "22023", "An external volume needs a LOCATION.");
    if (location.n) {
        TRY(ask_sql(locations_url(k->c->a, location, &location)));
        TRY(ask_sql(locations_need(k->c, location, PRIV_CREATE_EXTERNAL_VOLUME, &l)));
        TRY(ask_sql(locations_place(k->c, location, &place)));
        TRY(ask_sql(locations_check_free(k->c, location, 0)));
    }
    return ask_sql(volumes_create(k->c, &schema, n.part[2], location, ask_text(k, "comment"), &v));
}

static err *drop_volume(struct ask *k) {
    struct ask_name n;
    struct securable v;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    TRY(ask_find(k, k->c, SEC_VOLUME, &n, &v, &found));
    if (!found) return ask_flag(k, "if_exists") ? NULL : ask_missing(k, SEC_VOLUME, &n);
    TRY(ask_need(k->c, &v, PRIV_MANAGE));
    return ask_sql(volumes_delete(k->c, &v));
}

/* ---- external locations and credentials ---- */

static err *need_metastore(struct ask *k, uint64_t need) {
    struct securable top;
    bool found;
    TRY(securable_find(k->c, SEC_METASTORE, STR(""), &top, &found));
    return ask_need(k->c, &top, need);
}

static err *create_location(struct ask *k) {
    struct ask_name n;
    struct securable l;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), 1, &n));
    TRY(need_metastore(k, PRIV_CREATE_EXTERNAL_LOCATION));
    TRY(ask_find(k, k->c, SEC_LOCATION, &n, &l, &found));
    if (found && ask_flag(k, "if_not_exists")) return NULL;
    return ask_sql(locations_create(k->c, n.part[0], ask_text(k, "location"), ask_word(k, "key"), ask_text(k, "comment"), false, &l));
}

static err *drop_location(struct ask *k) {
    struct ask_name n;
    struct securable l;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), 1, &n));
    TRY(ask_find(k, k->c, SEC_LOCATION, &n, &l, &found));
    if (!found) return ask_flag(k, "if_exists") ? NULL : ask_missing(k, SEC_LOCATION, &n);
    TRY(ask_need(k->c, &l, PRIV_MANAGE));
    return ask_sql(locations_delete(k->c, &l, ask_flag(k, "all")));
}

static err *drop_credential(struct ask *k) {
    struct ask_name n;
    struct securable s;
    bool found;
    TRY(ask_name(k, json_get(k->in, "name"), 1, &n));
    TRY(ask_find(k, k->c, SEC_CREDENTIAL, &n, &s, &found));
    if (!found) return ask_flag(k, "if_exists") ? NULL : ask_missing(k, SEC_CREDENTIAL, &n);
    TRY(ask_need(k->c, &s, PRIV_MANAGE));
    return ask_sql(credentials_delete(k->c, &s, ask_flag(k, "all")));
}

/* ---- statements that keep statistics and caches, which nothing here needs ---- */

static err *nothing_for_table(struct ask *k) {
    struct ask_name n;
    struct securable t;
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    return n.path ? NULL : ask_open(k, SEC_TABLE, &n, PRIV_SELECT | PRIV_MODIFY, &t);
}

static err *nothing(struct ask *k) {
    (void)k;
    return NULL;
}

const struct ask_command ask_object_commands[] = {
    {"create_view", create_view, true},
    {"alter_view_query", alter_view_query, true},
    {"create_table", create_table, true},
    {"drop_table", drop_table, true},
    {"drop_view", drop_view, true},
    {"drop_materialized_view", drop_view, true},
    {"create_function", create_function, true},
    {"drop_function", drop_function, true},
    {"create_volume", create_volume, true},
    {"drop_volume", drop_volume, true},
    {"create_location", create_location, true},
    {"drop_location", drop_location, true},
    {"drop_credential", drop_credential, true},
    {"analyze_table", nothing_for_table, false},
    {"analyze_tables", nothing, false},
    {"refresh_table", nothing_for_table, false},
    {"refresh_path", nothing, false},
    {"refresh_function", nothing, false},
    {"cache_table", nothing_for_table, false},
    {"uncache_table", nothing, false},
    {"clear_cache", nothing, false},
    {"repair_table", nothing_for_table, false},
    {NULL, NULL, false},
};
