/* SPDX-License-Identifier: Apache-2.0 */
/*
 * information_schema of a catalog, and system.information_schema of all: relations whose rows control makes, of what the
 * caller may see.
 *
 * A view is a row of views[]: its columns, and what it is made for (catalogs, schemas, tables …). A walk goes over what is
 * visible, narrowed by filters ({column, values}: equality on names, pushed down by the engine), and calls the view's
 * function for each. Names are in lower case, as the published platform shows them. To add one more: a row and a function.
 */
#include <stdlib.h>

#include "catalog/ask.h"
#include "catalog/catalogs.h"
#include "catalog/cmd.h"
#include "catalog/functions.h"
#include "catalog/grants.h"
#include "catalog/name.h"
#include "catalog/tables.h"

struct info {
    struct ask *k;
    const struct info_view *view;
    jmut *rows;
    int64_t left;           /* rows that may still come */
    bool ordered;           /* … the first ones by the columns that the walk goes by: rows that the walk has elsewhere come in addition */
    jval *filters;
    const struct securable *catalog, *schema;
};

typedef err *(*info_fn)(struct info *x, const struct securable *s);

enum level { OF_CATALOG, OF_SCHEMA, OF_TABLE, OF_VOLUME, OF_FUNCTION, OF_METASTORE, OF_LOCATION, OF_CREDENTIAL, OF_NONE };

struct info_view {
    const char *name, *columns; /* "name type, …"; a type left out is string */
    enum level level;
    info_fn fn;
    enum { ANY_ROWS, ONE_ROW, ELSEWHERE } rows; /* ONE_ROW: at most one for each thing. ELSEWHERE: its names need not be the thing's */
};

/* ---- rows ---- */

static str lower(struct info *x, str s) {
    char *p = arena_strndup(x->k->c->a, s.p ? s.p : "", s.n);
    for (char *q = p; *q; q++)
        if (*q >= 'A' && *q <= 'Z') *q = (char)(*q + 32);
    return str_of(p);
}
static str upper(struct info *x, str s) {
    char *p = arena_strndup(x->k->c->a, s.p ? s.p : "", s.n);
    for (char *q = p; *q; q++)
        if (*q >= 'a' && *q <= 'z') *q = (char)(*q - 32);
    return str_of(p);
}

static jmut *row(struct info *x) {
    x->left--;
    return yyjson_mut_arr_add_arr(x->k->d, x->rows);
}
static void put(struct info *x, jmut *r, str v) { ask_put(x->k, r, v); }
static void put_z(struct info *x, jmut *r, const char *v) { ask_put(x->k, r, str_of(v)); }
static void put_null(struct info *x, jmut *r, int n) {
    while (n-- > 0) yyjson_mut_arr_add_null(x->k->d, r);
}
static void put_int(struct info *x, jmut *r, int64_t v) { yyjson_mut_arr_add_sint(x->k->d, r, v); }
static void put_name(struct info *x, jmut *r, str v) { put(x, r, lower(x, v)); }
#define NOBODY "System user"
static err *put_who(struct info *x, jmut *r, int64_t principal) {
    str name = STR(NOBODY);
    if (principal) TRY(ask_principal(x->k, principal, &name));
    put(x, r, name);
    return NULL;
}

struct stamps {
    int64_t created_at, created_by, updated_at, updated_by;
};
#define STAMPS(o) ((struct stamps){(o).created_at, (o).created_by, (o).updated_at, (o).updated_by})
static err *put_stamps(struct info *x, jmut *r, struct stamps s) {
    put_int(x, r, s.created_at);
    TRY(put_who(x, r, s.created_by));
    put_int(x, r, s.updated_at);
    return put_who(x, r, s.updated_by);
}
static void put_table_names(struct info *x, jmut *r, const struct securable *s) {
    put_name(x, r, s->catalog.name);
    put_name(x, r, s->schema.name);
    put_name(x, r, s->table.name);
}

/* ---- catalogs and schemas ---- */

static err *on_catalogs(struct info *x, const struct securable *s) {
    jmut *r = row(x);
    put_name(x, r, s->catalog.name);
    TRY(put_who(x, r, s->owner));
    put(x, r, s->catalog.comment);
    return put_stamps(x, r, STAMPS(s->catalog));
}

static err *on_catalog_name(struct info *x, const struct securable *s) {
    put_name(x, row(x), s->catalog.name);
    return NULL;
}

static err *on_schemata(struct info *x, const struct securable *s) {
    jmut *r = row(x);
    put_name(x, r, s->catalog.name);
    put_name(x, r, s->schema.name);
    TRY(put_who(x, r, s->owner));
    put(x, r, s->schema.comment);
    return put_stamps(x, r, STAMPS(s->schema));
}

/* ---- tables and views ---- */

static err *on_tables(struct info *x, const struct securable *s) {
    const struct ent_uc_table *t = &s->table;
    str engine, url;
    jmut *r = row(x);
    put_table_names(x, r, s);
    put(x, r, t->table_type);
    put_z(x, r, table_is_view(t) ? "NO" : "YES");
    put_z(x, r, "PRESERVE");
    TRY(put_who(x, r, s->owner));
    put(x, r, t->comment);
    TRY(put_stamps(x, r, STAMPS(*t)));
    put(x, r, table_is_view(t) ? STR("UNKNOWN_DATA_SOURCE_FORMAT") : t->format);
    err *e = ask_table_place(x->k->c, t, &engine, &url);
    if (e) url = t->location; /* a place that is no more: the name stays */
    err_free(e);
    put(x, r, url.n ? url : STR_NONE);
    put_null(x, r, 1);
    return NULL;
}

static err *on_views(struct info *x, const struct securable *s) {
    const struct ent_uc_table *t = &s->table;
    if (!table_is_view(t)) return NULL;
    jmut *r = row(x);
    put_table_names(x, r, s);
    put(x, r, securable_shows_text(x->k->c, s) ? t->view_text : STR_NONE);
    put_z(x, r, "NONE");
    put_z(x, r, "NO");
    put_z(x, r, "NO");
    put_null(x, r, 1);
    yyjson_mut_arr_add_bool(x->k->d, r, str_eqz(t->table_type, "MATERIALIZED_VIEW"));
    return NULL;
}

/* data_type, character_maximum_length, character_octet_length, numeric_precision, _radix, _scale, datetime_precision,
 * interval_type */
