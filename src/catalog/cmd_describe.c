/* SPDX-License-Identifier: Apache-2.0 */
/* DESCRIBE …, SHOW CREATE TABLE, SHOW COLUMNS, SHOW TBLPROPERTIES: one thing in detail, from its row. */
#include <time.h>

#include "catalog/catalogs.h"
#include "catalog/cmd.h"
#include "catalog/name.h"
#include "catalog/tables.h"

str cmd_type_text(jval *column) {
    str text = json_get_str(column, "type_text");
    return text.n ? text : STR("string");
}

static void row3(struct ask *k, str a, str b, str c) {
    jmut *row = ask_row(k);
    ask_put(k, row, a);
    ask_put(k, row, b);
    ask_put(k, row, c);
}
static void row2(struct ask *k, const char *a, str b) {
    jmut *row = ask_row(k);
    ask_put_z(k, row, a);
    ask_put(k, row, b.p ? b : STR(""));
}

static str lower(arena *a, str s) {
    char *p = arena_strndup(a, s.p ? s.p : "", s.n);
    for (char *q = p; *q; q++)
        if (*q >= 'A' && *q <= 'Z') *q = (char)(*q + 32);
    return str_of(p);
}

static str type_of(const struct ent_uc_table *t) { return t->table_type; }

/* ---- keys in the words of DDL ---- */

static void put_quoted_list(struct ask *k, jval *names, buf *out) {
    size_t i, n;
    jval *v;
    buf_c(out, '(');
    yyjson_arr_foreach(names, i, n, v) {
        if (i) buf_z(out, ", ");
        buf_str(out, ask_quote(k->c->a, json_str(v)));
    }
    buf_c(out, ')');
}

static err *put_key(struct ask *k, jval *v, buf *out) {
    bool primary = str_eqz(json_get_str(v, "type"), "PRIMARY KEY");
    buf_str(out, json_get_str(v, "type"));
    buf_c(out, ' ');
    put_quoted_list(k, json_get(v, "columns"), out);
    if (primary) return NULL;
    str part[3];
    TRY(name_split(k->c->a, json_get_str(v, "parent_table"), 3, "table", part));
    buf_z(out, " REFERENCES ");
    buf_str(out, ask_quoted(k->c->a, part[0], part[1], part[2]));
    buf_c(out, ' ');
    put_quoted_list(k, json_get(v, "parent_columns"), out);
    return NULL;
}

/* "[(pk,PRIMARY KEY (`id`)), (fk,FOREIGN KEY (`x`) REFERENCES `c`.`s`.`t` (`a`))]" */
static err *constraints_text(struct ask *k, const struct ent_uc_table *t, str *ret) {
    jval *list, *v;
    size_t i, n;
    *ret = STR("");
    TRY(json_parse(k->c->a, t->constraints.n ? t->constraints : STR("[]"), false, &list));
    if (!yyjson_arr_size(list)) return NULL;
    buf b = {0};
    err *e = NULL;
    buf_c(&b, '[');
    yyjson_arr_foreach(list, i, n, v) {
        if (e) break;
        buf_fmt(&b, "%s(%.*s,", i ? ", " : "", STR_ARG(json_get_str(v, "name")));
        e = put_key(k, v, &b);
        buf_c(&b, ')');
    }
    buf_c(&b, ']');
    *ret = arena_str(k->c->a, buf_view(&b));
    buf_free(&b);
    return e;
}

/* ---- DESCRIBE TABLE as rows ---- */

static err *partition_rows(struct ask *k, jval *columns) {
    jval *v;
    size_t i, n;
    bool any = false;
    int64_t at;
    for (int64_t want = 0; want < (int64_t)yyjson_arr_size(columns); want++)
        yyjson_arr_foreach(columns, i, n, v) {
            if (!json_i64(json_get(v, "partition_index"), &at) || at != want) continue;
            if (!any) {
                row3(k, STR("# Partition Information"), STR(""), STR(""));
                row3(k, STR("# col_name"), STR("data_type"), STR("comment"));
            }
            any = true;
            row3(k, json_get_str(v, "name"), cmd_type_text(v), json_get_str(v, "comment"));
        }
    return NULL;
}

static str stat_of(const struct kv *m, const char *key) {
    for (size_t i = 0; i < m->n; i++)
        if (str_starts(m->p[i].key, STR(TABLE_STATISTICS)) && str_eqz(str_from(m->p[i].key, strlen(TABLE_STATISTICS)), key)) return m->p[i].value;
    return STR_NONE;
}

