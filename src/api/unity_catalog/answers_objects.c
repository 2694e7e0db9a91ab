/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, volumes, functions, external locations and storage credentials in Unity Catalog's form. */
#include "api/unity_catalog/answers.h"
#include "catalog/ask.h"
#include "catalog/bindings.h"
#include "catalog/tables.h"

static void put_place(struct req *r, jmut *o, const struct securable *s, str name) {
    json_put_str(r->doc, o, "name", name);
    json_put_str(r->doc, o, "catalog_name", s->catalog.name);
    json_put_str(r->doc, o, "schema_name", s->schema.name);
}

/* "INT" of "int", "DECIMAL" of "decimal(10,2)", as the API's ColumnTypeName has it. */
static str type_name(arena *a, str text) {
    static const char *const names[][2] = {{"BIGINT", "LONG"}, {"SMALLINT", "SHORT"}, {"TINYINT", "BYTE"}, {"VARCHAR", "STRING"}, {"INTEGER", "INT"}};
    size_t n = 0;
    while (n < text.n && text.p[n] != '(' && text.p[n] != '<' && text.p[n] != ' ') n++;
    char *p = arena_strndup(a, text.p ? text.p : "", n);
    for (char *q = p; *q; q++)
        if (*q >= 'a' && *q <= 'z') *q = (char)(*q - 32);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(p, names[i][0]) == 0) return str_of(names[i][1]);
    return str_of(p);
}

/* type_precision and type_scale: of "decimal(10,2)" 10 and 2, of others 0. */
static void put_precision(struct req *r, jmut *o, str text) {
    int64_t precision = 0, scale = 0;
    ptrdiff_t open = str_chr(text, '(', 0), comma = str_chr(text, ',', 0), close = str_chr(text, ')', 0);
    if (open > 0 && comma > open && close > comma && str_ieq(str_cut(text, (size_t)open), STR("decimal"))) {
        (void)str_to_i64(str_trim(str_n(text.p + open + 1, (size_t)(comma - open - 1))), &precision);
        (void)str_to_i64(str_trim(str_n(text.p + comma + 1, (size_t)(close - comma - 1))), &scale);
    }
    json_put_int(r->doc, o, "type_precision", precision);
    json_put_int(r->doc, o, "type_scale", scale);
}

/* {"name":…,"type":…} as Spark writes a field, which connectors read. */
static err *put_type(struct req *r, jmut *o, jval *v) {
    str text = json_get_str(v, "type_text"), json = json_get_str(v, "type_json");
    jval *type = NULL;
    if (json.n && (json.p[0] == '{' || json.p[0] == '"')) TRY(json_parse(r->a, json, false, &type));
    json_put_str(r->doc, o, "type_text", text);
    json_put_str(r->doc, o, "type_name", type_name(r->a, text));
    put_precision(r, o, text);
    jmut *field = yyjson_mut_obj(r->doc);
    json_put_str(r->doc, field, "name", json_get_str(v, "name"));
    if (yyjson_is_obj(type) && json_get(type, "name") && json_get(type, "type") && !json_get(type, "fields")) {
        json_put_str(r->doc, o, "type_json", json); /* a client gave the whole field */
        return NULL;
    }
    json_put(r->doc, field, "type", type ? yyjson_val_mut_copy(r->doc, type) : yyjson_mut_strn(r->doc, json.p ? json.p : "", json.n));
    json_put_bool(r->doc, field, "nullable", !yyjson_is_false(json_get(v, "nullable")));
    (void)json_put_obj(r->doc, field, "metadata");
    json_put_str(r->doc, o, "type_json", json_text(r->a, field));
    return NULL;
}

static err *put_columns(struct req *r, jmut *o, const struct caller *c, const struct ent_uc_table *t) {
    jval *list, *v;
    size_t i, n;
    TRY(tables_columns(c, t, &list));
    jmut *arr = json_put_arr(r->doc, o, "columns");
    yyjson_arr_foreach(list, i, n, v) {
        int64_t part;
        jmut *x = json_add_obj(r->doc, arr);
        json_put_str(r->doc, x, "name", json_get_str(v, "name"));
        TRY(put_type(r, x, v));
        json_put_int(r->doc, x, "position", (int64_t)i);
        json_put_bool(r->doc, x, "nullable", !yyjson_is_false(json_get(v, "nullable")));
        if (json_get_str(v, "comment").n) json_put_str(r->doc, x, "comment", json_get_str(v, "comment"));
        if (json_i64(json_get(v, "partition_index"), &part)) json_put_int(r->doc, x, "partition_index", part);
        if (yyjson_is_obj(json_get(v, "mask"))) json_put(r->doc, x, "mask", yyjson_val_mut_copy(r->doc, json_get(v, "mask")));
    }
    return NULL;
}

