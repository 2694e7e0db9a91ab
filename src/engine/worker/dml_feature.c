/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ALTER TABLE … DROP FEATURE: the table is first made such that nothing of it uses the feature (files are written anew without
 * vectors, under the columns' own names, with the columns' types of today), then the protocol goes without it.
 *
 * Older versions still use it. A client that lacks the feature must not make checkpoints or clean up before the version that dropped it:
 * the feature checkpointProtection and its property say so. (TRUNCATE HISTORY, which would cut those versions off, is not done.)
 */
#include <stdio.h>
#include <string.h>

#include "engine/worker/dml_int.h"

struct drop {
    const char *feature;
    bool readers;                                             /* older versions cannot be read without it */
    const char *properties[4];                                /* which go */
    err *(*clean)(struct dml_x *x, struct delta_metadata *m); /* or NULL */
    const char *dependents[3];
};

static err *rewrite_all(struct dml_x *x) { return dml_rewrite_files(x, x->t->snap->files, x->t->snap->n_files); }

static err *clean_vectors(struct dml_x *x, struct delta_metadata *m) {
    const struct delta_file **with = arena_array_of(x->a, const struct delta_file *, x->t->snap->n_files + 1);
    size_t n = 0;
    (void)m;
    for (size_t i = 0; i < x->t->snap->n_files; i++)
        if (x->t->snap->files[i]->dv.storage) with[n++] = x->t->snap->files[i];
    return dml_rewrite_files(x, with, n);
}

/* Fields without a key of their metadata, everywhere in the type. */
static const struct sql_type *without(struct dml_x *x, const struct sql_type *t, const char *const *keys, bool *any);

static const struct sql_field *fields_without(struct dml_x *x, const struct sql_field *f, size_t n, const char *const *keys, bool *any) {
    struct sql_field *r = arena_array_of(x->a, struct sql_field, n + 1);
    for (size_t i = 0; i < n; i++) {
        r[i] = f[i];
        for (const char *const *k = keys; *k; k++) {
            if (str_find(r[i].metadata, str_of(*k)) < 0) continue;
            r[i].metadata = dml_set_meta(x, r[i].metadata, *k, STR_NONE);
            *any = true;
        }
        r[i].type = without(x, f[i].type, keys, any);
    }
    return r;
}

static const struct sql_type *without(struct dml_x *x, const struct sql_type *t, const char *const *keys, bool *any) {
    struct sql_type *r = arena_new_of(x->a, struct sql_type);
    *r = *t;
    if (t->elem) r->elem = without(x, t->elem, keys, any);
    if (t->key) r->key = without(x, t->key, keys, any);
    if (t->kind == TY_STRUCT) r->fields = fields_without(x, t->fields, t->n, keys, any);
    return r;
}

static err *clean_widening(struct dml_x *x, struct delta_metadata *m) {
    static const char *const keys[] = {"delta.typeChanges", NULL};
    bool any = false;
    const struct sql_field *cols = fields_without(x, x->cols, x->n, keys, &any);
    (void)m;
    if (!any) return NULL;
    TRY(dml_set_schema(x, cols, x->n));
    return rewrite_all(x);
}

static err *clean_mapping(struct dml_x *x, struct delta_metadata *m) {
    static const char *const keys[] = {"delta.columnMapping.id", "delta.columnMapping.physicalName", "delta.columnMapping.nested.ids", NULL};
    bool any = false;
    const struct sql_field *cols = fields_without(x, x->cols, x->n, keys, &any);
    for (size_t i = 0; i < x->n; i++)
        for (size_t k = 0; k < cols[i].name.n; k++)
            if (strchr(" ,;{}()\n\t=", cols[i].name.p[k]))
                return dml_error("DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES", "invalidColumnNames", dml_z(x, cols[i].name), NULL);
    delta_map_del(&m->config, STR("delta.columnMapping.mode"));
    TRY(dml_set_schema(x, cols, x->n));
    return rewrite_all(x);
}

static err *clean_checks(struct dml_x *x, struct delta_metadata *m) {
    buf list = {0};
    for (size_t i = 0; i < m->config.n; i++)
        if (str_starts(m->config.p[i].key, STR("delta.constraints.")))
            buf_fmt(&list, "%s%.*s", list.n ? ", " : "", STR_ARG(str_from(m->config.p[i].key, 18)));
    if (!list.n) return NULL;
    return dml_error("DELTA_CANNOT_DROP_CHECK_CONSTRAINT_FEATURE", "constraints", dml_z(x, dml_take(x, &list)), NULL);
}

