/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV, JSON, text and binary files. DuckDB's readers infer and read; here their options are translated, and what they make
 * is turned into the forms of sql/type.h.
 *
 * DuckDB tells types as text ("STRUCT(a BIGINT, b VARCHAR[])"); they are read into the tree that footers give, so that the same
 * conversion serves.
 */
#include <string.h>

#include "base/vec.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"

/* ---- DuckDB's types ---- */

struct words {
    str t;
    size_t at;
    arena *a;
    int depth;
};

static bool take(struct words *w, const char *z) {
    if (!str_starts(str_from(w->t, w->at), str_of(z))) return false;
    w->at += strlen(z);
    return true;
}

static str name_of(struct words *w) {
    buf b = {0};
    if (take(w, "\"")) {
        while (w->at < w->t.n) {
            char c = w->t.p[w->at++];
            if (c == '"' && !take(w, "\"")) break;
            buf_c(&b, c);
        }
    } else {
        while (w->at < w->t.n && w->t.p[w->at] != ' ') buf_c(&b, w->t.p[w->at++]);
    }
    str s = arena_str(w->a, str_n(b.p ? b.p : "", b.n));
    buf_free(&b);
    return s;
}

static bool read_type(struct words *w, struct footer_node *n, const struct sql_type **t);

static bool read_struct(struct words *w, struct footer_node *n, const struct sql_type **t) {
    vec_of(struct footer_node) nodes = {0};
    vec_of(struct sql_field) fields = {0};
    bool ok = true;
    while (ok && !take(w, ")")) {
        struct footer_node c = {.field_id = -1};
        struct sql_field f = {.name = name_of(w), .nullable = true};
        ok = take(w, " ") && read_type(w, &c, &f.type);
        c.name = f.name;
        vec_push(&nodes, c);
        vec_push(&fields, f);
        (void)take(w, ", ");
    }
    struct sql_type *st = arena_new_of(w->a, struct sql_type);
    struct sql_field *copy = arena_array_of(w->a, struct sql_field, fields.n + 1);
    n->child = arena_array_of(w->a, struct footer_node, nodes.n + 1);
    if (nodes.n) memcpy(n->child, nodes.p, nodes.n * sizeof(*nodes.p)), memcpy(copy, fields.p, fields.n * sizeof(*copy));
    n->n = nodes.n, n->phys = PHYS_GROUP;
    *st = (struct sql_type){.kind = TY_STRUCT, .fields = copy, .n = fields.n};
    *t = st;
    vec_free(&nodes), vec_free(&fields);
    return ok;
}

/* What DuckDB calls it, what a file would have, what it is to the user. */
static const struct {
    const char *duckdb;
    enum footer_phys phys;
    enum footer_logical logical;
    enum sql_type_kind kind;
} simple[] = {
    {"BIGINT", PHYS_INT64, LOG_NONE, TY_BIGINT},   {"INTEGER", PHYS_INT32, LOG_NONE, TY_INT},   {"BOOLEAN", PHYS_BOOLEAN, LOG_NONE, TY_BOOLEAN},
    {"DOUBLE", PHYS_DOUBLE, LOG_NONE, TY_DOUBLE},  {"FLOAT", PHYS_FLOAT, LOG_NONE, TY_FLOAT},   {"VARCHAR", PHYS_BYTES, LOG_STRING, TY_STRING},
    {"DATE", PHYS_INT32, LOG_DATE, TY_DATE},       {"TIMESTAMP WITH TIME ZONE", PHYS_INT64, LOG_TIMESTAMP, TY_TIMESTAMP},
    {"TIMESTAMP", PHYS_INT96, LOG_NONE, TY_TIMESTAMP}, {"BLOB", PHYS_BYTES, LOG_NONE, TY_BINARY}, {"TINYINT", PHYS_INT32, LOG_NONE, TY_INT},
    {"SMALLINT", PHYS_INT32, LOG_NONE, TY_INT},    {"UBIGINT", PHYS_INT64, LOG_NONE, TY_BIGINT}, {"HUGEINT", PHYS_DOUBLE, LOG_NONE, TY_DOUBLE},
    {"TIME", PHYS_BYTES, LOG_STRING, TY_STRING},   {"UUID", PHYS_BYTES, LOG_STRING, TY_STRING}, {"JSON", PHYS_BYTES, LOG_NONE, TY_STRING},
    {"NULL", PHYS_BYTES, LOG_NONE, TY_STRING},
};