/* Properties as people set them: without what ANALYZE counted. */
static err *shown_properties(struct ask *k, const struct ent_uc_table *t, struct kv *ret) {
    struct kv all;
    TRY(tables_properties(k->c, t, &all));
    *ret = (struct kv){0};
    for (size_t i = 0; i < all.n; i++)
        if (!str_starts(all.p[i].key, STR(TABLE_STATISTICS))) kv_set(k->c->a, ret, all.p[i].key, all.p[i].value);
    return NULL;
}

static void detail(struct ask *k, const char *name, str value) { row3(k, str_of(name), value.p ? value : STR(""), STR("")); }

static err *table_detail(struct ask *k, const struct securable *s) {
    const struct ent_uc_table *t = &s->table;
    str owner, engine, url, keys;
    struct kv properties;
    TRY(ask_principal(k, t->owner_id, &owner));
    TRY(ask_table_place(k->c, t, &engine, &url));
    row3(k, STR(""), STR(""), STR(""));
    row3(k, STR("# Detailed Table Information"), STR(""), STR(""));
    detail(k, "Catalog", s->catalog.name);
    detail(k, "Database", s->schema.name);
    detail(k, "Table", t->name);
    detail(k, "Created Time", ask_time(k->c->a, t->created_at));
    detail(k, "Last Access", STR("UNKNOWN"));
    detail(k, "Created By", STR("Boathouse"));
    detail(k, "Type", type_of(t));
    if (t->comment.n) detail(k, "Comment", t->comment);
    if (table_is_view(t) && securable_shows_text(k->c, s)) {
        detail(k, "View Text", t->view_text);
        detail(k, "View Original Text", t->view_text);
        detail(k, "View Catalog and Namespace", str_of(arena_printf(k->c->a, "%.*s.%.*s", STR_ARG(t->view_catalog), STR_ARG(t->view_schema))));
    }
    if (!table_is_view(t)) {
        detail(k, "Location", url);
        detail(k, "Provider", lower(k->c->a, t->format));
    }
    detail(k, "Owner", owner);
    if (!table_is_view(t)) detail(k, "Is_managed_location", table_is_managed(t) ? STR("true") : STR("false"));
    TRY(tables_properties(k->c, t, &properties));
    str bytes = stat_of(&properties, "totalSize"), rows = stat_of(&properties, "numRows");
    if (bytes.n)
        detail(k, "Statistics", str_of(arena_printf(k->c->a, rows.n ? "%.*s bytes, %.*s rows" : "%.*s bytes%.*s", STR_ARG(bytes), STR_ARG(rows))));
    TRY(shown_properties(k, t, &properties));
    if (properties.n) {
        buf b = {0};
        buf_c(&b, '[');
        for (size_t i = 0; i < properties.n; i++)
            buf_fmt(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(properties.p[i].key), STR_ARG(properties.p[i].value));
        buf_c(&b, ']');
        detail(k, "Table Properties", arena_str(k->c->a, buf_view(&b)));
        buf_free(&b);
    }
    TRY(constraints_text(k, t, &keys));
    if (keys.n) {
        jval *list, *v;
        size_t i, n;
        row3(k, STR(""), STR(""), STR(""));
        row3(k, STR("# Constraints"), STR(""), STR(""));
        TRY(json_parse(k->c->a, t->constraints, false, &list));
        yyjson_arr_foreach(list, i, n, v) {
            buf b = {0};
            err *e = put_key(k, v, &b);
            row3(k, json_get_str(v, "name"), arena_str(k->c->a, buf_view(&b)), STR(""));
            buf_free(&b);
            if (e) return e;
        }
    }
    return NULL;
}

/* ---- … as JSON ---- */

static jmut *type_json(struct ask *k, jval *t);

static jmut *named(struct ask *k, str name) {
    jmut *o = yyjson_mut_obj(k->d);
    json_put_str(k->d, o, "name", name);
    return o;
}

