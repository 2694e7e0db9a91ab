/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of tables, volumes, functions and keys. */
#include "api/delta/staging.h"
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "catalog/ask.h"
#include "catalog/functions.h"
#include "catalog/keys.h"
#include "catalog/locations.h"
#include "catalog/managed.h"
#include "catalog/name.h"
#include "catalog/tables.h"
#include "catalog/volumes.h"
#include "rest/page.h"

static str optional(struct req *r, const char *name) { return arg_has(r, name) ? arg_str(r, name) : STR_NONE; }

static err *answer(struct req *r, const struct securable *s) { return uc_put_object(r, req_out(r), s); }

static err *open_schema(struct req *r, const struct caller *c, jval *from, uint64_t need, struct securable *ret) {
    str full = name_join(r->a, json_get_str(from, "catalog_name"), json_get_str(from, "schema_name"), STR(""));
    TRY(securable_open(c, SEC_SCHEMA, full, need, ret));
    return need ? securable_need(c, ret, PRIV_USE_SCHEMA) : NULL;
}

/* ---- lists: one page of what is in a schema, by name ---- */

struct listing {
    struct req *r;
    jmut *arr;
    size_t want, n;
    str after, last;
    bool more;
};

static str name_of(const struct securable *s) {
    return s->kind == SEC_TABLE ? s->table.name : s->kind == SEC_VOLUME ? s->volume.name : s->function.name;
}

static err *on_object(void *arg, const struct securable *s, bool *go) {
    struct listing *l = arg;
    if (l->n == l->want) {
        l->more = true;
        *go = false;
        return NULL;
    }
    /* The walk's texts are gone with its next page. */
    struct caller c = uc_caller(l->r);
    struct securable kept;
    bool found;
    if (!arg_bool(l->r, "include_browse", false) && securable_browse_only(&c, s)) return NULL;
    TRY(securable_by_id(&c, s->kind, s->id, &kept, &found));
    l->n++;
    l->last = name_of(&kept);
    return uc_put_object(l->r, json_add_obj(l->r->doc, l->arr), &kept);
}

static err *list(struct req *r, enum securable_kind kind, const char *name) {
    struct caller c = uc_caller(r);
    struct securable schema;
    struct listing l = {.r = r};
    str filter = str_of(arena_printf(r->a, "%s %.*s.%.*s", name, STR_ARG(arg_str(r, "catalog_name")), STR_ARG(arg_str(r, "schema_name"))));
    TRY(uc_page_size(r, 100, 1000, &l.want));
    TRY(page_token_read(r, arg_str(r, "page_token"), filter, &l.after));
    TRY(open_schema(r, &c, r->args, 0, &schema));
    jmut *out = req_out(r);
    l.arr = json_put_arr(r->doc, out, name);
    struct ask k = {.c = &c};
    struct ask_walk walk = {.after = l.after};
    TRY(ask_walk_leaves(&k, &schema, kind, &walk, on_object, &l));
    if (l.more) json_put_str(r->doc, out, "next_page_token", page_token_make(r, filter, l.last));
    return NULL;
}

err *api_unity_catalog_list_tables(struct req *r) { return list(r, SEC_TABLE, "tables"); }
err *api_unity_catalog_list_volumes(struct req *r) { return list(r, SEC_VOLUME, "volumes"); }
err *api_unity_catalog_list_functions(struct req *r) { return list(r, SEC_FUNCTION, "functions"); }

struct summaries {
    struct req *r;
    jmut *arr;
    str tables, schemas, after; /* after: in the first schema of the page, the name that was the last of the page before */
    size_t n, want;
    const struct securable *schema;
    int64_t last; /* of the last table shown: its schema, and the names of both */
    str last_schema, last_name;
    bool more;
};
#define MOST_SUMMARIES 10000
static err *on_summary(void *arg, const struct securable *s, bool *go) {
    struct summaries *x = arg;
    if (!ask_like(x->tables, s->table.name)) return NULL;
    x->more = x->n == x->want;
    *go = !x->more;
    if (x->more) return NULL;
    x->n++;
    x->last = x->schema->id;
    x->last_schema = x->schema->schema.name;
    x->last_name = arena_str(x->r->a, s->table.name);
    jmut *o = json_add_obj(x->r->doc, x->arr);
    json_put_str(x->r->doc, o, "full_name", arena_str(x->r->a, s->full_name));
    json_put_str(x->r->doc, o, "table_type", arena_str(x->r->a, s->table.table_type));
    return NULL;
}