static err *put_keys(struct req *r, jmut *o, const struct ent_uc_table *t) {
    jval *list, *v;
    size_t i, n;
    TRY(json_parse(r->a, t->constraints.n ? t->constraints : STR("[]"), false, &list));
    if (!yyjson_arr_size(list)) return NULL;
    jmut *arr = json_put_arr(r->doc, o, "table_constraints");
    yyjson_arr_foreach(list, i, n, v) {
        bool primary = str_eqz(json_get_str(v, "type"), "PRIMARY KEY");
        jmut *x = json_put_obj(r->doc, json_add_obj(r->doc, arr), primary ? "primary_key_constraint" : "foreign_key_constraint");
        json_put_str(r->doc, x, "name", json_get_str(v, "name"));
        json_put(r->doc, x, "child_columns", yyjson_val_mut_copy(r->doc, json_get(v, "columns")));
        if (yyjson_is_true(json_get(v, "rely"))) json_put_bool(r->doc, x, "rely", true);
        if (primary) continue;
        json_put_str(r->doc, x, "parent_table", json_get_str(v, "parent_table"));
        json_put(r->doc, x, "parent_columns", yyjson_val_mut_copy(r->doc, json_get(v, "parent_columns")));
    }
    return NULL;
}

static err *put_table(struct req *r, jmut *o, const struct caller *c, const struct securable *s) {
    const struct ent_uc_table *t = &s->table;
    struct kv properties;
    str engine, url;
    put_place(r, o, s, t->name);
    json_put_str(r->doc, o, "table_type", t->table_type);
    if (t->format.n) json_put_str(r->doc, o, "data_source_format", t->format);
    json_put_str(r->doc, o, "table_id", t->uuid);
    err *e = ask_table_place(c, t, &engine, &url);
    if (e) url = t->location; /* its place is no more; its name stays */
    err_free(e);
    if (url.n) json_put_str(r->doc, o, "storage_location", url);
    json_put_z(r->doc, o, "securable_type", "TABLE");
    json_put_z(r->doc, o, "data_access_configuration_id", catalog_uuid(r->a, 0));
    uc_put_optimization(r, o);
    if (!arg_bool(r, "omit_columns", false)) TRY(put_columns(r, o, c, t));
    TRY(tables_properties(c, t, &properties));
    if (!arg_bool(r, "omit_properties", false)) kv_put_object(r->doc, o, "properties", &properties);
    bool text = securable_shows_text(c, s);
    if (t->view_text.n && text) json_put_str(r->doc, o, "view_definition", t->view_text);
    if (t->view_dependencies.n && text) {
        jval *d;
        TRY(json_parse(r->a, t->view_dependencies, false, &d));
        json_put(r->doc, o, "view_dependencies", yyjson_val_mut_copy(r->doc, d));
    }
    if (t->row_filter.n) {
        jval *f;
        TRY(json_parse(r->a, t->row_filter, false, &f));
        json_put(r->doc, o, "row_filter", yyjson_val_mut_copy(r->doc, f));
    }
    TRY(put_keys(r, o, t));
    TRY(uc_put_owner(r, o, s, t->comment));
    return uc_put_stamps(r, o, UC_STAMPS(*t));
}

static err *put_volume(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_uc_volume *v = &s->volume;
    put_place(r, o, s, v->name);
    json_put_z(r->doc, o, "volume_id", catalog_uuid(r->a, v->id));
    json_put_str(r->doc, o, "volume_type", v->volume_type);
    json_put_str(r->doc, o, "storage_location",
                 v->location.n ? v->location
                               : str_of(arena_printf(r->a, "dbfs:/Volumes/%.*s/%.*s/%.*s", STR_ARG(s->catalog.name), STR_ARG(s->schema.name),
                                                     STR_ARG(v->name))));
    TRY(uc_put_owner(r, o, s, v->comment));
    return uc_put_stamps(r, o, UC_STAMPS(*v));
}

static err *put_params(struct req *r, jmut *o, const char *key, str text) {
    bool results = strcmp(key, "return_params") == 0;
    jval *list, *v;
    size_t i, n;
    TRY(json_parse(r->a, text.n ? text : STR("[]"), false, &list));
    jmut *arr = json_put_arr(r->doc, json_put_obj(r->doc, o, key), "parameters");
    yyjson_arr_foreach(list, i, n, v) {
        jmut *x = json_add_obj(r->doc, arr);
        json_put_str(r->doc, x, "name", json_get_str(v, "name"));
        TRY(put_type(r, x, v));
        json_put_int(r->doc, x, "position", (int64_t)i);
        json_put_z(r->doc, x, "parameter_mode", "IN");
        json_put_z(r->doc, x, "parameter_type", results ? "COLUMN" : "PARAM");
        if (json_get_str(v, "default").p) json_put_str(r->doc, x, "parameter_default", json_get_str(v, "default"));
        if (json_get_str(v, "comment").n) json_put_str(r->doc, x, "comment", json_get_str(v, "comment"));
    }
    return NULL;
}