/* Spark's JSON of a plain type ("integer", "decimal(10,2)") in DESCRIBE's form. */
static jmut *plain_type(struct ask *k, str t) {
    static const char *const names[][2] = {{"byte", "tinyint"}, {"short", "smallint"}, {"integer", "int"}, {"long", "bigint"}, {"timestamp", "timestamp_ltz"}};
    int64_t a, b;
    ptrdiff_t open = str_chr(t, '(', 0), comma = str_chr(t, ',', 0), close = str_chr(t, ')', 0);
    if (open > 0 && close > open) {
        str name = str_cut(t, (size_t)open);
        jmut *o = named(k, name);
        bool two = comma > open;
        if (str_to_i64(str_trim(str_n(t.p + open + 1, (size_t)((two ? comma : close) - open - 1))), &a))
            json_put_int(k->d, o, str_eqz(name, "decimal") ? "precision" : "length", a);
        if (two && str_to_i64(str_trim(str_n(t.p + comma + 1, (size_t)(close - comma - 1))), &b)) json_put_int(k->d, o, "scale", b);
        return o;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eqz(t, names[i][0])) return named(k, str_of(names[i][1]));
    jmut *o = named(k, t);
    if (str_eqz(t, "string")) json_put_z(k->d, o, "collation", "UTF8_BINARY");
    return o;
}

static jmut *type_json(struct ask *k, jval *t) {
    if (!yyjson_is_obj(t)) return plain_type(k, json_str(t));
    str kind = json_get_str(t, "type");
    jmut *o = named(k, kind);
    if (str_eqz(kind, "array")) {
        json_put(k->d, o, "element_type", type_json(k, json_get(t, "elementType")));
        json_put_bool(k->d, o, "element_nullable", !yyjson_is_false(json_get(t, "containsNull")));
    } else if (str_eqz(kind, "map")) {
        json_put(k->d, o, "key_type", type_json(k, json_get(t, "keyType")));
        json_put(k->d, o, "value_type", type_json(k, json_get(t, "valueType")));
        json_put_bool(k->d, o, "value_nullable", !yyjson_is_false(json_get(t, "valueContainsNull")));
    } else if (str_eqz(kind, "struct")) {
        jmut *list = json_put_arr(k->d, o, "fields");
        jval *f;
        size_t i, n;
        yyjson_arr_foreach(json_get(t, "fields"), i, n, f) {
            jmut *x = json_add_obj(k->d, list);
            json_put_str(k->d, x, "name", json_get_str(f, "name"));
            json_put(k->d, x, "type", type_json(k, json_get(f, "type")));
            json_put_bool(k->d, x, "nullable", !yyjson_is_false(json_get(f, "nullable")));
        }
    }
    return o;
}

static err *column_json(struct ask *k, jval *v, jmut *o) {
    jval *t = NULL;
    str text = json_get_str(v, "type_json");
    if (text.n && (text.p[0] == '{' || text.p[0] == '"')) TRY(json_parse(k->c->a, text, false, &t));
    json_put_str(k->d, o, "name", json_get_str(v, "name"));
    json_put(k->d, o, "type", t ? type_json(k, t) : plain_type(k, text));
    json_put_bool(k->d, o, "nullable", !yyjson_is_false(json_get(v, "nullable")));
    if (json_get_str(v, "comment").n) json_put_str(k->d, o, "comment", json_get_str(v, "comment"));
    return NULL;
}

static err *function_json(struct ask *k, jmut *o, str full) {
    str part[3];
    TRY(name_split(k->c->a, full, 3, "function", part));
    jmut *f = json_put_obj(k->d, o, "function_name");
    json_put_str(k->d, f, "catalog_name", part[0]);
    json_put_str(k->d, f, "schema_name", part[1]);
    json_put_str(k->d, f, "function_name", part[2]);
    return NULL;
}

static err *policies_json(struct ask *k, jmut *o, const struct ent_uc_table *t, jval *columns) {
    jval *v, *f;
    size_t i, n;
    jmut *masks = NULL;
    yyjson_arr_foreach(columns, i, n, v) {
        jval *m = json_get(v, "mask");
        if (!yyjson_is_obj(m)) continue;
        if (!masks) masks = json_put_arr(k->d, o, "column_masks");
        jmut *x = json_add_obj(k->d, masks);
        json_put_str(k->d, x, "column_name", json_get_str(v, "name"));
        TRY(function_json(k, x, json_get_str(m, "function_name")));
        json_put(k->d, x, "using_column_names", yyjson_val_mut_copy(k->d, json_get(m, "using_column_names")));
    }
    if (!t->row_filter.n) return NULL;
    TRY(json_parse(k->c->a, t->row_filter, false, &f));
    jmut *x = json_put_obj(k->d, o, "row_filter");
    TRY(function_json(k, x, json_get_str(f, "function_name")));
    json_put(k->d, x, "column_names", yyjson_val_mut_copy(k->d, json_get(f, "input_column_names")));
    return NULL;
}

static str iso_time(arena *a, int64_t us) {
    time_t t = (time_t)(us / 1000000);
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    return arena_str(a, str_n(text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)));
}

