/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/keys.h"

#include "catalog/tables.h"

#define STEP 1000 /* rows read at once */

static err *read_keys(arena *a, str text, jval **ret) { return json_parse(a, text.n ? text : STR("[]"), false, ret); }

static bool is_primary(jval *key) { return str_eqz(json_get_str(key, "type"), "PRIMARY KEY"); }

static jval *column_of(jval *columns, str name) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(columns, i, n, v)
        if (str_ieq(json_get_str(v, "name"), name)) return v;
    return NULL;
}

static bool has_name(jval *names, str name) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(names, i, n, v)
        if (str_ieq(json_str(v), name)) return true;
    return false;
}

static bool same_names(jval *a, jval *b) {
    jval *v;
    size_t i, n;
    if (yyjson_arr_size(a) != yyjson_arr_size(b)) return false;
    yyjson_arr_foreach(a, i, n, v)
        if (!has_name(b, json_str(v))) return false;
    return true;
}

/* ---- adding ---- */

static err *check_columns(const struct key_table *t, const struct key_spec *spec, str name) {
    const char *what = spec->primary ? "primary key" : "foreign key";
    jval *v;
    size_t i, n;
    if (!yyjson_arr_size(spec->columns)) return err_new(ERR_INVALID_PARAMETER_VALUE, "The %s '%.*s' names no columns.", what, STR_ARG(name));
    yyjson_arr_foreach(spec->columns, i, n, v) {
        jval *column = column_of(t->columns, json_str(v));
        if (!column)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "The %s '%.*s' names the column '%.*s', which the table '%.*s' does not have.", what, STR_ARG(name),
                           STR_ARG(str_cut(json_str(v), 255)), STR_ARG(t->name));
        for (size_t k = 0; k < i; k++)
            if (str_ieq(json_str(yyjson_arr_get(spec->columns, k)), json_str(v)))
                return err_new(ERR_INVALID_PARAMETER_VALUE, "The %s '%.*s' names the column '%.*s' twice.", what, STR_ARG(name), STR_ARG(json_str(v)));
        if (spec->primary && !t->made && !yyjson_is_false(json_get(column, "nullable")))
            return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "The primary key '%.*s' cannot be made: its column '%.*s' may be NULL.", STR_ARG(name),
                                    STR_ARG(json_str(v))),
                            "Set it NOT NULL first.");
    }
    return NULL;
}

/* One that the table has in its way. */
static err *check_others(const struct key_table *t, const struct key_spec *spec, str name, jmut *list) {
    yyjson_mut_val *v;
    size_t i, n;
    yyjson_mut_arr_foreach(list, i, n, v) {
        str other = str_of(yyjson_mut_get_str(yyjson_mut_obj_get(v, "name")));
        if (str_ieq(other, name)) return err_new(ERR_ALREADY_EXISTS, "A constraint '%.*s' already exists on '%.*s'.", STR_ARG(name), STR_ARG(t->name));
        if (spec->primary && strcmp(yyjson_mut_get_str(yyjson_mut_obj_get(v, "type")), "PRIMARY KEY") == 0)
            return err_new(ERR_ALREADY_EXISTS, "The table '%.*s' has the primary key '%.*s' already.", STR_ARG(t->name), STR_ARG(other));
    }
    return NULL;
}

static err *check_types(const struct key_table *t, const struct key_spec *spec, str name, jval *theirs, jval *parent_columns) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(spec->columns, i, n, v) {
        str ours = json_get_str(column_of(t->columns, json_str(v)), "type_text");
        jval *other = column_of(parent_columns, json_str(yyjson_arr_get(theirs, i)));
        if (!other || !ours.n || str_ieq(json_get_str(other, "type_text"), ours)) continue;
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The foreign key '%.*s' has the column '%.*s' of type %.*s for '%.*s' of type %.*s.", STR_ARG(name),
                       STR_ARG(json_str(v)), STR_ARG(ours), STR_ARG(json_get_str(other, "name")), STR_ARG(json_get_str(other, "type_text")));
    }
    return NULL;
}

static err *put_parent(const struct caller *c, const struct key_table *t, const struct key_spec *spec, str name, jdoc *d, jmut *o) {
    const struct securable *p = spec->parent;
    jval *keys, *v, *primary = NULL, *columns;
    size_t i, n;
    TRY(read_keys(c->a, p->table.constraints, &keys));
    yyjson_arr_foreach(keys, i, n, v)
        if (is_primary(v)) primary = v;
    if (!primary) return err_new(ERR_INVALID_PARAMETER_VALUE, "The foreign key '%.*s' refers to '%.*s', which has no primary key.", STR_ARG(name), STR_ARG(p->full_name));
    jval *theirs = spec->parent_columns ? spec->parent_columns : json_get(primary, "columns");
    if (!same_names(theirs, json_get(primary, "columns")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The foreign key '%.*s' must refer to the columns of the primary key '%.*s' of '%.*s'.", STR_ARG(name),
                       STR_ARG(json_get_str(primary, "name")), STR_ARG(p->full_name));
    if (yyjson_arr_size(theirs) != yyjson_arr_size(spec->columns))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The foreign key '%.*s' has %zu columns for the %zu of the primary key '%.*s'.", STR_ARG(name),
                       yyjson_arr_size(spec->columns), yyjson_arr_size(theirs), STR_ARG(json_get_str(primary, "name")));
    TRY(tables_columns(c, &p->table, &columns));
    TRY(check_types(t, spec, name, theirs, columns));
    json_put_str(d, o, "parent_table", p->full_name);
    json_put_str(d, o, "parent_key", json_get_str(primary, "name"));
    json_put(d, o, "parent_columns", yyjson_val_mut_copy(d, theirs));
    return NULL;
}