static void put_type(struct info *x, jmut *r, str full) {
    ptrdiff_t end = 0;
    while ((size_t)end < full.n && full.p[end] != '(' && full.p[end] != '<') end++;
    str name = upper(x, str_cut(full, (size_t)end));
    if (str_eqz(name, "BIGINT")) name = STR("LONG");
    if (str_eqz(name, "SMALLINT")) name = STR("SHORT");
    if (str_eqz(name, "TINYINT")) name = STR("BYTE");
    put(x, r, name);
    put_null(x, r, 2);
    int64_t precision = str_eqz(name, "INT") ? 32 : str_eqz(name, "LONG") ? 64 : str_eqz(name, "SHORT") ? 16 : str_eqz(name, "BYTE") ? 8
                        : str_eqz(name, "DOUBLE") ? 53 : str_eqz(name, "FLOAT") ? 24 : 0, scale = 0, radix = 2;
    if (str_eqz(name, "DECIMAL")) {
        ptrdiff_t comma = str_chr(full, ',', 0), close = str_chr(full, ')', 0);
        radix = 10;
        if (comma > end && close > comma) {
            (void)str_to_i64(str_trim(str_n(full.p + end + 1, (size_t)(comma - end - 1))), &precision);
            (void)str_to_i64(str_trim(str_n(full.p + comma + 1, (size_t)(close - comma - 1))), &scale);
        }
    }
    if (precision) {
        put_int(x, r, precision);
        put_int(x, r, radix);
        put_int(x, r, scale);
    } else {
        put_null(x, r, 3);
    }
    bool interval = str_starts(name, STR("INTERVAL")), date = str_eqz(name, "DATE");
    if (str_starts(name, STR("TIMESTAMP")) || (interval && str_ends(name, STR("SECOND"))))
        put_int(x, r, 3);
    else if (interval || date)
        put_int(x, r, 0);
    else
        put_null(x, r, 1);
    put(x, r, interval ? str_trim(str_from(name, 8)) : STR_NONE);
}

static void put_data_type(struct info *x, jmut *r, str full) {
    /* data_type, full_data_type, and the rest as in put_type(). */
    size_t at = yyjson_mut_arr_size(r);
    put_type(x, r, full);
    (void)yyjson_mut_arr_insert(r, yyjson_mut_strn(x->k->d, full.p, full.n), at + 1);
}

static err *on_columns(struct info *x, const struct securable *s) {
    jval *list, *v;
    size_t i, n;
    int64_t part;
    TRY(tables_columns(x->k->c, &s->table, &list));
    yyjson_arr_foreach(list, i, n, v) {
        if (x->left <= 0 && !x->ordered) return NULL;
        jmut *r = row(x);
        put_table_names(x, r, s);
        put(x, r, json_get_str(v, "name"));
        put_int(x, r, (int64_t)i + 1);
        put_null(x, r, 1);
        put_z(x, r, yyjson_is_false(json_get(v, "nullable")) ? "NO" : "YES");
        put(x, r, cmd_type_text(v));
        put_type(x, r, cmd_type_text(v));
        put_null(x, r, 2);
        put_z(x, r, "NO");
        put_null(x, r, 6);
        put_z(x, r, "NO");
        put_null(x, r, 1);
        put_z(x, r, "NO");
        put_z(x, r, "NO");
        put_null(x, r, 1);
        put_z(x, r, "YES");
        if (json_i64(json_get(v, "partition_index"), &part))
            put_int(x, r, part + 1);
        else
            put_null(x, r, 1);
        put(x, r, json_get_str(v, "comment").n ? json_get_str(v, "comment") : STR_NONE);
    }
    return NULL;
}

/* ---- keys ---- */

static err *keys_of(struct info *x, const struct securable *s, jval **ret) {
    return json_parse(x->k->c->a, s->table.constraints.n ? s->table.constraints : STR("[]"), false, ret);
}
static void put_key_names(struct info *x, jmut *r, const struct securable *s, jval *key) {
    put_name(x, r, s->catalog.name);
    put_name(x, r, s->schema.name);
    put(x, r, json_get_str(key, "name"));
}

static err *on_table_constraints(struct info *x, const struct securable *s) {
    jval *keys, *v;
    size_t i, n;
    TRY(keys_of(x, s, &keys));
    yyjson_arr_foreach(keys, i, n, v) {
        jmut *r = row(x);
        put_key_names(x, r, s, v);
        put_table_names(x, r, s);
        put(x, r, json_get_str(v, "type"));
        put_z(x, r, "NO");
        put_z(x, r, "NO");
        put_z(x, r, "NO");
    }
    return NULL;
}

static err *on_constraint_table_usage(struct info *x, const struct securable *s) {
    jval *keys, *v;
    size_t i, n;
    TRY(keys_of(x, s, &keys));
    yyjson_arr_foreach(keys, i, n, v) {
        jmut *r = row(x);
        put_key_names(x, r, s, v);
        put_table_names(x, r, s);
    }
    return NULL;
}

static err *on_key_columns(struct info *x, const struct securable *s) {
    jval *keys, *v, *c;
    size_t i, n, j, m;
    TRY(keys_of(x, s, &keys));
    yyjson_arr_foreach(keys, i, n, v) {
        bool foreign = str_eqz(json_get_str(v, "type"), "FOREIGN KEY");
        yyjson_arr_foreach(json_get(v, "columns"), j, m, c) {
            jmut *r = row(x);
            put_key_names(x, r, s, v);
            put_table_names(x, r, s);
            put(x, r, json_str(c));
            put_int(x, r, (int64_t)j + 1);
            if (foreign)
                put_int(x, r, (int64_t)j + 1);
            else
                put_null(x, r, 1);
        }
    }
    return NULL;
}

/* The column that is constrained; of a foreign key the one that it refers to. */
static err *on_constraint_columns(struct info *x, const struct securable *s) {
    jval *keys, *v, *c;
    size_t i, n, j, m;
    TRY(keys_of(x, s, &keys));
    yyjson_arr_foreach(keys, i, n, v) {
        bool foreign = str_eqz(json_get_str(v, "type"), "FOREIGN KEY");
        str part[3] = {s->catalog.name, s->schema.name, s->table.name};
        if (foreign) TRY(name_split(x->k->c->a, json_get_str(v, "parent_table"), 3, "table", part));
        yyjson_arr_foreach(json_get(v, foreign ? "parent_columns" : "columns"), j, m, c) {
            jmut *r = row(x);
            for (int p = 0; p < 3; p++) put_name(x, r, part[p]);
            put(x, r, json_str(c));
            put_key_names(x, r, s, v);
        }
    }
    return NULL;
}

static err *on_referential(struct info *x, const struct securable *s) {
    jval *keys, *v;
    size_t i, n;
    TRY(keys_of(x, s, &keys));
    yyjson_arr_foreach(keys, i, n, v) {
        str part[3];
        if (!str_eqz(json_get_str(v, "type"), "FOREIGN KEY")) continue;
        TRY(name_split(x->k->c->a, json_get_str(v, "parent_table"), 3, "table", part));
        jmut *r = row(x);
        put_key_names(x, r, s, v);
        put_name(x, r, part[0]);
        put_name(x, r, part[1]);
        put(x, r, json_get_str(v, "parent_key"));
        put_z(x, r, "FULL");
        put_z(x, r, "NO ACTION");
        put_z(x, r, "NO ACTION");
    }
    return NULL;
}