static err *clean_tracking(struct dml_x *x, struct delta_metadata *m) {
    (void)m;
    dml_action(x, DELTA_DOMAIN)->domain = (struct delta_domain){STR("delta.rowTracking"), STR("{}"), true};
    return NULL;
}

static const struct drop drops[] = {
    {"deletionVectors", true, {"delta.enableDeletionVectors"}, clean_vectors, {0}},
    {"typeWidening", true, {"delta.enableTypeWidening"}, clean_widening, {0}},
    {"typeWidening-preview", true, {"delta.enableTypeWidening"}, clean_widening, {0}},
    {"columnMapping", true, {"delta.columnMapping.mode", "delta.columnMapping.maxColumnId"}, clean_mapping, {"icebergCompatV1", "icebergCompatV2"}},
    {"v2Checkpoint", true, {"delta.checkpointPolicy"}, NULL, {0}},
    {"vacuumProtocolCheck", true, {0}, NULL, {"catalogManaged"}},
    {"checkConstraints", false, {0}, clean_checks, {0}},
    {"inCommitTimestamp", false,
     {"delta.enableInCommitTimestamps", "delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp"}, NULL, {"catalogManaged"}},
    {"rowTracking", false,
     {"delta.enableRowTracking", "delta.rowTracking.materializedRowIdColumnName", "delta.rowTracking.materializedRowCommitVersionColumnName"}, clean_tracking, {0}},
    {"domainMetadata", false, {0}, NULL, {"rowTracking", "clustering"}},
};

static err *find_drop(struct dml_x *x, str name, const struct drop **ret) {
    *ret = NULL;
    if (!delta_feature_of(name)) return dml_error("DELTA_FEATURE_DROP_UNSUPPORTED_CLIENT_FEATURE", "feature", dml_z(x, name), NULL);
    if (!delta_has_feature(x->protocol, dml_z(x, name))) return dml_error("DELTA_FEATURE_DROP_FEATURE_NOT_PRESENT", "feature", dml_z(x, name), NULL);
    for (size_t i = 0; i < ARRAY_LEN(drops); i++)
        if (str_eqz(name, drops[i].feature)) *ret = &drops[i];
    if (!*ret) return dml_error("DELTA_FEATURE_DROP_NONREMOVABLE_FEATURE", "feature", dml_z(x, name), NULL);
    for (size_t i = 0; i < ARRAY_LEN((*ret)->dependents) && (*ret)->dependents[i]; i++)
        if (delta_has_feature(x->protocol, (*ret)->dependents[i]))
            return dml_error("DELTA_FEATURE_DROP_DEPENDENT_FEATURE", "feature", dml_z(x, name), "dependentFeatures", (*ret)->dependents[i], NULL);
    return NULL;
}

err *dml_drop_feature(struct dml_x *x, const struct ast *s) {
    str name = ast_get(s, SLOT_KEY)->text;
    const struct drop *d;
    if (ast_has(s, AST_F_ALL))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", s, x->d->text, "tableName", dml_z(x, x->full_name), "operation", "DROP FEATURE … TRUNCATE HISTORY", NULL);
    TRY(find_drop(x, name, &d));
    struct delta_protocol *p = arena_new_of(x->a, struct delta_protocol);
    struct delta_metadata *m = dml_change_metadata(x);
    *p = *x->protocol;
    x->data_change = false;
    x->read_all = true;
    if (d->clean) TRY(d->clean(x, m));
    m = dml_change_metadata(x);
    for (size_t i = 0; i < ARRAY_LEN(d->properties) && d->properties[i]; i++) delta_map_del(&m->config, str_of(d->properties[i]));
    (void)delta_drop_feature(x->a, p, d->feature);
    if (d->readers) {
        (void)delta_add_feature(x->a, p, "checkpointProtection");
        delta_map_set(x->a, &m->config, STR("delta.requireCheckpointProtectionBeforeVersion"),
                      str_of(arena_printf(x->a, "%lld", (long long)x->t->snap->version + 1)), false);
    }
    x->protocol = p;
    x->protocol_changed = true;
    x->parameters = str_of(arena_printf(x->a, "{\"featureName\":\"%s\"}", d->feature));
    return NULL;
}