static err *describe_json(struct ask *k, const struct securable *s) {
    const struct ent_uc_table *t = &s->table;
    jval *columns, *v;
    size_t i, n;
    str owner, engine, url, keys;
    struct kv properties;
    TRY(tables_columns(k->c, t, &columns));
    TRY(ask_principal(k, t->owner_id, &owner));
    TRY(ask_table_place(k->c, t, &engine, &url));
    jmut *o = yyjson_mut_obj(k->d);
    json_put_str(k->d, o, "table_name", t->name);
    json_put_str(k->d, o, "catalog_name", s->catalog.name);
    json_add_str(k->d, json_put_arr(k->d, o, "namespace"), s->schema.name);
    json_put_str(k->d, o, "schema_name", s->schema.name);
    jmut *list = json_put_arr(k->d, o, "columns");
    yyjson_arr_foreach(columns, i, n, v) TRY(column_json(k, v, json_add_obj(k->d, list)));
    jmut *parts = NULL;
    int64_t at;
    for (int64_t want = 0; want < (int64_t)yyjson_arr_size(columns); want++)
        yyjson_arr_foreach(columns, i, n, v) {
            if (!json_i64(json_get(v, "partition_index"), &at) || at != want) continue;
            if (!parts) parts = json_put_arr(k->d, o, "partition_columns");
            json_add_str(k->d, parts, json_get_str(v, "name"));
        }
    if (table_is_view(t) && securable_shows_text(k->c, s)) {
        json_put_str(k->d, o, "view_text", t->view_text);
        json_put_str(k->d, o, "view_original_text", t->view_text);
        json_put_str(k->d, o, "view_catalog_and_namespace",
                     str_of(arena_printf(k->c->a, "%.*s.%.*s", STR_ARG(t->view_catalog), STR_ARG(t->view_schema))));
    }
    if (!table_is_view(t)) {
        json_put_str(k->d, o, "location", url);
        json_put_str(k->d, o, "provider", lower(k->c->a, t->format));
        json_put_bool(k->d, o, "is_managed_location", table_is_managed(t));
    }
    json_put_str(k->d, o, "type", type_of(t));
    json_put_str(k->d, o, "owner", owner);
    if (t->comment.n) json_put_str(k->d, o, "comment", t->comment);
    json_put_str(k->d, o, "created_time", iso_time(k->c->a, t->created_at));
    json_put_z(k->d, o, "last_access", "UNKNOWN");
    json_put_z(k->d, o, "created_by", "Boathouse");
    TRY(tables_properties(k->c, t, &properties));
    kv_put_object(k->d, o, "table_properties", &properties);
    TRY(constraints_text(k, t, &keys));
    if (keys.n) json_put_str(k->d, o, "table_constraints", keys);
    TRY(policies_json(k, o, t, columns));
    ask_columns(k, "json_metadata");
    ask_put(k, ask_row(k), json_text(k->c->a, o));
    return NULL;
}

/* ---- DESCRIBE TABLE ---- */

static err *describe_virtual(struct ask *k, const struct ask_name *n) {
    jmut *o = yyjson_mut_obj(k->d);
    bool found;
    TRY(ask_information(k, n, o, &found));
    if (!found) return ask_missing(k, SEC_TABLE, n);
    ask_columns(k, "col_name, data_type, comment");
    jmut *v;
    size_t i, count;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(o, "columns"), i, count, v) {
        const char *type = yyjson_mut_get_str(yyjson_mut_obj_get(v, "type_text"));
        row3(k, str_of(yyjson_mut_get_str(yyjson_mut_obj_get(v, "name"))), str_of(type), STR_NONE);
    }
    return NULL;
}

static err *column_statistics(struct ask *k, const struct ent_uc_table *t, str column) {
    static const char *const rows[][2] = {{"min", "min"}, {"max", "max"}, {"num_nulls", "nullCount"}, {"distinct_count", "distinctCount"},
                                          {"avg_col_len", "avgLen"}, {"max_col_len", "maxLen"}, {"histogram", NULL}};
    struct kv all;
    TRY(tables_properties(k->c, t, &all));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        str v = STR_NONE;
        if (rows[i][1]) v = stat_of(&all, arena_printf(k->c->a, "colStats.%.*s.%s", STR_ARG(column), rows[i][1]));
        row2(k, rows[i][0], v.p ? v : STR("NULL"));
    }
    return NULL;
}