/* ---- tags ---- */

static err *on_catalog_tags(struct info *x, const struct securable *s) {
    struct kv tags;
    TRY(kv_read(x->k->c->a, s->catalog.tags, &tags));
    for (size_t i = 0; i < tags.n; i++) {
        jmut *r = row(x);
        put_name(x, r, s->catalog.name);
        put(x, r, tags.p[i].key);
        put(x, r, tags.p[i].value);
    }
    return NULL;
}

static err *on_schema_tags(struct info *x, const struct securable *s) {
    struct kv tags;
    TRY(kv_read(x->k->c->a, s->schema.tags, &tags));
    for (size_t i = 0; i < tags.n; i++) {
        jmut *r = row(x);
        put_name(x, r, s->catalog.name);
        put_name(x, r, s->schema.name);
        put(x, r, tags.p[i].key);
        put(x, r, tags.p[i].value);
    }
    return NULL;
}

static err *on_table_tags(struct info *x, const struct securable *s) {
    struct kv tags;
    TRY(tables_tags(x->k->c, &s->table, STR(""), &tags));
    for (size_t i = 0; i < tags.n; i++) {
        jmut *r = row(x);
        put_table_names(x, r, s);
        put(x, r, tags.p[i].key);
        put(x, r, tags.p[i].value);
    }
    return NULL;
}

static err *on_column_tags(struct info *x, const struct securable *s) {
    jval *all, *key, *value;
    size_t i, n;
    if (!s->table.tags.n) return NULL;
    TRY(json_parse(x->k->c->a, s->table.tags, false, &all));
    yyjson_obj_foreach(json_get(all, "columns"), i, n, key, value) {
        struct kv tags;
        TRY(kv_from_object(x->k->c->a, value, "tags", &tags));
        for (size_t t = 0; t < tags.n; t++) {
            jmut *r = row(x);
            put_table_names(x, r, s);
            put(x, r, json_str(key));
            put(x, r, tags.p[t].key);
            put(x, r, tags.p[t].value);
        }
    }
    return NULL;
}

static err *on_volume_tags(struct info *x, const struct securable *s) {
    struct kv tags;
    TRY(kv_read(x->k->c->a, s->volume.tags, &tags));
    for (size_t i = 0; i < tags.n; i++) {
        jmut *r = row(x);
        put_name(x, r, s->catalog.name);
        put_name(x, r, s->schema.name);
        put_name(x, r, s->volume.name);
        put(x, r, tags.p[i].key);
        put(x, r, tags.p[i].value);
    }
    return NULL;
}

/* ---- row filters and column masks ---- */

static str joined(struct info *x, jval *list) {
    buf b = {0};
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(list, i, n, v) {
        if (i) buf_c(&b, ',');
        buf_str(&b, json_str(v));
    }
    str s = b.n ? arena_str(x->k->c->a, buf_view(&b)) : STR_NONE;
    buf_free(&b);
    return s;
}

/* Row filters and masks have the columns that clients read (the function by its whole name), and after them the published ones:
 * catalog and schema of the table and of the function, and the columns once more. */
static err *put_policy(struct info *x, jmut *r, const struct securable *s, str function, str columns) {
    str part[3];
    TRY(name_split(x->k->c->a, function, 3, "function", part));
    put(x, r, function);
    put(x, r, columns);
    put_name(x, r, s->catalog.name);
    put_name(x, r, s->schema.name);
    put_name(x, r, part[0]);
    put_name(x, r, part[1]);
    put(x, r, columns);
    return NULL;
}

static err *on_row_filters(struct info *x, const struct securable *s) {
    jval *f;
    if (!s->table.row_filter.n) return NULL;
    TRY(json_parse(x->k->c->a, s->table.row_filter, false, &f));
    jmut *r = row(x);
    put_table_names(x, r, s);
    str columns = joined(x, json_get(f, "input_column_names"));
    return put_policy(x, r, s, json_get_str(f, "function_name"), columns.p ? columns : STR(""));
}

static err *on_column_masks(struct info *x, const struct securable *s) {
    jval *list, *v;
    size_t i, n;
    TRY(tables_columns(x->k->c, &s->table, &list));
    yyjson_arr_foreach(list, i, n, v) {
        jval *m = json_get(v, "mask");
        if (!yyjson_is_obj(m)) continue;
        jmut *r = row(x);
        put_table_names(x, r, s);
        put(x, r, json_get_str(v, "name"));
        TRY(put_policy(x, r, s, json_get_str(m, "function_name"), joined(x, json_get(m, "using_column_names"))));
    }
    return NULL;
}

/* ---- volumes and functions ---- */

static err *on_volumes(struct info *x, const struct securable *s) {
    jmut *r = row(x);
    put_name(x, r, s->catalog.name);
    put_name(x, r, s->schema.name);
    put_name(x, r, s->volume.name);
    put(x, r, s->volume.volume_type);
    TRY(put_who(x, r, s->owner));
    put(x, r, s->volume.comment);
    put(x, r, s->volume.location.n ? s->volume.location : STR_NONE);
    return put_stamps(x, r, STAMPS(s->volume));
}

static err *on_routines(struct info *x, const struct securable *s) {
    const struct ent_uc_function *f = &s->function;
    jval *returns;
    TRY(json_parse(x->k->c->a, f->returns.n ? f->returns : STR("{}"), false, &returns));
    jmut *r = row(x);
    for (int twice = 0; twice < 2; twice++) {
        put_name(x, r, s->catalog.name);
        put_name(x, r, s->schema.name);
        put_name(x, r, f->name);
    }
    put_z(x, r, "FUNCTION");
    put_data_type(x, r, f->is_table ? STR("TABLE") : cmd_type_text(returns));
    put_null(x, r, 2);
    bool sql = str_eqz(f->language, "SQL");
    put_z(x, r, sql ? "SQL" : "EXTERNAL");
    put(x, r, securable_shows_text(x->k->c, s) ? f->body : STR_NONE);
    put_null(x, r, 1);
    put(x, r, sql ? STR_NONE : f->language);
    put_z(x, r, "SQL");
    put_z(x, r, f->deterministic ? "YES" : "NO");
    put_z(x, r, sql ? "CONTAINS_SQL" : "NO SQL");
    put_z(x, r, "YES");
    put_null(x, r, 1);
    put_z(x, r, "DEFINER");
    put_z(x, r, "NO");
    TRY(put_who(x, r, s->owner));
    put(x, r, f->comment);
    return put_stamps(x, r, STAMPS(*f));
}