static err *put_function(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_uc_function *f = &s->function;
    struct caller c = uc_caller(r);
    jval *returns;
    put_place(r, o, s, f->name);
    json_put_z(r->doc, o, "function_id", catalog_uuid(r->a, f->id));
    TRY(put_params(r, o, "input_params", f->params));
    TRY(json_parse(r->a, f->returns.n ? f->returns : STR("{}"), false, &returns));
    str text = json_get_str(returns, "type_text");
    if (f->is_table) {
        json_put_z(r->doc, o, "data_type", "TABLE_TYPE");
        json_put_z(r->doc, o, "full_data_type", "TABLE_TYPE");
        TRY(put_params(r, o, "return_params", f->returns));
    } else {
        json_put_str(r->doc, o, "data_type", type_name(r->a, text));
        json_put_str(r->doc, o, "full_data_type", text);
    }
    bool sql = str_eqz(f->language, "SQL");
    json_put_z(r->doc, o, "routine_body", sql ? "SQL" : "EXTERNAL");
    if (!sql) json_put_str(r->doc, o, "external_language", f->language);
    /* Functions in other languages are run by their callers, who need the text. */
    if (sql ? securable_shows_text(&c, s) : !securable_browse_only(&c, s)) json_put_str(r->doc, o, "routine_definition", f->body);
    json_put_bool(r->doc, o, "is_deterministic", f->deterministic);
    json_put_bool(r->doc, o, "is_null_call", true);
    json_put_z(r->doc, o, "parameter_style", "S");
    json_put_z(r->doc, o, "security_type", "DEFINER");
    json_put_z(r->doc, o, "sql_data_access", "CONTAINS_SQL");
    json_put_str(r->doc, o, "specific_name", f->name);
    TRY(uc_put_owner(r, o, s, f->comment));
    return uc_put_stamps(r, o, UC_STAMPS(*f));
}

static err *put_location(struct req *r, jmut *o, const struct caller *c, const struct securable *s) {
    const struct ent_external_location *l = &s->location;
    struct ent_storage_credential row;
    bool found = false;
    if (l->credential_id) TRY(ent_storage_credential_get(c->tx, metastore_scope(c), r->a, l->credential_id, &row, &found));
    json_put_str(r->doc, o, "name", l->name);
    json_put_str(r->doc, o, "url", l->url);
    json_put_str(r->doc, o, "credential_name", found ? row.name : STR("local"));
    json_put_z(r->doc, o, "credential_id", catalog_uuid(r->a, l->credential_id));
    json_put_bool(r->doc, o, "read_only", l->read_only);
    json_put_bool(r->doc, o, "fallback", false);
    json_put_z(r->doc, o, "isolation_mode", bindings_isolated(s) ? "ISOLATION_MODE_ISOLATED" : "ISOLATION_MODE_OPEN");
    TRY(uc_put_owner(r, o, s, l->comment));
    return uc_put_stamps(r, o, UC_STAMPS(*l));
}

static err *put_credential(struct req *r, jmut *o, const struct securable *s) {
    const struct ent_storage_credential *x = &s->credential;
    jval *config;
    json_put_str(r->doc, o, "name", x->name);
    json_put_z(r->doc, o, "id", catalog_uuid(r->a, x->id));
    json_put_bool(r->doc, o, "read_only", x->read_only);
    json_put_z(r->doc, o, "isolation_mode", bindings_isolated(s) ? "ISOLATION_MODE_ISOLATED" : "ISOLATION_MODE_OPEN");
    TRY(json_parse(r->a, x->config.n ? x->config : STR("{}"), false, &config));
    if (json_get_str(config, "role_arn").n)
        json_put_str(r->doc, json_put_obj(r->doc, o, "aws_iam_role"), "role_arn", json_get_str(config, "role_arn"));
    if (str_eqz(x->kind, "s3_keys")) {
        static const char *const shown[] = {"access_key_id", "endpoint", "region"};
        jmut *keys = json_put_obj(r->doc, o, "s3_keys");
        for (size_t i = 0; i < ARRAY_LEN(shown); i++)
            if (json_get_str(config, shown[i]).n) json_put_str(r->doc, keys, shown[i], json_get_str(config, shown[i]));
        json_put_bool(r->doc, keys, "path_style", !yyjson_is_false(json_get(config, "path_style")));
    }
    TRY(uc_put_owner(r, o, s, x->comment));
    return uc_put_stamps(r, o, UC_STAMPS(*x));
}

err *uc_put_object(struct req *r, jmut *o, const struct securable *s) {
    struct caller c = uc_caller(r);
    switch (s->kind) {
    case SEC_TABLE: return put_table(r, o, &c, s);
    case SEC_VOLUME: return put_volume(r, o, s);
    case SEC_FUNCTION: return put_function(r, o, s);
    case SEC_LOCATION: return put_location(r, o, &c, s);
    case SEC_CREDENTIAL: return put_credential(r, o, s);
    default: must(false); return NULL;
    }
}