static err *summaries_of(struct summaries *x, struct ask *k, const struct securable *catalog, int64_t from, str from_name) {
    struct ent_list_query q = {.eq = {{.column = ENT_SCHEMA_CATALOG_ID, .i = catalog->id}}, .order = ENT_SCHEMA_NAME, .limit = 500};
    struct ent_schema_rows rows = {.more = true};
    if (from) q.after = true, q.after_s = from_name, q.after_id = from - 1;
    while (rows.more && !x->more) {
        TRY(ent_schema_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
        for (size_t i = 0; i < rows.n && !x->more; i++) {
            struct securable schema;
            struct ask_walk walk = {.brief = true, .after = rows.p[i].id == from ? x->after : STR("")};
            q.after = true, q.after_s = rows.p[i].name, q.after_id = rows.p[i].id;
            TRY(securable_of_schema(k->c, catalog, &rows.p[i], &schema));
            x->schema = &schema;
            if (securable_visible(k->c, &schema) && ask_like(x->schemas, rows.p[i].name)) TRY(ask_walk_leaves(k, &schema, SEC_TABLE, &walk, on_summary, x));
        }
    }
    return NULL;
}

err *api_unity_catalog_table_summaries(struct req *r) {
    struct caller c = uc_caller(r);
    struct ask k = {.c = &c};
    struct securable catalog;
    struct summaries x = {.r = r, .tables = optional(r, "table_name_pattern"), .schemas = optional(r, "schema_name_pattern")};
    str filter = str_of(arena_printf(r->a, "summaries %.*s %.*s %.*s", STR_ARG(arg_str(r, "catalog_name")), STR_ARG(x.schemas), STR_ARG(x.tables))), key;
    int64_t from = 0;
    jval *at = NULL;
    TRY(uc_page_size(r, MOST_SUMMARIES, MOST_SUMMARIES, &x.want));
    TRY(page_token_read(r, arg_str(r, "page_token"), filter, &key));
    if (key.n) TRY(json_parse(r->a, key, false, &at));
    if (json_i64(json_get(at, "s"), &from)) x.after = json_get_str(at, "t");
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "catalog_name"), 0, &catalog));
    x.arr = json_put_arr(req_doc(r), req_out(r), "tables");
    TRY(summaries_of(&x, &k, &catalog, from, json_get_str(at, "n")));
    if (!x.more) return NULL;
    jdoc *d = json_doc(r->a);
    jmut *o = yyjson_mut_obj(d);
    json_put_int(d, o, "s", x.last);
    json_put_str(d, o, "n", x.last_schema);
    json_put_str(d, o, "t", x.last_name);
    json_put_str(r->doc, r->out, "next_page_token", page_token_make(r, filter, json_text(r->a, o)));
    return NULL;
}

/* ---- tables ---- */

/* A path of an external table or volume: open to the caller, alone. */
static err *external_place(struct req *r, const struct caller *c, uint64_t need, str *ret) {
    struct securable l;
    struct location_place place;
    TRY(locations_url(r->a, arg_str(r, "storage_location"), ret));
    TRY(locations_need(c, *ret, need, &l));
    TRY(locations_place(c, *ret, &place));
    return locations_check_free(c, *ret, 0);
}