err *keys_add(const struct caller *c, const struct key_table *t, const struct key_spec *spec, jdoc *d, jmut *list) {
    str name = spec->name.n ? spec->name : str_of(arena_printf(c->a, "%.*s_%s", STR_ARG(t->name), spec->primary ? "pk" : "fk"));
    for (int k = 1; !spec->name.n && k < 100; k++) { /* several foreign keys without names */
        err *taken = check_others(t, &(struct key_spec){0}, name, list);
        if (!taken) break;
        err_free(taken);
        name = str_of(arena_printf(c->a, "%.*s_%s%d", STR_ARG(t->name), spec->primary ? "pk" : "fk", k));
    }
    if (name.n > 255) return err_new(ERR_INVALID_PARAMETER_VALUE, "The name of a constraint is longer than 255 bytes.");
    TRY(check_columns(t, spec, name));
    TRY(check_others(t, spec, name, list));
    jmut *o = yyjson_mut_obj(d);
    json_put_str(d, o, "name", name);
    json_put_z(d, o, "type", spec->primary ? "PRIMARY KEY" : "FOREIGN KEY");
    json_put(d, o, "columns", yyjson_val_mut_copy(d, spec->columns));
    if (spec->rely) json_put_bool(d, o, "rely", true);
    if (!spec->primary) TRY(put_parent(c, t, spec, name, d, o));
    yyjson_mut_arr_append(list, o);
    return NULL;
}

/* ---- dropping ---- */

static bool refers(jval *key, const struct securable *t) { return !is_primary(key) && str_ieq(json_get_str(key, "parent_table"), t->full_name); }

/* Foreign keys of all tables that refer to t: refused, or taken away. */
static err *drop_references(const struct caller *c, const struct securable *t, bool cascade) {
    struct ent_uc_table_rows rows = {.more = true};
    struct ent_list_query q = {.order = ENT_BY_ID, .limit = STEP};
    arena *a = arena_new();
    err *e = NULL;
    while (!e && rows.more) {
        arena_reset(a);
        e = ent_uc_table_list(c->tx, metastore_scope(c), a, &q, &rows);
        for (size_t i = 0; !e && i < rows.n; i++) {
            struct ent_uc_table *row = &rows.p[i];
            jval *keys, *v;
            size_t k, n;
            q.after = true;
            q.after_id = q.after_i = row->id;
            if (row->id == t->id || str_find(row->constraints, STR("FOREIGN KEY")) < 0) continue;
            if ((e = read_keys(a, row->constraints, &keys))) break;
            jdoc *d = json_doc(a);
            jmut *kept = yyjson_mut_arr(d);
            yyjson_arr_foreach(keys, k, n, v)
                if (!refers(v, t)) yyjson_mut_arr_append(kept, yyjson_val_mut_copy(d, v));
            if (yyjson_mut_arr_size(kept) == n) continue;
            if (!cascade)
                e = err_hint(err_new(ERR_INVALID_STATE, "Foreign keys of other tables refer to the primary key of '%.*s'.", STR_ARG(t->full_name)),
                             "Drop them first, or use CASCADE.");
            row->constraints = json_text(a, kept);
            if (!e) e = ent_uc_table_update(c->tx, metastore_scope(c), row);
        }
    }
    arena_free(a);
    return e;
}

err *keys_drop(const struct caller *c, struct securable *t, enum keys_which which, str name, jval *columns, bool cascade, size_t *ret) {
    jval *keys, *v;
    size_t i, n;
    bool primary = false;
    *ret = 0;
    TRY(read_keys(c->a, t->table.constraints, &keys));
    jdoc *d = json_doc(c->a);
    jmut *kept = yyjson_mut_arr(d);
    yyjson_arr_foreach(keys, i, n, v) {
        bool here = which == KEYS_PRIMARY   ? is_primary(v)
                    : which == KEYS_BY_NAME ? str_ieq(json_get_str(v, "name"), name)
                                            : !is_primary(v) && (!columns || same_names(columns, json_get(v, "columns")));
        *ret += here;
        primary |= here && is_primary(v);
        if (!here) yyjson_mut_arr_append(kept, yyjson_val_mut_copy(d, v));
    }
    if (primary) TRY(drop_references(c, t, cascade));
    if (*ret) t->table.constraints = json_text(c->a, kept);
    return NULL;
}

err *keys_check_columns(arena *a, const struct ent_uc_table *t, jval *columns) {
    jval *keys, *v, *name;
    size_t i, n, k, m;
    TRY(read_keys(a, t->constraints, &keys));
    yyjson_arr_foreach(keys, i, n, v) yyjson_arr_foreach(json_get(v, "columns"), k, m, name)
        if (!column_of(columns, json_str(name)))
            return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "The column '%.*s' is part of the constraint '%.*s'.", STR_ARG(json_str(name)),
                                    STR_ARG(json_get_str(v, "name"))),
                            "Drop the constraint first.");
    return NULL;
}
