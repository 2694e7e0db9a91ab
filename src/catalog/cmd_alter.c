/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of what the catalog alone keeps: names, owners, tags, comments, keys, row filters, column masks; properties of
 * views. What lies in a table's log is changed by the engine and committed.
 */
#include "catalog/catalogs.h"
#include "catalog/cmd.h"
#include "catalog/functions.h"
#include "catalog/locations.h"
#include "catalog/name.h"
#include "catalog/tables.h"
#include "catalog/tags.h"
#include "catalog/volumes.h"

/* Writes a changed row back, whatever it is of. */
static err *save(struct ask *k, struct securable *s) {
    switch (s->kind) {
    case SEC_CATALOG:
    case SEC_SCHEMA: return ask_sql(catalogs_save(k->c, s));
    case SEC_TABLE: return ask_sql(tables_save(k->c, s));
    case SEC_VOLUME: return ask_sql(volumes_save(k->c, s));
    case SEC_FUNCTION: return ask_sql(functions_save(k->c, s));
    case SEC_LOCATION: return ask_sql(locations_save(k->c, s));
    case SEC_CREDENTIAL: return ask_sql(credentials_save(k->c, s));
    default: return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "A %s cannot be changed here.", securable_title(s));
    }
}

static enum securable_kind kind_of_command(struct ask *k) {
    static const struct {
        const char *begin;
        enum securable_kind kind;
    } rows[] = {{"alter_catalog", SEC_CATALOG},   {"alter_schema", SEC_SCHEMA},     {"alter_table", SEC_TABLE},
                {"alter_view", SEC_TABLE},        {"alter_materialized", SEC_TABLE}, {"alter_streaming", SEC_TABLE},
                {"alter_volume", SEC_VOLUME},     {"alter_function", SEC_FUNCTION}, {"alter_location", SEC_LOCATION},
                {"alter_credential", SEC_CREDENTIAL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (str_starts(ask_text(k, "command"), str_of(rows[i].begin))) return rows[i].kind;
    must(false);
    return SEC_KINDS;
}

/* ---- owners ---- */

static err *alter_owner(struct ask *k) {
    struct securable s;
    int64_t owner;
    TRY(ask_open_slot(k, "name", kind_of_command(k), PRIV_MANAGE, &s));
    TRY(ask_principal_id(k, ask_text(k, "owner"), &owner));
    TRY(ask_sql(securable_may_give(k->c, &s, owner)));
    switch (s.kind) {
    case SEC_CATALOG: s.catalog.owner_id = owner; break;
    case SEC_SCHEMA: s.schema.owner_id = owner; break;
    case SEC_TABLE: s.table.owner_id = owner; break;
    case SEC_VOLUME: s.volume.owner_id = owner; break;
    case SEC_FUNCTION: s.function.owner_id = owner; break;
    case SEC_LOCATION: s.location.owner_id = owner; break;
    default: s.credential.owner_id = owner; break;
    }
    return save(k, &s);
}

/* ---- names ---- */

static err *alter_rename(struct ask *k) {
    struct securable s, schema;
    struct ask_name to;
    enum securable_kind kind = kind_of_command(k);
    TRY(ask_open_slot(k, "name", kind, PRIV_MANAGE, &s));
    if (kind != SEC_TABLE && kind != SEC_VOLUME) {
        str name = ask_word(k, "newname");
        TRY(ask_sql(name_check_part(name, "location")));
        *(kind == SEC_LOCATION ? &s.location.name : &s.credential.name) = name;
        return save(k, &s);
    }
    /* A name of one part stays in the old one's schema. */
    struct ask at = *k;
    at.catalog = s.catalog.name;
    at.schema = s.schema.name;
    TRY(ask_name(&at, json_get(k->in, "newname"), 3, &to));
    if (kind == SEC_VOLUME) return ask_sql(volumes_rename(k->c, &s, to.part[2]));
    struct ask_name up = {.part = {to.part[0], to.part[1]}};
    TRY(ask_open(k, SEC_SCHEMA, &up, 0, &schema));
    if (schema.id != s.schema.id) TRY(ask_need(k->c, &schema, PRIV_CREATE_TABLE));
    err *e = tables_rename(k->c, &s, &schema, to.part[2]);
    if (err_code_of(e) != ERR_RESOURCE_ALREADY_EXISTS) return ask_sql(e);
    err_free(e);
    return ask_error("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07", "A table or view %.*s already exists. Use another name.",
                     STR_ARG(ask_quoted(k->c->a, to.part[0], to.part[1], to.part[2])));
}

/* ---- tags ---- */

static err *change_tags(struct ask *k, struct securable *s, str column, const struct kv *add, const str *remove, size_t n) {
    return ask_sql(tags_change(k->c, s, column, add, remove, n));
}

static err *alter_tags(struct ask *k) {
    struct securable s;
    struct kv add = {0};
    const str *remove = NULL;
    size_t n = 0;
    TRY(ask_open_slot(k, "name", kind_of_command(k), PRIV_APPLY_TAG | PRIV_MANAGE, &s));
    if (str_ends(ask_text(k, "command"), STR("_unset_tags")))
        remove = ask_keys(k, "tags", &n);
    else
        TRY(ask_pairs(k, "tags", &add));
    return change_tags(k, &s, STR(""), &add, remove, n);
}

/* SET TAG ON COLUMN t.c k = v, SET TAG ON TABLE t k = v. */
static err *tag_on(struct ask *k) {
    struct securable s;
    struct kv add = {0};
    const str *remove = NULL;
    size_t n = 0;
    str type = ask_text(k, "key"), column = STR("");
    int kind = securable_kind_of(type);
    jval *name = json_get(k->in, "name");
    if (str_eqz(type, "column")) {
        column = ask_word(k, "name");
        jmut *up = yyjson_mut_arr(k->d);
        for (size_t i = 0; i + 1 < yyjson_arr_size(name); i++) json_add_str(k->d, up, json_str(yyjson_arr_get(name, i)));
        TRY(json_parse(k->c->a, json_text(k->c->a, up), false, &name));
        kind = SEC_TABLE;
    }
    if (kind < 0) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "Tags are not kept on a '%.*s'.", STR_ARG(type));
    struct ask_name to;
    TRY(ask_name(k, name, securable_parts((enum securable_kind)kind), &to));
    bool found = true, model = false;
    if (kind == SEC_FUNCTION) TRY(ask_find(k, k->c, SEC_FUNCTION, &to, &s, &found));
    if (!found) TRY(ask_find(k, k->c, SEC_MODEL, &to, &s, &model)); /* a model, as the dialect writes it */
    if (model) kind = SEC_MODEL;
    TRY(ask_open(k, (enum securable_kind)kind, &to, PRIV_APPLY_TAG | PRIV_MANAGE, &s));
    if (str_eqz(ask_text(k, "command"), "unset_tag"))
        remove = ask_keys(k, "tags", &n);
    else
        TRY(ask_pairs(k, "tags", &add));
    return change_tags(k, &s, column, &add, remove, n);
}

/* ---- columns ---- */

/* One column of the row's list changed by put(); an unknown one is an error. */
struct column_change {
    const char *key; /* of the column's object */
    jmut *value;     /* NULL: removed */
};

static err *change_column(struct ask *k, struct securable *t, str name, const struct column_change *change) {
    jval *list, *v, *key, *value;
    size_t i, n, x, y;
    bool found = false;
    TRY(tables_columns(k->c, &t->table, &list));
    jmut *made = yyjson_mut_arr(k->d);
    yyjson_arr_foreach(list, i, n, v) {
        jmut *o = json_add_obj(k->d, made);
        bool here = str_ieq(json_get_str(v, "name"), name);
        found |= here;
        yyjson_obj_foreach(v, x, y, key, value)
            if (!here || !yyjson_equals_str(key, change->key))
                yyjson_mut_obj_add(o, yyjson_val_mut_copy(k->d, key), yyjson_val_mut_copy(k->d, value));
        if (here && change->value) json_put(k->d, o, change->key, change->value);
    }
    if (!found)
        return ask_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703",
                         "%.*s cannot be resolved: the table has no such column.", STR_ARG(ask_quote(k->c->a, name)));
    t->table.columns = json_text(k->c->a, made);
    return NULL;
}

