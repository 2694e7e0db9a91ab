/* SPDX-License-Identifier: Apache-2.0 */
/* Types in the JSON form that Delta's logs and Spark's schemas use. */
#include <stdlib.h>

#include "sql/error.h"
#include "sql/type.h"

/*
 * Collations. A field's JSON says "string", and its metadata which collation: {"__COLLATIONS": {"path": "provider.NAME"}}, where the path
 * is the field's name, with .element, .key and .value for what is within; fields of structs say their own. In memory the type has it,
 * and the metadata does not.
 */
#define COLLATIONS "__COLLATIONS"

static void put_collations(const struct sql_type *t, str path, size_t depth, size_t *n, buf *out) {
    if (t->kind == TY_STRING && t->collation.n) {
        bool own = str_starts(t->collation, STR("UTF8_")) || str_starts(t->collation, STR("utf8_"));
        buf_z(out, (*n)++ ? "," : "");
        buf_json_str(out, path);
        buf_z(out, own ? ":\"spark." : ":\"icu.");
        for (size_t i = 0; i < t->collation.n; i++) {
            char c = t->collation.p[i];
            buf_c(out, c >= 'a' && c <= 'z' && own ? (char)(c - 32) : c);
        }
        buf_c(out, '"');
    }
    if ((t->kind != TY_ARRAY && t->kind != TY_MAP) || depth > 100) return;
    buf below = {0};
    buf_str(&below, path);
    buf_z(&below, t->kind == TY_ARRAY ? ".element" : ".value");
    put_collations(t->elem, buf_view(&below), depth + 1, n, out);
    if (t->kind == TY_MAP) {
        buf_clear(&below);
        buf_str(&below, path);
        buf_z(&below, ".key");
        put_collations(t->key, buf_view(&below), depth + 1, n, out);
    }
    buf_free(&below);
}

/* The field's metadata, with its collations. */
static void put_metadata(const struct sql_field *f, buf *out) {
    size_t n = 0;
    buf collations = {0};
    put_collations(f->type, f->name, 0, &n, &collations);
    bool any = f->metadata.n > 2 || (!f->metadata.n && f->comment.n);
    if (f->metadata.n) {
        buf_str(out, n ? str_cut(f->metadata, f->metadata.n - 1) : f->metadata);
    } else {
        buf_c(out, '{');
        if (f->comment.n) {
            buf_z(out, "\"comment\":");
            buf_json_str(out, f->comment);
        }
        if (!n) buf_c(out, '}');
    }
    if (n) buf_fmt(out, "%s\"" COLLATIONS "\":{%.*s}}", any ? "," : "", STR_ARG(buf_view(&collations)));
    buf_free(&collations);
}

static void fields_json(const struct sql_type *t, buf *out) {
    buf_z(out, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < t->n; i++) {
        const struct sql_field *f = &t->fields[i];
        if (i) buf_c(out, ',');
        buf_z(out, "{\"name\":");
        buf_json_str(out, f->name);
        buf_z(out, ",\"type\":");
        sql_type_write_json(f->type, out);
        buf_fmt(out, ",\"nullable\":%s,\"metadata\":", f->nullable ? "true" : "false");
        put_metadata(f, out);
        buf_c(out, '}');
    }
    buf_z(out, "]}");
}

void sql_type_write_json(const struct sql_type *t, buf *out) {
    switch (t->kind) {
    case TY_TINYINT: buf_z(out, "\"byte\""); return;
    case TY_SMALLINT: buf_z(out, "\"short\""); return;
    case TY_INT: buf_z(out, "\"integer\""); return;
    case TY_BIGINT: buf_z(out, "\"long\""); return;
    case TY_STRING: buf_z(out, "\"string\""); return;
    case TY_ARRAY:
        buf_z(out, "{\"type\":\"array\",\"elementType\":");
        sql_type_write_json(t->elem, out);
        buf_fmt(out, ",\"containsNull\":%s}", t->elem_nullable ? "true" : "false");
        return;
    case TY_MAP:
        buf_z(out, "{\"type\":\"map\",\"keyType\":");
        sql_type_write_json(t->key, out);
        buf_z(out, ",\"valueType\":");
        sql_type_write_json(t->elem, out);
        buf_fmt(out, ",\"valueContainsNull\":%s}", t->elem_nullable ? "true" : "false");
        return;
    case TY_STRUCT: fields_json(t, out); return;
    default:
        buf_c(out, '"');
        sql_type_write(t, out);
        buf_c(out, '"');
        return;
    }
}

void sql_type_write_json_alone(const struct sql_type *t, buf *out) {
    if (t->kind == TY_STRING && t->collation.n) {
        buf_c(out, '"');
        sql_type_write(t, out);
        buf_c(out, '"');
    } else
        sql_type_write_json(t, out);
}