/* Some clients write the whole field as its type ("type_json":"{\"name\":…,\"type\":…}"): the type alone is kept, and its metadata. */
static err *columns_of(struct req *r, str *ret) {
    jval *v, *type;
    size_t i, n;
    jmut *list = yyjson_mut_arr(req_doc(r));
    yyjson_arr_foreach(arg(r, "columns"), i, n, v) {
        str json = json_get_str(v, "type_json");
        jmut *o = yyjson_val_mut_copy(r->doc, v);
        yyjson_mut_arr_append(list, o);
        if (!json.n || json.p[0] != '{') continue;
        TRY(json_parse(r->a, json, false, &type));
        if (!json_get(type, "name") || !json_get(type, "type") || json_get(type, "fields")) continue;
        jval *meta = json_get(type, "metadata");
        yyjson_mut_obj_remove_key(o, "type_json");
        json_put_str(r->doc, o, "type_json", json_text(r->a, yyjson_val_mut_copy(r->doc, json_get(type, "type"))));
        if (yyjson_obj_size(meta)) json_put_str(r->doc, o, "metadata", json_text(r->a, yyjson_val_mut_copy(r->doc, meta)));
    }
    *ret = json_text(r->a, list);
    return NULL;
}

/* A view that an outside client made: its text is kept as it is, with the names that were current for it. */
static err *view_of(struct req *r, struct tables_spec *spec) {
    jval *properties = arg(r, "properties");
    spec->view_text = arg_str(r, "view_definition");
    if (!spec->view_text.n) return err_new(ERR_INVALID_PARAMETER_VALUE, "A view has a view_definition.");
    for (size_t i = 0; i < spec->view_text.n; i++)
        if ((unsigned char)spec->view_text.p[i] < 32 && !memchr("\t\n\r", spec->view_text.p[i], 3))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "view_definition has a control character.");
    spec->view_catalog = json_get_str(properties, "view.catalogAndNamespace.part.0");
    if (!spec->view_catalog.n) spec->view_catalog = arg_str(r, "catalog_name");
    spec->view_schema = json_get_str(properties, "view.catalogAndNamespace.part.1");
    if (!spec->view_schema.n) spec->view_schema = arg_str(r, "schema_name");
    return NULL;
}

err *api_unity_catalog_create_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema, t;
    str type = arg_str(r, "table_type");
    struct tables_spec spec = {.name = arg_str(r, "name"), .type = type, .format = arg_str(r, "data_source_format"), .comment = optional(r, "comment")};
    TRY(open_schema(r, &c, r->args, PRIV_CREATE_TABLE, &schema));
    if (str_eqz(type, "VIEW")) {
        TRY(view_of(r, &spec));
    } else if (str_eqz(type, "MANAGED") && arg_has(r, "storage_location")) {
        TRY(securable_need(&c, &schema, PRIV_EXTERNAL_USE_SCHEMA));
        TRY(uc_take_staging(r, &c, &schema, arg_str(r, "storage_location"), &spec.uuid));
        spec.location = ask_managed_url(&c, &schema, spec.uuid);
    } else if (str_eqz(type, "EXTERNAL")) {
        TRY(external_place(r, &c, PRIV_CREATE_EXTERNAL_TABLE, &spec.location));
    } else {
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "A table of type '%.*s' is not made by this operation.", STR_ARG(type)),
                        "Make it with SQL; a managed table of an outside client begins with a staging table.");
    }
    if (!spec.format.n && !spec.view_text.n) spec.format = STR("DELTA");
    if (arg_has(r, "columns")) TRY(columns_of(r, &spec.columns));
    TRY(kv_from_object(r->a, arg(r, "properties"), "properties", &spec.properties));
    TRY(tables_create(&c, &schema, &spec, &t));
    if (spec.view_text.n && yyjson_is_obj(arg(r, "view_dependencies"))) {
        t.table.view_dependencies = json_text(r->a, yyjson_val_mut_copy(req_doc(r), arg(r, "view_dependencies")));
        TRY(tables_save(&c, &t));
    }
    const struct kv_pair *managed = kv_find(&spec.properties, STR("delta.feature.catalogManaged"));
    if (spec.uuid.n && managed && str_eqz(managed->value, "supported")) {
        const struct kv_pair *time = kv_find(&spec.properties, STR("delta.lastCommitTimestamp"));
        int64_t at = 0;
        if (time) (void)str_to_i64(time->value, &at);
        TRY(managed_begin(&c, t.id, 0, at));
    }
    return answer(r, &t);
}

