/* SPDX-License-Identifier: Apache-2.0 */
/* A table's schema and protocol: written into metadata, evolved, with the features that they need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker/dml_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

struct delta_metadata *dml_change_metadata(struct dml_x *x) {
    struct delta_metadata *m = arena_new_of(x->a, struct delta_metadata);
    if (x->metadata) {
        *m = *x->metadata;
        struct delta_pair *p = arena_array_of(x->a, struct delta_pair, m->config.n + 1);
        if (m->config.n) memcpy(p, m->config.p, m->config.n * sizeof(*p));
        m->config.p = p;
    }
    x->metadata = m;
    x->metadata_changed = true;
    return m;
}

/* ---- lengths of texts ---- */

#define TEXT_TYPE "__CHAR_VARCHAR_TYPE_STRING"

str dml_set_meta(struct dml_x *x, str metadata, const char *key, str value) {
    jval *v = NULL;
    err *bad = metadata.n ? json_parse(x->a, metadata, false, &v) : NULL;
    err_free(bad);
    jdoc *d = json_doc(x->a);
    jmut *o = v && !bad ? yyjson_val_mut_copy(d, v) : yyjson_mut_obj(d);
    yyjson_mut_obj_remove_key(o, key);
    if (value.p) json_put_str(d, o, key, value);
    return yyjson_mut_obj_size(o) ? json_text(x->a, o) : STR_NONE;
}

/* char(n) and varchar(n) as strings, everywhere in the type; the same type if there are none. */
static const struct sql_type *as_strings(struct dml_x *x, const struct sql_type *t) {
    if (t->kind == TY_CHAR || t->kind == TY_VARCHAR) return sql_type_of(TY_STRING);
    struct sql_type *r = arena_new_of(x->a, struct sql_type);
    *r = *t;
    bool any = false;
    if (t->elem) any |= (r->elem = as_strings(x, t->elem)) != t->elem;
    if (t->key) any |= (r->key = as_strings(x, t->key)) != t->key;
    struct sql_field *f = arena_array_of(x->a, struct sql_field, t->n + 1);
    for (size_t i = 0; i < t->n; i++) {
        f[i] = t->fields[i];
        any |= (f[i].type = as_strings(x, t->fields[i].type)) != t->fields[i].type;
    }
    if (t->n) r->fields = f;
    return any ? r : t;
}

/* The log knows strings only; what a column's type was declared as stands in its metadata. */
static const struct sql_field *plain_texts(struct dml_x *x, const struct sql_field *cols, size_t n) {
    struct sql_field *r = arena_array_of(x->a, struct sql_field, n + 1);
    for (size_t i = 0; i < n; i++) {
        r[i] = cols[i];
        r[i].type = as_strings(x, cols[i].type);
        bool had = str_find(cols[i].metadata, STR(TEXT_TYPE)) >= 0;
        if (r[i].type == cols[i].type && !had) continue;
        buf text = {0};
        if (r[i].type != cols[i].type) sql_type_write(cols[i].type, &text);
        str metadata = cols[i].metadata;
        if (!metadata.n && cols[i].comment.n) metadata = dml_set_meta(x, STR_NONE, "comment", cols[i].comment);
        r[i].metadata = dml_set_meta(x, metadata, TEXT_TYPE, text.n ? dml_take(x, &text) : STR_NONE);
    }
    return r;
}

/* ---- column mapping ---- */

static bool mapped(const struct delta_metadata *m) { return !str_eqz(delta_mapping_mode(m), "none"); }

static str with_ids(struct dml_x *x, str metadata, int64_t id, str physical) {
    jval *v = NULL;
    err *e = metadata.n ? json_parse(x->a, metadata, false, &v) : NULL;
    err_free(e);
    jdoc *d = json_doc(x->a);
    jmut *o = v && !e ? yyjson_val_mut_copy(d, v) : yyjson_mut_obj(d);
    yyjson_mut_obj_remove_key(o, "delta.columnMapping.id");
    yyjson_mut_obj_remove_key(o, "delta.columnMapping.physicalName");
    json_put_int(d, o, "delta.columnMapping.id", id);
    json_put_str(d, o, "delta.columnMapping.physicalName", physical);
    return json_text(x->a, o);
}

