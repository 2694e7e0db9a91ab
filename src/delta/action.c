/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/action.h"

#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

static err *malformed(const char *action, const char *field) {
    return delta_error("DELTA_LOG_FILE_MALFORMED", "The Delta log has an action '%s' whose field '%s' is missing or of a wrong type.",
                       action, field);
}

static err *need_str(jval *o, const char *action, const char *field, str *ret) {
    jval *v = json_get(o, field);
    if (!yyjson_is_str(v)) return malformed(action, field);
    *ret = json_str(v);
    return NULL;
}

static int64_t int_or(jval *o, const char *field, int64_t other) {
    int64_t v;
    return json_i64(json_get(o, field), &v) ? v : other;
}

static str text_of(arena *a, jval *v) {
    buf b = {0};
    size_t n = 0;
    char *p = v ? yyjson_val_write(v, 0, &n) : NULL;
    if (!p) return STR_NONE;
    str s = arena_str(a, str_n(p, n));
    free(p);
    buf_free(&b);
    return s;
}

static err *read_map(arena *a, jval *o, const char *action, const char *field, bool required, struct delta_map *ret) {
    jval *m = json_get(o, field);
    *ret = (struct delta_map){0};
    if (!m || yyjson_is_null(m)) return required ? malformed(action, field) : NULL;
    if (!yyjson_is_obj(m)) return malformed(action, field);
    ret->p = arena_array_of(a, struct delta_pair, yyjson_obj_size(m));
    size_t i, max;
    jval *k, *v;
    yyjson_obj_foreach(m, i, max, k, v) {
        struct delta_pair *p = &ret->p[ret->n++];
        p->key = json_str(k);
        p->null = yyjson_is_null(v);
        if (yyjson_is_str(v))
            p->value = json_str(v);
        else if (!p->null)
            p->value = text_of(a, v);
    }
    return NULL;
}

static err *read_strings(arena *a, jval *o, const char *action, const char *field, str **ret, size_t *ret_n, bool *has) {
    jval *v = json_get(o, field);
    *ret = NULL, *ret_n = 0;
    *has = v && !yyjson_is_null(v);
    if (!*has) return NULL;
    if (!yyjson_is_arr(v)) return malformed(action, field);
    *ret = arena_array_of(a, str, yyjson_arr_size(v));
    size_t i, max;
    jval *x;
    yyjson_arr_foreach(v, i, max, x) {
        if (!yyjson_is_str(x)) return malformed(action, field);
        (*ret)[(*ret_n)++] = json_str(x);
    }
    return NULL;
}

static err *read_dv(jval *o, const char *action, struct delta_dv *ret) {
    jval *v = json_get(o, "deletionVector");
    *ret = (struct delta_dv){.offset = -1};
    if (!v || yyjson_is_null(v)) return NULL;
    str kind = json_get_str(v, "storageType");
    if (kind.n != 1 || !strchr("uip", kind.p[0])) return malformed(action, "deletionVector.storageType");
    ret->storage = kind.p[0];
    TRY(need_str(v, action, "pathOrInlineDv", &ret->path));
    ret->offset = int_or(v, "offset", -1);
    ret->size = int_or(v, "sizeInBytes", -1);
    ret->cardinality = int_or(v, "cardinality", -1);
    if (ret->size < 0) return malformed(action, "deletionVector.sizeInBytes");
    if (ret->cardinality < 0) return malformed(action, "deletionVector.cardinality");
    return NULL;
}

static err *read_file(arena *a, jval *o, const char *action, enum delta_action_kind kind, struct delta_file *f) {
    TRY(need_str(o, action, "path", &f->path));
    bool extended = kind == DELTA_ADD || kind == DELTA_CDC;
    TRY(read_map(a, o, action, "partitionValues", extended, &f->partition));
    f->size = int_or(o, "size", kind == DELTA_SIDECAR ? int_or(o, "sizeInBytes", -1) : -1);
    if (extended && f->size < 0) return malformed(action, "size");
    f->mtime_ms = int_or(o, "modificationTime", 0);
    jval *change = json_get(o, "dataChange");
    f->data_change = yyjson_is_bool(change) ? yyjson_get_bool(change) : kind != DELTA_CDC;
    jval *stats = json_get(o, "stats");
    if (yyjson_is_str(stats)) {
        f->stats = json_str(stats);
    } else {
        jval *parsed = json_get(o, "stats_parsed");
        if (yyjson_is_obj(parsed)) f->stats = text_of(a, parsed);
    }
    jval *tags = json_get(o, "tags");
    if (yyjson_is_obj(tags)) f->tags = text_of(a, tags);
    TRY(read_dv(o, action, &f->dv));
    f->base_row_id = int_or(o, "baseRowId", -1);
    f->default_commit_version = int_or(o, "defaultRowCommitVersion", -1);
    f->clustering = json_get_str(o, "clusteringProvider");
    f->deletion_ms = int_or(o, "deletionTimestamp", -1);
    f->extended = yyjson_is_true(json_get(o, "extendedFileMetadata"));
    return NULL;
}