static err *on_parameters(struct info *x, const struct securable *s) {
    jval *list, *v;
    size_t i, n;
    TRY(json_parse(x->k->c->a, s->function.params.n ? s->function.params : STR("[]"), false, &list));
    yyjson_arr_foreach(list, i, n, v) {
        jmut *r = row(x);
        put_name(x, r, s->catalog.name);
        put_name(x, r, s->schema.name);
        put_name(x, r, s->function.name);
        put_int(x, r, (int64_t)i + 1);
        put_z(x, r, "IN");
        put_z(x, r, "NO");
        put_z(x, r, "NO");
        put(x, r, json_get_str(v, "name"));
        put_data_type(x, r, cmd_type_text(v));
        put_null(x, r, 2);
        put(x, r, json_get_str(v, "default").p ? json_get_str(v, "default") : STR_NONE);
        put(x, r, json_get_str(v, "comment"));
    }
    return NULL;
}

/* ---- privileges: those that the caller may see (his own; all with MANAGE) ---- */

static bool may_see(const struct info *x, const struct securable *s, int64_t principal) {
    const struct policy_subject *who = x->k->c->who;
    bool self = principal == who->id || securable_knows(x->k->c, s, PRIV_MANAGE);
    for (size_t i = 0; i < who->n_groups; i++) self |= who->groups[i] == principal;
    return self;
}

/* The entries of one level that count for s, inherited from there. */
static err *put_entries(struct info *x, const struct securable *s, str owner, const struct policy_entry *p, size_t n, uint64_t applies, const char *from) {
    for (size_t i = 0; i < n; i++) {
        if (!(p[i].right & applies) || !may_see(x, s, p[i].principal)) continue;
        str who;
        TRY(ask_principal(x->k, p[i].principal, &who));
        for (int b = 0; b < PRIV_COUNT; b++) {
            if (!(p[i].right & applies & (1ull << b))) continue;
            jmut *r = row(x);
            put(x, r, owner);
            put(x, r, who);
            put_name(x, r, s->catalog.name);
            if (s->kind != SEC_CATALOG) put_name(x, r, s->schema.name);
            if (s->kind == SEC_TABLE) put_name(x, r, s->table.name);
            if (s->kind == SEC_VOLUME) put_name(x, r, s->volume.name);
            if (s->kind == SEC_FUNCTION) put_name(x, r, s->function.name);
            put_z(x, r, priv_rows[b].name);
            put_z(x, r, "NO");
            put_z(x, r, from);
        }
    }
    return NULL;
}

/* What was granted on it, and on what is above it as far as that holds for its kind. */
static err *on_privileges(struct info *x, const struct securable *s) {
    static const char *const above[] = {"METASTORE", "CATALOG", "SCHEMA"}; /* from the end of the chain */
    struct policy_entry *p;
    size_t n;
    str owner;
    TRY(grants_entries(x->k->c, s->kind, s->id, &p, &n));
    TRY(ask_principal(x->k, s->owner, &owner));
    TRY(put_entries(x, s, owner, p, n, ~0ull, "NONE"));
    for (size_t at = 1; at < s->n; at++)
        TRY(put_entries(x, s, owner, s->chain[at].entries, s->chain[at].n, securable_grantable(s->kind), above[s->n - 1 - at]));
    return NULL;
}

/* grantor, grantee, name, privilege, is_grantable, inherited_from of what lies right below the metastore, and of itself. */
static err *on_top_privileges(struct info *x, const struct securable *s) {
    struct policy_entry *p;
    size_t n;
    str owner;
    TRY(grants_entries(x->k->c, s->kind, s->id, &p, &n));
    TRY(ask_principal(x->k, s->owner, &owner));
    for (size_t i = 0; i < n; i++) {
        if (!may_see(x, s, p[i].principal)) continue;
        str who;
        TRY(ask_principal(x->k, p[i].principal, &who));
        for (int b = 0; b < PRIV_COUNT; b++) {
            if (!(p[i].right & (1ull << b))) continue;
            jmut *r = row(x);
            put(x, r, owner.n ? owner : STR_NONE);
            put(x, r, who);
            put(x, r, s->kind == SEC_METASTORE ? x->k->metastore : s->full_name);
            put_z(x, r, priv_rows[b].name);
            put_z(x, r, "NO");
            put_z(x, r, "NONE");
        }
    }
    return NULL;
}

static err *on_metastores(struct info *x, const struct securable *s) {
    const struct caller *c = x->k->c;
    struct ent_account_rows rows;
    (void)s;
    TRY(ent_account_list(c->tx, metastore_scope(c), c->a, &(struct ent_list_query){.limit = 1}, &rows));
    struct ent_account account = rows.n ? rows.p[0] : (struct ent_account){0};
    jmut *r = row(x);
    put(x, r, x->k->metastore);
    put(x, r, account.name.n ? account.name : STR("metastore"));
    TRY(put_who(x, r, account.created_by));
    put(x, r, c->tables_url);
    put_null(x, r, 2);
    put_z(x, r, "INTERNAL");
    put_null(x, r, 2);
    put_z(x, r, "1.0");
    put_z(x, r, "aws");
    put_z(x, r, "local");
    put(x, r, str_of(arena_printf(c->a, "boathouse:local:%.*s", STR_ARG(x->k->metastore))));
    return put_stamps(x, r, STAMPS(account));
}

static err *on_locations(struct info *x, const struct securable *s) {
    struct ent_storage_credential row_of;
    bool found = false;
    jmut *r = row(x);
    if (s->location.credential_id)
        TRY(ent_storage_credential_get(x->k->c->tx, metastore_scope(x->k->c), x->k->c->a, s->location.credential_id, &row_of, &found));
    put(x, r, s->location.name);
    TRY(put_who(x, r, s->owner));
    put(x, r, s->location.url);
    put_z(x, r, catalog_uuid(x->k->c->a, s->location.credential_id));
    put(x, r, found ? row_of.name : STR("local"));
    put_z(x, r, s->location.read_only ? "YES" : "NO");
    put(x, r, s->location.comment);
    return put_stamps(x, r, STAMPS(s->location));
}

/* purpose: the newer view has it. The credential itself is told by its role, or not at all. */
static err *put_credential(struct info *x, const struct securable *s, bool purpose) {
    const struct ent_storage_credential *k = &s->credential;
    jval *config;
    jmut *r = row(x);
    TRY(json_parse(x->k->c->a, k->config.n ? k->config : STR("{}"), false, &config));
    put_z(x, r, catalog_uuid(x->k->c->a, k->id));
    put(x, r, k->name);
    TRY(put_who(x, r, s->owner));
    if (purpose) put_z(x, r, "STORAGE");
    put(x, r, upper(x, k->kind));
    put(x, r, json_get_str(config, "role_arn").n ? json_get_str(config, "role_arn") : STR("[REDACTED]"));
    put_z(x, r, "NO");
    put(x, r, k->comment);
    return put_stamps(x, r, STAMPS(*k));
}
static err *on_storage_credentials(struct info *x, const struct securable *s) { return put_credential(x, s, false); }
static err *on_credentials(struct info *x, const struct securable *s) { return put_credential(x, s, true); }