err *api_unity_catalog_get_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name"), 0, &s));
    return answer(r, &s);
}

err *api_unity_catalog_table_exists(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s, schema;
    str part[3];
    bool found;
    TRY(name_split(r->a, arg_str(r, "full_name"), 3, "table", part));
    TRY(securable_open(&c, SEC_SCHEMA, name_join(r->a, part[0], part[1], STR("")), 0, &schema));
    TRY(securable_below(&c, &schema, SEC_TABLE, part[2], &s, &found));
    json_put_bool(req_doc(r), req_out(r), "table_exists", found && securable_readable(&c, &s));
    return NULL;
}

err *api_unity_catalog_update_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name"), PRIV_MANAGE, &s));
    if (arg_has(r, "comment")) s.table.comment = arg_str(r, "comment");
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.table.owner_id));
    TRY(securable_may_give(&c, &s, s.table.owner_id));
    s.owner = s.table.owner_id;
    TRY(tables_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_table(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name"), PRIV_MANAGE, &s));
    return tables_drop(&c, &s, false);
}

/* ---- keys ---- */

/* A key of a request; what it names is kept in parent. */
static err *read_key(struct req *r, const struct caller *c, struct securable *parent, struct key_spec *ret) {
    jval *given = json_get(arg(r, "constraint"), "primary_key_constraint"), *rely;
    *ret = (struct key_spec){.primary = given != NULL};
    if (!given) given = json_get(arg(r, "constraint"), "foreign_key_constraint");
    if (!given) {
        if (!json_get(arg(r, "constraint"), "named_table_constraint"))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "constraint must have primary_key_constraint or foreign_key_constraint.");
        return err_new(ERR_INVALID_PARAMETER_VALUE, "constraint.named_table_constraint is not made by this operation; check constraints are made by SQL.");
    }
    ret->name = json_get_str(given, "name");
    ret->columns = json_get(given, "child_columns");
    rely = json_get(given, "rely");
    ret->rely = yyjson_is_true(rely);
    if (!ret->name.n) return err_new(ERR_INVALID_PARAMETER_VALUE, "The constraint has no name.");
    if (yyjson_arr_size(json_get(given, "timeseries_columns")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "primary_key_constraint.timeseries_columns is not supported.");
    if (ret->primary) return NULL;
    TRY(securable_open(c, SEC_TABLE, json_get_str(given, "parent_table"), PRIV_SELECT, parent));
    ret->parent = parent;
    ret->parent_columns = json_get(given, "parent_columns");
    return NULL;
}

err *api_unity_catalog_create_constraint(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s, parent;
    struct key_spec spec;
    struct key_table t;
    jval *list;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name_arg"), PRIV_MANAGE, &s));
    TRY(read_key(r, &c, &parent, &spec));
    TRY(json_parse(r->a, s.table.constraints.n ? s.table.constraints : STR("[]"), false, &list));
    t = (struct key_table){.name = s.table.name};
    TRY(tables_columns(&c, &s.table, &t.columns));
    jmut *made = yyjson_val_mut_copy(req_doc(r), list);
    TRY(keys_add(&c, &t, &spec, r->doc, made));
    s.table.constraints = json_text(r->a, made);
    TRY(tables_save(&c, &s));
    req_set_out(r, yyjson_val_mut_copy(r->doc, arg(r, "constraint")));
    return NULL;
}

err *api_unity_catalog_delete_constraint(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    size_t gone;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name"), PRIV_MANAGE, &s));
    TRY(keys_drop(&c, &s, KEYS_BY_NAME, arg_str(r, "constraint_name"), NULL, arg_bool(r, "cascade", false), &gone));
    if (!gone)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Constraint '%.*s' does not exist.", STR_ARG(str_cut(arg_str(r, "constraint_name"), 255)));
    return tables_save(&c, &s);
}

/* ---- volumes ---- */

err *api_unity_catalog_create_volume(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema, v;
    str location = STR("");
    TRY(open_schema(r, &c, r->args, PRIV_CREATE_VOLUME, &schema));
    bool external = str_eqz(arg_str(r, "volume_type"), "EXTERNAL");
    if (!external && arg_str(r, "storage_location").n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "storage_location is for volumes of volume_type EXTERNAL; a managed volume lies where the metastore keeps it.");
    if (external && !arg_str(r, "storage_location").n) return err_new(ERR_INVALID_PARAMETER_VALUE, "An external volume needs storage_location.");
    if (external) TRY(external_place(r, &c, PRIV_CREATE_EXTERNAL_VOLUME, &location));
    TRY(volumes_create(&c, &schema, arg_str(r, "name"), location, optional(r, "comment"), &v));
    return answer(r, &v);
}

err *api_unity_catalog_get_volume(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_VOLUME, arg_str(r, "name"), 0, &s));
    return answer(r, &s);
}

