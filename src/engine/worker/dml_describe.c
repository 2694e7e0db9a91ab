/* SPDX-License-Identifier: Apache-2.0 */
/* DESCRIBE HISTORY and DESCRIBE DETAIL: what the log tells of a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker/dml_int.h"

static str raw(struct dml_x *x, jval *v) {
    if (!v || yyjson_is_null(v)) return STR_NONE;
    if (yyjson_is_str(v)) return json_str(v);
    char *text = yyjson_val_write(v, 0, NULL);
    str s = text ? str_of(arena_strdup(x->a, text)) : STR_NONE;
    free(text);
    return s;
}

err *dml_history(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    static const char *const names[] = {"version", "timestamp", "userId", "userName", "operation", "operationParameters", "job", "notebook", "clusterId",
                                        "readVersion", "isolationLevel", "isBlindAppend", "operationMetrics", "userMetadata", "engineInfo"};
    static const char types[] = "ltsssmsssl" "sbmss";
    const struct ast *name = ast_get(s, SLOT_NAME), *limit = ast_get(s, SLOT_LIMIT);
    struct scan_table *t;
    jval *answer;
    int64_t most = 0;
    TRY(dml_open_name(x, name, "describe", NULL, &t, &answer));
    if (limit && (!str_to_i64(limit->text, &most) || most < 0)) most = 0;
    struct delta_fs fs = scan_fs(x->d->scan, t->path);
    struct delta_commit_entry *h;
    size_t n;
    TRY(delta_history(&fs, x->a, 0, t->snap->version, (size_t)most, &h, &n));
    str *cells = arena_array_of(x->a, str, n * 15 + 1);
    /* Conditions of others' statements have values in them, and metrics count rows that are hidden. */
    bool guarded = dml_is_guarded(answer);
    for (size_t i = 0; i < n; i++) {
        str *c = &cells[i * 15];
        jval *v = NULL;
        err *bad = h[i].info.n ? json_parse(x->a, h[i].info, false, &v) : NULL;
        err_free(bad);
        if (bad) v = NULL;
        c[0] = str_of(arena_printf(x->a, "%lld", (long long)h[i].version));
        c[1] = str_of(arena_printf(x->a, "%lld", (long long)h[i].timestamp_ms));
        static const char *const keys[] = {NULL, NULL, "userId", "userName", "operation", "operationParameters", NULL, NULL, "clusterId", "readVersion",
                                           "isolationLevel", "isBlindAppend", "operationMetrics", "userMetadata", "engineInfo"};
        for (size_t k = 2; v && k < 15; k++)
            if (keys[k] && !(guarded && (k == 5 || k == 12))) c[k] = raw(x, json_get(v, keys[k]));
    }
    return dml_rows(x, names, types, 15, cells, n, ret);
}

static str list_of(struct dml_x *x, const str *p, size_t n) {
    buf b = {0};
    buf_c(&b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_c(&b, ',');
        buf_json_str(&b, p[i]);
    }
    buf_c(&b, ']');
    return dml_take(x, &b);
}

static str clustering(struct dml_x *x, const struct delta_snapshot *s) {
    const struct delta_domain *d = delta_domain_of(s, STR("delta.clustering"));
    jval *v, *path;
    str names[64];
    size_t i, max, n = 0;
    if (!d) return STR("[]");
    err *bad = json_parse(x->a, d->config, false, &v);
    if (bad) {
        err_free(bad);
        return STR("[]");
    }
    yyjson_arr_foreach(json_get(v, "clusteringColumns"), i, max, path) if (n < 64) {
        const struct sql_field *f = x->cols;
        size_t fields = x->n;
        buf name = {0};
        for (size_t k = 0; k < yyjson_arr_size(path); k++) {
            str part = json_str(yyjson_arr_get(path, k));
            const struct sql_field *at = NULL;
            for (size_t q = 0; q < fields && !at; q++)
                if (str_eq(scan_physical(x->a, &f[q]), part) || str_eq(f[q].name, part)) at = &f[q];
            buf_fmt(&name, "%s%.*s", k ? "." : "", STR_ARG(at ? at->name : part));
            f = at ? at->type->fields : NULL, fields = at ? at->type->n : 0;
        }
        names[n++] = dml_take(x, &name);
    }
    return list_of(x, names, n);
}

err *dml_detail(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    static const char *const names[] = {"format", "id", "name", "description", "location", "createdAt", "lastModified", "partitionColumns", "clusteringColumns",
                                        "numFiles", "sizeInBytes", "properties", "minReaderVersion", "minWriterVersion", "tableFeatures", "statistics",
                                        "clusterByAuto"};
    struct scan_table *t;
    jval *answer;
    TRY(dml_open_name(x, ast_get(s, SLOT_NAME), "describe", NULL, &t, &answer));
    const struct delta_snapshot *snap = t->snap;
    const struct delta_metadata *m = &snap->metadata;
    x->cols = t->cols, x->n = t->n;
    int64_t size = 0;
    for (size_t i = 0; i < snap->n_files; i++) size += snap->files[i]->size;
    str cells[17] = {STR("delta"), m->id};
    if (answer)
        cells[2] = str_of(arena_printf(x->a, "%.*s.%.*s.%.*s", STR_ARG(json_get_str(answer, "catalog")), STR_ARG(json_get_str(answer, "schema")),
                                       STR_ARG(json_get_str(answer, "name"))));
    cells[3] = m->description;
    cells[4] = t->url;
    if (m->created_ms >= 0) cells[5] = str_of(arena_printf(x->a, "%lld", (long long)m->created_ms));
    cells[6] = str_of(arena_printf(x->a, "%lld", (long long)snap->timestamp_ms));
    cells[7] = list_of(x, m->partitions, m->n_partitions);
    cells[8] = clustering(x, snap);
    cells[9] = str_of(arena_printf(x->a, "%zu", snap->n_files));
    cells[10] = str_of(arena_printf(x->a, "%lld", (long long)size));
    buf props = {0};
    buf_c(&props, '{');
    for (size_t i = 0; i < m->config.n; i++) {
        if (i) buf_c(&props, ',');
        buf_json_str(&props, m->config.p[i].key);
        buf_c(&props, ':');
        buf_json_str(&props, m->config.p[i].value);
    }
    buf_c(&props, '}');
    cells[11] = dml_take(x, &props);
    cells[12] = str_of(arena_printf(x->a, "%d", snap->protocol.reader));
    cells[13] = str_of(arena_printf(x->a, "%d", snap->protocol.writer));
    str features[128];
    size_t n = 0;
    for (size_t i = 0; i < delta_features_n && n < 128; i++)
        if (delta_has_feature(&snap->protocol, delta_features[i].name)) features[n++] = str_of(delta_features[i].name);
    cells[14] = list_of(x, features, n);
    cells[15] = STR("{}");
    cells[16] = str_ieq(delta_map_get(&m->config, STR(CLUSTER_BY_AUTO)), STR("true")) ? STR("true") : STR("false");
    return dml_rows(x, names, "sssssttaallmiiamb", 17, cells, 1, ret);
}