static void wrap_list(struct words *w, struct footer_node *n, const struct sql_type **t) {
    struct footer_node *rep = arena_new_of(w->a, struct footer_node), *elem = arena_new_of(w->a, struct footer_node);
    *elem = *n;
    elem->name = STR("element");
    *rep = (struct footer_node){.name = STR("list"), .field_id = -1, .phys = PHYS_GROUP, .repeated = true, .child = elem, .n = 1};
    *n = (struct footer_node){.field_id = -1, .phys = PHYS_GROUP, .logical = LOG_LIST, .child = rep, .n = 1};
    *t = sql_array(w->a, *t, true);
}

static bool read_map(struct words *w, struct footer_node *n, const struct sql_type **t) {
    struct footer_node *kv = arena_array_of(w->a, struct footer_node, 2), *rep = arena_new_of(w->a, struct footer_node);
    const struct sql_type *k, *v;
    if (!read_type(w, &kv[0], &k) || !take(w, ", ") || !read_type(w, &kv[1], &v) || !take(w, ")")) return false;
    kv[0].name = STR("key"), kv[1].name = STR("value");
    *rep = (struct footer_node){.name = STR("key_value"), .field_id = -1, .phys = PHYS_GROUP, .repeated = true, .child = kv, .n = 2};
    *n = (struct footer_node){.field_id = -1, .phys = PHYS_GROUP, .logical = LOG_MAP, .child = rep, .n = 1};
    *t = sql_map(w->a, k, v, true);
    return true;
}

static bool read_type(struct words *w, struct footer_node *n, const struct sql_type **t) {
    if (++w->depth > 60) return false;
    bool ok = false;
    *n = (struct footer_node){.field_id = -1};
    if (take(w, "STRUCT(")) {
        ok = read_struct(w, n, t);
    } else if (take(w, "MAP(")) {
        ok = read_map(w, n, t);
    } else if (take(w, "DECIMAL(")) {
        while (w->at < w->t.n && w->t.p[w->at] != ',') n->precision = n->precision * 10 + (w->t.p[w->at++] - '0');
        w->at++;
        while (w->at < w->t.n && w->t.p[w->at] != ')') n->scale = n->scale * 10 + (w->t.p[w->at++] - '0');
        w->at++;
        n->phys = PHYS_FIXED, n->logical = LOG_DECIMAL;
        ok = n->precision > 0 && n->precision <= 38 && n->scale <= n->precision;
        if (ok) *t = sql_decimal(w->a, n->precision, n->scale);
    } else {
        for (size_t i = 0; !ok && i < ARRAY_LEN(simple); i++) {
            if (!take(w, simple[i].duckdb)) continue;
            n->phys = simple[i].phys, n->logical = simple[i].logical, n->utc = true;
            *t = sql_type_of(simple[i].kind);
            ok = true;
        }
    }
    while (ok && take(w, "[]")) wrap_list(w, n, t);
    w->depth--;
    return ok;
}

/* ---- options ---- */

static str option(const struct delta_pair *o, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (str_ieq(o[i].key, str_of(name))) return o[i].value;
    return STR_NONE;
}

static void text_option(const struct delta_pair *o, size_t n, const char *name, const char *duckdb, buf *out) {
    str v = option(o, n, name);
    if (!v.p) return;
    buf_fmt(out, ", %s = ", duckdb);
    if (str_eqz(v, "\\t")) v = STR("\t");
    scan_quote_text(v, out);
}

/* DuckDB's name of a type with the fields' own names, as files have them. */
static void put_file_type(const struct sql_type *t, buf *out) {
    switch (t->kind) {
    case TY_STRUCT:
        buf_z(out, "STRUCT(");
        for (size_t i = 0; i < t->n; i++) {
            if (i) buf_z(out, ", ");
            scan_quote_ident(t->fields[i].name, out);
            buf_c(out, ' ');
            put_file_type(t->fields[i].type, out);
        }
        buf_c(out, ')');
        return;
    case TY_ARRAY:
        put_file_type(t->elem, out);
        buf_z(out, "[]");
        return;
    case TY_MAP:
        buf_z(out, "MAP(");
        put_file_type(t->key, out);
        buf_z(out, ", ");
        put_file_type(t->elem, out);
        buf_c(out, ')');
        return;
    default: sql_type_write_duckdb(t, out);
    }
}

