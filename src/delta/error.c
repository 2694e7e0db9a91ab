/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of errors that this folder makes, with their SQLSTATE, as delta-spark names them. */
#include <stdarg.h>
#include <stdio.h>

#include "delta/action.h"

static const struct {
    const char *name, *state;
} classes[] = {
    {"COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE", "42KDG"},
    {"DATA_SOURCE_NOT_FOUND", "42K02"},
    {"DELTA_ALTER_TABLE_CLUSTER_BY_ON_PARTITIONED_TABLE_NOT_ALLOWED", "42000"},
    {"DELTA_CANNOT_MODIFY_APPEND_ONLY", "42809"},
    {"DELTA_CANNOT_USE_ALL_COLUMNS_FOR_PARTITION", "428FT"},
    {"DELTA_CHANGE_DATA_FILE_NOT_FOUND", "42K03"},
    {"DELTA_CHECKPOINT_SNAPSHOT_MISMATCH", "KD002"},
    {"DELTA_COLUMN_NOT_FOUND_IN_SCHEMA", "42703"},
    {"DELTA_CONCURRENT_APPEND", "2D521"},
    {"DELTA_CONCURRENT_DELETE_DELETE", "2D521"},
    {"DELTA_CONCURRENT_DELETE_READ", "2D521"},
    {"DELTA_CONCURRENT_TRANSACTION", "2D521"},
    {"DELTA_CONCURRENT_WRITE", "2D521"},
    {"DELTA_CONFLICT_SET_COLUMN", "42701"},
    {"DELTA_CONVERT_NON_PARQUET_TABLE", "0AKDC"},
    {"DELTA_DELETION_VECTOR_CARDINALITY_MISMATCH", "XXKDS"},
    {"DELTA_DELETION_VECTOR_CHECKSUM_MISMATCH", "XXKDS"},
    {"DELTA_DELETION_VECTOR_INVALID_ROW_INDEX", "XXKDS"},
    {"DELTA_DELETION_VECTOR_SIZE_MISMATCH", "XXKDS"},
    {"DELTA_DUPLICATE_ACTIONS_FOUND", "2D521"},
    {"DELTA_EMPTY_DIRECTORY", "42K03"},
    {"DELTA_FAILED_CAST_PARTITION_VALUE", "22018"},
    {"DELTA_FAILED_MERGE_SCHEMA_FILE", "42KDA"},
    {"DELTA_FEATURES_PROTOCOL_METADATA_MISMATCH", "0AKDE"},
    {"DELTA_FILE_NOT_FOUND", "42K03"},
    {"DELTA_INVALID_CDC_RANGE", "22003"},
    {"DELTA_INVALID_PROTOCOL_VERSION", "KD004"},
    {"DELTA_LOG_FILE_MALFORMED", "KD00N"},
    {"DELTA_LOG_FILE_NOT_FOUND", "42K03"},
    {"DELTA_METADATA_CHANGED", "2D521"},
    {"DELTA_MISSING_CHANGE_DATA", "KD002"},
    {"DELTA_MISSING_DELTA_TABLE", "42P01"},
    {"DELTA_MODE_NOT_SUPPORTED", "0AKDC"},
    {"DELTA_PATH_BASED_ACCESS_TO_CATALOG_MANAGED_TABLE_BLOCKED", "KD00G"},
    {"DELTA_PATH_DOES_NOT_EXIST", "42K03"},
    {"DELTA_PROTOCOL_CHANGED", "2D521"},
    {"DELTA_STATE_RECOVER_ERROR", "XXKDS"},
    {"DELTA_TABLE_NOT_FOUND", "42P01"},
    {"DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", "42816"},
    {"DELTA_TIMESTAMP_GREATER_THAN_COMMIT", "42816"},
    {"DELTA_TRUNCATED_TRANSACTION_LOG", "42K03"},
    {"DELTA_TXN_LOG_FAILED_INTEGRITY", "XXKDS"},
    {"DELTA_UNEXPECTED_NUM_PARTITION_COLUMNS_FROM_FILE_NAME", "KD009"},
    {"DELTA_UNEXPECTED_PARTITION_COLUMN_FROM_FILE_NAME", "KD009"},
    {"DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE", "0AKDC"},
    {"DELTA_UNSUPPORTED_DATA_TYPES", "0AKDC"},
    {"DELTA_UNSUPPORTED_FEATURES_FOR_READ", "56038"},
    {"DELTA_UNSUPPORTED_FEATURES_FOR_WRITE", "56038"},
    {"DELTA_UNSUPPORTED_TYPE_CHANGE_IN_SCHEMA", "0AKDC"},
    {"DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT", "22003"},
    {"DELTA_VERSIONS_NOT_CONTIGUOUS", "KD00C"},
    {"DELTA_VERSION_NOT_FOUND", "22003"},
    {"FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER", "KD001"},
    {"FAILED_READ_FILE.FILE_NOT_EXIST", "KD001"},
    {"NOT_NULL_CONSTRAINT_VIOLATION", "42000"},
    {"UNSET_NONEXISTENT_PROPERTIES", "42K0J"},
    {"WRONG_COLUMN_DEFAULTS_FOR_DELTA_ALTER_TABLE_ADD_COLUMN_NOT_SUPPORTED", "0AKDC"},
};

bool delta_error_known(str cls) {
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (str_eqz(cls, classes[i].name)) return true;
    return false;
}

err *delta_error(const char *cls, const char *fmt, ...) {
    const char *state = NULL;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strcmp(classes[i].name, cls) == 0) state = classes[i].state;
    must(state);
    buf text = {0};
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = buf_reserve(&text, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    err *e = err_detail(err_new(ERR_SQL_ERROR, "[%s] %s SQLSTATE: %s", cls, p, state),
                        "{\"class\":\"%s\",\"sqlState\":\"%s\",\"params\":{}}", cls, state);
    buf_free(&text);
    return e;
}
