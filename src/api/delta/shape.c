/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables as this API shows them. Columns are Delta's own schema, but that the keys of nested types have dashes
 * ("element-type"); the catalog keeps [{name,type_json,type_text,nullable,comment,metadata,partition_index}].
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/delta/delta_int.h"
#include "base/time.h"
#include "catalog/ask.h"
#include "sql/type.h"
#include "sys/clock.h"

#define CREDENTIAL_LIFE_US (3600 * 1000000ll)
#define MAX_DEPTH 64

err *delta_api_error(const char *type, err_code code, const char *fmt, ...) {
    buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    char text[1024];
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_z(&b, text);
    buf_c(&b, 0);
    err *e = err_new(code, "%s", b.p);
    buf_free(&b);
    return err_detail(e, "%s", type);
}

/* ---- nested types: their keys with and without dashes ---- */

static const char *const keys[][2] = {
    {"element-type", "elementType"}, {"contains-null", "containsNull"},           {"key-type", "keyType"},
    {"value-type", "valueType"},     {"value-contains-null", "valueContainsNull"},
};

/* A copy of a type with the keys of the other form. */
static err *respell(jdoc *d, jval *type, int to, int depth, jmut **ret) {
    if (depth > MAX_DEPTH) return err_new(ERR_INVALID_PARAMETER_VALUE, "A type of a column is nested too deeply.");
    if (!yyjson_is_obj(type)) {
        *ret = yyjson_val_mut_copy(d, type);
        return NULL;
    }
    jmut *o = yyjson_mut_obj(d);
    size_t i, n;
    jval *k, *v;
    yyjson_obj_foreach(type, i, n, k, v) {
        str key = json_str(k);
        bool nested = false;
        for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++)
            if (str_eqz(key, keys[j][!to])) key = str_of(keys[j][to]), nested = true;
        nested |= str_eqz(key, "type");
        jmut *copy;
        if (str_eqz(key, "fields") && yyjson_is_arr(v)) {
            size_t x, m;
            jval *f;
            copy = yyjson_mut_arr(d);
            yyjson_arr_foreach(v, x, m, f) {
                jmut *one;
                TRY(respell(d, f, to, depth + 1, &one));
                yyjson_mut_arr_append(copy, one);
            }
        } else if (nested) {
            TRY(respell(d, v, to, depth + 1, &copy));
        } else {
            copy = yyjson_val_mut_copy(d, v);
        }
        yyjson_mut_obj_add(o, yyjson_mut_strncpy(d, key.p, key.n), copy);
    }
    *ret = o;
    return NULL;
}

static err *text_of_type(struct req *r, str json, str *ret) {
    jval *v;
    const struct sql_type *t;
    buf b = {0};
    TRY(json_parse(r->a, json, false, &v));
    TRY(sql_type_read_json(r->a, v, &t));
    sql_type_write(t, &b);
    *ret = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return NULL;
}

static err *bad_columns(const char *what) {
    return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE, "columns must be a struct with fields: %s.", what);
}

err *delta_columns_in(struct req *r, jval *columns, jval *partitions, str *ret) {
    jval *fields = json_get(columns, "fields"), *f, *p;
    size_t i, n, x, m, found = 0;
    if (!yyjson_is_arr(fields)) return bad_columns("there is no list of fields");
    if (yyjson_arr_size(fields) > TABLES_MAX_COLUMNS) return bad_columns("there are too many");
    jmut *list = yyjson_mut_arr(req_doc(r));
    yyjson_arr_foreach(fields, i, n, f) {
        str name = json_get_str(f, "name"), text;
        jval *meta = json_get(f, "metadata");
        jmut *type, *o = json_add_obj(r->doc, list);
        if (!name.n || !json_get(f, "type")) return bad_columns("a field has no name or no type");
        TRY(respell(r->doc, json_get(f, "type"), 1, 0, &type));
        str json = json_text(r->a, type);
        TRY(text_of_type(r, json, &text));
        json_put_str(r->doc, o, "name", name);
        json_put_str(r->doc, o, "type_json", json);
        json_put_str(r->doc, o, "type_text", text);
        json_put_bool(r->doc, o, "nullable", !yyjson_is_false(json_get(f, "nullable")));
        if (json_get_str(meta, "comment").p) json_put_str(r->doc, o, "comment", json_get_str(meta, "comment"));
        if (yyjson_obj_size(meta)) json_put_str(r->doc, o, "metadata", json_text(r->a, yyjson_val_mut_copy(r->doc, meta)));
        yyjson_arr_foreach(partitions, x, m, p)
            if (str_ieq(json_str(p), name)) json_put_int(r->doc, o, "partition_index", (int64_t)x), found++;
    }
    if (found != yyjson_arr_size(partitions)) return bad_columns("a partition column is none of them");
    *ret = json_text(r->a, list);
    return NULL;
}

