/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of tables that begin with "delta.": which there are, and what each may be. A row for each; names are known in any case
 * and are kept as they are written here. Values that delta-spark refuses without a class of its own are INVALID_CONF_VALUE.REQUIREMENT.
 */
#include <stdlib.h>

#include "base/enc.h"
#include "delta/checkpoint.h"
#include "delta/feature.h"
#include "engine/worker/dml_int.h"
#include "sql/error.h"

enum kind { P_BOOL, P_POSITIVE, P_FROM_MINUS_ONE, P_NUMBER, P_INTERVAL, P_READER, P_WRITER, P_POLICY, P_MAPPING, P_ISOLATION, P_COMPACT, P_CODEC, P_SIZE, P_FORMATS, P_TEXT };

static const char *const needs[] = {
    [P_BOOL] = "it needs to be a boolean.",
    [P_POSITIVE] = "it needs to be a positive integer.",
    [P_FROM_MINUS_ONE] = "it needs to be an integer that is at least -1.",
    [P_NUMBER] = "it needs to be an integer.",
    [P_INTERVAL] = "it needs to be an interval of days or less that is not negative, such as '2 weeks': months and years have no fixed length.",
    [P_READER] = "it needs to be one of 1, 2, 3.",
    [P_WRITER] = "it needs to be one of 1, 2, 3, 4, 5, 6, 7.",
    [P_POLICY] = "it needs to be one of classic, v2.",
    [P_MAPPING] = "it needs to be one of none, name, id.",
    [P_CODEC] = "it needs to be one of none, uncompressed, snappy, gzip, lz4, lz4_raw, zstd, brotli.",
    [P_SIZE] = "it needs to be a number of bytes, such as 104857600 or '100mb'.",
    [P_FORMATS] = "it needs to be a list without repetition of iceberg, hudi.",
};

static const struct property {
    const char *name;
    enum kind kind;
} properties[] = {
    {"appendOnly", P_BOOL},
    {"autoOptimize", P_BOOL},
    {"autoOptimize.autoCompact", P_COMPACT},
    {"autoOptimize.optimizeWrite", P_BOOL},
    {"castIcebergTimeType", P_BOOL},
    {"checkpoint.partSize", P_POSITIVE},
    {"checkpoint.writeStatsAsJson", P_BOOL},
    {"checkpoint.writeStatsAsStruct", P_BOOL},
    {"checkpointInterval", P_POSITIVE},
    {"checkpointPolicy", P_POLICY},
    {"checkpointRetentionDuration", P_INTERVAL},
    {"columnMapping.maxColumnId", P_NUMBER},
    {"columnMapping.mode", P_MAPPING},
    {"compatibility.symlinkFormatManifest.enabled", P_BOOL},
    {"dataSkippingNumIndexedCols", P_FROM_MINUS_ONE},
    {"dataSkippingStatsColumns", P_TEXT},
    {"dataSkippingStringPrefixLength", P_POSITIVE},
    {"deletedFileRetentionDuration", P_INTERVAL},
    {"dropFeatureTruncateHistory.retentionDuration", P_INTERVAL},
    {"enableChangeDataCapture", P_BOOL},
    {"enableChangeDataFeed", P_BOOL},
    {"enableDeletionVectors", P_BOOL},
    {"enableExpiredLogCleanup", P_BOOL},
    {"enableFullRetentionRollback", P_BOOL},
    {"enableIcebergCompatV1", P_BOOL},
    {"enableIcebergCompatV2", P_BOOL},
    {"enableIcebergCompatV3", P_BOOL},
    {"enableIcebergWriterCompatV1", P_BOOL},
    {"enableIcebergWriterCompatV3", P_BOOL},
    {"enableInCommitTimestamps", P_BOOL},
    {"enableMaterializePartitionColumnsFeature", P_BOOL},
    {"enableRowTracking", P_BOOL},
    {"enableTypeWidening", P_BOOL},
    {"enableVariantShredding", P_BOOL},
    {"ignoreProtocolDefaults", P_BOOL},
    {"inCommitTimestampEnablementTimestamp", P_NUMBER},
    {"inCommitTimestampEnablementVersion", P_NUMBER},
    {"isolationLevel", P_ISOLATION},
    {"lastCommitTimestamp", P_NUMBER},
    {"lastUpdateVersion", P_NUMBER},
    {"logRetentionDuration", P_INTERVAL},
    {"minReaderVersion", P_READER},
    {"minWriterVersion", P_WRITER},
    {"parquet.compression.codec", P_CODEC},
    {"parquet.format.version", P_TEXT},
    {"parquet.vorder.enabled", P_BOOL},
    {"randomPrefixLength", P_POSITIVE},
    {"randomizeFilePrefixes", P_BOOL},
    {"requireCheckpointProtectionBeforeVersion", P_NUMBER},
    {"rowTracking.materializedRowCommitVersionColumnName", P_TEXT},
    {"rowTracking.materializedRowIdColumnName", P_TEXT},
    {"rowTrackingSuspended", P_BOOL},
    {"sampleRetentionDuration", P_INTERVAL},
    {"setTransactionRetentionDuration", P_INTERVAL},
    {"targetFileSize", P_SIZE},
    {"tuneFileSizesForRewrites", P_BOOL},
    {"universalFormat.enabledFormats", P_FORMATS},
};