static err *on_routine_columns(struct info *x, const struct securable *s) {
    jval *list, *v;
    size_t i, n;
    if (!s->function.is_table) return NULL;
    TRY(json_parse(x->k->c->a, s->function.returns.n ? s->function.returns : STR("[]"), false, &list));
    yyjson_arr_foreach(list, i, n, v) {
        jmut *r = row(x);
        put_name(x, r, s->catalog.name);
        put_name(x, r, s->schema.name);
        put_name(x, r, s->function.name);
        put_int(x, r, (int64_t)i + 1);
        put(x, r, json_get_str(v, "name"));
        put_data_type(x, r, cmd_type_text(v));
        put_null(x, r, 2);
        put(x, r, json_get_str(v, "comment").n ? json_get_str(v, "comment") : STR_NONE);
    }
    return NULL;
}

static err *on_nothing(struct info *x, const struct securable *s) {
    (void)x;
    (void)s;
    return NULL;
}

/* ---- the views ---- */

#define TABLE3 "table_catalog, table_schema, table_name"
#define KEY3 "constraint_catalog, constraint_schema, constraint_name"
#define SPECIFIC3 "specific_catalog, specific_schema, specific_name"
#define MEASURED "character_maximum_length int, character_octet_length, numeric_precision int, numeric_precision_radix int, numeric_scale int, " \
                 "datetime_precision int, interval_type, interval_precision int, maximum_cardinality int"
#define GRANTED(name) "grantor, grantee, " name ", privilege_type, is_grantable, inherited_from"
#define CREDENTIAL "credential_type, credential, used_for_managed_storage, comment, " STAMPED
#define STAMPED "created timestamp, created_by, last_altered timestamp, last_altered_by"

static const struct info_view views[] = {
    {"catalog_privileges", GRANTED("catalog_name"), OF_CATALOG, on_privileges, ANY_ROWS},
    {"catalog_provider_share_usage", "catalog_name, provider_name, share_name", OF_NONE, on_nothing, ANY_ROWS},
    {"catalog_tags", "catalog_name, tag_name, tag_value", OF_CATALOG, on_catalog_tags, ANY_ROWS},
    {"catalogs", "catalog_name, catalog_owner, comment, " STAMPED, OF_CATALOG, on_catalogs, ONE_ROW},
    {"check_constraints", KEY3 ", check_clause, sql_path", OF_NONE, on_nothing, ANY_ROWS},
    {"column_masks", TABLE3 ", column_name, mask_name, using_columns, catalog_name, schema_name, mask_catalog, mask_schema, mask_col_usage", OF_TABLE, on_column_masks,
     ANY_ROWS},
    {"column_tags", "catalog_name, schema_name, table_name, column_name, tag_name, tag_value", OF_TABLE, on_column_tags, ANY_ROWS},
    {"columns", TABLE3 ", column_name, ordinal_position int, column_default, is_nullable, full_data_type, data_type, " MEASURED
     ", is_identity, identity_generation, identity_start, identity_increment, identity_maximum, "
     "identity_minimum, identity_cycle, is_generated, generation_expression, is_system_time_period_start, is_system_time_period_end, "
     "system_time_period_timestamp_generation, is_updatable, partition_ordinal_position int, comment", OF_TABLE, on_columns, ANY_ROWS},
    {"connection_privileges", GRANTED("connection_name"), OF_NONE, on_nothing, ANY_ROWS},
    {"connections", "connection_name, connection_type, connection_owner, comment, created timestamp, created_by, credential_type, last_altered timestamp, "
     "last_altered_by, connection_options, url", OF_NONE, on_nothing, ANY_ROWS},
    {"constraint_column_usage", TABLE3 ", column_name, " KEY3, OF_TABLE, on_constraint_columns, ELSEWHERE},
    {"constraint_table_usage", KEY3 ", " TABLE3, OF_TABLE, on_constraint_table_usage, ANY_ROWS},
    {"credential_privileges", GRANTED("credential_name"), OF_CREDENTIAL, on_top_privileges, ANY_ROWS},
    {"credentials", "credential_id, credential_name, credential_owner, credential_purpose, " CREDENTIAL, OF_CREDENTIAL, on_credentials, ANY_ROWS},
    {"external_location_privileges", GRANTED("external_location_name"), OF_LOCATION, on_top_privileges, ANY_ROWS},
    {"external_locations", "external_location_name, external_location_owner, url, storage_credential_id, storage_credential_name, read_only, comment, " STAMPED,
     OF_LOCATION, on_locations, ANY_ROWS},
    {"information_schema_catalog_name", "catalog_name", OF_CATALOG, on_catalog_name, ONE_ROW},
    {"key_column_usage", KEY3 ", " TABLE3 ", column_name, ordinal_position int, position_in_unique_constraint int", OF_TABLE, on_key_columns, ANY_ROWS},
    {"metastore_privileges", GRANTED("metastore_id"), OF_METASTORE, on_top_privileges, ANY_ROWS},
    {"metastores", "metastore_id, metastore_name, metastore_owner, storage_root, storage_root_credential_id, storage_root_credential_name, "
     "delta_sharing_scope, delta_sharing_recipient_token_lifetime bigint, delta_sharing_organization_name, privilege_model_version, cloud, region, "
     "global_metastore_id, " STAMPED, OF_METASTORE, on_metastores, ANY_ROWS},
    {"parameters", SPECIFIC3 ", ordinal_position int, parameter_mode, is_result, as_locator, parameter_name, data_type, full_data_type, " MEASURED
     ", parameter_default, comment",
     OF_FUNCTION, on_parameters, ANY_ROWS},
    {"providers", "provider_name, provider_owner, authentication_type, share_credentials_version, endpoint, comment, cloud, region, "
     "data_provider_global_metastore_id, " STAMPED, OF_NONE, on_nothing, ANY_ROWS},
    {"recipient_allowed_ip_ranges", "recipient_name, allowed_ip_range", OF_NONE, on_nothing, ANY_ROWS},
    {"recipient_tokens", "recipient_name, recipient_token_id, activation_url, expiration_time timestamp, " STAMPED, OF_NONE, on_nothing, ANY_ROWS},
    {"recipients", "recipient_name, recipient_id, recipient_owner, authentication_type, comment, cloud, region, data_recipient_global_metastore_id, " STAMPED,
     OF_NONE, on_nothing, ANY_ROWS},
    {"referential_constraints", KEY3 ", unique_constraint_catalog, unique_constraint_schema, unique_constraint_name, match_option, update_rule, delete_rule",
     OF_TABLE, on_referential, ANY_ROWS},
    {"routine_columns", SPECIFIC3 ", ordinal_position int, column_name, data_type, full_data_type, " MEASURED ", comment", OF_FUNCTION, on_routine_columns, ANY_ROWS},
    {"routine_privileges", GRANTED("routine_catalog, routine_schema, routine_name"), OF_FUNCTION, on_privileges, ANY_ROWS},
    {"routines", SPECIFIC3 ", routine_catalog, routine_schema, routine_name, routine_type, data_type, full_data_type, " MEASURED
     ", routine_body, routine_definition, external_name, external_language, parameter_style, is_deterministic, sql_data_access, is_null_call, sql_path, "
     "security_type, as_locator, routine_owner, comment, " STAMPED, OF_FUNCTION, on_routines, ONE_ROW},
    {"row_filters", TABLE3 ", filter_name, target_columns, catalog_name, schema_name, filter_catalog, filter_schema, filter_col_usage", OF_TABLE, on_row_filters, ONE_ROW},
    {"schema_privileges", GRANTED("catalog_name, schema_name"), OF_SCHEMA, on_privileges, ANY_ROWS},
    {"schema_share_usage", "catalog_name, schema_name, share_name, shared_as_schema, comment", OF_NONE, on_nothing, ANY_ROWS},
    {"schema_tags", "catalog_name, schema_name, tag_name, tag_value", OF_SCHEMA, on_schema_tags, ANY_ROWS},
    {"schemata", "catalog_name, schema_name, schema_owner, comment, " STAMPED, OF_SCHEMA, on_schemata, ONE_ROW},
    {"share_recipient_privileges", "grantor, recipient_name, share_name, privilege_type, inherited_from", OF_NONE, on_nothing, ANY_ROWS},
    {"shares", "share_name, share_owner, comment, " STAMPED, OF_NONE, on_nothing, ANY_ROWS},
    {"storage_credential_privileges", GRANTED("storage_credential_name"), OF_CREDENTIAL, on_top_privileges, ANY_ROWS},
    {"storage_credentials", "storage_credential_id, storage_credential_name, storage_credential_owner, " CREDENTIAL, OF_CREDENTIAL, on_storage_credentials, ANY_ROWS},
    {"table_constraints", KEY3 ", " TABLE3 ", constraint_type, is_deferrable, initially_deferred, enforced", OF_TABLE, on_table_constraints, ANY_ROWS},
    {"table_privileges", GRANTED(TABLE3), OF_TABLE, on_privileges, ANY_ROWS},
    {"table_share_usage", "catalog_name, schema_name, table_name, share_name, partition_spec, cdf_enabled, start_version bigint, shared_as_schema, "
     "shared_as_table, comment", OF_NONE, on_nothing, ANY_ROWS},
    {"table_tags", "catalog_name, schema_name, table_name, tag_name, tag_value", OF_TABLE, on_table_tags, ANY_ROWS},
    {"tables", TABLE3 ", table_type, is_insertable_into, commit_action, table_owner, comment, " STAMPED
     ", data_source_format, storage_path, storage_sub_directory", OF_TABLE, on_tables, ONE_ROW},
    {"views", TABLE3 ", view_definition, check_option, is_updatable, is_insertable_into, sql_path, is_materialized boolean", OF_TABLE, on_views, ONE_ROW},
    {"volume_privileges", GRANTED("volume_catalog, volume_schema, volume_name"), OF_VOLUME, on_privileges, ANY_ROWS},
    {"volume_tags", "catalog_name, schema_name, volume_name, tag_name, tag_value", OF_VOLUME, on_volume_tags, ANY_ROWS},
    {"volumes", "volume_catalog, volume_schema, volume_name, volume_type, volume_owner, comment, storage_location, " STAMPED, OF_VOLUME, on_volumes, ONE_ROW},
};
#define N_VIEWS (sizeof(views) / sizeof(views[0]))