/* Gives ids and physical names to fields that have none. keep_names: the files are there already, under the names. */
static const struct sql_type *map_type(struct dml_x *x, const struct sql_type *t, int64_t *max, bool keep_names);

static const struct sql_field *map_fields(struct dml_x *x, const struct sql_field *f, size_t n, int64_t *max, bool keep_names) {
    struct sql_field *r = arena_array_of(x->a, struct sql_field, n + 1);
    for (size_t i = 0; i < n; i++) {
        r[i] = f[i];
        bool has = scan_field_id(x->a, &f[i]) >= 0;
        int64_t id = has ? 0 : ++*max; /* a field's own comes before those below it, as Spark counts */
        r[i].type = map_type(x, f[i].type, max, keep_names);
        if (has) continue;
        char *physical = arena_alloc(x->a, 48);
        memcpy(physical, "col-", 4);
        rand_uuid(physical + 4);
        str metadata = f[i].metadata;
        if (!metadata.n && f[i].comment.n) {
            buf b = {0};
            buf_z(&b, "{\"comment\":");
            buf_json_str(&b, f[i].comment);
            buf_c(&b, '}');
            metadata = dml_take(x, &b);
        }
        r[i].metadata = with_ids(x, metadata, id, keep_names ? f[i].name : str_of(physical));
    }
    return r;
}

static const struct sql_type *map_type(struct dml_x *x, const struct sql_type *t, int64_t *max, bool keep_names) {
    struct sql_type *r = arena_new_of(x->a, struct sql_type);
    *r = *t;
    if (t->kind == TY_STRUCT) r->fields = map_fields(x, t->fields, t->n, max, keep_names);
    if (t->kind == TY_MAP) r->key = map_type(x, t->key, max, keep_names);
    if (t->kind == TY_ARRAY || t->kind == TY_MAP) r->elem = map_type(x, t->elem, max, keep_names);
    return t->kind == TY_STRUCT || t->kind == TY_ARRAY || t->kind == TY_MAP ? r : t;
}

static void raise_max(struct dml_x *x, const struct sql_field *f, size_t n, int64_t *max) {
    for (size_t i = 0; i < n; i++) {
        int64_t id = scan_field_id(x->a, &f[i]);
        if (id > *max) *max = id;
        if (f[i].type->kind == TY_STRUCT) raise_max(x, f[i].type->fields, f[i].type->n, max);
    }
}

err *dml_set_schema(struct dml_x *x, const struct sql_field *cols, size_t n) {
    struct delta_metadata *m = dml_change_metadata(x);
    if (mapped(m)) {
        int64_t max = 0;
        (void)str_to_i64(delta_map_get(&m->config, STR("delta.columnMapping.maxColumnId")), &max);
        raise_max(x, cols, n, &max);
        bool keep = x->t && x->t->snap && !mapped(&x->t->snap->metadata) && x->operation.n && !str_starts(x->operation, STR("CREATE"));
        cols = map_fields(x, cols, n, &max, keep);
        delta_map_set(x->a, &m->config, STR("delta.columnMapping.maxColumnId"), str_of(arena_printf(x->a, "%lld", (long long)max)), false);
    }
    struct sql_type all = {.kind = TY_STRUCT, .fields = plain_texts(x, cols, n), .n = n};
    buf b = {0};
    sql_type_write_json(&all, &b);
    m->schema = dml_take(x, &b);
    x->cols = cols, x->n = n;
    return NULL;
}

/* ---- features ---- */

static bool has_kind(const struct sql_type *t, enum sql_type_kind kind) {
    if (t->kind == kind) return true;
    for (size_t i = 0; i < t->n; i++)
        if (has_kind(t->fields[i].type, kind)) return true;
    return (t->elem && has_kind(t->elem, kind)) || (t->key && has_kind(t->key, kind));
}

static void need(struct dml_x *x, struct delta_protocol *p, const char *feature) {
    if (delta_add_feature(x->a, p, feature)) x->protocol_changed = true;
}