static err *read_metadata(arena *a, jval *o, struct delta_metadata *m) {
    TRY(need_str(o, "metaData", "id", &m->id));
    m->name = json_get_str(o, "name");
    m->description = json_get_str(o, "description");
    jval *format = json_get(o, "format");
    m->provider = json_get_str(format, "provider");
    if (!m->provider.p) m->provider = STR("parquet");
    TRY(need_str(o, "metaData", "schemaString", &m->schema));
    bool has;
    TRY(read_strings(a, o, "metaData", "partitionColumns", &m->partitions, &m->n_partitions, &has));
    TRY(read_map(a, o, "metaData", "configuration", false, &m->config));
    m->created_ms = int_or(o, "createdTime", -1);
    return NULL;
}

static err *read_protocol(arena *a, jval *o, struct delta_protocol *p) {
    int64_t r, w;
    if (!json_i64(json_get(o, "minReaderVersion"), &r) || r < 0 || r > 1000) return malformed("protocol", "minReaderVersion");
    if (!json_i64(json_get(o, "minWriterVersion"), &w) || w < 0 || w > 1000) return malformed("protocol", "minWriterVersion");
    p->reader = (int)r, p->writer = (int)w;
    TRY(read_strings(a, o, "protocol", "readerFeatures", &p->reader_features, &p->n_reader, &p->has_reader_list));
    return read_strings(a, o, "protocol", "writerFeatures", &p->writer_features, &p->n_writer, &p->has_writer_list);
}

static err *read_body(arena *a, const char *key, jval *o, struct delta_action *r) {
    if (strcmp(key, "add") == 0) return r->kind = DELTA_ADD, read_file(a, o, "add", DELTA_ADD, &r->file);
    if (strcmp(key, "remove") == 0) return r->kind = DELTA_REMOVE, read_file(a, o, "remove", DELTA_REMOVE, &r->file);
    if (strcmp(key, "cdc") == 0) return r->kind = DELTA_CDC, read_file(a, o, "cdc", DELTA_CDC, &r->file);
    if (strcmp(key, "sidecar") == 0) return r->kind = DELTA_SIDECAR, read_file(a, o, "sidecar", DELTA_SIDECAR, &r->file);
    if (strcmp(key, "metaData") == 0) return r->kind = DELTA_METADATA, read_metadata(a, o, &r->metadata);
    if (strcmp(key, "protocol") == 0) return r->kind = DELTA_PROTOCOL, read_protocol(a, o, &r->protocol);
    if (strcmp(key, "txn") == 0) {
        r->kind = DELTA_TXN;
        if (!json_i64(json_get(o, "version"), &r->txn.version)) return malformed("txn", "version");
        r->txn.updated_ms = int_or(o, "lastUpdated", -1);
        return need_str(o, "txn", "appId", &r->txn.app);
    }
    if (strcmp(key, "domainMetadata") == 0) {
        r->kind = DELTA_DOMAIN;
        r->domain.removed = yyjson_is_true(json_get(o, "removed"));
        r->domain.config = json_get_str(o, "configuration");
        return need_str(o, "domainMetadata", "domain", &r->domain.name);
    }
    if (strcmp(key, "commitInfo") == 0) return r->kind = DELTA_COMMIT_INFO, r->info = text_of(a, o), NULL;
    if (strcmp(key, "checkpointMetadata") == 0)
        return r->kind = DELTA_CHECKPOINT_METADATA, r->version = int_or(o, "version", -1), NULL;
    return NULL;
}

err *delta_action_read(arena *a, jval *line, struct delta_action *ret) {
    *ret = (struct delta_action){0};
    if (!yyjson_is_obj(line)) return delta_error("DELTA_LOG_FILE_MALFORMED", "A line of the Delta log is not a JSON object.");
    size_t i, max;
    jval *k, *v;
    yyjson_obj_foreach(line, i, max, k, v) {
        if (!yyjson_is_obj(v)) continue;
        TRY(read_body(a, yyjson_get_str(k), v, ret));
        if (ret->kind != DELTA_NONE) return NULL;
    }
    return NULL;
}