static err *wrong(jval *v, arena *a) {
    buf b = {0};
    char *text = yyjson_val_write(v, 0, NULL);
    buf_z(&b, text ? text : "");
    free(text);
    const char *z = arena_strndup(a, b.p ? b.p : "", b.n > 200 ? 200 : b.n);
    buf_free(&b);
    return sql_error("INVALID_JSON_DATA_TYPE", NULL, STR_NONE, "invalidType", z, NULL);
}

static err *read_type(arena *a, jval *v, int depth, const struct sql_type **ret);

/* The type, its strings collated as the field's metadata says. */
static const struct sql_type *collated(arena *a, const struct sql_type *t, jval *collations, str path, int depth) {
    if (depth > 100) return t;
    struct sql_type *r = arena_new_of(a, struct sql_type);
    *r = *t;
    if (t->kind == TY_STRING) {
        str name = json_get_str(collations, arena_strndup(a, path.p, path.n));
        ptrdiff_t dot = str_chr(name, '.', 0);
        if (dot < 0) return t;
        r->collation = arena_str(a, str_from(name, (size_t)dot + 1));
        if (str_ieq(r->collation, STR("UTF8_BINARY"))) r->collation = STR_NONE;
        return r;
    }
    if (t->kind != TY_ARRAY && t->kind != TY_MAP) return t;
    r->elem = collated(a, t->elem, collations, str_of(arena_printf(a, "%.*s.%s", STR_ARG(path), t->kind == TY_ARRAY ? "element" : "value")), depth + 1);
    if (t->kind == TY_MAP) r->key = collated(a, t->key, collations, str_of(arena_printf(a, "%.*s.key", STR_ARG(path))), depth + 1);
    return r;
}

/* A field's metadata without its collations. */
static str plain_metadata(arena *a, jval *meta) {
    jval *collations = json_get(meta, COLLATIONS);
    size_t n = yyjson_obj_size(meta), i, max;
    jval *k, *v;
    if (!n || (collations && n == 1)) return STR_NONE;
    buf b = {0};
    yyjson_obj_foreach(meta, i, max, k, v) {
        if (v == collations) continue;
        size_t len = 0;
        char *text = yyjson_val_write(v, 0, &len);
        buf_c(&b, b.n ? ',' : '{');
        buf_json_str(&b, json_str(k));
        buf_c(&b, ':');
        if (text) buf_add(&b, text, len);
        free(text);
    }
    buf_c(&b, '}');
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static err *read_fields(arena *a, jval *v, int depth, const struct sql_type **ret) {
    jval *fields = json_get(v, "fields"), *f;
    size_t n = yyjson_arr_size(fields), i, max;
    struct sql_field *to = arena_array_of(a, struct sql_field, n + 1);
    yyjson_arr_foreach(fields, i, max, f) {
        to[i].name = arena_str(a, json_get_str(f, "name"));
        TRY(read_type(a, json_get(f, "type"), depth + 1, &to[i].type));
        jval *nullable = json_get(f, "nullable"), *meta = json_get(f, "metadata");
        to[i].nullable = !yyjson_is_bool(nullable) || yyjson_get_bool(nullable);
        str comment = json_get_str(meta, "comment");
        if (comment.n) to[i].comment = arena_str(a, comment);
        to[i].metadata = plain_metadata(a, meta);
        jval *collations = json_get(meta, COLLATIONS);
        if (yyjson_is_obj(collations)) to[i].type = collated(a, to[i].type, collations, to[i].name, 0);
    }
    *ret = sql_struct(a, to, n);
    return NULL;
}

static err *read_type(arena *a, jval *v, int depth, const struct sql_type **ret) {
    if (depth > 100) return wrong(NULL, a);
    if (yyjson_is_str(v)) return sql_type_parse(a, json_str(v), ret);
    str kind = json_get_str(v, "type");
    const struct sql_type *k, *e;
    if (str_eqz(kind, "struct")) return read_fields(a, v, depth, ret);
    if (str_eqz(kind, "array")) {
        jval *null = json_get(v, "containsNull");
        TRY(read_type(a, json_get(v, "elementType"), depth + 1, &e));
        *ret = sql_array(a, e, !yyjson_is_bool(null) || yyjson_get_bool(null));
        return NULL;
    }
    if (str_eqz(kind, "map")) {
        jval *null = json_get(v, "valueContainsNull");
        TRY(read_type(a, json_get(v, "keyType"), depth + 1, &k));
        TRY(read_type(a, json_get(v, "valueType"), depth + 1, &e));
        *ret = sql_map(a, k, e, !yyjson_is_bool(null) || yyjson_get_bool(null));
        return NULL;
    }
    if (str_eqz(kind, "udt")) return read_type(a, json_get(v, "sqlType"), depth + 1, ret);
    return wrong(v, a);
}

err *sql_type_read_json(arena *a, jval *v, const struct sql_type **ret) {
    return read_type(a, v, 0, ret);
}