static err *check_mapping(struct dml_x *x) {
    str mode = delta_map_get(&x->metadata->config, STR("delta.columnMapping.mode"));
    if (mode.n && !str_eqz(mode, "none") && !str_eqz(mode, "name") && !str_eqz(mode, "id"))
        return dml_error("DELTA_MODE_NOT_SUPPORTED", "mode", dml_z(x, mode), "supportedModes", "none, id, name", NULL);
    return NULL;
}

/* What Iceberg's readers could not follow is kept out of tables that promise to be readable to them. */
static err *check_iceberg(struct dml_x *x) {
    const struct delta_map *c = &x->metadata->config;
    bool v1 = str_ieq(delta_map_get(c, STR("delta.enableIcebergCompatV1")), STR("true")), v2 = str_ieq(delta_map_get(c, STR("delta.enableIcebergCompatV2")), STR("true"));
    if (!v1 && !v2) return NULL;
    if (v1 && v2) return dml_error("DELTA_ICEBERG_COMPAT_VIOLATION.VERSION_MUTUAL_EXCLUSIVE", "version", "2", NULL);
    if (str_ieq(delta_map_get(c, STR("delta.enableDeletionVectors")), STR("true")))
        return dml_error("DELTA_ICEBERG_COMPAT_VIOLATION.DELETION_VECTORS_SHOULD_BE_DISABLED", "version", v1 ? "1" : "2", NULL);
    for (size_t i = 0; i < x->n; i++) {
        static const enum sql_type_kind never[] = {TY_VOID, TY_VARIANT}, not_in_1[] = {TY_ARRAY, TY_MAP};
        bool bad = false;
        for (size_t k = 0; k < ARRAY_LEN(never); k++) bad |= has_kind(x->cols[i].type, never[k]);
        for (size_t k = 0; v1 && k < ARRAY_LEN(not_in_1); k++) bad |= has_kind(x->cols[i].type, not_in_1[k]);
        if (!bad) continue;
        buf b = {0};
        sql_type_write_sql(x->cols[i].type, &b);
        return dml_error("DELTA_ICEBERG_COMPAT_VIOLATION.UNSUPPORTED_DATA_TYPE", "version", v1 ? "1" : "2", "dataType", dml_z(x, dml_take(x, &b)), NULL);
    }
    return NULL;
}

static void row_tracking_names(struct dml_x *x, struct delta_metadata *m) {
    static const char *const keys[][2] = {{"delta.rowTracking.materializedRowIdColumnName", "_row-id-col-"},
                                          {"delta.rowTracking.materializedRowCommitVersionColumnName", "_row-commit-version-col-"}};
    for (size_t i = 0; i < 2; i++) {
        if (delta_map_has(&m->config, str_of(keys[i][0]))) continue;
        char id[37];
        rand_uuid(id);
        delta_map_set(x->a, &m->config, str_of(keys[i][0]), str_of(arena_printf(x->a, "%s%s", keys[i][1], id)), false);
    }
}

err *dml_set_features(struct dml_x *x) {
    struct delta_metadata *m = dml_change_metadata(x);
    struct delta_protocol *p = arena_new_of(x->a, struct delta_protocol);
    *p = *x->protocol;
    TRY(check_mapping(x));
    TRY(check_iceberg(x));
    int reader = p->reader, writer = p->writer;
    size_t n = p->n_writer;
    delta_features_of_config(x->a, p, &m->config);
    /* The catalog's versions carry their own times. */
    if (delta_has_feature(p, "catalogManaged")) delta_map_set(x->a, &m->config, STR("delta.enableInCommitTimestamps"), STR("true"), false);
    /* By this Spark asks for them. */
    if (delta_has_feature(p, "catalogManaged") && x->uuid.n) delta_map_set(x->a, &m->config, STR("io.unitycatalog.tableId"), x->uuid, false);
    for (size_t i = 0; i < x->n; i++) {
        const struct sql_field *f = &x->cols[i];
        if (has_kind(f->type, TY_TIMESTAMP_NTZ)) need(x, p, "timestampNtz");
        if (has_kind(f->type, TY_VARIANT)) need(x, p, "variantType");
        if (dml_is_generated(f)) need(x, p, "generatedColumns");
        if (dml_is_identity(f)) need(x, p, "identityColumns");
        if (str_find(f->metadata, STR("CURRENT_DEFAULT")) >= 0) need(x, p, "allowColumnDefaults");
    }
    if (delta_has_feature(p, "rowTracking") && str_ieq(delta_map_get(&m->config, STR("delta.enableRowTracking")), STR("true")))
        row_tracking_names(x, m);
    if (str_ieq(delta_map_get(&m->config, STR("delta.enableInCommitTimestamps")), STR("true")) && x->t &&
        !str_ieq(delta_map_get(&x->t->snap->metadata.config, STR("delta.enableInCommitTimestamps")), STR("true"))) {
        delta_map_set(x->a, &m->config, STR("delta.inCommitTimestampEnablementVersion"),
                      str_of(arena_printf(x->a, "%lld", (long long)x->t->snap->version + 1)), false);
        delta_map_set(x->a, &m->config, STR("delta.inCommitTimestampEnablementTimestamp"),
                      str_of(arena_printf(x->a, "%lld", (long long)(clock_now() / 1000))), false);
    }
    if (p->reader != reader || p->writer != writer || p->n_writer != n) x->protocol_changed = true;
    x->protocol = p;
    return NULL;
}