err *delta_actions_read(arena *a, str text, str name, struct delta_action **ret, size_t *ret_n) {
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    *ret = arena_array_of(a, struct delta_action, lines);
    *ret_n = 0;
    str line;
    while (str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (!line.n) continue;
        jval *v;
        err *e = json_parse(a, line, false, &v);
        if (!e) {
            struct delta_action act;
            e = delta_action_read(a, v, &act);
            if (!e) {
                if (act.kind != DELTA_NONE) (*ret)[(*ret_n)++] = act;
                continue;
            }
        }
        if (err_code_of(e) == ERR_SQL_ERROR) return err_while(e, "reading %.*s", STR_ARG(name));
        err *out = delta_error("DELTA_LOG_FILE_MALFORMED", "The Delta log file %.*s is malformed: %s", STR_ARG(name), err_msg(e));
        err_free(e);
        return out;
    }
    return NULL;
}

/* ---- writing ---- */

static void put_raw(jdoc *d, jmut *o, const char *k, str json) {
    if (!json.n) return;
    /* Keeps text that we had as JSON byte for byte. */
    yyjson_mut_obj_add(o, yyjson_mut_str(d, k), yyjson_mut_rawn(d, json.p, json.n));
}

static void put_map(jdoc *d, jmut *o, const char *k, const struct delta_map *m) {
    jmut *out = json_put_obj(d, o, k);
    for (size_t i = 0; i < m->n; i++) {
        jmut *key = yyjson_mut_strn(d, m->p[i].key.p ? m->p[i].key.p : "", m->p[i].key.n);
        jmut *v = m->p[i].null ? yyjson_mut_null(d) : yyjson_mut_strn(d, m->p[i].value.p ? m->p[i].value.p : "", m->p[i].value.n);
        yyjson_mut_obj_add(out, key, v);
    }
}

static void put_dv(jdoc *d, jmut *o, const struct delta_dv *dv) {
    if (!dv->storage) return;
    jmut *v = json_put_obj(d, o, "deletionVector");
    yyjson_mut_obj_add_strncpy(d, v, "storageType", &dv->storage, 1);
    json_put_str(d, v, "pathOrInlineDv", dv->path);
    if (dv->offset >= 0) json_put_int(d, v, "offset", dv->offset);
    json_put_int(d, v, "sizeInBytes", dv->size);
    json_put_int(d, v, "cardinality", dv->cardinality);
}

static void put_file(jdoc *d, jmut *o, const struct delta_file *f, enum delta_action_kind kind) {
    json_put_str(d, o, "path", f->path);
    if (kind == DELTA_SIDECAR) {
        json_put_int(d, o, "sizeInBytes", f->size);
        json_put_int(d, o, "modificationTime", f->mtime_ms);
        return;
    }
    if (kind == DELTA_REMOVE) {
        if (f->deletion_ms >= 0) json_put_int(d, o, "deletionTimestamp", f->deletion_ms);
        json_put_bool(d, o, "dataChange", f->data_change);
        json_put_bool(d, o, "extendedFileMetadata", f->extended);
        if (f->extended) put_map(d, o, "partitionValues", &f->partition);
        if (f->extended && f->size >= 0) json_put_int(d, o, "size", f->size);
    } else {
        put_map(d, o, "partitionValues", &f->partition);
        json_put_int(d, o, "size", f->size);
        if (kind == DELTA_ADD) json_put_int(d, o, "modificationTime", f->mtime_ms);
        json_put_bool(d, o, "dataChange", f->data_change);
    }
    if (kind == DELTA_ADD && f->stats.n) json_put_str(d, o, "stats", f->stats);
    put_raw(d, o, "tags", f->tags);
    put_dv(d, o, &f->dv);
    if (f->base_row_id >= 0) json_put_int(d, o, "baseRowId", f->base_row_id);
    if (f->default_commit_version >= 0) json_put_int(d, o, "defaultRowCommitVersion", f->default_commit_version);
    if (kind == DELTA_ADD && f->clustering.n) json_put_str(d, o, "clusteringProvider", f->clustering);
}

static void put_metadata(jdoc *d, jmut *o, const struct delta_metadata *m) {
    json_put_str(d, o, "id", m->id);
    if (m->name.p) json_put_str(d, o, "name", m->name);
    if (m->description.p) json_put_str(d, o, "description", m->description);
    jmut *format = json_put_obj(d, o, "format");
    json_put_str(d, format, "provider", m->provider.n ? m->provider : STR("parquet"));
    json_put_obj(d, format, "options");
    json_put_str(d, o, "schemaString", m->schema);
    jmut *p = json_put_arr(d, o, "partitionColumns");
    for (size_t i = 0; i < m->n_partitions; i++) json_add_str(d, p, m->partitions[i]);
    put_map(d, o, "configuration", &m->config);
    if (m->created_ms >= 0) json_put_int(d, o, "createdTime", m->created_ms);
}

