/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The actions of a Delta log, from and to JSON.
 *
 * A commit is lines of JSON, each an object with one key, the action's name. Unknown keys are ignored, as
 * the protocol wants; unknown *features* are refused (feature.h). All text of a decoded action points into
 * the JSON it was made of, or into the arena.
 */
#ifndef BH_DELTA_ACTION_H
#define BH_DELTA_ACTION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

struct delta_pair {
    str key, value;
    bool null;        /* the value is JSON null */
};

/* Ordered as written. */
struct delta_map {
    struct delta_pair *p;
    size_t n;
};

struct delta_dv {
    char storage;     /* 'u', 'i', 'p'; 0: no vector */
    str path;         /* pathOrInlineDv */
    int64_t offset;   /* -1: none */
    int64_t size;     /* sizeInBytes */
    int64_t cardinality;
};

struct delta_file {
    str path;         /* as in the log: URI-encoded, relative or absolute */
    struct delta_map partition;
    int64_t size, mtime_ms;
    bool data_change;
    str stats;        /* JSON text, or empty */
    str tags;         /* JSON object text, or empty */
    struct delta_dv dv;
    int64_t base_row_id;              /* -1: none */
    int64_t default_commit_version;   /* -1: none */
    str clustering;                   /* clusteringProvider */
    int64_t deletion_ms;              /* remove: deletionTimestamp, else -1 */
    bool extended;                    /* remove: extendedFileMetadata */
};

struct delta_protocol {
    int reader, writer;
    str *reader_features, *writer_features;
    size_t n_reader, n_writer;
    bool has_reader_list, has_writer_list;
};

struct delta_metadata {
    str id, name, description;   /* STR_NONE where absent */
    str provider;
    str schema;                  /* schemaString */
    str *partitions;
    size_t n_partitions;
    struct delta_map config;
    int64_t created_ms;          /* -1: absent */
};

struct delta_txn {
    str app;
    int64_t version, updated_ms; /* -1: absent */
};

struct delta_domain {
    str name, config;
    bool removed;
};

enum delta_action_kind {
    DELTA_NONE,        /* unknown: ignored */
    DELTA_ADD, DELTA_REMOVE, DELTA_CDC, DELTA_METADATA, DELTA_PROTOCOL, DELTA_TXN, DELTA_DOMAIN,
    DELTA_COMMIT_INFO, DELTA_SIDECAR, DELTA_CHECKPOINT_METADATA
};

struct delta_action {
    enum delta_action_kind kind;
    union {
        struct delta_file file;           /* ADD, REMOVE, CDC; SIDECAR: path, size */
        struct delta_metadata metadata;
        struct delta_protocol protocol;
        struct delta_txn txn;
        struct delta_domain domain;
        str info;                         /* COMMIT_INFO: the object's JSON text */
        int64_t version;                  /* CHECKPOINT_METADATA */
    };
};

/* One action from its object {"add":{…}} (also rows of checkpoints as JSON: keys with null are absent).
 * DELTA_… error where a required field is missing or of a wrong type. */
err *delta_action_read(arena *a, jval *line, struct delta_action *ret) BH_CHECK;
/* The same object, for writing. */
jmut *delta_action_write(jdoc *d, const struct delta_action *action);

/* All actions of a commit's text. `name` is for messages. Empty lines are skipped. */
err *delta_actions_read(arena *a, str text, str name, struct delta_action **ret, size_t *ret_n) BH_CHECK;
/* Appends one line. */
void delta_action_line(arena *a, const struct delta_action *action, buf *out);

/* The vector's id, part of a file's key: "uab…@1"; empty without a vector. */
str delta_dv_id(arena *a, const struct delta_dv *dv);
/* Value by key, STR_NONE if absent or null. */
str delta_map_get(const struct delta_map *m, str key);
bool delta_map_has(const struct delta_map *m, str key);
/* Sets or replaces (copies nothing). */
void delta_map_set(arena *a, struct delta_map *m, str key, str value, bool null);
void delta_map_del(struct delta_map *m, str key);

/* An error of the dialect: code SQL_ERROR, text "[CLASS] … SQLSTATE: …", detail {"class","sqlState","params":{}}.
 * The class must be in the table of error.c. */
err *delta_error(const char *cls, const char *fmt, ...) BH_PRINTF(2, 3) BH_CHECK;

bool delta_error_known(str cls);

#endif