/* The function of a filter or mask: whoever sets it must be allowed to run it. */
static err *policy_of(struct ask *k, str text, bool mask, jmut **ret) {
    struct cmd_policy p;
    struct securable f;
    TRY(cmd_read_policy(k, text, &p));
    TRY(ask_open(k, SEC_FUNCTION, &p.function, PRIV_EXECUTE, &f));
    *ret = yyjson_mut_obj(k->d);
    json_put_str(k->d, *ret, "function_name", f.full_name);
    json_put(k->d, *ret, mask ? "using_column_names" : "input_column_names", p.names);
    if (p.constants) json_put(k->d, *ret, mask ? "using_arguments" : "input_arguments", p.arguments);
    return NULL;
}

static err *set_row_filter(struct ask *k) {
    struct securable t;
    jmut *o;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MANAGE, &t));
    TRY(policy_of(k, json_get_str(json_get(k->in, "filter"), "sql"), false, &o));
    t.table.row_filter = json_text(k->c->a, o);
    return save(k, &t);
}

static err *drop_row_filter(struct ask *k) {
    struct securable t;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MANAGE, &t));
    t.table.row_filter = STR("");
    return save(k, &t);
}

static err *one_column(struct ask *k, struct securable *t, jval *what) {
    str kind = json_get_str(what, "command"), column = json_str(yyjson_arr_get_last(json_get(what, "name")));
    struct column_change change = {.key = "mask"};
    struct ask sub = *k;
    sub.in = what;
    if (str_eqz(kind, "set_mask") || str_eqz(kind, "drop_mask")) {
        TRY(ask_need(k->c, t, PRIV_MANAGE));
        if (str_eqz(kind, "set_mask")) TRY(policy_of(k, json_get_str(json_get(what, "mask"), "sql"), true, &change.value));
        TRY(change_column(k, t, column, &change));
        return save(k, t);
    }
    if (str_eqz(kind, "set_tags") || str_eqz(kind, "unset_tags")) {
        struct kv add = {0};
        size_t n = 0;
        const str *remove = NULL;
        TRY(ask_need(k->c, t, PRIV_APPLY_TAG | PRIV_MANAGE));
        if (str_eqz(kind, "set_tags"))
            TRY(ask_pairs(&sub, "tags", &add));
        else
            remove = ask_keys(&sub, "tags", &n);
        return change_tags(k, t, column, &add, remove, n);
    }
    if (str_eqz(kind, "comment")) {
        str text = json_get_str(what, "comment");
        TRY(ask_need(k->c, t, PRIV_MODIFY | PRIV_MANAGE));
        change = (struct column_change){"comment", yyjson_mut_strn(k->d, text.p ? text.p : "", text.n)};
        TRY(change_column(k, t, column, &change));
        return save(k, t);
    }
    return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "ALTER COLUMN '%.*s' is not supported for this table.", STR_ARG(kind));
}