size_t ask_information_views(const char *const **ret_names) {
    static const char *names[N_VIEWS];
    for (size_t i = 0; i < N_VIEWS; i++) names[i] = views[i].name;
    *ret_names = names;
    return N_VIEWS;
}

bool ask_is_virtual(str catalog, str schema) {
    (void)catalog;
    return str_ieq(schema, STR(INFORMATION_SCHEMA));
}

/* ---- filters ---- */

/* Is the column's name this, or does it end in _<this>? "table_schema" and "schema_name" both mean the schema. */
static bool means(str column, const char *what) {
    static const char *const forms[][6] = {
        {"catalog", "table_catalog", "catalog_name", "volume_catalog", "specific_catalog", "routine_catalog"},
        {"schema", "table_schema", "schema_name", "volume_schema", "specific_schema", "routine_schema"},
        {"name", "table_name", "volume_name", "specific_name", "routine_name", "table_name"}};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(forms[i][0], what) != 0) continue;
        for (size_t f = 1; f < 6; f++)
            if (str_ieq(column, str_of(forms[i][f]))) return true;
    }
    return false;
}

/* Do the filters say exactly which rows are wanted? Then a limit on rows of the query is one on ours. */
static bool understood(jval *filters) {
    jval *f;
    size_t i, n;
    yyjson_arr_foreach(filters, i, n, f) {
        str column = json_get_str(f, "column");
        if (json_get(f, "like") || (!means(column, "catalog") && !means(column, "schema") && !means(column, "name"))) return false;
    }
    return true;
}

/* Is one value of this name asked for? */
static bool pinned(const struct info *x, const char *what) {
    jval *f;
    size_t i, n;
    yyjson_arr_foreach(x->filters, i, n, f)
        if (means(json_get_str(f, "column"), what) && yyjson_arr_size(json_get(f, "values")) == 1) return true;
    return false;
}

/* Are rows in the order of the walk in this one? Names that are the same in all rows may be left out. */
static bool in_order_of_walk(const struct info *x, jval *order, bool one_catalog) {
    static const char *const names[] = {"catalog", "schema", "name"};
    size_t depth = x->view->level == OF_CATALOG ? 1 : x->view->level == OF_SCHEMA ? 2 : x->view->level < OF_METASTORE ? 3 : 0, at = 0, i, n;
    jval *v;
    yyjson_arr_foreach(order, i, n, v) {
        while (at < depth && !means(json_str(v), names[at]) && (pinned(x, names[at]) || (one_catalog && !at))) at++;
        if (at == depth) return depth && x->view->rows == ONE_ROW;
        if (!means(json_str(v), names[at++])) return false;
    }
    return true;
}

static bool ascii(str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80) return false;
    return true;
}