/* ---- evolution ---- */

bool dml_evolves(struct dml_x *x, const struct ast *s) {
    str on;
    if (ast_has(s, AST_F_EVOLVE) || str_eqz(delta_map_get(&x->metadata->config, STR("delta.autoMerge")), "true")) return true;
    return x->d->setting && x->d->setting(x->d->arg, STR("spark.databricks.delta.schema.autoMerge.enabled"), &on) && str_ieq(on, STR("true"));
}

static bool integral(enum sql_type_kind k) { return k >= TY_TINYINT && k <= TY_BIGINT; }

bool dml_widens(const struct sql_type *f, const struct sql_type *t) {
    if (integral(f->kind) && integral(t->kind)) return t->kind > f->kind;
    if (integral(f->kind) && f->kind != TY_BIGINT && t->kind == TY_DOUBLE) return true;
    if (f->kind == TY_FLOAT && t->kind == TY_DOUBLE) return true;
    if (f->kind == TY_DATE && t->kind == TY_TIMESTAMP_NTZ) return true;
    if (integral(f->kind) && t->kind == TY_DECIMAL) return t->precision - t->scale >= (f->kind == TY_BIGINT ? 20 : 10);
    return f->kind == TY_DECIMAL && t->kind == TY_DECIMAL && t->scale >= f->scale && t->precision - t->scale >= f->precision - f->scale;
}

/* Of the changes that keep every value those that a source alone may bring about: not from one family of numbers to another. */
static bool widens_by_itself(struct dml_x *x, const struct sql_type *f, const struct sql_type *t) {
    if (!str_ieq(delta_map_get(&x->metadata->config, STR("delta.enableTypeWidening")), STR("true"))) return false;
    if (sql_type_eq(f, t) || (integral(f->kind) && !integral(t->kind))) return false;
    return dml_widens(f, t);
}

str dml_put_change(struct dml_x *x, str metadata, str inner, const struct sql_type *from, const struct sql_type *to) {
    jval *v = NULL;
    err *bad = metadata.n ? json_parse(x->a, metadata, false, &v) : NULL;
    err_free(bad);
    jdoc *d = json_doc(x->a);
    jmut *o = v && !bad ? yyjson_val_mut_copy(d, v) : yyjson_mut_obj(d), *list = yyjson_mut_obj_get(o, "delta.typeChanges");
    if (!list) list = json_put_arr(d, o, "delta.typeChanges");
    jmut *one = json_add_obj(d, list);
    buf f = {0}, t = {0};
    sql_type_write_json(from, &f);
    sql_type_write_json(to, &t);
    str old = dml_take(x, &f), fresh = dml_take(x, &t);
    json_put_str(d, one, "toType", str_n(fresh.p + 1, fresh.n - 2));
    json_put_str(d, one, "fromType", str_n(old.p + 1, old.n - 2));
    if (inner.n) json_put_str(d, one, "fieldPath", inner);
    return json_text(x->a, o);
}

struct merging {
    struct dml_x *x;
    bool changed;
    str *metadata;          /* of the nearest field: takes the changes of types */
    str path;               /* below that field: "element", "value.element" */
};