static err *describe_column(struct ask *k, const struct ent_uc_table *t, jval *columns, str name) {
    jval *v;
    size_t i, n;
    ask_columns(k, "info_name, info_value");
    yyjson_arr_foreach(columns, i, n, v) {
        if (!str_ieq(json_get_str(v, "name"), name)) continue;
        row2(k, "col_name", json_get_str(v, "name"));
        row2(k, "data_type", cmd_type_text(v));
        row2(k, "comment", json_get_str(v, "comment").n ? json_get_str(v, "comment") : STR("NULL"));
        return ask_flag(k, "extended") ? column_statistics(k, t, json_get_str(v, "name")) : NULL;
    }
    return ask_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703",
                     "%.*s cannot be resolved: the table has no such column.", STR_ARG(ask_quote(k->c->a, name)));
}

static err *describe_table(struct ask *k) {
    struct ask_name n;
    struct securable s;
    jval *columns, *v;
    size_t i, count;
    TRY(ask_name(k, json_get(k->in, "name"), 3, &n));
    if (n.path) return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "DESCRIBE of a path is not answered by the catalog.");
    if (ask_is_virtual(n.part[0], n.part[1])) return describe_virtual(k, &n);
    TRY(ask_open(k, SEC_TABLE, &n, 0, &s));
    if (ask_flag(k, "json")) return describe_json(k, &s);
    TRY(tables_columns(k->c, &s.table, &columns));
    if (yyjson_arr_size(json_get(k->in, "column"))) return describe_column(k, &s.table, columns, ask_word(k, "column"));
    ask_columns(k, "col_name, data_type, comment");
    yyjson_arr_foreach(columns, i, count, v) row3(k, json_get_str(v, "name"), cmd_type_text(v), json_get_str(v, "comment"));
    TRY(partition_rows(k, columns));
    return ask_flag(k, "extended") ? table_detail(k, &s) : NULL;
}

static err *show_columns(struct ask *k) {
    struct ask_name n;
    struct securable s;
    jval *columns, *v;
    size_t i, count;
    struct ask at = *k;
    jval *schema = json_get(k->in, "schema");
    if (yyjson_is_arr(schema)) {
        struct ask_name up;
        TRY(ask_name(k, schema, 2, &up));
        at.catalog = up.part[0];
        at.schema = up.part[1];
    }
    TRY(ask_name(&at, json_get(k->in, "name"), 3, &n));
    TRY(ask_open(k, SEC_TABLE, &n, 0, &s));
    TRY(tables_columns(k->c, &s.table, &columns));
    ask_columns(k, "col_name");
    yyjson_arr_foreach(columns, i, count, v) ask_put(k, ask_row(k), json_get_str(v, "name"));
    return NULL;
}

static err *show_tblproperties(struct ask *k) {
    struct securable s;
    struct kv all;
    str only = ask_word(k, "key");
    TRY(ask_open_slot(k, "name", SEC_TABLE, 0, &s));
    TRY(shown_properties(k, &s.table, &all));
    ask_columns(k, "key, value");
    bool any = false;
    for (size_t i = 0; i < all.n; i++) {
        if (only.n && !str_eq(only, all.p[i].key)) continue;
        any = true;
        row2(k, arena_strndup(k->c->a, all.p[i].key.p, all.p[i].key.n), all.p[i].value);
    }
    if (only.n && !any)
        row2(k, arena_strndup(k->c->a, only.p, only.n),
             str_of(arena_printf(k->c->a, "Table %.*s does not have property: %.*s", STR_ARG(s.full_name), STR_ARG(only))));
    return NULL;
}

/* ---- SHOW CREATE TABLE ---- */

static void put_string(buf *b, str s) {
    buf_c(b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_c(b, '\\');
        buf_c(b, s.p[i]);
    }
    buf_c(b, '\'');
}

static str upper(arena *a, str s) {
    char *p = arena_strndup(a, s.p ? s.p : "", s.n);
    for (char *q = p; *q; q++)
        if (*q >= 'a' && *q <= 'z') *q = (char)(*q - 32);
    return str_of(p);
}

/* GENERATED …, DEFAULT …: what the column's metadata says of its values. */
static err *put_values(struct ask *k, jval *column, buf *b) {
    str text = json_get_str(column, "metadata"), s;
    jval *m;
    int64_t start = 1, step = 1;
    if (!text.n) return NULL;
    TRY(json_parse(k->c->a, text, false, &m));
    if ((s = json_get_str(m, "delta.generationExpression")).n) buf_fmt(b, " GENERATED ALWAYS AS (%.*s)", STR_ARG(s));
    if (json_i64(json_get(m, "delta.identity.start"), &start) && json_i64(json_get(m, "delta.identity.step"), &step))
        buf_fmt(b, " GENERATED %s AS IDENTITY (START WITH %lld INCREMENT BY %lld)",
                yyjson_is_true(json_get(m, "delta.identity.allowExplicitInsert")) ? "BY DEFAULT" : "ALWAYS", (long long)start, (long long)step);
    if ((s = json_get_str(m, "CURRENT_DEFAULT")).n) buf_fmt(b, " DEFAULT %.*s", STR_ARG(s));
    return NULL;
}