static err *alter_column(struct ask *k) {
    struct securable t;
    jval *v;
    size_t i, n;
    TRY(ask_open_slot(k, "name", SEC_TABLE, 0, &t));
    yyjson_arr_foreach(json_get(k->in, "children"), i, n, v) TRY(one_column(k, &t, v));
    return NULL;
}

/* ---- comments ---- */

static err *comment_on(struct ask *k) {
    struct securable s;
    str type = ask_text(k, "key"), text = ask_text(k, "comment");
    jval *name = json_get(k->in, "name");
    if (str_eqz(type, "column")) {
        size_t parts = yyjson_arr_size(name);
        jmut *up = yyjson_mut_arr(k->d);
        for (size_t i = 0; i + 1 < parts; i++) json_add_str(k->d, up, json_str(yyjson_arr_get(name, i)));
        struct ask_name n;
        jval *table;
        TRY(json_parse(k->c->a, json_text(k->c->a, up), false, &table));
        TRY(ask_name(k, table, 3, &n));
        TRY(ask_open(k, SEC_TABLE, &n, PRIV_MODIFY | PRIV_MANAGE, &s));
        struct column_change change = {"comment", text.p ? yyjson_mut_strn(k->d, text.p, text.n) : NULL};
        TRY(change_column(k, &s, json_str(yyjson_arr_get_last(name)), &change));
        return save(k, &s);
    }
    if (str_eqz(type, "location")) type = STR("external_location");
    if (str_eqz(type, "namespace")) type = STR("schema");
    int kind = securable_kind_of(type);
    if (kind <= 0) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "Comments are not kept on a '%.*s'.", STR_ARG(type));
    TRY(ask_open_slot(k, "name", (enum securable_kind)kind, kind == SEC_TABLE ? PRIV_MODIFY | PRIV_MANAGE : PRIV_MANAGE, &s));
    switch (s.kind) {
    case SEC_CATALOG: s.catalog.comment = text; break;
    case SEC_SCHEMA: s.schema.comment = text; break;
    case SEC_TABLE: s.table.comment = text; break;
    case SEC_VOLUME: s.volume.comment = text; break;
    case SEC_FUNCTION: s.function.comment = text; break;
    case SEC_LOCATION: s.location.comment = text; break;
    default: s.credential.comment = text; break;
    }
    return save(k, &s);
}