err *delta_protocol_in(struct req *r, jval *protocol, struct kv *properties) {
    static const char *const lists[] = {"reader-features", "writer-features"};
    static const char *const versions[][2] = {{"min-reader-version", "delta.minReaderVersion"}, {"min-writer-version", "delta.minWriterVersion"}};
    for (size_t i = 0; i < properties->n;)
        if (str_starts(properties->p[i].key, STR("delta.feature.")))
            (void)kv_del(properties, properties->p[i].key);
        else
            i++;
    for (size_t i = 0; i < 2; i++) {
        int64_t v;
        if (!json_i64(json_get(protocol, versions[i][0]), &v) || v < 1 || v > 1000)
            return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE, "A protocol has no %s.", versions[i][0]);
        kv_set(r->a, properties, str_of(versions[i][1]), str_of(arena_printf(r->a, "%lld", (long long)v)));
        size_t k, n;
        jval *f;
        yyjson_arr_foreach(json_get(protocol, lists[i]), k, n, f) {
            str name = json_str(f);
            if (!name.n || name.n > 100) return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE, "A feature has no name.");
            kv_set(r->a, properties, str_of(arena_printf(r->a, "delta.feature.%.*s", STR_ARG(name))), STR("supported"));
        }
    }
    return NULL;
}

/* ---- out ---- */

static err *put_field(struct req *r, jmut *fields, jval *v) {
    str json = json_get_str(v, "type_json"), meta = json_get_str(v, "metadata");
    jval *type = NULL, *m;
    jmut *copy, *o = json_add_obj(r->doc, fields);
    bool quoted = json.n && (json.p[0] == '"' || json.p[0] == '{');
    if (quoted) TRY(json_parse(r->a, json, false, &type));
    /* Some clients gave the whole field. */
    bool whole = yyjson_is_obj(type) && json_get(type, "name") && json_get(type, "type") && !json_get(type, "fields");
    jval *inner = whole ? json_get(type, "metadata") : NULL;
    if (whole) type = json_get(type, "type");
    json_put_str(r->doc, o, "name", json_get_str(v, "name"));
    if (type) {
        TRY(respell(r->doc, type, 0, 0, &copy));
        json_put(r->doc, o, "type", copy);
    } else {
        json_put_str(r->doc, o, "type", json);
    }
    json_put_bool(r->doc, o, "nullable", !yyjson_is_false(json_get(v, "nullable")));
    if (meta.n) {
        TRY(json_parse(r->a, meta, false, &m));
        json_put(r->doc, o, "metadata", yyjson_val_mut_copy(r->doc, m));
    } else if (inner) {
        json_put(r->doc, o, "metadata", yyjson_val_mut_copy(r->doc, inner));
    } else {
        jmut *none = json_put_obj(r->doc, o, "metadata");
        if (json_get_str(v, "comment").n) json_put_str(r->doc, none, "comment", json_get_str(v, "comment"));
    }
    return NULL;
}

static err *put_columns(struct req *r, jmut *o, const struct caller *c, const struct ent_uc_table *t) {
    jval *list, *v;
    size_t i, n;
    TRY(tables_columns(c, t, &list));
    jmut *s = json_put_obj(r->doc, o, "columns");
    json_put_z(r->doc, s, "type", "struct");
    jmut *fields = json_put_arr(r->doc, s, "fields"), *parts = json_put_arr(r->doc, o, "partition-columns");
    yyjson_arr_foreach(list, i, n, v) TRY(put_field(r, fields, v));
    int64_t at;
    for (int64_t want = 0; want < (int64_t)yyjson_arr_size(list); want++)
        yyjson_arr_foreach(list, i, n, v)
            if (json_i64(json_get(v, "partition_index"), &at) && at == want) json_add_str(r->doc, parts, json_get_str(v, "name"));
    return NULL;
}