/* May the walk end here? An ordered one after names of ASCII alone: what comes later in the order of folded names is then also later as
 * it is shown (other letters may change places with each other). */
static bool enough(const struct info *x, str name, const struct securable *s) {
    return x->left <= 0 && (!x->ordered || (ascii(s->catalog.name) && ascii(s->schema.name) && ascii(name)));
}

/* Does the name begin as the pattern of LIKE does? The engine looks closer. */
static bool starts_as(struct info *x, str like, str name) {
    size_t n = 0;
    (void)x;
    while (n < like.n && !strchr("%_\\", like.p[n])) n++;
    return like.p && str_starts(name, str_cut(like, n));
}

/* Names are shown in lower case, and compared as shown. */
static bool passes(struct info *x, const char *what, str name) {
    jval *f, *v;
    size_t i, n, j, m;
    if (!yyjson_arr_size(x->filters)) return true;
    name = lower(x, name);
    yyjson_arr_foreach(x->filters, i, n, f) {
        if (!means(json_get_str(f, "column"), what)) continue;
        bool any = starts_as(x, json_get_str(f, "like"), name);
        yyjson_arr_foreach(json_get(f, "values"), j, m, v) any |= str_eq(json_str(v), name);
        if (!any) return false;
    }
    return true;
}

/* ---- the walk ---- */

static err *on_leaf(void *arg, const struct securable *s, bool *go) {
    struct info *x = arg;
    str name = s->kind == SEC_TABLE ? s->table.name : s->kind == SEC_VOLUME ? s->volume.name : s->function.name;
    if (passes(x, "name", name)) TRY(x->view->fn(x, s));
    *go = !enough(x, name, s);
    return NULL;
}

/* Few names asked for: each is found by its key. *done false: there is no such filter. */
static err *by_names(struct info *x, const struct securable *schema, enum securable_kind kind, bool *done) {
    jval *f, *v;
    size_t i, n, j, m;
    bool go = true;
    *done = false;
    yyjson_arr_foreach(x->filters, i, n, f) {
        jval *values = json_get(f, "values");
        if (!means(json_get_str(f, "column"), "name") || !yyjson_is_arr(values) || yyjson_arr_size(values) > 100) continue;
        *done = true;
        yyjson_arr_foreach(values, j, m, v) {
            struct securable s;
            bool found, again = false; /* case does not matter to names */
            for (size_t e = 0; e < j; e++) again |= str_ieq(json_str(yyjson_arr_get(values, e)), json_str(v));
            if (again) continue;
            TRY(securable_below(x->k->c, schema, kind, json_str(v), &s, &found));
            if (found && go && securable_readable(x->k->c, &s)) TRY(on_leaf(x, &s, &go));
        }
        return NULL;
    }
    return NULL;
}

/* The pattern that names are asked for with, or STR_NONE. */
static str like_of_names(const struct info *x) {
    jval *f;
    size_t i, n;
    yyjson_arr_foreach(x->filters, i, n, f)
        if (means(json_get_str(f, "column"), "name") && json_get_str(f, "like").n) return json_get_str(f, "like");
    return STR_NONE;
}

static err *on_schema(void *arg, const struct securable *s, bool *go) {
    struct info *x = arg;
    if (!passes(x, "schema", s->schema.name)) return NULL;
    static const enum securable_kind kinds[] = {[OF_TABLE] = SEC_TABLE, [OF_VOLUME] = SEC_VOLUME, [OF_FUNCTION] = SEC_FUNCTION};
    if (x->view->level == OF_SCHEMA) {
        TRY(x->view->fn(x, s));
    } else {
        bool done;
        TRY(by_names(x, s, kinds[x->view->level], &done));
        struct ask_walk walk = {.brief = x->view->fn == on_tables, .like = like_of_names(x)}; /* no JSON in its rows */
        if (!done) TRY(ask_walk_leaves(x->k, s, kinds[x->view->level], &walk, on_leaf, x));
    }
    *go = !enough(x, STR(""), s);
    return NULL;
}

static void own_names(struct info *x, jmut *r, const struct securable *catalog, const char *name) {
    put_name(x, r, catalog->catalog.name);
    put_z(x, r, INFORMATION_SCHEMA);
    if (name) put_z(x, r, name);
}

static void own_stamps(struct info *x, jmut *r, const struct securable *catalog) {
    put_int(x, r, catalog->catalog.created_at);
    put_z(x, r, NOBODY);
    put_int(x, r, catalog->catalog.created_at);
    put_z(x, r, NOBODY);
}

static void own_table(struct info *x, const struct securable *catalog, const struct info_view *v) {
    jmut *r = row(x);
    own_names(x, r, catalog, v->name);
    put_z(x, r, "VIEW");
    put_z(x, r, "NO");
    put_z(x, r, "PRESERVE");
    put_z(x, r, NOBODY);
    put_null(x, r, 1);
    own_stamps(x, r, catalog);
    put_z(x, r, "UNKNOWN_DATA_SOURCE_FORMAT");
    put_null(x, r, 2);
}

static void own_columns(struct info *x, const struct securable *catalog, const struct info_view *v) {
    str rest = str_of(v->columns), part;
    for (int64_t i = 0; str_split(&rest, ',', &part); i++) {
        part = str_trim(part);
        ptrdiff_t blank = str_chr(part, ' ', 0);
        str type = blank < 0 ? STR("string") : str_trim(str_from(part, (size_t)blank));
        jmut *r = row(x);
        own_names(x, r, catalog, v->name);
        put(x, r, blank < 0 ? part : str_cut(part, (size_t)blank));
        put_int(x, r, i + 1);
        put_null(x, r, 1);
        put_z(x, r, "YES");
        put(x, r, type);
        put_type(x, r, type);
        put_null(x, r, 2);
        put_z(x, r, "NO");
        put_null(x, r, 6);
        put_z(x, r, "NO");
        put_null(x, r, 1);
        put_z(x, r, "NO");
        put_z(x, r, "NO");
        put_null(x, r, 1);
        put_z(x, r, "NO");
        put_null(x, r, 2);
    }
}

/* information_schema is a schema itself, and its views are relations like others. */
static void on_itself(struct info *x, const struct securable *catalog) {
    bool tables = x->view->fn == on_tables, columns = x->view->fn == on_columns;
    if (!passes(x, "schema", STR(INFORMATION_SCHEMA))) return;
    if (x->view->fn == on_schemata && (x->left > 0 || x->ordered)) {
        jmut *r = row(x);
        own_names(x, r, catalog, NULL);
        put_z(x, r, NOBODY);
        put_null(x, r, 1);
        own_stamps(x, r, catalog);
    }
    for (size_t i = 0; i < N_VIEWS && (tables || columns) && (x->left > 0 || x->ordered); i++) {
        if (!passes(x, "name", str_of(views[i].name))) continue;
        if (tables)
            own_table(x, catalog, &views[i]);
        else
            own_columns(x, catalog, &views[i]);
    }
}