/* CLUSTER BY (a, s.x), from the property that engines keep; it is then taken out of the properties. */
static err *put_clustering(struct ask *k, struct kv *properties, buf *b) {
    jval *list, *path;
    size_t i, n;
    str text = STR_NONE;
    for (i = 0; i < properties->n; i++)
        if (str_eqz(properties->p[i].key, "clusteringColumns")) text = properties->p[i].value;
    if (!text.n) return NULL;
    TRY(json_parse(k->c->a, text, false, &list));
    yyjson_arr_foreach(list, i, n, path) {
        buf_z(b, i ? ", " : "CLUSTER BY (");
        for (size_t j = 0; j < yyjson_arr_size(path); j++) buf_fmt(b, "%s%.*s", j ? "." : "", STR_ARG(json_str(yyjson_arr_get(path, j))));
    }
    buf_z(b, ")\n");
    (void)kv_del(properties, STR("clusteringColumns"));
    return NULL;
}

static err *put_create(struct ask *k, const struct securable *s, buf *b) {
    const struct ent_uc_table *t = &s->table;
    jval *columns, *v, *keys;
    size_t i, n;
    struct kv properties;
    bool view = table_is_view(t);
    TRY(tables_columns(k->c, t, &columns));
    TRY(shown_properties(k, t, &properties));
    buf_fmt(b, "CREATE %s %.*s.%.*s.%.*s (\n", view ? "VIEW" : "TABLE", STR_ARG(s->catalog.name), STR_ARG(s->schema.name), STR_ARG(t->name));
    yyjson_arr_foreach(columns, i, n, v) {
        buf_fmt(b, "%s  %.*s", i ? ",\n" : "", STR_ARG(json_get_str(v, "name")));
        if (!view) buf_fmt(b, " %.*s", STR_ARG(upper(k->c->a, cmd_type_text(v))));
        if (!view && yyjson_is_false(json_get(v, "nullable"))) buf_z(b, " NOT NULL");
        if (!view) TRY(put_values(k, v, b));
        if (json_get_str(v, "comment").n) {
            buf_z(b, " COMMENT ");
            put_string(b, json_get_str(v, "comment"));
        }
    }
    TRY(json_parse(k->c->a, t->constraints.n ? t->constraints : STR("[]"), false, &keys));
    yyjson_arr_foreach(keys, i, n, v) {
        buf_fmt(b, ",\n  CONSTRAINT %.*s ", STR_ARG(ask_quote(k->c->a, json_get_str(v, "name"))));
        TRY(put_key(k, v, b));
    }
    buf_z(b, ")\n");
    if (!view) {
        buf_fmt(b, "USING %.*s\n", STR_ARG(lower(k->c->a, t->format)));
        bool any = false;
        yyjson_arr_foreach(columns, i, n, v) {
            if (!json_get(v, "partition_index")) continue;
            buf_fmt(b, "%s%.*s", any ? ", " : "PARTITIONED BY (", STR_ARG(json_get_str(v, "name")));
            any = true;
        }
        if (any) buf_z(b, ")\n");
        TRY(put_clustering(k, &properties, b));
        if (t->location.n) {
            buf_z(b, "LOCATION ");
            put_string(b, t->location);
            buf_c(b, '\n');
        }
    }
    if (t->comment.n) {
        buf_z(b, "COMMENT ");
        put_string(b, t->comment);
        buf_c(b, '\n');
    }
    for (i = 0; i < properties.n; i++) {
        buf_z(b, i ? ",\n  " : "TBLPROPERTIES (\n  ");
        put_string(b, properties.p[i].key);
        buf_z(b, " = ");
        put_string(b, properties.p[i].value);
    }
    if (properties.n) buf_z(b, ")\n");
    if (view) buf_fmt(b, "AS %.*s\n", STR_ARG(t->view_text));
    return NULL;
}