/* ", columns = {…}": what a schema says. */
static void put_schema(const struct sql_type *schema, buf *out) {
    if (!schema) return;
    buf_z(out, ", columns = {");
    for (size_t i = 0; i < schema->n; i++) {
        buf type = {0};
        if (i) buf_z(out, ", ");
        scan_quote_text(schema->fields[i].name, out);
        buf_z(out, ": ");
        put_file_type(schema->fields[i].type, &type);
        scan_quote_text(buf_view(&type), out);
        buf_free(&type);
    }
    buf_c(out, '}');
}

static void csv_call(const struct delta_pair *o, size_t n, const struct sql_type *schema, buf *out) {
    str header = option(o, n, "header");
    buf_fmt(out, ", header = %s", str_ieq(header, STR("true")) ? "true" : "false");
    text_option(o, n, "sep", "delim", out);
    text_option(o, n, "delimiter", "delim", out);
    text_option(o, n, "quote", "quote", out);
    text_option(o, n, "escape", "escape", out);
    text_option(o, n, "nullValue", "nullstr", out);
    text_option(o, n, "comment", "comment", out);
    if (!option(o, n, "sep").p && !option(o, n, "delimiter").p) buf_z(out, ", delim = ','");
    if (str_ieq(option(o, n, "inferSchema"), STR("false"))) buf_z(out, ", all_varchar = true");
    buf_fmt(out, ", null_padding = true%s", schema ? ", ignore_errors = false" : "");
    put_schema(schema, out);
}

static void put_list(const str *files, size_t n, buf *out) {
    buf_c(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_z(out, ", ");
        scan_quote_path(files[i], out);
    }
    buf_c(out, ']');
}

/* ---- relations ---- */

static str finish(struct scan_ctx *c, buf *b) {
    str s = arena_str(c->a, buf_view(b));
    buf_free(b);
    return s;
}

/* The text that is the file's name to people, of a row's "_bh_file". */
static void put_shown(struct scan_ctx *c, str file, buf *out) {
    size_t cut = 0;
    if (remote_is(file)) {
        buf_z(out, "'s3:/'");
        cut = remote_path(c->a, STR("s3://")).n - 1;
    } else if (remote_is_file(file)) {
        buf_z(out, "'dbfs:'");
        cut = remote_file_prefix();
    } else {
        str url = STR("file://");
        for (size_t i = 0; i < c->n_roots; i++) {
            const struct scan_root *r = &c->roots[i];
            if (!r->url.n || !str_starts(file, r->path) || file.n <= r->path.n || file.p[r->path.n] != '/') continue;
            url = r->url, cut = r->path.n;
        }
        scan_quote_text(url, out);
    }
    buf_fmt(out, " || substr(\"_bh_file\", %zu)", cut + 1);
}

/* Not a bare file name: DuckDB would take a filter on it as one on the list of files. */
static void put_metadata(struct scan_ctx *c, str file, buf *out) {
    buf_z(out, "struct_pack(f0 := ");
    put_shown(c, file, out);
    buf_z(out, ", f1 := parse_filename(\"_bh_file\" || ''), f2 := bh_file_stat(\"_bh_file\" || '', false), f3 := CAST(0 AS BIGINT), f4 := "
               "bh_file_stat(\"_bh_file\" || '', false), f5 := make_timestamptz(bh_file_stat(\"_bh_file\" || '', true))) AS \"_metadata\"");
}