/* The catalog `system` is no object of the metastore. */
static void on_system(struct info *x) {
    struct securable s = {.kind = SEC_CATALOG};
    s.catalog.name = STR(SYSTEM_CATALOG);
    if (!passes(x, "catalog", s.catalog.name)) return;
    if (x->view->fn == on_catalogs) {
        jmut *r = row(x);
        put(x, r, s.catalog.name);
        put_z(x, r, NOBODY);
        put_null(x, r, 1);
        own_stamps(x, r, &s);
    }
    on_itself(x, &s);
}

static err *on_catalog(void *arg, const struct securable *s, bool *go) {
    struct info *x = arg;
    if (!passes(x, "catalog", s->catalog.name) || str_ieq(s->catalog.name, STR(HIVE_CATALOG))) return NULL;
    if (x->view->level == OF_CATALOG) {
        TRY(x->view->fn(x, s));
    } else {
        TRY(ask_each_schema(x->k, s, on_schema, x));
        on_itself(x, s);
    }
    *go = !enough(x, STR(""), s);
    return NULL;
}

static const struct info_view *view_of(str name) {
    for (size_t i = 0; i < N_VIEWS; i++)
        if (str_ieq(name, str_of(views[i].name))) return &views[i];
    return NULL;
}

/* What lies right below the metastore, as far as it is seen; and the metastore. */
static err *fill_top(struct info *x) {
    const struct caller *c = x->k->c;
    struct securable s;
    bool found;
    if (x->view->level == OF_METASTORE) {
        TRY(securable_find(c, SEC_METASTORE, STR(""), &s, &found));
        return x->view->fn(x, &s);
    }
    struct ent_external_location_rows locations = {0};
    struct ent_storage_credential_rows credentials = {0};
    bool location = x->view->level == OF_LOCATION;
    if (location)
        TRY(ent_external_location_list(c->tx, metastore_scope(c), c->a, &(struct ent_list_query){.order = ENT_EXTERNAL_LOCATION_NAME}, &locations));
    else
        TRY(ent_storage_credential_list(c->tx, metastore_scope(c), c->a, &(struct ent_list_query){.order = ENT_STORAGE_CREDENTIAL_NAME}, &credentials));
    for (size_t i = 0; i < (location ? locations.n : credentials.n); i++) {
        if (location)
            TRY(securable_of_location(c, &locations.p[i], &s));
        else
            TRY(securable_of_credential(c, &credentials.p[i], &s));
        if (securable_visible(c, &s)) TRY(x->view->fn(x, &s));
    }
    return NULL;
}

/* of empty: all catalogs. */
static err *fill(struct info *x, str of) {
    if (x->view->level == OF_NONE) return NULL;
    if (x->view->level >= OF_METASTORE) return fill_top(x);
    if (!of.n) {
        TRY(ask_each_catalog(x->k, on_catalog, x));
        if (x->left > 0 || x->ordered) on_system(x);
        return NULL;
    }
    struct ask_name n = {.part = {of}};
    struct securable s;
    bool found, go = true;
    TRY(ask_find(x->k, x->k->c, SEC_CATALOG, &n, &s, &found));
    return found ? on_catalog(x, &s, &go) : NULL;
}

#define MOST_ROWS 1000000

static err *put_columns(struct ask *k, const struct info_view *v, jmut *o) {
    jmut *list = json_put_arr(k->d, o, "columns");
    str rest = str_of(v->columns), part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        ptrdiff_t blank = str_chr(part, ' ', 0);
        str type = blank < 0 ? STR("string") : str_trim(str_from(part, (size_t)blank));
        jmut *c = json_add_obj(k->d, list);
        json_put_str(k->d, c, "name", arena_str(k->c->a, blank < 0 ? part : str_cut(part, (size_t)blank)));
        json_put_str(k->d, c, "type_text", arena_str(k->c->a, type));
        json_put_str(k->d, c, "type_json", str_eqz(type, "int") ? STR("integer") : str_eqz(type, "bigint") ? STR("long") : arena_str(k->c->a, type));
        json_put_bool(k->d, c, "nullable", true);
    }
    return NULL;
}

err *ask_information(struct ask *k, const struct ask_name *n, jmut *o, bool *found) {
    const struct info_view *v = view_of(n->part[2]);
    bool all = str_ieq(n->part[0], STR(SYSTEM_CATALOG));
    *found = v != NULL && !str_ieq(n->part[0], STR(HIVE_CATALOG));
    if (!*found) return NULL;
    if (!all) {
        struct ask_name up = {.part = {n->part[0]}};
        struct securable catalog;
        TRY(ask_open(k, SEC_CATALOG, &up, 0, &catalog));
    }
    json_put_z(k->d, o, "kind", "rows");
    json_put_str(k->d, o, "id", str_of(arena_printf(k->c->a, "%s:%.*s", v->name, all ? 0 : (int)n->part[0].n, all ? "" : n->part[0].p)));
    json_put_str(k->d, o, "catalog", n->part[0]);
    json_put_z(k->d, o, "schema", INFORMATION_SCHEMA);
    json_put_z(k->d, o, "name", v->name);
    TRY(put_columns(k, v, o));
    /* `late`: the rows are asked for when it is known which. */
    if (ask_flag(k, "late") || !json_get(k->in, "names")) return NULL;
    struct info x = {.k = k, .view = v, .rows = json_put_arr(k->d, o, "rows"), .left = MOST_ROWS};
    return fill(&x, all ? STR("") : n->part[0]);
}

err *ask_rows(struct ask *k) {
    str id = ask_text(k, "id");
    ptrdiff_t colon = str_chr(id, ':', 0);
    const struct info_view *v = colon > 0 ? view_of(str_cut(id, (size_t)colon)) : NULL;
    if (!v) return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' names no relation.", STR_ARG(str_cut(id, 100)));
    struct info x = {.k = k, .view = v, .rows = json_put_arr(k->d, k->out, "rows"), .left = MOST_ROWS, .filters = json_get(k->in, "filters")};
    str of = str_from(id, (size_t)colon + 1);
    jval *order = json_get(k->in, "order");
    int64_t limit;
    if (v->rows == ELSEWHERE) x.filters = NULL;
    x.ordered = yyjson_arr_size(order) > 0;
    if (json_i64(json_get(k->in, "limit"), &limit) && limit >= 0 && limit < x.left && understood(json_get(k->in, "filters")) && v->rows != ELSEWHERE &&
        (!x.ordered || in_order_of_walk(&x, order, of.n > 0)))
        x.left = limit;
    return fill(&x, of);
}