/* ---- properties (of views, and of tables without a log) ---- */

static err *alter_properties(struct ask *k) {
    struct securable t;
    struct kv all, add;
    size_t n = 0;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MODIFY | PRIV_MANAGE, &t));
    TRY(kv_read(k->c->a, t.table.properties, &all));
    if (str_find(ask_text(k, "command"), STR("_unset_")) >= 0) {
        const str *keys = ask_keys(k, "properties", &n);
        for (size_t i = 0; i < n; i++)
            if (!kv_del(&all, keys[i]) && !ask_flag(k, "if_exists"))
                return ask_error("UNSET_NONEXISTENT_PROPERTIES", "42K0J", "The properties [%.*s] are not set on %.*s.",
                                 STR_ARG(ask_quote(k->c->a, keys[i])), STR_ARG(t.full_name));
    } else {
        TRY(ask_pairs(k, "properties", &add));
        for (size_t i = 0; i < add.n; i++) kv_set(k->c->a, &all, add.p[i].key, add.p[i].value);
    }
    TRY(kv_text(k->c->a, &all, "properties", &t.table.properties));
    return save(k, &t);
}

/* {name, properties}: what ANALYZE counted, of the columns that it names; numbers of other columns stay. */
static err *set_statistics(struct ask *k) {
    struct securable t;
    struct kv all, add;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MODIFY | PRIV_MANAGE, &t));
    TRY(kv_read(k->c->a, t.table.properties, &all));
    TRY(ask_pairs(k, "properties", &add));
    for (size_t i = 0; i < add.n; i++) {
        if (!str_starts(add.p[i].key, STR(TABLE_STATISTICS))) return err_new(ERR_INVALID_PARAMETER_VALUE, "This is no statistic of a table.");
        kv_set(k->c->a, &all, add.p[i].key, add.p[i].value);
    }
    TRY(kv_text(k->c->a, &all, "properties", &t.table.properties));
    return save(k, &t);
}

/* ---- keys ---- */

/* {name, op:"p"/"f", names, ref, refnames} → list. */
err *cmd_put_key(struct ask *k, const struct key_table *t, jval *v, jmut *list) {
    str op = json_get_str(v, "op");
    struct key_spec spec = {.name = json_get_str(v, "name"), .primary = str_eqz(op, "p"), .columns = json_get(v, "names"), .parent_columns = json_get(v, "refnames")};
    struct ask_name ref;
    struct securable parent;
    jval *option;
    size_t i, n;
    if (!spec.primary && !str_eqz(op, "f"))
        return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "Constraints of this kind are not kept on a table.");
    yyjson_arr_foreach(json_get(v, "children"), i, n, option) spec.rely |= str_eqz(json_str(option), "rely");
    if (!spec.primary) {
        TRY(ask_name(k, json_get(v, "ref"), 3, &ref));
        TRY(ask_open(k, SEC_TABLE, &ref, PRIV_SELECT, &parent));
        spec.parent = &parent;
    }
    err *e = keys_add(k->c, t, &spec, k->d, list);
    if (err_code_of(e) != ERR_ALREADY_EXISTS) return ask_sql(e);
    err *why = ask_error("CONSTRAINT_ALREADY_EXISTS", "42710", "%s", err_msg(e));
    err_free(e);
    return why;
}

static err *add_constraint(struct ask *k) {
    struct securable t;
    struct key_table of = {0};
    jval *list, *v;
    size_t i, n;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MANAGE, &t));
    TRY(json_parse(k->c->a, t.table.constraints.n ? t.table.constraints : STR("[]"), false, &list));
    of.name = t.table.name;
    TRY(tables_columns(k->c, &t.table, &of.columns));
    jmut *made = yyjson_val_mut_copy(k->d, list);
    yyjson_arr_foreach(json_get(k->in, "constraints"), i, n, v) TRY(cmd_put_key(k, &of, v, made));
    t.table.constraints = json_text(k->c->a, made);
    return save(k, &t);
}