/* Columns by DESCRIBE, and the SELECT that turns them into our forms. call: of the reader; named: with the column "_bh_file". */
static err *describe(struct scan_ctx *c, str call, str named, str file, bool numbered, const struct sql_type *schema, struct scan_table *t) {
    buf q = {0}, select = {0};
    buf_fmt(&q, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM %.*s)", STR_ARG(call));
    struct scan_rows rows;
    TRY(scan_query(c->con, c->a, finish(c, &q), &rows));
    struct sql_field *cols = arena_array_of(c->a, struct sql_field, rows.rows + 1);
    struct scan_conv v = {.a = c->a};
    buf_z(&select, "SELECT ");
    for (size_t i = 0; i < rows.rows; i++) {
        struct words w = {rows.cell[i * 2 + 1], 0, c->a, 0};
        struct footer_node node;
        const struct sql_type *type;
        if (!read_type(&w, &node, &type)) type = sql_type_of(TY_STRING), node = (struct footer_node){.field_id = -1, .phys = PHYS_BYTES};
        str name = numbered ? str_of(arena_printf(c->a, "_c%zu", i)) : rows.cell[i * 2];
        cols[i] = (struct sql_field){.name = name, .type = type, .nullable = true};
        if (schema && i < schema->n) cols[i] = schema->fields[i];
        buf ref = {0};
        scan_quote_ident(rows.cell[i * 2], &ref);
        if (i) buf_z(&select, ", ");
        scan_convert(&v, finish(c, &ref), &node, cols[i].type, &select);
        buf_z(&select, " AS ");
        scan_quote_ident(cols[i].name, &select);
    }
    str list = finish(c, &select);
    t->cols = cols, t->n = rows.rows;
    t->duckdb_from = str_of(arena_printf(c->a, "%.*s FROM %.*s", STR_ARG(list), STR_ARG(call)));
    buf_fmt(&select, "%.*s, ", STR_ARG(list));
    put_metadata(c, file, &select);
    buf_fmt(&select, " FROM %.*s", STR_ARG(named));
    t->duckdb_metadata = finish(c, &select);
    return NULL;
}

/* Opens the call of the reader; its parenthesis is left open. False: there is no such format. */
static bool put_reader(struct scan_ctx *c, str format, const str *files, size_t n, const struct sql_type *schema, const struct delta_pair *o,
                       size_t n_options, buf *out) {
    if (str_ieq(format, STR("csv"))) {
        buf_z(out, "read_csv(");
        put_list(files, n, out);
        csv_call(o, n_options, schema, out);
    } else if (str_ieq(format, STR("json"))) {
        buf_z(out, "read_json(");
        put_list(files, n, out);
        buf_fmt(out, ", format = '%s'%s", str_ieq(option(o, n_options, "multiLine"), STR("true")) ? "auto" : "newline_delimited",
                schema ? "" : ", union_by_name = true");
        put_schema(schema, out);
    } else if (str_ieq(format, STR("text"))) {
        buf_z(out, "read_csv(");
        put_list(files, n, out);
        buf_z(out, ", columns = {'value': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false, auto_detect = false");
    } else if (str_ieq(format, STR("binaryfile"))) {
        buf_z(out, "(SELECT ");
        put_shown(c, files[0], out);
        buf_z(out, " AS path, CAST(last_modified AS TIMESTAMP WITH TIME ZONE) AS \"modificationTime\", size AS length, content, \"_bh_file\" FROM (SELECT "
                   "filename AS \"_bh_file\", last_modified, size, content FROM read_blob(");
        put_list(files, n, out);
        buf_z(out, "))");
    } else {
        return false;
    }
    return true;
}

err *scan_text_files(struct scan_ctx *c, str format, str url, const struct sql_type *schema, const struct delta_pair *o, size_t n_options,
                     struct scan_table **ret) {
    str *files;
    size_t n;
    TRY(scan_list(c, url, "", &files, &n));
    struct scan_table *t = arena_new_of(c->a, struct scan_table);
    *t = (struct scan_table){.ctx = c, .url = url, .format = format};
    buf open = {0}, call = {0};
    bool binary = str_ieq(format, STR("binaryfile")), numbered = str_ieq(format, STR("csv")) && !schema && !str_ieq(option(o, n_options, "header"), STR("true"));
    if (!put_reader(c, format, files, n, schema, o, n_options, &open)) {
        buf_free(&open);
        return delta_error("DATA_SOURCE_NOT_FOUND", "Failed to find the data source: %.*s.", STR_ARG(format));
    }
    str reader = finish(c, &open), named;
    buf_fmt(&call, binary ? "%.*s)" : "%.*s, filename = '_bh_file')", STR_ARG(reader));
    named = finish(c, &call);
    buf_fmt(&call, binary ? "(SELECT * EXCLUDE (\"_bh_file\") FROM %.*s))" : "%.*s)", STR_ARG(reader));
    TRY(describe(c, finish(c, &call), named, files[0], numbered, schema, t));
    *ret = t;
    return NULL;
}