static err *show_create_table(struct ask *k) {
    struct securable s;
    buf b = {0};
    TRY(ask_open_slot(k, "name", SEC_TABLE, 0, &s));
    if (table_is_view(&s.table)) TRY(ask_need(k->c, &s, PRIV_MANAGE)); /* securable_shows_text() */
    err *e = put_create(k, &s, &b);
    ask_columns(k, "createtab_stmt");
    if (!e) ask_put(k, ask_row(k), buf_view(&b));
    buf_free(&b);
    return e;
}

/* ---- the others ---- */

static err *describe_schema(struct ask *k) {
    struct securable s;
    struct kv properties;
    str owner;
    TRY(ask_open_slot(k, "name", SEC_SCHEMA, 0, &s));
    TRY(ask_principal(k, s.schema.owner_id, &owner));
    ask_columns(k, "database_description_item, database_description_value");
    row2(k, "Catalog Name", s.catalog.name);
    row2(k, "Namespace Name", s.schema.name);
    row2(k, "Comment", s.schema.comment);
    row2(k, "Location", s.schema.storage_root);
    row2(k, "Owner", owner);
    if (!ask_flag(k, "extended")) return NULL;
    TRY(kv_read(k->c->a, s.schema.properties, &properties));
    buf b = {0};
    buf_c(&b, '(');
    for (size_t i = 0; i < properties.n; i++)
        buf_fmt(&b, "%s(%.*s,%.*s)", i ? ", " : "", STR_ARG(properties.p[i].key), STR_ARG(properties.p[i].value));
    buf_c(&b, ')');
    row2(k, "Properties", properties.n ? arena_str(k->c->a, buf_view(&b)) : STR(""));
    buf_free(&b);
    return NULL;
}

static err *describe_catalog(struct ask *k) {
    struct securable s;
    str owner, creator;
    TRY(ask_open_slot(k, "name", SEC_CATALOG, 0, &s));
    ask_columns(k, "info_name, info_value");
    row2(k, "Catalog Name", s.catalog.name);
    row2(k, "Comment", s.catalog.comment);
    TRY(ask_principal(k, s.catalog.owner_id, &owner));
    row2(k, "Owner", owner);
    if (!ask_flag(k, "extended")) return NULL;
    TRY(ask_principal(k, s.catalog.created_by, &creator));
    row2(k, "Catalog Type", STR("Regular"));
    row2(k, "Created By", creator);
    row2(k, "Created At", ask_time(k->c->a, s.catalog.created_at));
    row2(k, "Updated At", ask_time(k->c->a, s.catalog.updated_at));
    row2(k, "Storage Root", s.catalog.storage_root);
    return NULL;
}

static err *describe_volume(struct ask *k) {
    struct securable s;
    str owner;
    TRY(ask_open_slot(k, "name", SEC_VOLUME, 0, &s));
    TRY(ask_principal(k, s.volume.owner_id, &owner));
    ask_columns(k, "name, catalog, database, owner, storageLocation, volumeType, comment");
    jmut *row = ask_row(k);
    ask_put(k, row, s.volume.name);
    ask_put(k, row, s.catalog.name);
    ask_put(k, row, s.schema.name);
    ask_put(k, row, owner);
    ask_put(k, row, s.volume.location.n ? s.volume.location
                                        : str_of(arena_printf(k->c->a, "dbfs:/Volumes/%.*s/%.*s/%.*s", STR_ARG(s.catalog.name),
                                                              STR_ARG(s.schema.name), STR_ARG(s.volume.name))));
    ask_put(k, row, s.volume.volume_type);
    ask_put(k, row, s.volume.comment.p ? s.volume.comment : STR(""));
    return NULL;
}

static err *describe_location(struct ask *k) {
    struct securable s;
    str owner;
    TRY(ask_open_slot(k, "name", SEC_LOCATION, 0, &s));
    TRY(ask_principal(k, s.location.owner_id, &owner));
    ask_columns(k, "name, url, credential_name, owner, comment");
    jmut *row = ask_row(k);
    ask_put(k, row, s.location.name);
    ask_put(k, row, s.location.url);
    ask_put_z(k, row, "local");
    ask_put(k, row, owner);
    ask_put(k, row, s.location.comment.p ? s.location.comment : STR(""));
    return NULL;
}

static err *describe_credential(struct ask *k) {
    struct securable s;
    str owner;
    TRY(ask_open_slot(k, "name", SEC_CREDENTIAL, 0, &s));
    TRY(ask_principal(k, s.credential.owner_id, &owner));
    ask_columns(k, "name, owner, comment, kind, read_only boolean");
    jmut *row = ask_row(k);
    ask_put(k, row, s.credential.name);
    ask_put(k, row, owner);
    ask_put(k, row, s.credential.comment.p ? s.credential.comment : STR(""));
    ask_put(k, row, s.credential.kind);
    ask_put_bool(k, row, s.credential.read_only);
    return NULL;
}