static void put_number(struct req *r, jmut *o, const char *name, const struct kv *m, const char *key) {
    const struct kv_pair *p = kv_find(m, str_of(key));
    int64_t v;
    if (p && str_to_i64(p->value, &v)) json_put_int(r->doc, o, name, v);
}

static err *put_metadata(struct req *r, const struct caller *c, const struct securable *s, bool managed) {
    const struct ent_uc_table *t = &s->table;
    struct kv properties;
    str engine, url;
    jmut *o = json_put_obj(r->doc, req_out(r), "metadata");
    TRY(ask_table_place(c, t, &engine, &url));
    json_put_str(r->doc, o, "etag", str_of(arena_printf(r->a, "etag-%lld", (long long)t->updated_at)));
    json_put_z(r->doc, o, "table-type", table_is_managed(t) ? "MANAGED" : "EXTERNAL");
    json_put_str(r->doc, o, "table-uuid", t->uuid);
    json_put_str(r->doc, o, "location", url);
    json_put_int(r->doc, o, "created-time", t->created_at / US_PER_MS);
    json_put_int(r->doc, o, "updated-time", t->updated_at / US_PER_MS);
    TRY(put_columns(r, o, c, t));
    TRY(kv_read(r->a, t->properties, &properties));
    /* What clients tell a catalog-managed table by. */
    if (managed) kv_set(r->a, &properties, STR("delta.feature.catalogManaged"), STR("supported"));
    if (managed) kv_set(r->a, &properties, STR("io.unitycatalog.tableId"), t->uuid);
    kv_put_object(r->doc, o, "properties", &properties);
    put_number(r, o, "last-commit-version", &properties, LAST_VERSION);
    put_number(r, o, "last-commit-timestamp-ms", &properties, LAST_TIME);
    return NULL;
}

err *delta_put_load(struct req *r, const struct caller *c, const struct securable *t) {
    struct managed_log log;
    bool managed;
    (void)req_doc(r);
    TRY(managed_find(c, c->tx, t->id, &log, &managed));
    TRY(put_metadata(r, c, t, managed));
    jmut *list = json_put_arr(r->doc, r->out, "commits");
    for (size_t i = log.n; managed && i-- > 0;) {
        const struct delta_version *s = &log.staged[i];
        if (s->version <= log.row.published) continue;
        jmut *o = json_add_obj(r->doc, list);
        json_put_int(r->doc, o, "version", s->version);
        json_put_int(r->doc, o, "timestamp", s->timestamp_ms);
        json_put_str(r->doc, o, "file-name", s->file);
        json_put_int(r->doc, o, "file-size", s->size);
        json_put_int(r->doc, o, "file-modification-timestamp", s->mtime_ms);
    }
    if (managed) json_put_int(r->doc, r->out, "latest-table-version", log.row.latest);
    return NULL;
}

err *delta_put_credential(struct req *r, const struct caller *c, jmut *list, str url, const char *operation, struct delta_session *ret) {
    jmut *o = json_add_obj(r->doc, list);
    *ret = (struct delta_session){.url = arena_str(r->a, url), .write = strcmp(operation, "READ") != 0, .into = o};
    json_put_str(r->doc, o, "prefix", url);
    json_put_z(r->doc, o, "operation", operation);
    if (url_is_remote(url)) return stores_open(c, ret->url, &ret->at);
    (void)json_put_obj(r->doc, o, "config"); /* local places need no secret */
    json_put_int(r->doc, o, "expiration-time-ms", (clock_now() + CREDENTIAL_LIFE_US) / US_PER_MS);
    return NULL;
}

err *delta_fill_session(struct req *r, struct delta_session *s) {
    static const char *const names[][2] = {
        {"s3.access-key-id", "access_key_id"}, {"s3.secret-access-key", "secret_access_key"}, {"s3.session-token", "session_token"}};
    int64_t expires = 0;
    jval *got;
    if (!s->at.s) return NULL;
    TRY(stores_session(r->control->stores, r->a, &s->at, s->url, s->write, &got));
    jmut *config = json_put_obj(r->doc, s->into, "config");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) json_put_str(r->doc, config, names[i][0], json_get_str(got, names[i][1]));
    (void)json_i64(json_get(got, "expires"), &expires);
    json_put_int(r->doc, s->into, "expiration-time-ms", expires / US_PER_MS);
    return NULL;
}
