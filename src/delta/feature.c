/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/feature.h"

#include <stdio.h>
#include <string.h>

const struct delta_feature delta_features[] = {
    /* name                    reader  legacy   read   write   property */
    {"appendOnly",              false, 0, 2,    true,  true,   "delta.appendOnly"},
    {"invariants",              false, 0, 2,    true,  true,   NULL},
    {"checkConstraints",        false, 0, 3,    true,  true,   NULL},
    {"changeDataFeed",          false, 0, 4,    true,  true,   "delta.enableChangeDataFeed"},
    {"generatedColumns",        false, 0, 4,    true,  true,   NULL},
    {"columnMapping",           true,  2, 5,    true,  true,   NULL},
    {"identityColumns",         false, 0, 6,    true,  true,   NULL},
    {"deletionVectors",         true,  0, 0,    true,  true,   "delta.enableDeletionVectors"},
    {"timestampNtz",            true,  0, 0,    true,  true,   NULL},
    {"v2Checkpoint",            true,  0, 0,    true,  true,   "delta.checkpointPolicy=v2"},
    {"domainMetadata",          false, 0, 0,    true,  true,   NULL},
    {"rowTracking",             false, 0, 0,    true,  true,   "delta.enableRowTracking"},
    {"clustering",              false, 0, 0,    true,  true,   NULL},
    {"allowColumnDefaults",     false, 0, 0,    true,  true,   NULL},
    {"icebergCompatV1",         false, 0, 0,    true,  true,   "delta.enableIcebergCompatV1"},
    {"icebergCompatV2",         false, 0, 0,    true,  true,   "delta.enableIcebergCompatV2"},
    {"inCommitTimestamp",       false, 0, 0,    true,  true,   "delta.enableInCommitTimestamps"},
    {"typeWidening",            true,  0, 0,    true,  true,   "delta.enableTypeWidening"},
    {"typeWidening-preview",    true,  0, 0,    true,  true,   NULL},
    {"variantType",             true,  0, 0,    true,  true,   NULL},
    {"variantType-preview",     true,  0, 0,    true,  true,   NULL},
    {"variantShredding",        true,  0, 0,    true,  true,   NULL},
    {"variantShredding-preview",true,  0, 0,    true,  true,   "delta.enableVariantShredding"},
    {"vacuumProtocolCheck",     true,  0, 0,    true,  true,   NULL},
    {"catalogManaged",          true,  0, 0,    true,  true,   NULL},
    {"checkpointProtection",    false, 0, 0,    true,  true,   NULL},
    {"materializePartitionColumns", false, 0, 0, true, false,  NULL},
};
const size_t delta_features_n = ARRAY_LEN(delta_features);

const struct delta_feature *delta_feature_of(str name) {
    for (size_t i = 0; i < delta_features_n; i++)
        if (str_eqz(name, delta_features[i].name)) return &delta_features[i];
    return NULL;
}

static bool listed(const str *list, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (str_eqz(list[i], name)) return true;
    return false;
}

bool delta_has_feature(const struct delta_protocol *p, const char *name) {
    if (listed(p->writer_features, p->n_writer, name) || listed(p->reader_features, p->n_reader, name)) return true;
    const struct delta_feature *f = delta_feature_of(str_of(name));
    if (!f || !f->legacy_writer || p->writer >= 7) return false;
    return p->writer >= f->legacy_writer && (!f->legacy_reader || p->reader >= f->legacy_reader);
}

static err *check(const struct delta_protocol *p, str table, bool write) {
    int most = write ? 7 : 3, version = write ? p->writer : p->reader;
    if (p->reader > 3 || p->writer > 7 || version < 1)
        return delta_error("DELTA_INVALID_PROTOCOL_VERSION",
                           "The table %.*s needs reader version %d and writer version %d; this server has reader 1 to 3 and writer 1 to 7.",
                           STR_ARG(table), p->reader, p->writer);
    if (version < most) return NULL;
    const str *list = write ? p->writer_features : p->reader_features;
    size_t n = write ? p->n_writer : p->n_reader;
    if (!(write ? p->has_writer_list : p->has_reader_list))
        return delta_error("DELTA_LOG_FILE_MALFORMED", "The protocol of %.*s has version %d and no list of features.", STR_ARG(table),
                           version);
    buf unknown = {0};
    for (size_t i = 0; i < n; i++) {
        const struct delta_feature *f = delta_feature_of(list[i]);
        if (f && (write ? f->can_write : f->can_read)) continue;
        if (unknown.n) buf_z(&unknown, ", ");
        buf_str(&unknown, list[i]);
    }
    if (!unknown.n) return NULL;
    err *e = delta_error(write ? "DELTA_UNSUPPORTED_FEATURES_FOR_WRITE" : "DELTA_UNSUPPORTED_FEATURES_FOR_READ",
                         "Feature not supported for %s: the table \"%.*s\" needs %s features that this server lacks: %.*s.",
                         write ? "write" : "read", STR_ARG(table), write ? "writer" : "reader", STR_ARG(buf_view(&unknown)));
    buf_free(&unknown);
    return e;
}

err *delta_check_read(const struct delta_protocol *p, str table) { return check(p, table, false); }

err *delta_check_write(const struct delta_protocol *p, str table) {
    TRY(check(p, table, false));
    return check(p, table, true);
}

static void append(arena *a, str **list, size_t *n, const char *name) {
    if (listed(*list, *n, name)) return;
    str *p = arena_array_of(a, str, *n + 1);
    if (*n) memcpy(p, *list, *n * sizeof(*p));
    p[*n] = str_of(name);
    *list = p, (*n)++;
}