static err *show_create_schema(struct ask *k) {
    struct securable s;
    TRY(ask_open_slot(k, "name", SEC_SCHEMA, 0, &s));
    ask_columns(k, "createdb_stmt");
    buf b = {0};
    buf_fmt(&b, "CREATE SCHEMA %.*s", STR_ARG(ask_quoted(k->c->a, s.catalog.name, s.schema.name, STR(""))));
    if (s.schema.comment.n) {
        buf_z(&b, " COMMENT '");
        for (size_t i = 0; i < s.schema.comment.n; i++) {
            if (strchr("'\\", s.schema.comment.p[i])) buf_c(&b, '\\');
            buf_c(&b, s.schema.comment.p[i]);
        }
        buf_c(&b, '\'');
    }
    if (s.schema.storage_root.n) buf_fmt(&b, " MANAGED LOCATION '%.*s'", STR_ARG(s.schema.storage_root));
    ask_put(k, ask_row(k), buf_view(&b));
    buf_free(&b);
    return NULL;
}

static void info(struct ask *k, const char *what, str value) {
    ask_put(k, ask_row(k), str_of(arena_printf(k->c->a, "%-14s%.*s", what, STR_ARG(value))));
}

static err *describe_function(struct ask *k) {
    struct securable s;
    jval *params, *returns, *v;
    size_t i, n;
    str owner;
    TRY(ask_open_slot(k, "name", SEC_FUNCTION, 0, &s));
    const struct ent_uc_function *f = &s.function;
    ask_columns(k, "function_desc");
    info(k, "Function:", s.full_name);
    info(k, "Type:", f->is_table ? STR("TABLE") : STR("SCALAR"));
    TRY(json_parse(k->c->a, f->params.n ? f->params : STR("[]"), false, &params));
    if (!yyjson_arr_size(params)) info(k, "Input:", STR("()"));
    yyjson_arr_foreach(params, i, n, v)
        info(k, i ? "" : "Input:", str_of(arena_printf(k->c->a, "%.*s %.*s", STR_ARG(json_get_str(v, "name")),
                                                       STR_ARG(upper(k->c->a, cmd_type_text(v))))));
    TRY(json_parse(k->c->a, f->returns.n ? f->returns : STR("{}"), false, &returns));
    if (f->is_table) {
        yyjson_arr_foreach(returns, i, n, v)
            info(k, i ? "" : "Returns:", str_of(arena_printf(k->c->a, "%.*s %.*s", STR_ARG(json_get_str(v, "name")),
                                                             STR_ARG(upper(k->c->a, cmd_type_text(v))))));
    } else {
        info(k, "Returns:", upper(k->c->a, cmd_type_text(returns)));
    }
    if (!ask_flag(k, "extended")) return NULL;
    TRY(ask_principal(k, f->owner_id, &owner));
    if (f->comment.n) info(k, "Comment:", f->comment);
    info(k, "Deterministic:", f->deterministic ? STR(" true") : STR(" false"));
    info(k, "Owner:", owner);
    info(k, "Create Time:", ask_time(k->c->a, f->created_at));
    if (securable_shows_text(k->c, &s)) info(k, "Body:", f->body);
    return NULL;
}

const struct ask_command ask_describe_commands[] = {
    {"describe_table", describe_table, false},
    {"describe_schema", describe_schema, false},
    {"describe_catalog", describe_catalog, false},
    {"describe_volume", describe_volume, false},
    {"describe_location", describe_location, false},
    {"describe_credential", describe_credential, false},
    {"show_create_schema", show_create_schema, false},
    {"describe_function", describe_function, false},
    {"show_columns", show_columns, false},
    {"show_tblproperties", show_tblproperties, false},
    {"show_create_table", show_create_table, false},
    {"show_create_view", show_create_table, false},
    {NULL, NULL, false},
};

/* ---- all commands ---- */

const struct ask_command *const ask_command_tables[] = {ask_schema_commands, ask_object_commands,   ask_alter_commands, ask_grant_commands, ask_access_commands,
                                                        ask_show_commands,   ask_describe_commands, NULL};

const struct ask_command *ask_command_find(str name) {
    for (size_t t = 0; ask_command_tables[t]; t++)
        for (const struct ask_command *c = ask_command_tables[t]; c->name; c++)
            if (str_eqz(name, c->name)) return c;
    return NULL;
}