static void put_protocol(jdoc *d, jmut *o, const struct delta_protocol *p) {
    json_put_int(d, o, "minReaderVersion", p->reader);
    json_put_int(d, o, "minWriterVersion", p->writer);
    if (p->reader >= 3) {
        jmut *f = json_put_arr(d, o, "readerFeatures");
        for (size_t i = 0; i < p->n_reader; i++) json_add_str(d, f, p->reader_features[i]);
    }
    if (p->writer >= 7) {
        jmut *f = json_put_arr(d, o, "writerFeatures");
        for (size_t i = 0; i < p->n_writer; i++) json_add_str(d, f, p->writer_features[i]);
    }
}

jmut *delta_action_write(jdoc *d, const struct delta_action *x) {
    static const char *const names[] = {[DELTA_NONE] = "", [DELTA_ADD] = "add", [DELTA_REMOVE] = "remove", [DELTA_CDC] = "cdc",
        [DELTA_METADATA] = "metaData", [DELTA_PROTOCOL] = "protocol", [DELTA_TXN] = "txn", [DELTA_DOMAIN] = "domainMetadata",
        [DELTA_COMMIT_INFO] = "commitInfo", [DELTA_SIDECAR] = "sidecar", [DELTA_CHECKPOINT_METADATA] = "checkpointMetadata"};
    jmut *root = yyjson_mut_obj(d);
    if (x->kind == DELTA_COMMIT_INFO) {
        put_raw(d, root, "commitInfo", x->info);
        return root;
    }
    if (x->kind == DELTA_NONE) return root;
    jmut *o = json_put_obj(d, root, names[x->kind]);
    switch (x->kind) {
    case DELTA_ADD:
    case DELTA_REMOVE:
    case DELTA_CDC:
    case DELTA_SIDECAR: put_file(d, o, &x->file, x->kind); break;
    case DELTA_METADATA: put_metadata(d, o, &x->metadata); break;
    case DELTA_PROTOCOL: put_protocol(d, o, &x->protocol); break;
    case DELTA_TXN:
        json_put_str(d, o, "appId", x->txn.app);
        json_put_int(d, o, "version", x->txn.version);
        if (x->txn.updated_ms >= 0) json_put_int(d, o, "lastUpdated", x->txn.updated_ms);
        break;
    case DELTA_DOMAIN:
        json_put_str(d, o, "domain", x->domain.name);
        json_put_str(d, o, "configuration", x->domain.config);
        json_put_bool(d, o, "removed", x->domain.removed);
        break;
    case DELTA_CHECKPOINT_METADATA: json_put_int(d, o, "version", x->version); break;
    default: break;
    }
    return root;
}

void delta_action_line(arena *a, const struct delta_action *action, buf *out) {
    json_write(delta_action_write(json_doc(a), action), out);
    buf_c(out, '\n');
}

/* ---- maps, ids ---- */

str delta_dv_id(arena *a, const struct delta_dv *dv) {
    if (!dv->storage) return STR("");
    if (dv->offset < 0) return str_of(arena_printf(a, "%c%.*s", dv->storage, STR_ARG(dv->path)));
    return str_of(arena_printf(a, "%c%.*s@%lld", dv->storage, STR_ARG(dv->path), (long long)dv->offset));
}

str delta_map_get(const struct delta_map *m, str key) {
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->p[i].key, key)) return m->p[i].null ? STR_NONE : m->p[i].value;
    return STR_NONE;
}

bool delta_map_has(const struct delta_map *m, str key) {
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->p[i].key, key)) return true;
    return false;
}

void delta_map_set(arena *a, struct delta_map *m, str key, str value, bool null) {
    for (size_t i = 0; i < m->n; i++) {
        if (!str_eq(m->p[i].key, key)) continue;
        m->p[i].value = value, m->p[i].null = null;
        return;
    }
    struct delta_pair *p = arena_array_of(a, struct delta_pair, m->n + 1);
    if (m->n) memcpy(p, m->p, m->n * sizeof(*p));
    p[m->n] = (struct delta_pair){key, value, null};
    m->p = p, m->n++;
}

void delta_map_del(struct delta_map *m, str key) {
    for (size_t i = 0; i < m->n; i++) {
        if (!str_eq(m->p[i].key, key)) continue;
        memmove(&m->p[i], &m->p[i + 1], (m->n - i - 1) * sizeof(*m->p));
        m->n--;
        return;
    }
}