/* Families whose names are not counted. "autoMerge", "write": Databricks' own switches. */
static const char *const families[] = {"autoMerge.", "catalogManaged.", "constraints.", "coordinatedCommits.", "feature.", "identity.", "liquid.", "redirect", "sharing.",
                                       "universalFormat.config.", "workloadBasedColumns.", "write."};

static bool is_bool(str v) { return str_ieq(v, STR("true")) || str_ieq(v, STR("false")); }

static bool one_of(str v, const char *list) {
    str rest = str_of(list), part;
    while (str_split(&rest, ' ', &part))
        if (str_ieq(v, part)) return true;
    return false;
}

static bool is_size(str v) {
    size_t n = 0;
    while (n < v.n && v.p[n] >= '0' && v.p[n] <= '9') n++;
    return n && n < 19 && (n == v.n || one_of(str_trim(str_from(v, n)), "b k kb m mb g gb t tb p pb"));
}

static bool is_formats(str v) {
    str part;
    bool seen[2] = {false, false};
    while (v.n && str_split(&v, ',', &part)) {
        int i = str_eqz(part, "iceberg") ? 0 : str_eqz(part, "hudi") ? 1 : -1;
        if (i < 0 || seen[i]) return false;
        seen[i] = true;
    }
    return true;
}

static bool fits(enum kind kind, str v) {
    int64_t n;
    bool number = str_to_i64(v, &n) && n >= INT32_MIN;
    switch (kind) {
    case P_BOOL: return is_bool(v);
    case P_POSITIVE: return number && n > 0 && n <= INT32_MAX;
    case P_FROM_MINUS_ONE: return number && n >= -1 && n <= INT32_MAX;
    case P_NUMBER: return number;
    case P_READER: return number && n >= 1 && n <= 3;
    case P_WRITER: return number && n >= 1 && n <= 7;
    case P_POLICY: return one_of(v, "classic v2");
    case P_MAPPING: return one_of(v, "none name id");
    case P_ISOLATION: return one_of(v, "Serializable WriteSerializable");
    case P_COMPACT: return one_of(v, "true false auto legacy");
    case P_CODEC: return one_of(v, "none uncompressed snappy gzip lz4 lz4_raw zstd brotli");
    case P_SIZE: return is_size(v);
    case P_FORMATS: return is_formats(v);
    case P_INTERVAL: return delta_interval_ms(v, &n) && n >= 0;
    case P_TEXT: return true;
    }
    return true;
}

static err *check_value(struct dml_x *x, const struct property *p, str v) {
    const char *key = arena_printf(x->a, "delta.%s", p->name), *value = dml_z(x, v);
    if (fits(p->kind, v)) return NULL;
    if (p->kind == P_ISOLATION) return dml_error("DELTA_INVALID_ISOLATION_LEVEL", "isolationLevel", value, NULL);
    if (p->kind == P_COMPACT) return dml_error("DELTA_INVALID_AUTO_COMPACT_TYPE", "value", value, "allowed", "(auto,true,false,legacy)", NULL);
    if (p->kind == P_INTERVAL && !str_trim(v).n) return dml_error("DELTA_INVALID_CALENDAR_INTERVAL_EMPTY", NULL);
    if (p->kind == P_INTERVAL && !memchr(v.p, '-', v.n) && str_find(v, STR("month")) < 0 && str_find(v, STR("year")) < 0)
        return dml_error("DELTA_INVALID_INTERVAL", "interval", value, NULL);
    return dml_error("INVALID_CONF_VALUE.REQUIREMENT", "confName", key, "confValue", value, "confRequirement", needs[p->kind], NULL);
}

static err *known_name(struct dml_x *x, str key, const struct property **ret) {
    str rest = str_from(key, 6), on;
    *ret = NULL;
    for (size_t i = 0; i < ARRAY_LEN(properties) && !*ret; i++)
        if (str_ieq(rest, str_of(properties[i].name))) *ret = &properties[i];
    if (*ret) return NULL;
    if (str_starts(rest, STR("feature.")) && !delta_feature_of(str_from(rest, 8)) && !str_eqz(rest, "feature.catalogManaged"))
        return dml_error("DELTA_UNSUPPORTED_FEATURES_IN_CONFIG", "features", dml_z(x, str_from(rest, 8)), NULL);
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (str_ieq(str_cut(rest, strlen(families[i])), str_of(families[i]))) return NULL;
    if (x->d->setting && x->d->setting(x->d->arg, STR("spark.databricks.delta.allowArbitraryProperties.enabled"), &on) && str_ieq(on, STR("true"))) return NULL;
    return dml_error("DELTA_UNKNOWN_CONFIGURATION", "config", dml_z(x, key), NULL);
}

err *dml_table_properties(struct dml_x *x, const struct ast *list, struct delta_map *config) {
    struct delta_map said = {0};
    TRY(dml_properties(x, list, &said));
    for (size_t i = 0; i < said.n; i++) {
        str key = said.p[i].key, value = said.p[i].value;
        const struct property *p = NULL;
        if (key.n > 6 && str_ieq(str_cut(key, 6), STR("delta."))) TRY(known_name(x, key, &p));
        if (p) {
            TRY(check_value(x, p, value));
            key = str_of(arena_printf(x->a, "delta.%s", p->name));
        }
        delta_map_set(x->a, config, key, value, false);
    }
    return NULL;
}
