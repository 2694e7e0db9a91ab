/* SPDX-License-Identifier: Apache-2.0 */
/* Types in the JSON form that Delta's logs and Spark's schemas use. */
#include <stdlib.h>

#include "sql/error.h"
#include "sql/type.h"

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
        if (f->metadata.n) {
            buf_str(out, f->metadata);
        } else if (f->comment.n) {
            buf_z(out, "{\"comment\":");
            buf_json_str(out, f->comment);
            buf_c(out, '}');
        } else {
            buf_z(out, "{}");
        }
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
        if (yyjson_obj_size(meta) > 0) {
            size_t len = 0;
            char *text = yyjson_val_write(meta, 0, &len);
            if (text) to[i].metadata = arena_str(a, str_n(text, len));
            free(text);
        }
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