static const struct sql_type *merge_types(struct merging *m, const struct sql_type *table, const struct sql_type *source);

static const struct sql_type *merge_part(struct merging *m, const char *word, const struct sql_type *table, const struct sql_type *source) {
    str before = m->path;
    m->path = before.n ? str_of(arena_printf(m->x->a, "%.*s.%s", STR_ARG(before), word)) : str_of(word);
    const struct sql_type *t = merge_types(m, table, source);
    m->path = before;
    return t;
}

static const struct sql_type *merge_struct(struct merging *m, const struct sql_type *table, const struct sql_type *source) {
    struct sql_type *r = arena_new_of(m->x->a, struct sql_type);
    *r = *table;
    struct sql_field *f = arena_array_of(m->x->a, struct sql_field, table->n + source->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++) {
        f[n] = table->fields[i];
        ptrdiff_t k = dml_column(source->fields, source->n, table->fields[i].name);
        struct merging inner = {.x = m->x, .metadata = &f[n].metadata};
        if (k >= 0) f[n].type = merge_types(&inner, table->fields[i].type, source->fields[k].type);
        m->changed |= inner.changed;
        n++;
    }
    for (size_t i = 0; i < source->n; i++) {
        if (dml_column(table->fields, table->n, source->fields[i].name) >= 0) continue;
        f[n] = source->fields[i];
        f[n].nullable = true, f[n].metadata = STR_NONE;
        n++;
        m->changed = true;
    }
    r->fields = f, r->n = n;
    return r;
}

/* What both have, with what the source has more at the end; types are the table's where they differ, or wider. */
static const struct sql_type *merge_types(struct merging *m, const struct sql_type *table, const struct sql_type *source) {
    if (table->kind == TY_VOID && source->kind != TY_VOID) return m->changed = true, source;
    if (widens_by_itself(m->x, table, source)) {
        *m->metadata = dml_put_change(m->x, *m->metadata, m->path, table, source);
        return m->changed = true, source;
    }
    if (table->kind != source->kind) return table;
    if (table->kind == TY_STRUCT) return merge_struct(m, table, source);
    if (table->kind != TY_ARRAY && table->kind != TY_MAP) return table;
    struct sql_type *r = arena_new_of(m->x->a, struct sql_type);
    *r = *table;
    if (table->kind == TY_MAP) r->key = merge_part(m, "key", table->key, source->key);
    r->elem = merge_part(m, table->kind == TY_MAP ? "value" : "element", table->elem, source->elem);
    return r;
}

const struct sql_type *dml_nullable(struct dml_x *x, const struct sql_type *t) {
    if (t->kind != TY_STRUCT && t->kind != TY_ARRAY && t->kind != TY_MAP) return t;
    struct sql_type *r = arena_new_of(x->a, struct sql_type);
    *r = *t;
    r->elem_nullable = true;
    if (t->elem) r->elem = dml_nullable(x, t->elem);
    if (t->key) r->key = dml_nullable(x, t->key);
    if (t->kind != TY_STRUCT) return r;
    struct sql_field *f = arena_array_of(x->a, struct sql_field, t->n + 1);
    for (size_t i = 0; i < t->n; i++) {
        f[i] = t->fields[i];
        f[i].type = dml_nullable(x, f[i].type), f[i].nullable = true;
    }
    r->fields = f;
    return r;
}

err *dml_evolve(struct dml_x *x, const struct sql_column *cols, size_t n) {
    struct sql_field *fields = arena_array_of(x->a, struct sql_field, n + 1);
    for (size_t i = 0; i < n; i++) fields[i] = (struct sql_field){.name = cols[i].name, .type = dml_nullable(x, cols[i].type), .nullable = true};
    struct sql_type table = {.kind = TY_STRUCT, .fields = x->cols, .n = x->n}, source = {.kind = TY_STRUCT, .fields = fields, .n = n};
    struct merging m = {.x = x};
    const struct sql_type *all = merge_struct(&m, &table, &source);
    if (!m.changed) return NULL;
    TRY(dml_set_schema(x, all->fields, all->n));
    return dml_set_features(x);
}