/* Is the set of features exactly what a version without lists implies? Then that version is written. */
static int legacy_writer(const str *set, size_t n) {
    for (int w = 2; w <= 6; w++) {
        size_t implied = 0, found = 0;
        for (size_t i = 0; i < delta_features_n; i++) {
            const struct delta_feature *f = &delta_features[i];
            if (!f->legacy_writer || f->legacy_writer > w) continue;
            implied++;
            found += listed(set, n, f->name);
        }
        if (implied == n && found == n) return w;
    }
    return 7;
}

/* From the set of features to versions and lists: the least that says it. */
static void normalise(arena *a, struct delta_protocol *p, str *set, size_t n) {
    p->writer = legacy_writer(set, n);
    p->reader = 1;
    p->reader_features = NULL, p->n_reader = 0;
    for (size_t i = 0; i < n; i++) {
        const struct delta_feature *f = delta_feature_of(set[i]);
        if (!f || !f->reader) continue;
        append(a, &p->reader_features, &p->n_reader, f->name);
        int needs = f->legacy_reader ? f->legacy_reader : 3;
        if (needs > p->reader) p->reader = needs;
    }
    if (p->reader == 3) p->writer = 7;
    p->has_reader_list = p->reader == 3, p->has_writer_list = p->writer == 7;
    p->writer_features = set, p->n_writer = n;
    if (!p->has_reader_list) p->reader_features = NULL, p->n_reader = 0;
    if (!p->has_writer_list) p->writer_features = NULL, p->n_writer = 0;
}

static void features_in_force(arena *a, const struct delta_protocol *p, str **set, size_t *n) {
    *set = NULL, *n = 0;
    for (size_t i = 0; i < p->n_writer; i++) {
        char *name = arena_strndup(a, p->writer_features[i].p, p->writer_features[i].n);
        append(a, set, n, name);
    }
    for (size_t i = 0; i < delta_features_n; i++)
        if (delta_has_feature(p, delta_features[i].name)) append(a, set, n, delta_features[i].name);
}

bool delta_add_feature(arena *a, struct delta_protocol *p, const char *name) {
    const struct delta_feature *f = delta_feature_of(str_of(name));
    if (!f || delta_has_feature(p, name)) return false;
    static const struct {
        const char *of, *needs;
    } needs[] = {{"rowTracking", "domainMetadata"}, {"clustering", "domainMetadata"}, {"icebergCompatV1", "columnMapping"},
                 {"icebergCompatV2", "columnMapping"}, {"variantShredding", "variantType"},
                 {"variantShredding-preview", "variantType"},
                 {"catalogManaged", "inCommitTimestamp"}, {"catalogManaged", "vacuumProtocolCheck"}};
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (strcmp(needs[i].of, name) == 0) delta_add_feature(a, p, needs[i].needs);
    str *set;
    size_t n;
    features_in_force(a, p, &set, &n);
    append(a, &set, &n, f->name);
    normalise(a, p, set, n);
    return true;
}

bool delta_drop_feature(arena *a, struct delta_protocol *p, const char *name) {
    if (!delta_has_feature(p, name)) return false;
    str *set, *kept = NULL;
    size_t n, n_kept = 0;
    features_in_force(a, p, &set, &n);
    for (size_t i = 0; i < n; i++)
        if (!str_eqz(set[i], name)) append(a, &kept, &n_kept, set[i].p);
    normalise(a, p, kept, n_kept);
    return true;
}

static bool asked(const struct delta_feature *f, const struct delta_map *config) {
    if (!f->property) return false;
    const char *eq = strchr(f->property, '=');
    str key = eq ? str_n(f->property, (size_t)(eq - f->property)) : str_of(f->property);
    return str_ieq(delta_map_get(config, key), eq ? str_of(eq + 1) : STR("true"));
}

void delta_features_of_config(arena *a, struct delta_protocol *p, struct delta_map *config) {
    str mode = delta_map_get(config, STR("delta.columnMapping.mode"));
    if (mode.n && !str_eqz(mode, "none")) delta_add_feature(a, p, "columnMapping");
    for (size_t i = 0; i < config->n; i++)
        if (str_starts(config->p[i].key, STR("delta.constraints."))) {
            delta_add_feature(a, p, "checkConstraints");
            break;
        }
    for (size_t i = 0; i < delta_features_n; i++)
        if (asked(&delta_features[i], config)) delta_add_feature(a, p, delta_features[i].name);
    int64_t writer = 0, reader = 1;
    (void)str_to_i64(delta_map_get(config, STR("delta.minWriterVersion")), &writer);
    (void)str_to_i64(delta_map_get(config, STR("delta.minReaderVersion")), &reader);
    /* An old version asked for by number: what it implies. */
    for (size_t i = 0; i < delta_features_n && writer < 7; i++) {
        const struct delta_feature *f = &delta_features[i];
        if (f->legacy_writer && f->legacy_writer <= writer && f->legacy_reader <= reader) delta_add_feature(a, p, f->name);
    }
    for (size_t i = 0; i < config->n;) {
        str k = config->p[i].key;
        if (str_starts(k, STR("delta.feature."))) {
            const struct delta_feature *f = delta_feature_of(str_from(k, 14));
            if (f) delta_add_feature(a, p, f->name);
        } else if (!str_eqz(k, "delta.minReaderVersion") && !str_eqz(k, "delta.minWriterVersion")) {
            i++;
            continue;
        }
        delta_map_del(config, k);
    }
}