err *api_unity_catalog_update_volume(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_VOLUME, arg_str(r, "name"), PRIV_MANAGE, &s));
    if (arg_has(r, "comment")) s.volume.comment = arg_str(r, "comment");
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.volume.owner_id));
    s.owner = s.volume.owner_id;
    if (arg_has(r, "new_name"))
        TRY(volumes_rename(&c, &s, arg_str(r, "new_name")));
    else
        TRY(volumes_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_volume(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_VOLUME, arg_str(r, "name"), PRIV_MANAGE, &s));
    return volumes_delete(&c, &s);
}

/* ---- functions ---- */

/* [{name,type_text,type_json,…}] as functions keep them. */
static str parameters(struct req *r, jval *info, const char *key) {
    jval *v;
    size_t i, n;
    jmut *list = yyjson_mut_arr(req_doc(r));
    yyjson_arr_foreach(json_get(json_get(info, key), "parameters"), i, n, v) {
        jmut *o = json_add_obj(r->doc, list);
        json_put_str(r->doc, o, "name", json_get_str(v, "name"));
        json_put_str(r->doc, o, "type_text", json_get_str(v, "type_text").n ? json_get_str(v, "type_text") : STR("string"));
        json_put_str(r->doc, o, "type_json", json_get_str(v, "type_json"));
        if (json_get_str(v, "parameter_default").p) json_put_str(r->doc, o, "default", json_get_str(v, "parameter_default"));
        if (json_get_str(v, "comment").n) json_put_str(r->doc, o, "comment", json_get_str(v, "comment"));
    }
    return json_text(r->a, list);
}

err *api_unity_catalog_create_function(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema, f;
    jval *info = arg(r, "function_info");
    bool table = str_eqz(json_get_str(info, "data_type"), "TABLE_TYPE");
    struct functions_spec spec = {.name = json_get_str(info, "name"),
                                  .language = str_ieq(json_get_str(info, "external_language"), STR("PYTHON")) ? STR("PYTHON") : STR("SQL"),
                                  .is_table = table,
                                  .deterministic = !yyjson_is_false(json_get(info, "is_deterministic")),
                                  .body = json_get_str(info, "routine_definition"),
                                  .comment = json_get_str(info, "comment")};
    TRY(open_schema(r, &c, info, PRIV_CREATE_FUNCTION, &schema));
    spec.params = parameters(r, info, "input_params");
    if (table) {
        spec.returns = parameters(r, info, "return_params");
    } else {
        jmut *o = yyjson_mut_obj(req_doc(r));
        json_put_str(r->doc, o, "type_text", json_get_str(info, "full_data_type").n ? json_get_str(info, "full_data_type") : STR("string"));
        spec.returns = json_text(r->a, o);
    }
    TRY(functions_create(&c, &schema, &spec, false, &f));
    return answer(r, &f);
}

err *api_unity_catalog_get_function(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_FUNCTION, arg_str(r, "name"), 0, &s));
    return answer(r, &s);
}

err *api_unity_catalog_update_function(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_FUNCTION, arg_str(r, "name"), PRIV_MANAGE, &s));
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.function.owner_id));
    TRY(securable_may_give(&c, &s, s.function.owner_id));
    s.owner = s.function.owner_id;
    TRY(functions_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_function(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_FUNCTION, arg_str(r, "name"), PRIV_MANAGE, &s));
    return functions_delete(&c, &s);
}