static err *drop_constraint(struct ask *k) {
    struct securable t;
    size_t gone;
    str command = ask_text(k, "command"), name = ask_word(k, "key");
    enum keys_which which = str_eqz(command, "alter_table_drop_primary_key")   ? KEYS_PRIMARY
                            : str_eqz(command, "alter_table_drop_foreign_key") ? KEYS_FOREIGN
                                                                               : KEYS_BY_NAME;
    TRY(ask_open_slot(k, "name", SEC_TABLE, PRIV_MANAGE, &t));
    TRY(ask_sql(keys_drop(k->c, &t, which, name, json_get(k->in, "names"), ask_flag(k, "cascade"), &gone)));
    if (!gone && !ask_flag(k, "if_exists"))
        return ask_error(which == KEYS_BY_NAME ? "DELTA_CONSTRAINT_DOES_NOT_EXIST" : "CONSTRAINT_DOES_NOT_EXIST", "42704", "There is no %s'%.*s' on the table %.*s.",
                         which == KEYS_PRIMARY ? "primary key " : which == KEYS_FOREIGN ? "foreign key of these columns " : "constraint ", STR_ARG(name),
                         STR_ARG(t.full_name));
    return gone ? save(k, &t) : NULL;
}

/* ---- with CREATE TABLE and ADD COLUMNS ---- */

err *cmd_apply_policies(struct ask *k, struct securable *t, jval *policies) {
    jval *filter = json_get(policies, "filter"), *v;
    size_t i, n;
    jmut *o;
    if (!policies) return NULL;
    yyjson_arr_foreach(json_get(policies, "columns"), i, n, v) {
        str mask = json_get_str(json_get(v, "mask"), "sql");
        struct column_change change = {.key = "mask"};
        if (!mask.n) continue;
        TRY(policy_of(k, mask, true, &change.value));
        TRY(change_column(k, t, json_get_str(v, "name"), &change));
    }
    if (yyjson_is_obj(filter)) {
        TRY(policy_of(k, json_get_str(filter, "sql"), false, &o));
        t->table.row_filter = json_text(k->c->a, o);
    }
    return save(k, t);
}

/* ---- external locations ---- */

static err *location_url(struct ask *k) {
    struct securable l;
    TRY(ask_open_slot(k, "name", SEC_LOCATION, PRIV_MANAGE, &l));
    TRY(ask_sql(locations_move(k->c, &l, ask_text(k, "location"), ask_flag(k, "all"))));
    return save(k, &l);
}

static err *location_credential(struct ask *k) {
    struct securable l;
    TRY(ask_open_slot(k, "name", SEC_LOCATION, PRIV_MANAGE, &l));
    TRY(ask_sql(locations_set_credential(k->c, &l, ask_word(k, "key"))));
    return save(k, &l);
}

#define OWNER(what) {"alter_" what "_owner", alter_owner, true}
#define TAGGED(what) {"alter_" what "_set_tags", alter_tags, true}, {"alter_" what "_unset_tags", alter_tags, true}
const struct ask_command ask_alter_commands[] = {
    OWNER("catalog"), OWNER("schema"), OWNER("table"), OWNER("view"), OWNER("materialized_view"), OWNER("streaming_table"),
    OWNER("volume"), OWNER("function"), OWNER("location"), OWNER("credential"),
    TAGGED("catalog"), TAGGED("schema"), TAGGED("table"), TAGGED("view"), TAGGED("materialized_view"), TAGGED("streaming_table"),
    TAGGED("volume"), TAGGED("function"),
    {"set_tag", tag_on, true},
    {"unset_tag", tag_on, true},
    {"alter_table_rename", alter_rename, true},
    {"alter_view_rename", alter_rename, true},
    {"alter_materialized_view_rename", alter_rename, true},
    {"alter_volume_rename", alter_rename, true},
    {"alter_location_rename", alter_rename, true},
    {"alter_credential_rename", alter_rename, true},
    {"alter_location_url", location_url, true}, {"alter_location_credential", location_credential, true},
    {"alter_table_set_row_filter", set_row_filter, true},
    {"alter_table_drop_row_filter", drop_row_filter, true},
    {"alter_table_alter_column", alter_column, true},
    {"alter_table_add_constraint", add_constraint, true},
    {"alter_table_drop_constraint", drop_constraint, true},
    {"alter_table_drop_primary_key", drop_constraint, true},
    {"alter_table_drop_foreign_key", drop_constraint, true},
    {"alter_table_set_properties", alter_properties, true},
    {"alter_table_unset_properties", alter_properties, true},
    {"alter_view_set_properties", alter_properties, true},
    {"alter_view_unset_properties", alter_properties, true},
    {"comment_on", comment_on, true},
    {"set_table_statistics", set_statistics, true},
    {NULL, NULL, false},
};
