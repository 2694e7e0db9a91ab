/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of tables, volumes, functions and keys. */
#include "api/delta/staging.h"
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "catalog/ask.h"
#include "catalog/functions.h"
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
    str tables, schemas;
    size_t n;
    struct ask *k;
};
#define MOST_SUMMARIES 10000
static err *on_summary(void *arg, const struct securable *s, bool *go) {
    struct summaries *x = arg;
    *go = x->n < MOST_SUMMARIES;
    if (!*go || !ask_like(x->tables, s->table.name)) return NULL;
    x->n++;
    jmut *o = json_add_obj(x->r->doc, x->arr);
    json_put_str(x->r->doc, o, "full_name", arena_str(x->r->a, s->full_name));
    json_put_str(x->r->doc, o, "table_type", arena_str(x->r->a, s->table.table_type));
    return NULL;
}
static err *on_summary_schema(void *arg, const struct securable *s, bool *go) {
    struct summaries *x = arg;
    if (ask_like(x->schemas, s->schema.name)) TRY(ask_walk_leaves(x->k, s, SEC_TABLE, &(struct ask_walk){.brief = true}, on_summary, x));
    *go = x->n < MOST_SUMMARIES;
    return NULL;
}
err *api_unity_catalog_table_summaries(struct req *r) {
    struct caller c = uc_caller(r);
    struct ask k = {.c = &c};
    struct securable catalog;
    TRY(securable_open(&c, SEC_CATALOG, arg_str(r, "catalog_name"), 0, &catalog));
    struct summaries x = {.r = r, .arr = json_put_arr(req_doc(r), req_out(r), "tables"), .k = &k,
                          .tables = optional(r, "table_name_pattern"), .schemas = optional(r, "schema_name_pattern")};
    return ask_each_schema(&k, &catalog, on_summary_schema, &x);
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

static err *new_key(struct req *r, const struct caller *c, jmut *o) {
    jval *given = json_get(arg(r, "constraint"), "primary_key_constraint");
    bool primary = given != NULL;
    if (!primary) given = json_get(arg(r, "constraint"), "foreign_key_constraint");
    if (!given || !json_get_str(given, "name").n || !yyjson_arr_size(json_get(given, "child_columns")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A constraint is a primary or foreign key with a name and child_columns.");
    json_put_str(r->doc, o, "name", json_get_str(given, "name"));
    json_put_z(r->doc, o, "type", primary ? "PRIMARY KEY" : "FOREIGN KEY");
    json_put(r->doc, o, "columns", yyjson_val_mut_copy(r->doc, json_get(given, "child_columns")));
    if (primary) return NULL;
    struct securable parent;
    jval *keys, *v;
    size_t i, n;
    TRY(securable_open(c, SEC_TABLE, json_get_str(given, "parent_table"), PRIV_SELECT, &parent));
    json_put_str(r->doc, o, "parent_table", parent.full_name);
    TRY(json_parse(r->a, parent.table.constraints.n ? parent.table.constraints : STR("[]"), false, &keys));
    yyjson_arr_foreach(keys, i, n, v)
        if (str_eqz(json_get_str(v, "type"), "PRIMARY KEY")) json_put_str(r->doc, o, "parent_key", json_get_str(v, "name"));
    jval *columns = json_get(given, "parent_columns");
    json_put(r->doc, o, "parent_columns", columns ? yyjson_val_mut_copy(r->doc, columns) : yyjson_mut_arr(r->doc));
    return NULL;
}

err *api_unity_catalog_create_constraint(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    jval *list, *v;
    size_t i, n;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name_arg"), PRIV_MANAGE, &s));
    TRY(json_parse(r->a, s.table.constraints.n ? s.table.constraints : STR("[]"), false, &list));
    jmut *made = yyjson_val_mut_copy(req_doc(r), list), *o = json_add_obj(r->doc, made);
    TRY(new_key(r, &c, o));
    yyjson_arr_foreach(list, i, n, v)
        if (str_ieq(json_get_str(v, "name"), str_of(yyjson_mut_get_str(yyjson_mut_obj_get(o, "name")))))
            return err_new(ERR_ALREADY_EXISTS, "Constraint '%.*s' already exists.", STR_ARG(json_get_str(v, "name")));
    s.table.constraints = json_text(r->a, made);
    TRY(tables_save(&c, &s));
    req_set_out(r, yyjson_val_mut_copy(r->doc, arg(r, "constraint")));
    return NULL;
}

err *api_unity_catalog_delete_constraint(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    jval *list, *v;
    size_t i, n, gone = 0;
    TRY(securable_open(&c, SEC_TABLE, arg_str(r, "full_name"), PRIV_MANAGE, &s));
    TRY(json_parse(r->a, s.table.constraints.n ? s.table.constraints : STR("[]"), false, &list));
    jmut *made = yyjson_mut_arr(req_doc(r));
    yyjson_arr_foreach(list, i, n, v) {
        bool here = str_ieq(json_get_str(v, "name"), arg_str(r, "constraint_name"));
        gone += here;
        if (!here) yyjson_mut_arr_append(made, yyjson_val_mut_copy(r->doc, v));
    }
    if (!gone)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Constraint '%.*s' does not exist.", STR_ARG(str_cut(arg_str(r, "constraint_name"), 255)));
    s.table.constraints = json_text(r->a, made);
    return tables_save(&c, &s);
}

/* ---- volumes ---- */

err *api_unity_catalog_create_volume(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable schema, v;
    str location = STR("");
    TRY(open_schema(r, &c, r->args, PRIV_CREATE_VOLUME, &schema));
    bool external = str_eqz(arg_str(r, "volume_type"), "EXTERNAL");
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
